using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

public class ApiTests
{
    private static Instruction Op(Opcode opcode, long a = 0, long b = 0, long c = 0) => Assembly.Op(opcode, a, b, c);

    private static ZexusProgram Forever()
    {
        Assembly a = new();
        return ZexusProgram.Load(a.Function("main", [Op(Opcode.NOP), Op(Opcode.JUMP, 0)]).Build());
    }

    private static ZexusProgram Call(string name, params object?[] arguments)
    {
        Assembly a = new();
        return ZexusProgram.Load(
            a.Function("main", [.. arguments.Select(a.Const), a.Call(name, arguments.Length)]).Build()
        );
    }

    [Fact]
    public void Cancellation_leaves_the_machine_usable()
    {
        using Vm vm = new(new VmOptions { GasLimit = long.MaxValue });
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(50));
        Assert.ThrowsAny<OperationCanceledException>(() => vm.Execute(Forever(), source.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => vm.Execute(Forever(), new CancellationToken(true)));
        Assert.Equal("", vm.Execute(Call("caller")).Value.AsString);
    }

    [Fact]
    public void Guards_end_an_execution_without_an_outcome()
    {
        using Vm vm = new(new VmOptions { GasLimit = long.MaxValue, TimeLimit = TimeSpan.FromMilliseconds(30) });
        Assert.Equal(HostGuard.Time, Assert.Throws<HostGuardException>(() => vm.Execute(Forever())).Guard);
        vm.Options = new VmOptions { GasLimit = long.MaxValue, StepLimit = 1_000_000 };
        Assert.Equal(HostGuard.Steps, Assert.Throws<HostGuardException>(() => vm.Execute(Forever())).Guard);

        Assembly a = new();
        a.Function(
            "main",
            [Op(Opcode.BUILD_LIST, 0), a.Load("x"), Op(Opcode.BUILD_LIST, 2), a.Store("x"), Op(Opcode.JUMP, 0)]
        );
        vm.Options = new VmOptions { GasLimit = long.MaxValue, MemoryLimit = 10_000_000 };
        Assert.Equal(
            HostGuard.Memory,
            Assert.Throws<HostGuardException>(() => vm.Execute(ZexusProgram.Load(a.Build()))).Guard
        );
        Assert.True(vm.Execute(Call("caller")).IsCompleted);
    }

    [Fact]
    public void Steps_and_gas_are_counted_across_slices()
    {
        using Vm vm = new(new VmOptions { GasLimit = 10_000_001 });
        ExecutionResult result = vm.Execute(Forever());
        Assert.Equal(Fault.OutOfGas, result.Fault);
        Assert.Equal(10_000_000, result.GasUsed);
        Assert.Equal(10_000_002, result.Steps);
        Assert.Equal(1, result.FaultInstruction);
    }

    [Fact]
    public void Many_instructions_without_a_charge_are_counted()
    {
        Assembly a = new();
        Instruction[] code = [.. Enumerable.Repeat(Op(Opcode.NOP), 60_000), Op(Opcode.JUMP, 0)];
        using Vm vm = new(new VmOptions { GasLimit = 1000 });
        ExecutionResult result = vm.Execute(ZexusProgram.Load(a.Function("main", code).Build()));
        Assert.Equal(501 * 60_001, result.Steps);
        Assert.Equal(1000, result.GasUsed);
    }

    [Fact]
    public void Host_functions()
    {
        HostFunctions host = new();
        List<string> seen = [];
        host.Register(
            "log",
            2,
            7,
            HostEffects.WritesHost,
            arguments =>
            {
                seen.Add(arguments[0] + "|" + arguments[1]);
                return HostOutcome.Returned(Data.NewList([arguments[0]]));
            }
        );
        host.Register("fail", 0, 0, HostEffects.None, _ => HostOutcome.Thrown(Data.NewString("no")));
        host.Register("bad", 0, 0, HostEffects.None, _ => HostOutcome.Returned(Data.NewString("\ud800")));
        host.Register("crash", 0, 0, HostEffects.None, _ => throw new TimeZoneNotFoundException());
        using Vm vm = new(new VmOptions { Host = host });
        ExecutionResult result = vm.Execute(Call("log", 5));
        Assert.Equal(5, (int)result.Value.Items[0].AsInteger);
        Assert.Single(seen);
        Assert.Equal(1 + 12 + 7 + 1, result.GasUsed);
        result = vm.Execute(Call("fail"));
        Assert.Equal(Fault.Thrown, result.Fault);
        Assert.Equal("no", result.FaultValue!.AsString);
        Assert.Throws<ArgumentException>(() => vm.Execute(Call("bad")));
        Assert.Throws<TimeZoneNotFoundException>(() => vm.Execute(Call("crash")));
        Assert.True(vm.Execute(Call("log")).IsCompleted);
        Assert.Throws<ArgumentException>(() =>
            host.Register("len", 1, 0, HostEffects.None, _ => HostOutcome.Returned(Data.Null))
        );
        Assert.Throws<ArgumentException>(() =>
            host.Register("log", 1, 0, HostEffects.None, _ => HostOutcome.Returned(Data.Null))
        );
    }

    [Fact]
    public void A_host_function_may_use_another_machine_but_not_this_one()
    {
        Vm vm = new();
        HostFunctions host = new();
        host.Register(
            "again",
            0,
            0,
            HostEffects.None,
            _ =>
            {
                vm.Execute(Call("caller"));
                return HostOutcome.Returned(Data.Null);
            }
        );
        vm.Options = new VmOptions { Host = host };
        Assert.Throws<InvalidOperationException>(() => vm.Execute(Call("again")));
        vm.Dispose();
        Assert.Throws<ObjectDisposedException>(() => vm.Execute(Call("caller")));
    }

    [Fact]
    public void What_the_host_gives_is_checked()
    {
        static VmOptions With(Data data) => new() { State = new Dictionary<string, Data> { ["k"] = data } };
        ZexusProgram program = Call("caller");
        Data[] bad =
        [
            Data.NewString("\udc00"),
            Data.NewFloat(BitConverter.Int64BitsToDouble(unchecked((long)0xFFF8000000000000))),
            Data.NewInt(System.Numerics.BigInteger.One << 9000),
            Data.NewSet([Data.NewInt(1), Data.NewBool(true)]),
        ];
        foreach (Data data in bad)
        {
            using Vm vm = new(With(data));
            Assert.Throws<ArgumentException>(() => vm.Execute(program));
        }

        using Vm caller = new(new VmOptions { Block = new BlockContext { Caller = "\ud800" } });
        Assert.Throws<ArgumentException>(() => caller.Execute(program));
    }

    [Fact]
    public void A_machine_is_used_again_and_a_program_by_many()
    {
        Assembly a = new();
        a.Function(
            "main",
            [
                a.Const(
                    new object?[]
                    {
                        1,
                        "two",
                        new Dictionary<object, object?> { ["three"] = 3 },
                    }
                ),
                a.Store("x"),
                a.Load("x"),
                a.Load("x"),
                a.Method("push", 1),
                a.Const("k"),
                a.Const("v"),
                Op(Opcode.STATE_WRITE),
                a.Load("g"),
                Op(Opcode.BUILD_LIST, 2),
            ]
        );
        ZexusProgram program = ZexusProgram.Load(a.Build());
        Parallel.For(
            0,
            4,
            _ =>
            {
                using Vm vm = new();
                for (int i = 0; i < 200; i++)
                {
                    ExecutionResult result = vm.Execute(program);
                    Assert.Equal(4, result.Value.Items[0].Items.Count);
                    Assert.Equal(ValueKind.Null, result.Value.Items[1].Kind);
                    Assert.Equal("v", ((Data.String)result.State["k"]).value);
                }
            }
        );
    }

    [Fact]
    public void Deep_results_come_out()
    {
        Assembly a = new();
        a.Function(
            "main",
            [
                a.Const(300_000),
                a.Store("i"),
                a.Load("x"),
                Op(Opcode.BUILD_LIST, 1),
                a.Store("x"),
                a.Load("i"),
                Op(Opcode.DEC),
                Op(Opcode.DUP),
                a.Store("i"),
                Op(Opcode.JUMP_IF_TRUE, 2),
                a.Load("x"),
            ],
            locals: ["i", "x"]
        );
        ZexusValue value = a.Run().Value;
        int depth = 0;
        while (value.Kind == ValueKind.List)
        {
            value = value.Items[0];
            depth++;
        }

        Assert.Equal(300_000, depth);
    }

    private struct Recorder : IStepHook
    {
        public List<string> Steps;

        public readonly void BeforeStep(in MachineView view)
        {
            string top = view.StackHeight > 0 ? view.Stack(view.StackHeight - 1).Kind.ToString() : "-";
            string variable = view.VariableCount > 0 ? view.Variable(0).Kind.ToString() : "-";
            Steps.Add(
                $"{view.FrameDepth}:{view.Function}:{view.Instruction} gas {view.GasUsed} top {top} var {variable} g {view.Global("g").Kind} r {view.Register(3).Kind} h {view.HandlerCount} tx {view.OpenTransactions}"
            );
        }
    }

    [Fact]
    public void A_hook_sees_every_step()
    {
        Assembly a = new();
        a.Function(
            "main",
            [
                a.Const("text"),
                a.Store("g"),
                Op(Opcode.SETUP_TRY, 6),
                Op(Opcode.TX_BEGIN),
                a.Const(5),
                Op(Opcode.CALL_FUNC_CONST, 1, 1),
            ]
        );
        a.Function("f", [a.Load("p"), Op(Opcode.POP_REG, 3)], ["p"]);
        Recorder recorder = new() { Steps = [] };
        using Vm vm = new();
        ExecutionResult result = vm.Execute(ZexusProgram.Load(a.Build()), ref recorder);
        Assert.Equal(
            [
                "1:0:0 gas 0 top - var - g Null r Null h 0 tx 0",
                "1:0:1 gas 1 top String var - g Null r Null h 0 tx 0",
                "1:0:2 gas 4 top - var - g String r Null h 0 tx 0",
                "1:0:3 gas 7 top - var - g String r Null h 1 tx 0",
                "1:0:4 gas 27 top - var - g String r Null h 1 tx 1",
                "1:0:5 gas 28 top Int var - g String r Null h 1 tx 1",
                "2:1:0 gas 35 top - var Int g String r Null h 0 tx 1",
                "2:1:1 gas 37 top Int var Int g String r Null h 0 tx 1",
                "2:1:2 gas 38 top - var Int g String r Int h 0 tx 1",
                "1:0:6 gas 38 top Null var - g String r Null h 1 tx 1",
            ],
            recorder.Steps
        );
        Assert.Equal(10, result.Steps);
    }
}
