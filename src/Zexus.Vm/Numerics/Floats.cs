using System.Globalization;

namespace Zexus.Vm;

/// <summary>Floats: the one NaN, remainders, powers, and their text.</summary>
internal static class Floats
{
    public const long NaNBits = 0x7FF8000000000000;

    public static double NaN => BitConverter.Int64BitsToDouble(NaNBits);

    /// <summary>Floored: the sign of the divisor, for a zero too. b is not zero.</summary>
    public static double FloorMod(double a, double b)
    {
        double remainder = a % b;
        if (remainder == 0)
        {
            return Math.CopySign(0.0, b);
        }

        return (remainder < 0) != (b < 0) ? remainder + b : remainder;
    }

    /// <summary>x to a non-negative power, by squaring, in the order that the contract fixes.</summary>
    public static double Power(double x, System.Numerics.BigInteger n)
    {
        double result = 1;
        double square = x;
        while (!n.IsZero)
        {
            if (!n.IsEven)
            {
                result *= square;
            }

            n >>= 1;
            if (!n.IsZero)
            {
                square *= square;
            }
        }

        return result;
    }

    /// <summary>As Python's repr.</summary>
    public static string ToText(double value)
    {
        if (double.IsNaN(value))
        {
            return "nan";
        }

        if (double.IsInfinity(value))
        {
            return value > 0 ? "inf" : "-inf";
        }

        string shortest = Shortest(value);
        ReadOnlySpan<char> rest = shortest;
        bool negative = rest[0] == '-';
        if (negative)
        {
            rest = rest[1..];
        }

        int exponent = 0;
        int e = rest.IndexOf('E');
        if (e >= 0)
        {
            exponent = int.Parse(rest[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            rest = rest[..e];
        }

        Span<char> digits = stackalloc char[rest.Length];
        int count = 0;

        // The number is 0.DIGITS * 10^point.
        int point = 0;
        bool fraction = false;
        foreach (char c in rest)
        {
            if (c == '.')
            {
                fraction = true;
                continue;
            }

            if (count == 0 && c == '0')
            {
                point -= fraction ? 1 : 0;
                continue;
            }

            digits[count++] = c;
            point += fraction ? 0 : 1;
        }

        point += exponent;
        while (count > 0 && digits[count - 1] == '0')
        {
            count--;
        }

        string sign = negative ? "-" : "";
        if (count == 0)
        {
            return sign + "0.0";
        }

        string significant = new(digits[..count]);
        if (point is <= -4 or > 16)
        {
            int power = point - 1;
            string mantissa = count == 1 ? significant : significant[..1] + "." + significant[1..];
            return sign
                + mantissa
                + (power < 0 ? "e-" : "e+")
                + Math.Abs(power).ToString("00", CultureInfo.InvariantCulture);
        }

        if (point <= 0)
        {
            return sign + "0." + new string('0', -point) + significant;
        }

        return point >= count
            ? sign + significant + new string('0', point - count) + ".0"
            : sign + significant[..point] + "." + significant[point..];
    }

    /// <summary>
    /// The shortest digits that read back as the same Float, the nearest of them if there are several. .NET's "R" gives
    /// them, except at some powers of two, where the Floats below are twice as close as those above.
    /// </summary>
    private static string Shortest(double value)
    {
        const long FractionBits = (1L << 52) - 1;
        if ((BitConverter.DoubleToInt64Bits(value) & FractionBits) != 0 || value == 0)
        {
            return value.ToString("R", CultureInfo.InvariantCulture);
        }

        for (int digits = 1; digits < 17; digits++)
        {
            // The nearest with so many digits; if it is a Float below, the next one up may still be this one.
            string nearest = value.ToString("E" + (digits - 1), CultureInfo.InvariantCulture);
            if (ReadsAs(nearest, value))
            {
                return nearest;
            }

            string above = NextUp(nearest);
            if (ReadsAs(above, value))
            {
                return above;
            }
        }

        return value.ToString("E16", CultureInfo.InvariantCulture);
    }

    private static bool ReadsAs(string text, double value) =>
        double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture).Equals(value);

    /// <summary>One more in the last digit of the magnitude. "9.9" becomes "10.0", which reads all the same.</summary>
    private static string NextUp(string text)
    {
        int e = text.IndexOf('E');
        char[] digits = text.ToCharArray(0, e);
        for (int i = digits.Length - 1; i >= 0; i--)
        {
            if (!char.IsAsciiDigit(digits[i]))
            {
                continue;
            }

            if (digits[i] != '9')
            {
                digits[i]++;
                return new string(digits) + text[e..];
            }

            digits[i] = '0';
        }

        string sign = text[0] == '-' ? "-" : "";
        return sign + "1" + new string(digits, sign.Length, digits.Length - sign.Length) + text[e..];
    }

    /// <summary>As Python's json.dumps.</summary>
    public static string ToJson(double value) =>
        double.IsNaN(value) ? "NaN"
        : double.IsPositiveInfinity(value) ? "Infinity"
        : double.IsNegativeInfinity(value) ? "-Infinity"
        : ToText(value);

    /// <summary>
    /// Reads <c>[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?</c>, <c>nan</c>, <c>inf</c> or <c>-inf</c>, correctly rounded;
    /// false for every other text.
    /// </summary>
    public static bool TryParse(string text, out double value)
    {
        value = text switch
        {
            "nan" => NaN,
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            _ => 0,
        };
        if (value != 0)
        {
            return true;
        }

        int at = 0;
        bool negative = at < text.Length && text[at] == '-';
        if (at < text.Length && text[at] is '+' or '-')
        {
            at++;
        }

        int whole = at;
        int wholeEnd = Digits(text, at);
        if (wholeEnd == whole)
        {
            return false;
        }

        at = wholeEnd;
        int fraction = at;
        int fractionEnd = at;
        if (at < text.Length && text[at] == '.')
        {
            fraction = at + 1;
            fractionEnd = Digits(text, fraction);
            if (fractionEnd == fraction)
            {
                return false;
            }

            at = fractionEnd;
        }

        long exponent = 0;
        if (at < text.Length && text[at] is 'e' or 'E')
        {
            at++;
            bool down = at < text.Length && text[at] == '-';
            if (at < text.Length && text[at] is '+' or '-')
            {
                at++;
            }

            int start = at;
            at = Digits(text, at);
            if (at == start)
            {
                return false;
            }

            for (int i = start; i < at; i++)
            {
                exponent = Math.Min((exponent * 10) + (text[i] - '0'), 1L << 40);
            }

            exponent = down ? -exponent : exponent;
        }

        if (at != text.Length)
        {
            return false;
        }

        value = Round(text.AsSpan(whole, wholeEnd - whole), text.AsSpan(fraction, fractionEnd - fraction), exponent);
        value = negative ? -value : value;
        return true;
    }

    private static int Digits(string text, int at)
    {
        while (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
        }

        return at;
    }

    /// <summary>
    /// Keeps 800 significant digits and whether more follow, which is enough to round any decimal text, and moves the
    /// point to the front, so that .NET's parser never sees an extreme exponent.
    /// </summary>
    private static double Round(ReadOnlySpan<char> whole, ReadOnlySpan<char> fraction, long exponent)
    {
        const int Kept = 800;
        char[] digits = new char[Kept + 1];
        int count = 0;
        bool more = false;
        long point = exponent;
        for (int i = 0; i < whole.Length + fraction.Length; i++)
        {
            bool inWhole = i < whole.Length;
            char c = inWhole ? whole[i] : fraction[i - whole.Length];
            if (count == 0 && c == '0')
            {
                point -= inWhole ? 0 : 1;
                continue;
            }

            point += inWhole ? 1 : 0;
            if (count < Kept)
            {
                digits[count++] = c;
            }
            else
            {
                more |= c != '0';
            }
        }

        if (count == 0 || point < -400)
        {
            return 0.0;
        }

        if (point > 400)
        {
            return double.PositiveInfinity;
        }

        if (more)
        {
            digits[count++] = '1';
        }

        string normal = "0." + new string(digits, 0, count) + "E" + point.ToString(CultureInfo.InvariantCulture);
        return double.Parse(normal, NumberStyles.Float, CultureInfo.InvariantCulture);
    }
}
