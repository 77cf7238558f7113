namespace Everheap.Vm.Tests.Guests;

/// <summary>
/// How often the stress runs capture the stack: at every safepoint where the program is small enough, else at every n-th.
/// The numbers are primes, so that they fall out of step with the programs' loops, and such that a case takes a second or so.
/// </summary>
internal static class CaptureStress
{
    private const int Usual = 1009;

    private static readonly Dictionary<string, int> Intervals = new()
    {
        ["hello small"] = 1,
    };

    public static int Every(string name) => Intervals.GetValueOrDefault(name, Usual);
}
