using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>The state, read and written without the way past the machine's records.</summary>
internal sealed unsafe partial class FunctionCompiler
{
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
}
