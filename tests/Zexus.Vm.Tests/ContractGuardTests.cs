using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Xunit;
using Zexus.Chain;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>
/// The contracts of examples/contracts, compiled, with a deoptimization at every guard: each call of their scenarios gives what it gives
/// interpreted, which the differential tests compare with the oracle.
/// </summary>
public class ContractGuardTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "contracts");

    private static readonly JitOptions Eager = new()
    {
        Background = false,
        CallThreshold = 0,
        LoopThreshold = 0,
    };

    /// <summary>A call of a scenario, what it is made on, and what it gives.</summary>
    private sealed record Call(string Text, ZexusProgram Program, EntryCall Entry, VmOptions Options, string Expected);

    private static IEnumerable<(string Path, JsonElement Json)> Scenarios =>
        Directory
            .GetFiles(Folder, "*.scenario.json")
            .Order(StringComparer.Ordinal)
            .Select(path => (path, JsonDocument.Parse(File.ReadAllText(path)).RootElement));

    public static TheoryData<string, string> Forms =>
        CodeForm.OfEach(Scenarios.SelectMany(scenario => Files(scenario.Json)).Distinct());

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_compiled_contract_gives_the_same_whichever_guard_fails(string file, string form)
    {
        Dictionary<string, ZexusProgram> programs = [];
        Call[] calls =
        [
            .. Scenarios
                .Where(scenario => Files(scenario.Json).Contains(file))
                .SelectMany(scenario => Calls(scenario.Json, other => Load(programs, other, form))),
        ];
        JitCache cache = new();
        using Vm vm = new();
        GuardFailures.Check(
            $"{file} {form}",
            programs[file],
            Eager,
            jit =>
            {
                foreach (Call call in calls)
                {
                    vm.Options = call.Options with { Jit = jit, JitCache = cache };
                    string actual = Observables.WithSteps(vm.Execute(call.Program, call.Entry));
                    Assert.True(
                        actual == call.Expected,
                        $"{call.Text}, guard {jit.FailGuard} of piece {jit.FailPiece}: {actual} instead of {call.Expected}"
                    );
                }
            }
        );
    }

    /// <summary>The program that a scenario calls, and those that this can call.</summary>
    private static IEnumerable<string> Files(JsonElement scenario) =>
        [Text(scenario, "program"), .. Called(scenario).Select(contract => Text(contract.Value, "program"))];

    private static IEnumerable<JsonProperty> Called(JsonElement scenario) =>
        scenario.TryGetProperty("contracts", out JsonElement called) ? called.EnumerateObject() : [];

    /// <summary>Each call on what those before it have left.</summary>
    private static IEnumerable<Call> Calls(JsonElement scenario, Func<string, ZexusProgram> load)
    {
        ZexusProgram program = load(Text(scenario, "program"));
        IReadOnlyDictionary<string, Data> state = State(scenario.GetProperty("state"));
        ImmutableDictionary<string, Contract> contracts = Called(scenario)
            .ToImmutableDictionary(
                contract => contract.Name,
                contract => new Contract(
                    load(Text(contract.Value, "program")),
                    new StateInMemory(State(contract.Value.GetProperty("state")))
                )
            );
        using Vm vm = new();
        foreach (JsonElement call in scenario.GetProperty("calls").EnumerateArray())
        {
            Contracts callable = new();
            foreach ((string id, Contract contract) in contracts)
            {
                _ = callable.Add(id, contract);
            }

            EntryCall entry = EntryCall.Named(
                program.Image,
                Text(call, "entry"),
                [.. call.GetProperty("arguments").EnumerateArray().Select(json => DataJson.Read(Bytes(json)))]
            );
            VmOptions options = new()
            {
                Block = new BlockContext
                {
                    Timestamp = call.GetProperty("timestamp").GetInt64(),
                    Height = call.GetProperty("height").GetInt64(),
                    Caller = Text(call, "caller"),
                },
                State = state,
                Contract = scenario.TryGetProperty("contract", out JsonElement own) ? own.GetString()! : "",
                Contracts = callable,
                Jit = null,
            };
            vm.Options = options;
            ExecutionResult result = vm.Execute(program, entry);
            yield return new Call(call.GetRawText(), program, entry, options, Observables.WithSteps(result));
            state = result.State;
            contracts = contracts.SetItems(
                result.CalledWrites.Select(writes =>
                {
                    Contract contract = contracts[writes.Key];
                    Dictionary<string, Data> after = new(((StateInMemory)contract.State!).State);
                    foreach ((string key, Data data) in writes.Value)
                    {
                        after[key] = data;
                    }

                    return KeyValuePair.Create(writes.Key, contract with { State = new StateInMemory(after) });
                })
            );
        }
    }

    /// <summary>One program for each file, since its compiled code is looked at.</summary>
    private static ZexusProgram Load(Dictionary<string, ZexusProgram> programs, string file, string form)
    {
        if (programs.TryGetValue(file, out ZexusProgram? known))
        {
            return known;
        }

        AssemblyResult assembly = Assembler.Assemble(File.ReadAllText(Path.Combine(Folder, file)), file);
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        return programs[file] = CodeForm.Of(ZexusProgram.Load(assembly.Program), form);
    }

    private static string Text(JsonElement json, string property) => json.GetProperty(property).GetString()!;

    private static byte[] Bytes(JsonElement json) => Encoding.UTF8.GetBytes(json.GetRawText());

    private static IReadOnlyDictionary<string, Data> State(JsonElement json) => DataJson.ReadState(Bytes(json));
}
