using System.Diagnostics;
using System.Globalization;

namespace Zexus.Benchmarks;

/// <summary>
/// <see cref="StoreBenchmarks"/> in turns: some executions by the database alone, as many by the store, and so on in one process, since a machine on which
/// others work changes from minute to minute. The first turns read pages of the tree; later ones have them.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- store-turns 1000000 100 12 10000</c>: keys, executions a block, turns, executions a turn.</remarks>
internal static class StoreTurns
{
    public const string Command = "store-turns";

    public static void Run(string[] arguments)
    {
        int[] numbers = [.. arguments.Skip(1).Select(text => int.Parse(text, CultureInfo.InvariantCulture))];
        if (
            numbers is not [int keys, int block, int turns, int executions]
            || block is not (1 or StoreBenchmarks.Block)
        )
        {
            throw new ArgumentException(
                $"{Command} KEYS BLOCK TURNS EXECUTIONS, with blocks of 1 or {StoreBenchmarks.Block}"
            );
        }

        StoreBenchmarks both = new() { Keys = keys };
        both.Open();
        Cost databaseTotal = default;
        Cost storeTotal = default;
        for (int turn = 1; turn <= turns; turn++)
        {
            Cost database = Of(block == 1 ? both.Database : both.DatabaseInBlocks);
            Cost store = Of(() => _ = block == 1 ? both.Store() : both.StoreInBlocks());
            databaseTotal = new(databaseTotal.Elapsed + database.Elapsed, databaseTotal.Processor + database.Processor);
            storeTotal = new(storeTotal.Elapsed + store.Elapsed, storeTotal.Processor + store.Processor);
            Console.WriteLine(Line($"turn {turn}", database, store));
        }

        Console.WriteLine(
            Line(
                "all",
                new(databaseTotal.Elapsed / turns, databaseTotal.Processor / turns),
                new(storeTotal.Elapsed / turns, storeTotal.Processor / turns)
            )
        );
        both.Close();

        Cost Of(Action commit)
        {
            TimeSpan before = Environment.CpuUsage.TotalTime;
            Stopwatch watch = Stopwatch.StartNew();
            for (int i = 0; i < executions; i += block)
            {
                commit();
            }

            return new(
                watch.Elapsed.TotalMicroseconds / executions,
                (Environment.CpuUsage.TotalTime - before).TotalMicroseconds / executions
            );
        }
    }

    /// <summary>Microseconds an execution, and those of them, of all threads, on a processor.</summary>
    private readonly record struct Cost(double Elapsed, double Processor);

    private static string Line(string what, Cost database, Cost store) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{what}: SQLite {database.Elapsed:f1} us an execution ({database.Processor:f1} of processors), store {store.Elapsed:f1} ({store.Processor:f1}), rate {database.Elapsed / store.Elapsed:f2}"
        );
}
