using Microsoft.Data.Sqlite;
using Zexus.Chain;

namespace Zexus.Benchmarks;

/// <summary>SQLite given what a token transfer leaves, through the interface that the store uses and with its settings.</summary>
internal sealed class DatabaseAlone : IDisposable
{
    /// <summary>Bytes of the store's row <c>recent</c> for an execution of two keys.</summary>
    private const int LeavesBytes = 2 * 72;
    private const int TopsBytes = 2 * 33;

    private readonly byte[] _value = new byte[5];
    private readonly byte[] _receipt = new byte[560];
    private readonly byte[] _entry = new byte[48];
    private readonly byte[] _digest = new byte[32];
    private readonly byte[] _ledger = new byte[5 + 48 + 32 + 3];
    private readonly byte[] _events = new byte[5 + 8 + 48 + 3];
    private readonly SqliteConnection _connection;
    private readonly Statement _begin;
    private readonly Statement _commit;
    private readonly Statement _state;
    private readonly Action<long>[] _inserts;
    private readonly Action<int> _end;
    private readonly List<Statement> _statements = [];
    private readonly int _keys;
    private long _number;

    /// <param name="file">A store's database, which becomes this one's.</param>
    /// <param name="keys">Of its state.</param>
    /// <param name="isAsStore">The rows are the store's; otherwise there is one for each ledger entry, event and receipt, in three tables.</param>
    public DatabaseAlone(string file, int keys, bool isAsStore)
    {
        _keys = keys;
        _connection = new SqliteConnection($"Data Source={file};Pooling=False");
        _connection.Open();
        foreach (
            string sql in (string[])
                [
                    "PRAGMA locking_mode = EXCLUSIVE",
                    "PRAGMA journal_mode = WAL",
                    "PRAGMA synchronous = FULL",
                    $"PRAGMA cache_size = -{DurableStore.CacheKibibytes}",
                    $"PRAGMA wal_autocheckpoint = {DurableStore.UsualLoggedPages}",
                    "CREATE TABLE ledger (position INTEGER PRIMARY KEY, number, contract, entry, head)",
                    "CREATE TABLE event (position INTEGER PRIMARY KEY, number, contract, name, payload)",
                    "CREATE TABLE receipt (number INTEGER PRIMARY KEY, bytes, link)",
                ]
        )
        {
            using SqliteCommand command = _connection.CreateCommand();
            command.CommandText = sql;
            _ = command.ExecuteScalar();
        }

        _begin = Prepared("BEGIN IMMEDIATE");
        _commit = Prepared("COMMIT");
        _state = Prepared("INSERT INTO state VALUES (?1, ?2, ?3, ?4)");
        if (isAsStore)
        {
            Statement execution = Prepared("INSERT INTO execution VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
            Statement recent = Prepared("INSERT INTO recent VALUES (?1, ?2, ?3)");
            _inserts =
            [
                number =>
                    execution
                        .Bind(1, number)
                        .Bind(2, _receipt)
                        .Bind(3, _digest)
                        .Bind(4, number)
                        .Bind(5, _ledger)
                        .Bind(6, number)
                        .Bind(7, _events)
                        .Bind(8, 0)
                        .Bind(9, [])
                        .Run(),
            ];
            _end = executions =>
                recent
                    .Bind(1, _number)
                    .Bind(2, new byte[executions * LeavesBytes])
                    .Bind(3, new byte[executions * TopsBytes])
                    .Run();
            return;
        }

        Statement ledger = Prepared("INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, ?5)");
        Statement emitted = Prepared("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5)");
        Statement receipt = Prepared("INSERT INTO receipt VALUES (?1, ?2, ?3)");
        _inserts =
        [
            number => ledger.Bind(1, number).Bind(2, number).Bind(3, "token"u8).Bind(4, _entry).Bind(5, _digest).Run(),
            number =>
                emitted.Bind(1, number).Bind(2, number).Bind(3, "token"u8).Bind(4, "transfer"u8).Bind(5, _entry).Run(),
            number => receipt.Bind(1, number).Bind(2, _receipt).Bind(3, _digest).Run(),
        ];
        _end = _ => { };
    }

    public void Commit(int executions)
    {
        _begin.Run();
        for (int i = 0; i < executions; i++)
        {
            long number = ++_number;
            for (int which = 0; which < 2; which++)
            {
                byte[] key = System.Text.Encoding.UTF8.GetBytes(StoreBenchmarks.Key(number, which, _keys));
                _state.Bind(1, "token"u8).Bind(2, key).Bind(3, number).Bind(4, _value).Run();
            }

            foreach (Action<long> insert in _inserts)
            {
                insert(number);
            }
        }

        _end(executions);
        _commit.Run();
    }

    public void Dispose()
    {
        _statements.ForEach(statement => statement.Dispose());
        _connection.Dispose();
    }

    private Statement Prepared(string sql)
    {
        Statement statement = new(_connection.Handle!, sql);
        _statements.Add(statement);
        return statement;
    }
}
