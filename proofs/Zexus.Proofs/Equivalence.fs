/// Are two pieces of code equal in every observable, gas included? Both are run from the specification's own rules on the same symbolic
/// state; each pair of paths that can meet must agree, and the paths of each side must cover.
module Zexus.Proofs.Equivalence

open Zexus.Isa
open Zexus.Spec
open Zexus.Proofs.SmtLib

/// An instruction that was not reached: what it is, with a target as the place that both sides know it by.
type Rest = {
    Opcode: Opcode
    Operands: int list
    Source: int
    Charges: Charge list
    JumpCharges: Charge list
}

/// Where a path ends.
[<RequireQualifiedAccess>]
type Exit =
    /// At a place outside of the code, by the number that both sides know it by.
    | At of place: int * State
    | Faulted of Fault * Value * State
    /// In an operation that looks into something unknown, with the code after it.
    | Opaque of operation: string * operands: Value list * rest: Rest list * State
    /// The frame has returned a value.
    | Returned of Value * State

let stateOf exit =
    match exit with
    | Exit.At(_, s)
    | Exit.Faulted(_, _, s)
    | Exit.Opaque(_, _, _, s)
    | Exit.Returned(_, s) -> s

/// A stretch of a function's code, and what both sides call the places around it.
type Region = {
    First: int
    /// Behind its last instruction.
    Behind: int
    /// The common number of a place outside of the region.
    Place: int -> int
}

let private isTarget (info: OpcodeInfo) position =
    position < info.Operands.Length && info.Operands[position].Kind = OperandKind.Target

let private restOf (region: Region) (s: State) : Rest list =
    let code = s.Loaded.Functions[s.Frame.Function].Code

    // A place inside of the region has no common number: it is told apart from all that has.
    let place target =
        if target >= region.First && target < region.Behind then
            -1 - (target - region.First)
        else
            region.Place target

    [
        for at in s.Frame.Instruction + 1 .. region.Behind - 1 ->
            let i = code[at]

            {
                Opcode = i.Opcode
                Operands =
                    [ i.A; i.B; i.C ]
                    |> List.mapi (fun position operand -> if isTarget i.Info position then place operand else operand)
                Source = i.Source
                Charges = i.Charges
                JumpCharges = i.JumpCharges
            }
    ]

/// Run the code of a region from a state at its first instruction until every path has left it. The region jumps forward only.
let run (region: Region) (start: State) : Exit list =
    let depth = List.length start.Callers

    let rec from (s: State) : Exit list =
        let at = s.Frame.Instruction

        match s.Returned with
        | Some value -> [ Exit.Returned(value, s) ]
        | None ->
            if List.length s.Callers <> depth then
                invalidOp "A region calls no function."
            elif at < region.First || at >= region.Behind then
                [ Exit.At(region.Place at, s) ]
            else
                let code = s.Loaded.Functions[s.Frame.Function].Code

                Machine.instruction code[at] s
                |> List.collect (fun outcome ->
                    match outcome with
                    | Outcome.Ok((), next) ->
                        if next.Returned.IsNone && next.Frame.Instruction <= at then
                            invalidOp "A region jumps forward only."

                        from next
                    | Outcome.Fault(fault, value, s) ->
                        if fault.IsCatchable && s.Frame.Handlers.Length > start.Frame.Handlers.Length then
                            invalidOp "A region catches no fault of its own."

                        [ Exit.Faulted(fault, value, s) ]
                    | Outcome.Opaque(operation, operands, s) -> [
                        Exit.Opaque(operation, operands, restOf region s, s)
                      ])

    from start

// Agreement. The heaps of the two sides are compared from their roots: which cell stands for which is found on the way.

type Pairing = {
    Forth: Map<int, int>
    Back: Map<int, int>
    Facts: Formula list
}

let fact f p = { p with Facts = f :: p.Facts }
let apart p = fact Formula.never p

let sameInt a b =
    match a, b with
    | Int.Known m, Int.Known n -> if m = n then Formula.always else Formula.never
    | (Int.Known _ | Int.Symbolic _), _ -> Formula.term (BoolTerm.IntEqual(Int.term a, Int.term b))

let sameStr a b =
    match a, b with
    | Str.Known s, Str.Known t -> if s = t then Formula.always else Formula.never
    | (Str.Known _ | Str.Symbolic _), _ -> Formula.term (BoolTerm.StrEqual(Str.term a, Str.term b))

let sameBool a b =
    match a, b with
    | Bool.Known p, Bool.Known q -> if p = q then Formula.always else Formula.never
    | (Bool.Known _ | Bool.Symbolic _), _ when a = b -> Formula.always
    | (Bool.Known _ | Bool.Symbolic _), _ ->
        let p = Formula.term (Bool.term a)
        let q = Formula.term (Bool.term b)
        Formula.any [ Formula.all [ p; q ]; Formula.all [ Formula.negate p; Formula.negate q ] ]

let expect condition p = if condition then p else apart p

let pairEach pair xs ys p =
    if Seq.length xs = Seq.length ys then
        Seq.zip xs ys |> Seq.fold (fun p (x, y) -> pair x y p) p
    else
        apart p

let rec pairValue (s: Heap) (t: Heap) (a: Value) (b: Value) (p: Pairing) : Pairing =
    match a, b with
    | Value.Of x, Value.Of y ->
        match x, y with
        | Kind.Null, Kind.Null -> p
        | Kind.Bool m, Kind.Bool n -> fact (sameBool m n) p
        | Kind.Int m, Kind.Int n -> fact (sameInt m n) p
        | Kind.Float m, Kind.Float n -> fact (Formula.sameFloat (Float.term m) (Float.term n)) p
        | Kind.String m, Kind.String n -> fact (sameStr m n) p
        | Kind.List m, Kind.List n
        | Kind.Map m, Kind.Map n
        | Kind.Set m, Kind.Set n
        | Kind.Function m, Kind.Function n -> pairAddress s t m n p
        | (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.String _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _),
          _ -> apart p
    | Value.Unknown x, Value.Unknown y -> expect (x = y) p
    | Value.Of _, Value.Unknown _
    | Value.Unknown _, Value.Of _ -> apart p

and pairAddress s t (Address a) (Address b) p =
    match Map.tryFind a p.Forth, Map.tryFind b p.Back with
    | Some known, _ -> expect (known = b) p
    | None, Some _ -> apart p
    | None, None ->
        let p = {
            p with
                Forth = Map.add a b p.Forth
                Back = Map.add b a p.Back
        }

        match Heap.find (Address a) s, Heap.find (Address b) t with
        | Cell.List xs, Cell.List ys -> pairEach (pairValue s t) xs ys p
        | Cell.Map xs, Cell.Map ys
        | Cell.Set xs, Cell.Set ys ->
            pairEach
                (fun (k, v) (l, w) p -> p |> pairValue s t k l |> pairValue s t v w)
                (Entries.toList xs)
                (Entries.toList ys)
                p
        | Cell.Function(f, captures), Cell.Function(g, others) ->
            expect (f = g) p |> pairEach (pairAddress s t) captures others
        | Cell.Variable v, Cell.Variable w -> pairValue s t v w p
        | Cell.Unknown x, Cell.Unknown y -> expect (x = y) p
        | (Cell.List _ | Cell.Map _ | Cell.Set _ | Cell.Function _ | Cell.Variable _ | Cell.Unknown _), _ -> apart p

let pairSlot s t a b p =
    match a, b with
    | Slot.Own v, Slot.Own w -> pairValue s t v w p
    | Slot.Shared v, Slot.Shared w -> pairAddress s t v w p
    | Slot.Own _, Slot.Shared _
    | Slot.Shared _, Slot.Own _ -> apart p

/// What outlives every fault.
let private pairLasting (s: State) (t: State) p =
    p
    |> fact (sameInt s.GasUsed t.GasUsed)
    |> expect (List.length s.Output = List.length t.Output)
    |> pairEach (fun a b p -> fact (sameStr a b) p) s.Output t.Output
    |> expect (s.Audit = t.Audit && s.HostCalls = t.HostCalls)

/// What other frames can come to see.
let private pairShared (s: State) (t: State) p =
    let names =
        Set.union (s.Globals |> Map.keys |> Set.ofSeq) (t.Globals |> Map.keys |> Set.ofSeq)

    let globalOf (s: State) name =
        Map.tryFind name s.Globals |> Option.defaultValue Value.nothing

    let shared (s: State) =
        s.Frame.Variables
        |> Seq.choose (fun slot ->
            match slot with
            | Slot.Own _ -> None
            | Slot.Shared address -> Some address)

    p
    |> pairLasting s t
    // How many transactions have begun is only asked in comparison: those that are open are the same, later ones come later on both sides.
    |> expect (s.World = t.World && s.Transactions = t.Transactions)
    |> pairEach (pairAddress s.Heap t.Heap) (shared s) (shared t)
    |> fun p -> names |> Set.fold (fun p name -> pairValue s.Heap t.Heap (globalOf s name) (globalOf t name) p) p

/// What code that runs on can come to see, but for the operand stack.
let private pairAll (s: State) (t: State) p =
    p
    |> pairShared s t
    |> expect (s.Frame.Handlers = t.Frame.Handlers)
    |> expect (s.Frame.Function = t.Frame.Function)
    |> pairEach (pairSlot s.Heap t.Heap) s.Frame.Variables t.Frame.Variables
    |> pairEach (pairValue s.Heap t.Heap) s.Frame.Registers t.Frame.Registers

let private pairStack (s: State) (t: State) xs ys p =
    pairEach (pairValue s.Heap t.Heap) xs ys p

let private spokenFor (s: State) (t: State) p =
    expect (s.Rule = t.Rule && s.Frame.Source = t.Frame.Source) p

/// What a handler sees of an operand stack whose height was `height` when it was set up: cells popped since are Null.
let private upTo height (s: State) =
    List.replicate (max 0 (height - s.Frame.Height)) Value.nothing
    @ List.skip (max 0 (s.Frame.Height - height)) s.Frame.Stack

/// No observer, and no code that runs on, can tell the two ends apart. `height`: the operand stack's before the code, so the highest that
/// a handler can ask for.
let private agree (height: int) (a: Exit) (b: Exit) : Formula =
    let nothing = {
        Forth = Map.empty
        Back = Map.empty
        Facts = []
    }

    let pairing =
        match a, b with
        | Exit.At(here, s), Exit.At(there, t) ->
            nothing |> expect (here = there) |> pairAll s t |> pairStack s t s.Frame.Stack t.Frame.Stack
        // Its own variables and registers die with the frame.
        | Exit.Returned(v, s), Exit.Returned(w, t) -> nothing |> pairShared s t |> pairValue s.Heap t.Heap v w
        | Exit.Faulted(f, v, s), Exit.Faulted(g, w, t) ->
            let p = nothing |> expect (f = g) |> spokenFor s t |> pairValue s.Heap t.Heap v w

            if f.IsCatchable then
                p |> pairAll s t |> pairStack s t (upTo height s) (upTo height t)
            else
                p |> pairLasting s t
        | Exit.Opaque(operation, operands, rest, s), Exit.Opaque(other, others, otherRest, t) ->
            nothing
            |> expect (operation = other && rest = otherRest)
            |> spokenFor s t
            |> pairEach (pairValue s.Heap t.Heap) operands others
            |> pairAll s t
            |> pairStack s t s.Frame.Stack t.Frame.Stack
        | (Exit.At _ | Exit.Returned _ | Exit.Faulted _ | Exit.Opaque _), _ -> apart nothing

    Formula.all pairing.Facts

let private conditions exit =
    (stateOf exit).Path |> List.rev |> List.map Formula.term

/// Does one path decide for what the other decides against? Then no state takes both.
let private exclude (path: BoolTerm list) (against: Set<BoolTerm>) =
    path |> List.exists (fun term -> Set.contains term against)

/// The decision the other way.
let opposite (term: BoolTerm) =
    match term with
    | BoolTerm.Not inner -> inner
    | BoolTerm.Symbol _
    | BoolTerm.Constant _
    | BoolTerm.And _
    | BoolTerm.Or _
    | BoolTerm.IntEqual _
    | BoolTerm.IntLess _
    | BoolTerm.FloatEqual _
    | BoolTerm.FloatLess _
    | BoolTerm.IsNaN _
    | BoolTerm.StrEqual _
    | BoolTerm.Apply _ -> BoolTerm.Not term

/// What is the matter if the two sides are not equal: paths that meet and disagree, or a state that no path of a side covers.
/// Under the facts that hold at the start, it has a model exactly if they are not.
let difference (height: int) (lefts: Exit list) (rights: Exit list) : Formula =
    let lefts = lefts |> List.map (fun exit -> exit, conditions exit)

    let rights =
        rights
        |> List.map (fun exit -> exit, conditions exit, (stateOf exit).Path |> List.map opposite |> Set.ofList)

    let uncovered paths =
        paths |> List.map Formula.all |> Formula.any |> Formula.negate

    Formula.any [
        uncovered (lefts |> List.map snd)
        uncovered (rights |> List.map (fun (_, path, _) -> path))
        for a, pathA in lefts do
            for b, pathB, against in rights do
                if not (exclude (stateOf a).Path against) then
                    Formula.all [ yield! pathA; yield! pathB; Formula.negate (agree height a b) ]
    ]

/// Unknown values whose kind some path has asked for.
let kindsAsked (exits: Exit list) : Set<string> =
    exits |> Seq.collect (fun exit -> (stateOf exit).Kinds |> Map.keys) |> Set.ofSeq
