using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

public sealed class ProveTests
{
    [Fact]
    public void A_rewrite_is_proved_by_name()
    {
        using System.Diagnostics.Process process = Workshop.Start("prove", "combine/inc", "--no-cache", "--json");
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal((0, "passed"), (outcome.Code, outcome.Json.GetProperty("status").GetString()));
        JsonElement first = outcome.Json.GetProperty("rewrites")[0];
        Assert.Equal("combine/inc", first.GetProperty("name").GetString());
        Assert.True(first.GetProperty("cases").GetInt32() >= 9);
        Assert.Equal(first.GetProperty("cases").GetInt32(), first.GetProperty("proved").GetInt32());
        Assert.Equal(first.GetProperty("queries").GetInt32(), first.GetProperty("agreed").GetInt32());
    }

    [Fact]
    public void A_name_that_no_rewrite_has_is_an_error()
    {
        using System.Diagnostics.Process process = Workshop.Start("prove", "combine/icn");
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(2, outcome.Code);
        Assert.StartsWith(
            "error: no rewrite is called 'combine/icn', and none begins so\n",
            outcome.Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Queries_are_written_as_files()
    {
        string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            using System.Diagnostics.Process process = Workshop.Start(
                "prove",
                "stack/copy-dropped",
                "--no-cache",
                "--smt",
                folder
            );
            Assert.Equal(0, Workshop.Finish(process).Code);
            string text = File.ReadAllText(Path.Combine(folder, "stack-copy-dropped-001.smt2"));
            Assert.EndsWith("(check-sat)\n", text, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
