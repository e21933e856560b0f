/// The terms of the specification as SMT-LIB 2.6.
/// Int is the mathematical integers, Float is IEEE binary64, Str is a sequence with `++` and length; what SMT cannot express is an
/// uninterpreted function, with the few facts about it that proofs need stated for each of its applications.
module Zexus.Proofs.SmtLib

open System
open System.Text
open Zexus.Spec

[<RequireQualifiedAccess>]
type Sort =
    | Int
    | Bool
    | Float
    | Str

let private sortName sort =
    match sort with
    | Sort.Int -> "Int"
    | Sort.Bool -> "Bool"
    | Sort.Float -> "(_ FloatingPoint 11 53)"
    | Sort.Str -> "String"

/// What a set of terms speaks of.
type Vocabulary = {
    Symbols: Map<string, Sort>
    Functions: Map<string, Sort list * Sort>
    /// Every application of `size`, for its facts.
    Sizes: Set<string>
    /// Every application of a function that is never negative.
    Naturals: Set<string>
}

let nothing = {
    Symbols = Map.empty
    Functions = Map.empty
    Sizes = Set.empty
    Naturals = Set.empty
}

let private withSymbol name sort v =
    if Map.containsKey name v.Symbols then
        v
    else
        {
            v with
                Symbols = Map.add name sort v.Symbols
        }

let private integer (n: bigint) =
    if n.Sign < 0 then
        "(- " + (abs n).ToString() + ")"
    else
        n.ToString()

let private floatLiteral (bits: int64) =
    "((_ to_fp 11 53) #x" + bits.ToString "x16" + ")"

/// SMT-LIB 2.6 strings: printable ASCII as it is, the quote doubled, all else as `\u{…}`.
let private stringLiteral (s: string) =
    let text = StringBuilder "\""

    for rune in s.EnumerateRunes() do
        match rune.Value with
        | 0x22 -> text.Append "\"\"" |> ignore
        | c when c >= 0x20 && c <= 0x7e && c <> 0x5c -> text.Append(char c) |> ignore
        | c -> text.Append("\\u{").Append(c.ToString "x").Append('}') |> ignore

    text.Append('"').ToString()

let private call name arguments =
    "(" + name + " " + String.concat " " arguments + ")"

// Printing threads the vocabulary, so that what is printed is declared.

let rec private intTerm (v: Vocabulary) (t: IntTerm) : string * Vocabulary =
    let binary name a b =
        let a, v = intTerm v a
        let b, v = intTerm v b
        call name [ a; b ], v

    match t with
    | IntTerm.Symbol name -> name, withSymbol name Sort.Int v
    | IntTerm.Constant n -> integer n, v
    | IntTerm.Add(a, b) -> binary "+" a b
    | IntTerm.Sub(a, b) -> binary "-" a b
    | IntTerm.Mul(a, b) -> binary "*" a b
    | IntTerm.DivBy(a, d) ->
        // `div` rounds so that the remainder is not negative: floored, for a positive divisor.
        let a, v = intTerm v a
        call "div" [ a; integer d ], v
    | IntTerm.Neg a ->
        let a, v = intTerm v a
        call "-" [ a ], v
    | IntTerm.OfBool b ->
        let b, v = boolTerm v b
        call "ite" [ b; "1"; "0" ], v
    | IntTerm.Length s ->
        let s, v = strTerm v s
        call "str.len" [ s ], v
    | IntTerm.If(c, a, b) ->
        let c, v = boolTerm v c
        let a, v = intTerm v a
        let b, v = intTerm v b
        call "ite" [ c; a; b ], v
    | IntTerm.Apply(name, arguments) ->
        let text, v = apply v name arguments Sort.Int

        if name = "size" then
            text, { v with Sizes = Set.add text v.Sizes }
        elif IntTerm.isNatural name then
            text,
            {
                v with
                    Naturals = Set.add text v.Naturals
            }
        else
            text, v

and private boolTerm v (t: BoolTerm) : string * Vocabulary =
    let pair print name a b =
        let a, v = print v a
        let b, v = print v b
        call name [ a; b ], v

    match t with
    | BoolTerm.Symbol name -> name, withSymbol name Sort.Bool v
    | BoolTerm.Constant b -> (if b then "true" else "false"), v
    | BoolTerm.Not a ->
        let a, v = boolTerm v a
        call "not" [ a ], v
    | BoolTerm.And(a, b) -> pair boolTerm "and" a b
    | BoolTerm.Or(a, b) -> pair boolTerm "or" a b
    | BoolTerm.IntEqual(a, b) -> pair intTerm "=" a b
    | BoolTerm.IntLess(a, b) -> pair intTerm "<" a b
    | BoolTerm.FloatEqual(a, b) -> pair floatTerm "fp.eq" a b
    | BoolTerm.FloatLess(a, b) -> pair floatTerm "fp.lt" a b
    | BoolTerm.IsNaN a ->
        let a, v = floatTerm v a
        call "fp.isNaN" [ a ], v
    | BoolTerm.StrEqual(a, b) -> pair strTerm "=" a b
    | BoolTerm.Apply(name, arguments) -> apply v name arguments Sort.Bool

and private floatTerm v (t: FloatTerm) : string * Vocabulary =
    let binary name a b =
        let a, v = floatTerm v a
        let b, v = floatTerm v b
        call name [ "RNE"; a; b ], v

    match t with
    | FloatTerm.Symbol name -> name, withSymbol name Sort.Float v
    | FloatTerm.Constant bits -> floatLiteral bits, v
    | FloatTerm.Add(a, b) -> binary "fp.add" a b
    | FloatTerm.Sub(a, b) -> binary "fp.sub" a b
    | FloatTerm.Mul(a, b) -> binary "fp.mul" a b
    | FloatTerm.Div(a, b) -> binary "fp.div" a b
    | FloatTerm.Neg a ->
        let a, v = floatTerm v a
        call "fp.neg" [ a ], v
    | FloatTerm.Sqrt a ->
        let a, v = floatTerm v a
        call "fp.sqrt" [ "RNE"; a ], v
    | FloatTerm.Apply(name, arguments) -> apply v name arguments Sort.Float

and private strTerm v (t: StrTerm) : string * Vocabulary =
    match t with
    | StrTerm.Symbol name -> name, withSymbol name Sort.Str v
    | StrTerm.Constant s -> stringLiteral s, v
    | StrTerm.Concat(a, b) ->
        let a, v = strTerm v a
        let b, v = strTerm v b
        call "str.++" [ a; b ], v
    | StrTerm.Apply(name, arguments) -> apply v name arguments Sort.Str

/// A Float argument passes through `ite(isNaN x, NaN, x)`: z3 lets two NaNs differ as arguments of an uninterpreted function.
and private apply v name arguments result =
    let one (texts, sorts, v) argument =
        let text, sort, v =
            match argument with
            | Argument.Int t ->
                let text, v = intTerm v t
                text, Sort.Int, v
            | Argument.Bool t ->
                let text, v = boolTerm v t
                text, Sort.Bool, v
            | Argument.Float t ->
                let text, v = floatTerm v t
                call "ite" [ call "fp.isNaN" [ text ]; "(_ NaN 11 53)"; text ], Sort.Float, v
            | Argument.Str t ->
                let text, v = strTerm v t
                text, Sort.Str, v

        text :: texts, sort :: sorts, v

    let texts, sorts, v = List.fold one ([], [], v) arguments
    let name = "zexus." + name

    (if texts.IsEmpty then name else call name (List.rev texts)),
    {
        v with
            Functions = Map.add name (List.rev sorts, result) v.Functions
    }

/// A formula to print: terms of the specification, joined.
[<RequireQualifiedAccess>]
type Formula =
    | Term of BoolTerm
    | All of Formula list
    | Any of Formula list
    | Not of Formula
    /// Equality of payloads as representations: NaN equals NaN, 0.0 does not equal -0.0.
    | SameFloat of FloatTerm * FloatTerm

/// What is plain to see is decided here, so that a solver gets the rest: the text of a query is no longer than what it asks.
[<RequireQualifiedAccess>]
module Formula =
    let always = Formula.All []
    let never = Formula.Any []

    let private isAlways f =
        match f with
        | Formula.All []
        | Formula.Term(BoolTerm.Constant true) -> true
        | Formula.Term _
        | Formula.All _
        | Formula.Any _
        | Formula.Not _
        | Formula.SameFloat _ -> false

    let private isNever f =
        match f with
        | Formula.Any []
        | Formula.Term(BoolTerm.Constant false) -> true
        | Formula.Term _
        | Formula.All _
        | Formula.Any _
        | Formula.Not _
        | Formula.SameFloat _ -> false

    /// A join without its unit, without repetitions, and decided if some part decides it.
    let private joined inner isUnit isDeciding decided join formulas =
        let parts =
            formulas |> List.collect inner |> List.filter (isUnit >> not) |> List.distinct

        if List.exists isDeciding parts then
            decided
        else
            match parts with
            | [ one ] -> one
            | parts -> join parts

    let all formulas =
        let inner f =
            match f with
            | Formula.All inner -> inner
            | Formula.Term _
            | Formula.Any _
            | Formula.Not _
            | Formula.SameFloat _ -> [ f ]

        joined inner isAlways isNever never Formula.All formulas

    let any formulas =
        let inner f =
            match f with
            | Formula.Any inner -> inner
            | Formula.Term _
            | Formula.All _
            | Formula.Not _
            | Formula.SameFloat _ -> [ f ]

        joined inner isNever isAlways always Formula.Any formulas

    let negate f =
        if isAlways f then
            never
        elif isNever f then
            always
        else
            match f with
            | Formula.Not inner -> inner
            | Formula.Term _
            | Formula.All _
            | Formula.Any _
            | Formula.SameFloat _ -> Formula.Not f

    let term t =
        match t with
        | BoolTerm.Not inner -> negate (Formula.Term inner)
        | BoolTerm.IntEqual(a, b) when a = b -> always
        | BoolTerm.StrEqual(a, b) when a = b -> always
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
        | BoolTerm.Apply _ -> Formula.Term t

    let sameFloat a b =
        if a = b then always else Formula.SameFloat(a, b)

    let isPlainlyFalse = isNever

    /// Each SameFloat in it.
    let rec floatEquations f : Set<FloatTerm * FloatTerm> =
        match f with
        | Formula.SameFloat(a, b) -> Set.singleton (a, b)
        | Formula.Term _ -> Set.empty
        | Formula.Not f -> floatEquations f
        | Formula.All formulas
        | Formula.Any formulas -> formulas |> List.map floatEquations |> Set.unionMany

    /// With these SameFloats true.
    let rec withFloatEquations equations f =
        match f with
        | Formula.SameFloat(a, b) when Set.contains (a, b) equations -> always
        | Formula.SameFloat _
        | Formula.Term _ -> f
        | Formula.Not f -> negate (withFloatEquations equations f)
        | Formula.All formulas -> all (formulas |> List.map (withFloatEquations equations))
        | Formula.Any formulas -> any (formulas |> List.map (withFloatEquations equations))

let rec private formula v (f: Formula) : string * Vocabulary =
    let joined name unit formulas =
        match formulas with
        | [] -> unit, v
        | formulas ->
            let texts, v =
                formulas
                |> List.fold
                    (fun (texts, v) f ->
                        let text, v = formula v f
                        text :: texts, v)
                    ([], v)

            call name (List.rev texts), v

    match f with
    | Formula.Term t -> boolTerm v t
    | Formula.All formulas -> joined "and" "true" formulas
    | Formula.Any formulas -> joined "or" "false" formulas
    | Formula.Not f ->
        let text, v = formula v f
        call "not" [ text ], v
    | Formula.SameFloat(a, b) ->
        let a, v = floatTerm v a
        let b, v = floatTerm v b
        call "=" [ a; b ], v

/// A formula as SMT-LIB, for a reader.
let text (f: Formula) : string = fst (formula nothing f)

/// The facts about `size` (docs/semantics.md, section 3), for one application: 0 for 64 bits, 1 for 128, more beyond.
let private sizeFact (application: string) =
    let opening = "(zexus.size "

    let argument =
        application.Substring(opening.Length, application.Length - opening.Length - 1)

    let within bits =
        let bound = 1I <<< bits
        "(and (<= " + integer -bound + " " + argument + ") (< " + argument + " " + integer bound + "))"

    [
        "(assert (= (= " + application + " 0) " + within 63 + "))"
        "(assert (= (<= " + application + " 1) " + within 127 + "))"
        "(assert (<= 0 " + application + "))"
    ]

/// A whole query in a logic of SMT-LIB: is there a model of all the assumptions and the claim?
let queryIn (logic: string) (assumptions: Formula list) (claim: Formula) : string * Vocabulary =
    let texts, v =
        assumptions @ [ claim ]
        |> List.fold
            (fun (texts, v) f ->
                let text, v = formula v f
                text :: texts, v)
            ([], nothing)

    let lines = [
        "(set-logic " + logic + ")"
        for KeyValue(name, sort) in v.Symbols do
            "(declare-const " + name + " " + sortName sort + ")"
        for KeyValue(name, (arguments, result)) in v.Functions do
            "(declare-fun "
            + name
            + " ("
            + String.Join(" ", arguments |> List.map sortName)
            + ") "
            + sortName result
            + ")"
        for application in v.Sizes do
            yield! sizeFact application
        for application in v.Naturals do
            "(assert (<= 0 " + application + "))"
        for text in List.rev texts do
            "(assert " + text + ")"
        "(check-sat)"
    ]

    String.Join("\n", lines) + "\n", v

let query = queryIn "ALL"
