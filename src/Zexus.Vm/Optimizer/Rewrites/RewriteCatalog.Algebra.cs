using Zexus.Isa;
using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>
/// Identities of numbers and text. What an operation charges by size stays, and so does what makes another kind of a
/// value: Null + 0 is 0, and -0.0 + 0 is 0.0.
/// </summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Algebra()
    {
        const KindSet exact = KindSet.Int | KindSet.Float;
        yield return Identity("algebra/add-zero", "x + 0 = x for an Int", ADD, Int(0), KindSet.Int);
        yield return Identity("algebra/sub-zero", "x - 0 = x", SUB, Int(0), exact);
        yield return Identity("algebra/mul-one", "x * 1 = x", MUL, Int(1), exact);
        yield return Identity("algebra/div-one", "x / 1 = x", DIV, Int(1), exact);
        yield return IdentityOnLeft("algebra/zero-add", "0 + x = x for an Int", ADD, Int(0), KindSet.Int);
        yield return IdentityOnLeft("algebra/one-mul", "1 * x = x", MUL, Int(1), exact);
        yield return new Rewrite(
            "algebra/zero-sub",
            Technique.Peephole,
            2,
            "0 - x = -x but for a Float",
            [P(LOAD_CONST, K), P(LOAD_NAME, X), P(SUB)],
            [Do(LOAD_NAME, X).For(1).Static(0, 1), Do(NEG).For(2).Static(2)],
            [Is("k", Int(0)), Named("x", KindSet.All & ~KindSet.Float)],
            [Do(LOAD_NAME, X).For(1).Static(0, 1), Do(NEG).For(1).Static(2)]
        );
        yield return new Rewrite(
            "algebra/pow-one",
            Technique.Peephole,
            2,
            "x to the power 1 = x for a Float",
            [P(LOAD_CONST, K), P(POW)],
            [Do(NOP).Static(0, 1)],
            [Is("k", Int(1)), Stacked(0, KindSet.Float)],
            [Do(NOP).Static(0)]
        );
        yield return new Rewrite(
            "algebra/mul-minus-one",
            Technique.Peephole,
            2,
            "x * -1 = -x for what is not repeated",
            [P(LOAD_CONST, K), P(MUL)],
            [Do(NEG).For(1).Static(0, 1)],
            [Is("k", Int(-1)), Stacked(0, KindSet.All & ~(KindSet.String | KindSet.List))],
            [Do(NEG).Static(0, 1)]
        );
        yield return Peephole(
            "algebra/div-minus-one",
            "x / -1 = -x",
            [P(LOAD_CONST, K), P(DIV)],
            [Do(NEG).For(1).Static(0, 1)],
            [Is("k", Int(-1))],
            [Do(NOP).For(1).Static(0, 1)]
        );
        yield return new Rewrite(
            "algebra/neg-neg",
            Technique.Peephole,
            2,
            "-(-x) = x for a Float",
            [P(NEG), P(NEG)],
            [Do(NOP).Static(0, 1)],
            [Stacked(0, KindSet.Float)],
            [Do(NOP).Static(0)]
        );
        yield return new Rewrite(
            "algebra/add-neg",
            Technique.Peephole,
            2,
            "a + -b = a - b for a Float b",
            [P(NEG), P(ADD)],
            [Do(SUB).For(1).Static(0, 1)],
            [Stacked(0, KindSet.Float), Stacked(1, KindSet.All & ~KindSet.String)],
            [Do(ADD).For(1).Static(0, 1)]
        );
        yield return new Rewrite(
            "algebra/sub-neg",
            Technique.Peephole,
            2,
            "a - -b = a + b for a Float b",
            [P(NEG), P(SUB)],
            [Do(ADD).For(1).Static(0, 1)],
            [Stacked(0, KindSet.Float), Stacked(1, KindSet.All & ~KindSet.String)],
            [Do(SUB).For(1).Static(0, 1)]
        );

        Data empty = Data.NewString("");
        yield return new Rewrite(
            "text/add-empty",
            Technique.Peephole,
            2,
            "s + \"\" = s for a String",
            [P(LOAD_CONST, K), P(ADD)],
            [Do(NOP).Static(0, 1).Text(1, 0)],
            [Is("k", empty), Stacked(0, KindSet.String), KeepLimit(KindSet.String)],
            [Do(NOP).Static(0, 1)]
        );
        yield return new Rewrite(
            "text/empty-add",
            Technique.Peephole,
            2,
            "\"\" + s = s for a String",
            [P(LOAD_CONST, K), P(LOAD_NAME, X), P(ADD)],
            [Do(LOAD_NAME, X).For(1).Static(0, 1), Do(NOP).For(2).Static(2).Text(2, 0)],
            [Is("k", empty), Named("x", KindSet.String), KeepLimit(KindSet.String)],
            [Do(LOAD_NAME, X).For(1).Static(0, 1), Do(NOP).For(2).Static(2)]
        );
        yield return new Rewrite(
            "text/repeat-once",
            Technique.Peephole,
            2,
            "s * 1 = s for a String",
            [P(LOAD_CONST, K), P(MUL)],
            [Do(NOP).Static(0, 1).Text(1, 0)],
            [Is("k", Int(1)), Stacked(0, KindSet.String), KeepLimit(KindSet.String)],
            [Do(NOP).Static(0, 1)]
        );
        foreach (
            (string builtin, KindSet kind) in ((string, KindSet)[])[("int", KindSet.Int), ("float", KindSet.Float)]
        )
        {
            yield return new Rewrite(
                $"algebra/{builtin}-of-{builtin}",
                Technique.Peephole,
                2,
                $"{builtin}(x) = x for what is one",
                [P(CALL_BUILTIN, N, Number(1))],
                [Do(NOP).Static(0)],
                kind == KindSet.Int
                    ? [new Precondition.NameIs("n", builtin), Stacked(0, kind), KeepLimit(kind)]
                    : [new Precondition.NameIs("n", builtin), Stacked(0, kind)],
                [Do(NOP)]
            );
        }
    }

    private static Precondition KeepLimit(KindSet kinds) => new Precondition.KeepsLimit(kinds);

    /// <summary>x OP k = x, with the charge by the size of x.</summary>
    private static Rewrite Identity(string name, string equation, Opcode opcode, Data neutral, KindSet kinds) =>
        new(
            name,
            Technique.Peephole,
            2,
            equation,
            [P(LOAD_CONST, K), P(opcode)],
            [Do(NOP).Static(0, 1).Size(1, 0)],
            [Is("k", neutral), Stacked(0, kinds), KeepLimit(KindSet.Int)],
            [Do(NOP).Static(0, 1)]
        );

    /// <summary>k OP x = x, with the charge by the size of x.</summary>
    private static Rewrite IdentityOnLeft(string name, string equation, Opcode opcode, Data neutral, KindSet kinds) =>
        new(
            name,
            Technique.Peephole,
            2,
            equation,
            [P(LOAD_CONST, K), P(LOAD_NAME, X), P(opcode)],
            [Do(LOAD_NAME, X).For(1).Static(0, 1), Do(NOP).For(2).Static(2).Size(2, 0)],
            [Is("k", neutral), Named("x", kinds), KeepLimit(KindSet.Int)],
            [Do(LOAD_NAME, X).For(1).Static(0, 1), Do(NOP).For(2).Static(2)]
        );
}
