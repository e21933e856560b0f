using System.Collections.Immutable;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Turns a valid program into what the loop runs: names into slots, cells and globals, operands into offsets, static
/// charges into the instruction, constants into values.
/// </summary>
internal sealed unsafe class Decoder
{
    /// <summary>Nothing, String, List, Map, Set: the rows of <see cref="Routines"/> for one name.</summary>
    public const int Receivers = 5;

    /// <summary>The most parameters of a routine: cells above the highest operand stack, for missing arguments.</summary>
    public const int MostParameters = 4;

    private readonly Program _program;
    private readonly Limits _limits;
    private readonly StackHeights[] _heights;
    private readonly Func<long, nint> _allocate;
    private readonly TranslatedProgram? _translation;
    private readonly List<ChargeList> _chargeLists = [];
    private readonly int[] _nameNumbers;
    private readonly List<int> _captureSlots = [];
    private readonly List<long> _amounts = [];

    // With a translation, the program has its code, as TranslatedProgram.ToProgram gives it.
    public Decoder(
        Program program,
        TranslatedProgram? translation,
        Limits limits,
        StackHeights[] heights,
        CellHeap heap,
        Func<long, nint> allocate
    )
    {
        _program = program;
        _translation = translation;
        _limits = limits;
        _heights = heights;
        _allocate = allocate;
        (_nameNumbers, Names) = DistinctNames();
        Routines = MakeRoutines();
        Constants = (Value*)allocate((long)program.Constants.Length * sizeof(Value));
        ConstantElements = (long*)allocate((long)program.Constants.Length * sizeof(long));
        for (int i = 0; i < program.Constants.Length; i++)
        {
            Constants[i] = PlainData.ToValue(program.Constants[i], heap, prepareHashes: true);
            ConstantElements[i] = DataVisitor.Elements(program.Constants[i]);
        }

        Functions = (FunctionCode*)allocate((long)program.Functions.Length * sizeof(FunctionCode));
        for (int f = 0; f < program.Functions.Length; f++)
        {
            DecodeFunction(f);
        }

        CaptureSlots = (int*)allocate((long)_captureSlots.Count * sizeof(int));
        for (int i = 0; i < _captureSlots.Count; i++)
        {
            CaptureSlots[i] = _captureSlots[i];
        }

        Amounts = [.. _amounts];
        ChargeLists = [.. _chargeLists];
    }

    public FunctionCode* Functions { get; }

    /// <summary>Backward jumps of the program.</summary>
    public int LoopCount { get; private set; }

    public Value* Constants { get; }

    public long* ConstantElements { get; }

    public int* CaptureSlots { get; }

    public string[] Names { get; }

    public int* Routines { get; }

    public Dictionary<string, int> Globals { get; } = new(StringComparer.Ordinal);

    public long[] Amounts { get; }

    public ChargeList[] ChargeLists { get; }

    private (int[] Numbers, string[] Names) DistinctNames()
    {
        Dictionary<string, int> numbers = new(StringComparer.Ordinal);
        List<string> names = [];
        int[] byIndex = new int[_program.Names.Length];
        for (int i = 0; i < byIndex.Length; i++)
        {
            if (!numbers.TryGetValue(_program.Names[i], out byIndex[i]))
            {
                byIndex[i] = numbers.Count;
                numbers.Add(_program.Names[i], byIndex[i]);
                names.Add(_program.Names[i]);
            }
        }

        return (byIndex, [.. names]);
    }

    private int* MakeRoutines()
    {
        int* routines = (int*)_allocate((long)Names.Length * Receivers * sizeof(int));
        Receiver[] receivers = [Receiver.Nothing, Receiver.String, Receiver.List, Receiver.Map, Receiver.Set];
        for (int i = 0; i < Names.Length; i++)
        {
            for (int r = 0; r < Receivers; r++)
            {
                routines[(i * Receivers) + r] = Zexus.Isa.Library.TryFind(receivers[r], Names[i], out RoutineInfo? info)
                    ? info.Routine.Tag
                    : -1;
            }
        }

        return routines;
    }

    private void DecodeFunction(int f)
    {
        FunctionDefinition definition = _program.Functions[f];
        Dictionary<string, int> slots = new(StringComparer.Ordinal);
        foreach (string name in definition.Parameters.Concat(definition.Locals).Concat(definition.Captures))
        {
            slots.Add(name, slots.Count);
        }

        int firstCapture = definition.Parameters.Length + definition.Locals.Length;
        HashSet<int> inCells = [.. Enumerable.Range(firstCapture, definition.Captures.Length)];
        int registers = 0;

        // What the source captures stays captured, also where the translation has dropped the instruction that says so.
        foreach (Instruction instruction in definition.Code.Concat(_translation?.Source.Functions[f].Code ?? []))
        {
            _ = InstructionSet.TryFind(instruction.Number, out OpcodeInfo? info);
            for (int k = 0; k < info!.Operands.Length; k++)
            {
                if (info.Operands[k].Kind.IsRegister)
                {
                    registers = Math.Max(registers, (int)Validator.OperandOf(instruction, k) + 1);
                }
            }

            int named = info.Opcode.Tag switch
            {
                Opcode.Tags.STORE_FUNC => (int)instruction.B,
                Opcode.Tags.CALL_FUNC_CONST => (int)instruction.A,
                _ => -1,
            };
            if (named >= 0)
            {
                inCells.UnionWith(_program.Functions[named].Captures.Select(name => slots[name]));
            }
        }

        FunctionCode* function = Functions + f;
        function->Number = f;
        function->Length = definition.Code.Length;
        function->Parameters = definition.Parameters.Length;
        function->Variables = slots.Count;
        function->FirstCapture = firstCapture;
        function->Registers = registers;
        function->Slots = slots.Count + registers;
        function->FrameSize = function->Slots + _heights[f].Highest + MostParameters;
        int[] captured = [.. inCells.Where(slot => slot < firstCapture).Order()];
        function->Captured = (int*)_allocate((long)captured.Length * sizeof(int));
        captured.CopyTo(new Span<int>(function->Captured, captured.Length));
        function->CapturedCount = captured.Length;
        function->HasCells = inCells.Count > 0;
        Scope scope = new(slots, inCells);
        if (_translation is null)
        {
            DecodeSource(function, definition.Code, _heights[f].Kept, scope);
        }
        else
        {
            DecodeTranslation(function, _translation.Functions[f].Code, _heights[f].Kept, scope);
        }

        for (int i = 0; i < function->CodeLength; i++)
        {
            function->Code[i].Fast = (short)Fused(function->Code + i, function->CodeLength - i);
        }
    }

    /// <summary>The instruction with those behind it, if the loop does them together. Whoever lands on one of these finds it as it is.</summary>
    private static Op Fused(Instr* at, int left)
    {
        Op op = (Op)at->Op;
        if (left < 3 || (Op)at[1].Op != Op.PushReg)
        {
            return op;
        }

        if (op == Op.PushReg && (Op)at[2].Op == Op.Index)
        {
            return Op.PushRegsIndex;
        }

        if ((Op)at[2].Op is not (Op.JumpIfFalse or Op.JumpIfTrue) || at[1].A != at->A)
        {
            return op;
        }

        return op switch
        {
            Op.EqReg => Op.EqRegJump,
            Op.NeqReg => Op.NeqRegJump,
            Op.LtReg => Op.LtRegJump,
            Op.GtReg => Op.GtRegJump,
            Op.LteReg => Op.LteRegJump,
            Op.GteReg => Op.GteRegJump,
            _ => op,
        };
    }

    private void DecodeSource(FunctionCode* function, Instruction[] code, short[] kept, Scope scope)
    {
        function->Kept = (short*)_allocate((long)code.Length * sizeof(short));
        kept.CopyTo(new Span<short>(function->Kept, code.Length));
        function->CodeLength = code.Length + 1;
        function->Code = (Instr*)_allocate((code.Length + 1L) * sizeof(Instr));
        for (int i = 0; i < code.Length; i++)
        {
            function->Code[i] = Decode(code[i], i, scope);
        }

        function->Code[code.Length] = new Instr { Op = (int)Op.End, Cost = Fuel.Cost(0) };
    }

    /// <summary>
    /// An instruction of a translation becomes one of ours, its charges summed up in it; or two, where only values tell
    /// the charges or they are too large for it: one that charges, and the instruction itself. Behind the end stand the
    /// jumps over which a conditional jump goes that charges for being taken.
    /// </summary>
    private void DecodeTranslation(
        FunctionCode* function,
        ImmutableArray<TranslatedInstruction> code,
        short[] kept,
        Scope scope
    )
    {
        int variables = function->Variables;
        ChargeList[] lists = [.. code.Select(instruction => ChargeList.Of(instruction.Charges, variables))];
        int[] places = new int[code.Length + 1];
        int length = 0;
        for (int i = 0; i < code.Length; i++)
        {
            places[i] = length;
            length += lists[i].FitsInstruction || IsIdle(code[i]) ? 1 : 2;
        }

        places[code.Length] = length++;
        int detour = length;
        length += code.Count(instruction => !instruction.JumpCharges.IsEmpty);
        function->CodeLength = length;
        function->Kept = (short*)_allocate((long)length * sizeof(short));
        function->Code = (Instr*)_allocate((long)length * sizeof(Instr));
        function->Origins = (Origin*)_allocate((long)length * sizeof(Origin));
        for (int i = 0; i < code.Length; i++)
        {
            int at = places[i];
            int source = code[i].Source;
            if (lists[i].FitsInstruction)
            {
                Put(at, DecodeAct(code[i], at, scope, places), Fuel.Cost(lists[i].Total), i, source, lists[i]);
            }
            else
            {
                Instr charging = new() { Op = (int)Op.TakeCharges, A = _chargeLists.Count };
                Put(at, charging, Fuel.Cost(0), i, source, lists[i]);
                if (IsIdle(code[i]))
                {
                    continue;
                }

                at++;
                Put(at, DecodeAct(code[i], at, scope, places), 0, -1, source, ChargeList.None);
            }

            function->Kept[at] = kept[i];
            if (!code[i].JumpCharges.IsEmpty)
            {
                ChargeList list = ChargeList.Of(code[i].JumpCharges, variables);
                if (!list.FitsInstruction)
                {
                    throw new InvalidOperationException("a jump charges what only values tell, or too much");
                }

                Instr onwards = new() { Op = (int)Op.Jump, A = function->Code[at].A + ((at - detour) * sizeof(Instr)) };
                function->Code[at].A = (detour - at - 1) * sizeof(Instr);
                Put(detour, onwards, list.Total << Fuel.Shift, -1, source, list);
                detour++;
            }
        }

        Put(places[code.Length], new Instr { Op = (int)Op.End }, Fuel.Cost(0), code.Length, -1, ChargeList.None);

        // Instructions that are no translated one by themselves are part of another's step, so their cost has no step.
        void Put(int at, Instr instr, long cost, int number, int source, ChargeList charges)
        {
            instr.Cost = cost;
            function->Code[at] = instr;
            function->Origins[at] = new Origin
            {
                Instruction = number,
                Source = source,
                Charges = _chargeLists.Count,
            };
            _chargeLists.Add(charges);
        }
    }

    /// <summary>Nothing is left of a NOP or a GAS_CHARGE when its charges are taken.</summary>
    private static bool IsIdle(TranslatedInstruction instruction) =>
        instruction.Opcode.Tag is Opcode.Tags.NOP or Opcode.Tags.GAS_CHARGE;

    private Instr DecodeAct(TranslatedInstruction instruction, int at, Scope scope, int[] places) =>
        IsIdle(instruction)
            ? new Instr { Op = (int)Op.Nop }
            : Decode(TranslatedProgram.ToInstruction(instruction), at, scope, places);

    private sealed record Scope(Dictionary<string, int> Slots, HashSet<int> InCells);

    private (PlaceKind Kind, int Slot) Find(long nameIndex, Scope scope)
    {
        string name = _program.Names[nameIndex];
        return scope.Slots.TryGetValue(name, out int slot)
            ? (scope.InCells.Contains(slot) ? PlaceKind.Cell : PlaceKind.Local, slot)
            : (PlaceKind.Global, GlobalOf(name));
    }

    private int GlobalOf(string name)
    {
        if (!Globals.TryGetValue(name, out int slot))
        {
            slot = Globals.Count;
            Globals.Add(name, slot);
        }

        return slot;
    }

    /// <summary>A place as one operand: the slot, and its kind in the two lowest bits.</summary>
    private int Place(long nameIndex, Scope scope)
    {
        (PlaceKind kind, int slot) = Find(nameIndex, scope);
        return (slot << 2) | (int)kind;
    }

    private int CaptureSite(int named, Scope scope)
    {
        int site = _captureSlots.Count;
        _captureSlots.AddRange(_program.Functions[named].Captures.Select(name => scope.Slots[name]));
        return site;
    }

    /// <param name="source">The instruction.</param>
    /// <param name="at">Where it will stand.</param>
    /// <param name="scope">The variables.</param>
    /// <param name="places">By number, where instructions stand; null when at their number.</param>
    private Instr Decode(Instruction source, int at, Scope scope, int[]? places = null)
    {
        _ = InstructionSet.TryFind(source.Number, out OpcodeInfo? info);
        long count = 0;
        int target = 0;
        for (int k = 0; k < info!.Operands.Length; k++)
        {
            switch (info.Operands[k].Kind.Tag)
            {
                case OperandKind.Tags.Count or OperandKind.Tags.Results:
                    count = Validator.OperandOf(source, k);
                    break;
                case OperandKind.Tags.Target:
                    int to = (int)Validator.OperandOf(source, k);
                    target = ((places?[to] ?? to) - at - 1) * sizeof(Instr);
                    break;
                default:
                    break;
            }
        }

        Instr result = new() { Cost = Fuel.Cost(info.Gas + (info.GasPerCount * count)) };
        // Small integers break a limit below 63 bits: then arithmetic that makes them always takes the checked way.
        bool small = _limits.IntegerBits < 63;
        switch (info.Opcode.Tag)
        {
            case Opcode.Tags.LOAD_CONST:
                bool collection = Constants[source.A].Tag is Tag.List or Tag.Map or Tag.Set;
                return With(
                    collection ? Op.LoadConstCopy : Op.LoadConst,
                    (int)source.A * (collection ? 1 : sizeof(Value))
                );
            case Opcode.Tags.LOAD_NAME:
                return Named(Op.LoadLocal, Op.LoadCell, Op.LoadGlobal);
            case Opcode.Tags.STORE_NAME:
                return Named(Op.StoreLocal, Op.StoreCell, Op.StoreGlobal);
            case Opcode.Tags.STORE_FUNC:
                return With(Op.StoreFunction, Place(source.A, scope), (int)source.B, CaptureSite((int)source.B, scope));
            case Opcode.Tags.POP:
                return With(Op.Pop);
            case Opcode.Tags.DUP:
                return With(Op.Dup);
            case Opcode.Tags.STORE_CONST:
                return With(Op.StoreConst, Place(source.A, scope), (int)source.B);
            case Opcode.Tags.INC:
                return With(small ? Op.CheckedInc : Op.Inc);
            case Opcode.Tags.DEC:
                return With(small ? Op.CheckedDec : Op.Dec);
            case Opcode.Tags.ADD:
                return With(small ? Op.CheckedAdd : Op.Add);
            case Opcode.Tags.SUB:
                return With(small ? Op.CheckedSub : Op.Sub);
            case Opcode.Tags.MUL:
                return With(small ? Op.CheckedMul : Op.Mul);
            case Opcode.Tags.DIV:
                return With(small ? Op.CheckedDiv : Op.Div);
            case Opcode.Tags.MOD:
                return With(Op.Mod);
            case Opcode.Tags.POW:
                return With(Op.Pow);
            case Opcode.Tags.NEG:
                return With(small ? Op.CheckedNeg : Op.Neg);
            case Opcode.Tags.EQ:
                return With(Op.Eq);
            case Opcode.Tags.NEQ:
                return With(Op.Neq);
            case Opcode.Tags.LT:
                return With(Op.Lt);
            case Opcode.Tags.GT:
                return With(Op.Gt);
            case Opcode.Tags.LTE:
                return With(Op.Lte);
            case Opcode.Tags.GTE:
                return With(Op.Gte);
            case Opcode.Tags.AND:
                return With(Op.And);
            case Opcode.Tags.OR:
                return With(Op.Or);
            case Opcode.Tags.NOT:
                return With(Op.Not);
            case Opcode.Tags.JUMP:
                return Jump(Op.Jump, Op.Loop);
            case Opcode.Tags.JUMP_IF_FALSE:
                return Jump(Op.JumpIfFalse, Op.LoopIfFalse);
            case Opcode.Tags.JUMP_IF_TRUE:
                return Jump(Op.JumpIfTrue, Op.LoopIfTrue);
            case Opcode.Tags.RETURN:
                return With(Op.Return);
            case Opcode.Tags.CALL_NAME:
                (PlaceKind kind, int slot) = Find(source.A, scope);
                return With(
                    kind == PlaceKind.Local ? Op.CallLocal
                        : kind == PlaceKind.Cell ? Op.CallCell
                        : Op.CallGlobal,
                    slot * sizeof(Value),
                    (int)count,
                    _nameNumbers[source.A]
                );
            case Opcode.Tags.CALL_FUNC_CONST:
                return With(Op.CallFunction, (int)source.A, (int)count, CaptureSite((int)source.A, scope));
            case Opcode.Tags.CALL_TOP:
                return With(Op.CallTop, 0, (int)count);
            case Opcode.Tags.CALL_BUILTIN:
                return With(Op.CallBuiltin, 0, (int)count, _nameNumbers[source.A]);
            case Opcode.Tags.CALL_METHOD:
                return With(Op.CallMethod, 0, (int)count, _nameNumbers[source.A]);
            case Opcode.Tags.BUILD_LIST:
                return With(Op.BuildList, (int)count);
            case Opcode.Tags.BUILD_MAP:
                return With(Op.BuildMap, (int)count);
            case Opcode.Tags.BUILD_SET:
                return With(Op.BuildSet, (int)count);
            case Opcode.Tags.INDEX:
                return With(Op.Index);
            case Opcode.Tags.SLICE:
                return With(Op.Slice);
            case Opcode.Tags.GET_ATTR:
                return With(Op.GetAttr);
            case Opcode.Tags.GET_LENGTH:
                return With(Op.GetLength);
            case Opcode.Tags.REGISTER_EVENT:
                // A handler is looked up among the globals, wherever its name is registered.
                return With(
                    Op.RegisterEvent,
                    _nameNumbers[source.A],
                    _nameNumbers[source.B],
                    GlobalOf(_program.Names[source.B])
                );
            case Opcode.Tags.EMIT_EVENT:
                return With(Op.EmitEvent, _nameNumbers[source.A]);
            case Opcode.Tags.HASH_BLOCK:
                return With(Op.HashBlock);
            case Opcode.Tags.VERIFY_SIGNATURE:
                return With(Op.VerifySignature);
            case Opcode.Tags.MERKLE_ROOT:
                return With(Op.MerkleRoot, (int)count);
            case Opcode.Tags.STATE_READ:
                return With(Op.StateRead);
            case Opcode.Tags.STATE_WRITE:
                return With(Op.StateWrite);
            case Opcode.Tags.TX_BEGIN:
                return With(Op.TxBegin);
            case Opcode.Tags.TX_COMMIT:
                return With(Op.TxCommit);
            case Opcode.Tags.TX_REVERT:
                return With(Op.TxRevert);
            case Opcode.Tags.GAS_CHARGE:
                if (source.A <= Fuel.LargestStatic)
                {
                    result.Cost = Fuel.Cost(info.Gas + source.A);
                    return With(Op.Nop);
                }

                // One charge, too large for the instruction: it is taken when the instruction runs.
                result.Cost = Fuel.Cost(0);
                _amounts.Add(source.A > long.MaxValue - info.Gas ? long.MaxValue : source.A + info.Gas);
                return With(Op.GasCharge, _amounts.Count - 1);
            case Opcode.Tags.LEDGER_APPEND:
                return With(Op.LedgerAppend);
            case Opcode.Tags.REQUIRE:
                return With(Op.Require);
            case Opcode.Tags.AUDIT_LOG:
                return With(Op.AuditLog);
            case Opcode.Tags.SETUP_TRY:
                return With(Op.SetupTry, target);
            case Opcode.Tags.POP_TRY:
                return With(Op.PopTry);
            case Opcode.Tags.THROW:
                return With(Op.Throw);
            case Opcode.Tags.FOR_ITER:
                return With(Op.ForIter, (int)count);
            case Opcode.Tags.LOAD_REG:
                return With(Op.LoadReg, Register(source.A), (int)source.B);
            case Opcode.Tags.LOAD_VAR_REG:
                return Find(source.B, scope) is (PlaceKind.Local, var from)
                    ? With(Op.MovReg, Register(source.A), from * sizeof(Value))
                    : With(Op.LoadVarReg, Register(source.A), Place(source.B, scope));
            case Opcode.Tags.STORE_REG:
                return Find(source.B, scope) is (PlaceKind.Local, var to)
                    ? With(Op.MovReg, to * sizeof(Value), Register(source.A))
                    : With(Op.StoreReg, Register(source.A), Place(source.B, scope));
            case Opcode.Tags.MOV_REG:
                return Registers(Op.MovReg);
            case Opcode.Tags.ADD_REG:
                return Registers(small ? Op.CheckedAddReg : Op.AddReg);
            case Opcode.Tags.SUB_REG:
                return Registers(small ? Op.CheckedSubReg : Op.SubReg);
            case Opcode.Tags.MUL_REG:
                return Registers(small ? Op.CheckedMulReg : Op.MulReg);
            case Opcode.Tags.DIV_REG:
                return Registers(small ? Op.CheckedDivReg : Op.DivReg);
            case Opcode.Tags.MOD_REG:
                return Registers(Op.ModReg);
            case Opcode.Tags.POW_REG:
                return Registers(Op.PowReg);
            case Opcode.Tags.NEG_REG:
                return Registers(small ? Op.CheckedNegReg : Op.NegReg);
            case Opcode.Tags.EQ_REG:
                return Registers(Op.EqReg);
            case Opcode.Tags.NEQ_REG:
                return Registers(Op.NeqReg);
            case Opcode.Tags.LT_REG:
                return Registers(Op.LtReg);
            case Opcode.Tags.GT_REG:
                return Registers(Op.GtReg);
            case Opcode.Tags.LTE_REG:
                return Registers(Op.LteReg);
            case Opcode.Tags.GTE_REG:
                return Registers(Op.GteReg);
            case Opcode.Tags.AND_REG:
                return Registers(Op.AndReg);
            case Opcode.Tags.OR_REG:
                return Registers(Op.OrReg);
            case Opcode.Tags.NOT_REG:
                return Registers(Op.NotReg);
            case Opcode.Tags.PUSH_REG:
                return Registers(Op.PushReg);
            case Opcode.Tags.POP_REG:
                return Registers(Op.PopReg);
            case Opcode.Tags.PRINT:
                return With(Op.Print);
            case Opcode.Tags.NOP:
                return With(Op.Nop);
            default:
                throw new InvalidOperationException(
                    $"{info.Mnemonic} has passed validation but this engine has no rule for it"
                );
        }

        Instr With(Op op, int a = 0, int b = 0, int c = 0)
        {
            result.Op = (int)op;
            result.A = a;
            result.B = b;
            result.C = c;
            return result;
        }

        Instr Jump(Op forward, Op backward) => target < 0 ? With(backward, target, LoopCount++) : With(forward, target);

        Instr Named(Op local, Op cell, Op global)
        {
            (PlaceKind kind, int slot) = Find(source.A, scope);
            Op op =
                kind == PlaceKind.Local ? local
                : kind == PlaceKind.Cell ? cell
                : global;
            return With(op, slot * sizeof(Value));
        }

        // Registers stand behind the variables.
        int Register(long register) => (int)(scope.Slots.Count + register) * sizeof(Value);

        Instr Registers(Op op) => With(op, Register(source.A), Register(source.B), Register(source.C));
    }
}
