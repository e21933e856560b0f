using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// What an execution can change outside its heap: state, ledger, events, registrations, audit log. State is an overlay on
/// the host's with an undo journal, so a transaction costs what it writes, whatever the size of the state.
/// </summary>
internal sealed class World(IReadOnlyDictionary<string, Data> state)
{
    private readonly record struct Undo(string Key, Data? Before);

    private readonly record struct Transaction(long Number, int Journal, int Ledger, int Events, int Registrations);

    private readonly record struct Registered(int Event, int Handler);

    private readonly IReadOnlyDictionary<string, Data> _base = state;
    private readonly Dictionary<string, Data> _written = new(StringComparer.Ordinal);
    private readonly List<Undo> _journal = [];
    private readonly List<Transaction> _open = [];
    private readonly List<Data> _ledger = [];
    private readonly List<EmittedEvent> _events = [];
    private readonly List<AuditEntry> _audit = [];
    private readonly List<Registered> _registrations = [];
    private readonly HashSet<Registered> _registered = [];
    private readonly Dictionary<int, List<Registration>> _handlers = [];

    public int OpenTransactions => _open.Count;

    /// <summary>The number of the last TX_BEGIN; later ones have larger numbers.</summary>
    public long LastTransaction { get; private set; }

    public IReadOnlyDictionary<string, Data> State => _written.Count == 0 ? _base : new StateView(_base, _written);

    public IReadOnlyList<Data> Ledger => _ledger;

    public IReadOnlyList<EmittedEvent> Events => _events;

    public IReadOnlyList<AuditEntry> AuditLog => _audit;

    public Data? Read(string key) =>
        _written.TryGetValue(key, out Data? value) || _base.TryGetValue(key, out value) ? value : null;

    public void Write(string key, Data value)
    {
        if (_open.Count > 0)
        {
            _journal.Add(new Undo(key, _written.GetValueOrDefault(key)));
        }

        _written[key] = value;
    }

    public void Append(Data entry) => _ledger.Add(entry);

    public void Audit(AuditEntry entry) => _audit.Add(entry);

    public void Emit(string name, Data payload) => _events.Add(new EmittedEvent(name, payload));

    public void Register(int name, Registration handler)
    {
        Registered registered = new(name, handler.Name);
        if (!_registered.Add(registered))
        {
            return;
        }

        _registrations.Add(registered);
        if (!_handlers.TryGetValue(name, out List<Registration>? handlers))
        {
            handlers = [];
            _handlers.Add(name, handlers);
        }

        handlers.Add(handler);
    }

    /// <summary>The event's handlers at this moment, in order of registration.</summary>
    public Registration[] HandlersOf(int name) =>
        _handlers.TryGetValue(name, out List<Registration>? handlers) ? [.. handlers] : [];

    public void Begin() =>
        _open.Add(
            new Transaction(++LastTransaction, _journal.Count, _ledger.Count, _events.Count, _registrations.Count)
        );

    public void Commit()
    {
        if (_open.Count == 0)
        {
            return;
        }

        // What it wrote stays in the journal, for the parent to undo.
        _open.RemoveAt(_open.Count - 1);
        if (_open.Count == 0)
        {
            _journal.Clear();
        }
    }

    public void Revert()
    {
        if (_open.Count == 0)
        {
            return;
        }

        Transaction transaction = _open[^1];
        _open.RemoveAt(_open.Count - 1);
        for (int i = _journal.Count - 1; i >= transaction.Journal; i--)
        {
            if (_journal[i].Before is { } before)
            {
                _written[_journal[i].Key] = before;
            }
            else
            {
                _written.Remove(_journal[i].Key);
            }
        }

        Cut(_journal, transaction.Journal);
        Cut(_ledger, transaction.Ledger);
        Cut(_events, transaction.Events);
        for (int i = _registrations.Count - 1; i >= transaction.Registrations; i--)
        {
            // Registrations of one event stand in order, so the last of all is the last of its event.
            Registered registered = _registrations[i];
            List<Registration> handlers = _handlers[registered.Event];
            handlers.RemoveAt(handlers.Count - 1);
            _registered.Remove(registered);
        }

        Cut(_registrations, transaction.Registrations);
    }

    /// <summary>Reverts the open transactions that began after the one of that number.</summary>
    public void RevertTo(long number)
    {
        while (_open.Count > 0 && _open[^1].Number > number)
        {
            Revert();
        }
    }

    /// <summary>The execution has completed: what is still open is reverted.</summary>
    public void EndExecution() => RevertTo(0);

    /// <summary>The execution has failed: only the audit log stays.</summary>
    public void Abandon()
    {
        _open.Clear();
        _journal.Clear();
        _written.Clear();
        _ledger.Clear();
        _events.Clear();
    }

    private static void Cut<T>(List<T> list, int count) => list.RemoveRange(count, list.Count - count);
}
