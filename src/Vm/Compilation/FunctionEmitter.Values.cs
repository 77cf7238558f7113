using System.Reflection.Emit;
using System.Runtime.Intrinsics;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Values: constants, operators, locals and slots.</content>
internal sealed partial class FunctionEmitter
{
    private readonly Dictionary<Type, LocalBuilder> _scratch = [];

    /// <summary>The IL type of a value type; references are function or object numbers.</summary>
    public static Type IlType(ValType type) => type switch
    {
        ValType.I32 => typeof(int),
        ValType.F32 => typeof(float),
        ValType.F64 => typeof(double),
        ValType.V128 => typeof(Vector128<byte>),
        _ => typeof(long),
    };

    /// <summary>Loads a value of the type from an address.</summary>
    public static void EmitLoadIndirect(ILGenerator il, ValType type)
    {
        if (type == ValType.V128)
        {
            // Units are aligned to 8 bytes, and so is the memory that programs say is aligned.
            il.Emit(OpCodes.Unaligned, (byte)1);
            il.Emit(OpCodes.Ldobj, typeof(Vector128<byte>));
            return;
        }

        il.Emit(type switch
        {
            ValType.I32 => OpCodes.Ldind_I4,
            ValType.F32 => OpCodes.Ldind_R4,
            ValType.F64 => OpCodes.Ldind_R8,
            _ => OpCodes.Ldind_I8,
        });
    }

    /// <summary>Stores a value of the type to an address.</summary>
    public static void EmitStoreIndirect(ILGenerator il, ValType type)
    {
        if (type == ValType.V128)
        {
            il.Emit(OpCodes.Unaligned, (byte)1);
            il.Emit(OpCodes.Stobj, typeof(Vector128<byte>));
            return;
        }

        il.Emit(type switch
        {
            ValType.I32 => OpCodes.Stind_I4,
            ValType.F32 => OpCodes.Stind_R4,
            ValType.F64 => OpCodes.Stind_R8,
            _ => OpCodes.Stind_I8,
        });
    }

    /// <summary>Loads zero, or null.</summary>
    public static void EmitZero(ILGenerator il, ValType type)
    {
        switch (type)
        {
            case ValType.I32:
                il.Emit(OpCodes.Ldc_I4_0);
                break;
            case ValType.F32:
                il.Emit(OpCodes.Ldc_R4, 0f);
                break;
            case ValType.F64:
                il.Emit(OpCodes.Ldc_R8, 0d);
                break;
            case ValType.V128:
                il.Emit(OpCodes.Call, RuntimeMethods.VectorZero);
                break;
            default:
                il.Emit(OpCodes.Ldc_I4_0);
                il.Emit(OpCodes.Conv_I8);
                break;
        }
    }

    private void EmitNode(Node node)
    {
        switch (node.Kind)
        {
            case NodeKind.Constant:
                EmitConstant(node.Type, node.Bits, node.HighBits);
                break;
            case NodeKind.Local:
                LoadLocal(node.Index);
                break;
            case NodeKind.Slot:
                Load(SlotLocal(node.Index, node.Type));
                break;
            case NodeKind.Global:
                EmitGlobalAddress(node.Index);
                EmitLoadIndirect(_il, node.Type);
                break;
            case NodeKind.FunctionReference:
                // Code is the same for all instances of the module, their references are not.
                _il.Emit(OpCodes.Ldarg_0);
                ContextFields.FunctionReferences.EmitLoad(_il);
                EmitLong(node.Index + 1L);
                _il.Emit(OpCodes.Add);
                break;
            case NodeKind.Address:
                _il.LoadLocal(AddressLocal);
                break;
            case NodeKind.MemorySize:
                EmitMemorySize(node);
                break;
            default:
                EmitOperator(node);
                break;
        }
    }

    private void EmitMemorySize(Node node)
    {
        _il.Emit(OpCodes.Ldarg_0);
        if (node.Index == 0)
        {
            ContextFields.MemoryBytes.EmitLoad(_il);
            EmitInt(LinearMemory.WasmPageShift);
            _il.Emit(OpCodes.Shr_Un);
        }
        else
        {
            EmitInt(node.Index);
            _il.Emit(OpCodes.Call, RuntimeMethods.MemorySize);
        }

        if (node.Type == ValType.I32)
        {
            _il.Emit(OpCodes.Conv_I4);
        }
    }

    // Arithmetic makes a signalling NaN quiet (core specification, section 4.3.3). The JIT folds x - 0, x * 1, x / 1 and a demotion after a
    // promotion to x, which does not: there a constant comes from where the JIT cannot see it.
    private void EmitOperator(Node node)
    {
        if (node.Opcode == Opcode.I8x16Shuffle)
        {
            EmitShuffle(node);
            return;
        }

        if (VectorOperators.Find(node.Opcode) is VectorOperator vectorOperator)
        {
            EmitVectorOperator(node, vectorOperator, typeof(Vector128<byte>));
            return;
        }

        if (node.Opcode is Opcode.F32Min or Opcode.F64Min)
        {
            EmitMinimum(node);
            return;
        }

        EmitOperand(node.Opcode, node.First!);
        if (node.Second is not null)
        {
            EmitOperand(node.Opcode, node.Second);
        }

        if (node.Opcode == Opcode.F32DemoteF64 && node.First!.Opcode == Opcode.F64PromoteF32)
        {
            EmitHidden(ValType.F64, isOne: true);
            _il.Emit(OpCodes.Mul);
        }

        EmitNumeric(node.Opcode);
    }

    private void EmitNumeric(Opcode opcode)
    {
        if (_mayBeMinimal && opcode is (Opcode.F32Max or Opcode.F64Max))
        {
            _il.Emit(OpCodes.Call, opcode == Opcode.F32Max ? RuntimeMethods.F32Max : RuntimeMethods.F64Max);
            return;
        }

        NumericInstructions.Emit(_il, opcode);
    }

    // The JIT of .NET 10 makes the minimum of a constant -0 and a 0 to 0, whether the constant stands there or comes by a local; maxima are right.
    private void EmitMinimum(Node node)
    {
        EmitNode(node.First!);
        _il.Emit(OpCodes.Neg);
        EmitNode(node.Second!);
        _il.Emit(OpCodes.Neg);
        EmitNumeric(node.Opcode == Opcode.F32Min ? Opcode.F32Max : Opcode.F64Max);
        _il.Emit(OpCodes.Neg);
    }

    private void EmitOperand(Opcode operation, Node node)
    {
        if (Node.IsComparison(operation))
        {
            EmitTested(node);
            return;
        }

        bool isArithmetic = operation is (>= Opcode.F32Add and <= Opcode.F32Div) or (>= Opcode.F64Add and <= Opcode.F64Div);
        if (isArithmetic && node.Kind == NodeKind.Constant)
        {
            double value = node.Type == ValType.F32 ? BitConverter.Int32BitsToSingle((int)node.Bits) : BitConverter.Int64BitsToDouble(node.Bits);
            if (value is 0 or 1 or -1)
            {
                EmitHidden(node.Type, value != 0);
                if (double.IsNegative(value))
                {
                    _il.Emit(OpCodes.Neg);
                }

                return;
            }
        }

        EmitNode(node);
    }

    private void EmitHidden(ValType type, bool isOne)
    {
        _il.Emit(OpCodes.Ldarg_0);
        NativeField field = type == ValType.F32
            ? isOne ? ContextFields.OneSingle : ContextFields.ZeroSingle
            : isOne ? ContextFields.One : ContextFields.Zero;
        field.EmitLoad(_il);
    }

    private void EmitConstant(ValType type, long bits, long highBits = 0)
    {
        switch (type)
        {
            case ValType.V128:
                EmitVector(bits, highBits);
                break;
            case ValType.I32:
                EmitInt((int)bits);
                break;
            case ValType.F32:
                EmitFloat((int)bits);
                break;
            case ValType.F64:
                EmitDouble(bits);
                break;
            default:
                EmitLong(bits);
                break;
        }
    }

    // A signalling NaN must keep its bits; a constant of the IL may pass through a conversion that quiets it.
    private void EmitFloat(int bits)
    {
        if (float.IsNaN(BitConverter.Int32BitsToSingle(bits)))
        {
            EmitInt(bits);
            _il.Emit(OpCodes.Call, RuntimeMethods.F32OfBits);
            return;
        }

        _il.Emit(OpCodes.Ldc_R4, BitConverter.Int32BitsToSingle(bits));
    }

    private void EmitDouble(long bits)
    {
        if (double.IsNaN(BitConverter.Int64BitsToDouble(bits)))
        {
            EmitLong(bits);
            _il.Emit(OpCodes.Call, RuntimeMethods.F64OfBits);
            return;
        }

        _il.Emit(OpCodes.Ldc_R8, BitConverter.Int64BitsToDouble(bits));
    }

    private void EmitInt(int value)
    {
        if (value is >= -1 and <= 8)
        {
            _il.Emit(value switch
            {
                -1 => OpCodes.Ldc_I4_M1,
                0 => OpCodes.Ldc_I4_0,
                1 => OpCodes.Ldc_I4_1,
                2 => OpCodes.Ldc_I4_2,
                3 => OpCodes.Ldc_I4_3,
                4 => OpCodes.Ldc_I4_4,
                5 => OpCodes.Ldc_I4_5,
                6 => OpCodes.Ldc_I4_6,
                7 => OpCodes.Ldc_I4_7,
                _ => OpCodes.Ldc_I4_8,
            });
        }
        else if (value is >= sbyte.MinValue and <= sbyte.MaxValue)
        {
            _il.Emit(OpCodes.Ldc_I4_S, (sbyte)value);
        }
        else
        {
            _il.Emit(OpCodes.Ldc_I4, value);
        }
    }

    private void EmitLong(long value)
    {
        if (value == (int)value)
        {
            EmitInt((int)value);
            _il.Emit(OpCodes.Conv_I8);
        }
        else
        {
            _il.Emit(OpCodes.Ldc_I8, value);
        }
    }

    private Variable SlotLocal(int depth, ValType type)
    {
        Type ilType = IlType(type);
        if (!_slots.TryGetValue((depth, ilType), out Variable local))
        {
            local = DeclareVariable(ilType);
            _slots.Add((depth, ilType), local);
        }

        return local;
    }

    /// <summary>A local for use within one instruction.</summary>
    private LocalBuilder Scratch(Type type)
    {
        if (!_scratch.TryGetValue(type, out LocalBuilder? local))
        {
            local = _il.DeclareLocal(type);
            _scratch.Add(type, local);
        }

        return local;
    }

    private bool IsArgument(int local) => _isInShell ? local < Shell.ParametersMax : _form == CodeForm.Fast && local < _code.Type.Parameters.Length;

    private Variable IlLocal(int local) => _locals[local] ??= DeclareVariable(IlType(_code.Locals[local]));

    private void LoadLocal(int local)
    {
        if (IsArgument(local))
        {
            EmitArgument(OpCodes.Ldarg_S, OpCodes.Ldarg, local + 1);
        }
        else
        {
            Load(IlLocal(local));
        }
    }

    private void StoreLocal(int local)
    {
        if (IsArgument(local))
        {
            EmitArgument(OpCodes.Starg_S, OpCodes.Starg, local + 1);
        }
        else
        {
            Store(IlLocal(local));
        }
    }

    private void EmitArgument(OpCode shortForm, OpCode longForm, int argument)
    {
        if (argument <= byte.MaxValue)
        {
            _il.Emit(shortForm, (byte)argument);
        }
        else
        {
            _il.Emit(longForm, (short)argument);
        }
    }

    // A declared global lies at a fixed distance behind the context; an imported one lies with its owner.
    private void EmitGlobalAddress(int global)
    {
        _il.Emit(OpCodes.Ldarg_0);
        if (global < _module.ImportedGlobalCount)
        {
            ContextFields.ImportedGlobals.EmitLoad(_il);
            EmitInt(global * sizeof(long));
            _il.Emit(OpCodes.Add);
            _il.Emit(OpCodes.Ldind_I);
        }
        else
        {
            EmitInt(CodeContext.GlobalsOffset + _compiler.Globals.OffsetOf(global - _module.ImportedGlobalCount));
            _il.Emit(OpCodes.Add);
        }
    }

    /// <summary>Stores a value to the context's slots, and moves on behind it.</summary>
    private void EmitStoreSlot(ref int unit, ValType type, Node value)
    {
        EmitSlotAddress(unit);
        EmitNode(value);
        EmitStoreIndirect(_il, type);
        unit += type.Units;
    }

    /// <summary>Loads a value from the context's slots, and moves on behind it.</summary>
    private void EmitLoadSlot(ref int unit, ValType type, Variable into)
    {
        EmitSlotAddress(unit);
        EmitLoadIndirect(_il, type);
        Store(into);
        unit += type.Units;
    }

    private void EmitSlotAddress(int unit)
    {
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.Slots.EmitLoad(_il);
        if (unit > 0)
        {
            EmitInt(unit * sizeof(long));
            _il.Emit(OpCodes.Add);
        }
    }
}
