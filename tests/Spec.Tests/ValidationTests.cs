using System.Text;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>
/// Every module of the official suite, also of the features that are decoded and validated, but not run: those that are to be valid are accepted, those that are to be malformed or
/// invalid are refused. One case a script.
/// </summary>
[TestFixture]
internal sealed class ValidationTests
{
    private static IEnumerable<TestCaseData> Scripts => SuiteFolder.ScriptNames.Select(name => new TestCaseData(name).SetArgDisplayNames(name));

    [OneTimeSetUp]
    public static void Require_the_suite_and_the_converter() => OfficialSuiteTests.Require_the_suite_and_the_converter();

    [TestCaseSource(nameof(Scripts))]
    public void Modules_are_judged_as_the_suite_judges_them(string name)
    {
        bool isProposal = name.Contains('/', StringComparison.Ordinal);
        string script = File.ReadAllText(Path.Combine(SuiteFolder.Path!, name + ".wast"));
        var tally = new Tally();
        List<SExpression> commands = SExpression.ReadAll(script);
        if (commands.TrueForAll(command => command.Head is "func" or "memory"))
        {
            Judge(ModuleSource.OfFields(script), "module", null, tally, 1);
            commands.Clear();
        }

        foreach (SExpression command in commands)
        {
            int line = 1 + script.AsSpan(0, command.Start).Count('\n');
            if (command.Head == "module")
            {
                if (command.Items is not [_, { Atom: "instance" }, ..])
                {
                    Judge(ModuleSource.Of(script, command), "module", null, tally, line);
                }
            }
            else if (command.Items is [_, { Head: "module" } module, ..])
            {
                string? fault = command.Head is "assert_invalid" or "assert_malformed" ? Encoding.UTF8.GetString(command.Items[2].Bytes!) : null;
                if (isProposal && fault is "multiple memories" or "multiple tables")
                {
                    tally.LeaveOut("the proposal is from before there could be several");
                    continue;
                }

                Judge(ModuleSource.Of(script, module), command.Head, fault, tally, line);
            }
        }

        TestContext.Out.WriteLine($"{name}: {tally}");
        Assert.That(tally.Failures, Is.Empty);
    }

    private static void Judge(ModuleSource source, string kind, string? fault, Tally tally, int line)
    {
        if (source.Form == ModuleForm.Quote && kind == "assert_malformed")
        {
            tally.LeaveOut(ScriptRunner.ForTextReaders);
            return;
        }

        byte[] binary;
        try
        {
            binary = source.ToBinary();
        }
        catch (Wasmtime.WasmtimeException e)
        {
            if (fault is null)
            {
                tally.Fail(line, $"{kind}: the converter refuses it: {e.Message}");
            }
            else
            {
                tally.LeaveOut("refused by the converter of text");
            }

            return;
        }

        try
        {
            Module.Decode(binary);
        }
        catch (WasmFormatException e)
        {
            if (fault is null || e.UnsupportedFeature is not null)
            {
                tally.Fail(line, $"{kind}: {e.Message}");
            }
            else
            {
                tally.Pass(kind);
            }

            return;
        }

        if (fault is null)
        {
            tally.Pass(kind);
        }
        else
        {
            tally.Fail(line, $"{kind}: accepted, where it should be refused: {fault}");
        }
    }
}
