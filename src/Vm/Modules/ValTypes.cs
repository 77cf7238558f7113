namespace Everheap.Vm.Modules;

/// <summary>What can be asked of a value type.</summary>
public static class ValTypes
{
    private const uint NotNullFlag = 0x100;
    private const uint ConcreteFlag = 0x200;
    private const int IndexShift = 10;
    private const uint CodeMask = 0xFF;

    /// <summary>The nullable reference to a module's own type.</summary>
    /// <param name="typeIndex">The type's index in its module.</param>
    public static ValType Concrete(int typeIndex) => (ValType)(ConcreteFlag | ((uint)typeIndex << IndexShift));

    extension(ValType type)
    {
        /// <summary>Whether it is a reference type.</summary>
        public bool IsReference => type is >= ValType.ExnRef and <= ValType.NullExnRef || (uint)type > CodeMask;

        /// <summary>Whether it is a reference that may be null.</summary>
        public bool IsNullable => type.IsReference && ((uint)type & NotNullFlag) == 0;

        /// <summary>Whether a variable of it has an initial value: it is no reference, or may be null (core specification, section 3.2.2).</summary>
        public bool IsDefaultable => ((uint)type & NotNullFlag) == 0;

        /// <summary>Whether it is a reference to a module's own type.</summary>
        public bool IsConcrete => ((uint)type & ConcreteFlag) != 0;

        /// <summary>Of a concrete reference: the index of its type.</summary>
        public int TypeIndex => (int)((uint)type >> IndexShift);

        /// <summary>
        /// What a value of it is stored as in compiled code and in captured frames: a number, a vector, or one of <see cref="ValType.FuncRef"/>, <see cref="ValType.ExternRef"/>
        /// and <see cref="ValType.ExnRef"/>. Of a concrete type this is a function: objects of others do not run.
        /// </summary>
        internal ValType Stored => type.IsReference
            ? type.IsConcrete ? ValType.FuncRef : type.AsNullable() switch
            {
                ValType.NullFuncRef => ValType.FuncRef,
                ValType.NullExnRef => ValType.ExnRef,
                ValType.FuncRef or ValType.ExnRef => type.AsNullable(),
                _ => ValType.ExternRef,
            }
            : type;

        /// <summary>How many 8-byte units a value takes up in slots, saved records, globals and captured frames: two for a vector, its low half first.</summary>
        internal int Units => type == ValType.V128 ? 2 : 1;

        /// <summary>A concrete reference to another type, as nullable as this one.</summary>
        /// <param name="typeIndex">The other type's index.</param>
        internal ValType WithTypeIndex(int typeIndex) => (ValType)(((uint)type & ((1u << IndexShift) - 1)) | ((uint)typeIndex << IndexShift));

        /// <summary>The same reference, which may be null.</summary>
        public ValType AsNullable() => (ValType)((uint)type & ~NotNullFlag);

        /// <summary>The same reference, which cannot be null.</summary>
        public ValType AsNonNull() => (ValType)((uint)type | NotNullFlag);
    }

    /// <summary>How many 8-byte units values of some types take up together.</summary>
    internal static int UnitsOf(ReadOnlySpan<ValType> types)
    {
        int units = types.Length;
        foreach (ValType type in types)
        {
            units += type.Units - 1;
        }

        return units;
    }

    /// <summary>The type's name in the text format: <c>i32</c>, <c>funcref</c>, <c>(ref null 3)</c>.</summary>
    /// <param name="type">The type.</param>
    /// <returns>The text.</returns>
    public static string NameOf(ValType type)
    {
        if (type == ValType.Bottom)
        {
            return "any type";
        }

        if (type.IsConcrete)
        {
            return $"(ref {(type.IsNullable ? "null " : "")}{type.TypeIndex})";
        }

        string name = type.AsNullable() switch
        {
            ValType.NullRef => "nullref",
            ValType.NullFuncRef => "nullfuncref",
            ValType.NullExternRef => "nullexternref",
            ValType.NullExnRef => "nullexnref",
            ValType other => other.ToString().ToLowerInvariant(),
        };
        return type.IsDefaultable ? name : $"(ref {HeapTypeNameOf(type)})";
    }

    /// <summary>The abstract heap type's name in the text format, such as <c>func</c>.</summary>
    private static string HeapTypeNameOf(ValType type) => type.AsNullable() switch
    {
        ValType.NullRef => "none",
        ValType.NullFuncRef => "nofunc",
        ValType.NullExternRef => "noextern",
        ValType.NullExnRef => "noexn",
        ValType other => other.ToString()[..^"Ref".Length].ToLowerInvariant(),
    };
}
