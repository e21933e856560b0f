using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>
/// Calls. Compiled code calls compiled code by its <see cref="Convention"/>; a frame's record is written only when the machine needs it.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    private LocalBuilder? _entryPointer;
    private LocalBuilder? _stackProbe;

    private int CallValue(int i, int slot, Action callee)
    {
        Instr* at = At(i);
        MachineCall(i, nameof(Machine.CallValueAt), callee, at->B, 1, AbstractValue.Any);
        return EndSegment(i);
    }

    /// <summary>A call of the function table.</summary>
    private int CallFunction(int i)
    {
        Instr* at = At(i);
        FunctionCode* callee = _program.Functions + at->A;
        if (callee->HasCells)
        {
            return ByMachine(i);
        }

        // A function that calls itself stays in this piece, also when a newer one has taken its place.
        if (callee == _function && !_isLoop)
        {
            if (_result is null)
            {
                // What follows waits for a result of which the kind is known.
                _ = _awaitingResult.Add(_block);
                CloseSegment(i + 1);
                return -1;
            }

            _ = _awaitingResult.Add(_block);
            return CallCompiled(i, callee, new Convention { Registers = _registers, Result = ResultKind }, null);
        }

        return _jit.ConventionOf(at->A) is { } convention
            ? CallCompiled(i, callee, convention, _jit.CodeOf(at->A, convention))
            : ByMachine(i);
    }

    /// <summary>Calls compiled code, or has the machine do the call where that is not there or a parameter is of another kind.</summary>
    /// <param name="i">The instruction.</param>
    /// <param name="callee">The function.</param>
    /// <param name="convention">How it is called.</param>
    /// <param name="code">Where the address of its code stands; null for the code that is being compiled.</param>
    private int CallCompiled(int i, FunctionCode* callee, Convention convention, nint* code)
    {
        Instr* at = At(i);
        FlushAll();
        int arguments = _state.Top - at->B;
        if (_il.Enabled)
        {
            EmitCall(i, callee, convention, code);
        }

        Pop(at->B);
        _state.Top++;
        Unalias(arguments);
        Reload(arguments, convention.Result);
        return EndSegment(i);
    }

    private void EmitCall(int i, FunctionCode* callee, Convention convention, nint* code)
    {
        Instr* at = At(i);
        int arguments = _state.Top - at->B;
        int result = convention.Result;

        // Parameters that were not passed are Null.
        for (int k = at->B; k < callee->Parameters; k++)
        {
            StoreTag(arguments + k, () => _il.Long((long)Tag.Null));
            StorePayload(arguments + k, () => _il.Long(0));
        }

        Site* site = NewSite(i, ExitKind.None, _state.Top - Slots);
        Label slow = _il.NewLabel();
        Label failed = _il.NewLabel();
        Label done = _il.NewLabel();
        LocalBuilder entry = _entryPointer ??= _il.NewLocal(typeof(nint));
        bool fits = true;

        // One look for the native stack, the depth of calls and the room on the value stack: Machine.CallLimit.
        _il.AddressOf(_stackProbe ??= _il.NewLocal(typeof(int)));
        _il.Op(OpCodes.Conv_U);
        _il.Argument(MachineArgument);
        _il.Field(Members.Field("_callLimit"));
        _il.Branch(OpCodes.Blt_Un, slow);
        foreach ((int slot, int kind) in convention.Registers)
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

        if (!fits)
        {
            _il.Branch(OpCodes.Br, slow);
        }
        else
        {
            if (code != null)
            {
                _il.Address(code);
                _il.Op(OpCodes.Ldind_I);
                _il.Store(entry);
                _il.Load(entry);
                _il.Branch(OpCodes.Brfalse, slow);
            }

            _il.Argument(MachineArgument);
            _il.Argument(FrameArgument);
            _il.Int(sizeof(Frame));
            _il.Op(OpCodes.Conv_I);
            _il.Op(OpCodes.Add);
            SlotAddress(arguments);
            _il.Load(_counter);
            foreach ((int slot, _) in convention.Registers)
            {
                PushPayload(arguments + slot);
            }

            if (code == null)
            {
                _il.Call(_method);
            }
            else
            {
                _il.Load(entry);
                _il.CallPointer(typeof(long), convention.ParameterTypes());
            }

            _il.Store(_counter);
            _il.Load(_counter);
            _il.Long(0);
            _il.Branch(OpCodes.Blt, failed);
        }

        _il.Mark(done);
        FrameState called = _state.Copy();
        called.Top = arguments + 1;
        called.Values[arguments] = AbstractValue.OfKind(AbstractValue.Any);
        called.Values[arguments].Clean = true;
        Label otherKind = _il.NewLabel();
        bool reachesCode = fits;
        _il.Cold(() =>
        {
            _il.Mark(slow);
            Helper(nameof(Machine.RunInstruction));
            if (reachesCode)
            {
                _il.Mark(failed);
                Helper(nameof(Machine.AfterCall));
            }

            void Helper(string name)
            {
                _il.Argument(MachineArgument);
                _il.Address(site);
                _il.Argument(FrameArgument);
                _il.Argument(SlotsArgument);
                _il.Load(_counter);
                _il.Call(Members.Of(name));
                _il.Store(_counter);
                _il.Load(_counter);
                _il.Long(0);
                _il.Branch(OpCodes.Blt, _leave);
                if (result != AbstractValue.Any)
                {
                    LoadSlotTag(arguments);
                    _il.Long(result);
                    _il.Branch(OpCodes.Bne_Un, otherKind);
                }

                _il.Branch(OpCodes.Br, done);
            }
        });
        if (result != AbstractValue.Any)
        {
            Exit(otherKind, i + 1, ExitKind.Kind, called, giveBack: 0);
        }
    }
}
