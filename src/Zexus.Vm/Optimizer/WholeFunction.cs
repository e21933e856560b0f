using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The passes that look at a whole function at once.</summary>
internal static class WholeFunction
{
    /// <summary>The most charges that a jump gathers: chains of jumps are short, or go round in a circle.</summary>
    private const int MostCharges = 16;

    /// <summary>
    /// A forward jump to a jump goes where that one goes, and charges for it: before it acts, or, if it is conditional, when it
    /// jumps. A forward jump to a RETURN returns. Nothing lies between the charges of the two.
    /// </summary>
    /// <param name="graph">The function.</param>
    /// <param name="note">Called for each jump that changed, with the one that it went to, before it changes.</param>
    public static int ThreadJumps(FunctionGraph graph, Action<Node, Node> note)
    {
        Number(graph);
        int changed = 0;
        Node next;
        for (Node node = graph.First; !node.IsEnd; node = next)
        {
            next = node.Next!;
            while (ThreadOnce(graph, node, note))
            {
                changed++;
            }
        }

        return changed;
    }

    private static bool ThreadOnce(FunctionGraph graph, Node node, Action<Node, Node> note)
    {
        bool always = node.Tag == Opcode.Tags.JUMP;
        if (node.Moved is not null || !(always || node.Facts.Info.Flow.IsBranch))
        {
            return false;
        }

        Node target = node.Target!.Resolve();
        List<Charge> gathered = always ? node.Charges : node.JumpCharges;
        bool fits =
            !target.HasVaryingCharges
            && gathered.Count + target.Charges.Count <= MostCharges
            && target.Charges.TrueForAll(charge =>
                ((Amount.Fixed)charge.Amount).Gas <= Fuel.LargestStatic / MostCharges
            );
        if (target.Place <= node.Place || target.IsEnd || !fits)
        {
            return false;
        }

        switch (target.Tag)
        {
            case Opcode.Tags.JUMP when !ReferenceEquals(target.Target!.Resolve(), target):
                note(node, target);
                gathered.AddRange(target.Charges);
                FunctionGraph.Redirect(node, target.Target!.Resolve());
                return true;
            case Opcode.Tags.RETURN when always:
                note(node, target);
                Node leaving = new(target.Facts)
                {
                    Source = target.Source,
                    Charges = [.. node.Charges, .. target.Charges],
                    Before = node.Before,
                    Place = node.Place,
                };
                graph.Replace(node, 1, [leaving]);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes out what no path from the start reaches. A handler is reached from its SETUP_TRY.</summary>
    /// <param name="graph">The function.</param>
    /// <param name="note">Called for each instruction before it is taken out.</param>
    public static int RemoveUnreachable(FunctionGraph graph, Action<Node> note)
    {
        HashSet<Node> reached = [];
        Stack<Node> pending = new([graph.First]);
        while (pending.TryPop(out Node? head))
        {
            for (Node? node = head; node is not null && reached.Add(node); node = node.Facts.GoesOn ? node.Next : null)
            {
                if (node.Target?.Resolve() is { } target)
                {
                    pending.Push(target);
                }
            }
        }

        int removed = 0;
        Node next;
        for (Node node = graph.First; !node.IsEnd; node = next)
        {
            next = node.Next!;
            if (!reached.Contains(node))
            {
                note(node);
                node.Entry = null;
                graph.Replace(node, 1, []);
                removed++;
            }
        }

        return removed;
    }

    private static void Number(FunctionGraph graph)
    {
        int place = 0;
        for (Node? node = graph.First; node is not null; node = node.Next)
        {
            node.Place = place++;
        }
    }
}
