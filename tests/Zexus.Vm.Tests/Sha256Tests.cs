using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Xunit;
using Zexus.Isa;
using static Zexus.Vm.Tests.Assembly;

namespace Zexus.Vm.Tests;

/// <summary>Every implementation of SHA-256, on the class library's digests; one that this processor lacks is skipped, by name.</summary>
public sealed unsafe class Sha256Tests
{
    private const int Longest = 300;

    [Fact]
    public void PortableCompression() => CheckMessages(Sha256Compression.Portable);

    [OpenSslFact]
    public void OpenSslCompression() => CheckMessages(Sha256Compression.OpenSsl);

    [Fact]
    public void ClassLibrary() => CheckMessages(null);

    [Fact]
    public void ScalarBatch() => CheckBatch(Sha256Batch.Scalar);

    [Avx2Fact]
    public void Avx2Batch() => CheckBatch(Sha256Batch.Avx2);

    [Avx512Fact]
    public void Avx512Batch() => CheckBatch(Sha256Batch.Avx512);

    [Fact]
    public void ScalarPairs() => CheckLevels(Sha256Batch.Scalar);

    [Avx2Fact]
    public void Avx2Pairs() => CheckLevels(Sha256Batch.Avx2);

    [Avx512Fact]
    public void Avx512Pairs() => CheckLevels(Sha256Batch.Avx512);

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(1000)]
    public void MerkleRootOfAProgram(int leaves)
    {
        string[] texts = [.. Enumerable.Range(0, leaves).Select(i => new string('x', i % 270) + i)];
        Assembly assembly = new();
        Instruction[] code = [.. texts.Select(assembly.Const), Op(Opcode.MERKLE_ROOT, leaves)];
        ExecutionResult result = assembly.Function("main", code).Run();
        Assert.Equal(Root([.. texts.Select(Encoding.UTF8.GetBytes)]), result.Value.AsString);
    }

    private static void CheckMessages(Sha256Compression? compression)
    {
        // FIPS 180-2, B.1 to B.3, and the empty message.
        Check(compression, "abc"u8, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        Check(
            compression,
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"u8,
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        byte[] million = [.. Enumerable.Repeat((byte)'a', 1_000_000)];
        Check(compression, million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        Check(compression, [], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        Random random = new(7);
        for (int length = 0; length <= Longest; length++)
        {
            byte[] message = Bytes(random, length);
            Check(compression, message, Hex(message));
        }

        foreach (int length in (int[])[8191, 8192, 8193])
        {
            byte[] message = Bytes(random, length);
            Check(compression, message, Hex(message));
        }
    }

    private static void Check(Sha256Compression? compression, ReadOnlySpan<byte> message, string expected)
    {
        Span<byte> digest = stackalloc byte[Sha256.DigestBytes];
        Sha256.Hash(compression, message, digest);
        Assert.Equal(expected, Convert.ToHexStringLower(digest));
    }

    private static void CheckBatch(Sha256Batch batch)
    {
        Random random = new(7);
        for (int length = 0; length <= Longest; length++)
        {
            // Other bytes in each lane: a lane that gets its neighbour's shows.
            byte[][] messages = [.. Enumerable.Range(0, batch.Lanes).Select(_ => Bytes(random, length))];
            int blocks = Sha256.Blocks(length);
            byte[] padded = new byte[blocks * Sha256.BlockBytes * batch.Lanes];
            for (int lane = 0; lane < batch.Lanes; lane++)
            {
                Assert.Equal(blocks, Sha256.Pad(messages[lane], 0, padded.AsSpan(lane * blocks * Sha256.BlockBytes)));
            }

            uint[] digests = new uint[Sha256.StateWords * batch.Lanes];
            fixed (byte* from = padded)
            fixed (uint* to = digests)
            {
                batch.Hash(from, blocks, to, batch.Lanes);
            }

            for (int lane = 0; lane < batch.Lanes; lane++)
            {
                string digest = string.Concat(
                    Enumerable
                        .Range(0, Sha256.StateWords)
                        .Select(w => digests[(w * batch.Lanes) + lane].ToString("x8", CultureInfo.InvariantCulture))
                );
                Assert.Equal(Hex(messages[lane]), digest);
            }
        }
    }

    /// <summary>Every node of the trees of one to seventy leaves, of a few hundred, and of leaves of all lengths.</summary>
    private static void CheckLevels(Sha256Batch batch)
    {
        Random random = new(7);
        foreach (int count in Enumerable.Range(1, 70).Append(333))
        {
            byte[][] leaves = [.. Enumerable.Range(0, count).Select(_ => Bytes(random, random.Next(Longest)))];
            CheckLevels(batch, leaves, expected: count);
            CheckLevels(batch, leaves, expected: 1);
            CheckLevels(batch, [.. leaves.Select((_, i) => Encoding.ASCII.GetBytes($"{i}"))], expected: count);
        }
    }

    private static void CheckLevels(Sha256Batch batch, byte[][] leaves, int expected)
    {
        MerkleLevel level = new(expected, batch);
        foreach (byte[] leaf in leaves)
        {
            level.Add(leaf);
        }

        string[] nodes = [.. leaves.Select(leaf => Hex(leaf))];
        byte[] hex = new byte[Sha256.HexBytes];
        while (true)
        {
            Assert.Equal(nodes.Length, level.Count);
            for (int i = 0; i < nodes.Length; i++)
            {
                level.CopyHex(i, hex);
                Assert.Equal(nodes[i], Encoding.ASCII.GetString(hex));
            }

            if (nodes.Length == 1)
            {
                return;
            }

            nodes = Parents(nodes);
            level.Ascend();
        }
    }

    private static string Root(byte[][] leaves)
    {
        string[] nodes = [.. leaves.Select(leaf => Hex(leaf))];
        while (nodes.Length > 1)
        {
            nodes = Parents(nodes);
        }

        return nodes[0];
    }

    private static string[] Parents(string[] nodes) =>
        [.. nodes.Chunk(2).Select(pair => Hex(Encoding.ASCII.GetBytes(pair[0] + pair[^1])))];

    private static string Hex(byte[] message) => Convert.ToHexStringLower(SHA256.HashData(message));

    private static byte[] Bytes(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private sealed class OpenSslFactAttribute : FactAttribute
    {
        public OpenSslFactAttribute() =>
            Skip = Sha256Compression.OpenSsl is null ? "no libcrypto with SHA256_Transform on this machine" : null;
    }

    private sealed class Avx2FactAttribute : FactAttribute
    {
        public Avx2FactAttribute() => Skip = Sha256Batch.Avx2.IsSupported ? null : "this processor has no AVX2";
    }

    private sealed class Avx512FactAttribute : FactAttribute
    {
        public Avx512FactAttribute() => Skip = Sha256Batch.Avx512.IsSupported ? null : "this processor has no AVX-512";
    }
}
