using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>
/// A proof that a value is a leaf under a root of MERKLE_ROOT, and which: docs/merkle.md says what it proves and what not. As JSON:
/// docs/json.md.
/// </summary>
public sealed class MerkleProof
{
    /// <summary>No tree of <see cref="MerkleTree.MostLeaves"/> is higher.</summary>
    public const int MostSiblings = 27;

    /// <summary>Whatever is given: a proof that proves nothing is refused by its check.</summary>
    public MerkleProof(Digest root, int leaves, int index, Data leaf, ImmutableArray<Digest?> siblings)
    {
        Root = root;
        Leaves = leaves;
        Index = index;
        Leaf = leaf;
        Siblings = siblings;
    }

    /// <summary>What its maker says the root is. No check believes it.</summary>
    public Digest Root { get; }

    /// <summary>How many leaves the tree has.</summary>
    public int Leaves { get; }

    /// <summary>Which of them this is, counted from 0.</summary>
    public int Index { get; }

    /// <summary>Its value.</summary>
    public Data Leaf { get; }

    /// <summary>The nodes beside those on the way up; null where the node is doubled for want of one.</summary>
    public ImmutableArray<Digest?> Siblings { get; }

    /// <summary>Why the tree of these leaves has no proofs; "" when it has.</summary>
    public static string Ambiguity(MerkleSummary tree)
    {
        if (tree.Pair is int pair)
        {
            return $"leaf {pair} is 128 lower-case hexadecimal digits, which is what is hashed for a node";
        }

        return tree.Twins is not { } twins ? ""
            : twins.Level == 0 ? $"the leaves {twins.FirstLeaf} and {twins.SecondLeaf} are equal and side by side"
            : $"what begins with leaf {twins.FirstLeaf} and what begins with leaf {twins.SecondLeaf} are equal, {1L << twins.Level} leaves each, and side by side";
    }

    /// <summary>
    /// "" when the value is the leaf of this index under this root; else why not. The root comes from whoever checks, from a place that
    /// they trust; never from the proof.
    /// </summary>
    public string Check(Digest root, Data leaf)
    {
        if (Index < 0 || Index >= Leaves)
        {
            return $"there is no leaf {Index} of {Leaves}; they are counted from 0";
        }

        if (LeafHash.IsPair(leaf))
        {
            return "its leaf is 128 lower-case hexadecimal digits, which is what is hashed for a node";
        }

        Digest at;
        try
        {
            at = new LeafHash().Of(leaf);
        }
        catch (ArgumentException)
        {
            return "its leaf is a value that HASH_BLOCK does not hash";
        }

        int height = Height(Leaves);
        if (Siblings.Length != height)
        {
            return $"it has {Siblings.Length} siblings; a tree of {Leaves} leaves has {height} levels below its root";
        }

        int nodes = Leaves;
        int node = Index;
        for (int level = 0; level < height; level++, nodes = (nodes + 1) / 2, node /= 2)
        {
            bool isDoubled = node == nodes - 1 && node % 2 == 0;
            Digest? sibling = Siblings[level];
            if (isDoubled != sibling is null)
            {
                return isDoubled
                    ? $"sibling {level} is to be null: with {Leaves} leaves there is no node beside this one"
                    : $"sibling {level} is null: with {Leaves} leaves there is a node beside this one";
            }

            // A tree of fewer leaves, whose last node is doubled here, has the same root.
            if (sibling == at)
            {
                return $"sibling {level} equals the node that it stands beside, so the root does not say how many leaves there are";
            }

            Digest beside = sibling ?? at;
            at = node % 2 == 0 ? Parent(at, beside) : Parent(beside, at);
        }

        return at == root ? "" : $"it leads to the root {at}, not to {root}";
    }

    /// <summary>As <see cref="ToJson"/> writes it. Throws <see cref="MalformedJsonException"/> for anything else.</summary>
    /// <param name="json">UTF-8, with or without a byte order mark.</param>
    /// <param name="limits">Of the leaf; the defaults when not given.</param>
    public static MerkleProof Parse(ReadOnlyMemory<byte> json, Limits? limits = null) =>
        MerkleProofReader.Read(json, limits ?? Limits.Default);

    /// <summary>A document, a field a line.</summary>
    public string ToJson()
    {
        StringBuilder text = new();
        text.Append("{\n  \"root\": \"").Append(Root);
        text.Append("\",\n  \"leaves\": ").Append(Leaves.ToString(CultureInfo.InvariantCulture));
        text.Append(",\n  \"index\": ").Append(Index.ToString(CultureInfo.InvariantCulture));
        text.Append(",\n  \"leaf\": ");
        DataJson.Append(text, Leaf);
        text.Append(",\n  \"siblings\": [");
        for (int i = 0; i < Siblings.Length; i++)
        {
            text.Append(i == 0 ? "\n    " : ",\n    ");
            text.Append(Siblings[i] is { } sibling ? $"\"{sibling}\"" : "null");
        }

        return text.Append(Siblings.Length == 0 ? "]\n}" : "\n  ]\n}").ToString();
    }

    /// <summary>Levels below the root.</summary>
    private static int Height(int leaves)
    {
        int height = 0;
        while (1L << height < leaves)
        {
            height++;
        }

        return height;
    }

    private static Digest Parent(Digest left, Digest right)
    {
        Span<byte> digest = stackalloc byte[Digest.Size];
        Sha256.Hash(Encoding.ASCII.GetBytes($"{left}{right}"), digest);
        return new Digest(digest);
    }
}
