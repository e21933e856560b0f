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

    /// <summary>Collections.</summary>
    public long Collections { get; init; }

    /// <summary>How long all the collections took.</summary>
    public TimeSpan TotalPause { get; init; }

    /// <summary>How long the longest took.</summary>
    public TimeSpan LongestPause { get; init; }
}
