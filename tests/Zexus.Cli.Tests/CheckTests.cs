using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

public sealed class CheckTests
{
    [Fact]
    public void A_check_of_one_program_says_what_it_did()
    {
        using System.Diagnostics.Process process = Workshop.Start("check", "--seed", "3", "--program", "5", "--json");
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(0, outcome.Code);
        Assert.Equal("passed", outcome.Json.GetProperty("status").GetString());
        Assert.Equal(1, outcome.Json.GetProperty("programs").GetInt32());
    }

    [Fact]
    public void A_check_runs_vectors_examples_and_generated_programs()
    {
        using System.Diagnostics.Process process = Workshop.Start(
            "check",
            "--programs",
            "300",
            "--loops",
            "150",
            "--json"
        );
        Outcome outcome = Workshop.Finish(process);
        JsonElement result = outcome.Json;
        Assert.Equal((0, "passed"), (outcome.Code, result.GetProperty("status").GetString()));
        Assert.Equal(0, result.GetProperty("divergences").GetInt32());
        Assert.Equal(0, result.GetProperty("branches").GetProperty("missing").GetArrayLength());
        int saved = result.GetProperty("saved").GetInt32();
        Assert.True(saved >= Workshop.Examples.Count());
        JsonElement contracts = result.GetProperty("calls");
        int calls = contracts.GetProperty("calls").GetInt32();
        Assert.Equal(saved + calls + 450, result.GetProperty("programs").GetInt32());
        Assert.True(contracts.GetProperty("limits").GetInt64() > 100 * calls);
        Assert.Equal(contracts.GetProperty("limits").GetInt64(), contracts.GetProperty("ranOut").GetInt64());
        Assert.True(result.GetProperty("steps").GetInt64() > 1000);
        JsonElement[] levels = [.. result.GetProperty("levels").EnumerateArray()];
        Assert.Equal([0, 1, 2, 3, 0, 3], levels.Select(level => level.GetProperty("level").GetInt32()));
        bool[] inRegisters = [.. levels.Select(level => level.GetProperty("registers").GetBoolean())];
        Assert.Equal([false, false, false, false, true, true], inRegisters);
        Assert.All(
            levels.Where(level => level.GetProperty("registers").GetBoolean()),
            level => Assert.True(level.GetProperty("registerSteps").GetInt64() > 1000)
        );
        int branches = result.GetProperty("branches").GetProperty("all").GetInt32();
        Assert.All(
            levels,
            level =>
            {
                Assert.Equal(branches, level.GetProperty("branches").GetProperty("reached").GetInt32());
                Assert.Equal(0, level.GetProperty("branches").GetProperty("missing").GetArrayLength());
                Assert.True(level.GetProperty("steps").GetInt64() > 1000);
                Assert.True(level.GetProperty("facts").GetInt64() > 1000);
                Assert.True(level.GetProperty("executions").GetInt64() > saved);
                Assert.True(level.GetProperty("collected").GetInt64() > saved / 2);
                Assert.True(level.GetProperty("freed").GetInt64() > 1000);
            }
        );
    }

    [Fact]
    public void Levels_can_be_chosen()
    {
        using System.Diagnostics.Process process = Workshop.Start(
            "check",
            "--vector",
            Workshop.Examples.First(),
            "--levels",
            "2r,2,0,2",
            "--json"
        );
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(0, outcome.Code);
        JsonElement[] levels = [.. outcome.Json.GetProperty("levels").EnumerateArray()];
        Assert.Equal([0, 2, 2], levels.Select(level => level.GetProperty("level").GetInt32()));
        Assert.True(levels[2].GetProperty("registers").GetBoolean());
        Assert.All(levels, level => Assert.Equal(1, level.GetProperty("stepwise").GetInt32()));
        Assert.All(levels, level => Assert.True(level.GetProperty("steps").GetInt64() > 0));
    }

    [Theory]
    [InlineData("4")]
    [InlineData("0,")]
    [InlineData("-1")]
    [InlineData("all")]
    [InlineData("4r")]
    public void What_is_no_level_is_an_error(string levels)
    {
        Outcome outcome = Workshop.Run("check", "--levels", levels);
        Assert.Equal(2, outcome.Code);
        Assert.StartsWith(
            $"error: --levels takes levels from 0 to 3, each with an r behind it or without, and commas between, not '{levels}'",
            outcome.Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Help_names_the_usual_levels_as_they_are_given() =>
        Assert.Contains(
            "[default: 0,1,2,3,0r,3r]",
            string.Join(
                ' ',
                Workshop.Run("check", "--help").Out.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void An_example_can_be_checked_alone()
    {
        using System.Diagnostics.Process process = Workshop.Start("check", "--vector", Workshop.Examples.First());
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(0, outcome.Code);
        Assert.EndsWith("no divergence\n", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void The_calls_of_a_scenario_can_be_checked_alone()
    {
        string file = Path.Combine(Workshop.Repository, "examples", "contracts", "vote-tie.scenario.json");
        using System.Diagnostics.Process process = Workshop.Start("check", "--vector", file, "--json");
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(0, outcome.Code);
        JsonElement calls = outcome.Json.GetProperty("calls");
        Assert.Equal(calls.GetProperty("calls").GetInt32(), outcome.Json.GetProperty("programs").GetInt32());
        Assert.True(calls.GetProperty("ranOut").GetInt64() > 1000);
    }

    [Theory]
    [InlineData("bad.json", "vector")]
    [InlineData("bad.scenario.json", "scenario")]
    public void What_is_no_vector_is_an_error(string name, string what)
    {
        using Workshop workshop = new();
        string file = workshop.Write(name, "{}");
        Outcome outcome = Workshop.Run("check", "--vector", file);
        Assert.Equal(3, outcome.Code);
        Assert.StartsWith($"error: {file} is no {what}: ", outcome.Error, StringComparison.Ordinal);
    }
}
