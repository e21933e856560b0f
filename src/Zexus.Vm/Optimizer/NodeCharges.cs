using System.Collections;

namespace Zexus.Vm;

/// <summary>The charges of a node. Knows without looking through them whether any depends on a value: they can be thousands.</summary>
internal sealed class NodeCharges : IEnumerable<Charge>
{
    private readonly List<Charge> _charges = [];

    /// <summary>Is one of them other than <see cref="Amount.Fixed"/>?</summary>
    public bool Vary { get; private set; }

    /// <summary>Does one of them look at the operand stack?</summary>
    public bool LookAtStack => Vary && _charges.Exists(charge => LooksAtStack(charge.Amount));

    public int Count => _charges.Count;

    public void Add(Charge charge)
    {
        _charges.Add(charge);
        Vary |= charge.Amount is not Amount.Fixed;
    }

    public void AddRange(NodeCharges charges)
    {
        _charges.AddRange(charges._charges);
        Vary |= charges.Vary;
    }

    public bool TrueForAll(Predicate<Charge> holds) => _charges.TrueForAll(holds);

    public List<Charge>.Enumerator GetEnumerator() => _charges.GetEnumerator();

    private static bool LooksAtStack(Amount amount) =>
        amount switch
        {
            Amount.Fixed or Amount.VariableSize or Amount.RegisterSize => false,
            Amount.Size or Amount.Text => true,
            Amount.Sum it => it.Parts.Any(LooksAtStack),
            _ => throw new InvalidOperationException($"no reading of {amount.GetType().Name}"),
        };

    IEnumerator<Charge> IEnumerable<Charge>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
