using System.CommandLine;
using Zexus.Cli.Files;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus asm FILE -o OUT`.</summary>
internal static class AsmCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> file = new("FILE") { Description = "Assembly text (.zxa); - is standard input." };
        Option<string?> output = new("--output", "-o")
        {
            Description = "The container to write; - is standard output. FILE with the extension .zxb when not given.",
            HelpName = "OUT",
        };
        Command command = new(
            "asm",
            "Assemble text into a container. It need not be a program that loads: 'validate' tells."
        )
        {
            file,
            output,
        };
        HelpWithExamples.Add(command, "./zexus asm examples/fibonacci.zxa -o fibonacci.zxb");
        command.SetAction(parsed =>
        {
            string input = parsed.GetRequiredValue(file);
            string target = parsed.GetValue(output) ?? DefaultTarget(input);
            if (target == InputFile.Standard && terminal.OutIsTerminal)
            {
                throw Problem.Usage(
                    "a container is no text for a terminal",
                    "Name a file with -o, or pipe the output into one."
                );
            }

            ProgramFile program = ProgramFile.Read(input, terminal);
            byte[] bytes = Container.Encode(program.Program);
            OutputFile.Write(target, bytes, terminal);
            return ExitCode.Completed;
        });
        return command;
    }

    private static string DefaultTarget(string input)
    {
        if (input == InputFile.Standard)
        {
            throw Problem.Usage("where should the container go?", "Name it with -o; '-o -' is standard output.");
        }

        string target = Path.ChangeExtension(input, ".zxb");
        return target == input
            ? throw Problem.Usage($"'{Terminal.Printable(input)}' would be overwritten", "Name another file with -o.")
            : target;
    }
}
