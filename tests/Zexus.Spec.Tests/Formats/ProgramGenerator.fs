/// Programs as wild as the formats can hold: most of them would never load.
module Zexus.Spec.Tests.Formats.ProgramGenerator

open System
open System.Collections.Generic
open System.Numerics
open FsCheck
open FsCheck.FSharp
open Zexus.Isa

let private scalar =
    Gen.frequency [
        8, Gen.choose (0x20, 0x7E)
        2, Gen.choose (0, 0x1F)
        2, Gen.choose (0x7F, 0xD7FF)
        1, Gen.choose (0xE000, 0xFFFF)
        1, Gen.choose (0x10000, 0x10FFFF)
    ]
    |> Gen.map (fun value -> Text.Rune(value).ToString())

let private text = Gen.listOf scalar |> Gen.map (String.concat "")

let private name =
    Gen.frequency [
        8, Gen.elements [ "a"; "b"; "total"; "x1"; "_"; "zähler"; "余额" ]
        2,
        Gen.elements [
            ""
            "locals"
            "captures"
            "null"
            "r3"
            "L1"
            "ADD"
            "two words"
            "1st"
            "a\"b"
            "a;b"
            ".func"
            "#1"
        ]
        1, Gen.constant (String('n', 61))
        1, text
    ]

let private float64 =
    Gen.oneof [
        Gen.elements [
            0.0
            -0.0
            1.0
            0.1
            1e16
            1e-5
            Double.MaxValue
            Double.Epsilon
            Double.NaN
            Double.PositiveInfinity
            Double.NegativeInfinity
        ]
        ArbMap.defaults |> ArbMap.generate<int64> |> Gen.map BitConverter.Int64BitsToDouble
        Gen.choose (0, 1000)
        |> Gen.map (fun bits -> BitConverter.Int64BitsToDouble(0x7FF8000000000000L + int64 bits))
    ]

let private integer =
    Gen.oneof [
        Gen.choose (-1000, 1000) |> Gen.map BigInteger
        ArbMap.defaults |> ArbMap.generate<int64> |> Gen.map BigInteger
        Gen.map2
            (fun sign bits -> BigInteger(sign: int) * BigInteger.Pow(2, bits))
            (Gen.elements [ -1; 1 ])
            (Gen.choose (0, 9000))
        Gen.map2
            (fun sign bits -> BigInteger(sign: int) * BigInteger.Pow(2, bits) - 1I)
            (Gen.elements [ -1; 1 ])
            (Gen.choose (30_000, 36_000))
    ]

let rec private data size =
    let leaf = [
        1, Gen.constant Data.Null
        1, ArbMap.defaults |> ArbMap.generate<bool> |> Gen.map Data.Bool
        4, Gen.map Data.Int integer
        4, Gen.map Data.Float float64
        4, Gen.map Data.String text
    ]

    if size = 0 then
        Gen.frequency leaf
    else
        let inside = data (size / 3)

        let several item =
            Gen.choose (0, 4) |> Gen.bind (fun count -> Gen.arrayOfLength count item)

        Gen.frequency (
            leaf
            @ [
                3, several inside |> Gen.map Data.List
                3, several (Gen.map2 (fun key value -> KeyValuePair(key, value)) inside inside) |> Gen.map Data.Map
                2, several inside |> Gen.map Data.Set
            ]
        )

let private number =
    Gen.frequency [
        16, InstructionSet.Rows |> Seq.map (fun row -> row.Number) |> Gen.elements
        1, InstructionSet.Reserved |> Seq.map (fun row -> row.Number) |> Gen.elements
        1, Gen.choose (0, 400)
        1, Gen.choose (Int32.MinValue, Int32.MaxValue)
    ]

let private operand =
    Gen.frequency [
        20, Gen.choose (0, 5) |> Gen.map int64
        3, Gen.choose (-3, 2000) |> Gen.map int64
        1, ArbMap.defaults |> ArbMap.generate<int64>
        1, Gen.elements [ Int64.MinValue; Int64.MaxValue; -1L; -64L; -65L; 63L; 64L ]
    ]

let private instruction =
    gen {
        let! number = number
        let! a = operand
        let! b = operand
        let! c = operand

        let count =
            match InstructionSet.TryFind(number: int) with
            | true, info -> info.Operands.Length
            | false, _ -> int (abs (a % 4L))

        let at i value = if i < count then value else 0L
        return Instruction.Of(number, at 0 a, at 1 b, at 2 c)
    }

let private several item =
    Gen.choose (0, 4) |> Gen.bind (fun count -> Gen.arrayOfLength count item)

let private definition =
    gen {
        let! own = name
        let! parameters = several name
        let! locals = several name
        let! captures = several name
        let! code = Gen.arrayOf instruction

        return {
            Name = own
            Parameters = parameters
            Locals = locals
            Captures = captures
            Code = code
        }
    }

let program =
    gen {
        let! constants = several (data 20)
        let! names = several name
        let! functions = several definition

        return {
            Constants = constants
            Names = names
            Functions = functions
        }
    }

/// A program whose pools are as the assembler makes them: what a person's text gives.
let tidyProgram =
    program
    |> Gen.map (fun program ->
        let text = Disassembler.Disassemble program

        let undeclared =
            text.Split '\n'
            |> Array.filter (fun line ->
                not (line.StartsWith ".const" || line.StartsWith ".name" || line.Contains ".op " || line.Contains '#'))

        Assembler.Assemble(String.Join('\n', undeclared), "tidy.zxa"))
    |> Gen.filter (fun result -> result.Succeeded)
    |> Gen.map (fun result -> result.Program)
