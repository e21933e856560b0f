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

    /// <summary>Of the counted bytes those of arrays that only emissions have yet.</summary>
    private long _replaced;

    public int Count { get; private set; }

    public void Add(Registration handler)
    {
        if (Count == _items.Length || Count < _read)
        {
            Replace(Count == _items.Length ? Math.Max(4, 2 * Count) : _items.Length);
        }

        _items[Count++] = handler;
    }

    /// <summary>The one before stays counted while an emission may read it.</summary>
    private void Replace(int capacity)
    {
        long bytes = (long)capacity * Unsafe.SizeOf<Registration>();
        guard.Check(bytes);
        Registration[] items = new Registration[capacity];
        Array.Copy(_items, items, Count);
        Note(bytes);
        long before = (long)_items.Length * Unsafe.SizeOf<Registration>();
        if (_read > 0)
        {
            _replaced += before;
        }
        else
        {
            Note(-before);
        }

        _items = items;
        _read = 0;
    }

    public void RemoveLast() => Count--;

    /// <summary>An event is emitted: the first <see cref="Count"/> of these are its handlers until <see cref="End"/>.</summary>
    /// <param name="readBefore">What the emissions below it may read; for its end.</param>
    public Registration[] Begin(out int readBefore)
    {
        _emissions++;
        readBefore = _read;
        _read = Math.Max(_read, Count);
        return _items;
    }

    /// <summary>The last emission that has begun has called them all, or was given up.</summary>
    public void End(Registration[] items, int readBefore)
    {
        if (ReferenceEquals(items, _items))
        {
            _read = readBefore;
        }

        if (--_emissions == 0)
        {
            Note(-_replaced);
            _replaced = 0;
        }
    }

    public void Dispose()
    {
        Note(-_counted);
        _replaced = 0;
    }

    private void Note(long bytes)
    {
        guard.Count(bytes);
        _counted += bytes;
    }
}
