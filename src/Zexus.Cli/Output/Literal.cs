using System.Globalization;
using System.Text;

namespace Zexus.Cli.Output;

/// <summary>Values as text for a person, in the notation of the assembly text: `[1, "x"]`, `{"a": 1.0}`, `#{1, 2}`.</summary>
internal static class Literal
{
    /// <summary>No longer than `most` characters or so; what is cut off ends in `…`.</summary>
    public static string Of(Node node, int most = 1000)
    {
        StringBuilder text = new();
        Append(text, node, most, []);
        if (text.Length > most)
        {
            int end = char.IsHighSurrogate(text[most - 1]) ? most - 1 : most;
            text.Length = end;
            text.Append('…');
        }

        return text.ToString();
    }

    /// <summary>The shortest digits that give the number back, as Python's repr lays them out.</summary>
    public static string Of(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan"
                : value > 0 ? "inf"
                : "-inf";
        }

        string shortest = Shortest(value);
        string digits = new([.. shortest.Split('E')[0].Where(char.IsAsciiDigit)]);
        digits = digits.Trim('0');
        int exponent = value == 0 ? 0 : Exponent(shortest);
        string sign = shortest.StartsWith('-') ? "-" : "";
        if (digits == "")
        {
            return sign + "0.0";
        }

        if (exponent is < -4 or >= 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        if (exponent < 0)
        {
            return sign + "0." + new string('0', -exponent - 1) + digits;
        }

        digits = digits.PadRight(exponent + 1, '0');
        return sign + digits[..(exponent + 1)] + "." + (digits.Length > exponent + 1 ? digits[(exponent + 1)..] : "0");
    }

    /// <summary>"R" is not always the number: of 2^-958 it gives the one below.</summary>
    private static string Shortest(double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        for (int digits = 15; double.Parse(text, CultureInfo.InvariantCulture) != value; digits++)
        {
            text = value.ToString($"E{digits}", CultureInfo.InvariantCulture);
        }

        return text;
    }

    /// <summary>As a literal of the assembly text; what would move the cursor is escaped.</summary>
    public static string Quoted(string value)
    {
        StringBuilder text = new();
        AppendQuoted(text, value, int.MaxValue);
        return text.ToString();
    }

    /// <summary>The power of ten of the first digit that is not 0.</summary>
    private static int Exponent(string shortest)
    {
        string[] parts = shortest.TrimStart('-').Split('E');
        int scale = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
        string mantissa = parts[0];
        int point = mantissa.IndexOf('.');
        string whole = point < 0 ? mantissa : mantissa[..point];
        string significant = whole.TrimStart('0');
        if (significant != "")
        {
            return scale + significant.Length - 1;
        }

        string fraction = mantissa[(point + 1)..];
        return scale - (fraction.Length - fraction.TrimStart('0').Length) - 1;
    }

    private static void Append(StringBuilder text, Node node, int most, HashSet<Node> around)
    {
        if (text.Length > most)
        {
            return;
        }

        switch (node.Kind)
        {
            case NodeKind.Null:
                text.Append("null");
                break;
            case NodeKind.Bool:
                text.Append(node.Bool ? "true" : "false");
                break;
            case NodeKind.Int:
                text.Append(node.Int.ToString(CultureInfo.InvariantCulture));
                break;
            case NodeKind.Float:
                text.Append(Of(node.Float));
                break;
            case NodeKind.String:
                AppendQuoted(text, node.Text, most);
                break;
            case NodeKind.Function:
                text.Append("<function ").Append(Terminal.Printable(node.Text)).Append('>');
                break;
            case NodeKind.Cut:
                text.Append('…');
                break;
            case NodeKind.List:
                AppendItems(text, node, "[", "]", most, around);
                break;
            case NodeKind.Set:
                AppendItems(text, node, "#{", "}", most, around);
                break;
            case NodeKind.Map:
                AppendItems(text, node, "{", "}", most, around);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(node));
        }
    }

    private static void AppendItems(
        StringBuilder text,
        Node node,
        string opening,
        string closing,
        int most,
        HashSet<Node> around
    )
    {
        text.Append(opening);
        if (around.Add(node))
        {
            for (int i = 0; i < node.Items.Length && text.Length <= most; i++)
            {
                bool isValue = node.Kind == NodeKind.Map && i % 2 == 1;
                text.Append(
                    i == 0 ? ""
                    : isValue ? ": "
                    : ", "
                );
                Append(text, node.Items[i], most, around);
            }

            around.Remove(node);
        }
        else
        {
            // It holds itself.
            text.Append("...");
        }

        text.Append(closing);
    }

    private static void AppendQuoted(StringBuilder text, string value, int most)
    {
        text.Append('"');
        foreach (Rune rune in value.EnumerateRunes())
        {
            if (text.Length > most)
            {
                return;
            }

            _ = rune.Value switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                int value_ when IsUnseen(rune) => text.Append($"\\u{{{value_:x}}}"),
                _ => text.Append(rune.ToString()),
            };
        }

        text.Append('"');
    }

    private static bool IsUnseen(Rune rune) =>
        Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned
                or UnicodeCategory.SpaceSeparator
        && rune.Value != ' ';
}
