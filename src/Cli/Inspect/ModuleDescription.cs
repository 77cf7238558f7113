using System.Globalization;
using Everheap.Vm;
using Everheap.Vm.Modules;

namespace Everheap.Cli.Inspect;

/// <summary>What is shown of a module, as text or as JSON.</summary>
/// <param name="fileName">The file's name.</param>
/// <param name="module">The module.</param>
internal sealed class ModuleDescription(string fileName, Module module)
{
    private const string WasiModule = "wasi_snapshot_preview1";

    /// <summary>The file's name.</summary>
    public string FileName { get; } = fileName;

    /// <summary>The module.</summary>
    public Module Module { get; } = module;

    /// <summary>The sections, in order.</summary>
    public IReadOnlyList<ModuleSection> Sections { get; } = module.FindSections();

    /// <summary>What keeps it from being run; empty where nothing does.</summary>
    public IReadOnlyList<string> Obstacles { get; } = Process.FindObstacles(module);

    /// <summary>The system interface's functions that it imports, by name.</summary>
    public IReadOnlyList<string> WasiFunctions { get; } =
        [.. module.Imports.Where(import => import.ModuleName == WasiModule && import.Kind == ExternalKind.Function).Select(import => import.Name).Order(StringComparer.Ordinal)];

    /// <summary>The kind of an import or export, as in the text format's words.</summary>
    public static string KindOf(ExternalKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>The type of what an import or export names.</summary>
    public string TypeOf(ExternalKind kind, int index) => kind switch
    {
        ExternalKind.Function => Module.FunctionTypeOf(index).ToString(),
        ExternalKind.Table => TypeOf(Module.Tables[index]),
        ExternalKind.Memory => TypeOf(Module.Memories[index]),
        ExternalKind.Global => TypeOf(Module.Globals[index]),
        _ => Module.Tags[index].Type.ToString(),
    };

    /// <summary>A memory's type for people: <c>17 pages (1.1 MiB) at least, 256 (16 MiB) at most</c>.</summary>
    public static string TypeOf(MemoryType type)
    {
        string text = type.Limits.Maximum is ulong maximum
            ? $"{Pages(type.Limits.Minimum)} at least, {Pages(maximum)} at most"
            : $"{Pages(type.Limits.Minimum)} at least";
        return text + (type.Is64 ? ", 64-bit addresses" : "") + (type.IsShared ? ", shared" : "");
    }

    /// <summary>A table's type for people: <c>funcref, 4 at least, 9 at most</c>.</summary>
    public static string TypeOf(TableType type)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{ValTypes.NameOf(type.ElementType)}, {type.Limits.Minimum} at least");
        text += type.Limits.Maximum is ulong maximum ? string.Create(CultureInfo.InvariantCulture, $", {maximum} at most") : "";
        return text + (type.Is64 ? ", 64-bit indices" : "");
    }

    /// <summary>A global's type: <c>i32</c>, or <c>mut i32</c>.</summary>
    public static string TypeOf(GlobalType type) => (type.IsMutable ? "mut " : "") + ValTypes.NameOf(type.ValueType);

    // 2^48 pages are 2^64 bytes, which no number of bytes here can say.
    private static string Pages(ulong pages)
    {
        const ulong PageBytes = 65_536;
        const ulong PagesMax = long.MaxValue / PageBytes;
        return pages <= PagesMax
            ? string.Create(CultureInfo.InvariantCulture, $"{pages} {(pages == 1 ? "page" : "pages")} ({ByteSize.Format((long)(pages * PageBytes))})")
            : string.Create(CultureInfo.InvariantCulture, $"{pages} pages");
    }
}
