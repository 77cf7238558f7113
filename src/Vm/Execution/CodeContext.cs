using System.Runtime.InteropServices;

namespace Everheap.Vm.Execution;

/// <summary>What a twin or continuation leaves in <see cref="CodeContext.Left"/> when it returns without a result.</summary>
internal static class LeftState
{
    /// <summary>It returned its result, or the stack unwinds.</summary>
    public const int Nowhere = 0;

    /// <summary>At a memory access, which the twin makes, and goes on.</summary>
    public const int AtAccess = 1;

    /// <summary>A twin, at the head of a loop for which there is a continuation.</summary>
    public const int AtLoop = 2;
}

/// <summary>
/// What compiled code needs at hand; the first argument of every compiled function. It lies in native memory, its globals right behind
/// it. Only the thread that runs the program touches it, but for <see cref="Poll"/>, which any thread may move from
/// <see cref="PollState.Running"/> to <see cref="PollState.Requested"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CodeContext
{
    /// <summary>A <see cref="PollState"/>; first, so that a poll needs no displacement.</summary>
    public int Poll;

    /// <summary>A <see cref="LeftState"/>: where what returned wants to go on, with the record it saved.</summary>
    public int Left;

    /// <summary>A function whose frame begins below this moves the stack to the heap first.</summary>
    public byte* StackLimit;

    /// <summary>Memory 0's load table; its store table follows at a fixed distance, unless it has addresses of 64 bits.</summary>
    public nint LoadTable;

    /// <summary>Memory 0's store table.</summary>
    public nint StoreTable;

    /// <summary>Memory 0's size in bytes.</summary>
    public ulong MemoryBytes;

    /// <summary>Where memory 0 lies in one piece, or zero while it is reached by pages.</summary>
    public nint MemoryBase;

    /// <summary>Where it lies in one piece: one byte a page, set to 1 by whoever stores to the page.</summary>
    public nint DirtyMap;

    /// <summary>The last address in memory 0 at which 1 byte may be accessed; negative if there is none.</summary>
    public long Last8;

    /// <summary>As <see cref="Last8"/>, for 2 bytes.</summary>
    public long Last16;

    /// <summary>As <see cref="Last8"/>, for 4 bytes.</summary>
    public long Last32;

    /// <summary>As <see cref="Last8"/>, for 8 bytes.</summary>
    public long Last64;

    /// <summary>As <see cref="Last8"/>, for 16 bytes.</summary>
    public long Last128;

    /// <summary>What it shares with the other instances that it is linked with.</summary>
    public GroupState* Group;

    /// <summary>Arguments and results of host calls, and results of functions that return several: one and the same place for the whole group.</summary>
    public ulong* Slots;

    /// <summary>The entry point of each function's twin, or zero where it is not compiled yet. Belongs to the compiled code.</summary>
    public nint* Twins;

    /// <summary>All functions, by index. Belongs to the compiled code, which instances share.</summary>
    public TableEntry* Functions;

    /// <summary>What each function has left to go before it is hot (<see cref="Compilation.Tiering"/>). Belongs to the compiled code.</summary>
    public int* Countdowns;

    /// <summary>The entry that is being called; set right before each call through an entry.</summary>
    public TableEntry* Callee;

    /// <summary>The tables' entries and lengths.</summary>
    public TableView* Tables;

    /// <summary>Addresses of imported globals.</summary>
    public ulong** ImportedGlobals;

    /// <summary>What the imported functions are.</summary>
    public FunctionCell* Imports;

    /// <summary>A reference to function i of the instance is this plus i plus 1.</summary>
    public long FunctionReferences;

    /// <summary>A handle to the <see cref="Instance"/>.</summary>
    public nint Instance;

    /// <summary>The instance's number in its group.</summary>
    public int InstanceNumber;

    /// <summary>Safepoints still to pass before a stress capture; used by code compiled for stress only.</summary>
    public int StressCountdown;

    /// <summary>The countdown's start.</summary>
    public int StressInterval;

    /// <summary>0, where the JIT must not know it: it would fold x ^ 0 to x.</summary>
    public long NoBits;

    /// <summary>1, where the JIT must not know it: it would fold x * 1 to x, which leaves a signalling NaN as it is.</summary>
    public double One;

    /// <summary>0, where the JIT must not know it.</summary>
    public double Zero;

    /// <summary>1, where the JIT must not know it.</summary>
    public float OneSingle;

    /// <summary>0, where the JIT must not know it.</summary>
    public float ZeroSingle;

    /// <summary>Byte offset of declared global 0 from the context's start.</summary>
    public static int GlobalsOffset => (sizeof(CodeContext) + 15) & ~15;
}

/// <summary>A table as compiled code sees it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TableView
{
    /// <summary>The entries.</summary>
    public TableEntry* Entries;

    /// <summary>How many there are.</summary>
    public ulong Length;
}

/// <summary>A function as compiled code calls it: in the table of all functions, and in a table of the module's.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TableEntry
{
    /// <summary>
    /// The function's entry point, or, where the function is not compiled yet, that of a resolver, which finds this entry in <see cref="CodeContext.Callee"/>. Zero where the
    /// element is null.
    /// </summary>
    public nint Code;

    /// <summary>The number of the function's type (<see cref="Compilation.ModuleCompiler.SignatureOf"/>), or zero where the element is null.</summary>
    public uint Signature;

    /// <summary>The function's index, or <see cref="Foreign"/> where it is another instance's and the entry point that of a bridge.</summary>
    public uint Function;

    /// <summary>Stands for a function of another instance.</summary>
    public const uint Foreign = uint.MaxValue;

    /// <summary>The size of an entry in bytes is two to this power.</summary>
    public const int SizeShift = 4;
}
