using System.Numerics;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Threaded code does what the loop does: the differential check says so at large, these at the places that were hard.</summary>
public class ThreadedTests
{
    private static readonly ThreadedOptions Eager = new()
    {
        CallThreshold = 0,
        LoopThreshold = 0,
        CountExecutions = true,
    };

    private static ZexusProgram Load(string text, Limits? limits = null)
    {
        AssemblyResult assembly = Assembler.Assemble(text, "test");
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        return ZexusProgram.Load(assembly.Program, limits);
    }

    private static ExecutionResult Run(ZexusProgram program, ThreadedOptions? threaded, long gas = long.MaxValue)
    {
        using Vm vm = new(
            new VmOptions
            {
                GasLimit = gas,
                Threaded = threaded,
                Jit = null,
            }
        );
        return vm.Execute(program);
    }

    /// <summary>The threaded execution, which must be the loop's, steps included.</summary>
    private static ExecutionResult Same(ZexusProgram program, long gas = long.MaxValue)
    {
        ExecutionResult expected = Run(program, null, gas);
        ExecutionResult threaded = Run(program, Eager, gas);
        Assert.Equal(Observables.Of(expected), Observables.Of(threaded));
        Assert.Equal(expected.Steps, threaded.Steps);
        Assert.Empty(program.ThreadedStatistics(Eager)!.Refusals);
        return threaded;
    }

    private static string CountTo(long iterations, string start) =>
        $"""
            .func main() locals sum, i
                STORE_CONST sum, {start}
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                LOAD_CONST {iterations}
                LT
                JUMP_IF_FALSE done
                LOAD_NAME sum
                LOAD_NAME i
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
            """;

    private static long Executed(ZexusProgram program, string op) =>
        program.ThreadedStatistics(Eager)!.Executed.GetValueOrDefault(op);

    private static long BySource(ZexusProgram program, string op) =>
        program.ThreadedStatistics(Eager)!.DoneBySource.GetValueOrDefault(op);

    [Fact]
    public void An_iteration_is_three_instructions_where_the_source_has_thirteen()
    {
        ZexusProgram program = Load(CountTo(100_000, "0"));
        Assert.Equal(4_999_950_000, (long)Same(program).Value.AsInteger);
        ThreadedStatistics statistics = program.ThreadedStatistics(Eager)!;
        Assert.InRange(statistics.Executed["Add"], 199_000, 200_000);
        Assert.InRange(statistics.Executed["JumpLt"], 99_000, 100_010);
        Assert.InRange(statistics.Executed.Values.Sum(), 298_000, 300_010);
    }

    [Fact]
    public void Without_options_nothing_is_translated_and_with_a_hook_neither()
    {
        ZexusProgram program = Load(CountTo(1_000, "0"));
        _ = Run(program, null);
        Assert.Null(program.ThreadedStatistics(Eager));
        using Vm vm = new(new VmOptions { Threaded = Eager, Jit = null });
        StepCounter hook = default;
        ExecutionResult result = vm.Execute(program, ref hook);
        Assert.Null(program.ThreadedStatistics(Eager));
        Assert.Equal(result.Steps, hook.Steps);

        // And where another has marked the entries, a hook still sees each step.
        _ = Run(program, Eager);
        Assert.True(Executed(program, "Add") > 0);
        StepCounter again = default;
        _ = vm.Execute(program, ref again);
        Assert.Equal(hook.Steps, again.Steps);
    }

    private struct StepCounter : IStepHook
    {
        public long Steps;

        public void BeforeStep(in MachineView view) => Steps++;
    }

    [Fact]
    public void Sums_beyond_64_bits_are_done_by_the_source_and_threaded_code_goes_on()
    {
        ZexusProgram program = Load(CountTo(10_000, "9223372036854775000"));
        Assert.Equal(9223372036854775000 + (BigInteger)49_995_000, Same(program).Value.AsInteger);
        Assert.True(Executed(program, "JumpLt") > 9_900);
        Assert.True(BySource(program, "Add") > 9_900);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("0.5")]
    [InlineData("9223372036854775800")]
    public void Gas_runs_out_at_the_same_instruction(string start)
    {
        ZexusProgram program = Load(CountTo(20, start));
        long all = Run(program, null).GasUsed;
        for (long gas = 0; gas <= all; gas++)
        {
            Assert.Equal(gas == all, Same(program, gas).Fault is null);
        }

        Assert.True(Executed(program, "JumpLt") > all);
        Assert.True(program.ThreadedStatistics(Eager)!.Exits["Gas"] > all / 2);
    }

    [Fact]
    public void Slices_of_gas_and_steps_add_up_over_a_long_loop() => _ = Same(Load(CountTo(3_000_000, "0")));

    [Theory]
    [InlineData("0")]
    [InlineData("9223372036854775807")]
    [InlineData("[]")]
    public void Recursion_goes_as_deep_as_the_limit_says(string atTheEnd)
    {
        Limits limits = new(200_000, 8192, 1 << 20, 1 << 20, 256);
        foreach (int depth in (int[])[10, 1_000, 199_000, 210_000])
        {
            ZexusProgram program = Load(
                $"""
                .func main()
                    LOAD_CONST {depth}
                    CALL_FUNC_CONST down, 1
                .end
                .func down(n)
                    LOAD_NAME n
                    JUMP_IF_FALSE end
                    LOAD_NAME n
                    LOAD_CONST 1
                    SUB
                    CALL_FUNC_CONST down, 1
                    LOAD_CONST 1
                    ADD
                    RETURN
                end:
                    LOAD_CONST {atTheEnd}
                    LOAD_CONST 1
                    ADD
                    RETURN
                .end
                """,
                limits
            );
            ExecutionResult? result = null;

            // A small stack of its own: calls of threaded code take none of it.
            Thread thread = new(() => result = Run(program, Eager), 256 * 1024);
            thread.Start();
            thread.Join();
            Assert.NotNull(result);
            Assert.Equal(Observables.Of(Run(program, null)), Observables.Of(result));
            Assert.True(Executed(program, "Call") >= Math.Min(depth, 190_000));
        }
    }

    [Fact]
    public void What_a_variable_held_stays_on_the_operand_stack_when_it_changes()
    {
        ZexusProgram program = Load(
            """
            .func main() locals a, b, i
                STORE_CONST i, 0
                STORE_CONST a, 1
                STORE_CONST b, 1
            loop:
                LOAD_NAME a
                LOAD_NAME b
                STORE_NAME a
                LOAD_NAME b
                ADD
                DUP
                STORE_NAME b
                LOAD_NAME b
                DUP
                LOAD_CONST 7
                STORE_NAME b
                SUB
                LOAD_NAME b
                SUB
                ADD
                LOAD_CONST 1000
                MOD
                STORE_NAME b
                LOAD_NAME i
                INC
                DUP
                STORE_NAME i
                LOAD_CONST 50
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME a
                LOAD_NAME b
                BUILD_LIST 2
            .end
            """
        );
        _ = Same(program);
        Assert.True(Executed(program, "Move") > 100);
        for (long gas = 0; gas < 600; gas++)
        {
            _ = Same(program, gas);
        }
    }

    [Fact]
    public void Callbacks_closures_handlers_and_methods_come_back_to_threaded_code()
    {
        ZexusProgram program = Load(
            """
            .func main() locals total, f, i, m, seen
                STORE_CONST i, 0
                STORE_CONST total, 0
                BUILD_MAP 0
                STORE_NAME m
                BUILD_LIST 0
                STORE_NAME seen
            loop:
                SETUP_TRY handler
                LOAD_NAME i
                CALL_FUNC_CONST make, 1
                STORE_NAME f
                LOAD_CONST 5
                CALL_BUILTIN range, 1
                LOAD_NAME f
                CALL_METHOD map, 1
                LOAD_CONST 3
                INDEX
                LOAD_NAME total
                ADD
                STORE_NAME total
                LOAD_NAME m
                LOAD_CONST "total"
                LOAD_NAME total
                CALL_METHOD set, 2
                LOAD_CONST "total"
                INDEX
                LOAD_NAME seen
                LOAD_NAME i
                CALL_METHOD push, 1
                LOAD_CONST -1
                LOAD_NAME i
                CALL_METHOD set, 2
                LOAD_NAME i
                LOAD_CONST 3
                MOD
                INDEX
                POP
                POP
                LOAD_NAME i
                CALL_TOP 0
                POP
                POP_TRY
                JUMP next
            handler:
                STORE_NAME f
            next:
                LOAD_NAME i
                LOAD_CONST 1
                ADD
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 300
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME total
                LOAD_NAME f
                LOAD_NAME seen
                BUILD_LIST 3
            .end
            .func make(step) locals add
                STORE_FUNC add, add
                LOAD_NAME add
                RETURN
            .end
            .func add(x) captures step
                LOAD_NAME x
                LOAD_NAME step
                ADD
                RETURN
            .end
            """
        );
        _ = Same(program);
        Assert.True(Executed(program, "Return") > 1_700);
        for (long gas = 0; gas < 2_000; gas += 7)
        {
            _ = Same(program, gas);
        }
    }

    [Fact]
    public void Threaded_code_can_be_cancelled_and_keeps_the_hosts_guards()
    {
        ZexusProgram program = Load(CountTo(long.MaxValue, "0"));
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(50));
        using Vm vm = new(
            new VmOptions
            {
                GasLimit = long.MaxValue,
                Threaded = Eager,
                Jit = null,
            }
        );
        _ = Assert.Throws<OperationCanceledException>(() => vm.Execute(program, source.Token));
        vm.Options = new VmOptions
        {
            GasLimit = long.MaxValue,
            StepLimit = 10_000_000,
            Threaded = Eager,
            Jit = null,
        };
        Assert.Equal(HostGuard.Steps, Assert.Throws<HostGuardException>(() => vm.Execute(program)).Guard);
        vm.Options = new VmOptions
        {
            GasLimit = 10_000,
            Threaded = Eager,
            Jit = null,
        };
        Assert.Equal(Fault.OutOfGas, vm.Execute(program).Fault);
        Assert.True(program.ThreadedStatistics(Eager)!.Executed.Values.Sum() > 1_000_000);
    }

    [Fact]
    public void The_collector_of_dotnet_can_stop_a_thread_in_threaded_code()
    {
        // One slice of gas is two milliseconds or so: with so many collections they must come in between.
        ZexusProgram program = Load(CountTo(long.MaxValue, "0"));
        using CancellationTokenSource source = new();
        Exception? ended = null;
        Thread thread = new(() =>
        {
            using Vm vm = new(new VmOptions { GasLimit = long.MaxValue, Jit = null });
            ended = Record.Exception(() => vm.Execute(program, source.Token));
        });
        thread.Start();
        Thread.Sleep(50);
        long start = Environment.TickCount64;
        for (int i = 0; i < 50; i++)
        {
            GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        }

        long took = Environment.TickCount64 - start;
        Assert.True(thread.IsAlive);
        source.Cancel();
        thread.Join();
        _ = Assert.IsType<OperationCanceledException>(ended);
        Assert.InRange(took, 0, 10_000);
    }

    [Fact]
    public void A_loop_in_threaded_code_gets_compiled_when_it_is_hot()
    {
        JitOptions jit = new()
        {
            Background = false,
            LoopThreshold = 1_000,
            CountExecutions = true,
        };
        ZexusProgram program = Load(CountTo(100_000, "0"));
        using Vm vm = new(new VmOptions { Jit = jit, Threaded = Eager });
        ExecutionResult result = vm.Execute(program);
        ExecutionResult expected = Run(program, null, vm.Options.GasLimit);
        Assert.Equal(Observables.Of(expected), Observables.Of(result));
        Assert.Equal(expected.Steps, result.Steps);
        // At first, and where a slice of gas has ended.
        Assert.InRange(program.ThreadedStatistics(Eager)!.Exits["Hot"], 1, 5);
        Assert.InRange(Executed(program, "JumpLt"), 900, 1_100);
        Assert.True(program.JitStatistics(jit)!.Executed["Add"] > 190_000);
    }

    [Fact]
    public void A_function_in_threaded_code_gets_compiled_when_it_is_hot()
    {
        JitOptions jit = new()
        {
            Background = false,
            CallThreshold = 100,
            LoopThreshold = int.MaxValue,
            CountExecutions = true,
        };
        ZexusProgram program = Load(
            """
            .func main() locals i
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                CALL_FUNC_CONST next, 1
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 5000
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME i
            .end
            .func next(n)
                LOAD_NAME n
                LOAD_CONST 1
                ADD
                RETURN
            .end
            """
        );
        using Vm vm = new(new VmOptions { Jit = jit, Threaded = Eager });
        ExecutionResult result = vm.Execute(program);
        ExecutionResult expected = Run(program, null, vm.Options.GasLimit);
        Assert.Equal(Observables.Of(expected), Observables.Of(result));
        Assert.Equal(expected.Steps, result.Steps);
        Assert.InRange(Executed(program, "Add"), 90, 110);
        Assert.True(program.JitStatistics(jit)!.Executed["Add"] > 4_800);
    }

    [Fact]
    public void Threads_share_threaded_code()
    {
        ZexusProgram program = Load(CountTo(5_000, "0"));
        string expected = Observables.Of(Run(program, null));
        _ = Parallel.For(
            0,
            200,
            i => Assert.Equal(expected, Observables.Of(Run(program, i % 3 == 0 ? null : ThreadedOptions.Default)))
        );
        Assert.Equal(1, program.ThreadedStatistics(ThreadedOptions.Default)!.Functions);
    }
}
