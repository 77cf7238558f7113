using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <summary>A global.</summary>
public sealed unsafe class Global
{
    private readonly Machine _machine;
    private readonly ExternalGlobal _global;

    internal Global(Machine machine, ExternalGlobal global)
    {
        _machine = machine;
        _global = global;
    }

    /// <summary>Its type.</summary>
    public GlobalType Type => _global.Type;

    internal ExternalGlobal External => _global;

    internal Machine Machine => _machine;

    private Span<ulong> Units => new(_global.Owner.GlobalUnits(_global.Index), Type.ValueType.Units);

    /// <summary>Its value.</summary>
    /// <typeparam name="T">The value's type, as in <see cref="Linker.Define(string, string, Delegate)"/>.</typeparam>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentException">It is of another type.</exception>
    public T Get<T>()
    {
        using Machine.Use use = _machine.Enter();
        return HostTypes.Takes(typeof(T), Type.ValueType)
            ? HostTypes.Load<T>(Units, 0, _machine)
            : throw new ArgumentException($"a global {ValTypes.NameOf(Type.ValueType)} has no value of type {typeof(T).Name}");
    }

    /// <summary>Assigns it.</summary>
    /// <typeparam name="T">The value's type, as in <see cref="Linker.Define(string, string, Delegate)"/>.</typeparam>
    /// <param name="value">The value.</param>
    /// <exception cref="InvalidOperationException">It is immutable.</exception>
    /// <exception cref="ArgumentException">It is of another type.</exception>
    public void Set<T>(T value)
    {
        if (!Type.IsMutable)
        {
            throw new InvalidOperationException("An immutable global cannot be assigned.");
        }

        Initialize(value);
    }

    /// <summary>Assigns it, whether it is mutable or not: before a guest has seen it.</summary>
    internal void Initialize<T>(T value)
    {
        using Machine.Use use = _machine.Enter();
        if (!HostTypes.Gives(typeof(T), Type.ValueType))
        {
            throw new ArgumentException($"a global {ValTypes.NameOf(Type.ValueType)} cannot have a value of type {typeof(T).Name}");
        }

        HostTypes.Store(Units, 0, value, _machine);
    }
}
