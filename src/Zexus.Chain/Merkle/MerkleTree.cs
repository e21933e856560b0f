using System.Collections.Immutable;
using System.Text;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>Two nodes side by side that are equal, from the left, both counted from 0; the leaves are level 0.</summary>
public sealed record MerkleTwins(int Level, int Node)
{
    /// <summary>The first leaf under them, counted from 0.</summary>
    public long FirstLeaf => (long)Node << Level;

    /// <summary>The first leaf under the second of them.</summary>
    public long SecondLeaf => (Node + 1L) << Level;
}

/// <summary>What leaves come to.</summary>
/// <param name="Root">As MERKLE_ROOT gives it: 64 hexadecimal digits, "" without leaves.</param>
/// <param name="Leaves">How many there were.</param>
/// <param name="Twins">Null when no two nodes side by side are equal: then no other number of leaves has the same root.</param>
/// <param name="Pair">The first leaf that reads as a pair of nodes, counted from 0; null when there is none.</param>
/// <param name="Siblings">Of the leaf that was asked for, from the leaves up; null where the node is doubled.</param>
public sealed record MerkleSummary(
    string Root,
    int Leaves,
    MerkleTwins? Twins,
    int? Pair,
    ImmutableArray<Digest?> Siblings
);

/// <summary>The tree of MERKLE_ROOT over leaves that come one by one: docs/merkle.md. 32 bytes a leaf are kept.</summary>
public sealed class MerkleTree
{
    /// <summary>4 GiB of digests.</summary>
    public const int MostLeaves = 1 << 27;

    private const int FirstRoom = 1024;

    private readonly MerkleLevel _level = new(FirstRoom);
    private LeafHash? _hash;
    private int? _pair;

    /// <summary>Leaves up to now.</summary>
    public int Count => _level.Count;

    /// <summary>
    /// Adds a String by its UTF-8, which is not checked. Throws InvalidOperationException after <see cref="MostLeaves"/>.
    /// </summary>
    public void Add(ReadOnlySpan<byte> text)
    {
        BeforeAdd(LeafHash.IsPair(text));
        _level.Add(text);
    }

    /// <summary>
    /// Adds any leaf. Throws InvalidOperationException after <see cref="MostLeaves"/>, and ArgumentException for what HASH_BLOCK does
    /// not hash: a Set, or a Map with keys that are neither all Strings nor all Ints.
    /// </summary>
    public void Add(Data leaf)
    {
        if (leaf is Data.String text)
        {
            Add(Encoding.UTF8.GetBytes(text.value));
            return;
        }

        Digest digest = (_hash ??= new LeafHash()).Of(leaf);
        BeforeAdd(LeafHash.IsPair(leaf));
        Span<byte> bytes = stackalloc byte[Digest.Size];
        digest.CopyTo(bytes);
        _level.AddDigest(bytes);
    }

    /// <summary>Makes the tree; afterwards nothing can be done with this object.</summary>
    /// <param name="proved">The leaf whose siblings are wanted. Throws ArgumentOutOfRangeException when there is no such leaf.</param>
    public MerkleSummary Complete(int? proved = null)
    {
        if (proved is int wanted && (wanted < 0 || wanted >= Count))
        {
            throw new ArgumentOutOfRangeException(nameof(proved), wanted, $"there are {Count} leaves");
        }

        int leaves = Count;
        MerkleTwins? twins = null;
        ImmutableArray<Digest?>.Builder siblings = ImmutableArray.CreateBuilder<Digest?>();
        for (int level = 0; Count > 1; level++)
        {
            if (twins is null && _level.FirstTwins() is int node)
            {
                twins = new MerkleTwins(level, node);
            }

            if (proved is int leaf)
            {
                int beside = (leaf >> level) ^ 1;
                siblings.Add(beside < Count ? NodeAt(beside) : null);
            }

            _level.Ascend();
        }

        string root = leaves == 0 ? "" : NodeAt(0).ToString();
        return new MerkleSummary(root, leaves, twins, _pair, siblings.ToImmutable());
    }

    private void BeforeAdd(bool isPair)
    {
        if (Count >= MostLeaves)
        {
            throw new InvalidOperationException($"a tree has at most {MostLeaves:N0} leaves");
        }

        if (isPair)
        {
            _pair ??= Count;
        }
    }

    private Digest NodeAt(int node)
    {
        Span<byte> digest = stackalloc byte[Digest.Size];
        _level.CopyDigest(node, digest);
        return new Digest(digest);
    }
}
