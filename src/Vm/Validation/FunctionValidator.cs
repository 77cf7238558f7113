using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>
/// Validates function bodies by the algorithm of the core specification's appendix: one pass, an operand stack of types and a
/// stack of open blocks, both on the heap, so that no depth of nesting can exhaust the thread's own stack.
/// </summary>
/// <remarks>
/// Invariants: the operand stack's floor and reachability are those of the innermost open block; the body's last byte is the
/// <c>end</c> that closes the function itself. One instance validates many bodies, and is not safe for several threads.
/// </remarks>
internal sealed partial class FunctionValidator(ValidationContext context)
{
    private readonly OperandStack _operands = new();
    private readonly ControlStack _blocks = new();
    private ValType[] _locals = [];
    private Opcode _opcode;
    private int _offset;

    /// <summary>Validates one body.</summary>
    /// <param name="functionIndex">The function's index.</param>
    /// <param name="body">Its body.</param>
    /// <exception cref="WasmFormatException">It is invalid.</exception>
    public void Validate(int functionIndex, FunctionBody body)
    {
        _operands.Clear();
        _blocks.Clear();
        _locals = body.Locals;
        _offset = body.Start;
        _blocks.Push(new Block(Opcode.Block, BlockType.OfIndex(context.FunctionTypes[functionIndex]), 0, false), body.Start);
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
                Push(LocalType(instruction.Index));
                break;
            case Opcode.LocalSet:
                Pop(LocalType(instruction.Index));
                break;
            case Opcode.LocalTee:
                ValType local = LocalType(instruction.Index);
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
                Pop(ValType.I32);
                Pop(instruction.Type);
                Pop(instruction.Type);
                Push(instruction.Type);
                break;
            case <= Opcode.CallIndirect:
                ValidateControl(in instruction);
                break;
            case >= Opcode.I32TruncSatF32S and <= Opcode.I64TruncSatF64U:
                ValidateNumeric(Signatures.OfSaturating(opcode));
                break;
            default:
                ValidateStorage(in instruction);
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
        RequireMemory();
        AccessSignature signature = Signatures.OfAccess(instruction.Opcode);
        if (instruction.AlignmentExponent > signature.AlignmentExponentMax)
        {
            throw Invalid(
                $"alignment must not be larger than natural: 2^{instruction.AlignmentExponent}, where at most 2^{signature.AlignmentExponentMax} is natural");
        }

        if (instruction.Opcode >= Opcode.I32Store)
        {
            Pop(signature.Value);
            Pop(ValType.I32);
        }
        else
        {
            Pop(ValType.I32);
            Push(signature.Value);
        }
    }

    /// <summary>Select without a type takes numbers only (core specification, section 3.3.4).</summary>
    private void ValidateSelect()
    {
        Pop(ValType.I32);
        ValType second = PopAny();
        ValType first = PopAny();
        if (IsReference(first) || IsReference(second))
        {
            throw Invalid("type mismatch: select without a type expects numbers, found references");
        }

        if (first != second && first != ValType.Bottom && second != ValType.Bottom)
        {
            throw Invalid($"type mismatch: select expects two of one type, found {ValTypes.NameOf(first)} and {ValTypes.NameOf(second)}");
        }

        Push(first == ValType.Bottom ? second : first);
    }

    private static bool IsReference(ValType type) => type is ValType.FuncRef or ValType.ExternRef;

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

    private ValType LocalType(int index) =>
        (uint)index < (uint)_locals.Length ? _locals[index] : throw Invalid($"unknown local {index}: the function has {_locals.Length:N0}");

    private GlobalType GlobalAt(int index) =>
        index < context.Globals.Length ? context.Globals[index] : throw Invalid($"unknown global {index}: the module has {context.Globals.Length:N0}");

    private TableType TableAt(int index) =>
        index < context.Tables.Length ? context.Tables[index] : throw Invalid($"unknown table {index}: the module has {context.Tables.Length:N0}");

    private FunctionType TypeAt(int index) =>
        index < context.Types.Length ? context.Types[index] : throw Invalid($"unknown type {index}: the module has {context.Types.Length:N0}");

    private void RequireMemory()
    {
        if (!context.HasMemory)
        {
            throw Invalid("unknown memory 0: the module has none");
        }
    }

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
