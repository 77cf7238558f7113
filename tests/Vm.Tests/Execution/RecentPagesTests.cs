using Everheap.Engine;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Tests.Execution;

/// <summary>A machine writes down which pages it used last, and has them brought near when it is taken up again.</summary>
internal sealed class RecentPagesTests
{
    private const ulong PageSize = PersistentHeap.PageSize;
    private const int StoredPages = 1024;

    // Grows by 4 MiB, and stores to each of its pages.
    private static readonly byte[] Storing =
    [
        1, 1, 0x7F,
        0x41, 0xC0, 0, 0x40, 0, 0x1A,
        0x03, 0x40,
        0x20, 0, 0x20, 0, 0x36, 2, 0,
        0x20, 0, 0x41, 0x80, 0x20, 0x6A, 0x22, 0, 0x41, 0x80, 0x80, 0x80, 2, 0x49, 0x0D, 0,
        0x0B,
        0x0B,
    ];

    private string _folder = "";

    private string HeapPath => Path.Combine(_folder, "test.heap");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-recent").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase(false)]
    [TestCase(true)]
    public void What_was_stored_to_is_written_down_when_the_machine_stops(bool isAlwaysPaged)
    {
        var options = new InstanceOptions { IsAlwaysPaged = isAlwaysPaged };
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = 64 << 20 });
        var header = new MachineHeader();
        InstanceGroup group = Run(heap, header, options);
        Assert.That(group.Memories[0].Pinned, isAlwaysPaged ? Is.Null : Is.Not.Null);

        group.Save(isLast: true);
        heap.Checkpoint();

        MachineHeader read = MachineHeader.Read(heap.Read);
        byte[] record = new byte[read.RecentPagesLength];
        heap.Read(read.RecentPagesAddress, record);
        HashSet<ulong> pages = [.. RecentPages.Decode(record).SelectMany(PagesOf)];
        ulong first = group.Memories[0].Address / PageSize;
        Assert.That(Enumerable.Range(0, StoredPages).Where(page => !pages.Contains(first + (ulong)page)), Is.Empty);
        Assert.That(pages, Has.Count.LessThan(2 * StoredPages));

        group.Dispose();
        using InstanceGroup again = InstanceGroup.Open(heap, read, (names, _) => throw new InvalidOperationException($"{names} is not imported"), options);
        Assert.That(again.Memories[0].Pages, Is.EqualTo(65));
    }

    [Test]
    public void A_machine_that_is_killed_has_them_of_the_checkpoint_before()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = 64 << 20 });
        var header = new MachineHeader();
        using InstanceGroup group = Run(heap, header, new InstanceOptions());

        group.Save();
        ulong atFirst = header.RecentPagesLength;
        SpinWait.SpinUntil(
            () =>
            {
                group.Save();
                return header.RecentPagesLength > 0;
            },
            TimeSpan.FromMinutes(1));

        Assert.That(atFirst, Is.Zero);
        Assert.That(header.RecentPagesLength, Is.InRange(1, 64 << 10));
    }

    [Test]
    public void A_small_machine_writes_nothing_down()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = 64 << 20 });
        var header = new MachineHeader();
        using InstanceGroup group = InstanceGroup.Create(heap, header, new InstanceOptions());
        group.Instantiate(TinyModule.Of(("_start", [0, 0x0B])), []);

        group.Save(isLast: true);

        Assert.That((header.RecentPagesAddress, header.RecentPagesLength), Is.EqualTo((0UL, 0UL)));
    }

    [TestCase(ulong.MaxValue, 10UL)]
    [TestCase(0x1000UL, ulong.MaxValue)]
    [TestCase(0UL, 1UL << 40)]
    public void A_record_that_cannot_be_is_no_obstacle(ulong address, ulong length)
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = 64 << 20 });
        var header = new MachineHeader();
        using (InstanceGroup group = Run(heap, header, new InstanceOptions()))
        {
            group.Save();
            heap.Checkpoint();
        }

        (header.RecentPagesAddress, header.RecentPagesLength) = (address, length);

        using InstanceGroup again = InstanceGroup.Open(
            heap, header, (names, _) => throw new InvalidOperationException($"{names} is not imported"), new InstanceOptions());
        Assert.That(again.Memories[0].Pages, Is.EqualTo(65));
    }

    [Test]
    public void Runs_come_back_with_small_gaps_filled()
    {
        HeapRange[] ranges = [.. new ulong[] { 900_000, 3, 4, 9, 20, 21 }.Select(page => new HeapRange(page * PageSize, PageSize))];

        Assert.That(RecentPages.Decode(RecentPages.Encode(ranges)), Is.EqualTo(new HeapRange[]
        {
            new(3 * PageSize, 7 * PageSize),
            new(20 * PageSize, 2 * PageSize),
            new(900_000 * PageSize, PageSize),
        }));
    }

    [Test]
    public void What_does_not_fit_the_record_is_left_out()
    {
        byte[] record = RecentPages.Encode(Enumerable.Range(0, 32_768).Select(number => new HeapRange((ulong)number * 1000 * PageSize, PageSize)));

        Assert.That(record, Has.Length.InRange(60_000, 64 << 10));
        Assert.That(RecentPages.Decode(record).Select(range => range.Address), Is.EqualTo(Enumerable.Range(0, record.Length / 3 + 1).Select(number => (ulong)number * 1000 * PageSize)).AsCollection);
    }

    [Test]
    public void Any_bytes_are_ranges_of_the_address_space()
    {
        var random = new Random(1);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] record = new byte[random.Next(40)];
            random.NextBytes(record);

            Assert.That(
                RecentPages.Decode(record).All(range => range.Address <= PersistentHeap.AddressSpaceBytes && range.Length <= PersistentHeap.AddressSpaceBytes - range.Address));
        }
    }

    private static InstanceGroup Run(PersistentHeap heap, MachineHeader header, InstanceOptions options)
    {
        InstanceGroup group = InstanceGroup.Create(heap, header, options);
        group.PushCall(group.Instantiate(TinyModule.Of(("_start", Storing)), []), 0, []);
        Assert.That(group.Run(() => true), Is.EqualTo(RunOutcome.Returned));
        return group;
    }

    private static IEnumerable<ulong> PagesOf(HeapRange range) =>
        Enumerable.Range(0, (int)(range.Length / PageSize)).Select(page => (range.Address / PageSize) + (ulong)page);
}
