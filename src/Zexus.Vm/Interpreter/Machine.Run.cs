using System.Runtime.CompilerServices;

namespace Zexus.Vm;

internal sealed unsafe partial class Machine
{
    /// <summary>
    /// The loop. Int, Float and Bool operations that can neither fault nor charge by size are done here; all else is a
    /// call to a helper that is not inlined, so that the locals stay in registers.
    /// </summary>
    private Code Run<THook>(ref THook hook)
        where THook : struct, IStepHook
    {
        Frame* frame = _frame;
        // One before the instruction to run next: with a second pointer to the current one the allocator spills.
        Instr* ip = _ip - 1;
        Value* sp = _sp;
        Value* vars = frame->Vars;
        long counter = _counter;
        Code code;
        Value* a;
        Value* b;

        while (true)
        {
            if (typeof(THook) != typeof(NoHook) && typeof(THook) != typeof(NoMeter))
            {
                _ip = ip + 1;
                _sp = sp;
                _frame = frame;
                _counter = counter;
                if (BeginsStep)
                {
                    hook.BeforeStep(new MachineView(this));
                }
            }

            ip++;
            counter -= typeof(THook) == typeof(NoMeter) ? 0 : ip->Cost;
            if (counter < 0)
            {
                _counter = counter;
                code = RefillFor(ip);
                counter = _counter;
                if (code != Code.Done)
                {
                    goto Fault;
                }
            }

            int op = typeof(THook) == typeof(NoHook) || typeof(THook) == typeof(NoMeter) ? ip->Fast : ip->Op;

            Dispatch:
            switch ((Op)op)
            {
                case Op.LoadConst:
                    Value.Copy(sp, (Value*)((byte*)_constants + ip->A));
                    sp++;
                    continue;

                case Op.LoadLocal:
                    Value.Copy(sp, (Value*)((byte*)vars + ip->A));
                    sp++;
                    continue;

                case Op.LoadCell:
                    Value.Copy(sp, &((Value*)((byte*)vars + ip->A))->Variable->Value);
                    sp++;
                    continue;

                case Op.LoadGlobal:
                    Value.Copy(sp, (Value*)((byte*)_globals + ip->A));
                    sp++;
                    continue;

                case Op.StoreLocal:
                    sp--;
                    Value.Copy((Value*)((byte*)vars + ip->A), sp);
                    continue;

                case Op.StoreCell:
                    sp--;
                    Value.Copy(&((Value*)((byte*)vars + ip->A))->Variable->Value, sp);
                    continue;

                case Op.StoreGlobal:
                    sp--;
                    Value.Copy((Value*)((byte*)_globals + ip->A), sp);
                    continue;

                case Op.Pop:
                    sp--;
                    continue;

                case Op.Dup:
                    Value.Copy(sp, sp - 1);
                    sp++;
                    continue;

                case Op.Inc:
                    a = sp - 1;
                    if (a->Tag == Tag.Int && a->Payload != long.MaxValue)
                    {
                        a->Payload++;
                        continue;
                    }

                    goto Unary;

                case Op.Dec:
                    a = sp - 1;
                    if (a->Tag == Tag.Int && a->Payload != long.MinValue)
                    {
                        a->Payload--;
                        continue;
                    }

                    goto Unary;

                case Op.Neg:
                    a = sp - 1;
                    if (a->Tag == Tag.Int && a->Payload != long.MinValue)
                    {
                        a->Payload = -a->Payload;
                        continue;
                    }

                    goto Unary;

                case Op.Not:
                    a = sp - 1;
                    a->Payload = IsTrue(a) ? 0 : 1;
                    a->Tag = Tag.Bool;
                    continue;

                case Op.Add:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        long x = a->Payload;
                        long y = b->Payload;
                        long sum = x + y;
                        if (((x ^ sum) & (y ^ sum)) >= 0)
                        {
                            a->Payload = sum;
                            sp = b;
                            continue;
                        }
                    }
                    else if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        StoreFloat(a, a->Float + b->Float);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Sub:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        long x = a->Payload;
                        long y = b->Payload;
                        long difference = x - y;
                        if (((x ^ y) & (x ^ difference)) >= 0)
                        {
                            a->Payload = difference;
                            sp = b;
                            continue;
                        }
                    }
                    else if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        StoreFloat(a, a->Float - b->Float);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Mul:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        // The full 128-bit check would make locals address-exposed; larger factors take the slow path.
                        long x = a->Payload;
                        long y = b->Payload;
                        if ((int)x == x && (int)y == y)
                        {
                            a->Payload = x * y;
                            sp = b;
                            continue;
                        }
                    }
                    else if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        StoreFloat(a, a->Float * b->Float);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Div:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Float && b->Tag == Tag.Float && b->Float != 0)
                    {
                        StoreFloat(a, a->Float / b->Float);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Mod:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int && b->Payload > 0)
                    {
                        long x = a->Payload;
                        long y = b->Payload;
                        if ((((ulong)x | (ulong)y) >> 32) == 0)
                        {
                            // 32-bit division is much the faster one.
                            a->Payload = (uint)x % (uint)y;
                        }
                        else
                        {
                            long remainder = x % y;
                            a->Payload = remainder + ((remainder >> 63) & y);
                        }

                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Pow:
                    b = sp - 1;
                    a = sp - 2;
                    goto Binary;

                case Op.Eq:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(a, a->Payload == b->Payload);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Neq:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(a, a->Payload != b->Payload);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Lt:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(a, a->Payload < b->Payload);
                        sp = b;
                        continue;
                    }

                    if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        StoreBool(a, a->Float < b->Float);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Gt:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(a, a->Payload > b->Payload);
                        sp = b;
                        continue;
                    }

                    if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        StoreBool(a, a->Float > b->Float);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Lte:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(a, a->Payload <= b->Payload);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.Gte:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(a, a->Payload >= b->Payload);
                        sp = b;
                        continue;
                    }

                    goto Binary;

                case Op.And:
                    b = sp - 1;
                    a = sp - 2;
                    StoreBool(a, IsTrue(a) & IsTrue(b));
                    sp = b;
                    continue;

                case Op.Or:
                    b = sp - 1;
                    a = sp - 2;
                    StoreBool(a, IsTrue(a) | IsTrue(b));
                    sp = b;
                    continue;

                case Op.Jump:
                    ip = (Instr*)((byte*)ip + ip->A);
                    continue;

                case Op.Loop:
                    if (--_loopHeat[ip->B] < 0)
                    {
                        goto HotLoop;
                    }

                    ip = (Instr*)((byte*)ip + ip->A);
                    continue;

                case Op.LoopIfFalse:
                    sp--;
                    if (!IsTrue(sp))
                    {
                        if (--_loopHeat[ip->B] < 0)
                        {
                            goto HotLoop;
                        }

                        ip = (Instr*)((byte*)ip + ip->A);
                    }

                    continue;

                case Op.LoopIfTrue:
                    sp--;
                    if (IsTrue(sp))
                    {
                        if (--_loopHeat[ip->B] < 0)
                        {
                            goto HotLoop;
                        }

                        ip = (Instr*)((byte*)ip + ip->A);
                    }

                    continue;

                case Op.JumpIfFalse:
                    sp--;
                    if (!IsTrue(sp))
                    {
                        ip = (Instr*)((byte*)ip + ip->A);
                    }

                    continue;

                case Op.JumpIfTrue:
                    sp--;
                    if (IsTrue(sp))
                    {
                        ip = (Instr*)((byte*)ip + ip->A);
                    }

                    continue;

                case Op.Return:
                case Op.End:
                {
                    Frame* caller = frame - 1;
                    Value* result = frame->Result;
                    if (caller->Function is null || frame->Flags != FrameFlags.None)
                    {
                        break;
                    }

                    if (sp > vars + frame->Function->Slots)
                    {
                        Value.Copy(result, sp - 1);
                    }
                    else
                    {
                        *result = default;
                    }

                    _handlerCount = frame->Handlers;
                    sp = result + 1;
                    frame = caller;
                    ip = caller->Ip - 1;
                    vars = caller->Vars;
                    continue;
                }

                case Op.CallFunction:
                {
                    FunctionCode* function = _functions + ip->A;
                    Value* arguments = sp - ip->B;
                    if (
                        function->HasCells
                        || frame == _lastFrame
                        || function->FrameSize > _segmentEnd - arguments
                        || --_callHeat[ip->A] < 0
                    )
                    {
                        break;
                    }

                    frame->Ip = ip + 1;
                    frame++;
                    frame->Function = function;
                    frame->Vars = arguments;
                    frame->Result = arguments;
                    frame->Return = null;
                    frame->Handlers = _handlerCount;
                    frame->Flags = FrameFlags.None;
                    sp = arguments + function->Slots;
                    for (Value* slot = arguments + Math.Min(ip->B, function->Parameters); slot < sp; slot++)
                    {
                        *slot = default;
                    }

                    vars = arguments;
                    ip = function->Code - 1;
                    continue;
                }

                case Op.CallLocal:
                    a = (Value*)((byte*)vars + ip->A);
                    goto CallValue;

                case Op.CallCell:
                    a = &((Value*)((byte*)vars + ip->A))->Variable->Value;
                    goto CallValue;

                case Op.CallGlobal:
                    a = (Value*)((byte*)_globals + ip->A);
                    goto CallValue;

                case Op.Index:
                    b = sp - 1;
                    a = sp - 2;
                    if (a->Tag == Tag.List && b->Tag == Tag.Int)
                    {
                        ListCell* list = a->List;
                        if ((ulong)b->Payload < (ulong)list->Count)
                        {
                            list->Get((int)b->Payload, a);
                            sp = b;
                            continue;
                        }
                    }

                    break;

                case Op.MovReg:
                    Value.Copy(Register(vars, ip->A), Register(vars, ip->B));
                    continue;

                case Op.PushReg:
                    Value.Copy(sp, Register(vars, ip->A));
                    sp++;
                    continue;

                case Op.PopReg:
                    sp--;
                    Value.Copy(Register(vars, ip->A), sp);
                    continue;

                case Op.AddReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        long x = a->Payload;
                        long y = b->Payload;
                        long sum = x + y;
                        if (((x ^ sum) & (y ^ sum)) >= 0)
                        {
                            StoreInt(Register(vars, ip->A), sum);
                            continue;
                        }
                    }
                    else if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        double value = a->Float + b->Float;
                        Value* to = Register(vars, ip->A);
                        to->Tag = Tag.Float;
                        StoreFloat(to, value);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.SubReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        long x = a->Payload;
                        long y = b->Payload;
                        long difference = x - y;
                        if (((x ^ y) & (x ^ difference)) >= 0)
                        {
                            StoreInt(Register(vars, ip->A), difference);
                            continue;
                        }
                    }
                    else if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        double value = a->Float - b->Float;
                        Value* to = Register(vars, ip->A);
                        to->Tag = Tag.Float;
                        StoreFloat(to, value);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.MulReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        long x = a->Payload;
                        long y = b->Payload;
                        if ((int)x == x && (int)y == y)
                        {
                            StoreInt(Register(vars, ip->A), x * y);
                            continue;
                        }
                    }
                    else if (a->Tag == Tag.Float && b->Tag == Tag.Float)
                    {
                        double value = a->Float * b->Float;
                        Value* to = Register(vars, ip->A);
                        to->Tag = Tag.Float;
                        StoreFloat(to, value);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.ModReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (
                        a->Tag == Tag.Int
                        && b->Tag == Tag.Int
                        && (((ulong)a->Payload | (ulong)b->Payload) >> 32) == 0
                        && b->Payload != 0
                    )
                    {
                        StoreInt(Register(vars, ip->A), (uint)a->Payload % (uint)b->Payload);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.EqReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload == b->Payload);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.LtReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload < b->Payload);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.LteReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload <= b->Payload);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.DivReg:
                case Op.PowReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    goto BinaryRegisters;

                case Op.AndReg:
                    StoreBool(Register(vars, ip->A), IsTrue(Register(vars, ip->B)) & IsTrue(Register(vars, ip->C)));
                    continue;

                case Op.OrReg:
                    StoreBool(Register(vars, ip->A), IsTrue(Register(vars, ip->B)) | IsTrue(Register(vars, ip->C)));
                    continue;

                case Op.NeqReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload != b->Payload);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.GtReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload > b->Payload);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.GteReg:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload >= b->Payload);
                        continue;
                    }

                    goto BinaryRegisters;

                case Op.EqRegJump:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload == b->Payload);
                        goto PushAndJump;
                    }

                    goto BinaryRegisters;

                case Op.NeqRegJump:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload != b->Payload);
                        goto PushAndJump;
                    }

                    goto BinaryRegisters;

                case Op.LtRegJump:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload < b->Payload);
                        goto PushAndJump;
                    }

                    goto BinaryRegisters;

                case Op.GtRegJump:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload > b->Payload);
                        goto PushAndJump;
                    }

                    goto BinaryRegisters;

                case Op.LteRegJump:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload <= b->Payload);
                        goto PushAndJump;
                    }

                    goto BinaryRegisters;

                case Op.GteRegJump:
                    a = Register(vars, ip->B);
                    b = Register(vars, ip->C);
                    if (a->Tag == Tag.Int && b->Tag == Tag.Int)
                    {
                        StoreBool(Register(vars, ip->A), a->Payload >= b->Payload);
                        goto PushAndJump;
                    }

                    goto BinaryRegisters;

                case Op.PushRegsIndex:
                    a = Register(vars, ip->A);
                    b = Register(vars, ip[1].A);
                    if (a->Tag == Tag.List && b->Tag == Tag.Int)
                    {
                        ListCell* list = a->List;
                        long both = typeof(THook) == typeof(NoMeter) ? 0 : ip[1].Cost + ip[2].Cost;
                        if ((ulong)b->Payload < (ulong)list->Count && counter >= both)
                        {
                            counter -= both;
                            list->Get((int)b->Payload, sp);
                            sp++;
                            ip += 2;
                            continue;
                        }
                    }

                    Value.Copy(sp, a);
                    sp++;
                    continue;

                case Op.LoadReg:
                    a = _constants + ip->B;
                    if (a->Tag is Tag.List or Tag.Map or Tag.Set)
                    {
                        break;
                    }

                    Value.Copy(Register(vars, ip->A), a);
                    continue;

                case Op.NotReg:
                    StoreBool(Register(vars, ip->A), !IsTrue(Register(vars, ip->B)));
                    continue;

                case Op.Nop:
                    if ((counter & Fuel.StepMask) < Fuel.ManySteps)
                    {
                        continue;
                    }

                    break;

                case Op.EnterThreaded:
                    _sp = sp;
                    code = EnterThreaded(ip, frame, counter + ip->Cost);
                    if (code == Code.Done)
                    {
                        op = ip->Op;
                        goto Dispatch;
                    }

                    if (code == Code.Left)
                    {
                        // Once as the loop does it, also where threaded code could be entered again.
                        frame = _frame;
                        ip = _ip;
                        sp = _sp;
                        vars = frame->Vars;
                        op = ip->Op;
                        counter = _counter - ip->Cost;
                        if (counter >= 0)
                        {
                            goto Dispatch;
                        }

                        _counter = counter;
                        code = RefillFor(ip);
                        counter = _counter;
                        if (code == Code.Done)
                        {
                            goto Dispatch;
                        }

                        goto Fault;
                    }

                    ip = _ip - 1;
                    frame = _frame;
                    goto After;

                default:
                    break;
            }

            // Everything that is not done by now.
            _ip = ip + 1;
            _sp = sp;
            _frame = frame;
            _counter = counter;
            code = Rare(ip, sp, vars);
            goto After;

            PushAndJump:
            {
                // PUSH_REG and the jump, unless somebody has to look at the gas first.
                long both = typeof(THook) == typeof(NoMeter) ? 0 : ip[1].Cost + ip[2].Cost;
                if (counter < both)
                {
                    continue;
                }

                counter -= both;
                bool jumps = (Register(vars, ip->A)->Payload != 0) == ((Op)ip[2].Op == Op.JumpIfTrue);
                ip += 2;
                if (jumps)
                {
                    ip = (Instr*)((byte*)ip + ip->A);
                }

                continue;
            }

            Unary:
            _ip = ip + 1;
            _sp = sp;
            _frame = frame;
            _counter = counter;
            code = Unary((Op)ip->Op, a, a);
            counter = _counter;
            if (code == Code.Done)
            {
                continue;
            }

            goto Fault;

            Binary:
            _ip = ip + 1;
            _sp = sp;
            _frame = frame;
            _counter = counter;
            code = Binary((Op)ip->Op, a, b, a);
            counter = _counter;
            sp = b;
            if (code == Code.Done)
            {
                continue;
            }

            goto Fault;

            BinaryRegisters:
            _ip = ip + 1;
            _sp = sp;
            _frame = frame;
            _counter = counter;
            code = Binary((Op)(ip->Op - (Op.AddReg - Op.Add)), a, b, Register(vars, ip->A));
            counter = _counter;
            if (code == Code.Done)
            {
                continue;
            }

            goto Fault;

            CallValue:
            if (a->Tag == Tag.Function)
            {
                FunctionCell* closure = a->Function;
                FunctionCode* function = _functions + closure->Function;
                Value* arguments = sp - ip->B;
                if (
                    !function->HasCells
                    && frame != _lastFrame
                    && function->FrameSize <= _segmentEnd - arguments
                    && --_callHeat[closure->Function] >= 0
                )
                {
                    frame->Ip = ip + 1;
                    frame++;
                    frame->Function = function;
                    frame->Vars = arguments;
                    frame->Result = arguments;
                    frame->Return = null;
                    frame->Handlers = _handlerCount;
                    frame->Flags = FrameFlags.None;
                    sp = arguments + function->Slots;
                    for (Value* slot = arguments + Math.Min(ip->B, function->Parameters); slot < sp; slot++)
                    {
                        *slot = default;
                    }

                    vars = arguments;
                    ip = function->Code - 1;
                    continue;
                }
            }

            _ip = ip + 1;
            _sp = sp;
            _frame = frame;
            _counter = counter;
            code = CallValue(a, sp - ip->B, ip->B, ip->C);
            goto After;

            HotLoop:
            _ip = (Instr*)((byte*)ip + ip->A) + 1;
            _sp = sp;
            _frame = frame;
            _counter = counter;
            code = EnterLoop(ip->B);

            After:
            while (code == Code.Entered)
            {
                code = EnterCompiled();
            }

            if (code == Code.CallsContract)
            {
                code = RunContract(ref hook);
            }

            counter = _counter;
            sp = _sp;
            if (code == Code.Done)
            {
                continue;
            }

            frame = _frame;
            if (code == Code.Switched)
            {
                if (frame == _until)
                {
                    return code;
                }

                ip = _ip - 1;
                vars = frame->Vars;
                continue;
            }

            if (code == Code.Finished)
            {
                return code;
            }

            // Compiled code that a fault has left has unwound to where it was entered.
            if (_unwinding)
            {
                goto Unwound;
            }

            Fault:
            _ip = ip + 1;
            _frame = frame;
            _counter = counter;

            Unwound:
            if (!Catch(code))
            {
                return code;
            }

            frame = _frame;
            ip = _ip - 1;
            sp = _sp;
            vars = frame->Vars;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreBool(Value* to, bool value)
    {
        to->Payload = value ? 1 : 0;
        to->Tag = Tag.Bool;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreInt(Value* to, long value)
    {
        to->Payload = value;
        to->Tag = Tag.Int;
    }

    /// <summary>Where a Float stands already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreFloat(Value* to, double value) =>
        to->Payload = double.IsNaN(value) ? Floats.NaNBits : BitConverter.DoubleToInt64Bits(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsTrue(Value* value) => value->Tag <= Tag.Int ? value->Payload != 0 : IsTrueElse(value);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsTrueElse(Value* value) =>
        value->Tag switch
        {
            Tag.Float => value->Float != 0,
            Tag.String => value->String->Length != 0,
            Tag.List => value->List->Count != 0,
            Tag.Map or Tag.Set => value->Table->Count != 0,
            _ => true,
        };
}
