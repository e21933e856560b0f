using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>`zexus chain demo`: that it does what it says, on a store that the other commands read.</summary>
public sealed class ChainDemoTests : IDisposable
{
    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public void What_it_keeps_is_a_store_in_which_everything_is_as_it_says()
    {
        string store = _workshop.Path("kept");
        Outcome demo = Workshop.Run("chain", "demo", "--state", store, "--json");
        Assert.Equal((0, ""), (demo.Code, demo.Error));
        JsonElement json = demo.Json;
        Assert.Equal("sound", json.GetProperty("status").GetString());
        Assert.Equal(store, json.GetProperty("state").GetString());
        JsonElement[] blocks = [.. json.GetProperty("blocks").EnumerateArray()];
        Assert.Equal(5, blocks.Length);

        string[] receipts =
        [
            .. blocks.SelectMany(b => b.GetProperty("receipts").EnumerateArray()).Select(r => r.GetRawText()),
        ];
        string[] kept = Workshop.Run("receipts", store, "--json").Out.TrimEnd().Split('\n');
        Assert.Equal(kept, receipts);
        Assert.Equal(21, receipts.Length);
        foreach (JsonElement block in blocks)
        {
            JsonElement[] own = [.. block.GetProperty("receipts").EnumerateArray()];
            Assert.Equal(
                block.GetProperty("gas").GetInt64(),
                own.Sum(r => r.GetProperty("gas").GetProperty("used").GetInt64())
            );
            Assert.All(
                own,
                r => Assert.Equal(block.GetProperty("height").GetInt64(), r.GetProperty("height").GetInt64())
            );
            Assert.Equal(block.GetProperty("stateRoot").GetString(), own[^1].GetProperty("stateRoot").GetString());
            Assert.Equal(block.GetProperty("ledgerHead").GetString(), own[^1].GetProperty("ledgerHead").GetString());
        }

        Assert.Equal(
            ["\"RequireFailed\"", "\"RequireFailed\"", "\"RequireFailed\"", "\"RequireFailed\""],
            receipts
                .Select(r => JsonDocument.Parse(r).RootElement.GetProperty("fault").GetRawText())
                .Where(fault => fault != "null")
        );
        string root = blocks[^1].GetProperty("stateRoot").GetString()!;
        Assert.Equal(root, Workshop.Run("state", "root", "--state", store).Out.TrimEnd());
        Assert.StartsWith(
            "sound    21 receipts, 5 ledger entries, 22 keys",
            Workshop.Run("state", "verify", store).Out,
            StringComparison.Ordinal
        );

        // What the five contracts came to.
        foreach (
            (string contract, string key, string value) in (IEnumerable<(string, string, string)>)
                [
                    ("token", "balance:alice", "900"),
                    ("token", "balance:bob", "70"),
                    ("token", "balance:dave", "30"),
                    ("escrow", "balance:alice", "40"),
                    ("escrow", "balance:bob", "60"),
                    ("vote", "counts", "[2, 1]"),
                    ("mining", "reward:erin", "1"),
                    ("mining", "reward:dave", "1"),
                ]
        )
        {
            Assert.Equal(value + "\n", Workshop.Run("state", "get", store, key, "--contract", contract).Out);
        }

        string audit = Workshop.Run("audit", store).Out;
        Assert.StartsWith("1 of execution 17 of \"audit\" \"refused\" {", audit, StringComparison.Ordinal);
        Assert.Contains("mallory", audit, StringComparison.Ordinal);
        JsonElement proof = json.GetProperty("proof");
        Assert.True(proof.GetProperty("holds").GetBoolean());
        Assert.Equal(70, proof.GetProperty("value").GetInt32());
        Assert.Contains(
            "ledger entry 1 was changed",
            json.GetProperty("changedByte").GetProperty("problem").GetString(),
            StringComparison.Ordinal
        );

        Outcome again = Workshop.Run("chain", "demo", "--state", store);
        Assert.Equal((3, ""), (again.Code, again.Out));
        Assert.Contains("is not empty, so no store can begin there", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_run_comes_to_the_same()
    {
        JsonElement first = Workshop.Run("chain", "demo", "--json").Json;
        JsonElement second = Workshop.Run("chain", "demo", "--json").Json;
        Assert.Equal(JsonValueKind.Null, first.GetProperty("state").ValueKind);
        Assert.Equal(first.GetRawText(), second.GetRawText());
    }

    [Fact]
    public void It_runs_where_there_is_no_repository()
    {
        string copy = _workshop.Path("program");
        using (Process cp = Process.Start("cp", ["-r", AppContext.BaseDirectory, copy]))
        {
            cp.WaitForExit();
        }

        ProcessStartInfo start = new("dotnet", [Path.Combine(copy, "zexus.dll"), "chain", "demo"])
        {
            WorkingDirectory = _workshop.Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment["TMPDIR"] = _workshop.Folder;
        Outcome outcome = Workshop.Finish(Process.Start(start)!);
        Assert.Equal(0, outcome.Code);
        Assert.Contains("\nsound    21 receipts", outcome.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("\e[", outcome.Out, StringComparison.Ordinal);
        // Neither the store nor the copy is left.
        Assert.Equal(
            [copy],
            Directory
                .EnumerateDirectories(_workshop.Folder, "*", SearchOption.TopDirectoryOnly)
                .Where(d => !d.EndsWith(".dotnet", StringComparison.Ordinal))
        );
    }

    [Fact]
    public void Help_shows_examples()
    {
        Outcome help = Workshop.Run("chain", "demo", "--help");
        Assert.Equal(0, help.Code);
        Assert.Contains("Examples:\n  ./zexus chain demo\n", help.Out, StringComparison.Ordinal);
    }
}
