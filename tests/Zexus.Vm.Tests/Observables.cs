using System.Globalization;
using System.Text;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Everything that can be observed of an execution, as one text: two executions are the same when these are.</summary>
internal static class Observables
{
    public static string Of(ExecutionResult result)
    {
        References references = new();
        StringBuilder text = new();
        Add($"gas {result.GasUsed}");
        if (result.Fault is { } fault)
        {
            Add(
                $"{fault.Name} at {result.FaultFunction}:{result.FaultInstruction} {references.Show(result.FaultValue!)}"
            );
        }
        else
        {
            Add($"result {references.Show(result.Value)}");
        }

        AddWrites("state", result.State);
        foreach ((string id, IReadOnlyDictionary<string, Data> writes) in result.CalledWrites.OrderBy(it => it.Key))
        {
            AddWrites($"written by {Quoted(id)}", writes);
        }

        foreach (AppendedEntry appended in result.Ledger)
        {
            Add($"ledger {Quoted(appended.Contract)} {Disassembler.Literal(appended.Entry)}");
        }

        foreach (EmittedEvent emitted in result.Events)
        {
            Add($"event {Quoted(emitted.Contract)} {Quoted(emitted.Name)} {Disassembler.Literal(emitted.Payload)}");
        }

        foreach (AuditEntry entry in result.Audit)
        {
            Add(
                $"audit {Quoted(entry.Contract)} {Disassembler.Literal(entry.Data)} {Disassembler.Literal(entry.Action)} {entry.Timestamp}"
            );
        }

        Add($"called {string.Join(", ", result.Called.Select(Quoted))}");
        Add($"output {Quoted(result.Output)}");
        return text.ToString();

        void Add(FormattableString line) => text.Append(FormattableString.Invariant(line)).Append("; ");

        void AddWrites(string what, IReadOnlyDictionary<string, Data> state)
        {
            foreach ((string key, Data data) in state.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            {
                Add($"{what} {Quoted(key)}={Disassembler.Literal(data)}");
            }
        }
    }

    /// <summary>The same and the steps, which are not to be observed, but the same code takes the same in whatever tier it runs.</summary>
    public static string WithSteps(ExecutionResult result) => $"steps {result.Steps}; {Of(result)}";

    private static string Quoted(string text) => Disassembler.Literal(Data.NewString(text));

    /// <summary>Values as text, with a number for each object, so that one that stands twice is not two that are equal.</summary>
    private sealed class References
    {
        private readonly Dictionary<ZexusValue, int> _numbers = new(ReferenceEqualityComparer.Instance);

        public string Show(ZexusValue value) =>
            value.Kind switch
            {
                ValueKind.Null => "null",
                ValueKind.Bool => value.AsBool ? "true" : "false",
                ValueKind.Int => value.AsInteger.ToString(CultureInfo.InvariantCulture),
                ValueKind.Float => Floats.ToText(value.AsFloat),
                ValueKind.String => Quoted(value.AsString),
                ValueKind.List => Once(value, () => $"[{string.Join(", ", value.Items.Select(Show))}]"),
                ValueKind.Set => Once(value, () => $"#{{{string.Join(", ", value.Items.Select(Show))}}}"),
                ValueKind.Map => Once(
                    value,
                    () => $"{{{string.Join(", ", value.Entries.Select(e => $"{Show(e.Key)}: {Show(e.Value)}"))}}}"
                ),
                ValueKind.Function => Once(
                    value,
                    () => $"<{value.FunctionIndex}: {string.Join(", ", value.Captures.Select(Show))}>"
                ),
                _ => throw new InvalidOperationException($"no text for a {value.Kind}"),
            };

        private string Once(ZexusValue value, Func<string> show)
        {
            if (_numbers.TryGetValue(value, out int known))
            {
                return $"@{known}";
            }

            int number = _numbers[value] = _numbers.Count;
            return $"@{number}={show()}";
        }
    }
}
