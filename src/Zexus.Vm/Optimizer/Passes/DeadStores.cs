using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Leaves out what is stored into a variable or register of the frame and never read: not on any path, nor by a handler. Its charges stay. What is
/// stored only for the next instruction to load stays on the operand stack.
/// </summary>
internal sealed class DeadStores() : FunctionPass("dead stores", Technique.DeadCode)
{
    private static readonly Change Dead = new(Optimizer.DeadStore, "a store that nothing reads = nothing");
    private static readonly Change Loaded = new(
        Optimizer.StoredAndLoaded,
        "x := top; x = top, where nothing else reads x"
    );

    // What one side stores and the other does not.
    private readonly SortedSet<int> _left = [];
    private Liveness _liveness = null!;
    private FramePlaces _places = null!;

    public override ImmutableArray<Claim> ClaimsAt(Node landing) =>
        landing.Arrivals == 0
            ? []
            :
            [
                .. _left
                    .Where(place => !_liveness.IsLiveAt(landing, place))
                    .Select(place => new Claim.Dead(_places.ToPlace(place))),
            ];

    public override void Run(RewriteScope scope, Changes changes)
    {
        _left.Clear();
        _places = scope.Places;
        _liveness = new Liveness(scope.Places, scope.Graph);
        for (Node? node = _liveness.StartWalk(); node is not null; node = node.Previous)
        {
            _liveness.GoBehind(node);
            Rewrite(scope, node, changes);
            _liveness.GoBefore(node);
            if (node.Arrivals > 0)
            {
                _liveness.Land(node);
            }
        }
    }

    private void Rewrite(RewriteScope scope, Node node, Changes changes)
    {
        switch (node.Tag)
        {
            case Opcode.Tags.STORE_NAME:
                LeaveOut(_places.OfName(node.A), Opcode.POP);
                break;
            case Opcode.Tags.POP_REG:
                LeaveOut(_places.OfRegister(node.A), Opcode.POP);
                break;
            case Opcode.Tags.STORE_CONST when IsScalar(node.B):
                LeaveOut(_places.OfName(node.A), Opcode.NOP);
                break;
            case Opcode.Tags.STORE_REG:
                LeaveOut(_places.OfName(node.B), Opcode.NOP);
                break;
            case Opcode.Tags.LOAD_REG when IsScalar(node.B):
            case Opcode.Tags.LOAD_VAR_REG:
            case Opcode.Tags.MOV_REG:
                LeaveOut(_places.OfRegister(node.A), Opcode.NOP);
                break;
            case Opcode.Tags.LOAD_NAME:
                KeepOnStack(_places.OfName(node.A), Opcode.Tags.STORE_NAME);
                break;
            case Opcode.Tags.PUSH_REG:
                KeepOnStack(_places.OfRegister(node.A), Opcode.Tags.POP_REG);
                break;
            default:
                break;
        }

        // A collection charges for its elements.
        bool IsScalar(long constant) => scope.Constants.FactOf(constant).Kinds.Within(KindSet.Number | KindSet.String);

        void LeaveOut(int place, Opcode instead)
        {
            if (place < 0 || _liveness.IsLive(place))
            {
                return;
            }

            _ = _left.Add(place);
            ImmutableArray<string> before = changes.Spell(scope, node);
            node.Become(instead);
            changes.Add(scope, Dead, node.Source, before, node);
        }

        // Does it load, for the last time, what the instruction before it has stored? Its charges must not look at the stack.
        void KeepOnStack(int place, int store)
        {
            if (
                place < 0
                || _liveness.IsLive(place)
                || node.Arrivals > 0
                || node.HasVaryingCharges
                || node.Previous is not { } previous
                || previous.Tag != store
                || PlaceStored(previous) != place
            )
            {
                return;
            }

            _ = _left.Add(place);
            ImmutableArray<string> before = changes.Spell(scope, previous, node);
            previous.Become(Opcode.NOP);
            node.Become(Opcode.NOP);
            changes.Add(scope, Loaded, previous.Source, before, previous, node);
        }
    }

    private int PlaceStored(Node store) =>
        store.Tag == Opcode.Tags.STORE_NAME ? _places.OfName(store.A) : _places.OfRegister(store.A);
}
