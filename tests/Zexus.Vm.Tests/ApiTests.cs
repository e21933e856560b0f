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
    public void A_host_function_can_be_registered_between_executions()
    {
        VmOptions options = new();
        using Vm vm = new(options);
        ZexusProgram program = Call("answer");
        Assert.Equal(Fault.UndefinedFunction, vm.Execute(program).Fault);
        _ = options.Host.Register("answer", 0, 1, HostEffects.None, _ => HostOutcome.Returned(Data.NewInt(42)));
        Assert.Equal(42, (int)vm.Execute(program).Value.AsInteger);
    }

    [Fact]
    public void The_longest_limit_of_time_is_none()
    {
        using Vm vm = new(new VmOptions { TimeLimit = TimeSpan.MaxValue });
        Assert.True(vm.Execute(Call("caller")).IsCompleted);
    }

    [Fact]
    public void Guards_end_an_execution_without_an_outcome()
    {
        using Vm vm = new(new VmOptions { GasLimit = long.MaxValue, TimeLimit = TimeSpan.FromMilliseconds(30) });
        Assert.Equal(HostGuard.Time, Assert.Throws<HostGuardException>(() => vm.Execute(Forever())).Guard);
        vm.Options = new VmOptions { GasLimit = long.MaxValue, StepLimit = 1_000_000 };
        HostGuardException stopped = Assert.Throws<HostGuardException>(() => vm.Execute(Forever()));
        Assert.Equal((HostGuard.Steps, 1_000_000), (stopped.Guard, stopped.Limit));

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
    public void Executions_shorter_than_a_slice_are_guarded_too()
    {
        using Vm vm = new();
        long steps = vm.Execute(Call("caller")).Steps;
        vm.Options = new VmOptions { StepLimit = steps };
        Assert.True(vm.Execute(Call("caller")).IsCompleted);
        vm.Options = new VmOptions { StepLimit = steps - 1 };
        Assert.Equal(HostGuard.Steps, Assert.Throws<HostGuardException>(() => vm.Execute(Call("caller"))).Guard);
        vm.Options = new VmOptions { TimeLimit = TimeSpan.Zero };
        Assert.Equal(HostGuard.Time, Assert.Throws<HostGuardException>(() => vm.Execute(Call("caller"))).Guard);
        vm.Options = new VmOptions { StepLimit = 5, GasLimit = 10 };
        Assert.Equal(HostGuard.Steps, Assert.Throws<HostGuardException>(() => vm.Execute(Forever())).Guard);
    }

    [Fact]
    public void Limits_below_zero_are_refused()
    {
        _ = Assert.Throws<ArgumentOutOfRangeException>(() => new Vm(new VmOptions { StepLimit = -1 }));
        _ = Assert.Throws<ArgumentOutOfRangeException>(() => new Vm(new VmOptions { MemoryLimit = -1 }));
        _ = Assert.Throws<ArgumentOutOfRangeException>(() =>
            new Vm(new VmOptions { TimeLimit = TimeSpan.FromTicks(-1) })
        );
    }

    /// <summary>What is printed lies in no heap.</summary>
    [Fact]
    public void Output_is_in_the_guard_of_memory()
    {
        Assembly a = new();
        a.Function(
            "main",
            [
                a.Const("x"),
                a.Const(1_000_000),
                Op(Opcode.MUL),
                a.Store("x"),
                a.Load("x"),
                Op(Opcode.PRINT),
                Op(Opcode.JUMP, 4),
            ]
        );
        using Vm vm = new(new VmOptions { GasLimit = 5_000_000, MemoryLimit = 16_000_000 });
        HostGuardException stop = Assert.Throws<HostGuardException>(() => vm.Execute(ZexusProgram.Load(a.Build())));
        Assert.Equal(HostGuard.Memory, stop.Guard);
        Assert.Equal(16_000_000, stop.Limit);
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

    private static ZexusProgram Entries()
    {
        Assembly a = new();
        a.Function("main", [a.Const(0)]);
        a.Function("pair", [a.Load("x"), a.Load("y"), Op(Opcode.BUILD_LIST, 2), Op(Opcode.RETURN)], ["x", "y"]);
        a.Function("twice", [a.Const(1)]);
        a.Function("twice", [a.Const(2)]);
        a.Function("make", [a.Load("v"), Op(Opcode.POP), Op(Opcode.STORE_FUNC, a.Name("f"), 5)], ["v"], ["f"]);
        a.Function("inner", [a.Load("v")], [], [], ["v"]);
        return ZexusProgram.Load(a.Build());
    }

    [Fact]
    public void An_execution_begins_where_it_is_told_to()
    {
        using Vm vm = new();
        ZexusProgram program = Entries();
        Data list = Data.NewList([Data.NewInt(1)]);
        EntryCall entry = EntryCall.Named(program.Image, "pair", list);
        Assert.Equal("[[1], null]", ExecutionTests.Show(vm.Execute(program, entry).Value));
        Assert.Equal("[[1], [1]]", ExecutionTests.Show(vm.Execute(program, new EntryCall(1, list, list, list)).Value));
        Assert.Equal("0", ExecutionTests.Show(vm.Execute(program).Value));
    }

    [Theory]
    [InlineData("nobody", "there is no function \"nobody\"; those that can be called are main, pair, twice, make")]
    [InlineData("twice", "there are 2 functions named \"twice\": functions 2, 3")]
    [InlineData("inner", "\"inner\" captures variables of another function, so nothing outside can call it")]
    public void A_name_that_no_execution_can_begin_in_is_refused(string name, string message) =>
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => EntryCall.Named(Entries().Image, name)).Message);

    [Fact]
    public void An_entry_that_does_not_fit_the_program_is_refused()
    {
        using Vm vm = new();
        ZexusProgram program = Entries();
        Assert.Throws<ArgumentOutOfRangeException>(() => vm.Execute(program, new EntryCall(6)));
        Assert.Throws<ArgumentOutOfRangeException>(() => vm.Execute(program, new EntryCall(-1)));
        Assert.Throws<ArgumentException>(() => vm.Execute(program, new EntryCall(5)));
        Data nan = Data.NewFloat(BitConverter.Int64BitsToDouble(-1));
        Assert.Contains(
            "argument 2 has a NaN",
            Assert.Throws<ArgumentException>(() => vm.Execute(program, new EntryCall(1, Data.Null, nan))).Message,
            StringComparison.Ordinal
        );
        Assert.True(vm.Execute(program).IsCompleted);
    }

    private sealed class Source(Dictionary<string, Data> state) : IStateSource
    {
        public List<string> Asked { get; } = [];

        public bool TryRead(string key, out Data value)
        {
            Asked.Add(key);
            return state.TryGetValue(key, out value!);
        }
    }

    [Fact]
    public void A_source_is_asked_once_for_what_is_read_and_not_in_the_state()
    {
        Assembly a = new();
        List<Instruction> code = [];
        foreach (string key in (string[])["own", "there", "missing", "there", "missing"])
        {
            code.AddRange([a.Const(key), Op(Opcode.STATE_READ)]);
        }

        code.AddRange([a.Const("there"), a.Const(9), Op(Opcode.STATE_WRITE)]);
        code.AddRange([a.Const("there"), Op(Opcode.STATE_READ), Op(Opcode.BUILD_LIST, 6)]);
        ZexusProgram program = ZexusProgram.Load(a.Function("main", [.. code]).Build());
        Source source = new(
            new()
            {
                ["own"] = Data.NewInt(-1),
                ["there"] = Data.NewString("x"),
                ["unread"] = Data.NewInt(3),
            }
        );
        using Vm vm = new(
            new VmOptions
            {
                State = new Dictionary<string, Data> { ["own"] = Data.NewInt(1) },
                Source = source,
            }
        );
        ExecutionResult result = vm.Execute(program);
        Assert.Equal("[1, 'x', null, 'x', null, 9]", ExecutionTests.Show(result.Value));
        Assert.Equal(["there", "missing"], source.Asked);
        Assert.Equal(["there"], result.Writes.Keys);
        Assert.Equal(["own", "there"], result.State.Keys.Order(StringComparer.Ordinal));

        // Nothing that an execution wrote is in the next one's state.
        Assert.Equal("[1, 'x', null, 'x', null, 9]", ExecutionTests.Show(vm.Execute(program).Value));
        Assert.Equal(2, source.Asked.Count);

        vm.Options = vm.Options with { Source = new Source(new() { ["there"] = Data.NewString("\ud800") }) };
        Assert.Contains(
            "the state under \"there\" has text with half",
            Assert.Throws<ArgumentException>(() => vm.Execute(program)).Message,
            StringComparison.Ordinal
        );
        vm.Options = vm.Options with { Source = null };
        Assert.Equal("[1, null, null, null, null, 9]", ExecutionTests.Show(vm.Execute(program).Value));
    }

    [Fact]
    public void A_result_is_plain_data_unless_something_in_it_is_not()
    {
        Assembly a = new();
        a.Function(
            "main",
            [
                a.Const("k"),
                a.Const(1),
                a.Const(-0.0),
                Op(Opcode.BUILD_LIST, 2),
                Op(Opcode.BUILD_MAP, 1),
                Op(Opcode.BUILD_SET, 0),
                Op(Opcode.BUILD_LIST, 2),
            ]
        );
        Data list = Data.NewList([Data.NewInt(1), Data.NewFloat(-0.0)]);
        Assert.Equal(
            Data.NewList([Data.NewMap([new(Data.NewString("k"), list)]), Data.NewSet([])]),
            a.Run().Value.ToData()
        );

        Assembly function = new();
        function.Function(
            "main",
            [Op(Opcode.STORE_FUNC, function.Name("f"), 0), function.Load("f"), Op(Opcode.BUILD_LIST, 1)]
        );
        Assert.Null(function.Run().Value.ToData());

        Assembly itself = new();
        itself.Function(
            "main",
            [
                Op(Opcode.BUILD_LIST, 0),
                Op(Opcode.DUP),
                itself.Store("x"),
                itself.Load("x"),
                itself.Method("push", 1),
                Op(Opcode.POP),
                itself.Load("x"),
            ]
        );
        ExecutionResult holdsItself = itself.Run();
        Assert.Same(holdsItself.Value, holdsItself.Value.Items[0]);
        Assert.Null(holdsItself.Value.ToData());

        // Twice itself, forty times over: a tree of it would have 2^40 leaves.
        Assembly shared = new();
        List<Instruction> code = [shared.Const(1)];
        for (int i = 0; i < 40; i++)
        {
            code.AddRange([Op(Opcode.DUP), Op(Opcode.BUILD_LIST, 2)]);
        }

        shared.Function("main", [.. code]);
        Assert.Null(shared.Run().Value.ToData());
    }
}
