using System.Collections.Immutable;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Xunit;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain.Tests;

/// <summary>Roots and proofs of docs/merkle.md, on a tree that is written here once more, in the plainest way.</summary>
public sealed class MerkleProofTests
{
    private const int Most = 17;

    /// <summary>CVE-2012-2459: the root does not say how often the last leaf stands there.</summary>
    [Fact]
    public void The_root_of_three_leaves_is_that_of_four_and_neither_four_nor_a_claim_of_four_has_proofs()
    {
        MerkleSummary three = Tree(["a", "b", "c"], proved: 2);
        MerkleSummary four = Tree(["a", "b", "c", "c"], proved: 3);
        Assert.Equal(three.Root, four.Root);
        Assert.Equal((null, new MerkleTwins(0, 2)), (three.Twins, four.Twins));
        Assert.Equal("", MerkleProof.Ambiguity(three));
        Assert.Equal("the leaves 2 and 3 are equal and side by side", MerkleProof.Ambiguity(four));

        Digest root = Digest.Parse(three.Root);
        Data c = Data.NewString("c");
        Assert.Equal("", new MerkleProof(root, 3, 2, c, three.Siblings).Check(root, c));
        foreach (int index in (int[])[2, 3])
        {
            Assert.StartsWith(
                "sibling 0 equals the node",
                new MerkleProof(root, 4, index, c, four.Siblings).Check(root, c),
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void Twins_are_seen_on_every_level()
    {
        MerkleSummary six = Tree([.. "123456".Select(c => $"{c}")]);
        MerkleSummary eight = Tree([.. "12345656".Select(c => $"{c}")]);
        Assert.Equal(six.Root, eight.Root);
        Assert.Equal((null, new MerkleTwins(1, 2)), (six.Twins, eight.Twins));
        Assert.Equal(
            "what begins with leaf 4 and what begins with leaf 6 are equal, 2 leaves each, and side by side",
            MerkleProof.Ambiguity(eight)
        );
    }

    /// <summary>
    /// All claims of a leaf, an index and a count under one root, with the siblings that its tree has there: what holds is true of the
    /// leaf and its index; the count is true if it is the last one's.
    /// </summary>
    [Fact]
    public void No_proof_holds_for_another_leaf_or_an_index_beyond_the_count()
    {
        int held = 0;
        for (int count = 1; count <= Most; count++)
        {
            string[] leaves = [.. Enumerable.Range(0, count).Select(i => $"leaf {i}")];
            Digest[][] levels = Levels(leaves);
            Digest root = levels[^1][0];
            Assert.Equal(root.ToString(), Tree(leaves).Root);
            for (int claimed = 0; claimed <= 2 * Most; claimed++)
            {
                for (int index = 0; index <= claimed; index++)
                {
                    foreach (bool withNull in (bool[])[true, false])
                    {
                        ImmutableArray<Digest?> siblings = Siblings(levels, claimed, index, withNull);
                        string leaf = leaves[Math.Min(index, count - 1)];
                        string reason = new MerkleProof(root, claimed, index, Data.NewString(leaf), siblings).Check(
                            root,
                            Data.NewString(leaf)
                        );
                        if (reason != "")
                        {
                            Assert.False(
                                claimed == count && index < count && withNull,
                                $"{index} of {count}: {reason}"
                            );
                            continue;
                        }

                        held++;
                        Assert.True(index < count, $"{index} of {claimed} holds, and there are {count}");
                        Assert.True(index < count - 1 || claimed == count, $"the last of {count} holds of {claimed}");
                    }
                }
            }
        }

        Assert.True(held > Most * Most / 2);
    }

    [Fact]
    public void A_leaf_that_reads_as_a_pair_of_nodes_has_no_proof()
    {
        Digest[][] levels = Levels(["a", "b"]);
        string pair = $"{levels[0][0]}{levels[0][1]}";
        Digest root = levels[1][0];
        MerkleSummary one = Tree([pair]);
        Assert.Equal((root.ToString(), 0), (one.Root, one.Pair));
        Assert.StartsWith("leaf 0 is 128", MerkleProof.Ambiguity(one), StringComparison.Ordinal);
        Data leaf = Data.NewString(pair);
        Assert.StartsWith(
            "its leaf is 128",
            new MerkleProof(root, 1, 0, leaf, []).Check(root, leaf),
            StringComparison.Ordinal
        );

        Data number = Data.NewInt(BigInteger.Pow(10, 127));
        Assert.StartsWith(
            "its leaf is 128",
            new MerkleProof(root, 1, 0, number, []).Check(root, number),
            StringComparison.Ordinal
        );
        Data shorter = Data.NewInt(BigInteger.Pow(10, 126));
        Assert.StartsWith(
            "it leads to",
            new MerkleProof(root, 1, 0, shorter, []).Check(root, shorter),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Leaves_of_every_kind_are_those_of_the_instruction()
    {
        Data[] leaves =
        [
            Data.Null,
            Data.NewBool(true),
            Data.NewInt(-7),
            Data.NewInt(BigInteger.Pow(2, 90)),
            Data.NewFloat(2.5),
            Data.NewString("caf\u00E9 \U0001F600"),
            Data.NewList([Data.NewInt(1), Data.NewString("\u00E9")]),
            Data.NewMap([new(Data.NewString("b"), Data.Null), new(Data.NewString("a"), Data.NewInt(2))]),
        ];
        MerkleTree tree = new();
        foreach (Data leaf in leaves)
        {
            tree.Add(leaf);
        }

        string names = string.Join(", ", leaves.Select((_, i) => $"v{i}"));
        string loads = string.Concat(leaves.Select((_, i) => $"    LOAD_NAME v{i}\n"));
        AssemblyResult assembly = Assembler.Assemble(
            $".func main()\n.end\n.func root({names})\n{loads}    MERKLE_ROOT {leaves.Length}\n    RETURN\n.end\n",
            "root"
        );
        using Vm.Vm vm = new(new VmOptions());
        ExecutionResult result = vm.Execute(ZexusProgram.Load(assembly.Program), new EntryCall(1, leaves));
        Assert.Equal(result.Value.AsString, tree.Complete().Root);
        Assert.Throws<ArgumentException>(() => new MerkleTree().Add(Data.NewSet([])));
    }

    /// <summary>
    /// Leaves are hashed in parts of 1,024: roots, siblings and twins are those of the levels of the whole tree, for counts around whole parts, leaves
    /// at their edges, and equal nodes in one part or another.
    /// </summary>
    [Theory]
    [InlineData(1_023)]
    [InlineData(1_024)]
    [InlineData(1_025)]
    [InlineData(1_026)]
    [InlineData(2_047)]
    [InlineData(2_048)]
    [InlineData(2_049)]
    [InlineData(3_089)]
    [InlineData(4_160)]
    [InlineData(66_000)]
    public void A_tree_of_many_parts_is_that_of_its_levels(int count)
    {
        foreach ((int first, int size) in ((int, int)[])[(0, 0), (1_030, 1), (1_032, 4), (64, 64), (1_024, 1_024)])
        {
            // What follows is equal to as many before it, as far as there are leaves.
            string[] leaves = [.. Enumerable.Range(0, count).Select(i => $"{i}")];
            for (int i = first; i < first + size && i + size < count; i++)
            {
                leaves[i + size] = leaves[i];
            }

            Digest[][] levels = Levels(leaves);
            foreach (int? proved in (int?[])[null, 0, 1_023, 1_024, 1_031, count / 2, count - 1])
            {
                if (proved >= count)
                {
                    continue;
                }

                MerkleSummary tree = Tree(leaves, proved);
                Assert.Equal((levels[^1][0].ToString(), count), (tree.Root, tree.Leaves));
                Assert.Equal(FirstTwins(levels), tree.Twins);
                IEnumerable<Digest?> siblings = proved is int leaf ? Siblings(levels, count, leaf, withNull: true) : [];
                Assert.Equal(siblings.ToArray(), [.. tree.Siblings]);
            }
        }

        Assert.Throws<InvalidOperationException>(() => Tree(["a", "b"], proved: 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MerkleTree(-1));
    }

    private static MerkleTwins? FirstTwins(Digest[][] levels)
    {
        for (int level = 0; level < levels.Length; level++)
        {
            for (int node = 0; node + 1 < levels[level].Length; node += 2)
            {
                if (levels[level][node].Equals(levels[level][node + 1]))
                {
                    return new MerkleTwins(level, node);
                }
            }
        }

        return null;
    }

    [Fact]
    public void A_proof_is_read_as_it_was_written()
    {
        MerkleSummary tree = Tree(["a", "b", "c"], proved: 2);
        string text = new MerkleProof(Digest.Parse(tree.Root), 3, 2, Data.NewString("c"), tree.Siblings).ToJson();
        Assert.Equal(text, MerkleProof.Parse(Encoding.UTF8.GetBytes(text)).ToJson());
    }

    private static ImmutableArray<Digest?> Siblings(Digest[][] levels, int claimed, int index, bool withNull)
    {
        ImmutableArray<Digest?>.Builder siblings = ImmutableArray.CreateBuilder<Digest?>();
        int nodes = claimed;
        for (int level = 0; level < levels.Length - 1; level++, nodes = (nodes + 1) / 2)
        {
            int node = index >> level;
            Digest[] row = levels[level];
            siblings.Add(
                withNull && node == nodes - 1 && node % 2 == 0 ? null : row[Math.Min(node ^ 1, row.Length - 1)]
            );
        }

        return siblings.ToImmutable();
    }

    private static MerkleSummary Tree(string[] leaves, int? proved = null)
    {
        MerkleTree tree = new(proved);
        foreach (string leaf in leaves)
        {
            tree.Add(Encoding.UTF8.GetBytes(leaf));
        }

        return tree.Complete();
    }

    private static Digest[][] Levels(string[] leaves)
    {
        List<Digest[]> levels =
        [
            [.. leaves.Select(Hash)],
        ];
        while (levels[^1].Length > 1)
        {
            levels.Add([.. levels[^1].Chunk(2).Select(pair => Hash($"{pair[0]}{pair[^1]}"))]);
        }

        return [.. levels];
    }

    private static Digest Hash(string text) => new(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
