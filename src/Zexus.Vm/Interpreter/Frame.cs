namespace Zexus.Vm;

/// <summary>How an instruction ended. The faults stand in the order of Zexus.Isa's, from 1.</summary>
internal enum Code
{
    /// <summary>The execution is over; its result is in the machine.</summary>
    Finished = -2,

    /// <summary>As Switched, and the current frame has just been entered: its compiled code may run.</summary>
    Entered = -3,

    /// <summary>Threaded code was left before the current instruction.</summary>
    Left = -4,

    /// <summary>The current instruction calls a contract, and what it needs is in the machine: see <c>RunContract</c>.</summary>
    CallsContract = -5,

    /// <summary>Done, and another frame or instruction is current: the loop reads its registers anew.</summary>
    Switched = -1,
    Done = 0,
    Thrown = 1,
    RequireFailed = 2,
    TypeMismatch = 3,
    DivisionByZero = 4,
    Domain = 5,
    UndefinedFunction = 6,
    Reentrancy = 7,
    OutOfGas = 8,
    CallTooDeep = 9,
    IntegerTooLarge = 10,
    StringTooLong = 11,
    CollectionTooLarge = 12,
    TooDeep = 13,
}

/// <summary>
/// A frame of the call stack. A code frame has a function; a callback frame has none, its state is in
/// <see cref="Callback"/>. Below the first there is one more without a function: the bottom.
/// </summary>
internal unsafe struct Frame
{
    public FunctionCode* Function;

    /// <summary>Where it goes on; current only while another frame is above.</summary>
    public Instr* Ip;

    /// <summary>Its slots. The arguments are the caller's operands, in place. Of a callback: where its calls put theirs.</summary>
    public Value* Vars;

    /// <summary>Where its result goes: a cell of the caller's operand stack.</summary>
    public Value* Result;

    /// <summary>Where its caller goes on in threaded code; null when the caller is not in it.</summary>
    public Wide* Return;

    /// <summary>Handlers when it was entered.</summary>
    public int Handlers;

    /// <summary>Why its return is not the common one.</summary>
    public FrameFlags Flags;

    /// <summary>Of a callback frame: the number of its state.</summary>
    public int Callback;
}

[Flags]
internal enum FrameFlags : byte
{
    None = 0,

    /// <summary>It needed a new segment of the value stack.</summary>
    OwnsSegment = 1,

    /// <summary>Its caller runs in compiled code, so the loop ends with it.</summary>
    ReturnsToCompiled = 2,
}

/// <summary>A piece of the value stack. Frames that the last one has no room for go to the next.</summary>
internal unsafe struct Segment
{
    public Value* Start;
    public long Values;

    /// <summary>Where its values ended when the next segment was begun.</summary>
    public Value* InUse;
}

/// <summary>A SETUP_TRY that is still in force.</summary>
internal unsafe struct Handler
{
    public Frame* Frame;
    public Instr* Target;
    public int Height;

    /// <summary>The number of the last transaction that had begun.</summary>
    public long Transaction;
}

internal enum CallbackKind
{
    Map,
    Filter,
    Reduce,
    Sort,
    Event,
}

/// <summary>What a callback frame is doing.</summary>
internal struct Callback
{
    public CallbackKind Kind;

    /// <summary>The Function; of an event its payload.</summary>
    public Value Subject;

    /// <summary>The elements as they were: nobody else has this List.</summary>
    public Value Source;

    /// <summary>The List that is filled, or the accumulator.</summary>
    public Value Target;

    /// <summary>The next element, or the next handler.</summary>
    public int Next;

    /// <summary>Of an event: the handlers as registered when it was emitted, so many of the array.</summary>
    public Registration[]? Handlers;
    public int HandlerCount;

    /// <summary>Of an event: whose handlers they are, and what its end is to be told.</summary>
    public EventHandlers? Emitted;
    public int ReadBefore;

    // Of a sort: the width of the runs, the run that is merged, and the heads of its halves.
    public int Width;
    public int Low;
    public int Left;
    public int Right;
}

/// <summary>A handler of an event: its name's number and its global.</summary>
internal readonly record struct Registration(int Name, int Global);
