using System.Globalization;
using System.Text;
using Spectre.Console;
using Zexus.Proofs;
using Zexus.Vm;

namespace Zexus.Cli.Output;

/// <summary>What proving came to.</summary>
internal sealed class ProveReport(
    IReadOnlyList<Prover.RewriteReport> reports,
    TotalityReport totality,
    AnswerCache.AnswerCache cache
)
{
    public bool IsGreen => Reds().Count == 0;

    public string ToText(Terminal terminal)
    {
        StringBuilder text = new();
        foreach (Prover.RewriteReport report in reports)
        {
            string[] complaints = [.. Prover.complaints(report)];
            if (complaints.Length == 0)
            {
                continue;
            }

            text.Append(CultureInfo.InvariantCulture, $"{report.Rewrite.Name}: {report.Rewrite.Equation}\n");
            foreach (string complaint in complaints)
            {
                text.Append("  ").Append(complaint).Append('\n');
            }

            if (FirstCounterexample(report) is { } counterexample)
            {
                text.Append(Counterexamples.Text(counterexample));
            }

            text.Append('\n');
        }

        List<string> summary = [];
        if (reports.Count > 0)
        {
            text.Append(terminal.OutIsTerminal ? Table(terminal) : Lines()).Append('\n');
            summary.Add(
                $"{reports.Count:N0} rewrites proved, {reports.Sum(r => r.Cases.Length):N0} cases, {Branches().Length:N0} rule branches entered"
            );
        }

        if (totality.Count > 0)
        {
            text.Append(totality.ToText(terminal)).Append('\n');
            summary.Add(totality.Summary());
        }

        List<string> reds = Reds();
        text.Append(reds.Count == 0 ? string.Join("\n", summary) : "FAILED: " + string.Join("; ", reds));
        return text.ToString();
    }

    public string ToJson() =>
        Json.Document(
            ("status", Json.Of(IsGreen ? "passed" : "failed")),
            ("failures", Json.Array(Reds().Select(Json.Of))),
            ("answers", Json.Of(cache.Asked)),
            ("answersKept", Json.Of(cache.Found)),
            ("branches", Json.Array(Branches().Select(Json.Of))),
            ("rewrites", Json.Array(reports.Select(OfRewrite))),
            ("totality", Json.Array(totality.ToJson())),
            ("withoutRule", Json.Array(Subjects.withoutRule.Select(Json.Of)))
        );

    /// <summary>The rule branches that the symbolic runs entered.</summary>
    private string[] Branches() =>
        [
            .. reports
                .SelectMany(report => report.Cases)
                .SelectMany(item => item.Case.Branches)
                .Select(branch => Zexus.Spec.Branches.name(branch.Item1, branch.Item2))
                .Distinct()
                .Order(StringComparer.Ordinal),
        ];

    private static string OfRewrite(Prover.RewriteReport report) =>
        Json.Object(
            ("name", Json.Of(report.Rewrite.Name)),
            ("equation", Json.Of(report.Rewrite.Equation)),
            ("technique", Json.Of(report.Rewrite.Technique.ToString())),
            ("level", Json.Of(report.Rewrite.Level)),
            ("preconditions", Json.Array(report.Rewrite.Preconditions.Select(p => Json.Of(p.Describe)))),
            ("cases", Json.Of(report.Cases.Length)),
            ("proved", Json.Of(report.Proved)),
            ("refuted", Json.Of(report.Refuted)),
            ("unknown", Json.Of(report.Unknown)),
            ("queries", Json.Of(report.Asked)),
            ("agreed", Json.Of(report.Agreed)),
            ("seconds", report.Time.TotalSeconds.ToString("F3", CultureInfo.InvariantCulture)),
            ("complaints", Json.Array(Prover.complaints(report).Select(Json.Of))),
            (
                "counterexample",
                FirstCounterexample(report) is { } counterexample ? Counterexamples.OfJson(counterexample) : "null"
            )
        );

    private static Replay.Replayed? FirstCounterexample(Prover.RewriteReport report) =>
        report
            .Cases.Select(c => c.Verdict)
            .OfType<Prover.Verdict.Refuted>()
            .Select(refuted => refuted.Item)
            .OrderByDescending(replayed => replayed.IsConfirmed)
            .FirstOrDefault();

    /// <summary>Why it is red; empty when it is green.</summary>
    private List<string> Reds()
    {
        List<string> reds = [];
        if (reports.Count + totality.Count == 0)
        {
            reds.Add("nothing was proved");
        }

        int bad = reports.Count(report => !Prover.complaints(report).IsEmpty);
        if (bad > 0)
        {
            reds.Add($"{bad:N0} of {reports.Count:N0} rewrites");
        }

        reds.AddRange(totality.Reds());
        return reds;
    }

    private static readonly string[] Columns =
    [
        "rewrite",
        "cases",
        "proved",
        "refuted",
        "unknown",
        "needs",
        "twin",
        "agreed",
        "time",
    ];

    private static string[] Row(Prover.RewriteReport report)
    {
        int needed = report.Needs.Count(need => need.Verdict is Prover.Verdict.Refuted { Item.IsConfirmed: true });
        return
        [
            report.Rewrite.Name,
            $"{report.Cases.Length:N0}",
            $"{report.Proved:N0}",
            $"{report.Refuted:N0}",
            $"{report.Unknown:N0}",
            $"{needed:N0}/{report.Needs.Length:N0}",
            report.Twin is Prover.Verdict.Refuted { Item.IsConfirmed: true } ? "refuted" : "NOT REFUTED",
            $"{report.Agreed:N0}/{report.Asked:N0}",
            $"{report.Time.TotalSeconds:N1} s",
        ];
    }

    private string Lines()
    {
        List<string[]> rows = [Columns, .. reports.Select(Row)];
        int[] widths = [.. Columns.Select((_, column) => rows.Max(row => row[column].Length))];
        StringBuilder text = new();
        foreach (string[] row in rows)
        {
            IEnumerable<string> cells = row.Select(
                (cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column])
            );
            text.Append(string.Join("  ", cells).TrimEnd()).Append('\n');
        }

        return text.ToString();
    }

    private string Table(Terminal terminal)
    {
        Table table = new Table().Border(TableBorder.Rounded);
        foreach (string column in Columns)
        {
            table.AddColumn(column == "rewrite" ? new TableColumn(column) : new TableColumn(column).RightAligned());
        }

        foreach (Prover.RewriteReport report in reports)
        {
            Style style = Prover.complaints(report).IsEmpty ? Style.Plain : new Style(Color.Red);
            table.AddRow(Row(report).Select(cell => new Text(cell, style)));
        }

        return Consoles.Text(table, terminal);
    }
}
