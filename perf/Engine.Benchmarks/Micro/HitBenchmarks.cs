using BenchmarkDotNet.Attributes;
using Everheap.Engine.Benchmarks.Fixtures;

namespace Everheap.Engine.Benchmarks.Micro;

/// <summary>Loads and stores of resident pages, through the tables as compiled code does it, against a plain array.</summary>
public unsafe class HitBenchmarks
{
    private const int Pages = 1024;
    internal const int Accesses = 100_000;

    private HeapFixture _fixture = null!;
    private TranslationWindow _window = null!;
    private int[] _offsets = null!;
    private byte[] _plain = null!;

    [GlobalSetup]
    public void Setup()
    {
        _fixture = new HeapFixture(Pages, residentBytes: 16 << 20);
        _window = _fixture.Heap.OpenWindow(_fixture.Address);
        Random random = new(3);
        _offsets = [.. Enumerable.Range(0, Accesses).Select(_ => random.Next(Pages * HeapFixture.PageSize / 8) * 8)];
        _plain = new byte[Pages * HeapFixture.PageSize];
        random.NextBytes(_plain);
        Store();
        Load();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _window.Dispose();
        _fixture.Dispose();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Accesses)]
    public long LoadFromAnArray()
    {
        long sum = 0;
        fixed (byte* start = _plain)
        {
            foreach (int offset in _offsets)
            {
                sum += *(long*)(start + offset);
            }
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public long Load()
    {
        long sum = 0;
        byte* table = (byte*)_window.LoadTable;
        foreach (int offset in _offsets)
        {
            nint entry = *(nint*)(table + ((nuint)(uint)offset >> TranslationWindow.PageShift << 3));
            byte* at = entry != 0 ? (byte*)entry + offset : _window.Load((ulong)offset);
            sum += *(long*)at;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public void Store()
    {
        byte* table = (byte*)_window.LoadTable + TranslationWindow.StoreTableDistance;
        foreach (int offset in _offsets)
        {
            nint entry = *(nint*)(table + ((nuint)(uint)offset >> TranslationWindow.PageShift << 3));
            byte* at = entry != 0 ? (byte*)entry + offset : _window.Store((ulong)offset);
            *(long*)at = offset;
        }
    }
}
