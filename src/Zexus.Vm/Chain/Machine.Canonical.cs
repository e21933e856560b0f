using System.Globalization;
using System.Numerics;
using System.Text;

namespace Zexus.Vm;

/// <summary>The bytes that HASH_BLOCK and MERKLE_ROOT hash: text as UTF-8, all else as Python's json.dumps with sorted keys.</summary>
internal sealed unsafe partial class Machine
{
    private readonly ByteBuilder _canonical;

    private Code Canonical(Value* value)
    {
        _canonical.Clear();
        if (value->Tag != Tag.String)
        {
            return Json(value, 0);
        }

        if (!ChargeText(value->String->Length))
        {
            return Code.OutOfGas;
        }

        _canonical.AddUtf8(value->String);
        return Code.Done;
    }

    private Code Json(Value* value, int depth)
    {
        switch (value->Tag)
        {
            case Tag.Null:
                _canonical.Add("null");
                return Code.Done;
            case Tag.Bool:
                _canonical.Add(value->Payload != 0 ? "true" : "false");
                return Code.Done;
            case Tag.Float:
                _canonical.Add(Floats.ToJson(value->Float));
                return Code.Done;
            case Tag.Int:
            case Tag.BigInt:
                long size = Integers.Size(value);
                if (!Charge(size * size))
                {
                    return Code.OutOfGas;
                }

                _canonical.Add(Integers.Of(value).ToString(CultureInfo.InvariantCulture));
                return Code.Done;
            case Tag.String:
                if (!ChargeText(value->String->Length))
                {
                    return Code.OutOfGas;
                }

                _canonical.AddJson(value->String);
                return Code.Done;
            case Tag.List:
                return JsonList(value->List, depth);
            case Tag.Map:
                return JsonMap(value->Map, depth);
            default:
                return Code.TypeMismatch;
        }
    }

    private Code JsonList(ListCell* list, int depth)
    {
        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        _canonical.Add("[");
        for (int i = 0; i < list->Count; i++)
        {
            if (i > 0)
            {
                _canonical.Add(", ");
            }

            Value item = list->Get(i);
            Code code = Json(&item, depth + 1);
            if (code != Code.Done)
            {
                return code;
            }
        }

        _canonical.Add("]");
        return Code.Done;
    }

    private Code JsonMap(TableCell* map, int depth)
    {
        long count = map->Count;
        long bits = 64 - BitOperations.LeadingZeroCount((ulong)count);
        if (!Charge((2 * count) + (count * bits)))
        {
            return Code.OutOfGas;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        bool texts = count > 0 && map->At(0)->Key.Tag == Tag.String;
        int[] order = new int[count];
        for (int i = 0; i < order.Length; i++)
        {
            Tag tag = map->At(i)->Key.Tag;
            if (texts ? tag != Tag.String : tag is not (Tag.Int or Tag.BigInt))
            {
                return Code.TypeMismatch;
            }

            order[i] = i;
        }

        nint entries = (nint)map->Entries;
        if (texts)
        {
            Array.Sort(order, (x, y) => Text.Compare(((Entry*)entries)[x].Key.String, ((Entry*)entries)[y].Key.String));
        }
        else
        {
            Array.Sort(order, (x, y) => Integers.CompareNumbers(&((Entry*)entries)[x].Key, &((Entry*)entries)[y].Key));
        }

        _canonical.Add("{");
        for (int i = 0; i < order.Length; i++)
        {
            if (i > 0)
            {
                _canonical.Add(", ");
            }

            Entry* entry = map->At(order[i]);
            string quote = texts ? "" : "\"";
            _canonical.Add(quote);
            Code code = Json(&entry->Key, depth + 1);
            if (code != Code.Done)
            {
                return code;
            }

            _canonical.Add(quote);
            _canonical.Add(": ");
            code = Json(&entry->Item, depth + 1);
            if (code != Code.Done)
            {
                return code;
            }
        }

        _canonical.Add("}");
        return Code.Done;
    }
}

/// <summary>Bytes under construction.</summary>
internal sealed unsafe class ByteBuilder(MemoryGuard guard) : IDisposable
{
    /// <summary>What is larger is not kept.</summary>
    private const int MostKept = 64 * 1024;

    private byte[] _bytes = [];
    private int _count;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _count);

    public void Clear()
    {
        _count = 0;
        if (_bytes.Length > MostKept)
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        guard.Count(-_bytes.Length);
        _bytes = [];
    }

    public void Add(string ascii)
    {
        Reserve(ascii.Length);
        foreach (char c in ascii)
        {
            _bytes[_count++] = (byte)c;
        }
    }

    public void AddUtf8(StringCell* text)
    {
        Reserve(4L * text->Length);
        if (text->Header.Width == 1 && Ascii.IsValid(new ReadOnlySpan<byte>(text->Data, text->Length)))
        {
            new ReadOnlySpan<byte>(text->Data, text->Length).CopyTo(_bytes.AsSpan(_count));
            _count += text->Length;
            return;
        }

        for (int i = 0; i < text->Length; i++)
        {
            int scalar = text->At(i);
            if (scalar < 0x80)
            {
                _bytes[_count++] = (byte)scalar;
            }
            else
            {
                _count += new Rune(scalar).EncodeToUtf8(_bytes.AsSpan(_count));
            }
        }
    }

    /// <summary>As Python's json.dumps: ASCII only, all else as \u escapes of UTF-16 units.</summary>
    public void AddJson(StringCell* text)
    {
        Reserve((12L * text->Length) + 2);
        _bytes[_count++] = (byte)'"';
        for (int i = 0; i < text->Length; i++)
        {
            int scalar = text->At(i);
            switch (scalar)
            {
                case '"':
                    Escape('"');
                    break;
                case '\\':
                    Escape('\\');
                    break;
                case '\b':
                    Escape('b');
                    break;
                case '\t':
                    Escape('t');
                    break;
                case '\n':
                    Escape('n');
                    break;
                case '\f':
                    Escape('f');
                    break;
                case '\r':
                    Escape('r');
                    break;
                case >= 0x20 and < 0x7F:
                    _bytes[_count++] = (byte)scalar;
                    break;
                case > 0xFFFF:
                    Unit(0xD800 + ((scalar - 0x10000) >> 10));
                    Unit(0xDC00 + ((scalar - 0x10000) & 0x3FF));
                    break;
                default:
                    Unit(scalar);
                    break;
            }
        }

        _bytes[_count++] = (byte)'"';
    }

    private void Escape(char c)
    {
        _bytes[_count++] = (byte)'\\';
        _bytes[_count++] = (byte)c;
    }

    private void Unit(int unit)
    {
        Escape('u');
        for (int shift = 12; shift >= 0; shift -= 4)
        {
            _bytes[_count++] = "0123456789abcdef"u8[(unit >> shift) & 15];
        }
    }

    private void Reserve(long more)
    {
        long needed = _count + more;
        if (needed <= _bytes.Length)
        {
            return;
        }

        if (needed > Array.MaxLength)
        {
            guard.Stop();
        }

        // The old ones are there until the new ones have their bytes.
        long room = Math.Min(Array.MaxLength, Math.Max(Math.Max(needed, 256), _bytes.Length * 2L));
        guard.CheckAtSafepoint(room);
        byte[] grown = new byte[room];
        _bytes.AsSpan(0, _count).CopyTo(grown);
        guard.Count(room - _bytes.Length);
        _bytes = grown;
    }
}
