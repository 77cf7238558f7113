using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>How a call ended: with results, in units of 8 bytes, or with a trap.</summary>
internal readonly record struct CallOutcome(ulong[] Results, string? Trap);

/// <summary>An instance that a script made.</summary>
internal sealed class ScriptInstance : IDisposable
{
    private readonly PersistentHeap _heap;
    private readonly ProcessHeader _header = new();
    private readonly Linker _linker;
    private readonly CaptureDriver _captures;
    private readonly LinkedImports _imports;
    private Instance _instance;
    private bool _isInDoubt;

    /// <summary>Instantiates a module, its start function included.</summary>
    /// <exception cref="Vm.WasmTrapException">An active segment does not fit.</exception>
    /// <exception cref="LeftOutException">It needs what the virtual machine does not offer.</exception>
    public ScriptInstance(Module module, PersistentHeap heap, Linker linker, CaptureDriver captures)
    {
        Module = module;
        _heap = heap;
        _linker = linker;
        _captures = captures;
        _imports = linker.Link(module);
        _instance = Instance.Create(module, heap, _header, _imports.Functions, _imports.Globals, captures.Options);
    }

    public Module Module { get; }

    /// <summary>Whether a command that was left out would have changed its state, or that of an instance it calls.</summary>
    public bool IsInDoubt => _isInDoubt || _imports.Owners.Any(owner => owner.IsInDoubt);

    /// <summary>Exported fields that were taken out of the module's text, with what the virtual machine lacks for them.</summary>
    public IReadOnlyDictionary<string, string> RemovedExports { get; init; } = new Dictionary<string, string>();

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

    /// <summary>The bits of a global, in units of 8 bytes: two of a vector.</summary>
    public ulong[] GlobalAt(int index) =>
        Module.Globals[index].ValueType == ValType.V128 ? [_instance.GlobalAt(index), _instance.HighHalfOfGlobalAt(index)] : [_instance.GlobalAt(index)];

    /// <summary>Marks its state as in doubt.</summary>
    public void Doubt() => _isInDoubt = true;

    /// <summary>Calls a function.</summary>
    public CallOutcome Call(int function, ReadOnlySpan<ulong> arguments)
    {
        _instance.PushCall(function, arguments);
        RunOutcome outcome = _instance.Run(_captures.GoesOn);
        while (outcome == RunOutcome.Paused)
        {
            _instance.Save();
            _instance.Dispose();
            _instance = Instance.Resume(Module, _heap, _header, _imports.Functions, _imports.Globals, _captures.Options);
            outcome = _instance.Run(_captures.GoesOn);
        }

        if (outcome == RunOutcome.Returned)
        {
            return new CallOutcome(_instance.Results[..ValTypes.UnitsOf(Module.FunctionTypeOf(function).Results)].ToArray(), null);
        }

        // A trap leaves the frames that were running on the stack, for its backtrace.
        while (_instance.Stack.TryPop(out _))
        {
        }

        return new CallOutcome([], _linker.TakeForeignTrap() ?? _instance.Trap.Kind.Describe());
    }

    public void Dispose() => _instance.Dispose();
}
