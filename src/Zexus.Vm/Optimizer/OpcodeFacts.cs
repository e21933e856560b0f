using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>A row of the instruction set, with what the optimizer asks of it all the time.</summary>
internal sealed class OpcodeFacts
{
    private static readonly OpcodeFacts[] ByTag = MakeTable();

    private OpcodeFacts(OpcodeInfo info)
    {
        Info = info;
        TargetOperand = Array.FindIndex(info.Operands, operand => operand.Kind.IsTarget);
        CountOperand = Array.FindIndex(info.Operands, operand => operand.Kind.IsCount || operand.Kind.IsResults);
        GoesOn = info.Flow.Tag is Flow.Tags.Next or Flow.Tags.Branch or Flow.Tags.Try;
    }

    public OpcodeInfo Info { get; }

    /// <summary>Which operand is its target; -1 when it has none.</summary>
    public int TargetOperand { get; }

    /// <summary>Which operand says how many cells it takes or leaves; -1 when none does.</summary>
    public int CountOperand { get; }

    /// <summary>Can the next instruction come after it?</summary>
    public bool GoesOn { get; }

    public static OpcodeFacts Of(int tag) => ByTag[tag];

    public static OpcodeFacts Of(Opcode opcode) => ByTag[opcode.Tag];

    private static OpcodeFacts[] MakeTable()
    {
        OpcodeFacts[] table = new OpcodeFacts[InstructionSet.Rows.Max(row => row.Opcode.Tag) + 1];
        foreach (OpcodeInfo row in InstructionSet.Rows)
        {
            table[row.Opcode.Tag] = new OpcodeFacts(row);
        }

        return table;
    }
}
