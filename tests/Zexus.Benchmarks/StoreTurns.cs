using System.Diagnostics;
using System.Globalization;

namespace Zexus.Benchmarks;

/// <summary>
/// <see cref="StoreBenchmarks"/> in turns: some executions by the database alone, as many by it with the store's rows, as many by the store, and so on in one process, since a machine on which
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
        Cost[] total = new Cost[3];
        for (int turn = 1; turn <= turns; turn++)
        {
            Cost[] turnCosts =
            [
                Of(() => block, _ => both.CommitRows(block)),
                Of(() => block, _ => both.CommitStoreRows(block)),
                // What executions have left is there when they are committed: it is not made in the commit's time.
                Of(() => both.Transfers(block), both.Commit),
            ];
            for (int i = 0; i < total.Length; i++)
            {
                total[i] = new(total[i].Elapsed + turnCosts[i].Elapsed, total[i].Processor + turnCosts[i].Processor);
            }

            Console.WriteLine(Line($"turn {turn}", turnCosts));
        }

        Console.WriteLine(
            Line("all", Array.ConvertAll(total, cost => new Cost(cost.Elapsed / turns, cost.Processor / turns)))
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

    private static string Line(string what, Cost[] costs) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{what}: SQLite {Shown(costs[0])}, SQLite with the store's rows {Shown(costs[1])}, store {Shown(costs[2])}; rate {costs[0].Elapsed / costs[2].Elapsed:f2}, {costs[1].Elapsed / costs[2].Elapsed:f2} with the store's rows"
        );

    private static string Shown(Cost cost) =>
        string.Create(CultureInfo.InvariantCulture, $"{cost.Elapsed:f1} us ({cost.Processor:f1} of processors)");
}
