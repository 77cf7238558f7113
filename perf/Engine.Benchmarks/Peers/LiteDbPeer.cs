using LiteDB;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>LiteDB, a document store in C#.</summary>
internal sealed class LiteDbPeer : IKeyValuePeer
{
    private const string ValueField = "v";

    private readonly LiteDatabase _database;
    private readonly ILiteCollection<BsonDocument> _records;
    private bool _isInTransaction;

    private LiteDbPeer(PeerSetup setup)
    {
        _database = new LiteDatabase(new ConnectionString { Filename = setup.File("lite.db"), Connection = ConnectionType.Direct });
        _records = _database.GetCollection("records");
    }

    public static PeerKind Kind { get; } = new(
        "LiteDB 5.0.20",
        "direct connection, `_id` is the key, the value a binary field; it has no setting for its cache, which grows as it likes",
        "`Commit()` of a transaction: the log is flushed",
        setup => new LiteDbPeer(setup))
    {
        HasBudget = false,
    };

    public bool TryRead(long key, Span<byte> value)
    {
        BsonDocument? document = _records.FindById(key);
        if (document is null)
        {
            return false;
        }

        document[ValueField].AsBinary.CopyTo(value);
        return true;
    }

    public void Write(long key, ReadOnlySpan<byte> value)
    {
        if (!_isInTransaction)
        {
            _isInTransaction = _database.BeginTrans();
        }

        _records.Upsert(new BsonDocument { ["_id"] = key, [ValueField] = value.ToArray() });
    }

    public void Commit()
    {
        if (_isInTransaction)
        {
            _database.Commit();
            _isInTransaction = false;
        }
    }

    public void Dispose() => _database.Dispose();
}
