using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>
/// Gas is taken by the segment: a run of instructions that ends behind one that may call the machine. At a branch the gas of the dearer way
/// is taken before it, and the other way gives back what it does not need; so a block that is reached in one way only takes none.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>Gas that is taken before a branch: more of it would leave for the interpreter too early where slices are short.</summary>
    private const long MostGasAhead = 1024;

    private readonly Dictionary<int, int> _segmentEnds = [];
    private int _segmentStart;

    /// <summary>The segment has ended behind an instruction that may call the machine.</summary>
    private bool _isSealed;

    /// <summary>Takes the gas of the segment that begins here. Where it ends, following the code has found.</summary>
    private void StartSegment(int i)
    {
        _segmentStart = i;
        _isSealed = false;
        if (!_il.Enabled)
        {
            return;
        }

        int end = _segmentEnds[i];
        long cost = CostOf(i, end);
        long gas = (cost + (end - i)) >> Fuel.Shift;
        int free = Enumerable.Range(i, end - i).Count(k => (Op)At(k)->Op == Op.Nop);
        if (end - i - free > Fuel.MostFree * Math.Max(gas, 1))
        {
            throw new CompilationRefusedException(CompilationRefusedException.TooManyFreeSteps);
        }

        for (int k = i; k < end; k++)
        {
            Count((Op)At(k)->Op);
        }

        if (i == _block.Start && _block.Turn > 0)
        {
            Count(ShortWay.LaterTurn);
        }

        if (i == _block.Start && _block.IsPaidAhead)
        {
            Count(ShortWay.GasAhead);
        }
        else
        {
            TakeGas(i, cost + AheadOf(_block, i));
        }

        if (free > Fuel.MostFree * gas && !_jit.Options.IsUnmetered)
        {
            LeaveWithManySteps(i);
        }
    }

    private void TakeGas(int i, long cost)
    {
        AddToCounter(-cost);
        if (cost <= 0 || _jit.Options.IsUnmetered)
        {
            // Free instructions take steps only.
            return;
        }

        // A slice that ends is an exit, too: were it a call that comes back, RyuJIT would keep no variable in a register across it.
        Label exit = _il.NewLabel();
        _il.Load(_counter);
        _il.Long(0);
        _il.Branch(OpCodes.Blt, exit);
        Exit(exit, i, ExitKind.Gas, giveBack: cost);
    }

    /// <summary>Before NOPs that are many for their gas: as the interpreter does at each, asks whether the step counter is about to run over.</summary>
    private void LeaveWithManySteps(int i)
    {
        Label exit = _il.NewLabel();
        _il.Load(_counter);
        _il.Long(Fuel.StepMask);
        _il.Op(OpCodes.And);
        _il.Long(Fuel.ManySteps);
        _il.Branch(OpCodes.Bge, exit);
        Exit(exit, i, ExitKind.Gas, giveBack: TakenFrom(i));
    }

    private void AddToCounter(long fuel)
    {
        if (fuel == 0 || _jit.Options.IsUnmetered)
        {
            return;
        }

        _il.Load(_counter);
        _il.Long(Math.Abs(fuel));
        _il.Op(fuel < 0 ? OpCodes.Sub : OpCodes.Add);
        _il.Store(_counter);
    }

    private void CloseSegment(int end)
    {
        _segmentEnds[_segmentStart] = end;
        if (!_il.Enabled)
        {
            _block.LastSegment = _isSealed ? -1 : _segmentStart;
        }
    }

    /// <summary>The machine may have been called: a new segment begins behind the instruction.</summary>
    private int EndSegment(int i)
    {
        EscapeAll();
        _block.ChangesLists = true;
        _found = null;
        _isSealed = true;
        CloseSegment(i + 1);
        if (i + 1 < _block.End)
        {
            StartSegment(i + 1);
        }

        return i + 1;
    }

    /// <summary>Which blocks are paid before the branch that leads to them, and how much that is. Between following the code and emitting it.</summary>
    private void FindGasAhead()
    {
        Dictionary<Block, int> ways = new() { [_blockAt[_entry]!] = 1 };
        Block[] reached = [.. _blocks.Where(block => block.Entry is not null)];
        foreach (Block successor in reached.SelectMany(Successors))
        {
            ways[successor] = ways.GetValueOrDefault(successor) + 1;
        }

        HashSet<Block> known = [];
        foreach (Block block in reached)
        {
            Find(block);
        }

        // What is reached in one way only is never reached from itself.
        void Find(Block block)
        {
            if (block.LastSegment < 0 || !known.Add(block))
            {
                return;
            }

            foreach (Block next in Successors(block).Where(next => next.Entry is not null && ways[next] == 1))
            {
                Find(next);
                long cost = FirstCost(next);
                next.IsPaidAhead = cost >> Fuel.Shift <= MostGasAhead;
                block.Ahead = next.IsPaidAhead ? Math.Max(block.Ahead, cost) : block.Ahead;
            }
        }
    }

    /// <summary>What a block's first segment takes, with what is taken ahead there.</summary>
    private long FirstCost(Block block) => CostOf(block.Start, _segmentEnds[block.Start]) + AheadOf(block, block.Start);

    /// <summary>What a segment of a block takes ahead.</summary>
    private static long AheadOf(Block block, int segment) => block.LastSegment == segment ? block.Ahead : 0;

    private void GiveBack(Block from, Block? to)
    {
        long fuel = TakenInVain(from, to);
        if (fuel > 0)
        {
            Count(ShortWay.GasBack);
            AddToCounter(fuel);
        }
    }

    /// <summary>What has been taken at a block's end and is not needed when control goes on at another; null is out of the method.</summary>
    private long TakenInVain(Block from, Block? to) => from.Ahead - (to is { IsPaidAhead: true } ? FirstCost(to) : 0);

    /// <summary>What has been taken for the instructions from one on.</summary>
    private long TakenFrom(int i) => CostOf(i, _segmentEnds[_segmentStart]) + AheadOf(_block, _segmentStart);

    /// <summary>What the loop takes for the instructions from one up to another.</summary>
    private long CostOf(int from, int to)
    {
        long cost = 0;
        for (int i = from; i < to; i++)
        {
            cost += At(i)->Cost + CostOfCaptures(i);
        }

        return cost;
    }

    /// <summary>What the rule of an instruction that compiled code does without a call or a cell takes for captures, besides its own cost.</summary>
    private long CostOfCaptures(int i)
    {
        bool isKnown = _closures.ContainsKey(i) || ((Op)At(i)->Op == Op.CallFunction && _inlined.ContainsKey(i));
        return isKnown
            ? (long)CapturesOf(_program.Functions + ((Op)At(i)->Op == Op.CallFunction ? At(i)->A : At(i)->B))
                << Fuel.Shift
            : 0;
    }
}
