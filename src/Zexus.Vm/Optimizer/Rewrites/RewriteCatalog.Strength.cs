using Zexus.Isa;
using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>Cheaper operations for dearer ones. All are exact, in the last bit too.</summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Strength()
    {
        // Text and lists too. But beyond 64 bits ADD charges for both operands, and MUL for one.
        yield return Reduce(
            "strength/double",
            "x * 2 = x + x",
            [P(LOAD_CONST, K), P(MUL)],
            [Do(DUP).Static(0), Do(ADD).For(1).Static(1)],
            [Is("k", Int(2)), new Precondition.StackSmall(0)],
            [Do(DUP).Static(0), Do(MUL).For(1).Static(1)]
        );
        yield return Reduce(
            "strength/square",
            "x to the power 2 = x * x",
            [P(LOAD_CONST, K), P(POW)],
            [Do(DUP).Static(0), Do(MUL).For(1).Static(1)],
            [Is("k", Int(2)), Stacked(0, KindSet.Null | KindSet.Bool | KindSet.Float)],
            [Do(DUP).Static(0), Do(ADD).For(1).Static(1)]
        );
        foreach (
            (long divisor, double factor, string name) in ((long, double, string)[])
                [(2, 0.5, "halve"), (4, 0.25, "quarter")]
        )
        {
            yield return Reduce(
                $"strength/{name}",
                $"x / {divisor} = x * {factor} for a Float",
                [P(LOAD_CONST, K), P(DIV)],
                [Do(LOAD_CONST, New(Float(factor))).Static(0), Do(MUL).For(1).Static(1)],
                [Is("k", Int(divisor)), Stacked(0, KindSet.Float)],
                [Do(LOAD_CONST, New(Float(factor))).Static(0), Do(DIV).For(1).Static(1)]
            );
        }

        // k * 1.0 is k as a Float. The operation rounds k so anyway, each time.
        foreach (Opcode opcode in (Opcode[])[ADD, SUB, MUL])
        {
            ConstantExpression rounded = new ConstantExpression.Apply(
                MUL,
                [new ConstantExpression.Matched("k"), new ConstantExpression.Value(Float(1))]
            );
            yield return Reduce(
                $"strength/{NameOf(opcode)}-float",
                $"x {opcode} k = x {opcode} k as a Float, for a Float x",
                [P(LOAD_CONST, K), P(opcode)],
                [Do(LOAD_CONST, New(rounded)).Static(0), Do(opcode).For(1).Static(1)],
                [new Precondition.Evaluates(rounded), new Precondition.ConstantSmall("k"), Stacked(0, KindSet.Float)],
                [Do(LOAD_CONST, New(rounded)).Static(1), Do(opcode).For(1).Static(0)]
            );
        }
    }

    private static Rewrite Reduce(
        string name,
        string equation,
        PatternInstruction[] pattern,
        ReplacementInstruction[] replacement,
        Precondition[] preconditions,
        ReplacementInstruction[] twin
    ) =>
        new(
            name,
            Technique.StrengthReduction,
            3,
            equation,
            [.. pattern],
            [.. replacement],
            [.. preconditions],
            [.. twin]
        );
}
