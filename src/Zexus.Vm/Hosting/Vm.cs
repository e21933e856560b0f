using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Executes programs, one after the other, and keeps its memory between them. Belongs to one thread at a time; programs
/// can be shared.
/// </summary>
public sealed class Vm : IDisposable
{
    /// <summary>What a source has said is forgotten between executions when it has taken more than this, or a quarter of the limit.</summary>
    private const long MostLearned = 256L * 1024 * 1024;

    private readonly Machine _machine = new();
    private VmOptions _options;

    // The state of the options, copied: is it theirs still, and which limits was it last found to keep?
    private StateTable _state;
    private bool _isCurrent;
    private Limits? _checked;
    private int _busy;
    private bool _disposed;

    /// <summary>A machine with the default options.</summary>
    public Vm()
        : this(new VmOptions()) { }

    /// <summary>A machine with these options.</summary>
    public Vm(VmOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _state = new StateTable(new Dictionary<string, Data>(), null, Limits.Default, _machine.Guard);
    }

    /// <summary>What is held against <see cref="VmOptions.MemoryLimit"/>, by tests.</summary>
    internal MemoryGuard Guard => _machine.Guard;

    /// <summary>What executions get from the host. May be replaced between executions.</summary>
    public VmOptions Options
    {
        get => _options;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            value.Check();
            if (!ReferenceEquals(value.State, _options.State) || !ReferenceEquals(value.Source, _options.Source))
            {
                _isCurrent = false;
            }

            _checked = null;
            _options = value;
        }
    }

    /// <summary>Executes a program from its first function to its outcome.</summary>
    /// <param name="program">The program.</param>
    /// <param name="cancellationToken">Looked at after every 1,048,576 gas.</param>
    /// <exception cref="OperationCanceledException">It was cancelled; nothing has changed and the machine can be used again.</exception>
    /// <exception cref="HostGuardException">A guard of the host ended it.</exception>
    /// <exception cref="ArgumentException">State, block context or a host function's outcome is no plain data within the program's limits.</exception>
    public ExecutionResult Execute(ZexusProgram program, CancellationToken cancellationToken = default) =>
        Execute(program, EntryCall.Main, cancellationToken);

    /// <summary>Executes a program from one of its functions to its outcome.</summary>
    /// <param name="program">The program.</param>
    /// <param name="entry">The function, and what it is given.</param>
    /// <param name="cancellationToken">Looked at after every 1,048,576 gas.</param>
    /// <exception cref="OperationCanceledException">It was cancelled; nothing has changed and the machine can be used again.</exception>
    /// <exception cref="HostGuardException">A guard of the host ended it.</exception>
    /// <exception cref="ArgumentException">The function cannot be entered; arguments, state, block context or a host function's outcome is no plain data within the program's limits.</exception>
    public ExecutionResult Execute(ZexusProgram program, EntryCall entry, CancellationToken cancellationToken = default)
    {
        NoHook hook = default;
        return Execute(program, entry, ref hook, cancellationToken);
    }

    /// <summary>Executes a program from its first function and calls the hook before every step.</summary>
    /// <typeparam name="THook">A struct, so that each has a loop of its own and the call can be inlined.</typeparam>
    /// <param name="program">The program.</param>
    /// <param name="hook">Called before each instruction and before the end of each function's code.</param>
    /// <param name="cancellationToken">Looked at after every 1,048,576 gas.</param>
    /// <exception cref="OperationCanceledException">It was cancelled; nothing has changed and the machine can be used again.</exception>
    /// <exception cref="HostGuardException">A guard of the host ended it.</exception>
    /// <exception cref="ArgumentException">State, block context or a host function's outcome is no plain data within the program's limits.</exception>
    public ExecutionResult Execute<THook>(
        ZexusProgram program,
        ref THook hook,
        CancellationToken cancellationToken = default
    )
        where THook : struct, IStepHook => Execute(program, EntryCall.Main, ref hook, cancellationToken);

    /// <summary>Executes a program from one of its functions and calls the hook before every step.</summary>
    /// <typeparam name="THook">A struct, so that each has a loop of its own and the call can be inlined.</typeparam>
    /// <param name="program">The program.</param>
    /// <param name="entry">The function, and what it is given.</param>
    /// <param name="hook">Called before each instruction and before the end of each function's code.</param>
    /// <param name="cancellationToken">Looked at after every 1,048,576 gas.</param>
    /// <exception cref="OperationCanceledException">It was cancelled; nothing has changed and the machine can be used again.</exception>
    /// <exception cref="HostGuardException">A guard of the host ended it.</exception>
    /// <exception cref="ArgumentException">The function cannot be entered; arguments, state, block context or a host function's outcome is no plain data within the program's limits.</exception>
    public ExecutionResult Execute<THook>(
        ZexusProgram program,
        EntryCall entry,
        ref THook hook,
        CancellationToken cancellationToken = default
    )
        where THook : struct, IStepHook
    {
        ArgumentNullException.ThrowIfNull(program);
        ArgumentNullException.ThrowIfNull(entry);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Interlocked.Exchange(ref _busy, 1) != 0)
        {
            throw new InvalidOperationException("this Vm is executing already; one thread, one execution at a time");
        }

        try
        {
            StateTable state = CheckOptions(program.Limits);
            if (!ReferenceEquals(entry, EntryCall.Main))
            {
                entry.Check(program);
            }

            return _machine.Execute(program, entry, _options, state, ref hook, cancellationToken);
        }
        finally
        {
            _busy = 0;
        }
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        if (!_disposed && Interlocked.Exchange(ref _busy, 1) == 0)
        {
            _disposed = true;
            _machine.Dispose();
            _machine.Guard.EndLending();
            _state.Dispose();
        }
    }

    private StateTable CheckOptions(Limits limits)
    {
        bool isSmall = _state.Learned <= Math.Min(MostLearned, _options.MemoryLimit / 4);
        if (_isCurrent && isSmall && _checked is not null && _checked.Equals(limits))
        {
            return _state;
        }

        IReadOnlyDictionary<string, Data> state = _isCurrent
            ? _state.Data
            : new Dictionary<string, Data>(_options.State, StringComparer.Ordinal);
        foreach (KeyValuePair<string, Data> pair in state)
        {
            HostData.Check(Data.NewString(pair.Key), limits, $"the state key \"{pair.Key}\"");
            HostData.Check(pair.Value, limits, $"the state under \"{pair.Key}\"");
        }

        HostData.Check(Data.NewInt(_options.Block.Timestamp), limits, "the block's timestamp");
        HostData.Check(Data.NewInt(_options.Block.Height), limits, "the block's height");
        HostData.Check(Data.NewString(_options.Block.Caller), limits, "the block's caller");
        HostData.Check(Data.NewString(_options.Contract), limits, "the contract's id");
        // What came from a source was checked against the limits of the program that read it first.
        if (!_isCurrent || _options.Source is not null)
        {
            // Until there is another, none is current.
            _isCurrent = false;
            _state.Dispose();
            _machine.Guard.Limit = long.MaxValue;
            _state = new StateTable(state, _options.Source, limits, _machine.Guard);
            _isCurrent = true;
        }

        _checked = limits;
        return _state;
    }
}
