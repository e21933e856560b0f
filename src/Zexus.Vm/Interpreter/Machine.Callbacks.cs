namespace Zexus.Vm;

/// <summary>
/// Routines that call back are frames: the machine never runs inside itself. A callback frame takes the result of each
/// call when the called frame returns, and starts the next.
/// </summary>
internal sealed unsafe partial class Machine
{
    private ref Callback Current => ref _callbacks[_frame->Callback];

    /// <summary>Pushes a callback frame on the code frame; its result goes to a cell of that frame's operands.</summary>
    private Code PushCallback(in Callback callback, Value* result)
    {
        if (_frame == _lastFrame)
        {
            return Code.CallTooDeep;
        }

        if (_callbackCount == _callbacks.Length)
        {
            Array.Resize(ref _callbacks, _callbackCount * 2);
        }

        _callbacks[_callbackCount] = callback;
        _frame->Ip = _ip;
        Frame* frame = _frame + 1;
        frame->Function = null;
        frame->Vars = _sp;
        frame->Result = result;
        frame->Handlers = _handlerCount;
        frame->Flags = FrameFlags.None;
        frame->Callback = _callbackCount++;
        _frame = frame;
        return Code.Done;
    }

    /// <summary>Takes the callback frame off and goes on behind its caller's instruction.</summary>
    private Code PopCallback(Value result)
    {
        Frame* frame = _frame;
        DropCallback();
        *frame->Result = result;
        _sp = frame->Result + 1;
        _ip = _frame->Ip;
        return Code.Switched;
    }

    private void DropCallback()
    {
        ref Callback callback = ref _callbacks[--_callbackCount];
        callback.Emitted?.End(callback.Handlers!, callback.ReadBefore);
        callback = default;
        _frame--;
    }

    /// <summary>One call of a callback: charge, then its frame.</summary>
    private Code CallBack(FunctionCell* function, int count)
    {
        if (!Charge(Zexus.Isa.Gas.CallbackBase + ((long)Zexus.Isa.Gas.CallbackPerArgument * count)))
        {
            return Code.OutOfGas;
        }

        Value* arguments = _frame->Vars;
        return Enter(function, arguments, count, arguments);
    }

    /// <summary>A called frame has returned to the callback frame.</summary>
    private Code Resume(Value value)
    {
        ref Callback callback = ref Current;
        switch (callback.Kind)
        {
            case CallbackKind.Map:
                callback.Next++;
                _heap.Append(callback.Target.List, value);
                return MapNext();

            case CallbackKind.Filter:
                if (IsTrue(&value))
                {
                    _heap.Append(callback.Target.List, callback.Source.List->Get(callback.Next));
                }

                callback.Next++;
                return MapNext();

            case CallbackKind.Reduce:
                callback.Target = value;
                callback.Next++;
                return ReduceNext();

            case CallbackKind.Sort:
                return SortResume(&value);

            default:
                return EventNext();
        }
    }

    /// <summary>map and filter: f(element).</summary>
    private Code MapNext()
    {
        ref Callback callback = ref Current;
        ListCell* source = callback.Source.List;
        if (callback.Next == source->Count)
        {
            return PopCallback(callback.Target);
        }

        PutArgument(0, source->Get(callback.Next));
        return CallBack(callback.Subject.Function, 1);
    }

    private Code ReduceNext()
    {
        ref Callback callback = ref Current;
        ListCell* source = callback.Source.List;
        if (callback.Next == source->Count)
        {
            return PopCallback(callback.Target);
        }

        PutArgument(0, callback.Target);
        PutArgument(1, source->Get(callback.Next));
        return CallBack(callback.Subject.Function, 2);
    }

    /// <summary>The caller's frame has room above its operands for the arguments of a callback.</summary>
    private void PutArgument(int index, Value value) => _frame->Vars[index] = value;

    /// <summary>Starts the merge of the next run at least two heads long; the result when everything is merged.</summary>
    private Code SortNext()
    {
        ref Callback callback = ref Current;
        while (true)
        {
            ListCell* source = callback.Source.List;
            int count = source->Count;
            int middle = (int)Math.Min((long)callback.Low + callback.Width, count);
            int high = (int)Math.Min((long)middle + callback.Width, count);
            if (callback.Left < middle && callback.Right < high)
            {
                PutArgument(0, source->Get(callback.Left));
                PutArgument(1, source->Get(callback.Right));
                return CallBack(callback.Subject.Function, 2);
            }

            ListCell* target = callback.Target.List;
            int at = callback.Left + callback.Right - middle;
            CellHeap.CopyItems(source, callback.Left, target, at, middle - callback.Left);
            at += middle - callback.Left;
            CellHeap.CopyItems(source, callback.Right, target, at, high - callback.Right);
            if (high < count)
            {
                StartRun(ref callback, high);
                continue;
            }

            (callback.Source, callback.Target) = (callback.Target, callback.Source);
            callback.Width = (int)Math.Min(callback.Width * 2L, int.MaxValue);
            if (callback.Width >= count)
            {
                return PopCallback(callback.Source);
            }

            StartRun(ref callback, 0);
        }
    }

    private static void StartRun(ref Callback callback, int low)
    {
        callback.Low = low;
        callback.Left = low;
        callback.Right = (int)Math.Min((long)low + callback.Width, callback.Source.List->Count);
    }

    private Code SortResume(Value* value)
    {
        if (!IsNumber(value))
        {
            return Code.TypeMismatch;
        }

        bool right = value->Tag switch
        {
            Tag.Float => value->Float > 0,
            _ => Sign(value) > 0,
        };
        ref Callback callback = ref Current;
        int middle = (int)Math.Min((long)callback.Low + callback.Width, callback.Source.List->Count);
        int at = callback.Left + callback.Right - middle;
        int from = right ? callback.Right++ : callback.Left++;
        callback.Target.List->Put(at, callback.Source.List->Get(from));
        return SortNext();
    }

    /// <summary>Bottom-up merge sort by the natural order; charge and comparison as docs/semantics.md has them.</summary>
    private Code SortNaturally(ref ListCell* source, ListCell* target)
    {
        int count = source->Count;
        for (long width = 1; width < count; width *= 2)
        {
            for (long low = 0; low < count; low += 2 * width)
            {
                int middle = (int)Math.Min(low + width, count);
                int high = (int)Math.Min(low + (2 * width), count);
                int left = (int)low;
                int right = middle;
                int at = left;
                while (left < middle && right < high)
                {
                    if (!Charge(Zexus.Isa.Gas.Element))
                    {
                        return Code.OutOfGas;
                    }

                    Value x = source->Get(right);
                    Value y = source->Get(left);
                    Code code = Compare(&x, &y, 0, out Order order);
                    if (code != Code.Done)
                    {
                        return code;
                    }

                    if (order == Order.Less)
                    {
                        target->Put(at++, x);
                        right++;
                    }
                    else
                    {
                        target->Put(at++, y);
                        left++;
                    }
                }

                CellHeap.CopyItems(source, left, target, at, middle - left);
                CellHeap.CopyItems(source, right, target, at + (middle - left), high - right);
            }

            ListCell* merged = target;
            target = source;
            source = merged;
        }

        return Code.Done;
    }

    private Code EmitEvent(int name)
    {
        Value* payload = _sp - 1;
        Code code = ChargePlain(payload);
        if (code != Code.Done)
        {
            return code;
        }

        _world.Emit(name, payload);
        EventHandlers? handlers = _world.HandlersOf(name);
        if (handlers is null || handlers.Count == 0)
        {
            _sp = payload;
            return Code.Done;
        }

        Callback callback = new() { Kind = CallbackKind.Event, Subject = *payload };
        code = PushCallback(callback, payload);
        if (code != Code.Done)
        {
            return code;
        }

        Current.Emitted = handlers;
        Current.HandlerCount = handlers.Count;
        Current.Handlers = handlers.Begin(out Current.ReadBefore);
        return EventNext();
    }

    private Code EventNext()
    {
        ref Callback callback = ref Current;
        Frame* frame = _frame;
        while (callback.Next < callback.HandlerCount)
        {
            Registration handler = callback.Handlers![callback.Next++];
            Value* global = _globals + handler.Global;
            PutArgument(0, callback.Subject);
            if (global->Tag == Tag.Function)
            {
                return CallBack(global->Function, 1);
            }

            if (!Charge(Zexus.Isa.Gas.CallbackBase + Zexus.Isa.Gas.CallbackPerArgument))
            {
                return Code.OutOfGas;
            }

            if (global->Tag != Tag.Null)
            {
                return Code.TypeMismatch;
            }

            // A builtin or host function runs here; neither pushes frames.
            _sp = frame->Vars + 1;
            Code code = CallNamed(handler.Name, frame->Vars, 1, frame->Vars);
            if (code != Code.Done)
            {
                return code;
            }
        }

        DropCallback();
        _sp = frame->Result;
        _ip = _frame->Ip;
        return Code.Switched;
    }
}
