using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Linear scan (Poletto and Sarkar, TOPLAS 1999): which webs of a function's variables (<see cref="SsaForm"/>) live in a register from the first to
/// the last point at which they may be read, and which constants of loops do. A point is twice an instruction's number before it acts, and one more
/// when it has.
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
    private readonly Dictionary<int, Interval> _ofWeb = [];
    private readonly Dictionary<long, Interval> _ofConstant = [];
    private readonly Dictionary<int, HashSet<int>> _liveAt = [];
    private readonly bool[] _own = new bool[Limits.Registers];
    private readonly StackCode _code;
    private readonly FramePlaces _places;
    private readonly SsaForm _ssa;

    /// <summary>Allocates the registers that the code does not use itself.</summary>
    public RegisterAllocation(StackCode code, FunctionGraph graph, FramePlaces places, ConstantPool constants)
    {
        _code = code;
        _places = places;
        for (int at = 0; at < code.Count; at++)
        {
            TranslatedInstruction instruction = code[at];
            Operand[] operands = code.Facts(at).Info.Operands;
            for (int k = 0; k < operands.Length; k++)
            {
                if (operands[k].Kind.IsRegister)
                {
                    _own[
                        k == 0 ? instruction.A
                        : k == 1 ? instruction.B
                        : instruction.C
                    ] = true;
                }
            }
        }

        Liveness liveness = new(places, graph);
        _ssa = new SsaForm(code, places, graph, liveness);
        int[] free = [.. Enumerable.Range(0, Limits.Registers).Where(register => !_own[register])];
        IsPossible = free.Length >= LeastRegisters;
        Free = free[..Math.Max(0, free.Length - ScratchRegisters)];
        Scratch = free[Free.Length..];
        _ofRegister = [.. Enumerable.Range(0, Limits.Registers).Select(_ => new List<Interval>())];
        if (IsPossible)
        {
            Scan([.. Variables(liveness), .. Constants(constants)], Free[..^TemporaryRegisters]);
        }
    }

    /// <summary>Are there registers enough?</summary>
    public bool IsPossible { get; }

    /// <summary>Registers that the code does not use itself, without those of <see cref="Scratch"/>.</summary>
    public int[] Free { get; }

    /// <summary>For operands that only one instruction reads.</summary>
    public int[] Scratch { get; }

    /// <summary>Everything that has a register.</summary>
    public IEnumerable<Interval> Allocated => _ofWeb.Values.Concat(_ofConstant.Values);

    /// <summary>The register that is the home of what a variable holds before an instruction; -1 when that is where it always was.</summary>
    public int HomeBefore(int place, int at) => place >= 0 ? Home(_ssa.WebBefore(place, at)) : -1;

    /// <summary>The register that is the home of what a variable holds when an instruction has acted; -1 when that is where it always was.</summary>
    public int HomeBehind(int place, int at) => place >= 0 ? Home(_ssa.WebBehind(place, at)) : -1;

    /// <summary>The register that holds a constant before an instruction; -1 when there is none.</summary>
    public int RegisterOf(long constant, int at) =>
        _ofConstant.TryGetValue(constant, out Interval? it) && it.Holds(2 * at) ? it.Register : -1;

    /// <summary>Is the register nobody's home from one point to another?</summary>
    public bool IsFree(int register, int first, int last) =>
        _ofRegister[register].TrueForAll(it => it.End < first || it.Start > last);

    /// <summary>What holds of variables and registers at a landing, or at the entry.</summary>
    public IEnumerable<Claim> ClaimsAt(int at, ConstantPool constants)
    {
        if (at == 0 && HasBeginning)
        {
            int nothing = constants.NumberOf(Data.Null);
            foreach (Interval it in _ofWeb.Values.Where(it => it is { Start: Beginning, IsParameter: false }))
            {
                yield return new Claim.Constant(_places.ToPlace(it.Place), nothing);
                yield return new Claim.Constant(new Place.Register(it.Register), nothing);
            }

            yield break;
        }

        HashSet<int> spokenOf = [];
        foreach (Interval it in _ofConstant.Values.Where(it => it.Holds(2 * at)))
        {
            _ = spokenOf.Add(it.Register);
            yield return new Claim.Held(new Place.Register(it.Register), (int)it.Constant);
        }

        foreach (int place in _ofWeb.Values.Select(it => it.Place).Distinct())
        {
            if (!_liveAt[at].Contains(place))
            {
                yield return new Claim.Dead(_places.ToPlace(place));
            }
            else if (HomeBefore(place, at) is var home and >= 0)
            {
                _ = spokenOf.Add(home);
                yield return new Claim.Home(_places.ToPlace(place), new Place.Register(home));
            }
        }

        for (int register = 0; register < Limits.Registers; register++)
        {
            if (!_own[register] && !spokenOf.Contains(register))
            {
                yield return new Claim.Dead(new Place.Register(register));
            }
        }
    }

    private double Weight(int at) => Math.Pow(10, Math.Min(_code.LoopDepth(at), LargestDepth));

    /// <summary>Is there room for instructions that run once, before the first?</summary>
    private bool HasBeginning => _code.Count > 0 && !_code.IsLanding(0);

    private int Home(int web) => _ofWeb.TryGetValue(web, out Interval? it) ? it.Register : -1;

    private List<Interval> Variables(Liveness liveness)
    {
        Dictionary<int, Interval> all = [];
        HashSet<Interval> stay = [];
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

            if (_code.IsLanding(at))
            {
                _liveAt[at] = [.. Enumerable.Range(0, _places.Variables).Where(liveness.IsLive)];
            }

            void Extend(int point)
            {
                for (int place = 0; place < _places.Variables && _code.IsReached(at); place++)
                {
                    if (liveness.IsLive(place))
                    {
                        (point % 2 == 0 ? Before(place, at) : Behind(place, at)).Include(point);
                    }
                }
            }
        }

        foreach (Interval it in all.Values.Where(it => it.Start == 0))
        {
            it.Start = Beginning;
            it.IsParameter = it.Place < _places.Parameters;
            it.Weight -= it.IsParameter ? 1 : 0;
            if (it.IsParameter && !HasBeginning)
            {
                _ = stay.Add(it);
            }
        }

        return [.. all.Values.Where(it => it.Weight > 0 && !stay.Contains(it))];

        Interval Before(int place, int at) => Of(place, _ssa.WebBefore(place, at));

        Interval Behind(int place, int at) => Of(place, _ssa.WebBehind(place, at));

        Interval Of(int place, int web)
        {
            if (!all.TryGetValue(web, out Interval? it))
            {
                it = new Interval
                {
                    Place = place,
                    Web = web,
                    Constant = -1,
                };
                all.Add(web, it);
            }

            return it;
        }

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
                        Interval read = Before(place, at);
                        read.Include(2 * consumer);
                        read.Weight += Weight(at) * (Computes(consumer) ? 1 : 0.5);
                        if (
                            _code.IsStoredNext(at)
                            && _code.Facts(consumer).Info.Opcode.Tag == Opcode.Tags.STORE_NAME
                            && _places.OfName(_code[consumer].A) is var copy and >= 0
                        )
                        {
                            Behind(copy, consumer).Hint = read;
                        }
                    }

                    break;
                case Opcode.Tags.STORE_NAME when _places.OfName(instruction.A) is var place and >= 0:
                    bool isComputed = at > 0 && Computes(at - 1) && _code.IsStoredNext(at - 1);
                    Interval stored = Behind(place, at);
                    stored.Include((2 * (isComputed ? at - 1 : at)) + 1);
                    stored.Weight += isComputed ? Weight(at) : 0;
                    break;
                case Opcode.Tags.STORE_CONST when _places.OfName(instruction.A) is var place and >= 0:
                    Behind(place, at).Include((2 * at) + 1);
                    break;
                case Opcode.Tags.STORE_REG when _places.OfName(instruction.B) is var place and >= 0:
                    Behind(place, at).Include((2 * at) + 1);
                    Behind(place, at).Weight += Weight(at);
                    break;
                case Opcode.Tags.LOAD_VAR_REG when _places.OfName(instruction.B) is var place and >= 0:
                    Before(place, at).Weight += Weight(at);
                    break;
                case Opcode.Tags.STORE_FUNC when _places.OfName(instruction.A) is var place and >= 0:
                    _ = stay.Add(Behind(place, at));
                    break;
                case Opcode.Tags.CALL_NAME when _places.OfName(instruction.A) is var place and >= 0:
                    _ = stay.Add(Before(place, at));
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
                it = new Interval
                {
                    Place = -1,
                    Web = -1,
                    Constant = constant,
                };
                it.Include(Beginning);
                all.Add(constant, it);
            }

            // A handler may lead back to it from anywhere.
            it.Include((2 * (_code.HasHandlers ? _code.Count : _code.LoopEnd(user))) + 1);
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
            if (it.Web >= 0)
            {
                _ofWeb.Add(it.Web, it);
            }
            else
            {
                _ofConstant.Add(it.Constant, it);
            }
        }
    }

    /// <summary>From the first to the last point at which a web may be read or a constant is, without holes.</summary>
    internal sealed class Interval
    {
        /// <summary>The variable among <see cref="FramePlaces"/>; -1 of a constant.</summary>
        public required int Place { get; init; }

        /// <summary>The variable's web; -1 of a constant.</summary>
        public required int Web { get; init; }

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
