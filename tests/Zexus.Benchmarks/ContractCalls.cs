using BenchmarkDotNet.Attributes;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// A call of another contract beside that of a function of one's own which does the same: with nothing to do, with a key of the state
/// counted up, and with a List of a hundred there and back. A figure for each call.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*ContractCalls*' --job short</c></remarks>
[MemoryDiagnoser]
public class ContractCalls
{
    private const int Operations = 100_000;

    private const string Callee = """
        .func none()
        .end

        .func nothing(x)
            LOAD_NAME x
            RETURN
        .end

        .func count(x)
            LOAD_CONST "n"
            LOAD_CONST "n"
            STATE_READ
            INC
            STATE_WRITE
            RETURN
        .end
        """;

    private Vm.Vm _vm = null!;
    private ZexusProgram _own = null!;
    private ZexusProgram _nothing = null!;
    private ZexusProgram _count = null!;
    private ZexusProgram _list = null!;

    [Params("interpreter", "jit")]
    public string Engine { get; set; } = "";

    [GlobalSetup]
    public void Load()
    {
        ZexusEngine engine = ZexusEngine.Find(Engine)!;
        _vm = new Vm.Vm(
            engine.Options with
            {
                GasLimit = long.MaxValue,
                Contract = "self",
                Contracts = new Contracts().Add("callee", new Contract(engine.Load(Callee))),
            }
        );
        _own = engine.Load(Loop("    LOAD_CONST 1\n    CALL_FUNC_CONST nothing, 1") + "\n" + Callee);
        _nothing = engine.Load(Loop(Call("nothing", "LOAD_CONST [1]")));
        _count = engine.Load(Loop(Call("count", "LOAD_CONST []")));
        _list = engine.Load(Loop(Call("nothing", "LOAD_NAME list")));
    }

    [GlobalCleanup]
    public void Free() => _vm.Dispose();

    [Benchmark(OperationsPerInvoke = Operations, Baseline = true)]
    public void OwnFunction() => Run(_own);

    [Benchmark(OperationsPerInvoke = Operations)]
    public void ContractThatDoesNothing() => Run(_nothing);

    [Benchmark(OperationsPerInvoke = Operations)]
    public void ContractThatCounts() => Run(_count);

    [Benchmark(OperationsPerInvoke = Operations)]
    public void ContractWithAList() => Run(_list);

    private void Run(ZexusProgram program)
    {
        ExecutionResult result = _vm.Execute(program);
        if (!result.IsCompleted)
        {
            throw new InvalidOperationException($"{result.Fault}: {result.FaultValue}");
        }
    }

    private static string Call(string function, string arguments) =>
        $"""
                LOAD_CONST "callee"
                LOAD_CONST "{function}"
                {arguments}
                CALL_BUILTIN call_contract, 3
            """;

    private static string Loop(string body) =>
        $"""
            .func main() locals i, list
                LOAD_CONST 100
                CALL_BUILTIN range, 1
                BUILD_LIST 1
                STORE_NAME list
                STORE_CONST i, {Operations}
            again:
            {body}
                POP
                LOAD_NAME i
                DEC
                DUP
                STORE_NAME i
                JUMP_IF_TRUE again
            .end

            """;
}
