using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// A constant that a rewrite computes from those that it matched. An instruction in it means what its rule says of it on
/// constants. A closed hierarchy.
/// </summary>
public abstract record ConstantExpression
{
    private ConstantExpression() { }

    /// <summary>The constant that a metavariable stands for.</summary>
    /// <param name="Name">A metavariable that is a constant operand in the pattern.</param>
    public sealed record Matched(string Name) : ConstantExpression;

    /// <summary>This constant.</summary>
    /// <param name="Data">Its value.</param>
    public sealed record Value(Data Data) : ConstantExpression;

    /// <summary>What an instruction without operands leaves on the stack when it finds the arguments there, the last on top.</summary>
    /// <param name="Opcode">An instruction that takes as many as there are arguments and leaves one.</param>
    /// <param name="Arguments">What it takes.</param>
    public sealed record Apply(Opcode Opcode, ImmutableArray<ConstantExpression> Arguments) : ConstantExpression;
}

/// <summary>An amount of gas that is known when a rewrite is applied, because it depends on constants only. A closed hierarchy.</summary>
public abstract record ConstantAmount
{
    private ConstantAmount() { }

    /// <summary>So much.</summary>
    /// <param name="Gas">The gas.</param>
    public sealed record Fixed(long Gas) : ConstantAmount;

    /// <summary>The size of an Int; 0 for every other kind.</summary>
    /// <param name="Constant">The value.</param>
    public sealed record Size(ConstantExpression Constant) : ConstantAmount;

    /// <summary>A String's scalars divided by 8; 0 for every other kind.</summary>
    /// <param name="Constant">The value.</param>
    public sealed record Text(ConstantExpression Constant) : ConstantAmount;

    /// <summary>What the outermost instruction charges on its arguments besides its static charge, as one charge.</summary>
    /// <param name="Expression">The instruction and its arguments.</param>
    public sealed record Taken(ConstantExpression.Apply Expression) : ConstantAmount;

    /// <summary>The sum.</summary>
    /// <param name="Left">A summand.</param>
    /// <param name="Right">A summand.</param>
    public sealed record Sum(ConstantAmount Left, ConstantAmount Right) : ConstantAmount;

    /// <summary>The product.</summary>
    /// <param name="Left">A factor.</param>
    /// <param name="Right">A factor.</param>
    public sealed record Product(ConstantAmount Left, ConstantAmount Right) : ConstantAmount;

    /// <summary>The smaller one.</summary>
    /// <param name="Left">One.</param>
    /// <param name="Right">The other.</param>
    public sealed record Least(ConstantAmount Left, ConstantAmount Right) : ConstantAmount;
}
