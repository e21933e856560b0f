/// The arithmetic of the specification against what Python computes (tests/vectors/numbers/make.py).
module Zexus.Spec.Tests.NumberTests

open System
open Expecto
open Zexus.Spec

let private float (bits: string) =
    BitConverter.UInt64BitsToDouble(Convert.ToUInt64(bits, 16))

let private bits (x: float) =
    (BitConverter.DoubleToUInt64Bits x).ToString "x16"

let private lines = Support.vectors "numbers/python.tsv"

/// One test over all lines of a kind, which must be there.
let private each kind check =
    test kind {
        let mine = lines |> Array.filter (fun line -> line[0] = kind)
        Expect.isGreaterThan mine.Length 400 "lines"

        for line in mine do
            check line
    }

[<Tests>]
let numbers =
    testList "numbers, as Python computes them" [
        each "repr" (fun line -> Expect.equal (Numbers.floatText (float line[1])) line[2] line[1])
        each "float" (fun line -> Expect.equal (bits (Numbers.toFloat (bigint.Parse line[1]))) line[2] line[1])
        each "div" (fun line ->
            let q = Numbers.quotient (bigint.Parse line[1]) (bigint.Parse line[2])
            Expect.equal (bits q) line[3] (line[1] + " / " + line[2]))
        each "mod" (fun line ->
            let r = Numbers.floatMod (float line[1]) (float line[2])
            Expect.equal (bits r) line[3] (line[1] + " mod " + line[2]))
        each "compare" (fun line ->
            let order = Numbers.compareExact (bigint.Parse line[1]) (float line[2])
            Expect.equal (sign order) (int line[3]) (line[1] + " ? " + line[2]))
        test "a text that a Float displays as reads back as the same Float" {
            for line in lines |> Array.filter (fun line -> line[0] = "repr") do
                let x = float line[1]
                Expect.equal (Numbers.parseFloat (Numbers.floatText x) |> Option.map bits) (Some(bits x)) line[2]
        }
        test "size is 0 exactly for 64 bits signed" {
            let most = 1I <<< 63
            Expect.equal (Numbers.size (most - 1I)) 0I "2^63-1"
            Expect.equal (Numbers.size -most) 0I "-2^63"
            Expect.equal (Numbers.size most) 1I "2^63"
            Expect.equal (Numbers.size (-most - 1I)) 1I "-2^63-1"
        }
        test "an Int power is exact or past the bound" {
            let bound = 1I <<< 128
            Expect.equal (Numbers.intPower bound 3I 80I) (Some(bigint.Pow(3I, 80))) "3^80"
            Expect.equal (Numbers.intPower bound -1I (bigint.Pow(10I, 100) + 1I)) (Some -1I) "(-1)^odd"
            Expect.equal (Numbers.intPower bound 2I (bigint.Pow(10I, 100))) None "2^10^100"
        }
    ]
