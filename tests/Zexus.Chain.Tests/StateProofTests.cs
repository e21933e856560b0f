using System.Collections.Immutable;
using System.Text;
using Xunit;
using Zexus.Isa;

namespace Zexus.Chain.Tests;

/// <summary>What a proof's check accepts, and how a proof is read from JSON.</summary>
public class StateProofTests
{
    private const string Zeros = "0000000000000000000000000000000000000000000000000000000000000000";

    private static readonly StatePair[] Pairs =
    [
        .. Enumerable.Range(0, 40).Select(i => new StatePair(i % 2 == 0 ? "" : "token", $"k{i}", Data.NewInt(i))),
    ];

    private static readonly StateTree Tree = CommitmentVectorTests.Tree(Pairs);

    public static TheoryData<string, string> Malformed =>
        new()
        {
            { "", "the file is empty" },
            { "[]", "$: a proof is an object of root, contract, key, siblings and end, not an array" },
            {
                Json(root: null),
                "$: the field root is missing; a proof is an object of root, contract, key, siblings and end"
            },
            { Json(root: "7"), "$.root: a digest is a string of 64 hexadecimal digits, not a number" },
            { Json(root: $"\"{Zeros[1..]}\""), "$.root: a digest is 64 hexadecimal digits, not 63" },
            { Json(root: $"\"{Zeros}0\""), "$.root: a digest is 64 hexadecimal digits, not 65" },
            {
                Json(root: $"\"0x{Zeros[2..]}\""),
                "$.root: a digest is 64 hexadecimal digits; character 2 of this one is none"
            },
            { Json(contract: "null"), "$.contract: this is a string, not null" },
            { Json(key: "1"), "$.key: this is a string, not a number" },
            { Json(key: "\"\\ud800\""), "$.key: this string has half of a surrogate pair" },
            { Json(siblings: "{}"), "$.siblings: siblings are an array of digests, not an object" },
            {
                Json(siblings: $"[\"{Zeros}\", \"{Zeros[1..]}g\"]"),
                "$.siblings[1]: a digest is 64 hexadecimal digits; character 64 of this one is none"
            },
            { Json(siblings: Many(257)), "$.siblings: a proof has at most 256 siblings, not 257" },
            { Json(end: "[]"), "$.end: end is null or an object of contract, key and value, not an array" },
            {
                Json(end: """{"contract": "", "key": "k"}"""),
                "$.end: the field value is missing; end is null or an object of contract, key and value"
            },
            {
                Json(end: """{"contract": "", "key": "k", "value": {"$ref": 1}}"""),
                "$.end.value: {\"$ref\": …} stands for something that a state cannot hold: it is plain data, without sharing or Functions"
            },
            {
                Json(end: """{"contract": "", "key": "k", "value": 1, "more": 2}"""),
                "$.end.more: there is no such field; end is null or an object of contract, key and value"
            },
            {
                Json(end: "null, \"sibling\": []"),
                "$.sibling: there is no such field; a proof is an object of root, contract, key, siblings and end"
            },
            { Json(end: "null, \"end\": null"), "$.end: this field stands there twice" },
        };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void What_is_no_proof_is_refused_with_its_place(string json, string message)
    {
        MalformedJsonException e = Assert.Throws<MalformedJsonException>(() => Parse(json));
        Assert.Equal(message, e.Message);
        Assert.Null(e.Line);
    }

    [Fact]
    public void What_is_no_JSON_is_refused_with_line_and_column()
    {
        MalformedJsonException e = Assert.Throws<MalformedJsonException>(() => Parse("{\"root\": 1,\n \"key\": }"));
        Assert.Equal(("this is not JSON: '}' is an invalid start of a value", 2L, 9L), (e.Message, e.Line, e.Column));
    }

    [Fact]
    public void So_many_siblings_as_a_path_has_bits_are_read()
    {
        StateProof proof = Parse(Json(siblings: Many(256)));
        Assert.Equal(256, proof.Siblings.Length);
        Assert.Contains("it leads to the root", Reason(proof.Check(Tree.Root, "", "k")), StringComparison.Ordinal);
        proof = new StateProof(default, "", "k", proof.Siblings.Add(default), null);
        Assert.Equal("it has 257 siblings; a path has 256 bits", Reason(proof.Check(Tree.Root, "", "k")));
    }

    [Fact]
    public void A_proof_comes_back_as_it_was_written()
    {
        Data value = Data.NewMap([
            new(Data.NewString("$a\u007f\"\n"), Data.NewFloat(-0.0)),
            new(
                Data.NewInt(System.Numerics.BigInteger.Pow(2, 70)),
                Data.NewSet([Data.NewBool(true), Data.NewString("é😀")])
            ),
            new(
                Data.Null,
                Data.NewList([Data.NewFloat(1e300), Data.NewFloat(2.5), Data.NewFloat(double.PositiveInfinity)])
            ),
            new(Data.NewBool(false), Data.NewMap([new(Data.NewString("plain"), Data.NewInt(-5))])),
        ]);
        StateProof proof = new(Tree.Root, "to\"ken", "ключ", [Tree.Root, default], new StatePair("c", "k", value));
        StateProof read = Parse(proof.ToJson());
        Assert.Equal(
            (proof.Root, proof.Contract, proof.Key, proof.End),
            (read.Root, read.Contract, read.Key, read.End)
        );
        Assert.Equal(proof.Siblings.AsEnumerable(), read.Siblings);
        Assert.Equal(proof.ToJson(), read.ToJson());
    }

    [Fact]
    public void The_proofs_own_root_is_not_believed()
    {
        StateTree other = CommitmentVectorTests.Tree([.. Pairs[1..], new StatePair("", "k0", Data.NewInt(1_000_000))]);
        StateProof forged = other.Prove("", "k0", _ => new StatePair("", "k0", Data.NewInt(1_000_000)));
        Assert.Equal(new StateVerdict.Holds(Data.NewInt(1_000_000)), forged.Check(forged.Root, "", "k0"));
        Assert.Equal(
            $"it leads to the root {forged.Root}, not to {Tree.Root}",
            Reason(forged.Check(Tree.Root, "", "k0"))
        );
        StateProof lying = new(Tree.Root, "", "k0", forged.Siblings, forged.End);
        Assert.IsType<StateVerdict.Refused>(lying.Check(Tree.Root, "", "k0"));
        Assert.Equal(new StateVerdict.Holds(Data.NewInt(1_000_000)), lying.Check(other.Root, "", "k0"));
    }

    /// <summary>Of all keys and some that are not there, every way to end a proof: the key that is there is never absent, nor holds anything else.</summary>
    [Fact]
    public void No_end_makes_a_proof_say_something_else()
    {
        StatePair?[] ends =
        [
            null,
            .. Pairs,
            new StatePair("", "k0", Data.NewInt(1)),
            new StatePair("k", "0", Data.NewInt(0)),
        ];
        int proved = 0;
        foreach (
            StatePair asked in (StatePair[])[.. Pairs, new("", "nobody", Data.Null), new("tok", "enk1", Data.Null)]
        )
        {
            StateProof proof = CommitmentVectorTests.Prove(Tree, Pairs, asked.Contract, asked.Key);
            StateVerdict truth = Pairs.Contains(asked)
                ? new StateVerdict.Holds(asked.Value)
                : new StateVerdict.Absent();
            foreach (StatePair? end in ends)
            {
                for (int cut = 0; cut <= proof.Siblings.Length; cut++)
                {
                    StateVerdict verdict = new StateProof(Tree.Root, "", "", proof.Siblings[..cut], end).Check(
                        Tree.Root,
                        asked.Contract,
                        asked.Key
                    );
                    bool isTheProof = cut == proof.Siblings.Length && Equals(end, proof.End);
                    if (isTheProof ? verdict != truth : verdict is not StateVerdict.Refused)
                    {
                        Assert.Fail($"{asked}, end {end}, {cut} siblings: {verdict}");
                    }

                    proved += isTheProof ? 1 : 0;
                }
            }
        }

        Assert.Equal(Pairs.Length + 2, proved);
    }

    [SeededProperty(500)]
    public void A_changed_proof_proves_nothing(byte chosen, byte sibling, byte bit, byte kind)
    {
        StatePair pair = Pairs[chosen % Pairs.Length];
        StateProof proof = CommitmentVectorTests.Prove(Tree, Pairs, pair.Contract, pair.Key);
        int at = sibling % proof.Siblings.Length;
        Digest other = Flip(proof.Siblings[at], bit);
        (ImmutableArray<Digest> siblings, StatePair end, string contract, string key) = (kind % 8) switch
        {
            0 or 1 => (proof.Siblings.SetItem(at, other), pair, pair.Contract, pair.Key),
            2 => (proof.Siblings.RemoveAt(at), pair, pair.Contract, pair.Key),
            3 => (proof.Siblings.Insert(at, other), pair, pair.Contract, pair.Key),
            4 => (proof.Siblings.Insert(at, default), pair, pair.Contract, pair.Key),
            5 => (proof.Siblings, pair with { Value = Data.NewFloat(chosen % Pairs.Length) }, pair.Contract, pair.Key),
            6 => (proof.Siblings, pair with { Key = pair.Key + "x" }, pair.Contract, pair.Key),
            _ => (proof.Siblings, pair with { Contract = "other" }, pair.Contract, pair.Key),
        };
        StateVerdict verdict = new StateProof(Tree.Root, contract, key, siblings, end).Check(Tree.Root, contract, key);
        Assert.IsType<StateVerdict.Refused>(verdict);
    }

    [Fact]
    public void A_value_without_a_form_is_refused_not_thrown()
    {
        StateProof proof = new(Tree.Root, "", "k", [], new StatePair("", "k", Data.NewString("\ud800")));
        Assert.Contains("half of a surrogate pair", Reason(proof.Check(Tree.Root, "", "k")), StringComparison.Ordinal);
    }

    private static Digest Flip(Digest digest, int bit)
    {
        byte[] bytes = Convert.FromHexString($"{digest}");
        bytes[bit >> 3] ^= (byte)(1 << (bit & 7));
        return new Digest(bytes);
    }

    private static string Reason(StateVerdict verdict) => Assert.IsType<StateVerdict.Refused>(verdict).Reason;

    private static StateProof Parse(string json) => StateProof.Parse(Encoding.UTF8.GetBytes(json));

    private static string Many(int count) => "[" + string.Join(",", Enumerable.Repeat($"\"{Zeros}\"", count)) + "]";

    private static string Json(
        string? root = $"\"{Zeros}\"",
        string contract = "\"\"",
        string key = "\"k\"",
        string siblings = "[]",
        string end = "null"
    ) =>
        $"{{{(root is null ? "" : $"\"root\": {root}, ")}\"contract\": {contract}, \"key\": {key}, \"siblings\": {siblings}, \"end\": {end}}}";
}
