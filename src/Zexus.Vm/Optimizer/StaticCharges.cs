using System.Numerics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>What an instruction charges before anything else: base, per count, and GAS_CHARGE's amount, in one charge.</summary>
internal static class StaticCharges
{
    public static BigInteger Of(OpcodeInfo info, long a, long b, long c)
    {
        BigInteger gas = info.Gas;
        for (int k = 0; k < info.Operands.Length; k++)
        {
            long operand =
                k == 0 ? a
                : k == 1 ? b
                : c;
            switch (info.Operands[k].Kind.Tag)
            {
                case OperandKind.Tags.Count:
                case OperandKind.Tags.Results:
                    gas += (BigInteger)info.GasPerCount * operand;
                    break;
                case OperandKind.Tags.Amount:
                    gas += operand;
                    break;
                case OperandKind.Tags.Constant:
                case OperandKind.Tags.Name:
                case OperandKind.Tags.Function:
                case OperandKind.Tags.Target:
                case OperandKind.Tags.Register:
                    break;
                default:
                    throw new InvalidOperationException($"no charge for an operand {info.Operands[k].Kind}");
            }
        }

        return gas;
    }
}
