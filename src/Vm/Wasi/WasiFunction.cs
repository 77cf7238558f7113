using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Wasi;

/// <summary>The body of a host function.</summary>
/// <param name="memory">The caller's memory.</param>
/// <param name="arguments">One slot a parameter; 32-bit values are zero-extended.</param>
/// <param name="results">One slot a result; 32-bit values are zero-extended. Set only if the outcome is <see cref="HostOutcome.Completed"/>.</param>
/// <returns>How the call ended.</returns>
internal delegate HostOutcome WasiFunctionBody(GuestMemory memory, ReadOnlySpan<ulong> arguments, Span<ulong> results);

/// <summary>A host function that a module can import.</summary>
/// <param name="Name">The name within <see cref="WasiHost.ModuleName"/>.</param>
/// <param name="Type">Its WebAssembly type.</param>
/// <param name="Body">What it does.</param>
internal sealed record WasiFunction(string Name, FunctionType Type, WasiFunctionBody Body)
{
    /// <summary>The function as instances import it; it works on its caller's memory.</summary>
    public HostFunction ToHostFunction() => new(Type, (caller, arguments, results) => Body(caller.HostMemory, arguments, results)) { Names = (WasiHost.ModuleName, Name) };
}
