/// The declared branches against the text of the rules, both ways, and against the tables.
module Zexus.Spec.Tests.BranchTests

open System.IO
open System.Text.RegularExpressions
open Expecto
open Zexus.Isa
open Zexus.Spec

let private sources =
    Directory.GetFiles(Path.Combine(Support.root, "spec", "Zexus.Spec"), "*.fs", SearchOption.AllDirectories)
    |> Array.filter (fun file -> not (file.Contains "obj"))
    |> Array.map (fun file -> Path.GetFileName file, File.ReadAllText file)

let private rules =
    sources
    |> Array.filter (fun (name, _) -> name <> "Branches.fs")
    |> Array.map snd
    |> String.concat "\n"

let private declared = Branches.byRule |> List.collect snd |> set

let private literals (pattern: string) =
    Regex.Matches(rules, pattern) |> Seq.map _.Groups[1].Value |> set

/// Every literal that is handed to `branch`, or put among the branches reached by the vocabulary itself.
let private said =
    let onOneLine = Regex.Replace(rules, @"\s+", " ")

    let handed =
        """branch "[^"]+"|branch \( ?if [^)]+\)|\("control/catch", \( ?if [^)]+\)"""

    let quoted = "\"([a-z-]+)\""

    let inExpressions =
        Regex.Matches(onOneLine, handed)
        |> Seq.collect (fun e -> Regex.Matches(e.Value, quoted) |> Seq.map _.Groups[1].Value)

    set inExpressions
    + literals "branchOf \"[^\"]+\" \"([^\"]+)\""
    + literals "\(name, \"([a-z-]+)\"\) :: s.Reached"
    + literals "-> Some\(\"([a-z-]+)\"\)"

[<Tests>]
let branches =
    testList "branches" [
        test "every branch that a rule names is declared" {
            Expect.isGreaterThan said.Count 60 "literals found"
            Expect.equal (said - declared) Set.empty "undeclared"
        }
        test "every declared branch is named by a rule, or is a fault" {
            let faults =
                [
                    for info in InstructionSet.Rows do
                        yield! info.Faults
                ]
                @ [
                    for info in Library.Rows do
                        yield! info.Faults
                ]

            let faultNames = faults |> List.map Machine.branchOfFault |> set
            let byValue = literals "-> \"([a-z-]+)\""
            Expect.equal (declared - said - faultNames - byValue) Set.empty "named by no rule"
        }
        test "a rule is declared once, and has each branch once" {
            let names = Branches.byRule |> List.map fst
            Expect.equal (List.distinct names) names "rules"

            for rule, branches in Branches.byRule do
                Expect.equal (List.distinct branches) branches rule
        }
        test "every specified opcode and every routine has its rule" {
            let names = Branches.byRule |> List.map fst |> set

            for info in InstructionSet.Rows do
                Expect.equal (names.Contains info.Rule) (info.Status = Status.Specified) info.Mnemonic

            for info in Library.Rows do
                Expect.isTrue (names.Contains info.Rule) info.Signature
        }
        test "the specification is pure: no mutable state, no input or output, no clock" {
            let forbidden =
                Regex
                    @"\bmutable\b|\bref\b|<-|System\.IO|DateTime|Stopwatch|Random|printf|Console\b|Environment\b|Thread|Task\."

            for name, text in sources do
                let code =
                    text.Split '\n'
                    |> Array.filter (fun line -> not (line.TrimStart().StartsWith "//"))
                    |> String.concat "\n"

                let found = forbidden.Matches code |> Seq.map _.Value |> Seq.toList
                Expect.isEmpty found name
        }
    ]
