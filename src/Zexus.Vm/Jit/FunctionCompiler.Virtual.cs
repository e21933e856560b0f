using System.Reflection.Emit;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// Closures and captured variables that are not allocated: virtual objects, as in Stadler, Würthinger and Mössenböck, Partial Escape
/// Analysis and Scalar Replacement for Java (CGO 2014). What such an object has in it are slots behind those of the frames, the parts, and
/// so variables of the method. A side exit makes all objects that the frame can still reach. An object that anything else would have to
/// make escapes: then the code is followed once more without it, as its site would have it otherwise.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>Virtual objects of a method, and their parts.</summary>
    private const int MostVirtualObjects = 32;
    private const int MostParts = 64;

    /// <summary>Values that making all objects of an exit takes room for.</summary>
    internal const int VirtualRoom = MostVirtualObjects + MostParts;

    /// <summary>So often a method is followed with fewer virtual objects; then it has none.</summary>
    private const int MostRounds = 6;

    // Null has no object: the number of a value that is not virtual is 0.
    private readonly List<VirtualObject> _virtuals =
    [
        new VirtualObject
        {
            Key = "",
            First = 0,
            Count = 0,
        },
    ];

    /// <summary>By STORE_FUNC: the closure.</summary>
    private readonly Dictionary<int, VirtualObject> _closures = [];

    /// <summary>Calls and STORE_FUNCs that are to do without virtual objects.</summary>
    private readonly IReadOnlySet<string> _excluded;
    private readonly HashSet<string> _escaped = [];
    private readonly bool _mayVirtualize;
    private readonly int _extent;
    private int _parts;

    /// <summary>One that is not allocated. At most one of each site is there at a time.</summary>
    private sealed class VirtualObject
    {
        /// <summary>Of a closure; null of a captured variable.</summary>
        public FunctionCode* Function { get; init; }

        /// <summary>The site, to be told without it.</summary>
        public required string Key { get; init; }

        /// <summary>Its place among the method's.</summary>
        public int Number { get; init; }

        /// <summary>The first of its parts: captures, or the variable's value.</summary>
        public required int First { get; init; }
        public required int Count { get; init; }
    }

    /// <summary>Names a call or STORE_FUNC by its way from the method's own function.</summary>
    private static string KeyOf(Activation activation, int i) => $"{activation.Path}/{i - activation.Offset}";

    private VirtualObject NewVirtual(string key, FunctionCode* function, int count)
    {
        VirtualObject made = new()
        {
            Key = key,
            Function = function,
            Number = _virtuals.Count,
            First = _parts,
            Count = count,
        };
        _parts += count;
        _virtuals.Add(made);
        return made;
    }

    private bool HasRoomFor(int objects, int parts) =>
        _virtuals.Count + objects <= MostVirtualObjects && _parts + parts <= MostParts;

    /// <summary>Decides whether the closure of a STORE_FUNC is virtual. One that a global gets is not.</summary>
    private void ConsiderVirtual(int i, Activation activation)
    {
        Instr* at = At(i);
        PlaceKind place = (PlaceKind)(at->A & 3);
        if (
            (Op)at->Op != Op.StoreFunction
            || !_mayVirtualize
            || place == PlaceKind.Global
            || (place == PlaceKind.Cell && activation.Caller is null)
        )
        {
            return;
        }

        FunctionCode* function = _program.Functions + at->B;
        int captures = CapturesOf(function);
        string key = KeyOf(activation, i);
        if (!_excluded.Contains(key) && HasRoomFor(1, captures))
        {
            _closures.Add(i, NewVirtual(key, function, captures));
        }
    }

    private static int CapturesOf(FunctionCode* function) => function->Variables - function->FirstCapture;

    private int Part(VirtualObject of, int k) => _extent + of.First + k;

    /// <summary>Slots of the frames and parts, together.</summary>
    private int Width => _extent + _parts;

    /// <summary>The part that has the value of a virtual variable, by the slot that the variable is in; -1 when that has a cell.</summary>
    private int PartIn(int slot) =>
        slot < _function->Slots || Values[slot].Virtual == 0 ? -1 : Part(_virtuals[Values[slot].Virtual], 0);

    /// <summary>The slots of callees that an instruction reads a variable's cell from.</summary>
    private IEnumerable<int> CellReads(int i)
    {
        Activation activation = _owners[i];
        if (activation.Caller is null)
        {
            // They are in memory for as long as the frame is.
            return [];
        }

        List<int> slots = [];
        const int Size = 16;
        Instr* at = At(i);
        switch ((Op)at->Op)
        {
            case Op.LoadCell:
            case Op.StoreCell:
            case Op.CallCell:
                Add(at->A / Size);
                break;
            case Op.StoreConst:
            case Op.StoreFunction:
                AddPlace(at->A);
                break;
            case Op.LoadVarReg:
            case Op.StoreReg:
                AddPlace(at->B);
                break;
            default:
                break;
        }

        if ((Op)at->Op is Op.StoreFunction or Op.CallFunction)
        {
            FunctionCode* function = _program.Functions + ((Op)at->Op == Op.StoreFunction ? at->B : at->A);
            for (int c = 0; c < CapturesOf(function); c++)
            {
                Add(_program.CaptureSlots[at->C + c]);
            }
        }

        return slots;

        void AddPlace(int place)
        {
            if ((PlaceKind)(place & 3) == PlaceKind.Cell)
            {
                Add(place >> 2);
            }
        }

        void Add(int slot) => slots.Add(activation.Base + slot);
    }

    /// <summary>Which objects a frame reaches, by number.</summary>
    private bool[] ReachableFrom(FrameState state, int except = -1)
    {
        bool[] reached = new bool[_virtuals.Count];
        for (int s = 0; s < state.Top; s++)
        {
            if (s != except)
            {
                ref AbstractValue value = ref state.Values[s];
                Reach(value.Alias == Alias.Local ? state.Values[value.Of].Virtual : value.Virtual);
            }
        }

        return reached;

        void Reach(int number)
        {
            if (number == 0 || reached[number])
            {
                return;
            }

            reached[number] = true;
            VirtualObject found = _virtuals[number];
            for (int k = 0; k < found.Count; k++)
            {
                if (Part(found, k) != except)
                {
                    Reach(state.Values[Part(found, k)].Virtual);
                }
            }
        }
    }

    /// <summary>An object would have to be made here. From now on it is taken for one that is allocated, and what is emitted is thrown away.</summary>
    private void Escape(FrameState state, int number)
    {
        if (number == 0)
        {
            return;
        }

        VirtualObject escaping = _virtuals[number];
        _ = _escaped.Add(escaping.Key);
        for (int s = 0; s < state.Values.Length; s++)
        {
            if (state.Values[s].Virtual == number)
            {
                state.Values[s].Virtual = 0;
            }
        }

        for (int k = 0; k < escaping.Count; k++)
        {
            Escape(state, state.Values[Part(escaping, k)].Virtual);
        }
    }

    /// <summary>The machine may look at the frame, or collect.</summary>
    private void EscapeAll()
    {
        if (_virtuals.Count == 1)
        {
            return;
        }

        for (int s = 0; s < _state.Top; s++)
        {
            Escape(_state, Resolve(s).Virtual);
        }
    }

    /// <summary>What is in no object that the frame reaches is forgotten.</summary>
    private void ForgetParts(FrameState state)
    {
        if (_virtuals.Count == 1)
        {
            return;
        }

        bool[] reached = ReachableFrom(state);
        foreach (VirtualObject each in _virtuals)
        {
            for (int k = 0; k < each.Count && !reached[each.Number]; k++)
            {
                state.Values[Part(each, k)] = new AbstractValue { Kind = AbstractValue.Dead, Clean = true };
            }
        }
    }

    /// <summary>Where two ways meet, both bring the same object, or it has to be made.</summary>
    private void MeetVirtuals(FrameState known, FrameState arriving)
    {
        if (_virtuals.Count == 1)
        {
            return;
        }

        for (int s = 0; s < Width; s++)
        {
            ref AbstractValue a = ref known.Values[s];
            ref AbstractValue b = ref arriving.Values[s];
            if (
                IsInFrame(s, arriving)
                && a.Virtual != b.Virtual
                && a.Kind != AbstractValue.Dead
                && b.Kind != AbstractValue.Dead
            )
            {
                Escape(known, a.Virtual);
                Escape(arriving, b.Virtual);
            }
        }
    }

    /// <summary>A variable's cell, or the virtual object in its place, goes from a frame's slot to another slot.</summary>
    private void MoveCell(int from, int to)
    {
        if (from >= _function->Slots)
        {
            Move(from, to);
            return;
        }

        LoadSlotPayload(from);
        _il.Store(PayloadOf(to));
        Values[to] = AbstractValue.OfKind((int)Tag.Variable);
    }

    /// <summary>STORE_FUNC of a closure that is not allocated; false when it has to be.</summary>
    private bool StoreVirtual(int i, VirtualObject closure)
    {
        Instr* at = At(i);
        int slot = SlotOf(at->A);
        int to = (PlaceKind)(at->A & 3) == PlaceKind.Local ? slot : PartIn(slot);
        if (to >= 0)
        {
            Unalias(to);
        }

        if (to < 0 || ReachableFrom(_state, except: to)[closure.Number])
        {
            _ = _escaped.Add(closure.Key);
            return false;
        }

        Count(ShortWay.VirtualClosure);
        for (int c = 0; c < closure.Count; c++)
        {
            MoveCell(Base + _program.CaptureSlots[at->C + c], Part(closure, c));
        }

        Values[to] = AbstractValue.OfKind((int)Tag.Function);
        Values[to].Virtual = closure.Number;
        return true;
    }

    /// <summary>The captured variables of a callee that has just been entered: their values become parts.</summary>
    private void EnterVariables(Activation callee, int passed)
    {
        for (int c = 0; c < callee.Variables.Count; c++)
        {
            int number = callee.Function->Captured[c];
            int slot = callee.Base + number;
            VirtualObject variable = callee.Variables[c];
            int part = Part(variable, 0);
            if (ReachableFrom(_state)[variable.Number])
            {
                // That of an earlier call is still there.
                _ = _escaped.Add(variable.Key);
            }

            Count(ShortWay.VirtualVariable);
            Unalias(part);
            if (number < passed)
            {
                Move(slot, part);
            }
            else
            {
                Values[part] = AbstractValue.OfKind((int)Tag.Null);
            }

            Values[slot] = AbstractValue.OfKind((int)Tag.Variable);
            Values[slot].Virtual = variable.Number;
        }
    }

    /// <summary>
    /// On the way out: gives what is in the objects that the frame reaches to the machine, and tells how to make them; null when there are none.
    /// </summary>
    private VirtualState* StoreParts()
    {
        if (_virtuals.Count == 1)
        {
            return null;
        }

        bool[] reached = ReachableFrom(_state);

        // Variables first: closures take their cells.
        List<VirtualObject> objects =
        [
            .. _virtuals.Where(each => reached[each.Number]).OrderBy(each => each.Function != null),
        ];
        if (objects.Count == 0)
        {
            return null;
        }

        List<(int Slot, int Object)> slots = [];
        for (int s = 0; s < _state.Top; s++)
        {
            if (Resolve(s).Virtual is > 0 and int number)
            {
                slots.Add((s - Base, IndexOf(number)));
            }
        }

        VirtualState* state = VirtualState.Allocate(objects.Count, objects.Sum(each => each.Count), slots.Count);
        _records.Add((nint)state);
        int part = 0;
        for (int n = 0; n < objects.Count; n++)
        {
            VirtualObject each = objects[n];
            state->Shapes[n] = new VirtualShape
            {
                Function = each.Function == null ? -1 : each.Function->Number,
                First = part,
                Count = each.Count,
            };
            for (int k = 0; k < each.Count; k++, part++)
            {
                int slot = Part(each, k);
                int to = part;
                if (Values[slot].Virtual is > 0 and int number)
                {
                    state->Parts[part] = IndexOf(number);
                    continue;
                }

                state->Parts[part] = -1;
                PartAddress(to, 0);
                PushTag(slot);
                _il.Op(OpCodes.Stind_I8);
                PartAddress(to, Members.PayloadOffset);
                PushPayload(slot);
                _il.Op(OpCodes.Stind_I8);
            }
        }

        for (int n = 0; n < slots.Count; n++)
        {
            state->Slots[n] = new VirtualSlot { Slot = slots[n].Slot, Object = slots[n].Object };
        }

        return state;

        int IndexOf(int number) => objects.FindIndex(each => each.Number == number);

        void PartAddress(int number, int offset)
        {
            PushMachine();
            _il.Field(Members.Field("_virtualValues"));
            AddOffset((number * sizeof(Value)) + offset);
        }
    }
}

/// <summary>A closure or variable that compiled code has not allocated and an exit does.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VirtualShape
{
    /// <summary>The closure's function; -1 of a variable.</summary>
    public int Function;

    /// <summary>The first of its parts: captures, or the variable's value.</summary>
    public int First;
    public int Count;
}

/// <summary>A slot of a frame, counted from the first of the current one's, that gets an object.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VirtualSlot
{
    public int Slot;
    public int Object;
}

/// <summary>Of an exit: the objects to make there. Lives in native memory, in one piece with what it points to.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct VirtualState
{
    public int ShapeCount;
    public int PartCount;
    public int SlotCount;

    /// <summary>Variables first.</summary>
    public VirtualShape* Shapes;

    /// <summary>By part: the object that it is; -1 when its value is with the machine.</summary>
    public int* Parts;
    public VirtualSlot* Slots;

    /// <summary>Closures among the objects.</summary>
    public readonly int Closures
    {
        get
        {
            int closures = 0;
            for (int i = 0; i < ShapeCount; i++)
            {
                closures += Shapes[i].Function < 0 ? 0 : 1;
            }

            return closures;
        }
    }

    public static VirtualState* Allocate(int shapes, int parts, int slots)
    {
        long bytes =
            sizeof(VirtualState)
            + ((long)shapes * sizeof(VirtualShape))
            + ((long)slots * sizeof(VirtualSlot))
            + ((long)parts * sizeof(int));
        VirtualState* state = (VirtualState*)NativeMemory.AllocZeroed((nuint)bytes);
        state->ShapeCount = shapes;
        state->PartCount = parts;
        state->SlotCount = slots;
        state->Shapes = (VirtualShape*)(state + 1);
        state->Slots = (VirtualSlot*)(state->Shapes + shapes);
        state->Parts = (int*)(state->Slots + slots);
        return state;
    }
}
