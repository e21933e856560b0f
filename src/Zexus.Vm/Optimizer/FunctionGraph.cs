using System.Collections.Immutable;

namespace Zexus.Vm;

/// <summary>The code of one function as a chain of nodes.</summary>
internal sealed class FunctionGraph
{
    public FunctionGraph(int number, TranslatedFunction function)
    {
        Number = number;
        End = new Node(null);
        Node[] nodes = new Node[function.Code.Length + 1];
        nodes[^1] = End;
        for (int i = 0; i < function.Code.Length; i++)
        {
            TranslatedInstruction instruction = function.Code[i];
            nodes[i] = new Node(OpcodeFacts.Of(instruction.Opcode))
            {
                A = instruction.A,
                B = instruction.B,
                C = instruction.C,
                Source = instruction.Source,
                Charges = [.. instruction.Charges],
                JumpCharges = [.. instruction.JumpCharges],
            };
        }

        First = nodes[0];
        Count = function.Code.Length;
        for (int i = 0; i < nodes.Length; i++)
        {
            nodes[i].Previous = i > 0 ? nodes[i - 1] : null;
            nodes[i].Next = i + 1 < nodes.Length ? nodes[i + 1] : null;
            if (nodes[i].Facts.TargetOperand >= 0)
            {
                Node target = nodes[nodes[i].Operand(nodes[i].Facts.TargetOperand)];
                nodes[i].Target = target;
                target.Arrivals++;
            }
        }
    }

    /// <summary>The function's place in the function table.</summary>
    public int Number { get; }

    public Node First { get; private set; }

    /// <summary>Behind the last instruction.</summary>
    public Node End { get; }

    public int Count { get; private set; }

    /// <summary>Puts nodes in the place of some that stand in a row. Those that landed on the first land on what comes instead.</summary>
    /// <param name="first">The first that goes.</param>
    /// <param name="count">How many go.</param>
    /// <param name="instead">What comes; may be none.</param>
    public void Replace(Node first, int count, ReadOnlySpan<Node> instead)
    {
        Node? before = first.Previous;
        Node after = first;
        for (int i = 0; i < count; i++)
        {
            if (after.Target is { } target)
            {
                target.Resolve().Arrivals--;
            }

            after = after.Next!;
        }

        Node previous = before!;
        foreach (Node node in instead)
        {
            Link(previous, node);
            previous = node;
            if (node.Target is { } target)
            {
                target.Resolve().Arrivals++;
            }
        }

        Link(previous, after);
        Node heir = instead.Length > 0 ? instead[0] : after;
        heir.Arrivals += first.Arrivals;
        heir.Entry ??= first.Entry;
        first.Moved = heir;
        Count += instead.Length - count;
    }

    /// <summary>Lets a jump go elsewhere.</summary>
    public static void Redirect(Node jump, Node target)
    {
        jump.Target!.Resolve().Arrivals--;
        jump.Target = target;
        target.Arrivals++;
    }

    /// <summary>Takes a jump's target away; what it becomes then must have none.</summary>
    public static void Detach(Node jump)
    {
        jump.Target!.Resolve().Arrivals--;
        jump.Target = null;
    }

    /// <summary>Tells every node where it stands.</summary>
    public void NumberPlaces()
    {
        int place = 0;
        for (Node? node = First; node is not null; node = node.Next)
        {
            node.Place = place++;
        }
    }

    /// <summary>The code, jumps as places in it. Numbers the places.</summary>
    public TranslatedFunction ToFunction()
    {
        NumberPlaces();
        ImmutableArray<TranslatedInstruction>.Builder code = ImmutableArray.CreateBuilder<TranslatedInstruction>(Count);
        for (Node node = First; !node.IsEnd; node = node.Next!)
        {
            if (node.Target is { } target)
            {
                node.SetOperand(node.Facts.TargetOperand, target.Resolve().Place);
            }

            code.Add(
                new TranslatedInstruction(
                    node.Opcode,
                    node.A,
                    node.B,
                    node.C,
                    node.Source,
                    [.. node.Charges],
                    [.. node.JumpCharges]
                )
            );
        }

        return new TranslatedFunction(code.MoveToImmutable());
    }

    private void Link(Node? left, Node right)
    {
        right.Previous = left;
        if (left is null)
        {
            First = right;
        }
        else
        {
            left.Next = right;
        }
    }
}
