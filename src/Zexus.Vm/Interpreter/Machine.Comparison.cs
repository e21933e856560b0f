namespace Zexus.Vm;

internal enum Order
{
    Less,
    Equal,
    Greater,
    Unordered,
}

/// <summary>The traversals EQ and ordering: docs/semantics.md, section 4. Recursive, to at most Nesting.</summary>
internal sealed unsafe partial class Machine
{
    private Code AreEqual(Value* a, Value* b, int depth, out bool equal)
    {
        equal = false;
        switch (a->Tag)
        {
            case Tag.Null:
                equal = b->Tag == Tag.Null;
                return Code.Done;

            case Tag.Bool:
            case Tag.Int:
            case Tag.Float:
            case Tag.BigInt:
                if (b->Tag is not (Tag.Bool or Tag.Int or Tag.Float or Tag.BigInt))
                {
                    return Code.Done;
                }

                if (!ChargeSizes(a, b))
                {
                    return Code.OutOfGas;
                }

                equal = !IsNaN(a) && !IsNaN(b) && Integers.CompareNumbers(a, b) == 0;
                return Code.Done;

            case Tag.String:
                if (b->Tag != Tag.String)
                {
                    return Code.Done;
                }

                if (!ChargeText(Math.Min(a->String->Length, b->String->Length)))
                {
                    return Code.OutOfGas;
                }

                equal = Text.Equal(a->String, b->String);
                return Code.Done;

            case Tag.List:
                return b->Tag == Tag.List ? ListsEqual(a->List, b->List, depth, out equal) : Code.Done;

            case Tag.Map:
            case Tag.Set:
                return b->Tag == a->Tag ? TablesEqual(a->Table, b->Table, depth, out equal) : Code.Done;

            default:
                equal = b->Tag == a->Tag && a->Payload == b->Payload;
                return Code.Done;
        }
    }

    private Code ListsEqual(ListCell* a, ListCell* b, int depth, out bool equal)
    {
        equal = false;
        if (a->Count != b->Count)
        {
            return Code.Done;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        for (int i = 0; i < a->Count; i++)
        {
            if (!Charge(Zexus.Isa.Gas.Element))
            {
                return Code.OutOfGas;
            }

            Value x = a->Get(i);
            Value y = b->Get(i);
            Code code = AreEqual(&x, &y, depth + 1, out equal);
            if (code != Code.Done || !equal)
            {
                equal = false;
                return code;
            }
        }

        equal = true;
        return Code.Done;
    }

    private Code TablesEqual(TableCell* a, TableCell* b, int depth, out bool equal)
    {
        equal = false;
        if (a->Count != b->Count)
        {
            return Code.Done;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        bool maps = a->Header.Kind == CellKind.Map;
        for (int i = 0; i < a->Count; i++)
        {
            Entry* entry = a->At(i);
            if (!Charge(Zexus.Isa.Gas.Element + KeyGas(&entry->Key)))
            {
                return Code.OutOfGas;
            }

            int found = CellHeap.Find(b, &entry->Key);
            if (found < 0)
            {
                return Code.Done;
            }

            if (maps)
            {
                Code code = AreEqual(&entry->Item, &b->At(found)->Item, depth + 1, out bool same);
                if (code != Code.Done || !same)
                {
                    return code;
                }
            }
        }

        equal = true;
        return Code.Done;
    }

    private Code Compare(Value* a, Value* b, int depth, out Order order)
    {
        order = Order.Unordered;
        if (IsNumber(a) && IsNumber(b))
        {
            if (!ChargeSizes(a, b))
            {
                return Code.OutOfGas;
            }

            if (!IsNaN(a) && !IsNaN(b))
            {
                order = OrderOf(Integers.CompareNumbers(a, b));
            }

            return Code.Done;
        }

        if (a->Tag == Tag.String && b->Tag == Tag.String)
        {
            if (!ChargeText(Math.Min(a->String->Length, b->String->Length)))
            {
                return Code.OutOfGas;
            }

            order = OrderOf(Text.Compare(a->String, b->String));
            return Code.Done;
        }

        if (a->Tag != Tag.List || b->Tag != Tag.List)
        {
            return Code.TypeMismatch;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        ListCell* left = a->List;
        ListCell* right = b->List;
        int shared = Math.Min(left->Count, right->Count);
        for (int i = 0; i < shared; i++)
        {
            if (!Charge(Zexus.Isa.Gas.Element))
            {
                return Code.OutOfGas;
            }

            Value x = left->Get(i);
            Value y = right->Get(i);
            Code code = Compare(&x, &y, depth + 1, out order);
            if (code != Code.Done || order != Order.Equal)
            {
                return code;
            }
        }

        order = OrderOf(left->Count.CompareTo(right->Count));
        return Code.Done;
    }

    private static Order OrderOf(int comparison) =>
        comparison < 0 ? Order.Less
        : comparison > 0 ? Order.Greater
        : Order.Equal;

    private static bool IsNaN(Value* value) => value->Tag == Tag.Float && double.IsNaN(value->Float);

    private bool ChargeText(long scalars) => Charge(scalars / Zexus.Isa.Gas.ScalarsPerUnit);

    /// <summary>What it costs to hash, compare or copy a scalar; 0 for all else.</summary>
    internal static long KeyGas(Value* scalar) =>
        scalar->Tag switch
        {
            Tag.String => scalar->String->Length / Zexus.Isa.Gas.ScalarsPerUnit,
            Tag.BigInt => Integers.Size(scalar),
            _ => 0,
        };
}
