using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// The host's state as executions read it: copied once into cells that no execution owns or changes, so that a read finds
/// its key by the hash that the String has already and shares every scalar that it finds. What a source has is copied when it is
/// first read.
/// </summary>
internal sealed unsafe class StateTable : IDisposable
{
    /// <summary>A small state has a sparse index, since where keys share a slot nothing foretells how often to look.</summary>
    private const int FewestPlaces = 64;

    private readonly IStateSource? _source;
    private readonly Limits _limits;
    private readonly CellHeap? _heap;
    private readonly TableCell* _entries;

    /// <summary>A Set of the keys that the source was asked for and does not have.</summary>
    private readonly TableCell* _missing;

    private readonly MemoryGuard _guard;

    /// <summary>Bytes of the heap that the guard does not count: the state, which is the host's.</summary>
    private readonly long _given;

    /// <param name="state">Copied at once.</param>
    /// <param name="source">Asked for other keys; null when there is none.</param>
    /// <param name="limits">What comes from the source is held against these.</param>
    /// <param name="guard">Counts what is learned from the source, since programs decide which keys that are.</param>
    public StateTable(IReadOnlyDictionary<string, Data> state, IStateSource? source, Limits limits, MemoryGuard guard)
    {
        _guard = guard;
        Data = state;
        _source = source;
        _limits = limits;
        if (state.Count == 0 && source is null)
        {
            return;
        }

        _heap = new CellHeap(guard, immortal: true);
        try
        {
            _entries = _heap.NewTable(CellKind.Map, Math.Max(state.Count, FewestPlaces));
            _heap.Index(_entries);
            _missing = _heap.NewTable(CellKind.Set, 0);
            foreach (KeyValuePair<string, Data> pair in state)
            {
                Add(pair.Key, pair.Value);
            }
        }
        catch
        {
            // The guard knows it, so nothing else would free it.
            _heap.Dispose();
            throw;
        }

        _heap.ReleaseFree();
        _given = _heap.Bytes;
        guard.Count(-_given);
    }

    /// <summary>Bytes that the table has grown by what the source has and has not.</summary>
    public long Learned => _heap is null ? 0 : _heap.Bytes - _given;

    /// <summary>The same in .NET's terms, for results; without what only the source has.</summary>
    public IReadOnlyDictionary<string, Data> Data { get; }

    /// <summary>What stands under a key, null when nothing does or the source would have to be asked.</summary>
    public Value* Peek(StringCell* key)
    {
        int at = _entries is null ? -1 : CellHeap.Find(_entries, key);
        return at >= 0 ? &_entries->At(at)->Item : null;
    }

    /// <summary>
    /// The same if the key is the first that is looked at: its hash is known, its entry in the slot that the hash names, and the text of 8 to
    /// 16 bytes. Null otherwise, whether or not anything stands under it.
    /// </summary>
    /// <remarks>Most keys are, since the index is at most half full; and what calls nothing and loops nowhere needs no stack frame.</remarks>
    public Value* PeekAtHome(StringCell* key)
    {
        TableCell* entries = _entries;
        int hash = key->Hash;
        if (entries is null || hash == 0)
        {
            return null;
        }

        int at = entries->Index[hash & entries->Mask] - 1;
        if (at < 0)
        {
            return null;
        }

        Entry* entry = entries->At(at);
        return entry->Hash == hash && Text.EqualInTwoWords(entry->Key.String, key) ? &entry->Item : null;
    }

    /// <summary>What the source has under a key that <see cref="Peek"/> does not find, null when it has nothing.</summary>
    /// <returns>False when its weight is more than the gas that is left.</returns>
    /// <exception cref="HostGuardException">There is no memory for it. What is lent meanwhile is the caller's to end.</exception>
    public bool TryFindInSource(Value* key, long gas, out Value* item)
    {
        item = null;
        if (_source is null || CellHeap.Find(_missing, key) >= 0)
        {
            return true;
        }

        string name = Text.ToDotNet(key->String);
        if (!SourceReading.ReadWithin(_source, name, gas, _limits, _guard, out Data? data))
        {
            return false;
        }

        if (data is null)
        {
            _heap!.Add(_missing, KeyOf(name));
        }
        else
        {
            Add(name, data);
            item = &_entries->At(_entries->Count - 1)->Item;
        }

        return true;
    }

    public void Dispose()
    {
        if (_heap is not null && _heap.Bytes > 0)
        {
            _heap.Dispose();
            _guard.Count(_given);
        }
    }

    private void Add(string key, Data value) =>
        _heap!.Put(_entries, KeyOf(key), PlainData.ToValue(value, _heap, prepareHashes: true));

    private Value KeyOf(string key) => Value.Of(_heap!.NewString(key));
}
