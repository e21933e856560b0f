using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Plain data out of the heap and back into it: docs/semantics.md, section 4.</summary>
internal sealed unsafe partial class Machine
{
    private Code Plain(Value* value, int depth, out Data data)
    {
        data = Data.Null;
        switch (value->Tag)
        {
            case Tag.Null:
                return Code.Done;
            case Tag.Bool:
                data = Data.NewBool(value->Payload != 0);
                return Code.Done;
            case Tag.Int:
            case Tag.BigInt:
                data = Data.NewInt(Integers.Of(value));
                return Code.Done;
            case Tag.Float:
                data = Data.NewFloat(value->Float);
                return Code.Done;
            case Tag.String:
                data = Data.NewString(Text.ToDotNet(value->String));
                return Code.Done;
            case Tag.List:
            {
                ListCell* list = value->List;
                if (!Charge(list->Count))
                {
                    return Code.OutOfGas;
                }

                if (depth >= _nesting)
                {
                    return Code.TooDeep;
                }

                Data[] items = new Data[list->Count];
                for (int i = 0; i < items.Length; i++)
                {
                    Value item = list->Get(i);
                    Code code = Plain(&item, depth + 1, out items[i]);
                    if (code != Code.Done)
                    {
                        return code;
                    }
                }

                data = Data.NewList(items);
                return Code.Done;
            }

            case Tag.Set:
            {
                TableCell* set = value->Set;
                if (!Charge(set->Count))
                {
                    return Code.OutOfGas;
                }

                if (depth >= _nesting)
                {
                    return Code.TooDeep;
                }

                Data[] items = new Data[set->Count];
                for (int i = 0; i < items.Length; i++)
                {
                    _ = Plain(&set->At(i)->Key, depth + 1, out items[i]);
                }

                data = Data.NewSet(items);
                return Code.Done;
            }

            case Tag.Map:
            {
                TableCell* map = value->Map;
                if (!Charge(2L * map->Count))
                {
                    return Code.OutOfGas;
                }

                if (depth >= _nesting)
                {
                    return Code.TooDeep;
                }

                var entries = new KeyValuePair<Data, Data>[map->Count];
                for (int i = 0; i < entries.Length; i++)
                {
                    // Keys are scalars: they cost nothing and cannot fail.
                    _ = Plain(&map->At(i)->Key, depth + 1, out Data key);
                    Code code = Plain(&map->At(i)->Item, depth + 1, out Data item);
                    if (code != Code.Done)
                    {
                        return code;
                    }

                    entries[i] = new(key, item);
                }

                data = Data.NewMap(entries);
                return Code.Done;
            }

            default:
                return Code.TypeMismatch;
        }
    }

    /// <summary>A copy in the heap; false when its charge does not fit.</summary>
    private bool CopyOut(Data data, Value* to)
    {
        if (!Charge(DataVisitor.Elements(data)))
        {
            return false;
        }

        *to = PlainData.ToValue(data, _heap);
        return true;
    }
}
