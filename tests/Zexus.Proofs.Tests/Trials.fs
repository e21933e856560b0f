/// The claim that one text of a rule serves the oracle and the proofs, tried on two rewrites: `LOAD_CONST 1; ADD` as INC, and `x + 0` as x.
module Zexus.Proofs.Tests.Trials

open Expecto
open Zexus.Isa
open Zexus.Vm
open Zexus.Proofs
open Zexus.Proofs.Prover
open Zexus.Proofs.Tests.Support

let private loadThenAdd = [ pattern Opcode.LOAD_CONST [ metavariable "k" ]; pattern Opcode.ADD [] ]

let private is (n: int) : Precondition =
    Precondition.ConstantIs("k", Data.Int(bigint n))

/// Two charges as one: another amount is left when it does not fit.
let private chargedAtOnce = [
    replacement Opcode.INC [] 1 [ dynamic 1 (Amount.Sum(list [ Amount.Fixed 1I :> Amount; Amount.Fixed 3I ])) ]
]

let private increment =
    rewrite "trial/inc" loadThenAdd [ replacement Opcode.INC [] 1 [ staticOf 0; staticOf 1 ] ] [ is 1 ] chargedAtOnce

/// ADD's size charge on x is lost.
let private unsized = [ replacement Opcode.NOP [] 1 [ staticOf 0; staticOf 1 ] ]

let private sized = [
    replacement Opcode.NOP [] 1 [ staticOf 0; staticOf 1; dynamic 1 (Amount.Size 0) ]
]

let private addZero =
    rewrite
        "trial/add-zero"
        loadThenAdd
        sized
        [
            is 0
            Precondition.StackKind(0, KindSet.Int)
            Precondition.KeepsLimit KindSet.Int
        ]
        unsized

let private unconditional (r: Rewrite) name preconditions =
    rewrite name r.Pattern r.Replacement preconditions r.BrokenTwin

[<Tests>]
let trials =
    testList "one rule, read as a proof" [
        test "LOAD_CONST 1; ADD is INC with the ordered charges 1, 3, for every kind" {
            let report = expectSound increment
            Expect.isGreaterThanOrEqual report.Cases.Length 9 "a case for each kind"
        }

        test "x + 0 is x for an Int, if ADD's size charge on x stays" { expectSound addZero |> ignore }
        test "two Functions may be one" {
            // Unequal for two Functions that are not one; the prover must not forget those that are.
            let different =
                rewrite
                    "trial/eq-functions"
                    [ pattern Opcode.EQ [] ]
                    [
                        replacement Opcode.POP [] 0 [ staticOf 0 ]
                        replacement Opcode.POP [] 0 []
                        replacement
                            Opcode.LOAD_CONST
                            [ RewriteOperand.Computed(ConstantExpression.Value(Data.Bool false)) ]
                            0
                            []
                    ] [
                        Precondition.StackKind(0, KindSet.Function)
                        Precondition.StackKind(1, KindSet.Function)
                    ] [ replacement Opcode.NOP [] 0 [] ]

            expectRefuted different
        }

        test "a replacement that charges by number is right for static charges only" {
            let dropped charges =
                rewrite
                    "trial/dropped"
                    [ pattern Opcode.DUP []; pattern Opcode.POP [] ]
                    [ replacement Opcode.NOP [] 0 charges ] [] [
                        replacement Opcode.NOP [] 0 [ staticOf 1; staticOf 0 ]
                    ]

            expectSound (dropped [ staticOf 0; staticOf 1 ]) |> ignore
            let one = Amount.Fixed 1I
            let report = prove (dropped [ dynamic 0 one; dynamic 1 one ])
            Expect.equal report.Proved 0 "what the optimizer matches may carry other charges"
        }

        test "where a counterexample was found before is no counterexample" {
            let cache = AnswerCache.AnswerCache None

            let proveAgain twin =
                cache.KeepFound("trial/inc, its twin", 0, 0, false, 100_000L)

                Prover.prove
                    (Session(cache, bothSolvers, ignore))
                    (rewrite "trial/inc" loadThenAdd (List.ofSeq increment.Replacement) [ is 1 ] twin)

            Expect.isEmpty (complaints (proveAgain chargedAtOnce)) "it is looked for again"

            Expect.isNonEmpty
                (complaints (proveAgain (List.ofSeq increment.Replacement)))
                "what is right is not refuted"
        }

        test "x + 0 is not x for every kind" { expectRefuted (unconditional addZero "trial/add-zero-any" [ is 0 ]) }
    ]
