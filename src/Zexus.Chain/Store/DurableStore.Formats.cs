using Microsoft.Data.Sqlite;

namespace Zexus.Chain;

/// <summary>What becomes of stores of earlier formats: docs/store.md.</summary>
public sealed partial class DurableStore
{
    /// <summary>Leaves have numbers since then: pages before have not.</summary>
    private const int FirstWithLeaves = 5;

    /// <summary>Since then what an execution left is in one row.</summary>
    private const int FirstWithExecutions = 6;

    /// <summary>What makes a store of an earlier format one of the next: its version, and statements.</summary>
    private static readonly (long From, string Statements)[] Migrations =
    [
        // The audit log of executions before was not kept; their receipts say nothing of it.
        (
            1,
            "CREATE TABLE audit (position INTEGER PRIMARY KEY, number INTEGER NOT NULL, contract BLOB NOT NULL, entry BLOB NOT NULL)"
        ),
        (
            2,
            """
            CREATE TABLE tree (page INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
            CREATE TABLE recent (number INTEGER PRIMARY KEY, leaves BLOB NOT NULL);
            ALTER TABLE chain ADD COLUMN tree INTEGER NOT NULL DEFAULT 0;
            """
        ),
        (3, "ALTER TABLE recent ADD COLUMN tops BLOB NOT NULL DEFAULT x''"),
        (4, "CREATE TABLE leaf (leaf INTEGER PRIMARY KEY, contract BLOB NOT NULL, key BLOB NOT NULL)"),
        (
            5,
            """
            CREATE TABLE execution (number INTEGER PRIMARY KEY, receipt BLOB NOT NULL, link BLOB NOT NULL,
                entries INTEGER NOT NULL, ledger BLOB NOT NULL, emitted INTEGER NOT NULL, events BLOB NOT NULL,
                logged INTEGER NOT NULL, audit BLOB NOT NULL)
            """
        ),
    ];

    private bool Migrate(long version)
    {
        foreach ((_, string statements) in Migrations.SkipWhile(migration => migration.From < version))
        {
            Execute(statements);
        }

        if (version < FirstWithExecutions)
        {
            JoinExecutions();
        }

        if (version < FirstWithLeaves)
        {
            WriteTree();
        }

        Execute($"PRAGMA user_version = {FormatVersion}");
        return true;
    }

    /// <summary>Receipts, ledger, events and audit log had tables of their own.</summary>
    private void JoinExecutions()
    {
        string? left;
        using (OldRows ledger = new(this, "SELECT number, contract, entry, head FROM ledger ORDER BY position"))
        using (OldRows events = new(this, "SELECT number, contract, name, payload FROM event ORDER BY position"))
        using (OldRows audit = new(this, "SELECT number, contract, entry FROM audit ORDER BY position"))
        {
            long number = 0;
            foreach (
                (byte[] receipt, byte[] link, long stored) in Query(
                    "SELECT bytes, link, number FROM receipt ORDER BY number",
                    row => (Blob(row, 0), Blob(row, 1), Integer(row, 2))
                )
            )
            {
                if (stored != ++number)
                {
                    throw Damaged($"receipt {number} is missing");
                }

                Fast("INSERT INTO execution VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
                    .Bind(1, number)
                    .Bind(2, receipt)
                    .Bind(3, link)
                    .Bind(5, ledger.Of(number))
                    .Bind(4, ledger.Count)
                    .Bind(7, events.Of(number))
                    .Bind(6, events.Count)
                    .Bind(9, audit.Of(number))
                    .Bind(8, audit.Count)
                    .Run();
            }

            left =
                ledger.HasMore ? $"ledger entry {ledger.Count + 1}"
                : events.HasMore ? $"event {events.Count + 1}"
                : audit.HasMore ? $"entry {audit.Count + 1} of the audit log"
                : null;
        }

        if (left is not null)
        {
            throw Damaged($"{left} is not of an execution that has a receipt, in the order of receipts");
        }

        Execute("DROP TABLE ledger; DROP TABLE event; DROP TABLE audit; DROP TABLE receipt");
    }

    /// <summary>The rows of such a table, in the order of their executions.</summary>
    private sealed class OldRows : IDisposable
    {
        private readonly SqliteCommand _command;
        private readonly SqliteDataReader _rows;
        private readonly FieldWriter _fields = new();
        private readonly DurableStore _store;

        public OldRows(DurableStore store, string sql)
        {
            _store = store;
            _command = store._connection.CreateCommand();
            _command.CommandText = sql;
            _rows = _command.ExecuteReader();
            HasMore = _rows.Read();
        }

        /// <summary>Rows that were given.</summary>
        public long Count { get; private set; }

        public bool HasMore { get; private set; }

        /// <summary>The columns behind the first of all rows of an execution, until the next are asked for.</summary>
        public ReadOnlySpan<byte> Of(long number)
        {
            _fields.Clear();
            for (; HasMore && _store.Integer(_rows, 0) == number; HasMore = _rows.Read())
            {
                Count++;
                for (int column = 1; column < _rows.FieldCount; column++)
                {
                    _fields.Add(_store.Blob(_rows, column));
                }
            }

            return _fields.Written;
        }

        public void Dispose()
        {
            _rows.Dispose();
            _command.Dispose();
        }
    }
}
