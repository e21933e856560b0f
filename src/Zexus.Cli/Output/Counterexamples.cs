using System.Text;
using Microsoft.FSharp.Collections;
using Zexus.Isa;
using Zexus.Proofs;

namespace Zexus.Cli.Output;

/// <summary>A counterexample for a reader: the values that it begins with, what each side does with them, and what differs.</summary>
internal static class Counterexamples
{
    public static string Text(Replay.Replayed replayed)
    {
        StringBuilder text = new();
        text.Append(
            replayed.IsConfirmed
                ? "  counterexample, confirmed on oracle and engine\n"
                : "  counterexample on the oracle; the engine does not confirm it\n"
        );
        foreach ((string name, string value) in Inputs(replayed))
        {
            text.Append($"    {name} = {value}\n");
        }

        text.Append($"    gas limit {replayed.GasLimit}\n");
        Side(text, "source", replayed.Left);
        Side(text, "replacement", replayed.Right);
        text.Append("    differs\n");
        foreach ((string what, string left, string right) in Differences(replayed.OracleLeft, replayed.OracleRight))
        {
            text.Append($"      {what}: {left}  against  {right}\n");
        }

        return text.ToString();
    }

    public static string OfJson(Replay.Replayed replayed) =>
        Json.Object(
            ("confirmed", Json.Of(replayed.IsConfirmed)),
            ("inputs", Json.Object(Inputs(replayed).Select(i => (i.Name, Json.Of(i.Value))))),
            ("gasLimit", Json.Of(replayed.GasLimit)),
            ("source", Side(replayed.Left)),
            ("replacement", Side(replayed.Right)),
            (
                "differences",
                Json.Array(
                    Differences(replayed.OracleLeft, replayed.OracleRight)
                        .Select(d =>
                            Json.Object(
                                ("what", Json.Of(d.What)),
                                ("source", Json.Of(d.Left)),
                                ("replacement", Json.Of(d.Right))
                            )
                        )
                )
            ),
            ("program", Json.Of(Disassembler.Disassemble(replayed.Program)))
        );

    private static string Side(FSharpList<Replay.Line> lines) =>
        Json.Array(
            lines.Select(line =>
                Json.Object(("instruction", Json.Of(line.Instruction)), ("stack", Json.Of(line.Stack)))
            )
        );

    private static void Side(StringBuilder text, string title, FSharpList<Replay.Line> lines)
    {
        text.Append("    ").Append(title).Append('\n');
        int width = lines.IsEmpty ? 0 : lines.Max(line => line.Instruction.Length);
        foreach (Replay.Line line in lines)
        {
            text.Append("      ").Append(line.Instruction.PadRight(width)).Append("  ").Append(line.Stack).Append('\n');
        }
    }

    private static IEnumerable<(string Name, string Value)> Inputs(Replay.Replayed replayed)
    {
        foreach (KeyValuePair<string, Data> constant in replayed.Valuation.Constants)
        {
            yield return (constant.Key, Observation.dataText(constant.Value));
        }

        foreach (KeyValuePair<Instances.Input, Instances.Given> input in replayed.Valuation.Inputs)
        {
            string value = input.Value switch
            {
                Instances.Given.Data data => Observation.dataText(data.Item),
                Instances.Given.Same same => "the same as " + Instances.symbolOf(same.Item),
                _ => "a Function",
            };
            yield return (Instances.symbolOf(input.Key), value);
        }
    }

    /// <summary>What an observer can tell the two executions apart by.</summary>
    public static IEnumerable<(string What, string Left, string Right)> Differences(
        Observation.Observation left,
        Observation.Observation right
    )
    {
        (string, string, string)[] all =
        [
            ("outcome", left.End, right.End),
            ("fault at", left.Source, right.Source),
            ("gas used", left.Gas.ToString(), right.Gas.ToString()),
            ("output", left.Output, right.Output),
            ("world", left.World, right.World),
        ];
        return all.Where(d => d.Item2 != d.Item3);
    }
}
