using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using NSec.Cryptography;
using Org.BouncyCastle.Crypto.EC;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Zexus.Vm;
using BigInteger = Org.BouncyCastle.Math.BigInteger;

namespace Zexus.Benchmarks;

/// <summary>
/// A check of a signature: by the library alone, its key read and its bytes at hand; from the texts, as VERIFY_SIGNATURE gives
/// them; and by a program, the loop around it in the figure. A message of 44 bytes, its hash in all figures.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*SignatureBenchmarks*' --job short</c></remarks>
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
public class SignatureBenchmarks
{
    private const int Checks = 100;
    private const string Message = "transfer 250 from alice to bob, order no. 17";
    private const string Secp256k1Name = "1.3.132.0.10";
    private static readonly byte[] MessageBytes = Encoding.UTF8.GetBytes(Message);

    private readonly Case _ed25519 = new(SignatureScheme.Ed25519);
    private readonly Case _secp256k1 = new(SignatureScheme.Secp256k1);
    private readonly Case _p256 = new(SignatureScheme.P256);
    private readonly Vm.Vm _vm = new(new VmOptions { GasLimit = long.MaxValue });

    private PublicKey _edwards = null!;
    private ECDsa _system = null!;
    private ECDsa _systemSecp256k1 = null!;
    private ECDsaSigner _bouncyCastle = null!;

    [GlobalSetup]
    public void Load()
    {
        _edwards = PublicKey.Import(SignatureAlgorithm.Ed25519, _ed25519.Point, KeyBlobFormat.RawPublicKey);
        _system = System(_p256.Point, "secp256r1", ECCurve.NamedCurves.nistP256);
        _systemSecp256k1 = System(_secp256k1.Point, "secp256k1", ECCurve.CreateFromValue(Secp256k1Name));
        ECDomainParameters domain = new(CustomNamedCurves.GetByName("secp256k1"));
        _bouncyCastle = new ECDsaSigner();
        _bouncyCastle.Init(
            forSigning: false,
            new ECPublicKeyParameters(domain.Curve.DecodePoint(_secp256k1.Point), domain)
        );
    }

    [GlobalCleanup]
    public void Free()
    {
        _vm.Dispose();
        _system.Dispose();
        _systemSecp256k1.Dispose();
    }

    [Benchmark(Baseline = true), BenchmarkCategory("Ed25519")]
    public bool Ed25519Library() =>
        Holds(SignatureAlgorithm.Ed25519.Verify(_edwards, MessageBytes, _ed25519.Signature));

    [Benchmark, BenchmarkCategory("Ed25519")]
    public bool Ed25519Engine() => _ed25519.Check();

    [Benchmark(OperationsPerInvoke = Checks), BenchmarkCategory("Ed25519")]
    public ExecutionResult Ed25519Program() => _ed25519.Run(_vm);

    [Benchmark(Baseline = true), BenchmarkCategory("secp256k1")]
    public bool Secp256k1Library() =>
        Holds(
            _bouncyCastle.VerifySignature(
                SHA256.HashData(MessageBytes),
                new BigInteger(1, _secp256k1.Signature, 0, 32),
                new BigInteger(1, _secp256k1.Signature, 32, 32)
            )
        );

    [Benchmark, BenchmarkCategory("secp256k1")]
    public bool Secp256k1Engine() => _secp256k1.Check();

    [Benchmark(OperationsPerInvoke = Checks), BenchmarkCategory("secp256k1")]
    public ExecutionResult Secp256k1Program() => _secp256k1.Run(_vm);

    /// <summary>The system's library, which the engine does not use for this curve.</summary>
    [Benchmark, BenchmarkCategory("secp256k1")]
    public bool Secp256k1System() =>
        Holds(_systemSecp256k1.VerifyData(MessageBytes, _secp256k1.Signature, HashAlgorithmName.SHA256));

    [Benchmark(Baseline = true), BenchmarkCategory("P-256")]
    public bool P256Library() => Holds(_system.VerifyData(MessageBytes, _p256.Signature, HashAlgorithmName.SHA256));

    [Benchmark, BenchmarkCategory("P-256")]
    public bool P256Engine() => _p256.Check();

    [Benchmark(OperationsPerInvoke = Checks), BenchmarkCategory("P-256")]
    public ExecutionResult P256Program() => _p256.Run(_vm);

    private static bool Holds(bool holds) => holds ? holds : throw new InvalidOperationException("It does not hold.");

    private static ECDsa System(byte[] point, string name, ECCurve curve)
    {
        byte[] full = CustomNamedCurves.GetByName(name).Curve.DecodePoint(point).GetEncoded(compressed: false);
        return ECDsa.Create(new ECParameters { Curve = curve, Q = { X = full[1..33], Y = full[33..] } });
    }

    private sealed class Case
    {
        private readonly string _key;
        private readonly string _text;
        private readonly ZexusProgram _program;

        public Case(SignatureScheme scheme)
        {
            using SigningKey key = SigningKey.Create(scheme);
            _key = key.PublicKey;
            _text = key.Sign(MessageBytes);
            Point = Convert.FromHexString(_key[(_key.IndexOf(':', StringComparison.Ordinal) + 1)..]);
            Signature = Convert.FromHexString(_text);
            _program = ZexusProgram.Load(
                Source.Assemble(
                    $"""
                    .func main() locals i
                        STORE_CONST i, {Checks}
                    again:
                        LOAD_CONST "{_text}"
                        LOAD_CONST "{Message}"
                        LOAD_CONST "{_key}"
                        VERIFY_SIGNATURE
                        LOAD_CONST "it does not hold"
                        REQUIRE
                        LOAD_NAME i
                        DEC
                        STORE_NAME i
                        LOAD_NAME i
                        JUMP_IF_TRUE again
                    .end
                    """
                )
            );
        }

        public byte[] Point { get; }

        public byte[] Signature { get; }

        public bool Check() => Holds(Signatures.Verify(_text, Message, _key));

        public ExecutionResult Run(Vm.Vm vm)
        {
            ExecutionResult result = vm.Execute(_program);
            return result.IsCompleted ? result : throw new InvalidOperationException($"{result.Fault}");
        }
    }
}
