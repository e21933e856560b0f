using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The constants of a program and those that rewrites add. Equal ones have one number, the lowest.</summary>
internal sealed class ConstantPool
{
    private readonly List<Data> _constants;
    private readonly List<Fact> _facts;
    private readonly int[] _first;
    private readonly Dictionary<Data, int> _numbers = [];

    public ConstantPool(Program program)
    {
        _constants = [.. program.Constants];
        _facts = [.. _constants.Select(MakeFact)];
        _first = new int[_constants.Count];
        for (int i = 0; i < _constants.Count; i++)
        {
            if (!_numbers.TryGetValue(_constants[i], out _first[i]))
            {
                _numbers.Add(_constants[i], i);
                _first[i] = i;
            }
        }
    }

    /// <summary>What is known of Int 1.</summary>
    public Fact One { get; } = new(KindSet.Int, true);

    public Data this[long number] => _constants[(int)number];

    /// <summary>The lowest number of an equal constant.</summary>
    public long FirstOf(long number) => number < _first.Length ? _first[number] : number;

    public Fact FactOf(long number) => _facts[(int)number];

    /// <summary>The number of a constant; null when there is none like it.</summary>
    public int? Find(Data data) => _numbers.TryGetValue(data, out int number) ? number : null;

    public int NumberOf(Data data)
    {
        if (!_numbers.TryGetValue(data, out int number))
        {
            number = _constants.Count;
            _numbers.Add(data, number);
            _constants.Add(data);
            _facts.Add(MakeFact(data));
        }

        return number;
    }

    public ImmutableArray<Data> ToImmutable() => [.. _constants];

    private static Fact MakeFact(Data data) => new(Kinds.Of(data), ConstantEvaluator.SizeOf(data) == 0);
}
