using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The eight ways of making code better.</summary>
public enum Technique
{
    /// <summary>Computing what depends on constants only.</summary>
    ConstantFolding,

    /// <summary>Leaving out what nothing can observe.</summary>
    DeadCode,

    /// <summary>Shorter code for a few instructions in a row.</summary>
    Peephole,

    /// <summary>Reading the original where a copy of it was read.</summary>
    CopyPropagation,

    /// <summary>Computing once what was computed twice.</summary>
    CommonSubexpressions,

    /// <summary>One instruction for several.</summary>
    Combining,

    /// <summary>Jumping at once to where a chain of jumps ends.</summary>
    JumpThreading,

    /// <summary>A cheaper operation for a dearer one.</summary>
    StrengthReduction,
}

/// <summary>An operand in a pattern or in a replacement. A closed hierarchy.</summary>
public abstract record RewriteOperand
{
    private RewriteOperand() { }

    /// <summary>
    /// Any operand that its place allows; everywhere in one rewrite the same. Two constants are the same when they are
    /// equal to the last bit, two names when they are written alike.
    /// </summary>
    /// <param name="Name">What the rewrite calls it.</param>
    public sealed record Metavariable(string Name) : RewriteOperand;

    /// <summary>This number: a register, a count, an amount.</summary>
    /// <param name="Value">The number.</param>
    public sealed record Literal(long Value) : RewriteOperand;

    /// <summary>
    /// A target: the instruction of this number in the pattern (in a replacement: in the replacement); their number itself
    /// stands for the instruction that follows.
    /// </summary>
    /// <param name="Index">0 to the number of instructions.</param>
    public sealed record Position(int Index) : RewriteOperand;

    /// <summary>A constant that is computed; only in replacements.</summary>
    /// <param name="Expression">What it is.</param>
    public sealed record Computed(ConstantExpression Expression) : RewriteOperand;
}

/// <summary>An instruction of a pattern.</summary>
/// <param name="Opcode">Its opcode.</param>
/// <param name="Operands">As many operands as the opcode has; what each one means says the opcode's row.</param>
public sealed record PatternInstruction(Opcode Opcode, ImmutableArray<RewriteOperand> Operands);

/// <summary>A charge of a replacement. A closed hierarchy.</summary>
public abstract record ChargeTerm
{
    private ChargeTerm(int pattern)
    {
        Pattern = pattern;
    }

    /// <summary>The instruction of the pattern whose charge it is.</summary>
    public int Pattern { get; }

    /// <summary>What stands for the static charge of the pattern's instruction: its list, when it is translated already.</summary>
    public sealed record StaticOf(int Pattern) : ChargeTerm(Pattern);

    /// <summary>A charge by values on the stack.</summary>
    /// <param name="Pattern">Whose charge it is.</param>
    /// <param name="Amount">How much, over the stack as it is when the replacement's instruction starts.</param>
    public sealed record Dynamic(int Pattern, Amount Amount) : ChargeTerm(Pattern);

    /// <summary>A charge by constants.</summary>
    /// <param name="Pattern">Whose charge it is.</param>
    /// <param name="Amount">How much.</param>
    public sealed record OfConstants(int Pattern, ConstantAmount Amount) : ChargeTerm(Pattern);
}

/// <summary>An instruction of a replacement.</summary>
/// <param name="Opcode">Its opcode.</param>
/// <param name="Operands">As many operands as the opcode has.</param>
/// <param name="Source">The instruction of the pattern for which it acts: its faults are that one's.</param>
/// <param name="Charges">What it charges before it acts, in this order.</param>
/// <param name="JumpCharges">What it charges when it jumps; only a conditional jump has any.</param>
public sealed record ReplacementInstruction(
    Opcode Opcode,
    ImmutableArray<RewriteOperand> Operands,
    int Source,
    ImmutableArray<ChargeTerm> Charges,
    ImmutableArray<ChargeTerm> JumpCharges
);

/// <summary>
/// A local rewrite. The optimizer applies it, the prover proves it, and there is no other text of it. It is applied only where no
/// jump and no handler lands inside the pattern, its first instruction excepted.
/// </summary>
/// <param name="Name">A stable name, as "fold/add".</param>
/// <param name="Technique">Which of the techniques it belongs to.</param>
/// <param name="Level">The lowest optimization level that applies it, 1 to 3.</param>
/// <param name="Equation">What it says, for a reader.</param>
/// <param name="Pattern">What it is applied to: instructions that stand one after the other.</param>
/// <param name="Replacement">What stands there afterwards.</param>
/// <param name="Preconditions">What must be known; each of them is needed.</param>
/// <param name="BrokenTwin">A replacement that looks right under the same preconditions and is wrong: the prover must refute it.</param>
public sealed record Rewrite(
    string Name,
    Technique Technique,
    int Level,
    string Equation,
    ImmutableArray<PatternInstruction> Pattern,
    ImmutableArray<ReplacementInstruction> Replacement,
    ImmutableArray<Precondition> Preconditions,
    ImmutableArray<ReplacementInstruction> BrokenTwin
)
{
    /// <summary>An expression as a reader writes it.</summary>
    /// <param name="expression">The expression.</param>
    public static string Spell(ConstantExpression expression) =>
        expression switch
        {
            ConstantExpression.Matched matched => matched.Name,
            ConstantExpression.Value value => Disassembler.Literal(value.Data),
            ConstantExpression.Apply apply => $"{apply.Opcode}({string.Join(", ", apply.Arguments.Select(Spell))})",
            _ => throw new InvalidOperationException($"no spelling of {expression.GetType().Name}"),
        };
}
