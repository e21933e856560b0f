namespace Zexus.Vm;

/// <summary>
/// What is known at one point of a function of the values in its frame: which places hold the same, which hold a constant,
/// and of which kind they are. Places of the frame come first, then the operand stack from the bottom.
/// </summary>
internal sealed class Values
{
    /// <summary>The value of a constant that is Null, whether or not the program has such a constant.</summary>
    public const int Null = -1;

    /// <summary>Above it, and below Null, are the names that unknown values have at a landing: after the lowest place that holds them.</summary>
    public const int LowestName = -(1 << 24);

    private readonly int _frame;
    private int[] _values;
    private KindSet[] _kinds;

    private Values(int frame, int[] values, KindSet[] kinds, int count)
    {
        _frame = frame;
        _values = values;
        _kinds = kinds;
        Count = count;
    }

    /// <summary>Places of the frame and cells of the operand stack.</summary>
    public int Count { get; private set; }

    public int Height => Count - _frame;

    /// <summary>The place of the top.</summary>
    public int Top => Count - 1;

    /// <summary>Nothing is known but how many cells there are.</summary>
    public static Values Unknown(int frame, int height)
    {
        Values result = new(frame, new int[frame + height], new KindSet[frame + height], frame + height);
        for (int i = 0; i < result.Count; i++)
        {
            result._values[i] = Named(i);
        }

        return result;
    }

    /// <summary>A constant's number, <see cref="Null"/>, or below it the name of an unknown value: equal names, equal values.</summary>
    public int this[int place] => _values[place];

    /// <summary>The one kind that it has; none when that is not known.</summary>
    public KindSet KindOf(int place) => _kinds[place];

    public static bool IsConstant(int value) => value >= Null;

    public void Set(int place, int value, KindSet kind)
    {
        _values[place] = value;
        _kinds[place] = kind;
    }

    public void Push(int value, KindSet kind)
    {
        if (Count == _values.Length)
        {
            Array.Resize(ref _values, Count + 16);
            Array.Resize(ref _kinds, Count + 16);
        }

        Set(Count++, value, kind);
    }

    public void Pop(int count) => Count -= count;

    /// <summary>The lowest place of the frame from the given one on that holds the value; -1 when none does.</summary>
    public int Find(int value, int from = 0)
    {
        int found = _values.AsSpan(from, _frame - from).IndexOf(value);
        return found < 0 ? -1 : found + from;
    }

    public Values Copy() => new(_frame, _values[..Count], _kinds[..Count], Count);

    /// <summary>Which places hold the same and which hold constants is forgotten.</summary>
    public Values KindsOnly()
    {
        Values result = Unknown(_frame, Height);
        _kinds.AsSpan(0, Count).CopyTo(result._kinds);
        return result;
    }

    /// <summary>Names each unknown value after the lowest place that holds it.</summary>
    public Values Renamed()
    {
        Values result = Copy();
        Dictionary<int, int>? names = null;
        for (int i = 0; i < Count; i++)
        {
            int value = _values[i];
            if (IsConstant(value) || (names is not null && names.TryGetValue(value, out result._values[i])))
            {
                continue;
            }

            // Most have kept their names: the place after which it is named still holds it, and is the lowest.
            int lowest = Null - 1 - value;
            if (lowest <= i && _values[lowest] == value)
            {
                result._values[i] = value;
                continue;
            }

            result._values[i] = Named(i);
            names ??= [];
            names.Add(value, Named(i));
        }

        return result;
    }

    /// <summary>What holds of both; this object itself when the other adds nothing to it. Both have their values named.</summary>
    public Values Join(Values other)
    {
        Values? result = null;
        Dictionary<(int, int), int>? names = null;
        for (int i = 0; i < Count; i++)
        {
            int value = _values[i];
            if (value != other._values[i] || (names is not null && !IsConstant(value)))
            {
                // Places hold the same if they do on both sides.
                if (names is null)
                {
                    names = [];
                    for (int k = 0; k < i; k++)
                    {
                        _ = names.TryAdd((_values[k], _values[k]), _values[k]);
                    }
                }

                (int, int) pair = (value, other._values[i]);
                if (!names.TryGetValue(pair, out value))
                {
                    value = Named(i);
                    names.Add(pair, value);
                }
            }

            KindSet kind = _kinds[i] == other._kinds[i] ? _kinds[i] : KindSet.None;
            if (result is null && (value != _values[i] || kind != _kinds[i]))
            {
                result = Copy();
            }

            result?.Set(i, value, kind);
        }

        return result ?? this;
    }

    private static int Named(int place) => Null - 1 - place;
}
