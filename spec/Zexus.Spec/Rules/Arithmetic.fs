/// 8-16: numbers, and the text and lists that ADD and MUL also take.
module Zexus.Spec.Rules.Arithmetic

open System.Collections.Immutable
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals

/// Both sides as numbers. FAULTS TypeMismatch.
let private numbers (a: Kind) (b: Kind) : Rule<Number * Number> =
    rule {
        match numberOf a, numberOf b with
        | Some m, Some n -> return m, n
        | None, _
        | _, None -> return! fault Fault.TypeMismatch
    }

let private toFloat number =
    match number with
    | Number.Int n -> Float.ofInt n
    | Number.Float x -> x

let private pushInt (n: Int) : Rule<unit> =
    rule {
        do! limitInt n
        do! push (Value.ofInt n)
    }

/// Int with Int exactly; with a Float on either side both rounded to Float. The charge of both is size a + size b.
let private linear (exact: Int -> Int -> Int) (rounded: Float -> Float -> Float) m n : Rule<unit> =
    rule {
        match m, n with
        | Number.Int x, Number.Int y ->
            do! branch "int"
            do! chargeSizes m n
            do! pushInt (exact x y)
        | Number.Float _, _
        | _, Number.Float _ ->
            do! branch "float"
            do! chargeSizes m n
            do! push (Value.ofFloat (rounded (toFloat m) (toFloat n)))
    }

/// Charge of MUL, DIV and MOD on Ints: size a + size b + size a * size b.
let private chargeProduct x y =
    let a = Int.size x
    let b = Int.size y
    charge (Int.add (Int.add a b) (Int.mul a b))

let private pushList (items: ImmutableList<Value>) : Rule<unit> =
    rule {
        let! address = allocate (Cell.List items)
        do! push (Value.Of(Kind.List address))
    }

/// The charge and limit of s ++ t, then the push.
let private concatenate (s: Str) (t: Str) : Rule<unit> =
    rule {
        let length = Int.add (Str.length s) (Str.length t)
        do! charge (Int.divBy Gas.ScalarsPerUnit length)
        do! limitText length
        do! push (Value.ofStr (Str.concat s t))
    }

/// STACK [a b] -> [a+b] · GAS 3, then size a + size b (numbers), (scalars a + scalars b)/8 after the display of the other side (text), n + m (Lists).
/// FAULTS TypeMismatch, IntegerTooLarge, StringTooLong, CollectionTooLarge, TooDeep.
/// SOURCE upstream `_op_add`; its concatenation of mixed kinds without a String is refused here.
let ADD: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! kindA = kindOf a
        let! kindB = kindOf b

        match kindA, kindB with
        | Kind.String s, Kind.String t ->
            do! branch "strings"
            do! concatenate s t
        | Kind.String s,
          (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _) ->
            do! branch "string-left"
            let! t = display b
            do! concatenate s t
        | (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _),
          Kind.String t ->
            do! branch "string-right"
            let! s = display a
            do! concatenate s t
        | Kind.List p, Kind.List q ->
            let! xs = itemsOf "add" p
            let! ys = itemsOf "add" q
            do! branch "lists"
            do! chargeInt (xs.Count + ys.Count)
            do! limitCount (Int.ofInt (xs.Count + ys.Count))
            do! pushList (xs.AddRange ys)
        | (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _),
          (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _) ->
            let! m, n = numbers kindA kindB
            do! linear Int.add Float.add m n
    }

/// STACK [a b] -> [a-b] · GAS 3, then size a + size b · FAULTS TypeMismatch, IntegerTooLarge.
/// SOURCE upstream `_op_sub`; a non-number is refused (upstream: concatenation on one path, 0 on another).
let SUB: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! kindA = kindOf a
        let! kindB = kindOf b
        let! m, n = numbers kindA kindB
        do! linear Int.sub Float.sub m n
    }

/// STACK [v] -> [v ADD 1] · GAS 5, then as ADD · FAULTS as ADD.
let INC: Rule<unit> =
    rule {
        do! push (Value.ofInt Int.one)
        do! ADD
    }

/// STACK [v] -> [v SUB 1] · GAS 5, then as SUB · FAULTS as SUB.
let DEC: Rule<unit> =
    rule {
        do! push (Value.ofInt Int.one)
        do! SUB
    }

/// A count of repetitions: none when negative. The text or list is asked for only when there is something to repeat.
let private times (count: Int) (length: Int) (operation: string) : Rule<int * Int> =
    rule {
        let! n = knownInt operation count
        let! length = knownInt operation length
        let n = if n.Sign < 0 then 0I else n
        let total = n * length

        return
            (if length.IsZero then
                 0
             else
                 int (bigint.Min(n, bigint System.Int32.MaxValue))),
            Int.Known total
    }

/// [String] * n, also the method `repeat`.
let repeatText (s: Str) (count: Int) : Rule<unit> =
    rule {
        let! n, length = times count (Str.length s) "repeat"
        do! charge (Int.divBy Gas.ScalarsPerUnit length)
        do! limitText length
        let! s = knownText "repeat" s
        do! push (Value.text (String.replicate n s))
    }

let private repeatList (address: Address) (count: Int) : Rule<unit> =
    rule {
        let! items = itemsOf "mul" address
        let! n, length = times count (Int.ofInt items.Count) "mul"
        do! charge length
        do! limitCount length

        do!
            pushList (
                Seq.replicate n items
                |> Seq.fold (fun (all: ImmutableList<Value>) items -> all.AddRange items) ImmutableList.Empty
            )
    }

/// A number as a count of repetitions. FAULTS TypeMismatch (Float).
let private countOf number : Rule<Int> =
    match number with
    | Number.Int n -> result n
    | Number.Float _ -> fault Fault.TypeMismatch

/// STACK [a b] -> [a*b] · GAS 5, then size a + size b + size a * size b (Ints), size a + size b (a Float), scalars/8 or elements of the result (repetition).
/// FAULTS TypeMismatch, IntegerTooLarge, StringTooLong, CollectionTooLarge.
let MUL: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! kindA = kindOf a
        let! kindB = kindOf b

        match kindA, numberOf kindA, kindB, numberOf kindB with
        | Kind.String s, _, _, Some n
        | _, Some n, Kind.String s, _ ->
            let! count = countOf n
            do! branch "repeat-string"
            do! repeatText s count
        | Kind.List p, _, _, Some n
        | _, Some n, Kind.List p, _ ->
            let! count = countOf n
            do! branch "repeat-list"
            do! repeatList p count
        | _, Some(Number.Int x), _, Some(Number.Int y) ->
            do! branch "int"
            do! chargeProduct x y
            do! pushInt (Int.mul x y)
        | _, Some m, _, Some n ->
            do! branch "float"
            do! chargeSizes m n
            do! push (Value.ofFloat (Float.mul (toFloat m) (toFloat n)))
        | _, None, _, _
        | _, _, _, None -> return! fault Fault.TypeMismatch
    }

let private isZero number =
    match number with
    | Number.Int n -> Int.equal n Int.zero
    | Number.Float x -> Float.equal x (Float.Known 0.0)

/// FAULTS DivisionByZero.
let private divisible (divisor: Number) : Rule<unit> =
    require (Bool.negate (isZero divisor)) Fault.DivisionByZero

/// STACK [a b] -> [a/b] · GAS 10, then size a + size b + size a * size b (Ints), size a + size b (a Float).
/// The Int quotient when it is exact, else the nearest Float. FAULTS TypeMismatch, DivisionByZero, IntegerTooLarge (-2^bits / -1).
let DIV: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! kindA = kindOf a
        let! kindB = kindOf b
        let! m, n = numbers kindA kindB
        do! divisible n

        match m, n with
        | Number.Int x, Number.Int y ->
            do! chargeProduct x y
            let quotient = Int.floorDiv x y
            let! exact = decide (Int.equal (Int.mul quotient y) x)

            if exact then
                do! branch "exact"
                do! pushInt quotient
            else
                do! branch "inexact"
                do! push (Value.ofFloat (Float.quotient x y))
        | Number.Float _, _
        | _, Number.Float _ ->
            do! branch "float"
            do! chargeSizes m n
            do! push (Value.ofFloat (Float.div (toFloat m) (toFloat n)))
    }

/// STACK [a b] -> [a mod b] · GAS 10, then as DIV · FAULTS TypeMismatch, DivisionByZero.
/// Floored: the result has the divisor's sign; a Float zero takes it too.
let MOD: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! kindA = kindOf a
        let! kindB = kindOf b
        let! m, n = numbers kindA kindB
        do! divisible n

        match m, n with
        | Number.Int x, Number.Int y ->
            do! branch "int"
            do! chargeProduct x y
            do! push (Value.ofInt (Int.floorMod x y))
        | Number.Float _, _
        | _, Number.Float _ ->
            do! branch "float"
            do! chargeSizes m n
            do! push (Value.ofFloat (Float.modulo (toFloat m) (toFloat n)))
    }

/// The exponent of a power whose result is a Float.
[<RequireQualifiedAccess>]
type private Exponent =
    | Whole of bigint
    | Half
    | MinusHalf

/// FAULTS Domain.
let private exponentOf (x: float) : Rule<Exponent> =
    if System.Double.IsInteger x then
        result (Exponent.Whole(bigint x))
    elif x = 0.5 then
        result Exponent.Half
    elif x = -0.5 then
        result Exponent.MinusHalf
    else
        fault Fault.Domain

let private pushFloat x =
    push (Value.ofFloat (Float.Known(Numbers.canonical x)))

/// x to an exponent, by squaring or IEEE square root. FAULTS DivisionByZero (0 to a negative), Domain (root of a negative).
let private floatPower (m: Number) (n: Number) (x: float) (exponent: Exponent) : Rule<unit> =
    rule {
        match exponent with
        | Exponent.Whole e when e.Sign >= 0 ->
            do! branch "float"
            do! chargeSizes m n
            do! pushFloat (Numbers.floatPower x e)
        | Exponent.Whole e ->
            do! require (Bool.Known(x <> 0.0)) Fault.DivisionByZero
            do! branch "float-reciprocal"
            do! chargeSizes m n
            do! pushFloat (1.0 / Numbers.floatPower x -e)
        | Exponent.Half ->
            do! require (Bool.Known(not (x < 0.0))) Fault.Domain
            do! branch "root"
            do! chargeSizes m n
            do! pushFloat (System.Math.Sqrt x)
        | Exponent.MinusHalf ->
            do! require (Bool.Known(not (x < 0.0))) Fault.Domain
            do! require (Bool.Known(x <> 0.0)) Fault.DivisionByZero
            do! branch "root-reciprocal"
            do! chargeSizes m n
            do! pushFloat (1.0 / System.Math.Sqrt x)
    }

/// The square of the result's size, from its operands: r = m * e / 64, at most 256; nothing for -1, 0 and 1.
let private powerGas (a: bigint) (e: bigint) =
    let m = Numbers.magnitudeBits a

    if m <= 1I then
        Int.zero
    else
        let r = bigint.Min(m * e / bigint Gas.BitsPerWord, bigint Gas.LargestPowerSize)
        Int.Known(r * r)

/// STACK [a b] -> [a**b] · GAS 20, then the square of the result's size (Int to an Int >= 0), else size a + size b.
/// Int to an Int >= 0 exactly; else by squaring in Floats; exponents 0.5 and -0.5 by square root.
/// FAULTS TypeMismatch, DivisionByZero, Domain, IntegerTooLarge.
let POW: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! kindA = kindOf a
        let! kindB = kindOf b
        let! m, n = numbers kindA kindB

        match m, n with
        | Number.Int x, Number.Int y ->
            let! x = knownInt "pow" x
            let! y = knownInt "pow" y

            if y.Sign >= 0 then
                do! branch "int"
                do! charge (powerGas x y)
                let! bound = read _.IntegerBound
                let! bound = knownInt "pow" bound

                match Numbers.intPower bound x y with
                | Some power -> do! pushInt (Int.Known power)
                | None -> return! fault Fault.IntegerTooLarge
            else
                do! floatPower m n (Numbers.toFloat x) (Exponent.Whole y)
        | Number.Float x, Number.Int y ->
            let! x = knownFloat "pow" x
            let! y = knownInt "pow" y
            do! floatPower m n x (Exponent.Whole y)
        | Number.Int _, Number.Float y
        | Number.Float _, Number.Float y ->
            let! x = knownFloat "pow" (toFloat m)
            let! y = knownFloat "pow" y
            let! exponent = exponentOf y
            do! floatPower m n x exponent
    }

/// STACK [a] -> [-a] · GAS 2, then size a · FAULTS TypeMismatch, IntegerTooLarge (-(-2^bits)).
let NEG: Rule<unit> =
    rule {
        let! a = pop
        let! kind = kindOf a

        match numberOf kind with
        | Some(Number.Int n) ->
            do! branch "int"
            do! charge (Int.size n)
            do! pushInt (Int.neg n)
        | Some(Number.Float x) ->
            do! branch "float"
            do! push (Value.ofFloat (Float.neg x))
        | None -> return! fault Fault.TypeMismatch
    }
