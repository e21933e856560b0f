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
/// <param name="Twins">Null when no two nodes side by side are equal. If <c>Pair</c> is null, too, no other leaves have the same root.</param>
/// <param name="Pair">The first leaf that reads as a pair of nodes, counted from 0; null when there is none.</param>
/// <param name="Siblings">Of the leaf that was asked for, from the leaves up; null where the node is doubled.</param>
public sealed record MerkleSummary(
    string Root,
    int Leaves,
    MerkleTwins? Twins,
    int? Pair,
    ImmutableArray<Digest?> Siblings
);

/// <summary>
/// The tree of MERKLE_ROOT over leaves that come one by one: docs/merkle.md. Leaves are hashed in parts, a perfect tree each but for the last, of which
/// the top is kept: half a byte a leaf.
/// </summary>
public sealed class MerkleTree
{
    /// <summary>A tree over them is 27 levels high.</summary>
    public const int MostLeaves = 1 << 27;

    /// <summary>Leaves of a part: their digests stay in the cache.</summary>
    private const int PartLeaves = 1024;

    /// <summary>So many levels up, what is left of a part still fills the lanes of vectors.</summary>
    private const int PartLevels = 6;

    private readonly MerkleLevel _part;
    private readonly MerkleLevel _above;
    private readonly int? _proved;
    private readonly ImmutableArray<Digest?>.Builder _siblings = ImmutableArray.CreateBuilder<Digest?>();
    private LeafHash? _hash;
    private MerkleTwins? _twins;
    private int? _pair;
    private int _merged;

    /// <param name="proved">The leaf whose siblings are wanted, counted from 0. Throws ArgumentOutOfRangeException for less.</param>
    public MerkleTree(int? proved = null)
        : this(proved, Sha256Batch.Best) { }

    internal MerkleTree(int? proved, Sha256Batch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(proved ?? 0, nameof(proved));
        _proved = proved;
        _part = new MerkleLevel(PartLeaves, batch);
        _above = new MerkleLevel(PartLeaves, batch);
    }

    /// <summary>Leaves up to now.</summary>
    public int Count => _merged + _part.Count;

    /// <summary>
    /// Adds a String by its UTF-8, which is not checked. Throws InvalidOperationException after <see cref="MostLeaves"/>.
    /// </summary>
    public void Add(ReadOnlySpan<byte> text)
    {
        BeforeAdd(LeafHash.IsPair(text));
        _part.Add(text);
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
        _part.AddDigest(bytes);
    }

    /// <summary>
    /// Makes the tree; afterwards nothing can be done with this object. Throws InvalidOperationException when there is no leaf of which the siblings
    /// are wanted.
    /// </summary>
    public MerkleSummary Complete()
    {
        int leaves = Count;
        if (_proved is int wanted && wanted >= leaves)
        {
            throw new InvalidOperationException($"there is no leaf {wanted}: there are {leaves}");
        }

        MerkleLevel top = _part;
        int level = 0;
        if (_merged > 0)
        {
            MergePart();
            top = _above;
            level = PartLevels;
        }

        for (; top.Count > 1; level++)
        {
            Look(top, level, first: 0);
            top.Ascend();
        }

        string root = leaves == 0 ? "" : NodeAt(top, 0).ToString();
        return new MerkleSummary(root, leaves, _twins, _pair, _siblings.ToImmutable());
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

        // Not before there is a leaf behind it: a whole tree ends at its root.
        if (_part.Count == PartLeaves)
        {
            MergePart();
        }
    }

    private void MergePart()
    {
        int leaves = _part.Count;
        for (int level = 0; level < PartLevels; level++)
        {
            Look(_part, level, _merged >> level);
            _part.AscendPart();
        }

        _part.MoveTo(_above);
        _merged += leaves;
    }

    /// <summary>Notes what is asked of a level, or of a part of it that begins with this node.</summary>
    private void Look(MerkleLevel nodes, int level, int first)
    {
        if ((_twins is null || level < _twins.Level) && nodes.FirstTwins() is int twin)
        {
            _twins = new MerkleTwins(level, first + twin);
        }

        if (_proved is int leaf && (leaf >> level) - first is var node && node >= 0 && node < nodes.Count)
        {
            int beside = node ^ 1;
            _siblings.Add(beside < nodes.Count ? NodeAt(nodes, beside) : null);
        }
    }

    private static Digest NodeAt(MerkleLevel nodes, int node)
    {
        Span<byte> digest = stackalloc byte[Digest.Size];
        nodes.CopyDigest(node, digest);
        return new Digest(digest);
    }
}
