using System.Reflection;
using Everheap.Vm.Benchmarks.Children;

namespace Everheap.Vm.Benchmarks.Machines;

/// <summary>All machines, in the order in which they run and stand in the tables.</summary>
internal sealed class AllMachines : IDisposable
{
    /// <summary>The name of the machine that the others are compared with.</summary>
    public const string Yardstick = "wasmtime";

    private static readonly ManagedMachine[] Managed =
    [
        new("everheap", "Everheap", "everything at its default: a heap file, a checkpoint every second", hasCache: false, isVariant: false, command => EverheapChild.Run(command, EverheapMode.Durable)),
        new("paged", "by pages", "the same, with `MemoryAddressing.Paged`", hasCache: false, isVariant: true, command => EverheapChild.Run(command, EverheapMode.Paged)),
        new("plain", "plain memory", "the same compiler without file, checkpoints and marks of stores", hasCache: false, isVariant: true, command => EverheapChild.Run(command, EverheapMode.Plain)),
        new(Yardstick, "Wasmtime", $"the NuGet package {WasmtimeVersion()}, its optimising compiler", hasCache: true, isVariant: false, WasmtimeChild.Run),
    ];

    private readonly NativeMachine _native = new();

    public AllMachines() => All = [.. Managed, new NodeMachine(), _native];

    public IReadOnlyList<Machine> All { get; }

    /// <summary>Those that can be had here.</summary>
    public IReadOnlyList<Machine> Present => [.. All.Where(machine => machine.WhyMissing is null)];

    /// <summary>What a child of this executable runs; null if there is no such machine.</summary>
    public static ManagedMachine? FindManaged(string name) => Array.Find(Managed, machine => machine.Name == name);

    public void Dispose() => _native.Dispose();

    private static string WasmtimeVersion() =>
        typeof(Wasmtime.Engine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";
}
