using System.Text;
using System.Text.Unicode;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>docs/signatures.md on the engine: public vectors, and a case for each rule.</summary>
public sealed class SignatureTests
{
    private const string Message = "pay 5 to bob";
    private static readonly SignatureScheme[] Schemes = Enum.GetValues<SignatureScheme>();

    public static TheoryData<SignatureScheme> AllSchemes => [.. Schemes];

    public static TheoryData<SignatureScheme> CurvesOfEcdsa => [SignatureScheme.Secp256k1, SignatureScheme.P256];

    private sealed record Vector(string Id, string Key, string Verdict, byte[] Message, string Signature);

    private static IEnumerable<Vector> Vectors(string scheme)
    {
        Dictionary<string, string> keys = [];
        foreach (
            string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "vectors/signatures", scheme + ".tsv"))
        )
        {
            string[] cells = line.Split('\t');
            if (cells[0] == "key")
            {
                keys.Add(cells[1], cells[2].Replace("\\n", "\n", StringComparison.Ordinal));
            }
            else if (line[0] != '#')
            {
                yield return new Vector(
                    cells[1],
                    keys[cells[0]],
                    cells[2],
                    Convert.FromHexString(cells[3].Replace("-", "", StringComparison.Ordinal)),
                    cells[4].Replace("-", "", StringComparison.Ordinal)
                );
            }
        }
    }

    [Theory]
    [InlineData("ed25519", 57)]
    [InlineData("secp256k1", 45)]
    [InlineData("p256", 51)]
    public void Public_vectors_agree(string scheme, int atLeast)
    {
        Vector[] vectors = [.. Vectors(scheme)];
        Assert.True(vectors.Length >= atLeast, $"{vectors.Length} vectors");
        Assert.All(
            vectors,
            vector => Assert.Equal(vector.Verdict, Verdict(vector.Signature, vector.Message, vector.Key))
        );
    }

    [Theory]
    [InlineData("ed25519", 40)]
    [InlineData("secp256k1", 45)]
    [InlineData("p256", 51)]
    public void Programs_see_the_same(string scheme, int atLeast)
    {
        Vector[] texts = [.. Vectors(scheme).Where(vector => Utf8.IsValid(vector.Message))];
        Assert.True(texts.Length >= atLeast, $"{texts.Length} vectors whose message is text");
        Assert.All(
            texts,
            vector =>
            {
                Assembly a = new();
                ExecutionResult result = a.Function(
                        "main",
                        [
                            a.Const(vector.Signature),
                            a.Const(Encoding.UTF8.GetString(vector.Message)),
                            a.Const(vector.Key),
                            Assembly.Op(Opcode.VERIFY_SIGNATURE),
                        ]
                    )
                    .Run();
                Assert.Null(result.Fault);
                Assert.Equal(vector.Verdict == nameof(SignatureVerdict.Valid), result.Value.AsBool);
            }
        );
    }

    [Theory]
    [MemberData(nameof(AllSchemes))]
    public void A_key_is_read_in_all_its_forms(SignatureScheme scheme)
    {
        using SigningKey key = Known(scheme);
        string signature = key.Sign(Encoding.UTF8.GetBytes(Message));
        foreach (byte[] point in Points(key))
        {
            string digits = Convert.ToHexStringLower(point);
            string pem = Pem(scheme, point);
            string[] texts =
            [
                Prefix(scheme) + digits,
                Prefix(scheme) + digits.ToUpperInvariant(),
                pem,
                pem + "\n",
                pem.Replace("\n", "\r\n", StringComparison.Ordinal),
                .. scheme == SignatureScheme.P256 ? Array.Empty<string>() : [digits],
            ];
            Assert.All(texts, text => Assert.Equal(SignatureVerdict.Valid, Signatures.Check(signature, Message, text)));
        }
    }

    [Theory]
    [MemberData(nameof(AllSchemes))]
    public void What_is_no_key_is_malformed(SignatureScheme scheme)
    {
        using SigningKey key = Known(scheme);
        string signature = key.Sign(Encoding.UTF8.GetBytes(Message));
        byte[] point = Points(key)[^1];
        string digits = Convert.ToHexStringLower(point);
        string pem = Pem(scheme, point);
        string prefix = Prefix(scheme);
        string[] texts =
        [
            "",
            ":" + digits,
            "rsa:" + digits,
            prefix.ToUpperInvariant() + digits,
            " " + prefix + digits,
            prefix + " " + digits,
            prefix + prefix + digits,
            prefix + "0x" + digits,
            "0x" + digits,
            prefix + digits[..^1],
            prefix + digits[..^2],
            prefix + digits + "00",
            prefix + digits[..^1] + "g",
            "\n" + pem,
            pem + ".",
            pem[..^1],
            pem.Replace("PUBLIC", "PRIVATE", StringComparison.Ordinal),
            pem.Replace("PUBLIC KEY-----\nM", "PUBLIC KEY-----\n*M", StringComparison.Ordinal),
            PemEncodingOf([.. Der(scheme, point), 0]),
            PemEncodingOf(Der(scheme, point)[..^1]),
            PemEncodingOf([0x30, 0x81, .. Der(scheme, point)[1..]]),
            LastDigitRaised(pem),
        ];
        Assert.All(
            texts,
            text => Assert.Equal(SignatureVerdict.MalformedKey, Signatures.Check(signature, Message, text))
        );
    }

    [Theory]
    [MemberData(nameof(CurvesOfEcdsa))]
    public void What_is_no_point_is_no_key(SignatureScheme scheme)
    {
        using SigningKey key = Known(scheme);
        string signature = key.Sign(Encoding.UTF8.GetBytes(Message));
        byte[] compressed = Points(key)[0];
        byte[] full = Points(key)[1];
        byte[][] points =
        [
            [0],
            [(byte)(6 + (full[^1] & 1)), .. full[1..]],
            [5, .. compressed[1..]],
            [4, .. compressed[1..]],
            [2, .. full[1..]],
            [.. full[..^1], (byte)(full[^1] ^ 1)],
            [2, .. Enumerable.Repeat((byte)0xff, 32)],
            [.. full, 0],
            [.. new byte[65]],
        ];
        Assert.All(
            points,
            point =>
            {
                string digits = Convert.ToHexStringLower(point);
                Assert.Equal(
                    SignatureVerdict.MalformedKey,
                    Signatures.Check(signature, Message, Prefix(scheme) + digits)
                );
            }
        );
        Assert.Equal(SignatureVerdict.MalformedKey, Signatures.Check(signature, Message, Pem(scheme, points[1])));
    }

    [Theory]
    [MemberData(nameof(CurvesOfEcdsa))]
    public void A_signature_of_ECDSA_has_two_forms_and_no_others(SignatureScheme scheme)
    {
        using SigningKey key = Known(scheme);
        byte[] rs = Convert.FromHexString(key.Sign(Encoding.UTF8.GetBytes(Message)));
        byte[] r = Integer(rs[..32]);
        byte[] s = Integer(rs[32..]);
        Dictionary<string, byte[]> wrong = new()
        {
            ["nothing"] = [],
            ["compact and short"] = rs[..^1],
            ["trailing byte"] = [.. Sequence([.. r, .. s]), 0],
            ["third element"] = Sequence([.. r, .. s, 5, 0]),
            ["one element"] = Sequence(r),
            ["long form of a short length"] = [0x30, 0x81, (byte)(r.Length + s.Length), .. r, .. s],
            ["indefinite length"] = [0x30, 0x80, .. r, .. s, 0, 0],
            ["a set"] = [0x31, .. Sequence([.. r, .. s])[1..]],
            ["an octet string"] = Sequence([4, .. r[1..], .. s]),
            ["zeros before r"] = Sequence([2, (byte)(r[1] + 1), 0, .. r[2..], .. s]),
            ["negative s"] = Sequence([.. r, 2, 32, 0xff, .. rs[33..]]),
            ["empty r"] = Sequence([2, 0, .. s]),
            ["r zero"] = Sequence([2, 1, 0, .. s]),
            ["s zero"] = Sequence([.. r, 2, 1, 0]),
            ["r of 33 bytes"] = Sequence([2, 33, 1, .. rs[..32], .. s]),
        };
        string text = key.PublicKey;
        Assert.Equal(SignatureVerdict.Valid, Check(rs, text));
        Assert.Equal(SignatureVerdict.Valid, Check(Sequence([.. r, .. s]), text));
        Assert.All(wrong, pair => Assert.Equal(SignatureVerdict.MalformedSignature, Check(pair.Value, text)));
        Assert.Equal(
            SignatureVerdict.MalformedSignature,
            Signatures.Check("0x" + Convert.ToHexStringLower(rs), Message, text)
        );
        Assert.Equal(SignatureVerdict.MalformedSignature, Signatures.Check(new string('0', 1_000_000), Message, text));
    }

    [Fact]
    public void A_signature_of_Ed25519_is_128_digits()
    {
        using SigningKey key = Known(SignatureScheme.Ed25519);
        string signature = key.Sign(Encoding.UTF8.GetBytes(Message));
        Assert.Equal(SignatureVerdict.Valid, Signatures.Check(signature.ToUpperInvariant(), Message, key.PublicKey));
        foreach (string text in new[] { "", signature[..^2], signature + "00", "0x" + signature, "g" + signature[1..] })
        {
            Assert.Equal(SignatureVerdict.MalformedSignature, Signatures.Check(text, Message, key.PublicKey));
        }
    }

    [Theory]
    [MemberData(nameof(AllSchemes))]
    public void A_signature_holds_for_one_message_and_one_key(SignatureScheme scheme)
    {
        using SigningKey key = Known(scheme);
        using SigningKey other = SigningKey.Create(scheme);
        string signature = key.Sign(Encoding.UTF8.GetBytes(Message));
        Assert.True(Signatures.Verify(signature, Message, key.PublicKey));
        Assert.Equal(SignatureVerdict.Mismatch, Signatures.Check(signature, Message + "!", key.PublicKey));
        Assert.Equal(SignatureVerdict.Mismatch, Signatures.Check(signature, Message, other.PublicKey));
    }

    [Theory]
    [MemberData(nameof(AllSchemes))]
    public void A_message_is_its_UTF8(SignatureScheme scheme)
    {
        using SigningKey key = Known(scheme);
        foreach (string text in new[] { "", "é", "𝒳\0", new string('ü', 10_000) })
        {
            Assert.True(Signatures.Verify(key.Sign(Encoding.UTF8.GetBytes(text)), text, key.PublicKey));
        }

        // What UTF-8 writes in the place of a lone surrogate is another message.
        Assert.False(Signatures.Verify(key.Sign("\uFFFD"u8), "\uD800", key.PublicKey));
    }

    [Fact]
    public void More_keys_than_a_thread_keeps_are_all_right()
    {
        SigningKey[] keys = [.. Enumerable.Range(0, 150).Select(i => SigningKey.Create(Schemes[i % 3]))];
        string[] signatures = [.. keys.Select(key => key.Sign(Encoding.UTF8.GetBytes(Message)))];
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < keys.Length; i++)
            {
                Assert.True(Signatures.Verify(signatures[i], Message, keys[i].PublicKey));
                Assert.False(Signatures.Verify(signatures[i], Message, keys[(i + 3) % keys.Length].PublicKey));
            }
        }
    }

    [Theory]
    [MemberData(nameof(AllSchemes))]
    public void A_private_key_survives_its_way_through_PEM(SignatureScheme scheme)
    {
        using SigningKey key = SigningKey.Create(scheme);
        using SigningKey again = SigningKey.FromPem(key.ToPem())!;
        Assert.Equal(scheme, again.Scheme);
        Assert.Equal(key.PublicKey, again.PublicKey);
        Assert.Equal(key.Sign("m"u8), again.Sign("m"u8));
        Assert.Equal(key.ToPem(), again.ToPem());
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----")]
    [InlineData(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAoSwr63cmXyqslTtQCTSdlBVaA62kFqrUUTGUgOmDykw=\n-----END PUBLIC KEY-----"
    )]
    public void What_is_no_private_key_is_null(string pem) => Assert.Null(SigningKey.FromPem(pem));

    [Fact]
    public void Nonces_are_those_of_RFC_6979()
    {
        // A.2.5, with the lower of s and n - s.
        using EcdsaSigningKey key = new(
            SignatureScheme.P256,
            new("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", 16)
        );
        Assert.Equal("p256:0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6", key.PublicKey);
        Vector[] vectors =
        [
            .. Vectors("p256").Where(vector => vector.Key == key.PublicKey && vector.Verdict == "Valid"),
        ];
        Assert.Equal(2, vectors.Length);
        Assert.All(vectors, vector => Assert.Equal(vector.Signature, key.Sign(vector.Message)));
    }

    private static SigningKey Known(SignatureScheme scheme) =>
        scheme == SignatureScheme.Ed25519
            ? SigningKey.FromPem(
                // RFC 8410, 10.3.
                "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----"
            )!
            : new EcdsaSigningKey(scheme, new("1234567890abcdef1234567890abcdef", 16));

    /// <summary>The shorter first.</summary>
    private static byte[][] Points(SigningKey key)
    {
        byte[] point = Convert.FromHexString(
            key.PublicKey[(key.PublicKey.IndexOf(':', StringComparison.Ordinal) + 1)..]
        );
        return key is EcdsaSigningKey
            ?
            [
                point,
                (key.Scheme == SignatureScheme.P256 ? EcdsaCurve.P256 : EcdsaCurve.Secp256k1)
                    .Domain.Curve.DecodePoint(point)
                    .GetEncoded(compressed: false),
            ]
            : [point];
    }

    private static string Prefix(SignatureScheme scheme) =>
        scheme switch
        {
            SignatureScheme.Ed25519 => "ed25519:",
            SignatureScheme.Secp256k1 => "secp256k1:",
            SignatureScheme.P256 => "p256:",
            _ => throw new ArgumentOutOfRangeException(nameof(scheme)),
        };

    /// <summary>RFC 5480 and RFC 8410.</summary>
    private static byte[] Der(SignatureScheme scheme, byte[] point)
    {
        byte[] algorithm = Convert.FromHexString(
            scheme switch
            {
                SignatureScheme.Ed25519 => "300506032b6570",
                SignatureScheme.Secp256k1 => "301006072a8648ce3d020106052b8104000a",
                SignatureScheme.P256 => "301306072a8648ce3d020106082a8648ce3d030107",
                _ => throw new ArgumentOutOfRangeException(nameof(scheme)),
            }
        );
        return Sequence([.. algorithm, 3, (byte)(point.Length + 1), 0, .. point]);
    }

    private static string Pem(SignatureScheme scheme, byte[] point) => PemEncodingOf(Der(scheme, point));

    private static string PemEncodingOf(byte[] der) =>
        System.Security.Cryptography.PemEncoding.WriteString("PUBLIC KEY", der);

    /// <summary>The last digit before the padding has bits that are not used.</summary>
    private static string LastDigitRaised(string pem)
    {
        int at = pem.IndexOf('=', StringComparison.Ordinal) - 1;
        return pem[..at] + (char)(pem[at] + 1) + pem[(at + 1)..];
    }

    private static byte[] Sequence(byte[] content) => [0x30, (byte)content.Length, .. content];

    private static byte[] Integer(byte[] number)
    {
        byte[] digits = [.. number.SkipWhile(digit => digit == 0)];
        byte[] content = digits[0] >= 0x80 ? [0, .. digits] : digits;
        return [2, (byte)content.Length, .. content];
    }

    private static SignatureVerdict Check(byte[] signature, string key) =>
        Signatures.Check(Convert.ToHexStringLower(signature), Message, key);

    private static string Verdict(string signature, byte[] message, string key) =>
        Signatures.Check(signature, message, key).ToString();
}
