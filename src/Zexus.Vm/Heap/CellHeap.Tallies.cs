using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>What marking finds in each block: one that is all garbage, or all in use, is swept without a look into it.</summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>In units of 16 bytes. Blocks may share one: then its sums are theirs together.</summary>
    private struct Tally
    {
        /// <summary>What is in use, of the cells that this collection found.</summary>
        public uint Found;

        /// <summary>What is in use when all cells are.</summary>
        public uint Full;
    }

    private const int BlockShift = 16;
    private const uint LargestSmallUnits = (LargestSmall - CellChecks.Prefix) / 16;

    /// <summary>By the lowest bits of a block's number in memory; four places and more for each block, so that few share one.</summary>
    private Tally* _tallies;
    private nuint _tallyMask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Tally* TallyOf(Tally* tallies, nuint mask, nint address) =>
        tallies + (((nuint)address >> BlockShift) & mask);

    private void BeginTallies()
    {
        nuint places = BitOperations.RoundUpToPowerOf2((nuint)Math.Max(64, _blocks.Count) * 4);
        if (places > _tallyMask + 1)
        {
            _tallies = (Tally*)NativeMemory.Realloc(_tallies, places * (nuint)sizeof(Tally));
            _tallyMask = places - 1;
        }

        Span<Block> blocks = CollectionsMarshal.AsSpan(_blocks);
        foreach (Block block in blocks)
        {
            *TallyOf(_tallies, _tallyMask, block.Start) = default;
        }

        foreach (Block block in blocks)
        {
            TallyOf(_tallies, _tallyMask, block.Start)->Full += UnitsOf(block);
        }
    }

    /// <summary>The units of all cells that a block has room for.</summary>
    private uint UnitsOf(Block block)
    {
        long bytes = _classes[block.Class].Bytes;
        return (uint)(BlockBytes / bytes * ((bytes - CellChecks.Prefix) >> 4));
    }
}
