/// docs/commitments.md: against the same in Python (tests/vectors/commitments/make.py), and what it promises.
module Zexus.Spec.Tests.CommitmentTests

open System
open System.Collections.Generic
open Expecto
open FsCheck
open FsCheck.FSharp
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Commitments

let private lines = Support.vectors "commitments/python.tsv"

let private constantOf (literal: string) =
    (Support.assemble (".func main()\nLOAD_CONST " + literal + "\n.end\n")).Constants[0]

let private itemsOf data =
    match data with
    | Data.List items -> items
    | other -> failtestf "not a List: %A" other

let private stringOf data =
    match data with
    | Data.String s -> s
    | other -> failtestf "not a String: %A" other

let private pairOf data =
    let parts = itemsOf data

    {
        Contract = stringOf parts[0]
        Key = stringOf parts[1]
        Value = parts[2]
    }

let private pairsOf data =
    itemsOf data |> Array.map pairOf |> List.ofArray

let private hex (digest: Digest) = Convert.ToHexStringLower digest

let private mine what least =
    let found = lines |> Array.filter (fun line -> line[0] = what)
    Expect.isGreaterThan found.Length least "lines"
    found

/// Small states in which paths meet: few contracts, few keys.
let private states =
    gen {
        let! keys =
            Gen.listOf (
                Gen.zip (Gen.elements [ ""; "a"; "ab" ]) (Gen.choose (0, 40) |> Gen.map (fun n -> "b" + string n))
            )

        let! numbers = Gen.listOfLength keys.Length (Gen.choose (0, 3))

        return
            List.zip (List.distinct keys) (List.truncate (List.distinct keys).Length numbers)
            |> List.map (fun ((contract, key), n) -> {
                Contract = contract
                Key = key
                Value = Data.Int(bigint n)
            })
    }

/// Scalars about every size at which a weight or a length in a form changes, in collections.
let private forms =
    let around step =
        gen {
            let! times = Gen.choose (0, 40)
            let! more = Gen.choose (-1, 1)
            return max 0 (times * step + more)
        }

    let text =
        Gen.map2
            (fun scalar length -> Data.String(String.replicate length scalar))
            (Gen.elements [ "x"; "\u00e9"; "\u4e2d"; "\U0001F600" ])
            (around 8)

    let number =
        Gen.map2 (fun bits shift -> Data.Int(shift * (bigint.One <<< bits))) (around 64) (Gen.elements [ -1I; 1I; 3I ])

    let scalar =
        Gen.oneof [
            text
            number
            Gen.elements [ Data.Null; Data.Bool true; Data.Bool false; Data.Float 0.5 ]
        ]

    let rec data depth =
        if depth = 0 then
            scalar
        else
            let items = Gen.arrayOf (data (depth - 1)) |> Gen.resize 6

            Gen.frequency [
                2, scalar
                1, Gen.map Data.List items
                1, Gen.map Data.Set items
                1, Gen.map (fun items -> Data.Map [| for item in items -> KeyValuePair(item, item) |]) items
            ]

    data 4

let private weightOf data =
    match Traversals.weight (Plain.ofData data) with
    | Int.Known n -> int64 n
    | other -> failtestf "not known: %A" other

let private holds name generator property =
    test name {
        let config =
            Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(Some Zexus.Tests.Seed.replay)

        Check.One(config, Prop.forAll (Arb.fromGen generator) property)
    }

[<Tests>]
let commitments =
    testList "commitments" [
        test "forms are those of Python, and are read back" {
            for line in mine "form" 80 do
                let data = constantOf line[1]
                let bytes = DataForm.Encode data
                Expect.equal (Convert.ToHexStringLower bytes) line[2] line[1]
                Expect.equal (DataForm.Decode bytes) data line[1]

                Expect.throwsT<ContainerException>
                    (fun () -> DataForm.Decode(Array.append bytes [| 0uy |]) |> ignore)
                    "a byte too many"

                Expect.throwsT<ContainerException>
                    (fun () -> DataForm.Decode(Array.truncate (bytes.Length - 1) bytes) |> ignore)
                    "a byte too few"
        }
        holds "a form tells what its data weighs, and no more bytes than that weight allows" forms (fun data ->
            let bytes = DataForm.Encode data
            Expect.equal (DataForm.Measure(bytes, Int64.MaxValue)).Weight (weightOf data) "weight"
            Expect.isLessThanOrEqual (int64 bytes.Length) (DataForm.MostBytes(weightOf data)) "bytes"
            let enough = weightOf data / 2L
            let some = (DataForm.Measure(bytes, enough)).Weight
            Expect.equal (some > enough) (weightOf data > enough) "weight when it is enough to know that it is more"
            let cut = DataForm.Measure(Array.truncate (bytes.Length / 2) bytes, Int64.MaxValue)
            Expect.isLessThanOrEqual cut.Weight (weightOf data) "weight of its beginning")
        test "the most bytes of any weight are a number" {
            for weight in [ 0L; Int64.MaxValue / 64L - 1L; Int64.MaxValue / 64L; Int64.MaxValue ] do
                Expect.isGreaterThanOrEqual (DataForm.MostBytes weight) weight "as much as its weight"
        }
        test "state roots are those of Python" {
            for line in mine "root" 10 do
                Expect.equal (hex (stateRoot (pairsOf (constantOf line[1])))) line[2] line[1]
        }
        test "proofs are those of Python" {
            for line in mine "proof" 50 do
                let parts = itemsOf (constantOf line[1])
                let pairs, contract, key = pairsOf parts[0], stringOf parts[1], stringOf parts[2]
                let proof = prove pairs contract key
                Expect.equal (proof.Siblings |> List.map hex |> String.concat ",") line[2] line[1]

                match itemsOf (constantOf line[3]) with
                | [||] -> Expect.equal proof.End Nothing line[1]
                | parts -> Expect.equal proof.End (Found(pairOf (Data.List parts))) line[1]
        }
        test "heads of ledgers are those of Python" {
            for line in mine "head" 4 do
                let entries = [
                    for entry in itemsOf (constantOf line[1]) do
                        let parts = itemsOf entry
                        stringOf parts[0], parts[1]
                ]

                Expect.equal (hex (ledgerHead entries)) line[2] line[1]
        }
        holds "a root depends on the pairs, not on their order" states (fun pairs ->
            stateRoot (List.rev pairs) = stateRoot pairs)
        holds "other pairs have another root" (Gen.zip states states) (fun (a, b) ->
            (stateRoot a = stateRoot b) =
                (set [ for p in a -> p.Contract, p.Key, string p.Value ] =
                    set [ for p in b -> p.Contract, p.Key, string p.Value ]))
        holds "a proof says what the state says, of every key" states (fun pairs ->
            let root = stateRoot pairs

            List.allPairs [ ""; "a"; "ab" ] [ for n in 0..45 -> "b" + string n ]
            |> List.forall (fun (contract, key) ->
                let held =
                    pairs |> List.tryFind (fun pair -> pair.Contract = contract && pair.Key = key)

                let expected =
                    match held with
                    | Some pair -> Holds pair.Value
                    | None -> Absent

                Commitments.check root contract key (prove pairs contract key) = expected))
        holds
            "a proof that was changed, or is of another key or state, is refused"
            (Gen.zip states states)
            (fun (pairs, others) ->
                let root = stateRoot pairs

                List.allPairs [ ""; "a" ] [ for n in 0..12 -> "b" + string n ]
                |> List.forall (fun (contract, key) ->
                    let proof = prove pairs contract key
                    let truth = Commitments.check root contract key proof

                    let lies = [
                        yield { proof with End = Nothing }
                        for pair in others do
                            yield { proof with End = Found pair }

                            yield {
                                proof with
                                    End =
                                        Found {
                                            pair with
                                                Contract = contract
                                                Key = key
                                        }
                            }
                        for i in 0 .. proof.Siblings.Length - 1 do
                            yield {
                                proof with
                                    Siblings = List.removeAt i proof.Siblings
                            }

                            yield {
                                proof with
                                    Siblings = List.updateAt i none proof.Siblings
                            }

                            yield {
                                proof with
                                    Siblings = List.insertAt i none proof.Siblings
                            }
                        yield prove others contract key
                        yield prove pairs contract (key + "'")
                        yield {
                            proof with
                                Siblings = List.replicate 257 none
                        }
                    ]

                    // A lie that says nothing else than the truth is none.
                    lies
                    |> List.forall (fun lie ->
                        match Commitments.check root contract key lie with
                        | Refused _ -> true
                        | verdict -> verdict = truth)))
    ]
