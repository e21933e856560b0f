using System.Numerics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Is plain data within the limits? The order of the tests is that of docs/semantics.md, section 1. For constants and
/// for everything that the host gives.
/// </summary>
internal static class DataVisitor
{
    /// <summary>The first problem, or null.</summary>
    public static RefusalReason? Check(Data data, Limits limits) => Visit(data, 0, limits);

    /// <summary>Elements of collections at every level, as the charges count them.</summary>
    public static long Elements(Data data)
    {
        long sum = 0;
        switch (data)
        {
            case Data.List list:
                sum = list.items.Length;
                foreach (Data item in list.items)
                {
                    sum += Elements(item);
                }

                break;
            case Data.Set set:
                sum = set.items.Length;
                break;
            case Data.Map map:
                sum = 2L * map.entries.Length;
                foreach (KeyValuePair<Data, Data> entry in map.entries)
                {
                    sum += Elements(entry.Value);
                }

                break;
            default:
                break;
        }

        return sum;
    }

    /// <summary>The same, and the text of Strings and the size of Ints at every level: what it costs to copy them out.</summary>
    public static long Weight(Data data) => long.MaxValue - Left(data, long.MaxValue, int.MaxValue);

    /// <summary>Whether the weight is more than that; no further than it takes to know, and not into what nests deeper than the limits.</summary>
    public static bool WeighsMore(Data data, long most, Limits limits) => Left(data, most, limits.Nesting) < 0;

    /// <summary>What is left of so much when the weight is taken from it: less than nothing, and nobody knows how much, when that is more.</summary>
    private static long Left(Data data, long most, int depth)
    {
        switch (data)
        {
            case Data.Int integer:
                return most - (integer.value.GetBitLength() / 64);
            case Data.String text:
                // A scalar has two chars at most.
                long least = text.value.Length / 2 / Gas.ScalarsPerUnit;
                return least > most ? -1 : most - (Text.Scalars(text.value) / Gas.ScalarsPerUnit);
            case Data.List list:
                return Left(list.items, most, depth);
            case Data.Set set:
                return Left(set.items, most, depth);
            case Data.Map map:
                long left = most - (2L * map.entries.Length);
                for (int i = 0; i < map.entries.Length && left >= 0 && depth > 0; i++)
                {
                    left = Left(map.entries[i].Key, left, depth - 1);
                    left = left < 0 ? left : Left(map.entries[i].Value, left, depth - 1);
                }

                return left;
            default:
                return most;
        }
    }

    private static long Left(Data[] items, long most, int depth)
    {
        long left = most - items.Length;
        for (int i = 0; i < items.Length && left >= 0 && depth > 0; i++)
        {
            left = Left(items[i], left, depth - 1);
        }

        return left;
    }

    private static RefusalReason? Visit(Data data, int depth, Limits limits)
    {
        switch (data)
        {
            case Data.Int integer:
                return Integers.Fits(integer.value, limits.IntegerBits) ? null : RefusalReason.ConstantTooLarge;
            case Data.Float number:
                return double.IsNaN(number.value) && BitConverter.DoubleToInt64Bits(number.value) != Floats.NaNBits
                    ? RefusalReason.BadNaN
                    : null;
            case Data.String text:
                return Text.HasUnpairedSurrogate(text.value) ? RefusalReason.BadString
                    : text.value.Length > limits.StringLength && Text.Scalars(text.value) > limits.StringLength
                        ? RefusalReason.ConstantTooLarge
                    : null;
            case Data.List list:
                return Collection(list.items.Length, depth, limits) ?? Items(list.items, depth, limits);
            case Data.Set set:
                return Collection(set.items.Length, depth, limits) ?? Keys(set.items, depth, limits);
            case Data.Map map:
                return Collection(map.entries.Length, depth, limits) ?? Entries(map.entries, depth, limits);
            default:
                return null;
        }
    }

    private static RefusalReason? Collection(int length, int depth, Limits limits) =>
        length > limits.CollectionLength ? RefusalReason.ConstantTooLarge
        : depth >= limits.Nesting ? RefusalReason.ConstantTooDeep
        : null;

    private static RefusalReason? Items(Data[] items, int depth, Limits limits)
    {
        foreach (Data item in items)
        {
            if (Visit(item, depth + 1, limits) is { } reason)
            {
                return reason;
            }
        }

        return null;
    }

    private static RefusalReason? Keys(Data[] items, int depth, Limits limits)
    {
        HashSet<KeyForm> seen = new(items.Length);
        foreach (Data item in items)
        {
            if (Key(item, seen, depth, limits) is { } reason)
            {
                return reason;
            }
        }

        return null;
    }

    private static RefusalReason? Entries(KeyValuePair<Data, Data>[] entries, int depth, Limits limits)
    {
        HashSet<KeyForm> seen = new(entries.Length);
        foreach (KeyValuePair<Data, Data> entry in entries)
        {
            if ((Key(entry.Key, seen, depth, limits) ?? Visit(entry.Value, depth + 1, limits)) is { } reason)
            {
                return reason;
            }
        }

        return null;
    }

    private static RefusalReason? Key(Data key, HashSet<KeyForm> seen, int depth, Limits limits)
    {
        bool allowed = key switch
        {
            Data.Float number => !double.IsNaN(number.value),
            Data.Bool or Data.Int or Data.String => true,
            _ => key.IsNull,
        };
        return !allowed ? RefusalReason.BadKey
            : Visit(key, depth + 1, limits) is { } reason ? reason
            : seen.Add(KeyForm.Of(key)) ? null
            : RefusalReason.BadKey;
    }

    /// <summary>One form for all keys that are equal.</summary>
    private readonly record struct KeyForm(string? Text, BigInteger Whole, double Fraction, bool IsNull)
    {
        public static KeyForm Of(Data key) =>
            key switch
            {
                Data.Bool flag => new(null, flag.value ? 1 : 0, 0, false),
                Data.Int integer => new(null, integer.value, 0, false),
                Data.String text => new(text.value, 0, 0, false),
                Data.Float number => double.IsInteger(number.value)
                    ? new(null, new BigInteger(number.value), 0, false)
                    : new(null, 0, number.value, false),
                _ => new(null, 0, 0, true),
            };
    }
}
