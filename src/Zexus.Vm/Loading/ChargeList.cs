using System.Collections.Immutable;
using System.Numerics;

namespace Zexus.Vm;

/// <summary>The charges of one translated instruction, ready to be taken one by one.</summary>
internal sealed unsafe class ChargeList
{
    private readonly Item[] _items;

    private ChargeList(Item[] items)
    {
        _items = items;
        BigInteger total = 0;
        foreach (Item item in items)
        {
            total += item.Fixed;
        }

        Total = Saturated(total);
        FitsInstruction = Total <= Fuel.LargestStatic && items.All(item => item.IsFixed);
    }

    public static ChargeList None { get; } = new([]);

    /// <summary>What is fixed of them, together.</summary>
    public long Total { get; }

    /// <summary>Can an instruction carry their sum as its cost?</summary>
    public bool FitsInstruction { get; }

    public int Count => _items.Length;

    /// <summary>The charges of an instruction of a function with so many variables: registers are the slots behind them.</summary>
    public static ChargeList Of(ImmutableArray<Charge> charges, int variables) =>
        charges.IsEmpty ? None : new ChargeList([.. charges.Select(charge => Item.Of(charge, variables))]);

    public int SourceOf(int index) => _items[index].Source;

    /// <summary>The gas of one of them, above this operand stack and in this frame; the largest number when it does not fit 64 bits.</summary>
    public long GasOf(int index, Value* sp, Value* slots)
    {
        Item item = _items[index];
        long gas = item.Fixed;
        foreach (int depth in item.Sizes)
        {
            gas = Sum(gas, Integers.Size(sp - 1 - depth));
        }

        foreach (int slot in item.Slots)
        {
            gas = Sum(gas, Integers.Size(slots + slot));
        }

        foreach (int depth in item.Texts)
        {
            Value* value = sp - 1 - depth;
            long scalars = value->Tag == Tag.String ? value->String->Length : 0;
            gas = Sum(gas, scalars / Isa.Gas.ScalarsPerUnit);
        }

        return gas;
    }

    private static long Sum(long gas, long more) => gas > long.MaxValue - more ? long.MaxValue : gas + more;

    private static long Saturated(BigInteger gas) => gas > long.MaxValue ? long.MaxValue : (long)gas;

    private readonly record struct Item(
        int Source,
        long Fixed,
        ImmutableArray<int> Sizes,
        ImmutableArray<int> Texts,
        ImmutableArray<int> Slots
    )
    {
        public bool IsFixed => Sizes.IsEmpty && Texts.IsEmpty && Slots.IsEmpty;

        public static Item Of(Charge charge, int variables)
        {
            BigInteger gas = 0;
            ImmutableArray<int>.Builder sizes = ImmutableArray.CreateBuilder<int>();
            ImmutableArray<int>.Builder texts = ImmutableArray.CreateBuilder<int>();
            ImmutableArray<int>.Builder slots = ImmutableArray.CreateBuilder<int>();
            Add(charge.Amount);
            return new Item(
                charge.Source,
                Saturated(gas),
                sizes.ToImmutable(),
                texts.ToImmutable(),
                slots.ToImmutable()
            );

            void Add(Amount amount)
            {
                switch (amount)
                {
                    case Amount.Fixed it:
                        gas += it.Gas;
                        break;
                    case Amount.Size it:
                        sizes.Add(it.Depth);
                        break;
                    case Amount.Text it:
                        texts.Add(it.Depth);
                        break;
                    case Amount.VariableSize it:
                        slots.Add(it.Slot);
                        break;
                    case Amount.RegisterSize it:
                        slots.Add(variables + it.Number);
                        break;
                    case Amount.Sum it:
                        foreach (Amount part in it.Parts)
                        {
                            Add(part);
                        }

                        break;
                    default:
                        throw new InvalidOperationException($"no reading of {amount.GetType().Name}");
                }
            }
        }
    }
}
