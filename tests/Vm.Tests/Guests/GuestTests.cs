namespace Everheap.Vm.Tests.Guests;

/// <summary>Real programs, whole: they must print, write and return exactly what they do under another machine.</summary>
[TestFixture]
internal sealed class GuestTests
{
    private const long MiB = 1L << 20;

    private static IEnumerable<GuestCase> Samples() => GuestCatalog.Samples();

    private static IEnumerable<TestCaseData> Kernels() => GuestCatalog.TestCases(() => GuestCatalog.Kernels(), "kernels");

    private static IEnumerable<TestCaseData> Applications() => GuestCatalog.TestCases(() => GuestCatalog.Commands("apps"), "applications");

    // The largest of all runs in tests/Crash.Tests, in a process of its own whose memory is measured; another takes minutes.
    private static IEnumerable<TestCaseData> Large() => GuestCatalog.TestCases(
        () => GuestCatalog.Commands("large").Where(guest => guest.Name != "bigsort default" && (TestLength.IsLong || guest.Name != "bigmap default")),
        "large programs");

    private static IEnumerable<GuestCase> StressedSamples() => Samples().Where(guest => !CaptureStress.IsTooLong(guest));

    private static IEnumerable<TestCaseData> StressedApplications() =>
        GuestCatalog.TestCases(() => GuestCatalog.Commands("apps").Where(guest => !CaptureStress.IsTooLong(guest)), "applications");

    private static IEnumerable<TestCaseData> StressedLarge() =>
        GuestCatalog.TestCases(() => GuestCatalog.Commands("large").Where(guest => !CaptureStress.IsTooLong(guest)), "large programs");

    [TestCaseSource(nameof(Samples))]
    public void A_sample_gives_its_expected_output(GuestCase guest) => GuestRunner.RunAndCompare(guest);

    [TestCaseSource(nameof(StressedSamples))]
    public void A_sample_captured_again_and_again_gives_its_expected_output(GuestCase guest) =>
        GuestRunner.RunAndCompare(guest, CaptureStress.Every(guest));

    [TestCaseSource(nameof(Kernels))]
    public void A_kernel_gives_its_expected_line(GuestCase guest) => GuestRunner.RunAndCompare(guest);

    [TestCaseSource(nameof(Kernels))]
    public void A_kernel_gives_its_expected_line_by_pages(GuestCase guest) => GuestRunner.RunAndCompare(guest, addressing: MemoryAddressing.Paged);

    [TestCaseSource(nameof(Kernels))]
    public void A_kernel_captured_again_and_again_gives_its_expected_line(GuestCase guest) =>
        GuestRunner.RunAndCompare(guest, CaptureStress.Every(guest));

    [TestCaseSource(nameof(Applications))]
    public void An_application_gives_its_expected_output_and_files(GuestCase guest) => GuestRunner.RunAndCompare(guest);

    [TestCaseSource(nameof(StressedApplications))]
    public void An_application_captured_again_and_again_gives_its_expected_output_and_files(GuestCase guest) =>
        GuestRunner.RunAndCompare(guest, CaptureStress.Every(guest));

    [TestCaseSource(nameof(Large))]
    public void A_large_program_gives_its_expected_output(GuestCase guest) =>
        GuestRunner.RunAndCompare(guest, residentBytes: BudgetBytes(guest));

    [TestCaseSource(nameof(StressedLarge))]
    public void A_large_program_captured_again_and_again_gives_its_expected_output(GuestCase guest) =>
        GuestRunner.RunAndCompare(guest, CaptureStress.Every(guest), BudgetBytes(guest));

    // Tight where the program goes through its memory in order or is small; bigmap touches pages at random, which costs a fault each time.
    private static long BudgetBytes(GuestCase guest) => guest.Name switch
    {
        "bigmap default" => 1024 * MiB,
        "bigmap medium" => 512 * MiB,
        "bigmap small" or "bigsort small" => 4 * MiB,
        _ => 64 * MiB,
    };
}
