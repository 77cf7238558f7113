using System.Globalization;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Whether what an import is given fits what the module asks for (core specification, section 3.4.10: matching of external types).</summary>
internal static class ImportMatching
{
    /// <summary>What stands in the way of giving something to an import.</summary>
    /// <returns>The reason, for people; null if it fits.</returns>
    public static string? WhyNot(Module module, Import import, External given)
    {
        if (given.Kind != import.Kind)
        {
            return $"{NameOf(import)} is a {NameOf(given.Kind)}, and a {NameOf(import.Kind)} is imported";
        }

        switch (given)
        {
            case ExternalTable table:
                TableType wanted = module.Tables[import.Index];
                return table.Table.Type.ElementType == wanted.ElementType && Fits(table.Table.Length, table.Table.Type.Limits.Maximum, wanted.Limits)
                    ? null
                    : $"{NameOf(import)} is {Describe(table.Table.Type.ElementType, table.Table.Length, table.Table.Type.Limits.Maximum)}, and {Describe(wanted)} is imported";
            case ExternalMemory memory:
                Limits pages = module.Memories[import.Index].Limits;
                return Fits(memory.Memory.Pages, memory.Memory.Type.Limits.Maximum, pages)
                    ? null
                    : $"{NameOf(import)} is a memory of {Describe(memory.Memory.Pages, memory.Memory.Type.Limits.Maximum)} pages, and one of {Describe(pages.Minimum, pages.Maximum)} pages is imported";
            case ExternalGlobal global:
                GlobalType type = module.Globals[import.Index];
                return global.Type == type ? null : $"{NameOf(import)} is {Describe(global.Type)}, and {Describe(type)} is imported";
            default:
                FunctionType function = module.FunctionTypeOf(import.Index);
                FunctionType actual = given is HostFunction host ? host.Type : TypeOf((GuestFunction)given);
                return actual.Equals(function) ? null : $"{NameOf(import)} is a function {actual}, and one {function} is imported";
        }
    }

    /// <summary>A kind in words.</summary>
    public static string NameOf(ExternalKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>An import's two names, as errors give them.</summary>
    public static string NameOf(Import import) => $"{import.ModuleName}.{import.Name}";

    private static FunctionType TypeOf(GuestFunction function) => function.Owner.Module.FunctionTypeOf(function.Index);

    // What is there counts as the minimum, not what was declared (section 4.5.2).
    private static bool Fits(ulong size, ulong? maximum, Limits wanted) =>
        size >= wanted.Minimum && (wanted.Maximum is not ulong limit || maximum <= limit);

    private static string Describe(TableType type) => Describe(type.ElementType, type.Limits.Minimum, type.Limits.Maximum);

    private static string Describe(ValType elements, ulong size, ulong? maximum) => $"a table of {Describe(size, maximum)} {ValTypes.NameOf(elements)}";

    private static string Describe(GlobalType type) => $"{(type.IsMutable ? "a mutable" : "an immutable")} global {ValTypes.NameOf(type.ValueType)}";

    private static string Describe(ulong minimum, ulong? maximum) => maximum is ulong limit
        ? string.Create(CultureInfo.InvariantCulture, $"{minimum} to {limit}")
        : string.Create(CultureInfo.InvariantCulture, $"{minimum} or more");
}
