using System.Collections.Frozen;
using System.Numerics;
using System.Runtime.InteropServices;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// The state that a contract's execution begins on: a table, which remembers what it was asked, or what the calls before in the same
/// execution have written, over what the host has.
/// </summary>
internal readonly struct HostState
{
    private readonly IReadOnlyDictionary<string, Data>? _written;
    private readonly IStateSource? _source;
    private readonly Limits? _limits;

    public HostState(StateTable table)
    {
        Table = table;
    }

    public HostState(IReadOnlyDictionary<string, Data>? written, IStateSource? source, Limits limits)
    {
        _written = written;
        _source = source;
        _limits = limits;
    }

    public StateTable? Table { get; }

    /// <summary>What stands under a key where there is no table, null when nothing does.</summary>
    /// <returns>False when its weight is more than the gas that is left.</returns>
    /// <exception cref="HostGuardException">There is no memory for it. What is lent meanwhile is the caller's to end.</exception>
    public bool TryFind(string key, long gas, MemoryGuard guard, out Data? data)
    {
        if (_written is not null && _written.TryGetValue(key, out data))
        {
            return !DataVisitor.WeighsMore(data, gas, _limits!);
        }

        data = null;
        return _source is null || SourceReading.ReadWithin(_source, key, gas, _limits!, guard, out data);
    }
}

/// <summary>
/// What a contract's execution can change outside its variables: state, registrations, and what it shares with the contracts that it
/// calls (<see cref="ChainEffects"/>). What it writes to the state is a Map in its heap over the host's state, with an undo journal, so a
/// transaction costs what it writes, whatever the size of the state.
/// </summary>
internal sealed unsafe class World(CellHeap heap, MemoryGuard guard) : IDisposable
{
    private readonly record struct Transaction(long Number, int Journal, ChainEffects.Mark Effects, int Registrations);

    private readonly record struct Registered(int Event, int Handler);

    /// <summary>About what .NET takes for a key in a dictionary, and in a journal.</summary>
    private const int BytesOfWrite = 160;

    private readonly List<Registered> _registrations = [];
    private readonly HashSet<Registered> _registered = [];
    private readonly Dictionary<int, EventHandlers> _handlers = [];

    private HostState _state;
    private ChainEffects _effects = null!;
    private BigInteger _timestamp;

    /// <summary>This contract in <see cref="_effects"/>, and how far they had come when its execution began.</summary>
    private uint _number;
    private ChainEffects.Mark _start;

    /// <summary>A Map; null before the first write.</summary>
    private TableCell* _written;

    /// <summary>A Map of what was read from the host or from earlier calls, where no <see cref="StateTable"/> keeps it; null before the first.</summary>
    private TableCell* _seen;

    // The journal: for each write in a transaction the entry of the Map that it changed, and the item that stood there.
    // An entry that it added is ~entry, and undone in its turn it is the last one.
    private int* _changed;
    private Value* _before;
    private int _journal;
    private int _journalCapacity;

    private Transaction* _open;
    private int _openCount;
    private int _openCapacity;

    private static readonly int BytesOfChange = sizeof(int) + sizeof(Value);

    ~World() => Free();

    public int OpenTransactions => _openCount;

    /// <summary>The number of the last TX_BEGIN; later ones have larger numbers.</summary>
    public long LastTransaction { get; private set; }

    public void Dispose()
    {
        ClearHandlers();
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.Free(_changed);
        NativeMemory.Free(_before);
        _changed = null;
        _before = null;
        guard.Count(-(long)_journalCapacity * BytesOfChange);
        _journalCapacity = 0;
        NativeMemory.Free(_open);
        _open = null;
        guard.Count(-(long)_openCapacity * sizeof(Transaction));
        _openCapacity = 0;
    }

    private void ClearHandlers()
    {
        foreach (EventHandlers handlers in _handlers.Values)
        {
            handlers.Dispose();
        }

        _handlers.Clear();
    }

    /// <summary>An execution begins on this state.</summary>
    public void Start(HostState state, ChainEffects effects, string contract, string[] names, BigInteger timestamp)
    {
        _state = state;
        _effects = effects;
        _number = (uint)effects.NumberOf(contract, names);
        _start = effects.Now;
        _timestamp = timestamp;
        _written = null;
        _seen = null;
        _journal = 0;
        _openCount = 0;
        if (
            Math.Max((long)_journalCapacity * BytesOfChange, (long)_openCapacity * sizeof(Transaction))
            > guard.KeptTable
        )
        {
            Free();
        }

        _registrations.Clear();
        _registered.Clear();
        ClearHandlers();
        LastTransaction = 0;
    }

    /// <summary>What the execution has written, and what a revert would bring back.</summary>
    public void GiveRoots()
    {
        if (_written is not null)
        {
            heap.Protect(new Value(Tag.Map, (long)_written));
        }

        if (_seen is not null)
        {
            heap.Protect(new Value(Tag.Map, (long)_seen));
        }

        heap.AddRoots(_before, _before + _journal);
    }

    /// <summary>What was written, for a result.</summary>
    public IReadOnlyDictionary<string, Data> Writes() => Writes(out _);

    /// <summary>The same, and about how many bytes it takes.</summary>
    /// <exception cref="HostGuardException">They and what the execution has are not within the limit together.</exception>
    public IReadOnlyDictionary<string, Data> Writes(out long bytes)
    {
        if (_written is null || _written->Count == 0)
        {
            bytes = 0;
            return FrozenDictionary<string, Data>.Empty;
        }

        bytes = 0;
        DataCopier copier = new(guard);
        Dictionary<string, Data> written = new(_written->Count, StringComparer.Ordinal);
        for (int i = 0; i < _written->Count; i++)
        {
            Entry* entry = _written->At(i);
            long key = BytesOfWrite + (sizeof(char) * (long)entry->Key.String->Length);
            bytes += key;
            guard.Lend(key);
            written.Add(Text.ToDotNet(entry->Key.String), copier.ToData(&entry->Item));
        }

        bytes += copier.Bytes;
        return written;
    }

    /// <summary>What stands under a key, a String, until the next read or write; null when nothing does or the host would have to be asked.</summary>
    public Value* Peek(StringCell* key)
    {
        int at = _written is null ? -1 : CellHeap.Find(_written, key);
        return at >= 0 ? &_written->At(at)->Item
            : _state.Table is { } table ? table.Peek(key)
            : null;
    }

    /// <summary>The table of the host's state, while it is all that there is to look at; else null.</summary>
    public StateTable? OnlyTable => _written is null ? _state.Table : null;

    /// <summary>What the host has under a key that <see cref="Peek"/> does not find, until the next read or write; null when it has nothing.</summary>
    /// <returns>False when its weight is more than the gas that is left.</returns>
    /// <exception cref="HostGuardException">There is no memory for it. What is lent meanwhile is the caller's to end.</exception>
    public bool TryReadFromHost(Value* key, long gas, out Value* item)
    {
        if (_state.Table is { } table)
        {
            return table.TryFindInSource(key, gas, out item);
        }

        item = null;
        int at = _seen is null ? -1 : CellHeap.Find(_seen, key);
        if (at < 0)
        {
            if (!_state.TryFind(Text.ToDotNet(key->String), gas, guard, out Data? data))
            {
                return false;
            }

            if (data is null)
            {
                return true;
            }

            _seen = _seen is null ? heap.NewTable(CellKind.Map, 0) : _seen;
            int mark = heap.Protect(PlainData.ToValue(data, heap));
            heap.Put(_seen, *key, heap.Protected[mark]);
            heap.Release(mark);
            at = _seen->Count - 1;
        }

        item = &_seen->At(at)->Item;
        return true;
    }

    /// <summary>Of a rooted String and rooted plain data that nobody else changes.</summary>
    public void Write(Value* key, Value item)
    {
        if (_written is null)
        {
            _written = heap.NewTable(CellKind.Map, 0);
        }

        if (Replace(key->String, item))
        {
            return;
        }

        heap.Put(_written, *key, item);
        if (_openCount > 0)
        {
            Note(~(_written->Count - 1), Value.Null);
        }
    }

    /// <summary>The same if the execution has written under the key before; otherwise nothing, and false.</summary>
    public bool Replace(StringCell* key, Value item)
    {
        int at = _written is null ? -1 : CellHeap.Find(_written, key);
        if (at < 0)
        {
            return false;
        }

        Value* place = &_written->At(at)->Item;
        if (_openCount > 0)
        {
            Note(at, *place);
        }

        *place = item;
        return true;
    }

    /// <summary>Whether a write is noted without more memory for that: where it is not, a safepoint has to be made of it.</summary>
    public bool HasRoomToNote => _openCount == 0 || _journal < _journalCapacity;

    private void Note(int changed, Value before)
    {
        if (_journal == _journalCapacity)
        {
            int capacity = guard.Grown(_journalCapacity, 64, BytesOfChange, isSafepoint: true);
            _changed = (int*)NativeMemory.Realloc(_changed, (nuint)capacity * sizeof(int));
            _before = (Value*)NativeMemory.Realloc(_before, (nuint)capacity * (nuint)sizeof(Value));
            guard.Count((long)(capacity - _journalCapacity) * BytesOfChange);
            _journalCapacity = capacity;
        }

        _changed[_journal] = changed;
        _before[_journal++] = before;
    }

    public void Append(Value* entry)
    {
        BeginEntry(_effects.Ledger);
        _effects.Ledger.Write(entry);
    }

    /// <summary>A Map that the block's timestamp is added to.</summary>
    public void AppendStamped(TableCell* entry, StringCell* key)
    {
        BeginEntry(_effects.Ledger);
        _effects.Ledger.Write(entry, key, _timestamp);
    }

    public void Audit(Value* data, Value* action)
    {
        BeginEntry(_effects.Audit);
        _effects.Audit.Write(data);
        _effects.Audit.Write(action);
    }

    public void Emit(int name, Value* payload)
    {
        BeginEntry(_effects.Events);
        _effects.Events.WriteNumber((uint)name);
        _effects.Events.Write(payload);
    }

    /// <summary>With a Map that is not there: its entries, each a key and an item.</summary>
    public void Emit(int name, Value* entries, int count)
    {
        BeginEntry(_effects.Events);
        _effects.Events.WriteNumber((uint)name);
        _effects.Events.WriteMap(entries, count);
    }

    private void BeginEntry(DataLog log)
    {
        log.BeginEntry();
        log.WriteNumber(_number);
    }

    public void Register(int name, Registration handler)
    {
        Registered registered = new(name, handler.Name);
        if (!_registered.Add(registered))
        {
            return;
        }

        _registrations.Add(registered);
        if (!_handlers.TryGetValue(name, out EventHandlers? handlers))
        {
            handlers = new EventHandlers(guard);
            _handlers.Add(name, handlers);
        }

        handlers.Add(handler);
    }

    public bool HasHandlers(int name) => _handlers.Count > 0 && HandlersOf(name) is { Count: > 0 };

    /// <summary>The event's handlers; null when none was ever registered.</summary>
    public EventHandlers? HandlersOf(int name) => _handlers.GetValueOrDefault(name);

    public void Begin()
    {
        if (_openCount == _openCapacity)
        {
            int capacity = guard.Grown(_openCapacity, 16, sizeof(Transaction));
            _open = (Transaction*)NativeMemory.Realloc(_open, (nuint)capacity * (nuint)sizeof(Transaction));
            guard.Count((long)(capacity - _openCapacity) * sizeof(Transaction));
            _openCapacity = capacity;
        }

        _open[_openCount++] = new Transaction(++LastTransaction, _journal, _effects.Now, _registrations.Count);
    }

    public void Commit()
    {
        if (_openCount == 0)
        {
            return;
        }

        // What it wrote stays in the journal, for the parent to undo.
        if (--_openCount == 0)
        {
            _journal = 0;
        }
    }

    public void Revert()
    {
        if (_openCount == 0)
        {
            return;
        }

        Transaction transaction = _open[--_openCount];
        while (_journal > transaction.Journal)
        {
            int changed = _changed[--_journal];
            if (changed >= 0)
            {
                _written->At(changed)->Item = _before[_journal];
            }
            else
            {
                CellHeap.RemoveAt(_written, ~changed);
            }
        }

        _effects.Cut(transaction.Effects);
        for (int i = _registrations.Count - 1; i >= transaction.Registrations; i--)
        {
            // Registrations of one event stand in order, so the last of all is the last of its event.
            Registered registered = _registrations[i];
            _handlers[registered.Event].RemoveLast();
            _registered.Remove(registered);
        }

        _registrations.RemoveRange(transaction.Registrations, _registrations.Count - transaction.Registrations);
    }

    /// <summary>Reverts the open transactions that began after the one of that number.</summary>
    public void RevertTo(long number)
    {
        while (_openCount > 0 && _open[_openCount - 1].Number > number)
        {
            Revert();
        }
    }

    /// <summary>The execution has completed: what is still open is reverted.</summary>
    public void EndExecution() => RevertTo(0);

    /// <summary>The execution has failed: only audit log and output stay.</summary>
    public void Abandon()
    {
        _openCount = 0;
        _journal = 0;
        _written = null;
        _effects.Cut(_start);
    }
}
