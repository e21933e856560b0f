using System.Collections.Immutable;
using System.Numerics;
using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>A function, or a loop of it, is not compiled; the reason is for the statistics.</summary>
internal sealed class CompilationRefusedException(string reason) : Exception(reason)
{
    public const string Empty = "no instructions";
    public const string TooManyFreeSteps = "more instructions without gas than the step counter has room for";
    public const string TooManyInstructions = "too many instructions";
    public const string TooManyBlocks = "too many basic blocks";
    public const string TooMuchIl = "too much IL";
}

/// <summary>
/// Compiles a function, from its beginning or from the head of a loop that is running, to IL. One abstract interpretation over
/// kinds and intervals runs to its fixed point with emission off, then once more over each block with emission on.
/// </summary>
/// <remarks>
/// The method made is called as its <see cref="Convention"/> says. Gas is taken by the segment: a run of instructions that
/// ends behind one that may call the machine. An exit gives back what has not run.
/// </remarks>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>RyuJIT stops optimizing at 20,000 IL instructions or 2,000 basic blocks, exits included, and then is slower than the interpreter.</summary>
    private const int LargestIl = 19_000;
    private const int LargestBlockCount = 400;
    private const int LargestInstructionCount = 4_000;

    private const int MachineArgument = 0;
    private const int FrameArgument = 1;
    private const int SlotsArgument = 2;
    private const int CounterArgument = 3;

    private readonly JitProgram _jit;
    private readonly ZexusProgram _program;
    private readonly FunctionCode* _function;
    private readonly int _entry;
    private readonly bool _isLoop;
    private readonly ushort[] _observed;

    /// <summary>
    /// By instruction: what was seen there before the compilation. A copy, since code that runs meanwhile notes more, and emission must decide
    /// as following the code did.
    /// </summary>
    private readonly List<Seen> _seen = [];
    private readonly bool[] _nonNegative;
    private readonly (ElementGuess Elements, ElementGuess Inner)[] _elements;
    private readonly bool _assumeNothing;

    /// <summary>May callees and several turns of loops make the method larger than the function by itself?</summary>
    private readonly bool _mayGrow;
    private readonly int _piece;
    private readonly Il _il;
    private readonly DynamicMethod _method;
    private readonly ImmutableArray<(int Slot, int Kind)> _registers;
    private readonly Label _leave;
    private readonly LocalBuilder _counter;
    private readonly LocalBuilder _long;
    private readonly LocalBuilder _frame;
    private readonly LocalBuilder _machine;
    private readonly Dictionary<int, LocalBuilder> _payloads = [];
    private readonly Dictionary<int, LocalBuilder> _tags = [];
    private readonly Dictionary<int, LocalBuilder> _doubles = [];
    private readonly List<nint> _sites = [];
    private readonly List<int> _heights = [];
    private readonly bool _hasHandlers;
    private readonly List<Block?> _blockAt = [];
    private readonly List<Block> _blocks = [];

    private FrameState _state = null!;
    private Block _block = null!;
    private int _guards;
    private int _failingParameters;
    private Site* _mismatch;

    /// <summary>The kind of all results so far; null while nothing has returned. Of a loop's frame any.</summary>
    private int? _result;

    private FunctionCompiler(
        JitProgram jit,
        FunctionCode* function,
        int entry,
        bool isLoop,
        ushort[] observed,
        bool[] nonNegative,
        (ElementGuess, ElementGuess)[] elements,
        bool assumeNothing,
        bool mayGrow,
        bool mayVirtualize,
        IReadOnlySet<string> excluded,
        int piece
    )
    {
        _jit = jit;
        _program = jit.Program;
        _function = function;
        _entry = entry;
        _observed = observed;
        _nonNegative = nonNegative;
        _elements = elements;
        _isLoop = isLoop;
        _assumeNothing = assumeNothing;
        _mayGrow = mayGrow;
        _mayInline = mayGrow && !assumeNothing;
        _excluded = excluded;
        _places = jit.Options.CountExecutions ? new int[JitProgram.CountedKinds] : [];
        _piece = piece;
        _result = isLoop ? AbstractValue.Any : null;
        _registers = isLoop ? [] : RegisterParameters();
        _method = new DynamicMethod(
            $"zexus:{function->Number}:{entry}",
            typeof(long),
            new Convention { Registers = _registers, Result = AbstractValue.Any }.ParameterTypes(),
            typeof(Machine),
            skipVisibility: true
        );
        _method.InitLocals = false;
        ILGenerator generator = _method.GetILGenerator(4096);
        _il = new Il(generator);
        _counter = _il.NewLocal(typeof(long));
        _long = _il.NewLocal(typeof(long));
        _frame = _il.NewLocal(typeof(nint));
        _machine = _il.NewLocal(typeof(Machine));
        _leave = generator.DefineLabel();
        Activation own = Add(function);
        _hasHandlers = FindHeights(own);
        _mayInline &= !_hasHandlers;
        _mayVirtualize = _mayInline && mayVirtualize;
        FindBlocks(own, entry);
        _extent = _activations.Max(it => it.Base + it.Function->FrameSize);
        if (_blocks.Count == 0)
        {
            throw new CompilationRefusedException(CompilationRefusedException.Empty);
        }

        if (_blocks.Count > LargestBlockCount)
        {
            throw new CompilationRefusedException(CompilationRefusedException.TooManyBlocks);
        }
    }

    /// <summary>What is known of a whole frame, and of those of its callers in the method, at one point of the code.</summary>
    private sealed class FrameState(AbstractValue[] values, int top, Activation activation)
    {
        /// <summary>Variables and registers, then operands; above those the callee's, up to <see cref="Top"/>.</summary>
        public AbstractValue[] Values { get; } = values;

        /// <summary>The slot above the highest operand.</summary>
        public int Top { get; set; } = top;
        public Activation Activation { get; set; } = activation;

        /// <summary>Has it been asked whether there is room for calls?</summary>
        public bool HasRoom { get; set; }

        public FrameState Copy() => new([.. Values], Top, Activation) { HasRoom = HasRoom };
    }

    /// <summary>A basic block of the part that is compiled.</summary>
    private sealed class Block(int start)
    {
        public int Start { get; } = start;

        /// <summary>Behind its last instruction.</summary>
        public int End { get; set; }

        /// <summary>Null before anybody has asked.</summary>
        public List<Block>? Successors { get; set; }

        /// <summary>Its place among the blocks: a callee's are between the call and what follows. Only loops lead back.</summary>
        public int Number { get; set; }

        /// <summary>What is known when it is entered; null while nothing has reached it.</summary>
        public FrameState? Entry { get; set; }
        public int Joins { get; set; }
        public bool Pending { get; set; }
        public Label Label { get; set; }

        /// <summary>The first instruction of the segment that goes on to its end; -1 when none does.</summary>
        public int LastSegment { get; set; } = -1;

        /// <summary>What that segment takes for what follows the block.</summary>
        public long Ahead { get; set; }

        /// <summary>Has the block that leads here taken what the first segment takes?</summary>
        public bool IsPaidAhead { get; set; }

        /// <summary>Variables and registers that something may still read.</summary>
        public bool[] Live { get; set; } = [];

        /// <summary>May the machine be called for what could change a List's kind, length or buffer?</summary>
        public bool ChangesLists { get; set; }

        /// <summary>Of a loop's head: variables that are assumed to hold a List, and the instructions that use it.</summary>
        public Dictionary<int, int[]> AssumedLists { get; private init; } = [];

        /// <summary>By variable: what has been asked of its List before the loop that the block is in.</summary>
        public Dictionary<int, Hoist> Hoists { get; private init; } = [];

        /// <summary>The loop that the block is in, if that has several turns in the method, and the one of them that it is in.</summary>
        public UnrolledLoop? Unrolled { get; set; }
        public int Turn { get; private init; }

        /// <summary>The same for another turn of its loop.</summary>
        public Block Copy(int turn) =>
            new(Start)
            {
                End = End,
                Number = Number,
                Entry = Entry,
                LastSegment = LastSegment,
                Live = Live,
                AssumedLists = AssumedLists,
                Hoists = Hoists,
                Turn = turn,
            };
    }

    /// <summary>The method and its places, ready to be called.</summary>
    public static CompiledPiece Compile(
        JitProgram jit,
        FunctionCode* function,
        int entry,
        bool isLoop,
        ushort[] observed,
        bool[] nonNegative,
        (ElementGuess, ElementGuess)[] elements,
        bool assumeNothing,
        bool mayGrow,
        int piece
    )
    {
        HashSet<string> excluded = [];
        for (int round = 0; ; round++)
        {
            FunctionCompiler compiler = new(
                jit,
                function,
                entry,
                isLoop,
                observed,
                nonNegative,
                elements,
                assumeNothing,
                mayGrow,
                mayVirtualize: round < MostRounds,
                excluded,
                piece
            );
            if (compiler.TryMake() is { } made)
            {
                return made;
            }

            excluded.UnionWith(compiler._escaped);
        }
    }

    /// <summary>The piece; null when an object that was to be virtual is not.</summary>
    private CompiledPiece? TryMake()
    {
        bool isMade = false;
        try
        {
            FindLiveness();
            Follow();
            FindHoists();
            if (_escaped.Count == 0)
            {
                UnrollLoops();
                FindGasAhead();
                Emit();
            }

            if (_escaped.Count > 0)
            {
                return null;
            }

            CompiledPiece piece = new(
                _method,
                _function,
                new Convention { Registers = _registers, Result = ResultKind },
                _mismatch,
                _failingParameters,
                [.. _sites],
                [.. _records],
                _guards,
                _il.Count,
                _places
            );
            isMade = true;
            return piece;
        }
        finally
        {
            if (!isMade)
            {
                FreeSites();
            }
        }
    }

    private int ResultKind => _result ?? AbstractValue.Any;

    /// <summary>The slot of the first operand.</summary>
    private int Slots => _state.Activation.Operands;

    private AbstractValue[] Values => _state.Values;

    private Instr* At(int index) => _owners[index].Function->Code + (index - _owners[index].Offset);

    /// <summary>What was seen at an instruction.</summary>
    private Seen* SeenAt(int index) => _jit.SeenAt(_owners[index].Function, index - _owners[index].Offset);

    /// <summary>The number of a jump's target.</summary>
    private int TargetOf(int index, Instr* target) =>
        _owners[index].Offset + (int)(target - _owners[index].Function->Code);

    /// <summary>Heights of a whole function, as validation found them; tells whether it has handlers.</summary>
    private bool FindHeights(Activation activation)
    {
        FunctionCode* function = activation.Function;
        int length = function->CodeLength;
        if (length > LargestInstructionCount)
        {
            throw new CompilationRefusedException(CompilationRefusedException.TooManyInstructions);
        }

        _seen.AddRange(new ReadOnlySpan<Seen>(_jit.SeenAt(function, 0), length));
        _heights.AddRange(Enumerable.Repeat(-1, length));
        _blockAt.AddRange(Enumerable.Repeat<Block?>(null, length));
        bool hasHandlers = false;
        Stack<(int At, int Height)> pending = new([(activation.Offset, 0)]);
        while (pending.TryPop(out (int At, int Height) next))
        {
            int i = next.At;
            Instr* at = At(i);

            // The end has any height.
            if (_heights[i] >= 0 || (Op)at->Op == Op.End)
            {
                _heights[i] = Math.Max(_heights[i], next.Height);
                continue;
            }

            _heights[i] = next.Height;
            (int pops, int pushes) = InstructionEffects.Of(at);
            int after = next.Height - pops + pushes;
            if (InstructionEffects.TryTarget(at, out Instr* target))
            {
                bool handler = (Op)at->Op == Op.SetupTry;
                hasHandlers |= handler;
                pending.Push((TargetOf(i, target), handler ? after + 1 : after));
            }

            if (InstructionEffects.FallsThrough(at))
            {
                pending.Push((i + 1, after));
            }
        }

        return hasHandlers;
    }

    /// <summary>Blocks of what is reachable from the entry without a fault.</summary>
    private void FindBlocks(Activation activation, int entry)
    {
        HashSet<int> seen = [];
        HashSet<int> leaders = [entry];
        Stack<int> work = new([entry]);
        while (work.TryPop(out int i))
        {
            if (!seen.Add(i))
            {
                continue;
            }

            Instr* at = At(i);
            if ((Op)at->Op == Op.End)
            {
                leaders.Add(i);
            }

            if ((Op)at->Op != Op.SetupTry && InstructionEffects.TryTarget(at, out Instr* target))
            {
                int to = TargetOf(i, target);
                leaders.Add(to);
                work.Push(to);
                leaders.Add(i + 1);
            }

            ConsiderInlining(i, activation);
            ConsiderVirtual(i, activation);
            if (_inlined.ContainsKey(i))
            {
                leaders.Add(i + 1);
            }

            if (InstructionEffects.FallsThrough(at))
            {
                work.Push(i + 1);
            }
        }

        // The end is no block: each way to it returns by itself.
        foreach (int start in leaders.Where(i => seen.Contains(i) && (Op)At(i)->Op != Op.End).Order())
        {
            Block block = new(start);
            int end = start;
            do
            {
                end++;
            } while (
                InstructionEffects.FallsThrough(At(end - 1))
                && !InstructionEffects.IsBranch(At(end - 1))
                && !leaders.Contains(end)
            );

            block.End = end;
            block.Number = _blocks.Count;
            _blocks.Add(block);
            _blockAt[start] = block;
            if (_inlined.TryGetValue(end - 1, out Activation? callee))
            {
                FindBlocks(callee, callee.Offset);
            }
        }
    }

    private List<Block> Successors(Block block) => block.Successors ??= SuccessorsOf(block);

    private List<Block> SuccessorsOf(Block block)
    {
        int last = block.End - 1;
        List<Block> successors = [];
        if (_inlined.TryGetValue(last, out Activation? callee))
        {
            Add(callee.Offset);
            return successors;
        }

        if ((Op)At(last)->Op != Op.SetupTry && InstructionEffects.TryTarget(At(last), out Instr* target))
        {
            Add(TargetOf(last, target));
        }

        if (InstructionEffects.FallsThrough(At(last)))
        {
            Add(block.End);
        }

        if ((Op)At(last)->Op == Op.Return)
        {
            Return(_owners[last]);
        }

        return successors;

        void Add(int i)
        {
            if ((Op)At(i)->Op == Op.End)
            {
                Return(_owners[i]);
            }
            else
            {
                successors.Add(BlockAt(block, i));
            }
        }

        void Return(Activation from)
        {
            if (from.Caller is not null)
            {
                Add(from.Call + 1);
            }
        }
    }

    /// <summary>Backwards over the blocks. Where faults can be caught, a handler may read anything.</summary>
    private void FindLiveness()
    {
        bool[][] reads = new bool[_blocks.Count][];
        bool[][] writes = new bool[_blocks.Count][];
        foreach (Block block in _blocks)
        {
            // Operands are all read.
            Activation activation = _owners[block.Start];
            block.Live = new bool[_extent];
            for (int s = 0; s < _extent; s++)
            {
                block.Live[s] = _hasHandlers || !activation.HasVariable(s);
            }

            (reads[block.Number], writes[block.Number]) = UsesOf(block);
        }

        bool changed = !_hasHandlers;
        while (changed)
        {
            changed = false;
            for (int b = _blocks.Count - 1; b >= 0; b--)
            {
                Block block = _blocks[b];
                for (int s = 0; s < _extent; s++)
                {
                    if (!block.Live[s] && (reads[b][s] || (!writes[b][s] && IsReadBehind(block, s))))
                    {
                        block.Live[s] = true;
                        changed = true;
                    }
                }
            }
        }
    }

    private bool IsReadBehind(Block block, int slot)
    {
        foreach (Block successor in Successors(block))
        {
            if (successor.Live[slot] && _owners[successor.Start].HasVariable(slot))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The variables and registers that a block reads before it writes them, and those that it writes.</summary>
    private (bool[] Reads, bool[] Writes) UsesOf(Block block)
    {
        bool[] reads = new bool[_extent];
        bool[] writes = new bool[_extent];
        for (int i = block.End - 1; i >= block.Start; i--)
        {
            (int written, int read, int other) = FrameUses(i);
            if (written >= 0)
            {
                reads[written] = false;
                writes[written] = true;
            }

            if (read >= 0)
            {
                reads[read] = true;
            }

            if (other >= 0)
            {
                reads[other] = true;
            }

            foreach (int slot in CellReads(i))
            {
                reads[slot] = true;
            }

            if ((Op)At(i)->Op == Op.TakeCharges)
            {
                // Sizes of variables: which, the list knows.
                Array.Fill(reads, true);
            }
        }

        return (reads, writes);
    }

    /// <summary>The slots that an instruction writes and reads as variables or registers; -1 for none.</summary>
    private (int Written, int Read, int Other) FrameUses(int i)
    {
        int first = _owners[i].Base;
        (int written, int read, int other) = FrameUses(At(i));
        return (Slot(written), Slot(read), Slot(other));

        int Slot(int slot) => slot < 0 ? slot : first + slot;
    }

    private static (int Written, int Read, int Other) FrameUses(Instr* at)
    {
        const int Size = 16;
        switch ((Op)at->Op)
        {
            case Op.LoadLocal:
            case Op.PushReg:
            case Op.CallLocal:
                return (-1, at->A / Size, -1);
            case Op.StoreLocal:
            case Op.PopReg:
            case Op.LoadReg:
                return (at->A / Size, -1, -1);
            case Op.StoreConst:
            case Op.StoreFunction:
                return ((PlaceKind)(at->A & 3) == PlaceKind.Local ? at->A >> 2 : -1, -1, -1);
            case Op.LoadVarReg:
                return (at->A / Size, (PlaceKind)(at->B & 3) == PlaceKind.Local ? at->B >> 2 : -1, -1);
            case Op.StoreReg:
                return ((PlaceKind)(at->B & 3) == PlaceKind.Local ? at->B >> 2 : -1, at->A / Size, -1);
            case Op.MovReg:
            case Op.NotReg:
            case Op.NegReg:
            case Op.CheckedNegReg:
                return (at->A / Size, at->B / Size, -1);
            case Op.AddReg:
            case Op.SubReg:
            case Op.MulReg:
            case Op.DivReg:
            case Op.ModReg:
            case Op.PowReg:
            case Op.EqReg:
            case Op.NeqReg:
            case Op.LtReg:
            case Op.GtReg:
            case Op.LteReg:
            case Op.GteReg:
            case Op.AndReg:
            case Op.OrReg:
            case Op.CheckedAddReg:
            case Op.CheckedSubReg:
            case Op.CheckedMulReg:
            case Op.CheckedDivReg:
                return (at->A / Size, at->B / Size, at->C / Size);
            default:
                return (-1, -1, -1);
        }
    }

    /// <summary>Runs to the fixed point without emitting.</summary>
    private void Follow()
    {
        Block entry = _blockAt[_entry]!;
        entry.Entry = EntryState(entry);
        AssumeLists(entry.Entry, entry);
        PriorityQueue<Block, int> pending = new();
        pending.Enqueue(entry, entry.Number);
        _enqueue = block =>
        {
            if (!block.Pending)
            {
                block.Pending = true;
                pending.Enqueue(block, block.Number);
            }
        };
        Drain();
        if (_result is null)
        {
            // Nothing returns; what calls itself must be followed to its end all the same.
            _result = AbstractValue.Any;
            foreach (Block block in _awaitingResult)
            {
                _enqueue(block);
            }

            Drain();
        }

        void Drain()
        {
            while (pending.TryDequeue(out Block? block, out _))
            {
                block.Pending = false;
                Walk(block);
            }
        }
    }

    // Blocks that call the function itself: what they go on with depends on the kind of its result.
    private readonly HashSet<Block> _awaitingResult = [];

    private Action<Block> _enqueue = static _ => { };

    private int ObservedKind(int slot) =>
        !_assumeNothing && BitOperations.IsPow2(_observed[slot])
            ? BitOperations.Log2(_observed[slot])
            : AbstractValue.Any;

    /// <summary>The parameters that come in registers: the first of those whose kind is assumed.</summary>
    private ImmutableArray<(int Slot, int Kind)> RegisterParameters() =>
        [
            .. Enumerable
                .Range(0, _function->Parameters)
                .Select(slot => (Slot: slot, Kind: ObservedKind(slot)))
                .Where(parameter => parameter.Kind is not (AbstractValue.Any or (int)Tag.Null or (int)Tag.Variable))
                .Take(Convention.MostRegisters),
        ];

    private FrameState EntryState(Block block)
    {
        int top = _function->Slots + _heights[_entry];
        AbstractValue[] values = new AbstractValue[Width];
        Array.Fill(values, new AbstractValue { Kind = AbstractValue.Dead, Clean = true }, _extent, _parts);
        for (int s = 0; s < top; s++)
        {
            int kind;
            if (!block.Live[s])
            {
                kind = AbstractValue.Dead;
            }
            else if (!_isLoop && s >= _function->Parameters)
            {
                // A new frame: everything but its parameters is Null.
                kind = (int)Tag.Null;
            }
            else
            {
                kind = ObservedKind(s);
            }

            values[s] = AbstractValue.OfKind(kind);
            values[s].Clean = true;
            (values[s].Elements, values[s].Inner) = _elements[s];
            if (kind == (int)Tag.Int && _nonNegative[s])
            {
                values[s].Low = 0;
            }
        }

        return new FrameState(values, top, _activations[0]);
    }

    private void Emit()
    {
        _il.Enabled = true;
        _jit.Options.Emitting?.Invoke(_method.GetILGenerator());
        foreach (Block block in _blocks)
        {
            block.Label = _il.NewLabel();
        }

        EmitEntry();
        Block first = _blockAt[_entry]!;
        if (_blocks.First(block => block.Entry is not null) != first)
        {
            _il.Branch(OpCodes.Br, first.Label);
        }

        foreach (Block block in _blocks)
        {
            // What nothing reaches with the kinds that there are is not compiled.
            if (block.Entry is null)
            {
                continue;
            }

            _il.Mark(block.Label);
            Walk(block);
            if (_il.Count > LargestIl)
            {
                throw new CompilationRefusedException(CompilationRefusedException.TooMuchIl);
            }
        }

        _il.EmitCold();
        _il.Mark(_leave);
        _il.Load(_counter);
        _il.Op(OpCodes.Ret);
        if (_il.Count > LargestIl)
        {
            throw new CompilationRefusedException(CompilationRefusedException.TooMuchIl);
        }
    }

    /// <summary>Loads what is live, and leaves at once when a kind is not the one that was assumed.</summary>
    private void EmitEntry()
    {
        _state = _blockAt[_entry]!.Entry!.Copy();
        _il.Argument(CounterArgument);
        _il.Store(_counter);
        _il.Argument(MachineArgument);
        _il.Store(_machine);
        _il.AddressOf(_frame);
        _il.Argument(FrameArgument);
        _il.Volatile(OpCodes.Stind_I);
        if (_jit.Options.CountExecutions)
        {
            Increment(_jit.EntryCounter(_piece));
        }

        FrameState observed = EntryState(_blockAt[_entry]!);
        bool newFrame = !_isLoop;
        if (newFrame && _hasHandlers)
        {
            Call(
                nameof(Machine.EnterWithHandlers),
                () =>
                {
                    _il.Address(_function);
                    PushFrame();
                    _il.Argument(SlotsArgument);
                }
            );
        }

        if (newFrame && !_function->HasCells)
        {
            // Every slot below the operands holds a value from now on, and before the first guard: behind its exit a collection looks at them.
            ClearSlots(0, _function->Parameters, _function->Slots);
        }

        for (int s = 0; s < observed.Top; s++)
        {
            ref AbstractValue value = ref observed.Values[s];
            int register = _registers.IndexOf(_registers.FirstOrDefault(it => it.Slot == s));
            if (register >= 0)
            {
                // Whoever enters from outside looks at the kind; it is a guard like the others.
                _failingParameters |= IsFailing(_guards) ? 1 << register : 0;
                _guards++;
                if (value.Kind != AbstractValue.Dead)
                {
                    _il.Argument(Members.FirstRegister + register);
                    if (value.IsFloat)
                    {
                        _il.Call(Members.LongToDouble);
                    }

                    _il.Store(value.IsFloat ? DoubleOf(s) : PayloadOf(s));
                }

                continue;
            }

            if (value.Kind == AbstractValue.Dead || (newFrame && s >= _function->Parameters))
            {
                continue;
            }

            if (value.Kind == AbstractValue.Any)
            {
                LoadSlotTag(s);
                _il.Store(TagOf(s));
            }
            else
            {
                LoadSlotTag(s);
                _il.Long(value.Kind);
                Guard(OpCodes.Bne_Un, _entry, ExitKind.Kind, observed, giveBack: 0, asker: NoInstruction);
            }

            LoadSlotPayload(s);
            if (value.IsFloat)
            {
                _il.Call(Members.LongToDouble);
                _il.Store(DoubleOf(s));
            }
            else
            {
                _il.Store(PayloadOf(s));
                if (value.Kind == (int)Tag.Int && value.Low == 0)
                {
                    _il.Load(PayloadOf(s));
                    _il.Long(0);
                    Guard(OpCodes.Blt, _entry, ExitKind.Range, observed, giveBack: 0, asker: NoInstruction);
                }
            }
        }

        _mismatch = _registers.IsEmpty ? null : NewSite(_entry, ExitKind.Kind, observed.Top - Slots, NoInstruction);

        // The block at the entry may be the head of a loop and know less than its first arrival does.
        _state = observed;
        Block first = _blockAt[_entry]!;
        Convert(observed, first);
        EnterLoops(null, first);
    }

    private void FreeSites()
    {
        foreach (nint site in _sites)
        {
            System.Runtime.InteropServices.NativeMemory.Free((void*)site);
        }

        foreach (nint record in _records)
        {
            System.Runtime.InteropServices.NativeMemory.Free((void*)record);
        }
    }
}
