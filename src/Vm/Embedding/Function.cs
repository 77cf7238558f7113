using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <summary>A function of a machine: one that an instance declares, or one of the host that it imports. Two objects may stand for the same function.</summary>
public sealed class Function
{
    internal Function(Machine machine, Execution.Instance owner, int index)
    {
        Machine = machine;
        Owner = owner;
        Index = index;
        Type = owner.Module.FunctionTypeOf(index);
    }

    /// <summary>The machine that it belongs to.</summary>
    public Machine Machine { get; }

    /// <summary>Its type.</summary>
    public FunctionType Type { get; }

    /// <summary>Its name from the module's name section, or an import's or export's; <c>func[N]</c> where it has none.</summary>
    public string Name => Owner.Module.DisplayNameOf(Index);

    internal Execution.Instance Owner { get; }

    internal int Index { get; }

    /// <summary>Where arguments are put. Checked against use by a second thread.</summary>
    internal unsafe Span<ulong> Slots
    {
        get
        {
            Machine.Enter().Dispose();
            return new Span<ulong>(Machine.Group.Slots, InstanceGroup.SlotCount);
        }
    }

    /// <summary>Where results are.</summary>
    internal ReadOnlySpan<ulong> Results => Machine.Group.Results;

    /// <summary>Calls it.</summary>
    /// <param name="arguments">
    /// Its arguments: int or uint for i32, long or ulong for i64, float, double, <see cref="System.Runtime.Intrinsics.Vector128{T}"/> of bytes for v128, <see cref="Function"/> or null for funcref,
    /// <see cref="ExternalReference"/> or null for externref. Other references cannot be given.
    /// </param>
    /// <returns>Its results: int, long, float, double, and as for arguments.</returns>
    /// <exception cref="ArgumentException">The arguments do not fit its type.</exception>
    /// <exception cref="WasmTrapException">The guest trapped. The machine can be used on; what was written before the trap stays.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Machine.Cancellation"/>.</exception>
    /// <exception cref="TimeoutException"><see cref="MachineOptions.CallTime"/>.</exception>
    /// <exception cref="GuestExitException">The guest called <c>proc_exit</c>.</exception>
    /// <exception cref="InvalidOperationException">Another thread uses the machine.</exception>
    /// <exception cref="Exception">Whatever a host function threw that the guest called: its frames are gone, the exception is the same object.</exception>
    public object?[] Invoke(params ReadOnlySpan<object?> arguments)
    {
        if (arguments.Length != Type.Parameters.Length)
        {
            throw new ArgumentException($"{Name} is a function {Type}, and {arguments.Length} arguments were given", nameof(arguments));
        }

        Span<ulong> slots = Slots;
        int unit = 0;
        for (int index = 0; index < arguments.Length; index++)
        {
            ValType type = Type.Parameters[index];
            HostTypes.StoreBoxed(slots, unit, arguments[index], type, Machine);
            unit += type.Units;
        }

        Call();
        var results = new object?[Type.Results.Length];
        unit = 0;
        for (int index = 0; index < results.Length; index++)
        {
            results[index] = HostTypes.LoadBoxed(Results, unit, Type.Results[index], Machine);
            unit += Type.Results[index].Units;
        }

        return results;
    }

    /// <summary>Makes a delegate that calls it, without boxing. Several results are a tuple. Its exceptions are those of <see cref="Invoke"/>. Cost: to be made once and kept; a call then takes about 100 ns.</summary>
    /// <typeparam name="TDelegate">The delegate's type.</typeparam>
    /// <returns>The delegate.</returns>
    /// <exception cref="LinkException">The delegate does not fit the function's type.</exception>
    public TDelegate ToDelegate<TDelegate>()
        where TDelegate : Delegate =>
        GuestDelegates.WhyNot(Type, typeof(TDelegate)) is string reason
            ? throw new LinkException($"{Name}: {reason}")
            : (TDelegate)GuestDelegates.ToDelegate(this, typeof(TDelegate));

    /// <summary>The reference to a function, or null.</summary>
    /// <exception cref="ArgumentException">It belongs to another machine.</exception>
    internal static ulong ReferenceOf(Function? function, Machine machine)
    {
        if (function is null)
        {
            return 0;
        }

        return function.Machine == machine
            ? InstanceGroup.FirstReferenceOf(function.Owner.Number) + (ulong)function.Index + 1
            : throw new ArgumentException($"{function.Name} is a function of another machine");
    }

    /// <summary>The function of a reference, or null.</summary>
    internal static Function? Of(ulong reference, Machine machine) =>
        machine.Group.TryFindFunction(reference, out Execution.Instance? owner, out int index) ? new Function(machine, owner, index) : null;

    /// <summary>Calls it with the arguments in the slots.</summary>
    internal void Call() => Machine.Call(this);
}
