using System.CommandLine;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;
using Zexus.Proofs;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>`zexus equiv A B`.</summary>
internal static class EquivCommand
{
    /// <summary>How often a loop over what is unknown turns when nobody says otherwise.</summary>
    public const int UsualTurns = 8;

    public static Command Create(Terminal terminal)
    {
        Argument<string> first = new("A") { Description = "A program: assembly text (.zxa) or a container (.zxb)." };
        Argument<string> second = new("B") { Description = "The program that it is compared with." };
        Option<long> unroll = Unroll();
        Option<bool> ignoreGas = new("--ignore-gas")
        {
            Description = "Gas is no observable: compare under a limit that always suffices.",
        };
        Option<string?> stateOut = new("--state-out")
        {
            Description = "If the programs differ: the file for the state that shows it, for 'run --state'.",
            HelpName = "FILE",
        };
        Option<bool> cold = new("--no-cache") { Description = "Ask the solvers everything anew." };
        Option<bool> json = new("--json") { Description = "One JSON document on standard output (docs/json.md)." };
        Command command = new(
            "equiv",
            "Are two programs equivalent in everything that can be observed, for every state, block and gas limit?"
        )
        {
            first,
            second,
            unroll,
            ignoreGas,
            stateOut,
            cold,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus equiv visits.zxa visits.rewritten.zxa",
            "./zexus equiv a.zxa b.zxa --ignore-gas --unroll 20",
            "./zexus equiv a.zxa b.zxa --state-out differs.json && ./zexus run a.zxa --state differs.json"
        );
        command.SetAction(parsed =>
        {
            ProgramEquivalence.Side left = Side(ProgramFile.Read(parsed.GetRequiredValue(first), terminal));
            ProgramEquivalence.Side right = Side(ProgramFile.Read(parsed.GetRequiredValue(second), terminal));
            SolverAnswers.RequireSolvers();
            AnswerCache.AnswerCache cache = SolverAnswers.Open(parsed.GetValue(cold));
            ProgramEquivalence.Options options = Options(
                parsed.GetValue(unroll),
                parsed.GetValue(ignoreGas),
                isTranslation: false
            );
            EquivReport report = new(EquivProgress.Show(options, left, right, cache, terminal), left, right, options);
            SolverAnswers.Keep(cache, terminal);
            if (parsed.GetValue(stateOut) is string target && report.Counterexample is { } difference)
            {
                StateFile.Write(
                    target,
                    difference.State.ToDictionary(entry => entry.Key, entry => Node.Of(entry.Value)),
                    terminal
                );
            }

            terminal.Out.WriteLine(
                parsed.GetValue(json) ? report.ToJson() : report.ToText(terminal, parsed.GetValue(stateOut))
            );
            return report.ExitCode;
        });
        return command;
    }

    /// <summary>The option `--unroll`.</summary>
    public static Option<long> Unroll() =>
        WholeNumber.Option(
            "--unroll",
            "How often a loop turns, and how deep a recursion goes, whose end depends on what is unknown.",
            UsualTurns,
            least: 0,
            most: 1_000
        );

    public static ProgramEquivalence.Options Options(long unroll, bool ignoresGas, bool isTranslation) =>
        new(
            (int)unroll,
            ignoresGas,
            isTranslation,
            ProgramEquivalence.usual.MostSteps,
            ProgramEquivalence.usual.MostPaths
        );

    private static ProgramEquivalence.Side Side(ProgramFile file) =>
        ZexusProgram.TryLoad(file.Program, Limits.Default, out ZexusProgram? loaded, out Refusal? refusal)
            ? new ProgramEquivalence.Side(
                file.Name,
                TranslationValidation.loadSource(Limits.Default, file.Program),
                loaded
            )
            : throw ProgramArgument.Refuse(file, refusal);
}
