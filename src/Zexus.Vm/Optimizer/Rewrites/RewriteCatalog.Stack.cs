using Zexus.Isa;
using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>Pairs that undo each other, and values that nobody reads.</summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Stack()
    {
        yield return Peephole(
            "stack/constant-dropped",
            "k; POP = nothing",
            [P(LOAD_CONST, K), P(POP)],
            [Do(NOP).Static(0, 1)],
            [IsScalar("k")],
            [Do(NOP).Static(0)]
        );
        yield return Peephole(
            "stack/variable-dropped",
            "x; POP = nothing",
            [P(LOAD_NAME, X), P(POP)],
            [Do(NOP).Static(0, 1)],
            [],
            [Do(NOP).Static(1, 0)]
        );
        yield return Peephole(
            "stack/register-dropped",
            "r; POP = nothing",
            [P(PUSH_REG, R), P(POP)],
            [Do(NOP).Static(0, 1)],
            [],
            [Do(NOP).Static(0)]
        );
        yield return Peephole(
            "stack/copy-dropped",
            "DUP; POP = nothing",
            [P(DUP), P(POP)],
            [Do(NOP).Static(0, 1)],
            [],
            [Do(NOP).Static(1)]
        );
        yield return Peephole(
            "stack/negation-dropped",
            "NOT; POP = POP",
            [P(NOT), P(POP)],
            [Do(POP).For(1).Static(0, 1)],
            [],
            [Do(POP).For(1).Static(1, 0)]
        );
        foreach (Opcode build in (Opcode[])[BUILD_LIST, BUILD_MAP, BUILD_SET])
        {
            yield return Peephole(
                $"stack/{NameOf(build).Replace('_', '-')}-dropped",
                "an empty collection; POP = nothing",
                [P(build, Number(0)), P(POP)],
                [Do(NOP).Static(0, 1)],
                [],
                [Do(NOP).Static(0)]
            );
        }

        yield return Peephole(
            "stack/length-of-empty",
            "the length of an empty List is 0",
            [P(BUILD_LIST, Number(0)), P(GET_LENGTH)],
            [Do(LOAD_CONST, New(Int(0))).For(1).Static(0, 1)],
            [],
            [Do(LOAD_CONST, New(Float(0))).For(1).Static(0, 1)]
        );
        yield return Peephole(
            "stack/stored-to-itself",
            "x := x = nothing",
            [P(LOAD_NAME, X), P(STORE_NAME, X)],
            [Do(NOP).Static(0, 1)],
            [],
            [Do(NOP).Static(1, 0)]
        );
        yield return Peephole(
            "stack/copy-stored-and-dropped",
            "DUP; x := top; POP = x := top",
            [P(DUP), P(STORE_NAME, X), P(POP)],
            [Do(STORE_NAME, X).For(1).Static(0, 1, 2)],
            [],
            [Do(STORE_NAME, X).For(1).Static(0, 2, 1)]
        );
        yield return Peephole(
            "stack/copy-returned",
            "DUP; RETURN = RETURN",
            [P(DUP), P(RETURN)],
            [Do(RETURN).For(1).Static(0, 1)],
            [],
            [Do(RETURN).For(1).Static(1, 0)]
        );
        yield return Peephole(
            "stack/constant-overwritten",
            "x := k; x := top = x := top",
            [P(STORE_CONST, X, K), P(STORE_NAME, X)],
            [Do(STORE_NAME, X).For(1).Static(0, 1)],
            [IsScalar("k")],
            [Do(STORE_CONST, X, K).Static(0), Do(POP).For(1).Static(1)]
        );
        yield return new Rewrite(
            "copy/stored-constant",
            Technique.CopyPropagation,
            2,
            "x := k; x = x := k; k",
            [P(STORE_CONST, X, K), P(LOAD_NAME, X)],
            [Do(STORE_CONST, X, K).Static(0), Do(LOAD_CONST, K).For(1).Static(1)],
            [IsScalar("k")],
            [Do(LOAD_CONST, K).For(1).Static(0, 1)]
        );
        yield return Peephole(
            "fault/empty-try",
            "a handler for nothing is none",
            [P(SETUP_TRY, L), P(POP_TRY)],
            [Do(NOP).Static(0, 1)],
            [],
            [Do(POP_TRY).For(1).Static(0, 1)]
        );
        yield return Peephole(
            "fault/required-constant",
            "REQUIRE of what is true = nothing",
            [P(LOAD_CONST, K1), P(LOAD_CONST, K2), P(REQUIRE)],
            [Do(NOP).Static(0, 1, 2)],
            [Truth("k1", true), IsScalar("k1"), IsScalar("k2")],
            [Do(NOP).Static(0, 1)]
        );
        yield return Peephole(
            "chain/empty-commit",
            "a transaction of nothing is none",
            [P(TX_BEGIN), P(TX_COMMIT)],
            [Do(NOP).Static(0, 1)],
            [],
            [Do(TX_COMMIT).For(1).Static(0, 1)]
        );
        yield return Peephole(
            "chain/empty-revert",
            "a transaction of nothing is none",
            [P(TX_BEGIN), P(TX_REVERT)],
            [Do(NOP).Static(0, 1)],
            [],
            [Do(TX_REVERT).For(1).Static(0, 1)]
        );
        yield return Peephole(
            "chain/gas-charge",
            "a charge needs no instruction of its own",
            [P(GAS_CHARGE, N)],
            [Do(NOP).Static(0)],
            [],
            [Do(NOP)]
        );
    }

    private static Rewrite Peephole(
        string name,
        string equation,
        PatternInstruction[] pattern,
        ReplacementInstruction[] replacement,
        Precondition[] preconditions,
        ReplacementInstruction[] twin
    ) => new(name, Technique.Peephole, 1, equation, [.. pattern], [.. replacement], [.. preconditions], [.. twin]);
}
