using System.CommandLine;
using System.Text;
using System.Text.Json;
using Zexus.Chain;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus state new|get|list|export|prune|verify`: what concerns the state of a store.</summary>
internal static class StoreCommands
{
    public static Argument<string> Directory() => new("DIR") { Description = "The store's directory (docs/store.md)." };

    public static Command CreateNew(Terminal terminal)
    {
        Argument<string> directory = new("DIR") { Description = "A directory that is not there yet, or empty." };
        Option<string?> from = new("--from")
        {
            Description =
                "Begin with the state of a snapshot, as 'state export' writes it, if its root is right; - is standard input.",
            HelpName = "SNAPSHOT",
        };
        Command command = new("new", "Make a store.") { directory, from };
        HelpWithExamples.Add(command, "./zexus state new chain", "./zexus state new copy --from chain.snapshot");
        command.SetAction(parsed =>
        {
            string made = parsed.GetRequiredValue(directory);
            if (parsed.GetValue(from) is { } path)
            {
                Snapshot.Import(path, made, terminal);
            }
            else
            {
                DurableStore.Create(made).Dispose();
            }

            return ExitCode.Completed;
        });
        return command;
    }

    public static Command CreateGet(Terminal terminal)
    {
        Argument<string> directory = Directory();
        Argument<string> key = new("KEY") { Description = "The key; one that begins with - stands behind --." };
        Option<string> contract = StateCommand.ContractOption();
        Option<long?> at = WholeNumber.Optional("--at", "As it was after this execution; 0 is the beginning.");
        Command command = new("get", "What a key holds, as JSON. Exit code 1 when it holds nothing.")
        {
            directory,
            key,
            contract,
            at,
        };
        HelpWithExamples.Add(
            command,
            "./zexus state get chain visits",
            "./zexus state get chain total --contract token --at 3"
        );
        command.SetAction(parsed =>
        {
            using DurableStore store = DurableStore.Open(parsed.GetRequiredValue(directory));
            bool isThere = store.TryRead(
                parsed.GetRequiredValue(contract),
                parsed.GetRequiredValue(key),
                parsed.GetValue(at) ?? store.Head.Number,
                out Data? value
            );
            if (isThere)
            {
                terminal.Out.WriteLine(DataJson.Write(value!));
            }

            return isThere ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    public static Command CreateList(Terminal terminal)
    {
        Argument<string> directory = Directory();
        Option<string?> contract = new("--contract") { Description = "The keys of this one only.", HelpName = "ID" };
        Option<bool> json = new("--json")
        {
            Description = "A line of JSON for each on standard output (docs/json.md).",
        };
        Command command = new("list", "Every key and what it holds.") { directory, contract, json };
        HelpWithExamples.Add(command, "./zexus state list chain", "./zexus state list chain --contract token --json");
        command.SetAction(parsed =>
        {
            using DurableStore store = DurableStore.Open(parsed.GetRequiredValue(directory));
            string? only = parsed.GetValue(contract);
            Lines.Write(
                terminal,
                parsed.GetValue(json),
                store.State().Where(pair => only is null || pair.Contract == only),
                pair =>
                    (pair.Contract == "" ? "" : Literal.Quoted(pair.Contract) + " ")
                    + $"{Literal.Quoted(pair.Key)}: {DataJson.Write(pair.Value)}",
                Snapshot.ToJson
            );
            return ExitCode.Completed;
        });
        return command;
    }

    public static Command CreateExport(Terminal terminal)
    {
        Argument<string> directory = Directory();
        Option<string?> output = OutputOption.Create();
        Command command = new("export", "A snapshot of the state with its root (docs/json.md), for 'state new --from'.")
        {
            directory,
            output,
        };
        HelpWithExamples.Add(command, "./zexus state export chain --out chain.snapshot");
        command.SetAction(parsed =>
        {
            using DurableStore store = DurableStore.Open(parsed.GetRequiredValue(directory));
            string? path = parsed.GetValue(output);

            // On a terminal the lines themselves are the progress.
            bool isSeen = terminal.OutIsTerminal && (path is null or InputFile.Standard);
            using CountProgress? progress = isSeen ? null : new(terminal, "keys");
            OutputOption.Write(path, Snapshot.Lines(store, progress), terminal);
            return ExitCode.Completed;
        });
        return command;
    }

    public static Command CreatePrune(Terminal terminal)
    {
        Argument<string> directory = Directory();
        Argument<long> number = new("N") { Description = "The state after this execution, and later ones, stay." };
        Command command = new(
            "prune",
            "Drop what only states before an execution need. Ledger, events and receipts stay."
        )
        {
            directory,
            number,
        };
        HelpWithExamples.Add(command, "./zexus state prune chain 1000");
        command.SetAction(parsed =>
        {
            using DurableStore store = DurableStore.Open(parsed.GetRequiredValue(directory));
            store.Prune(parsed.GetRequiredValue(number));
            terminal.Error.WriteLine($"the oldest state is now the one after execution {store.Oldest}");
            return ExitCode.Completed;
        });
        return command;
    }

    public static Command CreateRebuild(Terminal terminal)
    {
        Argument<string> directory = Directory();
        Command command = new(
            "rebuild",
            "Make the tree over the state again, when 'verify' finds it damaged; refused when the state itself is."
        )
        {
            directory,
        };
        HelpWithExamples.Add(command, "./zexus state rebuild chain");
        command.SetAction(parsed =>
        {
            using (CountProgress progress = new(terminal, "keys"))
            {
                DurableStore.Rebuild(parsed.GetRequiredValue(directory), progress.Show, terminal.Cancellation);
            }

            terminal.Error.WriteLine("the tree is that of the state again");
            return ExitCode.Completed;
        });
        return command;
    }

    public static Command CreateVerify(Terminal terminal) =>
        Verifying(
            terminal,
            "Compute everything in a store again: receipts, ledger, events, audit log, state roots. Names the first thing that is wrong.",
            "./zexus state verify chain",
            "./zexus state verify chain --json"
        );

    /// <summary>`state verify` and `ledger verify`: each is bound to the other by the receipts, so they are one.</summary>
    public static Command Verifying(Terminal terminal, string description, params string[] examples)
    {
        Argument<string> directory = Directory();
        Option<bool> json = StateCommand.JsonOption();
        Command command = new("verify", description) { directory, json };
        HelpWithExamples.Add(command, examples);
        command.SetAction(parsed =>
        {
            using DurableStore store = DurableStore.Open(parsed.GetRequiredValue(directory));
            Verification found = Verify(store, terminal);
            string sums = $"{found.Receipts:N0} receipts, {found.Entries:N0} ledger entries, {found.Keys:N0} keys";
            if (parsed.GetValue(json))
            {
                terminal.Out.WriteLine(
                    Json.Document(
                        ("status", Json.Of(found.Problem is null ? "sound" : "damaged")),
                        ("problem", found.Problem is null ? "null" : Json.Of(found.Problem)),
                        ("receipts", Json.Of(found.Receipts)),
                        ("ledgerEntries", Json.Of(found.Entries)),
                        ("keys", Json.Of(found.Keys)),
                        ("stateRoot", Json.Of(store.Head.StateRoot.ToString())),
                        ("ledgerHead", Json.Of(store.Head.LedgerHead.ToString())),
                        ("receiptHead", Json.Of(store.Head.ReceiptHead.ToString()))
                    )
                );
            }
            else
            {
                terminal.Out.WriteLine(
                    found.Problem is null ? $"sound    {sums}" : $"damaged  {Terminal.Printable(found.Problem)}"
                );
                if (found.Problem is null)
                {
                    terminal.Out.WriteLine($"state    {store.Head.StateRoot}");
                    terminal.Out.WriteLine($"ledger   {store.Head.LedgerHead}");
                    terminal.Out.WriteLine($"receipts {store.Head.ReceiptHead}");
                }
            }

            return found.Problem is null ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    private static Verification Verify(DurableStore store, Terminal terminal)
    {
        if (terminal.ErrorIsTerminal)
        {
            return Consoles.WithBar(
                terminal,
                task =>
                    store.Verify(
                        (done, all) =>
                        {
                            task.MaxValue = Math.Max(1, all);
                            task.Value = done;
                            task.Description = $"receipt {done:N0} of {all:N0}";
                        },
                        terminal.Cancellation
                    )
            );
        }

        DateTime last = DateTime.UtcNow;
        return store.Verify(
            (done, all) =>
            {
                if (DateTime.UtcNow - last >= TimeSpan.FromSeconds(10))
                {
                    last = DateTime.UtcNow;
                    terminal.Error.WriteLine($"receipt {done:N0} of {all:N0}");
                }
            },
            terminal.Cancellation
        );
    }
}

/// <summary>A snapshot of a state: a line of JSON that says what it is, then one for each key (docs/json.md).</summary>
internal static class Snapshot
{
    private const string Format = "zexus state";
    private const int Version = 1;

    /// <summary>A value has at most 1,048,576 elements or scalars, at most 256 levels deep; a line of it is far shorter.</summary>
    private const int LongestLine = 1 << 30;
    private const int MostDepth = 2000;
    private const string Hint = "A snapshot is what './zexus state export' writes.";

    public static IEnumerable<string> Lines(DurableStore store, CountProgress? progress) =>
        store
            .State()
            .Select(
                (pair, number) =>
                {
                    progress?.Show(number);
                    return ToJson(pair);
                }
            )
            .Prepend(
                Json.Object(
                    ("format", Json.Of(Format)),
                    ("version", Json.Of(Version)),
                    ("number", Json.Of(store.Head.Number)),
                    ("root", Json.Of(store.Head.StateRoot.ToString()))
                )
            );

    public static string ToJson(StatePair pair) =>
        Json.Object(
            ("contract", Json.Of(pair.Contract)),
            ("key", Json.Of(pair.Key)),
            ("value", DataJson.Write(pair.Value))
        );

    /// <summary>Makes a store of it as it is read, so whatever its size; when something is wrong with it, there is no store.</summary>
    public static void Import(string path, string directory, Terminal terminal) =>
        LineFile.Use(
            path,
            LongestLine,
            terminal,
            lines =>
            {
                string shown = InputFile.Shown(path);
                using IEnumerator<ReadOnlyMemory<byte>> line = lines.GetEnumerator();
                Digest root = line.MoveNext()
                    ? Parsed(line.Current, 1, shown, RootOf)
                    : throw Problem.File($"{shown} is empty", Hint);
                using CountProgress progress = new(terminal, "keys");
                try
                {
                    DurableStore.Create(directory, Pairs(line, shown, progress), root).Dispose();
                }
                catch (ArgumentException e)
                {
                    throw Problem.File($"{shown}: {Terminal.Printable(e.Message)}");
                }
            }
        );

    private static IEnumerable<StatePair> Pairs(
        IEnumerator<ReadOnlyMemory<byte>> line,
        string shown,
        CountProgress progress
    )
    {
        for (long number = 2; line.MoveNext(); number++)
        {
            progress.Show(number - 2);
            yield return Parsed(line.Current, number, shown, PairOf);
        }
    }

    private static T Parsed<T>(ReadOnlyMemory<byte> line, long number, string shown, Func<JsonElement, T> parse)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = MostDepth });
            return parse(document.RootElement);
        }
        catch (Exception e)
            when (e is JsonException or FormatException or KeyNotFoundException or InvalidOperationException)
        {
            throw Problem.File($"{shown}:{number}: {Terminal.Printable(e.Message)}", Hint);
        }
    }

    private static Digest RootOf(JsonElement head) =>
        head.GetProperty("format").GetString() == Format && head.GetProperty("version").GetInt32() == Version
            ? Digest.Parse(head.GetProperty("root").GetString() ?? "")
            : throw new FormatException($"this is no snapshot of version {Version}");

    private static StatePair PairOf(JsonElement pair) =>
        new(
            pair.GetProperty("contract").GetString() ?? "",
            pair.GetProperty("key").GetString() ?? "",
            new DataReader(Limits.Default).Value(pair.GetProperty("value"))
        );
}
