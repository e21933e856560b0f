using System.Numerics;
using Zexus.Chain;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Crashes;

/// <summary>Executions by number, the same in every process: what a writer commits, and what whoever looks afterwards compares with.</summary>
public static class Workload
{
    private static readonly string[] Contracts = ["", "token", "é\0\U0001F600"];

    /// <summary>The execution of a number, from 1. Each of three callers counts its nonces.</summary>
    public static ExecutionRecord Execution(long number)
    {
        (ExecutionRecord own, Random random) = Audited(number);
        if (random.Next(3) > 0)
        {
            return own;
        }

        string contract = own.Summary.Contract;
        List<AuditEntry> audit = [.. own.Audit];
        string called = Contracts[(Array.IndexOf(Contracts, contract) + 1 + random.Next(2)) % Contracts.Length];
        audit.Add(new AuditEntry(Value(random, 0), Data.NewString("called"), number) { Contract = called });
        own = own with
        {
            Summary = own.Summary with { Called = new Dictionary<string, Digest> { [called] = own.Summary.Program } },
            Audit = audit,
        };
        return own.Summary.Fault is not null
            ? own
            : own with
            {
                CalledWrites = new Dictionary<string, IReadOnlyDictionary<string, Data>>
                {
                    [called] = new Dictionary<string, Data> { [$"key {random.Next(60)}"] = Value(random, 0) },
                },
                Ledger = [.. own.Ledger, new AppendedEntry(called, Value(random, 0))],
                Events =
                [
                    new EmittedEvent($"event {random.Next(4)}", Value(random, 0)) { Contract = called },
                    .. own.Events,
                ],
            };
    }

    /// <summary>What was committed to a store when it had an earlier format, as far as that kept it.</summary>
    public static ExecutionRecord OfFormat(int format, long number) =>
        format switch
        {
            1 => OfFirstFormat(number),
            2 => Audited(number).Execution,
            _ => Execution(number),
        };

    /// <summary>An execution that calls no contract, and the dice that it leaves: its own, since the first format kept no audit log.</summary>
    private static (ExecutionRecord Execution, Random Dice) Audited(long number)
    {
        ExecutionRecord own = OfFirstFormat(number);
        Random random = new((int)(number * 104_729 % int.MaxValue));
        List<AuditEntry> audit = [];
        for (int i = random.Next(3); i > 0; i--)
        {
            audit.Add(
                new AuditEntry(Value(random, 0), Data.NewString($"action {random.Next(4)}"), number)
                {
                    Contract = own.Summary.Contract,
                }
            );
        }

        return (own with { Audit = audit }, random);
    }

    /// <summary>An execution without an audit log, and without what called contracts did.</summary>
    private static ExecutionRecord OfFirstFormat(long number)
    {
        Random random = new((int)(number * 7919 % int.MaxValue));
        bool faults = random.Next(7) == 0;
        Dictionary<string, Data> writes = new(StringComparer.Ordinal);
        List<AppendedEntry> ledger = [];
        List<EmittedEvent> events = [];
        if (!faults)
        {
            for (int i = random.Next(6); i > 0; i--)
            {
                writes[$"key {random.Next(60)}"] = Value(random, 0);
            }

            for (int i = random.Next(3); i > 0; i--)
            {
                ledger.Add(new AppendedEntry("", Value(random, 0)));
            }

            for (int i = random.Next(3); i > 0; i--)
            {
                events.Add(new EmittedEvent($"event {random.Next(4)}", Value(random, 0)));
            }
        }

        string contract = Contracts[random.Next(Contracts.Length)];
        return new ExecutionRecord
        {
            Summary = new ExecutionSummary
            {
                Contract = contract,
                Function = random.Next(3),
                Arguments = [Value(random, 1)],
                Caller = $"caller {(number - 1) % 3}",
                Nonce = (number - 1) / 3,
                Timestamp = 1_700_000_000 + number,
                Height = number,
                GasLimit = 100_000,
                GasUsed = random.Next(100_000),
                Value = faults ? Data.NewString("DivisionByZero") : Value(random, 0),
                Fault = faults ? "DivisionByZero" : null,
                FaultFunction = faults ? 0 : -1,
                FaultInstruction = faults ? 3 : -1,
            },
            Writes = writes,
            Ledger = [.. ledger.Select(entry => entry with { Contract = contract })],
            Events = [.. events.Select(emitted => emitted with { Contract = contract })],
        };
    }

    private static Data Value(Random random, int depth) =>
        random.Next(depth < 2 ? 8 : 5) switch
        {
            0 => Data.Null,
            1 => Data.NewInt(BigInteger.Pow(random.Next(-9, 9), random.Next(40))),
            2 => Data.NewFloat(random.Next(3) == 0 ? -0.0 : random.NextDouble()),
            3 => Data.NewString(
                new string((char)random.Next('a', 'z'), random.Next(1, random.Next(20) == 0 ? 9_000 : 30))
            ),
            4 => Data.NewBool(random.Next(2) == 0),
            5 => Data.NewList([Value(random, depth + 1), Value(random, depth + 1)]),
            6 => Data.NewSet([Data.NewInt(random.Next()), Data.NewString("x")]),
            _ => Data.NewMap([
                new(Data.NewString("b"), Value(random, depth + 1)),
                new(Data.NewInt(1), Value(random, depth + 1)),
            ]),
        };
}

/// <summary>What a store is to hold after some executions of the workload, by the plainest means.</summary>
/// <param name="format">What a store had at first.</param>
/// <param name="earlier">The last execution that it committed then.</param>
public sealed class Model(int format = 0, long earlier = 0)
{
    private readonly List<ExecutionRecord> _executions = [];

    /// <summary>Executions so far.</summary>
    public long Number => _executions.Count;

    /// <summary>Every key.</summary>
    public Dictionary<(string Contract, string Key), Data> State { get; } = [];

    /// <summary>Goes on to the state after an execution.</summary>
    public void AdvanceTo(long number)
    {
        while (Number < number)
        {
            ExecutionRecord next =
                Number < earlier ? Workload.OfFormat(format, Number + 1) : Workload.Execution(Number + 1);
            _executions.Add(next);
            foreach ((string key, Data value) in next.Writes)
            {
                State[(next.Summary.Contract, key)] = value;
            }

            foreach ((string contract, IReadOnlyDictionary<string, Data> written) in next.CalledWrites)
            {
                foreach ((string key, Data value) in written)
                {
                    State[(contract, key)] = value;
                }
            }
        }
    }

    /// <summary>The first difference of a store that has executed so many; null when there is none.</summary>
    public string? Difference(IStateStore store)
    {
        if (store.Head.Number != Number)
        {
            return $"the store has {store.Head.Number} executions, not {Number}";
        }

        StateTree tree = new();
        tree.Update([.. State.Select(pair => StateWrite.Put(pair.Key.Contract, pair.Key.Key, pair.Value))]);
        LedgerChain ledger = new();
        string[] entries =
        [
            .. _executions.SelectMany(
                (execution, i) =>
                    execution.Ledger.Select(entry =>
                        $"{i + 1} {entry.Contract} {Shown(entry.Entry)} {ledger.Append(entry.Contract, entry.Entry)}"
                    )
            ),
        ];
        string[] events =
        [
            .. _executions.SelectMany(
                (execution, i) => execution.Events.Select(e => $"{i + 1} {e.Contract} {Shown(e)}")
            ),
        ];
        return Differs("root", [tree.Root], [store.Head.StateRoot])
            ?? Differs("ledger head", [ledger.Head], [store.Head.LedgerHead])
            ?? Differs(
                "ledger",
                entries,
                store.Ledger().Select(e => $"{e.Execution} {e.Contract} {Shown(e.Entry)} {e.Head}")
            )
            ?? Differs("events", events, store.Events().Select(e => $"{e.Execution} {e.Contract} {Shown(e.Event)}"))
            ?? Differs(
                "audit log",
                _executions.SelectMany(
                    (execution, i) => execution.Audit.Select(entry => $"{i + 1} {entry.Contract} {Shown(entry)}")
                ),
                store.Audit().Select(stored => $"{stored.Execution} {stored.Contract} {Shown(stored.Entry)}")
            )
            ?? Differs(
                "receipts",
                _executions.Select((e, i) => $"{i + 1} {Shown(e.Summary)}"),
                store.Receipts().Select(receipt => $"{receipt.Number} {Shown(receipt.Summary)}")
            )
            ?? Differs(
                "state",
                State.Select(pair => $"{pair.Key} {Shown(pair.Value)}").Order(StringComparer.Ordinal),
                store
                    .State()
                    .Select(pair => $"{(pair.Contract, pair.Key)} {Shown(pair.Value)}")
                    .Order(StringComparer.Ordinal)
            )
            ?? Differs(
                "nonces",
                Enumerable.Range(0, 3).Select(caller => (Number + 2 - caller) / 3),
                Enumerable.Range(0, 3).Select(caller => store.NextNonce($"caller {caller}"))
            );
    }

    private static string Shown(ExecutionSummary summary) =>
        $"{summary with { Arguments = [], Called = Nobody, Value = null }} ({string.Join(", ", summary.Arguments.Select(Shown))}) {(summary.Value is { } value ? Shown(value) : "")} ({string.Join(", ", summary.Called)})";

    private static string Shown(EmittedEvent emitted) => $"{emitted.Contract} {emitted.Name} {Shown(emitted.Payload)}";

    private static string Shown(AuditEntry entry) =>
        $"{entry.Contract} {Shown(entry.Data)} {Shown(entry.Action)} {entry.Timestamp}";

    /// <summary>No two that differ are written alike; their own text rounds Floats.</summary>
    private static string Shown(Data data) => Disassembler.Literal(data);

    private static readonly Dictionary<string, Digest> Nobody = [];

    private static string? Differs<T>(string what, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        T[] left = [.. expected];
        T[] right = [.. actual];
        for (int i = 0; i < Math.Max(left.Length, right.Length); i++)
        {
            if (i >= left.Length || i >= right.Length || !Equals(left[i], right[i]))
            {
                return $"{what}[{i}] is {(i < right.Length ? right[i] : "missing")} and should be {(i < left.Length ? left[i] : "absent")}";
            }
        }

        return null;
    }
}
