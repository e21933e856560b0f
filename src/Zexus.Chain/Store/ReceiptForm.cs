using System.Numerics;
using Zexus.Isa;
using Zexus.Vm;
using DataForm = Zexus.Isa.DataForm;

namespace Zexus.Chain;

/// <summary>A receipt in bytes, a Map in the form of constants (docs/container.md), and the chain over receipts: docs/store.md.</summary>
internal static class ReceiptForm
{
    public static byte[] Encode(Receipt receipt) =>
        Encode(
            receipt,
            EncodeField(Data.NewList([.. receipt.Summary.Arguments])),
            receipt.Summary.Value is { } value ? EncodeField(value) : null
        );

    /// <summary>The value of a field in bytes.</summary>
    /// <exception cref="ArgumentException">It has none.</exception>
    public static byte[] EncodeField(Data value) => Constants.EncodeItem(value);

    /// <summary>The same of which the arguments and the value are in bytes already.</summary>
    public static byte[] Encode(Receipt receipt, ReadOnlySpan<byte> arguments, byte[]? value)
    {
        ExecutionSummary summary = receipt.Summary;
        ReceiptWriter fields = ReceiptWriter.Start();
        fields.Add("number"u8, receipt.Number);
        fields.Add("contract"u8, summary.Contract);
        fields.Add("program"u8, summary.Program);
        if (summary.Called.Count > 0)
        {
            fields.Add(
                "called"u8,
                Data.NewMap([
                    .. summary
                        .Called.OrderBy(called => called.Key, StringComparer.Ordinal)
                        .Select(called => new KeyValuePair<Data, Data>(
                            Data.NewString(called.Key),
                            Data.NewString(called.Value.ToString())
                        )),
                ])
            );
        }

        fields.Add("function"u8, summary.Function);
        fields.AddEncoded("arguments"u8, arguments);
        fields.Add("caller"u8, summary.Caller);
        fields.Add("nonce"u8, summary.Nonce);
        fields.Add("timestamp"u8, summary.Timestamp);
        fields.Add("height"u8, summary.Height);
        fields.Add("gasLimit"u8, summary.GasLimit);
        fields.Add("gasUsed"u8, summary.GasUsed);
        if (value is not null)
        {
            fields.AddEncoded("value"u8, value);
        }

        fields.Add("fault"u8, summary.Fault);
        fields.Add("faultFunction"u8, summary.FaultFunction);
        fields.Add("faultInstruction"u8, summary.FaultInstruction);
        fields.Add("events"u8, receipt.Events);
        fields.Add("eventsDigest"u8, receipt.EventsDigest);
        fields.Add("audit"u8, receipt.Audit);
        fields.Add("auditDigest"u8, receipt.AuditDigest);
        fields.Add("ledgerCount"u8, receipt.LedgerCount);
        fields.Add("ledgerHead"u8, receipt.LedgerHead);
        fields.Add("stateRoot"u8, receipt.StateRoot);
        return fields.ToArray();
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

    /// <summary>The digest of a contract's execution's events after one more, its own or that of a contract that it called.</summary>
    /// <param name="before">The digest so far.</param>
    /// <param name="contract">Whose execution it was.</param>
    /// <param name="emitter">The contract that emitted it.</param>
    /// <param name="name">Of the event.</param>
    /// <param name="payload">Its constant.</param>
    public static Digest LinkEvent(
        Digest before,
        string contract,
        string emitter,
        string name,
        ReadOnlySpan<byte> payload
    ) =>
        emitter == contract
            ? CommitmentHash.Event(before, name, payload)
            : CommitmentHash.CalledEvent(before, emitter, name, payload);

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
}
