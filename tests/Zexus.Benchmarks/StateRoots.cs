using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Zexus.Chain;
using Zexus.Isa;

namespace Zexus.Benchmarks;

/// <summary>
/// The state root after writes into states of three sizes, and proofs, beside the bare hashes of so many nodes: SHA256.HashData of 65
/// bytes. Each write is to another key, drawn from the state.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*StateRoots*' --job short -i</c></remarks>
[MemoryDiagnoser]
public class StateRoots
{
    private const int Batch = 100;

    /// <summary>Draws, so that a mean over them is one over the depths of leaves.</summary>
    private const int Draws = 1_000;

    private readonly byte[] _node = new byte[CommitmentHash.NodeSize];
    private readonly byte[] _digest = new byte[Digest.Size];
    private StateTree _tree = null!;
    private StateWrite[] _all = [];
    private StatePair[] _drawn = [];
    private StateWrite[][] _rounds = [];
    private StateProof[] _proofs = [];
    private int _round;
    private int _nodesOfWrites;
    private int _nodesOfBatches;

    /// <summary>How many pairs the state has.</summary>
    [Params(10, 10_000, 1_000_000)]
    public int Pairs { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _all = [.. Enumerable.Range(0, Pairs).Select(i => StateWrite.Put("token", $"account{i}", Data.NewInt(i)))];
        _tree = new StateTree();
        _tree.Update(_all);
        Random random = new(7);
        string[] keys = [.. Enumerable.Range(0, Draws).Select(_ => $"account{random.Next(Pairs)}")];
        _drawn = [.. keys.Select(key => new StatePair("token", key, Data.NewInt(-1)))];

        // Two rounds of values that nothing else has: no write finds its value already there.
        _rounds =
        [
            [.. keys.Select((key, i) => StateWrite.Put("token", key, Data.NewInt(-2 - i)))],
            [.. keys.Select((key, i) => StateWrite.Put("token", key, Data.NewInt(-2 - Draws - i)))],
        ];

        long before = _tree.NodesHashed;
        WriteAndRoot();
        _nodesOfWrites = (int)(_tree.NodesHashed - before);
        before = _tree.NodesHashed;
        BatchAndRoot();
        _nodesOfBatches = (int)(_tree.NodesHashed - before);

        StateTree proved = new();
        proved.Update(_all);
        proved.Update([.. _drawn.Select(pair => StateWrite.Put(pair.Contract, pair.Key, pair.Value))]);
        _tree = proved;
        _proofs = [.. _drawn.Select(pair => _tree.Prove(pair.Contract, pair.Key, _ => pair))];
        if (Check() != Draws)
        {
            throw new InvalidOperationException("a proof does not hold");
        }

        Console.WriteLine(
            $"// {Pairs} pairs: {_tree.NodeCount} nodes; hashed for a write {(double)_nodesOfWrites / Draws}, for a write of a batch {(double)_nodesOfBatches / Draws}"
        );
    }

    [Benchmark(OperationsPerInvoke = Draws)]
    public Digest WriteAndRoot()
    {
        Digest root = default;
        foreach (ref readonly StateWrite write in NextRound())
        {
            _tree.Update(write);
            root = _tree.Root;
        }

        return root;
    }

    /// <summary>The limit of <see cref="WriteAndRoot"/>, but for the hashes of the path and the leaf.</summary>
    [Benchmark(OperationsPerInvoke = Draws)]
    public void NodesOfWrites() => Hash(_nodesOfWrites);

    /// <summary>A hundred writes at once; the figure is that of one.</summary>
    [Benchmark(OperationsPerInvoke = Draws)]
    public Digest BatchAndRoot()
    {
        Digest root = default;
        ReadOnlySpan<StateWrite> round = NextRound();
        for (int start = 0; start < Draws; start += Batch)
        {
            _tree.Update(round.Slice(start, Batch));
            root = _tree.Root;
        }

        return root;
    }

    /// <summary>The limit of <see cref="BatchAndRoot"/>, but for the hashes of paths and leaves.</summary>
    [Benchmark(OperationsPerInvoke = Draws)]
    public void NodesOfBatches() => Hash(_nodesOfBatches);

    /// <summary>All pairs in one batch.</summary>
    [Benchmark]
    public Digest BuildFromNothing()
    {
        StateTree tree = new();
        tree.Update(_all);
        return tree.Root;
    }

    /// <summary>The limit of <see cref="BuildFromNothing"/>: its nodes, and a path and a leaf for each pair.</summary>
    [Benchmark]
    public void HashesOfBuild() => Hash(_tree.NodeCount + (2 * Pairs));

    /// <summary>With the hash that shows the pair to be the tree's.</summary>
    [Benchmark(OperationsPerInvoke = Draws)]
    public int Prove()
    {
        int siblings = 0;
        foreach (StatePair pair in _drawn)
        {
            siblings += _tree.Prove(pair.Contract, pair.Key, _ => pair).Siblings.Length;
        }

        return siblings;
    }

    [Benchmark(OperationsPerInvoke = Draws)]
    public int Check()
    {
        int held = 0;
        foreach (StateProof proof in _proofs)
        {
            held += proof.Check(proof.Root, proof.Contract, proof.Key) is StateVerdict.Holds ? 1 : 0;
        }

        return held;
    }

    private ReadOnlySpan<StateWrite> NextRound() => _rounds[_round ^= 1];

    private void Hash(int count)
    {
        for (int i = 0; i < count; i++)
        {
            SHA256.HashData(_node, _digest);
        }
    }
}
