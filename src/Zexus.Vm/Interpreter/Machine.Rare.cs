using System.Runtime.CompilerServices;

namespace Zexus.Vm;

internal sealed unsafe partial class Machine
{
    /// <summary>
    /// Every instruction that the loop does not finish by itself. Operands stay on the stack until the result is there,
    /// so that they are roots; on success <c>_sp</c> is where the instruction leaves it.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code Rare(Instr* at, Value* sp, Value* vars)
    {
        Value* a = sp - 1;
        Value* b = sp - 2;
        Code code;
        switch ((Op)at->Op)
        {
            case Op.Return:
            case Op.End:
                return Return();

            case Op.CallFunction:
                return CallFunction(at);

            case Op.CallTop:
            {
                Value* callee = sp - at->B - 1;
                return callee->Tag switch
                {
                    Tag.Function => Enter(callee->Function, callee + 1, at->B, callee),
                    Tag.Null => Code.UndefinedFunction,
                    _ => Code.TypeMismatch,
                };
            }

            case Op.CallBuiltin:
                return CallNamed(at->C, sp - at->B, at->B, sp - at->B);

            case Op.CallMethod:
                return CallMethod(sp - at->B - 1, at->B, at->C);

            case Op.Nop:
                return Refill(0) ? Code.Done : Code.OutOfGas;

            case Op.GasCharge:
                return Charge(_program.Amounts[at->A]) ? Code.Done : Code.OutOfGas;

            case Op.TakeCharges:
                return TakeCharges(_program.ChargeLists[at->A], sp);

            case Op.LoadConstCopy:
                if (!Charge(_program.ConstantElements[at->A]))
                {
                    return Code.OutOfGas;
                }

                *sp = PlainData.Copy(_constants[at->A], _heap);
                _sp = sp + 1;
                return Code.Done;

            case Op.StoreConst:
                if (!Charge(_program.ConstantElements[at->B]))
                {
                    return Code.OutOfGas;
                }

                *Place(at->A) = PlainData.Copy(_constants[at->B], _heap);
                return Code.Done;

            case Op.LoadReg:
                if (!Charge(_program.ConstantElements[at->B]))
                {
                    return Code.OutOfGas;
                }

                *Register(vars, at->A) = PlainData.Copy(_constants[at->B], _heap);
                return Code.Done;

            case Op.LoadVarReg:
                *Register(vars, at->A) = *Place(at->B);
                return Code.Done;

            case Op.StoreReg:
                *Place(at->B) = *Register(vars, at->A);
                return Code.Done;

            case Op.StoreFunction:
                return StoreFunction(at);

            case Op.CheckedInc:
                return Unary(Op.Inc, a, a);
            case Op.CheckedDec:
                return Unary(Op.Dec, a, a);
            case Op.CheckedNeg:
                return Unary(Op.Neg, a, a);
            case Op.NegReg:
            case Op.CheckedNegReg:
                return Unary(Op.Neg, Register(vars, at->B), Register(vars, at->A));

            case Op.CheckedAdd:
            case Op.CheckedSub:
            case Op.CheckedMul:
            case Op.CheckedDiv:
                code = Binary((Op)(at->Op - (Op.CheckedAdd - Op.Add)), b, a, b);
                _sp = a;
                return code;

            case Op.CheckedAddReg:
            case Op.CheckedSubReg:
            case Op.CheckedMulReg:
            case Op.CheckedDivReg:
                return Binary(
                    (Op)(at->Op - (Op.CheckedAddReg - Op.Add)),
                    Register(vars, at->B),
                    Register(vars, at->C),
                    Register(vars, at->A)
                );

            case Op.BuildList:
                return BuildList(at->A);
            case Op.BuildMap:
                return BuildMap(at->A);
            case Op.BuildSet:
                return BuildSet(at->A);

            case Op.Index:
                code = Index(b, a, b);
                _sp = a;
                return code;

            case Op.GetAttr:
                code = GetAttribute(b, a, b);
                _sp = a;
                return code;

            case Op.Slice:
                code = Slice(sp - 3, b, a, sp - 3);
                _sp = b;
                return code;

            case Op.GetLength:
                return Length(a, a);

            case Op.ForIter:
                return ForIter(at->A);

            case Op.RegisterEvent:
                _world.Register(at->A, new Registration(at->B, at->C));
                return Code.Done;

            case Op.EmitEvent:
                return EmitEvent(at->A);

            case Op.HashBlock:
                return HashBlock(a);
            case Op.VerifySignature:
                return VerifySignature();
            case Op.MerkleRoot:
                return MerkleRoot(at->A);
            case Op.StateRead:
                return StateRead(a);
            case Op.StateWrite:
                return StateWrite(b, a);

            case Op.TxBegin:
                _world.Begin();
                return Code.Done;
            case Op.TxCommit:
                _world.Commit();
                return Code.Done;
            case Op.TxRevert:
                _world.Revert();
                return Code.Done;

            case Op.LedgerAppend:
                return LedgerAppend(a);
            case Op.AuditLog:
                return AuditLog(b, a);

            case Op.Require:
                _sp = b;
                if (IsTrue(b))
                {
                    return Code.Done;
                }

                _faultValue = *a;
                return Code.RequireFailed;

            case Op.SetupTry:
                SetupTry(at);
                return Code.Done;

            case Op.PopTry:
                PopTry();
                return Code.Done;

            case Op.Throw:
                _faultValue = *a;
                return Code.Thrown;

            case Op.Print:
                _text.Start(_stringLength);
                code = Display(a, 0);
                if (code == Code.Done)
                {
                    _effects.Print(_text.ToString());
                    _sp = a;
                }

                return code;

            default:
                throw new InvalidOperationException($"no rule for {(Op)at->Op}");
        }
    }
}
