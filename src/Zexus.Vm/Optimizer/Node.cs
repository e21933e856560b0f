using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>An instruction while it is being optimized: a link of a chain, so that targets outlive changes of what is around them.</summary>
internal sealed class Node
{
    /// <summary>The tag of the end of the code.</summary>
    public const int EndTag = -1;

    private static readonly OpcodeFacts Nothing = OpcodeFacts.Of(Opcode.NOP);

    public Node(OpcodeFacts? facts)
    {
        Facts = facts ?? Nothing;
        Tag = facts is null ? EndTag : facts.Info.Opcode.Tag;
    }

    /// <summary>The opcode's tag, or <see cref="EndTag"/>.</summary>
    public int Tag { get; private set; }

    public OpcodeFacts Facts { get; private set; }

    public long A { get; set; }

    public long B { get; set; }

    public long C { get; set; }

    public int Source { get; set; }

    public NodeCharges Charges { get; set; } = [];

    public NodeCharges JumpCharges { get; set; } = [];

    /// <summary>Where it jumps to, or its handler. May have moved: see <see cref="Resolve"/>.</summary>
    public Node? Target { get; set; }

    /// <summary>Jumps and handlers that land here.</summary>
    public int Arrivals { get; set; }

    public Node? Previous { get; set; }

    public Node? Next { get; set; }

    /// <summary>Of a node that was taken out: where those go that would land here.</summary>
    public Node? Moved { get; set; }

    /// <summary>What is known whenever control comes here; null when nobody has found a way here.</summary>
    public Knowledge? Entry { get; set; }

    /// <summary>What is known here now, as the current sweep came by.</summary>
    public Knowledge? Before { get; set; }

    /// <summary>Where it stood in the code when the current pass over the function began; of a new one, where that stood in whose place it came.</summary>
    public int Place { get; set; }

    public bool IsEnd => Tag == EndTag;

    public Opcode Opcode => Facts.Info.Opcode;

    public bool HasVaryingCharges => Charges.Vary;

    /// <summary>Makes another instruction of it, which has no target. Its place, source and charges stay.</summary>
    public void Become(Opcode opcode, long a = 0, long b = 0)
    {
        Facts = OpcodeFacts.Of(opcode);
        Tag = opcode.Tag;
        A = a;
        B = b;
        C = 0;
    }

    public long Operand(int index) =>
        index switch
        {
            0 => A,
            1 => B,
            2 => C,
            _ => throw new ArgumentOutOfRangeException(nameof(index)),
        };

    public void SetOperand(int index, long value)
    {
        switch (index)
        {
            case 0:
                A = value;
                break;
            case 1:
                B = value;
                break;
            case 2:
                C = value;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(index));
        }
    }

    /// <summary>The node that stands where this one stood.</summary>
    public Node Resolve()
    {
        Node node = this;
        while (node.Moved is { } moved)
        {
            node = moved;
        }

        if (Moved is not null)
        {
            Moved = node;
        }

        return node;
    }
}
