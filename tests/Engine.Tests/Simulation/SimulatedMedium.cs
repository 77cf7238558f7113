using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Simulation;

/// <summary>
/// A medium in memory that keeps unflushed changes apart from durable ones and can crash, fail or fill up at any chosen I/O.
/// </summary>
/// <remarks>
/// I/Os are the calls that change something: writes, resizes, flushes, counted from 0. Reads are not counted: a crash at a read leaves
/// nothing behind that a crash at the next change does not. Invariants:
/// <list type="number">
/// <item>What a flush that returned has covered is in every image.</item>
/// <item>Everything else may be in an image or not, in any order, torn.</item>
/// <item>After the crash no I/O succeeds.</item>
/// </list>
/// </remarks>
internal sealed class SimulatedMedium : IStorageMedium
{
    private readonly Lock _lock = new();
    private readonly Random _random;
    private readonly Dictionary<long, IoFault> _faults = [];
    private readonly SparseImage _durable;
    private readonly SparseImage _current;

    /// <summary>Only ever added to; a flush starts another list, so that moments that were captured go on having this one.</summary>
    private List<UnflushedIo> _unflushed = [];
    private SparseImage? _durableCopy;

    public SimulatedMedium(int seed, SparseImage? image = null)
    {
        _random = new Random(seed);
        _durable = image?.Copy() ?? new SparseImage();
        _current = _durable.Copy();
        Gate = new WriterGate();
    }

    /// <summary>
    /// The medium as the next process finds it when only the one before was killed: all that was written is there, and what was unflushed still is.
    /// </summary>
    public SimulatedMedium(int seed, CrashMoment killed)
        : this(seed, killed.Durable)
    {
        foreach (UnflushedIo io in killed.Unflushed)
        {
            io.ApplyTo(_current);
            _unflushed.Add(io);
        }
    }

    public string Name => "simulated medium";

    public bool IsReadOnly { get; init; }

    /// <summary>Holds I/Os of threads other than the mutator back until the test lets them go; open by default.</summary>
    public WriterGate Gate { get; }

    /// <summary>The I/O that crashes, or -1 for none.</summary>
    public long CrashAt { get; init; } = -1;

    /// <summary>Resizes past this length, and writes that would need more chunks than fit in it, find the medium full.</summary>
    public long Capacity { get; set; } = long.MaxValue;

    /// <summary>Called, under the medium's lock, at every I/O before it takes effect: a crash at this I/O finds the medium as it is now.</summary>
    public Action<long>? BeforeIo { get; set; }

    public bool HasCrashed { get; private set; }

    public bool IsDisposed { get; private set; }

    public long IoCount { get; private set; }

    public long WriteCount { get; private set; }

    public long ResizeCount { get; private set; }

    /// <summary>Flushes that returned.</summary>
    public long FlushCount { get; private set; }

    public long BytesRead { get; private set; }

    /// <summary>Where planned faults struck, for messages.</summary>
    public List<string> Struck { get; } = [];

    public int UnflushedCount
    {
        get
        {
            lock (_lock)
            {
                return _unflushed.Count;
            }
        }
    }

    public long Length
    {
        get
        {
            lock (_lock)
            {
                return _current.Length;
            }
        }
    }

    public void FailAt(long ioIndex, IoFault fault = IoFault.Error) => _faults[ioIndex] = fault;

    public void Read(long offset, Span<byte> destination)
    {
        lock (_lock)
        {
            ThrowIfUnusable();
            if (offset < 0 || offset + destination.Length > _current.Length)
            {
                throw new EndOfStreamException($"Read of {destination.Length} bytes at {offset} of {_current.Length}.");
            }

            BytesRead += destination.Length;
            _current.Read(offset, destination);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        Gate.Pass(IoKind.Write);
        lock (_lock)
        {
            // The write that crashes may still have got some way, like any unflushed one.
            bool crashes = CountIo();
            WriteCount++;
            if (offset < 0 || offset + source.Length > _current.Length)
            {
                throw new InvalidOperationException($"Write of {source.Length} bytes at {offset}, past the length {_current.Length}.");
            }

            IoFault? fault = TakeFault($"write of {source.Length} bytes at {offset}");
            if (fault is null && _current.IsHole(offset, source.Length) && (long)_current.ChunkCount * SparseImage.ChunkSize >= Capacity)
            {
                fault = IoFault.Full;
            }

            if (fault is not null)
            {
                source = source[.._random.Next(source.Length + 1)];
            }

            _current.Write(offset, source);
            _unflushed.Add(new UnflushedIo(offset, source.ToArray()));
            ThrowIf(crashes, fault);
        }
    }

    public void Resize(long length)
    {
        Gate.Pass(IoKind.Resize);
        lock (_lock)
        {
            bool crashes = CountIo();
            ResizeCount++;
            IoFault? fault = TakeFault($"resize to {length}");
            if (length > Capacity)
            {
                throw new MediumFullException("No space left on device (simulated).");
            }

            if (fault is null)
            {
                _current.Resize(length);
                _unflushed.Add(new UnflushedIo(length, null));
            }

            ThrowIf(crashes, fault);
        }
    }

    public void Flush()
    {
        Gate.Pass(IoKind.Flush);
        lock (_lock)
        {
            bool crashes = CountIo();
            IoFault? fault = TakeFault("flush");
            if (fault is not null)
            {
                // As Linux does it: after a failed flush the lost pages count as clean, and the next flush says nothing of them.
                _unflushed = [.. _unflushed.Where(_ => _random.Next(2) == 0)];
            }

            ThrowIf(crashes, fault);
            foreach (UnflushedIo io in _unflushed)
            {
                io.ApplyTo(_durable);
            }

            _unflushed = [];
            _durableCopy = null;
            FlushCount++;
        }
    }

    /// <summary>The medium's state as it is now, from which the images of a crash at this moment can be made later. Cheap: it shares what it can.</summary>
    public CrashMoment Capture()
    {
        lock (_lock)
        {
            return new CrashMoment(_durableCopy ??= _durable.Copy(), _unflushed, _unflushed.Count);
        }
    }

    /// <summary>What the disk holds if the machine crashes now (or has crashed already).</summary>
    public SparseImage Image(CrashFlavour flavour, Random random) => Capture().Image(flavour, random);

    /// <summary>What the file holds for everybody on the machine: all that was written, flushed or not.</summary>
    public SparseImage Current()
    {
        lock (_lock)
        {
            return _current.Copy();
        }
    }

    public void Dispose() => IsDisposed = true;

    /// <summary>Allows the next opener in, once the last has let go.</summary>
    public void Reattach()
    {
        if (!IsDisposed)
        {
            throw new InvalidOperationException("The store did not dispose its medium.");
        }

        IsDisposed = false;
    }

    private bool CountIo()
    {
        ThrowIfUnusable();
        if (IsReadOnly)
        {
            throw new InvalidOperationException("A read-only medium was asked to change.");
        }

        bool crashes = IoCount == CrashAt;
        BeforeIo?.Invoke(IoCount);
        IoCount++;
        return crashes;
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (HasCrashed)
        {
            throw new SimulatedCrashException(CrashAt);
        }
    }

    private void ThrowIf(bool crashes, IoFault? fault)
    {
        if (crashes)
        {
            HasCrashed = true;
            Gate.Open();
            throw new SimulatedCrashException(CrashAt);
        }

        switch (fault)
        {
            case IoFault.Error:
                throw new IOException("Input/output error (simulated).");
            case IoFault.Full:
                throw new IOException("No space left on device (simulated).");
        }
    }

    private IoFault? TakeFault(string what)
    {
        if (!_faults.TryGetValue(IoCount - 1, out IoFault fault))
        {
            return null;
        }

        Struck.Add($"{fault} at I/O {IoCount - 1}: {what}");
        return fault;
    }
}
