using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <summary>A table of references. An index outside of it is an <see cref="ArgumentOutOfRangeException"/>.</summary>
public sealed class Table
{
    private readonly Machine _machine;
    private readonly Execution.Table _table;

    internal Table(Machine machine, Execution.Table table)
    {
        _machine = machine;
        _table = table;
    }

    /// <summary>Its type, as it was declared.</summary>
    public TableType Type => _table.Type;

    /// <summary>How many elements it has.</summary>
    public uint Length => _table.Length;

    internal Execution.Table Elements => _table;

    internal Machine Machine => _machine;

    /// <summary>An element of a table of functions.</summary>
    /// <param name="index">Its index.</param>
    /// <returns>The function, or null.</returns>
    /// <exception cref="InvalidOperationException">The table holds no functions.</exception>
    public Function? GetFunction(uint index) => Function.Of(Get(index, ValType.FuncRef), _machine);

    /// <summary>An element of a table of external references.</summary>
    /// <param name="index">Its index.</param>
    /// <returns>The reference.</returns>
    /// <exception cref="InvalidOperationException">The table holds no external references.</exception>
    public ExternalReference GetReference(uint index) => new(Get(index, ValType.ExternRef));

    /// <summary>Sets an element of a table of functions.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="function">The function, or null.</param>
    /// <exception cref="InvalidOperationException">The table holds no functions, or only those of one type.</exception>
    /// <exception cref="ArgumentException">The function belongs to another machine.</exception>
    public void Set(uint index, Function? function)
    {
        using Machine.Use use = _machine.Enter();
        RequireSettable(index, ValType.FuncRef);
        _table.Set(index, Function.ReferenceOf(function, _machine));
    }

    /// <summary>Sets an element of a table of external references.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="reference">The reference.</param>
    /// <exception cref="InvalidOperationException">The table holds no external references.</exception>
    public void Set(uint index, ExternalReference reference)
    {
        using Machine.Use use = _machine.Enter();
        RequireSettable(index, ValType.ExternRef);
        _table.Set(index, reference.Number);
    }

    /// <summary>Grows it; the new elements are null.</summary>
    /// <param name="elements">By how many elements.</param>
    /// <returns>The length before; -1 if it may not become so long.</returns>
    /// <exception cref="InvalidOperationException">Its elements cannot be null.</exception>
    public long Grow(uint elements)
    {
        using Machine.Use use = _machine.Enter();
        return !Type.ElementType.IsNullable
            ? throw new InvalidOperationException("The table's elements cannot be null.")
            : _machine.Group.Grow(_table, elements, 0) is uint before ? before : -1;
    }

    private ulong Get(uint index, ValType kind)
    {
        using Machine.Use use = _machine.Enter();
        RequireInside(index);
        return Type.ElementType.Stored == kind ? _table[index] : throw WrongKind();
    }

    private void RequireSettable(uint index, ValType type)
    {
        RequireInside(index);
        if (Type.ElementType != type)
        {
            throw WrongKind();
        }
    }

    private InvalidOperationException WrongKind() => new($"The table holds {ValTypes.NameOf(Type.ElementType)}.");

    private void RequireInside(uint index) => ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, _table.Length);
}
