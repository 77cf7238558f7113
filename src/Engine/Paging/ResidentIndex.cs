using System.Numerics;
using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

/// <summary>Which frame holds a page or node: a table of frame numbers with linear probing, at most half full; 8 bytes a frame of budget.</summary>
/// <remarks>
/// Keys are not stored twice: a slot's key is its frame's. Removal closes the gap instead of leaving a mark, so lookups never
/// get slower with age.
/// </remarks>
internal sealed unsafe class ResidentIndex : IDisposable
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    private readonly ReservedMemory _memory;
    private readonly Frame* _infos;
    private readonly int* _slots;
    private readonly uint _mask;
    private readonly int _shift;

    public ResidentIndex(FramePool pool)
    {
        var size = BitOperations.RoundUpToPowerOf2((ulong)pool.Count * 2);
        _mask = (uint)(size - 1);
        _shift = 64 - BitOperations.Log2(size);
        _infos = pool.Infos;
        _memory = new ReservedMemory(Math.Max((long)size * sizeof(int), FileLayout.PageSize));
        _slots = (int*)_memory.Start;
    }

    /// <summary>The frame of a key, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(ulong key)
    {
        for (var slot = Home(key); ; slot = (slot + 1) & _mask)
        {
            var frame = _slots[slot] - 1;
            if (frame < 0 || _infos[frame].Key == key)
            {
                return frame;
            }
        }
    }

    /// <summary>Adds a frame under its key, which is not present.</summary>
    public void Add(int frame)
    {
        var slot = Home(_infos[frame].Key);
        while (_slots[slot] != 0)
        {
            slot = (slot + 1) & _mask;
        }

        _slots[slot] = frame + 1;
    }

    /// <summary>Takes a frame out; its key is still what it was.</summary>
    public void Remove(int frame)
    {
        var slot = Home(_infos[frame].Key);
        while (_slots[slot] != frame + 1)
        {
            slot = (slot + 1) & _mask;
        }

        for (var next = (slot + 1) & _mask; _slots[next] != 0; next = (next + 1) & _mask)
        {
            // What stands further from home than the gap is moves into the gap.
            var home = Home(_infos[_slots[next] - 1].Key);
            if (((next - home) & _mask) >= ((next - slot) & _mask))
            {
                _slots[slot] = _slots[next];
                slot = next;
            }
        }

        _slots[slot] = 0;
    }

    /// <summary>Takes everything out.</summary>
    public void Clear() => new Span<int>(_slots, (int)_mask + 1).Clear();

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Home(ulong key) => (uint)((key * Golden) >> _shift);
}
