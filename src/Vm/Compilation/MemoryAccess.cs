using System.Reflection.Emit;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>What a load or store instruction moves.</summary>
/// <param name="Size">Bytes in memory.</param>
/// <param name="Type">The value's type; of an access to one lane, the lane's.</param>
/// <param name="Indirect">The IL instruction that moves it; of 16 bytes, <see cref="FunctionEmitter.EmitLoadIndirect"/> and its like do.</param>
/// <param name="Extension">The conversion after a narrow load, or null.</param>
/// <param name="Vector">What makes a vector of fewer than 16 bytes that were loaded, or null.</param>
internal readonly record struct MemoryAccess(int Size, ValType Type, OpCode Indirect, OpCode? Extension, VectorOperator? Vector = null)
{
    /// <summary>Whether an instruction loads from memory, and does nothing else with it.</summary>
    public static bool IsLoad(Opcode opcode) =>
        opcode is (>= Opcode.I32Load and <= Opcode.I64Load32U) or (>= Opcode.V128Load and <= Opcode.V128Load64Splat) or Opcode.V128Load32Zero or Opcode.V128Load64Zero
        || IsLaneLoad(opcode);

    /// <summary>Whether an instruction stores to memory, and does nothing else with it.</summary>
    public static bool IsStore(Opcode opcode) => opcode is (>= Opcode.I32Store and <= Opcode.I64Store32) or Opcode.V128Store || IsLaneStore(opcode);

    /// <summary>Whether an instruction loads a lane of a vector that is its second operand.</summary>
    public static bool IsLaneLoad(Opcode opcode) => opcode is >= Opcode.V128Load8Lane and <= Opcode.V128Load64Lane;

    /// <summary>Whether an instruction stores a lane of a vector.</summary>
    public static bool IsLaneStore(Opcode opcode) => opcode is >= Opcode.V128Store8Lane and <= Opcode.V128Store64Lane;

    /// <summary>Whether an instruction is a load or a store.</summary>
    public static bool IsAccess(Opcode opcode) => IsLoad(opcode) || IsStore(opcode);

    /// <summary>What a load or store moves.</summary>
    public static MemoryAccess Of(Opcode opcode) => opcode switch
    {
        Opcode.I32Load => new(4, ValType.I32, OpCodes.Ldind_I4, null),
        Opcode.I64Load => new(8, ValType.I64, OpCodes.Ldind_I8, null),
        Opcode.F32Load => new(4, ValType.F32, OpCodes.Ldind_R4, null),
        Opcode.F64Load => new(8, ValType.F64, OpCodes.Ldind_R8, null),
        Opcode.I32Load8S => new(1, ValType.I32, OpCodes.Ldind_I1, null),
        Opcode.I32Load8U => new(1, ValType.I32, OpCodes.Ldind_U1, null),
        Opcode.I32Load16S => new(2, ValType.I32, OpCodes.Ldind_I2, null),
        Opcode.I32Load16U => new(2, ValType.I32, OpCodes.Ldind_U2, null),
        Opcode.I64Load8S => new(1, ValType.I64, OpCodes.Ldind_I1, OpCodes.Conv_I8),
        Opcode.I64Load8U => new(1, ValType.I64, OpCodes.Ldind_U1, OpCodes.Conv_U8),
        Opcode.I64Load16S => new(2, ValType.I64, OpCodes.Ldind_I2, OpCodes.Conv_I8),
        Opcode.I64Load16U => new(2, ValType.I64, OpCodes.Ldind_U2, OpCodes.Conv_U8),
        Opcode.I64Load32S => new(4, ValType.I64, OpCodes.Ldind_I4, OpCodes.Conv_I8),
        Opcode.I64Load32U => new(4, ValType.I64, OpCodes.Ldind_U4, OpCodes.Conv_U8),
        Opcode.I32Store => new(4, ValType.I32, OpCodes.Stind_I4, null),
        Opcode.I64Store => new(8, ValType.I64, OpCodes.Stind_I8, null),
        Opcode.F32Store => new(4, ValType.F32, OpCodes.Stind_R4, null),
        Opcode.F64Store => new(8, ValType.F64, OpCodes.Stind_R8, null),
        Opcode.I32Store8 => new(1, ValType.I32, OpCodes.Stind_I1, null),
        Opcode.I32Store16 => new(2, ValType.I32, OpCodes.Stind_I2, null),
        Opcode.I64Store8 => new(1, ValType.I64, OpCodes.Stind_I1, null),
        Opcode.I64Store16 => new(2, ValType.I64, OpCodes.Stind_I2, null),
        Opcode.I64Store32 => new(4, ValType.I64, OpCodes.Stind_I4, null),
        Opcode.V128Load => new(16, ValType.V128, OpCodes.Ldobj, null),
        Opcode.V128Store => new(16, ValType.V128, OpCodes.Stobj, null),
        Opcode.V128Load8Splat => new(1, ValType.V128, OpCodes.Ldind_U1, null, VectorOperators.Find(opcode)),
        Opcode.V128Load16Splat => new(2, ValType.V128, OpCodes.Ldind_U2, null, VectorOperators.Find(opcode)),
        Opcode.V128Load32Splat or Opcode.V128Load32Zero => new(4, ValType.V128, OpCodes.Ldind_I4, null, VectorOperators.Find(opcode)),
        (>= Opcode.V128Load8x8S and <= Opcode.V128Load32x2U) or Opcode.V128Load64Splat or Opcode.V128Load64Zero =>
            new(8, ValType.V128, OpCodes.Ldind_I8, null, VectorOperators.Find(opcode)),
        Opcode.V128Load8Lane => Of(Opcode.I32Load8U),
        Opcode.V128Load16Lane => Of(Opcode.I32Load16U),
        Opcode.V128Load32Lane => Of(Opcode.I32Load),
        Opcode.V128Load64Lane => Of(Opcode.I64Load),
        Opcode.V128Store8Lane => Of(Opcode.I32Store8),
        Opcode.V128Store16Lane => Of(Opcode.I32Store16),
        Opcode.V128Store32Lane => Of(Opcode.I32Store),
        Opcode.V128Store64Lane => Of(Opcode.I64Store),
        _ => throw new InvalidOperationException($"{opcode} is not a memory access."),
    };
}
