using System.Globalization;
using System.Numerics;
using System.Text;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>Scalars as docs/json.md writes them.</summary>
internal static class JsonText
{
    /// <summary>Above it, a reader that knows only binary64 would get another number.</summary>
    private static readonly BigInteger Largest = (1L << 53) - 1;

    public static void Append(StringBuilder text, bool value) => text.Append(value ? "true" : "false");

    public static void Append(StringBuilder text, BigInteger value)
    {
        string digits = value.ToString(CultureInfo.InvariantCulture);
        _ =
            BigInteger.Abs(value) <= Largest
                ? text.Append(digits)
                : text.Append("{\"$int\": \"").Append(digits).Append("\"}");
    }

    public static void Append(StringBuilder text, double value)
    {
        string digits = Floats.ToText(value);
        _ =
            double.IsFinite(value) && Math.Floor(value) != value
                ? text.Append(digits)
                : text.Append("{\"$float\": \"").Append(digits).Append("\"}");
    }

    public static void Append(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' or '\u007f' => text.Append($"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }

    public static string Quoted(string value)
    {
        StringBuilder text = new();
        Append(text, value);
        return text.ToString();
    }
}
