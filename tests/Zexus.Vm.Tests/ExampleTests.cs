using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>The shipped examples on the engine: every observable is what stands beside the program.</summary>
public class ExampleTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "examples");

    public static TheoryData<string> Names =>
        [.. Directory.GetFiles(Folder, "*.zxa").Select(file => Path.GetFileNameWithoutExtension(file)).Order()];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_example_gives_what_stands_beside_it(string name) => Gives(name, new VmOptions());

    /// <summary>Collections forced: at every allocation, or, where there are many, after every few.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void An_example_gives_the_same_under_stress(string name)
    {
        HeapStatistics heap = Gives(
            name,
            new VmOptions
            {
                Collection = new CollectionOptions { Stress = true, Verify = true },
            }
        ).Heap;
        Assert.True(heap.AllocatedCells == 0 || heap.Collections > 0);
    }

    private static readonly JitOptions Eager = new()
    {
        Background = false,
        CallThreshold = 0,
        LoopThreshold = 0,
        CountExecutions = true,
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void A_compiled_example_gives_the_same(string name)
    {
        foreach (int level in (int[])[0, 3])
        {
            ZexusProgram program = Load(name, level);
            _ = Gives(name, new VmOptions { Jit = Eager }, program);
            JitStatistics statistics = program.JitStatistics(Eager)!;
            Assert.Empty(statistics.Failures);
            Assert.Empty(statistics.Refusals);
            Assert.True(statistics.Entered > 0);
        }
    }

    public static TheoryData<string, string> Forms =>
        CodeForm.OfEach(
            Directory.GetFiles(Folder, "*.zxa").Select(file => Path.GetFileNameWithoutExtension(file)).Order()
        );

    /// <summary>
    /// Each guard of each piece of compiled code fails whenever it is reached, one guard after the other: until then all is as it is without,
    /// and then the piece is left there. Guards that no piece comes to are those that unreached-guards.txt names: <see cref="GuardFailures"/>.
    /// </summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void A_compiled_example_gives_the_same_whichever_guard_fails(string name, string form)
    {
        ZexusProgram program = CodeForm.Of(Load(name), form);
        JitCache cache = new();
        string interpreted = Observables.WithSteps(Gives(name, new VmOptions { Jit = null }, program));
        GuardFailures.Check(
            $"{name} {form}",
            program,
            Eager,
            jit =>
                Assert.Equal(
                    interpreted,
                    Observables.WithSteps(Gives(name, new VmOptions { Jit = jit, JitCache = cache }, program))
                )
        );
    }

    [Fact]
    public void Guards_that_are_not_reached_are_those_of_examples_and_contracts()
    {
        HashSet<string> names = [.. Forms.Concat(ContractGuardTests.Forms).Select(form => $"{form[0]} {form[1]}")];
        Assert.All(GuardFailures.Known, line => Assert.Contains(line.Split(':')[0], names));
        Assert.Distinct(GuardFailures.Known.Select(line => line.Split(':')[0]));
    }

    private static ExecutionResult Gives(string name, VmOptions with, ZexusProgram? program = null)
    {
        JsonElement expected = Read($"{name}.expected.json");
        VmOptions options = Given(name, expected.GetProperty("given")) with
        {
            Collection = with.Collection,
            Jit = with.Jit,
            JitCache = with.JitCache,
        };
        using Vm vm = new(options);
        ExecutionResult result = vm.Execute(program ?? Load(name));

        if (expected.TryGetProperty("fault", out JsonElement fault))
        {
            Assert.Equal(fault.GetProperty("name").GetString(), result.Fault?.Name);
            if (fault.TryGetProperty("value", out JsonElement value))
            {
                Assert.NotNull(result.FaultValue);
                Assert.Equal(Plain(value), Plain(result.FaultValue));
            }
        }
        else
        {
            Assert.Null(result.Fault);
            Assert.Equal(Plain(expected.GetProperty("result")), Plain(result.Value));
        }

        Assert.Equal(expected.GetProperty("output").GetString(), result.Output);
        Assert.Equal(State(expected.GetProperty("state")), result.State.OrderBy(e => e.Key, StringComparer.Ordinal));
        Assert.Equal(Items(expected, "ledger"), result.Ledger.Select(appended => appended.Entry));
        Assert.Equal(
            Items(expected, "events"),
            result.Events.Select(e => Entry(("event", Data.NewString(e.Name)), ("payload", e.Payload)))
        );
        Assert.Equal(
            Items(expected, "audit"),
            result.Audit.Select(e =>
                Entry(("data", e.Data), ("action", e.Action), ("timestamp", Data.NewInt(e.Timestamp)))
            )
        );
        Assert.Equal(expected.GetProperty("gas").GetInt64(), result.GasUsed);
        return result;
    }

    private static JsonElement Read(string file) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, file))).RootElement;

    private static ZexusProgram Load(string name)
    {
        AssemblyResult assembly = Assembler.Assemble(File.ReadAllText(Path.Combine(Folder, $"{name}.zxa")), name);
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        return ZexusProgram.Load(assembly.Program);
    }

    private static ZexusProgram Load(string name, int level)
    {
        ZexusProgram program = Load(name);
        return level == 0 ? program : ZexusProgram.Load(Optimizer.Optimize(program, level).Program);
    }

    private static VmOptions Given(string name, JsonElement given)
    {
        string start = $"{name}.state.json";

        return new VmOptions
        {
            GasLimit = given.TryGetProperty("gas", out JsonElement gas) ? gas.GetInt64() : Gas.DefaultLimit,
            Block = new BlockContext
            {
                Timestamp = given.GetProperty("timestamp").GetInt64(),
                Height = given.GetProperty("height").GetInt64(),
                Caller = given.GetProperty("caller").GetString()!,
            },
            State = File.Exists(Path.Combine(Folder, start))
                ? State(Read(start)).ToDictionary(entry => entry.Key, entry => entry.Value)
                : [],
        };
    }

    private static IEnumerable<KeyValuePair<string, Data>> State(JsonElement json) =>
        json.EnumerateObject()
            .Select(entry => KeyValuePair.Create(entry.Name, Plain(entry.Value)))
            .OrderBy(entry => entry.Key, StringComparer.Ordinal);

    private static IEnumerable<Data> Items(JsonElement json, string property) =>
        json.GetProperty(property).EnumerateArray().Select(Plain);

    private static Data Entry(params (string Key, Data Value)[] entries) =>
        Data.NewMap([.. entries.Select(entry => KeyValuePair.Create(Data.NewString(entry.Key), entry.Value))]);

    private static Data Plain(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.Null => Data.Null,
            JsonValueKind.True => Data.NewBool(true),
            JsonValueKind.False => Data.NewBool(false),
            JsonValueKind.String => Data.NewString(json.GetString()),
            JsonValueKind.Number when json.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0 => Data.NewInt(
                BigInteger.Parse(json.GetRawText(), CultureInfo.InvariantCulture)
            ),
            JsonValueKind.Number => Data.NewFloat(json.GetDouble()),
            JsonValueKind.Array => Data.NewList([.. json.EnumerateArray().Select(Plain)]),
            JsonValueKind.Object => Entry([.. json.EnumerateObject().Select(e => (e.Name, Plain(e.Value)))]),
            JsonValueKind.Undefined or _ => throw new InvalidDataException($"{json.ValueKind} in an example's JSON"),
        };

    private static Data Plain(ZexusValue value) =>
        value.Kind switch
        {
            ValueKind.Null => Data.Null,
            ValueKind.Bool => Data.NewBool(value.AsBool),
            ValueKind.Int => Data.NewInt(value.AsInteger),
            ValueKind.Float => Data.NewFloat(value.AsFloat),
            ValueKind.String => Data.NewString(value.AsString),
            ValueKind.List => Data.NewList([.. value.Items.Select(Plain)]),
            ValueKind.Set => Data.NewSet([.. value.Items.Select(Plain)]),
            ValueKind.Map => Data.NewMap([
                .. value.Entries.Select(e => KeyValuePair.Create(Plain(e.Key), Plain(e.Value))),
            ]),
            ValueKind.Function or ValueKind.Task or _ => throw new InvalidDataException(
                $"{value.Kind} is no plain data"
            ),
        };
}
