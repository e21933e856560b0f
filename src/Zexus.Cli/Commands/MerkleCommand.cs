using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Zexus.Chain;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus merkle root|prove|verify`.</summary>
internal static class MerkleCommand
{
    private const string TextLeaves = "text";
    private const string JsonLeaves = "json";

    public static Command Create(Terminal terminal)
    {
        Command command = new(
            "merkle",
            "Roots of leaves, as MERKLE_ROOT gives them, and proofs of a leaf (docs/merkle.md)."
        )
        {
            CreateRoot(terminal),
            CreateProve(terminal),
            CreateVerify(terminal),
        };
        HelpWithExamples.Add(
            command,
            "./zexus merkle root orders.txt",
            "./zexus merkle prove orders.txt 17 --out order.proof.json",
            "./zexus merkle verify order.proof.json --root 5d1c…"
        );
        return command;
    }

    private static Command CreateRoot(Terminal terminal)
    {
        Argument<string> file = FileArgument();
        Option<string> leaves = LeavesOption();
        Option<bool> json = JsonOption();
        Command command = new("root", "The root: 64 hexadecimal digits, an empty line without leaves.")
        {
            file,
            leaves,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus merkle root orders.txt",
            "./zexus merkle root --leaves json orders.jsonl",
            "seq 1000000 | ./zexus merkle root -"
        );
        command.SetAction(parsed =>
        {
            string path = parsed.GetRequiredValue(file);
            MerkleTree tree = new();
            Read(path, parsed.GetRequiredValue(leaves), tree, terminal);
            MerkleSummary summary = tree.Complete();
            string ambiguity = MerkleProof.Ambiguity(summary);
            if (parsed.GetValue(json))
            {
                terminal.Out.WriteLine(
                    Json.Document(
                        ("root", Json.Of(summary.Root)),
                        ("leaves", Json.Of(summary.Leaves)),
                        ("ambiguity", ambiguity == "" ? "null" : Json.Of(ambiguity))
                    )
                );
                return ExitCode.Completed;
            }

            terminal.Out.WriteLine(summary.Root);
            if (ambiguity != "")
            {
                terminal.Error.WriteLine($"warning: other leaves have the same root: {ambiguity} (docs/merkle.md)");
            }

            return ExitCode.Completed;
        });
        return command;
    }

    private static Command CreateProve(Terminal terminal)
    {
        Argument<string> file = FileArgument();
        Argument<int> index = new("INDEX") { Description = "The leaf, counted from 0.", CustomParser = ParseIndex };
        Option<string> leaves = LeavesOption();
        Option<string?> output = OutputOption.Create();
        Command command = new(
            "prove",
            "Prove that a leaf is under the root: a JSON document (docs/json.md) that is checked without the leaves."
        )
        {
            file,
            index,
            leaves,
            output,
        };
        HelpWithExamples.Add(
            command,
            "./zexus merkle prove orders.txt 17",
            "./zexus merkle prove orders.txt 17 --out order.proof.json"
        );
        command.SetAction(parsed =>
        {
            string path = parsed.GetRequiredValue(file);
            int wanted = parsed.GetRequiredValue(index);
            MerkleTree tree = new(wanted);
            Data? leaf = Read(path, parsed.GetRequiredValue(leaves), tree, terminal, wanted);
            if (leaf is null)
            {
                string count = tree.Count == 1 ? "1 leaf" : $"{tree.Count} leaves";
                throw Problem.Usage(
                    $"there is no leaf {wanted}: {InputFile.Shown(path)} has {count}",
                    "They are counted from 0."
                );
            }

            MerkleSummary summary = tree.Complete();
            string ambiguity = MerkleProof.Ambiguity(summary);
            if (ambiguity != "")
            {
                throw new Problem(
                    ExitCode.Faulted,
                    $"other leaves have the same root, so it proves nothing: {ambiguity}",
                    "Leaves that differ, by their numbers for example, and are no digests put side by side, have proofs (docs/merkle.md)."
                );
            }

            string text = new MerkleProof(
                Digest.Parse(summary.Root),
                summary.Leaves,
                wanted,
                leaf,
                summary.Siblings
            ).ToJson();
            OutputOption.Write(parsed.GetValue(output), [text], terminal);

            return ExitCode.Completed;
        });
        return command;
    }

    private static Command CreateVerify(Terminal terminal)
    {
        Argument<string> file = new("PROOF")
        {
            Description = "A proof, as 'merkle prove' writes it; - is standard input.",
        };
        Option<Digest> root = RootOption.Create("root");
        Option<string?> leaf = new("--leaf")
        {
            Description = "The leaf to ask about, as a String; the proof's own when not given.",
            HelpName = "TEXT",
        };
        Option<bool> json = JsonOption();
        Command command = new("verify", "Check a proof against a root, without the leaves, and say what it proves.")
        {
            file,
            root,
            leaf,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus merkle verify order.proof.json --root 5d1c…",
            "./zexus merkle verify order.proof.json --root 5d1c… --leaf '17: 3 bolts' --json"
        );
        command.SetAction(parsed =>
        {
            MerkleProof proof = JsonFile.Read(
                parsed.GetRequiredValue(file),
                terminal,
                bytes => MerkleProof.Parse(bytes),
                "a proof is what './zexus merkle prove' writes"
            );
            Data asked = parsed.GetValue(leaf) is string text ? Data.NewString(text) : proof.Leaf;
            string reason = proof.Check(parsed.GetRequiredValue(root), asked);
            string value = DataJson.Write(asked);
            if (parsed.GetValue(json))
            {
                terminal.Out.WriteLine(
                    Json.Document([
                        ("status", Json.Of(reason == "" ? "holds" : "refused")),
                        ("index", Json.Of(proof.Index)),
                        ("leaf", value),
                        .. reason == "" ? Array.Empty<(string, string)>() : [("reason", Json.Of(reason))],
                    ])
                );
            }
            else
            {
                terminal.Out.WriteLine(
                    reason == ""
                        ? $"holds    leaf {proof.Index}: {value}"
                        : $"refused  of leaf {proof.Index} nothing is proved: {reason}"
                );
            }

            return reason == "" ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    /// <summary>Adds all leaves, and returns the wanted one; null when it is not there.</summary>
    private static Data? Read(string path, string form, MerkleTree tree, Terminal terminal, int? wanted = null)
    {
        Data? found = null;
        string shown = InputFile.Shown(path);
        Limits limits = Limits.Default;
        using CountProgress progress = new(terminal, "leaves");

        // A character takes up to four bytes; JSON has room for what is written around and instead of characters.
        int longest = form == TextLeaves ? 4 * limits.StringLength : 64 * limits.StringLength;
        LineFile.Read(
            path,
            longest,
            terminal,
            (line, number) =>
            {
                if (tree.Count == MerkleTree.MostLeaves)
                {
                    throw Problem.File($"'{shown}' has more than {MerkleTree.MostLeaves:N0} leaves");
                }

                progress.Show(tree.Count);
                if (form == JsonLeaves)
                {
                    Data leaf = JsonLeaf(line, shown, number, limits);
                    try
                    {
                        tree.Add(leaf);
                    }
                    catch (ArgumentException e)
                    {
                        throw Problem.File($"{shown}:{number}: {e.Message.Split(" (Parameter")[0]}");
                    }

                    found = tree.Count - 1 == wanted ? leaf : found;
                    return;
                }

                if (!Utf8.IsValid(line))
                {
                    throw Problem.File(
                        $"{shown}:{number}: the line is no UTF-8, and a leaf is text",
                        "Bytes that are no text can be leaves in hexadecimal."
                    );
                }

                if (
                    line.Length > limits.StringLength
                    && Encoding.UTF8.GetString(line).EnumerateRunes().Count() > limits.StringLength
                )
                {
                    throw Problem.File(
                        $"{shown}:{number}: the line is longer than {limits.StringLength:N0} characters, the longest String"
                    );
                }

                tree.Add(line);
                if (tree.Count - 1 == wanted)
                {
                    found = Data.NewString(Encoding.UTF8.GetString(line));
                }
            }
        );
        return found;
    }

    private static Data JsonLeaf(ReadOnlySpan<byte> line, string shown, long number, Limits limits)
    {
        try
        {
            return DataJson.Read(line.ToArray(), limits);
        }
        catch (MalformedJsonException e)
        {
            string place = e.Column is long column ? $"{shown}:{number}:{column}" : $"{shown}:{number}";
            throw Problem.File(
                e.IsEmpty
                    ? $"{place}: the line is empty; with --leaves json each is a JSON value"
                    : $"{place}: {Terminal.Printable(e.Message)}"
            );
        }
    }

    private static int ParseIndex(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (!int.TryParse(text.Replace("_", ""), NumberStyles.None, CultureInfo.InvariantCulture, out int index))
        {
            result.AddError($"the index is a whole number from 0 to {MerkleTree.MostLeaves - 1}, not '{text}'");
        }

        return index;
    }

    private static Argument<string> FileArgument() =>
        new("FILE") { Description = "The leaves, one a line, each without its line end; - is standard input." };

    private static Option<string> LeavesOption()
    {
        Option<string> option = new("--leaves")
        {
            Description = "What a line is: 'text', a String, or 'json', a value as in a state (docs/json.md).",
            DefaultValueFactory = _ => TextLeaves,
        };
        option.AcceptOnlyFromAmong(TextLeaves, JsonLeaves);
        return option;
    }

    private static Option<bool> JsonOption() =>
        new("--json") { Description = "One JSON document on standard output (docs/json.md)." };
}
