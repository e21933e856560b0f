using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Converts one function. Walks over the code once, with a picture of the operand stack that the code thinks of: some of its cells lie on the
/// real one, the others are registers, variables or constants that nothing has pushed yet. Where stretches meet, all lie there.
/// </summary>
internal sealed class FunctionConverter
{
    private enum CellKind
    {
        /// <summary>On the operand stack.</summary>
        Pushed,

        /// <summary>In a register that is this cell's, and that of others like it.</summary>
        Temporary,

        /// <summary>What a register holds that is a variable's home or the program's own.</summary>
        Register,

        /// <summary>What a variable of the frame holds that has no register. The value is the name's number.</summary>
        Variable,

        /// <summary>A scalar constant.</summary>
        Constant,
    }

    /// <param name="Kind">Where it is.</param>
    /// <param name="Value">The register, name or constant.</param>
    /// <param name="Consumer">The instruction that takes it.</param>
    private readonly record struct Cell(CellKind Kind, long Value, int Consumer);

    /// <summary>A copy that was not made yet has to be, and there is no room for it.</summary>
    private sealed class NoRoomException : Exception;

    private readonly StackCode _code;
    private readonly RegisterAllocation _registers;
    private readonly FramePlaces _places;
    private readonly ConstantPool _constants;

    // Whether a variable's value is read when it is taken, and not when it was loaded.
    private readonly bool _reads;
    private readonly List<TranslatedInstruction> _made = [];
    private readonly List<Cell> _cells = [];
    private readonly List<Charge> _charges = [];
    private readonly int[] _placeOf;
    private int _at;
    private int _source;
    private int _lastLanding;

    private FunctionConverter(
        StackCode code,
        RegisterAllocation registers,
        FramePlaces places,
        ConstantPool constants,
        bool reads
    )
    {
        _code = code;
        _registers = registers;
        _places = places;
        _constants = constants;
        _reads = reads;
        _placeOf = new int[code.Count + 1];
    }

    /// <summary>The code that was made.</summary>
    public TranslatedFunction Function { get; private set; } = null!;

    /// <summary>Values that were computed for a register and went to the operand stack because none was free.</summary>
    public int Spilled { get; private set; }

    /// <summary>Stores that became none, because what they store was computed in its place.</summary>
    public int Coalesced { get; private set; }

    public static FunctionConverter Convert(
        StackCode code,
        RegisterAllocation registers,
        FramePlaces places,
        ConstantPool constants
    )
    {
        FunctionConverter converter = new(code, registers, places, constants, reads: true);
        try
        {
            converter.Run();
            return converter;
        }
        catch (NoRoomException)
        {
            converter = new FunctionConverter(code, registers, places, constants, reads: false);
            converter.Run();
            return converter;
        }
    }

    /// <summary>Where the code made for an instruction begins; of what is not reached, where it would.</summary>
    public int PlaceOf(int at) => _placeOf[at];

    private TranslatedInstruction Current => _code[_at];

    private void Run()
    {
        Begin();
        bool arrives = true;
        for (_at = 0; _at < _code.Count; _at++)
        {
            if (!_code.IsReached(_at))
            {
                arrives = false;
                _placeOf[_at] = _made.Count;
                continue;
            }

            if (_code.IsLanding(_at) || !arrives)
            {
                Land(arrives);
            }

            _placeOf[_at] = _made.Count;
            _source = Current.Source;
            foreach (Charge charge in Current.Charges)
            {
                _charges.Add(charge with { Amount = Moved(charge.Amount) });
            }

            Convert();
            arrives = _code.Facts(_at).GoesOn;
            if (_code.Facts(_at).TargetOperand >= 0 && _cells.Exists(cell => cell.Kind != CellKind.Pushed))
            {
                throw new InvalidOperationException("a jump with cells that are not on the operand stack");
            }
        }

        SettleCharges();
        _placeOf[_code.Count] = _made.Count;
        Function = new TranslatedFunction([.. _made.Select(Retargeted)]);
    }

    private TranslatedInstruction Retargeted(TranslatedInstruction made)
    {
        OpcodeFacts facts = OpcodeFacts.Of(made.Opcode);
        return facts.TargetOperand < 0 ? made : made with { A = _placeOf[made.A] };
    }

    private void Begin()
    {
        foreach (RegisterAllocation.Interval it in _registers.Allocated.OrderBy(it => it.Register))
        {
            if (it.Constant >= 0)
            {
                Make(Opcode.LOAD_REG, it.Register, it.Constant);
            }
            else if (it.IsParameter)
            {
                Make(Opcode.LOAD_VAR_REG, it.Register, _places.OperandOf(it.Place));
            }
        }
    }

    /// <summary>The start of a stretch: every cell lies on the operand stack.</summary>
    private void Land(bool arrives)
    {
        if (arrives)
        {
            if (_cells.Exists(cell => cell.Kind != CellKind.Pushed))
            {
                throw new InvalidOperationException("a landing with cells that are not on the operand stack");
            }

            SettleCharges();

            // No two landings fall together: a proof tells them apart by their places.
            if (_at > 0 && _made.Count == _lastLanding)
            {
                Make(Opcode.NOP);
            }
        }

        _lastLanding = _made.Count;
        _cells.Clear();
        _cells.AddRange(Enumerable.Repeat(new Cell(CellKind.Pushed, 0, -1), _code.Height(_at)));
    }

    /// <summary>Charges that wait for an instruction where others land go to the move before it, or stay by themselves.</summary>
    private void SettleCharges()
    {
        if (_charges.Count == 0)
        {
            return;
        }

        if (
            _made.Count > _lastLanding
            && IsMove(_made[^1])
            && _charges.TrueForAll(charge => charge.Amount is Amount.Fixed)
        )
        {
            _made[^1] = _made[^1] with { Charges = [.. _made[^1].Charges, .. _charges] };
            _charges.Clear();
            return;
        }

        Make(Opcode.NOP);
    }

    /// <summary>Does it always go on, take no charge while it acts, and do nothing that anybody sees after OutOfGas?</summary>
    private bool IsMove(TranslatedInstruction made) =>
        made.Opcode.Tag switch
        {
            Opcode.Tags.MOV_REG
            or Opcode.Tags.POP_REG
            or Opcode.Tags.PUSH_REG
            or Opcode.Tags.LOAD_VAR_REG
            or Opcode.Tags.LOAD_NAME
            or Opcode.Tags.STORE_NAME
            or Opcode.Tags.STORE_REG
            or Opcode.Tags.NOP => true,
            Opcode.Tags.LOAD_REG or Opcode.Tags.STORE_CONST => IsScalar(made.B),
            Opcode.Tags.LOAD_CONST => IsScalar(made.A),
            _ => false,
        };

    private bool IsScalar(long constant) => _constants.FactOf(constant).Kinds.Within(KindSet.Number | KindSet.String);

    private void Make(Opcode opcode, long a = 0, long b = 0, long c = 0)
    {
        _made.Add(new TranslatedInstruction(opcode, a, b, c, _source, [.. _charges], []));
        _charges.Clear();
    }

    /// <summary>The instruction as it is.</summary>
    private void Keep()
    {
        _made.Add(Current with { Charges = [.. _charges] });
        _charges.Clear();
    }

    // What charges look at.

    private Amount Moved(Amount amount)
    {
        switch (amount)
        {
            case Amount.Size it:
                int index = _cells.Count - 1 - it.Depth;
                Cell cell = _cells[index];
                return cell.Kind switch
                {
                    CellKind.Pushed => new Amount.Size(PushedAbove(index)),
                    CellKind.Temporary or CellKind.Register => new Amount.RegisterSize((int)cell.Value),
                    CellKind.Variable => _places.SizeOf(_places.OfName(cell.Value)),
                    CellKind.Constant => new Amount.Fixed(ConstantEvaluator.SizeOf(_constants[cell.Value])),
                    _ => throw new InvalidOperationException($"no size of {cell.Kind}"),
                };
            case Amount.Text it:
                return new Amount.Text(PushedAbove(_cells.Count - 1 - it.Depth));
            case Amount.VariableSize it when _registers.HomeBefore(_places.OfSlot(it.Slot), _at) is var home and >= 0:
                return new Amount.RegisterSize(home);
            case Amount.Sum it:
                return new Amount.Sum([.. it.Parts.Select(Moved)]);
            default:
                return amount;
        }
    }

    private int PushedAbove(int index) => _cells.Skip(index + 1).Count(cell => cell.Kind == CellKind.Pushed);

    // Instructions.

    private void Convert()
    {
        TranslatedInstruction it = Current;
        switch (it.Opcode.Tag)
        {
            case Opcode.Tags.NOP:
                break;
            case Opcode.Tags.LOAD_CONST:
                LoadConstant(it.A);
                break;
            case Opcode.Tags.LOAD_NAME:
                LoadName(it.A);
                break;
            case Opcode.Tags.PUSH_REG:
                Load(new Cell(CellKind.Register, it.A, -1));
                break;
            case Opcode.Tags.DUP:
                Duplicate();
                break;
            case Opcode.Tags.POP:
                if (_cells[^1].Kind == CellKind.Pushed)
                {
                    Keep();
                }

                DropCells(1);
                break;
            case Opcode.Tags.STORE_NAME:
                StoreName(it.A);
                break;
            case Opcode.Tags.POP_REG:
                StoreRegister((int)it.A);
                break;
            case Opcode.Tags.STORE_CONST:
                if (HomeOfStored(it.A, _at) is var home and >= 0)
                {
                    Assign(home);
                    Make(Opcode.LOAD_REG, home, it.B);
                }
                else
                {
                    AssignVariable(it.A);
                    Keep();
                }

                break;
            case Opcode.Tags.LOAD_VAR_REG when _registers.HomeBefore(_places.OfName(it.B), _at) is var source and >= 0:
                Assign((int)it.A);
                Make(Opcode.MOV_REG, it.A, source);
                break;
            case Opcode.Tags.STORE_REG when HomeOfStored(it.B, _at) is var target and >= 0:
                Assign(target);
                Make(Opcode.MOV_REG, target, it.A);
                break;
            case Opcode.Tags.STORE_REG:
                AssignVariable(it.B);
                Keep();
                break;
            case Opcode.Tags.STORE_FUNC:
                AssignVariable(it.A);
                Keep();
                break;
            default:
                if (RegisterTwins.Of(it.Opcode.Tag) is { } twin)
                {
                    Compute(twin);
                }
                else
                {
                    Operate();
                }

                break;
        }
    }

    /// <summary>An operation that has no twin takes its operands from the operand stack.</summary>
    private void Operate()
    {
        TranslatedInstruction it = Current;
        if (
            _code.Facts(_at).Info.Operands is [var first, ..]
            && first.Kind.IsRegister
            && it.Opcode.Tag is not (Opcode.Tags.PUSH_REG or Opcode.Tags.STORE_REG)
        )
        {
            Assign((int)it.A);
        }

        int pops = _code.Pops(_at);
        for (int i = _cells.Count - pops; i < _cells.Count; i++)
        {
            if (_cells[i].Kind != CellKind.Pushed)
            {
                throw new InvalidOperationException("an operand is not on the operand stack");
            }
        }

        Keep();
        DropCells(pops);
        for (int i = _code.Pushes(_at); i > 0; i--)
        {
            AddPushed();
        }
    }

    private void LoadConstant(long constant)
    {
        if (IsScalar(constant))
        {
            Load(new Cell(CellKind.Constant, _constants.FirstOf(constant), -1));
        }
        else if (Destination() is var register and >= 0)
        {
            Make(Opcode.LOAD_REG, register, constant);
        }
        else
        {
            Keep();
            AddPushed();
        }
    }

    private void LoadName(long name)
    {
        int place = _places.OfName(name);
        if (place >= 0)
        {
            int home = _registers.HomeBefore(place, _at);
            Load(home >= 0 ? new Cell(CellKind.Register, home, -1) : new Cell(CellKind.Variable, name, -1));
        }
        else if (Destination() is var register and >= 0)
        {
            Make(Opcode.LOAD_VAR_REG, register, name);
        }
        else
        {
            Keep();
            AddPushed();
        }
    }

    /// <summary>What need not be on the operand stack stays where it is until it is taken.</summary>
    private void Load(Cell cell)
    {
        if (_code.NeedsNoStack(_at) && (_reads || cell.Kind == CellKind.Constant))
        {
            _cells.Add(cell with { Consumer = _code.Consumer(_at) });
            return;
        }

        if (_code.NeedsNoStack(_at) && Temporary(_code.Consumer(_at)) is var register and >= 0)
        {
            LoadInto(register, cell);
            _cells.Add(new Cell(CellKind.Temporary, register, _code.Consumer(_at)));
            return;
        }

        PushValue(cell);
        AddPushed();
    }

    private void Duplicate()
    {
        Cell top = _cells[^1];
        if (top.Kind == CellKind.Pushed)
        {
            Keep();
            AddPushed();
            return;
        }

        if (
            _code.NeedsNoStack(_at)
            && (top.Kind != CellKind.Temporary || IsFree((int)top.Value, (2 * _at) + 1, 2 * _code.Consumer(_at)))
        )
        {
            _cells.Add(top with { Consumer = _code.Consumer(_at) });
            return;
        }

        PushValue(top);
        AddPushed();
    }

    private void StoreName(long name)
    {
        if (HomeOfStored(name, _at) is var home and >= 0)
        {
            StoreRegister(home);
            return;
        }

        // It keeps its register while others are saved.
        AssignVariable(name, except: 1);
        Cell cell = Take();
        switch (cell.Kind)
        {
            case CellKind.Pushed:
                Keep();
                break;
            case CellKind.Temporary:
            case CellKind.Register:
                Make(Opcode.STORE_REG, cell.Value, name);
                break;
            case CellKind.Constant:
                Make(Opcode.STORE_CONST, name, cell.Value);
                break;
            case CellKind.Variable:
                if (_places.OfName(cell.Value) != _places.OfName(name))
                {
                    PushValue(cell);
                    Make(Opcode.STORE_NAME, name);
                }

                break;
            default:
                throw new InvalidOperationException($"no store of {cell.Kind}");
        }
    }

    private void StoreRegister(int register)
    {
        if (_cells[^1] is { Kind: CellKind.Register, Value: var value } && value == register)
        {
            DropCells(1);
            Coalesced++;
            return;
        }

        // It keeps its register while others are saved.
        Assign(register, except: 1);
        Cell cell = Take();
        if (cell.Kind == CellKind.Pushed)
        {
            Make(Opcode.POP_REG, register);
        }
        else
        {
            LoadInto(register, cell);
        }
    }

    private void Compute(Opcode twin)
    {
        int tag = Current.Opcode.Tag;
        bool isUnary = RegisterTwins.IsUnary(tag);
        bool addsOne = RegisterTwins.AddsOne(tag);
        int count = isUnary ? 1 : 2;
        Cell one = new(CellKind.Constant, addsOne ? _constants.NumberOf(Data.NewInt(1)) : 0, _at);
        Cell left = _cells[^count];
        Cell right = addsOne ? one : _cells[^1];
        bool isBinary = !isUnary || addsOne;

        int byRegister = LoadingCost(left) + (isBinary ? LoadingCost(right) : 0) + (_code.NeedsNoStack(_at) ? 1 : 2);
        int byStack =
            (left.Kind == CellKind.Pushed ? 0 : 1)
            + (isUnary || right.Kind == CellKind.Pushed ? 0 : 1)
            + (
                _code.NeedsNoStack(_at) && _code.Facts(_code.Consumer(_at)).Info.Opcode.Tag != Opcode.Tags.STORE_NAME
                    ? 2
                    : 1
            );
        if (!isUnary && right.Kind == CellKind.Pushed && left.Kind != CellKind.Pushed)
        {
            byStack = int.MaxValue;
        }

        if (!_code.TakesRegisters(_at) || byStack < byRegister)
        {
            for (int i = _cells.Count - count; i < _cells.Count; i++)
            {
                if (_cells[i].Kind != CellKind.Pushed)
                {
                    PushValue(_cells[i]);
                }
            }

            Keep();
            DropCells(count);
            AddPushed();
            return;
        }

        // The right one lies above the left one.
        int b = isBinary ? InRegister(right, _registers.Scratch[1]) : 0;
        int a = InRegister(left, _registers.Scratch[0]);
        if (_code.IsStoredNext(_at) && StoredNext() is var home and >= 0)
        {
            Assign(home, except: count);
            DropCells(count);
            Make(twin, home, a, b);
            _cells.Add(new Cell(CellKind.Register, home, _code.Consumer(_at)));
            return;
        }

        DropCells(count);
        int result = _code.NeedsNoStack(_at) ? Temporary(_code.Consumer(_at), left, right) : -1;
        if (result >= 0)
        {
            Make(twin, result, a, b);
            _cells.Add(new Cell(CellKind.Temporary, result, _code.Consumer(_at)));
            return;
        }

        Spilled += _code.NeedsNoStack(_at) ? 1 : 0;
        result = _registers.Scratch[0];
        Make(twin, result, a, b);
        Make(Opcode.PUSH_REG, result);
        AddPushed();
    }

    /// <summary>The home of what the next instruction stores to; -1 when that is in no register.</summary>
    private int StoredNext() =>
        _code[_at + 1].Opcode.Tag == Opcode.Tags.POP_REG
            ? (int)_code[_at + 1].A
            : HomeOfStored(_code[_at + 1].A, _at + 1);

    private int LoadingCost(Cell cell) =>
        cell.Kind switch
        {
            CellKind.Temporary or CellKind.Register => 0,
            CellKind.Constant => _registers.RegisterOf(cell.Value, _at) >= 0 ? 0 : 1,
            _ => 1,
        };

    /// <summary>The register that it is in, or the one given, into which it is loaded.</summary>
    private int InRegister(Cell cell, int scratch)
    {
        switch (cell.Kind)
        {
            case CellKind.Temporary:
            case CellKind.Register:
                return (int)cell.Value;
            case CellKind.Constant when _registers.RegisterOf(cell.Value, _at) is var register and >= 0:
                return register;
            case CellKind.Pushed:
                Make(Opcode.POP_REG, scratch);
                return scratch;
            default:
                LoadInto(scratch, cell);
                return scratch;
        }
    }

    private void LoadInto(int register, Cell cell)
    {
        switch (cell.Kind)
        {
            case CellKind.Temporary:
            case CellKind.Register:
                Make(Opcode.MOV_REG, register, cell.Value);
                break;
            case CellKind.Constant when _registers.RegisterOf(cell.Value, _at) is var holder and >= 0:
                Make(Opcode.MOV_REG, register, holder);
                break;
            case CellKind.Constant:
                Make(Opcode.LOAD_REG, register, cell.Value);
                break;
            case CellKind.Variable:
                Make(Opcode.LOAD_VAR_REG, register, cell.Value);
                break;
            default:
                throw new InvalidOperationException($"no load of {cell.Kind}");
        }
    }

    private void PushValue(Cell cell)
    {
        switch (cell.Kind)
        {
            case CellKind.Temporary:
            case CellKind.Register:
                Make(Opcode.PUSH_REG, cell.Value);
                break;
            case CellKind.Constant:
                Make(Opcode.LOAD_CONST, cell.Value);
                break;
            case CellKind.Variable:
                Make(Opcode.LOAD_NAME, cell.Value);
                break;
            default:
                throw new InvalidOperationException($"no push of {cell.Kind}");
        }
    }

    // Cells.

    private void AddPushed() => _cells.Add(new Cell(CellKind.Pushed, 0, -1));

    private void DropCells(int count) => _cells.RemoveRange(_cells.Count - count, count);

    private Cell Take()
    {
        Cell cell = _cells[^1];
        DropCells(1);
        return cell;
    }

    /// <summary>The home of what an instruction stores to a variable.</summary>
    private int HomeOfStored(long name, int at) => _registers.HomeBehind(_places.OfName(name), at);

    /// <summary>
    /// The register for what the current instruction loads and no cell can stand for, and the cell for it; -1, and no cell, when it goes to
    /// the operand stack.
    /// </summary>
    private int Destination()
    {
        if (!_code.NeedsNoStack(_at) || _code.Facts(_code.Consumer(_at)).Info.Opcode.Tag == Opcode.Tags.POP)
        {
            return -1;
        }

        int consumer = _code.Consumer(_at);
        if (_code.IsStoredNext(_at) && StoredNext() is var home and >= 0)
        {
            Assign(home);
            _cells.Add(new Cell(CellKind.Register, home, consumer));
            return home;
        }

        if (!_code.IsStoredNext(_at) && Temporary(consumer) is var register and >= 0)
        {
            _cells.Add(new Cell(CellKind.Temporary, register, consumer));
            return register;
        }

        return -1;
    }

    /// <summary>A register for the result of the current instruction until another takes it, rather that of an operand; -1 when none is free.</summary>
    private int Temporary(int consumer, params ReadOnlySpan<Cell> operands)
    {
        foreach (Cell operand in operands)
        {
            if (operand.Kind == CellKind.Temporary && IsUnused((int)operand.Value, consumer))
            {
                return (int)operand.Value;
            }
        }

        foreach (int register in _registers.Free)
        {
            if (IsUnused(register, consumer))
            {
                return register;
            }
        }

        return -1;
    }

    private bool IsUnused(int register, int consumer) =>
        IsFree(register, 2 * _at, 2 * consumer)
        && !_cells.Exists(cell => cell.Kind is CellKind.Temporary or CellKind.Register && cell.Value == register);

    private bool IsFree(int register, int first, int last) => _registers.IsFree(register, first, last);

    /// <summary>The register is about to change: cells that stand for what it holds get it now, but for the uppermost.</summary>
    private void Assign(int register, int except = 0) => Save(new Cell(CellKind.Register, register, -1), except);

    private void AssignVariable(long name, int except = 0)
    {
        if (_places.OfName(name) is var place and >= 0)
        {
            for (int i = 0; i < _cells.Count - except; i++)
            {
                if (_cells[i].Kind == CellKind.Variable && _places.OfName(_cells[i].Value) == place)
                {
                    Save(_cells[i], except);
                }
            }
        }
    }

    private void Save(Cell assigned, int except)
    {
        int last = -1;
        for (int i = 0; i < _cells.Count - except; i++)
        {
            if (_cells[i].Kind == assigned.Kind && _cells[i].Value == assigned.Value)
            {
                last = Math.Max(last, _cells[i].Consumer);
            }
        }

        if (last < 0)
        {
            return;
        }

        int copy = Temporary(last);
        if (copy < 0)
        {
            throw new NoRoomException();
        }

        LoadInto(copy, assigned);
        for (int i = 0; i < _cells.Count - except; i++)
        {
            if (_cells[i].Kind == assigned.Kind && _cells[i].Value == assigned.Value)
            {
                _cells[i] = _cells[i] with { Kind = CellKind.Temporary, Value = copy };
            }
        }
    }
}
