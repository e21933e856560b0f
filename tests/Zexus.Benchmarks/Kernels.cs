using BenchmarkDotNet.Attributes;
using Zexus.Isa;
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
    private readonly ZexusProgram _loop = Load(
        $"""
        .func main() locals sum, i
            STORE_CONST sum, 0
            STORE_CONST i, 0
        loop:
            LOAD_NAME i
            LOAD_CONST {Iterations}
            LT
            JUMP_IF_FALSE done
            LOAD_NAME sum
            LOAD_NAME i
            LOAD_CONST 3
            MUL
            LOAD_CONST 7
            MOD
            ADD
            STORE_NAME sum
            LOAD_NAME i
            LOAD_CONST 1
            ADD
            STORE_NAME i
            JUMP loop
        done:
            LOAD_NAME sum
        .end
        """
    );

    private readonly ZexusProgram _fibonacci = Load(
        $"""
        .func main()
            LOAD_CONST {Argument}
            CALL_FUNC_CONST fib, 1
        .end
        .func fib(n)
            LOAD_NAME n
            LOAD_CONST 2
            LT
            JUMP_IF_FALSE recurse
            LOAD_NAME n
            RETURN
        recurse:
            LOAD_NAME n
            LOAD_CONST 1
            SUB
            CALL_FUNC_CONST fib, 1
            LOAD_NAME n
            LOAD_CONST 2
            SUB
            CALL_FUNC_CONST fib, 1
            ADD
        .end
        """
    );

    private readonly ZexusProgram _append = Load(
        $"""
        .func main() locals items, i
            BUILD_LIST 0
            STORE_NAME items
            STORE_CONST i, 0
        loop:
            LOAD_NAME i
            LOAD_CONST {Elements}
            LT
            JUMP_IF_FALSE done
            LOAD_NAME items
            LOAD_NAME i
            CALL_METHOD push, 1
            POP
            LOAD_NAME i
            INC
            STORE_NAME i
            JUMP loop
        done:
            LOAD_NAME items
            GET_LENGTH
        .end
        """
    );

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

    private static ZexusProgram Load(string text)
    {
        AssemblyResult assembly = Assembler.Assemble(text, "kernel.zxa");
        return assembly.Diagnostics.Count == 0
            ? ZexusProgram.Load(assembly.Program)
            : throw new InvalidOperationException(string.Join('\n', assembly.Diagnostics));
    }
}
