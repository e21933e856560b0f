using System.CommandLine;

namespace Zexus.Cli.Engines;

/// <summary>The option `--engine`.</summary>
internal static class EngineChoice
{
    public static Option<string> Option() 
    {
        Option<string> option = new("--engine")
        {
            Description = "Which engine executes: oracle (the specification).",
            HelpName = "NAME",
            DefaultValueFactory = _ => "oracle",
        };
        option.AcceptOnlyFromAmong("oracle");
        return option;
    }

    public static IEngine Of(string name) => new Oracle();
}
