using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// Memory of which the system is asked to make pages of 2 MiB where it is large enough for one: marking and large tables jump from
/// page to page. Linux gives them on request (madvise(2), MADV_HUGEPAGE), elsewhere and where it refuses nothing is lost.
/// </summary>
internal static unsafe partial class HugePages
{
    public const int Bytes = 2 * 1024 * 1024;
    private const int UseHugePages = 14;

    /// <summary>Memory at a multiple of a block's size, to be given back with <see cref="NativeMemory.AlignedFree"/>.</summary>
    public static nint Allocate(long bytes)
    {
        if (bytes < Bytes)
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)bytes, CellHeap.BlockBytes);
        }

        void* start = NativeMemory.AlignedAlloc((nuint)bytes, Bytes);
        if (OperatingSystem.IsLinux())
        {
            _ = Advise(start, (nuint)bytes, UseHugePages);
        }

        return (nint)start;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint bytes, int advice);
}
