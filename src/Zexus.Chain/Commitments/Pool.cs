namespace Zexus.Chain;

/// <summary>
/// Structs by number, in blocks that stay where they are: a pool that grows copies nothing. Numbers that were given back are given out again first.
/// </summary>
internal struct Pool<T>
    where T : struct
{
    private const int BlockBits = 12;
    private const int BlockSize = 1 << BlockBits;

    private T[][] _blocks = [];
    private int[] _free = [];
    private int _freeCount;

    public Pool() { }

    /// <summary>Numbers that were ever given out: all in use are below it.</summary>
    public int Used { get; private set; }

    public readonly int Count => Used - _freeCount;

    public readonly ref T this[int number] => ref _blocks[number >> BlockBits][number & (BlockSize - 1)];

    /// <summary>The number of an item, which holds whatever it held.</summary>
    public int Take()
    {
        if (_freeCount > 0)
        {
            return _free[--_freeCount];
        }

        int block = Used >> BlockBits;
        if (block == _blocks.Length)
        {
            Array.Resize(ref _blocks, Math.Max(1, checked(2 * block)));
        }

        // A small tree has a small block.
        ref T[]? items = ref _blocks[block]!;
        int at = Used & (BlockSize - 1);
        if (items is null || at == items.Length)
        {
            Array.Resize(ref items, block == 0 ? Math.Clamp(2 * at, 16, BlockSize) : BlockSize);
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
