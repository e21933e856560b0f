using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// Small cells that are garbage at once, with the collections that this takes, beside .NET objects of a like shape. Figures are
/// per cell or object.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*HeapAllocating*' -i</c>, from the repository's root.</remarks>
[WarmupCount(10)]
[IterationCount(20)]
public unsafe class HeapAllocating
{
    private const int Count = 1_000_000;

    private sealed class Box
    {
        public long Tag;
        public long Payload;

        public long Get() => Payload;
    }

    private readonly CellHeap _heap = new();
    private readonly HeldCells _operands = new(4);
    private VariableCell* _variable;
    private object? _last;

    [GlobalSetup]
    public void Begin()
    {
        _heap.Begin(_operands, CollectionOptions.Default);
        for (int i = 0; i < 4; i++)
        {
            _operands.Start[i] = Value.Of((long)i);
        }

        _variable = _heap.NewVariable(default);
        _operands.Start[3] = Value.Of(_variable);
    }

    /// <summary>32 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Variable()
    {
        for (int i = 0; i < Count; i++)
        {
            _heap.NewVariable(Value.Of((long)i));
        }
    }

    /// <summary>32 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void VariableInDotNet()
    {
        for (int i = 0; i < Count; i++)
        {
            _last = NewBox(i);
        }
    }

    /// <summary>With one captured variable: 32 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Closure()
    {
        for (int i = 0; i < Count; i++)
        {
            FunctionCell* closure = _heap.NewFunction(i, 1);
            FunctionCell.Captured(closure)[0] = _variable;
        }
    }

    /// <summary>A delegate to an object: 64 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ClosureInDotNet()
    {
        Box box = new();
        for (int i = 0; i < Count; i++)
        {
            _last = NewDelegate(box);
        }
    }

    /// <summary>32 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ListOfNone() => Lists(0, 0);

    /// <summary>A Value: 48 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ListOfOne() => Lists(3, 1);

    /// <summary>Two Values: 64 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ListOfTwo() => Lists(2, 2);

    /// <summary>Four Values: 96 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ListOfFour() => Lists(0, 4);

    /// <summary>Three Ints: 64 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ListOfInts() => Lists(0, 3);

    [Benchmark(OperationsPerInvoke = Count)]
    public void ArrayOfNoneInDotNet() => Arrays(0);

    /// <summary>40 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ArrayOfOneInDotNet() => Arrays(1);

    /// <summary>56 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ArrayOfTwoInDotNet() => Arrays(2);

    /// <summary>88 bytes.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void ArrayOfFourInDotNet() => Arrays(4);

    /// <summary>From operands on the stack, as BUILD_LIST makes them.</summary>
    private void Lists(int first, int count)
    {
        Value* operands = _operands.Start + first;
        for (int i = 0; i < Count; i++)
        {
            _heap.NewListOf(operands, count);
        }
    }

    private void Arrays(int count)
    {
        for (int i = 0; i < Count; i++)
        {
            _last = NewArray(count);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static object NewBox(long number) => new Box { Tag = 2, Payload = number };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static object NewDelegate(Box box) => new Func<long>(box.Get);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static object NewArray(int count)
    {
        Value[] items = new Value[count];
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = Value.Of((long)i);
        }

        return items;
    }
}
