namespace Everheap.Vm.Wasi;

/// <summary>What a <see cref="WasiHost"/> is started or resumed with.</summary>
internal sealed class WasiOptions
{
    /// <summary>The program's own name, its argument zero. Used at creation only.</summary>
    public string ProgramName { get; init; } = "program";

    /// <summary>The arguments after the program's own name. Used at creation only.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The environment variables. Used at creation only.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>
    /// Host directories that the program may use; with none, it finds an empty directory in the heap at <c>/</c>.
    /// On resume: other places on the host for directories that the program already has, by guest path.
    /// </summary>
    public IReadOnlyList<DirectoryMapping> Directories { get; init; } = [];

    /// <summary>When output is shown. Used at creation only.</summary>
    public OutputMode Output { get; init; }

    /// <summary>Standard input; null for the process's own. <see cref="Stream.Null"/> is the end of file at once.</summary>
    public Stream? StandardInput { get; init; }

    /// <summary>Standard output; null for the process's own.</summary>
    public Stream? StandardOutput { get; init; }

    /// <summary>Standard error; null for the process's own.</summary>
    public Stream? StandardError { get; init; }

    /// <summary>Resume only: <see cref="WasiHost.StateAddress"/> of the host that wrote the heap.</summary>
    public ulong StateAddress { get; init; }

    /// <summary>Called (on the mutator thread) when a checkpoint should be made soon, because much output waits for it.</summary>
    public Action? RequestCheckpoint { get; init; }

    /// <summary>Told, in a line, of what the user should know: a host file that could not be written, an input that has gone.</summary>
    public Action<string>? Diagnostics { get; init; }

    /// <summary>The host's clocks.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Tests: what is released is done by the thread that releases it.</summary>
    public bool ReleaseInline { get; init; }

    /// <summary>Tests: called after each piece of output is written, before it is noted.</summary>
    public Action? AfterOutputPiece { get; init; }

    /// <summary>Tests: called before each single change of a host directory.</summary>
    public Action? BeforeHostStep { get; init; }
}
