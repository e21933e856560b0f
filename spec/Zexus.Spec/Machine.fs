/// The machine: which rule an instruction has, what a step is, and how an execution ends.
module Zexus.Spec.Machine

open System
open System.Text
open Zexus.Isa
open Zexus.Spec.Rules

/// How an execution ended.
[<RequireQualifiedAccess>]
type Ending =
    | Completed of Value
    /// The fault, its value, the rule that raised it, and the instruction of the source program.
    | Faulted of fault: Fault * value: Value * rule: string * func: int * instruction: int

[<RequireQualifiedAccess>]
type Step =
    | Running of State
    | Finished of State * Ending
    /// An operation that the terms cannot express; never on known values.
    | Opaque of operation: string * operands: Value list * State

/// What the rules, the gas and the traces say for the end of a function's code.
[<Literal>]
let EndRule = "control/end"

/// The rule, then to the next instruction.
let private andNext (body: Rule<unit>) : Rule<unit> =
    rule {
        do! body
        do! next
    }

let private unspecified (i: LoadedInstruction) : Rule<unit> =
    invalidOp (i.Info.Mnemonic + " has no rule yet; validation refuses it.")

let private take (c: Charge) : Rule<unit> =
    rule {
        do! actFor c.Source c.Rule
        let! amount = amountOf c.Amount
        do! charge amount
    }

/// The rule of an instruction, without the charges before it.
let body (i: LoadedInstruction) : Rule<unit> =
    match i.Opcode with
    | Opcode.LOAD_CONST -> andNext (Names.LOAD_CONST i.A)
    | Opcode.LOAD_NAME -> andNext (Names.LOAD_NAME i.A)
    | Opcode.STORE_NAME -> andNext (Names.STORE_NAME i.A)
    | Opcode.STORE_FUNC -> andNext (Names.STORE_FUNC i.A i.B i.Captures)
    | Opcode.POP -> andNext Names.POP
    | Opcode.DUP -> andNext Names.DUP
    | Opcode.STORE_CONST -> andNext (Names.STORE_CONST i.A i.B)
    | Opcode.INC -> andNext Arithmetic.INC
    | Opcode.DEC -> andNext Arithmetic.DEC
    | Opcode.ADD -> andNext Arithmetic.ADD
    | Opcode.SUB -> andNext Arithmetic.SUB
    | Opcode.MUL -> andNext Arithmetic.MUL
    | Opcode.DIV -> andNext Arithmetic.DIV
    | Opcode.MOD -> andNext Arithmetic.MOD
    | Opcode.POW -> andNext Arithmetic.POW
    | Opcode.NEG -> andNext Arithmetic.NEG
    | Opcode.EQ -> andNext Comparison.EQ
    | Opcode.NEQ -> andNext Comparison.NEQ
    | Opcode.LT -> andNext Comparison.LT
    | Opcode.GT -> andNext Comparison.GT
    | Opcode.LTE -> andNext Comparison.LTE
    | Opcode.GTE -> andNext Comparison.GTE
    | Opcode.AND -> andNext Comparison.AND
    | Opcode.OR -> andNext Comparison.OR
    | Opcode.NOT -> andNext Comparison.NOT
    | Opcode.JUMP -> Control.JUMP i.A
    | Opcode.JUMP_IF_FALSE -> Control.JUMP_IF_FALSE i.A (forEach take i.JumpCharges)
    | Opcode.JUMP_IF_TRUE -> Control.JUMP_IF_TRUE i.A (forEach take i.JumpCharges)
    | Opcode.RETURN -> Calls.RETURN
    | Opcode.CALL_NAME -> Calls.CALL_NAME i.A i.B
    | Opcode.CALL_FUNC_CONST -> Calls.CALL_FUNC_CONST i.A i.B i.Captures
    | Opcode.CALL_TOP -> Calls.CALL_TOP i.A
    | Opcode.CALL_BUILTIN -> Calls.CALL_BUILTIN i.A i.B
    | Opcode.CALL_METHOD -> Calls.CALL_METHOD i.A i.B
    | Opcode.BUILD_LIST -> andNext (Collections.BUILD_LIST i.A)
    | Opcode.BUILD_MAP -> andNext (Collections.BUILD_MAP i.A)
    | Opcode.BUILD_SET -> andNext (Collections.BUILD_SET i.A)
    | Opcode.INDEX -> andNext Collections.INDEX
    | Opcode.SLICE -> andNext Collections.SLICE
    | Opcode.GET_ATTR -> andNext Collections.GET_ATTR
    | Opcode.GET_LENGTH -> andNext Collections.GET_LENGTH
    | Opcode.REGISTER_EVENT -> andNext (Chain.REGISTER_EVENT i.A i.B)
    | Opcode.EMIT_EVENT -> Chain.EMIT_EVENT i.A
    | Opcode.HASH_BLOCK -> andNext Chain.HASH_BLOCK
    | Opcode.VERIFY_SIGNATURE -> andNext Chain.VERIFY_SIGNATURE
    | Opcode.MERKLE_ROOT -> andNext (Chain.MERKLE_ROOT i.A)
    | Opcode.STATE_READ -> andNext Chain.STATE_READ
    | Opcode.STATE_WRITE -> andNext Chain.STATE_WRITE
    | Opcode.TX_BEGIN -> andNext Chain.TX_BEGIN
    | Opcode.TX_COMMIT -> andNext Chain.TX_COMMIT
    | Opcode.TX_REVERT -> andNext Chain.TX_REVERT
    | Opcode.GAS_CHARGE -> andNext Chain.GAS_CHARGE
    | Opcode.LEDGER_APPEND -> andNext Chain.LEDGER_APPEND
    | Opcode.REQUIRE -> andNext Control.REQUIRE
    | Opcode.AUDIT_LOG -> andNext Chain.AUDIT_LOG
    | Opcode.SETUP_TRY -> andNext (Control.SETUP_TRY i.A)
    | Opcode.POP_TRY -> andNext Control.POP_TRY
    | Opcode.THROW -> Control.THROW
    | Opcode.FOR_ITER -> andNext (Collections.FOR_ITER i.A)
    | Opcode.LOAD_REG -> andNext (Registers.LOAD_REG i.A i.B)
    | Opcode.LOAD_VAR_REG -> andNext (Registers.LOAD_VAR_REG i.A i.B)
    | Opcode.STORE_REG -> andNext (Registers.STORE_REG i.A i.B)
    | Opcode.MOV_REG -> andNext (Registers.MOV_REG i.A i.B)
    | Opcode.ADD_REG -> andNext (Registers.ADD_REG i.A i.B i.C)
    | Opcode.SUB_REG -> andNext (Registers.SUB_REG i.A i.B i.C)
    | Opcode.MUL_REG -> andNext (Registers.MUL_REG i.A i.B i.C)
    | Opcode.DIV_REG -> andNext (Registers.DIV_REG i.A i.B i.C)
    | Opcode.MOD_REG -> andNext (Registers.MOD_REG i.A i.B i.C)
    | Opcode.POW_REG -> andNext (Registers.POW_REG i.A i.B i.C)
    | Opcode.NEG_REG -> andNext (Registers.NEG_REG i.A i.B)
    | Opcode.EQ_REG -> andNext (Registers.EQ_REG i.A i.B i.C)
    | Opcode.NEQ_REG -> andNext (Registers.NEQ_REG i.A i.B i.C)
    | Opcode.LT_REG -> andNext (Registers.LT_REG i.A i.B i.C)
    | Opcode.GT_REG -> andNext (Registers.GT_REG i.A i.B i.C)
    | Opcode.LTE_REG -> andNext (Registers.LTE_REG i.A i.B i.C)
    | Opcode.GTE_REG -> andNext (Registers.GTE_REG i.A i.B i.C)
    | Opcode.AND_REG -> andNext (Registers.AND_REG i.A i.B i.C)
    | Opcode.OR_REG -> andNext (Registers.OR_REG i.A i.B i.C)
    | Opcode.NOT_REG -> andNext (Registers.NOT_REG i.A i.B)
    | Opcode.PUSH_REG -> andNext (Registers.PUSH_REG i.A)
    | Opcode.POP_REG -> andNext (Registers.POP_REG i.A)
    | Opcode.PRINT -> andNext Control.PRINT
    | Opcode.NOP -> andNext Control.NOP
    | Opcode.SPAWN
    | Opcode.AWAIT
    | Opcode.SPAWN_CALL
    | Opcode.FORK_EXECUTION
    | Opcode.JOIN_WORKERS
    | Opcode.PARALLEL_MAP
    | Opcode.BARRIER_SYNC
    | Opcode.SHARED_READ
    | Opcode.SHARED_WRITE -> unspecified i

/// A whole instruction: its charges in order, then its rule.
let instruction (i: LoadedInstruction) : Rule<unit> =
    rule {
        do! forEach take i.Charges
        do! actFor i.Source i.Rule
        do! body i
    }

let private endOfCode: Rule<unit> =
    rule {
        let! source =
            read (fun s -> s.Loaded.Functions[s.Frame.Function].Definition.Code.Length)

        do! actFor source EndRule
        do! Calls.END
    }

/// The instruction that the next step executes; none at the end of the code.
let current (s: State) : LoadedInstruction option =
    let code = s.Loaded.Functions[s.Frame.Function].Code

    if s.Frame.Instruction < code.Length then
        Some code[s.Frame.Instruction]
    else
        None

/// The world when a contract's execution returns: open transactions are reverted.
let private settled (s: State) =
    match List.tryLast s.Transactions with
    | Some(_, before) -> before
    | None -> s.World

/// The name of a fault as a branch of the rule that raises it.
let branchOfFault (fault: Fault) =
    match fault with
    | Fault.Thrown -> "thrown"
    | Fault.RequireFailed -> "require-failed"
    | Fault.TypeMismatch -> "type-mismatch"
    | Fault.DivisionByZero -> "division-by-zero"
    | Fault.Domain -> "domain"
    | Fault.UndefinedFunction -> "undefined-function"
    | Fault.Reentrancy -> "reentrancy"
    | Fault.OutOfGas -> "out-of-gas"
    | Fault.CallTooDeep -> "call-too-deep"
    | Fault.IntegerTooLarge -> "integer-too-large"
    | Fault.StringTooLong -> "string-too-long"
    | Fault.CollectionTooLarge -> "collection-too-large"
    | Fault.TooDeep -> "too-deep"

let private worldAtStart (context: Context) = {
    State = context.State
    Called = Map.empty
    Ledger = []
    Events = []
    Registrations = Map.empty
}

/// What an outcome of a step's rule makes of the execution: a handler catches, the frame that returned was the last, or it goes on.
/// A contract that was called gives what it came to to the one that waits for it, within the step.
let rec finish (outcome: Outcome<unit>) : Step list =
    match outcome with
    | Outcome.Ok((), s) ->
        match s.Returned, s.Waiting with
        | None, _ -> [ Step.Running s ]
        | Some value, caller :: outer -> Contracts.returned caller outer (settled s) value s |> List.collect finish
        | Some value, [] -> [
            Step.Finished(
                {
                    s with
                        Rest.Effects.World = settled s
                        Rest.Effects.Transactions = []
                },
                Ending.Completed value
            )
          ]
    | Outcome.Fault(fault, value, s) ->
        let s = {
            s with
                Reached = (s.Rule, branchOfFault fault) :: s.Reached
        }

        match Control.catch fault value s, s.Waiting with
        | Some caught, _ -> [ Step.Running caught ]
        | None, caller :: outer -> Contracts.failed caller outer fault value s |> List.collect finish
        | None, [] -> [
            Step.Finished(
                {
                    s with
                        Rest.Effects.World = worldAtStart s.Context
                        Rest.Effects.Transactions = []
                },
                Ending.Faulted(fault, value, s.Rule, s.Frame.Function, s.Frame.Source)
            )
          ]
    | Outcome.Opaque(operation, operands, s) -> [ Step.Opaque(operation, operands, s) ]

/// The rule of the next step: the current instruction's, or the end of the code's.
let stepRule: Rule<unit> =
    fun s ->
        match current s with
        | Some i -> instruction i s
        | None -> endOfCode s

/// Every way in which one step can go; exactly one when everything is known.
let steps (s: State) : Step list =
    stepRule { s with Reached = [] } |> List.collect finish

/// One step on known values.
let step (s: State) : Step =
    match steps s with
    | [ one ] -> one
    | many -> invalidOp ("A step on known values has " + string many.Length + " outcomes.")

/// The state before the first step.
let start (loaded: Loaded) (context: Context) : State =
    let blank = {
        Function = 0
        Instruction = 0
        Source = 0
        Stack = []
        Height = 0
        Variables = Collections.Immutable.ImmutableArray.Empty
        Registers = Collections.Immutable.ImmutableArray.Empty
        Handlers = []
    }

    let s = {
        Frame = blank
        GasUsed = Int.zero
        Rule = EndRule
        Reached = []
        Rest = {
            Setup = {
                Loaded = loaded
                Context = context
                Block = {
                    Timestamp = Int.Known context.Timestamp
                    Height = Int.Known context.Height
                    Caller = Str.Known context.Caller
                }
                IntegerBound = Int.Known(1I <<< loaded.Limits.IntegerBits)
                StringBound = Int.ofInt loaded.Limits.StringLength
                CollectionBound = Int.ofInt loaded.Limits.CollectionLength
                StateIsOpen = false
            }
            Callers = []
            Depth = 1
            Waiting = []
            Heap = Heap.empty
            Globals = Map.empty
            Effects = {
                World = worldAtStart context
                Transactions = []
                Begun = 0
                Audit = []
                Output = []
                HostCalls = 0
            }
            Knowledge = { Path = []; Kinds = Map.empty }
            Returned = None
        }
    }

    let entry = context.Entry

    if loaded.Functions[entry.Function].Definition.Captures.Length > 0 then
        invalidArg (nameof context) "A function that captures variables is no entry."

    let frame =
        rule {
            let! arguments = entry.Arguments |> Traversals.collect Traversals.build
            return! Frames.newFrame entry.Function arguments []
        }

    match frame s with
    | [ Outcome.Ok(frame, s) ] -> { s with Frame = frame }
    | _ -> invalidOp "The entry frame is one frame."

/// Step until the end, on known values.
let run (s: State) : State * Ending =
    let rec go s =
        match step s with
        | Step.Running s -> go s
        | Step.Finished(s, ending) -> s, ending
        | Step.Opaque(operation, _, _) -> invalidOp ("The operation " + operation + " on known values is opaque.")

    go s

/// The output so far, on known values.
let output (s: State) : string =
    let text = StringBuilder()

    for piece in List.rev s.Output do
        match piece with
        | Str.Known line -> text.Append line |> ignore
        | Str.Symbolic _ -> invalidOp "The output of known values is known."

    text.ToString()
