using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>Instruction by instruction: what each does to what is known, and the IL that does it.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    private void Walk(Block block)
    {
        _block = block;
        _block.ChangesLists = false;
        _found = null;
        _state = block.Entry!.Copy();
        StartSegment(block.Start);
        int i = block.Start;
        while (i < block.End)
        {
            i = Step(i);
            if (i < 0)
            {
                return;
            }
        }

        CloseSegment(i);
        Edge(block, i, _state);
    }

    /// <summary>Control goes on at an instruction with this state.</summary>
    private void Edge(Block from, int to, FrameState state)
    {
        if ((Op)At(to)->Op == Op.End)
        {
            // Each way to the end has its own height.
            _state = state;
            AddToCounter(-At(to)->Cost);
            Return(from);
            return;
        }

        Block target = BlockAt(from, to);
        if (!_il.Enabled)
        {
            Propagate(target, state);
            return;
        }

        GiveBack(from, target);
        Convert(state, target);
        EnterLoops(from, target);
        _il.Branch(OpCodes.Br, target.Label);
    }

    private void Propagate(Block target, FrameState state)
    {
        FrameState arriving = state.Copy();
        FrameState kept = _state;
        _state = arriving;

        // Operands first: they may stand for variables that die here.
        for (int s = arriving.Top - 1; s >= 0; s--)
        {
            if (!target.Live[s])
            {
                // The method's own slots have had values since the entry.
                arriving.Values[s] = new AbstractValue
                {
                    Kind = AbstractValue.Dead,
                    Clean =
                        s < _function->Slots || (arriving.Values[s].Clean && arriving.Values[s].Alias == Alias.None),
                };
            }
            else if (arriving.Values[s].Alias != Alias.None)
            {
                AbstractValue value = Resolve(s);
                value.Alias = Alias.None;
                value.Clean = false;
                arriving.Values[s] = value;
            }
        }

        _state = kept;
        ForgetParts(arriving);
        AssumeLists(arriving, target);
        if (target.Entry is null)
        {
            target.Entry = arriving;
            _enqueue(target);
            return;
        }

        target.Joins++;
        bool changed = target.Entry.HasRoom && !arriving.HasRoom;
        target.Entry.HasRoom &= arriving.HasRoom;
        MeetVirtuals(target.Entry, arriving);
        for (int s = 0; s < Width; s++)
        {
            changed |=
                IsInFrame(s, arriving) && target.Entry.Values[s].Join(arriving.Values[s], widen: target.Joins > 3);
        }

        if (changed)
        {
            _enqueue(target);
        }
    }

    /// <summary>Is it a slot below the top, or a part?</summary>
    private bool IsInFrame(int slot, FrameState state) => slot < state.Top || slot >= _extent;

    /// <summary>Does reaching a block take any code?</summary>
    private bool NeedsConversion(FrameState from, FrameState to)
    {
        for (int s = 0; s < Width; s++)
        {
            if (
                IsInFrame(s, from)
                && to.Values[s].Kind != AbstractValue.Dead
                && (from.Values[s].Alias != Alias.None || from.Values[s].Kind != to.Values[s].Kind)
            )
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Moves everything to where the block expects it, in the form that it expects.</summary>
    private void Convert(FrameState from, Block block)
    {
        FrameState to = block.Entry!;
        _state = from;
        GuardAssumedLists(from, block);
        for (int s = from.Top - 1; s >= 0; s--)
        {
            if (to.Values[s].Kind == AbstractValue.Dead)
            {
                continue;
            }

            Settle(s);
            ConvertKind(s);
        }

        for (int s = _extent; s < Width; s++)
        {
            ConvertKind(s);
        }

        void ConvertKind(int s)
        {
            if (to.Values[s].Kind == AbstractValue.Any && from.Values[s].Kind != AbstractValue.Any)
            {
                AbstractValue value = from.Values[s];
                if (value.IsFloat || value.Kind == (int)Tag.Null)
                {
                    PushPayload(s);
                    _il.Store(PayloadOf(s));
                }

                _il.Long(value.Kind);
                _il.Store(TagOf(s));
                from.Values[s].Kind = AbstractValue.Any;
            }
        }
    }

    /// <summary>A conditional jump: the branch instruction is emitted with what it compares already on the IL stack.</summary>
    private int Branch(int i, OpCode whenJumping, FrameState jumping, FrameState falling)
    {
        CloseSegment(i + 1);
        _ = InstructionEffects.TryTarget(At(i), out Instr* target);
        int to = TargetOf(i, target);
        Block from = _block;
        if (!_il.Enabled)
        {
            Edge(from, to, jumping);
            Edge(from, i + 1, falling);
            return -1;
        }

        Block? next = (Op)target->Op == Op.End ? null : BlockAt(from, to);
        bool direct =
            next is not null
            && TakenInVain(from, next) == 0
            && !NeedsConversion(jumping, next.Entry!)
            && !EntersLoop(from, next);
        Label label = direct ? next!.Label : _il.NewLabel();
        _il.Branch(whenJumping, label);
        if (!direct)
        {
            _il.Cold(() =>
            {
                _il.Mark(label);
                Edge(from, to, jumping);
            });
        }

        Edge(from, i + 1, falling);
        return -1;
    }

    /// <summary>Takes in the kind of one more result while the code is followed.</summary>
    private void JoinResult()
    {
        int kind = (int)Tag.Null;
        if (_state.Top > Slots)
        {
            kind = Resolve(_state.Top - 1).Kind;
            Escape(_state, Resolve(_state.Top - 1).Virtual);
        }

        int joined = kind == (int)Tag.Null || (_result is { } known && known != kind) ? AbstractValue.Any : kind;
        if (joined != _result)
        {
            _result = joined;
            foreach (Block block in _awaitingResult)
            {
                _enqueue(block);
            }
        }
    }

    /// <summary>The frame returns: from the method, or from a callee in it.</summary>
    private void Return(Block from)
    {
        if (_state.Activation.Caller is null)
        {
            GiveBack(from, null);
            EmitReturn();
        }
        else
        {
            LeaveInlined(from);
        }
    }

    private void EmitReturn()
    {
        if (!_il.Enabled)
        {
            JoinResult();
            return;
        }

        if (_state.Top > Slots)
        {
            int top = _state.Top - 1;

            // The result goes to the first slot, which the top may be a copy of.
            PushTag(top);
            _il.Store(_long);
            StorePayload(0, () => PushPayload(top));
            StoreTag(0, () => _il.Load(_long));
        }
        else
        {
            StoreTag(0, () => _il.Long((long)Tag.Null));
            StorePayload(0, () => _il.Long(0));
        }

        if (_hasHandlers)
        {
            Call(nameof(Machine.DropHandlers), () => PushFrame());
        }

        _il.Load(_counter);
        _il.Op(OpCodes.Ret);
    }

    /// <summary>One instruction; the number of the next, or -1 when the block is over.</summary>
    private int Step(int i)
    {
        Instr* at = At(i);
        switch ((Op)at->Op)
        {
            case Op.LoadConst:
                PushConstant(at->A / sizeof(Value));
                return i + 1;

            case Op.LoadLocal:
            case Op.PushReg:
                PushLocal(Variable(at->A));
                return i + 1;

            case Op.LoadGlobal:
                GlobalAddress(at->A);
                PushFrom();
                return i + 1;

            case Op.LoadCell:
                PushCell(Variable(at->A));
                return i + 1;

            case Op.StoreLocal:
            case Op.PopReg:
            {
                int top = _state.Top - 1;
                Pop();
                Assign(Variable(at->A), top);
                return i + 1;
            }

            case Op.StoreGlobal:
                StoreTo(() => GlobalAddress(at->A));
                return i + 1;

            case Op.StoreCell:
                StoreToCell(Variable(at->A));
                return i + 1;

            case Op.Pop:
                Pop();
                return i + 1;

            case Op.Dup:
                Duplicate();
                return i + 1;

            case Op.StoreConst:
                return StoreConstant(i, at->A, at->B);

            case Op.LoadReg:
                return StoreConstant(i, (at->A / sizeof(Value)) << 2, at->B);

            case Op.MovReg:
                Assign(Variable(at->A), Variable(at->B));
                return i + 1;

            case Op.LoadVarReg:
                return LoadVariable(i, Variable(at->A), at->B);

            case Op.StoreReg:
                return StoreVariable(i, Variable(at->A), at->B);

            case Op.Inc:
            case Op.Dec:
            case Op.Neg:
                return Unary(i, (Op)at->Op, _state.Top - 1, _state.Top - 1);

            case Op.NegReg:
                return Unary(i, Op.Neg, Variable(at->B), Variable(at->A));

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
                return Binary(i, (Op)at->Op, _state.Top - 2, _state.Top - 1, _state.Top - 2, onStack: true);

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
                    i,
                    StackTwin((Op)at->Op),
                    Variable(at->B),
                    Variable(at->C),
                    Variable(at->A),
                    onStack: false
                );

            case Op.Not:
                Negate(_state.Top - 1, _state.Top - 1);
                return i + 1;

            case Op.NotReg:
                Negate(Variable(at->B), Variable(at->A));
                return i + 1;

            case Op.Jump:
            case Op.Loop:
                CloseSegment(i + 1);
                _ = InstructionEffects.TryTarget(at, out Instr* target);
                Edge(_block, TargetOf(i, target), _state);
                return -1;

            case Op.JumpIfFalse:
            case Op.LoopIfFalse:
                return BranchOnTruth(i, whenTrue: false);

            case Op.JumpIfTrue:
            case Op.LoopIfTrue:
                return BranchOnTruth(i, whenTrue: true);

            case Op.Return:
                CloseSegment(i + 1);
                Return(_block);
                return -1;

            case Op.CallFunction:
                return CallFunction(i);

            case Op.CallLocal:
            {
                int slot = Variable(at->A);
                return CallVariable(i, () => SlotAddress(slot), slot);
            }

            case Op.CallCell:
            {
                int slot = Variable(at->A);
                int part = PartIn(slot);
                return CallVariable(i, () => CellAddress(slot), part < 0 ? null : part);
            }

            case Op.CallGlobal:
                return CallVariable(i, () => GlobalAddress(at->A));

            case Op.LoadConstCopy:
                return CopyConstant(i);

            case Op.BuildList:
                return BuildList(i);

            case Op.Index:
                return Index(i);

            case Op.CallMethod:
                return CallMethod(i);

            case Op.Nop:
                return i + 1;

            case Op.StoreFunction:
                return StoreFunction(i);

            case Op.Throw:
                MachineDoes(i, 1, 0, AbstractValue.Any);
                CloseSegment(i + 1);
                _il.Branch(OpCodes.Br, _leave);
                return -1;

            case Op.End:
                throw new InvalidOperationException("the end is reached by edges only");

            case Op.CheckedAddReg:
            case Op.CheckedSubReg:
            case Op.CheckedMulReg:
            case Op.CheckedDivReg:
            case Op.CheckedNegReg:
                MachineDoes(i, 0, 0, AbstractValue.Any);
                Reload(Variable(at->A));
                return EndSegment(i);

            case Op.CallTop:
                return CallTop(i);

            case Op.StateRead:
                return ReadState(i);

            case Op.StateWrite:
                return WriteState(i);

            case Op.Require:
                return Require(i);

            case Op.BuildMap:
                return IsForEvent(i) ? EmitNewMap(i) : ByMachine(i);

            // These three neither charge nor fault, and look at nothing of the frame.
            case Op.TxBegin:
                Call(nameof(Machine.BeginTransaction), static () => { });
                _block.ChangesLists = true;
                return i + 1;

            case Op.TxCommit:
                Call(nameof(Machine.CommitTransaction), static () => { });
                _block.ChangesLists = true;
                return i + 1;

            case Op.TxRevert:
                Call(nameof(Machine.RevertTransaction), static () => { });
                _block.ChangesLists = true;
                return i + 1;

            case Op.CallBuiltin:
            case Op.GetAttr:
            case Op.ForIter:
            case Op.GetLength:
            case Op.CheckedInc:
            case Op.CheckedDec:
            case Op.CheckedNeg:
            case Op.CheckedAdd:
            case Op.CheckedSub:
            case Op.CheckedMul:
            case Op.CheckedDiv:
            case Op.GasCharge:
            case Op.TakeCharges:
            case Op.BuildSet:
            case Op.Slice:
            case Op.RegisterEvent:
            case Op.EmitEvent:
            case Op.HashBlock:
            case Op.VerifySignature:
            case Op.MerkleRoot:
            case Op.LedgerAppend:
            case Op.AuditLog:
            case Op.SetupTry:
            case Op.PopTry:
            case Op.Print:
                return ByMachine(i);

            default:
                throw new CompilationRefusedException($"no code for {(Op)at->Op}");
        }
    }

    private static Op StackTwin(Op op) => (Op)((int)op - (Op.AddReg - Op.Add));

    private int ByMachine(int i)
    {
        (int pops, int pushes) = InstructionEffects.Of(At(i));
        MachineDoes(i, pops, pushes, AbstractValue.Any);
        return EndSegment(i);
    }

    /// <summary>The instruction's own rule in the machine does it, on the frame in memory.</summary>
    private void MachineDoes(int i, int pops, int pushes, int kind) =>
        MachineCall(i, nameof(Machine.RunInstruction), static () => { }, pops, pushes, kind);

    /// <summary>The machine does something on the frame, which is written, and returns the counter; negative, compiled code is left.</summary>
    private void CallHelper(Site* site, string helper, Action arguments)
    {
        CallOnFrame(site, helper, arguments);
        _il.Store(_counter);
        _il.Load(_counter);
        _il.Long(0);
        _il.Branch(OpCodes.Blt, _leave);
    }

    /// <summary>Leaves on the IL stack what a helper returns that is told the place, the frame and the counter.</summary>
    private void CallOnFrame(Site* site, string helper, Action arguments)
    {
        PushMachine();
        _il.Address(site);
        PushFrame();
        PushSlots();
        _il.Load(_counter);
        arguments();
        _il.Call(Members.Of(helper));
    }

    /// <summary>Writes the frame, and has the machine do an instruction on it.</summary>
    private void MachineCall(int i, string helper, Action arguments, int pops, int pushes, int kind)
    {
        FlushAll();
        MachineCall(NewSite(i, ExitKind.None, _state.Top - Slots), helper, arguments, pops, pushes, kind);
    }

    /// <summary>The same of a frame that is written already.</summary>
    private void MachineCall(Site* site, string helper, Action arguments, int pops, int pushes, int kind)
    {
        if (_il.Enabled)
        {
            CallHelper(site, helper, arguments);
        }

        Pop(pops);
        for (int k = 0; k < pushes; k++)
        {
            _state.Top++;
            Reload(_state.Top - 1, kind);
        }
    }

    /// <summary>The slot of a variable or register, by the offset in an instruction.</summary>
    private int Variable(int offset) => Base + (offset / sizeof(Value));

    /// <summary>The slot that a place names; of a global its number.</summary>
    private int SlotOf(int place) => ((PlaceKind)(place & 3) == PlaceKind.Global ? 0 : Base) + (place >> 2);

    private void PushConstant(int number)
    {
        Value constant = _program.Constants[number];
        AbstractValue value = constant.Tag is Tag.Int or Tag.Bool
            ? AbstractValue.Int(constant.Payload, constant.Payload)
            : AbstractValue.OfKind((int)constant.Tag);
        value.Kind = (int)constant.Tag;
        value.Alias = Alias.Constant;
        value.Of = number;
        _ = Push(value);
    }

    private void PushLocal(int slot)
    {
        _ = Push(
            new AbstractValue
            {
                Kind = AbstractValue.Any,
                Alias = Alias.Local,
                Of = slot,
            }
        );
    }

    private void Duplicate()
    {
        int top = _state.Top - 1;
        if (Values[top].Alias != Alias.None)
        {
            _ = Push(Values[top]);
            return;
        }

        int copy = Push(Values[top]);
        Values[copy] = Values[top];
        Move(top, copy);
    }

    private void GlobalAddress(int offset)
    {
        PushMachine();
        _il.Field(Members.Field("_globals"));
        if (offset != 0)
        {
            _il.Int(offset);
            _il.Op(OpCodes.Conv_I);
            _il.Op(OpCodes.Add);
        }
    }

    /// <summary>The address of what is in a variable's cell. The own function's cells are in memory, callees' where their frames are.</summary>
    private void CellAddress(int slot)
    {
        PushCellOf(slot);
        _il.Int(Members.VariableValueOffset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
    }

    private void PushCellOf(int slot)
    {
        if (slot < _function->Slots)
        {
            LoadSlotPayload(slot);
        }
        else
        {
            PushPayload(slot);
        }
    }

    /// <summary>What is in a variable becomes an operand.</summary>
    private void PushCell(int slot)
    {
        int part = PartIn(slot);
        if (part >= 0)
        {
            PushLocal(part);
            return;
        }

        CellAddress(slot);
        PushFrom();
    }

    private void StoreToCell(int slot)
    {
        int part = PartIn(slot);
        if (part < 0)
        {
            StoreTo(() => CellAddress(slot));
            return;
        }

        int top = _state.Top - 1;
        Pop();
        Assign(part, top);
    }

    private void StoreTo(Action address)
    {
        int top = _state.Top - 1;
        address();
        PushTag(top);
        _il.Op(OpCodes.Stind_I8);
        address();
        _il.Int(Members.PayloadOffset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
        PushPayload(top);
        _il.Op(OpCodes.Stind_I8);
        Pop();
    }

    private int StoreConstant(int i, int place, int number)
    {
        if (_program.ConstantElements[number] != 0 || _program.Constants[number].Tag >= Tag.List)
        {
            MachineDoes(i, 0, 0, AbstractValue.Any);
            if ((PlaceKind)(place & 3) == PlaceKind.Local)
            {
                Reload(Base + (place >> 2));
            }

            return EndSegment(i);
        }

        PushConstant(number);
        StoreTop(place);
        return i + 1;
    }

    private void StoreTop(int place)
    {
        int slot = SlotOf(place);
        switch ((PlaceKind)(place & 3))
        {
            case PlaceKind.Local:
                int top = _state.Top - 1;
                Pop();
                Assign(slot, top);
                break;
            case PlaceKind.Cell:
                StoreToCell(slot);
                break;
            case PlaceKind.Global:
                StoreTo(() => GlobalAddress(slot * sizeof(Value)));
                break;
            default:
                throw new InvalidOperationException("no such place");
        }
    }

    private int LoadVariable(int i, int register, int place)
    {
        int slot = SlotOf(place);
        switch ((PlaceKind)(place & 3))
        {
            case PlaceKind.Local:
                Assign(register, slot);
                return i + 1;
            case PlaceKind.Cell:
                PushCell(slot);
                break;
            default:
                GlobalAddress(slot * sizeof(Value));
                PushFrom();
                break;
        }

        int top = _state.Top - 1;
        Pop();
        Assign(register, top);
        return i + 1;
    }

    private int StoreVariable(int i, int register, int place)
    {
        PushLocal(register);
        StoreTop(place);
        return i + 1;
    }
}
