using BenchmarkDotNet.Attributes;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// The interpreter on kernels, gas on, beside checked C# that does the same. Figures are per iteration, call or element.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*'</c>, from the repository's root.</remarks>
[MemoryDiagnoser]
public class Kernels
{
    private const int Iterations = 1_000_000;
    private const int Argument = 24;
    private const int Calls = 150_049; // 2 * fib(25) - 1
    private const int Elements = 200_000;

    private readonly Vm.Vm _vm = new(new VmOptions { GasLimit = long.MaxValue });
    private readonly ZexusProgram _loop = Source.Load(Source.IntegerLoop(Iterations));
    private readonly ZexusProgram _fibonacci = Source.Load(Source.Fibonacci(Argument));
    private readonly ZexusProgram _append = Source.Load(Source.ListAppend(Elements));

    [Benchmark(OperationsPerInvoke = Iterations)]
    public ExecutionResult IntegerLoop() => _vm.Execute(_loop);

    [Benchmark(OperationsPerInvoke = Iterations)]
    public long IntegerLoopInCSharp()
    {
        checked
        {
            long sum = 0;
            for (long i = 0; i < Iterations; i++)
            {
                sum += i * 3 % 7;
            }

            return sum;
        }
    }

    [Benchmark(OperationsPerInvoke = Calls)]
    public ExecutionResult Fibonacci() => _vm.Execute(_fibonacci);

    [Benchmark(OperationsPerInvoke = Calls)]
    public long FibonacciInCSharp() => Fib(Argument);

    [Benchmark(OperationsPerInvoke = Elements)]
    public ExecutionResult ListAppend() => _vm.Execute(_append);

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static long Fib(long n) => n < 2 ? n : checked(Fib(n - 1) + Fib(n - 2));
}
