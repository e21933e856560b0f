using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>
/// Reads plain data out of JSON. What is no value of a state within the limits is a <see cref="MalformedJsonException"/> that names its
/// place, as `$.accounts["a b"][0]`.
/// </summary>
internal sealed class DataReader(Limits limits)
{
    private readonly Stack<string> _path = new(["$"]);

    public SortedDictionary<string, Data> State(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Wrong($"the state is an object of keys and values, not {Describe(root)}");
        }

        SortedDictionary<string, Data> state = new(StringComparer.Ordinal);
        foreach (JsonProperty property in root.EnumerateObject())
        {
            string key = Name(property);
            Enter(key);
            if (!state.TryAdd(key, Value(property.Value, 0)))
            {
                throw Wrong("this key stands there twice");
            }

            Leave();
        }

        return state;
    }

    /// <summary>A value of a state.</summary>
    public Data Value(JsonElement element) => Value(element, 0);

    private Data Value(JsonElement element, int depth)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Null:
                return Data.Null;
            case JsonValueKind.True:
                return Data.NewBool(true);
            case JsonValueKind.False:
                return Data.NewBool(false);
            case JsonValueKind.String:
                return Data.NewString(Text(element));
            case JsonValueKind.Number:
                return Number(element.GetRawText());
            case JsonValueKind.Array:
                return Data.NewList(Items(element, depth));
            case JsonValueKind.Object:
                JsonProperty[] properties = [.. element.EnumerateObject()];
                return properties.Any(p => Name(p).StartsWith('$'))
                    ? Tagged(properties, depth)
                    : Object(properties, depth);
            default:
                throw Wrong("this is no value");
        }
    }

    private Data Number(string text)
    {
        if (text.AsSpan().ContainsAny('.', 'e', 'E'))
        {
            double number = double.Parse(text, CultureInfo.InvariantCulture);
            return double.IsFinite(number)
                ? Data.NewFloat(number)
                : throw Wrong($"{text} is beyond the range of a Float; infinity is written {{\"$float\": \"inf\"}}");
        }

        return Integer(text);
    }

    private Data Integer(string text)
    {
        // A decimal digit is more than 3 bits.
        if (text.Length > (limits.IntegerBits / 3) + 2)
        {
            throw Wrong($"this Int has more than {limits.IntegerBits} bits");
        }

        if (
            !BigInteger.TryParse(
                text,
                NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture,
                out BigInteger value
            )
        )
        {
            throw Wrong("{\"$int\": …} takes a string of decimal digits");
        }

        return value.GetBitLength() <= limits.IntegerBits
            ? Data.NewInt(value)
            : throw Wrong($"this Int has more than {limits.IntegerBits} bits");
    }

    private Data Float(string text) =>
        text switch
        {
            "nan" => Data.NewFloat(BitConverter.Int64BitsToDouble(0x7FF8000000000000)),
            "inf" => Data.NewFloat(double.PositiveInfinity),
            "-inf" => Data.NewFloat(double.NegativeInfinity),
            _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                    && double.IsFinite(value) => Data.NewFloat(value),
            _ => throw Wrong("{\"$float\": …} takes a string such as \"1.0\", \"1e-9\", \"nan\", \"inf\" or \"-inf\""),
        };

    private Data Tagged(JsonProperty[] properties, int depth)
    {
        string tag = properties.Select(Name).First(n => n.StartsWith('$'));
        if (tag is "$id" or "$ref" or "$function" or "$list")
        {
            throw Wrong(
                $"{{\"{tag}\": …}} stands for something that a state cannot hold: it is plain data, without sharing or Functions"
            );
        }

        if (tag is not ("$int" or "$float" or "$set" or "$map"))
        {
            throw Wrong(
                $"there is no tag \"{tag}\"; the tags are $int, $float, $set and $map, and a Map with a key that begins with $ is written as a $map"
            );
        }

        if (properties.Length > 1)
        {
            throw Wrong($"nothing stands beside \"{tag}\"");
        }

        JsonElement content = properties[0].Value;
        JsonValueKind wanted = tag is "$int" or "$float" ? JsonValueKind.String : JsonValueKind.Array;
        if (content.ValueKind != wanted)
        {
            throw Wrong(
                $"{{\"{tag}\": …}} takes {(wanted == JsonValueKind.String ? "a string" : "an array")}, not {Describe(content)}"
            );
        }

        return tag switch
        {
            "$int" => Integer(Text(content)),
            "$float" => Float(Text(content)),
            "$set" => Set(content, depth),
            _ => Map(content, depth),
        };
    }

    private Data Set(JsonElement content, int depth)
    {
        Data[] items = Items(content, depth);
        HashSet<Data> seen = [];
        for (int i = 0; i < items.Length; i++)
        {
            Enter(i);
            CheckKey(items[i], seen, "Set element");
            Leave();
        }

        return Data.NewSet(items);
    }

    private Data Map(JsonElement content, int depth)
    {
        CheckCollection(content.GetArrayLength(), depth);
        List<KeyValuePair<Data, Data>> entries = [];
        HashSet<Data> seen = [];
        foreach (JsonElement pair in content.EnumerateArray())
        {
            Enter(entries.Count);
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2)
            {
                throw Wrong("an entry of a $map is an array of a key and a value");
            }

            Data key = Value(pair[0], depth + 1);
            CheckKey(key, seen, "Map key");
            entries.Add(new(key, Value(pair[1], depth + 1)));
            Leave();
        }

        return Data.NewMap([.. entries]);
    }

    private Data Object(JsonProperty[] properties, int depth)
    {
        CheckCollection(properties.Length, depth);
        List<KeyValuePair<Data, Data>> entries = [];
        HashSet<string> seen = [];
        foreach (JsonProperty property in properties)
        {
            string key = Name(property);
            Enter(key);
            if (!seen.Add(key))
            {
                throw Wrong("this key stands there twice");
            }

            entries.Add(new(Data.NewString(key), Value(property.Value, depth + 1)));
            Leave();
        }

        return Data.NewMap([.. entries]);
    }

    private Data[] Items(JsonElement array, int depth)
    {
        CheckCollection(array.GetArrayLength(), depth);
        List<Data> items = [];
        foreach (JsonElement item in array.EnumerateArray())
        {
            Enter(items.Count);
            items.Add(Value(item, depth + 1));
            Leave();
        }

        return [.. items];
    }

    private void CheckCollection(int count, int depth)
    {
        if (count > limits.CollectionLength)
        {
            throw Wrong($"a collection has at most {limits.CollectionLength} elements, not {count}");
        }

        if (depth >= limits.Nesting)
        {
            throw Wrong($"collections stand at most {limits.Nesting} deep within one another");
        }
    }

    private void CheckKey(Data key, HashSet<Data> seen, string what)
    {
        Data normal = key switch
        {
            Data.List or Data.Map or Data.Set => throw Wrong($"a {what} is null, a bool, a number or a string"),
            Data.Bool flag => Data.NewInt(flag.value ? 1 : 0),
            Data.Float number when double.IsNaN(number.value) => throw Wrong(
                $"a {what} is never NaN, which equals nothing"
            ),
            Data.Float number when double.IsFinite(number.value) && Math.Floor(number.value) == number.value =>
                Data.NewInt(new BigInteger(number.value)),
            _ => key,
        };
        if (!seen.Add(normal))
        {
            throw Wrong($"this {what} equals an earlier one");
        }
    }

    public string Name(JsonProperty property)
    {
        try
        {
            return CheckText(property.Name);
        }
        catch (InvalidOperationException)
        {
            throw Wrong("a key here has half of a surrogate pair");
        }
    }

    public string Text(JsonElement element)
    {
        try
        {
            return CheckText(element.GetString()!);
        }
        catch (InvalidOperationException)
        {
            throw Wrong("this string has half of a surrogate pair");
        }
    }

    private string CheckText(string text)
    {
        if (text.Length > limits.StringLength && text.EnumerateRunes().Count() > limits.StringLength)
        {
            throw Wrong($"a String has at most {limits.StringLength} scalars");
        }

        return text;
    }

    /// <summary>Reads what stands at a field.</summary>
    public T At<T>(string key, Func<T> read)
    {
        Enter(key);
        T result = read();
        Leave();
        return result;
    }

    /// <summary>Reads what stands at an element.</summary>
    public T At<T>(int index, Func<T> read)
    {
        Enter(index);
        T result = read();
        Leave();
        return result;
    }

    private void Enter(string key) =>
        _path.Push(
            key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
                ? "." + key
                : $"[{JsonText.Quoted(key)}]"
        );

    private void Enter(int index) => _path.Push($"[{index}]");

    private void Leave() => _path.Pop();

    /// <summary>An error at the place that is being read.</summary>
    public MalformedJsonException Wrong(string message) => new($"{string.Concat(_path.Reverse())}: {message}");

    public static string Describe(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Null => "null",
            JsonValueKind.True or JsonValueKind.False => "a bool",
            JsonValueKind.Number => "a number",
            JsonValueKind.String => "a string",
            JsonValueKind.Array => "an array",
            _ => "an object",
        };
}
