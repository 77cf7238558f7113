using Microsoft.Win32.SafeHandles;

namespace Everheap.Vm.Wasi.Files;

/// <summary>A piece of a file's new content.</summary>
/// <param name="Offset">Where it goes, in bytes.</param>
/// <param name="Bytes">The bytes; good until the next piece is asked for.</param>
internal readonly record struct FilePiece(long Offset, ReadOnlyMemory<byte> Bytes);

/// <summary>Makes a name on the host be what it is in the heap.</summary>
/// <param name="Path">The absolute path on the host.</param>
/// <param name="Type">What it is to be: a file, a directory, a symbolic link; unknown for nothing at all.</param>
/// <param name="Remnant">What the program removed there if it was a directory before.</param>
internal sealed record HostChange(string Path, FileType Type, Remnant? Remnant)
{
    /// <summary>What a symbolic link says.</summary>
    public string Target { get; init; } = "";

    /// <summary>How a file differs; null for anything else.</summary>
    public WriteBack? Difference { get; init; }

    /// <summary>A file's length in bytes.</summary>
    public long Length { get; init; }

    /// <summary>A file's time of last access, in nanoseconds since 1970; applied if the difference says so.</summary>
    public ulong AccessTime { get; init; }

    /// <summary>A file's time of last modification, in nanoseconds since 1970; applied if the difference says so.</summary>
    public ulong ModificationTime { get; init; }

    /// <summary>The content that changed.</summary>
    public IEnumerable<FilePiece> Pieces { get; init; } = [];
}

/// <summary>
/// Applies changes to host directories. Invariants: every step makes the host more like the heap and none needs to know what was done before, so doing
/// all of it again after any part of it gives the same; nothing is removed that the program did not remove or replace;
/// when <see cref="Apply"/> returns, everything is durable on the host.
/// </summary>
internal sealed class HostWriter
{
    private readonly Action<string>? _diagnostics;
    private readonly Action? _beforeStep;
    private readonly SortedSet<string> _directories = new(StringComparer.Ordinal);

    /// <summary>Makes a writer.</summary>
    /// <param name="diagnostics">Told of what could not be done and need not be.</param>
    /// <param name="beforeStep">Called before each single change of the host: a test's place for a kill.</param>
    public HostWriter(Action<string>? diagnostics, Action? beforeStep)
    {
        _diagnostics = diagnostics;
        _beforeStep = beforeStep;
    }

    /// <summary>Applies changes, in order.</summary>
    /// <param name="changes">The changes; directories before what is in them.</param>
    /// <param name="stop">Stops between steps.</param>
    /// <exception cref="IOException">The host refuses.</exception>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public void Apply(IEnumerable<HostChange> changes, CancellationToken stop)
    {
        _directories.Clear();
        foreach (var change in changes)
        {
            stop.ThrowIfCancellationRequested();
            try
            {
                ApplyOne(change, stop);
            }
            catch (UnauthorizedAccessException error)
            {
                throw new IOException($"{change.Path} cannot be changed: {error.Message}", error);
            }
        }

        if (Native.IsAvailable)
        {
            foreach (string directory in _directories)
            {
                Native.SyncDirectory(directory);
            }
        }
    }

    private void ApplyOne(HostChange change, CancellationToken stop)
    {
        switch (change.Type)
        {
            case FileType.Directory:
                if (!ClearFor(change.Path, FileType.Directory, change.Remnant))
                {
                    Step(change.Path);
                    Directory.CreateDirectory(change.Path);
                }

                break;
            case FileType.SymbolicLink:
                if (!ClearFor(change.Path, FileType.SymbolicLink, change.Remnant) || new FileInfo(change.Path).LinkTarget != change.Target)
                {
                    Remove(change.Path, null);
                    Step(change.Path);
                    File.CreateSymbolicLink(change.Path, change.Target);
                }

                break;
            case FileType.RegularFile:
                WriteFile(change, stop);
                break;
            default:
                Remove(change.Path, change.Remnant);
                break;
        }
    }

    private void WriteFile(HostChange change, CancellationToken stop)
    {
        var difference = change.Difference!;
        bool isThere = ClearFor(change.Path, FileType.RegularFile, change.Remnant);
        if (difference.IsNew && isThere)
        {
            // Another file, whoever else has a name for it or has it open: it keeps its bytes, as under any program that replaces a file.
            Step(change.Path);
            File.Delete(change.Path);
        }
        else if (!difference.IsNew && !isThere)
        {
            throw new FileNotFoundException($"{change.Path} was removed by someone else while the program was changing it.", change.Path);
        }

        if (difference.IsNew)
        {
            Step(change.Path);
        }

        using (var file = File.OpenHandle(change.Path, difference.IsNew ? FileMode.CreateNew : FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            WriteContent(file, change, difference, stop);
        }

        if (difference.HasTimes)
        {
            Step(change.Path);
            File.SetLastAccessTimeUtc(change.Path, HostFiles.Time(change.AccessTime));
            File.SetLastWriteTimeUtc(change.Path, HostFiles.Time(change.ModificationTime));
        }
    }

    private void WriteContent(SafeFileHandle file, HostChange change, WriteBack difference, CancellationToken stop)
    {
        if (difference.Cut < RandomAccess.GetLength(file))
        {
            Step(change.Path);
            RandomAccess.SetLength(file, difference.Cut);
        }

        foreach (var piece in change.Pieces)
        {
            stop.ThrowIfCancellationRequested();
            Step(change.Path);
            RandomAccess.Write(file, piece.Bytes.Span, piece.Offset);
        }

        if (difference.IsResized && RandomAccess.GetLength(file) != change.Length)
        {
            Step(change.Path);
            RandomAccess.SetLength(file, change.Length);
        }

        Native.Flush(file, change.Path);
    }

    /// <summary>Removes what the program removed at a path, and whatever is there that is not of a type.</summary>
    /// <returns>Whether something of the type is there.</returns>
    private bool ClearFor(string path, FileType type, Remnant? remnant)
    {
        if (!HostFiles.TryStat(path, out var status))
        {
            return false;
        }

        if (status.Type == type)
        {
            if (type == FileType.Directory)
            {
                RemoveBelow(path, remnant);
            }

            return true;
        }

        Remove(path, remnant);
        return false;
    }

    private void Remove(string path, Remnant? remnant)
    {
        if (!HostFiles.TryStat(path, out var status))
        {
            return;
        }

        if (status.Type != FileType.Directory)
        {
            Step(path);
            File.Delete(path);
            return;
        }

        RemoveBelow(path, remnant);
        Step(path);
        try
        {
            Directory.Delete(path, recursive: false);
        }
        catch (IOException) when (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
        {
            _diagnostics?.Invoke($"{path} was removed by the program but has other files in it on the host: it stays");
        }
    }

    private void RemoveBelow(string path, Remnant? remnant)
    {
        if (remnant is not null)
        {
            foreach (var (name, below) in remnant.Children)
            {
                Remove(Path.Combine(path, name), below);
            }
        }
    }

    private void Step(string path)
    {
        _beforeStep?.Invoke();
        _directories.Add(Path.GetDirectoryName(path)!);
    }
}
