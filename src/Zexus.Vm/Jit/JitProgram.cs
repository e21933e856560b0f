using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// What is compiled of one program under one set of options, shared by every <see cref="Vm"/> that runs it, and what was seen
/// on the way.
/// </summary>
internal sealed unsafe class JitProgram
{
    private const string Entry = "Entry";

    /// <summary>Closures and variables that compiled code had not allocated and an exit has.</summary>
    internal const string MadeClosure = nameof(MadeClosure);
    internal const string MadeVariable = nameof(MadeVariable);

    private readonly Lock _lock = new();
    private readonly Dictionary<(int Function, int Entry, bool Loop), EntryProfile> _profiles = [];
    private readonly List<CompiledPiece?> _pieces = [];
    private readonly List<bool> _areLoops = [];
    private readonly List<nint> _counters = [];
    private readonly Dictionary<string, int> _refusals = [];
    private readonly Dictionary<string, int> _failures = [];
    private readonly Seen*[] _seen;
    private readonly Dictionary<(int Function, Convention Convention), nint> _codes = [];
    private readonly EntryPoint** _entries;
    private readonly EntryPoint** _loopEntries;
    private readonly long* _counted;
    private long _compileTicks;
    private int _invalidated;

    public JitProgram(ZexusProgram program, JitOptions options, JitCache cache)
    {
        options.Check();
        Program = program;
        Options = options;
        Cache = cache;
        _seen = new Seen*[program.FunctionCount];
        _entries = (EntryPoint**)NativeMemory.AllocZeroed((nuint)program.FunctionCount + 1, (nuint)sizeof(nint));
        _loopEntries = (EntryPoint**)NativeMemory.AllocZeroed((nuint)program.LoopCount + 1, (nuint)sizeof(nint));
        _counted = (long*)NativeMemory.AllocZeroed((nuint)CountedKinds, sizeof(long));
    }

    ~JitProgram()
    {
        foreach (CompiledPiece? piece in _pieces ?? [])
        {
            piece?.Free();
        }

        foreach (nint counter in _counters ?? [])
        {
            NativeMemory.Free((void*)counter);
        }

        foreach (KeyValuePair<(int Function, Convention Convention), nint> code in _codes ?? [])
        {
            NativeMemory.Free((void*)code.Value);
        }

        for (int i = 0; i < (_seen?.Length ?? 0); i++)
        {
            NativeMemory.Free(_seen![i]);
        }

        NativeMemory.Free(_entries);
        NativeMemory.Free(_loopEntries);
        NativeMemory.Free(_counted);
    }

    private const int OpcodeCount = (int)Op.Print + 1;

    public ZexusProgram Program { get; }

    public JitOptions Options { get; }

    public JitCache Cache { get; }

    /// <summary>The cache has let go of it: the next execution will have another in its place.</summary>
    public volatile bool IsEvicted;

    /// <summary>The number of its last use among those of the cache.</summary>
    public long LastUse;

    /// <summary>What the cache counts for it, under the cache's lock.</summary>
    public long CachedIlInstructions;

    /// <summary>What is known of one entry into compiled code.</summary>
    private sealed class EntryProfile(int slots)
    {
        /// <summary>By slot: kinds that it had when compilation was asked for.</summary>
        public ushort[] Seen { get; } = new ushort[slots];

        /// <summary>By slot: was it never a negative Int?</summary>
        public bool[] NonNegative { get; } = [.. Enumerable.Repeat(true, slots)];

        /// <summary>By slot: how its Lists stored their items, and those of the first of them if it was a List.</summary>
        public (ElementGuess Elements, ElementGuess Inner)[] Elements { get; } =
        [.. Enumerable.Repeat((ElementGuess.Empty, ElementGuess.Empty), slots)];
        public int Compilations { get; set; }
        public bool Busy { get; set; }
        public bool Refused { get; set; }
    }

    /// <summary>Where a function's compiled code is entered; null while there is none.</summary>
    public EntryPoint* EntryOf(int function) => _entries[function];

    public EntryPoint* LoopEntryOf(int loop) => _loopEntries[loop];

    /// <summary>How a function's compiled code is called; null while there is none. Only the compiler asks, under the lock.</summary>
    public Convention? ConventionOf(int function)
    {
        EntryPoint* entry = _entries[function];
        return entry == null ? null : _pieces[entry->Piece]!.Convention;
    }

    /// <summary>Where the address of a function's code stands as long as it is called in one way; zero else.</summary>
    public nint* CodeOf(int function, Convention convention)
    {
        if (!_codes.TryGetValue((function, convention), out nint code))
        {
            code = (nint)NativeMemory.AllocZeroed((nuint)sizeof(nint));
            _codes.Add((function, convention), code);
        }

        return (nint*)code;
    }

    /// <summary>From now on this is the function's code, if any is.</summary>
    private void Install(int function, CompiledPiece? piece)
    {
        foreach (((int of, Convention convention), nint code) in _codes)
        {
            if (of == function)
            {
                *(nint*)code = piece?.Convention.Equals(convention) == true ? piece.Entry->Code : 0;
            }
        }

        if (piece is not null)
        {
            *CodeOf(function, piece.Convention) = piece.Entry->Code;
        }

        _entries[function] = piece is null ? null : piece.Entry;
    }

    /// <summary>What is counted where compiled code does it: operations, then what it does where the machine has a rule.</summary>
    public static readonly int CountedKinds = OpcodeCount + Enum.GetValues<ShortWay>().Length;

    public static int NumberOf(Op op) => (int)op;

    public static int NumberOf(ShortWay way) => OpcodeCount + (int)way;

    private static string NameOf(int counted) =>
        counted < OpcodeCount ? ((Op)counted).ToString() : ((ShortWay)(counted - OpcodeCount)).ToString();

    public long* CounterOf(int counted) => _counted + counted;

    public long* EntryCounter(int piece) => (long*)_counters[piece];

    public Seen* SeenAt(FunctionCode* function, int instruction)
    {
        ref Seen* seen = ref _seen[function->Number];
        if (seen == null)
        {
            seen = (Seen*)NativeMemory.AllocZeroed((nuint)function->CodeLength, (nuint)sizeof(Seen));
        }

        return seen + instruction;
    }

    /// <summary>
    /// Compiles, or lets compile, what begins at an instruction of the frame that is there now; the address when it is ready.
    /// </summary>
    /// <param name="function">The function.</param>
    /// <param name="instruction">The first instruction of the function or of a loop.</param>
    /// <param name="loop">The loop's number; -1 for a function.</param>
    /// <param name="slots">The frame's slots and operands.</param>
    /// <param name="count">How many there are.</param>
    public EntryPoint* Request(FunctionCode* function, int instruction, int loop, Value* slots, int count)
    {
        EntryPoint** target = loop < 0 ? _entries + function->Number : _loopEntries + loop;
        EntryProfile? profile;
        ushort[] seen;
        bool[] nonNegative;
        (ElementGuess, ElementGuess)[] elements;
        if (!TryEnter())
        {
            return *target;
        }

        try
        {
            if (!_profiles.TryGetValue((function->Number, instruction, loop >= 0), out profile))
            {
                profile = new EntryProfile(function->FrameSize);
                _profiles.Add((function->Number, instruction, loop >= 0), profile);
            }

            if (*target != null || profile.Busy || profile.Refused)
            {
                return *target;
            }

            int known = loop < 0 ? Math.Min(count, function->Parameters) : count;
            for (int s = 0; s < known; s++)
            {
                profile.Seen[s] |= (ushort)(1 << (int)slots[s].Tag);
                profile.NonNegative[s] &= slots[s].Tag != Tag.Int || (slots[s].Payload >= 0 && loop >= 0);
                if (slots[s].Tag == Tag.List)
                {
                    ListCell* list = slots[s].List;
                    profile.Elements[s] = (
                        profile.Elements[s].Elements.Join(ElementGuesses.Of(list)),
                        profile.Elements[s].Inner.Join(ElementGuesses.InnerOf(list))
                    );
                }
            }

            profile.Busy = true;
            seen = [.. profile.Seen];
            nonNegative = [.. profile.NonNegative];
            elements = [.. profile.Elements];
        }
        finally
        {
            _lock.Exit();
        }

        if (Options.Background)
        {
            _ = Task.Run(() => Compile(function, instruction, loop, profile, seen, nonNegative, elements));
            return null;
        }

        Compile(function, instruction, loop, profile, seen, nonNegative, elements);
        return *target;
    }

    /// <summary>
    /// Takes the lock for an execution, which does not wait for what is compiled in the background: it asks, or counts its exit, another time.
    /// </summary>
    private bool TryEnter()
    {
        if (Options.Background)
        {
            return _lock.TryEnter();
        }

        _lock.Enter();
        return true;
    }

    private void Compile(
        FunctionCode* function,
        int instruction,
        int loop,
        EntryProfile profile,
        ushort[] seen,
        bool[] nonNegative,
        (ElementGuess, ElementGuess)[] elements
    )
    {
        // One at a time: what was seen is read and written without further care.
        lock (_lock)
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            int number = _pieces.Count;
            _pieces.Add(null);
            _areLoops.Add(loop >= 0);
            _counters.Add((nint)NativeMemory.AllocZeroed(sizeof(long)));
            profile.Compilations++;
            try
            {
                CompiledPiece piece;
                try
                {
                    piece = Compile(mayGrow: true);
                }
                catch (CompilationRefusedException)
                {
                    // By itself, without callees and with one turn of each loop, it may be small enough.
                    piece = Compile(mayGrow: false);
                }

                _pieces[number] = piece;
                piece.Entry->Piece = number;
                if (loop < 0)
                {
                    Install(function->Number, piece);
                }
                else
                {
                    _loopEntries[loop] = piece.Entry;
                }
                Cache.Grow(this, piece.IlCount);
            }
            catch (CompilationRefusedException refused)
            {
                profile.Refused = true;
                _refusals[refused.Message] = _refusals.GetValueOrDefault(refused.Message) + 1;
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                // Whatever is wrong with the compiler, the interpreter does without. A check looks for it.
                profile.Refused = true;
                _failures[error.ToString()] = _failures.GetValueOrDefault(error.ToString()) + 1;
            }
            finally
            {
                profile.Busy = false;
                _compileTicks += System.Diagnostics.Stopwatch.GetTimestamp() - start;
            }

            CompiledPiece Compile(bool mayGrow) =>
                FunctionCompiler.Compile(
                    this,
                    function,
                    instruction,
                    isLoop: loop >= 0,
                    seen,
                    nonNegative,
                    elements,
                    assumeNothing: profile.Compilations >= Options.CompilationsPerEntry,
                    mayGrow,
                    number
                );
        }
    }

    /// <summary>An exit was taken: after too many the piece is left to those who are in it and compiled anew.</summary>
    public void Exited(Site* site)
    {
        if (!TryEnter())
        {
            return;
        }

        try
        {
            CompiledPiece piece = _pieces[site->Piece]!;
            if (++piece.Exits >= Options.ExitsBeforeRecompilation)
            {
                Drop(piece);
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>
    /// Is a call's callee compiled by now, and the call not made for that? Then its piece is left to those who are in it and compiled anew.
    /// </summary>
    /// <param name="site">The call.</param>
    /// <param name="function">The one function that was called there.</param>
    public bool Respecializes(Site* site, int function)
    {
        EntryPoint* callee = _entries[function];
        bool isDirect = site->Code != null && *site->Code != 0;
        if (callee == null || isDirect || site->Taken < Options.ExitsBeforeRecompilation || !TryEnter())
        {
            return false;
        }

        try
        {
            Drop(_pieces[site->Piece]!);
            return true;
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void Drop(CompiledPiece piece)
    {
        if (_entries[piece.Function->Number] == piece.Entry)
        {
            Install(piece.Function->Number, null);
            _invalidated++;
        }

        for (int i = 0; i < Program.LoopCount; i++)
        {
            if (_loopEntries[i] == piece.Entry)
            {
                _loopEntries[i] = null;
                _invalidated++;
            }
        }
    }

    /// <summary>All that was compiled, in order.</summary>
    public CompiledPiece[] Pieces()
    {
        lock (_lock)
        {
            return [.. _pieces.OfType<CompiledPiece>()];
        }
    }

    /// <summary>A copy of all counts.</summary>
    public JitStatistics Statistics()
    {
        lock (_lock)
        {
            Dictionary<string, long> exits = [];
            Dictionary<string, long> loopExits = [];
            Dictionary<string, long> inlinedExits = [];
            Dictionary<string, long> made = new() { [MadeClosure] = 0, [MadeVariable] = 0 };
            Dictionary<(string, ExitKind), (long Compiled, long Taken)> ways = [];
            long nestedExits = 0;
            Dictionary<string, long> opcodes = [];
            Dictionary<string, long> compiledPlaces = [];
            long[] places = new long[CountedKinds];
            long entered = 0;
            long loopsEntered = 0;
            int guards = 0;
            long il = 0;
            int compiled = 0;
            for (int i = 0; i < _pieces.Count; i++)
            {
                if (_pieces[i] is not { } piece)
                {
                    continue;
                }

                compiled++;
                entered += *(long*)_counters[i];
                loopsEntered += _areLoops[i] ? *(long*)_counters[i] : 0;
                guards += piece.Guards;
                il += piece.IlCount;
                for (int counted = 0; counted < piece.Places.Length; counted++)
                {
                    places[counted] += piece.Places[counted];
                }

                foreach (nint at in piece.Sites)
                {
                    Site* site = (Site*)at;
                    if (site->Objects != null && site->Taken > 0)
                    {
                        made[MadeClosure] += site->Taken * site->Objects->Closures;
                        made[MadeVariable] += site->Taken * (site->Objects->ShapeCount - site->Objects->Closures);
                    }

                    if (site->Exit != ExitKind.None)
                    {
                        string name = site->Exit.ToString();
                        exits[name] = exits.GetValueOrDefault(name) + site->Taken;
                        ref (long Compiled, long Taken) way = ref CollectionsMarshal.GetValueRefOrAddDefault(
                            ways,
                            (site->Asker == null ? Entry : ((Op)site->Asker->Op).ToString(), site->Exit),
                            out _
                        );
                        way = (way.Compiled + 1, way.Taken + site->Taken);
                        if (_areLoops[i])
                        {
                            loopExits[name] = loopExits.GetValueOrDefault(name) + site->Taken;
                        }

                        if (site->Callers != null)
                        {
                            inlinedExits[name] = inlinedExits.GetValueOrDefault(name) + site->Taken;
                            nestedExits += site->Callers->Outer != null ? site->Taken : 0;
                        }
                    }
                }
            }

            for (int counted = 0; counted < CountedKinds; counted++)
            {
                if (_counted[counted] > 0)
                {
                    opcodes[NameOf(counted)] = _counted[counted];
                }

                if (places[counted] > 0)
                {
                    compiledPlaces[NameOf(counted)] = places[counted];
                }
            }

            foreach ((string name, long count) in made.Where(it => it.Value > 0))
            {
                opcodes[name] = count;
            }

            return new JitStatistics
            {
                Pieces = compiled,
                Entered = entered,
                LoopsEntered = loopsEntered,
                Guards = guards,
                LargestGuardCount = _pieces.Max(piece => piece?.Guards) ?? 0,
                IlInstructions = il,
                Invalidated = _invalidated,
                CompileTime = TimeSpan.FromSeconds((double)_compileTicks / System.Diagnostics.Stopwatch.Frequency),
                Exits = exits.ToImmutableSortedDictionary(StringComparer.Ordinal),
                LoopExits = loopExits.ToImmutableSortedDictionary(StringComparer.Ordinal),
                InlinedExits = inlinedExits.ToImmutableSortedDictionary(StringComparer.Ordinal),
                NestedExits = nestedExits,
                ExitsByOperation =
                [
                    .. ways.Select(way => new OperationExits(
                            way.Key.Item1,
                            way.Key.Item2.ToString(),
                            way.Value.Compiled,
                            way.Value.Taken
                        ))
                        .OrderBy(way => (way.Operation, way.Exit)),
                ],
                Compiled = compiledPlaces.ToImmutableSortedDictionary(StringComparer.Ordinal),
                Executed = opcodes.ToImmutableSortedDictionary(StringComparer.Ordinal),
                Refusals = _refusals.ToImmutableSortedDictionary(StringComparer.Ordinal),
                Failures = _failures.ToImmutableSortedDictionary(StringComparer.Ordinal),
            };
        }
    }
}

/// <summary>
/// Side exits for one reason at one operation, or <c>Entry</c> where a frame is not what was assumed of it when its code was entered: how many
/// the compiled code has, and how often they were taken.
/// </summary>
public readonly record struct OperationExits(string Operation, string Exit, long Compiled, long Taken);

/// <summary>What was compiled of a program and how it went. Counts of several threads may miss a few.</summary>
public sealed record JitStatistics
{
    /// <summary>
    /// The operations that compiled code has code for, and what it does by itself where the machine has a rule, as <see cref="Executed"/> names
    /// them.
    /// </summary>
    public static ImmutableArray<string> Operations { get; } =
    [
        // The end is no instruction, and what the interpreter does in one stride is several to the compiler.
        .. Enum.GetValues<Op>()
            .Where(op => op is not Op.End and not (>= Op.EqRegJump and <= Op.EnterThreaded))
            .Select(op => op.ToString()),
        .. Enum.GetNames<ShortWay>(),
        JitProgram.MadeClosure,
        JitProgram.MadeVariable,
    ];

    /// <summary>The kinds of side exits, as <see cref="Exits"/> names them.</summary>
    public static ImmutableArray<string> ExitKinds { get; } =
    [.. Enum.GetValues<ExitKind>().Where(kind => kind is not ExitKind.None).Select(kind => kind.ToString())];

    /// <summary>The same of callees that are compiled into their callers, which are not entered before there is room for all calls in them.</summary>
    public static ImmutableArray<string> InlinedExitKinds { get; } = ExitKinds.Remove(nameof(ExitKind.Room));

    /// <summary>Of <see cref="Refusals"/>: what there is nothing to compile of, or no way to count the steps of.</summary>
    public static ImmutableArray<string> RefusalsByMeaning { get; } =
    [CompilationRefusedException.Empty, CompilationRefusedException.TooManyFreeSteps];

    /// <summary>Of <see cref="Refusals"/>: what is too large. Others than these are errors of this library.</summary>
    public static ImmutableArray<string> RefusalsBySize { get; } =
    [
        CompilationRefusedException.TooManyInstructions,
        CompilationRefusedException.TooManyBlocks,
        CompilationRefusedException.TooMuchIl,
    ];

    /// <summary>Pieces of compiled code: functions, and loops entered while they ran.</summary>
    public required int Pieces { get; init; }

    /// <summary>Entries into them; zero unless <see cref="JitOptions.CountExecutions"/>.</summary>
    public required long Entered { get; init; }

    /// <summary>Those of them into a loop that was running: on-stack replacements.</summary>
    public required long LoopsEntered { get; init; }

    /// <summary>Guards in them, together.</summary>
    public required int Guards { get; init; }

    /// <summary>Guards in the piece that has the most.</summary>
    public required int LargestGuardCount { get; init; }

    /// <summary>IL instructions, together.</summary>
    public required long IlInstructions { get; init; }

    /// <summary>Pieces that were given up for new ones.</summary>
    public required int Invalidated { get; init; }

    /// <summary>Time in the compiler and in RyuJIT.</summary>
    public required TimeSpan CompileTime { get; init; }

    /// <summary>Side exits taken, by kind.</summary>
    public required ImmutableSortedDictionary<string, long> Exits { get; init; }

    /// <summary>Those of them out of code that was entered at a loop.</summary>
    public required ImmutableSortedDictionary<string, long> LoopExits { get; init; }

    /// <summary>Those of them out of callees that are compiled into their callers.</summary>
    public required ImmutableSortedDictionary<string, long> InlinedExits { get; init; }

    /// <summary>Those of them out of callees that are compiled into such callees.</summary>
    public required long NestedExits { get; init; }

    /// <summary>Side exits at each operation, by kind.</summary>
    public required ImmutableArray<OperationExits> ExitsByOperation { get; init; }

    /// <summary>How many places in compiled code do what <see cref="Executed"/> counts, but for what exits make, by the same names; empty unless <see cref="JitOptions.CountExecutions"/>.</summary>
    public required ImmutableSortedDictionary<string, long> Compiled { get; init; }

    /// <summary>Instructions run in compiled code, by operation, and rules of the machine that it did without; empty unless <see cref="JitOptions.CountExecutions"/>.</summary>
    public required ImmutableSortedDictionary<string, long> Executed { get; init; }

    /// <summary>What was not compiled because a limit of the compiler says so, by reason.</summary>
    public required ImmutableSortedDictionary<string, int> Refusals { get; init; }

    /// <summary>What should have been compiled and was not, an error of this library, by what it said; it is interpreted.</summary>
    public required ImmutableSortedDictionary<string, int> Failures { get; init; }
}
