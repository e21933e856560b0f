using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Which variables and registers of the frame may still be read, going backwards over one function. What may be read at a handler may be
/// read after every instruction that may fault: all but those that only move values and jump.
/// </summary>
internal sealed class Liveness
{
    private const int WordBits = 64;

    private readonly FramePlaces _places;
    private readonly FunctionGraph _graph;

    // By place of the landing; null where it was not yet.
    private readonly ulong[]?[] _landings;

    // What is live at some handler.
    private readonly ulong[] _handlers;

    // What is live where the walk is.
    private readonly ulong[] _live;

    /// <summary>Finds what is live at each landing. The places of the function are numbered.</summary>
    public Liveness(FramePlaces places, FunctionGraph graph)
    {
        _places = places;
        _graph = graph;
        _landings = new ulong[]?[_graph.Count + 1];
        int words = (_places.Count + WordBits - 1) / WordBits;
        _handlers = new ulong[words];
        _live = new ulong[words];
        bool changed;
        do
        {
            changed = false;
            for (Node? node = StartWalk(); node is not null; node = node.Previous)
            {
                GoBehind(node);
                GoBefore(node);
                changed |= node.Arrivals > 0 && Keep(node);
                changed |= node.Facts.Info.Flow.IsTry && AddHandler(node);
            }
        } while (changed);
    }

    /// <summary>Is the place live at a landing, as the code was when it was analysed?</summary>
    public bool IsLiveAt(Node landing, int place) => Contains(_landings[landing.Place]!, place);

    /// <summary>Is it live at some handler?</summary>
    public bool IsLiveAtHandler(int place) => Contains(_handlers, place);

    /// <summary>Is it live where the walk is?</summary>
    public bool IsLive(int place) => Contains(_live, place);

    /// <summary>Begins a walk over all instructions, from last to first: at each, first behind it, then before it.</summary>
    public Node? StartWalk()
    {
        Array.Clear(_live);
        return _graph.End.Previous;
    }

    /// <summary>Goes from before the next instruction to behind this one.</summary>
    public void GoBehind(Node node)
    {
        if (!node.Facts.GoesOn)
        {
            Array.Clear(_live);
        }

        if (node.Target?.Resolve() is { IsEnd: false } target && !node.Facts.Info.Flow.IsTry)
        {
            _ = Add(_live, _landings[target.Place]);
        }
    }

    /// <summary>Goes from behind an instruction to before it.</summary>
    public void GoBefore(Node node)
    {
        switch (node.Tag)
        {
            case Opcode.Tags.LOAD_NAME:
                Read(_places.OfName(node.A));
                break;
            case Opcode.Tags.STORE_NAME:
            case Opcode.Tags.STORE_CONST:
                Written(_places.OfName(node.A));
                break;
            case Opcode.Tags.LOAD_REG:
            case Opcode.Tags.POP_REG:
                Written(_places.OfRegister(node.A));
                break;
            case Opcode.Tags.PUSH_REG:
                Read(_places.OfRegister(node.A));
                break;
            case Opcode.Tags.LOAD_VAR_REG:
                Written(_places.OfRegister(node.A));
                Read(_places.OfName(node.B));
                break;
            case Opcode.Tags.STORE_REG:
                Written(_places.OfName(node.B));
                Read(_places.OfRegister(node.A));
                break;
            case Opcode.Tags.MOV_REG:
                Written(_places.OfRegister(node.A));
                Read(_places.OfRegister(node.B));
                break;
            case Opcode.Tags.LOAD_CONST:
            case Opcode.Tags.POP:
            case Opcode.Tags.DUP:
            case Opcode.Tags.NOP:
            case Opcode.Tags.JUMP:
            case Opcode.Tags.JUMP_IF_FALSE:
            case Opcode.Tags.JUMP_IF_TRUE:
            case Opcode.Tags.RETURN:
            case Opcode.Tags.SETUP_TRY:
            case Opcode.Tags.POP_TRY:
                break;
            default:
                Operation(node);
                break;
        }

        if (node.HasVaryingCharges)
        {
            foreach (Charge charge in node.Charges)
            {
                Read(charge.Amount);
            }
        }
    }

    /// <summary>
    /// Goes on with what was found for a landing, as those do that jump there: instructions that were changed on the way may have made
    /// it less.
    /// </summary>
    public void Land(Node landing) => _landings[landing.Place]!.CopyTo(_live, 0);

    /// <summary>An instruction that may fault, or that a proof does not look into.</summary>
    private void Operation(Node node)
    {
        switch (node.Tag)
        {
            case Opcode.Tags.STORE_FUNC:
                Written(_places.OfName(node.A));
                break;
            case Opcode.Tags.CALL_NAME:
                Read(_places.OfName(node.A));
                break;
            case Opcode.Tags.NEG_REG:
            case Opcode.Tags.NOT_REG:
                Written(_places.OfRegister(node.A));
                Read(_places.OfRegister(node.B));
                break;
            case Opcode.Tags.ADD_REG:
            case Opcode.Tags.SUB_REG:
            case Opcode.Tags.MUL_REG:
            case Opcode.Tags.DIV_REG:
            case Opcode.Tags.MOD_REG:
            case Opcode.Tags.POW_REG:
            case Opcode.Tags.EQ_REG:
            case Opcode.Tags.NEQ_REG:
            case Opcode.Tags.LT_REG:
            case Opcode.Tags.GT_REG:
            case Opcode.Tags.LTE_REG:
            case Opcode.Tags.GTE_REG:
            case Opcode.Tags.AND_REG:
            case Opcode.Tags.OR_REG:
                Written(_places.OfRegister(node.A));
                Read(_places.OfRegister(node.B));
                Read(_places.OfRegister(node.C));
                break;
            default:
                break;
        }

        _ = Add(_live, _handlers);
    }

    private void Read(Amount amount)
    {
        switch (amount)
        {
            case Amount.VariableSize it:
                Read(_places.OfSlot(it.Slot));
                break;
            case Amount.RegisterSize it:
                Read(_places.OfRegister(it.Number));
                break;
            case Amount.Sum it:
                foreach (Amount part in it.Parts)
                {
                    Read(part);
                }

                break;
            default:
                break;
        }
    }

    private void Read(int place)
    {
        if (place >= 0)
        {
            _live[place / WordBits] |= 1UL << place;
        }
    }

    private void Written(int place)
    {
        if (place >= 0)
        {
            _live[place / WordBits] &= ~(1UL << place);
        }
    }

    private bool Keep(Node landing)
    {
        if (_landings[landing.Place] is { } known)
        {
            return Add(known, _live);
        }

        _landings[landing.Place] = [.. _live];
        return true;
    }

    private bool AddHandler(Node setup) =>
        setup.Target!.Resolve() is { IsEnd: false } handler && Add(_handlers, _landings[handler.Place]);

    private static bool Contains(ulong[] places, int place) => (places[place / WordBits] & (1UL << place)) != 0;

    private static bool Add(ulong[] places, ulong[]? more)
    {
        bool changed = false;
        for (int i = 0; more is not null && i < places.Length; i++)
        {
            changed |= (more[i] & ~places[i]) != 0;
            places[i] |= more[i];
        }

        return changed;
    }
}
