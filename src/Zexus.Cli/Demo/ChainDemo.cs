using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Zexus.Chain;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Demo;

/// <summary>A block that was committed.</summary>
/// <param name="Story">What happens in it.</param>
internal sealed record DemoBlock(
    BigInteger Height,
    BigInteger Timestamp,
    string Story,
    IReadOnlyList<Receipt> Receipts,
    ChainHead Head
)
{
    public long Gas => Receipts.Sum(receipt => receipt.Summary.GasUsed);

    public int Refused => Receipts.Count(receipt => receipt.Summary.Fault is not null);
}

/// <summary>
/// Five contracts of examples/contracts on one store, a few executions a block, with callers, nonces, heights and times. Everything is given, keys
/// included, so that each run comes to the same digests.
/// </summary>
internal sealed class ChainDemo
{
    public const string ProvedContract = "token";
    public const string ProvedKey = "balance:bob";
    public const int Blocks = 5;

    private const long Gas = 1_000_000;
    private const long Start = 1_767_225_600;
    private const long BlockTime = 10;
    private const long Deadline = Start + (4 * BlockTime);

    // The secret keys of RFC 8032, section 7.1, which everybody knows.
    private static readonly (string Name, string Secret)[] Signers =
    [
        ("buyer", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
        ("seller", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
        ("arbiter", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
    ];

    /// <summary>What a store has before the first block: the escrow takes from balances that are there.</summary>
    public static readonly StatePair[] Beginning = [new("escrow", "balance:alice", Data.NewInt(100))];

    private readonly IStateStore _store;
    private readonly PendingBlock _block;
    private readonly Dictionary<string, (Program Image, ZexusProgram Loaded, Digest Hash)> _contracts = [];
    private readonly Vm.Vm _vm = new();
    private readonly List<bool> _faults = [];
    private long _height;

    private ChainDemo(IStateStore store)
    {
        _store = store;
        _block = new PendingBlock(store);
    }

    /// <summary>Executes and commits block by block.</summary>
    /// <param name="store">Begun with <see cref="Beginning"/>.</param>
    /// <exception cref="InvalidOperationException">An execution ended otherwise than it does.</exception>
    public static IEnumerable<DemoBlock> Run(IStateStore store)
    {
        ChainDemo demo = new(store);
        using (demo._vm)
        {
            foreach ((string story, Action block) in demo.Contents())
            {
                yield return demo.Commit(story, block);
            }
        }
    }

    private IEnumerable<(string Story, Action Block)> Contents()
    {
        yield return (
            "alice deploys a token and opens a vote; mining and an audit ledger begin",
            () =>
            {
                Call("alice", "token", "deploy", Int(1000));
                Call("erin", "mining", "start", Int(2));
                Call("alice", "audit", "open");
                Call("alice", "vote", "open", Text("tea or coffee?"), List(Text("tea"), Text("coffee")), Int(Deadline));
            }
        );
        yield return (
            "alice pays bob, bob allows carol to spend; an escrow of 60; an audit entry",
            () =>
            {
                Call("alice", "token", "transfer", Text("bob"), Int(100));
                Call("bob", "token", "approve", Text("carol"), Int(50));
                Call("alice", "escrow", "open", Text("bob"), Int(60), List([.. Signers.Select(PublicKey)]));
                Call("alice", "audit", "record", Text("deposit"), Int(60));
            }
        );
        yield return (
            "carol spends what bob allowed; three vote; erin mines a block",
            () =>
            {
                Call("carol", "token", "transfer_from", Text("bob"), Text("dave"), Int(30));
                Call("bob", "vote", "vote", Int(0));
                Call("carol", "vote", "vote", Int(1));
                Call("dave", "vote", "vote", Int(0));
                Call("erin", "mining", "mine", List(Text("alice pays bob 100"), Text("bob pays dave 30")));
            }
        );
        yield return (
            "buyer and seller sign the escrow's release; it is refused again, as are a late vote and a stranger's audit entry",
            () =>
            {
                // The buyer and the seller sign the text that the contract says itself; the arbiter is not asked.
                Data[] what = [Int(1), Text("release"), Int(60)];
                string message = ((Data.String)Look("escrow", "message", what)).value;
                Data signatures = List(Signature(Signers[0], message), Signature(Signers[1], message), Data.Null);
                Call("bob", "escrow", "release", Int(1), Int(60), signatures);
                Refused("bob", "escrow", "release", Int(1), Int(60), signatures);
                Refused("erin", "vote", "vote", Int(1));
                Refused("mallory", "audit", "record", Text("withdrawal"), Int(1_000_000));
            }
        );
        yield return (
            "the vote is closed; dave mines a block, and is refused to spend what he has not; an audit entry",
            () =>
            {
                Call("alice", "vote", "close");
                Call("dave", "mining", "mine", List(Text("the seller got 60")));
                Refused("dave", "token", "transfer", Text("erin"), Int(31));
                Call("alice", "audit", "record", Text("release"), Int(60));
            }
        );
    }

    private DemoBlock Commit(string story, Action block)
    {
        _height++;
        _faults.Clear();
        block();
        IReadOnlyList<Receipt> receipts = _block.Commit();
        for (int i = 0; i < receipts.Count; i++)
        {
            if (receipts[i].Summary.Fault is null == _faults[i])
            {
                throw new InvalidOperationException(
                    $"execution {receipts[i].Number} ended with {receipts[i].Summary.Fault ?? "a result"}"
                );
            }
        }

        return new DemoBlock(_height, Time, story, receipts, _store.Head);
    }

    private BigInteger Time => Start + (_height * BlockTime);

    private void Call(string caller, string contract, string entry, params Data[] arguments) =>
        Add(caller, contract, entry, arguments, faults: false);

    private void Refused(string caller, string contract, string entry, params Data[] arguments) =>
        Add(caller, contract, entry, arguments, faults: true);

    private void Add(string caller, string contract, string entry, Data[] arguments, bool faults)
    {
        (Program image, _, Digest hash) = Contract(contract);
        EntryCall call = EntryCall.Named(image, entry, arguments);
        ExecutionSummary summary = new()
        {
            Contract = contract,
            Program = hash,
            Function = call.Function,
            Arguments = arguments,
            Caller = caller,
            Nonce = _block.NextNonce(caller),
            Timestamp = Time,
            Height = _height,
            GasLimit = Gas,
            GasUsed = 0,
        };
        _block.Add(ExecutionRecord.Of(summary, Execute(contract, call, caller)));
        _faults.Add(faults);
    }

    /// <summary>What an entry returns that is not executed on the chain.</summary>
    private Data Look(string contract, string entry, Data[] arguments) =>
        Execute(contract, EntryCall.Named(Contract(contract).Image, entry, arguments), "").Value.ToData()!;

    private ExecutionResult Execute(string contract, EntryCall call, string caller)
    {
        _vm.Options = new VmOptions
        {
            GasLimit = Gas,
            Contract = contract,
            Source = _block.Of(contract),
            Block = new BlockContext
            {
                Timestamp = Time,
                Height = _height,
                Caller = caller,
            },
        };
        return _vm.Execute(Contract(contract).Loaded, call);
    }

    private (Program Image, ZexusProgram Loaded, Digest Hash) Contract(string name)
    {
        if (!_contracts.TryGetValue(name, out (Program, ZexusProgram, Digest) contract))
        {
            using Stream resource = typeof(ChainDemo).Assembly.GetManifestResourceStream($"contracts/{name}.zxa")!;
            using StreamReader text = new(resource, Encoding.UTF8);
            Program image = Assembler.Assemble(text.ReadToEnd(), name).Program;
            contract = (image, ZexusProgram.Load(image), new Digest(SHA256.HashData(Container.Encode(image))));
            _contracts.Add(name, contract);
        }

        return contract;
    }

    private static Data PublicKey((string Name, string Secret) signer)
    {
        using SigningKey key = KeyOf(signer.Secret);
        return Text(key.PublicKey);
    }

    private static Data Signature((string Name, string Secret) signer, string message)
    {
        using SigningKey key = KeyOf(signer.Secret);
        return Text(key.Sign(Encoding.UTF8.GetBytes(message)));
    }

    private static SigningKey KeyOf(string secret)
    {
        // PKCS#8 of an Ed25519 key is these bytes and the key.
        byte[] der = Convert.FromHexString("302e020100300506032b657004220420" + secret);
        return SigningKey.FromPem(PemEncoding.WriteString("PRIVATE KEY", der))!;
    }

    private static Data Int(long value) => Data.NewInt(value);

    private static Data Text(string value) => Data.NewString(value);

    private static Data List(params Data[] items) => Data.NewList(items);
}
