using Everheap.Vm.Execution;

namespace Everheap.Spec.Tests.Execution;

/// <summary>Waiting in shared memory, where nobody is there to notify.</summary>
[TestFixture]
internal sealed class AtomicWaitTests
{
    private const ulong TimedOut = 2;
    private const ulong NotEqual = 1;

    private const string Text = """
        (module
          (memory 1 1 shared)
          (func (export "wait") (param i32 i64) (result i32)
            (memory.atomic.wait32 offset=4 (i32.const 60) (local.get 0) (local.get 1))))
        """;

    [OneTimeSetUp]
    public static void Require_the_converter() => OfficialSuiteTests.Require_the_suite_and_the_converter();

    [Test]
    public void A_wait_for_another_value_ends_at_once()
    {
        using var machine = new TextMachine(Text, new InstanceOptions());

        Assert.That(machine.Call("wait", 1, ulong.MaxValue >> 1), Is.EqualTo(NotEqual));
    }

    [Test]
    public void A_wait_without_a_limit_traps()
    {
        using var machine = new TextMachine(Text, new InstanceOptions());

        Assert.That(machine.Call("wait", () => true, 0, ulong.MaxValue), Is.EqualTo(RunOutcome.Trapped));
        Assert.That(machine.Group.Trap.Kind, Is.EqualTo(TrapKind.WaitsForEver));
    }

    [Test]
    public void A_wait_can_be_captured_in_its_midst_and_goes_on_with_the_rest_of_its_time()
    {
        const ulong Nanoseconds = 400_000_000;
        using var machine = new TextMachine(Text, new InstanceOptions());
        using var timer = new Timer(_ => machine.Group.RequestCapture(), null, TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(20));
        var captures = 0;

        RunOutcome outcome = machine.Call("wait", () => ++captures % 2 == 0, 0, Nanoseconds);
        while (outcome == RunOutcome.Paused)
        {
            outcome = machine.Group.Run(() => ++captures % 2 == 0);
        }

        Assert.Multiple(() =>
        {
            Assert.That(outcome, Is.EqualTo(RunOutcome.Returned));
            Assert.That(machine.Group.Results[0], Is.EqualTo(TimedOut));
            Assert.That(captures, Is.GreaterThan(1));
        });
    }
}
