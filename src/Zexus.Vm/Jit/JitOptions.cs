using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>When functions and loops are compiled, and how.</summary>
public sealed record JitOptions
{
    /// <summary>Compile what has been called 100 times and loops that came round 1,000 times, in the background.</summary>
    public static JitOptions Default { get; } = new();

    /// <summary>Calls before a function is compiled; 0 compiles it before its first.</summary>
    public int CallThreshold { get; init; } = 100;

    /// <summary>Backward jumps before a loop that is running is compiled and entered where it stands; 0 does so at the first.</summary>
    public int LoopThreshold { get; init; } = 1_000;

    /// <summary>
    /// Compile on another thread and go on interpreting meanwhile; else the execution waits. A check wants the second: what runs
    /// then depends on nothing but the program.
    /// </summary>
    public bool Background { get; init; } = true;

    /// <summary>
    /// Side exits of one piece of compiled code, but those for gas and room, after which it is compiled anew with the kinds that were seen.
    /// </summary>
    public int ExitsBeforeRecompilation { get; init; } = 2;

    /// <summary>Pieces of compiled code that are made for one entry; the last of them assumes nothing.</summary>
    public int CompilationsPerEntry { get; init; } = 6;

    /// <summary>Count entries by piece and executions by opcode, for a check that must know that compiled code ran.</summary>
    public bool CountExecutions { get; init; }

    /// <summary>Take the guard of this number, counted within each piece from 0, as failed whenever it is reached. Null: none.</summary>
    public int? FailGuard { get; init; }

    /// <summary>Only in the piece of this number, in the order in which they are compiled. Null: in each.</summary>
    public int? FailPiece { get; init; }

    /// <summary>
    /// Called before the first IL of each piece is emitted: a test throws here, or emits what .NET refuses, to see the piece interpreted and
    /// the failure counted.
    /// </summary>
    internal Action<ILGenerator>? Emitting { get; init; }

    /// <summary>For a benchmark of what taking gas costs: the instructions' own gas is not taken. Executions may never end.</summary>
    internal bool IsUnmetered { get; init; }

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(CallThreshold);
        ArgumentOutOfRangeException.ThrowIfNegative(LoopThreshold);
        ArgumentOutOfRangeException.ThrowIfLessThan(ExitsBeforeRecompilation, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(CompilationsPerEntry, 1);
    }
}
