/// Every rule is total; and rules that are not are found out.
module Zexus.Proofs.Tests.TotalityTests

open System
open System.IO
open Expecto
open Zexus.Proofs
open Zexus.Proofs.Totality

let private root =
    let rec up (folder: DirectoryInfo) =
        if File.Exists(Path.Combine(folder.FullName, "Zexus.Spec.sln")) then
            folder.FullName
        else
            up folder.Parent

    up (DirectoryInfo AppContext.BaseDirectory)

[<Tests>]
let rules =
    testSequenced
    <| testList "totality" [
        test "of every rule" {
            use witnesses =
                new Zexus.Differential.SavedWitnesses(Path.Combine(root, "tests", "vectors", "witnesses"))

            let clock = Diagnostics.Stopwatch.StartNew()

            let reports =
                proveAll
                    (AnswerCache.AnswerCache None)
                    Environment.ProcessorCount
                    witnesses.Replay
                    ignore
                    (fun r ->
                        if r.Time.TotalSeconds > 2.0 then
                            eprintfn
                                "%s %d scenes %d combos %d paths %d runs %d asked %.1f"
                                r.Rule
                                r.Scenes
                                r.Combinations
                                r.Paths
                                r.Runs
                                r.Asked
                                r.Time.TotalSeconds)
                    (let one = Environment.GetEnvironmentVariable "ONE" in
                     Subjects.all |> List.filter (fun s -> isNull one || s.Rule.StartsWith one))

            let total f = reports |> List.sumBy f

            eprintfn
                "%d rules %d scenes %d combos %d paths %d opaque %d runs %d asked %.1f s"
                reports.Length
                (total _.Scenes)
                (total _.Combinations)
                (total _.Paths)
                (total _.OpaquePaths)
                (total _.Runs)
                (total _.Asked)
                clock.Elapsed.TotalSeconds

            let shown w =
                reports |> List.sumBy (fun r -> r.Branches |> List.filter (fun b -> b.Shown = Ok w) |> List.length)

            eprintfn "model %d values %d witness %d" (shown Shown.Model) (shown Shown.Values) (shown Shown.Witness)

            eprintfn
                "distinct queries %d"
                (reports
                 |> List.collect (fun r -> r.Queries |> List.map (fun (_, q) -> q.Text))
                 |> List.distinct
                 |> List.length)

            for r in reports do
                for b in r.Branches do
                    if b.Shown = Ok Shown.Witness then
                        eprintfn "%s " (Zexus.Spec.Branches.name b.Branch)

            let reds = [
                for report in reports do
                    for complaint in report.Complaints -> report.Rule + ": " + complaint
            ]

            Expect.isEmpty (List.truncate 60 reds) (String.Join("\n", List.truncate 100 reds))
        }
    ]
