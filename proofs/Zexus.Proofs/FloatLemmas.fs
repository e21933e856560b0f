/// What a proof needs to know of Float arithmetic, as queries of their own. With Ints and text beside it, a solver's procedure for Floats is out of
/// play; an equation of Floats alone goes to the one that is made for it.
module Zexus.Proofs.FloatLemmas

open Zexus.Spec
open Zexus.Proofs.SmtLib

/// Two terms that are the same Float, whatever their symbols stand for, and the query that has a model exactly if that is not so.
type Lemma = {
    Left: FloatTerm
    Right: FloatTerm
    Query: string
}

let private operands (t: FloatTerm) : FloatTerm list =
    match t with
    | FloatTerm.Symbol _
    | FloatTerm.Constant _
    | FloatTerm.Apply _ -> []
    | FloatTerm.Neg a
    | FloatTerm.Sqrt a -> [ a ]
    | FloatTerm.Add(a, b)
    | FloatTerm.Sub(a, b)
    | FloatTerm.Mul(a, b)
    | FloatTerm.Div(a, b) -> [ a; b ]

let private isArithmetic t = not (List.isEmpty (operands t))

/// Two terms of one operation with one operand in common are the same if the others are.
let rec private peeled (a: FloatTerm) (b: FloatTerm) =
    match a, b with
    | FloatTerm.Add(p, q), FloatTerm.Add(r, s)
    | FloatTerm.Sub(p, q), FloatTerm.Sub(r, s)
    | FloatTerm.Mul(p, q), FloatTerm.Mul(r, s)
    | FloatTerm.Div(p, q), FloatTerm.Div(r, s) when p = r || q = s -> if p = r then peeled q s else peeled p r
    | (FloatTerm.Symbol _ | FloatTerm.Constant _ | FloatTerm.Add _ | FloatTerm.Sub _ | FloatTerm.Mul _ | FloatTerm.Div _ | FloatTerm.Neg _ | FloatTerm.Sqrt _ | FloatTerm.Apply _),
      _ -> a, b

let rec private parts (t: FloatTerm) : Set<FloatTerm> =
    operands t |> List.map parts |> Set.unionMany |> Set.add t

let private isConstant t =
    match t with
    | FloatTerm.Constant _ -> true
    | FloatTerm.Symbol _
    | FloatTerm.Apply _
    | FloatTerm.Add _
    | FloatTerm.Sub _
    | FloatTerm.Mul _
    | FloatTerm.Div _
    | FloatTerm.Neg _
    | FloatTerm.Sqrt _ -> false

/// Both terms with a symbol for each largest part that they share, and for each application: what holds for every value holds for that one.
let private generalized a b =
    let shared = Set.intersect (parts a) (parts b) |> Set.filter (isConstant >> not)

    let rec walk (names: Map<FloatTerm, string>) t =
        let symbol () =
            match Map.tryFind t names with
            | Some name -> FloatTerm.Symbol name, names
            | None ->
                let name = "x" + string names.Count
                FloatTerm.Symbol name, Map.add t name names

        let two make a b =
            let a, names = walk names a
            let b, names = walk names b
            make (a, b), names

        let one make a =
            let a, names = walk names a
            make a, names

        if Set.contains t shared then
            symbol ()
        else
            match t with
            | FloatTerm.Symbol _
            | FloatTerm.Apply _ -> symbol ()
            | FloatTerm.Constant _ -> t, names
            | FloatTerm.Add(a, b) -> two FloatTerm.Add a b
            | FloatTerm.Sub(a, b) -> two FloatTerm.Sub a b
            | FloatTerm.Mul(a, b) -> two FloatTerm.Mul a b
            | FloatTerm.Div(a, b) -> two FloatTerm.Div a b
            | FloatTerm.Neg a -> one FloatTerm.Neg a
            | FloatTerm.Sqrt a -> one FloatTerm.Sqrt a

    let a, names = walk Map.empty a
    let b, _ = walk names b
    a, b

/// The equations of Float arithmetic in a formula.
let ofFormula (formula: Formula) : Lemma list =
    Formula.floatEquations formula
    |> Set.toList
    |> List.filter (fun (a, b) -> isArithmetic a || isArithmetic b)
    |> List.map (fun (a, b) ->
        let left, right = peeled a b ||> generalized

        {
            Left = a
            Right = b
            Query = fst (queryIn "QF_FP" [] (Formula.negate (Formula.sameFloat left right)))
        })

/// The formula where these equations hold.
let taken (lemmas: Lemma list) (formula: Formula) : Formula =
    let equations = lemmas |> List.map (fun l -> l.Left, l.Right) |> Set.ofList
    Formula.withFloatEquations equations formula
