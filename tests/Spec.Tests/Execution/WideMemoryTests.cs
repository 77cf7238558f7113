using Everheap.Vm.Execution;

namespace Everheap.Spec.Tests.Execution;

/// <summary>Memories with addresses of 64 bits, beyond what 32 bits reach.</summary>
[TestFixture]
internal sealed class WideMemoryTests
{
    private const ulong FiveGiB = 5UL << 30;

    private const string Text = """
        (module
          (memory i64 1)
          (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
          (func (export "store") (param i64 i64) (i64.store offset=8 (local.get 0) (local.get 1)))
          (func (export "load") (param i64) (result i64) (i64.load offset=8 (local.get 0)))
          (func (export "copy") (param i64 i64 i64) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
          (func (export "sum") (param i64 i64) (result i64)
            (local $sum i64)
            (loop $next
              (local.set $sum (i64.add (local.get $sum) (i64.load (local.get 0))))
              (local.set 0 (i64.add (local.get 0) (i64.const 4096)))
              (br_if $next (i64.ne (local.tee 1 (i64.sub (local.get 1) (i64.const 1))) (i64.const 0))))
            (local.get $sum)))
        """;

    [OneTimeSetUp]
    public static void Require_the_converter() => OfficialSuiteTests.Require_the_suite_and_the_converter();

    [TestCase(0)]
    [TestCase(1)]
    public void A_memory_reaches_beyond_4_GiB(int captureEvery)
    {
        using var machine = new TextMachine(Text, new InstanceOptions { CaptureEvery = captureEvery });
        machine.Call("store", () => true, 0, 11);
        Assert.That(machine.Call("grow", FiveGiB >> 16), Is.EqualTo(1));

        machine.Call("store", () => true, FiveGiB, 22);
        machine.Call("copy", () => true, 1UL << 32, FiveGiB, 64);
        machine.Reopen();

        Assert.Multiple(() =>
        {
            Assert.That(machine.Call("load", 0), Is.EqualTo(11));
            Assert.That(machine.Call("load", FiveGiB), Is.EqualTo(22));
            Assert.That(machine.Call("load", 1UL << 32), Is.EqualTo(22));
            Assert.That(machine.Call("sum", FiveGiB + 8 - (10 * 4096), 11), Is.EqualTo(22));
        });
    }

    [TestCase(ulong.MaxValue)]
    [TestCase(ulong.MaxValue - 15)]
    [TestCase(1UL << 63)]
    [TestCase(1UL << 48)]
    [TestCase(1UL << 40)]
    [TestCase(65536UL - 15)]
    public void An_address_outside_traps_however_large_it_is(ulong address)
    {
        using var machine = new TextMachine(Text, new InstanceOptions());

        Assert.That(machine.Call("load", () => true, address), Is.EqualTo(RunOutcome.Trapped));
        Assert.That(machine.Group.Trap.Kind, Is.EqualTo(TrapKind.OutOfBoundsMemory));
    }
}
