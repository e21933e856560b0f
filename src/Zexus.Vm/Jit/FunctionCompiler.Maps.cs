using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>Items of Maps that are there already, under Strings and Ints.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>Are these, or may they be assumed to be, a Map and a String or an Int?</summary>
    private bool IsEntry(int i, int map, int key)
    {
        Seen seen = _seen[i];
        int keyKind = KindOf(key, seen.Second, unseen: Tag.String);
        if (
            _assumeNothing
            || KindOf(map, seen.First, unseen: Tag.List) != (int)Tag.Map
            || keyKind is not ((int)Tag.String or (int)Tag.Int)
        )
        {
            return false;
        }

        _ = Assume(i, map, first: true, Tag.Map);
        _ = Assume(i, key, first: false, (Tag)keyKind);
        return true;

        int KindOf(int slot, ushort kinds, Tag unseen)
        {
            int kind = Resolve(slot).Kind;
            return kind == AbstractValue.Any ? Assumed(kinds, unseen) : kind;
        }
    }

    /// <summary>Puts the address of the entry into a variable; where there is none, or no gas for it, the machine does the instruction.</summary>
    private void FindEntry(int map, int key, Label slow, Site* site)
    {
        LocalBuilder entry = _entryPointer ??= _il.NewLocal(typeof(nint));
        if (Resolve(key).Kind == (int)Tag.Int)
        {
            PushPayload(map);
            PushPayload(key);
            _il.Call(Members.Of(nameof(Machine.FindEntryOfInt)));
            _il.Store(entry);
            _il.Load(entry);
            _il.Branch(OpCodes.Brfalse, slow);
            return;
        }

        bool isConstant = Values[key].Alias == Alias.Constant;
        Label search = _il.NewLabel();
        Label found = _il.NewLabel();
        LookForKeyGas(key, slow);

        LookWhereFoundLast(map, key, isConstant ? site : null, branch => _il.Branch(branch, search));
        if (isConstant)
        {
            Count(ShortWay.ConstantEntry);
        }

        _il.Mark(found);
        TakeKeyGas(key);
        FrameState now = _state.Copy();
        _il.Cold(() =>
        {
            FrameState kept = _state;
            _state = now;
            _il.Mark(search);
            PushPayload(map);
            PushPayload(key);
            if (isConstant)
            {
                _il.Address((byte*)site + Members.SiteEntryOffset);
                _il.Call(Members.Of(nameof(Machine.FindEntryOfConstant)));
            }
            else
            {
                _il.Call(Members.Of(nameof(Machine.FindEntryOfString)));
            }

            _il.Store(entry);
            _il.Load(entry);
            _il.Branch(OpCodes.Brtrue, found);
            _il.Branch(OpCodes.Br, slow);
            _state = kept;
        });
    }

    private LocalBuilder? _entryNumber;

    /// <summary>Where a String, or the place of a constant, says that it was found last; branches away when it is not there.</summary>
    private void LookWhereFoundLast(int map, int key, Site* place, Action<OpCode> elsewhere)
    {
        LocalBuilder entry = _entryPointer ??= _il.NewLocal(typeof(nint));
        LocalBuilder number = _entryNumber ??= _il.NewLocal(typeof(uint));

        // Read once: another thread may write the number of a place in between. An entry behind the last one is none.
        PushNumber();
        _il.Store(number);
        _il.Load(number);
        Field(map, Members.TableCountOffset);
        _il.Op(OpCodes.Ldind_U4);
        elsewhere(OpCodes.Bge_Un);
        Field(map, Members.TableEntriesOffset);
        _il.Op(OpCodes.Ldind_I);
        _il.Load(number);
        _il.Op(OpCodes.Conv_U);
        _il.Int(sizeof(Entry));
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Mul);
        _il.Op(OpCodes.Add);
        _il.Store(entry);
        _il.Load(entry);
        _il.Int(Members.PayloadOffset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
        _il.Op(OpCodes.Ldind_I8);
        PushPayload(key);
        elsewhere(OpCodes.Bne_Un);
        _il.Load(entry);
        _il.Op(OpCodes.Ldind_I8);
        _il.Long((long)Tag.String);
        elsewhere(OpCodes.Bne_Un);

        void PushNumber()
        {
            if (place != null)
            {
                _il.Address((byte*)place + Members.SiteEntryOffset);
            }
            else
            {
                Field(key, Members.StringEntryOffset);
            }

            _il.Op(OpCodes.Volatile);
            _il.Op(OpCodes.Ldind_U4);
        }
    }

    /// <summary>
    /// May the entry be assumed to be where the String was found last? Then the loop around it calls nothing: neither is the gas taken in
    /// more than one piece nor need variables outlive a call.
    /// </summary>
    private bool IsRemembered(int i, int key) =>
        _seen[i].Search == 0 && Resolve(key).Kind == (int)Tag.String && Values[key].Alias != Alias.Constant;

    /// <summary>Puts the address of the entry where the String was found last into a variable; leaves when it is elsewhere.</summary>
    private void RememberEntry(int i, int map, int key)
    {
        Label exit = _il.NewLabel();
        LookForKeyGas(key, exit);
        Exit(exit, i, ExitKind.Gas);
        LookWhereFoundLast(map, key, null, branch => Guard(branch, i, ExitKind.Range, note: NoteSearch(i)));
        Count(ShortWay.RememberedEntry);
        TakeKeyGas(key);
    }

    private Action NoteSearch(int i) =>
        () =>
        {
            Seen* seen = SeenAt(i);
            _il.Address(&seen->Search);
            _il.Int(1);
            _il.Op(OpCodes.Stind_I2);
        };

    /// <summary>The gas that a constant String takes as a key; null of other keys.</summary>
    private long? ConstantKeyGas(int key) =>
        Values[key].Alias == Alias.Constant
            ? (long)(ConstantAt(key).String->Length / Zexus.Isa.Gas.ScalarsPerUnit) << Fuel.Shift
            : null;

    /// <summary>Branches away where there is not the gas that a String takes as a key.</summary>
    private void LookForKeyGas(int key, Label slow)
    {
        if (ConstantKeyGas(key) is { } constant)
        {
            if (constant > 0)
            {
                _il.Load(_counter);
                _il.Long(constant);
                _il.Branch(OpCodes.Blt, slow);
            }

            return;
        }

        _il.Load(_counter);
        PushKeyGas(key);
        _il.Branch(OpCodes.Blt, slow);
    }

    /// <summary>What a String takes as a key, by its length.</summary>
    private void PushKeyGas(int key)
    {
        Field(key, Members.StringLengthOffset);
        _il.Op(OpCodes.Ldind_U4);
        PushTextGas();
    }

    /// <summary>length -> what a String of that length takes of the counter, as a key or joined.</summary>
    private void PushTextGas()
    {
        _il.Int(Zexus.Isa.Gas.ScalarsPerUnit);
        _il.Op(OpCodes.Div_Un);
        _il.Op(OpCodes.Conv_U8);
        _il.Int(Fuel.Shift);
        _il.Op(OpCodes.Shl);
    }

    private void TakeKeyGas(int key)
    {
        long? constant = ConstantKeyGas(key);
        if (constant == 0)
        {
            return;
        }

        _il.Load(_counter);
        if (constant is { } gas)
        {
            _il.Long(gas);
        }
        else
        {
            PushKeyGas(key);
        }

        _il.Op(OpCodes.Sub);
        _il.Store(_counter);
    }

    /// <summary>The entry is the one that reading the item has found; where the machine has read it, the machine writes it, too.</summary>
    private void UseFoundEntry(int key, Label slow)
    {
        bool isText = Resolve(key).Kind == (int)Tag.String;
        if (isText)
        {
            LookForKeyGas(key, slow);
        }

        _il.Load(_entryPointer!);
        _il.Branch(OpCodes.Brfalse, slow);
        Count(ShortWay.FoundEntry);
        if (isText)
        {
            TakeKeyGas(key);
        }
    }

    /// <summary>What an operand stands for: a variable, or a constant. Of one that has its own place nothing is told.</summary>
    private (Alias Alias, int Of)? Named(int slot) =>
        Values[slot].Alias == Alias.None ? null : (Values[slot].Alias, Values[slot].Of);

    /// <summary>
    /// The variable with the Map and the key of the entry that was found last, while the entry is sure to be where it was: to the end of the
    /// block, to the next instruction that may call the machine or to a change of either variable.
    /// </summary>
    /// <remarks>Where the machine may have read the item, it is not sure that there is an entry: its address is null then.</remarks>
    private (int Map, (Alias Alias, int Of) Key, bool IsSure)? _found;

    private void PushItemAddress()
    {
        _il.Load(_entryPointer!);
        _il.Int(Members.EntryItemOffset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
    }

    /// <summary>map[key]; a missing key is the machine's.</summary>
    private int GetEntry(int i, int map, int key)
    {
        bool isRemembered = IsRemembered(i, key);
        (int, (Alias, int), bool)? found =
            Values[map].Alias == Alias.Local && Named(key) is { } name ? (Values[map].Of, name, isRemembered) : null;
        if (isRemembered)
        {
            RememberEntry(i, map, key);
            Pop(2);
            PushItemAddress();
            PushFrom();
            _found = found;
            return i + 1;
        }

        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        Site* site = NewSite(i, ExitKind.None, _state.Top - Slots);
        FindEntry(map, key, slow, site);
        FrameState before = _state.Copy();
        Pop(2);
        PushItemAddress();
        PushFrom();
        _il.Mark(done);
        SlowPath(
            i,
            slow,
            done,
            before,
            () =>
            {
                TakeOver(map);
                _il.Long(0);
                _il.Op(OpCodes.Conv_I);
                _il.Store(_entryPointer!);
            },
            site
        );
        int next = EndSegmentWithLists(i);
        _found = found;
        return next;
    }

    /// <summary>map.set(key, item) -> map, where the key is there already.</summary>
    private int SetEntry(int i, int map)
    {
        int key = map + 1;
        (int Map, (Alias, int) Key, bool IsSure)? found =
            Values[map].Alias == Alias.Local && _found?.Map == Values[map].Of && _found?.Key == Named(key)
                ? _found
                : null;
        if (found is null ? IsRemembered(i, key) : found.Value.IsSure)
        {
            if (found is null)
            {
                RememberEntry(i, map, key);
                _found = null;
            }
            else
            {
                Label exit = _il.NewLabel();
                LookForKeyGas(key, exit);
                Exit(exit, i, ExitKind.Gas);
                Count(ShortWay.FoundEntry);
                TakeKeyGas(key);
            }

            PushItemAddress();
            StoreAtAddress(map + 2);
            Pop(2);
            return i + 1;
        }

        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        Site* site = NewSite(i, ExitKind.None, _state.Top - Slots);
        if (found is not null)
        {
            UseFoundEntry(key, slow);
        }
        else
        {
            FindEntry(map, key, slow, site);
        }

        PushItemAddress();
        StoreAtAddress(map + 2);
        _il.Mark(done);
        SlowPath(i, slow, done, _state.Copy(), static () => { }, site);
        Pop(2);
        return EndSegmentWithLists(i);
    }

    /// <summary>
    /// The machine may have been called, but only for items of a Map, the state or a REQUIRE that fails: their rules change no List, and a
    /// collection moves neither cells nor buffers. What was asked of Lists before the loop stays true.
    /// </summary>
    private int EndSegmentWithLists(int i)
    {
        bool before = _block.ChangesLists;
        int next = EndSegment(i);
        _block.ChangesLists = before;
        return next;
    }
}
