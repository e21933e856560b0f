using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Zexus.Chain;

/// <summary>What is kept of a tree cannot be right: a page is missing, malformed, or not what the page above it says.</summary>
internal sealed class DamagedTreeException(string message) : Exception(message);

/// <summary>
/// The tree in pages of eight levels, for a store: a page is read when a path first leads into it, and is right if its digest is the one that the page
/// above it has. The pages of a tree are those of its nodes at depths 0, 8, 16 and so on: docs/store.md.
/// </summary>
public sealed partial class StateTree
{
    private const int PageLevels = 8;

    /// <summary>The deepest that has pages, so that their numbers have 57 bits: what is below it is in its page.</summary>
    private const int DeepestPage = 56;

    private const byte NoneTag = 0;
    private const byte LeafTag = 1;
    private const byte NodeTag = 2;
    private const byte PageTag = 3;

    /// <summary>At the end of a page, the first bytes of the SHA-256 of all others: a leaf's digest does not bind its path.</summary>
    private const int ChecksumSize = 8;

    private readonly PageState? _pages;

    private StateTree(PageState pages)
        : this() => _pages = pages;

    /// <summary>A key's leaf in a page or a log: its path, its digest, zero when it was removed, and its number in eight bytes, the lowest first.</summary>
    internal const int LoggedSize = (2 * Digest.Size) + sizeof(long);

    /// <summary>Pages that were read.</summary>
    internal int PagesRead => _pages?.Read ?? 0;

    /// <summary>The empty state, of which the pages are to be kept.</summary>
    internal static StateTree InPages()
    {
        PageState pages = new(page => throw new DamagedTreeException($"page {page:x} is not there"));
        // The first page is there of the empty state, too.
        _ = pages.Changed.Add(PageOf(default, 0));
        return new StateTree(pages);
    }

    /// <summary>The tree of a root whose pages were kept; they are read when they are needed.</summary>
    /// <exception cref="DamagedTreeException">Its first page is not right, as later any other may be found to be.</exception>
    internal static StateTree InPages(Digest root, Func<long, byte[]> read, long lastLeaf)
    {
        StateTree tree = new(new PageState(read)) { LastLeaf = lastLeaf };
        tree._root = tree.ReadPage(PageOf(default, 0), 0);
        return tree.Root == root
            ? tree
            : throw new DamagedTreeException($"page 1 has the digest {tree.Root}, and not {root}");
    }

    /// <summary>
    /// Reads the bytes of the pages that these keys lead into, for who goes on with the tree on another thread: that would wait for the database at each of
    /// them. Pages below them are read when they are needed.
    /// </summary>
    internal void ReadAhead(IEnumerable<(string Contract, string Key)> keys)
    {
        if (_pages!.Unread == 0)
        {
            return;
        }

        Change[] paths = [.. keys.Select(key => new Change { Path = _pathOf(key.Contract, key.Key) })];
        Fetch(paths, readsPages: true);
    }

    /// <summary>The pages that have changed since the last time: their numbers and bytes, null for one that is no longer.</summary>
    internal IEnumerable<(long Page, byte[]? Bytes)> TakeChangedPages()
    {
        ReplayWaiting();
        long[] changed = [.. _pages!.Changed.Order()];
        _pages.Changed.Clear();
        ArrayBufferWriter<byte> bytes = new(16 * 1024);
        foreach (long page in changed)
        {
            int depth = 63 - System.Numerics.BitOperations.LeadingZeroCount((ulong)page);
            Link at = _root;
            for (int i = 0; i < depth && at.IsNode; i++)
            {
                Node node = _nodes[at.Number];
                at = ((page >> (depth - 1 - i)) & 1) == 1 ? node.Right : node.Left;
            }

            if (depth > 0 && !at.IsNode)
            {
                yield return (page, null);
                continue;
            }

            bytes.ResetWrittenCount();
            WritePage(at, depth, depth, bytes);
            SHA256.HashData(bytes.WrittenSpan).AsSpan(0, ChecksumSize).CopyTo(bytes.GetSpan(ChecksumSize));
            bytes.Advance(ChecksumSize);
            yield return (page, bytes.WrittenSpan.ToArray());
        }
    }

    /// <summary>What has been written since the last time, for <see cref="TreeLog"/>: leaves, and the nodes of depth 8 above them.</summary>
    internal (byte[] Leaves, byte[] Tops) TakeLog()
    {
        byte[] leaves = _pages!.Logged.WrittenSpan.ToArray();
        _pages.Logged.ResetWrittenCount();
        ArrayBufferWriter<byte> tops = new(Math.Max(1, Math.Min(leaves.Length, TreeLog.Tops * TreeLog.TopSize)));
        Span<bool> seen = stackalloc bool[TreeLog.Tops];
        for (int i = 0; i < leaves.Length; i += LoggedSize)
        {
            byte first = leaves[i];
            if (seen[first])
            {
                continue;
            }

            seen[first] = true;
            Link at = _root;
            for (int depth = 0; depth < PageLevels && at.IsNode; depth++)
            {
                Node node = _nodes[at.Number];
                at = (first >> (PageLevels - 1 - depth) & 1) == 1 ? node.Right : node.Left;
            }

            if (at.IsNode)
            {
                Span<byte> top = tops.GetSpan(TreeLog.TopSize);
                top[0] = first;
                _nodes[at.Number].Digest.CopyTo(top[1..]);
                tops.Advance(TreeLog.TopSize);
            }
        }

        return (leaves, tops.WrittenSpan.ToArray());
    }

    /// <summary>
    /// Goes on to what a log says. Below a node of depth 8 whose digest the log has, its leaves wait until a path first leads there, and are then
    /// checked against that digest.
    /// </summary>
    internal void Replay(TreeLog log)
    {
        if (ReplayTops(_root, 0, 0, log))
        {
            HashStale();
            _ = _pages!.Changed.Add(PageOf(default, 0));
        }

        Add(log.Left());
    }

    /// <summary>Adds leaves, paths and digests as a log has them.</summary>
    internal void Add(ReadOnlySpan<byte> leaves)
    {
        Update(ChangesOf(leaves));
        _pages!.Logged.ResetWrittenCount();
    }

    /// <summary>Has a digest below this node, or its own, become another?</summary>
    private bool ReplayTops(Link at, int depth, int first, TreeLog log)
    {
        if (!at.IsNode)
        {
            return false;
        }

        if (depth < PageLevels)
        {
            bool left = ReplayTops(_nodes[at.Number].Left, depth + 1, first << 1, log);
            bool right = ReplayTops(_nodes[at.Number].Right, depth + 1, (first << 1) | 1, log);
            if (left || right)
            {
                (_stale[depth] ??= []).Add(at.Number);
            }

            return left || right;
        }

        if (!log.TryTake(first, out byte[]? leaves, out Digest top))
        {
            return false;
        }

        _pages!.Waiting.Add((1L << PageLevels) | (uint)first, leaves);
        _nodes[at.Number].Digest = top;
        return true;
    }

    /// <summary>Everything that still waits is in the tree after it.</summary>
    private void ReplayWaiting()
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        bytes.Clear();
        foreach (long page in _pages!.Waiting.Keys.ToArray())
        {
            bytes[0] = (byte)page;
            Digest path = new(bytes);
            Link at = _root;
            for (int depth = 0; depth < PageLevels; depth++)
            {
                at = path.Bit(depth) ? _nodes[at.Number].Right : _nodes[at.Number].Left;
            }

            _ = Loaded(at.Number, PageLevels, path);
        }
    }

    /// <summary>Is there something that was logged and has not been checked yet?</summary>
    internal bool IsWaiting => _pages!.Waiting.Count > 0;

    /// <summary>How many pages would be written.</summary>
    internal int ChangedPages => _pages!.Changed.Count;

    private static Change[] ChangesOf(ReadOnlySpan<byte> log)
    {
        Dictionary<Digest, Change> leaves = [];
        for (; log.Length > 0; log = log[LoggedSize..])
        {
            (Digest path, Digest digest, long number) = ReadLeaf(log);
            leaves[path] = new Change
            {
                Path = path,
                Leaf = digest,
                IsRemoval = digest == Digest.None,
                Number = number,
            };
        }

        return [.. leaves.Values.OrderBy(change => change.Path)];
    }

    /// <summary>Where, from the root, another tree is not the same; null when it is. Reads all pages of both.</summary>
    internal string? Difference(StateTree other) => Difference(_root, other, other._root, 0, default);

    private string? Difference(Link here, StateTree other, Link there, int depth, Digest path)
    {
        if (here.IsNode && there.IsNode)
        {
            Node left = Loaded(here.Number, depth, path);
            Node right = other.Loaded(there.Number, depth, path);
            return Difference(left.Left, other, right.Left, depth + 1, path)
                ?? Difference(left.Right, other, right.Right, depth + 1, path.WithBit(depth))
                ?? (left.Digest == right.Digest ? null : $"another digest at depth {depth}");
        }

        return here.IsNone && there.IsNone ? null
            : !here.IsLeaf || !there.IsLeaf ? $"another shape at depth {depth} of path {path}"
            : _leaves[here.Number].Path != other._leaves[there.Number].Path
            || _leaves[here.Number].Digest != other._leaves[there.Number].Digest
                ? $"another leaf at depth {depth} of path {path}"
            : null;
    }

    private static (Digest Path, Digest Digest, long Number) ReadLeaf(ReadOnlySpan<byte> bytes) =>
        (
            new Digest(bytes[..Digest.Size]),
            new Digest(bytes[Digest.Size..(2 * Digest.Size)]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[(2 * Digest.Size)..])
        );

    internal static void WriteLeaf(Span<byte> bytes, Digest path, Digest digest, long number)
    {
        path.CopyTo(bytes);
        digest.CopyTo(bytes[Digest.Size..]);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[(2 * Digest.Size)..], number);
    }

    private static long PageOf(Digest path, int depth) =>
        depth == 0 ? 1 : (1L << depth) | (long)(path.First >> (64 - depth));

    /// <summary>A node whose two sides are there. References into the pool are none after it.</summary>
    private Node Loaded(int number, int depth, Digest path)
    {
        Node node = _nodes[number];
        if (!node.Left.IsInPage)
        {
            return node;
        }

        long page = PageOf(path, depth);
        Link read = ReadPage(page, depth);
        bool isBehind = _pages!.Waiting.TryGetValue(page, out byte[]? waiting);
        if (isBehind && read.IsNode)
        {
            // Nodes that are stale already are so with all that is below them: they may as well be hashed now. Those of batches are of no concern here.
            bool keepsVersions = _keepsVersions;
            _keepsVersions = false;
            int version = NoVersion;
            read = ApplyToNode(read.Number, depth, ChangesOf(waiting), ref version, out _);
            HashStale();
            _keepsVersions = keepsVersions;
        }

        if (!read.IsNode || _nodes[read.Number].Digest != node.Digest)
        {
            throw new DamagedTreeException(
                $"page {page:x} has the digest {DigestOf(read)}{(isBehind ? " after what was written since" : "")}, and not {node.Digest}"
            );
        }

        _ = _pages.Waiting.Remove(page);
        _pages.Unread--;
        Node found = _nodes[read.Number];
        _nodes.GiveBack(read.Number);
        _nodes[number] = found;
        return found;
    }

    private Link ReadPage(long page, int depth)
    {
        ReadOnlySpan<byte> bytes = _pages!.Get(page);
        if (
            bytes.Length < ChecksumSize
            || !SHA256.HashData(bytes[..^ChecksumSize]).AsSpan(0, ChecksumSize).SequenceEqual(bytes[^ChecksumSize..])
        )
        {
            throw new DamagedTreeException($"page {page:x} has another checksum than its bytes give");
        }

        bytes = bytes[..^ChecksumSize];
        Link at = ReadLink(ref bytes, depth, depth, page);
        return bytes.Length > 0 ? throw new DamagedTreeException($"page {page:x} has more than a tree") : at;
    }

    private Link ReadLink(ref ReadOnlySpan<byte> bytes, int depth, int first, long page)
    {
        byte tag = Take(ref bytes, 1, page)[0];
        switch (tag)
        {
            case NoneTag:
                return default;
            case LeafTag:
            {
                (Digest path, Digest digest, long number) = ReadLeaf(Take(ref bytes, LoggedSize, page));
                return NewLeaf(path, digest, number);
            }

            case NodeTag when depth < MostDepth && !EndsPage(depth, first):
            {
                Link left = ReadLink(ref bytes, depth + 1, first, page);
                Link right = ReadLink(ref bytes, depth + 1, first, page);
                int number = NewNode(left, right);
                _nodes[number].Digest = CommitmentHash.Node(DigestOf(left), DigestOf(right));
                return Link.ToNode(number);
            }

            case PageTag when EndsPage(depth, first):
            {
                int number = NewNode(Link.InPage, default);
                _nodes[number].Digest = new Digest(Take(ref bytes, Digest.Size, page));
                _pages!.Unread++;
                return Link.ToNode(number);
            }

            default:
                throw new DamagedTreeException($"page {page:x} has the tag {tag} at depth {depth}");
        }
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, int count, long page)
    {
        if (bytes.Length < count)
        {
            throw new DamagedTreeException($"page {page:x} is cut off");
        }

        ReadOnlySpan<byte> taken = bytes[..count];
        bytes = bytes[count..];
        return taken;
    }

    /// <summary>Is a node at this depth in a page of its own?</summary>
    private static bool EndsPage(int depth, int first) =>
        depth > first && depth % PageLevels == 0 && depth <= DeepestPage;

    private void WritePage(Link at, int depth, int first, ArrayBufferWriter<byte> bytes)
    {
        if (at.IsNone)
        {
            bytes.Write([NoneTag]);
        }
        else if (at.IsLeaf)
        {
            Span<byte> bytesOfLeaf = bytes.GetSpan(1 + LoggedSize);
            bytesOfLeaf[0] = LeafTag;
            Leaf leaf = _leaves[at.Number];
            WriteLeaf(bytesOfLeaf[1..], leaf.Path, leaf.Digest, leaf.Number);
            bytes.Advance(1 + LoggedSize);
        }
        else if (EndsPage(depth, first))
        {
            Span<byte> page = bytes.GetSpan(1 + Digest.Size);
            page[0] = PageTag;
            _nodes[at.Number].Digest.CopyTo(page[1..]);
            bytes.Advance(1 + Digest.Size);
        }
        else
        {
            bytes.Write([NodeTag]);
            WritePage(_nodes[at.Number].Left, depth + 1, first, bytes);
            WritePage(_nodes[at.Number].Right, depth + 1, first, bytes);
        }
    }

    /// <summary>Of a tree whose pages are kept.</summary>
    private sealed class PageState(Func<long, byte[]> read)
    {
        private readonly Dictionary<long, byte[]> _ahead = [];

        public int Read { get; private set; }

        /// <summary>Pages that a page which was read leads to, and that were not read themselves.</summary>
        public int Unread { get; set; }

        public HashSet<long> Changed { get; } = [];

        public ArrayBufferWriter<byte> Logged { get; } = new();

        /// <summary>Leaves that were logged and are not in the tree yet, by the page of depth 8 that they are in or below.</summary>
        public Dictionary<long, byte[]> Waiting { get; } = [];

        public byte[] Get(long page)
        {
            Read++;
            return _ahead.Remove(page, out byte[]? bytes) ? bytes : read(page);
        }

        /// <summary>Reads the bytes of a page for the next <see cref="Get"/> of it. What is not in the tree yet is not changed either.</summary>
        public void ReadAhead(long page)
        {
            if (!_ahead.ContainsKey(page))
            {
                _ahead.Add(page, read(page));
            }
        }

        public void Log(ReadOnlySpan<Change> changes)
        {
            foreach (Change change in changes)
            {
                WriteLeaf(Logged.GetSpan(LoggedSize), change.Path, change.Leaf, change.Number);
                Logged.Advance(LoggedSize);
            }
        }
    }
}
