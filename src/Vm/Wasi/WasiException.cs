namespace Everheap.Vm.Wasi;

/// <summary>Ends a system interface function with an error number. Never leaves the system interface.</summary>
/// <param name="errno">The error number.</param>
internal sealed class WasiException(Errno errno) : Exception(errno.ToString())
{
    /// <summary>The error number.</summary>
    public Errno Errno { get; } = errno;
}
