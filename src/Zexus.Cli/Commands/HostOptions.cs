using System.CommandLine;
using System.CommandLine.Parsing;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>The options that say what a program runs in.</summary>
internal sealed class HostOptions
{
    private readonly Option<long> _gas = new("--gas")
    {
        Description = "The gas limit.",
        HelpName = "N",
        DefaultValueFactory = _ => Gas.DefaultLimit,
    };

    private readonly Option<string?> _state = new("--state")
    {
        Description = "The state before the execution: a JSON object (docs/json.md).",
        HelpName = "FILE",
    };

    private readonly Option<long> _timestamp = new("--timestamp") { Description = "The block's timestamp.", HelpName = "N" };

    private readonly Option<long> _height = new("--height") { Description = "The block's height.", HelpName = "N" };

    private readonly Option<string> _caller = new("--caller")
    {
        Description = "Who calls: what caller() returns.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "",
    };

    public void AddTo(Command command)
    {
        _gas.Validators.Add(NotNegative);
        command.Add(_gas);
        command.Add(_state);
        command.Add(_timestamp);
        command.Add(_height);
        command.Add(_caller);
    }

    public Inputs Read(ParseResult parsed, Terminal terminal)
    {
        string? state = parsed.GetValue(_state);
        string caller = parsed.GetValue(_caller)!;
        return new Inputs
        {
            Gas = parsed.GetValue(_gas),
            Timestamp = parsed.GetValue(_timestamp),
            Height = parsed.GetValue(_height),
            Caller = caller,
            State = state is null ? new Dictionary<string, Data>() : StateFile.Read(state, Limits.Default, terminal),
        };
    }

    public static void NotNegative(OptionResult result)
    {
        if (result.Tokens.Count == 1 && long.TryParse(result.Tokens[0].Value, out long value) && value < 0)
        {
            result.AddError($"{result.Option.Name} takes a number of 0 or more, not {value}.");
        }
    }
}
