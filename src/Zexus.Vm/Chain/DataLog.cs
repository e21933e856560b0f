using System.Buffers.Binary;
using System.Collections;
using System.Numerics;
using System.Runtime.InteropServices;
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
/// An entry costs its bytes and no object; a revert cuts the end off.
/// </summary>
internal sealed unsafe class DataLog : IDisposable
{
    /// <summary>The most bytes that the execution's memory limit and one array allow.</summary>
    private long _maximum;
    private byte* _bytes;
    private long _capacity;
    private long _used;
    private int[] _starts = new int[16];

    ~DataLog() => NativeMemory.Free(_bytes);

    public int Count { get; private set; }

    public void Dispose()
    {
        NativeMemory.Free(_bytes);
        _bytes = null;
        _capacity = 0;
        GC.SuppressFinalize(this);
    }

    public void Clear(long memoryLimit)
    {
        _maximum = Math.Min(memoryLimit, Array.MaxLength);
        _used = 0;
        Count = 0;
    }

    /// <summary>Drops the entries from this one on.</summary>
    public void Cut(int count)
    {
        if (count < Count)
        {
            _used = _starts[count];
            Count = count;
        }
    }

    /// <summary>Everything that is written until the next entry begins belongs to this one.</summary>
    public void BeginEntry()
    {
        if (Count == _starts.Length)
        {
            Array.Resize(ref _starts, Count * 2);
        }

        _starts[Count++] = (int)_used;
    }

    /// <summary>The log's entries, each made by the reader when it is first asked for.</summary>
    public IReadOnlyList<T> Entries<T>(DataReader.Entry<T> read)
        where T : class
    {
        if (Count == 0)
        {
            return [];
        }

        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)_used);
        new ReadOnlySpan<byte>(_bytes, bytes.Length).CopyTo(bytes);
        return new DataLogEntries<T>(bytes, _starts.AsSpan(0, Count).ToArray(), read);
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
                BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(_bytes + _used + 1, 8), value->Payload);
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
                    Write(list->At(i));
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
        BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(_bytes + _used + 2, 8), value);
        _used += 2 + bytes;
    }

    private void Write(BigInteger value)
    {
        int bytes = value.GetByteCount();
        WriteHead(DataForm.Int, bytes);
        Reserve(bytes);
        value.TryWriteBytes(new Span<byte>(_bytes + _used, bytes), out _);
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
                scalars.CopyTo(new Span<byte>(_bytes + _used, scalars.Length));
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
            _used += new Rune(text->At(i)).EncodeToUtf8(new Span<byte>(_bytes + _used, 4));
        }
    }

    /// <summary>Room for more bytes, and for what a last write of eight may touch behind them.</summary>
    private void Reserve(long more)
    {
        if (_used + more + 8 > _capacity)
        {
            Grow(more + 8);
        }
    }

    private void Grow(long more)
    {
        if (_used + more > _maximum)
        {
            throw new HostGuardException(HostGuard.Memory, "the execution needs more memory than the host allows");
        }

        _capacity = Math.Max(_used + more, Math.Max(4096, _capacity * 2));
        _bytes = (byte*)NativeMemory.Realloc(_bytes, (nuint)_capacity);
    }
}

/// <summary>Reads what <see cref="DataLog"/> has written.</summary>
internal ref struct DataReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

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
                return Data.NewBool(false);
            case DataForm.True:
                return Data.NewBool(true);
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

/// <summary>A log's entries after the execution. Immutable: an entry is the same object each time.</summary>
internal sealed class DataLogEntries<T>(byte[] bytes, int[] starts, DataReader.Entry<T> read) : IReadOnlyList<T>
    where T : class
{
    private T?[]? _entries;

    public int Count => starts.Length;

    public T this[int index]
    {
        get
        {
            T?[] entries = _entries ?? Interlocked.CompareExchange(ref _entries, new T?[Count], null) ?? _entries;
            if (entries[index] is { } entry)
            {
                return entry;
            }

            DataReader reader = new(bytes.AsSpan(starts[index]));
            entry = read(ref reader);
            return Interlocked.CompareExchange(ref entries[index], entry, null) ?? entry;
        }
    }

    public IEnumerator<T> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
