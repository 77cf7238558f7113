namespace Everheap.Vm.Modules;

/// <summary>What a type definition says: a <see cref="FunctionType"/>, a <see cref="StructType"/> or an <see cref="ArrayType"/> (core specification, section 2.3.7).</summary>
public abstract class CompositeType
{
    private protected CompositeType()
    {
    }

    /// <summary>The abstract reference type above all references to types of this kind: funcref, structref or arrayref.</summary>
    internal abstract ValType AbstractReference { get; }
}

/// <summary>A field of a structure, or the elements of an array.</summary>
/// <param name="StorageType">What is stored: a value type, or <see cref="ValType.I8"/> or <see cref="ValType.I16"/>.</param>
/// <param name="IsMutable">Whether it may be assigned.</param>
public readonly record struct FieldType(ValType StorageType, bool IsMutable)
{
    /// <summary>Whether it is stored in 8 or 16 bits.</summary>
    public bool IsPacked => StorageType is ValType.I8 or ValType.I16;

    /// <summary>The type of its value on the operand stack.</summary>
    public ValType ValueType => IsPacked ? ValType.I32 : StorageType;
}

/// <summary>A structure's type.</summary>
/// <param name="fields">Its fields, in order.</param>
public sealed class StructType(FieldType[] fields) : CompositeType
{
    private readonly FieldType[] _fields = fields;

    /// <summary>Its fields, in order.</summary>
    public ReadOnlySpan<FieldType> Fields => _fields;

    internal override ValType AbstractReference => ValType.StructRef;

    /// <summary>The types of the fields' values on the operand stack, in order.</summary>
    internal ValType[] FieldValueTypes { get; } = Array.ConvertAll(fields, static field => field.ValueType);

    /// <summary>The first field that has no initial value, or null where all have one.</summary>
    internal int? FirstNotDefaultable { get; } = Array.FindIndex(fields, static field => !field.StorageType.IsDefaultable) is >= 0 and int index ? index : null;

    /// <summary>The type as <c>struct (mut i32) i8</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => string.Join(' ', ["struct", .. _fields.Select(ArrayType.NameOf)]);
}

/// <summary>An array's type.</summary>
/// <param name="element">Its elements.</param>
public sealed class ArrayType(FieldType element) : CompositeType
{
    /// <summary>Its elements.</summary>
    public FieldType Element { get; } = element;

    internal override ValType AbstractReference => ValType.ArrayRef;

    /// <summary>The type as <c>array (mut i32)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"array {NameOf(Element)}";

    internal static string NameOf(FieldType field)
    {
        string name = ValTypes.NameOf(field.StorageType);
        return field.IsMutable ? $"(mut {name})" : name;
    }
}

/// <summary>
/// A type that a module defines, with its place among its supertypes and in its recursion group (core specification, section 2.3.8). References in it name types by their
/// canonical indices.
/// </summary>
/// <param name="Type">What it says.</param>
/// <param name="Supertype">The canonical index of the declared supertype, or null.</param>
/// <param name="IsFinal">Whether it may have no subtypes.</param>
/// <param name="Depth">How many supertypes are above it.</param>
/// <param name="GroupStart">The canonical index of the first type of its recursion group.</param>
/// <param name="GroupLength">How many types the recursion group has.</param>
public sealed record TypeDefinition(CompositeType Type, int? Supertype, bool IsFinal, int Depth, int GroupStart, int GroupLength)
{
    /// <summary>The function type, or null where it is another.</summary>
    public FunctionType? Function => Type as FunctionType;
}
