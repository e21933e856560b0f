using System.Numerics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Plain data in its forms: .NET's and cells. Charges are the machine's, and taken before.</summary>
internal static unsafe class PlainData
{
    /// <summary>Builds a tree of cells. Nesting is within the limits, so recursion is.</summary>
    public static Value ToValue(Data data, CellHeap heap, bool prepareHashes = false)
    {
        switch (data)
        {
            case Data.Bool flag:
                return Value.Of(flag.value);
            case Data.Int integer:
                return heap.NewInteger(integer.value);
            case Data.Float number:
                return Value.Of(number.value);
            case Data.String text:
                StringCell* cell = heap.NewString(text.value);
                if (prepareHashes)
                {
                    Text.Prepare(cell);
                }

                return Value.Of(cell);
            case Data.List list:
            {
                ListCell* target = heap.NewList(0);
                int mark = heap.Protect(Value.Of(target));
                foreach (Data item in list.items)
                {
                    heap.Append(target, ToValue(item, heap, prepareHashes));
                }

                heap.Release(mark);
                return Value.Of(target);
            }

            case Data.Set set:
            {
                TableCell* target = heap.NewTable(CellKind.Set, set.items.Length);
                Value result = new(Tag.Set, (long)target);
                int mark = heap.Protect(result);
                foreach (Data item in set.items)
                {
                    int key = heap.Protect(ToValue(item, heap, prepareHashes));
                    heap.Add(target, heap.Protected[key]);
                    heap.Release(key);
                }

                heap.Release(mark);
                return result;
            }

            case Data.Map map:
            {
                TableCell* target = heap.NewTable(CellKind.Map, map.entries.Length);
                Value result = new(Tag.Map, (long)target);
                int mark = heap.Protect(result);
                foreach (KeyValuePair<Data, Data> entry in map.entries)
                {
                    int key = heap.Protect(ToValue(entry.Key, heap, prepareHashes));
                    int item = heap.Protect(ToValue(entry.Value, heap, prepareHashes));
                    heap.Put(target, heap.Protected[key], heap.Protected[item]);
                    heap.Release(key);
                }

                heap.Release(mark);
                return result;
            }

            default:
                return Value.Null;
        }
    }

    /// <summary>
    /// Elements, and text and size of scalars, at every level, as the charges count them. Of what weighs more than there is to pay with, anything above
    /// that: no more is looked at than can be paid.
    /// </summary>
    public static long Weight(Value* value, long most)
    {
        long sum = 0;
        switch (value->Tag)
        {
            case Tag.List:
                ListCell* list = value->List;
                sum = list->Count;
                for (int i = 0; list->Kind == ElementKind.Value && i < list->Count && sum <= most; i++)
                {
                    sum += Weight(list->Values + i, most - sum);
                }

                break;
            case Tag.Set:
                sum = value->Set->Count;
                for (int i = 0; i < value->Set->Count && sum <= most; i++)
                {
                    sum += Machine.KeyGas(&value->Set->At(i)->Key);
                }

                break;
            case Tag.Map:
                sum = 2L * value->Map->Count;
                for (int i = 0; i < value->Map->Count && sum <= most; i++)
                {
                    sum += Machine.KeyGas(&value->Map->At(i)->Key);
                    sum += Weight(&value->Map->At(i)->Item, most - sum);
                }

                break;
            default:
                return Machine.KeyGas(value);
        }

        return sum;
    }

    /// <summary>A copy of a tree of cells: what LOAD_CONST pushes. Scalars are shared, they never change.</summary>
    public static Value Copy(Value source, CellHeap heap) => Copy(source, heap, default(SharedScalars));

    /// <summary>A copy of a tree of cells in a heap, which may be collected meanwhile; the source must not change.</summary>
    public static Value Copy<TScalars>(Value source, CellHeap heap, TScalars scalars)
        where TScalars : IScalars
    {
        switch (source.Tag)
        {
            case Tag.List:
            {
                ListCell* from = source.List;
                ListCell* to = heap.NewNullList(from->Count, from->Kind);
                if (from->Kind != ElementKind.Value)
                {
                    CellHeap.CopyItems(from, 0, to, 0, from->Count);
                    return Value.Of(to);
                }

                int mark = heap.Protect(Value.Of(to));
                for (int i = 0; i < from->Count; i++)
                {
                    to->Values[i] = Copy(from->Values[i], heap, scalars);
                }

                heap.Release(mark);
                return Value.Of(to);
            }

            case Tag.Map:
            case Tag.Set:
            {
                TableCell* from = source.Table;
                TableCell* to = heap.NewTable(source.Tag == Tag.Map ? CellKind.Map : CellKind.Set, from->Count);
                Value result = new(source.Tag, (long)to);
                int mark = heap.Protect(result);
                for (int i = 0; i < from->Count; i++)
                {
                    Entry* entry = from->At(i);
                    int key = heap.Protect(scalars.Of(entry->Key, heap));
                    int item = heap.Protect(Copy(entry->Item, heap, scalars));
                    heap.Put(to, heap.Protected[key], heap.Protected[item]);
                    heap.Release(key);
                }

                heap.Release(mark);
                return result;
            }

            default:
                return scalars.Of(source, heap);
        }
    }
}

/// <summary>What a copy of plain data has for a scalar.</summary>
internal interface IScalars
{
    Value Of(Value scalar, CellHeap heap);
}

/// <summary>The same: where the cells of both belong to one heap, or live as long as the program.</summary>
internal readonly struct SharedScalars : IScalars
{
    public Value Of(Value scalar, CellHeap heap) => scalar;
}

/// <summary>
/// Copies plain data out of a heap, to .NET or into another heap. A String that stands in many places is copied once: its copies would take
/// more memory than was ever paid for.
/// </summary>
internal sealed unsafe class DataCopier(MemoryGuard guard) : IScalars
{
    /// <summary>Shorter ones are copied faster than they are found.</summary>
    private const int ShortText = 32;

    /// <summary>About what .NET takes for a value, its object and those that hold its parts, and for an element.</summary>
    private const int BytesOfValue = 48;
    private const int BytesOfElement = 16;

    private Dictionary<nint, string>? _texts;
    private Dictionary<nint, nint>? _cells;

    private static readonly Data True = Data.NewBool(true);
    private static readonly Data False = Data.NewBool(false);

    private readonly LentBytes _lent = new(guard);

    /// <summary>About so many bytes the copies made for .NET take.</summary>
    public long Bytes => _lent.Total;

    /// <summary>Of a value that is plain data within the limits. Lent by the guard, part by part, before it is made.</summary>
    public Data ToData(Value* value)
    {
        switch (value->Tag)
        {
            case Tag.Null:
                return Data.Null;
            case Tag.Bool:
                return value->Payload != 0 ? True : False;
            default:
                _lent.Take(BytesOfValue);
                break;
        }

        switch (value->Tag)
        {
            case Tag.Int:
                return Data.NewInt(Integers.Of(value));
            case Tag.BigInt:
                _lent.Take(value->Big->Bytes);
                return Data.NewInt(Integers.Of(value));
            case Tag.Float:
                return Data.NewFloat(value->Float);
            case Tag.String:
                return Data.NewString(TextOf(value->String));
            case Tag.List:
            {
                _lent.Take(BytesOfElement * (long)value->List->Count);
                Data[] items = new Data[value->List->Count];
                for (int i = 0; i < items.Length; i++)
                {
                    Value item = value->List->Get(i);
                    items[i] = ToData(&item);
                }

                return Data.NewList(items);
            }

            case Tag.Set:
            {
                _lent.Take(BytesOfElement * (long)value->Set->Count);
                Data[] items = new Data[value->Set->Count];
                for (int i = 0; i < items.Length; i++)
                {
                    items[i] = ToData(&value->Set->At(i)->Key);
                }

                return Data.NewSet(items);
            }

            case Tag.Map:
            {
                _lent.Take(2 * BytesOfElement * (long)value->Map->Count);
                var entries = new KeyValuePair<Data, Data>[value->Map->Count];
                for (int i = 0; i < entries.Length; i++)
                {
                    Entry* entry = value->Map->At(i);
                    entries[i] = new(ToData(&entry->Key), ToData(&entry->Item));
                }

                return Data.NewMap(entries);
            }

            default:
                throw new InvalidOperationException($"a {value->Tag} is no plain data");
        }
    }

    /// <summary>The same in another heap.</summary>
    public Value To(CellHeap heap, Value value) => PlainData.Copy(value, heap, this);

    Value IScalars.Of(Value scalar, CellHeap heap) =>
        scalar.Tag switch
        {
            Tag.BigInt => heap.NewInteger(Integers.Of(scalar.Big)),
            Tag.String => Value.Of(CellOf(heap, scalar.String)),
            _ => scalar,
        };

    private string TextOf(StringCell* text)
    {
        string? copy = null;
        if (text->Length < ShortText || _texts is null || !_texts.TryGetValue((nint)text, out copy))
        {
            _lent.Take(sizeof(char) * (text->Header.Width == 4 ? 2L : 1L) * text->Length);
            copy = Text.ToDotNet(text);
            if (text->Length >= ShortText)
            {
                (_texts ??= []).Add((nint)text, copy);
            }
        }

        return copy;
    }

    private StringCell* CellOf(CellHeap heap, StringCell* text)
    {
        if (text->Length >= ShortText && _cells is not null && _cells.TryGetValue((nint)text, out nint known))
        {
            // What is being copied holds it.
            return (StringCell*)known;
        }

        StringCell* copy = heap.NewString(text->Length, text->Header.Width);
        new ReadOnlySpan<byte>(text->Data, text->Bytes).CopyTo(new Span<byte>(copy->Data, text->Bytes));
        copy->Hash = text->Hash;
        if (text->Length >= ShortText)
        {
            (_cells ??= []).Add((nint)text, (nint)copy);
        }

        return copy;
    }
}
