/// Every rule is total; and a rule that is not is found out.
module Zexus.Proofs.Tests.TotalityTests

open System
open System.IO
open Expecto
open Zexus.Isa
open Zexus.Spec
open Zexus.Proofs
open Zexus.Proofs.Prover
open Zexus.Proofs.Totality

let private root =
    let rec up (folder: DirectoryInfo) =
        if File.Exists(Path.Combine(folder.FullName, "Zexus.Spec.sln")) then
            folder.FullName
        else
            up folder.Parent

    up (DirectoryInfo AppContext.BaseDirectory)

// Rules by hand. They act for NEG, on one unknown value.

let private ofNeg =
    Subjects.all |> List.find (fun subject -> subject.Mnemonic = "NEG")

let private acting (body: Rule<unit>) : Rule<unit> =
    rule {
        do! enterRule ofNeg.Rule
        do! body
    }

let private declared = Set.ofList Branches.all

/// What is said against a rule.
let private against (body: Rule<unit>) : string list =
    let examination =
        examine declared (pathsOf (acting body)) (fun () -> Scenes.start ofNeg.Scenes.Head)

    let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)

    examination.Complaints @ (ask session examination.Queries |> List.choose complaintOf)

let private number = IntTerm.Symbol "a"

let private below n =
    BoolTerm.IntLess(number, IntTerm.Constant n)

/// A path on which a condition holds, whatever else was decided.
let private on (condition: BoolTerm) : Rule<unit> =
    update (fun s -> {
        s with
            Rest.Knowledge.Path = condition :: s.Path
    })

let private eitherOf (rules: Rule<unit> list) : Rule<unit> =
    fun s -> rules |> List.collect (fun rule -> rule s)

let private refused name (body: Rule<unit>) (complaint: string) =
    test name {
        let complaints = against body

        Expect.exists
            complaints
            (fun c -> c.Contains(complaint, StringComparison.Ordinal))
            (String.Join("\n", complaints))
    }

[<Tests>]
let byHand =
    testList "totality of rules by hand" [
        test "a total rule" {
            Expect.isEmpty (against Zexus.Spec.Rules.Arithmetic.NEG) "NEG itself"
            // By arithmetic, not by the look of it.
            Expect.isEmpty (against (eitherOf [ on (below 5I); on (BoolTerm.Not(below 5I)) ])) "below 5 or not"

            Expect.isEmpty
                (against (eitherOf [ on (below 5I); on (BoolTerm.IntLess(IntTerm.Constant 4I, number)) ]))
                "below 5 or above 4"
        }

        refused "two paths that hold together" (eitherOf [ on (below 5I); on (BoolTerm.Not(below 3I)) ]) "no two"
        refused "a path twice" (eitherOf [ skip; skip ]) "no two"

        refused
            "a value that no path covers"
            (eitherOf [ on (below 5I); on (BoolTerm.IntLess(IntTerm.Constant 5I, number)) ])
            "cover"

        refused
            "a kind that no path covers"
            (rule {
                let! value = pop

                match! kindOf value with
                | Kind.Set _ -> return! (fun _ -> [])
                | Kind.Null
                | Kind.Bool _
                | Kind.Int _
                | Kind.Float _
                | Kind.String _
                | Kind.List _
                | Kind.Map _
                | Kind.Function _ -> return ()
            })
            "no path: a Set"

        refused "no path at all" (fun _ -> []) "no path"

        refused
            "an exception"
            (rule {
                let! _ = popMany 2
                return ()
            })
            "throws"

        refused "a branch that is not declared" (branch "by-hand") "arith/neg/by-hand is not declared"
        refused "a fault that is not declared" (fault Fault.DivisionByZero) "division-by-zero is not declared"
        refused
            "two ends"
            (branch (Machine.branchOfFault Fault.TypeMismatch)
             |> fun b ->
                 rule {
                     do! b
                     do! branch "int"
                 })
            "ends in arith/neg/int and in arith/neg/type-mismatch"
        refused "an end in no branch" (resumeRule "control/nop") "in no branch of control/nop"
    ]

[<Tests>]
let rules =
    testSequenced
    <| testList "totality" [
        test "of every rule, asked anew" {
            use witnesses =
                new Zexus.Differential.SavedWitnesses(Path.Combine(root, "tests", "vectors", "witnesses"))

            let reports =
                proveAll
                    (AnswerCache.AnswerCache None)
                    Environment.ProcessorCount
                    witnesses.Replay
                    ignore
                    ignore
                    Subjects.all

            let reds = [
                for report in reports do
                    for complaint in report.Complaints do
                        report.Rule + ": " + complaint
            ]

            Expect.isEmpty reds (String.Join("\n", List.truncate 100 reds))

            let rules = reports |> List.map _.Rule
            Expect.equal (List.sort rules) (Branches.byRule |> List.map fst |> List.sort) "every rule has its report"

            for report in reports do
                Expect.isGreaterThan report.Paths 0 report.Rule
                Expect.isGreaterThan report.Proved 0 report.Rule
                Expect.equal report.Agreed report.Asked (report.Rule + ": the solvers agree")

            // Most branches have a model of the solver's own; witnesses serve where host functions or long runs are asked for.
            let shown how =
                reports |> List.sumBy (fun report -> report.Count how)

            Expect.isGreaterThan (shown Shown.Model) (4 * (shown Shown.Values + shown Shown.Witness)) "models"
        }

        test "a branch without a model is red, by name" {
            let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)
            // Without its scenes, and with no witness saved, nothing enters a branch.
            let report =
                prove session (fun _ -> Error "no witness is saved") {
                    ofNeg with
                        Scenes = List.truncate 1 ofNeg.Scenes |> List.map (fun s -> { s with HasHost = true })
                }

            Expect.contains
                report.Complaints
                "the branch arith/neg/float has no model: no witness is saved"
                (String.Join("\n", report.Complaints))
        }
    ]
