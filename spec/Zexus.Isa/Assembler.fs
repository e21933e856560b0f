namespace Zexus.Isa

open System
open System.Collections.Generic
open System.Globalization
open System.Numerics

/// What assembling a text gave: a program, or what is wrong with the text.
type AssemblyResult internal (program: Program, lines: int[][], diagnostics: Diagnostic[]) =
    member _.Succeeded = diagnostics.Length = 0

    /// Null when there are diagnostics.
    member _.Program = program

    /// At most 20, in the order of the text; empty when there is a program.
    member _.Diagnostics: IReadOnlyList<Diagnostic> = diagnostics

    /// The line of the text, from 1, where an instruction of the program stands; for the end of a function's code, its `.end`.
    member _.LineOf(func: int, instruction: int) : int = lines[func][instruction]

/// Constants or names: each under the first index where it stands.
type private Pool<'T>(comparer: IEqualityComparer<'T>) =
    let items = ResizeArray<'T>()
    let indexes = Dictionary<'T, int>(comparer)

    member _.Count = items.Count
    member _.ToArray() = items.ToArray()

    /// At the end, even if it stands elsewhere already.
    member _.Place(item: 'T) =
        indexes.TryAdd(item, items.Count) |> ignore
        items.Add item

    member this.IndexOf(item: 'T) =
        match indexes.TryGetValue item with
        | true, index -> index
        | false, _ ->
            this.Place item
            items.Count - 1

/// A place in the code whose operand is filled in later.
[<Struct>]
type private Reference = {
    Function: int
    Instruction: int
    Operand: int
    To: Token
}

/// A function while its lines are read.
type private OpenFunction = {
    Start: Token
    mutable Name: string
    mutable Parameters: string[]
    mutable Locals: string[]
    mutable Captures: string[]
    Code: ResizeArray<int64[]>
    /// Of each instruction, then of the end.
    Lines: ResizeArray<int>
    Labels: Dictionary<string, struct (int * Token)>
    Jumps: ResizeArray<Reference>
}

/// Reads a text once, line by line; what refers forward is filled in at the end of the function or of the text.
type private AssemblyParser(source: AssemblySource) =
    let lexer = AssemblyLexer source
    let constants = Pool<Data>(EqualityComparer.Default)
    let names = Pool<string> StringComparer.Ordinal
    let named = Dictionary<string, Data>(StringComparer.Ordinal)
    let functions = ResizeArray<OpenFunction>()
    let functionNames = Dictionary<string, int>(StringComparer.Ordinal)
    let calls = ResizeArray<Reference>()
    let mutable current: OpenFunction voption = ValueNone

    let functionShape = ".func NAME(a, b) locals x, y captures c"

    /// Other machines' words for instructions that this one has.
    let otherWord (word: string) =
        match word.ToUpperInvariant() with
        | "PUSH" -> Some "LOAD_CONST"
        | "LOAD" -> Some "LOAD_NAME"
        | "STORE" -> Some "STORE_NAME"
        | "CALL" -> Some "CALL_NAME"
        | "JMP" -> Some "JUMP"
        | "JZ" -> Some "JUMP_IF_FALSE"
        | "JNZ" -> Some "JUMP_IF_TRUE"
        | "RET" -> Some "RETURN"
        | "HALT" -> Some "RETURN"
        | "LEN" -> Some "GET_LENGTH"
        | _ -> None

    /// The token as a message shows it.
    let shown (token: Token) =
        match token.Kind with
        | TokenKind.LineEnd -> "the end of the line"
        | TokenKind.End -> "the end of the text"
        | TokenKind.Text -> "a text"
        | TokenKind.OpenSet -> "#{"
        | TokenKind.Raw -> "#" + token.Value
        | TokenKind.Word
        | TokenKind.Directive
        | TokenKind.Number
        | TokenKind.Symbol ->
            if token.Length <= 40 then
                token.Value
            else
                token.Value.Substring(0, 37) + "..."

    let isSymbol (symbol: string) (token: Token) =
        token.Kind = TokenKind.Symbol && token.Value = symbol

    let isLineEnd (token: Token) =
        token.Kind = TokenKind.LineEnd || token.Kind = TokenKind.End

    let isText (token: Token) =
        token.Kind = TokenKind.Word || token.Kind = TokenKind.Text

    let skipComma () =
        if isSymbol "," (lexer.Peek()) then
            lexer.Next() |> ignore

    // Numbers.

    let numberHint = "numbers are written 5, -5, 1_000_000, 0xFF, 2.5 or 1e-9"

    let notANumber token : 'a =
        lexer.Fail(token, shown token + " is not a number", numberHint)

    /// Underscores stand between digits.
    let withoutUnderscores token isDigit (text: string) =
        for i in 0 .. text.Length - 1 do
            if text[i] = '_' && not (i > 0 && i + 1 < text.Length && isDigit text[i - 1] && isDigit text[i + 1]) then
                notANumber token

        text.Replace("_", "")

    let ensureFits token (value: BigInteger) =
        if value.GetByteCount() > Container.IntegerBytes then
            lexer.Fail(
                token,
                "this Int needs more than "
                + string Container.IntegerBytes
                + " bytes, which a container cannot hold",
                ""
            )

        value

    let hexadecimal token negative (digits: string) =
        let digits = withoutUnderscores token Char.IsAsciiHexDigit digits

        if digits = "" || not (Seq.forall Char.IsAsciiHexDigit digits) then
            notANumber token

        let value =
            BigInteger.Parse("0" + digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)

        Data.Int(ensureFits token (if negative then -value else value))

    let decimal token negative (digits: string) =
        let digits = withoutUnderscores token Char.IsAsciiDigit digits

        if digits.Length > AssemblyText.mostDigits then
            lexer.Fail(
                token,
                "this number has " + string digits.Length + " decimal digits",
                "one of more than " + string AssemblyText.mostDigits + " is written in hexadecimal, 0x..."
            )

        let value =
            BigInteger.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture)

        Data.Int(if negative then -value else value)

    /// Digits, then a point and digits, then an exponent: one of the last two at least.
    let isFloat (text: string) =
        let digitsFrom start =
            let mutable i = start

            while i < text.Length && Char.IsAsciiDigit text[i] do
                i <- i + 1

            i

        let whole = digitsFrom 0

        let fraction =
            if whole < text.Length && text[whole] = '.' then
                digitsFrom (whole + 1)
            else
                whole

        let hasFraction = fraction > whole + 1

        if whole = 0 || (fraction > whole && not hasFraction) then
            false
        elif fraction = text.Length then
            hasFraction
        elif text[fraction] <> 'e' && text[fraction] <> 'E' then
            false
        else
            let sign =
                if fraction + 1 < text.Length && (text[fraction + 1] = '+' || text[fraction + 1] = '-') then
                    1
                else
                    0

            let first = fraction + 1 + sign
            first < text.Length && digitsFrom first = text.Length

    let floating (token: Token) negative (text: string) =
        let text = withoutUnderscores token Char.IsAsciiDigit text

        if not (isFloat text) then
            notANumber token

        let value = Double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture)

        if Double.IsInfinity value then
            lexer.Fail(token, shown token + " is beyond the largest Float", "infinity is written inf")

        Data.Float(if negative then -value else value)

    let number (token: Token) =
        let text = token.Value
        let negative = text.StartsWith '-'

        let body =
            if negative || text.StartsWith '+' then
                text.Substring 1
            else
                text

        if body = "inf" then
            Data.Float(
                if negative then
                    Double.NegativeInfinity
                else
                    Double.PositiveInfinity
            )
        elif body.StartsWith("0x", StringComparison.OrdinalIgnoreCase) then
            hexadecimal token negative (body.Substring 2)
        elif Seq.forall (fun c -> Char.IsAsciiDigit c || c = '_') body then
            decimal token negative body
        else
            floating token negative body

    let int64Of (token: Token) =
        let value =
            match token.Kind with
            | TokenKind.Raw ->
                match Int64.TryParse(token.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) with
                | true, value -> BigInteger value
                | false, _ -> lexer.Fail(token, shown token + " is not a number of 64 bits after the #", "")
            | TokenKind.Number ->
                match number token with
                | Data.Int value -> value
                | Data.Null
                | Data.Bool _
                | Data.Float _
                | Data.String _
                | Data.List _
                | Data.Map _
                | Data.Set _ -> lexer.Fail(token, "a whole number stands here, not " + shown token, "")
            | TokenKind.Word
            | TokenKind.Directive
            | TokenKind.Text
            | TokenKind.OpenSet
            | TokenKind.Symbol
            | TokenKind.LineEnd
            | TokenKind.End -> lexer.Fail(token, "a number stands here, not " + shown token, "")

        if value < BigInteger Int64.MinValue || value > BigInteger Int64.MaxValue then
            lexer.Fail(token, shown token + " does not fit in 64 bits", "")

        int64 value

    // Constants.

    let nan () =
        if isSymbol "(" (lexer.Peek()) then
            lexer.Next() |> ignore
            let token = lexer.Next()

            let isHexadecimal =
                token.Kind = TokenKind.Number && token.Value.StartsWith "0x" && token.Value.Length <= 18

            let bits =
                if isHexadecimal then
                    match
                        Int64.TryParse(
                            token.Value.AsSpan 2,
                            NumberStyles.AllowHexSpecifier,
                            CultureInfo.InvariantCulture
                        )
                    with
                    | true, bits -> bits
                    | false, _ -> 0L
                else
                    0L

            let value = BitConverter.Int64BitsToDouble bits

            if not (Double.IsNaN value) then
                lexer.Fail(
                    token,
                    shown token + " is not the bits of a NaN",
                    "such as nan(0x7ff8000000000001); the usual one is nan"
                )

            let closing = lexer.Next()

            if not (isSymbol ")" closing) then
                lexer.Fail(closing, "a ) closes nan(, not " + shown closing, "")

            Data.Float value
        else
            Data.Float(BitConverter.Int64BitsToDouble AssemblyText.canonicalNaN)

    let namedConstant (word: Token) =
        match named.TryGetValue word.Value with
        | true, value -> value
        | false, _ ->
            let hint =
                match AssemblyText.suggest word.Value (Seq.append AssemblyText.constantWords named.Keys) with
                | "" ->
                    "a text is written \""
                    + word.Value
                    + "\"; a constant gets a name by .const "
                    + word.Value
                    + " VALUE above; a variable is pushed by LOAD_NAME"
                | suggestion -> suggestion

            lexer.Fail(word, "there is no constant " + shown word, hint)

    let rec skipLineEnds () =
        if (lexer.Peek()).Kind = TokenKind.LineEnd then
            lexer.Next() |> ignore
            skipLineEnds ()

    /// Between brackets lines may end anywhere.
    let items depth (closing: string) (item: Token -> 'a) : 'a[] =
        let opening = lexer.Next()

        if depth >= Container.Nesting then
            lexer.Fail(opening, "collections nest at most " + string Container.Nesting + " deep", "")

        let all = ResizeArray<'a>()
        skipLineEnds ()

        while not (isSymbol closing (lexer.Peek())) do
            all.Add(item opening)
            skipLineEnds ()
            let next = lexer.Peek()

            if isSymbol "," next then
                lexer.Next() |> ignore
                skipLineEnds ()
            elif not (isSymbol closing next) then
                lexer.Fail(
                    next,
                    "a , or " + closing + " stands here, not " + shown next,
                    "the " + opening.Value + " of line " + string (source.Line opening.Start) + " is not closed"
                )

        lexer.Next() |> ignore
        all.ToArray()

    /// A constant, from the token ahead on. `opening` is the bracket that it stands in.
    let rec literal depth (opening: Token voption) =
        let token = lexer.Peek()

        let missing () =
            let hint =
                match opening with
                | ValueSome bracket ->
                    "the " + bracket.Value + " of line " + string (source.Line bracket.Start) + " is not closed"
                | ValueNone -> "constants are null, true, 5, 2.5, nan, inf, \"text\", [1, 2], {\"a\": 1}, #{1, 2}"

            lexer.Fail(token, "a constant stands here, not " + shown token, hint)

        match token.Kind with
        | TokenKind.Text -> Data.String (lexer.Next()).Value
        | TokenKind.Number -> number (lexer.Next())
        | TokenKind.Word -> wordLiteral (lexer.Next())
        | TokenKind.OpenSet -> Data.Set(items depth "}" (fun inner -> literal (depth + 1) (ValueSome inner)))
        | TokenKind.Symbol ->
            match token.Value with
            | "[" -> Data.List(items depth "]" (fun inner -> literal (depth + 1) (ValueSome inner)))
            | "{" -> Data.Map(items depth "}" (entry depth))
            | _ -> missing ()
        | TokenKind.Directive
        | TokenKind.Raw
        | TokenKind.LineEnd
        | TokenKind.End -> missing ()

    and wordLiteral word =
        match word.Value with
        | "null" -> Data.Null
        | "true" -> Data.Bool true
        | "false" -> Data.Bool false
        | "inf" -> Data.Float Double.PositiveInfinity
        | "nan" -> nan ()
        | _ -> namedConstant word

    and entry depth (opening: Token) =
        let key = literal (depth + 1) (ValueSome opening)
        let colon = lexer.Next()

        if not (isSymbol ":" colon) then
            lexer.Fail(
                colon,
                "a : stands between key and value, not " + shown colon,
                "maps are {\"key\": value}, sets are #{element}"
            )

        skipLineEnds ()
        KeyValuePair(key, literal (depth + 1) (ValueSome opening))

    // Operands.

    let describe kind =
        match kind with
        | OperandKind.Constant -> "a constant"
        | OperandKind.Name -> "a name"
        | OperandKind.Function -> "the name of a function"
        | OperandKind.Target -> "a label"
        | OperandKind.Count -> "a count, 0 to 1024"
        | OperandKind.Results -> "the number of results, 1 or 2"
        | OperandKind.Register -> "a register, r0 to r15"
        | OperandKind.Amount -> "an amount of gas, 0 or more"

    let wrong (kind: OperandKind) (token: Token) : 'a =
        lexer.Fail(token, describe kind + " stands here, not " + shown token, "")

    let bounded kind least most =
        let token = lexer.Next()

        if token.Kind <> TokenKind.Number then
            wrong kind token

        let value = int64Of token

        if value < least || value > most then
            wrong kind token

        value

    let register () =
        let token = lexer.Next()

        match
            token.Kind,
            Int32.TryParse(
                token.Value.AsSpan(min 1 token.Value.Length),
                NumberStyles.None,
                CultureInfo.InvariantCulture
            )
        with
        | TokenKind.Word, (true, index) when
            (token.Value[0] = 'r' || token.Value[0] = 'R')
            && index < Limits.Registers
            && token.Value.Length <= 3
            ->
            int64 index
        | _ -> wrong OperandKind.Register token

    /// The operand, or 0 where one that refers forward will stand.
    let operand (func: OpenFunction) kind position =
        let reference () = {
            Function = functions.Count - 1
            Instruction = func.Code.Count
            Operand = position
            To = lexer.Next()
        }

        let token = lexer.Peek()

        if token.Kind = TokenKind.Raw then
            int64Of (lexer.Next())
        else
            match kind with
            | OperandKind.Constant -> int64 (constants.IndexOf(literal 0 ValueNone))
            | OperandKind.Name ->
                if not (isText token) then
                    wrong kind token

                int64 (names.IndexOf (lexer.Next()).Value)
            | OperandKind.Function ->
                if not (isText token) then
                    wrong kind token

                calls.Add(reference ())
                0L
            | OperandKind.Target ->
                if token.Kind <> TokenKind.Word then
                    wrong kind token

                func.Jumps.Add(reference ())
                0L
            | OperandKind.Count -> bounded kind 0L 1024L
            | OperandKind.Results -> bounded kind 1L 2L
            | OperandKind.Amount -> bounded kind 0L Int64.MaxValue
            | OperandKind.Register -> register ()

    // Statements.

    let endOfStatement what =
        let token = lexer.Peek()

        if not (isLineEnd token) then
            lexer.Fail(
                token,
                what + ", so " + shown token + " cannot stand here",
                "one statement a line; a comment begins with ;"
            )

    let takes (info: OpcodeInfo) =
        match info.Operands with
        | [||] -> info.Mnemonic + " takes no operands"
        | [| only |] -> info.Mnemonic + " takes one operand, " + describe only.Kind
        | several ->
            info.Mnemonic
            + " takes "
            + string several.Length
            + " operands: "
            + String.Join(", ", several |> Array.map (fun o -> o.Name))

    let openFunction (token: Token) =
        match current with
        | ValueSome func -> func
        | ValueNone ->
            lexer.Fail(token, "this stands outside of every function", "a function begins with " + functionShape)

    let known (mnemonic: Token) (info: OpcodeInfo) =
        let func = openFunction mnemonic
        let instruction = [| int64 info.Number; 0L; 0L; 0L |]

        for i in 0 .. info.Operands.Length - 1 do
            if i > 0 then
                skipComma ()

            if isLineEnd (lexer.Peek()) then
                lexer.Fail(mnemonic, "operand " + string (i + 1) + " is missing: " + takes info, "")

            instruction[i + 1] <- operand func info.Operands[i].Kind i

        endOfStatement (takes info)
        func.Code.Add instruction
        func.Lines.Add(source.Line mnemonic.Start)

    let unknown (mnemonic: Token) =
        let word = mnemonic.Value

        let reserved =
            InstructionSet.Reserved
            |> Seq.tryFind (fun row -> row.Mnemonic.Equals(word, StringComparison.OrdinalIgnoreCase))

        match reserved, otherWord word with
        | Some row, _ -> lexer.Fail(mnemonic, row.Mnemonic + " is reserved: " + row.Reason, "")
        | None, Some ours -> lexer.Fail(mnemonic, "there is no instruction " + shown mnemonic, "here it is " + ours)
        | None, None ->
            let isDirective = [| "func"; "end"; "const"; "name"; "op" |] |> Array.contains word

            let hint =
                if isDirective then
                    "did you mean ." + word + "?"
                else
                    AssemblyText.suggest word (InstructionSet.Rows |> Seq.map (fun row -> row.Mnemonic))

            lexer.Fail(mnemonic, "there is no instruction " + shown mnemonic, hint)

    let label (word: Token) =
        let func = openFunction word

        match func.Labels.TryGetValue word.Value with
        | true, struct (_, first) ->
            source.Add(
                word.Start,
                word.Length,
                "label " + shown word + " stands at line " + string (source.Line first.Start) + " already",
                ""
            )
        | false, _ -> func.Labels.Add(word.Value, struct (func.Code.Count, word))

    /// `.op 999, 1, 2`: an instruction by its number.
    let numbered (directive: Token) =
        let func = openFunction directive
        let token = lexer.Next()
        let number = int64Of token

        if number < int64 Int32.MinValue || number > int64 Int32.MaxValue then
            lexer.Fail(token, shown token + " does not fit in the 32 bits of an opcode number", "")

        let operands = ResizeArray<int64>()
        skipComma ()

        while not (isLineEnd (lexer.Peek())) do
            let token = lexer.Next()

            if operands.Count = 3 then
                lexer.Fail(token, "an instruction has at most 3 operands", "")

            operands.Add(int64Of token)
            skipComma ()

        match InstructionSet.TryFind(int number) with
        | true, info when info.Operands.Length <> operands.Count ->
            lexer.Fail(
                directive,
                "opcode "
                + string number
                + " is "
                + info.Mnemonic
                + ", with "
                + string info.Operands.Length
                + " operands, not "
                + string operands.Count,
                ""
            )
        | true, _
        | false, _ -> ()

        let at i =
            if i < operands.Count then operands[i] else 0L

        func.Code.Add [| number; at 0; at 1; at 2 |]
        func.Lines.Add(source.Line directive.Start)

    let resolveJumps (func: OpenFunction) =
        for jump in func.Jumps do
            match func.Labels.TryGetValue jump.To.Value with
            | true, struct (target, _) -> func.Code[jump.Instruction][jump.Operand + 1] <- int64 target
            | false, _ ->
                source.Add(
                    jump.To.Start,
                    jump.To.Length,
                    "there is no label " + shown jump.To + " in this function",
                    AssemblyText.suggest jump.To.Value func.Labels.Keys
                )

    let close (func: OpenFunction) =
        current <- ValueNone
        resolveJumps func

    let listOfNames isEnd =
        let all = ResizeArray<string>()

        while isText (lexer.Peek()) && not (isEnd (lexer.Peek())) do
            all.Add (lexer.Next()).Value
            skipComma ()

        all.ToArray()

    let startsList (token: Token) =
        token.Kind = TokenKind.Word && AssemblyText.isListWord token.Value

    let declare (func: OpenFunction) (name: Token) isExplicit =
        let index = functions.Count - 1
        func.Name <- name.Value

        if not (functionNames.TryAdd(name.Value, index)) && not isExplicit then
            let first = functions[functionNames[name.Value]].Start

            source.Add(
                name.Start,
                name.Length,
                "function " + name.Value + " stands at line " + string (source.Line first.Start) + " already",
                "if two shall have one name: .func #" + string index + " " + AssemblyText.name name.Value + "(...)"
            )

    /// `#3` in front of what is the fourth of its kind.
    let explicitIndex what count =
        if (lexer.Peek()).Kind = TokenKind.Raw then
            let token = lexer.Next()

            if int64Of token <> int64 count then
                lexer.Fail(token, "this is " + what + " #" + string count, "they are numbered from 0, in order")

            true
        else
            false

    let functionHeader (func: OpenFunction) =
        let isExplicit = explicitIndex "function" (functions.Count - 1)
        let name = lexer.Next()

        if not (isText name) then
            lexer.Fail(name, "the function's name stands here, not " + shown name, functionShape)

        declare func name isExplicit
        let opening = lexer.Next()

        if not (isSymbol "(" opening) then
            lexer.Fail(
                (if isLineEnd opening then name else opening),
                "the parameters stand in parentheses after the name",
                functionShape
            )

        func.Parameters <- listOfNames (fun _ -> false)
        let closing = lexer.Next()

        if not (isSymbol ")" closing) then
            lexer.Fail((if isLineEnd closing then opening else closing), "the parameters end with a )", functionShape)

        let clause word =
            let token = lexer.Peek()

            if token.Kind = TokenKind.Word && token.Value = word then
                lexer.Next() |> ignore
                listOfNames startsList
            else
                Array.Empty()

        func.Locals <- clause "locals"
        func.Captures <- clause "captures"
        endOfStatement ("a function begins with " + functionShape)

    let beginFunction (directive: Token) =
        match current with
        | ValueSome func ->
            source.Add(
                directive.Start,
                directive.Length,
                "function " + func.Name + " has no .end before this",
                "a function ends with .end"
            )

            close func
        | ValueNone -> ()

        let func = {
            Start = directive
            Name = ""
            Parameters = Array.Empty()
            Locals = Array.Empty()
            Captures = Array.Empty()
            Code = ResizeArray()
            Lines = ResizeArray()
            Labels = Dictionary StringComparer.Ordinal
            Jumps = ResizeArray()
        }

        functions.Add func
        current <- ValueSome func
        functionHeader func

    let endFunction (directive: Token) =
        match current with
        | ValueSome func ->
            func.Lines.Add(source.Line directive.Start)
            close func
            endOfStatement ".end stands alone"
        | ValueNone -> lexer.Fail(directive, "there is no function to end", "")

    let beforeFunctions (directive: Token) =
        if functions.Count > 0 then
            lexer.Fail(directive, directive.Value + " with an index stands before the first function", "")

    /// `.const #0 5` gives the constant its place; `.const NAME 5` gives it a name.
    let constant (directive: Token) =
        if explicitIndex "constant" constants.Count then
            beforeFunctions directive
            constants.Place(literal 0 ValueNone)
        else
            let name = lexer.Next()

            if name.Kind <> TokenKind.Word || Array.contains name.Value AssemblyText.constantWords then
                lexer.Fail(name, "the constant's name stands here, not " + shown name, ".const NAME VALUE")

            let value = literal 0 ValueNone

            if not (named.TryAdd(name.Value, value)) then
                lexer.Fail(name, "constant " + shown name + " has a value already", "")

        endOfStatement ".const has one value"

    /// `.name #0 total` gives the name its place.
    let placedName (directive: Token) =
        if not (explicitIndex "name" names.Count) then
            lexer.Fail(directive, ".name has an index", ".name #" + string names.Count + " NAME")

        beforeFunctions directive
        let name = lexer.Next()

        if not (isText name) then
            wrong OperandKind.Name name

        names.Place name.Value
        endOfStatement ".name has one name"

    let directive (token: Token) =
        match token.Value with
        | ".func" -> beginFunction token
        | ".end" -> endFunction token
        | ".const" -> constant token
        | ".name" -> placedName token
        | ".op" -> numbered token
        | other ->
            lexer.Fail(
                token,
                "there is no directive " + shown token,
                AssemblyText.suggest (other.Substring 1) [ "func"; "end"; "const"; "name"; "op" ]
            )

    let statement () =
        let token = lexer.Next()

        match token.Kind with
        | TokenKind.LineEnd
        | TokenKind.End -> ()
        | TokenKind.Directive -> directive token
        | TokenKind.Word ->
            if isSymbol ":" (lexer.Peek()) then
                lexer.Next() |> ignore
                label token
            else
                match InstructionSet.TryFind token.Value with
                | true, info -> known token info
                | false, _ -> unknown token
        | TokenKind.Text
        | TokenKind.Number
        | TokenKind.Raw
        | TokenKind.OpenSet
        | TokenKind.Symbol ->
            lexer.Fail(
                token,
                "an instruction, a label or a directive stands here, not " + shown token,
                "a comment begins with ;"
            )

    let isAtEnd () =
        try
            (lexer.Peek()).Kind = TokenKind.End
        with AssemblyText.Abandoned ->
            lexer.SkipLine()
            false

    let resolveCalls () =
        for call in calls do
            match functionNames.TryGetValue call.To.Value with
            | true, index -> functions[call.Function].Code[call.Instruction][call.Operand + 1] <- int64 index
            | false, _ ->
                source.Add(
                    call.To.Start,
                    call.To.Length,
                    "there is no function " + call.To.Value,
                    AssemblyText.suggest call.To.Value functionNames.Keys
                )

    let finish () =
        match current with
        | ValueSome func ->
            source.Add(
                func.Start.Start,
                func.Start.Length,
                "function " + func.Name + " has no .end",
                "a function ends with .end"
            )

            close func
        | ValueNone -> ()

        resolveCalls ()

    let instructionOf (values: int64[]) =
        Instruction.Of(int values[0], values[1], values[2], values[3])

    let definition (func: OpenFunction) : FunctionDefinition = {
        Name = func.Name
        Parameters = func.Parameters
        Locals = func.Locals
        Captures = func.Captures
        Code = Array.init func.Code.Count (fun i -> instructionOf func.Code[i])
    }

    member _.Read() =
        try
            while not (isAtEnd ()) do
                try
                    statement ()
                with AssemblyText.Abandoned ->
                    lexer.SkipLine()

            finish ()
        with AssemblyText.Enough ->
            ()

    member _.Program = {
        Constants = constants.ToArray()
        Names = names.ToArray()
        Functions = Array.init functions.Count (fun i -> definition functions[i])
    }

    member _.Lines = Array.init functions.Count (fun i -> functions[i].Lines.ToArray())

/// The text form of a program, `.zxa`, to a program. `docs/assembly.md` describes the text.
[<AbstractClass; Sealed>]
type Assembler private () =
    /// Never throws, whatever the text says. `fileName` is for the messages.
    static member Assemble(text: string, fileName: string) : AssemblyResult =
        let source = AssemblySource(fileName, text)
        let parser = AssemblyParser source
        parser.Read()
        let diagnostics = source.Diagnostics

        if diagnostics.Length = 0 then
            AssemblyResult(parser.Program, parser.Lines, diagnostics)
        else
            AssemblyResult(Unchecked.defaultof<Program>, Array.Empty(), diagnostics)
