using System.Text;
using System.Text.Json;
using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>Plain data as JSON, in the mapping of docs/json.md.</summary>
public static class DataJson
{
    /// <summary>On one line.</summary>
    public static string Write(Data value)
    {
        StringBuilder text = new();
        Append(text, value);
        return text.ToString();
    }

    /// <summary>Throws <see cref="MalformedJsonException"/> for what is no value of a state within the limits, by default the usual ones.</summary>
    public static Data Read(ReadOnlyMemory<byte> json, Limits? limits = null)
    {
        using JsonDocument document = JsonInput.Parse(json, limits ?? Limits.Default);
        return new DataReader(limits ?? Limits.Default).Value(document.RootElement);
    }

    /// <summary>A state: an object of keys and values. Throws as <see cref="Read"/> does.</summary>
    public static SortedDictionary<string, Data> ReadState(ReadOnlyMemory<byte> json, Limits? limits = null)
    {
        using JsonDocument document = JsonInput.Parse(json, limits ?? Limits.Default);
        return new DataReader(limits ?? Limits.Default).State(document.RootElement);
    }

    internal static void Append(StringBuilder text, Data value)
    {
        switch (value)
        {
            case Data.Bool flag:
                JsonText.Append(text, flag.value);
                break;
            case Data.Int integer:
                JsonText.Append(text, integer.value);
                break;
            case Data.Float number:
                JsonText.Append(text, number.value);
                break;
            case Data.String characters:
                JsonText.Append(text, characters.value);
                break;
            case Data.List list:
                AppendItems(text, list.items);
                break;
            case Data.Set set:
                text.Append("{\"$set\": ");
                AppendItems(text, set.items);
                text.Append('}');
                break;
            case Data.Map map when Array.TrueForAll(map.entries, entry => IsPlainKey(entry.Key)):
                AppendObject(text, map.entries);
                break;
            case Data.Map map:
                text.Append("{\"$map\": ");
                AppendItems(text, Array.ConvertAll(map.entries, entry => Data.NewList([entry.Key, entry.Value])));
                text.Append('}');
                break;
            default:
                text.Append("null");
                break;
        }
    }

    /// <summary>A key that begins with $ would look like a tag.</summary>
    private static bool IsPlainKey(Data key) => key is Data.String text && !text.value.StartsWith('$');

    private static void AppendObject(StringBuilder text, KeyValuePair<Data, Data>[] entries)
    {
        text.Append('{');
        for (int i = 0; i < entries.Length; i++)
        {
            text.Append(i == 0 ? "" : ", ");
            Append(text, entries[i].Key);
            text.Append(": ");
            Append(text, entries[i].Value);
        }

        text.Append('}');
    }

    private static void AppendItems(StringBuilder text, Data[] items)
    {
        text.Append('[');
        for (int i = 0; i < items.Length; i++)
        {
            text.Append(i == 0 ? "" : ", ");
            Append(text, items[i]);
        }

        text.Append(']');
    }
}
