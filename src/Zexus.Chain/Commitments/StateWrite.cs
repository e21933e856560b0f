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
