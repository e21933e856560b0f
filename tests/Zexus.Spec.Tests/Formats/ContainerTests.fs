module Zexus.Spec.Tests.Formats.ContainerTests

open System
open System.IO
open System.Security.Cryptography
open Expecto
open FsCheck
open FsCheck.FSharp
open Zexus.Isa

let private check count generator property =
    let config =
        Config.QuickThrowOnFailure.WithMaxTest(count).WithReplay(Some Zexus.Tests.Seed.replay)

    Check.One(config, Prop.forAll (Arb.fromGen generator) property)

let private decode bytes =
    match Container.TryDecode(bytes: byte[]) with
    | true, program, _ -> Ok program
    | false, _, error -> Error error

/// The bytes with the checksum that belongs to them.
let private seal (body: byte[]) =
    Array.append body (Array.sub (SHA256.HashData body) 0 8)

let private reseal (bytes: byte[]) =
    seal (Array.sub bytes 0 (bytes.Length - 8))

let private header = [| 0x5Auy; 0x58uy; 0x42uy; 0uy; 1uy; 0uy |]

/// A container of these four sections.
let private sections (contents: byte[] list) =
    contents
    |> List.collect (fun content ->
        // Tests stay below 16,384 bytes a section.
        let length =
            if content.Length < 128 then
                [| byte content.Length |]
            else
                [| byte content.Length ||| 0x80uy; byte (content.Length >>> 7) |]

        [ length; content ])
    |> Array.concat
    |> Array.append header
    |> seal

let private main = [| 1uy; 4uy; byte 'm'; byte 'a'; byte 'i'; byte 'n'; 0uy; 0uy; 0uy |]

let private constant content =
    sections [ Array.append [| 1uy |] content; [| 0uy |]; [| 0uy |]; [||] ]

let private instruction content =
    sections [ [| 0uy |]; [| 0uy |]; main; Array.append [| 1uy |] content ]

let private message bytes =
    match decode bytes with
    | Ok _ -> "decodes"
    | Error error -> error.Message

let private refuses name bytes expected =
    test name { Expect.equal (message bytes) expected "the message" }

let private empty: Program = {
    Constants = [||]
    Names = [||]
    Functions = [||]
}

let private programOf constants : Program = { empty with Constants = constants }

let rec private nested depth =
    if depth = 0 then
        Data.Null
    else
        Data.List [| nested (depth - 1) |]

let private errors = [
    refuses
        "nothing"
        [||]
        "byte 0 (0x0): expected the four bytes 5A 58 42 00 (\"ZXB\", 0) that begin a container, found the end of the file"

    refuses
        "text"
        "; a text"B
        "byte 0 (0x0): expected the four bytes 5A 58 42 00 (\"ZXB\", 0) that begin a container, found 0x3B"

    refuses
        "a newer version"
        (seal [| 0x5Auy; 0x58uy; 0x42uy; 0uy; 2uy; 0uy |])
        "byte 4 (0x4): expected format version 1, found version 2, made by a newer Zexus; use that one"

    refuses
        "no sections"
        header
        "byte 6 (0x6): expected the length of the section of constants, found the end of the file"

    refuses
        "a section longer than the file"
        (seal (Array.append header [| 100uy |]))
        "byte 6 (0x6): expected the section of constants of at most 8 bytes, which is all that are left, found 100 bytes"

    refuses
        "trailing bytes"
        (Array.append (Container.Encode empty) [| 0uy |])
        "byte 13 (0xD): expected the checksum's 8 bytes and then the end of the file, found 9 bytes"

    test "damage" {
        let bytes = Container.Encode(programOf [| Data.Int 5I |])
        bytes[10] <- bytes[10] ^^^ 1uy
        Expect.stringContains (message bytes) "the file is damaged" "the message"
    }

    refuses
        "a length in too many bytes"
        (seal (Array.append header [| 0x81uy; 0x00uy; 0uy; 1uy; 0uy; 1uy; 0uy; 0uy |]))
        "byte 6 (0x6): expected the length of the section of constants in as few bytes as it takes, found 2 bytes for 1"

    refuses
        "more constants than bytes"
        (sections [
            [| 0xFFuy; 0xFFuy; 0xFFuy; 0xFFuy; 0x07uy; 0uy |]
            [| 0uy |]
            [| 0uy |]
            [||]
        ])
        "byte 7 (0x7): expected at most 1 constants in the bytes that are left, found 2147483647"

    refuses "an unknown kind" (constant [| 9uy |]) "byte 8 (0x8): expected the kind of a constant, 0 to 8, found 9"

    refuses
        "an Int of no bytes"
        (constant [| 3uy; 0uy |])
        "byte 10 (0xA): expected an Int of one byte or more, found no bytes"

    refuses
        "an Int with a byte too many"
        (constant [| 3uy; 2uy; 5uy; 0uy |])
        "byte 11 (0xB): expected an Int in as few bytes as it takes, found 0x00, which only repeats the sign"

    refuses
        "a negative Int with a byte too many"
        (constant [| 3uy; 2uy; 0x80uy; 0xFFuy |])
        "byte 11 (0xB): expected an Int in as few bytes as it takes, found 0xFF, which only repeats the sign"

    refuses "half a Float" (constant [| 4uy; 0uy; 0uy |]) "byte 9 (0x9): expected the 8 bytes of a Float, found 2"

    refuses
        "text that is not UTF-8"
        (constant [| 5uy; 3uy; 0x61uy; 0xFFuy; 0x62uy |])
        "byte 11 (0xB): expected a String in UTF-8, found 0xFF"

    refuses
        "a surrogate in UTF-8"
        (constant [| 5uy; 3uy; 0xEDuy; 0xA0uy; 0x80uy |])
        "byte 10 (0xA): expected a String in UTF-8, found 0xED"

    refuses
        "bytes behind the constants"
        (constant [| 0uy; 0uy |])
        "byte 9 (0x9): expected the end of the section of constants, found 1 more bytes"

    refuses
        "a known opcode with too few operands"
        (instruction [| 0x04uy |])
        "byte 22 (0x16): expected opcode 1 with its 1 operands, found 0 operands"

    refuses
        "an unknown opcode with a last operand of 0"
        (instruction [| 0xE5uy; 0x07uy; 0uy |])
        "byte 22 (0x16): expected the unknown opcode 249 without operands of 0 at its end, found such an operand"

    refuses
        "an operand in too many bytes"
        (instruction [| 0x05uy; 0x80uy; 0x00uy |])
        "byte 23 (0x17): expected an operand in as few bytes as it takes, found 2 bytes for 0"

    refuses
        "an operand of more than 64 bits"
        (instruction [|
            0x05uy
            0xFFuy
            0xFFuy
            0xFFuy
            0xFFuy
            0xFFuy
            0xFFuy
            0xFFuy
            0xFFuy
            0xFFuy
            0x01uy
        |])
        "byte 23 (0x17): expected an operand, found a number of more than 64 bits"

    refuses
        "an opcode of more than 32 bits"
        (instruction [| 0x80uy; 0x80uy; 0x80uy; 0x80uy; 0x40uy |])
        "byte 22 (0x16): expected an opcode number of 32 bits, found a larger one"

    test "513 collections within one another" {
        let bytes =
            constant (Array.append (Array.replicate 513 [| 6uy; 1uy |] |> Array.concat) [| 0uy |])

        Expect.equal
            (message bytes)
            "byte 1033 (0x409): expected at most 512 collections within one another, found one more"
            "the message"
    }

    test "Decode throws what TryDecode says" {
        let thrown = Expect.throwsC (fun () -> Container.Decode [| 0uy |] |> ignore) id

        match thrown with
        | :? ContainerException as e ->
            Expect.equal e.Offset 0 "offset"
            Expect.equal e.Message e.Error.Message "message"
            Expect.isTrue (thrown :? FormatException) "a FormatException"
        | other -> failtestf "%O" other
    }
]

let private cannotEncode name program =
    test name { Expect.throwsT<ArgumentException> (fun () -> Container.Encode program |> ignore) "cannot be encoded" }

let private withCode instruction : Program = {
    empty with
        Functions = [|
            {
                Name = "main"
                Parameters = [||]
                Locals = [||]
                Captures = [||]
                Code = [| instruction |]
            }
        |]
}

let private refusals = [
    cannotEncode "half of a surrogate pair" (programOf [| Data.String(String('\uD83D', 1)) |])
    cannotEncode "513 collections within one another" (programOf [| nested 513 |])
    cannotEncode "an Int too large" (programOf [| Data.Int(1I <<< (8 * Container.IntegerBytes)) |])
    cannotEncode "an operand that the opcode does not have" (withCode (Instruction.Of(10, 0L, 0L, 1L)))

    test "512 collections within one another, and the largest Int" {
        let largest = (1I <<< (8 * Container.IntegerBytes - 1)) - 1I
        let program = programOf [| nested 512; Data.Int largest; Data.Int(-largest - 1I) |]
        Expect.isTrue (Container.Decode(Container.Encode program) = program) "the same program"
    }
]

/// Decodes; a container must be canonical, everything must stay within its allowance. True if it decodes.
let private feed (bytes: byte[]) =
    let before = GC.GetAllocatedBytesForCurrentThread()
    let decoded, program, error = Container.TryDecode bytes
    let allocated = GC.GetAllocatedBytesForCurrentThread() - before

    if allocated > 64L * int64 bytes.Length + 16_384L then
        failtestf "%d bytes allocated for %d: %s" allocated bytes.Length (Convert.ToHexString bytes)

    if decoded then
        if not ((Container.Encode program).AsSpan().SequenceEqual(ReadOnlySpan bytes)) then
            failtestf "not canonical: %s" (Convert.ToHexString bytes)
    elif error.Offset < 0 || error.Offset > bytes.Length || error.Expected = "" || error.Found = "" then
        failtestf "not a clear error: %O: %s" error (Convert.ToHexString bytes)

    decoded

let private mutate (random: Random) (bytes: byte[]) =
    let bytes = Array.copy bytes
    let at () = random.Next bytes.Length

    match random.Next 6 with
    | 0 ->
        bytes[at ()] <- byte (random.Next 256)
        bytes
    | 1 ->
        let i = at ()
        bytes[i] <- bytes[i] ^^^ (1uy <<< random.Next 8)
        bytes
    | 2 -> Array.sub bytes 0 (at ())
    | 3 -> Array.removeAt (at ()) bytes
    | 4 -> Array.insertAt (at ()) (byte (random.Next 256)) bytes
    | _ ->
        let from, upTo = at (), at ()
        let length = min (random.Next 16) (bytes.Length - max from upTo)
        Array.blit bytes from bytes upTo length
        bytes

let private garbage (random: Random) =
    let bytes = Array.zeroCreate (random.Next 4096)
    random.NextBytes bytes
    bytes

/// Garbage that gets past the frame: in the right number of sections, with a checksum, mostly of small bytes.
let private framedGarbage (random: Random) =
    sections [
        for _ in 1..4 ->
            Array.init (random.Next 1000) (fun _ -> byte (if random.Next 8 = 0 then random.Next 256 else random.Next 9))
    ]

let private originals =
    lazy
        (Gen.sampleWithSeed (Rnd 20260102UL) 30 300 ProgramGenerator.program
         |> Array.map Container.Encode
         // Small ones: a change of one byte should matter.
         |> Array.filter (fun bytes -> bytes.Length < 2000))

let private damaged (random: Random) =
    let mutable bytes = originals.Value[random.Next originals.Value.Length]

    for _ in 0 .. random.Next 3 do
        if bytes.Length > 0 then
            bytes <- mutate random bytes

    // Without a new checksum nothing behind it would be reached.
    if bytes.Length > 8 && random.Next 8 > 0 then
        reseal bytes
    else
        bytes

/// How many bytes each campaign feeds. A longer one: ZEXUS_FUZZ_BYTES=1000000000.
let private budget =
    match Int64.TryParse(Environment.GetEnvironmentVariable "ZEXUS_FUZZ_BYTES") with
    | true, bytes -> bytes
    | false, _ -> 10_000_000L

/// Feeds inputs until the budget is spent, and counts those that decode.
let private campaign make =
    let random = Random 20260102
    let mutable fed = 0L
    let mutable decoded = 0

    while fed < budget do
        let bytes: byte[] = make random
        fed <- fed + int64 bytes.Length

        if feed bytes then
            decoded <- decoded + 1

    decoded

let private documented () =
    let page = Path.Combine(AppContext.BaseDirectory, "container.md")

    File.ReadLines page
    |> Seq.filter (fun line -> line.StartsWith "| `" && line.Contains "` | ")
    |> Seq.map (fun line -> Array.item 1 (line.Split '`'))
    |> Seq.collect (fun hex -> Convert.FromHexString(hex.Replace(" ", "")))
    |> Seq.toArray

[<Tests>]
let tests =
    testList "container" [
        testList "errors" errors
        testList "what no container holds" refusals

        test "every program comes back, and from the same bytes" {
            check 2000 ProgramGenerator.program (fun program ->
                let bytes = Container.Encode program
                let again = Container.Decode bytes
                again = program && Container.Encode again = bytes)
        }

        test "every cut is refused" {
            let bytes =
                Container.Encode(Gen.sampleWithSeed (Rnd 3UL) 30 1 ProgramGenerator.program |> Array.head)

            for length in 0 .. bytes.Length - 1 do
                Expect.isFalse (feed (Array.sub bytes 0 length)) "decodes"
        }

        test "lists that each claim the rest of the file are refused before they are made" {
            // 500 lists within one another, each of as many elements as there are bytes left.
            let size = 16_000
            let claim = [| 6uy; 0x80uy ||| byte (14_000 &&& 0x7F); byte (14_000 >>> 7) |]
            let lists = Array.replicate 500 claim |> Array.concat
            Expect.isFalse (feed (constant (Array.append lists (Array.zeroCreate (size - lists.Length))))) "decodes"
        }

        test "a million brackets are refused" {
            let content =
                Array.append [| 1uy |] (Array.replicate 1_000_000 [| 6uy; 1uy |] |> Array.concat)

            let length = content.Length

            let frame = [|
                byte length ||| 0x80uy
                byte (length >>> 7) ||| 0x80uy
                byte (length >>> 14) ||| 0x80uy
                byte (length >>> 21)
            |]

            let frame =
                if length < (1 <<< 21) then
                    [| frame[0]; frame[1]; frame[2] &&& 0x7Fuy |]
                else
                    frame

            let bytes =
                seal (Array.concat [ header; frame; content; [| 1uy; 0uy; 1uy; 0uy; 0uy |] ])

            Expect.stringContains (message bytes) "512 collections" "the message"
        }

        test "garbage gives clear errors" { campaign garbage |> ignore }

        test "garbage in a frame gives clear errors, and what decodes is canonical" { campaign framedGarbage |> ignore }

        test "damaged containers give clear errors, and what decodes is canonical" {
            // Where nothing decodes, nothing was compared.
            Expect.isGreaterThan (campaign damaged) 1000 "inputs that decode"
        }

        test "the worked example of docs/container.md is what it says" {
            let bytes = documented ()

            let text =
                ".func main() locals n\n    STORE_CONST n, 300\n    LOAD_NAME n\n    RETURN\n.end\n"

            let result = Assembler.Assemble(text, "example.zxa")

            Expect.equal
                (Convert.ToHexString(Container.Encode result.Program))
                (Convert.ToHexString(bytes: byte[]))
                "bytes"

            Expect.equal (Disassembler.Disassemble(Container.Decode bytes)) text "text"
        }
    ]
