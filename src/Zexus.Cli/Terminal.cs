using System.Text;

namespace Zexus.Cli;

/// <summary>The three streams of a run, what they are connected to, and its cancellation. Tests make their own.</summary>
internal sealed class Terminal : IDisposable
{
    private readonly StandardOutput? _pipe;

    public Terminal(TextWriter output, TextWriter error, Stream input, CancellationToken cancellation = default)
    {
        Out = output;
        Error = error;
        In = input;
        Cancellation = cancellation;
    }

    private Terminal(StandardOutput pipe, CancellationToken cancellation)
    {
        _pipe = pipe;
        UTF8Encoding utf8 = new(encoderShouldEmitUTF8Identifier: false);
        Out = new StreamWriter(pipe, utf8, 16 * 1024);
        Error = new StreamWriter(Console.OpenStandardError(), utf8, 1024) { AutoFlush = true };
        In = Console.OpenStandardInput();
        Cancellation = cancellation;
        OutIsTerminal = !Console.IsOutputRedirected;
        ErrorIsTerminal = !Console.IsErrorRedirected;
        InIsTerminal = !Console.IsInputRedirected;
    }

    /// <summary>Results: what a program prints, what a command was asked for.</summary>
    public TextWriter Out { get; }

    /// <summary>All else: summaries, progress, errors.</summary>
    public TextWriter Error { get; }

    public Stream In { get; }

    public CancellationToken Cancellation { get; }

    public bool OutIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    public bool InIsTerminal { get; init; }

    /// <summary>Nobody reads the output any more: a streaming command can stop.</summary>
    public bool OutIsClosed => _pipe?.IsClosed ?? false;

    public bool OutHasColour => OutIsTerminal && WantsColour;

    public bool ErrorHasColour => ErrorIsTerminal && WantsColour;

    private static bool WantsColour =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") is not ("dumb" or "");

    public static Terminal OfProcess(CancellationToken cancellation) => new(new StandardOutput(), cancellation);

    /// <summary>Of the terminal; 100 when there is none to ask.</summary>
    public static int Width()
    {
        try
        {
            return Console.WindowWidth is > 20 and int width ? width : 100;
        }
        catch (IOException)
        {
            return 100;
        }
    }

    /// <summary>Text that may hold anything, for a message: nothing in it moves the cursor.</summary>
    public static string Printable(string text)
    {
        if (!text.Any(char.IsControl))
        {
            return text;
        }

        StringBuilder shown = new();
        foreach (char c in text)
        {
            shown.Append(char.IsControl(c) ? $"\\u{{{(int)c:x}}}" : c);
        }

        return shown.ToString();
    }

    public string Red(string text) => ErrorHasColour ? $"\e[1;31m{text}\e[0m" : text;

    public string Faint(string text) => ErrorHasColour ? $"\e[2m{text}\e[0m" : text;

    /// <summary>`error: message`, and under it what to do.</summary>
    public void Fail(string message, string hint = "")
    {
        Out.Flush();
        Error.WriteLine(Red("error:") + " " + message);
        if (hint != "")
        {
            Error.WriteLine("  " + hint);
        }
    }

    public void Dispose()
    {
        Out.Flush();
        Error.Flush();
    }
}
