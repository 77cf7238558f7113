using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Everheap.Engine.Benchmarks.Fixtures;
using Everheap.Engine.Collections;

namespace Everheap.Engine.Benchmarks.Micro;

/// <summary>Elements of a persistent array whose pages are resident, against a plain array and against the heap's own Read.</summary>
public class ArrayBenchmarks
{
    private const int Elements = 100_000;

    private HeapFixture _fixture = null!;
    private PersistentArray<long> _array = null!;
    private PersistentArray<long> _added = null!;
    private HeapSnapshot _snapshot = null!;
    private ReadOnlyPersistentArray<long> _then = null!;
    private long[] _plain = null!;
    private int[] _order = null!;

    [GlobalSetup]
    public void Setup()
    {
        _fixture = new HeapFixture(pages: 0, residentBytes: 16 << 20);
        _plain = new long[Elements];
        for (int i = 0; i < Elements; i++)
        {
            _plain[i] = i;
        }

        _array = PersistentArray.Create<long>(_fixture.Heap);
        _array.AddRange(_plain);
        _added = PersistentArray.Create<long>(_fixture.Heap);
        _fixture.Heap.Checkpoint();
        _snapshot = _fixture.Store.OpenSnapshot(HeapFixture.HeapName);
        _then = PersistentArray.Open<long>(_snapshot, _array.Address);
        _order = HeapFixture.Shuffled(Elements);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _snapshot.Dispose();
        _fixture.Dispose();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Elements)]
    public long GetFromAPlainArray()
    {
        long sum = 0;
        foreach (int i in _order)
        {
            sum += _plain[i];
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public long Get()
    {
        long sum = 0;
        foreach (int i in _order)
        {
            sum += _array[i];
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Set()
    {
        foreach (int i in _order)
        {
            _array[i] = i;
        }
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public long GetByTheHeapsRead()
    {
        long sum = 0;
        ulong address = _array.Address + (16 << PersistentHeap.PageShift);
        long element = 0;
        foreach (int i in _order)
        {
            _fixture.Heap.Read(address + ((ulong)i * sizeof(long)), MemoryMarshal.AsBytes(new Span<long>(ref element)));
            sum += element;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public long GetFromASnapshot()
    {
        long sum = 0;
        foreach (int i in _order)
        {
            sum += _then[i];
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public long EnumerateASnapshot()
    {
        long sum = 0;
        foreach (long element in _then)
        {
            sum += element;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public long Enumerate()
    {
        long sum = 0;
        foreach (long element in _array)
        {
            sum += element;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public long SumBySpans()
    {
        long sum = 0;
        ReadOnlySpan<long> span;
        for (long i = 0; i < Elements; i += span.Length)
        {
            span = _array.ReadSpan(i);
            foreach (long element in span)
            {
                sum += element;
            }
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Elements)]
    public void AddUpToAsMany()
    {
        _added.Resize(0);
        for (int i = 0; i < Elements; i++)
        {
            _added.Add(i);
        }
    }
}
