using Microsoft.FSharp.Core;
using Zexus.Proofs;

namespace Zexus.Cli.Commands;

/// <summary>What the commands that ask solvers have in common: both solvers, and the answers kept between runs.</summary>
internal static class SolverAnswers
{
    public static void RequireSolvers()
    {
        string[] missing = [.. Prover.missingSolvers()];
        if (missing.Length > 0)
        {
            throw new Problem(
                ExitCode.Undecided,
                "nothing is proved without both solvers: " + string.Join("; ", missing),
                "On Debian: apt-get install libz3-dev cvc5"
            );
        }
    }

    /// <summary>The answers of earlier runs; none of them when everything is to be asked anew.</summary>
    public static AnswerCache.AnswerCache Open(bool cold) =>
        new(cold ? FSharpOption<string>.None : FSharpOption<string>.Some(CacheFile()));

    /// <summary>What cannot be kept is asked again the next time; what was proved stays proved.</summary>
    public static void Keep(AnswerCache.AnswerCache cache, Terminal terminal)
    {
        try
        {
            cache.Save();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            terminal.Error.WriteLine("the answers are not kept: " + Terminal.Printable(e.Message));
        }
    }

    /// <summary>Where answers are kept between runs, as the XDG base directories have it.</summary>
    private static string CacheFile()
    {
        string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        string root = string.IsNullOrEmpty(cache)
            ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache")
            : cache;
        return Path.Combine(root, "zexus-spec", "answers.json");
    }
}
