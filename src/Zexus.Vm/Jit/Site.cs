using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>Why compiled code is left for the interpreter at a <see cref="Site"/>.</summary>
internal enum ExitKind
{
    /// <summary>Not an exit: the machine does the instruction and compiled code goes on behind it.</summary>
    None,

    /// <summary>A value is of another kind than was assumed.</summary>
    Kind,

    /// <summary>The result does not fit 64 bits.</summary>
    Overflow,

    /// <summary>A List stores its items in another way than was assumed, or an item does not fit it.</summary>
    Elements,

    /// <summary>An operand that the short way does not have: a divisor below one, an index outside the list.</summary>
    Range,

    /// <summary>The slice of gas does not reach the end of the segment: the interpreter begins a new one, if there is gas.</summary>
    Gas,

    /// <summary>Not the function is called that is compiled into the caller.</summary>
    Callee,

    /// <summary>A call for which there may be no native stack, no frame or no room on the value stack: the interpreter does it.</summary>
    Room,
}

/// <summary>What an exit notes, so that the piece that is compiled next does not leave there.</summary>
internal enum ExitNote
{
    /// <summary>Nothing, or the exit's own code has.</summary>
    None,

    /// <summary>That it was taken.</summary>
    Flag,

    /// <summary>The kind of a value, as a bit.</summary>
    Kind,

    /// <summary>How a List stores its items, as a bit.</summary>
    Elements,

    /// <summary>That a List stores its items in each way.</summary>
    AllElements,
}

/// <summary>
/// Of an exit: a slot whose tag, or all of it, compiled code knew. So it stores payloads only, and those that no constant is. Lives in native
/// memory.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SlotFill
{
    /// <summary>Counted from the method's first.</summary>
    public int Slot;

    /// <summary>Is the payload this one, or what compiled code has stored?</summary>
    public bool IsConstant;
    public Tag Tag;
    public long Payload;
}

/// <summary>
/// Of a place in a callee that is compiled into its caller: the caller's frame, which has no record until the machine needs one. Lives in
/// native memory.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CallerFrame
{
    public FunctionCode* Function;

    /// <summary>Behind the call.</summary>
    public Instr* Ip;

    /// <summary>Values from its first slot to the callee's.</summary>
    public int Distance;

    /// <summary>Values from the slot for the callee's result to the callee's first.</summary>
    public int ResultBelow;

    /// <summary>Its own caller's; null of the frame that the method was called for.</summary>
    public CallerFrame* Outer;
}

/// <summary>
/// A place in compiled code that calls the machine or leaves for the interpreter: all that is needed to make the frame look as
/// the interpreter would have it. Lives in native memory, so that compiled code can name it by address.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Site
{
    public FunctionCode* Function;
    public Instr* At;

    /// <summary>The frames below that have no record yet; null outside of callees that are compiled into their callers.</summary>
    public CallerFrame* Callers;

    /// <summary>Of an exit: closures and variables that have to be made there; null when there are none.</summary>
    public VirtualState* Objects;

    /// <summary>Of an exit: what it writes into the frame besides the values that compiled code has stored.</summary>
    public SlotFill* Fills;
    public int FillCount;

    /// <summary>Of an exit: the activation's place among those of the method, and its first slot.</summary>
    public int Depth;
    public int Base;

    /// <summary>Of an exit: gas, shifted, that was taken for what has not run.</summary>
    public long Back;

    /// <summary>Of an exit: what is noted, where, and the method's slot that has the value; -1 when <see cref="Machine"/> was given it.</summary>
    public ExitNote Note;
    public int NotedSlot;
    public ushort* Noted;

    /// <summary>Cells of the operand stack before the instruction.</summary>
    public int Height;

    /// <summary>
    /// Of an exit: the instruction that takes for granted what did not hold. It is not <see cref="At"/> where that was asked before a loop, or
    /// of a call's result; null where it is the frame at the method's entry.
    /// </summary>
    public Instr* Asker;

    /// <summary>The number of the piece of compiled code.</summary>
    public int Piece;
    public ExitKind Exit;

    /// <summary>The number of the guard whose exit this is, counted from 1 within the piece; 0 when it is none's.</summary>
    public int Guard;

    /// <summary>Has the function a SETUP_TRY? Then its frame record is complete from its entry on.</summary>
    public bool HasHandlers;

    /// <summary>Of a call that assumptions may make direct: what was seen there.</summary>
    public Seen* Seen;

    /// <summary>Of a direct call: where the address of the callee's code stands.</summary>
    public nint* Code;

    /// <summary>Of an instruction with a constant String as its key: the number of the entry where it was found last.</summary>
    public int Entry;

    /// <summary>How often it was taken. Threads may lose counts to each other.</summary>
    public long Taken;
}

/// <summary>What compiled code returns instead of the gas left when the frame has not returned by itself.</summary>
internal static unsafe class ExitStatus
{
    /// <summary>The frame is the machine's current one, as the interpreter has it; it goes on there.</summary>
    public const long Interpret = -1;

    /// <summary>A fault has left the frame; the machine has it.</summary>
    public const long Unwound = -2;

    /// <summary>Compiled code is left at a place, which <see cref="Machine.TakeExit"/> sees to. An address is positive, and none is so small.</summary>
    public static long At(Site* site) => -(long)site;

    /// <summary>The place that a status says; null when it says none.</summary>
    public static Site* PlaceOf(long status) => status < Unwound ? (Site*)-status : null;
}

/// <summary>
/// What was seen at one instruction where compiled code had assumed something else. Only ever grows, so that
/// compiling anew comes to an end.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Seen
{
    /// <summary>Bits by tag: kinds of the first and of the second operand.</summary>
    public ushort First;
    public ushort Second;
    public ushort Overflow;
    public ushort Range;

    /// <summary>One more than the number of the function that was called; -1 when there were several.</summary>
    public int Callee;

    /// <summary>Not that function was called where it had been compiled into the caller: no other is from now on.</summary>
    public ushort Varies;

    /// <summary>Bits by <see cref="ElementKind"/>: how the List stored its items; all of them when an item did not fit.</summary>
    public ushort Elements;

    /// <summary>What was asked of the List before a loop did not hold: to be asked at the instruction.</summary>
    public ushort Hoist;

    /// <summary>A String was not where a Map had it last: to be searched for in compiled code.</summary>
    public ushort Search;
}
