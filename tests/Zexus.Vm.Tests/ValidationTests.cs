using System.Numerics;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

public class ValidationTests
{
    private static Instruction Op(Opcode opcode, long a = 0, long b = 0, long c = 0) => Assembly.Op(opcode, a, b, c);

    private static Instruction Raw(int number) => Instruction.Of(number, 0, 0, 0);

    private static void Refused(
        Isa.Program program,
        RefusalReason reason,
        int function,
        int index,
        Limits? limits = null
    )
    {
        Assert.False(ZexusProgram.TryLoad(program, limits, out ZexusProgram? loaded, out Refusal? refusal));
        Assert.Null(loaded);
        Assert.Equal(new Refusal(reason, function, index), refusal);
    }

    private static void CodeRefused(RefusalReason reason, int index, params Instruction[] code) =>
        Refused(
            new Isa.Program([Data.Null], ["x"], [new FunctionDefinition("main", [], [], [], code)]),
            reason,
            0,
            index
        );

    private static void ConstantRefused(RefusalReason reason, Data data, Limits? limits = null) =>
        Refused(
            new Isa.Program([Data.Null, data], [], [new FunctionDefinition("main", [], [], [], [])]),
            reason,
            -1,
            1,
            limits
        );

    private static Data Nested(int depth)
    {
        Data data = Data.NewList([]);
        for (int i = 1; i < depth; i++)
        {
            data = Data.NewList([data]);
        }

        return data;
    }

    [Fact]
    public void No_function() => Refused(new Isa.Program([], [], []), RefusalReason.NoEntry, -1, 0);

    [Fact]
    public void Constants()
    {
        Limits small = new(10, 8, 3, 2, 2);
        ConstantRefused(RefusalReason.ConstantTooLarge, Data.NewInt(256), small);
        ConstantRefused(RefusalReason.ConstantTooLarge, Data.NewInt(-257), small);
        ConstantRefused(RefusalReason.ConstantTooLarge, Data.NewInt(BigInteger.One << 8192));
        ConstantRefused(RefusalReason.ConstantTooLarge, Data.NewString("abcd"), small);
        ConstantRefused(RefusalReason.ConstantTooLarge, Data.NewList([Data.Null, Data.Null, Data.Null]), small);
        ConstantRefused(RefusalReason.ConstantTooDeep, Nested(3), small);
        ConstantRefused(RefusalReason.BadString, Data.NewString("\ud800"));
        ConstantRefused(
            RefusalReason.BadNaN,
            Data.NewFloat(BitConverter.Int64BitsToDouble(unchecked((long)0xFFF8000000000000)))
        );
        ConstantRefused(
            RefusalReason.BadKey,
            Data.NewSet([Data.NewFloat(BitConverter.Int64BitsToDouble(0x7FF8000000000000))])
        );
        ConstantRefused(RefusalReason.BadKey, Data.NewSet([Data.NewInt(1), Data.NewFloat(1.0)]));
        ConstantRefused(RefusalReason.BadKey, Data.NewSet([Nested(1)]));
        ConstantRefused(
            RefusalReason.BadKey,
            Data.NewMap([new(Data.NewBool(true), Data.Null), new(Data.NewInt(1), Data.Null)])
        );
        Assert.NotNull(
            ZexusProgram.Load(
                new Isa.Program(
                    [
                        Data.NewInt(-256),
                        Data.NewString("a😀b"),
                        Nested(2),
                        Data.NewFloat(double.NaN * 0 == 0 ? 0 : 1.5),
                    ],
                    [],
                    [new FunctionDefinition("main", [], [], [], [])]
                ),
                small
            )
        );
        Assert.NotNull(
            ZexusProgram.Load(new Isa.Program([Nested(256)], [], [new FunctionDefinition("main", [], [], [], [])]))
        );
        ConstantRefused(RefusalReason.ConstantTooDeep, Nested(257));
        ConstantRefused(RefusalReason.ConstantTooDeep, Nested(200_000));
    }

    [Fact]
    public void Names_and_variables()
    {
        FunctionDefinition main = new("main", [], [], [], []);
        Refused(new Isa.Program([], ["a", "\udc00"], [main]), RefusalReason.BadString, -1, 1);
        Refused(
            new Isa.Program([], [], [main, new FunctionDefinition("\ud800x", [], [], [], [])]),
            RefusalReason.BadString,
            1,
            0
        );
        Refused(
            new Isa.Program([], [], [main, new FunctionDefinition("f", ["a"], ["b"], ["a"], [])]),
            RefusalReason.DuplicateVariable,
            1,
            2
        );
        Refused(
            new Isa.Program([], [], [main, new FunctionDefinition("f", ["a"], ["\ud800"], [], [])]),
            RefusalReason.BadString,
            1,
            1
        );
        string[] many = [.. Enumerable.Range(0, 1025).Select(i => "v" + i)];
        Refused(
            new Isa.Program([], [], [new FunctionDefinition("main", [], many, [], [])]),
            RefusalReason.TooManyVariables,
            0,
            1024
        );
        Refused(
            new Isa.Program([], [], [new FunctionDefinition("main", ["a"], [], [], [])]),
            RefusalReason.BadEntry,
            0,
            0
        );
        Refused(
            new Isa.Program([], [], [new FunctionDefinition("main", [], [], ["a"], [])]),
            RefusalReason.BadEntry,
            0,
            0
        );
    }

    [Fact]
    public void Operands()
    {
        CodeRefused(RefusalReason.UnknownOpcode, 1, Op(Opcode.NOP), Raw(999));
        CodeRefused(RefusalReason.ReservedOpcode, 0, Raw(90));
        CodeRefused(RefusalReason.UnspecifiedOpcode, 0, Raw(300));
        CodeRefused(RefusalReason.OperandOutOfRange, 0, Op(Opcode.LOAD_CONST, 1));
        CodeRefused(RefusalReason.OperandOutOfRange, 0, Op(Opcode.LOAD_NAME, -1));
        CodeRefused(RefusalReason.OperandOutOfRange, 0, Op(Opcode.CALL_FUNC_CONST, 1));
        CodeRefused(RefusalReason.OperandOutOfRange, 0, Op(Opcode.BUILD_LIST, 1025));
        CodeRefused(RefusalReason.OperandOutOfRange, 0, Op(Opcode.FOR_ITER, 3));
        CodeRefused(RefusalReason.OperandOutOfRange, 0, Op(Opcode.PUSH_REG, 16));
        CodeRefused(RefusalReason.JumpOutOfRange, 0, Op(Opcode.JUMP, 2));
        CodeRefused(RefusalReason.NegativeGas, 0, Op(Opcode.GAS_CHARGE, -1));
        Refused(
            new Isa.Program(
                [],
                ["f"],
                [
                    new FunctionDefinition("main", [], ["x"], [], [Op(Opcode.STORE_FUNC, 0, 1)]),
                    new FunctionDefinition("f", [], [], ["y"], []),
                ]
            ),
            RefusalReason.UnresolvedCapture,
            0,
            0
        );
    }

    [Fact]
    public void Heights()
    {
        CodeRefused(RefusalReason.StackUnderflow, 0, Op(Opcode.POP));
        CodeRefused(
            RefusalReason.StackMismatch,
            3,
            Op(Opcode.LOAD_CONST),
            Op(Opcode.JUMP_IF_FALSE, 3),
            Op(Opcode.LOAD_CONST),
            Op(Opcode.NOP)
        );
        Instruction[] deep = [.. Enumerable.Repeat(Op(Opcode.LOAD_CONST), 1025)];
        CodeRefused(RefusalReason.StackOverflow, 1024, deep);
        Instruction[] full = [.. Enumerable.Repeat(Op(Opcode.LOAD_CONST), 1024), Op(Opcode.SETUP_TRY, 0)];
        CodeRefused(RefusalReason.StackOverflow, 1024, full);
        CodeRefused(RefusalReason.StackMismatch, 0, Op(Opcode.SETUP_TRY, 0));

        // What cannot be reached has no height.
        Assert.NotNull(
            ZexusProgram.Load(
                new Isa.Program(
                    [],
                    [],
                    [new FunctionDefinition("main", [], [], [], [Op(Opcode.RETURN), Op(Opcode.POP), Op(Opcode.POP)])]
                )
            )
        );
    }

    [Fact]
    public void Limits_beyond_the_engine_are_an_argument_error()
    {
        Isa.Program program = new([], [], [new FunctionDefinition("main", [], [], [], [])]);
        Assert.Throws<ArgumentException>(() => ZexusProgram.Load(program, new Limits(1024, 8192, 100, 100, 100_000)));
        Assert.Throws<ArgumentException>(() => ZexusProgram.Load(program, new Limits(0, 8192, 100, 100, 10)));
        ProgramRefusedException refused = Assert.Throws<ProgramRefusedException>(() =>
            ZexusProgram.Load(new Isa.Program([], [], []))
        );
        Assert.Equal(RefusalReason.NoEntry, refused.Refusal.Reason);
    }
}
