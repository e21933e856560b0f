using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>Our engines on the kernels, gas on. A figure is for a kernel's small size: how many units that is, the name says.</summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*KernelBenchmarks*'</c>, from the repository's root.</remarks>
[MemoryDiagnoser]
[Config(typeof(KernelColumns))]
public class KernelBenchmarks
{
    private const int WarmingRuns = 10;

    private Vm.Vm _vm = null!;
    private ZexusProgram _program = null!;
    private Func<long, long> _twin = null!;

    /// <summary>Names of kernels, with the number of units that a figure is for.</summary>
    public static IEnumerable<string> Kernels => Kernel.All.Select(k => $"{k.Name}, {k.Units(k.SmallSize)} × {k.Unit}");

    /// <summary>Names of engines.</summary>
    public static IEnumerable<string> Engines => ZexusEngine.All.Select(engine => engine.Name).Append("C#");

    [ParamsSource(nameof(Kernels))]
    public string Work { get; set; } = "";

    [ParamsSource(nameof(Engines))]
    public string Engine { get; set; } = "";

    private Kernel Kernel => KernelOf(Work);

    [GlobalSetup]
    public void Load()
    {
        ZexusEngine engine = ZexusEngine.Find(Engine) ?? ZexusEngine.All[0];
        _vm = new Vm.Vm(engine.Options);
        _program = engine.Load(Kernel.Assembly(Kernel.SmallSize));
        _twin = Twins.Values(Kernel.Name)!;
        if (Run() != Kernel.SmallExpected)
        {
            throw new InvalidOperationException($"{Engine} is wrong on {Kernel.Name}");
        }
    }

    /// <summary>What one invocation does, when what is hot has been compiled.</summary>
    internal static KernelColumns.Work WorkOf(string work, string engine)
    {
        Kernel kernel = KernelOf(work);
        long units = kernel.Units(kernel.SmallSize);
        if (ZexusEngine.Find(engine) is not { } own)
        {
            return new KernelColumns.Work(units, null, null);
        }

        using Vm.Vm vm = new(own.Options);
        ZexusProgram program = own.Load(kernel.Assembly(kernel.SmallSize));
        for (int i = 0; i < WarmingRuns; i++)
        {
            _ = vm.Execute(program);
        }

        ExecutionResult result = vm.Execute(program);
        return new KernelColumns.Work(units, result.GasUsed, result.Heap.AllocatedBytes);
    }

    private static Kernel KernelOf(string work) => Kernel.Find(work.Split(',')[0])!;

    [GlobalCleanup]
    public void Free() => _vm.Dispose();

    [Benchmark]
    public long Run() => Engine == "C#" ? _twin(Kernel.SmallSize) : (long)_vm.Execute(_program).Value.AsInteger;
}
