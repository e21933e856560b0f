using System.CommandLine;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>What the commands that take a program have in common.</summary>
internal static class ProgramArgument
{
    public static Argument<string> Create() =>
        new("FILE") { Description = "A program: assembly text (.zxa) or a container (.zxb); - is standard input." };

    /// <summary>Loads the program, or says why it is refused.</summary>
    public static ILoadedProgram Load(IEngine engine, ProgramFile file) =>
        engine.Load(file.Program, out Refusal? refusal) ?? throw Refuse(file, refusal!);

    /// <summary>The refusal as a JSON document.</summary>
    public static string RefusalJson(ProgramFile file, Refusal refusal)
    {
        List<(string, string)> fields =
        [
            ("status", Json.Of("refused")),
            ("reason", Json.Of(refusal.Reason.ToString())),
            ("function", Json.Of(refusal.Function)),
            ("index", Json.Of(refusal.Index)),
            ("message", Json.Of(refusal.Describe(file.Program))),
        ];
        if (refusal.Function >= 0 && file.Line(refusal.Function, refusal.Index) is int line)
        {
            fields.Add(("line", Json.Of(line)));
        }

        return Json.Document(fields);
    }

    public static Problem Refuse(ProgramFile file, Refusal refusal)
    {
        string place = file.Name;
        if (refusal.Function >= 0 && file.Line(refusal.Function, refusal.Index) is int line)
        {
            place += ":" + line;
        }

        return new Problem(
            ExitCode.Refused,
            $"{place}: {refusal.Reason}: {Terminal.Printable(refusal.Describe(file.Program))}",
            "docs/semantics.md, section 1, lists what validation looks for."
        );
    }
}
