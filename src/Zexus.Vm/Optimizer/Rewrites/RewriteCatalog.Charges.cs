using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>
/// A NOP behind an instruction gives it its charges: behind one that always goes on, takes no charge while it acts, and changes
/// nothing that is seen after OutOfGas. (In front of an instruction it may be any: charges are taken before it acts.)
/// </summary>
public static partial class RewriteCatalog
{
    private static IEnumerable<Rewrite> Settlings() =>
        [
            Settling(LOAD_CONST, [K], IsScalar("k")),
            Settling(LOAD_NAME, [X]),
            Settling(STORE_NAME, [X]),
            Settling(STORE_CONST, [X, K], IsScalar("k")),
            Settling(POP, []),
            Settling(DUP, []),
            Settling(NOT, []),
            Settling(AND, []),
            Settling(OR, []),
            Settling(LOAD_REG, [R, K], IsScalar("k")),
            Settling(LOAD_VAR_REG, [R, X]),
            Settling(STORE_REG, [R, X]),
            Settling(MOV_REG, [A, B]),
            Settling(PUSH_REG, [R]),
            Settling(POP_REG, [R]),
        ];

    private static Rewrite Settling(
        Isa.Opcode opcode,
        RewriteOperand[] operands,
        params ReadOnlySpan<Precondition> preconditions
    ) =>
        new(
            $"charges/behind-{NameOf(opcode).Replace('_', '-')}",
            Technique.Peephole,
            1,
            $"{opcode} [c]; NOP [d] = {opcode} [c, d]",
            [P(opcode, operands), P(NOP)],
            [Do(opcode, operands).Static(0, 1)],
            [.. preconditions],
            [Do(opcode, operands).Static(1)]
        );
}
