using Xunit;
using Zexus.Isa;

namespace Zexus.Chain.Tests;

/// <summary>Against what Python computes from docs/commitments.md: tests/vectors/commitments/make.py wrote the file.</summary>
public class CommitmentVectorTests
{
    [Fact]
    public void Values_have_the_bytes() =>
        Each(
            "form",
            90,
            line =>
                Assert.Equal(line[2], Convert.ToHexStringLower(StateWrite.Put("", "", Value(line[1])).Constant.Span))
        );

    [Fact]
    public void States_have_the_root() =>
        Each("root", 13, line => Assert.Equal(line[2], $"{Tree(Pairs(line[1])).Root}"));

    [Fact]
    public void Pairs_one_by_one_and_in_other_order_have_the_root() =>
        Each(
            "root",
            13,
            line =>
            {
                StateTree tree = new();
                foreach (StatePair pair in Pairs(line[1]).Reverse())
                {
                    tree.Update(StateWrite.Put(pair.Contract, pair.Key, pair.Value));
                }

                Assert.Equal(line[2], $"{tree.Root}");
            }
        );

    [Fact]
    public void Proofs_are_these_and_hold()
    {
        int holding = 0;
        int absent = 0;
        Each(
            "proof",
            60,
            line =>
            {
                Data[] asked = Items(Value(line[1]));
                StatePair[] pairs = [.. Items(asked[0]).Select(Pair)];
                (string contract, string key) = (Text(asked[1]), Text(asked[2]));
                StateTree tree = Tree(pairs);
                StateProof proof = Prove(tree, pairs, contract, key);

                Assert.Equal(line[2], string.Join(",", proof.Siblings));
                Data end = Value(line[3]);
                Assert.Equal(Items(end).Length == 0 ? null : Pair(end), proof.End);

                StatePair? held = pairs.SingleOrDefault(pair => pair.Contract == contract && pair.Key == key);
                StateVerdict verdict = StateProof
                    .Parse(System.Text.Encoding.UTF8.GetBytes(proof.ToJson()))
                    .Check(tree.Root, contract, key);
                Assert.Equal(held is null ? new StateVerdict.Absent() : new StateVerdict.Holds(held.Value), verdict);
                _ = held is null ? absent++ : holding++;
            }
        );
        Assert.True(holding >= 20 && absent >= 20, $"{holding} inclusions, {absent} absences");
    }

    [Fact]
    public void Ledgers_have_the_head() =>
        Each(
            "head",
            5,
            line =>
            {
                LedgerChain chain = new();
                foreach (Data entry in Items(Value(line[1])))
                {
                    chain.Append(Text(Items(entry)[0]), Items(entry)[1]);
                }

                Assert.Equal(line[2], $"{chain.Head}");
                Assert.Equal(Items(Value(line[1])).Length, chain.Count);
            }
        );

    internal static StateTree Tree(IEnumerable<StatePair> pairs)
    {
        StateTree tree = new();
        tree.Update([.. pairs.Select(pair => StateWrite.Put(pair.Contract, pair.Key, pair.Value))]);
        tree.Verify();
        return tree;
    }

    internal static StateProof Prove(StateTree tree, IEnumerable<StatePair> pairs, string contract, string key) =>
        tree.Prove(contract, key, path => pairs.Single(pair => StateTree.PathOf(pair.Contract, pair.Key) == path));

    private static void Each(string kind, int atLeast, Action<string[]> check)
    {
        string file = Path.Combine(AppContext.BaseDirectory, "vectors", "commitments", "python.tsv");
        string[][] lines = [.. File.ReadLines(file).Select(line => line.Split('\t')).Where(line => line[0] == kind)];
        Assert.True(lines.Length >= atLeast, $"{lines.Length} lines of {kind}");
        Assert.All(lines, check);
    }

    private static Data Value(string literal)
    {
        AssemblyResult assembly = Assembler.Assemble($".func main()\nLOAD_CONST {literal}\n.end\n", "vector.zxa");
        Assert.Empty(assembly.Diagnostics);
        return assembly.Program.Constants.Single();
    }

    private static StatePair[] Pairs(string literal) => [.. Items(Value(literal)).Select(Pair)];

    private static StatePair Pair(Data data) => new(Text(Items(data)[0]), Text(Items(data)[1]), Items(data)[2]);

    private static Data[] Items(Data list) => ((Data.List)list).items;

    private static string Text(Data text) => ((Data.String)text).value;
}
