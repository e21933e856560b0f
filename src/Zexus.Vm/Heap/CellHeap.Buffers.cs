using System.Numerics;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// Large buffers that were freed and are kept for the next of their size, since the system's pages cost more than what is
/// written to them. They count as the heap's bytes, and go first when memory is short.
/// </summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>Kept together at most, within an execution and between two.</summary>
    private const long MostKeptBytes = 32 * 1024 * 1024;

    /// <summary>By the power of two that their sizes round down to: all buffers of one have one size.</summary>
    private readonly Stack<nint>?[] _kept = new Stack<nint>?[64];
    private long _keptBytes;

    /// <summary>Keeps the memory of a freed cell; false when it is no buffer or there is too much already.</summary>
    private bool Keep(Cell* cell)
    {
        long bytes = PrefixOf(cell)->Bytes;
        if (cell->Kind != CellKind.Buffer || _keptBytes + bytes > MostKeptBytes)
        {
            return false;
        }

        Count(ref _keptBytes, bytes);
        (_kept[BitOperations.Log2((ulong)bytes)] ??= new Stack<nint>()).Push((nint)PrefixOf(cell));
        return true;
    }

    /// <summary>Memory of exactly so many bytes; null when none is kept.</summary>
    private byte* TakeKept(long bytes)
    {
        if (_kept[BitOperations.Log2((ulong)bytes)] is not { } sizes || !sizes.TryPop(out nint block))
        {
            return null;
        }

        LargePrefix* prefix = (LargePrefix*)block;
        if (prefix->Bytes != bytes)
        {
            throw new InvalidOperationException("the heap is broken: buffers of two sizes share a power of two");
        }

        Count(ref _keptBytes, -bytes);
        if (_poison)
        {
            byte* start = (byte*)(prefix + 1) + CellChecks.Prefix + sizeof(Cell);
            CheckPoison(start, (byte*)block + bytes);
        }

        return (byte*)block;
    }

    /// <summary>Gives all of them back to the system.</summary>
    private void ReleaseBuffers()
    {
        foreach (Stack<nint>? sizes in _kept)
        {
            while (sizes is not null && sizes.TryPop(out nint block))
            {
                NativeMemory.AlignedFree((void*)block);
            }
        }

        Count(ref _keptBytes, -_keptBytes);
    }
}
