using Zexus.Isa;
using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>One instruction for several.</summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Combining()
    {
        yield return Combine(
            "combine/store-const",
            "k; x := top = x := k",
            [P(LOAD_CONST, K), P(STORE_NAME, X)],
            [Do(STORE_CONST, X, K).For(1).Static(0, 1)],
            [IsScalar("k")],
            [Do(STORE_CONST, X, K).For(1).Static(1, 0)]
        );
        yield return Combine(
            "combine/inc",
            "v + 1 = INC v",
            [P(LOAD_CONST, K), P(ADD)],
            [Do(INC).For(1).Static(0, 1)],
            [Is("k", Int(1))],
            [Do(INC).Static(0, 1)]
        );
        yield return Combine(
            "combine/dec",
            "v - 1 = DEC v",
            [P(LOAD_CONST, K), P(SUB)],
            [Do(DEC).For(1).Static(0, 1)],
            [Is("k", Int(1))],
            [Do(DEC).For(1).Static(1, 0)]
        );
        yield return Combine(
            "combine/inc-by-sub",
            "v - -1 = INC v but for a String",
            [P(LOAD_CONST, K), P(SUB)],
            [Do(INC).For(1).Static(0, 1)],
            [Is("k", Int(-1)), Stacked(0, KindSet.All & ~KindSet.String)],
            [Do(DEC).For(1).Static(0, 1)]
        ) with
        {
            Level = 2,
        };
        yield return Combine(
            "combine/dec-by-add",
            "v + -1 = DEC v but for a String",
            [P(LOAD_CONST, K), P(ADD)],
            [Do(DEC).For(1).Static(0, 1)],
            [Is("k", Int(-1)), Stacked(0, KindSet.All & ~KindSet.String)],
            [Do(INC).For(1).Static(0, 1)]
        ) with
        {
            Level = 2,
        };
        yield return Combine(
            "combine/mov-reg",
            "b; a := top = a := b",
            [P(PUSH_REG, B), P(POP_REG, A)],
            [Do(MOV_REG, A, B).For(1).Static(0, 1)],
            [],
            [Do(MOV_REG, B, A).For(1).Static(0, 1)]
        );
        yield return Combine(
            "combine/load-reg",
            "k; r := top = r := k",
            [P(LOAD_CONST, K), P(POP_REG, R)],
            [Do(LOAD_REG, R, K).For(1).Static(0, 1)],
            [IsScalar("k")],
            [Do(LOAD_REG, R, K).For(1).Static(1, 0)]
        );
        yield return Combine(
            "combine/load-var-reg",
            "x; r := top = r := x",
            [P(LOAD_NAME, X), P(POP_REG, R)],
            [Do(LOAD_VAR_REG, R, X).For(1).Static(0, 1)],
            [],
            [Do(STORE_REG, R, X).For(1).Static(0, 1)]
        );
        yield return Combine(
            "combine/store-reg",
            "r; x := top = x := r",
            [P(PUSH_REG, R), P(STORE_NAME, X)],
            [Do(STORE_REG, R, X).For(1).Static(0, 1)],
            [],
            [Do(LOAD_VAR_REG, R, X).For(1).Static(0, 1)]
        );
        foreach (
            (Opcode onStack, Opcode onRegisters) in ((Opcode, Opcode)[])
                [
                    (ADD, ADD_REG),
                    (SUB, SUB_REG),
                    (MUL, MUL_REG),
                    (DIV, DIV_REG),
                    (MOD, MOD_REG),
                    (POW, POW_REG),
                    (EQ, EQ_REG),
                    (NEQ, NEQ_REG),
                    (LT, LT_REG),
                    (GT, GT_REG),
                    (LTE, LTE_REG),
                    (GTE, GTE_REG),
                ]
        )
        {
            // The operation can fault, so the charge of POP_REG comes after it.
            yield return Combine(
                $"combine/{NameOf(onRegisters).Replace('_', '-')}",
                $"a; b; {onStack}; d := top = d := a {onStack} b",
                [P(PUSH_REG, A), P(PUSH_REG, B), P(onStack), P(POP_REG, D)],
                [Do(onRegisters, D, A, B).For(2).Static(0, 1, 2), Do(NOP).For(3).Static(3)],
                [],
                [Do(onRegisters, D, A, B).For(2).Static(0, 1, 2, 3)]
            );
        }

        foreach (
            (Opcode onStack, Opcode onRegisters, Opcode twin) in ((Opcode, Opcode, Opcode)[])
                [(AND, AND_REG, OR_REG), (OR, OR_REG, AND_REG)]
        )
        {
            yield return Combine(
                $"combine/{NameOf(onRegisters).Replace('_', '-')}",
                $"a; b; {onStack}; d := top = d := a {onStack} b",
                [P(PUSH_REG, A), P(PUSH_REG, B), P(onStack), P(POP_REG, D)],
                [Do(onRegisters, D, A, B).For(2).Static(0, 1, 2, 3)],
                [],
                [Do(twin, D, A, B).For(2).Static(0, 1, 2, 3)]
            );
        }

        yield return Combine(
            "combine/neg-reg",
            "a; NEG; d := top = d := -a",
            [P(PUSH_REG, A), P(NEG), P(POP_REG, D)],
            [Do(NEG_REG, D, A).For(1).Static(0, 1), Do(NOP).For(2).Static(2)],
            [],
            [Do(NEG_REG, D, A).For(1).Static(0, 1, 2)]
        );
        yield return Combine(
            "combine/not-reg",
            "a; NOT; d := top = d := NOT a",
            [P(PUSH_REG, A), P(NOT), P(POP_REG, D)],
            [Do(NOT_REG, D, A).For(1).Static(0, 1, 2)],
            [],
            [Do(MOV_REG, D, A).For(1).Static(0, 1, 2)]
        );
    }

    private static Rewrite Combine(
        string name,
        string equation,
        PatternInstruction[] pattern,
        ReplacementInstruction[] replacement,
        Precondition[] preconditions,
        ReplacementInstruction[] twin
    ) => new(name, Technique.Combining, 1, equation, [.. pattern], [.. replacement], [.. preconditions], [.. twin]);
}
