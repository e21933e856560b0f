using System.CommandLine;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>The options that say what a program runs in.</summary>
internal sealed class HostOptions
{
    private readonly Option<long> _gas = WholeNumber.Option("--gas", "The gas limit.", Gas.DefaultLimit);

    private readonly Option<string?> _state = new("--state")
    {
        Description = "The state before the execution: a JSON object (docs/json.md).",
        HelpName = "FILE",
    };

    private readonly Option<long> _timestamp = WholeNumber.Option(
        "--timestamp",
        "The block's timestamp.",
        0,
        long.MinValue
    );

    private readonly Option<long> _height = WholeNumber.Option("--height", "The block's height.", 0, long.MinValue);

    private readonly Option<string> _caller = new("--caller")
    {
        Description = "Who calls: what caller() returns.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "",
    };

    public void AddTo(Command command)
    {
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
}
