using System.Numerics;

namespace Zexus.Vm;

/// <summary>Variables, closures, big integers and lists.</summary>
internal sealed unsafe partial class CellHeap
{
    public VariableCell* NewVariable(Value value)
    {
        VariableCell* cell = (VariableCell*)Allocate(CellKind.Variable, sizeof(VariableCell));
        cell->Value = value;
        return cell;
    }

    public FunctionCell* NewFunction(int function, int captures)
    {
        FunctionCell* cell = (FunctionCell*)Allocate(
            CellKind.Function,
            sizeof(FunctionCell) + ((long)captures * sizeof(nint))
        );
        cell->Function = function;
        cell->Captures = captures;
        return cell;
    }

    /// <summary>An Int: small when 64 bits hold it, else a cell. There is no other way to make one from a big integer.</summary>
    public Value NewInteger(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            return Value.Of((long)value);
        }

        int bytes = value.GetByteCount();
        BigCell* cell = (BigCell*)Allocate(CellKind.BigInt, sizeof(BigCell) + bytes);
        cell->Bytes = bytes;
        cell->Bits = (int)value.GetBitLength();
        value.TryWriteBytes(new Span<byte>(BigCell.Data(cell), bytes), out _);
        return new Value(Tag.BigInt, (long)cell);
    }

    /// <summary>A List of that many items, which the caller fills; its capacity is the same.</summary>
    public ListCell* NewList(int count)
    {
        ListCell* cell = (ListCell*)Allocate(CellKind.List, sizeof(ListCell) + ((long)count * sizeof(Value)));
        cell->Count = count;
        cell->Capacity = count;
        cell->Items = (Value*)(cell + 1);
        cell->Owner = null;
        return cell;
    }

    /// <summary>A List of that many Nulls: for a caller that allocates while it fills it.</summary>
    public ListCell* NewNullList(int count)
    {
        ListCell* cell = NewList(count);
        new Span<Value>(cell->Items, count).Clear();
        return cell;
    }

    public void Append(ListCell* list, Value item)
    {
        if (list->Count == list->Capacity)
        {
            Grow(list, list->Count + 1);
        }

        list->Items[list->Count++] = item;
    }

    private void Grow(ListCell* list, int atLeast)
    {
        long wanted = Math.Max(atLeast, Math.Max(7L, list->Capacity * 2L));
        BufferCell* buffer = NewBuffer(wanted * sizeof(Value));
        Value* items = (Value*)BufferCell.Data(buffer);
        long bytes = (long)list->Count * sizeof(Value);
        Buffer.MemoryCopy(list->Items, items, bytes, bytes);
        FreeBuffer(list->Owner);
        list->Owner = buffer;
        list->Items = items;
        list->Capacity = BufferCell.Capacity(buffer) / sizeof(Value);
    }
}
