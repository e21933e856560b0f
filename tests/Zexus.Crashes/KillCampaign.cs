using System.Diagnostics;
using System.Globalization;
using Zexus.Chain;

namespace Zexus.Crashes;

/// <summary>A writer is killed at random moments, again and again on one store.</summary>
public static class KillCampaign
{
    /// <summary>What it found.</summary>
    /// <param name="Kills">Writers that were killed after they had begun to commit.</param>
    /// <param name="Executions">Executions in the store at the end.</param>
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
        int inFlight = 0;
        for (int kill = 0; kill < times; kill++)
        {
            using Process writer = Child.Start(
                Writer.Command,
                folder,
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

            using DurableStore store = DurableStore.Open(folder);
            if (Writer.Wrong(store, acknowledged, model) is { } problem)
            {
                return new(kill + 1, store.Head.Number, inFlight, $"after kill {kill + 1}: {problem}");
            }

            inFlight += store.Head.Number > acknowledged ? 1 : 0;
            progress?.Invoke(kill + 1);
        }

        return new(
            times,
            model.Number,
            inFlight,
            model.Number < times ? "the writers hardly committed anything" : null
        );
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
