namespace Zexus.Vm;

/// <summary>
/// What an execution did with its heap. Bytes are those of cells, the unused rest of their size class included. Nothing of
/// this is an outcome: it depends on the engine, its options and its level.
/// </summary>
public sealed record HeapStatistics
{
    /// <summary>Bytes of all the cells that were made.</summary>
    public long AllocatedBytes { get; init; }

    /// <summary>Cells that were made.</summary>
    public long AllocatedCells { get; init; }

    /// <summary>Bytes that collections freed.</summary>
    public long FreedBytes { get; init; }

    /// <summary>Cells that collections freed; buffers that a growing collection left behind are not among them.</summary>
    public long FreedCells { get; init; }

    /// <summary>Bytes of cells at the end, garbage since the last collection included.</summary>
    public long InUseBytes { get; init; }

    /// <summary>Cells at the end, garbage since the last collection included.</summary>
    public long InUseCells { get; init; }

    /// <summary>Bytes that the last collection found reachable.</summary>
    public long LiveBytes { get; init; }

    /// <summary>Cells that the last collection found reachable.</summary>
    public long LiveCells { get; init; }

    /// <summary>The most bytes of cells at a time, as seen at collections and at the end.</summary>
    public long PeakBytes { get; init; }

    /// <summary>Bytes that the heap has from the operating system at the end.</summary>
    public long ReservedBytes { get; init; }

    /// <summary>Of these, large buffers that were freed and wait for the next of their size.</summary>
    public long KeptBytes { get; init; }

    /// <summary>Collections.</summary>
    public long Collections { get; init; }

    /// <summary>How long all the collections took.</summary>
    public TimeSpan TotalPause { get; init; }

    /// <summary>How long the longest took.</summary>
    public TimeSpan LongestPause { get; init; }

    /// <summary>
    /// By place and kind, those that made most first; null without <see cref="CollectionOptions.Profile"/>.
    /// </summary>
    public IReadOnlyList<HeapSite>? Sites { get; init; }
}

/// <summary>What a cell of the heap holds.</summary>
public enum HeapCellKind
{
    /// <summary>Storage that another cell has grown into: items, entries, an index, text.</summary>
    Buffer = 1,

    /// <summary>A String.</summary>
    String = 2,

    /// <summary>An Int beyond 64 bits.</summary>
    BigInt = 3,

    /// <summary>A List.</summary>
    List = 4,

    /// <summary>A Map.</summary>
    Map = 5,

    /// <summary>A Set.</summary>
    Set = 6,

    /// <summary>A Function.</summary>
    Function = 7,

    /// <summary>A captured variable.</summary>
    Variable = 8,
}

/// <summary>Cells of one kind that one instruction made.</summary>
public sealed record HeapSite
{
    /// <summary>The function, by its place in the function table.</summary>
    public int Function { get; init; }

    /// <summary>The instruction of the source; 0 for what entering the function makes.</summary>
    public int Instruction { get; init; }

    /// <summary>Their kind.</summary>
    public HeapCellKind Kind { get; init; }

    /// <summary>Cells that it made.</summary>
    public long AllocatedCells { get; init; }

    /// <summary>Their bytes.</summary>
    public long AllocatedBytes { get; init; }

    /// <summary>Cells that globals and the result (after a fault: the whole stack) still reach at the end.</summary>
    public long SurvivingCells { get; init; }

    /// <summary>Their bytes.</summary>
    public long SurvivingBytes { get; init; }

    /// <summary>Collections that the oldest of them has survived.</summary>
    public long OldestSurvived { get; init; }

    /// <summary>Bytes that had been allocated, all in all, when the oldest of them was made.</summary>
    public long OldestMadeAt { get; init; }
}
