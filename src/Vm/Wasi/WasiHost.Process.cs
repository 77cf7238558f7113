using System.Buffers.Binary;
using System.Security.Cryptography;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Wasi;

/// <content>Arguments, environment, clocks, random numbers, the end, and sockets (of which a program has none).</content>
internal sealed partial class WasiHost
{
    private static void WriteU32(GuestMemory memory, ulong offset, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        memory.Write(offset, bytes);
    }

    private static void WriteU64(GuestMemory memory, ulong offset, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        memory.Write(offset, bytes);
    }

    private static Errno GetStrings(GuestMemory memory, byte[][] strings, ulong pointers, ulong buffer)
    {
        foreach (byte[] one in strings)
        {
            WriteU32(memory, pointers, (uint)buffer);
            memory.Write(buffer, one);
            memory.Write(buffer + (ulong)one.Length, [0]);
            pointers += sizeof(uint);
            buffer += (ulong)one.Length + 1;
        }

        return Errno.Success;
    }

    private static Errno GetSizes(GuestMemory memory, byte[][] strings, ulong count, ulong size)
    {
        WriteU32(memory, count, (uint)strings.Length);
        WriteU32(memory, size, (uint)strings.Sum(static one => one.Length + 1));
        return Errno.Success;
    }

    private Answer ArgsGet(GuestMemory memory, ReadOnlySpan<ulong> arguments) => GetStrings(memory, _arguments, arguments[0], arguments[1]);

    private Answer ArgsSizesGet(GuestMemory memory, ReadOnlySpan<ulong> arguments) => GetSizes(memory, _arguments, arguments[0], arguments[1]);

    private Answer EnvironGet(GuestMemory memory, ReadOnlySpan<ulong> arguments) => GetStrings(memory, _environment, arguments[0], arguments[1]);

    private Answer EnvironSizesGet(GuestMemory memory, ReadOnlySpan<ulong> arguments) => GetSizes(memory, _environment, arguments[0], arguments[1]);

    private static Answer ClockResGet(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        if (arguments[0] > (ulong)ClockId.ThreadCpuTime)
        {
            return Errno.Invalid;
        }

        WriteU64(memory, arguments[1], GuestClock.Resolution);
        return Errno.Success;
    }

    private Answer ClockTimeGet(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        if (!TryReadClock((ClockId)arguments[0], out ulong now))
        {
            return Errno.Invalid;
        }

        WriteU64(memory, arguments[2], now);
        return Errno.Success;
    }

    private bool TryReadClock(ClockId clock, out ulong now)
    {
        now = clock switch
        {
            ClockId.Realtime => _clock.Realtime,
            ClockId.Monotonic => _clock.Monotonic,
            ClockId.ProcessCpuTime or ClockId.ThreadCpuTime => _clock.Cpu,
            _ => ulong.MaxValue,
        };
        return clock <= ClockId.ThreadCpuTime;
    }

    private static Answer RandomGet(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        ulong offset = arguments[0];
        ulong left = arguments[1];
        if (left > memory.Length || offset > memory.Length - left)
        {
            return Errno.Fault;
        }

        byte[] piece = new byte[(int)Math.Min(left, WasiLimits.RandomPieceBytes)];
        while (left > 0)
        {
            var part = piece.AsSpan(0, (int)Math.Min(left, (ulong)piece.Length));
            RandomNumberGenerator.Fill(part);
            memory.Write(offset, part);
            offset += (ulong)part.Length;
            left -= (ulong)part.Length;
        }

        return Errno.Success;
    }

    private HostOutcome ProcExit(GuestMemory memory, ReadOnlySpan<ulong> arguments, Span<ulong> results)
    {
        ExitCode = (int)(uint)arguments[0];
        return HostOutcome.Exit;
    }

    /// <summary>A raised signal is deadly unless its default is to be ignored: programs cannot catch any.</summary>
    private static Answer ProcRaise(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        const uint None = 0;
        const uint Child = 16;
        const uint Continue = 17;
        const uint Urgent = 22;
        const uint WindowChange = 27;
        const uint SignalMax = 30;
        return (uint)arguments[0] switch
        {
            None or Child or Continue or Urgent or WindowChange => Errno.Success,
            <= SignalMax => Answer.Trap,
            _ => Errno.Invalid,
        };
    }

    private static Answer SchedYield(GuestMemory memory, ReadOnlySpan<ulong> arguments) => Errno.Success;

    private Answer SockAny(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        _ = _descriptors.Get((uint)arguments[0]);
        return Errno.NotSocket;
    }
}
