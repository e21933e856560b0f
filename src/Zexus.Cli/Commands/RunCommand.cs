using System.CommandLine;
using System.Numerics;
using Zexus.Chain;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus run FILE`.</summary>
internal static class RunCommand
{
    /// <summary>Of each kind in the summary for a person.</summary>
    private const int MostLines = 50;

    public static Command Create(Terminal terminal)
    {
        Argument<string> file = ProgramArgument.Create();
        Option<IEngine> engine = EngineChoice.Option();
        Option<long> level = OptimizeCommand.Level(usual: 0);
        Option<bool> registers = OptimizeCommand.Registers();
        Option<bool> noJit = new("--no-jit")
        {
            Description = "Interpret all of it, and compile nothing that is hot (docs/jit.md).",
        };
        HostOptions host = new(commits: true);
        Option<string?> stateOut = new("--state-out")
        {
            Description = "Where the state after the execution goes.",
            HelpName = "FILE",
        };
        Option<bool> json = new("--json")
        {
            Description = "One JSON document on standard output instead (docs/json.md).",
        };
        Option<bool> heapStats = new("--heap-stats")
        {
            Description = "Say what the heap did: sums, kinds, and the instructions that made cells (docs/heap.md).",
        };
        Command command = new(
            "run",
            "Run a program. What it prints goes to standard output; result, fault, gas and changes to standard error."
        )
        {
            file,
            engine,
            level,
            registers,
            noJit,
        };
        host.AddTo(command);
        command.Add(stateOut);
        command.Add(json);
        command.Add(heapStats);
        HelpWithExamples.Add(
            command,
            "./zexus run examples/fibonacci.zxa --gas 1000000",
            "./zexus run examples/fibonacci.zxa --entry fib --args '[20]'",
            "./zexus run examples/sieve.zxa --no-jit",
            "./zexus run examples/mining.zxa --memory 64MiB --steps 1_000_000 --time 2s",
            "./zexus run examples/word-count.zxa --heap-stats",
            "./zexus run token.zxa --state chain --contract token --caller alice --nonce 0 --entry transfer --args '[\"bob\", 5]'",
            "./zexus run examples/token-transfer.zxa --state examples/token-transfer.state.json --state-out after.json"
        );
        command.SetAction(parsed =>
        {
            ProgramFile program = ProgramFile.Read(parsed.GetRequiredValue(file), terminal);
            using StoreOfRun? store = StoreOfRun.Open(parsed, host, stateOut, engine);
            Inputs inputs = host.Read(parsed, program.Program, terminal, store);
            bool isJson = parsed.GetValue(json);
            bool showsHeap = parsed.GetValue(heapStats);
            InterpreterOptions options = new()
            {
                Level = (int)parsed.GetValue(level),
                Registers = parsed.GetValue(registers),
                ProfilesHeap = showsHeap,
                InterpretsOnly = parsed.GetValue(noJit),
            };
            ILoadedProgram? loaded = EngineFor(parsed.GetValue(engine)!, options)
                .Load(program.Program, out Refusal? refusal);
            if (loaded is null)
            {
                if (!isJson)
                {
                    throw ProgramArgument.Refuse(program, refusal!);
                }

                terminal.Out.WriteLine(ProgramArgument.RefusalJson(program, refusal!));
                return ExitCode.Refused;
            }

            Execution execution;
            try
            {
                execution = loaded.Run(inputs, terminal.Cancellation);
            }
            catch (Vm.HostGuardException stop)
            {
                return Stopped(stop, isJson, store is not null, terminal);
            }

            string[] changes = isJson ? [] : [.. Changes(inputs, execution)];
            Receipt? receipt = store?.Commit(program.Program, inputs, execution);
            long? Needed() => host.IsDryRun(parsed) ? GasNeeded(program, inputs, execution, loaded, terminal) : null;
            if (isJson)
            {
                terminal.Out.WriteLine(ToJson(program, inputs, execution, showsHeap, receipt, Needed()));
            }
            else
            {
                terminal.Out.Write(execution.Output);
                terminal.Out.Flush();
                Summarize(program, inputs, execution, changes, terminal);
                // It executes again, perhaps many times.
                if (Needed() is { } needed)
                {
                    terminal.Error.WriteLine(
                        terminal.Faint($"{"needs", -8}") + $" a limit of {needed}, to come out like this"
                    );
                }

                if (store is not null)
                {
                    terminal.Error.WriteLine(
                        terminal.Faint($"{"receipt", -8}")
                            + (
                                receipt is null
                                    ? " none: nothing was committed"
                                    : $" {receipt.Number}, state root {receipt.StateRoot}"
                            )
                    );
                }

                if (showsHeap)
                {
                    terminal.Error.Write(HeapReport.ToText(program, execution.Heap!, terminal));
                }
            }

            if (parsed.GetValue(stateOut) is string target)
            {
                StateFile.Write(target, execution.State, terminal);
            }

            return execution.Ending.Fault is null ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    /// <summary>Null when it ran out of gas as it is, or a guard of the host does not let it be found.</summary>
    private static long? GasNeeded(
        ProgramFile program,
        Inputs inputs,
        Execution execution,
        ILoadedProgram loaded,
        Terminal terminal
    )
    {
        if (execution.Ending.Fault == Fault.OutOfGas)
        {
            return null;
        }

        try
        {
            return GasEstimate.Of(
                execution,
                inputs.Gas,
                gas => loaded.Run(inputs with { Gas = gas }, terminal.Cancellation),
                other => Json.Document([.. Outcome(program, other)])
            );
        }
        catch (Vm.HostGuardException)
        {
            return null;
        }
    }

    /// <summary>Where a guard stops an execution depends on the host, so not even a receipt of it is kept.</summary>
    private static int Stopped(Vm.HostGuardException stop, bool isJson, bool hasStore, Terminal terminal)
    {
        if (isJson)
        {
            terminal.Out.WriteLine(GuardReport.ToJson(stop));
            return ExitCode.Guarded;
        }

        terminal.Error.WriteLine(terminal.Faint($"{"stopped", -8}") + " " + terminal.Red(GuardReport.ToText(stop)));
        if (hasStore)
        {
            terminal.Error.WriteLine(terminal.Faint($"{"receipt", -8}") + " none: nothing was committed");
        }

        return ExitCode.Guarded;
    }

    private static IEngine EngineFor(IEngine engine, InterpreterOptions options) =>
        options == new InterpreterOptions() ? engine
        : engine is Interpreter ? new Interpreter(options)
        : options.ProfilesHeap
            ? throw new Problem(
                ExitCode.Usage,
                $"--engine {engine.Name} has no heap of its own; --heap-stats is the interpreter's"
            )
        : throw new Problem(
            ExitCode.Usage,
            $"--engine {engine.Name} runs programs as they are; --level, --registers and --no-jit are the interpreter's"
        );

    private static void Summarize(
        ProgramFile program,
        Inputs inputs,
        Execution execution,
        string[] changes,
        Terminal terminal
    )
    {
        void Line(string name, string text) => terminal.Error.WriteLine(terminal.Faint($"{name, -8}") + " " + text);

        void Lines(string name, IEnumerable<string> texts)
        {
            int count = 0;
            foreach (string text in texts)
            {
                if (++count <= MostLines)
                {
                    Line(name, text);
                }
            }

            if (count > MostLines)
            {
                Line(name, $"… and {count - MostLines} more; --json has all");
            }
        }

        Ending ending = execution.Ending;
        if (ending.Fault is Fault fault)
        {
            string value = Literal.Of(ending.Value);
            bool saysMore = value != $"\"{fault.Name}\"";
            Line("fault", terminal.Red(fault.Name) + (saysMore ? ": " + value : ""));
            Line("at", program.Place(ending.Function, ending.Instruction) + ": " + At(program, ending));
        }
        else
        {
            Line("result", Literal.Of(ending.Value));
        }

        Line("gas", $"{execution.GasUsed} of {inputs.Gas}, {execution.Steps} steps");
        Lines("state", changes);
        string Whose(string contract) => contract == inputs.Contract ? "" : RecordCommands.Of(contract);

        Lines(
            "state",
            execution.CalledWrites.SelectMany(called =>
                called.Value.Select(e => $"{Whose(called.Key)}{Literal.Quoted(e.Key)}: {Literal.Of(e.Value)}")
            )
        );
        Lines("ledger", execution.Ledger.Select(e => Whose(e.Contract) + Literal.Of(e.Data)));
        Lines(
            "event",
            execution.Events.Select(e => $"{Whose(e.Contract)}{Terminal.Printable(e.Event)} {Literal.Of(e.Data)}")
        );
        Lines(
            "audit",
            execution.Audit.Select(e =>
                $"{Whose(e.Contract)}{Literal.Of(e.Action)} {Literal.Of(e.Data)} at {e.Timestamp}"
            )
        );
    }

    private static string At(ProgramFile program, Ending ending)
    {
        string instruction = InstructionText.Of(program.Program, ending.Function, ending.Instruction);
        return ending.Rule == "" ? instruction : $"{instruction} (rule {ending.Rule})";
    }

    private static IEnumerable<string> Changes(Inputs inputs, Execution execution)
    {
        foreach ((string key, Node after) in execution.State)
        {
            string shown = Literal.Of(after);
            if (!inputs.TryRead(key, out Data? before))
            {
                yield return $"{Literal.Quoted(key)}: new, {shown}";
                continue;
            }

            // Exact text, so that a change beyond what is shown is a change.
            if (Json.Of(Node.Of(before)) != Json.Of(after))
            {
                yield return $"{Literal.Quoted(key)}: {Literal.Of(Node.Of(before))} -> {shown}";
            }
        }
    }

    private static string ToJson(
        ProgramFile program,
        Inputs inputs,
        Execution execution,
        bool showsHeap,
        Receipt? receipt,
        long? needed
    )
    {
        List<(string, string)> gas = [("used", Json.Of(execution.GasUsed)), ("limit", Json.Of(inputs.Gas))];
        if (needed is { } least)
        {
            gas.Add(("needed", Json.Of(least)));
        }

        List<(string, string)> fields = Outcome(program, execution);
        fields.InsertRange(
            fields.FindIndex(field => field.Item1 == "output"),
            [("gas", Json.Object(gas)), ("steps", Json.Of(execution.Steps))]
        );
        if (showsHeap)
        {
            fields.Add(("heap", HeapReport.ToJson(program, execution.Heap!)));
        }

        if (receipt is not null)
        {
            fields.Add(("receipt", RecordCommands.ToJson(receipt)));
        }

        return Json.Document([.. fields]);
    }

    /// <summary>All but what it cost.</summary>
    private static List<(string, string)> Outcome(ProgramFile program, Execution execution)
    {
        Ending ending = execution.Ending;
        return
        [
            ("status", Json.Of(ending.Fault is null ? "completed" : "faulted")),
            ("result", ending.Fault is null ? Json.Of(ending.Value) : "null"),
            ("fault", ending.Fault is Fault fault ? FaultJson(program, ending, fault) : "null"),
            ("output", Json.Of(execution.Output)),
            ("state", Json.Object(execution.State.Select(e => (e.Key, Json.Of(e.Value))))),
            (
                "calledWrites",
                Json.Object(
                    execution.CalledWrites.Select(called =>
                        (called.Key, Json.Object(called.Value.Select(e => (e.Key, Json.Of(e.Value)))))
                    )
                )
            ),
            ("ledger", Json.Array(execution.Ledger.Select(e => Json.Of(e.Data)))),
            ("ledgerContracts", Json.Array(execution.Ledger.Select(e => Json.Of(e.Contract)))),
            (
                "events",
                Json.Array(
                    execution.Events.Select(e =>
                        Json.Object(
                            ("contract", Json.Of(e.Contract)),
                            ("event", Json.Of(e.Event)),
                            ("data", Json.Of(e.Data))
                        )
                    )
                )
            ),
            (
                "audit",
                Json.Array(
                    execution.Audit.Select(e =>
                        Json.Object(
                            ("contract", Json.Of(e.Contract)),
                            ("data", Json.Of(e.Data)),
                            ("action", Json.Of(e.Action)),
                            ("timestamp", Json.Of(e.Timestamp))
                        )
                    )
                )
            ),
        ];
    }

    private static string FaultJson(ProgramFile program, Ending ending, Fault fault)
    {
        List<(string, string)> fields =
        [
            ("name", Json.Of(fault.Name)),
            ("value", Json.Of(ending.Value)),
            ("function", Json.Of(ending.Function)),
            ("functionName", Json.Of(program.Program.Functions[ending.Function].Name)),
            ("instruction", Json.Of(ending.Instruction)),
            ("opcode", Json.Of(InstructionText.Mnemonic(program.Program, ending.Function, ending.Instruction))),
        ];
        if (program.Line(ending.Function, ending.Instruction) is int line)
        {
            fields.Add(("line", Json.Of(line)));
        }

        if (ending.Rule != "")
        {
            fields.Add(("rule", Json.Of(ending.Rule)));
        }

        return Json.Object(fields);
    }
}
