using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>Whoever executes on a heap: it knows what the cells in use are reached from.</summary>
internal interface IRootSource
{
    /// <summary>Gives every root to <see cref="CellHeap.AddRoots"/> or <see cref="CellHeap.Protect"/>.</summary>
    void GiveRoots(CellHeap heap);

    /// <summary>Which instruction is running.</summary>
    AllocationSite Site { get; }
}

/// <summary>
/// When a collection happens, and what it does: mark everything that the roots reach, sweep the rest. It may happen at
/// any allocation; between allocations nothing is ever freed, but a buffer by its owner.
/// </summary>
internal sealed unsafe partial class CellHeap
{
    private const byte Poison = 0xDB;
    private const byte FirstColour = 1;
    private const byte LastColour = Cell.Colourless - 1;

    /// <summary>
    /// Between two collections the heap grows by so many times what the last one looked at, while that is no more than
    /// <see cref="MostYoungBytes"/>: looking at little often costs less than leaving the processor's caches.
    /// </summary>
    private const int YoungFactor = 8;
    private const long MostYoungBytes = 4 * 1024 * 1024;

    private readonly record struct Roots(nint Start, nint End);

    private readonly List<Roots> _roots = [];
    private IRootSource? _source;
    private HeapProfiler? _profiler;
    private CollectionOptions _options = CollectionOptions.Default;
    private Value* _protected;
    private int _temporaries;
    private int _protectable;

    /// <summary>
    /// The mark of a cell that is in use, for now. Each collection has the next one: garbage of an earlier one that nobody has swept
    /// looks like nothing in use, and may stay as it is for as long as nobody needs it.
    /// </summary>
    private byte _colour = FirstColour;

    /// <summary>The header of every cell, but for kind and size.</summary>
    private ulong _header;

    /// <summary>After so many cells of a class there is a look at what is due.</summary>
    private long _longestRun = long.MaxValue;
    private bool _poison;

    /// <summary>Under stress: allocations since the last that collected.</summary>
    private long _unforced;
    private long _trigger = long.MaxValue;

    /// <summary>Bytes taken since the last collection, less those that buffers gave back.</summary>
    private long _grown;

    /// <summary>From here on to the end of the execution the roots are known, so there are collections.</summary>
    public void Begin(IRootSource source, CollectionOptions options)
    {
        _source = source;
        _options = options;
        _profiler = options.Profile ? new HeapProfiler() : null;
        _longestRun =
            options.Profile ? 1
            : options.Stress ? options.StressRun
            : long.MaxValue;
        _poison = options.Stress;
        if (_poison)
        {
            // What is kept from before has no pattern.
            ReleaseBuffers();
        }

        _trigger = options.FirstTriggerBytes;
        RunAgain();
    }

    /// <summary>The execution that this belongs to goes on, after one that it waited for.</summary>
    public void RunAgain()
    {
        if (_guard is not null)
        {
            _guard.Running = this;
        }
    }

    /// <summary>The execution is over. What a profile calls surviving is what the roots reach now.</summary>
    public void End()
    {
        if (_profiler is not null)
        {
            Collect();
        }

        _source = null;
        if (_guard is not null)
        {
            _guard.Running = null;
        }
    }

    private void ResetCollecting()
    {
        _source = null;
        _profiler = null;
        _longestRun = long.MaxValue;
        _poison = false;
        _unforced = 0;
        _trigger = long.MaxValue;
        _grown = 0;
        ResetStatistics();
    }

    private bool IsDue(long bytes) =>
        _source is not null && (_grown + bytes > _trigger || (_options.Stress && IsForced()));

    private bool IsForced()
    {
        long every = 1L << (int)Math.Min(62, _collections / _options.StressCollections);
        if (++_unforced < every)
        {
            return false;
        }

        _unforced = 0;
        return true;
    }

    /// <summary>The collection before giving up: the execution wants more memory than it may have, for a block of a class or for a large cell.</summary>
    private void MakeRoom(long bytes, SizeClass* size)
    {
        if (_guard!.AllowsTrimmed(bytes))
        {
            return;
        }

        if (_source is not null)
        {
            CollectToGoOn();
        }
        else if (_guard.Running is { } running)
        {
            // It is what an execution learns of the state: the garbage is in the execution's heap.
            running.CollectToGoOn();
        }

        if (!_guard.Allows(bytes) && !(size is not null && HasRoom(size)))
        {
            _guard.Stop();
        }
    }

    /// <summary>The collection before giving up.</summary>
    /// <exception cref="HostGuardException">It has freed next to nothing.</exception>
    public void CollectToGoOn()
    {
        if (_source is null)
        {
            // Without roots nothing would be in use.
            _guard!.Stop();
        }

        long before = InUse;
        Collect();
        ReleaseFree();

        // Collections that free next to nothing would follow one another until the last byte is gone.
        long mine = _guard!.Limit - _guard.Taken + Bytes;
        if (before - InUse < mine / 64)
        {
            _guard.Stop();
        }
    }

    /// <summary>For a safepoint that allocates nothing here.</summary>
    public void CollectIfDue()
    {
        if (IsDue(0))
        {
            Collect();
        }
    }

    /// <summary>Gives back what no cell is in: buffers that are kept, and arenas of which no block has a class.</summary>
    public void ReleaseFree()
    {
        ReleaseBuffers();
        _spare.Sort();
        for (int i = _arenas.Count - 1; i >= 0; i--)
        {
            Arena arena = _arenas[i];
            int first = _spare.BinarySearch(arena.Start);
            int blocks = arena.Size / BlockBytes;
            if (first >= 0 && first + blocks <= _spare.Count && _spare[first + blocks - 1] < arena.Start + arena.Size)
            {
                _spare.RemoveRange(first, blocks);
                _arenas.RemoveAt(i);
                Count(ref _arenaBytes, -arena.Size);
                NativeMemory.AlignedFree((void*)arena.Start);
            }
        }
    }

    /// <summary>Frees every cell that the roots do not reach.</summary>
    public void Collect()
    {
        long start = Stopwatch.GetTimestamp();
        NotePeak();
        long before = InUse;
        long cellsBefore = CellsInUse;
        MarkReached();
        _profiler?.Marked(_colour);
        Sweep();
        _freed += before - _liveBytes;
        _freedCells += cellsBefore - _liveCells;
        _grown = 0;
        _trigger = NextTrigger();
        NotePause(Stopwatch.GetTimestamp() - start);
        if (_options.Verify)
        {
            Verify();
        }
    }

    /// <summary>So many bytes may come before the next collection: the fewer the less it will have to look at.</summary>
    private long NextTrigger()
    {
        long lookedAt = _liveBytes;
        foreach (Roots row in _roots)
        {
            lookedAt += row.End - row.Start;
        }

        long young = Math.Max(_options.FirstTriggerBytes, Math.Min(MostYoungBytes, lookedAt * YoungFactor));
        return Math.Max(young, (long)Math.Min(long.MaxValue / 2, _liveBytes * (_options.GrowthFactor - 1)));
    }

    /// <summary>The first half of a collection: what the roots reach has the new colour.</summary>
    internal void MarkReached()
    {
        PutRunsBack();
        GatherRoots();
        if (_colour == LastColour)
        {
            Bleach();
        }

        _colour++;
        Paint();
        BeginTallies();
        Mark();
    }

    /// <summary>When there is no next colour: what is in use has the first one again, and nothing else has any.</summary>
    private void Bleach()
    {
        foreach (Block block in CollectionsMarshal.AsSpan(_blocks))
        {
            long bytes = _classes[block.Class].Bytes;
            byte* end = (byte*)block.Start + (BlockBytes / bytes * bytes);
            for (byte* at = (byte*)block.Start; at != end; )
            {
                Cell* cell = (Cell*)(at + CellChecks.Prefix);
                bool isFree = cell->Kind == CellKind.Free;
                cell->Mark = cell->Mark == _colour && !isFree ? FirstColour : (byte)0;
                at += isFree ? FreeRun.Bytes((FreeRun*)cell) : bytes;
            }
        }

        foreach (nint cell in _large)
        {
            ((Cell*)cell)->Mark = FirstColour;
        }

        _colour = FirstColour;
    }

    private void Paint()
    {
        _header = _immortal ? ((ulong)Cell.Colourless << 8) | ((ulong)Cell.Immortal << 24) : (ulong)_colour << 8;
        for (int i = 0; i < SizeClass.Count; i++)
        {
            _classes[i].Header = _header | ((ulong)((_classes[i].Bytes - CellChecks.Prefix) >> 4) << 32);
        }
    }

    /// <summary>What allocation has not used of its runs becomes runs again, so that a walk finds them.</summary>
    private void PutRunsBack()
    {
        for (int i = 0; i < SizeClass.Count; i++)
        {
            SizeClass* size = _classes + i;
            long rest = size->End - size->Next;
            if (rest > 0)
            {
                AddRun(size, size->Next, rest);
                size->Taken -= rest;
            }

            size->Next = null;
            size->End = null;
        }
    }

    private void GatherRoots()
    {
        _roots.Clear();
        int mark = _temporaries;
        _source?.GiveRoots(this);
        AddRoots(_protected, _protected + _temporaries);
        _temporaries = mark;
    }

    /// <summary>Values in a row, each of them valid.</summary>
    public void AddRoots(Value* start, Value* end)
    {
        if (start != end)
        {
            _roots.Add(new Roots((nint)start, (nint)end));
        }
    }

    /// <summary>
    /// A value that a C# helper holds while it allocates and that no stack has: a root, exactly like the operand stacks.
    /// Returns the mark to give back to <see cref="Release"/>.
    /// </summary>
    public int Protect(Value value)
    {
        if (_temporaries == _protectable)
        {
            int capacity = checked(Math.Max(64, _protectable * 2));
            _protected = (Value*)NativeMemory.Realloc(_protected, (nuint)capacity * (nuint)sizeof(Value));
            _protectable = capacity;
        }

        _protected[_temporaries] = value;
        return _temporaries++;
    }

    public void Release(int mark) => _temporaries = mark;

    public ReadOnlySpan<Value> Protected => new(_protected, _temporaries);
}
