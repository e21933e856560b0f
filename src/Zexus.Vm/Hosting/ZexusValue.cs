using System.Numerics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The kinds of values.</summary>
public enum ValueKind
{
    /// <summary>Nothing.</summary>
    Null,

    /// <summary>True or false.</summary>
    Bool,

    /// <summary>An exact integer.</summary>
    Int,

    /// <summary>A binary64 number.</summary>
    Float,

    /// <summary>A sequence of Unicode scalar values.</summary>
    String,

    /// <summary>A growable sequence.</summary>
    List,

    /// <summary>Keys and values in insertion order.</summary>
    Map,

    /// <summary>Elements in insertion order.</summary>
    Set,

    /// <summary>A closure.</summary>
    Function,

    /// <summary>A task. No program that this engine loads can make one yet.</summary>
    Task,
}

/// <summary>
/// An immutable copy of a value and of all that it reaches. What was shared in the machine is one object here, and a
/// collection that holds itself does so here.
/// </summary>
public sealed class ZexusValue
{
    private static readonly ZexusValue[] None = [];

    private ZexusValue[] _items = None;
    private KeyValuePair<ZexusValue, ZexusValue>[] _entries = [];

    private ZexusValue(ValueKind kind)
    {
        Kind = kind;
    }

    internal static ZexusValue Null { get; } = new(ValueKind.Null);

    internal static ZexusValue True { get; } = new(ValueKind.Bool) { AsBool = true };

    internal static ZexusValue False { get; } = new(ValueKind.Bool);

    /// <summary>What it is.</summary>
    public ValueKind Kind { get; }

    /// <summary>Of a Bool.</summary>
    public bool AsBool { get; private init; }

    /// <summary>Of an Int.</summary>
    public BigInteger AsInteger { get; private init; }

    /// <summary>Of a Float.</summary>
    public double AsFloat { get; private init; }

    /// <summary>Of a String.</summary>
    public string AsString { get; private init; } = "";

    /// <summary>The items of a List, the elements of a Set.</summary>
    public IReadOnlyList<ZexusValue> Items => Kind is ValueKind.List or ValueKind.Set ? _items : None;

    /// <summary>The entries of a Map in insertion order.</summary>
    public IReadOnlyList<KeyValuePair<ZexusValue, ZexusValue>> Entries => _entries;

    /// <summary>Of a Function: its place in the function table; else -1.</summary>
    public int FunctionIndex { get; private init; } = -1;

    /// <summary>Of a Function: what its captured variables hold, in the order of the function's captures.</summary>
    public IReadOnlyList<ZexusValue> Captures => Kind == ValueKind.Function ? _items : None;

    /// <summary>
    /// The same as plain data. Null when it is none: it has a Function, or holds itself, or is deeper than 256 levels or larger than
    /// 1,048,576 elements when what is shared is written out.
    /// </summary>
    public Data? ToData()
    {
        int room = Limits.Default.CollectionLength;
        return ToData(0, ref room);
    }

    private Data? ToData(int depth, ref int room)
    {
        switch (Kind)
        {
            case ValueKind.Null:
                return Data.Null;
            case ValueKind.Bool:
                return Data.NewBool(AsBool);
            case ValueKind.Int:
                return Data.NewInt(AsInteger);
            case ValueKind.Float:
                return Data.NewFloat(AsFloat);
            case ValueKind.String:
                return Data.NewString(AsString);
            case ValueKind.Function:
                return null;
            default:
                break;
        }

        int count = Kind == ValueKind.Map ? _entries.Length : _items.Length;
        room -= count;
        if (depth == Limits.Default.Nesting || room < 0)
        {
            return null;
        }

        var entries = new KeyValuePair<Data, Data>[_entries.Length];
        var items = new Data[_items.Length];
        for (int i = 0; i < entries.Length; i++)
        {
            if (
                _entries[i].Key.ToData(depth + 1, ref room) is not { } key
                || _entries[i].Value.ToData(depth + 1, ref room) is not { } value
            )
            {
                return null;
            }

            entries[i] = new(key, value);
        }

        for (int i = 0; i < items.Length; i++)
        {
            if (_items[i].ToData(depth + 1, ref room) is not { } item)
            {
                return null;
            }

            items[i] = item;
        }

        return Kind switch
        {
            ValueKind.List => Data.NewList(items),
            ValueKind.Set => Data.NewSet(items),
            _ => Data.NewMap(entries),
        };
    }

    internal static ZexusValue Of(BigInteger value) => new(ValueKind.Int) { AsInteger = value };

    internal static ZexusValue Of(double value) => new(ValueKind.Float) { AsFloat = value };

    internal static ZexusValue Of(string value) => new(ValueKind.String) { AsString = value };

    internal static ZexusValue Collection(ValueKind kind) => new(kind);

    internal static ZexusValue Closure(int function) => new(ValueKind.Function) { FunctionIndex = function };

    internal void Fill(ZexusValue[] items) => _items = items;

    internal void Fill(KeyValuePair<ZexusValue, ZexusValue>[] entries) => _entries = entries;
}

/// <summary>
/// Copies values out of the heap, with a list of what is still to fill instead of recursion. The copies are the host's, but while they are made they are
/// there beside the heap, and .NET's objects are larger than cells.
/// </summary>
internal sealed unsafe class ValueCopier
{
    /// <summary>About what .NET takes for a value besides its elements, and for what finds it again.</summary>
    private const int BytesOfValue = 160;

    private readonly LentBytes _lent;
    private readonly Dictionary<nint, ZexusValue> _copies = [];
    private readonly Queue<(nint Cell, ZexusValue Copy)> _pending = new();

    private ValueCopier(MemoryGuard guard) => _lent = new LentBytes(guard);

    /// <exception cref="HostGuardException">The copy and what the execution has are not within the limit together.</exception>
    public static ZexusValue Copy(Value value, ZexusProgram program, MemoryGuard guard)
    {
        ValueCopier copier = new(guard);
        ZexusValue result = copier.Of(value);
        while (copier._pending.TryDequeue(out (nint Cell, ZexusValue Copy) next))
        {
            copier.Fill((Cell*)next.Cell, next.Copy);
        }

        GC.KeepAlive(program);
        return result;
    }

    private ZexusValue Of(Value value)
    {
        switch (value.Tag)
        {
            case Tag.Null:
                return ZexusValue.Null;
            case Tag.Bool:
                return value.Payload != 0 ? ZexusValue.True : ZexusValue.False;
            case Tag.Int:
                _lent.Take(BytesOfValue);
                return ZexusValue.Of((BigInteger)value.Payload);
            case Tag.Float:
                _lent.Take(BytesOfValue);
                return ZexusValue.Of(value.Float);
            default:
                break;
        }

        if (_copies.TryGetValue((nint)value.Payload, out ZexusValue? copy))
        {
            return copy;
        }

        _lent.Take(
            BytesOfValue
                + value.Tag switch
                {
                    Tag.String => sizeof(char) * (long)value.String->Length,
                    Tag.BigInt => value.Big->Bytes,
                    _ => 0,
                }
        );
        copy = value.Tag switch
        {
            Tag.BigInt => ZexusValue.Of(Integers.Of(value.Big)),
            Tag.String => ZexusValue.Of(Text.ToDotNet(value.String)),
            Tag.List => ZexusValue.Collection(ValueKind.List),
            Tag.Map => ZexusValue.Collection(ValueKind.Map),
            Tag.Set => ZexusValue.Collection(ValueKind.Set),
            _ => ZexusValue.Closure(value.Function->Function),
        };
        _copies.Add((nint)value.Payload, copy);
        if (value.Tag >= Tag.List)
        {
            _pending.Enqueue(((nint)value.Payload, copy));
        }

        return copy;
    }

    private void Fill(Cell* cell, ZexusValue copy)
    {
        switch (cell->Kind)
        {
            case CellKind.List:
            {
                ListCell* list = (ListCell*)cell;
                _lent.Take(sizeof(nint) * (long)list->Count);
                var items = new ZexusValue[list->Count];
                for (int i = 0; i < items.Length; i++)
                {
                    items[i] = Of(list->Get(i));
                }

                copy.Fill(items);
                break;
            }

            case CellKind.Set:
            {
                TableCell* set = (TableCell*)cell;
                _lent.Take(sizeof(nint) * (long)set->Count);
                var items = new ZexusValue[set->Count];
                for (int i = 0; i < items.Length; i++)
                {
                    items[i] = Of(set->At(i)->Key);
                }

                copy.Fill(items);
                break;
            }

            case CellKind.Map:
            {
                TableCell* map = (TableCell*)cell;
                _lent.Take(2 * sizeof(nint) * (long)map->Count);
                var entries = new KeyValuePair<ZexusValue, ZexusValue>[map->Count];
                for (int i = 0; i < entries.Length; i++)
                {
                    entries[i] = new(Of(map->At(i)->Key), Of(map->At(i)->Item));
                }

                copy.Fill(entries);
                break;
            }

            default:
            {
                FunctionCell* function = (FunctionCell*)cell;
                _lent.Take(sizeof(nint) * (long)function->Captures);
                var captures = new ZexusValue[function->Captures];
                for (int i = 0; i < captures.Length; i++)
                {
                    captures[i] = Of(FunctionCell.Captured(function)[i]->Value);
                }

                copy.Fill(captures);
                break;
            }
        }
    }
}
