using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// What must be known before a rewrite may be applied. Depths count cells from the top of the operand stack, 0 the top,
/// as it is before the first instruction of the pattern. A closed hierarchy.
/// </summary>
public abstract record Precondition
{
    private Precondition() { }

    /// <summary>The precondition in one line.</summary>
    public string Describe =>
        this switch
        {
            StackKind it => $"stack[{it.Depth}] is {Spell(it.Kinds)}",
            StackSmall it => $"stack[{it.Depth}] is no Int beyond 64 bits",
            NameKind it => $"variable {it.Name} is {Spell(it.Kinds)}",
            NameIs it => $"{it.Name} is the name \"{it.Text}\"",
            NameIsOwn it => $"{it.Name} is a variable of the frame that no function captures",
            ConstantKind it => $"{it.Constant} is {Spell(it.Kinds)}",
            ConstantIs it => $"{it.Constant} is {Disassembler.Literal(it.Value)}",
            ConstantSmall it => $"{it.Constant} is no Int beyond 64 bits",
            ConstantTruth it => $"{it.Constant} is {(it.Truth ? "true" : "not true")}",
            Evaluates it => $"{Rewrite.Spell(it.Expression)} ends without a fault",
            KeepsLimit it => $"no {Spell(it.Kinds)} is beyond its limit",
            Different it => $"{it.Left} and {it.Right} differ",
            _ => throw new InvalidOperationException($"no description of {GetType().Name}"),
        };

    private static string Spell(KindSet kinds) => kinds.ToString().Replace(", ", " or ", StringComparison.Ordinal);

    /// <summary>A cell of the operand stack is of one of these kinds.</summary>
    /// <param name="Depth">Which cell.</param>
    /// <param name="Kinds">The kinds.</param>
    public sealed record StackKind(int Depth, KindSet Kinds) : Precondition;

    /// <summary>A cell of the operand stack has size 0: it is no Int beyond 64 bits signed.</summary>
    /// <param name="Depth">Which cell.</param>
    public sealed record StackSmall(int Depth) : Precondition;

    /// <summary>A variable holds a value of one of these kinds.</summary>
    /// <param name="Name">A metavariable that is a name.</param>
    /// <param name="Kinds">The kinds.</param>
    public sealed record NameKind(string Name, KindSet Kinds) : Precondition;

    /// <summary>A name is written so.</summary>
    /// <param name="Name">A metavariable that is a name.</param>
    /// <param name="Text">How it is written.</param>
    public sealed record NameIs(string Name, string Text) : Precondition;

    /// <summary>A name is a variable of the frame that no function captures: nothing but the frame's own code reads or changes it.</summary>
    /// <param name="Name">A metavariable that is a name.</param>
    public sealed record NameIsOwn(string Name) : Precondition;

    /// <summary>A constant is of one of these kinds.</summary>
    /// <param name="Constant">A metavariable that is a constant.</param>
    /// <param name="Kinds">The kinds.</param>
    public sealed record ConstantKind(string Constant, KindSet Kinds) : Precondition;

    /// <summary>A constant is exactly this one: kind, order and the bits of a Float.</summary>
    /// <param name="Constant">A metavariable that is a constant.</param>
    /// <param name="Value">The value.</param>
    public sealed record ConstantIs(string Constant, Data Value) : Precondition;

    /// <summary>A constant has size 0: it is no Int beyond 64 bits signed.</summary>
    /// <param name="Constant">A metavariable that is a constant.</param>
    public sealed record ConstantSmall(string Constant) : Precondition;

    /// <summary>A constant counts as true, or does not, where a condition is asked for.</summary>
    /// <param name="Constant">A metavariable that is a constant.</param>
    /// <param name="Truth">Which.</param>
    public sealed record ConstantTruth(string Constant, bool Truth) : Precondition;

    /// <summary>The instructions of the expression end without a fault on its constants, under the program's limits.</summary>
    /// <param name="Expression">The expression.</param>
    public sealed record Evaluates(ConstantExpression Expression) : Precondition;

    /// <summary>
    /// Every value of these kinds that there can be keeps the limit of its kind. Not so under small limits: a hash has 64
    /// scalars whatever the limit of Strings is, and lengths and the gas left are Ints whatever the limit of Ints.
    /// </summary>
    /// <param name="Kinds">Int, String, or both.</param>
    public sealed record KeepsLimit(KindSet Kinds) : Precondition;

    /// <summary>Two operands are different registers, or names that are written differently.</summary>
    /// <param name="Left">A metavariable.</param>
    /// <param name="Right">Another of the same sort.</param>
    public sealed record Different(string Left, string Right) : Precondition;
}
