using System.Runtime.ExceptionServices;
using Everheap.Engine;

namespace Everheap.Spec.Tests;

/// <summary>The official test suite, one case a script, run plainly, and with the stack captured at every safepoint.</summary>
[TestFixture]
internal sealed class OfficialSuiteTests
{
    private const int ThreadStackBytes = 256 << 20;
    private const long ResidentBytes = 64L << 20;

    private static IEnumerable<TestCaseData> Scripts => SuiteFolder.ScriptNames.Where(LeftOut.IsRun).Select(Case);

    private static IEnumerable<TestCaseData> ScriptsToCapture => SuiteFolder.ScriptNames.Where(LeftOut.IsRunWithCaptures).Select(Case);

    /// <summary>Skips the tests, with the reason, where the scripts or the converter are missing.</summary>
    [OneTimeSetUp]
    public static void Require_the_suite_and_the_converter()
    {
        if (SuiteFolder.Path is null)
        {
            Assert.Ignore(SuiteFolder.WhyMissing);
        }

        Require_the_converter();
    }

    /// <summary>Skips the tests, with the reason, where the converter is missing.</summary>
    public static void Require_the_converter()
    {
        try
        {
            Wasmtime.Module.ConvertText("(module)");
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or BadImageFormatException)
        {
            Assert.Ignore($"The converter of text modules, Wasmtime's native library, does not load on this machine: {e.Message}");
        }
    }

    [TestCaseSource(nameof(Scripts))]
    public void A_script_does_as_it_says(string name) => Check(name, CaptureMode.Never);

    [TestCaseSource(nameof(Scripts))]
    public void A_script_does_as_it_says_with_its_memory_reached_by_pages(string name) => Check(name, CaptureMode.NeverPaged);

    [TestCaseSource(nameof(ScriptsToCapture))]
    public void A_script_does_as_it_says_with_the_stack_captured_at_every_safepoint(string name) => Check(name, CaptureMode.EverySafepoint);

    [TestCaseSource(nameof(ScriptsToCapture))]
    public void A_script_does_as_it_says_compiled_in_a_hurry_at_first(string name) => Check(name, CaptureMode.EverySafepointByTiers);

    [Test]
    public void Every_script_that_is_left_out_is_in_the_suite() =>
        Assert.That(LeftOut.Scripts.Keys.Concat(LeftOut.Fields.Keys).Except(SuiteFolder.ScriptNames), Is.Empty);

    [Test]
    public void Stacks_are_captured_where_this_was_asked_for()
    {
        CaptureDriver captures = Check("fac", CaptureMode.EverySafepoint);

        Assert.That(captures.Captures, Is.GreaterThan(100));
        Assert.That(captures.Resumes, Is.GreaterThan(5));
    }

    private static TestCaseData Case(string name) => new TestCaseData(name).SetArgDisplayNames(name);

    private static CaptureDriver Check(string name, CaptureMode mode) => Check(name, Path.Combine(SuiteFolder.Path!, name + ".wast"), mode);

    /// <summary>Runs a script, and expects that no command fails.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="file">Where it is.</param>
    /// <param name="mode">How its code is run.</param>
    public static CaptureDriver Check(string name, string file, CaptureMode mode)
    {
        var captures = new CaptureDriver(mode);
        Tally tally = OnDeepStack(() => Run(name, File.ReadAllText(file), captures));
        TestContext.Out.WriteLine($"{name}: {tally}; {captures.Captures:N0} captures, {captures.Resumes:N0} resumes");
        Assert.Multiple(() =>
        {
            Assert.That(tally.Failures, Is.Empty);
            Assert.That(tally.LeftOut.Keys.Except(LeftOut.ReasonsWithin(name)), Is.Empty, "commands left out for a reason that LeftOut.cs does not list");
        });
        return captures;
    }

    private static Tally Run(string name, string script, CaptureDriver captures)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"{Path.GetFileName(name)}-{Guid.NewGuid():n}.heap");
        try
        {
            using HeapStore store = HeapStore.Create(path, new HeapStoreOptions { ResidentBytes = ResidentBytes });
            using PersistentHeap heap = store.CreateHeap("script");
            using var runner = new ScriptRunner(script, LeftOut.Fields.GetValueOrDefault(name, []), heap, captures);
            return runner.Run();
        }
        finally
        {
            File.Delete(path);
        }
    }

    // Compiled code uses some MiB of native stack before its frames go to the heap, and instances may call one another.
    private static T OnDeepStack<T>(Func<T> function)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    result = function();
                }
#pragma warning disable CA1031 // It is thrown again on the test's own thread.
                catch (Exception e)
#pragma warning restore CA1031
                {
                    failure = ExceptionDispatchInfo.Capture(e);
                }
            },
            ThreadStackBytes);
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }
}
