using System.Numerics;
using System.Text;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>What was executed and how it ended: what a receipt keeps of an execution.</summary>
public sealed record ExecutionSummary
{
    /// <summary>Whose code it was, and whose keys the state has. Given by the host.</summary>
    public required string Contract { get; init; }

    /// <summary>SHA-256 of the program's container; none when the host does not say.</summary>
    public Digest Program { get; init; }

    /// <summary>The contracts that it called, also where their calls have failed, and SHA-256 of their programs' containers.</summary>
    public IReadOnlyDictionary<string, Digest> Called { get; init; } = new Dictionary<string, Digest>();

    /// <summary>The entry function's number.</summary>
    public int Function { get; init; }

    /// <summary>What it was given.</summary>
    public IReadOnlyList<Data> Arguments { get; init; } = [];

    /// <summary>Who called.</summary>
    public string Caller { get; init; } = "";

    /// <summary>The caller's count of executions, against replay: 0, 1, 2 and so on without a gap. Null: not counted.</summary>
    public long? Nonce { get; init; }

    /// <summary>The block's timestamp.</summary>
    public BigInteger Timestamp { get; init; }

    /// <summary>The block's height.</summary>
    public BigInteger Height { get; init; }

    /// <summary>The gas that it had.</summary>
    public required long GasLimit { get; init; }

    /// <summary>The gas that it used.</summary>
    public required long GasUsed { get; init; }

    /// <summary>What it returned, or the value of its fault; null when that is no plain data.</summary>
    public Data? Value { get; init; }

    /// <summary>The fault's name; null when it completed.</summary>
    public string? Fault { get; init; }

    /// <summary>The function that the fault arose in; -1 when it completed.</summary>
    public int FaultFunction { get; init; } = -1;

    /// <summary>The instruction that the fault arose at; -1 when it completed.</summary>
    public int FaultInstruction { get; init; } = -1;
}

/// <summary>An execution that has ended, for <see cref="IStateStore.Commit"/>.</summary>
public sealed record ExecutionRecord
{
    /// <summary>
    /// What a store keeps of one execution at most, in the bytes of docs/container.md: keys and values written, arguments and value, ledger, events and audit
    /// log.
    /// </summary>
    public const long MostBytes = 64L * 1024 * 1024;

    /// <summary>Of those that are committed together.</summary>
    public const long MostBytesTogether = 4 * MostBytes;

    /// <summary>What a store keeps with a write or an entry of the ledger: a digest, a leaf.</summary>
    private const int BytesOfDigest = 64;

    /// <summary>What was executed and how it ended.</summary>
    public required ExecutionSummary Summary { get; init; }

    /// <summary>The contract's keys that it wrote, and what they hold now.</summary>
    public IReadOnlyDictionary<string, Data> Writes { get; init; } = new Dictionary<string, Data>();

    /// <summary>The keys that contracts wrote which it called, by their ids, and what they hold now.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, Data>> CalledWrites { get; init; } =
        new Dictionary<string, IReadOnlyDictionary<string, Data>>();

    /// <summary>Those of the contract and of those that it called.</summary>
    internal IEnumerable<KeyValuePair<string, IReadOnlyDictionary<string, Data>>> AllWrites =>
        CalledWrites.Append(new(Summary.Contract, Writes));

    /// <summary>What it appended to the ledger, in order, and contracts that it called.</summary>
    public IReadOnlyList<AppendedEntry> Ledger { get; init; } = [];

    /// <summary>What it emitted, in order, and contracts that it called.</summary>
    public IReadOnlyList<EmittedEvent> Events { get; init; } = [];

    /// <summary>What it logged, in order; after a fault, too.</summary>
    public IReadOnlyList<AuditEntry> Audit { get; init; } = [];

    /// <summary>In bytes, as <see cref="MostBytes"/> has them.</summary>
    /// <exception cref="RecordTooLargeException">They are more.</exception>
    internal long Size()
    {
        long size = 0;

        // What is in bytes still is looked at before it becomes objects, which take many times as much.
        foreach (object entries in (object[])[Ledger, Events, Audit])
        {
            Count((entries as IWrittenEntries)?.Bytes ?? 0);
        }

        size = 0;
        foreach (Data argument in Summary.Arguments)
        {
            Add("", argument);
        }

        Add("", Summary.Value ?? Data.Null);
        foreach ((string contract, IReadOnlyDictionary<string, Data> written) in AllWrites)
        {
            foreach ((string key, Data value) in written)
            {
                Count(BytesOfDigest + Utf8(key));
                Add(contract, value);
            }
        }

        foreach (AppendedEntry entry in Ledger)
        {
            Count(BytesOfDigest);
            Add(entry.Contract, entry.Entry);
        }

        foreach (EmittedEvent emitted in Events)
        {
            Count(Utf8(emitted.Name));
            Add(emitted.Contract, emitted.Payload);
        }

        foreach (AuditEntry entry in Audit)
        {
            Add(entry.Contract, entry.Data);
            Add("", entry.Action);
        }

        return size;

        void Add(string contract, Data value) => Count(Utf8(contract) + Constants.Size(value, MostBytes - size));

        void Count(long bytes)
        {
            size += bytes;
            if (size > MostBytes)
            {
                throw new RecordTooLargeException(MostBytes, "one execution");
            }
        }

        static int Utf8(string text) => Encoding.UTF8.GetByteCount(text);
    }

    /// <exception cref="RecordTooLargeException">They are too large to be committed together.</exception>
    internal static void CheckSizes(IEnumerable<ExecutionRecord> records)
    {
        if (records.Sum(record => record.Size()) > MostBytesTogether)
        {
            throw new RecordTooLargeException(MostBytesTogether, "executions that are committed together");
        }
    }

    /// <summary>Of a result of the engine.</summary>
    /// <param name="summary">What was executed; how it ended is filled in.</param>
    /// <param name="result">How it ended; executed under the contract's id.</param>
    /// <exception cref="ArgumentException">It was executed under another id.</exception>
    public static ExecutionRecord Of(ExecutionSummary summary, ExecutionResult result)
    {
        ArgumentNullException.ThrowIfNull(summary);
        ArgumentNullException.ThrowIfNull(result);
        if (result.Contract != summary.Contract)
        {
            throw new ArgumentException(
                $"executed as contract \"{result.Contract}\", and to be recorded as \"{summary.Contract}\"; VmOptions.Contract says which it is"
            );
        }

        return new()
        {
            Summary = summary with
            {
                GasUsed = result.GasUsed,
                Value = (result.FaultValue ?? result.Value).ToData(),
                Fault = result.Fault?.Name,
                FaultFunction = result.FaultFunction,
                FaultInstruction = result.FaultInstruction,
            },
            Writes = result.Writes,
            CalledWrites = result.CalledWrites,
            Ledger = result.Ledger,
            Events = result.Events,
            Audit = result.Audit,
        };
    }
}

/// <summary>What a store keeps of an execution, chained to the receipt before.</summary>
/// <param name="Number">1 for the first execution of a store.</param>
/// <param name="Summary">What was executed and how it ended.</param>
/// <param name="Events">How many events it emitted.</param>
/// <param name="EventsDigest">A digest of their names and payloads, in order; none when there are none.</param>
/// <param name="Audit">How many entries of the audit log it wrote.</param>
/// <param name="AuditDigest">A digest of them, in order; none when there are none.</param>
/// <param name="LedgerCount">The entries of the ledger after it.</param>
/// <param name="LedgerHead">The head of the ledger after it.</param>
/// <param name="StateRoot">The state root after it.</param>
public sealed record Receipt(
    long Number,
    ExecutionSummary Summary,
    long Events,
    Digest EventsDigest,
    long Audit,
    Digest AuditDigest,
    long LedgerCount,
    Digest LedgerHead,
    Digest StateRoot
);
