using System.Collections.Immutable;
using System.Numerics;

namespace Zexus.Vm;

/// <summary>
/// How much a charge takes: it looks at the frame as it is when the instruction that carries the charge starts, before it acts. Depths count
/// cells from the top of the operand stack, 0 the top. A closed hierarchy.
/// </summary>
public abstract record Amount
{
    private Amount() { }

    /// <summary>So much, whatever the values are.</summary>
    /// <param name="Gas">The gas, 0 or more.</param>
    public sealed record Fixed(BigInteger Gas) : Amount;

    /// <summary>The size of an Int (docs/semantics.md, section 3); 0 for every other kind.</summary>
    /// <param name="Depth">Where the value is.</param>
    public sealed record Size(int Depth) : Amount;

    /// <summary>A String's scalars divided by 8; 0 for every other kind.</summary>
    /// <param name="Depth">Where the value is.</param>
    public sealed record Text(int Depth) : Amount;

    /// <summary>The size of the Int in a variable; 0 for every other kind.</summary>
    /// <param name="Slot">Its place among parameters and locals. No function captures it.</param>
    public sealed record VariableSize(int Slot) : Amount;

    /// <summary>The size of the Int in a register; 0 for every other kind.</summary>
    /// <param name="Number">0 to 15.</param>
    public sealed record RegisterSize(int Number) : Amount;

    /// <summary>The sum, as one charge: it fits or it does not.</summary>
    /// <param name="Parts">The summands.</param>
    public sealed record Sum(ImmutableArray<Amount> Parts) : Amount;
}

/// <summary>One charge, taken before its instruction acts.</summary>
/// <param name="Source">The instruction of the source function whose charge it is: where OutOfGas is reported.</param>
/// <param name="Amount">How much.</param>
public readonly record struct Charge(int Source, Amount Amount);
