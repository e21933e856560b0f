using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// The host's state as executions read it: copied once into cells that no execution owns or changes, so that a read finds
/// its key by the hash that the String has already and shares every scalar that it finds.
/// </summary>
internal sealed unsafe class StateTable : IDisposable
{
    private readonly CellHeap? _heap;
    private readonly TableCell* _entries;

    public StateTable(IReadOnlyDictionary<string, Data> state)
    {
        Data = state;
        if (state.Count == 0)
        {
            return;
        }

        _heap = new CellHeap(immortal: true);
        _entries = _heap.NewTable(CellKind.Map, state.Count);
        foreach (KeyValuePair<string, Data> pair in state)
        {
            Value key = Value.Of(_heap.NewString(pair.Key));
            _heap.Put(_entries, key, PlainData.ToValue(pair.Value, _heap, prepareHashes: true));
        }
    }

    /// <summary>The same in .NET's terms, for results.</summary>
    public IReadOnlyDictionary<string, Data> Data { get; }

    /// <summary>What stands under a key, null when nothing does.</summary>
    public Value* Find(Value* key)
    {
        int at = _entries is null ? -1 : CellHeap.Find(_entries, key);
        return at < 0 ? null : &_entries->At(at)->Item;
    }

    public void Dispose() => _heap?.Dispose();
}
