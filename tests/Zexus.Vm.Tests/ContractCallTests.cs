using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Calls between contracts, in each form that a program can run in.</summary>
public class ContractCallTests
{
    /// <summary>A counter under "n" that says what it does in every way there is.</summary>
    private const string Counter = """
        .func main()
            LOAD_CONST "n"
            STATE_READ
        .end

        .func add(amount)
            LOAD_CONST "n"
            LOAD_CONST "n"
            STATE_READ
            LOAD_NAME amount
            ADD
            STATE_WRITE
            LOAD_NAME amount
            LEDGER_APPEND
            LOAD_NAME amount
            EMIT_EVENT added
            CALL_BUILTIN caller, 0
            LOAD_NAME amount
            AUDIT_LOG
            LOAD_NAME amount
            PRINT
            LOAD_CONST "n"
            STATE_READ
            CALL_BUILTIN caller, 0
            BUILD_LIST 2
            RETURN
        .end

        .func fail(amount)
            LOAD_NAME amount
            CALL_FUNC_CONST add, 1
            THROW
        .end

        .func burn()
        again:
            JUMP again
        .end

        .func leave_open()
            TX_BEGIN
            LOAD_CONST 5
            CALL_FUNC_CONST add, 1
            RETURN
        .end

        .func twice(x)
            LOAD_CONST 1
            RETURN
        .end

        .func #6 twice(y)
            LOAD_CONST 2
            RETURN
        .end

        .func function()
            STORE_FUNC f, main
            LOAD_NAME f
            RETURN
        .end
        """;

    public static TheoryData<string> Forms => ["interpreted", "threaded", "compiled"];

    internal static ZexusProgram Load(string text, Limits? limits = null)
    {
        AssemblyResult assembly = Assembler.Assemble(text, "test");
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        return ZexusProgram.Load(assembly.Program, limits);
    }

    internal static VmOptions Options(string form, Contracts contracts) =>
        new()
        {
            Contract = "self",
            Block = new BlockContext { Caller = "alice", Timestamp = 7 },
            Contracts = contracts,
            Jit =
                form == "compiled"
                    ? new JitOptions
                    {
                        Background = false,
                        CallThreshold = 0,
                        LoopThreshold = 0,
                    }
                    : null,
            Threaded = form == "threaded" ? new ThreadedOptions { CallThreshold = 0, LoopThreshold = 0 } : null,
        };

    private static Contracts Counting() =>
        new Contracts().Add(
            "counter",
            new Contract(Load(Counter), new StateInMemory(new Dictionary<string, Data> { ["n"] = Data.NewInt(10) }))
        );

    private static ExecutionResult Run(string form, string code, VmOptions? options = null)
    {
        using Vm vm = new(options ?? Options(form, Counting()));
        return vm.Execute(Load(code));
    }

    private static string Call(string function, string arguments = "", string gas = "") =>
        $"""
                LOAD_CONST "counter"
                LOAD_CONST "{function}"
                LOAD_CONST [{arguments}]
                {(gas.Length > 0 ? $"LOAD_CONST {gas}" : "NOP")}
                CALL_BUILTIN call_contract, {(gas.Length > 0 ? 4 : 3)}
            """;

    private static string Guarded(string call) =>
        $"""
            .func main()
                SETUP_TRY caught
                {call}
                RETURN
            caught:
                RETURN
            .end
            """;

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_call_executes_on_the_contracts_own_state_with_its_own_caller(string form)
    {
        ExecutionResult result = Run(form, $".func main()\n{Call("add", "4")}\nPOP\n{Call("add", "1")}\n.end");
        Assert.Equal("[15, \"self\"]", Literal(result.Value));
        Assert.Empty(result.Writes);
        Assert.Equal(Data.NewInt(15), Assert.Single(Assert.Single(result.CalledWrites).Value).Value);
        Assert.Equal(
            [new AppendedEntry("counter", Data.NewInt(4)), new AppendedEntry("counter", Data.NewInt(1))],
            result.Ledger
        );
        Assert.Equal(new EmittedEvent("added", Data.NewInt(4)) { Contract = "counter" }, result.Events[0]);
        Assert.Equal(
            new AuditEntry(Data.NewString("self"), Data.NewInt(4), 7) { Contract = "counter" },
            result.Audit[0]
        );
        Assert.Equal("4\n1\n", result.Output);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_it_did_belongs_to_the_callers_transaction(string form)
    {
        ExecutionResult result = Run(
            form,
            $"""
            .func main()
                {Call("add", "1")}
                POP
                TX_BEGIN
                {Call("add", "2")}
                POP
                TX_REVERT
                {Call("add", "4")}
            .end
            """
        );
        Assert.Equal("[15, \"self\"]", Literal(result.Value));
        Assert.Equal([1, 4], result.Ledger.Select(entry => (int)((Data.Int)entry.Entry).value));
        Assert.Equal(2, result.Events.Count);
        Assert.Equal(3, result.Audit.Count);
        Assert.Equal("1\n2\n4\n", result.Output);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Its_fault_undoes_what_it_did_and_is_thrown(string form)
    {
        ExecutionResult result = Run(form, Guarded(Call("fail", "3")));
        Assert.Equal(
            "{\"contract\": \"counter\", \"function\": \"fail\", \"fault\": \"Thrown\", \"value\": [13, \"self\"]}",
            Literal(result.Value)
        );
        Assert.Empty(result.CalledWrites);
        Assert.Empty(result.Ledger);
        Assert.Empty(result.Events);
        Assert.Single(result.Audit);
        Assert.Equal("3\n", result.Output);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void An_uncaught_fault_is_the_callers(string form)
    {
        ExecutionResult result = Run(form, $".func main()\n{Call("fail", "3")}\n.end");
        Assert.Equal(Fault.Thrown, result.Fault);
        Assert.Equal(0, result.FaultFunction);
        Assert.Equal(4, result.FaultInstruction);
        Assert.Empty(result.CalledWrites);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void It_gets_no_more_gas_than_it_is_allowed(string form)
    {
        ExecutionResult result = Run(form, Guarded(Call("burn", gas: "501")));
        Assert.Equal(
            "{\"contract\": \"counter\", \"function\": \"burn\", \"fault\": \"OutOfGas\", \"value\": \"OutOfGas\"}",
            Literal(result.Value)
        );

        // SETUP_TRY 3, four constants, CALL_BUILTIN 8 + 2 * 4, the call 100 and no text, 250 jumps, the fault's name 1, RETURN 2.
        Assert.Equal(3 + 4 + 16 + 100 + 500 + 1 + 2, result.GasUsed);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void All_that_is_left_is_allowed_when_nothing_is_said(string form)
    {
        ExecutionResult result = Run(
            form,
            Guarded(Call("burn")),
            Options(form, Counting()) with
            {
                GasLimit = 2_000_000,
            }
        );
        Assert.Equal(Fault.OutOfGas, result.Fault);
        Assert.Equal(2_000_000, result.GasUsed);
    }

    /// <summary>Reading what it cannot pay costs it all that it was allowed, though the charge itself is not taken.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void It_has_used_all_that_it_was_allowed_when_it_runs_out_of_gas(string form)
    {
        ZexusProgram called = Load(".func main()\nLOAD_CONST \"k\"\nSTATE_READ\n.end");
        StateInMemory state = new(
            new Dictionary<string, Data> { ["k"] = Data.NewList([.. Enumerable.Repeat(Data.Null, 100_000)]) }
        );
        long[] used =
        [
            .. new[] { 1_000, 90_000 }
                .Select(gas =>
                    Run(
                        form,
                        $"""
                        .func main()
                            SETUP_TRY caught
                            LOAD_CONST "called"
                            LOAD_CONST "main"
                            LOAD_CONST null
                            LOAD_CONST {gas}
                            CALL_BUILTIN call_contract, 4
                        caught:
                            LOAD_CONST "fault"
                            INDEX
                        .end
                        """,
                        Options(form, new Contracts().Add("called", new Contract(called, state)))
                    )
                )
                .Select(result =>
                {
                    Assert.Equal("OutOfGas", result.Value.AsString);
                    return result.GasUsed;
                }),
        ];
        Assert.Equal(89_000, used[1] - used[0]);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void More_gas_than_is_left_is_not_to_be_had(string form)
    {
        Assert.Equal(
            Fault.OutOfGas,
            Run(form, Guarded(Call("main", gas: "1000")), Options(form, Counting()) with { GasLimit = 1000 }).Fault
        );
        Assert.Equal("Domain", Run(form, Guarded(Call("main", gas: "-1"))).Value.AsString);
        Assert.Equal("Domain", Run(form, Guarded(Call("main", gas: $"-1{new string('0', 30)}"))).Value.AsString);
        Assert.Equal(Fault.OutOfGas, Run(form, Guarded(Call("main", gas: $"1{new string('0', 30)}"))).Fault);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_cannot_be_called_is_undefined(string form)
    {
        Assert.Equal("UndefinedFunction", Run(form, Guarded(Call("nobody"))).Value.AsString);
        Assert.Equal("UndefinedFunction", Run(form, Guarded(Call("twice", "1"))).Value.AsString);
        Assert.Equal(
            "UndefinedFunction",
            Run(form, Guarded(Call("main")), new VmOptions { Jit = Options(form, new()).Jit }).Value.AsString
        );
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_is_no_plain_data_does_not_come_out(string form) =>
        Assert.Equal(
            "{\"contract\": \"counter\", \"function\": \"function\", \"fault\": \"TypeMismatch\", \"value\": \"TypeMismatch\"}",
            Literal(Run(form, Guarded(Call("function"))).Value)
        );

    [Theory]
    [MemberData(nameof(Forms))]
    public void Its_open_transactions_are_reverted(string form)
    {
        ExecutionResult result = Run(form, $".func main()\n{Call("leave_open")}\nPOP\n{Call("main")}\n.end");
        Assert.Equal(10, (int)result.Value.AsInteger);
        Assert.Empty(result.CalledWrites);
        Assert.Empty(result.Ledger);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void No_contract_is_entered_that_executes_already(string form)
    {
        const string Back = """
            .func main()
                SETUP_TRY caught
                CALL_BUILTIN caller, 0
                LOAD_CONST "main"
                CALL_BUILTIN call_contract, 2
                RETURN
            caught:
                RETURN
            .end
            """;
        const string Self = """
            .func main()
                SETUP_TRY caught
                LOAD_CONST "self"
                LOAD_CONST "main"
                CALL_BUILTIN call_contract, 2
                RETURN
            caught:
                LOAD_CONST "back"
                LOAD_CONST "main"
                CALL_BUILTIN call_contract, 2
                ADD
            .end
            """;
        ZexusProgram self = Load(Self);
        using Vm vm = new(
            Options(form, new Contracts().Add("back", new Contract(Load(Back))).Add("self", new Contract(self)))
        );
        Assert.Equal("ReentrancyReentrancy", vm.Execute(self).Value.AsString);
    }

    /// <summary>Each contract of the chain takes native stack, which is no limit of the meaning.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void A_chain_of_calls_is_as_long_as_the_call_depth(string form)
    {
        const string Link = """
            .func main(n)
                LOAD_NAME n
                PRINT
                LOAD_CONST ""
                LOAD_NAME n
                INC
                ADD
                LOAD_CONST "main"
                LOAD_NAME n
                INC
                BUILD_LIST 1
                CALL_BUILTIN call_contract, 3
            .end
            """;
        ZexusProgram link = Load(
            ".func start()\nLOAD_CONST \"1\"\nLOAD_CONST \"main\"\nLOAD_CONST [1]\nCALL_BUILTIN call_contract, 3\n.end\n"
                + Link
        );
        using Vm vm = new(Options(form, new()) with { Contracts = new Everywhere(link), GasLimit = 10_000_000 });
        ExecutionResult result = vm.Execute(link);
        Assert.Equal(Fault.Thrown, result.Fault);
        Assert.Equal(Limits.Default.CallDepth - 1, result.Output.Count(c => c == '\n'));
        Assert.True(vm.Execute(Load(".func main()\n.end")).IsCompleted);
    }

    private sealed class Everywhere(ZexusProgram program) : IContractSource
    {
        public bool TryFind(string id, out Contract contract)
        {
            contract = new Contract(program);
            return true;
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void The_hosts_guards_go_through_all_contracts(string form)
    {
        string code = $".func main()\n{Call("burn")}\n.end";
        using Vm vm = new(Options(form, Counting()) with { GasLimit = long.MaxValue, StepLimit = 1_000_000 });
        Assert.Equal(HostGuard.Steps, Assert.Throws<HostGuardException>(() => vm.Execute(Load(code))).Guard);
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(50));
        vm.Options = Options(form, Counting()) with { GasLimit = long.MaxValue };
        Assert.ThrowsAny<OperationCanceledException>(() => vm.Execute(Load(code), source.Token));
        vm.Options = Options(form, Counting()) with
        {
            GasLimit = long.MaxValue,
            TimeLimit = TimeSpan.FromMilliseconds(30),
        };
        Assert.Equal(HostGuard.Time, Assert.Throws<HostGuardException>(() => vm.Execute(Load(code))).Guard);
        vm.Options = Options(form, Counting());
        Assert.Equal("[14, \"self\"]", Literal(vm.Execute(Load($".func main()\n{Call("add", "4")}\n.end")).Value));
    }

    /// <summary>What it has filled is given back at once, and not when .NET comes to it: nothing here makes .NET collect.</summary>
    [Fact]
    public void A_called_contract_that_a_guard_ends_leaves_no_memory_behind()
    {
        const long Limit = 200_000_000;
        ZexusProgram hoard = Load(
            """
            .func main() locals all
                BUILD_LIST 0
                STORE_NAME all
            again:
                LOAD_NAME all
                LOAD_CONST [0.5]
                LOAD_CONST 100000
                MUL
                CALL_METHOD push, 1
                POP
                JUMP again
            .end
            """
        );
        ZexusProgram caller = Load($".func main()\n{Call("main")}\n.end");
        using Vm vm = new(
            new VmOptions
            {
                GasLimit = long.MaxValue,
                MemoryLimit = Limit,
                Contracts = new Everywhere(hoard),
            }
        );
        long before = Environment.WorkingSet;
        for (int i = 0; i < 8; i++)
        {
            Assert.Equal(HostGuard.Memory, Assert.Throws<HostGuardException>(() => vm.Execute(caller)).Guard);
        }

        Assert.InRange(Environment.WorkingSet - before, long.MinValue, 4 * Limit);
    }

    [Fact]
    public void A_contract_of_other_limits_is_the_hosts_mistake()
    {
        Contracts contracts = new Contracts().Add(
            "counter",
            new Contract(Load(Counter, new Limits(5, 8192, 1 << 20, 1 << 20, 256)))
        );
        using Vm vm = new(Options("interpreted", contracts));
        ArgumentException error = Assert.Throws<ArgumentException>(() =>
            vm.Execute(Load($".func main()\n{Call("main")}\n.end"))
        );
        Assert.Contains("\"counter\" was loaded under other limits", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hook_sees_the_steps_of_all_contracts()
    {
        using Vm vm = new(Options("interpreted", Counting()));
        Recorder hook = new([]);
        ExecutionResult result = vm.Execute(Load($".func main()\n{Call("main")}\n.end"), ref hook);
        Assert.Equal(result.Steps, hook.Seen.Count);
        Assert.Equal(["self 0 1", "counter 1 2"], hook.Seen.Distinct());
    }

    private readonly struct Recorder(List<string> seen) : IStepHook
    {
        public List<string> Seen => seen;

        public void BeforeStep(in MachineView view) =>
            seen.Add($"{view.Contract} {view.ContractDepth} {view.FrameDepth}");
    }

    /// <summary>A thousand times the same String is 16 KB and a million bytes, whichever way it goes; a thousand copies would be a gigabyte.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void A_String_that_stands_in_many_places_is_copied_once(string form)
    {
        const string Echo = """
            .func main()
            .end

            .func echo(list)
                LOAD_CONST "kept"
                LOAD_NAME list
                STATE_WRITE
                LOAD_NAME list
                RETURN
            .end
            """;
        const string Code = """
            .func main() locals list
                LOAD_CONST "x"
                LOAD_CONST 1000000
                MUL
                BUILD_LIST 1
                LOAD_CONST 1000
                MUL
                STORE_NAME list
                LOAD_CONST "own"
                LOAD_NAME list
                STATE_WRITE
                LOAD_CONST "echo"
                LOAD_CONST "echo"
                LOAD_NAME list
                BUILD_LIST 1
                CALL_BUILTIN call_contract, 3
                GET_LENGTH
            .end
            """;
        ExecutionResult result = Run(
            form,
            Code,
            Options(form, new Contracts().Add("echo", new Contract(Load(Echo)))) with
            {
                GasLimit = long.MaxValue,
                MemoryLimit = 32 << 20,
            }
        );
        Assert.Equal(1000, (int)result.Value.AsInteger);
        foreach (Data written in new[] { result.Writes["own"], result.CalledWrites["echo"]["kept"] })
        {
            string[] texts = [.. ((Data.List)written).items.Select(item => ((Data.String)item).value)];
            Assert.Equal(1000, texts.Length);
            Assert.All(texts, text => Assert.Same(texts[0], text));
        }
    }

    /// <summary>
    /// What contracts wrote that have returned is in the guard of memory, also where it has been written over since; what was taken back is not. A million
    /// scalars take 2 MB.
    /// </summary>
    [Theory]
    [InlineData(14, "TX_COMMIT", false)]
    [InlineData(20, "TX_COMMIT", true)]
    [InlineData(20, "TX_REVERT", false)]
    public void What_calls_have_written_is_in_the_guard_of_memory(int calls, string end, bool isStopped)
    {
        const string Keeper = """
            .func main()
            .end
            .func keep(text)
                LOAD_CONST "kept"
                LOAD_NAME text
                STATE_WRITE
            .end
            """;
        string code = $"""
            .func main() locals i
                STORE_CONST i, 0
            again:
                TX_BEGIN
                LOAD_CONST "keeper"
                LOAD_CONST "keep"
                LOAD_CONST "x"
                LOAD_CONST 1000000
                MUL
                BUILD_LIST 1
                CALL_BUILTIN call_contract, 3
                POP
                {end}
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST {calls}
                LT
                JUMP_IF_TRUE again
            .end
            """;
        VmOptions options = Options("interpreted", new Contracts().Add("keeper", new Contract(Load(Keeper)))) with
        {
            MemoryLimit = 32 << 20,
        };
        if (isStopped)
        {
            HostGuardException stop = Assert.Throws<HostGuardException>(() => Run("interpreted", code, options));
            Assert.Equal(HostGuard.Memory, stop.Guard);
        }
        else
        {
            Assert.Null(Run("interpreted", code, options).Fault);
        }
    }

    /// <summary>Everything that plain data has goes to another contract and back as it was.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void Plain_data_comes_through_whole(string form)
    {
        const string Data =
            """[null, true, -0.0, 1.5, [1, 2], [1.5], [true], "é𝒳", "a text that is longer than a short one is", {1: [], "k": {}}, #{2, "s"}, 1267650600228229401496703205376]""";
        const string Echo = ".func main()\n.end\n.func echo(x)\nLOAD_NAME x\nRETURN\n.end";
        ExecutionResult result = Run(
            form,
            $"""
            .func main()
                LOAD_CONST "echo"
                LOAD_CONST "echo"
                LOAD_CONST [{Data}]
                CALL_BUILTIN call_contract, 3
            .end
            """,
            Options(form, new Contracts().Add("echo", new Contract(Load(Echo)))) with
            {
                Collection = new CollectionOptions { Stress = true, Verify = true },
            }
        );
        Assert.Equal(Data, Literal(result.Value));
    }

    private static string Literal(ZexusValue value) => Disassembler.Literal(value.ToData()!);
}
