namespace Zexus.Benchmarks;

/// <summary>
/// A kernel: the same work in every language, in <c>Kernels/NAME.zxa</c>, <c>.lua</c>, <c>.js</c>, <c>.wat</c> and <see cref="Twins"/>.
/// </summary>
/// <param name="Name">The name of its files.</param>
/// <param name="Unit">What its figures are per.</param>
/// <param name="Size">How much of it is measured: at least some milliseconds for the fastest.</param>
/// <param name="Expected">What everyone must answer for that size.</param>
/// <param name="SmallSize">For warming up, and for a quick run.</param>
/// <param name="SmallExpected">The answer for that size.</param>
/// <param name="Units">How many units a size is.</param>
public sealed record Kernel(
    string Name,
    string Unit,
    long Size,
    long Expected,
    long SmallSize,
    long SmallExpected,
    Func<long, long> Units
)
{
    /// <summary>All of them. The expected answers were worked out in Python.</summary>
    public static IReadOnlyList<Kernel> All { get; } =
    [
        new("integer-loop", "iteration", 10_000_000, 30_000_000, 100_000, 300_001, n => n),
        new("fibonacci", "call", 30, 832_040, 20, 6_765, Calls),
        // A million flags: what the default limit of a List allows.
        new("sieve", "element", 1_000_000, 78_498, 10_000, 1_229, n => n),
        new("map", "update", 1_000_000, 500_500_000, 10_000, 5_005_000, n => n),
        new("string-append", "character", 200_000, 200_000, 20_000, 20_000, n => n),
        new("string-join", "piece", 200_000, 2_155_556, 50_000, 538_889, n => n),
        new("matrix", "inner step", 160, 401_412_480, 20, 784_560, n => n * n * n),
        new("transfer", "transfer", 50_000, 5_049_775_000, 1_000, 5_049_995_500, n => n),
        new("mining", "nonce", 20_000, 83, 1_000, 2, n => n),
        new("closures", "iteration", 500_000, 125_002_500_000, 5_000, 12_525_000, n => n),
        new("throw", "iteration", 20_000, 40_000, 1_000, 2_000, n => n),
    ];

    /// <summary>Does the size mean a number of iterations, so that any will do?</summary>
    public bool IsLinear =>
        Name is "integer-loop" or "map" or "transfer" or "mining" or "closures" or "throw" or "sieve";

    /// <summary>Null when there is none of that name.</summary>
    public static Kernel? Find(string name) => All.FirstOrDefault(kernel => kernel.Name == name);

    /// <summary>Its source in the language of that extension; null when it has none.</summary>
    public string? File(string extension)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Kernels", $"{Name}.{extension}");
        return System.IO.File.Exists(path) ? path : null;
    }

    /// <summary>The Zexus program for a size.</summary>
    public string Assembly(long size)
    {
        string text = System.IO.File.ReadAllText(File("zxa")!);
        int start = text.IndexOf(".const SIZE", StringComparison.Ordinal);
        int end = text.IndexOf('\n', start);
        return $"{text[..start]}.const SIZE {size}{text[end..]}";
    }

    /// <summary>Of Fibonacci: 2 fib(n + 1) - 1.</summary>
    private static long Calls(long n)
    {
        (long a, long b) = (0, 1);
        for (long i = 0; i <= n; i++)
        {
            (a, b) = (b, a + b);
        }

        return (2 * a) - 1;
    }
}
