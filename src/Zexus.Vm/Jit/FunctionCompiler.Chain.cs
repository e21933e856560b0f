using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>State, requirements and events, without the way past the machine's records or without what it would allocate.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>A Map of more entries is made for its event: all keys are compared with one another.</summary>
    private const int MostEventEntries = 16;

    /// <summary>STATE_READ of what is there and a scalar that costs nothing: key -> value. All else is the machine's.</summary>
    private int ReadState(int i)
    {
        int key = _state.Top - 1;
        if (!IsStateKey(i, key))
        {
            MachineCall(i, nameof(Machine.StateReadAt), static () => { }, 1, 1, AbstractValue.Any);
            return EndSegmentWithLists(i);
        }

        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        LocalBuilder item = _entryPointer ??= _il.NewLocal(typeof(nint));
        LookForKeyGas(key, slow);
        PushMachine();
        PushPayload(key);
        _il.Call(Members.Of(nameof(Machine.FindInState)));
        _il.Store(item);
        _il.Load(item);
        _il.Branch(OpCodes.Brfalse, slow);
        TakeKeyGas(key);
        Count(ShortWay.ReadStateInPlace);
        FrameState before = _state.Copy();
        Pop(1);
        _il.Load(item);
        PushFrom();
        _il.Mark(done);
        SlowPath(i, slow, done, before, () => TakeOver(key));
        return EndSegmentWithLists(i);
    }

    /// <summary>STATE_WRITE of a scalar that costs nothing under a key that this execution has written to before: key value -> . All else is the machine's.</summary>
    private int WriteState(int i)
    {
        int key = _state.Top - 2;
        int item = _state.Top - 1;
        if (Resolve(item).Kind > (int)Tag.String || !IsStateKey(i, key))
        {
            MachineCall(i, nameof(Machine.StateWriteAt), static () => { }, 2, 0, AbstractValue.Any);
            return EndSegmentWithLists(i);
        }

        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        LookForKeyGas(key, slow);
        PushMachine();
        PushPayload(key);
        PushTag(item);
        PushPayload(item);
        _il.Call(Members.Of(nameof(Machine.ReplaceInState)));
        _il.Branch(OpCodes.Brfalse, slow);
        TakeKeyGas(key);
        Count(ShortWay.WriteStateInPlace);
        _il.Mark(done);
        SlowPath(i, slow, done, _state.Copy(), static () => { });
        Pop(2);
        return EndSegmentWithLists(i);
    }

    /// <summary>Is this, or may it be assumed to be, a String?</summary>
    private bool IsStateKey(int i, int key)
    {
        int kind = Resolve(key).Kind;
        return (kind == AbstractValue.Any ? Assume(i, key, first: true, Tag.String) : kind) == (int)Tag.String;
    }

    /// <summary>REQUIRE of a Bool or an Int that is true: condition message -> . All else is the machine's.</summary>
    private int Require(int i)
    {
        int condition = _state.Top - 2;
        if (Resolve(condition).Kind is not ((int)Tag.Bool or (int)Tag.Int))
        {
            return ByMachine(i);
        }

        Label fails = _il.NewLabel();
        Label done = _il.NewLabel();
        PushPayload(condition);
        _il.Branch(OpCodes.Brfalse, fails);
        Count(ShortWay.RequireInPlace);
        _il.Mark(done);
        SlowPath(i, fails, done, _state.Copy(), static () => { });
        Pop(2);
        return EndSegmentWithLists(i);
    }

    /// <summary>Is this BUILD_MAP, with different constant Strings for keys, for the EMIT_EVENT behind it and nothing else?</summary>
    private bool IsForEvent(int i)
    {
        int first = _state.Top - (2 * At(i)->A);
        if (i + 1 >= _block.End || (Op)At(i + 1)->Op != Op.EmitEvent || At(i)->A > MostEventEntries)
        {
            return false;
        }

        for (int key = first; key < _state.Top; key += 2)
        {
            if (Values[key].Alias != Alias.Constant || ConstantAt(key).Tag != Tag.String)
            {
                return false;
            }

            for (int other = first; other < key; other += 2)
            {
                if (Text.Equal(ConstantAt(other).String, ConstantAt(key).String))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>
    /// BUILD_MAP and EMIT_EVENT: key item ... key item -> . Where the event has no handlers and the items are scalars, what the Map would have had in
    /// it is written to the log; else the machine does the one and then the other.
    /// </summary>
    private int EmitNewMap(int i)
    {
        int emit = i + 1;
        Label emitted = _il.NewLabel();
        Label machine = _il.NewLabel();
        FlushAll();
        Site* site = NewSite(i, ExitKind.None, _state.Top - Slots);
        CallOnFrame(
            site,
            nameof(Machine.EmitNewMapAt),
            () => _il.Long(_jit.Options.IsUnmetered ? 0 : CostOf(emit, emit + 1))
        );
        _il.Store(_long);
        _il.Load(_long);
        _il.Long(0);
        _il.Branch(OpCodes.Blt, machine);
        _il.Load(_long);
        _il.Store(_counter);
        Count(ShortWay.EventOfNewMap);
        Count(Op.EmitEvent);
        _il.Branch(OpCodes.Br, emitted);
        _il.Mark(machine);
        MachineCall(site, nameof(Machine.RunInstruction), static () => { }, 2 * At(i)->A, 1, (int)Tag.Map);
        _ = EndSegment(i);
        MachineDoes(emit, 1, 0, AbstractValue.Any);
        _il.Mark(emitted);
        return EndSegment(emit);
    }
}
