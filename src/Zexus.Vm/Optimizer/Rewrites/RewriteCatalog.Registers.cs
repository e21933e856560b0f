using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>Moves between registers and variables.</summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Registers()
    {
        yield return Peephole(
            "register/moved-to-itself",
            "r := r = nothing",
            [P(MOV_REG, R, R)],
            [Do(NOP).Static(0)],
            [],
            [Do(NOP)]
        );
        yield return Peephole(
            "register/moved-back",
            "a := b; b := a = a := b",
            [P(MOV_REG, A, B), P(MOV_REG, B, A)],
            [Do(MOV_REG, A, B).Static(0, 1)],
            [],
            [Do(MOV_REG, B, A).For(1).Static(0, 1)]
        );
        yield return Peephole(
            "register/moved-over",
            "r := a; r := b = r := b",
            [P(MOV_REG, R, A), P(MOV_REG, R, B)],
            [Do(MOV_REG, R, B).For(1).Static(0, 1)],
            [new Precondition.Different("r", "b")],
            [Do(MOV_REG, R, A).Static(0, 1)]
        );
        yield return Peephole(
            "register/stored-and-loaded",
            "x := r; r := x = x := r",
            [P(STORE_REG, R, X), P(LOAD_VAR_REG, R, X)],
            [Do(STORE_REG, R, X).Static(0, 1)],
            [],
            [Do(LOAD_VAR_REG, R, X).For(1).Static(0, 1)]
        );
        yield return Peephole(
            "register/loaded-and-stored",
            "r := x; x := r = r := x",
            [P(LOAD_VAR_REG, R, X), P(STORE_REG, R, X)],
            [Do(LOAD_VAR_REG, R, X).Static(0, 1)],
            [],
            [Do(STORE_REG, R, X).For(1).Static(0, 1)]
        );
    }
}
