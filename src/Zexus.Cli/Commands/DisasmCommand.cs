using System.CommandLine;
using System.Text;
using Zexus.Cli.Files;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus disasm FILE [-o OUT]`.</summary>
internal static class DisasmCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> file = ProgramArgument.Create();
        Option<string?> output = new("--output", "-o")
        {
            Description = "The text file to write; standard output when not given.",
            HelpName = "OUT",
        };
        Command command = new("disasm", "Show a program as assembly text, which assembles into the same bytes again.")
        {
            file,
            output,
        };
        HelpWithExamples.Add(command, "./zexus disasm fibonacci.zxb", "./zexus disasm fibonacci.zxb -o fibonacci.zxa");
        command.SetAction(parsed =>
        {
            string text = Disassembler.Disassemble(ProgramFile.Read(parsed.GetRequiredValue(file), terminal).Program);
            if (parsed.GetValue(output) is string target and not InputFile.Standard)
            {
                OutputFile.Write(target, Encoding.UTF8.GetBytes(text), terminal);
            }
            else
            {
                terminal.Out.Write(text);
            }

            return ExitCode.Completed;
        });
        return command;
    }
}
