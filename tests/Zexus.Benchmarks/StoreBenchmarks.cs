using BenchmarkDotNet.Attributes;
using Microsoft.Data.Sqlite;
using Zexus.Chain;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// Durable commits of a token transfer (two keys, a ledger entry, an event, the receipt) beside the database alone, which is given
/// rows of the same sizes through the same interface in one transaction, synced as often; one execution at a time, and blocks of a hundred. On the
/// disk that holds the temporary folder. The database alone has the store's settings.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*StoreBenchmarks*' --job short -i</c></remarks>
public class StoreBenchmarks
{
    internal const int Block = 100;

    /// <summary>Keys of the state.</summary>
    [Params(10_000, 1_000_000)]
    public int Keys { get; set; }

    private static readonly string[] Statements =
    [
        "INSERT INTO state VALUES (?1, ?2, ?3, ?4)",
        "INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, ?5)",
        "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5)",
        "INSERT INTO receipt VALUES (?1, ?2, ?3)",
        "BEGIN IMMEDIATE",
        "COMMIT",
    ];

    private readonly byte[] _value = new byte[5];
    private readonly byte[] _receipt = new byte[560];
    private readonly byte[] _entry = new byte[48];
    private readonly byte[] _digest = new byte[32];
    private string _folder = "";
    private DurableStore _store = null!;
    private MemoryStore? _memory;
    private SqliteConnection _raw = null!;
    private Statement[] _statements = [];
    private long _number;
    private long _rawNumber;

    [GlobalSetup]
    public void Open()
    {
        _folder = Directory.CreateTempSubdirectory("zexus-store-").FullName;
        _store = DurableStore.Create(Path.Combine(_folder, "store"), State());

        // The same tables and the same pairs, from a copy of the store.
        string copy = Path.Combine(_folder, "copy");
        DurableStore.Create(copy, State()).Dispose();
        _raw = new SqliteConnection($"Data Source={Path.Combine(copy, "chain.db")};Pooling=False");
        _raw.Open();
        foreach (
            string pragma in (string[])
                [
                    "locking_mode = EXCLUSIVE",
                    "journal_mode = WAL",
                    "synchronous = FULL",
                    $"cache_size = -{DurableStore.CacheKibibytes}",
                    $"wal_autocheckpoint = {DurableStore.LoggedPages}",
                ]
        )
        {
            using SqliteCommand command = _raw.CreateCommand();
            command.CommandText = "PRAGMA " + pragma;
            _ = command.ExecuteScalar();
        }

        _statements = [.. Statements.Select(sql => new Statement(_raw.Handle!, sql))];
    }

    [GlobalCleanup]
    public void Close()
    {
        _store.Dispose();
        Array.ForEach(_statements, statement => statement.Dispose());
        _raw.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark(Baseline = true)]
    public void Database() => Raw(1);

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
    public void DatabaseInBlocks() => Raw(Block);

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

    internal void Raw(int executions)
    {
        _statements[4].Run();
        for (int i = 0; i < executions; i++)
        {
            long number = ++_rawNumber;
            for (int key = 0; key < 2; key++)
            {
                _statements[0].Bind(1, "token"u8).Bind(2, Key(number, key)).Bind(3, number).Bind(4, _value).Run();
            }

            _statements[1].Bind(1, number).Bind(2, number).Bind(3, "token"u8).Bind(4, _entry).Bind(5, _digest).Run();
            _statements[2]
                .Bind(1, number)
                .Bind(2, number)
                .Bind(3, "token"u8)
                .Bind(4, "transfer"u8)
                .Bind(5, _entry)
                .Run();
            _statements[3].Bind(1, number).Bind(2, _receipt).Bind(3, _digest).Run();
        }

        _statements[5].Run();
    }

    private byte[] Key(long number, int which) =>
        System.Text.Encoding.UTF8.GetBytes($"account{((number * 7919) + which) % Keys}");

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
                .ToDictionary(
                    which => System.Text.Encoding.UTF8.GetString(Key(number, which)),
                    which => Data.NewInt(number * (which + 1))
                ),
            Ledger = [new AppendedEntry("token", payload)],
            Events = [new EmittedEvent("transfer", payload) { Contract = "token" }],
        };
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
