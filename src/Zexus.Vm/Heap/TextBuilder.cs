using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>Text under construction, in scalars of the least width so far. Each emit is held to the limit of a String.</summary>
internal sealed unsafe class TextBuilder : IDisposable
{
    private byte* _data;
    private int _capacity;
    private int _width = 1;
    private int _limit;

    ~TextBuilder() => NativeMemory.Free(_data);

    public int Length { get; private set; }

    public void Start(int limit)
    {
        Length = 0;
        _width = 1;
        _limit = limit;
    }

    public void Dispose()
    {
        NativeMemory.Free(_data);
        _data = null;
        _capacity = 0;
        GC.SuppressFinalize(this);
    }

    /// <summary>ASCII text; false when the limit is passed.</summary>
    public bool Emit(ReadOnlySpan<char> ascii)
    {
        if (ascii.Length > _limit - Length)
        {
            return false;
        }

        Reserve(ascii.Length);
        for (int i = 0; i < ascii.Length; i++)
        {
            Put(ascii[i]);
        }

        return true;
    }

    /// <summary>Any well-formed .NET string.</summary>
    public bool EmitScalars(string text)
    {
        if (Text.Scalars(text) > _limit - Length)
        {
            return false;
        }

        foreach (System.Text.Rune rune in text.EnumerateRunes())
        {
            Widen(rune.Value);
            Reserve(1);
            Put(rune.Value);
        }

        return true;
    }

    public bool Emit(StringCell* text) => EmitPart(text, 0, text->Length);

    public bool EmitPart(StringCell* text, int start, int length)
    {
        if (length > _limit - Length)
        {
            return false;
        }

        if (text->Header.Width > _width)
        {
            int max = 0;
            for (int i = start; i < start + length; i++)
            {
                max = Math.Max(max, text->At(i));
            }

            Widen(max);
        }

        Reserve(length);
        int from = text->Header.Width;
        Text.Copy(text->Data + ((long)start * from), from, _data + ((long)Length * _width), _width, length);
        Length += length;
        return true;
    }

    /// <summary>As a JSON string that leaves everything but `"`, `\` and controls as it is.</summary>
    public bool EmitQuoted(StringCell* text)
    {
        if (text->Length + 2L > _limit - Length)
        {
            return false;
        }

        int max = 0;
        for (int i = 0; i < text->Length; i++)
        {
            max = Math.Max(max, text->At(i));
        }

        Widen(max);
        Reserve(2 + (6L * text->Length));
        Put('"');
        for (int i = 0; i < text->Length; i++)
        {
            int scalar = text->At(i);
            switch (scalar)
            {
                case '"' or '\\':
                    Put('\\');
                    Put(scalar);
                    break;
                case '\b':
                    Put('\\');
                    Put('b');
                    break;
                case '\t':
                    Put('\\');
                    Put('t');
                    break;
                case '\n':
                    Put('\\');
                    Put('n');
                    break;
                case '\f':
                    Put('\\');
                    Put('f');
                    break;
                case '\r':
                    Put('\\');
                    Put('r');
                    break;
                case < 0x20:
                    Put('\\');
                    Put('u');
                    Put('0');
                    Put('0');
                    Put(scalar < 16 ? '0' : '1');
                    Put("0123456789abcdef"[scalar & 15]);
                    break;
                default:
                    Put(scalar);
                    break;
            }
        }

        Put('"');
        return Length <= _limit;
    }

    public StringCell* ToCell(CellHeap heap)
    {
        if (Length == 0)
        {
            return WellKnown.Empty;
        }

        // Widen only ever took scalars that are here, so the width is the least.
        StringCell* cell = heap.NewString(Length, _width);
        long bytes = (long)Length * _width;
        Buffer.MemoryCopy(_data, cell->Data, bytes, bytes);
        return cell;
    }

    public override string ToString() => Text.ToDotNet(_data, Length, _width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put(int scalar)
    {
        switch (_width)
        {
            case 1:
                _data[Length++] = (byte)scalar;
                break;
            case 2:
                ((ushort*)_data)[Length++] = (ushort)scalar;
                break;
            default:
                ((int*)_data)[Length++] = scalar;
                break;
        }
    }

    private void Widen(int scalar)
    {
        int width = Text.WidthOf(scalar);
        if (width <= _width)
        {
            return;
        }

        byte* wider = (byte*)NativeMemory.Alloc((nuint)Math.Max(64, Length), (nuint)width);
        Text.Copy(_data, _width, wider, width, Length);
        NativeMemory.Free(_data);
        _data = wider;
        _capacity = Math.Max(64, Length) * width;
        _width = width;
    }

    private void Reserve(long more)
    {
        long bytes = (Length + more) * _width;
        if (bytes > _capacity)
        {
            long capacity = Math.Max(256, Math.Max(bytes, _capacity * 2L));
            _data = (byte*)NativeMemory.Realloc(_data, (nuint)capacity);
            _capacity = checked((int)capacity);
        }
    }
}
