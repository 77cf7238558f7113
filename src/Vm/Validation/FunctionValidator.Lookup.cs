using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <content>What indices stand for.</content>
internal sealed partial class FunctionValidator
{
    private GlobalType GlobalAt(int index) =>
        index < context.Globals.Length ? context.Globals[index] : throw Invalid($"unknown global {index}: the module has {context.Globals.Length:N0}");

    private TableType TableAt(int index) =>
        index < context.Tables.Length ? context.Tables[index] : throw Invalid($"unknown table {index}: the module has {context.Tables.Length:N0}");

    private MemoryType MemoryAt(int index) => index < context.Memories.Length
        ? context.Memories[index]
        : throw Invalid($"unknown memory {index}: the module has {(context.Memories.Length == 0 ? "none" : $"{context.Memories.Length:N0}")}");

    private FunctionType TagParameters(int index) =>
        index < context.Tags.Length ? context.Tags[index].Type : throw Invalid($"unknown tag {index}: the module has {context.Tags.Length:N0}");

    private ElementSegment ElementsAt(int index) => index < context.Elements.Length
        ? context.Elements[index]
        : throw Invalid($"unknown elem segment {index}: the module has {context.Elements.Length:N0}");

    private int FunctionTypeIndex(int function) => function < context.FunctionTypes.Length
        ? context.FunctionTypes[function]
        : throw Invalid($"unknown function {function}: the module has {context.FunctionTypes.Length:N0}");

    private CompositeType TypeAt(int index) =>
        index < context.Types.Length ? context.Types[index].Type : throw Invalid($"unknown type {index}: the module has {context.Types.Length:N0}");

    private FunctionType FunctionTypeAt(int index) => TypeAt(index) as FunctionType ?? throw WrongType(index, "a function type");

    private WasmFormatException WrongType(int index, string expected) => Invalid($"type mismatch: type {index} is {TypeAt(index)}, where {expected} was expected");

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

    /// <summary>The nullable reference to a type.</summary>
    private ValType ReferenceTo(int typeIndex) => ValTypes.Concrete(context.Module.CanonicalTypeIndex(typeIndex));

    /// <summary>Looks up a type that an instruction names.</summary>
    private ValType Resolve(ValType type)
    {
        context.Features.Note(type, _offset);
        if (type.IsConcrete)
        {
            TypeAt(type.TypeIndex);
        }

        return context.Module.Canonical(type);
    }

    private BlockType Checked(BlockType type)
    {
        if (type.TypeIndex >= 0)
        {
            FunctionTypeAt(type.TypeIndex);
        }
        else if (type.Result != ValType.Bottom)
        {
            Resolve(type.Result);
        }

        return type;
    }

    private ReadOnlySpan<ValType> ParametersOf(BlockType type) => type.ParametersIn(context.Module);

    private ReadOnlySpan<ValType> ResultsOf(BlockType type) => type.ResultsIn(context.Module);
}
