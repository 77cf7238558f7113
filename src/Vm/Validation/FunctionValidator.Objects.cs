using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>Structures, arrays, i31 and casts (core specification, sections 3.4.6 and 3.4.7).</content>
internal sealed partial class FunctionValidator
{
    private void ValidateObject(in Instruction instruction)
    {
        Note(WasmFeature.GarbageCollection);
        switch (instruction.Opcode)
        {
            case <= Opcode.StructSet:
                ValidateStruct(in instruction);
                break;
            case <= Opcode.ArrayInitElem:
                ValidateArray(in instruction);
                break;
            case Opcode.RefTest or Opcode.RefTestNull:
                Pop(context.Subtypes.TopOf(Resolve(instruction.Type)));
                Push(ValType.I32);
                break;
            case Opcode.RefCast or Opcode.RefCastNull:
                ValType target = Resolve(instruction.Type);
                Pop(context.Subtypes.TopOf(target));
                Push(target);
                break;
            case Opcode.BrOnCast or Opcode.BrOnCastFail:
                ValidateCastBranch(in instruction);
                break;
            case Opcode.AnyConvertExtern:
                PushAsNullableAs(PopReference(ValType.ExternRef), ValType.AnyRef);
                break;
            case Opcode.ExternConvertAny:
                PushAsNullableAs(PopReference(ValType.AnyRef), ValType.ExternRef);
                break;
            case Opcode.RefI31:
                Pop(ValType.I32);
                Push(ValType.I31Ref.AsNonNull());
                break;
            default: // I31GetS, I31GetU.
                Pop(ValType.I31Ref);
                Push(ValType.I32);
                break;
        }
    }

    private void ValidateStruct(in Instruction instruction)
    {
        int index = instruction.Index;
        StructType type = StructAt(index);
        switch (instruction.Opcode)
        {
            case Opcode.StructNew:
                Pop(type.FieldValueTypes);
                Push(ReferenceTo(index).AsNonNull());
                break;
            case Opcode.StructNewDefault:
                if (type.FirstNotDefaultable is int field)
                {
                    RequireDefaultable(type.Fields[field], $"field {field}");
                }

                Push(ReferenceTo(index).AsNonNull());
                break;
            case Opcode.StructSet:
                FieldType assigned = FieldAt(type, in instruction);
                RequireMutable(assigned, $"field {instruction.Index2}");
                Pop(assigned.ValueType);
                Pop(ReferenceTo(index));
                break;
            default:
                FieldType read = FieldAt(type, in instruction);
                RequireReading(read, instruction.Opcode != Opcode.StructGet);
                Pop(ReferenceTo(index));
                Push(read.ValueType);
                break;
        }
    }

    private void ValidateArray(in Instruction instruction)
    {
        if (instruction.Opcode == Opcode.ArrayLen)
        {
            Pop(ValType.ArrayRef);
            Push(ValType.I32);
            return;
        }

        int index = instruction.Index;
        FieldType element = ArrayAt(index).Element;
        switch (instruction.Opcode)
        {
            case Opcode.ArrayGet or Opcode.ArrayGetS or Opcode.ArrayGetU:
                RequireReading(element, instruction.Opcode != Opcode.ArrayGet);
                Pop([ReferenceTo(index), ValType.I32]);
                Push(element.ValueType);
                break;
            case Opcode.ArraySet:
                RequireMutable(element, "the element");
                Pop([ReferenceTo(index), ValType.I32, element.ValueType]);
                break;
            case Opcode.ArrayFill:
                RequireMutable(element, "the element");
                Pop([ReferenceTo(index), ValType.I32, element.ValueType, ValType.I32]);
                break;
            case Opcode.ArrayCopy:
                ValidateArrayCopy(index, element, instruction.Index2);
                break;
            case Opcode.ArrayInitData or Opcode.ArrayInitElem:
                RequireMutable(element, "the element");
                RequireSegment(element, in instruction);
                Pop([ReferenceTo(index), ValType.I32, ValType.I32, ValType.I32]);
                break;
            default:
                ValidateNewArray(in instruction, element);
                Push(ReferenceTo(index).AsNonNull());
                break;
        }
    }

    private void ValidateNewArray(in Instruction instruction, FieldType element)
    {
        switch (instruction.Opcode)
        {
            case Opcode.ArrayNew:
                Pop([element.ValueType, ValType.I32]);
                break;
            case Opcode.ArrayNewDefault:
                RequireDefaultable(element, "the element");
                Pop(ValType.I32);
                break;
            case Opcode.ArrayNewFixed:
                if (instruction.Index2 > ModuleLimits.ArrayNewFixedElementsMax)
                {
                    throw Invalid($"too many elements: {instruction.Index2:N0}, where at most {ModuleLimits.ArrayNewFixedElementsMax:N0} are allowed");
                }

                for (int i = 0; i < instruction.Index2 && !_operands.HasAnyNumberOfAll; i++)
                {
                    Pop(element.ValueType);
                }

                break;
            default: // ArrayNewData, ArrayNewElem.
                RequireSegment(element, in instruction);
                Pop([ValType.I32, ValType.I32]);
                break;
        }
    }

    private void ValidateArrayCopy(int destination, FieldType element, int source)
    {
        RequireMutable(element, "the element");
        FieldType from = ArrayAt(source).Element;
        if (!context.Subtypes.IsSubtype(from.StorageType, element.StorageType))
        {
            throw Invalid($"array types do not match: an array of {ValTypes.NameOf(element.StorageType)} cannot take {ValTypes.NameOf(from.StorageType)}");
        }

        Pop([ReferenceTo(destination), ValType.I32, ReferenceTo(source), ValType.I32, ValType.I32]);
    }

    /// <summary>Requires a segment whose contents an array can take.</summary>
    private void RequireSegment(FieldType element, in Instruction instruction)
    {
        if (instruction.Opcode is Opcode.ArrayNewElem or Opcode.ArrayInitElem)
        {
            ValType found = ElementsAt(instruction.Index2).ElementType;
            if (!context.Subtypes.IsSubtype(found, element.StorageType))
            {
                throw Invalid($"type mismatch: an array of {ValTypes.NameOf(element.StorageType)} cannot take elements of {ValTypes.NameOf(found)}");
            }

            return;
        }

        if (element.StorageType.IsReference)
        {
            throw Invalid($"array type is not numeric or vector: its elements are {ValTypes.NameOf(element.StorageType)}");
        }

        RequireData(instruction.Index2);
    }

    private void ValidateCastBranch(in Instruction instruction)
    {
        ValType from = Resolve(instruction.Type);
        ValType to = Resolve(instruction.Type2);
        if (!context.Subtypes.IsSubtype(to, from))
        {
            throw Invalid($"type mismatch: {ValTypes.NameOf(from)} cannot be cast to {ValTypes.NameOf(to)}, which is no subtype of it");
        }

        // Where the cast takes null, what it does not take cannot be null.
        ValType rest = to.IsNullable ? from.AsNonNull() : from;
        bool branchesWhenCast = instruction.Opcode == Opcode.BrOnCast;
        ReadOnlySpan<ValType> types = LabelTypes(instruction.Index);
        ValType sent = branchesWhenCast ? to : rest;
        if (types.IsEmpty || !context.Subtypes.IsSubtype(sent, types[^1]))
        {
            throw Invalid($"type mismatch: label {instruction.Index} takes {Join(types)}, where {ValTypes.NameOf(sent)} was expected last");
        }

        Pop(from);
        Pop(types[..^1]);
        _operands.Push(types[..^1], _offset);
        Push(branchesWhenCast ? rest : to);
    }

    /// <summary>Takes a reference.</summary>
    /// <returns>Its type.</returns>
    private ValType PopReference(ValType expected)
    {
        ValType found = PopAny();
        return context.Subtypes.IsSubtype(found, expected)
            ? found
            : throw Invalid($"type mismatch: expected {ValTypes.NameOf(expected)}, found {ValTypes.NameOf(found)}");
    }

    private void PushAsNullableAs(ValType operand, ValType result) => Push(operand.IsNullable ? result : result.AsNonNull());

    private void RequireDefaultable(FieldType field, string what)
    {
        if (!field.StorageType.IsDefaultable)
        {
            throw Invalid($"field type is not defaultable: {what} is {ValTypes.NameOf(field.StorageType)}");
        }
    }

    private void RequireMutable(FieldType field, string what)
    {
        if (!field.IsMutable)
        {
            throw Invalid($"immutable field or array: {what} may not be set");
        }
    }

    private void RequireReading(FieldType field, bool extends)
    {
        if (field.IsPacked != extends)
        {
            throw Invalid(field.IsPacked
                ? $"field is packed: {ValTypes.NameOf(field.StorageType)} must be read with _s or _u"
                : $"field is unpacked: {ValTypes.NameOf(field.StorageType)} must be read without _s or _u");
        }
    }

    private FieldType FieldAt(StructType type, in Instruction instruction) => instruction.Index2 < type.Fields.Length
        ? type.Fields[instruction.Index2]
        : throw Invalid($"unknown field {instruction.Index2}: type {instruction.Index} has {type.Fields.Length:N0}");

    private StructType StructAt(int index) => TypeAt(index) as StructType ?? throw WrongType(index, "a structure");

    private ArrayType ArrayAt(int index) => TypeAt(index) as ArrayType ?? throw WrongType(index, "an array");
}
