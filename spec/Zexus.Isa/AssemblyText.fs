namespace Zexus.Isa

open System
open System.Collections.Generic
open System.Globalization
open System.Numerics
open System.Text

/// One thing that is wrong with assembly text, and where.
type Diagnostic = {
    File: string
    /// From 1.
    Line: int
    /// From 1, in UTF-16 units as editors and language servers count.
    Column: int
    /// How many units from `Column` on it is about.
    Length: int
    Message: string
    /// What to do about it; "" when there is nothing to say.
    Hint: string
    SourceLine: string
} with

    /// The message as a person reads it: place, message, the line with carets under it, hint.
    override this.ToString() =
        // Of a very long line, show the part around the column.
        let first = if this.Column <= 100 then 0 else this.Column - 61
        let last = min this.SourceLine.Length (first + 120)
        let shown = this.SourceLine.Substring(first, last - first)
        let before = shown.Substring(0, min shown.Length (this.Column - 1 - first))
        let indent = String.map (fun c -> if c = '\t' then '\t' else ' ') before
        let carets = String('^', max 1 (min this.Length (shown.Length - before.Length)))
        let number = string this.Line
        let margin = String(' ', number.Length)

        let text =
            StringBuilder()
                .Append(this.File)
                .Append(':')
                .Append(this.Line)
                .Append(':')
                .Append(this.Column)
                .Append(": ")
                .Append(this.Message)
                .Append("\n ")
                .Append(number)
                .Append(" | ")
                .Append(shown)
                .Append("\n ")
                .Append(margin)
                .Append(" | ")
                .Append(indent)
                .Append(carets)

        if this.Hint <> "" then
            text.Append("\n ").Append(margin).Append(" = ").Append(this.Hint) |> ignore

        text.ToString()

/// What assembler and disassembler both know of the text: words, quotes, numbers. `docs/assembly.md` describes it.
module internal AssemblyText =
    /// The statement was given up; its diagnostic is recorded.
    exception Abandoned

    /// So many diagnostics are recorded that the run ends.
    exception Enough

    let mostDiagnostics = 20

    /// More digits than this are written, and read, in hexadecimal: a decimal takes time that grows with its square.
    let mostDigits = 10_000

    let isWordStart c = Char.IsLetter c || c = '_'
    let isWordPart c = Char.IsLetterOrDigit c || c = '_'

    let isWord (text: string) =
        text.Length > 0 && isWordStart text[0] && Seq.forall isWordPart text

    /// Words that stand for something else where a list of variables stands.
    let isListWord (text: string) = text = "locals" || text = "captures"

    /// Words that are constants, so that no constant can be given that name.
    let constantWords = [| "null"; "true"; "false"; "nan"; "inf" |]

    let private escaped (rune: Rune) =
        match Rune.GetUnicodeCategory rune with
        | UnicodeCategory.Control
        | UnicodeCategory.Format
        | UnicodeCategory.LineSeparator
        | UnicodeCategory.ParagraphSeparator
        | UnicodeCategory.PrivateUse
        | UnicodeCategory.Surrogate
        | UnicodeCategory.OtherNotAssigned -> true
        | UnicodeCategory.SpaceSeparator -> rune.Value <> int ' '
        | UnicodeCategory.UppercaseLetter
        | UnicodeCategory.LowercaseLetter
        | UnicodeCategory.TitlecaseLetter
        | UnicodeCategory.ModifierLetter
        | UnicodeCategory.OtherLetter
        | UnicodeCategory.NonSpacingMark
        | UnicodeCategory.SpacingCombiningMark
        | UnicodeCategory.EnclosingMark
        | UnicodeCategory.DecimalDigitNumber
        | UnicodeCategory.LetterNumber
        | UnicodeCategory.OtherNumber
        | UnicodeCategory.ConnectorPunctuation
        | UnicodeCategory.DashPunctuation
        | UnicodeCategory.OpenPunctuation
        | UnicodeCategory.ClosePunctuation
        | UnicodeCategory.InitialQuotePunctuation
        | UnicodeCategory.FinalQuotePunctuation
        | UnicodeCategory.OtherPunctuation
        | UnicodeCategory.MathSymbol
        | UnicodeCategory.CurrencySymbol
        | UnicodeCategory.ModifierSymbol
        | UnicodeCategory.OtherSymbol -> false
        | category -> invalidArg "rune" (string category)

    /// Text as a literal. What cannot be seen, or would reorder the line, is escaped.
    let appendQuoted (out: StringBuilder) (text: string) =
        out.Append '"' |> ignore

        for rune in text.EnumerateRunes() do
            let written =
                match rune.Value with
                | 0x22 -> out.Append "\\\""
                | 0x5C -> out.Append "\\\\"
                | 0x0A -> out.Append "\\n"
                | 0x0D -> out.Append "\\r"
                | 0x09 -> out.Append "\\t"
                | value when escaped rune -> out.Append("\\u{").Append(value.ToString "x").Append '}'
                | _ -> out.Append(rune.ToString())

            ignore written

        out.Append '"' |> ignore

    let quoted (text: string) =
        let out = StringBuilder()
        appendQuoted out text
        out.ToString()

    let name (text: string) =
        if isWord text then text else quoted text

    let variable (text: string) =
        if isListWord text then quoted text else name text

    let canonicalNaN = 0x7FF8000000000000L

    let float (value: double) =
        let bits = BitConverter.DoubleToInt64Bits value

        if Double.IsNaN value then
            if bits = canonicalNaN then
                "nan"
            else
                "nan(0x" + bits.ToString "x16" + ")"
        elif Double.IsPositiveInfinity value then
            "inf"
        elif Double.IsNegativeInfinity value then
            "-inf"
        else
            let text = value.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant()

            if text.Contains 'e' || text.Contains '.' then
                text
            else
                text + ".0"

    let integer (value: BigInteger) =
        // 3.3 bits a digit: no more than 10,000 digits.
        if value.GetBitLength() <= 33_000L then
            value.ToString CultureInfo.InvariantCulture
        else
            let digits =
                BigInteger.Abs(value).ToString("x", CultureInfo.InvariantCulture).TrimStart '0'

            (if value.Sign < 0 then "-0x" else "0x") + digits

    let private appendItems (out: StringBuilder) (opening: string) (closing: string) append (items: 'a[]) =
        out.Append opening |> ignore

        for i in 0 .. items.Length - 1 do
            if i > 0 then
                out.Append ", " |> ignore

            append out items[i]

        out.Append closing |> ignore

    let rec appendLiteral (out: StringBuilder) (value: Data) =
        match value with
        | Data.Null -> out.Append "null" |> ignore
        | Data.Bool b -> out.Append(if b then "true" else "false") |> ignore
        | Data.Int n -> out.Append(integer n) |> ignore
        | Data.Float x -> out.Append(float x) |> ignore
        | Data.String s -> appendQuoted out s
        | Data.List items -> appendItems out "[" "]" appendLiteral items
        | Data.Set items -> appendItems out "#{" "}" appendLiteral items
        | Data.Map entries ->
            let entry out (pair: KeyValuePair<Data, Data>) =
                appendLiteral out pair.Key
                out.Append ": " |> ignore
                appendLiteral out pair.Value

            appendItems out "{" "}" entry entries

    /// How many letters must be put in, left out, changed or swapped to make one word of the other.
    let private distance (a: string) (b: string) =
        let table = Array2D.zeroCreate (a.Length + 1) (b.Length + 1)

        for i in 0 .. a.Length do
            table[i, 0] <- i

        for j in 0 .. b.Length do
            table[0, j] <- j

        for i in 1 .. a.Length do
            for j in 1 .. b.Length do
                let change = if a[i - 1] = b[j - 1] then 0 else 1

                let best =
                    min (min (table[i - 1, j] + 1) (table[i, j - 1] + 1)) (table[i - 1, j - 1] + change)

                let swapped = i > 1 && j > 1 && a[i - 1] = b[j - 2] && a[i - 2] = b[j - 1]
                table[i, j] <- if swapped then min best (table[i - 2, j - 2] + 1) else best

        table[a.Length, b.Length]

    /// "did you mean X?" for the candidate that differs least, if one differs little.
    let suggest (word: string) (candidates: seq<string>) =
        let near =
            candidates
            |> Seq.truncate 1000
            |> Seq.filter (fun candidate -> word.Length <= 40 && abs (candidate.Length - word.Length) <= 3)
            |> Seq.map (fun candidate -> candidate, distance (word.ToUpperInvariant()) (candidate.ToUpperInvariant()))
            |> Seq.filter (fun (_, edits) -> edits <= max 1 (word.Length / 3))
            |> Seq.sortBy snd
            |> Seq.tryHead

        match near with
        | Some(candidate, _) -> "did you mean " + name candidate + "?"
        | None -> ""

/// The text under assembly, and what is wrong with it.
type internal AssemblySource(file: string, text: string) =
    let diagnostics = ResizeArray<Diagnostic>()

    let lineStarts =
        let starts = ResizeArray [ 0 ]

        for i in 0 .. text.Length - 1 do
            if text[i] = '\n' then
                starts.Add(i + 1)

        starts

    // Many diagnostics may be about one line, and that line may be the whole text: keep one copy.
    let mutable lastLine = struct (-1, "")

    let sourceLine index =
        let struct (known, line) = lastLine

        if known = index then
            line
        else
            let start = lineStarts[index]

            let finish =
                if index + 1 < lineStarts.Count then
                    lineStarts[index + 1] - 1
                else
                    text.Length

            let line = text.Substring(start, finish - start).TrimEnd '\r'
            lastLine <- struct (index, line)
            line

    member _.Text = text

    /// The line, from 1, where the position is.
    member _.Line(position: int) =
        let found = lineStarts.BinarySearch position
        if found >= 0 then found + 1 else ~~~found

    member this.Add(position: int, length: int, message: string, hint: string) =
        let line = this.Line position

        diagnostics.Add {
            File = file
            Line = line
            Column = position - lineStarts[line - 1] + 1
            Length = max 1 length
            Message = message
            Hint = hint
            SourceLine = sourceLine (line - 1)
        }

        if diagnostics.Count >= AssemblyText.mostDiagnostics then
            raise AssemblyText.Enough

    /// In the order of the text.
    member _.Diagnostics =
        if diagnostics.Count = 0 then
            [||]
        else
            diagnostics |> Seq.sortBy (fun d -> d.Line, d.Column) |> Seq.toArray
