using System.Runtime.CompilerServices;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The chain instructions: docs/semantics.md, section 8.</summary>
internal sealed unsafe partial class Machine
{
    private static readonly nint TimestampKey = (nint)WellKnown.Make("timestamp");

    private Code StateRead(Value* key)
    {
        if (key->Tag != Tag.String)
        {
            return Code.TypeMismatch;
        }

        if (!ChargeText(key->String->Length))
        {
            return Code.OutOfGas;
        }

        Value* item = _world.Peek(key->String);
        if (item is null && !TryReadFromHost(key, out item))
        {
            return Code.OutOfGas;
        }

        if (item is null)
        {
            *key = Value.Null;
        }
        else if (IsFree(item))
        {
            *key = *item;
        }
        else if (Charge(PlainData.Weight(item, _gasLimit - GasUsed)))
        {
            *key = PlainData.Copy(*item, _heap);
        }
        else
        {
            return Code.OutOfGas;
        }

        return Code.Done;
    }

    /// <summary>What the host has under a key, null when it has nothing; false, with nothing made, when its charge would not fit.</summary>
    private bool TryReadFromHost(Value* key, out Value* item)
    {
        try
        {
            // What no limit allows is refused as its charge would be: the counters are flushed, and the host's guards looked at.
            return _world.TryReadFromHost(key, _gasLimit - GasUsed, out item) || Charge(long.MaxValue);
        }
        finally
        {
            _guard.EndLending();
        }
    }

    private Code StateWrite(Value* key, Value* value)
    {
        if (key->Tag != Tag.String)
        {
            return Code.TypeMismatch;
        }

        if (!ChargeText(key->String->Length))
        {
            return Code.OutOfGas;
        }

        Code code = ChargePlain(value);
        if (code == Code.Done)
        {
            if (value->Tag > Tag.String)
            {
                // Its place on the stack is as good a root for the copy; nobody needs the operand any more.
                *value = PlainData.Copy(*value, _heap);
            }

            _world.Write(key, *value);
            _sp = key;
        }

        return code;
    }

    /// <summary>A scalar whose copy costs nothing.</summary>
    private static bool IsFree(Value* value) => value->Tag <= Tag.String && KeyGas(value) == 0;

    /// <summary>
    /// For compiled code: what stands in the state under a String and can be had as it is; null when nothing does, the host would have to be
    /// asked, it is a collection, which is copied, or it costs something.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint FindInState(Machine machine, long key)
    {
        if (machine._world.OnlyTable is { } table)
        {
            Value* item = table.PeekAtHome((StringCell*)key);
            if (item is not null && IsFree(item))
            {
                return (nint)item;
            }
        }

        return FindAnywhereInState(machine, key);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint FindAnywhereInState(Machine machine, long key)
    {
        Value* item = machine._world.Peek((StringCell*)key);
        return item is not null && IsFree(item) ? (nint)item : 0;
    }

    /// <summary>For compiled code: writes to the state a scalar that costs nothing, if the execution has written under the key before.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool ReplaceInState(Machine machine, long key, long tag, long payload)
    {
        Value value = new((Tag)tag, payload);
        return IsFree(&value) && machine._world.HasRoomToNote && machine._world.Replace((StringCell*)key, value);
    }

    /// <summary>For compiled code, without the way past every other instruction.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long StateReadAt(Machine machine, Site* site, Frame* frame, Value* slots, long counter)
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        return machine.Settle(machine.StateRead(machine._sp - 1), site, frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long StateWriteAt(Machine machine, Site* site, Frame* frame, Value* slots, long counter)
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        return machine.Settle(machine.StateWrite(machine._sp - 2, machine._sp - 1), site, frame);
    }

    /// <summary>
    /// For compiled code: BUILD_MAP, with different Strings for keys, and the EMIT_EVENT behind it, whose own cost compiled code has not taken yet.
    /// </summary>
    /// <returns>The counter afterwards; negative, with nothing done, when the Map has to be made or something does not fit.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long EmitNewMapAt(
        Machine machine,
        Site* site,
        Frame* frame,
        Value* slots,
        long counter,
        long costOfEvent
    )
    {
        machine.Publish(site, frame, slots, counter);
        int count = site->At->A;
        int name = site->At[1].A;
        Value* entries = machine._sp - (2L * count);
        if (count > machine._collectionLength || machine._nesting == 0 || machine._world.HasHandlers(name))
        {
            return -1;
        }

        long gas = Zexus.Isa.Gas.Element * 2L * count;
        for (Value* entry = entries; entry < machine._sp; entry += 2)
        {
            if (entry[1].Tag > Tag.String)
            {
                return -1;
            }

            // A key is paid for where it is put and where it is copied.
            gas += (2 * KeyGas(entry)) + KeyGas(entry + 1);
        }

        // As in Charge: what is shifted stays below the sign.
        long left = gas < 1L << 38 ? counter - costOfEvent - (gas << Fuel.Shift) : -1;
        if (left >= 0)
        {
            machine._world.Emit(name, entries, count);
        }

        return left;
    }

    internal static void BeginTransaction(Machine machine) => machine._world.Begin();

    internal static void CommitTransaction(Machine machine) => machine._world.Commit();

    internal static void RevertTransaction(Machine machine) => machine._world.Revert();

    private Code LedgerAppend(Value* entry)
    {
        Code code = ChargePlain(entry);
        if (code != Code.Done)
        {
            return code;
        }

        Value timestamp = Value.Of((StringCell*)TimestampKey);
        if (entry->Tag != Tag.Map || CellHeap.Find(entry->Map, &timestamp) >= 0)
        {
            _world.Append(entry);
        }
        else if (entry->Map->Count + 1L > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }
        else
        {
            _world.AppendStamped(entry->Map, timestamp.String);
        }

        _sp = entry;
        return Code.Done;
    }

    private Code AuditLog(Value* subject, Value* action)
    {
        Code code = ChargePlain(subject);
        code = code == Code.Done ? ChargePlain(action) : code;
        if (code == Code.Done)
        {
            _world.Audit(subject, action);
            _sp = subject;
        }

        return code;
    }

    private Code HashBlock(Value* data)
    {
        Code code = Canonical(data);
        if (code == Code.Done)
        {
            StringCell* hex = _heap.NewString(Sha256.HexBytes, 1);
            Sha256.HashToHex(_canonical.Written, new Span<byte>(hex->Data, Sha256.HexBytes));
            *data = Value.Of(hex);
        }

        _canonical.Clear();
        return code;
    }

    private Code MerkleRoot(int count)
    {
        Value* leaves = _sp - count;
        if (count == 0)
        {
            *leaves = Value.Of(WellKnown.Empty);
            _sp = leaves + 1;
            return Code.Done;
        }

        MerkleLevel level = new(count);
        for (int i = 0; i < count; i++)
        {
            Code code = Canonical(leaves + i);
            if (code != Code.Done)
            {
                return code;
            }

            level.Add(_canonical.Written);
        }

        _canonical.Clear();

        level.AscendToRoot();
        StringCell* root = _heap.NewString(Sha256.HexBytes, 1);
        level.CopyHex(0, new Span<byte>(root->Data, Sha256.HexBytes));
        *leaves = Value.Of(root);
        _sp = leaves + 1;
        return Code.Done;
    }

    private Code VerifySignature()
    {
        Value* operands = _sp - 3;
        long gas = 0;
        bool texts = true;
        for (int i = 0; i < 3; i++)
        {
            if (operands[i].Tag == Tag.String)
            {
                gas += operands[i].String->Length / Zexus.Isa.Gas.ScalarsPerUnit;
            }
            else
            {
                texts = false;
            }
        }

        if (!Charge(gas))
        {
            return Code.OutOfGas;
        }

        bool valid =
            texts
            && _options.Verifier(
                Text.ToDotNet(operands[0].String),
                Text.ToDotNet(operands[1].String),
                Text.ToDotNet(operands[2].String)
            );
        *operands = Value.Of(valid);
        _sp = operands + 1;
        return Code.Done;
    }
}
