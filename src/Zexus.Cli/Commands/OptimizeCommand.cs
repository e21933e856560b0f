using System.CommandLine;
using System.Globalization;
using System.Text;
using Microsoft.FSharp.Core;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;
using Zexus.Proofs;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>`zexus optimize FILE`.</summary>
internal static class OptimizeCommand
{
    private const int CommentColumn = 44;

    public static Command Create(Terminal terminal)
    {
        Argument<string> file = ProgramArgument.Create();
        Option<long> level = Level(usual: 2);
        Option<bool> registers = Registers();
        Option<bool> explain = new("--explain") { Description = "Show each rewrite where it was applied, too." };
        Option<bool> verify = new("--verify")
        {
            Description =
                "Prove that it is equivalent: each change of a whole function from its claims, then 'equiv' on the program and its translation.",
        };
        Option<long> unroll = EquivCommand.Unroll();
        Option<bool> cold = new("--no-cache") { Description = "With --verify: ask the solvers everything anew." };
        Option<string?> output = new("--output", "-o")
        {
            Description = "The text file to write; standard output when not given.",
            HelpName = "OUT",
        };
        Option<bool> json = new("--json")
        {
            Description = "One JSON document on standard output instead (docs/json.md).",
        };
        Command command = new(
            "optimize",
            "Show the code that runs in a program's place, with the charges that it takes for the source's instructions."
        )
        {
            file,
            level,
            registers,
            explain,
            verify,
            unroll,
            cold,
            output,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus optimize examples/registers.zxa --level 1 --explain",
            "./zexus optimize examples/sieve.zxa --level 3 -o sieve.optimized.zxa",
            "./zexus optimize examples/sieve.zxa --level 0 --registers",
            "./zexus optimize examples/auction.zxa --level 3 --verify -o auction.optimized.zxa"
        );
        command.SetAction(parsed =>
        {
            ProgramFile program = ProgramFile.Read(parsed.GetRequiredValue(file), terminal);
            bool isJson = parsed.GetValue(json);
            if (!ZexusProgram.TryLoad(program.Program, Limits.Default, out ZexusProgram? loaded, out Refusal? refusal))
            {
                if (!isJson)
                {
                    throw ProgramArgument.Refuse(program, refusal);
                }

                terminal.Out.WriteLine(ProgramArgument.RefusalJson(program, refusal));
                return ExitCode.Refused;
            }

            OptimizationResult result = Optimizer.Optimize(loaded, (int)parsed.GetValue(level), explain: true);
            ConversionResult? conversion = parsed.GetValue(registers)
                ? RegisterConverter.Convert(result.Program, explain: true)
                : null;
            TranslatedProgram translation = conversion?.Program ?? result.Program;
            string text = TextOf(translation);
            VerificationReport? verification = parsed.GetValue(verify)
                ? Verified(
                    program,
                    loaded,
                    result,
                    conversion,
                    parsed.GetValue(unroll),
                    parsed.GetValue(cold),
                    terminal
                )
                : null;
            if (parsed.GetValue(output) is string target and not InputFile.Standard)
            {
                OutputFile.Write(target, Encoding.UTF8.GetBytes(text), terminal);
            }
            else if (!isJson)
            {
                terminal.Out.Write(text);
                terminal.Out.Flush();
            }

            if (isJson)
            {
                terminal.Out.WriteLine(ToJson(program, result, conversion, text, verification));
            }
            else
            {
                Summarize(program, result, conversion, parsed.GetValue(explain), terminal);
                if (verification is not null)
                {
                    terminal.Error.WriteLine(verification.ToText(terminal));
                }
            }

            return verification?.ExitCode ?? ExitCode.Completed;
        });
        return command;
    }

    /// <summary>The option `--level`.</summary>
    public static Option<long> Level(int usual) =>
        WholeNumber.Option(
            "--level",
            "0 as it is, 1 quick rewrites, 2 with what is known of kinds, 3 strength reduction and rounds until nothing changes.",
            usual,
            0,
            Optimizer.HighestLevel
        );

    /// <summary>The option `--registers`.</summary>
    public static Option<bool> Registers() =>
        new("--registers") { Description = "In register form: what the level gives, converted to code on registers." };

    private static VerificationReport Verified(
        ProgramFile program,
        ZexusProgram loaded,
        OptimizationResult result,
        ConversionResult? conversion,
        long unroll,
        bool cold,
        Terminal terminal
    )
    {
        SolverAnswers.RequireSolvers();
        TranslatedProgram translated = conversion?.Program ?? result.Program;
        AnswerCache.AnswerCache cache = SolverAnswers.Open(cold);
        ProgramEquivalence.Options options = EquivCommand.Options(unroll, ignoresGas: false, isTranslation: true);
        ProgramEquivalence.Side source = new(
            "the program",
            TranslationValidation.loadSource(Limits.Default, program.Program),
            loaded
        );
        ProgramEquivalence.Side translation = new(
            "its translation",
            TranslationValidation.load(Limits.Default, program.Program, translated.Constants, translated.Functions),
            ZexusProgram.Load(translated, Limits.Default)
        );
        VerificationReport report = new(
            [
                .. result
                    .Transformations.Concat(conversion?.Transformations ?? [])
                    .Select(it =>
                        (
                            it,
                            TranslationValidation.validate(
                                Limits.Default,
                                program.Program,
                                translated.Constants,
                                FuncConvert.FromFunc<string, FSharpOption<string>>(EquivProgress.AskOf(cache).Refute),
                                it
                            )
                        )
                    ),
            ],
            program,
            new EquivReport(
                EquivProgress.Show(options, source, translation, cache, terminal),
                source,
                translation,
                options
            )
        );
        SolverAnswers.Keep(cache, terminal);
        return report;
    }

    private static void Summarize(
        ProgramFile program,
        OptimizationResult result,
        ConversionResult? conversion,
        bool explain,
        Terminal terminal
    )
    {
        void Line(string name, string text) => terminal.Error.WriteLine(terminal.Faint($"{name, -8}") + " " + text);

        if (explain)
        {
            foreach (AppliedRewrite it in result.Log)
            {
                Line("rewrite", $"{program.Place(it.Function, it.Source)}: {it.Name}: {it.Equation}");
                Line("", $"  {Shown(it.Before)}  ->  {Shown(it.After)}");
            }
        }

        foreach (PassStatistics pass in result.Passes.Where(pass => pass.Applied > 0))
        {
            Line(
                "pass",
                $"round {pass.Round}, {pass.Technique}: {pass.Applied} applied, {pass.Before} -> {pass.After} instructions, "
                    + pass.Time.TotalMilliseconds.ToString("0.00", CultureInfo.InvariantCulture)
                    + " ms"
            );
        }

        Line("code", $"{result.Before} -> {result.After} instructions");
        if (conversion is null)
        {
            return;
        }

        for (int f = 0; f < conversion.Functions.Length; f++)
        {
            FunctionConversion it = conversion.Functions[f];
            Line(
                "function",
                $"{Terminal.Printable(program.Program.Functions[f].Name)}: "
                    + (
                        it.Outcome == ConversionOutcome.Converted
                            ? $"{it.Before} -> {it.After} instructions, {it.RegisterInstructions} on registers; "
                                + $"{it.Homes} webs and constants in registers, {it.Coalesced} stores coalesced, {it.Spilled} values spilled"
                        : it.Outcome == ConversionOutcome.NoRegisters ? "as it is, it leaves too few registers"
                        : "as it is, nothing in it is better done in registers"
                    )
            );
        }
    }

    private static string Shown(IEnumerable<string> instructions) =>
        Terminal.Printable(string.Join("; ", instructions)) is { Length: > 0 } text ? text : "nothing";

    /// <summary>Assembly text; behind each instruction whose charges are not just its own: what it charges, and for which instructions of the source.</summary>
    private static string TextOf(TranslatedProgram program)
    {
        StringBuilder text = new(
            "; Level "
                + program.Level
                + (program.IsRegisterForm ? ", in register form" : "")
                + ". `n for i`: charges n for instruction i of the source. Assembled again, the code takes other gas.\n"
        );
        int function = -1;
        int instruction = 0;
        foreach (string line in Disassembler.Disassemble(Trimmed(program.ToProgram())).TrimEnd('\n').Split('\n'))
        {
            text.Append(line);
            if (line.StartsWith(".func", StringComparison.Ordinal))
            {
                function++;
                instruction = 0;
            }
            else if (line.StartsWith("    ", StringComparison.Ordinal))
            {
                string comment = Comment(program, function, program.Functions[function].Code[instruction]);
                if (comment != "")
                {
                    text.Append(' ', Math.Max(1, CommentColumn - line.Length)).Append("; ").Append(comment);
                }

                instruction++;
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static string Comment(TranslatedProgram program, int function, TranslatedInstruction instruction)
    {
        FunctionDefinition definition = program.Source.Functions[function];
        Instruction source = definition.Code[instruction.Source];
        bool ownChargeOnly =
            instruction.Charges.All(charge => charge.Source == instruction.Source)
            && instruction.Charges.Length <= 1
            && instruction.JumpCharges.IsEmpty
            && source.Number == InstructionSet.Of(instruction.Opcode).Number;
        if (ownChargeOnly)
        {
            return "";
        }

        string jump = instruction.JumpCharges.IsEmpty
            ? ""
            : ", if it jumps " + Charges(instruction.JumpCharges, definition);
        return (instruction.Charges.IsEmpty ? "nothing" : Charges(instruction.Charges, definition)) + jump;
    }

    private static string Charges(IEnumerable<Charge> charges, FunctionDefinition function) =>
        string.Join(", ", charges.Select(charge => $"{AmountText(charge.Amount, function)} for {charge.Source}"));

    private static string AmountText(Amount amount, FunctionDefinition function) =>
        amount switch
        {
            Amount.Fixed it => it.Gas.ToString(CultureInfo.InvariantCulture),
            Amount.Size it => $"size of stack[{it.Depth}]",
            Amount.Text it => $"text of stack[{it.Depth}]",
            Amount.VariableSize it => $"size of {function.Parameters.Concat(function.Locals).ElementAt(it.Slot)}",
            Amount.RegisterSize it => $"size of r{it.Number}",
            Amount.Sum it => string.Join(" + ", it.Parts.Select(part => AmountText(part, function))),
            _ => throw new InvalidOperationException($"no text for {amount.GetType().Name}"),
        };

    /// <summary>Constants and names in the order of their use, and no others, so that the text needs no declarations.</summary>
    private static Program Trimmed(Program program)
    {
        List<Data> constants = [];
        List<string> names = [];
        Dictionary<Data, int> constantNumbers = [];
        Dictionary<string, int> nameNumbers = new(StringComparer.Ordinal);
        return new Program(
            // The functions first: they fill the lists.
            functions:
            [
                .. program.Functions.Select(function => new FunctionDefinition(
                    function.Name,
                    function.Parameters,
                    function.Locals,
                    function.Captures,
                    [.. function.Code.Select(Renumbered)]
                )),
            ],
            constants: [.. constants],
            names: [.. names]
        );

        Instruction Renumbered(Instruction instruction)
        {
            _ = InstructionSet.TryFind(instruction.Number, out OpcodeInfo info);
            long[] values = [instruction.A, instruction.B, instruction.C];
            for (int i = 0; i < info.Operands.Length; i++)
            {
                values[i] =
                    info.Operands[i].Kind.IsConstant ? Number(program.Constants[values[i]], constants, constantNumbers)
                    : info.Operands[i].Kind.IsName ? Number(program.Names[values[i]], names, nameNumbers)
                    : values[i];
            }

            return Instruction.Of(instruction.Number, values[0], values[1], values[2]);
        }

        static int Number<T>(T item, List<T> items, Dictionary<T, int> numbers)
            where T : notnull
        {
            if (numbers.TryAdd(item, items.Count))
            {
                items.Add(item);
            }

            return numbers[item];
        }
    }

    private static string ToJson(
        ProgramFile program,
        OptimizationResult result,
        ConversionResult? conversion,
        string text,
        VerificationReport? verification
    ) =>
        Json.Document([
            ("status", Json.Of("optimized")),
            ("level", Json.Of(result.Program.Level)),
            ("before", Json.Of(result.Before)),
            ("after", Json.Of(result.After)),
            (
                "passes",
                Json.Array(
                    result.Passes.Select(pass =>
                        Json.Object(
                            ("round", Json.Of(pass.Round)),
                            ("technique", Json.Of(pass.Technique.ToString())),
                            ("applied", Json.Of(pass.Applied)),
                            ("before", Json.Of(pass.Before)),
                            ("after", Json.Of(pass.After)),
                            ("microseconds", Json.Of((long)pass.Time.TotalMicroseconds))
                        )
                    )
                )
            ),
            ("rewrites", Json.Object(result.Rewrites.Select(pair => (pair.Key, Json.Of(pair.Value))))),
            (
                "log",
                Json.Array(
                    result.Log.Select(it =>
                        Json.Object(
                            ("rewrite", Json.Of(it.Name)),
                            ("function", Json.Of(it.Function)),
                            ("functionName", Json.Of(program.Program.Functions[it.Function].Name)),
                            ("instruction", Json.Of(it.Source)),
                            ("before", Json.Array(it.Before.Select(Json.Of))),
                            ("after", Json.Array(it.After.Select(Json.Of)))
                        )
                    )
                )
            ),
            .. conversion is null
                ? []
                : new[]
                {
                    (
                        "registers",
                        Json.Array(
                            conversion.Functions.Select(it =>
                                Json.Object(
                                    ("outcome", Json.Of(it.Outcome.ToString())),
                                    ("before", Json.Of(it.Before)),
                                    ("after", Json.Of(it.After)),
                                    ("onRegisters", Json.Of(it.RegisterInstructions)),
                                    ("homes", Json.Of(it.Homes)),
                                    ("coalesced", Json.Of(it.Coalesced)),
                                    ("spilled", Json.Of(it.Spilled))
                                )
                            )
                        )
                    ),
                },
            ("text", Json.Of(text)),
            .. verification is null ? [] : new[] { ("verification", verification.ToJson()) },
        ]);
}
