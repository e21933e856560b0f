using System.Collections.Immutable;
using System.Text.Json;
using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>Reads a Merkle proof from JSON: every field of docs/json.md once, and no other.</summary>
internal static class MerkleProofReader
{
    private const string ProofIsAnObject = "a proof is an object of root, leaves, index, leaf and siblings";

    public static MerkleProof Read(ReadOnlyMemory<byte> json, Limits limits)
    {
        using JsonDocument document = JsonInput.Parse(json, limits);
        DataReader reader = new(limits);
        Dictionary<string, JsonElement> fields = StateProofReader.Fields(
            reader,
            document.RootElement,
            ProofIsAnObject,
            ["root", "leaves", "index", "leaf", "siblings"]
        );
        return new MerkleProof(
            reader.At("root", () => StateProofReader.ReadDigest(reader, fields["root"])),
            reader.At("leaves", () => Count(reader, fields["leaves"])),
            reader.At("index", () => Count(reader, fields["index"])),
            reader.At("leaf", () => reader.Value(fields["leaf"])),
            reader.At("siblings", () => Siblings(reader, fields["siblings"]))
        );
    }

    private static int Count(DataReader reader, JsonElement element) =>
        element.ValueKind == JsonValueKind.Number
        && element.TryGetInt32(out int count)
        && count is >= 0 and <= MerkleTree.MostLeaves
            ? count
            : throw reader.Wrong($"this is a whole number from 0 to {MerkleTree.MostLeaves}");

    private static ImmutableArray<Digest?> Siblings(DataReader reader, JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Array)
        {
            throw reader.Wrong($"siblings are an array of digests and nulls, not {DataReader.Describe(element)}");
        }

        int count = element.GetArrayLength();
        if (count > MerkleProof.MostSiblings)
        {
            throw reader.Wrong($"a proof has at most {MerkleProof.MostSiblings} siblings, not {count}");
        }

        ImmutableArray<Digest?>.Builder siblings = ImmutableArray.CreateBuilder<Digest?>(count);
        foreach (JsonElement item in element.EnumerateArray())
        {
            siblings.Add(
                item.ValueKind == JsonValueKind.Null
                    ? null
                    : reader.At(siblings.Count, () => StateProofReader.ReadDigest(reader, item))
            );
        }

        return siblings.MoveToImmutable();
    }
}
