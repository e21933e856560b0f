using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Numerics;
using System.Text;
using Zexus.Isa;
using DataForm = Zexus.Vm.DataForm;

namespace Zexus.Chain;

/// <summary>
/// A Map of named fields in the form of constants (docs/container.md), written field by field: the same bytes as of a Map made of data, and no object for
/// each: every commit makes one.
/// </summary>
internal sealed class ReceiptWriter
{
    /// <summary>So many fields have their count in one byte.</summary>
    private const int MostFields = 0x7F;

    private const int FirstRoom = 768;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ArrayBufferWriter<byte> _fields = new(FirstRoom);
    private int _count;

    public ReceiptWriter() => Write(DataForm.Map, 0);

    public byte[] ToArray()
    {
        byte[] bytes = _fields.WrittenSpan.ToArray();
        bytes[1] = (byte)_count;
        return bytes;
    }

    /// <summary>Null when there is no text.</summary>
    public void Add(string name, string? text)
    {
        Name(name);
        if (text is null)
        {
            _fields.Write([DataForm.Null]);
        }
        else
        {
            Text(text);
        }
    }

    /// <summary>64 hexadecimal digits.</summary>
    public void Add(string name, Digest digest)
    {
        Name(name);
        Span<byte> bytes = stackalloc byte[Digest.Size];
        digest.CopyTo(bytes);
        Span<byte> target = _fields.GetSpan(2 + (2 * Digest.Size));
        target[0] = DataForm.String;
        target[1] = 2 * Digest.Size;
        _ = Convert.TryToHexStringLower(bytes, target[2..], out int digits);
        _fields.Advance(2 + digits);
    }

    /// <summary>Null when there is no number.</summary>
    public void Add(string name, long? value)
    {
        if (value is { } number)
        {
            Add(name, number);
            return;
        }

        Name(name);
        _fields.Write([DataForm.Null]);
    }

    public void Add(string name, BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            Add(name, (long)value);
        }
        else
        {
            AddEncoded(name, ReceiptForm.EncodeField(Data.NewInt(value)));
        }
    }

    public void Add(string name, long value)
    {
        Name(name);
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        // Two's complement in the fewest bytes: a last one goes that only repeats the sign.
        int count = sizeof(long);
        while (count > 1 && bytes[count - 1] == ((sbyte)bytes[count - 2] < 0 ? byte.MaxValue : 0))
        {
            count--;
        }

        Write(DataForm.Int, (byte)count);
        _fields.Write(bytes[..count]);
    }

    /// <exception cref="ArgumentException">It has no form in bytes.</exception>
    public void Add(string name, Data value) => AddEncoded(name, ReceiptForm.EncodeField(value));

    /// <summary>A value that is in bytes already.</summary>
    public void AddEncoded(string name, ReadOnlySpan<byte> constant)
    {
        Name(name);
        _fields.Write(constant);
    }

    private void Write(byte tag, byte count)
    {
        Span<byte> target = _fields.GetSpan(2);
        (target[0], target[1]) = (tag, count);
        _fields.Advance(2);
    }

    private void Name(string name)
    {
        Debug.Assert(_count < MostFields);
        _count++;
        Text(name);
    }

    private void Text(string text)
    {
        int bytes = Utf8.GetByteCount(text);
        Span<byte> target = _fields.GetSpan(1 + 5 + bytes);
        target[0] = DataForm.String;
        int used = 1;
        uint length = (uint)bytes;
        for (; length >= 0x80; length >>= 7)
        {
            target[used++] = (byte)(length | 0x80);
        }

        target[used++] = (byte)length;
        _fields.Advance(used + Utf8.GetBytes(text, target[used..]));
    }
}
