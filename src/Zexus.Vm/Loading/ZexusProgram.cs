using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// A program that has passed validation and is ready to run. Immutable: any number of threads may execute it at once,
/// each with a <see cref="Vm"/> of its own.
/// </summary>
public sealed unsafe class ZexusProgram
{
    /// <summary>Deeper nesting than this would need more native stack than every thread has.</summary>
    internal const int LargestNesting = 1024;
    internal const int LargestCallDepth = 1_000_000;
    internal const int LargestIntegerBits = 1_000_000;
    internal const int LargestLength = 1 << 26;

    // Constants of this program, freed with it.
    private readonly CellHeap _heap;
    private readonly List<nint> _blocks = [];

    // What its executions found compiled. The cache decides how long that lives, not the program.
    private readonly ConcurrentDictionary<JitOptions, WeakReference<JitProgram>> _compiled = new();
    private readonly Lazy<ProgramHash> _hash;
    private readonly Lazy<FrozenDictionary<string, int>> _entries;
    private readonly ConcurrentDictionary<ThreadedOptions, ThreadedProgram> _threaded = new();

    private ZexusProgram(Program code, TranslatedProgram? translation, Limits limits, StackHeights[] heights)
    {
        Image = translation?.Source ?? code;
        Translation = translation;
        Limits = limits;
        _hash = new Lazy<ProgramHash>(() => ProgramHash.Of(Image, Translation, Limits));
        _entries = new Lazy<FrozenDictionary<string, int>>(() =>
            Image
                .Functions.Index()
                .Where(function => function.Item.Captures.Length == 0)
                .GroupBy(function => function.Item.Name, StringComparer.Ordinal)
                .Where(named => named.Count() == 1)
                .ToFrozenDictionary(named => named.Key, named => named.First().Index, StringComparer.Ordinal)
        );
        Shape = ProgramHash.ShapeOf(Image, Translation);
        _heap = new CellHeap(immortal: true);
        Decoder decoder = new(code, translation, limits, heights, _heap, Allocate);
        Functions = decoder.Functions;
        FunctionCount = code.Functions.Length;
        LoopCount = decoder.LoopCount;
        for (int f = 0; f < FunctionCount; f++)
        {
            LargestFrame = Math.Max(LargestFrame, Functions[f].FrameSize);
        }

        Constants = decoder.Constants;
        ConstantElements = decoder.ConstantElements;
        CaptureSlots = decoder.CaptureSlots;
        Names = decoder.Names;
        Routines = decoder.Routines;
        Globals = decoder.Globals.ToFrozenDictionary(StringComparer.Ordinal);
        Amounts = decoder.Amounts;
        ChargeLists = decoder.ChargeLists;
    }

    /// <summary>Frees the native memory of a program that nobody holds any more.</summary>
    ~ZexusProgram()
    {
        _heap?.Dispose();
        foreach (nint block in _blocks ?? [])
        {
            NativeMemory.Free((void*)block);
        }
    }

    /// <summary>The program as it was given; of a translation, its source.</summary>
    public Program Image { get; }

    /// <summary>The translation that runs in its place; null when it runs as it was given.</summary>
    public TranslatedProgram? Translation { get; }

    /// <summary>The limits that it was validated under and that its executions keep.</summary>
    public Limits Limits { get; }

    internal FunctionCode* Functions { get; }

    internal int FunctionCount { get; }

    /// <summary>The largest frame of its functions, in values.</summary>
    internal int LargestFrame { get; }

    /// <summary>Backward jumps.</summary>
    internal int LoopCount { get; }

    internal Value* Constants { get; }

    internal long* ConstantElements { get; }

    internal int* CaptureSlots { get; }

    /// <summary>Each name's number among the distinct ones.</summary>
    internal string[] Names { get; }

    /// <summary>By name and receiver, <see cref="Decoder.Receivers"/> to a name: a Routine's tag, or -1.</summary>
    internal int* Routines { get; }

    internal FrozenDictionary<string, int> Globals { get; }

    internal long[] Amounts { get; }

    internal ChargeList[] ChargeLists { get; }

    /// <summary>Validates a program and prepares it to run.</summary>
    /// <param name="image">The program. It must not be changed afterwards.</param>
    /// <param name="limits">The limits of its executions; the defaults when null.</param>
    /// <exception cref="ProgramRefusedException">The program is not valid.</exception>
    /// <exception cref="ArgumentException">The limits are beyond what this engine can keep.</exception>
    public static ZexusProgram Load(Program image, Limits? limits = null) =>
        TryLoad(image, limits, out ZexusProgram? program, out Refusal? refusal)
            ? program
            : throw new ProgramRefusedException(image, refusal);

    /// <summary>Validates a program and prepares it to run; a refusal is an answer, not an exception.</summary>
    /// <param name="image">The program. It must not be changed afterwards.</param>
    /// <param name="limits">The limits of its executions; the defaults when null.</param>
    /// <param name="program">The loaded program.</param>
    /// <param name="refusal">The first problem.</param>
    /// <exception cref="ArgumentException">The limits are beyond what this engine can keep.</exception>
    public static bool TryLoad(
        Program image,
        Limits? limits,
        [NotNullWhen(true)] out ZexusProgram? program,
        [NotNullWhen(false)] out Refusal? refusal
    )
    {
        ArgumentNullException.ThrowIfNull(image);
        limits ??= Limits.Default;
        CheckLimits(limits);
        refusal = Validator.Check(image, limits, out StackHeights[] heights);
        program = refusal is null ? new ZexusProgram(image, null, limits, heights) : null;
        return program is not null;
    }

    /// <summary>Prepares a translation to run in the place of its source: the same outcomes, gas and sources of faults included.</summary>
    /// <param name="translation">The translation.</param>
    /// <param name="limits">The limits of its executions, those that it was made under; the defaults when null.</param>
    /// <exception cref="ProgramRefusedException">The source is not valid.</exception>
    /// <exception cref="ArgumentException">The limits are beyond what this engine can keep.</exception>
    public static ZexusProgram Load(TranslatedProgram translation, Limits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(translation);
        limits ??= Limits.Default;
        CheckLimits(limits);
        if (Validator.Check(translation.Source, limits, out _) is { } refusal)
        {
            throw new ProgramRefusedException(translation.Source, refusal);
        }

        Program code = translation.ToProgram();
        if (Validator.Check(code, limits, out StackHeights[] heights) is { } broken)
        {
            throw new InvalidOperationException($"the translation of a valid program is not valid: {broken}");
        }

        return new ZexusProgram(code, translation, limits, heights);
    }

    private static void CheckLimits(Limits limits)
    {
        Check(nameof(limits.CallDepth), limits.CallDepth, 1, LargestCallDepth);
        Check(nameof(limits.IntegerBits), limits.IntegerBits, 1, LargestIntegerBits);
        Check(nameof(limits.StringLength), limits.StringLength, 0, LargestLength);
        Check(nameof(limits.CollectionLength), limits.CollectionLength, 0, LargestLength);
        Check(nameof(limits.Nesting), limits.Nesting, 0, LargestNesting);

        static void Check(string name, int value, int least, int most)
        {
            if (value < least || value > most)
            {
                throw new ArgumentException(
                    $"Limits.{name} is {value}; this engine keeps limits from {least} to {most}",
                    nameof(limits)
                );
            }
        }
    }

    /// <summary>
    /// What has been compiled of it under these options, by its own executions and by those of other loads of the same program in the
    /// same <see cref="JitCache"/>; null when it never ran under them, or its code has been evicted and freed since.
    /// </summary>
    /// <param name="options">The options of the executions.</param>
    public JitStatistics? JitStatistics(JitOptions options) => Compiled(options)?.Statistics();

    internal ProgramHash Hash => _hash.Value;

    /// <summary>The function of that name that captures nothing; -1 when there is none, or there are several.</summary>
    internal int EntryNamed(string name) => _entries.Value.GetValueOrDefault(name, -1);

    /// <summary>The same for programs with the same <see cref="Hash"/>, and had without hashing.</summary>
    internal int Shape { get; }

    /// <summary>What its last execution under these options found compiled.</summary>
    internal JitProgram? Compiled(JitOptions options) =>
        _compiled.TryGetValue(options, out WeakReference<JitProgram>? known) && known.TryGetTarget(out JitProgram? jit)
            ? jit
            : null;

    internal void Remember(JitProgram jit) => _compiled[jit.Options] = new WeakReference<JitProgram>(jit);

    /// <summary>The threaded code of it under these options; null when it never ran under them.</summary>
    /// <param name="options">The options of the executions.</param>
    public ThreadedStatistics? ThreadedStatistics(ThreadedOptions options)
    {
        if (_threaded.TryGetValue(options, out ThreadedProgram? threaded))
        {
            return threaded.Statistics();
        }

        // Another load of it may have run in its place.
        foreach (WeakReference<JitProgram> known in _compiled.Values)
        {
            if (known.TryGetTarget(out JitProgram? jit) && !ReferenceEquals(jit.Program, this))
            {
                return jit.Program.ThreadedStatistics(options);
            }
        }

        return null;
    }

    internal ThreadedProgram ThreadedFor(ThreadedOptions options) =>
        _threaded.GetOrAdd(options, it => new ThreadedProgram(this, it));

    private nint Allocate(long bytes)
    {
        nint block = (nint)NativeMemory.AllocZeroed((nuint)Math.Max(bytes, 8));
        _blocks.Add(block);
        return block;
    }
}
