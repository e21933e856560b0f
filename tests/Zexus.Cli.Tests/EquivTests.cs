using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

public sealed class EquivTests : IDisposable
{
    private const string Countdown = """
        .func main() locals n
            CALL_BUILTIN height, 0
            STORE_NAME n
        head:
            LOAD_NAME n
            LOAD_CONST 0
            GT
            JUMP_IF_FALSE done
            LOAD_NAME n
            DEC
            STORE_NAME n
            JUMP head
        done:
        .end
        """;

    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public void A_program_is_equivalent_to_itself()
    {
        string file = _workshop.Write("a.zxa", Guarded("100"));
        Outcome outcome = Equiv(file, file, "--json");
        Assert.Equal((0, "equivalent"), (outcome.Code, Status(outcome)));
        Assert.Equal(0, outcome.Json.GetProperty("pathsAtBound").GetInt32());
        Assert.Equal(0, outcome.Json.GetProperty("unsettled").GetArrayLength());
        Assert.True(outcome.Json.GetProperty("paths")[0].GetInt32() > 3);
    }

    [Fact]
    public void A_difference_comes_with_a_state_that_run_takes()
    {
        string a = _workshop.Write("a.zxa", Guarded("100"));
        string b = _workshop.Write("b.zxa", Guarded("99"));
        string state = _workshop.Path("state.json");
        Outcome outcome = Equiv(a, b, "--ignore-gas", "--state-out", state);
        Assert.Equal(1, outcome.Code);
        Assert.StartsWith("different    confirmed on oracle and engine\n", outcome.Out, StringComparison.Ordinal);
        Assert.Contains($"./zexus run {a} --state {state}", outcome.Out, StringComparison.Ordinal);
        Outcome first = Workshop.Run("run", a, "--state", state, "--json");
        Outcome second = Workshop.Run("run", b, "--state", state, "--json");
        Assert.NotEqual(first.Json.GetProperty("result").GetRawText(), second.Json.GetProperty("result").GetRawText());
    }

    [Fact]
    public void A_difference_in_gas_alone_is_one_unless_it_is_ignored()
    {
        string a = _workshop.Write("a.zxa", ".func main()\n LOAD_CONST 1\n POP\n.end\n");
        string b = _workshop.Write("b.zxa", ".func main()\n.end\n");
        Outcome outcome = Equiv(a, b, "--json");
        Assert.Equal((1, "different"), (outcome.Code, Status(outcome)));
        JsonElement counterexample = outcome.Json.GetProperty("counterexample");
        Assert.True(counterexample.GetProperty("confirmed").GetBoolean());
        Assert.Equal("gas used", counterexample.GetProperty("differences")[0].GetProperty("what").GetString());
        Assert.Equal(0, Equiv(a, b, "--ignore-gas").Code);
    }

    [Fact]
    public void The_bound_of_loops_is_part_of_the_answer()
    {
        string file = _workshop.Write("a.zxa", Countdown);
        Outcome outcome = Equiv(file, file, "--unroll", "2");
        Assert.Equal(0, outcome.Code);
        Assert.Contains("turn up to 2 times", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_settled_is_undecided_and_says_where()
    {
        string file = _workshop.Write(
            "a.zxa",
            ".func main()\n LOAD_CONST \"k\"\n STATE_READ\n LOAD_CONST 1\n CALL_METHOD push, 1\n.end\n"
        );
        Outcome outcome = Equiv(file, file);
        Assert.Equal(6, outcome.Code);
        Assert.StartsWith("undecided ", outcome.Out, StringComparison.Ordinal);
        Assert.Contains("where state \"k\" is List", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_command_line_a_missing_file_and_a_refused_program_have_their_exit_codes()
    {
        string file = _workshop.Write("a.zxa", ".func main()\n.end\n");
        string refused = _workshop.Write("b.zxa", ".func main()\n POP\n.end\n");
        Assert.Equal(2, Workshop.Run("equiv", file).Code);
        Assert.Equal(3, Workshop.Run("equiv", file, _workshop.Path("none.zxa")).Code);
        Assert.Equal(4, Workshop.Run("equiv", file, refused).Code);
    }

    [Fact]
    public void Optimize_verify_proves_the_passes_of_an_example()
    {
        string example = Path.Combine(Workshop.Repository, "examples", "registers.zxa");
        using Process process = Workshop.Start("optimize", example, "--level", "2", "--verify", "--no-cache", "--json");
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(0, outcome.Code);
        JsonElement verification = outcome.Json.GetProperty("verification");
        Assert.Equal("equivalent", verification.GetProperty("status").GetString());
        Assert.Equal(2, verification.GetProperty("passes").GetArrayLength());
        Assert.All(
            verification.GetProperty("passes").EnumerateArray(),
            pass => Assert.True(pass.GetProperty("proved").GetBoolean(), pass.GetProperty("verdict").GetString())
        );
    }

    private static string Guarded(string bound) =>
        $"""
            .func main()
                LOAD_CONST "visits"
                STATE_READ
                LOAD_CONST {bound}
                LT
                RETURN
            .end
            """;

    private static Outcome Equiv(params string[] arguments)
    {
        using Process process = Workshop.Start(["equiv", .. arguments, "--no-cache"]);
        return Workshop.Finish(process);
    }

    private static string? Status(Outcome outcome) => outcome.Json.GetProperty("status").GetString();
}
