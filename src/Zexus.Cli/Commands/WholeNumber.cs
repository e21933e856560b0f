using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Zexus.Cli.Commands;

/// <summary>Options that take a whole number, which may be written 1_000_000.</summary>
internal static class WholeNumber
{
    public static Option<long> Option(
        string name,
        string description,
        long usual,
        long least = 0,
        long most = long.MaxValue
    ) =>
        new(name)
        {
            Description = description,
            HelpName = "N",
            DefaultValueFactory = _ => usual,
            CustomParser = result => Parse(result, name, least, most),
        };

    public static Option<long?> Optional(string name, string description, long least = 0) =>
        new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result => Parse(result, name, least, long.MaxValue),
        };

    private static long Parse(ArgumentResult result, string name, long least, long most)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (
            long.TryParse(
                text.Replace("_", ""),
                NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture,
                out long value
            )
            && value >= least
            && value <= most
        )
        {
            return value;
        }

        string bounds =
            most < long.MaxValue || (BigInteger.TryParse(text.Replace("_", ""), out BigInteger whole) && whole > most)
                ? $" from {least} to {most}"
            : least > long.MinValue ? $" of {least} or more"
            : "";
        result.AddError($"{name} takes a whole number{bounds}, not '{text}'");
        return 0;
    }
}
