using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>What a rewrite is matched against: one function, and what all functions share.</summary>
internal sealed record RewriteScope(
    FunctionGraph Graph,
    Program Program,
    int[] FirstNames,
    ConstantPool Constants,
    FramePlaces Places,
    KindAnalysis Analysis,
    ConstantEvaluator Evaluator,
    Limits Limits
)
{
    /// <summary>Scalars of the longest String that is made whatever the limit: a hash.</summary>
    private const int LongestUnchecked = 64;

    /// <summary>Bits of the largest Int that is made whatever the limit: the gas left.</summary>
    private const int LargestUnchecked = 63;

    /// <summary>Does every value of these kinds keep its limit? All others are checked when they are made.</summary>
    public bool KeepLimit(KindSet kinds) =>
        kinds.Within(KindSet.Int | KindSet.String)
        && (!kinds.HasFlag(KindSet.Int) || Limits.IntegerBits >= LargestUnchecked)
        && (!kinds.HasFlag(KindSet.String) || Limits.StringLength >= LongestUnchecked);
}

/// <summary>A rewrite, made ready to be tried on many places. Holds the last match, so it belongs to one optimization.</summary>
internal sealed class CompiledRewrite
{
    private readonly int[] _tags;
    private readonly Dictionary<string, int> _slots = new(StringComparer.Ordinal);
    private readonly (OpcodeFacts Facts, ReplacementInstruction Instruction)[] _replacement;

    /// <summary>Does the first charge of the replacement stand for the pattern's first, above the same stack?</summary>
    private readonly bool _startsAlike;

    // The last match.
    private readonly long[] _values;
    private readonly Node?[] _targets;
    private readonly bool[] _bound;
    private readonly Node[] _matched;
    private RewriteScope _scope = null!;

    public CompiledRewrite(Rewrite rewrite)
    {
        Rewrite = rewrite;
        _tags = [.. rewrite.Pattern.Select(instruction => instruction.Opcode.Tag)];
        foreach (RewriteOperand operand in rewrite.Pattern.SelectMany(instruction => instruction.Operands))
        {
            if (operand is RewriteOperand.Metavariable variable)
            {
                _ = _slots.TryAdd(variable.Name, _slots.Count);
            }
        }

        _replacement =
        [
            .. rewrite.Replacement.Select(instruction => (OpcodeFacts.Of(instruction.Opcode), instruction)),
        ];
        _startsAlike =
            _replacement.Length > 0
            && !rewrite.Replacement[0].Charges.IsEmpty
            && rewrite.Replacement[0].Charges[0] is ChargeTerm.StaticOf { Pattern: 0 };
        _values = new long[_slots.Count];
        _targets = new Node?[_slots.Count];
        _bound = new bool[_slots.Count];
        _matched = new Node[_tags.Length];
    }

    public Rewrite Rewrite { get; }

    /// <summary>How often it was applied.</summary>
    public int Applied { get; private set; }

    /// <summary>The instructions of the last match.</summary>
    public ReadOnlySpan<Node> Matched => _matched;

    /// <summary>Does the pattern stand here, and do the preconditions hold?</summary>
    /// <param name="scope">The function.</param>
    /// <param name="first">Where.</param>
    /// <param name="before">What is known there.</param>
    public bool Matches(RewriteScope scope, Node first, Knowledge before)
    {
        Node node = first;
        for (int i = 0; i < _tags.Length; i++, node = node.Next!)
        {
            if (node.Tag != _tags[i] || (i > 0 && node.Arrivals > 0) || node.JumpCharges.Count > 0)
            {
                return false;
            }

            _matched[i] = node;
        }

        // Amounts that depend on the stack must find it as it was.
        for (int i = 0; i < _matched.Length; i++)
        {
            if (_matched[i].HasVaryingCharges && !(i == 0 && _startsAlike))
            {
                return false;
            }
        }

        _scope = scope;
        Array.Clear(_bound);
        for (int i = 0; i < _matched.Length; i++)
        {
            ImmutableArray<RewriteOperand> operands = Rewrite.Pattern[i].Operands;
            for (int k = 0; k < operands.Length; k++)
            {
                if (!Matches(_matched[i], k, operands[k], node))
                {
                    return false;
                }
            }
        }

        foreach (Precondition precondition in Rewrite.Preconditions)
        {
            if (!Holds(precondition, before))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Puts the replacement in the place of the last match; null, with nothing done, when a constant of it cannot be
    /// computed, when a jump would charge too much, or when it is what stands there already.
    /// </summary>
    /// <param name="before">What is known before it.</param>
    public Node[]? Apply(Knowledge before)
    {
        Node following = _matched[^1].Next!;
        Node[] nodes = new Node[_replacement.Length];
        for (int i = 0; i < nodes.Length; i++)
        {
            nodes[i] = new Node(_replacement[i].Facts) { Source = _matched[_replacement[i].Instruction.Source].Source };
        }

        for (int i = 0; i < nodes.Length; i++)
        {
            ReplacementInstruction instruction = _replacement[i].Instruction;
            for (int k = 0; k < instruction.Operands.Length; k++)
            {
                if (!SetOperand(nodes, i, k, instruction.Operands[k], following))
                {
                    return null;
                }
            }
        }

        if (IsTheSame(nodes))
        {
            return null;
        }

        // Nothing is changed before it is certain that all can be done.
        foreach ((_, ReplacementInstruction instruction) in _replacement)
        {
            if (!instruction.Charges.All(HasAmount) || !JumpChargesFit(instruction.JumpCharges))
            {
                return null;
            }
        }

        Knowledge knowledge = before;
        for (int i = 0; i < nodes.Length; i++)
        {
            nodes[i].Charges = ChargesOf(_replacement[i].Instruction.Charges, knowledge);
            nodes[i].JumpCharges = ChargesOf(_replacement[i].Instruction.JumpCharges, knowledge);
            nodes[i].Before = knowledge;
            knowledge = _scope.Analysis.After(nodes[i], knowledge);
        }

        _scope.Graph.Replace(_matched[0], _matched.Length, nodes);
        Applied++;
        return nodes;
    }

    private bool IsTheSame(Node[] nodes)
    {
        bool same = nodes.Length == _matched.Length;
        for (int i = 0; same && i < nodes.Length; i++)
        {
            same =
                nodes[i].Tag == _matched[i].Tag
                && nodes[i].A == _matched[i].A
                && nodes[i].B == _matched[i].B
                && nodes[i].C == _matched[i].C
                && nodes[i].Target is null;
        }

        return same;
    }

    private bool HasAmount(ChargeTerm term) =>
        term is not ChargeTerm.OfConstants it || _scope.Evaluator.Evaluate(it.Amount, Constant) is not null;

    private bool Matches(Node node, int index, RewriteOperand operand, Node following)
    {
        bool isTarget = index == node.Facts.TargetOperand;
        switch (operand)
        {
            case RewriteOperand.Literal literal:
                return node.Operand(index) == literal.Value;
            case RewriteOperand.Position position:
                return ReferenceEquals(
                    node.Target!.Resolve(),
                    position.Index == _matched.Length ? following : _matched[position.Index]
                );
            case RewriteOperand.Metavariable variable:
                int slot = _slots[variable.Name];
                Node? target = isTarget ? node.Target!.Resolve() : null;
                long value = isTarget ? 0 : Normal(node, index);
                if (_bound[slot])
                {
                    return _values[slot] == value && ReferenceEquals(_targets[slot], target);
                }

                _bound[slot] = true;
                _values[slot] = value;
                _targets[slot] = target;
                return true;
            default:
                throw new InvalidOperationException($"{operand.GetType().Name} in a pattern");
        }
    }

    /// <summary>Constants and names that are the same get the same number.</summary>
    private long Normal(Node node, int index) =>
        node.Facts.Info.Operands[index].Kind.Tag switch
        {
            OperandKind.Tags.Constant => _scope.Constants.FirstOf(node.Operand(index)),
            OperandKind.Tags.Name => _scope.FirstNames[node.Operand(index)],
            _ => node.Operand(index),
        };

    private bool SetOperand(Node[] nodes, int at, int index, RewriteOperand operand, Node following)
    {
        Node node = nodes[at];
        switch (operand)
        {
            case RewriteOperand.Literal literal:
                node.SetOperand(index, literal.Value);
                return true;
            case RewriteOperand.Position position:
                node.Target = position.Index == nodes.Length ? following : nodes[position.Index];
                return true;
            case RewriteOperand.Metavariable variable:
                int slot = _slots[variable.Name];
                node.Target = _targets[slot] ?? node.Target;
                node.SetOperand(index, _values[slot]);
                return true;
            case RewriteOperand.Computed computed:
                if (_scope.Evaluator.Evaluate(computed.Expression, Constant) is not { } data)
                {
                    return false;
                }

                node.SetOperand(index, _scope.Constants.NumberOf(data));
                return true;
            default:
                throw new InvalidOperationException($"no reading of {operand.GetType().Name}");
        }
    }

    private Data Constant(string name) => _scope.Constants[_values[_slots[name]]];

    /// <summary>The charges. One that is known to be 0 is none.</summary>
    private NodeCharges ChargesOf(ImmutableArray<ChargeTerm> terms, Knowledge knowledge)
    {
        NodeCharges charges = [];
        foreach (ChargeTerm term in terms)
        {
            Node matched = _matched[term.Pattern];
            switch (term)
            {
                case ChargeTerm.StaticOf when charges.Count == 0:
                    // The node is going away, and no other charge stands for its list: long lists are not copied again and again.
                    charges = matched.Charges;
                    break;
                case ChargeTerm.StaticOf:
                    charges.AddRange(matched.Charges);
                    break;
                case ChargeTerm.Dynamic it:
                    if (!IsNothing(it.Amount, knowledge))
                    {
                        charges.Add(new Charge(matched.Source, it.Amount));
                    }

                    break;
                case ChargeTerm.OfConstants it:
                    long gas = _scope.Evaluator.Evaluate(it.Amount, Constant)!.Value;
                    if (gas > 0)
                    {
                        charges.Add(new Charge(matched.Source, new Amount.Fixed(gas)));
                    }

                    break;
                default:
                    throw new InvalidOperationException($"no reading of {term.GetType().Name}");
            }
        }

        return charges;
    }

    private bool JumpChargesFit(ImmutableArray<ChargeTerm> terms) =>
        terms.All(term =>
            _matched[term.Pattern]
                .Charges.All(charge =>
                    charge.Amount is Amount.Fixed gas && gas.Gas <= Fuel.LargestStatic / 2 / terms.Length
                )
        );

    private static bool IsNothing(Amount amount, Knowledge knowledge) =>
        amount switch
        {
            Amount.Fixed it => it.Gas.IsZero,
            Amount.Size it => knowledge.Stack(it.Depth).Small,
            Amount.VariableSize or Amount.RegisterSize => false,
            Amount.Text it => (knowledge.Stack(it.Depth).Kinds & KindSet.String) == 0,
            Amount.Sum it => it.Parts.All(part => IsNothing(part, knowledge)),
            _ => throw new InvalidOperationException($"no reading of {amount.GetType().Name}"),
        };

    private bool Holds(Precondition precondition, Knowledge before) =>
        precondition switch
        {
            Precondition.StackKind it => before.Stack(it.Depth).Kinds.Within(it.Kinds),
            Precondition.StackSmall it => before.Stack(it.Depth).Small,
            Precondition.NameKind it => _scope.Analysis.Variable(before, Value(it.Name)).Kinds.Within(it.Kinds),
            Precondition.NameIs it => _scope.Program.Names[Value(it.Name)] == it.Text,
            Precondition.NameIsOwn it => _scope.Analysis.IsOwn(Value(it.Name)),
            Precondition.ConstantKind it => Kinds.Of(Constant(it.Constant)).Within(it.Kinds),
            Precondition.ConstantIs it => Constant(it.Constant).Equals(it.Value),
            Precondition.ConstantSmall it => ConstantEvaluator.SizeOf(Constant(it.Constant)) == 0,
            Precondition.ConstantTruth it => ConstantEvaluator.IsTrue(Constant(it.Constant)) == it.Truth,
            Precondition.Evaluates it => _scope.Evaluator.Evaluate(it.Expression, Constant) is not null,
            Precondition.KeepsLimit it => _scope.KeepLimit(it.Kinds),
            Precondition.Different it => Value(it.Left) != Value(it.Right),
            _ => throw new InvalidOperationException($"no reading of {precondition.GetType().Name}"),
        };

    private long Value(string name) => _values[_slots[name]];
}
