/// HASH_BLOCK and MERKLE_ROOT against Python's json and hashlib (tests/vectors/hash/make.py).
module Zexus.Spec.Tests.HashTests

open System
open Expecto
open Zexus.Isa

let private lines = Support.vectors "hash/python.tsv"

let private constantOf (literal: string) =
    (Support.assemble (".func main()\nLOAD_CONST " + literal + "\n.end\n")).Constants[0]

[<Tests>]
let hashes =
    testList "hashes, as Python computes them" [
        test "HASH_BLOCK" {
            let mine = lines |> Array.filter (fun line -> line[0] = "hash")
            Expect.isGreaterThan mine.Length 400 "lines"

            for line in mine do
                Expect.equal (Support.textOf ("LOAD_CONST " + line[1] + "\nHASH_BLOCK")) line[2] line[1]
        }
        test "MERKLE_ROOT" {
            let mine = lines |> Array.filter (fun line -> line[0] = "merkle")
            Expect.isGreaterThan mine.Length 20 "lines"

            for line in mine do
                match constantOf line[1] with
                | Data.List leaves ->
                    let pushes =
                        String.Join(
                            "\n",
                            seq {
                                for i in 0 .. leaves.Length - 1 do
                                    "LOAD_NAME leaves\nLOAD_CONST " + string i + "\nINDEX"
                            }
                        )

                    let code =
                        "LOAD_CONST "
                        + line[1]
                        + "\nSTORE_NAME leaves\n"
                        + pushes
                        + "\nMERKLE_ROOT "
                        + string leaves.Length

                    Expect.equal (Support.textOf code) line[2] line[1]
                | other -> failtestf "%A" other
        }
    ]
