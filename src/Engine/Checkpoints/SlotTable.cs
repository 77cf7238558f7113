namespace Everheap.Engine.Checkpoints;

/// <summary>Which slots of a table of records are free: the lowest is taken first, so that the table stays short and its pages few.</summary>
internal sealed class SlotTable
{
    private readonly SortedSet<int> _free = [];

    /// <summary>Slots that were ever used.</summary>
    public int Count { get; private set; }

    /// <summary>A slot that was in use is one when the table is read.</summary>
    public void Load(bool isInUse)
    {
        if (!isInUse)
        {
            _free.Add(Count);
        }

        Count++;
    }

    /// <summary>Takes a slot.</summary>
    public int Take()
    {
        if (_free.Count == 0)
        {
            return Count++;
        }

        var slot = _free.Min;
        _free.Remove(slot);
        return slot;
    }

    /// <summary>Gives a slot back.</summary>
    public void Return(int slot) => _free.Add(slot);

    /// <summary>Slots in use.</summary>
    public int InUse => Count - _free.Count;
}
