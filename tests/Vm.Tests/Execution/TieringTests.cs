using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Execution.InstanceRuns;

namespace Everheap.Vm.Tests.Execution;

/// <summary>A large module's functions are compiled in a hurry, and once more when they are hot; what they compute does not change.</summary>
[TestFixture(false)]
[TestFixture(true)]
[NonParallelizable]
internal sealed class TieringTests(bool isPaged)
{
    private const int HotCalls = 50;

    // Function 2, which counts, goes round so often that it takes the better part of a second as the JIT makes it in a hurry.
    private const int ManyRounds = 400_000_000;
    private const int ManyCalls = 2_000;

    // Seven instructions each: more than a continuation may have that is not made in the background.
    private const int LargeSteps = 2_000;

    private const int Calls = 60;

    private static readonly TimeSpan OptimisingTime = TimeSpan.FromMinutes(1);

    private string _folder = "";
    private int _heaps;

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-tiering").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void A_function_that_is_called_often_is_compiled_once_more()
    {
        using var compiled = new CompiledMethods();
        Run(ModuleOf(), calls: ManyCalls, rounds: 1, (group, instance) =>
        {
            Assert.That(RunOnce(group, instance), Is.EqualTo(ManyCalls));
            WaitForOptimiser();
            int countdown = CountdownOf(instance, 1);
            Assert.That(RunOnce(group, instance), Is.EqualTo(ManyCalls));

            Assert.That(CountdownOf(instance, 1), Is.EqualTo(countdown), "better code does not count");
        });

        Assert.That(() => compiled.BytesOf("f1", CompiledMethods.MinimalTier), Is.GreaterThan(0).After(CompiledMethods.EventTimeMax, CompiledMethods.EventTimeStep));
        Assert.That(() => compiled.BytesOf("o1_-1", CompiledMethods.OptimisedTier), Is.GreaterThan(0).After(CompiledMethods.EventTimeMax, CompiledMethods.EventTimeStep));
    }

    [Test]
    public void Better_code_is_called_through_tables_too()
    {
        Run(ModuleOf(), calls: ManyCalls, rounds: 1, (group, instance) =>
        {
            RunOnce(group, instance);
            WaitForOptimiser();
            RunOnce(group, instance);

            Assert.That(CodeInTable(instance, 1), Is.EqualTo(CodeOf(instance, 1)));
        });
    }

    [Test]
    public void A_function_that_is_called_seldom_is_not()
    {
        Run(ModuleOf(), calls: HotCalls / 2, rounds: 1, (group, instance) =>
        {
            Assert.That(RunOnce(group, instance), Is.EqualTo(HotCalls / 2));
            nint before = CodeOf(instance, 1);
            WaitForOptimiser();

            Assert.That(CodeOf(instance, 1), Is.EqualTo(before));
            Assert.That(CountdownOf(instance, 1), Is.EqualTo(HotCalls - (HotCalls / 2)));
        });
    }

    [Test]
    public void A_loop_that_goes_on_for_long_goes_on_in_better_code_though_its_function_is_not_called_again()
    {
        Run(ModuleOf(), calls: 1, rounds: ManyRounds, (group, instance) =>
        {
            Assert.That(RunOnce(group, instance), Is.EqualTo(ManyRounds));

            // Each degree of heat stands for a hundred rounds that were counted.
            Assert.That(instance.Compiler.Tiering.HeatOf(2), Is.InRange(1, (ManyRounds / 100) - 1));
        });
    }

    [Test]
    public void A_loop_of_many_instructions_goes_on_in_better_code_too()
    {
        Run(ModuleOfLargeLoop(), calls: 0, rounds: 0, (group, instance) =>
        {
            group.PushCall(instance, 0, []);
            var run = Task.Run(() => group.Run(() =>
            {
                instance.Memory!.Write(0, [1]);
                return true;
            }));
            int site = Array.FindIndex(instance.Compiler.SitesOf(1), static found => found.Kind == SiteKind.Loop);
            WaitFor(() => instance.Compiler.Tiering.HeatOf(1) > 0 && instance.Compiler.Tiering.IsLoopReady(1, site));

            // Better code counts no rounds: soon there are no more.
            int rounds = -1;
            Assert.That(() => Interlocked.Exchange(ref rounds, CountdownOf(instance, 1)) == CountdownOf(instance, 1), Is.True.After(CompiledMethods.EventTimeMax, 200));
            group.RequestCapture();

            Assert.That(run.Wait(OptimisingTime), Is.True);
            Assert.That(run.Result, Is.EqualTo(RunOutcome.Returned));
        });
    }

    [Test]
    public void What_is_captured_at_one_site_goes_on_in_a_continuation_and_has_no_twin()
    {
        using var compiled = new CompiledMethods();
        Run(ModuleOf(), calls: 1, rounds: ManyRounds, (group, instance) =>
        {
            group.PushCall(instance, 0, []);
            var run = Task.Run(() => group.Run(static () => true));
            WaitFor(() => instance.Compiler.Tiering.HeatOf(2) > 0);
            group.RequestCapture();

            Assert.That(run.Wait(OptimisingTime), Is.True);
            Assert.That(run.Result, Is.EqualTo(RunOutcome.Returned));
            WaitForMinimal(compiled, ContinuationOf(instance, 1, 0));
            Assert.That(compiled.BytesOf("t1_-1", CompiledMethods.MinimalTier), Is.Zero);
        });
    }

    [Test]
    public void What_is_captured_at_one_site_after_the_other_goes_on_in_its_twin()
    {
        using var compiled = new CompiledMethods();
        Run(ModuleOfManyCalls(), calls: 0, rounds: 0, Options with { CaptureEvery = 1 }, (group, instance) =>
        {
            group.PushCall(instance, 0, []);

            Assert.That(group.Run(static () => true), Is.EqualTo(RunOutcome.Returned));
            WaitForMinimal(compiled, "t0_-1");
            Assert.That(compiled.BytesOf(ContinuationOf(instance, 0, 0), CompiledMethods.MinimalTier), Is.Positive);
            Assert.That(compiled.BytesOf(ContinuationOf(instance, 0, Calls - 1), CompiledMethods.MinimalTier), Is.Zero);
        });
    }

    [Test]
    public void What_was_hot_before_is_optimised_as_soon_as_the_program_has_begun()
    {
        var cache = new CodeCache(Path.Combine(_folder, "cache"));
        Run(ModuleOf(cache), calls: ManyCalls, rounds: ManyCalls, static (group, instance) => RunOnce(group, instance));
        WaitForOptimiser();

        // Function 1 is called often, function 2 once; the one that starts both, once.
        Run(ModuleOf(cache), calls: ManyCalls, rounds: 1, (group, instance) =>
        {
            nint before = CodeOf(instance, 2);
            RunOnce(group, instance);
            WaitForOptimiser();

            Assert.That(CodeOf(instance, 2), Is.Not.EqualTo(before));
            Assert.That(RunOnce(group, instance), Is.EqualTo(ManyCalls));
        });
    }

    [Test]
    public void A_function_that_cannot_be_compiled_does_no_harm_before_it_is_called()
    {
        Run(ModuleThatMightCall(FunctionThatKeepsTooMuch()), calls: 0, rounds: 0, Options with { ChunkBytes = 1 }, (group, instance) =>
        {
            RunOnce(group, instance);
            WaitForOptimiser();

            Assert.That(RunOnce(group, instance), Is.Zero);
        });
    }

    [TestCase(new int[0])]
    [TestCase(new[] { 1 })]
    [TestCase(new[] { -1, 5, 1_000_000, 5, 0, 5 })]
    [TestCase(new[] { 1, -5, 1, int.MinValue, 2, int.MaxValue })]
    [TestCase(new[] { int.MinValue, int.MaxValue, int.MaxValue, int.MinValue })]
    public void A_record_that_makes_no_sense_does_no_harm(int[] record)
    {
        var cache = new CodeCache(Path.Combine(_folder, "cache"));
        Run(ModuleOf(cache), calls: ManyCalls, rounds: ManyCalls, static (group, instance) => RunOnce(group, instance));
        WaitForOptimiser();
        Module module = ModuleOf(cache);
        module.Cached!.WriteHeat(Options.CodeFor(isPaged ? Addressing.Paged : Addressing.Contiguous), MemoryMarshal.AsBytes<int>(record));

        Run(module, calls: ManyCalls, rounds: 1, static (group, instance) => Assert.That(RunOnce(group, instance), Is.EqualTo(ManyCalls)));
    }

    private static void WaitForMinimal(CompiledMethods compiled, string method) => Assert.That(
        () => compiled.BytesOf(method, CompiledMethods.MinimalTier), Is.Positive.After(CompiledMethods.EventTimeMax, CompiledMethods.EventTimeStep));

    // The name of the method by which a function goes on behind one of its calls.
    private static string ContinuationOf(Instance instance, int function, int call)
    {
        int[] calls = [.. instance.Compiler.SitesOf(function).Index().Where(static site => site.Item.Kind == SiteKind.Call).Select(static site => site.Index)];
        return $"h{function}_{calls[call]}";
    }

    private InstanceOptions Options => new() { IsAlwaysPaged = isPaged, TieredBytes = 0, HotCalls = HotCalls };

    private void Run(Module module, int calls, int rounds, Action<InstanceGroup, Instance> test) => Run(module, calls, rounds, Options, test);

    private void Run(Module module, int calls, int rounds, InstanceOptions options, Action<InstanceGroup, Instance> test)
    {
        using HeapStore store = HeapStore.Create(Path.Combine(_folder, $"{_heaps++}.heap"));
        using PersistentHeap heap = store.CreateHeap("program");
        using InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), options);
        Instance instance = group.Instantiate(module, []);
        var arguments = new byte[2 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(arguments, calls);
        BinaryPrimitives.WriteInt32LittleEndian(arguments.AsSpan(sizeof(int)), rounds);
        instance.Memory!.Write(0, arguments);
        test(group, instance);
    }

    private static unsafe int CountdownOf(Instance instance, int function) => instance.Compiler.Tiering.Countdowns[function];

    // Function 0: if (memory[0]) called()
    private static Module ModuleThatMightCall(byte[] called) =>
        ModuleBytes.Of([[0x60, 0, 0]], (0, [0, 0x41, 0, 0x28, 2, 0, 0x04, 0x40, 0x10, 1, 0x0B, 0x0B]), (0, called));

    // So many calls, over which so many locals are alive, that FunctionEmitter.SavedValuesMax is exceeded.
    private static byte[] FunctionThatKeepsTooMuch()
    {
        const int Locals = 5_000;
        const int Calls = (int)(FunctionEmitter.SavedValuesMax / Locals) + 1;
        List<byte> body = [1, .. ModuleBytes.Unsigned(Locals), 0x7F];
        for (int call = 0; call < Calls; call++)
        {
            body.AddRange([0x10, 1]);
        }

        for (uint local = 0; local < Locals; local++)
        {
            body.AddRange([0x20, .. ModuleBytes.Unsigned(local), 0x1A]);
        }

        return [.. body, 0x0B];
    }

    // Function 1: do { x = x * 31 ^ memory[4], several thousand times } while (memory[0] == 0)
    private static Module ModuleOfLargeLoop()
    {
        List<byte> large = [1, 1, 0x7F, 0x03, 0x40];
        for (int step = 0; step < LargeSteps; step++)
        {
            large.AddRange([0x20, 0, 0x41, 31, 0x6C, 0x41, 4, 0x28, 2, 0, 0x73, 0x21, 0]);
        }

        large.AddRange([0x41, 0, 0x28, 2, 0, 0x45, 0x0D, 0, 0x0B, 0x0B]);
        return ModuleBytes.Of([[0x60, 0, 0]], (0, [0, 0x10, 1, 0x0B]), (0, [.. large]));
    }

    // Function 0 calls function 1 time after time, in a straight line.
    private static Module ModuleOfManyCalls() =>
        ModuleBytes.Of([[0x60, 0, 0]], (0, [0, .. Enumerable.Repeat<byte[]>([0x10, 1], Calls).SelectMany(static call => call), 0x0B]), (0, [0, 0x0B]));

    private static Module ModuleOf(CodeCache? cache = null)
    {
        // i = memory[0]; do { memory[8] = table[1](memory[4]) * memory[0] } while (--i); with calls = 1 or rounds = 1, that is the other of the two.
        byte[] start =
        [
            1, 1, 0x7F,
            0x41, 0, 0x28, 2, 0, 0x21, 0,
            0x03, 0x40,
            0x41, ResultAddress, 0x41, 4, 0x28, 2, 0, 0x41, 1, 0x11, 1, 0, 0x41, 0, 0x28, 2, 0, 0x6C, 0x36, 2, 0,
            0x20, 0, 0x41, 1, 0x6B, 0x22, 0, 0x0D, 0,
            0x0B,
            0x0B,
        ];

        // return count(rounds)
        byte[] called = [0, 0x20, 0, 0x10, 2, 0x0B];

        // do { memory[12] = ++sum } while (--rounds); return memory[12]
        byte[] count =
        [
            1, 1, 0x7F,
            0x03, 0x40,
            0x41, 12, 0x20, 1, 0x41, 1, 0x6A, 0x22, 1, 0x36, 2, 0,
            0x20, 0, 0x41, 1, 0x6B, 0x22, 0, 0x0D, 0,
            0x0B,
            0x41, 12, 0x28, 2, 0, 0x0B,
        ];
        return ModuleBytes.Of(cache, [[0x60, 0, 0], [0x60, 1, 0x7F, 1, 0x7F]], (0, start), (1, called), (1, count));
    }
}
