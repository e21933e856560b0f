using System.CommandLine;
using System.Text;
using Zexus.Chain;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>The options that say what a program runs in.</summary>
internal sealed class HostOptions
{
    private readonly Option<long> _gas = WholeNumber.Option("--gas", "The gas limit.", Gas.DefaultLimit);

    private readonly Option<string?> _entry = new("--entry")
    {
        Description = "The function to begin in, by its name; it may not capture variables. The first when not given.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _arguments = new("--args")
    {
        Description = "What that function is given: a JSON list (docs/json.md). Parameters without one are null.",
        HelpName = "JSON",
    };

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
        command.Add(_entry);
        command.Add(_arguments);
        command.Add(_gas);
        command.Add(_state);
        command.Add(_timestamp);
        command.Add(_height);
        command.Add(_caller);
    }

    public Inputs Read(ParseResult parsed, Program program, Terminal terminal)
    {
        string? state = parsed.GetValue(_state);
        string caller = parsed.GetValue(_caller)!;
        EntryCall entry = Entry(parsed, program);
        return new Inputs
        {
            Function = entry.Function,
            Arguments = entry.Arguments,
            Gas = parsed.GetValue(_gas),
            Timestamp = parsed.GetValue(_timestamp),
            Height = parsed.GetValue(_height),
            Caller = caller,
            State = state is null ? new Dictionary<string, Data>() : StateFile.Read(state, Limits.Default, terminal),
        };
    }

    private EntryCall Entry(ParseResult parsed, Program program)
    {
        string? name = parsed.GetValue(_entry);
        if (parsed.GetValue(_arguments) is not { } json)
        {
            return name is null ? EntryCall.Main : Entry(program, name, []);
        }

        if (name is null)
        {
            throw new Problem(
                ExitCode.Usage,
                "--args are for the function that --entry names; the first has no parameters"
            );
        }

        Data arguments;
        try
        {
            arguments = DataJson.Read(Encoding.UTF8.GetBytes(json));
        }
        catch (MalformedJsonException e)
        {
            throw new Problem(ExitCode.Usage, $"--args: {e.Message}");
        }

        return arguments is Data.List list
            ? Entry(program, name, list.items)
            : throw new Problem(ExitCode.Usage, "--args: a JSON list is wanted, as in --args '[\"bob\", 5]'");
    }

    private static EntryCall Entry(Program program, string name, Data[] arguments)
    {
        try
        {
            return EntryCall.Named(program, name, arguments);
        }
        catch (ArgumentException e)
        {
            throw new Problem(ExitCode.Usage, $"--entry: {e.Message}");
        }
    }
}
