using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>The conversion of stack code to register code.</summary>
public class RegisterConverterTests
{
    private const int RandomPrograms = 600;

    /// <summary>Shapes that the programs of the optimizer's passes do not have.</summary>
    public static TheoryData<string, string> Programs =>
        new()
        {
            {
                "call in an expression",
                """
                    .func main() locals a
                        STORE_CONST a, 3
                        LOAD_NAME a
                        LOAD_CONST 2
                        ADD
                        LOAD_NAME a
                        CALL_FUNC_CONST twice, 1
                        MUL
                        LOAD_NAME a
                        SUB
                        RETURN
                    .end
                    .func twice(n)
                        LOAD_NAME n
                        LOAD_NAME n
                        ADD
                    .end
                    """
            },
            {
                "written while its copy waits",
                """
                    .func main() locals a, b
                        STORE_CONST a, 3
                        STORE_CONST b, 4
                        LOAD_NAME a
                        LOAD_NAME b
                        STORE_NAME a
                        LOAD_NAME a
                        LOAD_NAME b
                        MUL
                        STORE_NAME b
                        LOAD_NAME b
                        ADD
                        LOAD_NAME a
                        ADD
                        RETURN
                    .end
                    """
            },
            {
                "try above other cells",
                """
                    .func main() locals i
                        STORE_CONST i, 0
                    again:
                        LOAD_NAME i
                        LOAD_NAME i
                        LOAD_CONST 1
                        ADD
                        SETUP_TRY caught
                        LOAD_CONST 2
                        LOAD_NAME i
                        SUB
                        ADD
                        ADD
                        LOAD_CONST 12
                        LOAD_CONST 2
                        LOAD_NAME i
                        SUB
                        DIV
                        PRINT
                        PRINT
                        POP_TRY
                        JUMP next
                    caught:
                        PRINT
                        PRINT
                        PRINT
                    next:
                        LOAD_NAME i
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 4
                        LT
                        JUMP_IF_TRUE again
                    .end
                    """
            },
            {
                "a handler finds what was computed since",
                """
                    .func main() locals a
                        STORE_CONST a, 5
                        LOAD_NAME a
                        LOAD_NAME a
                        SETUP_TRY caught
                        LOAD_NAME a
                        LOAD_CONST 2
                        MUL
                        ADD
                        LOAD_NAME a
                        LOAD_CONST 0
                        DIV
                        ADD
                        STORE_NAME a
                        RETURN
                    caught:
                        POP
                        LOAD_NAME a
                        SUB
                        SUB
                        RETURN
                    .end
                    """
            },
            {
                "a handler before its try",
                """
                    .func main() locals i, s
                        STORE_CONST i, 0
                        STORE_CONST s, 1
                        JUMP go
                    caught:
                        POP
                    again:
                        LOAD_NAME s
                        LOAD_CONST 7
                        MUL
                        STORE_NAME s
                        LOAD_NAME i
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 3
                        LT
                        JUMP_IF_TRUE again
                        LOAD_NAME s
                        RETURN
                    go:
                        SETUP_TRY caught
                        LOAD_NAME s
                        LOAD_CONST 2
                        ADD
                        LOAD_NAME s
                        LOAD_CONST 4
                        ADD
                        LOAD_NAME s
                        LOAD_CONST 5
                        ADD
                        MUL
                        MUL
                        LOAD_CONST 0
                        DIV
                        RETURN
                    .end
                    """
            },
            {
                "transactions",
                """
                    .func main() locals n, i
                        STORE_CONST n, 0
                        STORE_CONST i, 0
                    again:
                        TX_BEGIN
                        LOAD_CONST "k"
                        LOAD_NAME n
                        LOAD_NAME i
                        ADD
                        STORE_NAME n
                        LOAD_NAME n
                        STATE_WRITE
                        LOAD_NAME i
                        LOAD_CONST 2
                        MOD
                        JUMP_IF_TRUE odd
                        TX_COMMIT
                        JUMP next
                    odd:
                        TX_REVERT
                    next:
                        LOAD_NAME i
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 5
                        LT
                        JUMP_IF_TRUE again
                        LOAD_CONST "k"
                        STATE_READ
                        LOAD_NAME n
                        SUB
                        RETURN
                    .end
                    """
            },
            {
                "begins with a loop",
                """
                    .func main() locals n
                        LOAD_CONST 0
                        CALL_FUNC_CONST up, 1
                    .end
                    .func up(n) locals m
                    again:
                        LOAD_NAME n
                        LOAD_CONST 1
                        ADD
                        STORE_NAME n
                        LOAD_NAME m
                        LOAD_NAME n
                        ADD
                        STORE_NAME m
                        LOAD_NAME n
                        LOAD_CONST 5
                        LT
                        JUMP_IF_TRUE again
                        LOAD_NAME m
                    .end
                    """
            },
            {
                "values that wait at a condition",
                """
                    .func main() locals a
                        STORE_CONST a, 3
                        LOAD_NAME a
                        LOAD_CONST 1
                        ADD
                        LOAD_NAME a
                        LOAD_CONST 2
                        MUL
                        DUP
                        LOAD_CONST 5
                        GT
                        JUMP_IF_FALSE small
                        LOAD_CONST 1
                        ADD
                    small:
                        SUB
                        JUMP out
                    out:
                    .end
                    """
            },
            {
                "a caller's handler",
                """
                    .func main() locals a
                        STORE_CONST a, 5
                        SETUP_TRY caught
                        LOAD_NAME a
                        LOAD_CONST 2
                        MUL
                        STORE_NAME a
                        LOAD_NAME a
                        LOAD_CONST 0
                        CALL_FUNC_CONST over, 1
                        SUB
                        RETURN
                    caught:
                        POP
                        LOAD_NAME a
                        LOAD_CONST 1
                        ADD
                        RETURN
                    .end
                    .func over(n)
                        LOAD_CONST 1
                        LOAD_NAME n
                        DIV
                    .end
                    """
            },
            {
                "big numbers",
                """
                    .func main() locals x, i
                        STORE_CONST x, 36893488147419103232
                        STORE_CONST i, 0
                    again:
                        LOAD_NAME x
                        LOAD_NAME x
                        MUL
                        INC
                        STORE_NAME x
                        LOAD_NAME i
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 4
                        LT
                        JUMP_IF_TRUE again
                        LOAD_NAME x
                        NEG
                    .end
                    """
            },
        };

    [Theory]
    [MemberData(nameof(Programs))]
    [MemberData(nameof(OptimizerFunctionPassTests.Programs), MemberType = typeof(OptimizerFunctionPassTests))]
    public void A_program_is_the_same_at_every_gas_limit(string name, string text)
    {
        ZexusProgram source = OptimizerTests.Load(text);
        foreach (int level in new[] { 0, 3 })
        {
            ConversionResult result = Converted(source, level);
            AssertSame(source, result, 1, $"{name} at level {level}");
        }
    }

    [Fact]
    public void Each_shape_is_converted()
    {
        foreach (object[] row in Programs)
        {
            ConversionResult result = Converted(OptimizerTests.Load((string)row[1]), 0);
            Assert.True(
                result.Functions[0].Outcome == ConversionOutcome.Converted || row[0] is "begins with a loop",
                (string)row[0]
            );
        }
    }

    /// <summary>The loop of the benchmark, instruction by instruction: constants and variables are in registers, nothing is copied.</summary>
    [Fact]
    public void A_loop_over_numbers_has_nothing_on_the_operand_stack_but_its_condition()
    {
        const string text = """
            .func main() locals sum, i
                STORE_CONST sum, 0
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                LOAD_CONST 10
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
            """;
        ConversionResult result = Converted(OptimizerTests.Load(text), 0);
        string[] loop =
        [
            .. Code(result).SkipWhile(mnemonic => mnemonic != "LT_REG").TakeWhile(mnemonic => mnemonic != "JUMP"),
        ];
        Assert.Equal(["LT_REG", "PUSH_REG", "JUMP_IF_FALSE", "MUL_REG", "MOD_REG", "ADD_REG", "ADD_REG"], loop);
        Assert.Equal(2, result.Functions[0].Coalesced);
        Assert.Equal(0, result.Functions[0].Spilled);
    }

    /// <summary>Twenty variables that are all read in a loop, and an expression of twenty that wait for one another.</summary>
    [Fact]
    public void More_values_than_registers_are_spilled()
    {
        string[] names = [.. Enumerable.Range(0, 20).Select(i => "v" + i)];
        string text =
            $".func main() locals i, {string.Join(", ", names)}\nSTORE_CONST i, 0\n"
            + string.Concat(names.Select((name, i) => $"STORE_CONST {name}, {i + 1}\n"))
            + "again:\n"
            + string.Concat(names.Select(name => $"LOAD_NAME {name}\nLOAD_NAME i\nMUL\n"))
            + string.Concat(names.Skip(1).Select(_ => "ADD\n"))
            + "PRINT\n"
            + string.Concat(
                names.Select(
                    (name, i) => $"LOAD_NAME {name}\nLOAD_NAME {names[(i + 1) % 20]}\nADD\nSTORE_NAME {name}\n"
                )
            )
            + "LOAD_NAME i\nINC\nSTORE_NAME i\nLOAD_NAME i\nLOAD_CONST 3\nLT\nJUMP_IF_TRUE again\n.end\n";
        ZexusProgram source = OptimizerTests.Load(text);
        ConversionResult result = Converted(source, 0);
        Assert.Equal(ConversionOutcome.Converted, result.Functions[0].Outcome);
        Assert.True(result.Functions[0].Spilled > 0);
        Assert.Contains("LOAD_VAR_REG", Code(result));
        AssertSame(source, result, 7, "twenty values");
    }

    /// <summary>
    /// A variable that is a function before it is a number: what is called by its name stays a variable, and the number, which has nothing to do with it,
    /// lives in a register.
    /// </summary>
    [Fact]
    public void What_a_variable_holds_later_has_a_register_of_its_own()
    {
        const string text = """
            .func main() locals x, s
                STORE_FUNC x, one
                CALL_NAME x, 0
                STORE_NAME s
                STORE_CONST x, 0
            again:
                LOAD_NAME s
                LOAD_NAME x
                ADD
                STORE_NAME s
                LOAD_NAME x
                INC
                STORE_NAME x
                LOAD_NAME x
                LOAD_CONST 5
                LT
                JUMP_IF_TRUE again
                LOAD_NAME s
            .end
            .func one()
                LOAD_CONST 1
            .end
            """;
        ZexusProgram source = OptimizerTests.Load(text);
        ConversionResult result = Converted(source, 0);
        string[] code = Code(result);
        Assert.Contains("CALL_NAME", code);
        Assert.Equal(
            ["ADD_REG", "ADD_REG", "LT_REG"],
            code.Where(mnemonic => mnemonic.EndsWith("_REG", StringComparison.Ordinal) && mnemonic.Length > 5)
                .Where(mnemonic => mnemonic is "ADD_REG" or "LT_REG" or "LOAD_VAR_REG" or "STORE_REG")
        );
        AssertSame(source, result, 1, "two webs");
    }

    /// <summary>Thirty numbers in one variable, each read in a loop of its own beside eleven others, and a phi of two of them at the end.</summary>
    [Fact]
    public void Webs_of_one_variable_share_its_register_one_after_the_other()
    {
        string[] names = [.. Enumerable.Range(0, 7).Select(i => "v" + i)];
        string text =
            $".func main() locals i, x, {string.Join(", ", names)}\n"
            + string.Concat(names.Select((name, i) => $"STORE_CONST {name}, {i + 1}\n"))
            + string.Concat(
                Enumerable
                    .Range(0, 30)
                    .Select(k =>
                        $"STORE_CONST x, {k}\nSTORE_CONST i, 0\nagain{k}:\n"
                        + string.Concat(
                            names.Select(name => $"LOAD_NAME {name}\nLOAD_NAME x\nADD\nSTORE_NAME {name}\n")
                        )
                        + "LOAD_NAME x\nINC\nSTORE_NAME x\nLOAD_NAME i\nINC\nSTORE_NAME i\n"
                        + $"LOAD_NAME i\nLOAD_CONST 3\nLT\nJUMP_IF_TRUE again{k}\n"
                    )
            )
            + "LOAD_NAME v0\nLOAD_CONST 9\nLT\nJUMP_IF_TRUE small\nSTORE_CONST x, 7\nJUMP met\n"
            + "small:\nSTORE_CONST x, 8\nmet:\nLOAD_NAME x\nLOAD_NAME v1\nADD\n.end\n";
        ZexusProgram source = OptimizerTests.Load(text);
        ConversionResult result = Converted(source, 0);
        Assert.DoesNotContain("LOAD_NAME", Code(result));
        Assert.DoesNotContain("LOAD_VAR_REG", Code(result));
        Assert.Equal(0, result.Functions[0].Spilled);
        AssertSame(source, result, 97, "thirty webs");
    }

    /// <summary>Registers of the program's own stay its own; with too many of them nothing is converted.</summary>
    [Theory]
    [InlineData(4, ConversionOutcome.Converted)]
    [InlineData(12, ConversionOutcome.Converted)]
    [InlineData(13, ConversionOutcome.NoRegisters)]
    [InlineData(16, ConversionOutcome.NoRegisters)]
    public void Registers_of_the_program_are_its_own(int own, ConversionOutcome outcome)
    {
        string text =
            ".func main() locals i, s\n"
            + string.Concat(Enumerable.Range(0, own).Select(r => $"LOAD_REG r{r}, {r}\n"))
            + "STORE_CONST i, 0\nSTORE_CONST s, 0\nagain:\nLOAD_NAME s\nPUSH_REG r1\nLOAD_NAME i\nMUL\nADD\nSTORE_NAME s\n"
            + "PUSH_REG r2\nLOAD_NAME i\nADD_REG r2, r2, r1\nADD\nPOP_REG r3\nSTORE_REG r3, s\nLOAD_VAR_REG r0, i\nMOV_REG r1, r0\n"
            + "LOAD_NAME i\nINC\nSTORE_NAME i\nLOAD_NAME i\nLOAD_CONST 4\nLT\nJUMP_IF_TRUE again\n"
            + string.Concat(Enumerable.Range(0, own).Select(r => $"PUSH_REG r{r}\n"))
            + $"LOAD_NAME s\nBUILD_LIST {own + 1}\n.end\n";
        ZexusProgram source = OptimizerTests.Load(text);
        ConversionResult result = Converted(source, 0);
        Assert.Equal(outcome, result.Functions[0].Outcome);
        AssertSame(source, result, 1, $"{own} registers");
    }

    [Fact]
    public void Random_programs_are_the_same()
    {
        int converted = 0;
        int coalesced = 0;
        int spilled = 0;
        int homes = 0;
        int held = 0;
        int split = 0;
        for (int seed = 0; seed < RandomPrograms; seed++)
        {
            string text = OptimizerFunctionPassTests.RandomFunction.Make(new Random(seed));
            ZexusProgram source = OptimizerTests.Load(text);
            ConversionResult result = Converted(source, seed % 4);
            converted += result.Functions.Count(it => it.Outcome == ConversionOutcome.Converted);
            coalesced += result.Functions.Sum(it => it.Coalesced);
            spilled += result.Functions.Sum(it => it.Spilled);
            using Vm vm = new(new VmOptions { GasLimit = 3000 });
            string? problem = TransformationCheck.FirstProblem(source, result);
            Assert.True(problem is null, $"seed {seed}: {problem}\n{text}");
            homes += Claims<Claim.Home>(result);
            held += Claims<Claim.Held>(result);
            split += result.Transformations.Sum(it =>
                it.Cuts.SelectMany(cut => cut.Claims.OfType<Claim.Home>())
                    .Distinct()
                    .GroupBy(claim => claim.Place)
                    .Count(group => group.Count() > 1)
            );
            AssertSame(source, result, 1 + (vm.Execute(source).GasUsed / 40), $"seed {seed}\n{text}", 3000);
        }

        Assert.True(converted > RandomPrograms, $"{converted} functions");
        Assert.True(coalesced > RandomPrograms, $"{coalesced} stores");
        Assert.True(homes > RandomPrograms && held > RandomPrograms, $"{homes} homes, {held} constants");
        Assert.True(split > 9, $"{split} variables of which webs have different homes");

        static int Claims<T>(ConversionResult result) =>
            result.Transformations.Sum(it => it.Cuts.Sum(cut => cut.Claims.OfType<T>().Count()));
    }

    private static ConversionResult Converted(ZexusProgram source, int level) =>
        RegisterConverter.Convert(Optimizer.Optimize(source, level).Program, explain: true);

    private static string[] Code(ConversionResult result) =>
        [.. result.Program.Functions[0].Code.Select(instruction => InstructionSet.Of(instruction.Opcode).Mnemonic)];

    /// <summary>At each gas limit from the whole down to nothing, in steps.</summary>
    private static void AssertSame(
        ZexusProgram source,
        ConversionResult result,
        long step,
        string what,
        long most = 100_000
    )
    {
        ZexusProgram converted = ZexusProgram.Load(result.Program, source.Limits);
        using Vm vm = new(new VmOptions { GasLimit = most });
        long full = vm.Execute(source).GasUsed;
        for (long limit = full; limit >= 0; limit -= step)
        {
            vm.Options = new VmOptions { GasLimit = limit };
            string expected = Observables.Of(vm.Execute(source));
            string actual = Observables.Of(vm.Execute(converted));
            Assert.True(
                expected == actual,
                $"{what}\ngas limit {limit}\n{expected}\n{actual}\n{string.Join('\n', Code(result))}"
            );
        }
    }
}
