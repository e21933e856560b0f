using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>The passes over whole functions.</summary>
public class OptimizerFunctionPassTests
{
    private const int RandomPrograms = 400;

    /// <summary>Loops, handlers, calls, captures, transactions, registers, and code as a simple compiler emits it.</summary>
    public static TheoryData<string, string> Programs =>
        new()
        {
            {
                "temporaries",
                """
                    .func main() locals a, b, t1, t2, t3, t4
                        LOAD_CONST 3
                        STORE_NAME a
                        LOAD_NAME a
                        STORE_NAME t1
                        LOAD_NAME t1
                        LOAD_CONST 4
                        MUL
                        STORE_NAME t2
                        LOAD_NAME t2
                        STORE_NAME b
                        LOAD_NAME b
                        STORE_NAME t3
                        LOAD_NAME t3
                        LOAD_NAME g
                        ADD
                        STORE_NAME t4
                        LOAD_NAME t4
                        RETURN
                    .end
                    """
            },
            {
                "loop",
                """
                    .func main() locals i, n, sum, t, u
                        STORE_CONST i, 0
                        STORE_CONST n, 5
                        STORE_CONST sum, 0
                    again:
                        LOAD_NAME i
                        STORE_NAME t
                        LOAD_NAME n
                        STORE_NAME u
                        LOAD_NAME t
                        LOAD_NAME u
                        LT
                        JUMP_IF_FALSE done
                        LOAD_NAME sum
                        LOAD_NAME t
                        ADD
                        STORE_NAME sum
                        LOAD_NAME t
                        LOAD_CONST 1
                        ADD
                        STORE_NAME i
                        JUMP again
                    done:
                        LOAD_NAME sum
                        RETURN
                    .end
                    """
            },
            {
                "swapped in a loop",
                """
                    .func main() locals a, b, t, i
                        STORE_CONST a, 1
                        STORE_CONST b, 2
                        STORE_CONST i, 0
                    again:
                        LOAD_NAME a
                        STORE_NAME t
                        LOAD_NAME b
                        STORE_NAME a
                        LOAD_NAME t
                        STORE_NAME b
                        LOAD_NAME i
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 3
                        LT
                        JUMP_IF_TRUE again
                        LOAD_NAME a
                        LOAD_NAME b
                        BUILD_LIST 2
                        RETURN
                    .end
                    """
            },
            {
                "handler",
                """
                    .func main() locals x, y, z
                        STORE_CONST x, 1
                        STORE_CONST y, 1
                        SETUP_TRY caught
                        STORE_CONST x, 2
                        LOAD_NAME g
                        LOAD_CONST 1
                        LOAD_CONST 0
                        DIV
                        POP
                        STORE_CONST x, 3
                        POP_TRY
                        LOAD_NAME y
                        RETURN
                    caught:
                        POP
                        LOAD_NAME x
                        LOAD_NAME y
                        BUILD_LIST 2
                        RETURN
                    .end
                    """
            },
            {
                "handler that comes back",
                """
                    .func main() locals i, last, e
                        STORE_CONST i, 0
                    again:
                        SETUP_TRY caught
                        LOAD_NAME i
                        STORE_NAME last
                        LOAD_CONST 6
                        LOAD_CONST 2
                        LOAD_NAME i
                        SUB
                        DIV
                        POP
                        POP_TRY
                        JUMP next
                    caught:
                        STORE_NAME e
                        LOAD_NAME last
                        PRINT
                        LOAD_NAME e
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
                "captured and global",
                """
                    .func main() locals x, y, f
                        STORE_CONST x, 1
                        STORE_CONST g, 1
                        LOAD_NAME x
                        STORE_NAME y
                        STORE_FUNC f, inner
                        LOAD_NAME f
                        CALL_TOP 0
                        POP
                        LOAD_NAME x
                        LOAD_NAME y
                        LOAD_NAME g
                        BUILD_LIST 3
                        STORE_CONST x, 7
                        RETURN
                    .end
                    .func inner() captures x
                        LOAD_NAME x
                        INC
                        STORE_NAME x
                        STORE_CONST g, 2
                    .end
                    """
            },
            {
                "calls",
                """
                    .func main() locals x, k, f
                        STORE_CONST k, 4
                        LOAD_NAME k
                        STORE_NAME x
                        STORE_FUNC f, twice
                        LOAD_NAME x
                        CALL_NAME f, 1
                        LOAD_NAME k
                        ADD
                        RETURN
                    .end
                    .func twice(n) locals m
                        LOAD_NAME n
                        STORE_NAME m
                        LOAD_NAME m
                        LOAD_NAME n
                        ADD
                        RETURN
                    .end
                    """
            },
            {
                "transactions",
                """
                    .func main() locals key, v, old
                        STORE_CONST key, "k"
                        STORE_CONST v, 1
                        TX_BEGIN
                        LOAD_NAME key
                        LOAD_NAME v
                        STATE_WRITE
                        SETUP_TRY undone
                        TX_BEGIN
                        STORE_CONST v, 2
                        LOAD_NAME key
                        LOAD_NAME v
                        STATE_WRITE
                        LOAD_CONST false
                        LOAD_CONST "no"
                        REQUIRE
                        TX_COMMIT
                        POP_TRY
                    undone2:
                        TX_COMMIT
                        RETURN
                    undone:
                        POP
                        LOAD_NAME key
                        STATE_READ
                        STORE_NAME old
                        LOAD_NAME old
                        LOAD_NAME v
                        ADD
                        PRINT
                        JUMP undone2
                    .end
                    """
            },
            {
                "registers",
                """
                    .func main() locals x, y
                        LOAD_REG r0, 5
                        MOV_REG r1, r0
                        LOAD_NAME g
                        POP_REG r2
                        MOV_REG r3, r2
                    again:
                        ADD_REG r4, r1, r0
                        MOV_REG r5, r4
                        STORE_REG r5, x
                        LOAD_VAR_REG r6, x
                        ADD_REG r3, r3, r6
                        PUSH_REG r3
                        POP_REG r7
                        PUSH_REG r7
                        LOAD_CONST 40
                        LT
                        JUMP_IF_TRUE again
                        EQ_REG r8, r7, r3
                        NOT_REG r9, r8
                        PUSH_REG r9
                        STORE_REG r7, y
                        LOAD_NAME y
                        BUILD_LIST 2
                        RETURN
                    .end
                    """
            },
            {
                "first instruction is a loop head",
                """
                    .func main() locals i, j
                    again:
                        LOAD_NAME i
                        STORE_NAME j
                        LOAD_NAME j
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 3
                        LT
                        JUMP_IF_TRUE again
                        LOAD_NAME j
                    .end
                    """
            },
            {
                "values on the stack over a landing",
                """
                    .func main() locals a, b
                        STORE_CONST a, 2
                        LOAD_NAME g
                        STORE_NAME b
                        LOAD_NAME a
                        LOAD_NAME b
                        LOAD_NAME h
                        JUMP_IF_TRUE other
                        STORE_CONST a, 9
                    other:
                        STORE_NAME a
                        STORE_NAME b
                        LOAD_NAME a
                        LOAD_NAME b
                        BUILD_LIST 2
                    .end
                    """
            },
        };

    private static OptimizationResult Optimized(string body, string locals = "x, y, z") =>
        Optimizer.Optimize(OptimizerTests.Load(Text(body, locals)), 3, explain: true);

    private static string Text(string body, string locals = "x, y, z") =>
        $".func main() locals {locals}\n{body}\n.end\n.func inner() captures x\nLOAD_NAME x\nRETURN\n.end\n";

    private static string[] Code(OptimizationResult result) =>
        [.. result.Program.Functions[0].Code.Select(instruction => InstructionSet.Of(instruction.Opcode).Mnemonic)];

    [Theory]
    [MemberData(nameof(Programs))]
    public void A_program_is_the_same_at_every_gas_limit(string name, string text)
    {
        ZexusProgram source = OptimizerTests.Load(text);
        for (int level = 2; level <= Optimizer.HighestLevel; level++)
        {
            OptimizationResult result = Optimizer.Optimize(source, level, explain: true);
            OptimizerTests.AssertSame(source, result);
            string? problem = TransformationCheck.FirstProblem(source, result);
            Assert.True(problem is null, $"{name}: {problem}");
            Assert.Equal(result.Log.Length, result.Passes.Sum(pass => pass.Applied));
            Assert.Equal(result.Rewrites.Values.Sum(), result.Passes.Sum(pass => pass.Applied));
        }
    }

    [Fact]
    public void Claims_are_made_only_when_asked_for_and_change_nothing()
    {
        foreach (object[] row in Programs)
        {
            ZexusProgram source = OptimizerTests.Load((string)row[1]);
            OptimizationResult quiet = Optimizer.Optimize(source, 3);
            OptimizationResult explained = Optimizer.Optimize(source, 3, explain: true);
            Assert.Empty(quiet.Transformations);
            Assert.Empty(quiet.Log);
            Assert.Equal(quiet.Rewrites, explained.Rewrites);
            Assert.Equal(
                quiet.Program.Constants.Select(Disassembler.Literal),
                explained.Program.Constants.Select(Disassembler.Literal)
            );
            Assert.Equal(Optimized(quiet), Optimized(explained));
        }

        static IEnumerable<string> Optimized(OptimizationResult result) =>
            result
                .Program.Functions.SelectMany(function => function.Code)
                .Select(it => $"{it.Opcode} {it.A} {it.B} {it.C} {it.Source}: " + string.Join(", ", it.Charges));
    }

    [Theory]
    [InlineData(
        "LOAD_CONST 7\nSTORE_NAME x\nLOAD_NAME x\nLOAD_NAME x\nBUILD_LIST 2\nRETURN",
        "copy/propagated-constant"
    )]
    [InlineData("LOAD_NAME x\nPRINT", "copy/propagated-constant")]
    [InlineData(
        "LOAD_NAME g\nSTORE_NAME x\nLOAD_NAME x\nSTORE_NAME y\nLOAD_NAME y\nLOAD_NAME x\nADD",
        "copy/propagated"
    )]
    [InlineData("LOAD_NAME g\nSTORE_NAME x\nSTORE_CONST y, 1\nLOAD_NAME y\nSTORE_NAME z", "dead/store")]
    [InlineData("LOAD_NAME g\nINC\nSTORE_NAME x\nLOAD_NAME x\nRETURN", "dead/stored-and-loaded")]
    [InlineData(
        "STORE_CONST x, 1\nagain:\nLOAD_NAME x\nLOAD_CONST 1\nADD\nSTORE_NAME y\nLOAD_NAME x\nLOAD_CONST 1\nADD\nPRINT\nLOAD_NAME y\nSTORE_NAME x\nLOAD_NAME x\nLOAD_CONST 4\nLT\nJUMP_IF_TRUE again",
        "cse/reused"
    )]
    public void A_change_is_counted_and_explained(string body, string name)
    {
        OptimizationResult result = Optimized(body);
        Assert.True(result.Rewrites.GetValueOrDefault(name) > 0, string.Join(", ", result.Rewrites.Keys));
        Assert.Contains(result.Log, entry => entry.Name == name && entry.Before.Length > 0 && entry.After.Length > 0);
        OptimizerTests.AssertSame(OptimizerTests.Load(Text(body)), result);
    }

    /// <summary>What a call can read or write is loaded and stored as before.</summary>
    [Theory]
    [InlineData("g")]
    [InlineData("x")]
    public void Captured_variables_and_globals_are_not_touched(string name)
    {
        string body =
            $"STORE_FUNC y, inner\nSTORE_CONST {name}, 1\nCALL_NAME y, 0\nPRINT\nLOAD_NAME {name}\nPRINT\nSTORE_CONST {name}, 2\nRETURN";
        OptimizationResult result = Optimized(body);
        string[] code = Code(result);
        Assert.Equal(2, code.Count(mnemonic => mnemonic == "STORE_CONST"));
        Assert.Contains("LOAD_NAME", code);
        OptimizerTests.AssertSame(OptimizerTests.Load(Text(body)), result);
    }

    /// <summary>Its operands are beyond 64 bits, so the operation charges by their sizes, whoever does it.</summary>
    [Theory]
    [InlineData("LOAD_NAME x\nLOAD_NAME y\n", "LOAD_NAME x\nLOAD_NAME y\n", "ADD", true)]
    [InlineData("LOAD_NAME x\nLOAD_NAME y\n", "LOAD_NAME x\nLOAD_NAME y\n", "SUB", true)]
    [InlineData("LOAD_NAME x\nPUSH_REG r1\n", "LOAD_NAME x\nPUSH_REG r1\n", "GTE", true)]
    [InlineData(
        "PUSH_REG r1\nLOAD_CONST 36893488147419103232\n",
        "PUSH_REG r1\nLOAD_CONST 36893488147419103232\n",
        "EQ",
        true
    )]
    [InlineData("LOAD_NAME n\nLOAD_NAME y\n", "LOAD_NAME n\nLOAD_NAME y\n", "NEQ", true)]
    [InlineData("LOAD_NAME n\nLOAD_NAME y\n", "LOAD_NAME n\nLOAD_NAME y\n", "LT", true)]
    [InlineData("LOAD_NAME x\n", "LOAD_NAME x\n", "NEG", true)]
    [InlineData("LOAD_NAME x\n", "LOAD_NAME x\n", "DEC", true)]
    [InlineData("LOAD_NAME x\nLOAD_NAME y\n", "LOAD_NAME y\nLOAD_NAME x\n", "SUB", false)]
    [InlineData("LOAD_NAME x\nLOAD_NAME g\n", "LOAD_NAME x\nLOAD_NAME g\n", "EQ", false)]
    [InlineData("LOAD_NAME x\nLOAD_NAME y\n", "STORE_CONST x, 7\nLOAD_NAME x\nLOAD_NAME y\n", "ADD", false)]
    [InlineData("LOAD_NAME x\nLOAD_NAME y\n", "STORE_CONST z, 7\nLOAD_NAME x\nLOAD_NAME y\n", "ADD", false)]
    public void A_result_that_is_still_there_is_loaded(string first, string second, string operation, bool reused)
    {
        // The loop makes of the numbers something that nobody knows before.
        string body =
            "STORE_CONST x, 36893488147419103233\nSTORE_CONST y, 680564733841876926926749214863536422912\nLOAD_REG r1, 36893488147419103232\n"
            + "again:\nLOAD_NAME x\nINC\nSTORE_NAME x\nLOAD_NAME y\nDEC\nSTORE_NAME y\nPUSH_REG r1\nDEC\nPOP_REG r1\nSTORE_CONST n, null\n"
            + $"LOAD_NAME g\nJUMP_IF_TRUE again\n{first}{operation}\nSTORE_NAME z\n{second}{operation}\nLOAD_NAME z\nBUILD_LIST 2\nRETURN";
        ZexusProgram source = OptimizerTests.Load(Text(body, "x, y, z, n"));
        OptimizationResult result = Optimizer.Optimize(source, 2, explain: true);
        Assert.Equal(reused, result.Rewrites.ContainsKey("cse/reused"));
        OptimizerTests.AssertSame(source, result);
        string? problem = TransformationCheck.FirstProblem(source, result);
        Assert.True(problem is null, problem);
    }

    [Fact]
    public void What_only_a_handler_reads_is_stored()
    {
        const string body =
            "SETUP_TRY caught\nSTORE_CONST x, 1\nLOAD_NAME g\nLOAD_CONST \"s\"\nSUB\nPRINT\nSTORE_CONST x, 2\nPOP_TRY\nRETURN\ncaught:\nLOAD_NAME x\nRETURN";
        OptimizationResult result = Optimized(body);
        Assert.Equal(1, Code(result).Count(mnemonic => mnemonic == "STORE_CONST"));
        OptimizerTests.AssertSame(OptimizerTests.Load(Text(body)), result);
        using Vm vm = new();
        Assert.Equal(1, (int)vm.Execute(ZexusProgram.Load(result.Program)).Value.AsInteger);
    }

    /// <summary>A constant that is a collection is a new one each time, and charges for its elements.</summary>
    [Fact]
    public void Collections_are_no_constants_but_may_be_copied()
    {
        const string body =
            "STORE_CONST x, [1]\nLOAD_NAME x\nSTORE_NAME y\nLOAD_NAME y\nLOAD_CONST 2\nCALL_METHOD push, 1\nPOP\nLOAD_NAME x\nPRINT\nSTORE_CONST z, [1, 2]";
        OptimizationResult result = Optimized(body);
        Assert.Equal(2, Code(result).Count(mnemonic => mnemonic == "STORE_CONST"));
        Assert.True(result.Rewrites.ContainsKey("copy/propagated"));
        OptimizerTests.AssertSame(OptimizerTests.Load(Text(body)), result);
    }

    /// <summary>Code as a compiler emits that knows nothing of what stands around: it shrinks by more than a quarter.</summary>
    [Fact]
    public void Temporaries_go_away()
    {
        foreach (object[] row in Programs.Where(row => row[0] is "temporaries" or "loop"))
        {
            OptimizationResult result = Optimizer.Optimize(OptimizerTests.Load((string)row[1]), 3);
            Assert.True(
                4 * result.After < 3 * result.Before,
                $"{row[0]}: {result.Before} to {result.After}: {string.Join(' ', Code(result))}"
            );
        }
    }

    [Fact]
    public void Random_programs_are_the_same()
    {
        Dictionary<string, int> passes = [];
        for (int seed = 0; seed < RandomPrograms; seed++)
        {
            string text = RandomFunction.Make(new Random(seed));
            ZexusProgram source = OptimizerTests.Load(text);
            OptimizationResult result = Optimizer.Optimize(source, 2 + (seed % 2), explain: true);
            string? problem = TransformationCheck.FirstProblem(source, result);
            Assert.True(problem is null, $"seed {seed}: {problem}\n{text}");
            foreach (Transformation transformation in result.Transformations)
            {
                passes[transformation.Pass] = passes.GetValueOrDefault(transformation.Pass) + 1;
            }

            ZexusProgram translated = ZexusProgram.Load(result.Program, source.Limits);
            using Vm vm = new(new VmOptions { GasLimit = 3000 });
            long full = vm.Execute(source).GasUsed;
            for (long limit = full; limit >= 0; limit -= 1 + (full / 40))
            {
                vm.Options = new VmOptions { GasLimit = limit };
                string expected = Observables.Of(vm.Execute(source));
                string actual = Observables.Of(vm.Execute(translated));
                Assert.True(expected == actual, $"seed {seed}, gas limit {limit}\n{expected}\n{actual}\n{text}");
            }
        }

        // All passes had something to do.
        Assert.Equal(5, passes.Count);
        Assert.All(passes.Values, count => Assert.True(count > RandomPrograms / 20));
    }

    /// <summary>Programs of loads, stores, register moves, operations that may fault, branches, loops, handlers and calls.</summary>
    internal sealed class RandomFunction
    {
        private static readonly string[] Constants =
        [
            "0",
            "1",
            "2",
            "-1",
            "true",
            "null",
            "1.5",
            "\"s\"",
            "36893488147419103232",
        ];
        private static readonly string[] Own = ["a", "b", "c", "d"];
        private static readonly string[] All = [.. Own, "x", "g", "p"];
        private static readonly string[] Binary = ["ADD", "SUB", "MUL", "LT", "EQ", "AND", "OR", "DIV", "GTE"];
        private static readonly string[] OnRegisters = ["ADD_REG", "SUB_REG", "LT_REG", "EQ_REG", "OR_REG"];

        private readonly Random _random;
        private readonly List<string> _lines = [];
        private int _labels;

        private RandomFunction(Random random) => _random = random;

        public static string Make(Random random)
        {
            RandomFunction function = new(random);
            function.Block(3);
            return ".func main() locals m\n    LOAD_CONST 5\n    CALL_FUNC_CONST f, 1\n    PRINT\n    LOAD_NAME g\n    PRINT\n.end\n"
                + ".func f(p) locals a, b, c, d, x, l\n"
                + string.Join('\n', function._lines)
                + "\n    LOAD_NAME a\n    LOAD_NAME x\n    BUILD_LIST 2\n    RETURN\n.end\n"
                + ".func inner() captures x\n    LOAD_NAME x\n    LOAD_CONST 1\n    ADD\n    STORE_NAME x\n    STORE_CONST g, 3\n.end\n";
        }

        private void Block(int depth)
        {
            for (int i = _random.Next(3, 8); i > 0; i--)
            {
                Statement(depth);
            }
        }

        private void Statement(int depth)
        {
            switch (_random.Next(depth > 0 ? 16 : 12))
            {
                case 0 or 1 or 2:
                    Expression(2);
                    Add($"STORE_NAME {One(All)}");
                    break;
                case 3:
                    Add($"STORE_CONST {One(Own)}, {One(Constants)}");
                    break;
                case 4:
                    Add($"LOAD_NAME {One(Own)}");
                    Add($"STORE_NAME {One(Own)}");
                    break;
                case 5:
                    Add($"MOV_REG {Register()}, {Register()}");
                    break;
                case 6:
                    Add(
                        _random.Next(3) switch
                        {
                            0 => $"LOAD_VAR_REG {Register()}, {One(Own)}",
                            1 => $"STORE_REG {Register()}, {One(Own)}",
                            _ => $"LOAD_REG {Register()}, {One(Constants)}",
                        }
                    );
                    break;
                case 7:
                    Add($"{One(OnRegisters)} {Register()}, {Register()}, {Register()}");
                    break;
                case 8:
                    Expression(1);
                    Add($"POP_REG {Register()}");
                    break;
                case 9:
                    Expression(1);
                    Add(_random.Next(3) == 0 ? "PRINT" : "POP");
                    break;
                case 10:
                    Add("CALL_FUNC_CONST inner, 0");
                    Add("POP");
                    break;
                case 11:
                    string[] twice =
                    [
                        $"LOAD_NAME {One([.. Own, "l"])}",
                        $"LOAD_NAME {One([.. Own, "l"])}",
                        One(Binary),
                    ];
                    Array.ForEach(twice, Add);
                    Add($"STORE_NAME {One(Own)}");
                    Array.ForEach(twice, Add);
                    Add(_random.Next(2) == 0 ? "PRINT" : $"STORE_NAME {One(Own)}");
                    break;
                case 12:
                    string over = Label();
                    Expression(1);
                    Add(_random.Next(2) == 0 ? $"JUMP_IF_TRUE {over}" : $"JUMP_IF_FALSE {over}");
                    Block(depth - 1);
                    if (_random.Next(2) == 0)
                    {
                        string end = Label();
                        Add($"JUMP {end}");
                        _lines.Add($"{over}:");
                        Block(depth - 1);
                        over = end;
                    }

                    _lines.Add($"{over}:");
                    break;
                case 13:
                    string again = Label();
                    Add("STORE_CONST l, 0");
                    _lines.Add($"{again}:");
                    Block(depth - 1);
                    Add("LOAD_NAME l");
                    Add("INC");
                    Add("STORE_NAME l");
                    Add("LOAD_NAME l");
                    Add("LOAD_CONST 3");
                    Add("LT");
                    Add($"JUMP_IF_TRUE {again}");
                    break;
                default:
                    string caught = Label();
                    string behind = Label();
                    Add($"SETUP_TRY {caught}");
                    Block(depth - 1);
                    if (_random.Next(3) == 0)
                    {
                        Expression(0);
                        Add("THROW");
                    }
                    else
                    {
                        Add("POP_TRY");
                        Add($"JUMP {behind}");
                    }

                    _lines.Add($"{caught}:");
                    Add(_random.Next(2) == 0 ? "POP" : $"STORE_NAME {One(Own)}");
                    Block(depth - 1);
                    _lines.Add($"{behind}:");
                    break;
            }
        }

        private void Expression(int depth)
        {
            switch (_random.Next(depth > 0 ? 8 : 4))
            {
                case 0:
                    Add($"LOAD_CONST {One(Constants)}");
                    break;
                case 1:
                    Add($"PUSH_REG {Register()}");
                    break;
                case 2 or 3:
                    Add($"LOAD_NAME {One(All)}");
                    break;
                case 4:
                    Expression(depth - 1);
                    Add(
                        _random.Next(3) switch
                        {
                            0 => "NOT",
                            1 => "NEG",
                            _ => "INC",
                        }
                    );
                    break;
                case 5:
                    Expression(depth - 1);
                    Add("DUP");
                    Add(One(Binary));
                    break;
                default:
                    Expression(depth - 1);
                    Expression(depth - 1);
                    Add(One(Binary));
                    break;
            }
        }

        private void Add(string line) => _lines.Add("    " + line);

        private string Label() => $"label{_labels++}";

        private string Register() => "r" + _random.Next(4);

        private string One(string[] of) => of[_random.Next(of.Length)];
    }
}
