using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Zexus.Isa;
using DataForm = Zexus.Vm.DataForm;

namespace Zexus.Chain;

/// <summary>
/// Constants (docs/container.md) one behind the other in a buffer that is used again: a commit encodes a dozen of them, each of which would otherwise be
/// made in a stream of its own.
/// </summary>
internal sealed class ConstantWriter
{
    /// <summary>What is larger is not kept for the next.</summary>
    private const int MostKept = 64 * 1024;

    /// <summary>Bytes of a length.</summary>
    private const int MostLength = 5;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private byte[] _bytes = new byte[1024];
    private int _used;

    public Span<byte> Written => _bytes.AsSpan(0, _used);

    public void Clear()
    {
        _used = 0;
        if (_bytes.Length > MostKept)
        {
            _bytes = new byte[MostKept];
        }
    }

    /// <summary>
    /// Writes a value that is within so many collections. False for what has no form in bytes: what was written of it is then to be thrown away. What it is
    /// that it has not is said by <see cref="Constants.Encode(Data)"/>.
    /// </summary>
    public bool TryWrite(Data value, int depth)
    {
        switch (value)
        {
            case Data.Int { value: var number } when number >= long.MinValue && number <= long.MaxValue:
                Write((long)number);
                return true;
            case Data.Int { value: var number }:
                return TryWrite(number);
            case Data.String { value: var text }:
                return TryWriteText(text);
            case Data.Bool { value: var isTrue }:
                Room(1)[0] = isTrue ? DataForm.True : DataForm.False;
                _used++;
                return true;
            case Data.Float { value: var number }:
                return TryWrite(number);
            case Data.List { items: var items }:
                return TryWrite(DataForm.List, items, depth);
            case Data.Set { items: var items }:
                return TryWrite(DataForm.Set, items, depth);
            case Data.Map { entries: var entries }:
                return TryWrite(entries, depth);
            default:
                if (!value.IsNull)
                {
                    return false;
                }

                WriteNull();
                return true;
        }
    }

    public void WriteNull()
    {
        Room(1)[0] = DataForm.Null;
        _used++;
    }

    /// <summary>An Int: two's complement in the fewest bytes, the lowest first.</summary>
    public void Write(long value)
    {
        Span<byte> target = Room(2 + sizeof(long));
        BinaryPrimitives.WriteInt64LittleEndian(target[2..], value);
        // A last byte goes that only repeats the sign.
        int count = sizeof(long);
        while (count > 1 && target[1 + count] == ((sbyte)target[count] < 0 ? byte.MaxValue : 0))
        {
            count--;
        }

        (target[0], target[1]) = (DataForm.Int, (byte)count);
        _used += 2 + count;
    }

    /// <summary>A String of 64 hexadecimal digits.</summary>
    public void Write(Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        digest.CopyTo(bytes);
        Span<byte> target = Room(2 + (2 * Digest.Size));
        (target[0], target[1]) = (DataForm.String, 2 * Digest.Size);
        _ = Convert.TryToHexStringLower(bytes, target[2..], out int digits);
        _used += 2 + digits;
    }

    /// <summary>A String; false, and nothing is written, for half of a surrogate pair.</summary>
    public bool TryWriteText(string text)
    {
        Span<byte> target = Room(1 + MostLength + Utf8.GetMaxByteCount(text.Length));
        target[0] = DataForm.String;
        try
        {
            // Nearly all are short: then their length has the one byte that is kept free for it.
            int bytes = Utf8.GetBytes(text, target[2..]);
            if (bytes < 0x80)
            {
                target[1] = (byte)bytes;
                _used += 2 + bytes;
                return true;
            }

            int used = 1 + WriteLength(target[1..], bytes);
            _used += used + Utf8.GetBytes(text, target[used..]);
            return true;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }

    /// <summary>A String of bytes that are UTF-8, fewer than 128.</summary>
    public void WriteText(ReadOnlySpan<byte> utf8)
    {
        Span<byte> target = Room(2 + utf8.Length);
        (target[0], target[1]) = (DataForm.String, checked((byte)utf8.Length));
        utf8.CopyTo(target[2..]);
        _used += 2 + utf8.Length;
    }

    /// <summary>The start of a collection: its kind and its count.</summary>
    public void WriteStart(byte kind, int count)
    {
        Span<byte> target = Room(1 + MostLength);
        target[0] = kind;
        _used += 1 + WriteLength(target[1..], count);
    }

    /// <summary>What is a constant already.</summary>
    public void WriteEncoded(ReadOnlySpan<byte> constant)
    {
        constant.CopyTo(Room(constant.Length));
        _used += constant.Length;
    }

    private bool TryWrite(byte kind, Data[] items, int depth)
    {
        if (depth >= Container.Nesting)
        {
            return false;
        }

        WriteStart(kind, items.Length);
        foreach (Data item in items)
        {
            if (!TryWrite(item, depth + 1))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryWrite(KeyValuePair<Data, Data>[] entries, int depth)
    {
        if (depth >= Container.Nesting)
        {
            return false;
        }

        WriteStart(DataForm.Map, entries.Length);
        foreach ((Data key, Data value) in entries)
        {
            if (!TryWrite(key, depth + 1) || !TryWrite(value, depth + 1))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryWrite(BigInteger value)
    {
        int count = value.GetByteCount();
        if (count > Container.IntegerBytes)
        {
            return false;
        }

        WriteStart(DataForm.Int, count);
        _ = value.TryWriteBytes(Room(count), out int written);
        _used += written;
        return true;
    }

    private bool TryWrite(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        if (double.IsNaN(value) && bits != Constants.NaNBits)
        {
            return false;
        }

        Span<byte> target = Room(1 + sizeof(double));
        target[0] = DataForm.Float;
        BinaryPrimitives.WriteInt64LittleEndian(target[1..], bits);
        _used += 1 + sizeof(double);
        return true;
    }

    private static int WriteLength(Span<byte> target, int value)
    {
        int used = 0;
        uint length = (uint)value;
        for (; length >= 0x80; length >>= 7)
        {
            target[used++] = (byte)(length | 0x80);
        }

        target[used++] = (byte)length;
        return used;
    }

    private Span<byte> Room(int count)
    {
        if (_bytes.Length - _used < count)
        {
            Array.Resize(
                ref _bytes,
                Math.Max(checked(_used + count), (int)Math.Min(2L * _bytes.Length, Array.MaxLength))
            );
        }

        return _bytes.AsSpan(_used);
    }
}
