using System.Diagnostics.CodeAnalysis;
using System.Text;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>A store that is gone with its process.</summary>
public sealed class MemoryStore : IStateStore
{
    private readonly SortedDictionary<(string Contract, string Key), List<(long Number, Data Value)>> _state;
    private readonly ChainState _chain;
    private readonly Dictionary<string, long> _nonces = new(StringComparer.Ordinal);
    private readonly List<Receipt> _receipts = [];
    private readonly List<LedgerEntry> _ledger = [];
    private readonly List<StoredEvent> _events = [];
    private readonly List<StoredAudit> _audit = [];

    /// <summary>Of leaf 1, 2 and so on.</summary>
    private readonly List<(string Contract, string Key)> _keys = [];

    /// <summary>With nothing in it.</summary>
    public MemoryStore()
        : this([]) { }

    /// <summary>With this state at its beginning.</summary>
    /// <exception cref="ArgumentException">A key stands there twice, or something is no plain data.</exception>
    public MemoryStore(IEnumerable<StatePair> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        _state = new(Utf8Order.Instance);
        StateTree tree = new();
        foreach (StatePair pair in state)
        {
            tree.Update(StateWrite.Put(pair.Contract, pair.Key, pair.Value));
            _state.Add((pair.Contract, pair.Key), [(0, pair.Value)]);
            _keys.Add((pair.Contract, pair.Key));
        }

        _chain = new ChainState(tree, new LedgerChain(), 0, Digest.None);
    }

    /// <inheritdoc/>
    public ChainHead Head => _chain.Head;

    /// <inheritdoc/>
    public long Oldest { get; private set; }

    /// <inheritdoc/>
    public bool TryRead(string contract, string key, [MaybeNullWhen(false)] out Data value) =>
        TryRead(contract, key, Head.Number, out value);

    /// <inheritdoc/>
    public bool TryRead(string contract, string key, long number, [MaybeNullWhen(false)] out Data value)
    {
        StoreRules.CheckNumber(number, this);
        value = null;
        if (_state.TryGetValue((contract, key), out List<(long Number, Data Value)>? versions))
        {
            int last = versions.FindLastIndex(version => version.Number <= number);
            value = last < 0 ? null : versions[last].Value;
        }

        return value is not null;
    }

    /// <inheritdoc/>
    public long NextNonce(string caller) => _nonces.GetValueOrDefault(caller);

    /// <inheritdoc/>
    public IReadOnlyList<Receipt> Commit(params IReadOnlyList<ExecutionRecord> executions)
    {
        ArgumentNullException.ThrowIfNull(executions);
        ExecutionRecord.CheckSizes(executions);
        PreparedExecution[] prepared = [.. executions.Select(PreparedExecution.Of)];
        Dictionary<string, long> nonces = ChainState.Nonces(prepared, NextNonce);
        AppliedExecution[] applied = new AppliedExecution[prepared.Length];
        _chain.Apply(prepared, applied);
        foreach ((string caller, long next) in nonces)
        {
            _nonces[caller] = next;
        }

        List<Receipt> receipts = [];
        for (int i = 0; i < prepared.Length; i++)
        {
            Receipt receipt = applied[i].Receipt;
            Digest[] heads = applied[i].Heads;
            _keys.AddRange(applied[i].Made.Select(made => (made.Contract, made.Key)));
            receipts.Add(receipt);
            _receipts.Add(receipt);
            ExecutionRecord execution = executions[i];
            foreach (
                (string contract, string key, Data value) in execution.AllWrites.SelectMany(written =>
                    written.Value.Select(write => (written.Key, write.Key, write.Value))
                )
            )
            {
                if (!_state.TryGetValue((contract, key), out List<(long, Data)>? versions))
                {
                    versions = [];
                    _state.Add((contract, key), versions);
                }

                versions.Add((receipt.Number, value));
            }

            for (int e = 0; e < heads.Length; e++)
            {
                AppendedEntry entry = execution.Ledger[e];
                _ledger.Add(new LedgerEntry(_ledger.Count + 1, receipt.Number, entry.Contract, entry.Entry, heads[e]));
            }

            foreach (EmittedEvent emitted in execution.Events)
            {
                _events.Add(new StoredEvent(_events.Count + 1, receipt.Number, emitted.Contract, emitted));
            }

            foreach (AuditEntry entry in execution.Audit)
            {
                _audit.Add(new StoredAudit(_audit.Count + 1, receipt.Number, entry.Contract, entry));
            }
        }

        return receipts;
    }

    /// <inheritdoc/>
    public IEnumerable<Receipt> Receipts(long from = 1) => From(_receipts, from);

    /// <inheritdoc/>
    public IEnumerable<LedgerEntry> Ledger(long from = 1) => From(_ledger, from);

    /// <inheritdoc/>
    public IEnumerable<StoredEvent> Events(long from = 1) => From(_events, from);

    /// <inheritdoc/>
    public IEnumerable<StoredAudit> Audit(long from = 1) => From(_audit, from);

    /// <inheritdoc/>
    public IEnumerable<StatePair> State() =>
        _state.Select(entry => new StatePair(entry.Key.Contract, entry.Key.Key, entry.Value[^1].Value));

    /// <inheritdoc/>
    public StateProof Prove(string contract, string key) =>
        _chain.Tree.Prove(
            contract,
            key,
            (_, leaf) =>
            {
                (string Contract, string Key) found = _keys[(int)leaf - 1];
                return new StatePair(found.Contract, found.Key, _state[found][^1].Value);
            }
        );

    /// <inheritdoc/>
    public void Prune(long number)
    {
        StoreRules.CheckNumber(number, this);
        foreach (List<(long Number, Data Value)> versions in _state.Values)
        {
            versions.RemoveRange(0, Math.Max(0, versions.FindLastIndex(version => version.Number <= number)));
        }

        Oldest = number;
    }

    /// <inheritdoc/>
    public void Dispose() { }

    private static IEnumerable<T> From<T>(List<T> items, long from)
    {
        // By number: what is committed meanwhile is seen.
        for (long i = Math.Max(from, 1); i <= items.Count; i++)
        {
            yield return items[(int)i - 1];
        }
    }
}

/// <summary>What both stores refuse.</summary>
internal static class StoreRules
{
    public static void CheckNumber(long number, IStateStore store)
    {
        long last = store.Head.Number;
        if (number < 0 || number > last)
        {
            throw new StoreException(
                last == 0
                    ? $"there is no state after execution {number}: nothing has been executed"
                    : $"there is no state after execution {number}; the last is {last}"
            );
        }

        if (number < store.Oldest)
        {
            throw new StoreException(
                $"the state after execution {number} has been pruned; the oldest is that after {store.Oldest}"
            );
        }
    }
}

/// <summary>The order of UTF-8 bytes, which is that of scalar values.</summary>
internal sealed class Utf8Order : IComparer<(string Contract, string Key)>
{
    public static Utf8Order Instance { get; } = new();

    public int Compare((string Contract, string Key) x, (string Contract, string Key) y)
    {
        int order = Compare(x.Contract, y.Contract);
        return order != 0 ? order : Compare(x.Key, y.Key);
    }

    private static int Compare(string x, string y) =>
        Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y));
}
