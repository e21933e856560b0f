using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Spectre.Console;
using Zexus.Differential;
using Zexus.Vm;

namespace Zexus.Cli.Output;

/// <summary>What a check came to.</summary>
/// <param name="result">The campaign's.</param>
/// <param name="isWhole">Vectors and examples were among the programs, so that every branch should have been reached.</param>
/// <param name="saved">Where the divergences were saved.</param>
internal sealed class CheckReport(CampaignResult result, bool isWhole, string[] saved)
{
    public bool IsGreen => Reds().Count == 0;

    public string ToText(Terminal terminal)
    {
        StringBuilder text = new();
        foreach (Report report in result.Reports)
        {
            text.Append(Reporting.text(report)).Append('\n');
        }

        text.Append(terminal.OutIsTerminal ? Table(terminal) : Lines());
        foreach (LevelResult level in isWhole ? result.Levels.Where(level => level.Missing.Length > 0) : [])
        {
            text.Append($"\nnot reached at level {level.Name}: {string.Join(' ', level.Missing)}\n");
        }

        foreach (string path in saved)
        {
            text.Append("\nsaved ").Append(Terminal.Printable(path));
        }

        text.Append(saved.Length > 0 ? "\n" : "");
        List<string> reds = Reds();
        text.Append(reds.Count == 0 ? "\nno divergence" : "\nFAILED: " + string.Join("; ", reds));
        return text.ToString();
    }

    public string ToJson() =>
        Json.Document(
            ("status", Json.Of(IsGreen ? "passed" : "failed")),
            ("failures", Json.Array(Reds().Select(Json.Of))),
            ("seed", Json.Of(result.Seed)),
            ("programs", Json.Of(result.Programs)),
            ("saved", Json.Of(result.Saved)),
            (
                "calls",
                Json.Object(
                    ("calls", Json.Of(result.Calls)),
                    ("limits", Json.Of(result.Limits)),
                    ("ranOut", Json.Of(result.RanOut))
                )
            ),
            ("accepted", Json.Of(result.Accepted)),
            ("refused", Json.Of(result.Refused)),
            ("steps", Json.Of(result.Steps)),
            ("seconds", result.Elapsed.TotalSeconds.ToString("F3", CultureInfo.InvariantCulture)),
            ("workers", Json.Of(result.Workers)),
            (
                "branches",
                Json.Object(
                    ("reached", Json.Of(result.BranchesReached)),
                    ("all", Json.Of(result.Branches)),
                    ("missing", Json.Array(result.Missing.Select(Json.Of))),
                    ("undeclared", Json.Array(result.Undeclared.Select(Json.Of)))
                )
            ),
            ("levels", Json.Array(result.Levels.Select(LevelJson))),
            ("loops", Json.Of(result.Loops)),
            ("loopsNeverCompiled", Json.Array(result.LoopsNeverCompiled.Select(Json.Of))),
            ("neverCompiled", Json.Array(result.NeverCompiled.Select(Json.Of))),
            ("exitsNeverTaken", Json.Array(result.ExitsNeverTaken.Select(Json.Of))),
            ("unexpectedRefusals", Json.Array(result.UnexpectedRefusals.Select(Json.Of))),
            ("tooLarge", Json.Of(result.TooLarge)),
            ("neverThreaded", Json.Array(result.NeverThreaded.Select(Json.Of))),
            ("faults", Counts(result.Faults)),
            ("refusals", Counts(result.Refusals)),
            ("divergences", Json.Of(result.Divergences)),
            ("reports", Json.Array(result.Reports.Select(ReportJson)))
        );

    /// <summary>Why it is red; empty when it is green.</summary>
    private List<string> Reds()
    {
        List<string> reds = [];
        if (result.Divergences > 0)
        {
            reds.Add(result.Divergences == 1 ? "1 divergence" : $"{result.Divergences:N0} divergences");
        }

        if (result.StoppedEarly)
        {
            reds.Add("so many that the rest was not run");
        }

        if (result.Programs == 0)
        {
            reds.Add("no program was run");
        }

        if (isWhole && result.Saved == 0)
        {
            reds.Add("no saved program was run");
        }

        if (result.Undeclared.Length > 0)
        {
            reds.Add("branches that no list declares: " + string.Join(' ', result.Undeclared));
        }

        foreach (LevelResult level in isWhole ? result.Levels : [])
        {
            if (!level.IsChecked)
            {
                reds.Add($"no step was compared at level {level.Name}");
            }
            else if (level.Missing.Length > 0)
            {
                reds.Add($"{level.Missing.Length} rule branches were not reached at level {level.Name}");
            }

            if (level.Facts == 0)
            {
                reds.Add($"no fact of the kind analysis was compared at level {level.Name}");
            }

            if (level.IsRegisterFormOnlyByName)
            {
                reds.Add($"nothing ran in registers at level {level.Name}");
            }

            if (result.Loops > 0 && Levels.isRegisterForm(level.Level) && level.Spilled == 0)
            {
                reds.Add($"no value was spilled at level {level.Name}");
            }

            if (!level.IsCollected)
            {
                reds.Add($"no forced collection freed a cell at level {level.Name}");
            }
        }

        if (isWhole && result.RanOut == 0)
        {
            reds.Add("no call of a contract ran out of gas");
        }

        if (result.RanOut < result.Limits)
        {
            reds.Add(
                $"{result.Limits - result.RanOut:N0} of {result.Limits:N0} executions with too little gas did not run out of it"
            );
        }

        // One level's programs do not reach all that threaded and compiled code can do; everything that is saved does.
        if (isWhole && result.NeverThreaded.Length > 0)
        {
            reds.Add("threaded code never came to: " + string.Join(", ", result.NeverThreaded));
        }

        if (isWhole && result.NeverCompiled.Length > 0)
        {
            reds.Add("compiled code never came to: " + string.Join(", ", result.NeverCompiled));
        }

        if (isWhole && result.ExitsNeverTaken.Length > 0)
        {
            reds.Add("compiled code has exits that it never took: " + string.Join(", ", result.ExitsNeverTaken));
        }

        if (result.UnexpectedRefusals.Length > 0)
        {
            reds.Add("not compiled: " + string.Join(", ", result.UnexpectedRefusals));
        }

        if (isWhole && result.IsTooOftenTooLarge)
        {
            reds.Add(
                $"too large to be compiled: {result.TooLarge:N0}, more than one for a thousand that were compiled"
            );
        }

        if (isWhole && result.LoopsNeverCompiled.Length > 0)
        {
            reds.Add("loop-heavy programs never came to: " + string.Join(", ", result.LoopsNeverCompiled));
        }

        return reds;
    }

    private List<(string Name, string Text)> Rows()
    {
        List<(string, string)> rows =
        [
            (
                "programs",
                $"{result.Programs:N0}: {result.Saved:N0} saved, {result.Calls:N0} calls of contracts, {result.Programs - result.Saved - result.Calls:N0} generated (seed {result.Seed}), {result.Loops:N0} of them loop-heavy; "
                    + $"{result.Accepted:N0} ran, {result.Refused:N0} refused"
            ),
            ("steps compared", $"{result.Steps:N0}"),
            (
                "steps per second",
                $"{result.StepsPerSecond * result.Workers:N0}, {result.StepsPerSecond:N0} on each of {result.Workers} processes"
            ),
            ("time", $"{result.Elapsed.TotalSeconds:N1} s"),
        ];
        foreach (LevelResult level in result.Levels)
        {
            rows.Add(($"level {level.Name}", Spell(level)));
        }

        string exits = string.Join(
            ", ",
            JitStatistics.ExitKinds.Select(kind => $"{kind} {result.CompiledCount("exit " + kind):N0}")
        );
        long operations = JitStatistics.Operations.Sum(op => result.CompiledCount("op " + op));
        rows.Add(
            (
                "compiled",
                $"{result.CompiledCount("executions"):N0} executions, {result.CompiledCount("pieces"):N0} pieces entered {result.CompiledCount("entered"):N0} times: "
                    + $"{operations:N0} instructions, {JitStatistics.Operations.Count(op => result.CompiledCount("op " + op) > 0)} of {JitStatistics.Operations.Length} operations; side exits: {exits}"
            )
        );
        string inlinedExits = string.Join(
            ", ",
            JitStatistics.InlinedExitKinds.Select(kind => $"{kind} {result.CompiledCount("inlined exit " + kind):N0}")
        );
        rows.Add(
            (
                "inlined callees",
                $"called {result.CompiledCount("op CallInlined"):N0} times; left in the middle: {inlinedExits}; {result.CompiledCount("nested exits"):N0} of these out of callees of callees"
            )
        );
        if (result.Loops > 0)
        {
            string loopExits = string.Join(
                ", ",
                JitStatistics.ExitKinds.Select(kind => $"{kind} {result.CompiledCount("loop exit " + kind):N0}")
            );
            rows.Add(
                (
                    "running loops",
                    $"entered {result.CompiledCount("loop entered"):N0} times by {result.CompiledCount("loop executions entered"):N0} "
                        + $"of {result.CompiledCount("loop executions"):N0} executions of loop-heavy programs; left in the middle: {loopExits}"
                )
            );
        }

        if (result.Calls > 0)
        {
            rows.Add(
                (
                    "too little gas",
                    $"{result.Calls:N0} calls of contracts, once more with {result.Limits:N0} limits that are too small: {result.RanOut:N0} ran out of gas"
                )
            );
        }

        rows.Add(("threaded", SpellThreaded()));
        rows.Add(("faults seen", Seen(result.Faults)));
        rows.Add(("refusals seen", Seen(result.Refusals)));
        rows.Add(("divergences", $"{result.Divergences:N0}"));
        return rows;
    }

    private string SpellThreaded()
    {
        ImmutableArray<string> operations = ThreadedStatistics.Operations;
        string exits = string.Join(
            ", ",
            ThreadedStatistics.ExitKinds.Select(kind => $"{kind} {result.CompiledCount("threaded exit " + kind):N0}")
        );
        return $"{result.CompiledCount("threaded executions"):N0} executions, {result.CompiledCount("threaded functions"):N0} functions: "
            + $"{operations.Sum(op => result.CompiledCount("threaded op " + op)):N0} wide instructions, "
            + $"{operations.Count(op => result.CompiledCount("threaded op " + op) > 0)} of {operations.Length} operations, "
            + $"{operations.Sum(op => result.CompiledCount("threaded source " + op)):N0} done by the source; exits: {exits}";
    }

    private string Spell(LevelResult level)
    {
        string size = level.Before == 0 ? "" : $", {100.0 * (level.Before - level.After) / level.Before:N1} % shorter";
        string registers = Levels.isRegisterForm(level.Level)
            ? $"; {level.Converted:N0} functions converted, {level.WithoutRegisters:N0} without registers to spare, {level.RegisterSteps:N0} steps on registers, {level.Spilled:N0} values spilled"
            : "";
        string branches = isWhole ? $"{level.BranchesReached:N0} of {result.Branches:N0} branches; " : "";
        string collected =
            $"; {level.Collected:N0} with {level.Collections:N0} collections forced, {level.Freed:N0} cells freed";
        return $"{branches}{level.Executions:N0} executions, {level.Stepwise:N0} of them step by step: {level.Steps:N0} steps, {level.Facts:N0} facts{collected}{(level.Level == 0 ? "" : size)}{registers}";
    }

    private static string Seen(KeyValuePair<string, long>[] counts) =>
        counts.Length == 0 ? "none" : string.Join(", ", counts.Select(c => $"{c.Key} {c.Value:N0}"));

    private string Lines()
    {
        StringBuilder text = new();
        foreach ((string name, string value) in Rows())
        {
            text.Append($"{name, -17} {value}\n");
        }

        return text.ToString();
    }

    private string Table(Terminal terminal)
    {
        Table table = new Table().HideHeaders().Border(TableBorder.Rounded).AddColumn("").AddColumn("");
        foreach ((string name, string value) in Rows())
        {
            Style style =
                name == "divergences" ? new Style(result.Divergences == 0 ? Color.Green : Color.Red) : Style.Plain;
            table.AddRow(new Text(name), new Text(value, style));
        }

        return Consoles.Text(table, terminal);
    }

    private static string Counts(KeyValuePair<string, long>[] counts) =>
        Json.Object(counts.Select(c => (c.Key, Json.Of(c.Value))));

    private string LevelJson(LevelResult level) =>
        Json.Object(
            ("level", Json.Of(Levels.optimization(level.Level))),
            ("registers", Json.Of(Levels.isRegisterForm(level.Level))),
            ("converted", Json.Of(level.Converted)),
            ("withoutRegisters", Json.Of(level.WithoutRegisters)),
            ("registerSteps", Json.Of(level.RegisterSteps)),
            ("spilled", Json.Of(level.Spilled)),
            ("executions", Json.Of(level.Executions)),
            ("stepwise", Json.Of(level.Stepwise)),
            ("steps", Json.Of(level.Steps)),
            ("facts", Json.Of(level.Facts)),
            ("collected", Json.Of(level.Collected)),
            ("collections", Json.Of(level.Collections)),
            ("freed", Json.Of(level.Freed)),
            ("compiled", Json.Object(level.Compiled.Select(c => (c.Key, Json.Of(c.Value))))),
            ("before", Json.Of(level.Before)),
            ("after", Json.Of(level.After)),
            (
                "branches",
                Json.Object(
                    ("reached", Json.Of(level.BranchesReached)),
                    ("all", Json.Of(result.Branches)),
                    ("missing", Json.Array(level.Missing.Select(Json.Of)))
                )
            )
        );

    private static string ReportJson(Report report) =>
        Json.Object(
            ("replay", Json.Of(report.Replay)),
            ("level", Json.Of(report.Divergence.Level < 0 ? -1 : Levels.optimization(report.Divergence.Level))),
            ("registers", Json.Of(Levels.isRegisterForm(report.Divergence.Level))),
            ("times", Json.Of(report.Times)),
            ("trouble", Json.Of(report.Divergence.Trouble.ToString())),
            ("rule", Json.Of(report.Divergence.Rule)),
            ("step", Json.Of(report.Divergence.Step)),
            ("function", Json.Of(report.Divergence.Function)),
            ("instruction", Json.Of(report.Divergence.Instruction)),
            (
                "differences",
                Json.Array(
                    report.Divergence.Differences.Select(d =>
                        Json.Object(
                            ("what", Json.Of(d.What)),
                            ("oracle", Json.Of(d.Oracle)),
                            ("engine", Json.Of(d.Engine))
                        )
                    )
                )
            ),
            ("instructions", Json.Of(Reporting.size(report.Case))),
            ("vector", Vector.toLine(report.Case)),
            ("text", Json.Of(Reporting.text(report)))
        );
}
