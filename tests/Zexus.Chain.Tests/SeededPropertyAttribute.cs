using FsCheck;
using FsCheck.Xunit;

namespace Zexus.Chain.Tests;

/// <summary>A random property with the seed of tests/Seed.fs: the same in every run; ZEXUS_SEED in the environment gives another one.</summary>
public sealed class SeededPropertyAttribute : PropertyAttribute
{
    public SeededPropertyAttribute(int count)
    {
        MaxTest = count;
        string text = Environment.GetEnvironmentVariable("ZEXUS_SEED") is { Length: > 0 } set ? set : "1";
        Rnd seed = ulong.TryParse(text, out ulong number)
            ? new Rnd(number)
            : throw new InvalidOperationException(
                $"ZEXUS_SEED is \"{text}\"; it is to be a whole number from 0 to {ulong.MaxValue}."
            );
        Replay = $"({seed.Seed},{seed.Gamma})";
    }
}
