using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>
/// The handlers of an event, in the order of their registration. An event that is emitted calls those of that moment, whatever is registered or taken
/// back meanwhile, and takes no copy: it has the array and the count, and what it may still read is not written over.
/// </summary>
internal sealed class EventHandlers(MemoryGuard guard) : IDisposable
{
    private Registration[] _items = [];

    /// <summary>How many of the array emissions that go on may read.</summary>
    private int _read;
    private int _emissions;
    private long _counted;

    public int Count { get; private set; }

    public void Add(Registration handler)
    {
        if (Count == _items.Length || Count < _read)
        {
            Replace(Count == _items.Length ? Math.Max(4, 2 * Count) : _items.Length);
        }

        _items[Count++] = handler;
    }

    /// <summary>The one before stays counted, to the end of the execution, where an emission may read it.</summary>
    private void Replace(int capacity)
    {
        long bytes = (long)capacity * Unsafe.SizeOf<Registration>();
        guard.Check(bytes);
        Registration[] items = new Registration[capacity];
        Array.Copy(_items, items, Count);
        long more = _read > 0 ? bytes : bytes - ((long)_items.Length * Unsafe.SizeOf<Registration>());
        guard.Count(more);
        _counted += more;
        _items = items;
        _read = 0;
    }

    public void RemoveLast() => Count--;

    /// <summary>An event is emitted: the first <see cref="Count"/> of these are its handlers until <see cref="End"/>.</summary>
    public Registration[] Begin()
    {
        _emissions++;
        _read = Math.Max(_read, Count);
        return _items;
    }

    /// <summary>It has called them all, or was given up.</summary>
    public void End()
    {
        if (--_emissions == 0)
        {
            _read = 0;
        }
    }

    public void Dispose()
    {
        guard.Count(-_counted);
        _counted = 0;
    }
}
