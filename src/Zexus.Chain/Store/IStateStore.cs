using System.Diagnostics.CodeAnalysis;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>Where a chain stands.</summary>
/// <param name="Number">Executions committed.</param>
/// <param name="StateRoot">docs/commitments.md.</param>
/// <param name="LedgerCount">Entries of the ledger.</param>
/// <param name="LedgerHead">docs/commitments.md.</param>
/// <param name="ReceiptHead">The head of the chain of receipts: docs/store.md.</param>
public sealed record ChainHead(long Number, Digest StateRoot, long LedgerCount, Digest LedgerHead, Digest ReceiptHead);

/// <summary>An entry of the ledger.</summary>
/// <param name="Position">1 for the first.</param>
/// <param name="Execution">The number of the execution that appended it.</param>
/// <param name="Contract">Whose it is.</param>
/// <param name="Entry">What it says.</param>
/// <param name="Head">The head of the ledger after it.</param>
public sealed record LedgerEntry(long Position, long Execution, string Contract, Data Entry, Digest Head);

/// <summary>An event that was emitted.</summary>
/// <param name="Position">1 for the first of the store.</param>
/// <param name="Execution">The number of the execution that emitted it.</param>
/// <param name="Contract">Whose it is.</param>
/// <param name="Event">Name and payload.</param>
public sealed record StoredEvent(long Position, long Execution, string Contract, EmittedEvent Event);

/// <summary>An entry of the audit log.</summary>
/// <param name="Position">1 for the first of the store.</param>
/// <param name="Execution">The number of the execution that logged it.</param>
/// <param name="Contract">Whose it is.</param>
/// <param name="Entry">What was logged.</param>
public sealed record StoredAudit(long Position, long Execution, string Contract, AuditEntry Entry);

/// <summary>
/// The state of all contracts, the ledger, events, audit log and receipts of a chain. Executions are numbered 1, 2 and so on, and the state after each
/// can be read until it is pruned. Belongs to one thread at a time. Every method throws <see cref="StoreException"/> for what cannot be had.
/// </summary>
public interface IStateStore : IDisposable
{
    /// <summary>Where the chain stands.</summary>
    ChainHead Head { get; }

    /// <summary>The first state that can be read, by the number of the execution after which it is.</summary>
    long Oldest { get; }

    /// <summary>What a contract's key holds; false when nothing does.</summary>
    bool TryRead(string contract, string key, [MaybeNullWhen(false)] out Data value);

    /// <summary>What it held after an execution, 0 for the beginning.</summary>
    bool TryRead(string contract, string key, long number, [MaybeNullWhen(false)] out Data value);

    /// <summary>What a contract's value comes to that is not in memory: <see cref="IStateSource.Measure"/>.</summary>
    DataSize Measure(string contract, string key, long most) => default;

    /// <summary>The nonce that the caller's next execution has; 0 for a caller who is not known.</summary>
    long NextNonce(string caller);

    /// <summary>
    /// Adds executions, all or none of them; once it returns they are there for good. One sync, however many there are.
    /// </summary>
    /// <exception cref="NonceException">One has a nonce that is not its caller's next.</exception>
    /// <exception cref="ArgumentException">One has something that is no plain data.</exception>
    /// <exception cref="RecordTooLargeException">One has more than a store keeps.</exception>
    IReadOnlyList<Receipt> Commit(params IReadOnlyList<ExecutionRecord> executions);

    /// <summary>Receipts from this number on.</summary>
    IEnumerable<Receipt> Receipts(long from = 1);

    /// <summary>Ledger entries from this position on.</summary>
    IEnumerable<LedgerEntry> Ledger(long from = 1);

    /// <summary>Events from this position on.</summary>
    IEnumerable<StoredEvent> Events(long from = 1);

    /// <summary>Entries of the audit log from this position on.</summary>
    IEnumerable<StoredAudit> Audit(long from = 1);

    /// <summary>Every key, by contract and key in the order of their UTF-8 bytes.</summary>
    IEnumerable<StatePair> State();

    /// <summary>A proof of what a key holds now, or that it holds nothing.</summary>
    StateProof Prove(string contract, string key);

    /// <summary>States after executions before this one can no longer be read; what that frees is free.</summary>
    void Prune(long number);
}

/// <summary>A contract's part of a store, for <see cref="VmOptions.Source"/>.</summary>
/// <param name="store">The store; nothing is committed to it while this is in use.</param>
/// <param name="contract">Whose keys.</param>
public sealed class ContractState(IStateStore store, string contract) : IStateSource
{
    /// <inheritdoc/>
    public bool TryRead(string key, [MaybeNullWhen(false)] out Data value) => store.TryRead(contract, key, out value);

    /// <inheritdoc/>
    public DataSize Measure(string key, long most) => store.Measure(contract, key, most);
}
