using System.Runtime.InteropServices;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Translates a function's instructions to threaded code, block by block. Every operand cell has its fixed place in the frame, so
/// an instruction names its operands. What LOAD puts on the operand stack stays pending: whoever takes it reads the variable or
/// the constant itself. A result that is stored at once goes there at once; a comparison and the jump on it are one.
/// </summary>
/// <remarks>
/// Where a block ends, and before calls, nothing is pending. Between, an <see cref="Exit"/> tells what is. Gas is paid by the
/// segment: a block, cut behind what may make another frame current.
/// </remarks>
internal sealed unsafe class WideTranslator
{
    private const int Size = 16;

    private readonly ThreadedProgram _threaded;
    private readonly ZexusProgram _program;
    private readonly FunctionCode* _function;
    private readonly int[] _heights;
    private readonly bool[] _isLeader;
    private readonly bool[] _isEntry;
    private readonly List<Draft> _drafts = [];
    private readonly List<ExitDraft> _exits = [];
    private readonly Dictionary<int, int> _starts = [];
    private readonly List<Operand> _stack = [];

    // The end has a place for each height that control comes to it with, behind all blocks.
    private readonly Dictionary<int, int> _ends = [];

    // The segment that is being translated.
    private int _segment;
    private int _segmentAt;
    private int _segmentTop;
    private long _cost;
    private int _steps;
    private int _nops;
    private int _firstExit;

    /// <summary>The backward jump at whose place its loop's test is repeated; null while none is.</summary>
    private Instr* _repeats;

    public WideTranslator(ThreadedProgram threaded, FunctionCode* function)
    {
        _threaded = threaded;
        _program = threaded.Program;
        _function = function;
        _heights = new int[function->CodeLength];
        _isLeader = new bool[function->CodeLength + 1];
        _isEntry = new bool[function->CodeLength + 1];
        FindBlocks();
        int[] blocks = [.. Enumerable.Range(0, function->CodeLength).Where(i => _isLeader[i] && _heights[i] >= 0)];
        for (int b = 0; b < blocks.Length && Refusal is null; b++)
        {
            Translate(blocks[b], b + 1 < blocks.Length ? blocks[b + 1] : -1);
        }

        foreach ((int height, int at) in _ends)
        {
            Begin(EndAt(height), height);
            StartSegment(at);
            Return(at);
        }
    }

    /// <summary>Why there is no translation; null if there is.</summary>
    public string? Refusal { get; private set; }

    private enum OperandKind
    {
        /// <summary>In its cell.</summary>
        Real,
        Slot,
        Constant,
    }

    private readonly record struct Operand(OperandKind Kind, int Slot, nint Constant)
    {
        public Value Value => *(Value*)Constant;
    }

    /// <summary>A wide instruction whose places in memory are not known yet.</summary>
    private struct Draft
    {
        public Wide Wide;
        public HandlerKey Key;

        /// <summary>The source instruction that it jumps to; -1 for none.</summary>
        public int Target;
        public int Exit;

        /// <summary>At the first of a segment: its source instruction; else -1.</summary>
        public int Start;
        public int StartTop;
    }

    private sealed class ExitDraft
    {
        public Exit Exit;
        public int At;
        public required List<PendingMove> Moves;
    }

    private int Slots => _function->Slots;

    private Instr* At(int i) => _function->Code + i;

    private int Number(Instr* at) => (int)(at - _function->Code);

    private void FindBlocks()
    {
        Array.Fill(_heights, -1);
        Stack<(int At, int Height)> pending = new([(0, 0)]);
        _isLeader[0] = true;
        _isEntry[0] = true;
        while (pending.TryPop(out (int At, int Height) next))
        {
            int i = next.At;
            if (_heights[i] >= 0)
            {
                // The end has any height, and is translated where control goes to it.
                continue;
            }

            _heights[i] = next.Height;
            Instr* at = At(i);
            (int pops, int pushes) = InstructionEffects.Of(at);
            int after = next.Height - pops + pushes;
            if (InstructionEffects.TryTarget(at, out Instr* target))
            {
                bool handler = (Op)at->Op == Op.SetupTry;
                int to = Number(target);
                _isLeader[to] |= !IsEnd(to);
                _isEntry[to] |= !IsEnd(to) && (handler || to <= i);
                pending.Push((to, handler ? after + 1 : after));
            }

            if (InstructionEffects.FallsThrough(at))
            {
                pending.Push((i + 1, after));
                bool cuts = EndsSegment(at);
                _isLeader[i + 1] |= !IsEnd(i + 1) && (cuts || InstructionEffects.IsBranch(at));
                _isEntry[i + 1] |= !IsEnd(i + 1) && cuts;
            }
        }
    }

    private bool IsEnd(int i) => (Op)At(i)->Op == Op.End;

    /// <summary>May another frame be current behind it? Then threaded code can be entered there.</summary>
    private bool EndsSegment(Instr* at) =>
        (Op)at->Op switch
        {
            Op.CallLocal
            or Op.CallCell
            or Op.CallGlobal
            or Op.CallFunction
            or Op.CallTop
            or Op.CallBuiltin
            or Op.EmitEvent => true,
            Op.CallMethod => MethodOf(at) is null,
            _ => false,
        };

    /// <summary>The operation of a method that gives back its receiver, whatever that is; null for others.</summary>
    private WideOp? MethodOf(Instr* at)
    {
        int* routines = _program.Routines + (at->C * Decoder.Receivers);
        bool sets = at->B == 2;
        bool pushes = at->B == 1;
        for (int r = 1; r < Decoder.Receivers; r++)
        {
            sets &= routines[r] is -1 or Routine.Tags.ListSet or Routine.Tags.MapSet;
            pushes &= routines[r] is -1 or Routine.Tags.ListPush;
        }

        bool known = routines[1] >= 0 || routines[2] >= 0 || routines[3] >= 0 || routines[4] >= 0;
        return !known ? null
            : sets ? WideOp.ListSet
            : pushes ? WideOp.ListPush
            : null;
    }

    // Drafts and segments.

    private void StartSegment(int i)
    {
        _segment = _drafts.Count;
        _segmentAt = i;
        _segmentTop = Cell(_stack.Count);
        _cost = 0;
        _steps = 0;
        _nops = 0;
        _firstExit = _exits.Count;
    }

    private void CloseSegment()
    {
        long gas = (_cost + _steps) >> Fuel.Shift;
        if (_steps - _nops > Fuel.MostFree * Math.Max(gas, 1))
        {
            Refusal ??= CompilationRefusedException.TooManyFreeSteps;
        }

        Span<Draft> drafts = CollectionsMarshal.AsSpan(_drafts);
        drafts[_segment].Wide.Segment = _cost;
        for (int e = _firstExit; e < _exits.Count; e++)
        {
            _exits[e].Exit.Rest = _cost - _exits[e].Exit.Rest;
        }
    }

    /// <summary>
    /// Does a NOP, which costs no gas, look at the step counter? One in so many, and the last of a segment that costs nothing: else
    /// a loop through many of them would have more steps than the counter has room for.
    /// </summary>
    private bool IsCounted(int i)
    {
        _nops++;
        bool isFree = (_cost + _steps) >> Fuel.Shift == 0 && (_isLeader[i + 1] || IsEnd(i + 1));
        return isFree || _nops % (Fuel.MostFree + 1) == 0;
    }

    /// <summary>A source instruction becomes part of the segment.</summary>
    private void Pay(int i)
    {
        _cost += At(i)->Cost;
        _steps++;
    }

    private void Emit(
        HandlerKey key,
        int a = 0,
        int b = 0,
        int c = 0,
        long payload = 0,
        long more = 0,
        int target = -1,
        int exit = -1
    )
    {
        if (_threaded.Options.CountExecutions && key.Op != WideOp.Count)
        {
            Emit(new HandlerKey(WideOp.Count), payload: (long)_threaded.Executions(key.Op));
        }

        bool starts = _drafts.Count == _segment;
        _drafts.Add(
            new Draft
            {
                Wide = new Wide
                {
                    A = a,
                    B = b,
                    C = c,
                    Op = key.Op,
                    Payload = payload,
                    Target = (Wide*)more,
                },
                Key = key with { IsUnmetered = _threaded.Options.IsUnmetered },
                Target = target,
                Exit = exit,
                Start = starts ? _segmentAt : -1,
                StartTop = _segmentTop,
            }
        );
    }

    /// <summary>The state before a source instruction that has just been paid.</summary>
    private int ExitAt(int i, Action<ExitDraft>? more = null)
    {
        List<PendingMove> moves = [];
        for (int k = 0; k < _stack.Count; k++)
        {
            Operand operand = _stack[k];
            if (operand.Kind != OperandKind.Real)
            {
                moves.Add(
                    new PendingMove
                    {
                        To = Cell(k),
                        From = operand.Slot,
                        Constant = (Value*)operand.Constant,
                    }
                );
            }
        }

        ExitDraft exit = new() { At = i, Moves = moves };
        exit.Exit.Rest = _cost;
        exit.Exit.Top = Cell(_stack.Count);
        more?.Invoke(exit);
        _exits.Add(exit);
        return _exits.Count - 1;
    }

    // The operand stack while translating.

    private int Cell(int k) => (Slots + k) * Size;

    private int TopCell => Cell(_stack.Count - 1);

    private void PushReal() => _stack.Add(new Operand(OperandKind.Real, 0, 0));

    private void Drop(int count = 1) => _stack.RemoveRange(_stack.Count - count, count);

    private void FlushOperand(int k)
    {
        Operand operand = _stack[k];
        if (operand.Kind == OperandKind.Slot)
        {
            Emit(new HandlerKey(WideOp.Move, Form.Slot, Form.Slot), Cell(k), operand.Slot);
        }
        else if (operand.Kind == OperandKind.Constant)
        {
            MoveConstant(Form.Slot, Cell(k), operand.Value);
        }

        _stack[k] = new Operand(OperandKind.Real, 0, 0);
    }

    private void MoveConstant(Form to, int place, Value value) =>
        Emit(new HandlerKey(WideOp.Move, to, Form.Constant), place, payload: value.Payload, more: (long)value.Tag);

    private void FlushAll(int except = 0)
    {
        for (int k = 0; k < _stack.Count - except; k++)
        {
            FlushOperand(k);
        }
    }

    /// <summary>A variable or register is about to change: what has its old value on the operand stack takes it now.</summary>
    private void FlushAliases(int slot, int except = 0)
    {
        for (int k = 0; k < _stack.Count - except; k++)
        {
            if (_stack[k].Kind == OperandKind.Slot && _stack[k].Slot == slot)
            {
                FlushOperand(k);
            }
        }
    }

    /// <summary>Where an operand is that is no constant.</summary>
    private int PlaceOf(int k)
    {
        if (_stack[k].Kind == OperandKind.Constant)
        {
            FlushOperand(k);
        }

        return _stack[k].Kind == OperandKind.Real ? Cell(k) : _stack[k].Slot;
    }

    // Blocks.

    private void Begin(int start, int height)
    {
        _starts[start] = _drafts.Count;
        _stack.Clear();
        for (int k = 0; k < height; k++)
        {
            PushReal();
        }
    }

    /// <param name="start">The first instruction.</param>
    /// <param name="following">That of the block that comes next; -1 for none.</param>
    private void Translate(int start, int following)
    {
        Begin(start, _heights[start]);
        StartSegment(start);
        int i = start;
        do
        {
            i = Step(i, following);
            if (i < 0)
            {
                return;
            }
        } while (!_isLeader[i] && !IsEnd(i));

        if (IsEnd(i) && !EndsSegment(At(i - 1)))
        {
            Return(i);
            return;
        }

        if (EndsSegment(At(i - 1)))
        {
            CloseSegment();
            Fall(i, following);
            return;
        }

        FlushAll();
        Emit(
            i == following ? new HandlerKey(WideOp.Next) : new HandlerKey(WideOp.Jump),
            target: i == following ? -1 : i
        );
        CloseSegment();
    }

    /// <summary>Control goes on at an instruction that is not the next to be translated, or is it: behind a conditional jump.</summary>
    private void Fall(int to, int following)
    {
        if (to == following)
        {
            return;
        }

        StartSegment(to);
        if (IsEnd(to))
        {
            Return(to);
            return;
        }

        Emit(new HandlerKey(WideOp.Jump), target: to);
        // The jump's segment is free, and begins at its target.
        CloseSegment();
    }

    /// <summary>Translates one instruction, or a few that become one. The next; -1 when the block has ended.</summary>
    private int Step(int i, int following)
    {
        Instr* at = At(i);
        Pay(i);
        switch ((Op)at->Op)
        {
            case Op.LoadConst:
                _stack.Add(new Operand(OperandKind.Constant, 0, (nint)((byte*)_program.Constants + at->A)));
                return i + 1;

            case Op.LoadLocal:
            case Op.PushReg:
                _stack.Add(new Operand(OperandKind.Slot, at->A, 0));
                return i + 1;

            case Op.LoadCell:
                PushReal();
                Emit(new HandlerKey(WideOp.Move, Form.Slot, Form.Cell), TopCell, at->A);
                return i + 1;

            case Op.LoadGlobal:
                PushReal();
                Emit(new HandlerKey(WideOp.Move, Form.Slot, Form.Global), TopCell, at->A);
                return i + 1;

            case Op.StoreLocal:
            case Op.PopReg:
                FlushAliases(at->A, except: 1);
                Store(Form.Slot, at->A);
                return i + 1;

            case Op.StoreCell:
                Store(Form.Cell, at->A);
                return i + 1;

            case Op.StoreGlobal:
                Store(Form.Global, at->A);
                return i + 1;

            case Op.StoreConst when IsPlain(at->B):
                return MoveToPlace(
                    i,
                    at->A,
                    () => MoveConstant(FormOf(at->A), OffsetOf(at->A), _program.Constants[at->B])
                );

            case Op.LoadReg when IsPlain(at->B):
                FlushAliases(at->A);
                MoveConstant(Form.Slot, at->A, _program.Constants[at->B]);
                return i + 1;

            case Op.MovReg:
                FlushAliases(at->A);
                Emit(new HandlerKey(WideOp.Move, Form.Slot, Form.Slot), at->A, at->B);
                return i + 1;

            case Op.LoadVarReg:
                FlushAliases(at->A);
                Emit(new HandlerKey(WideOp.Move, Form.Slot, FormOf(at->B)), at->A, OffsetOf(at->B));
                return i + 1;

            case Op.StoreReg:
                return MoveToPlace(
                    i,
                    at->B,
                    () => Emit(new HandlerKey(WideOp.Move, FormOf(at->B), Form.Slot), OffsetOf(at->B), at->A)
                );

            case Op.Pop:
                Drop();
                return i + 1;

            case Op.Dup:
                Duplicate();
                return i + 1;

            case Op.Nop:
                return IsCounted(i) ? BySource(i) : i + 1;

            case Op.Inc:
            case Op.Dec:
                return OneOperand(i, (Op)at->Op == Op.Inc ? WideOp.Add : WideOp.Sub, Form.Int);

            case Op.Neg:
                return OneOperand(i, WideOp.Neg, Form.None);

            case Op.Not:
                return OneOperand(i, WideOp.Not, Form.None);

            case Op.Add:
            case Op.Sub:
            case Op.Mul:
            case Op.Div:
            case Op.Mod:
                return Arithmetic(i, (Op)at->Op - Op.Add + WideOp.Add);

            case Op.Eq:
            case Op.Neq:
            case Op.Lt:
            case Op.Gt:
            case Op.Lte:
            case Op.Gte:
                return Compare(i, (Op)at->Op - Op.Eq + WideOp.Eq, following);

            case Op.AddReg:
            case Op.SubReg:
            case Op.MulReg:
            case Op.DivReg:
            case Op.ModReg:
                return Registers(i, (Op)at->Op - Op.AddReg + WideOp.Add);

            case Op.EqReg:
            case Op.NeqReg:
            case Op.LtReg:
            case Op.GtReg:
            case Op.LteReg:
            case Op.GteReg:
                return Registers(i, (Op)at->Op - Op.EqReg + WideOp.Eq);

            case Op.Index:
                return Index(i);

            case Op.CallMethod when MethodOf(at) is { } method:
                return Method(i, method);

            case Op.Jump:
            case Op.Loop:
                return Jump(i, following);

            case Op.JumpIfFalse:
            case Op.JumpIfTrue:
            case Op.LoopIfFalse:
            case Op.LoopIfTrue:
                return JumpIf(i, following);

            case Op.CallFunction when !_program.Functions[at->A].HasCells:
                return Call(i);

            case Op.Return:
                Return(i);
                return -1;

            default:
                return BySource(i);
        }
    }

    private bool IsPlain(int constant) =>
        _program.ConstantElements[constant] == 0 && _program.Constants[constant].Tag < Tag.List;

    private static Form FormOf(int place) =>
        (PlaceKind)(place & 3) switch
        {
            PlaceKind.Local => Form.Slot,
            PlaceKind.Cell => Form.Cell,
            _ => Form.Global,
        };

    private static int OffsetOf(int place) => (place >> 2) * Size;

    private int MoveToPlace(int i, int place, Action move)
    {
        if (FormOf(place) == Form.Slot)
        {
            FlushAliases(OffsetOf(place));
        }

        move();
        return i + 1;
    }

    private void Store(Form to, int offset)
    {
        Operand top = _stack[^1];
        if (top.Kind == OperandKind.Constant)
        {
            MoveConstant(to, offset, top.Value);
        }
        else
        {
            int from = PlaceOf(_stack.Count - 1);
            if (to != Form.Slot || from != offset)
            {
                Emit(new HandlerKey(WideOp.Move, to, Form.Slot), offset, from);
            }
        }

        Drop();
    }

    private void Duplicate()
    {
        if (_stack[^1].Kind != OperandKind.Real)
        {
            _stack.Add(_stack[^1]);
            return;
        }

        PushReal();
        Emit(new HandlerKey(WideOp.Move, Form.Slot, Form.Slot), TopCell, Cell(_stack.Count - 2));
    }

    /// <summary>
    /// The operands are taken and a result comes: where it goes, and the instruction behind. A STORE_NAME that follows takes it at
    /// once; its charge is in the segment then, but an exit is still before it.
    /// </summary>
    private (int Place, int Next) Result(int i, int operands, out int cell)
    {
        cell = Cell(_stack.Count - operands);
        Instr* next = At(i + 1);
        if (!_isLeader[i + 1] && (Op)next->Op is Op.StoreLocal or Op.PopReg)
        {
            FlushAliases(next->A, except: operands);
            return (next->A, i + 2);
        }

        return (cell, i + 1);
    }

    private int Finish(int i, int operands, int next)
    {
        Drop(operands);
        if (next == i + 1)
        {
            PushReal();
        }
        else
        {
            Pay(i + 1);
        }

        return next;
    }

    private int OneOperand(int i, WideOp op, Form second)
    {
        (int place, int next) = Result(i, 1, out int cell);
        int a = PlaceOf(_stack.Count - 1);
        int exit = ExitAt(i, it => SetResult(it, cell));
        Emit(new HandlerKey(op, Form.Slot, second), place, a, payload: 1, exit: exit);
        return Finish(i, 1, next);
    }

    private static void SetResult(ExitDraft exit, int cell)
    {
        exit.Exit.HasResult = true;
        exit.Exit.Result = cell;
    }

    /// <summary>Can the constant stand in the instruction, as the second operand?</summary>
    private static Form Immediate(WideOp op, Operand operand)
    {
        if (operand.Kind != OperandKind.Constant)
        {
            return Form.Slot;
        }

        Value value = operand.Value;
        return value.Tag switch
        {
            Tag.Int => op switch
            {
                WideOp.Div => Form.None,
                WideOp.Mod when value.Payload < 1 => Form.None,
                WideOp.Mul when value.Payload == long.MinValue => Form.None,
                _ => Form.Int,
            },
            Tag.Float when op is not (WideOp.Div or WideOp.Mod) => Form.Float,
            _ => Form.None,
        };
    }

    /// <summary>The largest magnitude of an Int whose product with this one is of 64 bits; 0 of everything else.</summary>
    private static long More(WideOp op, Value value) =>
        op != WideOp.Mul || value.Tag != Tag.Int ? 0
        : value.Payload == 0 ? long.MaxValue
        : long.MaxValue / Math.Abs(value.Payload);

    private int Arithmetic(int i, WideOp op)
    {
        (int place, int next) = Result(i, 2, out int cell);
        int a = _stack.Count - 2;
        int b = _stack.Count - 1;
        if (op is WideOp.Add or WideOp.Mul && _stack[a].Kind == OperandKind.Constant)
        {
            (a, b) = (b, a);
        }

        EmitTwo(op, place, a, b, () => ExitAt(i, it => SetResult(it, cell)));
        return Finish(i, 2, next);
    }

    private void EmitTwo(
        WideOp op,
        int place,
        int a,
        int b,
        Func<int> exit,
        int target = -1,
        bool jumps = false,
        bool counts = false
    )
    {
        WideOp plain = op >= WideOp.JumpEq ? op - WideOp.JumpEq + WideOp.Eq : op;
        Form form = Immediate(plain, _stack[b]);
        if (form == Form.None || (_stack[a].Kind == OperandKind.Constant && form != Form.Slot))
        {
            // At most one of the two stands in the instruction.
            FlushOperand(form == Form.None ? b : a);
            form = Immediate(plain, _stack[b]);
        }

        int first = PlaceOf(a);
        HandlerKey key = new(op, Form.Slot, form, jumps, counts);
        if (form == Form.Slot)
        {
            int second = PlaceOf(b);
            Emit(key, place, first, second, target: target, exit: exit());
        }
        else
        {
            Value value = _stack[b].Value;
            Emit(key, place, first, payload: value.Payload, more: More(plain, value), target: target, exit: exit());
        }
    }

    private static WideOp Mirrored(WideOp op) =>
        op switch
        {
            WideOp.Lt => WideOp.Gt,
            WideOp.Gt => WideOp.Lt,
            WideOp.Lte => WideOp.Gte,
            WideOp.Gte => WideOp.Lte,
            _ => op,
        };

    private int Compare(int i, WideOp op, int following)
    {
        int a = _stack.Count - 2;
        int b = _stack.Count - 1;
        if (_stack[a].Kind == OperandKind.Constant)
        {
            (a, b) = (b, a);
            op = Mirrored(op);
        }

        if (!_isLeader[i + 1] && InstructionEffects.IsBranch(At(i + 1)))
        {
            return CompareAndJump(i, op, a, b, following);
        }

        (int place, int next) = Result(i, 2, out int cell);
        EmitTwo(op, place, a, b, () => ExitAt(i, it => SetResult(it, cell)));
        return Finish(i, 2, next);
    }

    private int CompareAndJump(int i, WideOp op, int a, int b, int following)
    {
        Instr* jump = At(i + 1);
        _ = InstructionEffects.TryTarget(jump, out Instr* target);
        (int to, bool jumps, int fall, bool counts) = Branch(i + 1, jump, Number(target));
        FlushAll(except: 2);
        EmitTwo(
            op - WideOp.Eq + WideOp.JumpEq,
            counts ? HeatOf(jump) : 0,
            a,
            b,
            () =>
                ExitAt(
                    i,
                    it =>
                    {
                        it.Exit.Branch = ExitBranch.OnResult;
                        it.Exit.Jumps = jumps;
                        SetHead(it, to, counts, i + 1);
                    }
                ),
            TargetAfter(to, 2),
            jumps,
            counts
        );
        Pay(i + 1);
        Drop(2);
        CloseSegment();
        Fall(fall, following);
        return -1;
    }

    /// <summary>Where a conditional jump goes and when; in a test repeated at its loop's end, the way on in the loop is the jump.</summary>
    private (int To, bool Jumps, int Fall, bool Counts) Branch(int i, Instr* jump, int target)
    {
        bool jumps = (Op)jump->Op is Op.JumpIfTrue or Op.LoopIfTrue;
        return _repeats == null
            ? (target, jumps, i + 1, (Op)jump->Op is Op.LoopIfFalse or Op.LoopIfTrue)
            : (i + 1, !jumps, target, true);
    }

    /// <summary>Where the loop begins of a backward jump; it may have been put behind the loop's test.</summary>
    private void SetHead(ExitDraft exit, int to, bool counts, int jump)
    {
        if (!counts)
        {
            return;
        }

        int head = _repeats == null ? to : HeadOf(_repeats);
        exit.Exit.Head = At(head);
        exit.Exit.HeadTop = Cell(_heights[head]);
        for (int i = head; i <= jump && _repeats != null; i++)
        {
            exit.Exit.SinceHead += At(i)->Cost;
        }
    }

    private int HeadOf(Instr* jump)
    {
        _ = InstructionEffects.TryTarget(jump, out Instr* target);
        return Number(target);
    }

    private int HeatOf(Instr* jump) => (_repeats == null ? jump : _repeats)->B * sizeof(int);

    private int TargetAfter(int to, int operands)
    {
        if (!IsEnd(to))
        {
            return to;
        }

        int height = _stack.Count - operands;
        _ = _ends.TryAdd(height, to);
        return EndAt(height);
    }

    /// <summary>The number that stands for the end at a height.</summary>
    private int EndAt(int height) => _function->CodeLength + height;

    private int JumpIf(int i, int following)
    {
        Instr* jump = At(i);
        _ = InstructionEffects.TryTarget(jump, out Instr* target);
        (int to, bool jumps, int fall, bool counts) = Branch(i, jump, Number(target));
        FlushAll(except: 1);
        int a = PlaceOf(_stack.Count - 1);
        int exit = ExitAt(
            i,
            it =>
            {
                it.Exit.Branch = ExitBranch.OnOperand;
                it.Exit.Jumps = jumps;
                SetHead(it, to, counts, i);
            }
        );
        Emit(
            new HandlerKey(WideOp.JumpIf, Form.Slot, Jumps: jumps, Counts: counts),
            counts ? HeatOf(jump) : 0,
            a,
            target: TargetAfter(to, 1),
            exit: exit
        );
        Drop();
        CloseSegment();
        Fall(fall, following);
        return -1;
    }

    private int Jump(int i, int following)
    {
        Instr* jump = At(i);
        _ = InstructionEffects.TryTarget(jump, out Instr* target);
        int to = Number(target);
        if (IsEnd(to))
        {
            Return(to);
            return -1;
        }

        if ((Op)jump->Op == Op.Loop && IsRepeatableTest(to, i))
        {
            _repeats = jump;
            int next = to;
            do
            {
                next = Step(next, following);
            } while (next >= 0);

            _repeats = null;
            return -1;
        }

        FlushAll();
        bool counts = (Op)jump->Op == Op.Loop;
        if (counts)
        {
            int exit = ExitAt(i, it => SetHead(it, to, counts, i));
            Emit(new HandlerKey(WideOp.Jump, Counts: true), HeatOf(jump), target: to, exit: exit);
        }
        else if (to != following)
        {
            Emit(new HandlerKey(WideOp.Jump), target: to);
        }
        else
        {
            Emit(new HandlerKey(WideOp.Next));
        }

        CloseSegment();
        return -1;
    }

    /// <summary>
    /// Does a loop begin with a test that leaves it and becomes one wide instruction? Then whoever is to be at the head can be put
    /// there from behind the test: it has done nothing else.
    /// </summary>
    private bool IsRepeatableTest(int head, int end)
    {
        int loads = 0;
        for (int i = head; i < end && (i == head || !_isLeader[i]); i++)
        {
            Instr* at = At(i);
            switch ((Op)at->Op)
            {
                case Op.LoadConst:
                case Op.LoadLocal:
                case Op.PushReg:
                    loads++;
                    break;
                case Op.Eq:
                case Op.Neq:
                case Op.Lt:
                case Op.Gt:
                case Op.Lte:
                case Op.Gte:
                    if (loads != 2 || !InstructionEffects.IsBranch(at + 1))
                    {
                        return false;
                    }

                    break;
                case Op.JumpIfFalse:
                case Op.JumpIfTrue:
                    _ = InstructionEffects.TryTarget(at, out Instr* target);
                    return Number(target) > end && !IsEnd(i + 1);
                default:
                    return false;
            }
        }

        return false;
    }

    private int Registers(int i, WideOp op)
    {
        Instr* at = At(i);
        FlushAliases(at->A);
        int exit = ExitAt(i, it => SetResult(it, at->A));
        Emit(new HandlerKey(op, Form.Slot, Form.Slot), at->A, at->B, at->C, exit: exit);
        return i + 1;
    }

    private int Index(int i)
    {
        (int place, int next) = Result(i, 2, out int cell);
        int list = PlaceOf(_stack.Count - 2);
        Operand index = _stack[^1];
        bool immediate = index.Kind == OperandKind.Constant && index.Value.Tag == Tag.Int;
        int second = immediate ? 0 : PlaceOf(_stack.Count - 1);
        int exit = ExitAt(i, it => SetResult(it, cell));
        Emit(
            new HandlerKey(WideOp.Index, Form.Slot, immediate ? Form.Int : Form.Slot),
            place,
            list,
            second,
            payload: immediate ? index.Value.Payload : 0,
            exit: exit
        );
        return Finish(i, 2, next);
    }

    /// <summary>set and push: the result is the receiver, so it stays on the operand stack as it is.</summary>
    private int Method(int i, WideOp op)
    {
        int arguments = At(i)->B;
        int list = PlaceOf(_stack.Count - arguments - 1);
        int index = op == WideOp.ListSet ? PlaceOf(_stack.Count - 2) : 0;
        Operand item = _stack[^1];
        bool constant = item.Kind == OperandKind.Constant;
        int from = constant ? 0 : PlaceOf(_stack.Count - 1);
        int exit = ExitAt(i);
        Emit(
            new HandlerKey(op, Form.Slot, constant ? Form.Constant : Form.Slot),
            list,
            index,
            from,
            payload: constant ? item.Value.Payload : 0,
            more: constant ? (long)item.Value.Tag : 0,
            exit: exit
        );
        Drop(arguments);
        return i + 1;
    }

    private int Call(int i)
    {
        Instr* at = At(i);
        FunctionCode* callee = _program.Functions + at->A;
        FlushAll();
        int arguments = Cell(_stack.Count - at->B);
        int given = Math.Min(at->B, callee->Parameters);
        int exit = ExitAt(
            i,
            it =>
            {
                it.Exit.EndsSegment = true;
                it.Exit.FirstClear = given * Size;
                it.Exit.EndClear = callee->Slots * Size;
            }
        );
        Emit(
            new HandlerKey(WideOp.Call, Counts: callee->Slots > given),
            arguments,
            callee->FrameSize * Size,
            at->A * sizeof(int),
            payload: (long)callee,
            more: (long)_threaded.EntryOf(at->A),
            exit: exit
        );
        Drop(at->B);
        PushReal();
        return i + 1;
    }

    private void Return(int i)
    {
        if (IsEnd(i))
        {
            Pay(i);
        }

        bool isNull = _stack.Count == 0;
        bool constant = isNull || _stack[^1].Kind == OperandKind.Constant;
        Value value = isNull || !constant ? default : _stack[^1].Value;
        int from = constant ? 0 : PlaceOf(_stack.Count - 1);
        int exit = ExitAt(i, it => it.Exit.EndsSegment = true);
        Emit(
            new HandlerKey(WideOp.Return, Second: constant ? Form.Constant : Form.Slot),
            0,
            from,
            payload: value.Payload,
            more: (long)value.Tag,
            exit: exit
        );
        CloseSegment();
    }

    /// <summary>The machine does it; afterwards this code goes on, if nothing else is current then.</summary>
    private int BySource(int i)
    {
        Instr* at = At(i);
        (int pops, int pushes) = InstructionEffects.Of(at);
        bool cuts = EndsSegment(at);
        if (Written(at) is >= 0 and int written)
        {
            FlushAliases(written);
        }

        if (cuts)
        {
            FlushAll();
        }

        int exit = ExitAt(i, it => it.Exit.EndsSegment = cuts || !InstructionEffects.FallsThrough(at));
        Emit(new HandlerKey(WideOp.Exec), exit: exit);
        if (!InstructionEffects.FallsThrough(at))
        {
            CloseSegment();
            return -1;
        }

        Drop(pops);
        for (int k = 0; k < pushes; k++)
        {
            PushReal();
        }

        return i + 1;
    }

    /// <summary>The variable or register that it writes; -1 for none.</summary>
    private static int Written(Instr* at) =>
        (Op)at->Op switch
        {
            Op.StoreConst or Op.StoreFunction => FormOf(at->A) == Form.Slot ? OffsetOf(at->A) : -1,
            Op.LoadReg
            or Op.PowReg
            or Op.NegReg
            or Op.AndReg
            or Op.OrReg
            or Op.NotReg
            or Op.CheckedAddReg
            or Op.CheckedSubReg
            or Op.CheckedMulReg
            or Op.CheckedDivReg
            or Op.CheckedNegReg => at->A,
            _ => -1,
        };

    /// <summary>Writes the code to memory that is the threaded program's.</summary>
    /// <param name="table">Gets, by source instruction, where the code can be entered.</param>
    public (nint First, int Count) Write(Wide** table)
    {
        Wide* code = (Wide*)_threaded.Allocate((long)_drafts.Count * sizeof(Wide));
        Exit* exits = (Exit*)_threaded.Allocate((long)(_exits.Count + _drafts.Count) * sizeof(Exit));
        PendingMove* moves = (PendingMove*)
            _threaded.Allocate((long)_exits.Sum(exit => exit.Moves.Count) * sizeof(PendingMove));
        for (int e = 0; e < _exits.Count; e++)
        {
            Exit exit = _exits[e].Exit;
            exit.At = At(_exits[e].At);
            exit.Moves = moves;
            exit.MoveCount = _exits[e].Moves.Count;
            foreach (PendingMove move in _exits[e].Moves)
            {
                *moves++ = move;
            }

            exits[e] = exit;
        }

        Exit* starts = exits + _exits.Count;
        for (int d = 0; d < _drafts.Count; d++)
        {
            Draft draft = _drafts[d];
            Wide wide = draft.Wide;
            wide.Handler = Handlers.Of(draft.Key);
            if (draft.Target >= 0)
            {
                wide.Target = code + _starts[draft.Target];
            }

            if (draft.Exit >= 0)
            {
                wide.Exit = exits + draft.Exit;
            }

            if (draft.Start >= 0)
            {
                starts[d] = new Exit { At = At(draft.Start), Top = draft.StartTop };
                wide.Start = starts + d;
            }

            code[d] = wide;
        }

        foreach ((int at, int start) in _starts)
        {
            if (at < _function->CodeLength && _isEntry[at])
            {
                table[at] = code + start;
            }
        }

        return ((nint)code, _drafts.Count);
    }
}
