using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>References, tables, memories and segments (core specification, sections 3.3.2, 3.3.6 and 3.3.7).</content>
internal sealed partial class FunctionValidator
{
    private void ValidateStorage(in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.RefNull:
                Push(instruction.Type);
                break;
            case Opcode.RefIsNull:
                ValType reference = PopAny();
                if (!IsReference(reference) && reference != ValType.Bottom)
                {
                    throw Invalid($"type mismatch: expected a reference, found {ValTypes.NameOf(reference)}");
                }

                Push(ValType.I32);
                break;
            case Opcode.RefFunc:
                FunctionTypeIndex(instruction.Index);
                if (!context.IsDeclared(instruction.Index))
                {
                    throw Invalid(
                        $"undeclared function reference: function {instruction.Index} occurs in no export, element segment or global, where one was expected");
                }

                Push(ValType.FuncRef);
                break;
            case Opcode.TableGet:
                ValType read = TableAt(instruction.Index).ElementType;
                Pop(ValType.I32);
                Push(read);
                break;
            case Opcode.TableSet:
                Pop(TableAt(instruction.Index).ElementType);
                Pop(ValType.I32);
                break;
            case Opcode.TableSize:
                TableAt(instruction.Index);
                Push(ValType.I32);
                break;
            case Opcode.TableGrow:
                ValType grown = TableAt(instruction.Index).ElementType;
                Pop(ValType.I32);
                Pop(grown);
                Push(ValType.I32);
                break;
            case Opcode.TableFill:
                ValType filled = TableAt(instruction.Index).ElementType;
                Pop(ValType.I32);
                Pop(filled);
                Pop(ValType.I32);
                break;
            case Opcode.TableCopy:
                RequireSameType(TableAt(instruction.Index).ElementType, TableAt(instruction.Index2).ElementType);
                PopThreeNumbers();
                break;
            case Opcode.TableInit:
                RequireSameType(TableAt(instruction.Index2).ElementType, ElementsAt(instruction.Index).ElementType.AsNullable());
                PopThreeNumbers();
                break;
            case Opcode.ElemDrop:
                ElementsAt(instruction.Index);
                break;
            case Opcode.MemorySize:
                RequireMemory();
                Push(ValType.I32);
                break;
            case Opcode.MemoryGrow:
                RequireMemory();
                Pop(ValType.I32);
                Push(ValType.I32);
                break;
            case Opcode.MemoryFill or Opcode.MemoryCopy:
                RequireMemory();
                PopThreeNumbers();
                break;
            case Opcode.MemoryInit:
                RequireMemory();
                RequireData(instruction.Index);
                PopThreeNumbers();
                break;
            case Opcode.DataDrop:
                RequireData(instruction.Index);
                break;
            default:
                throw Invalid("not validated yet");
        }
    }

    private void PopThreeNumbers()
    {
        Pop(ValType.I32);
        Pop(ValType.I32);
        Pop(ValType.I32);
    }

    private void RequireSameType(ValType destination, ValType source)
    {
        if (destination != source)
        {
            throw Invalid(
                $"type mismatch: a table of {ValTypes.NameOf(destination)} cannot take elements of {ValTypes.NameOf(source)}");
        }
    }

    private ElementSegment ElementsAt(int index) => index < context.Elements.Length
        ? context.Elements[index]
        : throw Invalid($"unknown elem segment {index}: the module has {context.Elements.Length:N0}");

    private void RequireData(int index)
    {
        if (context.Module.DeclaredDataCount is not int count)
        {
            throw Invalid("data count section required, but the module has none");
        }

        if (index >= count)
        {
            throw Invalid($"unknown data segment {index}: the module has {count:N0}");
        }
    }
}
