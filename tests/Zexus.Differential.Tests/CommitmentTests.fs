/// The engine's state tree, proofs and ledger against the specification's.
module Zexus.Differential.Tests.CommitmentTests

open System
open System.Collections.Generic
open System.Collections.Immutable
open System.Numerics
open FsCheck.Xunit
open Xunit
open FsCheck
open FsCheck.FSharp
open Zexus.Chain
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Commitments
open Zexus.Tests

let private sharedBits (a: Digest) (b: Digest) =
    let bits (digest: Digest) =
        BigInteger(ReadOnlySpan digest, true, true)

    256L - (bits a ^^^ bits b).GetBitLength()

/// Three keys in a row whose paths share many bits, found among 100,000; the more they share, the earlier. Keys that are drawn at random share
/// only about as many bits as their number has.
let private deep =
    let paths =
        [|
            for i in 0..99_999 ->
                let name = $"deep{i}"
                Commitments.path "" name, name
        |]
        |> Array.sortBy (fst >> Convert.ToHexString)

    paths
    |> Array.windowed 3
    |> Array.sortByDescending (fun three -> sharedBits (fst three[0]) (fst three[2]))
    |> Array.truncate 12
    |> Array.map (Array.map (fun (_, name) -> "", name))

/// And those two that share the most.
let private deepest =
    let all = Array.concat deep |> Array.distinct

    Array.allPairs all all
    |> Array.filter (fun (a, b) -> a <> b)
    |> Array.map (fun (a, b) -> sharedBits (a ||> Commitments.path) (b ||> Commitments.path))
    |> Array.max

let private keys = [|
    for contract in [ ""; "a"; "ab"; "é" ] do
        for n in 0..20 -> contract, $"b{n}"
    yield! Array.concat deep |> Array.distinct
|]

let private scalars = [|
    Data.Null
    Data.Bool true
    Data.Int 0I
    Data.Int -129I
    Data.Int(BigInteger.Pow(2I, 8191) - 1I)
    Data.Float 1.0
    Data.Float -0.0
    Data.Float(BitConverter.Int64BitsToDouble 0x7FF8000000000000L)
    Data.String ""
    Data.String(String('x', 700))
    Data.String "😀"
|]

let private values =
    Gen.frequency [
        4, Gen.elements scalars
        1, Gen.map Data.List (Gen.arrayOf (Gen.elements scalars))
        1, Gen.map (Array.distinct >> Data.Set) (Gen.arrayOf (Gen.elements scalars))
        1,
        Gen.map
            (Array.map (fun (key, value) -> KeyValuePair(key, value)) >> Data.Map)
            (Gen.arrayOf (Gen.zip (Gen.elements scalars) (Gen.elements scalars)))
    ]

type Write = {
    At: string * string
    /// None: it goes.
    Value: Data option
}

let private writes =
    gen {
        let! at = Gen.elements keys
        let! value = Gen.optionOf values
        return { At = at; Value = value }
    }

type Batches = Batches of Write list list
type Ledger = Ledger of (string * Data) list

/// How a proof is changed: which part, where, and how.
type Change = {
    Part: int
    Place: int
    Bit: int
    Other: Data
}

type CommitmentArbitraries =
    static member Batches() : Arbitrary<Batches> =
        Arb.fromGenShrink (
            Gen.map Batches (Gen.listOf (Gen.listOf writes)),
            fun (Batches batches) ->
                ArbMap.defaults.ArbFor<int list list>().Shrinker(List.map (List.map (fun _ -> 0)) batches)
                |> Seq.filter (fun shorter -> shorter.Length <= batches.Length)
                |> Seq.map (fun shorter ->
                    List.zip shorter (List.truncate shorter.Length batches)
                    |> List.map (fun (some, batch) -> List.truncate some.Length batch)
                    |> Batches)
        )

    static member Ledger() : Arbitrary<Ledger> =
        Arb.fromGen (Gen.map Ledger (Gen.listOf (Gen.zip (Gen.elements [ ""; "token" ]) values)))

    static member Change() : Arbitrary<Change> =
        Arb.fromGen (
            gen {
                let! part = Gen.choose (0, 5)
                let! place = Gen.choose (0, 1000)
                let! bit = Gen.choose (0, 255)
                let! other = values

                return {
                    Part = part
                    Place = place
                    Bit = bit
                    Other = other
                }
            }
        )

type CommitmentsAttribute(count: int) =
    inherit PropertyAttribute(Arbitrary = [| typeof<CommitmentArbitraries> |], MaxTest = count, Replay = Seed.text)

let private hex (digest: Digest) = Convert.ToHexStringLower digest

let private ofEngine (digest: Zexus.Chain.Digest) : Digest =
    let bytes = Array.zeroCreate 32
    digest.CopyTo(Span bytes)
    bytes

let private toEngine (digest: Digest) = Zexus.Chain.Digest(ReadOnlySpan digest)

let private pairsOf (state: Dictionary<string * string, Data>) = [
    for entry in state ->
        {
            Contract = fst entry.Key
            Key = snd entry.Key
            Value = entry.Value
        }
]

let private toWrite write =
    match write.Value with
    | Some value -> StateWrite.Put(fst write.At, snd write.At, value)
    | None -> StateWrite.Remove(fst write.At, snd write.At)

let private apply (tree: StateTree) (state: Dictionary<string * string, Data>) batch =
    tree.Update(ReadOnlySpan [| for write in batch -> toWrite write |])

    for write in batch do
        match write.Value with
        | Some value -> state[write.At] <- value
        | None -> state.Remove write.At |> ignore

let private after (Batches batches) =
    let tree = StateTree()
    let state = Dictionary<string * string, Data>()

    for batch in batches do
        apply tree state batch

    tree, state

let private proveByEngine (tree: StateTree) (state: Dictionary<string * string, Data>) (contract, key) =
    let pairAt (path: Zexus.Chain.Digest) =
        let found =
            pairsOf state |> List.find (fun pair -> StateTree.PathOf(pair.Contract, pair.Key) = path)

        StatePair(found.Contract, found.Key, found.Value)

    tree.Prove(contract, key, pairAt)

let private proofToEngine (contract, key) proof =
    let foot =
        match proof.End with
        | Nothing -> null
        | Found pair -> StatePair(pair.Contract, pair.Key, pair.Value)

    StateProof(
        Zexus.Chain.Digest.None,
        contract,
        key,
        ImmutableArray.CreateRange(Seq.map toEngine proof.Siblings),
        foot
    )

let private proofOfEngine (proof: StateProof) = {
    Siblings = [ for sibling in proof.Siblings -> ofEngine sibling ]
    End =
        match proof.End with
        | null -> Nothing
        | pair ->
            Found {
                Contract = pair.Contract
                Key = pair.Key
                Value = pair.Value
            }
}

/// The reasons are in words of their own.
let private withoutReason verdict =
    match verdict with
    | Holds _
    | Absent -> verdict
    | Refused _ -> Refused ""

let private checkByEngine (root: Digest) (contract, key) proof =
    match (proofToEngine (contract, key) proof).Check(toEngine root, contract, key) with
    | :? StateVerdict.Holds as holds -> Holds holds.Value
    | :? StateVerdict.Absent -> Absent
    | :? StateVerdict.Refused -> Refused ""
    | other -> failwith $"{other}"

let private checkBySpec root (contract, key) proof =
    withoutReason (Commitments.check root contract key proof)

[<Fact>]
let ``keys whose paths share more than 20 bits are among those that are written`` () =
    for three in deep do
        let path i = three[i] ||> Commitments.path
        Assert.True(sharedBits (path 0) (path 2) >= 20L)

    Assert.True(deepest >= 24L, $"{deepest} bits")

[<Commitments 300>]
let ``after each batch of writes the roots are equal`` (Batches batches) =
    let tree = StateTree()
    let state = Dictionary<string * string, Data>()

    for batch in batches do
        apply tree state batch
        tree.Verify()
        Assert.Equal(state.Count, tree.Count)
        Assert.Equal(hex (Commitments.stateRoot (pairsOf state)), string tree.Root)

[<Commitments 60>]
let ``proofs are equal, and each side accepts the other's`` (batches: Batches) =
    let tree, state = after batches
    let pairs = pairsOf state
    let root = Commitments.stateRoot pairs

    for at in keys do
        let bySpec = at ||> Commitments.prove pairs
        let byEngine = proofOfEngine (proveByEngine tree state at)
        Assert.Equal<string>(List.map hex bySpec.Siblings, List.map hex byEngine.Siblings)
        Assert.Equal(bySpec.End, byEngine.End)

        let truth =
            match state.TryGetValue at with
            | true, value -> Holds value
            | false, _ -> Absent

        Assert.Equal(truth, checkByEngine root at bySpec)
        Assert.Equal(truth, checkBySpec root at byEngine)

let private flip bit (digest: Digest) =
    let changed = Array.copy digest
    changed[bit / 8] <- changed[bit / 8] ^^^ (0x80uy >>> bit % 8)
    changed

/// The proof and what it is asked for, changed; None if there is nothing to change.
let private changed change (contract, key) proof =
    let siblings = proof.Siblings

    let place =
        if siblings.IsEmpty then
            0
        else
            change.Place % siblings.Length

    match change.Part with
    | 0 when not siblings.IsEmpty ->
        Some(
            (contract, key),
            {
                proof with
                    Siblings = List.updateAt place (flip change.Bit siblings[place]) siblings
            }
        )
    | 1 when not siblings.IsEmpty ->
        Some(
            (contract, key),
            {
                proof with
                    Siblings = List.removeAt place siblings
            }
        )
    | 2 ->
        let inserted =
            if change.Bit % 2 = 0 then none
            elif siblings.IsEmpty then flip change.Bit none
            else siblings[place]

        Some(
            (contract, key),
            {
                proof with
                    Siblings = List.insertAt place inserted siblings
            }
        )
    | 3 ->
        match proof.End with
        | Found pair when pair.Value <> change.Other ->
            Some(
                (contract, key),
                {
                    proof with
                        End = Found { pair with Value = change.Other }
                }
            )
        | Found _ -> Some((contract, key), { proof with End = Nothing })
        | Nothing ->
            Some(
                (contract, key),
                {
                    proof with
                        End =
                            Found {
                                Contract = contract
                                Key = key
                                Value = change.Other
                            }
                }
            )
    | 4 ->
        match proof.End with
        | Found pair ->
            Some(
                (contract, key),
                {
                    proof with
                        End = Found { pair with Key = pair.Key + "'" }
                }
            )
        | Nothing -> None
    | 5 ->
        Some(
            (contract, key),
            {
                proof with
                    Siblings = siblings @ List.replicate (257 - siblings.Length) none
            }
        )
    | _ -> None

[<Fact>]
let ``a changed proof is refused by both alike`` () =
    let counts = Array.zeroCreate 6

    let property =
        Prop.forAll (CommitmentArbitraries.Batches()) (fun batches ->
            let tree, state = after batches
            let pairs = pairsOf state
            let root = Commitments.stateRoot pairs

            Prop.forAll (CommitmentArbitraries.Change()) (fun change ->
                for at in keys do
                    let proof = proofOfEngine (proveByEngine tree state at)

                    match changed change at proof with
                    | Some(asked, lie) ->
                        counts[change.Part] <- counts[change.Part] + 1
                        Assert.Equal(Refused "", checkBySpec root asked lie)
                        Assert.Equal(Refused "", checkByEngine root asked lie)
                    | None -> ()

                    // Asked of another key it may say that one is absent, and then it is so.
                    let other = keys[change.Place % keys.Length]
                    let verdict = checkBySpec root other proof
                    Assert.Equal(verdict, checkByEngine root other proof)

                    match verdict with
                    | Holds value -> Assert.Equal(value, state[other])
                    | Absent -> Assert.False(state.ContainsKey other)
                    | Refused _ -> ()))

    Check.One(Config.QuickThrowOnFailure.WithMaxTest(200).WithReplay(Some Seed.replay), property)

    for part in 0..5 do
        Assert.True(counts[part] > 500, $"change {part}: {counts[part]} times")

[<Commitments 300>]
let ``the heads of ledgers are equal after each entry`` (Ledger entries) =
    let chain = LedgerChain()

    for count in 1 .. entries.Length do
        let contract, entry = entries[count - 1]
        let head = chain.Append(contract, entry)
        Assert.Equal(hex (Commitments.ledgerHead (List.truncate count entries)), string head)
        Assert.Equal(head, chain.Head)
