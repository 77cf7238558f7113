namespace Everheap.Vm.Wasi.Files;

/// <content>Taking out what the host lacks, and learning that it has it.</content>
internal sealed partial class FileSystem
{
    private const int PieceBytes = 256 << 10;
    private const int SmallPieceBytes = 64 << 10;

    // Large pieces are used again by the next hand-over, which waits until the one before has arrived: they would be garbage that lives long.
    private readonly List<byte[]> _pieceBuffers = [];
    private int _pieceBuffersUsed;
    private bool _isInFlight;

    /// <summary>Whether the host lacks anything that is not on its way.</summary>
    /// <returns>True if so.</returns>
    public bool HasPending() => _mounts.Exists(static mount => mount.HostPath is not null && HasPending(mount.Root));

    /// <summary>
    /// Takes out what the host lacks, as bytes that do not change, for the checkpoint that is being made. What was taken counts as on its way until
    /// <see cref="Confirm()"/> or <see cref="GiveBack(string?)"/>; nothing more can be taken before.
    /// </summary>
    /// <param name="bytesMax">The most bytes of content; the rest waits.</param>
    /// <param name="isComplete">Whether nothing waits.</param>
    /// <returns>The changes, in order.</returns>
    public IReadOnlyList<HostChange> Take(long bytesMax, out bool isComplete)
    {
        var collector = new Collector { BytesLeft = bytesMax };
        Take(collector);
        isComplete = !collector.IsCut;
        return collector.Changes;
    }

    /// <summary>
    /// Takes out everything that the host lacks. The content is read from the heap piece by piece while the changes are gone through, so that must
    /// happen on the mutator thread, before the program goes on.
    /// </summary>
    /// <returns>The changes, in order.</returns>
    public IReadOnlyList<HostChange> TakeAll()
    {
        var collector = new Collector { BytesLeft = long.MaxValue, Buffer = new byte[PieceBytes] };
        Take(collector);
        return collector.Changes;
    }

    /// <summary>What is on its way has arrived.</summary>
    public void Confirm()
    {
        _isInFlight = false;
        IsChanged = true;
        foreach (var mount in _mounts)
        {
            Confirm(mount.Root);
        }
    }

    /// <summary>What is on its way did not, or not all, arrive: it is to be taken again.</summary>
    /// <param name="vanishedPath">A host file that is not there any more, so that the whole of it is to be written; or null.</param>
    public void GiveBack(string? vanishedPath)
    {
        _isInFlight = false;
        IsChanged = true;
        foreach (var mount in _mounts)
        {
            if (mount.HostPath is not null)
            {
                GiveBack(mount.Root, mount.HostPath, vanishedPath);
            }
        }
    }

    /// <summary>Forgets what is known of host files that are as the host has them, and of names that the host has lost, too.</summary>
    public void Prune()
    {
        foreach (var mount in _mounts)
        {
            Prune(mount.Root);
        }
    }

    private static bool HasPending(DirectoryNode directory)
    {
        foreach (var entry in directory.Entries.Values)
        {
            if (entry.IsPending
                || entry.Node is FileNode { Pending.IsEmpty: false }
                || (entry.Node is DirectoryNode below && HasPending(below)))
            {
                return true;
            }
        }

        return false;
    }

    private void Take(Collector collector)
    {
        if (_isInFlight)
        {
            throw new InvalidOperationException("The changes taken before are still on their way.");
        }

        _isInFlight = true;
        _pieceBuffersUsed = 0;
        foreach (var mount in _mounts)
        {
            if (mount.HostPath is not null)
            {
                Collect(mount.Root, mount.HostPath, collector);
            }
        }

        // What is removed goes last, and not at all while something that may replace it waits: the host never has neither.
        if (!collector.IsCut)
        {
            foreach (var (entry, path) in collector.Removed)
            {
                collector.Changes.Add(new HostChange(path, FileType.Unknown, HandOver(entry)));
            }
        }

        IsChanged |= collector.Changes.Count > 0;
    }

    private void Collect(DirectoryNode directory, string hostPath, Collector collector)
    {
        foreach (var (name, entry) in directory.Entries)
        {
            string path = Path.Combine(hostPath, name);
            switch (entry.Node)
            {
                case null when entry.IsPending:
                    collector.Removed.Add((entry, path));
                    break;
                case SymlinkNode link when entry.IsPending:
                    collector.Changes.Add(new HostChange(path, FileType.SymbolicLink, HandOver(entry)) { Target = link.Target });
                    break;
                case FileNode file when entry.IsPending || file.Pending is { IsEmpty: false }:
                    collector.Changes.Add(Collect(file, path, entry.IsPending ? HandOver(entry) : null, collector));
                    break;
                case DirectoryNode below:
                    if (entry.IsPending)
                    {
                        collector.Changes.Add(new HostChange(path, FileType.Directory, HandOver(entry)));
                    }

                    Collect(below, path, collector);
                    break;
            }
        }
    }

    private HostChange Collect(FileNode file, string path, Remnant? remnant, Collector collector)
    {
        var difference = file.Pending!.Take(collector.BytesLeft);
        collector.IsCut |= !file.Pending.Ranges.IsEmpty;
        file.InFlight = difference;
        var content = file.Content;
        var pieces = content is null ? [] : Pieces(content, difference.Ranges, collector.Buffer);
        if (collector.Buffer is null)
        {
            var kept = pieces.ToList();
            collector.BytesLeft -= kept.Sum(static piece => (long)piece.Bytes.Length);
            pieces = kept;
        }

        return new HostChange(path, FileType.RegularFile, remnant)
        {
            Difference = difference,
            Length = content?.Length ?? 0,
            AccessTime = file.AccessTime,
            ModificationTime = file.ModificationTime,
            Pieces = pieces,
        };
    }

    private IEnumerable<FilePiece> Pieces(FileContent content, RangeSet ranges, byte[]? buffer)
    {
        foreach (var (start, end) in ranges.Ranges)
        {
            for (long offset = start; offset < Math.Min(end, content.Length); offset += PieceBytes)
            {
                int count = (int)Math.Min(PieceBytes, Math.Min(end, content.Length) - offset);
                byte[] bytes = buffer ?? PieceBuffer(count);
                content.Read(offset, bytes.AsSpan(0, count));
                yield return new FilePiece(offset, bytes.AsMemory(0, count));
            }
        }
    }

    private byte[] PieceBuffer(int count)
    {
        if (count <= SmallPieceBytes)
        {
            return GC.AllocateUninitializedArray<byte>(count);
        }

        if (_pieceBuffersUsed == _pieceBuffers.Count)
        {
            _pieceBuffers.Add(GC.AllocateUninitializedArray<byte>(PieceBytes));
        }

        return _pieceBuffers[_pieceBuffersUsed++];
    }

    private static Remnant? HandOver(Entry entry)
    {
        entry.IsPending = false;
        entry.IsInFlight = true;
        entry.RemnantInFlight = entry.Remnant;
        return entry.Remnant;
    }

    private static void Confirm(DirectoryNode directory)
    {
        foreach (var entry in directory.Entries.Values)
        {
            if (entry.IsInFlight)
            {
                entry.IsInFlight = false;
                if (ReferenceEquals(entry.Remnant, entry.RemnantInFlight))
                {
                    entry.Remnant = null;
                }

                entry.RemnantInFlight = null;
            }

            if (entry.Node is FileNode file)
            {
                file.InFlight = null;
            }
            else if (entry.Node is DirectoryNode below)
            {
                Confirm(below);
            }
        }
    }

    private static void GiveBack(DirectoryNode directory, string hostPath, string? vanishedPath)
    {
        foreach (var (name, entry) in directory.Entries)
        {
            string path = Path.Combine(hostPath, name);
            if (entry.IsInFlight)
            {
                entry.IsInFlight = false;
                entry.IsPending = true;
                entry.RemnantInFlight = null;
            }

            if (entry.Node is FileNode file)
            {
                if (file.InFlight is not null)
                {
                    file.Pending?.Add(file.InFlight);
                    file.InFlight = null;
                }

                if (path == vanishedPath && file.Content is not null)
                {
                    file.Pending = WriteBack.Whole(file.Content.Length);
                }
                else if (path == vanishedPath)
                {
                    file.Pending = null;
                }
            }
            else if (entry.Node is DirectoryNode below)
            {
                GiveBack(below, path, vanishedPath);
            }
        }
    }

    private void Prune(DirectoryNode directory)
    {
        List<string>? forgotten = null;
        foreach (var (name, entry) in directory.Entries)
        {
            if (entry.Node is DirectoryNode below)
            {
                Prune(below);
            }

            bool isKept = entry.IsPending || entry.IsInFlight || entry.Remnant is not null || entry.Node switch
            {
                null => false,
                FileNode file => file.Content is not null || file.OpenCount > 0 || file.InFlight is not null || file.Pending is { IsEmpty: false },
                DirectoryNode known => known.HostPath is null || known.OpenCount > 0 || known.Entries.Count > 0,
                _ => true,
            };
            if (!isKept)
            {
                (forgotten ??= []).Add(name);
            }
        }

        foreach (string name in forgotten ?? [])
        {
            directory.Entries.Remove(name);
            _nodeCount--;
        }
    }

    private sealed class Collector
    {
        public long BytesLeft { get; set; }

        public bool IsCut { get; set; }

        /// <summary>If the content is read while the changes are gone through: where to.</summary>
        public byte[]? Buffer { get; init; }

        public List<HostChange> Changes { get; } = [];

        public List<(Entry Entry, string Path)> Removed { get; } = [];
    }
}
