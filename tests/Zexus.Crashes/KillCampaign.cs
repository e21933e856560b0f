using System.Diagnostics;
using System.Globalization;
using Zexus.Chain;

namespace Zexus.Crashes;

/// <summary>Writers are killed at random moments, again and again on one store, until it has been through enough and another begins.</summary>
public static class KillCampaign
{
    /// <summary>Each look at a store is at all that was ever executed on it.</summary>
    private const int KillsOfAStore = 50;

    /// <summary>The exit code of a process that SIGKILL has ended.</summary>
    private const int Killed = 128 + 9;

    /// <summary>What it found.</summary>
    /// <param name="Kills">Writers that ended because they were killed.</param>
    /// <param name="Executions">Executions in all stores.</param>
    /// <param name="InFlight">After how many kills the block that was being committed was there.</param>
    /// <param name="Problem">The first thing wrong; null when all is right.</param>
    public sealed record Outcome(int Kills, long Executions, int InFlight, string? Problem);

    /// <summary>Kills so many writers.</summary>
    /// <param name="times">How many.</param>
    /// <param name="seed">Which moments.</param>
    /// <param name="folder">A folder that is not there yet.</param>
    /// <param name="progress">Called after each.</param>
    public static Outcome Run(int times, int seed, string folder, Action<int>? progress = null)
    {
        Random random = new(seed);
        Model model = new();
        long executions = 0;
        int kills = 0;
        int inFlight = 0;
        string store = folder;
        for (int kill = 0; kill < times; kill++)
        {
            if (kill % KillsOfAStore == 0)
            {
                executions += model.Number;
                model = new Model();
                store = Path.Combine(folder, $"{kill / KillsOfAStore}");
            }

            using Process writer = Child.Start(
                Writer.Command,
                store,
                long.MaxValue.ToString(CultureInfo.InvariantCulture)
            );
            // How far it gets is left to the clock: most are killed while they commit, some as they begin.
            long acknowledged = Number(writer.StandardOutput.ReadLine());
            if (random.Next(8) != 0)
            {
                acknowledged = Number(writer.StandardOutput.ReadLine());
            }

            Thread.Sleep(TimeSpan.FromMilliseconds(random.NextDouble() * 60));
            writer.Kill();
            writer.WaitForExit();
            while (writer.StandardOutput.ReadLine() is { } line)
            {
                acknowledged = Number(line);
            }

            if (writer.ExitCode != Killed)
            {
                return new(
                    kills,
                    executions + acknowledged,
                    inFlight,
                    $"writer {kill + 1} ended by itself, with exit code {writer.ExitCode}"
                );
            }

            kills++;
            using DurableStore opened = DurableStore.Open(store);
            if (Writer.Wrong(opened, acknowledged, model) is { } problem)
            {
                return new(kills, executions + opened.Head.Number, inFlight, $"after kill {kill + 1}: {problem}");
            }

            inFlight += opened.Head.Number > acknowledged ? 1 : 0;
            progress?.Invoke(kill + 1);
        }

        executions += model.Number;
        return new(kills, executions, inFlight, executions < times ? "the writers hardly committed anything" : null);
    }

    private static long Number(string? line) =>
        long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new InvalidOperationException($"the writer said {line ?? "nothing"}");
}

/// <summary>This program in another process.</summary>
internal static class Child
{
    public static Process Start(params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet", [typeof(Child).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start");
    }
}
