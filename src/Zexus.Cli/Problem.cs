namespace Zexus.Cli;

/// <summary>Something that a person can put right: what is wrong, where, and what to do.</summary>
internal sealed class Problem(int exitCode, string message, string hint = "") : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    /// <summary>What to do about it; "" when there is nothing to say.</summary>
    public string Hint { get; } = hint;

    /// <summary>What stands before the message, already in its final form: the diagnostics of a text.</summary>
    public IReadOnlyList<string> Details { get; init; } = [];

    public static Problem Usage(string message, string hint = "") => new(Cli.ExitCode.Usage, message, hint);

    public static Problem File(string message, string hint = "") => new(Cli.ExitCode.BadFile, message, hint);
}
