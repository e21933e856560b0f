using Zexus.Cli.Commands;
using Zexus.Vm;

namespace Zexus.Cli.Output;

/// <summary>That a guard of the host ended an execution: no outcome of the program, and so in no words that one has.</summary>
internal static class GuardReport
{
    public static string ToText(HostGuardException stop) =>
        stop.Guard switch
        {
            HostGuard.Memory =>
                $"memory: it needs more than {Quantity.OfSize(stop.Limit)} (--memory). The host stopped it; the program has no outcome",
            HostGuard.Steps =>
                $"steps: it takes more than {stop.Limit} (--steps). The host stopped it; the program has no outcome",
            HostGuard.Time =>
                $"time: it takes more than {Quantity.OfDuration(TimeSpan.FromTicks(stop.Limit))} (--time). The host stopped it; the program has no outcome",
            _ => throw new ArgumentOutOfRangeException(nameof(stop)),
        };

    public static string ToJson(HostGuardException stop)
    {
        (string name, string limit, string unit) = stop.Guard switch
        {
            HostGuard.Memory => ("memory", Json.Of(stop.Limit), "bytes"),
            HostGuard.Steps => ("steps", Json.Of(stop.Limit), "steps"),
            HostGuard.Time => ("time", Milliseconds(TimeSpan.FromTicks(stop.Limit)), "milliseconds"),
            _ => throw new ArgumentOutOfRangeException(nameof(stop)),
        };
        return Json.Object(
            ("status", Json.Of("stopped")),
            ("guard", Json.Object(("name", Json.Of(name)), ("limit", limit), ("unit", Json.Of(unit))))
        );
    }

    private static string Milliseconds(TimeSpan time) =>
        time.TotalMilliseconds.ToString("0.####", System.Globalization.CultureInfo.InvariantCulture);
}
