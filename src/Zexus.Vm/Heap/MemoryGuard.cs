namespace Zexus.Vm;

/// <summary>
/// The host's guard of memory: what a <see cref="Vm"/> has from the system for the execution that runs and the contracts that it calls, in their heaps
/// and beside them, against <see cref="VmOptions.MemoryLimit"/>.
/// </summary>
internal sealed class MemoryGuard
{
    /// <summary>Of a table that is empty between executions no more is kept for the next.</summary>
    public long KeptTable => Math.Min(1024 * 1024, Limit / 64);

    /// <summary>For the execution that runs.</summary>
    public long Limit { get; set; } = long.MaxValue;

    /// <summary>Bytes.</summary>
    public long Taken { get; private set; }

    /// <summary>Of the machine that runs, whose roots are known; null when none does.</summary>
    public CellHeap? Running { get; set; }

    /// <summary>Of <see cref="Taken"/> what copies for the host take while they are made.</summary>
    private long _lent;

    private readonly List<CellHeap> _heaps = [];

    /// <summary>Gives back what is kept for later besides the heaps' free blocks.</summary>
    public Action? Trim { get; set; }

    public void Add(CellHeap heap) => _heaps.Add(heap);

    public void Remove(CellHeap heap) => _heaps.Remove(heap);

    /// <summary>Whether so much more is within the limit.</summary>
    public bool Allows(long bytes) => bytes <= Limit - Taken;

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

    /// <summary>For who knows that this is no safepoint.</summary>
    /// <exception cref="HostGuardException">So much more is not within the limit.</exception>
    public void Check(long bytes)
    {
        if (!AllowsTrimmed(bytes))
        {
            Stop();
        }
    }

    /// <summary>The same at a safepoint, where the garbage of the heap that runs may go first.</summary>
    /// <exception cref="HostGuardException">So much more is not within the limit, or collecting frees next to nothing.</exception>
    public void CheckAtSafepoint(long bytes)
    {
        Running?.CollectIfDue();
        if (!AllowsTrimmed(bytes) && Running is { } heap)
        {
            heap.CollectToGoOn();
        }

        if (!Allows(bytes))
        {
            Stop();
        }
    }

    /// <summary>Counts, at a safepoint, what a copy for the host takes until <see cref="EndLending"/>; then it is the host's.</summary>
    /// <exception cref="HostGuardException">It is not within the limit.</exception>
    public void Lend(long bytes)
    {
        CheckAtSafepoint(bytes);
        Count(bytes);
        _lent += bytes;
    }

    public void EndLending()
    {
        Count(-_lent);
        _lent = 0;
    }

    /// <summary>
    /// How many entries a full table has when it has grown, which is within the limit: twice as many. Count them when they are there: a host may go on
    /// after an OutOfMemoryException.
    /// </summary>
    /// <exception cref="HostGuardException">That is not within the limit, or more than an int counts.</exception>
    public int Grown(int capacity, int least, int entryBytes, bool isSafepoint = false)
    {
        long grown = Math.Min(Math.Max(least, 2L * capacity), Array.MaxLength);
        if (grown == capacity)
        {
            Stop();
        }

        if (isSafepoint)
        {
            CheckAtSafepoint((grown - capacity) * entryBytes);
        }
        else
        {
            Check((grown - capacity) * entryBytes);
        }

        return (int)grown;
    }

    /// <summary>So much has been taken, or given back where it is negative.</summary>
    public void Count(long bytes) => Taken += bytes;

    /// <exception cref="HostGuardException">Always.</exception>
    public void Stop() => throw new HostGuardException(HostGuard.Memory, Limit);
}

/// <summary>Counts the many small parts of one copy for the host, at safepoints: asks the guard whenever they come to a block's size.</summary>
internal sealed class LentBytes(MemoryGuard guard)
{
    private const int Unasked = 32 * 1024;

    private long _unasked;

    /// <summary>All so far.</summary>
    public long Total { get; private set; }

    /// <exception cref="HostGuardException">It is not within the limit.</exception>
    public void Take(long bytes)
    {
        Total += bytes;
        _unasked += bytes;
        if (_unasked > Unasked)
        {
            guard.Lend(_unasked);
            _unasked = 0;
        }
    }
}
