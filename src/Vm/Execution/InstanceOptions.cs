using Everheap.Vm.Compilation;

namespace Everheap.Vm.Execution;

/// <summary>How an <see cref="Instance"/> is run.</summary>
internal sealed record InstanceOptions
{
    /// <summary>Captures at every n-th safepoint; 0 for none.</summary>
    public int CaptureEvery { get; init; }

    /// <summary>The memory is never reached in one piece, whether it fits the budget or not.</summary>
    public bool IsAlwaysPaged { get; init; }

    /// <summary>A memory that is longer than this is reached by pages, where each page that is stored to for the first time can be told of.</summary>
    public long ContiguousBytesMax { get; init; } = long.MaxValue;

    /// <summary>The most bytes of all memories together.</summary>
    public long MemoryBytesMax { get; init; } = long.MaxValue;

    /// <summary>The most elements of all tables together.</summary>
    public long TableElementsMax { get; init; } = long.MaxValue;

    /// <summary>The most instances.</summary>
    public int InstancesMax { get; init; } = InstanceGroup.InstancesMax;

    /// <summary>Native stack that is used before frames move to the heap, in bytes; as much of a thread's stack as that leaves to the host.</summary>
    public int NativeStackBytes { get; init; } = InstanceGroup.NativeStackBytes;

    /// <summary>The most bytes of captured stack.</summary>
    public ulong StackBytesMax { get; init; } = CapturedStack.BytesMax;

    /// <summary>For tests: goes from one piece to pages and back at captures, at the first ones and then ever less often.</summary>
    public bool AlternatesAddressing { get; init; }

    /// <summary>Where the compiled code of modules is kept that are read from a heap; null for nowhere.</summary>
    public CodeCache? CodeCache { get; init; }

    /// <summary>For tests: see <see cref="CodeOptions.ChunkBytes"/>.</summary>
    public int ChunkBytes { get; init; } = ChunkLayout.ChunkBytes;

    /// <summary>For tests: see <see cref="CodeOptions.TieredBytes"/>.</summary>
    public int TieredBytes { get; init; } = Tiering.ModuleBytesMin;

    /// <summary>For tests: see <see cref="CodeOptions.HotCalls"/>.</summary>
    public int HotCalls { get; init; } = Tiering.HotCalls;

    /// <summary>For measuring: <see cref="Addressing.Unmarked"/>. What the program stores is in no checkpoint.</summary>
    public bool LeavesStoresUnmarked { get; init; }

    /// <summary>The code for a way of reaching the memory.</summary>
    /// <param name="addressing">By pages or in one piece.</param>
    /// <exception cref="InvalidOperationException">By pages, where stores leave no marks: what was stored in one piece would be lost.</exception>
    public CodeOptions CodeFor(Addressing addressing) => new(AddressingOf(addressing), CaptureEvery, ChunkBytes, TieredBytes, HotCalls);

    private Addressing AddressingOf(Addressing addressing) => (LeavesStoresUnmarked, addressing) switch
    {
        (false, _) => addressing,
        (true, Addressing.Contiguous) => Addressing.Unmarked,
        _ => throw new InvalidOperationException("The memory does not fit the budget in one piece, and its stores leave no marks: raise the budget."),
    };

    /// <summary>How long a large memory that is taken up from the heap is reached by pages before it may be made one piece, which reads the rest of it.</summary>
    public TimeSpan PinDelay { get; init; } = TimeSpan.FromSeconds(1);
}
