using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Paging;

/// <summary>
/// Frames of pages that were used lately, anywhere in the address space: what a <see cref="TranslationWindow"/> is to compiled code, this is to collections.
/// One table serves all of them, and its size follows from the budget, not from the heap.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>An entry is a page's true frame, or it is not there. The pager takes entries out at the same moments as those of windows: a seal takes the right to store,
/// the clock (and whatever else moves a page) the entry as a whole.</item>
/// <item>An entry that may be stored through is of a page that is Dirty in this epoch.</item>
/// <item>Any page number is safe to ask for, also one that was read out of a damaged structure: only pages of the heap are ever given out.</item>
/// </list>
/// <para>A page has one slot it can be in. Pages side by side have slots side by side; a page that needs a slot that is taken simply takes it.</para>
/// <para>Belongs to the mutator, like windows. A pointer is valid until the next call into the heap.</para>
/// </remarks>
internal sealed unsafe class TranslationCache : IDisposable
{
    private const int EntriesMax = 1 << 24;

    /// <summary>Set in every tag, so that an empty slot matches no page.</summary>
    private const ulong Present = 1UL << 62;

    /// <summary>Set in a tag whose page may be stored to, in the epoch that the tag names.</summary>
    private const ulong Writable = 1UL << 63;

    /// <summary>From this bit on a tag that is <see cref="Writable"/> names its epoch. No address has a page number that reaches there.</summary>
    private const int EpochShift = 64 - FileLayout.PageShift;

    /// <summary>Epochs that can be told apart.</summary>
    internal const ulong EpochCount = Present >> EpochShift;

    /// <summary>What of a tag says whether the page may be read.</summary>
    private const ulong LoadMask = Present | ((1UL << EpochShift) - 1);

    /// <summary>What a cache that was disposed of looks into: one empty slot.</summary>
    private static readonly Entry* Nothing = (Entry*)NativeMemory.AllocZeroed((nuint)sizeof(Entry));

    private readonly Pager _pager;
    private readonly ReservedMemory _memory;
    private readonly int _shift;
    private Entry* _entries;
    private ulong _mask;
    private ulong _writable = Present | Writable;
    private bool _isDisposed;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="pager">Whose pages are cached.</param>
    /// <param name="frames">How many frames it has. Twice as many slots make it rare that two pages that are both resident need the same one.</param>
    public TranslationCache(Pager pager, int frames)
    {
        _pager = pager;
        var count = Math.Min(BitOperations.RoundUpToPowerOf2((ulong)frames) * 2, EntriesMax);
        _memory = new ReservedMemory((long)count * sizeof(Entry));
        _entries = (Entry*)_memory.Start;
        _mask = count - 1;
        _shift = BitOperations.Log2(count);
    }

    /// <summary>A page's bytes, to read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Load(ulong page)
    {
        var entry = At(page);
        return (entry->Tag & LoadMask) == (page | Present) ? entry->Frame : LoadMissing(page);
    }

    /// <summary>A page's bytes, to write; it counts as changed in this epoch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Store(ulong page)
    {
        var entry = At(page);
        return entry->Tag == (page | _writable) ? entry->Frame : StoreMissing(page);
    }

    /// <summary>Takes the entry of a page away. True if it had one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Clear(ulong page)
    {
        var entry = At(page);
        if ((entry->Tag & LoadMask) != (page | Present))
        {
            return false;
        }

        entry->Tag = 0;
        return true;
    }

    /// <summary>Takes the right to store to a page away.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ClearStore(ulong page)
    {
        var entry = At(page);
        if (entry->Tag == (page | _writable))
        {
            entry->Tag = page | Present;
        }
    }

    /// <summary>Takes the right to store to any page away, in no time: it was given for an epoch, and another one begins.</summary>
    public void ClearStores()
    {
        var epoch = ((_writable >> EpochShift) + 1) & (EpochCount - 1);
        if (epoch == 0)
        {
            ClearAll(); // what was given when an epoch last had this name
        }

        _writable = Present | Writable | (epoch << EpochShift);
    }

    /// <summary>Takes all entries away.</summary>
    public void ClearAll() => _memory.Clear();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _entries = Nothing;
            _mask = 0;
            _memory.Dispose();
        }
    }

    // The high bits are folded in, so that two ranges used in step do not take each other's slots when they are a multiple of the table apart.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Entry* At(ulong page) => _entries + ((page ^ (page >> _shift)) & _mask);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* LoadMissing(ulong page)
    {
        Check(page);
        var frame = _pager.Load(page);
        *At(page) = new Entry { Tag = page | Present, Frame = frame };
        return frame;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* StoreMissing(ulong page)
    {
        Check(page);
        var frame = _pager.Store(page);
        *At(page) = new Entry { Tag = page | _writable, Frame = frame };
        return frame;
    }

    private void Check(ulong page)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, typeof(PersistentHeap));
        if (page >= PersistentHeap.AddressEnd >> FileLayout.PageShift)
        {
            throw new HeapCorruptedException(
                $"Heap '{_pager.HeapName}': page {page} is referred to, which is outside the heap's addresses: what refers to it is damaged, or is not what it is taken for.",
                _pager.HeapName);
        }
    }

    private struct Entry
    {
        public ulong Tag;

        public byte* Frame;
    }
}
