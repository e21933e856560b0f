module Zexus.Differential.Tests.LockStepTests

open Xunit
open Zexus.Isa
open Zexus.Differential

let private number opcode = (InstructionSet.Of opcode).Number

/// The engine runs `instead` where the program says `opcode`.
let twist (opcode: Opcode) (instead: Opcode) (program: Program) : Program = {
    program with
        Functions =
            program.Functions
            |> Array.map (fun f -> {
                f with
                    Code =
                        f.Code
                        |> Array.map (fun i ->
                            if i.Number = number opcode then
                                { i with Number = number instead }
                            else
                                i)
            })
}

let private holds (lockStep: LockStep) (case: Case) =
    for verdict in
        Worker.Run(
            Check(fun counts plan case -> lockStep.Check(counts, plan, case)),
            LevelCounts.ForAll(),
            LevelPlan.every Levels.all,
            case
        ) do
        match verdict.Divergence with
        | Some d ->
            let report = {
                Origin = Origin.Saved "(this property)"
                Found = case
                Case = verdict.Case
                Divergence = d
                Probes = 0
                Times = 1L
            }

            Assert.Fail(Reporting.text report)
        | None -> ()

[<Cases(1000)>]
let ``the engine does what the oracle does, step by step at every level`` (case: Case) =
    use lockStep = new LockStep()
    holds lockStep case

[<Fact>]
let ``one engine runs case after case as if each were its first`` () =
    use lockStep = new LockStep()

    for index in 0L .. 500L do
        holds lockStep (Generate.case 77UL index)

/// Both sides differ for good only in what the opcode does: heights and operands are the same.
let twins: obj[] seq =
    seq {
        for opcode, instead in
            [
                Opcode.ADD, Opcode.SUB
                Opcode.SUB, Opcode.ADD
                Opcode.MUL, Opcode.ADD
                Opcode.DIV, Opcode.MUL
                Opcode.MOD, Opcode.DIV
                Opcode.POW, Opcode.MUL
                Opcode.LT, Opcode.LTE
                Opcode.GT, Opcode.GTE
                Opcode.EQ, Opcode.NEQ
                Opcode.AND, Opcode.OR
                Opcode.NEG, Opcode.NOT
                Opcode.INC, Opcode.DEC
                Opcode.JUMP_IF_TRUE, Opcode.JUMP_IF_FALSE
                Opcode.TX_COMMIT, Opcode.TX_REVERT
                Opcode.STATE_READ, Opcode.HASH_BLOCK
                Opcode.POP_TRY, Opcode.NOP
                Opcode.PRINT, Opcode.POP
                Opcode.BUILD_LIST, Opcode.BUILD_SET
                Opcode.LEDGER_APPEND, Opcode.PRINT
                Opcode.ADD_REG, Opcode.SUB_REG
            ] do
            [| box opcode; box instead |]
    }

[<Theory; MemberData(nameof twins)>]
let ``an engine with a wrong opcode is found out in a small program`` (opcode: Opcode) (instead: Opcode) =
    use lockStep = new LockStep(twist opcode instead)

    let check (case: Case) =
        lockStep.Check(LevelCounts.ForAll(), LevelPlan.every [| 0 |], { case with GasShare = None })

    let found =
        Seq.initInfinite int64
        |> Seq.truncate 4000
        |> Seq.tryPick (fun index ->
            let case = Generate.case 9UL index

            match (check case).Divergence with
            | Some d when d.Rule = (InstructionSet.Of opcode).Rule -> Some(case, d)
            | Some _
            | None -> None)

    match found with
    | None -> Assert.Fail "not found in 4,000 programs"
    | Some(case, d) ->
        let key = Divergence.key d

        let fails candidate =
            match (check candidate).Divergence with
            | Some other -> Divergence.key other = key
            | None -> false

        let smallest, _ = Shrink.minimize 3000 fails case
        let size = Reporting.size smallest
        Assert.True(size <= 10, $"{size} instructions:\n{Vector.toText key smallest}")
