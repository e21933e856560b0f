using System.Numerics;

namespace Zexus.Vm;

/// <summary>Exact operations on integers beyond 64 bits, and between integers and Floats.</summary>
internal static unsafe class Integers
{
    private static readonly BigInteger TwoTo53 = BigInteger.One << 53;

    public static BigInteger Of(BigCell* cell) => new(new ReadOnlySpan<byte>(BigCell.Data(cell), cell->Bytes));

    /// <summary>An Int, Bool or Null as an integer.</summary>
    public static BigInteger Of(Value* value) => value->Tag == Tag.BigInt ? Of(value->Big) : value->Payload;

    /// <summary>Words of an Int beyond 64 bits; 0 for everything else.</summary>
    public static long Size(Value* value) => value->Tag == Tag.BigInt ? value->Big->Bits / 64 : 0;

    /// <summary>The nearest Float, ties to even; beyond the largest an infinity. .NET's own conversion truncates.</summary>
    public static double ToDouble(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            return (long)value;
        }

        bool negative = value.Sign < 0;
        BigInteger magnitude = BigInteger.Abs(value);
        long bits = magnitude.GetBitLength();
        if (bits > 1024)
        {
            return negative ? double.NegativeInfinity : double.PositiveInfinity;
        }

        double result = Scale(Rounded(magnitude, (int)bits - 64), (int)bits - 64);
        return negative ? -result : result;
    }

    /// <summary>The magnitude shifted right, what is lost kept as a sticky lowest bit: 64 bits are enough to round from.</summary>
    private static ulong Rounded(BigInteger magnitude, int shift)
    {
        ulong top = (ulong)(magnitude >> shift);
        return (BigInteger)top << shift == magnitude ? top : top | 1;
    }

    /// <summary>top * 2^exponent, rounded once to nearest even; top has its highest bit set and a sticky lowest one.</summary>
    private static double Scale(ulong top, int exponent)
    {
        // value in [2^(exponent+63), 2^(exponent+64))
        int lead = exponent + 63;
        if (lead > 1023)
        {
            return double.PositiveInfinity;
        }

        int drop = lead >= -1022 ? 11 : 11 + (-1022 - lead);
        if (drop > 64)
        {
            return 0.0;
        }

        ulong kept = drop == 64 ? 0 : top >> drop;
        ulong rest = drop == 64 ? top : top & ((1UL << drop) - 1);
        ulong half = 1UL << (drop - 1);
        if (rest > half || (rest == half && (kept & 1) != 0))
        {
            kept++;
        }

        // The implicit bit carries into the exponent field by itself, also from the subnormals and into infinity.
        long bits = lead >= -1022 ? (long)kept + ((long)(lead + 1022) << 52) : (long)kept;
        return BitConverter.Int64BitsToDouble(bits);
    }

    /// <summary>a / b, correctly rounded; b is not zero.</summary>
    public static double Quotient(BigInteger a, BigInteger b)
    {
        if (BigInteger.Abs(a) <= TwoTo53 && BigInteger.Abs(b) <= TwoTo53)
        {
            return (double)(long)a / (long)b;
        }

        if (a.IsZero)
        {
            return 0.0;
        }

        bool negative = (a.Sign < 0) != (b.Sign < 0);
        BigInteger dividend = BigInteger.Abs(a);
        BigInteger divisor = BigInteger.Abs(b);

        // At least 65 bits of quotient, the remainder as a sticky bit.
        int shift = (int)(dividend.GetBitLength() - divisor.GetBitLength() - 66);
        if (shift < 0)
        {
            dividend <<= -shift;
        }
        else
        {
            divisor <<= shift;
        }

        BigInteger quotient = BigInteger.DivRem(dividend, divisor, out BigInteger remainder);
        int extra = (int)quotient.GetBitLength() - 64;
        ulong top = Rounded(quotient, extra);
        double result = Scale(remainder.IsZero ? top : top | 1, shift + extra);
        return negative ? -result : result;
    }

    /// <summary>By exact value. The Float is no NaN.</summary>
    public static int Compare(BigInteger a, double b)
    {
        if (double.IsInfinity(b))
        {
            return b > 0 ? -1 : 1;
        }

        double floor = Math.Floor(b);
        int order = a.CompareTo(new BigInteger(floor));
        return order != 0 ? order
            : floor < b ? -1
            : 0;
    }

    /// <summary>By exact value. The Float is no NaN.</summary>
    public static int Compare(long a, double b)
    {
        if (b >= 9223372036854775808.0)
        {
            return -1;
        }

        if (b < -9223372036854775808.0)
        {
            return 1;
        }

        double floor = Math.Floor(b);
        int order = a.CompareTo((long)floor);
        return order != 0 ? order
            : floor < b ? -1
            : 0;
    }

    /// <summary>Two of Null, Bool, Int and Float by exact value, Null being 0. No NaN.</summary>
    public static int CompareNumbers(Value* a, Value* b)
    {
        if (a->Tag == Tag.Float)
        {
            return b->Tag == Tag.Float ? Order(a->Float, b->Float)
                : b->Tag == Tag.BigInt ? -Compare(Of(b->Big), a->Float)
                : -Compare(b->Payload, a->Float);
        }

        if (b->Tag == Tag.Float)
        {
            return a->Tag == Tag.BigInt ? Compare(Of(a->Big), b->Float) : Compare(a->Payload, b->Float);
        }

        return a->Tag == Tag.BigInt || b->Tag == Tag.BigInt ? Of(a).CompareTo(Of(b)) : a->Payload.CompareTo(b->Payload);
    }

    private static int Order(double a, double b) =>
        a < b ? -1
        : a > b ? 1
        : 0;

    /// <summary>A number as a Float: a Float itself, everything else rounded.</summary>
    public static double ToDouble(Value* value) =>
        value->Tag switch
        {
            Tag.Float => value->Float,
            Tag.BigInt => ToDouble(Of(value->Big)),
            _ => value->Payload,
        };

    public static BigInteger FloorMod(BigInteger a, BigInteger b)
    {
        BigInteger remainder = BigInteger.Remainder(a, b);
        return !remainder.IsZero && (remainder.Sign < 0) != (b.Sign < 0) ? remainder + b : remainder;
    }

    /// <summary>Does it lie in [-2^bits, 2^bits)?</summary>
    public static bool Fits(BigInteger value, int bits) => value.GetBitLength() <= bits;

    public static bool Fits(long value, int bits)
    {
        if (bits >= 63)
        {
            return true;
        }

        long bound = 1L << bits;
        return value >= -bound && value < bound;
    }
}
