using Everheap.Vm.Embedding;

namespace Everheap.Vm.Tests.Embedding;

/// <summary>Host functions that call back, throw, or are stopped; plainly, and captured at every safepoint; with the code of small modules, and with that of large ones.</summary>
[TestFixture(0, false)]
[TestFixture(0, true)]
[TestFixture(1, false)]
[TestFixture(1, true)]
internal sealed class HostCallTests(int captureEvery, bool isTiered)
{
    private const string Nesting = """
        (module
          (import "host" "back" (func $back (param i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "enter") (param $depth i32) (result i32)
            (local $sum i32)
            (local $at i32)
            (loop $next
              (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
              (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 10))))
            (if (result i32) (local.get $depth)
              (then (i32.add (local.get $sum) (call $back (i32.sub (local.get $depth) (i32.const 1)))))
              (else (local.get $sum))))
          (func (export "grow") (result i32) (memory.grow (i32.const 200)) (i32.store (i32.const 8000000) (i32.const 5)) (drop) (i32.load (i32.const 8000000)))
          (func (export "afterwards") (param i32) (result i32)
            (i32.add (call $back (local.get 0)) (i32.load (i32.const 8000000))))
          (func (export "forever") (loop $again (br $again)))
          (func (export "fail") (unreachable)))
        """;

    private Machine _machine = null!;
    private Linker _linker = null!;

    [SetUp]
    public void Create()
    {
        _machine = Machine.CreateTransient(new MachineOptions
        {
            CaptureEvery = captureEvery,
            AlternatesAddressing = captureEvery > 0,
            TieredBytes = isTiered ? 0 : int.MaxValue,
            ResidentBytes = 8 << 20,
        });
        _linker = new Linker();
    }

    [TearDown]
    public void Dispose() => _machine.Dispose();

    [Test]
    public void A_host_function_calls_back_as_deep_as_it_likes()
    {
        _linker.Define("host", "back", (Caller caller, int depth) => 1000 + (int)caller.GetFunction("enter").Invoke(depth)[0]!);
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));
        instance.GetMemory().Write(0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

        Assert.That(instance.GetFunction<int, int>("enter")(50), Is.EqualTo((51 * 55) + (50 * 1000)));
    }

    [Test]
    public void Calling_back_without_end_is_a_trap_and_no_crash()
    {
        _linker.Define("host", "back", (Caller caller, int depth) => (int)caller.GetFunction("enter").Invoke(depth + 2)[0]!);
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));

        Assert.That(
            () => instance.GetFunction<int, int>("enter")(1),
            Throws.TypeOf<WasmTrapException>().With.Property("Trap").With.Property("Reason").EqualTo("call stack exhausted"));
        Assert.That(instance.GetFunction<int, int>("enter")(0), Is.Zero);
    }

    [Test]
    public void A_memory_that_outgrows_its_budget_while_a_host_function_is_waited_for_is_reached_by_pages_afterwards()
    {
        _linker.Define("host", "back", (Caller caller, int _) => (int)caller.GetFunction("grow").Invoke()[0]!);
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));

        Assert.That(instance.GetFunction<int, int>("afterwards")(0), Is.EqualTo(10));
        Assert.That(instance.GetMemory().PageCount, Is.EqualTo(201));
    }

    [Test]
    public void What_a_host_function_throws_comes_out_where_the_guest_was_called_from()
    {
        var failure = new InvalidDataException("no");
        _linker.Define("host", "back", (Func<int, int>)(_ => throw failure));
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));

        Assert.That(Assert.Throws<InvalidDataException>(() => instance.GetFunction<int, int>("enter")(1)), Is.SameAs(failure));
        Assert.That(instance.GetFunction<int, int>("enter")(0), Is.Zero, "the machine can be used on");
    }

    [Test]
    public void A_trap_of_what_was_called_back_can_be_caught_by_the_host_function()
    {
        _linker.Define("host", "back", (Caller caller, int _) =>
        {
            Assert.That(() => caller.GetFunction("fail").Invoke(), Throws.TypeOf<WasmTrapException>());
            return 4;
        });
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));

        Assert.That(instance.GetFunction<int, int>("enter")(1), Is.EqualTo(4));
    }

    [Test]
    public void A_trap_of_what_was_called_back_ends_the_outer_call_where_nobody_catches_it()
    {
        _linker.Define("host", "back", (Caller caller, int _) => caller.GetFunction("fail").Invoke().Length);
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));

        Assert.That(() => instance.GetFunction<int, int>("enter")(1), Throws.TypeOf<WasmTrapException>());
    }

    [Test]
    public void A_checkpoint_cannot_be_made_while_a_guest_waits()
    {
        _linker.Define("host", "back", (Caller caller, int _) =>
        {
            Assert.That(() => caller.Machine.Checkpoint(), Throws.InvalidOperationException);
            Assert.That(caller.Machine.Dispose, Throws.InvalidOperationException);
            return 0;
        });
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));

        Assert.That(instance.GetFunction<int, int>("enter")(1), Is.Zero);
        Assert.That(_machine.Checkpoint().Number, Is.EqualTo(1));
    }

    [Test]
    public void A_call_that_is_cancelled_stops_and_the_machine_can_be_used_on()
    {
        _linker.Define("host", "back", (Caller caller, int _) => caller.GetFunction("forever").Invoke().Length);
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));
        foreach (Action call in new Action[] { () => instance.GetAction("forever")(), () => instance.GetFunction<int, int>("enter")(1) })
        {
            using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
            _machine.Cancellation = source.Token;

            Assert.That(Assert.Throws<OperationCanceledException>(() => call())!.CancellationToken, Is.EqualTo(source.Token));
            Assert.That(() => instance.GetFunction<int, int>("enter")(0), Throws.TypeOf<OperationCanceledException>(), "the token is still cancelled");
            _machine.Cancellation = CancellationToken.None;
            Assert.That(instance.GetFunction<int, int>("enter")(0), Is.Zero);
        }
    }

    [Test]
    public void A_function_for_which_the_native_stack_has_no_room_is_a_trap_and_no_endless_attempt()
    {
        using Machine machine = Machine.CreateTransient(new MachineOptions { CaptureEvery = captureEvery, NativeStackBytes = 1, TieredBytes = isTiered ? 0 : int.MaxValue });
        _linker.Define("host", "back", (int value) => value);
        Instance instance = _linker.Instantiate(machine, Wat.Module(Nesting));

        Assert.That(() => instance.GetFunction<int, int>("enter")(1), Throws.TypeOf<WasmTrapException>().With.Property("Trap").With.Property("Reason").EqualTo("call stack exhausted"));
    }

    [Test]
    public void A_call_that_takes_too_long_is_stopped()
    {
        using Machine machine = Machine.CreateTransient(new MachineOptions { CaptureEvery = captureEvery, CallTime = TimeSpan.FromMilliseconds(500) });
        _linker.Define("host", "back", (int value) => value);
        Instance instance = _linker.Instantiate(machine, Wat.Module(Nesting));

        Assert.That(() => instance.GetAction("forever")(), Throws.TypeOf<TimeoutException>());
        Assert.That(instance.GetFunction<int, int>("enter")(1), Is.Zero);
    }

    [Test]
    public void A_second_thread_is_told_that_the_machine_is_in_use()
    {
        using var isInside = new ManualResetEventSlim();
        using var mayLeave = new ManualResetEventSlim();
        _linker.Define("host", "back", (int value) =>
        {
            isInside.Set();
            mayLeave.Wait();
            return value;
        });
        Instance instance = _linker.Instantiate(_machine, Wat.Module(Nesting));
        Func<int, int> enter = instance.GetFunction<int, int>("enter");
        Task<int> first = Task.Run(() => enter(1));
        isInside.Wait();

        Assert.That(() => enter(0), Throws.InvalidOperationException.With.Message.Contains("one thread at a time"));
        Assert.That(() => instance.GetMemory().ReadByte(0), Throws.InvalidOperationException);
        mayLeave.Set();
        Assert.That(first.GetAwaiter().GetResult(), Is.Zero);
        Assert.That(enter(0), Is.Zero, "one thread after the other may use it");
    }
}
