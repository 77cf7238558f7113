namespace Everheap.Vm.Modules;

/// <summary>One decoded instruction with its immediates.</summary>
internal struct Instruction
{
    /// <summary>What it does.</summary>
    public Opcode Opcode;

    /// <summary>Offset of its first byte in the module's bytes.</summary>
    public int Offset;

    /// <summary>
    /// The first index immediate: local, global, function, label depth, type (call_indirect, call_ref, structures, arrays), tag (throw, catch), table, memory (accesses, size, grow, fill,
    /// the destination of copy), data segment (memory.init, data.drop) or element segment (table.init, elem.drop).
    /// </summary>
    public int Index;

    /// <summary>
    /// The second index immediate: the table of call_indirect and table.init, the source of table.copy and memory.copy, the memory of memory.init; a structure's field, the
    /// second type of array.copy, the segment of array.new_data and its like, the length of array.new_fixed.
    /// </summary>
    public int Index2;

    /// <summary>
    /// The value of a constant (i32 sign-extended; f32 and f64 as their bits, zero-extended), a memory access's offset (unsigned, 64 bits), or the low half of v128.const and of the
    /// lanes of i8x16.shuffle.
    /// </summary>
    public long Immediate;

    /// <summary>The high half of v128.const and of the lanes of i8x16.shuffle.</summary>
    public long Immediate2;

    /// <summary>A memory access's alignment exponent.</summary>
    public int AlignmentExponent;

    /// <summary>The lane of a vector instruction on one lane.</summary>
    public byte Lane;

    /// <summary>The type immediate of block, loop, if, try and try_table.</summary>
    public BlockType BlockType;

    /// <summary>The type immediate of ref.null, ref.test, ref.cast (a nullable reference for ref.null) and select with a type; the first of br_on_cast. Its type index is as written.</summary>
    public ValType Type;

    /// <summary>The second type immediate of br_on_cast and br_on_cast_fail.</summary>
    public ValType Type2;

    /// <summary>The label depths of br_table, its default last.</summary>
    public int[]? Labels;

    /// <summary>The catch clauses of try_table.</summary>
    public CatchClause[]? Catches;
}

/// <summary>What a clause of try_table catches, numbered as in the binary format.</summary>
internal enum CatchKind : byte
{
    /// <summary>Exceptions of a tag: their values.</summary>
    Catch = 0,

    /// <summary>Exceptions of a tag: their values, and the exception.</summary>
    CatchRef = 1,

    /// <summary>Every exception.</summary>
    CatchAll = 2,

    /// <summary>Every exception: the exception.</summary>
    CatchAllRef = 3,
}

/// <summary>A clause of try_table.</summary>
/// <param name="Kind">What it catches.</param>
/// <param name="Tag">The tag, or -1.</param>
/// <param name="Label">The depth of the label that it branches to, counted from outside of the try_table.</param>
internal readonly record struct CatchClause(CatchKind Kind, int Tag, int Label);

/// <summary>The type of a block: nothing, one result, or a type index.</summary>
internal readonly struct BlockType
{
    private readonly ValType _result;
    private readonly int _typeIndexPlusOne;

    private BlockType(ValType result, int typeIndexPlusOne)
    {
        _result = result;
        _typeIndexPlusOne = typeIndexPlusOne;
    }

    /// <summary>The type index, or -1 where the block has none.</summary>
    public int TypeIndex => _typeIndexPlusOne - 1;

    /// <summary>The one result, as written, or <see cref="ValType.Bottom"/> where there is none or a type index is given.</summary>
    public ValType Result => _result;

    public static BlockType Empty => default;

    public static BlockType Of(ValType result) => new(result, 0);

    public static BlockType OfIndex(int typeIndex) => new(ValType.Bottom, typeIndex + 1);

    /// <summary>The parameters that the block takes.</summary>
    public ReadOnlySpan<ValType> ParametersIn(Module module) =>
        TypeIndex >= 0 ? module.FunctionTypeAt(TypeIndex).Parameters : [];

    /// <summary>The results that the block leaves.</summary>
    public ReadOnlySpan<ValType> ResultsIn(Module module) =>
        TypeIndex >= 0 ? module.FunctionTypeAt(TypeIndex).Results : SingleResult(module.Canonical(_result));

    private static ReadOnlySpan<ValType> SingleResult(ValType result) => result switch
    {
        ValType.Bottom => [],
        ValType.I32 => [ValType.I32],
        ValType.I64 => [ValType.I64],
        ValType.F32 => [ValType.F32],
        ValType.F64 => [ValType.F64],
        ValType.V128 => [ValType.V128],
        ValType.FuncRef => [ValType.FuncRef],
        ValType.ExternRef => [ValType.ExternRef],
        _ => new[] { result },
    };
}
