using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>The state, read without the way past the machine's records.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>STATE_READ of what is there and is no collection: key -> value. All else is the machine's.</summary>
    private int ReadState(int i)
    {
        int key = _state.Top - 1;
        int kind = Resolve(key).Kind;
        if ((kind == AbstractValue.Any ? Assume(i, key, first: true, Tag.String) : kind) != (int)Tag.String)
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
        Count(ShortWay.StateInPlace);
        FrameState before = _state.Copy();
        Pop(1);
        _il.Load(item);
        PushFrom();
        _il.Mark(done);
        SlowPath(i, slow, done, before, () => TakeOver(key));
        return EndSegmentWithLists(i);
    }
}
