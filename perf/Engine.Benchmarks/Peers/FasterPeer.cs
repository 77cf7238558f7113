using System.Runtime.InteropServices;
using FASTER.core;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>Microsoft FASTER's key-value store. A commit is a checkpoint of its log.</summary>
internal sealed class FasterPeer : IKeyValuePeer
{
    private const long LogPageBytes = 1L << 20;

    private readonly FasterKVSettings<long, RecordValue> _settings;
    private readonly FasterKV<long, RecordValue> _store;
    private readonly ClientSession<long, RecordValue, RecordValue, RecordValue, Empty, IFunctions<long, RecordValue, RecordValue, RecordValue, Empty>> _session;
    private bool _isIndexSaved;

    private FasterPeer(PeerSetup setup)
    {
        string folder = setup.File("faster");
        _isIndexSaved = Directory.Exists(folder);
        _settings = new FasterKVSettings<long, RecordValue>(folder)
        {
            // The index is memory, too: 8 bytes a key. What is left of the budget goes to the log, in powers of two.
            IndexSize = PowerOfTwo(setup.RecordCount * sizeof(long)),
            MemorySize = Math.Max(8 * LogPageBytes, PowerOfTwo(setup.BudgetBytes / 2)),
            PageSize = LogPageBytes,
            TryRecoverLatest = true,
            RemoveOutdatedCheckpoints = true,
        };
        _store = new FasterKV<long, RecordValue>(_settings);
        _session = _store.NewSession<RecordValue, RecordValue, Empty>(new SimpleFunctions<long, RecordValue>());
    }

    public static PeerKind Kind { get; } = new(
        "FASTER 2.6.5",
        "hash index of 8 bytes a key, log memory = half the budget in pages of 1 MiB, default mutable fraction, outdated checkpoints removed",
        "`TakeHybridLogCheckpointAsync(FoldOver)`, awaited; the index once, at the first commit",
        setup => new FasterPeer(setup));

    public bool TryRead(long key, Span<byte> value)
    {
        RecordValue found = default;
        Status status = _session.Read(ref key, ref found);
        if (status.IsPending)
        {
            _session.CompletePendingWithOutputs(out CompletedOutputIterator<long, RecordValue, RecordValue, RecordValue, Empty> outputs, wait: true);
            using (outputs)
            {
                outputs.Next();
                status = outputs.Current.Status;
                found = outputs.Current.Output;
            }
        }

        MemoryMarshal.AsBytes(new ReadOnlySpan<RecordValue>(in found)).CopyTo(value);
        return status.Found;
    }

    public void Write(long key, ReadOnlySpan<byte> value)
    {
        RecordValue copy = MemoryMarshal.Read<RecordValue>(value);
        _session.Upsert(ref key, ref copy);
    }

    public void Commit()
    {
        bool isTaken = _isIndexSaved
            ? _store.TakeHybridLogCheckpointAsync(CheckpointType.FoldOver).AsTask().GetAwaiter().GetResult().success
            : _store.TakeFullCheckpointAsync(CheckpointType.FoldOver).AsTask().GetAwaiter().GetResult().success;
        _isIndexSaved = true;
        if (!isTaken)
        {
            throw new InvalidOperationException("FASTER did not take the checkpoint.");
        }
    }

    public void Dispose()
    {
        _session.Dispose();
        _store.Dispose();
        _settings.Dispose();
    }

    /// <summary>The largest that is not more.</summary>
    private static long PowerOfTwo(long bytes) => 1L << (int)(63 - long.LeadingZeroCount(Math.Max(bytes, 1 << 16)));
}
