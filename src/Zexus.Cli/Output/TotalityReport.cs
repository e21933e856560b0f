using System.Globalization;
using System.Text;
using Spectre.Console;
using Zexus.Proofs;

namespace Zexus.Cli.Output;

/// <summary>What proving the rules total came to.</summary>
internal sealed class TotalityReport(IReadOnlyList<Totality.RuleReport> reports)
{
    /// <summary>Of one rule as many complaints as a reader wants to see.</summary>
    private const int MostComplaints = 20;

    public int Count => reports.Count;

    /// <summary>Why it is red; empty when it is green.</summary>
    public IEnumerable<string> Reds()
    {
        int bad = reports.Count(report => !report.Complaints.IsEmpty);
        return bad > 0 ? [$"{bad:N0} of {reports.Count:N0} rules are not total"] : [];
    }

    public string ToText(Terminal terminal)
    {
        StringBuilder text = new();
        foreach (Totality.RuleReport report in reports.Where(report => !report.Complaints.IsEmpty))
        {
            text.Append(CultureInfo.InvariantCulture, $"totality/{report.Rule}:\n");
            foreach (string complaint in report.Complaints.Take(MostComplaints))
            {
                text.Append("  ").Append(Terminal.Printable(complaint)).Append('\n');
            }

            int more = report.Complaints.Length - MostComplaints;
            text.Append(more > 0 ? $"  and {more:N0} more\n\n" : "\n");
        }

        return text.Append(terminal.OutIsTerminal ? Table(terminal) : Lines()).ToString();
    }

    public string Summary() =>
        $"{reports.Count:N0} rules total, {reports.Sum(r => r.Combinations):N0} combinations of kinds, "
        + $"{reports.Sum(r => r.Paths):N0} paths, {reports.Sum(r => r.Branches.Length):N0} branches entered; "
        + $"without a rule yet: {string.Join(", ", Subjects.withoutRule)}";

    public IEnumerable<string> ToJson() => reports.Select(OfRule);

    private static string OfRule(Totality.RuleReport report) =>
        Json.Object(
            ("rule", Json.Of(report.Rule)),
            ("scenes", Json.Of(report.Scenes)),
            ("combinations", Json.Of(report.Combinations)),
            ("paths", Json.Of(report.Paths)),
            ("opaquePaths", Json.Of(report.OpaquePaths)),
            ("runs", Json.Of(report.Runs)),
            ("proved", Json.Of(report.Proved)),
            ("refuted", Json.Of(report.Refuted)),
            ("unknown", Json.Of(report.Unknown)),
            ("queries", Json.Of(report.Asked)),
            ("agreed", Json.Of(report.Agreed)),
            (
                "branches",
                Json.Array(
                    report.Branches.Select(branch =>
                        Json.Object(
                            ("name", Json.Of(Zexus.Spec.Branches.name(branch.Branch.Item1, branch.Branch.Item2))),
                            ("shown", branch.Shown.IsOk ? Json.Of(Word(branch.Shown.ResultValue)) : "null")
                        )
                    )
                )
            ),
            ("seconds", report.Time.TotalSeconds.ToString("F3", CultureInfo.InvariantCulture)),
            ("complaints", Json.Array(report.Complaints.Select(Json.Of)))
        );

    private static string Word(Totality.Shown shown) =>
        shown.IsModel ? "model"
        : shown.IsValues ? "values"
        : "witness";

    private static readonly string[] Columns =
    [
        "rule",
        "kinds",
        "paths",
        "opaque",
        "runs",
        "branches",
        "models",
        "values",
        "witnesses",
        "proved",
        "refuted",
        "unknown",
        "agreed",
        "time",
    ];

    private static string[] Row(Totality.RuleReport report) =>
        [
            report.Rule,
            $"{report.Combinations:N0}",
            $"{report.Paths:N0}",
            $"{report.OpaquePaths:N0}",
            $"{report.Runs:N0}",
            $"{report.Branches.Length:N0}",
            $"{report.Count(Totality.Shown.Model):N0}",
            $"{report.Count(Totality.Shown.Values):N0}",
            $"{report.Count(Totality.Shown.Witness):N0}",
            $"{report.Proved:N0}",
            $"{report.Refuted:N0}",
            $"{report.Unknown:N0}",
            $"{report.Agreed:N0}/{report.Asked:N0}",
            $"{report.Time.TotalSeconds:N1} s",
        ];

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
            table.AddColumn(column == "rule" ? new TableColumn(column) : new TableColumn(column).RightAligned());
        }

        foreach (Totality.RuleReport report in reports)
        {
            Style style = report.Complaints.IsEmpty ? Style.Plain : new Style(Color.Red);
            table.AddRow(Row(report).Select(cell => new Text(cell, style)));
        }

        return Consoles.Text(table, terminal);
    }
}
