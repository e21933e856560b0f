using BenchmarkDotNet.Attributes;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>What each optimization level gains at run time, gas on. Figures are per iteration or call.</summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*Levels*'</c>, from the repository's root.</remarks>
public class Levels
{
    private const int Iterations = 300_000;
    private const int Argument = 21;
    private const int Calls = 35_421; // 2 * fib(22) - 1

    private readonly Vm.Vm _vm = new(new VmOptions { GasLimit = long.MaxValue, Jit = null });
    private ZexusProgram _naive = null!;
    private ZexusProgram _loop = null!;
    private ZexusProgram _fibonacci = null!;

    [Params(0, 1, 2, 3)]
    public int Level { get; set; }

    [GlobalSetup]
    public void Optimize()
    {
        _naive = At(Source.Naive(Iterations));
        _loop = At(Kernel.Find("integer-loop")!.Assembly(Iterations));
        _fibonacci = At(Kernel.Find("fibonacci")!.Assembly(Argument));
    }

    [Benchmark(OperationsPerInvoke = Iterations)]
    public ExecutionResult NaiveCode() => _vm.Execute(_naive);

    [Benchmark(OperationsPerInvoke = Iterations)]
    public ExecutionResult IntegerLoop() => _vm.Execute(_loop);

    [Benchmark(OperationsPerInvoke = Calls)]
    public ExecutionResult Fibonacci() => _vm.Execute(_fibonacci);

    private ZexusProgram At(string text) =>
        ZexusProgram.Load(Optimizer.Optimize(Source.Load(text), Level).Program, Limits.Default);
}

/// <summary>How long the optimizer takes.</summary>
public class Optimizing
{
    private readonly ZexusProgram _long = Source.Load(Source.Long(10_000));
    private readonly ZexusProgram _folds = Source.Load(Source.FoldChain(5_000));

    [Params(1, 2, 3)]
    public int Level { get; set; }

    [Benchmark]
    public OptimizationResult TenThousandInstructions() => Optimizer.Optimize(_long, Level);

    [Benchmark]
    public OptimizationResult FiveThousandFolds() => Optimizer.Optimize(_folds, Level);
}

/// <summary>
/// How long the compiler to machine code takes for a function of about fifty instructions, .NET's compiler included: by itself, and as what a first
/// execution that compiles it takes more than one that does not, program loaded anew each time.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*Compiling*' --job short -i</c></remarks>
public unsafe class Compiling
{
    private readonly Isa.Program _straight = Source.Assemble(Source.Long(48));
    private readonly Isa.Program _loop = Source.Assemble(Source.Naive(3));
    private readonly JitProgram _straightAlone;
    private readonly JitProgram _loopAlone;

    public Compiling()
    {
        _straightAlone = new JitProgram(ZexusProgram.Load(_straight), Now(), new JitCache());
        _loopAlone = new JitProgram(ZexusProgram.Load(_loop), Now(), new JitCache());
    }

    [Benchmark]
    public int StraightAlone() => Compile(_straightAlone);

    [Benchmark]
    public int LoopAlone() => Compile(_loopAlone);

    [Benchmark(Baseline = true)]
    public ExecutionResult StraightInterpreted() => Execute(_straight, null);

    [Benchmark]
    public ExecutionResult StraightCompiled() => Execute(_straight, Now());

    [Benchmark]
    public ExecutionResult LoopInterpreted() => Execute(_loop, null);

    [Benchmark]
    public ExecutionResult LoopCompiled() => Execute(_loop, Now());

    private static int Compile(JitProgram program)
    {
        FunctionCode* function = program.Program.Functions;
        int slots = function->FrameSize;
        CompiledPiece piece = FunctionCompiler.Compile(
            program,
            function,
            entry: 0,
            isLoop: false,
            observed: new ushort[slots],
            nonNegative: new bool[slots],
            elements: new (ElementGuess, ElementGuess)[slots],
            assumeNothing: false,
            mayGrow: true,
            piece: 0
        );
        piece.Free();
        return piece.IlCount;
    }

    private static JitOptions Now() => new() { Background = false, CallThreshold = 0 };

    private static ExecutionResult Execute(Isa.Program image, JitOptions? jit)
    {
        ZexusProgram program = ZexusProgram.Load(image);
        using Vm.Vm vm = new(
            new VmOptions
            {
                Jit = jit,
                JitCache = new JitCache(),
                Threaded = null,
            }
        );
        ExecutionResult result = vm.Execute(program);
        return jit is null || program.JitStatistics(jit)!.Pieces > 0
            ? result
            : throw new InvalidOperationException("nothing was compiled");
    }
}
