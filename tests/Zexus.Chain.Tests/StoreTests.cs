using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using FsCheck.Xunit;
using Microsoft.Data.Sqlite;
using Xunit;
using Zexus.Crashes;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain.Tests;

/// <summary>Both stores beside a plain model; and what the durable one refuses, survives and finds.</summary>
public sealed class StoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zexus-store-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Folder(string name = "store") => Path.Combine(_folder, name);

    /// <summary>Where a record has it, and whether as a million scalars 70 times: one String in memory, 70 MB when it is written out.</summary>
    public static TheoryData<string> Places =>
        ["arguments", "value", "writes", "called", "ledger", "events", "names of events", "audit"];

    [Theory]
    [MemberData(nameof(Places))]
    public void A_record_that_is_too_large_is_refused_and_leaves_nothing(string place)
    {
        using MemoryStore memory = new();
        using DurableStore durable = DurableStore.Create(Folder());
        foreach (IStateStore store in (IStateStore[])[memory, durable])
        {
            _ = store.Commit(Record(place, 3));
            ChainHead head = store.Head;
            Assert.Throws<RecordTooLargeException>(() => store.Commit(Record(place, 1), Record(place, 70)));
            PendingBlock block = new(store);
            block.Add(Record(place, 1));
            Assert.Throws<RecordTooLargeException>(() => block.Add(Record(place, 70)));
            Assert.Equal(head, store.Head);
            Assert.Single(block.Commit());
            block.Add(Record(place, 1));
            block.Clear();
            Assert.Empty(block.Commit());
            Assert.Equal(head.Number + 1, store.Head.Number);
        }

        static ExecutionRecord Record(string place, int times)
        {
            Data text = Data.NewString(new string('x', 1_000_000));
            Data large = Data.NewList([.. Enumerable.Repeat(text, times)]);
            ExecutionSummary summary = new()
            {
                Contract = "c",
                GasLimit = 1,
                GasUsed = 1,
            };
            Dictionary<string, Data> written = new() { ["k"] = large };
            ExecutionRecord record = new() { Summary = summary };
            return place switch
            {
                "arguments" => record with { Summary = summary with { Arguments = [large] } },
                "value" => record with { Summary = summary with { Value = large } },
                "writes" => record with { Writes = written },
                "called" => record with
                {
                    CalledWrites = new Dictionary<string, IReadOnlyDictionary<string, Data>> { ["d"] = written },
                },
                "ledger" => record with { Ledger = [new AppendedEntry("c", large)] },
                // Of three bytes a character.
                "names of events" => record with
                {
                    Events =
                    [
                        .. Enumerable.Repeat(
                            new EmittedEvent(new string('\u4e2d', 340_000), Data.Null) { Contract = "c" },
                            times
                        ),
                    ],
                },
                "events" => record with { Events = [new EmittedEvent("e", large) { Contract = "c" }] },
                _ => record with { Audit = [new AuditEntry(large, text, 0) { Contract = "c" }] },
            };
        }
    }

    [Fact]
    public void Executions_that_are_too_large_together_are_refused_and_the_block_goes_on()
    {
        using MemoryStore memory = new();
        using DurableStore durable = DurableStore.Create(Folder());
        Data large = Data.NewString(new string('x', 60_000_000));
        ExecutionRecord record = new()
        {
            Summary = new()
            {
                Contract = "c",
                GasLimit = 1,
                GasUsed = 1,
                Value = large,
            },
        };
        foreach (IStateStore store in (IStateStore[])[memory, durable])
        {
            Assert.Throws<RecordTooLargeException>(() => store.Commit([.. Enumerable.Repeat(record, 5)]));
            Assert.Equal(0, store.Head.Number);
            PendingBlock block = new(store);
            for (int i = 0; i < 4; i++)
            {
                block.Add(record);
            }

            Assert.Throws<RecordTooLargeException>(() => block.Add(record));
            Assert.Equal(4, block.Commit().Count);
            block.Add(record);
            Assert.Single(block.Commit());
        }
    }

    /// <summary>Entries that the engine has as bytes are not made objects of to find that they are too many.</summary>
    [Fact]
    public void A_log_that_is_too_large_is_refused_before_it_is_read()
    {
        AssemblyResult assembly = Assembler.Assemble(
            """
            .func main() locals i
                STORE_CONST i, 0
            again:
                LOAD_CONST true
                BUILD_LIST 1
                LOAD_CONST 1000000
                MUL
                LOAD_CONST "kept"
                AUDIT_LOG
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 70
                LT
                JUMP_IF_TRUE again
            .end
            """,
            "test"
        );
        using Vm.Vm vm = new(new VmOptions { Contract = "c", GasLimit = 1_000_000_000 });
        ExecutionResult result = vm.Execute(ZexusProgram.Load(assembly.Program));
        Assert.Null(result.Fault);
        ExecutionSummary summary = new()
        {
            Contract = "c",
            GasLimit = 1,
            GasUsed = 1,
        };
        ExecutionRecord record = ExecutionRecord.Of(summary, result);
        using MemoryStore store = new();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<RecordTooLargeException>(() => store.Commit(record));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [SeededProperty(60)]
    public void Both_do_what_the_model_does(int seed)
    {
        Random random = new(seed);
        string folder = Folder($"{seed}-{Guid.NewGuid():N}");
        Model model = new();
        using MemoryStore memory = new();
        DurableStore durable = DurableStore.Create(folder);
        try
        {
            List<Dictionary<(string, string), Data>> states =
            [
                [],
            ];
            for (int round = random.Next(1, 8); round > 0; round--)
            {
                ExecutionRecord[] batch =
                [
                    .. Enumerable.Range(1, random.Next(1, 13)).Select(i => Workload.Execution(model.Number + i)),
                ];
                IReadOnlyList<Receipt> inMemory = memory.Commit(batch);
                IReadOnlyList<Receipt> onDisk = durable.Commit(batch);
                Assert.Equal(inMemory.Select(Shown), onDisk.Select(Shown));
                for (int i = 0; i < batch.Length; i++)
                {
                    model.AdvanceTo(model.Number + 1);
                    states.Add(new(model.State));
                }

                if (random.Next(3) == 0)
                {
                    durable.Dispose();
                    durable = DurableStore.Open(folder);
                }

                if (random.Next(4) == 0)
                {
                    long oldest = random.NextInt64(memory.Oldest, memory.Head.Number + 1);
                    memory.Prune(oldest);
                    durable.Prune(oldest);
                }

                Assert.Null(model.Difference(memory));
                Assert.Null(model.Difference(durable));
                Assert.Equal(memory.Head, durable.Head);
                Assert.Equal(memory.Oldest, durable.Oldest);
            }

            foreach (IStateStore store in (IStateStore[])[memory, durable])
            {
                for (long number = store.Oldest; number <= store.Head.Number; number++)
                {
                    foreach ((string contract, string key) in model.State.Keys)
                    {
                        bool isThere = store.TryRead(contract, key, number, out Data? value);
                        Assert.Equal(states[(int)number].TryGetValue((contract, key), out Data? expected), isThere);
                        Assert.Equal(expected, value);
                    }
                }

                Assert.Throws<StoreException>(() => store.TryRead("", "", store.Head.Number + 1, out _));
                Assert.Throws<StoreException>(() => store.TryRead("", "", store.Oldest - 1, out _));
                IEnumerable<(string, string)> never = Enumerable.Range(0, 20).Select(i => ("", $"never {i}"));
                foreach ((string contract, string key) in model.State.Keys.Concat(never))
                {
                    StateVerdict verdict = store.Prove(contract, key).Check(store.Head.StateRoot, contract, key);
                    Assert.Equal(
                        model.State.TryGetValue((contract, key), out Data? value)
                            ? new StateVerdict.Holds(value)
                            : new StateVerdict.Absent(),
                        verdict
                    );
                }
            }

            Verification verification = durable.Verify();
            Assert.Null(verification.Problem);
            Assert.Equal(
                (model.Number, durable.Head.LedgerCount, (long)model.State.Count),
                (verification.Receipts, verification.Entries, verification.Keys)
            );

            // What one has is the beginning of others, with the same root.
            using DurableStore copy = DurableStore.Create(folder + "-copy", durable.State());
            Assert.Equal(durable.Head.StateRoot, copy.Head.StateRoot);
            Assert.Null(copy.Verify().Problem);
            Assert.Equal(copy.Head, new MemoryStore(memory.State()).Head);
        }
        finally
        {
            durable.Dispose();
        }
    }

    private static string Shown(Receipt receipt) => Convert.ToHexString(ReceiptForm.Encode(receipt));

    /// <summary>What a store has to make it tells the size of first, and of what is too large no more than that.</summary>
    [Fact]
    public void A_value_is_measured_before_it_is_made()
    {
        Data text = Data.NewString(new string('x', 8_000));
        Data list = Data.NewList([text, text]);
        using DurableStore durable = DurableStore.Create(Folder(), [new StatePair("c", "list", list)]);
        using IStateStore memory = new MemoryStore([new StatePair("c", "list", list)]);
        foreach (string key in (string[])["list", "missing"])
        {
            Assert.Equal(default, memory.Measure("c", key, 0));
        }

        PendingBlock block = new(durable);
        foreach (
            Func<string, long, DataSize> measure in (Func<string, long, DataSize>[])
                [
                    (key, most) => durable.Measure("c", key, most),
                    new ContractState(durable, "c").Measure,
                    block.Of("c").Measure,
                ]
        )
        {
            DataSize size = measure("list", 2_002);
            Assert.Equal(2_002, size.Weight);
            Assert.InRange(size.Memory, 32_000, 33_000);
            Assert.Equal(size, measure("list", long.MaxValue));
            // Enough for its bytes, not for its weight; then not for its bytes.
            Assert.InRange(measure("list", 2_001).Weight, 2_002, long.MaxValue);
            Assert.InRange(measure("list", 500).Weight, 501, long.MaxValue);
            Assert.Equal(new DataSize(101, 0), measure("list", 100));
            Assert.Equal(default, measure("missing", 100));
            Assert.Equal(default, measure("missing", 0));
        }

        // What was measured is not what is read when it is another, or has changed since.
        _ = durable.Measure("c", "missing", 100);
        Assert.True(durable.TryRead("c", "list", out Data? found));
        Assert.Equal(list, found);
        _ = durable.Measure("c", "list", 10_000);
        Assert.False(durable.TryRead("d", "list", out _));
        _ = durable.Measure("c", "list", 10_000);
        _ = durable.Commit(Writing("list", Data.Null));
        Assert.True(durable.TryRead("c", "list", out found));
        Assert.Equal(Data.Null, found);
        _ = durable.Measure("c", "list", 10_000);
        Assert.True(durable.TryRead("c", "list", 0, out found));
        Assert.Equal(list, found);
        block.Add(Writing("list", list));
        Assert.Equal(default, block.Of("c").Measure("list", 0));
        _ = durable.Measure("c", "list", 10_000);
        durable.Dispose();
        Assert.Throws<ObjectDisposedException>(() => durable.TryRead("c", "list", out _));

        static ExecutionRecord Writing(string key, Data value) =>
            new()
            {
                Summary = new()
                {
                    Contract = "c",
                    GasLimit = 1,
                    GasUsed = 1,
                },
                Writes = new Dictionary<string, Data> { [key] = value },
            };
    }

    [Fact]
    public void A_batch_is_there_as_a_whole_or_not_at_all()
    {
        foreach (IStateStore store in (IStateStore[])[new MemoryStore(), DurableStore.Create(Folder())])
        {
            using (store)
            {
                store.Commit(Workload.Execution(1));
                ChainHead before = store.Head;
                NonceException replay = Assert.Throws<NonceException>(() =>
                    store.Commit(Workload.Execution(2), Workload.Execution(1))
                );
                Assert.Equal("nonce 0 of caller \"caller 0\" has been used; the next is 1", replay.Message);
                Assert.Contains(
                    "is not next; 2 is",
                    Assert
                        .Throws<NonceException>(() => store.Commit(Workload.Execution(4), Workload.Execution(10)))
                        .Message,
                    StringComparison.Ordinal
                );
                ExecutionRecord next = Workload.Execution(2);
                Assert.Throws<ArgumentException>(() =>
                    store.Commit(
                        next,
                        Workload.Execution(3) with
                        {
                            Ledger = [new AppendedEntry("token", Data.NewString("\ud800"))],
                        }
                    )
                );
                Assert.Throws<ArgumentException>(() =>
                    store.Commit(
                        next,
                        Workload.Execution(3) with
                        {
                            Summary = Workload.Execution(3).Summary with { Caller = "\ud800" },
                        }
                    )
                );
                Assert.Equal(before, store.Head);
                store.Commit(next, Workload.Execution(3));
                Model model = new();
                model.AdvanceTo(3);
                Assert.Null(model.Difference(store));
            }
        }
    }

    /// <summary>In a block whose trees are hashed on a thread of their own, too.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void A_full_disk_loses_nothing_that_was_acknowledged(int block)
    {
        using DurableStore store = DurableStore.Create(Folder());
        Model model = new();
        model.AdvanceTo(20);
        for (long i = 1; i <= 20; i++)
        {
            store.Commit(Workload.Execution(i));
        }

        store.LimitPages(1);
        ExecutionRecord large = Workload.Execution(21) with
        {
            Ledger = [new AppendedEntry("token", Data.NewString(new string('x', 1_000_000)))],
        };
        ExecutionRecord[] more =
        [
            large,
            .. Enumerable.Range(22, block - 1).Select(number => Workload.Execution(number)),
        ];
        StoreException full = Assert.Throws<StoreException>(() => store.Commit(more));
        Assert.Equal($"cannot write {Folder()}: the disk is full", full.Message);
        Assert.Null(model.Difference(store));
        Assert.Null(store.Verify().Problem);
        store.LimitPages(1_000_000);
        more[0] = Workload.Execution(21);
        store.Commit(more);
        model.AdvanceTo(20 + block);
        Assert.Null(model.Difference(store));
    }

    /// <summary>Permissions mean nothing to root, whom tests may run as: the database itself refuses to write.</summary>
    [Fact]
    public void A_database_that_cannot_be_written_loses_nothing_and_says_so()
    {
        using DurableStore store = DurableStore.Create(Folder());
        Model model = new();
        model.AdvanceTo(20);
        for (long i = 1; i <= 20; i++)
        {
            store.Commit(Workload.Execution(i));
        }

        store.ForbidWrites(true);
        foreach (
            Action write in (Action[])
                [
                    () => store.Commit(Workload.Execution(21)),
                    () => store.Commit([.. Enumerable.Range(21, 20).Select(i => Workload.Execution(i))]),
                    () => store.Prune(3),
                ]
        )
        {
            StoreException refused = Assert.Throws<StoreException>(write);
            Assert.StartsWith($"cannot write {Folder()}: ", refused.Message, StringComparison.Ordinal);
            Assert.Contains("readonly database", refused.Message, StringComparison.Ordinal);
            Assert.Equal("A store is opened by who may write its directory and files.", refused.Hint);
            Assert.Equal((20, 0), (store.Head.Number, store.Oldest));
            Assert.Null(model.Difference(store));
            Assert.Null(store.Verify().Problem);
        }

        store.ForbidWrites(false);
        store.Commit(Workload.Execution(21));
        model.AdvanceTo(21);
        Assert.Null(model.Difference(store));
    }

    /// <summary>The note of what was acknowledged has no room, and the commit that it is of is on the disk.</summary>
    [Fact]
    public void A_commit_that_cannot_be_noted_is_one_all_the_same()
    {
        Model model = Filled(3);
        string note = Path.Combine(Folder(), "lock");
        File.Delete(note);
        File.CreateSymbolicLink(note, "/dev/full");
        using (DurableStore store = DurableStore.Open(Folder()))
        {
            store.Commit(Workload.Execution(4));
            model.AdvanceTo(4);
            Assert.Null(model.Difference(store));
        }

        File.Delete(note);
        using DurableStore later = DurableStore.Open(Folder());
        Assert.Null(model.Difference(later));
        Assert.Null(later.Verify().Problem);
    }

    /// <summary>Where not even root can write.</summary>
    [Fact]
    public void A_directory_that_cannot_be_written_says_so()
    {
        File.WriteAllText(Folder("file"), "mine");
        foreach (string directory in (string[])["/proc/store", Folder("file"), Path.Combine(Folder("file"), "store")])
        {
            Assert.StartsWith(
                $"{directory} cannot be made a store: ",
                Assert.Throws<StoreException>(() => DurableStore.Create(directory)).Message,
                StringComparison.Ordinal
            );
        }

        Assert.Equal("mine", File.ReadAllText(Folder("file")));
        _ = Filled(3);
        File.Delete(Path.Combine(Folder(), "lock"));
        Directory.CreateDirectory(Path.Combine(Folder(), "lock"));
        StoreException noLock = Assert.Throws<StoreException>(() => DurableStore.Open(Folder()));
        Assert.StartsWith(
            $"{Path.Combine(Folder(), "lock")} cannot be written: ",
            noLock.Message,
            StringComparison.Ordinal
        );
        Directory.Delete(Path.Combine(Folder(), "lock"));
        File.CreateSymbolicLink(Path.Combine(Folder(), "lock"), Folder("nowhere/lock"));
        Assert.StartsWith(
            $"{Path.Combine(Folder(), "lock")} cannot be written: ",
            Assert.Throws<StoreException>(() => DurableStore.Open(Folder())).Message,
            StringComparison.Ordinal
        );
        File.Delete(Path.Combine(Folder(), "lock"));
        using DurableStore again = DurableStore.Open(Folder());
        Assert.Equal(3, again.Head.Number);
    }

    [Fact]
    public void Only_one_at_a_time_has_it_open()
    {
        using (DurableStore first = DurableStore.Create(Folder()))
        {
            StoreException second = Assert.Throws<StoreException>(() => DurableStore.Open(Folder()));
            Assert.Equal($"{Folder()} is in use by another process", second.Message);
            // By the lock at once, and not by the database, which would try for half a minute.
            Assert.IsType<IOException>(second.InnerException);
            first.Commit(Workload.Execution(1));
        }

        using DurableStore later = DurableStore.Open(Folder());
        Assert.Equal(1, later.Head.Number);
    }

    [Fact]
    public void What_is_no_store_is_refused_by_name()
    {
        Assert.Contains("there is no directory", Message(() => DurableStore.Open(Folder())), StringComparison.Ordinal);
        Directory.CreateDirectory(Folder());
        Assert.Contains("has no store", Message(() => DurableStore.Open(Folder())), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(Folder(), "notes.txt"), "mine");
        Assert.Contains("is not empty", Message(() => DurableStore.Create(Folder())), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(Folder(), "chain.db"), new string('x', 9000));
        Assert.Contains("is damaged: ", Message(() => DurableStore.Open(Folder())), StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Folder(), "notes.txt")));

        File.Delete(Path.Combine(Folder(), "chain.db"));
        Change(Folder(), "CREATE TABLE other (x)");
        Assert.Contains(
            "is a database, but no store",
            Message(() => DurableStore.Open(Folder())),
            StringComparison.Ordinal
        );

        DurableStore.Create(Folder("new")).Dispose();
        Change(Folder("new"), $"PRAGMA user_version = {DurableStore.FormatVersion + 1}");
        Assert.Contains(
            $"is a store of format {DurableStore.FormatVersion + 1}; this program knows {DurableStore.FormatVersion}",
            Message(() => DurableStore.Open(Folder("new"))),
            StringComparison.Ordinal
        );

        static string Message(Action action) => Assert.Throws<StoreException>(action).Message;
    }

    /// <summary>
    /// Executions of the workload: in format 1, when the audit log was not kept; in format 2, before the tree had pages; in formats 3 to 5, twenty of them
    /// since its pages were written.
    /// </summary>
    [Theory]
    [InlineData(1, 21)]
    [InlineData(2, 30)]
    [InlineData(3, 80)]
    [InlineData(4, 80)]
    [InlineData(5, 80)]
    public void A_store_of_an_earlier_format_goes_on_in_the_present_one(int format, int executions)
    {
        Unpack($"format-{format}.db.gz");
        Model model = new(format, earlier: executions);
        model.AdvanceTo(executions);
        using (DurableStore store = DurableStore.Open(Folder()))
        {
            Assert.Null(store.Verify().Problem);
            Assert.Null(model.Difference(store));
            store.Commit(Workload.Execution(executions + 1), Workload.Execution(executions + 2));
        }

        Assert.Equal(Tables(), TablesOf(Folder()));

        model.AdvanceTo(executions + 2);
        using DurableStore later = DurableStore.Open(Folder());
        Assert.Null(later.Verify().Problem);
        Assert.Null(model.Difference(later));
        Assert.NotEmpty(later.Audit());
    }

    [Theory]
    [InlineData("DELETE FROM receipt WHERE number = 80", "ledger entry 91 is not of an execution that has a receipt")]
    [InlineData("DELETE FROM receipt WHERE number = 7", "receipt 7 is missing")]
    [InlineData(
        "UPDATE event SET number = 2 WHERE position = 91",
        "event 91 is not of an execution that has a receipt"
    )]
    [InlineData(
        "UPDATE audit SET number = 2 WHERE position = 100",
        "entry 100 of the audit log is not of an execution"
    )]
    [InlineData("UPDATE ledger SET number = number + 0.5 WHERE position = 20", "column number is no integer")]
    [InlineData(
        "UPDATE event SET number = CAST(CAST(number AS TEXT) AS BLOB) WHERE position = 20",
        "column number is no integer"
    )]
    public void A_store_of_an_earlier_format_that_was_changed_stays_as_it_is(string change, string problem)
    {
        Unpack("format-5.db.gz");
        Change(Folder(), change);
        for (int i = 0; i < 2; i++)
        {
            Assert.Contains(
                problem,
                Assert.Throws<StoreException>(() => DurableStore.Open(Folder())).Message,
                StringComparison.Ordinal
            );
        }
    }

    /// <summary>Those of a store that begins in the present format.</summary>
    private string[] Tables()
    {
        DurableStore.Create(Folder("tables")).Dispose();
        return TablesOf(Folder("tables"));
    }

    private static string[] TablesOf(string folder)
    {
        using SqliteConnection connection = Connected(folder);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText =
            "SELECT name || ': ' || (SELECT group_concat(name) FROM pragma_table_info(sqlite_schema.name)) FROM sqlite_schema ORDER BY 1";
        using SqliteDataReader reader = command.ExecuteReader();
        List<string> tables = [];
        while (reader.Read())
        {
            tables.Add(reader.GetString(0));
        }

        return [.. tables];
    }

    private void Unpack(string name)
    {
        Directory.CreateDirectory(Folder());
        using FileStream kept = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "stores", name));
        using GZipStream unpacked = new(kept, CompressionMode.Decompress);
        using FileStream database = File.Create(Path.Combine(Folder(), "chain.db"));
        unpacked.CopyTo(database);
    }

    /// <summary>What a key held before it was written again: the state as it is now does not show it.</summary>
    private const string Superseded =
        "EXISTS (SELECT 1 FROM state AS later WHERE later.contract = state.contract AND later.key = state.key"
        + " AND later.number > state.number)";

    private const string AuditOf = "entries of the audit log of execution ";
    private const string LedgerOf4 = "ledger entry 4 was changed";

    /// <summary>What is done to what was stored, and what is found to be wrong.</summary>
    public static TheoryData<string, Action<string>, string> Changes =>
        new()
        {
            { "an entry", Ledger(all => all[3].Fields[1] = [0]), LedgerOf4 },
            { "its head", Ledger(all => all[3].Fields[2] = new byte[32]), LedgerOf4 },
            {
                "a head that is too short",
                Ledger(all => all[3].Fields[2] = [1]),
                "the head of ledger entry 4 has not 32"
            },
            { "its contract", Ledger(all => all[3].Fields[0] = [0x41]), LedgerOf4 },
            { "its contract, which is no text", Ledger(all => all[3].Fields[0] = [0xFF]), "a name is no UTF-8" },
            { "no entry", Ledger(all => all.RemoveAt(3)), "ledger entry " },
            { "two entries exchanged", Ledger(all => Exchange(all, 2, 3)), "ledger entry 3 was changed" },
            { "no last entry", Ledger(all => all.RemoveAt(all.Count - 1)), " is missing" },
            { "another entry", Ledger(all => all.Add(all[^1])), "was changed" },
            {
                "another entry with its head",
                Ledger(all => all.Add(Linked(all[^1], all[^1]))),
                " is not one that receipt"
            },
            {
                "another last entry with its head",
                Ledger(all =>
                    all[^1] = Linked(
                        all[^2],
                        all[^1] with
                        {
                            Fields =
                            [
                                [0x41],
                                all[^1].Fields[1],
                            ],
                        }
                    )
                ),
                " is not one that receipt"
            },
            { "a payload", Events(all => all[1].Fields[2] = [3, 1, 0x19]), "events of execution" },
            { "a name", Events(all => all[1].Fields[1] = [0x41]), "events of execution" },
            { "no event", Events(all => all.RemoveAt(1)), "events of execution" },
            {
                "an event of another contract",
                Events(all => all[1].Fields[0] = [0x41]),
                "events of execution 1 are not"
            },
            { "another event", Events(all => all.Add(all[^1])), "events of execution" },
            { "what was logged", Audit(all => all[1].Fields[1] = all[2].Fields[1]), AuditOf },
            { "what was logged, to no entry", Audit(all => all[1].Fields[1] = [0]), AuditOf },
            { "whose it is", Audit(all => all[1].Fields[0] = [0x41]), AuditOf },
            { "nothing logged", Audit(all => all.RemoveAt(1)), AuditOf },
            { "nothing logged at last", Audit(all => all.RemoveAt(all.Count - 1)), AuditOf },
            { "two logged exchanged", Audit(all => Exchange(all, 2, 3)), AuditOf },
            { "something else logged", Audit(all => all.Add(all[^1])), AuditOf },
            {
                "half a field",
                Sql("UPDATE execution SET ledger = x'05' WHERE number = 7"),
                "column ledger of execution 7: a field is longer than"
            },
            {
                "half a length",
                Sql("UPDATE execution SET audit = x'85' WHERE number = 7"),
                "column audit of execution 7: a length is cut off"
            },
            {
                "no length",
                Sql("UPDATE execution SET events = x'FFFFFFFFFFFF' WHERE number = 7"),
                "column events of execution 7: "
            },
            {
                "fields that are missing",
                Sql("UPDATE execution SET events = x'0141' WHERE number = 7"),
                "column events of execution 7: a length is cut off"
            },
            {
                "a count of entries",
                Sql("UPDATE execution SET entries = entries + 1 WHERE number = 7"),
                "execution 7 has it that with it there are"
            },
            {
                "a count of events",
                Sql("UPDATE execution SET emitted = 1000 WHERE number = 8"),
                "execution 8 has it that with it there are"
            },
            { "a count of what is logged", Sql("UPDATE execution SET logged = 0"), "has it that with it there are" },
            {
                "a count with a fraction",
                Sql("UPDATE execution SET entries = entries + 0.5 WHERE number = 15"),
                "column entries is no integer"
            },
            {
                "a count that is a blob",
                Sql("UPDATE execution SET logged = CAST(CAST(logged AS TEXT) AS BLOB) WHERE number = 15"),
                "column logged is no integer"
            },
            {
                "a length in more bytes than it takes",
                Sql("UPDATE execution SET audit = unhex('8000' || substr(hex(audit), 3)) WHERE hex(audit) LIKE '00%'"),
                ": a length has more bytes than it takes"
            },
            {
                "a key before the beginning",
                Sql("INSERT INTO state SELECT contract, x'41', -1, value FROM state LIMIT 1"),
                "the state at the beginning has the root"
            },
            {
                "a write between two executions",
                Sql("UPDATE state SET number = number + 0.5 WHERE number = (SELECT max(number) FROM state)"),
                "column number is no integer"
            },
            {
                "a link",
                Sql("UPDATE execution SET link = zeroblob(32) WHERE number = 5"),
                "receipt 5, or one before it, was changed"
            },
            {
                "another receipt",
                Sql("UPDATE execution SET receipt = (SELECT receipt FROM execution WHERE number = 6) WHERE number = 5"),
                "receipt 5 is missing"
            },
            { "no execution", Sql("DELETE FROM execution WHERE number = 5"), "receipt 5 is missing" },
            { "no receipt", Sql("UPDATE execution SET receipt = x'0102' WHERE number = 5"), "is damaged: no receipt" },
            { "a state", Sql("UPDATE state SET value = x'030119' WHERE " + Superseded), "the state after execution " },
            { "no state", Sql("DELETE FROM state WHERE " + Superseded), "the state after execution " },
            { "a nonce", Sql("UPDATE nonce SET next = next + 1"), "the next nonce of" },
            { "another nonce", Sql("INSERT INTO nonce VALUES (x'41', 3)"), "nonces of callers that no receipt has" },
            {
                "the oldest",
                Sql("UPDATE chain SET oldest = 31"),
                "says that 31 is the oldest state, and the last is 30"
            },
        };

    /// <summary>One of an execution's entries: what it consists of.</summary>
    private sealed record StoredEntry(long Number, byte[][] Fields);

    /// <summary>With the head that it has behind another.</summary>
    private static StoredEntry Linked(StoredEntry before, StoredEntry entry) =>
        entry with
        {
            Fields =
            [
                entry.Fields[0],
                entry.Fields[1],
                Convert.FromHexString(
                    LedgerChain
                        .Link(
                            new Digest(before.Fields[2]),
                            System.Text.Encoding.UTF8.GetString(entry.Fields[0]),
                            entry.Fields[1]
                        )
                        .ToString()
                ),
            ],
        };

    private static Action<string> Sql(string change) => folder => Change(folder, change);

    private static Action<string> Ledger(Action<List<StoredEntry>> change) => ChangeEntries("ledger", 3, change);

    private static Action<string> Events(Action<List<StoredEntry>> change) => ChangeEntries("events", 3, change);

    private static Action<string> Audit(Action<List<StoredEntry>> change) => ChangeEntries("audit", 2, change);

    private static void Exchange(List<StoredEntry> all, int a, int b) =>
        (all[a], all[b]) = (all[a] with { Fields = all[b].Fields }, all[b] with { Fields = all[a].Fields });

    /// <summary>What is in a column of all executions, changed where it stands.</summary>
    private static Action<string> ChangeEntries(string column, int fields, Action<List<StoredEntry>> change) =>
        folder =>
        {
            using SqliteConnection connection = Connected(folder);
            List<long> numbers = [];
            List<StoredEntry> entries = [];
            using SqliteCommand read = connection.CreateCommand();
            read.CommandText = $"SELECT number, {column} FROM execution ORDER BY number";
            using (SqliteDataReader rows = read.ExecuteReader())
            {
                while (rows.Read())
                {
                    numbers.Add(rows.GetInt64(0));
                    using FieldReader reader = new((byte[])rows.GetValue(1));
                    while (!reader.IsAtEnd)
                    {
                        entries.Add(
                            new StoredEntry(
                                rows.GetInt64(0),
                                [.. Enumerable.Range(0, fields).Select(_ => reader.Bytes().ToArray())]
                            )
                        );
                    }
                }
            }

            change(entries);
            foreach (long number in numbers)
            {
                FieldWriter writer = new();
                foreach (
                    byte[] field in entries.Where(entry => entry.Number == number).SelectMany(entry => entry.Fields)
                )
                {
                    writer.Add(field);
                }

                using SqliteCommand write = connection.CreateCommand();
                write.CommandText = $"UPDATE execution SET {column} = $bytes WHERE number = $number";
                write.Parameters.AddWithValue("$bytes", writer.Written.ToArray());
                write.Parameters.AddWithValue("$number", number);
                Assert.Equal(1, write.ExecuteNonQuery());
            }
        };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_change_behind_its_back_is_found_and_named(string what, Action<string> change, string problem)
    {
        _ = what;
        using (DurableStore store = DurableStore.Create(Folder()))
        {
            for (long i = 1; i <= 30; i++)
            {
                store.Commit(Workload.Execution(i));
            }

            Assert.Null(store.Verify().Problem);
        }

        change(Folder());
        using DurableStore changed = DurableStore.Open(Folder());
        Assert.Contains(problem, changed.Verify().Problem, StringComparison.Ordinal);
    }

    /// <summary>Nothing else reads the nonces of a store that has none.</summary>
    [Fact]
    public void A_table_that_is_missing_is_found_and_named()
    {
        using (DurableStore store = DurableStore.Create(Folder()))
        {
            ExecutionRecord execution = Workload.Execution(1);
            store.Commit(execution with { Summary = execution.Summary with { Nonce = null } });
        }

        Change(Folder(), "DROP TABLE nonce");
        using DurableStore changed = DurableStore.Open(Folder());
        Assert.Contains("no such table: nonce", changed.Verify().Problem, StringComparison.Ordinal);
    }

    /// <summary>Executions with none, one and several of each, from every position.</summary>
    [Fact]
    public void Entries_are_found_by_their_positions()
    {
        using MemoryStore memory = new();
        using DurableStore durable = DurableStore.Create(Folder());
        ExecutionRecord[] executions = [.. Enumerable.Range(1, 40).Select(i => Workload.Execution(i))];
        memory.Commit(executions);
        durable.Commit(executions);
        Assert.InRange(memory.Ledger().Count(), 30, 1000);
        for (long from = -1; from <= memory.Ledger().Count() + 2; from++)
        {
            Assert.Equal(memory.Ledger(from), durable.Ledger(from));
        }

        Assert.InRange(memory.Events().Count(), 30, 1000);
        for (long from = -1; from <= memory.Events().Count() + 2; from++)
        {
            Assert.Equal(memory.Events(from), durable.Events(from));
        }

        Assert.InRange(memory.Audit().Count(), 30, 1000);
        for (long from = -1; from <= memory.Audit().Count() + 2; from++)
        {
            Assert.Equal(memory.Audit(from), durable.Audit(from));
        }
    }

    /// <summary>Positions are found by these columns: what SQLite would take for some number must not leave entries out.</summary>
    [Theory]
    [InlineData("entries")]
    [InlineData("emitted")]
    [InlineData("logged")]
    public void A_count_that_is_no_integer_is_refused_by_who_looks_for_entries(string column)
    {
        _ = Filled(30);
        foreach (string value in (string[])[$"{column} + 0.5", $"CAST(CAST({column} AS TEXT) AS BLOB)", "'many'"])
        {
            Change(Folder(), $"UPDATE execution SET {column} = {value} WHERE number IN (10, 15, 16)");
            using DurableStore store = DurableStore.Open(Folder());
            Assert.Contains(
                " is damaged: ",
                Assert
                    .Throws<StoreException>(() =>
                        column switch
                        {
                            "entries" => store.Ledger().Count(),
                            "emitted" => store.Events().Count(),
                            _ => store.Audit().Count(),
                        }
                    )
                    .Message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void A_state_in_a_damaged_page_is_refused_by_who_lists_it()
    {
        _ = Filled(300);
        long root;
        using (SqliteConnection connection = Connected(Folder()))
        {
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = "SELECT rootpage FROM sqlite_schema WHERE name = 'state'";
            root = (long)command.ExecuteScalar()!;
        }

        string file = Path.Combine(Folder(), "chain.db");
        byte[] bytes = File.ReadAllBytes(file);
        bytes[(root - 1) * 4096] ^= 0xFF;
        File.WriteAllBytes(file, bytes);
        using DurableStore store = DurableStore.Open(Folder());
        Assert.Contains(
            " is damaged: ",
            Assert.Throws<StoreException>(() => store.State().Count()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_state_can_be_listed_while_it_is_listed()
    {
        _ = Filled(30);
        using DurableStore store = DurableStore.Open(Folder());
        int keys = store.State().Count();
        Assert.Equal(keys * keys, store.State().Sum(_ => store.State().Count()));
    }

    [Fact]
    public void What_goes_on_after_a_store_was_disposed_of_is_told_so()
    {
        _ = Filled(30);
        foreach (
            Func<DurableStore, IEnumerable<object>> list in (Func<DurableStore, IEnumerable<object>>[])
                [s => s.Ledger(), s => s.Events(), s => s.Audit(), s => s.Receipts(), s => s.State()]
        )
        {
            DurableStore store = DurableStore.Open(Folder());
            using IEnumerator<object> items = list(store).GetEnumerator();
            Assert.True(items.MoveNext());
            store.Dispose();
            Assert.Throws<ObjectDisposedException>(() =>
            {
                while (items.MoveNext()) { }
            });
            Assert.Throws<ObjectDisposedException>(() => list(store).Any());
            Assert.Throws<ObjectDisposedException>(() => store.NextNonce(""));
        }
    }

    [Fact]
    public void A_change_of_what_stands_there_now_is_found()
    {
        using (DurableStore store = DurableStore.Create(Folder(), [new StatePair("a", "k", Data.NewInt(1))]))
        {
            store.Commit(Workload.Execution(1));
        }

        Change(Folder(), "UPDATE state SET value = x'01' WHERE number = 0");
        using DurableStore changed = DurableStore.Open(Folder());
        Assert.Contains("the state at the beginning has the root", changed.Verify().Problem, StringComparison.Ordinal);
        Assert.Contains(
            "is damaged: the pair that was found at path",
            Assert.Throws<StoreException>(() => changed.Prove("a", "k")).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>What is done to the tree that is kept, beside a sound state.</summary>
    public static TheoryData<string> TreeChanges =>
        [
            "UPDATE tree SET bytes = zeroblob(length(bytes)) WHERE page = 1",
            "UPDATE tree SET bytes = substr(bytes, 1, 20) WHERE page = 1",
            "UPDATE tree SET bytes = (SELECT bytes FROM tree WHERE page = 1) WHERE page = (SELECT max(page) FROM tree)",
            "UPDATE tree SET bytes = x'' WHERE page = (SELECT max(page) FROM tree)",
            "DELETE FROM tree WHERE page = 1",
            "DELETE FROM tree WHERE page = (SELECT max(page) FROM tree)",
            "INSERT INTO tree SELECT 5, bytes FROM tree WHERE page = 1",
            "UPDATE recent SET leaves = zeroblob(72) WHERE number = (SELECT max(number) FROM recent)",
            "UPDATE recent SET leaves = x'00' WHERE number = (SELECT max(number) FROM recent)",
            "UPDATE recent SET tops = zeroblob(33) WHERE number = (SELECT max(number) FROM recent)",
            "UPDATE recent SET tops = x'00' WHERE number = (SELECT max(number) FROM recent)",
            "UPDATE recent SET number = number + 1000",
            "DELETE FROM recent",
            "UPDATE chain SET tree = tree - 1",
            "UPDATE chain SET tree = 1000",
            "UPDATE leaf SET key = x'41' WHERE leaf = 3",
            "UPDATE leaf SET leaf = 1000 WHERE leaf = 3",
            "DELETE FROM leaf WHERE leaf = 3",
            "INSERT INTO leaf VALUES (1000, x'41', x'41')",
        ];

    [Theory]
    [MemberData(nameof(TreeChanges))]
    public void A_tree_that_was_changed_is_refused_or_found_and_made_again(string change)
    {
        Model model = new();
        using (DurableStore store = DurableStore.Create(Folder()))
        {
            store.PagesAfter = 50;
            while (store.Head.Number < 200)
            {
                store.Commit(Workload.Execution(store.Head.Number + 1));
            }
        }

        // So few that closing leaves them.
        using (DurableStore store = DurableStore.Open(Folder()))
        {
            while (store.Head.Number < 210)
            {
                store.Commit(Workload.Execution(store.Head.Number + 1));
            }
        }

        Change(Folder(), change);
        bool isNoticed;
        try
        {
            using DurableStore store = DurableStore.Open(Folder());
            isNoticed = store.Verify().Problem is { } problem && problem.Contains("tree", StringComparison.Ordinal);
        }
        catch (StoreException e)
        {
            isNoticed =
                e.Message.Contains("tree", StringComparison.Ordinal)
                && e.Hint.Contains("state rebuild", StringComparison.Ordinal);
        }

        Assert.True(isNoticed);
        DurableStore.Rebuild(Folder());
        using DurableStore rebuilt = DurableStore.Open(Folder());
        Assert.Null(rebuilt.Verify().Problem);
        model.AdvanceTo(210);
        Assert.Null(model.Difference(rebuilt));
    }

    private const int LeafTag = 1;
    private const int PageTag = 3;

    /// <summary>What is done to a page of the tree that then gets the checksum of its bytes, and how it is named. Null: its bytes of an earlier time.</summary>
    public static TheoryData<string, Func<byte[], byte[]>?, bool, string> PageChanges =>
        new()
        {
            { "another digest of a leaf", bytes => Flipped(bytes, LeafAt(bytes) + 64), false, "has the digest " },
            { "another path of a leaf", bytes => Flipped(bytes, LeafAt(bytes) + 32), false, "another leaf at depth " },
            {
                "another number of a leaf",
                bytes => Flipped(bytes, LeafAt(bytes) + 65),
                false,
                "of the tree is not that of the key"
            },
            { "a leaf without its end", bytes => bytes[..^40], false, " is cut off" },
            { "a tag that there is not", bytes => [9, .. bytes[1..]], false, " has the tag 9 at depth 8" },
            { "a page where none ends", bytes => [PageTag, .. bytes[1..]], false, " has the tag 3 at depth 8" },
            {
                "a leaf in the place of a node",
                bytes => bytes[LeafAt(bytes)..(LeafAt(bytes) + 73)],
                false,
                "has the digest "
            },
            { "nothing in the place of a node", _ => [0], false, "has the digest " },
            { "more than a tree", bytes => [.. bytes, 0], false, " has more than a tree" },
            { "an earlier version", null, false, "has the digest " },
            { "another digest of a page", bytes => Flipped(bytes, PageAt(bytes) + 32), true, "page 1 has the digest " },
            {
                "another digest of a leaf at the top",
                bytes => Flipped(bytes, LeafAt(bytes) + 64),
                true,
                "page 1 has the digest "
            },
            {
                "another path of a leaf at the top",
                bytes => Flipped(bytes, LeafAt(bytes) + 32),
                true,
                "another leaf at depth "
            },
            { "an earlier version of the top", null, true, "page 1 has the digest " },
        };

    private static byte[] Flipped(byte[] bytes, int at)
    {
        byte[] flipped = [.. bytes];
        flipped[at] ^= 1;
        return flipped;
    }

    private static int LeafAt(byte[] page) => Find(page, LeafTag);

    private static int PageAt(byte[] page) => Find(page, PageTag);

    /// <summary>Where the first thing with a tag stands.</summary>
    private static int Find(byte[] page, int tag)
    {
        int at = 0;
        while (page[at] != tag)
        {
            at += page[at] switch
            {
                LeafTag => 73,
                PageTag => 33,
                _ => 1,
            };
        }

        return at;
    }

    /// <summary>What opening the store says is wrong, or else what verifying it does.</summary>
    private string WhatIsFound()
    {
        try
        {
            using DurableStore store = DurableStore.Open(Folder());
            return store.Verify().Problem ?? "nothing";
        }
        catch (StoreException e)
        {
            return e.Message;
        }
    }

    [Theory]
    [MemberData(nameof(PageChanges))]
    public void A_page_that_is_wrong_with_the_right_checksum_is_named(
        string what,
        Func<byte[], byte[]>? change,
        bool isTop,
        string problem
    )
    {
        _ = what;
        _ = Filled(200);
        DurableStore.Rebuild(Folder());
        Dictionary<long, byte[]> earlier = Pages(Folder());
        using (DurableStore store = DurableStore.Open(Folder()))
        {
            for (long i = 201; i <= 260; i++)
            {
                store.Commit(Workload.Execution(i));
            }
        }

        DurableStore.Rebuild(Folder());
        Dictionary<long, byte[]> pages = Pages(Folder());
        long page = isTop
            ? 1
            : pages.Keys.First(key => key > 1 && !pages[key].SequenceEqual(earlier.GetValueOrDefault(key, pages[key])));
        byte[] changed = change is null ? earlier[page][..^8] : change(pages[page][..^8]);
        Change(
            Folder(),
            $"UPDATE tree SET bytes = x'{Convert.ToHexString([.. changed, .. SHA256.HashData(changed)[..8]])}' WHERE page = {page}"
        );
        string found = WhatIsFound();
        Assert.Contains(problem, found, StringComparison.Ordinal);
        Assert.Contains("tree", found, StringComparison.Ordinal);
        DurableStore.Rebuild(Folder());
        using DurableStore rebuilt = DurableStore.Open(Folder());
        Assert.Null(rebuilt.Verify().Problem);
    }

    [Fact]
    public void A_tree_that_is_made_again_says_how_far_it_is_and_can_be_stopped()
    {
        _ = Filled(20);
        Dictionary<long, byte[]> before = Pages(Folder());
        List<long> seen = [];
        using CancellationTokenSource source = new();
        _ = Assert.Throws<OperationCanceledException>(() =>
            DurableStore.Rebuild(
                Folder(),
                keys =>
                {
                    seen.Add(keys);
                    if (keys == 5)
                    {
                        source.Cancel();
                    }
                },
                source.Token
            )
        );
        Assert.Equal([1, 2, 3, 4, 5], seen);
        Assert.Equal(before, Pages(Folder()));
        using DurableStore store = DurableStore.Open(Folder());
        Assert.Null(store.Verify().Problem);
    }

    /// <summary>What no digest binds: the path of a leaf and its number.</summary>
    [Theory]
    [InlineData(32)]
    [InlineData(65)]
    public void A_page_with_the_checksum_of_other_bytes_is_refused_when_it_is_read(int inLeaf)
    {
        _ = Filled(20);
        DurableStore.Rebuild(Folder());
        byte[] page = Pages(Folder())[1];
        byte[] changed = Flipped(page, LeafAt(page) + inLeaf);
        Change(Folder(), $"UPDATE tree SET bytes = x'{Convert.ToHexString(changed)}' WHERE page = 1");
        Assert.Contains(
            "page 1 has another checksum than its bytes give",
            Assert.Throws<StoreException>(() => DurableStore.Open(Folder())).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(true, 1, true)]
    [InlineData(true, 1, false)]
    [InlineData(true, 20, true)]
    [InlineData(true, 20, false)]
    [InlineData(false, 1, true)]
    [InlineData(false, 1, false)]
    [InlineData(false, 20, true)]
    [InlineData(false, 20, false)]
    public void A_commit_that_is_refused_changes_nothing(bool isDurable, int executions, bool isKey)
    {
        using IStateStore store = isDurable ? DurableStore.Create(Folder()) : new MemoryStore();
        ExecutionRecord[] block =
        [
            .. Enumerable
                .Range(0, executions)
                .Select(i => new ExecutionRecord
                {
                    Summary = new ExecutionSummary
                    {
                        Contract = "",
                        Caller = "bob",
                        Nonce = i,
                        Timestamp =
                            i == executions - 1 && !isKey
                                ? System.Numerics.BigInteger.One << (8 * Container.IntegerBytes)
                                : 1,
                        GasLimit = 1,
                        GasUsed = 1,
                    },
                    Writes = new Dictionary<string, Data>
                    {
                        [i == executions - 1 && isKey ? "key\ud800" : $"key {i}"] = Data.NewInt(i),
                    },
                }),
        ];
        ChainHead before = store.Head;
        Assert.Throws<ArgumentException>(() => store.Commit(block));
        Assert.Equal(before, store.Head);
        Assert.Equal(0, store.NextNonce("bob"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_page_that_is_not_there_is_named(bool isTop)
    {
        _ = Filled(200);
        DurableStore.Rebuild(Folder());
        long page = isTop ? 1 : Pages(Folder()).Keys.Max();
        Change(Folder(), $"DELETE FROM tree WHERE page = {page}");
        string found = WhatIsFound();
        Assert.Contains($"page {page:x} is not there", found, StringComparison.Ordinal);
        DurableStore.Rebuild(Folder());
        using DurableStore rebuilt = DurableStore.Open(Folder());
        Assert.Null(rebuilt.Verify().Problem);
    }

    /// <summary>Keys in pages that were not read before, also of two depths.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void A_block_reads_the_pages_that_it_needs(int block)
    {
        const int keys = 30_000;
        StatePair[] state = [.. Enumerable.Range(0, keys).Select(i => new StatePair("c", $"{i}", Data.NewInt(i)))];
        ExecutionRecord[] executions =
        [
            .. Enumerable
                .Range(1, block)
                .Select(number =>
                    Workload.Execution(number) with
                    {
                        CalledWrites = new Dictionary<string, IReadOnlyDictionary<string, Data>>
                        {
                            ["c"] = Enumerable
                                .Range(0, 40)
                                .ToDictionary(i => $"{i * 701 % (keys + 50)}", _ => Data.NewInt(number)),
                        },
                    }
                ),
        ];
        using MemoryStore memory = new(state);
        memory.Commit(executions);
        DurableStore.Create(Folder(), state).Dispose();
        using (DurableStore store = DurableStore.Open(Folder()))
        {
            int before = store.PagesRead;
            store.Commit(executions);
            Assert.Equal(memory.Head, store.Head);
            Assert.InRange(store.PagesRead - before, 40, 200);
            Assert.Null(store.Verify().Problem);
        }

        // Those of depth 16 and below: not all paths have one.
        Assert.InRange(Pages(Folder()).Keys.Count(page => page >= 65_536), 1000, 65_536);
        Change(Folder(), "DELETE FROM tree WHERE page >= 65536");
        using (DurableStore store = DurableStore.Open(Folder()))
        {
            ChainHead head = store.Head;
            StoreException missing = Assert.Throws<StoreException>(() => store.Commit(Next()));
            Assert.Contains(" is not there", missing.Message, StringComparison.Ordinal);
            Assert.Equal(head, store.Head);
        }

        DurableStore.Rebuild(Folder());
        using DurableStore rebuilt = DurableStore.Open(Folder());
        rebuilt.Commit(Next());
        Assert.Null(rebuilt.Verify().Problem);

        ExecutionRecord[] Next() =>
            [
                .. executions.Select(
                    (execution, i) => execution with { Summary = Workload.Execution(block + 1 + i).Summary }
                ),
            ];
    }

    [Fact]
    public void Without_the_receipt_that_says_the_root_of_its_pages_a_tree_is_refused()
    {
        _ = Filled(20);
        DurableStore.Rebuild(Folder());
        // So few that closing leaves the pages as they are.
        using (DurableStore store = DurableStore.Open(Folder()))
        {
            store.Commit(Workload.Execution(21));
            store.Commit(Workload.Execution(22));
        }

        Change(Folder(), "DELETE FROM execution WHERE number = (SELECT tree FROM chain)");
        Assert.Contains(
            "receipt 20 is missing",
            Assert.Throws<StoreException>(() => DurableStore.Open(Folder())).Message,
            StringComparison.Ordinal
        );
    }

    private static Dictionary<long, byte[]> Pages(string folder)
    {
        using SqliteConnection connection = Connected(folder);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT page, bytes FROM tree ORDER BY page";
        using SqliteDataReader reader = command.ExecuteReader();
        Dictionary<long, byte[]> pages = [];
        while (reader.Read())
        {
            pages.Add(reader.GetInt64(0), (byte[])reader.GetValue(1));
        }

        return pages;
    }

    /// <summary>More keys than a page has, written since the pages were: what waits for its page is checked with it.</summary>
    [Theory]
    [InlineData("", null)]
    [InlineData(
        "UPDATE recent SET leaves = CAST(substr(leaves, 1, 63) || x'00' || substr(leaves, 65) AS BLOB) WHERE number = 1",
        " after what was written since, and not "
    )]
    [InlineData("UPDATE recent SET tops = x''", null)]
    [InlineData("DELETE FROM recent WHERE number = 1", "tree")]
    [InlineData(
        "UPDATE recent SET tops = CAST(substr(tops, 1, 32) || x'00' || substr(tops, 34) AS BLOB) WHERE number = 1",
        "its tree has the root "
    )]
    public void What_was_written_since_the_pages_is_in_the_tree_when_a_path_leads_there(string change, string? problem)
    {
        const int keys = 6000;
        StatePair[] state = [.. Enumerable.Range(0, keys).Select(i => new StatePair("c", $"{i}", Data.NewInt(i)))];
        ExecutionRecord execution = Workload.Execution(1) with
        {
            Writes = Enumerable.Range(0, 2 * keys).ToDictionary(i => $"{i}", i => Data.NewInt(-i)),
        };
        string left = Folder("left");
        Directory.CreateDirectory(left);
        using (DurableStore store = DurableStore.Create(Folder(), state))
        {
            store.Commit(execution);
            Process.Start("cp", ["-r", Folder() + "/.", left]).WaitForExit();
        }

        if (change.Length > 0)
        {
            Change(left, change);
        }

        string found;
        try
        {
            using DurableStore store = DurableStore.Open(left);
            Assert.Equal(change.Contains("x''", StringComparison.Ordinal), store.PagesRead > 1);
            found = store.Verify().Problem ?? "nothing";
            if (problem is null)
            {
                store.Commit(Workload.Execution(2));
                Assert.Null(store.Verify().Problem);
                foreach (string key in (string[])["0", "5999", "11999", "12000"])
                {
                    StateVerdict verdict = store
                        .Prove(execution.Summary.Contract, key)
                        .Check(store.Head.StateRoot, execution.Summary.Contract, key);
                    Assert.Equal(key != "12000", verdict is StateVerdict.Holds);
                }
            }
        }
        catch (StoreException e)
        {
            found = e.Message;
        }

        Assert.Contains(problem ?? "nothing", found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tree_is_not_made_again_from_a_state_that_was_changed()
    {
        _ = Filled(20);
        Change(Folder(), "UPDATE state SET value = x'01'");
        Assert.Contains(
            "its state has the root",
            Assert.Throws<StoreException>(() => DurableStore.Rebuild(Folder())).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>Looked at by how many pages are read: times depend on the machine.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(30_000)]
    [InlineData(100_000)]
    public void Opening_reads_a_page_whatever_the_size_of_the_state(int keys)
    {
        StatePair[] state = [.. Enumerable.Range(0, keys).Select(i => new StatePair("c", $"{i}", Data.NewInt(i)))];
        using (DurableStore store = DurableStore.Create(Folder(), state))
        {
            store.Commit(Workload.Execution(1));
        }

        using DurableStore opened = DurableStore.Open(Folder());
        Assert.InRange(opened.PagesRead, 1, 15);
        Assert.Null(opened.Verify().Problem);
    }

    /// <summary>Where the path of a key that is not there ends at another's leaf, the key of that is found by its number.</summary>
    [Fact]
    public void A_proof_reads_the_pages_of_its_path()
    {
        const int keys = 30_000;
        StatePair[] state = [.. Enumerable.Range(0, keys).Select(i => new StatePair("c", $"{i}", Data.NewInt(i)))];
        DurableStore.Create(Folder(), state).Dispose();
        for (int i = keys - 5; i < keys + 20; i++)
        {
            using DurableStore store = DurableStore.Open(Folder());
            int before = store.PagesRead;
            StateProof proof = store.Prove("c", $"{i}");
            Assert.InRange(store.PagesRead - before, 1, 2);
            Assert.Equal(i < keys, proof.Check(store.Head.StateRoot, "c", $"{i}") is StateVerdict.Holds);
            Assert.Equal(i < keys, proof.End?.Key == $"{i}");
        }

        Change(Folder(), "UPDATE leaf SET key = x'41'");
        AssertRefused("of its tree is of the key \"A\" of \"c\", which is not there");
        Change(Folder(), $"UPDATE leaf SET key = x'{Convert.ToHexString("7"u8)}'");
        AssertRefused("is not the one that the tree has there");
        Change(Folder(), "DELETE FROM leaf");
        AssertRefused("of its tree has no key");

        void AssertRefused(string problem)
        {
            using DurableStore store = DurableStore.Open(Folder());
            Assert.Contains(
                problem,
                Assert.Throws<StoreException>(() => store.Prove("c", "3")).Message,
                StringComparison.Ordinal
            );
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_store_that_cannot_be_made_leaves_nothing(bool wasThere)
    {
        StatePair[] state = [.. Enumerable.Range(0, 70_000).Select(i => new StatePair("c", $"{i}", Data.NewInt(i)))];
        if (wasThere)
        {
            Directory.CreateDirectory(Folder());
        }

        Digest other = StateTree.PathOf("", "");
        Assert.Contains(
            $"and it should be {other}",
            Assert.Throws<ArgumentException>(() => DurableStore.Create(Folder(), state, other)).Message,
            StringComparison.Ordinal
        );
        AssertNothing();
        Assert.Contains(
            "the key \"7\" of \"c\" stands there twice",
            Assert.Throws<ArgumentException>(() => DurableStore.Create(Folder(), state.Append(state[7]))).Message,
            StringComparison.Ordinal
        );
        AssertNothing();
        Assert.Throws<TimeoutException>(() => DurableStore.Create(Folder(), Ending()));
        AssertNothing();
        Digest root;
        using (DurableStore store = DurableStore.Create(Folder(), state))
        {
            root = store.Head.StateRoot;
        }

        Assert.Equal(["chain.db", "lock"], Directory.GetFiles(Folder()).Select(Path.GetFileName).Order());
        // A commit writes over it and finds its place on the disk taken.
        Assert.Equal(sizeof(long), new FileInfo(Path.Combine(Folder(), "lock")).Length);
        Directory.Delete(Folder(), recursive: true);
        using DurableStore again = DurableStore.Create(Folder(), state, root);
        Assert.Equal(root, again.Head.StateRoot);

        IEnumerable<StatePair> Ending()
        {
            foreach (StatePair pair in state)
            {
                yield return pair;
            }

            throw new TimeoutException();
        }

        void AssertNothing()
        {
            Assert.Equal(wasThere, Directory.Exists(Folder()));
            Assert.True(!wasThere || !Directory.EnumerateFileSystemEntries(Folder()).Any());
        }
    }

    [Fact]
    public void A_store_whose_making_was_not_finished_is_none()
    {
        Directory.CreateDirectory(Folder());
        File.WriteAllBytes(Path.Combine(Folder(), "chain.db"), []);
        Assert.Contains(
            "is no whole store",
            Assert.Throws<StoreException>(() => DurableStore.Open(Folder())).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>Every place of the database file, near enough: refused, found by Verify, or nothing that anybody can read.</summary>
    [Fact]
    public void A_changed_byte_is_refused_or_found_or_means_nothing()
    {
        Model model = Filled(40);
        string file = Path.Combine(Folder(), "chain.db");
        byte[] bytes = File.ReadAllBytes(file);
        Random random = new(7);
        int noticed = 0;
        for (int at = random.Next(399); at < bytes.Length; at += random.Next(1, 399))
        {
            byte[] changed = [.. bytes];
            changed[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(file, changed);
            noticed += IsNoticed(model, at) ? 1 : 0;
        }

        Assert.True(noticed > bytes.Length / 399 / 4);
    }

    /// <summary>The log that a process leaves that was killed: what is damaged in it is not taken for what was never written.</summary>
    [Fact]
    public void A_changed_byte_of_the_log_never_takes_an_execution_back()
    {
        Model model = new();
        model.AdvanceTo(12);
        string left = Folder("left");
        Directory.CreateDirectory(left);
        using (DurableStore store = DurableStore.Create(Folder("open")))
        {
            for (long i = 1; i <= 12; i++)
            {
                store.Commit(Workload.Execution(i));
            }

            // Not by .NET, which heeds the lock.
            using Process copy = Process.Start("cp", ["-r", Folder("open") + "/.", left]);
            copy.WaitForExit();
        }

        byte[] log = File.ReadAllBytes(Path.Combine(left, "chain.db-wal"));
        Assert.True(log.Length > 10 * 4096);
        Random random = new(7);
        int noticed = 0;
        for (int at = 40; at < log.Length; at += random.Next(1, 1999))
        {
            Directory.CreateDirectory(Folder());
            foreach (string name in (string[])["chain.db", "lock"])
            {
                File.Copy(Path.Combine(left, name), Path.Combine(Folder(), name));
            }

            byte[] changed = [.. log];
            changed[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(Path.Combine(Folder(), "chain.db-wal"), changed);
            noticed += IsNoticed(model, at) ? 1 : 0;
            Directory.Delete(Folder(), recursive: true);
        }

        Assert.True(noticed > log.Length / 1999 / 2);
    }

    private Model Filled(long executions)
    {
        using DurableStore store = DurableStore.Create(Folder());
        for (long i = 1; i <= executions; i++)
        {
            store.Commit(Workload.Execution(i));
        }

        Model model = new();
        model.AdvanceTo(executions);
        return model;
    }

    /// <summary>False when the store is as if nothing had been changed.</summary>
    private bool IsNoticed(Model model, int at)
    {
        try
        {
            using DurableStore store = DurableStore.Open(Folder());
            if (store.Verify().Problem is not null)
            {
                return true;
            }

            Assert.True(model.Difference(store) is null, $"byte {at}: {model.Difference(store)}");
            Assert.Equal((0, model.Number), (store.Oldest, store.Head.Number));
            return false;
        }
        catch (StoreException)
        {
            return true;
        }
    }

    [Fact]
    public void An_execution_of_the_engine_reads_from_it_and_is_committed()
    {
        using DurableStore store = DurableStore.Create(Folder(), [new StatePair("c", "n", Data.NewInt(41))]);
        ZexusProgram program = ZexusProgram.Load(
            Assembler
                .Assemble(
                    """
                    .func main()
                        LOAD_CONST "n"
                        LOAD_CONST "n"
                        STATE_READ
                        INC
                        DUP
                        LEDGER_APPEND
                        STATE_WRITE
                        LOAD_CONST "n"
                        STATE_READ
                    .end
                    """,
                    "n.zxa"
                )
                .Program
        );
        ExecutionSummary summary = new()
        {
            Contract = "c",
            GasLimit = 1000,
            GasUsed = 0,
        };
        for (int i = 42; i < 45; i++)
        {
            using Vm.Vm vm = new(
                new VmOptions
                {
                    Contract = "c",
                    Source = new ContractState(store, "c"),
                    GasLimit = 1000,
                }
            );
            Receipt receipt = store.Commit(ExecutionRecord.Of(summary, vm.Execute(program))).Single();
            Assert.Equal(Data.NewInt(i), receipt.Summary.Value);
            Assert.InRange(receipt.Summary.GasUsed, 1, 1000);
        }

        Assert.Equal([42, 43, 44], store.Ledger().Select(entry => (int)((Data.Int)entry.Entry).value));
        Assert.True(store.TryRead("c", "n", 2, out Data? then));
        Assert.Equal(Data.NewInt(43), then);
        Assert.False(store.TryRead("d", "n", out _));
    }

    private static SqliteConnection Connected(string folder)
    {
        SqliteConnection connection = new($"Data Source={Path.Combine(folder, "chain.db")};Pooling=False");
        connection.Open();
        return connection;
    }

    private static void Change(string folder, string sql)
    {
        using SqliteConnection connection = Connected(folder);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        _ = command.ExecuteNonQuery();
    }
}
