using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Engines;

/// <summary>What the host gives to an execution.</summary>
internal sealed record Inputs
{
    /// <summary>The function that the execution begins in.</summary>
    public int Function { get; init; }

    public IReadOnlyList<Data> Arguments { get; init; } = [];

    public long Gas { get; init; } = Isa.Gas.DefaultLimit;

    public long Timestamp { get; init; }

    public long Height { get; init; }

    public string Caller { get; init; } = "";

    /// <summary>Guards of the host: bytes, steps and time; null where there is none.</summary>
    public long MemoryLimit { get; init; } = VmOptions.DefaultMemoryLimit;

    public long? StepLimit { get; init; }

    public TimeSpan? TimeLimit { get; init; }

    public IReadOnlyDictionary<string, Data> State { get; init; } = new Dictionary<string, Data>();

    /// <summary>Where the rest of the state is, which only the interpreter can ask.</summary>
    public IStateSource? Source { get; init; }

    /// <summary>The id that the program executes under.</summary>
    public string Contract { get; init; } = "";

    /// <summary>The contracts that it can call.</summary>
    public IReadOnlyList<CallableContract> Contracts { get; init; } = [];

    /// <summary>What a key holds before the execution.</summary>
    public bool TryRead(string key, [MaybeNullWhen(false)] out Data value) =>
        State.TryGetValue(key, out value) || (Source is not null && Source.TryRead(key, out value));
}

/// <summary>A contract that programs can call.</summary>
/// <param name="Id">How they name it.</param>
/// <param name="Program">Its program, which loads.</param>
/// <param name="State">Its state before the execution; of a store's, only the interpreter can ask.</param>
internal sealed record CallableContract(string Id, ProgramFile Program, IStateSource State);

/// <summary>What an execution left, whichever engine ran it: all observables.</summary>
internal sealed record Execution
{
    public required Ending Ending { get; init; }

    public required BigInteger GasUsed { get; init; }

    public required long Steps { get; init; }

    public required string Output { get; init; }

    public required IReadOnlyDictionary<string, Node> State { get; init; }

    /// <summary>What contracts that it called wrote, by their ids.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<string, Node>> CalledWrites { get; init; }

    public required IReadOnlyList<(string Contract, Node Data)> Ledger { get; init; }

    public required IReadOnlyList<(string Contract, string Event, Node Data)> Events { get; init; }

    public required IReadOnlyList<(string Contract, Node Data, Node Action, BigInteger Timestamp)> Audit { get; init; }

    /// <summary>Of engines that have a heap of their own.</summary>
    public HeapStatistics? Heap { get; init; }

    /// <summary>The interpreter's own.</summary>
    public ExecutionResult? Result { get; init; }
}

/// <summary>How an execution ended: with a value, or with a fault.</summary>
/// <param name="Value">The result, or the fault's value.</param>
/// <param name="Fault">Null when it completed.</param>
/// <param name="Rule">Which rule raised the fault; "" when the engine does not know.</param>
/// <param name="Function">Where the fault arose.</param>
/// <param name="Instruction">Where the fault arose.</param>
internal sealed record Ending(Node Value, Fault? Fault, string Rule, int Function, int Instruction)
{
    public static Ending Completed(Node value) => new(value, null, "", -1, -1);
}

/// <summary>One step of a trace.</summary>
internal sealed record TraceStep
{
    public required long Number { get; init; }

    /// <summary>Code frames alive before the step.</summary>
    public required int Depth { get; init; }

    /// <summary>The contract whose code it is.</summary>
    public required string Contract { get; init; }

    public required int Function { get; init; }

    public required int Instruction { get; init; }

    /// <summary>The rule that the step ended in: the instruction's, or that of a routine it entered.</summary>
    public required string Rule { get; init; }

    /// <summary>`rule/branch`, in order; empty when the engine does not know them.</summary>
    public required IReadOnlyList<string> Branches { get; init; }

    public required BigInteger GasUsed { get; init; }

    /// <summary>The operand stack after the step, top last, of the frame that is then current.</summary>
    public required IReadOnlyList<Node> Stack { get; init; }
}

/// <summary>Something that validates and executes programs.</summary>
internal interface IEngine
{
    /// <summary>As `--engine` says it.</summary>
    string Name { get; }

    /// <summary>A program that may run, or null and the first reason why it may not.</summary>
    ILoadedProgram? Load(Program program, out Refusal? refusal);
}

/// <summary>A program that validation accepted.</summary>
internal interface ILoadedProgram
{
    Execution Run(Inputs inputs, CancellationToken cancellation);

    /// <summary>Runs and shows each step, until the end or until the visitor says no; null in the latter case.</summary>
    Execution? Trace(Inputs inputs, TraceDetail detail, Func<TraceStep, bool> visit, CancellationToken cancellation);
}

/// <summary>How much of the stack a trace takes along.</summary>
/// <param name="Cells">Cells from the top.</param>
/// <param name="Nodes">Values inside one cell.</param>
internal readonly record struct TraceDetail(int Cells, int Nodes);
