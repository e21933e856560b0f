using System.Runtime.CompilerServices;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Calls, returns, closures, and the value stack's segments.</summary>
internal sealed unsafe partial class Machine
{
    /// <summary>
    /// Enters a function whose arguments lie at the top of the caller's operands. Its slots begin where they are, unless
    /// the segment has no room. The caller's instruction pointer is <c>_ip</c>.
    /// </summary>
    private Code Enter(
        FunctionCode* function,
        VariableCell** captured,
        Value* arguments,
        int count,
        Value* result,
        Frame* caller
    )
    {
        if (caller == _lastFrame)
        {
            return Code.CallTooDeep;
        }

        caller->Ip = _ip;
        Value* vars = arguments;
        bool segment = function->FrameSize > _segmentEnd - arguments;
        count = Math.Min(count, function->Parameters);
        if (segment)
        {
            vars = PushSegment(function->FrameSize, arguments);
            new Span<Value>(arguments, count).CopyTo(new Span<Value>(vars, count));
        }

        Frame* frame = caller + 1;
        frame->Function = function;
        frame->Vars = vars;
        frame->Result = result;
        frame->Return = null;
        frame->Handlers = _handlerCount;
        frame->Flags = segment ? FrameFlags.OwnsSegment : FrameFlags.None;
        // They are few: a call to clear them costs more than they do.
        for (Value* slot = vars + count; slot < vars + function->Slots; slot++)
        {
            *slot = default;
        }

        _frame = frame;
        _sp = vars + function->Slots;
        _ip = function->Code;
        if (function->HasCells)
        {
            for (int i = 0; i < function->CapturedCount; i++)
            {
                Value* slot = vars + function->Captured[i];
                *slot = Value.Of(_heap.NewVariable(*slot));
            }

            int captures = function->Variables - function->FirstCapture;
            for (int i = 0; i < captures; i++)
            {
                vars[function->FirstCapture + i] = Value.Of(captured[i]);
            }
        }

        return Code.Entered;
    }

    private Code Enter(FunctionCell* closure, Value* arguments, int count, Value* result) =>
        Enter(_functions + closure->Function, FunctionCell.Captured(closure), arguments, count, result, _frame);

    private Value* PushSegment(int values, Value* inUse)
    {
        _segments[_segment].InUse = inUse;
        _segment++;
        if (_segment < _segmentCount && _segments[_segment].Values < values)
        {
            // Made for narrower frames. What is above it is not in use either.
            DropSegments(_segment);
        }

        if (_segment == _segmentCount)
        {
            AddSegment(values);
        }

        Segment segment = _segments[_segment];
        _segmentEnd = segment.Start + segment.Values;
        return segment.Start;
    }

    private void PopSegment()
    {
        _segment--;
        _segmentEnd = _segments[_segment].Start + _segments[_segment].Values;
    }

    /// <summary>CALL_NAME of what a variable holds.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code CallValue(Value* callee, Value* arguments, int count, int name) =>
        callee->Tag switch
        {
            Tag.Function => Enter(callee->Function, arguments, count, arguments),
            Tag.Null => CallNamed(name, arguments, count, arguments),
            _ => Code.TypeMismatch,
        };

    /// <summary>The builtin of that name, else the host function. The operand stack is cut to the result.</summary>
    private Code CallNamed(int name, Value* arguments, int count, Value* result)
    {
        int routine = _program.Routines[name * Decoder.Receivers];
        if (routine >= 0)
        {
            return CallRoutine(routine, arguments, count, result);
        }

        HostFunction? function = _hostFunctions[name];
        if (function is null)
        {
            return Code.UndefinedFunction;
        }

        Code code = CallHost(function, arguments, count, result);
        _sp = code == Code.Done ? result + 1 : _sp;
        return code;
    }

    /// <summary>A builtin or method. Missing arguments are Null: the frame has room for them above its operands.</summary>
    private Code CallRoutine(int routine, Value* arguments, int count, Value* result)
    {
        for (int i = count; i < Decoder.MostParameters; i++)
        {
            arguments[i] = default;
        }

        Code code = Routine(routine, arguments - 1, arguments, count, result);
        if (code == Code.Done)
        {
            _sp = result + 1;
        }

        return code;
    }

    private Code CallMethod(Value* target, int count, int name)
    {
        int receiver = target->Tag switch
        {
            Tag.String => 1,
            Tag.List => 2,
            Tag.Map => 3,
            Tag.Set => 4,
            _ => -1,
        };
        int routine = receiver < 0 ? -1 : _program.Routines[(name * Decoder.Receivers) + receiver];
        return routine < 0 ? Code.UndefinedFunction : CallRoutine(routine, target + 1, count, target);
    }

    private Code CallHost(HostFunction function, Value* arguments, int count, Value* result)
    {
        if (!Charge(function.Gas))
        {
            return Code.OutOfGas;
        }

        Data[] data = new Data[function.Arity];
        for (int i = 0; i < data.Length; i++)
        {
            data[i] = Data.Null;
            if (i < count)
            {
                Code code = Plain(arguments + i, out data[i]);
                if (code != Code.Done)
                {
                    _guard.EndLending();
                    return code;
                }
            }
        }

        HostOutcome outcome = function.Invoke(data);
        _guard.EndLending();
        HostData.Check(outcome.Value, _program.Limits, $"what the host function {function.Name} gave back");
        Value value;
        if (!CopyOut(outcome.Value, &value))
        {
            return Code.OutOfGas;
        }

        if (outcome.IsThrown)
        {
            _faultValue = value;
            return Code.Thrown;
        }

        *result = value;
        return Code.Done;
    }

    /// <summary>A call of the function table: its captures are variables of this frame.</summary>
    private Code CallFunction(Instr* at)
    {
        FunctionCode* function = _functions + at->A;
        int captures = function->Variables - function->FirstCapture;
        if (!Charge(captures))
        {
            return Code.OutOfGas;
        }

        VariableCell** captured = stackalloc VariableCell*[captures];
        int* slots = _program.CaptureSlots + at->C;
        for (int i = 0; i < captures; i++)
        {
            captured[i] = _frame->Vars[slots[i]].Variable;
        }

        Value* arguments = _sp - at->B;
        return Enter(function, captured, arguments, at->B, arguments, _frame);
    }

    private Code StoreFunction(Instr* at)
    {
        FunctionCode* function = _functions + at->B;
        int captures = function->Variables - function->FirstCapture;
        if (!Charge(captures))
        {
            return Code.OutOfGas;
        }

        FunctionCell* closure = _heap.NewFunction(at->B, captures);
        int* slots = _program.CaptureSlots + at->C;
        for (int i = 0; i < captures; i++)
        {
            FunctionCell.Captured(closure)[i] = _frame->Vars[slots[i]].Variable;
        }

        *Place(at->A) = Value.Of(closure);
        return Code.Done;
    }

    /// <summary>The end of a frame whose caller is a callback or nobody, or that has a segment of its own.</summary>
    private Code Return()
    {
        Frame* frame = _frame;
        return ReturnFrom(frame, _sp > frame->Vars + frame->Function->Slots ? _sp[-1] : default);
    }

    private Code ReturnFrom(Frame* frame, Value value)
    {
        _handlerCount = frame->Handlers;
        if ((frame->Flags & FrameFlags.OwnsSegment) != 0)
        {
            PopSegment();
        }

        Frame* caller = frame - 1;
        _frame = caller;
        if (caller == _frames)
        {
            _result = value;
            return Code.Finished;
        }

        _sp = frame->Result;
        if (caller->Function is null)
        {
            return Resume(value);
        }

        *_sp++ = value;
        _ip = caller->Ip;
        return Code.Switched;
    }
}
