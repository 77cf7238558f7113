using System.Buffers.Binary;
using System.IO.Hashing;
using Everheap.Engine.Paging;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// What the store knows of its heaps: their records, their checkpoints, what is to be reclaimed, and the counts of shared pages. It is a small heap of
/// its own, paged, copied on write and checksummed like the others, whose root stands in the store's root.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>Only commits change it, one at a time; every commit writes what it changed, with its root.</item>
/// <item>Its own pages have one reference each: it is never forked, so changing it never counts anything.</item>
/// <item>Records in memory and in its pages say the same once a commit is through.</item>
/// </list>
/// </remarks>
internal sealed class Catalog : IDisposable
{
    /// <summary>The budget of its frames: records of some ten thousand checkpoints, or counts of a million shared pages.</summary>
    private const long ResidentBytes = 4L << 20;

    private readonly StoreChannel _channel;
    private readonly Pager _pager;
    private readonly SealedSetWriter _writer;
    private readonly SlotTable _heapSlots = new();
    private readonly SlotTable _checkpointSlots = new();
    private readonly Dictionary<uint, HeapEntry> _heaps = [];
    private readonly HashSet<HeapEntry> _changed = [];
    private CatalogHeader _header;

    /// <summary>Reads what a root says.</summary>
    /// <param name="channel">The medium.</param>
    /// <param name="allocator">Where places come from; null if nothing will be changed.</param>
    /// <param name="root">The root.</param>
    /// <exception cref="HeapCorruptedException">A page of the catalog does not match its checksum, or holds what cannot be.</exception>
    public Catalog(StoreChannel channel, SpaceAllocator? allocator, in Superblock root)
    {
        _channel = channel;
        var map = root.Version == 1 ? default : root.Catalog;
        _pager = new Pager(channel, allocator, "(catalog)", map, root.Version == 1 ? 0 : (long)root.CatalogPages, ResidentBytes, isCatalog: true);
        _writer = new SealedSetWriter(_pager, channel, dropsEmptyPages: true);
        try
        {
            if (root.Version == 1)
            {
                TakeOver(root);
            }
            else
            {
                Load(root.StoreId);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The heaps, those included that have no checkpoint yet.</summary>
    public IReadOnlyCollection<HeapEntry> Heaps => _heaps.Values;

    /// <summary>The pages that its records of checkpoints take, and the nodes above them: as many as a commit that drops the lot has to write.</summary>
    public long RecordPages => (_checkpointSlots.Count / (FileLayout.PageSize / CheckpointRecord.Size) * 257L / 256) + 1;

    /// <summary>The root node of its page map, once written.</summary>
    public MapEntry MapRoot => _pager.MapRoot;

    /// <summary>Pages that have a place in it.</summary>
    public long MappedPages => _pager.MappedPages;

    /// <summary>Pages changed by the commit being put together.</summary>
    public long DirtyPages => _pager.DirtyPages;

    /// <summary>What the commit takes from the file and gives back, the catalog's own places and those that are reclaimed.</summary>
    public SpaceDelta SealedDelta => _pager.SealedDelta;

    /// <summary>How many pages have more than one reference.</summary>
    public ulong SharedPages
    {
        get => _header.SharedPages;
        set => _header.SharedPages = value;
    }

    /// <summary>Entries of the reclaim stack.</summary>
    public uint ReclaimCount => Volatile.Read(ref _header.ReclaimCount);

    /// <summary>The pages beneath, for counts.</summary>
    public Pager Pages => _pager;

    /// <summary>A heap by its name, or null. Not one that is being received.</summary>
    public HeapEntry? Find(string name) => Find(name, isBeingReceived: false);

    /// <summary>The heap of that name that is being received, or null.</summary>
    public HeapEntry? FindReceiving(string name) => Find(name, isBeingReceived: true);

    /// <summary>A heap by its id, or null.</summary>
    public HeapEntry? Find(uint id) => _heaps.GetValueOrDefault(id);

    /// <summary>Makes an entry for a new heap, in memory only.</summary>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="HeapException">There are too many heaps.</exception>
    public HeapEntry NewHeap(string name, DateTime now)
    {
        if (_heaps.Count >= CatalogLayout.HeapCountMax)
        {
            throw new HeapException($"{_channel.Name}: the store has {CatalogLayout.HeapCountMax} heaps, the most there can be. Drop some, or create another store.");
        }

        var record = new HeapRecord
        {
            Id = Math.Max(_header.NextHeapId, 1),
            Name = RecordText.Encode(name, out var length),
            NameLength = length,
            CreatedTicks = now.Ticks,
            KeepLast = 1,
        };
        _header.NextHeapId = record.Id + 1;
        var heap = new HeapEntry(name, record);
        _heaps.Add(record.Id, heap);
        return heap;
    }

    /// <summary>Forgets a heap that no commit has entered.</summary>
    public void Forget(HeapEntry heap) => _heaps.Remove(heap.Id);

    /// <summary>Writes a heap's record, and gives it a slot if it has none.</summary>
    public void Enter(HeapEntry heap)
    {
        if (heap.Slot < 0)
        {
            heap.Slot = _heapSlots.Take();
        }

        Write(CatalogLayout.HeapAddress(heap.Slot), DiskView.Bytes(ref heap.Record));
        _changed.Add(heap);
    }

    /// <summary>Refuses one more checkpoint if there are too many.</summary>
    /// <exception cref="HeapException">There are.</exception>
    public void ThrowIfFull()
    {
        if (_checkpointSlots.InUse >= CatalogLayout.CheckpointCountMax)
        {
            throw new HeapException(
                $"{_channel.Name}: the store remembers {CatalogLayout.CheckpointCountMax} checkpoints, the most there can be. Drop some, or retain fewer.");
        }
    }

    /// <summary>Writes a checkpoint's record, and gives it a slot if it has none.</summary>
    public void Enter(CheckpointEntry checkpoint)
    {
        if (checkpoint.Slot < 0)
        {
            checkpoint.Slot = _checkpointSlots.Take();
        }

        Write(CatalogLayout.CheckpointAddress(checkpoint.Slot), DiskView.Bytes(ref checkpoint.Record));
    }

    /// <summary>Takes a checkpoint's record out.</summary>
    public void Remove(CheckpointEntry checkpoint)
    {
        if (checkpoint.Slot >= 0)
        {
            CheckpointRecord none = default;
            Write(CatalogLayout.CheckpointAddress(checkpoint.Slot), DiskView.Bytes(ref none));
            _checkpointSlots.Return(checkpoint.Slot);
            checkpoint.Slot = -1;
        }
    }

    /// <summary>Takes a heap out, with the records of its checkpoints.</summary>
    public void Remove(HeapEntry heap)
    {
        foreach (var checkpoint in heap.Checkpoints)
        {
            Remove(checkpoint);
        }

        if (heap.Slot >= 0)
        {
            HeapRecord none = default;
            Write(CatalogLayout.HeapAddress(heap.Slot), DiskView.Bytes(ref none));
            _heapSlots.Return(heap.Slot);
            heap.Slot = -1;
        }

        _heaps.Remove(heap.Id);
    }

    /// <summary>Puts one reference to a node onto the reclaim stack.</summary>
    public void PushReclaim(ReclaimRecord record)
    {
        if (_header.ReclaimCount >= CatalogLayout.ReclaimCountMax)
        {
            throw new HeapException($"{_channel.Name}: too much is waiting to be reclaimed. Call Reclaim until it is done.");
        }

        Write(CatalogLayout.ReclaimEntryAddress(_header.ReclaimCount), DiskView.Bytes(ref record));
        Volatile.Write(ref _header.ReclaimCount, _header.ReclaimCount + 1);
    }

    /// <summary>Takes the last reference off the reclaim stack.</summary>
    public ReclaimRecord PopReclaim()
    {
        Volatile.Write(ref _header.ReclaimCount, _header.ReclaimCount - 1);
        ReclaimRecord record = default;
        var address = CatalogLayout.ReclaimEntryAddress(_header.ReclaimCount);
        Read(address, DiskView.Bytes(ref record));
        if ((address & (FileLayout.PageSize - 1)) == 0)
        {
            // The first of its page: nothing is left in it.
            _pager.Drop(address >> FileLayout.PageShift, (address >> FileLayout.PageShift) + 1);
        }

        return record;
    }

    /// <summary>Makes the catalog's pages anew from what is known in memory: records, no counts, nothing to be reclaimed. The old ones are the caller's to give up.</summary>
    public void Rebuild()
    {
        _pager.Reset(default, 0);
        _header.SharedPages = 0;
        _header.ReclaimCount = 0;
        foreach (var heap in _heaps.Values.Where(heap => heap.Number > 0))
        {
            Enter(heap);
            foreach (var checkpoint in heap.Checkpoints)
            {
                Enter(checkpoint);
            }
        }
    }

    /// <summary>Has a page written to a fresh place by the commit, with the content it has.</summary>
    public unsafe void Rewrite(ulong page) => _ = (nint)_pager.Store(page);

    /// <summary>Writes everything that the commit changed in the catalog, to fresh places. Returns the bytes written.</summary>
    public long WriteChanges(ulong sequence)
    {
        _header.Magic = CatalogLayout.HeaderMagic;
        _header.HeapSlots = (uint)_heapSlots.Count;
        _header.CheckpointSlots = (uint)_checkpointSlots.Count;
        _header.Sequence = sequence;
        Write(CatalogLayout.HeaderAddress, DiskView.Bytes(ref _header));
        _pager.Seal(out _, out var evictedBytes);
        var bytes = _writer.Write();
        _pager.UnsealMap();
        return evictedBytes + bytes;
    }

    /// <summary>The commit is durable: what it says of heaps is what everybody sees.</summary>
    public void EndCommit()
    {
        _pager.EndWriting();
        foreach (var heap in _changed)
        {
            heap.Publish();
        }

        _changed.Clear();
    }

    /// <summary>
    /// A commit has failed, and the store takes no more changes: goes back to what the newest durable root says, so that what is committed can still be found. Heaps that
    /// are open and have no checkpoint yet stay.
    /// </summary>
    /// <param name="root">That root.</param>
    /// <exception cref="HeapCorruptedException">A page of the catalog does not match its checksum; nothing was changed.</exception>
    /// <exception cref="IOException">The medium cannot be read; nothing was changed.</exception>
    public void GoBack(in Superblock root)
    {
        using var durable = new Catalog(_channel, null, root);
        var known = new Dictionary<uint, HeapEntry>(_heaps);
        _heaps.Clear();
        _header = durable._header;
        foreach (var (id, heap) in durable._heaps)
        {
            _heaps.Add(id, known.Remove(id, out var entry) ? entry.GoBack(heap) : heap);
        }

        foreach (var (id, heap) in known.Where(pair => pair.Value.IsOpen))
        {
            _heaps.Add(id, heap.GoBack(new HeapEntry(heap.Name, heap.Record with { Number = 0, MapRoot = default, MappedPages = 0 })));
        }
    }

    /// <summary>Gives back a page that no heap refers to any more.</summary>
    public void Release(in MapEntry entry) => _pager.ReleaseForeign(entry);

    /// <inheritdoc/>
    public void Dispose()
    {
        _writer.Dispose();
        _pager.Dispose();
    }

    /// <summary>Gives a checkpoint that an older program made an id: the same, whoever opens the store or a copy of it.</summary>
    private static void EnsureContentId(ref CheckpointRecord record, Guid storeId)
    {
        if (record.ContentId == Guid.Empty)
        {
            Span<byte> bytes = stackalloc byte[40];
            storeId.TryWriteBytes(bytes);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], record.HeapId);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], record.Number);
            BinaryPrimitives.WriteInt64LittleEndian(bytes[32..], record.TimeTicks);
            record.ContentId = new Guid(XxHash128.Hash(bytes));
        }
    }

    private HeapEntry? Find(string name, bool isBeingReceived)
    {
        foreach (var heap in _heaps.Values)
        {
            if (heap.Name == name && heap.Record.Receive.IsActive == isBeingReceived)
            {
                return heap;
            }
        }

        return null;
    }

    private void Load(Guid storeId)
    {
        Read(CatalogLayout.HeaderAddress, DiskView.Bytes(ref _header));
        if (_header.Magic == 0)
        {
            return; // nothing was ever entered
        }

        if (_header.Magic != CatalogLayout.HeaderMagic
            || _header.HeapSlots > CatalogLayout.HeapCountMax
            || _header.CheckpointSlots > CatalogLayout.CheckpointCountMax
            || _header.ReclaimCount > CatalogLayout.ReclaimCountMax)
        {
            throw Impossible("its header");
        }

        for (var slot = 0; slot < _header.HeapSlots; slot++)
        {
            HeapRecord record = default;
            Read(CatalogLayout.HeapAddress(slot), DiskView.Bytes(ref record));
            _heapSlots.Load(record.Id != 0);
            if (record.Id != 0)
            {
                var heap = new HeapEntry(RecordText.Of(record), record) { Slot = slot };
                var isTaken = record.Id >= _header.NextHeapId || Find(heap.Name, record.Receive.IsActive) is not null;
                if (record.NameLength is 0 or > FileLayout.HeapNameBytesMax || isTaken || !_heaps.TryAdd(record.Id, heap))
                {
                    throw Impossible($"heap record {slot}");
                }
            }
        }

        for (var slot = 0; slot < _header.CheckpointSlots; slot++)
        {
            CheckpointRecord record = default;
            Read(CatalogLayout.CheckpointAddress(slot), DiskView.Bytes(ref record));
            _checkpointSlots.Load(record.HeapId != 0);
            if (record.HeapId != 0)
            {
                if (!_heaps.TryGetValue(record.HeapId, out var heap) || record.Number > heap.Number)
                {
                    throw Impossible($"checkpoint record {slot}");
                }

                EnsureContentId(ref record, storeId);
                heap.Checkpoints.Add(new CheckpointEntry(record) { Slot = slot });
            }
        }

        foreach (var heap in _heaps.Values)
        {
            heap.Checkpoints.Sort((a, b) => a.Record.Number.CompareTo(b.Record.Number));
            if (heap.Checkpoints.Count == 0 || !heap.IsLatest(heap.Checkpoints[^1]))
            {
                throw Impossible($"the latest checkpoint of heap '{heap.Name}'");
            }

            heap.Publish();
        }
    }

    /// <summary>Takes over the catalog of a store of version 1. The next commit enters it all, in this version.</summary>
    private void TakeOver(in Superblock root)
    {
        if (!Version1Catalog.TryRead(_channel, root, out var old))
        {
            throw new HeapCorruptedException($"{_channel.Name}: the catalog has changed while the store was being opened.");
        }

        ReadOnlySpan<HeapRecord> heaps = old.Heaps;
        ReadOnlySpan<Version1Catalog.CheckpointRecord> history = old.History;
        for (var i = 0; i < old.HeapCount; i++)
        {
            var record = heaps[i];
            record.Number = root.Sequence;
            record.KeepLast = 1;
            var heap = new HeapEntry(RecordText.Of(record), record);
            for (var j = 0; j < old.HistoryCount; j++)
            {
                if (j > 0 && history[j].Number <= history[j - 1].Number)
                {
                    throw Impossible($"checkpoint record {j}");
                }

                var checkpoint = new CheckpointRecord
                {
                    HeapId = record.Id,
                    Number = history[j].Number,
                    TimeTicks = history[j].TimeTicks,
                    Pages = history[j].Pages,
                    Bytes = history[j].Bytes,
                    PauseTicks = history[j].PauseTicks,
                    DurationTicks = history[j].DurationTicks,
                };
                EnsureContentId(ref checkpoint, root.StoreId);
                heap.Checkpoints.Add(new CheckpointEntry(checkpoint));
            }

            if (record.Id is 0 or > CatalogLayout.HeapCountMax
                || record.NameLength is 0 or > FileLayout.HeapNameBytesMax
                || !_heaps.TryAdd(record.Id, heap)
                || heap.Checkpoints.Count == 0
                || !heap.IsLatest(heap.Checkpoints[^1]))
            {
                throw Impossible($"heap record {i}");
            }

            _header.NextHeapId = Math.Max(_header.NextHeapId, record.Id + 1);
            heap.Publish();
        }
    }

    /// <summary>Enters what was taken over from version 1, and gives the old catalog's page back.</summary>
    public void EnterTakenOver(in Superblock root)
    {
        foreach (var heap in _heaps.Values.Where(heap => heap.Number > 0))
        {
            Enter(heap);
            foreach (var checkpoint in heap.Checkpoints)
            {
                Enter(checkpoint);
            }
        }

        if (root.Catalog.Place != 0)
        {
            Release(root.Catalog);
        }
    }

    private HeapCorruptedException Impossible(string what) =>
        new($"{_channel.Name}: the catalog matches its checksums, but {what} holds what cannot be. Run verify; restore the file from a copy.");

    private void Read(ulong address, Span<byte> bytes) =>
        _pager.Read(address >> FileLayout.PageShift, (int)(address & (FileLayout.PageSize - 1)), bytes);

    private void Write(ulong address, ReadOnlySpan<byte> bytes) =>
        _pager.Write(address >> FileLayout.PageShift, (int)(address & (FileLayout.PageSize - 1)), bytes);
}
