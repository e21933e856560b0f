namespace Zexus.Differential

open System
open System.Numerics
open System.Security.Cryptography
open System.Text
open System.Text.RegularExpressions
open NBitcoin.Secp256k1
open Org.BouncyCastle.Asn1
open Org.BouncyCastle.Asn1.Sec
open Org.BouncyCastle.Asn1.X509
open Org.BouncyCastle.Asn1.X9
open Org.BouncyCastle.Crypto.Digests
open Org.BouncyCastle.Crypto.EC
open Org.BouncyCastle.Crypto.Parameters
open Org.BouncyCastle.Crypto.Signers

/// The curve of Ed25519 from the formulas of RFC 8032, 5.1: for the signatures on which the libraries' checks differ.
[<RequireQualifiedAccess>]
module internal Edwards25519 =
    type Point = {
        X: bigint
        Y: bigint
        Z: bigint
        T: bigint
    }

    let p = BigInteger.Pow(2I, 255) - 19I

    let order =
        BigInteger.Pow(2I, 252) + BigInteger.Parse "27742317777372353535851937790883648493"

    let private modP (n: bigint) =
        let r = BigInteger.Remainder(n, p)
        if r.Sign < 0 then r + p else r

    let private invert n = BigInteger.ModPow(modP n, p - 2I, p)
    let private d = modP (-121665I * invert 121666I)
    let identity = { X = 0I; Y = 1I; Z = 1I; T = 0I }

    let add a b =
        let m1 = modP ((a.Y - a.X) * (b.Y - b.X))
        let m2 = modP ((a.Y + a.X) * (b.Y + b.X))
        let m3 = modP (2I * d * modP (a.T * b.T))
        let m4 = modP (2I * a.Z * b.Z)
        let e, f, g, h = m2 - m1, m4 - m3, m4 + m3, m2 + m1

        {
            X = modP (e * f)
            Y = modP (g * h)
            Z = modP (f * g)
            T = modP (e * h)
        }

    let negate a = {
        a with
            X = modP (-a.X)
            T = modP (-a.T)
    }

    let rec multiply (n: bigint) a =
        if n.IsZero then
            identity
        else
            let half = multiply (n / 2I) a
            let twice = add half half
            if n.IsEven then twice else add twice a

    let equal a b =
        modP (a.X * b.Z) = modP (b.X * a.Z) && modP (a.Y * b.Z) = modP (b.Y * a.Z)

    let number (littleEndian: byte[]) =
        BigInteger(ReadOnlySpan littleEndian, isUnsigned = true)

    /// None: no point, or not its canonical encoding.
    let decode (bytes: byte[]) =
        let sign = bytes[31] >>> 7
        let y = number bytes &&& (BigInteger.Pow(2I, 255) - 1I)
        let u, v = modP (y * y - 1I), modP (d * y * y + 1I)
        let square = modP (u * invert v)
        let candidate = BigInteger.ModPow(square, (p + 3I) / 8I, p)

        let root =
            [ candidate; modP (candidate * BigInteger.ModPow(2I, (p - 1I) / 4I, p)) ]
            |> List.tryFind (fun x -> modP (x * x) = square)

        match root with
        | Some x when y < p && not (x.IsZero && sign = 1uy) ->
            let x = if x.IsEven = (sign = 0uy) then x else modP (-x)

            Some {
                X = x
                Y = y
                Z = 1I
                T = modP (x * y)
            }
        | Some _
        | None -> None

    let basePoint =
        let y =
            number (Convert.FromHexString "5866666666666666666666666666666666666666666666666666666666666666")

        match decode (y.ToByteArray()) with
        | Some point -> point
        | None -> invalidOp "The base point is on the curve."

    let isSmall a = equal (multiply 8I a) identity
    let isOfPrimeOrder a = equal (multiply order a) identity

/// Whether a signature holds, by docs/signatures.md, for the specification's side: other libraries than the engine's, other code to
/// read the texts.
[<RequireQualifiedAccess>]
module ReferenceSignatures =
    type private Key =
        | Ed25519 of byte[]
        | P256 of ECPublicKeyParameters
        | Secp256k1 of ECPubKey

    let private p256 = ECDomainParameters(CustomNamedCurves.GetByName "secp256r1")

    let private secp256k1Order =
        BigInteger.Parse(
            "0fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            Globalization.NumberStyles.HexNumber
        )

    let private hex (text: string) =
        if text.Length % 2 = 0 && Seq.forall Char.IsAsciiHexDigit text then
            Some(Convert.FromHexString text)
        else
            None

    let private isSec1 (bytes: byte[]) =
        match bytes.Length with
        | 33 -> bytes[0] = 2uy || bytes[0] = 3uy
        | 65 -> bytes[0] = 4uy
        | _ -> false

    let private ed25519 (bytes: byte[]) =
        if bytes.Length = 32 then Some(Key.Ed25519 bytes) else None

    let private secp256k1 (bytes: byte[]) =
        if isSec1 bytes then
            match ECPubKey.TryCreate(ReadOnlySpan bytes, Context.Instance) with
            | true, _, key -> Some(Key.Secp256k1 key)
            | false, _, _ -> None
        else
            None

    let private onP256 (bytes: byte[]) =
        if isSec1 bytes then
            try
                Some(Key.P256(ECPublicKeyParameters(p256.Curve.DecodePoint bytes, p256)))
            with :? ArgumentException ->
                None
        else
            None

    /// The base64 of RFC 4648, section 4, with its padding and with the bits that are not used zero.
    let private base64 =
        Regex(
            @"\A(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?\z",
            RegexOptions.CultureInvariant
        )

    let private pem =
        Regex(@"\A-----BEGIN PUBLIC KEY-----([^-]*)-----END PUBLIC KEY-----[ \t\r\n]*\z", RegexOptions.CultureInvariant)

    let private ofInfo (der: byte[]) =
        try
            let info = SubjectPublicKeyInfo.GetInstance(Asn1Object.FromByteArray der)
            let point = info.PublicKey.GetBytes()

            if info.GetDerEncoded() <> der || info.PublicKey.PadBits <> 0 then
                None
            else
                match info.Algorithm.Algorithm.Id, info.Algorithm.Parameters with
                | "1.3.101.112", null -> ed25519 point
                | "1.2.840.10045.2.1", (:? DerObjectIdentifier as curve) ->
                    if curve.Equals X9ObjectIdentifiers.Prime256v1 then
                        onP256 point
                    elif curve.Equals SecObjectIdentifiers.SecP256k1 then
                        secp256k1 point
                    else
                        None
                | _ -> None
        with _ ->
            None

    let private key (text: string) =
        let found = pem.Match text

        if found.Success then
            let body = Regex.Replace(found.Groups[1].Value, "[ \t\r\n]", "")

            if base64.IsMatch body then
                ofInfo (Convert.FromBase64String body)
            else
                None
        else
            match text.Split ':' with
            | [| bare |] when bare.Length = 64 -> hex bare |> Option.bind ed25519
            | [| bare |] -> hex bare |> Option.bind secp256k1
            | [| "ed25519"; digits |] -> hex digits |> Option.bind ed25519
            | [| "secp256k1"; digits |] -> hex digits |> Option.bind secp256k1
            | [| "p256"; digits |] -> hex digits |> Option.bind onP256
            | _ -> None

    let private big (bytes: byte[]) =
        BigInteger(ReadOnlySpan bytes, isUnsigned = true, isBigEndian = true)

    let private pairOfDer (der: byte[]) =
        try
            let sequence = Asn1Sequence.GetInstance(Asn1Object.FromByteArray der)

            if sequence.Count = 2 && sequence.GetDerEncoded() = der then
                match sequence[0], sequence[1] with
                | (:? DerInteger as r), (:? DerInteger as s) ->
                    let number (n: DerInteger) =
                        BigInteger(ReadOnlySpan(n.Value.ToByteArray()), isBigEndian = true)

                    Some(number r, number s)
                | _ -> None
            else
                None
        with _ ->
            None

    let private pairOfCompact (bytes: byte[]) =
        Some(big bytes[..31], big bytes[32..63])

    /// Only what is in range and of the lower half.
    let private inRange (n: bigint) pair =
        match pair with
        | Some(r, s) when r > 0I && r < n && s > 0I && s <= n / 2I -> Some(r, s)
        | Some _
        | None -> None

    let private compact (r: bigint, s: bigint) =
        let number (n: bigint) =
            let bytes = n.ToByteArray(isUnsigned = true, isBigEndian = true)
            Array.append (Array.zeroCreate (32 - bytes.Length)) bytes

        Array.append (number r) (number s)

    let private pair (bytes: byte[]) =
        if bytes.Length = 64 then pairOfCompact bytes
        elif bytes.Length <= 72 then pairOfDer bytes
        else None

    let private holdsP256 (key: ECPublicKeyParameters) (signature: string) (message: byte[]) =
        let n = big (p256.N.ToByteArrayUnsigned())

        match hex signature |> Option.bind pair |> inRange n with
        | None -> false
        | Some(r, s) ->
            let signer = ECDsaSigner()
            signer.Init(false, key)

            let number (n: bigint) =
                Org.BouncyCastle.Math.BigInteger(n.ToString())

            signer.VerifySignature(SHA256.HashData message, number r, number s)

    /// What a wallet signs: EIP-191, version 0x45.
    let internal ethereumHash (message: byte[]) =
        let all =
            Array.append (Encoding.ASCII.GetBytes $"\x19Ethereum Signed Message:\n{message.Length}") message

        let digest = KeccakDigest 256
        digest.BlockUpdate(all, 0, all.Length)
        let hash = Array.zeroCreate 32
        digest.DoFinal(hash, 0) |> ignore
        hash

    /// The key that made the signature must be the given one.
    let private holdsEthereum (key: ECPubKey) (rsv: byte[]) (message: byte[]) =
        let recovery =
            match rsv[64] with
            | 0uy
            | 27uy -> Some 0
            | 1uy
            | 28uy -> Some 1
            | _ -> None

        match recovery, inRange secp256k1Order (pairOfCompact rsv) with
        | Some recovery, Some _ ->
            match SecpRecoverableECDSASignature.TryCreateFromCompact(ReadOnlySpan(rsv, 0, 64), recovery) with
            | true, signature ->
                match ECPubKey.TryRecover(Context.Instance, signature, ReadOnlySpan(ethereumHash message)) with
                | true, maker -> maker = key
                | false, _ -> false
            | false, _ -> false
        | _ -> false

    let private holdsSecp256k1 (key: ECPubKey) (signature: string) (message: byte[]) =
        let digits =
            if signature.StartsWith("0x", StringComparison.Ordinal) then
                signature[2..]
            else
                signature

        match hex digits with
        | Some bytes when bytes.Length = 65 -> holdsEthereum key bytes message
        | Some _
        | None ->
            match hex signature |> Option.bind pair |> inRange secp256k1Order with
            | None -> false
            | Some numbers ->
                match SecpECDSASignature.TryCreateFromCompact(ReadOnlySpan(compact numbers)) with
                | true, signature -> key.SigVerify(signature, ReadOnlySpan(SHA256.HashData message))
                | false, _ -> false

    /// The equation without the cofactor, on points that have parts of small order. BouncyCastle's has the cofactor in it, so
    /// what it refuses, this refuses.
    let private holdsExactly (key: byte[]) (signature: byte[]) (message: byte[]) =
        match Edwards25519.decode key, Edwards25519.decode signature[..31] with
        | Some a, Some r when not (Edwards25519.isSmall a || Edwards25519.isSmall r) ->
            let s = Edwards25519.number signature[32..]

            let h =
                Edwards25519.number (SHA512.HashData(Array.concat [ signature[..31]; key; message ]))

            s < Edwards25519.order
            && Edwards25519.equal
                (Edwards25519.multiply s Edwards25519.basePoint)
                (Edwards25519.add r (Edwards25519.multiply (h % Edwards25519.order) a))
        | _ -> false

    let private holdsEd25519 (key: byte[]) (signature: string) (message: byte[]) =
        let isOfPrimeOrder point =
            Org.BouncyCastle.Math.EC.Rfc8032.Ed25519.ValidatePublicKeyFull(point, 0)

        match hex signature with
        | Some signature when signature.Length = 64 ->
            Org.BouncyCastle.Math.EC.Rfc8032.Ed25519.Verify(signature, 0, key, 0, message, 0, message.Length)
            && (isOfPrimeOrder key && isOfPrimeOrder signature[..31] || holdsExactly key signature message)
        | Some _
        | None -> false

    let private utf8 =
        UTF8Encoding(encoderShouldEmitUTF8Identifier = false, throwOnInvalidBytes = true)

    /// Of a message that is bytes.
    let verifyBytes (signature: string) (message: byte[]) (text: string) =
        match key text with
        | None -> false
        | Some(Key.Ed25519 key) -> holdsEd25519 key signature message
        | Some(Key.P256 key) -> holdsP256 key signature message
        | Some(Key.Secp256k1 key) -> holdsSecp256k1 key signature message

    /// Is it the signature of the message by the key? As the specification's context takes it.
    let verify (signature: string) (message: string) (key: string) =
        match
            (try
                Some(utf8.GetBytes message)
             with :? EncoderFallbackException ->
                 None)
        with
        | Some message -> verifyBytes signature message key
        | None -> false
