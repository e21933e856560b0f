module Zexus.Differential.Tests.ShrinkTests

open Xunit
open Zexus.Isa
open Zexus.Spec
open Zexus.Differential

let private loads (case: Case) =
    match Validation.validate case.Limits case.Program with
    | Ok _ -> true
    | Error _ -> false

let private uses (opcode: Opcode) (case: Case) =
    let number = (InstructionSet.Of opcode).Number

    case.Program.Functions
    |> Array.exists (fun f -> f.Code |> Array.exists (fun i -> i.Number = number))

[<Cases(50)>]
let ``every candidate is lighter`` (case: Case) =
    let weight = Shrink.weight case

    for candidate in Shrink.candidates case |> Seq.truncate 500 do
        Assert.True(Shrink.weight candidate < weight)

[<Cases(50)>]
let ``candidates of a well-formed program keep its heights`` (WellFormedCase case) =
    for candidate in Shrink.candidates case |> Seq.truncate 500 do
        for f in candidate.Program.Functions do
            Assert.True((Heights.compute f.Code).IsSome)

[<Cases(30)>]
let ``most candidates of a well-formed program load`` (WellFormedCase case) =
    let candidates = Shrink.candidates case |> Seq.truncate 300 |> Seq.toArray

    if candidates.Length > 20 then
        let loading = candidates |> Array.filter loads |> Array.length
        Assert.True(loading * 2 > candidates.Length, $"{loading} of {candidates.Length}")

[<Fact>]
let ``shrinking ends, and what is left is what matters`` () =
    let fails case = loads case && uses Opcode.MUL case
    let mutable tried = 0

    for index in 0L .. 400L do
        let case = Generate.ofFamily Family.WellFormed 3UL index

        if fails case && tried < 10 then
            tried <- tried + 1
            let smallest, probes = Shrink.minimize 5000 fails case
            Assert.True(fails smallest)
            Assert.True(probes < 5000)
            // Two operands and the MUL.
            Assert.Equal(3, smallest.Program.Functions |> Array.sumBy _.Code.Length)
            Assert.Equal(1, smallest.Program.Functions.Length)
            Assert.Empty smallest.State
            Assert.Equal(Limits.Default, smallest.Limits)

    Assert.Equal(10, tried)

[<Fact>]
let ``shrinking asks no more often than it may`` () =
    let case = Generate.ofFamily Family.WellFormed 3UL 11L
    let mutable asked = 0

    let fails _ =
        asked <- asked + 1
        false

    let _, probes = Shrink.minimize 25 fails case
    Assert.Equal(25, asked)
    Assert.Equal(25, probes)
