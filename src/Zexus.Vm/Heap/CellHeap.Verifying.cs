using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// The verifier, for tests: after a collection every reachable cell is in use and well formed, every free cell is in
/// exactly one run of its class, and the sums are those that marking and allocation have.
/// </summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>Right after a collection: throws when something is wrong.</summary>
    public void Verify()
    {
        GatherRoots();
        HashSet<nint> inUse = [];
        HashSet<nint> runs = [];
        long bytes = 0;
        HashSet<int> waiting = WaitingBlocks();
        for (int i = 0; i < _blocks.Count; i++)
        {
            bytes += WalkBlock(_blocks[i], waiting.Contains(i), inUse, runs);
        }

        for (int i = 0; i < _large.Count; i++)
        {
            Cell* cell = (Cell*)_large[i];
            Require(PrefixOf(cell)->Index == i && IsLarge(cell), cell, "is not where the list of large cells has it");
            RequireLive(cell);
            inUse.Add((nint)cell);
            bytes += RoomOf(cell);
        }

        for (int i = 0; i < SizeClass.Count; i++)
        {
            Require(_classes[i].Next == _classes[i].End, null, "allocation goes on in a run of before the collection");
            for (FreeRun* run = _classes[i].Runs; run is not null; run = run->Next)
            {
                Require(runs.Remove((nint)run), (Cell*)run, "is no free run, or on two lists");
            }
        }

        Require(runs.Count == 0, null, $"{runs.Count} free runs are on no list");
        Require(bytes == _liveBytes && inUse.Count == _liveCells, null, "marking and walking found different sums");
        Require(bytes == InUse && inUse.Count == CellsInUse, null, "allocated less freed is not what there is");

        Stack<nint> pending = new();
        foreach (Roots row in _roots)
        {
            for (Value* value = (Value*)row.Start; value < (Value*)row.End; value++)
            {
                RequireValid(*value, null);
                Tracing.Push(*value, pending);
            }
        }

        // A cell is looked at before its children are: what it says of them may be wrong.
        HashSet<nint> reached = [];
        while (pending.TryPop(out nint at))
        {
            Cell* cell = (Cell*)at;
            if (reached.Add(at) && cell->Mark != Cell.Colourless)
            {
                Require(inUse.Remove(at), cell, "is reachable and not in use");
                RequireWellFormed(cell);
                Tracing.Children(cell, pending);
            }
        }

        Require(inUse.Count == 0, null, $"{inUse.Count} cells in use are not reachable");
    }

    private HashSet<int> WaitingBlocks()
    {
        HashSet<int> waiting = [];
        for (int i = 0; i < SizeClass.Count; i++)
        {
            SizeClass* size = _classes + i;
            Require(size->Unswept == size->UnsweptEnd, null, "sweeping goes on in a block of before the collection");
            Require(size->FreeOfGroup == 0, null, "sweeping goes on in a group of before the collection");
            foreach (int first in (ReadOnlySpan<int>)[size->Waiting, size->Crowded])
            {
                for (int number = first; number != 0; number = _blocks[number - 1].Next)
                {
                    Block block = _blocks[number - 1];
                    Require(block.Class == i, (Cell*)block.Start, "is a block that waits in another class");
                    Require(waiting.Add(number - 1), (Cell*)block.Start, "is a block that waits twice");
                }
            }
        }

        return waiting;
    }

    /// <summary>In a block that waits for being swept there are garbage and runs of before the collection, on no list.</summary>
    private long WalkBlock(Block block, bool isWaiting, HashSet<nint> inUse, HashSet<nint> runs)
    {
        SizeClass* size = _classes + block.Class;
        long slots = BlockBytes / size->Bytes;
        long bytes = 0;
        for (long slot = 0; slot < slots; )
        {
            Cell* cell = (Cell*)(block.Start + (slot * size->Bytes) + CellChecks.Prefix);
            if (cell->Kind == CellKind.Free)
            {
                long run = FreeRun.Bytes((FreeRun*)cell);
                Require(run > 0 && run % size->Bytes == 0, cell, "is a free run of no whole number of cells");
                if (cell->Mark == _colour)
                {
                    runs.Add((nint)cell);
                }
                else
                {
                    Require(isWaiting, cell, "is a free run of before the collection");
                }

                slot += run / size->Bytes;
                Require(slot <= slots, cell, "is a free run beyond its block");
                continue;
            }

            Require(RoomOf(cell) == size->Bytes, cell, "has not the size of its class");
            slot++;
            if (isWaiting && cell->Mark != _colour)
            {
                continue;
            }

            RequireLive(cell);
            inUse.Add((nint)cell);
            bytes += size->Bytes;
        }

        return bytes;
    }

    private void RequireLive(Cell* cell) =>
        Require(
            cell->Kind is >= CellKind.Buffer and <= CellKind.Variable && cell->Mark == _colour && cell->Flags == 0,
            cell,
            "is no cell that the collection found"
        );

    private void RequireWellFormed(Cell* cell)
    {
        long room = cell->Units * 16L;
        switch (cell->Kind)
        {
            case CellKind.Buffer:
                Require(((BufferCell*)cell)->Used <= BufferCell.Capacity((BufferCell*)cell), cell, "uses too much");
                break;

            case CellKind.String:
                StringCell* text = (StringCell*)cell;
                Require(text->Header.Width is 1 or 2 or 4, cell, "has no width");
                RequireStorage(cell, text->Data, StringCell.Owner(text), sizeof(StringCell), text->Bytes);
                break;

            case CellKind.BigInt:
                Require(((BigCell*)cell)->Bytes <= room - sizeof(BigCell), cell, "has more bytes than room");
                break;

            case CellKind.List:
                ListCell* list = (ListCell*)cell;
                Require(list->Count >= 0 && list->Count <= list->Capacity, cell, "has more items than capacity");
                Require(list->Kind <= ElementKind.Float, cell, "has items of no kind");
                long items = (long)list->Capacity << list->Kind.Shift();
                RequireStorage(cell, list->Items, list->Owner, sizeof(ListCell), items);
                for (int i = 0; i < list->Count; i++)
                {
                    RequireValid(list->Get(i), cell);
                }

                break;

            case CellKind.Map:
            case CellKind.Set:
                VerifyTable((TableCell*)cell);
                break;

            case CellKind.Function:
                int captures = ((FunctionCell*)cell)->Captures;
                Require(
                    captures * (long)sizeof(nint) <= room - sizeof(FunctionCell),
                    cell,
                    "has no room for its captures"
                );
                for (int i = 0; i < captures; i++)
                {
                    Cell* variable = (Cell*)FunctionCell.Captured((FunctionCell*)cell)[i];
                    Require(variable->Kind == CellKind.Variable, cell, "captures what is no variable");
                }

                break;

            case CellKind.Variable:
                RequireValid(((VariableCell*)cell)->Value, cell);
                break;

            case CellKind.Free:
            default:
                Require(false, cell, "has no kind");
                break;
        }
    }

    private void VerifyTable(TableCell* table)
    {
        Cell* cell = (Cell*)table;
        Require(table->Count >= 0 && table->Count <= table->Capacity, cell, "has more entries than capacity");
        Require((table->Entries is null) == (table->EntriesOwner is null), cell, "has entries that nobody owns");
        if (table->Entries is not null)
        {
            long bytes = table->Capacity * (long)sizeof(Entry);
            RequireStorage(cell, table->Entries, table->EntriesOwner, 0, bytes);
        }

        if (table->Mask != 0)
        {
            RequireStorage(cell, table->Index, table->IndexOwner, 0, (table->Mask + 1L) * sizeof(int));
        }

        for (int i = 0; i < table->Count; i++)
        {
            RequireValid(table->Entries[i].Key, cell);
            RequireValid(table->Entries[i].Item, cell);
            Require(Find(table, &table->Entries[i].Key) == i, cell, "does not find one of its keys");
        }
    }

    private static void RequireStorage(Cell* cell, void* data, BufferCell* owner, int inside, long bytes)
    {
        byte* start = owner is null ? (byte*)cell + inside : BufferCell.Data(owner);
        long room = owner is null ? (cell->Units * 16L) - inside : BufferCell.Capacity(owner);
        Require(data == start && bytes <= room, cell, "has its data elsewhere, or too much of it");
        Require(owner is null || owner->Header.Kind == CellKind.Buffer, cell, "has an owner that is no buffer");
    }

    /// <summary>Does a value's tag say what its cell is?</summary>
    private static void RequireValid(Value value, Cell* holder)
    {
        if (value.Tag is < Tag.Null or > Tag.Variable)
        {
            Require(false, holder, $"holds a value of tag {(long)value.Tag}");
        }

        Require(
            value.Tag != Tag.Bool || (ulong)value.Payload <= 1,
            holder,
            "holds a Bool that is neither true nor false"
        );
        Require(
            value.Tag != Tag.Float || !double.IsNaN(value.Float) || value.Payload == Floats.NaNBits,
            holder,
            "holds another NaN than the one"
        );
        if (value.IsCell)
        {
            CellKind kind = value.Tag switch
            {
                Tag.BigInt => CellKind.BigInt,
                Tag.String => CellKind.String,
                Tag.List => CellKind.List,
                Tag.Map => CellKind.Map,
                Tag.Set => CellKind.Set,
                Tag.Function => CellKind.Function,
                _ => CellKind.Variable,
            };
            if (value.Cell->Kind != kind)
            {
                Require(false, value.Cell, $"is a {value.Cell->Kind}, and a value says {value.Tag}");
            }
        }
    }

    /// <summary>What is free has not been written to since.</summary>
    private static void CheckPoison(byte* start, byte* end)
    {
        ReadOnlySpan<byte> bytes = new(start, (int)(end - start));
        Require(!bytes.ContainsAnyExcept(Poison), (Cell*)start, "was free, and somebody wrote to it");
    }

    private static void Require(bool holds, Cell* cell, string problem)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"the heap is broken: 0x{(nint)cell:X} {problem}");
        }
    }
}
