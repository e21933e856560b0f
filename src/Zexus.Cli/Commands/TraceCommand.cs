using System.CommandLine;
using System.Numerics;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus trace FILE`.</summary>
internal static class TraceCommand
{
    // A line has room for so much of the stack; JSON for more.
    private static readonly TraceDetail InTable = new(Cells: 8, Nodes: 16);
    private static readonly TraceDetail InJson = new(Cells: 64, Nodes: 256);

    public static Command Create(Terminal terminal)
    {
        Argument<string> file = ProgramArgument.Create();
        Option<IEngine> engine = EngineChoice.Option("oracle");
        HostOptions host = new();
        Option<long?> limit = WholeNumber.Optional("--limit", "Stop after so many steps.");
        Option<bool> json = new("--json") { Description = "A JSON object a line instead of columns (docs/json.md)." };
        Command command = new(
            "trace",
            "Run a program and show each step: where, what, gas so far, rule branches, stack afterwards."
        )
        {
            file,
            engine,
        };
        host.AddTo(command);
        command.Add(limit);
        command.Add(json);
        HelpWithExamples.Add(
            command,
            "./zexus trace examples/fibonacci.zxa --limit 20",
            "./zexus trace examples/rethrow.zxa --json | grep control/catch"
        );
        command.SetAction(parsed =>
        {
            ProgramFile program = ProgramFile.Read(parsed.GetRequiredValue(file), terminal);
            Inputs inputs = host.Read(parsed, program.Program, terminal);
            ILoadedProgram loaded = ProgramArgument.Load(parsed.GetValue(engine)!, program);
            bool isJson = parsed.GetValue(json);
            return Trace(program, loaded, inputs, parsed.GetValue(limit), isJson, terminal);
        });
        return command;
    }

    private static int Trace(
        ProgramFile program,
        ILoadedProgram loaded,
        Inputs inputs,
        long? limit,
        bool isJson,
        Terminal terminal
    )
    {
        if (!isJson)
        {
            terminal.Out.WriteLine(Row("step", "at", "instruction", "gas", "stack", "branches"));
        }

        BigInteger gas = 0;
        bool Visit(TraceStep step)
        {
            if (step.Number > limit)
            {
                return false;
            }

            ProgramFile own =
                step.Contract == inputs.Contract
                    ? program
                    : inputs.Contracts.Single(callable => callable.Id == step.Contract).Program;
            terminal.Out.WriteLine(
                isJson
                    ? JsonLine(own, step, step.GasUsed - gas)
                    : Line(own, step, step.Contract == inputs.Contract ? "" : Terminal.Printable(step.Contract) + ".")
            );
            gas = step.GasUsed;
            if (terminal.OutIsTerminal)
            {
                terminal.Out.Flush();
            }

            return !terminal.OutIsClosed;
        }

        Execution? execution;
        try
        {
            execution = loaded.Trace(inputs, isJson ? InJson : InTable, Visit, terminal.Cancellation);
        }
        catch (Vm.HostGuardException stop)
        {
            terminal.Out.WriteLine(isJson ? GuardReport.ToJson(stop) : "stopped: " + GuardReport.ToText(stop));
            return ExitCode.Guarded;
        }

        if (execution is null)
        {
            if (!isJson && !terminal.OutIsClosed)
            {
                terminal.Out.WriteLine($"stopped after {limit} steps (--limit)");
            }

            return ExitCode.Completed;
        }

        terminal.Out.WriteLine(isJson ? JsonEnd(execution) : End(program, execution));
        return execution.Ending.Fault is null ? ExitCode.Completed : ExitCode.Faulted;
    }

    private static string Row(string step, string at, string instruction, string gas, string stack, string branches) =>
        $"{step, 7}  {at, -14} {instruction, -26} {gas, 8}  {stack, -24} {branches}".TrimEnd();

    private static string Line(ProgramFile program, TraceStep step, string contract) =>
        Row(
            step.Number.ToString(System.Globalization.CultureInfo.InvariantCulture),
            $"{contract}{FunctionName(program, step.Function)}:{step.Instruction}",
            InstructionText.Of(program.Program, step.Function, step.Instruction),
            Json.Of(step.GasUsed),
            "[" + string.Join(" ", step.Stack.Select(v => Literal.Of(v, 60))) + "]",
            Branches(step)
        );

    /// <summary>That a rule was entered says nothing beside its other branches.</summary>
    private static string Branches(TraceStep step)
    {
        if (step.Branches.Count == 0)
        {
            return step.Rule;
        }

        IEnumerable<string> shown = step
            .Branches.Where(b =>
                !b.EndsWith("/entered", StringComparison.Ordinal)
                || !step.Branches.Any(other =>
                    other != b && other.StartsWith(b[..^"entered".Length], StringComparison.Ordinal)
                )
            )
            .Select(b => b.EndsWith("/entered", StringComparison.Ordinal) ? b[..^"/entered".Length] : b)
            .Distinct();
        return string.Join(" ", shown);
    }

    private static string FunctionName(ProgramFile program, int function)
    {
        string name = program.Program.Functions[function].Name;
        return name == "" ? $"#{function}" : Terminal.Printable(name);
    }

    private static string End(ProgramFile program, Execution execution)
    {
        Ending ending = execution.Ending;
        string gas = $"gas {execution.GasUsed}, {execution.Steps} steps";
        return ending.Fault is Fault fault
            ? $"faulted: {fault.Name}: {Literal.Of(ending.Value, 200)}, at {program.Place(ending.Function, ending.Instruction)}; {gas}"
            : $"completed: {Literal.Of(ending.Value, 200)}; {gas}";
    }

    private static string JsonLine(ProgramFile program, TraceStep step, BigInteger charged)
    {
        List<(string, string)> fields =
        [
            ("step", Json.Of(step.Number)),
            ("depth", Json.Of(step.Depth)),
            ("contract", Json.Of(step.Contract)),
            ("function", Json.Of(step.Function)),
            ("functionName", Json.Of(program.Program.Functions[step.Function].Name)),
            ("instruction", Json.Of(step.Instruction)),
        ];
        if (program.Line(step.Function, step.Instruction) is int line)
        {
            fields.Add(("line", Json.Of(line)));
        }

        fields.AddRange([
            ("opcode", Json.Of(InstructionText.Mnemonic(program.Program, step.Function, step.Instruction))),
            (
                "operands",
                Json.Array(InstructionText.Operands(program.Program, step.Function, step.Instruction).Select(Json.Of))
            ),
            ("rule", Json.Of(step.Rule)),
            ("branches", Json.Array(step.Branches.Select(Json.Of))),
            ("charged", Json.Of(charged)),
            ("gas", Json.Of(step.GasUsed)),
            ("stack", Json.Array(step.Stack.Select(v => Json.Of(Literal.Of(v))))),
        ]);
        return Json.Object(fields);
    }

    private static string JsonEnd(Execution execution)
    {
        Ending ending = execution.Ending;
        return Json.Object(
            ("status", Json.Of(ending.Fault is null ? "completed" : "faulted")),
            ("fault", ending.Fault is Fault fault ? Json.Of(fault.Name) : "null"),
            ("value", Json.Of(Literal.Of(ending.Value))),
            ("steps", Json.Of(execution.Steps)),
            ("gas", Json.Of(execution.GasUsed))
        );
    }
}
