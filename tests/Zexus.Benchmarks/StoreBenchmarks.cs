using BenchmarkDotNet.Attributes;
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
