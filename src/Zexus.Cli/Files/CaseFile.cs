using System.Text;
using System.Text.Json;
using Zexus.Differential;
using Zexus.Isa;

namespace Zexus.Cli.Files;

/// <summary>Cases for the check that stand in files: vectors, and programs with what they run in.</summary>
internal static class CaseFile
{
    /// <summary>Every vector and every example of the repository: path and case.</summary>
    public static KeyValuePair<string, string>[] OfRepository(string root, Terminal terminal)
    {
        string vectors = Path.Combine(root, "tests", "vectors");
        string examples = Path.Combine(root, "examples");
        string[] paths =
        [
            .. Files(vectors, "*.json", SearchOption.AllDirectories),
            .. Files(examples, "*.zxa", SearchOption.TopDirectoryOnly),
        ];
        return [.. paths.Select(path => Read(path, Path.GetRelativePath(root, path), terminal))];
    }

    public static KeyValuePair<string, string> Read(string path, string shown, Terminal terminal)
    {
        string text = path.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? Vector(path, terminal)
            : Differential.Vector.toLine(Program(path, terminal));
        return new(shown, text);
    }

    private static IEnumerable<string> Files(string folder, string pattern, SearchOption depth) =>
        Directory.Exists(folder) ? Directory.EnumerateFiles(folder, pattern, depth).Order(StringComparer.Ordinal) : [];

    private static string Vector(string path, Terminal terminal)
    {
        string text = Encoding.UTF8.GetString(InputFile.Read(path, terminal));
        try
        {
            Differential.Vector.parse(text);
            return text;
        }
        catch (Exception e)
            when (e is JsonException or FormatException or KeyNotFoundException or InvalidOperationException)
        {
            throw Problem.File(
                $"{InputFile.Shown(path)} is no vector: {Terminal.Printable(e.Message)}",
                "A vector is what './zexus check --save' writes."
            );
        }
    }

    /// <summary>`NAME.zxa` with `NAME.state.json` and the `given` of `NAME.expected.json`, if they are there.</summary>
    private static Case Program(string path, Terminal terminal)
    {
        ProgramFile program = ProgramFile.Read(path, terminal);
        string statePath = Path.ChangeExtension(path, ".state.json");
        string expectedPath = Path.ChangeExtension(path, ".expected.json");
        IReadOnlyDictionary<string, Data> state = File.Exists(statePath)
            ? StateFile.Read(statePath, Limits.Default, terminal)
            : new Dictionary<string, Data>();
        JsonElement given = File.Exists(expectedPath) ? Given(expectedPath, terminal) : default;
        return new Case(
            program.Program,
            Limits.Default,
            0,
            [],
            Number(given, "gas", Gas.DefaultLimit),
            null,
            new Block(Number(given, "timestamp", 0), Number(given, "height", 0), Text(given, "caller")),
            [.. state],
            [],
            "",
            []
        );
    }

    private static JsonElement Given(string path, Terminal terminal)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(InputFile.Read(path, terminal));
            return document.RootElement.TryGetProperty("given", out JsonElement given) ? given.Clone() : default;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Problem.File($"{InputFile.Shown(path)} is no expected outcome: {Terminal.Printable(e.Message)}");
        }
    }

    private static long Number(JsonElement given, string name, long usual) =>
        given.ValueKind == JsonValueKind.Object && given.TryGetProperty(name, out JsonElement value)
            ? value.GetInt64()
            : usual;

    private static string Text(JsonElement given, string name) =>
        given.ValueKind == JsonValueKind.Object && given.TryGetProperty(name, out JsonElement value)
            ? value.GetString()!
            : "";
}
