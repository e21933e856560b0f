/// Text as a sequence of Unicode scalar values, on known Strings. Positions and lengths count scalars, never UTF-16 units.
module Zexus.Spec.Text

open System
open System.Text

/// Scalars in a well-formed string.
let length (s: string) =
    s |> Seq.sumBy (fun c -> if Char.IsLowSurrogate c then 0 else 1)

/// Where scalar i starts, in UTF-16 units.
let private offset (s: string) (i: int) =
    let rec go units scalars =
        if scalars = 0 then
            units
        elif Char.IsHighSurrogate s[units] then
            go (units + 2) (scalars - 1)
        else
            go (units + 1) (scalars - 1)

    if s.Length = length s then i else go 0 i

/// Scalars from `start` up to `stop`, both within the text.
let slice (start: int) (stop: int) (s: string) =
    let from = offset s start
    s.Substring(from, offset s stop - from)

/// Lexicographic by scalar value. (UTF-16 order puts U+FFFF after U+10000.)
let compareScalars (a: string) (b: string) =
    let rank (c: char) =
        if Char.IsSurrogate c then int c + 0x10000 else int c

    let shared = min a.Length b.Length

    let rec go i =
        if i = shared then compare a.Length b.Length
        elif a[i] = b[i] then go (i + 1)
        else compare (rank a[i]) (rank b[i])

    go 0

/// Where the needle first occurs, in scalars, or -1.
let indexOf (needle: string) (s: string) =
    match s.IndexOf(needle, StringComparison.Ordinal) with
    | -1 -> -1
    | units -> length (s.Substring(0, units))

let startsWith (part: string) (s: string) =
    s.StartsWith(part, StringComparison.Ordinal)

let endsWith (part: string) (s: string) =
    s.EndsWith(part, StringComparison.Ordinal)

let upper (s: string) =
    s |> String.map (fun c -> if c >= 'a' && c <= 'z' then char (int c - 32) else c)

let lower (s: string) =
    s |> String.map (fun c -> if c >= 'A' && c <= 'Z' then char (int c + 32) else c)

/// A text as part of the name of a symbol: ASCII letters and digits as they are, every other UTF-16 unit as `$` and four hexadecimal digits.
let symbol (s: string) =
    s
    |> String.collect (fun c ->
        if Char.IsAsciiLetterOrDigit c then
            string c
        else
            "$" + (int c).ToString "x4")

/// Without tab, line feed, vertical tab, form feed, carriage return and space at the ends.
let trim (s: string) =
    s.Trim([| '\t'; '\n'; '\011'; '\012'; '\r'; ' ' |])

/// The parts between separators, which is not empty.
let split (separator: string) (s: string) =
    s.Split(separator, StringSplitOptions.None) |> List.ofArray

/// A JSON string that keeps everything above U+001F but the quote and the backslash: how text inside a collection is displayed.
let quoted (s: string) =
    let escape (c: char) =
        match c with
        | '"' -> "\\\""
        | '\\' -> "\\\\"
        | '\b' -> "\\b"
        | '\t' -> "\\t"
        | '\n' -> "\\n"
        | '\012' -> "\\f"
        | '\r' -> "\\r"
        | c when c < ' ' -> "\\u" + (int c).ToString "x4"
        | c -> string c

    "\"" + String.collect escape s + "\""

/// A JSON string in ASCII, as Python's `json.dumps` writes it: what is hashed.
let quotedAscii (s: string) =
    let ascii (c: char) =
        if c > '~' then "\\u" + (int c).ToString "x4" else string c

    String.collect ascii (quoted s)

let utf8 (s: string) = Encoding.UTF8.GetBytes s
