using System.Buffers.Binary;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

internal sealed class PollTests
{
    private WasiBed _bed = null!;

    [SetUp]
    public void Start() => _bed = new WasiBed().Start();

    [TearDown]
    public void End() => _bed.Dispose();

    [Test]
    public void A_time_that_is_reached_is_an_event_with_its_user_data()
    {
        var outcome = Poll(out var errno, out var events, Clock(77, ClockId.Monotonic, 0, isAbsolute: false));
        Assert.That((outcome, errno), Is.EqualTo((HostOutcome.Completed, Errno.Success)));
        Assert.That(events, Is.EqualTo(new[] { (77UL, Errno.Success, EventType.Clock) }));
    }

    [Test]
    public void A_relative_sleep_goes_on_with_what_remains_of_it_over_kills()
    {
        byte[] second = Clock(1, ClockId.Monotonic, 1_000_000_000, isAbsolute: false);
        Assert.That(PollInterrupted(second), Is.EqualTo(HostOutcome.Retry));
        _bed.Time.Advance(TimeSpan.FromMilliseconds(400));
        Assert.That(PollInterrupted(second), Is.EqualTo(HostOutcome.Retry));
        _bed.Checkpoint();
        _bed.Kill();
        _bed.Time.Advance(TimeSpan.FromDays(1));
        _bed.Resume();
        Assert.That(PollInterrupted(second), Is.EqualTo(HostOutcome.Retry));
        _bed.Time.Advance(TimeSpan.FromMilliseconds(599));
        Assert.That(PollInterrupted(second), Is.EqualTo(HostOutcome.Retry));
        _bed.Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(Poll(out _, out var events, second), Is.EqualTo(HostOutcome.Completed));
        Assert.That(events, Has.Length.EqualTo(1));

        // The next one starts afresh.
        Assert.That(PollInterrupted(second), Is.EqualTo(HostOutcome.Retry));
    }

    [Test]
    public void An_absolute_time_is_waited_for_on_its_own_clock([Values(ClockId.Realtime, ClockId.Monotonic)] ClockId clock)
    {
        ulong result = _bed.Scratch(8);
        _bed.Call("clock_time_get", (ulong)clock, 0, result);
        byte[] later = Clock(1, clock, _bed.GetU64(result) + 2_000_000_000, isAbsolute: true);
        Assert.That(PollInterrupted(later), Is.EqualTo(HostOutcome.Retry));
        _bed.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.That(Poll(out _, out _, later), Is.EqualTo(HostOutcome.Completed));
    }

    [Test]
    public void A_real_sleep_ends_by_itself_or_by_an_interrupt_from_another_thread()
    {
        using var interrupter = new Timer(_ => _bed.Host.Interrupt(), null, 20, Timeout.Infinite);
        Assert.That(Poll(out _, out _, Clock(1, ClockId.Monotonic, 3_600_000_000_000, isAbsolute: false)), Is.EqualTo(HostOutcome.Retry));
    }

    [Test]
    public void Descriptors_that_never_wait_are_ready_and_wrong_ones_say_so()
    {
        Poll(out var errno, out var events,
            Descriptor(1, EventType.FdWrite, 1),
            Descriptor(2, EventType.FdRead, 0),
            Descriptor(3, EventType.FdRead, 99),
            Descriptor(4, EventType.FdRead, 1),
            Clock(5, (ClockId)9, 0, isAbsolute: false),
            Clock(6, ClockId.Monotonic, 1_000_000_000_000, isAbsolute: false));
        Assert.That(errno, Is.EqualTo(Errno.Success));
        Assert.That(events, Is.EqualTo(new[]
        {
            (1UL, Errno.Success, EventType.FdWrite),
            (2UL, Errno.Success, EventType.FdRead),
            (3UL, Errno.BadDescriptor, EventType.FdRead),
            (4UL, Errno.BadDescriptor, EventType.FdRead),
            (5UL, Errno.Invalid, EventType.Clock),
        }));
    }

    [Test]
    public void A_file_tells_how_much_there_is_to_read()
    {
        _bed.WriteFile("f", "12345");
        uint descriptor = _bed.Open("f");
        _bed.ReadBytes(descriptor, 2);
        ulong events = _bed.Scratch(32);
        Assert.That(_bed.Call("poll_oneoff", _bed.Put(Descriptor(1, EventType.FdRead, descriptor)), events, 1, _bed.Scratch(4)), Is.EqualTo(Errno.Success));
        Assert.That(_bed.GetU64(events + 16), Is.EqualTo(3));
    }

    [Test]
    public void No_subscription_and_too_many_are_refused()
    {
        Assert.That(_bed.Call("poll_oneoff", 0, 0, 0, 0), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Call("poll_oneoff", 0, 0, WasiLimits.SubscriptionsMax + 1, 0), Is.EqualTo(Errno.Invalid));
    }

    private static byte[] Clock(ulong userData, ClockId clock, ulong timeout, bool isAbsolute)
    {
        byte[] bytes = new byte[48];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, userData);
        bytes[8] = (byte)EventType.Clock;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), (uint)clock);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24), timeout);
        bytes[40] = isAbsolute ? (byte)1 : (byte)0;
        return bytes;
    }

    private static byte[] Descriptor(ulong userData, EventType type, uint descriptor)
    {
        byte[] bytes = new byte[48];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, userData);
        bytes[8] = (byte)type;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), descriptor);
        return bytes;
    }

    private HostOutcome PollInterrupted(byte[] subscription)
    {
        _bed.Host.Interrupt();
        return Poll(out _, out _, subscription);
    }

    private HostOutcome Poll(out Errno errno, out (ulong UserData, Errno Error, EventType Type)[] events, params byte[][] subscriptions)
    {
        ulong address = _bed.Put([.. subscriptions.SelectMany(static one => one)]);
        ulong result = _bed.Scratch(32 * subscriptions.Length);
        ulong count = _bed.Scratch(4);
        var outcome = _bed.TryCall("poll_oneoff", out errno, address, result, (ulong)subscriptions.Length, count);
        events = outcome != HostOutcome.Completed || errno != Errno.Success ? [] : [.. Enumerable.Range(0, (int)_bed.GetU32(count)).Select(i =>
        {
            byte[] one = _bed.Get(result + ((ulong)i * 32), 32);
            return (BinaryPrimitives.ReadUInt64LittleEndian(one), (Errno)BinaryPrimitives.ReadUInt16LittleEndian(one.AsSpan(8)), (EventType)one[10]);
        })];
        return outcome;
    }
}
