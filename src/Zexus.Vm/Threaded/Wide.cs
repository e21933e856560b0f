using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>What a wide instruction does.</summary>
internal enum WideOp
{
    Move,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Neg,
    Not,
    Eq,
    Neq,
    Lt,
    Gt,
    Lte,
    Gte,

    // A comparison and the jump on its result.
    JumpEq,
    JumpNeq,
    JumpLt,
    JumpGt,
    JumpLte,
    JumpGte,

    /// <summary>A jump on the truth of a slot.</summary>
    JumpIf,
    Jump,

    /// <summary>On to the next segment.</summary>
    Next,
    Index,
    ListSet,

    // Index and set where the target is no List: of a Map, by a key that is there. Only a handler goes to these.
    EntryIndex,
    EntrySet,
    ListPush,
    Call,
    Return,

    /// <summary>The machine does the source instruction, on the operand stack.</summary>
    Exec,

    /// <summary>For checks: counts an execution.</summary>
    Count,
}

/// <summary>Where a wide instruction finds an operand, or puts its result.</summary>
internal enum Form
{
    None,

    /// <summary>A slot or operand cell of the frame: A, B or C is its distance in bytes.</summary>
    Slot,

    /// <summary>An Int in the instruction.</summary>
    Int,

    /// <summary>A Float in the instruction.</summary>
    Float,

    /// <summary>Any constant in the instruction; its tag stands where the target would.</summary>
    Constant,

    /// <summary>In a cell that a slot points to.</summary>
    Cell,
    Global,
}

/// <summary>Which handler an instruction needs: there is one for each operation and form, made when it is first asked for.</summary>
/// <param name="Op">The operation.</param>
/// <param name="First">Of a Move where it goes to, else the first operand.</param>
/// <param name="Second">The second operand; of a Move where it comes from.</param>
/// <param name="Jumps">Of a conditional jump: does it jump if it holds?</param>
/// <param name="Counts">Of a jump: does it go backwards, and heat a loop? Of a call: has the frame slots to clear?</param>
/// <param name="IsUnmetered">See <see cref="ThreadedOptions.IsUnmetered"/>.</param>
internal readonly record struct HandlerKey(
    WideOp Op,
    Form First = Form.None,
    Form Second = Form.None,
    bool Jumps = false,
    bool Counts = false,
    bool IsUnmetered = false
);

/// <summary>
/// An instruction of threaded code: three addresses over the slots and operand cells of the frame. It stands for one or more
/// source instructions.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Wide
{
    /// <summary>The code that does it and goes on to the next.</summary>
    public nint Handler;

    /// <summary>Where the result goes, in bytes from the frame's slots; of a backward jump the loop's heat.</summary>
    public int A;
    public int B;
    public int C;
    public WideOp Op;

    /// <summary>A constant, or the called function.</summary>
    public long Payload;

    /// <summary>Where it jumps to, or more of the constant.</summary>
    public Wide* Target;

    /// <summary>What the segment that begins here costs. Whoever goes to its first instruction pays for all.</summary>
    public long Segment;

    /// <summary>Where the interpreter goes on when the segment's cost does not fit; only at its first instruction.</summary>
    public Exit* Start;

    /// <summary>The source instruction, for when this one is not the plain case.</summary>
    public Exit* Exit;
}

/// <summary>A source instruction, and all that is needed to make the frame look as it does before it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Exit
{
    public Instr* At;

    /// <summary>What was paid for source instructions of the segment behind it.</summary>
    public long Rest;

    /// <summary>The stack pointer before it, in bytes from the frame's slots.</summary>
    public int Top;

    /// <summary>Where it leaves its result, in bytes from the frame's slots.</summary>
    public int Result;

    /// <summary>Of a call: the called frame's slots that are to be Null, in bytes from its first.</summary>
    public int FirstClear;
    public int EndClear;

    /// <summary>Is there a jump in the wide instruction? Then what it looks at.</summary>
    public ExitBranch Branch;

    /// <summary>Of a conditional jump: does it jump if it holds?</summary>
    public bool Jumps;

    /// <summary>Has it a result that the wide instruction may want elsewhere?</summary>
    public bool HasResult;

    /// <summary>Does its segment end with it?</summary>
    public bool EndsSegment;
    public int MoveCount;
    public PendingMove* Moves;

    /// <summary>Of a backward jump: its loop's head, and what was paid since.</summary>
    public Instr* Head;
    public int HeadTop;
    public long SinceHead;

    /// <summary>How often the machine did the source instruction.</summary>
    public long Taken;
}

internal enum ExitBranch
{
    None,

    /// <summary>The result is a Bool, and the next instruction jumps on it.</summary>
    OnResult,

    /// <summary>It is a conditional jump.</summary>
    OnOperand,
}

/// <summary>An operand that threaded code has not put on the operand stack, because whoever takes it knows where it comes from.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct PendingMove
{
    public int To;

    /// <summary>The slot, if there is no constant.</summary>
    public int From;
    public Value* Constant;
}
