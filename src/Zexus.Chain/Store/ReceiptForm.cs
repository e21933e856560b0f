using System.Numerics;
using Zexus.Isa;
using Zexus.Vm;
using DataForm = Zexus.Isa.DataForm;

namespace Zexus.Chain;

/// <summary>A receipt in bytes, a Map in the form of constants (docs/container.md), and the chain over receipts: docs/store.md.</summary>
internal static class ReceiptForm
{
    public static byte[] Encode(Receipt receipt)
    {
        ExecutionSummary summary = receipt.Summary;
        List<KeyValuePair<Data, Data>> fields = [];
        Add("number", Int(receipt.Number));
        Add("contract", Data.NewString(summary.Contract));
        Add("program", Hex(summary.Program));
        if (summary.Called.Count > 0)
        {
            Add(
                "called",
                Data.NewMap([
                    .. summary
                        .Called.OrderBy(called => called.Key, StringComparer.Ordinal)
                        .Select(called => new KeyValuePair<Data, Data>(Data.NewString(called.Key), Hex(called.Value))),
                ])
            );
        }

        Add("function", Int(summary.Function));
        Add("arguments", Data.NewList([.. summary.Arguments]));
        Add("caller", Data.NewString(summary.Caller));
        Add("nonce", summary.Nonce is { } nonce ? Int(nonce) : Data.Null);
        Add("timestamp", Data.NewInt(summary.Timestamp));
        Add("height", Data.NewInt(summary.Height));
        Add("gasLimit", Int(summary.GasLimit));
        Add("gasUsed", Int(summary.GasUsed));
        if (summary.Value is { } value)
        {
            Add("value", value);
        }

        Add("fault", summary.Fault is { } fault ? Data.NewString(fault) : Data.Null);
        Add("faultFunction", Int(summary.FaultFunction));
        Add("faultInstruction", Int(summary.FaultInstruction));
        Add("events", Int(receipt.Events));
        Add("eventsDigest", Hex(receipt.EventsDigest));
        Add("audit", Int(receipt.Audit));
        Add("auditDigest", Hex(receipt.AuditDigest));
        Add("ledgerCount", Int(receipt.LedgerCount));
        Add("ledgerHead", Hex(receipt.LedgerHead));
        Add("stateRoot", Hex(receipt.StateRoot));
        return Constants.Encode(Data.NewMap([.. fields]));

        void Add(string name, Data value) => fields.Add(new(Data.NewString(name), value));
    }

    /// <exception cref="FormatException">It is no receipt.</exception>
    public static Receipt Decode(byte[] bytes)
    {
        Dictionary<string, Data> fields;
        try
        {
            fields = ((Data.Map)DataForm.Decode(bytes)).entries.ToDictionary(
                entry => ((Data.String)entry.Key).value,
                entry => entry.Value,
                StringComparer.Ordinal
            );
            return new Receipt(
                Long("number"),
                new ExecutionSummary
                {
                    Contract = Text("contract"),
                    Program = Digest.Parse(Text("program")),
                    Called = fields.TryGetValue("called", out Data? called)
                        ? ((Data.Map)called).entries.ToDictionary(
                            entry => ((Data.String)entry.Key).value,
                            entry => Digest.Parse(((Data.String)entry.Value).value),
                            StringComparer.Ordinal
                        )
                        : new Dictionary<string, Digest>(),
                    Function = (int)Long("function"),
                    Arguments = ((Data.List)fields["arguments"]).items,
                    Caller = Text("caller"),
                    Nonce = fields["nonce"] is Data.Int nonce ? (long)nonce.value : null,
                    Timestamp = Integer("timestamp"),
                    Height = Integer("height"),
                    GasLimit = Long("gasLimit"),
                    GasUsed = Long("gasUsed"),
                    Value = fields.GetValueOrDefault("value"),
                    Fault = fields["fault"] is Data.String fault ? fault.value : null,
                    FaultFunction = (int)Long("faultFunction"),
                    FaultInstruction = (int)Long("faultInstruction"),
                },
                Long("events"),
                Digest.Parse(Text("eventsDigest")),
                // Format 1 did not keep the audit log.
                fields.ContainsKey("audit")
                    ? Long("audit")
                    : 0,
                fields.ContainsKey("auditDigest") ? Digest.Parse(Text("auditDigest")) : Digest.None,
                Long("ledgerCount"),
                Digest.Parse(Text("ledgerHead")),
                Digest.Parse(Text("stateRoot"))
            );
        }
        catch (Exception e)
            when (e
                    is ContainerException
                        or InvalidCastException
                        or KeyNotFoundException
                        or ArgumentException
                        or OverflowException
            )
        {
            throw new FormatException("no receipt: " + e.Message, e);
        }

        string Text(string name) => ((Data.String)fields[name]).value;
        BigInteger Integer(string name) => ((Data.Int)fields[name]).value;
        long Long(string name) => (long)Integer(name);
    }

    /// <summary>The head of the chain of receipts after one more.</summary>
    public static Digest Link(Digest before, ReadOnlySpan<byte> receipt) => CommitmentHash.Receipt(before, receipt);

    public static Digest DigestOf(string contract, IReadOnlyList<EmittedEvent> events)
    {
        Digest digest = Digest.None;
        foreach (EmittedEvent emitted in events)
        {
            digest = LinkEvent(digest, contract, emitted, Constants.Encode(emitted.Payload));
        }

        return digest;
    }

    /// <summary>The digest of a contract's execution's events after one more, its own or that of a contract that it called.</summary>
    public static Digest LinkEvent(Digest before, string contract, EmittedEvent emitted, ReadOnlySpan<byte> payload) =>
        emitted.Contract == contract
            ? CommitmentHash.Event(before, emitted.Name, payload)
            : CommitmentHash.CalledEvent(before, emitted.Contract, emitted.Name, payload);

    /// <summary>The digest of what an execution logged after one more entry.</summary>
    public static Digest LinkAudit(Digest before, string contract, ReadOnlySpan<byte> entry) =>
        CommitmentHash.Audit(before, contract, entry);

    /// <summary>An entry of the audit log as the constant of a List.</summary>
    public static byte[] Encode(AuditEntry entry) =>
        Constants.Encode(Data.NewList([entry.Action, entry.Data, Data.NewInt(entry.Timestamp)]));

    /// <exception cref="FormatException">It is no such entry.</exception>
    public static AuditEntry DecodeAudit(byte[] bytes)
    {
        try
        {
            return DataForm.Decode(bytes) is Data.List { items: [Data action, Data data, Data.Int timestamp] }
                ? new AuditEntry(data, action, timestamp.value)
                : throw new FormatException("an entry of the audit log is a List of action, data and timestamp");
        }
        catch (ContainerException e)
        {
            throw new FormatException("an entry of the audit log is no plain data: " + e.Message, e);
        }
    }

    private static Data Int(long value) => Data.NewInt(value);

    private static Data Hex(Digest digest) => Data.NewString(digest.ToString());
}
