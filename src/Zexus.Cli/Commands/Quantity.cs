using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Zexus.Cli.Commands;

/// <summary>Options that take a size or a duration as people write them: 64MiB, 1_000_000, 500ms, 2s.</summary>
internal static class Quantity
{
    private static readonly (string Name, long Bytes)[] Sizes =
    [
        ("", 1),
        ("B", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1L << 10),
        ("MiB", 1L << 20),
        ("GiB", 1L << 30),
    ];

    private static readonly (string Name, long Ticks)[] Durations =
    [
        ("ms", TimeSpan.TicksPerMillisecond),
        ("s", TimeSpan.TicksPerSecond),
        ("min", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour),
    ];

    /// <summary>In bytes.</summary>
    public static Option<long> Size(string name, string description, long usual) =>
        new(name)
        {
            Description = description,
            HelpName = "SIZE",
            DefaultValueFactory = _ => usual,
            CustomParser = result => Parse(result, name, Sizes, "a size, such as 1_000_000, 512KiB, 64MiB or 2GB"),
        };

    public static Option<TimeSpan?> Duration(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "DURATION",
            CustomParser = result =>
                TimeSpan.FromTicks(Parse(result, name, Durations, "a duration, such as 500ms, 2s, 1.5min or 1h")),
        };

    /// <summary>As <see cref="Size"/> reads it; the largest unit that leaves a whole number.</summary>
    public static string OfSize(long bytes)
    {
        (string name, long unit) = Sizes
            .Where(size => size.Name.EndsWith("iB", StringComparison.Ordinal) && bytes % size.Bytes == 0)
            .LastOrDefault(("bytes", 1));
        return string.Create(CultureInfo.InvariantCulture, $"{(bytes == 0 ? 0 : bytes / unit)} {name}");
    }

    public static string OfDuration(TimeSpan duration) =>
        duration < TimeSpan.FromSeconds(1)
            ? string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds} ms")
            : string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds} s");

    private static long Parse(ArgumentResult result, string name, (string Name, long Unit)[] units, string wanted)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        int digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] is '_' or '.'))
        {
            digits++;
        }

        string unit = text[digits..].TrimStart(' ');
        (string Name, long Unit)[] named = Array.FindAll(
            units,
            it => string.Equals(it.Name, unit, StringComparison.OrdinalIgnoreCase)
        );
        if (
            named is [(_, long each)]
            && decimal.TryParse(
                text[..digits].Replace("_", ""),
                NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture,
                out decimal number
            )
            && number <= long.MaxValue / each
            && number * each is decimal all
            && all >= 1
            && all == decimal.Truncate(all)
        )
        {
            return (long)all;
        }

        result.AddError($"{name} takes {wanted}, not '{text}'");
        return 0;
    }
}
