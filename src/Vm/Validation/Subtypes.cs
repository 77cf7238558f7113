using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>The subtype relation of a module's types (core specification, section 3.3), by canonical type indices.</summary>
/// <remarks>
/// Every type keeps one ancestor besides its supertype to jump to, chosen so that any ancestor is reached in a number of steps logarithmic in the depth (Myers, "An applicative
/// random-access stack", 1983): lists of a thousand types are compared for every label of a branch.
/// </remarks>
internal sealed class Subtypes
{
    private readonly TypeDefinition[] _types;
    private readonly int[] _jumps;

    /// <summary>Prepares the relation. Cost: linear in the number of types.</summary>
    /// <param name="types">The module's types.</param>
    public Subtypes(TypeDefinition[] types)
    {
        _types = types;
        _jumps = new int[types.Length];
        for (int i = 0; i < types.Length; i++)
        {
            if (types[i].Supertype is not int above)
            {
                _jumps[i] = i;
                continue;
            }

            int far = _jumps[above];
            int farther = _jumps[far];
            _jumps[i] = types[above].Depth - types[far].Depth == types[far].Depth - types[farther].Depth ? farther : above;
        }
    }

    /// <summary>In unreachable code: a reference that cannot be null, to what is not known.</summary>
    public static readonly ValType UnknownReference = ValType.Bottom.AsNonNull();

    /// <summary>Whether every value of one type is one of another.</summary>
    /// <param name="type">The one.</param>
    /// <param name="super">The other.</param>
    public bool IsSubtype(ValType type, ValType super)
    {
        if (type == super || type == ValType.Bottom)
        {
            return true;
        }

        if (!type.IsReference || !super.IsReference || (type.IsNullable && !super.IsNullable))
        {
            return false;
        }

        return type == UnknownReference || IsHeapSubtype(type.AsNullable(), super.AsNullable());
    }

    /// <summary>Whether each type of a list is a subtype of its counterpart in another of the same length.</summary>
    public bool AreSubtypes(ReadOnlySpan<ValType> list, ReadOnlySpan<ValType> supers)
    {
        for (int i = 0; i < list.Length; i++)
        {
            if (!IsSubtype(list[i], supers[i]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether a type's definition may stand below another's (section 3.3.7).</summary>
    public bool IsSubtype(CompositeType type, CompositeType super) => (type, super) switch
    {
        (FunctionType below, FunctionType above) =>
            below.Parameters.Length == above.Parameters.Length && below.Results.Length == above.Results.Length
            && AreSubtypes(above.Parameters, below.Parameters) && AreSubtypes(below.Results, above.Results),
        (StructType below, StructType above) => AreSubfields(below.Fields, above.Fields),
        (ArrayType below, ArrayType above) => IsSubfield(below.Element, above.Element),
        _ => false,
    };

    /// <summary>The nullable reference to everything that a reference could be cast to: anyref, funcref, externref or exnref.</summary>
    public ValType TopOf(ValType reference)
    {
        ValType type = reference.IsConcrete ? _types[reference.TypeIndex].Type.AbstractReference : reference.AsNullable();
        return type switch
        {
            ValType.FuncRef or ValType.NullFuncRef => ValType.FuncRef,
            ValType.ExternRef or ValType.NullExternRef => ValType.ExternRef,
            ValType.ExnRef or ValType.NullExnRef => ValType.ExnRef,
            _ => ValType.AnyRef,
        };
    }

    private bool AreSubfields(ReadOnlySpan<FieldType> fields, ReadOnlySpan<FieldType> supers)
    {
        if (fields.Length < supers.Length)
        {
            return false;
        }

        for (int i = 0; i < supers.Length; i++)
        {
            if (!IsSubfield(fields[i], supers[i]))
            {
                return false;
            }
        }

        return true;
    }

    // What may be assigned must be the very same type.
    private bool IsSubfield(FieldType field, FieldType super) => field.IsMutable == super.IsMutable
        && (super.IsMutable ? field.StorageType == super.StorageType : IsSubtype(field.StorageType, super.StorageType));

    private bool IsHeapSubtype(ValType type, ValType super)
    {
        if (type == super)
        {
            return true;
        }

        if (!super.IsConcrete)
        {
            return IsAbstractSubtype(type.IsConcrete ? _types[type.TypeIndex].Type.AbstractReference : type, super);
        }

        if (!type.IsConcrete)
        {
            return type == (_types[super.TypeIndex].Type is FunctionType ? ValType.NullFuncRef : ValType.NullRef);
        }

        int index = type.TypeIndex;
        int depth = _types[super.TypeIndex].Depth;
        while (_types[index].Depth > depth)
        {
            int far = _jumps[index];
            index = _types[far].Depth >= depth ? far : _types[index].Supertype!.Value;
        }

        return index == super.TypeIndex;
    }

    private static bool IsAbstractSubtype(ValType type, ValType super) => type == super || super switch
    {
        ValType.AnyRef => type is ValType.EqRef or ValType.I31Ref or ValType.StructRef or ValType.ArrayRef or ValType.NullRef,
        ValType.EqRef => type is ValType.I31Ref or ValType.StructRef or ValType.ArrayRef or ValType.NullRef,
        ValType.I31Ref or ValType.StructRef or ValType.ArrayRef => type == ValType.NullRef,
        ValType.FuncRef => type == ValType.NullFuncRef,
        ValType.ExternRef => type == ValType.NullExternRef,
        ValType.ExnRef => type == ValType.NullExnRef,
        _ => false,
    };
}
