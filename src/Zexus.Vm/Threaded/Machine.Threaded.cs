using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>
/// Between the loop and threaded code. Threaded code never faults and never looks at the gas twice: what is not the plain case is
/// done here, at the source instruction, on the operand stack as the loop has it.
/// </summary>
internal sealed unsafe partial class Machine
{
    // Null while there is none: the options say so, or a hook wants to see every step.
    private ThreadedProgram? _threaded;

    // Where threaded code goes on behind what the machine did for it; the frame is _frame.
    private Wide* _nextWide;
    private Value* _nextSlots;

    /// <summary>Why threaded code was left.</summary>
    private Code _leftWith;

    /// <summary>
    /// The loop has come to an instruction that some program's threaded code can be entered at. Done, with nothing changed, when it is
    /// not this machine's, or when the gas does not reach the end of the segment.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code EnterThreaded(Instr* at, Frame* frame, long counter)
    {
        Wide* entry = _threaded is null ? null : _threaded.EntryAt(frame->Function, at);
        if (entry == null || counter < entry->Segment)
        {
            return Code.Done;
        }

        _ = ((delegate* <Machine, Wide*, Value*, long, Frame*, long>)entry->Handler)(
            this,
            entry,
            frame->Vars,
            counter - entry->Segment,
            frame
        );
        return _leftWith;
    }

    /// <summary>The interpreter goes on at the beginning of a segment that is not paid.</summary>
    private long LeaveAt(Wide* at, Value* slots, long counter, Frame* frame)
    {
        _frame = frame;
        _ip = at->Start->At;
        _sp = Register(slots, at->Start->Top);
        _counter = counter;
        _leftWith = Code.Left;
        return -1;
    }

    /// <summary>A segment was paid and the gas of the slice did not suffice.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long LeaveForGas(Machine machine, Wide* at, Value* slots, long counter, Frame* frame)
    {
        machine._threaded!.Count(ThreadedExit.Gas);
        return machine.LeaveAt(at, slots, counter + at->Segment, frame);
    }

    /// <summary>A backward jump has been taken often enough: at its loop's head there may be compiled code to enter.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long LeaveHotLoop(Machine machine, Wide* at, Value* slots, long counter, Frame* frame)
    {
        Exit* exit = at->Exit;
        machine._threaded!.Count(ThreadedExit.Hot);
        machine._frame = frame;
        machine._ip = exit->Head;
        machine._sp = Register(slots, exit->HeadTop);
        machine._counter = counter + exit->SinceHead;
        return machine.Leave(machine.EnterLoop(at->A / sizeof(int)));
    }

    /// <summary>Does the source instruction of a wide one, with exactly the gas that it has for itself. Negative: it has left.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long DoSource(Machine machine, Wide* at, Value* slots, long counter, Frame* frame)
    {
        Exit* exit = at->Exit;
        for (int i = 0; i < exit->MoveCount; i++)
        {
            PendingMove* move = exit->Moves + i;
            Value* from = move->Constant != null ? move->Constant : Register(slots, move->From);
            *Register(slots, move->To) = *from;
        }

        machine._frame = frame;
        machine._ip = exit->At + 1;
        machine._sp = Register(slots, exit->Top);
        machine._counter = counter + exit->Rest;
        exit->Taken++;
        Code code = machine.Act(exit->At, slots);
        return code == Code.Done ? machine.GoOnBehind(at, slots) : machine.GoOnElsewhere(code, at, frame);
    }

    private long GoOnBehind(Wide* at, Value* slots)
    {
        Exit* exit = at->Exit;
        if (_counter < exit->Rest)
        {
            // The instruction took gas by size, or a new slice has begun.
            _threaded!.Count(ThreadedExit.Rest);
            return Leave(Code.Left);
        }

        Wide* next = at + 1;
        switch (exit->Branch)
        {
            case ExitBranch.None:
                if (!exit->EndsSegment)
                {
                    _counter -= exit->Rest;
                    if (at->A != exit->Result && exit->HasResult)
                    {
                        Value.Copy(Register(slots, at->A), Register(slots, exit->Result));
                    }

                    _nextWide = next;
                    _nextSlots = slots;
                    return _counter;
                }

                break;

            case ExitBranch.OnResult:
            case ExitBranch.OnOperand:
                _counter -= exit->Rest;
                next = (--_sp)->Payload != 0 == exit->Jumps ? at->Target : next;
                break;

            default:
                throw new InvalidOperationException($"no branch {exit->Branch}");
        }

        return GoTo(next, slots);
    }

    private long GoTo(Wide* next, Value* slots)
    {
        if (_counter < next->Segment)
        {
            _threaded!.Count(ThreadedExit.Gas);
            return LeaveAt(next, slots, _counter, _frame);
        }

        _nextWide = next;
        _nextSlots = slots;
        return _counter - next->Segment;
    }

    /// <summary>Another frame is current. If it has just been entered and has threaded code, that runs; else the loop decides.</summary>
    private long GoOnElsewhere(Code code, Wide* at, Frame* frame)
    {
        if (code != Code.Entered)
        {
            return Leave(code);
        }

        FunctionCode* function = _frame->Function;
        Wide* entry = *_threaded!.EntryOf(function->Number);
        if (entry == null || _jit is not null && !StaysInterpreted(function->Number))
        {
            return Leave(code);
        }

        if (_frame == frame + 1)
        {
            _frame->Return = at + 1;
        }

        return GoTo(entry, _frame->Vars);
    }

    private bool StaysInterpreted(int function) =>
        _jit!.EntryOf(function) == null && _callHeat[function] > 0 && --_callHeat[function] >= 0;

    private long Leave(Code code)
    {
        _leftWith = code;
        return -1;
    }

    /// <summary>
    /// One instruction as the loop does it, the charge that it carries excepted. A conditional jump leaves the truth of its operand.
    /// </summary>
    private Code Act(Instr* at, Value* vars)
    {
        Value* sp = _sp;
        Op op = (Op)at->Op;
        switch (op)
        {
            case Op.Inc:
            case Op.Dec:
            case Op.Neg:
                return Unary(op, sp - 1, sp - 1);

            case Op.Not:
                StoreBool(sp - 1, !IsTrue(sp - 1));
                return Code.Done;

            case Op.Add:
            case Op.Sub:
            case Op.Mul:
            case Op.Div:
            case Op.Mod:
            case Op.Pow:
            case Op.Eq:
            case Op.Neq:
            case Op.Lt:
            case Op.Gt:
            case Op.Lte:
            case Op.Gte:
            case Op.And:
            case Op.Or:
            {
                Code code = Binary(op, sp - 2, sp - 1, sp - 2);
                _sp = sp - 1;
                return code;
            }

            case Op.AddReg:
            case Op.SubReg:
            case Op.MulReg:
            case Op.DivReg:
            case Op.ModReg:
            case Op.PowReg:
            case Op.EqReg:
            case Op.NeqReg:
            case Op.LtReg:
            case Op.GtReg:
            case Op.LteReg:
            case Op.GteReg:
            case Op.AndReg:
            case Op.OrReg:
                return Binary(
                    op - (Op.AddReg - Op.Add),
                    Register(vars, at->B),
                    Register(vars, at->C),
                    Register(vars, at->A)
                );

            case Op.NotReg:
                StoreBool(Register(vars, at->A), !IsTrue(Register(vars, at->B)));
                return Code.Done;

            case Op.JumpIfFalse:
            case Op.JumpIfTrue:
            case Op.LoopIfFalse:
            case Op.LoopIfTrue:
                StoreBool(sp - 1, IsTrue(sp - 1));
                return Code.Done;

            case Op.CallLocal:
                return CallValue(Register(vars, at->A), sp - at->B, at->B, at->C);
            case Op.CallCell:
                return CallValue(&Register(vars, at->A)->Variable->Value, sp - at->B, at->B, at->C);
            case Op.CallGlobal:
                return CallValue(Register(_globals, at->A), sp - at->B, at->B, at->C);

            default:
                return Rare(at, sp, vars);
        }
    }

    /// <summary>The address of the item under a String whose length costs nothing; null when there is none, or the key is longer.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint FindFreeItem(long map, long key)
    {
        Value text = new(Tag.String, key);
        if (text.String->Length >= Zexus.Isa.Gas.ScalarsPerUnit)
        {
            return 0;
        }

        Entry* entry = (Entry*)EntryUnder(map, &text);
        return entry == null ? 0 : (nint)(&entry->Item);
    }
}
