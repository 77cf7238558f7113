using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Numeric operators that may trap. They are computed where they stand: a trap must not move across a side effect.</content>
internal sealed partial class FunctionEmitter
{
    private void EmitDivision(in Instruction instruction)
    {
        Opcode opcode = instruction.Opcode;
        bool isWide = opcode is >= Opcode.I64DivS and <= Opcode.I64RemU;
        ValType type = isWide ? ValType.I64 : ValType.I32;
        Node divisor = Pop();
        Node dividend = Pop();
        if (divisor.Kind == NodeKind.Constant && divisor.Bits is not (0 or -1))
        {
            PushTree(Node.Operator(type, opcode, dividend, divisor));
            return;
        }

        // In the order of the stack, so that neither slot is assigned while the other operand still reads it.
        int depth = _stack.Count;
        dividend = Reusable(dividend, depth);
        divisor = Reusable(divisor, depth + 1);
        EmitNode(divisor);
        EmitTrapUnless(OpCodes.Brtrue, TrapKind.IntegerDivideByZero, instruction.Offset);
        SaveReadersOf(depth);
        Variable result = SlotLocal(depth, type);
        Label done = _il.DefineLabel();
        if (opcode is Opcode.I32DivS or Opcode.I64DivS)
        {
            Label divide = _il.DefineLabel();
            EmitNode(divisor);
            EmitConstant(type, -1);
            _il.Emit(OpCodes.Bne_Un, divide);
            EmitNode(dividend);
            EmitConstant(type, isWide ? long.MinValue : int.MinValue);
            EmitTrapUnless(OpCodes.Bne_Un, TrapKind.IntegerOverflow, instruction.Offset);
            _il.MarkLabel(divide);
        }
        else if (opcode is Opcode.I32RemS or Opcode.I64RemS)
        {
            // The processor faults on MinValue % -1; the remainder is zero for every dividend.
            Label divide = _il.DefineLabel();
            EmitNode(divisor);
            EmitConstant(type, -1);
            _il.Emit(OpCodes.Bne_Un, divide);
            EmitConstant(type, 0);
            Store(result);
            _il.Emit(OpCodes.Br, done);
            _il.MarkLabel(divide);
        }

        EmitNode(dividend);
        EmitNode(divisor);
        NumericInstructions.Emit(_il, opcode);
        Store(result);
        _il.MarkLabel(done);
        Push(Node.Slot(type, depth));
    }

    private void EmitTruncation(in Instruction instruction)
    {
        (bool isSingle, double below, bool isBelowExcluded, double above, OpCode conversion, ValType type) = instruction.Opcode switch
        {
            Opcode.I32TruncF32S => (true, -2147483649.0, true, 2147483648.0, OpCodes.Conv_I4, ValType.I32),
            Opcode.I32TruncF64S => (false, -2147483649.0, true, 2147483648.0, OpCodes.Conv_I4, ValType.I32),
            Opcode.I32TruncF32U => (true, -1.0, true, 4294967296.0, OpCodes.Conv_I8, ValType.I32),
            Opcode.I32TruncF64U => (false, -1.0, true, 4294967296.0, OpCodes.Conv_I8, ValType.I32),
            Opcode.I64TruncF32S => (true, -9223372036854775808.0, false, 9223372036854775808.0, OpCodes.Conv_I8, ValType.I64),
            Opcode.I64TruncF64S => (false, -9223372036854775808.0, false, 9223372036854775808.0, OpCodes.Conv_I8, ValType.I64),
            Opcode.I64TruncF32U => (true, -1.0, true, 18446744073709551616.0, OpCodes.Conv_U8, ValType.I64),
            _ => (false, -1.0, true, 18446744073709551616.0, OpCodes.Conv_U8, ValType.I64),
        };

        Node operand = Pop();
        LocalBuilder value = Scratch(typeof(double));
        EmitNode(operand);
        if (isSingle)
        {
            _il.Emit(OpCodes.Conv_R8);
        }

        _il.StoreLocal(value);
        int offset = instruction.Offset;
        Label invalid = _il.DefineLabel();
        _il.LoadLocal(value);
        _il.Emit(OpCodes.Ldc_R8, below);
        _il.Emit(isBelowExcluded ? OpCodes.Ble_Un : OpCodes.Blt_Un, invalid);
        _il.LoadLocal(value);
        _il.Emit(OpCodes.Ldc_R8, above);
        EmitUnless(OpCodes.Blt, () =>
        {
            _il.MarkLabel(invalid);
            _il.Emit(OpCodes.Ldarg_0);
            EmitInt(_code.FunctionIndex);
            EmitInt(offset);
            _il.LoadLocal(value);
            _il.Emit(OpCodes.Call, RuntimeMethods.TrapTruncation);
            EmitDefaultReturn();
        });

        int depth = _stack.Count;
        SaveReadersOf(depth);
        _il.LoadLocal(value);
        _il.Emit(conversion);
        if (type == ValType.I32)
        {
            _il.Emit(OpCodes.Conv_I4);
        }

        Store(SlotLocal(depth, type));
        Push(Node.Slot(type, depth));
    }
}
