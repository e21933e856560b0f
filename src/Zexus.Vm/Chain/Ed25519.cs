using System.Text;
using NSec.Cryptography;

namespace Zexus.Vm;

/// <summary>The default of <see cref="VmOptions.VerifySignature"/>.</summary>
public static class Ed25519
{
    /// <summary>Key (32 bytes) and signature (64 bytes) in hex of either case, the message as UTF-8. Anything else is false.</summary>
    public static bool Verify(string signature, string message, string key)
    {
        if (signature.Length != 128 || key.Length != 64)
        {
            return false;
        }

        byte[] signatureBytes = new byte[64];
        byte[] keyBytes = new byte[32];
        return Convert.FromHexString(signature, signatureBytes, out _, out _) == System.Buffers.OperationStatus.Done
            && Convert.FromHexString(key, keyBytes, out _, out _) == System.Buffers.OperationStatus.Done
            && PublicKey.TryImport(
                SignatureAlgorithm.Ed25519,
                keyBytes,
                KeyBlobFormat.RawPublicKey,
                out PublicKey? publicKey
            )
            && SignatureAlgorithm.Ed25519.Verify(publicKey!, Encoding.UTF8.GetBytes(message), signatureBytes);
    }
}
