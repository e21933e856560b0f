using System.CommandLine;
using System.CommandLine.Parsing;
using Zexus.Chain;

namespace Zexus.Cli.Commands;

/// <summary>`--root HEX` of commands that check a proof.</summary>
internal static class RootOption
{
    /// <param name="what">The state root, or the root of leaves.</param>
    public static Option<Digest> Create(string what) =>
        new("--root")
        {
            Description = $"The {what}, from a place that you trust. What the proof says of it is not believed.",
            HelpName = "HEX",
            Required = true,
            CustomParser = Parse,
        };

    private static Digest Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (!Digest.TryParse(text, out Digest root))
        {
            result.AddError($"--root takes {2 * Digest.Size} hexadecimal digits, not '{text}'");
        }

        return root;
    }
}
