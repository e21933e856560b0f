using Zexus.Cli.Engines;

namespace Zexus.Cli.Commands;

/// <summary>
/// How much gas an execution is to be given. That can be more than it uses: a call between contracts sets gas aside, and a program may ask how
/// much is left.
/// </summary>
internal static class GasEstimate
{
    /// <summary>
    /// A limit with which everything comes out as it did, and with one less does not: by halving, as if more never hurt, so there may be smaller ones.
    /// </summary>
    /// <param name="execution">What came out with the limit that was given.</param>
    /// <param name="limit">That limit.</param>
    /// <param name="execute">Executes the same with another limit.</param>
    /// <param name="outcome">All of an execution that has to be the same.</param>
    public static long Of(
        Execution execution,
        long limit,
        Func<long, Execution> execute,
        Func<Execution, string> outcome
    )
    {
        string wanted = outcome(execution);
        bool Suffices(long gas) => gas == limit || outcome(execute(gas)) == wanted;

        long less = (long)execution.GasUsed;
        if (Suffices(less))
        {
            return less;
        }

        // In steps that double, so that little above what it used is found soon.
        long step = Math.Max(1, less / 64);
        while (step < limit - less && !Suffices(less + step))
        {
            less += step;
            step *= 2;
        }

        long enough = step < limit - less ? less + step : limit;
        while (enough - less > 1)
        {
            long middle = less + ((enough - less) / 2);
            (less, enough) = Suffices(middle) ? (less, middle) : (middle, enough);
        }

        return enough;
    }
}
