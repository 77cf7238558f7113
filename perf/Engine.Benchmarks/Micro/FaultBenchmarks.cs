using BenchmarkDotNet.Attributes;
using Everheap.Engine.Benchmarks.Fixtures;

namespace Everheap.Engine.Benchmarks.Micro;

/// <summary>Faults with the file in the page cache: of clean pages, and with a dirty victim each; against what no paging can beat.</summary>
public class FaultBenchmarks
{
    internal const int Accesses = 4096;

    private static readonly int Pages = Sizes.Fault.HeapBytes / HeapFixture.PageSize;

    private readonly int[] _order = HeapFixture.Shuffled(Pages);
    private readonly byte[] _target = new byte[HeapFixture.PageSize];
    private HeapFixture _fixture = null!;
    private PlainFile _plain = null!;
    private byte[] _source = null!;
    private int _next;

    [GlobalSetup]
    public void Setup()
    {
        _fixture = new HeapFixture(Pages, Sizes.Fault.ResidentBytes);
        _plain = new PlainFile(Pages);
        _source = new byte[Pages * HeapFixture.PageSize];
        _source.AsSpan().Fill(1);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _fixture.Dispose();
        _plain.Dispose();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Accesses)]
    public void CopyOfAPage()
    {
        for (int i = 0; i < Accesses; i++)
        {
            _source.AsSpan(Next() * HeapFixture.PageSize, HeapFixture.PageSize).CopyTo(_target);
        }
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public long PositionalReadOfAPage()
    {
        long sum = 0;
        for (int i = 0; i < Accesses; i++)
        {
            sum += _plain.ReadPage(Next());
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public long Fault()
    {
        long sum = 0;
        Span<byte> one = stackalloc byte[8];
        for (int i = 0; i < Accesses; i++)
        {
            _fixture.Heap.Read(_fixture.Address + ((ulong)Next() * HeapFixture.PageSize), one);
            sum += one[0];
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public long PositionalReadAndWriteOfAPage()
    {
        long sum = 0;
        for (int i = 0; i < Accesses; i++)
        {
            sum += _plain.ReadPage(Next());
            _plain.WritePage(Next());
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Accesses)]
    public void FaultWithADirtyVictim()
    {
        Span<byte> one = stackalloc byte[8];
        for (int i = 0; i < Accesses; i++)
        {
            one[0] = (byte)i;
            _fixture.Heap.Write(_fixture.Address + ((ulong)Next() * HeapFixture.PageSize), one);
        }
    }

    private int Next()
    {
        _next = (_next + 1) % Pages;
        return _order[_next];
    }
}
