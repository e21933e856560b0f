using System.Text;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Instructions as assembly text has them, for explanations.</summary>
internal static class InstructionText
{
    public static string Of(Node node, Program program, ConstantPool constants)
    {
        StringBuilder text = new(node.Facts.Info.Mnemonic);
        for (int i = 0; i < node.Facts.Info.Operands.Length; i++)
        {
            long value = node.Operand(i);
            text.Append(i == 0 ? " " : ", ");
            text.Append(
                node.Facts.Info.Operands[i].Kind.Tag switch
                {
                    OperandKind.Tags.Constant => Disassembler.Literal(constants[value]),
                    OperandKind.Tags.Name => program.Names[value],
                    OperandKind.Tags.Function => program.Functions[value].Name,
                    OperandKind.Tags.Register => "r" + value,
                    OperandKind.Tags.Target => node.Target!.Resolve() is { IsEnd: false } target
                        ? $"the {target.Facts.Info.Mnemonic} of {target.Source}"
                        : "the end",
                    OperandKind.Tags.Count or OperandKind.Tags.Results or OperandKind.Tags.Amount => value.ToString(
                        System.Globalization.CultureInfo.InvariantCulture
                    ),
                    _ => throw new InvalidOperationException(
                        $"no spelling of an operand {node.Facts.Info.Operands[i].Kind}"
                    ),
                }
            );
        }

        return text.ToString();
    }
}
