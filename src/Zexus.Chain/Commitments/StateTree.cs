using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Zexus.Chain;

/// <summary>
/// The tree of digests over a state (docs/commitments.md), kept in memory and changed by batches of writes, in the cost of what
/// changed: log2 of the pairs many nodes a write, those above several writes hashed once a batch. It has paths and digests, no values, and numbers its
/// leaves: 72 bytes a pair and 40 a node, of which there are some 1.44 a pair. Belongs to one thread.
/// </summary>
public sealed partial class StateTree
{
    /// <summary>Bits of a path.</summary>
    internal const int MostDepth = 8 * Digest.Size;

    /// <summary>Nodes that are handed to the hash together.</summary>
    private const int HashedTogether = 64;

    private readonly Func<string, string, Digest> _pathOf;
    private readonly List<int>?[] _stale = new List<int>?[MostDepth];
    private Pool<Node> _nodes = new();
    private Pool<Leaf> _leaves = new();
    private readonly List<(long Leaf, int Write)> _made = [];
    private Link _root;

    /// <summary>Of the empty state.</summary>
    public StateTree()
        : this(CommitmentHash.Path) { }

    /// <summary>With other paths, for tests: paths that are hashes share only their first bits.</summary>
    internal StateTree(Func<string, string, Digest> pathOf) => _pathOf = pathOf;

    /// <summary>Where in the tree a contract's key is. Throws ArgumentException for half of a surrogate pair.</summary>
    public static Digest PathOf(string contract, string key) => CommitmentHash.Path(contract, key);

    /// <summary>The state root.</summary>
    public Digest Root => DigestOf(_root);

    /// <summary>Pairs.</summary>
    public int Count => _leaves.Count;

    /// <summary>The number of the leaf that was made last: they are 1, 2 and so on. A leaf keeps its number until it is removed.</summary>
    internal long LastLeaf { get; private set; }

    /// <summary>The leaves that the last update has made, and the places of the writes that did.</summary>
    internal IReadOnlyList<(long Leaf, int Write)> Made => _made;

    /// <summary>Nodes, leaves not counted.</summary>
    internal int NodeCount => _nodes.Count;

    /// <summary>Nodes hashed so far.</summary>
    internal long NodesHashed { get; private set; }

    /// <summary>
    /// Applies all of the writes; of those to one key the last. Throws ArgumentException for a contract or key that has half of a
    /// surrogate pair, and then nothing has changed.
    /// </summary>
    public void Update(params ReadOnlySpan<StateWrite> writes)
    {
        Change[] changes = ArrayPool<Change>.Shared.Rent(writes.Length);
        try
        {
            Update(changes.AsSpan(0, Order(writes, changes)));
        }
        finally
        {
            ArrayPool<Change>.Shared.Return(changes);
        }
    }

    /// <summary>In the order of their paths, one a path.</summary>
    private void Update(Span<Change> changes)
    {
        int version = NoVersion;
        ApplyFromRoot(changes, ref version);
        HashStale();
    }

    private void ApplyFromRoot(Span<Change> changes, ref int version)
    {
        _made.Clear();
        _root = Apply(_root, 0, changes, ref version, out bool changed);
        if (_pages is not null && changed)
        {
            _ = _pages.Changed.Add(PageOf(default, 0));
            _pages.Log(changes);
        }
    }

    /// <summary>
    /// The proof of what a contract's key holds, or that it holds nothing. The tree has no values, so the caller is asked for the pair at a path:
    /// that of the key or, if the key is not there, perhaps another's. Throws InvalidOperationException when that pair is not the one that
    /// the tree was given, and ArgumentException for half of a surrogate pair.
    /// </summary>
    public StateProof Prove(string contract, string key, Func<Digest, StatePair> pairAt) =>
        Prove(contract, key, (path, _) => pairAt(path));

    /// <summary>The same for who knows pairs by the numbers of their leaves.</summary>
    internal StateProof Prove(string contract, string key, Func<Digest, long, StatePair> pairAt)
    {
        Digest path = _pathOf(contract, key);
        ImmutableArray<Digest>.Builder siblings = ImmutableArray.CreateBuilder<Digest>();
        Link at = _root;
        while (at.IsNode)
        {
            Node node = Loaded(at.Number, siblings.Count, path);
            bool right = path.Bit(siblings.Count);
            siblings.Add(DigestOf(right ? node.Left : node.Right));
            at = right ? node.Right : node.Left;
        }

        StatePair? end = at.IsLeaf ? PairOf(_leaves[at.Number], pairAt) : null;
        return new StateProof(Root, contract, key, siblings.ToImmutable(), end);
    }

    /// <summary>Is there a pair of this contract and key?</summary>
    public bool Contains(string contract, string key) => LeafOf(contract, key) != 0;

    /// <summary>The number of the leaf of a contract's key; 0 when there is none.</summary>
    internal long LeafOf(string contract, string key)
    {
        Digest path = _pathOf(contract, key);
        Link at = _root;
        for (int depth = 0; at.IsNode; depth++)
        {
            Node node = Loaded(at.Number, depth, path);
            at = path.Bit(depth) ? node.Right : node.Left;
        }

        return at.IsLeaf && _leaves[at.Number].Path == path ? _leaves[at.Number].Number : 0;
    }

    /// <summary>Throws InvalidOperationException, with what is wrong, unless every node is as the pairs below it demand.</summary>
    internal void Verify()
    {
        (int nodes, int leaves) = Verify(_root, 0, default);
        if (nodes != _nodes.Count || leaves != _leaves.Count)
        {
            throw new InvalidOperationException(
                $"{nodes} nodes and {leaves} leaves are in the tree, {_nodes.Count} and {_leaves.Count} in use"
            );
        }
    }

    private static StatePair PairOf(Leaf leaf, Func<Digest, long, StatePair> pairAt)
    {
        StatePair pair = pairAt(leaf.Path, leaf.Number);
        return CommitmentHash.Leaf(pair.Contract, pair.Key, Constants.Encode(pair.Value)) == leaf.Digest
            ? pair
            : throw new InvalidOperationException(
                $"the pair that was found at path {leaf.Path} is not the one that the tree has there"
            );
    }

    /// <summary>The changes in the order of their paths, one a path; returns how many.</summary>
    private int Order(ReadOnlySpan<StateWrite> writes, Span<Change> changes)
    {
        Digest[] paths = ArrayPool<Digest>.Shared.Rent(writes.Length);
        ulong[] firsts = ArrayPool<ulong>.Shared.Rent(writes.Length);
        int[] order = ArrayPool<int>.Shared.Rent(writes.Length);
        try
        {
            for (int i = 0; i < writes.Length; i++)
            {
                paths[i] = _pathOf(writes[i].Contract, writes[i].Key);
                firsts[i] = paths[i].First;
                order[i] = i;
            }

            Array.Sort(firsts, order, 0, writes.Length);
            SortEqualFirsts(firsts.AsSpan(0, writes.Length), order, paths);

            int count = 0;
            for (int i = 0; i < writes.Length; i++)
            {
                bool isOverwritten = i + 1 < writes.Length && paths[order[i]] == paths[order[i + 1]];
                if (!isOverwritten)
                {
                    StateWrite write = writes[order[i]];
                    changes[count++] = new Change
                    {
                        Path = paths[order[i]],
                        IsRemoval = write.IsRemoval,
                        Leaf = write.IsRemoval
                            ? Digest.None
                            : CommitmentHash.Leaf(write.Contract, write.Key, write.Constant.Span),
                        Write = order[i],
                    };
                }
            }

            return count;
        }
        finally
        {
            ArrayPool<Digest>.Shared.Return(paths);
            ArrayPool<ulong>.Shared.Return(firsts);
            ArrayPool<int>.Shared.Return(order);
        }
    }

    /// <summary>Paths that agree in 64 bits are nearly always of one key: those by the whole path, and then as they came.</summary>
    private static void SortEqualFirsts(ReadOnlySpan<ulong> firsts, int[] order, Digest[] paths)
    {
        for (int start = 0; start < firsts.Length; )
        {
            int end = start + 1;
            while (end < firsts.Length && firsts[end] == firsts[start])
            {
                end++;
            }

            if (end - start > 1)
            {
                SortRun(order.AsSpan(start, end - start), paths);
            }

            start = end;
        }
    }

    /// <summary>Apart, since its closure is an object.</summary>
    private static void SortRun(Span<int> run, Digest[] paths) =>
        run.Sort((a, b) => paths[a].CompareTo(paths[b]) is not 0 and int byPath ? byPath : a.CompareTo(b));

    /// <summary>The subtree at this depth after the changes, all of which lie in it. What has to be hashed is put down as stale.</summary>
    private Link Apply(Link at, int depth, Span<Change> changes, ref int version, out bool changed)
    {
        if (changes.IsEmpty)
        {
            changed = false;
            return at;
        }

        if (at.IsNode)
        {
            return ApplyToNode(at.Number, depth, changes, ref version, out changed);
        }

        return at.IsLeaf
            ? ApplyToLeaf(at, depth, changes, ref version, out changed)
            : ApplyToNothing(depth, changes, ref version, out changed);
    }

    private Link ApplyToNothing(int depth, Span<Change> changes, ref int version, out bool changed)
    {
        int first = FirstPut(changes);
        changed = first >= 0;
        if (!changed)
        {
            return default;
        }

        changes = changes[first..];
        return FirstPut(changes[1..]) < 0
            ? NewLeaf(ref changes[0])
            : ApplyToNode(NewNode(default, default), depth, changes, ref version, out _);
    }

    private Link ApplyToLeaf(Link at, int depth, Span<Change> changes, ref int version, out bool changed)
    {
        Digest path = _leaves[at.Number].Path;
        bool isAlone = changes.Length == 1;
        if (isAlone && changes[0].Path == path)
        {
            ref Leaf leaf = ref _leaves[at.Number];
            changed = changes[0].IsRemoval || leaf.Digest != changes[0].Leaf;
            leaf.Digest = changes[0].Leaf;
            if (changes[0].Number == 0)
            {
                changes[0].Number = leaf.Number;
            }
            else
            {
                // A log has of a leaf that went and came again only the last.
                leaf.Number = changes[0].Number;
            }

            if (!changes[0].IsRemoval)
            {
                return at;
            }

            _leaves.GiveBack(at.Number);
            return default;
        }

        if (isAlone && changes[0].IsRemoval)
        {
            changed = false;
            return at;
        }

        int node = path.Bit(depth) ? NewNode(default, at) : NewNode(at, default);
        return ApplyToNode(node, depth, changes, ref version, out changed);
    }

    private Link ApplyToNode(int number, int depth, Span<Change> changes, ref int version, out bool changed)
    {
        int split = FirstRight(changes, depth);
        Node node = Loaded(number, depth, changes[0].Path);
        (int left, int right) = VersionsBelow(depth, version);
        node.Left = Apply(node.Left, depth + 1, changes[..split], ref left, out bool leftChanged);
        node.Right = Apply(node.Right, depth + 1, changes[split..], ref right, out bool rightChanged);
        changed = leftChanged || rightChanged;
        if (changed && _pages is not null && depth % PageLevels == 0 && depth <= DeepestPage)
        {
            _ = _pages.Changed.Add(PageOf(changes[0].Path, depth));
        }

        if (node.Left.IsNone ? !node.Right.IsNode : node.Right.IsNone && !node.Left.IsNode)
        {
            // One leaf is left, or nothing.
            Supersede(depth, version);
            version = NoVersion;
            _nodes.GiveBack(number);
            return node.Left.IsNone ? node.Right : node.Left;
        }

        if (changed)
        {
            _nodes[number] = node;
            if (_keepsVersions)
            {
                Supersede(depth, version);
                version = NewVersion(depth, number, node, left, right);
            }
            else
            {
                (_stale[depth] ??= []).Add(number);
            }
        }

        return Link.ToNode(number);
    }

    /// <summary>-1 if there is none.</summary>
    private static int FirstPut(ReadOnlySpan<Change> changes)
    {
        for (int i = 0; i < changes.Length; i++)
        {
            if (!changes[i].IsRemoval)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>The first of the changes, in order of path, that has a 1 at this depth.</summary>
    private static int FirstRight(ReadOnlySpan<Change> changes, int depth)
    {
        int low = 0;
        int high = changes.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (changes[middle].Path.Bit(depth))
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    /// <summary>The deepest first.</summary>
    private void HashStale()
    {
        for (int depth = MostDepth - 1; depth >= 0; depth--)
        {
            if (_stale[depth] is { Count: > 0 } stale)
            {
                Hash(new StaleNodes(this, stale));
                stale.Clear();
            }
        }
    }

    private readonly struct StaleNodes(StateTree tree, List<int> stale) : INodesOfDepth
    {
        public int Count => stale.Count;

        public (Digest Left, Digest Right) Sides(int i)
        {
            ref readonly Node node = ref tree._nodes[stale[i]];
            return (tree.DigestOf(node.Left), tree.DigestOf(node.Right));
        }

        public void Hashed(int i, Digest digest) => tree._nodes[stale[i]].Digest = digest;
    }

    /// <summary>What is to be hashed of one depth. None of it depends on another, so it is hashed many at a time.</summary>
    private interface INodesOfDepth
    {
        int Count { get; }

        (Digest Left, Digest Right) Sides(int i);

        void Hashed(int i, Digest digest);
    }

    [SkipLocalsInit]
    private void Hash<TNodes>(TNodes nodes)
        where TNodes : struct, INodesOfDepth
    {
        Span<byte> messages = stackalloc byte[HashedTogether * CommitmentHash.NodeSize];
        Span<byte> digests = stackalloc byte[HashedTogether * Digest.Size];
        for (int start = 0; start < nodes.Count; start += HashedTogether)
        {
            int count = Math.Min(HashedTogether, nodes.Count - start);
            for (int i = 0; i < count; i++)
            {
                (Digest left, Digest right) = nodes.Sides(start + i);
                CommitmentHash.WriteNode(messages[(i * CommitmentHash.NodeSize)..], left, right);
            }

            CommitmentHash.Nodes(messages[..(count * CommitmentHash.NodeSize)], digests);
            for (int i = 0; i < count; i++)
            {
                nodes.Hashed(start + i, new Digest(digests.Slice(i * Digest.Size, Digest.Size)));
            }
        }

        NodesHashed += nodes.Count;
    }

    private Digest DigestOf(Link at) =>
        at.IsNode ? _nodes[at.Number].Digest
        : at.IsLeaf ? _leaves[at.Number].Digest
        : Digest.None;

    private int NewNode(Link left, Link right)
    {
        int number = _nodes.Take();
        _nodes[number] = new Node { Left = left, Right = right };
        return number;
    }

    /// <summary>A leaf that is not known by a number gets the next.</summary>
    private Link NewLeaf(ref Change change)
    {
        if (change.Number == 0)
        {
            change.Number = ++LastLeaf;
            _made.Add((change.Number, change.Write));
        }

        return NewLeaf(change.Path, change.Leaf, change.Number);
    }

    private Link NewLeaf(Digest path, Digest digest, long leaf)
    {
        int number = _leaves.Take();
        _leaves[number] = new Leaf
        {
            Path = path,
            Digest = digest,
            Number = leaf,
        };
        return Link.ToLeaf(number);
    }

    private (int Nodes, int Leaves) Verify(Link at, int depth, Digest prefix)
    {
        if (at.IsNone)
        {
            return (0, 0);
        }

        if (at.IsLeaf)
        {
            Digest path = _leaves[at.Number].Path;
            for (int i = 0; i < depth; i++)
            {
                if (path.Bit(i) != prefix.Bit(i))
                {
                    throw new InvalidOperationException($"the leaf of path {path} is not on it at depth {depth}");
                }
            }

            return (0, 1);
        }

        Node node = _nodes[at.Number];
        if (node.Digest != CommitmentHash.Node(DigestOf(node.Left), DigestOf(node.Right)))
        {
            throw new InvalidOperationException($"a node at depth {depth} has another digest than its two sides give");
        }

        (int leftNodes, int leftLeaves) = Verify(node.Left, depth + 1, prefix);
        (int rightNodes, int rightLeaves) = Verify(node.Right, depth + 1, prefix.WithBit(depth));
        return leftLeaves + rightLeaves < 2
            ? throw new InvalidOperationException($"a node at depth {depth} has fewer than two leaves below it")
            : (leftNodes + rightNodes + 1, leftLeaves + rightLeaves);
    }

    /// <summary>Nothing, a node or a leaf.</summary>
    private readonly struct Link
    {
        private readonly int _value;

        private Link(int value) => _value = value;

        /// <summary>In the place of a node's left side: both are still in their page.</summary>
        public static Link InPage => new(int.MinValue);

        public bool IsNone => _value == 0;

        public bool IsNode => _value > 0;

        public bool IsLeaf => _value is < 0 and > int.MinValue;

        public bool IsInPage => _value == int.MinValue;

        public int Number => _value > 0 ? _value - 1 : ~_value;

        public static Link ToNode(int number) => new(number + 1);

        public static Link ToLeaf(int number) => new(~number);
    }

    private struct Node
    {
        public Link Left;
        public Link Right;
        public Digest Digest;
    }

    private struct Leaf
    {
        public Digest Path;
        public Digest Digest;
        public long Number;
    }

    private struct Change
    {
        public Digest Path;
        public Digest Leaf;
        public bool IsRemoval;

        /// <summary>Of the leaf; 0 until it is known.</summary>
        public long Number;

        /// <summary>The place of the write.</summary>
        public int Write;
    }
}
