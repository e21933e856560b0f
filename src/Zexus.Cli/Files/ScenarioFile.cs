using System.Text.Json;
using Zexus.Chain;
using Zexus.Cli.Output;
using Zexus.Differential;

namespace Zexus.Cli.Files;

/// <summary>Scenarios for the check: calls of a contract, one after the other (examples/contracts/README.md).</summary>
internal static class ScenarioFile
{
    public static bool IsOne(string path) => path.EndsWith(".scenario.json", StringComparison.Ordinal);

    /// <summary>Every scenario of the repository and its path.</summary>
    public static KeyValuePair<string, Scenario>[] OfRepository(string root) =>
        [
            .. ScenarioModule
                .files(Path.Combine(root, "examples", "contracts"))
                .Select(path => KeyValuePair.Create(Path.GetRelativePath(root, path), Read(path))),
        ];

    public static Scenario Read(string path)
    {
        try
        {
            return ScenarioModule.read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Problem.File($"cannot read {InputFile.Shown(path)}: {Terminal.Printable(e.Message)}");
        }
        catch (Exception e)
            when (e
                    is JsonException
                        or FormatException
                        or KeyNotFoundException
                        or InvalidOperationException
                        or MalformedJsonException
            )
        {
            throw Problem.File(
                $"{InputFile.Shown(path)} is no scenario: {Terminal.Printable(e.Message)}",
                "examples/contracts/README.md says what one is."
            );
        }
    }
}
