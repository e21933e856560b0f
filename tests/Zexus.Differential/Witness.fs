namespace Zexus.Differential

open System
open System.Collections.Generic
open System.IO
open System.Threading
open Zexus.Isa

/// A small case whose code at a level reaches a rule branch.
type Witness = { Branch: string; Case: Case }

/// One witness for each rule branch at each level: the floor of coverage, so that it does not depend on what a seed happens to generate.
[<RequireQualifiedAccess>]
module Witness =
    /// How often a case may be made smaller.
    let private tries = 400

    /// The branches that a run reaches, if both sides agree on it.
    let reach (check: Check) (level: int) (case: Case) : int[] =
        let counts = LevelCounts.ForAll()
        let verdict = check.Invoke(counts, LevelPlan.every [| level |], case)
        let coverage = counts[level].Coverage

        if verdict.Divergence.IsSome || verdict.Refusal.IsSome then
            [||]
        else
            [|
                for branch in 0 .. coverage.Counts.Length - 1 do
                    if coverage.Counts[branch] > 0L then
                        branch
            |]

    let private runs (check: Check) (case: Case) : Case seq =
        Worker.Run(
            check,
            LevelCounts.ForAll(),
            {
                Levels = [||]
                Stepwise = [||]
                Collected = [||]
                Compiled = [||]
                Compilers = [||]
                IsLoopHeavy = false
            },
            case
        )
        |> Seq.map _.Case

    /// The same with constants that come out of the state, where no analysis of the code sees them. None when it loads no constant.
    let veil (case: Case) : Case option =
        let number opcode = (InstructionSet.Of opcode).Number
        let load = number Opcode.LOAD_CONST
        let p = case.Program

        let loaded =
            [|
                for f in p.Functions do
                    for i in f.Code do
                        if i.Number = load then
                            int i.A
            |]
            |> Array.distinct

        if loaded.Length = 0 then
            None
        else
            let key c = $"veiled {c}"

            let veilCode (code: Instruction[]) =
                let isLoad (i: Instruction) = i.Number = load
                // Where each instruction, and the end, goes.
                let places =
                    code |> Array.scan (fun place i -> if isLoad i then place + 2L else place + 1L) 0L

                let retarget (i: Instruction) =
                    let target =
                        match InstructionSet.TryFind i.Number with
                        | true, info -> info.Operands |> Array.tryFindIndex (fun o -> o.Kind = OperandKind.Target)
                        | false, _ -> None

                    match target with
                    | Some 0 -> { i with A = places[int i.A] }
                    | Some 1 -> { i with B = places[int i.B] }
                    | Some k -> invalidOp $"a target as operand {k}"
                    | None -> i

                [|
                    for i in code do
                        if isLoad i then
                            {
                                i with
                                    A = int64 (p.Constants.Length + Array.findIndex ((=) (int i.A)) loaded)
                            }

                            Instruction.Of(number Opcode.STATE_READ, 0L, 0L, 0L)
                        else
                            retarget i
                |]

            Some {
                case with
                    Program = {
                        p with
                            Constants = Array.append p.Constants [| for c in loaded -> Data.String(key c) |]
                            Functions = p.Functions |> Array.map (fun f -> { f with Code = veilCode f.Code })
                    }
                    State = Array.append case.State [| for c in loaded -> KeyValuePair(key c, p.Constants[c]) |]
            }

    /// Looks through the given cases and the first generated ones of a seed for each wanted branch, and makes the smallest case found smaller still.
    let find
        (check: Check)
        (level: int)
        (given: Case seq)
        (seed: uint64)
        (programs: int64)
        (wanted: IReadOnlySet<string>)
        (cancel: CancellationToken)
        : Witness seq =
        let best = Dictionary<int, struct (int64 * Case)>()

        let consider (case: Case) =
            for run in runs check case do
                let weight = lazy (Shrink.weight run)

                for branch in reach check level run do
                    match best.TryGetValue branch with
                    | true, struct (smallest, _) when smallest <= weight.Value -> ()
                    | _ ->
                        if wanted.Contains Coverage.Names[branch] then
                            best[branch] <- struct (weight.Value, run)

        for case in given do
            consider case

        let mutable k = 0L

        while k < programs && not cancel.IsCancellationRequested do
            consider (Generate.case seed k)
            k <- k + 1L

        seq {
            for KeyValue(branch, struct (_, case)) in best do
                let stillReaches candidate =
                    reach check level candidate |> Array.contains branch

                {
                    Branch = Coverage.Names[branch]
                    Case = fst (Shrink.minimize tries stillReaches case)
                }
        }

/// The witnesses that are saved: a file for each branch, `RULE/BRANCH.json`.
[<Sealed>]
type SavedWitnesses(folder: string) =
    // A check is one thread's.
    let checks = new ThreadLocal<LockStep>((fun () -> new LockStep()), true)

    let caseOf (branch: string) : Result<Case, string> =
        let path =
            Path.Combine(folder, branch.Replace('/', Path.DirectorySeparatorChar) + ".json")

        try
            Ok(Vector.parse (File.ReadAllText path))
        with
        | :? IOException -> Error "no witness is saved"
        | error -> Error("the saved witness cannot be read: " + error.Message)

    /// Does the saved case reach the branch, and do oracle and engine agree on every step of it? Else why not.
    member _.Replay(branch: Zexus.Spec.Branch) : Result<unit, string> =
        let name = Zexus.Spec.Branches.name branch

        caseOf name
        |> Result.bind (fun case ->
            let reached =
                Witness.reach (Check(fun counts plan case -> checks.Value.Check(counts, plan, case))) 0 case

            if Array.contains (Coverage.IndexOf branch) reached then
                Ok()
            else
                Error "its saved witness does not reach it, or oracle and engine differ on it")

    interface IDisposable with
        member _.Dispose() =
            for check in checks.Values do
                (check :> IDisposable).Dispose()

            checks.Dispose()
