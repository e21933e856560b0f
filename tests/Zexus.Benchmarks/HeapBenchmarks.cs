using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>The heap beside .NET's: allocation, marking, sweeping. Figures are per cell or object.</summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*Heap*'</c>, from the repository's root.</remarks>
public unsafe class HeapBenchmarks
{
    private const int Count = 1_000_000;

    /// <summary>One value, kept where no .NET object moves.</summary>
    private sealed class Root : IRootSource
    {
        private readonly Value[] _value = GC.AllocateArray<Value>(1, pinned: true);

        public Value* Held => (Value*)Unsafe.AsPointer(ref _value[0]);

        public AllocationSite Site => default;

        public void GiveRoots(CellHeap heap) => heap.AddRoots(Held, Held + 1);
    }

    private sealed class Node
    {
        public Node? Left;
        public Node? Right;
        public long Number;
    }

    private readonly CellHeap _garbage = new();
    private readonly CellHeap _dead = new();
    private readonly CellHeap _live = new();
    private readonly Root _root = new();
    private Node? _tree;

    [GlobalSetup(Targets = [nameof(AllocateVariable), nameof(AllocateList)])]
    public void Begin() => _garbage.Begin(new Root(), CollectionOptions.Default);

    /// <summary>32 bytes, collections included: everything is garbage at once.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void AllocateVariable()
    {
        for (int i = 0; i < Count; i++)
        {
            _garbage.NewVariable(Value.Of((long)i));
        }
    }

    /// <summary>64 bytes: a List of two.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void AllocateList()
    {
        for (int i = 0; i < Count; i++)
        {
            ListCell* list = _garbage.NewList(2);
            list->Values[0] = Value.Of((long)i);
            list->Values[1] = default;
        }
    }

    /// <summary>40 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public object AllocateInDotNet()
    {
        Node node = new();
        for (int i = 0; i < Count; i++)
        {
            node = New(i);
        }

        return node;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Node New(long number) => new() { Number = number };

    [IterationSetup(Target = nameof(SweepDead))]
    public void Fill()
    {
        _dead.Reset();
        _dead.Begin(new Root(), new CollectionOptions { FirstTriggerBytes = 1L << 40 });
        for (int i = 0; i < Count; i++)
        {
            _dead.NewVariable(default);
        }
    }

    /// <summary>A collection that finds nothing.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void SweepDead() => _dead.Collect();

    [GlobalSetup(Target = nameof(CollectLive))]
    public void Grow()
    {
        _live.Begin(_root, new CollectionOptions { FirstTriggerBytes = 1L << 40 });
        nint[] cells = new nint[Count];
        for (int i = 0; i < Count; i++)
        {
            cells[i] = (nint)_live.NewNullList(2);
        }

        new Random(1).Shuffle(cells);
        for (int i = 1; i < Count; i++)
        {
            ((ListCell*)cells[(i - 1) / 2])->Values[(i - 1) % 2] = Value.Of((ListCell*)cells[i]);
        }

        *_root.Held = Value.Of((ListCell*)cells[0]);
    }

    /// <summary>A binary tree of Lists, its nodes anywhere in memory: marked, and swept.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void CollectLive() => _live.Collect();

    [GlobalSetup(Target = nameof(CollectLiveInDotNet))]
    public void GrowInDotNet()
    {
        Node[] nodes = new Node[Count];
        for (int i = 0; i < Count; i++)
        {
            nodes[i] = New(i);
        }

        new Random(1).Shuffle(nodes);
        for (int i = 1; i < Count; i++)
        {
            Node parent = nodes[(i - 1) / 2];
            (i % 2 == 1 ? ref parent.Left : ref parent.Right) = nodes[i];
        }

        _tree = nodes[0];
        GC.Collect();
    }

    /// <summary>The same tree of .NET objects.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public object? CollectLiveInDotNet()
    {
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: false);
        return _tree;
    }
}
