using BenchmarkDotNet.Attributes;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// State and transactions beside a plain Dictionary of the same size, a figure for each key. Both go through 10,000 keys drawn from
/// the state, a hundred times over; the loop and the fetching of the key are in the figure.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*ChainBenchmarks*' --job short</c></remarks>
[MemoryDiagnoser]
public class ChainBenchmarks
{
    private const int Drawn = 10_000;
    private const int Rounds = 100;
    private const int Operations = Drawn * Rounds;

    private const string Read = """
            LOAD_NAME keys
            LOAD_NAME i
            INDEX
            STATE_READ
            STORE_NAME last
        """;

    private const string Write = """
            LOAD_NAME keys
            LOAD_NAME i
            INDEX
            LOAD_NAME i
            STATE_WRITE
        """;

    private Vm.Vm _vm = null!;
    private ZexusProgram _read = null!;
    private ZexusProgram _write = null!;
    private ZexusProgram _transaction = null!;
    private ZexusProgram _execution = null!;
    private string[] _keys = [];
    private Dictionary<string, long> _dictionary = [];

    /// <summary>How many keys the state has.</summary>
    [Params(10, 10_000, 1_000_000)]
    public int Keys { get; set; }

    [Params("interpreter", "jit")]
    public string Engine { get; set; } = "";

    [GlobalSetup]
    public void Load()
    {
        ZexusEngine engine = ZexusEngine.Find(Engine)!;
        _dictionary = Enumerable.Range(0, Keys).ToDictionary(i => $"account{i}", i => (long)i);
        Random random = new(7);
        string[] all = [.. _dictionary.Keys];
        _keys = [.. Enumerable.Range(0, Drawn).Select(_ => all[random.Next(Keys)])];
        _vm = new Vm.Vm(
            engine.Options with
            {
                State = _dictionary.ToDictionary(pair => pair.Key, pair => Data.NewInt(pair.Value)),
            }
        );
        _read = engine.Load(Loop(Read));
        _write = engine.Load(Loop(Write));
        _transaction = engine.Load(Loop($"    TX_BEGIN\n{Write}\n    TX_COMMIT"));
        _execution = engine.Load(
            $"""
            .func main()
                TX_BEGIN
                LOAD_CONST "{_keys[0]}"
                LOAD_CONST 1
                STATE_WRITE
                TX_COMMIT
            .end
            """
        );
        long expected = _dictionary[_keys[^1]];
        if (StateRead() != expected || DictionaryRead() != expected)
        {
            throw new InvalidOperationException("a read is wrong");
        }
    }

    [GlobalCleanup]
    public void Free() => _vm.Dispose();

    [Benchmark(OperationsPerInvoke = Operations, Baseline = true)]
    public long DictionaryRead()
    {
        long last = 0;
        for (int round = 0; round < Rounds; round++)
        {
            foreach (string key in _keys)
            {
                last = _dictionary[key];
            }
        }

        return last;
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public long StateRead() => (long)Run(_read).Value.AsInteger;

    [Benchmark(OperationsPerInvoke = Operations)]
    public void DictionaryWrite()
    {
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < _keys.Length; i++)
            {
                _dictionary[_keys[i]] = i;
            }
        }
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public ExecutionResult StateWrite() => Run(_write);

    /// <summary>TX_BEGIN, STATE_WRITE, TX_COMMIT.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public ExecutionResult BeginWriteCommit() => Run(_transaction);

    /// <summary>An execution that does nothing else.</summary>
    [Benchmark]
    public ExecutionResult ExecutionOfBeginWriteCommit() => Run(_execution);

    private ExecutionResult Run(ZexusProgram program)
    {
        ExecutionResult result = _vm.Execute(program);
        return result.IsCompleted ? result : throw new InvalidOperationException($"{result.Fault}");
    }

    private string Loop(string body) =>
        $"""
            .func main() locals keys, i, round, last
                STORE_CONST keys, [{string.Join(", ", _keys.Select(key => $"\"{key}\""))}]
                STORE_CONST round, 0
            again:
                STORE_CONST i, 0
            loop:
            {body}
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST {Drawn}
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME round
                INC
                STORE_NAME round
                LOAD_NAME round
                LOAD_CONST {Rounds}
                LT
                JUMP_IF_TRUE again
                LOAD_NAME last
            .end
            """;
}
