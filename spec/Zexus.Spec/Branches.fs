/// The closed list of rule branches: what traces, coverage, reports and proofs may name. The tests check it against the rules both ways.
module Zexus.Spec.Branches

open Zexus.Isa

/// A fault that a rule raises is a branch of it, named after the fault; the tables of Zexus.Isa say which.
let private faults (row: Fault[]) =
    row |> Array.toList |> List.map Machine.branchOfFault

let private names = [ "global"; "own"; "captured" ]
let private leaving = [ "nothing"; "value"; "finished"; "to-caller"; "to-callback" ]

let private addition = [ "strings"; "string-left"; "string-right"; "lists"; "int"; "float" ]
let private numbers = [ "int"; "float" ]
let private multiplication = [ "repeat-string"; "repeat-list"; "int"; "float" ]
let private division = [ "exact"; "inexact"; "float" ]
let private power = [ "int"; "float"; "float-reciprocal"; "root"; "root-reciprocal" ]
let private ordering = [ "less"; "equal"; "greater"; "unordered" ]
let private searched = [ "found"; "not-found" ]
let private jumps = [ "taken"; "not-taken" ]
let private constants = [ "scalar"; "collection" ]
let private transactions = [ "outside-tx"; "outermost"; "nested" ]

/// What a reader tells apart in an instruction's rule, besides that it was entered and its faults.
let private ofOpcode (opcode: Opcode) : string list =
    match opcode with
    | Opcode.LOAD_CONST -> constants
    | Opcode.LOAD_REG -> constants
    | Opcode.STORE_CONST -> constants @ names
    | Opcode.LOAD_NAME
    | Opcode.STORE_NAME
    | Opcode.STORE_FUNC
    | Opcode.LOAD_VAR_REG
    | Opcode.STORE_REG -> names
    | Opcode.POP
    | Opcode.DUP -> []
    | Opcode.INC -> [ "string-left"; "int"; "float" ]
    | Opcode.DEC -> numbers
    | Opcode.ADD
    | Opcode.ADD_REG -> addition
    | Opcode.SUB
    | Opcode.SUB_REG -> numbers
    | Opcode.MUL
    | Opcode.MUL_REG -> multiplication
    | Opcode.DIV
    | Opcode.DIV_REG -> division
    | Opcode.MOD
    | Opcode.MOD_REG -> numbers
    | Opcode.POW
    | Opcode.POW_REG -> power
    | Opcode.NEG
    | Opcode.NEG_REG -> numbers
    | Opcode.EQ
    | Opcode.NEQ
    | Opcode.EQ_REG
    | Opcode.NEQ_REG -> []
    | Opcode.LT
    | Opcode.GT
    | Opcode.LTE
    | Opcode.GTE
    | Opcode.LT_REG
    | Opcode.GT_REG
    | Opcode.LTE_REG
    | Opcode.GTE_REG -> ordering
    | Opcode.AND
    | Opcode.OR
    | Opcode.NOT
    | Opcode.AND_REG
    | Opcode.OR_REG
    | Opcode.NOT_REG -> []
    | Opcode.JUMP -> []
    | Opcode.JUMP_IF_FALSE
    | Opcode.JUMP_IF_TRUE -> jumps
    | Opcode.RETURN -> leaving
    | Opcode.CALL_NAME -> [ "function"; "builtin"; "host" ]
    | Opcode.CALL_BUILTIN -> [ "builtin"; "host" ]
    | Opcode.CALL_FUNC_CONST
    | Opcode.CALL_TOP -> []
    | Opcode.CALL_METHOD -> [ "method" ]
    | Opcode.BUILD_LIST
    | Opcode.BUILD_MAP
    | Opcode.BUILD_SET -> []
    | Opcode.INDEX -> [ "null"; "element"; "scalar"; "entry"; "out-of-range"; "missing-key" ]
    | Opcode.SLICE -> [ "null"; "list"; "string" ]
    | Opcode.GET_ATTR -> [ "null"; "entry"; "missing-key" ]
    | Opcode.GET_LENGTH -> [ "null"; "string"; "list"; "map"; "set" ]
    | Opcode.REGISTER_EVENT -> [ "new"; "present" ]
    | Opcode.EMIT_EVENT -> [ "unheard"; "heard"; "builtin"; "host"; "resumed" ]
    | Opcode.HASH_BLOCK -> []
    | Opcode.VERIFY_SIGNATURE -> [ "valid"; "invalid"; "malformed" ]
    | Opcode.MERKLE_ROOT -> [ "none"; "one"; "many" ]
    | Opcode.STATE_READ -> [ "present"; "missing" ]
    | Opcode.STATE_WRITE -> [ "outside-tx"; "in-tx" ]
    | Opcode.TX_BEGIN -> [ "outside-tx"; "in-tx" ]
    | Opcode.TX_COMMIT
    | Opcode.TX_REVERT -> transactions
    | Opcode.GAS_CHARGE -> []
    | Opcode.LEDGER_APPEND -> [ "has-timestamp"; "stamped"; "no-map" ]
    | Opcode.REQUIRE -> [ "holds" ]
    | Opcode.AUDIT_LOG -> []
    | Opcode.SETUP_TRY -> []
    | Opcode.POP_TRY -> [ "none"; "innermost" ]
    | Opcode.THROW -> []
    | Opcode.FOR_ITER -> [ "element"; "entry"; "scalar"; "exhausted" ]
    | Opcode.MOV_REG
    | Opcode.PUSH_REG
    | Opcode.POP_REG
    | Opcode.PRINT
    | Opcode.NOP -> []
    | Opcode.SPAWN
    | Opcode.AWAIT
    | Opcode.SPAWN_CALL
    | Opcode.FORK_EXECUTION
    | Opcode.JOIN_WORKERS
    | Opcode.PARALLEL_MAP
    | Opcode.BARRIER_SYNC
    | Opcode.SHARED_READ
    | Opcode.SHARED_WRITE -> []

let private ofRoutine (routine: Routine) : string list =
    match routine with
    | Routine.Len -> [ "null"; "string"; "list"; "map"; "set" ]
    | Routine.Str -> []
    | Routine.IntOf -> [ "null"; "bool"; "int"; "float"; "text" ]
    | Routine.FloatOf -> [ "number"; "text" ]
    | Routine.TypeOf -> [ "null"; "bool"; "int"; "float"; "string"; "list"; "map"; "set"; "function" ]
    | Routine.Range -> [ "to"; "from-to" ]
    | Routine.Push
    | Routine.Append
    | Routine.Timestamp
    | Routine.Height
    | Routine.Caller
    | Routine.GasLeft -> []
    | Routine.CallContract -> [ "all-gas"; "some-gas"; "returned" ]
    | Routine.StringLength -> []
    | Routine.StringContains
    | Routine.StringStartsWith
    | Routine.StringEndsWith -> searched
    | Routine.StringUpper
    | Routine.StringLower
    | Routine.StringTrim -> []
    | Routine.StringSplit -> [ "at-spaces"; "at-separator" ]
    | Routine.StringIndexOf -> searched
    | Routine.StringReplace
    | Routine.StringSlice -> []
    | Routine.StringCharAt -> [ "scalar"; "out-of-range" ]
    | Routine.StringRepeat
    | Routine.StringIsEmpty
    | Routine.ListLength
    | Routine.ListPush -> []
    | Routine.ListPop -> [ "empty"; "element" ]
    | Routine.ListSet -> [ "element" ]
    | Routine.ListContains
    | Routine.ListIndexOf -> searched
    | Routine.ListIsEmpty -> []
    | Routine.ListFirst
    | Routine.ListLast -> [ "empty"; "element" ]
    | Routine.ListReverse -> []
    | Routine.ListSort -> [ "natural"; "short"; "compared"; "right-first"; "left-first" ]
    | Routine.ListJoin -> [ "without-separator"; "with-separator" ]
    | Routine.ListSlice -> []
    | Routine.ListFlatten -> [ "list"; "element" ]
    | Routine.ListMap -> [ "empty"; "started"; "resumed" ]
    | Routine.ListFilter -> [ "empty"; "started"; "kept"; "left-out" ]
    | Routine.ListReduce -> [ "with-initial"; "empty"; "from-first"; "resumed" ]
    | Routine.MapLength -> []
    | Routine.MapGet -> searched
    | Routine.MapSet -> [ "new"; "present" ]
    | Routine.MapHas
    | Routine.MapDelete -> searched
    | Routine.MapKeys
    | Routine.MapValues
    | Routine.MapEntries
    | Routine.MapIsEmpty
    | Routine.SetLength -> []
    | Routine.SetAdd -> [ "new"; "present" ]
    | Routine.SetHas
    | Routine.SetDelete -> searched
    | Routine.SetValues
    | Routine.SetIsEmpty -> []

/// Parts that several rules share; their faults are branches of the rule that uses them.
let private shared: (string * string list) list = [
    Machine.EndRule, "entered" :: leaving
    "control/catch", [ "caught"; "caught-and-reverted" ]
    "call/host", [ "entered"; "returned"; "thrown"; "type-mismatch"; "too-deep"; "out-of-gas" ]
    "equal",
    [
        "numbers"
        "nulls"
        "strings"
        "lists-of-other-lengths"
        "lists"
        "maps-of-other-sizes"
        "maps"
        "sets-of-other-sizes"
        "sets"
        "functions"
        "other-kinds"
    ]
    "order", [ "numbers"; "strings"; "lists" ]
    "display",
    [
        "null"
        "bool"
        "int"
        "float"
        "string"
        "quoted-string"
        "list"
        "map"
        "set"
        "function"
    ]
    "plain", [ "list"; "map"; "set" ]
    "canonical", [ "text"; "scalar"; "list"; "map" ]
]

/// The branches of a rule or shared part, by its name.
let byRule: (string * string list) list =
    let opcodes = [
        for info in InstructionSet.Rows do
            match info.Status with
            | Status.Specified -> info.Rule, "entered" :: ofOpcode info.Opcode @ faults info.Faults
            | Status.NotYetSpecified -> ()
    ]

    let routines = [
        for info in Library.Rows -> info.Rule, "entered" :: ofRoutine info.Routine @ faults info.Faults
    ]

    opcodes @ routines @ shared

/// Every branch there is.
let all: Branch list = [
    for rule, branches in byRule do
        for branch in branches -> rule, branch
]

/// `rule/branch`, as reports write it.
let name ((rule, branch): Branch) = rule + "/" + branch
