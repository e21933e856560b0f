using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>How the cells of a heap point to one another.</summary>
public enum HeapShape
{
    /// <summary>A binary tree of Lists of two, in the order in which they were made.</summary>
    Tree,

    /// <summary>The same, its nodes anywhere in memory.</summary>
    ScatteredTree,

    /// <summary>Lists of four anywhere in memory: two children, and two more nodes that others point to, too.</summary>
    ScatteredGraph,

    /// <summary>Each List has the next, anywhere in memory: nothing can be fetched ahead.</summary>
    ScatteredChain,

    /// <summary>Maps with a String and a List of Ints, as programs have records; four cells each.</summary>
    Records,
}

/// <summary>A million live cells: found, and found and swept, beside .NET's collection of a like heap. Figures are per cell.</summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*HeapMarking*' -i</c>, from the repository's root.</remarks>
[WarmupCount(10)]
[IterationCount(20)]
public unsafe class HeapMarking
{
    private const int Count = 1_000_000;
    private const int CellsOfRecord = 4;

    private sealed class Node
    {
        public Node? Left;
        public Node? Right;
        public Node? Third;
        public Node? Fourth;
    }

    private readonly CellHeap _heap = new();
    private readonly HeldCells _root = new(1);
    private object? _objects;

    [ParamsAllValues]
    public HeapShape Shape { get; set; }

    [GlobalSetup(Targets = [nameof(Mark), nameof(Collect)])]
    public void Grow()
    {
        _heap.Begin(_root, HeldCells.Uncollected);
        if (Shape == HeapShape.Records)
        {
            GrowRecords();
            return;
        }

        int items = Shape == HeapShape.ScatteredGraph ? 4 : 2;
        nint[] cells = new nint[Count];
        for (int i = 0; i < Count; i++)
        {
            cells[i] = (nint)_heap.NewNullList(items);
        }

        Random random = Scatter(cells);
        for (int i = 1; i < Count; i++)
        {
            Value here = Value.Of((ListCell*)cells[i]);
            ((ListCell*)cells[Parent(i)])->Values[Side(i)] = here;
            if (items == 4)
            {
                ((ListCell*)cells[random.Next(Count)])->Values[2] = here;
                ((ListCell*)cells[random.Next(Count)])->Values[3] = here;
            }
        }

        *_root.Start = Value.Of((ListCell*)cells[0]);
    }

    /// <summary>The Maps in random order.</summary>
    private void GrowRecords()
    {
        Value* numbers = stackalloc Value[3];
        numbers[0] = numbers[1] = numbers[2] = Value.Of(1L);
        CellHeap names = new(immortal: true);
        Value name = Value.Of(names.NewString("name"));
        Value lines = Value.Of(names.NewString("lines"));
        nint[] maps = new nint[Count / CellsOfRecord];
        for (int i = 0; i < maps.Length; i++)
        {
            TableCell* map = _heap.NewTable(CellKind.Map, 2);
            _heap.Put(map, name, Value.Of(_heap.NewString($"number {i}")));
            _heap.Put(map, lines, Value.Of(_heap.NewListOf(numbers, 3)));
            maps[i] = (nint)map;
        }

        Scatter(maps);
        ListCell* all = _heap.NewNullList(maps.Length);
        for (int i = 0; i < maps.Length; i++)
        {
            all->Values[i] = new Value(Tag.Map, maps[i]);
        }

        *_root.Start = Value.Of(all);
        GC.KeepAlive(names);
        _objects = names;
    }

    [GlobalSetup(Target = nameof(CollectInDotNet))]
    public void GrowInDotNet()
    {
        if (Shape == HeapShape.Records)
        {
            Dictionary<string, object>[] records = new Dictionary<string, object>[Count / CellsOfRecord];
            for (int i = 0; i < records.Length; i++)
            {
                records[i] = new(2) { ["name"] = $"number {i}", ["lines"] = new long[] { 1, 1, 1 } };
            }

            new Random(1).Shuffle(records);
            _objects = records;
        }
        else
        {
            Node[] nodes = new Node[Count];
            for (int i = 0; i < Count; i++)
            {
                nodes[i] = new Node();
            }

            Random random = Scatter(nodes);
            for (int i = 1; i < Count; i++)
            {
                Node parent = nodes[Parent(i)];
                (Side(i) == 0 ? ref parent.Left : ref parent.Right) = nodes[i];
                if (Shape == HeapShape.ScatteredGraph)
                {
                    nodes[random.Next(Count)].Third = nodes[i];
                    nodes[random.Next(Count)].Fourth = nodes[i];
                }
            }

            _objects = nodes[0];
        }

        GC.Collect();
    }

    /// <summary>What the roots reach is found.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Mark() => _heap.MarkReached();

    /// <summary>And what they do not reach would be freed, if there were any.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Collect() => _heap.Collect();

    /// <summary>Records have one object more than ours have cells, a Dictionary's buckets; the figure is by our cells.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public object? CollectInDotNet()
    {
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: false);
        return _objects;
    }

    private Random Scatter<T>(T[] cells)
    {
        Random random = new(1);
        if (Shape != HeapShape.Tree)
        {
            random.Shuffle(cells);
        }

        return random;
    }

    private int Parent(int i) => Shape == HeapShape.ScatteredChain ? i - 1 : (i - 1) / 2;

    private int Side(int i) => Shape == HeapShape.ScatteredChain ? 0 : (i - 1) % 2;
}
