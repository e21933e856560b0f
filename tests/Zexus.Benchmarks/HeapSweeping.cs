using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// What sweeping four million cells costs of which so many in a hundred are in use, anywhere: in the collection, and when
/// allocations fill what it found, beside as many allocations in blocks that have nothing else. All figures are per cell of the four
/// million: sweeping costs <see cref="SweepAndFill"/> less <see cref="FillFresh"/>.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*HeapSweeping*' -i</c>, from the repository's root.</remarks>
[WarmupCount(3)]
[IterationCount(15)]
public unsafe class HeapSweeping
{
    private const int Count = 4_000_000;

    private readonly CellHeap _heap = new();
    private readonly HeldCells _root = new(1);
    private int _free;

    [Params(0, 10, 50, 90, 100)]
    public int InUse { get; set; }

    /// <summary>Variables have 32, Lists of two 64.</summary>
    [Params(32, 64)]
    public int Bytes { get; set; }

    [IterationSetup(Targets = [nameof(Sweep), nameof(SweepAndFill)])]
    public void Grow() => Grow(keep: true);

    [IterationSetup(Target = nameof(FillFresh))]
    public void GrowGarbage()
    {
        Grow(keep: false);
        _heap.Sweep();
    }

    /// <summary>Behind the cells that are in use anywhere is as much garbage as there is between them.</summary>
    private void Grow(bool keep)
    {
        _heap.Reset();
        _heap.Begin(_root, HeldCells.Uncollected);
        Random random = new(1);
        ListCell* held = _heap.NewNullList(Count);
        *_root.Start = Value.Of(held);
        _free = Count;
        for (int i = 0; i < Count; i++)
        {
            Value cell = NewCell();
            if (random.Next(100) < InUse)
            {
                held->Values[i] = keep ? cell : default;
                _free--;
            }
        }

        Fill();
        _heap.MarkReached();
    }

    /// <summary>In the collection.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Sweep() => _heap.Sweep();

    /// <summary>In the collection and in as many allocations as there are free cells between those in use.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void SweepAndFill()
    {
        _heap.Sweep();
        Fill();
    }

    /// <summary>Those allocations where nothing is in use.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void FillFresh() => Fill();

    private void Fill()
    {
        for (int i = 0; i < _free; i++)
        {
            NewCell();
        }
    }

    private Value NewCell() => Bytes == 32 ? Value.Of(_heap.NewVariable(default)) : Value.Of(_heap.NewNullList(2));
}
