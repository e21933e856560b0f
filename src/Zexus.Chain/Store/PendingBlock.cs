using System.Diagnostics.CodeAnalysis;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>
/// Executions that are to be committed together, with one sync: each reads what those before it wrote. Until <see cref="Commit"/> the store
/// knows nothing of them. Belongs to one thread; nothing else is committed to the store meanwhile.
/// </summary>
public sealed class PendingBlock(IStateStore store)
{
    private readonly List<ExecutionRecord> _records = [];
    private readonly Dictionary<(string Contract, string Key), Data> _writes = [];
    private long _bytes;

    /// <summary>A contract's keys as they are after the executions so far, for <see cref="VmOptions.Source"/>.</summary>
    public IStateSource Of(string contract) => new Source(this, contract);

    /// <summary>The nonce that the caller's next execution in this block has.</summary>
    public long NextNonce(string caller) =>
        _records.FindLast(record => record.Summary.Caller == caller && record.Summary.Nonce is not null)
            is { Summary.Nonce: { } last }
            ? last + 1
            : store.NextNonce(caller);

    /// <summary>The next execution.</summary>
    /// <exception cref="RecordTooLargeException">It has more than a store keeps, or they have together; the block is as it was.</exception>
    public void Add(ExecutionRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        long bytes = record.Size();
        if (_bytes + bytes > ExecutionRecord.MostBytesTogether)
        {
            throw new RecordTooLargeException(
                ExecutionRecord.MostBytesTogether,
                "executions that are committed together"
            );
        }

        _bytes += bytes;
        _records.Add(record);
        foreach ((string contract, IReadOnlyDictionary<string, Data> written) in record.AllWrites)
        {
            foreach ((string key, Data value) in written)
            {
                _writes[(contract, key)] = value;
            }
        }
    }

    /// <summary>All of them or none; then another block can begin.</summary>
    /// <exception cref="StoreException">As <see cref="IStateStore.Commit"/> says; then they are still here.</exception>
    public IReadOnlyList<Receipt> Commit()
    {
        IReadOnlyList<Receipt> receipts = store.Commit(_records);
        Clear();
        return receipts;
    }

    /// <summary>Drops them all; then another block can begin.</summary>
    public void Clear()
    {
        _records.Clear();
        _writes.Clear();
        _bytes = 0;
    }

    private sealed class Source(PendingBlock block, string contract) : IStateSource
    {
        public bool TryRead(string key, [MaybeNullWhen(false)] out Data value) =>
            block._writes.TryGetValue((contract, key), out value) || block.Store.TryRead(contract, key, out value);

        public DataSize Measure(string key, long most) =>
            block._writes.ContainsKey((contract, key)) ? default : block.Store.Measure(contract, key, most);
    }

    private IStateStore Store => store;
}
