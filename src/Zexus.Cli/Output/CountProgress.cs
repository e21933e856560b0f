using System.Diagnostics;
using System.Globalization;

namespace Zexus.Cli.Output;

/// <summary>
/// How many there are so far of what nobody has counted before, on standard error: after a second on a terminal and each second from then on, and it is
/// gone at the end; elsewhere a line every ten.
/// </summary>
internal sealed class CountProgress(Terminal terminal, string what) : IDisposable
{
    private readonly TimeSpan _between = TimeSpan.FromSeconds(terminal.ErrorIsTerminal ? 1 : 10);
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private bool _shown;

    public void Show(long count)
    {
        // To ask what time it is takes as long as one of them.
        if (count % 1024 != 0 || _watch.Elapsed < _between)
        {
            return;
        }

        _watch.Restart();
        string text = $"{count.ToString("N0", CultureInfo.InvariantCulture)} {what}";
        if (terminal.ErrorIsTerminal)
        {
            _shown = true;
            terminal.Error.Write("\r" + text);
        }
        else
        {
            terminal.Error.WriteLine(text);
        }
    }

    public void Dispose()
    {
        if (_shown)
        {
            terminal.Error.Write("\r\e[K");
        }
    }
}
