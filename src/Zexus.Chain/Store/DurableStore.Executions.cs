using Microsoft.Data.Sqlite;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>
/// The table of executions: a row has the receipt, and what the execution appended to the ledger, emitted and logged. One row in one place costs a commit
/// a page, where a table for each would cost four.
/// </summary>
public sealed partial class DurableStore
{
    private readonly FieldWriter _fields = new();

    private void InsertState(long number, PreparedExecution[] executions)
    {
        Statement state = Fast(StateRow);
        foreach (PreparedExecution execution in executions)
        {
            number++;
            foreach ((string contract, string key, byte[] constant) in execution.Writes)
            {
                state.Bind(1, Utf8(contract)).Bind(2, Utf8(key)).Bind(3, number).Bind(4, constant).Run();
            }
        }
    }

    private void InsertExecutions(PreparedExecution[] executions, Func<int, AppliedExecution> applied)
    {
        Statement row = Fast("INSERT INTO execution VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
        for (int e = 0; e < executions.Length; e++)
        {
            AppliedExecution after = applied(e);
            PreparedExecution execution = executions[e];
            foreach ((long leaf, string contract, string key) in after.Made)
            {
                Fast(LeafRow).Bind(1, leaf).Bind(2, Utf8(contract)).Bind(3, Utf8(key)).Run();
            }

            row.Bind(1, after.Receipt.Number).Bind(2, after.Bytes).Bind(3, Bytes(after.Link));
            _fields.Clear();
            for (int i = 0; i < after.Heads.Length; i++)
            {
                _fields.Add(execution.Ledger[i].Contract);
                _fields.Add(execution.Ledger[i].Constant);
                _fields.Add(after.Heads[i]);
            }

            row.Bind(4, after.Receipt.LedgerCount).Bind(5, _fields.Written);
            _fields.Clear();
            foreach ((string contract, string name, byte[] payload) in execution.Events)
            {
                _fields.Add(contract);
                _fields.Add(name);
                _fields.Add(payload);
            }

            _events += execution.Events.Length;
            row.Bind(6, _events).Bind(7, _fields.Written);
            _fields.Clear();
            foreach ((string contract, byte[] entry) in execution.Audit)
            {
                _fields.Add(contract);
                _fields.Add(entry);
            }

            _audit += execution.Audit.Length;
            row.Bind(8, _audit).Bind(9, _fields.Written).Run();
        }
    }

    /// <inheritdoc/>
    public IEnumerable<Receipt> Receipts(long from = 1) =>
        Rows(
            "SELECT receipt FROM execution WHERE number >= ?1 ORDER BY number",
            from,
            row => DecodeReceipt(Blob(row, 0))
        );

    /// <inheritdoc/>
    public IEnumerable<LedgerEntry> Ledger(long from = 1) =>
        Entries("entries", "ledger", from, LedgerFields)
            .Select(entry => new LedgerEntry(
                entry.Position,
                entry.Number,
                entry.Of.Contract,
                DecodeData(entry.Of.Constant, $"ledger entry {entry.Position}"),
                DigestOf(entry.Of.Head, $"the head of ledger entry {entry.Position}")
            ));

    /// <inheritdoc/>
    public IEnumerable<StoredEvent> Events(long from = 1) =>
        Entries("emitted", "events", from, EventFields)
            .Select(entry => new StoredEvent(
                entry.Position,
                entry.Number,
                entry.Of.Contract,
                new EmittedEvent(entry.Of.Name, DecodeData(entry.Of.Payload, $"event {entry.Position}"))
                {
                    Contract = entry.Of.Contract,
                }
            ));

    /// <inheritdoc/>
    public IEnumerable<StoredAudit> Audit(long from = 1) =>
        Entries("logged", "audit", from, AuditFields)
            .Select(entry => new StoredAudit(
                entry.Position,
                entry.Number,
                entry.Of.Contract,
                DecodeAudit(entry.Of.Entry, entry.Position) with
                {
                    Contract = entry.Of.Contract,
                }
            ));

    private static (string Contract, byte[] Constant, byte[] Head) LedgerFields(FieldReader fields) =>
        (fields.Text(), fields.Bytes().ToArray(), fields.Bytes().ToArray());

    private static (string Contract, string Name, byte[] Payload) EventFields(FieldReader fields) =>
        (fields.Text(), fields.Text(), fields.Bytes().ToArray());

    private static (string Contract, byte[] Entry) AuditFields(FieldReader fields) =>
        (fields.Text(), fields.Bytes().ToArray());

    /// <summary>The entries of a kind from a position on, with their positions and the numbers of their executions.</summary>
    /// <param name="last">The column that has the position of an execution's last entry, or of the last one before it.</param>
    /// <param name="column">The column that has the entries.</param>
    /// <param name="from">The first position.</param>
    /// <param name="read">Reads one.</param>
    private IEnumerable<(long Position, long Number, T Of)> Entries<T>(
        string last,
        string column,
        long from,
        Func<FieldReader, T> read
    )
    {
        foreach (
            (long number, long end, byte[] bytes) in Rows(
                $"SELECT number, {last}, {column} FROM execution WHERE number >= ?1 ORDER BY number",
                ExecutionWith(last, from),
                row => (Integer(row, 0), Integer(row, 1), Blob(row, 2))
            )
        )
        {
            List<T> entries = Split(number, column, bytes, read);
            long position = end - entries.Count;
            foreach (T entry in entries)
            {
                if (++position >= from)
                {
                    yield return (position, number, entry);
                }
            }
        }
    }

    private List<T> Split<T>(long number, string column, byte[] bytes, Func<FieldReader, T> read)
    {
        List<T> entries = [];
        using FieldReader fields = new(bytes);
        try
        {
            while (!fields.IsAtEnd)
            {
                entries.Add(read(fields));
            }

            return entries;
        }
        catch (FormatException e)
        {
            throw Damaged($"column {column} of execution {number}: {e.Message}");
        }
    }

    /// <summary>The first execution by which there are so many entries; what the column says never falls.</summary>
    private long ExecutionWith(string column, long position)
    {
        long low = 1;
        long high = Head.Number + 1;
        while (low < high)
        {
            long middle = low + ((high - low) / 2);
            bool isBefore = Guard(
                "read",
                () => Scalar($"SELECT {column} FROM execution WHERE number = ?1", middle) < position
            );
            (low, high) = isBefore ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    /// <summary>An execution as it stands there.</summary>
    private sealed record StoredExecution(
        long Number,
        byte[] Receipt,
        byte[] Link,
        long Entries,
        byte[] Ledger,
        long Emitted,
        byte[] Events,
        long Logged,
        byte[] Audit
    );

    private IEnumerable<StoredExecution> Executions() =>
        Rows(
            """
            SELECT number, receipt, link, entries, ledger, emitted, events, logged, audit FROM execution
            WHERE number >= ?1 ORDER BY number
            """,
            long.MinValue,
            row => new StoredExecution(
                Integer(row, 0),
                Blob(row, 1),
                Blob(row, 2),
                Integer(row, 3),
                Blob(row, 4),
                Integer(row, 5),
                Blob(row, 6),
                Integer(row, 7),
                Blob(row, 8)
            )
        );

    private ChainHead ReadHead()
    {
        foreach (
            (byte[] bytes, byte[] link) in Query(
                "SELECT receipt, link FROM execution ORDER BY number DESC LIMIT 1",
                row => (Blob(row, 0), Blob(row, 1))
            )
        )
        {
            Receipt last = DecodeReceipt(bytes);
            return new(
                last.Number,
                last.StateRoot,
                last.LedgerCount,
                last.LedgerHead,
                DigestOf(link, $"the link of receipt {last.Number}")
            );
        }

        return new(0, Beginning(), 0, Digest.None, Digest.None);
    }
}
