using Everheap.Engine.Storage;

namespace Everheap.Engine.Checkpoints;

/// <summary>A heap as the catalog has it in memory. Changed by commits alone; what others see of it is <see cref="Durable"/>.</summary>
internal sealed class HeapEntry(string name, in HeapRecord record)
{
    private HeapRecord _record = record;
    private HeapState _durable = HeapState.None;

    public string Name { get; } = name;

    public uint Id => _record.Id;

    /// <summary>The slot of its record; -1 until its first checkpoint.</summary>
    public int Slot { get; set; } = -1;

    /// <summary>Its record as the last commit has it, or the one that is being put together.</summary>
    public ref HeapRecord Record => ref _record;

    /// <summary>The number of its latest checkpoint; 0 if there is none.</summary>
    public ulong Number => _record.Number;

    /// <summary>Its checkpoints that are retained or remembered, oldest first; the last one is the latest.</summary>
    public List<CheckpointEntry> Checkpoints { get; } = [];

    /// <summary>Whether a <see cref="PersistentHeap"/> or an operation on the closed heap has it.</summary>
    public bool IsOpen { get; set; }

    /// <summary>What the newest durable root says of it. Any thread.</summary>
    public HeapState Durable
    {
        get => Volatile.Read(ref _durable);
        set => Volatile.Write(ref _durable, value);
    }

    /// <summary>Whether it is being received, by the last commit or by the newest durable root: it is not there for others.</summary>
    public bool IsBeingReceived => _record.Receive.IsActive || Durable.Record.Receive.IsActive;

    /// <summary>Whose its note is, as the newest durable root has it. Any thread.</summary>
    public NoteOwner NoteOwner => Durable is { Number: > 0 } durable ? NoteOwner.Of(durable.Record) : NoteOwner.Of(_record);

    /// <summary>How many of its checkpoints snapshots are open of.</summary>
    public bool IsPinned => Checkpoints.Exists(checkpoint => checkpoint.Pins > 0);

    /// <summary>The checkpoint of a number, or null.</summary>
    public CheckpointEntry? Find(ulong number)
    {
        var index = Checkpoints.FindLastIndex(checkpoint => checkpoint.Record.Number == number);
        return index < 0 ? null : Checkpoints[index];
    }

    /// <summary>Whether this is the checkpoint that the heap is at.</summary>
    public bool IsLatest(CheckpointEntry checkpoint) => checkpoint.Record.Number == Number;

    /// <summary>The page map of a checkpoint that can be opened; null if it cannot be.</summary>
    public (MapEntry Root, ulong MappedPages)? MapOf(CheckpointEntry checkpoint) =>
        IsLatest(checkpoint) ? (_record.MapRoot, _record.MappedPages)
        : (checkpoint.Record.Flags & CheckpointFlags.Retained) != 0 ? (checkpoint.Record.MapRoot, checkpoint.Record.MappedPages)
        : null;

    /// <summary>Says again what another entry of the same heap says. Whoever has this one, or one of its checkpoints, goes on having it.</summary>
    public HeapEntry GoBack(HeapEntry other)
    {
        _record = other._record;
        Slot = other.Slot;
        for (var i = 0; i < other.Checkpoints.Count; i++)
        {
            var checkpoint = other.Checkpoints[i];
            if (Find(checkpoint.Record.Number) is { } known)
            {
                known.Record = checkpoint.Record;
                other.Checkpoints[i] = known;
            }
        }

        Checkpoints.Clear();
        Checkpoints.AddRange(other.Checkpoints);
        return this;
    }

    /// <summary>Makes what the entry says now what everybody sees.</summary>
    public void Publish() => Durable = new HeapState(_record.Number, _record);

    /// <summary>The checkpoints that are durable, oldest first. Not while a commit is being made.</summary>
    public IReadOnlyList<CheckpointInfo> History()
    {
        var durable = Durable.Number;
        var infos = new List<CheckpointInfo>(Checkpoints.Count);
        foreach (var checkpoint in Checkpoints)
        {
            // After a commit that failed, the entry is ahead of what is durable.
            if (checkpoint.Record.Number <= durable)
            {
                infos.Add(checkpoint.ToInfo(isLatest: checkpoint.Record.Number == durable));
            }
        }

        return infos;
    }
}

/// <summary>What the newest durable root says of a heap.</summary>
internal sealed record HeapState(ulong Number, HeapRecord Record)
{
    /// <summary>Of a heap that no root knows.</summary>
    public static readonly HeapState None = new(0, default);
}

/// <summary>A checkpoint as the catalog has it in memory.</summary>
internal sealed class CheckpointEntry(in CheckpointRecord record)
{
    private CheckpointRecord _record = record;

    /// <summary>The slot of its record; -1 until it is entered.</summary>
    public int Slot { get; set; } = -1;

    public ref CheckpointRecord Record => ref _record;

    /// <summary>Snapshots open of it, in this process: it is not dropped while there are any.</summary>
    public int Pins { get; set; }

    /// <summary>The time from seal to durable, once that is known in this process.</summary>
    public long? DurableAfterTicks { get; set; }

    public CheckpointInfo ToInfo(bool isLatest) => new(
        (long)_record.Number,
        RecordText.ToTime(_record.TimeTicks),
        (long)_record.Pages,
        (long)_record.Bytes,
        TimeSpan.FromTicks(_record.PauseTicks),
        TimeSpan.FromTicks(DurableAfterTicks ?? _record.DurationTicks))
    {
        Name = _record.NameLength == 0 ? null : RecordText.Decode(_record.Name, _record.NameLength),
        IsRetained = isLatest || (_record.Flags & CheckpointFlags.Retained) != 0,
        IsHeld = (_record.Flags & CheckpointFlags.Held) != 0,
        ContentId = _record.ContentId,
    };
}
