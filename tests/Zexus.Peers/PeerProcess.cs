using System.Diagnostics;
using Zexus.Benchmarks;

namespace Zexus.Peers;

/// <summary>A peer that runs: a process, and a conversation with it.</summary>
internal sealed class PeerProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private TimeSpan _latency;

    public PeerProcess(Peer peer, Kernel kernel)
    {
        Peer = peer;
        ProcessStartInfo start = peer.Start(kernel);
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        long begin = Stopwatch.GetTimestamp();
        _process = Process.Start(start)!;
        if (Read() != "ready")
        {
            throw new PeerFailed($"{peer.Name} does not start");
        }

        StartUp = Stopwatch.GetElapsedTime(begin);
    }

    public Peer Peer { get; }

    /// <summary>Until it was ready to load the kernel.</summary>
    public TimeSpan StartUp { get; }

    /// <summary>Measures the conversation itself, which is taken off the times of runs.</summary>
    public void Calibrate()
    {
        List<TimeSpan> times = [];
        for (int i = 0; i < 101; i++)
        {
            long begin = Stopwatch.GetTimestamp();
            Ask("ping");
            times.Add(Stopwatch.GetElapsedTime(begin));
        }

        times.Sort();
        _latency = times[times.Count / 2];
    }

    /// <summary>Runs the kernel, and throws when the answer is not the expected one.</summary>
    public TimeSpan Run(long size, long expected)
    {
        long begin = Stopwatch.GetTimestamp();
        string answer = Ask($"run {size}");
        TimeSpan time = Stopwatch.GetElapsedTime(begin) - _latency;
        return answer == $"{expected}"
            ? time
            : throw new PeerFailed($"{Peer.Name} answers '{answer}' for size {size}, not {expected}");
    }

    /// <summary>How long loading and running took of a program that it has never seen, and the result.</summary>
    public (double Nanoseconds, string Result) Fresh(long size)
    {
        string[] words = Ask($"fresh {size}").Split(' ');
        return (double.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture), words[1]);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(2)))
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private string Ask(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
        return Read();
    }

    private string Read()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        if (!line.Wait(Patience))
        {
            _process.Kill();
            throw new PeerFailed($"{Peer.Name} has not answered for {Patience.TotalSeconds} s");
        }

        return line.Result ?? throw new PeerFailed($"{Peer.Name} ended without an answer");
    }
}

/// <summary>A peer that cannot be measured, or whose answer is wrong.</summary>
internal sealed class PeerFailed(string message) : Exception(message);
