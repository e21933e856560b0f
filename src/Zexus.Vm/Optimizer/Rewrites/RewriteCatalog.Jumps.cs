using Zexus.Isa;
using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>Jumps that go nowhere, over one another, or on what is known.</summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Jumps()
    {
        yield return Peephole(
            "jump/to-next",
            "a jump to what comes next = nothing",
            [P(JUMP, Position(1))],
            [Do(NOP).Static(0)],
            [],
            [Do(NOP)]
        );
        foreach ((Opcode jump, Opcode opposite, bool goes) in Conditional)
        {
            string name = NameOf(jump).Replace('_', '-');
            yield return Peephole(
                $"jump/{name}-to-next",
                "a conditional jump to what comes next = POP",
                [P(jump, Position(1))],
                [Do(POP).Static(0)],
                [],
                [Do(POP)]
            );
            yield return Peephole(
                $"jump/{name}-over-jump",
                "a conditional jump over a jump = the opposite jump",
                [P(jump, Position(2)), P(JUMP, L)],
                [Do(opposite, L).Static(0).StaticIfJumps(1)],
                [],
                [Do(opposite, L).Static(0, 1)]
            );
            yield return Peephole(
                $"jump/{name}-always",
                "a conditional jump on a constant = a jump",
                [P(LOAD_CONST, K), P(jump, L)],
                [Do(JUMP, L).For(1).Static(0, 1)],
                goes ? [Truth("k", goes), IsScalar("k")] : [Truth("k", goes)],
                [Do(NOP).Static(0, 1)]
            );
            yield return Peephole(
                $"jump/{name}-never",
                "a conditional jump on a constant = nothing",
                [P(LOAD_CONST, K), P(jump, L)],
                [Do(NOP).Static(0, 1)],
                goes ? [Truth("k", !goes)] : [Truth("k", !goes), IsScalar("k")],
                [Do(JUMP, L).For(1).Static(0, 1)]
            );
            yield return Peephole(
                $"jump/not-{name}",
                "a jump on NOT c = the opposite jump on c",
                [P(NOT), P(jump, L)],
                [Do(opposite, L).For(1).Static(0, 1)],
                [],
                [Do(jump, L).For(1).Static(0, 1)]
            );

            // NaN is not 0 and counts as true; Null is not 0 and counts as false.
            yield return new Rewrite(
                $"jump/not-zero-{name}",
                Technique.Peephole,
                2,
                "a jump on c <> 0 = a jump on c",
                [P(LOAD_CONST, K), P(NEQ), P(jump, L)],
                [Do(jump, L).For(2).Static(0, 1).Size(1, 0).Static(2)],
                [Is("k", Int(0)), Stacked(0, NumberButNull)],
                [Do(jump, L).For(2).Static(0, 1, 2)]
            );
            yield return new Rewrite(
                $"jump/zero-{name}",
                Technique.Peephole,
                2,
                "a jump on c = 0 = the opposite jump on c",
                [P(LOAD_CONST, K), P(EQ), P(jump, L)],
                [Do(opposite, L).For(2).Static(0, 1).Size(1, 0).Static(2)],
                [Is("k", Int(0)), Stacked(0, NumberButNull)],
                [Do(jump, L).For(2).Static(0, 1).Size(1, 0).Static(2)]
            );
        }
    }

    /// <summary>The conditional jumps, their opposites, and the truth on which they go.</summary>
    private static (Opcode Jump, Opcode Opposite, bool Goes)[] Conditional =>
        [(JUMP_IF_FALSE, JUMP_IF_TRUE, false), (JUMP_IF_TRUE, JUMP_IF_FALSE, true)];
}
