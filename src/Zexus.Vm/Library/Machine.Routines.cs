using System.Globalization;
using System.Numerics;
using Routines = Zexus.Isa.Routine.Tags;

namespace Zexus.Vm;

/// <summary>Builtins and methods: docs/semantics.md, section 7. Arguments stay rooted until the result is written.</summary>
internal sealed unsafe partial class Machine
{
    private Code Routine(int routine, Value* target, Value* arguments, int count, Value* to)
    {
        Value* first = arguments;
        Value* second = arguments + 1;
        switch (routine)
        {
            case Routines.Len:
                return Length(first, to);
            case Routines.Str:
                return DisplayTo(first, to);
            case Routines.IntOf:
                return IntOf(first, to);
            case Routines.FloatOf:
                return FloatOf(first, to);
            case Routines.TypeOf:
                *to = KindNames.Of(first->Tag);
                return Code.Done;
            case Routines.Range:
                return Range(first, second, count, to);
            case Routines.Push:
                return PushCopy(first, second, to);
            case Routines.Append:
                return first->Tag == Tag.List ? Append(first, second, to) : Code.TypeMismatch;
            case Routines.Timestamp:
                *to = _heap.NewInteger(_options.Block.Timestamp);
                return Code.Done;
            case Routines.Height:
                *to = _heap.NewInteger(_options.Block.Height);
                return Code.Done;
            case Routines.Caller:
                if (_caller.Tag != Tag.String)
                {
                    _caller = Value.Of(_heap.NewString(_callerName));
                }

                *to = _caller;
                return Code.Done;
            case Routines.GasLeft:
                *to = Value.Of(_gasLimit - GasUsed);
                return Code.Done;
            case Routines.CallContract:
                return CallContract(arguments, to);

            case Routines.StringLength:
            case Routines.ListLength:
            case Routines.MapLength:
            case Routines.SetLength:
                return Length(target, to);
            case Routines.StringIsEmpty:
            case Routines.ListIsEmpty:
            case Routines.MapIsEmpty:
            case Routines.SetIsEmpty:
                *to = Value.Of(!IsTrue(target));
                return Code.Done;

            case Routines.StringContains:
            case Routines.StringIndexOf:
                return Find(target, first, routine == Routines.StringContains, to);
            case Routines.StringStartsWith:
            case Routines.StringEndsWith:
                return StandsAtEdge(target, first, routine == Routines.StringStartsWith, to);
            case Routines.StringUpper:
            case Routines.StringLower:
                return ChangeCase(target, routine == Routines.StringUpper, to);
            case Routines.StringTrim:
                return Trim(target, to);
            case Routines.StringSplit:
                return Split(target, first, to);
            case Routines.StringReplace:
                return Replace(target, first, second, to);
            case Routines.StringSlice:
            case Routines.ListSlice:
                return Slice(target, first, second, to);
            case Routines.StringCharAt:
                return Index(target, first, to);
            case Routines.StringRepeat:
                return Repeat(target, first, to);

            case Routines.ListPush:
                return Append(target, first, to);
            case Routines.ListPop:
            {
                ListCell* list = target->List;
                *to = list->Count == 0 ? default : list->Get(list->Count - 1);
                list->Count = Math.Max(0, list->Count - 1);
                return Code.Done;
            }

            case Routines.ListSet:
                return SetItem(target, first, second, to);
            case Routines.ListContains:
            case Routines.ListIndexOf:
                return FindItem(target->List, first, routine == Routines.ListContains, to);
            case Routines.ListFirst:
                *to = target->List->Count == 0 ? default : target->List->Get(0);
                return Code.Done;
            case Routines.ListLast:
                *to = target->List->Count == 0 ? default : target->List->Get(target->List->Count - 1);
                return Code.Done;
            case Routines.ListReverse:
                return Reverse(target->List, to);
            case Routines.ListSort:
                return Sort(target->List, first, to);
            case Routines.ListJoin:
                return Join(target->List, first, to);
            case Routines.ListFlatten:
                return Flatten(target->List, to);
            case Routines.ListMap:
            case Routines.ListFilter:
                return MapOrFilter(target->List, first, routine == Routines.ListMap, to);
            case Routines.ListReduce:
                return Reduce(target->List, first, second, count, to);

            case Routines.MapGet:
                return MapGet(target->Map, first, second, to);
            case Routines.MapSet:
                return MapSet(target, first, second, to);
            case Routines.MapHas:
            case Routines.SetHas:
                return Has(target->Table, first, to);
            case Routines.MapDelete:
            case Routines.SetDelete:
                return Delete(target->Table, first, to);
            case Routines.MapKeys:
            case Routines.SetValues:
                return Column(target->Table, keys: true, to);
            case Routines.MapValues:
                return Column(target->Table, keys: false, to);
            case Routines.MapEntries:
                return EntriesOf(target->Map, to);
            case Routines.SetAdd:
                return SetAdd(target, first, to);
            default:
                throw new InvalidOperationException($"no rule for routine {routine}");
        }
    }

    private Code DisplayTo(Value* value, Value* to)
    {
        _text.Start(_stringLength);
        Code code = Display(value, 0);
        if (code == Code.Done)
        {
            *to = Value.Of(_text.ToCell(_heap));
        }

        return code;
    }

    private Code IntOf(Value* value, Value* to)
    {
        switch (value->Tag)
        {
            case Tag.Null:
            case Tag.Bool:
            case Tag.Int:
                return StoreInteger(to, value->Payload);
            case Tag.BigInt:
                return StoreInteger(to, Integers.Of(value));
            case Tag.Float:
                return double.IsFinite(value->Float)
                    ? StoreInteger(to, new BigInteger(Math.Truncate(value->Float)))
                    : Code.Domain;
            case Tag.String:
                return ParseInteger(value->String, to);
            default:
                return Code.TypeMismatch;
        }
    }

    private Code ParseInteger(StringCell* text, Value* to)
    {
        const int MostDigits = 2467;
        if (!ChargeText(text->Length))
        {
            return Code.OutOfGas;
        }

        int at = 0;
        bool negative = false;
        if (text->Length > 0 && text->At(0) is '+' or '-')
        {
            negative = text->At(0) == '-';
            at = 1;
        }

        if (at == text->Length)
        {
            return Code.Domain;
        }

        for (int i = at; i < text->Length; i++)
        {
            if (text->At(i) is < '0' or > '9')
            {
                return Code.Domain;
            }
        }

        while (at < text->Length && text->At(at) == '0')
        {
            at++;
        }

        int digits = text->Length - at;
        if (digits > MostDigits)
        {
            return Code.IntegerTooLarge;
        }

        if (digits <= 18)
        {
            long value = 0;
            for (; at < text->Length; at++)
            {
                value = (value * 10) + (text->At(at) - '0');
            }

            return StoreInteger(to, negative ? -value : value);
        }

        string number = Text.ToDotNet(text->Data + at * text->Header.Width, digits, text->Header.Width);
        BigInteger big = BigInteger.Parse(number, NumberStyles.None, CultureInfo.InvariantCulture);
        return StoreInteger(to, negative ? -big : big);
    }

    private Code FloatOf(Value* value, Value* to)
    {
        switch (value->Tag)
        {
            case Tag.Float:
                *to = *value;
                return Code.Done;
            case Tag.Null:
            case Tag.Bool:
            case Tag.Int:
            case Tag.BigInt:
                if (!Charge(Integers.Size(value)))
                {
                    return Code.OutOfGas;
                }

                *to = Value.Of(Integers.ToDouble(value));
                return Code.Done;
            case Tag.String:
                if (!ChargeText(value->String->Length))
                {
                    return Code.OutOfGas;
                }

                if (!Floats.TryParse(Text.ToDotNet(value->String), out double number))
                {
                    return Code.Domain;
                }

                *to = Value.Of(number);
                return Code.Done;
            default:
                return Code.TypeMismatch;
        }
    }

    private Code Range(Value* first, Value* second, int count, Value* to)
    {
        if (!IsIntegral(first) || (count >= 2 && !IsIntegral(second)))
        {
            return Code.TypeMismatch;
        }

        BigInteger from = count >= 2 ? Integers.Of(first) : BigInteger.Zero;
        BigInteger end = count >= 2 ? Integers.Of(second) : Integers.Of(first);
        BigInteger length = BigInteger.Max(BigInteger.Zero, end - from);
        if (!Charge(length > long.MaxValue ? long.MaxValue : (long)length))
        {
            return Code.OutOfGas;
        }

        if (length > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        bool small = from >= long.MinValue && end <= long.MaxValue;
        ListCell* list = _heap.NewNullList((int)length, small ? ElementKind.Int : ElementKind.Value);
        int mark = _heap.Protect(Value.Of(list));
        for (int i = 0; i < list->Count; i++)
        {
            list->Put(i, small ? Value.Of((long)from + i) : _heap.NewInteger(from + i));
        }

        _heap.Release(mark);
        *to = Value.Of(list);
        return Code.Done;
    }

    private Code PushCopy(Value* list, Value* item, Value* to)
    {
        if (list->Tag != Tag.List)
        {
            return Code.TypeMismatch;
        }

        ListCell* source = list->List;
        if (!Charge(source->Count + 1L))
        {
            return Code.OutOfGas;
        }

        if (source->Count + 1L > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        ElementKind kind =
            source->Count == 0 ? ElementKinds.Of(item->Tag)
            : source->Kind.Takes(item->Tag) ? source->Kind
            : ElementKind.Value;
        ListCell* result = _heap.NewList(source->Count + 1, kind);
        CellHeap.CopyItems(source, 0, result, 0, source->Count);
        result->Put(source->Count, *item);
        *to = Value.Of(result);
        return Code.Done;
    }

    private Code Append(Value* list, Value* item, Value* to)
    {
        if (!Charge(Zexus.Isa.Gas.Element))
        {
            return Code.OutOfGas;
        }

        if (list->List->Count + 1L > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        _heap.Append(list->List, *item);
        *to = *list;
        return Code.Done;
    }
}

/// <summary>What `type` answers.</summary>
internal static unsafe class KindNames
{
    private static readonly nint[] Names =
    [
        .. new[] { "null", "bool", "int", "float", "int", "string", "list", "map", "set", "function" }.Select(name =>
            (nint)WellKnown.Make(name)
        ),
    ];

    public static Value Of(Tag tag) => Value.Of((StringCell*)Names[(int)tag]);
}
