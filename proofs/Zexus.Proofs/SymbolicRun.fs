/// Symbolic runs that go on where a rule would have to look inside something unknown. Such an instruction is an event: what it pushes, the
/// gas it takes while it acts, and whether it faults are unknown, but the same on two sides that come to it alike: the same instruction
/// for the same source, on the same operands, in the same state, after the same events. So results are named by how many events came before.
module Zexus.Proofs.SymbolicRun

open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Rules
open Zexus.Proofs.Equivalence

/// A charge on the way, where an execution may run out of gas: then no more is seen of it than this.
type Toll = {
    /// Gas used before the charge.
    Used: Int
    /// When it does not fit.
    Condition: BoolTerm
    Source: int
    Rule: string
    /// Events before it.
    Events: int
    /// Pieces of output and audit entries before it: they outlast it.
    Lasting: int * int
}

type Event = {
    Instruction: LoadedInstruction
    /// What it takes off the operand stack, top first, or reads from registers.
    Operands: Value list
    /// When its charges have been taken, and its operands.
    At: State
}

/// A path so far. The path conditions of its state are decisions about data; those about gas are tolls.
type Run = {
    State: State
    /// Newest first.
    Tolls: Toll list
    /// Newest first.
    Events: Event list
}

[<RequireQualifiedAccess>]
type Next =
    | On of Run
    /// Before any handler is looked for.
    | Fault of Fault * Value * Run
    /// A fault inside an event that can be caught; which one is unknown.
    | EventFault of Value * Run
    /// It looks inside something unknown, and is not to be taken for an event.
    | Blind of operation: string * Run

let startOf (s: State) : Run = { State = s; Tolls = []; Events = [] }

// Tolls.

let private isNothing (toll: Toll) =
    match toll.Condition with
    | BoolTerm.Not(BoolTerm.Not(BoolTerm.IntLess(_, IntTerm.Add(_, IntTerm.Constant n)))) -> n.IsZero
    | _ -> false

/// The outcomes of a rule but for those that run out of gas: they are tolls of the paths that go on from there.
let private tolled (r: Run) (outcomes: Outcome<unit> list) : (Outcome<unit> * Run) list =
    let known = List.length r.State.Path

    let stateOf outcome =
        match outcome with
        | Outcome.Ok((), s)
        | Outcome.Fault(_, _, s)
        | Outcome.Opaque(_, _, s) -> s

    /// What was decided since, oldest first.
    let decided (s: State) =
        s.Path |> List.truncate (List.length s.Path - known) |> List.rev |> Array.ofList

    let starved = [
        for outcome in outcomes do
            match outcome with
            | Outcome.Fault(Fault.OutOfGas, _, s) when s.Path.Length > known -> decided s, s
            | Outcome.Ok _
            | Outcome.Fault _
            | Outcome.Opaque _ -> ()
    ]

    // The path shares all of the other's decisions but the last, which it took the other way.
    let passes (mine: BoolTerm[]) (s: State) (theirs: BoolTerm[], t: State) =
        let last = theirs.Length - 1

        mine.Length > last
        && mine[last] = opposite theirs[last]
        && Array.forall2 (=) (Array.truncate last mine) (Array.truncate last theirs)
        && (t.Kinds.Count = r.State.Kinds.Count
            || t.Kinds |> Map.forall (fun symbol kind -> Map.tryFind symbol s.Kinds = Some kind))

    [
        for outcome in outcomes do
            let s = stateOf outcome
            let mine = decided s
            let passed = starved |> List.filter (passes mine s)
            let isStarved = starved |> List.exists (fun (_, t) -> obj.ReferenceEquals(s, t))

            if not isStarved then
                let gas = passed |> List.map (fun (theirs, _) -> theirs.Length - 1) |> Set.ofList

                let tolls =
                    passed
                    |> List.distinctBy (fun (theirs, _) -> theirs.Length)
                    |> List.sortBy (fun (theirs, _) -> theirs.Length)
                    |> List.map (fun (_, t) -> {
                        Used = t.GasUsed
                        Condition = t.Path.Head
                        Source = t.Frame.Source
                        Rule = t.Rule
                        Events = r.Events.Length
                        Lasting = t.Output.Length, t.Audit.Length
                    })
                    |> List.filter (isNothing >> not)

                let data = [
                    for at in mine.Length - 1 .. -1 .. 0 do
                        if not (gas.Contains at) then
                            mine[at]
                ]

                outcome,
                {
                    r with
                        State = {
                            s with
                                Rest.Knowledge.Path = data @ r.State.Path
                        }
                        Tolls = List.rev tolls @ r.Tolls
                }
    ]

let private nextOf (outcome: Outcome<unit>, r: Run) : Next =
    match outcome with
    | Outcome.Ok((), _) -> Next.On r
    | Outcome.Fault(fault, value, _) -> Next.Fault(fault, value, r)
    | Outcome.Opaque(operation, _, _) -> Next.Blind(operation, r)

/// By its rule.
let byRule (rule: Rule<unit>) (r: Run) : Next list =
    rule r.State |> tolled r |> List.map nextOf

// Events.

/// What an event may change besides the operand stack, given how many came before it.
type Reach = int -> State -> State

let private counted (i: LoadedInstruction) =
    match
        i.Info.Operands
        |> Array.tryFindIndex (fun o -> o.Kind = OperandKind.Count || o.Kind = OperandKind.Results)
    with
    | Some position -> [ i.A; i.B; i.C ][position]
    | None -> 0

let private isRegister (info: OpcodeInfo) position =
    position < info.Operands.Length && info.Operands[position].Kind = OperandKind.Register

/// Operations on registers: the first is assigned, the others are read.
let onRegisters (i: LoadedInstruction) =
    isRegister i.Info 0 && isRegister i.Info 1

/// The opcode of the operand stack that means and costs what an instruction does: register code and stack code do the same when these are.
let meaningOf (i: LoadedInstruction) : Opcode =
    match i.Opcode with
    | Opcode.INC -> Opcode.ADD
    | Opcode.DEC -> Opcode.SUB
    | Opcode.LOAD_REG
    | Opcode.STORE_CONST -> Opcode.LOAD_CONST
    | Opcode.ADD_REG -> Opcode.ADD
    | Opcode.SUB_REG -> Opcode.SUB
    | Opcode.MUL_REG -> Opcode.MUL
    | Opcode.DIV_REG -> Opcode.DIV
    | Opcode.MOD_REG -> Opcode.MOD
    | Opcode.POW_REG -> Opcode.POW
    | Opcode.NEG_REG -> Opcode.NEG
    | Opcode.EQ_REG -> Opcode.EQ
    | Opcode.NEQ_REG -> Opcode.NEQ
    | Opcode.LT_REG -> Opcode.LT
    | Opcode.GT_REG -> Opcode.GT
    | Opcode.LTE_REG -> Opcode.LTE
    | Opcode.GTE_REG -> Opcode.GTE
    | other -> other

/// The operands that are part of what it does: not the registers that it reads or assigns, which it could do with others as well.
let fixedOperandsOf (i: LoadedInstruction) : int list =
    if onRegisters i then
        []
    elif i.Opcode = Opcode.LOAD_REG || i.Opcode = Opcode.STORE_CONST then
        [ i.B ]
    elif i.Opcode = Opcode.LOAD_CONST then
        [ i.A ]
    else
        List.truncate i.Info.Operands.Length [ i.A; i.B; i.C ]

/// Top first, as on the operand stack.
let private operandsOf (i: LoadedInstruction) (s: State) : Value list =
    if onRegisters i then
        [
            for position, register in [ 2, i.C; 1, i.B ] do
                if isRegister i.Info position then
                    s.Frame.Registers[register]
        ]
    else
        List.truncate (i.Info.Effect.Pops + i.Info.Effect.PopsPerCount * counted i) s.Frame.Stack

/// Can it end in a fault that a handler catches?
let private canFault (i: LoadedInstruction) =
    i.Info.Faults |> Array.exists _.IsCatchable

/// The charges of an instruction, without what it does: that is all that a NOP does.
let private chargesOf (i: LoadedInstruction) : Rule<unit> =
    Machine.instruction { i with Opcode = Opcode.NOP }

let private named number part = $"e{number}.{part}"

/// An instruction as an event: its charges by the rules, then whatever it may do.
let asEvent (reach: Reach) (i: LoadedInstruction) (r: Run) : Next list =
    byRule (chargesOf i) r
    |> List.collect (fun next ->
        match next with
        | Next.Fault _
        | Next.EventFault _
        | Next.Blind _ -> [ next ]
        | Next.On r ->
            let s = r.State
            let number = r.Events.Length
            let operands = operandsOf i s

            // INC and DEC are ADD and SUB of a 1 that they have by themselves.
            let asked =
                if i.Opcode = Opcode.INC || i.Opcode = Opcode.DEC then
                    Value.ofInt (Int.Known 1I) :: operands
                else
                    operands

            let popped = if onRegisters i then 0 else operands.Length
            let left = List.skip popped s.Frame.Stack

            let taken = {
                s with
                    Frame = {
                        s.Frame with
                            Stack = left
                            Height = s.Frame.Height - popped
                    }
            }

            let reached = {
                reach number taken with
                    GasUsed = Int.Symbolic(IntTerm.Symbol(named number "gas"))
                    // So that handlers set up between other events are told apart.
                    Rest.Effects.Begun = number + 1
            }

            let results = [
                for index in 0 .. i.Info.Effect.Pushes + i.Info.Effect.PushesPerCount * counted i - 1 ->
                    Value.Unknown(named number $"result{index}")
            ]

            let frame =
                if onRegisters i then
                    {
                        reached.Frame with
                            Registers = reached.Frame.Registers.SetItem(i.A, Value.Unknown(named number "result0"))
                    }
                else
                    {
                        reached.Frame with
                            Stack = List.rev results @ left
                            Height = reached.Frame.Height + results.Length
                    }

            let event = {
                Instruction = i
                Operands = asked
                At = taken
            }

            let faults = BoolTerm.Symbol(named number "faults")

            let after s condition = {
                r with
                    Events = event :: r.Events
                    State = {
                        s with
                            Rest.Knowledge.Path = condition :: s.Path
                    }
            }

            if canFault i then
                [
                    Next.On(after { reached with Frame = frame } (BoolTerm.Not faults))
                    Next.EventFault(Value.Unknown(named number "fault"), after reached faults)
                ]
            else
                [
                    Next.On {
                        r with
                            Events = event :: r.Events
                            State = { reached with Frame = frame }
                    }
                ])

// Truth.

/// A rule that asks only whether a value counts as true gets a Bool that says so. What a collection's truth is may change with every event.
let private asTruth (events: int) (value: Value) : Value =
    match value with
    | Value.Unknown symbol -> Value.ofBool (Bool.Symbolic(BoolTerm.Symbol $"truth.{symbol}@{events}"))
    | Value.Of _ -> value

/// The same state with the truth of a cell instead of the cell.
let private withTruthAt (depths: int list) (r: Run) : Run =
    let stack =
        r.State.Frame.Stack
        |> List.mapi (fun depth value ->
            if List.contains depth depths then
                asTruth r.Events.Length value
            else
                value)

    {
        r with
            State = {
                r.State with
                    Frame = { r.State.Frame with Stack = stack }
            }
    }

/// An instruction, with the truth of what these registers hold in their place; all but the one that it assigns have their own value again then.
let private onTruthOf (registers: int list) (assigned: int) (run: Run -> Next list) (r: Run) : Next list =
    let set (values: (int * Value) list) (r: Run) =
        let file =
            (r.State.Frame.Registers, values)
            ||> List.fold (fun file (register, value) -> file.SetItem(register, value))

        {
            r with
                State = {
                    r.State with
                        Frame = { r.State.Frame with Registers = file }
                }
        }

    let held = [
        for register in List.distinct registers -> register, r.State.Frame.Registers[register]
    ]

    let restored = set (held |> List.filter (fun (register, _) -> register <> assigned))

    r
    |> set [ for register, value in held -> register, asTruth r.Events.Length value ]
    |> run
    |> List.map (fun next ->
        match next with
        | Next.On after -> Next.On(restored after)
        | Next.Fault(fault, value, after) -> Next.Fault(fault, value, restored after)
        | Next.EventFault(value, after) -> Next.EventFault(value, restored after)
        | Next.Blind(operation, after) -> Next.Blind(operation, restored after))

// How an instruction is read.

[<RequireQualifiedAccess>]
type private Reading =
    /// It moves values about, and looks inside none.
    | Move
    /// It loads a constant; a collection is copied.
    | Constant of index: int
    /// It asks whether these cells count as true.
    | Truth of depths: int list
    /// It asks whether these registers do.
    | TruthOfRegisters of registers: int list
    /// It computes on what it takes.
    | Computation
    /// Taking off a handler that the path has not set up.
    | Handler
    | Event

let private readingOf (i: LoadedInstruction) : Reading =
    match i.Opcode with
    | Opcode.LOAD_CONST -> Reading.Constant i.A
    | Opcode.STORE_CONST
    | Opcode.LOAD_REG -> Reading.Constant i.B
    | Opcode.LOAD_NAME
    | Opcode.STORE_NAME
    | Opcode.STORE_FUNC
    | Opcode.POP
    | Opcode.DUP
    | Opcode.JUMP
    | Opcode.RETURN
    | Opcode.SETUP_TRY
    | Opcode.THROW
    | Opcode.LOAD_VAR_REG
    | Opcode.STORE_REG
    | Opcode.MOV_REG
    | Opcode.PUSH_REG
    | Opcode.POP_REG
    | Opcode.NOP -> Reading.Move
    | Opcode.POP_TRY -> Reading.Handler
    | Opcode.JUMP_IF_FALSE
    | Opcode.JUMP_IF_TRUE
    | Opcode.NOT -> Reading.Truth [ 0 ]
    | Opcode.AND
    | Opcode.OR -> Reading.Truth [ 0; 1 ]
    | Opcode.REQUIRE -> Reading.Truth [ 1 ]
    | Opcode.INC
    | Opcode.DEC
    | Opcode.ADD
    | Opcode.SUB
    | Opcode.MUL
    | Opcode.DIV
    | Opcode.MOD
    | Opcode.POW
    | Opcode.NEG
    | Opcode.EQ
    | Opcode.NEQ
    | Opcode.LT
    | Opcode.GT
    | Opcode.LTE
    | Opcode.GTE
    | Opcode.ADD_REG
    | Opcode.SUB_REG
    | Opcode.MUL_REG
    | Opcode.DIV_REG
    | Opcode.MOD_REG
    | Opcode.POW_REG
    | Opcode.NEG_REG
    | Opcode.EQ_REG
    | Opcode.NEQ_REG
    | Opcode.LT_REG
    | Opcode.GT_REG
    | Opcode.LTE_REG
    | Opcode.GTE_REG -> Reading.Computation
    | Opcode.AND_REG
    | Opcode.OR_REG -> Reading.TruthOfRegisters [ i.B; i.C ]
    | Opcode.NOT_REG -> Reading.TruthOfRegisters [ i.B ]
    | Opcode.CALL_NAME
    | Opcode.CALL_FUNC_CONST
    | Opcode.CALL_TOP
    | Opcode.CALL_BUILTIN
    | Opcode.CALL_METHOD
    | Opcode.BUILD_LIST
    | Opcode.BUILD_MAP
    | Opcode.BUILD_SET
    | Opcode.INDEX
    | Opcode.SLICE
    | Opcode.GET_ATTR
    | Opcode.GET_LENGTH
    | Opcode.REGISTER_EVENT
    | Opcode.EMIT_EVENT
    | Opcode.HASH_BLOCK
    | Opcode.VERIFY_SIGNATURE
    | Opcode.MERKLE_ROOT
    | Opcode.STATE_READ
    | Opcode.STATE_WRITE
    | Opcode.TX_BEGIN
    | Opcode.TX_COMMIT
    | Opcode.TX_REVERT
    | Opcode.GAS_CHARGE
    | Opcode.LEDGER_APPEND
    | Opcode.AUDIT_LOG
    | Opcode.FOR_ITER
    | Opcode.PRINT
    | Opcode.SPAWN
    | Opcode.AWAIT
    | Opcode.SPAWN_CALL
    | Opcode.FORK_EXECUTION
    | Opcode.JOIN_WORKERS
    | Opcode.PARALLEL_MAP
    | Opcode.BARRIER_SYNC
    | Opcode.SHARED_READ
    | Opcode.SHARED_WRITE -> Reading.Event

let private isScalar (plain: Plain) =
    match plain with
    | Plain.Null
    | Plain.Bool _
    | Plain.Int _
    | Plain.Float _
    | Plain.String _ -> true
    | Plain.List _
    | Plain.Map _
    | Plain.Set _ -> false

let private isKnownScalar (value: Value) =
    match value with
    | Value.Unknown _ -> false
    | Value.Of kind ->
        match kind with
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _ -> true
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> false

/// A constant that is a collection: an event makes it, and its value goes where the instruction puts it.
let private collection (reach: Reach) (i: LoadedInstruction) (r: Run) : Next list =
    let load = {
        i with
            Info = InstructionSet.Of Opcode.LOAD_CONST
    }

    asEvent reach load r
    |> List.collect (fun next ->
        match next with
        | Next.Fault _
        | Next.EventFault _
        | Next.Blind _ -> [ next ]
        | Next.On made ->
            match i.Opcode with
            | Opcode.STORE_CONST -> byRule (rule { do! Names.STORE_NAME i.A }) made
            | Opcode.LOAD_REG -> byRule (rule { do! Registers.POP_REG i.A }) made
            | _ -> [ next ])

/// One instruction in which nothing unknown is looked at: what would look is an event.
let guarded (reach: Reach) (i: LoadedInstruction) (r: Run) : Next list =
    let wholly r = byRule (Machine.instruction i) r

    match readingOf i with
    | Reading.Move -> wholly r
    | Reading.Constant index ->
        if isScalar r.State.Loaded.Constants[index] then
            wholly r
        else
            collection reach i r
    | Reading.Truth depths -> wholly (withTruthAt depths r)
    | Reading.TruthOfRegisters registers -> onTruthOf registers i.A wholly r
    | Reading.Handler ->
        if r.State.Frame.Handlers.IsEmpty then
            asEvent reach i r
        else
            wholly r
    | Reading.Computation ->
        let operands =
            if onRegisters i then
                operandsOf i r.State
            else
                List.truncate i.Info.Effect.Pops r.State.Frame.Stack

        let read = if List.forall isKnownScalar operands then wholly r else []

        let isBlind =
            read
            |> List.exists (fun next ->
                match next with
                | Next.Blind _ -> true
                | Next.On _
                | Next.Fault _
                | Next.EventFault _ -> false)

        if read.IsEmpty || isBlind then asEvent reach i r else read
    | Reading.Event -> asEvent reach i r
