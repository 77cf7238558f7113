namespace Everheap.Vm.Wasi;

/// <summary>How a call of a host function ended.</summary>
internal enum HostOutcome
{
    /// <summary>The function is done; its results are set.</summary>
    Completed,

    /// <summary>Nothing happened. Make the checkpoint that is asked for, if any, and call the function again with the same arguments.</summary>
    Retry,

    /// <summary>The program ended itself; its code is in <see cref="WasiHost.ExitCode"/>.</summary>
    Exit,

    /// <summary>The program raised a deadly signal (<c>proc_raise</c>): it ends with a trap.</summary>
    Trap,
}
