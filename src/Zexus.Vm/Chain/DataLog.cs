using System.Buffers.Binary;
using System.Collections;
using System.Numerics;
using System.Text;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The forms of plain data in bytes: docs/container.md, constants.</summary>
internal static class DataForm
{
    public const byte Null = 0;
    public const byte False = 1;
    public const byte True = 2;
    public const byte Int = 3;
    public const byte Float = 4;
    public const byte String = 5;
    public const byte List = 6;
    public const byte Map = 7;
    public const byte Set = 8;
}

/// <summary>
/// Entries of plain data in bytes, one behind the other: what ledger, events and audit log are while an execution runs.
/// An entry costs its bytes and no object; a revert cuts the end off. No entry lies in two chunks, and full chunks go to the
/// result as they are.
/// </summary>
internal sealed unsafe class DataLog(MemoryGuard guard) : IDisposable
{
    /// <summary>Small enough that .NET collects them with young objects.</summary>
    private const int ChunkBytes = 32 * 1024;

    /// <summary>Where a log ended at some time.</summary>
    public readonly record struct Mark(int Count, int Chunk, int Used);

    private readonly List<ArraySegment<byte>> _full = [];
    private byte[] _bytes = [];
    private int _used;

    /// <summary>Where the last entry begins.</summary>
    private int _start;
    private long _fullBytes;

    private int _count;

    public Mark End => new(_count, _full.Count, _used);

    public void Clear()
    {
        Cut(default);
        if (_bytes.Length > ChunkBytes)
        {
            Replace([]);
        }
    }

    public void Dispose()
    {
        Cut(default);
        Replace([]);
    }

    /// <summary>Drops what has come since.</summary>
    public void Cut(Mark mark)
    {
        if (mark.Chunk < _full.Count)
        {
            for (int i = _full.Count - 1; i >= mark.Chunk; i--)
            {
                Replace(_full[i].Array!);
                _fullBytes -= _full[i].Count;
            }

            _full.RemoveRange(mark.Chunk, _full.Count - mark.Chunk);
        }

        _used = mark.Used;
        _count = mark.Count;
    }

    /// <summary>Another chunk is the last, in place of one that is gone.</summary>
    private void Replace(byte[] chunk)
    {
        guard.Count(-_bytes.Length);
        _bytes = chunk;
    }

    /// <summary>Everything that is written until the next entry begins belongs to this one.</summary>
    public void BeginEntry()
    {
        _start = _used;
        _count++;
    }

    /// <summary>The log's entries for a result, and an empty log; the reader makes an entry.</summary>
    public IReadOnlyList<T> Take<T>(DataReader.Entry<T> read)
    {
        if (_count == 0)
        {
            return [];
        }

        // A small last chunk is copied and written to again.
        bool isSmall = _bytes.Length <= ChunkBytes;
        ArraySegment<byte> last = isSmall
            ? _bytes.AsSpan(0, _used).ToArray()
            : new ArraySegment<byte>(_bytes, 0, _used);
        DataLogEntries<T> entries = new([.. _full, last], _count, read);
        guard.Count(-_full.Sum(chunk => (long)chunk.Array!.Length));
        if (!isSmall)
        {
            Replace([]);
        }

        _full.Clear();
        _fullBytes = 0;
        Cut(default);
        return entries;
    }

    public void Write(Value* value)
    {
        Reserve(16);
        switch (value->Tag)
        {
            case Tag.Null:
                _bytes[_used++] = DataForm.Null;
                break;
            case Tag.Bool:
                _bytes[_used++] = value->Payload != 0 ? DataForm.True : DataForm.False;
                break;
            case Tag.Int:
                Write(value->Payload);
                break;
            case Tag.BigInt:
                Write(Integers.Of(value->Big));
                break;
            case Tag.Float:
                _bytes[_used] = DataForm.Float;
                BinaryPrimitives.WriteInt64LittleEndian(_bytes.AsSpan(_used + 1, 8), value->Payload);
                _used += 9;
                break;
            case Tag.String:
                Write(value->String);
                break;
            case Tag.List:
            {
                ListCell* list = value->List;
                WriteHead(DataForm.List, list->Count);
                for (int i = 0; i < list->Count; i++)
                {
                    Value item = list->Get(i);
                    Write(&item);
                }

                break;
            }

            case Tag.Set:
            {
                TableCell* set = value->Set;
                WriteHead(DataForm.Set, set->Count);
                for (int i = 0; i < set->Count; i++)
                {
                    Write(&set->At(i)->Key);
                }

                break;
            }

            case Tag.Map:
                WriteHead(DataForm.Map, value->Map->Count);
                WriteEntries(value->Map);
                break;

            default:
                throw new InvalidOperationException($"a {value->Tag} is no plain data");
        }
    }

    /// <summary>A Map of these entries: a key and an item each.</summary>
    public void WriteMap(Value* entries, int count)
    {
        WriteHead(DataForm.Map, count);
        for (int i = 0; i < 2 * count; i++)
        {
            Write(entries + i);
        }
    }

    /// <summary>A Map and one entry more, its last.</summary>
    public void Write(TableCell* map, StringCell* key, BigInteger item)
    {
        WriteHead(DataForm.Map, map->Count + 1);
        WriteEntries(map);
        Write(key);
        Write(item);
    }

    /// <summary>A number of ours: seven bits a byte, the lowest first.</summary>
    public void WriteNumber(uint number)
    {
        Reserve(5);
        for (; number >= 0x80; number >>= 7)
        {
            _bytes[_used++] = (byte)(number | 0x80);
        }

        _bytes[_used++] = (byte)number;
    }

    private void WriteHead(byte form, int count)
    {
        Reserve(1);
        _bytes[_used++] = form;
        WriteNumber((uint)count);
    }

    private void WriteEntries(TableCell* map)
    {
        for (int i = 0; i < map->Count; i++)
        {
            Write(&map->At(i)->Key);
            Write(&map->At(i)->Item);
        }
    }

    /// <summary>An Int: its bytes in two's complement, as few as there can be.</summary>
    private void Write(long value)
    {
        int bytes = 1 + ((64 - BitOperations.LeadingZeroCount((ulong)(value ^ (value >> 63)))) / 8);
        _bytes[_used] = DataForm.Int;
        _bytes[_used + 1] = (byte)bytes;
        BinaryPrimitives.WriteInt64LittleEndian(_bytes.AsSpan(_used + 2, 8), value);
        _used += 2 + bytes;
    }

    private void Write(BigInteger value)
    {
        int bytes = value.GetByteCount();
        WriteHead(DataForm.Int, bytes);
        Reserve(bytes);
        value.TryWriteBytes(_bytes.AsSpan(_used, bytes), out _);
        _used += bytes;
    }

    private void Write(StringCell* text)
    {
        if (text->Header.Width == 1)
        {
            ReadOnlySpan<byte> scalars = new(text->Data, text->Length);
            if (Ascii.IsValid(scalars))
            {
                WriteHead(DataForm.String, scalars.Length);
                Reserve(scalars.Length);
                scalars.CopyTo(_bytes.AsSpan(_used));
                _used += scalars.Length;
                return;
            }
        }

        int bytes = 0;
        for (int i = 0; i < text->Length; i++)
        {
            bytes += new Rune(text->At(i)).Utf8SequenceLength;
        }

        WriteHead(DataForm.String, bytes);
        Reserve(bytes);
        for (int i = 0; i < text->Length; i++)
        {
            _used += new Rune(text->At(i)).EncodeToUtf8(_bytes.AsSpan(_used));
        }
    }

    /// <summary>Room for more bytes, and for what a last write of eight may touch behind them.</summary>
    private void Reserve(int more)
    {
        if (_used + (long)more + 8 > _bytes.Length)
        {
            NextChunk(more + 8L);
        }
    }

    /// <summary>The entry that is being written goes on in a new chunk, with what there is of it.</summary>
    private void NextChunk(long more)
    {
        int begun = _used - _start;
        long room = Math.Max(ChunkBytes, (2L * begun) + more);
        if (_fullBytes + _start + room > Array.MaxLength)
        {
            guard.Stop();
        }

        guard.CheckAtSafepoint(room);
        byte[] next = GC.AllocateUninitializedArray<byte>((int)room);
        _bytes.AsSpan(_start, begun).CopyTo(next);
        if (_start > 0)
        {
            _full.Add(new ArraySegment<byte>(_bytes, 0, _start));
            _fullBytes += _start;
        }
        else
        {
            guard.Count(-_bytes.Length);
        }

        _bytes = next;
        guard.Count(room);
        _start = 0;
        _used = begun;
    }
}

/// <summary>Reads what <see cref="DataLog"/> has written.</summary>
internal ref struct DataReader(ReadOnlySpan<byte> bytes)
{
    private static readonly Data True = Data.NewBool(true);
    private static readonly Data False = Data.NewBool(false);

    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>Reads one entry.</summary>
    public delegate T Entry<out T>(ref DataReader reader);

    public Data Read()
    {
        byte form = Take(1)[0];
        switch (form)
        {
            case DataForm.Null:
                return Data.Null;
            case DataForm.False:
                return False;
            case DataForm.True:
                return True;
            case DataForm.Int:
                return Data.NewInt(new BigInteger(Take(ReadNumber())));
            case DataForm.Float:
                return Data.NewFloat(BinaryPrimitives.ReadDoubleLittleEndian(Take(8)));
            case DataForm.String:
                return Data.NewString(Encoding.UTF8.GetString(Take(ReadNumber())));
            case DataForm.List:
                return Data.NewList(ReadItems());
            case DataForm.Set:
                return Data.NewSet(ReadItems());
            case DataForm.Map:
            {
                var entries = new KeyValuePair<Data, Data>[ReadNumber()];
                for (int i = 0; i < entries.Length; i++)
                {
                    Data key = Read();
                    entries[i] = new(key, Read());
                }

                return Data.NewMap(entries);
            }

            default:
                throw new InvalidOperationException($"no form {form}");
        }
    }

    public int ReadNumber()
    {
        uint number = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = Take(1)[0];
            number |= (next & 0x7Fu) << shift;
            if (next < 0x80)
            {
                return (int)number;
            }
        }
    }

    private Data[] ReadItems()
    {
        var items = new Data[ReadNumber()];
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = Read();
        }

        return items;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}

/// <summary>Entries that are bytes still.</summary>
internal interface IWrittenEntries
{
    long Bytes { get; }
}

/// <summary>A log's entries after the execution, read when somebody asks for one. Immutable.</summary>
internal sealed class DataLogEntries<T>(ArraySegment<byte>[] chunks, int count, DataReader.Entry<T> read)
    : IReadOnlyList<T>,
        IWrittenEntries
{
    private T[]? _entries;

    /// <summary>Of all entries as they were written, which are not more than their constants (docs/container.md) and a number each.</summary>
    public long Bytes => chunks.Sum(chunk => (long)chunk.Count);

    public int Count => count;

    public T this[int index] => Entries()[index];

    public IEnumerator<T> GetEnumerator() => Entries().AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private T[] Entries()
    {
        if (_entries is { } entries)
        {
            return entries;
        }

        entries = new T[count];
        int at = 0;
        foreach (ArraySegment<byte> chunk in chunks)
        {
            DataReader reader = new(chunk);
            while (!reader.IsAtEnd)
            {
                entries[at++] = read(ref reader);
            }
        }

        return Interlocked.CompareExchange(ref _entries, entries, null) ?? entries;
    }
}
