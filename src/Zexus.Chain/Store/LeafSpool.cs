using System.Buffers;

namespace Zexus.Chain;

/// <summary>
/// Leaves of a tree that is to be made, by the first byte of their paths: in memory while they are few, and else in a file that is gone at the end. So a
/// state can be made a tree part by part, whatever its size.
/// </summary>
internal sealed class LeafSpool(string directory) : IDisposable
{
    /// <summary>First bytes that there can be.</summary>
    public const int Parts = 256;

    /// <summary>Bytes of a part that are written together.</summary>
    private const int Block = 256 * StateTree.LoggedSize;

    private readonly ArrayBufferWriter<byte>?[] _held = new ArrayBufferWriter<byte>?[Parts];
    private readonly List<long>?[] _blocks = new List<long>?[Parts];
    private FileStream? _file;

    /// <summary>Leaves so far.</summary>
    public long Count { get; private set; }

    /// <summary>Adds one, and returns its number: they are 1, 2 and so on.</summary>
    public long Add(Digest path, Digest leaf)
    {
        int part = (int)(path.First >> (64 - 8));
        ArrayBufferWriter<byte> held = _held[part] ??= new();
        StateTree.WriteLeaf(held.GetSpan(StateTree.LoggedSize), path, leaf, ++Count);
        held.Advance(StateTree.LoggedSize);
        if (held.WrittenCount == Block)
        {
            try
            {
                _file ??= new FileStream(
                    Path.Combine(directory, "leaves.tmp"),
                    FileMode.Create,
                    FileAccess.ReadWrite,
                    FileShare.None,
                    bufferSize: 0,
                    FileOptions.DeleteOnClose
                );
                (_blocks[part] ??= []).Add(_file.Length);
                _file.Seek(0, SeekOrigin.End);
                _file.Write(held.WrittenSpan);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Failed(e);
            }

            held.ResetWrittenCount();
        }

        return Count;
    }

    /// <summary>The leaves of a part, in no order, as a tree's log has them.</summary>
    public byte[] Take(int part)
    {
        List<long> blocks = _blocks[part] ?? [];
        ReadOnlySpan<byte> held = _held[part] is { } some ? some.WrittenSpan : [];
        byte[] leaves = new byte[(blocks.Count * Block) + held.Length];
        try
        {
            for (int i = 0; i < blocks.Count; i++)
            {
                _file!.Seek(blocks[i], SeekOrigin.Begin);
                _file.ReadExactly(leaves, i * Block, Block);
            }
        }
        catch (IOException e)
        {
            throw Failed(e);
        }

        held.CopyTo(leaves.AsSpan(blocks.Count * Block));
        (_held[part], _blocks[part]) = (null, null);
        return leaves;
    }

    public void Dispose() => _file?.Dispose();

    private StoreException Failed(Exception e) =>
        new($"cannot write {directory}: {e.Message}", "While a tree is made, its leaves are in a file there.", e);
}
