using Everheap.Vm.Embedding;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Embedding;

/// <summary>Instances that share memories, tables, globals and functions; plainly, and captured at every safepoint with their memory reached in one way and the other.</summary>
[TestFixture(0)]
[TestFixture(1)]
internal sealed class LinkingTests(int captureEvery)
{
    private const string Provider = """
        (module
          (memory (export "memory") 1 4)
          (table (export "table") 4 8 funcref)
          (global $total (export "total") (mut i32) (i32.const 0))
          (elem (i32.const 0) $one)
          (func $one (export "one") (result i32) (i32.const 1))
          (func (export "sum") (param $from i32) (param $count i32) (result i32)
            (local $sum i32)
            (loop $next
              (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $from))))
              (local.set $from (i32.add (local.get $from) (i32.const 4)))
              (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
            (global.set $total (i32.add (global.get $total) (local.get $sum)))
            (local.get $sum))
          (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
          (func (export "grow") (result i32) (memory.grow (i32.const 1))))
        """;

    private const string Consumer = """
        (module
          (import "lib" "memory" (memory 1))
          (import "lib" "table" (table 4 funcref))
          (import "lib" "total" (global $total (mut i32)))
          (import "lib" "sum" (func $sum (param i32 i32) (result i32)))
          (import "lib" "call" (func $call (param i32) (result i32)))
          (import "lib" "grow" (func $grow (result i32)))
          (elem (i32.const 2) $last $trap)
          (func $last (result i32) (i32.load (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))))
          (func $trap (result i32) (unreachable))
          (func (export "fill") (param $count i32) (result i32)
            (local $at i32)
            (loop $next
              (i32.store (i32.shl (local.get $at) (i32.const 2)) (local.get $at))
              (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $count))))
            (call $sum (i32.const 0) (local.get $count)))
          (func (export "through") (param i32) (result i32)
            (i32.add (call $call (local.get 0)) (call_indirect (result i32) (local.get 0))))
          (func (export "growth") (result i32)
            (i32.store (i32.const 65532) (i32.const 77))
            (drop (call $grow))
            (i32.store (i32.const 131068) (i32.const 78))
            (call_indirect (result i32) (i32.const 2)))
          (func (export "total") (result i32) (global.get $total)))
        """;

    private Machine _machine = null!;
    private Linker _linker = null!;
    private Instance _provider = null!;
    private Instance _consumer = null!;

    [SetUp]
    public void Link()
    {
        _machine = Machine.CreateTransient(new MachineOptions { CaptureEvery = captureEvery, AlternatesAddressing = captureEvery > 0 });
        _linker = new Linker();
        _provider = _linker.Instantiate(_machine, Wat.Module(Provider), "provider");
        _linker.Define("lib", _provider);
        _consumer = _linker.Instantiate(_machine, Wat.Module(Consumer), "consumer");
    }

    [TearDown]
    public void Dispose() => _machine.Dispose();

    [Test]
    public void A_memory_and_a_global_are_the_same_for_both()
    {
        Assert.That(_consumer.GetFunction<int, int>("fill")(100), Is.EqualTo(4950));
        Assert.That(_consumer.GetFunction<int>("total")(), Is.EqualTo(4950));
        Assert.That(_provider.GetGlobal("total").Get<int>(), Is.EqualTo(4950));
        Assert.That(_provider.GetMemory().ReadInt32(99 * 4), Is.EqualTo(99));
        _provider.GetGlobal("total").Set(1);
        Assert.That(_consumer.GetFunction<int>("total")(), Is.EqualTo(1));
    }

    [Test]
    public void A_memory_that_one_grows_is_larger_for_the_other_at_once() =>
        Assert.That(_consumer.GetFunction<int>("growth")(), Is.EqualTo(78));

    [Test]
    public void Functions_of_each_are_called_through_the_table_by_both()
    {
        _provider.GetMemory().WriteInt32(65532, 21);

        Assert.That(_consumer.GetFunction<int, int>("through")(0), Is.EqualTo(2));
        Assert.That(_consumer.GetFunction<int, int>("through")(2), Is.EqualTo(42));
        Assert.That(_provider.GetFunction<int, int>("call")(2), Is.EqualTo(21));
    }

    [Test]
    public void A_trap_passes_through_both_and_names_their_frames()
    {
        var trap = Assert.Throws<WasmTrapException>(() => _consumer.GetFunction<int, int>("through")(3))!.Trap;

        Assert.That(trap.Reason, Is.EqualTo("unreachable"));
        Assert.That(trap.Backtrace.Select(frame => (frame.InstanceNumber, frame.FunctionName)), Is.EqualTo(new[] { (1, "trap"), (0, "call"), (1, "through") }));
        Assert.That(_consumer.GetFunction<int, int>("through")(0), Is.EqualTo(2), "the machine can be used on");
    }

    [Test]
    public void An_element_that_is_null_or_of_another_type_traps()
    {
        Assert.That(
            () => _consumer.GetFunction<int, int>("through")(1),
            Throws.TypeOf<WasmTrapException>().With.Property("Trap").With.Property("Reason").EqualTo("uninitialized element"));
        _provider.GetTable("table").Set(1, _provider.GetFunction("sum"));
        Assert.That(
            () => _consumer.GetFunction<int, int>("through")(1),
            Throws.TypeOf<WasmTrapException>().With.Property("Trap").With.Property("Reason").EqualTo("indirect call type mismatch"));
    }

    [TestCase("(import \"lib\" \"none\" (func))", "function lib.none, which is not defined")]
    [TestCase("(import \"lib\" \"memory\" (func))", "lib.memory is a memory, and a function is imported")]
    [TestCase("(import \"lib\" \"memory\" (memory 2))", "lib.memory is a memory of 1 to 4 pages with i32 addresses, and a memory of 2 or more pages with i32 addresses is imported")]
    [TestCase("(import \"lib\" \"memory\" (memory 1 3))", "a memory of 1 to 3 pages with i32 addresses is imported")]
    [TestCase("(import \"lib\" \"table\" (table 1 7 funcref))", "a table of 1 to 7 funcref with i32 indices is imported")]
    [TestCase("(import \"lib\" \"table\" (table 1 externref))", "a table of 1 or more externref with i32 indices is imported")]
    [TestCase("(import \"lib\" \"total\" (global i32))", "lib.total is a mutable global i32, and an immutable global i32 is imported")]
    [TestCase("(import \"lib\" \"one\" (func (result i64)))", "lib.one is a function () -> (i32), and one () -> (i64) is imported")]
    [TestCase("(import \"wasi_snapshot_preview1\" \"fd_write\" (func))", "which is not defined")]
    public void What_does_not_fit_is_refused_and_says_why(string import, string why) =>
        Assert.That(() => _linker.Instantiate(_machine, Wat.Module($"(module {import})")), Throws.TypeOf<LinkException>().With.Message.Contains(why));

    [Test]
    public void What_an_instance_wrote_before_it_trapped_stays_and_its_functions_can_be_called()
    {
        const string Failing = """
            (module
              (import "lib" "table" (table 4 funcref))
              (import "lib" "memory" (memory 1))
              (elem (i32.const 1) $mine)
              (func $mine (result i32) (i32.const 33))
              (data (i32.const 65536) "x"))
            """;

        Assert.That(() => _linker.Instantiate(_machine, Wat.Module(Failing)), Throws.TypeOf<WasmTrapException>());
        Assert.That(_consumer.GetFunction<int, int>("through")(1), Is.EqualTo(66));
        Assert.That(_machine.Instances, Has.Count.EqualTo(3));
    }

    [Test]
    public void An_exception_of_one_is_caught_by_the_other_and_a_host_gets_it_as_a_trap()
    {
        Instance thrower = _linker.Instantiate(_machine, Wat.Module("""
            (module
              (tag $problem (export "problem") (param i32))
              (func (export "throw") (param i32) (result i32) (throw $problem (local.get 0))))
            """));
        _linker.Define("thrower", thrower);
        Instance catcher = _linker.Instantiate(_machine, Wat.Module("""
            (module
              (import "thrower" "problem" (tag $problem (param i32)))
              (import "thrower" "throw" (func $throw (param i32) (result i32)))
              (func (export "catch") (param i32) (result i32)
                (block $caught (result i32)
                  (try_table (result i32) (catch $problem $caught) (call $throw (local.get 0)))
                  (drop) (i32.const -1))))
            """));

        Assert.That(catcher.GetFunction<int, int>("catch")(7), Is.EqualTo(7));
        Assert.That(() => thrower.GetFunction<int, int>("throw")(7), Throws.TypeOf<WasmTrapException>());
        Assert.That(catcher.GetFunction<int, int>("catch")(8), Is.EqualTo(8), "the machine can be used on");
    }

    [Test]
    public void A_start_function_runs_with_what_was_imported()
    {
        _linker.Instantiate(_machine, Wat.Module("""
            (module
              (import "lib" "total" (global $total (mut i32)))
              (func $start (global.set $total (i32.const 9)))
              (start $start))
            """));

        Assert.That(_provider.GetGlobal("total").Get<int>(), Is.EqualTo(9));
    }

    [Test]
    public void Recursion_through_two_instances_goes_on_in_the_heap_and_ends_when_that_is_full()
    {
        using Machine machine = Machine.CreateTransient(new MachineOptions { CaptureEvery = captureEvery * 1000, StackBytes = 4 << 20, NativeStackBytes = 64 << 10 });
        var linker = new Linker();
        Instance first = linker.Instantiate(machine, Wat.Module("""
            (module
              (table (export "table") 1 funcref)
              (func (export "down") (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0))
                  (then (i32.const 0))
                  (else (i32.add (i32.const 1) (call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))))
            """));
        linker.Define("first", first);
        linker.Instantiate(machine, Wat.Module("""
            (module
              (import "first" "table" (table 1 funcref))
              (import "first" "down" (func $down (param i32) (result i32)))
              (elem (i32.const 0) $step)
              (func $step (param i32) (result i32) (i32.add (i32.const 0) (call $down (local.get 0)))))
            """));
        Func<int, int> down = first.GetFunction<int, int>("down");

        Assert.That(down(20_000), Is.EqualTo(20_000));
        Assert.That(
            () => down(10_000_000),
            Throws.TypeOf<WasmTrapException>().With.Property("Trap").With.Property("Reason").EqualTo("call stack exhausted"));
        Assert.That(down(1000), Is.EqualTo(1000));
    }

    [Test]
    public void A_linker_gives_what_belongs_to_a_machine_to_that_machine_alone()
    {
        using Machine other = Machine.CreateTransient();

        Assert.That(() => _linker.Instantiate(other, Wat.Module(Consumer)), Throws.TypeOf<LinkException>().With.Message.Contains("another machine"));
        Assert.That(
            () => other.CreateTable(ValType.FuncRef, 1).Set(0, _provider.GetFunction("one")),
            Throws.ArgumentException.With.Message.Contains("another machine"));
    }
}
