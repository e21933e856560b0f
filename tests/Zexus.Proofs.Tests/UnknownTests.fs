/// Code that goes on after it has looked into collections of which only the kind is known.
module Zexus.Proofs.Tests.UnknownTests

open Expecto
open Zexus.Isa
open Zexus.Vm
open Zexus.Proofs
open Zexus.Proofs.Prover
open Zexus.Proofs.Tests.Support

let private negated negation =
    rewrite
        "unknown/not-eq"
        [ pattern Opcode.EQ []; pattern Opcode.NOT [] ]
        [
            replacement negation [] 0 [ staticOf 0 ]
            replacement Opcode.NOP [] 1 [ staticOf 1 ]
        ] [] [ replacement negation [] 0 [ staticOf 0; staticOf 1 ] ]

let private onLists (r: Rewrite) =
    rewrite
        (r.Name + " of lists")
        r.Pattern
        r.Replacement
        [
            Precondition.StackKind(0, KindSet.List)
            Precondition.StackKind(1, KindSet.List)
        ]
        r.BrokenTwin

/// Variables that hold collections, compared one way and the other way round.
let private compared opcode kinds first second =
    rewrite
        $"unknown/{opcode} of {kinds}"
        [
            pattern Opcode.LOAD_NAME [ metavariable "x" ]
            pattern Opcode.LOAD_NAME [ metavariable "y" ]
            pattern opcode []
        ]
        [
            replacement Opcode.LOAD_NAME [ metavariable first ] 0 [ staticOf 0 ]
            replacement Opcode.LOAD_NAME [ metavariable second ] 1 [ staticOf 1 ]
            replacement opcode [] 2 [ staticOf 2 ]
        ] [
            Precondition.NameKind("x", kinds)
            Precondition.NameKind("y", kinds)
            Precondition.Different("x", "y")
        ] [ replacement Opcode.NOP [] 0 [] ]

/// Is every case proved? Whether the preconditions are needed is not asked.
let private expectProved (r: Rewrite) =
    let report = prove r
    Expect.isGreaterThan report.Cases.Length 0 r.Name
    Expect.equal report.Proved report.Cases.Length (String.concat "\n" (complaints report))

[<Tests>]
let unknown =
    testList "unknown collections" [
        test "NOT after EQ is NEQ, for every two kinds" {
            let report = expectSound (negated Opcode.NEQ)
            Expect.isGreaterThanOrEqual report.Cases.Length 81 "a case for every two kinds"
        }

        test "EQ of two Lists is not NEQ" { expectRefuted (onLists (negated Opcode.EQ)) }

        test "a charge behind a walk over Lists is not taken before it" {
            let r = negated Opcode.NEQ

            expectRefuted (onLists (rewrite r.Name r.Pattern r.BrokenTwin [] r.BrokenTwin))
        }

        test "LT of Lists is not GT" {
            expectRefuted (
                onLists (
                    rewrite "unknown/lt" [ pattern Opcode.LT [] ] [ replacement Opcode.GT [] 0 [ staticOf 0 ] ] [] [
                        replacement Opcode.NOP [] 0 []
                    ]
                )
            )
        }

        for opcode, kinds in
            [
                Opcode.LT, KindSet.List
                Opcode.EQ, KindSet.Map
                Opcode.EQ, KindSet.Set
                Opcode.ADD, KindSet.List
            ] do
            test $"{opcode} of {kinds}s is what it is" { expectProved (compared opcode kinds "x" "y") }

        for opcode in [ Opcode.LT; Opcode.ADD ] do
            test $"{opcode} of Lists is not {opcode} the other way round" {
                expectRefuted (compared opcode KindSet.List "y" "x")
            }

        test "a List is not as long as another" {
            expectRefuted (
                rewrite
                    "unknown/length"
                    [
                        pattern Opcode.LOAD_NAME [ metavariable "x" ]
                        pattern Opcode.GET_LENGTH []
                        pattern Opcode.LOAD_NAME [ metavariable "y" ]
                        pattern Opcode.GET_LENGTH []
                        pattern Opcode.EQ []
                    ]
                    [
                        replacement
                            Opcode.LOAD_CONST
                            [ RewriteOperand.Computed(ConstantExpression.Value(Data.Bool true)) ]
                            4
                            [ staticOf 0; staticOf 1; staticOf 2; staticOf 3; staticOf 4 ]
                    ] [
                        Precondition.NameKind("x", KindSet.List)
                        Precondition.NameKind("y", KindSet.List)
                    ] [ replacement Opcode.NOP [] 0 [] ]
            )
        }

        test "a collection is true if its length is" {
            expectProved (
                rewrite
                    "unknown/truth"
                    [ pattern Opcode.GET_LENGTH []; pattern Opcode.NOT [] ]
                    [ replacement Opcode.NOT [] 1 [ staticOf 0; staticOf 1 ] ] [
                        Precondition.StackKind(0, KindSet.List ||| KindSet.Map ||| KindSet.Set ||| KindSet.String)
                    ] [ replacement Opcode.NOP [] 0 [] ]
            )
        }
    ]
