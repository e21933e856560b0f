using System.CommandLine;
using Zexus.Chain;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus receipts`, `zexus events` and `zexus audit`.</summary>
internal static class RecordCommands
{
    public static Command CreateReceipts(Terminal terminal) =>
        Listing(
            terminal,
            "receipts",
            "What was executed on a store, and how it ended.",
            (store, from) => store.Receipts(from),
            Line,
            ToJson
        );

    public static Command CreateEvents(Terminal terminal) =>
        Listing(
            terminal,
            "events",
            "The events that executions on a store emitted.",
            (store, from) => store.Events(from),
            stored =>
                $"{stored.Position} of execution {stored.Execution} {Of(stored.Contract)}{Terminal.Printable(stored.Event.Name)} {DataJson.Write(stored.Event.Payload)}",
            stored =>
                Json.Object(
                    ("position", Json.Of(stored.Position)),
                    ("execution", Json.Of(stored.Execution)),
                    ("contract", Json.Of(stored.Contract)),
                    ("event", Json.Of(stored.Event.Name)),
                    ("data", DataJson.Write(stored.Event.Payload))
                )
        );

    public static Command CreateAudit(Terminal terminal) =>
        Listing(
            terminal,
            "audit",
            "The audit log: what executions on a store logged, those that faulted, too.",
            (store, from) => store.Audit(from),
            stored =>
                $"{stored.Position} of execution {stored.Execution} {Of(stored.Contract)}{DataJson.Write(stored.Entry.Action)} {DataJson.Write(stored.Entry.Data)} at {stored.Entry.Timestamp}",
            stored =>
                Json.Object(
                    ("position", Json.Of(stored.Position)),
                    ("execution", Json.Of(stored.Execution)),
                    ("contract", Json.Of(stored.Contract)),
                    ("action", DataJson.Write(stored.Entry.Action)),
                    ("data", DataJson.Write(stored.Entry.Data)),
                    ("timestamp", Json.Of(stored.Entry.Timestamp))
                )
        );

    /// <summary>A command that lists what a store has, from a place on.</summary>
    public static Command Listing<T>(
        Terminal terminal,
        string name,
        string description,
        Func<DurableStore, long, IEnumerable<T>> list,
        Func<T, string> line,
        Func<T, string> toJson,
        string example = ""
    )
    {
        Argument<string> directory = StoreCommands.Directory();
        Option<long> from = WholeNumber.Option("--from", "The first one to show.", 1, least: 1);
        Option<bool> json = new("--json")
        {
            Description = "A line of JSON for each on standard output (docs/json.md).",
        };
        Command command = new(name, description) { directory, from, json };
        HelpWithExamples.Add(
            command,
            $"./zexus {example}{name} chain",
            $"./zexus {example}{name} chain --from 100 --json"
        );
        command.SetAction(parsed =>
        {
            using DurableStore store = DurableStore.Open(parsed.GetRequiredValue(directory));
            Lines.Write(terminal, parsed.GetValue(json), list(store, parsed.GetValue(from)), line, toJson);
            return ExitCode.Completed;
        });
        return command;
    }

    public static string ToJson(Receipt receipt)
    {
        ExecutionSummary summary = receipt.Summary;
        return Json.Object(
            ("number", Json.Of(receipt.Number)),
            ("contract", Json.Of(summary.Contract)),
            ("program", Json.Of(summary.Program.ToString())),
            ("called", Json.Object(summary.Called.Select(called => (called.Key, Json.Of(called.Value.ToString()))))),
            ("function", Json.Of(summary.Function)),
            ("arguments", DataJson.Write(Data.NewList([.. summary.Arguments]))),
            ("caller", Json.Of(summary.Caller)),
            ("nonce", summary.Nonce is { } nonce ? Json.Of(nonce) : "null"),
            ("timestamp", Json.Of(summary.Timestamp)),
            ("height", Json.Of(summary.Height)),
            ("fault", summary.Fault is { } fault ? Json.Of(fault) : "null"),
            ("value", summary.Value is { } value ? DataJson.Write(value) : "null"),
            ("faultFunction", Json.Of(summary.FaultFunction)),
            ("faultInstruction", Json.Of(summary.FaultInstruction)),
            ("gas", Json.Object(("used", Json.Of(summary.GasUsed)), ("limit", Json.Of(summary.GasLimit)))),
            ("events", Json.Of(receipt.Events)),
            ("auditEntries", Json.Of(receipt.Audit)),
            ("ledgerEntries", Json.Of(receipt.LedgerCount)),
            ("ledgerHead", Json.Of(receipt.LedgerHead.ToString())),
            ("stateRoot", Json.Of(receipt.StateRoot.ToString()))
        );
    }

    private static string Line(Receipt receipt)
    {
        ExecutionSummary summary = receipt.Summary;
        string value = summary.Value is { } data ? DataJson.Write(data) : "no plain data";
        return $"{receipt.Number} {Of(summary.Contract)}by {Literal.Quoted(summary.Caller)}: "
            + (summary.Fault is { } fault ? $"{fault}, {value}" : value)
            + $"; gas {summary.GasUsed}; state root {receipt.StateRoot}";
    }

    public static string Of(string contract) => contract == "" ? "" : $"of {Literal.Quoted(contract)} ";
}

/// <summary>`zexus ledger list|verify|export`.</summary>
internal static class LedgerCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("ledger", "The ledger of a store: every entry is chained to the one before.")
        {
            RecordCommands.Listing(
                terminal,
                "list",
                "The entries, in order.",
                (store, from) => store.Ledger(from),
                entry =>
                    $"{entry.Position} of execution {entry.Execution} {RecordCommands.Of(entry.Contract)}{DataJson.Write(entry.Entry)}",
                ToJson,
                "ledger "
            ),
            StoreCommands.Verifying(
                terminal,
                "Compute the ledger's chain again, and all else that the receipts bind it to. Names the first thing that is wrong.",
                "./zexus ledger verify chain"
            ),
            CreateExport(terminal),
        };
        HelpWithExamples.Add(command, "./zexus ledger list chain", "./zexus ledger verify chain");
        return command;
    }

    private static Command CreateExport(Terminal terminal)
    {
        Argument<string> directory = StoreCommands.Directory();
        Command command = new(
            "export",
            "The entries with the head after each, a line of JSON each: enough to compute the chain anywhere (docs/commitments.md)."
        )
        {
            directory,
        };
        HelpWithExamples.Add(command, "./zexus ledger export chain > ledger.jsonl");
        command.SetAction(parsed =>
        {
            using DurableStore store = DurableStore.Open(parsed.GetRequiredValue(directory));
            Lines.Write(terminal, true, store.Ledger(), ToJson, ToJson);
            return ExitCode.Completed;
        });
        return command;
    }

    private static string ToJson(LedgerEntry entry) =>
        Json.Object(
            ("position", Json.Of(entry.Position)),
            ("execution", Json.Of(entry.Execution)),
            ("contract", Json.Of(entry.Contract)),
            ("entry", DataJson.Write(entry.Entry)),
            ("head", Json.Of(entry.Head.ToString()))
        );
}

/// <summary>Lists of any length, a line each.</summary>
internal static class Lines
{
    public static void Write<T>(
        Terminal terminal,
        bool isJson,
        IEnumerable<T> items,
        Func<T, string> line,
        Func<T, string> toJson
    )
    {
        foreach (T item in items)
        {
            terminal.Cancellation.ThrowIfCancellationRequested();
            terminal.Out.WriteLine(isJson ? toJson(item) : line(item));
            if (terminal.OutIsClosed)
            {
                return;
            }
        }
    }
}
