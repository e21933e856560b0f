using Microsoft.FSharp.Core;
using Spectre.Console;
using Zexus.Proofs;

namespace Zexus.Cli.Output;

/// <summary>Proves a number of things and says how far it is: a bar on a terminal, now and then a line elsewhere.</summary>
internal static class ProveProgress
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    /// <summary>Proves, given what is to be called before each query and with each report.</summary>
    public delegate IReadOnlyList<TReport> Prove<TReport>(
        FSharpFunc<string, Unit> onQuery,
        FSharpFunc<TReport, Unit> onReport
    );

    public static IReadOnlyList<TReport> Show<TReport>(
        Prove<TReport> prove,
        int count,
        string things,
        Func<TReport, string> name,
        AnswerCache.AnswerCache cache,
        Terminal terminal
    )
    {
        if (count == 0)
        {
            return [];
        }

        FSharpFunc<string, Unit> onQuery = FuncConvert.FromAction<string>(_ =>
            terminal.Cancellation.ThrowIfCancellationRequested()
        );
        if (terminal.ErrorIsTerminal)
        {
            return Consoles.WithBar(
                terminal,
                task =>
                {
                    task.MaxValue = count;
                    return prove(
                        onQuery,
                        FuncConvert.FromAction<TReport>(report =>
                        {
                            task.Increment(1);
                            task.Description = Markup.Escape($"{name(report)}, {cache.Asked:N0} answers");
                        })
                    );
                }
            );
        }

        DateTime last = DateTime.UtcNow;
        int done = 0;
        return prove(
            onQuery,
            FuncConvert.FromAction<TReport>(_ =>
            {
                done++;
                if (DateTime.UtcNow - last >= BetweenLines)
                {
                    last = DateTime.UtcNow;
                    terminal.Error.WriteLine($"{done:N0} of {count:N0} {things}, {cache.Asked:N0} answers");
                }
            })
        );
    }
}
