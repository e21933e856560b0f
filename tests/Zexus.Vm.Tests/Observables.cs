using System.Globalization;
using System.Text;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Everything that can be observed of an execution, as one text: two executions are the same when these are.</summary>
internal static class Observables
{
    public static string Of(ExecutionResult result)
    {
        StringBuilder text = new();
        _ = text.Append(CultureInfo.InvariantCulture, $"gas {result.GasUsed}; ");
        _ = result.Fault is { } fault
            ? text.Append(
                CultureInfo.InvariantCulture,
                $"{fault.Name} at {result.FaultFunction}:{result.FaultInstruction} {Show(result.FaultValue!)}; "
            )
            : text.Append(CultureInfo.InvariantCulture, $"result {Show(result.Value)}; ");
        foreach (KeyValuePair<string, Data> entry in result.State.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            _ = text.Append(CultureInfo.InvariantCulture, $"state {entry.Key}={Disassembler.Literal(entry.Value)}; ");
        }

        foreach (AppendedEntry appended in result.Ledger)
        {
            _ = text.Append(
                CultureInfo.InvariantCulture,
                $"ledger {appended.Contract} {Disassembler.Literal(appended.Entry)}; "
            );
        }

        foreach (EmittedEvent emitted in result.Events)
        {
            _ = text.Append(
                CultureInfo.InvariantCulture,
                $"event {emitted.Name} {Disassembler.Literal(emitted.Payload)}; "
            );
        }

        foreach (AuditEntry entry in result.Audit)
        {
            _ = text.Append(
                CultureInfo.InvariantCulture,
                $"audit {Disassembler.Literal(entry.Data)} {Disassembler.Literal(entry.Action)} {entry.Timestamp}; "
            );
        }

        return text.Append(result.Output).ToString();
    }

    private static string Show(ZexusValue value) =>
        value.Kind switch
        {
            ValueKind.Null => "null",
            ValueKind.Bool => value.AsBool ? "true" : "false",
            ValueKind.Int => value.AsInteger.ToString(CultureInfo.InvariantCulture),
            ValueKind.Float => Floats.ToText(value.AsFloat),
            ValueKind.String => "'" + value.AsString + "'",
            ValueKind.List => "[" + string.Join(", ", value.Items.Select(Show)) + "]",
            ValueKind.Set => "#{" + string.Join(", ", value.Items.Select(Show)) + "}",
            ValueKind.Map => "{"
                + string.Join(", ", value.Entries.Select(e => Show(e.Key) + ": " + Show(e.Value)))
                + "}",
            ValueKind.Function => "<" + value.FunctionIndex + ">",
            _ => throw new InvalidOperationException($"no text for a {value.Kind}"),
        };
}
