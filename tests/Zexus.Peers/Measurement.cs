using System.Diagnostics;
using Zexus.Benchmarks;
using Zexus.Vm;

namespace Zexus.Peers;

/// <summary>What one peer took for one kernel.</summary>
/// <param name="Nanoseconds">Per unit, of each repetition.</param>
/// <param name="StartUp">Milliseconds until the process was ready.</param>
/// <param name="FirstRun">Milliseconds of the first run, with reading and compiling the kernel.</param>
internal sealed record Figure(
    Kernel Kernel,
    Peer Peer,
    IReadOnlyList<double> Nanoseconds,
    double StartUp,
    double FirstRun
)
{
    public double Minimum => Nanoseconds.Min();

    public double Median => Nanoseconds.Order().ElementAt(Nanoseconds.Count / 2);

    /// <summary>Milliseconds of the first run beyond a warm one.</summary>
    public double WarmUp(bool isQuick) =>
        Math.Max(0, FirstRun - (Median * Kernel.Units(isQuick ? Kernel.SmallSize : Kernel.Size) / 1e6));
}

/// <summary>From how many iterations on an engine of ours is never slower than the first one, loading and compiling included.</summary>
/// <param name="Size">Null when it is slower at the largest size.</param>
internal sealed record BreakEven(Kernel Kernel, Peer Peer, long? Size);

/// <summary>Two ways to run a kernel in one tier.</summary>
/// <param name="Ratios">The time of a run in the first way by that of the one in the second beside it.</param>
internal sealed record PairedRatio(Kernel Kernel, string Tier, IReadOnlyList<double> Ratios)
{
    public double Median => Quantile(0.5);

    /// <summary>Below it is a quarter of the pairs, above it three.</summary>
    public double LowerQuartile => Quantile(0.25);

    public double UpperQuartile => Quantile(0.75);

    private double Quantile(double part) => Ratios.Order().ElementAt((int)(part * (Ratios.Count - 1)));
}

/// <summary>The measuring of one kernel.</summary>
internal static class Measurement
{
    private const int WarmingRuns = 40;

    /// <summary>From here on programs warm a process up for new ones: sizes of which none is measured.</summary>
    private const int WarmingSize = 1_100;

    /// <summary>As many flags as a List may have are twice that.</summary>
    private const int LargestFresh = 1 << 19;

    /// <summary>
    /// All peers are started and warmed up; then they take turns, so that whatever drifts on the machine hits all alike.
    /// </summary>
    public static IReadOnlyList<Figure> Take(
        Kernel kernel,
        IReadOnlyList<Peer> peers,
        bool isQuick,
        Action<string> progress
    )
    {
        (long size, long expected) = isQuick
            ? (kernel.SmallSize, kernel.SmallExpected)
            : (kernel.Size, kernel.Expected);
        int repetitions = isQuick ? 5 : 9;
        List<PeerProcess> processes = [];
        try
        {
            Dictionary<PeerProcess, double> firstRuns = [];
            foreach (Peer peer in peers.Where(peer => peer.Runs(kernel)))
            {
                progress($"{kernel.Name}: {peer.Name} warms up");
                PeerProcess process = new(peer, kernel);
                processes.Add(process);
                process.Calibrate();
                firstRuns.Add(process, process.Run(size, expected).TotalMilliseconds);
                WarmUp(process, kernel);
                process.Run(size, expected);
                process.Calibrate();
            }

            Dictionary<PeerProcess, List<double>> times = processes.ToDictionary(p => p, _ => new List<double>());
            for (int i = 1; i <= repetitions; i++)
            {
                progress($"{kernel.Name}: {i} of {repetitions}");
                foreach (PeerProcess process in processes)
                {
                    times[process].Add(process.Run(size, expected).TotalNanoseconds / kernel.Units(size));
                }
            }

            return
            [
                .. processes.Select(p => new Figure(
                    kernel,
                    p.Peer,
                    times[p],
                    p.StartUp.TotalMilliseconds,
                    firstRuns[p]
                )),
            ];
        }
        finally
        {
            processes.ForEach(process => process.Dispose());
        }
    }

    /// <summary>
    /// Each tier in two ways, in pairs that follow each other at once, since the machine's clock changes by more than a meter costs; in this
    /// process, since two processes differ by more than that, too. Which of them comes first changes from pair to pair.
    /// </summary>
    /// <param name="what">What is measured, for the progress.</param>
    public static IReadOnlyList<PairedRatio> TakePairs(
        Kernel kernel,
        IReadOnlyList<(string Tier, ZexusEngine One, ZexusEngine Other)> pairs,
        string what,
        bool isQuick,
        Action<string> progress
    )
    {
        (long size, long expected) = isQuick
            ? (kernel.SmallSize, kernel.SmallExpected)
            : (kernel.Size, kernel.Expected);
        List<PairedRatio> taken = [];
        foreach ((string tier, ZexusEngine one, ZexusEngine other) in pairs)
        {
            progress($"{kernel.Name}: {what}, {tier}");
            using PairedRun ones = new(one, kernel, size, expected);
            using PairedRun others = new(other, kernel, size, expected);
            List<double> ratios = [];
            for (int i = 0; i < (isQuick ? 5 : 31); i++)
            {
                double first = (i % 2 == 0 ? ones : others).Take();
                double second = (i % 2 == 0 ? others : ones).Take();
                ratios.Add(i % 2 == 0 ? first / second : second / first);
            }

            taken.Add(new PairedRatio(kernel, tier, ratios));
        }

        return taken;
    }

    /// <summary>A kernel on a machine of its own, warmed up.</summary>
    private sealed class PairedRun : IDisposable
    {
        private readonly ZexusEngine _engine;
        private readonly Kernel _kernel;
        private readonly Vm.Vm _vm;
        private readonly ZexusProgram _program;
        private readonly long _expected;

        public PairedRun(ZexusEngine engine, Kernel kernel, long size, long expected)
        {
            _engine = engine;
            _kernel = kernel;
            _vm = new Vm.Vm(engine.Options);
            _program = engine.Load(kernel.Assembly(size));
            _expected = expected;
            ZexusProgram small = engine.Load(kernel.Assembly(kernel.SmallSize));
            for (int round = 0; round < 2; round++)
            {
                for (int i = 0; i < WarmingRuns; i++)
                {
                    _ = Run(small, kernel.SmallExpected);
                }

                Thread.Sleep(150);
            }

            _ = Take();
        }

        /// <summary>The time of one run, in ticks.</summary>
        public long Take() => Run(_program, _expected);

        public void Dispose() => _vm.Dispose();

        private long Run(ZexusProgram program, long expected)
        {
            long start = Stopwatch.GetTimestamp();
            ExecutionResult result = _engine.Execute(_vm, program);
            long taken = Stopwatch.GetTimestamp() - start;
            return result.IsCompleted && (long)result.Value.AsInteger == expected
                ? taken
                : throw new PeerFailed($"{_engine.Name} gave a wrong answer to {_kernel.Name}");
        }
    }

    /// <summary>Each engine of ours against the first: programs never seen before, of growing size.</summary>
    public static IReadOnlyList<BreakEven> TakeBreakEven(Kernel kernel, Action<string> progress)
    {
        List<PeerProcess> processes = [.. Peer.All.Where(p => p.IsOurs).Select(p => new PeerProcess(p, kernel))];
        try
        {
            foreach (PeerProcess process in processes)
            {
                WarmUp(process, kernel);
                for (int i = 0; i < WarmingRuns; i++)
                {
                    _ = process.Fresh(WarmingSize + i);
                }
            }

            Dictionary<PeerProcess, long?> found = processes.Skip(1).ToDictionary(p => p, _ => (long?)null);
            for (long size = 16; size <= LargestFresh; size *= 2)
            {
                progress($"{kernel.Name}: break-even, {size} iterations");
                (double reference, string results) = Fresh(processes[0], size);
                foreach (PeerProcess process in processes.Skip(1))
                {
                    (double median, string others) = Fresh(process, size);
                    if (others != results)
                    {
                        throw new PeerFailed(
                            $"{process.Peer.Name} gave a wrong answer to {kernel.Name} of {size} or a little more"
                        );
                    }

                    // Where nothing is compiled yet, being faster once is scatter.
                    found[process] = median <= reference ? found[process] ?? size : null;
                }
            }

            return [.. found.Select(f => new BreakEven(kernel, f.Key.Peer, f.Value))];
        }
        finally
        {
            processes.ForEach(process => process.Dispose());
        }
    }

    /// <summary>The median, and all results; each try has a size of its own, so that no cache knows the program.</summary>
    private static (double Median, string Results) Fresh(PeerProcess process, long size)
    {
        (double Nanoseconds, string Result)[] tries = [.. Enumerable.Range(0, 9).Select(i => process.Fresh(size + i))];
        return (
            tries.Select(it => it.Nanoseconds).Order().ElementAt(4),
            string.Join(' ', tries.Select(it => it.Result))
        );
    }

    /// <summary>.NET compiles again what was called 30 times, when nothing new was called for 100 ms; twice, with what it saw.</summary>
    private static void WarmUp(PeerProcess process, Kernel kernel)
    {
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < WarmingRuns; i++)
            {
                process.Run(kernel.SmallSize, kernel.SmallExpected);
            }

            Thread.Sleep(150);
        }
    }
}
