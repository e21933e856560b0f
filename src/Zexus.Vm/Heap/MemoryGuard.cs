namespace Zexus.Vm;

/// <summary>
/// The host's guard of memory: what a <see cref="Vm"/> has from the system for the execution that runs and the contracts that it calls, in their heaps
/// and beside them, against <see cref="VmOptions.MemoryLimit"/>.
/// </summary>
internal sealed class MemoryGuard
{
    /// <summary>Of a table that is empty between executions no more is kept for the next.</summary>
    public const long KeptTable = 1024 * 1024;

    /// <summary>For the execution that runs.</summary>
    public long Limit { get; set; } = long.MaxValue;

    /// <summary>Bytes.</summary>
    public long Taken { get; private set; }

    private readonly List<CellHeap> _heaps = [];

    /// <summary>Gives back what is kept for later besides the heaps' free blocks.</summary>
    public Action? Trim { get; set; }

    public void Add(CellHeap heap) => _heaps.Add(heap);

    public void Remove(CellHeap heap) => _heaps.Remove(heap);

    /// <summary>Whether so much more is within the limit.</summary>
    public bool Allows(long bytes) => Taken + bytes <= Limit;

    /// <summary>The same, when what is kept for later may go.</summary>
    public bool AllowsTrimmed(long bytes)
    {
        if (!Allows(bytes))
        {
            Trim?.Invoke();
            foreach (CellHeap heap in _heaps)
            {
                heap.ReleaseFree();
            }
        }

        return Allows(bytes);
    }

    /// <exception cref="HostGuardException">So much more is not within the limit.</exception>
    public void Check(long bytes)
    {
        if (!AllowsTrimmed(bytes))
        {
            Stop();
        }
    }

    /// <summary>
    /// How many entries a full table has when it has grown, which is within the limit: twice as many. Count them when they are there: a host may go on
    /// after an OutOfMemoryException.
    /// </summary>
    /// <exception cref="HostGuardException">That is not within the limit, or more than an int counts.</exception>
    public int Grown(int capacity, int least, int entryBytes)
    {
        long grown = Math.Min(Math.Max(least, 2L * capacity), Array.MaxLength);
        if (grown == capacity)
        {
            Stop();
        }

        Check((grown - capacity) * entryBytes);
        return (int)grown;
    }

    /// <summary>So much has been taken, or given back where it is negative.</summary>
    public void Count(long bytes) => Taken += bytes;

    /// <exception cref="HostGuardException">Always.</exception>
    public void Stop() => throw new HostGuardException(HostGuard.Memory, Limit);
}
