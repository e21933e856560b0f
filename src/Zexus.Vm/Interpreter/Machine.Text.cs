using System.Globalization;
using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>The display form: what PRINT, str, join and ADD with a String show.</summary>
internal sealed unsafe partial class Machine
{
    /// <summary>Emits into the text builder, which the caller has started.</summary>
    private Code Display(Value* value, int depth)
    {
        switch (value->Tag)
        {
            case Tag.Null:
                return Emitted(_text.Emit("null"));
            case Tag.Bool:
                return Emitted(_text.Emit(value->Payload != 0 ? "true" : "false"));
            case Tag.Int:
            {
                Span<char> digits = stackalloc char[20];
                value->Payload.TryFormat(digits, out int length, provider: CultureInfo.InvariantCulture);
                return Emitted(_text.Emit(digits[..length]));
            }

            case Tag.BigInt:
            {
                long size = Integers.Size(value);
                return Charge(size * size)
                    ? Emitted(_text.Emit(Integers.Of(value->Big).ToString(CultureInfo.InvariantCulture)))
                    : Code.OutOfGas;
            }

            case Tag.Float:
                return Emitted(_text.Emit(Floats.ToText(value->Float)));
            case Tag.String:
                return !ChargeText(value->String->Length)
                    ? Code.OutOfGas
                    : Emitted(depth == 0 ? _text.Emit(value->String) : _text.EmitQuoted(value->String));
            case Tag.List:
                return DisplayList(value->List, depth);
            case Tag.Map:
                return DisplayMap(value->Map, depth);
            case Tag.Set:
                return DisplaySet(value->Set, depth);
            default:
                string name = _program.Image.Functions[value->Function->Function].Name;
                return Emitted(_text.EmitScalars("<function " + name + ">"));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Code Emitted(bool fits) => fits ? Code.Done : Code.StringTooLong;

    private Code DisplayList(ListCell* list, int depth)
    {
        if (!Charge(list->Count))
        {
            return Code.OutOfGas;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        Code code = Emitted(_text.Emit("["));
        for (int i = 0; i < list->Count && code == Code.Done; i++)
        {
            Value item = list->Get(i);
            code = i > 0 ? Emitted(_text.Emit(", ")) : Code.Done;
            code = code == Code.Done ? Display(&item, depth + 1) : code;
        }

        return code == Code.Done ? Emitted(_text.Emit("]")) : code;
    }

    private Code DisplayMap(TableCell* map, int depth)
    {
        if (!Charge(2L * map->Count))
        {
            return Code.OutOfGas;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        Code code = Emitted(_text.Emit("{"));
        for (int i = 0; i < map->Count && code == Code.Done; i++)
        {
            code = i > 0 ? Emitted(_text.Emit(", ")) : Code.Done;
            code = code == Code.Done ? Display(&map->At(i)->Key, depth + 1) : code;
            code = code == Code.Done ? Emitted(_text.Emit(": ")) : code;
            code = code == Code.Done ? Display(&map->At(i)->Item, depth + 1) : code;
        }

        return code == Code.Done ? Emitted(_text.Emit("}")) : code;
    }

    private Code DisplaySet(TableCell* set, int depth)
    {
        if (!Charge(set->Count))
        {
            return Code.OutOfGas;
        }

        if (depth >= _nesting)
        {
            return Code.TooDeep;
        }

        Code code = Emitted(_text.Emit("#{"));
        for (int i = 0; i < set->Count && code == Code.Done; i++)
        {
            code = i > 0 ? Emitted(_text.Emit(", ")) : Code.Done;
            code = code == Code.Done ? Display(&set->At(i)->Key, depth + 1) : code;
        }

        return code == Code.Done ? Emitted(_text.Emit("}")) : code;
    }
}
