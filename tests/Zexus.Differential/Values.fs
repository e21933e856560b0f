namespace Zexus.Differential

open System
open System.Numerics
open Zexus.Isa

/// What a generator thinks a value is. A guess: programs run whatever it turns out to be.
[<RequireQualifiedAccess>]
type Guess =
    | Null = 0
    | Bool = 1
    | Int = 2
    | Float = 3
    | String = 4
    | List = 5
    | Map = 6
    | Set = 7
    | Function = 8
    | Any = 9

/// Plain data with a taste for boundaries.
[<RequireQualifiedAccess>]
module Values =
    let private power (n: int) = BigInteger.One <<< n

    let edgeInts: BigInteger[] = [|
        for n in [ 7; 8; 15; 31; 32; 52; 53; 62; 63; 64; 65; 127; 128 ] do
            power n - BigInteger.One
            power n
            power n + BigInteger.One
            -(power n) - BigInteger.One
            -(power n)
            -(power n) + BigInteger.One
    |]

    let hugeInts: BigInteger[] = [|
        for n in [ 191; 192; 255; 256; 1023; 1024; 4095; 4096 ] do
            power n
            power n - BigInteger.One
            -(power n)
        power 8192 - BigInteger.One
        -(power 8192)
        power 8191
        BigInteger.Pow(BigInteger 10, 40)
        BigInteger.Pow(BigInteger 10, 400) + BigInteger 7
    |]

    let edgeFloats: double[] = [|
        0.0
        -0.0
        1.0
        -1.0
        0.5
        -0.5
        1.5
        2.0
        2.5
        -2.5
        3.0
        0.1
        0.3
        1e16
        1e-5
        1e-4
        123456.789
        9007199254740992.0
        9007199254740991.0
        9007199254740994.0
        9223372036854775808.0
        -9223372036854775808.0
        9223372036854774784.0
        18446744073709551616.0
        1e22
        1e23
        1e308
        1.7976931348623157e308
        -1.7976931348623157e308
        2.2250738585072014e-308
        2.225073858507201e-308
        4.9406564584124654e-324
        -4.9406564584124654e-324
        Double.PositiveInfinity
        Double.NegativeInfinity
        Tree.nan
    |]

    let private words: string[] = [|
        ""
        "a"
        "b"
        "ab"
        "abc"
        "key"
        "name"
        "x"
        "1"
        "-12"
        "+7"
        "1.5"
        "1e3"
        "nan"
        "-inf"
        "007"
        "9223372036854775808"
        " a "
        "\t\n x\r"
        "\u000b\u000c"
        "a b c"
        "A,b,,C"
        "aaa"
        "abab"
        "é"
        "ÄÖü"
        "ß"
        "İı"
        "日本"
        "𝒳"
        "a𝒳b"
        "👩‍🚀"
        "\U00010000"
        "\uFFFF"
        "\uE000"
        "\u00a0x\u2003"
        "\u0001\u001f\u007f\u0085"
        "\"q\\\b\f\n\r\t/"
        "timestamp"
        "null"
        "TypeMismatch"
        "12345678"
        "1234567"
        "123456789"
        "0123456789abcdef"
    |]

    let int (r: Rng) : BigInteger =
        match r.Below 20 with
        | 0
        | 1
        | 2 -> r.Pick edgeInts
        | 3 -> BigInteger(int64 (r.Next()))
        | 4 -> BigInteger(r.Between(-100000, 100000))
        | 5 when r.Chance 200 -> r.Pick hugeInts
        | 6
        | 7 -> BigInteger(r.Between(-3, 70))
        | _ -> BigInteger(r.Between(-3, 9))

    let float (r: Rng) : double =
        match r.Below 10 with
        | 0 ->
            let x = BitConverter.Int64BitsToDouble(int64 (r.Next()))
            if Double.IsNaN x then Tree.nan else x
        | 1 -> Math.Round(double (r.Between(-4000, 4000)) / 64.0, 3)
        | 2 -> double (r.Between(-5, 9))
        | 3 -> double (r.Pick edgeInts)
        | _ -> r.Pick edgeFloats

    let string (r: Rng) : string =
        match r.Below 12 with
        | 3 when r.Chance 60 ->
            // Long enough for whatever an engine does with text that is not short.
            String.Concat(Array.init (r.Between(20, 120)) (fun _ -> r.Pick words))
        | 0 -> String.Concat(r.Pick words, r.Pick words)
        | 1 -> String.replicate (r.Between(1, 12)) (r.Pick words)
        | 2 -> String('x', r.Between(6, 34))
        | _ -> r.Pick words

    /// Keys that meet: equal ones of several kinds are likely.
    let key (r: Rng) : Data =
        match r.Below 12 with
        | 0 -> Data.Null
        | 1 -> Data.Bool(r.Chance 500)
        | 2 -> Tree.ofInt (r.Between(-1, 3))
        | 3 -> Tree.ofInt (r.Between(-1, 40))
        | 4 -> Data.Float(r.Pick [| 0.0; -0.0; 1.0; 2.0; -1.0; 0.5 |])
        | 5 -> Data.Int(int r)
        | 6 ->
            let x = float r
            Data.Float(if Double.IsNaN x then 1.0 else x)
        | 7 ->
            let n = r.Pick [| 53; 63; 64 |]

            if r.Chance 500 then
                Data.Int(power n)
            else
                Data.Float(Math.Pow(2.0, double n))
        | _ -> Data.String(string r)

    /// Mostly a handful; now and then enough for an index, for growth, and for a sort of several passes.
    let private size (r: Rng) =
        if r.Chance 50 then r.Between(6, 40) else r.Below 5

    let rec data (r: Rng) (depth: int) : Data =
        match r.Below(if depth > 0 then 16 else 11) with
        | 0 -> Data.Null
        | 1 -> Data.Bool(r.Chance 500)
        | 2
        | 3
        | 4 -> Data.Int(int r)
        | 5
        | 6 -> Data.Float(float r)
        | 7
        | 8
        | 9
        | 10 -> Data.String(string r)
        | 11
        | 12
        | 13 -> list r depth
        | 14 -> map r depth
        | _ -> set r

    and list (r: Rng) (depth: int) : Data =
        let uniform = r.Chance 500

        let size = size r
        let depth = if size > 5 then 1 else depth

        let element () =
            if uniform then
                Tree.ofInt (r.Between(-3, 9))
            else
                data r (depth - 1)

        Data.List(Array.init size (fun _ -> element ()))

    and map (r: Rng) (depth: int) : Data =
        let strings = r.Chance 500
        let size = size r
        let depth = if size > 5 then 1 else depth

        Array.init size (fun _ ->
            let k = if strings then Data.String(string r) else key r
            Tree.pair k (data r (depth - 1)))
        |> Tree.distinctEntries
        |> Data.Map

    and set (r: Rng) : Data =
        Array.init (size r) (fun _ -> key r) |> Tree.distinctItems |> Data.Set

    /// Lists within lists, as deep as asked.
    let nested (depth: int) (leaf: Data) : Data =
        let mutable d = leaf

        for i in 1..depth do
            d <-
                if i % 3 = 0 then
                    Data.Map [| Tree.pair (Data.String "d") d |]
                else
                    Data.List [| d |]

        d

    let ofGuess (r: Rng) (guess: Guess) : Data =
        match guess with
        | Guess.Null -> Data.Null
        | Guess.Bool -> Data.Bool(r.Chance 500)
        | Guess.Int -> Data.Int(int r)
        | Guess.Float -> Data.Float(float r)
        | Guess.String -> Data.String(string r)
        | Guess.List -> list r 2
        | Guess.Map -> map r 2
        | Guess.Set -> set r
        | _ -> data r 2

    /// State keys and the values under them that a program is likely to ask for.
    let state (r: Rng) =
        let keys = [| "a"; "b"; "key"; "balance"; "é" |]

        [|
            for k in keys do
                if r.Chance 350 then
                    System.Collections.Generic.KeyValuePair(k, data r 2)
        |]
