using System.Numerics;
using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>Collections: docs/semantics.md, section 6.</summary>
internal sealed unsafe partial class Machine
{
    private Code BuildList(int count)
    {
        if (count > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        Value* items = _sp - count;
        *items = Value.Of(_heap.NewListOf(items, count));
        _sp = items + 1;
        return Code.Done;
    }

    private Code BuildMap(int count)
    {
        Value* items = _sp - (2L * count);
        TableCell* map = _heap.NewTable(CellKind.Map, count);
        Value result = new(Tag.Map, (long)map);
        int mark = _heap.Protect(result);
        for (int i = 0; i < count; i++)
        {
            Code code = ChargeKey(items + (2 * i));
            if (code != Code.Done)
            {
                _heap.Release(mark);
                return code;
            }

            _heap.Put(map, items[2 * i], items[(2 * i) + 1]);
        }

        return Built(map->Count, result, items, mark);
    }

    private Code BuildSet(int count)
    {
        Value* items = _sp - count;
        TableCell* set = _heap.NewTable(CellKind.Set, count);
        Value result = new(Tag.Set, (long)set);
        int mark = _heap.Protect(result);
        for (int i = 0; i < count; i++)
        {
            Code code = ChargeKey(items + i);
            if (code != Code.Done)
            {
                _heap.Release(mark);
                return code;
            }

            _heap.Add(set, items[i]);
        }

        return Built(set->Count, result, items, mark);
    }

    private Code Built(int count, Value result, Value* to, int mark)
    {
        _heap.Release(mark);
        if (count > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        *to = result;
        _sp = to + 1;
        return Code.Done;
    }

    /// <summary>What every use of a key begins with: its kind, NaN, its charge.</summary>
    private Code ChargeKey(Value* key)
    {
        if (key->Tag > Tag.String)
        {
            return Code.TypeMismatch;
        }

        if (IsNaN(key))
        {
            return Code.Domain;
        }

        return Charge(KeyGas(key)) ? Code.Done : Code.OutOfGas;
    }

    private static bool IsIndex(Value* value) => value->Tag is Tag.Bool or Tag.Int or Tag.BigInt;

    /// <summary>The position that an index names in a sequence; -1 when there is none.</summary>
    private static int Position(Value* index, int count)
    {
        if (index->Tag == Tag.BigInt)
        {
            return -1;
        }

        long i = index->Payload;
        i = i < 0 ? i + count : i;
        return i >= 0 && i < count ? (int)i : -1;
    }

    private Code Index(Value* target, Value* index, Value* to)
    {
        switch (target->Tag)
        {
            case Tag.Null:
                *to = default;
                return Code.Done;

            case Tag.List:
            {
                if (!IsIndex(index))
                {
                    return Code.TypeMismatch;
                }

                int at = Position(index, target->List->Count);
                *to = at < 0 ? default : target->List->Get(at);
                return Code.Done;
            }

            case Tag.String:
            {
                if (!IsIndex(index))
                {
                    return Code.TypeMismatch;
                }

                int at = Position(index, target->String->Length);
                *to = at < 0 ? default : Value.Of(_heap.Scalar(target->String->At(at)));
                return Code.Done;
            }

            case Tag.Map:
                return Entry(target->Map, index, to);

            default:
                return Code.TypeMismatch;
        }
    }

    private Code Entry(TableCell* map, Value* key, Value* to)
    {
        Code code = ChargeKey(key);
        if (code == Code.Done)
        {
            int at = CellHeap.Find(map, key);
            *to = at < 0 ? default : map->At(at)->Item;
        }

        return code;
    }

    private Code GetAttribute(Value* target, Value* name, Value* to)
    {
        if (target->Tag == Tag.Null)
        {
            *to = default;
            return Code.Done;
        }

        return target->Tag == Tag.Map && name->Tag == Tag.String ? Entry(target->Map, name, to) : Code.TypeMismatch;
    }

    private Code Slice(Value* target, Value* start, Value* end, Value* to)
    {
        if (target->Tag == Tag.Null)
        {
            *to = default;
            return Code.Done;
        }

        if (
            target->Tag is not (Tag.String or Tag.List)
            || !(IsIndex(start) || start->Tag == Tag.Null)
            || !(IsIndex(end) || end->Tag == Tag.Null)
        )
        {
            return Code.TypeMismatch;
        }

        int count = target->Tag == Tag.String ? target->String->Length : target->List->Count;
        int from = Bound(start, count, 0);
        int length = Math.Max(0, Bound(end, count, count) - from);
        if (target->Tag == Tag.String)
        {
            if (!ChargeText(length))
            {
                return Code.OutOfGas;
            }

            *to = Value.Of(_heap.Slice(target->String, from, length));
            return Code.Done;
        }

        if (!Charge(length))
        {
            return Code.OutOfGas;
        }

        ListCell* result = _heap.NewList(length, target->List->Kind);
        CellHeap.CopyItems(target->List, from, result, 0, length);
        *to = Value.Of(result);
        return Code.Done;
    }

    /// <summary>A bound of a slice, cut to the sequence as Python does it.</summary>
    private static int Bound(Value* bound, int count, int open)
    {
        if (bound->Tag == Tag.Null)
        {
            return open;
        }

        if (bound->Tag == Tag.BigInt)
        {
            return Sign(bound) < 0 ? 0 : count;
        }

        long at = bound->Payload;
        return (int)Math.Clamp(at < 0 ? at + count : at, 0, count);
    }

    private static Code Length(Value* target, Value* to)
    {
        int length;
        switch (target->Tag)
        {
            case Tag.Null:
                length = 0;
                break;
            case Tag.String:
                length = target->String->Length;
                break;
            case Tag.List:
                length = target->List->Count;
                break;
            case Tag.Map:
            case Tag.Set:
                length = target->Table->Count;
                break;
            default:
                return Code.TypeMismatch;
        }

        *to = Value.Of((long)length);
        return Code.Done;
    }

    private Code ForIter(int results)
    {
        Value* target = _sp - 2;
        Value* index = _sp - 1;
        if (!IsIndex(index) || target->Tag is not (Tag.Null or Tag.String or Tag.List or Tag.Map or Tag.Set))
        {
            return Code.TypeMismatch;
        }

        int count = target->Tag switch
        {
            Tag.String => target->String->Length,
            Tag.List => target->List->Count,
            Tag.Map or Tag.Set => target->Table->Count,
            _ => 0,
        };
        Value first = default;
        Value second = default;
        if (index->Tag != Tag.BigInt && index->Payload >= 0 && index->Payload < count)
        {
            int k = (int)index->Payload;
            first = Value.Of((long)k);
            switch (target->Tag)
            {
                case Tag.String:
                    second = Value.Of(_heap.Scalar(target->String->At(k)));
                    break;
                case Tag.List:
                    second = target->List->Get(k);
                    break;
                case Tag.Set:
                    second = target->Set->At(k)->Key;
                    break;
                default:
                    first = target->Map->At(k)->Key;
                    second = target->Map->At(k)->Item;
                    break;
            }
        }

        if (results == 1)
        {
            *target = target->Tag == Tag.Map ? first : second;
            _sp = target + 1;
            return Code.Done;
        }

        target[0] = first;
        target[1] = second;
        return Code.Done;
    }
}
