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

    /// The name. F# would find it by reflection, 100 ms at every start.
    override this.ToString() =
        match this with
        | LOAD_CONST -> nameof LOAD_CONST
        | LOAD_NAME -> nameof LOAD_NAME
        | STORE_NAME -> nameof STORE_NAME
        | STORE_FUNC -> nameof STORE_FUNC
        | POP -> nameof POP
        | DUP -> nameof DUP
        | STORE_CONST -> nameof STORE_CONST
        | INC -> nameof INC
        | DEC -> nameof DEC
        | ADD -> nameof ADD
        | SUB -> nameof SUB
        | MUL -> nameof MUL
        | DIV -> nameof DIV
        | MOD -> nameof MOD
        | POW -> nameof POW
        | NEG -> nameof NEG
        | EQ -> nameof EQ
        | NEQ -> nameof NEQ
        | LT -> nameof LT
        | GT -> nameof GT
        | LTE -> nameof LTE
        | GTE -> nameof GTE
        | AND -> nameof AND
        | OR -> nameof OR
        | NOT -> nameof NOT
        | JUMP -> nameof JUMP
        | JUMP_IF_FALSE -> nameof JUMP_IF_FALSE
        | JUMP_IF_TRUE -> nameof JUMP_IF_TRUE
        | RETURN -> nameof RETURN
        | CALL_NAME -> nameof CALL_NAME
        | CALL_FUNC_CONST -> nameof CALL_FUNC_CONST
        | CALL_TOP -> nameof CALL_TOP
        | CALL_BUILTIN -> nameof CALL_BUILTIN
        | CALL_METHOD -> nameof CALL_METHOD
        | BUILD_LIST -> nameof BUILD_LIST
        | BUILD_MAP -> nameof BUILD_MAP
        | BUILD_SET -> nameof BUILD_SET
        | INDEX -> nameof INDEX
        | SLICE -> nameof SLICE
        | GET_ATTR -> nameof GET_ATTR
        | GET_LENGTH -> nameof GET_LENGTH
        | SPAWN -> nameof SPAWN
        | AWAIT -> nameof AWAIT
        | SPAWN_CALL -> nameof SPAWN_CALL
        | REGISTER_EVENT -> nameof REGISTER_EVENT
        | EMIT_EVENT -> nameof EMIT_EVENT
        | HASH_BLOCK -> nameof HASH_BLOCK
        | VERIFY_SIGNATURE -> nameof VERIFY_SIGNATURE
        | MERKLE_ROOT -> nameof MERKLE_ROOT
        | STATE_READ -> nameof STATE_READ
        | STATE_WRITE -> nameof STATE_WRITE
        | TX_BEGIN -> nameof TX_BEGIN
        | TX_COMMIT -> nameof TX_COMMIT
        | TX_REVERT -> nameof TX_REVERT
        | GAS_CHARGE -> nameof GAS_CHARGE
        | LEDGER_APPEND -> nameof LEDGER_APPEND
        | REQUIRE -> nameof REQUIRE
        | AUDIT_LOG -> nameof AUDIT_LOG
        | SETUP_TRY -> nameof SETUP_TRY
        | POP_TRY -> nameof POP_TRY
        | THROW -> nameof THROW
        | FOR_ITER -> nameof FOR_ITER
        | LOAD_REG -> nameof LOAD_REG
        | LOAD_VAR_REG -> nameof LOAD_VAR_REG
        | STORE_REG -> nameof STORE_REG
        | MOV_REG -> nameof MOV_REG
        | ADD_REG -> nameof ADD_REG
        | SUB_REG -> nameof SUB_REG
        | MUL_REG -> nameof MUL_REG
        | DIV_REG -> nameof DIV_REG
        | MOD_REG -> nameof MOD_REG
        | POW_REG -> nameof POW_REG
        | NEG_REG -> nameof NEG_REG
        | EQ_REG -> nameof EQ_REG
        | NEQ_REG -> nameof NEQ_REG
        | LT_REG -> nameof LT_REG
        | GT_REG -> nameof GT_REG
        | LTE_REG -> nameof LTE_REG
        | GTE_REG -> nameof GTE_REG
        | AND_REG -> nameof AND_REG
        | OR_REG -> nameof OR_REG
        | NOT_REG -> nameof NOT_REG
        | PUSH_REG -> nameof PUSH_REG
        | POP_REG -> nameof POP_REG
        | PRINT -> nameof PRINT
        | NOP -> nameof NOP
        | FORK_EXECUTION -> nameof FORK_EXECUTION
        | JOIN_WORKERS -> nameof JOIN_WORKERS
        | PARALLEL_MAP -> nameof PARALLEL_MAP
        | BARRIER_SYNC -> nameof BARRIER_SYNC
        | SHARED_READ -> nameof SHARED_READ
        | SHARED_WRITE -> nameof SHARED_WRITE

/// How an execution, or one instruction of it, can fail.
[<RequireQualifiedAccess>]
type Fault =
    | Thrown
    | RequireFailed
    | TypeMismatch
    | DivisionByZero
    | Domain
    | UndefinedFunction
    | Reentrancy
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
        | UndefinedFunction
        | Reentrancy -> true
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
        | Reentrancy -> "Reentrancy"
        | OutOfGas -> "OutOfGas"
        | CallTooDeep -> "CallTooDeep"
        | IntegerTooLarge -> "IntegerTooLarge"
        | StringTooLong -> "StringTooLong"
        | CollectionTooLarge -> "CollectionTooLarge"
        | TooDeep -> "TooDeep"
