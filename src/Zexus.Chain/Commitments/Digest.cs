using System.Buffers.Binary;

namespace Zexus.Chain;

/// <summary>32 bytes of SHA-256. Digests are ordered as their bytes are.</summary>
public readonly struct Digest : IEquatable<Digest>, IComparable<Digest>
{
    /// <summary>In bytes.</summary>
    public const int Size = 32;

    // The first byte is the highest, so that the bits of a path are those of the words.
    private readonly ulong _first;
    private readonly ulong _second;
    private readonly ulong _third;
    private readonly ulong _fourth;

    /// <summary>Throws ArgumentException unless there are 32 bytes.</summary>
    public Digest(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException($"a digest has {Size} bytes, not {bytes.Length}", nameof(bytes));
        }

        _first = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _second = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _third = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _fourth = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>32 bytes of zero: the root of the empty state, the head of the empty ledger.</summary>
    public static Digest None => default;

    internal ulong First => _first;

    /// <summary>From 64 hexadecimal digits, of either case; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Digest digest)
    {
        digest = default;
        Span<byte> bytes = stackalloc byte[Size];
        if (
            text.Length != 2 * Size
            || Convert.FromHexString(text, bytes, out _, out _) != System.Buffers.OperationStatus.Done
        )
        {
            return false;
        }

        digest = new Digest(bytes);
        return true;
    }

    /// <summary>Throws FormatException for what is not 64 hexadecimal digits.</summary>
    public static Digest Parse(string text) =>
        TryParse(text, out Digest digest)
            ? digest
            : throw new FormatException($"a digest is {2 * Size} hexadecimal digits");

    /// <summary>Throws ArgumentOutOfRangeException when there is no room for 32 bytes.</summary>
    public void CopyTo(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _first);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _second);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], _third);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], _fourth);
    }

    /// <summary>The highest bit of the first byte is number 0.</summary>
    internal bool Bit(int number)
    {
        ulong word = (number >> 6) switch
        {
            0 => _first,
            1 => _second,
            2 => _third,
            _ => _fourth,
        };
        return (word >> (63 - (number & 63)) & 1) != 0;
    }

    /// <summary>With a 1 there.</summary>
    internal Digest WithBit(int number)
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        bytes[number >> 3] |= (byte)(0x80 >> (number & 7));
        return new Digest(bytes);
    }

    /// <inheritdoc/>
    public bool Equals(Digest other) =>
        _first == other._first && _second == other._second && _third == other._third && _fourth == other._fourth;

    /// <inheritdoc/>
    public int CompareTo(Digest other) =>
        _first != other._first ? _first.CompareTo(other._first)
        : _second != other._second ? _second.CompareTo(other._second)
        : _third != other._third ? _third.CompareTo(other._third)
        : _fourth.CompareTo(other._fourth);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Digest other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _first.GetHashCode();

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>The same 32 bytes?</summary>
    public static bool operator ==(Digest left, Digest right) => left.Equals(right);

    /// <summary>Not the same 32 bytes?</summary>
    public static bool operator !=(Digest left, Digest right) => !left.Equals(right);
}
