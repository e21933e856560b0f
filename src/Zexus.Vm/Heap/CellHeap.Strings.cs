using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

internal sealed unsafe partial class CellHeap
{
    /// <summary>Below this, a concatenation copies; from here on its result gets a buffer with room to grow.</summary>
    private const int GrowableBytes = 256;

    /// <summary>A String of that many scalars, which the caller fills. The width must be the least that fits them.</summary>
    public StringCell* NewString(int length, int width)
    {
        StringCell* cell = (StringCell*)Allocate(CellKind.String, sizeof(StringCell) + ((long)length * width));
        cell->Header.Width = (byte)width;
        cell->Length = length;
        cell->Hash = 0;
        cell->Data = (byte*)(cell + 1);
        cell->Entry = 0;
        return cell;
    }

    public StringCell* NewString(string text)
    {
        int max = 0;
        int length = text.Length;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                max = 0x10FFFF;
                length--;
                i++;
            }
            else if (c > max)
            {
                max = c;
            }
        }

        int width = Text.WidthOf(max);
        StringCell* cell = NewString(length, width);
        if (width == 4)
        {
            int* to = (int*)cell->Data;
            for (int i = 0; i < text.Length; i++)
            {
                char c = text[i];
                if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                {
                    *to++ = char.ConvertToUtf32(c, text[++i]);
                }
                else
                {
                    *to++ = c;
                }
            }
        }
        else if (width == 2)
        {
            text.AsSpan().CopyTo(new Span<char>(cell->Data, length));
        }
        else
        {
            for (int i = 0; i < length; i++)
            {
                cell->Data[i] = (byte)text[i];
            }
        }

        return cell;
    }

    /// <summary>Scalars [start, start + length) as a String of their own.</summary>
    public StringCell* Slice(StringCell* text, int start, int length)
    {
        if (length == text->Length)
        {
            return text;
        }

        if (length == 0)
        {
            return WellKnown.Empty;
        }

        if (length == 1)
        {
            return Scalar(text->At(start));
        }

        int from = text->Header.Width;
        int width = from;
        if (from > 1)
        {
            int max = 0;
            for (int i = start; i < start + length && max <= 0xFFFF; i++)
            {
                max = Math.Max(max, text->At(i));
            }

            width = Text.WidthOf(max);
        }

        StringCell* cell = NewString(length, width);
        Text.Copy(text->Data + ((long)start * from), from, cell->Data, width, length);
        return cell;
    }

    public StringCell* Scalar(int scalar)
    {
        if (scalar < 256)
        {
            return WellKnown.Latin1(scalar);
        }

        int width = Text.WidthOf(scalar);
        StringCell* cell = NewString(1, width);
        if (width == 2)
        {
            *(ushort*)cell->Data = (ushort)scalar;
        }
        else
        {
            *(int*)cell->Data = scalar;
        }

        return cell;
    }

    /// <summary>Of two rooted Strings.</summary>
    public StringCell* Concat(StringCell* a, StringCell* b)
    {
        if (a->Length == 0)
        {
            return b;
        }

        if (b->Length == 0)
        {
            return a;
        }

        int width = Math.Max(a->Header.Width, b->Header.Width);
        int length = checked(a->Length + b->Length);
        long bytes = (long)length * width;
        if (
            a->Header.Width == width
            && StringCell.Owner(a) is not null
            && StringCell.Owner(a)->Used == a->Bytes
            && bytes <= BufferCell.Capacity(StringCell.Owner(a))
        )
        {
            // The left side ends where its buffer's text ends: the right side goes behind it, and both strings stay as they are.
            StringCell* longer = NewString(0, width);
            Complete(longer, StringCell.Owner(a), a, b, length);
            return longer;
        }

        if (bytes < GrowableBytes)
        {
            StringCell* cell = NewString(length, width);
            Text.Copy(a->Data, a->Header.Width, cell->Data, width, a->Length);
            Text.Copy(b->Data, b->Header.Width, cell->Data + ((long)a->Length * width), width, b->Length);
            return cell;
        }

        StringCell* result = NewString(0, width);
        int mark = Protect(Value.Of(result));
        BufferCell* buffer = NewBuffer(bytes);
        Release(mark);
        Text.Copy(a->Data, a->Header.Width, BufferCell.Data(buffer), width, a->Length);
        Complete(result, buffer, a, b, length);
        return result;
    }

    /// <summary>
    /// The concatenation of two Strings where the left one ends what its buffer has, there is room behind it and a free cell
    /// at hand: nothing is collected, so nothing need be rooted. Null where it is not so: <see cref="Concat"/> does it.
    /// </summary>
    public StringCell* TryAppend(StringCell* a, StringCell* b)
    {
        ulong header = *(ulong*)b;
        uint width = (byte)(header >> 16);
        if (a->Header.Width != width || b->Length == 0 || a->Data == (byte*)(a + 1))
        {
            return null;
        }

        BufferCell* buffer = (BufferCell*)a->Data - 1;
        long bytes = a->Length * (long)width;
        long more = b->Length * (long)width;
        SizeClass* size = _classes + SizeClass.Of(sizeof(StringCell) + CellChecks.Prefix);
        byte* at = size->Next;
        if (buffer->Used != bytes || bytes + more > BufferCell.Capacity(buffer) || at == size->End)
        {
            return null;
        }

        size->Next = at + size->Bytes;
        StringCell* cell = (StringCell*)(at + CellChecks.Prefix);
        *(ulong*)cell = size->Header | (byte)CellKind.String | ((ulong)width << 16);
        CellChecks.Close((Cell*)cell);
        byte* data = a->Data;
        cell->Length = a->Length + b->Length;
        cell->Hash = 0;
        cell->Data = data;
        cell->Entry = 0;
        buffer->Used = (int)(bytes + more);
        if (more == 1)
        {
            data[bytes] = *b->Data;
        }
        else
        {
            Buffer.MemoryCopy(b->Data, data + bytes, more, more);
        }

        return cell;
    }

    /// <summary>Gives a String its text: a buffer that begins with the left side's, and the right side behind it.</summary>
    private static void Complete(StringCell* result, BufferCell* buffer, StringCell* a, StringCell* b, int length)
    {
        int width = result->Header.Width;
        Text.Copy(b->Data, b->Header.Width, BufferCell.Data(buffer) + ((long)a->Length * width), width, b->Length);
        buffer->Used = length * width;
        result->Length = length;
        result->Data = BufferCell.Data(buffer);
    }

    public StringCell* Repeat(StringCell* text, int times)
    {
        if (times == 0 || text->Length == 0)
        {
            return WellKnown.Empty;
        }

        StringCell* cell = NewString(checked(text->Length * times), text->Header.Width);
        int bytes = text->Bytes;
        Span<byte> target = new(cell->Data, cell->Bytes);
        new Span<byte>(text->Data, bytes).CopyTo(target);
        for (int done = bytes; done < target.Length; done *= 2)
        {
            int more = Math.Min(done, target.Length - done);
            target[..more].CopyTo(target[done..]);
        }

        return cell;
    }
}

/// <summary>Scalars in memory: widths, comparison, search, hashes.</summary>
internal static unsafe class Text
{
    public static int WidthOf(int maximum) =>
        maximum < 0x100 ? 1
        : maximum < 0x10000 ? 2
        : 4;

    public static void Copy(byte* from, int fromWidth, byte* to, int toWidth, int length)
    {
        if (fromWidth == toWidth)
        {
            long bytes = (long)length * fromWidth;
            Buffer.MemoryCopy(from, to, bytes, bytes);
            return;
        }

        for (int i = 0; i < length; i++)
        {
            int scalar = fromWidth switch
            {
                1 => from[i],
                2 => ((ushort*)from)[i],
                _ => ((int*)from)[i],
            };
            switch (toWidth)
            {
                case 1:
                    to[i] = (byte)scalar;
                    break;
                case 2:
                    ((ushort*)to)[i] = (ushort)scalar;
                    break;
                default:
                    ((int*)to)[i] = scalar;
                    break;
            }
        }
    }

    public static string ToDotNet(StringCell* text) => ToDotNet(text->Data, text->Length, text->Header.Width);

    public static string ToDotNet(byte* data, int length, int width)
    {
        switch (width)
        {
            case 1:
                return string.Create(
                    length,
                    (nint)data,
                    static (span, at) =>
                        System.Text.Encoding.Latin1.GetChars(new ReadOnlySpan<byte>((byte*)at, span.Length), span)
                );
            case 2:
                return new string((char*)data, 0, length);
            default:
                int units = length;
                int* scalars = (int*)data;
                for (int i = 0; i < length; i++)
                {
                    units += scalars[i] > 0xFFFF ? 1 : 0;
                }

                return string.Create(
                    units,
                    (nint)data,
                    static (span, at) =>
                    {
                        int* from = (int*)at;
                        for (int i = 0; i < span.Length; i++)
                        {
                            int scalar = *from++;
                            if (scalar > 0xFFFF)
                            {
                                span[i++] = (char)(0xD800 + ((scalar - 0x10000) >> 10));
                                span[i] = (char)(0xDC00 + ((scalar - 0x10000) & 0x3FF));
                            }
                            else
                            {
                                span[i] = (char)scalar;
                            }
                        }
                    }
                );
        }
    }

    public static bool Equal(StringCell* a, StringCell* b)
    {
        if (a == b)
        {
            return true;
        }

        // Widths are the least that fit, so equal texts have equal widths and equal bytes.
        if (a->Length != b->Length || a->Header.Width != b->Header.Width)
        {
            return false;
        }

        int bytes = a->Bytes;
        return IsOfTwoWords(bytes)
            ? SameTwoWords(a->Data, b->Data, bytes)
            : new ReadOnlySpan<byte>(a->Data, bytes).SequenceEqual(new ReadOnlySpan<byte>(b->Data, bytes));
    }

    /// <summary>Are both of 8 to 16 bytes, and equal?</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool EqualInTwoWords(StringCell* a, StringCell* b)
    {
        int bytes = a->Bytes;
        return a->Length == b->Length
            && a->Header.Width == b->Header.Width
            && IsOfTwoWords(bytes)
            && SameTwoWords(a->Data, b->Data, bytes);
    }

    private static bool IsOfTwoWords(int bytes) => bytes is >= sizeof(long) and <= 2 * sizeof(long);

    /// <summary>The first word and the last, which overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool SameTwoWords(byte* a, byte* b, int bytes) =>
        *(long*)a == *(long*)b && *(long*)(a + bytes - sizeof(long)) == *(long*)(b + bytes - sizeof(long));

    public static bool Equal(StringCell* a, string text)
    {
        int at = 0;
        for (int i = 0; i < a->Length; i++)
        {
            int scalar = a->At(i);
            if (scalar > 0xFFFF)
            {
                if (
                    at + 1 >= text.Length
                    || !char.IsSurrogatePair(text[at], text[at + 1])
                    || char.ConvertToUtf32(text[at], text[at + 1]) != scalar
                )
                {
                    return false;
                }

                at += 2;
            }
            else if (at >= text.Length || text[at++] != scalar)
            {
                return false;
            }
        }

        return at == text.Length;
    }

    /// <summary>By scalar values, from the left.</summary>
    public static int Compare(StringCell* a, StringCell* b)
    {
        int shared = Math.Min(a->Length, b->Length);
        if (a->Header.Width == 1 && b->Header.Width == 1)
        {
            int order = new ReadOnlySpan<byte>(a->Data, shared).SequenceCompareTo(
                new ReadOnlySpan<byte>(b->Data, shared)
            );
            return order != 0 ? order : a->Length.CompareTo(b->Length);
        }

        for (int i = 0; i < shared; i++)
        {
            int order = a->At(i) - b->At(i);
            if (order != 0)
            {
                return order;
            }
        }

        return a->Length.CompareTo(b->Length);
    }

    /// <summary>Where the part first occurs from a scalar index on; -1 if nowhere.</summary>
    public static int IndexOf(StringCell* text, StringCell* part, int from)
    {
        int left = text->Length - from;
        if (part->Length > left)
        {
            return -1;
        }

        if (part->Length == 0)
        {
            return from;
        }

        int width = text->Header.Width;
        int partWidth = part->Header.Width;
        if (partWidth > width)
        {
            // The part has a scalar that the text cannot have.
            return -1;
        }

        byte* widened = null;
        byte* data = part->Data;
        if (partWidth != width)
        {
            widened = (byte*)NativeMemory.Alloc((nuint)part->Length, (nuint)width);
            Copy(data, partWidth, widened, width, part->Length);
            data = widened;
        }

        int found = width switch
        {
            1 => new ReadOnlySpan<byte>(text->Data + from, left).IndexOf(new ReadOnlySpan<byte>(data, part->Length)),
            2 => new ReadOnlySpan<ushort>((ushort*)text->Data + from, left).IndexOf(
                new ReadOnlySpan<ushort>(data, part->Length)
            ),
            _ => new ReadOnlySpan<int>((int*)text->Data + from, left).IndexOf(
                new ReadOnlySpan<int>(data, part->Length)
            ),
        };
        NativeMemory.Free(widened);
        return found < 0 ? -1 : found + from;
    }

    public static bool StandsAt(StringCell* text, StringCell* part, int index)
    {
        if (index < 0 || part->Length > text->Length - index || part->Header.Width > text->Header.Width)
        {
            return false;
        }

        for (int i = 0; i < part->Length; i++)
        {
            if (text->At(index + i) != part->At(i))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// The cached hash. .NET's string hash is keyed by a secret of the process, so nobody can prepare keys that collide.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Hash(StringCell* text) => text->Hash != 0 ? text->Hash : ComputeHash(text);

    private static int ComputeHash(StringCell* text)
    {
        int bytes = text->Bytes;
        int hash = string.GetHashCode(new ReadOnlySpan<char>(text->Data, bytes / 2));
        if ((bytes & 1) != 0)
        {
            hash = (int)((uint)(hash ^ (text->Data[bytes - 1] << 8)) * 0x9E3779B1u) ^ (hash >> 15);
        }

        hash ^= hash >>> 16;
        hash = hash == 0 ? 1 : hash;
        if ((text->Header.Flags & Cell.Immortal) == 0)
        {
            text->Hash = hash;
        }

        return hash;
    }

    /// <summary>Fills the hash in before the cell is shared by threads.</summary>
    public static void Prepare(StringCell* text)
    {
        byte flags = text->Header.Flags;
        text->Header.Flags = 0;
        Hash(text);
        text->Header.Flags = flags;
    }

    public static bool HasUnpairedSurrogate(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            if (i + 1 >= text.Length || !char.IsSurrogatePair(text[i], text[i + 1]))
            {
                return true;
            }

            i++;
        }

        return false;
    }

    /// <summary>Scalars of a .NET string; half of a pair counts as one.</summary>
    public static int Scalars(string text)
    {
        int count = text.Length;
        for (int i = 0; i + 1 < text.Length; i++)
        {
            if (char.IsSurrogatePair(text[i], text[i + 1]))
            {
                count--;
                i++;
            }
        }

        return count;
    }
}

/// <summary>Strings that the engine itself needs, made once for the process and never freed.</summary>
internal static unsafe class WellKnown
{
    private static readonly CellHeap Heap = new(immortal: true);
    private static readonly nint[] Latin1Cells = MakeLatin1();

    public static StringCell* Empty { get; } = Make("");

    public static StringCell* Latin1(int scalar) => (StringCell*)Latin1Cells[scalar];

    public static StringCell* Make(string text)
    {
        lock (Heap)
        {
            StringCell* cell = Heap.NewString(text);
            Text.Prepare(cell);
            return cell;
        }
    }

    private static nint[] MakeLatin1()
    {
        nint[] cells = new nint[256];
        for (int i = 0; i < 256; i++)
        {
            cells[i] = (nint)Make(((char)i).ToString());
        }

        return cells;
    }
}
