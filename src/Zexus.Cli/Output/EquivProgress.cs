using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;
using Spectre.Console;
using Zexus.Proofs;

namespace Zexus.Cli.Output;

/// <summary>Compares two programs and says how far it is: a bar on a terminal, now and then a line elsewhere.</summary>
internal static class EquivProgress
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    public static ProgramEquivalence.Report Show(
        ProgramEquivalence.Options options,
        ProgramEquivalence.Side left,
        ProgramEquivalence.Side right,
        AnswerCache.AnswerCache cache,
        Terminal terminal
    )
    {
        ProgramEquivalence.Report Compare(Action<int> onSteps, Action<int, int> onPaths) =>
            ProgramEquivalence.compare(
                options,
                FuncConvert.FromFunc<string, Solver.Answer>(AskOf(cache).Ask),
                new ProgramEquivalence.Progress(FuncConvert.FromAction(onSteps), FuncConvert.FromAction(onPaths)),
                terminal.Cancellation,
                left,
                right
            );

        if (terminal.ErrorIsTerminal)
        {
            return Consoles.WithBar(
                terminal,
                task =>
                    Compare(
                        steps => task.Description = $"{steps:N0} steps of the rules",
                        (done, all) =>
                        {
                            task.MaxValue = Math.Max(1, all);
                            task.Value = done;
                            task.Description = $"path {done:N0} of {all:N0}, {cache.Asked:N0} answers";
                        }
                    )
            );
        }

        DateTime last = DateTime.UtcNow;
        void Line(string text)
        {
            if (DateTime.UtcNow - last >= BetweenLines)
            {
                last = DateTime.UtcNow;
                terminal.Error.WriteLine(text);
            }
        }

        return Compare(
            steps => Line($"{steps:N0} steps of the rules"),
            (done, all) => Line($"path {done:N0} of {all:N0}, {cache.Asked:N0} answers")
        );
    }

    /// <summary>Both solvers as one.</summary>
    public static Prover.Session AskOf(AnswerCache.AnswerCache cache) =>
        new(cache, Prover.bothSolvers, FuncConvert.FromAction<string>(_ => { }));
}
