using System.Text.Json;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>`key new`, `key sign` and `key verify`, and a program that checks what they made.</summary>
public sealed class KeyTests : IDisposable
{
    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    public static TheoryData<string> Schemes => ["ed25519", "secp256k1", "p256"];

    [Theory]
    [MemberData(nameof(Schemes))]
    public void What_is_signed_is_verified(string scheme)
    {
        string file = _workshop.Path("alice.pem");
        string key = Make(scheme, file);
        Assert.StartsWith(scheme + ":", key, StringComparison.Ordinal);
        string signature = Line(Workshop.Run("key", "sign", "--key", file, "release 17"));
        Assert.Equal("valid", Line(Verify(key, signature, "release 17")));
        Outcome other = Verify(key, signature, "release 18");
        Assert.Equal(1, other.Code);
        Assert.Equal("not valid: it is not this key's signature of this message\n", other.Out);
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public void A_key_is_a_new_file_for_its_owner_only(string scheme)
    {
        string file = _workshop.Path("alice.pem");
        Make(scheme, file);
        string text = File.ReadAllText(file);
        Assert.StartsWith("-----BEGIN PRIVATE KEY-----\n", text, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        Outcome again = Workshop.Run("key", "new", "--scheme", scheme, "--out", file);
        Assert.Equal(3, again.Code);
        Assert.Contains("is there already, and is not written over", again.Error, StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText(file));
    }

    [Fact]
    public void A_key_never_goes_through_a_link()
    {
        string target = _workshop.Path("target");
        string link = _workshop.Path("link.pem");
        File.CreateSymbolicLink(link, target);
        Assert.Equal(3, Workshop.Run("key", "new", "--out", link).Code);
        Assert.False(File.Exists(target));
    }

    [Fact]
    public void DER_is_verified_too_and_Ed25519_has_none()
    {
        string ec = _workshop.Path("ec.pem");
        string key = Make("p256", ec);
        string signature = Line(Workshop.Run("key", "sign", "--der", "--key", ec, "m"));
        Assert.StartsWith("30", signature, StringComparison.Ordinal);
        Assert.Equal(0, Verify(key, signature, "m").Code);

        string edwards = _workshop.Path("edwards.pem");
        Make("ed25519", edwards);
        Outcome none = Workshop.Run("key", "sign", "--der", "--key", edwards, "m");
        Assert.Equal(2, none.Code);
        Assert.Contains("has no DER form", none.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_high_s_is_named()
    {
        // RFC 6979, A.2.5, "sample".
        Outcome outcome = Verify(
            "p256:0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
            "sample"
        );
        Assert.Equal(1, outcome.Code);
        Assert.StartsWith("not valid: s is above half the order", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void JSON_has_the_same()
    {
        string file = _workshop.Path("alice.pem");
        JsonElement made = Workshop.Run("key", "new", "--scheme", "secp256k1", "--out", file, "--json").Json;
        string key = made.GetProperty("publicKey").GetString()!;
        Assert.Equal("secp256k1", made.GetProperty("scheme").GetString());
        Assert.Equal(file, made.GetProperty("file").GetString());
        JsonElement signed = Workshop.Run("key", "sign", "--key", file, "m", "--json").Json;
        Assert.Equal(key, signed.GetProperty("publicKey").GetString());
        string signature = signed.GetProperty("signature").GetString()!;
        JsonElement valid = Workshop.Run("key", "verify", "--key", key, "--signature", signature, "m", "--json").Json;
        Assert.Equal("valid", valid.GetProperty("status").GetString());
        Assert.Equal("", valid.GetProperty("reason").GetString());
        Outcome invalid = Workshop.Run("key", "verify", "--key", key, "--signature", "00", "m", "--json");
        Assert.Equal(1, invalid.Code);
        Assert.Equal("invalid", invalid.Json.GetProperty("status").GetString());
        Assert.Contains("the signature is of none of the forms", invalid.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_comes_from_a_file_byte_by_byte()
    {
        string file = _workshop.Path("alice.pem");
        string key = Make("ed25519", file);
        string signature = Line(Workshop.RunWith("é\n", "key", "sign", "--key", file, "--message-file", "-"));
        Assert.Equal(0, Verify(key, signature, "é\n").Code);
        Assert.Equal(1, Verify(key, signature, "é").Code);

        string binary = _workshop.Path("binary");
        File.WriteAllBytes(binary, [0xff]);
        Outcome outcome = Workshop.Run("key", "sign", "--key", file, "--message-file", binary);
        Assert.Equal(3, outcome.Code);
        Assert.Contains("is no UTF-8", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'./zexus key' has no command 'sgin'\n  Did you mean 'sign'?", "key", "sgin")]
    [InlineData("option '--key' is required\n  ./zexus key sign --help shows how it is used.", "key", "sign", "m")]
    [InlineData("'./zexus key new' has no option '--scheem'\n  Did you mean '--scheme'?", "key", "new", "--scheem")]
    [InlineData("which key made the signature?", "key", "verify", "--signature", "00", "m")]
    [InlineData("which message?", "key", "verify", "--signature", "00", "--key", "00")]
    [InlineData("a private key needs a file of its own", "key", "new", "--out", "-")]
    public void A_wrong_command_line_is_told(string message, params string[] arguments)
    {
        Outcome outcome = Workshop.Run(arguments);
        Assert.Equal(2, outcome.Code);
        Assert.StartsWith("error: " + message, outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Alone_it_lists_its_commands()
    {
        Outcome outcome = Workshop.Run("key");
        Assert.Equal((2, ""), (outcome.Code, outcome.Out));
        Assert.Contains("verify <MESSAGE>", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_private_key_is_told()
    {
        string file = _workshop.Write("key.pem", "-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----\n");
        Outcome outcome = Workshop.Run("key", "sign", "--key", file, "m");
        Assert.Equal(3, outcome.Code);
        Assert.Contains("is no private key of these schemes in PKCS#8", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("openssl pkcs8 -topk8 -nocrypt", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public void The_contract_of_the_documentation_releases_what_its_owner_signed(string scheme)
    {
        string page = File.ReadAllText(Path.Combine(Workshop.Repository, "docs", "signatures.md"));
        string program = _workshop.Write(
            "approval.zxa",
            page.Split("```\n").First(block => block.StartsWith("; Releases", StringComparison.Ordinal))
        );
        string file = _workshop.Path("owner.pem");
        string owner = Make(scheme, file);
        string signature = Line(Workshop.Run("key", "sign", "--key", file, "release 17"));
        foreach (string engine in new[] { "interpreter", "oracle" })
        {
            Outcome released = Order(program, engine, owner, "release 17", signature);
            Assert.Equal(0, released.Code);
            Assert.Contains("\"released\": \"release 17\"", released.Out, StringComparison.Ordinal);
            Outcome refused = Order(program, engine, owner, "release 18", signature);
            Assert.Equal(1, refused.Code);
            Assert.Contains("not signed by the owner", refused.Out, StringComparison.Ordinal);
        }
    }

    private Outcome Order(string program, string engine, string owner, string order, string signature)
    {
        string state = _workshop.Write(
            "order.json",
            JsonSerializer.Serialize(
                new Dictionary<string, string>
                {
                    ["owner"] = owner,
                    ["order"] = order,
                    ["signature"] = signature,
                }
            )
        );
        return Workshop.Run("run", program, "--state", state, "--engine", engine, "--json");
    }

    private static string Make(string scheme, string file) =>
        Line(Workshop.Run("key", "new", "--scheme", scheme, "--out", file));

    private static Outcome Verify(string key, string signature, string message) =>
        Workshop.Run("key", "verify", "--key", key, "--signature", signature, message);

    private static string Line(Outcome outcome)
    {
        Assert.Equal("", outcome.Error);
        Assert.Equal(0, outcome.Code);
        Assert.EndsWith("\n", outcome.Out, StringComparison.Ordinal);
        return outcome.Out.TrimEnd('\n');
    }
}
