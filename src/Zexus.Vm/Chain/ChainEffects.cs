using System.Text;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// What an execution and the contracts that it calls do to the world together: ledger, events, audit log and output in one order, and
/// what contracts that have returned wrote. Reverts cut it back to a mark.
/// </summary>
internal sealed class ChainEffects(MemoryGuard guard) : IDisposable
{
    /// <summary>How far it had come at some time.</summary>
    public readonly record struct Mark(DataLog.Mark Ledger, DataLog.Mark Events, int Journal, long Bytes);

    private readonly record struct Change(Dictionary<string, Data> Contract, string Key, Data? Before);

    private readonly List<(string Id, string[] Names)> _contracts = [];
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, Data>> _written = new(StringComparer.Ordinal);
    private readonly List<Change> _journal = [];

    // About what the values in it take, those that were overwritten since as well.
    private long _journalBytes;

    /// <summary>Characters that still make a string of .NET.</summary>
    private const int MostOutput = 1_000_000_000;

    /// <summary>An output of which so much is kept for the next execution.</summary>
    private const int MostKeptOutput = 64 * 1024;

    private StringBuilder _output = new();

    /// <summary>An entry begins with the number of its contract.</summary>
    public DataLog Ledger { get; } = new(guard);

    /// <summary>An event: the contract's number, its name's number in that contract's program, the payload.</summary>
    public DataLog Events { get; } = new(guard);

    /// <summary>The contract's number, what was logged, what was done with it. Nothing takes from it.</summary>
    public DataLog Audit { get; } = new(guard);

    /// <summary>All lines, for the result. Nothing takes from them before.</summary>
    /// <exception cref="HostGuardException">They are not within the limit a second time.</exception>
    public string TakeOutput()
    {
        guard.Lend(sizeof(char) * (long)_output.Length);
        return _output.ToString();
    }

    public Mark Now => new(Ledger.End, Events.End, _journal.Count, _journalBytes);

    /// <summary>An execution begins.</summary>
    public void Start()
    {
        Ledger.Clear();
        Events.Clear();
        Audit.Clear();
        guard.Count(-sizeof(char) * (long)_output.Length);
        _output = _output.Capacity > MostKeptOutput ? new() : _output.Clear();
        _contracts.Clear();
        _numbers.Clear();
        _written.Clear();
        _journal.Clear();
        guard.Count(-_journalBytes);
        _journalBytes = 0;
    }

    public void Dispose()
    {
        Start();
        Ledger.Dispose();
        Events.Dispose();
        Audit.Dispose();
    }

    /// <exception cref="HostGuardException">It is not within the limit, or more than a string of .NET can have.</exception>
    public void Print(string line)
    {
        long characters = line.Length + 1L;
        if (_output.Length + characters > MostOutput)
        {
            guard.Stop();
        }

        guard.CheckAtSafepoint(sizeof(char) * characters);
        _output.Append(line).Append('\n');
        guard.Count(sizeof(char) * characters);
    }

    /// <summary>The number of a contract, which executes a program with these names.</summary>
    public int NumberOf(string id, string[] names)
    {
        if (!_numbers.TryGetValue(id, out int number))
        {
            number = _contracts.Count;
            _contracts.Add((id, names));
            _numbers.Add(id, number);
        }

        return number;
    }

    public void Cut(Mark mark)
    {
        Ledger.Cut(mark.Ledger);
        Events.Cut(mark.Events);
        guard.Count(mark.Bytes - _journalBytes);
        _journalBytes = mark.Bytes;
        while (_journal.Count > mark.Journal)
        {
            Change change = _journal[^1];
            _journal.RemoveAt(_journal.Count - 1);
            if (change.Before is null)
            {
                change.Contract.Remove(change.Key);
            }
            else
            {
                change.Contract[change.Key] = change.Before;
            }
        }
    }

    /// <summary>A contract that was called has completed, and has written this, which takes about so many bytes.</summary>
    /// <exception cref="HostGuardException">All that returned contracts wrote takes more than the guard allows.</exception>
    public void Keep(string id, IReadOnlyDictionary<string, Data> writes, long bytes)
    {
        if (writes.Count == 0)
        {
            return;
        }

        guard.CheckAtSafepoint(bytes);
        guard.Count(bytes);
        _journalBytes += bytes;
        if (!_written.TryGetValue(id, out Dictionary<string, Data>? contract))
        {
            contract = new(StringComparer.Ordinal);
            _written.Add(id, contract);
        }

        foreach ((string key, Data value) in writes)
        {
            _journal.Add(new Change(contract, key, contract.GetValueOrDefault(key)));
            contract[key] = value;
        }
    }

    /// <summary>What calls have written to a contract's state so far; null when they have written nothing.</summary>
    public IReadOnlyDictionary<string, Data>? WritesOf(string id) => _written.GetValueOrDefault(id);

    /// <summary>All contracts that have executed but this one.</summary>
    public IReadOnlyList<string> Called(string contract) =>
        _contracts.Count == 1 ? [] : [.. _contracts.Select(known => known.Id).Where(id => id != contract)];

    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, Data>> TakeWrites() =>
        _written
            .Where(contract => contract.Value.Count > 0)
            .ToDictionary(
                contract => contract.Key,
                IReadOnlyDictionary<string, Data> (contract) => new Dictionary<string, Data>(contract.Value),
                StringComparer.Ordinal
            );

    public IReadOnlyList<AppendedEntry> TakeLedger()
    {
        (string Id, string[] Names)[] contracts = [.. _contracts];
        return Ledger.Take(
            (ref reader) =>
            {
                string id = contracts[reader.ReadNumber()].Id;
                return new AppendedEntry(id, reader.Read());
            }
        );
    }

    public IReadOnlyList<EmittedEvent> TakeEvents()
    {
        (string Id, string[] Names)[] contracts = [.. _contracts];
        return Events.Take(
            (ref reader) =>
            {
                (string id, string[] names) = contracts[reader.ReadNumber()];
                string name = names[reader.ReadNumber()];
                return new EmittedEvent(name, reader.Read()) { Contract = id };
            }
        );
    }

    public IReadOnlyList<AuditEntry> TakeAuditLog(System.Numerics.BigInteger timestamp)
    {
        (string Id, string[] Names)[] contracts = [.. _contracts];
        return Audit.Take(
            (ref reader) =>
            {
                string id = contracts[reader.ReadNumber()].Id;
                Data data = reader.Read();
                return new AuditEntry(data, reader.Read(), timestamp) { Contract = id };
            }
        );
    }
}
