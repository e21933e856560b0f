using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>
/// What the checked build (ZEXUS_CHECKED) verifies on every access to a cell: that the pointer is to a cell that the
/// heap has handed out and not taken back, of the kind that the tag says, and that an index lies inside it.
/// In other builds nothing is left of it.
/// </summary>
internal static unsafe class CellChecks
{
#if ZEXUS_CHECKED
    /// <summary>Bytes in front of each cell: the seal.</summary>
    public const int Prefix = 16;
    private const ulong Seal = 0x5A45585553_43454CUL;

    public static void Close(Cell* cell) => ((ulong*)cell)[-1] = Seal ^ (ulong)cell;

    public static void Break(Cell* cell) => ((ulong*)cell)[-1] = 0;
#else
    public const int Prefix = 0;

    [Conditional("ZEXUS_CHECKED")]
    public static void Close(Cell* cell) { }

    [Conditional("ZEXUS_CHECKED")]
    public static void Break(Cell* cell) { }
#endif

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Cell* Verify(Cell* cell, CellKind kind)
    {
#if ZEXUS_CHECKED
        if (cell is null || ((ulong)cell & 15) != 0 || ((ulong*)cell)[-1] != (Seal ^ (ulong)cell))
        {
            Environment.FailFast($"0x{(ulong)cell:X} is no live cell");
        }

        if (cell->Kind != kind)
        {
            Environment.FailFast($"the cell at 0x{(ulong)cell:X} is a {cell->Kind}, not a {kind}");
        }
#endif
        return cell;
    }

    [Conditional("ZEXUS_CHECKED")]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Index(int index, int count)
    {
        if ((uint)index >= (uint)count)
        {
            Environment.FailFast($"index {index} of {count}");
        }
    }
}
