using System.Runtime.Intrinsics;
using Everheap.Vm.Embedding;

namespace Everheap.Vm.Tests.Embedding;

/// <summary>Exports as delegates and untyped, host functions as delegates, and what they give each other.</summary>
internal sealed class CallTests
{
    private const string Arithmetic = """
        (module
          (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
          (func (export "mix") (param i32 i64 f32 f64) (result f64)
            (f64.add (f64.add (f64.convert_i32_s (local.get 0)) (f64.convert_i64_s (local.get 1))) (f64.add (f64.promote_f32 (local.get 2)) (local.get 3))))
          (func (export "divide") (param i64 i64) (result i64 i64) (i64.div_u (local.get 0) (local.get 1)) (i64.rem_u (local.get 0) (local.get 1)))
          (func (export "nothing"))
          (global (export "answer") i32 (i32.const 42)))
        """;

    [Test]
    public void An_export_is_called_by_a_delegate_of_its_type()
    {
        using Machine machine = Machine.CreateTransient();
        Instance instance = new Linker().Instantiate(machine, Wat.Module(Arithmetic));

        Assert.That(instance.GetFunction<int, int, int>("add")(40, 2), Is.EqualTo(42));
        Assert.That(instance.GetFunction<uint, uint, uint>("add")(uint.MaxValue, 3), Is.EqualTo(2));
        Assert.That(instance.GetFunction<int, long, float, double, double>("mix")(1, 2, 0.5f, 0.25), Is.EqualTo(3.75));
        Assert.That(instance.GetFunction<ulong, ulong, (ulong, ulong)>("divide")(ulong.MaxValue, 10), Is.EqualTo((1844674407370955161UL, 5UL)));
        Assert.That(() => instance.GetAction("nothing")(), Throws.Nothing);
    }

    [Test]
    public void An_export_is_called_with_boxed_values()
    {
        using Machine machine = Machine.CreateTransient();
        Instance instance = new Linker().Instantiate(machine, Wat.Module(Arithmetic));

        Assert.That(instance.GetFunction("add").Invoke(40, 2u), Is.EqualTo(new object[] { 42 }));
        Assert.That(instance.GetFunction("divide").Invoke(7L, 2), Is.EqualTo(new object[] { 3L, 1L }));
        Assert.That(instance.GetFunction("nothing").Invoke(), Is.Empty);
        Assert.That(() => instance.GetFunction("add").Invoke(1), Throws.ArgumentException.With.Message.Contains("1 arguments"));
        Assert.That(() => instance.GetFunction("add").Invoke(1, 2.0), Throws.ArgumentException.With.Message.Contains("i32"));
    }

    [Test]
    public void What_is_not_there_or_of_another_type_is_named()
    {
        using Machine machine = Machine.CreateTransient();
        Instance instance = new Linker().Instantiate(machine, Wat.Module(Arithmetic));

        Assert.That(() => instance.GetFunction("sub"), Throws.TypeOf<LinkException>().With.Message.Contains("nothing under the name 'sub'"));
        Assert.That(() => instance.GetMemory("answer"), Throws.TypeOf<LinkException>().With.Message.Contains("a global"));
        Assert.That(() => instance.GetFunction<int, int>("add"), Throws.TypeOf<LinkException>().With.Message.Contains("(i32, i32) -> (i32)"));
        Assert.That(() => instance.GetFunction<int, int, float>("add"), Throws.TypeOf<LinkException>());
    }

    [Test]
    public void A_host_function_is_a_delegate_of_any_type()
    {
        using Machine machine = Machine.CreateTransient();
        var linker = new Linker();
        var seen = new List<object>();
        linker.Define("host", "log", (int a, long b, float c, double d) => seen.AddRange([a, b, c, d]));
        linker.Define("host", "swap", (int a, long b) => (b, a));
        Instance instance = linker.Instantiate(machine, Wat.Module("""
            (module
              (import "host" "log" (func $log (param i32 i64 f32 f64)))
              (import "host" "swap" (func $swap (param i32 i64) (result i64 i32)))
              (func (export "run") (result i64 i32)
                (call $log (i32.const -1) (i64.const 2) (f32.const 0.5) (f64.const 0.25))
                (call $swap (i32.const 7) (i64.const 8)))
              (export "log" (func $log)))
            """));

        Assert.That(instance.GetFunction<(long, int)>("run")(), Is.EqualTo((8L, 7)));
        Assert.That(seen, Is.EqualTo(new object[] { -1, 2L, 0.5f, 0.25 }));

        // An imported function that is exported again can be called, too.
        instance.GetFunction("log").Invoke(1, 2L, 3f, 4.0);
        Assert.That(seen, Has.Count.EqualTo(8));
    }

    [Test]
    public void Strings_and_bytes_pass_through_the_memory_of_the_caller()
    {
        using Machine machine = Machine.CreateTransient();
        var linker = new Linker();
        linker.Define("host", "upper", (Caller caller, int text, int length, int result) =>
        {
            Memory memory = caller.GetMemory();
            return memory.WriteString((uint)result, memory.ReadString((uint)text, length).ToUpperInvariant());
        });
        Instance instance = linker.Instantiate(machine, Wat.Module("""
            (module
              (import "host" "upper" (func $upper (param i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 4090) "grüße, welt\00")
              (func (export "run") (result i32) (call $upper (i32.const 4090) (i32.const 13) (i32.const 8190))))
            """));
        Memory memory = instance.GetMemory();

        int length = instance.GetFunction<int>("run")();

        Assert.That(memory.ReadString(8190, length), Is.EqualTo("GRÜßE, WELT"));
        Assert.That(memory.ReadNullTerminatedString(4090), Is.EqualTo("grüße, welt"));
        memory.WriteInt64(65528, -2);
        Assert.That(memory.ReadInt64(65528), Is.EqualTo(-2));
        Assert.That(memory.ReadInt32(65532), Is.EqualTo(-1));
        Assert.That(() => memory.ReadInt64(65529), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => memory.Write(ulong.MaxValue, [1, 2]), Throws.TypeOf<ArgumentOutOfRangeException>());
        memory.WriteSpan(100, 3).Fill(9);
        Assert.That(memory.ReadSpan(99, 5).ToArray(), Is.EqualTo(new byte[] { 0, 9, 9, 9, 0 }));
        Assert.That(memory.Grow(2), Is.EqualTo(1));
        Assert.That(memory.PageCount, Is.EqualTo(3));
    }

    [Test]
    public void References_to_functions_and_to_host_objects_go_both_ways()
    {
        using Machine machine = Machine.CreateTransient();
        var linker = new Linker();
        ExternalReference last = default;
        linker.Define("host", "keep", (ExternalReference reference) => last = reference);
        linker.Define("host", "apply", (Function? function, int value) => (int)function!.Invoke(value)[0]!);
        Instance instance = linker.Instantiate(machine, Wat.Module("""
            (module
              (import "host" "keep" (func $keep (param externref) (result externref)))
              (import "host" "apply" (func $apply (param funcref i32) (result i32)))
              (table (export "table") 4 funcref)
              (elem declare func $double)
              (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
              (func (export "pass") (param externref) (result externref) (call $keep (local.get 0)))
              (func (export "twice") (param i32) (result i32) (call $apply (ref.func $double) (local.get 0)))
              (func (export "call") (param i32 i32) (result i32) (call_indirect (param i32) (result i32) (local.get 1) (local.get 0)))
              (func (export "same") (param funcref) (result funcref) (local.get 0)))
            """));
        object thing = new();
        ExternalReference reference = machine.References.Add(thing);

        Assert.That(instance.GetFunction<ExternalReference, ExternalReference>("pass")(reference), Is.EqualTo(reference));
        Assert.That(machine.References.Find(last), Is.SameAs(thing));
        Assert.That(instance.GetFunction("pass").Invoke((object?)null), Is.EqualTo(new object[] { ExternalReference.Null }));
        Assert.That(instance.GetFunction<int, int>("twice")(21), Is.EqualTo(42));

        // A function of the host in a table of the guest.
        Table table = instance.GetTable("table");
        table.Set(1, machine.CreateFunction("host", "negate", (int value) => -value));
        Assert.That(instance.GetFunction<int, int, int>("call")(1, 5), Is.EqualTo(-5));
        Assert.That(table.GetFunction(1)!.Invoke(6), Is.EqualTo(new object[] { -6 }));
        Assert.That(table.GetFunction(0), Is.Null);
        Assert.That(instance.GetFunction<Function?, Function?>("same")(null), Is.Null);
        Assert.That(() => table.Set(4, (Function?)null), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => table.Set(0, ExternalReference.Null), Throws.InvalidOperationException);
    }

    [Test]
    public void Globals_are_read_and_assigned()
    {
        using Machine machine = Machine.CreateTransient();
        var linker = new Linker();
        Global counter = machine.CreateGlobal(40L, isMutable: true);
        linker.Define("host", "counter", counter);
        linker.Define("host", "half", machine.CreateGlobal(0.5, isMutable: false));
        Instance instance = linker.Instantiate(machine, Wat.Module("""
            (module
              (import "host" "counter" (global $counter (mut i64)))
              (import "host" "half" (global $half f64))
              (global (export "own") (mut f64) (global.get $half))
              (func (export "count") (global.set $counter (i64.add (global.get $counter) (i64.const 1)))))
            """));
        instance.GetAction("count")();
        counter.Set(counter.Get<long>() + 1);

        Assert.That(counter.Get<long>(), Is.EqualTo(42));
        Assert.That(instance.GetGlobal("own").Get<double>(), Is.EqualTo(0.5));
        Assert.That(() => instance.GetGlobal("own").Set(1), Throws.ArgumentException);
        Assert.That(() => machine.CreateGlobal(1, isMutable: false).Set(2), Throws.InvalidOperationException);
    }

    [Test]
    public void Vectors_take_two_slots_wherever_they_stand()
    {
        using Machine machine = Machine.CreateTransient();
        var linker = new Linker();
        linker.Define("host", "invert", (int before, Vector128<byte> vector, int after) => (before, ~vector, after));
        Instance instance = linker.Instantiate(machine, Wat.Module("""
            (module
              (import "host" "invert" (func $invert (param i32 v128 i32) (result i32 v128 i32)))
              (global (export "kept") (mut v128) (v128.const i64x2 1 2))
              (func (export "run") (param v128) (result i32 v128 i32) (call $invert (i32.const 1) (local.get 0) (i32.const 2))))
            """));
        Vector128<byte> vector = Vector128.Create((byte)1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);

        Assert.That(instance.GetFunction<Vector128<byte>, (int, Vector128<byte>, int)>("run")(vector), Is.EqualTo((1, ~vector, 2)));
        Assert.That(instance.GetFunction("run").Invoke(vector), Is.EqualTo(new object[] { 1, ~vector, 2 }));
        Assert.That(instance.GetGlobal("kept").Get<Vector128<byte>>(), Is.EqualTo(Vector128.Create(1UL, 2).AsByte()));
        instance.GetGlobal("kept").Set(vector);
        Assert.That(instance.GetGlobal("kept").Get<Vector128<byte>>(), Is.EqualTo(vector));
    }
}
