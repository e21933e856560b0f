using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>A contract that calls another, from the command line: examples/contracts/shop.zxa.</summary>
public sealed class ContractCallTests : IDisposable
{
    private static readonly string Token = Path.Combine(Workshop.Repository, "examples", "contracts", "token.zxa");
    private static readonly string Shop = Path.Combine(Workshop.Repository, "examples", "contracts", "shop.zxa");

    private readonly Workshop _workshop = new();
    private readonly string _store;

    public ContractCallTests()
    {
        _store = _workshop.Path("chain");
        Assert.Equal(0, Workshop.Run("state", "new", _store).Code);
        Assert.Equal(0, OfToken("alice", "deploy", "[100]").Code);
        Assert.Equal(0, OfToken("alice", "approve", "[\"shop\", 30]").Code);
    }

    public void Dispose() => _workshop.Dispose();

    private Outcome OfToken(string caller, string entry, string arguments) =>
        Workshop.Run(
            "run",
            Token,
            "--state",
            _store,
            "--contract",
            "token",
            "--caller",
            caller,
            "--entry",
            entry,
            "--args",
            arguments
        );

    private string[] Buying(string arguments) =>
        [
            Shop,
            "--state",
            _store,
            "--contract",
            "shop",
            "--caller",
            "alice",
            "--entry",
            "buy",
            "--args",
            arguments,
            "--with",
            $"token={Token}",
        ];

    private string Value(string contract, string key) =>
        Workshop.Run("state", "get", _store, key, "--contract", contract).Out.TrimEnd();

    /// <summary>A program that adds in a loop calls it: fewer steps at level 3 than the caller alone could save, and the same gas.</summary>
    [Fact]
    public void The_level_is_that_of_the_contracts_as_well()
    {
        string caller = _workshop.Write(
            "caller.zxa",
            """
            .func main()
                LOAD_CONST "adder"
                LOAD_CONST "main"
                LOAD_CONST []
                LOAD_CONST 100000
                CALL_BUILTIN call_contract, 4
            .end
            """
        );
        string called = _workshop.Write(
            "adder.zxa",
            ".func main()\nLOAD_CONST 1\n"
                + string.Concat(Enumerable.Repeat("LOAD_CONST 1\nADD\n", 100))
                + "RETURN\n.end\n"
        );
        (long steps, long gas) = Run();
        (long fewer, long same) = Run("--level", "3");
        Assert.True(steps > 200 && fewer < 20, $"{steps} steps at level 0, {fewer} at level 3");
        Assert.Equal(gas, same);

        (long, long) Run(params string[] options)
        {
            Outcome run = Workshop.Run(["run", caller, "--with", $"adder={called}", "--json", .. options]);
            Assert.Equal(0, run.Code);
            using JsonDocument document = JsonDocument.Parse(run.Out);
            Assert.Equal(101, document.RootElement.GetProperty("result").GetInt32());
            return (
                document.RootElement.GetProperty("steps").GetInt64(),
                document.RootElement.GetProperty("gas").GetProperty("used").GetInt64()
            );
        }
    }

    [Fact]
    public void What_both_did_is_one_commit()
    {
        Outcome bought = Workshop.Run(["run", .. Buying("[\"tea\", 20]"), "--json"]);
        Assert.Equal(0, bought.Code);
        using JsonDocument document = JsonDocument.Parse(bought.Out);
        JsonElement root = document.RootElement;
        Assert.Equal(1, root.GetProperty("result").GetInt32());
        Assert.Equal(80, root.GetProperty("calledWrites").GetProperty("token").GetProperty("balance:alice").GetInt32());
        Assert.Equal("shop", root.GetProperty("ledgerContracts")[0].GetString());
        Assert.Equal("token", root.GetProperty("events")[0].GetProperty("contract").GetString());
        Assert.Equal(64, root.GetProperty("receipt").GetProperty("called").GetProperty("token").GetString()!.Length);
        Assert.Equal("20", Value("token", "balance:shop"));
        Assert.Equal("1", Value("shop", "sales"));
        Assert.Contains("sound    3 receipts", Workshop.Run("state", "verify", _store).Out, StringComparison.Ordinal);
        Assert.Contains("of \"token\"", Workshop.Run("events", _store, "--from", "3").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_paid_has_not_happened()
    {
        Outcome refused = Workshop.Run(["run", .. Buying("[\"tea\", 31]")]);
        Assert.Equal(1, refused.Code);
        Assert.Contains("RequireFailed", refused.Error, StringComparison.Ordinal);
        Assert.Contains("not paid: {", refused.Error, StringComparison.Ordinal);
        Assert.Contains("insufficient allowance", refused.Error, StringComparison.Ordinal);
        Assert.Equal(1, Workshop.Run("state", "get", _store, "sales", "--contract", "shop").Code);
        Assert.Equal("100", Value("token", "balance:alice"));
    }

    [Theory]
    [InlineData("interpreter")]
    [InlineData("oracle")]
    public void A_trace_says_whose_step_it_is(string engine)
    {
        Outcome trace = Workshop.Run(["trace", "--engine", engine, .. Buying("[\"tea\", 20]")]);
        Assert.Equal(0, trace.Code);
        Assert.Contains("token.transfer_from:0", trace.Out, StringComparison.Ordinal);
        Assert.Contains("buy:0 ", trace.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_profile_counts_the_call() =>
        Assert.Equal(0, Workshop.Run(["profile", .. Buying("[\"tea\", 20]")]).Code);

    [Theory]
    [InlineData("token", "--with wants ID=FILE, and not 'token'")]
    [InlineData("=x.zxa", "--with names a contract without an id, as the program itself is")]
    [InlineData("token=", "--with wants ID=FILE, and not 'token='")]
    public void What_cannot_be_called_is_refused(string with, string message)
    {
        Outcome refused = Workshop.Run("run", Token, "--with", with);
        Assert.Equal(2, refused.Code);
        Assert.Contains(message, refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_program_itself_and_a_contract_that_was_named_are_refused()
    {
        Outcome itself = Workshop.Run("run", Shop, "--contract", "shop", "--with", $"shop={Shop}");
        Assert.Equal(2, itself.Code);
        Assert.Contains("which is the program itself", itself.Error, StringComparison.Ordinal);
        Outcome twice = Workshop.Run("run", Shop, "--with", $"token={Token}", "--with", $"token={Token}");
        Assert.Equal(2, twice.Code);
        Assert.Contains("--with names 'token' twice", twice.Error, StringComparison.Ordinal);
    }
}
