using System.Runtime.InteropServices;
using Zexus.Cli.Commands;

namespace Zexus.Cli;

internal static class Start
{
    private static int Main(string[] arguments)
    {
        using CancellationTokenSource stop = new();

        // The first Ctrl-C asks the command to end; the second one ends it.
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        if (arguments is [CheckCommand.Worker])
        {
            return CheckCommand.Serve();
        }

        using Terminal terminal = Terminal.OfProcess(stop.Token);
        return CommandLine.Run(arguments, terminal);
    }
}
