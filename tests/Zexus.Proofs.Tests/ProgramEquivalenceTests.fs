/// Whole programs: equal ones are proved equal, different ones refuted by a start that shows it, the rest is said to be undecided.
module Zexus.Proofs.Tests.ProgramEquivalenceTests

open System.Threading
open Expecto
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec
open Zexus.Proofs
open Zexus.Proofs.Prover
open Zexus.Proofs.ProgramEquivalence

let private side name text : Side =
    let result = Assembler.Assemble(text, name)

    if not result.Succeeded then
        failtestf "%A" (List.ofSeq result.Diagnostics)

    match Validation.validate Limits.Default result.Program with
    | Error refusal -> failtest (refusal.Describe result.Program)
    | Ok loaded -> {
        Name = name
        Oracle = loaded
        Engine = ZexusProgram.Load result.Program
      }

let private compareWith options a b : Report =
    let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)
    compare options session.Ask silent CancellationToken.None (side "a" a) (side "b" b)

let private expectEquivalent (report: Report) =
    match report.Verdict with
    | Equivalent -> ()
    | Different c -> failtestf "different: %A against %A at %A, gas %d" c.OracleLeft c.OracleRight c.State c.GasLimit
    | Undecided paths -> failtestf "undecided: %A" paths

let private expectDifferent (report: Report) =
    match report.Verdict with
    | Different c ->
        Expect.isTrue c.IsConfirmed "confirmed on oracle and engine"
        c
    | Equivalent -> failtest "equivalent"
    | Undecided paths -> failtestf "undecided: %A" paths

/// A counter in the state, with a guard on its value.
let private visits =
    """
    .func main()
        LOAD_CONST "visits"
        STATE_READ
        LOAD_CONST 100
        LT
        JUMP_IF_FALSE full
        LOAD_CONST "visits"
        LOAD_CONST "visits"
        STATE_READ
        LOAD_CONST 1
        ADD
        STATE_WRITE
    full:
    .end
    """

[<Tests>]
let programs =
    testList "program equivalence" [
        test "a program is equivalent to itself, whatever the state is" {
            let report = compareWith usual visits visits
            expectEquivalent report
            Expect.isGreaterThan (fst report.Paths) 3 "a path for each kind of the value"
        }

        test "INC costs more than adding 1, so it is no equal but for gas" {
            let other = visits.Replace("LOAD_CONST 1\n        ADD", "INC")
            compareWith usual visits other |> expectDifferent |> ignore

            compareWith { usual with IgnoresGas = true } visits other |> expectEquivalent
        }

        test "a difference at one value of the state is found, and runs" {
            let other =
                visits.Replace("LOAD_CONST 100\n        LT", "LOAD_CONST 99\n        LTE")

            // Equal on Ints; 99.5 tells them apart.
            let c = compareWith { usual with IgnoresGas = true } visits other |> expectDifferent

            match Map.tryFind "visits" c.State with
            | Some(Data.Float x) -> Expect.isTrue (x > 99.0 && x < 100.0) (string x)
            | other -> failtestf "%A" other
        }

        test "loops that the program settles are no question of the bound" {
            let sum (body: string) =
                $"""
                .func main() locals i, total
                    STORE_CONST total, 0
                    STORE_CONST i, 30
                head:
                    LOAD_NAME i
                    JUMP_IF_FALSE done
                    {body}
                    STORE_NAME total
                    LOAD_NAME i
                    DEC
                    STORE_NAME i
                    JUMP head
                done:
                    LOAD_NAME total
                    RETURN
                .end
                """

            let a = sum "LOAD_NAME total\n LOAD_NAME i\n ADD"
            let b = sum "LOAD_NAME i\n LOAD_NAME total\n ADD"
            let report = compareWith usual a b
            expectEquivalent report
            Expect.equal report.AtBound 0 "no path at the bound"
        }

        test "a loop over what is unknown is turned up to the bound, and that is said" {
            let countdown (step: string) =
                $"""
                .func main() locals n
                    LOAD_CONST "n"
                    STATE_READ
                    STORE_NAME n
                head:
                    LOAD_NAME n
                    LOAD_CONST 0
                    GT
                    JUMP_IF_FALSE done
                    LOAD_NAME n
                    {step}
                    STORE_NAME n
                    JUMP head
                done:
                    LOAD_NAME n
                    RETURN
                .end
                """

            let options = {
                usual with
                    Unroll = 3
                    IgnoresGas = true
            }

            let report = compareWith options (countdown "DEC") (countdown "LOAD_CONST 1\n SUB")
            expectEquivalent report
            Expect.isGreaterThan report.AtBound 0 "paths at the bound"
            compareWith options (countdown "DEC") (countdown "LOAD_CONST 2\n SUB") |> expectDifferent |> ignore
        }

        test "what looks the same in result and differs in output, events or audit is different" {
            for instruction in [ "PRINT"; "EMIT_EVENT done"; "LEDGER_APPEND" ] do
                let text value =
                    $".func main()\n LOAD_CONST {value}\n {instruction}\n.end"

                compareWith usual (text "1") (text "2") |> expectDifferent |> ignore
                compareWith usual (text "1") (text "1") |> expectEquivalent
        }

        test "the block is open: who reads it is not proved for one block only" {
            let reads =
                ".func main()\n CALL_BUILTIN height, 0\n LOAD_CONST 5\n EQ\n RETURN\n.end"

            let constant = ".func main()\n LOAD_CONST false\n RETURN\n.end"

            let c =
                compareWith { usual with IgnoresGas = true } reads constant |> expectDifferent

            Expect.equal c.Height 5L "height"
        }

        test "a list in the state that one side changes is undecided, and the path is named" {
            let text =
                ".func main()\n LOAD_CONST \"k\"\n STATE_READ\n LOAD_CONST 1\n CALL_METHOD push, 1\n RETURN\n.end"

            match (compareWith usual text text).Verdict with
            | Undecided paths ->
                Expect.isTrue
                    (paths |> List.exists (fun p -> p.Decisions |> List.exists (fun d -> d.Contains "List")))
                    "path"
            | other -> failtestf "%A" other
        }
    ]
