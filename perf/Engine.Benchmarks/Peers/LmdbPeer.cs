using Everheap.Engine.Benchmarks.Workloads;
using LightningDB;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>LMDB, through LightningDB. Its cache is the system's page cache, seen through a mapping.</summary>
internal sealed class LmdbPeer : IKeyValuePeer
{
    /// <summary>Of the map, for each byte of values: free pages of two versions, keys and half-full pages.</summary>
    private const long MapFactor = 6;

    private const long MapBytesMin = 64L << 20;

    private readonly LightningEnvironment _environment;
    private readonly LightningDatabase _database;
    private LightningTransaction? _writer;
    private readonly LightningTransaction _reader;

    private LmdbPeer(PeerSetup setup)
    {
        _environment = new LightningEnvironment(
            setup.File("lmdb"),
            new EnvironmentConfiguration { MapSize = Math.Max(MapBytesMin, MapFactor * setup.RecordCount * Records.ValueBytes) });
        _environment.Open(EnvironmentOpenFlags.NoThreadLocalStorage | EnvironmentOpenFlags.NoReadAhead | EnvironmentOpenFlags.NoSubDir);
        using (LightningTransaction first = _environment.BeginTransaction())
        {
            _database = first.OpenDatabase(new DatabaseConfiguration { Flags = DatabaseOpenFlags.Create | DatabaseOpenFlags.IntegerKey });
            Check(first.Commit());
        }

        _reader = _environment.BeginTransaction(TransactionBeginFlags.ReadOnly);
    }

    public static PeerKind Kind { get; } = new(
        "LMDB 0.9 (LightningDB 0.23.1)",
        "`MDB_INTEGERKEY`, `MDB_NORDAHEAD` (documented for data larger than memory), `MDB_NOTLS`, one write transaction a commit; no cache of its own: the page cache, which the memory limit bounds",
        "`mdb_txn_commit`, synchronous (the default)",
        setup => new LmdbPeer(setup))
    {
        WhyNotAvailable = () => LmdbLibrary.WhyNotAvailable,
    };

    public bool TryRead(long key, Span<byte> value)
    {
        (MDBResultCode code, _, MDBValue found) = (_writer ?? _reader).Get(_database, BytesOf(in key));
        if (code == MDBResultCode.NotFound)
        {
            return false;
        }

        Check(code);
        found.AsSpan().CopyTo(value);
        return true;
    }

    public void Write(long key, ReadOnlySpan<byte> value)
    {
        _writer ??= _environment.BeginTransaction();
        Check(_writer.Put(_database, BytesOf(in key), value));
    }

    public void Commit()
    {
        if (_writer is null)
        {
            return;
        }

        // A reader that stays would keep the pages of its version from being used again.
        _reader.Reset();
        Check(_writer.Commit());
        _writer.Dispose();
        _writer = null;
        Check(_reader.Renew());
    }

    public void Dispose()
    {
        _writer?.Dispose();
        _reader.Dispose();
        _database.Dispose();
        _environment.Dispose();
    }

    private static ReadOnlySpan<byte> BytesOf(in long key) =>
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in key));

    private static void Check(MDBResultCode code)
    {
        if (code != MDBResultCode.Success)
        {
            throw new InvalidOperationException($"LMDB says {code}.");
        }
    }
}
