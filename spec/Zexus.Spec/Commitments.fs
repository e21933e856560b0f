/// What a chain is bound to by one hash: its state as a tree, which proves what a key holds or that it holds nothing, and its ledger as
/// a chain of links. docs/commitments.md has the same in words. Concrete, since no program can read them.
module Zexus.Spec.Commitments

open System.Security.Cryptography
open System.Text
open Zexus.Isa

/// 32 bytes.
type Digest = byte[]

/// Of an empty subtree, and before the first link: a digest that no bytes have, as far as anybody knows.
let none: Digest = Array.zeroCreate 32

/// What a digest is of. None of these bytes occurs in UTF-8, so that HASH_BLOCK of a String hashes none of what is hashed here.
type Subject =
    | Path
    | Leaf
    | Node
    | Link

let private mark subject =
    match subject with
    | Path -> 0xF8uy
    | Leaf -> 0xF9uy
    | Node -> 0xFAuy
    | Link -> 0xFBuy

let private digest subject (parts: byte[] list) : Digest =
    SHA256.HashData(Array.concat ([| mark subject |] :: parts))

/// LEB128 in as few bytes as it takes, and then the text in UTF-8: where it ends does not depend on what follows.
let private text (s: string) =
    let rec unsigned n =
        if n < 0x80 then
            [ byte n ]
        else
            byte (n &&& 0x7F ||| 0x80) :: unsigned (n >>> 7)

    let bytes = Encoding.UTF8.GetBytes s
    Array.append (Array.ofList (unsigned bytes.Length)) bytes

/// A contract's key and what it holds.
type Pair = {
    Contract: string
    Key: string
    Value: Data
}

/// Where a key stands in the tree: bit by bit from the root, the highest bit of the first byte first, 0 to the left.
let path contract key = digest Path [ text contract; text key ]

let private goesRight (path: Digest) depth =
    path[depth / 8] >>> (7 - depth % 8) &&& 1uy = 1uy

let private leaf pair =
    digest Leaf [ text pair.Contract; text pair.Key; DataForm.Encode pair.Value ]

let private node left right = digest Node [ left; right ]

/// A subtree of one pair is its leaf, however deep it would stand with neighbours: so a root depends on the pairs alone, not on what
/// was there before, and a tree of n pairs is about log2 n high.
let rec private subtree depth pairs =
    match pairs with
    | [] -> none
    | [ _, pair ] -> leaf pair
    | _ ->
        let right, left = pairs |> List.partition (fun (path, _) -> goesRight path depth)

        node (subtree (depth + 1) left) (subtree (depth + 1) right)

let private placed pairs = [ for pair in pairs -> path pair.Contract pair.Key, pair ]

/// The state root of pairs whose keys are distinct.
let stateRoot pairs = subtree 0 (placed pairs)

/// What stands where the path of a key ends.
type End =
    | Nothing
    /// The key's own leaf, or another that is alone in the subtree in which the key would be.
    | Found of Pair

/// Why a key holds what it holds under a root.
type Proof = {
    /// Of the subtrees beside the path, from the root downward.
    Siblings: Digest list
    End: End
}

/// The proof for a key, whether it is among the pairs or not.
let prove pairs contract key =
    let target = path contract key

    let rec down depth pairs siblings =
        match pairs with
        | [] -> {
            Siblings = List.rev siblings
            End = Nothing
          }
        | [ _, pair ] -> {
            Siblings = List.rev siblings
            End = Found pair
          }
        | _ ->
            let right, left = pairs |> List.partition (fun (path, _) -> goesRight path depth)

            let along, beside = if goesRight target depth then right, left else left, right

            down (depth + 1) along (subtree (depth + 1) beside :: siblings)

    down 0 (placed pairs) []

/// What a proof says of a key.
type Verdict =
    | Holds of Data
    | Absent
    /// It is no proof of anything under this root.
    | Refused of why: string

/// Checks a proof with nothing but the root. That the leaf stands on the path of the key need not be asked: what leads to the root along
/// the key's bits is what the tree has there.
let check root contract key proof =
    let target = path contract key

    let above below (depth, sibling) =
        if goesRight target depth then
            node sibling below
        else
            node below sibling

    let foot, verdict =
        match proof.End with
        | Nothing -> none, Absent
        | Found pair when pair.Contract = contract && pair.Key = key -> leaf pair, Holds pair.Value
        | Found pair -> leaf pair, Absent

    if proof.Siblings.Length > 8 * target.Length then
        Refused "there are more siblings than a path has bits"
    elif List.fold above foot (List.rev (List.indexed proof.Siblings)) = root then
        verdict
    else
        Refused "it leads to another root"

/// The head of a ledger after one more entry. Before the first it is `none`.
let link (head: Digest) contract entry =
    digest Link [ head; text contract; DataForm.Encode entry ]

/// The head of a ledger, oldest entry first.
let ledgerHead entries =
    entries |> List.fold (fun head (contract, entry) -> link head contract entry) none
