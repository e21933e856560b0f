using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text;
using Zexus.Chain;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus state`: states in files and in stores, their roots and proofs.</summary>
internal static class StateCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new(
            "state",
            "Stores and what is in them; the root of a state, and proofs of what a key holds in it."
        )
        {
            StoreCommands.CreateNew(terminal),
            StoreCommands.CreateGet(terminal),
            StoreCommands.CreateList(terminal),
            StoreCommands.CreateExport(terminal),
            StoreCommands.CreatePrune(terminal),
            StoreCommands.CreateVerify(terminal),
            StoreCommands.CreateRebuild(terminal),
            CreateRoot(terminal),
            CreateProve(terminal),
            CreateVerify(terminal),
        };
        HelpWithExamples.Add(
            command,
            "./zexus state new chain",
            "./zexus state get chain visits",
            "./zexus state root --state chain",
            "./zexus state prove --state before.json visits --out visits.proof.json",
            "./zexus state verify-proof visits.proof.json --root 5d1c…"
        );
        return command;
    }

    private static Command CreateRoot(Terminal terminal)
    {
        Option<string> state = StateOption();
        Option<string> contract = ContractOption();
        Option<bool> json = JsonOption();
        Command command = new("root", "The state root: 64 hexadecimal digits.") { state, contract, json };
        HelpWithExamples.Add(
            command,
            "./zexus state root --state before.json",
            "./zexus state root --state before.json --contract token"
        );
        command.SetAction(parsed =>
        {
            string source = parsed.GetRequiredValue(state);
            (Digest root, int count) = Directory.Exists(source)
                ? RootOf(source)
                : RootOf(StateFile.Read(source, Limits.Default, terminal), parsed.GetRequiredValue(contract));
            terminal.Out.WriteLine(
                parsed.GetValue(json)
                    ? Json.Document(("root", Json.Of(root.ToString())), ("pairs", Json.Of(count)))
                    : root.ToString()
            );
            return ExitCode.Completed;
        });
        return command;
    }

    private static Command CreateProve(Terminal terminal)
    {
        Argument<string> key = new("KEY") { Description = "The key; one that begins with - stands behind --." };
        Option<string> state = StateOption();
        Option<string> contract = ContractOption();
        Option<string?> output = OutputOption.Create();
        Command command = new(
            "prove",
            "Prove what a key holds, or that it holds nothing: a JSON document (docs/json.md) that is checked without the state."
        )
        {
            key,
            state,
            contract,
            output,
        };
        HelpWithExamples.Add(
            command,
            "./zexus state prove --state before.json visits",
            "./zexus state prove --state before.json visits --out visits.proof.json"
        );
        command.SetAction(parsed =>
        {
            string source = parsed.GetRequiredValue(state);
            string owner = parsed.GetRequiredValue(contract);
            string text = (
                Directory.Exists(source)
                    ? Prove(owner, parsed.GetRequiredValue(key), source)
                    : Prove(owner, parsed.GetRequiredValue(key), StateFile.Read(source, Limits.Default, terminal))
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
            Description = "A proof, as 'state prove' writes it; - is standard input.",
        };
        Option<Digest> root = RootOption.Create("state root");
        Option<string?> key = new("--key")
        {
            Description = "The key to ask about; the proof's own when not given.",
            HelpName = "KEY",
        };
        Option<string?> contract = new("--contract")
        {
            Description = "The contract to ask about; the proof's own when not given.",
            HelpName = "ID",
        };
        Option<bool> json = JsonOption();
        Command command = new(
            "verify-proof",
            "Check a proof against a state root, without the state, and say what it proves."
        )
        {
            file,
            root,
            key,
            contract,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus state verify-proof visits.proof.json --root 5d1c…",
            "./zexus state verify-proof visits.proof.json --root 5d1c… --key visits --json"
        );
        command.SetAction(parsed =>
        {
            StateProof proof = JsonFile.Read(
                parsed.GetRequiredValue(file),
                terminal,
                bytes => StateProof.Parse(bytes),
                "a proof is what './zexus state prove' writes"
            );
            string askedContract = parsed.GetValue(contract) ?? proof.Contract;
            string askedKey = parsed.GetValue(key) ?? proof.Key;
            StateVerdict verdict = proof.Check(parsed.GetRequiredValue(root), askedContract, askedKey);
            terminal.Out.WriteLine(
                parsed.GetValue(json)
                    ? VerdictJson(verdict, askedContract, askedKey)
                    : VerdictText(verdict, askedContract, askedKey)
            );
            return verdict is StateVerdict.Refused ? ExitCode.Faulted : ExitCode.Completed;
        });
        return command;
    }

    private static (Digest Root, int Count) RootOf(string directory)
    {
        using DurableStore store = DurableStore.Open(directory);
        return (store.Head.StateRoot, store.State().Count());
    }

    private static (Digest Root, int Count) RootOf(IReadOnlyDictionary<string, Data> pairs, string contract) =>
        (Tree(contract, pairs).Root, pairs.Count);

    private static StateProof Prove(string contract, string key, string directory)
    {
        using DurableStore store = DurableStore.Open(directory);
        return store.Prove(contract, key);
    }

    private static StateTree Tree(string contract, IReadOnlyDictionary<string, Data> pairs)
    {
        StateTree tree = new();
        tree.Update([.. pairs.Select(pair => StateWrite.Put(contract, pair.Key, pair.Value))]);
        return tree;
    }

    private static StateProof Prove(string contract, string key, IReadOnlyDictionary<string, Data> pairs) =>
        Tree(contract, pairs)
            .Prove(
                contract,
                key,
                path =>
                    pairs
                        .Select(pair => new StatePair(contract, pair.Key, pair.Value))
                        .First(pair => StateTree.PathOf(pair.Contract, pair.Key) == path)
            );

    private static string VerdictJson(StateVerdict verdict, string contract, string key)
    {
        (string status, (string, string)[] more) = verdict switch
        {
            StateVerdict.Holds holds => ("holds", [("value", DataJson.Write(holds.Value))]),
            StateVerdict.Absent => ("absent", Array.Empty<(string, string)>()),
            StateVerdict.Refused refused => ("refused", [("reason", Json.Of(refused.Reason))]),
            _ => throw new ArgumentOutOfRangeException(nameof(verdict)),
        };
        return Json.Document([
            ("status", Json.Of(status)),
            ("contract", Json.Of(contract)),
            ("key", Json.Of(key)),
            .. more,
        ]);
    }

    private static string VerdictText(StateVerdict verdict, string contract, string key)
    {
        string what = contract == "" ? Literal.Quoted(key) : $"{Literal.Quoted(key)} of {Literal.Quoted(contract)}";
        return verdict switch
        {
            StateVerdict.Holds holds => $"holds    {what}: {DataJson.Write(holds.Value)}",
            StateVerdict.Absent => $"absent   {what} is not in the state",
            StateVerdict.Refused refused =>
                $"refused  of {what} nothing is proved: {Terminal.Printable(refused.Reason)}",
            _ => throw new ArgumentOutOfRangeException(nameof(verdict)),
        };
    }

    private static Option<string> StateOption() =>
        new("--state")
        {
            Description =
                "The state: a JSON object, as 'run' reads and writes it (docs/json.md), or a store's directory.",
            HelpName = "FILE|DIR",
            Required = true,
        };

    internal static Option<string> ContractOption() =>
        new("--contract")
        {
            Description = "The contract whose keys these are.",
            HelpName = "ID",
            DefaultValueFactory = _ => "",
        };

    internal static Option<bool> JsonOption() =>
        new("--json") { Description = "One JSON document on standard output (docs/json.md)." };
}
