using System.Buffers;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Zexus.Chain;

/// <summary>
/// The state tree in its table: pages as they were after some execution, and what was written since. So opening costs what was written since, and that
/// has a bound; a commit costs a row more.
/// </summary>
public sealed partial class DurableStore
{
    /// <summary>
    /// Keys written since the pages were: when there are so many, the pages are written with the next commit if they are few. The keys of a large state
    /// are in nearly as many pages, so there it is done after eight times as many.
    /// </summary>
    internal int PagesAfter { get; set; } = 16_384;

    /// <summary>Pages are few when so many keys were written for each.</summary>
    private const int KeysPerPage = 16;

    /// <summary>When a store is closed, fewer than these are left for the next time.</summary>
    private const int PagesWhenClosed = 64;

    /// <summary>More pages are not written when a store is closed: they take seconds, and opening does not read them either.</summary>
    private const int MostPagesWhenClosed = 1024;

    /// <summary>Pages of the tree that were read so far.</summary>
    internal int PagesRead => Chain.Tree.PagesRead;

    /// <summary>Keys written since the pages were.</summary>
    private long _behind;

    private sqlite3_stmt? _pageStatement;

    /// <summary>What makes the tree of a directory's store again from its state; the rest stays as it is.</summary>
    /// <exception cref="StoreException">The state is not the one that the last receipt says, or the store cannot be opened or written.</exception>
    public static void Rebuild(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        Check(directory);
        Open(
                directory,
                store =>
                    store.Guard(
                        "write",
                        () =>
                            store.InTransaction(() =>
                            {
                                store.WriteTree();
                                return true;
                            })
                    )
            )
            .Dispose();
    }

    private StateTree ReadTree(ChainHead head)
    {
        long number = Scalar("SELECT tree FROM chain");
        if (number < 0 || number > head.Number)
        {
            throw Damaged($"its tree is of execution {number}, and the last is {head.Number}", TreeHint);
        }

        StateTree tree = StateTree.InPages(RootAfter(number), ReadPage);
        TreeLog log = new();
        foreach (
            (long written, byte[] leaves, byte[] tops) in Query(
                "SELECT number, leaves, tops FROM recent ORDER BY number",
                row => (row.GetInt64(0), Blob(row, 1), Blob(row, 2))
            )
        )
        {
            if (written <= number || written > head.Number)
            {
                throw Damaged($"execution {written} is not one that was written after its tree", TreeHint);
            }

            log.Add(leaves, tops);
        }

        _behind = log.Count;
        tree.Replay(log);
        return tree.Root == head.StateRoot
            ? tree
            : throw Damaged(
                $"its tree has the root {tree.Root}, and "
                    + (head.Number == 0 ? "began with" : $"receipt {head.Number} says")
                    + $" {head.StateRoot}",
                TreeHint
            );
    }

    /// <summary>
    /// By SQLite's own interface, since a commit may read several pages for each key: it costs half. Another thread may be using the connection, which
    /// has a lock of its own.
    /// </summary>
    private byte[] ReadPage(long page)
    {
        if (_pageStatement is null)
        {
            Checked(
                raw.sqlite3_prepare_v2(_connection.Handle, "SELECT bytes FROM tree WHERE page = ?1", out _pageStatement)
            );
        }

        try
        {
            Checked(raw.sqlite3_bind_int64(_pageStatement, 1, page));
            int result = raw.sqlite3_step(_pageStatement);
            return result switch
            {
                raw.SQLITE_ROW => raw.sqlite3_column_blob(_pageStatement, 0).ToArray(),
                raw.SQLITE_DONE => throw new DamagedTreeException($"page {page:x} is not there"),
                _ => throw Failed(result),
            };
        }
        finally
        {
            _ = raw.sqlite3_reset(_pageStatement);
        }
    }

    private void Checked(int result)
    {
        if (result != raw.SQLITE_OK)
        {
            throw Failed(result);
        }
    }

    private SqliteException Failed(int result) =>
        new(raw.sqlite3_errmsg(_connection.Handle).utf8_to_string(), result & 0xFF, result);

    private Digest RootAfter(long number)
    {
        if (number == 0)
        {
            return Beginning();
        }

        byte[][] found = [.. Query("SELECT bytes FROM receipt WHERE number = ?1", row => Blob(row, 0), number)];
        return found is [byte[] receipt]
            ? DecodeReceipt(receipt).StateRoot
            : throw Damaged($"receipt {number} is missing");
    }

    /// <summary>Part of a commit, after its executions: what they wrote, or, once that is much, the pages.</summary>
    private void KeepTree(ChainState chain)
    {
        (byte[] leaves, byte[] tops) = chain.Tree.TakeLog();
        _behind += leaves.Length / StateTree.LoggedSize;
        if (_behind >= PagesAfter && (chain.Tree.ChangedPages <= _behind / KeysPerPage || _behind >= 8 * PagesAfter))
        {
            WritePages(chain.Tree, chain.Number);
        }
        else if (leaves.Length > 0)
        {
            Run("INSERT INTO recent VALUES (?1, ?2, ?3)", chain.Number, leaves, tops);
        }
    }

    private void WritePages(StateTree tree, long number)
    {
        foreach ((long page, byte[]? bytes) in tree.TakeChangedPages())
        {
            if (bytes is null)
            {
                Run("DELETE FROM tree WHERE page = ?1", page);
            }
            else
            {
                Run("INSERT INTO tree VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2", page, bytes);
            }
        }

        Run("DELETE FROM recent");
        Run("UPDATE chain SET tree = ?1", number);
        _behind = 0;
    }

    /// <summary>All pages anew, from the state.</summary>
    private void WriteTree()
    {
        const int together = 4096;
        StateTree tree = StateTree.InPages();
        List<StateWrite> batch = new(together);
        foreach ((byte[] contract, byte[] key, byte[] value) in Latest(long.MaxValue))
        {
            batch.Add(StateWrite.Put(Text(contract), Text(key), value));
            if (batch.Count == together)
            {
                Write();
            }
        }

        Write();
        ChainHead head = ReadHead();
        if (tree.Root != head.StateRoot)
        {
            throw Damaged(
                $"its state has the root {tree.Root}, and "
                    + (head.Number == 0 ? "began with" : $"receipt {head.Number} says")
                    + $" {head.StateRoot}"
            );
        }

        Run("DELETE FROM tree");
        WritePages(tree, head.Number);

        void Write()
        {
            tree.Update([.. batch]);
            _ = tree.TakeLog();
            batch.Clear();
        }
    }

    /// <summary>The next opening has less to catch up with, unless that would take long. Nothing is lost when it cannot be done.</summary>
    private void KeepTreeWhenClosed()
    {
        if (
            _chain is not { Tree.IsWaiting: false, Tree.ChangedPages: <= MostPagesWhenClosed } chain
            || _behind < PagesWhenClosed
        )
        {
            return;
        }

        try
        {
            InTransaction(() =>
            {
                WritePages(chain.Tree, chain.Number);
                return true;
            });
        }
        catch (Exception e) when (e is SqliteException or DamagedTreeException)
        {
            // What was written since is in the table of what was recent still.
        }
    }

    /// <summary>Null when what is kept of the tree is that of the state.</summary>
    private string? TreeProblem(ChainHead head, StateTree computed)
    {
        try
        {
            StateTree kept = ReadTree(head);
            if (kept.Difference(computed) is { } difference)
            {
                return $"the tree that is kept is not that of the state: {difference}";
            }

            long pages = Scalar("SELECT count(*) FROM tree");
            return pages == kept.PagesRead ? null : $"the tree has {kept.PagesRead} pages, and {pages} are kept";
        }
        catch (DamagedTreeException e)
        {
            return "the tree that is kept is damaged: " + e.Message;
        }
    }

    private const string TreeHint =
        "The tree is made again by './zexus state rebuild', if the state itself is sound; otherwise go back to a copy or a snapshot.";
}
