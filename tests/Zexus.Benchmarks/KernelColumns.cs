using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Zexus.Benchmarks;

/// <summary>
/// Adds to <see cref="KernelBenchmarks"/> what can be compared across kernels: time per unit of work, gas per second, and what of the machine's heap
/// a unit takes, which lies outside of .NET's.
/// </summary>
internal sealed class KernelColumns : ManualConfig
{
    public KernelColumns()
    {
        AddColumn(
            new Rate("ns/unit", "Mean by the units that Work names, nanoseconds", (work, mean) => mean / work.Units),
            new Rate("Mgas/s", "Millions of gas per second, by the mean", (work, mean) => 1e3 * work.Gas / mean),
            new Rate(
                "Heap/unit",
                "Bytes of cells of the machine's heap that were made for a unit",
                (work, _) => (double?)work.HeapBytes / work.Units
            )
        );
        _ = WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(40));
    }

    /// <summary>What one invocation does: units of work, the gas that it takes, and the cells that it makes; neither of C#.</summary>
    internal sealed record Work(long Units, long? Gas, long? HeapBytes);

    /// <param name="ColumnName">The heading.</param>
    /// <param name="Legend">What it says.</param>
    /// <param name="Of">From the work and its mean in nanoseconds.</param>
    private sealed record Rate(string ColumnName, string Legend, Func<Work, double, double?> Of) : IColumn
    {
        public string Id => $"{nameof(KernelColumns)}.{ColumnName}";

        public bool AlwaysShow => true;

        public ColumnCategory Category => ColumnCategory.Custom;

        public int PriorityInCategory => 0;

        public bool IsNumeric => true;

        public UnitType UnitType => UnitType.Dimensionless;

        public bool IsAvailable(Summary summary) => true;

        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
            GetValue(summary, benchmarkCase, SummaryStyle.Default);

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style)
        {
            double? mean = summary[benchmarkCase]?.ResultStatistics?.Mean;
            Work work = KernelBenchmarks.WorkOf(
                (string)benchmarkCase.Parameters[nameof(KernelBenchmarks.Work)],
                (string)benchmarkCase.Parameters[nameof(KernelBenchmarks.Engine)]
            );
            return mean is null ? "NA" : Of(work, mean.Value)?.ToString("N2", CultureInfo.InvariantCulture) ?? "-";
        }
    }
}
