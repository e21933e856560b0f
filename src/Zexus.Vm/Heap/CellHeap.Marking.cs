using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Zexus.Vm;

/// <summary>
/// Marking. What is still to be looked at are rows of values inside cells, on a stack of our own; a row's cells go
/// through a short queue, fetched into the cache when they enter it and looked at when they leave. A row is on the stack
/// at most once, so the stack has at most as many rows as there are collections, closures and variables.
/// </summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>Cells that are being fetched at a time.</summary>
    private const int Fetched = 16;
    private const int Queue = 32;

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

    private void Mark()
    {
        Cell** queue = stackalloc Cell*[Queue];
        uint head = 0;
        uint tail = 0;
        byte colour = _colour;
        byte other = (byte)(3 - colour);
        long cells = 0;
        ulong units = 0;
        int pending = 0;
        int roots = 0;
        nint at = 0;
        nint end = 0;
        while (true)
        {
            while (tail - head < Fetched)
            {
                if ((at & ~Shapes) == end)
                {
                    if (pending > 0)
                    {
                        Row row = _pending[--pending];
                        (at, end) = (row.Start, row.End);
                    }
                    else if (roots < _roots.Count)
                    {
                        Roots row = _roots[roots++];
                        (at, end) = (row.Start, row.End);
                    }
                    else
                    {
                        break;
                    }
                }

                switch (at & Shapes)
                {
                    case OfValues:
                    {
                        Value* value = (Value*)at;
                        for (; value != (Value*)end && tail - head < Fetched; value++)
                        {
                            if (value->IsCell)
                            {
                                Fetch(value->Cell);
                                queue[tail++ % Queue] = value->Cell;
                            }
                        }

                        at = (nint)value;
                        break;
                    }

                    case OfEntries:
                    {
                        Entry* entry = (Entry*)(at & ~Shapes);
                        for (; entry != (Entry*)end && tail - head < Fetched; entry++)
                        {
                            if (entry->Key.IsCell)
                            {
                                Fetch(entry->Key.Cell);
                                queue[tail++ % Queue] = entry->Key.Cell;
                            }

                            if (entry->Item.IsCell)
                            {
                                Fetch(entry->Item.Cell);
                                queue[tail++ % Queue] = entry->Item.Cell;
                            }
                        }

                        at = (nint)entry | OfEntries;
                        break;
                    }

                    default:
                    {
                        VariableCell** variable = (VariableCell**)(at & ~Shapes);
                        for (; variable != (VariableCell**)end && tail - head < Fetched; variable++)
                        {
                            Fetch((Cell*)*variable);
                            queue[tail++ % Queue] = (Cell*)*variable;
                        }

                        at = (nint)variable | OfVariables;
                        break;
                    }
                }
            }

            if (head == tail)
            {
                break;
            }

            Cell* cell = queue[head++ % Queue];
            ulong header = *(ulong*)cell;
            if ((byte)(header >> 8) != other)
            {
                continue;
            }

            cell->Mark = colour;
            cells++;
            units += header >> 32;
            Row children;
            switch ((CellKind)(byte)header)
            {
                case CellKind.String:
                    Cell* text = (Cell*)StringCell.Owner((StringCell*)cell);
                    if (text is not null)
                    {
                        // Strings share buffers: this one may have been here.
                        Fetch(text);
                        queue[tail++ % Queue] = text;
                    }

                    continue;

                case CellKind.List:
                    ListCell* list = (ListCell*)cell;
                    MarkOwned(list->Owner, colour, ref cells, ref units);
                    if (list->Kind != ElementKind.Value)
                    {
                        continue;
                    }

                    children.Start = (nint)list->Items;
                    children.End = (nint)((Value*)list->Items + list->Count);
                    break;

                case CellKind.Map:
                case CellKind.Set:
                    TableCell* table = (TableCell*)cell;
                    MarkOwned(table->EntriesOwner, colour, ref cells, ref units);
                    MarkOwned(table->IndexOwner, colour, ref cells, ref units);
                    children.Start = (nint)table->Entries | OfEntries;
                    children.End = (nint)(table->Entries + table->Count);
                    break;

                case CellKind.Function:
                    FunctionCell* function = (FunctionCell*)cell;
                    children.Start = (nint)FunctionCell.Captured(function) | OfVariables;
                    children.End = (nint)(FunctionCell.Captured(function) + function->Captures);
                    break;

                case CellKind.Variable:
                    children.Start = (nint)(&((VariableCell*)cell)->Value);
                    children.End = children.Start + sizeof(Value);
                    break;

                default:
                    continue;
            }

            if ((children.Start & ~Shapes) == children.End)
            {
                continue;
            }

            if ((at & ~Shapes) != end)
            {
                if (pending == _pendingCapacity)
                {
                    GrowPending();
                }

                _pending[pending++] = new Row { Start = at, End = end };
            }

            (at, end) = (children.Start, children.End);
        }

        _liveCells = cells;
        _liveBytes = ((long)units * 16) + (cells * CellChecks.Prefix);
    }

    private static void Fetch(Cell* cell)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(cell);
        }
    }

    /// <summary>A buffer that only one cell has: it is found exactly when that cell is.</summary>
    private static void MarkOwned(BufferCell* buffer, byte colour, ref long cells, ref ulong units)
    {
        if (buffer is not null)
        {
            buffer->Header.Mark = colour;
            cells++;
            units += buffer->Header.Units;
        }
    }

    private void GrowPending()
    {
        _pendingCapacity = Math.Max(1024, _pendingCapacity * 2);
        _pending = (Row*)NativeMemory.Realloc(_pending, (nuint)_pendingCapacity * (nuint)sizeof(Row));
    }
}
