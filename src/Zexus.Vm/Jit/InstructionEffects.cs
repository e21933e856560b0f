namespace Zexus.Vm;

/// <summary>What decoded instructions do to the operand stack and to control.</summary>
internal static unsafe class InstructionEffects
{
    /// <summary>Cells taken and cells left.</summary>
    public static (int Pops, int Pushes) Of(Instr* at) =>
        (Op)at->Op switch
        {
            Op.LoadConst or Op.LoadConstCopy or Op.LoadLocal or Op.LoadCell or Op.LoadGlobal or Op.PushReg => (0, 1),
            Op.StoreLocal or Op.StoreCell or Op.StoreGlobal or Op.Pop or Op.PopReg => (1, 0),
            Op.Dup => (1, 2),
            Op.Inc or Op.Dec or Op.Neg or Op.Not or Op.CheckedInc or Op.CheckedDec or Op.CheckedNeg => (1, 1),
            Op.Add
            or Op.Sub
            or Op.Mul
            or Op.Div
            or Op.Mod
            or Op.Pow
            or Op.Eq
            or Op.Neq
            or Op.Lt
            or Op.Gt
            or Op.Lte
            or Op.Gte
            or Op.And
            or Op.Or
            or Op.CheckedAdd
            or Op.CheckedSub
            or Op.CheckedMul
            or Op.CheckedDiv
            or Op.Index
            or Op.GetAttr => (2, 1),
            Op.Jump or Op.Loop or Op.SetupTry or Op.PopTry => (0, 0),
            Op.JumpIfFalse or Op.JumpIfTrue or Op.LoopIfFalse or Op.LoopIfTrue => (1, 0),
            Op.Return or Op.End => (0, 0),
            Op.CallLocal or Op.CallCell or Op.CallGlobal or Op.CallFunction or Op.CallBuiltin => (at->B, 1),
            Op.CallTop or Op.CallMethod => (at->B + 1, 1),
            Op.ForIter => (2, at->A),
            Op.GetLength or Op.HashBlock or Op.StateRead => (1, 1),
            Op.BuildList or Op.BuildSet or Op.MerkleRoot => (at->A, 1),
            Op.BuildMap => (2 * at->A, 1),
            Op.Slice or Op.VerifySignature => (3, 1),
            Op.EmitEvent or Op.LedgerAppend or Op.Print or Op.Throw => (1, 0),
            Op.StateWrite or Op.AuditLog or Op.Require => (2, 0),
            Op.MovReg
            or Op.AddReg
            or Op.SubReg
            or Op.MulReg
            or Op.DivReg
            or Op.ModReg
            or Op.PowReg
            or Op.NegReg
            or Op.EqReg
            or Op.NeqReg
            or Op.LtReg
            or Op.GtReg
            or Op.LteReg
            or Op.GteReg
            or Op.AndReg
            or Op.OrReg
            or Op.NotReg
            or Op.CheckedAddReg
            or Op.CheckedSubReg
            or Op.CheckedMulReg
            or Op.CheckedDivReg
            or Op.CheckedNegReg
            or Op.Nop
            or Op.GasCharge
            or Op.TakeCharges
            or Op.StoreConst
            or Op.StoreFunction
            or Op.LoadReg
            or Op.LoadVarReg
            or Op.StoreReg
            or Op.RegisterEvent
            or Op.TxBegin
            or Op.TxCommit
            or Op.TxRevert => (0, 0),
            _ => throw new InvalidOperationException($"no stack effect for {(Op)at->Op}"),
        };

    /// <summary>Has it a target, and where is it?</summary>
    public static bool TryTarget(Instr* at, out Instr* target)
    {
        bool has =
            (Op)at->Op
            is Op.Jump
                or Op.Loop
                or Op.JumpIfFalse
                or Op.JumpIfTrue
                or Op.LoopIfFalse
                or Op.LoopIfTrue
                or Op.SetupTry;
        target = has ? (Instr*)((byte*)(at + 1) + at->A) : null;
        return has;
    }

    /// <summary>Can control go on to the instruction behind?</summary>
    public static bool FallsThrough(Instr* at) =>
        (Op)at->Op is not (Op.Jump or Op.Loop or Op.Return or Op.End or Op.Throw);

    public static bool IsBranch(Instr* at) =>
        (Op)at->Op is Op.JumpIfFalse or Op.JumpIfTrue or Op.LoopIfFalse or Op.LoopIfTrue;
}
