using System.Numerics;

namespace Zexus.Vm;

/// <summary>Variables, closures and big integers.</summary>
internal sealed unsafe partial class CellHeap
{
    public VariableCell* NewVariable(Value value)
    {
        VariableCell* cell = (VariableCell*)Allocate(CellKind.Variable, sizeof(VariableCell));
        cell->Value = value;
        return cell;
    }

    public FunctionCell* NewFunction(int function, int captures)
    {
        FunctionCell* cell = (FunctionCell*)Allocate(
            CellKind.Function,
            sizeof(FunctionCell) + ((long)captures * sizeof(nint))
        );
        cell->Function = function;
        cell->Captures = captures;
        return cell;
    }

    /// <summary>An Int: small when 64 bits hold it, else a cell. There is no other way to make one from a big integer.</summary>
    public Value NewInteger(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            return Value.Of((long)value);
        }

        int bytes = value.GetByteCount();
        BigCell* cell = (BigCell*)Allocate(CellKind.BigInt, sizeof(BigCell) + bytes);
        cell->Bytes = bytes;
        cell->Bits = (int)value.GetBitLength();
        value.TryWriteBytes(new Span<byte>(BigCell.Data(cell), bytes), out _);
        return new Value(Tag.BigInt, (long)cell);
    }
}
