using Zexus.Differential;

namespace Zexus.Cli.Output;

/// <summary>Runs a campaign and says how far it is: a bar on a terminal, now and then a line elsewhere.</summary>
internal static class CheckProgress
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    public static CampaignResult Show(CampaignOptions options, Terminal terminal)
    {
        if (options.Programs <= 1)
        {
            return Campaign.run(options);
        }

        return terminal.ErrorIsTerminal ? WithBar(options, terminal) : WithLines(options, terminal);
    }

    /// <summary>Not only in the report: a check that is stopped, or fails, has none. At once, or, where a bar stands, when it is gone.</summary>
    private static void Tell(Differential.Progress progress, int told, Terminal terminal)
    {
        foreach (Origin origin in progress.Found.Skip(told))
        {
            terminal.Error.WriteLine(terminal.Red("a divergence") + $"; again: {origin.Replay}");
        }
    }

    /// <summary>After the last program, what diverged is made smaller.</summary>
    private static bool IsShrinking(Differential.Progress progress) =>
        progress.Divergences > 0 && progress.Programs >= progress.Of;

    private static CampaignResult WithLines(CampaignOptions options, Terminal terminal)
    {
        TimeSpan last = TimeSpan.Zero;
        int told = 0;
        options.Progress = progress =>
        {
            Tell(progress, told, terminal);
            told = progress.Found.Length;
            if (progress.Elapsed - last >= BetweenLines || IsShrinking(progress))
            {
                last = progress.Elapsed;
                terminal.Error.WriteLine(
                    $"{progress.Programs:N0} of {progress.Of:N0} programs, {progress.Steps:N0} steps, "
                        + $"{progress.Branches:N0} branches, {progress.Divergences:N0} divergences, {progress.Elapsed.TotalSeconds:N0} s"
                        + (IsShrinking(progress) ? "; shrinking" : "")
                );
            }
        };
        return Campaign.run(options);
    }

    private static CampaignResult WithBar(CampaignOptions options, Terminal terminal)
    {
        Differential.Progress? last = null;
        try
        {
            return WithBar(options, terminal, progress => last = progress);
        }
        catch when (last is not null)
        {
            Tell(last, 0, terminal);
            throw;
        }
    }

    private static CampaignResult WithBar(
        CampaignOptions options,
        Terminal terminal,
        Action<Differential.Progress> heard
    ) =>
        Consoles.WithBar(
            terminal,
            task =>
            {
                options.Progress = progress =>
                {
                    heard(progress);
                    task.MaxValue = Math.Max(1, progress.Of);
                    task.Value = progress.Programs;
                    task.Description =
                        $"{progress.Programs:N0} programs, {progress.Steps:N0} steps, {progress.Divergences:N0} divergences"
                        + (IsShrinking(progress) ? ", shrinking" : "");
                };
                return Campaign.run(options);
            }
        );
}
