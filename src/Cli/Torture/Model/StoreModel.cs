using System.Globalization;

namespace Everheap.Cli.Torture.Model;

/// <summary>All that is known of a store that is worked on and killed.</summary>
/// <param name="salt">The number that all its bytes are made from.</param>
internal sealed class StoreModel(int salt)
{
    private readonly List<HeapTrack> _dropped = [];
    private readonly Dictionary<string, int> _heapsMade = [];
    private long _noteBegun;
    private uint _writes;

    /// <summary>The number that all its bytes are made from.</summary>
    public int Salt { get; } = salt;

    /// <summary>Its heaps, those in doubt included.</summary>
    public List<HeapTrack> Heaps { get; } = [];

    /// <summary>By the name of the heap that they were for, transfers that were begun and not acknowledged.</summary>
    public Dictionary<string, TransferModel> Transfers { get; } = [];

    /// <summary>The note that was acknowledged last; 0: none.</summary>
    public long Note { get; private set; }

    /// <summary>A number for a write.</summary>
    public uint NextWrite() => ++_writes;

    /// <summary>A track for a heap that is to be made, under a name that no other had before.</summary>
    /// <param name="prefix">What its name begins with.</param>
    public HeapTrack NewHeap(string prefix)
    {
        int count = _heapsMade.GetValueOrDefault(prefix) + 1;
        _heapsMade[prefix] = count;
        return Track(prefix + count.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>A track for a heap of a given name.</summary>
    public HeapTrack Track(string name)
    {
        var track = new HeapTrack(name);
        Heaps.Add(track);
        return track;
    }

    /// <summary>A heap is gone for good.</summary>
    public void Forget(HeapTrack track)
    {
        Heaps.Remove(track);
        _dropped.Add(track);
    }

    /// <summary>A note is being written.</summary>
    /// <returns>What it says.</returns>
    public long BeginNote() => ++_noteBegun;

    /// <summary>A note was written.</summary>
    public void EndNote(long note) => Note = Math.Max(Note, note);

    /// <summary>Whether this may be found as the note after a kill.</summary>
    public bool MayBeNote(long note) => note >= Note && note <= _noteBegun;

    /// <summary>This was found as the note.</summary>
    public void AdoptNote(long note) => Note = note;

    /// <summary>The worker is gone: open heaps are closed, and snapshots with them.</summary>
    public void Abandon()
    {
        foreach (HeapTrack track in Heaps)
        {
            track.Close();
            track.HeldSnapshot = 0;
        }
    }

    /// <summary>Contents that a checkpoint of this number may have, in a store whose newest roots are damaged.</summary>
    /// <param name="heapName">The heap.</param>
    /// <param name="number">The checkpoint.</param>
    public IEnumerable<HeapContent> KnownContents(string heapName, long number) =>
        from track in Heaps.Concat(_dropped)
        where track.Name == heapName
        from state in track.Past
        where state is not null && state.Checkpoints.ContainsKey(number)
        select state.Checkpoints[number].Content;
}
