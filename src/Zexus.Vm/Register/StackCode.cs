using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// What a function's code does with its operand stack: heights, loops, and which instruction takes what another has pushed. A stretch is code
/// that is entered at its start only; what one leaves on the operand stack for another has to lie there.
/// </summary>
internal sealed class StackCode
{
    private const int Nobody = -1;

    private readonly ImmutableArray<TranslatedInstruction> _code;
    private readonly OpcodeFacts[] _facts;
    private readonly int[] _heights;
    private readonly bool[] _landings;
    private readonly int[] _consumers;
    private readonly bool[] _shown;
    private readonly int[] _depths;
    private readonly int[] _loopEnds;

    public StackCode(TranslatedFunction function)
    {
        _code = function.Code;
        _facts = [.. _code.Select(instruction => OpcodeFacts.Of(instruction.Opcode))];
        _heights = new int[_code.Length];
        _landings = new bool[_code.Length + 1];
        _consumers = new int[_code.Length];
        _shown = new bool[_code.Length];
        _depths = new int[_code.Length];
        _loopEnds = new int[_code.Length];
        Array.Fill(_heights, -1);
        Array.Fill(_consumers, Nobody);
        Array.Fill(_loopEnds, -1);
        FindHeights();
        FindLoops();
        FindConsumers();
    }

    public int Count => _code.Length;

    public TranslatedInstruction this[int at] => _code[at];

    /// <summary>
    /// So many cells, from the bottom, a handler may find: they are Null there if they have been popped since, so they stay where they are.
    /// </summary>
    public int Pinned { get; private set; }

    /// <summary>Has it a handler, to which any instruction may go?</summary>
    public bool HasHandlers { get; private set; }

    public OpcodeFacts Facts(int at) => _facts[at];

    public bool IsReached(int at) => _heights[at] >= 0;

    /// <summary>The operand stack's height before it.</summary>
    public int Height(int at) => _heights[at];

    /// <summary>Does a jump or a handler land here, from code that is reached?</summary>
    public bool IsLanding(int at) => _landings[at];

    /// <summary>How many loops are around it.</summary>
    public int LoopDepth(int at) => _depths[at];

    /// <summary>The last instruction of the outermost loop around it; -1 when there is none. A handler may lead back to it from further on.</summary>
    public int LoopEnd(int at) => _loopEnds[at];

    /// <summary>Which instruction of the same stretch takes what this one pushes last; -1 when none does.</summary>
    public int Consumer(int at) => _consumers[at];

    public int Target(int at) => (int)_code[at].A;

    public int Pops(int at) => _facts[at].Info.Effect.Pops + (_facts[at].Info.Effect.PopsPerCount * Counted(at));

    public int Pushes(int at) => _facts[at].Info.Effect.Pushes + (_facts[at].Info.Effect.PushesPerCount * Counted(at));

    /// <summary>Is what it pushes taken where it need not lie on the operand stack?</summary>
    public bool NeedsNoStack(int at) => _consumers[at] != Nobody && !_shown[at] && TakesRegisters(_consumers[at]);

    /// <summary>Can it take its operands from registers?</summary>
    public bool TakesRegisters(int at) =>
        _heights[at] - Pops(at) >= Pinned
        && (
            RegisterTwins.Of(_facts[at].Info.Opcode.Tag) is not null
            || _facts[at].Info.Opcode.Tag is Opcode.Tags.STORE_NAME or Opcode.Tags.POP_REG or Opcode.Tags.POP
        );

    /// <summary>Does it compute what the next instruction stores, so that it may as well go there at once?</summary>
    public bool IsStoredNext(int at) =>
        _consumers[at] == at + 1
        && NeedsNoStack(at)
        && !_landings[at + 1]
        && _facts[at + 1].Info.Opcode.Tag is Opcode.Tags.STORE_NAME or Opcode.Tags.POP_REG;

    private int Counted(int at) =>
        _facts[at].CountOperand switch
        {
            0 => (int)_code[at].A,
            1 => (int)_code[at].B,
            _ => 0,
        };

    private void FindHeights()
    {
        Stack<(int At, int Height)> pending = new([(0, 0)]);
        while (pending.TryPop(out (int At, int Height) next))
        {
            (int at, int height) = next;
            if (at == _code.Length || _heights[at] >= 0)
            {
                continue;
            }

            _heights[at] = height;
            int after = height - Pops(at) + Pushes(at);
            bool isTry = _facts[at].Info.Flow.IsTry;
            if (_facts[at].TargetOperand >= 0)
            {
                _landings[Target(at)] = true;
                pending.Push((Target(at), isTry ? height + 1 : after));
            }

            if (isTry)
            {
                HasHandlers = true;
                Pinned = Math.Max(Pinned, height);
            }

            if (_facts[at].GoesOn)
            {
                pending.Push((at + 1, after));
            }
        }
    }

    private void FindLoops()
    {
        Dictionary<int, int> ends = [];
        for (int at = 0; at < _code.Length; at++)
        {
            if (IsReached(at) && _facts[at].TargetOperand >= 0 && Target(at) <= at)
            {
                ends[Target(at)] = at;
            }
        }

        (int Start, int End)[] ranges = [.. ends.Select(end => (end.Key, end.Value)).Order()];
        for (int outer = 0; outer < ranges.Length; outer++)
        {
            // What begins in a loop belongs to it as a whole: the outer one's jump back may stand before the inner one's last instruction, as where
            // jump threading has made it of the inner one's exit.
            (int start, int end) = ranges[outer];
            for (int inner = outer + 1; inner < ranges.Length && ranges[inner].Start <= end; inner++)
            {
                end = Math.Max(end, ranges[inner].End);
            }

            for (int at = start; at <= end; at++)
            {
                _depths[at]++;
                _loopEnds[at] = Math.Max(_loopEnds[at], end);
            }
        }
    }

    private void FindConsumers()
    {
        // Which instruction has pushed each cell.
        List<int> pushed = [];
        bool arrives = false;
        for (int at = 0; at < _code.Length; at++)
        {
            if (!IsReached(at))
            {
                arrives = false;
                continue;
            }

            if (_landings[at] || !arrives)
            {
                pushed.Clear();
                pushed.AddRange(Enumerable.Repeat(Nobody, _heights[at]));
            }

            foreach (Charge charge in _code[at].Charges)
            {
                Show(charge.Amount);
            }

            if (_facts[at].Info.Opcode.Tag == Opcode.Tags.DUP)
            {
                pushed.Add(at);
            }
            else
            {
                for (int i = Pops(at); i > 0; i--)
                {
                    if (pushed[^1] != Nobody)
                    {
                        _consumers[pushed[^1]] = at;
                    }

                    pushed.RemoveAt(pushed.Count - 1);
                }

                pushed.AddRange(Enumerable.Repeat(at, Pushes(at)));
            }

            if (_facts[at].TargetOperand >= 0)
            {
                for (int i = 0; i < pushed.Count; i++)
                {
                    pushed[i] = Nobody;
                }
            }

            arrives = _facts[at].GoesOn;
        }

        // Only the operand stack can tell the length of a text.
        void Show(Amount amount)
        {
            switch (amount)
            {
                case Amount.Text it when pushed[^(it.Depth + 1)] is var by && by != Nobody:
                    _shown[by] = true;
                    break;
                case Amount.Sum it:
                    foreach (Amount part in it.Parts)
                    {
                        Show(part);
                    }

                    break;
                default:
                    break;
            }
        }
    }
}
