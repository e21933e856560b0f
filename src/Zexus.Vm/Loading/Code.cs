using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// The instructions that the loop runs: those of the program, split by where a name lives, and a few of our own.
/// Dense, so that the switch is one jump table.
/// </summary>
internal enum Op
{
    // Names and stack. A: byte offset of the slot or constant.
    LoadConst,
    LoadConstCopy,
    LoadLocal,
    LoadCell,
    LoadGlobal,
    StoreLocal,
    StoreCell,
    StoreGlobal,
    Pop,
    Dup,

    // Arithmetic and comparison on the stack.
    Inc,
    Dec,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Neg,
    Eq,
    Neq,
    Lt,
    Gt,
    Lte,
    Gte,
    And,
    Or,
    Not,

    // Control. A: byte distance from the next instruction.
    Jump,
    JumpIfFalse,
    JumpIfTrue,

    // The same backwards. B: the number of the loop, for its heat.
    Loop,
    LoopIfFalse,
    LoopIfTrue,
    Return,

    /// <summary>Behind the last instruction of every function: as Return, without a charge.</summary>
    End,

    // Calls. A: place of the variable or function, B: arguments, C: name, or captures.
    CallLocal,
    CallCell,
    CallGlobal,
    CallFunction,
    CallTop,
    CallBuiltin,
    CallMethod,
    Index,
    GetAttr,
    ForIter,
    GetLength,

    // The same over registers. A, B, C: byte offsets of dst, a, b.
    MovReg,
    AddReg,
    SubReg,
    MulReg,
    DivReg,
    ModReg,
    PowReg,
    NegReg,
    EqReg,
    NeqReg,
    LtReg,
    GtReg,
    LteReg,
    GteReg,
    AndReg,
    OrReg,
    NotReg,
    PushReg,
    PopReg,

    /// <summary>NOP, and GAS_CHARGE of an amount that fits the static charge.</summary>
    Nop,

    // Only as Instr.Fast: the instruction with those that follow it, where there is nothing to be looked at between them. A comparison of
    // registers, PUSH_REG of its result, and a jump forward; two times PUSH_REG, and INDEX.
    EqRegJump,
    NeqRegJump,
    LtRegJump,
    GtRegJump,
    LteRegJump,
    GteRegJump,
    PushRegsIndex,

    /// <summary>Only as Instr.Fast: threaded code can be entered here.</summary>
    EnterThreaded,

    // Everything from here on runs in Machine.Rare. Arithmetic under a limit that small integers can break comes first.
    CheckedInc,
    CheckedDec,
    CheckedAdd,
    CheckedSub,
    CheckedMul,
    CheckedDiv,
    CheckedNeg,
    CheckedAddReg,
    CheckedSubReg,
    CheckedMulReg,
    CheckedDivReg,
    CheckedNegReg,
    GasCharge,

    /// <summary>Charges that only values tell, or that are too large for an instruction. A: number of the list.</summary>
    TakeCharges,
    StoreConst,
    StoreFunction,
    LoadReg,
    LoadVarReg,
    StoreReg,
    BuildList,
    BuildMap,
    BuildSet,
    Slice,
    RegisterEvent,
    EmitEvent,
    HashBlock,
    VerifySignature,
    MerkleRoot,
    StateRead,
    StateWrite,
    TxBegin,
    TxCommit,
    TxRevert,
    LedgerAppend,
    Require,
    AuditLog,
    SetupTry,
    PopTry,
    Throw,
    Print,
}

/// <summary>A decoded instruction.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
internal struct Instr
{
    /// <summary>What the loop takes from its counter: the static charge in the upper bits, less the one step in the lower. See <see cref="Fuel"/>.</summary>
    public long Cost;
    private short _op;

    /// <summary>What the loop does when nobody watches its steps: the same, or that and more.</summary>
    public short Fast;
    public int A;
    public int B;
    public int C;

    public int Op
    {
        readonly get => _op;
        set => _op = (short)value;
    }
}

/// <summary>
/// Gas and steps in one counter: the gas left in the current slice above <see cref="Shift"/>, the steps since its
/// start below. An instruction is one subtraction and one test of the sign; steps never reach the gas, because a slice
/// has at most <see cref="Slice"/> of them that cost gas, and those that do not look at the counter themselves or are few beside it
/// (<see cref="MostFree"/>).
/// </summary>
internal static class Fuel
{
    public const int Shift = 24;
    public const long StepMask = (1L << Shift) - 1;

    /// <summary>
    /// Gas between two looks at cancellation and guards: at most a millisecond or so. Compiled code is left at the end of each, with all the
    /// calls that it is in, so shorter ones cost recursion dearly.
    /// </summary>
    public const long Slice = 1L << 20;

    /// <summary>From so many steps on, an instruction that costs nothing asks for a new slice.</summary>
    public const long ManySteps = 1L << 23;

    /// <summary>
    /// Steps that a segment may have for each unit of its gas, where code takes gas and steps by the segment: with one step more
    /// a slice of them stays within <see cref="ManySteps"/>.
    /// </summary>
    public const long MostFree = (ManySteps / Slice) - 1;

    /// <summary>The largest static charge that an instruction may carry.</summary>
    public const long LargestStatic = int.MaxValue;

    public static long Cost(long gas) => (gas << Shift) - 1;
}

/// <summary>Where a variable lives, seen from an instruction.</summary>
internal enum PlaceKind
{
    /// <summary>In a slot of the frame.</summary>
    Local = 0,

    /// <summary>In a cell that a slot of the frame points to.</summary>
    Cell = 1,
    Global = 2,
}

/// <summary>A function as the loop sees it.</summary>
internal unsafe struct FunctionCode
{
    public Instr* Code;
    public int Number;
    public int Length;

    /// <summary>Instructions with the end and what stands behind it.</summary>
    public int CodeLength;
    public int Parameters;
    public int Variables;

    /// <summary>Where the captures begin among the variables.</summary>
    public int FirstCapture;

    /// <summary>Variables, and the registers up to the highest that it uses: all that is Null at the start.</summary>
    public int Slots;

    /// <summary>Slots, the highest operand stack, and room for a routine's missing arguments.</summary>
    public int FrameSize;

    /// <summary>Has it captures, or variables in cells?</summary>
    public bool HasCells;

    /// <summary>One more than the highest register that it uses.</summary>
    public int Registers;

    /// <summary>Of each instruction: the operands below those that it takes.</summary>
    public short* Kept;

    /// <summary>Parameters and locals that some function captures.</summary>
    public int* Captured;
    public int CapturedCount;

    /// <summary>Of each instruction of a translation: where it comes from. Null for code that is the source's own.</summary>
    public Origin* Origins;
}

/// <summary>Where an instruction of a translation comes from.</summary>
internal struct Origin
{
    /// <summary>Its number in the translated code; -1 when it is a part of another's step.</summary>
    public int Instruction;

    /// <summary>The source instruction for which it acts.</summary>
    public int Source;

    /// <summary>The number of its charges' list.</summary>
    public int Charges;
}
