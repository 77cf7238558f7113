using System.Globalization;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Whether what an import is given fits what the module asks for (core specification, section 3.4.10: matching of external types).</summary>
internal static class ImportMatching
{
    /// <summary>What stands in the way of giving something to an import.</summary>
    /// <param name="types">The types of the group.</param>
    /// <param name="module">The module.</param>
    /// <param name="import">One of its imports.</param>
    /// <param name="given">What it is to be given.</param>
    /// <returns>The reason, for people; null if it fits.</returns>
    public static string? WhyNot(TypeUniverse types, Module module, Import import, External given)
    {
        if (given.Kind != import.Kind)
        {
            return $"{NameOf(import)} is a {NameOf(given.Kind)}, and a {NameOf(import.Kind)} is imported";
        }

        (bool fits, string has, string wanted) = given switch
        {
            ExternalTable table => Compare(types, table.Table, module, module.Tables[import.Index]),
            ExternalMemory memory => Compare(memory.Memory, module.Memories[import.Index]),
            ExternalGlobal global => Compare(types, global, module, module.Globals[import.Index]),
            ExternalTag tag => (
                types.NumberOf(tag.Owner.Module, tag.Owner.Module.Tags[tag.Index].TypeIndex) == types.NumberOf(module, module.Tags[import.Index].TypeIndex),
                $"a tag {tag.Type}",
                $"one {module.Tags[import.Index].Type}"),
            GuestFunction function => Compare(types, function, module, module.FunctionTypes[import.Index]),
            _ => (((HostFunction)given).Type.Equals(module.FunctionTypeOf(import.Index)), $"a function {((HostFunction)given).Type}", $"one {module.FunctionTypeOf(import.Index)}"),
        };
        return fits ? null : $"{NameOf(import)} is {has}, and {wanted} is imported";
    }

    /// <summary>A kind in words.</summary>
    public static string NameOf(ExternalKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>An import's two names, as errors give them.</summary>
    public static string NameOf(Import import) => $"{import.ModuleName}.{import.Name}";

    private static (bool Fits, string Has, string Wanted) Compare(TypeUniverse types, Table table, Module module, TableType wanted) => (
        table.ElementType == types.TypeOf(module, wanted.ElementType) && table.Type.Is64 == wanted.Is64 && Fits(table.Length, table.Type.Limits.Maximum, wanted.Limits),
        Describe(table.Type, table.Length),
        Describe(wanted, wanted.Limits.Minimum));

    private static (bool Fits, string Has, string Wanted) Compare(LinearMemory memory, MemoryType wanted) => (
        memory.Type.Is64 == wanted.Is64 && memory.Type.IsShared == wanted.IsShared && Fits(memory.Pages, memory.Type.Limits.Maximum, wanted.Limits),
        Describe(memory.Type, memory.Pages),
        Describe(wanted, wanted.Limits.Minimum));

    // What may be assigned must be of the very same type.
    private static (bool Fits, string Has, string Wanted) Compare(TypeUniverse types, ExternalGlobal global, Module module, GlobalType wanted)
    {
        ValType has = types.TypeOf(global.Owner.Module, global.Type.ValueType);
        ValType asked = types.TypeOf(module, wanted.ValueType);
        return (
            global.Type.IsMutable == wanted.IsMutable && (wanted.IsMutable ? has == asked : types.IsSubtype(has, asked)),
            Describe(global.Type),
            Describe(wanted));
    }

    private static (bool Fits, string Has, string Wanted) Compare(TypeUniverse types, GuestFunction function, Module module, int wanted)
    {
        Module owner = function.Owner.Module;
        return (
            types.IsSubtype(
                ValTypes.Concrete(types.NumberOf(owner, owner.FunctionTypes[function.Index])), ValTypes.Concrete(types.NumberOf(module, wanted))),
            $"a function {owner.FunctionTypeOf(function.Index)}",
            $"one {module.FunctionTypeAt(wanted)}");
    }

    // What is there counts as the minimum, not what was declared (section 4.5.2).
    private static bool Fits(ulong size, ulong? maximum, Limits wanted) =>
        size >= wanted.Minimum && (wanted.Maximum is not ulong limit || maximum <= limit);

    private static string Describe(TableType type, ulong length) =>
        $"a table of {Describe(length, type.Limits.Maximum)} {ValTypes.NameOf(type.ElementType)} with {ValTypes.NameOf(type.AddressType)} indices";

    private static string Describe(MemoryType type, ulong pages) =>
        $"a {(type.IsShared ? "shared " : "")}memory of {Describe(pages, type.Limits.Maximum)} pages with {ValTypes.NameOf(type.AddressType)} addresses";

    private static string Describe(GlobalType type) => $"{(type.IsMutable ? "a mutable" : "an immutable")} global {ValTypes.NameOf(type.ValueType)}";

    private static string Describe(ulong minimum, ulong? maximum) => maximum is ulong limit
        ? string.Create(CultureInfo.InvariantCulture, $"{minimum} to {limit}")
        : string.Create(CultureInfo.InvariantCulture, $"{minimum} or more");
}
