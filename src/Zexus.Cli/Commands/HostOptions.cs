using System.CommandLine;
using System.Text;
using Zexus.Chain;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>The options that say what a program runs in.</summary>
/// <param name="commits">Whether what is executed on a store is committed to it.</param>
internal sealed class HostOptions(bool commits = false)
{
    private readonly Option<long> _gas = WholeNumber.Option("--gas", "The gas limit.", Gas.DefaultLimit);

    private readonly Option<long> _memory = Quantity.Size(
        "--memory",
        "A guard of the host, as the next two: stop an execution whose heap, ledger, events or output need more (docs/cli.md).",
        VmOptions.DefaultMemoryLimit
    );

    private readonly Option<long?> _steps = WholeNumber.Optional(
        "--steps",
        "Stop an execution that takes more steps. No limit when not given."
    );

    private readonly Option<TimeSpan?> _time = Quantity.Duration(
        "--time",
        "Stop an execution that takes more time. No limit when not given."
    );

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
        Description =
            "The state before the execution: a JSON object (docs/json.md), or a store's directory (docs/store.md).",
        HelpName = "FILE|DIR",
    };

    private readonly Option<string> _contract = StateCommand.ContractOption();

    private readonly Option<string[]> _with = new("--with")
    {
        Description =
            "A contract that the program can call: its id and its program. Its state is the store's, or empty. May be given again.",
        HelpName = "ID=FILE",
    };

    private readonly Option<long?> _nonce = WholeNumber.Optional(
        "--nonce",
        "With a store: the caller's count of executions, 0, 1, 2, so that none is executed twice. Not counted when not given."
    );

    private readonly Option<bool> _dryRun = new("--dry-run")
    {
        Description =
            "With a store: execute, say what it would do and the gas limit that it needs, and commit nothing.",
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
        command.Add(_memory);
        command.Add(_steps);
        command.Add(_time);
        command.Add(_state);
        command.Add(_contract);
        command.Add(_with);
        if (commits)
        {
            command.Add(_nonce);
            command.Add(_dryRun);
        }

        command.Add(_timestamp);
        command.Add(_height);
        command.Add(_caller);
    }

    /// <summary>The directory of the store that the state is in; null when it is in a file, or empty.</summary>
    public string? Store(ParseResult parsed)
    {
        string? state = parsed.GetValue(_state);
        bool isStore = state is not null && Directory.Exists(state);
        string? only =
            isStore ? null
            : parsed.GetResult(_contract) is { Implicit: false } && parsed.GetValue(_with) is null or []
                ? _contract.Name
            : !commits ? null
            : parsed.GetValue(_nonce) is not null ? _nonce.Name
            : parsed.GetValue(_dryRun) ? _dryRun.Name
            : null;
        return only is not null
                ? throw Problem.Usage(
                    $"{only} is for a store",
                    "--state DIR names one; './zexus state new DIR' makes one."
                )
            : isStore ? state
            : null;
    }

    public string Contract(ParseResult parsed) => parsed.GetValue(_contract)!;

    public string Caller(ParseResult parsed) => parsed.GetValue(_caller)!;

    public long? Nonce(ParseResult parsed) => parsed.GetValue(_nonce);

    public bool IsDryRun(ParseResult parsed) => parsed.GetValue(_dryRun);

    /// <summary>A directory that no store was opened for is read as a whole.</summary>
    public Inputs Read(ParseResult parsed, Program program, Terminal terminal, StoreOfRun? store = null)
    {
        string? state = parsed.GetValue(_state);
        if (state is not null and not InputFile.Standard && !Path.Exists(state))
        {
            throw Problem.File(
                $"there is no file or store '{Terminal.Printable(state)}'",
                "An empty state in a file is written {}; './zexus state new DIR' makes a store."
            );
        }

        string? directory = store is null ? Store(parsed) : null;
        string caller = parsed.GetValue(_caller)!;
        EntryCall entry = Entry(parsed, program);
        return new Inputs
        {
            Function = entry.Function,
            Arguments = entry.Arguments,
            Gas = parsed.GetValue(_gas),
            MemoryLimit = parsed.GetValue(_memory),
            StepLimit = parsed.GetValue(_steps),
            TimeLimit = parsed.GetValue(_time),
            Timestamp = parsed.GetValue(_timestamp),
            Height = parsed.GetValue(_height),
            Caller = caller,
            Source = store?.Source,
            Contract = Contract(parsed),
            Contracts = Contracts(parsed, terminal, store, directory),
            State =
                state is null || store is not null ? new Dictionary<string, Data>()
                : directory is not null ? StateOf(directory, Contract(parsed))
                : StateFile.Read(state, Limits.Default, terminal),
        };
    }

    private CallableContract[] Contracts(ParseResult parsed, Terminal terminal, StoreOfRun? store, string? directory)
    {
        Dictionary<string, CallableContract> contracts = new(StringComparer.Ordinal);
        foreach (string given in parsed.GetValue(_with) ?? [])
        {
            int end = given.IndexOf('=', StringComparison.Ordinal);
            string id = given[..Math.Max(end, 0)];
            if (end < 0 || end == given.Length - 1)
            {
                throw Problem.Usage(
                    $"--with wants ID=FILE, and not '{Terminal.Printable(given)}'",
                    "For instance --with token=examples/contracts/token.zxa."
                );
            }

            if (id == Contract(parsed))
            {
                throw Problem.Usage(
                    id == ""
                        ? "--with names a contract without an id, as the program itself is"
                        : $"--with names '{Terminal.Printable(id)}', which is the program itself (--contract)"
                );
            }

            ProgramFile program = ProgramFile.Read(given[(end + 1)..], terminal);
            if (!ZexusProgram.TryLoad(program.Program, Limits.Default, out _, out Refusal? refusal))
            {
                throw ProgramArgument.Refuse(program, refusal);
            }

            IStateSource state = store is not null
                ? store.StateOf(id)
                : new StateInMemory(directory is not null ? StateOf(directory, id) : new());
            if (!contracts.TryAdd(id, new CallableContract(id, program, state)))
            {
                throw Problem.Usage($"--with names '{Terminal.Printable(id)}' twice");
            }
        }

        return [.. contracts.Values];
    }

    private static Dictionary<string, Data> StateOf(string directory, string contract)
    {
        using DurableStore store = DurableStore.Open(directory);
        return store
            .State()
            .Where(pair => pair.Contract == contract)
            .ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
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
