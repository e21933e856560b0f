using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>Why threaded code is left for the loop without a fault, a call or a return.</summary>
internal enum ThreadedExit
{
    /// <summary>The gas of the slice does not reach the end of a segment.</summary>
    Gas,

    /// <summary>The same behind an instruction that the machine did in the middle of one.</summary>
    Rest,

    /// <summary>A loop shall be compiled.</summary>
    Hot,
}

/// <summary>The threaded code of one program, shared by every <see cref="Vm"/> that runs it under the same options.</summary>
internal sealed unsafe class ThreadedProgram
{
    private readonly Lock _lock = new();
    private readonly List<nint> _blocks = [];
    private readonly List<(nint First, int Count)> _code = [];
    private readonly bool[] _tried;
    private readonly Wide** _entries;
    private readonly Wide*** _tables;
    private readonly long* _exits;
    private readonly long* _executed;

    // The handlers of its code read them; the code of the program's instructions is marked.
    private readonly Dictionary<string, int> _refusals = [];
    private int _functions;

    public ThreadedProgram(ZexusProgram program, ThreadedOptions options)
    {
        options.Check();
        Program = program;
        Options = options;
        _tried = new bool[program.FunctionCount];
        _entries = (Wide**)Allocate((long)program.FunctionCount * sizeof(Wide*));
        _tables = (Wide***)Allocate((long)program.FunctionCount * sizeof(Wide**));
        _exits = (long*)Allocate(Enum.GetValues<ThreadedExit>().Length * sizeof(long));
        _executed = (long*)Allocate(Enum.GetValues<WideOp>().Length * sizeof(long));
    }

    ~ThreadedProgram()
    {
        foreach (nint block in _blocks ?? [])
        {
            NativeMemory.Free((void*)block);
        }
    }

    public ZexusProgram Program { get; }

    public ThreadedOptions Options { get; }

    /// <summary>Where the address of a function's threaded code stands; null while there is none.</summary>
    public Wide** EntryOf(int function) => _entries + function;

    /// <summary>Where threaded code begins that does this instruction next; null if it cannot be entered there.</summary>
    public Wide* EntryAt(FunctionCode* function, Instr* at)
    {
        Wide** table = Volatile.Read(ref *(nint*)(_tables + function->Number)) == 0 ? null : _tables[function->Number];
        return table == null ? null : table[at - function->Code];
    }

    public long* Executions(WideOp op) => _executed + (int)op;

    public void Count(ThreadedExit exit) => _exits[(int)exit]++;

    /// <summary>Memory that is freed with this; cleared.</summary>
    public void* Allocate(long bytes)
    {
        void* block = NativeMemory.AllocZeroed((nuint)Math.Max(bytes, 8));
        _blocks.Add((nint)block);
        return block;
    }

    /// <summary>Translates a function, if it has not been tried before.</summary>
    public void Translate(FunctionCode* function)
    {
        lock (_lock)
        {
            int number = function->Number;
            if (_tried[number])
            {
                return;
            }

            _tried[number] = true;
            Wide** table = (Wide**)Allocate((long)function->CodeLength * sizeof(Wide*));
            WideTranslator translator = new(this, function);
            if (translator.Refusal is { } reason)
            {
                _refusals[reason] = _refusals.GetValueOrDefault(reason) + 1;
                return;
            }

            _code.Add(translator.Write(table));
            _functions++;
            Volatile.Write(ref *(nint*)(_tables + number), (nint)table);
            Volatile.Write(ref *(nint*)(_entries + number), (nint)table[0]);
            for (int i = 0; i < function->CodeLength; i++)
            {
                if (table[i] != null)
                {
                    Volatile.Write(ref function->Code[i].Fast, (short)Op.EnterThreaded);
                }
            }
        }
    }

    public ThreadedStatistics Statistics()
    {
        lock (_lock)
        {
            Dictionary<string, long> executed = [];
            foreach (WideOp op in Enum.GetValues<WideOp>())
            {
                if (_executed[(int)op] > 0)
                {
                    executed[op.ToString()] = _executed[(int)op];
                }
            }

            Dictionary<string, long> exits = [];
            foreach (ThreadedExit exit in Enum.GetValues<ThreadedExit>())
            {
                exits[exit.ToString()] = _exits[(int)exit];
            }

            Dictionary<string, long> sources = [];
            foreach ((nint first, int count) in _code)
            {
                for (int i = 0; i < count; i++)
                {
                    Wide* wide = (Wide*)first + i;
                    if (wide->Exit != null && wide->Exit->Taken > 0)
                    {
                        string name = wide->Op.ToString();
                        sources[name] = sources.GetValueOrDefault(name) + wide->Exit->Taken;
                    }
                }
            }

            return new ThreadedStatistics
            {
                Functions = _functions,
                Executed = executed.ToImmutableSortedDictionary(StringComparer.Ordinal),
                DoneBySource = sources.ToImmutableSortedDictionary(StringComparer.Ordinal),
                Exits = exits.ToImmutableSortedDictionary(StringComparer.Ordinal),
                Refusals = _refusals.ToImmutableSortedDictionary(StringComparer.Ordinal),
            };
        }
    }
}

/// <summary>What was translated of a program to threaded code and how it went. Counts of several threads may miss a few.</summary>
public sealed record ThreadedStatistics
{
    /// <summary>The operations of threaded code, as <see cref="Executed"/> names them.</summary>
    public static ImmutableArray<string> Operations { get; } =
    [
        .. Enum.GetValues<WideOp>()
            .Where(op => op is not (WideOp.Count or WideOp.EntryIndex or WideOp.EntrySet))
            .Select(op => op.ToString()),
    ];

    /// <summary>The operations that have a plain case, and else leave it to the source, as <see cref="DoneBySource"/> names them.</summary>
    public static ImmutableArray<string> Partial { get; } =
    [
        .. Enum.GetValues<WideOp>()
            .Where(op =>
                op
                    is not (
                        WideOp.Count
                        or WideOp.Move
                        or WideOp.Jump
                        or WideOp.Next
                        or WideOp.EntryIndex
                        or WideOp.EntrySet
                    )
            )
            .Select(op => op.ToString()),
    ];

    /// <summary>The kinds of exits, as <see cref="Exits"/> names them.</summary>
    public static ImmutableArray<string> ExitKinds { get; } =
    [.. Enum.GetValues<ThreadedExit>().Select(exit => exit.ToString())];

    /// <summary>Functions that have threaded code.</summary>
    public required int Functions { get; init; }

    /// <summary>Wide instructions run, by operation; empty unless <see cref="ThreadedOptions.CountExecutions"/>.</summary>
    public required ImmutableSortedDictionary<string, long> Executed { get; init; }

    /// <summary>How often the machine did the source instruction instead, by operation.</summary>
    public required ImmutableSortedDictionary<string, long> DoneBySource { get; init; }

    /// <summary>Exits to the interpreter's loop, by kind.</summary>
    public required ImmutableSortedDictionary<string, long> Exits { get; init; }

    /// <summary>Functions that have no threaded code, by reason.</summary>
    public required ImmutableSortedDictionary<string, int> Refusals { get; init; }
}
