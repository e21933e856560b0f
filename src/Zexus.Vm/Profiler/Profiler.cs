using System.Diagnostics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Executes a program and counts. It is a step hook, so an execution without it pays nothing for it. The clock is read only
/// when a function begins or ends.
/// </summary>
public sealed class Profiler
{
    private const int MostNodes = 50_000;

    private readonly Counts[] _functions;
    private readonly List<Frame> _frames = [];
    private readonly Node _root;
    private int _nodes = 1;
    private bool _isTreeCut;

    // What the last step was, to whose account the gas until the next one goes.
    private Counts? _last;
    private int _lastInstruction;
    private Node _node;
    private long _gas;
    private long _clock;

    /// <summary>At the first step: what came before, such as compiling the loop for the hook, is nobody's time.</summary>
    private long _start;

    private Profiler(ZexusProgram program, int entry)
    {
        _functions = [.. program.Image.Functions.Select((function, number) => new Counts(number, function))];
        _root = new Node(entry);
        _node = _root;
    }

    /// <summary>Executes the program as <see cref="Vm.Execute(ZexusProgram, CancellationToken)"/> does, and says what it did.</summary>
    /// <exception cref="ArgumentException">It is a translation: its steps are not the source's.</exception>
    public static ExecutionResult Execute(
        Vm vm,
        ZexusProgram program,
        out Profile profile,
        CancellationToken cancellationToken = default
    ) => Execute(vm, program, EntryCall.Main, out profile, cancellationToken);

    /// <summary>The same from one of its functions.</summary>
    /// <exception cref="ArgumentException">It is a translation: its steps are not the source's; or as <see cref="Vm.Execute(ZexusProgram, EntryCall, CancellationToken)"/> says.</exception>
    public static ExecutionResult Execute(
        Vm vm,
        ZexusProgram program,
        EntryCall entry,
        out Profile profile,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(vm);
        ArgumentNullException.ThrowIfNull(program);
        ArgumentNullException.ThrowIfNull(entry);
        if (program.Translation is not null)
        {
            throw new ArgumentException("a translation cannot be profiled, only its source", nameof(program));
        }

        Profiler profiler = new(program, entry.Function);
        Hook hook = new(profiler);
        ExecutionResult result = vm.Execute(program, entry, ref hook, cancellationToken);
        profile = profiler.Finish(result);
        return result;
    }

    private void Step(in MachineView view)
    {
        // What contracts do that are called is the call's.
        if (view.ContractDepth > 0)
        {
            return;
        }

        int depth = view.FrameDepth;
        int function = view.Function;
        int instruction = view.Instruction;
        Charge(view.GasUsed);
        bool isNew = _frames.Count == 0 || _frames[^1].Depth != depth || LastLeft();
        if (isNew)
        {
            ChangeFrame(depth, function);
        }
        else if (_last!.Targets[_lastInstruction] == instruction && instruction != _lastInstruction + 1)
        {
            _last.Taken[_lastInstruction]++;
        }

        _last = _functions[function];
        _lastInstruction = instruction;
        _last.Steps[instruction]++;
        _node.Steps++;
    }

    private void Charge(long gas)
    {
        if (_last is not null)
        {
            _last.Gas[_lastInstruction] += gas - _gas;
            _node.Gas += gas - _gas;
        }

        _gas = gas;
    }

    /// <summary>Did the last step end its frame? A builtin that calls back can then begin another at the same depth.</summary>
    private bool LastLeft() => _last!.Leaves[_lastInstruction];

    private void ChangeFrame(int depth, int function)
    {
        if (_last is null)
        {
            _start = _clock = Stopwatch.GetTimestamp();
        }

        long now = Tick();
        if (_frames.Count > 0 && _frames[^1].Depth == depth)
        {
            End(now);
        }

        while (_frames.Count > 0 && _frames[^1].Depth > depth)
        {
            End(now);
        }

        if (_frames.Count == 0 || _frames[^1].Depth < depth)
        {
            _node = Callee(function);
            _node.Count++;
            _functions[function].Calls++;
            _frames.Add(new Frame(depth, function, _node, now));
        }
    }

    /// <summary>The time since the last change belongs to the node that was current.</summary>
    private long Tick()
    {
        long now = Stopwatch.GetTimestamp();
        _node.Ticks += now - _clock;
        _clock = now;
        return now;
    }

    private void End(long now)
    {
        Frame frame = _frames[^1];
        _functions[frame.Function].Durations.Add(now - frame.Start);
        _frames.RemoveAt(_frames.Count - 1);
        _node = _frames.Count > 0 ? _frames[^1].Node : _root;
    }

    private Node Callee(int function)
    {
        if (_frames.Count == 0)
        {
            return _root;
        }

        if (_node.Callees.TryGetValue(function, out Node? callee))
        {
            return callee;
        }

        if (_nodes == MostNodes)
        {
            _isTreeCut = true;
            return _node;
        }

        _nodes++;
        callee = new Node(function);
        _node.Callees.Add(function, callee);
        return callee;
    }

    private Profile Finish(ExecutionResult result)
    {
        Charge(result.GasUsed);
        long now = Tick();
        while (_frames.Count > 0)
        {
            End(now);
        }

        CallProfile calls = ToCalls(_root);
        Cost[] own = new Cost[_functions.Length];
        Cost[] total = new Cost[_functions.Length];
        AddUp(calls, own, total);
        return new Profile(
            result.Steps,
            result.GasUsed,
            Stopwatch.GetElapsedTime(_start, now),
            [.. _functions.SelectMany(f => f.Instructions())],
            [
                .. _functions
                    .Where(f => f.Calls > 0)
                    .Select(f => new FunctionProfile(
                        f.Number,
                        f.Calls,
                        own[f.Number],
                        total[f.Number],
                        f.Durations.ToPercentiles()
                    )),
            ],
            [.. _functions.SelectMany(f => f.Loops()).OrderByDescending(loop => loop.Steps)],
            calls,
            _isTreeCut
        );
    }

    /// <summary>As deep as calls can be, so without recursion.</summary>
    private static CallProfile ToCalls(Node root)
    {
        List<Node> order = [root];
        for (int i = 0; i < order.Count; i++)
        {
            order.AddRange(order[i].Callees.Values);
        }

        Dictionary<Node, CallProfile> made = [];
        foreach (Node node in Enumerable.Reverse(order))
        {
            CallProfile[] callees = [.. node.Callees.Values.Select(callee => made[callee])];
            Cost own = new(node.Steps, node.Gas, Stopwatch.GetElapsedTime(0, node.Ticks));
            Cost total = callees.Aggregate(own, (sum, callee) => sum + callee.Total);
            made.Add(node, new CallProfile(node.Function, node.Count, own, total, callees));
        }

        return made[root];
    }

    private static void AddUp(CallProfile root, Cost[] own, Cost[] total)
    {
        int[] active = new int[own.Length];
        Stack<(CallProfile Call, bool IsDone)> pending = new([(root, false)]);
        while (pending.TryPop(out (CallProfile Call, bool IsDone) next))
        {
            int function = next.Call.Function;
            if (next.IsDone)
            {
                active[function]--;
                continue;
            }

            own[function] += next.Call.Own;
            if (active[function]++ == 0)
            {
                total[function] += next.Call.Total;
            }

            pending.Push((next.Call, true));
            foreach (CallProfile callee in next.Call.Callees)
            {
                pending.Push((callee, false));
            }
        }
    }

    private readonly struct Hook(Profiler profiler) : IStepHook
    {
        public void BeforeStep(in MachineView view) => profiler.Step(view);
    }

    private readonly record struct Frame(int Depth, int Function, Node Node, long Start);

    private sealed class Node(int function)
    {
        public int Function { get; } = function;

        public Dictionary<int, Node> Callees { get; } = [];

        public long Count;
        public long Steps;
        public long Gas;
        public long Ticks;
    }

    /// <summary>Of one function; the last place of each array is the end of its code.</summary>
    private sealed class Counts
    {
        public Counts(int number, FunctionDefinition function)
        {
            int length = function.Code.Length;
            Number = number;
            Steps = new long[length + 1];
            Gas = new long[length + 1];
            Taken = new long[length + 1];
            Targets = new int[length + 1];
            Leaves = new bool[length + 1];
            Branches = new bool[length + 1];
            Targets[length] = -1;
            Leaves[length] = true;
            for (int i = 0; i < length; i++)
            {
                Instruction instruction = function.Code[i];
                InstructionSet.TryFind(instruction.Number, out OpcodeInfo info);
                Branches[i] = info.Flow.IsBranch;
                Leaves[i] = info.Opcode == Opcode.RETURN;
                Targets[i] = info.Flow.IsJump || info.Flow.IsBranch ? Target(info, instruction) : -1;
            }
        }

        public int Number { get; }

        public long[] Steps { get; }

        public long[] Gas { get; }

        public long[] Taken { get; }

        /// <summary>Where it jumps; -1 when it does not.</summary>
        public int[] Targets { get; }

        /// <summary>Does it end the frame?</summary>
        public bool[] Leaves { get; }

        public long Calls;

        public Histogram Durations { get; } = new();

        private bool[] Branches { get; }

        public IEnumerable<InstructionProfile> Instructions()
        {
            for (int i = 0; i < Steps.Length; i++)
            {
                if (Steps[i] > 0)
                {
                    long? taken = Branches[i] ? Taken[i] : null;
                    yield return new InstructionProfile(Number, i, Steps[i], Gas[i], taken);
                }
            }
        }

        public IEnumerable<LoopProfile> Loops()
        {
            for (int i = 0; i < Steps.Length; i++)
            {
                if (Targets[i] >= 0 && Targets[i] <= i && Taken[i] > 0)
                {
                    yield return new LoopProfile(Number, Targets[i], i, Taken[i], Steps[Targets[i]..(i + 1)].Sum());
                }
            }
        }

        private static int Target(OpcodeInfo info, Instruction instruction)
        {
            int at = Array.FindIndex(info.Operands, operand => operand.Kind == OperandKind.Target);
            return (int)(
                at switch
                {
                    0 => instruction.A,
                    1 => instruction.B,
                    2 => instruction.C,
                    _ => -1,
                }
            );
        }
    }

    /// <summary>Durations in clock ticks, eight classes to a power of two.</summary>
    private sealed class Histogram
    {
        private readonly long[] _classes = new long[64 * 8];
        private long _count;
        private long _longest;

        public void Add(long ticks)
        {
            _classes[ClassOf(ticks)]++;
            _count++;
            _longest = Math.Max(_longest, ticks);
        }

        public Percentiles ToPercentiles() => new(At(0.5), At(0.9), At(0.99), Time(_longest));

        private static TimeSpan Time(long ticks) => Stopwatch.GetElapsedTime(0, ticks);

        private static int ClassOf(long ticks)
        {
            if (ticks < 8)
            {
                return (int)Math.Max(ticks, 0);
            }

            int power = System.Numerics.BitOperations.Log2((ulong)ticks);
            return ((power - 2) * 8) + (int)((ticks >> (power - 3)) & 7);
        }

        /// <summary>The longest of a class.</summary>
        private static long LongestOf(int number)
        {
            int power = (number / 8) + 2;
            return number < 8 ? number : ((8L + (number % 8) + 1) << (power - 3)) - 1;
        }

        private TimeSpan At(double part)
        {
            long wanted = (long)Math.Ceiling(part * _count);
            long seen = 0;
            for (int i = 0; i < _classes.Length; i++)
            {
                seen += _classes[i];
                if (seen >= wanted)
                {
                    return Time(Math.Min(LongestOf(i), _longest));
                }
            }

            return Time(_longest);
        }
    }
}
