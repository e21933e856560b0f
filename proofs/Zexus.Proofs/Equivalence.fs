/// Are two pieces of straight-line code equal in every observable, gas included? Both are run from the specification's own rules on the
/// same symbolic state; each pair of paths that can meet must agree, and the paths of each side must cover.
module Zexus.Proofs.Equivalence

open Zexus.Isa
open Zexus.Spec
open Zexus.Proofs.SmtLib

/// A piece of code: rules of instructions, one after the other.
type Code = Rule<unit>

/// Where a path ends.
[<RequireQualifiedAccess>]
type Exit =
    | Through of State
    | Faulted of Fault * Value * State
    | Opaque of operation: string * State

let stateOf exit =
    match exit with
    | Exit.Through s
    | Exit.Faulted(_, _, s)
    | Exit.Opaque(_, s) -> s

let run (code: Code) (s: State) : Exit list =
    code s
    |> List.map (fun outcome ->
        match outcome with
        | Outcome.Ok((), s) -> Exit.Through s
        | Outcome.Fault(fault, value, s) -> Exit.Faulted(fault, value, s)
        | Outcome.Opaque(operation, _, s) -> Exit.Opaque(operation, s))

let private never = Formula.Any []
let private always = Formula.All []

let private sameInt a b =
    Formula.Term(BoolTerm.IntEqual(Int.term a, Int.term b))

let private sameStr a b =
    Formula.Term(BoolTerm.StrEqual(Str.term a, Str.term b))

/// Equal as representations: what no observer can tell apart.
let private sameValue (a: Value) (b: Value) : Formula =
    match a, b with
    | Value.Of x, Value.Of y ->
        match x, y with
        | Kind.Null, Kind.Null -> always
        | Kind.Bool p, Kind.Bool q ->
            let p = Formula.Term(Bool.term p)
            let q = Formula.Term(Bool.term q)
            Formula.Any [ Formula.All [ p; q ]; Formula.All [ Formula.Not p; Formula.Not q ] ]
        | Kind.Int m, Kind.Int n -> sameInt m n
        | Kind.Float p, Kind.Float q -> Formula.SameFloat(Float.term p, Float.term q)
        | Kind.String s, Kind.String t -> sameStr s t
        | Kind.List p, Kind.List q
        | Kind.Map p, Kind.Map q
        | Kind.Set p, Kind.Set q
        | Kind.Function p, Kind.Function q -> if p = q then always else never
        | (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.String _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _),
          _ -> never
    | Value.Unknown x, Value.Unknown y -> if x = y then always else never
    | Value.Of _, Value.Unknown _
    | Value.Unknown _, Value.Of _ -> never

let private sameEach same xs ys =
    if List.length xs = List.length ys then
        Formula.All(List.map2 same xs ys)
    else
        never

/// Everything that outlives a fault. State, ledger, events, audit and globals are compared as the runs left them, which is stricter than need be.
let private sameWorld (a: State) (b: State) =
    Formula.All [
        sameInt a.GasUsed b.GasUsed
        sameEach sameStr a.Output b.Output
        (if a.World = b.World && a.Audit = b.Audit && a.HostCalls = b.HostCalls then
             always
         else
             never)
    ]

let private agree (a: Exit) (b: Exit) : Formula =
    match a, b with
    | Exit.Through s, Exit.Through t ->
        Formula.All [
            sameWorld s t
            sameEach sameValue s.Frame.Stack t.Frame.Stack
            (if s.Globals = t.Globals && s.Heap = t.Heap && s.Transactions = t.Transactions then
                 always
             else
                 never)
        ]
    | Exit.Faulted(f, v, s), Exit.Faulted(g, w, t) ->
        if f = g then
            Formula.All [ sameWorld s t; sameValue v w ]
        else
            never
    | (Exit.Through _ | Exit.Faulted _ | Exit.Opaque _), _ -> never

let private conditions exit =
    Formula.All((stateOf exit).Path |> List.rev |> List.map Formula.Term)

[<RequireQualifiedAccess>]
type Verdict =
    | Proved of queries: int
    /// A model under which the sides differ, and the paths they take.
    | Refuted of model: Map<string, string> * left: Exit * right: Exit
    /// No answer: never taken for a proof.
    | Undecided of reason: string

/// Does every state that satisfies the facts take one of the paths?
let private covers check facts exits =
    let text, _ =
        query "the paths cover" facts (Formula.Not(Formula.Any(exits |> List.map conditions)))

    match check text with
    | Solver.Answer.Unsat -> None
    | Solver.Answer.Sat _ -> Some "the paths do not cover"
    | Solver.Answer.Failed reason -> Some reason

/// Prove that the two pieces of code agree from a state that satisfies the facts. `check` is a solver.
let equivalent (check: string -> Solver.Answer) (facts: Formula list) (left: Code) (right: Code) (s: State) : Verdict =
    let lefts = run left s
    let rights = run right s

    let pairs = [
        for a in lefts do
            for b in rights -> a, b
    ]

    let differs (a, b) =
        let text, _ =
            query "the sides differ" facts (Formula.All [ conditions a; conditions b; Formula.Not(agree a b) ])

        check text

    let rec go queries pairs =
        match pairs with
        | [] -> Verdict.Proved queries
        | (a, b) :: rest ->
            match differs (a, b) with
            | Solver.Answer.Unsat -> go (queries + 1) rest
            | Solver.Answer.Sat model -> Verdict.Refuted(model, a, b)
            | Solver.Answer.Failed reason -> Verdict.Undecided reason

    match List.tryPick id [ covers check facts lefts; covers check facts rights ] with
    | Some reason -> Verdict.Undecided reason
    | None -> go 2 pairs
