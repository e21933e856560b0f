namespace Zexus.Vm;

/// <summary>Methods of a List.</summary>
internal sealed unsafe partial class Machine
{
    private Code SetItem(Value* target, Value* index, Value* item, Value* to)
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

        _heap.SetItem(target->List, at, *item);
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

            Value at = list->Get(i);
            Code code = AreEqual(&at, item, 0, out bool equal);
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
        ListCell* result = _heap.NewList(list->Count, list->Kind);
        CellHeap.CopyItems(list, 0, result, 0, list->Count);
        return result;
    }

    private Code Reverse(ListCell* list, Value* to)
    {
        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        ListCell* result = Clone(list);
        switch (result->Kind)
        {
            case ElementKind.Value:
                new Span<Value>(result->Items, result->Count).Reverse();
                break;
            case ElementKind.Bool:
                new Span<byte>(result->Items, result->Count).Reverse();
                break;
            default:
                new Span<long>(result->Items, result->Count).Reverse();
                break;
        }

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
            Value item = list->Get(i);
            Code code = Display(&item, 0);
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
        ElementKind kind = ElementKind.Value;
        for (int i = 0; i < list->Count; i++)
        {
            Value item = list->Get(i);
            int count = item.Tag == Tag.List ? item.List->Count : 1;
            ElementKind another = item.Tag == Tag.List ? item.List->Kind : ElementKinds.Of(item.Tag);
            kind =
                count == 0 ? kind
                : length == 0 || another == kind ? another
                : ElementKind.Value;
            inner += item.Tag == Tag.List ? count : 0;
            length += count;
        }

        if (!Charge(list->Count + inner))
        {
            return Code.OutOfGas;
        }

        if (length > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        ListCell* result = _heap.NewList((int)length, kind);
        int at = 0;
        for (int i = 0; i < list->Count; i++)
        {
            Value item = list->Get(i);
            if (item.Tag == Tag.List)
            {
                CellHeap.CopyItems(item.List, 0, result, at, item.List->Count);
                at += item.List->Count;
            }
            else
            {
                result->Put(at++, item);
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
            Target = Value.Of(_heap.NewList(0)),
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
            : list->Count > 0 ? list->Get(0)
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
        ListCell* target = _heap.NewNullList(list->Count, list->Kind);
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
