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
    public void A_rule_is_proved_total_by_its_opcode()
    {
        using System.Diagnostics.Process process = Workshop.Start("prove", "totality/NEG", "--no-cache", "--json");
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal((0, "passed"), (outcome.Code, outcome.Json.GetProperty("status").GetString()));
        Assert.Equal(0, outcome.Json.GetProperty("rewrites").GetArrayLength());
        Assert.Contains(outcome.Json.GetProperty("withoutRule").EnumerateArray(), name => name.GetString() == "SPAWN");
        JsonElement neg = outcome.Json.GetProperty("totality")[0];
        Assert.Equal("arith/neg", neg.GetProperty("rule").GetString());
        Assert.True(neg.GetProperty("paths").GetInt32() >= 10);
        Assert.Equal(neg.GetProperty("combinations").GetInt32(), neg.GetProperty("proved").GetInt32());
        Assert.Equal(neg.GetProperty("queries").GetInt32(), neg.GetProperty("agreed").GetInt32());
        Assert.All(
            neg.GetProperty("branches").EnumerateArray(),
            branch => Assert.Equal("model", branch.GetProperty("shown").GetString())
        );
    }

    [Fact]
    public void A_name_that_no_rewrite_has_is_an_error()
    {
        using System.Diagnostics.Process process = Workshop.Start("prove", "combine/icn");
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(2, outcome.Code);
        Assert.StartsWith(
            "error: no rewrite and no rule is called 'combine/icn', and none begins so\n",
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
                "totality/stack/pop",
                "--no-cache",
                "--smt",
                folder
            );
            Assert.Equal(0, Workshop.Finish(process).Code);
            string text = File.ReadAllText(Path.Combine(folder, "stack-copy-dropped-001.smt2"));
            Assert.EndsWith("(check-sat)\n", text, StringComparison.Ordinal);
            string covers = File.ReadAllText(Path.Combine(folder, "totality-stack-pop-001.smt2"));
            Assert.StartsWith("; totality of stack/pop\n", covers, StringComparison.Ordinal);
            Assert.EndsWith("(check-sat)\n", covers, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
