using System.Numerics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Zexus.Vm;

/// <summary>Maps and Sets. Keys are Null, Bool, Int, Float (never NaN) and String; the callers see to it.</summary>
internal sealed unsafe partial class CellHeap
{
    /// <summary>Up to here a scan of the entries' hashes is faster than an index.</summary>
    private const int Scanned = 8;

    private static readonly ulong Secret = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    public TableCell* NewTable(CellKind kind, int capacity)
    {
        TableCell* cell = (TableCell*)Allocate(kind, sizeof(TableCell));
        cell->Count = 0;
        cell->Capacity = 0;
        cell->Mask = 0;
        cell->Entries = null;
        cell->Index = null;
        cell->EntriesOwner = null;
        cell->IndexOwner = null;
        if (capacity > 0)
        {
            int mark = Protect(new Value(kind == CellKind.Map ? Tag.Map : Tag.Set, (long)cell));
            Reserve(cell, capacity);
            Release(mark);
        }

        return cell;
    }

    /// <summary>Gives a table an index that is too small to need one.</summary>
    public void Index(TableCell* table) => Reindex(table, NewBuffer(SlotsFor(table, table->Count) * (long)sizeof(int)));

    /// <summary>Equal keys hash alike: 1, 1.0 and true; a big Int and the Float of the same value.</summary>
    public static int HashKey(Value* key)
    {
        switch (key->Tag)
        {
            case Tag.String:
                return Text.Hash(key->String);
            case Tag.Int:
            case Tag.Bool:
                return HashInteger(key->Payload);
            case Tag.Float:
                return HashFloat(key->Float);
            case Tag.BigInt:
                BigInteger big = Integers.Of(key->Big);
                double near = Integers.ToDouble(big);
                return Integers.Compare(big, near) == 0
                    ? HashFloat(near)
                    : HashInteger(
                        string.GetHashCode(new ReadOnlySpan<char>(BigCell.Data(key->Big), key->Big->Bytes / 2))
                    );
            default:
                return 1;
        }
    }

    private static int HashFloat(double value)
    {
        if (value >= -9223372036854775808.0 && value < 9223372036854775808.0)
        {
            long whole = (long)value;
            if (whole == value)
            {
                return HashInteger(whole);
            }
        }

        return HashInteger(BitConverter.DoubleToInt64Bits(value) ^ 0x5555);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int HashInteger(long value)
    {
        ulong high = Math.BigMul((ulong)value ^ Secret, 0x9E3779B97F4A7C15UL, out ulong low);
        ulong mixed = high ^ low;
        return (int)(mixed ^ (mixed >> 32));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool SameKey(Value* a, Value* b)
    {
        if (a->Tag == b->Tag && a->Tag != Tag.String)
        {
            if (a->Tag <= Tag.Int)
            {
                return a->Payload == b->Payload;
            }
        }
        else if (a->Tag == Tag.String || b->Tag == Tag.String)
        {
            return a->Tag == b->Tag && Text.Equal(a->String, b->String);
        }

        return SameNumber(a, b);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool SameNumber(Value* a, Value* b) =>
        a->Tag == Tag.Null || b->Tag == Tag.Null ? a->Tag == b->Tag : Integers.CompareNumbers(a, b) == 0;

    /// <summary>The number of the entry under a key; -1 when there is none.</summary>
    public static int Find(TableCell* table, Value* key) =>
        key->Tag == Tag.String ? Find(table, key->String) : Search(table, HashKey(key), new SoughtKey(key));

    /// <summary>A String looks first where it was found last.</summary>
    public static int Find(TableCell* table, StringCell* text)
    {
        int entry = text->Entry;
        if ((uint)entry < (uint)table->Count && IsKey(table->Entries + entry, text))
        {
            return entry;
        }

        entry = Search(table, Text.Hash(text), new SoughtText(text));
        if (entry >= 0 && IsKey(table->Entries + entry, text) && (text->Header.Flags & Cell.Immortal) == 0)
        {
            text->Entry = entry;
        }

        return entry;
    }

    private static bool IsKey(Entry* entry, StringCell* text) =>
        entry->Key.Payload == (long)text && entry->Key.Tag == Tag.String;

    /// <summary>Is an entry's key the one that is looked for? A type of its own for each, so that a search is compiled for it.</summary>
    private interface ISought
    {
        bool IsSame(Value* key);
    }

    private readonly struct SoughtText(StringCell* text) : ISought
    {
        public bool IsSame(Value* key) => key->Tag == Tag.String && Text.Equal(key->String, text);
    }

    private readonly struct SoughtKey(Value* sought) : ISought
    {
        public bool IsSame(Value* key) => SameKey(key, sought);
    }

    private static int Search<TSought>(TableCell* table, int hash, TSought sought)
        where TSought : struct, ISought
    {
        Entry* entries = table->Entries;
        if (table->Mask == 0)
        {
            int count = table->Count;
            for (int i = 0; i < count; i++)
            {
                if (entries[i].Hash == hash && sought.IsSame(&entries[i].Key))
                {
                    return i;
                }
            }

            return -1;
        }

        int mask = table->Mask;
        int* index = table->Index;
        for (int slot = hash & mask; ; slot = (slot + 1) & mask)
        {
            int entry = index[slot] - 1;
            if (entry < 0)
            {
                return -1;
            }

            if (entries[entry].Hash == hash && sought.IsSame(&entries[entry].Key))
            {
                return entry;
            }
        }
    }

    /// <summary>Puts an item under a key, both of them rooted, in the key's place or at the end; true when the key is new.</summary>
    public bool Put(TableCell* table, Value key, Value item)
    {
        int found = Find(table, &key);
        if (found >= 0)
        {
            table->At(found)->Item = item;
            return false;
        }

        Add(table, key, item, HashKey(&key));
        return true;
    }

    /// <summary>Adds an element unless an equal one is there; true when it is new.</summary>
    public bool Add(TableCell* table, Value key)
    {
        if (Find(table, &key) >= 0)
        {
            return false;
        }

        Add(table, key, default, HashKey(&key));
        return true;
    }

    private void Add(TableCell* table, Value key, Value item, int hash)
    {
        int count = table->Count;
        if (count == table->Capacity)
        {
            Reserve(table, count + 1);
        }

        // Whatever is allocated is allocated before the table changes.
        bool indexed = table->Mask != 0 && (count + 1) * 3L <= table->Mask * 2L;
        bool reindex = !indexed && count + 1 > Scanned;
        BufferCell* index = reindex ? NewBuffer(SlotsFor(table, count + 1) * (long)sizeof(int)) : null;
        Entry* entry = table->Entries + count;
        entry->Key = key;
        entry->Item = item;
        entry->Hash = hash;
        table->Count = count + 1;
        if (key.Tag == Tag.String && (key.String->Header.Flags & Cell.Immortal) == 0)
        {
            key.String->Entry = count;
        }

        if (indexed)
        {
            Insert(table, hash, count);
        }
        else if (reindex)
        {
            Reindex(table, index);
        }
    }

    private void Reserve(TableCell* table, int atLeast)
    {
        long wanted = Math.Max(Math.Max(atLeast, 4L) * sizeof(Entry), Doubled(table->Capacity * (long)sizeof(Entry)));
        BufferCell* buffer = NewBuffer(wanted);
        Entry* entries = (Entry*)BufferCell.Data(buffer);
        long bytes = (long)table->Count * sizeof(Entry);
        Buffer.MemoryCopy(table->Entries, entries, bytes, bytes);
        FreeBuffer(table->EntriesOwner);
        table->EntriesOwner = buffer;
        table->Entries = entries;
        table->Capacity = BufferCell.Capacity(buffer) / sizeof(Entry);
    }

    private static void Insert(TableCell* table, int hash, int entry)
    {
        int mask = table->Mask;
        int* index = table->Index;
        int slot = hash & mask;
        while (index[slot] != 0)
        {
            slot = (slot + 1) & mask;
        }

        index[slot] = entry + 1;
    }

    /// <summary>An index half full, as large as the capacity of the entries wants it.</summary>
    private static int SlotsFor(TableCell* table, int count) =>
        (int)BitOperations.RoundUpToPowerOf2((uint)(Math.Max(table->Capacity, count) * 2));

    /// <summary>Makes the index anew.</summary>
    private void Reindex(TableCell* table, BufferCell* buffer)
    {
        int slots = SlotsFor(table, table->Count);
        FreeBuffer(table->IndexOwner);
        table->IndexOwner = buffer;
        table->Index = (int*)BufferCell.Data(table->IndexOwner);
        table->Mask = slots - 1;
        new Span<int>(table->Index, slots).Clear();
        for (int i = 0; i < table->Count; i++)
        {
            Insert(table, table->Entries[i].Hash, i);
        }
    }

    /// <summary>Takes an entry out; those behind it move up, so that the k-th entry stays at k.</summary>
    public static void RemoveAt(TableCell* table, int entry)
    {
        if (table->Mask != 0)
        {
            RemoveFromIndex(table, entry);
        }

        int behind = table->Count - entry - 1;
        if (behind > 0)
        {
            long bytes = (long)behind * sizeof(Entry);
            Buffer.MemoryCopy(table->Entries + entry + 1, table->Entries + entry, bytes, bytes);
        }

        table->Count--;
    }

    private static void RemoveFromIndex(TableCell* table, int entry)
    {
        int mask = table->Mask;
        int* index = table->Index;
        int hole = table->Entries[entry].Hash & mask;
        while (index[hole] != entry + 1)
        {
            hole = (hole + 1) & mask;
        }

        // Linear probing without tombstones: what was pushed past the hole moves back into it.
        for (int slot = (hole + 1) & mask; index[slot] != 0; slot = (slot + 1) & mask)
        {
            int home = table->Entries[index[slot] - 1].Hash & mask;
            if (((slot - home) & mask) >= ((slot - hole) & mask))
            {
                index[hole] = index[slot];
                hole = slot;
            }
        }

        index[hole] = 0;
        if (entry == table->Count - 1)
        {
            return;
        }

        Vector<int> limit = new(entry + 1);
        int i = 0;
        for (; i + Vector<int>.Count <= mask + 1; i += Vector<int>.Count)
        {
            Vector<int> slots = Vector.Load(index + i);
            Vector.Store(slots + Vector.GreaterThan(slots, limit), index + i);
        }

        for (; i <= mask; i++)
        {
            if (index[i] > entry + 1)
            {
                index[i]--;
            }
        }
    }
}
