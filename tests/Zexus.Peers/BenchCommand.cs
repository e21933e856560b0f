using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Spectre.Console;
using Zexus.Benchmarks;

namespace Zexus.Peers;

/// <summary>The command line of ./bench.sh.</summary>
internal static class BenchCommand
{
    private const int Measured = 0;

    /// <summary>A peer failed or answered wrongly.</summary>
    private const int Failed = 1;
    private const int Usage = 2;
    private const int BadFile = 3;

    public static int Run(string[] arguments)
    {
        Option<bool> quick = new("--quick")
        {
            Description = "Small sizes and few repetitions; the page is left alone.",
        };
        Option<string[]> names = new("--kernel")
        {
            Description = "Only this kernel; may be given again. The page is left alone.",
            HelpName = "NAME",
        };
        names.AcceptOnlyFromAmong([.. Kernel.All.Select(k => k.Name)]);
        Option<FileInfo?> json = new("--json") { Description = "Write all figures as JSON, too.", HelpName = "FILE" };
        RootCommand root = new(
            """
            Run the same kernels on our engines and on their peers, side by side, and compare.
            All of them, at full size, rewrites the tables of docs/performance.md.

            Example:
              ./bench.sh --kernel fibonacci --kernel sieve --json figures.json

            Exit codes: 0 measured; 1 a peer failed or gave a wrong answer; 2 the command line is wrong;
            3 a file cannot be written; 125 could not be built; 127 something to run it with is missing.
            """
        )
        {
            quick,
            names,
            json,
        };
        root.SetAction(parsed =>
        {
            string[] wanted = parsed.GetValue(names) ?? [];
            bool isQuick = parsed.GetValue(quick);
            bool isAll = wanted.Length == 0;
            try
            {
                Results results = Measure(
                    "./bench.sh"
                        + (isQuick ? " --quick" : "")
                        + string.Concat(wanted.Select(name => " --kernel " + name)),
                    isQuick,
                    [.. Kernel.All.Where(k => isAll || wanted.Contains(k.Name))],
                    isAll
                );
                IAnsiConsole console = AnsiConsole.Console;
                if (Console.IsOutputRedirected)
                {
                    console.Profile.Width = 180;
                }

                Report.Show(results, console);
                if (parsed.GetValue(json) is { } file)
                {
                    File.WriteAllText(file.FullName, Report.Json(results) + "\n");
                }

                if (isAll && !isQuick)
                {
                    Report.WriteInto(Path.Combine(Root(), "docs", "performance.md"), results);
                }

                return Measured;
            }
            catch (PeerFailed failure)
            {
                Console.Error.WriteLine("error: " + failure.Message);
                return Failed;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                Console.Error.WriteLine("error: " + e.Message);
                return BadFile;
            }
        });
        ParseResult parsed = root.Parse(arguments);
        return parsed.Errors.Count > 0 ? Reject(parsed) : parsed.Invoke();
    }

    private static int Reject(ParseResult parsed)
    {
        Console.Error.WriteLine($"error: {parsed.Errors[0].Message}");
        Console.Error.WriteLine("  ./bench.sh --help shows how it is used.");
        return Usage;
    }

    private static Results Measure(string command, bool isQuick, IReadOnlyList<Kernel> kernels, bool hasStartUp)
    {
        void Progress(string text) => Console.Error.WriteLine(text);

        List<Figure> figures = [];
        List<PairedRatio> metering = [];
        List<PairedRatio> forms = [];
        List<BreakEven> breakEvens = [];
        foreach (Kernel kernel in kernels)
        {
            figures.AddRange(Measurement.Take(kernel, Peer.All, isQuick, Progress));
            metering.AddRange(Measurement.TakePairs(kernel, ZexusEngine.Metering, "metering", isQuick, Progress));
            forms.AddRange(Measurement.TakePairs(kernel, ZexusEngine.Forms, "register form", isQuick, Progress));
            if (kernel.IsLinear && !isQuick)
            {
                breakEvens.AddRange(Measurement.TakeBreakEven(kernel, Progress));
            }
        }

        return new Results(
            command,
            Machine(),
            DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
            isQuick,
            figures,
            metering,
            forms,
            breakEvens,
            hasStartUp ? StartUp.Take(Root(), isQuick, Progress) : []
        );
    }

    private static string Machine()
    {
        const string Cpu = "/proc/cpuinfo";
        string model = File.Exists(Cpu)
            ? File.ReadLines(Cpu).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) ?? ""
            : "";
        model = model.Contains(':', StringComparison.Ordinal) ? model[(model.IndexOf(':') + 1)..].Trim() : "unknown";
        string load = File.Exists("/proc/loadavg") ? $", load {File.ReadAllText("/proc/loadavg").Split(' ')[0]}" : "";
        return $"{model}, {Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}{load}";
    }

    /// <summary>The repository that this was built in.</summary>
    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Zexus.Spec.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("this program was not built in the repository");
    }
}
