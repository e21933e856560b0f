using System.Globalization;
using System.Text;
using Zexus.Cli.Files;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Output;

/// <summary>What a profile says: tables for a person, JSON, a page.</summary>
internal sealed class ProfileReport(ProgramFile program, Profile profile, Fault? fault)
{
    private const string Place = "/*PROFILE*/";

    private sealed record Sum(string Name, long Count, long Gas);

    private IReadOnlyList<Sum> Opcodes =>
        [
            .. profile
                .Instructions.GroupBy(i => InstructionText.Mnemonic(program.Program, i.Function, i.Instruction))
                .Select(g => new Sum(g.Key, g.Sum(i => i.Count), g.Sum(i => i.Gas)))
                .OrderByDescending(sum => sum.Count)
                .ThenBy(sum => sum.Name, StringComparer.Ordinal),
        ];

    /// <summary>Empty when the program has no lines.</summary>
    private IReadOnlyList<(int Line, string Text, long Count, long Gas)> Lines =>
        [
            .. profile
                .Instructions.Where(i => program.Line(i.Function, i.Instruction) is not null)
                .GroupBy(i => program.Line(i.Function, i.Instruction)!.Value)
                .Select(g =>
                    (
                        g.Key,
                        string.Join("; ", g.Select(i => Text(i.Function, i.Instruction))),
                        g.Sum(i => i.Count),
                        g.Sum(i => i.Gas)
                    )
                )
                .OrderBy(line => line.Key),
        ];

    public void Write(TextWriter output, int top)
    {
        output.WriteLine(
            $"{(fault is null ? "completed" : "faulted: " + fault.Name)}: {profile.Steps} steps, {profile.Gas} gas, {Time(profile.Duration)} with counting"
        );

        void Table<T>(string title, IReadOnlyCollection<T> rows, Func<T, string> show)
        {
            if (rows.Count == 0)
            {
                return;
            }

            output.WriteLine();
            output.WriteLine(title);
            foreach (T row in rows.Take(top))
            {
                output.WriteLine(show(row));
            }

            if (rows.Count > top)
            {
                output.WriteLine($"  … and {rows.Count - top} more (--top)");
            }
        }

        Table(
            $"  {"function", -24} {"calls", 10} {"own time", 10} {"total", 10} {"own steps", 12} {"own gas", 12}   {"p50", 9} {"p90", 9} {"p99", 9} {"longest", 9}",
            [.. profile.Functions.OrderByDescending(f => f.Own.Time)],
            f =>
                $"  {Name(f.Function), -24} {f.Calls, 10} {Time(f.Own.Time), 10} {Time(f.Total.Time), 10} {f.Own.Steps, 12} {f.Own.Gas, 12}   {Time(f.Durations.P50), 9} {Time(f.Durations.P90), 9} {Time(f.Durations.P99), 9} {Time(f.Durations.Longest), 9}"
        );
        Table(
            $"  {"loop", -44} {"turns", 12} {"steps", 12} {"of all", 7}",
            profile.Loops,
            l =>
                $"  {At(l.Function, l.First) + " to " + l.Last.ToString(CultureInfo.InvariantCulture) + LineOf(l.Function, l.First), -44} {l.Turns, 12} {l.Steps, 12} {Share(l.Steps), 7}"
        );
        Table(
            $"  {"conditional jump", -44} {"count", 12} {"jumped", 12} {"", 7}",
            [.. profile.Instructions.Where(i => i.Taken is not null).OrderByDescending(i => i.Count)],
            i =>
                $"  {At(i.Function, i.Instruction) + " " + Text(i.Function, i.Instruction), -44} {i.Count, 12} {i.Taken, 12} {Percent(i.Taken!.Value, i.Count), 7}"
        );
        Table(
            $"  {"line", -44} {"count", 12} {"gas", 12} {"of all", 7}",
            [.. Lines.OrderByDescending(l => l.Count).ThenBy(l => l.Line)],
            l => $"  {l.Line + " " + l.Text, -44} {l.Count, 12} {l.Gas, 12} {Share(l.Count), 7}"
        );
        if (Lines.Count == 0)
        {
            Table(
                $"  {"instruction", -44} {"count", 12} {"gas", 12} {"of all", 7}",
                [.. profile.Instructions.OrderByDescending(i => i.Count)],
                i =>
                    $"  {At(i.Function, i.Instruction) + " " + Text(i.Function, i.Instruction), -44} {i.Count, 12} {i.Gas, 12} {Share(i.Count), 7}"
            );
        }

        Table(
            $"  {"opcode", -44} {"count", 12} {"gas", 12} {"of all", 7}",
            Opcodes,
            o => $"  {o.Name, -44} {o.Count, 12} {o.Gas, 12} {Share(o.Count), 7}"
        );
    }

    public string ToJson() =>
        Json.Document(
            ("status", Json.Of(fault is null ? "completed" : "faulted")),
            ("fault", fault is null ? "null" : Json.Of(fault.Name)),
            ("steps", Json.Of(profile.Steps)),
            ("gas", Json.Of(profile.Gas)),
            ("nanoseconds", Nanoseconds(profile.Duration)),
            ("functions", Json.Array(profile.Functions.Select(FunctionJson))),
            ("loops", Json.Array(profile.Loops.Select(LoopJson))),
            (
                "lines",
                Json.Array(
                    Lines.Select(l =>
                        Json.Object(
                            ("line", Json.Of(l.Line)),
                            ("text", Json.Of(l.Text)),
                            ("count", Json.Of(l.Count)),
                            ("gas", Json.Of(l.Gas))
                        )
                    )
                )
            ),
            (
                "opcodes",
                Json.Array(
                    Opcodes.Select(o =>
                        Json.Object(("opcode", Json.Of(o.Name)), ("count", Json.Of(o.Count)), ("gas", Json.Of(o.Gas)))
                    )
                )
            ),
            ("instructions", Json.Array(profile.Instructions.Select(InstructionJson))),
            ("callTreeCut", Json.Of(profile.IsCallTreeCut)),
            ("calls", CallsJson())
        );

    /// <summary>The page with the JSON in it; nothing in that can end the element it stands in.</summary>
    public string ToHtml()
    {
        using Stream resource = typeof(ProfileReport).Assembly.GetManifestResourceStream("profile.html")!;
        using StreamReader reader = new(resource, Encoding.UTF8);
        return reader
            .ReadToEnd()
            .Replace(Place, ToJson().Replace("<", "\\u003c", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    private string FunctionJson(FunctionProfile f) =>
        Json.Object(
            ("function", Json.Of(f.Function)),
            ("functionName", Json.Of(program.Program.Functions[f.Function].Name)),
            ("calls", Json.Of(f.Calls)),
            ("own", CostJson(f.Own)),
            ("total", CostJson(f.Total)),
            (
                "durations",
                Json.Object(
                    ("p50", Nanoseconds(f.Durations.P50)),
                    ("p90", Nanoseconds(f.Durations.P90)),
                    ("p99", Nanoseconds(f.Durations.P99)),
                    ("longest", Nanoseconds(f.Durations.Longest))
                )
            )
        );

    private string LoopJson(LoopProfile l)
    {
        List<(string, string)> fields =
        [
            ("function", Json.Of(l.Function)),
            ("first", Json.Of(l.First)),
            ("last", Json.Of(l.Last)),
            ("turns", Json.Of(l.Turns)),
            ("steps", Json.Of(l.Steps)),
        ];
        AddLine(fields, l.Function, l.First);
        return Json.Object(fields);
    }

    private string InstructionJson(InstructionProfile i)
    {
        List<(string, string)> fields =
        [
            ("function", Json.Of(i.Function)),
            ("instruction", Json.Of(i.Instruction)),
            ("text", Json.Of(Text(i.Function, i.Instruction))),
            ("count", Json.Of(i.Count)),
            ("gas", Json.Of(i.Gas)),
        ];
        if (i.Taken is long taken)
        {
            fields.Add(("jumped", Json.Of(taken)));
        }

        AddLine(fields, i.Function, i.Instruction);
        return Json.Object(fields);
    }

    private void AddLine(List<(string, string)> fields, int function, int instruction)
    {
        if (program.Line(function, instruction) is int line)
        {
            fields.Add(("line", Json.Of(line)));
        }
    }

    /// <summary>A flat list, each with the place of its caller, which stands before it: the tree can be as deep as calls are.</summary>
    private string CallsJson()
    {
        List<string> rows = [];
        Queue<(CallProfile Call, int Caller)> pending = new([(profile.Calls, -1)]);
        while (pending.TryDequeue(out (CallProfile Call, int Caller) next))
        {
            foreach (CallProfile callee in next.Call.Callees)
            {
                pending.Enqueue((callee, rows.Count));
            }

            rows.Add(
                Json.Object(
                    ("caller", Json.Of(next.Caller)),
                    ("function", Json.Of(next.Call.Function)),
                    ("count", Json.Of(next.Call.Count)),
                    ("own", CostJson(next.Call.Own)),
                    ("total", CostJson(next.Call.Total))
                )
            );
        }

        return Json.Array(rows);
    }

    private static string CostJson(Cost cost) =>
        Json.Object(
            ("steps", Json.Of(cost.Steps)),
            ("gas", Json.Of(cost.Gas)),
            ("nanoseconds", Nanoseconds(cost.Time))
        );

    private static string Nanoseconds(TimeSpan time) => Json.Of((long)time.TotalNanoseconds);

    private string Name(int function)
    {
        string name = program.Program.Functions[function].Name;
        return name == "" ? $"#{function}" : Terminal.Printable(name);
    }

    private string At(int function, int instruction) => $"{Name(function)}:{instruction}";

    private string LineOf(int function, int instruction) =>
        program.Line(function, instruction) is int line ? $", line {line}" : "";

    private string Text(int function, int instruction) => InstructionText.Of(program.Program, function, instruction);

    private string Share(long steps) => Percent(steps, profile.Steps);

    private static string Percent(long part, long whole) =>
        (100.0 * part / Math.Max(whole, 1)).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Time(TimeSpan time) =>
        time.TotalSeconds >= 1 ? time.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture) + " s"
        : time.TotalMilliseconds >= 1 ? time.TotalMilliseconds.ToString("0.00", CultureInfo.InvariantCulture) + " ms"
        : time.TotalMicroseconds.ToString("0.0", CultureInfo.InvariantCulture) + " us";
}
