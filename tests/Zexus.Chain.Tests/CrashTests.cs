using Xunit;
using Zexus.Crashes;

namespace Zexus.Chain.Tests;

/// <summary>A part of the campaigns of tests/Zexus.Crashes; the whole of them is a command of its own (docs/trusted.md).</summary>
public sealed class CrashTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("zexus-crashes-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_killed_writer_loses_nothing_that_it_acknowledged()
    {
        KillCampaign.Outcome outcome = KillCampaign.Run(12, seed: 7, Path.Combine(_folder, "store"));
        Assert.Null(outcome.Problem);
        Assert.Equal(12, outcome.Kills);
    }

    [Fact]
    public void Whatever_was_not_synced_may_be_gone_or_torn()
    {
        DiskCampaign.Outcome outcome = DiskCampaign.Run(150, 80, seed: 7, Path.Combine(_folder, "disks"));
        Assert.Null(outcome.Problem);
        Assert.Equal(150, outcome.States);
        // The log was begun anew while the writer went on, not only when it ended.
        Assert.InRange(outcome.DatabaseSyncs, 5, outcome.Syncs / 2);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(15)]
    public void A_sync_that_is_missing_is_found(int sync)
    {
        DiskCampaign.Outcome outcome = DiskCampaign.Run(300, 60, 7, Path.Combine(_folder, "disks"), withoutSync: sync);
        Assert.Contains("were acknowledged", outcome.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public void A_sync_of_the_database_that_is_missing_is_found(int sync)
    {
        DiskCampaign.Outcome outcome = DiskCampaign.Run(
            300,
            60,
            7,
            Path.Combine(_folder, "disks"),
            withoutSync: sync,
            ofDatabase: true
        );
        Assert.InRange(outcome.States, 1, 300);
        Assert.StartsWith($"state {outcome.States}, after event ", outcome.Problem, StringComparison.Ordinal);
    }
}
