using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Zexus.Chain;

/// <summary>
/// What was written since a tree's pages were, commit by commit, as <see cref="StateTree.TakeLog"/> gave it: leaves by the first byte of their paths,
/// and what digest the node of depth 8 above them has had since.
/// </summary>
internal sealed class TreeLog
{
    /// <summary>Nodes of depth 8 that there can be.</summary>
    public const int Tops = 256;

    /// <summary>The first byte of the paths below, and a digest.</summary>
    public const int TopSize = 1 + Digest.Size;

    private readonly ArrayBufferWriter<byte>?[] _leaves = new ArrayBufferWriter<byte>?[Tops];
    private readonly Digest?[] _tops = new Digest?[Tops];

    /// <summary>Leaves that were written.</summary>
    public int Count { get; private set; }

    /// <summary>What the next commit wrote. Without the nodes above, as format 3 had it, the leaves are written at once.</summary>
    /// <exception cref="DamagedTreeException">It is no log.</exception>
    public void Add(ReadOnlySpan<byte> leaves, ReadOnlySpan<byte> tops)
    {
        if (leaves.Length % StateTree.LoggedSize != 0 || tops.Length % TopSize != 0)
        {
            throw new DamagedTreeException("what was written since its pages were is cut off");
        }

        Span<bool> written = stackalloc bool[Tops];
        Count += leaves.Length / StateTree.LoggedSize;
        for (; leaves.Length > 0; leaves = leaves[StateTree.LoggedSize..])
        {
            (_leaves[leaves[0]] ??= new()).Write(leaves[..StateTree.LoggedSize]);
            (_tops[leaves[0]], written[leaves[0]]) = (null, true);
        }

        for (; tops.Length > 0; tops = tops[TopSize..])
        {
            _tops[tops[0]] = written[tops[0]]
                ? new Digest(tops[1..TopSize])
                : throw new DamagedTreeException(
                    "what was written since its pages were has a node with no leaf below it"
                );
        }
    }

    /// <summary>Takes out the leaves below a node of depth 8, if it is known what digest it has with them.</summary>
    public bool TryTake(int first, [NotNullWhen(true)] out byte[]? leaves, out Digest top)
    {
        (leaves, top) = (_leaves[first]?.WrittenSpan.ToArray(), _tops[first] ?? default);
        if (leaves is null || _tops[first] is null)
        {
            leaves = null;
            return false;
        }

        _leaves[first] = null;
        return true;
    }

    /// <summary>The leaves that were not taken out.</summary>
    public ReadOnlySpan<byte> Left()
    {
        ArrayBufferWriter<byte> left = new();
        foreach (ArrayBufferWriter<byte>? leaves in _leaves)
        {
            if (leaves is not null)
            {
                left.Write(leaves.WrittenSpan);
            }
        }

        return left.WrittenSpan;
    }
}
