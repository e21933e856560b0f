namespace Zexus.Vm;

/// <summary>When the heap of an execution is collected. A collection is invisible to the program.</summary>
public sealed record CollectionOptions
{
    /// <summary>What executions get when nobody says otherwise.</summary>
    public static CollectionOptions Default { get; } = new();

    /// <summary>
    /// Bytes allocated before the first collection, and never fewer between two: at least 1. What the processor's second cache
    /// holds is best for programs that keep little.
    /// </summary>
    public long FirstTriggerBytes { get; init; } = 768 * 1024;

    /// <summary>
    /// A collection is due when the heap is so many times as large as what the last one left: more than 1. A larger factor
    /// collects less often and needs more memory.
    /// </summary>
    public double GrowthFactor { get; init; } = 2;

    /// <summary>
    /// Count cells by the instruction that makes them, and collect once more at the end to see which survive:
    /// <see cref="HeapStatistics.Sites"/>. Slows every allocation; costs nothing when it is off.
    /// </summary>
    public bool Profile { get; init; }

    /// <summary>
    /// For tests: collect at every allocation, and fill what is freed with a pattern that is checked when it is taken again.
    /// </summary>
    public bool Stress { get; init; }

    /// <summary>
    /// Of <see cref="Stress"/>, for programs that allocate much: after so many collections only every second allocation
    /// is one, after as many again every fourth, and so on. At least 1.
    /// </summary>
    public int StressCollections { get; init; } = int.MaxValue;

    /// <summary>
    /// Of <see cref="Stress"/>: so many cells of a size are handed out at a time, and only the first of them is looked at as an allocation. With
    /// 1, compiled code never finds a cell that it could take by itself. At least 1.
    /// </summary>
    public int StressRun { get; init; } = 1;

    /// <summary>For tests: verify the whole heap after each collection; what is wrong ends the execution with an exception.</summary>
    public bool Verify { get; init; }

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(FirstTriggerBytes, 1);
        if (!(GrowthFactor > 1 && double.IsFinite(GrowthFactor)))
        {
            throw new ArgumentOutOfRangeException(nameof(GrowthFactor), GrowthFactor, "must be a number above 1");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(StressCollections, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(StressRun, 1);
    }
}
