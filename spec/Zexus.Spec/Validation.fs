/// Which programs load: docs/semantics.md, section 1. The first problem in the order of that section is the one that is reported.
module Zexus.Spec.Validation

open System
open Zexus.Isa

let private refuse reason func index =
    Some {
        Reason = reason
        Function = func
        Index = index
    }

let private isWellFormed (s: string) =
    let rec go i =
        if i = s.Length then
            true
        elif Char.IsHighSurrogate s[i] then
            i + 1 < s.Length && Char.IsLowSurrogate s[i + 1] && go (i + 2)
        else
            not (Char.IsLowSurrogate s[i]) && go (i + 1)

    go 0

/// The first of a sequence of questions that has an answer.
let private firstOf (checks: (unit -> 'a option) list) =
    checks |> List.tryPick (fun check -> check ())

// Constants.

let private normalKey (key: Data) =
    match key with
    | Data.Null -> Some Key.Null
    | Data.Bool b -> Some(Key.Whole(if b then 1I else 0I))
    | Data.Int n -> Some(Key.Whole n)
    | Data.Float x when Double.IsNaN x -> None
    | Data.Float x when Double.IsInteger x -> Some(Key.Whole(bigint x))
    | Data.Float x -> Some(Key.Fraction x)
    | Data.String s -> Some(Key.Text s)
    | Data.List _
    | Data.Map _
    | Data.Set _ -> None

let rec private constantProblem (limits: Limits) depth (data: Data) : RefusalReason option =
    let collection count children =
        if count > limits.CollectionLength then
            Some RefusalReason.ConstantTooLarge
        elif depth >= limits.Nesting then
            Some RefusalReason.ConstantTooDeep
        else
            children ()

    match data with
    | Data.Null
    | Data.Bool _ -> None
    | Data.Int n ->
        if Numbers.bits n > bigint limits.IntegerBits then
            Some RefusalReason.ConstantTooLarge
        else
            None
    | Data.Float x ->
        if Double.IsNaN x && BitConverter.DoubleToInt64Bits x <> BitConverter.DoubleToInt64Bits Numbers.nan then
            Some RefusalReason.BadNaN
        else
            None
    | Data.String s ->
        // A String is longer than the limit by its scalars; an unpaired surrogate would make these meaningless.
        if not (isWellFormed s) then
            Some RefusalReason.BadString
        elif Text.length s > limits.StringLength then
            Some RefusalReason.ConstantTooLarge
        else
            None
    | Data.List items -> collection items.Length (fun () -> items |> Array.tryPick (constantProblem limits (depth + 1)))
    | Data.Map entries ->
        collection entries.Length (fun () ->
            keyedProblem limits depth [ for entry in entries -> entry.Key, Some entry.Value ])
    | Data.Set items ->
        collection items.Length (fun () -> keyedProblem limits depth [ for item in items -> item, None ])

and private keyedProblem limits depth entries =
    let rec go seen entries =
        match entries with
        | [] -> None
        | (key, value) :: rest ->
            match normalKey key with
            | None -> Some RefusalReason.BadKey
            | Some normal ->
                match constantProblem limits (depth + 1) key with
                | Some reason -> Some reason
                | None when Set.contains normal seen -> Some RefusalReason.BadKey
                | None ->
                    match value |> Option.bind (constantProblem limits (depth + 1)) with
                    | Some reason -> Some reason
                    | None -> go (Set.add normal seen) rest

    go Set.empty entries

// Functions.

let private variables (f: FunctionDefinition) =
    Array.concat [ f.Parameters; f.Locals; f.Captures ]

let private variableProblem index (f: FunctionDefinition) =
    let names = variables f

    let rec go position seen =
        if position = names.Length then
            None
        elif not (isWellFormed names[position]) then
            refuse RefusalReason.BadString index position
        elif Set.contains names[position] seen then
            refuse RefusalReason.DuplicateVariable index position
        else
            go (position + 1) (Set.add names[position] seen)

    match go 0 Set.empty with
    | Some problem -> Some problem
    | None when names.Length > Limits.Variables -> refuse RefusalReason.TooManyVariables index Limits.Variables
    | None -> None

let private operandProblem (program: Program) (code: Instruction[]) (kind: OperandKind) (operand: int64) =
    let within least most reason =
        if operand < int64 least || operand > int64 most then
            Some reason
        else
            None

    match kind with
    | OperandKind.Constant -> within 0 (program.Constants.Length - 1) RefusalReason.OperandOutOfRange
    | OperandKind.Name -> within 0 (program.Names.Length - 1) RefusalReason.OperandOutOfRange
    | OperandKind.Function -> within 0 (program.Functions.Length - 1) RefusalReason.OperandOutOfRange
    | OperandKind.Register -> within 0 (Limits.Registers - 1) RefusalReason.OperandOutOfRange
    | OperandKind.Count -> within 0 Limits.OperandStackHeight RefusalReason.OperandOutOfRange
    | OperandKind.Results -> within 1 2 RefusalReason.OperandOutOfRange
    | OperandKind.Target -> within 0 code.Length RefusalReason.JumpOutOfRange
    | OperandKind.Amount ->
        if operand < 0L then
            Some RefusalReason.NegativeGas
        else
            None

let private operandOf (i: Instruction) (position: int) =
    match position with
    | 0 -> i.A
    | 1 -> i.B
    | 2 -> i.C
    | other -> invalidOp ("An instruction has no operand " + string other + ".")

/// The sum of what the operands of an instruction contribute, each by its kind.
let private sumOperands (info: OpcodeInfo) (i: Instruction) (contribution: OperandKind -> int64 -> int64) =
    let rec go position sum =
        if position = info.Operands.Length then
            sum
        else
            go (position + 1) (sum + contribution info.Operands[position].Kind (operandOf i position))

    go 0 0L

let private isReserved number =
    InstructionSet.Reserved |> Seq.exists (fun reserved -> reserved.Number = number)

/// The function that an instruction makes or calls, whose captures must be variables here.
let private namedFunction (opcode: Opcode) (i: Instruction) =
    if opcode = Opcode.STORE_FUNC then Some(int i.B)
    elif opcode = Opcode.CALL_FUNC_CONST then Some(int i.A)
    else None

let private instructionProblem (program: Program) index (f: FunctionDefinition) position =
    let i = f.Code[position]
    let at reason = refuse reason index position

    match InstructionSet.TryFind i.Number with
    | false, _ ->
        at (
            if isReserved i.Number then
                RefusalReason.ReservedOpcode
            else
                RefusalReason.UnknownOpcode
        )
    | true, info ->
        match info.Status with
        | Status.NotYetSpecified -> at RefusalReason.UnspecifiedOpcode
        | Status.Specified ->
            let rec fromOperands operand =
                if operand = info.Operands.Length then
                    None
                else
                    match operandProblem program f.Code info.Operands[operand].Kind (operandOf i operand) with
                    | Some reason -> at reason
                    | None -> fromOperands (operand + 1)

            let fromCaptures () =
                namedFunction info.Opcode i
                |> Option.bind (fun named ->
                    let own = variables f

                    if program.Functions[named].Captures |> Array.forall (fun name -> Array.contains name own) then
                        None
                    else
                        at RefusalReason.UnresolvedCapture)

            firstOf [ (fun () -> fromOperands 0); fromCaptures ]

// Stack discipline.

let private countOperand (info: OpcodeInfo) (i: Instruction) =
    sumOperands info i (fun kind value ->
        match kind with
        | OperandKind.Count
        | OperandKind.Results -> value
        | OperandKind.Constant
        | OperandKind.Name
        | OperandKind.Function
        | OperandKind.Target
        | OperandKind.Register
        | OperandKind.Amount -> 0L)
    |> int

/// Where execution can go on, and the height there: the next instruction before the target.
let private successors (info: OpcodeInfo) (i: Instruction) position height =
    match info.Flow with
    | Flow.Next -> [ position + 1, height ]
    | Flow.Jump -> [ int i.A, height ]
    | Flow.Branch -> [ position + 1, height; int i.A, height ]
    | Flow.Try -> [ position + 1, height; int i.A, height + 1 ]
    | Flow.Leave -> []

let private stackProblem index (f: FunctionDefinition) =
    let rec settle heights next =
        match next with
        | [] -> Ok heights
        | (target, height) :: rest ->
            let pending, known = heights

            if target = f.Code.Length then
                settle heights rest
            else
                match Map.tryFind target known with
                | None -> settle (Set.add target pending, Map.add target height known) rest
                | Some same when same = height -> settle heights rest
                | Some _ -> Error(refuse RefusalReason.StackMismatch index target)

    let rec go (pending, known) =
        if Set.isEmpty pending then
            None
        else
            let position = Set.minElement pending
            let height = Map.find position known
            let i = f.Code[position]
            let _, info = InstructionSet.TryFind i.Number
            let n = countOperand info i
            let below = height - (info.Effect.Pops + info.Effect.PopsPerCount * n)
            let after = below + info.Effect.Pushes + info.Effect.PushesPerCount * n
            let next = successors info i position after

            if below < 0 then
                refuse RefusalReason.StackUnderflow index position
            elif
                after > Limits.OperandStackHeight
                || next |> List.exists (fun (_, h) -> h > Limits.OperandStackHeight)
            then
                refuse RefusalReason.StackOverflow index position
            else
                match settle (Set.remove position pending, known) next with
                | Ok heights -> go heights
                | Error problem -> problem

    if f.Code.Length = 0 then
        None
    else
        go (Set.singleton 0, Map.ofList [ 0, 0 ])

// The whole.

let private problem (limits: Limits) (program: Program) =
    let eachFunction check () =
        program.Functions |> Seq.indexed |> Seq.tryPick (fun (index, f) -> check index f)

    let names () =
        program.Names
        |> Seq.indexed
        |> Seq.tryPick (fun (index, name) ->
            if isWellFormed name then
                None
            else
                refuse RefusalReason.BadString -1 index)

    firstOf [
        fun () ->
            if program.Functions.Length = 0 then
                refuse RefusalReason.NoEntry -1 0
            else
                None
        fun () ->
            program.Constants
            |> Seq.indexed
            |> Seq.tryPick (fun (index, data) ->
                constantProblem limits 0 data |> Option.bind (fun reason -> refuse reason -1 index))
        names
        eachFunction (fun index f ->
            if isWellFormed f.Name then
                None
            else
                refuse RefusalReason.BadString index 0)
        eachFunction variableProblem
        fun () ->
            let entry = program.Functions[0]

            if entry.Parameters.Length + entry.Captures.Length > 0 then
                refuse RefusalReason.BadEntry 0 0
            else
                None
        eachFunction (fun index f -> seq { 0 .. f.Code.Length - 1 } |> Seq.tryPick (instructionProblem program index f))
        eachFunction stackProblem
    ]

// What the machine needs of an accepted program.

let private amountOperand (info: OpcodeInfo) (i: Instruction) =
    sumOperands info i (fun kind value ->
        match kind with
        | OperandKind.Amount -> value
        | OperandKind.Constant
        | OperandKind.Name
        | OperandKind.Function
        | OperandKind.Target
        | OperandKind.Count
        | OperandKind.Results
        | OperandKind.Register -> 0L)

let private loadInstruction (program: Program) (own: string[]) (index: int) (i: Instruction) =
    let _, info = InstructionSet.TryFind i.Number
    let amount = amountOperand info i

    let charge =
        bigint (info.Gas + info.GasPerCount * countOperand info i) + bigint amount

    {
        Opcode = info.Opcode
        Info = info
        // An amount is in the charges and may be too large for an operand of a rule.
        A = (if amount = 0L then int i.A else 0)
        B = int i.B
        C = int i.C
        Source = index
        Rule = info.Rule
        JumpCharges = []
        Charges =
            if charge.IsZero then
                []
            else
                [
                    {
                        Source = index
                        Rule = info.Rule
                        Amount = Amount.Fixed(Int.Known charge)
                    }
                ]
        Captures =
            namedFunction info.Opcode i
            |> Option.map (fun named -> [ for name in program.Functions[named].Captures -> Array.IndexOf(own, name) ])
            |> Option.defaultValue []
    }

let private loadFunction (program: Program) (f: FunctionDefinition) =
    let own = variables f
    let code = f.Code |> Array.mapi (loadInstruction program own)
    let captured = code |> Seq.collect _.Captures |> Set.ofSeq
    let ownCaptures = own.Length - f.Captures.Length

    {
        Definition = f
        Code = code
        Reach =
            program.Names
            |> Array.map (fun name ->
                match Array.IndexOf(own, name) with
                | -1 -> Variable.Global name
                | slot -> Variable.Slot slot)
        IsShared = Array.init own.Length (fun slot -> slot >= ownCaptures || Set.contains slot captured)
    }

/// A program that may run, or the first reason why it may not.
let validate (limits: Limits) (program: Program) : Result<Loaded, Refusal> =
    match problem limits program with
    | Some refusal -> Error refusal
    | None ->
        Ok {
            Program = program
            Limits = limits
            Constants = program.Constants |> Array.map Plain.ofData
            Functions = program.Functions |> Array.map (loadFunction program)
        }
