using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>References, tables, memories and segments (core specification, sections 3.4.3 to 3.4.5).</content>
internal sealed partial class FunctionValidator
{
    private void ValidateReference(in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.RefNull:
                Push(Resolve(instruction.Type));
                break;
            case Opcode.RefIsNull:
                PopReference();
                Push(ValType.I32);
                break;
            case Opcode.RefFunc:
                int typeIndex = FunctionTypeIndex(instruction.Index);
                if (!context.IsDeclared(instruction.Index))
                {
                    throw Invalid(
                        $"undeclared function reference: function {instruction.Index} occurs in no export, element segment or global, where one was expected");
                }

                Push(ReferenceTo(typeIndex).AsNonNull());
                break;
            case Opcode.RefEq:
                Note(WasmFeature.GarbageCollection);
                Pop([ValType.EqRef, ValType.EqRef]);
                Push(ValType.I32);
                break;
            case Opcode.RefAsNonNull:
                Note(WasmFeature.FunctionReferences);
                Push(PopReference().AsNonNull());
                break;
            case Opcode.TableGet:
                TableType read = TableAt(instruction.Index);
                Pop(read.AddressType);
                Push(read.ElementType);
                break;
            case Opcode.TableSet:
                TableType written = TableAt(instruction.Index);
                Pop([written.AddressType, written.ElementType]);
                break;
            case Opcode.MemorySize:
                Push(MemoryAt(instruction.Index).AddressType);
                break;
            default: // MemoryGrow.
                ValType pages = MemoryAt(instruction.Index).AddressType;
                Pop(pages);
                Push(pages);
                break;
        }
    }

    private void ValidateBulk(in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.TableSize:
                Push(TableAt(instruction.Index).AddressType);
                break;
            case Opcode.TableGrow:
                TableType grown = TableAt(instruction.Index);
                Pop([grown.ElementType, grown.AddressType]);
                Push(grown.AddressType);
                break;
            case Opcode.TableFill:
                TableType filled = TableAt(instruction.Index);
                Pop([filled.AddressType, filled.ElementType, filled.AddressType]);
                break;
            case Opcode.TableCopy:
                TableType to = TableAt(instruction.Index);
                TableType from = TableAt(instruction.Index2);
                RequireFitting(to.ElementType, from.ElementType);
                Pop([to.AddressType, from.AddressType, Narrower(to.AddressType, from.AddressType)]);
                break;
            case Opcode.TableInit:
                TableType table = TableAt(instruction.Index2);
                RequireFitting(table.ElementType, ElementsAt(instruction.Index).ElementType);
                Pop([table.AddressType, ValType.I32, ValType.I32]);
                break;
            case Opcode.ElemDrop:
                ElementsAt(instruction.Index);
                break;
            case Opcode.MemoryFill:
                ValType address = MemoryAt(instruction.Index).AddressType;
                Pop([address, ValType.I32, address]);
                break;
            case Opcode.MemoryCopy:
                ValType destination = MemoryAt(instruction.Index).AddressType;
                ValType source = MemoryAt(instruction.Index2).AddressType;
                Pop([destination, source, Narrower(destination, source)]);
                break;
            case Opcode.MemoryInit:
                ValType memory = MemoryAt(instruction.Index2).AddressType;
                RequireData(instruction.Index);
                Pop([memory, ValType.I32, ValType.I32]);
                break;
            default: // DataDrop.
                RequireData(instruction.Index);
                break;
        }
    }

    /// <summary>The type of a length that both addresses can span.</summary>
    private static ValType Narrower(ValType first, ValType second) => first == ValType.I32 ? first : second;

    /// <summary>Takes a reference of any type.</summary>
    /// <returns>Its type.</returns>
    private ValType PopReference()
    {
        ValType found = PopAny();
        if (!found.IsReference && found != ValType.Bottom)
        {
            throw Invalid($"type mismatch: expected a reference, found {ValTypes.NameOf(found)}");
        }

        return found;
    }

    private void RequireFitting(ValType destination, ValType source)
    {
        if (!context.Subtypes.IsSubtype(source, destination))
        {
            throw Invalid(
                $"type mismatch: a table of {ValTypes.NameOf(destination)} cannot take elements of {ValTypes.NameOf(source)}");
        }
    }
}
