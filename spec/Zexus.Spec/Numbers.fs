/// Exact and correctly rounded arithmetic on known numbers. Pure; IEEE 754-2019 where it speaks of Floats.
module Zexus.Spec.Numbers

open System
open System.Globalization
open System.Numerics
open Zexus.Isa

/// The one NaN.
let nan = BitConverter.Int64BitsToDouble 0x7FF8000000000000L

/// Every Float result passes here: the hardware's NaNs differ in sign and payload, ours does not.
let canonical (x: float) = if Double.IsNaN x then nan else x

/// Bit length in two's complement without the sign bit.
let bits (n: bigint) = bigint (n.GetBitLength())

/// 0 exactly for the Ints that fit 64 bits signed.
let size (n: bigint) =
    bigint.Divide(bits n, bigint Gas.BitsPerWord)

/// Bit length of the magnitude: |n| < 2^m, and |n| >= 2^(m-1) unless n = 0.
let magnitudeBits (n: bigint) = bits (abs n)

/// Floored division and its remainder, which has the divisor's sign.
let floorDiv (a: bigint) (b: bigint) =
    let q = bigint.Divide(a, b)
    let r = a - q * b

    if not r.IsZero && (r.Sign < 0) <> (b.Sign < 0) then
        q - 1I
    else
        q

let floorMod (a: bigint) (b: bigint) = a - floorDiv a b * b

/// `m * 2^e`, where m > 0 has its low bits as guard and sticky bits: one rounding, to nearest, ties to even.
let private roundScaled (m: bigint) (e: int) =
    let length = int (bits m)
    let exponent = max (length + e - 53) -1074
    let drop = exponent - e

    let rounded =
        if drop <= 0 then
            m <<< -drop
        else
            let kept = m >>> drop
            let rest = m - (kept <<< drop)
            let half = 1I <<< (drop - 1)

            if rest > half || (rest = half && not kept.IsEven) then
                kept + 1I
            else
                kept

    if exponent > 1023 then
        Double.PositiveInfinity
    else
        Math.ScaleB(float (int64 rounded), exponent)

/// The Float nearest to an Int, ties to even; an infinity beyond the range. (.NET's own conversion truncates.)
let toFloat (n: bigint) =
    if n.IsZero then 0.0
    elif n.Sign > 0 then roundScaled n 0
    else -(roundScaled -n 0)

/// The Float nearest to a/b, ties to even. b is not 0.
let quotient (a: bigint) (b: bigint) =
    let negative = (a.Sign < 0) <> (b.Sign < 0)
    let m = abs a
    let n = abs b

    let magnitude =
        if m.IsZero then
            0.0
        else
            // Enough bits that the last one can be sticky: three below the rounding position, or below the smallest subnormal.
            let shift = max (int (bits m) - int (bits n) - 56) -1078
            let scaledM = if shift < 0 then m <<< -shift else m
            let scaledN = if shift > 0 then n <<< shift else n
            let q = bigint.Divide(scaledM, scaledN)

            let sticky =
                if scaledM - q * scaledN <> 0I && q.IsEven then
                    q + 1I
                else
                    q

            if sticky.IsZero then 0.0 else roundScaled sticky shift

    if negative then -magnitude else magnitude

/// How an Int lies to a Float, by exact value: negative, 0 or positive. A NaN lies nowhere; what is said of it here no rule looks at.
let compareExact (n: bigint) (x: float) =
    if Double.IsNaN x then
        1
    elif Double.IsPositiveInfinity x then
        -1
    elif Double.IsNegativeInfinity x then
        1
    else
        let whole = Math.Floor x
        let byWhole = compare n (bigint whole)
        if byWhole = 0 && x > whole then -1 else byWhole

/// C's fmod (exact), plus the divisor if the signs differ; a zero takes the divisor's sign. b is not 0.
let floatMod (a: float) (b: float) =
    let r = a % b

    if r = 0.0 then Math.CopySign(0.0, b)
    elif (r < 0.0) <> (b < 0.0) then r + b
    else r

/// x^n by squaring, n >= 0: the order of the multiplications is the meaning.
let floatPower (x: float) (n: bigint) =
    let rec go (r: float) (b: float) (n: bigint) =
        if n.IsZero then
            r
        else
            let r = if n.IsEven then r else r * b
            let n = n >>> 1
            if n.IsZero then r else go r (b * b) n

    canonical (go 1.0 x n)

/// a^n exactly, n >= 0, or nothing when it lies outside [-bound, bound).
let intPower (bound: bigint) (a: bigint) (n: bigint) =
    if n.IsZero then Some 1I
    elif a.IsZero || a.IsOne then Some a
    elif a = -1I then Some(if n.IsEven then 1I else -1I)
    elif (magnitudeBits a - 1I) * n > bits bound then None // |a|^n >= 2^((m-1) n), already past the bound
    else Some(bigint.Pow(a, int n))

/// The shortest decimal digits that read back as |x|, the nearest to it where several do, and the power of ten p with |x| = 0.d1d2… * 10^p.
/// x is finite and not 0. (.NET's own "R" format is wrong at some powers of two, such as 2^-958: it gives 16 digits that read back as the Float
/// below.) SOURCE D. M. Gay, Correctly Rounded Binary-Decimal and Decimal-Binary Conversions, mode 0, which Python's repr uses.
let private shortestDigits (x: float) =
    let magnitude = abs x
    // 767 digits are exact for every binary64.
    let exact = magnitude.ToString("E766", CultureInfo.InvariantCulture)
    let digits = exact.Substring(0, 1) + exact.Substring(2, 766)
    let exponent = Int32.Parse(exact.Substring 769, CultureInfo.InvariantCulture)

    let readsBack (candidate: bigint) length =
        let text = candidate.ToString() + "E" + string (exponent - length + 1)
        Double.Parse(text, CultureInfo.InvariantCulture) = magnitude

    let rec go length =
        let below = bigint.Parse(digits.Substring(0, length))
        let above = below + 1I
        let rest = digits.Substring length
        let half = "5" + String('0', rest.Length - 1)

        let isNearerAbove =
            String.CompareOrdinal(rest, half) > 0 || (rest = half && not below.IsEven)

        let nearer, other = if isNearerAbove then above, below else below, above

        // The interval that reads back as x is wider above a power of two, so the farther candidate can be in it alone.
        if readsBack nearer length then nearer, length
        elif readsBack other length then other, length
        else go (length + 1)

    let shortest, length = go 1
    let text = shortest.ToString()
    text.TrimEnd '0', exponent + 1 + (text.Length - length)

/// A finite Float as Python's repr writes it: fixed notation for 1e-4 <= |x| < 1e16, else an exponent of two digits or more.
let private finiteText (x: float) =
    let sign = if Double.IsNegative x then "-" else ""

    if x = 0.0 then
        sign + "0.0"
    else
        let digits, point = shortestDigits x

        let body =
            if point > 16 || point < -3 then
                let tail = if digits.Length > 1 then "." + digits.Substring 1 else ""
                let e = point - 1

                digits.Substring(0, 1)
                + tail
                + "e"
                + (if e < 0 then "-" else "+")
                + (abs e).ToString("00", CultureInfo.InvariantCulture)
            elif point <= 0 then
                "0." + String('0', -point) + digits
            elif point >= digits.Length then
                digits + String('0', point - digits.Length) + ".0"
            else
                digits.Substring(0, point) + "." + digits.Substring point

        sign + body

/// A Float in display form.
let floatText (x: float) =
    if Double.IsNaN x then "nan"
    elif Double.IsPositiveInfinity x then "inf"
    elif Double.IsNegativeInfinity x then "-inf"
    else finiteText x

/// A Float in canonical JSON.
let floatJson (x: float) =
    if Double.IsNaN x then "NaN"
    elif Double.IsPositiveInfinity x then "Infinity"
    elif Double.IsNegativeInfinity x then "-Infinity"
    else finiteText x

let intText (n: bigint) =
    n.ToString(CultureInfo.InvariantCulture)

/// The Float nearest to a decimal text of the grammar in docs/semantics.md, section 7.
let parseFloat (text: string) =
    let isDigit c = c >= '0' && c <= '9'

    let skipDigits i =
        Seq.skip i text |> Seq.takeWhile isDigit |> Seq.length |> (+) i

    let at i c = i < text.Length && text[i] = c

    let sign i =
        if at i '+' || at i '-' then i + 1 else i

    match text with
    | "nan" -> Some nan
    | "inf" -> Some Double.PositiveInfinity
    | "-inf" -> Some Double.NegativeInfinity
    | decimal ->
        let start = sign 0
        let whole = skipDigits start

        let fraction =
            if whole > start && at whole '.' then
                let after = skipDigits (whole + 1)
                if after > whole + 1 then after else -1
            else
                whole

        let finish =
            if fraction >= 0 && (at fraction 'e' || at fraction 'E') then
                let from = sign (fraction + 1)
                let after = skipDigits from
                if after > from then after else -1
            else
                fraction

        if whole > start && finish = decimal.Length then
            Some(Double.Parse(decimal, NumberStyles.Float, CultureInfo.InvariantCulture))
        else
            None

/// What `int` makes of a text.
type ParsedInt =
    | Parsed of bigint
    | TooManyDigits
    | NoInt

/// Decimal digits with an optional sign. 2^8192 has 2,467 digits; what has more cannot be an Int, whatever it is.
let parseInt (text: string) =
    let unsigned =
        if text.StartsWith '+' || text.StartsWith '-' then
            text.Substring 1
        else
            text

    if unsigned = "" || not (Seq.forall (fun c -> c >= '0' && c <= '9') unsigned) then
        NoInt
    else
        let digits = unsigned.TrimStart '0'

        if digits.Length > 2467 then
            TooManyDigits
        else
            let magnitude =
                if digits = "" then
                    0I
                else
                    bigint.Parse(digits, CultureInfo.InvariantCulture)

            Parsed(if text.StartsWith '-' then -magnitude else magnitude)
