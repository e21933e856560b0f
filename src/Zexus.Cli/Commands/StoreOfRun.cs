using System.CommandLine;
using System.Security.Cryptography;
using Zexus.Chain;
using Zexus.Cli.Engines;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>The store that a run reads from and commits to.</summary>
internal sealed class StoreOfRun : IDisposable
{
    private readonly DurableStore _store;
    private readonly string _contract;
    private readonly long? _nonce;
    private readonly bool _isDryRun;

    private StoreOfRun(DurableStore store, string contract, long? nonce, bool isDryRun)
    {
        _store = store;
        _contract = contract;
        _nonce = nonce;
        _isDryRun = isDryRun;
    }

    public IStateSource Source => StateOf(_contract);

    public IStateSource StateOf(string contract) => new ContractState(_store, contract);

    /// <summary>Null when the state is in no store.</summary>
    public static StoreOfRun? Open(
        ParseResult parsed,
        HostOptions host,
        Option<string?> stateOut,
        Option<IEngine> engine
    )
    {
        if (host.Store(parsed) is not { } directory)
        {
            return null;
        }

        if (parsed.GetValue(stateOut) is not null)
        {
            throw Problem.Usage($"{stateOut.Name} writes a state to a file; a store keeps it itself");
        }

        if (parsed.GetValue(engine) is not Interpreter)
        {
            throw Problem.Usage("a store keeps what the interpreter did; --engine oracle takes a state in a file");
        }

        StoreOfRun store = new(
            DurableStore.Open(directory),
            host.Contract(parsed),
            host.Nonce(parsed),
            host.IsDryRun(parsed)
        );
        try
        {
            store.CheckNonce(host.Caller(parsed));
        }
        catch
        {
            store.Dispose();
            throw;
        }

        return store;
    }

    /// <summary>Null when nothing was to be committed.</summary>
    public Receipt? Commit(Program program, Inputs inputs, Execution execution)
    {
        if (_isDryRun)
        {
            return null;
        }

        ExecutionSummary summary = new()
        {
            Contract = _contract,
            Program = DigestOf(program),
            Called = execution.Result!.Called.ToDictionary(
                id => id,
                id => DigestOf(inputs.Contracts.Single(callable => callable.Id == id).Program.Program),
                StringComparer.Ordinal
            ),
            Function = inputs.Function,
            Arguments = inputs.Arguments,
            Caller = inputs.Caller,
            Nonce = _nonce,
            Timestamp = inputs.Timestamp,
            Height = inputs.Height,
            GasLimit = inputs.Gas,
            GasUsed = 0,
        };
        return _store.Commit(ExecutionRecord.Of(summary, execution.Result)).Single();
    }

    private static Digest DigestOf(Program program) => new(SHA256.HashData(Container.Encode(program)));

    public void Dispose() => _store.Dispose();

    /// <summary>Before anything is executed, so that nobody sees the output of what cannot be committed.</summary>
    private void CheckNonce(string caller)
    {
        if (_nonce is { } nonce && _store.NextNonce(caller) is var next && next != nonce)
        {
            throw new NonceException(caller, nonce, next);
        }
    }
}
