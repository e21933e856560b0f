using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// The small cells of one size: multiples of 16 bytes up to 256, then four sizes to each doubling, so that about a
/// fifth of a cell is lost at most. Above 512 bytes a size is a cache line less than the quarter: cells of one class lie at equal distances, and
/// where those are an odd number of lines, the same item of many Lists, a column of a matrix, is in all sets of a cache and not
/// in a few (J. Bonwick, <em>The Slab Allocator</em>, USENIX Summer 1994, on colouring).
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal unsafe struct SizeClass
{
    public const int Count = 41;
    private const int Fine = 16;

    /// <summary>In units of 16 bytes: the last class that is a whole quarter.</summary>
    private const int LastWhole = 32;

    /// <summary>In bytes.</summary>
    public const int CacheLine = 64;

    /// <summary>The last class, in bytes.</summary>
    public const int Largest = (16 * 1024) - CacheLine;

    /// <summary>A cache line, in units.</summary>
    private const int Line = CacheLine / 16;

    /// <summary>The free cells that allocations take, one behind the other.</summary>
    public byte* Next;
    public byte* End;

    /// <summary>A cell's size, in bytes.</summary>
    public long Bytes;

    /// <summary>The header of its cells, but for the kind.</summary>
    public ulong Header;

    /// <summary>Free runs, other than the one between <see cref="Next"/> and <see cref="End"/>.</summary>
    public FreeRun* Runs;

    /// <summary>Bytes of all the runs that it has allocated from, in this execution.</summary>
    public long Taken;

    /// <summary>Of the block that is being swept, what nobody has looked at.</summary>
    public byte* Unswept;
    public byte* UnsweptEnd;

    /// <summary>The cells that were looked at last, up to 64: which of them are free and not given away yet, a bit each, the first one's highest.</summary>
    public byte* Group;
    public ulong FreeOfGroup;

    /// <summary>The blocks that wait for being swept: the first one's number in the heap's list, counted from one; 0 is none.</summary>
    public int Waiting;

    /// <summary>Those that are not worth it while there is other memory.</summary>
    public int Crowded;

    /// <summary>Bytes of all the cells that it has given, in this execution.</summary>
    public readonly long Used => Taken - (End - Next);

    /// <summary>The class of a cell of so many bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Of(int bytes)
    {
        int units = (bytes + 15) >> 4;
        return units <= Fine ? units : Coarse(units);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Coarse(int units)
    {
        // units - 1 has its highest bit at 4 or above; the next two bits tell the quarter.
        int last = (units > LastWhole ? units + Line : units) - 1;
        int high = BitOperations.Log2((uint)last);
        return (4 * high) + ((last >> (high - 2)) & 3) + 1;
    }

    public static SizeClass[] NewTable()
    {
        SizeClass[] classes = GC.AllocateArray<SizeClass>(Count, pinned: true);
        for (int i = 0; i < Count; i++)
        {
            classes[i].Bytes = SizeOf(i);
        }

        return classes;
    }

    /// <summary>What a buffer of at least so many bytes has: a class of those that double, or if it is too large for one a power of two.</summary>
    public static long DoublingFor(long bytes)
    {
        long whole = RoundUp(bytes);
        return whole <= LastWhole * 16 || bytes > Largest ? whole : RoundUp(bytes + CacheLine) - CacheLine;
    }

    private static long RoundUp(long bytes) => 1L << (BitOperations.Log2((ulong)(bytes - 1)) + 1);

    /// <summary>The size of the cells that one of so many bytes is among.</summary>
    public static int BytesOf(long bytes) => (int)SizeOf(Of((int)bytes));

    private static long SizeOf(int number)
    {
        if (number <= Fine)
        {
            return number * 16L;
        }

        int high = (number - 1) / 4;
        int quarter = (number - 1) % 4;
        long units = (1L << high) + ((quarter + 1L) << (high - 2));
        return (units > LastWhole ? units - Line : units) * 16;
    }

    public void Clear()
    {
        Next = null;
        End = null;
        Taken = 0;
        ClearFree();
    }

    /// <summary>Forgets what is free, but for what is between <see cref="Next"/> and <see cref="End"/>.</summary>
    public void ClearFree()
    {
        Runs = null;
        Unswept = null;
        UnsweptEnd = null;
        Group = null;
        FreeOfGroup = 0;
        Waiting = 0;
        Crowded = 0;
    }
}
