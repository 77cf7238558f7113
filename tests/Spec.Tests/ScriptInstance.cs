using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>An instance that a script made.</summary>
internal sealed class ScriptInstance
{
    private readonly ScriptMachine _machine;
    private readonly int _number;
    private readonly HashSet<ScriptInstance> _owners;
    private bool _isInDoubt;

    /// <summary>Instantiates a module, but runs nothing.</summary>
    /// <exception cref="Vm.WasmTrapException">An active segment does not fit.</exception>
    /// <exception cref="Vm.LinkException">An import is not there, or does not fit.</exception>
    /// <exception cref="LeftOutException">It needs a module that was left out.</exception>
    public ScriptInstance(Module module, ScriptMachine machine, Linker linker)
    {
        Module = module;
        _machine = machine;
        _owners = linker.OwnersOf(module);
        _number = machine.Instantiate(module, linker.Link(module, machine.Types));
    }

    public Module Module { get; }

    /// <summary>Whether a command that was left out would have changed its state, or that of an instance it imports from.</summary>
    public bool IsInDoubt => _isInDoubt || _owners.Any(owner => owner.IsInDoubt);

    /// <summary>Exported fields that were taken out of the module's text, with what the virtual machine lacks for them.</summary>
    public IReadOnlyDictionary<string, string> RemovedExports { get; init; } = new Dictionary<string, string>();

    /// <summary>What is exported under a name; null if there is no such export.</summary>
    public External? FindExport(string name) => RemovedExports.TryGetValue(name, out string? reason)
        ? throw new LeftOutException(reason)
        : _machine.At(_number).FindExport(name);

    /// <summary>What is exported under a name.</summary>
    public Export ExportNamed(string name, ExternalKind kind)
    {
        foreach (Export export in Module.Exports)
        {
            if (export.Name == name && export.Kind == kind)
            {
                return export;
            }
        }

        throw RemovedExports.TryGetValue(name, out string? reason)
            ? new LeftOutException(reason)
            : new InvalidOperationException($"the script's module exports no {kind} \"{name}\"");
    }

    /// <summary>The bits of a global, in units of 8 bytes: two for a vector.</summary>
    public unsafe ulong[] GlobalAt(int index) =>
        new ReadOnlySpan<ulong>(_machine.At(_number).GlobalUnits(index), Module.Globals[index].ValueType.Units).ToArray();

    /// <summary>Marks its state as in doubt.</summary>
    public void Doubt() => _isInDoubt = true;

    /// <summary>Calls a function.</summary>
    public CallOutcome Call(int function, ReadOnlySpan<ulong> arguments) => _machine.Call(_number, function, arguments);
}
