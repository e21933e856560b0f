using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace Zexus.Vm;

/// <summary>SHA-256 (FIPS 180-4) of one message.</summary>
/// <remarks>
/// Short messages are padded here and compressed block by block by the fastest compression at hand, since what the class library
/// does around a message takes seven times what the processor needs for a block of it. Nothing is loaded before the first hash.
/// </remarks>
internal static unsafe class Sha256
{
    public const int DigestBytes = 32;
    public const int HexBytes = 2 * DigestBytes;
    public const int BlockBytes = 64;
    public const int BlockWords = 16;
    public const int StateWords = 8;
    public const int Rounds = 64;

    /// <summary>Bytes of the shortest padding: a one and the length.</summary>
    public const int LeastPadding = 1 + sizeof(ulong);

    // From here on the class library's call is noise, and its compression of many blocks in one call a tenth faster.
    private const int LongMessage = 8192;

    /// <summary>The fractional parts of the square roots of the first eight primes.</summary>
    public static ReadOnlySpan<uint> InitialState =>
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

    /// <summary>The fractional parts of the cube roots of the first sixty-four primes.</summary>
    public static ReadOnlySpan<uint> RoundConstants =>
        [
            0x428a2f98,
            0x71374491,
            0xb5c0fbcf,
            0xe9b5dba5,
            0x3956c25b,
            0x59f111f1,
            0x923f82a4,
            0xab1c5ed5,
            0xd807aa98,
            0x12835b01,
            0x243185be,
            0x550c7dc3,
            0x72be5d74,
            0x80deb1fe,
            0x9bdc06a7,
            0xc19bf174,
            0xe49b69c1,
            0xefbe4786,
            0x0fc19dc6,
            0x240ca1cc,
            0x2de92c6f,
            0x4a7484aa,
            0x5cb0a9dc,
            0x76f988da,
            0x983e5152,
            0xa831c66d,
            0xb00327c8,
            0xbf597fc7,
            0xc6e00bf3,
            0xd5a79147,
            0x06ca6351,
            0x14292967,
            0x27b70a85,
            0x2e1b2138,
            0x4d2c6dfc,
            0x53380d13,
            0x650a7354,
            0x766a0abb,
            0x81c2c92e,
            0x92722c85,
            0xa2bfe8a1,
            0xa81a664b,
            0xc24b8b70,
            0xc76c51a3,
            0xd192e819,
            0xd6990624,
            0xf40e3585,
            0x106aa070,
            0x19a4c116,
            0x1e376c08,
            0x2748774c,
            0x34b0bcb5,
            0x391c0cb3,
            0x4ed8aa4a,
            0x5b9cca4f,
            0x682e6ff3,
            0x748f82ee,
            0x78a5636f,
            0x84c87814,
            0x8cc70208,
            0x90befffa,
            0xa4506ceb,
            0xbef9a3f7,
            0xc67178f2,
        ];

    /// <summary>Where the bytes of four words come from, for a shuffle between the processor's order and that of messages.</summary>
    public static Vector128<byte> BigEndianWords =>
        Vector128.Create((byte)3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);

    /// <summary>For the block that pads a message of 128 bytes: each round's constant plus its word of the schedule.</summary>
    public static uint[] PairPadding { get; } = ScheduleOfPadding(2 * HexBytes);

    public static void Hash(ReadOnlySpan<byte> message, Span<byte> digest) =>
        Hash(Sha256Compression.Best, message, digest);

    /// <summary>By the given compression; null: by the class library.</summary>
    public static void Hash(Sha256Compression? compression, ReadOnlySpan<byte> message, Span<byte> digest)
    {
        if (compression is null || message.Length >= LongMessage)
        {
            SHA256.HashData(message, digest);
            return;
        }

        fixed (byte* bytes = message)
        fixed (byte* to = digest[..DigestBytes])
        {
            Hash(compression, bytes, message.Length, to);
        }
    }

    // Of pointers: in a method that allocates on the stack, .NET copies each span that it is given.
    [SkipLocalsInit]
    private static void Hash(Sha256Compression compression, byte* message, int length, byte* digest)
    {
        uint* state = stackalloc uint[StateWords];
        InitialState.CopyTo(new Span<uint>(state, StateWords));
        int whole = length / BlockBytes;
        compression.Compress(state, message, whole);
        byte* last = stackalloc byte[2 * BlockBytes];
        int blocks = Pad(
            new ReadOnlySpan<byte>(message, length),
            whole * BlockBytes,
            new Span<byte>(last, 2 * BlockBytes)
        );
        compression.Compress(state, last, blocks);
        for (int w = 0; w < StateWords; w++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(new Span<byte>(digest + (w * sizeof(uint)), sizeof(uint)), state[w]);
        }
    }

    /// <summary>As 64 lower-case hexadecimal digits.</summary>
    [SkipLocalsInit]
    public static void HashToHex(ReadOnlySpan<byte> message, Span<byte> hex)
    {
        Span<byte> digest = stackalloc byte[DigestBytes];
        Hash(message, digest);
        Convert.TryToHexStringLower(digest, hex, out _);
    }

    /// <summary>Blocks of a message with its padding.</summary>
    public static int Blocks(int messageBytes) => ((messageBytes + LeastPadding - 1) / BlockBytes) + 1;

    /// <summary>Writes the end of a message, from a block's start on, and its padding; returns the number of blocks.</summary>
    public static int Pad(ReadOnlySpan<byte> message, int from, Span<byte> target)
    {
        ReadOnlySpan<byte> rest = message[from..];
        int blocks = Blocks(rest.Length);
        int end = blocks * BlockBytes;
        Span<byte> last = target.Slice(end - BlockBytes, BlockBytes);

        // Of a known length: two stores, where what is left of the block would be a call.
        last.Clear();
        rest.CopyTo(target);
        target[rest.Length] = 0x80;
        if (rest.Length + 1 < end - BlockBytes)
        {
            target[(rest.Length + 1)..(end - BlockBytes)].Clear();
        }

        BinaryPrimitives.WriteUInt64BigEndian(last[(BlockBytes - sizeof(ulong))..], 8 * (ulong)message.Length);
        return blocks;
    }

    private static uint[] ScheduleOfPadding(int messageBytes)
    {
        uint[] words = new uint[Rounds];
        words[0] = 0x80000000;
        words[BlockWords - 1] = 8 * (uint)messageBytes;
        for (int t = BlockWords; t < Rounds; t++)
        {
            uint near = words[t - 2];
            uint far = words[t - 15];
            near = BitOperations.RotateRight(near, 17) ^ BitOperations.RotateRight(near, 19) ^ (near >> 10);
            far = BitOperations.RotateRight(far, 7) ^ BitOperations.RotateRight(far, 18) ^ (far >> 3);
            words[t] = near + words[t - 7] + far + words[t - 16];
        }

        for (int t = 0; t < Rounds; t++)
        {
            words[t] += RoundConstants[t];
        }

        return words;
    }
}
