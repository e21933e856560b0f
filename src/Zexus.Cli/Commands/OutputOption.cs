using System.CommandLine;
using Zexus.Cli.Files;

namespace Zexus.Cli.Commands;

/// <summary>`--out FILE` of commands that make a text, which goes to standard output without it.</summary>
internal static class OutputOption
{
    public static Option<string?> Create() =>
        new("--out", "-o") { Description = "The file to write; standard output when not given.", HelpName = "FILE" };

    public static void Write(string? path, IEnumerable<string> lines, Terminal terminal)
    {
        if (path is not null and not InputFile.Standard)
        {
            OutputFile.Write(
                path,
                stream =>
                {
                    using StreamWriter writer = new(stream, leaveOpen: true);
                    foreach (string line in lines)
                    {
                        terminal.Cancellation.ThrowIfCancellationRequested();
                        writer.Write(line);
                        writer.Write('\n');
                    }
                }
            );
            return;
        }

        foreach (string line in lines)
        {
            terminal.Cancellation.ThrowIfCancellationRequested();
            terminal.Out.WriteLine(line);
        }
    }
}
