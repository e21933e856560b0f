namespace Zexus.Vm;

/// <summary>Methods of a String.</summary>
internal sealed unsafe partial class Machine
{
    private bool ChargeSearch(StringCell* text, StringCell* part) =>
        Charge(
            (text->Length / Zexus.Isa.Gas.ScalarsPerUnit)
                + ((long)text->Length * part->Length / Zexus.Isa.Gas.SearchProduct)
        );

    private Code Find(Value* target, Value* part, bool contains, Value* to)
    {
        if (part->Tag != Tag.String)
        {
            return Code.TypeMismatch;
        }

        if (!ChargeSearch(target->String, part->String))
        {
            return Code.OutOfGas;
        }

        int at = Text.IndexOf(target->String, part->String, 0);
        *to = contains ? Value.Of(at >= 0) : Value.Of((long)at);
        return Code.Done;
    }

    private Code StandsAtEdge(Value* target, Value* part, bool start, Value* to)
    {
        if (part->Tag != Tag.String)
        {
            return Code.TypeMismatch;
        }

        if (!ChargeText(part->String->Length))
        {
            return Code.OutOfGas;
        }

        int at = start ? 0 : target->String->Length - part->String->Length;
        *to = Value.Of(Text.StandsAt(target->String, part->String, at));
        return Code.Done;
    }

    private Code ChangeCase(Value* target, bool upper, Value* to)
    {
        StringCell* text = target->String;
        if (!ChargeText(text->Length))
        {
            return Code.OutOfGas;
        }

        StringCell* result = _heap.NewString(text->Length, text->Header.Width);
        for (int i = 0; i < text->Length; i++)
        {
            int scalar = text->At(i);
            if (upper ? scalar is >= 'a' and <= 'z' : scalar is >= 'A' and <= 'Z')
            {
                scalar ^= 0x20;
            }

            switch (text->Header.Width)
            {
                case 1:
                    result->Data[i] = (byte)scalar;
                    break;
                case 2:
                    ((ushort*)result->Data)[i] = (ushort)scalar;
                    break;
                default:
                    ((int*)result->Data)[i] = scalar;
                    break;
            }
        }

        *to = Value.Of(result);
        return Code.Done;
    }

    private Code Trim(Value* target, Value* to)
    {
        StringCell* text = target->String;
        if (!ChargeText(text->Length))
        {
            return Code.OutOfGas;
        }

        int start = 0;
        int end = text->Length;
        while (start < end && IsSpace(text->At(start)))
        {
            start++;
        }

        while (end > start && IsSpace(text->At(end - 1)))
        {
            end--;
        }

        *to = Value.Of(_heap.Slice(text, start, end - start));
        return Code.Done;

        static bool IsSpace(int scalar) => scalar is (>= 0x09 and <= 0x0D) or 0x20;
    }

    private Code Split(Value* target, Value* separator, Value* to)
    {
        if (separator->Tag is not (Tag.Null or Tag.String))
        {
            return Code.TypeMismatch;
        }

        StringCell* text = target->String;
        StringCell* between = separator->Tag == Tag.Null ? WellKnown.Latin1(' ') : separator->String;
        if (between->Length == 0)
        {
            return Code.Domain;
        }

        if (!ChargeSearch(text, between))
        {
            return Code.OutOfGas;
        }

        int parts = 1;
        for (int at = Text.IndexOf(text, between, 0); at >= 0; at = Text.IndexOf(text, between, at + between->Length))
        {
            parts++;
        }

        if (!Charge(parts))
        {
            return Code.OutOfGas;
        }

        if (parts > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        ListCell* result = _heap.NewNullList(parts);
        int mark = _heap.Protect(Value.Of(result));
        int from = 0;
        for (int i = 0; i < parts; i++)
        {
            int at = i == parts - 1 ? text->Length : Text.IndexOf(text, between, from);
            result->Values[i] = Value.Of(_heap.Slice(text, from, at - from));
            from = at + between->Length;
        }

        _heap.Release(mark);
        *to = Value.Of(result);
        return Code.Done;
    }

    private Code Replace(Value* target, Value* part, Value* by, Value* to)
    {
        if (part->Tag != Tag.String || by->Tag != Tag.String)
        {
            return Code.TypeMismatch;
        }

        StringCell* text = target->String;
        StringCell* old = part->String;
        StringCell* replacement = by->String;
        if (old->Length == 0)
        {
            return Code.Domain;
        }

        if (!ChargeSearch(text, old))
        {
            return Code.OutOfGas;
        }

        long length = text->Length;
        for (int at = Text.IndexOf(text, old, 0); at >= 0; at = Text.IndexOf(text, old, at + old->Length))
        {
            length += replacement->Length - old->Length;
        }

        if (!ChargeText(length))
        {
            return Code.OutOfGas;
        }

        if (length > _stringLength)
        {
            return Code.StringTooLong;
        }

        _text.Start(int.MaxValue);
        int from = 0;
        for (int at = Text.IndexOf(text, old, 0); at >= 0; at = Text.IndexOf(text, old, from))
        {
            _text.EmitPart(text, from, at - from);
            _text.Emit(replacement);
            from = at + old->Length;
        }

        _text.EmitPart(text, from, text->Length - from);
        *to = Value.Of(_text.ToCell(_heap));
        return Code.Done;
    }
}
