module Zexus.Differential.Tests.GeneratorTests

open System.Collections.Generic
open Xunit
open Zexus.Isa
open Zexus.Spec
open Zexus.Differential

let private refusal (case: Case) =
    match Validation.validate case.Limits case.Program with
    | Ok _ -> ""
    | Error refusal -> refusal.Describe case.Program

[<Cases(2000)>]
let ``well-formed programs load`` (WellFormedCase case) = Assert.Equal("", refusal case)

[<Cases(2000)>]
let ``rule-directed programs load`` (RuleDirectedCase case) = Assert.Equal("", refusal case)

[<Cases(2000)>]
let ``workouts load`` (WorkoutCase case) = Assert.Equal("", refusal case)

[<Cases(2000)>]
let ``loop-heavy programs load`` (LoopCase case) = Assert.Equal("", refusal case)

[<Cases(500)>]
let ``a case survives its way through JSON`` (case: Case) =
    let again = Vector.parse (Vector.toText "what for" case)
    Assert.Equal(Vector.toLine case, Vector.toLine again)
    Assert.Equal(case, again)

[<Fact>]
let ``a seed and an index give the same case whenever they are asked`` () =
    for index in 0L .. 200L do
        Assert.Equal(Vector.toLine (Generate.case 5UL index), Vector.toLine (Generate.case 5UL index))

[<Fact>]
let ``other seeds give other cases`` () =
    let lines = [ for seed in 1UL .. 50UL -> Vector.toLine (Generate.case seed 1L) ]
    Assert.Equal(50, (List.distinct lines).Length)

let private wellFormed =
    lazy
        [|
            for index in 0L .. 15_000L -> Generate.ofFamily Family.WellFormed 1UL index
        |]

[<Fact>]
let ``executions begin in other functions, with as many arguments as parameters, fewer and more`` () =
    let elsewhere = wellFormed.Value |> Array.filter (fun case -> case.Entry <> 0)
    // A fifth of those that have a function to begin in.
    Assert.True(elsewhere.Length > 500)

    let over =
        elsewhere
        |> Array.countBy (fun case ->
            compare case.Arguments.Length case.Program.Functions[case.Entry].Parameters.Length)
        |> dict

    for difference in [ -1; 0; 1 ] do
        Assert.True(over[difference] > 20)

let private ruleDirected =
    lazy
        [|
            for index in 0L .. int64 RuleDirected.turns * 4L -> Generate.ofFamily Family.RuleDirected 1UL index
        |]

let private instructions (case: Case) =
    case.Program.Functions |> Seq.collect _.Code

let private names (case: Case) =
    seq {
        for i in instructions case do
            match InstructionSet.TryFind i.Number with
            | true, info ->
                match info.Opcode with
                | Opcode.CALL_METHOD
                | Opcode.CALL_NAME
                | Opcode.CALL_BUILTIN -> struct (info.Opcode, case.Program.Names[int i.A])
                | _ -> ()
            | false, _ -> ()
    }

let private missingOpcodes (cases: Case[]) =
    let seen = HashSet<int>(cases |> Seq.collect instructions |> Seq.map _.Number)

    [
        for info in InstructionSet.Rows do
            if info.Status = Status.Specified && not (seen.Contains info.Number) then
                info.Mnemonic
    ]

let private missingRoutines (cases: Case[]) =
    let seen = HashSet<struct (Opcode * string)>(cases |> Seq.collect names)

    [
        for row in Library.Rows do
            for name in row.Names do
                let opcodes =
                    if row.Receiver = Receiver.Nothing then
                        [ Opcode.CALL_NAME; Opcode.CALL_BUILTIN ]
                    else
                        [ Opcode.CALL_METHOD ]

                for opcode in opcodes do
                    if not (seen.Contains(struct (opcode, name))) then
                        $"{opcode} {name}"
    ]

[<Fact>]
let ``well-formed programs use every opcode, builtin and method, under each of its names`` () =
    Assert.Empty(missingOpcodes wellFormed.Value)
    Assert.Empty(missingRoutines wellFormed.Value)

[<Fact>]
let ``each opcode, builtin and method has its turn in the rule-directed programs`` () =
    Assert.Empty(missingOpcodes ruleDirected.Value)
    Assert.Empty(missingRoutines ruleDirected.Value)

[<Fact>]
let ``ill-formed programs are refused for every reason there is`` () =
    let seen = HashSet<string>()

    for index in 0L .. 8_000L do
        let case = Generate.ofFamily Family.IllFormed 1UL index

        match Validation.validate case.Limits case.Program with
        | Ok _ -> seen.Add "" |> ignore
        | Error refusal -> seen.Add(string refusal.Reason) |> ignore

    let reasons =
        Reflection.FSharpType.GetUnionCases typeof<RefusalReason> |> Array.map _.Name

    Assert.Empty(reasons |> Array.filter (fun reason -> not (seen.Contains reason)))
    Assert.Contains("", seen)
