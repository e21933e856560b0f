/// Agreement of two paths, part by part: each part has the name that a reader knows it by, and the formula that says it.
module Zexus.Proofs.Agreement

open System.Collections.Generic
open Zexus.Spec
open Zexus.Proofs.SmtLib
open Zexus.Proofs.SymbolicRun

type Part = string * Formula

let private nothingPaired: Equivalence.Pairing = {
    Forth = Map.empty
    Back = Map.empty
    Facts = []
}

/// What was paired at an earlier time must be the same pairs still, and is looked into anew: it may have changed since.
let pairedAgain (s: State) (t: State) (before: Equivalence.Pairing) : Equivalence.Pairing =
    before.Forth
    |> Map.fold (fun p a b -> Equivalence.pairAddress s.Heap t.Heap (Address a) (Address b) p) {
        before with
            Forth = Map.empty
            Back = Map.empty
    }

/// Collects the facts of each comparison under its name; the pairing of addresses is carried along.
type Comparison() =
    let mutable pairing = nothingPaired
    let parts = List<Part>()

    member _.That(what: string, compare: Equivalence.Pairing -> Equivalence.Pairing) =
        let next = compare { pairing with Facts = [] }
        parts.Add(what, Formula.all next.Facts)
        pairing <- next

    member this.Holds(what: string, condition: bool) =
        this.That(what, Equivalence.expect condition)

    member _.Parts = List.ofSeq parts

/// Both sides run out of gas at the same charges, and with a translation for the same source instructions.
let compareTolls (isTranslation: bool) (a: Run) (b: Run) (c: Comparison) =
    c.Holds($"the number of charges ({a.Tolls.Length} and {b.Tolls.Length})", a.Tolls.Length = b.Tolls.Length)

    if a.Tolls.Length = b.Tolls.Length then
        for x, y in List.zip a.Tolls b.Tolls do
            let whose = $"the charge for source instruction {x.Source}"

            let spokenFor toll =
                if isTranslation then toll.Source, toll.Rule else 0, ""

            c.Holds(
                whose + ": for which instruction, and when",
                (spokenFor x, x.Events, x.Lasting) = (spokenFor y, y.Events, y.Lasting)
            )

            c.That(whose + ": gas used before it", Equivalence.fact (Equivalence.sameInt x.Used y.Used))

            if x.Condition <> y.Condition then
                let left = Formula.term x.Condition
                let right = Formula.term y.Condition

                c.That(
                    whose + ": when it does not fit",
                    Equivalence.fact (
                        Formula.any [
                            Formula.all [ left; right ]
                            Formula.all [ Formula.negate left; Formula.negate right ]
                        ]
                    )
                )

let tagOf (kind: Kind) =
    match kind with
    | Kind.Null -> 0
    | Kind.Bool _ -> 1
    | Kind.Int _ -> 2
    | Kind.Float _ -> 3
    | Kind.String _ -> 4
    | Kind.List _ -> 5
    | Kind.Map _ -> 6
    | Kind.Set _ -> 7
    | Kind.Function _ -> 8

/// What a path has found out, ready to be asked for.
type Decisions = {
    Conditions: HashSet<BoolTerm>
    Kinds: Map<string, Kind>
}

let decisionsOf (a: Run) = {
    Conditions = HashSet<BoolTerm> a.State.Path
    Kinds = a.State.Kinds
}

/// Decisions that cannot hold together, as far as that is plain to see: the second path's against those of the first.
let isContradiction (a: Decisions) (b: Run) =
    let isOther symbol kind =
        match Map.tryFind symbol a.Kinds with
        | Some known -> tagOf known <> tagOf kind
        | None -> false

    Map.exists isOther b.State.Kinds
    || b.State.Path
       |> List.exists (fun condition ->
           match condition with
           | BoolTerm.Not inner -> a.Conditions.Contains inner
           | other -> a.Conditions.Contains(BoolTerm.Not other))

let conditions (r: Run) =
    r.State.Path |> List.rev |> List.map Formula.term |> Formula.all
