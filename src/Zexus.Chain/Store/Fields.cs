using System.Text;

namespace Zexus.Chain;

/// <summary>Texts and byte strings one behind the other, each behind its length, a <em>u</em> of docs/container.md: what a row keeps of an execution's entries.</summary>
internal sealed class FieldWriter
{
    /// <summary>What is larger is not kept for the next row.</summary>
    private const int MostKept = 64 * 1024;

    private readonly MemoryStream _bytes = new();
    private readonly BinaryWriter _writer;

    public FieldWriter() => _writer = new BinaryWriter(_bytes, FieldReader.Utf8);

    /// <summary>Until the next is begun.</summary>
    public ReadOnlySpan<byte> Written => _bytes.GetBuffer().AsSpan(0, (int)_bytes.Length);

    public void Clear()
    {
        _bytes.SetLength(0);
        if (_bytes.Capacity > MostKept)
        {
            _bytes.Capacity = MostKept;
        }
    }

    public void Add(string text) => _writer.Write(text);

    public void Add(ReadOnlySpan<byte> bytes)
    {
        _writer.Write7BitEncodedInt(bytes.Length);
        _writer.Write(bytes);
    }

    public void Add(Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        digest.CopyTo(bytes);
        Add(bytes);
    }
}

/// <summary>Reads what <see cref="FieldWriter"/> wrote.</summary>
internal sealed class FieldReader(byte[] bytes) : IDisposable
{
    public static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly BinaryReader _reader = new(new MemoryStream(bytes, writable: false), Utf8);

    public bool IsAtEnd => _reader.BaseStream.Position == bytes.Length;

    /// <exception cref="FormatException">There is none.</exception>
    public string Text()
    {
        try
        {
            return Utf8.GetString(Bytes());
        }
        catch (DecoderFallbackException e)
        {
            throw new FormatException("a name is no UTF-8", e);
        }
    }

    /// <exception cref="FormatException">There are none.</exception>
    public ReadOnlySpan<byte> Bytes()
    {
        long start = _reader.BaseStream.Position;
        int length;
        try
        {
            length = _reader.Read7BitEncodedInt();
        }
        catch (EndOfStreamException e)
        {
            throw new FormatException("a length is cut off", e);
        }

        int at = (int)_reader.BaseStream.Position;
        if (at - start > 1 && bytes[at - 1] == 0)
        {
            throw new FormatException("a length has more bytes than it takes");
        }

        if (length < 0 || length > bytes.Length - at)
        {
            throw new FormatException("a field is longer than what is there");
        }

        _reader.BaseStream.Position = at + length;
        return bytes.AsSpan(at, length);
    }

    public void Dispose() => _reader.Dispose();
}
