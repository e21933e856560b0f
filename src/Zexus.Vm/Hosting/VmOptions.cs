using System.Numerics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The block that an execution belongs to: the only clock and the only caller that a program sees.</summary>
public sealed record BlockContext
{
    /// <summary>Everything zero, nobody calling.</summary>
    public static BlockContext Default { get; } = new();

    /// <summary>What the builtin <c>timestamp</c> gives, and what ledger and audit entries carry.</summary>
    public BigInteger Timestamp { get; init; }

    /// <summary>What the builtin <c>height</c> gives.</summary>
    public BigInteger Height { get; init; }

    /// <summary>What the builtin <c>caller</c> gives.</summary>
    public string Caller { get; init; } = "";
}

/// <summary>Is it the signature of the message by the key? Malformed input is false, never an exception.</summary>
public delegate bool SignatureVerifier(string signature, string message, string key);

/// <summary>What a host gives to executions.</summary>
public sealed record VmOptions
{
    /// <summary>Gas for one execution.</summary>
    public long GasLimit { get; init; } = Gas.DefaultLimit;

    /// <summary>The block that executions belong to.</summary>
    public BlockContext Block { get; init; } = BlockContext.Default;

    /// <summary>The state that executions start from. An execution never changes it; its own is in the result.</summary>
    public IReadOnlyDictionary<string, Data> State { get; init; } = new Dictionary<string, Data>();

    /// <summary>The id under which programs execute: what contracts that they call see as their caller, and what no call can enter.</summary>
    public string Contract { get; init; } = "";

    /// <summary>The contracts that can be called; null when there are none. May be asked again for the same one.</summary>
    public IContractSource? Contracts { get; init; }

    /// <summary>Where keys are looked for that <see cref="State"/> does not have. When null: nowhere.</summary>
    public IStateSource? Source { get; init; }

    /// <summary>Functions that programs can call besides the builtins.</summary>
    public HostFunctions Host { get; init; } = new();

    /// <summary>
    /// Checks signatures. When null: <see cref="Signatures.Verify"/>.
    /// </summary>
    public SignatureVerifier? VerifySignature { get; init; }

    /// <summary>
    /// A guard of the host, not an outcome: an execution that has taken more time ends with <see cref="HostGuardException"/>.
    /// Looked at after every 1,048,576 gas, as cancellation is, and at the end.
    /// </summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>
    /// A guard of the host: an execution of more steps ends with <see cref="HostGuardException"/>. Looked at as the time is, so it goes on for a
    /// little, and still has no outcome. Optimized code and register forms take other numbers of steps.
    /// </summary>
    public long? StepLimit { get; init; }

    /// <summary>
    /// A guard of the host: an execution that needs more bytes, garbage collected, ends with <see cref="HostGuardException"/>. It counts what it and
    /// the contracts that it calls have from the system at a time: heaps, logs, output, tables, what was learned of <see cref="Source"/>, a value of it
    /// while it is made, and the copies for the result likewise; not <see cref="State"/>. Output has 2,000,000,000 bytes at most, and each log what an array can have,
    /// whatever this says.
    /// </summary>
    public long MemoryLimit { get; init; } = DefaultMemoryLimit;

    /// <summary>
    /// 8 GiB, or three quarters of the memory that the machine or the process's container has, where that is less: whole mebibytes.
    /// </summary>
    public static long DefaultMemoryLimit { get; } =
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes is > 0 and long available
            ? Math.Min(8L << 30, (available / 4 * 3) >> 20 << 20)
            : 8L << 30;

    /// <summary>Compile what is hot to machine code; null interprets everything. A run with a hook, or with a profile of the heap, is always interpreted.</summary>
    public JitOptions? Jit { get; init; } = JitOptions.Default;

    /// <summary>
    /// When the interpreter goes over to threaded code, which changes nothing but the time that it takes; null: never. A run with a
    /// hook never does.
    /// </summary>
    public ThreadedOptions? Threaded { get; init; } = ThreadedOptions.Default;

    /// <summary>
    /// Neither is threaded code made nor anything compiled before an execution has taken so many steps. For a process that may end soon: what
    /// makes such code is slow when it is used for the first time.
    /// </summary>
    public long InterpretedSteps { get; init; }

    /// <summary>Where compiled code is kept and looked for. One of its own keeps a host's executions apart from all others.</summary>
    public JitCache JitCache { get; init; } = JitCache.Shared;

    /// <summary>When the heap is collected.</summary>
    public CollectionOptions Collection { get; init; } = CollectionOptions.Default;

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(GasLimit);
        ArgumentNullException.ThrowIfNull(Contract);
        ArgumentOutOfRangeException.ThrowIfNegative(StepLimit ?? 0, nameof(StepLimit));
        ArgumentOutOfRangeException.ThrowIfNegative(MemoryLimit);
        ArgumentOutOfRangeException.ThrowIfNegative(InterpretedSteps);
        ArgumentOutOfRangeException.ThrowIfLessThan(TimeLimit ?? TimeSpan.Zero, TimeSpan.Zero, nameof(TimeLimit));
        ArgumentNullException.ThrowIfNull(Collection);
        Collection.Check();
    }

    internal SignatureVerifier Verifier => VerifySignature ?? Signatures.Verify;
}

/// <summary>What a host guards besides the limits that belong to the meaning of a program.</summary>
public enum HostGuard
{
    /// <summary><see cref="VmOptions.TimeLimit"/>.</summary>
    Time,

    /// <summary><see cref="VmOptions.StepLimit"/>.</summary>
    Steps,

    /// <summary><see cref="VmOptions.MemoryLimit"/>.</summary>
    Memory,
}

/// <summary>
/// An execution was ended by a guard of the host. It has no outcome, and where it was ended depends on the host, so nothing of it belongs into a
/// chain; the <see cref="Vm"/> can be used again.
/// </summary>
public sealed class HostGuardException : Exception
{
    /// <summary>For hosts that guard executions of other engines, too.</summary>
    /// <param name="guard">Which guard.</param>
    /// <param name="limit">As <see cref="Limit"/> has it.</param>
    public HostGuardException(HostGuard guard, long limit)
        : base(
            guard switch
            {
                HostGuard.Time => $"the execution takes more time than the host allows, {TimeSpan.FromTicks(limit)}",
                HostGuard.Steps => $"the execution takes more steps than the host allows, {limit}",
                HostGuard.Memory => $"the execution needs more memory than the host allows, {limit} bytes",
                _ => throw new ArgumentOutOfRangeException(nameof(guard)),
            }
        )
    {
        Guard = guard;
        Limit = limit;
    }

    /// <summary>Which guard.</summary>
    public HostGuard Guard { get; }

    /// <summary>What it allows: steps, bytes, or ticks of <see cref="TimeSpan"/>.</summary>
    public long Limit { get; }
}
