namespace Zexus.Spec

open System
open System.Numerics

// A payload is known, or a term over symbols. Each operation has both readings: on known operands it computes, else it builds a term.
// What SMT cannot express (display of a number, rounding, sizes) is an uninterpreted function of a name: the same function on both
// sides of a proof. The terms are first-order; Zexus.Proofs prints them as SMT-LIB.

[<RequireQualifiedAccess>]
type IntTerm =
    | Symbol of string
    | Constant of bigint
    | Add of IntTerm * IntTerm
    | Sub of IntTerm * IntTerm
    | Mul of IntTerm * IntTerm
    /// Floored, by a positive constant.
    | DivBy of IntTerm * bigint
    | Neg of IntTerm
    | OfBool of BoolTerm
    /// Scalars.
    | Length of StrTerm
    | If of BoolTerm * IntTerm * IntTerm
    | Apply of string * Argument list

and [<RequireQualifiedAccess>] BoolTerm =
    | Symbol of string
    | Constant of bool
    | Not of BoolTerm
    | And of BoolTerm * BoolTerm
    | Or of BoolTerm * BoolTerm
    | IntEqual of IntTerm * IntTerm
    | IntLess of IntTerm * IntTerm
    /// IEEE: NaN equals nothing, the zeros are equal.
    | FloatEqual of FloatTerm * FloatTerm
    | FloatLess of FloatTerm * FloatTerm
    | IsNaN of FloatTerm
    | StrEqual of StrTerm * StrTerm
    | Apply of string * Argument list

and [<RequireQualifiedAccess>] FloatTerm =
    | Symbol of string
    | Constant of bits: int64
    | Add of FloatTerm * FloatTerm
    | Sub of FloatTerm * FloatTerm
    | Mul of FloatTerm * FloatTerm
    | Div of FloatTerm * FloatTerm
    | Neg of FloatTerm
    | Sqrt of FloatTerm
    | Apply of string * Argument list

and [<RequireQualifiedAccess>] StrTerm =
    | Symbol of string
    | Constant of string
    | Concat of StrTerm * StrTerm
    | Apply of string * Argument list

/// An argument of an uninterpreted function.
and [<RequireQualifiedAccess>] Argument =
    | Int of IntTerm
    | Bool of BoolTerm
    | Float of FloatTerm
    | Str of StrTerm

[<RequireQualifiedAccess>]
module IntTerm =
    /// Is every value of the function of this name 0 or more? Amounts of gas and counts are.
    let isNatural (name: string) =
        name.StartsWith("gas", StringComparison.Ordinal)
        || name.StartsWith("count.", StringComparison.Ordinal)

[<RequireQualifiedAccess>]
type Int =
    | Known of bigint
    | Symbolic of IntTerm

[<RequireQualifiedAccess>]
type Bool =
    | Known of bool
    | Symbolic of BoolTerm

[<RequireQualifiedAccess; CustomEquality; NoComparison>]
type Float =
    | Known of float
    | Symbolic of FloatTerm

    /// By bits: two payloads are the same payload, which is not EQ.
    override this.Equals other =
        match other with
        | :? Float as that ->
            match this, that with
            | Known x, Known y -> BitConverter.DoubleToInt64Bits x = BitConverter.DoubleToInt64Bits y
            | Symbolic s, Symbolic t -> s = t
            | Known _, Symbolic _
            | Symbolic _, Known _ -> false
        | _ -> false

    override this.GetHashCode() =
        match this with
        | Known x -> x.GetHashCode()
        | Symbolic t -> t.GetHashCode()

[<RequireQualifiedAccess>]
type Str =
    | Known of string
    | Symbolic of StrTerm

[<RequireQualifiedAccess>]
module Int =
    let zero = Int.Known 0I
    let one = Int.Known 1I
    let ofInt (n: int) = Int.Known(bigint n)

    let term a =
        match a with
        | Int.Known n -> IntTerm.Constant n
        | Int.Symbolic t -> t

    let private lift known symbolic a b =
        match a, b with
        | Int.Known x, Int.Known y -> Int.Known(known x y)
        | (Int.Known _ | Int.Symbolic _), _ -> Int.Symbolic(symbolic (term a, term b))

    let add a b =
        lift (fun (x: bigint) y -> x + y) IntTerm.Add a b

    let sub a b =
        lift (fun (x: bigint) y -> x - y) IntTerm.Sub a b

    let mul a b =
        lift (fun (x: bigint) y -> x * y) IntTerm.Mul a b

    let neg a =
        match a with
        | Int.Known n -> Int.Known -n
        | Int.Symbolic t -> Int.Symbolic(IntTerm.Neg t)

    /// Floored division by a positive constant.
    let divBy (d: int) a =
        match a with
        | Int.Known n -> Int.Known(Numbers.floorDiv n (bigint d))
        | Int.Symbolic t -> Int.Symbolic(IntTerm.DivBy(t, bigint d))

    /// Floored division by a divisor other than 0; by an unknown one uninterpreted in a proof.
    let floorDiv a d =
        match a, d with
        | Int.Known n, Int.Known d -> Int.Known(Numbers.floorDiv n d)
        | Int.Symbolic t, Int.Known d when d.Sign > 0 -> Int.Symbolic(IntTerm.DivBy(t, d))
        | Int.Symbolic t, Int.Known d -> Int.Symbolic(IntTerm.DivBy(IntTerm.Neg t, -d))
        | (Int.Known _ | Int.Symbolic _), Int.Symbolic d ->
            Int.Symbolic(IntTerm.Apply("floor_div", [ Argument.Int(term a); Argument.Int d ]))

    /// a - d * floorDiv a d: it has the divisor's sign.
    let floorMod a d =
        match a, d with
        | Int.Known n, Int.Known d -> Int.Known(Numbers.floorMod n d)
        | (Int.Known _ | Int.Symbolic _), _ -> sub a (mul d (floorDiv a d))

    let private test known symbolic a b =
        match a, b with
        | Int.Known x, Int.Known y -> Bool.Known(known x y)
        | (Int.Known _ | Int.Symbolic _), _ -> Bool.Symbolic(symbolic (term a, term b))

    let equal a b =
        test (fun (x: bigint) y -> x = y) BoolTerm.IntEqual a b

    let less a b =
        test (fun (x: bigint) y -> x < y) BoolTerm.IntLess a b

    let min a b =
        match a, b with
        | Int.Known x, Int.Known y -> Int.Known(bigint.Min(x, y))
        | (Int.Known _ | Int.Symbolic _), _ ->
            Int.Symbolic(IntTerm.If(BoolTerm.IntLess(term a, term b), term a, term b))

    let max a b =
        match a, b with
        | Int.Known x, Int.Known y -> Int.Known(bigint.Max(x, y))
        | (Int.Known _ | Int.Symbolic _), _ ->
            Int.Symbolic(IntTerm.If(BoolTerm.IntLess(term a, term b), term b, term a))

    /// In a proof a power of larger exponent is one application: not a factor for each, and no number of many words.
    let private mostFactors = 4I

    /// To an exponent >= 0.
    let power a exponent =
        match a, exponent with
        | Int.Known n, Int.Known e when e <= mostFactors -> Int.Known(bigint.Pow(n, int e))
        | Int.Symbolic t, Int.Known e when e <= mostFactors ->
            Int.Symbolic(List.replicate (int e) t |> List.fold (fun p t -> IntTerm.Mul(p, t)) (IntTerm.Constant 1I))
        | (Int.Known _ | Int.Symbolic _), _ ->
            Int.Symbolic(IntTerm.Apply("int_power", [ Argument.Int(term a); Argument.Int(term exponent) ]))

    /// 0 exactly for 64 bits signed; uninterpreted in a proof.
    let size a =
        match a with
        | Int.Known n -> Int.Known(Numbers.size n)
        | Int.Symbolic t -> Int.Symbolic(IntTerm.Apply("size", [ Argument.Int t ]))

[<RequireQualifiedAccess>]
module Bool =
    let term a =
        match a with
        | Bool.Known b -> BoolTerm.Constant b
        | Bool.Symbolic t -> t

    let negate a =
        match a with
        | Bool.Known b -> Bool.Known(not b)
        | Bool.Symbolic t -> Bool.Symbolic(BoolTerm.Not t)

    let both a b =
        match a, b with
        | Bool.Known x, Bool.Known y -> Bool.Known(x && y)
        | (Bool.Known _ | Bool.Symbolic _), _ -> Bool.Symbolic(BoolTerm.And(term a, term b))

    let either a b =
        match a, b with
        | Bool.Known x, Bool.Known y -> Bool.Known(x || y)
        | (Bool.Known _ | Bool.Symbolic _), _ -> Bool.Symbolic(BoolTerm.Or(term a, term b))

    let toInt a =
        match a with
        | Bool.Known b -> if b then Int.one else Int.zero
        | Bool.Symbolic t -> Int.Symbolic(IntTerm.OfBool t)

[<RequireQualifiedAccess>]
module Float =
    let term a =
        match a with
        | Float.Known x -> FloatTerm.Constant(BitConverter.DoubleToInt64Bits x)
        | Float.Symbolic t -> t

    let private lift known symbolic a b =
        match a, b with
        | Float.Known x, Float.Known y -> Float.Known(Numbers.canonical (known x y))
        | (Float.Known _ | Float.Symbolic _), _ -> Float.Symbolic(symbolic (term a, term b))

    let add a b =
        lift (fun (x: float) y -> x + y) FloatTerm.Add a b

    let sub a b =
        lift (fun (x: float) y -> x - y) FloatTerm.Sub a b

    let mul a b =
        lift (fun (x: float) y -> x * y) FloatTerm.Mul a b

    let div a b =
        lift (fun (x: float) y -> x / y) FloatTerm.Div a b

    /// Uninterpreted in a proof.
    let modulo a b =
        lift Numbers.floatMod (fun (x, y) -> FloatTerm.Apply("float_mod", [ Argument.Float x; Argument.Float y ])) a b

    let neg a =
        match a with
        | Float.Known x -> Float.Known(Numbers.canonical -x)
        | Float.Symbolic t -> Float.Symbolic(FloatTerm.Neg t)

    let sqrt a =
        match a with
        | Float.Known x -> Float.Known(Numbers.canonical (Math.Sqrt x))
        | Float.Symbolic t -> Float.Symbolic(FloatTerm.Sqrt t)

    /// Squarings and products beyond this exponent are one application, not a term for each.
    let private largestExponent = 8I

    /// To an exponent >= 0, by squaring; uninterpreted in a proof if that takes many steps.
    let power a (exponent: bigint) =
        let rec squared r b (n: bigint) =
            if n.IsZero then
                r
            else
                let r = if n.IsEven then r else FloatTerm.Mul(r, b)
                let n = n >>> 1
                if n.IsZero then r else squared r (FloatTerm.Mul(b, b)) n

        match a with
        | Float.Known x -> Float.Known(Numbers.floatPower x exponent)
        | Float.Symbolic t when exponent <= largestExponent ->
            Float.Symbolic(squared (term (Float.Known 1.0)) t exponent)
        | Float.Symbolic t ->
            Float.Symbolic(
                FloatTerm.Apply("float_power", [ Argument.Float t; Argument.Int(IntTerm.Constant exponent) ])
            )

    let isNaN a =
        match a with
        | Float.Known x -> Bool.Known(Double.IsNaN x)
        | Float.Symbolic t -> Bool.Symbolic(BoolTerm.IsNaN t)

    let private test known symbolic a b =
        match a, b with
        | Float.Known x, Float.Known y -> Bool.Known(known x y)
        | (Float.Known _ | Float.Symbolic _), _ -> Bool.Symbolic(symbolic (term a, term b))

    let equal a b =
        test (fun (x: float) y -> x = y) BoolTerm.FloatEqual a b

    let less a b =
        test (fun (x: float) y -> x < y) BoolTerm.FloatLess a b

    /// Rounded to nearest, ties to even. Uninterpreted in a proof: solvers get `to_fp` of a symbolic Int wrong.
    let ofInt a =
        match a with
        | Int.Known n -> Float.Known(Numbers.toFloat n)
        | Int.Symbolic t -> Float.Symbolic(FloatTerm.Apply("int_to_float", [ Argument.Int t ]))

    /// The Float nearest to a quotient of Ints. Uninterpreted in a proof.
    let quotient a d =
        match a, d with
        | Int.Known n, Int.Known d -> Float.Known(Numbers.quotient n d)
        | (Int.Known _ | Int.Symbolic _), _ ->
            Float.Symbolic(FloatTerm.Apply("quotient", [ Argument.Int(Int.term a); Argument.Int(Int.term d) ]))

    /// How an Int lies to a Float that is no NaN, by exact value: negative, 0 or positive.
    /// A known Int that is a Float compares as one; any other comparison is uninterpreted in a proof.
    let compareExact n x =
        match n, x with
        | Int.Known i, Float.Known f -> Int.ofInt (Numbers.compareExact i f)
        | Int.Known i, Float.Symbolic t when abs i <= (1I <<< 53) ->
            let i = term (Float.Known(float i))
            let sign n = IntTerm.Constant n

            Int.Symbolic(
                IntTerm.If(BoolTerm.FloatLess(i, t), sign -1I, IntTerm.If(BoolTerm.FloatLess(t, i), sign 1I, sign 0I))
            )
        | (Int.Known _ | Int.Symbolic _), _ ->
            Int.Symbolic(IntTerm.Apply("compare_int_float", [ Argument.Int(Int.term n); Argument.Float(term x) ]))

[<RequireQualifiedAccess>]
module Str =
    let term a =
        match a with
        | Str.Known s -> StrTerm.Constant s
        | Str.Symbolic t -> t

    /// Scalars.
    let length a =
        match a with
        | Str.Known s -> Int.ofInt (Text.length s)
        | Str.Symbolic t -> Int.Symbolic(IntTerm.Length t)

    let concat a b =
        match a, b with
        | Str.Known x, Str.Known y -> Str.Known(x + y)
        | (Str.Known _ | Str.Symbolic _), _ -> Str.Symbolic(StrTerm.Concat(term a, term b))

    let equal a b =
        match a, b with
        | Str.Known x, Str.Known y -> Bool.Known(String.Equals(x, y, StringComparison.Ordinal))
        | (Str.Known _ | Str.Symbolic _), _ -> Bool.Symbolic(BoolTerm.StrEqual(term a, term b))

    /// More copies of an unknown text are one application, not a term for each.
    let private mostCopies = 4I

    /// Copies, none for a negative count; an unknown number of them uninterpreted in a proof.
    let replicate count a =
        match count, a with
        | Int.Known _, Str.Known "" -> a
        | Int.Known n, Str.Known s -> Str.Known(String.replicate (int (bigint.Max(n, 0I))) s)
        | Int.Known n, Str.Symbolic _ when n <= mostCopies ->
            List.replicate (int (bigint.Max(n, 0I))) a |> List.fold concat (Str.Known "")
        | (Int.Known _ | Int.Symbolic _), _ ->
            Str.Symbolic(StrTerm.Apply("replicate", [ Argument.Int(Int.term count); Argument.Str(term a) ]))

    /// By scalar value; negative, 0 or positive. Uninterpreted in a proof.
    let compareScalars a b =
        match a, b with
        | Str.Known x, Str.Known y -> Int.ofInt (Text.compareScalars x y)
        | (Str.Known _ | Str.Symbolic _), _ ->
            Int.Symbolic(IntTerm.Apply("compare_text", [ Argument.Str(term a); Argument.Str(term b) ]))

    /// Decimal digits. Uninterpreted in a proof.
    let ofInt a =
        match a with
        | Int.Known n -> Str.Known(Numbers.intText n)
        | Int.Symbolic t -> Str.Symbolic(StrTerm.Apply("int_text", [ Argument.Int t ]))

    /// Python's repr. Uninterpreted in a proof.
    let ofFloat a =
        match a with
        | Float.Known x -> Str.Known(Numbers.floatText x)
        | Float.Symbolic t -> Str.Symbolic(StrTerm.Apply("float_text", [ Argument.Float t ]))

    /// A JSON string. Uninterpreted in a proof.
    let quoted a =
        match a with
        | Str.Known s -> Str.Known(Text.quoted s)
        | Str.Symbolic t -> Str.Symbolic(StrTerm.Apply("quoted_text", [ Argument.Str t ]))
