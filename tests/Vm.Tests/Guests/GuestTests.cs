using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Guests;

[TestFixture]
internal sealed class GuestTests
{
    private static IEnumerable<GuestCase> Samples() => GuestCatalog.Samples();

    private static IEnumerable<TestCaseData> Kernels() => GuestCatalog.TestCases(() => GuestCatalog.Kernels().Where(kernel => !IsVector(kernel)), "kernels");
    private static IEnumerable<TestCaseData> Applications() => GuestCatalog.TestCases(() => GuestCatalog.Commands("apps"), "applications");
    private static IEnumerable<TestCaseData> Large() => GuestCatalog.TestCases(() => GuestCatalog.Commands("large"), "large programs");

    [TestCaseSource(nameof(Samples))]
    [TestCaseSource(nameof(Kernels))]
    [TestCaseSource(nameof(Applications))]
    [TestCaseSource(nameof(Large))]
    public void A_module_is_decoded_and_validated(GuestCase guest) => Assert.That(() => Module.Load(guest.ModulePath), Throws.Nothing);

    [Test]
    public void A_program_with_vector_instructions_is_refused_by_name()
    {
        if (!GuestCatalog.HasSharedGuests)
        {
            Assert.Ignore("../shared/guests is not beside the repository: conv16_simd was not tried");
        }

        GuestCase guest = GuestCatalog.Kernels().Single(IsVector);
        Assert.That(() => Module.Load(guest.ModulePath), Throws.TypeOf<WasmFormatException>().With.Message.Contains("128-bit vectors (SIMD)"));
    }

    private static bool IsVector(GuestCase guest) => guest.Name.EndsWith("_simd", StringComparison.Ordinal);
}
