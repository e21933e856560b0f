using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>What a host function may do beyond its arguments and its result.</summary>
[Flags]
public enum HostEffects
{
    /// <summary>Pure: the same arguments always give the same outcome.</summary>
    None = 0,

    /// <summary>Its outcome depends on something of the host's that can change.</summary>
    ReadsHost = 1,

    /// <summary>It changes something of the host's.</summary>
    WritesHost = 2,
}

/// <summary>How a call of a host function ended.</summary>
public readonly struct HostOutcome
{
    private readonly Data? _value;

    private HostOutcome(Data value, bool thrown)
    {
        _value = value;
        IsThrown = thrown;
    }

    /// <summary>Did it fault? Then the program sees the fault Thrown with <see cref="Value"/>.</summary>
    public bool IsThrown { get; }

    /// <summary>The result, or the value of the fault.</summary>
    public Data Value => _value ?? Data.Null;

    /// <summary>The call gave a result.</summary>
    public static HostOutcome Returned(Data value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new HostOutcome(value, thrown: false);
    }

    /// <summary>The call faulted: a program can catch it.</summary>
    public static HostOutcome Thrown(Data value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new HostOutcome(value, thrown: true);
    }
}

/// <summary>The body of a host function.</summary>
/// <param name="arguments">As many as its arity; missing ones are Null. Valid only during the call.</param>
public delegate HostOutcome HostInvoke(ReadOnlySpan<Data> arguments);

/// <summary>A function of the host that programs can call by name.</summary>
public sealed class HostFunction
{
    private readonly HostInvoke _invoke;

    internal HostFunction(string name, int arity, long gas, HostEffects effects, HostInvoke invoke)
    {
        Name = name;
        Arity = arity;
        Gas = gas;
        Effects = effects;
        _invoke = invoke;
    }

    /// <summary>The name that programs call.</summary>
    public string Name { get; }

    /// <summary>How many arguments it gets.</summary>
    public int Arity { get; }

    /// <summary>Charged before its arguments are copied.</summary>
    public long Gas { get; }

    /// <summary>What it declares to do.</summary>
    public HostEffects Effects { get; }

    /// <summary>Calls it.</summary>
    public HostOutcome Invoke(ReadOnlySpan<Data> arguments) => _invoke(arguments);
}

/// <summary>The host functions of an execution, by name. Not to be changed while one runs.</summary>
public sealed class HostFunctions
{
    private readonly Dictionary<string, HostFunction> _functions = new(StringComparer.Ordinal);

    /// <summary>Every function, in no particular order.</summary>
    public IReadOnlyCollection<HostFunction> All => _functions.Values;

    /// <summary>Adds a function; returns this object, so that registrations can be chained.</summary>
    /// <param name="name">The name that programs call.</param>
    /// <param name="arity">How many arguments it gets.</param>
    /// <param name="gas">Its charge, besides the call's own and those of its arguments and result.</param>
    /// <param name="effects">What it does beyond its arguments and its result.</param>
    /// <param name="invoke">Its body.</param>
    /// <exception cref="ArgumentException">The name is a builtin's or registered already, or has half of a surrogate pair.</exception>
    public HostFunctions Register(string name, int arity, long gas, HostEffects effects, HostInvoke invoke)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(invoke);
        ArgumentOutOfRangeException.ThrowIfNegative(arity);
        ArgumentOutOfRangeException.ThrowIfNegative(gas);
        if (Isa.Library.TryFind(Receiver.Nothing, name, out _))
        {
            throw new ArgumentException($"{name} is a builtin; a host function needs another name", nameof(name));
        }

        if (Text.HasUnpairedSurrogate(name))
        {
            throw new ArgumentException("the name has half of a surrogate pair", nameof(name));
        }

        if (!_functions.TryAdd(name, new HostFunction(name, arity, gas, effects, invoke)))
        {
            throw new ArgumentException($"there is a host function {name} already", nameof(name));
        }

        return this;
    }

    internal HostFunction? Find(string name) => _functions.GetValueOrDefault(name);
}
