using Everheap.Engine;

namespace Everheap.Vm;

/// <summary>How a <see cref="Process"/> is run.</summary>
public sealed record ProcessOptions
{
    /// <summary>The name of the heap in its store, 1 to <see cref="HeapStore.HeapNameBytesMax"/> bytes in UTF-8. <see cref="Process.HeapName"/> by default.</summary>
    public string HeapName { get; init; } = Process.HeapName;

    /// <summary>
    /// Which of the program's checkpoints are retained, beside the latest, so that it can be forked from them or taken back to them. Used at creation only, and kept
    /// in the store; null for the latest alone.
    /// </summary>
    public RetentionPolicy? Retention { get; init; }

    /// <summary>The resident budget in bytes: page frames and page-map nodes together. 128 MiB by default.</summary>
    public long ResidentBytes { get; init; } = 128L << 20;

    /// <summary>The longest time between two checkpoints of a program that runs. One second by default; must be positive.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>So many bytes changed since the last checkpoint ask for the next one. 256 MiB by default; must be positive.</summary>
    public long CheckpointDirtyBytes { get; init; } = 256L << 20;

    /// <summary>How the program's memory is reached. <see cref="MemoryAddressing.Automatic"/> by default.</summary>
    public MemoryAddressing MemoryAddressing { get; init; }

    /// <summary>
    /// Where the compiled code of a program that is resumed is kept; null, the default, for nowhere. That of a program that is created comes with its module (<see cref="Modules.Module.Load(string, CodeCache)"/>).
    /// </summary>
    public CodeCache? CodeCache { get; init; }

    /// <summary>When output is shown.</summary>
    public OutputMode Output { get; init; }

    /// <summary>The program's own name, its argument zero. Used at creation only.</summary>
    public string ProgramName { get; init; } = "program";

    /// <summary>The arguments after the program's own name. Used at creation only.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The environment variables. Used at creation only.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>
    /// Whether the file is to stay when the program has ended. Used at creation only, and kept in the file: the process itself never
    /// deletes it, but whoever resumes it can ask.
    /// </summary>
    public bool KeepFile { get; init; }

    /// <summary>
    /// Host directories that the program may use. On resume: other places on the host for directories that the program has, by guest path.
    /// </summary>
    public IReadOnlyList<DirectoryMapping> Directories { get; init; } = [];

    /// <summary>Standard input; null for the host process's own.</summary>
    public Stream? StandardInput { get; init; }

    /// <summary>Standard output; null for the host process's own.</summary>
    public Stream? StandardOutput { get; init; }

    /// <summary>Standard error; null for the host process's own.</summary>
    public Stream? StandardError { get; init; }

    /// <summary>Told, in a line, of what the user should know. Any thread.</summary>
    public Action<string>? Diagnostics { get; init; }

    /// <summary>
    /// For tests: the stack is captured into the heap and taken up again at every n-th safepoint. 0, the default: only when there is a reason.
    /// </summary>
    public int CaptureEvery { get; init; }

    /// <summary>For tests: the memory is reached in one piece and by pages by turns, from one capture to another.</summary>
    internal bool AlternatesAddressing { get; init; }

    /// <summary>
    /// For measuring what the heap costs: the memory lies in one piece, and stores leave no marks, so that no checkpoint has what the program stores. For a store that nobody keeps, with
    /// a budget and a <see cref="CheckpointDirtyBytes"/> of twice the largest memory at least, and a <see cref="CheckpointInterval"/> that never comes.
    /// </summary>
    internal bool LeavesStoresUnmarked { get; init; }
}
