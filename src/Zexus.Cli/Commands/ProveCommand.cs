using System.CommandLine;
using Zexus.Cli.Output;
using Zexus.Proofs;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>`zexus prove [REWRITE…]`.</summary>
internal static class ProveCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string[]> names = new("REWRITE")
        {
            Description = "Rewrites by name, or by the beginning of their names; all when none is given.",
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
            "Rewrites proved at a time.",
            Environment.ProcessorCount,
            least: 1,
            most: 1024
        );
        Option<bool> json = new("--json") { Description = "One JSON document on standard output (docs/json.md)." };
        Command command = new(
            "prove",
            "Prove the optimizer's rewrites from the specification's own rules, with z3 and cvc5."
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
            "./zexus prove --no-cache --smt queries"
        );
        command.SetAction(parsed =>
        {
            Rewrite[] rewrites = Chosen(parsed.GetValue(names) ?? []);
            string? folder = parsed.GetValue(smt);
            SolverAnswers.RequireSolvers();
            AnswerCache.AnswerCache cache = SolverAnswers.Open(parsed.GetValue(cold));
            IReadOnlyList<Prover.RewriteReport> reports = ProveProgress.Show(
                rewrites,
                cache,
                (int)parsed.GetValue(threads),
                terminal
            );
            SolverAnswers.Keep(cache, terminal);
            if (folder is not null)
            {
                ProofFiles.Write(folder, reports, terminal);
            }

            ProveReport report = new(reports, cache);
            terminal.Out.WriteLine(parsed.GetValue(json) ? report.ToJson() : report.ToText(terminal));
            return report.IsGreen ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    private static Rewrite[] Chosen(string[] names)
    {
        foreach (string name in names)
        {
            if (!RewriteCatalog.All.Any(rewrite => rewrite.Name.StartsWith(name, StringComparison.Ordinal)))
            {
                string near = Spelling.Nearest(name, RewriteCatalog.All.Select(rewrite => rewrite.Name));
                throw Problem.Usage(
                    $"no rewrite is called '{Terminal.Printable(name)}', and none begins so",
                    near == "" ? "./zexus prove --json names them all." : $"Did you mean '{near}'?"
                );
            }
        }

        return
        [
            .. RewriteCatalog.All.Where(rewrite =>
                names.Length == 0 || names.Any(name => rewrite.Name.StartsWith(name, StringComparison.Ordinal))
            ),
        ];
    }
}
