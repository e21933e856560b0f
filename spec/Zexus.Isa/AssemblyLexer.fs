namespace Zexus.Isa

open System
open System.Text

[<RequireQualifiedAccess>]
type internal TokenKind =
    /// A mnemonic, a name, a label, a register, `null` and the like.
    | Word
    /// `.func`
    | Directive
    /// Text in quotes; `Token.Value` is what it says.
    | Text
    /// Starts with a digit, or a sign and a digit; also `-inf`.
    | Number
    /// `#12`: an operand by its number.
    | Raw
    /// `#{`
    | OpenSet
    /// One character.
    | Symbol
    | LineEnd
    | End

[<Struct>]
type internal Token = {
    Kind: TokenKind
    Start: int
    Length: int
    Value: string
}

/// Cuts the text into tokens, one ahead. A token that cannot be read is a diagnostic and gives up the statement.
type internal AssemblyLexer(source: AssemblySource) =
    let text = source.Text
    let mutable position = if text.StartsWith '\uFEFF' then 1 else 0
    let mutable ahead = ValueNone
    let mutable isAtLineStart = true

    let peek offset =
        if position + offset < text.Length then
            text[position + offset]
        else
            '\000'

    let fail start length message hint =
        source.Add(start, length, message, hint)
        raise AssemblyText.Abandoned

    let rec skipBlanks () =
        if position < text.Length then
            match text[position] with
            | ' '
            | '\t'
            | '\r' ->
                position <- position + 1
                skipBlanks ()
            | ';' -> skipLine ()
            | _ -> ()

    and skipLine () =
        let lineEnd = text.IndexOf('\n', position)
        position <- if lineEnd < 0 then text.Length else lineEnd

    let run start accepts =
        position <- start

        while position < text.Length && accepts text[position] do
            position <- position + 1

    let token kind start value = {
        Kind = kind
        Start = start
        Length = position - start
        Value = value
    }

    let slice kind start =
        token kind start (text.Substring(start, position - start))

    let isHex c = Char.IsAsciiHexDigit c

    let escapeHint =
        "escapes are \\\" \\\\ \\n \\r \\t \\0 and \\u{1F600}, a Unicode scalar value in hexadecimal"

    /// `u{1F600}` of an escape; the position is at the `u`.
    let scalar () =
        let start = position - 1

        let close =
            if peek 1 = '{' then
                text.IndexOf('}', position, min 12 (text.Length - position))
            else
                -1

        let digits =
            if close < 0 then
                ""
            else
                text.Substring(position + 2, close - position - 2)

        if digits = "" || digits.Length > 6 || not (Seq.forall isHex digits) then
            fail start 2 "this escape is not \\u{...}" escapeHint

        let value = Convert.ToInt32(digits, 16)

        if not (Rune.IsValid value) then
            fail
                start
                (close + 1 - start)
                ("U+" + digits.ToUpperInvariant() + " is no Unicode scalar value")
                "0 to D7FF and E000 to 10FFFF are; one above FFFF is one escape, not a pair"

        position <- close + 1
        Rune(value).ToString()

    let escape () =
        position <- position + 1

        let simple (value: string) =
            position <- position + 1
            value

        match peek 0 with
        | '"' -> simple "\""
        | '\\' -> simple "\\"
        | 'n' -> simple "\n"
        | 'r' -> simple "\r"
        | 't' -> simple "\t"
        | '0' -> simple "\000"
        | 'u' -> scalar ()
        | _ -> fail (position - 1) 2 "there is no such escape" escapeHint

    let quoted () =
        let start = position
        let value = StringBuilder()
        position <- position + 1

        while peek 0 <> '"' do
            let c = peek 0

            if position >= text.Length || c = '\n' || c = '\r' then
                let length = position - start
                skipLine ()
                fail start length "this text has no closing quote on its line" "a line feed in a text is written \\n"
            elif c = '\\' then
                value.Append(escape ()) |> ignore
            elif Char.IsHighSurrogate c && Char.IsLowSurrogate(peek 1) then
                value.Append(c).Append(peek 1) |> ignore
                position <- position + 2
            elif Char.IsSurrogate c then
                fail
                    position
                    1
                    "half of a surrogate pair stands in this text"
                    "text is a sequence of Unicode scalar values"
            elif Char.IsControl c && c <> '\t' then
                fail position 1 ("the control character U+" + (int c).ToString "X4" + " stands in this text") escapeHint
            else
                value.Append c |> ignore
                position <- position + 1

        position <- position + 1
        token TokenKind.Text start (value.ToString())

    let isNumberPart c =
        Char.IsAsciiLetterOrDigit c || c = '.' || c = '_'

    let number start =
        run (start + 1) isNumberPart

        // The sign of an exponent belongs to it: 1e-5, but not 0x1e-5.
        let isHexadecimal = text.AsSpan(start, position - start).IndexOfAny('x', 'X') >= 0

        if
            (peek 0 = '+' || peek 0 = '-')
            && (text[position - 1] = 'e' || text[position - 1] = 'E')
            && not isHexadecimal
        then
            run (position + 1) isNumberPart

        slice TokenKind.Number start

    let raw start =
        run (start + 1) (fun c -> Char.IsAsciiDigit c || c = '-' || c = '+')
        token TokenKind.Raw start (text.Substring(start + 1, position - start - 1))

    let read () =
        skipBlanks ()
        let start = position

        if position >= text.Length then
            token TokenKind.End start ""
        else
            match text[position] with
            | '\n' ->
                position <- position + 1
                token TokenKind.LineEnd start ""
            | '"' -> quoted ()
            | '#' when peek 1 = '{' ->
                position <- position + 2
                token TokenKind.OpenSet start "#{"
            | '#' -> raw start
            | '.' when AssemblyText.isWordStart (peek 1) ->
                run (start + 1) AssemblyText.isWordPart
                slice TokenKind.Directive start
            | c when AssemblyText.isWordStart c ->
                run start AssemblyText.isWordPart
                slice TokenKind.Word start
            | c when Char.IsAsciiDigit c -> number start
            | '-'
            | '+' when Char.IsAsciiDigit(peek 1) || AssemblyText.isWordStart (peek 1) -> number start
            | c ->
                position <-
                    position
                    + (if Char.IsHighSurrogate c && Char.IsLowSurrogate(peek 1) then
                           2
                       else
                           1)

                slice TokenKind.Symbol start

    member _.Peek() =
        match ahead with
        | ValueSome token -> token
        | ValueNone ->
            isAtLineStart <- false
            let token = read ()
            ahead <- ValueSome token
            token

    member this.Next() =
        let token = this.Peek()
        ahead <- ValueNone
        isAtLineStart <- token.Kind = TokenKind.LineEnd
        token

    member _.Fail(token: Token, message: string, hint: string) : 'a =
        fail token.Start token.Length message hint

    /// Past the end of the line of the last token that was looked at.
    member _.SkipLine() =
        let isPast =
            match ahead with
            | ValueSome token -> token.Kind = TokenKind.LineEnd
            | ValueNone -> isAtLineStart

        if not isPast then
            skipLine ()
            position <- min text.Length (position + 1)

        ahead <- ValueNone
