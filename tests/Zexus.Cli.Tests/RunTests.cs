using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Zexus.Cli.Tests;

public sealed class RunTests : IDisposable
{
    private readonly Workshop _workshop = new();

    public static TheoryData<string> Examples =>
        [.. Workshop.Examples.Select(example => Path.GetFileNameWithoutExtension(example)!)];

    public static TheoryData<string> Engines => ["interpreter", "oracle"];

    public void Dispose() => _workshop.Dispose();

    [Theory]
    [MemberData(nameof(Engines))]
    public void Output_goes_to_one_stream_and_the_summary_to_the_other(string engine)
    {
        Outcome outcome = Workshop.Run("run", _workshop.Write("sum.zxa", Workshop.Sum), "--engine", engine);
        Assert.Equal(0, outcome.Code);
        Assert.Equal("55\n", outcome.Out);
        Assert.StartsWith("result   55\n", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void In_register_form_only_the_steps_differ()
    {
        string file = Workshop.Examples.First(path => path.EndsWith("sieve.zxa", StringComparison.Ordinal));
        JsonElement asItIs = Workshop.Run("run", file, "--json").Json;
        JsonElement converted = Workshop.Run("run", file, "--json", "--registers").Json;
        Assert.True(converted.GetProperty("steps").GetInt64() < asItIs.GetProperty("steps").GetInt64());
        foreach (JsonProperty property in asItIs.EnumerateObject().Where(property => property.Name != "steps"))
        {
            Assert.Equal(property.Value.GetRawText(), converted.GetProperty(property.Name).GetRawText());
        }

        Outcome shown = Workshop.Run("optimize", file, "--registers", "--level", "0");
        Assert.Contains("in register form", shown.Out, StringComparison.Ordinal);
        Assert.Contains("PUSH_REG", shown.Out, StringComparison.Ordinal);
        Assert.Contains("stores coalesced", shown.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void It_begins_in_the_function_that_entry_names(string engine)
    {
        string file = _workshop.Write(
            "entry.zxa",
            """
            .func main()
                LOAD_CONST "main"
            .end
            .func pair(a, b)
                LOAD_NAME a
                LOAD_NAME b
                BUILD_LIST 2
            .end
            """
        );
        Outcome outcome = Workshop.Run(
            "run",
            file,
            "--engine",
            engine,
            "--entry",
            "pair",
            "--args",
            "[{\"k\": [1]}, 2.0, 3]"
        );
        Assert.Equal(0, outcome.Code);
        Assert.StartsWith("result   [{\"k\": [1]}, 2.0]\n", outcome.Error, StringComparison.Ordinal);
        outcome = Workshop.Run("run", file, "--engine", engine, "--entry", "pair");
        Assert.StartsWith("result   [null, null]\n", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--entry: there is no function \"nobody\"", "--entry", "nobody")]
    [InlineData("--args are for the function that --entry names", "--args", "[1]")]
    [InlineData("--args: a JSON list is wanted", "--entry", "main", "--args", "{}")]
    [InlineData("--args: ", "--entry", "main", "--args", "[1")]
    public void A_wrong_entry_is_a_wrong_command_line(string message, params string[] arguments)
    {
        Outcome outcome = Workshop.Run(["run", _workshop.Write("sum.zxa", Workshop.Sum), .. arguments]);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_fault_is_exit_code_1_and_names_its_place(string engine)
    {
        string file = _workshop.Write("div.zxa", Workshop.Division);
        Outcome outcome = Workshop.Run("run", file, "--engine", engine);
        Assert.Equal(1, outcome.Code);
        Assert.StartsWith(
            $"fault    DivisionByZero\nat       function 0 (main), instruction 2, {file}:4: DIV",
            outcome.Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Heap_statistics_come_with_kinds_and_places()
    {
        string example = Path.Combine(Workshop.Repository, "examples", "word-count.zxa");
        Outcome text = Workshop.Run("run", example, "--heap-stats");
        Assert.Equal(0, text.Code);
        Assert.Contains("\nheap     made ", text.Error, StringComparison.Ordinal);
        Assert.Contains("\nkind     map: made 1 cells, ", text.Error, StringComparison.Ordinal);
        Assert.Matches("\nsite     function 0 \\(main\\), instruction \\d+, .*: BUILD_MAP 0: map, 1 cells", text.Error);

        Outcome json = Workshop.Run("run", example, "--heap-stats", "--json");
        JsonElement heap = json.Json.GetProperty("heap");
        JsonElement[] sites = [.. heap.GetProperty("sites").EnumerateArray()];
        Assert.Equal(
            heap.GetProperty("allocated").GetProperty("bytes").GetInt64(),
            sites.Sum(site => site.GetProperty("allocated").GetProperty("bytes").GetInt64())
        );
        Assert.Equal(
            heap.GetProperty("live").GetProperty("cells").GetInt64(),
            sites.Sum(site => site.GetProperty("surviving").GetProperty("cells").GetInt64())
        );
        Outcome oracle = Workshop.Run("run", example, "--heap-stats", "--engine", "oracle");
        Assert.Equal(2, oracle.Code);
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Engines_agree_on_the_examples_in_all_that_can_be_observed(string name)
    {
        string[] arguments = Arguments(name);
        Outcome oracle = Workshop.Run([.. arguments, "--engine", "oracle"]);
        Outcome engine = Workshop.Run([.. arguments, "--engine", "interpreter"]);
        Assert.Equal(oracle.Code, engine.Code);
        Assert.InRange(engine.Code, 0, 1);
        Assert.Equal(WithoutRule(oracle.Out), WithoutRule(engine.Out));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Json_has_every_observable(string engine)
    {
        string file = _workshop.Write(
            "all.zxa",
            """
            .func main() locals list
                LOAD_CONST "k"
                LOAD_CONST {1: 2.0, "a": #{null, 2.5}}
                STATE_WRITE
                LOAD_CONST {"to": "bob"}
                LEDGER_APPEND
                LOAD_CONST 9007199254740993
                EMIT_EVENT paid
                LOAD_CONST true
                LOAD_CONST "done"
                AUDIT_LOG
                LOAD_CONST "é\n"
                PRINT
                LOAD_CONST [1]
                STORE_NAME list
                LOAD_NAME list
                LOAD_NAME list
                CALL_METHOD push, 1
                RETURN
            .end
            """
        );
        Outcome outcome = Workshop.Run("run", file, "--json", "--timestamp", "7", "--engine", engine);
        Assert.Equal("", outcome.Error);
        Assert.Equal(
            """
            {
              "status": "completed",
              "result": {"$id": 1, "$list": [1, {"$ref": 1}]},
              "fault": null,
              "gas": {"used": 152, "limit": 100000000},
              "steps": 18,
              "output": "é\n\n",
              "state": {"k": {"$map": [[1, {"$float": "2.0"}], ["a", {"$set": [null, 2.5]}]]}},
              "calledWrites": {},
              "ledger": [{"to": "bob", "timestamp": 7}],
              "ledgerContracts": [""],
              "events": [{"contract": "", "event": "paid", "data": {"$int": "9007199254740993"}}],
              "audit": [{"contract": "", "data": true, "action": "done", "timestamp": 7}]
            }

            """,
            outcome.Out
        );
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_function_shows_what_it_captured(string engine)
    {
        string file = _workshop.Write(
            "closure.zxa",
            """
            .func main() locals n, f
                STORE_CONST n, 3
                STORE_FUNC f, step
                LOAD_NAME f
                RETURN
            .end
            .func step() captures n
            .end
            """
        );
        Outcome outcome = Workshop.Run("run", file, "--json", "--engine", engine);
        Assert.Equal(
            """{"$function":"step","$captures":{"n":3}}""",
            JsonNode.Parse(outcome.Out)!["result"]!.ToJsonString()
        );
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_list_deeper_than_any_stack_is_written(string engine)
    {
        string file = _workshop.Write(
            "deep.zxa",
            """
            .func main() locals i, list
                STORE_CONST i, 200000
                STORE_CONST list, []
            loop:
                LOAD_NAME list
                BUILD_LIST 1
                STORE_NAME list
                LOAD_NAME i
                DEC
                DUP
                STORE_NAME i
                JUMP_IF_TRUE loop
                LOAD_NAME list
                RETURN
            .end
            """
        );
        Outcome outcome = Workshop.Run("run", file, "--json", "--engine", engine);
        Assert.Equal(0, outcome.Code);
        Assert.Contains(new string('[', 200_001) + new string(']', 200_001), outcome.Out, StringComparison.Ordinal);
        Assert.Equal(0, Workshop.Run("run", file, "--engine", engine).Code);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_signature_is_checked(string engine)
    {
        // RFC 8032, section 7.1, test 1.
        string file = _workshop.Write(
            "signature.zxa",
            """
            .func main()
                LOAD_CONST "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
                LOAD_CONST ""
                LOAD_CONST "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
                VERIFY_SIGNATURE
                RETURN
            .end
            """
        );
        Assert.StartsWith(
            "result   true\n",
            Workshop.Run("run", file, "--engine", engine).Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void State_goes_in_and_comes_out_and_in_again()
    {
        string program = _workshop.Write(
            "state.zxa",
            """
            .func main()
                LOAD_CONST "n"
                LOAD_CONST "n"
                STATE_READ
                INC
                STATE_WRITE
            .end
            """
        );
        const string Values =
            """{"$list": 1, "list": [1, -0.5, {"$float": "-0.0"}, {"$int": "-123456789012345678901"}], "map": {"$map": [["$x", 1], [true, null]]}, "n": 41, "nan": {"$float": "nan"}, "set": {"$set": ["a", 1.5]}, "text": "é\u0001"}""";
        string before = _workshop.Write("before.json", Values);
        string after = _workshop.Path("after.json");
        Outcome outcome = Workshop.Run("run", program, "--state", before, "--state-out", after);
        Assert.Equal(0, outcome.Code);
        Assert.Contains("state    \"n\": 41 -> 42\n", outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("\"list\"", outcome.Error, StringComparison.Ordinal);
        JsonObject expected = JsonNode.Parse(Values)!.AsObject();
        expected["n"] = 42;
        Assert.Equal(expected.ToJsonString(), JsonNode.Parse(File.ReadAllText(after))!.ToJsonString());
        Assert.Equal(0, Workshop.Run("run", program, "--state", after, "--state-out", after).Code);
        Assert.Contains("\"n\": 43", File.ReadAllText(after), StringComparison.Ordinal);
        Assert.Equal(
            ["after.json", "before.json", "state.zxa"],
            Directory.GetFiles(_workshop.Folder).Select(Path.GetFileName).Order()
        );
    }

    [Fact]
    public void Standard_input_is_a_program()
    {
        Outcome outcome = Workshop.RunWith(Workshop.Sum, "run", "-");
        Assert.Equal((0, "55\n"), (outcome.Code, outcome.Out));
    }

    [Fact]
    public void Gas_can_be_short()
    {
        Outcome outcome = Workshop.Run(
            "run",
            _workshop.Write("endless.zxa", Workshop.Endless),
            "--gas",
            "1_000",
            "--json"
        );
        Assert.Equal(1, outcome.Code);
        Assert.Equal("OutOfGas", outcome.Json.GetProperty("fault").GetProperty("name").GetString());
        Assert.Equal(1000, outcome.Json.GetProperty("gas").GetProperty("used").GetInt32());
    }

    /// <summary>With the start state and what the host gives, as the expected outcome says.</summary>
    private static string[] Arguments(string name)
    {
        string path = Path.Combine(Workshop.Repository, "examples", name);
        JsonElement given = JsonDocument
            .Parse(File.ReadAllText(path + ".expected.json"))
            .RootElement.GetProperty("given");
        List<string> arguments = ["run", path + ".zxa", "--json"];
        foreach (JsonProperty property in given.EnumerateObject())
        {
            arguments.AddRange(["--" + property.Name, property.Value.ToString()]);
        }

        if (File.Exists(path + ".state.json"))
        {
            arguments.AddRange(["--state", path + ".state.json"]);
        }

        return [.. arguments];
    }

    /// <summary>Which rule raised a fault is the oracle's knowledge.</summary>
    private static string WithoutRule(string json)
    {
        JsonObject document = JsonNode.Parse(json)!.AsObject();
        (document["fault"] as JsonObject)?.Remove("rule");
        return document.ToJsonString();
    }
}
