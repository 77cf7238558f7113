using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>Constant expressions (core specification, section 3.4.13): bodies of few instructions, which refer to what is there before code runs.</content>
internal sealed partial class FunctionValidator
{
    /// <summary>Validates an expression, and declares the functions that it refers to.</summary>
    /// <param name="expression">The expression. That its instructions are constant was seen when it was decoded.</param>
    /// <param name="expected">The type that it must leave.</param>
    /// <param name="owner">What it is for.</param>
    /// <param name="globalCount">How many globals have a value before it: it may read these.</param>
    public void ValidateConstant(ConstantExpression expression, ValType expected, string owner, int globalCount)
    {
        Begin(BlockType.Of(expected), expression.Start);
        var reader = new InstructionReader(context.Module.Bytes.Span, expression.Start, expression.End);
        Opcode last = Opcode.End;
        while (reader.Read(out Instruction instruction) && instruction.Opcode != Opcode.End)
        {
            _opcode = instruction.Opcode;
            _offset = instruction.Offset;
            last = _opcode;
            if (_opcode == Opcode.GlobalGet)
            {
                RequireConstantGlobal(instruction.Index, globalCount);
            }
            else if (_opcode == Opcode.RefFunc)
            {
                FunctionTypeIndex(instruction.Index);
                context.Declare(instruction.Index);
            }
            else if (ConstantInstructions.IsArithmetic(_opcode))
            {
                Note(WasmFeature.ExtendedConstants);
            }

            ValidateInstruction(in instruction);
        }

        ReadOnlySpan<ValType> left = _operands.InBlock;
        if (left.Length != 1)
        {
            throw new WasmFormatException(
                expression.Start, $"type mismatch: {owner} must be one {ValTypes.NameOf(expected)}, found {left.Length:N0} values");
        }

        if (!context.Subtypes.IsSubtype(left[0], expected))
        {
            throw new WasmFormatException(
                _offset, $"type mismatch: {owner} must be {ValTypes.NameOf(expected)}, found {ValTypes.NameOf(left[0])} from {OpcodeNames.NameOf(last)}");
        }
    }

    private void RequireConstantGlobal(int index, int globalCount)
    {
        if (index >= globalCount)
        {
            throw Invalid($"unknown global {index} in a constant expression, where {globalCount:N0} are known");
        }

        if (context.Globals[index].IsMutable)
        {
            throw Invalid($"constant expression required: global {index} is mutable");
        }

        if (index >= context.Module.ImportedGlobalCount)
        {
            Note(WasmFeature.ExtendedConstants);
        }
    }
}
