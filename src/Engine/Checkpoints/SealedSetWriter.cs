using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>Writes what a pager has sealed: pages, then the nodes of its map, level by level from the bottom up.</summary>
/// <remarks>
/// Pages are taken in the order of their page numbers and placed in runs, so what lies together in the heap lies together in the file. Frames are
/// copied and hashed without the pager's gate: a sealed frame does not change.
/// </remarks>
/// <param name="pager">Whose.</param>
/// <param name="channel">Where to.</param>
/// <param name="dropsEmptyPages">Whether a page of zeros is to lose its place. Finding out costs more than it saves, but for a catalog, whose counts return to zero.</param>
internal sealed unsafe class SealedSetWriter(Pager pager, StoreChannel channel, bool dropsEmptyPages = false) : IDisposable
{
    /// <summary>Pages of one write: 256 KiB.</summary>
    private const int BatchPages = 64;

    /// <summary>A run of so many pages is on its way to the disk while the next are put together. Shorter ones go together, with the flush.</summary>
    private const int WriteBackPagesMin = 16;

    private readonly ReservedMemory _staging = new((long)BatchPages << FileLayout.PageShift);
    private readonly MapEntry[] _entries = new MapEntry[BatchPages];
    private ulong[] _keys = [];
    private int[] _frames = [];

    /// <summary>Writes everything sealed. May be called again after a <see cref="HeapFullException"/>, and then goes on where it stopped.</summary>
    /// <returns>The bytes written.</returns>
    public long Write()
    {
        long bytes = 0;

        // Level 0 is the pages; writing a level enters places into the level above, and so decides what is to be written there.
        for (var level = 0; level <= FileLayout.NodeLevels; level++)
        {
            bytes += WriteLevel(level);
        }

        return bytes;
    }

    /// <summary>Gives buffers back, until they are needed again.</summary>
    public void Trim()
    {
        _keys = [];
        _frames = [];
        _staging.GiveBack(0, (long)BatchPages << FileLayout.PageShift);
    }

    /// <inheritdoc/>
    public void Dispose() => _staging.Dispose();

    private long WriteLevel(int level)
    {
        var count = pager.SealedCount(level);
        if (count == 0)
        {
            return 0;
        }

        if (_keys.Length < count)
        {
            _keys = GC.AllocateUninitializedArray<ulong>(count);
            _frames = GC.AllocateUninitializedArray<int>(count);
        }

        var frames = _frames.AsSpan(0, count);
        pager.TakeSealed(level, _keys, frames);
        _keys.AsSpan(0, count).Sort(frames);

        long bytes = 0;
        try
        {
            while (!frames.IsEmpty)
            {
                frames = frames[WriteRun(level, frames, ref bytes)..];
            }
        }
        catch (HeapFullException)
        {
            pager.ReturnSealed(level, frames);
            throw;
        }

        return bytes;
    }

    /// <summary>Writes the first few of these frames. Returns how many.</summary>
    private int WriteRun(int level, ReadOnlySpan<int> frames, ref long bytes)
    {
        // A node without entries need not exist; its parent forgets it.
        if (IsEmpty(level, frames[0]))
        {
            _entries[0] = default;
            pager.EnterSealed(frames[..1], _entries.AsSpan(0, 1));
            return 1;
        }

        var wanted = Math.Min(frames.Length, BatchPages);
        for (var i = 1; i < wanted; i++)
        {
            wanted = IsEmpty(level, frames[i]) ? i : wanted;
        }

        var place = pager.AllocateSealed(wanted, out var run);
        for (var i = 0; i < run; i++)
        {
            var staged = new Span<byte>(_staging.Start + ((long)i << FileLayout.PageShift), FileLayout.PageSize);
            pager.SealedContent(frames[i]).CopyTo(staged);
            _entries[i] = new MapEntry { Place = place + (uint)i, Checksum = DiskView.Hash(staged) };
        }

        channel.Write((long)(place << FileLayout.PageShift), new ReadOnlySpan<byte>(_staging.Start, run << FileLayout.PageShift));
        if (run >= WriteBackPagesMin)
        {
            channel.BeginWriteBack((long)(place << FileLayout.PageShift), run << FileLayout.PageShift);
        }

        pager.EnterSealed(frames[..run], _entries.AsSpan(0, run));
        bytes += (long)run << FileLayout.PageShift;
        return run;
    }

    private bool IsEmpty(int level, int frame) =>
        (level > 0 || dropsEmptyPages || pager.MayBeEmpty(frame)) && pager.SealedContent(frame).IndexOfAnyExcept((byte)0) < 0;
}
