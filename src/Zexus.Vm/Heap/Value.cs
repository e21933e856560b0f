using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>What a <see cref="Value"/> holds. Everything from <see cref="BigInt"/> on is a pointer to a cell.</summary>
internal enum Tag : long
{
    // Zero, so that cleared memory is a row of Nulls.
    Null = 0,
    Bool = 1,
    Int = 2,
    Float = 3,
    BigInt = 4,
    String = 5,
    List = 6,
    Map = 7,
    Set = 8,
    Function = 9,

    /// <summary>A captured variable. Stands only in the variable slots of a frame, never where a program sees it.</summary>
    Variable = 10,
}

/// <summary>
/// One value of the machine: a tag and 64 bits. It has no .NET reference, so the garbage collector never looks at a
/// stack or a cell.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal unsafe struct Value
{
    public Tag Tag;
    public long Payload;

    public Value(Tag tag, long payload)
    {
        Tag = tag;
        Payload = payload;
    }

    public static Value Null => default;

    public static Value True => new(Tag.Bool, 1);

    public readonly double Float => BitConverter.Int64BitsToDouble(Payload);

    public readonly Cell* Cell => (Cell*)Payload;

    public readonly bool IsCell => Tag >= Tag.BigInt;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Value Of(bool value) => new(Tag.Bool, value ? 1 : 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Value Of(long value) => new(Tag.Int, value);

    /// <summary>A Float; every NaN becomes the one NaN that there is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Value Of(double value) =>
        new(Tag.Float, double.IsNaN(value) ? Floats.NaNBits : BitConverter.DoubleToInt64Bits(value));

    public static Value Of(StringCell* cell) => new(Tag.String, (long)cell);

    public static Value Of(ListCell* cell) => new(Tag.List, (long)cell);

    public static Value Of(FunctionCell* cell) => new(Tag.Function, (long)cell);

    public static Value Of(VariableCell* cell) => new(Tag.Variable, (long)cell);

    /// <summary>
    /// Copies in two 8-byte moves. A 16-byte vector load right after two 8-byte stores cannot be forwarded from the
    /// store buffer and stalls; the loop writes tags and payloads apart, so all its copies go through here.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(Value* to, Value* from)
    {
        long payload = from->Payload;
        to->Tag = from->Tag;
        to->Payload = payload;
    }

    public readonly StringCell* String
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (StringCell*)CellChecks.Verify((Cell*)Payload, CellKind.String);
    }

    public readonly BigCell* Big
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (BigCell*)CellChecks.Verify((Cell*)Payload, CellKind.BigInt);
    }

    public readonly ListCell* List
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (ListCell*)CellChecks.Verify((Cell*)Payload, CellKind.List);
    }

    public readonly TableCell* Map
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (TableCell*)CellChecks.Verify((Cell*)Payload, CellKind.Map);
    }

    public readonly TableCell* Set
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (TableCell*)CellChecks.Verify((Cell*)Payload, CellKind.Set);
    }

    /// <summary>The table of a Map or a Set.</summary>
    public readonly TableCell* Table
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (TableCell*)CellChecks.Verify((Cell*)Payload, Tag == Tag.Map ? CellKind.Map : CellKind.Set);
    }

    public readonly FunctionCell* Function
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (FunctionCell*)CellChecks.Verify((Cell*)Payload, CellKind.Function);
    }

    public readonly VariableCell* Variable
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (VariableCell*)CellChecks.Verify((Cell*)Payload, CellKind.Variable);
    }
}
