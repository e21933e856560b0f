using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Zexus.Vm;

/// <summary>
/// Marking. Cells that are still to be looked at stand on a short stack; from there they go in batches, one of which is
/// fetched into the cache before the last one is looked at (after Cher, Hosking and Vitek, Software prefetching for
/// mark-sweep garbage collection, 2004; a whole batch at once, so that as many as possible are on their way together).
/// What a few items point to goes on that stack at once, without a branch for each; of more items, and when the stack is
/// full, the row is kept on a second stack in native memory, which has at most one for each collection or closure.
/// </summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>Cells that are fetched at a time.</summary>
    private const int Batch = 32;
    private const int CacheLine = 64;

    /// <summary>So many children go on the stack of cells at once.</summary>
    private const int Direct = 8;

    /// <summary>The stack of cells: so small that it stays in the first cache.</summary>
    private const int StackedCells = 2048;

    /// <summary>In the lowest bit of a cell in a batch: it is marked, and what it has elsewhere is being fetched.</summary>
    private const nint RestFetched = 1;

    /// <summary>What a row consists of: in the lowest bits of its start.</summary>
    private const nint OfValues = 0;
    private const nint OfEntries = 1;
    private const nint OfVariables = 2;
    private const nint Shapes = 3;

    private struct Row
    {
        public nint Start;
        public nint End;
    }

    private Row* _pending;
    private int _pendingCapacity;
    private int _pendingRows;
    private nint* _stacked;

    private void Mark()
    {
        if (_stacked is null)
        {
            _stacked = (nint*)NativeMemory.Alloc(StackedCells, (nuint)sizeof(nint));
        }

        _pendingRows = 0;
        foreach (Roots row in _roots)
        {
            PushRow(row.Start, row.End);
        }

        nint* now = stackalloc nint[2 * Batch];
        nint* next = stackalloc nint[2 * Batch];
        int inNow = 0;
        byte colour = _colour;
        Tally* tallies = _tallies;
        nuint tallyMask = _tallyMask;
        long cells = 0;
        ulong units = 0;
        nint* bottom = _stacked;
        nint* full = bottom + StackedCells - (2 * Direct);
        nint* top = bottom;
        while (true)
        {
            int inNext = 0;
            while (inNext < Batch)
            {
                if (top == bottom)
                {
                    top = StackFromRows(bottom);
                    if (top == bottom)
                    {
                        break;
                    }
                }

                nint* end = top - Math.Min(top - bottom, Batch - inNext);
                do
                {
                    nint fetched = *--top;
                    Fetch((void*)fetched);
                    next[inNext++] = fetched;
                } while (top != end);
            }

            if (inNow + inNext == 0)
            {
                break;
            }

            for (int n = 0; n < inNow; n++)
            {
                nint at = now[n];
                Cell* cell = (Cell*)(at & ~RestFetched);
                ulong header = *(ulong*)cell;
                CellKind kind = (CellKind)(byte)header;
                if ((at & RestFetched) == 0)
                {
                    if ((byte)(header >> 8) >= colour)
                    {
                        continue;
                    }

                    cell->Mark = colour;
                    cells++;
                    uint size = (uint)(header >> 32);
                    units += size;
                    if (size <= LargestSmallUnits)
                    {
                        TallyOf(tallies, tallyMask, at)->Found += size;
                    }
                }

                Value* values;
                int count;
                switch (kind)
                {
                    case CellKind.List:
                        ListCell* list = (ListCell*)cell;
                        if (list->Owner is not null)
                        {
                            if ((at & RestFetched) == 0)
                            {
                                Fetch(list->Owner);
                                next[inNext++] = at | RestFetched;
                                continue;
                            }

                            cells++;
                            units += MarkOwned(list->Owner, colour, tallies, tallyMask);
                        }

                        if ((ElementKind)(byte)(header >> 16) != ElementKind.Value)
                        {
                            continue;
                        }

                        values = (Value*)list->Items;
                        count = list->Count;
                        if ((at & RestFetched) == 0 && count > 0 && !IsOneLine(cell, values + count - 1))
                        {
                            Fetch(values + count - 1);
                            next[inNext++] = at | RestFetched;
                            continue;
                        }

                        break;

                    case CellKind.Variable:
                        values = &((VariableCell*)cell)->Value;
                        count = 1;
                        break;

                    case CellKind.String:
                        Cell* text = (Cell*)StringCell.Owner((StringCell*)cell);
                        if (text is not null)
                        {
                            // Strings share buffers: this one may have been here.
                            Fetch(text);
                            next[inNext++] = (nint)text;
                        }

                        continue;

                    case CellKind.Map:
                    case CellKind.Set:
                        TableCell* table = (TableCell*)cell;
                        if (table->EntriesOwner is null)
                        {
                            continue;
                        }

                        if ((at & RestFetched) == 0)
                        {
                            Fetch(table->EntriesOwner);
                            Fetch((byte*)table->EntriesOwner + 64);
                            Fetch((byte*)table->EntriesOwner + 128);
                            Fetch(table->IndexOwner);
                            next[inNext++] = at | RestFetched;
                            continue;
                        }

                        cells++;
                        units += MarkOwned(table->EntriesOwner, colour, tallies, tallyMask);
                        if (table->IndexOwner is not null)
                        {
                            cells++;
                            units += MarkOwned(table->IndexOwner, colour, tallies, tallyMask);
                        }

                        if (table->Count > Direct || top > full)
                        {
                            PushRow((nint)table->Entries | OfEntries, (nint)(table->Entries + table->Count));
                            continue;
                        }

                        for (int i = 0; i < table->Count; i++)
                        {
                            top = Stack(Stack(top, table->Entries[i].Key), table->Entries[i].Item);
                        }

                        continue;

                    case CellKind.Function:
                        FunctionCell* function = (FunctionCell*)cell;
                        nint* captured = (nint*)FunctionCell.Captured(function);
                        if (function->Captures > Direct || top > full)
                        {
                            PushRow((nint)captured | OfVariables, (nint)(captured + function->Captures));
                            continue;
                        }

                        for (int i = 0; i < function->Captures; i++)
                        {
                            *top++ = captured[i];
                        }

                        continue;

                    default:
                        continue;
                }

                if (count > Direct || top > full)
                {
                    PushRow((nint)values, (nint)(values + count));
                    continue;
                }

                for (int i = 0; i < count; i++)
                {
                    top = Stack(top, values[i]);
                }
            }

            nint* swap = now;
            now = next;
            next = swap;
            inNow = inNext;
        }

        _liveCells = cells;
        _liveBytes = ((long)units * 16) + (cells * CellChecks.Prefix);
    }

    /// <summary>Puts a cell on the stack; whether a value is one, nothing foretells: no branch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint* Stack(nint* top, Value value)
    {
        *top = (nint)value.Payload;
        return top + (value.IsCell ? 1 : 0);
    }

    /// <summary>Moves cells of the last rows to the stack, which is empty; it stays so when there are no more.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private nint* StackFromRows(nint* top)
    {
        nint* bottom = top;
        nint* enough = top + Batch;
        while (top == bottom && _pendingRows > 0)
        {
            ref Row row = ref _pending[_pendingRows - 1];
            nint end = row.End;
            switch (row.Start & Shapes)
            {
                case OfValues:
                    Value* value = (Value*)row.Start;
                    for (; value != (Value*)end && top < enough; value++)
                    {
                        top = Stack(top, *value);
                    }

                    row.Start = (nint)value;
                    break;

                case OfEntries:
                    Entry* entry = (Entry*)(row.Start & ~Shapes);
                    for (; entry != (Entry*)end && top < enough; entry++)
                    {
                        top = Stack(Stack(top, entry->Key), entry->Item);
                    }

                    row.Start = (nint)entry | OfEntries;
                    break;

                default:
                    nint* variable = (nint*)(row.Start & ~Shapes);
                    for (; variable != (nint*)end && top < enough; variable++)
                    {
                        *top++ = *variable;
                    }

                    row.Start = (nint)variable | OfVariables;
                    break;
            }

            if ((row.Start & ~Shapes) == end)
            {
                _pendingRows--;
            }
        }

        return top;
    }

    private static bool IsOneLine(void* first, void* last) => (((nint)first ^ (nint)last) & -CacheLine) == 0;

    private static void Fetch(void* cell)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(cell);
        }
    }

    /// <summary>Marks a buffer that only one cell has, when that cell is found; returns its room.</summary>
    private static uint MarkOwned(BufferCell* buffer, byte colour, Tally* tallies, nuint tallyMask)
    {
        buffer->Header.Mark = colour;
        uint size = buffer->Header.Units;
        if (size <= LargestSmallUnits)
        {
            TallyOf(tallies, tallyMask, (nint)buffer)->Found += size;
        }

        return size;
    }

    private void PushRow(nint start, nint end)
    {
        if ((start & ~Shapes) == end)
        {
            return;
        }

        if (_pendingRows == _pendingCapacity)
        {
            _pendingCapacity = Math.Max(1024, _pendingCapacity * 2);
            _pending = (Row*)NativeMemory.Realloc(_pending, (nuint)_pendingCapacity * (nuint)sizeof(Row));
        }

        _pending[_pendingRows++] = new Row { Start = start, End = end };
    }
}
