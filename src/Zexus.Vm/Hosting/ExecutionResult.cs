using System.Numerics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>An event that an execution emitted.</summary>
/// <param name="Name">The event's name.</param>
/// <param name="Payload">Its payload, as plain data.</param>
public sealed record EmittedEvent(string Name, Data Payload)
{
    /// <summary>The id of the contract that emitted it.</summary>
    public string Contract { get; init; } = "";
}

/// <summary>What was appended to the ledger.</summary>
/// <param name="Contract">The id of the contract that appended it.</param>
/// <param name="Entry">The entry.</param>
public sealed record AppendedEntry(string Contract, Data Entry);

/// <summary>An entry of the audit log.</summary>
/// <param name="Data">What was logged.</param>
/// <param name="Action">What was done with it.</param>
/// <param name="Timestamp">The block's timestamp.</param>
public sealed record AuditEntry(Data Data, Data Action, BigInteger Timestamp)
{
    /// <summary>The id of the contract that logged it.</summary>
    public string Contract { get; init; } = "";
}

/// <summary>The outcome of an execution: everything that can be observed of it, and what it took. Immutable, and free of the machine.</summary>
public sealed class ExecutionResult
{
    internal ExecutionResult(
        ZexusValue value,
        Fault? fault,
        ZexusValue? faultValue,
        int faultFunction,
        int faultInstruction,
        long gasUsed,
        long steps,
        IReadOnlyDictionary<string, Data> writes,
        IReadOnlyDictionary<string, Data> before,
        ChainEffects effects,
        string output,
        BigInteger timestamp,
        HeapStatistics heap,
        string contract
    )
    {
        Contract = contract;
        Called = effects.Called(contract);
        Value = value;
        Fault = fault;
        FaultValue = faultValue;
        FaultFunction = faultFunction;
        FaultInstruction = faultInstruction;
        GasUsed = gasUsed;
        Steps = steps;
        Writes = writes;
        State = writes.Count == 0 ? before : new StateView(before, writes);
        CalledWrites = effects.TakeWrites();
        Ledger = effects.TakeLedger();
        Events = effects.TakeEvents();
        Audit = effects.TakeAuditLog(timestamp);
        Output = output;
        Heap = heap;
    }

    /// <summary>The id that it executed under: <see cref="VmOptions.Contract"/>.</summary>
    public string Contract { get; }

    /// <summary>The ids of the contracts that were called, also where their calls have failed.</summary>
    public IReadOnlyList<string> Called { get; }

    /// <summary>Did it end without a fault?</summary>
    public bool IsCompleted => Fault is null;

    /// <summary>What the entry function returned; Null after a fault.</summary>
    public ZexusValue Value { get; }

    /// <summary>The fault that nobody caught; null when it completed.</summary>
    public Fault? Fault { get; }

    /// <summary>What a handler would have got: the value thrown, or the fault's name. Null when it completed.</summary>
    public ZexusValue? FaultValue { get; }

    /// <summary>The function that the fault arose in; -1 when it completed.</summary>
    public int FaultFunction { get; }

    /// <summary>The instruction that the fault arose at; -1 when it completed.</summary>
    public int FaultInstruction { get; }

    /// <summary>Gas used; a charge that did not fit is not in it.</summary>
    public long GasUsed { get; }

    /// <summary>Instructions, and ends of functions, that were begun.</summary>
    public long Steps { get; }

    /// <summary>The keys that this execution wrote, and what they hold now; none after a fault.</summary>
    public IReadOnlyDictionary<string, Data> Writes { get; }

    /// <summary>
    /// The state afterwards: <see cref="VmOptions.State"/> with the writes over it, without what only <see cref="VmOptions.Source"/> has.
    /// </summary>
    public IReadOnlyDictionary<string, Data> State { get; }

    /// <summary>What the contracts that it called wrote, by their ids: the keys, and what they hold now; none after a fault.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, Data>> CalledWrites { get; }

    /// <summary>What this execution appended to the ledger, and the contracts that it called.</summary>
    public IReadOnlyList<AppendedEntry> Ledger { get; }

    /// <summary>The events that this execution emitted.</summary>
    public IReadOnlyList<EmittedEvent> Events { get; }

    /// <summary>What this execution logged; a fault or a revert takes nothing from it.</summary>
    public IReadOnlyList<AuditEntry> Audit { get; }

    /// <summary>What this execution printed; a fault or a revert takes nothing from it.</summary>
    public string Output { get; }

    /// <summary>What it did with its heap. No outcome: engines, levels and options may differ in it.</summary>
    public HeapStatistics Heap { get; }
}
