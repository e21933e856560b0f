using System.Diagnostics;
using Zexus.Benchmarks;

namespace Zexus.Peers;

/// <summary>Whole processes that do next to nothing, from start to end.</summary>
/// <param name="Milliseconds">Of each repetition.</param>
internal sealed record StartUp(string Name, IReadOnlyList<double> Milliseconds)
{
    public const string Zexus = "./zexus run";
    public const string Hello = "hello";

    /// <summary>The goal, in milliseconds.</summary>
    public const double AtMost = 80;

    public double Minimum => Milliseconds.Min();

    public double Median => Milliseconds.Order().ElementAt(Milliseconds.Count / 2);

    /// <summary>In turns, as the kernels.</summary>
    public static IReadOnlyList<StartUp> Take(string root, bool isQuick, Action<string> progress)
    {
        string program = Kernel.Find("fibonacci")!.File("zxa")!;
        string zexus = Path.Combine(root, "artifacts", "zexus", "program", "zexus.dll");
        (string Name, ProcessStartInfo Start)[] programs =
        [
            (Zexus, new ProcessStartInfo(Path.Combine(root, "zexus"), ["run", program])),
            ("dotnet zexus.dll run", new ProcessStartInfo("dotnet", [zexus, "run", program])),
            (
                "dotnet, a program that prints a line",
                new ProcessStartInfo("dotnet", [typeof(StartUp).Assembly.Location, Hello])
            ),
            ("lua5.4 -e 'print(1)'", new ProcessStartInfo("lua5.4", ["-e", "print(1)"])),
            ("luajit -e 'print(1)'", new ProcessStartInfo("luajit", ["-e", "print(1)"])),
            ("node -e 'console.log(1)'", new ProcessStartInfo("node", ["-e", "console.log(1)"])),
        ];
        int repetitions = isQuick ? 5 : 21;
        List<StartUp> results = [.. programs.Select(p => new StartUp(p.Name, new List<double>()))];
        for (int i = 0; i <= repetitions; i++)
        {
            progress($"start-up: {i} of {repetitions}");
            for (int k = 0; k < programs.Length; k++)
            {
                double time = Time(programs[k].Name, programs[k].Start);

                // The first turn fetches files, and builds ./zexus when it is not built.
                if (i > 0)
                {
                    ((List<double>)results[k].Milliseconds).Add(time);
                }
            }
        }

        return results;
    }

    private static double Time(string name, ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        long begin = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        double time = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        return process.ExitCode == 0
            ? time
            : throw new PeerFailed($"{name} ends with exit code {process.ExitCode}: {error.Result}");
    }
}
