namespace Zexus.Isa

open System
open System.Buffers.Binary
open System.Collections.Generic
open System.IO
open System.Numerics
open System.Runtime.InteropServices
open System.Security.Cryptography
open System.Text

/// Why bytes are no container: where, what should stand there, and what does.
type ContainerError = {
    /// Counted from 0, in the whole file.
    Offset: int
    Expected: string
    Found: string
} with

    member this.Message =
        "byte "
        + string this.Offset
        + " (0x"
        + this.Offset.ToString "X"
        + "): expected "
        + this.Expected
        + ", found "
        + this.Found

    override this.ToString() = this.Message

/// Bytes that are no container were given to `Container.Decode`.
type ContainerException(error: ContainerError) =
    inherit FormatException(error.Message)

    member _.Error = error
    member _.Offset = error.Offset

/// What `docs/container.md` says in tables.
module internal Layout =
    let magic = [| byte 'Z'; byte 'X'; byte 'B'; 0uy |]

    let version = 1

    /// The first bytes of the SHA-256 of all that stands before them.
    let checksumLength = 8

    let sections = [| "constants"; "names"; "functions"; "code" |]

    /// Collections within one another. Above any sensible `Limits.Nesting`, and low enough for recursion.
    let nesting = 512

    /// Bytes of one Int. Above any sensible `Limits.IntegerBits`, and below what BigInteger can hold.
    let integerBytes = 1 <<< 20

    [<Literal>]
    let NullTag = 0uy

    [<Literal>]
    let FalseTag = 1uy

    [<Literal>]
    let TrueTag = 2uy

    [<Literal>]
    let IntTag = 3uy

    [<Literal>]
    let FloatTag = 4uy

    [<Literal>]
    let StringTag = 5uy

    [<Literal>]
    let ListTag = 6uy

    [<Literal>]
    let MapTag = 7uy

    [<Literal>]
    let SetTag = 8uy

    /// Refuses what is no sequence of Unicode scalar values, in both directions, and writes no byte order mark.
    let utf8 = UTF8Encoding(false, true)

    let checksum (bytes: ReadOnlySpan<byte>) =
        SHA256.HashData(bytes).AsSpan(0, checksumLength).ToArray()

    let operandsOf number =
        match InstructionSet.TryFind(number: int) with
        | true, info -> ValueSome info.Operands.Length
        | false, _ -> ValueNone

    let operand (instruction: Instruction) position =
        if position = 0 then instruction.A
        elif position = 1 then instruction.B
        else instruction.C

    /// Operands up to the last that is not 0.
    let operandsUsed (instruction: Instruction) =
        if instruction.C <> 0L then 3
        elif instruction.B <> 0L then 2
        elif instruction.A <> 0L then 1
        else 0

/// Writes the parts of a container, smallest first.
module internal ContainerWriter =
    let rec unsigned (out: MemoryStream) (value: uint64) =
        if value < 0x80UL then
            out.WriteByte(byte value)
        else
            out.WriteByte(byte value ||| 0x80uy)
            unsigned out (value >>> 7)

    let rec signed (out: MemoryStream) (value: int64) =
        // The last byte is the first whose bit 6 already says the sign of all that is left.
        if value >= -64L && value < 64L then
            out.WriteByte(byte value &&& 0x7Fuy)
        else
            out.WriteByte(byte value ||| 0x80uy)
            signed out (value >>> 7)

    let count out (value: int) = unsigned out (uint64 value)

    let text (out: MemoryStream) (value: string) =
        let bytes =
            try
                Layout.utf8.GetBytes value
            with :? EncoderFallbackException ->
                invalidArg
                    "program"
                    "a String has half of a surrogate pair; text is a sequence of Unicode scalar values"

        count out bytes.Length
        out.Write bytes

    let array (out: MemoryStream) write (items: 'a[]) =
        count out items.Length

        for item in items do
            write out item

    let integer (out: MemoryStream) (value: BigInteger) =
        let bytes = value.ToByteArray()

        if bytes.Length > Layout.integerBytes then
            invalidArg
                "program"
                ("an Int needs " + string bytes.Length + " bytes; a container holds " + string Layout.integerBytes)

        count out bytes.Length
        out.Write bytes

    let rec data depth (out: MemoryStream) (value: Data) =
        match value with
        | Data.Null -> out.WriteByte Layout.NullTag
        | Data.Bool false -> out.WriteByte Layout.FalseTag
        | Data.Bool true -> out.WriteByte Layout.TrueTag
        | Data.Int n ->
            out.WriteByte Layout.IntTag
            integer out n
        | Data.Float x ->
            out.WriteByte Layout.FloatTag
            let bytes = Array.zeroCreate 8
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(), BitConverter.DoubleToInt64Bits x)
            out.Write bytes
        | Data.String s ->
            out.WriteByte Layout.StringTag
            text out s
        | Data.List _
        | Data.Set _
        | Data.Map _ when depth >= Layout.nesting ->
            invalidArg "program" ("a constant nests collections more than " + string Layout.nesting + " deep")
        | Data.List items ->
            out.WriteByte Layout.ListTag
            array out (data (depth + 1)) items
        | Data.Set items ->
            out.WriteByte Layout.SetTag
            array out (data (depth + 1)) items
        | Data.Map entries ->
            out.WriteByte Layout.MapTag

            let entry out (pair: KeyValuePair<Data, Data>) =
                data (depth + 1) out pair.Key
                data (depth + 1) out pair.Value

            array out entry entries

    let header out (func: FunctionDefinition) =
        text out func.Name
        array out text func.Parameters
        array out text func.Locals
        array out text func.Captures

    let instruction out (value: Instruction) =
        let used = Layout.operandsUsed value

        let operands =
            match Layout.operandsOf value.Number with
            | ValueNone -> used
            | ValueSome operands ->
                if used > operands then
                    invalidArg
                        "program"
                        ("opcode "
                         + string value.Number
                         + " has "
                         + string operands
                         + " operands, and the others must be 0")

                operands

        unsigned out ((uint64 (uint32 value.Number) <<< 2) ||| uint64 operands)

        for i in 0 .. operands - 1 do
            signed out (Layout.operand value i)

    let code out (func: FunctionDefinition) = array out instruction func.Code

    let section (out: MemoryStream) write =
        use content = new MemoryStream()
        write content
        count out (int content.Length)
        content.WriteTo out

    let program (program: Program) =
        use out = new MemoryStream()
        out.Write Layout.magic
        out.WriteByte(byte Layout.version)
        out.WriteByte 0uy
        section out (fun content -> array content (data 0) program.Constants)
        section out (fun content -> array content text program.Names)
        section out (fun content -> array content header program.Functions)

        section out (fun content ->
            for func in program.Functions do
                code content func)

        out.Write(Layout.checksum (ReadOnlySpan(out.GetBuffer(), 0, int out.Length)))
        out.ToArray()

/// Reads the bytes from `start` up to `limit`, which `ending` names in messages.
///
/// Nothing is allocated for a count before the bytes that its elements need are known to be there. `owed` is what the
/// elements that stand further out still need: without it, 500 lists within one another could each claim the whole file.
type internal ContainerReader(bytes: byte[], start: int, limit: int, ending: string) =
    let mutable position = start

    let fail offset expected found =
        raise (
            ContainerException {
                Offset = offset
                Expected = expected
                Found = found
            }
        )

    member _.Position = position
    member _.Remaining = limit - position
    member _.Fail(offset: int, expected: string, found: string) : 'a = fail offset expected found

    member _.Byte(what: string) =
        if position >= limit then
            fail position what ending

        position <- position + 1
        bytes[position - 1]

    member _.Skip(length: int) = position <- position + length

    /// LEB128, in as few bytes as it takes.
    member this.Unsigned(what: string) =
        let first = position

        let rec next shift value =
            let b = this.Byte what

            if shift = 63 && b > 1uy then
                fail first what "a number of more than 64 bits"

            let value = value ||| (uint64 (b &&& 0x7Fuy) <<< shift)

            if b >= 0x80uy then
                next (shift + 7) value
            elif b = 0uy && shift > 0 then
                fail
                    first
                    (what + " in as few bytes as it takes")
                    (string (position - first) + " bytes for " + string value)
            else
                value

        next 0 0UL

    /// Signed LEB128, in as few bytes as it takes.
    member this.Signed(what: string) =
        let first = position

        let rec next shift value previous =
            let b = this.Byte what

            if shift = 63 && b <> 0uy && b <> 0x7Fuy then
                fail first what "a number of more than 64 bits"

            let value = value ||| (int64 (b &&& 0x7Fuy) <<< shift)

            if b >= 0x80uy then
                next (shift + 7) value b
            else
                let value =
                    if shift < 57 && b >= 0x40uy then
                        value ||| (-1L <<< (shift + 7))
                    else
                        value

                let repeatsSign =
                    (b = 0uy && previous &&& 0x40uy = 0uy) || (b = 0x7Fuy && previous &&& 0x40uy <> 0uy)

                if shift > 0 && repeatsSign then
                    fail
                        first
                        (what + " in as few bytes as it takes")
                        (string (position - first) + " bytes for " + string value)

                value

        next 0 0L 0uy

    /// How many elements follow, each of `size` bytes or more.
    member this.Count(what: string, size: int, owed: int) =
        let first = position
        let count = this.Unsigned("the number of " + what)
        let room = max 0 (limit - position - owed) / size

        if count > uint64 room then
            fail first ("at most " + string room + " " + what + " in the bytes that are left") (string count)

        int count

    /// A length, and that many bytes: where they begin.
    member this.Block(what: string, length: byref<int>) =
        let first = position
        let claimed = this.Unsigned("the length of " + what)

        if claimed > uint64 (limit - position) then
            fail
                first
                (what + " of at most " + string (limit - position) + " bytes, which is all that are left")
                (string claimed + " bytes")

        length <- int claimed
        position <- position + length
        position - length

    member this.Text(what: string) =
        let mutable length = 0
        let first = this.Block(what, &length)

        try
            Layout.utf8.GetString(bytes, first, length)
        with :? DecoderFallbackException as e ->
            let offset = first + max 0 (min e.Index (length - 1))
            fail offset (what + " in UTF-8") ("0x" + bytes[offset].ToString "X2")

    member this.Integer() =
        let mutable length = 0
        let first = this.Block("an Int", &length)

        if length = 0 then
            fail first "an Int of one byte or more" "no bytes"

        if length > Layout.integerBytes then
            fail first ("an Int of at most " + string Layout.integerBytes + " bytes") (string length)

        let last = bytes[first + length - 1]
        let negative = length > 1 && bytes[first + length - 2] >= 0x80uy

        if length > 1 && ((last = 0uy && not negative) || (last = 0xFFuy && negative)) then
            fail
                (first + length - 1)
                "an Int in as few bytes as it takes"
                ("0x" + last.ToString "X2" + ", which only repeats the sign")

        BigInteger(ReadOnlySpan(bytes, first, length))

    member this.Float() =
        if limit - position < 8 then
            fail position "the 8 bytes of a Float" (string (limit - position))

        let bits = BinaryPrimitives.ReadInt64LittleEndian(ReadOnlySpan(bytes, position, 8))
        position <- position + 8
        BitConverter.Int64BitsToDouble bits

/// Reads the parts of a container, smallest first.
module internal ContainerParts =
    let array (reader: ContainerReader) what size owed (read: int -> 'a) : 'a[] =
        let count = reader.Count(what, size, owed)

        if count = 0 then
            Array.Empty()
        else
            let items = Array.zeroCreate count

            for i in 0 .. count - 1 do
                items[i] <- read (owed + (count - 1 - i) * size)

            items

    // One of each: a List of a million in a state would be a million objects.
    let private no = Data.Bool false
    let private yes = Data.Bool true

    let rec data (reader: ContainerReader) depth owed : Data =
        let offset = reader.Position
        let tag = reader.Byte "the kind of a constant, 0 to 8"

        let inside owed = data reader (depth + 1) owed

        match tag with
        | Layout.NullTag -> Data.Null
        | Layout.FalseTag -> no
        | Layout.TrueTag -> yes
        | Layout.IntTag -> Data.Int(reader.Integer())
        | Layout.FloatTag -> Data.Float(reader.Float())
        | Layout.StringTag -> Data.String(reader.Text "a String")
        | Layout.ListTag
        | Layout.MapTag
        | Layout.SetTag when depth >= Layout.nesting ->
            reader.Fail(offset, "at most " + string Layout.nesting + " collections within one another", "one more")
        | Layout.ListTag -> Data.List(array reader "elements" 1 owed inside)
        | Layout.SetTag -> Data.Set(array reader "elements" 1 owed inside)
        | Layout.MapTag ->
            let entry owed =
                let key = inside (owed + 1)
                KeyValuePair(key, inside owed)

            Data.Map(array reader "entries" 2 owed entry)
        | other -> reader.Fail(offset, "the kind of a constant, 0 to 8", string other)

    let names (reader: ContainerReader) what owed =
        array reader what 1 owed (fun _ -> reader.Text "a name")

    let header (reader: ContainerReader) owed =
        let name = reader.Text "a function's name"
        let parameters = names reader "parameters" (owed + 2)
        let locals = names reader "locals" (owed + 1)
        let captures = names reader "captures" owed

        {
            Name = name
            Parameters = parameters
            Locals = locals
            Captures = captures
            Code = Array.Empty()
        }

    let instruction (reader: ContainerReader) =
        let offset = reader.Position
        let head = reader.Unsigned "an instruction"

        if head > 0x3_FFFF_FFFFUL then
            reader.Fail(offset, "an opcode number of 32 bits", "a larger one")

        let number = int (uint32 (head >>> 2))
        let count = int (head &&& 3UL)

        let read position =
            if position < count then reader.Signed "an operand" else 0L

        let a = read 0
        let b = read 1
        let instruction = Instruction.Of(number, a, b, read 2)

        match Layout.operandsOf number with
        | ValueSome operands ->
            if operands <> count then
                reader.Fail(
                    offset,
                    "opcode " + string number + " with its " + string operands + " operands",
                    string count + " operands"
                )
        | ValueNone ->
            if Layout.operandsUsed instruction <> count then
                reader.Fail(
                    offset,
                    "the unknown opcode " + string number + " without operands of 0 at its end",
                    "such an operand"
                )

        instruction

    let code reader owed (func: FunctionDefinition) = {
        func with
            Code = array reader "instructions" 1 owed (fun _ -> instruction reader)
    }

    /// Checks all that can be checked without looking into the sections: where each begins, and the end of the last.
    let frame (bytes: byte[]) =
        let reader = ContainerReader(bytes, 0, bytes.Length, "the end of the file")

        for i in 0 .. Layout.magic.Length - 1 do
            let found =
                reader.Byte "the four bytes 5A 58 42 00 (\"ZXB\", 0) that begin a container"

            if found <> Layout.magic[i] then
                reader.Fail(
                    i,
                    "the four bytes 5A 58 42 00 (\"ZXB\", 0) that begin a container",
                    "0x" + found.ToString "X2"
                )

        let low = reader.Byte "the format version"
        let version = int low + 256 * int (reader.Byte "the format version")

        if version <> Layout.version then
            reader.Fail(
                Layout.magic.Length,
                "format version " + string Layout.version,
                "version "
                + string version
                + (if version > Layout.version then
                       ", made by a newer Zexus; use that one"
                   else
                       ", which never was")
            )

        let section name =
            let mutable length = 0
            let first = reader.Block("the section of " + name, &length)
            ContainerReader(bytes, first, first + length, "the end of the section of " + name)

        let sections = Array.map section Layout.sections

        if reader.Remaining <> Layout.checksumLength then
            reader.Fail(
                reader.Position,
                "the checksum's " + string Layout.checksumLength + " bytes and then the end of the file",
                string reader.Remaining + " bytes"
            )

        struct (sections, reader.Position)

    let verifyChecksum (bytes: byte[]) position =
        let expected = Layout.checksum (ReadOnlySpan(bytes, 0, position))

        if not (expected.AsSpan().SequenceEqual(ReadOnlySpan(bytes, position, expected.Length))) then
            raise (
                ContainerException {
                    Offset = position
                    Expected = "the checksum " + Convert.ToHexString expected
                    Found = Convert.ToHexString(bytes, position, expected.Length) + "; the file is damaged"
                }
            )

    let finish (reader: ContainerReader) name =
        if reader.Remaining <> 0 then
            reader.Fail(reader.Position, "the end of the section of " + name, string reader.Remaining + " more bytes")

    let program (bytes: byte[]) =
        let struct (sections, checksum) = frame bytes
        verifyChecksum bytes checksum

        let constants = array sections[0] "constants" 1 0 (data sections[0] 0)
        finish sections[0] Layout.sections[0]

        let strings = names sections[1] "names" 0
        finish sections[1] Layout.sections[1]

        let functions = array sections[2] "functions" 4 0 (header sections[2])
        finish sections[2] Layout.sections[2]

        for i in 0 .. functions.Length - 1 do
            functions[i] <- code sections[3] (functions.Length - 1 - i) functions[i]

        finish sections[3] Layout.sections[3]

        {
            Constants = constants
            Names = strings
            Functions = functions
        }

/// The binary form of a program, `.zxb`. Canonical: whatever decodes is encoded to the same bytes again.
/// It says nothing of whether the program loads: validation does.
[<AbstractClass; Sealed>]
type Container private () =
    /// The format version that `Encode` writes and `Decode` reads.
    static member Version = Layout.version

    /// Collections within one another, at most, in a constant.
    static member Nesting = Layout.nesting

    /// Bytes of an Int, at most.
    static member IntegerBytes = Layout.integerBytes

    /// Throws ArgumentException for what no container holds: half of a surrogate pair, collections nested more than
    /// `Nesting` deep, an Int of more than `IntegerBytes`, or an operand that the opcode does not have.
    static member Encode(program: Program) : byte[] = ContainerWriter.program program

    /// Throws ContainerException for anything that `Encode` does not make.
    static member Decode(bytes: byte[]) : Program = ContainerParts.program bytes

    /// As `Decode`; false and the error instead of an exception. The other result is null.
    static member TryDecode
        (bytes: byte[], [<Out>] program: byref<Program>, [<Out>] error: byref<ContainerError>)
        : bool =
        program <- Unchecked.defaultof<Program>
        error <- Unchecked.defaultof<ContainerError>

        try
            program <- ContainerParts.program bytes
            true
        with :? ContainerException as e ->
            error <- e.Error
            false

/// What data comes to that is not made yet.
[<Struct>]
type DataSize = {
    /// Elements, text of Strings and size of Ints at every level: what `Gas` counts for a copy.
    Weight: int64
    /// About the bytes that .NET takes for it.
    Memory: int64
}

/// Walks a form from its first byte to its last: what is inside a collection only adds to how many values are to come.
module private Measuring =
    // An object has 16 bytes beside its fields, one of which is its case; a string or array has 24 beside its contents.
    let private number = 40L
    let private digits = 24L
    let private text = 56L
    let private collection = 64L
    let private slot = 8L

    // What a check for keys that stand there twice takes meanwhile.
    let private key = 64L

    let private scalars (bytes: byte[]) first length =
        let mutable count = 0

        for i in first .. first + length - 1 do
            if bytes[i] &&& 0xC0uy <> 0x80uy then
                count <- count + 1

        count

    /// Of one value: how many follow inside it, what it weighs and takes.
    let private next (reader: ContainerReader) bytes : struct (int64 * int64 * int64) =
        let elements count size =
            struct (count, count, collection + size * count)

        let mutable length = 0

        match reader.Byte "the kind of a constant, 0 to 8" with
        | Layout.IntTag ->
            reader.Block("an Int", &length) |> ignore
            // The sign has a bit of the last byte.
            struct (0L, int64 (max 0 (length - 1) / 8), number + digits + int64 length)
        | Layout.FloatTag ->
            reader.Float() |> ignore
            struct (0L, 0L, number)
        | Layout.StringTag ->
            let first = reader.Block("a String", &length)
            struct (0L, int64 (scalars bytes first length / Gas.ScalarsPerUnit), text + 2L * int64 length)
        | Layout.ListTag -> elements (int64 (reader.Count("elements", 1, 0))) slot
        | Layout.SetTag -> elements (int64 (reader.Count("elements", 1, 0))) (slot + key)
        | Layout.MapTag -> elements (2L * int64 (reader.Count("entries", 2, 0))) (slot + key / 2L)
        | _ -> struct (0L, 0L, 0L)

    let walk (bytes: byte[]) most =
        let reader = ContainerReader(bytes, 0, bytes.Length, "the end of the bytes")
        let mutable left = 1L
        let mutable weight = 0L
        let mutable memory = 0L

        try
            while left > 0L && weight <= most do
                let struct (inside, gas, size) = next reader bytes
                left <- left - 1L + inside
                weight <- weight + gas
                memory <- memory + size
        with :? ContainerException ->
            // Who decodes it says what is wrong.
            ()

        { Weight = weight; Memory = memory }

/// Plain data by itself, in the form that a constant has in a container. Canonical as the container is: two data have the same bytes
/// exactly when they are equal, kinds, order and bits of a Float included, and no form is the beginning of another.
[<AbstractClass; Sealed>]
type DataForm private () =
    /// Throws ArgumentException for what no container holds: see `Container.Encode`.
    static member Encode(data: Data) : byte[] =
        use out = new MemoryStream()
        ContainerWriter.data 0 out data
        out.ToArray()

    /// Throws ContainerException for anything that `Encode` does not make.
    static member Decode(bytes: byte[]) : Data =
        let reader = ContainerReader(bytes, 0, bytes.Length, "the end of the bytes")
        let data = ContainerParts.data reader 0 0

        if reader.Remaining <> 0 then
            reader.Fail(reader.Position, "the end", string reader.Remaining + " more bytes")

        data

    /// What the data of a form comes to, in the time that it takes to look at each byte once; it ends where the weight is more than `most`, and
    /// the memory is then of no use. `Decode` may refuse bytes in which this sees nothing wrong.
    static member Measure(bytes: byte[], most: int64) : DataSize = Measuring.walk bytes most

    /// No form of data of that weight has more bytes. A String of 7 characters has 30 at most and as an element weighs 1; 8 characters more weigh 1
    /// and take 32 at most; a length takes 5.
    static member MostBytes(weight: int64) : int64 =
        if weight < Int64.MaxValue / 64L then
            40L * (weight + 1L)
        else
            Int64.MaxValue
