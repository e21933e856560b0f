using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>Sweeping alone, of four million cells of which so many in a hundred are in use, anywhere. Figures are per cell.</summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*HeapSweeping*' -i</c>, from the repository's root.</remarks>
[WarmupCount(10)]
[IterationCount(20)]
public unsafe class HeapSweeping
{
    private const int Count = 4_000_000;

    private readonly CellHeap _heap = new();
    private readonly HeldCells _root = new(1);

    [Params(0, 10, 50, 90, 100)]
    public int InUse { get; set; }

    /// <summary>Variables have 32, Lists of two 64.</summary>
    [Params(32, 64)]
    public int Bytes { get; set; }

    [IterationSetup]
    public void Fill()
    {
        _heap.Reset();
        _heap.Begin(_root, HeldCells.Uncollected);
        Random random = new(1);
        ListCell* held = _heap.NewNullList(Count);
        *_root.Start = Value.Of(held);
        for (int i = 0; i < Count; i++)
        {
            Value cell = Bytes == 32 ? Value.Of(_heap.NewVariable(default)) : Value.Of(_heap.NewNullList(2));
            if (random.Next(100) < InUse)
            {
                held->Values[i] = cell;
            }
        }

        _heap.MarkReached();
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public void Sweep() => _heap.Sweep();
}
