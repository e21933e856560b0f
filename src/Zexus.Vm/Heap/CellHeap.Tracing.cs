namespace Zexus.Vm;

/// <summary>
/// What each kind of cell points to, read a second time, for the verifier: plainly, cell by cell.
/// </summary>
internal static unsafe class Tracing
{
    /// <summary>Pushes every cell that this one points to.</summary>
    public static void Children(Cell* cell, Stack<nint> pending)
    {
        switch (cell->Kind)
        {
            case CellKind.Buffer:
            case CellKind.BigInt:
                break;
            case CellKind.String:
                Push((Cell*)StringCell.Owner((StringCell*)cell), pending);
                break;
            case CellKind.List:
                ListCell* list = (ListCell*)cell;
                Push((Cell*)list->Owner, pending);
                for (int i = 0; i < list->Count; i++)
                {
                    Push(list->Get(i), pending);
                }

                break;
            case CellKind.Map:
            case CellKind.Set:
                TableCell* table = (TableCell*)cell;
                Push((Cell*)table->EntriesOwner, pending);
                Push((Cell*)table->IndexOwner, pending);
                for (int i = 0; i < table->Count; i++)
                {
                    Push(table->Entries[i].Key, pending);
                    Push(table->Entries[i].Item, pending);
                }

                break;
            case CellKind.Function:
                FunctionCell* function = (FunctionCell*)cell;
                for (int i = 0; i < function->Captures; i++)
                {
                    Push((Cell*)FunctionCell.Captured(function)[i], pending);
                }

                break;
            case CellKind.Variable:
                Push(((VariableCell*)cell)->Value, pending);
                break;
            default:
                throw new InvalidOperationException($"a cell of kind {(int)cell->Kind}");
        }
    }

    public static void Push(Value value, Stack<nint> pending)
    {
        if (value.IsCell)
        {
            Push(value.Cell, pending);
        }
    }

    /// <summary>Every cell that the pending ones reach, themselves included.</summary>
    public static HashSet<nint> Reach(Stack<nint> pending)
    {
        HashSet<nint> seen = [];
        while (pending.TryPop(out nint at))
        {
            if (seen.Add(at))
            {
                CellChecks.Verify((Cell*)at, ((Cell*)at)->Kind);
                Children((Cell*)at, pending);
            }
        }

        return seen;
    }

    private static void Push(Cell* cell, Stack<nint> pending)
    {
        if (cell is not null)
        {
            pending.Push((nint)cell);
        }
    }
}
