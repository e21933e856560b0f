using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// What profiling costs, per iteration or call. The loop of an execution without a hook is compiled without one, so that
/// <c>Off</c> is what the kernels take anywhere else.
/// </summary>
public class Profiling
{
    private const int Iterations = 1_000_000;
    private const int Calls = 21_891; // 2 * fib(21) - 1

    private readonly Vm.Vm _vm = new(new VmOptions { GasLimit = long.MaxValue, Jit = null });
    private readonly ZexusProgram _loop = Source.Load(Kernel.Find("integer-loop")!.Assembly(Iterations));
    private readonly ZexusProgram _fibonacci = Source.Load(Kernel.Find("fibonacci")!.Assembly(20));

    [Benchmark(OperationsPerInvoke = Iterations)]
    public ExecutionResult LoopOff() => _vm.Execute(_loop);

    [Benchmark(OperationsPerInvoke = Iterations)]
    public ExecutionResult LoopOn() => Profiler.Execute(_vm, _loop, out _);

    [Benchmark(OperationsPerInvoke = Calls)]
    public ExecutionResult FibonacciOff() => _vm.Execute(_fibonacci);

    [Benchmark(OperationsPerInvoke = Calls)]
    public ExecutionResult FibonacciOn() => Profiler.Execute(_vm, _fibonacci, out _);
}
