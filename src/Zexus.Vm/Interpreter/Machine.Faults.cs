using Zexus.Isa;

namespace Zexus.Vm;

internal static unsafe class Faults
{
    private static readonly Fault[] ByCode =
    [
        Fault.Thrown,
        Fault.RequireFailed,
        Fault.TypeMismatch,
        Fault.DivisionByZero,
        Fault.Domain,
        Fault.UndefinedFunction,
        Fault.Reentrancy,
        Fault.OutOfGas,
        Fault.CallTooDeep,
        Fault.IntegerTooLarge,
        Fault.StringTooLong,
        Fault.CollectionTooLarge,
        Fault.TooDeep,
    ];

    private static readonly nint[] Names = [.. ByCode.Select(fault => (nint)WellKnown.Make(fault.Name))];

    public static Fault Of(Code code) => ByCode[(int)code - 1];

    /// <summary>The name as a String: what a handler gets.</summary>
    public static Value NameOf(Code code) => Value.Of((StringCell*)Names[(int)code - 1]);

    public static bool IsCatchable(Code code) => code is >= Code.Thrown and <= Code.Reentrancy;
}

/// <summary>Faults and handlers: docs/semantics.md, section 8.</summary>
internal sealed unsafe partial class Machine
{
    /// <summary>
    /// Unwinds to the innermost handler; false when there is none or the fault is not catchable, or when compiled code
    /// below runs the handler's frame.
    /// </summary>
    private bool Catch(Code code)
    {
        if (!_unwinding)
        {
            Raise(code);
        }

        if (_handlerCount == 0 || !Faults.IsCatchable(code))
        {
            _unwinding = true;
            return false;
        }

        Frame* target = _handlers[_handlerCount - 1].Frame;
        _unwinding = target <= _until;
        target = _unwinding ? _until : target;
        if (_frame != target && !_unwinding)
        {
            _ip = target->Ip;
        }

        while (_frame != target)
        {
            if (_frame->Function is null)
            {
                DropCallback();
                continue;
            }

            if ((_frame->Flags & FrameFlags.OwnsSegment) != 0)
            {
                PopSegment();
            }

            _frame--;
        }

        if (_unwinding)
        {
            return false;
        }

        GoToHandler();
        return true;
    }

    /// <summary>Gives a fault its value, and its source if nothing will catch it.</summary>
    private void Raise(Code code)
    {
        if (code is not (Code.Thrown or Code.RequireFailed))
        {
            _faultValue = Faults.NameOf(code);
        }

        if (_handlerCount == 0 || !Faults.IsCatchable(code))
        {
            Locate(code);
        }
    }

    /// <summary>The current frame has the innermost handler: it goes on there, behind the instruction that faulted.</summary>
    private void GoToHandler()
    {
        Handler* handler = _handlers + --_handlerCount;
        Instr* next = _ip;

        _world.RevertTo(handler->Transaction);
        Value* operands = _frame->Vars + _frame->Function->Slots;
        Value* sp = operands + handler->Height;

        // The instruction has taken its operands. Cells of the SETUP_TRY's height that were popped since are Null.
        for (Value* cell = operands + _frame->Function->Kept[next - _frame->Function->Code - 1]; cell < sp; cell++)
        {
            *cell = default;
        }

        *sp = _faultValue;
        _sp = sp + 1;
        _ip = handler->Target;
        _faultValue = default;
    }

    /// <summary>The source: the current instruction of the innermost code frame.</summary>
    private void Locate(Code code)
    {
        Frame* frame = _frame;
        Instr* next = _ip;
        if (frame->Function is null)
        {
            frame--;
            next = frame->Ip;
        }

        _faultFunction = frame->Function->Number;
        int at = (int)(next - frame->Function->Code) - 1;
        _faultInstruction =
            frame->Function->Origins is null ? at
            : code == Code.OutOfGas ? SourceOfRefusal(frame->Function, at)
            : frame->Function->Origins[at].Source;
    }

    private void SetupTry(Instr* at)
    {
        if (_handlerCount == _handlerCapacity)
        {
            int capacity = _guard.Grown(_handlerCapacity, 32, sizeof(Handler));
            _handlers = (Handler*)
                System.Runtime.InteropServices.NativeMemory.Realloc(
                    _handlers,
                    (nuint)capacity * (nuint)sizeof(Handler)
                );
            _guard.Count((long)(capacity - _handlerCapacity) * sizeof(Handler));
            _handlerCapacity = capacity;
        }

        Handler* handler = _handlers + _handlerCount++;
        handler->Frame = _frame;
        handler->Target = (Instr*)((byte*)_ip + at->A);
        handler->Height = (int)(_sp - _frame->Vars) - _frame->Function->Slots;
        handler->Transaction = _world.LastTransaction;
    }

    private void PopTry()
    {
        if (_handlerCount > _frame->Handlers)
        {
            _handlerCount--;
        }
    }
}
