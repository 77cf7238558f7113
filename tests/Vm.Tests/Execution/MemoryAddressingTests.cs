using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Execution;

/// <summary>A memory that fits its budget is reached in one piece, and by pages from the growth on with which it does not.</summary>
internal sealed class MemoryAddressingTests
{
    private const long BudgetBytes = 8L << 20;

    // Grows by a MiB until there are 16, notes the size before in the last word of each new MiB at once, and at the end looks at all of them again.
    private static readonly byte[] Growing =
    [
        1, 2, 0x7F,
        0x03, 0x40,
        0x41, 16, 0x40, 0, 0x21, 0,
        0x20, 0, 0x41, 16, 0x74, 0x21, 1,
        0x20, 1, 0x20, 0, 0x41, 1, 0x6A, 0x36, 2, 0xFC, 0xFF, 0x3F,
        0x20, 0, 0x41, 0xF0, 0x01, 0x49, 0x0D, 0,
        0x0B,
        0x41, 1, 0x21, 0,
        0x03, 0x40,
        0x20, 0, 0x41, 16, 0x74, 0x28, 2, 0xFC, 0xFF, 0x3F, 0x20, 0, 0x41, 1, 0x6A, 0x47, 0x04, 0x40, 0x00, 0x0B,
        0x20, 0, 0x41, 16, 0x6A, 0x22, 0, 0x41, 0xF0, 0x01, 0x49, 0x0D, 0,
        0x0B,
        0x0B,
    ];

    // Stores 8 bytes across the ends of pages 0 and 1: the first says that it is aligned, the second that it is not.
    private static readonly byte[] Straddling =
    [
        0,
        0x41, 0xFC, 0x1F, 0x42, 0x7F, 0x37, 3, 0,
        0x41, 0xFC, 0x3F, 0x42, 0x7F, 0x37, 0, 0,
        0x0B,
    ];

    private string _folder = "";

    private string HeapPath => Path.Combine(_folder, "test.heap");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-addressing").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase(0)]
    [TestCase(1)]
    public void A_memory_that_outgrows_its_budget_is_reached_by_pages_from_there(int captureEvery)
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = BudgetBytes });
        using InstanceGroup group = Make(heap, TinyModule.Of(("_start", Growing)), new InstanceOptions { CaptureEvery = captureEvery });
        Instance instance = group.Instances[0];
        Assert.That(instance.Addressing, Is.EqualTo(Addressing.Contiguous));

        // The code for one piece is given up with it: nothing may need it any more.
        RunOutcome outcome = group.Run(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return true;
        });

        Assert.That(outcome, Is.EqualTo(RunOutcome.Returned));
        Assert.That(instance.Addressing, Is.EqualTo(Addressing.Paged));
        Assert.That(instance.Memory!.Pages, Is.EqualTo(1 + 256));
        Assert.That(instance.Memory.Pinned, Is.Null);
    }

    [Test]
    public void A_memory_that_fits_stays_in_one_piece_as_it_grows()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = 6 * BudgetBytes });
        using InstanceGroup group = Make(heap, TinyModule.Of(("_start", Growing)), new InstanceOptions());
        Instance instance = group.Instances[0];

        Assert.That(group.Run(() => true), Is.EqualTo(RunOutcome.Returned));

        Assert.That(instance.Addressing, Is.EqualTo(Addressing.Contiguous));
        Assert.That(instance.Memory!.Pinned!.Length, Is.EqualTo(257UL * LinearMemory.WasmPageBytes));
    }

    [Test]
    public void A_large_memory_that_is_taken_up_from_the_heap_is_reached_by_pages_first_and_later_in_one_piece()
    {
        var options = new InstanceOptions { CaptureEvery = 1, PinDelay = TimeSpan.Zero };
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = 6 * BudgetBytes });
        var header = new MachineHeader();
        using (InstanceGroup group = InstanceGroup.Create(heap, header, options))
        {
            group.PushCall(group.Instantiate(TinyModule.Of(("_start", Growing)), []), 0, []);
            Assert.That(group.Run(() => group.Memories[0].Pages < 257), Is.EqualTo(RunOutcome.Paused));
            group.Save();
        }

        using InstanceGroup resumed = InstanceGroup.Open(heap, header, (names, _) => throw new InvalidOperationException($"{names} is not imported"), options);
        Instance instance = resumed.Instances[0];
        Assert.That(instance.Addressing, Is.EqualTo(Addressing.Paged));

        Assert.That(resumed.Run(() => true), Is.EqualTo(RunOutcome.Returned));

        Assert.That(instance.Addressing, Is.EqualTo(Addressing.Contiguous));
    }

    // Every iteration of the second loop misses at its one access, and leaves.
    [Test]
    public void A_loop_can_be_captured_of_which_every_iteration_leaves_at_an_access()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = 6 * BudgetBytes });
        var header = new MachineHeader();
        using (InstanceGroup group = InstanceGroup.Create(heap, header, new InstanceOptions { CaptureEvery = 1 }))
        {
            group.PushCall(group.Instantiate(TinyModule.Of(("_start", Growing)), []), 0, []);
            Assert.That(group.Run(() => group.Memories[0].Pages < 257), Is.EqualTo(RunOutcome.Paused));
            group.Save();
        }

        // No page is known to the tables yet.
        using InstanceGroup resumed = InstanceGroup.Open(
            heap, header, (names, _) => throw new InvalidOperationException($"{names} is not imported"), new InstanceOptions { CaptureEvery = 1, IsAlwaysPaged = true });
        int captures = 0;
        resumed.Run(() => ++captures > 0);

        Assert.That(captures, Is.GreaterThan(10));
    }

    [Test]
    public void A_memory_is_reached_by_pages_where_that_is_asked_for_or_it_is_longer_than_it_may_be()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap first = store.CreateHeap("first");
        using PersistentHeap second = store.CreateHeap("second");
        Module module = TinyModule.Of(("_start", Straddling));
        using InstanceGroup asked = Make(first, module, new InstanceOptions { IsAlwaysPaged = true });
        using InstanceGroup limited = Make(second, module, new InstanceOptions { ContiguousBytesMax = LinearMemory.WasmPageBytes - 1 });

        Assert.That(asked.Instances[0].Addressing, Is.EqualTo(Addressing.Paged));
        Assert.That(limited.Instances[0].Addressing, Is.EqualTo(Addressing.Paged));
    }

    [Test]
    public void A_store_across_the_end_of_a_page_changes_both_pages()
    {
        ulong address;
        using (HeapStore store = HeapStore.Create(HeapPath))
        using (PersistentHeap heap = store.CreateHeap("program"))
        using (InstanceGroup group = Make(heap, TinyModule.Of(("_start", Straddling)), new InstanceOptions()))
        {
            Assert.That(group.Instances[0].Addressing, Is.EqualTo(Addressing.Contiguous));
            address = group.Memories[0].Address;
            heap.Write(address + 100, [1]);
            heap.Checkpoint();
            Assert.That(group.Run(() => true), Is.EqualTo(RunOutcome.Returned));
            heap.Checkpoint();
        }

        using HeapStore reopened = HeapStore.Open(HeapPath);
        using PersistentHeap read = reopened.OpenHeap("program");
        byte[] memory = new byte[3 * PersistentHeap.PageSize];
        read.Read(address, memory);
        byte[] expected = new byte[memory.Length];
        expected[100] = 1;
        expected.AsSpan(4092, 8).Fill(0xFF);
        expected.AsSpan(8188, 8).Fill(0xFF);
        Assert.That(memory, Is.EqualTo(expected));
    }

    private static InstanceGroup Make(PersistentHeap heap, Module module, InstanceOptions options)
    {
        InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), options);
        group.PushCall(group.Instantiate(module, []), 0, []);
        return group;
    }
}
