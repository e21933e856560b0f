using System.Text;
using Zexus.Cli.Files;
using Zexus.Proofs;

namespace Zexus.Cli.Output;

/// <summary>Queries as files: what the solvers were asked, to the byte, behind comments that say what it means.</summary>
internal static class ProofFiles
{
    public static void Write(string folder, IReadOnlyList<Prover.RewriteReport> reports, Terminal terminal)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Problem.File($"'{Terminal.Printable(folder)}' cannot be made: {Terminal.Printable(e.Message)}");
        }

        foreach (Prover.RewriteReport report in reports)
        {
            int number = 0;
            foreach (Prover.CaseReport item in report.Cases)
            {
                number++;
                string name = $"{report.Rewrite.Name.Replace('/', '-')}-{number:D3}";
                string title = $"; {report.Rewrite.Name}: {report.Rewrite.Equation}\n; {Cases.titleOf(item.Case)}\n";
                string[] queries = [.. item.Queries];
                for (int lemma = 0; lemma < queries.Length - 1; lemma++)
                {
                    Write(
                        $"{name}-lemma-{lemma + 1}.smt2",
                        $"{title}; unsat: these Floats are the same\n",
                        queries[lemma]
                    );
                }

                string taken = queries.Length > 1 ? ", if its lemmas are unsat" : "";
                Write($"{name}.smt2", $"{title}; unsat: the two sides cannot be told apart{taken}\n", queries[^1]);
            }
        }

        void Write(string name, string opening, string query) =>
            OutputFile.Write(Path.Combine(folder, name), Encoding.UTF8.GetBytes(opening + query), terminal);
    }
}
