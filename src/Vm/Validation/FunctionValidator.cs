using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>
/// Validates function bodies by the algorithm of the core specification's appendix: one pass, an operand stack of types and a
/// stack of open blocks, both on the heap, so that no depth of nesting can exhaust the thread's own stack.
/// </summary>
/// <remarks>
/// Invariants: the operand stack's floor and reachability are those of the innermost open block; the body's last byte is the
/// <c>end</c> that closes the function itself; types on the stack have canonical indices. One instance validates many bodies, and is not safe for several threads.
/// </remarks>
internal sealed partial class FunctionValidator(ValidationContext context)
{
    private readonly OperandStack _operands = new(context.Subtypes);
    private readonly ControlStack _blocks = new();
    private readonly SetLocals _setLocals = new();
    private ValType[] _locals = [];
    private int _parameterCount;
    private Opcode _opcode;
    private int _offset;

    /// <summary>Validates one body.</summary>
    /// <param name="functionIndex">The function's index.</param>
    /// <param name="body">Its body.</param>
    /// <exception cref="WasmFormatException">It is invalid.</exception>
    public void Validate(int functionIndex, FunctionBody body)
    {
        var type = BlockType.OfIndex(context.FunctionTypes[functionIndex]);
        Begin(type, body.Start);
        _locals = body.Locals;
        _parameterCount = ParametersOf(type).Length;
        var reader = new InstructionReader(context.Module.Bytes.Span, body.Start, body.End);
        while (_blocks.Count > 0)
        {
            if (!reader.Read(out Instruction instruction))
            {
                throw new WasmFormatException(
                    body.End, $"unexpected end of function {functionIndex}: END opcode expected for {_blocks.Count:N0} open blocks");
            }

            _opcode = instruction.Opcode;
            _offset = instruction.Offset;
            ValidateInstruction(in instruction);
        }

        if (reader.Offset != body.End)
        {
            throw new WasmFormatException(
                reader.Offset, $"END opcode expected at the end of function {functionIndex}: {body.End - reader.Offset:N0} bytes follow the one that closes it");
        }
    }

    private void Begin(BlockType type, int offset)
    {
        _operands.Clear();
        _blocks.Clear();
        _setLocals.Truncate(0);
        _locals = [];
        _parameterCount = 0;
        _offset = offset;
        _blocks.Push(new Block(Opcode.Block, type, 0, false, 0), offset);
    }

    private void ValidateInstruction(in Instruction instruction)
    {
        Opcode opcode = instruction.Opcode;
        if (opcode is >= Opcode.I32Eqz and <= Opcode.I64Extend32S)
        {
            ValidateNumeric(Signatures.OfNumeric(opcode));
            return;
        }

        if (opcode is >= Opcode.I32Load and <= Opcode.I64Store32)
        {
            ValidateAccess(in instruction);
            return;
        }

        switch (opcode)
        {
            case Opcode.LocalGet:
                Push(ReadableLocal(instruction.Index));
                break;
            case Opcode.LocalSet:
                Pop(AssignedLocal(instruction.Index));
                break;
            case Opcode.LocalTee:
                ValType local = AssignedLocal(instruction.Index);
                Pop(local);
                Push(local);
                break;
            case Opcode.I32Const:
                Push(ValType.I32);
                break;
            case Opcode.I64Const:
                Push(ValType.I64);
                break;
            case Opcode.F32Const:
                Push(ValType.F32);
                break;
            case Opcode.F64Const:
                Push(ValType.F64);
                break;
            case Opcode.GlobalGet:
                Push(GlobalAt(instruction.Index).ValueType);
                break;
            case Opcode.GlobalSet:
                GlobalType global = GlobalAt(instruction.Index);
                Pop(global.IsMutable ? global.ValueType : throw Invalid($"immutable global: global {instruction.Index} may not be set"));
                break;
            case Opcode.Nop:
                break;
            case Opcode.Drop:
                PopAny();
                break;
            case Opcode.Select:
                ValidateSelect();
                break;
            case Opcode.SelectT:
                ValType selected = Resolve(instruction.Type);
                Pop([selected, selected, ValType.I32]);
                Push(selected);
                break;
            case Opcode.Try or Opcode.Catch or Opcode.Throw or Opcode.Rethrow or Opcode.ThrowRef or Opcode.Delegate or Opcode.CatchAll or Opcode.TryTable:
                ValidateException(in instruction);
                break;
            case Opcode.BrOnNull or Opcode.BrOnNonNull:
                ValidateNullBranch(in instruction);
                break;
            case <= Opcode.ReturnCallRef:
                ValidateControl(in instruction);
                break;
            case >= Opcode.I32TruncSatF32S and <= Opcode.I64TruncSatF64U:
                ValidateNumeric(Signatures.OfSaturating(opcode));
                break;
            case >= Opcode.StructNew and <= Opcode.I31GetU:
                ValidateObject(in instruction);
                break;
            case (>= Opcode.V128Load and <= Opcode.F64x2ConvertLowI32x4U) or >= Opcode.I8x16RelaxedSwizzle:
                ValidateVector(in instruction);
                break;
            case >= Opcode.MemoryAtomicNotify:
                ValidateAtomic(in instruction);
                break;
            case <= Opcode.RefAsNonNull:
                ValidateReference(in instruction);
                break;
            default:
                ValidateBulk(in instruction);
                break;
        }
    }

    private void ValidateNumeric(NumericSignature signature)
    {
        Pop(signature.Operand);
        if (signature.IsBinary)
        {
            Pop(signature.Operand);
        }

        Push(signature.Result);
    }

    private void ValidateAccess(in Instruction instruction)
    {
        AccessSignature signature = Signatures.OfAccess(instruction.Opcode);
        ValType address = AddressOfAccess(in instruction, signature.AlignmentExponentMax);
        if (instruction.Opcode >= Opcode.I32Store)
        {
            Pop(signature.Value);
            Pop(address);
        }
        else
        {
            Pop(address);
            Push(signature.Value);
        }
    }

    /// <summary>Checks a memory access's immediates.</summary>
    /// <returns>The type of its address.</returns>
    private ValType AddressOfAccess(in Instruction instruction, int alignmentExponentMax)
    {
        MemoryType memory = MemoryAt(instruction.Index);
        if (instruction.AlignmentExponent > alignmentExponentMax)
        {
            throw Invalid($"alignment must not be larger than natural: 2^{instruction.AlignmentExponent}, where at most 2^{alignmentExponentMax} is natural");
        }

        if (!memory.Is64 && (ulong)instruction.Immediate > uint.MaxValue)
        {
            throw Invalid($"offset out of range: {(ulong)instruction.Immediate:N0}, where a memory with 32-bit addresses allows at most {uint.MaxValue:N0}");
        }

        return memory.AddressType;
    }

    /// <summary>Select without a type takes numbers and vectors only (core specification, section 3.4.2).</summary>
    private void ValidateSelect()
    {
        Pop(ValType.I32);
        ValType second = PopAny();
        ValType first = PopAny();
        if (first.IsReference || second.IsReference)
        {
            throw Invalid("type mismatch: select without a type expects numbers, found references");
        }

        if (first != second && first != ValType.Bottom && second != ValType.Bottom)
        {
            throw Invalid($"type mismatch: select expects two of one type, found {ValTypes.NameOf(first)} and {ValTypes.NameOf(second)}");
        }

        Push(first == ValType.Bottom ? second : first);
    }

    private ValType ReadableLocal(int index)
    {
        ValType type = LocalType(index);
        return type.IsDefaultable || index < _parameterCount || _setLocals.Contains(index)
            ? type
            : throw Invalid($"uninitialized local: local {index} is {ValTypes.NameOf(type)}, which has no initial value, and was not set");
    }

    private ValType AssignedLocal(int index)
    {
        ValType type = LocalType(index);
        if (!type.IsDefaultable)
        {
            _setLocals.Add(index);
        }

        return type;
    }

    private void Push(ValType type) => _operands.Push(type, _offset);

    private void Pop(ValType expected)
    {
        if (!_operands.TryPop(expected))
        {
            throw Mismatch([expected]);
        }
    }

    private ValType PopAny() => _operands.TryPop(out ValType found) ? found : throw Mismatch([ValType.Bottom]);

    private void Pop(ReadOnlySpan<ValType> expected)
    {
        if (!_operands.TryPop(expected))
        {
            throw Mismatch(expected);
        }
    }

    private void Note(WasmFeature feature) => context.Features.Note(feature, _offset);

    private ValType LocalType(int index) =>
        (uint)index < (uint)_locals.Length ? _locals[index] : throw Invalid($"unknown local {index}: the function has {_locals.Length:N0}");

    private WasmFormatException Invalid(string message) => new(_offset, $"{message} ({OpcodeNames.NameOf(_opcode)})");

    private WasmFormatException Mismatch(ReadOnlySpan<ValType> expected)
    {
        ReadOnlySpan<ValType> found = _operands.InBlock;
        string shown = found.IsEmpty ? "nothing on the stack of this block" : Join(found[^Math.Min(found.Length, expected.Length)..]);
        return new WasmFormatException(
            _offset, $"type mismatch: {OpcodeNames.NameOf(_opcode)} expects {Join(expected)}, found {shown}");
    }

    private static string Join(ReadOnlySpan<ValType> types)
    {
        const int ShownMax = 8;
        string[] names = new string[Math.Min(types.Length, ShownMax)];
        ReadOnlySpan<ValType> top = types[^names.Length..];
        for (int i = 0; i < names.Length; i++)
        {
            names[i] = ValTypes.NameOf(top[i]);
        }

        string text = (types.Length > ShownMax ? $"... ({types.Length:N0} in all) " : "") + string.Join(' ', names);
        return names.Length == 1 ? text : $"[{text}]";
    }
}
