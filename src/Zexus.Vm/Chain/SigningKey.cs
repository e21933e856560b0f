using System.Security.Cryptography;
using NSec.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.Sec;
using Org.BouncyCastle.Asn1.X9;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Pkcs;
using Org.BouncyCastle.Security;
using BigInteger = Org.BouncyCastle.Math.BigInteger;

namespace Zexus.Vm;

/// <summary>A private key, for people and hosts: what a program sees is only its public key and its signatures.</summary>
public abstract class SigningKey : IDisposable
{
    private const string PemLabel = "PRIVATE KEY";

    /// <summary>Of what scheme.</summary>
    public abstract SignatureScheme Scheme { get; }

    /// <summary>In the form with the scheme in front, which VERIFY_SIGNATURE takes.</summary>
    public abstract string PublicKey { get; }

    /// <summary>A new key from the system's random numbers.</summary>
    public static SigningKey Create(SignatureScheme scheme)
    {
        if (scheme == SignatureScheme.Ed25519)
        {
            return new Ed25519SigningKey(Key.Create(SignatureAlgorithm.Ed25519, Ed25519SigningKey.Exportable));
        }

        ECKeyPairGenerator generator = new();
        generator.Init(new ECKeyGenerationParameters(EcdsaSigningKey.NameOf(scheme), new SecureRandom()));
        return new EcdsaSigningKey(scheme, ((ECPrivateKeyParameters)generator.GenerateKeyPair().Private).D);
    }

    /// <summary>Reads PKCS#8 in PEM, not encrypted. Null when it is anything else, or of another scheme.</summary>
    public static SigningKey? FromPem(string pem)
    {
        if (!PemEncoding.TryFind(pem, out PemFields fields) || pem[fields.Label] != PemLabel)
        {
            return null;
        }

        byte[] der = new byte[fields.DecodedDataLength];
        _ = Convert.TryFromBase64String(pem[fields.Base64Data], der, out _);
        try
        {
            return Key.TryImport(
                SignatureAlgorithm.Ed25519,
                der,
                KeyBlobFormat.PkixPrivateKey,
                out Key? key,
                Ed25519SigningKey.Exportable
            )
                ? new Ed25519SigningKey(key!)
                : EcdsaSigningKey.FromDer(der);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
        }
    }

    /// <summary>PKCS#8 in PEM, not encrypted, with a line end after it.</summary>
    public string ToPem() => PemEncoding.WriteString(PemLabel, ToDer()) + "\n";

    /// <summary>128 digits of hex: r and s side by side for ECDSA, s at most half the order.</summary>
    public string Sign(ReadOnlySpan<byte> message) => Convert.ToHexStringLower(SignatureOf(message));

    /// <summary>ECDSA-Sig-Value in DER, in hex.</summary>
    /// <exception cref="InvalidOperationException">The scheme has no such form: Ed25519.</exception>
    public virtual string SignDer(ReadOnlySpan<byte> message) =>
        throw new InvalidOperationException($"{Scheme} has no signatures in DER.");

    /// <summary>The key of the operating system or library behind it is given back.</summary>
    public void Dispose()
    {
        Dispose(isDisposing: true);
        GC.SuppressFinalize(this);
    }

    private protected abstract byte[] ToDer();

    private protected abstract byte[] SignatureOf(ReadOnlySpan<byte> message);

    /// <summary>What a scheme's key holds.</summary>
    protected virtual void Dispose(bool isDisposing) { }
}

internal sealed class Ed25519SigningKey(Key key) : SigningKey
{
    public static KeyCreationParameters Exportable => new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };

    public override SignatureScheme Scheme => SignatureScheme.Ed25519;

    public override string PublicKey =>
        "ed25519:" + Convert.ToHexStringLower(key.PublicKey.Export(KeyBlobFormat.RawPublicKey));

    private protected override byte[] ToDer() => key.Export(KeyBlobFormat.PkixPrivateKey);

    private protected override byte[] SignatureOf(ReadOnlySpan<byte> message) =>
        SignatureAlgorithm.Ed25519.Sign(key, message);

    protected override void Dispose(bool isDisposing) => key.Dispose();
}

/// <summary>With nonces of RFC 6979: a message has one signature, and none depends on random numbers that could repeat.</summary>
internal sealed class EcdsaSigningKey : SigningKey
{
    private readonly ECPrivateKeyParameters _key;
    private readonly EcdsaCurve _curve;

    public EcdsaSigningKey(SignatureScheme scheme, BigInteger number)
    {
        Scheme = scheme;
        _curve = scheme == SignatureScheme.Secp256k1 ? EcdsaCurve.Secp256k1 : EcdsaCurve.P256;
        _key = new ECPrivateKeyParameters("EC", number, NameOf(scheme));
    }

    public override SignatureScheme Scheme { get; }

    public override string PublicKey =>
        (Scheme == SignatureScheme.Secp256k1 ? "secp256k1:" : "p256:")
        + Convert.ToHexStringLower(_curve.Domain.G.Multiply(_key.D).GetEncoded(compressed: true));

    public static DerObjectIdentifier NameOf(SignatureScheme scheme) =>
        scheme == SignatureScheme.Secp256k1 ? SecObjectIdentifiers.SecP256k1 : X9ObjectIdentifiers.Prime256v1;

    public static EcdsaSigningKey? FromDer(byte[] der)
    {
        AsymmetricKeyParameter read;
        try
        {
            read = PrivateKeyFactory.CreateKey(der);
        }
        catch (Exception e)
            when (e
                    is ArgumentException
                        or IOException
                        or InvalidOperationException
                        or SecurityUtilityException
                        or InvalidCastException
            )
        {
            return null;
        }

        return read is not ECPrivateKeyParameters key ? null
            : NameOf(SignatureScheme.P256).Equals(key.PublicKeyParamSet) ? new(SignatureScheme.P256, key.D)
            : NameOf(SignatureScheme.Secp256k1).Equals(key.PublicKeyParamSet) ? new(SignatureScheme.Secp256k1, key.D)
            : null;
    }

    public override string SignDer(ReadOnlySpan<byte> message)
    {
        ReadOnlySpan<byte> rs = SignatureOf(message);
        DerSequence pair = new(
            new DerInteger(new BigInteger(1, rs[..EcdsaCurve.NumberSize])),
            new DerInteger(new BigInteger(1, rs[EcdsaCurve.NumberSize..]))
        );
        return Convert.ToHexStringLower(pair.GetDerEncoded());
    }

    private protected override byte[] ToDer() => PrivateKeyInfoFactory.CreatePrivateKeyInfo(_key).GetDerEncoded();

    private protected override byte[] SignatureOf(ReadOnlySpan<byte> message)
    {
        ECDsaSigner signer = new(new HMacDsaKCalculator(new Sha256Digest()));
        signer.Init(forSigning: true, _key);
        BigInteger[] pair = signer.GenerateSignature(SHA256.HashData(message));
        BigInteger twin = _curve.Domain.N.Subtract(pair[1]);
        return [.. EcdsaCurve.Bytes(pair[0]), .. EcdsaCurve.Bytes(pair[1].Min(twin))];
    }
}
