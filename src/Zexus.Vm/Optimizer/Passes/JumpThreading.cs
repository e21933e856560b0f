using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// A forward jump to a jump goes where that one goes, and charges for it: before it acts, or, if it is conditional, when it
/// jumps. A forward jump to a RETURN returns. Nothing lies between the charges of the two.
/// </summary>
internal sealed class JumpThreading() : FunctionPass("jump threading", Technique.JumpThreading)
{
    /// <summary>The most charges that a jump gathers: chains of jumps are short, or go round in a circle.</summary>
    private const int MostCharges = 16;

    private static readonly Change Threaded = new(Optimizer.ThreadedJump, "a jump to a jump goes where that one goes");

    // What handlers and backward jumps land on. Every cycle goes through one of them; no jump is threaded through one, so
    // that both sides come there alike.
    private readonly HashSet<Node> _heads = [];

    public override bool IsCut(Node landing) => _heads.Contains(landing);

    public override void Run(RewriteScope scope, Changes changes)
    {
        _heads.Clear();
        for (Node node = scope.Graph.First; !node.IsEnd; node = node.Next!)
        {
            if (node.Target?.Resolve() is { } target && (target.Place <= node.Place || node.Facts.Info.Flow.IsTry))
            {
                _ = _heads.Add(target);
            }
        }

        Node next;
        for (Node node = scope.Graph.First; !node.IsEnd; node = next)
        {
            next = node.Next!;
            while (ThreadOnce(scope, node, changes)) { }
        }
    }

    private bool ThreadOnce(RewriteScope scope, Node node, Changes changes)
    {
        bool always = node.Tag == Opcode.Tags.JUMP;
        if (!(always || node.Facts.Info.Flow.IsBranch))
        {
            return false;
        }

        Node target = node.Target!.Resolve();
        if (target.Place <= node.Place || target.IsEnd || _heads.Contains(target))
        {
            return false;
        }

        NodeCharges gathered = always ? node.Charges : node.JumpCharges;
        bool fits =
            !target.HasVaryingCharges
            && gathered.Count + target.Charges.Count <= MostCharges
            && target.Charges.TrueForAll(charge =>
                ((Amount.Fixed)charge.Amount).Gas <= Fuel.LargestStatic / MostCharges
            );
        switch (target.Tag)
        {
            case Opcode.Tags.JUMP when fits:
                changes.Add(scope, Threaded, node.Source, changes.Spell(scope, node), target);
                gathered.AddRange(target.Charges);
                FunctionGraph.Redirect(node, target.Target!.Resolve());
                return true;
            case Opcode.Tags.RETURN when fits && always:
                changes.Add(scope, Threaded, node.Source, changes.Spell(scope, node), target);
                gathered.AddRange(target.Charges);
                FunctionGraph.Detach(node);
                node.Become(target.Opcode);
                node.Source = target.Source;
                return true;
            default:
                return false;
        }
    }
}
