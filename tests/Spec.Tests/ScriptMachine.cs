using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>How a call ended: with results, in units of 8 bytes, or with a trap.</summary>
internal readonly record struct CallOutcome(ulong[] Results, string? Trap);

/// <summary>All instances of a script. At some captures they are saved and disposed of, and others go on that are opened from the heap.</summary>
internal sealed class ScriptMachine : IDisposable
{
    private readonly PersistentHeap _heap;
    private readonly MachineHeader _header = new();
    private readonly CaptureDriver _captures;
    private InstanceGroup _group;

    public ScriptMachine(PersistentHeap heap, CaptureDriver captures)
    {
        _heap = heap;
        _captures = captures;
        _group = InstanceGroup.Create(heap, _header, captures.Options);
    }

    /// <summary>The types of all modules.</summary>
    public TypeUniverse Types => _group.Types;

    /// <summary>Makes an instance, but runs nothing.</summary>
    /// <returns>Its number.</returns>
    /// <exception cref="Vm.WasmTrapException">An active segment does not fit.</exception>
    public int Instantiate(Module module, External[] imports) => _group.Instantiate(module, imports).Number;

    /// <summary>An instance as it is now: another one after each call.</summary>
    public Instance At(int number) => _group.Instances[number];

    /// <summary>Calls a function.</summary>
    public CallOutcome Call(int number, int function, ReadOnlySpan<ulong> arguments)
    {
        FunctionType type = At(number).Module.FunctionTypeOf(function);
        if (At(number).FunctionAt(function) is HostFunction host)
        {
            var results = new ulong[ValTypes.UnitsOf(type.Results)];
            host.Body(At(number), arguments, results);
            return new CallOutcome(results, null);
        }

        _group.PushCall(At(number), function, arguments);
        RunOutcome outcome = _group.Run(_captures.GoesOn);
        while (outcome == RunOutcome.Paused)
        {
            _group.Save();
            _group.Dispose();
            _group = InstanceGroup.Open(_heap, _header, Linker.FindHostFunction, _captures.Options);
            outcome = _group.Run(_captures.GoesOn);
        }

        if (outcome == RunOutcome.Returned)
        {
            return new CallOutcome(_group.Results[..ValTypes.UnitsOf(type.Results)].ToArray(), null);
        }

        // A trap leaves the frames that were running on the stack, for its backtrace.
        _group.Stack.Truncate(0);
        return new CallOutcome([], _group.Trap.Kind.Describe());
    }

    public void Dispose() => _group.Dispose();
}
