using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>Lists, and everything that decides how one stores its items.</summary>
internal sealed unsafe partial class CellHeap
{
    private const long SmallestGrowth = 7 * 16;

    /// <summary>A List of that many items, which the caller fills; its capacity is the same.</summary>
    public ListCell* NewList(int count, ElementKind kind = ElementKind.Value) => TakeList(count, kind);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ListCell* TakeList(int count, ElementKind kind)
    {
        long bytes = sizeof(ListCell) + ((long)count << kind.Shift());
        ListCell* cell = (ListCell*)Allocate(CellKind.List, bytes, (byte)kind);
        cell->Count = count;
        cell->Capacity = count;
        cell->Items = (byte*)(cell + 1);
        cell->Owner = null;
        return cell;
    }

    /// <summary>A List of that many Nulls, or of what is zero in its kind: for a caller that allocates while it fills it.</summary>
    public ListCell* NewNullList(int count, ElementKind kind = ElementKind.Value)
    {
        ListCell* cell = NewList(count, kind);
        Unsafe.InitBlockUnaligned(cell->Items, 0, (uint)count << kind.Shift());
        return cell;
    }

    /// <summary>A List of values that stand in memory at equal distances, and are rooted.</summary>
    public ListCell* NewListOf(Value* first, int count, int distance = 16)
    {
        byte* at = (byte*)first;
        ElementKind kind = count > 0 ? ElementKinds.Of(first->Tag) : ElementKind.Value;
        for (int i = 1; i < count && kind != ElementKind.Value; i++)
        {
            kind = kind.Takes(((Value*)(at + ((long)i * distance)))->Tag) ? kind : ElementKind.Value;
        }

        ListCell* list = TakeList(count, kind);
        byte* to = list->Items;
        byte* end = to + ((long)count << kind.Shift());
        switch (kind)
        {
            case ElementKind.Value:
                for (; to != end; to += sizeof(Value), at += distance)
                {
                    Value.Copy((Value*)to, (Value*)at);
                }

                break;
            case ElementKind.Bool:
                for (; to != end; to++, at += distance)
                {
                    *to = (byte)((Value*)at)->Payload;
                }

                break;
            default:
                for (; to != end; to += sizeof(long), at += distance)
                {
                    *(long*)to = ((Value*)at)->Payload;
                }

                break;
        }

        return list;
    }

    public void Append(ListCell* list, Value item)
    {
        int count = list->Count;
        if (count == list->Capacity || count == 0 || !list->Kind.Takes(item.Tag))
        {
            Admit(list, item);
        }

        list->Put(count, item);
        list->Count = count + 1;
    }

    /// <summary>Puts an item in the place of another.</summary>
    public void SetItem(ListCell* list, int index, Value item)
    {
        CellChecks.Index(index, list->Count);
        if (!list->Kind.Takes(item.Tag))
        {
            int mark = Protect(Value.Of(list));
            Protect(item);
            Widen(list, list->Count);
            Release(mark);
        }

        list->Put(index, item);
    }

    /// <summary>Copies items to a List of the same kind, or of Values.</summary>
    public static void CopyItems(ListCell* from, int start, ListCell* to, int at, int count)
    {
        if (from->Kind == to->Kind)
        {
            int shift = from->Kind.Shift();
            long bytes = (long)count << shift;
            Buffer.MemoryCopy(from->Items + ((long)start << shift), to->Items + ((long)at << shift), bytes, bytes);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            to->Put(at + i, from->Get(start + i));
        }
    }

    /// <summary>The kind of a List that has the items of both.</summary>
    public static ElementKind Join(ListCell* a, ListCell* b) =>
        a->Count == 0 ? b->Kind
        : b->Count == 0 || a->Kind == b->Kind ? a->Kind
        : ElementKind.Value;

    /// <summary>Makes room for one more item, of whatever kind.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Admit(ListCell* list, Value item)
    {
        if (list->Count == 0)
        {
            list->Header.Width = (byte)ElementKinds.Of(item.Tag);
            list->Capacity = (int)(RoomFor(list) >> list->Kind.Shift());
            if (list->Capacity > 0)
            {
                return;
            }
        }

        int mark = Protect(Value.Of(list));
        Protect(item);
        if (!list->Kind.Takes(item.Tag))
        {
            Widen(list, list->Count + 1);
        }
        else if (list->Count == list->Capacity)
        {
            Move(list, list->Kind, list->Count + 1);
        }

        Release(mark);
    }

    /// <summary>The bytes that a List has for items.</summary>
    private static long RoomFor(ListCell* list) =>
        list->Owner is null ? (list->Header.Units * 16L) - sizeof(ListCell) : BufferCell.Capacity(list->Owner);

    private void Widen(ListCell* list, int atLeast) => Move(list, ElementKind.Value, atLeast);

    /// <summary>Gives a List a larger buffer, which has its items as they are or as Values.</summary>
    private void Move(ListCell* list, ElementKind kind, int atLeast)
    {
        long room = (long)list->Capacity << list->Kind.Shift();
        long wanted = Math.Max((long)atLeast << kind.Shift(), Math.Max(SmallestGrowth, Doubled(room)));
        BufferCell* buffer = NewBuffer(wanted);
        ListCell old = *list;
        list->Header.Width = (byte)kind;
        list->Owner = buffer;
        list->Items = BufferCell.Data(buffer);
        list->Capacity = BufferCell.Capacity(buffer) >> kind.Shift();
        CopyItems(&old, 0, list, 0, old.Count);
        FreeBuffer(old.Owner);
    }
}
