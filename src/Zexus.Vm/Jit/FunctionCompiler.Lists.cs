using System.Numerics;
using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>Items of Lists, read and written where they lie, in the way that the List stores them.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    private LocalBuilder? _count;
    private LocalBuilder? _elementKind;

    private static OpCode LoadOf(ElementKind kind) =>
        kind switch
        {
            ElementKind.Bool => OpCodes.Ldind_U1,
            ElementKind.Float => OpCodes.Ldind_R8,
            _ => OpCodes.Ldind_I8,
        };

    /// <summary>How a List may be assumed to store its items: what was seen, else the guess; null where both say nothing.</summary>
    private ElementKind? AssumedElements(int i, int list)
    {
        ushort seen = _seen[i].Elements;
        ElementGuess guess = Resolve(list).Elements;
        return _assumeNothing ? null
            : seen != 0
                ? BitOperations.IsPow2(seen) ? (ElementKind)BitOperations.Log2(seen)
                    : null
            : guess >= ElementGuess.Value ? (ElementKind)(guess - ElementGuess.Value)
            : null;
    }

    /// <summary>Puts the address of a cell's field on the IL stack.</summary>
    private void Field(int slot, int offset)
    {
        PushPayload(slot);
        _il.Int(offset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
    }

    private void PushElementKind(int list)
    {
        Field(list, Members.ElementKindOffset);
        _il.Op(OpCodes.Ldind_U1);
    }

    private void GuardElements(int i, int list, int index, ElementKind kind)
    {
        NoteUse(i, list, index, kind);
        if (HoistOf(list) is not null)
        {
            Count(ShortWay.HoistedList);
            return;
        }

        PushElementKind(list);
        _il.Int((int)kind);
        Guard(OpCodes.Bne_Un, i, ExitKind.Elements, note: NoteElements(i, list, fits: true));
    }

    private void GuardIndex(int i, int list, int index)
    {
        Hoist? hoist = HoistOf(list);
        AbstractValue known = Resolve(index);
        if (hoist is not null && known.Low >= 0 && known.High < hoist.Count)
        {
            return;
        }

        PushPayload(index);
        if (hoist is not null)
        {
            _il.Load(_countOf[hoist.Slot]);
        }
        else
        {
            Field(list, Members.ListCountOffset);
            _il.Op(OpCodes.Ldind_I4);
            _il.Op(OpCodes.Conv_U8);
        }

        Guard(OpCodes.Bge_Un, i, ExitKind.Range, note: NoteFlag(i, overflow: false));
    }

    /// <summary>Puts the address of an item on the IL stack.</summary>
    private void ItemAddress(int list, Action index, ElementKind kind, Hoist? hoist = null)
    {
        if (hoist is not null)
        {
            _il.Load(_itemsOf[hoist.Slot]);
        }
        else
        {
            Field(list, Members.ListItemsOffset);
            _il.Op(OpCodes.Ldind_I);
        }

        index();
        if (kind.Shift() > 0)
        {
            _il.Int(kind.Shift());
            _il.Op(OpCodes.Shl);
        }

        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
    }

    private void ItemAddress(int list, int index, ElementKind kind, Hoist? hoist = null) =>
        ItemAddress(list, () => PushPayload(index), kind, hoist);

    private int BuildList(int i)
    {
        int count = At(i)->A;
        ElementGuess guess = ElementGuess.Empty;
        ElementGuess inner = ElementGuess.Empty;
        for (int k = 0; k < count; k++)
        {
            AbstractValue item = Resolve(_state.Top - count + k);
            (guess, inner) = GuessWith(guess, inner, item);
        }

        MachineDoes(i, count, 1, (int)Tag.List);
        Values[_state.Top - 1].Elements = guess;
        Values[_state.Top - 1].Inner = inner;
        return EndSegment(i);
    }

    private int CopyConstant(int i)
    {
        Value constant = _program.Constants[At(i)->A];
        MachineDoes(i, 0, 1, (int)constant.Tag);
        if (constant.Tag == Tag.List)
        {
            Values[_state.Top - 1].Elements = ElementGuesses.Of(constant.List);
            Values[_state.Top - 1].Inner = ElementGuesses.InnerOf(constant.List);
        }

        return EndSegment(i);
    }

    /// <summary>What is thought of a List when one more item is in it.</summary>
    private static (ElementGuess Elements, ElementGuess Inner) GuessWith(
        ElementGuess elements,
        ElementGuess inner,
        in AbstractValue item
    )
    {
        if (item.Kind < 0)
        {
            return (elements == ElementGuess.Empty ? ElementGuess.Unknown : elements, ElementGuess.Unknown);
        }

        ElementGuess kind = ElementGuesses.Of(ElementKinds.Of((Tag)item.Kind));
        return (
            elements is ElementGuess.Empty ? kind
            : elements is ElementGuess.Unknown || elements == kind ? elements
            : ElementGuess.Value,
            item.Kind == (int)Tag.List ? inner.Join(item.Elements) : ElementGuess.Unknown
        );
    }

    /// <summary>list[index] with an index inside the List.</summary>
    private int GetItem(int i, int list, int index)
    {
        ElementGuess inner = Resolve(list).Inner;
        ElementKind? assumed = AssumedElements(i, list);
        if (assumed is { } kind)
        {
            GuardElements(i, list, index, kind);
        }

        GuardIndex(i, list, index);
        if (assumed is null)
        {
            GetAnyItem(list, index);
        }
        else if (assumed == ElementKind.Value)
        {
            ItemAddress(list, index, ElementKind.Value, HoistOf(list));
            Pop(2);
            PushFrom();
        }
        else
        {
            ItemAddress(list, index, assumed.Value, HoistOf(list));
            _il.Op(LoadOf(assumed.Value));
            if (assumed == ElementKind.Bool)
            {
                _il.Op(OpCodes.Conv_U8);
            }

            Pop(2);
            AbstractValue item = AbstractValue.OfKind((int)assumed);
            StoreResult(Push(item), item);
            return i + 1;
        }

        Values[_state.Top - 1].Elements = inner;
        return i + 1;
    }

    /// <summary>Asks the List how it stores its items.</summary>
    private void GetAnyItem(int list, int index)
    {
        Label narrow = _il.NewLabel();
        Label done = _il.NewLabel();
        LocalBuilder kind = _elementKind ??= _il.NewLocal(typeof(int));
        FrameState before = _state.Copy();
        PushElementKind(list);
        _il.Store(kind);
        _il.Load(kind);
        _il.Branch(OpCodes.Brtrue, narrow);
        ItemAddress(list, index, ElementKind.Value);
        Pop(2);
        PushFrom();
        _il.Mark(done);
        int to = _state.Top - 1;
        _il.Cold(() =>
        {
            FrameState kept = _state;
            _state = before;
            Label bools = _il.NewLabel();
            _il.Mark(narrow);
            _il.Load(kind);
            _il.Int((int)ElementKind.Bool);
            _il.Branch(OpCodes.Beq, bools);
            Load(ElementKind.Int);
            _il.Load(kind);
            _il.Op(OpCodes.Conv_I8);
            _il.Store(TagOf(to));
            _il.Branch(OpCodes.Br, done);
            _il.Mark(bools);
            Load(ElementKind.Bool);
            _il.Long((long)Tag.Bool);
            _il.Store(TagOf(to));
            _il.Branch(OpCodes.Br, done);
            _state = kept;

            void Load(ElementKind way)
            {
                ItemAddress(list, index, way);
                _il.Op(LoadOf(way));
                _il.Op(OpCodes.Conv_U8);
                _il.Store(PayloadOf(to));
            }
        });
    }

    /// <summary>list.set(index, item) -> list, with an index inside the List.</summary>
    private int SetItem(int i, int list, int index, int item)
    {
        int itemKind = Resolve(item).Kind;
        ElementKind? assumed = AssumedElements(i, list);
        if (assumed is { } kind && (kind == ElementKind.Value || itemKind < 0 || (int)kind == itemKind))
        {
            GuardElements(i, list, index, kind);
            if (kind != ElementKind.Value && itemKind < 0)
            {
                PushTag(item);
                _il.Long((long)kind);
                Guard(OpCodes.Bne_Un, i, ExitKind.Elements, note: NoteElements(i, list, fits: false));
            }

            GuardIndex(i, list, index);
            StoreItem(list, () => PushPayload(index), item, kind, HoistOf(list));
            Pop(2);
            return i + 1;
        }

        GuardIndex(i, list, index);
        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        StoreAnyItem(list, () => PushPayload(index), item, slow, emptyIsSlow: false);
        _il.Mark(done);
        SlowPath(i, slow, done, _state.Copy(), static () => { });
        Pop(2);
        return EndSegment(i);
    }

    /// <summary>Writes an item that the kind takes.</summary>
    private void StoreItem(int list, Action index, int item, ElementKind kind, Hoist? hoist = null)
    {
        ItemAddress(list, index, kind, hoist);
        if (kind == ElementKind.Value)
        {
            StoreAtAddress(item);
            return;
        }

        PushPayload(item);
        _il.Op(kind == ElementKind.Bool ? OpCodes.Stind_I1 : OpCodes.Stind_I8);
    }

    /// <summary>Writes an item in the way that the List has; branches away when it does not fit.</summary>
    private void StoreAnyItem(int list, Action index, int item, Label slow, bool emptyIsSlow)
    {
        Label values = _il.NewLabel();
        Label done = _il.NewLabel();
        LocalBuilder kind = _elementKind ??= _il.NewLocal(typeof(int));
        int itemKind = Resolve(item).Kind;
        PushElementKind(list);
        _il.Store(kind);
        _il.Load(kind);
        _il.Branch(OpCodes.Brfalse, values);
        if (itemKind < 0)
        {
            Label bools = _il.NewLabel();
            _il.Load(kind);
            _il.Op(OpCodes.Conv_I8);
            PushTag(item);
            _il.Branch(OpCodes.Bne_Un, slow);
            _il.Load(kind);
            _il.Int((int)ElementKind.Bool);
            _il.Branch(OpCodes.Beq, bools);
            StoreItem(list, index, item, ElementKind.Int);
            _il.Branch(OpCodes.Br, done);
            _il.Mark(bools);
            StoreItem(list, index, item, ElementKind.Bool);
        }
        else if (ElementKinds.Of((Tag)itemKind) == ElementKind.Value)
        {
            _il.Branch(OpCodes.Br, slow);
        }
        else
        {
            _il.Load(kind);
            _il.Int(itemKind);
            _il.Branch(OpCodes.Bne_Un, slow);
            StoreItem(list, index, item, (ElementKind)itemKind);
        }

        _il.Branch(OpCodes.Br, done);
        _il.Mark(values);
        if (emptyIsSlow)
        {
            // The first item decides the kind.
            _il.Load(_count!);
            _il.Branch(OpCodes.Brfalse, slow);
        }

        StoreItem(list, index, item, ElementKind.Value);
        _il.Mark(done);
    }

    /// <summary>list.push(item) -> list, while there is room and the item fits; else the machine does it.</summary>
    private int PushItem(int i, int list)
    {
        int item = list + 1;
        ref AbstractValue known = ref Resolve(list);
        (known.Elements, known.Inner) = GuessWith(known.Elements, known.Inner, Resolve(item));
        if (_il.Enabled)
        {
            long gas = (long)Zexus.Isa.Gas.Element << Fuel.Shift;
            Label slow = _il.NewLabel();
            Label done = _il.NewLabel();
            LocalBuilder count = _count ??= _il.NewLocal(typeof(int));
            Field(list, Members.ListCountOffset);
            _il.Op(OpCodes.Ldind_I4);
            _il.Store(count);
            _il.Load(count);
            Field(list, Members.ListCapacityOffset);
            _il.Op(OpCodes.Ldind_I4);
            _il.Branch(OpCodes.Bge, slow);
            _il.Load(count);
            _il.Int(_program.Limits.CollectionLength);
            _il.Branch(OpCodes.Bge, slow);
            _il.Load(_counter);
            _il.Long(gas);
            _il.Branch(OpCodes.Blt, slow);
            StoreAnyItem(list, () => _il.Load(count), item, slow, emptyIsSlow: true);
            _il.Load(_counter);
            _il.Long(gas);
            _il.Op(OpCodes.Sub);
            _il.Store(_counter);
            Field(list, Members.ListCountOffset);
            _il.Load(count);
            _il.Int(1);
            _il.Op(OpCodes.Add);
            _il.Op(OpCodes.Stind_I4);
            _il.Mark(done);
            SlowPath(i, slow, done, _state.Copy(), static () => { });
        }

        Pop();
        return EndSegment(i);
    }
}
