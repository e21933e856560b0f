using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Every local rewrite that the optimizer applies. Where several match at one place, the first in this order is taken.
/// Below, a replacement's <c>Static</c> charges name the instructions of the pattern whose charges they are.
/// </summary>
public static partial class RewriteCatalog
{
    /// <summary>What LOAD_CONST pushes without a charge by size, and without an identity.</summary>
    private const KindSet Scalar = KindSet.Number | KindSet.String;

    private static readonly RewriteOperand K = Variable("k");
    private static readonly RewriteOperand K1 = Variable("k1");
    private static readonly RewriteOperand K2 = Variable("k2");
    private static readonly RewriteOperand K3 = Variable("k3");
    private static readonly RewriteOperand X = Variable("x");
    private static readonly RewriteOperand L = Variable("L");
    private static readonly RewriteOperand R = Variable("r");
    private static readonly RewriteOperand A = Variable("a");
    private static readonly RewriteOperand B = Variable("b");
    private static readonly RewriteOperand D = Variable("d");
    private static readonly RewriteOperand N = Variable("n");

    /// <summary>The catalog.</summary>
    public static ImmutableArray<Rewrite> All { get; } =
    [.. Folding(), .. Stack(), .. Jumps(), .. Logic(), .. Algebra(), .. Combining(), .. Registers(), .. Strength()];

    /// <summary>
    /// By these the optimizer knows which instructions take the charges of a NOP behind them. It applies them whenever it
    /// has made a NOP, whatever pass it is in, so they stand beside <see cref="All"/>.
    /// </summary>
    public static ImmutableArray<Rewrite> Charges { get; } = [.. Settlings()];

    private static RewriteOperand Variable(string name) => new RewriteOperand.Metavariable(name);

    private static RewriteOperand Number(long value) => new RewriteOperand.Literal(value);

    private static RewriteOperand Position(int index) => new RewriteOperand.Position(index);

    private static RewriteOperand New(ConstantExpression expression) => new RewriteOperand.Computed(expression);

    private static RewriteOperand New(Data data) => New(new ConstantExpression.Value(data));

    private static ConstantExpression.Apply Apply(Opcode opcode, params ReadOnlySpan<string> constants) =>
        new(opcode, [.. constants.ToArray().Select(name => new ConstantExpression.Matched(name))]);

    private static Data Int(long value) => Data.NewInt(value);

    private static Data Float(double value) => Data.NewFloat(value);

    private static PatternInstruction P(Opcode opcode, params ReadOnlySpan<RewriteOperand> operands) =>
        new(opcode, [.. operands]);

    /// <summary>An instruction of a replacement: for the pattern's first instruction, and without charges as yet.</summary>
    private static ReplacementInstruction Do(Opcode opcode, params ReadOnlySpan<RewriteOperand> operands) =>
        new(opcode, [.. operands], 0, [], []);

    private static ReplacementInstruction For(this ReplacementInstruction instruction, int source) =>
        instruction with
        {
            Source = source,
        };

    private static ReplacementInstruction Static(
        this ReplacementInstruction instruction,
        params ReadOnlySpan<int> pattern
    ) =>
        instruction with
        {
            Charges = [.. instruction.Charges, .. pattern.ToArray().Select(index => new ChargeTerm.StaticOf(index))],
        };

    private static ReplacementInstruction StaticIfJumps(this ReplacementInstruction instruction, int pattern) =>
        instruction with
        {
            JumpCharges = [new ChargeTerm.StaticOf(pattern)],
        };

    private static ReplacementInstruction Size(this ReplacementInstruction instruction, int pattern, int depth) =>
        instruction.Also(new ChargeTerm.Dynamic(pattern, new Amount.Size(depth)));

    private static ReplacementInstruction Text(this ReplacementInstruction instruction, int pattern, int depth) =>
        instruction.Also(new ChargeTerm.Dynamic(pattern, new Amount.Text(depth)));

    private static ReplacementInstruction Constant(
        this ReplacementInstruction instruction,
        int pattern,
        ConstantAmount? amount
    ) => amount is null ? instruction : instruction.Also(new ChargeTerm.OfConstants(pattern, amount));

    private static ReplacementInstruction Also(this ReplacementInstruction instruction, ChargeTerm charge) =>
        instruction with
        {
            Charges = [.. instruction.Charges, charge],
        };

    private static Precondition IsScalar(string constant) => new Precondition.ConstantKind(constant, Scalar);

    private static Precondition Is(string constant, Data value) => new Precondition.ConstantIs(constant, value);

    private static Precondition Truth(string constant, bool truth) => new Precondition.ConstantTruth(constant, truth);

    private static Precondition Stacked(int depth, KindSet kinds) => new Precondition.StackKind(depth, kinds);

    private static Precondition Named(string name, KindSet kinds) => new Precondition.NameKind(name, kinds);
}
