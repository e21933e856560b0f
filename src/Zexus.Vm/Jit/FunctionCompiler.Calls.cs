using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>
/// Calls. Compiled code calls compiled code by its <see cref="Convention"/>; a frame's record is written only when the machine needs it.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    private LocalBuilder? _entryPointer;
    private LocalBuilder? _stackProbe;
    private LocalBuilder? _closure;

    /// <summary>A call that compiled code makes by itself, where it can.</summary>
    private sealed class DirectCall
    {
        public required FunctionCode* Callee { get; init; }
        public required Convention Convention { get; init; }

        /// <summary>Where the address of its code stands; null for the code that is being compiled.</summary>
        public required nint* Code { get; init; }

        /// <summary>Pushes the Function's tag, then its payload; null when the callee is an operand of the instruction itself.</summary>
        public Action? PushTag { get; init; }
        public Action? PushPayload { get; init; }

        /// <summary>The slot that the result is to be in.</summary>
        public required int Result { get; init; }

        /// <summary>The machine's rule for the call.</summary>
        public required string Helper { get; init; }

        /// <summary>What the rule takes besides the place.</summary>
        public Action HelperArguments { get; init; } = static () => { };
    }

    /// <summary>A call of what a variable holds.</summary>
    private int CallVariable(int i, Action address, int? slot = null)
    {
        Instr* at = At(i);
        int arguments = _state.Top - at->B;
        if (_inlined.TryGetValue(i, out Activation? inlined))
        {
            return EnterClosure(i, inlined, slot, address);
        }

        if (DirectCallee(i) is not { } callee)
        {
            MachineCall(i, nameof(Machine.CallValueAt), address, at->B, 1, AbstractValue.Any);
            return EndSegment(i);
        }

        return CallDirectly(
            i,
            new DirectCall
            {
                Callee = _program.Functions + callee.Function,
                Convention = callee.Convention,
                Code = _jit.CodeOf(callee.Function, callee.Convention),
                PushTag = () => PushCalled(0),
                PushPayload = () => PushCalled(Members.PayloadOffset),
                Result = arguments,
                Helper = nameof(Machine.CallValueAt),
                HelperArguments = address,
            }
        );

        void PushCalled(int offset)
        {
            if (slot is not { } held)
            {
                LoadFrom(address, offset);
            }
            else if (offset == 0)
            {
                PushTag(held);
            }
            else
            {
                PushPayload(held);
            }
        }
    }

    private void LoadFrom(Action address, int offset)
    {
        address();
        _il.Int(offset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
        _il.Op(OpCodes.Ldind_I8);
    }

    /// <summary>A call of the Function that lies below its arguments.</summary>
    private int CallTop(int i)
    {
        Instr* at = At(i);
        int function = _state.Top - at->B - 1;
        if (_inlined.TryGetValue(i, out Activation? inlined))
        {
            return EnterClosure(i, inlined, function, null);
        }

        if (DirectCallee(i) is not { } callee)
        {
            MachineCall(i, nameof(Machine.CallTopAt), static () => { }, at->B + 1, 1, AbstractValue.Any);
            return EndSegment(i);
        }

        return CallDirectly(
            i,
            new DirectCall
            {
                Callee = _program.Functions + callee.Function,
                Convention = callee.Convention,
                Code = _jit.CodeOf(callee.Function, callee.Convention),
                PushTag = () => PushTag(function),
                PushPayload = () => PushPayload(function),
                Result = function,
                Helper = nameof(Machine.CallTopAt),
            }
        );
    }

    /// <summary>The function that has been called here, if it was one and has compiled code.</summary>
    private (int Function, Convention Convention)? DirectCallee(int i)
    {
        int seen = _seen[i].Callee;
        return seen > 0 && !_assumeNothing && _jit.ConventionOf(seen - 1) is { } convention
            ? (seen - 1, convention)
            : null;
    }

    /// <summary>A call of the function table.</summary>
    private int CallFunction(int i)
    {
        if (_inlined.TryGetValue(i, out Activation? inlined))
        {
            return EnterInlined(i, inlined);
        }

        Instr* at = At(i);
        FunctionCode* callee = _program.Functions + at->A;
        Convention? convention;
        if (callee == _function && !_isLoop)
        {
            // A function that calls itself stays in this piece, also when a newer one has taken its place.
            _ = _awaitingResult.Add(_block);
            if (_result is null)
            {
                // What follows waits for a result of which the kind is known.
                CloseSegment(i + 1);
                return -1;
            }

            convention = new Convention { Registers = _registers, Result = ResultKind };
        }
        else
        {
            convention = _jit.ConventionOf(at->A);
        }

        if (convention is null)
        {
            MachineCall(i, nameof(Machine.CallFunctionAt), static () => { }, at->B, 1, AbstractValue.Any);
            return EndSegment(i);
        }

        return CallDirectly(
            i,
            new DirectCall
            {
                Callee = callee,
                Convention = convention,
                Code = callee == _function && !_isLoop ? null : _jit.CodeOf(at->A, convention),
                Result = _state.Top - at->B,
                Helper = nameof(Machine.CallFunctionAt),
            }
        );
    }

    /// <summary>Calls compiled code, or has the machine do the call where it is not there, or is not called so.</summary>
    private int CallDirectly(int i, DirectCall call)
    {
        RequireRoom(i);
        FlushAll();
        if (_il.Enabled)
        {
            EmitCall(i, call);
        }

        (int pops, _) = InstructionEffects.Of(At(i));
        Pop(pops);
        int arguments = call.Result == _state.Top ? _state.Top + pops - At(i)->B : call.Result;
        _state.Top++;
        Reload(call.Result, call.Convention.Result, from: arguments);
        return EndSegment(i);
    }

    private void EmitCall(int i, DirectCall call)
    {
        Instr* at = At(i);
        int arguments = _state.Top - at->B;
        int result = call.Convention.Result;
        Site* site = NewSite(i, ExitKind.None, _state.Top - Slots);
        site->Code = call.Code;
        if (call.Code == null)
        {
            // The function itself: nothing more is ever known of it.
            site->Seen = null;
        }

        Label slow = _il.NewLabel();
        Label failed = _il.NewLabel();
        Label done = _il.NewLabel();
        bool fits = true;

        if (call.PushTag is not null)
        {
            LocalBuilder closure = _closure ??= _il.NewLocal(typeof(long));
            call.PushTag();
            _il.Long((long)Tag.Function);
            _il.Branch(OpCodes.Bne_Un, slow);
            call.PushPayload!();
            _il.Store(closure);
            _il.Load(closure);
            _il.Int(Members.ClosureFunctionOffset);
            _il.Op(OpCodes.Conv_I8);
            _il.Op(OpCodes.Add);
            _il.Op(OpCodes.Conv_I);
            _il.Op(OpCodes.Ldind_I4);
            _il.Int(call.Callee->Number);
            _il.Branch(OpCodes.Bne_Un, slow);
        }

        foreach ((int slot, int kind) in call.Convention.Registers)
        {
            int known = slot < at->B ? Resolve(arguments + slot).Kind : (int)Tag.Null;
            if (known == AbstractValue.Any)
            {
                PushTag(arguments + slot);
                _il.Long(kind);
                _il.Branch(OpCodes.Bne_Un, slow);
            }
            else
            {
                fits &= known == kind;
            }
        }

        fits &= call.Callee->CapturedCount == 0 || AllocatesInline(sizeof(VariableCell));
        if (!fits)
        {
            _il.Branch(OpCodes.Br, slow);
        }
        else
        {
            EmitJump(site, call, arguments, slow);
            _il.Store(_counter);
            _il.Load(_counter);
            _il.Long(0);
            _il.Branch(OpCodes.Blt, failed);
        }

        _il.Mark(done);
        Label otherKind = _il.NewLabel();
        FrameState now = _state.Copy();
        _il.Cold(() =>
        {
            FrameState kept = _state;
            _state = now;
            _il.Mark(slow);
            CallHelper(site, call.Helper, call.HelperArguments);
            if (arguments != call.Result)
            {
                // By the machine's rule the result has taken the callee's place; here it is looked for where compiled code leaves it.
                StoreTag(arguments, () => LoadSlotTag(call.Result));
                StorePayload(arguments, () => LoadSlotPayload(call.Result));
            }

            CheckResult();
            if (fits)
            {
                _il.Mark(failed);
                CallHelper(site, nameof(Machine.AfterCall), static () => { });
                CheckResult();
            }

            _state = kept;

            void CheckResult()
            {
                if (result != AbstractValue.Any)
                {
                    LoadSlotTag(arguments);
                    _il.Long(result);
                    _il.Branch(OpCodes.Bne_Un, otherKind);
                }

                Count(ShortWay.Resumed);
                _il.Branch(OpCodes.Br, done);
            }
        });
        if (result != AbstractValue.Any)
        {
            FrameState called = _state.Copy();
            called.Top = call.Result + 1;
            called.Values[call.Result] = AbstractValue.OfKind(AbstractValue.Any);
            called.Values[call.Result].Clean = arguments == call.Result;
            Exit(
                otherKind,
                i + 1,
                ExitKind.Kind,
                called,
                giveBack: 0,
                note: () =>
                {
                    if (arguments != call.Result)
                    {
                        LoadSlotTag(arguments);
                        _il.Store(TagOf(call.Result));
                        LoadSlotPayload(arguments);
                        _il.Store(PayloadOf(call.Result));
                    }
                },
                asker: i
            );
        }
    }

    /// <summary>Prepares the called frame's slots and calls its code: the counter or status is on the IL stack.</summary>
    private void EmitJump(Site* site, DirectCall call, int arguments, Label slow)
    {
        Instr* at = site->At;
        LocalBuilder entry = _entryPointer ??= _il.NewLocal(typeof(nint));
        if (call.Code != null)
        {
            _il.Address(call.Code);
            _il.Op(OpCodes.Ldind_I);
            _il.Store(entry);
            _il.Load(entry);
            _il.Branch(OpCodes.Brfalse, slow);
        }

        FunctionCode* callee = call.Callee;
        if (callee->HasCells)
        {
            PrepareCells(call, at, arguments, slow);
        }
        else
        {
            // Parameters that were not passed are Null; the rest of its slots it clears by itself.
            ClearSlots(arguments, Math.Min(at->B, callee->Parameters), callee->Parameters);
        }

        PushMachine();
        PushFrame();
        _il.Int(sizeof(Frame));
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
        SlotAddress(arguments);
        _il.Load(_counter);
        foreach ((int slot, _) in call.Convention.Registers)
        {
            PushPayload(arguments + slot);
        }

        Count(
            call.PushTag is not null ? ShortWay.CallClosure
            : call.Code == null ? ShortWay.CallSelf
            : ShortWay.CallTable
        );
        if (call.Code == null)
        {
            _il.Call(_method);
        }
        else
        {
            _il.Load(entry);
            _il.CallPointer(typeof(long), call.Convention.ParameterTypes());
        }
    }

    private void ClearSlots(int arguments, int from, int to)
    {
        if (from >= to)
        {
            return;
        }

        // Cleared memory is a row of Nulls.
        SlotAddress(arguments + from);
        _il.Int(0);
        _il.Int((to - from) * sizeof(Value));
        _il.Op(OpCodes.Initblk);
    }
}
