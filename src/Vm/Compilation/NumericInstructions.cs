using System.Numerics;
using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>The operators that compute on numbers alone and never trap: their types and their IL (core specification, section 4.3).</summary>
internal static class NumericInstructions
{
    private const ValType I32 = ValType.I32;
    private const ValType I64 = ValType.I64;
    private const ValType F32 = ValType.F32;
    private const ValType F64 = ValType.F64;

    /// <summary>The operand types (the second is <see cref="ValType.Bottom"/> for unary operators) and the result type.</summary>
    public static bool TryGetType(Opcode opcode, out ValType first, out ValType second, out ValType result)
    {
        (first, second, result) = opcode switch
        {
            Opcode.I32Eqz => (I32, ValType.Bottom, I32),
            >= Opcode.I32Eq and <= Opcode.I32GeU => (I32, I32, I32),
            Opcode.I64Eqz => (I64, ValType.Bottom, I32),
            >= Opcode.I64Eq and <= Opcode.I64GeU => (I64, I64, I32),
            >= Opcode.F32Eq and <= Opcode.F32Ge => (F32, F32, I32),
            >= Opcode.F64Eq and <= Opcode.F64Ge => (F64, F64, I32),
            >= Opcode.I32Clz and <= Opcode.I32Popcnt => (I32, ValType.Bottom, I32),
            >= Opcode.I32Add and <= Opcode.I32Rotr => (I32, I32, I32),
            >= Opcode.I64Clz and <= Opcode.I64Popcnt => (I64, ValType.Bottom, I64),
            >= Opcode.I64Add and <= Opcode.I64Rotr => (I64, I64, I64),
            >= Opcode.F32Abs and <= Opcode.F32Sqrt => (F32, ValType.Bottom, F32),
            >= Opcode.F32Add and <= Opcode.F32Copysign => (F32, F32, F32),
            >= Opcode.F64Abs and <= Opcode.F64Sqrt => (F64, ValType.Bottom, F64),
            >= Opcode.F64Add and <= Opcode.F64Copysign => (F64, F64, F64),
            Opcode.I32WrapI64 => (I64, ValType.Bottom, I32),
            Opcode.I64ExtendI32S or Opcode.I64ExtendI32U => (I32, ValType.Bottom, I64),
            Opcode.F32ConvertI32S or Opcode.F32ConvertI32U => (I32, ValType.Bottom, F32),
            Opcode.F32ConvertI64S or Opcode.F32ConvertI64U => (I64, ValType.Bottom, F32),
            Opcode.F32DemoteF64 => (F64, ValType.Bottom, F32),
            Opcode.F64ConvertI32S or Opcode.F64ConvertI32U => (I32, ValType.Bottom, F64),
            Opcode.F64ConvertI64S or Opcode.F64ConvertI64U => (I64, ValType.Bottom, F64),
            Opcode.F64PromoteF32 => (F32, ValType.Bottom, F64),
            Opcode.I32ReinterpretF32 => (F32, ValType.Bottom, I32),
            Opcode.I64ReinterpretF64 => (F64, ValType.Bottom, I64),
            Opcode.F32ReinterpretI32 => (I32, ValType.Bottom, F32),
            Opcode.F64ReinterpretI64 => (I64, ValType.Bottom, F64),
            Opcode.I32Extend8S or Opcode.I32Extend16S => (I32, ValType.Bottom, I32),
            Opcode.I64Extend8S or Opcode.I64Extend16S or Opcode.I64Extend32S => (I64, ValType.Bottom, I64),
            Opcode.I32TruncSatF32S or Opcode.I32TruncSatF32U => (F32, ValType.Bottom, I32),
            Opcode.I32TruncSatF64S or Opcode.I32TruncSatF64U => (F64, ValType.Bottom, I32),
            Opcode.I64TruncSatF32S or Opcode.I64TruncSatF32U => (F32, ValType.Bottom, I64),
            Opcode.I64TruncSatF64S or Opcode.I64TruncSatF64U => (F64, ValType.Bottom, I64),
            Opcode.RefIsNull => (ValType.FuncRef, ValType.Bottom, I32),
            _ => (ValType.Bottom, ValType.Bottom, ValType.Bottom),
        };
        return result != ValType.Bottom;
    }

    /// <summary>Emits the operator; its operands are on the evaluation stack.</summary>
    public static void Emit(ILGenerator il, Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.I32Eqz:
                Equal(il, 0);
                break;
            case Opcode.I64Eqz or Opcode.RefIsNull:
                il.Emit(OpCodes.Ldc_I4_0);
                il.Emit(OpCodes.Conv_I8);
                il.Emit(OpCodes.Ceq);
                break;
            case Opcode.I32Eq or Opcode.I64Eq or Opcode.F32Eq or Opcode.F64Eq:
                il.Emit(OpCodes.Ceq);
                break;
            case Opcode.I32Ne or Opcode.I64Ne or Opcode.F32Ne or Opcode.F64Ne:
                Negated(il, OpCodes.Ceq);
                break;
            case Opcode.I32LtS or Opcode.I64LtS or Opcode.F32Lt or Opcode.F64Lt:
                il.Emit(OpCodes.Clt);
                break;
            case Opcode.I32LtU or Opcode.I64LtU:
                il.Emit(OpCodes.Clt_Un);
                break;
            case Opcode.I32GtS or Opcode.I64GtS or Opcode.F32Gt or Opcode.F64Gt:
                il.Emit(OpCodes.Cgt);
                break;
            case Opcode.I32GtU or Opcode.I64GtU:
                il.Emit(OpCodes.Cgt_Un);
                break;
            case Opcode.I32LeS or Opcode.I64LeS:
                Negated(il, OpCodes.Cgt);
                break;
            case Opcode.I32LeU or Opcode.I64LeU or Opcode.F32Le or Opcode.F64Le:
                Negated(il, OpCodes.Cgt_Un);
                break;
            case Opcode.I32GeS or Opcode.I64GeS:
                Negated(il, OpCodes.Clt);
                break;
            case Opcode.I32GeU or Opcode.I64GeU or Opcode.F32Ge or Opcode.F64Ge:
                Negated(il, OpCodes.Clt_Un);
                break;
            case Opcode.I32Add or Opcode.I64Add or Opcode.F32Add or Opcode.F64Add:
                il.Emit(OpCodes.Add);
                break;
            case Opcode.I32Sub or Opcode.I64Sub or Opcode.F32Sub or Opcode.F64Sub:
                il.Emit(OpCodes.Sub);
                break;
            case Opcode.I32Mul or Opcode.I64Mul or Opcode.F32Mul or Opcode.F64Mul:
                il.Emit(OpCodes.Mul);
                break;
            case Opcode.F32Div or Opcode.F64Div:
                il.Emit(OpCodes.Div);
                break;

            // Reached only where the divisor is a constant that cannot trap.
            case Opcode.I32DivS or Opcode.I64DivS:
                il.Emit(OpCodes.Div);
                break;
            case Opcode.I32DivU or Opcode.I64DivU:
                il.Emit(OpCodes.Div_Un);
                break;
            case Opcode.I32RemS or Opcode.I64RemS:
                il.Emit(OpCodes.Rem);
                break;
            case Opcode.I32RemU or Opcode.I64RemU:
                il.Emit(OpCodes.Rem_Un);
                break;
            case Opcode.I32And or Opcode.I64And:
                il.Emit(OpCodes.And);
                break;
            case Opcode.I32Or or Opcode.I64Or:
                il.Emit(OpCodes.Or);
                break;
            case Opcode.I32Xor or Opcode.I64Xor:
                il.Emit(OpCodes.Xor);
                break;
            case Opcode.I32Shl:
                Shift(il, OpCodes.Shl, 31);
                break;
            case Opcode.I32ShrS:
                Shift(il, OpCodes.Shr, 31);
                break;
            case Opcode.I32ShrU:
                Shift(il, OpCodes.Shr_Un, 31);
                break;
            case Opcode.I64Shl:
                WideShift(il, OpCodes.Shl);
                break;
            case Opcode.I64ShrS:
                WideShift(il, OpCodes.Shr);
                break;
            case Opcode.I64ShrU:
                WideShift(il, OpCodes.Shr_Un);
                break;
            case Opcode.I32Rotl:
                Call(il, typeof(BitOperations), nameof(BitOperations.RotateLeft), typeof(uint), typeof(int));
                break;
            case Opcode.I32Rotr:
                Call(il, typeof(BitOperations), nameof(BitOperations.RotateRight), typeof(uint), typeof(int));
                break;
            case Opcode.I64Rotl:
                il.Emit(OpCodes.Conv_I4);
                Call(il, typeof(BitOperations), nameof(BitOperations.RotateLeft), typeof(ulong), typeof(int));
                break;
            case Opcode.I64Rotr:
                il.Emit(OpCodes.Conv_I4);
                Call(il, typeof(BitOperations), nameof(BitOperations.RotateRight), typeof(ulong), typeof(int));
                break;
            case Opcode.I32Clz:
                Call(il, typeof(BitOperations), nameof(BitOperations.LeadingZeroCount), typeof(uint));
                break;
            case Opcode.I32Ctz:
                Call(il, typeof(BitOperations), nameof(BitOperations.TrailingZeroCount), typeof(uint));
                break;
            case Opcode.I32Popcnt:
                Call(il, typeof(BitOperations), nameof(BitOperations.PopCount), typeof(uint));
                break;
            case Opcode.I64Clz:
                Call(il, typeof(BitOperations), nameof(BitOperations.LeadingZeroCount), typeof(ulong));
                il.Emit(OpCodes.Conv_I8);
                break;
            case Opcode.I64Ctz:
                Call(il, typeof(BitOperations), nameof(BitOperations.TrailingZeroCount), typeof(ulong));
                il.Emit(OpCodes.Conv_I8);
                break;
            case Opcode.I64Popcnt:
                Call(il, typeof(BitOperations), nameof(BitOperations.PopCount), typeof(ulong));
                il.Emit(OpCodes.Conv_I8);
                break;
            default:
                EmitFloatOrConversion(il, opcode);
                break;
        }
    }

    private static void EmitFloatOrConversion(ILGenerator il, Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.F32Abs:
                Call(il, typeof(MathF), nameof(MathF.Abs), typeof(float));
                break;
            case Opcode.F64Abs:
                Call(il, typeof(Math), nameof(Math.Abs), typeof(double));
                break;
            case Opcode.F32Neg or Opcode.F64Neg:
                il.Emit(OpCodes.Neg);
                break;
            case Opcode.F32Ceil:
                Call(il, typeof(MathF), nameof(MathF.Ceiling), typeof(float));
                break;
            case Opcode.F64Ceil:
                Call(il, typeof(Math), nameof(Math.Ceiling), typeof(double));
                break;
            case Opcode.F32Floor:
                Call(il, typeof(MathF), nameof(MathF.Floor), typeof(float));
                break;
            case Opcode.F64Floor:
                Call(il, typeof(Math), nameof(Math.Floor), typeof(double));
                break;
            case Opcode.F32Trunc:
                Call(il, typeof(MathF), nameof(MathF.Truncate), typeof(float));
                break;
            case Opcode.F64Trunc:
                Call(il, typeof(Math), nameof(Math.Truncate), typeof(double));
                break;
            case Opcode.F32Nearest:
                Call(il, typeof(MathF), nameof(MathF.Round), typeof(float));
                break;
            case Opcode.F64Nearest:
                Call(il, typeof(Math), nameof(Math.Round), typeof(double));
                break;
            case Opcode.F32Sqrt:
                Call(il, typeof(MathF), nameof(MathF.Sqrt), typeof(float));
                break;
            case Opcode.F64Sqrt:
                Call(il, typeof(Math), nameof(Math.Sqrt), typeof(double));
                break;
            case Opcode.F32Max:
                Call(il, typeof(MathF), nameof(MathF.Max), typeof(float), typeof(float));
                break;
            case Opcode.F32Copysign:
                Call(il, typeof(MathF), nameof(MathF.CopySign), typeof(float), typeof(float));
                break;
            case Opcode.F64Max:
                Call(il, typeof(Math), nameof(Math.Max), typeof(double), typeof(double));
                break;
            case Opcode.F64Copysign:
                Call(il, typeof(Math), nameof(Math.CopySign), typeof(double), typeof(double));
                break;
            case Opcode.I32WrapI64:
                il.Emit(OpCodes.Conv_I4);
                break;
            case Opcode.I64ExtendI32S:
                il.Emit(OpCodes.Conv_I8);
                break;
            case Opcode.I64ExtendI32U:
                il.Emit(OpCodes.Conv_U8);
                break;
            case Opcode.F32ConvertI32S or Opcode.F32ConvertI64S or Opcode.F32DemoteF64:
                il.Emit(OpCodes.Conv_R4);
                break;
            case Opcode.F32ConvertI32U:
                il.Emit(OpCodes.Conv_U8);
                il.Emit(OpCodes.Conv_R4);
                break;
            case Opcode.F32ConvertI64U:
                Call(il, typeof(Numerics), nameof(Numerics.F32ConvertI64U), typeof(ulong));
                break;
            case Opcode.F64ConvertI32S or Opcode.F64ConvertI64S or Opcode.F64PromoteF32:
                il.Emit(OpCodes.Conv_R8);
                break;
            case Opcode.F64ConvertI32U:
                il.Emit(OpCodes.Conv_U8);
                il.Emit(OpCodes.Conv_R8);
                break;
            case Opcode.F64ConvertI64U:
                il.Emit(OpCodes.Conv_R_Un);
                il.Emit(OpCodes.Conv_R8);
                break;
            case Opcode.I32ReinterpretF32:
                Call(il, typeof(BitConverter), nameof(BitConverter.SingleToInt32Bits), typeof(float));
                break;
            case Opcode.I64ReinterpretF64:
                Call(il, typeof(BitConverter), nameof(BitConverter.DoubleToInt64Bits), typeof(double));
                break;
            case Opcode.F32ReinterpretI32:
                Call(il, typeof(Numerics), nameof(Numerics.F32ReinterpretI32), typeof(int));
                break;
            case Opcode.F64ReinterpretI64:
                Call(il, typeof(BitConverter), nameof(BitConverter.Int64BitsToDouble), typeof(long));
                break;
            case Opcode.I32Extend8S:
                il.Emit(OpCodes.Conv_I1);
                break;
            case Opcode.I32Extend16S:
                il.Emit(OpCodes.Conv_I2);
                break;
            case Opcode.I64Extend8S:
                il.Emit(OpCodes.Conv_I1);
                il.Emit(OpCodes.Conv_I8);
                break;
            case Opcode.I64Extend16S:
                il.Emit(OpCodes.Conv_I2);
                il.Emit(OpCodes.Conv_I8);
                break;
            case Opcode.I64Extend32S:
                il.Emit(OpCodes.Conv_I4);
                il.Emit(OpCodes.Conv_I8);
                break;
            case Opcode.I32TruncSatF32S or Opcode.I32TruncSatF32U or Opcode.I64TruncSatF32S or Opcode.I64TruncSatF32U:
                il.Emit(OpCodes.Conv_R8);
                Call(il, typeof(Numerics), opcode.ToString().Replace("F32", "F64", StringComparison.Ordinal), typeof(double));
                break;
            case Opcode.I32TruncSatF64S or Opcode.I32TruncSatF64U or Opcode.I64TruncSatF64S or Opcode.I64TruncSatF64U:
                Call(il, typeof(Numerics), opcode.ToString(), typeof(double));
                break;
            default:
                throw new InvalidOperationException($"{opcode} is not an operator.");
        }
    }

    private static void Equal(ILGenerator il, int value)
    {
        il.Emit(OpCodes.Ldc_I4, value);
        il.Emit(OpCodes.Ceq);
    }

    private static void Negated(ILGenerator il, OpCode comparison)
    {
        il.Emit(comparison);
        il.Emit(OpCodes.Ldc_I4_0);
        il.Emit(OpCodes.Ceq);
    }

    private static void Shift(ILGenerator il, OpCode shift, int mask)
    {
        il.Emit(OpCodes.Ldc_I4_S, (sbyte)mask);
        il.Emit(OpCodes.And);
        il.Emit(shift);
    }

    private static void WideShift(ILGenerator il, OpCode shift)
    {
        il.Emit(OpCodes.Conv_I4);
        Shift(il, shift, 63);
    }

    private static void Call(ILGenerator il, Type type, string name, params Type[] parameters) =>
        il.Emit(OpCodes.Call, type.GetMethod(name, BindingFlags.Public | BindingFlags.Static, parameters)
            ?? throw new MissingMethodException(type.FullName, name));
}
