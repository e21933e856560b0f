using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>What became of a function.</summary>
public enum ConversionOutcome
{
    /// <summary>It computes in registers.</summary>
    Converted,

    /// <summary>Nothing in it is better done in registers.</summary>
    NothingToConvert,

    /// <summary>It uses so many registers itself that too few are left.</summary>
    NoRegisters,
}

/// <summary>The conversion of one function.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Before">Instructions before.</param>
/// <param name="After">Instructions after.</param>
/// <param name="RegisterInstructions">Instructions after it that read or assign registers.</param>
/// <param name="Homes">Webs of variables (<see cref="SsaForm"/>), and constants, that have a register.</param>
/// <param name="Coalesced">Stores that are none any more: what they store is computed in its place.</param>
/// <param name="Spilled">Results that went to the operand stack because no register was free.</param>
public sealed record FunctionConversion(
    ConversionOutcome Outcome,
    int Before,
    int After,
    int RegisterInstructions,
    int Homes,
    int Coalesced,
    int Spilled
);

/// <summary>What a conversion gives.</summary>
/// <param name="Program">The program in register form.</param>
/// <param name="Functions">By function: what became of it.</param>
/// <param name="Transformations">Of each function that was converted, what it takes to prove that; empty unless it was asked for.</param>
public sealed record ConversionResult(
    TranslatedProgram Program,
    ImmutableArray<FunctionConversion> Functions,
    ImmutableArray<Transformation> Transformations
);

/// <summary>
/// Makes register code of stack code: what can be computed in registers is, variables that it computes with live in them, and the operand stack has
/// what only instructions without a register twin take. Charges, faults and all that can be observed stay as they are (docs/register.md).
/// </summary>
public static class RegisterConverter
{
    /// <summary>Converts each function of a program.</summary>
    /// <param name="program">A program as it is, or optimized.</param>
    /// <param name="explain">Whether the result has the transformations with their claims.</param>
    public static ConversionResult Convert(TranslatedProgram program, bool explain = false)
    {
        ArgumentNullException.ThrowIfNull(program);
        ConstantPool constants = new(program.ToProgram());
        int[] firstNames = FramePlaces.FirstNames(program.Source);
        ImmutableArray<TranslatedFunction>.Builder functions = ImmutableArray.CreateBuilder<TranslatedFunction>();
        ImmutableArray<FunctionConversion>.Builder conversions = ImmutableArray.CreateBuilder<FunctionConversion>();
        ImmutableArray<Transformation>.Builder transformations = ImmutableArray.CreateBuilder<Transformation>();
        for (int f = 0; f < program.Functions.Length; f++)
        {
            TranslatedFunction function = program.Functions[f];
            StackCode code = new(function);
            FramePlaces places = new(program.Source, f, firstNames);
            FunctionGraph graph = new(f, function);
            graph.NumberPlaces();
            RegisterAllocation registers = new(code, graph, places, constants);
            if (!registers.IsPossible)
            {
                functions.Add(function);
                conversions.Add(Untouched(ConversionOutcome.NoRegisters, function));
                continue;
            }

            FunctionConverter converter = FunctionConverter.Convert(code, registers, places, constants);
            int used = converter.Function.Code.Count(UsesRegisters);
            if (used <= function.Code.Count(UsesRegisters))
            {
                functions.Add(function);
                conversions.Add(Untouched(ConversionOutcome.NothingToConvert, function));
                continue;
            }

            functions.Add(converter.Function);
            if (explain)
            {
                transformations.Add(
                    new Transformation(
                        f,
                        "register form",
                        function,
                        converter.Function,
                        [
                            .. Enumerable
                                .Range(0, code.Count)
                                .Where(at => at == 0 || (code.IsLanding(at) && code.IsReached(at)))
                                .Select(at => new CutPoint(
                                    at,
                                    at == 0 ? 0 : converter.PlaceOf(at),
                                    [.. registers.ClaimsAt(at, constants)]
                                )),
                        ]
                    )
                );
            }

            conversions.Add(
                new FunctionConversion(
                    ConversionOutcome.Converted,
                    function.Code.Length,
                    converter.Function.Code.Length,
                    used,
                    registers.Allocated.Count(),
                    converter.Coalesced,
                    converter.Spilled
                )
            );
        }

        return new ConversionResult(
            new TranslatedProgram(
                program.Source,
                constants.ToImmutable(),
                functions.DrainToImmutable(),
                program.Level,
                isRegisterForm: true
            ),
            conversions.DrainToImmutable(),
            transformations.DrainToImmutable()
        );
    }

    private static FunctionConversion Untouched(ConversionOutcome outcome, TranslatedFunction function) =>
        new(outcome, function.Code.Length, function.Code.Length, 0, 0, 0, 0);

    private static bool UsesRegisters(TranslatedInstruction instruction) =>
        Array.Exists(InstructionSet.Of(instruction.Opcode).Operands, operand => operand.Kind.IsRegister);
}
