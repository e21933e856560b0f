namespace Zexus.Isa

/// The instructions that a program may use. Declared in the order of their numbers.
[<RequireQualifiedAccess>]
type Opcode =
    | LOAD_CONST
    | LOAD_NAME
    | STORE_NAME
    | STORE_FUNC
    | POP
    | DUP
    | STORE_CONST
    | INC
    | DEC
    | ADD
    | SUB
    | MUL
    | DIV
    | MOD
    | POW
    | NEG
    | EQ
    | NEQ
    | LT
    | GT
    | LTE
    | GTE
    | AND
    | OR
    | NOT
    | JUMP
    | JUMP_IF_FALSE
    | JUMP_IF_TRUE
    | RETURN
    | CALL_NAME
    | CALL_FUNC_CONST
    | CALL_TOP
    | CALL_BUILTIN
    | CALL_METHOD
    | BUILD_LIST
    | BUILD_MAP
    | BUILD_SET
    | INDEX
    | SLICE
    | GET_ATTR
    | GET_LENGTH
    | SPAWN
    | AWAIT
    | SPAWN_CALL
    | REGISTER_EVENT
    | EMIT_EVENT
    | HASH_BLOCK
    | VERIFY_SIGNATURE
    | MERKLE_ROOT
    | STATE_READ
    | STATE_WRITE
    | TX_BEGIN
    | TX_COMMIT
    | TX_REVERT
    | GAS_CHARGE
    | LEDGER_APPEND
    | REQUIRE
    | AUDIT_LOG
    | SETUP_TRY
    | POP_TRY
    | THROW
    | FOR_ITER
    | LOAD_REG
    | LOAD_VAR_REG
    | STORE_REG
    | MOV_REG
    | ADD_REG
    | SUB_REG
    | MUL_REG
    | DIV_REG
    | MOD_REG
    | POW_REG
    | NEG_REG
    | EQ_REG
    | NEQ_REG
    | LT_REG
    | GT_REG
    | LTE_REG
    | GTE_REG
    | AND_REG
    | OR_REG
    | NOT_REG
    | PUSH_REG
    | POP_REG
    | PRINT
    | NOP
    | FORK_EXECUTION
    | JOIN_WORKERS
    | PARALLEL_MAP
    | BARRIER_SYNC
    | SHARED_READ
    | SHARED_WRITE

/// How an execution, or one instruction of it, can fail.
[<RequireQualifiedAccess>]
type Fault =
    | Thrown
    | RequireFailed
    | TypeMismatch
    | DivisionByZero
    | Domain
    | UndefinedFunction
    | OutOfGas
    | CallTooDeep
    | IntegerTooLarge
    | StringTooLong
    | CollectionTooLarge
    | TooDeep

    /// SETUP_TRY catches program errors; gas and the other limits always end the execution.
    member this.IsCatchable =
        match this with
        | Thrown
        | RequireFailed
        | TypeMismatch
        | DivisionByZero
        | Domain
        | UndefinedFunction -> true
        | OutOfGas
        | CallTooDeep
        | IntegerTooLarge
        | StringTooLong
        | CollectionTooLarge
        | TooDeep -> false

    /// The name that reports, traces and programs see; a caught fault other than Thrown and RequireFailed is this String.
    member this.Name =
        match this with
        | Thrown -> "Thrown"
        | RequireFailed -> "RequireFailed"
        | TypeMismatch -> "TypeMismatch"
        | DivisionByZero -> "DivisionByZero"
        | Domain -> "Domain"
        | UndefinedFunction -> "UndefinedFunction"
        | OutOfGas -> "OutOfGas"
        | CallTooDeep -> "CallTooDeep"
        | IntegerTooLarge -> "IntegerTooLarge"
        | StringTooLong -> "StringTooLong"
        | CollectionTooLarge -> "CollectionTooLarge"
        | TooDeep -> "TooDeep"
