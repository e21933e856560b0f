namespace Zexus.Vm;

/// <summary>What a hook sees. The loop has stored its registers before it calls one.</summary>
internal sealed unsafe partial class Machine
{
    public int FrameDepth => (int)(_frame - _frames);

    public FunctionCode* CurrentFunction => _frame->Function;

    public int CurrentInstruction => (int)(_ip - _frame->Function->Code);

    public int OperandCount => (int)(_sp - _frame->Vars) - _frame->Function->Slots;

    public int FrameHandlers => _handlerCount - _frame->Handlers;

    public int OpenTransactions => _world.OpenTransactions;

    public Value Slot(int index) => _frame->Vars[index];

    public Value GlobalValue(string name) =>
        _program.Globals.TryGetValue(name, out int slot) ? _globals[slot] : Value.Null;
}
