using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// What interning would gain where Strings made anew are keys of a Map of 1,000: each is looked up so many times, as it is or
/// after its one cell has been found in a Set of all keys, which is the least that interning costs. Figures are per String.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*Interning*'</c>, from the repository's root.</remarks>
public unsafe class Interning
{
    private const int Keys = 1_000;
    private const int Count = 100_000;

    private sealed class Roots(Interning of) : IRootSource
    {
        public AllocationSite Site => default;

        public void GiveRoots(CellHeap heap)
        {
            Value* start = (Value*)Unsafe.AsPointer(ref of._held[0]);
            heap.AddRoots(start, start + of._held.Length);
        }
    }

    private readonly CellHeap _heap = new();
    private readonly Value[] _held = GC.AllocateArray<Value>(2, pinned: true);
    private readonly string[] _texts = [.. Enumerable.Range(0, Keys).Select(i => $"key{i}")];

    [Params(1, 2, 4)]
    public int Lookups { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _heap.Begin(new Roots(this), CollectionOptions.Default);
        TableCell* map = _heap.NewTable(CellKind.Map, Keys);
        _held[0] = new Value(Tag.Map, (long)map);
        TableCell* interned = _heap.NewTable(CellKind.Set, Keys);
        _held[1] = new Value(Tag.Set, (long)interned);
        foreach (string text in _texts)
        {
            int mark = _heap.Protect(Value.Of(_heap.NewString(text)));
            _heap.Put(map, _heap.Protected[mark], Value.Of(1L));
            _heap.Add(interned, _heap.Protected[mark]);
            _heap.Release(mark);
        }
    }

    /// <summary>The String alone.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Made()
    {
        for (int i = 0; i < Count; i++)
        {
            _ = _heap.NewString(_texts[i % Keys]);
        }
    }

    /// <summary>As it is: searched by its hash once, and found where it was after that.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Count)]
    public long AsItIs()
    {
        TableCell* map = _held[0].Map;
        long sum = 0;
        for (int i = 0; i < Count; i++)
        {
            Value key = Value.Of(_heap.NewString(_texts[i % Keys]));
            for (int k = 0; k < Lookups; k++)
            {
                sum += CellHeap.Find(map, &key);
            }
        }

        return sum;
    }

    /// <summary>Interned first: the Map then finds the one cell where it was.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public long Interned()
    {
        TableCell* map = _held[0].Map;
        TableCell* interned = _held[1].Set;
        long sum = 0;
        for (int i = 0; i < Count; i++)
        {
            Value made = Value.Of(_heap.NewString(_texts[i % Keys]));
            Value key = interned->At(CellHeap.Find(interned, &made))->Key;
            for (int k = 0; k < Lookups; k++)
            {
                sum += CellHeap.Find(map, &key);
            }
        }

        return sum;
    }
}
