namespace Everheap.Spec.Tests;

/// <summary>Scripts of our own, beside the tests: what the official ones do not come to, run in the same ways.</summary>
[TestFixture]
internal sealed class OwnScriptTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Scripts");

    private static IEnumerable<TestCaseData> Scripts =>
        Directory.EnumerateFiles(Folder, "*.wast").Order(StringComparer.Ordinal).Select(file => new TestCaseData(file).SetArgDisplayNames(Path.GetFileNameWithoutExtension(file)));

    [OneTimeSetUp]
    public static void Require_the_converter() => OfficialSuiteTests.Require_the_converter();

    [TestCaseSource(nameof(Scripts))]
    public void A_script_of_our_own_does_as_it_says(string file) => Check(file, CaptureMode.Never);

    [TestCaseSource(nameof(Scripts))]
    public void A_script_of_our_own_does_as_it_says_with_its_memory_reached_by_pages(string file) => Check(file, CaptureMode.NeverPaged);

    [TestCaseSource(nameof(Scripts))]
    public void A_script_of_our_own_does_as_it_says_with_the_stack_captured_at_every_safepoint(string file) =>
        Assert.That(Check(file, CaptureMode.EverySafepoint).Captures, Is.GreaterThan(0));

    [TestCaseSource(nameof(Scripts))]
    public void A_script_of_our_own_does_as_it_says_compiled_in_a_hurry_at_first(string file) => Check(file, CaptureMode.EverySafepointByTiers);

    private static CaptureDriver Check(string file, CaptureMode mode) => OfficialSuiteTests.Check(Path.GetFileNameWithoutExtension(file), file, mode);
}
