using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Zexus.Cli.Commands;

namespace Zexus.Cli;

/// <summary>The commands, and the one place where whatever goes wrong becomes a message and an exit code.</summary>
internal static class CommandLine
{
    public static int Run(IReadOnlyList<string> arguments, Terminal terminal)
    {
        try
        {
            int code = Invoke(arguments, terminal);
            terminal.Out.Flush();
            return code;
        }
        catch (Problem problem)
        {
            foreach (string detail in problem.Details)
            {
                terminal.Error.WriteLine(detail);
            }

            terminal.Fail(problem.Message, problem.Hint);
            return problem.ExitCode;
        }
        catch (Exception e) when (IsStoreProblem(e, out string hint))
        {
            terminal.Fail(Terminal.Printable(e.Message), hint);
            return ExitCode.BadFile;
        }
        catch (OperationCanceledException)
        {
            terminal.Fail("stopped");
            return ExitCode.Stopped;
        }
        catch (Exception e) when (e is OutOfMemoryException or InsufficientMemoryException || IsHostGuard(e))
        {
            terminal.Fail("there is not enough memory for this", "A lower --gas stops a program earlier.");
            return ExitCode.Stopped;
        }
        catch (Exception e)
        {
            string message = e.GetType().Name + ": " + Terminal.Printable(e.Message);
            terminal.Fail(
                "zexus itself failed, which it never should: " + message,
                "Please report this line with the command and its input. ZEXUS_DEBUG=1 shows where it happened."
            );
            if (Environment.GetEnvironmentVariable("ZEXUS_DEBUG") == "1")
            {
                terminal.Error.WriteLine(e);
            }

            return ExitCode.Internal;
        }
    }

    /// <summary>In a method of its own, so that the engine is not loaded to find out.</summary>
    private static bool IsHostGuard(Exception e) => e is Vm.HostGuardException;

    private static bool IsStoreProblem(Exception e, out string hint)
    {
        hint = (e as Chain.StoreException)?.Hint ?? "";
        return e is Chain.StoreException;
    }

    private static int Invoke(IReadOnlyList<string> arguments, Terminal terminal)
    {
        ParseResult parsed = Root(terminal, arguments.FirstOrDefault()).Parse(arguments);
        bool isHelp = parsed.Action is HelpWithExamples;
        if (
            parsed.Action is ParseErrorAction
            || (!isHelp && (parsed.Errors.Count > 0 || UnknownOption(parsed) is not null))
        )
        {
            return Reject(parsed, terminal);
        }

        return parsed.Invoke(
            new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
                Output = terminal.Out,
                Error = terminal.Error,
            }
        );
    }

    private static void Help(Command command, TextWriter output) =>
        command.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = output, Error = output });

    private static readonly (string Name, Func<Terminal, Command> Create)[] Commands =
    [
        ("check", CheckCommand.Create),
        ("run", RunCommand.Create),
        ("asm", AsmCommand.Create),
        ("disasm", DisasmCommand.Create),
        ("optimize", OptimizeCommand.Create),
        ("validate", ValidateCommand.Create),
        ("trace", TraceCommand.Create),
        ("profile", ProfileCommand.Create),
        ("isa", IsaCommand.Create),
        ("prove", ProveCommand.Create),
        ("equiv", EquivCommand.Create),
        ("key", KeyCommand.Create),
        ("state", StateCommand.Create),
        ("ledger", LedgerCommand.Create),
        ("receipts", RecordCommands.CreateReceipts),
        ("events", RecordCommands.CreateEvents),
        ("audit", RecordCommands.CreateAudit),
        ("merkle", MerkleCommand.Create),
        ("chain", ChainCommand.Create),
    ];

    /// <summary>With the command of that name only, which saves the others' share of a start; with all, if there is none.</summary>
    private static RootCommand Root(Terminal terminal, string? name)
    {
        RootCommand root = new(
            "A bytecode machine: an executable specification, a fast engine, and the check that holds them together."
        );
        (string Name, Func<Terminal, Command> Create)[] named = Array.FindAll(Commands, it => it.Name == name);
        foreach ((_, Func<Terminal, Command> create) in named is [] ? Commands : named)
        {
            root.Add(create(terminal));
        }

        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return root;
    }

    /// <summary>A word with a dash that was taken for an argument, or for nothing. What stands behind `--` is an argument.</summary>
    private static string? UnknownOption(ParseResult parsed)
    {
        IEnumerable<string> arguments = parsed
            .CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens)
            .Select(token => token.Value);
        return parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash)
            ? null
            : parsed.UnmatchedTokens.Concat(arguments).FirstOrDefault(word => word.Length > 1 && word[0] == '-');
    }

    /// <summary>Of the command and those that it is part of, the innermost first.</summary>
    private static IEnumerable<string> Names(CommandResult? result)
    {
        for (; result is { Command: not RootCommand }; result = result.Parent as CommandResult)
        {
            yield return result.Command.Name;
        }
    }

    private static int Reject(ParseResult parsed, Terminal terminal)
    {
        Command command = parsed.CommandResult.Command;
        string path = "./zexus" + string.Concat(Names(parsed.CommandResult).Reverse().Select(name => " " + name));
        if (command.Subcommands.Count > 0 && parsed.Tokens.Count == Names(parsed.CommandResult).Count())
        {
            Help(command, terminal.Error);
            return ExitCode.Usage;
        }

        string word = parsed.UnmatchedTokens is [string first, ..] ? first : "";
        if (word != "" && command.Subcommands.Count > 0 && !word.StartsWith('-'))
        {
            string near = Spelling.Nearest(word, command.Subcommands.Select(c => c.Name));
            terminal.Fail(
                command is RootCommand
                    ? $"there is no command '{Terminal.Printable(word)}'"
                    : $"'{path}' has no command '{Terminal.Printable(word)}'",
                near == "" ? $"{path} --help lists the commands." : $"Did you mean '{near}'?"
            );
            return ExitCode.Usage;
        }

        if (UnknownOption(parsed) is string unknown)
        {
            string near = Spelling.Nearest(unknown.Split('=')[0], command.Options.Select(o => o.Name));
            terminal.Fail(
                $"'{path}' has no option '{Terminal.Printable(unknown)}'",
                near == "" ? $"{path} --help lists its options." : $"Did you mean '{near}'?"
            );
            return ExitCode.Usage;
        }

        string message = parsed.Errors.Count > 0 ? parsed.Errors[0].Message : "this command line makes no sense";
        message = Terminal.Printable(message).TrimEnd('.');
        terminal.Fail(char.ToLowerInvariant(message[0]) + message[1..], $"{path} --help shows how it is used.");
        return ExitCode.Usage;
    }
}
