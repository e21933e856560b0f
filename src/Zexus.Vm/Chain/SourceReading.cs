using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Reads from a state that the host looks up, no more than an execution can pay and has memory for.</summary>
internal static class SourceReading
{
    /// <summary>What a source has under a key, null when it has nothing. What making it takes is lent: the caller ends that.</summary>
    /// <returns>False when its weight is more than the gas that is left; then it was not made.</returns>
    /// <exception cref="HostGuardException">There is no memory for it.</exception>
    public static bool ReadWithin(
        IStateSource source,
        string key,
        long gas,
        Limits limits,
        MemoryGuard guard,
        out Data? data
    )
    {
        data = null;
        DataSize size = source.Measure(key, gas);
        if (size.Weight > gas)
        {
            return false;
        }

        guard.Lend(Math.Max(0, size.Memory));
        if (source.TryRead(key, out data))
        {
            if (DataVisitor.WeighsMore(data, gas, limits))
            {
                return false;
            }

            HostData.Check(data, limits, $"the state under \"{key}\"");
        }
        else
        {
            // Whatever it left there.
            data = null;
        }

        return true;
    }
}
