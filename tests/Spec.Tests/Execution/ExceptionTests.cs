using Everheap.Vm.Execution;

namespace Everheap.Spec.Tests.Execution;

/// <summary>Exceptions: what the official suite does not look at.</summary>
[TestFixture]
internal sealed class ExceptionTests
{
    // Function 0 throws, through 1, 2 and 3; 4 throws and catches by reference in a loop, and keeps the last.
    private const string Text = """
        (module
          (tag $t (param i32))
          (global $kept (mut exnref) (ref.null exn))
          (func $throw (param i32) (throw $t (local.get 0)))
          (func $inner (param i32) (call $throw (local.get 0)) (nop))
          (func $middle (param i32)
            (block $none (result i32)
              (try_table (catch $other $none) (call $inner (local.get 0)))
              (i32.const 0))
            (drop))
          (func (export "outer") (param i32) (call $middle (local.get 0)) (nop))
          (func (export "many") (param $count i32) (result i32)
            (local $caught i32)
            (loop $again
              (block $handler (result i32 exnref)
                (try_table (catch_ref $t $handler) (call $throw (local.get $count)))
                (unreachable))
              (global.set $kept)
              (drop)
              (local.set $caught (i32.add (local.get $caught) (i32.const 1)))
              (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
            (local.get $caught))
          (func (export "last") (result i32)
            (block $handler (result i32)
              (try_table (catch $t $handler) (throw_ref (global.get $kept)))
              (unreachable)))
          (tag $other (param i32)))
        """;

    [OneTimeSetUp]
    public static void Require_the_converter() => OfficialSuiteTests.Require_the_suite_and_the_converter();

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(3)]
    public void An_exception_that_nobody_catches_leaves_the_stack_as_it_was_at_the_throw(int captureEvery)
    {
        using var machine = new TextMachine(Text, new InstanceOptions { CaptureEvery = captureEvery });

        RunOutcome outcome = machine.Call("outer", () => true, 5);

        Assert.Multiple(() =>
        {
            Assert.That(outcome, Is.EqualTo(RunOutcome.Trapped));
            Assert.That(machine.Group.Trap.Kind, Is.EqualTo(TrapKind.UncaughtException));
            Assert.That(machine.Group.Trap.Function, Is.Zero);
            Assert.That(machine.FunctionsOnStack(), Is.EqualTo(new[] { 1, 2, 3 }));
        });
    }

    [Test]
    public void Exceptions_that_nobody_refers_to_any_more_are_given_back()
    {
        const int Thrown = 200_000;
        using var machine = new TextMachine(Text, new InstanceOptions());

        Assert.That(machine.Call("many", Thrown), Is.EqualTo(Thrown));

        Assert.That(machine.Group.ExceptionCount, Is.LessThan(Thrown / 50));
    }

    [Test]
    public void An_exception_that_a_global_refers_to_is_there_after_the_heap_was_opened_again()
    {
        using var machine = new TextMachine(Text, new InstanceOptions());
        machine.Call("many", 7);

        machine.Reopen();

        Assert.That(machine.Call("last"), Is.EqualTo(1));
    }
}
