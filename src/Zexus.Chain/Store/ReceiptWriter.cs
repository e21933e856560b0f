using System.Diagnostics;
using System.Numerics;
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

    [ThreadStatic]
    private static ReceiptWriter? _mine;

    private readonly ConstantWriter _fields = new();
    private int _count;

    private ReceiptWriter() { }

    /// <summary>The thread's, with no field yet. Whoever asks for the next is done with this one.</summary>
    public static ReceiptWriter Start()
    {
        ReceiptWriter writer = _mine ??= new();
        writer._fields.Clear();
        writer._fields.WriteStart(DataForm.Map, 0);
        writer._count = 0;
        return writer;
    }

    public byte[] ToArray()
    {
        byte[] bytes = _fields.Written.ToArray();
        bytes[1] = (byte)_count;
        return bytes;
    }

    /// <summary>Null when there is no text.</summary>
    public void Add(ReadOnlySpan<byte> name, string? text)
    {
        if (text is null)
        {
            Name(name);
            _fields.WriteNull();
        }
        else
        {
            Add(name, Data.NewString(text));
        }
    }

    /// <summary>64 hexadecimal digits.</summary>
    public void Add(ReadOnlySpan<byte> name, Digest digest)
    {
        Name(name);
        _fields.Write(digest);
    }

    /// <summary>Null when there is no number.</summary>
    public void Add(ReadOnlySpan<byte> name, long? value)
    {
        Name(name);
        if (value is { } number)
        {
            _fields.Write(number);
        }
        else
        {
            _fields.WriteNull();
        }
    }

    public void Add(ReadOnlySpan<byte> name, BigInteger value) => Add(name, Data.NewInt(value));

    public void Add(ReadOnlySpan<byte> name, long value)
    {
        Name(name);
        _fields.Write(value);
    }

    /// <exception cref="ArgumentException">It has no form in bytes.</exception>
    public void Add(ReadOnlySpan<byte> name, Data value)
    {
        Name(name);
        if (!_fields.TryWrite(value, 1))
        {
            // Says why it has none.
            _ = ReceiptForm.EncodeField(value);
            throw new UnreachableException();
        }
    }

    /// <summary>A value that is in bytes already.</summary>
    public void AddEncoded(ReadOnlySpan<byte> name, ReadOnlySpan<byte> constant)
    {
        Name(name);
        _fields.WriteEncoded(constant);
    }

    private void Name(ReadOnlySpan<byte> name)
    {
        Debug.Assert(_count < MostFields);
        _count++;
        _fields.WriteText(name);
    }
}
