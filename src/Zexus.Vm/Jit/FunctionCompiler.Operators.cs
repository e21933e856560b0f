using System.Numerics;
using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>Arithmetic, comparison, truth and the short ways into Lists.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>The kind to assume of an operand that may be anything: what was seen, if it was one kind; before that a guess.</summary>
    private int Assumed(ushort seen, Tag guess) =>
        _assumeNothing ? AbstractValue.Any
        : seen == 0 ? (int)guess
        : BitOperations.IsPow2(seen) ? BitOperations.Log2(seen)
        : AbstractValue.Any;

    /// <summary>Guards an operand of unknown kind, if a kind is assumed; tells the kind.</summary>
    private int Assume(int i, int slot, bool first, Tag guess)
    {
        int kind = Resolve(slot).Kind;
        if (kind != AbstractValue.Any)
        {
            return kind;
        }

        Seen seen = _seen[i];
        int assumed = Assumed(first ? seen.First : seen.Second, guess);
        if (assumed == AbstractValue.Any)
        {
            return assumed;
        }

        PushTag(slot);
        _il.Long(assumed);
        Guard(OpCodes.Bne_Un, i, ExitKind.Kind, note: NoteKind(i, first, slot));
        Refine(slot, assumed);
        return assumed;
    }

    private static Tag GuessBeside(int kind) => kind == (int)Tag.Float ? Tag.Float : Tag.Int;

    private static bool Integral(int kind) => kind is (int)Tag.Null or (int)Tag.Bool or (int)Tag.Int;

    private static bool Number(int kind) => Integral(kind) || kind == (int)Tag.Float;

    private static bool IsComparison(Op op) => op is Op.Eq or Op.Neq or Op.Lt or Op.Gt or Op.Lte or Op.Gte;

    private int Binary(int i, Op op, int a, int b, int to, bool onStack)
    {
        if (op is Op.And or Op.Or)
        {
            PushTruth(a);
            PushTruth(b);
            _il.Op(op == Op.And ? OpCodes.And : OpCodes.Or);
            _il.Op(OpCodes.Conv_I8);
            Finish(to, AbstractValue.OfKind((int)Tag.Bool), onStack);
            return i + 1;
        }

        // A known kind of another family is nothing to guess beside.
        int ka = Resolve(a).Kind;
        int kb = Resolve(b).Kind;
        bool hopeless =
            op == Op.Pow || (ka != AbstractValue.Any && !Number(ka)) || (kb != AbstractValue.Any && !Number(kb));
        if (!hopeless)
        {
            ka = Assume(i, a, first: true, GuessBeside(kb));
            kb = Assume(i, b, first: false, GuessBeside(ka));
            if (IsComparison(op) && Comparable(op, ka, kb))
            {
                return Compare(i, op, a, b, to, onStack);
            }

            if (!IsComparison(op) && Arithmetic(i, op, a, b, to, onStack))
            {
                return i + 1;
            }
        }

        return op == Op.Add && ka == (int)Tag.String && kb == (int)Tag.String
            ? Join(i, a, b, to, onStack)
            : BinaryByMachine(i, op, a, b, to, onStack);
    }

    /// <summary>The sum of two Strings: appended in place without writing the frame; the machine does it where that cannot simply be done.</summary>
    private int Join(int i, int a, int b, int to, bool onStack)
    {
        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        LocalBuilder joined = _entryPointer ??= _il.NewLocal(typeof(nint));
        Unalias(to);
        PushMachine();
        PushPayload(a);
        PushPayload(b);
        _il.Load(_counter);
        _il.Call(Members.Of(nameof(Machine.AppendText)));
        _il.Store(joined);
        _il.Load(joined);
        _il.Branch(OpCodes.Brfalse, slow);
        _il.Load(_counter);
        _il.Load(joined);
        _il.Int(Members.StringLengthOffset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
        _il.Op(OpCodes.Ldind_U4);
        PushTextGas();
        _il.Op(OpCodes.Sub);
        _il.Store(_counter);
        Count(ShortWay.JoinInPlace);
        FrameState before = _state.Copy();
        _il.Load(joined);
        _il.Op(OpCodes.Conv_I8);
        Finish(to, AbstractValue.OfKind((int)Tag.String), onStack);
        _il.Mark(done);
        SlowPath(
            NewSite(i, ExitKind.None, before.Top - Slots),
            nameof(Machine.AddTextAt),
            () => PushSlotAddresses(a, b, to),
            slow,
            done,
            before,
            () => TakeOver(to)
        );
        return EndSegment(i);
    }

    private void PushSlotAddresses(int a, int b, int to)
    {
        SlotAddress(a);
        SlotAddress(b);
        SlotAddress(to);
    }

    private int BinaryByMachine(int i, Op op, int a, int b, int to, bool onStack)
    {
        bool text = op == Op.Add && (Resolve(a).Kind == (int)Tag.String || Resolve(b).Kind == (int)Tag.String);
        Unalias(to);
        MachineCall(
            i,
            text ? nameof(Machine.AddTextAt) : nameof(Machine.BinaryAt),
            () =>
            {
                if (!text)
                {
                    _il.Int((int)op);
                }

                PushSlotAddresses(a, b, to);
            },
            0,
            0,
            AbstractValue.Any
        );
        if (onStack)
        {
            Pop();
        }

        Reload(
            to,
            IsComparison(op) ? (int)Tag.Bool
                : text ? (int)Tag.String
                : AbstractValue.Any
        );
        return EndSegment(i);
    }

    /// <summary>The result on the IL stack goes where it belongs.</summary>
    private void Finish(int to, AbstractValue result, bool onStack)
    {
        if (onStack)
        {
            Pop();
        }

        StoreResult(to, result);
    }

    /// <summary>Emits a sum, product and so on of two numbers; false when the machine must do it.</summary>
    private bool Arithmetic(int i, Op op, int a, int b, int to, bool onStack)
    {
        AbstractValue x = Resolve(a);
        AbstractValue y = Resolve(b);
        if (!x.IsNumber || !y.IsNumber)
        {
            return false;
        }

        if (x.IsFloat || y.IsFloat)
        {
            return FloatArithmetic(i, op, a, b, to, onStack);
        }

        Seen seen = _seen[i];
        if (seen.Overflow != 0 || seen.Range != 0 || _assumeNothing)
        {
            // It has not fitted before: no guard, the machine has an answer for everything.
            return false;
        }

        return op switch
        {
            Op.Add => Add(i, a, b, to, onStack, x, y),
            Op.Sub => Subtract(i, a, b, to, onStack, x, y),
            Op.Mul => Multiply(i, a, b, to, onStack, x, y),
            Op.Mod => Modulo(i, a, b, to, onStack, x, y),
            Op.Div => Divide(i, a, b, to, onStack, y),
            _ => false,
        };
    }

    private bool FloatArithmetic(int i, Op op, int a, int b, int to, bool onStack)
    {
        OpCode code;
        switch (op)
        {
            case Op.Add:
                code = OpCodes.Add;
                break;
            case Op.Sub:
                code = OpCodes.Sub;
                break;
            case Op.Mul:
                code = OpCodes.Mul;
                break;
            case Op.Div:
                if (_assumeNothing || _seen[i].Range != 0)
                {
                    return false;
                }

                PushDouble(b);
                _il.Double(0);
                Guard(OpCodes.Beq, i, ExitKind.Range, note: NoteFlag(i, overflow: false));
                code = OpCodes.Div;
                break;
            default:
                return false;
        }

        PushDouble(a);
        PushDouble(b);
        _il.Op(code);
        Finish(to, AbstractValue.OfKind((int)Tag.Float), onStack);
        return true;
    }

    private static bool Fits(Int128 low, Int128 high) => low >= long.MinValue && high <= long.MaxValue;

    private void GuardOverflow(OpCode branch, int i) =>
        Guard(branch, i, ExitKind.Overflow, note: NoteFlag(i, overflow: true));

    private void KeepResult(int to, AbstractValue result, bool onStack)
    {
        _il.Load(_long);
        Finish(to, result, onStack);
    }

    private bool Add(int i, int a, int b, int to, bool onStack, AbstractValue x, AbstractValue y)
    {
        Int128 low = (Int128)x.Low + y.Low;
        Int128 high = (Int128)x.High + y.High;
        PushPayload(a);
        PushPayload(b);
        _il.Op(OpCodes.Add);
        if (Fits(low, high))
        {
            Finish(to, AbstractValue.Int(low, high), onStack);
            return true;
        }

        _il.Store(_long);

        // With the sign of one operand known the sum has one side to fall off.
        if (x.Low >= 0 || y.Low >= 0 || x.High <= 0 || y.High <= 0)
        {
            bool second = y.Low >= 0 || y.High <= 0;
            bool up = second ? y.Low >= 0 : x.Low >= 0;
            _il.Load(_long);
            PushPayload(second ? a : b);
            GuardOverflow(up ? OpCodes.Blt : OpCodes.Bgt, i);
        }
        else
        {
            PushPayload(a);
            _il.Load(_long);
            _il.Op(OpCodes.Xor);
            PushPayload(b);
            _il.Load(_long);
            _il.Op(OpCodes.Xor);
            _il.Op(OpCodes.And);
            _il.Long(0);
            GuardOverflow(OpCodes.Blt, i);
        }

        KeepResult(to, AbstractValue.Int(low, high), onStack);
        return true;
    }

    private bool Subtract(int i, int a, int b, int to, bool onStack, AbstractValue x, AbstractValue y)
    {
        Int128 low = (Int128)x.Low - y.High;
        Int128 high = (Int128)x.High - y.Low;
        PushPayload(a);
        PushPayload(b);
        _il.Op(OpCodes.Sub);
        if (Fits(low, high))
        {
            Finish(to, AbstractValue.Int(low, high), onStack);
            return true;
        }

        _il.Store(_long);
        if (y.Low >= 0 || y.High <= 0)
        {
            _il.Load(_long);
            PushPayload(a);
            GuardOverflow(y.Low >= 0 ? OpCodes.Bgt : OpCodes.Blt, i);
        }
        else
        {
            PushPayload(a);
            PushPayload(b);
            _il.Op(OpCodes.Xor);
            PushPayload(a);
            _il.Load(_long);
            _il.Op(OpCodes.Xor);
            _il.Op(OpCodes.And);
            _il.Long(0);
            GuardOverflow(OpCodes.Blt, i);
        }

        KeepResult(to, AbstractValue.Int(low, high), onStack);
        return true;
    }

    private bool Multiply(int i, int a, int b, int to, bool onStack, AbstractValue x, AbstractValue y)
    {
        Int128[] corners =
        [
            (Int128)x.Low * y.Low,
            (Int128)x.Low * y.High,
            (Int128)x.High * y.Low,
            (Int128)x.High * y.High,
        ];
        Int128 low = corners.Min();
        Int128 high = corners.Max();
        if (!Fits(low, high))
        {
            if (x.Low == x.High)
            {
                (a, b, x, y) = (b, a, y, x);
            }

            if (y.Low == y.High)
            {
                // |a| <= Max / |c|, as one unsigned comparison.
                long most = y.Low == long.MinValue ? 0 : long.MaxValue / Math.Abs(y.Low);
                PushPayload(a);
                _il.Long(most);
                _il.Op(OpCodes.Add);
                _il.Long(2 * most);
                GuardOverflow(OpCodes.Bgt_Un, i);
            }
            else
            {
                Label large = _il.NewLabel();
                Label fits = _il.NewLabel();
                Label exit = _il.NewLabel();
                PushPayload(a);
                PushPayload(a);
                _il.Op(OpCodes.Conv_I4);
                _il.Op(OpCodes.Conv_I8);
                _il.Branch(OpCodes.Bne_Un, large);
                PushPayload(b);
                PushPayload(b);
                _il.Op(OpCodes.Conv_I4);
                _il.Op(OpCodes.Conv_I8);
                _il.Branch(OpCodes.Bne_Un, large);
                _il.Mark(fits);
                FrameState now = _state.Copy();
                _il.Cold(() =>
                {
                    FrameState kept = _state;
                    _state = now;
                    _il.Mark(large);
                    PushPayload(a);
                    PushPayload(b);
                    _il.Call(Members.Of(nameof(Machine.ProductFits)));
                    _il.Branch(OpCodes.Brtrue, fits);
                    _il.Branch(OpCodes.Br, exit);
                    _state = kept;
                });
                Exit(exit, i, ExitKind.Overflow, note: NoteFlag(i, overflow: true));
            }
        }

        PushPayload(a);
        PushPayload(b);
        _il.Op(OpCodes.Mul);
        Finish(to, AbstractValue.Int(low, high), onStack);
        return true;
    }

    /// <summary>Floored; by a divisor of at least one.</summary>
    private bool Modulo(int i, int a, int b, int to, bool onStack, AbstractValue x, AbstractValue y)
    {
        if (y.High < 1)
        {
            return false;
        }

        if (y.Low < 1)
        {
            PushPayload(b);
            _il.Long(1);
            Guard(OpCodes.Blt, i, ExitKind.Range, note: NoteFlag(i, overflow: false));
        }

        AbstractValue result = AbstractValue.Int(0, x.Low >= 0 ? Math.Min(x.High, y.High - 1) : y.High - 1);
        bool small = x.Low >= 0 && x.High <= uint.MaxValue && y.High <= uint.MaxValue;
        if (small)
        {
            PushPayload(a);
            _il.Op(OpCodes.Conv_U4);
            PushPayload(b);
            _il.Op(OpCodes.Conv_U4);
            _il.Op(OpCodes.Rem_Un);
            _il.Op(OpCodes.Conv_U8);
        }
        else if (x.Low >= 0)
        {
            PushPayload(a);
            PushPayload(b);
            _il.Op(y.Low == y.High ? OpCodes.Rem_Un : OpCodes.Rem);
        }
        else
        {
            PushPayload(a);
            PushPayload(b);
            _il.Op(OpCodes.Rem);
            _il.Store(_long);
            _il.Load(_long);
            _il.Load(_long);
            _il.Int(63);
            _il.Op(OpCodes.Shr);
            PushPayload(b);
            _il.Op(OpCodes.And);
            _il.Op(OpCodes.Add);
        }

        Finish(to, result, onStack);
        return true;
    }

    /// <summary>An exact quotient by a divisor of at least one; the rest is the machine's.</summary>
    private bool Divide(int i, int a, int b, int to, bool onStack, AbstractValue y)
    {
        if (y.Low < 1)
        {
            return false;
        }

        PushPayload(a);
        PushPayload(b);
        _il.Op(OpCodes.Div);
        _il.Store(_long);
        _il.Load(_long);
        PushPayload(b);
        _il.Op(OpCodes.Mul);
        PushPayload(a);
        Guard(OpCodes.Bne_Un, i, ExitKind.Range, note: NoteFlag(i, overflow: false));
        KeepResult(to, AbstractValue.OfKind((int)Tag.Int), onStack);
        return true;
    }

    private int Unary(int i, Op op, int a, int to)
    {
        int kind = Assume(i, a, first: true, Tag.Int);
        AbstractValue x = Resolve(a);
        if (kind == (int)Tag.Float)
        {
            PushDouble(a);
            if (op == Op.Neg)
            {
                _il.Op(OpCodes.Neg);
            }
            else
            {
                _il.Double(1);
                _il.Op(op == Op.Inc ? OpCodes.Add : OpCodes.Sub);
            }

            StoreResult(to, AbstractValue.OfKind((int)Tag.Float));
            return i + 1;
        }

        if (!Integral(kind) || _assumeNothing || _seen[i].Overflow != 0)
        {
            return UnaryByMachine(i, op, a, to);
        }

        long edge = op == Op.Inc ? long.MaxValue : long.MinValue;
        if (op == Op.Inc ? x.High == edge : x.Low == edge)
        {
            PushPayload(a);
            _il.Long(edge);
            GuardOverflow(OpCodes.Beq, i);
        }

        PushPayload(a);
        AbstractValue result;
        switch (op)
        {
            case Op.Inc:
                _il.Long(1);
                _il.Op(OpCodes.Add);
                result = AbstractValue.Int((Int128)x.Low + 1, (Int128)x.High + 1);
                break;
            case Op.Dec:
                _il.Long(1);
                _il.Op(OpCodes.Sub);
                result = AbstractValue.Int((Int128)x.Low - 1, (Int128)x.High - 1);
                break;
            default:
                _il.Op(OpCodes.Neg);
                result = AbstractValue.Int(-(Int128)x.High, -(Int128)x.Low);
                break;
        }

        StoreResult(to, result);
        return i + 1;
    }

    private int UnaryByMachine(int i, Op op, int a, int to)
    {
        Unalias(to);
        MachineCall(
            i,
            nameof(Machine.UnaryAt),
            () =>
            {
                _il.Int((int)op);
                SlotAddress(a);
                SlotAddress(to);
            },
            0,
            0,
            AbstractValue.Any
        );
        Reload(to);
        return EndSegment(i);
    }

    /// <summary>Is the comparison one of 64-bit integers or of two Floats?</summary>
    private static bool Comparable(Op op, int ka, int kb)
    {
        if (ka == (int)Tag.Float && kb == (int)Tag.Float)
        {
            return true;
        }

        // Null is a number to the order, and to equality it is not.
        return op is Op.Eq or Op.Neq
            ? ka is (int)Tag.Bool or (int)Tag.Int && kb is (int)Tag.Bool or (int)Tag.Int
            : Integral(ka) && Integral(kb);
    }

    private void PushComparands(int a, int b)
    {
        if (Resolve(a).IsFloat)
        {
            PushDouble(a);
            PushDouble(b);
        }
        else
        {
            PushPayload(a);
            PushPayload(b);
        }
    }

    private int Compare(int i, Op op, int a, int b, int to, bool onStack)
    {
        if (onStack && i + 1 < _block.End && InstructionEffects.IsBranch(At(i + 1)))
        {
            bool whenTrue = (Op)At(i + 1)->Op is Op.JumpIfTrue or Op.LoopIfTrue;
            bool isFloat = Resolve(a).IsFloat;
            PushComparands(a, b);
            FrameState jumping = _state.Copy();
            FrameState falling = _state.Copy();
            if (!isFloat)
            {
                Narrow(whenTrue ? jumping : falling, op, a, b);
                Narrow(whenTrue ? falling : jumping, Opposite(op), a, b);
            }

            jumping.Top -= 2;
            falling.Top -= 2;
            return Branch(i + 1, BranchOf(op, whenTrue, isFloat), jumping, falling);
        }

        bool floats = Resolve(a).IsFloat;
        PushComparands(a, b);
        switch (op)
        {
            case Op.Eq:
                _il.Op(OpCodes.Ceq);
                break;
            case Op.Neq:
                _il.Op(OpCodes.Ceq);
                Invert();
                break;
            case Op.Lt:
                _il.Op(OpCodes.Clt);
                break;
            case Op.Gt:
                _il.Op(OpCodes.Cgt);
                break;
            case Op.Lte:
                _il.Op(floats ? OpCodes.Cgt_Un : OpCodes.Cgt);
                Invert();
                break;
            default:
                _il.Op(floats ? OpCodes.Clt_Un : OpCodes.Clt);
                Invert();
                break;
        }

        _il.Op(OpCodes.Conv_I8);
        Finish(to, AbstractValue.OfKind((int)Tag.Bool), onStack);
        return i + 1;
    }

    private void Invert()
    {
        _il.Int(0);
        _il.Op(OpCodes.Ceq);
    }

    private static Op Opposite(Op op) =>
        op switch
        {
            Op.Eq => Op.Neq,
            Op.Neq => Op.Eq,
            Op.Lt => Op.Gte,
            Op.Gte => Op.Lt,
            Op.Gt => Op.Lte,
            _ => Op.Gt,
        };

    /// <summary>NaN is neither less nor greater nor equal: a jump on false must take it.</summary>
    private static OpCode BranchOf(Op op, bool whenTrue, bool isFloat) =>
        (op, whenTrue) switch
        {
            (Op.Eq, true) or (Op.Neq, false) => OpCodes.Beq,
            (Op.Eq, false) or (Op.Neq, true) => OpCodes.Bne_Un,
            (Op.Lt, true) => OpCodes.Blt,
            (Op.Lt, false) => isFloat ? OpCodes.Bge_Un : OpCodes.Bge,
            (Op.Gt, true) => OpCodes.Bgt,
            (Op.Gt, false) => isFloat ? OpCodes.Ble_Un : OpCodes.Ble,
            (Op.Lte, true) => OpCodes.Ble,
            (Op.Lte, false) => isFloat ? OpCodes.Bgt_Un : OpCodes.Bgt,
            (Op.Gte, true) => OpCodes.Bge,
            _ => isFloat ? OpCodes.Blt_Un : OpCodes.Blt,
        };

    /// <summary>What a comparison that came out true says of its operands' intervals.</summary>
    private void Narrow(FrameState state, Op op, int a, int b)
    {
        FrameState kept = _state;
        _state = state;
        AbstractValue x = Resolve(a);
        AbstractValue y = Resolve(b);
        switch (op)
        {
            case Op.Lt when y.High > long.MinValue && x.Low < long.MaxValue:
                Cut(a, x.Low, Math.Min(x.High, y.High - 1));
                Cut(b, Math.Max(y.Low, x.Low + 1), y.High);
                break;
            case Op.Lte:
                Cut(a, x.Low, Math.Min(x.High, y.High));
                Cut(b, Math.Max(y.Low, x.Low), y.High);
                break;
            case Op.Gt when x.High > long.MinValue && y.Low < long.MaxValue:
                Cut(b, y.Low, Math.Min(y.High, x.High - 1));
                Cut(a, Math.Max(x.Low, y.Low + 1), x.High);
                break;
            case Op.Gte:
                Cut(b, y.Low, Math.Min(y.High, x.High));
                Cut(a, Math.Max(x.Low, y.Low), x.High);
                break;
            case Op.Eq:
                Cut(a, Math.Max(x.Low, y.Low), Math.Min(x.High, y.High));
                Cut(b, Math.Max(x.Low, y.Low), Math.Min(x.High, y.High));
                break;
            default:
                break;
        }

        _state = kept;

        // An empty interval is code that never runs; what is known already does for it.
        void Cut(int slot, long low, long high)
        {
            ref AbstractValue value = ref Resolve(slot);
            if (value.Kind == (int)Tag.Int && low <= high && Values[slot].Alias != Alias.Constant)
            {
                value.Low = low;
                value.High = high;
            }
        }
    }

    private void Negate(int a, int to)
    {
        PushTruth(a);
        Invert();
        _il.Op(OpCodes.Conv_I8);
        StoreResult(to, AbstractValue.OfKind((int)Tag.Bool));
    }

    /// <summary>1 for true, 0 for false, as a 32-bit number.</summary>
    private void PushTruth(int slot)
    {
        AbstractValue value = Resolve(slot);
        if (value.IsIntegral)
        {
            PushPayload(slot);
            if (value.Kind == (int)Tag.Bool)
            {
                _il.Op(OpCodes.Conv_I4);
                return;
            }

            _il.Long(0);
            _il.Op(OpCodes.Cgt_Un);
        }
        else if (value.IsFloat)
        {
            PushDouble(slot);
            _il.Double(0);
            _il.Op(OpCodes.Ceq);
            Invert();
        }
        else
        {
            PushTag(slot);
            PushPayload(slot);
            _il.Call(Members.Of(nameof(Machine.Truth)));
        }
    }

    private int BranchOnTruth(int i, bool whenTrue)
    {
        PushTruth(_state.Top - 1);
        Pop();
        return Branch(i, whenTrue ? OpCodes.Brtrue : OpCodes.Brfalse, _state.Copy(), _state.Copy());
    }

    /// <summary>Are these, or may they be assumed to be, a List and a small Int?</summary>
    private bool IsElement(int i, int list, int index)
    {
        int kind = Resolve(list).Kind;
        int indexKind = Resolve(index).Kind;
        if (
            _assumeNothing
            || _seen[i].Range != 0
            || (kind != AbstractValue.Any && kind != (int)Tag.List)
            || (indexKind != AbstractValue.Any && indexKind != (int)Tag.Int)
            || (kind == AbstractValue.Any && Assumed(_seen[i].First, Tag.List) != (int)Tag.List)
            || (indexKind == AbstractValue.Any && Assumed(_seen[i].Second, Tag.Int) != (int)Tag.Int)
        )
        {
            return false;
        }

        _ = Assume(i, list, first: true, Tag.List);
        _ = Assume(i, index, first: false, Tag.Int);
        return true;
    }

    /// <summary>Cold code: the machine does the instruction, and control comes back behind the short way.</summary>
    private void SlowPath(int i, Label slow, Label done, FrameState before, Action afterwards, Site* known = null) =>
        SlowPath(
            known != null ? known : NewSite(i, ExitKind.None, before.Top - Slots),
            nameof(Machine.RunInstruction),
            static () => { },
            slow,
            done,
            before,
            afterwards
        );

    private void SlowPath(
        Site* site,
        string helper,
        Action arguments,
        Label slow,
        Label done,
        FrameState before,
        Action afterwards
    ) =>
        _il.Cold(() =>
        {
            FrameState kept = _state;
            _state = before;
            _il.Mark(slow);
            FlushAll();
            CallHelper(site, helper, arguments);
            afterwards();
            _il.Branch(OpCodes.Br, done);
            _state = kept;
        });

    private int Index(int i)
    {
        int list = _state.Top - 2;
        int index = _state.Top - 1;
        if (!IsElement(i, list, index))
        {
            return IsEntry(i, list, index) ? GetEntry(i, list, index) : ByMachine(i);
        }

        return GetItem(i, list, index);
    }

    /// <summary>Is this, or may it be assumed to be, a List?</summary>
    private bool IsList(int i, int slot)
    {
        int kind = Resolve(slot).Kind;
        return (kind == AbstractValue.Any && !_assumeNothing ? Assume(i, slot, first: true, Tag.List) : kind)
            == (int)Tag.List;
    }

    /// <summary>Writes a value to the address on the IL stack.</summary>
    private void StoreAtAddress(int slot)
    {
        _il.Op(OpCodes.Dup);
        PushTag(slot);
        _il.Op(OpCodes.Stind_I8);
        _il.Int(Members.PayloadOffset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
        PushPayload(slot);
        _il.Op(OpCodes.Stind_I8);
    }

    private int CallMethod(int i)
    {
        Instr* at = At(i);
        const int ListReceiver = 2;
        int routine = _program.Routines[(at->C * Decoder.Receivers) + ListReceiver];
        int target = _state.Top - at->B - 1;
        if (routine == Zexus.Isa.Routine.Tags.ListPush && at->B == 1 && IsList(i, target))
        {
            return PushItem(i, target);
        }

        if (at->B != 2 || routine != Zexus.Isa.Routine.Tags.ListSet)
        {
            return ByMachine(i);
        }

        if (!IsElement(i, target, target + 1))
        {
            return IsEntry(i, target, target + 1) ? SetEntry(i, target) : ByMachine(i);
        }

        return SetItem(i, target, target + 1, target + 2);
    }
}
