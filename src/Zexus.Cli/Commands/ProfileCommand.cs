using System.CommandLine;
using System.Text;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>`zexus profile FILE`.</summary>
internal static class ProfileCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> file = ProgramArgument.Create();
        HostOptions host = new();
        Option<long> top = WholeNumber.Option("--top", "So many rows of each table.", 10, 1, int.MaxValue);
        Option<string?> html = new("--html")
        {
            Description = "Write a page with a flame chart: one file that needs no other.",
            HelpName = "FILE",
        };
        Option<bool> json = new("--json") { Description = "One JSON document instead of tables (docs/json.md)." };
        Command command = new(
            "profile",
            "Run a program and count: functions, loops, branches, lines, instructions, opcodes. The program's output is not shown."
        )
        {
            file,
        };
        host.AddTo(command);
        command.Add(top);
        command.Add(html);
        command.Add(json);
        HelpWithExamples.Add(
            command,
            "./zexus profile examples/sieve.zxa --top 5",
            "./zexus profile examples/mining.zxa --html mining.html"
        );
        command.SetAction(parsed =>
        {
            ProgramFile program = ProgramFile.Read(parsed.GetRequiredValue(file), terminal);
            Inputs inputs = host.Read(parsed, program.Program, terminal);
            if (!ZexusProgram.TryLoad(program.Program, Limits.Default, out ZexusProgram? loaded, out Refusal? refusal))
            {
                throw ProgramArgument.Refuse(program, refusal);
            }

            using Vm.Vm vm = new();
            WarmUp(vm);
            vm.Options = Interpreter.Options(inputs, new InterpreterOptions());
            ExecutionResult result;
            Profile profile;
            try
            {
                result = Profiler.Execute(vm, loaded, Interpreter.Entry(inputs), out profile, terminal.Cancellation);
            }
            catch (HostGuardException stop)
            {
                (parsed.GetValue(json) ? terminal.Out : terminal.Error).WriteLine(
                    parsed.GetValue(json) ? GuardReport.ToJson(stop) : "stopped: " + GuardReport.ToText(stop)
                );
                return ExitCode.Guarded;
            }

            ProfileReport report = new(program, profile, result.Fault);
            if (parsed.GetValue(html) is string page)
            {
                OutputFile.Write(page, Encoding.UTF8.GetBytes(report.ToHtml()), terminal);
            }

            if (parsed.GetValue(json))
            {
                terminal.Out.WriteLine(report.ToJson());
            }
            else if (parsed.GetValue(html) is null)
            {
                report.Write(terminal.Out, (int)parsed.GetValue(top));
            }

            return result.IsCompleted ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    /// <summary>A call and a return, so that .NET compiles the profiler before it is the program's time.</summary>
    private static void WarmUp(Vm.Vm vm)
    {
        const string Text = ".func main()\nCALL_FUNC_CONST callee, 0\n.end\n.func callee()\n.end\n";
        Profiler.Execute(vm, ZexusProgram.Load(Assembler.Assemble(Text, "warm-up").Program), out _);
    }
}
