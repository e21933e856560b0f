using System.Collections.Immutable;
using System.Text;
using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>What a proof comes to, for one root, contract and key.</summary>
public abstract record StateVerdict
{
    private StateVerdict() { }

    /// <summary>The state with that root has this value for the key.</summary>
    public sealed record Holds(Data Value) : StateVerdict;

    /// <summary>The state with that root has nothing for the key.</summary>
    public sealed record Absent : StateVerdict;

    /// <summary>Nothing is proved.</summary>
    public sealed record Refused(string Reason) : StateVerdict;
}

/// <summary>
/// A proof of what a state has for a contract's key, or that it has nothing: checked against a root alone, without the state
/// (docs/commitments.md). As JSON: docs/json.md.
/// </summary>
public sealed class StateProof
{
    /// <summary>No path is longer.</summary>
    public const int MostSiblings = StateTree.MostDepth;

    /// <summary>Whatever is given: a proof that proves nothing is refused by its check.</summary>
    public StateProof(Digest root, string contract, string key, ImmutableArray<Digest> siblings, StatePair? end)
    {
        Root = root;
        Contract = contract;
        Key = key;
        Siblings = siblings;
        End = end;
    }

    /// <summary>What its maker says the root is. No check believes it.</summary>
    public Digest Root { get; }

    /// <summary>Whose key the proof was made for.</summary>
    public string Contract { get; }

    /// <summary>The key that the proof was made for.</summary>
    public string Key { get; }

    /// <summary>The digests of the subtrees beside the key's path, from the root downward.</summary>
    public ImmutableArray<Digest> Siblings { get; }

    /// <summary>The leaf at the end of them: that of the key, or another in whose subtree the key would be. Null for nothing.</summary>
    public StatePair? End { get; }

    /// <summary>
    /// What the proof says of this contract's key in the state with this root. The root comes from whoever checks, from a place that they
    /// trust; never from the proof.
    /// </summary>
    public StateVerdict Check(Digest root, string contract, string key) =>
        Check(root, contract, key, CommitmentHash.Path);

    /// <summary>As <see cref="ToJson"/> writes it. Throws <see cref="MalformedJsonException"/> for anything else.</summary>
    /// <param name="json">UTF-8, with or without a byte order mark.</param>
    /// <param name="limits">Of the value; the defaults when not given.</param>
    public static StateProof Parse(ReadOnlyMemory<byte> json, Limits? limits = null) =>
        StateProofReader.Read(json, limits ?? Limits.Default);

    /// <summary>A document, a field a line.</summary>
    public string ToJson()
    {
        StringBuilder text = new();
        text.Append("{\n  \"root\": \"").Append(Root).Append("\",\n  \"contract\": ");
        JsonText.Append(text, Contract);
        text.Append(",\n  \"key\": ");
        JsonText.Append(text, Key);
        text.Append(",\n  \"siblings\": [");
        for (int i = 0; i < Siblings.Length; i++)
        {
            text.Append(i == 0 ? "\n    \"" : ",\n    \"").Append(Siblings[i]).Append('"');
        }

        text.Append(Siblings.Length == 0 ? "],\n  \"end\": " : "\n  ],\n  \"end\": ");
        if (End is null)
        {
            text.Append("null");
        }
        else
        {
            text.Append("{\"contract\": ");
            JsonText.Append(text, End.Contract);
            text.Append(", \"key\": ");
            JsonText.Append(text, End.Key);
            text.Append(", \"value\": ");
            DataJson.Append(text, End.Value);
            text.Append('}');
        }

        return text.Append("\n}").ToString();
    }

    /// <summary>With other paths, for tests.</summary>
    internal StateVerdict Check(Digest root, string contract, string key, Func<string, string, Digest> pathOf)
    {
        if (Siblings.Length > MostSiblings)
        {
            return new StateVerdict.Refused($"it has {Siblings.Length} siblings; a path has {MostSiblings} bits");
        }

        Digest at;
        try
        {
            Digest path = pathOf(contract, key);
            at = End is null ? Digest.None : CommitmentHash.Leaf(End.Contract, End.Key, Constants.Encode(End.Value));
            for (int depth = Siblings.Length - 1; depth >= 0; depth--)
            {
                at = path.Bit(depth)
                    ? CommitmentHash.Node(Siblings[depth], at)
                    : CommitmentHash.Node(at, Siblings[depth]);
            }
        }
        catch (ArgumentException e)
        {
            return new StateVerdict.Refused(e.Message);
        }

        if (at != root)
        {
            return new StateVerdict.Refused($"it leads to the root {at}, not to {root}");
        }

        return End is not null && End.Contract == contract && End.Key == key
            ? new StateVerdict.Holds(End.Value)
            : new StateVerdict.Absent();
    }
}
