using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>asm, disasm, validate, trace, isa.</summary>
public sealed class ProgramTests : IDisposable
{
    private readonly Workshop _workshop = new();

    public static TheoryData<string> Examples => [.. Workshop.Examples];

    public void Dispose() => _workshop.Dispose();

    [Theory]
    [MemberData(nameof(Examples))]
    public void Disassembly_assembles_back_to_the_same_bytes(string example)
    {
        string first = _workshop.Path("first.zxb");
        string text = _workshop.Path("text.zxa");
        string second = _workshop.Path("text.zxb");
        Assert.Equal(new Outcome(0, "", ""), Workshop.Run("asm", example, "-o", first));
        Assert.Equal(new Outcome(0, "", ""), Workshop.Run("disasm", first, "-o", text));
        Assert.Equal(new Outcome(0, "", ""), Workshop.Run("asm", text));
        Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));
        Assert.Equal(File.ReadAllText(text), Workshop.Run("disasm", first).Out);
        Assert.Equal(0, Workshop.Run("validate", first).Code);
    }

    [Fact]
    public void Validate_says_what_there_is()
    {
        string file = _workshop.Write("sum.zxa", Workshop.Sum);
        Assert.Equal(
            new Outcome(0, $"{file}: valid (1 function, 16 instructions, 2 constants)\n", ""),
            Workshop.Run("validate", file)
        );
    }

    [Fact]
    public void Optimized_code_names_the_source_of_each_charge()
    {
        string file = _workshop.Write("x.zxa", ".func main()\nLOAD_CONST 2\nLOAD_CONST 3\nADD\nRETURN\n.end\n");
        Outcome outcome = Workshop.Run("optimize", file, "--explain");
        Assert.Equal(0, outcome.Code);
        Assert.Equal(
            """
            ; Level 2. `n for i`: charges n for instruction i of the source. Assembled again, the code takes other gas.
            .func main()
                LOAD_CONST 5                            ; 1 for 0, 1 for 1, 3 for 2
                RETURN
            .end

            """,
            outcome.Out
        );
        Assert.Contains("LOAD_CONST 2; LOAD_CONST 3; ADD  ->  LOAD_CONST 5", outcome.Error);
        Assert.Contains("code     4 -> 2 instructions", outcome.Error);

        JsonElement json = JsonDocument.Parse(Workshop.Run("optimize", file, "--json").Out).RootElement;
        Assert.Equal((4, 2), (json.GetProperty("before").GetInt32(), json.GetProperty("after").GetInt32()));
        Assert.Equal("fold/add", json.GetProperty("log")[0].GetProperty("rewrite").GetString());
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void A_run_is_the_same_at_every_level_but_for_its_steps(string example)
    {
        string[] options = ["--json", "--gas", "50000"];
        JsonElement usual = JsonDocument.Parse(Workshop.Run(["run", example, .. options]).Out).RootElement;
        JsonElement optimized = JsonDocument
            .Parse(Workshop.Run(["run", example, "--level", "3", .. options]).Out)
            .RootElement;
        foreach (JsonProperty property in usual.EnumerateObject().Where(property => property.Name != "steps"))
        {
            Assert.Equal(property.Value.GetRawText(), optimized.GetProperty(property.Name).GetRawText());
        }
    }

    [Fact]
    public void The_oracle_has_no_levels()
    {
        string file = _workshop.Write("sum.zxa", Workshop.Sum);
        Assert.Equal(2, Workshop.Run("run", file, "--engine", "oracle", "--level", "1").Code);
    }

    [Fact]
    public void A_trace_names_steps_gas_stack_and_branches()
    {
        string file = _workshop.Write("div.zxa", Workshop.Division);
        Outcome outcome = Workshop.Run("trace", file);
        Assert.Equal(1, outcome.Code);
        Assert.Equal(
            $"""
               step  at             instruction                     gas  stack                    branches
                  1  main:0         LOAD_CONST 1                      1  [1]                      stack/load-const/scalar
                  2  main:1         LOAD_CONST 0                      2  [1 0]                    stack/load-const/scalar
                  3  main:2         DIV                              12  []                       arith/div/division-by-zero
            faulted: DivisionByZero: "DivisionByZero", at function 0 (main), instruction 2, {file}:4; gas 12, 3 steps

            """,
            outcome.Out
        );
    }

    [Fact]
    public void A_trace_can_be_json_lines()
    {
        Outcome outcome = Workshop.Run("trace", _workshop.Write("div.zxa", Workshop.Division), "--json");
        JsonElement[] lines =
        [
            .. outcome.Out.TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement),
        ];
        Assert.Equal(4, lines.Length);
        Assert.Equal("arith/div", lines[2].GetProperty("rule").GetString());
        Assert.Equal(10, lines[2].GetProperty("charged").GetInt32());
        Assert.Equal(4, lines[2].GetProperty("line").GetInt32());
        Assert.Equal("faulted", lines[3].GetProperty("status").GetString());
    }

    [Fact]
    public void Both_engines_trace_the_same_steps()
    {
        foreach (string example in Workshop.Examples)
        {
            Assert.Equal(Steps("oracle", example), Steps("interpreter", example));
        }
    }

    [Fact]
    public void A_trace_stops_at_its_limit()
    {
        Outcome outcome = Workshop.Run("trace", _workshop.Write("endless.zxa", Workshop.Endless), "--limit", "3");
        Assert.Equal(0, outcome.Code);
        Assert.EndsWith("stopped after 3 steps (--limit)\n", outcome.Out, StringComparison.Ordinal);
        Assert.Equal(5, outcome.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Theory]
    [InlineData("ADD")]
    [InlineData("add")]
    [InlineData("10")]
    [InlineData("arith/add")]
    public void Isa_finds_an_instruction_by_name_number_and_rule(string word)
    {
        string[] lines = Workshop.Run("isa", word).Out.Split('\n');
        Assert.Equal("ADD", lines[0]);
        Assert.Contains("rule      arith/add", lines);
        Assert.Contains(lines, line => line.StartsWith("branches  entered strings ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("list.map", "list.map(f) -> List")]
    [InlineData("list/map", "list.map(f) -> List")]
    [InlineData("gas_left", "gas_left() -> Int")]
    [InlineData("index_of", "string.index_of(part) -> Int")]
    public void Isa_finds_builtins_and_methods(string word, string signature) =>
        Assert.StartsWith(signature + "\n", Workshop.Run("isa", word).Out, StringComparison.Ordinal);

    [Theory]
    [InlineData("number")]
    [InlineData("signature", "--library")]
    [InlineData("reason", "--reserved")]
    public void Isa_lists_are_also_json(string field, params string[] options)
    {
        Outcome outcome = Workshop.Run(["isa", "--json", .. options]);
        int rows = outcome.Json.EnumerateArray().Count(row => row.TryGetProperty(field, out _));
        Assert.True(rows > 10);
        Assert.Equal(
            rows + 1,
            Workshop.Run(["isa", .. options]).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length
        );
    }

    private static List<string> Steps(string engine, string file)
    {
        List<string> steps = [];
        foreach (
            string line in Workshop
                .Run("trace", file, "--json", "--limit", "2000", "--engine", engine)
                .Out.TrimEnd()
                .Split('\n')
        )
        {
            JsonElement step = JsonDocument.Parse(line).RootElement;
            if (step.TryGetProperty("instruction", out JsonElement instruction))
            {
                steps.Add(
                    $"{step.GetProperty("depth")} {step.GetProperty("function")}:{instruction} {step.GetProperty("gas")}"
                );
            }
        }

        return steps;
    }
}
