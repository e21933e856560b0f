using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Text;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Compiled code does what the interpreter does: the differential check says so at large, these at the places that were hard.</summary>
public class JitTests
{
    private static readonly JitOptions Eager = new()
    {
        Background = false,
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

    // Each program by itself, so that its counts are of one test.
    private static readonly ConditionalWeakTable<ZexusProgram, JitCache> Caches = [];

    private static ExecutionResult Run(ZexusProgram program, JitOptions? jit, long gas = long.MaxValue)
    {
        JitCache cache = Caches.GetValue(program, _ => new JitCache());
        using Vm vm = new(
            new VmOptions
            {
                GasLimit = gas,
                Jit = jit,
                JitCache = cache,
            }
        );
        return vm.Execute(program);
    }

    /// <summary>The compiled execution, which must be the interpreted one, steps included.</summary>
    private static ExecutionResult Same(ZexusProgram program, JitOptions jit, long gas = long.MaxValue)
    {
        ExecutionResult interpreted = Run(program, null, gas);
        ExecutionResult compiled = Run(program, jit, gas);
        Assert.Equal(Observables.Of(interpreted), Observables.Of(compiled));
        Assert.Equal(interpreted.Steps, compiled.Steps);
        JitStatistics statistics = program.JitStatistics(jit)!;
        Assert.Empty(statistics.Failures);
        Assert.Empty(statistics.Refusals);
        Assert.True(statistics.Pieces > 0);
        return compiled;
    }

    private static string CountTo(int iterations, string start) =>
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

    [Theory]
    [InlineData(0, 1)]
    [InlineData(50_000, 1)]
    [InlineData(long.MaxValue, 0)]
    public void Nothing_is_compiled_before_so_many_steps(long steps, int pieces)
    {
        ZexusProgram program = Load(CountTo(20_000, "0"));
        JitOptions jit = Eager with { CallThreshold = int.MaxValue };
        ThreadedOptions threaded = new() { CountExecutions = true };
        VmOptions options = new()
        {
            GasLimit = long.MaxValue,
            Jit = jit,
            JitCache = new JitCache(),
            Threaded = threaded,
            InterpretedSteps = steps,
        };
        using Vm vm = new(options);
        ExecutionResult result = vm.Execute(program);
        Assert.Equal(Run(program, null).Steps, result.Steps);
        JitStatistics statistics = program.JitStatistics(jit)!;
        Assert.Equal(pieces, statistics.Pieces);

        // A turn is 13 steps, two of them sums.
        long sums = statistics.Executed.GetValueOrDefault("Add");
        Assert.True(pieces == 0 ? sums == 0 : sums > 10_000, $"{sums} sums in compiled code");
        Assert.InRange(sums * 13 / 2, 0, Math.Max(result.Steps - steps, 0));
    }

    [Fact]
    public void A_loop_that_runs_once_is_entered_while_it_runs()
    {
        JitOptions jit = Eager with { CallThreshold = int.MaxValue, LoopThreshold = 10 };
        ZexusProgram program = Load(CountTo(100_000, "0"));
        Assert.Equal(4_999_950_000, (long)Same(program, jit).Value.AsInteger);
        JitStatistics statistics = program.JitStatistics(jit)!;
        Assert.Equal(1, statistics.Pieces);

        // It is left, and entered again, where a slice of gas ends.
        Assert.Equal(1 + statistics.Exits["Gas"], statistics.Entered);
        Assert.InRange(statistics.Entered, 2, 8);
        Assert.True(statistics.Executed["Add"] > 190_000);
    }

    /// <summary>
    /// A step of a NOP takes no gas. Each block of them is short, is entered from outside so that it stays one, and has no gas of its own; there
    /// are many, so that a slice of gas has more steps than 24 bits.
    /// </summary>
    [Theory]
    [InlineData(150, 6)]
    [InlineData(1, 700)]
    public void Nops_do_not_let_the_step_counter_run_over_into_the_gas(int blocks, int nops)
    {
        const int Turns = 30_000;
        StringBuilder text = new(".func main() locals i\n    STORE_CONST i, 0\n");
        for (int k = 0; k < blocks; k++)
        {
            text.Append(CultureInfo.InvariantCulture, $"    LOAD_CONST false\n    JUMP_IF_TRUE l{k}\n");
        }

        text.Append("loop:\n");
        for (int k = 0; k < blocks; k++)
        {
            text.Append(CultureInfo.InvariantCulture, $"l{k}:\n").Insert(text.Length, "    NOP\n", nops);
        }

        text.Append(
                CultureInfo.InvariantCulture,
                $"    LOAD_NAME i\n    INC\n    STORE_NAME i\n    LOAD_NAME i\n    LOAD_CONST {Turns}\n"
            )
            .Append("    LT\n    JUMP_IF_TRUE loop\n    LOAD_NAME i\n.end\n");
        ZexusProgram program = Load(text.ToString());

        // In the loop each NOP asks.
        using Vm plain = new(
            new VmOptions
            {
                GasLimit = long.MaxValue,
                Jit = null,
                Threaded = null,
            }
        );
        ExecutionResult expected = plain.Execute(program);
        Assert.Equal(1 + (2L * blocks) + (Turns * ((long)(blocks * nops) + 7)) + 2, expected.Steps);
        ExecutionResult compiled = Same(program, Eager);
        Assert.Equal((expected.GasUsed, expected.Steps), (compiled.GasUsed, compiled.Steps));
        Assert.Empty(program.ThreadedStatistics(ThreadedOptions.Default)!.Refusals);
    }

    [Fact]
    public void A_sum_that_grows_out_of_64_bits_leaves_compiled_code_and_comes_back()
    {
        ZexusProgram program = Load(CountTo(10_000, "9223372036854775000"));
        Assert.Equal(9223372036854775000 + (BigInteger)49_995_000, Same(program, Eager).Value.AsInteger);
        JitStatistics statistics = program.JitStatistics(Eager)!;
        Assert.InRange(statistics.Exits["Overflow"], 1, 3);

        // Compiled anew, it does the large sums without leaving.
        Assert.True(statistics.Executed["Add"] > 19_000);
    }

    [Fact]
    public void A_kind_that_changes_in_the_loop_is_learned()
    {
        ZexusProgram program = Load(
            CountTo(10_000, "0").Replace("LOAD_CONST 1\n", "LOAD_CONST 0.5\n", StringComparison.Ordinal)
        );
        _ = Same(program, Eager);
        JitStatistics statistics = program.JitStatistics(Eager)!;
        Assert.True(statistics.Exits["Kind"] is > 0 and < 10, $"{statistics.Exits["Kind"]}");
        Assert.True(statistics.Executed["Add"] > 38_000);
    }

    [Fact]
    public void The_way_in_which_lists_store_items_is_learned()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, list
                STORE_CONST list, [1, 2, 3]
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                LOAD_CONST 20
                EQ
                JUMP_IF_FALSE same
                STORE_CONST list, [0.5, 1.5, 2.5]
            same:
                LOAD_NAME list
                CALL_FUNC_CONST last, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 40
                LT
                JUMP_IF_TRUE loop
            .end
            .func last(list) locals i, item, pushed
                STORE_CONST i, 0
                BUILD_LIST 0
                STORE_NAME pushed
            loop:
                LOAD_NAME pushed
                LOAD_NAME i
                CALL_METHOD push, 1
                POP
                LOAD_NAME list
                LOAD_NAME i
                LOAD_CONST 3
                MOD
                INDEX
                STORE_NAME item
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 50
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME item
            .end
            """
        );
        _ = Same(program, Eager);
        JitStatistics statistics = program.JitStatistics(Eager)!;
        Assert.InRange(statistics.Exits["Elements"], 1, 4);
        Assert.InRange(statistics.Pieces, 2, 10);
    }

    /// <summary>What the processor makes of the difference of two infinities is another NaN; a collection finds it in the frame or in the List.</summary>
    [Fact]
    public void A_nan_leaves_compiled_code_as_the_one_that_there_is()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, large, x, t, kept
                STORE_CONST i, 0
                STORE_CONST large, 1e308
                STORE_CONST t, 1
            loop:
                LOAD_NAME large
                LOAD_CONST 10.0
                MUL
                LOAD_NAME large
                LOAD_CONST 10.0
                MUL
                SUB
                STORE_NAME x
                LOAD_NAME i
                LOAD_CONST 20
                EQ
                JUMP_IF_FALSE keep
                STORE_CONST t, "s"
            keep:
                LOAD_NAME t
                LOAD_CONST 2
                MUL
                POP
                LOAD_NAME x
                BUILD_LIST 1
                STORE_NAME kept
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 30
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME kept
            .end
            """
        );
        using Vm vm = new(
            new VmOptions
            {
                Jit = Eager,
                JitCache = new JitCache(),
                Threaded = null,
                Collection = new CollectionOptions { Stress = true, Verify = true },
            }
        );
        Assert.Equal(Observables.Of(Run(program, null)), Observables.Of(vm.Execute(program)));
        Assert.True(program.JitStatistics(Eager)!.Exits["Kind"] > 0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Gas_runs_out_at_the_same_instruction(int level)
    {
        ZexusProgram program = Load(CountTo(20, "0"));
        program = level == 0 ? program : ZexusProgram.Load(Optimizer.Optimize(program, 3).Program);
        long all = Run(program, null).GasUsed;
        for (long gas = 0; gas <= all; gas++)
        {
            ExecutionResult result = Same(program, Eager, gas);
            Assert.Equal(gas == all, result.Fault is null);
        }
    }

    [Fact]
    public void Turns_of_a_short_loop_stand_one_behind_the_other_and_each_can_be_left()
    {
        const int Turns = 9;
        long later = 0;
        for (int last = 0; last < Turns; last++)
        {
            // The sum of 0 to i is the first that does not fit when i is `last`.
            string start = (long.MaxValue - (last * (last + 1L) / 2) + Math.Min(last, 1)).ToString(
                CultureInfo.InvariantCulture
            );
            ZexusProgram program = Load(CountTo(Turns, start));
            long all = Run(program, null).GasUsed;
            for (long gas = 0; gas <= all; gas++)
            {
                _ = Same(program, Eager, gas);
            }

            // Near its end the gas of several turns is not there.
            _ = Same(program, Eager);
            JitStatistics statistics = program.JitStatistics(Eager)!;
            later += statistics.Executed["LaterTurn"];
            Assert.True(statistics.Exits["Overflow"] > 0, $"{last}");
        }

        Assert.True(later > 1_000, $"{later}");
    }

    [Fact]
    public void Turns_have_ways_that_meet_again()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, odd, even
                STORE_CONST i, 0
                STORE_CONST odd, 0
                STORE_CONST even, 0
            loop:
                LOAD_NAME i
                LOAD_CONST 11
                LT
                JUMP_IF_FALSE done
                LOAD_NAME i
                LOAD_CONST 2
                MOD
                JUMP_IF_TRUE other
                LOAD_NAME even
                LOAD_CONST 3
                ADD
                STORE_NAME even
                JUMP next
            other:
                LOAD_NAME odd
                INC
                STORE_NAME odd
            next:
                LOAD_NAME i
                INC
                STORE_NAME i
                JUMP loop
            done:
                LOAD_NAME even
                LOAD_NAME odd
                MUL
            .end
            """
        );
        long all = Run(program, null).GasUsed;
        for (long gas = 0; gas <= all + 100; gas++)
        {
            _ = Same(program, Eager, gas);
        }

        Assert.True(program.JitStatistics(Eager)!.Executed["LaterTurn"] > 1_000);
    }

    /// <summary>With several turns of each loop it would be too large a method.</summary>
    [Fact]
    public void Many_short_loops_are_compiled_with_a_turn_each()
    {
        const int Loops = 60;
        StringBuilder text = new(".func main() locals i, sum\n    STORE_CONST sum, 0\n");
        for (int k = 0; k < Loops; k++)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"""
                    STORE_CONST i, 0
                l{k}:
                    LOAD_NAME sum
                    LOAD_NAME i
                    ADD
                    STORE_NAME sum
                    LOAD_NAME i
                    INC
                    STORE_NAME i
                    LOAD_NAME i
                    LOAD_CONST 5
                    LT
                    JUMP_IF_TRUE l{k}

                """
            );
        }

        ZexusProgram program = Load(text.Append("    LOAD_NAME sum\n.end\n").ToString());
        Assert.Equal(10 * Loops, (long)Same(program, Eager).Value.AsInteger);
        Assert.True(program.JitStatistics(Eager)!.Executed["Add"] >= 5 * Loops);
    }

    [Fact]
    public void State_is_read_where_it_stands()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, key, seen
                STORE_CONST i, 0
                BUILD_LIST 0
                STORE_NAME seen
            loop:
                LOAD_CONST ["number", "text", "list", "missing", "a key whose length costs gas, since it has more than a few words in it"]
                LOAD_NAME i
                LOAD_CONST 5
                MOD
                INDEX
                STORE_NAME key
                TX_BEGIN
                LOAD_NAME i
                LOAD_CONST 12
                GT
                JUMP_IF_FALSE read
                LOAD_NAME key
                LOAD_NAME i
                STATE_WRITE
            read:
                LOAD_NAME seen
                LOAD_NAME key
                STATE_READ
                CALL_METHOD push, 1
                POP
                LOAD_NAME i
                LOAD_CONST 15
                GT
                JUMP_IF_FALSE revert
                TX_COMMIT
                JUMP next
            revert:
                TX_REVERT
            next:
                LOAD_NAME seen
                LOAD_NAME key
                STATE_READ
                CALL_METHOD push, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 20
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME seen
            .end
            """
        );
        VmOptions options = new()
        {
            State = new Dictionary<string, Data>
            {
                ["number"] = Data.NewInt(7),
                ["text"] = Data.NewString("seven"),
                ["list"] = Data.NewList([Data.NewInt(7)]),
                ["a key whose length costs gas, since it has more than a few words in it"] = Data.NewBool(true),
            },
            JitCache = new JitCache(),
        };
        Assert.True(ExecutedAtEachGas(program, options, "ReadStateInPlace") > 1_000);
    }

    /// <summary>
    /// Keys of every length and width, so many that some are not in the slot that their hash names first; and as many that are not there,
    /// whose slots others are in. The oracle is the state itself.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(600)]
    public void Compiled_code_finds_every_key_of_the_state_and_no_other(int count)
    {
        string[] keys =
        [
            .. Enumerable
                .Range(0, count)
                .Select(i => $"{new string((char)(i % 3 == 0 ? 'k' : i % 3 == 1 ? 0xE9 : 0x4E2D), i % 19)}{i}"),
        ];
        string[] sought = [.. keys.SelectMany(key => new[] { key, key + "?" })];
        ZexusProgram program = Load(
            $"""
            .func main() locals keys, i, found
                STORE_CONST keys, [{string.Join(", ", sought.Select(key => $"\"{key}\""))}]
                STORE_CONST i, 0
                BUILD_LIST 0
                STORE_NAME found
            loop:
                LOAD_NAME found
                LOAD_NAME keys
                LOAD_NAME i
                INDEX
                STATE_READ
                CALL_METHOD push, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST {sought.Length}
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME found
            .end
            """
        );
        using Vm vm = new(
            new VmOptions
            {
                State = keys.Select((key, i) => (key, i)).ToDictionary(it => it.key, it => Data.NewInt(it.i)),
                Jit = Eager,
                JitCache = new JitCache(),
            }
        );
        ExecutionResult result = vm.Execute(program);
        Assert.Equal(
            [.. Enumerable.Range(0, count).SelectMany(i => new long?[] { i, null })],
            result.Value.Items.Select(item => item.Kind == ValueKind.Null ? (long?)null : (long)item.AsInteger)
        );
        JitStatistics statistics = program.JitStatistics(vm.Options.Jit!)!;
        Assert.True(statistics.Executed["ReadStateInPlace"] >= count - 1);
    }

    [Fact]
    public void State_is_written_where_it_stands()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, list, key
                STORE_CONST i, 0
            loop:
                LOAD_CONST 5
                BUILD_LIST 1
                STORE_NAME list
                LOAD_CONST ["a", "a key whose length costs gas, since it has more than a few words in it"]
                LOAD_NAME i
                LOAD_CONST 2
                MOD
                INDEX
                STORE_NAME key
                TX_BEGIN
                LOAD_NAME key
                LOAD_CONST [1, "text", 1.5, null, 123456789012345678901234567890, -0.0, true]
                LOAD_NAME i
                LOAD_CONST 7
                MOD
                INDEX
                STATE_WRITE
                LOAD_CONST "list"
                LOAD_NAME i
                LOAD_CONST 3
                MOD
                JUMP_IF_FALSE number
                LOAD_NAME list
                JUMP write
            number:
                LOAD_NAME i
            write:
                STATE_WRITE
                LOAD_NAME list
                LOAD_NAME i
                CALL_METHOD push, 1
                POP
                LOAD_NAME i
                LOAD_CONST 4
                MOD
                JUMP_IF_FALSE revert
                TX_COMMIT
                JUMP next
            revert:
                TX_REVERT
            next:
                LOAD_CONST "last"
                LOAD_NAME i
                STATE_WRITE
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 20
                LT
                JUMP_IF_TRUE loop
            .end
            """
        );
        VmOptions options = new()
        {
            State = new Dictionary<string, Data> { ["last"] = Data.NewString("before") },
            JitCache = new JitCache(),
        };
        Assert.True(ExecutedAtEachGas(program, options, "WriteStateInPlace") > 1_000);
    }

    /// <summary>
    /// Maps for an event and nothing else: in place while the event has no handlers and the items are scalars, with keys and items of which copies
    /// cost gas; else as before.
    /// </summary>
    [Fact]
    public void A_map_for_an_event_is_not_made()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, items
                STORE_CONST i, 0
                STORE_CONST items, [1, "text", 1.5, null, 123456789012345678901234567890, -0.0, [1, "two"], true, "a text whose length costs gas"]
            loop:
                TX_BEGIN
                LOAD_CONST "item"
                LOAD_NAME items
                LOAD_NAME i
                LOAD_CONST 9
                MOD
                INDEX
                LOAD_CONST "a key whose length costs gas, since it has more than a few words in it"
                LOAD_NAME i
                BUILD_MAP 2
                EMIT_EVENT moved
                BUILD_MAP 0
                EMIT_EVENT empty
                LOAD_CONST "twice"
                LOAD_NAME i
                LOAD_CONST "twice"
                LOAD_CONST 0
                BUILD_MAP 2
                EMIT_EVENT twice
                LOAD_NAME i
                LOAD_CONST 2
                MOD
                JUMP_IF_FALSE build
                LOAD_NAME i
                JUMP send
            build:
                LOAD_CONST "joined"
                LOAD_NAME i
                BUILD_MAP 1
            send:
                EMIT_EVENT joined
                LOAD_NAME i
                LOAD_CONST 3
                MOD
                JUMP_IF_FALSE revert
                TX_COMMIT
                JUMP next
            revert:
                TX_REVERT
            next:
                LOAD_NAME i
                LOAD_CONST 15
                EQ
                JUMP_IF_FALSE unheard
                STORE_FUNC heard, hear
                REGISTER_EVENT moved, heard
            unheard:
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 20
                LT
                JUMP_IF_TRUE loop
            .end
            .func hear(event)
                LOAD_NAME event
                LOAD_CONST "heard"
                AUDIT_LOG
            .end
            """
        );
        Assert.True(ExecutedAtEachGas(program, new VmOptions { JitCache = new JitCache() }, "EventOfNewMap") > 1_000);
        Assert.Empty(program.JitStatistics(Eager)!.Failures);
    }

    /// <summary>Nearly all gas goes to the events, so slices of gas end there: then the machine does what compiled code has not.</summary>
    [Fact]
    public void A_map_for_an_event_at_the_end_of_a_slice_of_gas_is_emitted_once()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, text
                LOAD_CONST "text"
                LOAD_CONST 2000
                MUL
                STORE_NAME text
                STORE_CONST i, 0
            loop:
                LOAD_CONST "text"
                LOAD_NAME text
                LOAD_CONST "number"
                LOAD_NAME i
                BUILD_MAP 2
                EMIT_EVENT moved
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 3000
                LT
                JUMP_IF_TRUE loop
            .end
            """
        );
        using Vm vm = new(new VmOptions { Jit = Eager, JitCache = new JitCache() });
        ExecutionResult result = vm.Execute(program);
        Assert.True(result.GasUsed > 3_000_000);
        Assert.Equal(
            Enumerable.Range(0, 3000).Select(i => (BigInteger)i),
            result.Events.Select(e => ((Data.Int)((Data.Map)e.Payload).entries[1].Value).value)
        );
        Assert.InRange(program.JitStatistics(Eager)!.Executed["EventOfNewMap"], 2_990, 2_999);
    }

    /// <summary>
    /// In a callee that is compiled into its caller, beside a closure that is not made, with handlers in the function; fresh Strings and large
    /// Ints while the log takes new chunks; keys that are wide; one entry more than are written in place.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Maps_for_events_in_callees_beside_virtual_objects(bool isStressed)
    {
        string entries = string.Concat(Enumerable.Range(0, 16).Select(i => $"LOAD_CONST \"k{i}\"\nLOAD_NAME n\n"));
        ZexusProgram program = Load(
            $"""
            .func main() locals i
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                CALL_FUNC_CONST step, 1
                POP
                LOAD_NAME i
                LOAD_CONST 123456789012345678901234567890
                ADD
                CALL_FUNC_CONST guarded, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 25
                LT
                JUMP_IF_TRUE loop
            .end
            .func step(n) locals f, g, v, seen
                LOAD_NAME n
                STORE_NAME v
                STORE_FUNC f, get
                STORE_FUNC g, get
                CALL_NAME g, 0
                POP
                CALL_NAME f, 0
                STORE_NAME seen
                LOAD_CONST "seen"
                LOAD_NAME seen
                LOAD_CONST "ключ"
                LOAD_CONST "text"
                LOAD_NAME n
                ADD
                BUILD_MAP 2
                EMIT_EVENT stepped
                LOAD_NAME n
                CALL_NAME f, 0
                ADD
                CALL_FUNC_CONST emit, 1
            .end
            .func get() captures v
                LOAD_NAME v
                INC
                STORE_NAME v
                LOAD_NAME v
            .end
            .func emit(n)
                {entries}BUILD_MAP 16
                EMIT_EVENT full
                {entries}LOAD_CONST "more"
                LOAD_NAME n
                BUILD_MAP 17
                EMIT_EVENT more
            .end
            .func guarded(large)
                SETUP_TRY failed
                LOAD_CONST "large"
                LOAD_NAME large
                LOAD_CONST "text"
                LOAD_CONST "{new string('t', 2_000)}"
                LOAD_NAME large
                ADD
                BUILD_MAP 2
                EMIT_EVENT large
                LOAD_CONST "map"
                LOAD_NAME large
                LOAD_CONST "it"
                BUILD_LIST 0
                BUILD_MAP 1
                EMIT_EVENT large
                THROW
            failed:
                POP
            .end
            """
        );
        AssertSameBesideVirtualObjects(
            program,
            isStressed,
            "EventOfNewMap",
            atEachGas: 1_000,
            afterwards: 350,
            closures: 50
        );
    }

    /// <summary>A loop whose List is asked about before it, with a REQUIRE that fails in one of its turns, or in none.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_requirement_in_a_loop_over_a_list_may_fail_in_any_turn(bool isHandled)
    {
        for (int turns = 0; turns <= 9; turns++)
        {
            ZexusProgram program = Load(
                $"""
                .func main() locals list, i, sum
                    STORE_CONST sum, 0
                    STORE_CONST i, 0
                    {(isHandled ? "SETUP_TRY failed" : "NOP")}
                    LOAD_CONST [3, 1, 4, 1, 5, 9, 2, 6]
                    STORE_NAME list
                loop:
                    LOAD_NAME sum
                    LOAD_NAME list
                    LOAD_NAME i
                    INDEX
                    ADD
                    STORE_NAME sum
                    LOAD_NAME i
                    LOAD_CONST {turns}
                    NEQ
                    LOAD_CONST "too far"
                    REQUIRE
                    LOAD_NAME i
                    INC
                    STORE_NAME i
                    LOAD_NAME i
                    LOAD_CONST 8
                    LT
                    JUMP_IF_TRUE loop
                    LOAD_NAME sum
                    RETURN
                failed:
                    LOAD_NAME sum
                    LOAD_NAME i
                    BUILD_LIST 3
                .end
                """
            );
            ExecutionResult all = Same(program, Eager);
            ImmutableSortedDictionary<string, long> executed = program.JitStatistics(Eager)!.Executed;
            Assert.Equal(Math.Min(turns, 8), executed.GetValueOrDefault("RequireInPlace"));
            Assert.Equal(Math.Min(turns + 1, 8), executed["HoistedList"]);
            for (long gas = 0; gas < all.GasUsed; gas++)
            {
                _ = Same(program, Eager, gas);
            }
        }
    }

    [Fact]
    public void A_function_with_many_large_events_is_compiled()
    {
        string entries = string.Concat(Enumerable.Range(0, 16).Select(i => $"LOAD_CONST \"k{i}\"\nLOAD_NAME n\n"));
        string events = string.Concat(Enumerable.Repeat($"{entries}BUILD_MAP 16\nEMIT_EVENT full\n", 25));
        ZexusProgram program = Load(
            $"""
            .func main() locals n
                STORE_CONST n, 1
            loop:
                {events}LOAD_NAME n
                INC
                STORE_NAME n
                LOAD_NAME n
                LOAD_CONST 4
                LT
                JUMP_IF_TRUE loop
            .end
            """
        );
        _ = Same(program, Eager);
        JitStatistics statistics = program.JitStatistics(Eager)!;
        Assert.Equal(75, statistics.Executed["EventOfNewMap"]);
        Assert.Equal(25 * statistics.Pieces, statistics.Compiled["EventOfNewMap"]);
        Assert.Equal(statistics.Compiled["BuildMap"], statistics.Compiled["EventOfNewMap"]);
    }

    [Theory]
    [InlineData(2, 1, "CollectionTooLarge")]
    [InlineData(3, 0, "TooDeep")]
    [InlineData(3, 1, null)]
    public void A_map_for_an_event_is_within_the_limits(int length, int nesting, string? fault)
    {
        ZexusProgram program = Load(
            """
            .func main()
                LOAD_CONST "a"
                LOAD_CONST 1
                LOAD_CONST "b"
                LOAD_CONST 2
                LOAD_CONST "c"
                LOAD_CONST 3
                BUILD_MAP 3
                EMIT_EVENT moved
            .end
            """,
            new Limits(1024, 8192, 1 << 20, length, nesting)
        );
        ExecutionResult result = Execute(Eager);
        Assert.Equal(fault, result.Fault?.Name);
        Assert.Equal(Observables.Of(Execute(null)), Observables.Of(result));
        JitStatistics statistics = program.JitStatistics(Eager)!;
        Assert.True(statistics.Compiled["EventOfNewMap"] > 0);
        Assert.Equal(fault is null ? 1 : 0, statistics.Executed.GetValueOrDefault("EventOfNewMap"));

        ExecutionResult Execute(JitOptions? jit)
        {
            using Vm vm = new(new VmOptions { Jit = jit, JitCache = new JitCache() });
            return vm.Execute(program);
        }
    }

    [Fact]
    public void A_condition_that_holds_is_required_in_place()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                CALL_FUNC_CONST check, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 30
                LT
                JUMP_IF_TRUE loop
            .end
            .func check(n)
                SETUP_TRY failed
                LOAD_NAME n
                CALL_FUNC_CONST require, 1
                POP_TRY
                RETURN
            failed:
                LOAD_CONST "caught"
                AUDIT_LOG
            .end
            .func require(n)
                LOAD_NAME n
                LOAD_CONST 20
                LT
                LOAD_CONST "too far"
                REQUIRE
                LOAD_NAME n
                LOAD_CONST -0.5
                MUL
                LOAD_CONST "minus zero"
                REQUIRE
                LOAD_NAME n
                LOAD_CONST 10
                SUB
                LOAD_CONST "nothing"
                REQUIRE
                LOAD_NAME n
            .end
            """
        );
        Assert.True(ExecutedAtEachGas(program, new VmOptions { JitCache = new JitCache() }, "RequireInPlace") > 1_000);
    }

    [Fact]
    public void Strings_are_joined_in_place()
    {
        ZexusProgram program = Load(
            $"""
            .func main() locals i, s, other, all
                STORE_CONST i, 0
                BUILD_LIST 0
                STORE_NAME all
                STORE_CONST s, "{new string('s', 300)}"
            loop:
                LOAD_NAME s
                LOAD_NAME s
                LOAD_CONST ["x", "", "three", "Ā"]
                LOAD_NAME i
                LOAD_CONST 9
                GT
                LOAD_NAME i
                LOAD_CONST 3
                MOD
                ADD
                INDEX
                ADD
                STORE_NAME s
                LOAD_CONST "y"
                ADD
                STORE_NAME other
                LOAD_NAME all
                LOAD_NAME other
                CALL_METHOD push, 1
                POP
                LOAD_VAR_REG r0, s
                LOAD_REG r1, "z"
                PUSH_REG r0
                ADD_REG r0, r0, r1
                STORE_NAME other
                LOAD_NAME all
                LOAD_NAME other
                CALL_METHOD push, 1
                PUSH_REG r0
                CALL_METHOD push, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 18
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME all
            .end
            """
        );
        VmOptions options = new() { JitCache = new JitCache() };
        Assert.True(ExecutedAtEachGas(program, options, "JoinInPlace") > 1_000);
    }

    [Fact]
    public void A_closure_is_not_written_to_the_state_in_place()
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, value
                STORE_CONST i, 0
            loop:
                LOAD_CONST "key"
                LOAD_NAME i
                LOAD_CONST 9
                EQ
                JUMP_IF_TRUE closure
                LOAD_NAME i
                JUMP write
            closure:
                STORE_FUNC value, main
                LOAD_NAME value
            write:
                STATE_WRITE
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 20
                LT
                JUMP_IF_TRUE loop
            .end
            """
        );
        Assert.Equal(Fault.TypeMismatch, Same(program, Eager).Fault);
        Assert.True(program.JitStatistics(Eager)!.Executed["WriteStateInPlace"] > 5);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Joins_and_writes_in_callees_beside_virtual_objects(bool isStressed)
    {
        ZexusProgram program = Load(
            $"""
            .func main() locals i, s
                STORE_CONST i, 0
                STORE_CONST s, "{new string('s', 300)}"
                LOAD_CONST "k"
                LOAD_CONST 0
                STATE_WRITE
            loop:
                LOAD_NAME s
                LOAD_NAME i
                CALL_FUNC_CONST step, 2
                STORE_NAME s
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 40
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME s
                LOAD_CONST "k"
                STATE_READ
                ADD
            .end
            .func step(s, i) locals f, g, v, t
                LOAD_NAME i
                STORE_NAME v
                STORE_FUNC f, get
                STORE_FUNC g, get
                CALL_NAME g, 0
                POP
                LOAD_VAR_REG r0, f
                LOAD_VAR_REG r1, s
                LOAD_REG r2, "x"
                ADD_REG r0, r1, r2
                LOAD_CONST "k"
                PUSH_REG r0
                STATE_WRITE
                LOAD_NAME f
                STORE_NAME t
                PUSH_REG r0
                LOAD_CONST "y"
                ADD
                STORE_NAME t
                LOAD_CONST "k"
                CALL_NAME f, 0
                STATE_WRITE
                LOAD_NAME t
                LOAD_CONST "z"
                ADD
                RETURN
            .end
            .func get() captures v
                LOAD_NAME v
                LOAD_CONST 1
                ADD
                STORE_NAME v
                LOAD_NAME v
            .end
            """
        );
        AssertSameBesideVirtualObjects(
            program,
            isStressed,
            "JoinInPlace",
            atEachGas: 100,
            afterwards: 100,
            closures: 100
        );
    }

    /// <summary>
    /// At each limit of gas, or with collections forced, and then five executions with all the gas: those with compiled code did the operation more
    /// often than that, and made no closures so often.
    /// </summary>
    private static void AssertSameBesideVirtualObjects(
        ZexusProgram program,
        bool isStressed,
        string operation,
        int atEachGas,
        int afterwards,
        int closures
    )
    {
        VmOptions options = new()
        {
            JitCache = new JitCache(),
            Collection = isStressed
                ? new CollectionOptions
                {
                    Stress = true,
                    Verify = true,
                    StressRun = 3,
                    StressCollections = 200,
                }
                : CollectionOptions.Default,
        };
        if (!isStressed)
        {
            Assert.True(ExecutedAtEachGas(program, options, operation) > atEachGas);
        }

        using Vm plain = new(options with { Jit = null, GasLimit = long.MaxValue });
        using Vm compiled = new(options with { Jit = Eager, GasLimit = long.MaxValue });
        long before = program.JitStatistics(Eager)?.Executed[operation] ?? 0;
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(Observables.Of(plain.Execute(program)), Observables.Of(compiled.Execute(program)));
        }

        JitStatistics statistics = program.JitStatistics(Eager)!;
        Assert.Empty(statistics.Failures);
        Assert.Empty(statistics.Refusals);
        Assert.True(statistics.Executed[operation] - before > afterwards);
        Assert.True(statistics.Executed["VirtualClosure"] > closures);
    }

    /// <summary>Executes with each limit of gas up to what the program takes, as the interpreter does; how often compiled code did something.</summary>
    private static long ExecutedAtEachGas(ZexusProgram program, VmOptions options, string operation)
    {
        ExecutionResult all = Execute(null, long.MaxValue);
        Assert.Null(all.Fault);
        for (long gas = 0; gas <= all.GasUsed; gas++)
        {
            Assert.Equal(Observables.Of(Execute(null, gas)), Observables.Of(Execute(Eager, gas)));
        }

        return program.JitStatistics(Eager)!.Executed[operation];

        ExecutionResult Execute(JitOptions? jit, long gas)
        {
            using Vm vm = new(options with { Jit = jit, GasLimit = gas });
            return vm.Execute(program);
        }
    }

    private const string Fibonacci = """
        .func main()
            LOAD_CONST {0}
            CALL_FUNC_CONST fib, 1
            LOAD_CONST 9
            CALL_FUNC_CONST fib, 1
            ADD
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
        """;

    private static ZexusProgram Fib(string of, int level, Limits? limits = null)
    {
        ZexusProgram program = Load(Fibonacci.Replace("{0}", of, StringComparison.Ordinal), limits);
        return level == 0 ? program : ZexusProgram.Load(Optimizer.Optimize(program, level).Program, limits);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Gas_runs_out_at_the_same_instruction_of_a_callee_in_its_caller(int level)
    {
        ZexusProgram program = Fib("6", level);
        long all = Run(program, null).GasUsed;
        for (long gas = 0; gas <= all; gas++)
        {
            Assert.Equal(gas == all, Same(program, Eager, gas).Fault is null);
        }

        Assert.True(program.JitStatistics(Eager)!.Executed["CallInlined"] > 1_000);
    }

    /// <summary>The Int that does not fit, or is none, comes to the callees of callees: both callers go on in the interpreter, and compiled code with what was seen.</summary>
    [Theory]
    [InlineData("7.5")]
    [InlineData("true")]
    [InlineData("\"text\"")]
    [InlineData("null")]
    public void A_callee_in_its_caller_is_left_for_the_interpreter(string of)
    {
        foreach (int level in (int[])[0, 3])
        {
            ZexusProgram program = Fib(of, level);
            long all = Run(program, null).GasUsed;
            for (long gas = 0; gas <= all; gas += 7)
            {
                _ = Same(program, Eager, gas);
            }

            // What is no number faults before it comes to a callee.
            bool isCalled = Same(program, Eager).Fault is null;
            Assert.Equal(isCalled, program.JitStatistics(Eager)!.InlinedExits.Values.Sum() > 0);
        }
    }

    [Fact]
    public void A_callee_in_its_caller_counts_as_a_call()
    {
        for (int depth = 1; depth <= 40; depth++)
        {
            Limits limits = new(depth, 8192, 1 << 20, 1 << 20, 256);
            ZexusProgram program = Fib("16", 0, limits);
            Assert.Equal(depth < 17, Same(program, Eager).Fault == Fault.CallTooDeep);
            JitStatistics statistics = program.JitStatistics(Eager)!;
            Assert.True(depth > 16 || statistics.Exits["Room"] > 0);
            Assert.True(depth < 30 || statistics.Executed["CallInlined"] > 1_000);
        }
    }

    [Fact]
    public void Slices_of_gas_and_steps_add_up_over_a_long_loop() => _ = Same(Load(CountTo(3_000_000, "0")), Eager);

    private const string Recursion = """
        .func main()
            LOAD_CONST {0}
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
            LOAD_CONST {1}
            LOAD_CONST 1
            ADD
            RETURN
        .end
        """;

    private static string Down(int depth, string atTheEnd) =>
        Recursion
            .Replace("{0}", $"{depth}", StringComparison.Ordinal)
            .Replace("{1}", atTheEnd, StringComparison.Ordinal);

    [Theory]
    [InlineData("0")]
    [InlineData("9223372036854775807")]
    [InlineData("[]")]
    public void Deep_recursion_does_not_end_the_process(string atTheEnd)
    {
        Limits limits = new(200_000, 8192, 1 << 20, 1 << 20, 256);
        foreach (int depth in (int[])[10, 1_000, 199_000, 210_000])
        {
            ZexusProgram program = Load(Down(depth, atTheEnd), limits);
            ExecutionResult? result = null;

            // A small stack of its own, so that what it takes does not depend on who runs the tests.
            Thread thread = new(() => result = Run(program, Eager), 512 * 1024);
            thread.Start();
            thread.Join();
            Assert.NotNull(result);
            Assert.Equal(Observables.Of(Run(program, null)), Observables.Of(result));
            Assert.True(program.JitStatistics(Eager)!.Entered > 0);
        }
    }

    /// <summary>Not where compiled code is left: at a loop's head for what was asked of a List before it, behind the call for its result.</summary>
    [Fact]
    public void Exits_are_counted_at_the_operation_that_took_something_for_granted()
    {
        ZexusProgram lists = Load(
            """
            .func main() locals i
                STORE_CONST i, 0
            loop:
                LOAD_CONST [[1, 2, 3], [4, 5, 6], [7, 8, 9], [0.5, 1.5, 2.5]]
                LOAD_NAME i
                INDEX
                CALL_FUNC_CONST sum, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 4
                LT
                JUMP_IF_TRUE loop
            .end
            .func sum(list) locals i, sum
                STORE_CONST i, 0
                STORE_CONST sum, 0
            loop:
                LOAD_NAME sum
                LOAD_NAME list
                LOAD_NAME i
                INDEX
                ADD
                STORE_NAME sum
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 3
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME sum
            .end
            """
        );
        Assert.Equal(["Index"], Leaving(lists, "Elements"));
        ZexusProgram results = Load(Down(50, "9223372036854775800"));
        Assert.Contains("CallFunction", Leaving(results, "Kind"));
        Assert.DoesNotContain("LoadConst", Leaving(results, "Kind"));

        static string[] Leaving(ZexusProgram program, string exit)
        {
            _ = Same(program, Eager);
            return
            [
                .. program
                    .JitStatistics(Eager)!
                    .ExitsByOperation.Where(exits => exits.Exit == exit && exits.Taken > 0)
                    .Select(exits => exits.Operation),
            ];
        }
    }

    [Fact]
    public void A_fault_goes_through_compiled_frames_to_the_handler()
    {
        ZexusProgram program = Load(
            """
            .func main() locals caught, i
                STORE_CONST caught, 0
                STORE_CONST i, 0
            loop:
                SETUP_TRY handler
                LOAD_NAME i
                LOAD_CONST 5
                CALL_FUNC_CONST outer, 2
                POP
                POP_TRY
                JUMP next
            handler:
                LOAD_NAME caught
                ADD
                STORE_NAME caught
            next:
                LOAD_NAME i
                LOAD_CONST 1
                ADD
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 300
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME caught
            .end
            .func outer(i, d)
                LOAD_NAME d
                JUMP_IF_FALSE bottom
                LOAD_NAME i
                LOAD_NAME d
                LOAD_CONST 1
                SUB
                CALL_FUNC_CONST outer, 2
                RETURN
            bottom:
                LOAD_NAME i
                LOAD_CONST 2
                MOD
                JUMP_IF_FALSE fine
                LOAD_NAME i
                THROW
            fine:
                LOAD_NAME i
                RETURN
            .end
            """
        );
        Assert.Equal(22_500, (long)Same(program, Eager).Value.AsInteger);
    }

    [Fact]
    public void Callbacks_of_builtins_run_compiled_and_nest()
    {
        ZexusProgram program = Load(
            """
            .func main() locals total
                STORE_FUNC total, square
                LOAD_CONST 200
                CALL_BUILTIN range, 1
                LOAD_NAME total
                CALL_METHOD map, 1
            .end
            .func square(x) locals f
                STORE_FUNC f, twice
                LOAD_CONST [1, 2, 3]
                LOAD_NAME f
                CALL_METHOD map, 1
                LOAD_NAME x
                INDEX
                LOAD_NAME x
                LOAD_NAME x
                MUL
                BUILD_LIST 2
                RETURN
            .end
            .func twice(y)
                LOAD_NAME y
                LOAD_CONST 2
                MUL
                RETURN
            .end
            """
        );
        _ = Same(program, Eager);
        Assert.True(program.JitStatistics(Eager)!.Entered > 700);
    }

    [Fact]
    public void A_compiled_loop_can_be_cancelled()
    {
        ZexusProgram program = Load(CountTo(int.MaxValue, "0"));
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(50));
        using Vm vm = new(new VmOptions { GasLimit = long.MaxValue, Jit = Eager });
        _ = Assert.Throws<OperationCanceledException>(() => vm.Execute(program, source.Token));
        vm.Options = new VmOptions { GasLimit = 10_000, Jit = Eager };
        Assert.Equal(Fault.OutOfGas, vm.Execute(program).Fault);
        Assert.True(program.JitStatistics(Eager)!.LoopsEntered > 1);
    }

    [Fact]
    public void A_compiled_loop_keeps_the_hosts_guards()
    {
        ZexusProgram program = Load(CountTo(int.MaxValue, "0"));
        using Vm vm = new(
            new VmOptions
            {
                GasLimit = long.MaxValue,
                StepLimit = 10_000_000,
                Jit = Eager,
            }
        );
        Assert.Equal(HostGuard.Steps, Assert.Throws<HostGuardException>(() => vm.Execute(program)).Guard);
        Assert.True(program.JitStatistics(Eager)!.LoopsEntered > 0);
    }

    [Fact]
    public void Threads_share_what_is_compiled_in_the_background()
    {
        JitOptions jit = new()
        {
            CallThreshold = 3,
            LoopThreshold = 50,
            CountExecutions = true,
        };
        ZexusProgram program = Load(Down(300, "1"));
        string expected = Observables.Of(Run(program, null));
        _ = Parallel.For(0, 200, _ => Assert.Equal(expected, Observables.Of(Run(program, jit))));
        Assert.True(
            SpinWait.SpinUntil(() => program.JitStatistics(jit)!.Pieces > 0, TimeSpan.FromSeconds(10)),
            "nothing was compiled"
        );
        _ = Parallel.For(0, 200, _ => Assert.Equal(expected, Observables.Of(Run(program, jit))));
        Assert.Empty(program.JitStatistics(jit)!.Failures);
        Assert.True(program.JitStatistics(jit)!.Entered > 200);
    }

    /// <summary>The second execution asks for code at every eighth turn, while what the first has asked for is not done.</summary>
    [Fact]
    public async Task The_interpreter_waits_for_nothing_that_is_compiled_in_the_background()
    {
        using ManualResetEventSlim begun = new();
        using ManualResetEventSlim mayGoOn = new();
        JitOptions jit = Eager with
        {
            Background = true,
            Emitting = _ =>
            {
                begun.Set();
                mayGoOn.Wait();
            },
        };
        ZexusProgram program = Load(CountTo(10_000, "0"));
        string expected = Observables.Of(Run(program, null));
        Task<string> second = Task.Run(() =>
        {
            _ = Run(program, jit);
            begun.Wait();
            return Observables.Of(Run(program, jit));
        });
        try
        {
            Assert.Equal(expected, await second.WaitAsync(TimeSpan.FromSeconds(20)));
        }
        finally
        {
            mayGoOn.Set();
        }

        Assert.True(
            SpinWait.SpinUntil(() => program.JitStatistics(jit)!.Pieces > 0, TimeSpan.FromSeconds(10)),
            "nothing was compiled"
        );
    }

    [Fact]
    public void What_cannot_be_compiled_well_is_interpreted_and_counted()
    {
        string adds = string.Concat(Enumerable.Repeat("LOAD_CONST 1\nADD\n", 3_000));
        ZexusProgram program = Load($".func main()\nLOAD_CONST 0\n{adds}.end");
        Assert.Equal(3_000, (long)Run(program, Eager).Value.AsInteger);
        Assert.Equal(["too many instructions"], program.JitStatistics(Eager)!.Refusals.Keys);
    }

    /// <summary>More IL than that RyuJIT compiles without optimizing it, to code that is slower than the interpreter. Exits count.</summary>
    [Fact]
    public void No_method_is_too_large_to_be_optimized()
    {
        const int LargestOptimized = 20_000;
        JitOptions jit = Eager with { CallThreshold = int.MaxValue, CountExecutions = false };
        int largest = 0;
        int refused = 0;
        for (int sums = 80; sums <= 160; sums += 10)
        {
            IEnumerable<string> body = Enumerable
                .Range(0, sums)
                .Select(k =>
                    $"LOAD_NAME g{k % 4}\nLOAD_NAME g{(k + 1) % 4}\nADD\nLOAD_CONST 1000\nMOD\nSTORE_NAME g{k % 3}"
                );
            ZexusProgram program = Load(
                $"""
                .func main() locals i
                    STORE_CONST g0, 1
                    STORE_CONST g1, 2
                    STORE_CONST g2, 3
                    STORE_CONST g3, 4
                    STORE_CONST i, 20
                loop:
                {string.Join('\n', body)}
                    LOAD_NAME i
                    DEC
                    DUP
                    STORE_NAME i
                    JUMP_IF_TRUE loop
                    LOAD_NAME g0
                .end
                """
            );
            Assert.Equal(Observables.Of(Run(program, null)), Observables.Of(Run(program, jit)));
            JitStatistics statistics = program.JitStatistics(jit)!;
            refused += statistics.Refusals.GetValueOrDefault("too much IL");
            largest = Math.Max(largest, statistics.Pieces == 1 ? (int)statistics.IlInstructions : 0);
        }

        Assert.InRange(largest, LargestOptimized * 3 / 4, LargestOptimized);
        Assert.True(refused > 0);
    }

    /// <summary>Once for each entry, and never tried again: of a function that is called and of a loop that runs.</summary>
    [Theory]
    [InlineData("IL that .NET refuses", false)]
    [InlineData("IL that .NET refuses", true)]
    [InlineData("an exception of the compiler", false)]
    [InlineData("an exception of the compiler", true)]
    public void What_fails_to_compile_is_interpreted_and_counted(string failure, bool background)
    {
        int attempts = 0;
        JitOptions jit = Eager with
        {
            Background = background,
            Emitting = il =>
            {
                attempts++;
                if (failure == "IL that .NET refuses")
                {
                    il.Emit(OpCodes.Pop);
                }
                else
                {
                    throw new IndexOutOfRangeException("a slot that is not there");
                }
            },
        };
        ZexusProgram program = Load(CountTo(10_000, "0"));
        string expected = Observables.Of(Run(program, null));
        // In the background the loop may end while the function is being compiled, and then it is not asked for before it runs again.
        Assert.True(
            SpinWait.SpinUntil(
                () =>
                {
                    Assert.Equal(expected, Observables.Of(Run(program, jit)));
                    return program.JitStatistics(jit)!.Failures.Values.Sum() == 2;
                },
                TimeSpan.FromSeconds(10)
            ),
            string.Join('\n', program.JitStatistics(jit)!.Failures)
        );
        Assert.Equal(expected, Observables.Of(Run(program, jit)));
        JitStatistics statistics = program.JitStatistics(jit)!;
        Assert.Equal((0, 0, 2), (statistics.Pieces, statistics.Entered, attempts));
        Assert.Empty(statistics.Refusals);
        Assert.All(
            statistics.Failures.Keys,
            said =>
                Assert.StartsWith(
                    failure == "IL that .NET refuses"
                        ? "System.InvalidProgramException"
                        : "System.IndexOutOfRangeException: a slot that is not there",
                    said,
                    StringComparison.Ordinal
                )
        );
    }

    [Fact]
    public void What_fails_to_compile_leaves_the_rest_compiled()
    {
        int pieces = 0;
        JitOptions jit = Eager with
        {
            Emitting = il =>
            {
                if (pieces++ == 0)
                {
                    il.Emit(OpCodes.Pop);
                }
            },
        };
        ZexusProgram program = Load(CountTo(10_000, "0"));
        Assert.Equal(Observables.Of(Run(program, null)), Observables.Of(Run(program, jit)));
        JitStatistics statistics = program.JitStatistics(jit)!;
        Assert.Equal(1, statistics.Failures.Values.Sum());
        Assert.True(statistics.Pieces > 0 && statistics.Executed["Add"] > 19_000);
    }

    /// <summary>
    /// Closures and captured variables that compiled code takes from the heap by itself, between two collections and under another mark each
    /// time, live as long as something reaches them and no longer.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public void Cells_that_compiled_code_takes_are_collected_like_all_others(int run)
    {
        ZexusProgram program = Load(
            """
            .func main() locals i, all, f, total
                BUILD_LIST 0
                STORE_NAME all
                STORE_CONST total, 0
                STORE_CONST i, 60
            make:
                LOAD_NAME all
                LOAD_NAME i
                CALL_FUNC_CONST counter, 1
                CALL_METHOD push, 1
                POP
                LOAD_NAME i
                CALL_FUNC_CONST counter, 1
                STORE_NAME last
                LOAD_NAME i
                DEC
                DUP
                STORE_NAME i
                JUMP_IF_TRUE make
                STORE_CONST i, 60
            count:
                LOAD_NAME i
                DEC
                STORE_NAME i
                LOAD_NAME all
                LOAD_NAME i
                INDEX
                STORE_NAME f
                CALL_NAME f, 0
                POP
                CALL_NAME f, 0
                LOAD_NAME total
                ADD
                STORE_NAME total
                LOAD_NAME i
                JUMP_IF_TRUE count
                LOAD_NAME total
            .end
            .func counter(n) locals f
                STORE_FUNC f, next
                LOAD_NAME f
                RETURN
            .end
            .func next() captures n
                LOAD_NAME n
                INC
                STORE_NAME n
                LOAD_NAME n
                RETURN
            .end
            """
        );
        using Vm vm = new(
            new VmOptions
            {
                Jit = Eager,
                JitCache = new JitCache(),
                Threaded = null,
                Collection = new CollectionOptions
                {
                    Stress = true,
                    StressRun = run,
                    Verify = true,
                },
            }
        );
        ExecutionResult result = vm.Execute(program);
        Assert.Equal((60 * 61 / 2) + (60 * 2), (long)result.Value.AsInteger);
        Assert.Equal(Observables.Of(Run(program, null)), Observables.Of(result));
        Assert.True(result.Heap.Collections > 20 && result.Heap.FreedCells > 50, $"{result.Heap}");
        JitStatistics statistics = program.JitStatistics(Eager)!;
        Assert.Equal(run > 1, statistics.Executed.ContainsKey("Closure"));
        Assert.Equal(run > 1, statistics.Executed.ContainsKey("CapturedVariables"));
        Assert.Empty(statistics.Failures);
    }

    private const string Forgotten = """
        .func main() locals counter, i, total
            CALL_FUNC_CONST make_counter, 0
            STORE_NAME counter
            STORE_CONST total, 0
            STORE_CONST i, 0
        loop:
            LOAD_NAME total
            LOAD_NAME i
            CALL_FUNC_CONST make_adder, 1
            LOAD_NAME i
            CALL_TOP 1
            ADD
            STORE_NAME total
            LOAD_NAME i
            CALL_NAME counter, 1
            LOAD_NAME total
            ADD
            STORE_NAME total
            LOAD_NAME i
            INC
            DUP
            STORE_NAME i
            LOAD_CONST 300
            LT
            JUMP_IF_TRUE loop
            LOAD_NAME total
        .end

        .func make_adder(step) locals add, shift
            STORE_FUNC add, add
            STORE_FUNC shift, shift
            CALL_NAME shift, 0
            POP
            LOAD_NAME add
        .end

        .func add(x) captures step
            LOAD_NAME x
            LOAD_NAME step
            ADD
        .end

        .func shift() captures step
            LOAD_NAME step
            INC
            STORE_NAME step
        .end

        .func make_counter() locals count, increase
            STORE_CONST count, 0
            STORE_FUNC increase, increase
            LOAD_NAME increase
        .end

        .func increase(step) captures count
            LOAD_NAME count
            LOAD_NAME step
            ADD
            STORE_NAME count
            LOAD_NAME count
        .end
        """;

    [Fact]
    public void Closures_that_only_their_maker_calls_are_not_made()
    {
        ZexusProgram program = Load(Forgotten);
        ExecutionResult compiled = Same(program, Eager);
        JitStatistics statistics = program.JitStatistics(Eager)!;
        foreach (string way in new[] { "VirtualClosure", "VirtualVariable", "CallVirtual", "CallClosureInlined" })
        {
            Assert.True(statistics.Executed.GetValueOrDefault(way) > 200, way);
        }

        // The interpreter makes 600 closures and 300 variables.
        Assert.InRange(compiled.Heap.AllocatedCells, 1, 60);
        Assert.True(Run(program, null).Heap.AllocatedCells > 900);
    }

    /// <summary>Each guard in turn is made to fail: what the exit makes is what the interpreter would have.</summary>
    [Fact]
    public void Closures_that_were_not_made_are_there_after_an_exit()
    {
        long closures = 0;
        long variables = 0;
        int guards = 1;
        for (int guard = 0; guard < guards; guard++)
        {
            JitOptions jit = Eager with { FailGuard = guard };
            ZexusProgram program = Load(Forgotten);
            _ = Same(program, jit);
            JitStatistics statistics = program.JitStatistics(jit)!;
            guards = Math.Max(guards, statistics.LargestGuardCount);
            closures += statistics.Executed.GetValueOrDefault("MadeClosure");
            variables += statistics.Executed.GetValueOrDefault("MadeVariable");
        }

        Assert.InRange(guards, 10, 100);
        Assert.True(closures > 0 && variables > 0, $"{closures} closures, {variables} variables");
    }

    /// <summary>
    /// A callback has shown only Null, so the next call leaves at the guard of the parameter: what its local held in the call before is freed,
    /// and the collection of the interpreter, which goes on, must not find it there.
    /// </summary>
    [Fact]
    public void Locals_are_cleared_before_a_parameter_is_looked_at()
    {
        ZexusProgram program = Load(
            """
            .func main()
            again:
                LOAD_CONST {}
                POP
                LOAD_CONST 1
                CALL_FUNC_CONST f, 1
                JUMP_IF_TRUE again
            .end

            .func f(x) locals list
                LOAD_NAME x
                JUMP_IF_TRUE make
                RETURN
            make:
                LOAD_CONST []
                STORE_NAME list
                LOAD_CONST null
                BUILD_LIST 1
                STORE_FUNC g, f
                LOAD_NAME g
                CALL_METHOD map, 1
            .end
            """
        );
        VmOptions options = new()
        {
            GasLimit = 10_000,
            Jit = Eager with { CallThreshold = 1, LoopThreshold = 1 },
            JitCache = new JitCache(),
            Threaded = null,
            Collection = new CollectionOptions { Stress = true, Verify = true },
        };
        using Vm vm = new(options);
        Assert.Equal(Fault.OutOfGas, vm.Execute(program).Fault);
        Assert.True(program.JitStatistics(options.Jit)!.Exits["Kind"] > 0);
    }
}
