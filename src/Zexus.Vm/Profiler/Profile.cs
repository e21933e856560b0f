namespace Zexus.Vm;

/// <summary>What an execution did, step by step, added up.</summary>
/// <param name="Steps">As <see cref="ExecutionResult.Steps"/>: what the counts add up to.</param>
/// <param name="Gas">As <see cref="ExecutionResult.GasUsed"/>.</param>
/// <param name="Duration">With what counting took.</param>
/// <param name="Instructions">Every instruction that was begun, and ends of functions, in the order of the code.</param>
/// <param name="Functions">Every function that was called, in the order of the function table.</param>
/// <param name="Loops">Every loop that turned, the one with the most steps first.</param>
/// <param name="Calls">The entry function's call and, below it, all others.</param>
/// <param name="IsCallTreeCut">Are there more different chains of calls than the tree keeps? Then the deepest are counted for their callers.</param>
public sealed record Profile(
    long Steps,
    long Gas,
    TimeSpan Duration,
    IReadOnlyList<InstructionProfile> Instructions,
    IReadOnlyList<FunctionProfile> Functions,
    IReadOnlyList<LoopProfile> Loops,
    CallProfile Calls,
    bool IsCallTreeCut
);

/// <summary>One instruction.</summary>
/// <param name="Function">Its function's place in the function table.</param>
/// <param name="Instruction">Its place in the code; the length of the code for its end.</param>
/// <param name="Count">How often it was begun.</param>
/// <param name="Gas">What it took, with what callbacks took before the next step.</param>
/// <param name="Taken">Of a conditional jump: how often it jumped; else null.</param>
public sealed record InstructionProfile(int Function, int Instruction, long Count, long Gas, long? Taken);

/// <summary>One function.</summary>
/// <param name="Function">Its place in the function table.</param>
/// <param name="Calls">How often it was called.</param>
/// <param name="Own">What its own instructions took.</param>
/// <param name="Total">With what it called; of a recursive function, its outermost calls.</param>
/// <param name="Durations">Of single calls, with what they called.</param>
public sealed record FunctionProfile(int Function, long Calls, Cost Own, Cost Total, Percentiles Durations);

/// <summary>Steps, gas and time.</summary>
public readonly record struct Cost(long Steps, long Gas, TimeSpan Time)
{
    /// <summary>The sum.</summary>
    public static Cost operator +(Cost a, Cost b) => new(a.Steps + b.Steps, a.Gas + b.Gas, a.Time + b.Time);
}

/// <summary>How long calls took: so many percent of them took no longer. Kept to an eighth.</summary>
public readonly record struct Percentiles(TimeSpan P50, TimeSpan P90, TimeSpan P99, TimeSpan Longest);

/// <summary>A loop: a jump back, and the code from its target to it.</summary>
/// <param name="Function">Its function's place in the function table.</param>
/// <param name="First">The target.</param>
/// <param name="Last">The jump.</param>
/// <param name="Turns">How often it jumped back.</param>
/// <param name="Steps">Of its instructions, inner loops included, calls not.</param>
public sealed record LoopProfile(int Function, int First, int Last, long Turns, long Steps);

/// <summary>All calls of a function that came about by the same chain of calls.</summary>
/// <param name="Function">Its place in the function table.</param>
/// <param name="Count">How many.</param>
/// <param name="Own">What the function's own instructions took.</param>
/// <param name="Total">With what it called.</param>
/// <param name="Callees">What it called.</param>
public sealed record CallProfile(int Function, long Count, Cost Own, Cost Total, IReadOnlyList<CallProfile> Callees);
