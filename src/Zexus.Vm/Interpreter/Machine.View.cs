namespace Zexus.Vm;

/// <summary>What a hook sees. The loop has stored its registers before it calls one.</summary>
internal sealed unsafe partial class Machine
{
    public int FrameDepth => _outerDepth + (int)(_frame - _frames);

    public string Contract => _contract;

    public int ContractDepth => _waiting is null ? 0 : _waiting.ContractDepth + 1;

    public FunctionCode* CurrentFunction => _frame->Function;

    public int CurrentInstruction
    {
        get
        {
            FunctionCode* function = _frame->Function;
            int at = (int)(_ip - function->Code);
            return function->Origins is null ? at : function->Origins[at].Instruction;
        }
    }

    /// <summary>The source instruction that comes next; the length of the source's code at its end.</summary>
    public int CurrentSource
    {
        get
        {
            FunctionCode* function = _frame->Function;
            int at = (int)(_ip - function->Code);
            return function->Origins is null ? at
                : function->Origins[at].Instruction == function->Length
                    ? _program.Image.Functions[function->Number].Code.Length
                : function->Origins[at].Source;
        }
    }

    /// <summary>Does a step begin here? A translated instruction can be several of ours.</summary>
    private bool BeginsStep => CurrentInstruction >= 0;

    public int OperandCount => (int)(_sp - _frame->Vars) - _frame->Function->Slots;

    public int FrameHandlers => _handlerCount - _frame->Handlers;

    public int OpenTransactions => _world.OpenTransactions;

    public Value Slot(int index) => _frame->Vars[index];

    public Value GlobalValue(string name) =>
        _program.Globals.TryGetValue(name, out int slot) ? _globals[slot] : Value.Null;
}
