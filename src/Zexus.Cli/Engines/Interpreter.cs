using System.Numerics;
using Zexus.Cli.Output;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Engines;

/// <summary>How the engine of Zexus.Vm runs a program.</summary>
internal sealed record InterpreterOptions
{
    /// <summary>The optimization level.</summary>
    public int Level { get; init; }

    /// <summary>In register form?</summary>
    public bool Registers { get; init; }

    /// <summary>With the heap's allocations by site?</summary>
    public bool ProfilesHeap { get; init; }

    /// <summary>Is nothing compiled to machine code?</summary>
    public bool InterpretsOnly { get; init; }
}

/// <summary>The engine of Zexus.Vm, on programs as they are, or optimized, or in register form.</summary>
internal sealed class Interpreter(InterpreterOptions options) : IEngine
{
    /// <summary>
    /// Steps, some milliseconds of them, that are only interpreted: making the first threaded code of a process, and compiling, takes tens of milliseconds.
    /// </summary>
    private const long ShortRun = 1_000_000;

    /// <summary>As --engine names it, and --help its default.</summary>
    public override string ToString() => "interpreter";

    public string Name => "interpreter";

    public ILoadedProgram? Load(Program program, out Refusal? refusal) =>
        ZexusProgram.TryLoad(program, Limits.Default, out ZexusProgram? loaded, out refusal)
            ? new LoadedProgram(Translated(loaded, options), options)
            : null;

    /// <summary>What the host gives, as the engine takes it.</summary>
    /// <param name="inputs">What the host gives.</param>
    /// <param name="code">In what form the programs of contracts run that can be called.</param>
    public static VmOptions Options(Inputs inputs, InterpreterOptions code) =>
        new()
        {
            GasLimit = inputs.Gas,
            MemoryLimit = inputs.MemoryLimit,
            StepLimit = inputs.StepLimit,
            TimeLimit = inputs.TimeLimit,
            State = inputs.State,
            Source = inputs.Source,
            Contract = inputs.Contract,
            Contracts = ContractsOf(inputs, code),
            Block = new BlockContext
            {
                Timestamp = inputs.Timestamp,
                Height = inputs.Height,
                Caller = inputs.Caller,
            },
        };

    private static Contracts? ContractsOf(Inputs inputs, InterpreterOptions code)
    {
        Contracts? contracts = inputs.Contracts.Count == 0 ? null : new();
        foreach (CallableContract callable in inputs.Contracts)
        {
            ZexusProgram program = Translated(ZexusProgram.Load(callable.Program.Program), code);
            contracts!.Add(callable.Id, new Contract(program, callable.State));
        }

        return contracts;
    }

    /// <summary>Where the execution begins.</summary>
    public static EntryCall Entry(Inputs inputs) => new(inputs.Function, inputs.Arguments);

    private static ZexusProgram Translated(ZexusProgram program, InterpreterOptions options)
    {
        if (options.Level == 0 && !options.Registers)
        {
            return program;
        }

        TranslatedProgram optimized = Optimizer.Optimize(program, options.Level).Program;
        return ZexusProgram.Load(options.Registers ? RegisterConverter.Convert(optimized).Program : optimized);
    }

    private sealed class LoadedProgram(ZexusProgram program, InterpreterOptions options) : ILoadedProgram
    {
        public Execution Run(Inputs inputs, CancellationToken cancellation)
        {
            using Vm.Vm vm = new(Options(inputs));
            return ExecutionOf(vm.Execute(program, Entry(inputs), cancellation));
        }

        public Execution? Trace(
            Inputs inputs,
            TraceDetail detail,
            Func<TraceStep, bool> visit,
            CancellationToken cancellation
        )
        {
            using Vm.Vm vm = new(Options(inputs));
            Tracer tracer = new(
                inputs
                    .Contracts.Select(callable => (callable.Id, callable.Program.Program))
                    .Append((inputs.Contract, program.Image))
                    .ToDictionary(StringComparer.Ordinal),
                detail,
                visit,
                new StepGuards(inputs with { MemoryLimit = long.MaxValue })
            );
            Hook hook = new(tracer);
            try
            {
                ExecutionResult result = vm.Execute(program, Entry(inputs), ref hook, cancellation);
                return tracer.Finish(result.GasUsed) ? ExecutionOf(result) : null;
            }
            catch (Stopped)
            {
                return null;
            }
        }

        private VmOptions Options(Inputs inputs) =>
            Interpreter.Options(inputs, options) with
            {
                Collection = new CollectionOptions { Profile = options.ProfilesHeap },
                Jit = options.InterpretsOnly ? null : JitOptions.Default,
                InterpretedSteps = ShortRun,
            };

        private Execution ExecutionOf(ExecutionResult result) =>
            new()
            {
                Ending = result.Fault is null
                    ? Ending.Completed(ToNode(result.Value))
                    : new Ending(
                        ToNode(result.FaultValue!),
                        result.Fault,
                        "",
                        result.FaultFunction,
                        result.FaultInstruction
                    ),
                GasUsed = result.GasUsed,
                Steps = result.Steps,
                Output = result.Output,
                State = Sorted(result.State),
                CalledWrites = result.CalledWrites.ToDictionary(
                    called => called.Key,
                    IReadOnlyDictionary<string, Node> (called) => Sorted(called.Value),
                    StringComparer.Ordinal
                ),
                Ledger = [.. result.Ledger.Select(e => (e.Contract, Node.Of(e.Entry)))],
                Events = [.. result.Events.Select(e => (e.Contract, e.Name, Node.Of(e.Payload)))],
                Audit = [.. result.Audit.Select(e => (e.Contract, Node.Of(e.Data), Node.Of(e.Action), e.Timestamp))],
                Heap = result.Heap,
                Result = result,
            };

        private static SortedDictionary<string, Node> Sorted(IReadOnlyDictionary<string, Data> state) =>
            new(state.ToDictionary(e => e.Key, e => Node.Of(e.Value)), StringComparer.Ordinal);

        private Node ToNode(ZexusValue root)
        {
            Dictionary<ZexusValue, Node> made = new(ReferenceEqualityComparer.Instance);
            Queue<ZexusValue> pending = [];

            Node Make(ZexusValue value)
            {
                switch (value.Kind)
                {
                    case ValueKind.Null or ValueKind.Task:
                        return Node.Null;
                    case ValueKind.Bool:
                        return Node.Of(value.AsBool);
                    case ValueKind.Int:
                        return Node.Of(value.AsInteger);
                    case ValueKind.Float:
                        return Node.Of(value.AsFloat);
                    case ValueKind.String:
                        return Node.Of(value.AsString);
                    default:
                        break;
                }

                if (!made.TryGetValue(value, out Node? node))
                {
                    node =
                        value.Kind == ValueKind.Function
                            ? Node.Function(program.Image.Functions[value.FunctionIndex])
                            : Node.Collection(KindOf(value.Kind));
                    made.Add(value, node);
                    pending.Enqueue(value);
                }

                return node;
            }

            Node result = Make(root);
            while (pending.TryDequeue(out ZexusValue? value))
            {
                made[value].Items = value.Kind switch
                {
                    ValueKind.Map => [.. value.Entries.SelectMany(e => new[] { Make(e.Key), Make(e.Value) })],
                    ValueKind.Function => [.. value.Captures.Select(Make)],
                    _ => [.. value.Items.Select(Make)],
                };
            }

            return result;
        }
    }

    private static NodeKind KindOf(ValueKind kind) =>
        kind switch
        {
            ValueKind.List => NodeKind.List,
            ValueKind.Map => NodeKind.Map,
            ValueKind.Set => NodeKind.Set,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };

    /// <summary>Thrown through the engine when the visitor has seen enough.</summary>
    private sealed class Stopped : Exception;

    private readonly struct Hook(Tracer tracer) : IStepHook
    {
        public void BeforeStep(in MachineView view) => tracer.Before(view);
    }

    /// <summary>The engine shows itself before each step; a trace tells what each step did. So a step is told when the next begins.</summary>
    private sealed class Tracer(
        Dictionary<string, Program> programs,
        TraceDetail detail,
        Func<TraceStep, bool> visit,
        StepGuards guards
    )
    {
        private long _number;
        private string _contract = "";
        private int _depth;
        private int _function;
        private int _instruction;

        public void Before(in MachineView view)
        {
            if (_number > 0 && !Tell(view.GasUsed, StackOf(view)))
            {
                throw new Stopped();
            }

            guards.Before(++_number);
            _contract = view.Contract;
            _depth = view.FrameDepth;
            _function = view.Function;
            _instruction = view.Instruction;
        }

        /// <summary>The last step; its stack is gone.</summary>
        public bool Finish(long gasUsed) => Tell(gasUsed, []);

        private bool Tell(long gasUsed, IReadOnlyList<Node> stack) =>
            visit(
                new TraceStep
                {
                    Number = _number,
                    Contract = _contract,
                    Depth = _depth,
                    Function = _function,
                    Instruction = _instruction,
                    Rule = "",
                    Branches = [],
                    GasUsed = gasUsed,
                    Stack = stack,
                }
            );

        private List<Node> StackOf(in MachineView view)
        {
            List<Node> cells = [];
            for (int i = Math.Max(0, view.StackHeight - detail.Cells); i < view.StackHeight; i++)
            {
                int room = detail.Nodes;
                cells.Add(ToNode(programs[view.Contract], view.Stack(i), [], ref room));
            }

            return cells;
        }

        /// <summary>Recursion as deep as there is room at most.</summary>
        private static Node ToNode(Program program, HeapValue value, Dictionary<long, Node> made, ref int room)
        {
            if (--room < 0)
            {
                return Node.Cut;
            }

            switch (value.Kind)
            {
                case ValueKind.Null or ValueKind.Task:
                    return Node.Null;
                case ValueKind.Bool:
                    return Node.Of(value.AsBool);
                case ValueKind.Int:
                    return Node.Of(value.AsInteger);
                case ValueKind.Float:
                    return Node.Of(value.AsFloat);
                case ValueKind.String:
                    return Node.Of(value.AsString);
                case ValueKind.Function:
                    return Node.Function(program.Functions[value.FunctionIndex]);
                default:
                    break;
            }

            if (made.TryGetValue(value.Identity, out Node? known))
            {
                return known;
            }

            Node node = Node.Collection(KindOf(value.Kind));
            made.Add(value.Identity, node);
            List<Node> items = [];
            for (int i = 0; i < value.Count; i++)
            {
                if (room <= 0)
                {
                    items.Add(Node.Cut);
                    if (value.Kind == ValueKind.Map)
                    {
                        items.Add(Node.Cut);
                    }

                    break;
                }

                if (value.Kind == ValueKind.Map)
                {
                    items.Add(ToNode(program, value.Key(i), made, ref room));
                    items.Add(ToNode(program, value.Value(i), made, ref room));
                }
                else
                {
                    items.Add(ToNode(program, value.Item(i), made, ref room));
                }
            }

            node.Items = [.. items];
            return node;
        }
    }
}
