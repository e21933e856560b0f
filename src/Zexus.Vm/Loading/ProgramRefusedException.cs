using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>A program does not load.</summary>
public sealed class ProgramRefusedException : Exception
{
    internal ProgramRefusedException(Program program, Refusal refusal)
        : base(refusal.Describe(program))
    {
        Refusal = refusal;
    }

    /// <summary>The reason and the place, as the specification names them.</summary>
    public Refusal Refusal { get; }
}
