/// Rewrites that somebody might add and must not: each is refused, with a counterexample that runs on oracle and engine.
module Zexus.Proofs.Tests.UnsoundTests

open Expecto
open Zexus.Isa
open Zexus.Vm
open Zexus.Proofs.Tests.Support

let private constant name =
    pattern Opcode.LOAD_CONST [ metavariable name ]

let private load name source charges =
    replacement Opcode.LOAD_CONST [ metavariable name ] source charges

let private isData name data : Precondition = Precondition.ConstantIs(name, data)

/// No one asks for its twin.
let private anyTwin = [ replacement Opcode.NOP [] 0 [] ]

let private double =
    rewrite
        "unsound/double"
        [ constant "k"; pattern Opcode.MUL [] ]
        [
            replacement Opcode.DUP [] 0 [ staticOf 0 ]
            replacement Opcode.ADD [] 1 [ staticOf 1 ]
        ]
        [ isData "k" (Data.Int 2I) ]
        anyTwin

let private equalToItself =
    rewrite
        "unsound/equal-to-itself"
        [ pattern Opcode.DUP []; pattern Opcode.EQ [] ]
        [
            replacement Opcode.POP [] 0 [ staticOf 0; staticOf 1 ]
            replacement Opcode.LOAD_CONST [ RewriteOperand.Computed(ConstantExpression.Value(Data.Bool true)) ] 1 []
        ]
        []
        anyTwin

let private printBeforeFault =
    rewrite
        "unsound/print-before-fault"
        [ pattern Opcode.NEG []; constant "k"; pattern Opcode.PRINT [] ]
        [
            load "k" 1 [ staticOf 1 ]
            replacement Opcode.PRINT [] 2 [ staticOf 2 ]
            replacement Opcode.NEG [] 0 [ staticOf 0 ]
        ]
        [ isData "k" (Data.String "seen") ]
        anyTwin

let private chargesAroundWrite =
    let both = Amount.Sum(list [ Amount.Fixed 1I :> Amount; Amount.Fixed 1I ]) :> Amount

    rewrite
        "unsound/charges-around-write"
        [ constant "key"; constant "k"; pattern Opcode.STATE_WRITE []; constant "k" ]
        [
            load "key" 0 [ staticOf 0 ]
            load "k" 1 [ dynamic 1 both ]
            replacement Opcode.STATE_WRITE [] 2 [ staticOf 2 ]
            load "k" 3 []
        ]
        [ isData "key" (Data.String "balance"); isData "k" (Data.Int 1I) ]
        anyTwin

/// A tenth is no Float: the product is rounded twice.
let private tenth =
    rewrite
        "unsound/tenth"
        [ constant "k"; pattern Opcode.DIV [] ]
        [
            replacement Opcode.LOAD_CONST [ RewriteOperand.Computed(ConstantExpression.Value(Data.Float 0.1)) ] 0 [
                staticOf 0
            ]
            replacement Opcode.MUL [] 1 [ staticOf 1 ]
        ]
        [ isData "k" (Data.Int 10I); Precondition.StackKind(0, KindSet.Float) ]
        anyTwin

[<Tests>]
let unsound =
    testList "unsound rewrites are refused with programs that differ" [
        for r in [ double; equalToItself; printBeforeFault; chargesAroundWrite; tenth ] do
            test r.Name { expectRefuted r }
    ]
