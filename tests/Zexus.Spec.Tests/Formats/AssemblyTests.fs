module Zexus.Spec.Tests.Formats.AssemblyTests

open System
open System.Collections.Generic
open System.Diagnostics
open Expecto
open FsCheck
open FsCheck.FSharp
open Zexus.Isa

let private check count generator property =
    let config =
        Config.QuickThrowOnFailure.WithMaxTest(count).WithReplay(Some Zexus.Tests.Seed.replay)

    Check.One(config, Prop.forAll (Arb.fromGen generator) property)

let private assemble (text: string) = Assembler.Assemble(text, "test.zxa")

let private program text =
    let result = assemble text

    if not result.Succeeded then
        failtestf "%s" (String.Join("\n", result.Diagnostics))

    result.Program

let private lines (text: string list) = String.Join('\n', text) + "\n"

let private inMain body =
    lines [ ".func main()"; yield! body; ".end" ]

let private complains name text (expected: string list) =
    test name {
        let result = assemble text
        Expect.isFalse result.Succeeded "no program"
        Expect.equal (String.Join("\n", result.Diagnostics)) (String.Join("\n", expected)) "the diagnostics"
    }

let private diagnostics = [
    complains "an unknown mnemonic" (inMain [ "    LOAD_CONTS 5" ]) [
        "test.zxa:2:5: there is no instruction LOAD_CONTS"
        " 2 |     LOAD_CONTS 5"
        "   |     ^^^^^^^^^^"
        "   = did you mean LOAD_CONST?"
    ]

    complains "another machine's word" (inMain [ "push 5" ]) [
        "test.zxa:2:1: there is no instruction push"
        " 2 | push 5"
        "   | ^^^^"
        "   = here it is LOAD_CONST"
    ]

    complains "a reserved instruction" (inMain [ "\tREAD" ]) [
        "test.zxa:2:2: READ is reserved: a contract has no files: the same program must give the same result on every machine"
        " 2 | \tREAD"
        "   | \t^^^^"
    ]

    complains "an unknown label" (inMain [ "loop:"; "    JUMP lop" ]) [
        "test.zxa:3:10: there is no label lop in this function"
        " 3 |     JUMP lop"
        "   |          ^^^"
        "   = did you mean loop?"
    ]

    complains "a label defined twice" (inMain [ "loop:"; "loop:" ]) [
        "test.zxa:3:1: label loop stands at line 2 already"
        " 3 | loop:"
        "   | ^^^^"
    ]

    complains "an operand missing" (inMain [ "    LOAD_REG r0 ; five" ]) [
        "test.zxa:2:5: operand 2 is missing: LOAD_REG takes 2 operands: dst, constant"
        " 2 |     LOAD_REG r0 ; five"
        "   |     ^^^^^^^^"
    ]

    complains "an operand too many" (inMain [ "    ADD 5" ]) [
        "test.zxa:2:9: ADD takes no operands, so 5 cannot stand here"
        " 2 |     ADD 5"
        "   |         ^"
        "   = one statement a line; a comment begins with ;"
    ]

    complains "a register that is not there" (inMain [ "MOV_REG r0, r16" ]) [
        "test.zxa:2:13: a register, r0 to r15 stands here, not r16"
        " 2 | MOV_REG r0, r16"
        "   |             ^^^"
    ]

    complains "an integer too large" (inMain [ "GAS_CHARGE 9223372036854775808" ]) [
        "test.zxa:2:12: 9223372036854775808 does not fit in 64 bits"
        " 2 | GAS_CHARGE 9223372036854775808"
        "   |            ^^^^^^^^^^^^^^^^^^^"
    ]

    complains "a count too large" (inMain [ "BUILD_LIST 1025" ]) [
        "test.zxa:2:12: a count, 0 to 1024 stands here, not 1025"
        " 2 | BUILD_LIST 1025"
        "   |            ^^^^"
    ]

    complains "a variable as a constant" (inMain [ "LOAD_CONST total" ]) [
        "test.zxa:2:12: there is no constant total"
        " 2 | LOAD_CONST total"
        "   |            ^^^^^"
        "   = a text is written \"total\"; a constant gets a name by .const total VALUE above; a variable is pushed by LOAD_NAME"
    ]

    complains "a bracket not closed" (inMain [ "LOAD_CONST [1, 2"; "ADD" ]) [
        "test.zxa:3:1: a , or ] stands here, not ADD"
        " 3 | ADD"
        "   | ^^^"
        "   = the [ of line 2 is not closed"
    ]

    complains "a text not closed" (inMain [ "LOAD_CONST \"abc"; "ADD" ]) [
        "test.zxa:2:12: this text has no closing quote on its line"
        " 2 | LOAD_CONST \"abc"
        "   |            ^^^^"
        "   = a line feed in a text is written \\n"
    ]

    complains "an escape that is not there" (inMain [ "LOAD_CONST \"a\\qb\"" ]) [
        "test.zxa:2:14: there is no such escape"
        " 2 | LOAD_CONST \"a\\qb\""
        "   |              ^^"
        "   = escapes are \\\" \\\\ \\n \\r \\t \\0 and \\u{1F600}, a Unicode scalar value in hexadecimal"
    ]

    complains "half of a surrogate pair" (inMain [ "LOAD_CONST \"\\u{D83D}\"" ]) [
        "test.zxa:2:13: U+D83D is no Unicode scalar value"
        " 2 | LOAD_CONST \"\\u{D83D}\""
        "   |             ^^^^^^^^"
        "   = 0 to D7FF and E000 to 10FFFF are; one above FFFF is one escape, not a pair"
    ]

    complains "an unknown function, and one without an end" (lines [ ".func main()"; "CALL_FUNC_CONST mian, 0" ]) [
        "test.zxa:1:1: function main has no .end"
        " 1 | .func main()"
        "   | ^^^^^"
        "   = a function ends with .end"
        "test.zxa:2:17: there is no function mian"
        " 2 | CALL_FUNC_CONST mian, 0"
        "   |                 ^^^^"
        "   = did you mean main?"
    ]

    complains "an instruction outside" "ADD\n" [
        "test.zxa:1:1: this stands outside of every function"
        " 1 | ADD"
        "   | ^^^"
        "   = a function begins with .func NAME(a, b) locals x, y captures c"
    ]

    complains "a function defined twice" (inMain [] + inMain []) [
        "test.zxa:3:7: function main stands at line 1 already"
        " 3 | .func main()"
        "   |       ^^^^"
        "   = if two shall have one name: .func #1 main(...)"
    ]

    complains "no parentheses" (lines [ ".func main"; ".end" ]) [
        "test.zxa:1:7: the parameters stand in parentheses after the name"
        " 1 | .func main"
        "   |       ^^^^"
        "   = .func NAME(a, b) locals x, y captures c"
    ]

    complains "not a number" (inMain [ "LOAD_CONST 12ab" ]) [
        "test.zxa:2:12: 12ab is not a number"
        " 2 | LOAD_CONST 12ab"
        "   |            ^^^^"
        "   = numbers are written 5, -5, 1_000_000, 0xFF, 2.5 or 1e-9"
    ]

    test "several at once, and at most twenty" {
        let result = assemble (inMain [ for i in 1..30 -> "WRONG" + string i ])
        Expect.hasLength result.Diagnostics 20 "diagnostics"
        Expect.isNull (box result.Program) "no program"
        Expect.equal (result.Diagnostics |> Seq.map (fun d -> d.Line) |> Seq.toList) [ 2..21 ] "a line each"
    }

    test "a line of a million characters is shown in part" {
        let result = assemble (String('(', 1_000_000))
        let text = string result.Diagnostics[0]
        Expect.isLessThan text.Length 500 "short"
    }
]

let private constantOf literal =
    (program (inMain [ "LOAD_CONST " + literal ])).Constants[0]

let private literal text value =
    test text { Expect.equal (constantOf text) value "the constant" }

let private entries pairs =
    pairs |> List.map (fun (key, value) -> KeyValuePair(key, value)) |> List.toArray |> Data.Map

let private literals = [
    literal "null" Data.Null
    literal "true" (Data.Bool true)
    literal "-5" (Data.Int -5I)
    literal "1_000_000" (Data.Int 1000000I)
    literal "0xFf_ff" (Data.Int 65535I)
    literal "-0x80" (Data.Int -128I)
    literal "1.0" (Data.Float 1.0)
    literal "-0.0" (Data.Float -0.0)
    literal "1e3" (Data.Float 1000.0)
    literal "2.5E-3" (Data.Float 0.0025)
    literal "nan" (Data.Float(BitConverter.Int64BitsToDouble 0x7FF8000000000000L))
    literal "nan(0xfff8000000000001)" (Data.Float(BitConverter.Int64BitsToDouble 0xFFF8000000000001L))
    literal "-inf" (Data.Float Double.NegativeInfinity)
    literal "\"naïve 余额 😀 \\u{1F600}\\n\\\"\"" (Data.String "naïve 余额 😀 😀\n\"")
    literal "[]" (Data.List [||])
    literal "{}" (entries [])
    literal "#{1, 2,}" (Data.Set [| Data.Int 1I; Data.Int 2I |])
    literal
        "[1, {\"a\": 2.5, 1: [null]}]"
        (Data.List [|
            Data.Int 1I
            entries [ Data.String "a", Data.Float 2.5; Data.Int 1I, Data.List [| Data.Null |] ]
        |])
    literal "[ ; over lines\n  1,\n\n  2 ; two\n]" (Data.List [| Data.Int 1I; Data.Int 2I |])

    test "a named constant" {
        let program =
            program (
                ".const LIMIT 10\n.const TWICE [LIMIT, LIMIT]\n" + inMain [ "LOAD_CONST TWICE"; "LOAD_CONST LIMIT" ]
            )

        Expect.equal program.Constants [| Data.List [| Data.Int 10I; Data.Int 10I |]; Data.Int 10I |] "the constants"
    }
]

/// As a person would write it; the disassembler gives it back letter by letter.
let private countdown =
    lines [
        ".func main() locals i, total"
        "    STORE_CONST i, 10"
        "L1:"
        "    LOAD_NAME i"
        "    JUMP_IF_FALSE L2"
        "    LOAD_NAME total"
        "    LOAD_NAME i"
        "    CALL_FUNC_CONST \"add two\", 2"
        "    STORE_NAME total"
        "    LOAD_NAME i"
        "    DEC"
        "    STORE_NAME i"
        "    JUMP L1"
        "L2:"
        "    REGISTER_EVENT done, handler"
        "    GAS_CHARGE 100"
        "    LOAD_REG r0, \"fertig\""
        "    PUSH_REG r0"
        "    EMIT_EVENT done"
        "    LOAD_NAME total"
        "    RETURN"
        ".end"
        ""
        ".func \"add two\"(a, b) locals \"locals\" captures total"
        "    LOAD_NAME a"
        "    LOAD_NAME b"
        "    ADD"
        "    RETURN"
        ".end"
    ]

let private explicitly =
    lines [
        ".const #0 5"
        ".const #1 5"
        ".const #2 null"
        ""
        ".name #0 b"
        ".name #1 a"
        ""
        ".func f()"
        "    LOAD_CONST 5"
        "    LOAD_CONST #1"
        "    LOAD_CONST #9"
        "    LOAD_NAME a"
        "    JUMP #-1"
        "    BUILD_LIST #1025"
        "    MOV_REG r15, #16"
        "    GAS_CHARGE #-5"
        "    .op 999, 1, 2"
        "    .op 251 ; READ, reserved"
        "    .op -1"
        "    CALL_FUNC_CONST f, 0"
        "    CALL_FUNC_CONST #1, 0"
        ".end"
        ""
        ".func #1 f()"
        ".end"
    ]

let private garbage (random: Random) =
    let words = [|
        "LOAD_CONST"
        "ADD"
        ".func"
        ".end"
        "main"
        "("
        ")"
        "["
        "]"
        "{"
        "}"
        "#{"
        "#3"
        ","
        ":"
        "\n"
        "\n"
        " "
        "\t"
        "5"
        "1e9"
        "0x"
        "nan"
        "nan("
        "\""
        "\\"
        "\\u{"
        ";"
        "r1"
        ".const"
        ".name"
        ".op"
        "JUMP"
        "L1"
        "\uD800"
        "😀"
        "\000"
        "-"
        "#-"
    |]

    String.Join(
        (if random.Next 2 = 0 then " " else ""),
        Array.init (random.Next 60) (fun _ -> words[random.Next words.Length])
    )

let private assemblesIn (seconds: float) (text: string) =
    let clock = Stopwatch.StartNew()
    let result = assemble text
    Expect.isLessThan clock.Elapsed.TotalSeconds seconds "in time"
    result

[<Tests>]
let tests =
    testList "assembly" [
        testList "diagnostics" diagnostics
        testList "literals" literals

        test "a program is disassembled into what a person would write" {
            Expect.equal (Disassembler.Disassemble(program countdown)) countdown "the text"
        }

        test "what the short form cannot say is said by number" {
            Expect.equal (Disassembler.Disassemble(program explicitly)) explicitly "the text"
        }

        test "every program assembles back to the same bytes" {
            check 1000 ProgramGenerator.program (fun original ->
                let result = assemble (Disassembler.Disassemble original)
                result.Succeeded && Container.Encode result.Program = Container.Encode original)
        }

        test "a program from a plain text disassembles without declarations" {
            check 300 ProgramGenerator.tidyProgram (fun tidy -> not ((Disassembler.Disassemble tidy).Contains "#"))
        }

        test "line ends, byte order mark, letters' case and missing commas do not matter" {
            let plain =
                program "\uFEFF.func main() locals a b\r\nstore_const a 5\r\nx: JUMP x\r\n.end"

            Expect.equal
                plain
                (program ".func main() locals a, b\n    STORE_CONST a, 5\nx:\n    JUMP x\n.end\n")
                "one program"
        }

        test "garbage gives diagnostics or a program, and never throws" {
            let random = Random 7

            for _ in 1..20_000 do
                let text = garbage random
                let result = assemble text

                if result.Succeeded then
                    let again = assemble (Disassembler.Disassemble result.Program)
                    Expect.equal again.Program result.Program text
                else
                    for diagnostic in result.Diagnostics do
                        Expect.isNotEmpty (string diagnostic) text
        }

        test "a damaged text gives diagnostics or a program, and never throws" {
            let random = Random 8

            for _ in 1..20_000 do
                let text = Text.StringBuilder countdown

                for _ in 0 .. random.Next 4 do
                    text[random.Next text.Length] <- char (random.Next(1, 127))

                let result = assemble (text.ToString())
                Expect.equal result.Succeeded (result.Diagnostics.Count = 0) "one or the other"
        }

        test "brackets nest 512 deep and no deeper" {
            let brackets depth = String('[', depth) + String(']', depth)
            Expect.isTrue (assemble (inMain [ "LOAD_CONST " + brackets 512 ])).Succeeded "512"
            let result = assemblesIn 5 (inMain [ "LOAD_CONST " + brackets 1_000_000 ])
            Expect.stringContains (string result.Diagnostics[0]) "collections nest at most 512 deep" "deeper"
        }

        test "large texts assemble in time that grows with them" {
            let instructions = [ for i in 0..99_999 -> "    LOAD_CONST [" + string i + "]" ]
            Expect.isTrue (assemblesIn 5 (inMain instructions)).Succeeded "100,000 constants"
            let jumps = [ for i in 0..99_999 -> "l" + string i + ": JUMP l" + string (99_999 - i) ]
            Expect.isTrue (assemblesIn 5 (inMain jumps)).Succeeded "100,000 labels"

            Expect.isTrue
                (assemblesIn 5 (inMain [ "LOAD_CONST 0x" + String('7', 2 * Container.IntegerBytes) ])).Succeeded
                "the largest Int"

            Expect.isFalse (assemblesIn 5 (inMain [ "LOAD_CONST " + String('7', 2_000_000) ])).Succeeded "a decimal"

            Expect.isTrue
                (assemblesIn 5 (inMain [ "LOAD_CONST \"" + String('é', 2_000_000) + "\"" ])).Succeeded
                "a text"

            Expect.isFalse (assemblesIn 5 (String('\n', 2_000_000) + String('#', 1_000_000))).Succeeded "nothing"
        }

        test "a large constant is written once, however often it is used" {
            let large = "[" + String.Join(", ", [ 1..10_000 ]) + "]"

            let original =
                program (".const LARGE " + large + "\n" + inMain (List.replicate 1000 "LOAD_CONST LARGE"))

            let text = Disassembler.Disassemble original
            Expect.isLessThan text.Length (large.Length + 50_000) "the text"
            Expect.equal (program text) original "the program"
        }
    ]
