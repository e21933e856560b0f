using System.Numerics;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>
/// Each rewrite of the catalog, applied alone to many small programs that its pattern stands in: the same observables as
/// the source's for every gas limit. Its broken twin differs on one of them, and so does the rewrite itself without any
/// one of its preconditions. The prover proves what is sampled here.
/// </summary>
public class OptimizerRewriteTests
{
    private const int Programs = 12;
    private const int Attempts = 4000;

    public static TheoryData<string> Names => [.. RewriteCatalog.All.Select(rewrite => rewrite.Name)];

    public static TheoryData<string, int> Preconditions
    {
        get
        {
            TheoryData<string, int> data = [];
            foreach (Rewrite rewrite in RewriteCatalog.All)
            {
                for (int i = 0; i < rewrite.Preconditions.Length; i++)
                {
                    // Without Evaluates there is no constant to put in. Limits have a test of their own, below.
                    if (rewrite.Preconditions[i] is not (Precondition.Evaluates or Precondition.KeepsLimit))
                    {
                        data.Add(rewrite.Name, i);
                    }
                }
            }

            return data;
        }
    }

    private static Rewrite Named(string name) => RewriteCatalog.All.Single(rewrite => rewrite.Name == name);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_rewrite_changes_nothing_that_can_be_observed(string name)
    {
        Rewrite rewrite = Named(name);
        Random random = new(1);
        int applied = 0;
        for (int i = 0; i < Attempts && applied < Programs; i++)
        {
            if (RewriteWitness.TryMake(rewrite, random, out RewriteWitness? witness))
            {
                applied++;
                Assert.Null(witness.FirstDifference());
            }
        }

        Assert.True(applied >= 5, $"{name} applied to {applied} programs only");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Its_broken_twin_is_caught(string name)
    {
        Rewrite rewrite = Named(name);
        AssertCaught(rewrite with { Replacement = rewrite.BrokenTwin });
    }

    [Theory]
    [MemberData(nameof(Preconditions))]
    public void Each_precondition_is_needed(string name, int precondition)
    {
        Rewrite rewrite = Named(name);
        AssertCaught(rewrite with { Preconditions = rewrite.Preconditions.RemoveAt(precondition) });
    }

    private static void AssertCaught(Rewrite broken)
    {
        // Most are caught with all the gas there is; the others need a limit that ends the execution within the pattern.
        Random random = new(1);
        List<RewriteWitness> alike = [];
        for (int i = 0; i < Attempts && alike.Count < 400; i++)
        {
            if (RewriteWitness.TryMake(broken, random, out RewriteWitness? witness))
            {
                if (witness.DiffersWithAllGas())
                {
                    return;
                }

                alike.Add(witness);
            }
        }

        Assert.True(
            alike.Take(100).Any(witness => witness.FirstDifference() is not null),
            $"no difference in {alike.Count} programs"
        );
    }

    [Fact]
    public void Names_are_unique_and_enough() =>
        Assert.InRange(
            RewriteCatalog.All.Select(rewrite => rewrite.Name).Distinct().Count(),
            60,
            RewriteCatalog.All.Length
        );

    /// <summary>The application takes lists over, and counts on what is checked here.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Every_charge_of_the_pattern_stands_once_in_the_replacement(string name)
    {
        Rewrite rewrite = Named(name);
        IEnumerable<int> charges = rewrite
            .Replacement.SelectMany(instruction => instruction.Charges.Concat(instruction.JumpCharges))
            .OfType<ChargeTerm.StaticOf>()
            .Select(term => term.Pattern);
        Assert.Equal(Enumerable.Range(0, rewrite.Pattern.Length), charges.Order());
    }
}

/// <summary>A program with a rewrite's pattern in it, and its translation by this rewrite alone.</summary>
internal sealed class RewriteWitness
{
    private static readonly Limits Small = new(
        callDepth: 16,
        integerBits: 200,
        stringLength: 100,
        collectionLength: 8,
        nesting: 3
    );

    private static readonly object?[] Pool =
    [
        null,
        true,
        false,
        0,
        1,
        -1,
        2,
        4,
        7,
        long.MinValue,
        BigInteger.One << 64,
        -(BigInteger.One << 130),
        (BigInteger.One << 200) - 1,
        -(BigInteger.One << 200),
        0.0,
        -0.0,
        1.0,
        2.5,
        Floats.NaN,
        double.PositiveInfinity,
        "",
        "a",
        "0123456789abcdef",
        "the text that is longest: forty scalars.",
        Array.Empty<object?>(),
        new object?[] { 1, "x" },
        new object?[] { Floats.NaN },
        new Dictionary<object, object?> { ["a"] = 1 },
        new HashSet<object> { 1, 2 },
    ];

    [ThreadStatic]
    private static Vm? _machine;

    private readonly Zexus.Isa.Program _program;
    private readonly OptimizationResult _result;
    private readonly ZexusProgram _source;
    private readonly ZexusProgram _translated;

    private RewriteWitness(Zexus.Isa.Program program, ZexusProgram source, OptimizationResult result)
    {
        _program = program;
        _source = source;
        _result = result;
        _translated = ZexusProgram.Load(result.Program, Small);
    }

    private static Vm Machine => _machine ??= new Vm();

    public static bool TryMake(
        Rewrite rewrite,
        Random random,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out RewriteWitness? witness
    )
    {
        witness = null;
        if (Surround(rewrite, random) is not { } program)
        {
            return false;
        }

        if (!ZexusProgram.TryLoad(program, Small, out ZexusProgram? source, out _))
        {
            return false;
        }

        OptimizationResult result = Optimizer.Optimize(program, Small, [rewrite], 3, explain: true);
        if (result.Log.IsEmpty)
        {
            return false;
        }

        witness = new RewriteWitness(program, source, result);
        return true;
    }

    public bool DiffersWithAllGas()
    {
        Machine.Options = new VmOptions();
        return Observables.Of(Machine.Execute(_source)) != Observables.Of(Machine.Execute(_translated));
    }

    /// <summary>The first gas limit at which the two differ, and how; null when there is none.</summary>
    public string? FirstDifference()
    {
        Vm vm = Machine;
        vm.Options = new VmOptions();
        long full = vm.Execute(_source).GasUsed;
        for (long limit = 0; limit <= full; limit++)
        {
            vm.Options = new VmOptions { GasLimit = limit };
            string expected = Observables.Of(vm.Execute(_source));
            string actual = Observables.Of(vm.Execute(_translated));
            if (expected != actual)
            {
                string log = string.Join(
                    '\n',
                    _result.Log.Select(it =>
                        $"{string.Join("; ", it.Before)}  ->  {string.Join("; ", it.After)} at {it.Source}"
                    )
                );
                return $"gas limit {limit}:\n  source      {expected}\n  translation {actual}\n{log}\n{Disassembler.Disassemble(_program)}";
            }
        }

        return null;
    }

    /// <summary>
    /// A program that sets everything to something, has the pattern, and returns all that it finds afterwards: the stack,
    /// variables of each sort, registers. Null when the pattern does not fit into one.
    /// </summary>
    private static Zexus.Isa.Program? Surround(Rewrite rewrite, Random random)
    {
        Assembly assembly = new();
        Dictionary<string, long> values = [];
        Dictionary<string, Data> wanted = rewrite
            .Preconditions.OfType<Precondition.ConstantIs>()
            .ToDictionary(it => it.Constant, it => it.Value);
        Dictionary<string, string> texts = rewrite
            .Preconditions.OfType<Precondition.NameIs>()
            .ToDictionary(it => it.Name, it => it.Text);
        string[] names = ["own", "captured", "global"];
        List<Instruction> code = [];
        code.Add(Op(Opcode.STORE_FUNC, assembly.Name("f"), 2));
        foreach (string name in names)
        {
            code.Add(Op(Opcode.STORE_CONST, assembly.Name(name), assembly.Constant(Pick())));
        }

        for (int r = 0; r < 3; r++)
        {
            code.Add(Op(Opcode.LOAD_REG, r, assembly.Constant(Pick())));
        }

        code.Add(Op(Opcode.TX_BEGIN));
        code.Add(assembly.Const("state"));
        code.Add(assembly.Const(1));
        code.Add(Op(Opcode.STATE_WRITE));

        (int below, int fallen, int jumped) = Heights(rewrite);
        for (int i = 0; i <= below; i++)
        {
            code.Add(random.Next(12) == 0 ? assembly.Load("f") : assembly.Const(Pick()));
        }

        bool handled = random.Next(2) == 0;
        int handler = code.Count;
        code.Add(handled ? Op(Opcode.SETUP_TRY) : Op(Opcode.NOP));
        int first = code.Count;
        List<int> jumps = [];
        foreach (PatternInstruction instruction in rewrite.Pattern)
        {
            OpcodeInfo info = InstructionSet.Of(instruction.Opcode);
            long[] operands = new long[3];
            for (int k = 0; k < info.Operands.Length; k++)
            {
                bool isTarget = info.Operands[k].Kind.IsTarget;
                switch (instruction.Operands[k])
                {
                    case RewriteOperand.Literal literal:
                        operands[k] = literal.Value;
                        break;
                    case RewriteOperand.Position position:
                        operands[k] = first + position.Index;
                        break;
                    case RewriteOperand.Metavariable when isTarget:
                        jumps.Add(code.Count);
                        break;
                    case RewriteOperand.Metavariable variable:
                        if (!values.TryGetValue(variable.Name, out operands[k]))
                        {
                            operands[k] = Choose(variable.Name, info.Operands[k].Kind);
                            values.Add(variable.Name, operands[k]);
                        }

                        break;
                    default:
                        throw new InvalidOperationException();
                }
            }

            code.Add(Op(instruction.Opcode, operands[0], operands[1], operands[2]));
        }

        if (fallen >= 0)
        {
            Collect("fell", fallen + 1);
        }

        int landing = code.Count;
        if (jumped >= 0)
        {
            Collect("jumped", jumped + 1);
        }

        foreach (int at in jumps)
        {
            code[at] = Instruction.Of(code[at].Number, landing, code[at].B, code[at].C);
        }

        if (handled)
        {
            code[handler] = Op(Opcode.SETUP_TRY, code.Count);
            Collect("caught", below + 2);
        }

        // What outlives the function with the pattern is looked at when it has returned.
        Instruction[] main =
        [
            Op(Opcode.CALL_FUNC_CONST, 1),
            assembly.Load("global"),
            assembly.Call("f", 0),
            Op(Opcode.BUILD_LIST, 3),
        ];
        return assembly
            .Function("main", main)
            .Function("body", [.. code], locals: ["own", "captured"])
            .Function("f", [assembly.Load("captured")], captures: ["captured"])
            .Build();

        object? Pick() => Pool[random.Next(Pool.Length)];

        static Instruction Op(Opcode opcode, long a = 0, long b = 0, long c = 0) => Assembly.Op(opcode, a, b, c);

        long Choose(string name, OperandKind kind) =>
            kind.Tag switch
            {
                OperandKind.Tags.Constant => assembly.Constant(
                    wanted.TryGetValue(name, out Data? data) && random.Next(4) > 0 ? data : Pick()
                ),
                OperandKind.Tags.Name => assembly.Name(
                    texts.TryGetValue(name, out string? text) && random.Next(4) > 0 ? text
                    : name == "n" ? (random.Next(2) == 0 ? "str" : "type")
                    : names[random.Next(names.Length)]
                ),
                OperandKind.Tags.Register => random.Next(3),
                OperandKind.Tags.Amount => random.Next(4),
                _ => throw new InvalidOperationException($"no operand {kind}"),
            };

        void Collect(string where, int height)
        {
            code.Add(assembly.Const(where));
            code.Add(Op(Opcode.BUILD_LIST, height + 1));
            foreach (string name in names)
            {
                code.Add(assembly.Load(name));
            }

            for (int r = 0; r < 3; r++)
            {
                code.Add(Op(Opcode.PUSH_REG, r));
            }

            // More than the limit of elements allows in one.
            code.Add(Op(Opcode.BUILD_LIST, 4));
            code.Add(Op(Opcode.BUILD_LIST, 4));
            if (random.Next(2) == 0)
            {
                code.Add(Op(Opcode.TX_COMMIT));
            }

            // Whether it is caught tells which handlers there are.
            code.Add(Op(random.Next(3) == 0 ? Opcode.THROW : Opcode.RETURN));
        }
    }

    /// <summary>Cells that the pattern takes from below, and those that it leaves above the rest where it falls through and where it jumps; -1 where it does not.</summary>
    private static (int Below, int Fallen, int Jumped) Heights(Rewrite rewrite)
    {
        int height = 0;
        int lowest = 0;
        int jumped = int.MinValue;
        bool falls = true;
        foreach (PatternInstruction instruction in rewrite.Pattern)
        {
            OpcodeInfo info = InstructionSet.Of(instruction.Opcode);
            long count = 0;
            bool leaves = false;
            for (int k = 0; k < info.Operands.Length; k++)
            {
                if (info.Operands[k].Kind.IsCount && instruction.Operands[k] is RewriteOperand.Literal literal)
                {
                    count = literal.Value;
                }

                leaves |= info.Operands[k].Kind.IsTarget && instruction.Operands[k] is RewriteOperand.Metavariable;
            }

            height -= info.Effect.Pops + (int)(info.Effect.PopsPerCount * count);
            lowest = Math.Min(lowest, height);
            height += info.Effect.Pushes + (int)(info.Effect.PushesPerCount * count);
            if (leaves)
            {
                jumped = height + (info.Flow.IsTry ? 1 : 0);
            }

            falls = info.Flow.IsNext || info.Flow.IsBranch || info.Flow.IsTry;
        }

        // A conditional jump over a jump falls through, too.
        falls |= rewrite.Pattern.Any(it => it.Operands.Any(operand => operand is RewriteOperand.Position));
        return (-lowest, falls ? height - lowest : -1, jumped == int.MinValue ? -1 : jumped - lowest);
    }
}
