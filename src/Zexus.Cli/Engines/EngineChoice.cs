using System.CommandLine;

namespace Zexus.Cli.Engines;

/// <summary>The option `--engine`.</summary>
internal static class EngineChoice
{
    private const string Interpreter = "interpreter";
    private const string Oracle = "oracle";

    public static Option<IEngine> Option(string usual = Interpreter)
    {
        Option<IEngine> option = new("--engine")
        {
            Description = $"{Interpreter}, the fast engine, or {Oracle}, the specification itself.",
            HelpName = "NAME",
            DefaultValueFactory = _ => Of(usual)!,
            CustomParser = result =>
            {
                string name = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                IEngine? engine = Of(name);
                if (engine is null)
                {
                    result.AddError($"there is no engine '{name}'; there are {Interpreter} and {Oracle}");
                }

                return engine;
            },
        };
        return option;
    }

    private static IEngine? Of(string name) =>
        name.ToLowerInvariant() switch
        {
            Interpreter => new Interpreter(new InterpreterOptions()),
            Oracle => new Oracle(),
            _ => null,
        };
}
