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
            Cost database = Of(() => block, _ => both.Raw(block));
            // What executions have left is there when they are committed: it is not made in the commit's time.
            Cost store = Of(() => both.Transfers(block), both.Commit);
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

        Cost Of<T>(Func<T> make, Action<T> commit)
        {
            TimeSpan elapsed = default;
            TimeSpan processor = default;
            for (int i = 0; i < executions; i += block)
            {
                T made = make();
                TimeSpan before = Environment.CpuUsage.TotalTime;
                long start = Stopwatch.GetTimestamp();
                commit(made);
                elapsed += Stopwatch.GetElapsedTime(start);
                processor += Environment.CpuUsage.TotalTime - before;
            }

            return new(elapsed.TotalMicroseconds / executions, processor.TotalMicroseconds / executions);
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
