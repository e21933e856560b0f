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

/// A new List that holds what unknown ones hold: only that says its symbol.
let private pushUnknown (symbol: string) : Rule<unit> =
    rule {
        let! address = allocate (Cell.Unknown symbol)
        do! push (Value.Of(Kind.List address))
    }

let private joined x y = "join<" + x + "." + y + ">"

/// The charge and limit of s ++ t, then the push.
let private concatenate (s: Str) (t: Str) : Rule<unit> =
    rule {
        let length = Int.add (Str.length s) (Str.length t)
        do! charge (Int.divBy Gas.ScalarsPerUnit length)
        do! limitText length
        do! push (Value.ofStr (Str.concat s t))
    }

/// [List] ++ [List], a new one.
let private join (p: Address) (q: Address) : Rule<unit> =
    rule {
        let! first = load p
        let! second = load q
        do! branch "lists"
        let! n = countOf p
        let! m = countOf q
        let count = Int.add n m
        do! charge count
        do! limitCount count

        match first, second with
        | Cell.Unknown x, Cell.Unknown y -> do! pushUnknown (joined x y)
        | (Cell.List _ | Cell.Map _ | Cell.Set _ | Cell.Function _ | Cell.Variable _ | Cell.Unknown _), _ ->
            let! xs = itemsOf "add" p
            let! ys = itemsOf "add" q
            do! pushList (xs.AddRange ys)
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
        | Kind.List p, Kind.List q -> do! join p q
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

/// [String] * n, none when negative; also the method `repeat`. The text is made only when its length has been charged for.
let repeatText (s: Str) (count: Int) : Rule<unit> =
    rule {
        let length = Int.mul (Int.max count Int.zero) (Str.length s)
        do! charge (Int.divBy Gas.ScalarsPerUnit length)
        do! limitText length
        do! push (Value.ofStr (Str.replicate count s))
    }

/// A count of repetitions, as a symbol says it.
let private nameOfCount (count: Int) : Rule<string> =
    match count with
    | Int.Known n -> result (string n)
    | Int.Symbolic(IntTerm.Symbol name) -> result name
    | Int.Symbolic(IntTerm.OfBool(BoolTerm.Symbol name)) -> result ("bool-" + name)
    | Int.Symbolic _ -> opaque "mul" [ Value.ofInt count ]

let private repeatList (address: Address) (count: Int) : Rule<unit> =
    rule {
        let! cell = load address
        let! elements = countOf address
        let length = Int.mul (Int.max count Int.zero) elements
        do! charge length
        do! limitCount length

        match cell with
        | Cell.Unknown symbol ->
            match count with
            | Int.Known n when n = 2I -> do! pushUnknown (joined symbol symbol)
            | Int.Known _
            | Int.Symbolic _ ->
                let! times = nameOfCount count
                do! pushUnknown ("repeat<" + symbol + "." + times + ">")
        | Cell.List _
        | Cell.Map _
        | Cell.Set _
        | Cell.Function _
        | Cell.Variable _ ->
            let! items = itemsOf "mul" address
            let! n = knownInt "mul" (if items.IsEmpty then Int.zero else count)

            do!
                pushList (
                    Seq.replicate (int (bigint.Max(n, 0I))) items
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
    | Unknown of Number

/// FAULTS Domain.
let private exponentOf (number: Number) : Rule<Exponent> =
    match number with
    | Number.Int(Int.Known n) -> result (Exponent.Whole n)
    | Number.Float(Float.Known x) ->
        if System.Double.IsInteger x then
            result (Exponent.Whole(bigint x))
        elif x = 0.5 then
            result Exponent.Half
        elif x = -0.5 then
            result Exponent.MinusHalf
        else
            fault Fault.Domain
    | Number.Int(Int.Symbolic _)
    | Number.Float(Float.Symbolic _) -> result (Exponent.Unknown number)

/// An argument, and what the name of its function says of it: one name has one signature.
let private argumentOf number =
    match number with
    | Number.Int n -> "_int", Argument.Int(Int.term n)
    | Number.Float x -> "_float", Argument.Float(Float.term x)

/// x to an exponent, by squaring or IEEE square root. FAULTS DivisionByZero (0 to a negative), Domain (root of a negative).
let private floatPower (m: Number) (n: Number) : Rule<unit> =
    let x = toFloat m

    let give (power: Float) =
        rule {
            do! chargeSizes m n
            do! push (Value.ofFloat power)
        }

    let isZero = Float.equal x (Float.Known 0.0)

    let rooted = require (Bool.negate (Float.less x (Float.Known 0.0))) Fault.Domain

    let reciprocal power = Float.div (Float.Known 1.0) power

    rule {
        match! exponentOf n with
        | Exponent.Whole e when e.Sign >= 0 ->
            do! branch "float"
            do! give (Float.power x e)
        | Exponent.Whole e ->
            do! require (Bool.negate isZero) Fault.DivisionByZero
            do! branch "float-reciprocal"
            do! give (reciprocal (Float.power x -e))
        | Exponent.Half ->
            do! rooted
            do! branch "root"
            do! give (Float.sqrt x)
        | Exponent.MinusHalf ->
            do! rooted
            do! require (Bool.negate isZero) Fault.DivisionByZero
            do! branch "root-reciprocal"
            do! give (reciprocal (Float.sqrt x))
        | Exponent.Unknown exponent ->
            // Which of the branches above it is, a proof does not ask.
            let sort, argument = argumentOf exponent

            let answer name =
                name + sort, [ Argument.Float(Float.term x); argument ]

            let avoids name =
                Bool.negate (Bool.Symbolic(BoolTerm.Apply(answer name)))

            do! require (avoids "power_has_no_value") Fault.Domain
            do! require (avoids "power_divides_by_zero") Fault.DivisionByZero
            do! branch "float"
            do! give (Float.Symbolic(FloatTerm.Apply(answer "float_power")))
    }

/// The square of the result's size, from its operands: r = m * e / 64, at most 256; nothing for -1, 0 and 1. Uninterpreted in a proof.
let private powerGas (a: Int) (e: Int) =
    match a, e with
    | Int.Known a, Int.Known e ->
        let m = Numbers.magnitudeBits a

        if m <= 1I then
            Int.zero
        else
            let r = bigint.Min(m * e / bigint Gas.BitsPerWord, bigint Gas.LargestPowerSize)
            Int.Known(r * r)
    | Int.Symbolic(IntTerm.OfBool _), Int.Known _ -> Int.zero
    | (Int.Known _ | Int.Symbolic _), _ ->
        Int.Symbolic(IntTerm.Apply("gas_of_power", [ Argument.Int(Int.term a); Argument.Int(Int.term e) ]))

/// Exactly. FAULTS IntegerTooLarge.
let private pushPower (a: Int) (e: Int) : Rule<unit> =
    rule {
        let! bound = read _.IntegerBound

        match bound, a, e with
        | Int.Known bound, Int.Known a, Int.Known e ->
            // It is not computed where it would not fit.
            match Numbers.intPower bound a e with
            | Some power -> do! pushInt (Int.Known power)
            | None -> return! fault Fault.IntegerTooLarge
        | (Int.Known _ | Int.Symbolic _), _, _ -> do! pushInt (Int.power a e)
    }

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
            let! isNegative = decide (Int.less y Int.zero)

            if isNegative then
                do! floatPower m n
            else
                do! branch "int"
                do! charge (powerGas x y)
                do! pushPower x y
        | Number.Float _, _
        | _, Number.Float _ -> do! floatPower m n
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
