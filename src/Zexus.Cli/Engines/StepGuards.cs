using System.Diagnostics;
using Zexus.Vm;

namespace Zexus.Cli.Engines;

/// <summary>
/// The host's guards, looked at step by step: for the specification, which knows none, since it says what programs mean, and whose values are objects
/// of .NET's heap; and for traces, which show no step too many.
/// </summary>
internal sealed class StepGuards
{
    /// <summary>The clock and the heap are looked at once in so many steps.</summary>
    private const int Every = 1024;

    /// <summary>Garbage that there may be beyond the limit, so that not each look is a collection.</summary>
    private const long LeastGarbage = 16 * 1024 * 1024;

    private readonly Inputs _inputs;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly long _before = GC.GetTotalMemory(forceFullCollection: true);

    public StepGuards(Inputs inputs) => _inputs = inputs;

    /// <summary>Of a step, counted from 1.</summary>
    /// <exception cref="HostGuardException">A guard ends the execution.</exception>
    public void Before(long step)
    {
        if (step > _inputs.StepLimit)
        {
            throw new HostGuardException(HostGuard.Steps, _inputs.StepLimit.Value);
        }

        if (step % Every != 0)
        {
            return;
        }

        if (_inputs.TimeLimit is { } time && Stopwatch.GetElapsedTime(_start) > time)
        {
            throw new HostGuardException(HostGuard.Time, time.Ticks);
        }

        long limit = _inputs.MemoryLimit;
        if (
            GC.GetTotalMemory(forceFullCollection: false) - _before - limit > Math.Max(LeastGarbage, limit / 4)
            && GC.GetTotalMemory(forceFullCollection: true) - _before > limit
        )
        {
            throw new HostGuardException(HostGuard.Memory, limit);
        }
    }
}
