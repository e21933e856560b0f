using System.Diagnostics.CodeAnalysis;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>A contract that programs can call with <c>call_contract</c>.</summary>
/// <param name="Program">Its program, under the same limits as the program that calls.</param>
/// <param name="State">Its state before the execution; null when it is empty.</param>
public sealed record Contract(ZexusProgram Program, IStateSource? State = null);

/// <summary>Where contracts are looked for that a program calls.</summary>
public interface IContractSource
{
    /// <summary>The contract of an id; false when there is none. An exception ends the execution and reaches the host.</summary>
    /// <param name="id">Any String of a program.</param>
    /// <param name="contract">The contract.</param>
    bool TryFind(string id, [MaybeNullWhen(false)] out Contract contract);
}

/// <summary>Contracts by id. Not to be changed while an execution runs.</summary>
public sealed class Contracts : IContractSource
{
    private readonly Dictionary<string, Contract> _contracts = new(StringComparer.Ordinal);

    /// <summary>Adds a contract; returns this object, so that calls can be chained.</summary>
    /// <exception cref="ArgumentException">There is one of this id already.</exception>
    public Contracts Add(string id, Contract contract)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(contract);
        return _contracts.TryAdd(id, contract)
            ? this
            : throw new ArgumentException($"there is a contract \"{id}\" already", nameof(id));
    }

    /// <inheritdoc/>
    public bool TryFind(string id, [MaybeNullWhen(false)] out Contract contract) =>
        _contracts.TryGetValue(id, out contract);
}

/// <summary>A state that is in memory already.</summary>
/// <param name="state">Keys and what they hold; not to be changed while an execution runs.</param>
public sealed class StateInMemory(IReadOnlyDictionary<string, Data> state) : IStateSource
{
    /// <summary>All of it.</summary>
    public IReadOnlyDictionary<string, Data> State => state;

    /// <inheritdoc/>
    public bool TryRead(string key, [MaybeNullWhen(false)] out Data value) => state.TryGetValue(key, out value);
}
