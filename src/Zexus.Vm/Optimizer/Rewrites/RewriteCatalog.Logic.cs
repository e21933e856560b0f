using Zexus.Isa;
using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>Comparisons and their negations. A NaN is neither less nor greater nor equal.</summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Logic()
    {
        foreach ((Opcode comparison, Opcode negated) in ((Opcode, Opcode)[])[(EQ, NEQ), (NEQ, EQ)])
        {
            yield return Peephole(
                $"logic/not-{NameOf(comparison)}",
                $"NOT (a {comparison} b) = a {negated} b",
                [P(comparison), P(NOT)],
                [Do(negated).Static(0), Do(NOP).For(1).Static(1)],
                [],
                [Do(negated).Static(0, 1)]
            );
        }

        foreach (
            (Opcode comparison, Opcode negated, Opcode twin) in ((Opcode, Opcode, Opcode)[])
                [(LT, GTE, GT), (GT, LTE, LT), (LTE, GT, GTE), (GTE, LT, LTE)]
        )
        {
            // Lists may hold a NaN; and a List is compared with nothing but a List.
            yield return new Rewrite(
                $"logic/not-{NameOf(comparison)}",
                Technique.Peephole,
                2,
                $"NOT (a {comparison} b) = a {negated} b, where no NaN can be",
                [P(comparison), P(NOT)],
                [Do(negated).Static(0), Do(NOP).For(1).Static(1)],
                [Stacked(0, KindSet.All & ~(KindSet.Float | KindSet.List)), Stacked(1, KindSet.All & ~KindSet.Float)],
                [Do(twin).Static(0), Do(NOP).For(1).Static(1)]
            );
        }

        yield return Peephole(
            "logic/not-not-not",
            "NOT NOT NOT c = NOT c",
            [P(NOT), P(NOT), P(NOT)],
            [Do(NOT).For(2).Static(0, 1, 2)],
            [],
            [Do(NOP).For(2).Static(0, 1, 2)]
        );
        yield return new Rewrite(
            "logic/not-not",
            Technique.Peephole,
            2,
            "NOT NOT c = c for a Bool",
            [P(NOT), P(NOT)],
            [Do(NOP).Static(0, 1)],
            [Stacked(0, KindSet.Bool)],
            [Do(NOP).Static(0)]
        );
        foreach (
            (Opcode comparison, bool constant) in ((Opcode, bool)[])[(EQ, true), (EQ, false), (NEQ, true), (NEQ, false)]
        )
        {
            bool same = comparison.Tag == Tags.EQ == constant;
            Opcode kept = same ? NOP : NOT;
            Opcode twin = same ? NOT : NOP;
            yield return new Rewrite(
                $"logic/{NameOf(comparison)}-{(constant ? "true" : "false")}",
                Technique.Peephole,
                2,
                $"c {comparison} {(constant ? "true" : "false")} = {(same ? "c" : "NOT c")} for a Bool",
                [P(LOAD_CONST, K), P(comparison)],
                [Do(kept).For(1).Static(0, 1)],
                [Is("k", Data.NewBool(constant)), Stacked(0, KindSet.Bool)],
                [Do(twin).For(1).Static(0, 1)]
            );
        }

        yield return new Rewrite(
            "logic/and-true",
            Technique.Peephole,
            2,
            "c AND true = c for a Bool",
            [P(LOAD_CONST, K), P(AND)],
            [Do(NOP).Static(0, 1)],
            [Truth("k", true), IsScalar("k"), Stacked(0, KindSet.Bool)],
            [Do(NOP).Static(1, 0)]
        );
        yield return new Rewrite(
            "logic/or-false",
            Technique.Peephole,
            2,
            "c OR false = c for a Bool",
            [P(LOAD_CONST, K), P(OR)],
            [Do(NOP).Static(0, 1)],
            [Truth("k", false), Stacked(0, KindSet.Bool)],
            [Do(NOT).For(1).Static(0, 1)]
        );
    }
}
