using Everheap.Engine.Benchmarks.Workloads;
using Microsoft.Data.Sqlite;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>SQLite, with a transaction a commit.</summary>
internal sealed class SqlitePeer : IKeyValuePeer
{
    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _select;
    private readonly SqliteCommand _upsert;
    private readonly SqliteParameter _selectKey;
    private readonly SqliteParameter _upsertKey;
    private readonly SqliteParameter _upsertValue;
    private readonly byte[] _value = new byte[Records.ValueBytes];
    private SqliteTransaction? _transaction;

    private SqlitePeer(PeerSetup setup)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = setup.File("sqlite.db"), Pooling = false }.ToString());
        _connection.Open();
        Execute("PRAGMA page_size=4096");
        Execute("PRAGMA locking_mode=EXCLUSIVE");
        Execute("PRAGMA journal_mode=WAL");
        Execute("PRAGMA synchronous=FULL");
        Execute($"PRAGMA cache_size=-{setup.BudgetBytes / 1024}");
        Execute("CREATE TABLE IF NOT EXISTS records (key INTEGER PRIMARY KEY, value BLOB NOT NULL)");
        _select = Prepare("SELECT value FROM records WHERE key = $key", out _selectKey);
        _upsert = Prepare("INSERT INTO records VALUES ($key, $value) ON CONFLICT (key) DO UPDATE SET value = excluded.value", out _upsertKey);
        _upsertValue = _upsert.Parameters.Add("$value", SqliteType.Blob);
        _upsertValue.Value = _value;
    }

    public static PeerKind Kind { get; } = new(
        "SQLite (Microsoft.Data.Sqlite 10.0.15)",
        "`journal_mode=WAL`, `locking_mode=EXCLUSIVE`, `cache_size` = budget, 4 KiB pages, integer primary key, prepared statements",
        "`synchronous=FULL`: the log is flushed at every commit",
        setup => new SqlitePeer(setup));

    public bool TryRead(long key, Span<byte> value)
    {
        _selectKey.Value = key;
        _select.Transaction = _transaction;
        using SqliteDataReader reader = _select.ExecuteReader();
        if (!reader.Read())
        {
            return false;
        }

        reader.GetBytes(0, 0, _value, 0, _value.Length);
        _value.CopyTo(value);
        return true;
    }

    public void Write(long key, ReadOnlySpan<byte> value)
    {
        _transaction ??= _connection.BeginTransaction();
        value.CopyTo(_value);
        _upsertKey.Value = key;
        _upsert.Transaction = _transaction;
        _upsert.ExecuteNonQuery();
    }

    public void Commit()
    {
        _transaction?.Commit();
        _transaction?.Dispose();
        _transaction = null;
    }

    public void Dispose()
    {
        _transaction?.Dispose();
        _select.Dispose();
        _upsert.Dispose();
        _connection.Dispose();
    }

    private SqliteCommand Prepare(string text, out SqliteParameter key)
    {
        SqliteCommand command = _connection.CreateCommand();
        command.CommandText = text;
        key = command.Parameters.Add("$key", SqliteType.Integer);
        return command;
    }

    private void Execute(string text)
    {
        using SqliteCommand command = _connection.CreateCommand();
        command.CommandText = text;
        command.ExecuteNonQuery();
    }
}
