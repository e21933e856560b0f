/// Writing rewrites by hand, and proving them.
module Zexus.Proofs.Tests.Support

open System
open System.Collections.Immutable
open Expecto
open Zexus.Isa
open Zexus.Vm
open Zexus.Proofs
open Zexus.Proofs.Prover

let list (items: seq<'a>) = ImmutableArray.CreateRange items

let metavariable name =
    RewriteOperand.Metavariable name :> RewriteOperand

let pattern opcode operands =
    PatternInstruction(opcode, list operands)

let staticOf index = ChargeTerm.StaticOf index :> ChargeTerm

let dynamic index amount =
    ChargeTerm.Dynamic(index, amount) :> ChargeTerm

let replacement opcode operands source charges =
    ReplacementInstruction(opcode, list operands, source, list charges, ImmutableArray.Empty)

let rewrite name patterns replacements (preconditions: Precondition list) twin =
    Rewrite(name, Technique.Peephole, 1, name, list patterns, list replacements, list preconditions, list twin)

/// Prove without a kept answer.
let prove (r: Rewrite) : RewriteReport =
    Prover.prove (Session(AnswerCache.AnswerCache None, bothSolvers, ignore)) r

let expectSound (r: Rewrite) =
    let report = prove r
    Expect.isEmpty (complaints report) $"{r.Name}: complaints"
    Expect.equal report.Agreed report.Asked $"{r.Name}: the solvers agree"
    report

/// Refused, with a counterexample that replays on the oracle and on the engine.
let expectRefuted (r: Rewrite) =
    let report = prove r

    let confirmed =
        report.Cases
        |> List.exists (fun c ->
            match c.Verdict with
            | Verdict.Refuted replayed -> replayed.IsConfirmed
            | Verdict.Proved
            | Verdict.Unknown _ -> false)

    Expect.isTrue confirmed (String.Join("\n", $"{r.Name}: no confirmed counterexample" :: complaints report))
