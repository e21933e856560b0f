using System.Runtime.CompilerServices;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Calls between contracts: docs/semantics.md, section 9. The called contract has a machine of its own, with a heap of its own, since only
/// plain data goes from one to the other. Gas, steps, the host's guards and <see cref="ChainEffects"/> go through all of them.
/// </summary>
internal sealed unsafe partial class Machine
{
    /// <summary>Machines that are kept for the next call.</summary>
    private const int MostIdle = 8;

    /// <summary>Of each one's heap. They go altogether when memory is short.</summary>
    private const long MostKeptIdle = 16L * 1024 * 1024;

    /// <summary>A call that <see cref="CallContract"/> has found in order.</summary>
    private readonly record struct ContractCall(string Id, Contract Contract, string Name, int Function, long Gas);

    private static readonly nint[] FailureKeys =
    [
        .. new[] { "contract", "function", "fault", "value" }.Select(name => (nint)WellKnown.Make(name)),
    ];

    /// <summary>The machine that waits for this one; null for the host's.</summary>
    private Machine? _waiting;

    // Of the host's machine.
    private ChainEffects? _ownEffects;
    private readonly List<Machine> _idle = [];

    private string _contract = "";
    private string _callerName = "";

    /// <summary>Frames of the machines that wait.</summary>
    private int _outerDepth;

    private ContractCall _call;

    /// <summary>What it was last rented for.</summary>
    private ZexusProgram? _rentedFor;

    /// <summary>The List of its arguments, or Null: a cell of the operand stack.</summary>
    private Value* _callArguments;

    /// <summary>Where the value of the call goes.</summary>
    private Value* _callResult;

    private Machine Host => _waiting is null ? this : _waiting.Host;

    /// <summary>contract, function, arguments, gas.</summary>
    private Code CallContract(Value* arguments, Value* to)
    {
        Value* list = arguments + 2;
        Value* gas = arguments + 3;
        if (
            arguments[0].Tag != Tag.String
            || arguments[1].Tag != Tag.String
            || list->Tag is not (Tag.Null or Tag.List)
            || gas->Tag is not (Tag.Null or Tag.Int or Tag.BigInt)
        )
        {
            return Code.TypeMismatch;
        }

        long charge =
            Gas.ContractCall
            + (arguments[0].String->Length / Gas.ScalarsPerUnit)
            + (arguments[1].String->Length / Gas.ScalarsPerUnit);
        if (!Charge(charge))
        {
            return Code.OutOfGas;
        }

        string id = Text.ToDotNet(arguments[0].String);
        if (Executes(id))
        {
            return Code.Reentrancy;
        }

        string name = Text.ToDotNet(arguments[1].String);
        if (_options.Contracts is null || !_options.Contracts.TryFind(id, out Contract? contract))
        {
            return Code.UndefinedFunction;
        }

        int function = contract.Program.EntryNamed(name);
        if (function < 0)
        {
            return Code.UndefinedFunction;
        }

        Code code = ChargePlain(list);
        if (code != Code.Done)
        {
            return code;
        }

        if (FrameDepth >= _program.Limits.CallDepth)
        {
            return Code.CallTooDeep;
        }

        long left = _gasLimit - GasUsed;
        if (gas->Tag == Tag.BigInt)
        {
            return Integers.Of(gas->Big).Sign < 0 ? Code.Domain : Code.OutOfGas;
        }

        if (gas->Tag == Tag.Int)
        {
            if (gas->Payload < 0)
            {
                return Code.Domain;
            }

            if (gas->Payload > left)
            {
                return Code.OutOfGas;
            }

            left = gas->Payload;
        }

        CheckContract(id, contract);
        _call = new(id, contract, name, function, left);
        _callArguments = list;
        _callResult = to;
        return Code.CallsContract;
    }

    private bool Executes(string id)
    {
        for (Machine? machine = this; machine is not null; machine = machine._waiting)
        {
            if (machine._contract == id)
            {
                return true;
            }
        }

        return false;
    }

    private void CheckContract(string id, Contract contract)
    {
        if (!contract.Program.Limits.Equals(_program.Limits))
        {
            throw new ArgumentException(
                $"the contract \"{id}\" was loaded under other limits than the program that calls it"
            );
        }
    }

    /// <summary>
    /// Executes the contract that has been called, and gives its value to the caller. Switched, or the fault Thrown; the operands are
    /// taken, and the caller is the current frame as it was.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code RunContract<THook>(ref THook hook)
        where THook : struct, IStepHook
    {
        FlushGas();
        Machine host = Host;
        Machine called = host.Rent(_call.Contract.Program);
        ContractCall call = _call;
        Code code;
        try
        {
            if (RuntimeHelpers.TryEnsureSufficientExecutionStack())
            {
                code = called.ExecuteFor(this, ref hook);
            }
            else
            {
                // Each contract on a chain of calls takes native stack: where it ends, the chain goes on on another thread's.
                THook copy = hook;
                code = Task
                    .Factory.StartNew(
                        () => called.ExecuteFor(this, ref copy),
                        CancellationToken.None,
                        TaskCreationOptions.LongRunning,
                        TaskScheduler.Default
                    )
                    .GetAwaiter()
                    .GetResult();
                hook = copy;
            }

            _heap.RunAgain();
            // What did not fit was found out by looking at it; who catches that must have paid for more than the looking.
            _used = code == Code.OutOfGas ? called._gasLimit : called._used;
            _steps = called._steps;
            NewSlice();
            _call = default;

            // What was given lies in the heap of the machine that was called, which is nobody's else until it is given back.
            if (code == Code.Finished)
            {
                *_callResult = new DataCopier(_guard).To(_heap, called._given);
                _sp = _callResult + 1;
                code = Code.Switched;
            }
            else
            {
                _faultValue = Failure(call, code, called._given);
                code = Code.Thrown;
            }
        }
        catch
        {
            // A guard of the host, cancellation, or the host's own: nobody gives the machine back, and its memory is not .NET's.
            called.Dispose();
            throw;
        }

        host.GiveBack(called);
        return code;
    }

    /// <summary>What the caller is thrown.</summary>
    private Value Failure(in ContractCall call, Code code, Value given)
    {
        TableCell* map = _heap.NewTable(CellKind.Map, FailureKeys.Length);
        Value result = new(Tag.Map, (long)map);
        int mark = _heap.Protect(result);
        Put(0, Value.Of(_heap.NewString(call.Id)));
        Put(1, Value.Of(_heap.NewString(call.Name)));
        Put(2, Faults.NameOf(code));
        Put(3, new DataCopier(_guard).To(_heap, given));
        _heap.Release(mark);
        return result;

        void Put(int key, Value item)
        {
            int place = _heap.Protect(item);
            _heap.Put(map, Value.Of((StringCell*)FailureKeys[key]), _heap.Protected[place]);
            _heap.Release(place);
        }
    }

    /// <summary>What the execution came to, for the machine that waits: a value, or that of a fault.</summary>
    private Value _given;

    /// <summary>Executes what the waiting machine calls. Finished or a fault, after whose value's copy.</summary>
    private Code ExecuteFor<THook>(Machine waiting, ref THook hook)
        where THook : struct, IStepHook
    {
        ContractCall call = waiting._call;
        VmOptions options = waiting._options;
        ZexusProgram program = Prepare<THook>(call.Contract.Program, options);
        _effects = waiting._effects;
        StartGas(waiting, call.Gas);
        HostState state = new(_effects.WritesOf(call.Id), call.Contract.State, program.Limits);
        Start(program, options, state, waiting, call.Id, waiting._contract);
        _entry = call.Function;
        if (waiting._callArguments->Tag == Tag.List)
        {
            ListCell* arguments = waiting._callArguments->List;
            DataCopier copier = new(_guard);
            for (int i = 0; i < Math.Min(arguments->Count, _functions[call.Function].Parameters); i++)
            {
                *_sp = copier.To(_heap, arguments->Get(i));
                _sp++;
            }
        }

        EnterFirst(call.Function);
        Code code = Drive(null, Code.Entered, ref hook);
        LeaveFrames();
        Value given = code == Code.Finished ? _result : _faultValue;
        Code copied = ChargePlain(&given);
        if (copied != Code.Done)
        {
            code = copied;
            given = Faults.NameOf(copied);
        }

        _given = given;

        if (code == Code.Finished)
        {
            _world.EndExecution();
            IReadOnlyDictionary<string, Data> writes = _world.Writes(out long bytes);
            _guard.EndLending();
            _effects.Keep(call.Id, writes, bytes);
        }
        else
        {
            _world.Abandon();
        }

        FlushGas();
        _heap.End();
        GC.KeepAlive(program);
        return code;
    }

    /// <summary>A machine that executes nothing now; best one that has executed this program last.</summary>
    private Machine Rent(ZexusProgram program)
    {
        int at = _idle.FindLastIndex(machine => ReferenceEquals(machine._rentedFor, program));
        at = at < 0 ? _idle.Count - 1 : at;
        if (at < 0)
        {
            return new Machine(_guard, _text, isHosts: false) { _rentedFor = program };
        }

        Machine found = _idle[at];
        _idle.RemoveAt(at);
        found._rentedFor = program;
        return found;
    }

    private void GiveBack(Machine machine)
    {
        machine._waiting = null;
        machine._given = default;
        if (machine._heap.Bytes > MostKeptIdle)
        {
            machine._heap.Reset(MostKeptIdle);
        }

        _idle.Add(machine);
        if (_idle.Count > MostIdle)
        {
            _idle[0].Dispose();
            _idle.RemoveAt(0);
        }
    }

    private void DropIdle()
    {
        foreach (Machine machine in _idle)
        {
            machine.Dispose();
        }

        _idle.Clear();
    }
}
