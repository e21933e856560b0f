/// The specification's side of signatures against the engine's: other libraries, other readers of the texts.
module Zexus.Differential.Tests.SignatureTests

open System
open System.Collections.Generic
open System.IO
open Xunit
open Zexus.Vm
open Zexus.Differential

let private vectors scheme =
    let keys = Dictionary<string, string>()

    [
        for line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "vectors/signatures", scheme + ".tsv")) do
            match line.Split '\t' with
            | [| "key"; name; text |] -> keys.Add(name, text.Replace("\\n", "\n"))
            | [| key; id; verdict; message; signature; _ |] ->
                id, keys[key], verdict, Convert.FromHexString(message.Replace("-", "")), signature.Replace("-", "")
            | _ -> ()
    ]

[<Theory>]
[<InlineData("ed25519", 57)>]
[<InlineData("secp256k1", 45)>]
[<InlineData("p256", 51)>]
let ``public vectors agree with the reference`` (scheme: string, atLeast: int) =
    let vectors = vectors scheme
    Assert.True(vectors.Length >= atLeast, $"{vectors.Length} vectors")

    for id, key, verdict, message, signature in vectors do
        Assert.True(ReferenceSignatures.verifyBytes signature message key = (verdict = "Valid"), id)

[<Fact>]
let ``engine and reference agree on signatures as they are and with one thing changed`` () =
    let r = Rng.Of(1UL, 17L)
    let drawn = Dictionary<struct (string * string), int>()

    for _ in 1..12_000 do
        let case = SignatureCases.draw r
        let verdict = Signatures.Check(case.Signature, case.Message, case.Key)
        let expected = ReferenceSignatures.verify case.Signature case.Message case.Key

        if (verdict = SignatureVerdict.Valid) <> expected then
            Assert.Fail $"{verdict} here, {expected} there: %A{case}"

        if case.Change = "valid" then
            Assert.True(expected, $"%A{case}")

        let key = struct (case.Scheme, case.Change)
        drawn[key] <- 1 + drawn.GetValueOrDefault key

    for change in SignatureCases.changes do
        Assert.True(drawn.Keys |> Seq.exists (fun struct (_, name) -> name = change), $"never drawn: {change}")

    for scheme in [ "ed25519"; "secp256k1"; "p256" ] do
        Assert.True(drawn[struct (scheme, "valid")] > 1_000, scheme)
