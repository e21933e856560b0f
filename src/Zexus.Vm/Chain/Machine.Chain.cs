using System.Security.Cryptography;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The chain instructions: docs/semantics.md, section 8.</summary>
internal sealed unsafe partial class Machine
{
    private const int HexBytes = 64;

    private static readonly Data TimestampKey = Data.NewString("timestamp");

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

        Data? data = _world.Read(Text.ToDotNet(key->String));
        return CopyOut(data ?? Data.Null, key) ? Code.Done : Code.OutOfGas;
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

        Code code = Plain(value, 0, out Data data);
        if (code == Code.Done)
        {
            _world.Write(Text.ToDotNet(key->String), data);
            _sp = key;
        }

        return code;
    }

    private Code LedgerAppend(Value* entry)
    {
        Code code = Plain(entry, 0, out Data data);
        if (code != Code.Done)
        {
            return code;
        }

        if (data is Data.Map map && !map.entries.Any(pair => pair.Key.Equals(TimestampKey)))
        {
            if (map.entries.Length + 1L > _collectionLength)
            {
                return Code.CollectionTooLarge;
            }

            data = Data.NewMap([.. map.entries, new(TimestampKey, Data.NewInt(_options.Block.Timestamp))]);
        }

        _world.Append(data);
        _sp = entry;
        return Code.Done;
    }

    private Code AuditLog(Value* subject, Value* action)
    {
        Code code = Plain(subject, 0, out Data data);
        if (code != Code.Done)
        {
            return code;
        }

        code = Plain(action, 0, out Data done);
        if (code == Code.Done)
        {
            _world.Audit(new AuditEntry(data, done, _options.Block.Timestamp));
            _sp = subject;
        }

        return code;
    }

    private Code HashBlock(Value* data)
    {
        Code code = Canonical(data);
        if (code == Code.Done)
        {
            StringCell* hex = _heap.NewString(HexBytes, 1);
            HashTo(_canonical.Written, new Span<byte>(hex->Data, HexBytes));
            *data = Value.Of(hex);
        }

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

        // One more place, for the last of an odd level.
        byte[] level = new byte[(count + 1) * HexBytes];
        for (int i = 0; i < count; i++)
        {
            Code code = Canonical(leaves + i);
            if (code != Code.Done)
            {
                return code;
            }

            HashTo(_canonical.Written, level.AsSpan(i * HexBytes, HexBytes));
        }

        for (int nodes = count; nodes > 1; nodes = (nodes + 1) / 2)
        {
            if (nodes % 2 == 1)
            {
                level.AsSpan((nodes - 1) * HexBytes, HexBytes).CopyTo(level.AsSpan(nodes * HexBytes));
            }

            for (int i = 0; i < (nodes + 1) / 2; i++)
            {
                HashTo(level.AsSpan(2 * i * HexBytes, 2 * HexBytes), level.AsSpan(i * HexBytes, HexBytes));
            }
        }

        StringCell* root = _heap.NewString(HexBytes, 1);
        level.AsSpan(0, HexBytes).CopyTo(new Span<byte>(root->Data, HexBytes));
        *leaves = Value.Of(root);
        _sp = leaves + 1;
        return Code.Done;
    }

    private static void HashTo(ReadOnlySpan<byte> bytes, Span<byte> hex)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(bytes, digest);
        for (int i = 0; i < digest.Length; i++)
        {
            hex[2 * i] = "0123456789abcdef"u8[digest[i] >> 4];
            hex[(2 * i) + 1] = "0123456789abcdef"u8[digest[i] & 15];
        }
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
