namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Globalization
open System.IO
open System.Numerics
open System.Text
open System.Text.Encodings.Web
open System.Text.Json
open Zexus.Isa

/// A case as JSON: how it is saved as a test vector and how it travels to a child process.
/// Ints are JSON numbers of any length; other data that JSON has not is an object with one member:
/// {"float": "0.5"}, {"map": [[k, v], …]}, {"set": […]}, {"utf16": "d800 0061"}.
[<RequireQualifiedAccess>]
module Vector =
    let private isWellFormed (s: string) =
        let mutable i = 0
        let mutable ok = true

        while ok && i < s.Length do
            if Char.IsHighSurrogate s[i] && i + 1 < s.Length && Char.IsLowSurrogate s[i + 1] then
                i <- i + 2
            elif Char.IsSurrogate s[i] then
                ok <- false
            else
                i <- i + 1

        ok

    // Writing.

    let private writeText (w: Utf8JsonWriter) (s: string) =
        if isWellFormed s then
            w.WriteStringValue s
        else
            w.WriteStartObject()
            w.WriteString("utf16", String.Join(' ', s |> Seq.map (fun c -> (int c).ToString("x4"))))
            w.WriteEndObject()

    let private floatText (x: double) =
        let shortest = x.ToString("R", CultureInfo.InvariantCulture)

        // .NET's shortest text reads back as another Float at some powers of two.
        if Double.IsFinite x && Double.Parse(shortest, CultureInfo.InvariantCulture).Equals x then
            shortest
        else
            "0x" + (BitConverter.DoubleToInt64Bits x).ToString("X16")

    let rec private writeData (w: Utf8JsonWriter) (data: Data) =
        let items (items: Data[]) =
            w.WriteStartArray()

            for item in items do
                writeData w item

            w.WriteEndArray()

        match data with
        | Data.Null -> w.WriteNullValue()
        | Data.Bool b -> w.WriteBooleanValue b
        | Data.Int n -> w.WriteRawValue(n.ToString(CultureInfo.InvariantCulture), true)
        | Data.Float x ->
            w.WriteStartObject()
            w.WriteString("float", floatText x)
            w.WriteEndObject()
        | Data.String s -> writeText w s
        | Data.List list -> items list
        | Data.Set set ->
            w.WriteStartObject()
            w.WritePropertyName "set"
            items set
            w.WriteEndObject()
        | Data.Map entries ->
            w.WriteStartObject()
            w.WritePropertyName "map"
            w.WriteStartArray()

            for entry in entries do
                items [| entry.Key; entry.Value |]

            w.WriteEndArray()
            w.WriteEndObject()

    /// With operands that the opcode does not have, too, where an ill-formed program has set them.
    let private instructionText (i: Instruction) =
        let operands = [| i.A; i.B; i.C |]
        let used = 1 + Array.FindLastIndex(operands, (fun operand -> operand <> 0L))

        let name, count =
            match InstructionSet.TryFind i.Number with
            | true, info -> info.Mnemonic, max info.Operands.Length used
            | false, _ -> $"#{i.Number}", used

        String.Join(' ', Array.append [| name |] (operands |> Array.truncate count |> Array.map string))

    let private writeTexts (w: Utf8JsonWriter) (name: string) (texts: string[]) =
        w.WritePropertyName name
        w.WriteStartArray()

        for text in texts do
            writeText w text

        w.WriteEndArray()

    let private writeProgram (w: Utf8JsonWriter) (program: Program) =
        w.WriteStartObject()
        w.WritePropertyName "constants"
        w.WriteStartArray()

        for c in program.Constants do
            writeData w c

        w.WriteEndArray()
        writeTexts w "names" program.Names
        w.WritePropertyName "functions"
        w.WriteStartArray()

        for f in program.Functions do
            w.WriteStartObject()
            w.WritePropertyName "name"
            writeText w f.Name
            writeTexts w "parameters" f.Parameters
            writeTexts w "locals" f.Locals
            writeTexts w "captures" f.Captures
            writeTexts w "code" (f.Code |> Array.map instructionText)
            w.WriteEndObject()

        w.WriteEndArray()
        w.WriteEndObject()

    let private writeState (w: Utf8JsonWriter) (state: KeyValuePair<string, Data>[]) =
        if state.Length > 0 then
            w.WritePropertyName "state"
            w.WriteStartObject()

            for entry in state do
                w.WritePropertyName entry.Key
                writeData w entry.Value

            w.WriteEndObject()

    let private writeCase (w: Utf8JsonWriter) (about: string) (case: Case) =
        w.WriteStartObject()

        if about <> "" then
            w.WriteString("about", about)

        w.WritePropertyName "program"
        writeProgram w case.Program

        if case.Entry <> 0 then
            w.WriteNumber("entry", case.Entry)

        if case.Arguments.Length > 0 then
            w.WritePropertyName "arguments"
            w.WriteStartArray()

            for argument in case.Arguments do
                writeData w argument

            w.WriteEndArray()

        w.WriteNumber("gas", case.GasLimit)

        match case.GasShare with
        | Some share -> w.WriteNumber("gasShare", share)
        | None -> ()

        if case.Limits <> Limits.Default then
            w.WriteStartObject "limits"
            w.WriteNumber("callDepth", case.Limits.CallDepth)
            w.WriteNumber("integerBits", case.Limits.IntegerBits)
            w.WriteNumber("stringLength", case.Limits.StringLength)
            w.WriteNumber("collectionLength", case.Limits.CollectionLength)
            w.WriteNumber("nesting", case.Limits.Nesting)
            w.WriteEndObject()

        if case.Block <> Host.emptyBlock then
            w.WriteStartObject "block"
            w.WriteNumber("timestamp", case.Block.Timestamp)
            w.WriteNumber("height", case.Block.Height)
            w.WriteString("caller", case.Block.Caller)
            w.WriteEndObject()

        writeState w case.State

        if case.Contract <> "" then
            w.WritePropertyName "contract"
            writeText w case.Contract

        if case.Contracts.Length > 0 then
            w.WritePropertyName "contracts"
            w.WriteStartArray()

            for contract in case.Contracts do
                w.WriteStartObject()
                w.WritePropertyName "id"
                writeText w contract.Id
                w.WritePropertyName "program"
                writeProgram w contract.Program
                writeState w contract.State
                w.WriteEndObject()

            w.WriteEndArray()

        if case.Hosts.Length > 0 then
            w.WritePropertyName "host"
            w.WriteStartArray()

            for host in case.Hosts do
                w.WriteStartObject()
                w.WriteString("name", host.Name)
                w.WriteNumber("arity", host.Arity)
                w.WriteNumber("gas", host.Gas)

                match host.Behaviour with
                | HostBehaviour.Returns data ->
                    w.WritePropertyName "returns"
                    writeData w data
                | HostBehaviour.Throws data ->
                    w.WritePropertyName "throws"
                    writeData w data
                | HostBehaviour.Echoes -> w.WriteString("does", "echoes")
                | HostBehaviour.ThrowsFirst -> w.WriteString("does", "throws-first")
                | HostBehaviour.Checks -> w.WriteString("does", "checks")

                w.WriteEndObject()

            w.WriteEndArray()

        w.WriteEndObject()

    let private write (indented: bool) (about: string) (case: Case) =
        use stream = new MemoryStream()

        let options =
            JsonWriterOptions(
                Indented = indented,
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                MaxDepth = 5000
            )

        (use w = new Utf8JsonWriter(stream, options)
         writeCase w about case)

        Encoding.UTF8.GetString(stream.ToArray())

    /// On one line, for a pipe.
    let toLine (case: Case) = write false "" case

    /// For a file; `about` says what the case is there for.
    let toText (about: string) (case: Case) = write true about case + "\n"

    // Reading.

    let private readText (e: JsonElement) =
        match e.ValueKind with
        | JsonValueKind.Object ->
            e.GetProperty("utf16").GetString().Split(' ')
            |> Array.map (fun unit -> char (UInt16.Parse(unit, NumberStyles.HexNumber)))
            |> String
        | _ -> e.GetString()

    let rec private readData (e: JsonElement) : Data =
        match e.ValueKind with
        | JsonValueKind.Null -> Data.Null
        | JsonValueKind.True -> Data.Bool true
        | JsonValueKind.False -> Data.Bool false
        | JsonValueKind.Number -> Data.Int(BigInteger.Parse(e.GetRawText(), CultureInfo.InvariantCulture))
        | JsonValueKind.String -> Data.String(e.GetString())
        | JsonValueKind.Array -> Data.List [| for item in e.EnumerateArray() -> readData item |]
        | _ ->
            match Seq.toList (e.EnumerateObject()) with
            | [ m ] when m.Name = "float" ->
                let text = m.Value.GetString()

                if text.StartsWith "0x" then
                    Data.Float(BitConverter.Int64BitsToDouble(Int64.Parse(text.Substring 2, NumberStyles.HexNumber)))
                else
                    Data.Float(Double.Parse(text, CultureInfo.InvariantCulture))
            | [ m ] when m.Name = "utf16" -> Data.String(readText e)
            | [ m ] when m.Name = "set" -> Data.Set [| for item in m.Value.EnumerateArray() -> readData item |]
            | [ m ] when m.Name = "map" ->
                Data.Map [|
                    for entry in m.Value.EnumerateArray() -> Tree.pair (readData entry[0]) (readData entry[1])
                |]
            | _ -> raise (FormatException $"no plain data: {e.GetRawText()}")

    let private readInstruction (text: string) =
        let words = text.Split ' '

        let operand k =
            if k < words.Length then Int64.Parse words[k] else 0L

        if words[0].StartsWith '#' then
            Instruction.Of(Int32.Parse(words[0].Substring 1), operand 1, operand 2, operand 3)
        else
            match InstructionSet.TryFind words[0] with
            | true, info -> Instruction.Of(info.Number, operand 1, operand 2, operand 3)
            | false, _ -> raise (FormatException $"no instruction: {text}")

    let private readTexts (e: JsonElement) (name: string) = [|
        for item in e.GetProperty(name).EnumerateArray() -> readText item
    |]

    let private tryGet (e: JsonElement) (name: string) =
        match e.TryGetProperty name with
        | true, value -> Some value
        | false, _ -> None

    let private readProgram (p: JsonElement) : Program = {
        Constants = [| for c in p.GetProperty("constants").EnumerateArray() -> readData c |]
        Names = readTexts p "names"
        Functions = [|
            for f in p.GetProperty("functions").EnumerateArray() ->
                {
                    Name = readText (f.GetProperty "name")
                    Parameters = readTexts f "parameters"
                    Locals = readTexts f "locals"
                    Captures = readTexts f "captures"
                    Code = readTexts f "code" |> Array.map readInstruction
                }
        |]
    }

    let private readState (e: JsonElement) =
        match tryGet e "state" with
        | None -> [||]
        | Some s -> [| for m in s.EnumerateObject() -> KeyValuePair(m.Name, readData m.Value) |]

    let private readCase (e: JsonElement) : Case =
        let program = readProgram (e.GetProperty "program")

        let entry =
            match tryGet e "entry" with
            | None -> 0
            | Some entry -> entry.GetInt32()

        if
            entry <> 0
            && (entry < 0 || entry >= program.Functions.Length || program.Functions[entry].Captures.Length > 0)
        then
            raise (FormatException $"no execution can begin in function {entry}")

        {
            Program = program
            Entry = entry
            Arguments =
                match tryGet e "arguments" with
                | None -> [||]
                | Some arguments -> [| for a in arguments.EnumerateArray() -> readData a |]
            GasLimit = e.GetProperty("gas").GetInt64()
            GasShare = tryGet e "gasShare" |> Option.map _.GetUInt32()
            Limits =
                match tryGet e "limits" with
                | None -> Limits.Default
                | Some l -> {
                    CallDepth = l.GetProperty("callDepth").GetInt32()
                    IntegerBits = l.GetProperty("integerBits").GetInt32()
                    StringLength = l.GetProperty("stringLength").GetInt32()
                    CollectionLength = l.GetProperty("collectionLength").GetInt32()
                    Nesting = l.GetProperty("nesting").GetInt32()
                  }
            Block =
                match tryGet e "block" with
                | None -> Host.emptyBlock
                | Some b -> {
                    Timestamp = b.GetProperty("timestamp").GetInt64()
                    Height = b.GetProperty("height").GetInt64()
                    Caller = b.GetProperty("caller").GetString()
                  }
            State = readState e
            Contract =
                match tryGet e "contract" with
                | None -> ""
                | Some id -> readText id
            Contracts =
                match tryGet e "contracts" with
                | None -> [||]
                | Some contracts -> [|
                    for c in contracts.EnumerateArray() ->
                        {
                            Id = readText (c.GetProperty "id")
                            Program = readProgram (c.GetProperty "program")
                            State = readState c
                        }
                  |]
            Hosts =
                match tryGet e "host" with
                | None -> [||]
                | Some hosts -> [|
                    for h in hosts.EnumerateArray() ->
                        {
                            Name = h.GetProperty("name").GetString()
                            Arity = h.GetProperty("arity").GetInt32()
                            Gas = h.GetProperty("gas").GetInt64()
                            Behaviour =
                                match tryGet h "returns", tryGet h "throws" with
                                | Some data, _ -> HostBehaviour.Returns(readData data)
                                | None, Some data -> HostBehaviour.Throws(readData data)
                                | None, None ->
                                    match h.GetProperty("does").GetString() with
                                    | "echoes" -> HostBehaviour.Echoes
                                    | "throws-first" -> HostBehaviour.ThrowsFirst
                                    | "checks" -> HostBehaviour.Checks
                                    | other -> raise (FormatException $"no host behaviour: {other}")
                        }
                  |]
        }

    /// Reads what `toLine` or `toText` wrote; FormatException, JsonException or KeyNotFoundException when it is something else.
    let parse (text: string) : Case =
        use document = JsonDocument.Parse(text, JsonDocumentOptions(MaxDepth = 5000))
        readCase document.RootElement

    /// What a saved case is there for.
    let about (text: string) =
        use document = JsonDocument.Parse(text, JsonDocumentOptions(MaxDepth = 5000))

        match tryGet document.RootElement "about" with
        | Some text -> text.GetString()
        | None -> ""
