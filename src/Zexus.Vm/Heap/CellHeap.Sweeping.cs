using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>Sweeping: what has not the colour of the collection is free, and lies in runs again.</summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>The second half of a collection.</summary>
    internal void Sweep()
    {
        for (int i = 0; i < SizeClass.Count; i++)
        {
            _classes[i].Runs = null;
            _classes[i].Last = null;
        }

        int kept = 0;
        foreach (Block block in CollectionsMarshal.AsSpan(_blocks))
        {
            Tally* tally = TallyOf(_tallies, _tallyMask, block.Start);
            if (tally->Found == 0)
            {
                Bury(block);
                _spare.Add(block.Start);
            }
            else if (tally->Found == tally->Full || Sweep(_classes + block.Class, (byte*)block.Start))
            {
                _blocks[kept++] = block;
            }
            else
            {
                _spare.Add(block.Start);
            }
        }

        _blocks.RemoveRange(kept, _blocks.Count - kept);
        for (int i = _large.Count - 1; i >= 0; i--)
        {
            Cell* cell = (Cell*)_large[i];
            if (cell->Mark != _colour)
            {
                FreeLarge(cell);
            }
        }
    }

    /// <summary>Nothing in the block is in use: a check that looks at freed cells finds the pattern in it.</summary>
    private void Bury(Block block)
    {
        if (_poison || CellChecks.Prefix > 0)
        {
            NativeMemory.Fill((void*)block.Start, BlockBytes, Poison);
        }
    }

    /// <summary>False when nothing in the block is in use.</summary>
    private bool Sweep(SizeClass* size, byte* block)
    {
        long bytes = size->Bytes;
        byte* end = block + (BlockBytes / bytes * bytes);
        byte colour = _colour;
        byte* at = block;
        while (true)
        {
            while (at != end && ((Cell*)(at + CellChecks.Prefix))->Mark == colour)
            {
                at += bytes;
            }

            if (at == end)
            {
                return true;
            }

            byte* run = at;
            while (at != end)
            {
                Cell* cell = (Cell*)(at + CellChecks.Prefix);
                ulong header = *(ulong*)cell;
                if ((byte)(header >> 8) == colour)
                {
                    break;
                }

                if ((CellKind)(byte)header == CellKind.Free)
                {
                    at += (header >> 32) << 4;
                    continue;
                }

                CellChecks.Break(cell);
                if (_poison)
                {
                    NativeMemory.Fill(at, (nuint)bytes, Poison);
                }

                at += bytes;
            }

            if (run == block && at == end)
            {
                return false;
            }

            FreeRun* free = (FreeRun*)(run + CellChecks.Prefix);
            WriteRun(free, at - run);
            free->Next = null;
            if (size->Last is null)
            {
                size->Runs = free;
            }
            else
            {
                size->Last->Next = free;
            }

            size->Last = free;
        }
    }
}
