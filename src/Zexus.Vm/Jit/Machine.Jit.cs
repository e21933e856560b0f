using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>Between the interpreter and compiled code. The static methods are called by compiled code.</summary>
internal sealed unsafe partial class Machine
{
    // Null while nothing is compiled: no options for it, or a hook wants to see every step.
    private JitProgram? _jit;
    private int* _callHeat;
    private int* _loopHeat;

    // What has reached the threshold of threaded code, where that is the lower one.
    private bool[] _warmFunctions = [];
    private bool[] _warmLoops = [];

    /// <summary>The compiled frame that a nested loop of the interpreter returns to; null for the outermost.</summary>
    private Frame* _until;

    /// <summary>There is native stack down to here.</summary>
    private nuint _stackLimit;

    /// <summary>
    /// Compiled code that stands below this address on the native stack does not call compiled code by itself: there may be no native
    /// stack for more, no frame, or no room on the value stack. Of the compiled frames above the latest <see cref="RunCompiled"/>.
    /// </summary>
    private nuint _callLimit;

    // A fault on its way through compiled frames: raised already, and not yet caught.
    private Code _faultCode;
    private bool _unwinding;

    /// <summary>What is in the objects that <see cref="Make"/> makes, then these; written by compiled code that leaves.</summary>
    private Value* _virtualValues = (Value*)
        NativeMemory.AllocZeroed(FunctionCompiler.VirtualRoom, (nuint)sizeof(Value));

    /// <summary>How many of them a collection has to look at.</summary>
    private int _virtualRoots;

    /// <summary>The counter where compiled code is left at a place.</summary>
    private long _exitCounter = 0;

    /// <summary>A tag or payload that no slot of the frame has, for the exit that notes it.</summary>
    private long _notedValue = 0;

    private const int StackReserve = 32 * 1024;

    /// <summary>So many calls or jumps later it is asked again whether an execution has taken <see cref="VmOptions.InterpretedSteps"/>.</summary>
    private const int TurnsBetweenLooks = 1_000;

    /// <summary>
    /// The least that a compiled frame that calls takes on the native stack: the return address, machine, frame and slots, which it
    /// needs afterwards, and the variable whose address it compares with <see cref="_callLimit"/>.
    /// </summary>
    internal const int LeastNativeFrame = 48;

    private void BindHeat(ZexusProgram program, VmOptions options)
    {
        NativeMemory.Free(_callHeat);
        NativeMemory.Free(_loopHeat);
        _callHeat = Heat(program.FunctionCount, options.Jit?.CallThreshold, options.Threaded?.CallThreshold);
        _loopHeat = Heat(program.LoopCount, options.Jit?.LoopThreshold, options.Threaded?.LoopThreshold);
        _warmFunctions = new bool[program.FunctionCount];
        _warmLoops = new bool[program.LoopCount];

        static int* Heat(int count, int? compiled, int? threaded)
        {
            int* heat = (int*)NativeMemory.Alloc((nuint)count + 1, sizeof(int));
            new Span<int>(heat, count + 1).Fill(Math.Min(compiled ?? int.MaxValue, threaded ?? int.MaxValue));
            return heat;
        }
    }

    /// <summary>Runs what is current until a frame is current again that compiled code runs, or to the end.</summary>
    private Code Drive<THook>(Frame* until, Code code, ref THook hook)
        where THook : struct, IStepHook
    {
        Frame* outer = _until;
        _until = until;
        if (until != null && until[1].Function is not null)
        {
            until[1].Flags |= FrameFlags.ReturnsToCompiled;
        }

        while (true)
        {
            if (code == Code.Entered)
            {
                code = EnterCompiled();
            }
            else if (code == Code.Switched)
            {
                if (_frame == until)
                {
                    break;
                }

                code = Run(ref hook);
                break;
            }
            else if (code == Code.Finished || !Catch(code))
            {
                break;
            }
            else
            {
                code = Code.Switched;
            }
        }

        _until = outer;
        return code;
    }

    /// <summary>The current frame has just been entered: runs its compiled code, if there is or now will be any.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code EnterCompiled()
    {
        FunctionCode* function = _frame->Function;
        EntryPoint* entry = _jit is null ? null : _jit.EntryOf(function->Number);
        if (entry == null)
        {
            if (--_callHeat[function->Number] >= 0)
            {
                return Code.Switched;
            }

            int left = HeatLeft(
                function,
                ref _warmFunctions[function->Number],
                _options.Jit?.CallThreshold,
                _options.Threaded?.CallThreshold
            );
            if (_jit is null || left >= 0)
            {
                _callHeat[function->Number] = left;
                return Code.Switched;
            }

            entry = _jit.Request(function, 0, -1, _frame->Vars, function->Slots);
            if (entry == null)
            {
                _threaded?.Translate(function);
                _callHeat[function->Number] = Math.Max(_jit.Options.CallThreshold, 8);
                return Code.Switched;
            }
        }

        return RunCompiled(entry);
    }

    /// <summary>A backward jump has been taken often enough; the machine stands at its target.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code EnterLoop(int loop)
    {
        _loopHeat[loop] = 0;
        EntryPoint* entry = _jit is null ? null : _jit.LoopEntryOf(loop);
        if (entry == null)
        {
            FunctionCode* function = _frame->Function;
            int left = HeatLeft(
                function,
                ref _warmLoops[loop],
                _options.Jit?.LoopThreshold,
                _options.Threaded?.LoopThreshold
            );
            if (_jit is null || left >= 0)
            {
                _loopHeat[loop] = left;
                return Code.Switched;
            }

            entry = _jit.Request(function, (int)(_ip - function->Code), loop, _frame->Vars, (int)(_sp - _frame->Vars));
            if (entry == null)
            {
                _threaded?.Translate(function);
                _loopHeat[loop] = Math.Max(_jit.Options.LoopThreshold, 8);
                return Code.Switched;
            }
        }

        return RunCompiled(entry);
    }

    /// <summary>
    /// A function or loop has reached a threshold. Translates what is warm; the heat that is left until the next threshold, negative
    /// when it is hot enough to be compiled.
    /// </summary>
    private int HeatLeft(FunctionCode* function, ref bool warm, int? compiledAt, int? threadedAt)
    {
        if (_threaded is null && _jit is null)
        {
            // A hook is looking on.
            return Math.Max(Math.Min(compiledAt ?? int.MaxValue, threadedAt ?? int.MaxValue), 8);
        }

        if (_steps + (_counter & Fuel.StepMask) < _options!.InterpretedSteps)
        {
            return TurnsBetweenLooks;
        }

        if (_threaded is not null && !warm && (_jit is null || threadedAt < compiledAt))
        {
            warm = true;
            _threaded.Translate(function);
            return _jit is null ? int.MaxValue : compiledAt!.Value - threadedAt!.Value;
        }

        return _jit is null ? int.MaxValue : -1;
    }

    /// <summary>Runs compiled code on the current frame, whose record is complete.</summary>
    private Code RunCompiled(EntryPoint* entry)
    {
        Frame* frame = _frame;
        FrameFlags flags = frame->Flags;
        if ((flags & FrameFlags.OwnsSegment) != 0 || !HasNativeStack())
        {
            return Code.Switched;
        }

        // Compiled code may write the record anew, with what all frames have that compiled code calls.
        Value* result = frame->Result;
        nuint limit = _callLimit;
        _callLimit = CallLimit(frame);
        long status = Call(entry, frame);
        if (ExitStatus.PlaceOf(status) is var exit && exit != null)
        {
            status = TakeExit(exit, frame, frame->Vars);
        }

        _callLimit = limit;
        frame->Result = result;
        frame->Flags = flags;
        if (status >= 0)
        {
            _counter = status;
            _frame = frame;
            return ReturnFrom(frame, *frame->Vars);
        }

        if (status == ExitStatus.Interpret)
        {
            return Code.Switched;
        }

        _frame = frame - 1;
        _ip = _frame->Ip;
        return _faultCode;
    }

    /// <summary>Calls compiled code on a frame that is complete in memory; the result goes to its first slot.</summary>
    private long Call(EntryPoint* entry, Frame* frame)
    {
        Value* slots = frame->Vars;
        long* arguments = stackalloc long[Convention.MostRegisters];
        for (int r = 0; r < entry->Registers; r++)
        {
            Value* argument = slots + entry->Slots[r];
            if ((int)argument->Tag != entry->Kinds[r] || (entry->Failing & (1 << r)) != 0)
            {
                // As a guard that fails at the first instruction. What was seen there, the next request looks at.
                entry->Mismatch->Taken++;
                _jit!.Exited(entry->Mismatch);
                return ExitStatus.Interpret;
            }

            arguments[r] = argument->Payload;
        }

        nint code = entry->Code;
        return entry->Registers switch
        {
            0 => ((delegate* <Machine, Frame*, Value*, long, long>)code)(this, frame, slots, _counter),
            1 => ((delegate* <Machine, Frame*, Value*, long, long, long>)code)(
                this,
                frame,
                slots,
                _counter,
                arguments[0]
            ),
            2 => ((delegate* <Machine, Frame*, Value*, long, long, long, long>)code)(
                this,
                frame,
                slots,
                _counter,
                arguments[0],
                arguments[1]
            ),
            3 => ((delegate* <Machine, Frame*, Value*, long, long, long, long, long>)code)(
                this,
                frame,
                slots,
                _counter,
                arguments[0],
                arguments[1],
                arguments[2]
            ),
            _ => ((delegate* <Machine, Frame*, Value*, long, long, long, long, long, long>)code)(
                this,
                frame,
                slots,
                _counter,
                arguments[0],
                arguments[1],
                arguments[2],
                arguments[3]
            ),
        };
    }

    /// <summary>
    /// Where compiled frames must ask again, if this one is entered now. Each is at least <see cref="LeastNativeFrame"/> below the one that
    /// called it, takes one frame, and no more values than the program's largest.
    /// </summary>
    private nuint CallLimit(Frame* frame)
    {
        int here;
        long frames = Math.Min(_lastFrame - frame, ((_segmentEnd - frame->Vars) / _program.LargestFrame) - 1);
        return Math.Max(_stackLimit, (nuint)(&here) - (nuint)(Math.Max(frames, 0) * LeastNativeFrame));
    }

    /// <summary>
    /// Is there native stack for more compiled frames? If so, compiled calls may go on for a while without asking: .NET promises
    /// 64 KiB at least.
    /// </summary>
    private bool HasNativeStack()
    {
        int here;
        if ((nuint)(&here) >= _stackLimit)
        {
            return true;
        }

        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            return false;
        }

        _stackLimit = (nuint)(&here) - StackReserve;
        return true;
    }

    /// <summary>Completes the record of a frame that compiled code has entered, and makes it the current one.</summary>
    private void Publish(Site* site, Frame* frame, Value* slots, long counter)
    {
        frame->Function = site->Function;
        frame->Vars = slots;
        frame->Result = slots;
        frame->Flags = FrameFlags.None;
        if (!site->HasHandlers)
        {
            frame->Handlers = _handlerCount;
        }

        _frame = frame;
        _ip = site->At + 1;
        _sp = slots + site->Function->Slots + site->Height;
        _counter = counter;
        for (CallerFrame* caller = site->Callers; caller != null; caller = caller->Outer)
        {
            // The interpreter comes back to the caller as to one that it has called from itself.
            frame->Return = null;
            frame->Result = slots - caller->ResultBelow;
            frame--;
            slots -= caller->Distance;
            frame->Function = caller->Function;
            frame->Ip = caller->Ip;
            frame->Vars = slots;
            frame->Result = slots;
            frame->Flags = FrameFlags.None;
            frame->Handlers = _handlerCount;
        }
    }

    /// <summary>How an instruction went that the machine has done for compiled code: the counter, or an <see cref="ExitStatus"/>.</summary>
    private long Settle(Code code, Site* site, Frame* frame)
    {
        NoHook hook = default;
        if (code == Code.CallsContract)
        {
            code = RunContract(ref hook);
        }

        if (code is Code.Entered or Code.Switched)
        {
            code = Drive(frame, code, ref hook);
        }

        return code is Code.Done or Code.Switched ? _counter : Unwind(code, site, frame);
    }

    /// <summary>A fault in a frame that compiled code runs: its own handler takes it, or the frame is gone.</summary>
    private long Unwind(Code code, Site* site, Frame* frame)
    {
        _frame = frame;
        _ip = site->At + 1;
        if (!_unwinding)
        {
            Raise(code);
        }

        if (_handlerCount > 0 && Faults.IsCatchable(code) && _handlers[_handlerCount - 1].Frame == frame)
        {
            _unwinding = false;
            GoToHandler();
            return ExitStatus.Interpret;
        }

        _unwinding = true;
        _faultCode = code;
        return ExitStatus.Unwound;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long RunInstruction(Machine machine, Site* site, Frame* frame, Value* slots, long counter)
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        return machine.Settle(machine.Rare(site->At, machine._sp, slots), site, frame);
    }

    /// <summary>Appends a String to another in place, without taking the gas; null when that cannot simply be done.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint AppendText(Machine machine, long left, long right, long counter) =>
        (nint)machine.TryAppend((StringCell*)left, (StringCell*)right, counter);

    /// <summary>A sum of which a side is known to be a String.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long AddTextAt(
        Machine machine,
        Site* site,
        Frame* frame,
        Value* slots,
        long counter,
        Value* a,
        Value* b,
        Value* to
    )
    {
        if (a->Tag == b->Tag)
        {
            StringCell* joined = machine.TryAppend(a->String, b->String, counter);
            if (joined is not null)
            {
                site->Taken++;
                *to = Value.Of(joined);
                return counter - JoiningGas(joined->Length);
            }
        }

        return BinaryAt(machine, site, frame, slots, counter, (int)Op.Add, a, b, to);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long BinaryAt(
        Machine machine,
        Site* site,
        Frame* frame,
        Value* slots,
        long counter,
        int op,
        Value* a,
        Value* b,
        Value* to
    )
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        return machine.Settle(machine.Binary((Op)op, a, b, to), site, frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long UnaryAt(
        Machine machine,
        Site* site,
        Frame* frame,
        Value* slots,
        long counter,
        int op,
        Value* a,
        Value* to
    )
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        return machine.Settle(machine.Unary((Op)op, a, to), site, frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long CallValueAt(
        Machine machine,
        Site* site,
        Frame* frame,
        Value* slots,
        long counter,
        Value* callee
    )
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        NoteCallee(site, callee);
        Instr* at = site->At;
        Code code = machine.CallValue(callee, machine._sp - at->B, at->B, at->C);
        return machine.Called(machine.Settle(code, site, frame), site);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long CallTopAt(Machine machine, Site* site, Frame* frame, Value* slots, long counter)
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        NoteCallee(site, machine._sp - site->At->B - 1);
        return machine.Called(machine.Settle(machine.Rare(site->At, machine._sp, slots), site, frame), site);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long CallFunctionAt(Machine machine, Site* site, Frame* frame, Value* slots, long counter)
    {
        machine.Publish(site, frame, slots, counter);
        site->Taken++;
        if (site->Seen != null)
        {
            site->Seen->Callee = site->At->A + 1;
        }

        return machine.Called(machine.Settle(machine.CallFunction(site->At), site, frame), site);
    }

    private static void NoteCallee(Site* site, Value* callee)
    {
        if (site->Seen == null || callee->Tag != Tag.Function)
        {
            return;
        }

        int number = callee->Function->Function + 1;
        int seen = Volatile.Read(ref site->Seen->Callee);
        site->Seen->Callee = seen == 0 || seen == number ? number : -1;
    }

    /// <summary>
    /// A call that the machine has made for compiled code is over. When compiled code could make it by itself by now, the interpreter goes on
    /// behind it, and the piece is compiled anew.
    /// </summary>
    private long Called(long status, Site* site)
    {
        // Once: machines on other threads note what they see at the same site.
        int callee = site->Seen == null ? 0 : Volatile.Read(ref site->Seen->Callee);
        return status >= 0 && callee > 0 && _jit!.Respecializes(site, callee - 1) ? ExitStatus.Interpret : status;
    }

    /// <summary>A compiled function was called and has not returned by itself.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static long AfterCall(Machine machine, Site* site, Frame* frame, Value* slots, long status)
    {
        if (ExitStatus.PlaceOf(status) is var exit && exit != null)
        {
            Value* arguments = slots + site->Function->Slots + site->Height - site->At->B;
            status = machine.TakeExit(exit, frame + 1, arguments);
        }

        if (status == ExitStatus.Interpret)
        {
            // The called frame is current. This one's record is needed below it.
            frame->Function = site->Function;
            frame->Vars = slots;
            NoHook hook = default;
            Code code = machine.Drive(frame, Code.Switched, ref hook);
            return code == Code.Switched ? machine._counter : machine.Unwind(code, site, frame, slots);
        }

        return machine.Unwind(machine._faultCode, site, frame, slots);
    }

    private long Unwind(Code code, Site* site, Frame* frame, Value* slots)
    {
        Publish(site, frame, slots, _counter);
        return Unwind(code, site, frame);
    }

    /// <summary>Compiled code has returned a place at a side exit: the interpreter goes on at its instruction.</summary>
    /// <param name="site">The place.</param>
    /// <param name="frame">The frame that was compiled.</param>
    /// <param name="slots">Its first slot.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long TakeExit(Site* site, Frame* frame, Value* slots)
    {
        for (SlotFill* fill = site->Fills; fill < site->Fills + site->FillCount; fill++)
        {
            Value* slot = slots + fill->Slot;
            slot->Tag = fill->Tag;
            if (fill->IsConstant)
            {
                slot->Payload = fill->Payload;
            }
            else if (fill->Tag == Tag.Float)
            {
                slot->Payload = BitsOf(slot->Float);
            }
        }

        if (site->Note != ExitNote.None)
        {
            NoteExit(site, slots);
        }

        slots += site->Base;
        Publish(site, frame + site->Depth, slots, _exitCounter + site->Back);
        site->Taken++;
        if (site->Objects != null)
        {
            Make(site->Objects, slots);
        }

        _ip = site->At;
        if (site->Exit == ExitKind.Gas)
        {
            // The rest of the slice would be interpreted: so the next one has it.
            _ = Refill(0);
        }

        if (site->Exit is not (ExitKind.Gas or ExitKind.Room))
        {
            _jit!.Exited(site);
        }

        return ExitStatus.Interpret;
    }

    private void NoteExit(Site* site, Value* slots)
    {
        long value = _notedValue;
        switch (site->Note)
        {
            case ExitNote.Flag:
                *site->Noted = 1;
                break;
            case ExitNote.Kind:
                long kind = site->NotedSlot < 0 ? value : (long)slots[site->NotedSlot].Tag;
                *site->Noted |= (ushort)(1 << (int)kind);
                break;
            case ExitNote.Elements:
                long list = site->NotedSlot < 0 ? value : slots[site->NotedSlot].Payload;
                *site->Noted |= (ushort)(1 << (int)new Value(Tag.List, list).List->Kind);
                break;
            case ExitNote.AllElements:
                *site->Noted = ushort.MaxValue;
                break;
            case ExitNote.None:
            default:
                throw new InvalidOperationException("the exit notes nothing");
        }
    }

    /// <summary>
    /// Makes the closures and variables that compiled code has done without, as the interpreter would have them by now. Each allocation may
    /// collect: the values in them, and those that are made already, are roots meanwhile.
    /// </summary>
    private void Make(VirtualState* state, Value* slots)
    {
        Value* parts = _virtualValues;
        Value* made = parts + state->PartCount;
        for (int i = 0; i < state->PartCount; i++)
        {
            if (state->Parts[i] >= 0)
            {
                parts[i] = default;
            }
        }

        new Span<Value>(made, state->ShapeCount).Clear();
        for (int i = 0; i < state->SlotCount; i++)
        {
            slots[state->Slots[i].Slot] = default;
        }

        _virtualRoots = state->PartCount + state->ShapeCount;
        try
        {
            for (int i = 0; i < state->ShapeCount; i++)
            {
                VirtualShape shape = state->Shapes[i];
                if (shape.Function < 0)
                {
                    made[i] = Value.Of(_heap.NewVariable(default));
                    continue;
                }

                FunctionCell* closure = _heap.NewFunction(shape.Function, shape.Count);
                for (int c = 0; c < shape.Count; c++)
                {
                    FunctionCell.Captured(closure)[c] = PartOf(shape.First + c).Variable;
                }

                made[i] = Value.Of(closure);
            }
        }
        finally
        {
            _virtualRoots = 0;
        }

        for (int i = 0; i < state->ShapeCount; i++)
        {
            if (state->Shapes[i].Function < 0)
            {
                made[i].Variable->Value = PartOf(state->Shapes[i].First);
            }
        }

        for (int i = 0; i < state->SlotCount; i++)
        {
            slots[state->Slots[i].Slot] = made[state->Slots[i].Object];
        }

        Value PartOf(int part) => state->Parts[part] < 0 ? parts[part] : made[state->Parts[part]];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void EnterWithHandlers(Machine machine, FunctionCode* function, Frame* frame, Value* slots)
    {
        frame->Function = function;
        frame->Vars = slots;
        frame->Handlers = machine._handlerCount;
    }

    internal static void DropHandlers(Machine machine, Frame* frame) => machine._handlerCount = frame->Handlers;

    /// <summary>The address of the entry under a String; null when there is none.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint FindEntryOfString(long map, long key)
    {
        Value text = new(Tag.String, key);
        return EntryUnder(map, &text);
    }

    /// <summary>
    /// The address of the entry under a constant String; null when there is none. Constants are shared by threads and never written, so that
    /// the place in the code notes the entry's number, where the entry has this very String. A number that another thread overwrites is
    /// only looked at in vain.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint FindEntryOfConstant(long map, long key, int* number)
    {
        Value text = new(Tag.String, key);
        Entry* entry = (Entry*)EntryUnder(map, &text);
        if (entry != null && entry->Key.Payload == key)
        {
            *number = (int)(entry - ((TableCell*)map)->Entries);
        }

        return (nint)entry;
    }

    /// <summary>The address of the entry under an Int; null when there is none.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint FindEntryOfInt(long map, long key)
    {
        Value number = Value.Of(key);
        return EntryUnder(map, &number);
    }

    /// <summary>The address of the item under a String whose length costs nothing; null when there is none, or the key is longer.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static nint FindItem(long map, long key)
    {
        Value text = new(Tag.String, key);
        if (text.String->Length >= Zexus.Isa.Gas.ScalarsPerUnit)
        {
            return 0;
        }

        nint entry = EntryUnder(map, &text);
        return entry == 0 ? 0 : (nint)(&((Entry*)entry)->Item);
    }

    private static nint EntryUnder(long map, Value* key)
    {
        TableCell* table = (TableCell*)map;
        int at = CellHeap.Find(table, key);
        return at < 0 ? 0 : (nint)table->At(at);
    }

    internal static long BitsOf(double value) =>
        double.IsNaN(value) ? Floats.NaNBits : BitConverter.DoubleToInt64Bits(value);

    internal static bool Truth(long tag, long payload)
    {
        Value value = new((Tag)tag, payload);
        return IsTrue(&value);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool ProductFits(long a, long b)
    {
        long high = Math.BigMul(a, b, out long low);
        return high == low >> 63;
    }
}
