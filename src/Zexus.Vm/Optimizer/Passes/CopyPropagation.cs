using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Loads and moves the constant, or the original, where a variable or register was loaded or moved that holds it on every path. What such an
/// instruction charges does not depend on which of them it reads, so its charges stay. Operations on registers keep their operands: to a
/// proof, one that it does not look into is another when its operands are others.
/// </summary>
internal sealed class CopyPropagation() : FunctionPass("copy propagation", Technique.CopyPropagation)
{
    private static readonly Change Constant = new(Optimizer.PropagatedConstant, "what holds k = k");
    private static readonly Change Copied = new(Optimizer.PropagatedCopy, "a copy of x = x");

    private readonly HashSet<int> _reliedOn = [];
    private SortedSet<int>? _claimed;
    private ValueAnalysis _analysis = null!;
    private FramePlaces _places = null!;
    private ConstantPool _constants = null!;

    public override ImmutableArray<Claim> ClaimsAt(Node landing) =>
        _analysis.Claims(landing, _claimed ??= _analysis.WithOrigins(_reliedOn, ofKinds: false), ofKinds: false);

    public override void Run(RewriteScope scope, Changes changes)
    {
        _reliedOn.Clear();
        _claimed = null;
        _places = scope.Places;
        _constants = scope.Constants;
        _analysis = new ValueAnalysis(scope);
        _analysis.Walk(
            values => values.Copy(),
            (node, values) =>
            {
                Rewrite(scope, node, values, changes);
                _analysis.Step(node, values);
                return node;
            }
        );
    }

    private void Rewrite(RewriteScope scope, Node node, Values values, Changes changes)
    {
        switch (node.Tag)
        {
            case Opcode.Tags.LOAD_NAME when _places.OfName(node.A) is var place and >= 0:
                Read(place);
                break;
            case Opcode.Tags.PUSH_REG:
                Read(_places.OfRegister(node.A));
                break;
            case Opcode.Tags.LOAD_VAR_REG when _places.OfName(node.B) is var place and >= 0:
                Move(place);
                break;
            case Opcode.Tags.MOV_REG:
                Move(_places.OfRegister(node.B));
                break;
            case Opcode.Tags.STORE_REG:
                Store();
                break;
            default:
                break;
        }

        void Read(int place)
        {
            if (Values.IsConstant(values[place]))
            {
                Become(Constant, place, place, Opcode.LOAD_CONST, NumberOf(values[place]), 0);
            }
            else if (values.Find(values[place]) is var original && original != place)
            {
                Become(
                    Copied,
                    place,
                    original,
                    _places.IsRegister(original) ? Opcode.PUSH_REG : Opcode.LOAD_NAME,
                    _places.OperandOf(original),
                    0
                );
            }
        }

        void Move(int place)
        {
            if (Values.IsConstant(values[place]))
            {
                Become(Constant, place, place, Opcode.LOAD_REG, node.A, NumberOf(values[place]));
            }
            else if (values.Find(values[place]) is var original && original != place)
            {
                Become(
                    Copied,
                    place,
                    original,
                    _places.IsRegister(original) ? Opcode.MOV_REG : Opcode.LOAD_VAR_REG,
                    node.A,
                    _places.OperandOf(original)
                );
            }
        }

        void Store()
        {
            int place = _places.OfRegister(node.A);
            if (Values.IsConstant(values[place]))
            {
                Become(Constant, place, place, Opcode.STORE_CONST, node.B, NumberOf(values[place]));
            }
            else if (Original(node.A) is var original && original != node.A)
            {
                Become(Copied, place, _places.OfRegister(original), Opcode.STORE_REG, original, node.B);
            }
        }

        // The lowest register that holds the same.
        long Original(long register) =>
            _places.OperandOf(values.Find(values[_places.OfRegister(register)], _places.Variables));

        void Become(Change change, int place, int original, Opcode opcode, long a, long b)
        {
            _ = _reliedOn.Add(place);
            _ = _reliedOn.Add(original);
            ImmutableArray<string> before = changes.Spell(scope, node);
            node.Become(opcode, a, b);
            changes.Add(scope, change, node.Source, before, node);
        }
    }

    private long NumberOf(int value) => value == Values.Null ? _constants.NumberOf(Data.Null) : value;
}
