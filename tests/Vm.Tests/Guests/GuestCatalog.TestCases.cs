namespace Everheap.Vm.Tests.Guests;

/// <content>Guest programs as test cases.</content>
internal static partial class GuestCatalog
{
    private const string MissingGuests = "../shared/guests is not beside the repository: its programs were not run";

    /// <summary>Makes test cases of guest cases, or one that says that they are missing.</summary>
    public static IEnumerable<TestCaseData> TestCases(Func<IEnumerable<GuestCase>> cases, string missingName)
    {
        return HasSharedGuests
            ? cases().Select(guest => new TestCaseData(guest).SetArgDisplayNames(guest.Name))
            : [new TestCaseData((GuestCase?)null).SetArgDisplayNames(missingName).Ignore(MissingGuests)];
    }
}
