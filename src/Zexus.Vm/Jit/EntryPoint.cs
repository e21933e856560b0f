using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// How compiled code is called: <c>long (Machine machine, Frame* frame, Value* slots, long counter, long registers...)</c>.
/// All parameters lie in the slots. Those of a kind that is assumed come in registers besides, by their 64 bits; whoever calls has
/// seen to the kind. It returns the counter with the result in the first slot, or an <see cref="ExitStatus"/>.
/// </summary>
internal sealed record Convention
{
    /// <summary>More parameters than these would go over the native stack.</summary>
    public const int MostRegisters = 4;

    /// <summary>Of each parameter that comes in a register: its slot and its kind.</summary>
    public required ImmutableArray<(int Slot, int Kind)> Registers { get; init; }

    /// <summary>The kind of the result, or <see cref="AbstractValue.Any"/>.</summary>
    public required int Result { get; init; }

    private static readonly Type[][] Parameters =
    [
        .. Enumerable
            .Range(0, MostRegisters + 1)
            .Select(count =>
                (Type[])
                    [
                        typeof(Machine),
                        typeof(Frame*),
                        typeof(Value*),
                        typeof(long),
                        .. Enumerable.Repeat(typeof(long), count),
                    ]
            ),
    ];

    public Type[] ParameterTypes() => Parameters[Registers.Length];

    public bool Equals(Convention? other) =>
        other is not null && Result == other.Result && Registers.AsSpan().SequenceEqual(other.Registers.AsSpan());

    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(Result);
        foreach ((int Slot, int Kind) register in Registers)
        {
            hash.Add(register);
        }

        return hash.ToHashCode();
    }
}

/// <summary>A piece of compiled code, and what whoever enters it from outside must know. Lives in native memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct EntryPoint
{
    public nint Code;

    /// <summary>Where the interpreter goes on when a parameter is of another kind: at the first instruction.</summary>
    public Site* Mismatch;
    public int Piece;
    public int Registers;

    /// <summary>One slot's bit is set: the check that this parameter has its kind is to fail.</summary>
    public int Failing;
    public fixed short Slots[Convention.MostRegisters];
    public fixed short Kinds[Convention.MostRegisters];
}
