using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>`zexus state`: roots, proofs, and what a check of them says.</summary>
public sealed class StateTests : IDisposable
{
    private const string Before = """
        {"visits": 41, "token": {"$map": [[1, 2.5]]}, "a": null, "-0": {"$float": "-0.0"}}
        """;

    /// <summary>Of <see cref="Before"/> for the contract "", by tests/vectors/commitments/make.py's functions.</summary>
    private const string Root = "027a6310e06e555bb108a43dfdd0f63314e021ccbfed6a2d71b3e5a9c549d482";

    /// <summary>For the contract "token".</summary>
    private const string TokenRoot = "2ad8e9cdbc026f4ea0164e37b82346c6ba9addf22e2e83e2445b557e42ebde33";

    private readonly Workshop _workshop = new();
    private readonly string _state;

    public StateTests() => _state = _workshop.Write("before.json", Before);

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public void The_root_is_pythons()
    {
        Assert.Equal(new Outcome(0, Root + "\n", ""), Workshop.Run("state", "root", "--state", _state));
        Assert.Equal(
            new Outcome(0, TokenRoot + "\n", ""),
            Workshop.Run("state", "root", "--state", _state, "--contract", "token")
        );
        JsonElement json = Workshop.RunWith(Before, "state", "root", "--state", "-", "--json").Json;
        Assert.Equal((Root, 4), (json.GetProperty("root").GetString(), json.GetProperty("pairs").GetInt32()));
        string empty = _workshop.Write("empty.json", "{}");
        Assert.Equal(new string('0', 64) + "\n", Workshop.Run("state", "root", "--state", empty).Out);
    }

    [Fact]
    public void The_root_is_that_of_what_a_run_leaves()
    {
        string program = _workshop.Write(
            "write.zxa",
            ".func main()\n    LOAD_CONST \"visits\"\n    LOAD_CONST 41\n    STATE_WRITE\n.end\n"
        );
        string start = _workshop.Write(
            "start.json",
            """{"token": {"$map": [[1, 2.5]]}, "a": null, "-0": {"$float": "-0.0"}}"""
        );
        string after = _workshop.Path("after.json");
        Assert.Equal(0, Workshop.Run("run", program, "--state", start, "--state-out", after).Code);
        Assert.Equal(Root + "\n", Workshop.Run("state", "root", "--state", after).Out);
    }

    [Theory]
    [InlineData("visits", "holds    \"visits\": 41\n", "41")]
    [InlineData("token", "holds    \"token\": {\"$map\": [[1, 2.5]]}\n", "{\"$map\": [[1, 2.5]]}")]
    [InlineData("-0", "holds    \"-0\": {\"$float\": \"-0.0\"}\n", "{\"$float\": \"-0.0\"}")]
    [InlineData("a", "holds    \"a\": null\n", "null")]
    [InlineData("nobody", "absent   \"nobody\" is not in the state\n", null)]
    public void What_is_proved_is_verified_without_the_state(string key, string text, string? value)
    {
        string proof = _workshop.Path("proof.json");
        Outcome made = Workshop.Run("state", "prove", "--state", _state, "--out", proof, "--", key);
        Assert.Equal(new Outcome(0, "", ""), made);
        Assert.Equal(new Outcome(0, text, ""), Workshop.Run("state", "verify-proof", proof, "--root", Root));
        Outcome json = Workshop.Run("state", "verify-proof", proof, "--root", Root.ToUpperInvariant(), "--json");
        Assert.Equal(0, json.Code);
        Assert.Equal(value is null ? "absent" : "holds", json.Json.GetProperty("status").GetString());
        Assert.Equal(key, json.Json.GetProperty("key").GetString());
        Assert.Equal(value is not null, json.Json.TryGetProperty("value", out JsonElement held));
        Assert.Equal(value, value is null ? null : held.GetRawText());
    }

    [Fact]
    public void A_proof_is_of_its_contract()
    {
        string proof = Workshop.Run("state", "prove", "--state", _state, "--contract", "token", "visits").Out;
        Assert.Equal(
            new Outcome(0, "holds    \"visits\" of \"token\": 41\n", ""),
            Workshop.RunWith(proof, "state", "verify-proof", "-", "--root", TokenRoot)
        );
        Outcome other = Workshop.RunWith(proof, "state", "verify-proof", "-", "--root", TokenRoot, "--contract", "");
        Assert.Equal(1, other.Code);
    }

    [Fact]
    public void The_root_in_the_file_is_not_believed()
    {
        string rich = _workshop.Write("rich.json", Before.Replace("41", "1000000", StringComparison.Ordinal));
        string forged = Workshop.Run("state", "prove", "--state", rich, "visits").Out;
        string its = JsonDocument.Parse(forged).RootElement.GetProperty("root").GetString()!;
        Outcome outcome = Workshop.RunWith(forged, "state", "verify-proof", "-", "--root", Root);
        Assert.Equal((1, ""), (outcome.Code, outcome.Error));
        Assert.Equal(
            $"refused  of \"visits\" nothing is proved: it leads to the root {its}, not to {Root}\n",
            outcome.Out
        );

        string lying = forged.Replace(its, Root, StringComparison.Ordinal);
        outcome = Workshop.RunWith(lying, "state", "verify-proof", "-", "--root", Root, "--json");
        Assert.Equal((1, "refused"), (outcome.Code, outcome.Json.GetProperty("status").GetString()));
        Assert.StartsWith(
            "it leads to the root",
            outcome.Json.GetProperty("reason").GetString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_proof_for_another_key_proves_nothing_of_one_that_is_there()
    {
        string proof = Workshop.Run("state", "prove", "--state", _state, "nobody").Out;
        foreach (string key in (string[])["visits", "token", "a"])
        {
            Outcome outcome = Workshop.RunWith(proof, "state", "verify-proof", "-", "--root", Root, "--key", key);
            Assert.Equal(1, outcome.Code);
            Assert.StartsWith($"refused  of \"{key}\" nothing is proved", outcome.Out, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_is_wrong_is_said()
    {
        Fails(
            3,
            "<stdin>: $: the field root is missing; a proof is an object of root, contract, key, siblings and end",
            "{}",
            $"state verify-proof - --root {Root}"
        );
        Fails(
            3,
            "<stdin>:1:2: this is not JSON: 'n' is an invalid start of a property name. Expected a '\"'",
            "{no",
            $"state verify-proof - --root {Root}"
        );
        Fails(
            3,
            "<stdin>: the file is empty; a proof is what './zexus state prove' writes",
            "",
            $"state verify-proof - --root {Root}"
        );
        Fails(
            2,
            "option '--root' is required\n  ./zexus state verify-proof --help shows how it is used.",
            "",
            "state verify-proof -"
        );
        Fails(
            2,
            "--root takes 64 hexadecimal digits, not '12'\n  ./zexus state verify-proof --help shows how it is used.",
            "",
            "state verify-proof - --root 12"
        );
        Fails(2, "option '--state' is required\n  ./zexus state root --help shows how it is used.", "", "state root");
        Fails(2, "'./zexus state' has no command 'prov'\n  Did you mean 'prove'?", "", "state prov");
        Fails(2, "'./zexus state root' has no option '--stat'\n  Did you mean '--state'?", "", "state root --stat x");
        Fails(
            3,
            "<stdin>: $: the state is an object of keys and values, not an array",
            "[]",
            "state prove --state - k"
        );
        Outcome bare = Workshop.Run("state");
        Assert.Equal((2, ""), (bare.Code, bare.Out));
        Assert.Contains("verify-proof <PROOF>", bare.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("root")]
    [InlineData("prove")]
    [InlineData("verify-proof")]
    public void Help_shows_exit_codes_and_an_example(string command)
    {
        Outcome outcome = Workshop.Run("state", command, "--help");
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("Exit codes:\n  0    completed\n", outcome.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("Zexus.", outcome.Out, StringComparison.Ordinal); // a default shown as a type
        Assert.Contains($"Examples:\n  ./zexus state {command} ", outcome.Out, StringComparison.Ordinal);
    }

    private static void Fails(int code, string message, string input, string words)
    {
        Outcome outcome = Workshop.RunWith(input, words.Split(' '));
        Assert.Equal((code, ""), (outcome.Code, outcome.Out));
        Assert.Equal("error: " + message, outcome.Error.TrimEnd());
    }
}
