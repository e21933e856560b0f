using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

public class ProfilerTests
{
    private const string Loop = """
        .func main() locals i, total
            STORE_CONST i, 0
            STORE_CONST total, 0
        loop:
            LOAD_NAME i
            LOAD_CONST 10
            LT
            JUMP_IF_FALSE done
            LOAD_NAME total
            LOAD_NAME i
            CALL_FUNC_CONST plus, 2
            STORE_NAME total
            LOAD_NAME i
            INC
            STORE_NAME i
            JUMP loop
        done:
            LOAD_NAME total
        .end
        .func plus(a, b)
            LOAD_NAME a
            LOAD_NAME b
            ADD
            RETURN
        .end
        """;

    public static TheoryData<string> Examples =>
        [
            .. Directory
                .EnumerateFiles(ExamplesFolder(), "*.zxa")
                .Select(path => Path.GetFileNameWithoutExtension(path)!),
        ];

    [Fact]
    public void A_loop_with_a_call_is_counted_exactly()
    {
        Profile profile = Run(Loop, out ExecutionResult result);
        Assert.Equal(45, result.Value.AsInteger);
        Assert.Equal(
            [1, 1, 11, 11, 11, 11, 10, 10, 10, 10, 10, 10, 10, 10, 1, 1],
            profile.Instructions.Where(i => i.Function == 0).Select(i => i.Count)
        );
        Assert.Equal([10, 10, 10, 10], profile.Instructions.Where(i => i.Function == 1).Select(i => i.Count));

        InstructionProfile branch = Assert.Single(profile.Instructions, i => i.Taken is not null);
        Assert.Equal((5, 11L, 1L), (branch.Instruction, branch.Count, branch.Taken!.Value));
        Assert.Equal(new LoopProfile(0, 2, 13, 10, 124), Assert.Single(profile.Loops));

        Assert.Equal([1, 10], profile.Functions.Select(f => f.Calls));
        Assert.Equal([(128L, 168L), (40L, 40L)], profile.Functions.Select(f => (f.Own.Steps, f.Total.Steps)));
        Assert.Equal(result.GasUsed, profile.Functions[0].Total.Gas);
        Assert.Equal(10, Assert.Single(profile.Calls.Callees).Count);
    }

    [Fact]
    public void Of_a_recursive_function_only_the_outermost_calls_are_in_its_total()
    {
        Profile profile = Run(
            """
            .func main()
                LOAD_CONST 10
                CALL_FUNC_CONST fib, 1
            .end
            .func fib(n)
                LOAD_NAME n
                LOAD_CONST 2
                LT
                JUMP_IF_FALSE more
                LOAD_NAME n
                RETURN
            more:
                LOAD_NAME n
                DEC
                CALL_FUNC_CONST fib, 1
                LOAD_NAME n
                LOAD_CONST 2
                SUB
                CALL_FUNC_CONST fib, 1
                ADD
            .end
            """,
            out ExecutionResult result
        );
        FunctionProfile fib = profile.Functions[1];
        Assert.Equal(177, fib.Calls);
        Assert.Equal(profile.Functions[1].Own.Steps, fib.Total.Steps);
        Assert.Equal(result.Steps - 3, fib.Total.Steps);
        Assert.True(fib.Durations.P50 <= fib.Durations.P99 && fib.Durations.P99 <= fib.Durations.Longest);
        Assert.True(fib.Durations.Longest <= profile.Duration);
    }

    [Fact]
    public void Calls_that_a_builtin_makes_one_after_the_other_are_calls_of_their_own()
    {
        Profile profile = Run(
            """
            .func main() locals twice
                STORE_FUNC twice, twice
                LOAD_CONST [1, 2, 3]
                LOAD_NAME twice
                CALL_METHOD map, 1
            .end
            .func twice(x)
                LOAD_NAME x
                LOAD_NAME x
                ADD
            .end
            """,
            out _
        );
        Assert.Equal(3, profile.Functions[1].Calls);
        Assert.Equal(12, profile.Functions[1].Own.Steps);
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Counts_add_up_to_steps_and_gas_and_the_outcome_is_the_same(string name)
    {
        string text = File.ReadAllText(Path.Combine(ExamplesFolder(), name + ".zxa"));
        Profile profile = Run(text, out ExecutionResult profiled);
        using Vm vm = new(new VmOptions());
        ExecutionResult plain = vm.Execute(Load(text));
        Assert.Equal((plain.Steps, plain.GasUsed), (profiled.Steps, profiled.GasUsed));
        Assert.Equal(plain.Fault, profiled.Fault);
        Assert.Equal(plain.Output, profiled.Output);

        Assert.Equal(profiled.Steps, profile.Instructions.Sum(i => i.Count));
        Assert.Equal(profiled.GasUsed, profile.Instructions.Sum(i => i.Gas));
        Assert.Equal(profiled.Steps, profile.Functions.Sum(f => f.Own.Steps));
        Assert.Equal(profiled.GasUsed, profile.Functions.Sum(f => f.Own.Gas));
        Assert.Equal((profiled.Steps, profiled.GasUsed), (profile.Calls.Total.Steps, profile.Calls.Total.Gas));
        Assert.All(profile.Instructions, i => Assert.True(i.Taken is null || i.Taken <= i.Count));
    }

    [Fact]
    public void A_translation_is_refused()
    {
        ZexusProgram translated = ZexusProgram.Load(Optimizer.Optimize(Load(Loop), 3).Program);
        using Vm vm = new();
        Assert.Throws<ArgumentException>(() => Profiler.Execute(vm, translated, out _));
    }

    private static ZexusProgram Load(string text) => ZexusProgram.Load(Assembler.Assemble(text, "test.zxa").Program);

    private static Profile Run(string text, out ExecutionResult result)
    {
        using Vm vm = new(new VmOptions());
        result = Profiler.Execute(vm, Load(text), out Profile profile);
        return profile;
    }

    private static string ExamplesFolder()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Zexus.Spec.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return Path.Combine(folder, "examples");
    }
}
