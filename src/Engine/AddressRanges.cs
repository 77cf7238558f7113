using System.Runtime.InteropServices;

namespace Everheap.Engine;

/// <summary>
/// Which address ranges of a heap are free: a treap of disjoint ranges, ordered by start, that lives in pages at the end of the heap itself and so is
/// part of every checkpoint.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>Free ranges do not touch: neighbours are merged at release. So what is free is known exactly, and by as few nodes as can be.</item>
/// <item>Every node knows the longest range at or below it, so first-fit goes down one path.</item>
/// <item>Priorities are a hash of the start, so the tree's shape, and with it what is written, depends on what is free and on nothing else.</item>
/// </list>
/// <para>Starts and lengths are in pages. A call reads and writes about as many nodes as the tree is deep: some forty among a million.</para>
/// </remarks>
internal sealed class AddressRanges
{
    /// <summary>The first address that is ever given out: what is below belongs to the heap's owner.</summary>
    public const ulong FirstAddress = 1UL << 20;

    /// <summary>Where the header is; nodes follow on the next page, up to where the heap's names are.</summary>
    public const ulong BaseAddress = PersistentHeap.AddressEnd;

    /// <summary>The most free ranges there can be, and so about the most allocations.</summary>
    public const uint NodeCountMax = (uint)(((NamedRootsHeader.Address - NodesAddress) / NodeSize) - 1);

    /// <summary>Nodes that one operation looks at, at most: many times what it looks at in a treap of as many nodes as there can be.</summary>
    private const int NodesLookedAtMax = 2048;

    private const ulong HeaderMagic = 0x5345474E41524845; // "EHRANGES"
    private const ulong NodeSize = 64;
    private const ulong NodesAddress = BaseAddress + PersistentHeap.PageSize;

    private readonly PersistentHeap _heap;
    /// <summary>Records that an operation has changed and that are not in the heap's pages yet, by their addresses.</summary>
    private readonly Dictionary<ulong, byte[]> _changed = [];
    private int _nodesLookedAt;

    public AddressRanges(PersistentHeap heap) => _heap = heap;

    /// <summary>First-fit.</summary>
    /// <param name="pages">How many pages.</param>
    /// <param name="alignment">Of the start, in pages; a power of two.</param>
    /// <returns>The first page, or 0 if there is no range long enough.</returns>
    public ulong Allocate(ulong pages, ulong alignment) => Atomically(() => TakeFirstFit(pages, alignment));

    private ulong TakeFirstFit(ulong pages, ulong alignment)
    {
        var header = ReadHeader();

        // With a larger alignment, a range is only counted long enough if it is so wherever it starts.
        var needed = pages + alignment - 1;
        var found = header.Root;
        if (found == 0 || ReadNode(found).Longest < needed)
        {
            return 0;
        }

        while (true)
        {
            var node = ReadNode(found);
            if (node.Left != 0 && ReadNode(node.Left).Longest >= needed)
            {
                found = node.Left;
            }
            else if (node.Length >= needed)
            {
                break;
            }
            else
            {
                found = node.Right;
            }
        }

        var range = ReadNode(found);
        var start = (range.Start + alignment - 1) & ~(alignment - 1);
        var end = range.Start + range.Length;
        header.Root = Delete(header.Root, range.Start);
        Recycle(ref header, found);
        Add(ref header, range.Start, start - range.Start);
        Add(ref header, start + pages, end - start - pages);
        WriteHeader(header);
        return start;
    }

    /// <summary>Makes a range free again.</summary>
    /// <returns>False, and nothing is changed, if some of it is free already.</returns>
    public bool TryRelease(ulong start, ulong pages) => Atomically(() => TryGiveBack(start, pages));

    /// <summary>Whether all of a range is set aside.</summary>
    public bool IsTaken(ulong start, ulong pages)
    {
        for (var at = ReadHeader().Root; at != 0;)
        {
            var node = ReadNode(at);
            if (node.Start < start + pages && start < node.Start + node.Length)
            {
                return false;
            }

            at = node.Start < start ? node.Right : node.Left;
        }

        return true;
    }

    /// <summary>Puts what operations have changed into the heap's pages; before a seal, so that it is part of the checkpoint.</summary>
    /// <exception cref="HeapFullException">There is no room for one of the pages; what is left can be put there later.</exception>
    public void Flush()
    {
        foreach (var (address, record) in _changed)
        {
            _heap.WriteAnywhere(address, record);
        }

        _changed.Clear();
    }

    /// <summary>The heap goes back: what was changed and not put into its pages is not so.</summary>
    public void Forget() => _changed.Clear();

    /// <summary>
    /// An operation changes several records. They are all changed here first, so that one that finds no room half-way changes nothing; and one that found room for
    /// itself but not for its records keeps them here until there is.
    /// </summary>
    private T Atomically<T>(Func<T> operation)
    {
        var before = _changed.ToArray();
        try
        {
            var result = operation();
            try
            {
                Flush();
            }
            catch (HeapFullException)
            {
                // Later, at the latest before the next seal.
            }

            return result;
        }
        catch
        {
            _changed.Clear();
            foreach (var (address, record) in before)
            {
                _changed.Add(address, record);
            }

            throw;
        }
    }

    private bool TryGiveBack(ulong start, ulong pages)
    {
        var header = ReadHeader();
        Node before = default;
        Node after = default;
        uint beforeAt = 0;
        uint afterAt = 0;
        for (var at = header.Root; at != 0;)
        {
            var node = ReadNode(at);
            if (node.Start <= start)
            {
                (before, beforeAt) = (node, at);
                at = node.Right;
            }
            else
            {
                (after, afterAt) = (node, at);
                at = node.Left;
            }
        }

        if ((beforeAt != 0 && before.Start + before.Length > start) || (afterAt != 0 && after.Start < start + pages))
        {
            return false;
        }

        if (beforeAt != 0 && before.Start + before.Length == start)
        {
            header.Root = Delete(header.Root, before.Start);
            Recycle(ref header, beforeAt);
            start = before.Start;
            pages += before.Length;
        }

        if (afterAt != 0 && after.Start == start + pages)
        {
            header.Root = Delete(header.Root, after.Start);
            Recycle(ref header, afterAt);
            pages += after.Length;
        }

        Add(ref header, start, pages);
        WriteHeader(header);
        return true;
    }

    private void Add(ref Header header, ulong start, ulong pages)
    {
        if (pages == 0)
        {
            return;
        }

        var at = header.FirstUnused;
        if (at != 0)
        {
            header.FirstUnused = ReadNode(at).Left;
        }
        else if (header.NodeCount < NodeCountMax)
        {
            at = ++header.NodeCount;
        }
        else
        {
            throw new HeapException($"The heap's address space is in more than {NodeCountMax} pieces. Allocate fewer, longer ranges.");
        }

        var node = new Node { Start = start, Length = pages, Longest = pages, Priority = Mix(start) };
        header.Root = Insert(header.Root, at, node);
    }

    private void Recycle(ref Header header, uint at)
    {
        WriteNode(at, new Node { Left = header.FirstUnused });
        header.FirstUnused = at;
    }

    private uint Insert(uint root, uint at, Node node)
    {
        if (root == 0)
        {
            WriteNode(at, node);
            return at;
        }

        var top = ReadNode(root);
        if (node.Priority > top.Priority)
        {
            Split(root, node.Start, out node.Left, out node.Right);
            WriteNode(at, Measured(node));
            return at;
        }

        if (node.Start < top.Start)
        {
            top.Left = Insert(top.Left, at, node);
        }
        else
        {
            top.Right = Insert(top.Right, at, node);
        }

        WriteNode(root, Measured(top));
        return root;
    }

    private uint Delete(uint root, ulong start)
    {
        var top = ReadNode(root);
        if (top.Start == start)
        {
            return Merge(top.Left, top.Right);
        }

        if (start < top.Start)
        {
            top.Left = Delete(top.Left, start);
        }
        else
        {
            top.Right = Delete(top.Right, start);
        }

        WriteNode(root, Measured(top));
        return root;
    }

    private void Split(uint root, ulong start, out uint left, out uint right)
    {
        if (root == 0)
        {
            left = right = 0;
            return;
        }

        var top = ReadNode(root);
        if (top.Start < start)
        {
            Split(top.Right, start, out top.Right, out right);
            left = root;
        }
        else
        {
            Split(top.Left, start, out left, out top.Left);
            right = root;
        }

        WriteNode(root, Measured(top));
    }

    private uint Merge(uint left, uint right)
    {
        if (left == 0 || right == 0)
        {
            return left | right;
        }

        var l = ReadNode(left);
        var r = ReadNode(right);
        if (l.Priority > r.Priority)
        {
            l.Right = Merge(l.Right, right);
            WriteNode(left, Measured(l));
            return left;
        }

        r.Left = Merge(left, r.Left);
        WriteNode(right, Measured(r));
        return right;
    }

    private Node Measured(Node node)
    {
        node.Longest = node.Length;
        if (node.Left != 0)
        {
            node.Longest = Math.Max(node.Longest, ReadNode(node.Left).Longest);
        }

        if (node.Right != 0)
        {
            node.Longest = Math.Max(node.Longest, ReadNode(node.Right).Longest);
        }

        return node;
    }

    private static uint Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return (uint)(value >> 32);
    }

    /// <summary>Begins an operation.</summary>
    private Header ReadHeader()
    {
        _nodesLookedAt = 0;
        Header header = default;
        Read(BaseAddress, MemoryMarshal.AsBytes(new Span<Header>(ref header)));
        if (header.Magic == HeaderMagic)
        {
            return header;
        }

        if (header.Magic != 0)
        {
            throw Impossible("do not begin with a header");
        }

        // A new heap: everything is free but what belongs to the owner.
        header.Magic = HeaderMagic;
        const ulong First = FirstAddress >> PersistentHeap.PageShift;
        Add(ref header, First, (PersistentHeap.AddressEnd >> PersistentHeap.PageShift) - First);
        WriteHeader(header);
        return header;
    }

    private void WriteHeader(Header header) => _changed[BaseAddress] = MemoryMarshal.AsBytes(new Span<Header>(ref header)).ToArray();

    private void Read(ulong address, Span<byte> record)
    {
        if (_changed.TryGetValue(address, out var changed))
        {
            changed.CopyTo(record);
        }
        else
        {
            _heap.ReadAnywhere(address, record);
        }
    }

    private Node ReadNode(uint at)
    {
        if (++_nodesLookedAt > NodesLookedAtMax)
        {
            throw Impossible("lead in a circle");
        }

        Node node = default;
        Read(AddressOf(at), MemoryMarshal.AsBytes(new Span<Node>(ref node)));
        return node;
    }

    private void WriteNode(uint at, Node node) => _changed[AddressOf(at)] = MemoryMarshal.AsBytes(new Span<Node>(ref node)).ToArray();

    private ulong AddressOf(uint at) => at is 0 or > NodeCountMax ? throw Impossible($"lead to a node {at}") : NodesAddress + (at * NodeSize);

    private HeapCorruptedException Impossible(string what) => new(
        $"heap '{_heap.Name}': its address ranges {what}. Nothing can be allocated or released in it; what it holds can be read. Restore the store from a copy.",
        _heap.Name,
        (long)(BaseAddress >> PersistentHeap.PageShift));

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    internal struct Header
    {
        public ulong Magic;

        /// <summary>The node at the top, or 0.</summary>
        public uint Root;

        /// <summary>The first unused node; the next stands in its <see cref="Node.Left"/>.</summary>
        public uint FirstUnused;

        /// <summary>Nodes that were ever used, numbered from 1.</summary>
        public uint NodeCount;
    }

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    internal struct Node
    {
        /// <summary>The first page.</summary>
        public ulong Start;

        /// <summary>Pages.</summary>
        public ulong Length;

        /// <summary>Pages of the longest range here or below.</summary>
        public ulong Longest;

        public uint Left;

        public uint Right;

        public uint Priority;
    }
}
