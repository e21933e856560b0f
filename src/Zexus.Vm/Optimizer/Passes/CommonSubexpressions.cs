using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Loads the result of an operation on numbers where it was computed before and a variable or register of the frame still holds it: from one landing to
/// the next, past conditional jumps that do not jump. What the operation charges by size is charged by the sizes of the operands, which are
/// still at hand. It did not fault before, so it would not now.
/// </summary>
internal sealed class CommonSubexpressions() : FunctionPass("common subexpressions", Technique.CommonSubexpressions)
{
    private static readonly Change Reused = new(Optimizer.Reused, "a OP b = what holds it already, for numbers");

    // By operation and operands: the value that it gave since the last landing.
    private readonly Dictionary<(int Operation, int Left, int Right), int> _results = [];
    private readonly HashSet<int> _reliedOn = [];
    private SortedSet<int>? _claimed;
    private ValueAnalysis _analysis = null!;
    private RewriteScope _scope = null!;

    public override ImmutableArray<Claim> ClaimsAt(Node landing) =>
        _analysis.Claims(landing, _claimed ??= _analysis.WithOrigins(_reliedOn, ofKinds: true), ofKinds: true);

    public override void Run(RewriteScope scope, Changes changes)
    {
        _scope = scope;
        _reliedOn.Clear();
        _claimed = null;
        if (!HasRepetition(scope.Graph))
        {
            return;
        }

        _analysis = new ValueAnalysis(scope);
        _analysis.Walk(
            values =>
            {
                _results.Clear();
                return values.KindsOnly();
            },
            (node, values) => Visit(node, values, changes)
        );
    }

    /// <summary>Is some operation written twice with the same pushes before it? Copies have their original's name by now.</summary>
    private static bool HasRepetition(FunctionGraph graph)
    {
        HashSet<(int, int, long, int, long)> seen = [];
        for (Node node = graph.First; !node.IsEnd; node = node.Next!)
        {
            int operands = node.Facts.Info.Effect.Pops;
            if (
                operands is 1 or 2
                && node.Facts.Info.Effect.Pushes == 1
                && node.Previous is { } last
                && (operands == 1 ? last : last.Previous) is { } first
                && !seen.Add((node.Tag, first.Tag, first.A, last.Tag, last.A))
            )
            {
                return true;
            }
        }

        return false;
    }

    private Node Visit(Node node, Values values, Changes changes)
    {
        if (KeyOf(node, values) is not { } key)
        {
            _analysis.Step(node, values);
            return node;
        }

        if (_results.TryGetValue(key, out int known) && Reuse(node, values, known, changes) is { } load)
        {
            return load;
        }

        _analysis.Step(node, values);
        if (!_results.TryAdd(key, values[values.Top]))
        {
            values.Set(values.Top, known, values.KindOf(values.Top));
        }

        return node;
    }

    /// <summary>The operation and the values that it is done on; null when it is none of those, or they may be other than numbers.</summary>
    private (int Operation, int Left, int Right)? KeyOf(Node node, Values values)
    {
        int left = values.Top - 1;
        int right = values.Top;
        switch (node.Tag)
        {
            case Opcode.Tags.INC:
            case Opcode.Tags.DEC:
            case Opcode.Tags.NEG:
            case Opcode.Tags.NOT:
                left = right;
                break;
            case Opcode.Tags.ADD:
            case Opcode.Tags.SUB:
            case Opcode.Tags.EQ:
            case Opcode.Tags.NEQ:
            case Opcode.Tags.LT:
            case Opcode.Tags.GT:
            case Opcode.Tags.LTE:
            case Opcode.Tags.GTE:
            case Opcode.Tags.AND:
            case Opcode.Tags.OR:
                break;
            default:
                return null;
        }

        return IsNumber(values.KindOf(left)) && IsNumber(values.KindOf(right))
            ? (node.Tag, values[left], values[right])
            : null;
    }

    private static bool IsNumber(KindSet kind) => kind != KindSet.None && kind.Within(KindSet.Number);

    /// <summary>Puts a load of what holds the result in the place of the operation and the pushes of its operands; null where that cannot be.</summary>
    private Node? Reuse(Node operation, Values values, int result, Changes changes)
    {
        int holder = values.Find(result);
        int operands = operation.Facts.Info.Effect.Pops;
        Node first = operation;
        for (int i = 0; i < operands; i++)
        {
            // Charges of what comes behind look at a stack that will not be there.
            if (
                first.Arrivals > 0
                || first.Charges.LookAtStack
                || first.Previous is not { } previous
                || !IsPush(previous)
            )
            {
                return null;
            }

            first = previous;
        }

        if (holder < 0)
        {
            return null;
        }

        FramePlaces places = _scope.Places;
        Node load = new(OpcodeFacts.Of(places.IsRegister(holder) ? Opcode.PUSH_REG : Opcode.LOAD_NAME))
        {
            A = places.OperandOf(holder),
            Source = operation.Source,
            Place = first.Place,
        };
        Node[] replaced = operands == 1 ? [first, operation] : [first, first.Next!, operation];
        foreach (Node node in replaced)
        {
            load.Charges.AddRange(node.Charges);
        }

        KindSet kind = values.KindOf(holder);
        bool compares = operation.Tag is Opcode.Tags.EQ or Opcode.Tags.NEQ;
        bool chargesBySize =
            operation.Tag is not (Opcode.Tags.NOT or Opcode.Tags.AND or Opcode.Tags.OR)
            && !(compares && (values.KindOf(values.Top) | values.KindOf(values.Top - 1)).HasFlag(KindSet.Null));
        List<Amount> sizes = [];
        for (int i = 0; i < operands; i++)
        {
            Relied(replaced[i]);
            if (chargesBySize && values.KindOf(values.Top + 1 - operands + i) == KindSet.Int)
            {
                AddSize(replaced[i], sizes);
            }
        }

        if (sizes.Count > 0)
        {
            load.Charges.Add(new Charge(operation.Source, sizes.Count == 1 ? sizes[0] : new Amount.Sum([.. sizes])));
        }

        ImmutableArray<string> before = changes.Spell(_scope, replaced);
        int source = first.Source;
        _scope.Graph.Replace(first, replaced.Length, [load]);
        changes.Add(_scope, Reused, source, before, load);
        values.Pop(operands);
        values.Push(result, kind);
        return load;
    }

    private bool IsPush(Node node) =>
        node.Tag switch
        {
            Opcode.Tags.LOAD_CONST => _scope.Constants.FactOf(node.A).Kinds.Within(KindSet.Number),
            Opcode.Tags.LOAD_NAME => _scope.Places.OfName(node.A) >= 0,
            Opcode.Tags.PUSH_REG => true,
            _ => false,
        };

    private void Relied(Node push)
    {
        if (push.Tag != Opcode.Tags.LOAD_CONST)
        {
            _ = _reliedOn.Add(PlaceOf(push));
        }
    }

    private int PlaceOf(Node push) =>
        push.Tag == Opcode.Tags.PUSH_REG ? _scope.Places.OfRegister(push.A) : _scope.Places.OfName(push.A);

    private void AddSize(Node push, List<Amount> sizes)
    {
        if (push.Tag != Opcode.Tags.LOAD_CONST)
        {
            sizes.Add(_scope.Places.SizeOf(PlaceOf(push)));
        }
        else if (ConstantEvaluator.SizeOf(_scope.Constants[push.A]) is var size and > 0)
        {
            sizes.Add(new Amount.Fixed(size));
        }
    }
}
