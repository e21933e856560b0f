namespace Zexus.Differential

open System
open System.Collections.Generic
open System.IO
open System.Threading

/// A small case that reaches a rule branch.
type Witness = { Branch: string; Case: Case }

/// One witness for each rule branch: the floor of coverage, so that it does not depend on what a seed happens to generate.
[<RequireQualifiedAccess>]
module Witness =
    /// How often a case may be made smaller.
    let private tries = 400

    /// The branches that a run reaches, if both sides agree on it.
    let reach (check: Check) (case: Case) : int[] =
        let coverage = Coverage()
        let verdict = check.Invoke(coverage, case)

        if verdict.Divergence.IsSome || verdict.Refusal.IsSome then
            [||]
        else
            [|
                for branch in 0 .. coverage.Counts.Length - 1 do
                    if coverage.Counts[branch] > 0L then
                        branch
            |]

    let private runs (check: Check) (case: Case) : Case seq =
        Worker.Run(check, Coverage(), case) |> Seq.map _.Case

    /// Looks through the given cases and the first generated ones of a seed for each wanted branch, and makes the smallest case found smaller still.
    let find
        (check: Check)
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

                for branch in reach check run do
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
                    reach check candidate |> Array.contains branch

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
                Witness.reach (Check(fun coverage case -> checks.Value.Check(coverage, case))) case

            if Array.contains (Coverage.IndexOf branch) reached then
                Ok()
            else
                Error "its saved witness does not reach it, or oracle and engine differ on it")

    interface IDisposable with
        member _.Dispose() =
            for check in checks.Values do
                (check :> IDisposable).Dispose()

            checks.Dispose()
