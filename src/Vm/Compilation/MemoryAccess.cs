using System.Reflection.Emit;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>What a load or store instruction moves.</summary>
/// <param name="Size">Bytes in memory.</param>
/// <param name="Type">The value's type.</param>
/// <param name="Indirect">The IL instruction that moves it.</param>
/// <param name="Extension">The conversion after a narrow load, or null.</param>
internal readonly record struct MemoryAccess(int Size, ValType Type, OpCode Indirect, OpCode? Extension)
{
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
        _ => throw new InvalidOperationException($"{opcode} is not a memory access."),
    };
}
