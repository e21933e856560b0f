using System.Text;
using Microsoft.Data.Sqlite;
using Zexus.Isa;
using Zexus.Vm;
using DataForm = Zexus.Isa.DataForm;

namespace Zexus.Chain;

/// <summary>Statements, and what their errors mean.</summary>
public sealed partial class DurableStore
{
    private static readonly UTF8Encoding StrictUtf8 = new(
        encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true
    );

    private T InTransaction<T>(Func<T> body)
    {
        _measured = null;
        Fast("BEGIN IMMEDIATE").Run();
        try
        {
            T result = body();
            Fast("COMMIT").Run();
            return result;
        }
        catch
        {
            try
            {
                Run("ROLLBACK");
            }
            catch (SqliteException)
            {
                // Some errors have rolled it back already.
            }

            throw;
        }
    }

    /// <summary>The log has so many pages before they are brought into the database: for tests, other than usually.</summary>
    internal void LogPages(int pages) => Execute($"PRAGMA wal_autocheckpoint = {pages}");

    /// <summary>The database may have so many pages, and at least those that it has: a full disk, for tests.</summary>
    internal void LimitPages(long pages) => Execute($"PRAGMA max_page_count = {pages}");

    /// <summary>The database refuses to write, as one on a medium that can only be read: for tests.</summary>
    internal void ForbidWrites(bool isForbidden) => Execute($"PRAGMA query_only = {(isForbidden ? 1 : 0)}");

    private void Execute(string sql)
    {
        using SqliteCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        _ = command.ExecuteNonQuery();
    }

    private void Run(string sql, params ReadOnlySpan<object> parameters) =>
        _ = Prepared(sql, parameters).ExecuteNonQuery();

    /// <summary>A statement that commits run again and again.</summary>
    private Statement Fast(string sql) =>
        _statements.TryGetValue(sql, out Statement? statement)
            ? statement
            : _statements.GetOrAdd(sql, new Statement(_connection.Handle!, sql));

    /// <summary>The first number of the first row; 0 when there is none.</summary>
    private long Scalar(string sql, params ReadOnlySpan<object> parameters) =>
        Prepared(sql, parameters).ExecuteScalar() switch
        {
            null => 0,
            long number => number,
            _ => throw Damaged($"what \"{sql}\" finds is no integer"),
        };

    /// <summary>A statement's rows. Another query with the same text must not begin before this one ends.</summary>
    private IEnumerable<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params object[] parameters)
    {
        using SqliteDataReader reader = Prepared(sql, parameters).ExecuteReader();
        while (reader.Read())
        {
            yield return read(reader);
        }
    }

    /// <summary>As <see cref="Query"/> for who goes on as he likes: a statement of its own, and errors that say what they mean.</summary>
    /// <param name="sql">The query.</param>
    /// <param name="bound">Its parameter.</param>
    /// <param name="read">Reads a row.</param>
    private IEnumerable<T> Rows<T>(string sql, long bound, Func<SqliteDataReader, T> read)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        using SqliteCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        Bind(command, [bound]);
        using SqliteDataReader reader = Guard("read", command.ExecuteReader);
        while (Guard("read", Read))
        {
            yield return Guard("read", () => read(reader));
        }

        bool Read()
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return reader.Read();
        }
    }

    private SqliteCommand Prepared(string sql, ReadOnlySpan<object> parameters)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_commands.TryGetValue(sql, out SqliteCommand? command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            Bind(command, parameters);
            command.Prepare();
            _commands.Add(sql, command);
            return command;
        }

        for (int i = 0; i < parameters.Length; i++)
        {
            command.Parameters[i].Value = parameters[i];
        }

        return command;
    }

    private static void Bind(SqliteCommand command, ReadOnlySpan<object> parameters)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            command.Parameters.Add(new SqliteParameter($"?{i + 1}", parameters[i]));
        }
    }

    /// <summary>Does something with the database; its errors become those of the store.</summary>
    private T Guard<T>(string what, Func<T> body)
    {
        try
        {
            return body();
        }
        catch (SqliteException e)
        {
            throw Explained(what, e);
        }
        catch (DamagedTreeException e)
        {
            // What there is of it in memory may be half of a change.
            _chain = null;
            throw Damaged("of its tree, " + e.Message, TreeHint);
        }
    }

    private StoreException Explained(string what, SqliteException e) =>
        e.SqliteErrorCode switch
        {
            SQLitePCL.raw.SQLITE_FULL => new StoreException(
                $"cannot {what} {_directory}: the disk is full",
                "What was committed before is there; make room and try again.",
                e
            ),
            SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB => new StoreException(
                $"{_directory} is damaged: {e.Message}",
                "Go back to a copy, or to a snapshot that 'state export' wrote.",
                e
            ),
            SQLitePCL.raw.SQLITE_READONLY or SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_PERM =>
                new StoreException(
                    $"cannot {what} {_directory}: {e.Message}",
                    "A store is opened by who may write its directory and files.",
                    e
                ),
            SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED => new StoreException(
                $"{_directory} is in use by another process",
                "One process at a time has a store open; wait until that one has ended.",
                e
            ),
            _ => new StoreException(
                $"cannot {what} {_directory}: {e.Message}",
                "What was committed before is there.",
                e
            ),
        };

    private StoreException Damaged(
        string what,
        string hint = "Go back to a copy, or to a snapshot that 'state export' wrote."
    ) => new($"{_directory} is damaged: {what}", hint);

    private Receipt DecodeReceipt(byte[] bytes)
    {
        try
        {
            return ReceiptForm.Decode(bytes);
        }
        catch (FormatException e)
        {
            throw Damaged(e.Message);
        }
    }

    private AuditEntry DecodeAudit(byte[] bytes, long position)
    {
        try
        {
            return ReceiptForm.DecodeAudit(bytes);
        }
        catch (FormatException e)
        {
            throw Damaged($"entry {position} of the audit log: {e.Message}");
        }
    }

    private Data DecodeData(byte[] bytes, string what)
    {
        try
        {
            return DataForm.Decode(bytes);
        }
        catch (ContainerException e)
        {
            throw Damaged($"{what} is no plain data: {e.Message}");
        }
    }

    private Digest DigestOf(byte[] bytes, string what) =>
        bytes.Length == Digest.Size ? new Digest(bytes) : throw Damaged($"{what} has not {Digest.Size} bytes");

    private string Text(byte[] utf8)
    {
        try
        {
            return StrictUtf8.GetString(utf8);
        }
        catch (DecoderFallbackException)
        {
            throw Damaged("a name or key is no UTF-8");
        }
    }

    private static byte[] Utf8(string text)
    {
        try
        {
            return StrictUtf8.GetBytes(text);
        }
        catch (EncoderFallbackException e)
        {
            throw new ArgumentException("a text has half of a surrogate pair", nameof(text), e);
        }
    }

    private byte[] Blob(SqliteDataReader row, int column) =>
        row.GetValue(column) as byte[] ?? throw Damaged($"column {row.GetName(column)} is no blob");

    /// <summary>A column may have what is no integer, and SQLite itself would take it for some number.</summary>
    private long Integer(SqliteDataReader row, int column) =>
        row.GetValue(column) is long number ? number : throw Damaged($"column {row.GetName(column)} is no integer");

    private static byte[] Bytes(Digest digest)
    {
        byte[] bytes = new byte[Digest.Size];
        digest.CopyTo(bytes);
        return bytes;
    }
}
