namespace Zexus.Vm;

/// <summary>Methods of a List.</summary>
internal sealed unsafe partial class Machine
{
    private static Code SetItem(Value* target, Value* index, Value* item, Value* to)
    {
        if (!IsIndex(index))
        {
            return Code.TypeMismatch;
        }

        int at = Position(index, target->List->Count);
        if (at < 0)
        {
            return Code.Domain;
        }

        *target->List->At(at) = *item;
        *to = *target;
        return Code.Done;
    }

    private Code FindItem(ListCell* list, Value* item, bool contains, Value* to)
    {
        long found = -1;
        for (int i = 0; i < list->Count; i++)
        {
            if (!Charge(Zexus.Isa.Gas.Element))
            {
                return Code.OutOfGas;
            }

            Code code = AreEqual(list->At(i), item, 0, out bool equal);
            if (code != Code.Done)
            {
                return code;
            }

            if (equal)
            {
                found = i;
                break;
            }
        }

        *to = contains ? Value.Of(found >= 0) : Value.Of(found);
        return Code.Done;
    }

    private ListCell* Clone(ListCell* list)
    {
        ListCell* result = _heap.NewList(list->Count);
        CopyItems(list, 0, result->Items, list->Count);
        return result;
    }

    private Code Reverse(ListCell* list, Value* to)
    {
        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        ListCell* result = Clone(list);
        new Span<Value>(result->Items, result->Count).Reverse();
        *to = Value.Of(result);
        return Code.Done;
    }

    private Code Join(ListCell* list, Value* separator, Value* to)
    {
        if (separator->Tag is not (Tag.Null or Tag.String))
        {
            return Code.TypeMismatch;
        }

        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        _text.Start(_stringLength);
        for (int i = 0; i < list->Count; i++)
        {
            if (i > 0 && separator->Tag == Tag.String && !_text.Emit(separator->String))
            {
                return Code.StringTooLong;
            }

            // Display at depth 0 takes a String as it is.
            Code code = Display(list->At(i), 0);
            if (code != Code.Done)
            {
                return code;
            }
        }

        *to = Value.Of(_text.ToCell(_heap));
        return Code.Done;
    }

    private Code Flatten(ListCell* list, Value* to)
    {
        long inner = 0;
        long length = 0;
        for (int i = 0; i < list->Count; i++)
        {
            Value* item = list->At(i);
            inner += item->Tag == Tag.List ? item->List->Count : 0;
            length += item->Tag == Tag.List ? item->List->Count : 1;
        }

        if (!Charge(list->Count + inner))
        {
            return Code.OutOfGas;
        }

        if (length > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        ListCell* result = _heap.NewList((int)length);
        Value* at = result->Items;
        for (int i = 0; i < list->Count; i++)
        {
            Value* item = list->At(i);
            if (item->Tag == Tag.List)
            {
                CopyItems(item->List, 0, at, item->List->Count);
                at += item->List->Count;
            }
            else
            {
                *at++ = *item;
            }
        }

        *to = Value.Of(result);
        return Code.Done;
    }

    private Code MapOrFilter(ListCell* list, Value* function, bool map, Value* to)
    {
        if (function->Tag != Tag.Function)
        {
            return Code.TypeMismatch;
        }

        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        if (list->Count == 0)
        {
            *to = Value.Of(_heap.NewList(0));
            return Code.Done;
        }

        int mark = _heap.Protect(Value.Of(Clone(list)));
        Callback callback = new()
        {
            Kind = map ? CallbackKind.Map : CallbackKind.Filter,
            Subject = *function,
            Source = _heap.Protected[mark],
            Target = Value.Of(_heap.NewNullList(map ? list->Count : 0)),
        };
        Code code = PushCallback(callback, to);
        _heap.Release(mark);
        return code == Code.Done ? MapNext() : code;
    }

    private Code Reduce(ListCell* list, Value* function, Value* initial, int count, Value* to)
    {
        if (function->Tag != Tag.Function)
        {
            return Code.TypeMismatch;
        }

        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        // A second argument counts even when it is Null.
        bool given = count >= 2;
        Value start =
            given ? *initial
            : list->Count > 0 ? *list->At(0)
            : default;
        int next = given ? 0 : 1;
        if (next >= list->Count)
        {
            *to = start;
            return Code.Done;
        }

        Callback callback = new()
        {
            Kind = CallbackKind.Reduce,
            Subject = *function,
            Source = Value.Of(Clone(list)),
            Target = start,
            Next = next,
        };
        Code code = PushCallback(callback, to);
        return code == Code.Done ? ReduceNext() : code;
    }

    private Code Sort(ListCell* list, Value* compare, Value* to)
    {
        if (compare->Tag is not (Tag.Null or Tag.Function))
        {
            return Code.TypeMismatch;
        }

        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        ListCell* source = Clone(list);
        if (list->Count < 2)
        {
            *to = Value.Of(source);
            return Code.Done;
        }

        int mark = _heap.Protect(Value.Of(source));
        ListCell* target = _heap.NewNullList(list->Count);
        _heap.Release(mark);
        if (compare->Tag == Tag.Null)
        {
            // Nothing in the sort allocates.
            Code sorted = SortNaturally(ref source, target);
            if (sorted == Code.Done)
            {
                *to = Value.Of(source);
            }

            return sorted;
        }

        Callback callback = new()
        {
            Kind = CallbackKind.Sort,
            Subject = *compare,
            Source = Value.Of(source),
            Target = Value.Of(target),
            Width = 1,
        };
        StartRun(ref callback, 0);
        Code code = PushCallback(callback, to);
        return code == Code.Done ? SortNext() : code;
    }
}
