using System.Diagnostics;
using System.Globalization;
using Zexus.Chain;
using Zexus.Isa;

namespace Zexus.Benchmarks;

/// <summary>
/// Opening a store whose state had so many keys when the pages of its tree were written, with so many written since; and the longest of the commits that
/// follow, one of which writes the pages if enough is written.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- store-behind 1000000 250000 20000</c>: keys, keys written since, and keys that are written after it was opened, in executions of a thousand.</remarks>
internal static class StoreBehind
{
    public const string Command = "store-behind";

    private const int Openings = 5;
    private const int Block = 1000;

    public static void Run(string[] arguments)
    {
        int[] numbers = [.. arguments.Skip(1).Select(text => int.Parse(text, CultureInfo.InvariantCulture))];
        if (numbers is not [int keys, int written, int after])
        {
            throw new ArgumentException($"{Command} KEYS WRITTEN AFTER");
        }

        string folder = Directory.CreateTempSubdirectory("zexus-store-").FullName;
        string path = Path.Combine(folder, "store");
        Random random = new(7);
        try
        {
            using (
                DurableStore store = DurableStore.Create(
                    path,
                    Enumerable.Range(0, keys).Select(i => new StatePair("token", $"account{i}", Data.NewInt(i)))
                )
            )
            {
                for (int i = 0; i < written; i += Block)
                {
                    store.Commit(Writes(Math.Min(Block, written - i)));
                }
            }

            for (int i = 0; i < Openings; i++)
            {
                Stopwatch watch = Stopwatch.StartNew();
                using DurableStore store = DurableStore.Open(path);
                Console.WriteLine(
                    Line($"opened in {watch.Elapsed.TotalMilliseconds:f0} ms, reading {store.PagesRead} page(s)")
                );
            }

            using DurableStore last = DurableStore.Open(path);
            double longest = 0;
            for (int i = 0; i < after; i += Block)
            {
                ExecutionRecord execution = Writes(Block);
                Stopwatch watch = Stopwatch.StartNew();
                last.Commit(execution);
                longest = Math.Max(longest, watch.Elapsed.TotalMilliseconds);
            }

            Console.WriteLine(Line($"the longest of the commits of {after} keys more: {longest:f0} ms"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        // Some 1,000 keys are drawn for an execution, one of them twice at times.
        ExecutionRecord Writes(int count) =>
            new()
            {
                Summary = new ExecutionSummary
                {
                    Contract = "token",
                    GasLimit = 1,
                    GasUsed = 1,
                },
                Writes = Enumerable
                    .Range(0, count)
                    .Select(_ => $"account{random.Next(keys)}")
                    .Distinct()
                    .ToDictionary(key => key, _ => Data.NewInt(random.Next())),
            };
    }

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
