using System.Buffers.Binary;
using Everheap.Vm.Execution;
using Everheap.Vm.Wasi.Files;
using Everheap.Vm.Wasi.State;

namespace Everheap.Vm.Wasi;

/// <content>
/// poll_oneoff. Invariant: when a wait is interrupted, the time at which it began is part of the state, so that a relative time-out
/// goes on with what remains of it, here or after a resume.
/// </content>
internal sealed partial class WasiHost
{
    private const int SubscriptionBytes = 48;
    private const int EventBytes = 32;
    private const ushort AbsoluteTime = 1;
    private const ushort HangUp = 1;
    private const ulong NanosecondsPerMillisecond = 1_000_000;
    private const int WaitMillisecondsMax = 60_000;

    /// <summary>When the wait that is to be tried again began, on the monotonic clock; null if there is none.</summary>
    private ulong? _sleep;

    private static ulong? ReadSleep(ref StateReader reader) => reader.Bool() ? reader.U64() : null;

    private void WriteSleep(StateWriter writer)
    {
        writer.Bool(_sleep is not null);
        if (_sleep is not null)
        {
            writer.U64(_sleep.Value);
        }
    }

    private Answer PollOneoff(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        uint count = (uint)arguments[2];
        if (count is 0 or > WasiLimits.SubscriptionsMax)
        {
            return Errno.Invalid;
        }

        byte[] subscriptions = new byte[count * SubscriptionBytes];
        memory.Read(arguments[0], subscriptions);
        ulong start = _sleep ?? _clock.Monotonic;
        _sleep = null;
        byte[] events = new byte[count * EventBytes];
        lock (_gate)
        {
            while (true)
            {
                ulong wait = ulong.MaxValue;
                int ready = 0;
                for (int i = 0; i < count; i++)
                {
                    var subscription = subscriptions.AsSpan(i * SubscriptionBytes, SubscriptionBytes);
                    if (IsReady(subscription, start, events.AsSpan(ready * EventBytes, EventBytes), ref wait))
                    {
                        ready++;
                    }
                }

                if (ready > 0)
                {
                    memory.Write(arguments[1], events.AsSpan(0, ready * EventBytes));
                    WriteU32(memory, arguments[3], (uint)ready);
                    return Errno.Success;
                }

                if (TakeInterrupt())
                {
                    _sleep = start;
                    return Answer.Retry;
                }

                // Rounded up, so that the last wait is not followed by many short ones.
                ulong milliseconds = Math.Min((wait / NanosecondsPerMillisecond) + 1, WaitMillisecondsMax);
                Monitor.Wait(_gate, (int)milliseconds);
            }
        }
    }

    /// <summary>Looks at one subscription. The gate is held.</summary>
    /// <param name="subscription">Its bytes (<c>subscription</c>).</param>
    /// <param name="start">When the wait began, on the monotonic clock.</param>
    /// <param name="happened">Set to the event (<c>event</c>) if it has happened.</param>
    /// <param name="wait">Lowered to the nanoseconds until it may have, if that is known.</param>
    /// <returns>Whether it has happened.</returns>
    private bool IsReady(ReadOnlySpan<byte> subscription, ulong start, Span<byte> happened, ref ulong wait)
    {
        happened.Clear();
        subscription[..8].CopyTo(happened);
        var type = (EventType)subscription[8];
        happened[10] = (byte)type;
        switch (type)
        {
            case EventType.Clock:
                var clock = (ClockId)BinaryPrimitives.ReadUInt32LittleEndian(subscription[16..]);
                ulong timeout = BinaryPrimitives.ReadUInt64LittleEndian(subscription[24..]);
                bool isAbsolute = (BinaryPrimitives.ReadUInt16LittleEndian(subscription[40..]) & AbsoluteTime) != 0;
                return IsTimeReached(clock, timeout, isAbsolute, start, happened, ref wait);
            case EventType.FdRead or EventType.FdWrite:
                uint number = BinaryPrimitives.ReadUInt32LittleEndian(subscription[16..]);
                return IsDescriptorReady(type, number, happened);
            default:
                SetEvent(happened, Errno.Invalid, 0, 0);
                return true;
        }
    }

    private bool IsTimeReached(ClockId clock, ulong timeout, bool isAbsolute, ulong start, Span<byte> happened, ref ulong wait)
    {
        if (!TryReadClock(clock, out ulong now))
        {
            SetEvent(happened, Errno.Invalid, 0, 0);
            return true;
        }

        if (!isAbsolute)
        {
            // Intervals are measured on one clock, the one that never jumps.
            now = _clock.Monotonic;
            timeout = timeout > ulong.MaxValue - start ? ulong.MaxValue : start + timeout;
        }

        if (now >= timeout)
        {
            return true;
        }

        wait = Math.Min(wait, timeout - now);
        return false;
    }

    private bool IsDescriptorReady(EventType type, uint number, Span<byte> happened)
    {
        Descriptor descriptor;
        try
        {
            descriptor = _descriptors.Get(number);
        }
        catch (WasiException error)
        {
            SetEvent(happened, error.Errno, 0, 0);
            return true;
        }

        var needed = type == EventType.FdRead ? Rights.FdRead : Rights.FdWrite;
        if (descriptor.Kind == DescriptorKind.Directory || (descriptor.Rights & needed) == 0)
        {
            SetEvent(happened, Errno.BadDescriptor, 0, 0);
            return true;
        }

        switch (descriptor.Kind)
        {
            case DescriptorKind.Input when !_input.IsFile:
                if (!_input.IsReady(WasiLimits.InputAheadBytesMax))
                {
                    return false;
                }

                SetEvent(happened, Errno.Success, (ulong)_input.ReadyBytes, _input.ReadyBytes == 0 ? HangUp : (ushort)0);
                return true;
            case DescriptorKind.Input:
                SetEvent(happened, Errno.Success, (ulong)Math.Max(0, _input.FileLength - descriptor.Offset), 0);
                return true;
            case DescriptorKind.File when type == EventType.FdRead:
                SetEvent(happened, Errno.Success, (ulong)Math.Max(0, FileSystem.Length(descriptor.File) - descriptor.Offset), 0);
                return true;
            default:
                // Writing to a file never waits; output waits, if at all, in fd_write.
                SetEvent(happened, Errno.Success, 1, 0);
                return true;
        }
    }

    private static void SetEvent(Span<byte> happened, Errno error, ulong bytes, ushort flags)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(happened[8..], (ushort)error);
        BinaryPrimitives.WriteUInt64LittleEndian(happened[16..], bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(happened[24..], flags);
    }

    /// <summary>Whether an interrupt is wanted; it counts as served then. The gate is held.</summary>
    private bool TakeInterrupt()
    {
        bool wanted = _interrupted;
        _interrupted = false;
        return wanted;
    }
}
