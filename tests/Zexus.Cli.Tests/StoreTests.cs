using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>A store from the command line: docs/store.md, docs/cli.md.</summary>
public sealed class StoreTests : IDisposable
{
    private const string Visits = """
        .func main()
            LOAD_CONST "visits"
            LOAD_CONST "visits"
            STATE_READ
            INC
            STATE_WRITE
            LOAD_CONST "visits"
            STATE_READ
            DUP
            LEDGER_APPEND
        .end
        .func add(n)
            LOAD_CONST "visits"
            LOAD_CONST "visits"
            STATE_READ
            LOAD_NAME n
            ADD
            STATE_WRITE
            LOAD_NAME n
            EMIT_EVENT added
        .end
        .func log(what)
            LOAD_NAME what
            LOAD_CONST "seen"
            AUDIT_LOG
            LOAD_CONST false
            LOAD_CONST "no"
            REQUIRE
        .end
        """;

    private readonly Workshop _workshop = new();
    private readonly string _program;
    private readonly string _store;

    public StoreTests()
    {
        _program = _workshop.Write("visits.zxa", Visits);
        _store = Path.Combine(Path.GetDirectoryName(_program)!, "chain");
        Assert.Equal(0, Workshop.Run("state", "new", _store).Code);
    }

    public void Dispose() => _workshop.Dispose();

    private Outcome Run(params string[] arguments) => Workshop.Run(["run", _program, "--state", _store, .. arguments]);

    [Fact]
    public void Executions_follow_one_another_and_everything_of_them_is_kept()
    {
        Outcome first = Run("--caller", "alice", "--nonce", "0");
        Assert.Equal(0, first.Code);
        Assert.Contains("state    \"visits\": new, 1\n", first.Error, StringComparison.Ordinal);
        Assert.Contains("receipt  1, state root ", first.Error, StringComparison.Ordinal);
        JsonElement second = Run("--entry", "add", "--args", "[5]", "--caller", "bob", "--json").Json;
        Assert.Equal(2, second.GetProperty("receipt").GetProperty("number").GetInt32());
        Outcome fault = Run("--entry", "add", "--args", "[[]]");
        Assert.Equal(1, fault.Code);
        Outcome other = Run("--contract", "other");
        Assert.Contains("receipt  4, ", other.Error, StringComparison.Ordinal);

        Assert.Equal("6\n", Workshop.Run("state", "get", _store, "visits").Out);
        Assert.Equal("1\n", Workshop.Run("state", "get", _store, "visits", "--at", "1").Out);
        Assert.Equal("1\n", Workshop.Run("state", "get", _store, "visits", "--contract", "other").Out);
        Assert.Equal(1, Workshop.Run("state", "get", _store, "nothing").Code);
        Assert.Equal(
            "1 of execution 1 1\n2 of execution 4 of \"other\" 1\n",
            Workshop.Run("ledger", "list", _store).Out
        );
        Assert.Equal("1 of execution 2 added 5\n", Workshop.Run("events", _store).Out);
        string[] receipts = Workshop.Run("receipts", _store, "--json").Out.TrimEnd().Split('\n');
        Assert.Equal(
            ["null", "null", "\"TypeMismatch\"", "null"],
            receipts.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("fault").GetRawText())
        );
        Assert.Equal(
            second.GetProperty("receipt").GetRawText(),
            JsonDocument.Parse(receipts[1]).RootElement.GetRawText()
        );

        Outcome verified = Workshop.Run("ledger", "verify", _store);
        Assert.Equal(0, verified.Code);
        Assert.StartsWith("sound    4 receipts, 2 ledger entries, 2 keys\n", verified.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_faulted_execution_logged_is_kept()
    {
        Run();
        Assert.Equal(1, Run("--entry", "log", "--args", "[[1, \"x\"]]", "--timestamp", "70", "--contract", "c").Code);
        Assert.Equal(
            "1 of execution 2 of \"c\" \"seen\" [1,\"x\"] at 70\n",
            Workshop.Run("audit", _store).Out.Replace(", ", ",", StringComparison.Ordinal)
        );
        JsonElement entry = Workshop.Run("audit", _store, "--json").Json;
        Assert.Equal(
            ["position", "execution", "contract", "action", "data", "timestamp"],
            entry.EnumerateObject().Select(field => field.Name)
        );
        Assert.Equal(70, entry.GetProperty("timestamp").GetInt32());
        Assert.Equal("", Workshop.Run("audit", _store, "--from", "2").Out);
        Assert.Equal(0, Workshop.Run("state", "verify", _store).Code);
    }

    [Fact]
    public void A_nonce_is_used_once_and_a_dry_run_commits_nothing()
    {
        Outcome dry = Run("--caller", "alice", "--nonce", "0", "--dry-run");
        Assert.Contains("\"visits\": new, 1", dry.Error, StringComparison.Ordinal);
        Assert.Contains("receipt  none: nothing was committed", dry.Error, StringComparison.Ordinal);
        Assert.Equal("", Workshop.Run("receipts", _store).Out);
        Assert.Equal(0, Run("--caller", "alice", "--nonce", "0").Code);
        Outcome again = Run("--caller", "alice", "--nonce", "0");
        Assert.Equal(3, again.Code);
        Assert.Contains(
            "nonce 0 of caller \"alice\" has been used; the next is 1",
            again.Error,
            StringComparison.Ordinal
        );
        Assert.Equal("1\n", Workshop.Run("state", "get", _store, "visits").Out);
    }

    /// <summary>More than it uses where gas is set aside for a call, or the program looks at what is left.</summary>
    [Theory]
    [InlineData("CALL_BUILTIN gas_left, 0\nLOAD_CONST 500\nGT\nLOAD_CONST \"poor\"\nREQUIRE", true)]
    [InlineData(
        "LOAD_CONST \"other\"\nLOAD_CONST \"main\"\nLOAD_CONST null\nLOAD_CONST 700\nCALL_BUILTIN call_contract, 4",
        true
    )]
    [InlineData("LOAD_CONST 1\nLOAD_CONST 2\nADD", false)]
    public void A_dry_run_says_what_gas_is_needed(string body, bool isMore)
    {
        string program = _workshop.Write("needs.zxa", $".func main()\n{body}\n.end");
        string[] arguments = ["run", program, "--state", _store, "--with", $"other={_program}", "--dry-run"];
        JsonElement gas = Workshop.Run([.. arguments, "--json"]).Json.GetProperty("gas");
        long needed = gas.GetProperty("needed").GetInt64();
        Assert.Equal(isMore, needed > gas.GetProperty("used").GetInt64());
        Assert.Contains($"needs    a limit of {needed},", Workshop.Run(arguments).Error, StringComparison.Ordinal);
        Assert.Equal(0, Workshop.Run([.. arguments, "--gas", $"{needed}"]).Code);
        Assert.Equal(1, Workshop.Run([.. arguments, "--gas", $"{needed - 1}"]).Code);
        Outcome poor = Workshop.Run([.. arguments, "--gas", "3"]);
        Assert.Contains("OutOfGas", poor.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("a limit of", poor.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dry_run_of_what_depends_on_all_of_the_largest_limit_needs_it()
    {
        string program = _workshop.Write("left.zxa", ".func main()\nCALL_BUILTIN gas_left, 0\n.end");
        string limit = $"{long.MaxValue}";
        Outcome dry = Workshop.Run("run", program, "--state", _store, "--dry-run", "--gas", limit);
        Assert.Contains($"needs    a limit of {limit},", dry.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_snapshot_begins_another_store_with_the_same_root_and_no_other()
    {
        Run();
        Run("--contract", "é");
        string snapshot = Path.Combine(_store, "..", "snapshot");
        Assert.Equal(0, Workshop.Run("state", "export", _store, "--out", snapshot).Code);
        string copy = _store + "-copy";
        Assert.Equal(0, Workshop.Run("state", "new", copy, "--from", snapshot).Code);
        Assert.Equal(
            Workshop.Run("state", "root", "--state", _store).Out,
            Workshop.Run("state", "root", "--state", copy).Out
        );
        Assert.Equal(
            Workshop.Run("state", "list", _store, "--json").Out,
            Workshop.Run("state", "list", copy, "--json").Out
        );
        string proof = _workshop.Write(
            "proof.json",
            Workshop.Run("state", "prove", "--state", copy, "visits", "--contract", "é").Out
        );
        string root = Workshop.Run("state", "root", "--state", _store).Out.TrimEnd();
        Assert.Equal(0, Workshop.Run("state", "verify-proof", proof, "--root", root).Code);

        string[] lines = File.ReadAllLines(snapshot);
        string[] wrong =
        [
            string.Join('\n', lines[..^1]),
            string.Join('\n', lines).Replace("\"value\": 1", "\"value\": 2", StringComparison.Ordinal),
            string.Join('\n', [.. lines, lines[^1]]),
            string.Join('\n', lines[1..]),
            "",
            "{",
        ];
        foreach (string text in wrong)
        {
            string file = _workshop.Write("wrong", text);
            Outcome refused = Workshop.Run("state", "new", copy + "-wrong", "--from", file);
            Assert.Equal(3, refused.Code);
            Assert.DoesNotContain("zexus itself failed", refused.Error, StringComparison.Ordinal);
            Assert.False(Directory.Exists(copy + "-wrong"));
        }
    }

    [Fact]
    public void Pruned_states_cannot_be_read_and_the_rest_can()
    {
        Run();
        Run();
        Run();
        Assert.Equal(0, Workshop.Run("state", "prune", _store, "2").Code);
        Assert.Equal("2\n", Workshop.Run("state", "get", _store, "visits", "--at", "2").Out);
        Outcome pruned = Workshop.Run("state", "get", _store, "visits", "--at", "1");
        Assert.Equal(3, pruned.Code);
        Assert.Contains("has been pruned; the oldest is that after 2", pruned.Error, StringComparison.Ordinal);
        Assert.Equal(0, Workshop.Run("state", "verify", _store).Code);
    }

    [Fact]
    public void A_tree_is_made_again()
    {
        Run();
        Outcome rebuilt = Workshop.Run("state", "rebuild", _store);
        Assert.Equal((0, "the tree is that of the state again\n"), (rebuilt.Code, rebuilt.Error));
        Assert.Equal(0, Workshop.Run("state", "verify", _store).Code);
        Assert.Equal(3, Workshop.Run("state", "rebuild", _store + "-not").Code);
    }

    [Fact]
    public void A_byte_that_was_changed_is_found()
    {
        for (int i = 0; i < 20; i++)
        {
            Run();
        }

        string file = Path.Combine(_store, "chain.db");
        byte[] bytes = File.ReadAllBytes(file);
        // The last receipt's value for the gas that it used lies in plain sight.
        int at = bytes.AsSpan().LastIndexOf("gasUsed"u8);
        Assert.True(at > 0);
        bytes[at + "gasUsed"u8.Length + 2] ^= 1;
        File.WriteAllBytes(file, bytes);
        Outcome verified = Workshop.Run("ledger", "verify", _store, "--json");
        Assert.Equal(1, verified.Code);
        Assert.Equal("damaged", verified.Json.GetProperty("status").GetString());
        Assert.Contains("was changed", verified.Json.GetProperty("problem").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "--contract is for a store", "run", "PROGRAM", "--contract", "x")]
    [InlineData(2, "--nonce is for a store", "run", "PROGRAM", "--nonce", "1")]
    [InlineData(2, "--state-out writes a state to a file", "run", "PROGRAM", "--state", "STORE", "--state-out", "x")]
    [InlineData(
        2,
        "a store keeps what the interpreter did",
        "run",
        "PROGRAM",
        "--state",
        "STORE",
        "--engine",
        "oracle"
    )]
    [InlineData(3, "there is no file or store", "run", "PROGRAM", "--state", "STORE-not")]
    [InlineData(3, "is not empty, so no store can begin there", "state", "new", "STORE")]
    [InlineData(3, "/proc/store cannot be made a store: ", "state", "new", "/proc/store")]
    [InlineData(3, "there is no directory", "ledger", "list", "STORE-not")]
    [InlineData(3, "there is no state after execution 7", "state", "prune", "STORE", "7")]
    public void What_cannot_be_done_is_said(int code, string message, params string[] arguments)
    {
        Outcome outcome = Workshop.Run([
            .. arguments.Select(a =>
                a.Replace("PROGRAM", _program, StringComparison.Ordinal)
                    .Replace("STORE", _store, StringComparison.Ordinal)
            ),
        ]);
        Assert.Equal(code, outcome.Code);
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
    }
}
