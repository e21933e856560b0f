using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Which kinds the operand stack, the frame's own variables and the registers can hold, along all paths of one function.
/// A variable that some function captures is never known, nor is a global: calls change them. Of what a handler finds nothing is known.
/// </summary>
internal sealed class KindAnalysis
{
    private readonly Program _program;
    private readonly ConstantPool _constants;
    private readonly FramePlaces _places;
    private readonly Knowledge _start;

    public KindAnalysis(Program program, FramePlaces places, ConstantPool constants)
    {
        _program = program;
        _constants = constants;
        _places = places;
        Fact[] facts = new Fact[places.Count];
        Array.Fill(facts, Fact.Null);
        Array.Fill(facts, Fact.Unknown, 0, places.Parameters);
        _start = new Knowledge(facts);
    }

    /// <summary>Is it a variable of the frame that no function captures?</summary>
    public bool IsOwn(long name) => _places.OfName(name) >= 0;

    public Fact Variable(Knowledge knowledge, long name) =>
        _places.OfName(name) is var place and >= 0 ? knowledge.Variables[place] : Fact.Unknown;

    /// <summary>Of variables and registers, what is known of them there.</summary>
    public ImmutableArray<KindFact> FrameFacts(Knowledge knowledge)
    {
        Fact[] variables = knowledge.Variables;
        ImmutableArray<KindFact>.Builder facts = ImmutableArray.CreateBuilder<KindFact>(variables.Length);
        for (int i = 0; i < variables.Length; i++)
        {
            if (variables[i] != Fact.Unknown)
            {
                facts.Add(new KindFact(_places.ToPlace(i), variables[i].Kinds, variables[i].Small));
            }
        }

        return facts.DrainToImmutable();
    }

    /// <summary>Finds what is known wherever control can arrive, and forgets it where it cannot.</summary>
    public void Run(FunctionGraph graph)
    {
        graph.NumberPlaces();
        for (Node? node = graph.First; node is not null; node = node.Next)
        {
            node.Entry = null;
            node.Before = null;
        }

        PriorityQueue<Node, int> pending = new();
        Arrive(graph.First, _start);
        while (pending.TryDequeue(out Node? head, out _))
        {
            Knowledge knowledge = head.Entry!;
            for (Node node = head; !node.IsEnd; node = node.Next!)
            {
                Knowledge after = After(node, knowledge);
                if (node.Target?.Resolve() is { } target)
                {
                    Knowledge there =
                        node.Facts.Info.Flow.Tag == Flow.Tags.Try ? knowledge.Forget(knowledge.Height + 1) : after;
                    Arrive(target, there);
                }

                if (!node.Facts.GoesOn)
                {
                    break;
                }

                if (node.Next!.Arrivals > 0)
                {
                    Arrive(node.Next, after);
                    break;
                }

                knowledge = after;
            }
        }

        void Arrive(Node node, Knowledge knowledge)
        {
            // The end of the code has no height of its own.
            if (node.IsEnd)
            {
                return;
            }

            Knowledge joined = node.Entry?.Join(knowledge) ?? knowledge;
            if (!ReferenceEquals(joined, node.Entry))
            {
                node.Entry = joined;
                pending.Enqueue(node, node.Place);
            }
        }
    }

    /// <summary>What is known after an instruction that did not fault and did not leave.</summary>
    public Knowledge After(Node node, Knowledge before)
    {
        switch (node.Tag)
        {
            case Opcode.Tags.LOAD_CONST:
                return before.Push(_constants.FactOf(node.A));
            case Opcode.Tags.LOAD_NAME:
                return before.Push(Variable(before, node.A));
            case Opcode.Tags.STORE_NAME:
                return Store(before.Pop(1), node.A, before.Stack(0));
            case Opcode.Tags.STORE_CONST:
                return Store(before, node.A, _constants.FactOf(node.B));
            case Opcode.Tags.STORE_FUNC:
                return Store(before, node.A, Fact.Of(KindSet.Function));
            case Opcode.Tags.DUP:
                return before.Push(before.Stack(0));
            case Opcode.Tags.INC:
                return before.Pop(1).Push(Sum(before.Stack(0), _constants.One));
            case Opcode.Tags.DEC:
                return before.Pop(1).Push(Difference(before.Stack(0), _constants.One));
            case Opcode.Tags.NEG:
                return before.Pop(1).Push(Negated(before.Stack(0)));
            case Opcode.Tags.ADD:
            case Opcode.Tags.SUB:
            case Opcode.Tags.MUL:
            case Opcode.Tags.DIV:
            case Opcode.Tags.MOD:
            case Opcode.Tags.POW:
                return before.Pop(2).Push(Result(node.Tag, before.Stack(1), before.Stack(0)));
            case Opcode.Tags.EQ:
            case Opcode.Tags.NEQ:
            case Opcode.Tags.LT:
            case Opcode.Tags.GT:
            case Opcode.Tags.LTE:
            case Opcode.Tags.GTE:
            case Opcode.Tags.AND:
            case Opcode.Tags.OR:
                return before.Pop(2).Push(Fact.Of(KindSet.Bool));
            case Opcode.Tags.NOT:
                return before.Pop(1).Push(Fact.Of(KindSet.Bool));
            case Opcode.Tags.BUILD_LIST:
                return before.Pop((int)node.A).Push(Fact.Of(KindSet.List));
            case Opcode.Tags.BUILD_MAP:
                return before.Pop(2 * (int)node.A).Push(Fact.Of(KindSet.Map));
            case Opcode.Tags.BUILD_SET:
                return before.Pop((int)node.A).Push(Fact.Of(KindSet.Set));
            case Opcode.Tags.GET_LENGTH:
                return before.Pop(1).Push(new Fact(KindSet.Int, true));
            case Opcode.Tags.HASH_BLOCK:
                return before.Pop(1).Push(Fact.Of(KindSet.String));
            case Opcode.Tags.MERKLE_ROOT:
                return before.Pop((int)node.A).Push(Fact.Of(KindSet.String));
            case Opcode.Tags.VERIFY_SIGNATURE:
                return before.Pop(3).Push(Fact.Of(KindSet.Bool));
            case Opcode.Tags.STATE_READ:
                return before.Pop(1).Push(Fact.Of(KindSet.All & ~(KindSet.Function | KindSet.Task)));
            case Opcode.Tags.CALL_BUILTIN:
                return before.Pop((int)node.B).Push(OfBuiltin(_program.Names[node.A]));
            case Opcode.Tags.LOAD_REG:
                return SetRegister(before, node.A, _constants.FactOf(node.B));
            case Opcode.Tags.LOAD_VAR_REG:
                return SetRegister(before, node.A, Variable(before, node.B));
            case Opcode.Tags.STORE_REG:
                return Store(before, node.B, Register(before, node.A));
            case Opcode.Tags.MOV_REG:
                return SetRegister(before, node.A, Register(before, node.B));
            case Opcode.Tags.PUSH_REG:
                return before.Push(Register(before, node.A));
            case Opcode.Tags.POP_REG:
                return SetRegister(before.Pop(1), node.A, before.Stack(0));
            case Opcode.Tags.NEG_REG:
                return SetRegister(before, node.A, Negated(Register(before, node.B)));
            case Opcode.Tags.ADD_REG:
                return Registers(Opcode.Tags.ADD);
            case Opcode.Tags.SUB_REG:
                return Registers(Opcode.Tags.SUB);
            case Opcode.Tags.MUL_REG:
                return Registers(Opcode.Tags.MUL);
            case Opcode.Tags.DIV_REG:
                return Registers(Opcode.Tags.DIV);
            case Opcode.Tags.MOD_REG:
                return Registers(Opcode.Tags.MOD);
            case Opcode.Tags.POW_REG:
                return Registers(Opcode.Tags.POW);
            case Opcode.Tags.EQ_REG:
            case Opcode.Tags.NEQ_REG:
            case Opcode.Tags.LT_REG:
            case Opcode.Tags.GT_REG:
            case Opcode.Tags.LTE_REG:
            case Opcode.Tags.GTE_REG:
            case Opcode.Tags.AND_REG:
            case Opcode.Tags.OR_REG:
            case Opcode.Tags.NOT_REG:
                return SetRegister(before, node.A, Fact.Of(KindSet.Bool));
            default:
                return Unknown(node, before);
        }

        Knowledge Registers(int tag) =>
            SetRegister(before, node.A, Result(tag, Register(before, node.B), Register(before, node.C)));
    }

    /// <summary>An instruction that changes nothing but the stack, as far as is known here.</summary>
    private static Knowledge Unknown(Node node, Knowledge before)
    {
        StackEffect effect = node.Facts.Info.Effect;
        int count = node.Facts.CountOperand < 0 ? 0 : (int)node.Operand(node.Facts.CountOperand);
        Knowledge after = before.Pop(effect.Pops + (effect.PopsPerCount * count));
        for (int i = effect.Pushes + (effect.PushesPerCount * count); i > 0; i--)
        {
            after = after.Push(Fact.Unknown);
        }

        return after;
    }

    private Knowledge Store(Knowledge knowledge, long name, Fact fact) =>
        _places.OfName(name) is var place and >= 0 ? knowledge.With(place, fact) : knowledge;

    private Fact Register(Knowledge knowledge, long register) => knowledge.Variables[_places.OfRegister(register)];

    private Knowledge SetRegister(Knowledge knowledge, long register, Fact fact) =>
        knowledge.With(_places.OfRegister(register), fact);

    private static Fact Result(int tag, Fact a, Fact b) =>
        tag switch
        {
            Opcode.Tags.ADD => Sum(a, b),
            Opcode.Tags.SUB => Difference(a, b),
            Opcode.Tags.MUL => Product(a, b),
            Opcode.Tags.DIV or Opcode.Tags.POW => Fact.Of(Numbers(a, b) | KindSet.Float),
            // The remainder is less than the divisor.
            Opcode.Tags.MOD => new Fact(Numbers(a, b), b.Small),
            _ => throw new InvalidOperationException($"no result of {tag}"),
        };

    /// <summary>What arithmetic on two numbers gives, where it does not fault.</summary>
    private static KindSet Numbers(Fact a, Fact b)
    {
        KindSet result = KindSet.None;
        if (Meets(a, KindSet.Integral) && Meets(b, KindSet.Integral))
        {
            result |= KindSet.Int;
        }

        if (
            (Meets(a, KindSet.Float) && Meets(b, KindSet.Number))
            || (Meets(b, KindSet.Float) && Meets(a, KindSet.Number))
        )
        {
            result |= KindSet.Float;
        }

        return result;
    }

    private static bool Meets(Fact fact, KindSet kinds) => (fact.Kinds & kinds) != 0;

    private static Fact Sum(Fact a, Fact b)
    {
        KindSet result = Numbers(a, b);
        if (Meets(a, KindSet.String) || Meets(b, KindSet.String))
        {
            result |= KindSet.String;
        }

        if (Meets(a, KindSet.List) && Meets(b, KindSet.List))
        {
            result |= KindSet.List;
        }

        return Fact.Of(result);
    }

    private static Fact Difference(Fact a, Fact b) => Fact.Of(Numbers(a, b));

    private static Fact Product(Fact a, Fact b)
    {
        KindSet result = Numbers(a, b);
        foreach (KindSet repeated in (ReadOnlySpan<KindSet>)[KindSet.String, KindSet.List])
        {
            if (
                (Meets(a, repeated) && Meets(b, KindSet.Integral)) || (Meets(b, repeated) && Meets(a, KindSet.Integral))
            )
            {
                result |= repeated;
            }
        }

        return Fact.Of(result);
    }

    private static Fact Negated(Fact a) => Fact.Of(Numbers(a, new Fact(KindSet.Null, true)));

    private static Fact OfBuiltin(string name) =>
        name switch
        {
            "len" => new Fact(KindSet.Int, true),
            "int" => Fact.Of(KindSet.Int),
            "float" => Fact.Of(KindSet.Float),
            "str" or "type" => Fact.Of(KindSet.String),
            "range" => Fact.Of(KindSet.List),
            _ => Fact.Unknown,
        };
}
