namespace Zexus.Vm;

/// <summary>
/// Compiled programs, by the SHA-256 of what was compiled and the options that it was compiled under: who loads the same program again
/// finds it compiled. Bounded; the least recently used goes first, and what it held is freed when nobody runs it any more. Safe for use
/// by several threads.
/// </summary>
/// <param name="maximumPrograms">So many programs are kept at most.</param>
/// <param name="maximumIlInstructions">
/// So many IL instructions are kept at most in all of them together, about 10 bytes of machine code each; the last program used is kept
/// whatever its size.
/// </param>
public sealed class JitCache(int maximumPrograms = 1_000, long maximumIlInstructions = 10_000_000)
{
    private readonly Lock _lock = new();

    // By shape first: most processes run one program, which is then never hashed.
    private readonly Dictionary<(int Shape, JitOptions Options), List<JitProgram>> _programs = [];
    private int _count;
    private readonly int _maximumPrograms = AtLeastOne(maximumPrograms);
    private readonly long _maximumIlInstructions = AtLeastOne(maximumIlInstructions);
    private long _ilInstructions;
    private long _uses;
    private long _misses;
    private long _evictions;

    /// <summary>The one that executions use when they are given no other.</summary>
    public static JitCache Shared { get; } = new();

    /// <summary>A copy of all counts.</summary>
    public JitCacheStatistics Statistics
    {
        get
        {
            lock (_lock)
            {
                return new JitCacheStatistics(
                    _count,
                    _ilInstructions,
                    Volatile.Read(ref _uses) - _misses,
                    _misses,
                    _evictions
                );
            }
        }
    }

    /// <summary>Evicts everything.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            while (_count > 0)
            {
                EvictOldest();
            }
        }
    }

    /// <summary>
    /// What is compiled of a program, and the program to run with it: compiled code points into the memory of the one that it was made of.
    /// </summary>
    internal JitProgram For(ZexusProgram program, JitOptions options)
    {
        // Most executions find what the last one of the same program found.
        if (program.Compiled(options) is { IsEvicted: false } known && ReferenceEquals(known.Cache, this))
        {
            known.LastUse = Interlocked.Increment(ref _uses);
            return known;
        }

        JitProgram? found;
        lock (_lock)
        {
            if (!_programs.TryGetValue((program.Shape, options), out List<JitProgram>? alike))
            {
                alike = [];
                _programs.Add((program.Shape, options), alike);
            }

            found = alike.Find(it => it.Program == program || it.Program.Hash == program.Hash);
            if (found is null)
            {
                found = new JitProgram(program, options, this);
                alike.Add(found);
                _count++;
                _misses++;
            }

            found.LastUse = Interlocked.Increment(ref _uses);
            Shrink();
        }

        program.Remember(found);
        return found;
    }

    /// <summary>More of a program has been compiled.</summary>
    internal void Grow(JitProgram program, int ilInstructions)
    {
        lock (_lock)
        {
            if (!program.IsEvicted)
            {
                program.CachedIlInstructions += ilInstructions;
                _ilInstructions += ilInstructions;
                Shrink();
            }
        }
    }

    private void Shrink()
    {
        while (_count > _maximumPrograms || (_ilInstructions > _maximumIlInstructions && _count > 1))
        {
            EvictOldest();
        }
    }

    private void EvictOldest()
    {
        JitProgram oldest = _programs.Values.SelectMany(alike => alike).MinBy(it => it.LastUse)!;
        (int, JitOptions) key = (oldest.Program.Shape, oldest.Options);
        _ = _programs[key].Remove(oldest);
        if (_programs[key].Count == 0)
        {
            _ = _programs.Remove(key);
        }

        oldest.IsEvicted = true;
        _count--;
        _ilInstructions -= oldest.CachedIlInstructions;
        _evictions++;
    }

    private static T AtLeastOne<T>(T maximum)
        where T : System.Numerics.INumber<T>
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maximum, T.One);
        return maximum;
    }
}

/// <summary>What a <see cref="JitCache"/> holds, and how it went.</summary>
/// <param name="Programs">Compiled programs in it.</param>
/// <param name="IlInstructions">IL instructions of all pieces of them.</param>
/// <param name="Hits">Executions that found their program in it.</param>
/// <param name="Misses">Executions that did not.</param>
/// <param name="Evictions">Programs that had to go.</param>
public sealed record JitCacheStatistics(int Programs, long IlInstructions, long Hits, long Misses, long Evictions);
