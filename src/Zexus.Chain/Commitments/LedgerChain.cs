using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>The chain of digests over the entries of a ledger: docs/commitments.md.</summary>
public sealed class LedgerChain
{
    /// <summary>Of an empty ledger.</summary>
    public LedgerChain()
        : this(Digest.None, 0) { }

    /// <summary>Of a ledger that has so many entries and this head.</summary>
    public LedgerChain(Digest head, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        Head = head;
        Count = count;
    }

    /// <summary>None before the first entry.</summary>
    public Digest Head { get; private set; }

    /// <summary>Entries.</summary>
    public long Count { get; private set; }

    /// <summary>The head after one more entry. Throws ArgumentException for an entry that has no form in bytes.</summary>
    public static Digest Link(Digest before, string contract, Data entry) =>
        CommitmentHash.Link(before, contract, Constants.Encode(entry));

    /// <summary>Of an entry that is already in bytes, as docs/container.md has it; they are not looked at.</summary>
    public static Digest Link(Digest before, string contract, ReadOnlySpan<byte> constant) =>
        CommitmentHash.Link(before, contract, constant);

    /// <summary>Returns the new head. Throws as <see cref="Link(Digest, string, Data)"/> does, and nothing is appended.</summary>
    public Digest Append(string contract, Data entry) => Advance(Link(Head, contract, entry));

    /// <summary>As <see cref="Link(Digest, string, ReadOnlySpan{byte})"/>; returns the new head.</summary>
    public Digest Append(string contract, ReadOnlySpan<byte> constant) => Advance(Link(Head, contract, constant));

    private Digest Advance(Digest head)
    {
        Head = head;
        Count++;
        return head;
    }
}
