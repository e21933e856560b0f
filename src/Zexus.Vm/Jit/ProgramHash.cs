using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// The SHA-256 of all that a loaded program was made from: functions, constants, names, limits, and of a translation its code and charges.
/// Two programs with the same hash can run in one another's place.
/// </summary>
internal readonly record struct ProgramHash(UInt128 High, UInt128 Low)
{
    public static ProgramHash Of(Program image, TranslatedProgram? translation, Limits limits)
    {
        using MemoryStream stream = new();
        using (BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true))
        {
            Write(writer, limits);
            Write(writer, image.Names);
            Write(writer, image.Constants);
            writer.Write(image.Functions.Length);
            foreach (FunctionDefinition function in image.Functions)
            {
                Write(writer, function);
            }

            writer.Write(translation is not null);
            if (translation is not null)
            {
                Write(writer, [.. translation.Constants]);
                foreach (TranslatedFunction function in translation.Functions)
                {
                    Write(writer, function);
                }
            }
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _ = SHA256.HashData(stream.GetBuffer().AsSpan(0, (int)stream.Length), hash);
        return MemoryMarshal.Read<ProgramHash>(hash);
    }

    /// <summary>How long the parts are.</summary>
    public static int ShapeOf(Program image, TranslatedProgram? translation)
    {
        HashCode shape = new();
        shape.Add(image.Names.Length);
        shape.Add(image.Constants.Length);
        foreach (FunctionDefinition function in image.Functions)
        {
            shape.Add(function.Code.Length);
        }

        foreach (TranslatedFunction function in translation?.Functions ?? [])
        {
            shape.Add(function.Code.Length);
        }

        return shape.ToHashCode();
    }

    // Every list is written with its length, and every union with its case: no two programs give the same bytes.

    private static void Write(BinaryWriter writer, Limits limits)
    {
        writer.Write(limits.CallDepth);
        writer.Write(limits.IntegerBits);
        writer.Write(limits.StringLength);
        writer.Write(limits.CollectionLength);
        writer.Write(limits.Nesting);
    }

    private static void Write(BinaryWriter writer, string text)
    {
        writer.Write(text.Length);
        writer.Write(MemoryMarshal.AsBytes(text.AsSpan()));
    }

    private static void Write(BinaryWriter writer, string[] texts)
    {
        writer.Write(texts.Length);
        foreach (string text in texts)
        {
            Write(writer, text);
        }
    }

    private static void Write(BinaryWriter writer, BigInteger number)
    {
        byte[] bytes = number.ToByteArray();
        writer.Write(bytes.Length);
        writer.Write(bytes);
    }

    private static void Write(BinaryWriter writer, FunctionDefinition function)
    {
        Write(writer, function.Name);
        Write(writer, function.Parameters);
        Write(writer, function.Locals);
        Write(writer, function.Captures);
        writer.Write(function.Code.Length);
        foreach (Instruction instruction in function.Code)
        {
            writer.Write(instruction.Number);
            writer.Write(instruction.A);
            writer.Write(instruction.B);
            writer.Write(instruction.C);
        }
    }

    private static void Write(BinaryWriter writer, Data[] items)
    {
        writer.Write(items.Length);
        foreach (Data item in items)
        {
            Write(writer, item);
        }
    }

    private static void Write(BinaryWriter writer, Data data)
    {
        writer.Write((byte)data.Tag);
        switch (data)
        {
            case Data.Bool it:
                writer.Write(it.value);
                break;
            case Data.Int it:
                Write(writer, it.value);
                break;
            case Data.Float it:
                writer.Write(it.value);
                break;
            case Data.String it:
                Write(writer, it.value);
                break;
            case Data.List it:
                Write(writer, it.items);
                break;
            case Data.Set it:
                Write(writer, it.items);
                break;
            case Data.Map it:
                writer.Write(it.entries.Length);
                foreach (KeyValuePair<Data, Data> entry in it.entries)
                {
                    Write(writer, entry.Key);
                    Write(writer, entry.Value);
                }

                break;
            default:
                // Null has no more to say.
                break;
        }
    }

    private static void Write(BinaryWriter writer, TranslatedFunction function)
    {
        writer.Write(function.Code.Length);
        foreach (TranslatedInstruction instruction in function.Code)
        {
            writer.Write(InstructionSet.Of(instruction.Opcode).Number);
            writer.Write(instruction.A);
            writer.Write(instruction.B);
            writer.Write(instruction.C);
            writer.Write(instruction.Source);
            Write(writer, instruction.Charges);
            Write(writer, instruction.JumpCharges);
        }
    }

    private static void Write(BinaryWriter writer, ImmutableArray<Charge> charges)
    {
        writer.Write(charges.Length);
        foreach (Charge charge in charges)
        {
            writer.Write(charge.Source);
            Write(writer, charge.Amount);
        }
    }

    private static void Write(BinaryWriter writer, Amount amount)
    {
        switch (amount)
        {
            case Amount.Fixed it:
                writer.Write('f');
                Write(writer, it.Gas);
                break;
            case Amount.Size it:
                writer.Write('s');
                writer.Write(it.Depth);
                break;
            case Amount.Text it:
                writer.Write('t');
                writer.Write(it.Depth);
                break;
            case Amount.VariableSize it:
                writer.Write('v');
                writer.Write(it.Slot);
                break;
            case Amount.RegisterSize it:
                writer.Write('r');
                writer.Write(it.Number);
                break;
            case Amount.Sum it:
                writer.Write('+');
                writer.Write(it.Parts.Length);
                foreach (Amount part in it.Parts)
                {
                    Write(writer, part);
                }

                break;
            default:
                throw new InvalidOperationException($"no reading of {amount}");
        }
    }
}
