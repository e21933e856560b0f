using System.CommandLine;
using System.Diagnostics;
using System.Text;
using Spectre.Console;
using Zexus.Chain;
using Zexus.Cli.Demo;
using Zexus.Cli.Output;

namespace Zexus.Cli.Commands;

/// <summary>`zexus chain demo`.</summary>
internal static class ChainCommand
{
    private const int ShownDigits = 10;

    /// <summary>All that a demo came to.</summary>
    private sealed record Report(
        IReadOnlyList<DemoBlock> Blocks,
        Verification Verification,
        ChainHead Head,
        StateProof Proof,
        StateVerdict Verdict,
        DamagedCopy Damage
    )
    {
        public bool IsSound =>
            Verification.Problem is null && Verdict is StateVerdict.Holds && Damage.Problem is not null;
    }

    public static Command Create(Terminal terminal)
    {
        Command command = new("chain", "A chain from end to end.") { CreateDemo(terminal) };
        HelpWithExamples.Add(command, "./zexus chain demo", "./zexus chain demo --state demo");
        return command;
    }

    private static Command CreateDemo(Terminal terminal)
    {
        Option<string?> state = new("--state")
        {
            Description =
                "The store's directory, which must not be there yet; one that is deleted afterwards when not given.",
            HelpName = "DIR",
        };
        Option<bool> json = StateCommand.JsonOption();
        Command command = new(
            "demo",
            "Run a short chain of blocks with the contracts of examples/contracts; verify it, prove a key, and find a changed byte."
        )
        {
            state,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus chain demo",
            "./zexus chain demo --state demo && ./zexus receipts demo",
            "./zexus chain demo --json"
        );
        command.SetAction(parsed =>
        {
            string? kept = parsed.GetValue(state);
            string folder = kept ?? Directory.CreateTempSubdirectory("zexus-demo-").FullName;
            try
            {
                Report report = terminal.ErrorIsTerminal
                    ? Consoles.WithBar(terminal, task => Run(folder, terminal, task))
                    : Run(folder, terminal, null);
                terminal.Out.Write(
                    parsed.GetValue(json) ? ToJson(report, kept) + "\n" : ToText(report, kept, terminal)
                );
                return report.IsSound ? ExitCode.Completed : ExitCode.Faulted;
            }
            finally
            {
                if (kept is null)
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
        });
        return command;
    }

    private static Report Run(string folder, Terminal terminal, ProgressTask? bar)
    {
        const int steps = ChainDemo.Blocks + 1;
        long last = Stopwatch.GetTimestamp();
        List<DemoBlock> blocks = [];
        Verification verification;
        ChainHead head;
        StateProof proof;
        Digest entry;
        using (DurableStore store = DurableStore.Create(folder, ChainDemo.Beginning))
        {
            foreach (DemoBlock block in ChainDemo.Run(store))
            {
                terminal.Cancellation.ThrowIfCancellationRequested();
                blocks.Add(block);
                Progress(blocks.Count, $"block {blocks.Count} of {ChainDemo.Blocks}");
            }

            Progress(steps, "verifying");
            verification = store.Verify(cancellation: terminal.Cancellation);
            head = store.Head;
            proof = store.Prove(ChainDemo.ProvedContract, ChainDemo.ProvedKey);
            entry = store.Ledger().First().Head;
        }

        // From its text, so that nothing of the store is left in it.
        StateProof read = StateProof.Parse(Encoding.UTF8.GetBytes(proof.ToJson()));
        StateVerdict verdict = read.Check(head.StateRoot, ChainDemo.ProvedContract, ChainDemo.ProvedKey);
        return new Report(blocks, verification, head, read, verdict, DamagedCopy.Of(folder, entry));

        void Progress(int done, string what)
        {
            if (bar is not null)
            {
                bar.MaxValue = steps;
                bar.Value = done;
                bar.Description = what;
            }
            else if (Stopwatch.GetElapsedTime(last) >= TimeSpan.FromSeconds(1))
            {
                last = Stopwatch.GetTimestamp();
                terminal.Error.WriteLine(what);
            }
        }
    }

    private static string ToText(Report report, string? kept, Terminal terminal)
    {
        Table table = new Table().Border(TableBorder.Rounded);
        foreach (
            string column in (string[])
                ["block", "what happens", "executions", "refused", "gas", "state root", "ledger head"]
        )
        {
            TableColumn added = new(column);
            table.AddColumn(column is "block" or "executions" or "refused" or "gas" ? added.RightAligned() : added);
        }

        foreach (DemoBlock block in report.Blocks)
        {
            string[] cells =
            [
                Json.Of(block.Height),
                block.Story,
                Json.Of(block.Receipts.Count),
                Json.Of(block.Refused),
                Json.Of(block.Gas),
                Short(block.Head.StateRoot),
                Short(block.Head.LedgerHead),
            ];
            table.AddRow(cells.Select(cell => new Text(cell)));
        }

        StringBuilder text = new(Consoles.Text(table, terminal));
        string Bad(string message) => terminal.OutHasColour ? $"\e[1;31m{message}\e[0m" : message;
        Line(
            report.Verification.Problem is null ? "sound" : Bad("damaged"),
            report.Verification.Problem is { } problem
                ? Terminal.Printable(problem)
                : $"{report.Verification.Receipts} receipts, {report.Verification.Entries} ledger entries, {report.Verification.Keys} keys: everything was computed again"
        );
        string proved = $"{Literal.Quoted(report.Proof.Key)} of {Literal.Quoted(report.Proof.Contract)}";
        Line(
            report.Verdict is StateVerdict.Holds ? "proved" : Bad("refused"),
            report.Verdict switch
            {
                StateVerdict.Holds holds =>
                    $"{proved} is {DataJson.Write(holds.Value)} under the root {Short(report.Head.StateRoot)}: {report.Proof.Siblings.Length} digests, checked without the store",
                StateVerdict.Absent => $"{proved} is not in the state",
                StateVerdict.Refused refused => Terminal.Printable(refused.Reason),
                _ => throw new InvalidOperationException("a verdict is one of three"),
            }
        );
        Line(
            report.Damage.Problem is null ? Bad("missed") : "found",
            $"one bit of a copy was changed, at byte {report.Damage.Offset} of chain.db: "
                + Terminal.Printable(report.Damage.Problem ?? "nobody noticed")
        );
        text.Append('\n')
            .Append(
                $"Five contracts ran in {report.Blocks.Count} blocks, a durable commit each. What the contracts refuse, as they should, changes no state: it has\nits receipt, uses up its caller's nonce, and stays in the audit log where the contract logs it.\n\n"
            );
        string directory = kept ?? "demo";
        text.Append(kept is null ? "Keep the store, and look around:\n" : "Look around:\n");
        foreach (
            string next in (string[])
                [
                    .. kept is null ? ["chain demo --state demo"] : Array.Empty<string>(),
                    $"receipts {directory} --from 10",
                    $"events {directory}",
                    $"audit {directory}",
                    $"state get {directory} balance:bob --contract token --at 5",
                    $"run examples/contracts/token.zxa --state {directory} --contract token --entry balance_of --args '[\"dave\"]' --dry-run",
                ]
        )
        {
            text.Append("  ./zexus ").Append(Terminal.Printable(next)).Append('\n');
        }

        return text.ToString();

        void Line(string name, string what) => text.Append($"{name, -8} {what}\n");
    }

    private static string Short(Digest digest) => digest.ToString()[..ShownDigits] + "…";

    private static string ToJson(Report report, string? kept) =>
        Json.Document(
            ("status", Json.Of(report.IsSound ? "sound" : "damaged")),
            ("state", kept is null ? "null" : Json.Of(kept)),
            (
                "blocks",
                Json.Array(
                    report.Blocks.Select(block =>
                        Json.Object(
                            ("height", Json.Of(block.Height)),
                            ("timestamp", Json.Of(block.Timestamp)),
                            ("story", Json.Of(block.Story)),
                            ("gas", Json.Of(block.Gas)),
                            ("stateRoot", Json.Of(block.Head.StateRoot.ToString())),
                            ("ledgerEntries", Json.Of(block.Head.LedgerCount)),
                            ("ledgerHead", Json.Of(block.Head.LedgerHead.ToString())),
                            ("receiptHead", Json.Of(block.Head.ReceiptHead.ToString())),
                            ("receipts", Json.Array(block.Receipts.Select(RecordCommands.ToJson)))
                        )
                    )
                )
            ),
            (
                "verification",
                Json.Object(
                    ("problem", report.Verification.Problem is { } problem ? Json.Of(problem) : "null"),
                    ("receipts", Json.Of(report.Verification.Receipts)),
                    ("ledgerEntries", Json.Of(report.Verification.Entries)),
                    ("keys", Json.Of(report.Verification.Keys))
                )
            ),
            (
                "proof",
                Json.Object(
                    ("holds", Json.Of(report.Verdict is StateVerdict.Holds)),
                    ("contract", Json.Of(report.Proof.Contract)),
                    ("key", Json.Of(report.Proof.Key)),
                    ("value", report.Verdict is StateVerdict.Holds holds ? DataJson.Write(holds.Value) : "null"),
                    ("siblings", Json.Of(report.Proof.Siblings.Length))
                )
            ),
            (
                "changedByte",
                Json.Object(
                    ("offset", Json.Of(report.Damage.Offset)),
                    ("problem", report.Damage.Problem is { } found ? Json.Of(found) : "null")
                )
            )
        );
}
