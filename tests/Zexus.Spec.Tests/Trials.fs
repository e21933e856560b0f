/// The claim that one text of a rule serves the oracle and the proofs, tried on two rewrites: `LOAD_CONST 1; ADD` as INC, and `x + 0` as x.
module Zexus.Spec.Tests.Trials

open System
open System.Globalization
open Expecto
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Rules
open Zexus.Proofs
open Zexus.Proofs.SmtLib
open Zexus.Proofs.Equivalence

let private instruction number a : Instruction = {
    Number = number
    A = a
    B = 0L
    C = 0L
}

/// LOAD_CONST 1; ADD; INC; LOAD_CONST 0; ADD, after one operand.
let private loaded =
    let program = {
        Constants = [| Data.Int 1I; Data.Int 0I; Data.Null |]
        Names = [||]
        Functions = [|
            {
                Name = "main"
                Parameters = [||]
                Locals = [||]
                Captures = [||]
                Code = [|
                    instruction 1 2L
                    instruction 1 0L
                    instruction 10 0L
                    instruction 8 0L
                    instruction 1 1L
                    instruction 10 0L
                |]
            }
        |]
    }

    match Validation.validate Limits.Default program with
    | Ok loaded -> loaded
    | Error refusal -> failtestf "%s" (refusal.Describe program)

let private code = loaded.Functions[0].Code

let private context limit : Context = {
    GasLimit = limit
    Timestamp = 0I
    Height = 0I
    Caller = ""
    State = Map.empty
    Host = Map.empty
    VerifySignature = fun _ _ _ -> false
}

let private symbolInt name = Int.Symbolic(IntTerm.Symbol name)

/// Some gas used, some limit, and an operand.
let private symbolicState operand heap =
    {
        Machine.start loaded (context (symbolInt "gas_limit")) with
            GasUsed = symbolInt "gas_used"
            Rest.Setup.IntegerBound = symbolInt "int_bound"
            Rest.Heap = heap
    }
    |> fun s -> {
        s with
            Frame = {
                s.Frame with
                    Stack = [ operand ]
                    Height = 1
                    Instruction = 1
            }
    }

let private atMost a b =
    Formula.Not(Formula.Term(BoolTerm.IntLess(Int.term b, Int.term a)))

let private facts =
    let zero = Int.zero
    let x = symbolInt "x"
    let bound = symbolInt "int_bound"

    [
        atMost zero (symbolInt "gas_used")
        atMost (symbolInt "gas_used") (symbolInt "gas_limit")
        // What a value is: an Int lies within the bound, a String within its limit.
        atMost (Int.Known(1I <<< 64)) bound
        atMost (Int.neg bound) x
        Formula.Term(BoolTerm.IntLess(Int.term x, Int.term bound))
    ]

/// One operand of each kind, with a symbolic payload.
let private operands =
    let reference cell make =
        let address, heap = Heap.add cell Heap.empty
        Value.Of(make address), heap

    [
        "Null", (Value.nothing, Heap.empty)
        "Bool", (Value.ofBool (Bool.Symbolic(BoolTerm.Symbol "b")), Heap.empty)
        "Int", (Value.ofInt (symbolInt "x"), Heap.empty)
        "Float", (Value.ofFloat (Float.Symbolic(FloatTerm.Symbol "f")), Heap.empty)
        "String", (Value.ofStr (Str.Symbolic(StrTerm.Symbol "s")), Heap.empty)
        "List", reference (Cell.Unknown "l") Kind.List
        "Map", reference (Cell.Unknown "m") Kind.Map
        "Set", reference (Cell.Unknown "t") Kind.Set
        "Function", reference (Cell.Unknown "g") Kind.Function
    ]

let private one = Machine.instruction
let private thenDo (a: Rule<unit>) (b: Rule<unit>) : Rule<unit> = rule.Bind(a, (fun () -> b))

let private withCharges charges (i: LoadedInstruction) = {
    i with
        Source = 2
        Rule = "arith/add"
        Charges = [
            for source, rule, amount in charges ->
                {
                    Source = source
                    Rule = rule
                    Amount = Amount.Fixed(Int.ofInt amount)
                }
        ]
}

let private addOne = thenDo (one code[1]) (one code[2])
let private incWith charges = one (withCharges charges code[3])
let private inOrder = incWith [ 1, "stack/load-const", 1; 2, "arith/add", 3 ]
let private atOnce = incWith [ 2, "arith/add", 4 ]
let private addZero = thenDo (one code[4]) (one code[5])

/// A NOP that carries the charges of `LOAD_CONST 0; ADD`; with ADD's size charge on x, or without it.
let private keep (size: bool) : Rule<unit> =
    rule {
        do! chargeInt 1
        do! chargeInt 3

        if size then
            let! s = get

            match! kindOf (List.head s.Frame.Stack) with
            | Kind.Int x -> do! charge (Int.size x)
            | Kind.Null
            | Kind.Bool _
            | Kind.Float _
            | Kind.String _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _
            | Kind.Function _ -> ()
    }

let private verdict left right (operand, heap) =
    equivalent Solver.check facts left right (symbolicState operand heap)

// Replaying a model on the oracle: the same rules on known values.

let private known (model: Map<string, string>) name (otherwise: bigint) =
    match Map.tryFind name model with
    | Some text -> bigint.Parse(text, CultureInfo.InvariantCulture)
    | None -> otherwise

let private knownFloat (model: Map<string, string>) =
    match Map.tryFind "f" model with
    | Some bits -> BitConverter.UInt64BitsToDouble(Convert.ToUInt64(bits.Substring 2, 16))
    | None -> 1.0

let private knownState kind (model: Map<string, string>) heap =
    let operand =
        match kind with
        | "Bool" -> Value.known (Map.tryFind "b" model = Some "true")
        | "Int" -> Value.ofInt (Int.Known(known model "x" 0I))
        | "Float" -> Value.ofFloat (Float.Known(knownFloat model))
        | "String" -> Value.text (Map.tryFind "s" model |> Option.defaultValue "\"\"" |> (fun s -> s.Trim '"'))
        | _ -> Value.nothing

    let s = symbolicState operand heap

    {
        s with
            Rest.Setup.Context = context (Int.Known(known model "gas_limit" 1000I))
            GasUsed = Int.Known(known model "gas_used" 0I)
            Rest.Setup.IntegerBound = Int.Known(1I <<< 8192)
    }

let private observe code s =
    match run code s with
    | [ Exit.Through s ] -> "through", s.GasUsed, s.Frame.Stack
    | [ Exit.Faulted(fault, value, s) ] -> fault.Name, s.GasUsed, [ value ]
    | other -> failtestf "A run on known values has %d exits." other.Length

let private expectProved kind verdict =
    match verdict with
    | Verdict.Proved queries -> Expect.isGreaterThan queries 2 (kind + ": queries")
    | Verdict.Refuted(model, _, _) -> failtestf "%s: refuted by %A" kind model
    | Verdict.Undecided reason -> failtestf "%s: undecided, %s" kind reason

let private expectRefuted kind left right heap verdict =
    match verdict with
    | Verdict.Proved _ -> failtestf "%s: proved" kind
    | Verdict.Undecided reason -> failtestf "%s: undecided, %s" kind reason
    | Verdict.Refuted(model, _, _) ->
        let s = knownState kind model heap
        Expect.notEqual (observe left s) (observe right s) (sprintf "%s: the model %A replays on the oracle" kind model)

let private references = set [ "List"; "Map"; "Set"; "Function" ]

[<Tests>]
let trials =
    testList "one rule, read as a proof" [
        for kind, operand in operands do
            test ("LOAD_CONST 1; ADD is INC with the ordered charges 1, 3: " + kind) {
                expectProved kind (verdict addOne (inOrder) operand)
            }

            test ("LOAD_CONST 1; ADD is not INC with one charge of 4: " + kind) {
                verdict addOne (atOnce) operand |> expectRefuted kind addOne (atOnce) (snd operand)
            }

        test "x + 0 is x for an Int, if ADD's size charge on x stays" {
            let operand = operands |> List.find (fst >> (=) "Int") |> snd
            expectProved "Int" (verdict addZero (keep true) operand)
        }

        test "x + 0 is not x for an Int without that charge" {
            let operand = operands |> List.find (fst >> (=) "Int") |> snd

            verdict addZero (keep false) operand |> expectRefuted "Int" addZero (keep false) (snd operand)
        }

        for kind, operand in operands do
            if kind <> "Int" then
                test ("x + 0 is not x: " + kind) {
                    verdict addZero (keep true) operand |> expectRefuted kind addZero (keep true) (snd operand)
                }
    ]

[<Tests>]
let solvers =
    testList "solvers" [
        test "the z3 program agrees with Z3 in process, on the text of a proof" {
            let operand = operands |> List.find (fst >> (=) "Int") |> snd
            let mutable queries = 0

            let both text =
                queries <- queries + 1
                let inProcess = Solver.check text
                let program = Solver.checkWith "z3" [ "-in" ] text

                match inProcess, program with
                | Solver.Answer.Unsat, Solver.Answer.Unsat -> ()
                | Solver.Answer.Sat _, Solver.Answer.Sat _ -> ()
                | other -> failtestf "%A on %s" other text

                inProcess

            expectProved "Int" (equivalent both facts addOne (inOrder) (symbolicState (fst operand) (snd operand)))

            Expect.isGreaterThan queries 2 "queries"
        }

        test "an error in the text is no answer" {
            match Solver.check "(assert (= undeclared 1))" with
            | Solver.Answer.Failed _ -> ()
            | other -> failtestf "%A" other
        }

        test "a missing solver is no answer" {
            match Solver.checkWith "no-such-solver" [] "(check-sat)" with
            | Solver.Answer.Failed reason -> Expect.stringContains reason "not installed" "reason"
            | other -> failtestf "%A" other
        }
    ]
