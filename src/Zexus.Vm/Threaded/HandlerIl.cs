using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// The IL of one handler. Only the plain case is here: what is not, is left to the source instruction, and the machine does that.
/// A handler changes nothing before it knows that it has the plain case.
/// </summary>
internal sealed unsafe class HandlerIl
{
    public static readonly Type[] Parameters =
    [
        typeof(Machine),
        typeof(Wide*),
        typeof(Value*),
        typeof(long),
        typeof(Frame*),
    ];

    private const int MachineArgument = 0;
    private const int AtArgument = 1;
    private const int SlotsArgument = 2;
    private const int CounterArgument = 3;
    private const int FrameArgument = 4;

    private readonly ILGenerator _il;
    private readonly HandlerKey _key;
    private readonly nint _otherwise;
    private readonly Label _slow;
    private bool _hasSlow;

    public HandlerIl(ILGenerator il, HandlerKey key, nint otherwise)
    {
        _il = il;
        _key = key;
        _otherwise = otherwise;
        _slow = il.DefineLabel();
    }

    private static readonly int Handler = Offset(nameof(Wide.Handler));
    private static readonly int A = Offset(nameof(Wide.A));
    private static readonly int B = Offset(nameof(Wide.B));
    private static readonly int C = Offset(nameof(Wide.C));
    private static readonly int Payload = Offset(nameof(Wide.Payload));
    private static readonly int Target = Offset(nameof(Wide.Target));
    private static readonly int Segment = Offset(nameof(Wide.Segment));
    private static readonly int ExitAt = Offset(nameof(Wide.Exit));

    private static int Offset(string field) => (int)Marshal.OffsetOf<Wide>(field);

    private static int Offset<T>(string field) => (int)Marshal.OffsetOf<T>(field);

    public void Emit()
    {
        switch (_key.Op)
        {
            case WideOp.Move:
                PushPlace(_key.First, A);
                CopyTo(_key.Second, B);
                Next();
                break;
            case WideOp.Add:
            case WideOp.Sub:
            case WideOp.Mul:
            case WideOp.Div:
            case WideOp.Mod:
                Arithmetic();
                break;
            case WideOp.Neg:
                Negate();
                break;
            case WideOp.Not:
                Not();
                break;
            case WideOp.Eq:
            case WideOp.Neq:
            case WideOp.Lt:
            case WideOp.Gt:
            case WideOp.Lte:
            case WideOp.Gte:
                Compare(_key.Op);
                break;
            case WideOp.JumpEq:
            case WideOp.JumpNeq:
            case WideOp.JumpLt:
            case WideOp.JumpGt:
            case WideOp.JumpLte:
            case WideOp.JumpGte:
                CompareAndJump(_key.Op - WideOp.JumpEq + WideOp.Eq);
                break;
            case WideOp.JumpIf:
                JumpIf();
                break;
            case WideOp.Jump:
                Jump();
                break;
            case WideOp.Next:
                Enter(NextInstruction);
                break;
            case WideOp.Index:
                Index();
                break;
            case WideOp.ListSet:
                ListSet();
                break;
            case WideOp.EntryIndex:
                EntryIndex();
                break;
            case WideOp.EntrySet:
                EntrySet();
                break;
            case WideOp.ListPush:
                ListPush();
                break;
            case WideOp.Call:
                Call();
                break;
            case WideOp.Return:
                Return();
                break;
            case WideOp.Exec:
                Exec();
                break;
            case WideOp.Count:
                FieldOf(Payload);
                _il.Emit(OpCodes.Conv_I);
                FieldOf(Payload);
                _il.Emit(OpCodes.Conv_I);
                _il.Emit(OpCodes.Ldind_I8);
                _il.Emit(OpCodes.Ldc_I8, 1L);
                _il.Emit(OpCodes.Add);
                _il.Emit(OpCodes.Stind_I8);
                Next();
                break;
            default:
                throw new InvalidOperationException($"no handler for {_key}");
        }

        if (_hasSlow)
        {
            _il.MarkLabel(_slow);
            _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
            _il.Emit(OpCodes.Ldarg_S, (byte)AtArgument);
            PushRest();
            _il.Emit(OpCodes.Ldc_I8, (long)_otherwise);
            _il.Emit(OpCodes.Conv_I);
            TailCall();
        }
    }

    // The parts of an instruction.

    private void PushAt(int offset)
    {
        _il.Emit(OpCodes.Ldarg_S, (byte)AtArgument);
        if (offset != 0)
        {
            _il.Emit(OpCodes.Ldc_I4, offset);
            _il.Emit(OpCodes.Conv_I);
            _il.Emit(OpCodes.Add);
        }
    }

    /// <summary>A field of 64 bits.</summary>
    private void FieldOf(int offset)
    {
        PushAt(offset);
        _il.Emit(OpCodes.Ldind_I8);
    }

    private void Displacement(int offset)
    {
        PushAt(offset);
        _il.Emit(OpCodes.Ldind_I4);
        _il.Emit(OpCodes.Conv_I);
    }

    private void SlotAddress(int offset)
    {
        _il.Emit(OpCodes.Ldarg_S, (byte)SlotsArgument);
        Displacement(offset);
        _il.Emit(OpCodes.Add);
    }

    private LocalBuilder Slot(int offset)
    {
        LocalBuilder address = _il.DeclareLocal(typeof(nint));
        SlotAddress(offset);
        _il.Emit(OpCodes.Stloc, address);
        return address;
    }

    private void PushTag(LocalBuilder address)
    {
        _il.Emit(OpCodes.Ldloc, address);
        _il.Emit(OpCodes.Ldind_I8);
    }

    private void PushPayloadAddress(LocalBuilder address)
    {
        _il.Emit(OpCodes.Ldloc, address);
        _il.Emit(OpCodes.Ldc_I4, Members.PayloadOffset);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
    }

    private LocalBuilder Keep(Type type)
    {
        LocalBuilder local = _il.DeclareLocal(type);
        _il.Emit(OpCodes.Stloc, local);
        return local;
    }

    private LocalBuilder Integer(LocalBuilder address)
    {
        PushPayloadAddress(address);
        _il.Emit(OpCodes.Ldind_I8);
        return Keep(typeof(long));
    }

    private LocalBuilder Double(LocalBuilder address)
    {
        PushPayloadAddress(address);
        _il.Emit(OpCodes.Ldind_R8);
        return Keep(typeof(double));
    }

    private Label Slow
    {
        get
        {
            _hasSlow = true;
            return _slow;
        }
    }

    private void Expect(LocalBuilder address, Tag tag, Label otherwise)
    {
        PushTag(address);
        _il.Emit(OpCodes.Ldc_I8, (long)tag);
        _il.Emit(OpCodes.Bne_Un, otherwise);
    }

    // Going on.

    private void NextInstruction()
    {
        PushAt(Size);
    }

    private static int Size => sizeof(Wide);

    private void PushRest()
    {
        _il.Emit(OpCodes.Ldarg_S, (byte)SlotsArgument);
        _il.Emit(OpCodes.Ldarg_S, (byte)CounterArgument);
        _il.Emit(OpCodes.Ldarg_S, (byte)FrameArgument);
    }

    /// <summary>To the address on top of the arguments.</summary>
    private void TailCall()
    {
        _il.Emit(OpCodes.Tailcall);
        _il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, typeof(long), Parameters, null);
        _il.Emit(OpCodes.Ret);
    }

    private void TailCall(string method)
    {
        _il.Emit(OpCodes.Tailcall);
        _il.Emit(OpCodes.Call, Members.Of(method));
        _il.Emit(OpCodes.Ret);
    }

    /// <summary>To the next instruction, in the same segment.</summary>
    private void Next()
    {
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        NextInstruction();
        PushRest();
        PushAt(Size + Handler);
        _il.Emit(OpCodes.Ldind_I);
        TailCall();
    }

    /// <summary>To the first instruction of a segment, which is paid; or, if that does not fit, to the interpreter.</summary>
    private void Enter(Action target)
    {
        Label leave = _il.DefineLabel();
        target();
        LocalBuilder to = Keep(typeof(nint));
        if (!_key.IsUnmetered)
        {
            _il.Emit(OpCodes.Ldarg_S, (byte)CounterArgument);
            PushField(to, Segment);
            _il.Emit(OpCodes.Sub);
            _il.Emit(OpCodes.Starg_S, (byte)CounterArgument);
            _il.Emit(OpCodes.Ldarg_S, (byte)CounterArgument);
            _il.Emit(OpCodes.Ldc_I8, 0L);
            _il.Emit(OpCodes.Blt, leave);
        }

        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldloc, to);
        PushRest();
        PushField(to, Handler);
        _il.Emit(OpCodes.Conv_I);
        TailCall();

        _il.MarkLabel(leave);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldloc, to);
        PushRest();
        TailCall(nameof(Machine.LeaveForGas));
    }

    private void PushField(LocalBuilder address, int offset)
    {
        _il.Emit(OpCodes.Ldloc, address);
        _il.Emit(OpCodes.Ldc_I4, offset);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I8);
    }

    private void PushTarget()
    {
        FieldOf(Target);
        _il.Emit(OpCodes.Conv_I);
    }

    /// <summary>To the target; a backward jump that is hot now leaves there.</summary>
    private void GoToTarget()
    {
        if (!_key.Counts)
        {
            Enter(PushTarget);
            return;
        }

        Label hot = _il.DefineLabel();
        CountDown(A, "_loopHeat");
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Blt, hot);
        Enter(PushTarget);
        _il.MarkLabel(hot);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        PushAt(0);
        PushRest();
        TailCall(nameof(Machine.LeaveHotLoop));
    }

    /// <summary>Subtracts one from a heat, and leaves it on the stack.</summary>
    private void CountDown(int displacement, string heats)
    {
        LocalBuilder heat = _il.DeclareLocal(typeof(nint));
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field(heats));
        Displacement(displacement);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, heat);
        _il.Emit(OpCodes.Ldloc, heat);
        _il.Emit(OpCodes.Ldind_I4);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Sub);
        LocalBuilder left = Keep(typeof(int));
        _il.Emit(OpCodes.Ldloc, heat);
        _il.Emit(OpCodes.Ldloc, left);
        _il.Emit(OpCodes.Stind_I4);
        _il.Emit(OpCodes.Ldloc, left);
    }

    // Moves.

    private void PushPlace(Form form, int offset)
    {
        switch (form)
        {
            case Form.Slot:
                SlotAddress(offset);
                break;
            case Form.Cell:
                SlotAddress(offset);
                _il.Emit(OpCodes.Ldc_I4, Members.PayloadOffset);
                _il.Emit(OpCodes.Conv_I);
                _il.Emit(OpCodes.Add);
                _il.Emit(OpCodes.Ldind_I);
                _il.Emit(OpCodes.Ldc_I4, Members.VariableValueOffset);
                _il.Emit(OpCodes.Conv_I);
                _il.Emit(OpCodes.Add);
                break;
            case Form.Global:
                _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
                _il.Emit(OpCodes.Ldfld, Members.Field("_globals"));
                Displacement(offset);
                _il.Emit(OpCodes.Add);
                break;
            default:
                throw new InvalidOperationException($"no place {form}");
        }
    }

    /// <summary>Copies an operand to the address on the stack, in two moves as <see cref="Value.Copy"/> does.</summary>
    private void CopyTo(Form form, int offset)
    {
        LocalBuilder to = Keep(typeof(nint));
        if (form == Form.Constant)
        {
            PushPayloadAddress(to);
            FieldOf(Payload);
            _il.Emit(OpCodes.Stind_I8);
            _il.Emit(OpCodes.Ldloc, to);
            FieldOf(Target);
            _il.Emit(OpCodes.Stind_I8);
            return;
        }

        PushPlace(form, offset);
        Copy(Keep(typeof(nint)), to);
    }

    private void Copy(LocalBuilder from, LocalBuilder to)
    {
        PushTag(from);
        LocalBuilder tag = Keep(typeof(long));
        PushPayloadAddress(to);
        PushPayloadAddress(from);
        _il.Emit(OpCodes.Ldind_I8);
        _il.Emit(OpCodes.Stind_I8);
        _il.Emit(OpCodes.Ldloc, to);
        _il.Emit(OpCodes.Ldloc, tag);
        _il.Emit(OpCodes.Stind_I8);
    }

    private void StoreInteger(LocalBuilder value, Tag tag = Tag.Int)
    {
        LocalBuilder to = Slot(A);
        PushPayloadAddress(to);
        _il.Emit(OpCodes.Ldloc, value);
        _il.Emit(OpCodes.Stind_I8);
        _il.Emit(OpCodes.Ldloc, to);
        _il.Emit(OpCodes.Ldc_I8, (long)tag);
        _il.Emit(OpCodes.Stind_I8);
    }

    private void StoreDouble(LocalBuilder value)
    {
        Label isNumber = _il.DefineLabel();
        Label done = _il.DefineLabel();
        LocalBuilder to = Slot(A);
        _il.Emit(OpCodes.Ldloc, to);
        _il.Emit(OpCodes.Ldc_I8, (long)Tag.Float);
        _il.Emit(OpCodes.Stind_I8);
        _il.Emit(OpCodes.Ldloc, value);
        _il.Emit(OpCodes.Ldloc, value);
        _il.Emit(OpCodes.Beq, isNumber);
        PushPayloadAddress(to);
        _il.Emit(OpCodes.Ldc_I8, Floats.NaNBits);
        _il.Emit(OpCodes.Stind_I8);
        _il.Emit(OpCodes.Br, done);
        _il.MarkLabel(isNumber);
        PushPayloadAddress(to);
        _il.Emit(OpCodes.Ldloc, value);
        _il.Emit(OpCodes.Stind_R8);
        _il.MarkLabel(done);
    }

    // Arithmetic.

    private void Arithmetic()
    {
        LocalBuilder a = Slot(B);
        LocalBuilder? b = _key.Second == Form.Slot ? Slot(C) : null;
        Label notIntegers = _il.DefineLabel();
        bool floats = _key.Second != Form.Int && _key.Op != WideOp.Mod;
        if (_key.Second != Form.Float)
        {
            Expect(a, Tag.Int, floats ? notIntegers : Slow);
            if (b is not null)
            {
                Expect(b, Tag.Int, Slow);
            }

            LocalBuilder x = Integer(a);
            LocalBuilder y = SecondInteger(b);
            StoreInteger(Integers(x, y));
            Next();
        }

        if (floats)
        {
            _il.MarkLabel(notIntegers);
            Expect(a, Tag.Float, Slow);
            if (b is not null)
            {
                Expect(b, Tag.Float, Slow);
            }

            LocalBuilder x = Double(a);
            LocalBuilder y = SecondDouble(b);
            if (_key.Op == WideOp.Div)
            {
                _il.Emit(OpCodes.Ldloc, y);
                _il.Emit(OpCodes.Ldc_R8, 0.0);
                _il.Emit(OpCodes.Beq, Slow);
            }

            _il.Emit(OpCodes.Ldloc, x);
            _il.Emit(OpCodes.Ldloc, y);
            _il.Emit(
                _key.Op switch
                {
                    WideOp.Add => OpCodes.Add,
                    WideOp.Sub => OpCodes.Sub,
                    WideOp.Mul => OpCodes.Mul,
                    _ => OpCodes.Div,
                }
            );
            StoreDouble(Keep(typeof(double)));
            Next();
        }
    }

    private LocalBuilder SecondInteger(LocalBuilder? b)
    {
        if (b is not null)
        {
            return Integer(b);
        }

        FieldOf(Payload);
        return Keep(typeof(long));
    }

    private LocalBuilder SecondDouble(LocalBuilder? b)
    {
        if (b is not null)
        {
            return Double(b);
        }

        PushAt(Payload);
        _il.Emit(OpCodes.Ldind_R8);
        return Keep(typeof(double));
    }

    /// <summary>The result for two Ints that fit 64 bits, if it does.</summary>
    private LocalBuilder Integers(LocalBuilder x, LocalBuilder y)
    {
        switch (_key.Op)
        {
            case WideOp.Add:
            {
                _il.Emit(OpCodes.Ldloc, x);
                _il.Emit(OpCodes.Ldloc, y);
                _il.Emit(OpCodes.Add);
                LocalBuilder sum = Keep(typeof(long));
                BothSigns(x, sum, y, sum);
                return sum;
            }

            case WideOp.Sub:
            {
                _il.Emit(OpCodes.Ldloc, x);
                _il.Emit(OpCodes.Ldloc, y);
                _il.Emit(OpCodes.Sub);
                LocalBuilder difference = Keep(typeof(long));
                BothSigns(x, y, x, difference);
                return difference;
            }

            case WideOp.Mul:
                if (_key.Second == Form.Int)
                {
                    // |x| <= Max / |y|, which stands where the target would, as one unsigned comparison.
                    _il.Emit(OpCodes.Ldloc, x);
                    FieldOf(Target);
                    _il.Emit(OpCodes.Add);
                    FieldOf(Target);
                    _il.Emit(OpCodes.Ldc_I4_1);
                    _il.Emit(OpCodes.Shl);
                    _il.Emit(OpCodes.Bgt_Un, Slow);
                }
                else
                {
                    FitsInt(x);
                    FitsInt(y);
                }

                _il.Emit(OpCodes.Ldloc, x);
                _il.Emit(OpCodes.Ldloc, y);
                _il.Emit(OpCodes.Mul);
                return Keep(typeof(long));

            case WideOp.Mod:
                return Modulo(x, y);

            default:
            {
                // An exact quotient by a divisor of at least one.
                _il.Emit(OpCodes.Ldloc, y);
                _il.Emit(OpCodes.Ldc_I8, 1L);
                _il.Emit(OpCodes.Blt, Slow);
                _il.Emit(OpCodes.Ldloc, x);
                _il.Emit(OpCodes.Ldloc, y);
                _il.Emit(OpCodes.Div);
                LocalBuilder quotient = Keep(typeof(long));
                _il.Emit(OpCodes.Ldloc, quotient);
                _il.Emit(OpCodes.Ldloc, y);
                _il.Emit(OpCodes.Mul);
                _il.Emit(OpCodes.Ldloc, x);
                _il.Emit(OpCodes.Bne_Un, Slow);
                return quotient;
            }
        }
    }

    /// <summary>Slow if both pairs differ in sign.</summary>
    private void BothSigns(LocalBuilder a, LocalBuilder b, LocalBuilder c, LocalBuilder d)
    {
        _il.Emit(OpCodes.Ldloc, a);
        _il.Emit(OpCodes.Ldloc, b);
        _il.Emit(OpCodes.Xor);
        _il.Emit(OpCodes.Ldloc, c);
        _il.Emit(OpCodes.Ldloc, d);
        _il.Emit(OpCodes.Xor);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Blt, Slow);
    }

    private void FitsInt(LocalBuilder value)
    {
        _il.Emit(OpCodes.Ldloc, value);
        _il.Emit(OpCodes.Conv_I4);
        _il.Emit(OpCodes.Conv_I8);
        _il.Emit(OpCodes.Ldloc, value);
        _il.Emit(OpCodes.Bne_Un, Slow);
    }

    /// <summary>Floored; by a divisor of at least one.</summary>
    private LocalBuilder Modulo(LocalBuilder x, LocalBuilder y)
    {
        LocalBuilder result = _il.DeclareLocal(typeof(long));
        Label large = _il.DefineLabel();
        Label done = _il.DefineLabel();
        if (_key.Second == Form.Slot)
        {
            _il.Emit(OpCodes.Ldloc, y);
            _il.Emit(OpCodes.Ldc_I8, 1L);
            _il.Emit(OpCodes.Blt, Slow);
        }

        // The division of 32 bits is much the faster one.
        _il.Emit(OpCodes.Ldloc, x);
        _il.Emit(OpCodes.Ldloc, y);
        _il.Emit(OpCodes.Or);
        _il.Emit(OpCodes.Ldc_I4, 32);
        _il.Emit(OpCodes.Shr_Un);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Bne_Un, large);
        _il.Emit(OpCodes.Ldloc, x);
        _il.Emit(OpCodes.Conv_U4);
        _il.Emit(OpCodes.Ldloc, y);
        _il.Emit(OpCodes.Conv_U4);
        _il.Emit(OpCodes.Rem_Un);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Stloc, result);
        _il.Emit(OpCodes.Br, done);
        _il.MarkLabel(large);
        _il.Emit(OpCodes.Ldloc, x);
        _il.Emit(OpCodes.Ldloc, y);
        _il.Emit(OpCodes.Rem);
        _il.Emit(OpCodes.Stloc, result);
        _il.Emit(OpCodes.Ldloc, result);
        _il.Emit(OpCodes.Ldloc, result);
        _il.Emit(OpCodes.Ldc_I4, 63);
        _il.Emit(OpCodes.Shr);
        _il.Emit(OpCodes.Ldloc, y);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, result);
        _il.MarkLabel(done);
        return result;
    }

    private void Negate()
    {
        LocalBuilder a = Slot(B);
        Label notInteger = _il.DefineLabel();
        Expect(a, Tag.Int, notInteger);
        LocalBuilder x = Integer(a);
        _il.Emit(OpCodes.Ldloc, x);
        _il.Emit(OpCodes.Ldc_I8, long.MinValue);
        _il.Emit(OpCodes.Beq, Slow);
        _il.Emit(OpCodes.Ldloc, x);
        _il.Emit(OpCodes.Neg);
        StoreInteger(Keep(typeof(long)));
        Next();
        _il.MarkLabel(notInteger);
        Expect(a, Tag.Float, Slow);
        _il.Emit(OpCodes.Ldloc, Double(a));
        _il.Emit(OpCodes.Neg);
        StoreDouble(Keep(typeof(double)));
        Next();
    }

    /// <summary>Slow unless the truth of the slot is whether its payload is zero.</summary>
    private void ExpectPlainTruth(LocalBuilder a)
    {
        PushTag(a);
        _il.Emit(OpCodes.Ldc_I8, (long)Tag.Int);
        _il.Emit(OpCodes.Bgt_Un, Slow);
    }

    private void Not()
    {
        LocalBuilder a = Slot(B);
        ExpectPlainTruth(a);
        _il.Emit(OpCodes.Ldloc, Integer(a));
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Ceq);
        _il.Emit(OpCodes.Conv_I8);
        StoreInteger(Keep(typeof(long)), Tag.Bool);
        Next();
    }

    // Comparison and jumps.

    private void PushComparison(WideOp op, bool floats)
    {
        switch (op)
        {
            case WideOp.Eq:
            case WideOp.Neq:
                _il.Emit(OpCodes.Ceq);
                break;
            case WideOp.Lt:
                _il.Emit(OpCodes.Clt);
                break;
            case WideOp.Gt:
                _il.Emit(OpCodes.Cgt);
                break;
            case WideOp.Lte:
                _il.Emit(floats ? OpCodes.Cgt_Un : OpCodes.Cgt);
                break;
            default:
                _il.Emit(floats ? OpCodes.Clt_Un : OpCodes.Clt);
                break;
        }

        if (op is WideOp.Neq or WideOp.Lte or WideOp.Gte)
        {
            _il.Emit(OpCodes.Ldc_I4_0);
            _il.Emit(OpCodes.Ceq);
        }
    }

    private void Compare(WideOp op)
    {
        LocalBuilder a = Slot(B);
        LocalBuilder? b = _key.Second == Form.Slot ? Slot(C) : null;
        Label notIntegers = _il.DefineLabel();
        if (_key.Second != Form.Float)
        {
            PushIntegers(a, b, _key.Second == Form.Slot ? notIntegers : Slow);
            PushComparison(op, floats: false);
            _il.Emit(OpCodes.Conv_I8);
            StoreInteger(Keep(typeof(long)), Tag.Bool);
            Next();
        }

        if (_key.Second != Form.Int)
        {
            _il.MarkLabel(notIntegers);
            PushDoubles(a, b);
            PushComparison(op, floats: true);
            _il.Emit(OpCodes.Conv_I8);
            StoreInteger(Keep(typeof(long)), Tag.Bool);
            Next();
        }
    }

    private void PushIntegers(LocalBuilder a, LocalBuilder? b, Label otherwise)
    {
        Expect(a, Tag.Int, otherwise);
        if (b is not null)
        {
            Expect(b, Tag.Int, Slow);
        }

        LocalBuilder x = Integer(a);
        LocalBuilder y = SecondInteger(b);
        _il.Emit(OpCodes.Ldloc, x);
        _il.Emit(OpCodes.Ldloc, y);
    }

    private void PushDoubles(LocalBuilder a, LocalBuilder? b)
    {
        Expect(a, Tag.Float, Slow);
        if (b is not null)
        {
            Expect(b, Tag.Float, Slow);
        }

        LocalBuilder x = Double(a);
        LocalBuilder y = SecondDouble(b);
        _il.Emit(OpCodes.Ldloc, x);
        _il.Emit(OpCodes.Ldloc, y);
    }

    private void CompareAndJump(WideOp op)
    {
        LocalBuilder a = Slot(B);
        LocalBuilder? b = _key.Second == Form.Slot ? Slot(C) : null;
        Label notIntegers = _il.DefineLabel();
        Label jump = _il.DefineLabel();
        if (_key.Second != Form.Float)
        {
            PushIntegers(a, b, _key.Second == Form.Slot ? notIntegers : Slow);
            _il.Emit(BranchOn(op, _key.Jumps), jump);
            Enter(NextInstruction);
        }

        if (_key.Second != Form.Int)
        {
            _il.MarkLabel(notIntegers);
            PushDoubles(a, b);
            PushComparison(op, floats: true);
            _il.Emit(_key.Jumps ? OpCodes.Brtrue : OpCodes.Brfalse, jump);
            Enter(NextInstruction);
        }

        _il.MarkLabel(jump);
        GoToTarget();
    }

    private static OpCode BranchOn(WideOp op, bool holds) =>
        (op, holds) switch
        {
            (WideOp.Eq, true) or (WideOp.Neq, false) => OpCodes.Beq,
            (WideOp.Eq, false) or (WideOp.Neq, true) => OpCodes.Bne_Un,
            (WideOp.Lt, true) or (WideOp.Gte, false) => OpCodes.Blt,
            (WideOp.Lt, false) or (WideOp.Gte, true) => OpCodes.Bge,
            (WideOp.Gt, true) or (WideOp.Lte, false) => OpCodes.Bgt,
            _ => OpCodes.Ble,
        };

    private void JumpIf()
    {
        LocalBuilder a = Slot(B);
        Label jump = _il.DefineLabel();
        ExpectPlainTruth(a);
        _il.Emit(OpCodes.Ldloc, Integer(a));
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(_key.Jumps ? OpCodes.Bne_Un : OpCodes.Beq, jump);
        Enter(NextInstruction);
        _il.MarkLabel(jump);
        GoToTarget();
    }

    private void Jump() => GoToTarget();

    // Lists.

    private void PushListField(LocalBuilder list, int offset)
    {
        _il.Emit(OpCodes.Ldloc, list);
        _il.Emit(OpCodes.Ldc_I4, offset);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
    }

    private LocalBuilder List(int offset)
    {
        LocalBuilder a = Slot(offset);
        Expect(a, Tag.List, Slow);
        PushPayloadAddress(a);
        _il.Emit(OpCodes.Ldind_I);
        return Keep(typeof(nint));
    }

    /// <summary>Slow unless there is an item at the index.</summary>
    private void ExpectItem(LocalBuilder list, LocalBuilder index)
    {
        _il.Emit(OpCodes.Ldloc, index);
        PushListField(list, Members.ListCountOffset);
        _il.Emit(OpCodes.Ldind_U4);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Bge_Un, Slow);
    }

    private LocalBuilder ElementsOf(LocalBuilder list)
    {
        PushListField(list, Members.ElementKindOffset);
        _il.Emit(OpCodes.Ldind_U1);
        return Keep(typeof(int));
    }

    private void IfElements(LocalBuilder kind, ElementKind wanted, Label then)
    {
        _il.Emit(OpCodes.Ldloc, kind);
        _il.Emit(OpCodes.Ldc_I4, (int)wanted);
        _il.Emit(OpCodes.Beq, then);
    }

    /// <summary>The address of an item of a size that is a power of two.</summary>
    private LocalBuilder ItemAddress(LocalBuilder list, LocalBuilder index, ElementKind kind)
    {
        PushListField(list, Members.ListItemsOffset);
        _il.Emit(OpCodes.Ldind_I);
        _il.Emit(OpCodes.Ldloc, index);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Ldc_I4, kind.Shift());
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Add);
        return Keep(typeof(nint));
    }

    private void Index()
    {
        LocalBuilder list = List(B);
        LocalBuilder index;
        if (_key.Second == Form.Slot)
        {
            LocalBuilder b = Slot(C);
            Expect(b, Tag.Int, Slow);
            index = Integer(b);
        }
        else
        {
            index = SecondInteger(null);
        }

        ExpectItem(list, index);
        LocalBuilder kind = ElementsOf(list);
        Label values = _il.DefineLabel();
        Label bools = _il.DefineLabel();
        IfElements(kind, ElementKind.Value, values);
        IfElements(kind, ElementKind.Bool, bools);
        LoadItem(ItemAddress(list, index, ElementKind.Int), OpCodes.Ldind_I8, kind);
        Next();
        _il.MarkLabel(bools);
        LoadItem(ItemAddress(list, index, ElementKind.Bool), OpCodes.Ldind_U1, kind);
        Next();
        _il.MarkLabel(values);
        Copy(ItemAddress(list, index, ElementKind.Value), Slot(A));
        Next();
    }

    private void LoadItem(LocalBuilder item, OpCode load, LocalBuilder kind)
    {
        LocalBuilder to = Slot(A);
        PushPayloadAddress(to);
        _il.Emit(OpCodes.Ldloc, item);
        _il.Emit(load);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Stind_I8);
        _il.Emit(OpCodes.Ldloc, to);
        _il.Emit(OpCodes.Ldloc, kind);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Writes the operand C and goes on; slow where the List would have to become another kind of List.</summary>
    private void StoreItem(LocalBuilder list, LocalBuilder index, Action written)
    {
        LocalBuilder kind = ElementsOf(list);
        LocalBuilder? item = _key.Second == Form.Slot ? Slot(C) : null;
        Label values = _il.DefineLabel();
        Label bools = _il.DefineLabel();
        IfElements(kind, ElementKind.Value, values);
        _il.Emit(OpCodes.Ldloc, kind);
        _il.Emit(OpCodes.Conv_U8);
        if (item is null)
        {
            FieldOf(Target);
        }
        else
        {
            PushTag(item);
        }

        _il.Emit(OpCodes.Bne_Un, Slow);
        IfElements(kind, ElementKind.Bool, bools);
        Store(ElementKind.Int, OpCodes.Stind_I8);
        _il.MarkLabel(bools);
        Store(ElementKind.Bool, OpCodes.Stind_I1);
        _il.MarkLabel(values);
        _il.Emit(OpCodes.Ldloc, ItemAddress(list, index, ElementKind.Value));
        CopyTo(_key.Second, C);
        written();
        Next();

        void Store(ElementKind size, OpCode store)
        {
            _il.Emit(OpCodes.Ldloc, ItemAddress(list, index, size));
            if (item is null)
            {
                FieldOf(Payload);
            }
            else
            {
                PushPayloadAddress(item);
                _il.Emit(OpCodes.Ldind_I8);
            }

            _il.Emit(store);
            written();
            Next();
        }
    }

    private void ListSet()
    {
        LocalBuilder list = List(A);
        LocalBuilder b = Slot(B);
        Expect(b, Tag.Int, Slow);
        LocalBuilder index = Integer(b);
        ExpectItem(list, index);
        StoreItem(list, index, static () => { });
    }

    /// <summary>The address of a Map's item; slow unless it is there under a String that costs nothing.</summary>
    private LocalBuilder Item(LocalBuilder map, LocalBuilder key)
    {
        Expect(map, Tag.Map, Slow);
        Expect(key, Tag.String, Slow);
        PushPayloadAddress(map);
        _il.Emit(OpCodes.Ldind_I8);
        PushPayloadAddress(key);
        _il.Emit(OpCodes.Ldind_I8);
        _il.Emit(OpCodes.Call, Members.Of(nameof(Machine.FindFreeItem)));
        LocalBuilder item = Keep(typeof(nint));
        _il.Emit(OpCodes.Ldloc, item);
        _il.Emit(OpCodes.Brfalse, Slow);
        return item;
    }

    private void EntryIndex()
    {
        if (_key.Second == Form.Slot)
        {
            Copy(Item(Slot(B), Slot(C)), Slot(A));
            Next();
        }
        else
        {
            _il.Emit(OpCodes.Br, Slow);
        }
    }

    private void EntrySet()
    {
        _il.Emit(OpCodes.Ldloc, Item(Slot(A), Slot(B)));
        CopyTo(_key.Second, C);
        Next();
    }

    /// <summary>While there is room and gas. An empty List takes the kind of its first item, which is the machine's to see to.</summary>
    private void ListPush()
    {
        LocalBuilder list = List(A);
        PushListField(list, Members.ListCountOffset);
        _il.Emit(OpCodes.Ldind_I4);
        LocalBuilder count = Keep(typeof(int));
        _il.Emit(OpCodes.Ldloc, count);
        _il.Emit(OpCodes.Brfalse, Slow);
        _il.Emit(OpCodes.Ldloc, count);
        PushListField(list, Members.ListCapacityOffset);
        _il.Emit(OpCodes.Ldind_I4);
        _il.Emit(OpCodes.Bge, Slow);
        _il.Emit(OpCodes.Ldloc, count);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field("_collectionLength"));
        _il.Emit(OpCodes.Bge, Slow);
        _il.Emit(OpCodes.Ldarg_S, (byte)CounterArgument);
        _il.Emit(OpCodes.Ldc_I8, (long)Zexus.Isa.Gas.Element << Fuel.Shift);
        _il.Emit(OpCodes.Sub);
        LocalBuilder left = Keep(typeof(long));
        _il.Emit(OpCodes.Ldloc, left);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Blt, Slow);
        StoreItem(
            list,
            count,
            () =>
            {
                PushListField(list, Members.ListCountOffset);
                _il.Emit(OpCodes.Ldloc, count);
                _il.Emit(OpCodes.Ldc_I4_1);
                _il.Emit(OpCodes.Add);
                _il.Emit(OpCodes.Stind_I4);
                _il.Emit(OpCodes.Ldloc, left);
                _il.Emit(OpCodes.Starg_S, (byte)CounterArgument);
            }
        );
    }

    // Calls.

    /// <summary>A call of a function of the table, without cells, that has threaded code and fits.</summary>
    private void Call()
    {
        PushTarget();
        _il.Emit(OpCodes.Ldind_I);
        LocalBuilder entry = Keep(typeof(nint));
        _il.Emit(OpCodes.Ldloc, entry);
        _il.Emit(OpCodes.Brfalse, Slow);
        _il.Emit(OpCodes.Ldarg_S, (byte)FrameArgument);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field("_lastFrame"));
        _il.Emit(OpCodes.Beq, Slow);

        // B: the callee's frame size in bytes.
        LocalBuilder arguments = Slot(A);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field("_segmentEnd"));
        _il.Emit(OpCodes.Ldloc, arguments);
        _il.Emit(OpCodes.Sub);
        Displacement(B);
        _il.Emit(OpCodes.Blt, Slow);
        CountDown(C, "_callHeat");
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Blt, Slow);

        FrameField(nameof(Frame.Ip));
        FieldOf(ExitAt);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Ldind_I);
        _il.Emit(OpCodes.Ldc_I4, sizeof(Instr));
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stind_I);
        _il.Emit(OpCodes.Ldarg_S, (byte)FrameArgument);
        _il.Emit(OpCodes.Ldc_I4, sizeof(Frame));
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Starg_S, (byte)FrameArgument);
        FrameField(nameof(Frame.Function));
        FieldOf(Payload);
        _il.Emit(OpCodes.Stind_I8);
        FrameField(nameof(Frame.Vars));
        _il.Emit(OpCodes.Ldloc, arguments);
        _il.Emit(OpCodes.Stind_I);
        FrameField(nameof(Frame.Result));
        _il.Emit(OpCodes.Ldloc, arguments);
        _il.Emit(OpCodes.Stind_I);
        FrameField(nameof(Frame.Handlers));
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field("_handlerCount"));
        _il.Emit(OpCodes.Stind_I4);
        FrameField(nameof(Frame.Flags));
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Stind_I1);
        FrameField(nameof(Frame.Return));
        NextInstruction();
        _il.Emit(OpCodes.Stind_I);
        if (_key.Counts)
        {
            ClearSlots(arguments);
        }

        _il.Emit(OpCodes.Ldloc, arguments);
        _il.Emit(OpCodes.Starg_S, (byte)SlotsArgument);
        Enter(() => _il.Emit(OpCodes.Ldloc, entry));
    }

    /// <summary>The called frame's slots behind its arguments are Null.</summary>
    private void ClearSlots(LocalBuilder arguments)
    {
        // The exit's result is the first, the function says where they end.
        Label again = _il.DefineLabel();
        LocalBuilder slot = _il.DeclareLocal(typeof(nint));
        LocalBuilder end = _il.DeclareLocal(typeof(nint));
        LocalBuilder exit = _il.DeclareLocal(typeof(nint));
        FieldOf(ExitAt);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Stloc, exit);
        PushExitField(nameof(Exit.FirstClear));
        _il.Emit(OpCodes.Ldloc, arguments);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, slot);
        PushExitField(nameof(Exit.EndClear));
        _il.Emit(OpCodes.Ldloc, arguments);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, end);
        _il.MarkLabel(again);
        _il.Emit(OpCodes.Ldloc, slot);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Stind_I8);
        PushPayloadAddress(slot);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Stind_I8);
        _il.Emit(OpCodes.Ldloc, slot);
        _il.Emit(OpCodes.Ldc_I4, sizeof(Value));
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, slot);
        _il.Emit(OpCodes.Ldloc, slot);
        _il.Emit(OpCodes.Ldloc, end);
        _il.Emit(OpCodes.Blt_Un, again);

        void PushExitField(string field)
        {
            _il.Emit(OpCodes.Ldloc, exit);
            _il.Emit(OpCodes.Ldc_I4, Offset<Exit>(field));
            _il.Emit(OpCodes.Conv_I);
            _il.Emit(OpCodes.Add);
            _il.Emit(OpCodes.Ldind_I4);
            _il.Emit(OpCodes.Conv_I);
        }
    }

    private void FrameField(string field)
    {
        _il.Emit(OpCodes.Ldarg_S, (byte)FrameArgument);
        _il.Emit(OpCodes.Ldc_I4, Offset<Frame>(field));
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
    }

    /// <summary>To a caller that is in threaded code.</summary>
    private void Return()
    {
        FrameField(nameof(Frame.Return));
        _il.Emit(OpCodes.Ldind_I);
        LocalBuilder next = Keep(typeof(nint));
        _il.Emit(OpCodes.Ldloc, next);
        _il.Emit(OpCodes.Brfalse, Slow);
        FrameField(nameof(Frame.Flags));
        _il.Emit(OpCodes.Ldind_U1);
        _il.Emit(OpCodes.Brtrue, Slow);
        FrameField(nameof(Frame.Result));
        _il.Emit(OpCodes.Ldind_I);
        CopyTo(_key.Second, B);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        FrameField(nameof(Frame.Handlers));
        _il.Emit(OpCodes.Ldind_I4);
        _il.Emit(OpCodes.Stfld, Members.Field("_handlerCount"));
        _il.Emit(OpCodes.Ldarg_S, (byte)FrameArgument);
        _il.Emit(OpCodes.Ldc_I4, sizeof(Frame));
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Starg_S, (byte)FrameArgument);
        FrameField(nameof(Frame.Vars));
        _il.Emit(OpCodes.Ldind_I);
        _il.Emit(OpCodes.Starg_S, (byte)SlotsArgument);
        Enter(() => _il.Emit(OpCodes.Ldloc, next));
    }

    /// <summary>The machine does the source instruction and says where threaded code goes on, if it does.</summary>
    private void Exec()
    {
        Label leave = _il.DefineLabel();
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldarg_S, (byte)AtArgument);
        PushRest();
        _il.Emit(OpCodes.Call, Members.Of(nameof(Machine.DoSource)));
        _il.Emit(OpCodes.Starg_S, (byte)CounterArgument);
        _il.Emit(OpCodes.Ldarg_S, (byte)CounterArgument);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Blt, leave);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field("_nextWide"));
        LocalBuilder next = Keep(typeof(nint));
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldloc, next);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field("_nextSlots"));
        _il.Emit(OpCodes.Ldarg_S, (byte)CounterArgument);
        _il.Emit(OpCodes.Ldarg_S, (byte)MachineArgument);
        _il.Emit(OpCodes.Ldfld, Members.Field("_frame"));
        PushField(next, Handler);
        _il.Emit(OpCodes.Conv_I);
        TailCall();
        _il.MarkLabel(leave);
        _il.Emit(OpCodes.Ldarg_S, (byte)CounterArgument);
        _il.Emit(OpCodes.Ret);
    }
}
