using System.Runtime.CompilerServices;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>What is compiled once is found again by whoever loads the same program, and goes when there is too much of it.</summary>
public class JitCacheTests
{
    private static readonly JitOptions Eager = new()
    {
        Background = false,
        CallThreshold = 0,
        LoopThreshold = 0,
        CountExecutions = true,
    };

    /// <summary>A program that gives the number.</summary>
    private static ZexusProgram Load(int number, Limits? limits = null) =>
        Assembled(
            $"""
            .func main() locals i
                STORE_CONST i, 20
            loop:
                LOAD_NAME i
                DEC
                DUP
                STORE_NAME i
                JUMP_IF_TRUE loop
                LOAD_CONST {number}
            .end
            """,
            limits
        );

    private static ZexusProgram Assembled(string text, Limits? limits = null)
    {
        AssemblyResult assembly = Assembler.Assemble(text, "test");
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        return ZexusProgram.Load(assembly.Program, limits);
    }

    private static int Run(JitCache cache, ZexusProgram program, JitOptions? jit = null)
    {
        using Vm vm = new(new VmOptions { Jit = jit ?? Eager, JitCache = cache });
        return (int)vm.Execute(program).Value.AsInteger;
    }

    [Fact]
    public void A_program_that_is_loaded_twice_is_compiled_once()
    {
        JitCache cache = new();
        ZexusProgram first = Load(1);
        ZexusProgram second = Load(1);
        Assert.Equal(1, Run(cache, first));
        JitStatistics once = first.JitStatistics(Eager)!;
        Assert.Equal(1, Run(cache, second));
        JitStatistics twice = second.JitStatistics(Eager)!;
        Assert.Equal(once.Pieces, twice.Pieces);
        Assert.Equal(once.Entered + 1, twice.Entered);
        Assert.Equal(new JitCacheStatistics(1, once.IlInstructions, 1, 1, 0), cache.Statistics);
    }

    [Fact]
    public void What_the_first_load_has_compiled_outlives_it()
    {
        JitCache cache = new();
        RunAndForget(cache);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.Equal(3, Run(cache, Load(3)));
        Assert.Equal((1, 1), (cache.Statistics.Hits, cache.Statistics.Misses));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void RunAndForget(JitCache cache) => Run(cache, Load(3));
    }

    [Fact]
    public void Other_code_other_limits_other_options_and_a_translation_are_compiled_apart()
    {
        JitCache cache = new();
        ZexusProgram program = Load(1);
        _ = Run(cache, program);
        _ = Run(cache, Load(2));
        _ = Run(cache, Load(1, new Limits(7, 8192, 1 << 20, 1 << 20, 256)));
        _ = Run(cache, program, Eager with { FailGuard = 0 });
        _ = Run(cache, ZexusProgram.Load(Optimizer.Optimize(program, 0).Program));
        Assert.Equal((5, 0, 5), (cache.Statistics.Programs, cache.Statistics.Hits, cache.Statistics.Misses));

        // There is nothing to optimize, so this translation is the last one again.
        _ = Run(cache, ZexusProgram.Load(Optimizer.Optimize(program, 3).Program));
        Assert.Equal((5, 1, 5), (cache.Statistics.Programs, cache.Statistics.Hits, cache.Statistics.Misses));
    }

    /// <summary>The second differs from the first in one thing that an execution can show.</summary>
    [Theory]
    [InlineData("LOAD_CONST \"ab\"", "LOAD_CONST \"aB\"")]
    [InlineData("LOAD_CONST 1", "LOAD_CONST 1.0")]
    [InlineData("LOAD_CONST 1", "LOAD_CONST true")]
    [InlineData("LOAD_CONST true", "LOAD_CONST false")]
    [InlineData("LOAD_CONST 0.0", "LOAD_CONST -0.0")]
    [InlineData("LOAD_CONST [1, 2]", "LOAD_CONST [2, 1]")]
    [InlineData("LOAD_CONST [1, [2]]", "LOAD_CONST [1, 2]")]
    [InlineData("LOAD_CONST [1]", "LOAD_CONST #{1}")]
    [InlineData("LOAD_CONST {1: 2}", "LOAD_CONST {2: 1}")]
    [InlineData("LOAD_CONST [\"a\", \"bc\"]", "LOAD_CONST [\"ab\", \"c\"]")]
    [InlineData("LOAD_CONST null", "LOAD_CONST []")]
    [InlineData("LOAD_NAME i", "LOAD_NAME j")]
    [InlineData("LOAD_NAME g", "LOAD_NAME h")]
    [InlineData("LOAD_NAME gh\nPOP\nLOAD_NAME k", "LOAD_NAME g\nPOP\nLOAD_NAME hk")]
    [InlineData("ADD", "SUB")]
    [InlineData("MERKLE_ROOT 1", "MERKLE_ROOT 2")]
    [InlineData("STORE_FUNC i, one", "STORE_FUNC i, two")]
    public void Programs_that_differ_have_other_hashes(string line, string other)
    {
        ZexusProgram program = Around(line);
        ZexusProgram different = Around(other);
        ZexusProgram again = Around(line);
        Assert.NotEqual(program.Hash, different.Hash);
        Assert.Equal((program.Hash, program.Shape), (again.Hash, again.Shape));

        static ZexusProgram Around(string line) =>
            Assembled(
                $"""
                .func main() locals i, j
                    LOAD_CONST [5]
                    LOAD_CONST [6]
                    {line}
                    POP
                .end
                .func one() captures i
                .end
                .func two() captures i
                    LOAD_NAME i
                .end
                """
            );
    }

    [Fact]
    public void Names_of_functions_and_what_they_capture_are_in_the_hash()
    {
        ZexusProgram[] programs =
        [
            Assembled(".func main() locals a, b\nSTORE_FUNC a, f\n.end\n.func f(x) captures b\n.end"),
            Assembled(".func main() locals a, b\nSTORE_FUNC a, g\n.end\n.func g(x) captures b\n.end"),
            Assembled(".func main() locals a, b\nSTORE_FUNC a, f\n.end\n.func f(x) captures a\n.end"),
            Assembled(".func main() locals a, b\nSTORE_FUNC a, f\n.end\n.func f(y) captures b\n.end"),
            Assembled(".func main() locals a, b\nSTORE_FUNC a, f\n.end\n.func f() locals x captures b\n.end"),
            Assembled(".func main() locals b, a\nSTORE_FUNC a, f\n.end\n.func f(x) captures b\n.end"),
        ];
        Assert.Equal(programs.Length, programs.Select(program => program.Hash).Distinct().Count());
    }

    [Fact]
    public void Charges_of_a_translation_are_in_the_hash()
    {
        ZexusProgram source = Assembled(
            ".func main() locals x\nLOAD_NAME x\nLOAD_CONST 2\nMUL\nLOAD_CONST 0\nADD\nRETURN\n.end"
        );
        TranslatedProgram translation = Optimizer.Optimize(source, 3).Program;
        ProgramHash hash = ProgramHash.Of(source.Image, translation, Limits.Default);
        int others = 0;
        for (int f = 0; f < translation.Functions.Length; f++)
        {
            for (int i = 0; i < translation.Functions[f].Code.Length; i++)
            {
                TranslatedInstruction instruction = translation.Functions[f].Code[i];
                TranslatedInstruction[] changed =
                [
                    instruction with
                    {
                        Source = instruction.Source + 1,
                    },
                    instruction with
                    {
                        Charges = [.. instruction.Charges, new Charge(0, new Amount.Fixed(1))],
                    },
                    instruction with
                    {
                        JumpCharges = [new Charge(0, new Amount.Fixed(1))],
                    },
                    instruction with
                    {
                        A = instruction.A + 1,
                    },
                ];
                foreach (TranslatedInstruction it in changed)
                {
                    TranslatedFunction function = translation.Functions[f] with
                    {
                        Code = translation.Functions[f].Code.SetItem(i, it),
                    };
                    TranslatedProgram other = new(
                        source.Image,
                        translation.Constants,
                        translation.Functions.SetItem(f, function),
                        translation.Level
                    );
                    Assert.NotEqual(hash, ProgramHash.Of(source.Image, other, Limits.Default));
                    others++;
                }
            }
        }

        Assert.True(others > 0);
    }

    [Fact]
    public void One_cache_knows_nothing_of_another()
    {
        JitCache one = new();
        JitCache other = new();
        ZexusProgram program = Load(1);
        _ = Run(one, program);
        _ = Run(other, program);
        _ = Run(one, program);
        Assert.Equal((1, 1), (one.Statistics.Misses, other.Statistics.Misses));
    }

    [Fact]
    public void The_least_recently_used_goes_first()
    {
        JitCache cache = new(maximumPrograms: 2);
        ZexusProgram[] programs = [Load(0), Load(1), Load(2)];
        _ = Run(cache, programs[0]);
        _ = Run(cache, programs[1]);
        _ = Run(cache, programs[0]);
        _ = Run(cache, programs[2]);
        Assert.Equal((2, 1), (cache.Statistics.Programs, cache.Statistics.Evictions));
        _ = Run(cache, programs[0]);
        Assert.Equal(3, cache.Statistics.Misses);
        _ = Run(cache, programs[1]);
        Assert.Equal((4, 2), (cache.Statistics.Misses, cache.Statistics.Evictions));
    }

    [Fact]
    public void Too_much_code_evicts_as_well_but_not_the_last_program()
    {
        JitCache cache = new(maximumIlInstructions: 1);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(i, Run(cache, Load(i)));
            Assert.Equal((1, i), (cache.Statistics.Programs, cache.Statistics.Evictions));
            Assert.True(cache.Statistics.IlInstructions > 1);
        }

        cache.Clear();
        Assert.Equal(new JitCacheStatistics(0, 0, 0, 5, 5), cache.Statistics);
    }

    [Fact]
    public void What_was_evicted_is_freed_though_its_program_is_still_loaded()
    {
        JitCache cache = new();
        ZexusProgram program = Load(1);
        WeakReference compiled = RunAndWatch(cache, program);
        cache.Clear();
        for (int i = 0; i < 10 && compiled.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(compiled.IsAlive);
        Assert.Null(program.JitStatistics(Eager));
        Assert.Equal(1, Run(cache, program));
        Assert.Equal(2, cache.Statistics.Misses);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference RunAndWatch(JitCache cache, ZexusProgram program)
        {
            _ = Run(cache, program);
            return new WeakReference(program.Compiled(Eager));
        }
    }

    [Fact]
    public void A_program_that_is_evicted_while_it_runs_runs_on()
    {
        JitCache cache = new();
        AssemblyResult assembly = Assembler.Assemble(
            """
            .func main() locals i, sum
                STORE_CONST sum, 0
                STORE_CONST i, 50
            loop:
                LOAD_NAME sum
                LOAD_NAME i
                CALL_NAME evict, 1
                ADD
                STORE_NAME sum
                LOAD_NAME i
                DEC
                DUP
                STORE_NAME i
                JUMP_IF_TRUE loop
                LOAD_NAME sum
                CALL_FUNC_CONST twice, 1
            .end

            .func twice(x)
                LOAD_NAME x
                LOAD_NAME x
                ADD
            .end
            """,
            "test"
        );
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        ZexusProgram program = ZexusProgram.Load(assembly.Program);
        HostFunctions host = new HostFunctions().Register(
            "evict",
            1,
            0,
            HostEffects.None,
            arguments =>
            {
                cache.Clear();
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return HostOutcome.Returned(arguments[0]);
            }
        );
        using Vm vm = new(
            new VmOptions
            {
                Jit = Eager,
                JitCache = cache,
                Host = host,
            }
        );
        Assert.Equal(50 * 51, vm.Execute(program).Value.AsInteger);
        Assert.True(program.JitStatistics(Eager)!.Executed["Add"] > 40);
        Assert.Equal(1, cache.Statistics.Evictions);

        // What it has compiled since then, the other function, is nothing that the cache holds.
        Assert.Equal((0, 0), (cache.Statistics.Programs, cache.Statistics.IlInstructions));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Threads_share_a_cache_that_is_too_small_for_them(bool background)
    {
        JitOptions jit = Eager with { Background = background };
        JitCache cache = new(maximumPrograms: 3);
        _ = Parallel.For(0, 1_000, i => Assert.Equal(i % 10, Run(cache, Load(i % 10), jit)));
        JitCacheStatistics statistics = cache.Statistics;
        Assert.Equal(1_000, statistics.Hits + statistics.Misses);
        Assert.InRange(statistics.Programs, 1, 3);
        Assert.Equal(statistics.Misses - statistics.Programs, statistics.Evictions);
        Assert.True(statistics.Evictions > 0);
    }
}
