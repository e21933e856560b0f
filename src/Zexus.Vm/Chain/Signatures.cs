using System.Buffers;
using System.Text.Unicode;

namespace Zexus.Vm;

/// <summary>What a signature scheme is called in front of a key, and by a person.</summary>
public enum SignatureScheme
{
    /// <summary>RFC 8032, over the message itself.</summary>
    Ed25519,

    /// <summary>ECDSA over secp256k1, the curve of Bitcoin and Ethereum.</summary>
    Secp256k1,

    /// <summary>ECDSA over NIST P-256, also called secp256r1 and prime256v1.</summary>
    P256,
}

/// <summary>Why a signature holds or does not.</summary>
public enum SignatureVerdict
{
    /// <summary>It is the key's signature of the message.</summary>
    Valid,

    /// <summary>The text of the key is of none of the forms, or names no point of the curve.</summary>
    MalformedKey,

    /// <summary>The text of the signature is of none of the forms of the key's scheme, or a number in it is out of range.</summary>
    MalformedSignature,

    /// <summary>An ECDSA signature whose s is above half the order: its twin with n - s is the one that can hold.</summary>
    HighS,

    /// <summary>Well formed, and not the key's signature of the message.</summary>
    Mismatch,
}

/// <summary>The default of <see cref="VmOptions.VerifySignature"/>. The forms, and which signatures hold, are in docs/signatures.md.</summary>
public static class Signatures
{
    private const int OnStack = 512;

    /// <summary>Is it the signature of the message, as UTF-8, by the key? Malformed and malleable input is false, never an exception.</summary>
    public static bool Verify(string signature, string message, string key) =>
        Check(signature, message, key) == SignatureVerdict.Valid;

    /// <summary>The same with the reason.</summary>
    public static SignatureVerdict Check(string signature, string message, string key)
    {
        int most = 3 * message.Length;
        Span<byte> buffer = most <= OnStack ? stackalloc byte[OnStack] : new byte[most];
        // A lone surrogate has no UTF-8: there is nothing that could have been signed.
        return
            Utf8.FromUtf16(message, buffer, out _, out int length, replaceInvalidSequences: false)
            == OperationStatus.Done
            ? Check(signature, buffer[..length], key)
            : SignatureVerdict.Mismatch;
    }

    /// <summary>Of a message that is bytes.</summary>
    public static SignatureVerdict Check(string signature, ReadOnlySpan<byte> message, string key) =>
        SignatureKeys.Find(key)?.Check(signature, message) ?? SignatureVerdict.MalformedKey;
}
