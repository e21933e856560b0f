using System.Globalization;
using System.Text;
using Zexus.Cli.Files;
using Zexus.Vm;

namespace Zexus.Cli.Output;

/// <summary>What `run --heap-stats` shows.</summary>
internal static class HeapReport
{
    /// <summary>Sites in the summary for a person.</summary>
    private const int MostSites = 20;

    public static string ToText(ProgramFile program, HeapStatistics heap, Terminal terminal)
    {
        StringBuilder text = new();
        void Line(string name, string value) => text.Append(terminal.Faint($"{name, -8}")).Append($" {value}\n");

        Line("heap", $"made {Sum(heap.AllocatedCells, heap.AllocatedBytes)}; most at a time {heap.PeakBytes:N0} bytes");
        Line(
            "",
            $"{heap.Collections:N0} collections freed {Sum(heap.FreedCells, heap.FreedBytes)}; {Sum(heap.LiveCells, heap.LiveBytes)} survive"
        );
        Line(
            "",
            $"pauses: {Milliseconds(heap.TotalPause)} ms in all, {Milliseconds(heap.LongestPause)} ms the longest; {heap.ReservedBytes:N0} bytes from the system, {heap.KeptBytes:N0} of them in kept buffers"
        );
        foreach (
            IGrouping<HeapCellKind, HeapSite> kind in heap.Sites!.GroupBy(site => site.Kind).OrderBy(kind => kind.Key)
        )
        {
            Line(
                "kind",
                $"{Name(kind.Key)}: made {Sum(kind.Sum(s => s.AllocatedCells), kind.Sum(s => s.AllocatedBytes))}; {Sum(kind.Sum(s => s.SurvivingCells), kind.Sum(s => s.SurvivingBytes))} survive"
            );
        }

        foreach (HeapSite site in heap.Sites!.Take(MostSites))
        {
            string survive =
                site.SurvivingCells == 0
                    ? ""
                    : $"; {Sum(site.SurvivingCells, site.SurvivingBytes)} survive, the oldest {site.OldestSurvived:N0} collections, since {site.OldestMadeAt:N0} bytes";
            Line(
                "site",
                $"{program.Place(site.Function, site.Instruction)}: {InstructionText.Of(program.Program, site.Function, site.Instruction)}: {Name(site.Kind)}, {Sum(site.AllocatedCells, site.AllocatedBytes)}{survive}"
            );
        }

        if (heap.Sites!.Count > MostSites)
        {
            Line("site", $"… and {heap.Sites.Count - MostSites} more; --json has all");
        }

        return text.ToString();
    }

    public static string ToJson(ProgramFile program, HeapStatistics heap) =>
        Json.Object(
            ("allocated", Amount(heap.AllocatedCells, heap.AllocatedBytes)),
            ("freed", Amount(heap.FreedCells, heap.FreedBytes)),
            ("live", Amount(heap.LiveCells, heap.LiveBytes)),
            ("peakBytes", Json.Of(heap.PeakBytes)),
            ("reservedBytes", Json.Of(heap.ReservedBytes)),
            ("keptBytes", Json.Of(heap.KeptBytes)),
            ("collections", Json.Of(heap.Collections)),
            (
                "pauses",
                Json.Object(("total", Milliseconds(heap.TotalPause)), ("longest", Milliseconds(heap.LongestPause)))
            ),
            ("sites", Json.Array(heap.Sites!.Select(site => SiteJson(program, site))))
        );

    private static string SiteJson(ProgramFile program, HeapSite site) =>
        Json.Object(
            ("function", Json.Of(site.Function)),
            ("functionName", Json.Of(program.Program.Functions[site.Function].Name)),
            ("instruction", Json.Of(site.Instruction)),
            ("opcode", Json.Of(InstructionText.Mnemonic(program.Program, site.Function, site.Instruction))),
            ("kind", Json.Of(Name(site.Kind))),
            ("allocated", Amount(site.AllocatedCells, site.AllocatedBytes)),
            ("surviving", Amount(site.SurvivingCells, site.SurvivingBytes)),
            ("oldestSurvived", Json.Of(site.OldestSurvived)),
            ("oldestMadeAt", Json.Of(site.OldestMadeAt))
        );

    private static string Amount(long cells, long bytes) =>
        Json.Object(("cells", Json.Of(cells)), ("bytes", Json.Of(bytes)));

    private static string Sum(long cells, long bytes) => $"{cells:N0} cells, {bytes:N0} bytes";

    private static string Milliseconds(TimeSpan time) =>
        time.TotalMilliseconds.ToString("F3", CultureInfo.InvariantCulture);

    private static string Name(HeapCellKind kind) => kind.ToString().ToLowerInvariant();
}
