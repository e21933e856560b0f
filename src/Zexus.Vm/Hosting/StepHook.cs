using System.Numerics;

namespace Zexus.Vm;

/// <summary>Looks at the machine before every step: for tracing, comparison and profiling.</summary>
public interface IStepHook
{
    /// <summary>Called before an instruction, and before the end of a function's code.</summary>
    /// <param name="view">The machine; valid only during the call.</param>
    void BeforeStep(in MachineView view);
}

/// <summary>No hook: the loop for it has no trace of one.</summary>
internal struct NoHook : IStepHook
{
    public readonly void BeforeStep(in MachineView view) { }
}

/// <summary>No hook, and a loop that does not take the instructions' own gas: for a benchmark of what taking it costs.</summary>
internal struct NoMeter : IStepHook
{
    public readonly void BeforeStep(in MachineView view) { }
}

/// <summary>The machine between two steps. Valid only during the callback that got it.</summary>
public readonly unsafe ref struct MachineView
{
    private readonly Machine _machine;

    internal MachineView(Machine machine)
    {
        _machine = machine;
    }

    /// <summary>The id of the contract that executes: the host's, or that of one that was called.</summary>
    public string Contract => _machine.Contract;

    /// <summary>The contracts that wait for this one: 0 for the host's. Functions, instructions and globals are of the contract's program.</summary>
    public int ContractDepth => _machine.ContractDepth;

    /// <summary>Frames alive, callback frames and those of waiting contracts included; the entry is 1.</summary>
    public int FrameDepth => _machine.FrameDepth;

    /// <summary>The current function's place in the function table.</summary>
    public int Function => _machine.CurrentFunction->Number;

    /// <summary>The instruction that comes next; the length of the code at its end.</summary>
    public int Instruction => _machine.CurrentInstruction;

    /// <summary>
    /// The source instruction for which it acts; the length of the source's code at the end. Another number than
    /// <see cref="Instruction"/> only in a translation.
    /// </summary>
    public int SourceInstruction => _machine.CurrentSource;

    /// <summary>Gas used so far.</summary>
    public long GasUsed => _machine.GasUsed;

    /// <summary>Cells on the frame's operand stack.</summary>
    public int StackHeight => _machine.OperandCount;

    /// <summary>The frame's variables: parameters, locals, captures.</summary>
    public int VariableCount => _machine.CurrentFunction->Variables;

    /// <summary>Handlers of the frame that are in force.</summary>
    public int HandlerCount => _machine.FrameHandlers;

    /// <summary>Transactions that are open.</summary>
    public int OpenTransactions => _machine.OpenTransactions;

    /// <summary>A cell of the operand stack, counted from the bottom.</summary>
    public HeapValue Stack(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, StackHeight);
        return new HeapValue(_machine.Slot(_machine.CurrentFunction->Slots + index));
    }

    /// <summary>A variable by its place in the function table's row.</summary>
    public HeapValue Variable(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, VariableCount);
        Value slot = _machine.Slot(index);
        return new HeapValue(slot.Tag == Tag.Variable ? slot.Variable->Value : slot);
    }

    /// <summary>A register of the frame.</summary>
    public HeapValue Register(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Isa.Limits.Registers);

        // A function has no room for registers above those that it uses: they are Null.
        return new HeapValue(
            index < _machine.CurrentFunction->Registers ? _machine.Slot(VariableCount + index) : Value.Null
        );
    }

    /// <summary>A global; Null when the program has none of that name.</summary>
    public HeapValue Global(string name) => new(_machine.GlobalValue(name));
}

/// <summary>A value inside the machine. Valid only during the callback that got it.</summary>
public readonly unsafe ref struct HeapValue
{
    private readonly Value _value;

    internal HeapValue(Value value)
    {
        _value = value;
    }

    /// <summary>What it is.</summary>
    public ValueKind Kind =>
        _value.Tag switch
        {
            Tag.Null => ValueKind.Null,
            Tag.Bool => ValueKind.Bool,
            Tag.Int or Tag.BigInt => ValueKind.Int,
            Tag.Float => ValueKind.Float,
            Tag.String => ValueKind.String,
            Tag.List => ValueKind.List,
            Tag.Map => ValueKind.Map,
            Tag.Set => ValueKind.Set,
            _ => ValueKind.Function,
        };

    /// <summary>Of a Bool.</summary>
    public bool AsBool => _value.Tag == Tag.Bool && _value.Payload != 0;

    /// <summary>Of an Int.</summary>
    public BigInteger AsInteger
    {
        get
        {
            Require(Kind == ValueKind.Int);
            Value value = _value;
            return Integers.Of(&value);
        }
    }

    /// <summary>Of a Float.</summary>
    public double AsFloat
    {
        get
        {
            Require(_value.Tag == Tag.Float);
            return _value.Float;
        }
    }

    /// <summary>Of a String: a copy.</summary>
    public string AsString
    {
        get
        {
            Require(_value.Tag == Tag.String);
            return Text.ToDotNet(_value.String);
        }
    }

    /// <summary>
    /// Of a List, Map, Set or Function: equal for the same object and for no other while the execution lives. Else 0.
    /// </summary>
    public long Identity => _value.Tag >= Tag.List ? _value.Payload : 0;

    /// <summary>Scalars of a String, elements of a List or Set, entries of a Map; else 0.</summary>
    public int Count =>
        _value.Tag switch
        {
            Tag.String => _value.String->Length,
            Tag.List => _value.List->Count,
            Tag.Map or Tag.Set => _value.Table->Count,
            _ => 0,
        };

    /// <summary>Of a Function: its place in the function table; else -1.</summary>
    public int FunctionIndex => _value.Tag == Tag.Function ? _value.Function->Function : -1;

    /// <summary>Of a Function: its captured variables; else 0.</summary>
    public int CaptureCount => _value.Tag == Tag.Function ? _value.Function->Captures : 0;

    /// <summary>An Int that fits 64 bits.</summary>
    public bool TryGetInt64(out long value)
    {
        value = _value.Tag == Tag.Int ? _value.Payload : 0;
        return _value.Tag == Tag.Int;
    }

    /// <summary>Is it a String, and this one? Copies nothing.</summary>
    public bool StringEquals(string text) => _value.Tag == Tag.String && Text.Equal(_value.String, text);

    /// <summary>An item of a List or an element of a Set.</summary>
    public HeapValue Item(int index)
    {
        Require(_value.Tag is Tag.List or Tag.Set);
        CheckIndex(index, Count);
        return new HeapValue(_value.Tag == Tag.List ? _value.List->Get(index) : _value.Set->At(index)->Key);
    }

    /// <summary>The key of an entry of a Map.</summary>
    public HeapValue Key(int index)
    {
        Require(_value.Tag == Tag.Map);
        CheckIndex(index, Count);
        return new HeapValue(_value.Map->At(index)->Key);
    }

    /// <summary>The value of an entry of a Map.</summary>
    public HeapValue Value(int index)
    {
        Require(_value.Tag == Tag.Map);
        CheckIndex(index, Count);
        return new HeapValue(_value.Map->At(index)->Item);
    }

    /// <summary>What a captured variable of a Function holds.</summary>
    public HeapValue Capture(int index)
    {
        Require(_value.Tag == Tag.Function);
        CheckIndex(index, CaptureCount);
        return new HeapValue(FunctionCell.Captured(_value.Function)[index]->Value);
    }

    private static void Require(bool kind)
    {
        if (!kind)
        {
            throw new InvalidOperationException("the value is of another kind");
        }
    }

    private static void CheckIndex(int index, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, count);
    }
}
