using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

internal enum CellKind : byte
{
    /// <summary>Memory that no cell has: a <see cref="FreeRun"/>.</summary>
    Free = 0,

    /// <summary>Storage that one other cell owns: items, entries, an index, text.</summary>
    Buffer = 1,
    String = 2,
    BigInt = 3,
    List = 4,
    Map = 5,
    Set = 6,
    Function = 7,
    Variable = 8,
}

/// <summary>The header that every cell starts with: enough to walk a block from cell to cell and to mark.</summary>
[StructLayout(LayoutKind.Sequential, Size = 8)]
internal struct Cell
{
    /// <summary>A cell of a loaded program or of the engine itself: shared by threads, never written, never freed.</summary>
    public const byte Immortal = 1;

    /// <summary>The mark of an immortal cell: above all colours, so that no collection enters it.</summary>
    public const byte Colourless = 0xFF;

    public CellKind Kind;

    /// <summary>
    /// The colour of the last collection that found it, or in whose time it was made. Of a free run: the colour in whose time it was made one.
    /// </summary>
    public byte Mark;

    /// <summary>
    /// Of a String: bytes of a scalar, 1, 2 or 4; always the least that fits its largest. Of a List: its <see cref="ElementKind"/>.
    /// </summary>
    public byte Width;
    public byte Flags;

    /// <summary>The room that the cell has, header included, in units of 16 bytes.</summary>
    public uint Units;
}

/// <summary>Cells side by side that are free: an allocation takes the first, and the rest is the run.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal unsafe struct FreeRun
{
    public Cell Header;
    public FreeRun* Next;

    /// <summary>Its size counts as a cell's does: one free cell has the header of its class.</summary>
    public static long Bytes(FreeRun* run) => (run->Header.Units * 16L) + CellChecks.Prefix;
}

[StructLayout(LayoutKind.Sequential, Size = 16)]
internal unsafe struct BufferCell
{
    public Cell Header;

    /// <summary>Bytes in use. Only text uses it: a String that ends here may grow in place.</summary>
    public int Used;

    public static byte* Data(BufferCell* cell) => (byte*)(cell + 1);

    public static int Capacity(BufferCell* cell) => (int)Math.Min((cell->Header.Units * 16L) - 16, int.MaxValue);
}

/// <summary>
/// Text as scalars of one width. The scalars follow the cell, or stand at the start of a buffer that longer strings
/// may share: what a string can see of the buffer never changes.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal unsafe struct StringCell
{
    public Cell Header;
    public int Length;

    /// <summary>0 until it is asked for.</summary>
    public int Hash;
    public byte* Data;

    /// <summary>The number of the entry where this very cell was last found or put as a key: to be looked at first.</summary>
    public int Entry;

    /// <summary>The buffer that has the scalars; null when they follow the cell.</summary>
    public static BufferCell* Owner(StringCell* cell) =>
        cell->Data == (byte*)(cell + 1) ? null : (BufferCell*)cell->Data - 1;

    public readonly int Bytes => Length * Header.Width;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int At(int index)
    {
        CellChecks.Index(index, Length);
        return Header.Width switch
        {
            1 => Data[index],
            2 => ((ushort*)Data)[index],
            _ => ((int*)Data)[index],
        };
    }
}

/// <summary>An Int that does not fit 64 bits: two's complement, little-endian, behind the cell.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal unsafe struct BigCell
{
    public Cell Header;
    public int Bytes;

    /// <summary>Bit length of two's complement without the sign bit.</summary>
    public int Bits;

    public static byte* Data(BigCell* cell) => (byte*)(cell + 1);
}

/// <summary>How a List stores its items. But for <see cref="Value"/> the numbers are those of the tags.</summary>
internal enum ElementKind : byte
{
    /// <summary>Anything, 16 bytes each.</summary>
    Value = 0,

    /// <summary>Bools only, a byte each.</summary>
    Bool = (byte)Tag.Bool,

    /// <summary>Ints of 64 bits only.</summary>
    Int = (byte)Tag.Int,

    /// <summary>Floats only.</summary>
    Float = (byte)Tag.Float,
}

internal static class ElementKinds
{
    /// <summary>The kind of a List that has nothing but such items.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ElementKind Of(Tag tag) => (ulong)tag <= (ulong)Tag.Float ? (ElementKind)tag : ElementKind.Value;

    /// <summary>May such an item go into a List of this kind?</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Takes(this ElementKind kind, Tag tag) => kind == ElementKind.Value || (long)kind == (long)tag;

    /// <summary>An item's size as a power of two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Shift(this ElementKind kind) => (0x3304 >> ((int)kind * 4)) & 15;
}

/// <summary>
/// A List. An empty one takes the kind of its first item; an item of another kind makes it a List of Values, and that it
/// remains until it is empty again. Items are read and written through <see cref="Get(int)"/> and <see cref="Put"/>;
/// what may change the kind is <see cref="CellHeap"/>'s.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal unsafe struct ListCell
{
    public Cell Header;
    public int Count;
    public int Capacity;
    public byte* Items;

    /// <summary>The buffer that has the items; null when they follow the cell.</summary>
    public BufferCell* Owner;

    public readonly ElementKind Kind
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (ElementKind)Header.Width;
    }

    /// <summary>The items of a List of Values.</summary>
    public readonly Value* Values
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            CellChecks.Index((int)Kind, 1);
            return (Value*)Items;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Value Get(int index)
    {
        Value value;
        Get(index, &value);
        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Get(int index, Value* to)
    {
        CellChecks.Index(index, Count);
        if (Kind == ElementKind.Value)
        {
            Value.Copy(to, (Value*)Items + index);
            return;
        }

        to->Payload = Kind == ElementKind.Bool ? Items[index] : ((long*)Items)[index];
        to->Tag = (Tag)Kind;
    }

    /// <summary>Writes an item that the kind takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Put(int index, in Value item)
    {
        CellChecks.Index(index, Capacity);
        switch (Kind)
        {
            case ElementKind.Value:
                ((Value*)Items)[index] = item;
                break;
            case ElementKind.Bool:
                Items[index] = (byte)item.Payload;
                break;
            default:
                ((long*)Items)[index] = item.Payload;
                break;
        }
    }
}

[StructLayout(LayoutKind.Sequential, Size = 40)]
internal struct Entry
{
    public Value Key;

    /// <summary>Null in a Set.</summary>
    public Value Item;
    public int Hash;
}

/// <summary>
/// A Map or a Set: entries in insertion order without gaps, so that the k-th is at k, and, from nine entries on, an
/// open-addressing index of entry numbers plus one.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal unsafe struct TableCell
{
    public Cell Header;
    public int Count;
    public int Capacity;

    /// <summary>Slots of the index minus one; 0 when there is no index.</summary>
    public int Mask;
    public Entry* Entries;
    public int* Index;
    public BufferCell* EntriesOwner;
    public BufferCell* IndexOwner;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Entry* At(int index)
    {
        CellChecks.Index(index, Count);
        return Entries + index;
    }
}

/// <summary>A closure: a function of the table and, behind the cell, the variables that it captured.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal unsafe struct FunctionCell
{
    public Cell Header;
    public int Function;
    public int Captures;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VariableCell** Captured(FunctionCell* cell) => (VariableCell**)(cell + 1);
}

/// <summary>A variable that frames and closures share.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct VariableCell
{
    public Cell Header;
    private readonly long _pad;
    public Value Value;
}
