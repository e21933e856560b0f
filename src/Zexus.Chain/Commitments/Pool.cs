namespace Zexus.Chain;

/// <summary>Structs in one array, by number; numbers that were given back are given out again first.</summary>
internal struct Pool<T>
    where T : struct
{
    private T[] _items = [];
    private int[] _free = [];
    private int _freeCount;

    public Pool() { }

    /// <summary>Numbers that were ever given out: all in use are below it.</summary>
    public int Used { get; private set; }

    public readonly int Count => Used - _freeCount;

    /// <summary>Until the next <see cref="Take"/>, which may move them all.</summary>
    public readonly ref T this[int number] => ref _items[number];

    /// <summary>The number of an item, which holds whatever it held.</summary>
    public int Take()
    {
        if (_freeCount > 0)
        {
            return _free[--_freeCount];
        }

        if (Used == _items.Length)
        {
            Array.Resize(ref _items, Math.Max(16, checked(Used * 2)));
        }

        return Used++;
    }

    public void GiveBack(int number)
    {
        if (_freeCount == _free.Length)
        {
            Array.Resize(ref _free, Math.Max(16, _freeCount * 2));
        }

        _free[_freeCount++] = number;
    }
}
