namespace Zexus.Chain;

/// <summary>What <see cref="DurableStore.Verify"/> found.</summary>
/// <param name="Problem">The first thing wrong; null when all is right.</param>
/// <param name="Receipts">Receipts looked at.</param>
/// <param name="Entries">Ledger entries looked at.</param>
/// <param name="Keys">Keys looked at.</param>
public sealed record Verification(string? Problem, long Receipts, long Entries, long Keys);

/// <summary>Everything that the digests bind, computed again.</summary>
public sealed partial class DurableStore
{
    /// <summary>
    /// Computes again: the chain of receipts, the ledger's heads, the digests of events and of the audit log, the state root after each execution from the
    /// oldest that is kept, the tree that is kept, and the nonces. What it finds wrong is named by its place.
    /// </summary>
    /// <param name="progress">Receipts done, of how many.</param>
    /// <param name="cancellation">Ends it.</param>
    public Verification Verify(Action<long, long>? progress = null, CancellationToken cancellation = default)
    {
        ChainHead head = Head;
        long receipts = 0;
        long entries = 0;
        StateTree tree = new();
        try
        {
            string? problem = Guard("read", Integrity);
            return new Verification(problem ?? Guard("read", Replay), receipts, entries, tree.Count);
        }
        catch (StoreException e)
        {
            return new Verification(e.Message, receipts, entries, tree.Count);
        }

        string? Replay()
        {
            using IEnumerator<(long Number, StateWrite Write)> writes = Writes().GetEnumerator();
            LedgerChain chain = new();
            Dictionary<string, long> nonces = new(StringComparer.Ordinal);
            Digest link = Digest.None;
            long emitted = 0;
            long logged = 0;
            bool hasWrite = writes.MoveNext();
            ApplyWrites(0);
            if (_oldest == 0 && tree.Root != Beginning())
            {
                return $"the state at the beginning has the root {tree.Root}, and not {Beginning()}";
            }

            foreach (StoredExecution stored in Executions())
            {
                cancellation.ThrowIfCancellationRequested();
                receipts++;
                long number = stored.Number;
                Receipt receipt = DecodeReceipt(stored.Receipt);
                if (number != receipts || receipt.Number != receipts)
                {
                    return $"receipt {receipts} is missing";
                }

                link = ReceiptForm.Link(link, stored.Receipt);
                if (link != DigestOf(stored.Link, $"the link of receipt {number}"))
                {
                    return $"receipt {number}, or one before it, was changed: its link is not what its bytes give";
                }

                foreach (
                    (string contract, byte[] constant, byte[] entryHead) in Split(
                        number,
                        "ledger",
                        stored.Ledger,
                        LedgerFields
                    )
                )
                {
                    entries++;
                    if (
                        chain.Append(contract, constant)
                        != DigestOf(entryHead, $"the head of ledger entry {chain.Count}")
                    )
                    {
                        return $"ledger entry {entries} was changed: its head is not what it and the entries before it give";
                    }
                }

                if (chain.Count < receipt.LedgerCount)
                {
                    return $"ledger entry {chain.Count + 1} is missing";
                }

                if (chain.Count > receipt.LedgerCount || chain.Head != receipt.LedgerHead)
                {
                    return $"ledger entry {chain.Count} is not one that receipt {number} knows";
                }

                Digest digest = Digest.None;
                long before = emitted;
                foreach (
                    (string contract, string name, byte[] payload) in Split(
                        number,
                        "events",
                        stored.Events,
                        EventFields
                    )
                )
                {
                    emitted++;
                    digest = ReceiptForm.LinkEvent(digest, receipt.Summary.Contract, contract, name, payload);
                }

                if (emitted - before != receipt.Events || digest != receipt.EventsDigest)
                {
                    return $"the {emitted - before} events of execution {number} are not the {receipt.Events} that its receipt says";
                }

                digest = Digest.None;
                before = logged;
                foreach ((string contract, byte[] entry) in Split(number, "audit", stored.Audit, AuditFields))
                {
                    logged++;
                    digest = ReceiptForm.LinkAudit(digest, contract, entry);
                }

                if (logged - before != receipt.Audit || digest != receipt.AuditDigest)
                {
                    return $"the {logged - before} entries of the audit log of execution {number} are not the {receipt.Audit} that its receipt says";
                }

                if ((stored.Entries, stored.Emitted, stored.Logged) != (entries, emitted, logged))
                {
                    return $"execution {number} has it that with it there are {stored.Entries} ledger entries, {stored.Emitted} events and {stored.Logged} entries of the audit log, and not {entries}, {emitted} and {logged}";
                }

                ApplyWrites(number);
                if (number >= _oldest && tree.Root != receipt.StateRoot)
                {
                    return $"the state after execution {number} has the root {tree.Root}; its receipt says {receipt.StateRoot}";
                }

                if (receipt.Summary.Nonce is { } nonce)
                {
                    nonces[receipt.Summary.Caller] = nonce + 1;
                }

                progress?.Invoke(receipts, head.Number);
            }

            if (hasWrite)
            {
                return $"there is more than the receipts say: a write of execution {writes.Current.Number}";
            }

            foreach ((string caller, long next) in nonces)
            {
                if (NextNonce(caller) != next)
                {
                    return $"the next nonce of \"{caller}\" is {NextNonce(caller)}, and the receipts say {next}";
                }
            }

            if (Scalar("SELECT count(*) FROM nonce") != nonces.Count)
            {
                return "there are nonces of callers that no receipt has";
            }

            if (_oldest < 0 || _oldest > head.Number || Scalar("SELECT count(*) FROM chain") != 1)
            {
                return $"its table chain says that {_oldest} is the oldest state, and the last is {head.Number}";
            }

            return link != head.ReceiptHead || receipts != head.Number
                ? $"receipt {receipts} is not the last"
                : TreeProblem(head, tree);

            void ApplyWrites(long number)
            {
                List<StateWrite> batch = [];
                for (; hasWrite && writes.Current.Number <= number; hasWrite = writes.MoveNext())
                {
                    batch.Add(writes.Current.Write);
                }

                tree.Update([.. batch]);
            }
        }
    }

    /// <summary>What SQLite says of its own structures; null when they are sound.</summary>
    private string? Integrity()
    {
        using Microsoft.Data.Sqlite.SqliteCommand command = _connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check(1)";
        string answer = command.ExecuteScalar() as string ?? "";
        return answer == "ok" ? null : "the database is damaged: " + answer;
    }

    private IEnumerable<(long Number, StateWrite Write)> Writes() =>
        Rows(
            "SELECT number, contract, key, value FROM state WHERE number >= ?1 ORDER BY number",
            long.MinValue,
            row => (Integer(row, 0), StateWrite.Put(Text(Blob(row, 1)), Text(Blob(row, 2)), Blob(row, 3)))
        );
}
