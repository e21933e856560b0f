using System.Buffers;
using System.Formats.Asn1;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using BigInteger = Org.BouncyCastle.Math.BigInteger;
using ECAlgorithms = Org.BouncyCastle.Math.EC.ECAlgorithms;
using EcPoint = Org.BouncyCastle.Math.EC.ECPoint;

namespace Zexus.Vm;

/// <summary>A curve of 256 bits.</summary>
internal sealed class EcdsaCurve(string name)
{
    /// <summary>Bytes of r, of s and of a coordinate.</summary>
    public const int NumberSize = 32;

    public static readonly EcdsaCurve P256 = new("secp256r1");
    public static readonly EcdsaCurve Secp256k1 = new("secp256k1");

    public ECDomainParameters Domain { get; } = new(CustomNamedCurves.GetByName(name));

    private readonly byte[] _order = Bytes(CustomNamedCurves.GetByName(name).N);
    private readonly byte[] _halfOrder = Bytes(CustomNamedCurves.GetByName(name).N.ShiftRight(1));

    /// <summary>What forbids these numbers, side by side and big-endian, whatever was signed; null when nothing does.</summary>
    public SignatureVerdict? Flaw(ReadOnlySpan<byte> rs)
    {
        ReadOnlySpan<byte> r = rs[..NumberSize];
        ReadOnlySpan<byte> s = rs[NumberSize..];
        if (
            !r.ContainsAnyExcept((byte)0)
            || !s.ContainsAnyExcept((byte)0)
            || r.SequenceCompareTo(_order) >= 0
            || s.SequenceCompareTo(_order) >= 0
        )
        {
            return SignatureVerdict.MalformedSignature;
        }

        return s.SequenceCompareTo(_halfOrder) > 0 ? SignatureVerdict.HighS : null;
    }

    /// <summary>Big-endian, of the size of the curve's numbers.</summary>
    public static byte[] Bytes(BigInteger number)
    {
        byte[] bytes = new byte[NumberSize];
        byte[] digits = number.ToByteArrayUnsigned();
        digits.CopyTo(bytes, NumberSize - digits.Length);
        return bytes;
    }
}

/// <summary>ECDSA with SHA-256: the forms of a signature.</summary>
internal abstract class EcdsaKey(EcdsaCurve curve) : SignatureKey
{
    private const int CompactSize = 2 * EcdsaCurve.NumberSize;

    /// <summary>Two Integers of 33 bytes, each with tag and length, in a Sequence.</summary>
    private const int LongestDer = 72;

    protected EcdsaCurve Curve => curve;

    protected abstract bool Holds(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> rs);

    public override SignatureVerdict Check(ReadOnlySpan<char> signature, ReadOnlySpan<byte> message)
    {
        Span<byte> bytes = stackalloc byte[LongestDer];
        if (
            signature.Length > 2 * LongestDer
            || Convert.FromHexString(signature, bytes, out _, out int length) != OperationStatus.Done
        )
        {
            return SignatureVerdict.MalformedSignature;
        }

        Span<byte> rs = stackalloc byte[CompactSize];
        if (length == CompactSize)
        {
            bytes[..length].CopyTo(rs);
        }
        else if (!TryReadDer(bytes[..length], rs))
        {
            return SignatureVerdict.MalformedSignature;
        }

        if (Curve.Flaw(rs) is { } flaw)
        {
            return flaw;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(message, hash);
        return Holds(hash, rs) ? SignatureVerdict.Valid : SignatureVerdict.Mismatch;
    }

    /// <summary>ECDSA-Sig-Value of RFC 3279, 2.2.3, in DER and nothing after it, into r and s side by side.</summary>
    private static bool TryReadDer(ReadOnlySpan<byte> der, Span<byte> rs)
    {
        rs.Clear();
        return TryReadValue(der, Asn1Tag.Sequence, out ReadOnlySpan<byte> content, out int consumed)
            && consumed == der.Length
            && TryReadInteger(content, rs[..EcdsaCurve.NumberSize], out int first)
            && TryReadInteger(content[first..], rs[EcdsaCurve.NumberSize..], out int second)
            && first + second == content.Length;
    }

    private static bool TryReadInteger(ReadOnlySpan<byte> der, Span<byte> number, out int consumed)
    {
        if (
            !TryReadValue(der, Asn1Tag.Integer, out ReadOnlySpan<byte> content, out consumed)
            || content is []
            || content[0] >= 0x80
        )
        {
            return false;
        }

        if (content[0] == 0 && content.Length > 1)
        {
            content = content[1..];
            if (content[0] < 0x80)
            {
                return false;
            }
        }

        if (content.Length > number.Length)
        {
            return false;
        }

        content.CopyTo(number[^content.Length..]);
        return true;
    }

    private static bool TryReadValue(
        ReadOnlySpan<byte> der,
        Asn1Tag expected,
        out ReadOnlySpan<byte> content,
        out int consumed
    )
    {
        bool isValue = AsnDecoder.TryReadEncodedValue(
            der,
            AsnEncodingRules.DER,
            out Asn1Tag tag,
            out int offset,
            out int length,
            out consumed
        );
        content = isValue ? der.Slice(offset, length) : default;
        return isValue && tag == expected;
    }
}

/// <summary>P-256 by the system's library.</summary>
internal sealed class P256Key : EcdsaKey
{
    private readonly ECDsa _key;

    public P256Key(EcPoint point)
        : base(EcdsaCurve.P256)
    {
        _key = ECDsa.Create(
            new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = { X = point.AffineXCoord.GetEncoded(), Y = point.AffineYCoord.GetEncoded() },
            }
        );
    }

    protected override bool Holds(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> rs) => _key.VerifyHash(hash, rs);

    public override void Dispose() => _key.Dispose();
}

/// <summary>
/// secp256k1 by BouncyCastle: OpenSSL 3.0 has no code of its own for this curve and takes two and a half times as long, and other systems'
/// libraries do not have it at all.
/// </summary>
internal sealed class Secp256k1Key : EcdsaKey
{
    private const int EthereumSize = (2 * EcdsaCurve.NumberSize) + 1;

    private readonly EcPoint _point;
    private readonly ECDsaSigner _checker = new();

    public Secp256k1Key(EcPoint point)
        : base(EcdsaCurve.Secp256k1)
    {
        _point = point;
        _checker.Init(forSigning: false, new ECPublicKeyParameters(point, Curve.Domain));
    }

    public override SignatureVerdict Check(ReadOnlySpan<char> signature, ReadOnlySpan<byte> message)
    {
        ReadOnlySpan<char> digits = signature.StartsWith("0x", StringComparison.Ordinal) ? signature[2..] : signature;
        return digits.Length == 2 * EthereumSize ? CheckEthereum(digits, message) : base.Check(signature, message);
    }

    protected override bool Holds(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> rs) =>
        _checker.VerifySignature(
            hash.ToArray(),
            new BigInteger(1, rs[..EcdsaCurve.NumberSize]),
            new BigInteger(1, rs[EcdsaCurve.NumberSize..])
        );

    private SignatureVerdict CheckEthereum(ReadOnlySpan<char> digits, ReadOnlySpan<byte> message)
    {
        Span<byte> rsv = stackalloc byte[EthereumSize];
        if (Convert.FromHexString(digits, rsv, out _, out _) != OperationStatus.Done)
        {
            return SignatureVerdict.MalformedSignature;
        }

        int? parity = rsv[^1] switch
        {
            0 or 27 => 0,
            1 or 28 => 1,
            _ => null,
        };
        ReadOnlySpan<byte> rs = rsv[..^1];
        return parity is null ? SignatureVerdict.MalformedSignature
            : Curve.Flaw(rs) is { } flaw ? flaw
            : IsCommitment(EthereumHash(message), rs, parity.Value) ? SignatureVerdict.Valid
            : SignatureVerdict.Mismatch;
    }

    /// <summary>
    /// The equation of SEC 1, 4.1.4, kept to the point that the signer chose: its x is r itself, and its y has the parity that v
    /// says. A library's check looks at x only, and would let anybody turn v into the other one.
    /// </summary>
    private bool IsCommitment(byte[] hash, ReadOnlySpan<byte> rs, int parity)
    {
        BigInteger n = Curve.Domain.N;
        BigInteger r = new(1, rs[..EcdsaCurve.NumberSize]);
        BigInteger w = new BigInteger(1, rs[EcdsaCurve.NumberSize..]).ModInverse(n);
        BigInteger u1 = new BigInteger(1, hash).Multiply(w).Mod(n);
        BigInteger u2 = r.Multiply(w).Mod(n);
        EcPoint commitment = ECAlgorithms.SumOfTwoMultiplies(Curve.Domain.G, u1, _point, u2).Normalize();
        return !commitment.IsInfinity
            && commitment.AffineXCoord.ToBigInteger().Equals(r)
            && commitment.AffineYCoord.TestBitZero() == (parity == 1);
    }

    /// <summary>EIP-191, version 0x45, which is what a wallet's personal_sign signs.</summary>
    internal static byte[] EthereumHash(ReadOnlySpan<byte> message)
    {
        KeccakDigest keccak = new(8 * SHA256.HashSizeInBytes);
        keccak.BlockUpdate(
            Encoding.ASCII.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"\u0019Ethereum Signed Message:\n{message.Length}")
            )
        );
        keccak.BlockUpdate(message);
        byte[] hash = new byte[SHA256.HashSizeInBytes];
        keccak.DoFinal(hash, 0);
        return hash;
    }
}
