using System.Reflection.Emit;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// Callees that are compiled into their callers. The callee's slots begin at its arguments, as in the interpreter, so that they are slots
/// of the same method, above those of the caller; its instructions are numbered behind the caller's. Whatever leaves compiled code, or
/// calls the machine, completes the records of the callers' frames first: <see cref="Machine.Publish"/>.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>Callers within the method that a callee may have.</summary>
    private const int DeepestInlining = 2;

    /// <summary>Of a callee.</summary>
    private const int LargestInlinedCount = 48;

    /// <summary>Of all callees of a method together.</summary>
    private const int LargestInlinedTotal = 400;

    /// <summary>
    /// What a method has on the native stack for the callees in it, by how deep they are: as much as calls of them would take, so that the
    /// distance of two frames on it still says how many calls are between them. The lowest address is that of the deepest callee.
    /// </summary>
    private static readonly Type[] Probes = [typeof(int), typeof(Probe1), typeof(Probe2), typeof(Probe3)];

    [StructLayout(LayoutKind.Sequential, Size = Machine.LeastNativeFrame)]
    private struct Probe1;

    [StructLayout(LayoutKind.Sequential, Size = 2 * Machine.LeastNativeFrame)]
    private struct Probe2;

    [StructLayout(LayoutKind.Sequential, Size = 3 * Machine.LeastNativeFrame)]
    private struct Probe3;

    private readonly List<Activation> _activations = [];

    /// <summary>By instruction: whose it is.</summary>
    private readonly List<Activation> _owners = [];

    /// <summary>By the call that is replaced.</summary>
    private readonly Dictionary<int, Activation> _inlined = [];
    private readonly bool _mayInline;

    /// <summary>The method's own function, or a callee that is compiled into it at one call.</summary>
    private sealed class Activation
    {
        public required FunctionCode* Function { get; init; }

        /// <summary>Null of the method's own function.</summary>
        public Activation? Caller { get; init; }

        /// <summary>The number of the call in the caller.</summary>
        public int Call { get; init; }

        /// <summary>The number of its first instruction.</summary>
        public int Offset { get; init; }

        /// <summary>The method's slot that is its first.</summary>
        public int Base { get; init; }
        public int Depth => Caller is null ? 0 : Caller.Depth + 1;

        /// <summary>The slot that its result goes to: behind the operands below its arguments, or the callee among them.</summary>
        public int Result { get; init; }

        /// <summary>What tells it from all others of the function.</summary>
        public required string Path { get; init; }

        /// <summary>Its parameters and locals that closures capture, in their order.</summary>
        public List<VirtualObject> Variables { get; } = [];

        /// <summary>The slot of its first operand.</summary>
        public int Operands => Base + Function->Slots;

        /// <summary>Is a slot one of its variables or registers, or one of its callers'?</summary>
        public bool HasVariable(int slot) => slot < Base ? Caller!.HasVariable(slot) : slot < Operands;

        /// <summary>The callers' frames, for places in it; null until there is one.</summary>
        public CallerFrame* Callers { get; set; }
    }

    private int Base => _state.Activation.Base;

    /// <summary>The deepest activation of the method.</summary>
    private int Depth => _activations.Max(it => it.Depth);

    private Activation Add(
        FunctionCode* function,
        Activation? caller = null,
        int call = 0,
        int slot = 0,
        int result = 0,
        string path = ""
    )
    {
        Activation activation = new()
        {
            Function = function,
            Caller = caller,
            Call = call,
            Offset = _owners.Count,
            Base = slot,
            Result = result,
            Path = path,
        };
        _activations.Add(activation);
        _owners.AddRange(Enumerable.Repeat(activation, function->CodeLength));
        return activation;
    }

    /// <summary>Short, without loops and handlers.</summary>
    private static bool IsInlinable(FunctionCode* function)
    {
        if (function->CodeLength > LargestInlinedCount || (Op)function->Code->Op == Op.End)
        {
            return false;
        }

        for (Instr* at = function->Code; at < function->Code + function->CodeLength; at++)
        {
            if ((Op)at->Op is Op.SetupTry or Op.PopTry || (InstructionEffects.TryTarget(at, out Instr* to) && to <= at))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Decides whether a call's callee is compiled into the method.</summary>
    private void ConsiderInlining(int i, Activation caller)
    {
        Instr* at = At(i);
        if (!_mayInline || caller.Depth == DeepestInlining)
        {
            return;
        }

        int number;
        switch ((Op)at->Op)
        {
            case Op.CallFunction:
                number = at->A;
                break;
            case Op.CallLocal:
            case Op.CallCell:
            case Op.CallGlobal:
            case Op.CallTop:
                // The one closure that has been called here.
                number = _mayVirtualize && _seen[i].Varies == 0 ? _seen[i].Callee - 1 : -1;
                break;
            default:
                return;
        }

        if (number < 0)
        {
            return;
        }

        FunctionCode* callee = _program.Functions + number;
        string key = KeyOf(caller, i);
        if (
            IsInlinable(callee)
            && _owners.Count + callee->CodeLength <= _function->CodeLength + LargestInlinedTotal
            && (
                callee->CapturedCount == 0
                || (_mayVirtualize && HasRoomFor(callee->CapturedCount, callee->CapturedCount))
            )
            && !_excluded.Contains(key)
        )
        {
            int arguments = caller.Operands + _heights[i] - at->B;
            int result = (Op)at->Op == Op.CallTop ? arguments - 1 : arguments;
            Activation activation = Add(callee, caller, i, arguments, result, key);
            for (int c = 0; c < callee->CapturedCount; c++)
            {
                activation.Variables.Add(NewVirtual(key, null, 1));
            }

            _ = FindHeights(activation);
            _inlined.Add(i, activation);
        }
    }

    /// <summary>CALL_FUNC_CONST: control goes on in the callee.</summary>
    private int EnterInlined(int i, Activation callee)
    {
        RequireRoom(i);
        Count(ShortWay.CallInlined);
        return Enter(i, callee, (capture, slot) => MoveCell(Base + _program.CaptureSlots[At(i)->C + capture], slot));
    }

    /// <summary>
    /// A call of what has been one closure so far: control goes on in its function. Of a virtual closure the function is known; else it is
    /// asked.
    /// </summary>
    /// <param name="i">The instruction.</param>
    /// <param name="callee">The function's activation.</param>
    /// <param name="slot">The variable or operand that has the closure; null when it is in memory.</param>
    /// <param name="address">Pushes its address there.</param>
    private int EnterClosure(int i, Activation callee, int? slot, Action? address)
    {
        RequireRoom(i);
        AbstractValue value = slot is { } at ? Resolve(at) : AbstractValue.OfKind(AbstractValue.Any);
        if (value.Virtual > 0 && _virtuals[value.Virtual].Function == callee.Function)
        {
            Count(ShortWay.CallVirtual);
            VirtualObject closure = _virtuals[value.Virtual];
            return Enter(i, callee, (capture, to) => Move(Part(closure, capture), to));
        }

        if (value.Virtual > 0 || value.Kind is not ((int)Tag.Function or AbstractValue.Any))
        {
            // Something else is called on this way: by the machine's rule.
            _ = _escaped.Add(callee.Path);
            return ByMachine(i);
        }

        LocalBuilder cell = _closure ??= _il.NewLocal(typeof(long));
        Action note = () =>
        {
            _il.Address(&SeenAt(i)->Varies);
            _il.Int(1);
            _il.Op(OpCodes.Stind_I2);
        };
        if (value.Kind == AbstractValue.Any)
        {
            if (slot is { } known)
            {
                PushTag(known);
            }
            else
            {
                LoadFrom(address!, 0);
            }

            _il.Long((long)Tag.Function);
            Guard(OpCodes.Bne_Un, i, ExitKind.Callee, note: note);
        }

        if (slot is { } held)
        {
            PushPayload(held);
        }
        else
        {
            LoadFrom(address!, Members.PayloadOffset);
        }

        _il.Store(cell);
        LoadCapture(Members.ClosureFunctionOffset, OpCodes.Ldind_I4);
        _il.Int(callee.Function->Number);
        Guard(OpCodes.Bne_Un, i, ExitKind.Callee, note: note);
        Count(ShortWay.CallClosureInlined);
        return Enter(
            i,
            callee,
            (capture, to) =>
            {
                LoadCapture(sizeof(FunctionCell) + (capture * sizeof(nint)), OpCodes.Ldind_I8);
                _il.Store(PayloadOf(to));
                Values[to] = AbstractValue.OfKind((int)Tag.Variable);
            }
        );

        void LoadCapture(int offset, OpCode load)
        {
            _il.Load(cell);
            _il.Op(OpCodes.Conv_I);
            AddOffset(offset);
            _il.Op(load);
        }
    }

    private int Enter(int i, Activation callee, Action<int, int> passCapture)
    {
        CloseSegment(i + 1);
        FunctionCode* function = callee.Function;
        int passed = Math.Min(At(i)->B, function->Parameters);
        EnterVariables(callee, passed);
        for (int s = passed; s < function->Slots; s++)
        {
            int slot = callee.Base + s;
            if (s >= function->FirstCapture && s < function->Variables)
            {
                passCapture(s - function->FirstCapture, slot);
            }
            else if (!new ReadOnlySpan<int>(function->Captured, function->CapturedCount).Contains(s))
            {
                Values[slot] = AbstractValue.OfKind((int)Tag.Null);
            }
        }

        if (callee.Result < callee.Base)
        {
            // Nothing reads the callee below its arguments any more.
            Values[callee.Result] = AbstractValue.OfKind((int)Tag.Null);
        }

        _state.Top = callee.Operands;
        _state.Activation = callee;
        Edge(_block, callee.Offset, _state);
        return -1;
    }

    /// <summary>Control goes on in the caller, with the result in place of the arguments.</summary>
    private void LeaveInlined(Block from)
    {
        Activation callee = _state.Activation;
        int result = callee.Result;
        int top = _state.Top - 1;
        if (_state.Top == callee.Operands)
        {
            Values[result] = AbstractValue.OfKind((int)Tag.Null);
        }
        else if (Holder(top) != result || Values[top].Alias == Alias.Constant)
        {
            Move(top, result);
        }

        _state.Top = result + 1;
        _state.Activation = callee.Caller!;
        Edge(from, callee.Call + 1, _state);
    }

    /// <summary>
    /// Before the first call on a way: is there native stack, depth of calls and room on the value stack for all that the method can call?
    /// Else the interpreter does the call. See <see cref="Machine.CallLimit"/>.
    /// </summary>
    private void RequireRoom(int i)
    {
        if (_state.HasRoom)
        {
            return;
        }

        if (_il.Enabled)
        {
            _il.AddressOf(_stackProbe ??= _il.NewLocal(Probes[Depth]));
            _il.Op(OpCodes.Conv_U);
            PushMachine();
            _il.Field(Members.Field("_callLimit"));
            Guard(OpCodes.Blt_Un, i, ExitKind.Room);
        }

        _state.HasRoom = true;
    }

    /// <summary>The frames of the callers, for places in a callee.</summary>
    private CallerFrame* CallersOf(Activation activation)
    {
        if (activation.Caller is null || activation.Callers != null)
        {
            return activation.Callers;
        }

        CallerFrame* frame = (CallerFrame*)NativeMemory.AllocZeroed((nuint)sizeof(CallerFrame));
        _records.Add((nint)frame);
        frame->Function = activation.Caller.Function;
        frame->Ip = At(activation.Call) + 1;
        frame->Distance = activation.Base - activation.Caller.Base;
        frame->ResultBelow = activation.Base - activation.Result;
        frame->Outer = CallersOf(activation.Caller);
        return activation.Callers = frame;
    }

    /// <summary>What places point to, in native memory.</summary>
    private readonly List<nint> _records = [];
}
