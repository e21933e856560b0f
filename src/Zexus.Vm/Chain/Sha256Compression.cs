using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>SHA-256's compression of the blocks of one message.</summary>
internal abstract unsafe class Sha256Compression
{
    /// <summary>Plain code, for processors and systems with nothing better.</summary>
    public static readonly Sha256Compression Portable = new PortableCompression();

    /// <summary>OpenSSL's, which uses the processor's SHA instructions; null where there is no such library.</summary>
    public static readonly Sha256Compression? OpenSsl = OpenSslCompression.TryLoad();

    /// <summary>Null: none is worth more than the class library.</summary>
    public static readonly Sha256Compression? Best = OpenSsl;

    /// <summary>Updates the eight words of the state, in the processor's order.</summary>
    public abstract void Compress(uint* state, byte* blocks, int count);

    private sealed class PortableCompression : Sha256Compression
    {
        [SkipLocalsInit]
        public override void Compress(uint* state, byte* blocks, int count)
        {
            uint* words = stackalloc uint[Sha256.BlockWords];
            for (byte* block = blocks; block < blocks + (count * Sha256.BlockBytes); block += Sha256.BlockBytes)
            {
                for (int w = 0; w < Sha256.BlockWords; w++)
                {
                    words[w] = BinaryPrimitives.ReadUInt32BigEndian(
                        new ReadOnlySpan<byte>(block + (w * sizeof(uint)), sizeof(uint))
                    );
                }

                Sha256Batch<ScalarLane, uint>.Compress(state, words);
            }
        }
    }

    /// <summary>
    /// Calls <c>SHA256_Transform(SHA256_CTX *c, const unsigned char *data)</c> a block at a time: exported, if deprecated, by
    /// OpenSSL 1.1 and 3, and of the context it touches the eight words at its start only.
    /// </summary>
    private sealed class OpenSslCompression : Sha256Compression
    {
        // h[8], Nl, Nh, data[16], num, md_len, all of 32 bits.
        private const int ContextWords = 28;

        // A block takes 40 ns: no reason to let the collector in.
        private readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<uint*, byte*, void> _transform;

        private OpenSslCompression(nint transform) =>
            _transform = (delegate* unmanaged[Cdecl, SuppressGCTransition]<uint*, byte*, void>)transform;

        public static OpenSslCompression? TryLoad()
        {
            // Elsewhere the class library does not use OpenSSL, and what is found by the name may be anything.
            if (!OperatingSystem.IsLinux())
            {
                return null;
            }

            foreach (string name in (ReadOnlySpan<string>)["libcrypto.so.3", "libcrypto.so.1.1"])
            {
                if (
                    NativeLibrary.TryLoad(name, out nint library)
                    && NativeLibrary.TryGetExport(library, "SHA256_Transform", out nint transform)
                )
                {
                    OpenSslCompression compression = new(transform);
                    if (compression.HashesAsExpected())
                    {
                        return compression;
                    }
                }
            }

            return null;
        }

        [SkipLocalsInit]
        public override void Compress(uint* state, byte* blocks, int count)
        {
            uint* context = stackalloc uint[ContextWords];
            new ReadOnlySpan<uint>(state, Sha256.StateWords).CopyTo(new Span<uint>(context, ContextWords));
            for (int i = 0; i < count; i++)
            {
                _transform(context, blocks + (i * Sha256.BlockBytes));
            }

            new ReadOnlySpan<uint>(context, Sha256.StateWords).CopyTo(new Span<uint>(state, Sha256.StateWords));
        }

        /// <summary>A library built otherwise must not cost a digest.</summary>
        private bool HashesAsExpected()
        {
            ReadOnlySpan<byte> message = "a message of more than one block, to see that the state is carried on"u8;
            Span<byte> expected = stackalloc byte[Sha256.DigestBytes];
            Span<byte> actual = stackalloc byte[Sha256.DigestBytes];
            Sha256.Hash(Portable, message, expected);
            Sha256.Hash(this, message, actual);
            return actual.SequenceEqual(expected);
        }
    }
}
