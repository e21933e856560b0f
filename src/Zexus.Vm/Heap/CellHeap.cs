using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// The memory of one execution, of one loaded program, or of the engine's own texts. Cells never move. A small cell
/// comes from a block of its size class, bumped out of a run of free cells; a large one has memory of its own. What
/// nothing reaches any more is collected (<see cref="Collect"/>) when whoever executes has given its roots.
/// </summary>
/// <remarks>docs/heap.md</remarks>
internal sealed unsafe partial class CellHeap : IDisposable
{
    internal const int BlockBytes = 64 * 1024;
    public const int LargestSmall = SizeClass.Largest;
    private const int LargestArena = 4 * 1024 * 1024;

    /// <summary>Arenas beyond this are given back between executions.</summary>
    public const long MostKeptArenas = 256L * 1024 * 1024;

    private readonly record struct Arena(nint Start, int Size);

    /// <summary>Next: of the blocks that wait for being swept, the one behind it, as <see cref="SizeClass.Waiting"/> has the first.</summary>
    private readonly record struct Block(nint Start, int Class, int Next = 0);

    /// <summary>What stands in front of a large cell.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 32)]
    private struct LargePrefix
    {
        /// <summary>Its place in the list of large cells.</summary>
        public int Index;

        /// <summary>All of its memory, this prefix included.</summary>
        public long Bytes;
    }

    private readonly SizeClass[] _table = SizeClass.NewTable();
    private readonly SizeClass* _classes;
    private readonly List<Arena> _arenas = [];

    /// <summary>Blocks that have a size class.</summary>
    private readonly List<Block> _blocks = [];

    /// <summary>Blocks that have none; the next one is at the end.</summary>
    private readonly List<nint> _spare = [];
    private readonly List<nint> _large = [];
    private readonly bool _immortal;

    /// <summary>The host's; null where none guards.</summary>
    private readonly MemoryGuard? _guard;
    private long _arenaBytes;
    private long _largeBytes;
    private bool _disposed;

    public CellHeap(MemoryGuard? guard = null, bool immortal = false)
    {
        _guard = guard;
        guard?.Add(this);
        _classes = (SizeClass*)Unsafe.AsPointer(ref _table[0]);
        _immortal = immortal;
        Paint();
    }

    ~CellHeap() => Free();

    /// <summary>What the heap has from the operating system.</summary>
    public long Bytes => _arenaBytes + _largeBytes + _keptBytes;

    /// <summary>Takes every cell back and keeps the arenas for the next execution, if they are not too many.</summary>
    public void Reset(long keptBytes = MostKeptArenas)
    {
        FreeLargeCells(keepBuffers: true);
        if (_arenaBytes > keptBytes)
        {
            FreeArenas();
        }

        if (_keptBytes > keptBytes)
        {
            ReleaseBuffers();
        }

        // The block that was taken first is taken first again.
        for (int i = _blocks.Count - 1; i >= 0; i--)
        {
            _spare.Add(_blocks[i].Start);
#if ZEXUS_CHECKED
            NativeMemory.Fill((void*)_blocks[i].Start, BlockBytes, Poison);
#endif
        }

        _blocks.Clear();
        for (int i = 0; i < SizeClass.Count; i++)
        {
            _classes[i].Clear();
        }

        _temporaries = 0;
        ResetCollecting();
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        FreeLargeCells(keepBuffers: false);
        ReleaseBuffers();
        FreeArenas();
        _guard?.Remove(this);

        // A size class without free cells: whoever allocates now finds that the heap is gone.
        for (int i = 0; i < SizeClass.Count; i++)
        {
            _classes[i].Clear();
        }

        NativeMemory.Free(_protected);
        NativeMemory.Free(_pending);
        NativeMemory.Free(_stacked);
        NativeMemory.Free(_tallies);
        _protected = null;
        _pending = null;
        _stacked = null;
        _tallies = null;
    }

    private void FreeArenas()
    {
        foreach (Arena arena in _arenas)
        {
            NativeMemory.AlignedFree((void*)arena.Start);
        }

        _arenas.Clear();
        _blocks.Clear();
        _spare.Clear();
        Count(ref _arenaBytes, -_arenaBytes);
    }

    private void FreeLargeCells(bool keepBuffers)
    {
        foreach (nint cell in _large)
        {
            CellChecks.Break((Cell*)cell);
            if (!keepBuffers || !Keep((Cell*)cell))
            {
                NativeMemory.AlignedFree(PrefixOf((Cell*)cell));
            }
        }

        _large.Clear();
        Count(ref _largeBytes, -_largeBytes);
    }

    private bool Allows(long bytes) => _guard is null || _guard.Allows(bytes);

    private void Count(ref long counter, long bytes)
    {
        counter += bytes;
        _guard?.Count(bytes);
    }

    /// <summary>A cell with its header, of which the width is <see cref="Cell.Width"/>; what follows is whatever was there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Cell* Allocate(CellKind kind, long bytes, byte width = 0)
    {
        bytes += CellChecks.Prefix;
        if (bytes > LargestSmall)
        {
            Cell* large = AllocateLarge(kind, bytes);
            large->Width = width;
            return large;
        }

        SizeClass* size = _classes + SizeClass.Of((int)bytes);
        byte* at = size->Next;
        if (at == size->End)
        {
            at = TakeRun(size, kind);
        }

        size->Next = at + size->Bytes;
        Cell* cell = (Cell*)(at + CellChecks.Prefix);
        *(ulong*)cell = size->Header | (byte)kind | ((ulong)width << 16);
        CellChecks.Close(cell);
        return cell;
    }

    /// <summary>Makes the next run of free cells the one that its class allocates from, and returns where it begins.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* TakeRun(SizeClass* size, CellKind kind)
    {
        ulong free = size->FreeOfGroup;
        if (free == 0 || _longestRun != long.MaxValue || _grown + size->Bytes > _trigger)
        {
            return FindRun(size, kind);
        }

        byte* at = TakeOfGroup(size, free, out long bytes);
        size->Next = at;
        size->End = at + bytes;
        size->Taken += bytes;
        _grown += bytes;
        return at;
    }

    /// <summary>The same, where it is not the next of the cells that were looked at last.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* FindRun(SizeClass* size, CellKind kind)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (IsDue(size->Bytes))
        {
            Collect();
        }

        byte* at = FindFree(size, out long bytes);
        if (_longestRun < bytes / size->Bytes)
        {
            // The rest goes back, so that the next allocation comes here, too.
            long taken = _longestRun * size->Bytes;
            AddRun(size, at + taken, bytes - taken);
            bytes = taken;
        }

        if (_poison)
        {
            // Each of the cells may have begun a run once.
            for (byte* cell = at; cell < at + bytes; cell += size->Bytes)
            {
                CheckPoison(cell + CellChecks.Prefix + sizeof(FreeRun), cell + size->Bytes);
            }
        }

        _profiler?.Add((Cell*)(at + CellChecks.Prefix), kind, bytes, _source!.Site, _collections);
        size->Next = at;
        size->End = at + bytes;
        size->Taken += bytes;
        _grown += bytes;
        return at;
    }

    /// <summary>Free cells of a class, wherever they are to be had.</summary>
    private byte* FindFree(SizeClass* size, out long bytes)
    {
        while (true)
        {
            FreeRun* run = size->Runs;
            if (run is not null)
            {
                size->Runs = run->Next;
                bytes = FreeRun.Bytes(run);
                return (byte*)run - CellChecks.Prefix;
            }

            byte* swept = SweepRun(size, out bytes);
            if (swept is not null)
            {
                Bury(size, swept, bytes);
                return swept;
            }

            AddBlock(size);
        }
    }

    /// <summary>Gives a block to a class, as one run; or, when memory is short, lets the class sweep what it has.</summary>
    private void AddBlock(SizeClass* size)
    {
        if (_spare.Count == 0)
        {
            AddArena(size);
            if (_spare.Count == 0)
            {
                return;
            }
        }

        nint block = _spare[^1];
        _spare.RemoveAt(_spare.Count - 1);
        _blocks.Add(new Block(block, (int)(size - _classes)));
        if (_poison)
        {
            NativeMemory.Fill((void*)block, BlockBytes, Poison);
        }

        AddRun(size, (byte*)block, BlockBytes / size->Bytes * size->Bytes);
    }

    private void AddArena(SizeClass* size)
    {
        int bytes = (int)Math.Min((long)BlockBytes << Math.Min(_arenas.Count, 16), LargestArena);
        if (!Allows(bytes))
        {
            if (size->Crowded != 0)
            {
                size->Waiting = size->Crowded;
                size->Crowded = 0;
                return;
            }

            bytes = BlockBytes;
            MakeRoom(bytes, size);
            if (HasRoom(size))
            {
                return;
            }
        }

        Arena arena = new(HugePages.Allocate(bytes), bytes);
        _arenas.Add(arena);
        Count(ref _arenaBytes, bytes);
        for (int at = bytes - BlockBytes; at >= 0; at -= BlockBytes)
        {
            _spare.Add(arena.Start + at);
        }
    }

    /// <summary>A run on a list has the colour of cells in use: sweeping does not find it a second time.</summary>
    private void AddRun(SizeClass* size, byte* at, long bytes)
    {
        FreeRun* run = WriteRun(at, bytes);
        run->Next = size->Runs;
        size->Runs = run;
    }

    private FreeRun* WriteRun(byte* at, long bytes)
    {
        FreeRun* run = (FreeRun*)(at + CellChecks.Prefix);
        *(ulong*)run = ((ulong)((bytes - CellChecks.Prefix) >> 4) << 32) | ((ulong)_colour << 8);
        return run;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Cell* AllocateLarge(CellKind kind, long bytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        bytes = ((bytes + 15) & ~15L) + sizeof(LargePrefix);
        if (IsDue(bytes))
        {
            Collect();
        }

        if (!Allows(bytes))
        {
            MakeRoom(bytes, null);
        }

        byte* block = kind == CellKind.Buffer ? TakeKept(bytes) : null;
        if (block is null)
        {
            block =
                bytes < 2 * HugePages.Bytes
                    ? (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 16)
                    : (byte*)HugePages.Allocate(bytes);
        }

        Cell* cell = (Cell*)(block + sizeof(LargePrefix) + CellChecks.Prefix);
        PrefixOf(cell)->Index = _large.Count;
        PrefixOf(cell)->Bytes = bytes;
        _large.Add((nint)cell);
        Count(ref _largeBytes, bytes);
        *(ulong*)cell = _header | (byte)kind | ((ulong)((bytes - sizeof(LargePrefix) - CellChecks.Prefix) >> 4) << 32);
        _largeTaken += RoomOf(cell);
        _largeCells++;
        _grown += RoomOf(cell);
        _profiler?.Add(cell, kind, RoomOf(cell), _source!.Site, _collections);
        CellChecks.Close(cell);
        return cell;
    }

    private static LargePrefix* PrefixOf(Cell* cell) =>
        (LargePrefix*)((byte*)cell - CellChecks.Prefix - sizeof(LargePrefix));

    /// <summary>What a cell takes of the heap, in bytes.</summary>
    private static long RoomOf(Cell* cell) => (cell->Units * 16L) + CellChecks.Prefix;

    private static bool IsLarge(Cell* cell) => RoomOf(cell) > LargestSmall;

    private void FreeLarge(Cell* cell)
    {
        LargePrefix* prefix = PrefixOf(cell);
        Cell* last = (Cell*)_large[^1];
        PrefixOf(last)->Index = prefix->Index;
        _large[prefix->Index] = (nint)last;
        _large.RemoveAt(_large.Count - 1);
        Count(ref _largeBytes, -prefix->Bytes);
        CellChecks.Break(cell);
        if (_poison)
        {
            NativeMemory.Fill(cell + 1, (nuint)(cell->Units * 16L) - (nuint)sizeof(Cell), Poison);
        }

        if (!Keep(cell))
        {
            NativeMemory.AlignedFree(prefix);
        }
    }

    /// <summary>A buffer of at least so many bytes; its whole capacity may be used.</summary>
    public BufferCell* NewBuffer(long bytes)
    {
        long total = Math.Max(64, bytes + sizeof(BufferCell));
        BufferCell* cell = (BufferCell*)Allocate(CellKind.Buffer, SizeClass.DoublingFor(total));
        cell->Used = 0;
        return cell;
    }

    /// <summary>What a buffer that has so much room, or a little more, asks for when it grows, so that it gets the next larger size.</summary>
    private static long Doubled(long room) => (room * 2) - SizeClass.CacheLine;

    /// <summary>Takes a buffer back from its only owner.</summary>
    public void FreeBuffer(BufferCell* buffer)
    {
        if (buffer is null)
        {
            return;
        }

        Cell* cell = CellChecks.Verify((Cell*)buffer, CellKind.Buffer);
        long room = RoomOf(cell);
        _profiler?.Remove(cell);
        _releasedCells++;
        _released += room;
        _grown -= room;
        if (IsLarge(cell))
        {
            FreeLarge(cell);
            return;
        }

        byte* at = (byte*)cell - CellChecks.Prefix;
        CellChecks.Break(cell);
        if (_poison)
        {
            NativeMemory.Fill(at, (nuint)room, Poison);
        }

        AddRun(_classes + SizeClass.Of((int)room), at, room);
    }
}
