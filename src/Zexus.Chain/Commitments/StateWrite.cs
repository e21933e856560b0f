using System.Numerics;
using System.Text;
using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>What a state has for a contract's key.</summary>
public sealed record StatePair(string Contract, string Key, Data Value);

/// <summary>A change of a state: a key of a contract gets a value, or goes.</summary>
public readonly struct StateWrite
{
    private StateWrite(string contract, string key, ReadOnlyMemory<byte> constant, bool isRemoval)
    {
        Contract = contract;
        Key = key;
        Constant = constant;
        IsRemoval = isRemoval;
    }

    /// <summary>Whose key it is.</summary>
    public string Contract { get; }

    /// <summary>Any text.</summary>
    public string Key { get; }

    /// <summary>The value in bytes, as docs/container.md has it; empty for a removal.</summary>
    public ReadOnlyMemory<byte> Constant { get; }

    /// <summary>The key goes; one that was not there stays away.</summary>
    public bool IsRemoval { get; }

    /// <summary>Throws ArgumentException for what is no value of a state: see <see cref="Put(string, string, ReadOnlyMemory{byte})"/>.</summary>
    public static StateWrite Put(string contract, string key, Data value) =>
        new(contract, key, Constants.Encode(value), isRemoval: false);

    /// <summary>Of a value that is already in bytes, which are not looked at.</summary>
    public static StateWrite Put(string contract, string key, ReadOnlyMemory<byte> constant) =>
        new(contract, key, constant, isRemoval: false);

    /// <summary>Of a key that may or may not be there.</summary>
    public static StateWrite Remove(string contract, string key) => new(contract, key, default, isRemoval: true);
}

internal static class Constants
{
    /// <summary>Of the one NaN that a state has.</summary>
    public const long NaNBits = 0x7FF8000000000000;

    [ThreadStatic]
    private static ConstantWriter? _writer;

    /// <summary>
    /// The value as its constant. Throws ArgumentException for half of a surrogate pair, collections nested too deep and an Int too
    /// large for a container, and for a NaN other than 0x7FF8000000000000, which would give one value two digests.
    /// </summary>
    public static byte[] Encode(Data value) => TryEncode(value, 0) ?? EncodeOrExplain(value);

    /// <summary>The same of a value that is within a collection.</summary>
    /// <exception cref="ArgumentException">As of the collection.</exception>
    public static byte[] EncodeItem(Data value) => TryEncode(value, 1) ?? EncodeOrExplain(Data.NewList([value]))[2..];

    /// <summary>
    /// How many bytes the constant has, without making it; a String that stands in many places has its bytes in each. Of what has no constant it says
    /// nothing of use. Stops counting where that is more than asked for.
    /// </summary>
    public static long Size(Data value, long most = long.MaxValue) => Size(value, most, 0);

    private static long Size(Data value, long most, int depth)
    {
        if (depth > Container.Nesting)
        {
            return 0;
        }

        long size = 1;
        switch (value)
        {
            case Data.Int { value: var number }:
                return size + WithLength(number.GetByteCount());
            case Data.Float:
                return size + sizeof(double);
            case Data.String { value: var text }:
                return size + WithLength(Encoding.UTF8.GetByteCount(text));
            case Data.List { items: var items }:
                return size + Items(items);
            case Data.Set { items: var items }:
                return size + Items(items);
            case Data.Map { entries: var entries }:
                size += LengthSize(entries.Length);
                for (int i = 0; i < entries.Length && size <= most; i++)
                {
                    size += Size(entries[i].Key, most - size, depth + 1);
                    size += Size(entries[i].Value, most - size, depth + 1);
                }

                return size;
            default:
                return size;
        }

        long Items(Data[] items)
        {
            long sum = LengthSize(items.Length);
            for (int i = 0; i < items.Length && sum <= most; i++)
            {
                sum += Size(items[i], most - sum, depth + 1);
            }

            return sum;
        }

        static long WithLength(int bytes) => LengthSize(bytes) + (long)bytes;
    }

    /// <summary>Seven bits of a length are a byte.</summary>
    private static int LengthSize(int length) => 1 + (BitOperations.Log2((uint)length | 1) / 7);

    private static byte[]? TryEncode(Data value, int depth)
    {
        ConstantWriter writer = _writer ??= new();
        writer.Clear();
        return writer.TryWrite(value, depth) ? writer.Written.ToArray() : null;
    }

    private static byte[] EncodeOrExplain(Data value)
    {
        byte[] bytes = DataForm.Encode(value);
        return HasOtherNaN(value)
            ? throw new ArgumentException(
                "a Float is a NaN other than 0x7FF8000000000000; a state has only that one",
                nameof(value)
            )
            : bytes;
    }

    /// <summary>Recursion is bounded: what was encoded is at most so deep as a container allows.</summary>
    private static bool HasOtherNaN(Data value) =>
        value switch
        {
            Data.Float number => double.IsNaN(number.value) && BitConverter.DoubleToInt64Bits(number.value) != NaNBits,
            Data.List list => Array.Exists(list.items, HasOtherNaN),
            Data.Set set => Array.Exists(set.items, HasOtherNaN),
            Data.Map map => Array.Exists(map.entries, entry => HasOtherNaN(entry.Key) || HasOtherNaN(entry.Value)),
            _ => false,
        };
}
