using System.CommandLine;
using Zexus.Cli.Engines;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus validate FILE`.</summary>
internal static class ValidateCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> file = ProgramArgument.Create();
        Option<IEngine> engine = EngineChoice.Option();
        Option<bool> json = new("--json") { Description = "One JSON document on standard output (docs/json.md)." };
        Command command = new("validate", "Say whether a program loads, and if not, the first reason.")
        {
            file,
            engine,
            json,
        };
        HelpWithExamples.Add(command, "./zexus validate examples/fibonacci.zxa");
        command.SetAction(parsed =>
        {
            ProgramFile program = ProgramFile.Read(parsed.GetRequiredValue(file), terminal);
            bool isJson = parsed.GetValue(json);
            ILoadedProgram? loaded = parsed.GetValue(engine)!.Load(program.Program, out Refusal? refusal);
            if (loaded is null)
            {
                if (!isJson)
                {
                    throw ProgramArgument.Refuse(program, refusal!);
                }

                terminal.Out.WriteLine(ProgramArgument.RefusalJson(program, refusal!));
                return ExitCode.Refused;
            }

            int functions = program.Program.Functions.Length;
            int instructions = program.Program.Functions.Sum(f => f.Code.Length);
            int constants = program.Program.Constants.Length;
            terminal.Out.WriteLine(
                isJson
                    ? Json.Document(
                        ("status", Json.Of("valid")),
                        ("functions", Json.Of(functions)),
                        ("instructions", Json.Of(instructions)),
                        ("constants", Json.Of(constants))
                    )
                    : $"{program.Name}: valid ({Count(functions, "function")}, {Count(instructions, "instruction")}, {Count(constants, "constant")})"
            );
            return ExitCode.Completed;
        });
        return command;
    }

    private static string Count(int number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";
}
