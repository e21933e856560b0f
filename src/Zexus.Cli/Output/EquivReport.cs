using System.Globalization;
using System.Text;
using Zexus.Isa;
using Zexus.Proofs;

namespace Zexus.Cli.Output;

/// <summary>What a comparison of two programs came to.</summary>
internal sealed class EquivReport(
    ProgramEquivalence.Report report,
    ProgramEquivalence.Side left,
    ProgramEquivalence.Side right,
    ProgramEquivalence.Options options
)
{
    private const int MostPaths = 5;

    private const int MostDecisions = 12;

    private const int MostText = 120;

    /// <summary>Null when the programs were not told apart.</summary>
    public ProgramEquivalence.Counterexample? Counterexample =>
        (report.Verdict as ProgramEquivalence.Verdict.Different)?.Item;

    public int ExitCode =>
        report.Verdict.IsEquivalent ? Cli.ExitCode.Completed
        : report.Verdict.IsDifferent ? Cli.ExitCode.Faulted
        : Cli.ExitCode.Undecided;

    private IReadOnlyList<ProgramEquivalence.Unsettled> Unsettled =>
        (report.Verdict as ProgramEquivalence.Verdict.Undecided)?.Item ?? [];

    private string Observables =>
        options.IgnoresGas
            ? "everything that can be observed but gas"
            : "everything that can be observed, gas included";

    private string Bound =>
        report.AtBound == 0
            ? "every loop ends by itself"
            : $"loops whose end depends on what is unknown turn up to {options.Unroll} times; {report.AtBound} paths would turn on (--unroll)";

    public string ToText(Terminal terminal, string? stateFile)
    {
        StringBuilder text = new();
        void Line(string name, string value) =>
            text.Append(terminal.OutHasColour ? $"\u001b[2m{name, -12}\u001b[0m" : $"{name, -12}")
                .Append(' ')
                .Append(value)
                .Append('\n');

        if (Counterexample is { } difference)
        {
            Line("different", "confirmed on oracle and engine");
            Line("state", StateText(difference));
            Line(
                "block",
                $"timestamp {difference.Timestamp}, height {difference.Height}, caller {Json.Of(difference.Caller)}"
            );
            Line("gas limit", difference.GasLimit.ToString(CultureInfo.InvariantCulture));
            foreach (
                (string what, string a, string b) in Counterexamples.Differences(
                    difference.OracleLeft,
                    difference.OracleRight
                )
            )
            {
                Line(what, Terminal.Printable(a));
                Line("  against", Terminal.Printable(b));
            }

            if (!options.IsTranslation)
            {
                string state =
                    difference.State.IsEmpty ? ""
                    : stateFile is null ? " --state FILE (--state-out FILE writes it)"
                    : $" --state {stateFile}";
                foreach (string name in (string[])[left.Name, right.Name])
                {
                    Line("again", $"./zexus run {name}{state}{BlockOptions(difference)} --gas {difference.GasLimit}");
                }
            }
        }
        else if (Unsettled is { Count: > 0 } paths)
        {
            Line("undecided", $"{paths.Count} paths were not settled; no difference was found in {Observables}");
            foreach (ProgramEquivalence.Unsettled path in paths.Take(MostPaths))
            {
                Line("path", $"of {path.Side}: {Terminal.Printable(path.Reason)}");
                foreach (string decision in path.Decisions.Take(MostDecisions))
                {
                    Line("", "where " + Short(Terminal.Printable(decision)));
                }

                if (path.Decisions.Length > MostDecisions)
                {
                    Line("", $"and {path.Decisions.Length - MostDecisions} more");
                }
            }

            if (paths.Count > MostPaths)
            {
                Line("", $"and {paths.Count - MostPaths} more paths (--json has all)");
            }

            Line("loops", Bound);
        }
        else
        {
            Line("equivalent", $"in {Observables}, for every state, block and gas limit");
            Line("loops", Bound);
        }

        Line(
            "paths",
            $"{report.Paths.Item1:N0} and {report.Paths.Item2:N0}, {report.Queries:N0} queries to z3 and cvc5, "
                + report.Time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)
                + " s"
        );
        return text.ToString().TrimEnd('\n');
    }

    public string ToJson() => Json.Document(Fields());

    /// <summary>The fields of the JSON document.</summary>
    public IEnumerable<(string Name, string Value)> Fields()
    {
        yield return (
            "status",
            Json.Of(
                report.Verdict.IsEquivalent ? "equivalent"
                : report.Verdict.IsDifferent ? "different"
                : "undecided"
            )
        );
        yield return ("ignoresGas", Json.Of(options.IgnoresGas));
        yield return ("unroll", Json.Of(options.Unroll));
        yield return ("pathsAtBound", Json.Of(report.AtBound));
        yield return ("paths", Json.Array([Json.Of(report.Paths.Item1), Json.Of(report.Paths.Item2)]));
        yield return ("queries", Json.Of(report.Queries));
        if (Counterexample is { } difference)
        {
            yield return (
                "counterexample",
                Json.Object(
                    ("confirmed", Json.Of(difference.IsConfirmed)),
                    (
                        "state",
                        Json.Object(difference.State.Select(entry => (entry.Key, Json.Of(Node.Of(entry.Value)))))
                    ),
                    ("timestamp", Json.Of(difference.Timestamp)),
                    ("height", Json.Of(difference.Height)),
                    ("caller", Json.Of(difference.Caller)),
                    ("gasLimit", Json.Of(difference.GasLimit)),
                    (
                        "differences",
                        Json.Array(
                            Counterexamples
                                .Differences(difference.OracleLeft, difference.OracleRight)
                                .Select(d =>
                                    Json.Object(
                                        ("what", Json.Of(d.What)),
                                        ("first", Json.Of(d.Left)),
                                        ("second", Json.Of(d.Right))
                                    )
                                )
                        )
                    )
                )
            );
        }

        yield return (
            "unsettled",
            Json.Array(
                Unsettled.Select(path =>
                    Json.Object(
                        ("side", Json.Of(path.Side)),
                        ("reason", Json.Of(path.Reason)),
                        ("decisions", Json.Array(path.Decisions.Select(Json.Of)))
                    )
                )
            )
        );
    }

    /// <summary>Conditions over many charges are long; --json has them whole.</summary>
    private static string Short(string text) => text.Length <= MostText ? text : text[..MostText] + "…";

    private static string StateText(ProgramEquivalence.Counterexample difference) =>
        difference.State.IsEmpty
            ? "empty"
            : string.Join(
                ", ",
                difference.State.Select(entry => $"{Json.Of(entry.Key)}: {Literal.Of(Node.Of(entry.Value))}")
            );

    private static string BlockOptions(ProgramEquivalence.Counterexample difference) =>
        (difference.Timestamp == 0 ? "" : $" --timestamp {difference.Timestamp}")
        + (difference.Height == 0 ? "" : $" --height {difference.Height}")
        + (difference.Caller == "" ? "" : $" --caller {Json.Of(difference.Caller)}");
}
