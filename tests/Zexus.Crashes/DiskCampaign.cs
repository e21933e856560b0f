using System.Diagnostics;
using System.Globalization;
using Zexus.Chain;

namespace Zexus.Crashes;

/// <summary>The writes and syncs of a writer are recorded, and disk states made from the record for moments at which the power might go off.</summary>
public static class DiskCampaign
{
    /// <summary>What it found.</summary>
    /// <param name="States">Disk states that were opened.</param>
    /// <param name="Events">Writes, syncs and so on in the record.</param>
    /// <param name="Syncs">Syncs among them.</param>
    /// <param name="DatabaseSyncs">Of these, those of the database: each time the log was brought into it.</param>
    /// <param name="Problem">The first thing wrong; null when all is right.</param>
    public sealed record Outcome(int States, int Events, int Syncs, int DatabaseSyncs, string? Problem);

    /// <summary>Records a writer and makes disk states.</summary>
    /// <param name="states">How many.</param>
    /// <param name="executions">How many executions the writer commits.</param>
    /// <param name="seed">Which moments and which writes.</param>
    /// <param name="folder">A folder that is not there yet.</param>
    /// <param name="withoutSync">
    /// As if this sync, counted from 0, had not been there: the campaign is to find it, at a moment between it and the next. -1: all are.
    /// </param>
    /// <param name="ofDatabase">It is one of the database, into which the log is brought; otherwise one of the log after which something was acknowledged.</param>
    /// <param name="progress">Called after each state.</param>
    public static Outcome Run(
        int states,
        long executions,
        int seed,
        string folder,
        int withoutSync = -1,
        bool ofDatabase = false,
        Action<int>? progress = null
    )
    {
        Directory.CreateDirectory(folder);
        List<DiskEvent> events = Record(folder, executions);
        int first = 0;
        int moments = events.Count;
        if (withoutSync >= 0)
        {
            Predicate<DiskEvent> isMeant = ofDatabase ? IsOfDatabase : IsOfLog;
            int[] syncs =
            [
                .. Enumerable
                    .Range(0, events.Count)
                    .Where(i => isMeant(events[i]) && (ofDatabase || IsRestedOn(events, i))),
            ];
            first = syncs[withoutSync % syncs.Length];
            events.RemoveAt(first);
            moments = events.FindIndex(first, isMeant) is >= 0 and int next ? next - first : events.Count - first;
        }

        int count = events.Count(e => e is DiskEvent.Synced);
        int ofTheDatabase = events.Count(IsOfDatabase);
        if (events.Count < executions || count == 0 || !events.Exists(e => e is DiskEvent.Said))
        {
            return new(0, events.Count, count, ofTheDatabase, "the record has not what a writer does");
        }

        DiskStates disk = new(events);
        Random random = new(seed);
        DiskStates.Fate[] fates = Enum.GetValues<DiskStates.Fate>();
        for (int i = 0; i < states; i++)
        {
            // Each moment has its turn before one comes twice, and with a fate of its own.
            int until = Math.Min(first + (int)((i * 2_654_435_761L + seed) % Math.Max(moments, 1)) + 1, events.Count);
            DiskStates.Fate fate = fates[(i / 7) % fates.Length];
            string state = Path.Combine(folder, "state");
            Directory.CreateDirectory(state);
            disk.Write(until, fate, random, state, path => path.EndsWith("-shm", StringComparison.Ordinal));
            // None before the store itself was made.
            long? acknowledged = events
                .Take(until)
                .OfType<DiskEvent.Said>()
                .Select(said => (long?)long.Parse(said.Line, CultureInfo.InvariantCulture))
                .LastOrDefault();
            if (Problem(state, acknowledged) is { } problem)
            {
                return new(
                    i + 1,
                    events.Count,
                    count,
                    ofTheDatabase,
                    $"state {i + 1}, after event {until} ({fate}): {problem}"
                );
            }

            Directory.Delete(state, recursive: true);
            progress?.Invoke(i + 1);
        }

        return new(states, events.Count, count, ofTheDatabase, null);
    }

    private static bool IsOfLog(DiskEvent e) =>
        e is DiskEvent.Synced && e.Path.EndsWith("-wal", StringComparison.Ordinal);

    /// <summary>
    /// Whether the log was written to since it was synced before, and something is acknowledged before it is synced again: it is also synced before it is
    /// brought into the database and when it is begun anew, and nothing is lost if one of two syncs is left out.
    /// </summary>
    private static bool IsRestedOn(List<DiskEvent> events, int sync) =>
        events.Take(sync).LastOrDefault(IsAboutLog) is DiskEvent.Written
        && events.Skip(sync + 1).FirstOrDefault(e => e is DiskEvent.Said || IsOfLog(e)) is DiskEvent.Said;

    private static bool IsAboutLog(DiskEvent e) => e.Path.EndsWith("-wal", StringComparison.Ordinal);

    private static bool IsOfDatabase(DiskEvent e) =>
        e is DiskEvent.Synced && e.Path.EndsWith(".db", StringComparison.Ordinal);

    private static string? Problem(string state, long? acknowledged)
    {
        if (!File.Exists(Path.Combine(state, "chain.db")))
        {
            return acknowledged is null ? null : $"there is no store, and {acknowledged} executions were acknowledged";
        }

        try
        {
            using DurableStore store = DurableStore.Open(state);
            return Writer.Wrong(store, acknowledged ?? 0, new Model());
        }
        catch (StoreException e)
        {
            return acknowledged is null && e.Message.Contains("is no whole store", StringComparison.Ordinal)
                ? null
                : e.Message;
        }
    }

    private static List<DiskEvent> Record(string folder, long executions)
    {
        string record = Path.Combine(folder, "record");
        string store = Path.Combine(folder, "store");
        ProcessStartInfo start = new(
            "strace",
            [
                "-f",
                "-y",
                "-xx",
                "-s",
                "16777216",
                "-o",
                record,
                "-e",
                "trace=" + DiskRecord.Calls,
                "dotnet",
                typeof(DiskCampaign).Assembly.Location,
                Writer.Command,
                store,
                executions.ToString(CultureInfo.InvariantCulture),
            ]
        )
        {
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException("strace did not start");
        _ = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException(
                $"strace, or the writer below it, ended with exit code {process.ExitCode}"
            );
        }

        return DiskRecord.Read(record, store);
    }
}
