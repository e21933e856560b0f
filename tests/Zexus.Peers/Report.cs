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
    IReadOnlyList<MeteringCost> Metering,
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
                Metering = results.Metering.Select(m => new
                {
                    Kernel = m.Kernel.Name,
                    m.Tier,
                    m.Percent,
                    m.LowerQuartile,
                    m.UpperQuartile,
                    m.Ratios,
                }),
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
                Goals = Goal
                    .All.Select(g => new
                    {
                        g.Engine,
                        g.Kernel,
                        g.Peer,
                        g.AtMost,
                        Ratio = g.Reached(results.Figures),
                    })
                    .Where(g => g.Ratio is not null),
            },
            new JsonSerializerOptions { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase }
        );

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
            [
                .. results
                    .Metering.GroupBy(m => m.Tier)
                    .Select(tier =>
                        (List<string>)
                            [
                                tier.Key,
                                .. kernels.Select(k =>
                                    tier.FirstOrDefault(m => m.Kernel == k) is { } cost ? Signed(cost) : ""
                                ),
                            ]
                    ),
            ]
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

        List<(Goal Goal, double Ratio)> goals =
        [
            .. Goal
                .All.Where(g => g.Reached(results.Figures) is not null)
                .Select(g => (g, g.Reached(results.Figures)!.Value)),
        ];
        List<List<string>> rows =
        [
            .. goals.Select(g =>
                Row(g.Goal.Engine, g.Goal.Kernel, "time by that of " + g.Goal.Peer, g.Goal.AtMost, g.Ratio)
            ),
        ];
        if (results.StartUps.FirstOrDefault(s => s.Name == StartUp.Zexus) is { } start)
        {
            rows.Add(Row(start.Name, "start-up", "milliseconds", StartUp.AtMost, start.Minimum));
        }

        foreach (IGrouping<string, MeteringCost> tier in results.Metering.GroupBy(m => m.Tier))
        {
            MeteringCost worst = tier.MaxBy(m => m.Percent)!;
            rows.Add([
                tier.Key,
                $"{worst.Kernel.Name}, the worst",
                "per cent of metering",
                Short(MostForMetering),
                Short(worst.Percent),
                worst.Percent < MostForMetering ? "yes" : $"no: {Short(worst.Percent - MostForMetering)} too much",
            ]);
        }

        yield return ("Goals", ["engine", "kernel", "what", "at most", "measured", "met"], rows);

        static List<string> Row(string engine, string kernel, string what, double atMost, double measured) =>
            [
                engine,
                kernel,
                what,
                Short(atMost),
                Short(measured),
                measured <= atMost ? "yes" : $"no: {Short(measured / atMost)} times too much",
            ];
    }

    /// <summary>In per cent.</summary>
    private const double MostForMetering = 10;

    private static string Signed(MeteringCost cost) =>
        $"{Signed(cost.Percent)} ({Signed(cost.LowerQuartile)} to {Signed(cost.UpperQuartile)})";

    private static string Signed(double percent) => percent.ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    private static string Short(double number) =>
        number.ToString(
            number < 10 ? "0.00"
                : number < 100 ? "0.0"
                : "0",
            CultureInfo.InvariantCulture
        );
}
