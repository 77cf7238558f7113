using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>A numeric instruction's type: one or two operands of one type, and a result.</summary>
internal readonly record struct NumericSignature(ValType Operand, ValType Result, bool IsBinary);

/// <summary>A memory access's type and its natural alignment.</summary>
internal readonly record struct AccessSignature(ValType Value, int AlignmentExponentMax);

/// <summary>The types of the instructions whose type their opcode alone says (core specification, section 3.3).</summary>
internal static class Signatures
{
    private static readonly NumericSignature[] NumericTable = BuildNumericTable();
    private static readonly AccessSignature[] AccessTable = BuildAccessTable();

    /// <summary>The type of an instruction from <see cref="Opcode.I32Eqz"/> to <see cref="Opcode.I64Extend32S"/>.</summary>
    public static NumericSignature OfNumeric(Opcode opcode) => NumericTable[opcode - Opcode.I32Eqz];

    /// <summary>The type of an instruction from <see cref="Opcode.I32Load"/> to <see cref="Opcode.I64Store32"/>.</summary>
    public static AccessSignature OfAccess(Opcode opcode) => AccessTable[opcode - Opcode.I32Load];

    /// <summary>The type of a saturating conversion, <see cref="Opcode.I32TruncSatF32S"/> to <see cref="Opcode.I64TruncSatF64U"/>.</summary>
    public static NumericSignature OfSaturating(Opcode opcode)
    {
        int number = opcode - Opcode.I32TruncSatF32S;
        ValType operand = (number & 2) == 0 ? ValType.F32 : ValType.F64;
        ValType result = (number & 4) == 0 ? ValType.I32 : ValType.I64;
        return new NumericSignature(operand, result, IsBinary: false);
    }

    private static NumericSignature[] BuildNumericTable()
    {
        var table = new NumericSignature[Opcode.I64Extend32S - Opcode.I32Eqz + 1];
        void Fill(Opcode first, Opcode last, ValType operand, ValType result, bool isBinary) =>
            table.AsSpan(first - Opcode.I32Eqz, last - first + 1).Fill(new NumericSignature(operand, result, isBinary));
        void Unary(Opcode first, Opcode last, ValType operand, ValType result) => Fill(first, last, operand, result, false);
        void Binary(Opcode first, Opcode last, ValType operand, ValType result) => Fill(first, last, operand, result, true);

        Unary(Opcode.I32Eqz, Opcode.I32Eqz, ValType.I32, ValType.I32);
        Binary(Opcode.I32Eq, Opcode.I32GeU, ValType.I32, ValType.I32);
        Unary(Opcode.I64Eqz, Opcode.I64Eqz, ValType.I64, ValType.I32);
        Binary(Opcode.I64Eq, Opcode.I64GeU, ValType.I64, ValType.I32);
        Binary(Opcode.F32Eq, Opcode.F32Ge, ValType.F32, ValType.I32);
        Binary(Opcode.F64Eq, Opcode.F64Ge, ValType.F64, ValType.I32);
        Unary(Opcode.I32Clz, Opcode.I32Popcnt, ValType.I32, ValType.I32);
        Binary(Opcode.I32Add, Opcode.I32Rotr, ValType.I32, ValType.I32);
        Unary(Opcode.I64Clz, Opcode.I64Popcnt, ValType.I64, ValType.I64);
        Binary(Opcode.I64Add, Opcode.I64Rotr, ValType.I64, ValType.I64);
        Unary(Opcode.F32Abs, Opcode.F32Sqrt, ValType.F32, ValType.F32);
        Binary(Opcode.F32Add, Opcode.F32Copysign, ValType.F32, ValType.F32);
        Unary(Opcode.F64Abs, Opcode.F64Sqrt, ValType.F64, ValType.F64);
        Binary(Opcode.F64Add, Opcode.F64Copysign, ValType.F64, ValType.F64);
        Unary(Opcode.I32WrapI64, Opcode.I32WrapI64, ValType.I64, ValType.I32);
        Unary(Opcode.I32TruncF32S, Opcode.I32TruncF32U, ValType.F32, ValType.I32);
        Unary(Opcode.I32TruncF64S, Opcode.I32TruncF64U, ValType.F64, ValType.I32);
        Unary(Opcode.I64ExtendI32S, Opcode.I64ExtendI32U, ValType.I32, ValType.I64);
        Unary(Opcode.I64TruncF32S, Opcode.I64TruncF32U, ValType.F32, ValType.I64);
        Unary(Opcode.I64TruncF64S, Opcode.I64TruncF64U, ValType.F64, ValType.I64);
        Unary(Opcode.F32ConvertI32S, Opcode.F32ConvertI32U, ValType.I32, ValType.F32);
        Unary(Opcode.F32ConvertI64S, Opcode.F32ConvertI64U, ValType.I64, ValType.F32);
        Unary(Opcode.F32DemoteF64, Opcode.F32DemoteF64, ValType.F64, ValType.F32);
        Unary(Opcode.F64ConvertI32S, Opcode.F64ConvertI32U, ValType.I32, ValType.F64);
        Unary(Opcode.F64ConvertI64S, Opcode.F64ConvertI64U, ValType.I64, ValType.F64);
        Unary(Opcode.F64PromoteF32, Opcode.F64PromoteF32, ValType.F32, ValType.F64);
        Unary(Opcode.I32ReinterpretF32, Opcode.I32ReinterpretF32, ValType.F32, ValType.I32);
        Unary(Opcode.I64ReinterpretF64, Opcode.I64ReinterpretF64, ValType.F64, ValType.I64);
        Unary(Opcode.F32ReinterpretI32, Opcode.F32ReinterpretI32, ValType.I32, ValType.F32);
        Unary(Opcode.F64ReinterpretI64, Opcode.F64ReinterpretI64, ValType.I64, ValType.F64);
        Unary(Opcode.I32Extend8S, Opcode.I32Extend16S, ValType.I32, ValType.I32);
        Unary(Opcode.I64Extend8S, Opcode.I64Extend32S, ValType.I64, ValType.I64);
        return table;
    }

    private static AccessSignature[] BuildAccessTable()
    {
        var table = new AccessSignature[Opcode.I64Store32 - Opcode.I32Load + 1];
        void Fill(Opcode first, Opcode last, ValType value, int alignmentExponentMax) =>
            table.AsSpan(first - Opcode.I32Load, last - first + 1).Fill(new AccessSignature(value, alignmentExponentMax));

        Fill(Opcode.I32Load, Opcode.I32Load, ValType.I32, 2);
        Fill(Opcode.I64Load, Opcode.I64Load, ValType.I64, 3);
        Fill(Opcode.F32Load, Opcode.F32Load, ValType.F32, 2);
        Fill(Opcode.F64Load, Opcode.F64Load, ValType.F64, 3);
        Fill(Opcode.I32Load8S, Opcode.I32Load8U, ValType.I32, 0);
        Fill(Opcode.I32Load16S, Opcode.I32Load16U, ValType.I32, 1);
        Fill(Opcode.I64Load8S, Opcode.I64Load8U, ValType.I64, 0);
        Fill(Opcode.I64Load16S, Opcode.I64Load16U, ValType.I64, 1);
        Fill(Opcode.I64Load32S, Opcode.I64Load32U, ValType.I64, 2);
        Fill(Opcode.I32Store, Opcode.I32Store, ValType.I32, 2);
        Fill(Opcode.I64Store, Opcode.I64Store, ValType.I64, 3);
        Fill(Opcode.F32Store, Opcode.F32Store, ValType.F32, 2);
        Fill(Opcode.F64Store, Opcode.F64Store, ValType.F64, 3);
        Fill(Opcode.I32Store8, Opcode.I32Store8, ValType.I32, 0);
        Fill(Opcode.I32Store16, Opcode.I32Store16, ValType.I32, 1);
        Fill(Opcode.I64Store8, Opcode.I64Store8, ValType.I64, 0);
        Fill(Opcode.I64Store16, Opcode.I64Store16, ValType.I64, 1);
        Fill(Opcode.I64Store32, Opcode.I64Store32, ValType.I64, 2);
        return table;
    }
}
