using System.Buffers;
using Microsoft.Data.Sqlite;

namespace Zexus.Chain;

/// <summary>
/// The state tree in its table: pages as they were after some execution, and what was written since. So opening costs what was written since, and that
/// has a bound; a commit costs a row more.
/// </summary>
public sealed partial class DurableStore
{
    /// <summary>
    /// Keys written since the pages were: when there are so many, the pages are written with the next commit if they are few. The keys of a large state
    /// are in nearly as many pages, so there it is done after <see cref="MostBehind"/> times as many.
    /// </summary>
    internal int PagesAfter { get; set; } = 16_384;

    /// <summary>More would make pages still cheaper, and opening dearer: it reads what was written since.</summary>
    private const int MostBehind = 16;

    /// <summary>Pages are few when so many keys were written for each.</summary>
    private const int KeysPerPage = 16;

    /// <summary>When a store is closed, fewer than these are left for the next time.</summary>
    private const int PagesWhenClosed = 64;

    /// <summary>More pages are not written when a store is closed: they take seconds, and opening does not read them either.</summary>
    private const int MostPagesWhenClosed = 1024;

    /// <summary>When a tree is made, pages are written and forgotten once it has so many leaves in memory.</summary>
    private const int LeavesTogether = 65_536;

    /// <summary>Pages of the tree that were read so far.</summary>
    internal int PagesRead => Chain.Tree.PagesRead;

    /// <summary>Keys written since the pages were.</summary>
    private long _behind;

    /// <summary>What makes the tree of a directory's store again from its state; the rest stays as it is.</summary>
    /// <param name="directory">The store.</param>
    /// <param name="progress">Gets how many keys were read so far.</param>
    /// <param name="cancellation">Then nothing has changed.</param>
    /// <exception cref="StoreException">The state is not the one that the last receipt says, or the store cannot be opened or written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Rebuild(
        string directory,
        Action<long>? progress = null,
        CancellationToken cancellation = default
    )
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
                                store.WriteTree(progress, cancellation);
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

        StateTree tree = StateTree.InPages(
            RootAfter(number),
            ReadPage,
            Scalar("SELECT coalesce(max(leaf), 0) FROM leaf")
        );
        TreeLog log = new();
        foreach (
            (long written, byte[] leaves, byte[] tops) in Query(
                "SELECT number, leaves, tops FROM recent ORDER BY number",
                row => (Integer(row, 0), Blob(row, 1), Blob(row, 2))
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

    /// <summary>A commit may read several pages for each key.</summary>
    private byte[] ReadPage(long page) =>
        Fast("SELECT bytes FROM tree WHERE page = ?1").Bind(1, page).Blob()
        ?? throw new DamagedTreeException($"page {page:x} is not there");

    /// <summary>The pair of a leaf, which <see cref="StateTree.Prove(string, string, Func{Digest, long, StatePair})"/> compares with its digest.</summary>
    private StatePair PairOf(long leaf)
    {
        foreach (
            (string contract, string key) in Query("SELECT contract, key FROM leaf WHERE leaf = ?1", ReadKey, leaf)
        )
        {
            return Find(contract, key, long.MaxValue) is { } value
                ? new StatePair(contract, key, value)
                : throw Damaged(
                    $"leaf {leaf} of its tree is of the key \"{key}\" of \"{contract}\", which is not there",
                    TreeHint
                );
        }

        throw Damaged($"leaf {leaf} of its tree has no key", TreeHint);
    }

    private (string Contract, string Key) ReadKey(SqliteDataReader row) => (Text(Blob(row, 0)), Text(Blob(row, 1)));

    private Digest RootAfter(long number)
    {
        if (number == 0)
        {
            return Beginning();
        }

        byte[][] found = [.. Query("SELECT receipt FROM execution WHERE number = ?1", row => Blob(row, 0), number)];
        return found is [byte[] receipt]
            ? DecodeReceipt(receipt).StateRoot
            : throw Damaged($"receipt {number} is missing");
    }

    /// <summary>Part of a commit, after its executions: what they wrote, or, once that is much, the pages.</summary>
    private void KeepTree(ChainState chain)
    {
        (byte[] leaves, byte[] tops) = chain.Tree.TakeLog();
        _behind += leaves.Length / StateTree.LoggedSize;
        if (
            _behind >= PagesAfter
            && (chain.Tree.ChangedPages <= _behind / KeysPerPage || _behind >= MostBehind * PagesAfter)
        )
        {
            WritePages(chain.Tree, chain.Number);
        }
        else if (leaves.Length > 0)
        {
            Fast("INSERT INTO recent VALUES (?1, ?2, ?3)").Bind(1, chain.Number).Bind(2, leaves).Bind(3, tops).Run();
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
                Fast("INSERT INTO tree VALUES (?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2")
                    .Bind(1, page)
                    .Bind(2, bytes)
                    .Run();
            }
        }

        Run("DELETE FROM recent");
        Run("UPDATE chain SET tree = ?1", number);
        _behind = 0;
    }

    /// <summary>All pages anew, from the state.</summary>
    private void WriteTree(Action<long>? progress = null, CancellationToken cancellation = default)
    {
        using LeafSpool leaves = new(_directory);
        Run("DELETE FROM leaf");
        foreach ((byte[] contract, byte[] key, byte[] value) in Latest(long.MaxValue))
        {
            cancellation.ThrowIfCancellationRequested();
            (string owner, string text) = (Text(contract), Text(key));
            long leaf = leaves.Add(StateTree.PathOf(owner, text), CommitmentHash.Leaf(owner, text, value));
            Fast(LeafRow).Bind(1, leaf).Bind(2, contract).Bind(3, key).Run();
            progress?.Invoke(leaf);
        }

        ChainHead head = ReadHead();
        Run("DELETE FROM tree");
        Digest root = WriteTree(leaves, head.Number);
        if (root != head.StateRoot)
        {
            throw Damaged(
                $"its state has the root {root}, and "
                    + (head.Number == 0 ? "began with" : $"receipt {head.Number} says")
                    + $" {head.StateRoot}"
            );
        }
    }

    /// <summary>Pages of a tree of these leaves, a part of which is in memory at a time, and its root.</summary>
    private Digest WriteTree(LeafSpool leaves, long number)
    {
        StateTree tree = StateTree.InPages();
        for (int part = 0; part < LeafSpool.Parts; part++)
        {
            tree.Add(leaves.Take(part));
            if (tree.Count >= LeavesTogether)
            {
                WritePages(tree, number);
                tree = StateTree.InPages(tree.Root, ReadPage, leaves.Count);
            }
        }

        WritePages(tree, number);
        return tree.Root;
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
            return pages != kept.PagesRead
                ? $"the tree has {kept.PagesRead} pages, and {pages} are kept"
                : LeafProblem(kept);
        }
        catch (DamagedTreeException e)
        {
            return "the tree that is kept is damaged: " + e.Message;
        }
    }

    private string? LeafProblem(StateTree tree)
    {
        long count = 0;
        foreach (
            (long leaf, string contract, string key) in Rows(
                "SELECT contract, key, leaf FROM leaf WHERE leaf >= ?1",
                long.MinValue,
                row => (Integer(row, 2), ReadKey(row).Contract, ReadKey(row).Key)
            )
        )
        {
            count++;
            if (tree.LeafOf(contract, key) != leaf)
            {
                return $"leaf {leaf} of the tree is not that of the key \"{key}\" of \"{contract}\", as is kept";
            }
        }

        return count == tree.Count ? null : $"the tree has {tree.Count} leaves, and the keys of {count} are kept";
    }

    private const string TreeHint =
        "The tree is made again by './zexus state rebuild', if the state itself is sound; otherwise go back to a copy or a snapshot.";
}
