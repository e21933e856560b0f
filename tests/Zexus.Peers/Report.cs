using System.Globalization;
using System.Text;
using System.Text.Json;
using Spectre.Console;
using Zexus.Benchmarks;

namespace Zexus.Peers;

/// <summary>All that was measured in one run.</summary>
internal sealed record Results(
    string Command,
    string Machine,
    string Date,
    bool IsQuick,
    IReadOnlyList<Figure> Figures,
    IReadOnlyList<PairedRatio> Metering,
    IReadOnlyList<PairedRatio> Forms,
    IReadOnlyList<BreakEven> BreakEvens,
    IReadOnlyList<StartUp> StartUps
);

/// <summary>Writes results: tables for a terminal, Markdown, JSON.</summary>
internal static class Report
{
    private const string Begin = "<!-- measured: written by ./bench.sh -->";
    private const string End = "<!-- /measured -->";

    /// <summary>The section of the page between its two marks is replaced; the rest is left alone.</summary>
    public static void WriteInto(string page, Results results)
    {
        string text = File.ReadAllText(page);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        int end = text.IndexOf(End, StringComparison.Ordinal);
        if (begin < 0 || end < begin)
        {
            throw new InvalidDataException($"{page} has no section between '{Begin}' and '{End}'");
        }

        File.WriteAllText(page, text[..(begin + Begin.Length)] + "\n\n" + Markdown(results) + text[end..]);
    }

    public static void Show(Results results, IAnsiConsole console)
    {
        foreach ((string title, List<string> header, List<List<string>> rows) in Tables(results))
        {
            Table table = new() { Title = new TableTitle(Markup.Escape(title)), Border = TableBorder.Simple };
            foreach ((int column, string name) in header.Index())
            {
                TableColumn cells = new(Markup.Escape(name));
                table.AddColumn(column == 0 ? cells : cells.RightAligned());
            }

            rows.ForEach(row => table.AddRow([.. row.Select(Markup.Escape)]));
            console.Write(table);
        }
    }

    public static string Json(Results results) =>
        JsonSerializer.Serialize(
            new
            {
                results.Command,
                results.Machine,
                results.Date,
                results.IsQuick,
                Kernels = results
                    .Figures.GroupBy(f => f.Kernel.Name)
                    .Select(kernel => new
                    {
                        Name = kernel.Key,
                        kernel.First().Kernel.Unit,
                        Size = results.IsQuick ? kernel.First().Kernel.SmallSize : kernel.First().Kernel.Size,
                        Peers = kernel.Select(f => new
                        {
                            f.Peer.Name,
                            f.Minimum,
                            f.Median,
                            f.Nanoseconds,
                            StartUpMilliseconds = f.StartUp,
                            FirstRunMilliseconds = f.FirstRun,
                        }),
                    }),
                Metering = results.Metering.Select(Pairs),
                Forms = results.Forms.Select(Pairs),
                BreakEven = results.BreakEvens.Select(b => new
                {
                    Kernel = b.Kernel.Name,
                    Engine = b.Peer.Name,
                    Iterations = b.Size,
                }),
                StartUp = results.StartUps.Select(s => new
                {
                    s.Name,
                    s.Minimum,
                    s.Median,
                    s.Milliseconds,
                }),
                Goals = Goals(results),
            },
            new JsonSerializerOptions { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase }
        );

    private static object Pairs(PairedRatio pairs) =>
        new
        {
            Kernel = pairs.Kernel.Name,
            pairs.Tier,
            pairs.Median,
            pairs.LowerQuartile,
            pairs.UpperQuartile,
            pairs.Ratios,
        };

    private static string Markdown(Results results)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{results.Date}, {results.Machine}; `{results.Command}`.\n\n");
        foreach ((string title, List<string> header, List<List<string>> rows) in Tables(results))
        {
            text.Append(CultureInfo.InvariantCulture, $"**{title}**\n\n");
            text.Append(Row(header)).Append(Row([.. header.Select((_, i) => i == 0 ? "---" : "---:")]));
            rows.ForEach(row => text.Append(Row(row)));
            text.Append('\n');
        }

        return text.ToString();

        static string Row(List<string> cells) => $"| {string.Join(" | ", cells)} |\n";
    }

    private static IEnumerable<(string Title, List<string> Header, List<List<string>> Rows)> Tables(Results results)
    {
        List<Kernel> kernels = [.. results.Figures.Select(f => f.Kernel).Distinct()];
        List<Peer> peers = [.. Peer.All.Where(p => results.Figures.Any(f => f.Peer.Name == p.Name))];
        Figure? At(Kernel kernel, string peer) =>
            results.Figures.FirstOrDefault(f => f.Kernel == kernel && f.Peer.Name == peer);
        string Cell(Kernel kernel, string peer, Func<Figure, string> show) =>
            At(kernel, peer) is { } figure ? show(figure) : "";

        List<string> columns = [.. kernels.Select(k => k.Name)];
        List<List<string>> ByPeer(Func<Figure, string> show) =>
            [.. peers.Select(p => (List<string>)[p.Name, .. kernels.Select(k => Cell(k, p.Name, show))])];

        List<List<string>> ByTier(IReadOnlyList<PairedRatio> pairs, Func<double, string> show) =>
            [
                .. pairs
                    .GroupBy(pair => pair.Tier)
                    .Select(tier =>
                        (List<string>)
                            [
                                tier.Key,
                                .. kernels.Select(k =>
                                    tier.FirstOrDefault(pair => pair.Kernel == k) is { } pair
                                        ? $"{show(pair.Median)} ({show(pair.LowerQuartile)} to {show(pair.UpperQuartile)})"
                                        : ""
                                ),
                            ]
                    ),
            ];

        List<string> units = ["per", .. kernels.Select(k => k.Unit)];
        yield return ("Nanoseconds, minimum", ["", .. columns], [units, .. ByPeer(f => Short(f.Minimum))]);
        yield return ("Nanoseconds, median", ["", .. columns], [units, .. ByPeer(f => Short(f.Median))]);

        string[] against = [Peer.CSharp, Peer.CSharpIdiomatic, Peer.LuaJit, Peer.V8, Peer.LuaJitInterpreter, Peer.Lua];
        foreach (Peer engine in peers.Where(p => p.IsOurs))
        {
            yield return (
                $"Time of {engine.Name} by that of the peer (below 1: ahead)",
                ["kernel", .. against],
                [
                    .. kernels.Select(k =>
                        (List<string>)
                            [
                                k.Name,
                                .. against.Select(p =>
                                    Cell(k, p, f => At(k, engine.Name) is { } own ? Short(own.Minimum / f.Minimum) : "")
                                ),
                            ]
                    ),
                ]
            );
        }

        yield return (
            "Cost of metering: per cent that a tier takes longer than the same tier without taking the instructions' gas, median of pairs of runs, and the quartiles",
            ["", .. columns],
            ByTier(results.Metering, Percent)
        );

        yield return (
            "Register form: how many times as fast as the stack form it is in the same tier, median of pairs of runs, and the quartiles",
            ["", .. columns],
            ByTier(results.Forms, Short)
        );

        yield return (
            "Warm-up: milliseconds by which the first run of a process, with reading and compiling the kernel, is longer than a warm one",
            ["", .. columns],
            ByPeer(f => Short(f.WarmUp(results.IsQuick)))
        );

        if (results.BreakEvens.Count > 0)
        {
            yield return (
                "Break-even: iterations from which on loading and running a new program is never slower than in the first of our engines (powers of 2 from 16 to 524,288)",
                ["kernel", "engine", "iterations"],
                [
                    .. results.BreakEvens.Select(b =>
                        (List<string>)[b.Kernel.Name, b.Peer.Name, b.Size is { } size ? $"{size}" : "none found"]
                    ),
                ]
            );
        }

        if (results.StartUps.Count > 0)
        {
            yield return (
                "A whole process that does next to nothing: milliseconds",
                ["command", "minimum", "median"],
                [.. results.StartUps.Select(s => (List<string>)[s.Name, Short(s.Minimum), Short(s.Median)])]
            );
        }

        yield return (
            "Goals",
            ["engine", "kernel", "what", "at most", "measured", "met"],
            [
                .. Goals(results)
                    .Select(goal =>
                        (List<string>)
                            [
                                goal.Engine,
                                goal.Kernel,
                                goal.What,
                                Short(goal.AtMost),
                                Short(goal.Measured),
                                goal.IsMet ? "yes" : $"no: {Short(goal.Measured / goal.AtMost)} times too much",
                            ]
                    ),
            ]
        );
    }

    /// <summary>A goal, and what was reached.</summary>
    private sealed record Verdict(string Engine, string Kernel, string What, double AtMost, double Measured)
    {
        public bool IsMet => Measured <= AtMost;
    }

    /// <summary>Of all goals of which everything was measured.</summary>
    private static List<Verdict> Goals(Results results)
    {
        List<Verdict> goals =
        [
            .. Goal
                .All.Select(g => (Goal: g, Ratio: g.Reached(results.Figures)))
                .Where(g => g.Ratio is not null)
                .Select(g => new Verdict(
                    g.Goal.Engine,
                    g.Goal.Kernel,
                    "time by that of " + g.Goal.Peer,
                    g.Goal.AtMost,
                    g.Ratio!.Value
                )),
        ];
        if (results.StartUps.FirstOrDefault(s => s.Name == StartUp.Zexus) is { } start)
        {
            goals.Add(new(start.Name, "start-up", "milliseconds", StartUp.AtMost, start.Minimum));
        }

        foreach (IGrouping<string, PairedRatio> tier in results.Metering.GroupBy(m => m.Tier))
        {
            PairedRatio worst = tier.MaxBy(m => m.Median)!;
            goals.Add(
                new(
                    tier.Key,
                    $"{worst.Kernel.Name}, the worst",
                    "time by that without a meter",
                    MostForMetering,
                    worst.Median
                )
            );
        }

        goals.AddRange(
            results
                .Forms.Where(form => form.Tier == results.Forms[0].Tier)
                .Select(form => new Verdict(
                    $"{form.Tier}, registers",
                    form.Kernel.Name,
                    "time by that of the stack form",
                    MostForRegisters,
                    1 / form.Median
                ))
        );
        return goals;
    }

    private const double MostForMetering = 1.1;

    /// <summary>One and a half times as fast.</summary>
    private const double MostForRegisters = 1 / 1.5;

    private static string Percent(double ratio) =>
        (100 * (ratio - 1)).ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    private static string Short(double number) =>
        number.ToString(
            number < 10 ? "0.00"
                : number < 100 ? "0.0"
                : "0",
            CultureInfo.InvariantCulture
        );
}
