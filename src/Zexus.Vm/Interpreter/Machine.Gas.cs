using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Zexus.Vm;

internal sealed unsafe partial class Machine
{
    /// <summary>Gas used before the current slice.</summary>
    private long _used;
    private long _slice;
    private long _gasLimit;
    private long _steps;
    private long _stepLimit;
    private long _deadline;
    private CancellationToken _cancellation;

    // Of a translation, after OutOfGas before an instruction acts: the source whose charge it was, or, if that is still to
    // be found, the instruction whose charges together did not fit.
    private int _refusedSource;
    private Instr* _refusedAt;

    public long GasUsed => _used + _slice - (_counter >> Fuel.Shift);

    private void StartGas(VmOptions options, CancellationToken cancellation)
    {
        _used = 0;
        _steps = 0;
        _gasLimit = options.GasLimit;
        _stepLimit = options.StepLimit ?? long.MaxValue;
        long now = Stopwatch.GetTimestamp();
        long time = options.TimeLimit is { } limit ? (long)(limit.TotalSeconds * Stopwatch.Frequency) : long.MaxValue;
        _deadline = time > long.MaxValue - now ? long.MaxValue : now + time;
        _cancellation = cancellation;
        _refusedSource = -1;
        _refusedAt = null;
    }

    /// <summary>Goes on from where the waiting machine stands, with so much gas of what that has left.</summary>
    private void StartGas(Machine waiting, long gas)
    {
        _used = waiting._used;
        _steps = waiting._steps;
        _gasLimit = _used + gas;
        _stepLimit = waiting._stepLimit;
        _deadline = waiting._deadline;
        _cancellation = waiting._cancellation;
        _refusedSource = -1;
        _refusedAt = null;
    }

    private void NewSlice()
    {
        _slice = Math.Min(Fuel.Slice, _gasLimit - _used);
        _counter = _slice << Fuel.Shift;
    }

    /// <summary>Moves what the counter says into the totals.</summary>
    private void FlushGas()
    {
        _used = GasUsed;
        _steps += _counter & Fuel.StepMask;
        _slice = 0;
        _counter = 0;
    }

    /// <summary>Takes a charge; false, with nothing taken, when the limit does not allow it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Charge(long gas)
    {
        if ((ulong)gas < 1UL << 38)
        {
            long left = _counter - (gas << Fuel.Shift);
            if (left >= 0)
            {
                _counter = left;
                return true;
            }
        }

        return Refill(gas);
    }

    /// <summary>
    /// The slice does not have the charge. Looks at the host's guards, then takes the charge from the limit itself, or
    /// tells that this is the end of the gas.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Refill(long gas)
    {
        FlushGas();
        _cancellation.ThrowIfCancellationRequested();
        KeepGuards();
        // Charges that do not fit 64 bits are cut to the largest number.
        if (gas > _gasLimit - _used || gas == long.MaxValue)
        {
            return false;
        }

        _used += gas;
        NewSlice();
        return true;
    }

    /// <summary>Those of steps and time, with the counters flushed. Also at the end: an execution shorter than a slice passes no other place.</summary>
    private void KeepGuards()
    {
        if (_steps > _stepLimit)
        {
            throw new HostGuardException(HostGuard.Steps, _stepLimit);
        }

        if (_deadline != long.MaxValue && Stopwatch.GetTimestamp() > _deadline)
        {
            throw new HostGuardException(HostGuard.Time, _options!.TimeLimit!.Value.Ticks);
        }
    }

    /// <summary>The static charge of an instruction did not fit: undo what the loop took, the step excepted.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code RefillFor(Instr* at)
    {
        long gas = (at->Cost + 1) >> Fuel.Shift;
        _counter += gas << Fuel.Shift;
        if (Refill(gas))
        {
            return Code.Done;
        }

        _refusedAt = at;
        return Code.OutOfGas;
    }

    /// <summary>A translated instruction's charges, in their order.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code TakeCharges(ChargeList charges, Value* sp)
    {
        for (int i = 0; i < charges.Count; i++)
        {
            if (!Charge(charges.GasOf(i, sp, _frame->Vars)))
            {
                _refusedSource = charges.SourceOf(i);
                return Code.OutOfGas;
            }
        }

        return Code.Done;
    }

    /// <summary>The source of an OutOfGas of a translation. Charges that fit before the one that did not are taken.</summary>
    private int SourceOfRefusal(FunctionCode* function, int at)
    {
        Origin origin = function->Origins[at];
        if (_refusedAt == function->Code + at && TakeCharges(_program.ChargeLists[origin.Charges], _sp) == Code.Done)
        {
            throw new InvalidOperationException("charges that did not fit together fit one by one");
        }

        return _refusedSource >= 0 ? _refusedSource : origin.Source;
    }
}
