using System.Text;
using Everheap.Engine;
using Everheap.Vm.Embedding;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Embedding;

/// <summary>A machine's life: limits, checkpoints, forks, and being opened again.</summary>
internal sealed class MachineTests
{
    private const string Counter = """
        (module
          (import "host" "step" (func $step (result i32)))
          (memory (export "memory") 1)
          (table (export "table") 2 funcref)
          (global $count (export "count") (mut i32) (i32.const 0))
          (elem (i32.const 0) $step)
          (data $text "later")
          (func (export "count_up") (result i32)
            (global.set $count (i32.add (global.get $count) (call_indirect (result i32) (i32.const 0))))
            (i32.store (i32.const 1000) (global.get $count))
            (global.get $count))
          (func (export "late") (memory.init $text (i32.const 0) (i32.const 0) (i32.const 5)) (data.drop $text)))
        """;

    private const string User = """
        (module
          (import "counter" "memory" (memory 1))
          (import "counter" "table" (table 2 funcref))
          (import "counter" "count" (global $count (mut i32)))
          (import "counter" "count_up" (func $up (result i32)))
          (elem (i32.const 1) $read)
          (func $read (result i32) (i32.load (i32.const 1000)))
          (func (export "twice") (result i32) (drop (call $up)) (drop (call $up)) (global.get $count))
          (func (export "read") (result i32) (call_indirect (result i32) (i32.const 1))))
        """;

    private string _folder = "";

    private string HeapPath => Path.Combine(_folder, "machine.heap");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-machine").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void A_machine_that_was_committed_goes_on_when_it_is_opened_again()
    {
        using (Machine machine = Machine.Create(HeapPath))
        {
            Make(machine, step: 1);
            Assert.That(machine.GetInstance("user").GetFunction<int>("twice")(), Is.EqualTo(2));
            machine.GetInstance("counter").GetAction("late")();
            machine.Checkpoint();
            Assert.That(machine.GetInstance("user").GetFunction<int>("twice")(), Is.EqualTo(4), "which is not committed");
        }

        using Machine again = Machine.Open(HeapPath, Host(10));
        Instance user = again.GetInstance("user");
        Assert.That(again.Instances.Select(instance => instance.Name), Is.EqualTo(new[] { "counter", "user" }));
        Assert.That(user.GetFunction<int>("read")(), Is.EqualTo(2));
        Assert.That(user.GetFunction<int>("twice")(), Is.EqualTo(22));
        Assert.That(again.GetInstance("counter").GetMemory().ReadString(0, 5), Is.EqualTo("later"));
        Assert.That(() => again.GetInstance("counter").GetAction("late")(), Throws.TypeOf<WasmTrapException>(), "the segment was dropped");

        // What is opened can be linked with what is new.
        Linker linker = Host(10);
        linker.Define("counter", again.GetInstance("counter"));
        Assert.That(linker.Instantiate(again, Wat.Module(User), "third").GetFunction<int>("twice")(), Is.EqualTo(42));
        again.Checkpoint();
    }

    [Test]
    public void A_fork_is_a_second_machine()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("first");
        using Machine first = Machine.Create(heap);
        Make(first, step: 1);
        first.GetInstance("user").GetFunction<int>("twice")();
        long number = first.Checkpoint().Number;
        store.Fork("first", number, "second");
        using PersistentHeap forked = store.OpenHeap("second");
        using Machine second = Machine.Open(forked, Host(100));

        Assert.That(second.GetInstance("user").GetFunction<int>("twice")(), Is.EqualTo(202));
        Assert.That(first.GetInstance("user").GetFunction<int>("twice")(), Is.EqualTo(4));
    }

    [Test]
    public void Host_functions_have_to_be_given_again()
    {
        using (Machine machine = Machine.Create(HeapPath))
        {
            Make(machine, step: 1);
            machine.Checkpoint();
        }

        var other = new Linker();
        other.Define("host", "step", () => 1L);
        Assert.That(() => Machine.Open(HeapPath, new Linker()), Throws.TypeOf<LinkException>().With.Message.Contains("host.step"));
        Assert.That(() => Machine.Open(HeapPath, other), Throws.TypeOf<LinkException>().With.Message.Contains("() -> (i64)"));
        using Machine again = Machine.Open(HeapPath, Host(1));
        Assert.That(again.GetInstance("user").GetFunction<int>("twice")(), Is.EqualTo(2));
    }

    [Test]
    public void A_heap_that_holds_no_machine_is_refused()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("empty");

        Assert.That(() => Machine.Open(heap, new Linker()), Throws.TypeOf<HeapFormatException>());
    }

    [Test]
    public void Memories_tables_globals_and_functions_of_the_host_are_kept_too()
    {
        const string Module = """
            (module
              (import "host" "memory" (memory 1))
              (import "host" "table" (table 1 funcref))
              (import "host" "level" (global $level (mut f64)))
              (func (export "call") (param i32) (result i32) (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))
              (func (export "level") (result f64) (global.get $level))
              (func (export "byte") (result i32) (i32.load8_u (i32.const 65535))))
            """;
        using (Machine machine = Machine.Create(HeapPath))
        {
            var linker = new Linker();
            Memory memory = machine.CreateMemory(1, 2);
            Table table = machine.CreateTable(ValType.FuncRef, 1);
            linker.Define("host", "memory", memory);
            linker.Define("host", "table", table);
            linker.Define("host", "level", machine.CreateGlobal(1.5, isMutable: true));
            table.Set(0, machine.CreateFunction("host", "add_three", (int value) => value + 3));
            linker.Instantiate(machine, Wat.Module(Module), "app");
            memory.WriteByte(65535, 200);
            machine.Checkpoint();
        }

        var again = new Linker();
        again.Define("host", "add_three", (int value) => value + 3);
        using Machine opened = Machine.Open(HeapPath, again);
        Instance app = opened.GetInstance("app");
        Assert.That(app.GetFunction<int, int>("call")(4), Is.EqualTo(7));
        Assert.That(app.GetFunction<double>("level")(), Is.EqualTo(1.5));
        Assert.That(app.GetFunction<int>("byte")(), Is.EqualTo(200));
    }

    [Test]
    public void Limits_are_those_of_the_machine_as_a_whole()
    {
        var options = new MachineOptions { MemoryBytes = 3 * Memory.PageBytes, TableElements = 10, Instances = 3 };
        using Machine machine = Machine.CreateTransient(options);
        var linker = new Linker();
        Instance instance = linker.Instantiate(machine, Wat.Module("""
            (module
              (memory (export "memory") 1)
              (table (export "table") 4 funcref)
              (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
              (func (export "grow_table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))
            """));
        Func<int, int> grow = instance.GetFunction<int, int>("grow");

        Assert.That(grow(3), Is.EqualTo(-1));
        Assert.That(grow(1), Is.EqualTo(1));
        Assert.That(() => machine.CreateMemory(2), Throws.TypeOf<LinkException>().With.Message.Contains("196,608"));
        machine.CreateMemory(1);
        Assert.That(grow(1), Is.EqualTo(-1));
        Assert.That(instance.GetFunction<int, int>("grow_table")(7), Is.EqualTo(-1));
        Assert.That(instance.GetFunction<int, int>("grow_table")(6), Is.EqualTo(4));
        machine.CreateGlobal(1, isMutable: true);
        Assert.That(() => machine.CreateGlobal(1, isMutable: true), Throws.TypeOf<LinkException>().With.Message.Contains("3 instances"));
        Assert.That(() => Machine.CreateTransient(new MachineOptions { StackBytes = 0 }), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void The_system_interface_works_for_those_who_link_it()
    {
        Module hello = Wat.Module("""
            (module
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\10\00\00\00\06\00\00\00")
              (data (i32.const 16) "hello\n")
              (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (call $exit (i32.const 7))))
            """);
        using var output = new MemoryStream();
        var linker = new Linker();
        linker.DefineWasi();
        using Machine machine = Machine.CreateTransient(new MachineOptions { Wasi = new WasiConfiguration { StandardOutput = output } });
        using Machine without = Machine.CreateTransient();

        int code = Assert.Throws<GuestExitException>(() => linker.Instantiate(machine, hello).GetAction("_start")())!.ExitCode;

        Assert.That(code, Is.EqualTo(7));
        Assert.That(Encoding.UTF8.GetString(output.ToArray()), Is.EqualTo("hello\n"));
        Assert.That(() => linker.Instantiate(without, hello), Throws.TypeOf<LinkException>().With.Message.Contains("Wasi"));
    }

    [Test]
    public void A_transient_machine_leaves_no_file()
    {
        string path;
        using (Machine machine = Machine.CreateTransient())
        {
            path = machine.Heap.Store.Path;
            new Linker().Instantiate(machine, Wat.Module("(module (memory 1))"));
            Assert.That(File.Exists(path), Is.True);
        }

        Assert.That(File.Exists(path), Is.False);
    }

    [Test]
    public void What_belongs_to_a_machine_that_is_gone_says_so()
    {
        Machine machine = Machine.CreateTransient();
        Memory memory = machine.CreateMemory(1);
        machine.Dispose();

        Assert.That(() => memory.ReadByte(0), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(machine.Dispose, Throws.Nothing);
    }

    private static Linker Host(int step)
    {
        var linker = new Linker();
        linker.Define("host", "step", () => step);
        return linker;
    }

    private static void Make(Machine machine, int step)
    {
        Linker linker = Host(step);
        linker.Define("counter", linker.Instantiate(machine, Wat.Module(Counter), "counter"));
        linker.Instantiate(machine, Wat.Module(User), "user");
    }
}
