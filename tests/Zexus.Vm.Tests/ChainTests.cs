using System.Numerics;
using Xunit;
using Zexus.Isa;
using static Zexus.Vm.Tests.Assembly;

namespace Zexus.Vm.Tests;

/// <summary>State, ledger, events and audit log: what is copied in comes out as it was, and a revert brings back what stood there.</summary>
public sealed class ChainTests
{
    private static readonly VmOptions Stressed = new()
    {
        Collection = new CollectionOptions { Stress = true, Verify = true },
    };

    public static TheoryData<int> Samples => [.. Enumerable.Range(0, Data().Length)];

    private static Data[] Data() =>
        [
            .. new object?[]
            {
                null,
                true,
                false,
                0,
                -1,
                127,
                128,
                -128,
                -129,
                long.MaxValue,
                long.MinValue,
                BigInteger.Pow(2, 63),
                -BigInteger.Pow(2, 63) - 1,
                -BigInteger.Pow(3, 500),
                0.0,
                -0.0,
                1.5,
                double.NegativeInfinity,
                BitConverter.Int64BitsToDouble(0x7FF8_0000_0000_0000),
                "",
                "text",
                "caf\u00E9",
                "\u4E2D\u6587",
                "\U0001F600 and \u0416",
                new string('x', 300),
                Array.Empty<object?>(),
                new object?[]
                {
                    1,
                    "two",
                    new object?[] { 3.0, null },
                    new HashSet<object> { 1, "a", -2.5 },
                },
                new Dictionary<object, object?>
                {
                    ["b"] = 1,
                    ["a"] = new Dictionary<object, object?>
                    {
                        [7] = "seven",
                        [true] = null,
                        [2.5] = 0,
                    },
                },
            }.Select(ToData),
        ];

    [Theory]
    [MemberData(nameof(Samples))]
    public void Every_kind_comes_out_as_it_went_in(int sample)
    {
        Data data = Data()[sample];
        Assembly a = new();
        ExecutionResult result = a.Function(
                "main",
                [
                    a.Const("k"),
                    a.Const(data),
                    Op(Opcode.STATE_WRITE),
                    a.Const("host"),
                    Op(Opcode.STATE_READ),
                    Op(Opcode.EMIT_EVENT, a.Name("e")),
                    a.Const("k"),
                    Op(Opcode.STATE_READ),
                    a.Const(data),
                    Op(Opcode.AUDIT_LOG),
                    a.Const(data),
                    Op(Opcode.BUILD_LIST, 1),
                    Op(Opcode.LEDGER_APPEND),
                ]
            )
            .Run(Stressed with { State = new Dictionary<string, Data> { ["host"] = data } });
        Assert.Null(result.Fault);
        Assert.Equal(data, result.State["k"]);
        Assert.Equal(data, result.State["host"]);
        Assert.Equal(new EmittedEvent("e", data), Assert.Single(result.Events));
        Assert.Equal(new AuditEntry(data, data, 0), Assert.Single(result.Audit));
        Assert.Equal(new AppendedEntry("", Isa.Data.NewList([data])), Assert.Single(result.Ledger));
        Assert.Same(result.Events[0], result.Events[0]);
    }

    /// <summary>Strings and collections made while it runs, so that only the journal reaches what stood there before.</summary>
    [Fact]
    public void A_revert_brings_back_what_stood_there()
    {
        Assembly a = new();
        Instruction[] Write(string key, string item) =>
            [a.Const(key), a.Const(item), a.Const("!"), Op(Opcode.ADD), Op(Opcode.STATE_WRITE)];
        Instruction[] WriteList(string key, int item) =>
            [a.Const(key), a.Const(item), Op(Opcode.BUILD_LIST, 1), Op(Opcode.STATE_WRITE)];
        ExecutionResult result = a.Function(
                "main",
                [
                    .. Write("a", "first"),
                    .. WriteList("b", 1),
                    Op(Opcode.TX_BEGIN),
                    .. Write("a", "second"),
                    .. Write("c", "new"),
                    Op(Opcode.TX_BEGIN),
                    .. WriteList("b", 2),
                    .. WriteList("b", 3),
                    .. Write("a", "third"),
                    .. Write("d", "new"),
                    .. Write("c", "changed"),
                    .. Write("host", "changed"),
                    Op(Opcode.TX_COMMIT),
                    Op(Opcode.TX_BEGIN),
                    .. Write("a", "fourth"),
                    .. Write("e", "new"),
                    Op(Opcode.TX_REVERT),
                    a.Const("a"),
                    Op(Opcode.STATE_READ),
                    Op(Opcode.EMIT_EVENT, a.Name("inside")),
                    a.Const("a"),
                    Op(Opcode.STATE_READ),
                    Op(Opcode.TX_REVERT),
                    .. Write("f", "last"),
                ]
            )
            .Run(Stressed with { State = new Dictionary<string, Data> { ["host"] = ToData("host") } });
        Assert.Equal("third!", result.Value.AsString);
        Assert.Empty(result.Events);
        Assert.Equal(["a", "b", "f", "host"], result.State.Keys.Order());
        Assert.Equal(ToData("first!"), result.State["a"]);
        Assert.Equal(ToData(new object?[] { 1 }), result.State["b"]);
        Assert.Equal(ToData("last!"), result.State["f"]);
        Assert.Equal(ToData("host"), result.State["host"]);
    }

    [Fact]
    public void A_revert_cuts_ledger_and_events_and_not_the_audit_log()
    {
        Assembly a = new();
        Instruction[] Log(int number) =>
            [
                a.Const(number),
                Op(Opcode.LEDGER_APPEND),
                a.Const(number),
                Op(Opcode.EMIT_EVENT, a.Name("e" + number)),
                a.Const(number),
                a.Const(null),
                Op(Opcode.AUDIT_LOG),
            ];
        ExecutionResult result = a.Function(
                "main",
                [
                    .. Log(1),
                    Op(Opcode.TX_BEGIN),
                    .. Log(2),
                    Op(Opcode.TX_BEGIN),
                    .. Log(3),
                    Op(Opcode.TX_COMMIT),
                    Op(Opcode.TX_REVERT),
                    Op(Opcode.TX_BEGIN),
                    .. Log(4),
                    Op(Opcode.TX_COMMIT),
                ]
            )
            .Run();
        Assert.Equal([ToData(1), ToData(4)], result.Ledger.Select(appended => appended.Entry));
        Assert.Equal([new EmittedEvent("e1", ToData(1)), new EmittedEvent("e4", ToData(4))], result.Events);
        Assert.Equal([ToData(1), ToData(2), ToData(3), ToData(4)], result.Audit.Select(entry => entry.Data));
    }

    [Fact]
    public void The_hosts_state_is_found_under_any_text()
    {
        string[] keys = ["", "a", "\u00E9", "\u4E2D", "\U0001F600", .. Enumerable.Range(0, 500).Select(i => $"key{i}")];
        Assembly a = new();
        ZexusProgram program = ZexusProgram.Load(
            a.Function(
                    "main",
                    [
                        .. keys.Append("missing").SelectMany(key => new[] { a.Const(key), Op(Opcode.STATE_READ) }),
                        Op(Opcode.BUILD_LIST, keys.Length + 1),
                    ]
                )
                .Build()
        );
        using Vm vm = new();
        foreach (int first in new[] { 0, 7000 })
        {
            vm.Options = vm.Options with
            {
                State = keys.Select((key, i) => (key, Value: ToData(first + i))).ToDictionary(e => e.key, e => e.Value),
            };
            ExecutionResult result = vm.Execute(program);
            Assert.Equal(
                Enumerable.Range(first, keys.Length).Select(i => (BigInteger)i),
                result.Value.Items.SkipLast(1).Select(item => item.AsInteger)
            );
            Assert.Equal(ValueKind.Null, result.Value.Items[^1].Kind);
        }
    }

    /// <summary>Entries of a size at which the log goes on in a new chunk between any two of them, or in the middle of one.</summary>
    [Theory]
    [InlineData(10_000)]
    [InlineData(32_700)]
    [InlineData(100_000)]
    public void A_revert_cuts_a_log_of_many_chunks(int size)
    {
        string text = new('x', size);
        Assembly a = new();
        Instruction[] Emit(int number) =>
            [a.Const(number), a.Const(text), Op(Opcode.BUILD_LIST, 2), Op(Opcode.EMIT_EVENT, a.Name("e"))];
        ExecutionResult result = a.Function(
                "main",
                [
                    .. Emit(1),
                    Op(Opcode.TX_BEGIN),
                    .. Enumerable.Range(2, 12).SelectMany(Emit),
                    Op(Opcode.TX_REVERT),
                    .. Emit(20),
                    Op(Opcode.TX_BEGIN),
                    .. Enumerable.Range(21, 9).SelectMany(Emit),
                    Op(Opcode.TX_COMMIT),
                ]
            )
            .Run();
        Assert.Equal(
            new[] { 1 }.Concat(Enumerable.Range(20, 10)).Select(n => ToData(new object?[] { n, text })),
            result.Events.Select(emitted => emitted.Payload)
        );
    }

    /// <summary>What is logged lies outside the heap, and is memory all the same.</summary>
    [Fact]
    public void The_memory_limit_holds_for_what_is_logged()
    {
        Assembly a = new();
        ZexusProgram program = ZexusProgram.Load(
            a.Function(
                    "main",
                    [
                        a.Const(new string('x', 10_000)),
                        Op(Opcode.DUP),
                        Op(Opcode.EMIT_EVENT, a.Name("e")),
                        Op(Opcode.JUMP, 1),
                    ]
                )
                .Build()
        );
        using Vm vm = new(new VmOptions { MemoryLimit = 1_000_000 });
        Assert.Equal(HostGuard.Memory, Assert.Throws<HostGuardException>(() => vm.Execute(program)).Guard);
        vm.Options = vm.Options with { GasLimit = 1_000 };
        Assert.Equal(Fault.OutOfGas, vm.Execute(program).Fault);
    }
}
