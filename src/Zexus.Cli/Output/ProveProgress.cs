using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;
using Spectre.Console;
using Zexus.Proofs;
using Zexus.Vm;

namespace Zexus.Cli.Output;

/// <summary>Proves rewrites and says how far it is: a bar on a terminal, now and then a line elsewhere.</summary>
internal static class ProveProgress
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    public static IReadOnlyList<Prover.RewriteReport> Show(
        Rewrite[] rewrites,
        AnswerCache.AnswerCache cache,
        int threads,
        Terminal terminal
    ) =>
        terminal.ErrorIsTerminal
            ? WithBar(rewrites, cache, threads, terminal)
            : WithLines(rewrites, cache, threads, terminal);

    private static FSharpList<Prover.RewriteReport> Prove(
        Rewrite[] rewrites,
        AnswerCache.AnswerCache cache,
        int threads,
        Terminal terminal,
        Action<Prover.RewriteReport> onReport
    ) =>
        Prover.proveAll(
            cache,
            threads,
            FuncConvert.FromAction<string>(_ => terminal.Cancellation.ThrowIfCancellationRequested()),
            FuncConvert.FromAction(onReport),
            ListModule.OfArray(rewrites)
        );

    private static FSharpList<Prover.RewriteReport> WithLines(
        Rewrite[] rewrites,
        AnswerCache.AnswerCache cache,
        int threads,
        Terminal terminal
    )
    {
        DateTime last = DateTime.UtcNow;
        int done = 0;
        return Prove(
            rewrites,
            cache,
            threads,
            terminal,
            _ =>
            {
                done++;
                if (DateTime.UtcNow - last >= BetweenLines)
                {
                    last = DateTime.UtcNow;
                    terminal.Error.WriteLine($"{done:N0} of {rewrites.Length:N0} rewrites, {cache.Asked:N0} answers");
                }
            }
        );
    }

    private static FSharpList<Prover.RewriteReport> WithBar(
        Rewrite[] rewrites,
        AnswerCache.AnswerCache cache,
        int threads,
        Terminal terminal
    ) =>
        Consoles.WithBar(
            terminal,
            task =>
            {
                task.MaxValue = Math.Max(1, rewrites.Length);
                return Prove(
                    rewrites,
                    cache,
                    threads,
                    terminal,
                    report =>
                    {
                        task.Increment(1);
                        task.Description = Markup.Escape($"{report.Rewrite.Name}, {cache.Asked:N0} answers");
                    }
                );
            }
        );
}
