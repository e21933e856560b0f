using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>A level of the tree of MERKLE_ROOT (docs/semantics.md, section 8): at first its leaves, at last its root.</summary>
/// <remarks>
/// The first words of all digests, then all second words, and so on: a vector's lanes are neighbours in memory, in a level and in
/// the one above it.
/// </remarks>
internal sealed unsafe class MerkleLevel
{
    private readonly Sha256Batch _batch;
    private readonly Queue?[] _queues = new Queue?[Sha256Batch.MostBlocks];

    private readonly bool _few;
    private uint[] _words = [];
    private int _room;

    /// <param name="leaves">That there will probably be; more are no error.</param>
    /// <param name="batch">Hashes the nodes.</param>
    public MerkleLevel(int leaves, Sha256Batch batch)
    {
        _batch = batch;
        _few = leaves < batch.Fewest;
        Reserve(leaves);
    }

    public MerkleLevel(int leaves)
        : this(leaves, Sha256Batch.Best) { }

    /// <summary>Nodes of the level.</summary>
    public int Count { get; private set; }

    /// <summary>Appends the leaf of these bytes.</summary>
    public void Add(ReadOnlySpan<byte> leaf)
    {
        int blocks = Sha256.Blocks(leaf.Length);
        if (_few || blocks > Sha256Batch.MostBlocks)
        {
            AddByItself(leaf);
            return;
        }

        Queue queue = _queues[blocks - 1] ??= new Queue(blocks, _batch);
        queue.Add(leaf, Take());
        if (queue.Count == _batch.Lanes)
        {
            Hash(queue);
        }
    }

    /// <summary>Apart from those that are hashed together: in a method that allocates on the stack, .NET copies each span that it is given.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddByItself(ReadOnlySpan<byte> leaf)
    {
        Span<byte> digest = stackalloc byte[Sha256.DigestBytes];
        Sha256.Hash(leaf, digest);
        AddDigest(digest);
    }

    /// <summary>Appends a leaf that is hashed already.</summary>
    public void AddDigest(ReadOnlySpan<byte> digest) => Write(Take(), digest);

    /// <summary>Goes one level up, unless this is the root's.</summary>
    public void Ascend()
    {
        if (Count > 1)
        {
            AscendPart();
        }
    }

    /// <summary>Goes one level up as a part of a wider level: a node without a sibling is doubled, also when it is the only one here.</summary>
    [SkipLocalsInit]
    public void AscendPart()
    {
        Settle();
        if (Count % 2 == 1)
        {
            for (int w = 0; w < Sha256.StateWords; w++)
            {
                _words[(w * _room) + Count] = _words[(w * _room) + Count - 1];
            }
        }

        Count = (Count + 1) / 2;
        if (Count >= _batch.Fewest)
        {
            fixed (uint* words = _words)
            {
                _batch.HashPairs(words, _room, Count);
            }

            return;
        }

        Span<byte> pair = stackalloc byte[2 * Sha256.HexBytes];
        Span<byte> parent = stackalloc byte[Sha256.DigestBytes];
        for (int i = 0; i < Count; i++)
        {
            CopyHex(2 * i, pair);
            CopyHex((2 * i) + 1, pair[Sha256.HexBytes..]);
            Sha256.Hash(pair, parent);
            Write(i, parent);
        }
    }

    /// <summary>Goes up to the root, if there are leaves at all.</summary>
    public void AscendToRoot()
    {
        do
        {
            Ascend();
        } while (Count > 1);
    }

    /// <summary>Moves all nodes to the end of another level; none is left.</summary>
    public void MoveTo(MerkleLevel other)
    {
        Settle();
        for (int node = 0; node < Count; node++)
        {
            int place = other.Take();
            for (int w = 0; w < Sha256.StateWords; w++)
            {
                other._words[(w * other._room) + place] = _words[(w * _room) + node];
            }
        }

        Count = 0;
    }

    /// <summary>Writes the 64 digits of a node; after the last one of an odd level, those of the one before.</summary>
    [SkipLocalsInit]
    public void CopyHex(int node, Span<byte> hex)
    {
        Span<byte> digest = stackalloc byte[Sha256.DigestBytes];
        CopyDigest(node, digest);
        Convert.TryToHexStringLower(digest, hex, out _);
    }

    /// <summary>Writes the 32 bytes of a node.</summary>
    public void CopyDigest(int node, Span<byte> digest)
    {
        Settle();
        for (int w = 0; w < Sha256.StateWords; w++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(digest[(w * sizeof(uint))..], _words[(w * _room) + node]);
        }
    }

    /// <summary>The first node that equals the one after it, which is its sibling; null when there is none.</summary>
    public int? FirstTwins()
    {
        Settle();
        for (int node = 0; node + 1 < Count; node += 2)
        {
            if (_words[node] == _words[node + 1] && AreEqual(node, node + 1))
            {
                return node;
            }
        }

        return null;
    }

    private bool AreEqual(int node, int other)
    {
        for (int w = 0; w < Sha256.StateWords; w++)
        {
            if (_words[(w * _room) + node] != _words[(w * _room) + other])
            {
                return false;
            }
        }

        return true;
    }

    private void Write(int node, ReadOnlySpan<byte> digest)
    {
        for (int w = 0; w < Sha256.StateWords; w++)
        {
            _words[(w * _room) + node] = BinaryPrimitives.ReadUInt32BigEndian(digest[(w * sizeof(uint))..]);
        }
    }

    /// <summary>The place of a further leaf.</summary>
    private int Take()
    {
        // One more place, for the last of an odd level.
        if (Count + 1 >= _room)
        {
            Reserve(checked(2 * _room));
        }

        return Count++;
    }

    /// <summary>Hashes the leaves that wait for more to fill the lanes.</summary>
    private void Settle()
    {
        foreach (Queue? queue in _queues)
        {
            if (queue is { Count: > 0 })
            {
                Hash(queue);
            }
        }
    }

    [SkipLocalsInit]
    private void Hash(Queue queue)
    {
        int lanes = _batch.Lanes;
        int first = queue.Places[0];
        fixed (uint* words = _words)
        fixed (byte* messages = queue.Messages)
        {
            if (queue.Count == lanes && queue.Places[lanes - 1] - first == lanes - 1)
            {
                _batch.Hash(messages, queue.Blocks, words + first, _room);
            }
            else
            {
                uint* digests = stackalloc uint[Sha256.StateWords * lanes];
                _batch.Hash(messages, queue.Blocks, digests, lanes);
                for (int i = 0; i < queue.Count; i++)
                {
                    for (int w = 0; w < Sha256.StateWords; w++)
                    {
                        words[(w * _room) + queue.Places[i]] = digests[(w * lanes) + i];
                    }
                }
            }
        }

        queue.Count = 0;
    }

    private void Reserve(int nodes)
    {
        // Whole vectors of pairs; and not a power of two, with which all eight words of a digest would want the same cache set.
        int step = 2 * _batch.Lanes;
        int room = checked(((nodes + step) / step * step) + step);
        uint[] words = GC.AllocateUninitializedArray<uint>(checked(Sha256.StateWords * room));
        for (int w = 0; w < Sha256.StateWords; w++)
        {
            _words.AsSpan(w * _room, Count).CopyTo(words.AsSpan(w * room));
        }

        _words = words;
        _room = room;
    }

    /// <summary>Leaves of as many blocks, padded and in lanes, until the lanes are full.</summary>
    private sealed class Queue(int blocks, Sha256Batch batch)
    {
        public byte[] Messages { get; } = new byte[blocks * Sha256.BlockBytes * batch.Lanes];

        public int[] Places { get; } = new int[batch.Lanes];

        public int Blocks => blocks;

        public int Count { get; set; }

        public void Add(ReadOnlySpan<byte> leaf, int place)
        {
            _ = Sha256.Pad(leaf, 0, Messages.AsSpan(Count * blocks * Sha256.BlockBytes, blocks * Sha256.BlockBytes));
            Places[Count++] = place;
        }
    }
}
