using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

public class ExecutionTests
{
    private static Instruction Op(Opcode opcode, long a = 0, long b = 0, long c = 0) => Assembly.Op(opcode, a, b, c);

    /// <summary>The value of one instruction on constants.</summary>
    private static ExecutionResult Apply(
        Func<Assembly, Instruction[]> code,
        VmOptions? options = null,
        Limits? limits = null
    )
    {
        Assembly a = new();
        return a.Function("main", code(a)).Run(options, limits);
    }

    private static ExecutionResult Binary(Opcode opcode, object? x, object? y) =>
        Apply(a => [a.Const(x), a.Const(y), Op(opcode)]);

    private static ExecutionResult Method(object? target, string name, params object?[] arguments) =>
        Apply(a => [a.Const(target), .. arguments.Select(a.Const), a.Method(name, arguments.Length)]);

    private static ExecutionResult Builtin(string name, params object?[] arguments) =>
        Apply(a => [.. arguments.Select(a.Const), Op(Opcode.CALL_BUILTIN, a.Name(name), arguments.Length)]);

    internal static string Show(ZexusValue value) =>
        value.Kind switch
        {
            ValueKind.Null => "null",
            ValueKind.Bool => value.AsBool ? "true" : "false",
            ValueKind.Int => value.AsInteger.ToString(),
            ValueKind.Float => Floats.ToText(value.AsFloat),
            ValueKind.String => "'" + value.AsString + "'",
            ValueKind.List => "[" + string.Join(", ", value.Items.Select(Show)) + "]",
            ValueKind.Set => "#{" + string.Join(", ", value.Items.Select(Show)) + "}",
            ValueKind.Map => "{"
                + string.Join(", ", value.Entries.Select(e => Show(e.Key) + ": " + Show(e.Value)))
                + "}",
            _ => "<" + value.FunctionIndex + ">",
        };

    private static void Gives(string expected, ExecutionResult result)
    {
        Assert.Null(result.Fault);
        Assert.Equal(expected, Show(result.Value));
    }

    private static void Faults(Fault expected, ExecutionResult result)
    {
        Assert.Equal(expected, result.Fault);
        Assert.Equal("null", Show(result.Value));
    }

    private static readonly BigInteger Big = BigInteger.One << 63;

    [Fact]
    public void Arithmetic()
    {
        Gives("3", Binary(Opcode.ADD, 1, 2));
        Gives("9223372036854775808", Binary(Opcode.ADD, long.MaxValue, 1));
        Gives("9223372036854775807", Binary(Opcode.SUB, Big, 1));
        Gives("1", Binary(Opcode.ADD, null, true));
        Gives("1.5", Binary(Opcode.ADD, 1, 0.5));
        Gives("'a1.0'", Binary(Opcode.ADD, "a", 1.0));
        Gives("'[1, \"x\", null]!'", Binary(Opcode.ADD, new object?[] { 1, "x", null }, "!"));
        Gives("[1, 2]", Binary(Opcode.ADD, new object?[] { 1 }, new object?[] { 2 }));
        Faults(Fault.TypeMismatch, Binary(Opcode.ADD, new object?[] { 1 }, 2));
        Faults(Fault.TypeMismatch, Binary(Opcode.SUB, "a", 2));
        Gives("85070591730234615847396907784232501249", Binary(Opcode.MUL, long.MaxValue, long.MaxValue));
        Gives("4294967296", Binary(Opcode.MUL, 2, 1L << 31));
        Gives("'ababab'", Binary(Opcode.MUL, "ab", 3));
        Gives("[]", Binary(Opcode.MUL, -3, new object?[] { 1 }));
        Gives("''", Binary(Opcode.MUL, "ab", null));
        Gives("3", Binary(Opcode.DIV, 6, 2));
        Gives("3.5", Binary(Opcode.DIV, 7, 2));
        Gives("9223372036854775808", Binary(Opcode.DIV, long.MinValue, -1));
        Faults(Fault.DivisionByZero, Binary(Opcode.DIV, 1, -0.0));
        Faults(Fault.DivisionByZero, Binary(Opcode.MOD, 1, null));
        Gives("2", Binary(Opcode.MOD, -1, 3));
        Gives("-2", Binary(Opcode.MOD, 1, -3));
        Gives("0", Binary(Opcode.MOD, long.MinValue, -1));
        Gives("1", Binary(Opcode.MOD, 1L << 40, (1L << 40) - 1));
        Gives((Big % 7).ToString(), Binary(Opcode.MOD, Big, 7));
        Gives("1024", Binary(Opcode.POW, 2, 10));
        Gives("0.125", Binary(Opcode.POW, 2, -3));
        Gives("1", Binary(Opcode.POW, 0, 0));
        Gives("-1", Binary(Opcode.POW, -1, Big + 1));
        Gives("3.0", Binary(Opcode.POW, 9, 0.5));
        Faults(Fault.Domain, Binary(Opcode.POW, 9, 0.25));
        Faults(Fault.Domain, Binary(Opcode.POW, -9.0, 0.5));
        Faults(Fault.DivisionByZero, Binary(Opcode.POW, 0, -1));
        Faults(Fault.IntegerTooLarge, Binary(Opcode.POW, 2, 8192));
        Gives(
            (-(BigInteger.One << 8192)).ToString(),
            Apply(a => [a.Const(-(BigInteger.One << 4096)), a.Const(BigInteger.One << 4096), Op(Opcode.MUL)])
        );
        Faults(Fault.OutOfGas, Binary(Opcode.MUL, "ab", BigInteger.One << 100));
        Gives("-1", Apply(a => [a.Const(true), Op(Opcode.NEG)]));
        Gives("9223372036854775808", Apply(a => [a.Const(long.MinValue), Op(Opcode.NEG)]));
        Gives("'a1'", Apply(a => [a.Const("a"), Op(Opcode.INC)]));
        Gives("-9223372036854775809", Apply(a => [a.Const(long.MinValue), Op(Opcode.DEC)]));
        Gives("nan", Apply(a => [a.Const(double.PositiveInfinity), a.Const(0.0), Op(Opcode.MUL), Op(Opcode.NEG)]));
    }

    [Fact]
    public void Small_limits_bind_small_integers()
    {
        Limits limits = new(1024, 8, 20, 20, 5);
        Faults(Fault.IntegerTooLarge, Apply(a => [a.Const(200), a.Const(56), Op(Opcode.ADD)], null, limits));
        Gives("255", Apply(a => [a.Const(200), a.Const(55), Op(Opcode.ADD)], null, limits));
        Gives("-256", Apply(a => [a.Const(-255), Op(Opcode.DEC)], null, limits));
        Faults(Fault.IntegerTooLarge, Apply(a => [a.Const(-256), Op(Opcode.NEG)], null, limits));
        Faults(
            Fault.IntegerTooLarge,
            Apply(a => [Op(Opcode.LOAD_REG, 1, a.Constant(16)), Op(Opcode.MUL_REG, 0, 1, 1)], null, limits)
        );
        Faults(
            Fault.CollectionTooLarge,
            Apply(a => [a.Const(21), Op(Opcode.CALL_BUILTIN, a.Name("range"), 1)], null, limits)
        );
        Faults(
            Fault.StringTooLong,
            Apply(a => [a.Const("0123456789"), a.Const("01234567890"), Op(Opcode.ADD)], null, limits)
        );
    }

    [Fact]
    public void Comparison()
    {
        Gives("true", Binary(Opcode.EQ, 1, true));
        Gives("true", Binary(Opcode.EQ, 1, 1.0));
        Gives("false", Binary(Opcode.EQ, null, 0));
        Gives("false", Binary(Opcode.EQ, (1L << 53) + 1, 9007199254740992.0));
        Gives("true", Binary(Opcode.GT, (1L << 53) + 1, 9007199254740992.0));
        Gives("true", Binary(Opcode.EQ, new HashSet<object> { 1, 2 }, new HashSet<object> { 2, 1 }));
        Gives(
            "true",
            Binary(
                Opcode.EQ,
                new Dictionary<object, object?> { ["a"] = 1, ["b"] = 2 },
                new Dictionary<object, object?> { ["b"] = 2.0, ["a"] = true }
            )
        );
        Gives("false", Binary(Opcode.EQ, new object?[] { 1 }, new HashSet<object> { 1 }));
        Gives("true", Binary(Opcode.LT, "a\uffff", "a😀"));
        Gives("true", Binary(Opcode.LT, new object?[] { 1, 2 }, new object?[] { 1, 2, 0 }));
        Gives("true", Binary(Opcode.LT, null, true));
        Faults(Fault.TypeMismatch, Binary(Opcode.LT, "a", 1));
        foreach (Opcode order in new[] { Opcode.LT, Opcode.GT, Opcode.LTE, Opcode.GTE, Opcode.EQ })
        {
            Gives("false", Binary(order, BitConverter.Int64BitsToDouble(0x7FF8000000000000), 1));
        }
    }

    [Fact]
    public void A_list_in_itself_is_too_deep()
    {
        Assembly a = new();
        ExecutionResult result = a.Function(
                "main",
                [
                    Op(Opcode.BUILD_LIST, 0),
                    a.Store("x"),
                    a.Load("x"),
                    a.Load("x"),
                    a.Method("push", 1),
                    Op(Opcode.DUP),
                    Op(Opcode.EQ),
                ]
            )
            .Run();
        Faults(Fault.TooDeep, result);
        Assert.Equal("'TooDeep'", Show(result.FaultValue!));
        Assert.Equal(6, result.FaultInstruction);

        a = new Assembly();
        result = a.Function(
                "main",
                [Op(Opcode.BUILD_LIST, 0), a.Store("x"), a.Load("x"), a.Load("x"), a.Method("push", 1)]
            )
            .Run();
        Assert.Same(result.Value, result.Value.Items[0]);
    }

    [Fact]
    public void Collections()
    {
        object?[] list = [10, 20, 30];
        Gives("30", Binary(Opcode.INDEX, list, -1));
        Gives("null", Binary(Opcode.INDEX, list, 3));
        Gives("20", Binary(Opcode.INDEX, list, true));
        Gives("'😀'", Binary(Opcode.INDEX, "a😀", 1));
        Gives("null", Binary(Opcode.INDEX, null, "x"));
        Faults(Fault.TypeMismatch, Binary(Opcode.INDEX, list, 1.0));
        Gives("7", Binary(Opcode.INDEX, new Dictionary<object, object?> { [1] = 7 }, 1.0));
        Faults(
            Fault.Domain,
            Binary(Opcode.INDEX, new Dictionary<object, object?>(), BitConverter.Int64BitsToDouble(0x7FF8000000000000))
        );
        Gives("[20, 30]", Apply(a => [a.Const(list), a.Const(-2), a.Const(null), Op(Opcode.SLICE)]));
        Gives("'bc'", Apply(a => [a.Const("abcd"), a.Const(1), a.Const(-1), Op(Opcode.SLICE)]));
        Gives("[]", Apply(a => [a.Const(list), a.Const(2), a.Const(1), Op(Opcode.SLICE)]));
        Gives(
            "{1: 'b', 2: 'c'}",
            Apply(a =>
                [
                    a.Const(1),
                    a.Const("a"),
                    a.Const(2),
                    a.Const("c"),
                    a.Const(true),
                    a.Const("b"),
                    Op(Opcode.BUILD_MAP, 3),
                ]
            )
        );
        Gives("#{1, 2}", Apply(a => [a.Const(1), a.Const(2), a.Const(1.0), Op(Opcode.BUILD_SET, 3)]));
        Gives("[1, 20]", Apply(a => [a.Const(list), a.Const(1), Op(Opcode.FOR_ITER, 2), Op(Opcode.BUILD_LIST, 2)]));
        Gives(
            "'k'",
            Apply(a => [a.Const(new Dictionary<object, object?> { ["k"] = 5 }), a.Const(0), Op(Opcode.FOR_ITER, 1)])
        );
        Gives("null", Apply(a => [a.Const(null), a.Const(0), Op(Opcode.FOR_ITER, 1)]));
        Faults(Fault.TypeMismatch, Apply(a => [a.Const(null), a.Const("0"), Op(Opcode.FOR_ITER, 1)]));
        Gives("0", Apply(a => [a.Const(null), Op(Opcode.GET_LENGTH)]));
        Gives("2", Apply(a => [a.Const("a😀"), Op(Opcode.GET_LENGTH)]));
        Gives(
            "5",
            Apply(a => [a.Const(new Dictionary<object, object?> { ["k"] = 5 }), a.Const("k"), Op(Opcode.GET_ATTR)])
        );
    }

    [Fact]
    public void Builtins()
    {
        Gives("[2, 3]", Builtin("range", 2, 4));
        Gives("[0, 1]", Builtin("range", 2));
        Gives("[]", Builtin("range", 2, null));
        Gives("-12", Builtin("int", "-0012"));
        Faults(Fault.Domain, Builtin("int", "1 "));
        Gives("-3", Builtin("int", -3.9));
        Faults(Fault.Domain, Builtin("int", double.PositiveInfinity));
        Faults(Fault.IntegerTooLarge, Builtin("int", new string('9', 2468)));
        Gives("12345678901234567890123", Builtin("int", "12345678901234567890123"));
        Gives("1e+22", Builtin("float", "1e22"));
        Gives(
            "'[1, \"a\\\"\\n\", {\"k\": 1.0}, #{true}]'",
            Builtin(
                "str",
                new object?[]
                {
                    new object?[]
                    {
                        1,
                        "a\"\n",
                        new Dictionary<object, object?> { ["k"] = 1.0 },
                        new HashSet<object> { true },
                    },
                }[0]
            )
        );
        Gives("'null'", Builtin("type"));
        Gives("'int'", Builtin("type", Big));
        Gives("[1, 2]", Builtin("push", new object?[] { 1 }, 2));
        Faults(Fault.UndefinedFunction, Builtin("nope"));
    }

    [Fact]
    public void Methods_of_strings()
    {
        Gives("true", Method("naïve日", "contains", "ïve"));
        Gives("5", Method("naïve日", "index_of", "日"));
        Gives("-1", Method("abc", "indexOf", "日"));
        Gives("true", Method("abc", "ends_with", "bc"));
        Gives("false", Method("abc", "starts_with", "abcd"));
        Gives("'ABC É'", Method("abc É", "upper"));
        Gives("'a b'", Method("\t a b\r\n", "trim"));
        Gives("['a', '', 'b']", Method("a,,b", "split", ","));
        Gives("['a', 'b']", Method("a b", "split"));
        Faults(Fault.Domain, Method("a b", "split", ""));
        Gives("'x--x--'", Method("xaxa", "replace", "a", "--"));
        Gives("'日日'", Method("aa", "replace", "a", "日"));
        Gives("'aaa'", Method("a", "repeat", 3));
        Gives("true", Method("", "is_empty"));
        Gives("'c'", Method("abc", "char_at", -1));
        Faults(Fault.UndefinedFunction, Method("abc", "push", 1));
        Faults(Fault.UndefinedFunction, Method(5, "length"));
    }

    [Fact]
    public void Methods_of_collections()
    {
        object?[] list = [3, 1, 2];
        Gives("[1, 2, 3]", Method(list, "sort"));
        Gives("[3, 1, 2, 9]", Method(list, "push", 9));
        Gives("2", Method(list, "pop"));
        Gives("null", Method(Array.Empty<object?>(), "pop"));
        Gives("[3, 1, 7]", Method(list, "set", -1, 7));
        Faults(Fault.Domain, Method(list, "set", 3, 7));
        Gives("1", Method(list, "index_of", 1.0));
        Gives("[2, 1, 3]", Method(list, "reverse"));
        Gives("'3-1-2'", Method(list, "join", "-"));
        Gives("'a[\"b\"]'", Method(new object?[] { "a", new object?[] { "b" } }, "join"));
        Gives("[1, 2, [3]]", Method(new object?[] { 1, new object?[] { 2, new object?[] { 3 } } }, "flatten"));
        Dictionary<object, object?> map = new() { ["a"] = 1, ["b"] = 2 };
        Gives("9", Method(map, "get", "c", 9));
        Gives("{'a': 5, 'b': 2}", Method(map, "set", "a", 5));
        Gives("true", Method(map, "delete", "a"));
        Gives("[['a', 1], ['b', 2]]", Method(map, "entries"));
        Gives("#{1, 2}", Method(new HashSet<object> { 1 }, "add", 2));
        Gives("false", Method(new HashSet<object> { 1 }, "delete", 2));
        Faults(Fault.TypeMismatch, Method(map, "has", (object)new object?[] { 1 }));
        Faults(Fault.TypeMismatch, Method(new object?[] { 1, "a" }, "sort"));
    }

    private static ExecutionResult WithFunction(
        string method,
        Instruction[] body,
        object?[] list,
        params object?[] more
    )
    {
        Assembly a = new();
        Instruction[] code =
        [
            Op(Opcode.STORE_FUNC, a.Name("f"), 1),
            a.Const(list),
            a.Load("f"),
            .. more.Select(a.Const),
            a.Method(method, 1 + more.Length),
        ];
        _ = (a.Name("x"), a.Name("y"));
        return a.Function("main", code).Function("f", body, ["x", "y"]).Run();
    }

    // Names of WithFunction: f, the method, x, y.
    private static readonly Instruction X = Op(Opcode.LOAD_NAME, 2);
    private static readonly Instruction Y = Op(Opcode.LOAD_NAME, 3);

    [Fact]
    public void Callbacks()
    {
        Gives("[2, 4, 6]", WithFunction("map", [X, X, Op(Opcode.ADD)], [1, 2, 3]));
        Gives("[1, 3]", WithFunction("filter", [X], [1, 0, 3, null]));
        Gives("10", WithFunction("reduce", [X, Y, Op(Opcode.ADD)], [1, 2, 3], 4));
        Gives("6", WithFunction("reduce", [X, Y, Op(Opcode.ADD)], [1, 2, 3]));
        Gives("null", WithFunction("reduce", [X, Y, Op(Opcode.ADD)], []));
        Random random = new(3);
        for (int n = 0; n < 40; n++)
        {
            object?[] list = [.. Enumerable.Range(0, n).Select(_ => (object?)random.Next(10))];
            string sorted = "[" + string.Join(", ", list.Cast<int>().OrderDescending()) + "]";
            Gives(sorted, WithFunction("sort", [Y, X, Op(Opcode.SUB)], list));
        }

        Faults(Fault.TypeMismatch, WithFunction("sort", [Op(Opcode.BUILD_LIST, 0)], [1, 2]));
        Faults(Fault.TypeMismatch, WithFunction("map", [X, Op(Opcode.BUILD_LIST, 0), Op(Opcode.SUB)], [1, 2]));
    }

    [Fact]
    public void A_closure_shares_its_variable()
    {
        // make() { count = 0; counter() { count = count + 1; return count }; return counter }
        Assembly a = new();
        ExecutionResult result = a.Function(
                "main",
                [
                    Op(Opcode.CALL_FUNC_CONST, 1, 0),
                    a.Store("c"),
                    a.Call("c", 0),
                    Op(Opcode.POP),
                    a.Call("c", 0),
                    Op(Opcode.CALL_FUNC_CONST, 1, 0),
                    Op(Opcode.CALL_TOP, 0),
                    Op(Opcode.BUILD_LIST, 2),
                    a.Load("c"),
                    Op(Opcode.BUILD_LIST, 2),
                ],
                locals: ["c"]
            )
            .Function(
                "make",
                [a.Const(0), a.Store("count"), Op(Opcode.STORE_FUNC, a.Name("counter"), 2), a.Load("counter")],
                locals: ["count", "counter"]
            )
            .Function(
                "counter",
                [a.Load("count"), Op(Opcode.INC), a.Store("count"), a.Load("count")],
                captures: ["count"]
            )
            .Run();
        Gives("[[2, 1], <2>]", result);
        Assert.Equal(2, (int)result.Value.Items[1].Captures[0].AsInteger);
    }

    [Fact]
    public void Calls()
    {
        Assembly a = new();
        a.Function("main", [a.Const(1), a.Const(2), a.Const(3), Op(Opcode.CALL_FUNC_CONST, 1, 3)]);
        a.Function("f", [a.Load("x"), a.Load("y"), a.Load("z"), Op(Opcode.BUILD_LIST, 3)], ["x", "y"], ["z"]);
        Gives("[1, 2, null]", a.Run());

        a = new Assembly();
        a.Function("main", [Op(Opcode.CALL_FUNC_CONST, 0, 0)]);
        ExecutionResult deep = a.Run();
        Faults(Fault.CallTooDeep, deep);
        Assert.Equal((1024 * 5), deep.GasUsed);
        Assert.Equal(1024, deep.Steps);

        Faults(Fault.TypeMismatch, Apply(b => [b.Const(1), b.Store("g"), b.Call("g", 0)]));
        Faults(Fault.UndefinedFunction, Apply(b => [b.Call("g", 0)]));
        Faults(Fault.UndefinedFunction, Apply(b => [b.Const(null), Op(Opcode.CALL_TOP, 0)]));
    }

    [Fact]
    public void Wide_frames_take_new_segments()
    {
        // f(n, ...1000 locals): n = 0 ? 0 : 1 + f(n - 1), 900 deep.
        Assembly a = new();
        string[] locals = [.. Enumerable.Range(0, 1000).Select(i => "l" + i)];
        a.Function("main", [a.Const(900), Op(Opcode.CALL_FUNC_CONST, 1, 1)]);
        a.Function(
            "f",
            [
                a.Load("n"),
                Op(Opcode.JUMP_IF_TRUE, 4),
                a.Const(0),
                Op(Opcode.RETURN),
                a.Load("n"),
                a.Store("l999"),
                a.Const(1),
                a.Load("l999"),
                Op(Opcode.DEC),
                Op(Opcode.CALL_FUNC_CONST, 1, 1),
                Op(Opcode.ADD),
            ],
            ["n"],
            locals
        );
        Gives("900", a.Run());
    }

    [Fact]
    public void Faults_are_caught_where_a_handler_stands()
    {
        Gives(
            "['Domain', 5]",
            Apply(a =>
                [
                    a.Const(5),
                    Op(Opcode.SETUP_TRY, 5),
                    a.Const(9),
                    a.Const(0.3),
                    Op(Opcode.POW),
                    a.Store("e"),
                    a.Store("five"),
                    a.Load("e"),
                    a.Load("five"),
                    Op(Opcode.BUILD_LIST, 2),
                ]
            )
        );
        Gives("'boom'", Apply(a => [Op(Opcode.SETUP_TRY, 3), a.Const("boom"), Op(Opcode.THROW)]));
        Gives("'m'", Apply(a => [Op(Opcode.SETUP_TRY, 4), a.Const(0), a.Const("m"), Op(Opcode.REQUIRE)]));

        // The body of the try takes cells that stood there at its SETUP_TRY: the handler finds Nulls in their place.
        Gives(
            "[null, 2, null, 'DivisionByZero']",
            Apply(a =>
                [
                    a.Const(null),
                    a.Const(2),
                    a.Const(5),
                    Op(Opcode.SETUP_TRY, 7),
                    a.Const(0),
                    Op(Opcode.DIV),
                    a.Const(1),
                    Op(Opcode.BUILD_LIST, 4),
                ]
            )
        );
        ExecutionResult thrown = Apply(a =>
            [
                Op(Opcode.SETUP_TRY, 3),
                Op(Opcode.POP_TRY),
                Op(Opcode.JUMP, 4),
                Op(Opcode.POP),
                a.Const(7),
                Op(Opcode.THROW),
            ]
        );
        Assert.Equal(Fault.Thrown, thrown.Fault);
        Assert.Equal("7", Show(thrown.FaultValue!));
        Assert.Equal((0, 5), (thrown.FaultFunction, thrown.FaultInstruction));

        // A fault in a callback of a callback is caught outside, and the machine goes on.
        Assembly a = new();
        a.Function(
            "main",
            [
                Op(Opcode.STORE_FUNC, a.Name("f"), 1),
                Op(Opcode.SETUP_TRY, 5),
                a.Const(new object?[] { 1, 2 }),
                a.Load("f"),
                a.Method("map", 1),
                a.Store("r"),
                a.Const(new object?[] { 4 }),
                a.Method("first", 0),
                a.Load("r"),
                Op(Opcode.BUILD_LIST, 2),
            ]
        );
        a.Function("f", [a.Load("x"), Op(Opcode.THROW)], ["x"]);
        Gives("[4, 1]", a.Run());
    }

    [Fact]
    public void A_transaction_begun_after_the_try_is_reverted_even_at_the_same_depth()
    {
        // begin; try; write a; commit; begin; write b; throw. The commit stands, the second transaction does not.
        ExecutionResult result = Apply(a =>
            [
                Op(Opcode.TX_BEGIN),
                Op(Opcode.SETUP_TRY, 11),
                a.Const("a"),
                a.Const(1),
                Op(Opcode.STATE_WRITE),
                Op(Opcode.TX_COMMIT),
                Op(Opcode.TX_BEGIN),
                a.Const("b"),
                a.Const(2),
                Op(Opcode.STATE_WRITE),
                a.Const("x"),
                Op(Opcode.THROW),
            ]
        );
        Assert.Equal(Fault.Thrown, result.Fault);
        result = Apply(a =>
            [
                Op(Opcode.TX_BEGIN),
                Op(Opcode.SETUP_TRY, 12),
                a.Const("a"),
                a.Const(1),
                Op(Opcode.STATE_WRITE),
                Op(Opcode.TX_COMMIT),
                Op(Opcode.TX_BEGIN),
                a.Const("b"),
                a.Const(2),
                Op(Opcode.STATE_WRITE),
                a.Const("x"),
                Op(Opcode.THROW),
            ]
        );
        Gives("'x'", result);
        Assert.Equal(["a"], result.State.Keys);
    }

    [Fact]
    public void Transactions_nest()
    {
        Instruction[] Write(Assembly a, string key, object? value) =>
            [a.Const(key), a.Const(value), Op(Opcode.STATE_WRITE)];
        VmOptions options = new() { State = new Dictionary<string, Data> { ["k"] = Data.NewInt(0) } };
        ExecutionResult result = Apply(
            a =>
                [
                    Op(Opcode.TX_BEGIN),
                    .. Write(a, "k", 1),
                    Op(Opcode.TX_BEGIN),
                    .. Write(a, "k", 2),
                    .. Write(a, "n", 2),
                    Op(Opcode.TX_COMMIT),
                    a.Const("k"),
                    Op(Opcode.STATE_READ),
                    a.Store("inside"),
                    Op(Opcode.TX_REVERT),
                    .. Write(a, "m", 3),
                    Op(Opcode.TX_BEGIN),
                    .. Write(a, "open", 4),
                    a.Load("inside"),
                    a.Const("k"),
                    Op(Opcode.STATE_READ),
                    Op(Opcode.BUILD_LIST, 2),
                ],
            options
        );
        Gives("[2, 0]", result);
        Assert.Equal(["k", "m"], result.State.Keys.Order());
        Assert.Equal(Data.NewInt(0), result.State["k"]);
        Assert.Equal(2, result.State.Count);
    }

    [Fact]
    public void A_fault_leaves_output_and_audit_only()
    {
        ExecutionResult result = Apply(
            a =>
                [
                    a.Const("k"),
                    a.Const(1),
                    Op(Opcode.STATE_WRITE),
                    a.Const(new Dictionary<object, object?>()),
                    Op(Opcode.LEDGER_APPEND),
                    a.Const(1),
                    Op(Opcode.EMIT_EVENT, a.Name("e")),
                    a.Const("hi"),
                    Op(Opcode.PRINT),
                    a.Const(1),
                    a.Const("act"),
                    Op(Opcode.AUDIT_LOG),
                    a.Const(1),
                    Op(Opcode.THROW),
                ],
            new VmOptions { Block = new BlockContext { Timestamp = 77 } }
        );
        Assert.Empty(result.State);
        Assert.Empty(result.Ledger);
        Assert.Empty(result.Events);
        Assert.Equal("hi\n", result.Output);
        Assert.Equal(new AuditEntry(Data.NewInt(1), Data.NewString("act"), 77), Assert.Single(result.Audit));
    }

    [Fact]
    public void Events_call_their_handlers()
    {
        Assembly a = new();
        ExecutionResult result = a.Function(
                "main",
                [
                    Op(Opcode.STORE_FUNC, a.Name("f"), 1),
                    Op(Opcode.REGISTER_EVENT, a.Name("e"), a.Name("f")),
                    Op(Opcode.REGISTER_EVENT, a.Name("e"), a.Name("str")),
                    Op(Opcode.REGISTER_EVENT, a.Name("e"), a.Name("f")),
                    a.Const(41),
                    Op(Opcode.EMIT_EVENT, a.Name("e")),
                    a.Load("seen"),
                ]
            )
            .Function("f", [a.Load("x"), Op(Opcode.INC), a.Store("seen")], ["x"])
            .Run();
        Gives("42", result);
        Assert.Equal(new EmittedEvent("e", Data.NewInt(41)), Assert.Single(result.Events));
    }

    [Fact]
    public void Ledger_entries_get_the_time_of_the_block()
    {
        ExecutionResult result = Apply(
            a =>
                [
                    a.Const(new Dictionary<object, object?> { ["a"] = 1 }),
                    Op(Opcode.LEDGER_APPEND),
                    a.Const(new Dictionary<object, object?> { ["timestamp"] = 1 }),
                    Op(Opcode.LEDGER_APPEND),
                    a.Const(5),
                    Op(Opcode.LEDGER_APPEND),
                ],
            new VmOptions { Block = new BlockContext { Timestamp = 9 } }
        );
        Assert.Equal(
            [
                Assembly.ToData(new Dictionary<object, object?> { ["a"] = 1, ["timestamp"] = 9 }),
                Assembly.ToData(new Dictionary<object, object?> { ["timestamp"] = 1 }),
                Data.NewInt(5),
            ],
            result.Ledger.Select(appended => appended.Entry)
        );
    }

    private static string Sha(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void Hashes()
    {
        string Hash(object? value) => Apply(a => [a.Const(value), Op(Opcode.HASH_BLOCK)]).Value.AsString;
        Assert.Equal(Sha("é😀"), Hash("é😀"));
        Assert.Equal(
            Sha("""{"a": [1, 1.5, null, true, NaN, -Infinity, 1e+16], "b\u00e9": "\ud83d\ude00\"\\\n\u0001\u007f"}"""),
            Hash(
                new Dictionary<object, object?>
                {
                    ["bé"] = "😀\"\\\n\u0001\u007f",
                    ["a"] = new object?[]
                    {
                        1,
                        1.5,
                        null,
                        true,
                        BitConverter.Int64BitsToDouble(0x7FF8000000000000),
                        double.NegativeInfinity,
                        1e16,
                    },
                }
            )
        );
        Assert.Equal(Sha("""{"2": 1, "10": 2}"""), Hash(new Dictionary<object, object?> { [10] = 2, [2] = 1 }));
        Assert.Equal(
            Sha("""{"\uffff": 1, "\ud83d\ude00": 2}"""),
            Hash(new Dictionary<object, object?> { ["😀"] = 2, ["\uffff"] = 1 })
        );
        Assert.Equal(Sha("{}"), Hash(new Dictionary<object, object?>()));
        Faults(
            Fault.TypeMismatch,
            Apply(a => [a.Const(new Dictionary<object, object?> { [1] = 1, ["a"] = 2 }), Op(Opcode.HASH_BLOCK)])
        );
        Faults(Fault.TypeMismatch, Apply(a => [a.Const(new HashSet<object>()), Op(Opcode.HASH_BLOCK)]));
    }

    [Fact]
    public void Merkle_roots()
    {
        string Root(params object?[] leaves) =>
            Apply(a => [.. leaves.Select(a.Const), Op(Opcode.MERKLE_ROOT, leaves.Length)]).Value.AsString;
        Assert.Equal("", Root());
        Assert.Equal(Sha("a"), Root("a"));
        Assert.Equal(Sha(Sha("a") + Sha("1")), Root("a", 1));
        string left = Sha(Sha("a") + Sha("b"));
        Assert.Equal(Sha(left + Sha(Sha("c") + Sha("c"))), Root("a", "b", "c"));
        string right = Sha(Sha("c") + Sha("d"));
        string last = Sha(Sha("e") + Sha("e"));
        Assert.Equal(Sha(Sha(left + right) + Sha(last + last)), Root("a", "b", "c", "d", "e"));
    }

    [Fact]
    public void Signatures()
    {
        // RFC 8032, test 2.
        const string Key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        const string Signature =
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        ExecutionResult Check(object? signature, object? message, object? key) =>
            Apply(a => [a.Const(signature), a.Const(message), a.Const(key), Op(Opcode.VERIFY_SIGNATURE)]);
        Gives("true", Check(Signature, "r", Key));
        Gives("true", Check(Signature.ToUpperInvariant(), "r", Key.ToUpperInvariant()));
        Gives("false", Check(Signature, "s", Key));
        Gives("false", Check(Signature[2..], "r", Key));
        Gives("false", Check("zz" + Signature[2..], "r", Key));
        Gives("false", Check(Signature, 1, Key));
    }

    [Fact]
    public void Gas_is_exact_at_every_limit()
    {
        Assembly a = new();
        Instruction[] code =
        [
            a.Const(new object?[] { 1, new object?[] { 2 } }),
            a.Store("x"),
            a.Load("x"),
            a.Load("x"),
            Op(Opcode.EQ),
            Op(Opcode.GAS_CHARGE, 100),
            Op(Opcode.NOP),
            Op(Opcode.GAS_CHARGE, 5_000_000_000),
        ];
        a.Function("main", code);
        ZexusProgram program = ZexusProgram.Load(a.Build());
        using Vm vm = new();
        for (long limit = 0; limit < 140; limit++)
        {
            vm.Options = new VmOptions { GasLimit = limit };
            ExecutionResult result = vm.Execute(program);
            Assert.Equal(Fault.OutOfGas, result.Fault);
            Assert.InRange(result.GasUsed, 0, limit);
        }

        vm.Options = new VmOptions { GasLimit = 6_000_000_000 };
        ExecutionResult all = vm.Execute(program);
        Assert.Null(all.Fault);

        // 1+3, 3, 2, 2, 2 + 2 pairs + the inner pair, 102, 0, 2 + 5e9.
        Assert.Equal(1 + 3 + 3 + 2 + 2 + 2 + 3 + 102 + 0 + 5_000_000_002, all.GasUsed);
        Assert.Equal(9, all.Steps);
        vm.Options = new VmOptions { GasLimit = all.GasUsed };
        Assert.Null(vm.Execute(program).Fault);
        vm.Options = new VmOptions { GasLimit = all.GasUsed - 1 };
        Assert.Equal(118, vm.Execute(program).GasUsed);
    }

    [Fact]
    public void Registers()
    {
        Gives(
            "[7, 12, true, false, -3]",
            Apply(a =>
                [
                    Op(Opcode.LOAD_REG, 0, a.Constant(3)),
                    Op(Opcode.LOAD_REG, 1, a.Constant(4)),
                    Op(Opcode.ADD_REG, 2, 0, 1),
                    Op(Opcode.MUL_REG, 3, 0, 1),
                    Op(Opcode.LT_REG, 4, 0, 1),
                    Op(Opcode.NOT_REG, 5, 4),
                    Op(Opcode.NEG_REG, 6, 0),
                    Op(Opcode.PUSH_REG, 2),
                    Op(Opcode.PUSH_REG, 3),
                    Op(Opcode.PUSH_REG, 4),
                    Op(Opcode.PUSH_REG, 5),
                    Op(Opcode.PUSH_REG, 6),
                    Op(Opcode.BUILD_LIST, 5),
                ]
            )
        );
        foreach (
            (Opcode register, Opcode stack) in new[]
            {
                (Opcode.ADD_REG, Opcode.ADD),
                (Opcode.SUB_REG, Opcode.SUB),
                (Opcode.MUL_REG, Opcode.MUL),
                (Opcode.DIV_REG, Opcode.DIV),
                (Opcode.MOD_REG, Opcode.MOD),
                (Opcode.POW_REG, Opcode.POW),
                (Opcode.EQ_REG, Opcode.EQ),
                (Opcode.NEQ_REG, Opcode.NEQ),
                (Opcode.LT_REG, Opcode.LT),
                (Opcode.GT_REG, Opcode.GT),
                (Opcode.LTE_REG, Opcode.LTE),
                (Opcode.GTE_REG, Opcode.GTE),
                (Opcode.AND_REG, Opcode.AND),
                (Opcode.OR_REG, Opcode.OR),
            }
        )
        {
            foreach (object? x in new object?[] { 7, -7, 0.5, null, Big, "a", long.MinValue, true })
            {
                foreach (object? y in new object?[] { 2, -3, 1.5, 0, Big, "b", false, -1 })
                {
                    ExecutionResult one = Binary(stack, x, y);
                    ExecutionResult two = Apply(a =>
                        [
                            Op(Opcode.LOAD_REG, 1, a.Constant(x)),
                            Op(Opcode.LOAD_REG, 2, a.Constant(y)),
                            Op(register, 1, 1, 2),
                            Op(Opcode.PUSH_REG, 1),
                        ]
                    );
                    Assert.Equal(one.Fault, two.Fault);
                    Assert.Equal(Show(one.Value), Show(two.Value));
                    Assert.Equal(one.GasUsed + (one.Fault is null ? 1 : 0), two.GasUsed);
                }
            }
        }
    }
}
