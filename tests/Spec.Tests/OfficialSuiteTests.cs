namespace Everheap.Spec.Tests;

/// <summary>The official test suite, one case a script.</summary>
[TestFixture]
internal sealed class OfficialSuiteTests
{
    private static IEnumerable<TestCaseData> Scripts => SuiteFolder.ScriptNames.Select(name => new TestCaseData(name).SetArgDisplayNames(name));

    [TestCaseSource(nameof(Scripts))]
    public void A_script_runs_as_it_says(string name)
    {
        Tally tally = ScriptRunner.Run(File.ReadAllText(Path.Combine(SuiteFolder.Path!, name + ".wast")));
        TestContext.Progress.WriteLine($"{name}: {tally}");
        Assert.That(tally.Failures, Is.Empty);
    }

    [Test]
    public void The_suite_is_there()
    {
        if (SuiteFolder.Path is null)
        {
            Assert.Ignore(SuiteFolder.WhyMissing);
        }
    }
}
