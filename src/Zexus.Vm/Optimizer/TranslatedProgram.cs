using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>An instruction of translated code.</summary>
/// <param name="Opcode">What it does.</param>
/// <param name="A">Its first operand; 0 when it has none. Targets are places in the translated code.</param>
/// <param name="B">Its second operand.</param>
/// <param name="C">Its third operand.</param>
/// <param name="Source">The source instruction for which it acts: its faults are reported there, under that one's rule.</param>
/// <param name="Charges">
/// What it charges before it acts, in this order, instead of its static charge. The first that does not fit is OutOfGas
/// at that charge's own source. Charges that its rule takes while acting stay with it.
/// </param>
/// <param name="JumpCharges">
/// Charges taken when it jumps, after it has acted and before the target's own. Only a conditional jump has any, and all are
/// <see cref="Amount.Fixed"/>: they belong to one of its two ways.
/// </param>
public sealed record TranslatedInstruction(
    Opcode Opcode,
    long A,
    long B,
    long C,
    int Source,
    ImmutableArray<Charge> Charges,
    ImmutableArray<Charge> JumpCharges
);

/// <summary>The translated code of one function.</summary>
/// <param name="Code">Its instructions; their targets index this code.</param>
public sealed record TranslatedFunction(ImmutableArray<TranslatedInstruction> Code);

/// <summary>
/// A program in translated form: other code, the same meaning, gas included. Only the passes of this library make one;
/// charges are never believed from anywhere else.
/// </summary>
public sealed class TranslatedProgram
{
    internal TranslatedProgram(
        Program source,
        ImmutableArray<Data> constants,
        ImmutableArray<TranslatedFunction> functions,
        int level,
        bool isRegisterForm = false
    )
    {
        Source = source;
        Constants = constants;
        Functions = functions;
        Level = level;
        IsRegisterForm = isRegisterForm;
    }

    /// <summary>The program that it was made from. Its names, function table and limits are the translation's too.</summary>
    public Program Source { get; }

    /// <summary>The constants of the source, then those that the translation added.</summary>
    public ImmutableArray<Data> Constants { get; }

    /// <summary>By the source's function table: the translated code of each.</summary>
    public ImmutableArray<TranslatedFunction> Functions { get; }

    /// <summary>The optimization level, 0 to 3.</summary>
    public int Level { get; }

    /// <summary>Has <see cref="RegisterConverter"/> made it?</summary>
    public bool IsRegisterForm { get; }

    /// <summary>The program as it is: each instruction with its own static charge.</summary>
    /// <param name="source">A valid program.</param>
    public static TranslatedProgram Of(Program source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new TranslatedProgram(
            source,
            [.. source.Constants],
            [.. source.Functions.Select(function => new TranslatedFunction([.. function.Code.Select(AsItIs)]))],
            level: 0
        );
    }

    /// <summary>The translated code as a program of its own, without the charges: to validate, decode and show it.</summary>
    public Program ToProgram() =>
        new(
            [.. Constants],
            Source.Names,
            [
                .. Source.Functions.Zip(
                    Functions,
                    (source, translated) =>
                        new FunctionDefinition(
                            source.Name,
                            source.Parameters,
                            source.Locals,
                            source.Captures,
                            [.. translated.Code.Select(ToInstruction)]
                        )
                ),
            ]
        );

    internal static Instruction ToInstruction(TranslatedInstruction instruction) =>
        new(InstructionSet.Of(instruction.Opcode).Number, instruction.A, instruction.B, instruction.C);

    private static TranslatedInstruction AsItIs(Instruction instruction, int at)
    {
        _ = InstructionSet.TryFind(instruction.Number, out OpcodeInfo? info);
        return new TranslatedInstruction(
            info!.Opcode,
            instruction.A,
            instruction.B,
            instruction.C,
            at,
            StaticCharges.Of(info, instruction.A, instruction.B, instruction.C) is { IsZero: false } gas
                ? [new Charge(at, new Amount.Fixed(gas))]
                : [],
            []
        );
    }
}
