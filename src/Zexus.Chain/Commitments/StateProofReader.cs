using System.Collections.Immutable;
using System.Text.Json;
using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>Reads a proof from JSON: every field of docs/json.md once, and no other.</summary>
internal static class StateProofReader
{
    private const string ProofIsAnObject = "a proof is an object of root, contract, key, siblings and end";
    private const string EndIsAnObject = "end is null or an object of contract, key and value";

    public static StateProof Read(ReadOnlyMemory<byte> json, Limits limits)
    {
        using JsonDocument document = JsonInput.Parse(json, limits);
        DataReader reader = new(limits);
        Dictionary<string, JsonElement> fields = Fields(
            reader,
            document.RootElement,
            ProofIsAnObject,
            ["root", "contract", "key", "siblings", "end"]
        );
        return new StateProof(
            reader.At("root", () => ReadDigest(reader, fields["root"])),
            reader.At("contract", () => Text(reader, fields["contract"])),
            reader.At("key", () => Text(reader, fields["key"])),
            reader.At("siblings", () => Siblings(reader, fields["siblings"])),
            reader.At("end", () => End(reader, fields["end"]))
        );
    }

    private static ImmutableArray<Digest> Siblings(DataReader reader, JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Array)
        {
            throw reader.Wrong($"siblings are an array of digests, not {DataReader.Describe(element)}");
        }

        int count = element.GetArrayLength();
        if (count > StateProof.MostSiblings)
        {
            throw reader.Wrong($"a proof has at most {StateProof.MostSiblings} siblings, not {count}");
        }

        ImmutableArray<Digest>.Builder siblings = ImmutableArray.CreateBuilder<Digest>(count);
        foreach (JsonElement item in element.EnumerateArray())
        {
            siblings.Add(reader.At(siblings.Count, () => ReadDigest(reader, item)));
        }

        return siblings.MoveToImmutable();
    }

    private static StatePair? End(DataReader reader, JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        Dictionary<string, JsonElement> fields = Fields(reader, element, EndIsAnObject, ["contract", "key", "value"]);
        return new StatePair(
            reader.At("contract", () => Text(reader, fields["contract"])),
            reader.At("key", () => Text(reader, fields["key"])),
            reader.At("value", () => reader.Value(fields["value"]))
        );
    }

    public static Digest ReadDigest(DataReader reader, JsonElement element)
    {
        const int digits = 2 * Digest.Size;
        if (element.ValueKind != JsonValueKind.String)
        {
            throw reader.Wrong(
                $"a digest is a string of {digits} hexadecimal digits, not {DataReader.Describe(element)}"
            );
        }

        string text = reader.Text(element);
        if (Digest.TryParse(text, out Digest digest))
        {
            return digest;
        }

        int stranger = text.AsSpan().IndexOfAnyExcept("0123456789abcdefABCDEF");
        throw stranger >= 0
            ? reader.Wrong($"a digest is {digits} hexadecimal digits; character {stranger + 1} of this one is none")
            : reader.Wrong($"a digest is {digits} hexadecimal digits, not {text.Length}");
    }

    private static string Text(DataReader reader, JsonElement element) =>
        element.ValueKind == JsonValueKind.String
            ? reader.Text(element)
            : throw reader.Wrong($"this is a string, not {DataReader.Describe(element)}");

    public static Dictionary<string, JsonElement> Fields(
        DataReader reader,
        JsonElement element,
        string shape,
        string[] names
    )
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw reader.Wrong($"{shape}, not {DataReader.Describe(element)}");
        }

        Dictionary<string, JsonElement> fields = [];
        foreach (JsonProperty property in element.EnumerateObject())
        {
            string name = reader.Name(property);
            if (!names.Contains(name))
            {
                throw reader.At(name, () => reader.Wrong($"there is no such field; {shape}"));
            }

            if (!fields.TryAdd(name, property.Value))
            {
                throw reader.At(name, () => reader.Wrong("this field stands there twice"));
            }
        }

        foreach (string name in names)
        {
            if (!fields.ContainsKey(name))
            {
                throw reader.Wrong($"the field {name} is missing; {shape}");
            }
        }

        return fields;
    }
}
