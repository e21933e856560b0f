using Spectre.Console;

namespace Zexus.Cli.Output;

/// <summary>Spectre's consoles on our streams: a table as text for standard output, a progress bar on standard error.</summary>
internal static class Consoles
{
    /// <summary>Columns of what goes to a file or a pipe, wherever that is.</summary>
    private const int WidthOfFiles = 120;

    public static string Text(Table table, Terminal terminal)
    {
        using StringWriter text = new();
        IAnsiConsole console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Ansi = terminal.OutHasColour ? AnsiSupport.Yes : AnsiSupport.No,
                ColorSystem = terminal.OutHasColour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
                Out = new AnsiConsoleOutput(text),
            }
        );
        console.Profile.Width = terminal.OutIsTerminal ? Terminal.Width() : WidthOfFiles;
        console.Write(table);
        return text.ToString();
    }

    /// <summary>Runs something under a bar that goes away at its end.</summary>
    public static T WithBar<T>(Terminal terminal, Func<ProgressTask, T> run)
    {
        IAnsiConsole console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Ansi = AnsiSupport.Yes,
                ColorSystem = terminal.ErrorHasColour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
                Interactive = InteractionSupport.Yes,
                Out = new AnsiConsoleOutput(terminal.Error),
            }
        );
        console.Profile.Width = Terminal.Width();
        return console
            .Progress()
            .AutoClear(true)
            .Columns(
                new ProgressBarColumn(),
                new PercentageColumn(),
                new RemainingTimeColumn(),
                new TaskDescriptionColumn { Alignment = Justify.Left }
            )
            .Start(context => run(context.AddTask("starting", maxValue: 1)));
    }
}
