using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Zexus.Chain;

/// <summary>
/// A statement of a commit, by SQLite's own interface: what lies between costs as much as a row. A connection that another thread may be using has a lock
/// of its own; a statement belongs to one thread at a time.
/// </summary>
internal sealed class Statement : IDisposable
{
    private readonly sqlite3_stmt _statement;

    public Statement(sqlite3 connection, string sql)
    {
        int result = raw.sqlite3_prepare_v2(connection, sql, out _statement);
        if (result != raw.SQLITE_OK)
        {
            // Says which table or column it has not.
            throw new SqliteException(raw.sqlite3_errmsg(connection).utf8_to_string(), result & 0xFF, result);
        }
    }

    public Statement Bind(int parameter, long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, parameter, value));
        return this;
    }

    /// <summary>A copy of the bytes.</summary>
    public Statement Bind(int parameter, ReadOnlySpan<byte> value)
    {
        // An empty span has no address, which would be NULL.
        Check(
            value.IsEmpty
                ? raw.sqlite3_bind_zeroblob(_statement, parameter, 0)
                : raw.sqlite3_bind_blob(_statement, parameter, value)
        );
        return this;
    }

    /// <summary>Does what has no rows.</summary>
    public void Run()
    {
        // What went wrong is told again by the reset.
        _ = raw.sqlite3_step(_statement);
        Check(raw.sqlite3_reset(_statement));
    }

    /// <summary>The first column of the first row, a blob; null when there is no row.</summary>
    public byte[]? Blob()
    {
        try
        {
            int result = raw.sqlite3_step(_statement);
            return result switch
            {
                raw.SQLITE_ROW => raw.sqlite3_column_blob(_statement, 0).ToArray(),
                raw.SQLITE_DONE => null,
                _ => throw Failed(result),
            };
        }
        finally
        {
            _ = raw.sqlite3_reset(_statement);
        }
    }

    public void Dispose() => _statement.Dispose();

    private void Check(int result)
    {
        if (result != raw.SQLITE_OK)
        {
            throw Failed(result);
        }
    }

    /// <summary>The connection's own message may be that of another thread's statement.</summary>
    private static SqliteException Failed(int result) =>
        new(raw.sqlite3_errstr(result).utf8_to_string(), result & 0xFF, result);
}
