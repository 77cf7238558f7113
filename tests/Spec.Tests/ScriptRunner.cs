using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>Runs one script's commands.</summary>
internal sealed class ScriptRunner
{
    public const string ConverterRefuses = "text the converter refuses";
    public const string ForTextReaders = "quoted text (tests a text parser)";

    private readonly string _script;
    private readonly Tally _tally = new();

    private ScriptRunner(string script) => _script = script;

    public static Tally Run(string script)
    {
        var runner = new ScriptRunner(script);
        List<SExpression> commands = SExpression.ReadAll(script);
        if (commands.Count > 0 && commands[0].Head is not ("module" or "register" or "invoke" or "get") && !commands[0].Head.StartsWith("assert_", StringComparison.Ordinal))
        {
            runner.RunModule(ModuleSource.OfFields(script), 1);
            return runner._tally;
        }

        foreach (SExpression command in commands)
        {
            runner.Run(command);
        }

        return runner._tally;
    }

    private void Run(SExpression command)
    {
        int line = 1 + _script.AsSpan(0, command.Start).Count('\n');
        switch (command.Head)
        {
            case "module":
                RunModule(ModuleSource.Of(_script, command), line);
                break;
            case "assert_malformed" or "assert_invalid":
                RunRefusal(command, line);
                break;
            default:
                break;
        }
    }

    private void RunModule(ModuleSource source, int line)
    {
        byte[] binary;
        try
        {
            binary = source.ToBinary();
        }
        catch (Wasmtime.WasmtimeException)
        {
            _tally.LeaveOut(ConverterRefuses);
            return;
        }

        try
        {
            Module.Decode(binary);
            _tally.Pass("module");
        }
        catch (WasmFormatException e) when (e.UnsupportedFeature is not null)
        {
            _tally.LeaveOut(e.UnsupportedFeature);
        }
        catch (WasmFormatException e)
        {
            _tally.Fail(line, $"a valid module was refused: {e.Message}");
        }
    }

    private void RunRefusal(SExpression command, int line)
    {
        ModuleSource source = ModuleSource.Of(_script, command.Items![1]);
        string reason = System.Text.Encoding.UTF8.GetString(command.Items[2].Bytes!);
        if (source.Form == ModuleForm.Quote && command.Head == "assert_malformed")
        {
            _tally.LeaveOut(ForTextReaders);
            return;
        }

        byte[] binary;
        try
        {
            binary = source.ToBinary();
        }
        catch (Wasmtime.WasmtimeException)
        {
            _tally.LeaveOut(ConverterRefuses);
            return;
        }

        try
        {
            Module.Decode(binary);
            _tally.Fail(line, $"a module that should be refused (\"{reason}\") was accepted");
        }
        catch (WasmFormatException e) when (e.UnsupportedFeature is not null && source.Form == ModuleForm.Text)
        {
            _tally.LeaveOut(e.UnsupportedFeature);
        }
        catch (WasmFormatException)
        {
            _tally.Pass(command.Head);
        }
    }
}
