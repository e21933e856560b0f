using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>Guards of the host end an execution without an outcome: docs/cli.md.</summary>
public sealed class GuardTests : IDisposable
{
    /// <summary>Keeps all that it makes.</summary>
    private const string Hoard = """
        .func main()
        again:
            LOAD_NAME all
            LOAD_CONST "x"
            BUILD_LIST 2
            STORE_NAME all
            JUMP again
        .end
        """;

    private const string Chatter = """
        .func main()
        again:
            LOAD_CONST "as long as a line of a program usually is, and then a little longer than that"
            PRINT
            JUMP again
        .end
        """;

    private const string Writer = """
        .func main()
            LOAD_CONST "n"
            LOAD_CONST 1
            STATE_WRITE
            LOAD_CONST 1
            LEDGER_APPEND
            LOAD_CONST 1
            EMIT_EVENT e
        again:
            LOAD_NAME i
            INC
            STORE_NAME i
            LOAD_NAME i
            LOAD_CONST 2000
            LT
            JUMP_IF_TRUE again
        .end
        """;

    private const string Gas = "9_000_000_000_000_000";

    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    public static TheoryData<string, string, string, string, long, string> Stops =>
        new()
        {
            { Workshop.Endless, "--steps", "1_000", "steps: it takes more than 1000 (--steps)", 1000, "steps" },
            { Workshop.Endless, "--time", "50ms", "time: it takes more than 50 ms (--time)", 50, "milliseconds" },
            { Workshop.Endless, "--time", "0.2s", "time: it takes more than 200 ms (--time)", 200, "milliseconds" },
            { Hoard, "--memory", "8MiB", "memory: it needs more than 8 MiB (--memory)", 8 << 20, "bytes" },
            {
                Hoard,
                "--memory",
                "8_000_001",
                "memory: it needs more than 8000001 bytes (--memory)",
                8_000_001,
                "bytes"
            },
            { Chatter, "--memory", "2MiB", "memory: it needs more than 2 MiB (--memory)", 2 << 20, "bytes" },
        };

    [Theory]
    [MemberData(nameof(Stops))]
    public void What_a_guard_stops_is_no_fault(
        string text,
        string option,
        string value,
        string says,
        long limit,
        string unit
    )
    {
        string program = _workshop.Write("p.zxa", text);
        foreach (
            string[] way in (string[][])
                [
                    [],
                    ["--no-jit"],
                    ["--level", "3", "--registers"],
                    ["--engine", "oracle"],
                ]
        )
        {
            string[] run = ["run", program, "--gas", Gas, option, value, .. way];
            Outcome stopped = Workshop.Run(run);
            Assert.Equal((7, ""), (stopped.Code, stopped.Out));
            Assert.Equal($"stopped  {says}. The host stopped it; the program has no outcome\n", stopped.Error);

            Outcome json = Workshop.Run([.. run, "--json"]);
            Assert.Equal((7, ""), (json.Code, json.Error));
            Assert.Equal(["status", "guard"], json.Json.EnumerateObject().Select(field => field.Name));
            Assert.Equal("stopped", json.Json.GetProperty("status").GetString());
            JsonElement guard = json.Json.GetProperty("guard");
            Assert.Equal(option, "--" + guard.GetProperty("name").GetString());
            Assert.Equal(limit, guard.GetProperty("limit").GetInt64());
            Assert.Equal(unit, guard.GetProperty("unit").GetString());
        }

        Outcome profile = Workshop.Run("profile", program, "--gas", Gas, option, value);
        Assert.Equal((7, ""), (profile.Code, profile.Out));
        Assert.Contains(says, profile.Error, StringComparison.Ordinal);
        Outcome profiled = Workshop.Run("profile", program, "--gas", Gas, option, value, "--json");
        Assert.Equal((7, "stopped"), (profiled.Code, profiled.Json.GetProperty("status").GetString()));
    }

    [Theory]
    [InlineData("oracle")]
    [InlineData("interpreter")]
    public void A_trace_shows_no_step_too_many(string engine)
    {
        string program = _workshop.Write("p.zxa", Workshop.Endless);
        Outcome steps = Workshop.Run("trace", program, "--engine", engine, "--steps", "5");
        Assert.Equal(7, steps.Code);
        string[] lines = steps.Out.TrimEnd().Split('\n');
        Assert.Equal(7, lines.Length);
        Assert.StartsWith("stopped: steps: it takes more than 5 (--steps)", lines[^1], StringComparison.Ordinal);
        Outcome time = Workshop.Run("trace", program, "--engine", engine, "--time", "20ms", "--json");
        Assert.Equal(7, time.Code);
        JsonElement last = JsonDocument.Parse(time.Out.TrimEnd().Split('\n')[^1]).RootElement;
        Assert.Equal("time", last.GetProperty("guard").GetProperty("name").GetString());
    }

    [Theory]
    [InlineData("oracle")]
    [InlineData("interpreter")]
    public void Exactly_as_many_steps_as_allowed_are_enough(string engine)
    {
        string program = _workshop.Write("p.zxa", Workshop.Sum);
        long steps = Workshop.Run("run", program, "--json").Json.GetProperty("steps").GetInt64();
        string[] run = ["run", program, "--engine", engine, "--memory", "1GB", "--time", "1h", "--steps"];
        Assert.Equal(0, Workshop.Run([.. run, $"{steps}"]).Code);
        Assert.Equal(7, Workshop.Run([.. run, $"{steps - 1}"]).Code);
    }

    [Fact]
    public void A_stopped_execution_leaves_nothing_in_a_store()
    {
        string program = _workshop.Write("p.zxa", Writer);
        string store = _workshop.Path("chain");
        Assert.Equal(0, Workshop.Run("state", "new", store).Code);
        string before = Workshop.Run("state", "verify", store).Out;
        foreach (
            string[] guard in (string[][])
                [
                    ["--steps", "5000"],
                    ["--memory", "1"],
                    ["--time", "0.0001ms"],
                ]
        )
        {
            string[] run = ["run", program, "--state", store, "--caller", "alice", "--nonce", "0", .. guard];
            Outcome stopped = Workshop.Run(run);
            Assert.Equal(7, stopped.Code);
            Assert.EndsWith("receipt  none: nothing was committed\n", stopped.Error, StringComparison.Ordinal);
            Assert.Equal(7, Workshop.Run([.. run, "--json"]).Code);
            Assert.Equal(before, Workshop.Run("state", "verify", store).Out);
            Assert.Equal("", Workshop.Run("receipts", store).Out);
        }

        // The nonce has not been used.
        Assert.Equal(0, Workshop.Run("run", program, "--state", store, "--caller", "alice", "--nonce", "0").Code);
    }

    /// <summary>A million scalars 70 times: one String in memory, and 70 MB in a receipt.</summary>
    [Fact]
    public void What_is_more_than_a_store_keeps_leaves_nothing_in_it()
    {
        string program = _workshop.Write(
            "p.zxa",
            """
            .func main()
                LOAD_CONST "x"
                LOAD_CONST 1000000
                MUL
                BUILD_LIST 1
                LOAD_CONST 70
                MUL
            .end
            """
        );
        string store = _workshop.Path("chain");
        Assert.Equal(0, Workshop.Run("state", "new", store).Code);
        string[] run = ["run", program, "--state", store, "--caller", "alice", "--nonce", "0"];
        Outcome refused = Workshop.Run(run);
        Assert.Equal((3, ""), (refused.Code, refused.Out));
        Assert.StartsWith(
            "error: what is to be kept of one execution takes more than 64 MiB: ",
            refused.Error,
            StringComparison.Ordinal
        );
        Assert.Equal("", Workshop.Run("receipts", store).Out);
        string small = _workshop.Write("small.zxa", Workshop.Sum);
        Assert.Equal(0, Workshop.Run(["run", small, .. run[2..]]).Code);
    }

    [Theory]
    [InlineData("--memory", "64XB")]
    [InlineData("--memory", "0")]
    [InlineData("--memory", "-1")]
    [InlineData("--memory", "MiB")]
    [InlineData("--memory", "0.3")]
    [InlineData("--memory", "1.2.3MiB")]
    [InlineData("--memory", "99999999999GiB")]
    [InlineData("--memory", "99999999999999999999999999999999999999999GiB")]
    [InlineData("--time", "2")]
    [InlineData("--time", "2days")]
    [InlineData("--time", "0s")]
    [InlineData("--time", "-2s")]
    [InlineData("--time", "0.00001ms")]
    [InlineData("--time", "9999999999h")]
    [InlineData("--steps", "many")]
    [InlineData("--steps", "-1")]
    [InlineData("--steps", "1.5")]
    public void What_is_no_limit_is_refused(string option, string value)
    {
        string program = _workshop.Write("p.zxa", Workshop.Endless);
        foreach (string command in (string[])["run", "trace", "profile"])
        {
            Outcome refused = Workshop.Run(command, program, $"{option}={value}");
            Assert.Equal((2, ""), (refused.Code, refused.Out));
            Assert.StartsWith($"error: {option} takes a ", refused.Error, StringComparison.Ordinal);
            Assert.Contains($", not '{value}'", refused.Error, StringComparison.Ordinal);
        }
    }
}
