namespace Zexus.Vm;

/// <summary>When the interpreter goes over to threaded code, its own form of what is warm.</summary>
public sealed record ThreadedOptions
{
    /// <summary>Threaded code for what has been called 8 times and loops that came round 32 times.</summary>
    public static ThreadedOptions Default { get; } = new();

    /// <summary>Calls before a function is translated; 0 translates it before its first.</summary>
    public int CallThreshold { get; init; } = 8;

    /// <summary>Backward jumps before a function with a loop that is running is translated; 0 does so at the first.</summary>
    public int LoopThreshold { get; init; } = 32;

    /// <summary>Count what is run, for a check that must know that threaded code ran.</summary>
    public bool CountExecutions { get; init; }

    /// <summary>For a benchmark of what taking gas costs: the segments' gas is not taken. Executions may never end.</summary>
    internal bool IsUnmetered { get; init; }

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(CallThreshold);
        ArgumentOutOfRangeException.ThrowIfNegative(LoopThreshold);
    }
}
