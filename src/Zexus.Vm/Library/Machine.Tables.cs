namespace Zexus.Vm;

/// <summary>Methods of a Map or a Set.</summary>
internal sealed unsafe partial class Machine
{
    private Code MapGet(TableCell* map, Value* key, Value* otherwise, Value* to)
    {
        Code code = ChargeKey(key);
        if (code == Code.Done)
        {
            int at = CellHeap.Find(map, key);
            *to = at < 0 ? *otherwise : map->At(at)->Item;
        }

        return code;
    }

    private Code MapSet(Value* target, Value* key, Value* item, Value* to)
    {
        Code code = ChargeKey(key);
        if (code != Code.Done)
        {
            return code;
        }

        TableCell* map = target->Map;
        if (map->Count >= _collectionLength && CellHeap.Find(map, key) < 0)
        {
            return Code.CollectionTooLarge;
        }

        _heap.Put(map, *key, *item);
        *to = *target;
        return Code.Done;
    }

    private Code SetAdd(Value* target, Value* element, Value* to)
    {
        Code code = ChargeKey(element);
        if (code != Code.Done)
        {
            return code;
        }

        TableCell* set = target->Set;
        if (set->Count >= _collectionLength && CellHeap.Find(set, element) < 0)
        {
            return Code.CollectionTooLarge;
        }

        _heap.Add(set, *element);
        *to = *target;
        return Code.Done;
    }

    private Code Has(TableCell* table, Value* key, Value* to)
    {
        Code code = ChargeKey(key);
        if (code == Code.Done)
        {
            *to = Value.Of(CellHeap.Find(table, key) >= 0);
        }

        return code;
    }

    private Code Delete(TableCell* table, Value* key, Value* to)
    {
        Code code = ChargeKey(key);
        if (code != Code.Done)
        {
            return code;
        }

        if (!Charge(table->Count / Zexus.Isa.Gas.EntriesPerDeletion))
        {
            return Code.OutOfGas;
        }

        int at = CellHeap.Find(table, key);
        if (at >= 0)
        {
            CellHeap.RemoveAt(table, at);
        }

        *to = Value.Of(at >= 0);
        return Code.Done;
    }

    private Code Column(TableCell* table, bool keys, Value* to)
    {
        if (!Charge(table->Count))
        {
            return Code.OutOfGas;
        }

        // An entry begins with its key and its item, side by side.
        Value* first = (Value*)table->Entries + (keys ? 0 : 1);
        *to = Value.Of(_heap.NewListOf(first, table->Count, sizeof(Entry)));
        return Code.Done;
    }

    private Code EntriesOf(TableCell* map, Value* to)
    {
        if (!Charge(3L * map->Count))
        {
            return Code.OutOfGas;
        }

        ListCell* list = _heap.NewNullList(map->Count);
        int mark = _heap.Protect(Value.Of(list));
        for (int i = 0; i < map->Count; i++)
        {
            list->Values[i] = Value.Of(_heap.NewListOf((Value*)map->At(i), 2));
        }

        _heap.Release(mark);
        *to = Value.Of(list);
        return Code.Done;
    }
}
