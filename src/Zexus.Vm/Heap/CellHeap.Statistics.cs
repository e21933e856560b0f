using System.Diagnostics;

namespace Zexus.Vm;

/// <summary>What the heap counts anyway: by class when a run is taken, so that an allocation counts nothing.</summary>
internal sealed unsafe partial class CellHeap
{
    private long _largeTaken;
    private long _largeCells;

    // What owners gave back, and what collections found.
    private long _released;
    private long _releasedCells;
    private long _freed;
    private long _freedCells;
    private long _liveBytes;
    private long _liveCells;

    private long _peak;
    private long _collections;
    private long _pause;
    private long _longestPause;

    private long Allocated
    {
        get
        {
            long bytes = _largeTaken;
            for (int i = 0; i < SizeClass.Count; i++)
            {
                bytes += _classes[i].Used;
            }

            return bytes;
        }
    }

    private long AllocatedCells
    {
        get
        {
            long cells = _largeCells;
            for (int i = 1; i < SizeClass.Count; i++)
            {
                cells += _classes[i].Used / _classes[i].Bytes;
            }

            return cells;
        }
    }

    private long InUse => Allocated - _released - _freed;

    private long CellsInUse => AllocatedCells - _releasedCells - _freedCells;

    private void ResetStatistics()
    {
        _largeTaken = 0;
        _largeCells = 0;
        _released = 0;
        _releasedCells = 0;
        _freed = 0;
        _freedCells = 0;
        _liveBytes = 0;
        _liveCells = 0;
        _peak = 0;
        _collections = 0;
        _pause = 0;
        _longestPause = 0;
    }

    private void NotePeak() => _peak = Math.Max(_peak, InUse);

    private void NotePause(long ticks)
    {
        _collections++;
        _pause += ticks;
        _longestPause = Math.Max(_longestPause, ticks);
    }

    public HeapStatistics Statistics()
    {
        NotePeak();
        return new HeapStatistics
        {
            AllocatedBytes = Allocated,
            AllocatedCells = AllocatedCells,
            FreedBytes = _freed,
            FreedCells = _freedCells,
            InUseBytes = InUse,
            InUseCells = CellsInUse,
            LiveBytes = _liveBytes,
            LiveCells = _liveCells,
            PeakBytes = _peak,
            ReservedBytes = Bytes,
            KeptBytes = _keptBytes,
            Collections = _collections,
            TotalPause = Stopwatch.GetElapsedTime(0, _pause),
            LongestPause = Stopwatch.GetElapsedTime(0, _longestPause),
            Sites = _profiler?.Report(_collections),
        };
    }
}
