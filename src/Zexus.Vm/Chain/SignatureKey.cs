using System.Buffers;
using System.Buffers.Text;
using System.Text;
using NSec.Cryptography;
using Org.BouncyCastle.Math.EC;

namespace Zexus.Vm;

/// <summary>A public key that was read from its text, ready to check signatures.</summary>
internal abstract class SignatureKey : IDisposable
{
    private const string PemBegin = "-----BEGIN PUBLIC KEY-----";
    private const string PemEnd = "-----END PUBLIC KEY-----";
    private const int EdwardsSize = 32;
    private const int CompressedSize = 33;
    private const int UncompressedSize = 65;

    /// <summary>
    /// All that stands before a key in its SubjectPublicKeyInfo. DER has one encoding of a value, so these prefixes are all
    /// there is: explicit curve parameters and BER are refused with everything else.
    /// </summary>
    private static readonly (SignatureScheme Scheme, byte[] Prefix, int Size)[] SubjectPublicKeyInfos =
    [
        (SignatureScheme.Ed25519, Convert.FromHexString("302a300506032b6570032100"), EdwardsSize),
        (
            SignatureScheme.P256,
            Convert.FromHexString("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
            UncompressedSize
        ),
        (
            SignatureScheme.P256,
            Convert.FromHexString("3039301306072a8648ce3d020106082a8648ce3d030107032200"),
            CompressedSize
        ),
        (
            SignatureScheme.Secp256k1,
            Convert.FromHexString("3056301006072a8648ce3d020106052b8104000a034200"),
            UncompressedSize
        ),
        (
            SignatureScheme.Secp256k1,
            Convert.FromHexString("3036301006072a8648ce3d020106052b8104000a032200"),
            CompressedSize
        ),
    ];

    private static readonly SearchValues<char> PemSpaces = SearchValues.Create(" \t\r\n");

    public abstract SignatureVerdict Check(ReadOnlySpan<char> signature, ReadOnlySpan<byte> message);

    public virtual void Dispose() { }

    /// <summary>Null when the text is no key.</summary>
    public static SignatureKey? Parse(ReadOnlySpan<char> text)
    {
        if (text.StartsWith(PemBegin, StringComparison.Ordinal))
        {
            return ParsePem(text);
        }

        int colon = text.IndexOf(':');
        SignatureScheme? scheme =
            colon < 0
                ? text.Length == 2 * EdwardsSize
                    ? SignatureScheme.Ed25519
                    : SignatureScheme.Secp256k1
                : text[..colon] switch
                {
                    "ed25519" => SignatureScheme.Ed25519,
                    "secp256k1" => SignatureScheme.Secp256k1,
                    "p256" => SignatureScheme.P256,
                    _ => null,
                };
        ReadOnlySpan<char> digits = text[(colon + 1)..];
        Span<byte> bytes = stackalloc byte[UncompressedSize];
        return
            scheme is { } known
            && digits.Length <= 2 * UncompressedSize
            && Convert.FromHexString(digits, bytes, out _, out int length) == OperationStatus.Done
            ? Of(known, bytes[..length])
            : null;
    }

    private static SignatureKey? ParsePem(ReadOnlySpan<char> text)
    {
        text = text[PemBegin.Length..].TrimEnd(" \t\r\n");
        if (!text.EndsWith(PemEnd, StringComparison.Ordinal))
        {
            return null;
        }

        StringBuilder compact = new();
        foreach (char c in text[..^PemEnd.Length])
        {
            if (!PemSpaces.Contains(c))
            {
                compact.Append(c);
            }
        }

        string base64 = compact.ToString();
        byte[] der = new byte[Base64.GetMaxDecodedFromUtf8Length(base64.Length)];
        // The comparison refuses what the decoder is lax about: bits that are not used and not zero.
        if (
            !Convert.TryFromBase64String(base64, der, out int length)
            || Convert.ToBase64String(der, 0, length) != base64
        )
        {
            return null;
        }

        foreach ((SignatureScheme scheme, byte[] prefix, int size) in SubjectPublicKeyInfos)
        {
            if (length == prefix.Length + size && der.AsSpan(0, prefix.Length).SequenceEqual(prefix))
            {
                return Of(scheme, der.AsSpan(prefix.Length, size));
            }
        }

        return null;
    }

    private static SignatureKey? Of(SignatureScheme scheme, ReadOnlySpan<byte> bytes) =>
        scheme switch
        {
            SignatureScheme.Ed25519 => PublicKey.TryImport(
                SignatureAlgorithm.Ed25519,
                bytes,
                KeyBlobFormat.RawPublicKey,
                out PublicKey? key
            )
                ? new Ed25519Key(key!)
                : null,
            SignatureScheme.Secp256k1 => Point(EcdsaCurve.Secp256k1, bytes) is { } point
                ? new Secp256k1Key(point)
                : null,
            SignatureScheme.P256 => Point(EcdsaCurve.P256, bytes) is { } point ? new P256Key(point) : null,
            _ => throw new ArgumentOutOfRangeException(nameof(scheme)),
        };

    /// <summary>SEC 1, 2.3.4, without the point at infinity and the hybrid forms 06 and 07. Null: no point of the curve.</summary>
    private static ECPoint? Point(EcdsaCurve curve, ReadOnlySpan<byte> bytes)
    {
        bool isForm = bytes switch
        {
            { Length: CompressedSize } => bytes[0] is 2 or 3,
            { Length: UncompressedSize } => bytes[0] == 4,
            _ => false,
        };
        if (!isForm)
        {
            return null;
        }

        try
        {
            return curve.Domain.Curve.DecodePoint(bytes.ToArray());
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}

/// <summary>
/// Keys that this thread has read, by their text: reading a point can cost more than checking a signature does. A thread has
/// its own, as a key object is not said to serve two at once.
/// </summary>
internal static class SignatureKeys
{
    private const int Most = 64;
    private const int LongestText = 512;

    [ThreadStatic]
    private static Dictionary<string, SignatureKey>? s_known;

    public static SignatureKey? Find(string text)
    {
        Dictionary<string, SignatureKey> known = s_known ??= new(StringComparer.Ordinal);
        if (known.TryGetValue(text, out SignatureKey? key))
        {
            return key;
        }

        key = SignatureKey.Parse(text);
        if (key is null || text.Length > LongestText)
        {
            return key;
        }

        if (known.Count == Most)
        {
            foreach (SignatureKey old in known.Values)
            {
                old.Dispose();
            }

            known.Clear();
        }

        known.Add(text, key);
        return key;
    }
}

/// <summary>RFC 8032 as libsodium checks it: S below the order, A and R canonical and not of small order, [S]B = R + [h]A.</summary>
internal sealed class Ed25519Key(PublicKey key) : SignatureKey
{
    private const int Size = 64;

    public override SignatureVerdict Check(ReadOnlySpan<char> signature, ReadOnlySpan<byte> message)
    {
        Span<byte> bytes = stackalloc byte[Size];
        if (
            signature.Length != 2 * Size
            || Convert.FromHexString(signature, bytes, out _, out _) != OperationStatus.Done
        )
        {
            return SignatureVerdict.MalformedSignature;
        }

        return SignatureAlgorithm.Ed25519.Verify(key, message, bytes)
            ? SignatureVerdict.Valid
            : SignatureVerdict.Mismatch;
    }
}
