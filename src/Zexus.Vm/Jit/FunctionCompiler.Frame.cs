using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>How the frame lies in variables of the compiled code, and how it gets back into memory.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    private LocalBuilder PayloadOf(int slot) => Local(_payloads, slot, typeof(long));

    private LocalBuilder TagOf(int slot) => Local(_tags, slot, typeof(long));

    private LocalBuilder DoubleOf(int slot) => Local(_doubles, slot, typeof(double));

    private LocalBuilder Local(Dictionary<int, LocalBuilder> locals, int slot, Type type)
    {
        if (!locals.TryGetValue(slot, out LocalBuilder? local))
        {
            local = _il.NewLocal(type);
            locals.Add(slot, local);
        }

        return local;
    }

    /// <summary>
    /// The frame's record: from the native stack, where it is kept since the entry. Only calls and cold code need it, and in a register it would
    /// drive out the counter, which each loop needs.
    /// </summary>
    private void PushFrame()
    {
        _il.AddressOf(_frame);
        _il.Volatile(OpCodes.Ldind_I);
        AddOffset(_state.Activation.Depth * sizeof(Frame));
    }

    /// <summary>Where the frame's slots begin.</summary>
    private void PushSlots()
    {
        _il.Argument(SlotsArgument);
        AddOffset(Base * sizeof(Value));
    }

    /// <summary>The machine, of which the same is true.</summary>
    private void PushMachine()
    {
        _il.AddressOf(_machine);
        _il.Volatile(OpCodes.Ldind_Ref);
    }

    private void SlotAddress(int slot, int offset = 0)
    {
        _il.Argument(SlotsArgument);
        int bytes = (slot * sizeof(Value)) + offset;
        if (bytes != 0)
        {
            _il.Int(bytes);
            _il.Op(OpCodes.Add);
        }
    }

    /// <summary>The machine has written a slot: its variables take over what is there, of whatever kind.</summary>
    private void TakeOver(int slot)
    {
        LoadSlotTag(slot);
        _il.Store(TagOf(slot));
        LoadSlotPayload(slot);
        _il.Store(PayloadOf(slot));
    }

    private void LoadSlotTag(int slot)
    {
        SlotAddress(slot);
        _il.Op(OpCodes.Ldind_I8);
    }

    private void LoadSlotPayload(int slot)
    {
        SlotAddress(slot, Members.PayloadOffset);
        _il.Op(OpCodes.Ldind_I8);
    }

    private void StoreTag(int slot, Action tag)
    {
        SlotAddress(slot);
        tag();
        _il.Op(OpCodes.Stind_I8);
    }

    private void StorePayload(int slot, Action payload)
    {
        SlotAddress(slot, Members.PayloadOffset);
        payload();
        _il.Op(OpCodes.Stind_I8);
    }

    /// <summary>What is known of the value in a slot, wherever it is.</summary>
    private ref AbstractValue Resolve(int slot) =>
        ref Values[slot].Alias == Alias.Local ? ref Values[Values[slot].Of] : ref Values[slot];

    /// <summary>The slot whose variables hold the value; of a constant its own.</summary>
    private int Holder(int slot) => Values[slot].Alias == Alias.Local ? Values[slot].Of : slot;

    private Value ConstantAt(int slot) => _program.Constants[Values[slot].Of];

    private void PushTag(int slot)
    {
        ref AbstractValue value = ref Resolve(slot);
        if (value.Kind == AbstractValue.Any)
        {
            _il.Load(TagOf(Holder(slot)));
        }
        else
        {
            _il.Long(value.Kind);
        }
    }

    /// <summary>The 64 bits of a value.</summary>
    private void PushPayload(int slot)
    {
        ref AbstractValue value = ref Resolve(slot);
        Escape(_state, value.Virtual);
        if (Values[slot].Alias == Alias.Constant)
        {
            _il.Long(ConstantAt(slot).Payload);
        }
        else if (value.Kind == (int)Tag.Null)
        {
            _il.Long(0);
        }
        else if (value.IsFloat)
        {
            PushBits(DoubleOf(Holder(slot)));
        }
        else
        {
            _il.Load(PayloadOf(Holder(slot)));
        }
    }

    /// <summary>The bits of a Float; every NaN becomes the one that there is.</summary>
    private void PushBits(LocalBuilder value)
    {
        _il.Load(value);
        _il.Call(Members.Bits);
    }

    /// <summary>A number as a Float: integers rounded to the nearest.</summary>
    private void PushDouble(int slot)
    {
        ref AbstractValue value = ref Resolve(slot);
        if (Values[slot].Alias == Alias.Constant && value.IsFloat)
        {
            _il.Double(ConstantAt(slot).Float);
        }
        else if (value.IsFloat)
        {
            _il.Load(DoubleOf(Holder(slot)));
        }
        else
        {
            PushPayload(slot);
            _il.Op(OpCodes.Conv_R8);
        }
    }

    /// <summary>Takes the top of the operands off.</summary>
    private void Pop(int count = 1) => _state.Top -= count;

    /// <summary>A new operand; its value is on the IL stack if it has its own variables.</summary>
    private int Push(AbstractValue value)
    {
        int slot = _state.Top++;
        Values[slot] = value;
        return slot;
    }

    /// <summary>Stores what is on the IL stack as the payload or double of a slot of a known kind.</summary>
    private void StoreResult(int slot, AbstractValue value)
    {
        Unalias(slot);
        Values[slot] = value;
        _il.Store(value.IsFloat ? DoubleOf(slot) : PayloadOf(slot));
    }

    /// <summary>Before a variable or register changes: operands that stand for it get their own copy.</summary>
    private void Unalias(int slot)
    {
        if (slot >= Slots && slot < _extent)
        {
            return;
        }

        if (_found is { } found && (found.Map == slot || found.Key == (Alias.Local, slot)))
        {
            _found = null;
        }

        for (int s = Slots; s < _state.Top; s++)
        {
            if (Values[s].Alias == Alias.Local && Values[s].Of == slot)
            {
                Settle(s);
            }
        }
    }

    /// <summary>Gives an operand its own variables.</summary>
    private void Settle(int slot)
    {
        if (Values[slot].Alias != Alias.None)
        {
            Move(slot, slot);
        }
    }

    /// <summary>Copies a value into a slot's own variables.</summary>
    private void Move(int from, int to)
    {
        AbstractValue value = Resolve(from);
        if (value.IsFloat)
        {
            PushDouble(from);
            _il.Store(DoubleOf(to));
        }
        else if (value.Kind != (int)Tag.Null && value.Virtual == 0)
        {
            if (value.Kind == AbstractValue.Any)
            {
                PushTag(from);
                _il.Store(TagOf(to));
            }

            PushPayload(from);
            _il.Store(PayloadOf(to));
        }

        value.Alias = Alias.None;
        value.Clean = false;
        Values[to] = value;
    }

    /// <summary>A variable or register gets an operand's value.</summary>
    private void Assign(int to, int from)
    {
        if (Holder(from) == to && Values[from].Alias != Alias.Constant)
        {
            return;
        }

        // The operand may itself be what is assigned next to; nobody needs it once it is moved.
        Unalias(to);
        Move(from, to);
    }

    /// <summary>Writes one slot into the frame.</summary>
    private void Flush(int slot)
    {
        if (Values[slot].Clean && Values[slot].Alias == Alias.None)
        {
            return;
        }

        if (Values[slot].Kind == AbstractValue.Dead)
        {
            ClearSlots(0, slot, slot + 1);
            Values[slot].Clean = true;
            return;
        }

        StoreTag(slot, () => PushTag(slot));
        StorePayload(slot, () => PushPayload(slot));
        if (Values[slot].Alias == Alias.None)
        {
            Values[slot].Clean = true;
        }
    }

    /// <summary>Writes everything that memory has not yet. Aliases remain: their operands are in memory, too.</summary>
    private void FlushAll()
    {
        for (int s = 0; s < _state.Top; s++)
        {
            Flush(s);
        }
    }

    /// <summary>The machine has put a value into a slot of the frame, or into another for it: of any kind, unless it is known.</summary>
    private void Reload(int slot, int kind = AbstractValue.Any, int? from = null)
    {
        Unalias(slot);
        AbstractValue value = AbstractValue.OfKind(kind);
        value.Clean = (from ?? slot) == slot;
        Values[slot] = value;
        if (kind == AbstractValue.Any)
        {
            LoadSlotTag(from ?? slot);
            _il.Store(TagOf(slot));
        }

        if (kind != (int)Tag.Null)
        {
            LoadSlotPayload(from ?? slot);
            if (value.IsFloat)
            {
                _il.Call(Members.LongToDouble);
                _il.Store(DoubleOf(slot));
            }
            else
            {
                _il.Store(PayloadOf(slot));
            }
        }
    }

    /// <summary>A value from anywhere in memory, of which the address is on the IL stack, becomes an operand.</summary>
    private void PushFrom()
    {
        int slot = Push(AbstractValue.OfKind(AbstractValue.Any));
        _il.Op(OpCodes.Dup);
        _il.Op(OpCodes.Ldind_I8);
        _il.Store(TagOf(slot));
        _il.Int(Members.PayloadOffset);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Add);
        _il.Op(OpCodes.Ldind_I8);
        _il.Store(PayloadOf(slot));
    }

    /// <summary>From here on the value in this slot has this kind, as a guard has found.</summary>
    private void Refine(int slot, int kind)
    {
        ref AbstractValue value = ref Resolve(slot);
        AbstractValue refined = AbstractValue.OfKind(kind);
        refined.Clean = value.Clean;
        refined.Alias = value.Alias;
        refined.Of = value.Of;
        refined.Elements = value.Elements;
        refined.Inner = value.Inner;
        value = refined;
        if (kind == (int)Tag.Float)
        {
            int holder = Holder(slot);
            _il.Load(PayloadOf(holder));
            _il.Call(Members.LongToDouble);
            _il.Store(DoubleOf(holder));
        }
    }

    /// <summary>A place in the code; asker is the instruction that takes something for granted, if it is not the one there.</summary>
    private Site* NewSite(int i, ExitKind exit, int height, int? asker = null)
    {
        if (!_il.Enabled)
        {
            return null;
        }

        Site* site = (Site*)NativeMemory.AllocZeroed((nuint)sizeof(Site));
        _sites.Add((nint)site);
        site->Function = _owners[i].Function;
        site->At = At(i);
        site->Callers = CallersOf(_owners[i]);
        site->Height = height;
        site->Piece = _piece;
        site->Exit = exit;
        site->Asker = asker switch
        {
            null => site->At,
            NoInstruction => null,
            { } other => At(other),
        };
        site->HasHandlers = _hasHandlers;
        if (exit == ExitKind.None && !_assumeNothing && (Op)At(i)->Op is >= Op.CallLocal and <= Op.CallTop)
        {
            site->Seen = SeenAt(i);
        }

        return site;
    }

    /// <summary>
    /// Leaves for the interpreter before an instruction when the branch on the IL stack is taken. The frame is what it is
    /// now; gas of the segment from the instruction on is given back.
    /// </summary>
    private void Guard(
        OpCode branch,
        int i,
        ExitKind exit,
        FrameState? state = null,
        long? giveBack = null,
        Action? note = null,
        int? asker = null
    )
    {
        if (!_il.Enabled)
        {
            return;
        }

        int number = _guards++;
        Label exitLabel = _il.NewLabel();
        _il.Branch(branch, exitLabel);
        if (IsFailing(number))
        {
            _il.Branch(OpCodes.Br, exitLabel);
        }

        Exit(exitLabel, i, exit, state, giveBack, note, asker, guard: number + 1);
    }

    /// <summary>Is this the guard that a test wants to fail?</summary>
    private bool IsFailing(int guard) =>
        _jit.Options.FailGuard == guard && (_jit.Options.FailPiece ?? _piece) == _piece;

    /// <summary>What takes the frame for granted as it is at the entry.</summary>
    private const int NoInstruction = -1;

    /// <summary>The code of a side exit; asker is the instruction that takes something for granted, if compiled code is left at another.</summary>
    private void Exit(
        Label label,
        int i,
        ExitKind exit,
        FrameState? state = null,
        long? giveBack = null,
        Action? note = null,
        int? asker = null,
        int guard = 0
    )
    {
        if (!_il.Enabled)
        {
            return;
        }

        FrameState now = (state ?? _state).Copy();
        long back = _jit.Options.IsUnmetered ? 0 : giveBack ?? TakenFrom(i);
        _il.Cold(() =>
        {
            _il.Mark(label);
            FrameState kept = _state;
            _state = now;
            Site* site = NewSite(i, exit, now.Top - Slots, asker);
            site->Guard = guard;
            site->Back = back;
            site->Depth = now.Activation.Depth;
            site->Base = Base;
            _exit = site;

            // No call before the last store: what a call would have to keep, the register allocator spills where it was made.
            note?.Invoke();
            site->Objects = StoreParts();
            StoreSlots(site);
            _state = kept;
        });
    }

    /// <summary>The place of the exit whose code is being emitted.</summary>
    private Site* _exit;

    /// <summary>Is to be noted by whoever leaves: what of a value that the frame or, of a part, a variable of the method has.</summary>
    private void NoteOnLeaving(ExitNote what, ushort* seen, int holder)
    {
        _exit->Note = what;
        _exit->Noted = seen;
        if (holder < _extent)
        {
            _exit->NotedSlot = holder;
            return;
        }

        _exit->NotedSlot = -1;
        PushMachine();
        _il.Load(what == ExitNote.Kind ? TagOf(holder) : PayloadOf(holder));
        _il.StoreField(Members.NotedValue);
    }

    /// <summary>Notes the kind that a guard found instead.</summary>
    private Action NoteKind(int i, bool first, int slot)
    {
        int holder = Holder(slot);
        return () =>
        {
            Seen* seen = SeenAt(i);
            NoteOnLeaving(ExitNote.Kind, first ? &seen->First : &seen->Second, holder);
        };
    }

    /// <summary>Notes how a List stores its items instead; that an item did not fit it, as all ways.</summary>
    private Action NoteElements(int i, int list, bool fits)
    {
        int holder = Holder(list);
        return () =>
        {
            Seen* seen = SeenAt(i);
            if (fits)
            {
                NoteOnLeaving(ExitNote.Elements, &seen->Elements, holder);
            }
            else
            {
                _exit->Note = ExitNote.AllElements;
                _exit->Noted = &seen->Elements;
            }
        };
    }

    private Action NoteFlag(int i, bool overflow) =>
        () =>
        {
            Seen* seen = SeenAt(i);
            _exit->Note = ExitNote.Flag;
            _exit->Noted = overflow ? &seen->Overflow : &seen->Range;
        };

    /// <summary>A call of a static method of the machine's that takes the machine first.</summary>
    private void Call(string name, Action arguments)
    {
        PushMachine();
        arguments();
        _il.Call(Members.Of(name));
    }

    private readonly int[] _places;

    private void Count(ShortWay way) => Count(JitProgram.NumberOf(way));

    private void Count(Op op) => Count(JitProgram.NumberOf(op));

    private void Count(int counted)
    {
        if (_il.Enabled && _jit.Options.CountExecutions)
        {
            Increment(_jit.CounterOf(counted));
            _places[counted]++;
        }
    }

    private void Increment(long* counter)
    {
        _il.Address(counter);
        _il.Address(counter);
        _il.Op(OpCodes.Ldind_I8);
        _il.Long(1);
        _il.Op(OpCodes.Add);
        _il.Op(OpCodes.Stind_I8);
    }
}

/// <summary>What compiled code refers to.</summary>
internal static class Members
{
    // First: what stands below asks them.
    private static readonly ConcurrentDictionary<string, MethodInfo> Methods = new();
    private static readonly ConcurrentDictionary<string, FieldInfo> Fields = new();

    public static readonly int PayloadOffset = (int)Marshal.OffsetOf<Value>(nameof(Value.Payload));
    public static readonly int ElementKindOffset = (int)Marshal.OffsetOf<Cell>(nameof(Cell.Width));
    public static readonly int ListCountOffset = (int)Marshal.OffsetOf<ListCell>(nameof(ListCell.Count));
    public static readonly int ListCapacityOffset = (int)Marshal.OffsetOf<ListCell>(nameof(ListCell.Capacity));
    public static readonly int ListItemsOffset = (int)Marshal.OffsetOf<ListCell>(nameof(ListCell.Items));
    public static readonly int StringLengthOffset = (int)Marshal.OffsetOf<StringCell>(nameof(StringCell.Length));
    public static readonly int SiteEntryOffset = (int)Marshal.OffsetOf<Site>(nameof(Site.Entry));
    public static readonly int StringEntryOffset = (int)Marshal.OffsetOf<StringCell>(nameof(StringCell.Entry));
    public static readonly int TableCountOffset = (int)Marshal.OffsetOf<TableCell>(nameof(TableCell.Count));
    public static readonly int TableEntriesOffset = (int)Marshal.OffsetOf<TableCell>(nameof(TableCell.Entries));
    public static readonly int EntryItemOffset = (int)Marshal.OffsetOf<Entry>(nameof(Entry.Item));
    public static readonly int VariableValueOffset = (int)Marshal.OffsetOf<VariableCell>(nameof(VariableCell.Value));

    public const int FirstRegister = 4;

    public static readonly int ClassNextOffset = (int)Marshal.OffsetOf<SizeClass>(nameof(SizeClass.Next));
    public static readonly int ClassEndOffset = (int)Marshal.OffsetOf<SizeClass>(nameof(SizeClass.End));
    public static readonly int ClassHeaderOffset = (int)Marshal.OffsetOf<SizeClass>(nameof(SizeClass.Header));
    public static readonly FieldInfo HeapClasses =
        typeof(CellHeap).GetField("_classes", BindingFlags.Instance | BindingFlags.NonPublic)
        ?? throw new InvalidOperationException("the heap has no size classes");
    public static readonly int ClosureCapturesOffset = (int)
        Marshal.OffsetOf<FunctionCell>(nameof(FunctionCell.Captures));
    public static readonly int ClosureFunctionOffset = (int)
        Marshal.OffsetOf<FunctionCell>(nameof(FunctionCell.Function));

    public static readonly MethodInfo LongToDouble = typeof(BitConverter).GetMethod(
        nameof(BitConverter.Int64BitsToDouble)
    )!;
    public static readonly MethodInfo Bits = Of(nameof(Machine.BitsOf));
    public static readonly FieldInfo ExitCounter = Field("_exitCounter");
    public static readonly FieldInfo NotedValue = Field("_notedValue");

    public static MethodInfo Of(string name) => Methods.GetOrAdd(name, Find);

    public static FieldInfo Field(string name) => Fields.GetOrAdd(name, FindField);

    private static MethodInfo Find(string name) =>
        typeof(Machine).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)
        ?? throw new InvalidOperationException($"the machine has no method {name}");

    private static FieldInfo FindField(string name) =>
        typeof(Machine).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)
        ?? throw new InvalidOperationException($"the machine has no field {name}");
}
