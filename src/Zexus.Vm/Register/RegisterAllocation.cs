using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Linear scan (Poletto and Sarkar, TOPLAS 1999): which variables of a function live in a register from the first to the last point at which
/// they may be read, and which constants of loops do. A point is twice an instruction's number before it acts, and one more when it has.
/// </summary>
internal sealed class RegisterAllocation
{
    /// <summary>Registers that operands are loaded into only for the instruction that takes them.</summary>
    private const int ScratchRegisters = 2;

    /// <summary>Registers that stay free for what the operand stack held.</summary>
    private const int TemporaryRegisters = 2;

    /// <summary>With fewer than that there is none for a variable: the code stays as it is.</summary>
    private const int LeastRegisters = ScratchRegisters + TemporaryRegisters;

    /// <summary>Before the first instruction.</summary>
    private const int Beginning = -1;

    private const int LargestDepth = 6;

    private readonly List<Interval>[] _ofRegister;
    private readonly Dictionary<int, Interval> _ofPlace = [];
    private readonly Dictionary<long, Interval> _ofConstant = [];
    private readonly StackCode _code;
    private readonly FramePlaces _places;

    /// <summary>Allocates the registers that the code does not use itself.</summary>
    public RegisterAllocation(StackCode code, FunctionGraph graph, FramePlaces places, ConstantPool constants)
    {
        _code = code;
        _places = places;
        bool[] used = new bool[Limits.Registers];
        for (int at = 0; at < code.Count; at++)
        {
            TranslatedInstruction instruction = code[at];
            Operand[] operands = code.Facts(at).Info.Operands;
            for (int k = 0; k < operands.Length; k++)
            {
                if (operands[k].Kind.IsRegister)
                {
                    used[
                        k == 0 ? instruction.A
                        : k == 1 ? instruction.B
                        : instruction.C
                    ] = true;
                }
            }
        }

        int[] free = [.. Enumerable.Range(0, Limits.Registers).Where(register => !used[register])];
        IsPossible = free.Length >= LeastRegisters;
        Free = free[..Math.Max(0, free.Length - ScratchRegisters)];
        Scratch = free[Free.Length..];
        _ofRegister = [.. Enumerable.Range(0, Limits.Registers).Select(_ => new List<Interval>())];
        if (IsPossible)
        {
            Scan(
                [.. Variables(new Liveness(places, graph), graph), .. Constants(constants)],
                Free[..^TemporaryRegisters]
            );
        }
    }

    /// <summary>Are there registers enough?</summary>
    public bool IsPossible { get; }

    /// <summary>Registers that the code does not use itself, without those of <see cref="Scratch"/>.</summary>
    public int[] Free { get; }

    /// <summary>For operands that only one instruction reads.</summary>
    public int[] Scratch { get; }

    /// <summary>Everything that has a register.</summary>
    public IEnumerable<Interval> Allocated => _ofPlace.Values.Concat(_ofConstant.Values);

    /// <summary>The register that is the home of a variable; -1 when the variable stays where it is.</summary>
    public int HomeOf(int place) => place >= 0 && _ofPlace.TryGetValue(place, out Interval? it) ? it.Register : -1;

    /// <summary>The register that holds a constant before an instruction; -1 when there is none.</summary>
    public int RegisterOf(long constant, int at) =>
        _ofConstant.TryGetValue(constant, out Interval? it) && it.Holds(2 * at) ? it.Register : -1;

    /// <summary>Is the register nobody's home from one point to another?</summary>
    public bool IsFree(int register, int first, int last) =>
        _ofRegister[register].TrueForAll(it => it.End < first || it.Start > last);

    private double Weight(int at) => Math.Pow(10, Math.Min(_code.LoopDepth(at), LargestDepth));

    /// <summary>Is there room for instructions that run once, before the first?</summary>
    private bool HasBeginning => _code.Count > 0 && !_code.IsLanding(0);

    private List<Interval> Variables(Liveness liveness, FunctionGraph graph)
    {
        Interval[] all =
        [
            .. Enumerable.Range(0, _places.Variables).Select(place => new Interval { Place = place, Constant = -1 }),
        ];
        bool[] stays = new bool[all.Length];
        Node? node = liveness.StartWalk();
        for (int at = _code.Count - 1; node is not null; node = node.Previous, at--)
        {
            liveness.GoBehind(node);
            Extend((2 * at) + 1);
            liveness.GoBefore(node);
            Extend(2 * at);
            if (_code.IsReached(at))
            {
                Look(at);
            }

            void Extend(int point)
            {
                for (int place = 0; place < all.Length && _code.IsReached(at); place++)
                {
                    if (liveness.IsLive(place))
                    {
                        all[place].Include(point);
                    }
                }
            }
        }

        foreach (Interval it in all.Where(it => it.Start == 0))
        {
            it.Start = Beginning;
            it.IsParameter = it.Place < _places.Parameters;
            it.Weight -= it.IsParameter ? 1 : 0;
            stays[it.Place] |= it.IsParameter && !HasBeginning;
        }

        return [.. all.Where(it => it.Weight > 0 && !stays[it.Place])];

        void Look(int at)
        {
            TranslatedInstruction instruction = _code[at];
            switch (instruction.Opcode.Tag)
            {
                case Opcode.Tags.LOAD_NAME when _places.OfName(instruction.A) is var place and >= 0:
                    if (_code.NeedsNoStack(at))
                    {
                        // It is read when it is taken.
                        int consumer = _code.Consumer(at);
                        all[place].Include(2 * consumer);
                        all[place].Weight += Weight(at) * (Computes(consumer) ? 1 : 0.5);
                        if (
                            _code.IsStoredNext(at)
                            && _code.Facts(consumer).Info.Opcode.Tag == Opcode.Tags.STORE_NAME
                            && _places.OfName(_code[consumer].A) is var copy and >= 0
                        )
                        {
                            all[copy].Hint = all[place];
                        }
                    }

                    break;
                case Opcode.Tags.STORE_NAME when _places.OfName(instruction.A) is var place and >= 0:
                    bool isComputed = at > 0 && Computes(at - 1) && _code.IsStoredNext(at - 1);
                    all[place].Include((2 * (isComputed ? at - 1 : at)) + 1);
                    all[place].Weight += isComputed ? Weight(at) : 0;
                    break;
                case Opcode.Tags.STORE_CONST when _places.OfName(instruction.A) is var place and >= 0:
                    all[place].Include((2 * at) + 1);
                    break;
                case Opcode.Tags.STORE_REG when _places.OfName(instruction.B) is var place and >= 0:
                    all[place].Include((2 * at) + 1);
                    all[place].Weight += Weight(at);
                    break;
                case Opcode.Tags.LOAD_VAR_REG when _places.OfName(instruction.B) is var place and >= 0:
                    all[place].Weight += Weight(at);
                    break;
                case Opcode.Tags.STORE_FUNC:
                case Opcode.Tags.CALL_NAME:
                    if (_places.OfName(instruction.A) is var named and >= 0)
                    {
                        stays[named] = true;
                    }

                    break;
                default:
                    break;
            }
        }
    }

    private bool Computes(int at) => RegisterTwins.Of(_code.Facts(at).Info.Opcode.Tag) is not null;

    /// <summary>Constants that operations in loops take: they are loaded once, before the first instruction.</summary>
    private List<Interval> Constants(ConstantPool constants)
    {
        Dictionary<long, Interval> all = [];
        if (!HasBeginning)
        {
            return [];
        }

        for (int at = 0; at < _code.Count; at++)
        {
            if (!_code.IsReached(at))
            {
                continue;
            }

            if (
                _code[at].Opcode.Tag == Opcode.Tags.LOAD_CONST
                && constants.FactOf(_code[at].A).Kinds.Within(KindSet.Number | KindSet.String)
                && _code.NeedsNoStack(at)
                && Computes(_code.Consumer(at))
            )
            {
                Add(constants.FirstOf(_code[at].A), _code.Consumer(at));
            }
            else if (RegisterTwins.AddsOne(_code.Facts(at).Info.Opcode.Tag) && _code.TakesRegisters(at))
            {
                Add(constants.NumberOf(Data.NewInt(1)), at);
            }
        }

        return [.. all.Values];

        void Add(long constant, int user)
        {
            if (_code.LoopDepth(user) == 0)
            {
                return;
            }

            if (!all.TryGetValue(constant, out Interval? it))
            {
                it = new Interval { Place = -1, Constant = constant };
                it.Include(Beginning);
                all.Add(constant, it);
            }

            it.Include((2 * _code.LoopEnd(user)) + 1);
            it.Weight += Weight(user);
        }
    }

    /// <summary>Where too many live at once, those stay where they are that are read least.</summary>
    private void Scan(List<Interval> intervals, int[] registers)
    {
        List<Interval> active = [];
        foreach (Interval it in intervals.OrderBy(it => it.Start).ThenByDescending(it => it.Weight))
        {
            _ = active.RemoveAll(other => other.End < it.Start);
            int[] free = [.. registers.Where(register => active.TrueForAll(other => other.Register != register))];
            if (free.Length > 0)
            {
                it.Register =
                    it.Hint is { Register: >= 0 } hint && free.Contains(hint.Register) ? hint.Register : free[0];
                active.Add(it);
                continue;
            }

            if (active.MinBy(other => other.Weight) is { } least && least.Weight < it.Weight)
            {
                it.Register = least.Register;
                least.Register = -1;
                _ = active.Remove(least);
                active.Add(it);
            }
        }

        foreach (Interval it in intervals.Where(it => it.Register >= 0))
        {
            _ofRegister[it.Register].Add(it);
            if (it.Place >= 0)
            {
                _ofPlace.Add(it.Place, it);
            }
            else
            {
                _ofConstant.Add(it.Constant, it);
            }
        }
    }

    /// <summary>From the first to the last point at which a variable may be read or a constant is, without holes.</summary>
    internal sealed class Interval
    {
        /// <summary>The variable among <see cref="FramePlaces"/>; -1 of a constant.</summary>
        public required int Place { get; init; }

        /// <summary>The constant's number; -1 of a variable.</summary>
        public required long Constant { get; init; }

        public int Start { get; set; } = int.MaxValue;

        public int End { get; private set; } = -1;

        /// <summary>What a register saves, more in loops.</summary>
        public double Weight { get; set; }

        /// <summary>A parameter that is read: its register is loaded at the beginning.</summary>
        public bool IsParameter { get; set; }

        /// <summary>Of what it is a copy: in the same register the copy costs nothing.</summary>
        public Interval? Hint { get; set; }

        public int Register { get; set; } = -1;

        public bool Holds(int point) => Start <= point && point <= End;

        public void Include(int point)
        {
            Start = Math.Min(Start, point);
            End = Math.Max(End, point);
        }
    }
}
