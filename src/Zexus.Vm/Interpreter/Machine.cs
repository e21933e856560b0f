using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// The interpreter of one <see cref="Vm"/>. Partial by instruction family: Run has the loop, the others the slow paths
/// and the rare instructions. Between two helpers the state is in the loop's locals; <c>_ip</c>, <c>_sp</c>,
/// <c>_frame</c> and <c>_counter</c> are their copies whenever a helper runs.
/// </summary>
internal sealed unsafe partial class Machine : IDisposable
{
    private const int SegmentValues = 64 * 1024;

    private readonly CellHeap _heap = new();
    private readonly TextBuilder _text = new();
    private readonly StringBuilder _output = new();
    private readonly List<(nint Start, long Values)> _segments = [];

    private ZexusProgram _program = null!;
    private VmOptions _options = null!;
    private World _world = null!;
    private HostFunction?[] _hostFunctions = [];

    // Limits, at hand.
    private int _integerBits;
    private int _stringLength;
    private int _collectionLength;
    private int _nesting;

    // The loop's registers.
    private Instr* _ip;
    private Value* _sp;
    private Frame* _frame;
    private long _counter;

    private FunctionCode* _functions;
    private Value* _constants;
    private Value* _globals;
    private int _globalCount;
    private int _globalCapacity;

    private Frame* _frames;
    private Frame* _lastFrame;
    private int _frameCapacity;

    private Value* _segmentEnd;
    private int _segment;

    private Handler* _handlers;
    private int _handlerCount;
    private int _handlerCapacity;

    private Callback[] _callbacks = new Callback[8];
    private int _callbackCount;

    private Value _caller;
    private Value _result;

    /// <summary>Of Thrown and RequireFailed: the value that goes to the handler.</summary>
    private Value _faultValue;
    private int _faultFunction;
    private int _faultInstruction;

    ~Machine() => Free();

    public void Dispose()
    {
        Free();
        _heap.Dispose();
        _text.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        foreach ((nint start, _) in _segments ?? [])
        {
            NativeMemory.Free((void*)start);
        }

        _segments?.Clear();
        NativeMemory.Free(_globals);
        NativeMemory.Free(_frames);
        NativeMemory.Free(_handlers);
        NativeMemory.Free(_callHeat);
        NativeMemory.Free(_loopHeat);
        _callHeat = null;
        _loopHeat = null;
        _globals = null;
        _frames = null;
        _handlers = null;
    }

    public ExecutionResult Execute<THook>(
        ZexusProgram program,
        VmOptions options,
        IReadOnlyDictionary<string, Data> state,
        ref THook hook,
        CancellationToken cancellation
    )
        where THook : struct, IStepHook
    {
        cancellation.ThrowIfCancellationRequested();
        _jit = typeof(THook) == typeof(NoHook) && options.Jit is not null ? program.JitFor(options.Jit) : null;
        Start(program, options, state, cancellation);
        Code code = Drive(null, Code.Entered, ref hook);
        ExecutionResult result = Finish(code);
        GC.KeepAlive(program);
        return result;
    }

    private void Start(
        ZexusProgram program,
        VmOptions options,
        IReadOnlyDictionary<string, Data> state,
        CancellationToken cancellation
    )
    {
        _heap.Reset();
        _heap.MaximumBytes = options.MemoryLimit;
        _output.Clear();
        if (!ReferenceEquals(program, _program) || !ReferenceEquals(options, _options))
        {
            Bind(program, options);
        }

        _world = new World(state);
        new Span<Value>(_globals, _globalCount).Clear();
        _handlerCount = 0;
        _callbackCount = 0;
        Array.Clear(_callbacks);
        _result = default;
        _faultValue = default;
        _caller = default;
        _until = null;
        _unwinding = false;
        _stackLimit = nuint.MaxValue;
        StartGas(options, cancellation);

        _segment = 0;
        _segmentEnd = (Value*)_segments[0].Start + _segments[0].Values;
        Value* bottom = (Value*)_segments[0].Start;
        _frames[0] = default;
        _ = Enter(_functions, null, bottom, 0, bottom, _frames);
    }

    private void Bind(ZexusProgram program, VmOptions options)
    {
        _program = program;
        _options = options;
        _functions = program.Functions;
        _constants = program.Constants;
        BindHeat(program, options.Jit);
        Limits limits = program.Limits;
        _integerBits = limits.IntegerBits;
        _stringLength = limits.StringLength;
        _collectionLength = limits.CollectionLength;
        _nesting = limits.Nesting;
        _hostFunctions = new HostFunction?[program.Names.Length];
        for (int i = 0; i < program.Names.Length; i++)
        {
            _hostFunctions[i] = options.Host.Find(program.Names[i]);
        }

        _globalCount = program.Globals.Count;
        if (_globalCount > _globalCapacity)
        {
            _globalCapacity = _globalCount * 2;
            _globals = (Value*)NativeMemory.Realloc(_globals, (nuint)_globalCapacity * (nuint)sizeof(Value));
        }

        // The bottom and CallDepth frames; the operating system gives pages only when they are touched.
        if (_frameCapacity < limits.CallDepth + 1)
        {
            _frameCapacity = limits.CallDepth + 1;
            NativeMemory.Free(_frames);
            _frames = null;
            _frames = (Frame*)NativeMemory.Alloc((nuint)_frameCapacity, (nuint)sizeof(Frame));
        }

        _lastFrame = _frames + limits.CallDepth;
        if (_segments.Count == 0)
        {
            AddSegment(0);
        }
    }

    private void AddSegment(long values)
    {
        values = Math.Max(values, SegmentValues);
        _segments.Add(((nint)NativeMemory.Alloc((nuint)values, (nuint)sizeof(Value)), values));
    }

    private ExecutionResult Finish(Code code)
    {
        FlushGas();
        ZexusValue value;
        ZexusValue? faultValue = null;
        Fault? fault = null;
        if (code == Code.Finished)
        {
            _world.EndExecution();
            value = ValueCopier.Copy(_result, _program);
        }
        else
        {
            _world.Abandon();
            fault = Faults.Of(code);
            value = ZexusValue.Null;
            faultValue = ValueCopier.Copy(_faultValue, _program);
        }

        return new ExecutionResult(
            value,
            fault,
            faultValue,
            fault is null ? -1 : _faultFunction,
            fault is null ? -1 : _faultInstruction,
            _used,
            _steps,
            _world,
            _output.ToString()
        );
    }

    private Value* Place(int place)
    {
        int slot = place >> 2;
        return (PlaceKind)(place & 3) switch
        {
            PlaceKind.Local => _frame->Vars + slot,
            PlaceKind.Cell => &_frame->Vars[slot].Variable->Value,
            _ => _globals + slot,
        };
    }

    private static Value* Register(Value* vars, int offset) => (Value*)((byte*)vars + offset);

    private Code StoreInteger(Value* to, BigInteger value)
    {
        if (!Integers.Fits(value, _integerBits))
        {
            return Code.IntegerTooLarge;
        }

        *to = _heap.NewInteger(value);
        return Code.Done;
    }

    private Code StoreInteger(Value* to, long value)
    {
        if (!Integers.Fits(value, _integerBits))
        {
            return Code.IntegerTooLarge;
        }

        *to = Value.Of(value);
        return Code.Done;
    }

    /// <summary>Every root there is: globals, slots, operand stacks, callbacks, and what helpers protect.</summary>
    internal void Roots(Stack<nint> pending)
    {
        for (int i = 0; i < _globalCount; i++)
        {
            Tracing.Push(_globals[i], pending);
        }

        for (Frame* frame = _frames + 1; frame <= _frame; frame++)
        {
            if (frame->Function is null)
            {
                continue;
            }

            // The operands end where the next frame's arguments begin; those are its own slots.
            Value* end =
                frame == _frame ? _sp
                : frame[1].Function is null ? frame[1].Vars
                : frame[1].Result;
            for (Value* slot = frame->Vars; slot < end; slot++)
            {
                Tracing.Push(*slot, pending);
            }
        }

        for (int i = 0; i < _callbackCount; i++)
        {
            Tracing.Push(_callbacks[i].Subject, pending);
            Tracing.Push(_callbacks[i].Source, pending);
            Tracing.Push(_callbacks[i].Target, pending);
        }

        foreach (Value value in _heap.Protected)
        {
            Tracing.Push(value, pending);
        }

        Tracing.Push(_caller, pending);
        Tracing.Push(_result, pending);
        Tracing.Push(_faultValue, pending);
    }
}
