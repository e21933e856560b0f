using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// What is compiled of one program under one set of options, shared by every <see cref="Vm"/> that runs it, and what was seen
/// on the way.
/// </summary>
internal sealed unsafe class JitProgram
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(int Function, int Entry, bool Loop), EntryProfile> _profiles = [];
    private readonly List<CompiledPiece?> _pieces = [];
    private readonly List<bool> _areLoops = [];
    private readonly List<nint> _counters = [];
    private readonly Dictionary<string, int> _refusals = [];
    private readonly Dictionary<string, int> _failures = [];
    private readonly Seen*[] _seen;
    private readonly nint* _entries;
    private readonly nint* _loopEntries;
    private readonly long* _opcodes;
    private long _compileTicks;
    private int _invalidated;

    public JitProgram(ZexusProgram program, JitOptions options, JitCache cache)
    {
        options.Check();
        Program = program;
        Options = options;
        Cache = cache;
        _seen = new Seen*[program.FunctionCount];
        _entries = (nint*)NativeMemory.AllocZeroed((nuint)program.FunctionCount + 1, (nuint)sizeof(nint));
        _loopEntries = (nint*)NativeMemory.AllocZeroed((nuint)program.LoopCount + 1, (nuint)sizeof(nint));
        _opcodes = (long*)NativeMemory.AllocZeroed((nuint)OpcodeCount, sizeof(long));
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

        for (int i = 0; i < (_seen?.Length ?? 0); i++)
        {
            NativeMemory.Free(_seen![i]);
        }

        NativeMemory.Free(_entries);
        NativeMemory.Free(_loopEntries);
        NativeMemory.Free(_opcodes);
    }

    private static int OpcodeCount => (int)Op.Print + 1;

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
        public int Compilations { get; set; }
        public bool Busy { get; set; }
        public bool Refused { get; set; }
    }

    /// <summary>Where the address of a function's compiled code stands; zero while there is none.</summary>
    public nint* EntryOf(int function) => _entries + function;

    public nint* LoopEntryOf(int loop) => _loopEntries + loop;

    public long* OpcodeCounter(Op op) => _opcodes + (int)op;

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
    public nint Request(FunctionCode* function, int instruction, int loop, Value* slots, int count)
    {
        nint* target = loop < 0 ? EntryOf(function->Number) : LoopEntryOf(loop);
        EntryProfile? profile;
        ushort[] seen;
        bool[] nonNegative;
        lock (_lock)
        {
            if (!_profiles.TryGetValue((function->Number, instruction, loop >= 0), out profile))
            {
                profile = new EntryProfile(function->FrameSize);
                _profiles.Add((function->Number, instruction, loop >= 0), profile);
            }

            if (*target != 0 || profile.Busy || profile.Refused)
            {
                return *target;
            }

            int known = loop < 0 ? Math.Min(count, function->Parameters) : count;
            for (int s = 0; s < known; s++)
            {
                profile.Seen[s] |= (ushort)(1 << (int)slots[s].Tag);
                profile.NonNegative[s] &= slots[s].Tag != Tag.Int || (slots[s].Payload >= 0 && loop >= 0);
            }

            profile.Busy = true;
            seen = [.. profile.Seen];
            nonNegative = [.. profile.NonNegative];
        }

        if (Options.Background)
        {
            _ = Task.Run(() => Compile(function, instruction, loop, profile, seen, nonNegative));
            return 0;
        }

        Compile(function, instruction, loop, profile, seen, nonNegative);
        return *target;
    }

    private void Compile(
        FunctionCode* function,
        int instruction,
        int loop,
        EntryProfile profile,
        ushort[] seen,
        bool[] nonNegative
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
                CompiledPiece piece = FunctionCompiler.Compile(
                    this,
                    function,
                    instruction,
                    isLoop: loop >= 0,
                    seen,
                    nonNegative,
                    assumeNothing: profile.Compilations >= Options.CompilationsPerEntry,
                    number
                );
                _pieces[number] = piece;
                *(loop < 0 ? EntryOf(function->Number) : LoopEntryOf(loop)) = piece.Pointer;
                Cache.Grow(this, piece.IlCount);
            }
            catch (CompilationRefusedException refused)
            {
                profile.Refused = true;
                _refusals[refused.Message] = _refusals.GetValueOrDefault(refused.Message) + 1;
            }
            catch (Exception error)
                when (error is InvalidProgramException or InvalidOperationException or NotSupportedException)
            {
                // The interpreter does without. A check looks for it.
                profile.Refused = true;
                _failures[error.ToString()] = _failures.GetValueOrDefault(error.ToString()) + 1;
            }
            finally
            {
                profile.Busy = false;
                _compileTicks += System.Diagnostics.Stopwatch.GetTimestamp() - start;
            }
        }
    }

    /// <summary>An exit was taken: after too many the piece is left to those who are in it and compiled anew.</summary>
    public void Exited(Site* site)
    {
        lock (_lock)
        {
            CompiledPiece piece = _pieces[site->Piece]!;
            if (++piece.Exits < Options.ExitsBeforeRecompilation)
            {
                return;
            }

            for (int i = 0; i < Program.FunctionCount; i++)
            {
                _invalidated += Drop(_entries + i, piece);
            }

            for (int i = 0; i < Program.LoopCount; i++)
            {
                _invalidated += Drop(_loopEntries + i, piece);
            }
        }

        static int Drop(nint* entry, CompiledPiece piece)
        {
            if (*entry != piece.Pointer)
            {
                return 0;
            }

            *entry = 0;
            return 1;
        }
    }

    /// <summary>A copy of all counts.</summary>
    public JitStatistics Statistics()
    {
        lock (_lock)
        {
            Dictionary<string, long> exits = [];
            Dictionary<string, long> loopExits = [];
            Dictionary<string, long> opcodes = [];
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
                foreach (nint at in piece.Sites)
                {
                    Site* site = (Site*)at;
                    if (site->Exit != ExitKind.None)
                    {
                        string name = site->Exit.ToString();
                        exits[name] = exits.GetValueOrDefault(name) + site->Taken;
                        if (_areLoops[i])
                        {
                            loopExits[name] = loopExits.GetValueOrDefault(name) + site->Taken;
                        }
                    }
                }
            }

            for (int op = 0; op < OpcodeCount; op++)
            {
                if (_opcodes[op] > 0)
                {
                    opcodes[((Op)op).ToString()] = _opcodes[op];
                }
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
                Executed = opcodes.ToImmutableSortedDictionary(StringComparer.Ordinal),
                Refusals = _refusals.ToImmutableSortedDictionary(StringComparer.Ordinal),
                Failures = _failures.ToImmutableSortedDictionary(StringComparer.Ordinal),
            };
        }
    }
}

/// <summary>What was compiled of a program and how it went. Counts of several threads may miss a few.</summary>
public sealed record JitStatistics
{
    /// <summary>The operations that compiled code has code for, as <see cref="Executed"/> names them.</summary>
    public static ImmutableArray<string> Operations { get; } =
    [
        // The end is no instruction, and what the interpreter does in one stride is several to the compiler.
        .. Enum.GetValues<Op>()
            .Where(op => op is not Op.End and not (>= Op.EqRegJump and <= Op.PushRegsIndex))
            .Select(op => op.ToString()),
    ];

    /// <summary>The kinds of side exits, as <see cref="Exits"/> names them.</summary>
    public static ImmutableArray<string> ExitKinds { get; } =
    [.. Enum.GetValues<ExitKind>().Where(kind => kind is not ExitKind.None).Select(kind => kind.ToString())];

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

    /// <summary>Instructions run in compiled code, by operation; empty unless <see cref="JitOptions.CountExecutions"/>.</summary>
    public required ImmutableSortedDictionary<string, long> Executed { get; init; }

    /// <summary>What was not compiled because a limit of the compiler says so, by reason.</summary>
    public required ImmutableSortedDictionary<string, int> Refusals { get; init; }

    /// <summary>What should have been compiled and was not, an error of this library, by what it said; it is interpreted.</summary>
    public required ImmutableSortedDictionary<string, int> Failures { get; init; }
}
