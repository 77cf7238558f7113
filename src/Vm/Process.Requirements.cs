using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm;

/// <content>What a module needs so that it can be run as a process.</content>
public sealed partial class Process
{
    private const string StartName = "_start";

    /// <summary>Finds out whether a module can be run as a process, without running it.</summary>
    /// <param name="module">The module.</param>
    /// <returns>What stands in the way, each in one line; empty where nothing does.</returns>
    public static IReadOnlyList<string> FindObstacles(Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        var obstacles = new List<string>(Unsupported.DescribeNotRunnable(module));
        if (FindStart(module, out string? obstacle) is null)
        {
            obstacles.Add(obstacle!);
        }

        obstacles.AddRange(module.Imports.Select(import => FindObstacle(module, import)).OfType<string>());
        return obstacles;
    }

    // Before anything is created, so that a module that cannot be run leaves nothing behind.
    private static int StartOf(Module module)
    {
        Unsupported.ThrowIfNotRunnable(module);
        return FindStart(module, out string? obstacle) ?? throw new LinkException(obstacle!);
    }

    private static int? FindStart(Module module, out string? obstacle)
    {
        Export? export = module.Exports.FirstOrDefault(export => export.Kind == ExternalKind.Function && export.Name == StartName);
        obstacle = "the module exports no function _start: it is a library, not a program (build it as a WASI command)";
        if (export is null)
        {
            return null;
        }

        FunctionType type = module.FunctionTypeOf(export.Index);
        obstacle = $"the module's _start has type {type}; a program's has none";
        return type.Parameters.Length == 0 && type.Results.Length == 0 ? export.Index : null;
    }

    /// <summary>Why a process cannot give a module what it imports, or null where it can.</summary>
    private static string? FindObstacle(Module module, Import import) => import.ModuleName == WasiHost.ModuleName && import.Kind == ExternalKind.Function
        ? FindObstacle(import.ModuleName, import.Name, module.FunctionTypeOf(import.Index))
        : $"the module imports {ImportMatching.NameOf(import.Kind)} {ImportMatching.NameOf(import)}; "
            + $"a program may import functions of {WasiHost.ModuleName} alone (build it for wasm32-wasi, preview 1)";

    private static string? FindObstacle(string moduleName, string name, FunctionType declared)
    {
        if (!WasiHost.Signatures.TryGetValue(name, out FunctionType? type))
        {
            return $"the module imports {moduleName}.{name}, which WASI preview 1 does not have";
        }

        return declared.Equals(type) ? null : $"the module imports {moduleName}.{name} as {declared}; it is {type}";
    }
}
