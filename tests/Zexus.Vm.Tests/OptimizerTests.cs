using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Whole programs through all levels.</summary>
public class OptimizerTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "examples");

    public static TheoryData<string, int> ExamplesAndLevels
    {
        get
        {
            TheoryData<string, int> data = [];
            foreach (string file in Directory.GetFiles(Folder, "*.zxa").Order(StringComparer.Ordinal))
            {
                for (int level = 0; level <= Optimizer.HighestLevel; level++)
                {
                    data.Add(Path.GetFileNameWithoutExtension(file), level);
                }
            }

            return data;
        }
    }

    internal static ZexusProgram Load(string text)
    {
        AssemblyResult assembly = Assembler.Assemble(text, "test.zxa");
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        return ZexusProgram.Load(assembly.Program);
    }

    private static ZexusProgram Example(string name) => Load(File.ReadAllText(Path.Combine(Folder, $"{name}.zxa")));

    private static string[] Code(OptimizationResult result, int function = 0) =>
        [
            .. result
                .Program.Functions[function]
                .Code.Select(instruction => InstructionSet.Of(instruction.Opcode).Mnemonic),
        ];

    private static OptimizationResult Optimized(string body, int level = 3) =>
        Optimizer.Optimize(Load($".func main() locals x, y, c\n{body}\n.end\n"), level, explain: true);

    /// <summary>A hash is longer than the limit of Strings, and a length larger than that of Ints: what is done with them then faults.</summary>
    [Theory]
    [InlineData("LOAD_CONST \"a\"\nHASH_BLOCK\nLOAD_CONST \"\"\nADD")]
    [InlineData("LOAD_CONST \"a\"\nHASH_BLOCK\nSTORE_NAME x\nLOAD_CONST \"\"\nLOAD_NAME x\nADD")]
    [InlineData("LOAD_CONST \"a\"\nHASH_BLOCK\nLOAD_CONST 1\nMUL")]
    [InlineData("LOAD_CONST \"a\"\nHASH_BLOCK\nCALL_BUILTIN str, 1")]
    [InlineData("LOAD_CONST [1, 1, 1]\nGET_LENGTH\nLOAD_CONST 0\nADD")]
    [InlineData("LOAD_CONST [1, 1, 1]\nGET_LENGTH\nLOAD_CONST 1\nMUL")]
    [InlineData("LOAD_CONST [1, 1, 1]\nGET_LENGTH\nSTORE_NAME x\nLOAD_CONST 0\nLOAD_NAME x\nADD")]
    [InlineData("LOAD_CONST [1, 1, 1]\nGET_LENGTH\nCALL_BUILTIN int, 1")]
    public void Values_beyond_a_limit_fault_where_they_did(string body)
    {
        Limits limits = new(callDepth: 4, integerBits: 1, stringLength: 8, collectionLength: 8, nesting: 4);
        ZexusProgram source = ZexusProgram.Load(Load($".func main() locals x\n{body}\nRETURN\n.end\n").Image, limits);
        using Vm vm = new();
        Assert.NotNull(vm.Execute(source).Fault);
        for (int level = 1; level <= Optimizer.HighestLevel; level++)
        {
            AssertSame(source, Optimizer.Optimize(source, level));
        }
    }

    internal static void AssertSame(ZexusProgram source, OptimizationResult result, long step = 1)
    {
        ZexusProgram translated = ZexusProgram.Load(result.Program, source.Limits);
        using Vm vm = new();
        long full = vm.Execute(source).GasUsed;
        for (long limit = 0; limit <= full + step; limit += step)
        {
            vm.Options = new VmOptions { GasLimit = limit };
            string expected = Observables.Of(vm.Execute(source));
            string actual = Observables.Of(vm.Execute(translated));
            if (expected != actual)
            {
                Assert.Fail($"gas limit {limit}:\n  source      {expected}\n  translation {actual}");
            }
        }
    }

    /// <summary>With all the gas they need, and with limits spread over the whole execution.</summary>
    [Theory]
    [MemberData(nameof(ExamplesAndLevels))]
    public void An_example_is_the_same_at_every_level(string name, int level)
    {
        ZexusProgram source = Example(name);
        OptimizationResult result = Optimizer.Optimize(source, level);
        using Vm vm = new(new VmOptions { GasLimit = 200_000 });
        long full = vm.Execute(source).GasUsed;
        AssertSame(source, result, Math.Max(1, full / 60));
    }

    [Theory]
    [MemberData(nameof(ExamplesAndLevels))]
    public void The_same_program_gives_the_same_translation(string name, int level)
    {
        OptimizationResult first = Optimizer.Optimize(Example(name), level);
        OptimizationResult second = Optimizer.Optimize(Example(name), level);
        Assert.Equal(
            first.Program.Constants.Select(Disassembler.Literal),
            second.Program.Constants.Select(Disassembler.Literal)
        );
        Assert.Equal(first.Rewrites, second.Rewrites);
        for (int f = 0; f < first.Program.Functions.Length; f++)
        {
            Assert.Equal(first.Program.Functions[f].Code.Select(Spell), second.Program.Functions[f].Code.Select(Spell));
        }

        static string Spell(TranslatedInstruction it) =>
            $"{it.Opcode} {it.A} {it.B} {it.C} for {it.Source}: "
            + string.Join(", ", it.Charges.Concat(it.JumpCharges).Select(charge => $"{charge.Source} {charge.Amount}"));
    }

    [Fact]
    public void Level_0_changes_nothing()
    {
        ZexusProgram source = Example("sieve");
        OptimizationResult result = Optimizer.Optimize(source, 0);
        Assert.Empty(result.Passes);
        Assert.Empty(result.Rewrites);
        Assert.Equal(result.Before, result.After);
    }

    [Fact]
    public void Statistics_say_what_each_pass_did()
    {
        OptimizationResult result = Optimized(
            "LOAD_CONST 2\nLOAD_CONST 3\nADD\nSTORE_NAME g\nLOAD_NAME g\nLOAD_CONST 1\nADD"
        );
        Assert.Equal(7, result.Before);
        Assert.Equal(2, result.After);
        Assert.Equal(1, result.Rewrites["fold/add"]);
        Assert.Equal(result.Rewrites.Values.Sum(), result.Passes.Sum(pass => pass.Applied));
        Assert.Equal(result.Log.Length, result.Passes.Sum(pass => pass.Applied));
        PassStatistics folding = result.Passes.First(pass => pass.Technique == Technique.ConstantFolding);
        Assert.Equal((1, 7, 5), (folding.Round, folding.Before, folding.After));
        AppliedRewrite first = result.Log[0];
        Assert.Equal("fold/add", first.Name);
        Assert.Equal("LOAD_CONST 2; LOAD_CONST 3; ADD", string.Join("; ", first.Before));
        Assert.Equal("LOAD_CONST 5", string.Join("; ", first.After));
        Assert.Equal(0, first.Source);
    }

    /// <summary>The seed's five patterns, with at least the reductions that it names.</summary>
    [Theory]
    [InlineData("constant arithmetic", 50, "LOAD_CONST 5\nLOAD_CONST 7\nMUL\nRETURN")]
    [InlineData(
        "nested constants",
        70,
        "LOAD_CONST 2\nLOAD_CONST 3\nADD\nLOAD_CONST 4\nLOAD_CONST 5\nADD\nMUL\nSTORE_NAME x\nLOAD_NAME x\nRETURN"
    )]
    [InlineData("load and pop", 66, "LOAD_CONST 1\nPOP\nLOAD_CONST 2\nPOP\nLOAD_CONST 3\nRETURN")]
    [InlineData(
        "dead code",
        50,
        "LOAD_CONST 1\nSTORE_NAME x\nLOAD_NAME x\nRETURN\nLOAD_CONST 2\nSTORE_NAME y\nLOAD_NAME y\nRETURN"
    )]
    [InlineData("jump chains", 40, "JUMP a\nb:\nLOAD_CONST 3\nRETURN\na:\nJUMP c\nc:\nJUMP b")]
    public void The_seed_s_patterns_shrink(string pattern, int percent, string body)
    {
        OptimizationResult result = Optimized(body);
        Assert.True(
            100 * (result.Before - result.After) >= percent * result.Before,
            $"{pattern}: {result.Before} to {result.After}: {string.Join("; ", Code(result))}"
        );
        AssertSame(Load($".func main() locals x, y, c\n{body}\n.end\n"), result);
    }

    /// <summary>Jumps to jumps, forwards, backwards, to themselves and to the end, and what nobody reaches then.</summary>
    [Theory]
    [InlineData("JUMP a\nLOAD_CONST 1\nRETURN\na:\nJUMP b\nLOAD_CONST 2\nRETURN\nb:\nJUMP c\nc:\nLOAD_CONST 3")]
    [InlineData("JUMP a\na:\nJUMP a")]
    [InlineData("JUMP b\na:\nJUMP b\nb:\nJUMP a")]
    [InlineData("LOAD_CONST 7\nLOAD_NAME g\nJUMP_IF_TRUE a\nJUMP b\na:\nJUMP b\nb:\nRETURN")]
    [InlineData(
        "LOAD_NAME g\nJUMP_IF_FALSE a\nNOP\na:\nJUMP b\nc:\nLOAD_CONST 1\nPRINT\nJUMP d\nb:\nGAS_CHARGE 9\nJUMP c\nd:"
    )]
    [InlineData("SETUP_TRY a\nLOAD_CONST 1\nTHROW\nLOAD_CONST 2\nRETURN\na:\nJUMP b\nLOAD_CONST 3\nRETURN\nb:\nRETURN")]
    [InlineData("JUMP a\nLOAD_CONST 1\nPOP\na:")]
    [InlineData("LOAD_NAME g\nJUMP_IF_TRUE a\nLOAD_CONST 1\nLOAD_NAME h\nJUMP_IF_FALSE a\nLOAD_CONST 2\na:")]
    public void Jumps_go_where_they_went(string body)
    {
        string text = $".func main() locals x, y, c\n{body}\n.end\n";
        ZexusProgram source = Load(text);
        for (int level = 1; level <= Optimizer.HighestLevel; level++)
        {
            OptimizationResult result = Optimizer.Optimize(source, level);
            ZexusProgram translated = ZexusProgram.Load(result.Program, source.Limits);
            using Vm vm = new();
            for (long limit = 0; limit <= 60; limit++)
            {
                vm.Options = new VmOptions { GasLimit = limit };
                Assert.Equal(Observables.Of(vm.Execute(source)), Observables.Of(vm.Execute(translated)));
            }
        }
    }

    [Fact]
    public void Nothing_is_matched_across_a_landing()
    {
        const string body = "LOAD_CONST false\nLOAD_NAME g\nJUMP_IF_TRUE in\nPOP\nLOAD_CONST true\nin:\nNOT\nRETURN";
        OptimizationResult result = Optimized(body);
        Assert.Contains("NOT", Code(result));
        AssertSame(Load($".func main() locals x, y, c\n{body}\n.end\n"), result);
    }

    /// <summary>A backward jump lands on an instruction: its charges are taken each time, those of a NOP before it once.</summary>
    [Fact]
    public void A_loop_charges_as_its_source_does()
    {
        const string body =
            "STORE_CONST x, 0\nGAS_CHARGE 7\nagain:\nLOAD_NAME x\nLOAD_CONST 1\nADD\nSTORE_NAME x\nGAS_CHARGE 3\n"
            + "LOAD_NAME x\nLOAD_CONST 9\nLT\nNOT\nJUMP_IF_FALSE again\nLOAD_NAME x\nPRINT";
        for (int level = 1; level <= Optimizer.HighestLevel; level++)
        {
            AssertSame(Load($".func main() locals x, y, c\n{body}\n.end\n"), Optimized(body, level));
        }
    }

    /// <summary>What a handler finds is what it finds in the source, whatever was optimized before it.</summary>
    [Fact]
    public void A_handler_finds_the_source_s_stack_and_variables()
    {
        const string body =
            "LOAD_CONST 1\nLOAD_CONST 2\nADD\nSETUP_TRY caught\nLOAD_CONST \"s\"\nSTORE_NAME x\nLOAD_NAME x\n"
            + "LOAD_CONST -1\nSUB\nSTORE_NAME y\nRETURN\ncaught:\nLOAD_NAME x\nLOAD_NAME y\nBUILD_LIST 4\nRETURN";
        for (int level = 1; level <= Optimizer.HighestLevel; level++)
        {
            AssertSame(Load($".func main() locals x, y, c\n{body}\n.end\n"), Optimized(body, level));
        }
    }

    /// <summary>The step hook sees translated instructions, each once, and the source that each acts for.</summary>
    [Fact]
    public void A_hook_sees_each_translated_instruction_once()
    {
        const string body =
            "LOAD_CONST 36893488147419103232\nLOAD_CONST 0\nADD\nJUMP_IF_FALSE over\nJUMP out\nover:\nNOP\nout:\nLOAD_CONST 7\nRETURN";
        OptimizationResult result = Optimizer.Optimize(
            Load($".func main() locals x\nCALL_FUNC_CONST f, 0\nRETURN\n.end\n.func f() locals x\n{body}\n.end\n"),
            2
        );
        using Vm vm = new();
        Steps steps = new() { Seen = [] };
        ExecutionResult outcome = vm.Execute(ZexusProgram.Load(result.Program), ref steps);
        Assert.Equal(steps.Seen.Count, outcome.Steps);
        Assert.All(steps.Seen, step => Assert.InRange(step.Instruction, 0, 20));
        Assert.All(steps.Seen, step => Assert.InRange(step.Source, 0, 20));
    }

    private struct Steps : IStepHook
    {
        public List<(int Instruction, int Source)> Seen;

        public readonly void BeforeStep(in MachineView view) => Seen.Add((view.Instruction, view.SourceInstruction));
    }
}
