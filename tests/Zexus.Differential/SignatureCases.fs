namespace Zexus.Differential

open System
open System.Numerics
open System.Security.Cryptography
open System.Text
open NBitcoin.Secp256k1
open Org.BouncyCastle.Asn1
open Org.BouncyCastle.Asn1.Sec
open Org.BouncyCastle.Asn1.X509
open Org.BouncyCastle.Asn1.X9
open Org.BouncyCastle.Crypto.Digests
open Org.BouncyCastle.Crypto.EC
open Org.BouncyCastle.Crypto.Parameters
open Org.BouncyCastle.Crypto.Signers

/// The operands of a VERIFY_SIGNATURE.
type SignatureCase = {
    /// The scheme, and what was changed; "valid" when nothing was.
    Scheme: string
    Change: string
    Signature: string
    Message: string
    Key: string
}

/// Signatures of every scheme and form by keys that are always the same, as they are and with one thing changed.
[<RequireQualifiedAccess>]
module SignatureCases =
    type private Signer = {
        Scheme: string
        Message: string
        /// The key's bytes in each form, and its algorithm.
        Points: byte[][]
        Algorithm: AlgorithmIdentifier
        Order: bigint
        /// r and s; of Ed25519 the bytes of R, little-endian, and S.
        R: bigint
        S: bigint
        /// Of the signature that a wallet makes: r, s and the parity.
        Ethereum: (bigint * bigint * int) option
    }

    let private big (bytes: byte[]) =
        BigInteger(ReadOnlySpan bytes, isUnsigned = true, isBigEndian = true)

    let private bytes (n: bigint) =
        let digits = n.ToByteArray(isUnsigned = true, isBigEndian = true)
        Array.append (Array.zeroCreate (max 0 (32 - digits.Length))) digits

    let private hex (bytes: byte[]) = Convert.ToHexStringLower bytes

    let private secret (name: string) =
        SHA256.HashData(Encoding.UTF8.GetBytes name)

    let private messages = [| ""; "m"; "pay 5 to bob, no. 17"; "é𝒳\u0000"; String('x', 300) |]

    let private order (scheme: string) =
        big ((CustomNamedCurves.GetByName scheme).N.ToByteArrayUnsigned())

    let private lower n s = min s (n - s)

    let private ecAlgorithm (curve: DerObjectIdentifier) =
        AlgorithmIdentifier(X9ObjectIdentifiers.IdECPublicKey, curve)

    let private p256 message d =
        let domain = ECDomainParameters(CustomNamedCurves.GetByName "secp256r1")
        let number = Org.BouncyCastle.Math.BigInteger(1, (d: byte[]))
        let point = domain.G.Multiply(number).Normalize()
        let signer = ECDsaSigner(HMacDsaKCalculator(Sha256Digest()))
        signer.Init(true, ECPrivateKeyParameters(number, domain))

        let pair =
            signer.GenerateSignature(SHA256.HashData(Encoding.UTF8.GetBytes(message: string)))

        let n = order "secp256r1"

        {
            Scheme = "p256"
            Message = message
            Points = [| point.GetEncoded true; point.GetEncoded false |]
            Algorithm = ecAlgorithm X9ObjectIdentifiers.Prime256v1
            Order = n
            R = big (pair[0].ToByteArrayUnsigned())
            S = lower n (big (pair[1].ToByteArrayUnsigned()))
            Ethereum = None
        }

    let private secp256k1 (message: string) (d: byte[]) =
        let key = ECPrivKey.Create(ReadOnlySpan d)
        let point = key.CreatePubKey()

        let sign (hash: byte[]) =
            match key.TrySignRecoverable(ReadOnlySpan hash) with
            | true, signature ->
                let rs = Array.zeroCreate 64
                let mutable parity = 0
                signature.WriteToSpanCompact(Span rs, &parity)
                big rs[..31], big rs[32..], parity
            | false, _ -> invalidOp "The key cannot sign."

        let text = Encoding.UTF8.GetBytes message

        let r, s, _ = sign (SHA256.HashData text)

        {
            Scheme = "secp256k1"
            Message = message
            Points = [| point.ToBytes true; point.ToBytes false |]
            Algorithm = ecAlgorithm SecObjectIdentifiers.SecP256k1
            Order = order "secp256k1"
            R = r
            S = s
            Ethereum = Some(sign (ReferenceSignatures.ethereumHash text))
        }

    let private ed25519 (message: string) (d: byte[]) =
        let point = Array.zeroCreate 32
        Org.BouncyCastle.Math.EC.Rfc8032.Ed25519.GeneratePublicKey(d, 0, point, 0)
        let text = Encoding.UTF8.GetBytes message
        let signature = Array.zeroCreate 64
        Org.BouncyCastle.Math.EC.Rfc8032.Ed25519.Sign(d, 0, text, 0, text.Length, signature, 0)

        {
            Scheme = "ed25519"
            Message = message
            Points = [| point |]
            Algorithm = AlgorithmIdentifier(DerObjectIdentifier "1.3.101.112")
            Order = Edwards25519.order
            R = Edwards25519.number signature[..31]
            S = Edwards25519.number signature[32..]
            Ethereum = None
        }

    let private signers =
        lazy
            [|
                for sign in [ ed25519; secp256k1; p256 ] do
                    for owner in [ "alice"; "bob" ] do
                        for message in messages do
                            sign message (secret owner)
            |]

    let private littleEndian n = Array.rev (bytes n)

    let private compact signer r s =
        if signer.Scheme = "ed25519" then
            Array.append (littleEndian r) (littleEndian s)
        else
            Array.append (bytes r) (bytes s)

    let private integer (n: bigint) =
        let content = n.ToByteArray(isUnsigned = false, isBigEndian = true)
        Array.append [| 2uy; byte content.Length |] content

    let private sequence content =
        Array.append [| 0x30uy; byte (Array.length content) |] content

    let private der r s =
        sequence (Array.append (integer r) (integer s))

    let private ethereum (v: int -> byte) (r, s, parity) =
        Array.concat [ bytes r; bytes s; [| v parity |] ]

    let private pem (der: byte[]) =
        PemEncoding.WriteString(ReadOnlySpan("PUBLIC KEY".ToCharArray()), ReadOnlySpan der)

    let private info signer (point: byte[]) =
        SubjectPublicKeyInfo(signer.Algorithm, point).GetDerEncoded()

    let private keyText (r: Rng) signer (point: byte[]) =
        match r.Below 4 with
        | 0 when signer.Scheme <> "p256" -> hex point
        | 1 -> pem (info signer point)
        | 2 -> pem(info signer point).Replace("\n", "\r\n") + "\r\n"
        | _ -> signer.Scheme + ":" + hex point

    let private cased (r: Rng) (digits: string) =
        if r.Chance 150 then digits.ToUpperInvariant() else digits

    let private signatureOf (r: Rng) signer =
        match signer.Ethereum with
        | Some wallet when r.Chance 400 ->
            let from = r.Pick [| 0uy; 27uy |]
            let digits = hex (ethereum (fun parity -> from + byte parity) wallet)
            if r.Chance 500 then "0x" + digits else digits
        | Some _
        | None ->
            if signer.Scheme <> "ed25519" && r.Chance 500 then
                cased r (hex (der signer.R signer.S))
            else
                cased r (hex (compact signer signer.R signer.S))

    let private flip (r: Rng) (bytes: byte[]) =
        let at = r.Below bytes.Length
        Array.mapi (fun i b -> if i = at then b ^^^ (1uy <<< r.Below 8) else b) bytes

    let private either (r: Rng) signer first second =
        hex (
            if r.Chance 500 then
                der first second
            else
                compact signer first second
        )

    /// A change that only ECDSA has.
    let private ofEc make (r: Rng) (signer: Signer) =
        if signer.Scheme = "ed25519" then
            None
        else
            Some(make r signer)

    /// What can be wrong with a signature: a name, and the text.
    let private signatureChanges: (string * (Rng -> Signer -> string option))[] =
        let fits n = n < BigInteger.Pow(2I, 256)

        [|
            "bit of the signature", fun r s -> Some(hex (flip r (compact s s.R s.S)))
            "bit of the DER", ofEc (fun r s -> hex (flip r (der s.R s.S)))
            "a byte less", fun _ s -> Some (hex (compact s s.R s.S)).[2..]
            "a byte more", fun _ s -> Some(hex (compact s s.R s.S) + "00")
            "half a byte less", fun _ s -> Some (hex (compact s s.R s.S)).[1..]
            "no digit", fun _ s -> Some("g" + (hex (compact s s.R s.S)).[1..])
            "0x", fun _ s -> Some("0x" + hex (compact s s.R s.S))
            "no signature", fun _ _ -> Some ""
            "s and the order",
            fun r s ->
                let sum = s.S + s.Order

                if s.Scheme <> "ed25519" then Some(hex (der s.R sum))
                elif fits sum then Some(hex (compact s s.R sum))
                else None
            "r and the order", ofEc (fun _ s -> hex (der (s.R + s.Order) s.S))
            "high s", ofEc (fun r s -> either r s s.R (s.Order - s.S))
            "r zero", ofEc (fun r s -> either r s 0I s.S)
            "s zero", ofEc (fun r s -> either r s s.R 0I)
            "both zero", ofEc (fun r s -> either r s 0I 0I)
            "r the order", ofEc (fun r s -> either r s s.Order s.S)
            "s the order", ofEc (fun r s -> either r s s.R s.Order)
            "both one", ofEc (fun r s -> either r s 1I 1I)
            "r negative", ofEc (fun _ s -> hex (der (s.R - BigInteger.Pow(2I, 256)) s.S))
            "r from the order", ofEc (fun r s -> either r s (s.Order - s.R) s.S)
            "behind the DER", ofEc (fun _ s -> hex (der s.R s.S) + "00")
            "in the DER", ofEc (fun _ s -> hex (sequence (Array.concat [ integer s.R; integer s.S; [| 5uy; 0uy |] ])))
            "a zero before r",
            ofEc (fun _ s ->
                let content = Array.append [| 0uy |] (integer s.R).[2..]
                let integerOfR = Array.append [| 2uy; byte content.Length |] content
                hex (sequence (Array.append integerOfR (integer s.S))))
            "length in long form",
            ofEc (fun _ s ->
                let content = Array.append (integer s.R) (integer s.S)
                hex (Array.append [| 0x30uy; 0x81uy; byte content.Length |] content))
            "length indefinite",
            ofEc (fun _ s ->
                let content = Array.append (integer s.R) (integer s.S)
                hex (Array.concat [ [| 0x30uy; 0x80uy |]; content; [| 0uy; 0uy |] ]))
            "a set for the sequence", ofEc (fun _ s -> "31" + (hex (der s.R s.S)).[2..])
            "another parity",
            fun _ s -> s.Ethereum |> Option.map (fun wallet -> hex (ethereum (fun parity -> 28uy - byte parity) wallet))
            "v of a transaction",
            fun _ s -> s.Ethereum |> Option.map (fun wallet -> hex (ethereum (fun parity -> 37uy + byte parity) wallet))
            "v 2",
            fun _ s -> s.Ethereum |> Option.map (fun wallet -> hex (ethereum (fun parity -> 2uy + byte parity) wallet))
            "high s of a wallet",
            fun _ s ->
                s.Ethereum
                |> Option.map (fun (r, low, parity) ->
                    hex (ethereum (fun parity -> 27uy + byte parity) (r, s.Order - low, 1 - parity)))
            "bit of a wallet's signature",
            fun r s ->
                s.Ethereum
                |> Option.map (fun wallet -> hex (flip r (ethereum (fun parity -> 27uy + byte parity) wallet)))
            "SHA-256 in the form of a wallet", ofEc (fun r s -> hex (compact s s.R s.S) + r.Pick [| "1b"; "1c" |])
        |]

    /// What can be wrong with a key.
    let private keyChanges: (string * (Rng -> Signer -> string option))[] =
        let hybrid (s: Signer) =
            let full = Array.last s.Points
            Array.append [| 6uy + (full[64] &&& 1uy) |] full[1..]

        let prefixed (s: Signer) digits = s.Scheme + ":" + digits

        [|
            "bit of the key", fun r s -> Some(prefixed s (hex (flip r (r.Pick s.Points))))
            "bit of the PEM",
            fun r s ->
                let der = info s (r.Pick s.Points)
                Some(pem (Array.append (flip r der[..25]) der[26..]))
            "a byte of the key more", fun r s -> Some(prefixed s (hex (r.Pick s.Points) + "00"))
            "a byte of the key less", fun r s -> Some(prefixed s (hex (r.Pick s.Points)).[2..])
            "another scheme", fun r s -> Some(r.Pick [| "p256:"; "secp256k1:"; "ed25519:" |] + hex (r.Pick s.Points))
            "no such scheme", fun r s -> Some(r.Pick [| "rsa:"; "P256:"; ":"; " ed25519:" |] + hex (r.Pick s.Points))
            "two schemes", fun r s -> Some(s.Scheme + ":" + s.Scheme + ":" + hex (r.Pick s.Points))
            "0x before the key", fun r s -> Some("0x" + hex (r.Pick s.Points))
            "no key", fun _ _ -> Some ""
            "hybrid", ofEc (fun _ s -> prefixed s (hex (hybrid s)))
            "hybrid in PEM", ofEc (fun _ s -> pem (info s (hybrid s)))
            "infinity",
            ofEc (fun r s ->
                if r.Chance 500 then
                    prefixed s "00"
                else
                    pem (info s [| 0uy |]))
            "x too large", ofEc (fun r s -> prefixed s (r.Pick [| "02"; "03" |] + String('f', 64)))
            "not on the curve", ofEc (fun r s -> prefixed s (hex (flip r (Array.last s.Points))))
            "small order",
            fun r _ ->
                Some(
                    r.Pick [|
                        "01" + String('0', 62)
                        String('0', 64)
                        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
                        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
                        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
                    |]
                )
            "before the PEM", fun r s -> Some("\n" + pem (info s (r.Pick s.Points)))
            "behind the PEM", fun r s -> Some(pem (info s (r.Pick s.Points)) + "\n.")
            "spaces in the PEM", fun r s -> Some((pem (info s (r.Pick s.Points))).Replace("M", "M \t\r\n") + " \n")
            "the PEM of a private key", fun r s -> Some((pem (info s (r.Pick s.Points))).Replace("PUBLIC", "PRIVATE"))
            "no end of the PEM", fun r s -> Some (pem (info s (r.Pick s.Points))).[..60]
            "bits behind the base64",
            fun r s ->
                let text = pem (info s (r.Pick s.Points))
                let at = text.IndexOf '='

                if at < 0 then
                    None
                else
                    Some(text[.. at - 2] + string (char (int text[at - 1] + 1)) + text[at..])
            "behind the DER of the PEM", fun r s -> Some(pem (Array.append (info s (r.Pick s.Points)) [| 0uy |]))
            "no parameters of the curve",
            ofEc (fun r s ->
                pem (
                    SubjectPublicKeyInfo(AlgorithmIdentifier X9ObjectIdentifiers.IdECPublicKey, r.Pick s.Points)
                        .GetDerEncoded()
                ))
            "parameters in full",
            ofEc (fun r s ->
                let curve =
                    CustomNamedCurves.GetByName(if s.Scheme = "p256" then "secp256r1" else s.Scheme)

                pem (
                    SubjectPublicKeyInfo(
                        AlgorithmIdentifier(X9ObjectIdentifiers.IdECPublicKey, curve.ToAsn1Object()),
                        r.Pick s.Points
                    )
                        .GetDerEncoded()
                ))
        |]

    /// All that can be changed.
    let changes = [|
        "valid"
        "another message"
        "another's key"
        yield! Array.map fst signatureChanges
        yield! Array.map fst keyChanges
    |]

    let rec private change (r: Rng) signer (signature: string) (key: string) =
        let signers = signers.Value

        match r.Below 10 with
        | 0 -> "another message", signature, signer.Message + "!", key
        | 1 -> "another's key", signature, signer.Message, keyText r signer (r.Pick (r.Pick signers).Points)
        | n when n < 7 ->
            let name, make = r.Pick signatureChanges

            match make r signer with
            | Some changed -> name, changed, signer.Message, key
            | None -> change r signer signature key
        | _ ->
            let name, make = r.Pick keyChanges

            match make r signer with
            | Some changed -> name, signature, signer.Message, changed
            | None -> change r signer signature key

    /// Half of them valid.
    let draw (r: Rng) : SignatureCase =
        let signer = r.Pick signers.Value
        let signature = signatureOf r signer
        let key = keyText r signer (r.Pick signer.Points)

        let name, signature, message, key =
            if r.Chance 500 then
                "valid", signature, signer.Message, key
            else
                change r signer signature key

        {
            Scheme = signer.Scheme
            Change = name
            Signature = signature
            Message = message
            Key = key
        }
