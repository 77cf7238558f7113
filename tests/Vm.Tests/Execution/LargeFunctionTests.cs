using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Execution.InstanceRuns;

namespace Everheap.Vm.Tests.Execution;

/// <summary>A function that the JIT would not optimise, because it is too large, is optimised in the background; what it computes does not change.</summary>
[TestFixture(false)]
[TestFixture(true)]
[NonParallelizable]
internal sealed class LargeFunctionTests(bool isPaged)
{
    private const int Steps = 450;
    private const int Locals = 20;
    private const int Calls = 20;
    private const int TableAddress = 4096;

    // One capture takes the function's whole way through its twin.
    private const int CaptureSeldom = 1000;

    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-large").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void It_is_optimised_in_the_background_and_goes_on_as_before()
    {
        using var compiled = new CompiledMethods();
        using HeapStore store = HeapStore.Create(Path.Combine(_folder, "test.heap"));
        using PersistentHeap heap = store.CreateHeap("program");
        using InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), OptionsOf(captureEvery: 0));
        Instance instance = group.Instantiate(ModuleOfLargeFunction(), []);

        Assert.That(RunOnce(group, instance), Is.EqualTo(Expected()));
        nint atFirst = CodeInTable(instance, 1);
        WaitForOptimiser();
        Assert.That(RunOnce(group, instance), Is.EqualTo(Expected()));

        // What is called through a table is the better code, too.
        Assert.That(CodeInTable(instance, 1), Is.EqualTo(CodeOf(instance, 1)));
        Assert.That(CodeInTable(instance, 1), Is.Not.EqualTo(atFirst));

        // The shell itself is a few bytes; with the body in it, it is as large as that.
        Assert.That(() => compiled.BytesOf("f1", CompiledMethods.MinimalTier), Is.GreaterThan(Shell.PlainBytesMax).After(CompiledMethods.EventTimeMax, CompiledMethods.EventTimeStep));
        Assert.That(() => compiled.BytesOf("o1_-1", CompiledMethods.OptimisedTier), Is.GreaterThan(Shell.PlainBytesMax).After(CompiledMethods.EventTimeMax, CompiledMethods.EventTimeStep));
    }

    [Test]
    public void Its_twin_is_optimised_too()
    {
        using var compiled = new CompiledMethods();
        using HeapStore store = HeapStore.Create(Path.Combine(_folder, "test.heap"));
        using PersistentHeap heap = store.CreateHeap("program");
        using InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), OptionsOf(CaptureSeldom));
        Instance instance = group.Instantiate(ModuleOfLargeFunction(), []);

        Assert.That(RunOnce(group, instance), Is.EqualTo(Expected()));
        WaitForOptimiser();
        Assert.That(RunOnce(group, instance), Is.EqualTo(Expected()));

        Assert.That(() => compiled.BytesOf("p1_-1", CompiledMethods.OptimisedTier), Is.GreaterThan(Shell.PlainBytesMax).After(CompiledMethods.EventTimeMax, CompiledMethods.EventTimeStep));
    }

    [Test]
    public void One_with_more_variables_than_code_can_have_is_refused_by_name()
    {
        using HeapStore store = HeapStore.Create(Path.Combine(_folder, "test.heap"));
        using PersistentHeap heap = store.CreateHeap("program");
        using InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), OptionsOf(captureEvery: 0));

        Assert.That(
            () => RunOnce(group, group.Instantiate(ModuleOfManyVariables(), [])),
            Throws.TypeOf<WasmFormatException>().With.Message.Contains("function 0 has too many locals and operands"));
    }

    // As many locals as a function may have, all on the operand stack at once: each then takes two variables.
    private static Module ModuleOfManyVariables()
    {
        List<byte> body = [1, .. ModuleBytes.Unsigned(ModuleLimits.LocalsMax), 0x7F];
        for (uint local = 0; local < ModuleLimits.LocalsMax; local++)
        {
            body.AddRange([0x20, .. ModuleBytes.Unsigned(local)]);
        }

        body.AddRange([0x02, 0x40, 0x0B, .. Enumerable.Repeat((byte)0x1A, ModuleLimits.LocalsMax), 0x0B]);
        return ModuleBytes.Of([[0x60, 0, 0]], (0, [.. body]));
    }

    private InstanceOptions OptionsOf(int captureEvery) => new()
    {
        CaptureEvery = captureEvery,
        IsAlwaysPaged = isPaged,
    };

    // memory[8] = 0; for (i = 1; i <= Calls; i++) memory[8] = table[1](memory[8], i)
    private static Module ModuleOfLargeFunction()
    {
        byte[] start =
        [
            1, 1, 0x7F,
            0x41, ResultAddress, 0x41, 0, 0x36, 2, 0,
            0x03, 0x40,
            0x41, ResultAddress, 0x41, ResultAddress, 0x28, 2, 0, 0x20, 0, 0x41, 1, 0x6A, 0x22, 0, 0x41, 1, 0x11, 1, 0, 0x36, 2, 0,
            0x20, 0, 0x41, Calls, 0x48, 0x0D, 0,
            0x0B,
            0x0B,
        ];

        // Each step: local = (x * 31) ^ y ^ local of before; table[step] = local; x = twice(table[step])
        List<byte> large = [1, Locals, 0x7F];
        for (int step = 0; step < Steps; step++)
        {
            byte local = (byte)(2 + (step % Locals));
            large.AddRange([0x20, 0, 0x41, 31, 0x6C, 0x20, 1, 0x73, 0x20, local, 0x73, 0x21, local]);
            large.AddRange([0x41, .. ModuleBytes.Signed(step * sizeof(int)), 0x20, local, 0x36, 2, .. ModuleBytes.Unsigned(TableAddress)]);
            large.AddRange([0x41, .. ModuleBytes.Signed(step * sizeof(int)), 0x28, 2, .. ModuleBytes.Unsigned(TableAddress), 0x10, 2, 0x21, 0]);
        }

        large.AddRange([0x20, 0, 0x0B]);
        byte[] twice = [0, 0x20, 0, 0x41, 1, 0x74, 0x0B];
        return ModuleBytes.Of([[0x60, 0, 0], [0x60, 2, 0x7F, 0x7F, 1, 0x7F], [0x60, 1, 0x7F, 1, 0x7F]], (0, start), (1, [.. large]), (2, twice));
    }

    private static int Expected()
    {
        int result = 0;
        for (int call = 1; call <= Calls; call++)
        {
            var locals = new int[Locals];
            for (int step = 0; step < Steps; step++)
            {
                int local = (result * 31) ^ call ^ locals[step % Locals];
                locals[step % Locals] = local;
                result = local << 1;
            }
        }

        return result;
    }
}
