using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Follows constants, copies and kinds along all paths of one function. It knows only what a proof can follow from landing to
/// landing: one constant or none, one kind or none; of what calls, collections and text give, nothing; of what a handler finds, nothing.
/// </summary>
internal sealed class ValueAnalysis
{
    private readonly FramePlaces _places;
    private readonly ConstantPool _constants;
    private readonly FunctionGraph _graph;
    private readonly Values?[] _entries;
    private int _lastUnknown = Values.LowestName;

    // Which place's value came from which: kept when somebody asks for claims.
    private HashSet<(int To, int From)>? _flows;
    private bool _throughOperations;

    /// <summary>Finds what is known wherever control can arrive. The places of the function are numbered.</summary>
    public ValueAnalysis(RewriteScope scope)
    {
        _places = scope.Places;
        _constants = scope.Constants;
        _graph = scope.Graph;
        _entries = new Values?[_graph.Count + 1];
        PriorityQueue<Node, int> pending = new();
        Arrive(_graph.First, Start());
        while (pending.TryDequeue(out Node? head, out _))
        {
            Values values = _entries[head.Place]!.Copy();
            for (Node node = head; !node.IsEnd; node = node.Next!)
            {
                int height = values.Height;
                Step(node, values);
                if (node.Target?.Resolve() is { IsEnd: false } target)
                {
                    Arrive(
                        target,
                        node.Facts.Info.Flow.IsTry ? Values.Unknown(_places.Count, height + 1) : values.Renamed()
                    );
                }

                if (!node.Facts.GoesOn)
                {
                    break;
                }

                if (node.Next!.Arrivals > 0)
                {
                    if (!node.Next.IsEnd)
                    {
                        Arrive(node.Next, values.Renamed());
                    }

                    break;
                }
            }
        }

        void Arrive(Node node, Values values)
        {
            Values? known = _entries[node.Place];
            Values joined = known?.Join(values) ?? values;
            if (!ReferenceEquals(joined, known))
            {
                _entries[node.Place] = joined;
                pending.Enqueue(node, node.Place);
            }
        }
    }

    /// <summary>What is known at the start and at each landing; null where no way leads.</summary>
    public Values? At(Node landing) => _entries[landing.Place];

    /// <summary>Goes over each instruction that a way leads to, from first to last, with what is known before it; not to be kept.</summary>
    /// <param name="atLanding">What to begin with at the start and at each landing.</param>
    /// <param name="visit">May change the instruction into another that leaves the same values; gives the one that stands there then.</param>
    public void Walk(Func<Values, Values> atLanding, Func<Node, Values, Node> visit)
    {
        Values? values = null;
        for (Node node = _graph.First; !node.IsEnd; node = node.Next!)
        {
            if (node.Arrivals > 0 || node.Previous is null)
            {
                values = At(node) is { } known ? atLanding(known) : null;
            }

            if (values is not null)
            {
                node = visit(node, values);
                values = node.Facts.GoesOn ? values : null;
            }
        }
    }

    /// <summary>What is known after an instruction that did not fault.</summary>
    public void Step(Node node, Values values)
    {
        switch (node.Tag)
        {
            case Opcode.Tags.LOAD_CONST:
                values.Push(0, KindSet.None);
                SetConstant(values, values.Top, node.A);
                break;
            case Opcode.Tags.LOAD_NAME when _places.OfName(node.A) is var place and >= 0:
                Push(values, place);
                break;
            case Opcode.Tags.PUSH_REG:
                Push(values, _places.OfRegister(node.A));
                break;
            case Opcode.Tags.DUP:
                Push(values, values.Top);
                break;
            case Opcode.Tags.STORE_NAME:
                Copy(values, _places.OfName(node.A), values.Top);
                values.Pop(1);
                break;
            case Opcode.Tags.POP_REG:
                Copy(values, _places.OfRegister(node.A), values.Top);
                values.Pop(1);
                break;
            case Opcode.Tags.STORE_CONST:
                SetConstant(values, _places.OfName(node.A), node.B);
                break;
            case Opcode.Tags.LOAD_REG:
                SetConstant(values, _places.OfRegister(node.A), node.B);
                break;
            case Opcode.Tags.STORE_REG:
                Copy(values, _places.OfName(node.B), _places.OfRegister(node.A));
                break;
            case Opcode.Tags.MOV_REG:
                Copy(values, _places.OfRegister(node.A), _places.OfRegister(node.B));
                break;
            case Opcode.Tags.LOAD_VAR_REG when _places.OfName(node.B) is var place and >= 0:
                Copy(values, _places.OfRegister(node.A), place);
                break;
            case Opcode.Tags.LOAD_VAR_REG:
                SetUnknown(values, _places.OfRegister(node.A), KindSet.None);
                break;
            case Opcode.Tags.STORE_FUNC:
                SetUnknown(values, _places.OfName(node.A), KindSet.None);
                break;
            case Opcode.Tags.INC:
            case Opcode.Tags.DEC:
            case Opcode.Tags.NEG:
            case Opcode.Tags.NOT:
                OnStack(values, values.Top, values.Top, 1, KindOfResult(node.Tag, values.KindOf(values.Top)));
                break;
            case Opcode.Tags.ADD:
            case Opcode.Tags.SUB:
            case Opcode.Tags.MUL:
            case Opcode.Tags.EQ:
            case Opcode.Tags.NEQ:
            case Opcode.Tags.LT:
            case Opcode.Tags.GT:
            case Opcode.Tags.LTE:
            case Opcode.Tags.GTE:
            case Opcode.Tags.AND:
            case Opcode.Tags.OR:
                OnStack(
                    values,
                    values.Top - 1,
                    values.Top,
                    2,
                    KindOfResult(node.Tag, values.KindOf(values.Top - 1), values.KindOf(values.Top))
                );
                break;
            case Opcode.Tags.NEG_REG:
                OnRegisters(values, node.A, node.B, node.B, KindOfResult(Opcode.Tags.NEG, KindOf(node.B)));
                break;
            case Opcode.Tags.NOT_REG:
                OnRegisters(values, node.A, node.B, node.B, KindOfResult(Opcode.Tags.NOT, KindOf(node.B)));
                break;
            case Opcode.Tags.ADD_REG:
            case Opcode.Tags.SUB_REG:
            case Opcode.Tags.MUL_REG:
                OnRegisters(
                    values,
                    node.A,
                    node.B,
                    node.C,
                    KindOfResult(Opcode.Tags.ADD, KindOf(node.B), KindOf(node.C))
                );
                break;
            case Opcode.Tags.EQ_REG:
            case Opcode.Tags.NEQ_REG:
            case Opcode.Tags.LT_REG:
            case Opcode.Tags.GT_REG:
            case Opcode.Tags.LTE_REG:
            case Opcode.Tags.GTE_REG:
            case Opcode.Tags.AND_REG:
            case Opcode.Tags.OR_REG:
                OnRegisters(
                    values,
                    node.A,
                    node.B,
                    node.C,
                    KindOfResult(Opcode.Tags.EQ, KindOf(node.B), KindOf(node.C))
                );
                break;
            case Opcode.Tags.DIV_REG:
            case Opcode.Tags.MOD_REG:
            case Opcode.Tags.POW_REG:
                SetUnknown(values, _places.OfRegister(node.A), KindSet.None);
                break;
            default:
                StackEffect effect = node.Facts.Info.Effect;
                int count = node.Facts.CountOperand < 0 ? 0 : (int)node.Operand(node.Facts.CountOperand);
                values.Pop(effect.Pops + (effect.PopsPerCount * count));
                for (int i = effect.Pushes + (effect.PushesPerCount * count); i > 0; i--)
                {
                    values.Push(--_lastUnknown, KindSet.None);
                }

                break;
        }

        KindSet KindOf(long register) => values.KindOf(_places.OfRegister(register));
    }

    /// <summary>
    /// What to claim at a landing, so that what was relied on of some places can be shown there: of them, and of all whose
    /// values come to them, which constants they hold and which of them hold the same, or of which kind they are.
    /// </summary>
    public ImmutableArray<Claim> Claims(Node landing, SortedSet<int> reliedOn, bool ofKinds)
    {
        if (At(landing) is not { } values)
        {
            return [];
        }

        ImmutableArray<Claim>.Builder claims = ImmutableArray.CreateBuilder<Claim>();
        Dictionary<int, int> originals = [];
        foreach (int place in reliedOn.Where(place => place < values.Count))
        {
            if (ofKinds)
            {
                if (values.KindOf(place) != KindSet.None)
                {
                    claims.Add(new Claim.OfKind(_places.ToPlace(place), values.KindOf(place)));
                }
            }
            else if (Values.IsConstant(values[place]) && NumberOf(values[place]) is { } number)
            {
                claims.Add(new Claim.Constant(_places.ToPlace(place), number));
            }
            else if (!originals.TryAdd(values[place], place))
            {
                claims.Add(new Claim.Copy(_places.ToPlace(place), _places.ToPlace(originals[values[place]])));
            }
        }

        return claims.DrainToImmutable();

        int? NumberOf(int value) => value == Values.Null ? _constants.Find(Data.Null) : value;
    }

    /// <summary>With these places all those whose values come to them; of kinds, through operations, too.</summary>
    public SortedSet<int> WithOrigins(IEnumerable<int> places, bool ofKinds) => WithOrigins(places, Origins(ofKinds));

    /// <summary>The same, by the origins as they were in the code at an earlier time.</summary>
    public static SortedSet<int> WithOrigins(IEnumerable<int> places, ILookup<int, int> origins)
    {
        SortedSet<int> result = [];
        Stack<int> pending = new(places);
        while (pending.TryPop(out int place))
        {
            if (result.Add(place))
            {
                foreach (int origin in origins[place])
                {
                    pending.Push(origin);
                }
            }
        }

        return result;
    }

    /// <summary>From which places values come to each.</summary>
    public ILookup<int, int> Origins(bool ofKinds)
    {
        _throughOperations = ofKinds;
        _flows = [];
        Walk(
            values => values.Copy(),
            (node, values) =>
            {
                Step(node, values);
                return node;
            }
        );
        ILookup<int, int> origins = _flows.ToLookup(flow => flow.To, flow => flow.From);
        _flows = null;
        return origins;
    }

    /// <summary>Parameters are anything; all else in a frame is Null when it begins.</summary>
    private Values Start()
    {
        Values start = Values.Unknown(_places.Count, 0);
        for (int place = _places.Parameters; place < _places.Count; place++)
        {
            start.Set(place, Values.Null, KindSet.Null);
        }

        return start;
    }

    private void Push(Values values, int place)
    {
        values.Push(values[place], values.KindOf(place));
        _flows?.Add((values.Top, place));
    }

    private void Copy(Values values, int to, int from)
    {
        if (to >= 0)
        {
            values.Set(to, values[from], values.KindOf(from));
            _flows?.Add((to, from));
        }
    }

    private void SetConstant(Values values, int place, long constant)
    {
        if (place < 0)
        {
            return;
        }

        KindSet kind = _constants.FactOf(constant).Kinds;
        switch (kind)
        {
            case KindSet.Null:
                values.Set(place, Values.Null, kind);
                break;
            case KindSet.Bool:
            case KindSet.Int:
            case KindSet.Float:
            case KindSet.String:
                values.Set(place, (int)_constants.FirstOf(constant), kind);
                break;
            default:
                // Each time a new collection.
                SetUnknown(values, place, KindSet.None);
                break;
        }
    }

    private void SetUnknown(Values values, int place, KindSet kind)
    {
        if (place >= 0)
        {
            values.Set(place, --_lastUnknown, kind);
        }
    }

    private void OnStack(Values values, int left, int right, int pops, KindSet kind)
    {
        values.Pop(pops);
        values.Push(--_lastUnknown, kind);
        OperandsOf(values.Top, left, right);
    }

    private void OnRegisters(Values values, long to, long left, long right, KindSet kind)
    {
        int place = _places.OfRegister(to);
        OperandsOf(place, _places.OfRegister(left), _places.OfRegister(right));
        SetUnknown(values, place, kind);
    }

    private void OperandsOf(int place, int left, int right)
    {
        if (_throughOperations)
        {
            _flows?.Add((place, left));
            _flows?.Add((place, right));
        }
    }

    private static KindSet KindOfResult(int tag, KindSet a) =>
        a == KindSet.None || !a.Within(KindSet.Number) ? KindSet.None
        : tag == Opcode.Tags.NOT ? KindSet.Bool
        : a == KindSet.Float ? KindSet.Float
        : KindSet.Int;

    private static KindSet KindOfResult(int tag, KindSet a, KindSet b)
    {
        if (a == KindSet.None || b == KindSet.None || !(a | b).Within(KindSet.Number))
        {
            return KindSet.None;
        }

        return tag switch
        {
            Opcode.Tags.ADD or Opcode.Tags.SUB or Opcode.Tags.MUL => a == KindSet.Float || b == KindSet.Float
                ? KindSet.Float
                : KindSet.Int,
            _ => KindSet.Bool,
        };
    }
}
