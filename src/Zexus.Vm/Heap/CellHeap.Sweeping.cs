using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// Sweeping: what has not the colour of the collection is free. A collection looks at the tallies of the blocks only; one that has
/// cells in use and garbage is swept when an allocation of its class needs a run and finds no other (R. J. M. Hughes, A semi-incremental
/// garbage collection algorithm, 1982), so that what is read is about to be written anyway. Garbage that no allocation needs is never looked at.
/// </summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>Cells that are looked at together: those that are free are the bits of a word, found without a branch for each.</summary>
    private const int GroupCells = 64;

    /// <summary>
    /// A block of which less than one in so many is garbage waits until memory is short: it would have to be read as a whole
    /// (so does H.-J. Boehm's collector).
    /// </summary>
    private const int CrowdedPart = 8;

    /// <summary>The second half of a collection.</summary>
    internal void Sweep()
    {
        for (int i = 0; i < SizeClass.Count; i++)
        {
            _classes[i].ClearFree();
        }

        SpareBlocks();
        ChainBlocks();
        for (int i = _large.Count - 1; i >= 0; i--)
        {
            Cell* cell = (Cell*)_large[i];
            if (cell->Mark != _colour)
            {
                FreeLarge(cell);
            }
        }

        // A checked build knows garbage at once, and so does stress, but for one time in four: what happens to garbage that waits is checked, too.
        if (CellChecks.Prefix > 0 || (_poison && _collections % 4 != 0))
        {
            FinishSweeping();
        }
    }

    /// <summary>Blocks in which nothing was found belong to no class any more.</summary>
    private void SpareBlocks()
    {
        int kept = 0;
        foreach (Block block in CollectionsMarshal.AsSpan(_blocks))
        {
            if (TallyOf(_tallies, _tallyMask, block.Start)->Found != 0)
            {
                _blocks[kept++] = block;
                continue;
            }

            if (_poison || CellChecks.Prefix > 0)
            {
                NativeMemory.Fill((void*)block.Start, BlockBytes, Poison);
            }

            _spare.Add(block.Start);
        }

        _blocks.RemoveRange(kept, _blocks.Count - kept);
    }

    /// <summary>Blocks in which not all was found wait for being swept, in the order of the list.</summary>
    private void ChainBlocks()
    {
        Span<Block> blocks = CollectionsMarshal.AsSpan(_blocks);
        for (int i = blocks.Length - 1; i >= 0; i--)
        {
            Tally* tally = TallyOf(_tallies, _tallyMask, blocks[i].Start);
            if (tally->Found == tally->Full)
            {
                continue;
            }

            SizeClass* size = _classes + blocks[i].Class;
            ref int first = ref size->Waiting;
            if (tally->Full - tally->Found < tally->Full / CrowdedPart)
            {
                first = ref size->Crowded;
            }

            blocks[i] = blocks[i] with { Next = first };
            first = i + 1;
        }
    }

    /// <summary>Has a class free cells right after a collection, in blocks that wait for being swept or have been at once, or is there a block for it?</summary>
    private bool HasRoom(SizeClass* size) =>
        _spare.Count > 0 || (size->Waiting | size->Crowded) != 0 || size->Runs is not null;

    /// <summary>The next free cells, side by side, of the blocks that wait; null when there are none.</summary>
    private byte* SweepRun(SizeClass* size, out long bytes)
    {
        while (size->FreeOfGroup == 0)
        {
            if (size->Unswept == size->UnsweptEnd && !SweepNextBlock(size))
            {
                bytes = 0;
                return null;
            }

            FreeRun* run = (FreeRun*)(size->Unswept + CellChecks.Prefix);
            if (IsLongRun(size, *(ulong*)run))
            {
                byte* start = size->Unswept;
                bytes = FreeRun.Bytes(run);
                size->Unswept += bytes;
                return start;
            }

            SweepGroup(size);
        }

        return TakeOfGroup(size, size->FreeOfGroup, out bytes);
    }

    /// <summary>The first free cells, side by side, of those that were looked at last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* TakeOfGroup(SizeClass* size, ulong free, out long bytes)
    {
        int inUse = BitOperations.LeadingZeroCount(free);
        free <<= inUse;
        int cells = BitOperations.LeadingZeroCount(~free);

        // A shift by 64 would be one by none.
        size->FreeOfGroup = free << (cells - 1) << 1;
        byte* at = size->Group + (inUse * size->Bytes);
        bytes = cells * size->Bytes;
        size->Group = at + bytes;
        return at;
    }

    private bool SweepNextBlock(SizeClass* size)
    {
        if (size->Waiting == 0)
        {
            return false;
        }

        Block block = _blocks[size->Waiting - 1];
        size->Waiting = block.Next;
        size->Unswept = (byte*)block.Start;
        size->UnsweptEnd = size->Unswept + (BlockBytes / size->Bytes * size->Bytes);
        return true;
    }

    /// <summary>Finds out which of the next cells are free, up to a run of before this collection.</summary>
    private void SweepGroup(SizeClass* size)
    {
        long bytes = size->Bytes;
        byte* at = size->Unswept;
        byte* end = at + Math.Min(size->UnsweptEnd - at, GroupCells * bytes);
        for (byte* line = end; line < end + (end - at); line += Math.Max(bytes, CacheLine))
        {
            Fetch(line);
        }

        byte colour = _colour;
        uint units = (uint)(size->Header >> 32);
        ulong free = 0;
        size->Group = at;
        while (at != end)
        {
            Cell* cell = (Cell*)(at + CellChecks.Prefix);
            if (cell->Units != units)
            {
                break;
            }

            free = free + free + (cell->Mark != colour ? 1UL : 0);
            at += bytes;
        }

        size->FreeOfGroup = free << (int)(GroupCells - (((at - size->Group) / bytes)));
        size->Unswept = at;
    }

    /// <summary>Is this the header of several free cells, of which only the first has one? No other has another size than the class.</summary>
    private static bool IsLongRun(SizeClass* size, ulong header) => (header >> 32) != size->Header >> 32;

    /// <summary>For checks that look at what is free: fills garbage with the pattern. What was free before keeps what it has.</summary>
    private void Bury(SizeClass* size, byte* run, long bytes)
    {
        if (!_poison && CellChecks.Prefix == 0)
        {
            return;
        }

        for (byte* at = run; at != run + bytes; )
        {
            Cell* cell = (Cell*)(at + CellChecks.Prefix);
            if (cell->Kind == CellKind.Free)
            {
                at += FreeRun.Bytes((FreeRun*)cell);
                continue;
            }

            CellChecks.Break(cell);
            if (_poison)
            {
                NativeMemory.Fill(at, (nuint)size->Bytes, Poison);
            }

            at += size->Bytes;
        }
    }

    /// <summary>Sweeps all blocks that wait, in order.</summary>
    private void FinishSweeping()
    {
        for (int i = 0; i < SizeClass.Count; i++)
        {
            SizeClass* size = _classes + i;
            FreeRun** last = SweepAll(size, &size->Runs);
            size->Waiting = size->Crowded;
            size->Crowded = 0;
            SweepAll(size, last);
        }
    }

    private FreeRun** SweepAll(SizeClass* size, FreeRun** last)
    {
        while (true)
        {
            byte* run = SweepRun(size, out long bytes);
            if (run is null)
            {
                return last;
            }

            Bury(size, run, bytes);
            *last = WriteRun(run, bytes);
            last = &(*last)->Next;
            *last = null;
        }
    }
}
