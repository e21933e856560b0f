using System.CommandLine;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;
using Zexus.Cli.Output;
using Zexus.Differential;
using Zexus.Proofs;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>`zexus prove [NAME…]`.</summary>
internal static class ProveCommand
{
    private static IEnumerable<Rewrite> Provable => RewriteCatalog.All.Concat(RewriteCatalog.Charges);

    public static Command Create(Terminal terminal)
    {
        Argument<string[]> names = new("NAME")
        {
            Description =
                "Rewrites by name, totality of rules as totality/RULE or totality/OPCODE, or the beginning of such names; everything when none is given.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<bool> cold = new("--no-cache")
        {
            Description = "Ask the solvers everything anew; answers kept by an earlier run are not read.",
        };
        Option<string?> smt = new("--smt")
        {
            Description = "Write every query as a file that z3 and cvc5 read.",
            HelpName = "FOLDER",
        };
        Option<long> threads = WholeNumber.Option(
            "--workers",
            "Rewrites or rules proved at a time.",
            Environment.ProcessorCount,
            least: 1,
            most: 1024
        );
        Option<bool> json = new("--json") { Description = "One JSON document on standard output (docs/json.md)." };
        Command command = new(
            "prove",
            "Prove the optimizer's rewrites, and that every rule is total, from the specification's own rules, with z3 and cvc5."
        )
        {
            names,
            cold,
            smt,
            threads,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus prove",
            "./zexus prove fold/ combine/inc",
            "./zexus prove totality/",
            "./zexus prove totality/DIV totality/string/",
            "./zexus prove --no-cache --smt queries"
        );
        command.SetAction(parsed =>
        {
            string[] wanted = parsed.GetValue(names) ?? [];
            RefuseUnknown(wanted);
            Rewrite[] rewrites = [.. Provable.Where(rewrite => IsWanted(wanted, rewrite.Name))];
            Subjects.Subject[] subjects =
            [
                .. Subjects.all.Where(subject => NamesOf(subject).Any(n => IsWanted(wanted, n))),
            ];
            int workers = (int)parsed.GetValue(threads);
            string? folder = parsed.GetValue(smt);
            SolverAnswers.RequireSolvers();
            AnswerCache.AnswerCache cache = SolverAnswers.Open(parsed.GetValue(cold));
            IReadOnlyList<Prover.RewriteReport> reports = ProveProgress.Show<Prover.RewriteReport>(
                (onQuery, onReport) => Prover.proveAll(cache, workers, onQuery, onReport, ListModule.OfArray(rewrites)),
                rewrites.Length,
                "rewrites",
                report => report.Rewrite.Name,
                cache,
                terminal
            );
            IReadOnlyList<Totality.RuleReport> rules = Total(subjects, workers, cache, terminal);
            SolverAnswers.Keep(cache, terminal);
            if (folder is not null)
            {
                ProofFiles.Write(folder, reports, rules, terminal);
            }

            ProveReport report = new(reports, new TotalityReport(rules), cache);
            terminal.Out.WriteLine(parsed.GetValue(json) ? report.ToJson() : report.ToText(terminal));
            return report.IsGreen ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    private static IReadOnlyList<Totality.RuleReport> Total(
        Subjects.Subject[] subjects,
        int workers,
        AnswerCache.AnswerCache cache,
        Terminal terminal
    )
    {
        if (subjects.Length == 0)
        {
            return [];
        }

        string root =
            Repository.Root()
            ?? throw Problem.File(
                "the witnesses are not there: zexus was moved out of its repository",
                "Run ./zexus prove in the repository."
            );
        using SavedWitnesses witnesses = new(Path.Combine(root, "tests", "vectors", "witnesses"));
        return ProveProgress.Show<Totality.RuleReport>(
            (onQuery, onReport) =>
                Totality.proveAll(
                    cache,
                    workers,
                    FuncConvert.FromFunc<Tuple<string, string>, FSharpResult<Unit, string>>(witnesses.Replay),
                    onQuery,
                    onReport,
                    ListModule.OfArray(subjects)
                ),
            subjects.Length,
            "rules",
            report => "totality/" + report.Rule,
            cache,
            terminal
        );
    }

    /// <summary>By its rule, and by its opcode if it is one's.</summary>
    private static string[] NamesOf(Subjects.Subject subject) =>
        subject.Mnemonic == ""
            ? ["totality/" + subject.Rule]
            : ["totality/" + subject.Rule, "totality/" + subject.Mnemonic];

    private static bool IsWanted(string[] wanted, string name) =>
        wanted.Length == 0 || wanted.Any(beginning => name.StartsWith(beginning, StringComparison.Ordinal));

    private static void RefuseUnknown(string[] wanted)
    {
        string[] names = [.. Provable.Select(rewrite => rewrite.Name), .. Subjects.all.SelectMany(NamesOf)];
        foreach (string name in wanted)
        {
            if (!names.Any(known => known.StartsWith(name, StringComparison.Ordinal)))
            {
                string near = Spelling.Nearest(name, names);
                throw Problem.Usage(
                    $"no rewrite and no rule is called '{Terminal.Printable(name)}', and none begins so",
                    near == "" ? "./zexus prove --json names them all." : $"Did you mean '{near}'?"
                );
            }
        }
    }
}
