using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// What pools of Lists would gain in a program that makes a short List, puts so many items into it and drops it: as it is,
/// from the free cells of its class, with the collections that this takes; and with one List, and the buffer that it has grown to,
/// emptied and taken again, which is the most that a pool could save, since nothing tells here when a List is dropped. Figures
/// are per List.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*ListPools*' -i</c>, from the repository's root.</remarks>
[WarmupCount(10)]
[IterationCount(20)]
public unsafe class ListPools
{
    private const int Count = 100_000;

    private readonly CellHeap _heap = new();
    private readonly HeldCells _held = new(1);

    [Params(0, 2, 4, 8, 16)]
    public int Items { get; set; }

    [GlobalSetup]
    public void Begin()
    {
        _heap.Begin(_held, CollectionOptions.Default);
        ListCell* pooled = _heap.NewList(0);
        *_held.Start = Value.Of(pooled);
        Fill(pooled);
    }

    /// <summary>Made empty, as BUILD_LIST 0 does, and appended to.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Count)]
    public void AsItIs()
    {
        for (int i = 0; i < Count; i++)
        {
            Fill(_heap.NewList(0));
        }
    }

    /// <summary>The List with its buffer, taken again.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void FromAPool()
    {
        for (int i = 0; i < Count; i++)
        {
            ListCell* pooled = _held.Start->List;
            pooled->Count = 0;
            Fill(pooled);
        }
    }

    /// <summary>Made with its items, as BUILD_LIST does: they stand in the cell itself, and there is no buffer to keep.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void MadeWithItems()
    {
        for (int i = 0; i < Count; i++)
        {
            ListCell* list = _heap.NewNullList(Items, ElementKind.Int);
            for (int k = 0; k < Items; k++)
            {
                list->Put(k, Value.Of((long)k));
            }
        }
    }

    private void Fill(ListCell* list)
    {
        for (int k = 0; k < Items; k++)
        {
            _heap.Append(list, Value.Of((long)k));
        }
    }
}
