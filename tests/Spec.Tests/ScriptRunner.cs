using System.Text;
using Everheap.Engine;
using Everheap.Vm;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>Runs one script's commands.</summary>
internal sealed class ScriptRunner : IDisposable
{
    public const string ConverterRefuses = "text that the converter refuses";
    public const string ForTextReaders = "quoted text, which tests a reader of text";
    public const string StateInDoubt = "state that a command left out would have changed";
    public const string ModuleLeftOut = "needs a module that was left out";

    private readonly string _script;
    private readonly IReadOnlyList<string> _fieldsLeftOut;
    private readonly ScriptMachine _machine;
    private readonly Linker _linker = new();
    private readonly Tally _tally = new();
    private readonly Dictionary<string, ScriptInstance?> _named = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ModuleSource> _definitions = new(StringComparer.Ordinal);
    private ScriptInstance? _current;
    private ModuleSource? _lastDefinition;

    /// <summary>Prepares a run.</summary>
    /// <param name="script">The script.</param>
    /// <param name="fieldsLeftOut">Fields of modules that hold one of these texts are taken out, where a module needs an unsupported feature.</param>
    /// <param name="heap">The heap for all instances.</param>
    /// <param name="captures">When the stack is captured.</param>
    public ScriptRunner(string script, IReadOnlyList<string> fieldsLeftOut, PersistentHeap heap, CaptureDriver captures)
    {
        _script = script;
        _fieldsLeftOut = fieldsLeftOut;
        _machine = new ScriptMachine(heap, captures);
        _linker.RegisterTestModule(new ScriptInstance(ToModule(Linker.TestModuleSource), _machine, _linker));
    }

    public Tally Run()
    {
        List<SExpression> commands = SExpression.ReadAll(_script);
        if (commands.Count > 0 && commands[0].Head is not ("module" or "register" or "invoke" or "get") && !commands[0].Head.StartsWith("assert_", StringComparison.Ordinal))
        {
            RunCommand("module", 1, () => _current = Instantiate(ModuleSource.OfFields(_script)));
            return _tally;
        }

        foreach (SExpression command in commands)
        {
            RunCommand(command.Head, 1 + _script.AsSpan(0, command.Start).Count('\n'), () => Execute(command));
        }

        return _tally;
    }

    public void Dispose() => _machine.Dispose();

    private void RunCommand(string kind, int line, Action execute)
    {
        try
        {
            execute();
            _tally.Pass(kind);
        }
        catch (LeftOutException e)
        {
            _tally.LeaveOut(e.Message);
        }
        catch (WasmFormatException e) when (e.UnsupportedFeature is not null)
        {
            _tally.LeaveOut(e.UnsupportedFeature);
        }
        catch (Exception e) when (e is WasmFormatException or WasmTrapException or LinkException or InvalidOperationException)
        {
            _tally.Fail(line, $"{kind}: {e.Message}");
        }
    }

    private void Execute(SExpression command)
    {
        switch (command.Head)
        {
            case "module":
                DefineOrInstantiate(command);
                break;
            case "register":
                SExpression? identifier = command.Items!.Count > 2 ? command.Items[2] : null;
                _linker.Register(TextOf(command.Items[1]), identifier is null ? _current : _named.GetValueOrDefault(identifier.Atom!));
                break;
            case "invoke":
                Invoke(command);
                break;
            case "assert_return":
                AssertReturn(command);
                break;
            case "assert_trap":
                AssertTrap(command);
                break;
            case "assert_exhaustion":
                ExpectTrap(Act(command.Items![1]).Outcome.Trap, TextOf(command.Items[2]));
                break;
            case "assert_malformed" or "assert_invalid":
                AssertRefused(command);
                break;
            case "assert_unlinkable":
                AssertUnlinkable(command);
                break;
            case "assert_exception":
                ExpectTrap(Act(command.Items![1]).Outcome.Trap, "uncaught exception");
                break;
            default:
                throw new InvalidOperationException("a command that this runner does not know");
        }
    }

    private void DefineOrInstantiate(SExpression command)
    {
        if (command.Items is [_, { Atom: "instance" }, ..])
        {
            ModuleSource? defined = command.Items.Count > 3 ? _definitions.GetValueOrDefault(command.Items[3].Atom!) : _lastDefinition;
            Bind(command.Items.Count > 2 ? command.Items[2].Atom : null, defined ?? throw new LeftOutException(ModuleLeftOut));
            return;
        }

        ModuleSource source = ModuleSource.Of(_script, command);
        if (source.IsDefinition)
        {
            ToModule(source);
            _lastDefinition = source;
            _definitions[source.Identifier ?? ""] = source;
            return;
        }

        Bind(source.Identifier, source);
    }

    private void Bind(string? identifier, ModuleSource source)
    {
        _current = null;
        if (identifier is not null)
        {
            _named[identifier] = null;
        }

        _current = InstantiateOrDoubt(source);
        if (identifier is not null)
        {
            _named[identifier] = _current;
        }
    }

    /// <summary>Instantiates a module; one that is left out casts doubt on what it would have changed.</summary>
    private ScriptInstance InstantiateOrDoubt(ModuleSource source)
    {
        try
        {
            return Instantiate(source);
        }
        catch (Exception e) when (e is LeftOutException or WasmFormatException { UnsupportedFeature: not null })
        {
            _linker.DoubtThoseNamedIn(source.Text);
            throw;
        }
    }

    private ScriptInstance Instantiate(ModuleSource source)
    {
        Module module;
        IReadOnlyDictionary<string, string> removedExports = new Dictionary<string, string>();
        try
        {
            module = ToModule(source);
            Unsupported.ThrowIfNotRunnable(module);
        }
        catch (WasmFormatException e) when (e.UnsupportedFeature is not null && _fieldsLeftOut.Count > 0)
        {
            ModuleSource reduced = source.Without(_fieldsLeftOut, e.UnsupportedFeature, out removedExports);
            module = ToModule(reduced);
            Unsupported.ThrowIfNotRunnable(module);
        }

        var instance = new ScriptInstance(module, _machine, _linker) { RemovedExports = removedExports };
        if (module.StartFunction is int start && instance.Call(start, []).Trap is string trap)
        {
            throw new WasmTrapException(new TrapInfo(trap, []));
        }

        return instance;
    }

    private static Module ToModule(ModuleSource source)
    {
        byte[] binary;
        try
        {
            binary = source.ToBinary();
        }
        catch (Wasmtime.WasmtimeException)
        {
            throw new LeftOutException(ConverterRefuses);
        }

        return Module.Decode(binary);
    }

    private (CallOutcome Outcome, ValType[] Types) Act(SExpression action)
    {
        int at = action.Items![1].IsIdentifier ? 2 : 1;
        ScriptInstance instance = (at == 2 ? _named.GetValueOrDefault(action.Items[1].Atom!) : _current) ?? throw new LeftOutException(ModuleLeftOut);
        string name = TextOf(action.Items[at]);
        if (instance.IsInDoubt)
        {
            throw new LeftOutException(StateInDoubt);
        }

        if (action.Head == "get")
        {
            int global = instance.ExportNamed(name, ExternalKind.Global).Index;
            ValType type = instance.Module.Globals[global].ValueType;
            return (new CallOutcome(instance.GlobalAt(global), null), [type]);
        }

        int function = instance.ExportNamed(name, ExternalKind.Function).Index;
        ulong[] arguments = [.. action.Items.Skip(at + 1).SelectMany(node => Constant(node).Units)];
        return (instance.Call(function, arguments), instance.Module.FunctionTypeOf(function).Results.ToArray());
    }

    /// <summary>A call for its effect: one that is left out casts doubt on what it would have changed.</summary>
    private void Invoke(SExpression command)
    {
        try
        {
            Expect(Act(command).Outcome.Trap is null, "the action trapped");
        }
        catch (LeftOutException)
        {
            (command.Items![1].IsIdentifier ? _named.GetValueOrDefault(command.Items[1].Atom!) : _current)?.Doubt();
            throw;
        }
    }

    private static Value Constant(SExpression node) => Value.Read(node) ?? throw new LeftOutException($"value {node.Head}");

    private void AssertReturn(SExpression command)
    {
        (CallOutcome outcome, ValType[] types) = Act(command.Items![1]);
        Expect(outcome.Trap is null, $"expected results, but it trapped: {outcome.Trap}");
        SExpression[] wanted = [.. command.Items.Skip(2)];
        Expect(wanted.Length == types.Length, $"expected {wanted.Length} results, found {types.Length}");
        int unit = 0;
        for (int i = 0; i < wanted.Length; i++)
        {
            Value[] choices = wanted[i].Head == "either" ? [.. wanted[i].Items!.Skip(1).Select(Constant)] : [Constant(wanted[i])];
            ulong bits = types[i] is ValType.I32 or ValType.F32 ? (uint)outcome.Results[unit] : outcome.Results[unit];
            ulong highBits = types[i] == ValType.V128 ? outcome.Results[unit + 1] : 0;
            unit += types[i].Units;
            Expect(
                choices.Any(choice => choice.Accepts(types[i], bits, highBits)),
                $"result {i} of {_script[command.Items[1].Start..command.Items[1].End]}: expected {string.Join(" or ", choices)}, found {types[i]} 0x{(types[i] == ValType.V128 ? $"{highBits:x16}{bits:x16}" : $"{bits:x}")}");
        }
    }

    private void AssertTrap(SExpression command)
    {
        string wanted = TextOf(command.Items![2]);
        if (command.Items[1].Head != "module")
        {
            ExpectTrap(Act(command.Items[1]).Outcome.Trap, wanted);
            return;
        }

        try
        {
            InstantiateOrDoubt(ModuleSource.Of(_script, command.Items[1]));
        }
        catch (WasmTrapException e)
        {
            ExpectTrap(e.Trap.Reason, wanted);
            return;
        }

        ExpectTrap(null, wanted);
    }

    private void AssertUnlinkable(SExpression command)
    {
        string wanted = TextOf(command.Items![2]);
        string? found = null;
        try
        {
            Instantiate(ModuleSource.Of(_script, command.Items[1]));
        }
        catch (LinkException e)
        {
            found = e.Message;
        }

        Expect(found is not null, $"expected not to be linked (\"{wanted}\"), but was");
        Expect(found!.StartsWith(wanted, StringComparison.Ordinal), $"expected not to be linked (\"{wanted}\"), found \"{found}\"");
    }

    private void AssertRefused(SExpression command)
    {
        ModuleSource source = ModuleSource.Of(_script, command.Items![1]);
        if (source.Form == ModuleForm.Quote && command.Head == "assert_malformed")
        {
            throw new LeftOutException(ForTextReaders);
        }

        try
        {
            ToModule(source);
        }
        catch (WasmFormatException e) when (e.UnsupportedFeature is null || source.Form == ModuleForm.Binary)
        {
            return;
        }

        Expect(false, $"a module that should be refused (\"{TextOf(command.Items[2])}\") was accepted");
    }

    // The suite's words may go on where ours end ("uninitialized element 2"), and the other way round.
    private static void ExpectTrap(string? trap, string wanted)
    {
        Expect(trap is not null, $"expected the trap \"{wanted}\", but there was none");
        Expect(
            trap!.StartsWith(wanted, StringComparison.Ordinal) || wanted.StartsWith(trap, StringComparison.Ordinal),
            $"expected the trap \"{wanted}\", found \"{trap}\"");
    }

    private static string TextOf(SExpression node) => Encoding.UTF8.GetString(node.Bytes!);

    private static void Expect(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new InvalidOperationException(otherwise);
        }
    }
}
