namespace Zexus.Vm;

/// <summary>Takes out what no path from the start reaches. A handler is reached from its SETUP_TRY.</summary>
internal sealed class UnreachableCode() : FunctionPass("unreachable code", Technique.DeadCode)
{
    private static readonly Change Removed = new(Optimizer.Unreachable, "what nothing reaches = nothing");

    public override void Run(RewriteScope scope, Changes changes)
    {
        FunctionGraph graph = scope.Graph;
        bool[] reached = new bool[graph.Count + 1];
        Stack<Node> pending = new([graph.First]);
        while (pending.TryPop(out Node? head))
        {
            for (
                Node? node = head;
                node is not null && !reached[node.Place];
                node = node.Facts.GoesOn ? node.Next : null
            )
            {
                reached[node.Place] = true;
                if (node.Target?.Resolve() is { } target)
                {
                    pending.Push(target);
                }
            }
        }

        Node next;
        for (Node node = graph.First; !node.IsEnd; node = next)
        {
            next = node.Next!;
            if (!reached[node.Place])
            {
                changes.Add(scope, Removed, node.Source, changes.Spell(scope, node));
                node.Entry = null;
                graph.Replace(node, 1, []);
            }
        }
    }
}
