namespace Everheap.Vm.Modules;

/// <summary>One decoded instruction with its immediates.</summary>
internal struct Instruction
{
    /// <summary>What it does.</summary>
    public Opcode Opcode;

    /// <summary>Offset of its first byte in the module's bytes.</summary>
    public int Offset;

    /// <summary>
    /// The first index immediate: local, global, function, label depth, type (call_indirect), table, memory,
    /// data segment (memory.init, data.drop) or element segment (table.init, elem.drop).
    /// </summary>
    public int Index;

    /// <summary>
    /// The second index immediate: the table of call_indirect and table.init, the source table of table.copy
    /// (<see cref="Index"/> is the destination), the memory of memory.init.
    /// </summary>
    public int Index2;

    /// <summary>
    /// The value of a constant (i32 sign-extended; f32 and f64 as their bits, zero-extended), or a memory access's offset
    /// (zero-extended).
    /// </summary>
    public long Immediate;

    /// <summary>A memory access's alignment exponent.</summary>
    public int AlignmentExponent;

    /// <summary>The type immediate of block, loop and if.</summary>
    public BlockType BlockType;

    /// <summary>The type immediate of ref.null and select with a type.</summary>
    public ValType Type;

    /// <summary>The label depths of br_table, its default last.</summary>
    public int[]? Labels;
}

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

    /// <summary>The one result, or <see cref="ValType.Bottom"/> where there is none or a type index is given.</summary>
    public ValType Result => _result;

    public static BlockType Empty => default;

    public static BlockType Of(ValType result) => new(result, 0);

    public static BlockType OfIndex(int typeIndex) => new(ValType.Bottom, typeIndex + 1);

    /// <summary>The parameters that the block takes.</summary>
    public ReadOnlySpan<ValType> ParametersIn(Module module) =>
        TypeIndex >= 0 ? module.Types[TypeIndex].Parameters : [];

    /// <summary>The results that the block leaves.</summary>
    public ReadOnlySpan<ValType> ResultsIn(Module module) =>
        TypeIndex >= 0 ? module.Types[TypeIndex].Results : SingleResult(_result);

    private static ReadOnlySpan<ValType> SingleResult(ValType result) => result switch
    {
        ValType.Bottom => [],
        ValType.I32 => [ValType.I32],
        ValType.I64 => [ValType.I64],
        ValType.F32 => [ValType.F32],
        ValType.F64 => [ValType.F64],
        ValType.V128 => [ValType.V128],
        ValType.FuncRef => [ValType.FuncRef],
        _ => [ValType.ExternRef],
    };
}
