using Zexus.Isa;

namespace Zexus.Vm;

internal sealed unsafe partial class Machine
{
    private static readonly VmOptions WithoutBounds = new() { GasLimit = long.MaxValue };

    /// <summary>
    /// What an instruction leaves when it finds these scalars on the stack, and what it charges besides its static charge;
    /// null when it faults, or is none that computes from its operands alone. Not while the machine executes.
    /// </summary>
    public (Data Value, long Gas)? Evaluate(Opcode opcode, ReadOnlySpan<Data> operands, Limits limits)
    {
        _heap.Reset();
        _integerBits = limits.IntegerBits;
        _stringLength = limits.StringLength;
        _collectionLength = limits.CollectionLength;
        _nesting = limits.Nesting;
        StartGas(WithoutBounds, CancellationToken.None);
        Value* cells = stackalloc Value[operands.Length];
        for (int i = 0; i < operands.Length; i++)
        {
            cells[i] = PlainData.ToValue(operands[i], _heap);
        }

        Code code = Apply(opcode, cells, operands.Length);
        Data? value = code == Code.Done ? Scalar(cells[0]) : null;
        return value is null ? null : (value, GasUsed);
    }

    private Code Apply(Opcode opcode, Value* cells, int count)
    {
        Value* second = cells + 1;
        return (opcode.Tag, count) switch
        {
            (Opcode.Tags.INC, 1) => Unary(Op.Inc, cells, cells),
            (Opcode.Tags.DEC, 1) => Unary(Op.Dec, cells, cells),
            (Opcode.Tags.NEG, 1) => Unary(Op.Neg, cells, cells),
            (Opcode.Tags.NOT, 1) => Not(cells),
            (Opcode.Tags.ADD, 2) => Binary(Op.Add, cells, second, cells),
            (Opcode.Tags.SUB, 2) => Binary(Op.Sub, cells, second, cells),
            (Opcode.Tags.MUL, 2) => Binary(Op.Mul, cells, second, cells),
            (Opcode.Tags.DIV, 2) => Binary(Op.Div, cells, second, cells),
            (Opcode.Tags.MOD, 2) => Binary(Op.Mod, cells, second, cells),
            (Opcode.Tags.POW, 2) => Binary(Op.Pow, cells, second, cells),
            (Opcode.Tags.EQ, 2) => Binary(Op.Eq, cells, second, cells),
            (Opcode.Tags.NEQ, 2) => Binary(Op.Neq, cells, second, cells),
            (Opcode.Tags.LT, 2) => Binary(Op.Lt, cells, second, cells),
            (Opcode.Tags.GT, 2) => Binary(Op.Gt, cells, second, cells),
            (Opcode.Tags.LTE, 2) => Binary(Op.Lte, cells, second, cells),
            (Opcode.Tags.GTE, 2) => Binary(Op.Gte, cells, second, cells),
            (Opcode.Tags.AND, 2) => Binary(Op.And, cells, second, cells),
            (Opcode.Tags.OR, 2) => Binary(Op.Or, cells, second, cells),
            (Opcode.Tags.INDEX, 2) => Index(cells, second, cells),
            (Opcode.Tags.SLICE, 3) => Slice(cells, second, cells + 2, cells),
            (Opcode.Tags.GET_LENGTH, 1) => Length(cells, cells),
            (Opcode.Tags.HASH_BLOCK, 1) => HashBlock(cells),
            _ => throw new InvalidOperationException($"{opcode} of {count} constants has no evaluation"),
        };
    }

    private static Code Not(Value* value)
    {
        *value = Value.Of(!IsTrue(value));
        return Code.Done;
    }

    private static Data? Scalar(Value value) =>
        value.Tag switch
        {
            Tag.Null => Data.Null,
            Tag.Bool => Data.NewBool(value.Payload != 0),
            Tag.Int => Data.NewInt(value.Payload),
            Tag.BigInt => Data.NewInt(Integers.Of(value.Big)),
            Tag.Float => Data.NewFloat(value.Float),
            Tag.String => Data.NewString(Text.ToDotNet(value.String)),
            Tag.List or Tag.Map or Tag.Set or Tag.Function => null,
            _ => throw new InvalidOperationException($"a value is a {value.Tag}"),
        };
}
