using BenchmarkDotNet.Attributes;
using Microsoft.Data.Sqlite;
using Zexus.Chain;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// Durable commits of a token transfer (two keys, a ledger entry, an event, the receipt) beside the database alone, which is given
/// rows of the same sizes through the same interface in one transaction, synced as often; one execution at a time, and blocks of a hundred. On the
/// disk that holds the temporary folder. The database alone has the store's settings; once its rows are in a table for each kind of thing, and once they are
/// the store's, of which the rest is what the store itself takes.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*StoreBenchmarks*' --job short -i</c></remarks>
public class StoreBenchmarks
{
    internal const int Block = 100;

    /// <summary>Keys of the state.</summary>
    [Params(10_000, 1_000_000)]
    public int Keys { get; set; }

    private string _folder = "";
    private DurableStore _store = null!;
    private MemoryStore? _memory;
    private DatabaseAlone _rows = null!;
    private DatabaseAlone _storeRows = null!;
    private long _number;

    [GlobalSetup]
    public void Open()
    {
        _folder = Directory.CreateTempSubdirectory("zexus-store-").FullName;
        _store = DurableStore.Create(Path.Combine(_folder, "store"), State());

        _rows = new DatabaseAlone(Copy("rows"), Keys, isAsStore: false);
        _storeRows = new DatabaseAlone(Copy("store-rows"), Keys, isAsStore: true);

        // The same pairs, from a copy of the store.
        string Copy(string name)
        {
            string copy = Path.Combine(_folder, name);
            DurableStore.Create(copy, State()).Dispose();
            return Path.Combine(copy, "chain.db");
        }
    }

    [GlobalCleanup]
    public void Close()
    {
        _store.Dispose();
        _rows.Dispose();
        _storeRows.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark(Baseline = true)]
    public void Database() => _rows.Commit(1);

    /// <summary>The database alone, given the rows that the store would give it.</summary>
    [Benchmark]
    public void StoreRows() => _storeRows.Commit(1);

    [Benchmark]
    public ChainHead Store()
    {
        Commit(Transfers(1));
        return _store.Head;
    }

    /// <summary>What a commit costs besides the database: bytes, digests, the state tree.</summary>
    [Benchmark]
    public ChainHead InMemory()
    {
        // Made by who needs it: a million keys are many objects for the collector, in whatever else is measured.
        _memory ??= new MemoryStore(State());
        _memory.Commit(Transfer(++_number));
        return _memory.Head;
    }

    [Benchmark(OperationsPerInvoke = Block)]
    public void DatabaseInBlocks() => _rows.Commit(Block);

    [Benchmark(OperationsPerInvoke = Block)]
    public void StoreRowsInBlocks() => _storeRows.Commit(Block);

    [Benchmark(OperationsPerInvoke = Block)]
    public ChainHead StoreInBlocks()
    {
        Commit(Transfers(Block));
        return _store.Head;
    }

    [Benchmark(OperationsPerInvoke = Block)]
    public long Reads()
    {
        long sum = 0;
        for (int i = 0; i < Block; i++)
        {
            sum += _store.TryRead("token", $"account{i * 97 % Keys}", out Data? value) ? value.Tag : 0;
        }

        return sum;
    }

    /// <summary>The next executions, for <see cref="Commit"/>.</summary>
    internal ExecutionRecord[] Transfers(int count)
    {
        ExecutionRecord[] transfers = new ExecutionRecord[count];
        for (int i = 0; i < count; i++)
        {
            transfers[i] = Transfer(++_number);
        }

        return transfers;
    }

    internal void Commit(ExecutionRecord[] executions) => _store.Commit(executions);

    private IEnumerable<StatePair> State() =>
        Enumerable.Range(0, Keys).Select(i => new StatePair("token", $"account{i}", Data.NewInt(i)));

    /// <summary>By the database alone, a row for each thing that is kept, in tables of their own.</summary>
    internal void CommitRows(int executions) => _rows.Commit(executions);

    /// <summary>By the database alone, the rows that the store would give it.</summary>
    internal void CommitStoreRows(int executions) => _storeRows.Commit(executions);

    internal static string Key(long number, int which, int keys) => $"account{((number * 7919) + which) % keys}";

    private ExecutionRecord Transfer(long number)
    {
        Data payload = Data.NewMap([
            new(Data.NewString("from"), Data.NewString($"account{number * 7919 % Keys}")),
            new(Data.NewString("amount"), Data.NewInt(number)),
        ]);
        return new()
        {
            Summary = new ExecutionSummary
            {
                Contract = "token",
                Function = 1,
                Arguments = [Data.NewString($"account{((number * 7919) + 1) % Keys}"), Data.NewInt(number)],
                Caller = "alice",
                Timestamp = 1_700_000_000,
                Height = number,
                GasLimit = 100_000,
                GasUsed = 350,
                Value = Data.NewBool(true),
            },
            Writes = Enumerable
                .Range(0, 2)
                .ToDictionary(which => Key(number, which, Keys), which => Data.NewInt(number * (which + 1))),
            Ledger = [new AppendedEntry("token", payload)],
            Events = [new EmittedEvent("transfer", payload) { Contract = "token" }],
        };
    }
}

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
                    $"PRAGMA wal_autocheckpoint = {DurableStore.LoggedPages}",
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

/// <summary>Opening a store and closing it again, by the keys of its state: after executions that were all closed properly.</summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*StoreOpening*' --job short -i</c></remarks>
public class StoreOpening
{
    private string _folder = "";

    /// <summary>Keys of the state.</summary>
    [Params(10, 10_000, 1_000_000)]
    public int Keys { get; set; }

    private string Store => Path.Combine(_folder, "store");

    [GlobalSetup]
    public void Make()
    {
        _folder = Directory.CreateTempSubdirectory("zexus-store-").FullName;
        DurableStore
            .Create(Store, Enumerable.Range(0, Keys).Select(i => new StatePair("token", $"account{i}", Data.NewInt(i))))
            .Dispose();
    }

    [GlobalCleanup]
    public void Delete() => Directory.Delete(_folder, recursive: true);

    [Benchmark]
    public ChainHead Open()
    {
        using DurableStore store = DurableStore.Open(Store);
        return store.Head;
    }
}
