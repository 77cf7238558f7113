using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>Validates constant expressions (core specification, section 3.3.13). In 2.0 that is one instruction and <c>end</c>.</summary>
internal sealed class ConstantExpressionValidator(ValidationContext context)
{
    /// <summary>Validates an expression, and declares the function that it refers to.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="expected">The type that it must leave.</param>
    /// <param name="owner">What it is for.</param>
    public void Validate(ConstantExpression expression, ValType expected, string owner)
    {
        var reader = new InstructionReader(context.Module.Bytes.Span, expression.Start, expression.End);
        int valueCount = 0;
        while (reader.Read(out Instruction instruction) && instruction.Opcode != Opcode.End)
        {
            ValType found = TypeOf(in instruction);
            if (++valueCount == 1 && found != expected)
            {
                throw new WasmFormatException(
                    instruction.Offset,
                    $"type mismatch: {owner} must be {ValTypes.NameOf(expected)}, found {ValTypes.NameOf(found)} from {OpcodeNames.NameOf(instruction.Opcode)}");
            }
        }

        if (valueCount != 1)
        {
            throw new WasmFormatException(
                expression.Start, $"type mismatch: {owner} must be one {ValTypes.NameOf(expected)}, found {valueCount:N0} values");
        }
    }

    private ValType TypeOf(in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.I32Const:
                return ValType.I32;
            case Opcode.I64Const:
                return ValType.I64;
            case Opcode.F32Const:
                return ValType.F32;
            case Opcode.F64Const:
                return ValType.F64;
            case Opcode.RefNull:
                return instruction.Type;
            case Opcode.RefFunc:
                if (instruction.Index >= context.FunctionTypes.Length)
                {
                    throw new WasmFormatException(
                        instruction.Offset, $"unknown function {instruction.Index}: the module has {context.FunctionTypes.Length:N0}");
                }

                context.Declare(instruction.Index);
                return ValType.FuncRef;
            case Opcode.GlobalGet:
                return TypeOfGlobal(in instruction);
            default:
                throw new WasmFormatException(
                    instruction.Offset, $"constant expression required: {OpcodeNames.NameOf(instruction.Opcode)} is not constant");
        }
    }

    private ValType TypeOfGlobal(in Instruction instruction)
    {
        int index = instruction.Index;
        if (index >= context.Globals.Length)
        {
            throw new WasmFormatException(instruction.Offset, $"unknown global {index}: the module has {context.Globals.Length:N0}");
        }

        GlobalType type = context.Globals[index];
        if (type.IsMutable)
        {
            throw new WasmFormatException(instruction.Offset, $"constant expression required: global {index} is mutable");
        }

        if (index >= context.Module.ImportedGlobalCount)
        {
            throw new WasmFormatException(
                instruction.Offset,
                $"unknown global {index} in a constant expression, where only imported globals ({context.Module.ImportedGlobalCount:N0}) are known");
        }

        return type.ValueType;
    }
}
