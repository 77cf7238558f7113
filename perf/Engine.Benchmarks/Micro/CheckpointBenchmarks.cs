using BenchmarkDotNet.Attributes;
using Everheap.Engine.Benchmarks.Fixtures;

namespace Everheap.Engine.Benchmarks.Micro;

/// <summary>A checkpoint of so many dirty bytes, pages scattered, and its pause alone; against one sequential write of as many with its flush.</summary>
public class CheckpointBenchmarks
{
    private const int MiB = 1 << 20;

    private HeapFixture _fixture = null!;
    private TranslationWindow _window = null!;
    private PlainFile _plain = null!;
    private byte[] _bytes = null!;
    private int[] _order = null!;
    private PendingCheckpoint? _pending;
    private byte _version;

    [ParamsSource(nameof(DirtySizes))]
    public int DirtyMiB { get; set; }

    public static IEnumerable<int> DirtySizes => Sizes.CheckpointDirtyMiB;

    private int DirtyPages => DirtyMiB * MiB / HeapFixture.PageSize;

    [GlobalSetup]
    public void Setup()
    {
        _fixture = new HeapFixture(2 * DirtyPages, residentBytes: 4L * DirtyMiB * MiB);
        _window = _fixture.Heap.OpenWindow(_fixture.Address);
        _order = HeapFixture.Shuffled(2 * DirtyPages);
        _plain = new PlainFile(DirtyPages);
        _bytes = new byte[DirtyMiB * MiB];
        new Random(4).NextBytes(_bytes);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _pending?.Wait();
        _window.Dispose();
        _fixture.Dispose();
        _plain.Dispose();
    }

    [IterationSetup]
    public void Dirty()
    {
        _pending?.Wait();
        _pending = null;
        DirtyAll(_order.AsSpan(0, DirtyPages), ++_version);
    }

    [Benchmark(Baseline = true)]
    public void PlainWriteAndFlush() => _plain.WriteAndFlush(0, _bytes);

    [Benchmark]
    public CheckpointInfo Checkpoint() => _fixture.Heap.Checkpoint();

    [Benchmark]
    public void Pause() => _pending = _fixture.Heap.BeginCheckpoint();

    /// <summary>Stores to each of these pages once, the way compiled code does, so that the seal finds entries to clear.</summary>
    private unsafe void DirtyAll(ReadOnlySpan<int> pages, byte version)
    {
        byte* table = (byte*)_window.LoadTable + TranslationWindow.StoreTableDistance;
        foreach (int page in pages)
        {
            ulong offset = (ulong)page * HeapFixture.PageSize;
            nint entry = *(nint*)(table + ((nuint)(uint)page << 3));
            byte* at = entry != 0 ? (byte*)entry + offset : _window.Store(offset);
            *at = version;
        }
    }
}
