using System.Diagnostics;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>
/// Atomic operations (threads proposal). One thread runs a program: an operation is a load and a store, nobody waits who could be notified, and nobody is there to end a wait but time.
/// </content>
internal sealed unsafe partial class Instance
{
    private const long Interrupted = -1;
    private const long NotEqual = 1;
    private const long TimedOut = 2;

    // How long a wait sleeps before it looks whether the stack is to be captured.
    private static readonly TimeSpan WaitSlice = TimeSpan.FromMilliseconds(5);

    /// <summary>Does an atomic read-modify-write operation, waits or notifies.</summary>
    public long DoAtomic(int memory, ulong address, Opcode opcode, ulong first, ulong second, int function, int offset)
    {
        int size = AtomicOperation.SizeOf(opcode);
        if ((address & (ulong)(size - 1)) != 0)
        {
            CompiledCode.Trap(_context, function, offset, (int)TrapKind.UnalignedAtomic);
            return 0;
        }

        if (opcode == Opcode.MemoryAtomicNotify)
        {
            // Nobody waits; but the address must lie inside.
            LoadSlow(memory, address, size, function, offset);
            return 0;
        }

        bool isWait = opcode is Opcode.MemoryAtomicWait32 or Opcode.MemoryAtomicWait64;
        if (isWait && !Module.Memories[memory].IsShared)
        {
            CompiledCode.Trap(_context, function, offset, (int)TrapKind.NotSharedMemory);
            return 0;
        }

        var before = (ulong)LoadSlow(memory, address, size, function, offset);
        if (_context->Poll == PollState.Unwinding)
        {
            return 0;
        }

        if (isWait)
        {
            return before == Narrow(first, size) ? Wait((long)second, function, offset) : NotEqual;
        }

        AtomicOperation operation = AtomicOperation.Of(opcode);
        if (operation.Kind != AtomicKind.CompareExchange || before == Narrow(first, size))
        {
            StoreSlow(memory, address, size, (long)Combine(operation.Kind, before, first, second), function, offset);
        }

        return (long)before;
    }

    private static ulong Narrow(ulong bits, int size) => size == sizeof(ulong) ? bits : bits & ((1UL << (8 * size)) - 1);

    private static ulong Combine(AtomicKind kind, ulong before, ulong first, ulong second) => kind switch
    {
        AtomicKind.Add => before + first,
        AtomicKind.Subtract => before - first,
        AtomicKind.And => before & first,
        AtomicKind.Or => before | first,
        AtomicKind.Xor => before ^ first,
        AtomicKind.Exchange => first,
        _ => second,
    };

    // What is left of the time goes to the slots where the wait is interrupted.
    private long Wait(long nanoseconds, int function, int offset)
    {
        if (nanoseconds < 0)
        {
            CompiledCode.Trap(_context, function, offset, (int)TrapKind.WaitsForEver);
            return 0;
        }

        // Longer times than a TimeSpan holds are as good as 290 years.
        TimeSpan time = TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            TimeSpan rest = time - Stopwatch.GetElapsedTime(start);
            if (rest <= TimeSpan.Zero)
            {
                return TimedOut;
            }

            if (Volatile.Read(ref _context->Poll) != PollState.Running)
            {
                *_context->Slots = (ulong)(rest.Ticks * TimeSpan.NanosecondsPerTick);
                return Interrupted;
            }

            Thread.Sleep(rest < WaitSlice ? rest : WaitSlice);
        }
    }
}
