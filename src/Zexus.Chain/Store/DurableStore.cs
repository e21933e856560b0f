using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Microsoft.Data.Sqlite;
using Zexus.Isa;
using Zexus.Vm;
using DataForm = Zexus.Isa.DataForm;

namespace Zexus.Chain;

/// <summary>
/// A store in a directory: an SQLite database with a write-ahead log that is synced at each commit (docs/store.md). Opening it
/// costs the same whatever the size of its state.
/// </summary>
public sealed partial class DurableStore : IStateStore
{
    /// <summary>Of the tables and of what is in them. A store of a later one is refused.</summary>
    public const int FormatVersion = 6;

    /// <summary>In a block of so many executions, hashing is worth a thread of its own.</summary>
    private const int WorthThread = 8;

    /// <summary>How often another thread's next execution is looked for, the processor given away in between, before all of them are waited for.</summary>
    private const int MostSpins = 40;

    /// <summary>Of the database, in memory: what is above the rows of a large state, and the rows that are written again and again.</summary>
    internal const int CacheKibibytes = 32 * 1024;

    /// <summary>
    /// Pages in the log before they are brought into the database: one that is written again until then is brought there once. Of four kibibytes, they are
    /// what is read again by who opens a store after a crash.
    /// </summary>
    internal const int UsualLoggedPages = 4000;

    /// <summary>Locked while the store is open; its bytes are the number of the last execution that was acknowledged.</summary>
    private const string LockFile = "lock";
    private const string DatabaseFile = "chain.db";

    // What .NET says of a file that another process has locked: EWOULDBLOCK, and ERROR_SHARING_VIOLATION.
    private const int LockedOnLinux = 11;
    private const int LockedOnMac = 35;
    private const int LockedOnWindows = unchecked((int)0x80070020);

    /// <summary>"Zexu", in the header of the database.</summary>
    private const int ApplicationId = 0x5A657875;

    private const string Tables = """
        CREATE TABLE state (contract BLOB NOT NULL, key BLOB NOT NULL, number INTEGER NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (contract, key, number)) WITHOUT ROWID;
        CREATE TABLE execution (number INTEGER PRIMARY KEY, receipt BLOB NOT NULL, link BLOB NOT NULL,
            entries INTEGER NOT NULL, ledger BLOB NOT NULL, emitted INTEGER NOT NULL, events BLOB NOT NULL,
            logged INTEGER NOT NULL, audit BLOB NOT NULL);
        CREATE TABLE nonce (caller BLOB PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE chain (oldest INTEGER NOT NULL, beginning BLOB NOT NULL, tree INTEGER NOT NULL);
        CREATE TABLE tree (page INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
        CREATE TABLE recent (number INTEGER PRIMARY KEY, leaves BLOB NOT NULL, tops BLOB NOT NULL);
        CREATE TABLE leaf (leaf INTEGER PRIMARY KEY, contract BLOB NOT NULL, key BLOB NOT NULL);
        """;

    private const string StateRow = "INSERT INTO state VALUES (?1, ?2, ?3, ?4)";
    private const string LeafRow = "INSERT INTO leaf VALUES (?1, ?2, ?3)";

    private readonly string _directory;
    private readonly FileStream _lock;
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = [];
    private readonly ConcurrentDictionary<string, Statement> _statements = [];
    private ChainState? _chain;

    /// <summary>What was measured last, and may be read next; without a form when nothing is there.</summary>
    private (string Contract, string Key, byte[]? Form)? _measured;

    private long _events;
    private long _audit;
    private long _oldest;
    private bool _disposed;

    private DurableStore(string directory, FileStream locked, SqliteConnection connection)
    {
        _directory = directory;
        _lock = locked;
        _connection = connection;
    }

    /// <inheritdoc/>
    public ChainHead Head => Chain.Head;

    /// <inheritdoc/>
    public long Oldest
    {
        get
        {
            _ = Chain;
            return _oldest;
        }
    }

    /// <summary>What is kept in memory; read again after a commit that failed.</summary>
    private ChainState Chain
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _chain ??= Guard("read", Load);
        }
    }

    /// <summary>A new store, in a directory that is not there or is empty, with a state at its beginning.</summary>
    /// <param name="directory">Where it is to be.</param>
    /// <param name="state">Read once, and not kept: a state may be larger than memory.</param>
    /// <param name="root">That the state is to have; any when not given.</param>
    /// <exception cref="StoreException">There is something in the directory, or it cannot be written.</exception>
    /// <exception cref="ArgumentException">
    /// A key stands there twice, something is no plain data, or the state has another root; as after whatever else ends its making, nothing is
    /// left in the directory.
    /// </exception>
    public static DurableStore Create(string directory, IEnumerable<StatePair>? state = null, Digest? root = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        bool wasThere = Directory.Exists(directory);
        try
        {
            Directory.CreateDirectory(directory);
            if (Directory.EnumerateFileSystemEntries(directory).Any())
            {
                throw new StoreException(
                    $"{directory} is not empty, so no store can begin there",
                    "Name a directory that is not there yet."
                );
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{directory} cannot be made a store: {e.Message}", "", e);
        }

        return Open(
            directory,
            store => store.Initialize(state ?? [], root),
            () => Remove(directory, keepsDirectory: wasThere)
        );
    }

    /// <summary>Takes away what was begun. What cannot be deleted is refused as no whole store later.</summary>
    private static void Remove(string directory, bool keepsDirectory)
    {
        try
        {
            foreach (string file in (string[])[DatabaseFile, DatabaseFile + "-wal", LockFile])
            {
                File.Delete(Path.Combine(directory, file));
            }

            if (!keepsDirectory)
            {
                Directory.Delete(directory);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    /// <summary>The store of a directory.</summary>
    /// <exception cref="StoreException">There is none, another process has it open, it is damaged, or it is of a later version.</exception>
    public static DurableStore Open(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        Check(directory);
        return Open(directory, null);
    }

    private static void Check(string directory)
    {
        if (!File.Exists(Path.Combine(directory, DatabaseFile)))
        {
            throw new StoreException(
                Directory.Exists(directory) ? $"{directory} has no store" : $"there is no directory {directory}",
                $"'./zexus state new {directory}' makes one."
            );
        }
    }

    /// <param name="directory">Where it is.</param>
    /// <param name="initialize">Makes a new one.</param>
    /// <param name="remove">What takes it away when it cannot be opened.</param>
    private static DurableStore Open(string directory, Action<DurableStore>? initialize, Action? remove = null)
    {
        FileStream locked = Lock(directory);
        SqliteConnection connection = new(
            new SqliteConnectionStringBuilder
            {
                DataSource = Path.Combine(directory, DatabaseFile),
                Pooling = false,
            }.ToString()
        );
        DurableStore store = new(directory, locked, connection);
        try
        {
            if (initialize is not null)
            {
                store.TakeRoom();
            }

            store.Guard("open", store.Connect);
            bool isNew = store.Guard("open", store.IsWithoutTables);
            if (initialize is not null)
            {
                initialize(store);
            }
            else if (isNew)
            {
                throw store.Acknowledged() > 0
                    ? store.Damaged($"it is empty, and {store.Acknowledged()} executions were acknowledged")
                    : new StoreException(
                        $"{directory} is no whole store: what made it was ended before it was done",
                        "Delete the directory and make the store again."
                    );
            }

            _ = store.Chain;
            return store;
        }
        catch
        {
            store.Dispose();
            remove?.Invoke();
            throw;
        }
    }

    private static FileStream Lock(string directory)
    {
        string path = Path.Combine(directory, LockFile);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult is LockedOnLinux or LockedOnMac or LockedOnWindows)
        {
            throw new StoreException(
                $"{directory} is in use by another process",
                "One process at a time has a store open; wait until that one has ended.",
                e
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException(
                $"{path} cannot be written: {e.Message}",
                "A store is opened by who may write it.",
                e
            );
        }
    }

    /// <summary>For the number of what was acknowledged, so that the first commit does not find that there is none on the disk.</summary>
    private void TakeRoom()
    {
        try
        {
            Note(0);
        }
        catch (IOException e)
        {
            throw new StoreException($"{_directory} cannot be made a store: {e.Message}", "", e);
        }
    }

    private bool Connect()
    {
        _connection.Open();
        // This process alone has it, so the index of the log needs no shared memory.
        Execute("PRAGMA locking_mode = EXCLUSIVE");
        Execute("PRAGMA journal_mode = WAL");
        Execute("PRAGMA synchronous = FULL");
        // What is not plain corruption must not pass for data.
        Execute("PRAGMA cell_size_check = ON");
        Execute($"PRAGMA cache_size = -{CacheKibibytes}");
        LogPages(UsualLoggedPages);
        return true;
    }

    private bool IsWithoutTables()
    {
        if (Scalar("SELECT count(*) FROM sqlite_schema") == 0)
        {
            return true;
        }

        long application = Scalar("PRAGMA application_id");
        long version = Scalar("PRAGMA user_version");
        if (application != ApplicationId)
        {
            throw new StoreException($"{Path.Combine(_directory, DatabaseFile)} is a database, but no store");
        }

        if (version is < 1 or > FormatVersion)
        {
            throw new StoreException(
                $"{_directory} is a store of format {version}; this program knows {FormatVersion}",
                version > FormatVersion ? "A later version of this program can open it." : ""
            );
        }

        if (version < FormatVersion)
        {
            InTransaction(() => Migrate(version));
        }

        return false;
    }

    private void Initialize(IEnumerable<StatePair> state, Digest? wanted)
    {
        using LeafSpool leaves = new(_directory);
        Guard(
            "make",
            () =>
                InTransaction(() =>
                {
                    Execute(Tables);
                    Execute($"PRAGMA application_id = {ApplicationId}");
                    Execute($"PRAGMA user_version = {FormatVersion}");
                    Run("INSERT INTO chain VALUES (0, ?1, 0)", Bytes(Digest.None));
                    foreach (StatePair pair in state)
                    {
                        byte[] constant = Constants.Encode(pair.Value);
                        long leaf = leaves.Add(
                            StateTree.PathOf(pair.Contract, pair.Key),
                            CommitmentHash.Leaf(pair.Contract, pair.Key, constant)
                        );
                        byte[] contract = Utf8(pair.Contract);
                        byte[] key = Utf8(pair.Key);
                        Put(pair, contract, key, constant);
                        Fast(LeafRow).Bind(1, leaf).Bind(2, contract).Bind(3, key).Run();
                    }

                    Digest root = WriteTree(leaves, 0);
                    Run("UPDATE chain SET beginning = ?1", Bytes(root));
                    return wanted is null || root == wanted
                        ? true
                        : throw new ArgumentException($"its keys have the root {root}, and it should be {wanted}");
                })
        );
    }

    private void Put(StatePair pair, byte[] contract, byte[] key, byte[] constant)
    {
        try
        {
            Fast(StateRow).Bind(1, contract).Bind(2, key).Bind(3, 0).Bind(4, constant).Run();
        }
        catch (SqliteException e) when (e.SqliteErrorCode == SQLitePCL.raw.SQLITE_CONSTRAINT)
        {
            throw new ArgumentException($"the key \"{pair.Key}\" of \"{pair.Contract}\" stands there twice", e);
        }
    }

    /// <inheritdoc/>
    public bool TryRead(string contract, string key, [MaybeNullWhen(false)] out Data value)
    {
        value = Guard("read", () => Find(contract, key, long.MaxValue));
        return value is not null;
    }

    /// <inheritdoc/>
    public DataSize Measure(string contract, string key, long most) =>
        Guard("read", () => MeasureForm(contract, key, most));

    /// <inheritdoc/>
    public bool TryRead(string contract, string key, long number, [MaybeNullWhen(false)] out Data value)
    {
        StoreRules.CheckNumber(number, this);
        value = Guard("read", () => Find(contract, key, number));
        return value is not null;
    }

    /// <inheritdoc/>
    public long NextNonce(string caller) =>
        Guard("read", () => Scalar("SELECT next FROM nonce WHERE caller = ?1", Utf8(caller)));

    /// <inheritdoc/>
    public IReadOnlyList<Receipt> Commit(params IReadOnlyList<ExecutionRecord> executions)
    {
        ArgumentNullException.ThrowIfNull(executions);
        ExecutionRecord.CheckSizes(executions);
        PreparedExecution[] prepared = [.. executions.Select(PreparedExecution.Of)];
        Dictionary<string, long> nonces = ChainState.Nonces(prepared, NextNonce);
        ChainState chain = Chain;
        long events = _events;
        long audit = _audit;
        try
        {
            List<Receipt> receipts = Guard("write", () => InTransaction(() => Store(chain, prepared, nonces)));
            Acknowledge(chain.Number);
            return receipts;
        }
        catch
        {
            // The tree has gone on and the disk has not.
            _chain = null;
            _events = events;
            _audit = audit;
            throw;
        }
    }

    private List<Receipt> Store(ChainState chain, PreparedExecution[] executions, Dictionary<string, long> nonces)
    {
        AppliedExecution?[] applied = new AppliedExecution?[executions.Length];
        if (executions.Length < WorthThread)
        {
            InsertState(chain.Number, executions);
            chain.Apply(executions, applied);
            InsertExecutions(executions, i => applied[i]!);
        }
        else
        {
            // What is hashed, while the database takes the rows that have no digests, and then what is done of the others.
            chain.Tree.ReadAhead(
                executions.SelectMany(execution => execution.Writes, (_, write) => (write.Contract, write.Key))
            );
            long before = chain.Number;
            BesideWork beside = new(() => chain.Apply(executions, applied));
            bool isMine = false;
            try
            {
                InsertState(before, executions);
                isMine = beside.TryTakeBack();
                if (isMine)
                {
                    chain.Apply(executions, applied);
                }

                InsertExecutions(executions, i => Applied(applied, i, beside));
            }
            finally
            {
                // Nothing of a commit goes on after it.
                if (!isMine && !beside.TryTakeBack())
                {
                    beside.WaitForEnd();
                }
            }
        }

        foreach ((string caller, long next) in nonces)
        {
            Fast("INSERT INTO nonce VALUES (?1, ?2) ON CONFLICT DO UPDATE SET next = ?2")
                .Bind(1, Utf8(caller))
                .Bind(2, next)
                .Run();
        }

        KeepTree(chain);
        return [.. applied.Select(after => after!.Receipt)];
    }

    /// <summary>What another thread is making, when it is there.</summary>
    private static AppliedExecution Applied(AppliedExecution?[] applied, int i, BesideWork beside)
    {
        SpinWait spin = new();
        while (spin.Count < MostSpins)
        {
            if (Volatile.Read(ref applied[i]) is { } there)
            {
                return there;
            }

            // Without sleeping, which takes longer than a hundred executions.
            spin.SpinOnce(sleep1Threshold: -1);
        }

        beside.Wait();
        return applied[i]!;
    }

    /// <inheritdoc/>
    public IEnumerable<StatePair> State() =>
        Latest(long.MaxValue)
            .Select(row => new StatePair(
                Text(row.Contract),
                Text(row.Key),
                DecodeData(row.Value, $"the key \"{Text(row.Key)}\" of \"{Text(row.Contract)}\"")
            ));

    /// <inheritdoc/>
    public StateProof Prove(string contract, string key)
    {
        try
        {
            return Guard("read", () => Chain.Tree.Prove(contract, key, (_, leaf) => PairOf(leaf)));
        }
        catch (InvalidOperationException e) when (e is not ObjectDisposedException)
        {
            throw Damaged(e.Message);
        }
    }

    /// <inheritdoc/>
    public void Prune(long number)
    {
        StoreRules.CheckNumber(number, this);
        Guard(
            "write",
            () =>
                InTransaction(() =>
                {
                    Run(
                        """
                        DELETE FROM state WHERE number < ?1 AND EXISTS (SELECT 1 FROM state AS later
                            WHERE later.contract = state.contract AND later.key = state.key
                            AND later.number > state.number AND later.number <= ?1)
                        """,
                        number
                    );
                    Run("UPDATE chain SET oldest = ?1", number);
                    return true;
                })
        );
        _oldest = number;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        KeepTreeWhenClosed();
        _disposed = true;
        _measured = null;
        foreach (Statement statement in _statements.Values)
        {
            statement.Dispose();
        }

        foreach (SqliteCommand command in _commands.Values)
        {
            command.Dispose();
        }

        _connection.Dispose();
        _lock.Dispose();
    }

    private ChainState Load()
    {
        _events = Scalar("SELECT emitted FROM execution ORDER BY number DESC LIMIT 1");
        _audit = Scalar("SELECT logged FROM execution ORDER BY number DESC LIMIT 1");
        _oldest = Scalar("SELECT oldest FROM chain");
        ChainHead head = ReadHead();
        if (head.Number < Acknowledged())
        {
            throw Damaged(
                $"it has {head.Number} executions, and {Acknowledged()} were acknowledged, so its log was damaged",
                $"If an older {DatabaseFile} was put back, delete the file {LockFile} beside it."
            );
        }

        StateTree tree = ReadTree(head);
        return new ChainState(tree, new LedgerChain(head.LedgerHead, head.LedgerCount), head.Number, head.ReceiptHead);
    }

    /// <summary>
    /// A log that ends early looks like one whose last transactions were never written, and SQLite goes on from there. So what has been
    /// acknowledged is noted beside it: not synced, and so never ahead of the log, whatever of it gets to the disk. Without room for it, an older one
    /// stays, and the commit is one all the same.
    /// </summary>
    private void Acknowledge(long number)
    {
        try
        {
            Note(number);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    private void Note(long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        RandomAccess.Write(_lock.SafeFileHandle, bytes, 0);
    }

    private long Acknowledged()
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        return RandomAccess.Read(_lock.SafeFileHandle, bytes, 0) == bytes.Length
            ? BinaryPrimitives.ReadInt64LittleEndian(bytes)
            : 0;
    }

    private Digest Beginning()
    {
        byte[][] found = [.. Query("SELECT beginning FROM chain", row => Blob(row, 0))];
        return found is [byte[] only]
            ? DigestOf(only, "the root at its beginning")
            : throw Damaged("its table chain has not one row");
    }

    private Data? Find(string contract, string key, long number)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        byte[]? form =
            number == long.MaxValue && _measured is { } last && last.Contract == contract && last.Key == key
                ? last.Form
                : FormOf(contract, key, number, long.MaxValue).Form;
        _measured = null;
        return form is null ? null : DecodeData(form, $"the key \"{key}\" of \"{contract}\"");
    }

    private DataSize MeasureForm(string contract, string key, long most)
    {
        _measured = null;
        (bool isThere, byte[]? form) = FormOf(contract, key, long.MaxValue, DataForm.MostBytes(most));
        if (isThere && form is null)
        {
            return new DataSize(most + 1, memory: 0);
        }

        DataSize size = form is null ? default : DataForm.Measure(form, most);
        _measured = size.Weight > most ? null : (contract, key, form);
        return size;
    }

    /// <summary>Whether a key holds a value, and its form unless that has more bytes.</summary>
    private (bool IsThere, byte[]? Form) FormOf(string contract, string key, long number, long mostBytes)
    {
        foreach (
            byte[]? form in Query(
                """
                SELECT CASE WHEN length(value) <= ?4 THEN value END AS value, length(value) > ?4 AS length
                FROM state WHERE contract = ?1 AND key = ?2 AND number <= ?3 ORDER BY number DESC LIMIT 1
                """,
                row => Integer(row, 1) != 0 ? null : Blob(row, 0),
                Utf8(contract),
                Utf8(key),
                number,
                mostBytes
            )
        )
        {
            return (true, form);
        }

        return (false, null);
    }

    /// <summary>Each key with what it held after an execution, in the order of contract and key.</summary>
    private IEnumerable<(byte[] Contract, byte[] Key, byte[] Value)> Latest(long number)
    {
        (byte[] Contract, byte[] Key, byte[] Value)? last = null;
        foreach (
            (byte[] contract, byte[] key, byte[] value) in Rows(
                "SELECT contract, key, value FROM state WHERE number <= ?1 ORDER BY contract, key, number",
                number,
                row => (Blob(row, 0), Blob(row, 1), Blob(row, 2))
            )
        )
        {
            if (
                last is { } before
                && !(before.Key.AsSpan().SequenceEqual(key) && before.Contract.AsSpan().SequenceEqual(contract))
            )
            {
                yield return before;
            }

            last = (contract, key, value);
        }

        if (last is { } end)
        {
            yield return end;
        }
    }
}
