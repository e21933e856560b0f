namespace Zexus.Differential

open System
open System.IO
open System.Text
open Zexus.Isa

/// A divergence as a person reads it, and as a file.
[<RequireQualifiedAccess>]
module Reporting =
    let private assembly (program: Program) =
        try
            Disassembler.Disassemble program
        with :? ArgumentException ->
            // No container holds it, so there is no assembly text of it either.
            let text = StringBuilder()

            for i in 0 .. program.Constants.Length - 1 do
                text.AppendLine $"; constant {i}: {Tree.show program.Constants[i]}" |> ignore

            for f in 0 .. program.Functions.Length - 1 do
                let func = program.Functions[f]

                let variables =
                    String.Join(
                        ", ",
                        Array.concat [ func.Parameters; func.Locals; func.Captures ] |> Array.map Tree.quote
                    )

                text.AppendLine $"; function {f} {Tree.quote func.Name}: {variables}" |> ignore

                for i in 0 .. func.Code.Length - 1 do
                    let instruction = func.Code[i]

                    let mnemonic =
                        match InstructionSet.TryFind instruction.Number with
                        | true, info -> info.Mnemonic
                        | false, _ -> $"#{instruction.Number}"

                    text.AppendLine $"    {mnemonic} {instruction.A} {instruction.B} {instruction.C}" |> ignore

            text.ToString()

    let private surroundings (case: Case) =
        let lines = ResizeArray<string>()

        if case.GasLimit <> Shrink.plentyOfGas then
            lines.Add $"gas limit {case.GasLimit}"

        let l, d = case.Limits, Limits.Default

        let limit (name: string) value byDefault =
            if value <> byDefault then
                lines.Add $"limit {name} = {value}"

        limit "CallDepth" l.CallDepth d.CallDepth
        limit "IntegerBits" l.IntegerBits d.IntegerBits
        limit "StringLength" l.StringLength d.StringLength
        limit "CollectionLength" l.CollectionLength d.CollectionLength
        limit "Nesting" l.Nesting d.Nesting

        if case.Block <> Host.emptyBlock then
            lines.Add
                $"block: timestamp {case.Block.Timestamp}, height {case.Block.Height}, caller {Tree.quote case.Block.Caller}"

        if case.Entry <> 0 || case.Arguments.Length > 0 then
            let arguments = String.Join(", ", Array.map Tree.show case.Arguments)
            lines.Add $"entry: function {case.Entry} ({arguments})"

        for entry in case.State do
            lines.Add $"state {Tree.quote entry.Key} = {Tree.show entry.Value}"

        if case.Contract <> "" then
            lines.Add $"contract {Tree.quote case.Contract}"

        for contract in case.Contracts do
            let names =
                String.Join(", ", contract.Program.Functions |> Array.map (fun f -> Tree.quote f.Name))

            lines.Add $"contract {Tree.quote contract.Id} can be called: functions {names}"

            for entry in contract.State do
                lines.Add $"    state {Tree.quote entry.Key} = {Tree.show entry.Value}"

        for h in case.Hosts do
            let does =
                match h.Behaviour with
                | HostBehaviour.Returns data -> "returns " + Tree.show data
                | HostBehaviour.Throws data -> "throws " + Tree.show data
                | HostBehaviour.Echoes -> "returns the list of its arguments"
                | HostBehaviour.ThrowsFirst -> "throws its first argument"
                | HostBehaviour.Checks -> "returns its first argument if true, else throws the second"

            lines.Add $"host function {Tree.quote h.Name}, {h.Arity} parameters, gas {h.Gas}: {does}"

        lines.ToArray()

    let private indent (text: string) =
        "    " + text.TrimEnd().Replace("\n", "\n    ")

    /// Instructions of the program, all functions together.
    let size (case: Case) =
        case.Program.Functions |> Array.sumBy _.Code.Length

    let private where (d: Divergence) =
        if d.Function >= 0 then
            $"after step {d.Step}, function {d.Function}, instruction {d.Instruction}, rule {d.Rule}"
        elif d.Rule <> "" then
            $"after step {d.Step}, rule {d.Rule}"
        else
            ""

    let private headline (d: Divergence) =
        let what =
            match d.Trouble with
            | Trouble.Refusal -> "the two sides do not agree on whether, or why, the program loads"
            | Trouble.Step -> "the two states differ " + where d
            | Trouble.End -> "the two executions end differently " + where d
            | Trouble.Host -> "the two sides call the host differently " + where d
            | Trouble.Fact -> "what the kind analysis says of the state is not so " + where d
            | Trouble.Whole when Levels.isRegisterForm d.Level -> "the register form does not do what its source does"
            | Trouble.Whole when d.Level > 0 -> "the optimized program does not do what its source does"
            | Trouble.Whole -> "the engine, not watched, does not do what the oracle does"
            | Trouble.Compiled -> "compiled code does not do what the oracle does"
            | Trouble.Collected -> "the engine, with a collection at every allocation, does not do what the oracle does"
            | Trouble.Optimizer -> "the optimizer makes no code that runs"
            | Trouble.Engine -> "the engine threw an exception " + where d
            | Trouble.Oracle -> "the oracle threw an exception " + where d
            | Trouble.Crash -> "the engine's process died"
            | Trouble.Hang -> "the engine's process did not answer"

        let what = what.TrimEnd()

        if d.Level > 0 then
            $"at level {Levels.name d.Level}, {what}"
        else
            what

    /// The whole report of one divergence.
    let text (report: Report) : string =
        let d = report.Divergence
        let out = StringBuilder()
        let line (s: string) = out.Append(s).Append('\n') |> ignore

        line $"DIVERGENCE: {headline d}"
        line ""

        let claimant = if d.Trouble = Trouble.Fact then "analysis" else "engine"

        for difference in d.Differences do
            line $"  {difference.What}"
            line $"    oracle: {difference.Oracle}"
            line $"    {claimant}: {difference.Engine}"

        if d.Differences.Length = 0 && d.Engine <> "" then
            line (indent d.Engine)

        line ""
        line $"  program ({size report.Case} instructions, shrunk from {size report.Found} in {report.Probes} tries):"
        line ""
        line (indent (assembly report.Case.Program))
        line ""

        if d.Code <> "" then
            line
                $"  optimized code (level {Levels.name d.Level}), each instruction with the one that it acts for and its charges:"

            line ""
            line (indent d.Code)
            line ""

        for s in surroundings report.Case do
            line $"  {s}"

        if d.Before <> "" then
            line ""
            line "  both before the step:"
            line (indent d.Before)

        let after = if d.Step >= 0L then " after it" else ""

        if d.Oracle <> "" then
            line $"  oracle{after}:"
            line (indent d.Oracle)

        if d.Engine <> "" && d.Differences.Length > 0 then
            line $"  engine{after}:"
            line (indent d.Engine)

        line ""

        match report.Origin with
        | Origin.Generated(seed, index) -> line $"  seed {seed}, program {index}; seen {report.Times} times"
        | Origin.Saved path -> line $"  saved case {path}; seen {report.Times} times"
        | Origin.Call(path, call) -> line $"  {call} ({path}); seen {report.Times} times"

        line $"  again: {report.Replay}"
        out.ToString()

    let private slug (d: Divergence) =
        let name = if d.Rule = "" then string d.Trouble else d.Rule

        String(
            name.ToLowerInvariant()
            |> Seq.map (fun c -> if Char.IsAsciiLetterOrDigit c then c else '-')
            |> Seq.toArray
        )

    /// Writes the shrunk case into the folder as a vector; gives its path.
    let save (folder: string) (report: Report) : string =
        Directory.CreateDirectory folder |> ignore

        let name =
            match report.Origin with
            | Origin.Generated(seed, index) -> $"{slug report.Divergence}-{seed}-{index}.json"
            | Origin.Saved path -> Path.GetFileName path
            | Origin.Call(path, _) -> $"{slug report.Divergence}-{Scenario.nameOf path}.json"

        let path = Path.Combine(folder, name)

        let about =
            $"{headline report.Divergence} ({Divergence.key report.Divergence}); {report.Replay}"

        File.WriteAllText(path, Vector.toText about report.Case)
        path

    /// All vectors under a folder, by path: what `CampaignOptions.Saved` takes.
    let vectors (folder: string) =
        if Directory.Exists folder then
            Directory.GetFiles(folder, "*.json", SearchOption.AllDirectories)
            |> Array.sort
            |> Array.map (fun path -> System.Collections.Generic.KeyValuePair(path, File.ReadAllText path))
        else
            [||]
