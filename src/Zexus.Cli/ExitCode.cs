namespace Zexus.Cli;

/// <summary>What the process returns. 125 and 127 are the launcher's.</summary>
internal static class ExitCode
{
    public const int Completed = 0;

    /// <summary>The program faulted, or what was to be checked does not hold: a divergence, a signature, a proof that proves nothing, a tree that is ambiguous.</summary>
    public const int Faulted = 1;
    public const int Usage = 2;

    /// <summary>A file cannot be read or written, or is malformed.</summary>
    public const int BadFile = 3;

    /// <summary>Validation refuses the program.</summary>
    public const int Refused = 4;

    /// <summary>Ctrl-C, or the process itself is out of memory.</summary>
    public const int Stopped = 5;

    /// <summary>equiv, optimize --verify: some path was not settled, and no difference was found.</summary>
    public const int Undecided = 6;

    /// <summary>A guard of the host ended the execution: it has no outcome.</summary>
    public const int Guarded = 7;

    /// <summary>A bug in this program.</summary>
    public const int Internal = 70;

    /// <summary>As --help shows them.</summary>
    public static readonly IReadOnlyList<(string Code, string Meaning)> Table =
    [
        ("0", "completed"),
        (
            "1",
            "the program faulted; check: a divergence or a branch not reached; prove: not all is proved; equiv, optimize --verify: the programs differ; key verify: the signature does not hold; state verify-proof, merkle verify: nothing is proved; merkle prove: the tree is ambiguous; state get: the key holds nothing; state verify, ledger verify, chain demo: the store is damaged"
        ),
        ("2", "the command line is wrong"),
        (
            "3",
            "a file or store cannot be read or written, or is malformed; a nonce is not the next; an execution is more than a store keeps of one"
        ),
        ("4", "validation refuses the program"),
        ("5", "stopped by Ctrl-C or SIGTERM, or out of the host's memory"),
        ("6", "equiv, optimize --verify: not decided, and no difference found; these and prove: a solver is missing"),
        ("7", "run, trace, profile: stopped by a guard of the host, --memory, --steps or --time"),
        ("70", "a bug in zexus itself"),
        ("125", "./zexus could not build the program"),
        ("127", "./zexus found no .NET SDK that fits"),
    ];
}
