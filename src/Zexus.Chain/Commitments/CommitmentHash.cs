using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>The digests of docs/commitments.md and docs/store.md: the one place where the chain hashes.</summary>
internal static class CommitmentHash
{
    private const byte PathTag = 0xF8;
    private const byte LeafTag = 0xF9;
    private const byte NodeTag = 0xFA;
    private const byte LinkTag = 0xFB;
    private const byte ReceiptTag = 0xFC;
    private const byte EventTag = 0xFD;
    private const byte AuditTag = 0xFE;
    private const byte CalledEventTag = 0xFF;

    /// <summary>Bytes that are hashed for a node.</summary>
    public const int NodeSize = 1 + (2 * Digest.Size);

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Throws ArgumentException for half of a surrogate pair, as all of these do.</summary>
    public static Digest Path(string contract, string key) => Hash(PathTag, [], contract, key, []);

    public static Digest Leaf(string contract, string key, ReadOnlySpan<byte> constant) =>
        Hash(LeafTag, [], contract, key, constant);

    public static Digest Link(Digest before, string contract, ReadOnlySpan<byte> constant) =>
        Chained(LinkTag, before, contract, constant);

    public static Digest Event(Digest before, string name, ReadOnlySpan<byte> constant) =>
        Chained(EventTag, before, name, constant);

    public static Digest CalledEvent(Digest before, string contract, string name, ReadOnlySpan<byte> constant)
    {
        Span<byte> head = stackalloc byte[Digest.Size];
        before.CopyTo(head);
        return Hash(CalledEventTag, head, contract, name, constant);
    }

    public static Digest Audit(Digest before, string contract, ReadOnlySpan<byte> constant) =>
        Chained(AuditTag, before, contract, constant);

    public static Digest Receipt(Digest before, ReadOnlySpan<byte> constant) =>
        Chained(ReceiptTag, before, "", constant);

    private static Digest Chained(byte tag, Digest before, string text, ReadOnlySpan<byte> constant)
    {
        Span<byte> head = stackalloc byte[Digest.Size];
        before.CopyTo(head);
        return Hash(tag, head, text, null, constant);
    }

    [SkipLocalsInit]
    public static Digest Node(Digest left, Digest right)
    {
        Span<byte> message = stackalloc byte[NodeSize];
        WriteNode(message, left, right);
        Span<byte> digest = stackalloc byte[Digest.Size];
        Sha256.Hash(message, digest);
        return new Digest(digest);
    }

    /// <summary>What is hashed for a node.</summary>
    public static void WriteNode(Span<byte> message, Digest left, Digest right)
    {
        message[0] = NodeTag;
        left.CopyTo(message[1..]);
        right.CopyTo(message[(1 + Digest.Size)..]);
    }

    /// <summary>Of many nodes at once, none of which is part of another: messages and digests one behind the other.</summary>
    public static void Nodes(ReadOnlySpan<byte> messages, Span<byte> digests)
    {
        Sha256Batch batch = Sha256Batch.Best;
        if (messages.Length >= batch.Fewest * NodeSize)
        {
            NodesInLanes(batch, ref messages, ref digests);
        }

        for (; messages.Length > 0; messages = messages[NodeSize..], digests = digests[Digest.Size..])
        {
            Sha256.Hash(messages[..NodeSize], digests);
        }
    }

    /// <summary>As many as fill enough lanes; the rest is left.</summary>
    [SkipLocalsInit]
    private static unsafe void NodesInLanes(Sha256Batch batch, ref ReadOnlySpan<byte> messages, ref Span<byte> digests)
    {
        int blocks = Sha256.Blocks(NodeSize);
        int padded = blocks * Sha256.BlockBytes;
        byte* rows = stackalloc byte[padded * batch.Lanes];
        uint* states = stackalloc uint[Sha256.StateWords * batch.Lanes];
        while (messages.Length >= batch.Fewest * NodeSize)
        {
            int nodes = Math.Min(batch.Lanes, messages.Length / NodeSize);
            for (int i = 0; i < nodes; i++)
            {
                _ = Sha256.Pad(messages.Slice(i * NodeSize, NodeSize), 0, new Span<byte>(rows + (i * padded), padded));
            }

            batch.Hash(rows, blocks, states, batch.Lanes);
            for (int i = 0; i < nodes; i++)
            {
                for (int w = 0; w < Sha256.StateWords; w++)
                {
                    BinaryPrimitives.WriteUInt32BigEndian(
                        digests[((i * Digest.Size) + (w * sizeof(uint)))..],
                        states[(w * batch.Lanes) + i]
                    );
                }
            }

            messages = messages[(nodes * NodeSize)..];
            digests = digests[(nodes * Digest.Size)..];
        }
    }

    [SkipLocalsInit]
    private static Digest Hash(
        byte tag,
        ReadOnlySpan<byte> head,
        string contract,
        string? key,
        ReadOnlySpan<byte> constant
    )
    {
        int contractBytes = Bytes(contract, "contract");
        int keyBytes = key is null ? 0 : Bytes(key, "key");
        const int mostPrefixes = 2 * 5;
        int room = checked(1 + head.Length + mostPrefixes + contractBytes + keyBytes + constant.Length);
        byte[]? rented = room <= 512 ? null : ArrayPool<byte>.Shared.Rent(room);
        Span<byte> message = rented ?? stackalloc byte[512];
        message[0] = tag;
        head.CopyTo(message[1..]);
        int used = 1 + head.Length;
        used += WriteText(message[used..], contract, contractBytes);
        used += key is null ? 0 : WriteText(message[used..], key, keyBytes);
        constant.CopyTo(message[used..]);
        used += constant.Length;

        Span<byte> digest = stackalloc byte[Digest.Size];
        Sha256.Hash(message[..used], digest);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return new Digest(digest);
    }

    /// <summary>In UTF-8. Throws ArgumentException for half of a surrogate pair.</summary>
    public static int Bytes(string text, string what)
    {
        try
        {
            return Utf8.GetByteCount(text);
        }
        catch (EncoderFallbackException)
        {
            throw new ArgumentException(
                $"the {what} has half of a surrogate pair; text is a sequence of Unicode scalar values",
                what
            );
        }
    }

    private static int WriteText(Span<byte> target, string text, int bytes)
    {
        int used = 0;
        uint length = (uint)bytes;
        for (; length >= 0x80; length >>= 7)
        {
            target[used++] = (byte)(length | 0x80);
        }

        target[used++] = (byte)length;
        return used + Utf8.GetBytes(text, target[used..]);
    }
}
