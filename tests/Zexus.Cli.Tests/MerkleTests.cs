using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>`zexus merkle`: roots as the instruction gives them, proofs, and what is refused.</summary>
public sealed class MerkleTests : IDisposable
{
    /// <summary>Of the leaves a, b and c, by sha256sum.</summary>
    private const string Root = "0bdf27bf7ec894ca7cadfe491ec1a3ece840f117989e8c5e9bd7086467bf6c38";

    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    [Theory]
    [InlineData("text", "a\nb\nc\n", "\"a\"|\"b\"|\"c\"")]
    [InlineData("text", "a\r\n\nb", "\"a\"|\"\"|\"b\"")]
    [InlineData("text", "caf\u00E9\n1\n{}\nnull\n2.5", "\"caf\u00E9\"|\"1\"|\"{}\"|\"null\"|\"2.5\"")]
    [InlineData(
        "json",
        "\"a\"\n1\n2.5\nnull\ntrue\n[1, \"b\"]\n{\"b\": 1, \"a\": []}",
        "\"a\"|1|2.5|null|true|[1, \"b\"]|{\"b\": 1, \"a\": []}"
    )]
    public void The_root_is_that_of_the_instruction(string form, string lines, string constants)
    {
        string[] leaves = constants.Split('|');
        string program = _workshop.Write(
            "root.zxa",
            ".func main()\n"
                + string.Concat(leaves.Select(leaf => $"    LOAD_CONST {leaf}\n"))
                + $"    MERKLE_ROOT {leaves.Length}\n    PRINT\n.end\n"
        );
        Outcome root = Workshop.RunWith(lines, "merkle", "root", "--leaves", form, "-");
        Assert.Equal((0, ""), (root.Code, root.Error));
        Assert.Equal(Workshop.Run("run", program).Out, root.Out);
    }

    [Fact]
    public void What_is_proved_is_verified_without_the_leaves()
    {
        string leaves = _workshop.Write("leaves.txt", "a\nb\nc\n");
        Assert.Equal(new Outcome(0, Root + "\n", ""), Workshop.Run("merkle", "root", leaves));
        for (int i = 0; i < 3; i++)
        {
            string proof = _workshop.Path($"{i}.json");
            Assert.Equal(new Outcome(0, "", ""), Workshop.Run("merkle", "prove", leaves, $"{i}", "--out", proof));
            Assert.Equal(
                new Outcome(0, $"holds    leaf {i}: \"{"abc"[i]}\"\n", ""),
                Workshop.Run("merkle", "verify", proof, "--root", Root)
            );
            Outcome other = Workshop.Run("merkle", "verify", proof, "--root", Root, "--leaf", "x", "--json");
            Assert.Equal((1, "refused"), (other.Code, other.Json.GetProperty("status").GetString()));
        }
    }

    [Fact]
    public void Json_leaves_have_proofs()
    {
        const string Lines = "{\"order\": 1}\n{\"order\": 2}\n";
        string root = Workshop.RunWith(Lines, "merkle", "root", "--leaves", "json", "-").Out.Trim();
        string proof = Workshop.RunWith(Lines, "merkle", "prove", "--leaves", "json", "-", "1").Out;
        Assert.Equal(
            new Outcome(0, "holds    leaf 1: {\"order\": 2}\n", ""),
            Workshop.RunWith(proof, "merkle", "verify", "-", "--root", root)
        );
    }

    [Fact]
    public void A_doubled_last_leaf_has_the_same_root_and_is_refused()
    {
        Outcome root = Workshop.RunWith("a\nb\nc\nc\n", "merkle", "root", "-");
        Assert.Equal((0, Root + "\n"), (root.Code, root.Out));
        Assert.Equal(
            "warning: other leaves have the same root: the leaves 2 and 3 are equal and side by side (docs/merkle.md)\n",
            root.Error
        );
        JsonElement json = Workshop.RunWith("a\nb\nc\nc\n", "merkle", "root", "-", "--json").Json;
        Assert.Equal(4, json.GetProperty("leaves").GetInt32());
        Assert.Equal("the leaves 2 and 3 are equal and side by side", json.GetProperty("ambiguity").GetString());

        Outcome prove = Workshop.RunWith("a\nb\nc\nc\n", "merkle", "prove", "-", "0");
        Assert.Equal((1, ""), (prove.Code, prove.Out));
        Assert.StartsWith("error: other leaves have the same root", prove.Error, StringComparison.Ordinal);

        string honest = Workshop.RunWith("a\nb\nc\n", "merkle", "prove", "-", "2").Out;
        string c = "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6";
        string forged = honest
            .Replace("\"leaves\": 3", "\"leaves\": 4", StringComparison.Ordinal)
            .Replace("\"index\": 2", "\"index\": 3", StringComparison.Ordinal)
            .Replace("null", $"\"{c}\"", StringComparison.Ordinal);
        Outcome verify = Workshop.RunWith(forged, "merkle", "verify", "-", "--root", Root);
        Assert.Equal(
            new Outcome(
                1,
                "refused  of leaf 3 nothing is proved: sibling 0 equals the node that it stands beside, so the root does not say how many leaves there are\n",
                ""
            ),
            verify
        );
    }

    [Fact]
    public void Without_leaves_the_root_is_empty() =>
        Assert.Equal(new Outcome(0, "\n", ""), Workshop.RunWith("", "merkle", "root", "-"));

    [Fact]
    public void Many_leaves_are_read_in_pieces()
    {
        string[] leaves = [.. Enumerable.Range(0, 60_000).Select(i => $"leaf {i}")];
        string file = _workshop.Write("many.txt", string.Join('\n', leaves));
        string root = Workshop.Run("merkle", "root", file).Out.Trim();
        string proof = Workshop.Run("merkle", "prove", file, "59_999").Out;
        Assert.Equal(
            new Outcome(0, "holds    leaf 59999: \"leaf 59999\"\n", ""),
            Workshop.RunWith(proof, "merkle", "verify", "-", "--root", root)
        );
    }

    [Fact]
    public void What_is_wrong_is_said()
    {
        Fails(2, "there is no leaf 3: <stdin> has 3 leaves\n  They are counted from 0.", "a\nb\nc", "prove - 3");
        Fails(
            2,
            "the index is a whole number from 0 to 134217727, not 'x'\n  ./zexus merkle prove --help shows how it is used.",
            "",
            "prove - x"
        );
        Fails(3, "there is no file 'nowhere'", "", "root nowhere");
        Fails(
            3,
            "<stdin>:2: the line is empty; with --leaves json each is a JSON value",
            "1\n\n2",
            "root --leaves json -"
        );
        Fails(3, "<stdin>:2:1: this is not JSON: 'x' is an invalid start of a value", "1\nx", "root --leaves json -");
        Fails(
            3,
            "<stdin>:1: no leaf: HASH_BLOCK hashes null, Bools, Ints, Floats, Strings, Lists, and Maps whose keys are all Strings or all Ints",
            "{\"$set\": [1]}",
            "root --leaves json -"
        );
        Fails(
            3,
            "<stdin>: the file is empty; a proof is what './zexus merkle prove' writes",
            "",
            $"verify - --root {Root}"
        );
        Fails(
            3,
            "<stdin>: $: the field root is missing; a proof is an object of root, leaves, index, leaf and siblings",
            "{}",
            $"verify - --root {Root}"
        );
        Fails(
            2,
            "--root takes 64 hexadecimal digits, not '12'\n  ./zexus merkle verify --help shows how it is used.",
            "",
            "verify - --root 12"
        );
    }

    [Fact]
    public void Bytes_that_are_no_text_are_refused()
    {
        string file = _workshop.Path("bytes");
        File.WriteAllBytes(file, [(byte)'a', (byte)'\n', 0xFF]);
        Outcome outcome = Workshop.Run("merkle", "root", file);
        Assert.Equal((3, ""), (outcome.Code, outcome.Out));
        Assert.Contains(":2: the line is no UTF-8", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("root")]
    [InlineData("prove")]
    [InlineData("verify")]
    public void Help_shows_exit_codes_and_an_example(string command)
    {
        Outcome outcome = Workshop.Run("merkle", command, "--help");
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("Exit codes:\n  0    completed\n", outcome.Out, StringComparison.Ordinal);
        Assert.Contains($"Examples:\n  ./zexus merkle {command} ", outcome.Out, StringComparison.Ordinal);
    }

    private static void Fails(int code, string message, string input, string words)
    {
        Outcome outcome = Workshop.RunWith(input, ["merkle", .. words.Split(' ')]);
        Assert.Equal((code, ""), (outcome.Code, outcome.Out));
        Assert.Equal("error: " + message, outcome.Error.TrimEnd());
    }
}
