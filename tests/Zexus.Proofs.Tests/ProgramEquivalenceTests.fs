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

let private butForGas a b =
    compareWith
        {
            usual with
                IgnoresGas = true
                Unroll = 2
        }
        a
        b

let private expectNotEquivalent (report: Report) =
    match report.Verdict with
    | Equivalent -> failtest "equivalent"
    | Different c -> Expect.isTrue c.IsConfirmed "confirmed on oracle and engine"
    | Undecided paths -> Expect.isNonEmpty paths "unsettled paths"

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

        test "an event's fault that nobody catches is not the same one thrown again" {
            let program body =
                $"""
                .func main()
                    {body}
                .end
                """

            let isText =
                "LOAD_CONST \"k\"\n STATE_READ\n CALL_BUILTIN type, 1\n LOAD_CONST \"string\"\n EQ\n JUMP_IF_FALSE done\n"

            let parse = "LOAD_CONST \"k\"\n STATE_READ\n CALL_BUILTIN int, 1\n POP\n"
            let a = program (isText + parse + "done:")

            let b =
                program (isText + "SETUP_TRY h\n" + parse + "POP_TRY\n JUMP done\n h:\n THROW\n done:")

            butForGas a b |> expectNotEquivalent
            butForGas a a |> expectEquivalent
        }

        test "one copy twice and two copies of a list in the state are different" {
            let a =
                """
                .func main()
                    LOAD_CONST "k"
                    STATE_READ
                    DUP
                    BUILD_LIST 2
                    RETURN
                .end
                """

            let b =
                """
                .func main()
                    LOAD_CONST "k"
                    STATE_READ
                    LOAD_CONST "k"
                    STATE_READ
                    BUILD_LIST 2
                    RETURN
                .end
                """

            butForGas a b |> expectNotEquivalent
            butForGas a a |> expectEquivalent
        }

        test "a Function shows its name" {
            let a =
                """
                .func main() locals f
                    STORE_FUNC f, foo
                    LOAD_CONST "k"
                    STATE_READ
                    JUMP_IF_FALSE x
                x:
                    LOAD_NAME f
                    RETURN
                .end
                .func foo()
                .end
                """

            let b = a.Replace("foo", "bar")
            butForGas a b |> expectNotEquivalent
            butForGas a a |> expectEquivalent
        }

        test "what a list holds is compared as it is then, not as it was when it was first looked at" {
            let a =
                """
                .func main() locals l
                    LOAD_CONST "k"
                    STATE_READ
                    BUILD_LIST 1
                    STORE_NAME l
                    LOAD_NAME l
                    LOAD_CONST ","
                    CALL_METHOD join, 1
                    POP
                    LOAD_NAME l
                    LOAD_CONST "kk"
                    STATE_READ
                    INDEX
                    POP
                    LOAD_NAME l
                    LOAD_CONST 1
                    CALL_METHOD push, 1
                    POP
                    LOAD_NAME l
                    RETURN
                .end
                """

            let b = a.Replace("LOAD_CONST 1\n", "LOAD_CONST 2\n")
            butForGas a b |> expectNotEquivalent
            butForGas a a |> expectEquivalent
        }

        test "what came out of a list with an unknown index may be changed under its other name" {
            let a =
                """
                .func main() locals x, r
                    LOAD_CONST 1
                    BUILD_LIST 1
                    STORE_NAME x
                    LOAD_NAME x
                    BUILD_LIST 1
                    LOAD_CONST "k"
                    STATE_READ
                    INDEX
                    STORE_NAME r
                    LOAD_NAME x
                    LOAD_CONST 5
                    CALL_METHOD push, 1
                    POP
                    LOAD_NAME r
                    RETURN
                .end
                """

            let b = a.Replace("LOAD_CONST 5", "LOAD_CONST 6")
            butForGas a b |> expectNotEquivalent
        }

        test "and then it is not what it was" {
            let a =
                """
                .func main() locals x, r
                    LOAD_CONST 1
                    BUILD_LIST 1
                    STORE_NAME x
                    LOAD_NAME x
                    BUILD_LIST 1
                    LOAD_CONST "k"
                    STATE_READ
                    INDEX
                    STORE_NAME r
                    LOAD_NAME r
                    LOAD_CONST [1]
                    EQ
                    LOAD_NAME x
                    LOAD_CONST 5
                    CALL_METHOD push, 1
                    POP
                    RETURN
                .end
                """

            let b =
                """
                .func main() locals x, r
                    LOAD_CONST 1
                    BUILD_LIST 1
                    STORE_NAME x
                    LOAD_NAME x
                    BUILD_LIST 1
                    LOAD_CONST "k"
                    STATE_READ
                    INDEX
                    STORE_NAME r
                    LOAD_NAME x
                    LOAD_CONST 5
                    CALL_METHOD push, 1
                    POP
                    LOAD_NAME r
                    LOAD_CONST [1]
                    EQ
                    RETURN
                .end
                """

            butForGas a b |> expectNotEquivalent
        }

        test "a look inside something unknown begins no transaction and ends none" {
            let a =
                """
                .func main()
                    TX_BEGIN
                    TX_BEGIN
                    TX_BEGIN
                    LOAD_CONST "w"
                    LOAD_CONST 1
                    STATE_WRITE
                    LOAD_CONST "abc"
                    LOAD_CONST "k"
                    STATE_READ
                    INDEX
                    POP
                    SETUP_TRY h
                    LOAD_CONST 7
                    THROW
                h:
                    POP
                    TX_COMMIT
                    TX_COMMIT
                    TX_COMMIT
                .end
                """

            let b =
                """
                .func main()
                    TX_BEGIN
                    TX_BEGIN
                    TX_BEGIN
                    LOAD_CONST "abc"
                    LOAD_CONST "k"
                    STATE_READ
                    INDEX
                    POP
                    SETUP_TRY h
                    LOAD_CONST 7
                    THROW
                h:
                    POP
                    TX_COMMIT
                    TX_COMMIT
                    TX_COMMIT
                .end
                """

            butForGas a b |> expectNotEquivalent
            butForGas a a |> expectEquivalent
        }

        test "nothing is proved of characters that the solvers do not have" {
            let a =
                """
                .func main()
                    CALL_BUILTIN caller, 0
                    LOAD_CONST "\u{10FFFF}"
                    EQ
                    JUMP_IF_FALSE no
                    CALL_BUILTIN caller, 0
                    GET_LENGTH
                    RETURN
                no:
                    LOAD_CONST 0
                    RETURN
                .end
                """

            let b =
                """
                .func main()
                    CALL_BUILTIN caller, 0
                    LOAD_CONST "\u{10FFFF}"
                    EQ
                    JUMP_IF_FALSE no
                    LOAD_CONST 10
                    RETURN
                no:
                    LOAD_CONST 0
                    RETURN
                .end
                """

            butForGas a b |> expectNotEquivalent
        }
    ]
