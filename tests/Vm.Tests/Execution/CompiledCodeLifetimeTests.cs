using System.Runtime.CompilerServices;
using Everheap.Engine;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Tests.Execution;

/// <summary>Compiled code takes memory of the process for as long as something needs it, and no longer: a host may run any number of modules, one after the other.</summary>
internal sealed class CompiledCodeLifetimeTests
{
    private const int Modules = 20;
    private const int CollectionsMax = 10;

    // local.get, add 1, back to the head of the loop until it is 100: with a capture at each turn there is a twin or a continuation, too.
    private static readonly byte[] Counting = [1, 1, 0x7F, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6A, 0x22, 0, 0x41, 0xE4, 0, 0x48, 0x0D, 0, 0x0B, 0x0B];

    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-lifetime").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase(0)]
    [TestCase(1)]
    public void Compiled_code_goes_once_its_instance_was_disposed_of(int captureEvery)
    {
        Collect(0);
        int before = CompiledAssemblies();
        using HeapStore store = HeapStore.Create(Path.Combine(_folder, "test.heap"));
        using PersistentHeap heap = store.CreateHeap("programs");

        int most = Enumerable.Range(0, Modules).Max(_ => Run(heap, captureEvery));

        Assert.That(most, Is.GreaterThan(before), "there is compiled code while an instance lives");
        Collect(before);
        Assert.That(CompiledAssemblies(), Is.LessThanOrEqualTo(before));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(PersistentHeap heap, int captureEvery)
    {
        using InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), new InstanceOptions { CaptureEvery = captureEvery });
        group.PushCall(group.Instantiate(TinyModule.Of(("_start", Counting)), []), 0, []);
        Assert.That(group.Run(() => true), Is.EqualTo(RunOutcome.Returned));
        return CompiledAssemblies();
    }

    private static int CompiledAssemblies() =>
        AppDomain.CurrentDomain.GetAssemblies().Count(assembly => assembly.GetName().Name!.StartsWith("Everheap.Compiled", StringComparison.Ordinal));

    // An assembly goes in two steps at least: first its managed objects, then its code.
    private static void Collect(int untilLeft)
    {
        for (int count = 0; count < CollectionsMax && CompiledAssemblies() > untilLeft; count++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
