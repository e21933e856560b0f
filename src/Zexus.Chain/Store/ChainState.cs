using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>An execution in the bytes that a store keeps.</summary>
internal sealed record PreparedExecution(
    ExecutionSummary Summary,
    (string Contract, string Key, byte[] Constant)[] Writes,
    (string Contract, byte[] Constant)[] Ledger,
    (string Contract, string Name, byte[] Payload)[] Events,
    (string Contract, byte[] Entry)[] Audit,
    byte[] Arguments,
    byte[]? Value
)
{
    /// <exception cref="ArgumentException">It has something that is no plain data.</exception>
    public static PreparedExecution Of(ExecutionRecord record)
    {
        // Whatever has no form in bytes is refused before anything has gone on.
        ExecutionSummary summary = record.Summary;
        _ = Hashable(summary.Contract, "contract");
        _ = Hashable(summary.Caller, "caller");
        _ = Hashable(summary.Fault ?? "", "fault");
        _ = ReceiptForm.EncodeField(Data.NewInt(summary.Timestamp));
        _ = ReceiptForm.EncodeField(Data.NewInt(summary.Height));
        foreach (string called in summary.Called.Keys)
        {
            _ = Hashable(called, "contract");
        }

        if (record.CalledWrites.ContainsKey(summary.Contract))
        {
            throw new ArgumentException($"the contract \"{summary.Contract}\" has written as one that it called");
        }

        return new(
            record.Summary,
            WritesOf(record),
            Encoded(record.Ledger, entry => (Hashable(entry.Contract, "contract"), Constants.Encode(entry.Entry))),
            Encoded(
                record.Events,
                emitted =>
                    (
                        Hashable(emitted.Contract, "contract"),
                        Hashable(emitted.Name, "event's name"),
                        Constants.Encode(emitted.Payload)
                    )
            ),
            Encoded(record.Audit, entry => (Hashable(entry.Contract, "contract"), ReceiptForm.Encode(entry))),
            ReceiptForm.EncodeField(Data.NewList([.. summary.Arguments])),
            summary.Value is { } value ? ReceiptForm.EncodeField(value) : null
        );
    }

    public Digest EventsDigest()
    {
        Digest digest = Digest.None;
        foreach ((string contract, string name, byte[] payload) in Events)
        {
            digest = ReceiptForm.LinkEvent(digest, Summary.Contract, contract, name, payload);
        }

        return digest;
    }

    public Digest AuditDigest()
    {
        Digest digest = Digest.None;
        foreach ((string contract, byte[] entry) in Audit)
        {
            digest = ReceiptForm.LinkAudit(digest, contract, entry);
        }

        return digest;
    }

    /// <exception cref="ArgumentException">It has half of a surrogate pair.</exception>
    private static string Hashable(string text, string what)
    {
        _ = CommitmentHash.Bytes(text, what);
        return text;
    }

    private static TEncoded[] Encoded<T, TEncoded>(IReadOnlyList<T> items, Func<T, TEncoded> encode)
    {
        TEncoded[] encoded = new TEncoded[items.Count];
        for (int i = 0; i < encoded.Length; i++)
        {
            encoded[i] = encode(items[i]);
        }

        return encoded;
    }

    /// <summary>In the order of contracts and keys.</summary>
    private static (string Contract, string Key, byte[] Constant)[] WritesOf(ExecutionRecord record)
    {
        int count = record.Writes.Count + record.CalledWrites.Values.Sum(written => written.Count);
        (string Contract, string Key, byte[] Constant)[] writes = new (string, string, byte[])[count];
        int at = 0;
        foreach ((string contract, IReadOnlyDictionary<string, Data> written) in record.AllWrites)
        {
            foreach ((string key, Data value) in written)
            {
                writes[at++] = (contract, Hashable(key, "key"), Constants.Encode(value));
            }
        }

        Array.Sort(
            writes,
            (a, b) =>
                string.CompareOrdinal(a.Contract, b.Contract) is not 0 and int order
                    ? order
                    : string.CompareOrdinal(a.Key, b.Key)
        );
        return writes;
    }
}

/// <summary>What the chain made of an execution.</summary>
/// <param name="Receipt">The receipt.</param>
/// <param name="Bytes">Those of it that are hashed.</param>
/// <param name="Link">The head of the receipts after it.</param>
/// <param name="Position">Entries of the ledger before it.</param>
/// <param name="Heads">The ledger's heads after each of its entries.</param>
/// <param name="Made">The leaves of keys that were not there before.</param>
internal sealed record AppliedExecution(
    Receipt Receipt,
    byte[] Bytes,
    Digest Link,
    long Position,
    Digest[] Heads,
    (long Leaf, string Contract, string Key)[] Made
);

/// <summary>What a store keeps in memory to go on from: the tree over the state, and the heads of the chains.</summary>
internal sealed class ChainState(StateTree tree, LedgerChain ledger, long number, Digest receipts)
{
    public StateTree Tree => tree;

    public LedgerChain Ledger => ledger;

    public long Number { get; private set; } = number;

    public Digest Receipts { get; private set; } = receipts;

    public ChainHead Head => new(Number, tree.Root, ledger.Count, ledger.Head, Receipts);

    /// <summary>Checks that each nonce is its caller's next, counting those of the same batch, and gives what is next afterwards.</summary>
    public static Dictionary<string, long> Nonces(IEnumerable<PreparedExecution> executions, Func<string, long> next)
    {
        Dictionary<string, long> nonces = new(StringComparer.Ordinal);
        foreach (ExecutionSummary summary in executions.Select(execution => execution.Summary))
        {
            if (summary.Nonce is { } nonce)
            {
                long expected = nonces.TryGetValue(summary.Caller, out long known) ? known : next(summary.Caller);
                nonces[summary.Caller] =
                    nonce == expected ? nonce + 1 : throw new NonceException(summary.Caller, nonce, expected);
            }
        }

        return nonces;
    }

    /// <summary>Goes on by some executions. Each is in the array as soon as it is done, for who waits for it on another thread.</summary>
    public void Apply(PreparedExecution[] executions, AppliedExecution?[] applied)
    {
        StateTree.Updated[] updated = tree.UpdateEach(
            Array.ConvertAll(
                executions,
                execution =>
                    Array.ConvertAll(
                        execution.Writes,
                        write => StateWrite.Put(write.Contract, write.Key, write.Constant)
                    )
            )
        );
        for (int i = 0; i < executions.Length; i++)
        {
            Volatile.Write(ref applied[i], Apply(executions[i], updated[i]));
        }
    }

    private AppliedExecution Apply(PreparedExecution execution, StateTree.Updated updated)
    {
        long position = ledger.Count;
        Digest[] heads = Array.ConvertAll(execution.Ledger, entry => ledger.Append(entry.Contract, entry.Constant));
        Receipt receipt = new(
            Number + 1,
            execution.Summary,
            execution.Events.Length,
            execution.EventsDigest(),
            execution.Audit.Length,
            execution.AuditDigest(),
            ledger.Count,
            ledger.Head,
            updated.Root
        );
        byte[] bytes = ReceiptForm.Encode(receipt, execution.Arguments, execution.Value);
        Number++;
        Receipts = ReceiptForm.Link(Receipts, bytes);
        return new AppliedExecution(
            receipt,
            bytes,
            Receipts,
            position,
            heads,
            Array.ConvertAll(
                updated.Made,
                made => (made.Leaf, execution.Writes[made.Write].Contract, execution.Writes[made.Write].Key)
            )
        );
    }
}
