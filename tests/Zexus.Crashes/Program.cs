using System.CommandLine;
using System.Globalization;

namespace Zexus.Crashes;

internal static class Program
{
    private static int Main(string[] arguments)
    {
        if (arguments is [Writer.Command, string folder, string until])
        {
            return Writer.Run(folder, long.Parse(until, CultureInfo.InvariantCulture));
        }

        Option<int> seed = new("--seed") { Description = "Which moments.", DefaultValueFactory = _ => 1 };
        Option<int> times = new("--times")
        {
            Description = "How many writers are killed.",
            DefaultValueFactory = _ => 500,
        };
        Command kill = new("kill", "Kill a writer with SIGKILL at random moments, and look at its store each time.")
        {
            times,
            seed,
        };
        kill.SetAction(parsed =>
            InFolder(folder =>
            {
                KillCampaign.Outcome outcome = KillCampaign.Run(
                    parsed.GetValue(times),
                    parsed.GetValue(seed),
                    Path.Combine(folder, "store"),
                    Progress(parsed.GetValue(times))
                );
                Console.WriteLine(
                    $"{outcome.Kills} kills, {outcome.Executions} executions; after {outcome.InFlight} the block in flight was there"
                );
                return outcome.Problem;
            })
        );

        Option<int> states = new("--states")
        {
            Description = "How many disk states are made.",
            DefaultValueFactory = _ => 1000,
        };
        Option<long> executions = new("--executions")
        {
            Description = "How many executions the writer commits.",
            DefaultValueFactory = _ => 300,
        };
        Option<int> withoutSync = new("--without-sync")
        {
            Description =
                "Leave this sync of the log, on which an acknowledgement rests, out of the record: the campaign has to find it.",
            DefaultValueFactory = _ => -1,
        };
        Option<int> withoutDatabaseSync = new("--without-database-sync")
        {
            Description = "The same with a sync of the database, into which the log is brought now and then.",
            DefaultValueFactory = _ => -1,
        };
        Command disks = new(
            "disks",
            "Record a writer with strace, and open what might be on the disk when the power goes off."
        )
        {
            states,
            executions,
            seed,
            withoutSync,
            withoutDatabaseSync,
        };
        disks.SetAction(parsed =>
            InFolder(folder =>
            {
                int database = parsed.GetValue(withoutDatabaseSync);
                DiskCampaign.Outcome outcome = DiskCampaign.Run(
                    parsed.GetValue(states),
                    parsed.GetValue(executions),
                    parsed.GetValue(seed),
                    Path.Combine(folder, "disks"),
                    database >= 0 ? database : parsed.GetValue(withoutSync),
                    ofDatabase: database >= 0,
                    Progress(parsed.GetValue(states))
                );
                Console.WriteLine(
                    $"{outcome.States} disk states of {outcome.Events} events, {outcome.Syncs} of them syncs, {outcome.DatabaseSyncs} of the database"
                );
                return outcome.Problem;
            })
        );
        return new RootCommand("What becomes of a store when its process, its system or its power ends.")
        {
            kill,
            disks,
        }
            .Parse(arguments)
            .Invoke();
    }

    private static int InFolder(Func<string, string?> campaign)
    {
        string folder = Directory.CreateTempSubdirectory("zexus-crashes-").FullName;
        string? problem = campaign(folder);
        if (problem is null)
        {
            Directory.Delete(folder, recursive: true);
            Console.WriteLine("nothing acknowledged was lost");
            return 0;
        }

        Console.WriteLine($"FAILED: {problem}");
        Console.WriteLine($"left in {folder}");
        return 1;
    }

    private static Action<int> Progress(int all)
    {
        DateTime last = DateTime.UtcNow;
        return done =>
        {
            if (DateTime.UtcNow - last > TimeSpan.FromSeconds(10))
            {
                last = DateTime.UtcNow;
                Console.Error.WriteLine($"{done} of {all}");
            }
        };
    }
}
