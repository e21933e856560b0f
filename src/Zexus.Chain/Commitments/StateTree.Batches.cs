using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Zexus.Chain;

/// <summary>
/// Batches one after the other, with the root after each: what a block of executions needs. Links and leaves change batch by batch, and what each batch
/// has made of a node is put down as a version of it. Versions of one depth do not depend on each other, so all batches are hashed together at the end.
/// </summary>
public sealed partial class StateTree
{
    private const int NoVersion = -1;

    /// <summary>Paths whose nodes are fetched into the processor's cache together, so that it waits for many at a time.</summary>
    private const int FetchedTogether = 64;

    private readonly List<Version>?[] _versions = new List<Version>?[MostDepth];

    /// <summary>The digests of the versions of a depth, and of the next.</summary>
    private Digest[] _hashed = [];
    private Digest[] _below = [];

    /// <summary>Is what has to be hashed put down as a version?</summary>
    private bool _keepsVersions;

    /// <summary>What a batch has done: the root after it, and as <see cref="Made"/> the leaves that it has made.</summary>
    internal readonly record struct Updated(Digest Root, (long Leaf, int Write)[] Made);

    /// <summary>As <see cref="Update(ReadOnlySpan{StateWrite})"/> with each of the batches; throws as that does, and then nothing has changed. A tree of which a page cannot be read is of no use afterwards.</summary>
    internal Updated[] UpdateEach(ReadOnlySpan<StateWrite[]> batches)
    {
        int most = 0;
        foreach (StateWrite[] batch in batches)
        {
            most += batch.Length;
        }

        Change[] changes = ArrayPool<Change>.Shared.Rent(most);
        try
        {
            int[] ends = new int[batches.Length];
            int count = 0;
            for (int i = 0; i < batches.Length; i++)
            {
                count += Order(batches[i], changes.AsSpan(count));
                ends[i] = count;
            }

            return UpdateEach(changes.AsSpan(0, count), ends);
        }
        finally
        {
            ArrayPool<Change>.Shared.Return(changes);
        }
    }

    private Updated[] UpdateEach(Span<Change> changes, int[] ends)
    {
        Updated[] updated = new Updated[ends.Length];
        int[] roots = new int[ends.Length];
        int root = NoVersion;
        int start = 0;
        int fetched = 0;
        _keepsVersions = true;
        for (int i = 0; i < ends.Length; i++)
        {
            if (ends[i] > fetched)
            {
                fetched = Math.Min(changes.Length, Math.Max(ends[i], start + FetchedTogether));
                Fetch(changes[start..fetched]);
            }

            ApplyFromRoot(changes[start..ends[i]], ref root);
            // A root that is no node has no version, and its digest already.
            updated[i] = new Updated(root == NoVersion ? Root : default, [.. _made]);
            roots[i] = root;
            start = ends[i];
        }

        _keepsVersions = false;
        HashVersions();
        for (int i = 0; i < ends.Length; i++)
        {
            if (roots[i] != NoVersion)
            {
                updated[i] = updated[i] with { Root = _hashed[roots[i]] };
            }
        }

        return updated;
    }

    private (int Left, int Right) VersionsBelow(int depth, int version)
    {
        if (version == NoVersion)
        {
            return (NoVersion, NoVersion);
        }

        ref Version last = ref VersionAt(depth, version);
        return (last.Left, last.Right);
    }

    private ref Version VersionAt(int depth, int version) => ref CollectionsMarshal.AsSpan(_versions[depth])[version];

    /// <summary>A node's digest is that of its last version, and none if it is given back.</summary>
    private void Supersede(int depth, int version)
    {
        if (version != NoVersion)
        {
            VersionAt(depth, version).IsLast = false;
        }
    }

    private int NewVersion(int depth, int number, in Node node, int left, int right)
    {
        List<Version> versions = _versions[depth] ??= [];
        versions.Add(
            new Version
            {
                Node = number,
                IsLast = true,
                Left = left,
                Right = right,
                LeftDigest = left == NoVersion ? DigestOf(node.Left) : default,
                RightDigest = right == NoVersion ? DigestOf(node.Right) : default,
            }
        );
        return versions.Count - 1;
    }

    /// <summary>The deepest first. Afterwards those of the root are in <see cref="_hashed"/>.</summary>
    private void HashVersions()
    {
        for (int depth = MostDepth - 1; depth >= 0; depth--)
        {
            if (_versions[depth] is not { Count: > 0 } versions)
            {
                continue;
            }

            (_below, _hashed) = (_hashed, _below);
            if (_hashed.Length < versions.Count)
            {
                _hashed = new Digest[Math.Max(versions.Count, 2 * _hashed.Length)];
            }

            Hash(new NodeVersions(this, versions));
            versions.Clear();
        }
    }

    private readonly struct NodeVersions(StateTree tree, List<Version> versions) : INodesOfDepth
    {
        public int Count => versions.Count;

        public (Digest Left, Digest Right) Sides(int i)
        {
            ref readonly Version version = ref CollectionsMarshal.AsSpan(versions)[i];
            return (
                version.Left == NoVersion ? version.LeftDigest : tree._below[version.Left],
                version.Right == NoVersion ? version.RightDigest : tree._below[version.Right]
            );
        }

        public void Hashed(int i, Digest digest)
        {
            tree._hashed[i] = digest;
            ref readonly Version version = ref CollectionsMarshal.AsSpan(versions)[i];
            if (version.IsLast)
            {
                tree._nodes[version.Node].Digest = digest;
            }
        }
    }

    /// <summary>
    /// Asks for the nodes on these paths, and those beside them, depth by depth: none waits for another path's. If so told, it reads the bytes of the pages
    /// that they lead into.
    /// </summary>
    private void Fetch(ReadOnlySpan<Change> changes, bool readsPages = false)
    {
        if (!Sse.IsSupported && !readsPages)
        {
            return;
        }

        Span<Link> at = stackalloc Link[FetchedTogether];
        for (int start = 0; start < changes.Length; start += at.Length)
        {
            ReadOnlySpan<Change> some = changes.Slice(start, Math.Min(at.Length, changes.Length - start));
            at.Fill(_root);
            bool goesOn = true;
            for (int depth = 0; goesOn; depth++)
            {
                goesOn = false;
                for (int i = 0; i < some.Length; i++)
                {
                    if (!at[i].IsNode)
                    {
                        continue;
                    }

                    ref readonly Node node = ref _nodes[at[i].Number];
                    if (readsPages && node.Left.IsInPage)
                    {
                        _pages!.ReadAhead(PageOf(some[i].Path, depth));
                    }

                    Fetch(node.Left);
                    Fetch(node.Right);
                    at[i] = some[i].Path.Bit(depth) ? node.Right : node.Left;
                    goesOn |= at[i].IsNode;
                }
            }
        }
    }

    private unsafe void Fetch(Link at)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        if (at.IsNode)
        {
            ref Node node = ref _nodes[at.Number];
            Sse.Prefetch0(Unsafe.AsPointer(ref node.Left));
            Sse.Prefetch0(Unsafe.AsPointer(ref node.Digest));
        }
        else if (at.IsLeaf)
        {
            ref Leaf leaf = ref _leaves[at.Number];
            Sse.Prefetch0(Unsafe.AsPointer(ref leaf.Path));
            Sse.Prefetch0(Unsafe.AsPointer(ref leaf.Digest));
        }
    }

    /// <summary>A node after a batch. The digests are of sides that no batch before has changed, or that are leaves.</summary>
    private struct Version
    {
        public int Node;

        /// <summary>Of its node, so far.</summary>
        public bool IsLast;

        /// <summary>The version of its left side at the next depth.</summary>
        public int Left;
        public int Right;
        public Digest LeftDigest;
        public Digest RightDigest;
    }
}
