using System.Text;
using Zexus.Cli.Files;
using Zexus.Proofs;
using Zexus.Vm;

namespace Zexus.Cli.Output;

/// <summary>What `optimize --verify` found: of each change of a whole function, and of the program against its translation.</summary>
internal sealed class VerificationReport(
    IReadOnlyList<(Transformation Change, TranslationValidation.Verdict Verdict)> changes,
    ProgramFile program,
    EquivReport equivalence
)
{
    /// <summary>A refused change is no proof of a difference: then the comparison of the programs has the word.</summary>
    public int ExitCode =>
        equivalence.ExitCode == Cli.ExitCode.Completed && changes.Any(it => it.Verdict.IsRefused)
            ? Cli.ExitCode.Undecided
            : equivalence.ExitCode;

    public string ToText(Terminal terminal)
    {
        StringBuilder text = new();
        foreach ((Transformation change, TranslationValidation.Verdict verdict) in changes)
        {
            text.Append(terminal.ErrorHasColour ? "\u001b[2mpass        \u001b[0m " : "pass         ")
                .Append(change.Pass)
                .Append(", ")
                .Append(NameOf(change))
                .Append(": ")
                .Append(Spell(verdict))
                .Append('\n');
        }

        return text + equivalence.ToText(terminal, stateFile: null);
    }

    public string ToJson() =>
        Json.Object([
            (
                "passes",
                Json.Array(
                    changes.Select(it =>
                        Json.Object(
                            ("pass", Json.Of(it.Change.Pass)),
                            ("function", Json.Of(it.Change.Function)),
                            ("proved", Json.Of(it.Verdict.IsProved)),
                            ("verdict", Json.Of(Spell(it.Verdict)))
                        )
                    )
                )
            ),
            .. equivalence.Fields(),
        ]);

    private string NameOf(Transformation change) =>
        program.Program.Functions[change.Function].Name is { Length: > 0 } name
            ? Terminal.Printable(name)
            : $"function {change.Function}";

    private static string Spell(TranslationValidation.Verdict verdict) =>
        verdict switch
        {
            TranslationValidation.Verdict.Proved it => $"proved from {it.cuts} cut points, {it.paths} paths",
            TranslationValidation.Verdict.Refused it => "not proved: " + Terminal.Printable(it.why),
            _ => throw new InvalidOperationException($"no spelling of {verdict.GetType().Name}"),
        };
}
