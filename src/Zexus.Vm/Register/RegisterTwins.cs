using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Which register opcode means and costs what an opcode of the operand stack does.</summary>
internal static class RegisterTwins
{
    private static readonly Opcode?[] ByTag = MakeTable();

    /// <summary>The twin; null when there is none.</summary>
    public static Opcode? Of(int tag) => ByTag[tag];

    /// <summary>Does it take one operand, or two? INC and DEC take one: their twins are ADD_REG and SUB_REG with Int 1.</summary>
    public static bool IsUnary(int tag) =>
        tag is Opcode.Tags.NEG or Opcode.Tags.NOT or Opcode.Tags.INC or Opcode.Tags.DEC;

    public static bool AddsOne(int tag) => tag is Opcode.Tags.INC or Opcode.Tags.DEC;

    private static Opcode?[] MakeTable()
    {
        Opcode?[] table = new Opcode?[InstructionSet.Rows.Max(row => row.Opcode.Tag) + 1];
        table[Opcode.Tags.INC] = Opcode.ADD_REG;
        table[Opcode.Tags.DEC] = Opcode.SUB_REG;
        foreach (OpcodeInfo row in InstructionSet.Rows.Where(row => row.Flow.IsNext))
        {
            string twin = row.Mnemonic + "_REG";
            if (InstructionSet.Rows.FirstOrDefault(other => other.Mnemonic == twin) is { } found && IsOperation(row))
            {
                table[row.Opcode.Tag] = found.Opcode;
            }
        }

        return table;
    }

    // POP_REG is no twin of POP.
    private static bool IsOperation(OpcodeInfo row) => row.Effect.Pops > 0 && row.Effect.Pushes == 1;
}
