using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>What a person sees when something is wrong: to the letter.</summary>
public sealed class ErrorTests : IDisposable
{
    private readonly Workshop _workshop = new();

    public static TheoryData<string, string> BadStates =>
        new()
        {
            { "{\"a\": 1,\n \"b\": }", "{0}:2:7: this is not JSON: '}' is an invalid start of a value" },
            { "", "{0}: the file is empty; a state without entries is written {}" },
            {
                "{\"a\": 1e400}",
                "{0}: $.a: 1e400 is beyond the range of a Float; infinity is written {\"$float\": \"inf\"}"
            },
            { "[1]", "{0}: $: the state is an object of keys and values, not an array" },
            { """{"a": 1, "a": 2}""", "{0}: $.a: this key stands there twice" },
            { """{"a": {"b": 1, "b": 2}}""", "{0}: $.a.b: this key stands there twice" },
            { """{"a": {"$set": [1, true]}}""", "{0}: $.a[1]: this Set element equals an earlier one" },
            { """{"a": {"$set": [[1]]}}""", "{0}: $.a[0]: a Set element is null, a bool, a number or a string" },
            {
                """{"a": {"$map": [[{"$float": "nan"}, 1]]}}""",
                "{0}: $.a[0]: a Map key is never NaN, which equals nothing"
            },
            { """{"a": {"$map": [1]}}""", "{0}: $.a[0]: an entry of a $map is an array of a key and a value" },
            {
                """{"two words": [{"$int": 5}]}""",
                "{0}: $[\"two words\"][0]: {\"$int\": …} takes a string, not a number"
            },
            { """{"a": {"$int": "x"}}""", "{0}: $.a: {\"$int\": …} takes a string of decimal digits" },
            {
                """{"a": {"$float": "1,5"}}""",
                "{0}: $.a: {\"$float\": …} takes a string such as \"1.0\", \"1e-9\", \"nan\", \"inf\" or \"-inf\""
            },
            { """{"a": {"$int": "1", "b": 2}}""", "{0}: $.a: nothing stands beside \"$int\"" },
            {
                """{"a": {"$date": "1"}}""",
                "{0}: $.a: there is no tag \"$date\"; the tags are $int, $float, $set and $map, and a Map with a key that begins with $ is written as a $map"
            },
            {
                """{"a": {"$ref": 1}}""",
                "{0}: $.a: {\"$ref\": …} stands for something that a state cannot hold: it is plain data, without sharing or Functions"
            },
            { """{"a": "\ud800"}""", "{0}: $.a: this string has half of a surrogate pair" },
            { $$"""{"a": 1{{new string('0', 2500)}}}""", "{0}: $.a: this Int has more than 8192 bits" },
            {
                $$"""{"a": {{new string('[', 257)}}{{new string(']', 257)}}}""",
                "{0}: $.a" + Repeat("[0]", 256) + ": collections stand at most 256 deep within one another"
            },
        };

    public void Dispose() => _workshop.Dispose();

    [Theory]
    [MemberData(nameof(BadStates))]
    public void A_state_that_cannot_be_read(string state, string message)
    {
        string program = _workshop.Write("sum.zxa", Workshop.Sum);
        string file = _workshop.Write("state.json", state);
        Outcome outcome = Workshop.Run("run", program, "--state", file);
        Assert.Equal((3, ""), (outcome.Code, outcome.Out));
        Assert.Equal("error: " + message.Replace("{0}", file, StringComparison.Ordinal), outcome.Error.TrimEnd());
    }

    [Fact]
    public void Text_that_does_not_assemble()
    {
        string file = _workshop.Write("bad.zxa", ".func main()\n    LOAD_CONTS 1\n.end\n");
        Fails(
            3,
            $"""
            {file}:2:5: there is no instruction LOAD_CONTS
             2 |     LOAD_CONTS 1
               |     ^^^^^^^^^^
               = did you mean LOAD_CONST?
            error: {file} does not assemble: 1 problem
            """,
            "run",
            file
        );
    }

    [Fact]
    public void A_program_that_is_refused()
    {
        string file = _workshop.Write("refused.zxa", ".func main()\n\n    ADD\n.end\n");
        string message = $"""
            error: {file}:3: StackUnderflow: function 0 (main), instruction 0 (ADD): takes more operands than there are on some path
              docs/semantics.md, section 1, lists what validation looks for.
            """;
        Fails(4, message, "run", file);
        Fails(4, message, "trace", file);
        Fails(4, message, "validate", file);
        Fails(4, message, "validate", file, "--engine", "oracle");
        Outcome json = Workshop.Run("validate", file, "--json");
        Assert.Equal((4, ""), (json.Code, json.Error));
        Assert.Equal("StackUnderflow", json.Json.GetProperty("reason").GetString());
        Assert.Equal(3, json.Json.GetProperty("line").GetInt32());
    }

    [Fact]
    public void Files_that_are_not_there_or_not_files()
    {
        _workshop.Write("sum.zxa", Workshop.Sum);
        string near = _workshop.Path("sum");
        Fails(3, $"error: there is no file '{near}'\n  Did you mean '{near}.zxa'?", "run", near);
        Fails(3, $"error: '{_workshop.Folder}' is a directory, not a file", "disasm", _workshop.Folder);
        Fails(
            3,
            $"error: '{_workshop.Folder}' is a directory; the output needs a file name",
            "asm",
            near + ".zxa",
            "-o",
            _workshop.Folder
        );
        string nowhere = _workshop.Path("no/where.zxb");
        Fails(3, $"error: '{nowhere}' cannot be written: there is no such folder", "asm", near + ".zxa", "-o", nowhere);
        Fails(2, "error: the file name is empty", "run", "");
    }

    [Fact]
    public void Files_that_are_not_what_they_should_be()
    {
        string text = _workshop.Path("latin1.zxa");
        File.WriteAllBytes(text, [.. ".func main()\n  NOP ; "u8, 0xE9, .. "\n.end"u8]);
        Fails(3, $"error: {text}:2: byte 21 (0x15), 0xE9, is not UTF-8\n  Assembly text is UTF-8.", "run", text);
        string wide = _workshop.Path("wide.zxa");
        File.WriteAllText(wide, Workshop.Sum, System.Text.Encoding.Unicode);
        Fails(3, $"error: {wide}: this is UTF-16 text\n  Save it as UTF-8.", "run", wide);
        string container = _workshop.Write("text.zxb", Workshop.Sum);
        Fails(
            3,
            $"error: {container}: byte 0 (0x0): expected the four bytes 5A 58 42 00 (\"ZXB\", 0) that begin a container, found 0x3B\n"
                + "  A .zxb file is what './zexus asm' writes; text belongs into a .zxa file.",
            "run",
            container
        );
    }

    [Theory]
    [InlineData("there is no command 'rnu'\n  Did you mean 'run'?", "rnu")]
    [InlineData("there is no command 'frobnicate'\n  ./zexus --help lists the commands.", "frobnicate")]
    [InlineData("'./zexus run' has no option '--jsn'\n  Did you mean '--json'?", "run", "--jsn", "x.zxa")]
    [InlineData("'./zexus run' has no option '--jsn'\n  Did you mean '--json'?", "run", "x.zxa", "--jsn")]
    [InlineData(
        "--gas takes a whole number of 0 or more, not '-1'\n  ./zexus run --help shows how it is used.",
        "run",
        "x",
        "--gas",
        "-1"
    )]
    [InlineData(
        "--gas takes a whole number from 0 to 9223372036854775807, not '99999999999999999999'\n  ./zexus run --help shows how it is used.",
        "run",
        "x",
        "--gas",
        "99999999999999999999"
    )]
    [InlineData(
        "--gas takes a whole number of 0 or more, not 'much'\n  ./zexus run --help shows how it is used.",
        "run",
        "x",
        "--gas",
        "much"
    )]
    [InlineData(
        "there is no engine 'fast'; there are interpreter and oracle\n  ./zexus run --help shows how it is used.",
        "run",
        "x",
        "--engine",
        "fast"
    )]
    [InlineData(
        "--programs takes a whole number of 1 or more, not '0'\n  ./zexus check --help shows how it is used.",
        "check",
        "--programs",
        "0"
    )]
    [InlineData(
        "--program and --vector exclude one another\n  ./zexus check --help shows how it is used.",
        "check",
        "--program",
        "1",
        "--vector",
        "x"
    )]
    [InlineData(
        "WHAT, --library and --reserved exclude one another\n  ./zexus isa --help shows how it is used.",
        "isa",
        "ADD",
        "--reserved"
    )]
    [InlineData("there is no instruction, builtin or method 'ad'\n  Did you mean 'ADD'?", "isa", "ad")]
    [InlineData("there is no instruction 77\n  ./zexus isa lists the numbers that there are.", "isa", "77")]
    [InlineData(
        "IMPORT (90) is reserved: modules are resolved by the compiler, before there is bytecode",
        "isa",
        "import"
    )]
    [InlineData("where should the container go?\n  Name it with -o; '-o -' is standard output.", "asm", "-")]
    public void Command_lines_that_make_no_sense(string message, params string[] arguments) =>
        Fails(2, "error: " + message, arguments);

    [Fact]
    public void No_command_shows_the_help_where_errors_go()
    {
        Outcome outcome = Workshop.Run();
        Assert.Equal((2, ""), (outcome.Code, outcome.Out));
        Assert.Contains("Commands:", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData()]
    [InlineData("run")]
    [InlineData("asm")]
    [InlineData("disasm")]
    [InlineData("validate")]
    [InlineData("trace")]
    [InlineData("isa")]
    [InlineData("check")]
    [InlineData("state")]
    public void Help_shows_exit_codes_and_of_a_command_an_example(params string[] command)
    {
        Outcome outcome = Workshop.Run([.. command, "--help"]);
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("Exit codes:\n  0    completed\n", outcome.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("Zexus.", outcome.Out, StringComparison.Ordinal); // a default shown as a type
        if (command.Length > 0)
        {
            Assert.Matches($"Examples?:\n  ./zexus {command[0]}[ \n]", outcome.Out);
        }
    }

    private static void Fails(int code, string message, params string[] arguments)
    {
        Outcome outcome = Workshop.Run(arguments);
        Assert.Equal((code, ""), (outcome.Code, outcome.Out));
        Assert.Equal(message, outcome.Error.TrimEnd());
    }

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));
}
