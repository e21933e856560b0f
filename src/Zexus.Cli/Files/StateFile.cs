using System.Text;
using Zexus.Chain;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Files;

/// <summary>The state of a chain as a JSON object, in the mapping of docs/json.md.</summary>
internal static class StateFile
{
    public static SortedDictionary<string, Data> Read(string path, Limits limits, Terminal terminal) =>
        JsonFile.Read(
            path,
            terminal,
            bytes => DataJson.ReadState(bytes, limits),
            "a state without entries is written {}"
        );

    public static void Write(string path, IReadOnlyDictionary<string, Node> state, Terminal terminal)
    {
        string text =
            state.Count == 0 ? "{}\n" : Json.Document(state.Select(entry => (entry.Key, Json.Of(entry.Value)))) + "\n";
        OutputFile.Write(path, Encoding.UTF8.GetBytes(text), terminal);
    }
}
