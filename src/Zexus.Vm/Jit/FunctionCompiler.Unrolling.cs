namespace Zexus.Vm;

/// <summary>
/// Short innermost loops in which the machine is not called stand in the method several times, one turn behind the other, and only the last
/// leads back. Each copy of a head is reached in one way then, so the gas of all turns is taken at the first
/// (<see cref="FindGasAhead"/>), and what a way out leaves undone is given back there.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>Of a loop: instructions that the turns have together at most. RyuJIT's time is by the size of the method.</summary>
    private const int LargestUnrolledCount = 64;

    private const int MostTurns = 4;

    /// <summary>By block of the loop, the copies of it; the first is the block itself.</summary>
    private sealed class UnrolledLoop(Block head, Dictionary<Block, Block[]> turns)
    {
        /// <summary>Where control goes from a turn to a block.</summary>
        public Block Next(int turn, Block to) =>
            !turns.TryGetValue(to, out Block[]? copies) ? to
            : to == head ? copies[(turn + 1) % copies.Length]
            : copies[turn];
    }

    /// <summary>Where control is when it goes on from a block at an instruction.</summary>
    private Block BlockAt(Block from, int to)
    {
        Block target = _blockAt[to]!;
        return from.Unrolled is { } loop ? loop.Next(from.Turn, target) : target;
    }

    /// <summary>Between following the code and emitting it, when what holds before the loops has been found.</summary>
    private void UnrollLoops()
    {
        if (!_mayGrow || _assumeNothing)
        {
            return;
        }

        List<NaturalLoop> loops = FindLoops();
        foreach (NaturalLoop loop in loops)
        {
            int count = loop.Body.Sum(block => block.End - block.Start);
            int turns = Math.Min(MostTurns, LargestUnrolledCount / count);
            if (
                turns < 2
                || loop.Body.Any(block => block.ChangesLists || block.LastSegment < 0)
                || loops.Exists(other => other.Head != loop.Head && loop.Body.Contains(other.Head))
            )
            {
                continue;
            }

            Block[] body = [.. loop.Body.OrderBy(block => block.Number)];
            Dictionary<Block, Block[]> copies = body.ToDictionary(
                block => block,
                block => (Block[])[block, .. Enumerable.Range(1, turns - 1).Select(turn => block.Copy(turn))]
            );
            UnrolledLoop unrolled = new(loop.Head, copies);
            foreach (Block block in copies.Values.SelectMany(it => it))
            {
                block.Unrolled = unrolled;
            }

            for (int turn = 1; turn < turns; turn++)
            {
                _blocks.InsertRange(
                    _blocks.IndexOf(copies[body[^1]][turn - 1]) + 1,
                    body.Select(block => copies[block][turn])
                );
            }

            // What was asked before the loops around it holds in all turns.
            foreach (NaturalLoop around in _loops.Where(it => it.Body.Contains(loop.Head)))
            {
                around.Body.UnionWith(copies.Values.SelectMany(it => it));
            }
        }

        if (_blocks.Count > LargestBlockCount)
        {
            throw new CompilationRefusedException(CompilationRefusedException.TooManyBlocks);
        }
    }
}
