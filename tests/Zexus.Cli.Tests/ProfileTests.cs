using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Zexus.Cli.Tests;

public sealed class ProfileTests : IDisposable
{
    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public void Json_counts_instructions_lines_opcodes_and_jumps()
    {
        Outcome outcome = Workshop.Run("profile", _workshop.Write("sum.zxa", Workshop.Sum), "--json");
        Assert.Equal(0, outcome.Code);
        JsonElement root = outcome.Json;
        long steps = root.GetProperty("steps").GetInt64();
        foreach (string table in new[] { "instructions", "lines", "opcodes" })
        {
            Assert.Equal(
                steps,
                root.GetProperty(table).EnumerateArray().Sum(row => row.GetProperty("count").GetInt64())
            );
        }

        JsonElement jump = Assert.Single(
            root.GetProperty("instructions").EnumerateArray(),
            row => row.TryGetProperty("jumped", out _)
        );
        Assert.Equal(
            ("JUMP_IF_FALSE @12", 11, 1),
            (
                jump.GetProperty("text").GetString(),
                jump.GetProperty("count").GetInt32(),
                jump.GetProperty("jumped").GetInt32()
            )
        );
        Assert.Equal(7, jump.GetProperty("line").GetInt32());
        Assert.Equal(10, Assert.Single(root.GetProperty("loops").EnumerateArray()).GetProperty("turns").GetInt32());
        Assert.Equal("main", root.GetProperty("functions")[0].GetProperty("functionName").GetString());
    }

    [Fact]
    public void Text_names_the_hot_loop_and_keeps_to_top()
    {
        string file = _workshop.Write("sum.zxa", Workshop.Sum);
        Outcome outcome = Workshop.Run("profile", file, "--top", "1");
        Assert.Equal(0, outcome.Code);
        Assert.Contains("  main:2 to 11, line 6", outcome.Out, StringComparison.Ordinal);
        Assert.Contains("(--top)", outcome.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("(--top)", Workshop.Run("profile", file, "--top", "100").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_container_has_no_lines_and_gets_instructions()
    {
        string container = _workshop.Path("sum.zxb");
        Assert.Equal(0, Workshop.Run("asm", _workshop.Write("sum.zxa", Workshop.Sum), "-o", container).Code);
        Assert.Empty(Workshop.Run("profile", container, "--json").Json.GetProperty("lines").EnumerateArray());
        Assert.Contains("  main:3 JUMP_IF_FALSE @12", Workshop.Run("profile", container).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_is_exit_code_1_and_profiled_all_the_same()
    {
        Outcome outcome = Workshop.Run("profile", _workshop.Write("div.zxa", Workshop.Division), "--json");
        Assert.Equal(1, outcome.Code);
        Assert.Equal("DivisionByZero", outcome.Json.GetProperty("fault").GetString());
        Assert.Equal(3, outcome.Json.GetProperty("steps").GetInt32());
    }

    [Fact]
    public void The_page_needs_nothing_else_and_holds_the_profile()
    {
        // A name that would end the element, if it were written as it is.
        string file = _workshop.Write(
            "page.zxa",
            """
            .func main()
                CALL_FUNC_CONST "</script><b>", 0
            .end
            .func "</script><b>"()
            .end
            """
        );
        string page = _workshop.Path("page.html");
        Outcome outcome = Workshop.Run("profile", file, "--html", page);
        Assert.Equal((0, ""), (outcome.Code, outcome.Out));
        string html = File.ReadAllText(page);
        Assert.DoesNotMatch(new Regex("https?:|//[a-z]|src=|@import|url\\(|<link"), html);
        Assert.Equal(2, Regex.Count(html, "<script"));
        Assert.Equal(2, Regex.Count(html, "</script>"));
        Match data = Regex.Match(
            html,
            "<script type=\"application/json\" id=\"profile\">(.*?)</script>",
            RegexOptions.Singleline
        );
        JsonElement calls = JsonDocument.Parse(data.Groups[1].Value).RootElement.GetProperty("calls");
        Assert.Equal([-1, 0], calls.EnumerateArray().Select(call => call.GetProperty("caller").GetInt32()));
    }
}
