using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// The memory of one execution (or of one loaded program): arenas in which cells are laid one behind the other and
/// never move. Cells are freed together, by <see cref="Reset"/>; only buffers that a growing collection leaves behind
/// are used again before.
/// </summary>
internal sealed unsafe partial class CellHeap : IDisposable
{
    private const int FirstArena = 64 * 1024;
    private const int LargestArena = 4 * 1024 * 1024;
    private const int LargeCell = 512 * 1024;
    private const int BufferClasses = 48;

    private readonly record struct Arena(nint Start, nint Size);

    private readonly List<Arena> _arenas = [];
    private readonly List<nint> _large = [];
    private readonly BufferCell*[] _freeBuffers = new BufferCell*[BufferClasses];
    private readonly byte _flags;
    private Value[] _protected = new Value[64];
    private int _temporaries;
    private byte* _next;
    private byte* _end;
    private int _current = -1;
    private long _arenaBytes;
    private long _largeBytes;
    private bool _disposed;

    public CellHeap(bool immortal = false)
    {
        _flags = immortal ? Cell.Immortal : (byte)0;
    }

    ~CellHeap() => Free();

    /// <summary>The host's guard: more than this many bytes end the execution with an exception.</summary>
    public long MaximumBytes { get; set; } = long.MaxValue;

    public long Bytes => _arenaBytes + _largeBytes;

    /// <summary>Takes every cell back and keeps the arenas for the next execution.</summary>
    public void Reset()
    {
        foreach (nint block in _large)
        {
            NativeMemory.AlignedFree((void*)block);
        }

        _large.Clear();
        _largeBytes = 0;
        Array.Clear(_freeBuffers);
#if ZEXUS_CHECKED
        foreach (Arena arena in _arenas)
        {
            NativeMemory.Fill((void*)arena.Start, (nuint)arena.Size, 0xDB);
        }
#endif

        // One execution that needed much does not hold on to it for ever.
        while (_arenas.Count > 0 && _arenaBytes > 256L * 1024 * 1024)
        {
            Arena last = _arenas[^1];
            NativeMemory.AlignedFree((void*)last.Start);
            _arenaBytes -= last.Size;
            _arenas.RemoveAt(_arenas.Count - 1);
        }

        _temporaries = 0;
        _current = -1;
        _next = null;
        _end = null;
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
        foreach (nint block in _large)
        {
            NativeMemory.AlignedFree((void*)block);
        }

        foreach (Arena arena in _arenas)
        {
            NativeMemory.AlignedFree((void*)arena.Start);
        }

        _large.Clear();
        _arenas.Clear();
        _next = null;
        _end = null;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Cell* Allocate(CellKind kind, long bytes)
    {
        long size = ((bytes + 15) & ~15L) + CellChecks.Prefix;
        byte* at = _next;
        if (size > _end - at)
        {
            at = AllocateElsewhere(size);
        }
        else
        {
            _next = at + size;
        }

        Cell* cell = (Cell*)(at + CellChecks.Prefix);
        cell->Kind = kind;
        cell->Mark = 0;
        cell->Width = 0;
        cell->Flags = _flags;
        cell->Units = (uint)((size - CellChecks.Prefix) >> 4);
        CellChecks.Close(cell);
        return cell;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte* AllocateElsewhere(long size)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (size >= LargeCell)
        {
            Guard(size);
            byte* block = (byte*)NativeMemory.AlignedAlloc((nuint)size, 16);
            _large.Add((nint)block);
            _largeBytes += size;
            return block;
        }

        if (++_current == _arenas.Count)
        {
            int arena = (int)Math.Min((long)FirstArena << Math.Min(_current, 16), LargestArena);
            arena = (int)Math.Max(arena, (long)BitOperations.RoundUpToPowerOf2((ulong)size));
            Guard(arena);
            _arenas.Add(new Arena((nint)NativeMemory.AlignedAlloc((nuint)arena, 64), arena));
            _arenaBytes += arena;
        }

        Arena current = _arenas[_current];
        if (size > current.Size)
        {
            // An early, small arena: the next ones are larger.
            return AllocateElsewhere(size);
        }

        byte* at = (byte*)current.Start;
        _next = at + size;
        _end = at + current.Size;
        return at;
    }

    private void Guard(long more)
    {
        if (Bytes + more > MaximumBytes)
        {
            throw new HostGuardException(HostGuard.Memory, "the execution needs more memory than the host allows");
        }
    }

    /// <summary>A buffer of at least so many bytes; its whole capacity may be used.</summary>
    public BufferCell* NewBuffer(long bytes)
    {
        long total = Math.Max(64, bytes + 16);
        int size = BitOperations.Log2((ulong)(total - 1)) + 1;
        BufferCell* free = _freeBuffers[size];
        if (free is not null)
        {
            _freeBuffers[size] = *(BufferCell**)BufferCell.Data(free);
            CellChecks.Close((Cell*)free);
            free->Used = 0;
            return free;
        }

        BufferCell* cell = (BufferCell*)Allocate(CellKind.Buffer, 1L << size);
        cell->Used = 0;
        return cell;
    }

    /// <summary>Takes a buffer back from its only owner.</summary>
    public void FreeBuffer(BufferCell* buffer)
    {
        if (buffer is null)
        {
            return;
        }

        CellChecks.Verify((Cell*)buffer, CellKind.Buffer);
        int size = BitOperations.Log2(buffer->Header.Units) + 4;
        *(BufferCell**)BufferCell.Data(buffer) = _freeBuffers[size];
        _freeBuffers[size] = buffer;
        CellChecks.Break((Cell*)buffer);
    }

    /// <summary>
    /// Values that a C# helper holds while it allocates and that no stack has: roots, exactly like the operand stacks.
    /// Returns the mark to give back to <see cref="Release"/>.
    /// </summary>
    public int Protect(Value value)
    {
        if (_temporaries == _protected.Length)
        {
            Array.Resize(ref _protected, _temporaries * 2);
        }

        _protected[_temporaries] = value;
        return _temporaries++;
    }

    public void Release(int mark) => _temporaries = mark;

    public ReadOnlySpan<Value> Protected => _protected.AsSpan(0, _temporaries);

    public VariableCell* NewVariable(Value value)
    {
        VariableCell* cell = (VariableCell*)Allocate(CellKind.Variable, sizeof(VariableCell));
        cell->Value = value;
        return cell;
    }

    public FunctionCell* NewFunction(int function, int captures)
    {
        FunctionCell* cell = (FunctionCell*)Allocate(
            CellKind.Function,
            sizeof(FunctionCell) + ((long)captures * sizeof(nint))
        );
        cell->Function = function;
        cell->Captures = captures;
        return cell;
    }

    /// <summary>An Int: small when 64 bits hold it, else a cell. There is no other way to make one from a big integer.</summary>
    public Value NewInteger(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            return Value.Of((long)value);
        }

        int bytes = value.GetByteCount();
        BigCell* cell = (BigCell*)Allocate(CellKind.BigInt, sizeof(BigCell) + bytes);
        cell->Bytes = bytes;
        cell->Bits = (int)value.GetBitLength();
        value.TryWriteBytes(new Span<byte>(BigCell.Data(cell), bytes), out _);
        return new Value(Tag.BigInt, (long)cell);
    }

    /// <summary>A List of that many items, which the caller fills; its capacity is the same.</summary>
    public ListCell* NewList(int count)
    {
        ListCell* cell = (ListCell*)Allocate(CellKind.List, sizeof(ListCell) + ((long)count * sizeof(Value)));
        cell->Count = count;
        cell->Capacity = count;
        cell->Items = (Value*)(cell + 1);
        cell->Owner = null;
        return cell;
    }

    /// <summary>A List of that many Nulls: for a caller that allocates while it fills it.</summary>
    public ListCell* NewNullList(int count)
    {
        ListCell* cell = NewList(count);
        new Span<Value>(cell->Items, count).Clear();
        return cell;
    }

    public void Append(ListCell* list, Value item)
    {
        if (list->Count == list->Capacity)
        {
            Grow(list, list->Count + 1);
        }

        list->Items[list->Count++] = item;
    }

    private void Grow(ListCell* list, int atLeast)
    {
        long wanted = Math.Max(atLeast, Math.Max(7L, list->Capacity * 2L));
        BufferCell* buffer = NewBuffer(wanted * sizeof(Value));
        Value* items = (Value*)BufferCell.Data(buffer);
        long bytes = (long)list->Count * sizeof(Value);
        Buffer.MemoryCopy(list->Items, items, bytes, bytes);
        FreeBuffer(list->Owner);
        list->Owner = buffer;
        list->Items = items;
        list->Capacity = BufferCell.Capacity(buffer) / sizeof(Value);
    }
}
