using System.Runtime.CompilerServices;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>Roots of a heap that a benchmark has to itself, kept where no .NET object moves.</summary>
internal sealed unsafe class HeldCells(int count) : IRootSource
{
    /// <summary>No collection but those that the benchmark asks for.</summary>
    public static readonly CollectionOptions Uncollected = new() { FirstTriggerBytes = 1L << 40 };

    private readonly Value[] _values = GC.AllocateArray<Value>(Math.Max(1, count), pinned: true);

    public Value* Start => (Value*)Unsafe.AsPointer(ref _values[0]);

    public AllocationSite Site => default;

    public void GiveRoots(CellHeap heap) => heap.AddRoots(Start, Start + _values.Length);
}
