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
internal sealed unsafe partial class Machine : IRootSource, IDisposable
{
    private const int SegmentValues = 64 * 1024;

    /// <summary>Of a machine for contracts that are called, of which many may wait for one another.</summary>
    private const int FirstSegmentOfCalled = 16 * 1024;

    private readonly MemoryGuard _guard;
    private readonly CellHeap _heap;

    /// <summary>For one instruction at a time, so that those of the contracts that it calls have the same.</summary>
    private readonly TextBuilder _text;

    private ZexusProgram _program = null!;
    private VmOptions _options = null!;
    private readonly World _world;
    private ChainEffects _effects = null!;
    private HostFunction?[] _hostFunctions = [];
    private int _hostFunctionsKnown;

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

    /// <summary>The function that the execution begins in.</summary>
    private int _entry;

    private Frame* _frames;
    private Frame* _lastFrame;
    private int _frameCapacity;

    private Segment[] _segments = new Segment[4];
    private int _segmentCount;
    private Value* _segmentEnd;
    private int _segment;

    private Handler* _handlers;
    private int _handlerCount;
    private int _handlerCapacity;

    private readonly bool _isHosts;

    private Callback[] _callbacks = new Callback[8];
    private int _callbackCount;

    private Value _caller;
    private Value _result;

    /// <summary>Of Thrown and RequireFailed: the value that goes to the handler.</summary>
    private Value _faultValue;
    private int _faultFunction;
    private int _faultInstruction;

    /// <summary>The host's machine, whose guard those of the contracts share that it calls.</summary>
    public Machine()
        : this(new MemoryGuard(), new TextBuilder(), isHosts: true) => _guard.Trim = DropIdle;

    private Machine(MemoryGuard guard, TextBuilder text, bool isHosts)
    {
        _guard = guard;
        _text = text;
        _isHosts = isHosts;
        _heap = new CellHeap(guard);
        _world = new World(_heap, guard);
        _canonical = new ByteBuilder(guard);
    }

    ~Machine() => Free();

    public MemoryGuard Guard => _guard;

    public void Dispose()
    {
        Free();
        _heap.Dispose();
        _world.Dispose();
        if (_isHosts)
        {
            _text.Dispose();
        }

        _canonical.Dispose();
        _ownEffects?.Dispose();
        DropIdle();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        DropSegments(0);
        FreeHandlers();
        NativeMemory.Free(_globals);
        NativeMemory.Free(_frames);
        NativeMemory.Free(_callHeat);
        NativeMemory.Free(_loopHeat);
        NativeMemory.Free(_virtualValues);
        _callHeat = null;
        _loopHeat = null;
        _virtualValues = null;
        _globals = null;
        _frames = null;
    }

    public ExecutionResult Execute<THook>(
        ZexusProgram program,
        EntryCall entry,
        VmOptions options,
        StateTable state,
        ref THook hook,
        CancellationToken cancellation
    )
        where THook : struct, IStepHook
    {
        cancellation.ThrowIfCancellationRequested();
        program = Prepare<THook>(program, options);
        _guard.Limit = options.MemoryLimit;
        _guard.Running = null;
        _guard.EndLending();
        _effects = _ownEffects ??= new ChainEffects(_guard);
        _effects.Start();
        StartGas(options, cancellation);
        Start(program, options, new HostState(state), null, options.Contract, options.Block.Caller);
        _entry = entry.Function;
        int count = Math.Min(entry.Arguments.Count, _functions[entry.Function].Parameters);
        for (int i = 0; i < count; i++)
        {
            *_sp = PlainData.ToValue(entry.Arguments[i], _heap);
            _sp++;
        }

        EnterFirst(entry.Function);
        Code code = Drive(null, Code.Entered, ref hook);
        LeaveFrames();
        ExecutionResult result = Finish(code, state.Data);
        _guard.EndLending();
        GC.KeepAlive(program);
        return result;
    }

    /// <summary>What runs in the program's place, and whether it is compiled and becomes threaded code: not under a hook.</summary>
    private ZexusProgram Prepare<THook>(ZexusProgram program, VmOptions options)
        where THook : struct, IStepHook
    {
        // A profile of the heap asks at each allocation which instruction is running; compiled code does not keep that.
        bool compiles = typeof(THook) == typeof(NoHook) && options.Jit is not null && !options.Collection.Profile;
        _jit = compiles ? options.JitCache.For(program, options.Jit!) : null;
        program = _jit?.Program ?? program;
        _threaded =
            typeof(THook) == typeof(NoHook) && options.Threaded is not null
                ? program.ThreadedFor(options.Threaded)
                : null;
        return program;
    }

    /// <summary>
    /// An execution begins, of the host's or of a contract that waits for it. Its gas is set already; its arguments go onto the value stack, as many as
    /// there are parameters at most, and then <see cref="EnterFirst"/>.
    /// </summary>
    private void Start(
        ZexusProgram program,
        VmOptions options,
        HostState state,
        Machine? waiting,
        string contract,
        string caller
    )
    {
        _waiting = waiting;
        _contract = contract;
        _callerName = caller;
        _heap.Reset(Math.Min(CellHeap.MostKeptArenas, options.MemoryLimit));
        TrimTables();
        // Functions are only ever added to a host's.
        if (
            !ReferenceEquals(program, _program)
            || !ReferenceEquals(options, _options)
            || options.Host.All.Count != _hostFunctionsKnown
        )
        {
            Bind(program, options);
        }

        _outerDepth = waiting is null ? 0 : waiting.FrameDepth;
        _lastFrame = _frames + (program.Limits.CallDepth - _outerDepth);
        _world.Start(state, _effects, contract, program.Names, options.Block.Timestamp);
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
        NewSlice();

        _segment = 0;
        _segmentEnd = _segments[0].Start + _segments[0].Values;
        _frames[0] = default;
        _frame = _frames;
        _sp = _segments[0].Start;
        _heap.Begin(this, options.Collection);
    }

    /// <summary>
    /// The execution is over, also in the middle of its frames: what it came to is a root by itself, and the records of a fault that nobody has caught
    /// need not fit one another.
    /// </summary>
    private void LeaveFrames()
    {
        _segment = 0;
        _segmentEnd = _segments[0].Start + _segments[0].Values;
        _sp = _segments[0].Start;
        _callbackCount = 0;
    }

    private void EnterFirst(int function)
    {
        Value* bottom = _segments[0].Start;
        _ = Enter(_functions + function, null, bottom, (int)(_sp - bottom), bottom, _frames);
    }

    private void Bind(ZexusProgram program, VmOptions options)
    {
        _program = program;
        _options = options;
        _functions = program.Functions;
        _constants = program.Constants;
        BindHeat(program, options);
        Limits limits = program.Limits;
        _integerBits = limits.IntegerBits;
        _stringLength = limits.StringLength;
        _collectionLength = limits.CollectionLength;
        _nesting = limits.Nesting;
        _hostFunctionsKnown = options.Host.All.Count;
        _hostFunctions = new HostFunction?[program.Names.Length];
        for (int i = 0; i < program.Names.Length; i++)
        {
            _hostFunctions[i] = options.Host.Find(program.Names[i]);
        }

        _globalCount = program.Globals.Count;
        if (_globalCount > _globalCapacity)
        {
            // Noted when there is the room: a host may go on after an OutOfMemoryException.
            int capacity = _globalCount * 2;
            _globals = (Value*)NativeMemory.Realloc(_globals, (nuint)capacity * (nuint)sizeof(Value));
            _globalCapacity = capacity;
        }

        // The bottom and CallDepth frames; the operating system gives pages only when they are touched.
        if (_frameCapacity < limits.CallDepth + 1)
        {
            _frameCapacity = limits.CallDepth + 1;
            NativeMemory.Free(_frames);
            _frames = null;
            _frames = (Frame*)NativeMemory.Alloc((nuint)_frameCapacity, (nuint)sizeof(Frame));
        }

        if (_segmentCount == 0)
        {
            AddSegment(0);
        }
    }

    /// <summary>Before an execution, which needs none of it: what one before has made large.</summary>
    private void TrimTables()
    {
        if ((long)_handlerCapacity * sizeof(Handler) > _guard.KeptTable)
        {
            FreeHandlers();
        }

        DropSegments(1);
        _canonical.Clear();
    }

    private void FreeHandlers()
    {
        NativeMemory.Free(_handlers);
        _handlers = null;
        _guard.Count(-(long)_handlerCapacity * sizeof(Handler));
        _handlerCapacity = 0;
    }

    private void DropSegments(int from)
    {
        while (_segmentCount > from)
        {
            Segment segment = _segments[--_segmentCount];
            NativeMemory.Free(segment.Start);
            _guard.Count(-Counted(_segmentCount, segment.Values));
        }
    }

    /// <summary>Bytes of a segment that the guard counts: all but the first of the host's machine, which every execution has.</summary>
    private long Counted(int segment, long values) => _isHosts && segment == 0 ? 0 : values * sizeof(Value);

    private void AddSegment(long values)
    {
        bool isFirstOfCalled = !_isHosts && _segmentCount == 0;
        values = Math.Max(values, isFirstOfCalled ? FirstSegmentOfCalled : SegmentValues);
        long bytes = Counted(_segmentCount, values);
        _guard.Check(bytes);
        if (_segmentCount == _segments.Length)
        {
            Array.Resize(ref _segments, _segmentCount * 2);
        }

        Value* start = (Value*)NativeMemory.Alloc((nuint)values, (nuint)sizeof(Value));
        _segments[_segmentCount++] = new Segment { Start = start, Values = values };
        _guard.Count(bytes);
    }

    private ExecutionResult Finish(Code code, IReadOnlyDictionary<string, Data> before)
    {
        FlushGas();
        KeepGuards();
        ZexusValue value;
        ZexusValue? faultValue = null;
        Fault? fault = null;
        if (code == Code.Finished)
        {
            _world.EndExecution();
            value = ValueCopier.Copy(_result, _program, _guard);
        }
        else
        {
            _world.Abandon();
            fault = Faults.Of(code);
            value = ZexusValue.Null;
            faultValue = ValueCopier.Copy(_faultValue, _program, _guard);
        }

        IReadOnlyDictionary<string, Data> writes = _world.Writes();
        string output = _effects.TakeOutput();
        _heap.End();
        return new ExecutionResult(
            value,
            fault,
            faultValue,
            fault is null ? -1 : _faultFunction,
            fault is null ? -1 : _faultInstruction,
            _used,
            _steps,
            writes,
            before,
            _effects,
            output,
            _options.Block.Timestamp,
            _heap.Statistics(),
            _contract
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

    /// <summary>
    /// Every root there is: globals, the value stack, callbacks, what the execution has written, and what helpers protect. A collection may happen at any
    /// allocation and wherever memory beside the heap is asked for (<see cref="MemoryGuard.CheckAtSafepoint"/>), and then the rule is:
    /// <list type="bullet">
    /// <item>Every slot of the value stack's top segment below <c>_sp</c>, and of each lower segment below its
    /// <see cref="Segment.InUse"/>, holds a valid value: slots are Null before they are anything else. So the stack is
    /// traced as ranges, and the records of frames need not be current.</item>
    /// <item>Whoever calls something that may allocate, or ask, has stored its stack pointer in <c>_sp</c> before. What lies at or
    /// above <c>_sp</c> is no root.</item>
    /// <item>Operands stay below <c>_sp</c> until the instruction has its result; only then does <c>_sp</c> go down. The
    /// arguments of a callback lie above it until <see cref="Enter(FunctionCode*, VariableCell**, Value*, int, Value*, Frame*)"/>
    /// makes them slots of the frame, which allocates after that.</item>
    /// <item>A cell that a helper holds in a C# local across an allocation is one that these roots reach, or it is given to
    /// <see cref="CellHeap.Protect"/>. That includes a cell just made: make, protect, allocate, release.</item>
    /// <item>A cell is well formed whenever something is allocated: what tracing looks at is written before.</item>
    /// </list>
    /// </summary>
    void IRootSource.GiveRoots(CellHeap heap)
    {
        heap.AddRoots(_globals, _globals + _globalCount);
        for (int i = 0; i < _segment; i++)
        {
            heap.AddRoots(_segments[i].Start, _segments[i].InUse);
        }

        heap.AddRoots(_segments[_segment].Start, _sp);
        for (int i = 0; i < _callbackCount; i++)
        {
            heap.Protect(_callbacks[i].Subject);
            heap.Protect(_callbacks[i].Source);
            heap.Protect(_callbacks[i].Target);
        }

        _world.GiveRoots();
        heap.AddRoots(_virtualValues, _virtualValues + _virtualRoots);
        heap.Protect(_caller);
        heap.Protect(_result);
        heap.Protect(_faultValue);
    }

    AllocationSite IRootSource.Site
    {
        get
        {
            if (_frame == _frames && _frame->Function is null)
            {
                // The arguments of the entry function, before it has begun.
                return new AllocationSite(_entry, 0);
            }

            // A callback frame acts for the instruction below it that pushed it.
            bool isCode = _frame->Function is not null;
            Frame* frame = isCode ? _frame : _frame - 1;
            Instr* next = isCode ? _ip : frame->Ip;
            FunctionCode* function = frame->Function;
            int at = Math.Max(0, (int)(next - function->Code) - 1);
            return new AllocationSite(function->Number, function->Origins is null ? at : function->Origins[at].Source);
        }
    }
}
