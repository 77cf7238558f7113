using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Execution;

/// <summary>What a host function does.</summary>
/// <param name="caller">The instance that calls it.</param>
/// <param name="arguments">A unit of 8 bytes for each parameter, two for a vector; 32-bit values are zero-extended.</param>
/// <param name="results">A unit of 8 bytes for each result, two for a vector; 32-bit values are zero-extended. Set only if the outcome is <see cref="HostOutcome.Completed"/>.</param>
/// <returns>How the call ended.</returns>
internal delegate HostOutcome HostFunctionBody(Instance caller, ReadOnlySpan<ulong> arguments, Span<ulong> results);

/// <summary>
/// What an import is given, and what an export gives (core specification, section 4.2.11: external addresses): always the thing itself and its owner,
/// never an instance that only passes it on.
/// </summary>
internal abstract record External
{
    public abstract ExternalKind Kind { get; }
}

/// <summary>A function of the host.</summary>
/// <param name="Type">Its type.</param>
/// <param name="Body">What it does.</param>
internal sealed record HostFunction(FunctionType Type, HostFunctionBody Body) : External
{
    /// <summary>The names by which it is found again when the heap is opened again.</summary>
    public (string ModuleName, string Name) Names { get; init; } = ("", "");

    public override ExternalKind Kind => ExternalKind.Function;
}

/// <summary>A function that an instance declares.</summary>
/// <param name="Owner">The instance.</param>
/// <param name="Index">Its index there.</param>
internal sealed record GuestFunction(Instance Owner, int Index) : External
{
    public override ExternalKind Kind => ExternalKind.Function;
}

/// <summary>A table.</summary>
/// <param name="Table">The table.</param>
internal sealed record ExternalTable(Table Table) : External
{
    public override ExternalKind Kind => ExternalKind.Table;
}

/// <summary>A memory.</summary>
/// <param name="Memory">The memory.</param>
internal sealed record ExternalMemory(LinearMemory Memory) : External
{
    public override ExternalKind Kind => ExternalKind.Memory;
}

/// <summary>A tag that an instance declares.</summary>
/// <param name="Owner">The instance.</param>
/// <param name="Index">Its index there.</param>
internal sealed record ExternalTag(Instance Owner, int Index) : External
{
    public override ExternalKind Kind => ExternalKind.Tag;

    public FunctionType Type => Owner.Module.Tags[Index].Type;
}

/// <summary>A global that an instance declares.</summary>
/// <param name="Owner">The instance.</param>
/// <param name="Index">Its index there.</param>
internal sealed record ExternalGlobal(Instance Owner, int Index) : External
{
    public override ExternalKind Kind => ExternalKind.Global;

    public GlobalType Type => Owner.Module.Globals[Index];
}
