using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using Zexus.Chain;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>
/// One message: HASH_BLOCK beside its hash alone, the class library's, and an instruction that makes the same text of the block.
/// Figures of programs have the loop in them.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*BlockHashes*' --job short</c></remarks>
public unsafe class BlockHashes
{
    private const int Hashes = 1_000;

    private readonly Vm.Vm _vm = new(new VmOptions { GasLimit = long.MaxValue });
    private readonly byte[] _digest = new byte[Sha256.DigestBytes];
    private byte[] _json = [];
    private ZexusProgram _hash = null!;
    private ZexusProgram _loop = null!;

    /// <summary>Digits of the block's one field.</summary>
    [Params(8, 40)]
    public int Digits { get; set; }

    [GlobalSetup]
    public void Load()
    {
        string text = new('7', Digits);
        _json = Encoding.UTF8.GetBytes("{\"a\": \"" + text + "\"}");
        _hash = Program("HASH_BLOCK");
        _loop = Program("GET_LENGTH");
        string expected = Convert.ToHexStringLower(SHA256.HashData(_json));
        if (HashBlock().Value.AsString != expected)
        {
            throw new InvalidOperationException($"{HashBlock().Value} is not {expected}");
        }

        ZexusProgram Program(string instruction) =>
            ZexusProgram.Load(
                Source.Assemble(
                    $$"""
                    .func main() locals i, block, last
                        LOAD_CONST "a"
                        LOAD_CONST "{{text}}"
                        BUILD_MAP 1
                        STORE_NAME block
                        STORE_CONST i, {{Hashes}}
                    again:
                        LOAD_NAME block
                        {{instruction}}
                        STORE_NAME last
                        LOAD_NAME i
                        DEC
                        STORE_NAME i
                        LOAD_NAME i
                        JUMP_IF_TRUE again
                        LOAD_NAME last
                    .end
                    """
                )
            );
    }

    [GlobalCleanup]
    public void Free() => _vm.Dispose();

    [Benchmark(OperationsPerInvoke = Hashes)]
    public ExecutionResult HashBlock() => Run(_hash);

    [Benchmark(OperationsPerInvoke = Hashes)]
    public ExecutionResult LoopAlone() => Run(_loop);

    [Benchmark(Baseline = true)]
    public void ClassLibrary() => SHA256.HashData(_json, _digest);

    [Benchmark]
    public void Engine() => Sha256.Hash(_json, _digest);

    [Benchmark]
    public void Portable() => Sha256.Hash(Sha256Compression.Portable, _json, _digest);

    private ExecutionResult Run(ZexusProgram program)
    {
        ExecutionResult result = _vm.Execute(program);
        return result.IsCompleted ? result : throw new InvalidOperationException($"{result.Fault}");
    }
}

/// <summary>
/// The root of a million leaves: by MERKLE_ROOT in thousands, by its tree alone, by a call of the class library for each node, and the blocks
/// of it (one for a leaf, two and a constant one for a pair) in the fastest way this processor knows, from the cache.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*MerkleRoots*' --job short -i</c></remarks>
public unsafe class MerkleRoots
{
    private const int Leaves = 1_000_000;

    /// <summary>Leaves of a program's root; an operand stack has 1,024 cells.</summary>
    private const int OfProgram = 1_000;

    private readonly Vm.Vm _vm = new(new VmOptions { GasLimit = long.MaxValue });
    private byte[][] _leaves = [];
    private byte[] _hex = [];
    private ZexusProgram _root = null!;
    private ZexusProgram _leavesAlone = null!;

    [GlobalSetup]
    public void Load()
    {
        _leaves = [.. Enumerable.Range(0, Leaves).Select(i => Encoding.UTF8.GetBytes(Text(i)))];
        _hex = new byte[2 * Leaves * Sha256.HexBytes];
        _root = Program($"MERKLE_ROOT {OfProgram}");
        _leavesAlone = Program($"BUILD_LIST {OfProgram}");
        (string, string)[] roots =
        [
            (ClassLibrary(), Tree(Sha256Batch.Best, _leaves)),
            (MerkleRoot().Value.AsString, Tree(Sha256Batch.Scalar, _leaves[..OfProgram])),
        ];
        foreach ((string root, string other) in roots)
        {
            if (root != other)
            {
                throw new InvalidOperationException($"{root} is not {other}");
            }
        }
    }

    [GlobalCleanup]
    public void Free() => _vm.Dispose();

    /// <summary>A program that pushes a thousand leaves and takes their root, a thousand times.</summary>
    [Benchmark]
    public ExecutionResult MerkleRoot() => Run(_root);

    /// <summary>One that makes Lists of them.</summary>
    [Benchmark]
    public ExecutionResult LeavesAlone() => Run(_leavesAlone);

    [Benchmark]
    public string EngineBest() => Tree(Sha256Batch.Best, _leaves);

    [Benchmark]
    public string EngineAvx2() => Tree(Sha256Batch.Avx2, _leaves);

    [Benchmark]
    public string EngineScalar() => Tree(Sha256Batch.Scalar, _leaves);

    [Benchmark(Baseline = true)]
    public string ClassLibrary()
    {
        Span<byte> digest = stackalloc byte[Sha256.DigestBytes];
        for (int i = 0; i < Leaves; i++)
        {
            SHA256.HashData(_leaves[i], digest);
            Convert.TryToHexStringLower(digest, _hex.AsSpan(i * Sha256.HexBytes), out _);
        }

        for (int nodes = Leaves; nodes > 1; nodes = (nodes + 1) / 2)
        {
            if (nodes % 2 == 1)
            {
                _hex.AsSpan((nodes - 1) * Sha256.HexBytes, Sha256.HexBytes)
                    .CopyTo(_hex.AsSpan(nodes * Sha256.HexBytes));
            }

            for (int i = 0; i < (nodes + 1) / 2; i++)
            {
                SHA256.HashData(_hex.AsSpan(2 * i * Sha256.HexBytes, 2 * Sha256.HexBytes), digest);
                Convert.TryToHexStringLower(digest, _hex.AsSpan(i * Sha256.HexBytes), out _);
            }
        }

        return Encoding.ASCII.GetString(_hex.AsSpan(0, Sha256.HexBytes));
    }

    /// <summary>As many blocks, without their bytes: the limit of what hashes.</summary>
    [Benchmark]
    public void BlocksInCache()
    {
        Sha256Batch batch = Sha256Batch.Best;
        int lanes = batch.Lanes;
        byte* messages = stackalloc byte[Sha256.BlockBytes * lanes];
        uint* digests = stackalloc uint[2 * Sha256.StateWords * lanes];
        for (int i = 0; i < Leaves; i += lanes)
        {
            batch.Hash(messages, 1, digests, 2 * lanes);
            batch.HashPairs(digests, 2 * lanes, lanes);
        }
    }

    private static ZexusProgram Program(string end)
    {
        StringBuilder source = new();
        for (int i = 0; i < OfProgram; i++)
        {
            source.Append("    LOAD_CONST \"").Append(Text(i)).Append("\"\n");
        }

        return ZexusProgram.Load(
            Source.Assemble(
                $"""
                .func main() locals i, last
                    STORE_CONST i, {Leaves / OfProgram}
                again:
                {source}
                    {end}
                    STORE_NAME last
                    LOAD_NAME i
                    DEC
                    STORE_NAME i
                    LOAD_NAME i
                    JUMP_IF_TRUE again
                    LOAD_NAME last
                .end
                """
            )
        );
    }

    private static string Text(int leaf) => $"leaf {leaf:D8}";

    private static string Tree(Sha256Batch batch, byte[][] leaves)
    {
        MerkleTree tree = new(null, batch);
        foreach (byte[] leaf in leaves)
        {
            tree.Add(leaf);
        }

        return tree.Complete().Root;
    }

    private ExecutionResult Run(ZexusProgram program)
    {
        ExecutionResult result = _vm.Execute(program);
        return result.IsCompleted ? result : throw new InvalidOperationException($"{result.Fault}");
    }
}
