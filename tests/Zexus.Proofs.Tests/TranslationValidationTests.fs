/// Passes over whole functions, by hand: what is right is proved, what is wrong is refused.
module Zexus.Proofs.Tests.TranslationValidationTests

open System
open System.Collections.Immutable
open System.IO
open Expecto
open Zexus.Isa
open Zexus.Vm
open Zexus.Proofs
open Zexus.Proofs.Prover
open Zexus.Proofs.Tests.Support

let private assemble text =
    let result = Assembler.Assemble(text, "test.zxa")

    if not result.Succeeded then
        failtestf "%A" (List.ofSeq result.Diagnostics)

    result.Program

let private examples () = [
    let folder =
        Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "..", "examples")

    for file in Directory.GetFiles(folder, "*.zxa") do
        Path.GetFileName file, assemble (File.ReadAllText file)
]

let private targets (program: Program) (code: TranslatedFunction) =
    [
        yield 0
        for i in code.Code do
            match InstructionSet.Of(i.Opcode).Operands |> Array.tryFindIndex (fun o -> o.Kind = OperandKind.Target) with
            | Some position -> yield int (List.item position [ i.A; i.B; i.C ])
            | None -> ()
    ]
    |> List.distinct
    |> List.sort

/// The main function's code before a pass, after it, and its cut points with these claims; the pass has moved nothing.
let private pass
    (program: Program)
    (change: TranslatedInstruction[] -> TranslatedInstruction[])
    (claims: int -> Claim list)
    =
    let before = TranslatedProgram.Of(program).Functions[0]

    let after =
        TranslatedFunction(ImmutableArray.CreateRange(change (Seq.toArray before.Code)))

    Transformation(
        0,
        "trial",
        before,
        after,
        ImmutableArray.CreateRange(
            targets program before
            |> List.map (fun at -> CutPoint(at, at, ImmutableArray.CreateRange(claims at)))
        )
    )

let private validate (program: Program) (constants: Data list) transformation =
    let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)

    TranslationValidation.validate
        Limits.Default
        program
        (Seq.append program.Constants constants)
        session.Refute
        transformation

let private expectProved verdict =
    match verdict with
    | TranslationValidation.Verdict.Proved _ -> ()
    | TranslationValidation.Verdict.Refused why -> failtest why

let private expectRefused (part: string) verdict =
    match verdict with
    | TranslationValidation.Verdict.Proved _ -> failtest "was proved"
    | TranslationValidation.Verdict.Refused why -> Expect.stringContains why part "why"

let private at index (change: TranslatedInstruction -> TranslatedInstruction) (code: TranslatedInstruction[]) =
    Array.updateAt index (change code[index]) code

let private become (opcode: Opcode) a b (i: TranslatedInstruction) =
    TranslatedInstruction(opcode, a, b, 0L, i.Source, i.Charges, i.JumpCharges)

let private variable slot : Place = Place.Variable slot
let private dead slot : Claim = Claim.Dead(variable slot)

/// Everything that the passes over whole functions do to a program, at every level that has them.
let private expectPassesProved (session: Session) (name: string) (program: Program) (limits: Limits) : int =
    let loaded = ZexusProgram.Load(program, limits)

    [ 2; 3 ]
    |> List.sumBy (fun level ->
        let result = Optimizer.Optimize(loaded, level, true)

        for change in result.Transformations do
            match TranslationValidation.validate limits program result.Program.Constants session.Refute change with
            | TranslationValidation.Verdict.Proved _ -> ()
            | TranslationValidation.Verdict.Refused why ->
                failtest $"{name}, level {level}, {change.Pass} of function {change.Function}: {why}"

        result.Transformations.Length)

/// The register form of what the optimizer gives, at level 0 and at level 3: of how many functions?
let private expectRegisterFormProved (session: Session) (name: string) (program: Program) (limits: Limits) : int =
    let loaded = ZexusProgram.Load(program, limits)

    [ 0; 3 ]
    |> List.sumBy (fun level ->
        let result =
            RegisterConverter.Convert(Optimizer.Optimize(loaded, level).Program, true)

        for change in result.Transformations do
            match TranslationValidation.validate limits program result.Program.Constants session.Refute change with
            | TranslationValidation.Verdict.Proved _ -> ()
            | TranslationValidation.Verdict.Refused why ->
                failtest $"{name}, level {level}, {change.Pass} of function {change.Function}: {why}"

        result.Transformations.Length)

/// x is 5 all the way through a loop: `LOAD_NAME x` at 6 is `LOAD_CONST 5`.
let private loop =
    assemble
        """
        .func main() locals x, i
            STORE_CONST x, 5
            STORE_CONST i, 10
        head:
            LOAD_NAME i
            JUMP_IF_FALSE done
            LOAD_NAME i
            DEC
            LOAD_NAME x
            SUB
            STORE_NAME i
            LOAD_NAME x
            PRINT
            JUMP head
        done:
            LOAD_NAME x
            RETURN
        .end
        """

let private xIsFive at : Claim list =
    if at = 0 then [] else [ Claim.Constant(variable 0, 0) ]

/// y is stored and never read but by the handler.
let private handler =
    assemble
        """
        .func main() locals x, y
            SETUP_TRY caught
            STORE_CONST y, 1
            LOAD_NAME x
            LOAD_CONST "s"
            INDEX
            POP
            POP_TRY
            LOAD_NAME x
            RETURN
        caught:
            POP
            LOAD_NAME y
            RETURN
        .end
        """

[<Tests>]
let validation =
    testList "translation validation" [
        test "the code of every example is equivalent to itself" {
            let files = examples ()
            Expect.isGreaterThan files.Length 10 "examples"

            for file, program in files do
                for func in 0 .. program.Functions.Length - 1 do
                    let code = TranslatedProgram.Of(program).Functions[func]

                    let cuts =
                        targets program code |> List.map (fun at -> CutPoint(at, at, ImmutableArray.Empty))

                    let same = Transformation(func, "none", code, code, ImmutableArray.CreateRange cuts)

                    match validate program [] same with
                    | TranslationValidation.Verdict.Proved(cuts, paths) -> Expect.isGreaterThanOrEqual paths cuts file
                    | TranslationValidation.Verdict.Refused why -> failtest $"{file}, function {func}: {why}"
        }

        test "what the passes do to every example is proved" {
            let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)

            let changes =
                examples ()
                |> List.sumBy (fun (file, program) -> expectPassesProved session file program Limits.Default)

            Expect.isGreaterThan changes 0 "changes"
        }

        test "what the passes do to generated programs is proved" {
            let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)

            let changes =
                [ 0L .. 599L ]
                |> List.sumBy (fun index ->
                    let case = Zexus.Differential.Generate.case 1UL index

                    match ZexusProgram.TryLoad(case.Program, case.Limits) with
                    | true, _, _ -> expectPassesProved session $"seed 1, program {index}" case.Program case.Limits
                    | false, _, _ -> 0)

            Expect.isGreaterThan changes 200 "changes"
        }

        test "the register form of every example is proved" {
            let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)

            let functions =
                examples ()
                |> List.sumBy (fun (file, program) -> expectRegisterFormProved session file program Limits.Default)

            Expect.isGreaterThan functions 20 "functions"
        }

        test "the register form of generated programs is proved" {
            let session = Session(AnswerCache.AnswerCache None, bothSolvers, ignore)

            let functions =
                [ 0L .. 299L ]
                |> List.sumBy (fun index ->
                    let case = Zexus.Differential.Generate.case 1UL index

                    match ZexusProgram.TryLoad(case.Program, case.Limits) with
                    | true, _, _ ->
                        expectRegisterFormProved session $"seed 1, program {index}" case.Program case.Limits
                    | false, _, _ -> 0)

            Expect.isGreaterThan functions 200 "functions"
        }

        test "register form: operands the other way round, a charge lost and a home not claimed are refused" {
            let program =
                assemble
                    ".func main() locals i, s
                        STORE_CONST i, 0
                        STORE_CONST s, 0
                    again:
                        LOAD_NAME s
                        LOAD_NAME i
                        SUB
                        STORE_NAME s
                        LOAD_NAME i
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 9
                        LT
                        JUMP_IF_TRUE again
                        LOAD_NAME s
                    .end"

            let result = RegisterConverter.Convert(TranslatedProgram.Of program, true)
            let right = result.Transformations[0]
            let added = List.skip program.Constants.Length (List.ofSeq result.Program.Constants)

            let wrong (change: TranslatedInstruction -> TranslatedInstruction) (claims: Claim seq -> Claim seq) =
                Transformation(
                    0,
                    "trial",
                    right.Before,
                    TranslatedFunction(ImmutableArray.CreateRange(Seq.map change right.After.Code)),
                    ImmutableArray.CreateRange(
                        right.Cuts
                        |> Seq.map (fun cut ->
                            CutPoint(cut.Before, cut.After, ImmutableArray.CreateRange(claims cut.Claims)))
                    )
                )
                |> validate program added

            wrong id id |> expectProved

            wrong
                (fun i ->
                    if i.Opcode = Opcode.SUB_REG then
                        TranslatedInstruction(i.Opcode, i.A, i.C, i.B, i.Source, i.Charges, i.JumpCharges)
                    else
                        i)
                id
            |> expectRefused "its operands"

            wrong
                (fun i ->
                    if i.Opcode = Opcode.SUB_REG then
                        TranslatedInstruction(i.Opcode, i.A, i.B, i.C, i.Source, ImmutableArray.Empty, i.JumpCharges)
                    else
                        i)
                id
            |> expectRefused "charges"

            wrong id (Seq.filter (fun claim -> not (claim :? Claim.Home))) |> expectRefused ""

            wrong id (Seq.filter (fun claim -> not (claim :? Claim.Held))) |> expectRefused ""
        }

        test "a constant is propagated around a loop by its claim" {
            pass loop (at 6 (become Opcode.LOAD_CONST 0L 0L)) xIsFive |> validate loop [] |> expectProved
        }

        test "without the claim it is refused" {
            pass loop (at 6 (become Opcode.LOAD_CONST 0L 0L)) (fun _ -> [])
            |> validate loop []
            |> expectRefused "operands"
        }

        test "a claim that the loop does not keep is refused" {
            let claims at : Claim list =
                if at = 0 then [] else [ Claim.Constant(variable 1, 1) ]

            pass loop id claims |> validate loop [] |> expectRefused "holds the constant"
        }

        test "a claim that does not hold at the entry is refused" {
            let program = assemble ".func main() locals a\n LOAD_NAME a\n RETURN\n.end"

            pass program id (fun _ -> [ Claim.OfKind(variable 0, KindSet.Int) ])
            |> validate program []
            |> expectRefused "need not be of kind"
        }

        test "kinds are claimed around a loop, and arithmetic is computed on them" {
            let claims at : Claim list =
                if at = 0 then
                    []
                else
                    [ Claim.OfKind(variable 1, KindSet.Int); Claim.Constant(variable 0, 0) ]

            // `i - 1 - 5` with the charges of both as they are.
            pass loop (at 6 (become Opcode.LOAD_CONST 0L 0L)) claims |> validate loop [] |> expectProved
        }

        test "a store that only a handler reads is no dead store" {
            pass handler (at 1 (become Opcode.NOP 0L 0L)) (fun _ -> [])
            |> validate handler []
            |> expectRefused "variable y differs"

            pass handler (at 1 (become Opcode.NOP 0L 0L)) (fun at -> if at = 0 then [] else [ dead 1 ])
            |> validate handler []
            |> expectRefused "value returned"
        }

        test "a store that nothing reads is one" {
            let program =
                assemble
                    """
                    .func main() locals x, y
                        SETUP_TRY caught
                        STORE_CONST y, 1
                        LOAD_NAME x
                        LOAD_CONST "s"
                        INDEX
                        POP
                        POP_TRY
                        LOAD_NAME x
                        RETURN
                    caught:
                        STORE_NAME x
                        LOAD_NAME x
                        RETURN
                    .end
                    """

            pass program (at 1 (become Opcode.NOP 0L 0L)) (fun at -> if at = 0 then [] else [ dead 1 ])
            |> validate program []
            |> expectProved

            // The charge goes with the store.
            let unpaid i =
                TranslatedInstruction(
                    Opcode.NOP,
                    0L,
                    0L,
                    0L,
                    (i: TranslatedInstruction).Source,
                    ImmutableArray.Empty,
                    ImmutableArray.Empty
                )

            pass program (at 1 unpaid) (fun at -> if at = 0 then [] else [ dead 1 ])
            |> validate program []
            |> expectRefused "charges"
        }

        test "a charge may not move across an event" {
            let moved (code: TranslatedInstruction[]) =
                let print = code[10]
                let load = code[9]

                code
                |> at 9 (fun i ->
                    TranslatedInstruction(
                        i.Opcode,
                        i.A,
                        0L,
                        0L,
                        i.Source,
                        load.Charges.AddRange print.Charges,
                        ImmutableArray.Empty
                    ))
                |> at 10 (fun i ->
                    TranslatedInstruction(i.Opcode, 0L, 0L, 0L, i.Source, ImmutableArray.Empty, ImmutableArray.Empty))

            // LOAD_NAME and PRINT: nothing lies between their charges.
            pass loop moved (fun _ -> []) |> validate loop [] |> expectProved

            let across (code: TranslatedInstruction[]) =
                let jump = code[11]

                code
                |> at 10 (fun i ->
                    TranslatedInstruction(
                        i.Opcode,
                        0L,
                        0L,
                        0L,
                        i.Source,
                        i.Charges.AddRange jump.Charges,
                        ImmutableArray.Empty
                    ))
                |> at 11 (fun i ->
                    TranslatedInstruction(i.Opcode, i.A, 0L, 0L, i.Source, ImmutableArray.Empty, ImmutableArray.Empty))

            pass loop across (fun _ -> []) |> validate loop [] |> expectRefused "charge"
        }

        test "a NOP gives its charges to whatever stands behind it" {
            for info in InstructionSet.Rows do
                if info.Status = Status.Specified then
                    // One of everything that it may name, on a stack that is high enough; what it jumps to is the end.
                    let operand (position: int) =
                        if position >= info.Operands.Length then
                            0L
                        else
                            match info.Operands[position].Kind with
                            | OperandKind.Target -> 10L
                            | OperandKind.Results -> 1L
                            | OperandKind.Constant
                            | OperandKind.Name
                            | OperandKind.Function
                            | OperandKind.Register
                            | OperandKind.Count
                            | OperandKind.Amount -> 0L

                    let numbered = Instruction.Of(info.Number, operand 0, operand 1, operand 2)
                    let push = Instruction.Of(InstructionSet.Of(Opcode.LOAD_NAME).Number, 0L, 0L, 0L)
                    let nop = Instruction.Of(InstructionSet.Of(Opcode.NOP).Number, 0L, 0L, 0L)

                    let program = {
                        Constants = [| Data.Int 1I |]
                        Names = [| "x" |]
                        Functions = [|
                            {
                                Name = "main"
                                Parameters = [||]
                                Locals = [| "x" |]
                                Captures = [||]
                                Code = [| push; push; push; push; nop; numbered; nop; nop; nop; nop |]
                            }
                        |]
                    }

                    let asItIs = TranslatedProgram.Of(program).Functions[0].Code

                    let charged at (charges: (int * int) list) =
                        let i = asItIs[at]

                        TranslatedInstruction(
                            i.Opcode,
                            i.A,
                            i.B,
                            i.C,
                            i.Source,
                            ImmutableArray.CreateRange [
                                for source, gas in charges -> Charge(source, Amount.Fixed(bigint gas))
                            ],
                            ImmutableArray.Empty
                        )

                    let code first second =
                        TranslatedFunction(asItIs.SetItem(4, first).SetItem(5, second))

                    let before = code (charged 4 [ 4, 7; 3, 2 ]) (charged 5 [ 5, 3 ])

                    let move after =
                        Transformation(
                            0,
                            "settle",
                            before,
                            after,
                            ImmutableArray.CreateRange [
                                CutPoint(0, 0, ImmutableArray.Empty)
                                CutPoint(10, 10, ImmutableArray.Empty)
                            ]
                        )

                    move (code (charged 4 []) (charged 5 [ 4, 7; 3, 2; 5, 3 ])) |> validate program [] |> expectProved

                    // In another order they are others.
                    move (code (charged 4 []) (charged 5 [ 5, 3; 4, 7; 3, 2 ]))
                    |> validate program []
                    |> expectRefused "charge"
        }

        test "what a captured variable holds is compared at every event, not at the first only" {
            let program =
                assemble
                    """
                    .func main() locals x
                        STORE_FUNC f, shows
                        CALL_NAME f, 0
                        POP
                        STORE_CONST x, 1
                        CALL_NAME f, 0
                        POP
                        STORE_CONST x, 2
                    .end
                    .func shows() captures x
                        LOAD_NAME x
                        PRINT
                    .end
                    """

            pass program id (fun _ -> []) |> validate program [] |> expectProved

            pass program (at 3 (become Opcode.STORE_CONST 1L 1L)) (fun _ -> [])
            |> validate program []
            |> expectRefused "what other functions reach"

            pass program (at 6 (become Opcode.STORE_CONST 1L 0L)) (fun _ -> [])
            |> validate program []
            |> expectRefused "what other functions reach"
        }

        test "another order of events is refused" {
            let program =
                assemble ".func main()\n LOAD_CONST 1\n PRINT\n LOAD_CONST 2\n PRINT\n.end"

            pass program (at 0 (become Opcode.LOAD_CONST 1L 0L) >> at 2 (become Opcode.LOAD_CONST 0L 0L)) (fun _ -> [])
            |> validate program []
            |> expectRefused "operands"
        }

        test "a cycle without a cut point is refused" {
            let whole = pass loop id (fun _ -> [])

            Transformation(0, "trial", whole.Before, whole.After, ImmutableArray.Create whole.Cuts[0])
            |> validate loop []
            |> expectRefused "without a cut point"
        }
    ]
