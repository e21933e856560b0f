using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>Items of Maps that are there already, under Strings and Ints.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    private LocalBuilder? _keyGas;

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
    private void FindEntry(int map, int key, Label slow)
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

        LocalBuilder gas = _keyGas ??= _il.NewLocal(typeof(long));
        Label search = _il.NewLabel();
        Label found = _il.NewLabel();
        Field(key, Members.StringLengthOffset);
        _il.Op(OpCodes.Ldind_U4);
        _il.Int(Zexus.Isa.Gas.ScalarsPerUnit);
        _il.Op(OpCodes.Div_Un);
        _il.Op(OpCodes.Conv_U8);
        _il.Int(Fuel.Shift);
        _il.Op(OpCodes.Shl);
        _il.Store(gas);
        _il.Load(_counter);
        _il.Load(gas);
        _il.Branch(OpCodes.Blt, slow);

        // Where the String was found last. An entry behind the last one is none.
        Field(key, Members.StringEntryOffset);
        _il.Op(OpCodes.Ldind_U4);
        Field(map, Members.TableCountOffset);
        _il.Op(OpCodes.Ldind_U4);
        _il.Branch(OpCodes.Bge_Un, search);
        Field(map, Members.TableEntriesOffset);
        _il.Op(OpCodes.Ldind_I);
        Field(key, Members.StringEntryOffset);
        _il.Op(OpCodes.Ldind_U4);
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
        _il.Branch(OpCodes.Bne_Un, search);
        _il.Load(entry);
        _il.Op(OpCodes.Ldind_I8);
        _il.Long((long)Tag.String);
        _il.Branch(OpCodes.Bne_Un, search);
        _il.Mark(found);
        _il.Load(_counter);
        _il.Load(gas);
        _il.Op(OpCodes.Sub);
        _il.Store(_counter);
        FrameState now = _state.Copy();
        _il.Cold(() =>
        {
            FrameState kept = _state;
            _state = now;
            _il.Mark(search);
            PushPayload(map);
            PushPayload(key);
            _il.Call(Members.Of(nameof(Machine.FindEntryOfString)));
            _il.Store(entry);
            _il.Load(entry);
            _il.Branch(OpCodes.Brtrue, found);
            _il.Branch(OpCodes.Br, slow);
            _state = kept;
        });
    }

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
        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        FindEntry(map, key, slow);
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
                LoadSlotTag(map);
                _il.Store(TagOf(map));
                LoadSlotPayload(map);
                _il.Store(PayloadOf(map));
            }
        );
        return EndSegment(i);
    }

    /// <summary>map.set(key, item) -> map, where the key is there already.</summary>
    private int SetEntry(int i, int map)
    {
        Label slow = _il.NewLabel();
        Label done = _il.NewLabel();
        FindEntry(map, map + 1, slow);
        PushItemAddress();
        StoreAtAddress(map + 2);
        _il.Mark(done);
        SlowPath(i, slow, done, _state.Copy(), static () => { });
        Pop(2);
        return EndSegment(i);
    }
}
