using System.Numerics;
using Xunit;
using Zexus.Isa;

namespace Zexus.Chain.Tests;

/// <summary>The tree after batches of writes, with paths that share many bits, beside a tree that is built from the pairs by the definition.</summary>
public class StateTreeTests
{
    /// <summary>Where two of four neighbours part: near the root, at the boundaries of words, at the last bit.</summary>
    public static TheoryData<int> Depths => [0, 1, 20, 63, 64, 127, 128, 191, 200, 254, 255];

    [Fact]
    public void Of_no_pair_the_root_is_zero_and_of_one_its_leaf()
    {
        StateTree tree = new();
        Assert.Equal(new string('0', 64), $"{tree.Root}");
        tree.Update(StateWrite.Put("c", "k", Data.Null));
        Assert.Equal(CommitmentHash.Leaf("c", "k", [0]), tree.Root);
        Assert.Equal((1, 0), (tree.Count, tree.NodeCount));
        tree.Update(StateWrite.Remove("c", "k"));
        Assert.Equal((Digest.None, 0), (tree.Root, tree.Count));
    }

    [Theory]
    [MemberData(nameof(Depths))]
    public void Two_that_part_at_a_depth_have_a_node_for_each_bit_above(int depth)
    {
        Func<string, string, Digest> pathOf = Parting(depth);
        StateTree tree = new(pathOf);
        tree.Update(Put("0", 1), Put("1", 2));
        tree.Verify();
        Assert.Equal(depth + 1, tree.NodeCount);
        Assert.Equal(Definition(pathOf, [Pair("0", 1), Pair("1", 2)]), tree.Root);

        StateProof proof = tree.Prove("", "0", _ => Pair("0", 1));
        Assert.Equal(depth + 1, proof.Siblings.Length);
        Assert.All(proof.Siblings[..depth], sibling => Assert.Equal(Digest.None, sibling));
        Assert.Equal(new StateVerdict.Holds(Data.NewInt(1)), proof.Check(tree.Root, "", "0", pathOf));
        Assert.IsType<StateVerdict.Refused>(proof.Check(tree.Root, "", "1", pathOf));
    }

    [Theory]
    [MemberData(nameof(Depths))]
    public void A_removal_gives_the_tree_that_never_had_the_pair(int depth)
    {
        StateTree tree = new(Parting(depth));
        tree.Update(Put("0", 1));
        Digest before = tree.Root;
        tree.Update(Put("1", 2));
        Assert.NotEqual(before, tree.Root);
        tree.Update(StateWrite.Remove("", "1"));
        tree.Verify();
        Assert.Equal((before, 1, 0), (tree.Root, tree.Count, tree.NodeCount));

        // The pair that was there, replaced by its neighbour in one batch.
        tree.Update(StateWrite.Remove("", "0"), Put("1", 2));
        tree.Verify();
        Assert.Equal(
            (CommitmentHash.Leaf("", "1", StateWrite.Put("", "", Data.NewInt(2)).Constant.Span), 1),
            (tree.Root, tree.Count)
        );
    }

    [Theory]
    [MemberData(nameof(Depths))]
    public void Of_a_key_that_would_be_in_anothers_subtree_the_absence_is_proved_by_the_other(int depth)
    {
        Func<string, string, Digest> pathOf = Parting(depth);
        StateTree tree = new(pathOf);
        tree.Update(Put("0", 1));
        StateProof proof = tree.Prove("", "1", _ => Pair("0", 1));
        Assert.Empty(proof.Siblings);
        Assert.Equal(new StateVerdict.Absent(), proof.Check(tree.Root, "", "1", pathOf));

        // With both in the tree the old proof of absence proves nothing, and the new one proves the value.
        tree.Update(Put("1", 2));
        Assert.IsType<StateVerdict.Refused>(proof.Check(tree.Root, "", "1", pathOf));
        StateProof now = tree.Prove("", "1", path => path == pathOf("", "1") ? Pair("1", 2) : Pair("0", 1));
        Assert.Equal(new StateVerdict.Holds(Data.NewInt(2)), now.Check(tree.Root, "", "1", pathOf));
    }

    [SeededProperty(100)]
    public void Batches_give_what_the_definition_says_of_the_pairs(byte prefix, (byte Key, sbyte Value)[][] batches)
    {
        // 256 keys, of which up to 8 bits differ behind a shared prefix: few enough to be written again and removed.
        Func<string, string, Digest> pathOf = Behind(prefix % 249);
        StateTree tree = new(pathOf);
        SortedDictionary<string, int> pairs = new(StringComparer.Ordinal);
        foreach ((byte Key, sbyte Value)[] batch in batches)
        {
            List<StateWrite> writes = [];
            foreach ((byte key, sbyte value) in batch)
            {
                string name = $"{key}";
                writes.Add(value < 0 ? StateWrite.Remove("", name) : Put(name, value));
                _ = value < 0 ? pairs.Remove(name) : (pairs[name] = value) >= 0;
            }

            tree.Update([.. writes]);
            tree.Verify();
            Assert.Equal(pairs.Count, tree.Count);
            Assert.Equal(Definition(pathOf, pairs.Select(pair => Pair(pair.Key, pair.Value))), tree.Root);
        }

        for (int key = 0; key < 256; key++)
        {
            bool isThere = pairs.TryGetValue($"{key}", out int value);
            StateProof proof = tree.Prove(
                "",
                $"{key}",
                path => pairs.Select(pair => Pair(pair.Key, pair.Value)).Single(pair => pathOf("", pair.Key) == path)
            );
            Assert.Equal(isThere, tree.Contains("", $"{key}"));
            Assert.Equal(
                isThere ? new StateVerdict.Holds(Data.NewInt(value)) : new StateVerdict.Absent(),
                proof.Check(tree.Root, "", $"{key}", pathOf)
            );
        }
    }

    [SeededProperty(100)]
    public void Many_batches_at_once_give_the_root_after_each(byte prefix, (byte Key, sbyte Value)[][] batches)
    {
        Func<string, string, Digest> pathOf = Behind(prefix % 249);
        StateWrite[][] writes =
        [
            .. batches.Select(batch =>
                batch
                    .Select(write =>
                        write.Value < 0 ? StateWrite.Remove("", $"{write.Key}") : Put($"{write.Key}", write.Value)
                    )
                    .ToArray()
            ),
        ];
        StateTree one = new(pathOf);
        List<(Digest, string)> after = [];
        foreach (StateWrite[] batch in writes)
        {
            one.Update(batch);
            after.Add((one.Root, string.Join(' ', one.Made)));
        }

        // In two halves, so that nodes of the first are there before the second.
        StateTree many = new(pathOf);
        StateTree.Updated[] updated =
        [
            .. many.UpdateEach(writes.AsSpan(0, writes.Length / 2)),
            .. many.UpdateEach(writes.AsSpan(writes.Length / 2)),
        ];
        many.Verify();
        Assert.Equal(after, updated.Select(each => (each.Root, string.Join(' ', each.Made))));
        Assert.Equal((one.Root, one.Count, one.NodeCount), (many.Root, many.Count, many.NodeCount));
        one.Update(Put("0", 7));
        many.Update(Put("0", 7));
        Assert.Equal(one.Root, many.Root);
    }

    [Fact]
    public void A_node_that_was_given_back_has_the_digest_of_where_it_is_now()
    {
        StateTree tree = new(Behind(0));
        _ = tree.UpdateEach([
            [Put("0", 1), Put("64", 2), Put("128", 3), Put("192", 4)],
            // The node above these two, at depth 1, is free then, and taken by one at depth 2.
            [StateWrite.Remove("", "64")],
            [Put("160", 5)],
        ]);
        tree.Verify();
    }

    [SeededProperty(300)]
    public void A_value_is_encoded_as_the_container_has_it(int seed)
    {
        Data value = Drawn(new Random(seed), 5);
        Assert.Equal(DataForm.Encode(value), Constants.Encode(value));
        Assert.Equal(Constants.Encode(value).Length, Constants.Size(value));
        Assert.Equal(DataForm.Encode(Data.NewList([value]))[2..], Constants.EncodeItem(value));
    }

    [Theory]
    [InlineData(511, true)]
    [InlineData(512, false)]
    public void Collections_are_encoded_as_deep_as_a_container_has_them(int lists, bool isItem)
    {
        Data value = Enumerable.Range(0, lists).Aggregate(Data.Null, (inner, _) => Data.NewList([inner]));
        Assert.Equal(DataForm.Encode(value), Constants.Encode(value));
        if (isItem)
        {
            Assert.Equal(DataForm.Encode(Data.NewList([value]))[2..], Constants.EncodeItem(value));
            return;
        }

        Assert.Throws<ArgumentException>(() => Constants.EncodeItem(value));
        ArgumentException e = Assert.Throws<ArgumentException>(() => Constants.Encode(Data.NewList([value])));
        Assert.Contains("nests collections more than 512 deep", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_no_container_holds_is_not_encoded()
    {
        Assert.Contains(
            "half of a surrogate pair",
            Assert.Throws<ArgumentException>(() => Constants.Encode(Data.NewString("a\ud800"))).Message,
            StringComparison.Ordinal
        );
        Data integer = Data.NewInt(BigInteger.One << (8 * Container.IntegerBytes));
        Assert.Contains(
            "an Int needs",
            Assert.Throws<ArgumentException>(() => Constants.Encode(integer)).Message,
            StringComparison.Ordinal
        );
        // And what was begun of it is not in the next.
        Assert.Equal(DataForm.Encode(Data.NewInt(1)), Constants.Encode(Data.NewInt(1)));
    }

    private static Data Drawn(Random random, int depth)
    {
        return random.Next(depth > 0 ? 10 : 7) switch
        {
            0 => Data.Null,
            1 => Data.NewBool(random.Next(2) == 1),
            2 => Data.NewFloat(BitConverter.Int64BitsToDouble(random.NextInt64() & ~(1L << 52))),
            3 => Data.NewFloat(random.Next(2) == 1 ? BitConverter.Int64BitsToDouble(0x7FF8000000000000) : -0.0),
            4 => Data.NewInt(random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64)),
            5 => Data.NewInt((BigInteger.One << random.Next(200)) * random.Next(-2, 3)),
            6 => Data.NewString(string.Concat(Enumerable.Repeat("aé€😀", random.Next(60)))),
            7 => Data.NewList(Items()),
            8 => Data.NewSet(Items()),
            _ => Data.NewMap([.. Items().Select(key => new KeyValuePair<Data, Data>(key, Drawn(random, depth - 1)))]),
        };

        Data[] Items() => [.. Enumerable.Range(0, random.Next(4)).Select(_ => Drawn(random, depth - 1))];
    }

    [Fact]
    public void What_goes_gives_its_room_back()
    {
        StateTree tree = new();
        StateWrite[] puts = [.. Enumerable.Range(0, 1000).Select(i => Put($"k{i}", i))];
        tree.Update(puts);
        (int count, int nodes, Digest root) = (tree.Count, tree.NodeCount, tree.Root);
        for (int round = 0; round < 3; round++)
        {
            tree.Update([.. puts.Select(put => StateWrite.Remove(put.Contract, put.Key))]);
            Assert.Equal((0, 0, Digest.None), (tree.Count, tree.NodeCount, tree.Root));
            tree.Update(puts);
            Assert.Equal((count, nodes, root), (tree.Count, tree.NodeCount, tree.Root));
        }
    }

    [Fact]
    public void A_batch_hashes_each_node_above_its_writes_once_and_no_other()
    {
        StateTree tree = new();
        StateWrite[] puts = [.. Enumerable.Range(0, 4096).Select(i => Put($"k{i}", i))];
        tree.Update(puts);
        Assert.Equal(tree.NodeCount, tree.NodesHashed);

        long before = tree.NodesHashed;
        tree.Update([.. puts.Select((put, i) => Put(put.Key, i + 1))]);
        Assert.Equal(tree.NodeCount, tree.NodesHashed - before);

        before = tree.NodesHashed;
        StateProof proof = tree.Prove("", "k7", _ => Pair("k7", 8));
        tree.Update(Put("k7", -7));
        Assert.Equal(proof.Siblings.Length, tree.NodesHashed - before);

        before = tree.NodesHashed;
        tree.Update(Put("k7", -7), StateWrite.Remove("", "nobody"));
        tree.Update();
        Assert.Equal(before, tree.NodesHashed);
    }

    [Fact]
    public void The_last_write_of_a_batch_to_a_key_counts()
    {
        StateTree tree = new();
        tree.Update(Put("k", 1), StateWrite.Remove("", "k"), Put("k", 3), Put("l", 4), StateWrite.Remove("", "l"));
        Assert.Equal(CommitmentVectorTests.Tree([Pair("k", 3)]).Root, tree.Root);
    }

    [Fact]
    public void What_cannot_be_hashed_changes_nothing()
    {
        StateTree tree = new();
        tree.Update(Put("k", 1));
        Digest before = tree.Root;
        ArgumentException e = Assert.Throws<ArgumentException>(() => tree.Update(Put("l", 2), Put("\ud800", 3)));
        Assert.Contains("the key has half of a surrogate pair", e.Message, StringComparison.Ordinal);
        Assert.Equal((before, 1), (tree.Root, tree.Count));
        Assert.Throws<ArgumentException>(() => StateWrite.Put("", "k", Data.NewString("\udc00")));
        Data otherNaN = Data.NewList([
            Data.NewFloat(BitConverter.Int64BitsToDouble(unchecked((long)0xFFF8000000000000))),
        ]);
        e = Assert.Throws<ArgumentException>(() => StateWrite.Put("", "k", otherNaN));
        Assert.Contains("a NaN other than 0x7FF8000000000000", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pair_that_is_not_the_trees_is_no_proof()
    {
        StateTree tree = new();
        tree.Update(Put("k", 1));
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() =>
            tree.Prove("", "k", _ => Pair("k", 2))
        );
        Assert.Contains("is not the one that the tree has there", e.Message, StringComparison.Ordinal);
    }

    private static Digest Definition(Func<string, string, Digest> pathOf, IEnumerable<StatePair> pairs) =>
        Definition([.. pairs.Select(pair => (pathOf(pair.Contract, pair.Key), pair))], 0);

    /// <summary>docs/commitments.md, "The state root", word for word.</summary>
    private static Digest Definition((Digest Path, StatePair Pair)[] pairs, int depth) =>
        pairs switch
        {
            [] => Digest.None,
            [(_, StatePair one)] => CommitmentHash.Leaf(one.Contract, one.Key, DataForm.Encode(one.Value)),
            _ => CommitmentHash.Node(
                Definition(Array.FindAll(pairs, pair => !pair.Path.Bit(depth)), depth + 1),
                Definition(Array.FindAll(pairs, pair => pair.Path.Bit(depth)), depth + 1)
            ),
        };

    /// <summary>Keys 0 and 1 have paths that differ in that bit alone.</summary>
    private static Func<string, string, Digest> Parting(int depth) =>
        (_, key) => key == "0" ? Digest.None : Digest.None.WithBit(depth);

    /// <summary>The eight bits of keys 0 to 255, behind so many zeros.</summary>
    private static Func<string, string, Digest> Behind(int prefix) =>
        (_, key) =>
        {
            byte[] bytes = new byte[Digest.Size];
            BigInteger path = new BigInteger(byte.Parse(key)) << (256 - 8 - prefix);
            byte[] written = path.ToByteArray(isUnsigned: true, isBigEndian: true);
            written.CopyTo(bytes, bytes.Length - written.Length);
            return new Digest(bytes);
        };

    private static StateWrite Put(string key, int value) => StateWrite.Put("", key, Data.NewInt(value));

    private static StatePair Pair(string key, int value) => new("", key, Data.NewInt(value));

    /// <summary>Beside a tree that was never anything but in memory; left at any moment, with what was logged since the pages were written.</summary>
    [SeededProperty(60)]
    public void A_tree_in_pages_goes_on_from_what_was_kept(int seed)
    {
        Random random = new(seed);
        int keys = random.Next(1, 3000);
        Dictionary<long, byte[]> pages = [];
        List<(byte[] Leaves, byte[] Tops)> log = [];
        StateTree plain = new();
        StateTree kept = StateTree.InPages();
        Digest keptRoot = Digest.None;
        Write();
        for (int round = random.Next(2, 12); round > 0; round--)
        {
            StateWrite[] writes =
            [
                .. Enumerable
                    .Range(0, random.Next(1, keys))
                    .Select(_ => random.Next(keys))
                    .Select(key =>
                        random.Next(4) == 0
                            ? StateWrite.Remove("c", $"{key}")
                            : StateWrite.Put("c", $"{key}", Data.NewInt(random.Next(5)))
                    ),
            ];
            plain.Update(writes);
            kept.Update(writes);
            Assert.Equal(plain.Root, kept.Root);
            (byte[] leaves, byte[] tops) = kept.TakeLog();
            // Format 3 kept no tops.
            log.Add((leaves, random.Next(9) == 0 ? [] : tops));
            if (random.Next(3) == 0)
            {
                Write();
            }

            if (random.Next(2) == 0)
            {
                kept = StateTree.InPages(keptRoot, page => pages[page], kept.LastLeaf);
                TreeLog logged = new();
                log.ForEach(commit => logged.Add(commit.Leaves, commit.Tops));
                kept.Replay(logged);
                Assert.Equal(plain.Root, kept.Root);
            }

            string asked = $"{random.Next(keys)}";
            Assert.Equal(plain.LeafOf("c", asked), kept.LeafOf("c", asked));
        }

        Write();
        StateTree whole = StateTree.InPages(keptRoot, page => pages[page], kept.LastLeaf);
        Assert.Null(whole.Difference(plain));
        Assert.Equal(pages.Count, whole.PagesRead);

        void Write()
        {
            foreach ((long page, byte[]? bytes) in kept.TakeChangedPages())
            {
                if (bytes is null)
                {
                    pages.Remove(page);
                }
                else
                {
                    pages[page] = bytes;
                }
            }

            log.Clear();
            keptRoot = kept.Root;
        }
    }
}
