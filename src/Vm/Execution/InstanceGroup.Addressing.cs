using System.Diagnostics;
using System.Numerics;
using Everheap.Engine;
using Everheap.Vm.Compilation;

namespace Everheap.Vm.Execution;

/// <content>
/// How memories are reached. As long as one fits the budget it is pinned, and the code of the instances that use it is compiled for a memory in one piece. Once it has outgrown that, the next
/// safepoint captures the stack (one follows each growth at once), and they go on by pages: frames name WebAssembly's values and offsets, so that any compilation can take
/// them up. Code of the one kind never runs while the memory is reached in the other way.
/// <para>A large memory that is taken up from the heap begins by pages, so that the program goes on at once; a while later it is made one piece at a safepoint, if it fits.</para>
/// </content>
internal sealed unsafe partial class InstanceGroup
{
    private const int AlternationsMax = 64;

    /// <summary>A memory up to this length, in bytes, is read at once where it is taken up from the heap: some 5 ms.</summary>
    private const ulong ReadAtOnceMax = 16 << 20;

    /// <summary>A memory from this length on is prefetched, in bytes.</summary>
    private const ulong PrefetchedMin = 1 << 20;

    private readonly long _begun = Stopwatch.GetTimestamp();
    private int _captures;

    /// <summary>How a memory is reached that an instance is about to use; decided anew where it is the first to.</summary>
    public Addressing AddressingOf(LinearMemory? memory)
    {
        if (memory is null)
        {
            return Addressing.Paged;
        }

        if (memory.Users.Count > 0)
        {
            return memory.Addressing;
        }

        memory.IsPinDeferred = _isRestoring && memory.Length > ReadAtOnceMax;
        if (_isRestoring && !Options.IsAlwaysPaged && memory.Length >= PrefetchedMin && memory.Fits((ulong)Options.ContiguousBytesMax))
        {
            // All of it will be read, now or a while later.
            Heap.Prefetch([new HeapRange(memory.Address, memory.Length)]);
        }

        return Pin(memory, Options.IsAlwaysPaged || memory.IsPinDeferred ? Addressing.Paged : Addressing.Contiguous);
    }

    private Addressing Pin(LinearMemory memory, Addressing addressing)
    {
        if (addressing == Addressing.Contiguous && memory.TryPin((ulong)Options.ContiguousBytesMax))
        {
            return Addressing.Contiguous;
        }

        memory.Unpin();
        return Addressing.Paged;
    }

    // While the whole stack that will go on lies in the heap.
    private void ReachMemoriesAnew()
    {
        // A switch moves the whole memory: often at first, then ever less often.
        bool alternates = Options.AlternatesAddressing && (++_captures <= AlternationsMax || BitOperations.IsPow2(_captures));
        bool isSwitched = false;
        foreach (LinearMemory memory in _memories)
        {
            bool isDue = IsPinDue(memory);
            if (memory.Users.Count > 0 && (alternates || memory.HasOutgrownPin || isDue))
            {
                Addressing next = Pin(memory, isDue || (alternates && memory.Addressing == Addressing.Paged) ? Addressing.Contiguous : Addressing.Paged);
                memory.IsPinDeferred = false;
                if (isDue && next == Addressing.Paged)
                {
                    continue;
                }

                foreach (Instance user in memory.Users)
                {
                    RememberCodeOf(user);
                    user.ReachMemory(next);
                }

                isSwitched = true;
            }
        }

        if (isSwitched)
        {
            RefreshEntries();
        }
    }

    private bool IsPinDue(LinearMemory memory) =>
        memory.IsPinDeferred && !Options.IsAlwaysPaged && Stopwatch.GetElapsedTime(_begun) >= Options.PinDelay;

    // Code has other entry points now: for whoever imports functions, for bridges, and for tables.
    private void RefreshEntries()
    {
        foreach (Instance instance in _instances)
        {
            instance.RefreshImports();
        }

        Bridges.Refresh();
        foreach (Table table in _tables)
        {
            table.ResolveAll();
        }
    }
}
