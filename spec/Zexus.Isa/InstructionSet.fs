namespace Zexus.Isa

open System
open System.Collections.Generic
open System.Runtime.InteropServices

/// What an operand of an instruction means, and so which values it may have.
[<RequireQualifiedAccess>]
type OperandKind =
    /// Index into the constants.
    | Constant
    /// Index into the names.
    | Name
    /// Index into the function table.
    | Function
    /// Instruction index, 0 to the length of the code.
    | Target
    /// How many stack cells (or pairs of them) the instruction takes; 0 to 1,024.
    | Count
    /// 1 or 2 results of FOR_ITER.
    | Results
    /// Register 0 to 15.
    | Register
    /// Gas, 0 or more.
    | Amount

/// Where execution can go on after an instruction.
[<RequireQualifiedAccess>]
type Flow =
    /// To the next instruction.
    | Next
    /// To the target.
    | Jump
    /// To the next instruction or to the target.
    | Branch
    /// To the next instruction; to the target, one cell higher, from any fault while the handler lives.
    | Try
    /// To nowhere in this frame.
    | Leave

/// Stack effect in cells: takes `Pops + PopsPerCount * n`, then leaves `Pushes + PushesPerCount * n`, where n is the Count or Results operand.
[<Struct>]
type StackEffect = {
    Pops: int
    PopsPerCount: int
    Pushes: int
    PushesPerCount: int
}

[<RequireQualifiedAccess>]
type Status =
    | Specified
    /// The row stands, its rule does not yet: a program that uses it does not load.
    | NotYetSpecified

/// One operand: its name in the reference and its kind.
[<Struct>]
type Operand = { Name: string; Kind: OperandKind }

/// One row of the instruction set.
type OpcodeInfo = {
    Opcode: Opcode
    Number: int
    Mnemonic: string
    Operands: Operand[]
    Flow: Flow
    Effect: StackEffect
    /// The stack effect as a reader writes it, `[a b] -> [a+b]`.
    Stack: string
    /// Static charge: `Gas + GasPerCount * n`, and the amount itself for GAS_CHARGE.
    Gas: int
    GasPerCount: int
    /// The charge that grows with data, in words; "" when there is none.
    SizeGas: string
    Faults: Fault[]
    Meaning: string
    /// The name of its rule in the specification.
    Rule: string
    Status: Status
}

/// A number that upstream uses and this machine refuses, and why.
type ReservedNumber = {
    Number: int
    Mnemonic: string
    Reason: string
}

/// The instruction set: one table, and the numbers that are reserved.
[<AbstractClass; Sealed>]
type InstructionSet private () =

    static let operand name kind = { Name = name; Kind = kind }
    static let constant = operand "constant" OperandKind.Constant
    static let name = operand "name" OperandKind.Name
    static let func = operand "function" OperandKind.Function
    static let target = operand "target" OperandKind.Target
    static let count = operand "count" OperandKind.Count
    static let arguments = operand "arguments" OperandKind.Count
    static let results = operand "results" OperandKind.Results
    static let amount = operand "amount" OperandKind.Amount
    static let register named = operand named OperandKind.Register
    static let dst = register "dst"
    static let src = register "src"
    static let left = register "a"
    static let right = register "b"

    static let effect pops pushes = {
        Pops = pops
        PopsPerCount = 0
        Pushes = pushes
        PushesPerCount = 0
    }

    static let takes pops perCount pushes = {
        Pops = pops
        PopsPerCount = perCount
        Pushes = pushes
        PushesPerCount = 0
    }

    static let none: Fault list = []
    static let kinds = [ Fault.TypeMismatch ]

    static let row
        opcode
        number
        (operands: Operand list)
        flow
        effect
        stack
        (gas, perCount)
        sizeGas
        (faults: Fault list)
        meaning
        rule
        =
        let faults =
            if gas + perCount > 0 then
                faults @ [ Fault.OutOfGas ]
            else
                faults

        {
            Opcode = opcode
            Number = number
            Mnemonic = string opcode
            Operands = List.toArray operands
            Flow = flow
            Effect = effect
            Stack = stack
            Gas = gas
            GasPerCount = perCount
            SizeGas = sizeGas
            Faults = List.toArray faults
            Meaning = meaning
            Rule = rule
            Status = Status.Specified
        }

    static let later row = {
        row with
            Status = Status.NotYetSpecified
    }

    static let arithmetic = [ Fault.TypeMismatch; Fault.IntegerTooLarge ]

    static let addition = [
        Fault.TypeMismatch
        Fault.IntegerTooLarge
        Fault.StringTooLong
        Fault.CollectionTooLarge
        Fault.TooDeep
    ]

    static let multiplication = [
        Fault.TypeMismatch
        Fault.IntegerTooLarge
        Fault.StringTooLong
        Fault.CollectionTooLarge
    ]

    static let division = [ Fault.TypeMismatch; Fault.DivisionByZero; Fault.IntegerTooLarge ]

    static let power = [
        Fault.TypeMismatch
        Fault.DivisionByZero
        Fault.Domain
        Fault.IntegerTooLarge
    ]

    static let ordering = [ Fault.TypeMismatch; Fault.TooDeep ]
    static let keys = [ Fault.TypeMismatch; Fault.Domain ]
    static let plain = [ Fault.TypeMismatch; Fault.TooDeep ]

    static let sizes = "size a + size b"

    static let addSizes =
        "Ints: size a + size b; Strings: (scalars a + scalars b)/8 after the display of the other side; Lists: their lengths"

    static let mulSizes =
        "Ints: size a + size b + size a * size b; repetition: scalars/8 or elements of the result"

    static let divSizes = "Ints: size a + size b + size a * size b"

    static let powSizes =
        "Ints: the square of the result's size, at most 256^2; negative or Float exponent: size a + size b"

    static let compareSizes =
        "Ints: size a + size b; Strings: min(scalars)/8; collections: 1 an element pair, and the pair's own"

    static let rows = [|
        let simple opcode number effect stack gas sizeGas faults meaning rule =
            row opcode number [] Flow.Next effect stack (gas, 0) sizeGas faults meaning rule

        let binary opcode number stack gas sizeGas faults meaning rule =
            simple opcode number (effect 2 1) stack gas sizeGas faults meaning rule

        let registers3 opcode number gas sizeGas faults meaning rule =
            row
                opcode
                number
                [ dst; left; right ]
                Flow.Next
                (effect 0 0)
                "[] -> []"
                (gas, 0)
                sizeGas
                faults
                meaning
                rule

        let registers2 opcode number gas sizeGas faults meaning rule =
            row opcode number [ dst; src ] Flow.Next (effect 0 0) "[] -> []" (gas, 0) sizeGas faults meaning rule

        row
            Opcode.LOAD_CONST
            1
            [ constant ]
            Flow.Next
            (effect 0 1)
            "[] -> [v]"
            (1, 0)
            "1 an element of a collection, at every level"
            none
            "Push a constant; a collection is copied, so that a program cannot change its own constants."
            "stack/load-const"

        row
            Opcode.LOAD_NAME
            2
            [ name ]
            Flow.Next
            (effect 0 1)
            "[] -> [v]"
            (2, 0)
            ""
            none
            "Push the variable's value; Null when the name was never stored."
            "stack/load-name"

        row
            Opcode.STORE_NAME
            3
            [ name ]
            Flow.Next
            (effect 1 0)
            "[v] -> []"
            (3, 0)
            ""
            none
            "Store the top into the variable."
            "stack/store-name"

        row
            Opcode.STORE_FUNC
            4
            [ name; func ]
            Flow.Next
            (effect 0 0)
            "[] -> []"
            (3, 0)
            "1 a captured variable"
            none
            "Make a Function that captures variables of this frame by reference, and store it."
            "stack/store-func"

        simple Opcode.POP 5 (effect 1 0) "[v] -> []" 1 "" none "Drop the top." "stack/pop"

        simple
            Opcode.DUP
            6
            (effect 1 2)
            "[v] -> [v v]"
            1
            ""
            none
            "Push the top once more; a collection is shared, not copied."
            "stack/dup"

        row
            Opcode.STORE_CONST
            7
            [ name; constant ]
            Flow.Next
            (effect 0 0)
            "[] -> []"
            (5, 0)
            "as LOAD_CONST"
            none
            "Store a copy of a constant into the variable."
            "stack/store-const"

        simple
            Opcode.INC
            8
            (effect 1 1)
            "[v] -> [v+1]"
            5
            "as ADD"
            [ Fault.TypeMismatch; Fault.IntegerTooLarge; Fault.StringTooLong ]
            "[v ADD 1]."
            "arith/inc"

        simple Opcode.DEC 9 (effect 1 1) "[v] -> [v-1]" 5 "as SUB" arithmetic "[v SUB 1]." "arith/dec"
        binary Opcode.ADD 10 "[a b] -> [a+b]" 3 addSizes addition "Add numbers, concatenate text or lists." "arith/add"
        binary Opcode.SUB 11 "[a b] -> [a-b]" 3 sizes arithmetic "Subtract numbers." "arith/sub"

        binary
            Opcode.MUL
            12
            "[a b] -> [a*b]"
            5
            mulSizes
            multiplication
            "Multiply numbers, repeat text or a list."
            "arith/mul"

        binary
            Opcode.DIV
            13
            "[a b] -> [a/b]"
            10
            divSizes
            division
            "Divide: the exact Int quotient if there is one, else the nearest Float."
            "arith/div"

        binary
            Opcode.MOD
            14
            "[a b] -> [a mod b]"
            10
            divSizes
            [ Fault.TypeMismatch; Fault.DivisionByZero ]
            "Floored remainder, with the divisor's sign."
            "arith/mod"

        binary Opcode.POW 15 "[a b] -> [a**b]" 20 powSizes power "Raise to a power, by squaring." "arith/pow"
        simple Opcode.NEG 16 (effect 1 1) "[a] -> [-a]" 2 "Int: size a" arithmetic "Negate a number." "arith/neg"

        binary
            Opcode.EQ
            20
            "[a b] -> [a=b]"
            2
            compareSizes
            [ Fault.TooDeep ]
            "Equal, by exact mathematical value."
            "compare/eq"

        binary Opcode.NEQ 21 "[a b] -> [a<>b]" 2 compareSizes [ Fault.TooDeep ] "Not EQ." "compare/neq"
        binary Opcode.LT 22 "[a b] -> [a<b]" 2 compareSizes ordering "Less." "compare/lt"
        binary Opcode.GT 23 "[a b] -> [a>b]" 2 compareSizes ordering "Greater." "compare/gt"
        binary Opcode.LTE 24 "[a b] -> [a<=b]" 2 compareSizes ordering "Less or equal." "compare/lte"
        binary Opcode.GTE 25 "[a b] -> [a>=b]" 2 compareSizes ordering "Greater or equal." "compare/gte"
        binary Opcode.AND 30 "[a b] -> [Bool]" 2 "" none "Both are true." "logic/and"
        binary Opcode.OR 31 "[a b] -> [Bool]" 2 "" none "Either is true." "logic/or"
        simple Opcode.NOT 32 (effect 1 1) "[a] -> [Bool]" 2 "" none "Is not true." "logic/not"

        row
            Opcode.JUMP
            40
            [ target ]
            Flow.Jump
            (effect 0 0)
            "[] -> []"
            (2, 0)
            ""
            none
            "Go to the target."
            "control/jump"

        row
            Opcode.JUMP_IF_FALSE
            41
            [ target ]
            Flow.Branch
            (effect 1 0)
            "[c] -> []"
            (3, 0)
            ""
            none
            "Go to the target if c is not true."
            "control/jump-if-false"

        row
            Opcode.JUMP_IF_TRUE
            42
            [ target ]
            Flow.Branch
            (effect 1 0)
            "[c] -> []"
            (3, 0)
            ""
            none
            "Go to the target if c is true."
            "control/jump-if-true"

        row
            Opcode.RETURN
            43
            []
            Flow.Leave
            (effect 0 0)
            "[… v] -> leaves v; [] -> leaves Null"
            (2, 0)
            ""
            none
            "Leave the frame with the top, or with Null when the operand stack is empty."
            "control/return"

        let calls = [ Fault.UndefinedFunction; Fault.TypeMismatch; Fault.CallTooDeep ]

        row
            Opcode.CALL_NAME
            50
            [ name; arguments ]
            Flow.Next
            (takes 0 1 1)
            "[a1 … an] -> [result]"
            (10, 2)
            "as the builtin; a host function: its own gas"
            calls
            "Call the variable's Function, else the builtin, else the host function of that name."
            "call/name"

        row
            Opcode.CALL_FUNC_CONST
            51
            [ func; arguments ]
            Flow.Next
            (takes 0 1 1)
            "[a1 … an] -> [result]"
            (5, 2)
            "1 a captured variable"
            [ Fault.CallTooDeep ]
            "Call a function of the table."
            "call/func-const"

        row
            Opcode.CALL_TOP
            52
            [ arguments ]
            Flow.Next
            (takes 1 1 1)
            "[f a1 … an] -> [result]"
            (10, 2)
            ""
            calls
            "Call the Function below its arguments."
            "call/top"

        row
            Opcode.CALL_BUILTIN
            53
            [ name; arguments ]
            Flow.Next
            (takes 0 1 1)
            "[a1 … an] -> [result]"
            (8, 2)
            "as the builtin; a host function: its own gas"
            [ Fault.UndefinedFunction ]
            "Call the builtin, else the host function, of that name."
            "call/builtin"

        row
            Opcode.CALL_METHOD
            54
            [ name; arguments ]
            Flow.Next
            (takes 1 1 1)
            "[target a1 … an] -> [result]"
            (10, 2)
            "as the method"
            [ Fault.UndefinedFunction ]
            "Call a method of the target's kind."
            "call/method"

        row
            Opcode.BUILD_LIST
            60
            [ count ]
            Flow.Next
            (takes 0 1 1)
            "[v1 … vn] -> [List]"
            (5, 1)
            ""
            [ Fault.CollectionTooLarge ]
            "A new List."
            "collection/build-list"

        row
            Opcode.BUILD_MAP
            61
            [ count ]
            Flow.Next
            (takes 0 2 1)
            "[k1 v1 … kn vn] -> [Map]"
            (5, 2)
            "the key's own, each key"
            (keys @ [ Fault.CollectionTooLarge ])
            "A new Map; a repeated key keeps its place and takes the later value."
            "collection/build-map"

        row
            Opcode.BUILD_SET
            62
            [ count ]
            Flow.Next
            (takes 0 1 1)
            "[v1 … vn] -> [Set]"
            (5, 1)
            "the key's own, each element"
            (keys @ [ Fault.CollectionTooLarge ])
            "A new Set; of equal elements the first stays."
            "collection/build-set"

        binary
            Opcode.INDEX
            63
            "[obj i] -> [v]"
            3
            "Map: the key's own"
            keys
            "Element, scalar or entry; Null when there is none."
            "collection/index"

        simple
            Opcode.SLICE
            64
            (effect 3 1)
            "[obj start end] -> [v]"
            5
            "List: elements of the result; String: its scalars/8"
            kinds
            "A part of a List or String; Null bounds are open, negative ones count from the end."
            "collection/slice"

        binary
            Opcode.GET_ATTR
            65
            "[obj name] -> [v]"
            3
            "the key's own"
            kinds
            "Entry of a Map under a String; Null when there is none."
            "collection/get-attr"

        simple
            Opcode.GET_LENGTH
            66
            (effect 1 1)
            "[obj] -> [n]"
            2
            ""
            kinds
            "Scalars of a String, elements of a collection, 0 for Null."
            "collection/get-length"

        later (simple Opcode.SPAWN 70 (effect 1 1) "[f] -> [Task]" 15 "" none "Start a task." "async/spawn")
        later (simple Opcode.AWAIT 71 (effect 1 1) "[Task] -> [v]" 10 "" none "Wait for a task's result." "async/await")

        later (
            row
                Opcode.SPAWN_CALL
                72
                [ name; arguments ]
                Flow.Next
                (takes 0 1 1)
                "[a1 … an] -> [Task]"
                (5, 2)
                ""
                none
                "Start a task that calls a name."
                "async/spawn-call"
        )

        row
            Opcode.REGISTER_EVENT
            80
            [ operand "event" OperandKind.Name; operand "handler" OperandKind.Name ]
            Flow.Next
            (effect 0 0)
            "[] -> []"
            (5, 0)
            ""
            none
            "Let the event call the global of the handler's name, once, behind those registered before."
            "event/register"

        row
            Opcode.EMIT_EVENT
            81
            [ operand "event" OperandKind.Name ]
            Flow.Next
            (effect 1 0)
            "[payload] -> []"
            (10, 0)
            "copy of the payload; 12 a handler"
            (plain @ [ Fault.UndefinedFunction; Fault.CallTooDeep ])
            "Record the event, then call its handlers in order of registration."
            "event/emit"

        simple
            Opcode.HASH_BLOCK
            110
            (effect 1 1)
            "[data] -> [hex]"
            50
            "the canonical bytes: see docs/semantics.md"
            plain
            "SHA-256 of the text or of the canonical JSON, in lower-case hex."
            "chain/hash-block"

        simple
            Opcode.VERIFY_SIGNATURE
            111
            (effect 3 1)
            "[signature message key] -> [Bool]"
            100
            "scalars/8 of each String"
            none
            "Is the signature of the message by the key valid? Malformed input: false."
            "chain/verify-signature"

        row
            Opcode.MERKLE_ROOT
            112
            [ count ]
            Flow.Next
            (takes 0 1 1)
            "[l1 … ln] -> [hex]"
            (30, 5)
            "as HASH_BLOCK, each leaf"
            plain
            "Merkle root over the leaves' hashes; \"\" for none."
            "chain/merkle-root"

        simple
            Opcode.STATE_READ
            113
            (effect 1 1)
            "[key] -> [v]"
            20
            "the key's own, and the copy"
            kinds
            "The state's value under a String, open transactions included; Null when there is none."
            "chain/state-read"

        simple
            Opcode.STATE_WRITE
            114
            (effect 2 0)
            "[key v] -> []"
            30
            "the key's own, and the copy"
            plain
            "Put plain data into the state."
            "chain/state-write"

        simple
            Opcode.TX_BEGIN
            115
            (effect 0 0)
            "[] -> []"
            20
            ""
            none
            "Open a transaction inside the open ones."
            "chain/tx-begin"

        simple
            Opcode.TX_COMMIT
            116
            (effect 0 0)
            "[] -> []"
            30
            ""
            none
            "Merge the innermost transaction into its parent."
            "chain/tx-commit"

        simple
            Opcode.TX_REVERT
            117
            (effect 0 0)
            "[] -> []"
            20
            ""
            none
            "Undo the innermost transaction's writes, ledger entries, events and registrations."
            "chain/tx-revert"

        row
            Opcode.GAS_CHARGE
            118
            [ amount ]
            Flow.Next
            (effect 0 0)
            "[] -> []"
            (2, 0)
            ""
            none
            "Charge 2 and the amount."
            "chain/gas-charge"

        simple
            Opcode.LEDGER_APPEND
            119
            (effect 1 0)
            "[entry] -> []"
            40
            "the copy"
            (plain @ [ Fault.CollectionTooLarge ])
            "Append plain data to the ledger, a Map with the block's timestamp if it has none."
            "chain/ledger-append"

        simple
            Opcode.REQUIRE
            130
            (effect 2 0)
            "[c message] -> []"
            5
            ""
            [ Fault.RequireFailed ]
            "Fault with the message unless c is true."
            "fault/require"

        simple
            Opcode.AUDIT_LOG
            136
            (effect 2 0)
            "[data action] -> []"
            15
            "the copies"
            plain
            "Append to the audit log, which no revert undoes."
            "chain/audit-log"

        row
            Opcode.SETUP_TRY
            140
            [ operand "handler" OperandKind.Target ]
            Flow.Try
            (effect 0 0)
            "[] -> []; handler: [] -> [fault]"
            (3, 0)
            ""
            none
            "Catch faults from here on at the handler."
            "fault/setup-try"

        simple
            Opcode.POP_TRY
            141
            (effect 0 0)
            "[] -> []"
            2
            ""
            none
            "Forget the frame's innermost handler, if it has one."
            "fault/pop-try"

        row
            Opcode.THROW
            142
            []
            Flow.Leave
            (effect 1 0)
            "[v] -> faults with v"
            (5, 0)
            ""
            [ Fault.Thrown ]
            "Fault with the value."
            "fault/throw"

        row
            Opcode.FOR_ITER
            150
            [ results ]
            Flow.Next
            {
                Pops = 2
                PopsPerCount = 0
                Pushes = 0
                PushesPerCount = 1
            }
            "[obj k] -> [element] or [key value]"
            (5, 0)
            ""
            kinds
            "The k-th element, entry or scalar; Nulls when there is none."
            "collection/for-iter"

        row
            Opcode.LOAD_REG
            200
            [ dst; constant ]
            Flow.Next
            (effect 0 0)
            "[] -> []"
            (1, 0)
            "as LOAD_CONST"
            none
            "dst := a copy of the constant."
            "register/load"

        row
            Opcode.LOAD_VAR_REG
            201
            [ dst; name ]
            Flow.Next
            (effect 0 0)
            "[] -> []"
            (2, 0)
            ""
            none
            "dst := the variable."
            "register/load-var"

        row
            Opcode.STORE_REG
            202
            [ src; name ]
            Flow.Next
            (effect 0 0)
            "[] -> []"
            (3, 0)
            ""
            none
            "The variable := src."
            "register/store"

        registers2 Opcode.MOV_REG 203 1 "" none "dst := src." "register/mov"
        registers3 Opcode.ADD_REG 210 3 "as ADD" addition "dst := a ADD b." "register/add"
        registers3 Opcode.SUB_REG 211 3 "as SUB" arithmetic "dst := a SUB b." "register/sub"
        registers3 Opcode.MUL_REG 212 5 "as MUL" multiplication "dst := a MUL b." "register/mul"
        registers3 Opcode.DIV_REG 213 10 "as DIV" division "dst := a DIV b." "register/div"

        registers3
            Opcode.MOD_REG
            214
            10
            "as MOD"
            [ Fault.TypeMismatch; Fault.DivisionByZero ]
            "dst := a MOD b."
            "register/mod"

        registers3 Opcode.POW_REG 215 20 "as POW" power "dst := a POW b." "register/pow"
        registers2 Opcode.NEG_REG 216 2 "as NEG" arithmetic "dst := NEG src." "register/neg"
        registers3 Opcode.EQ_REG 220 2 "as EQ" [ Fault.TooDeep ] "dst := a EQ b." "register/eq"
        registers3 Opcode.NEQ_REG 221 2 "as EQ" [ Fault.TooDeep ] "dst := a NEQ b." "register/neq"
        registers3 Opcode.LT_REG 222 2 "as LT" ordering "dst := a LT b." "register/lt"
        registers3 Opcode.GT_REG 223 2 "as LT" ordering "dst := a GT b." "register/gt"
        registers3 Opcode.LTE_REG 224 2 "as LT" ordering "dst := a LTE b." "register/lte"
        registers3 Opcode.GTE_REG 225 2 "as LT" ordering "dst := a GTE b." "register/gte"
        registers3 Opcode.AND_REG 230 2 "" none "dst := a AND b." "register/and"
        registers3 Opcode.OR_REG 231 2 "" none "dst := a OR b." "register/or"
        registers2 Opcode.NOT_REG 232 2 "" none "dst := NOT src." "register/not"
        row Opcode.PUSH_REG 240 [ src ] Flow.Next (effect 0 1) "[] -> [v]" (1, 0) "" none "Push src." "register/push"

        row
            Opcode.POP_REG
            241
            [ dst ]
            Flow.Next
            (effect 1 0)
            "[v] -> []"
            (1, 0)
            ""
            none
            "dst := the top."
            "register/pop"

        simple
            Opcode.PRINT
            250
            (effect 1 0)
            "[v] -> []"
            10
            "the display"
            [ Fault.StringTooLong; Fault.TooDeep ]
            "Write the display form and a line feed to the output."
            "output/print"

        simple Opcode.NOP 255 (effect 0 0) "[] -> []" 0 "" none "Nothing." "control/nop"

        later (
            row
                Opcode.FORK_EXECUTION
                300
                [ operand "workers" OperandKind.Count ]
                Flow.Next
                (effect 0 0)
                "[] -> []"
                (15, 0)
                ""
                none
                "Fork into workers."
                "parallel/fork"
        )

        later (
            simple Opcode.JOIN_WORKERS 301 (effect 0 0) "[] -> []" 10 "" none "Wait for the workers." "parallel/join"
        )

        later (
            row
                Opcode.PARALLEL_MAP
                302
                [ func ]
                Flow.Next
                (effect 1 1)
                "[list] -> [list]"
                (5, 0)
                ""
                none
                "Map a function over a List."
                "parallel/map"
        )

        later (
            row
                Opcode.BARRIER_SYNC
                303
                [ operand "barrier" OperandKind.Count ]
                Flow.Next
                (effect 0 0)
                "[] -> []"
                (5, 0)
                ""
                none
                "Meet the other workers."
                "parallel/barrier"
        )

        later (
            row
                Opcode.SHARED_READ
                304
                [ name ]
                Flow.Next
                (effect 0 1)
                "[] -> [v]"
                (5, 0)
                ""
                none
                "Read a shared variable."
                "parallel/shared-read"
        )

        later (
            row
                Opcode.SHARED_WRITE
                305
                [ name ]
                Flow.Next
                (effect 1 0)
                "[v] -> []"
                (5, 0)
                ""
                none
                "Write a shared variable."
                "parallel/shared-write"
        )
    |]

    static let reserved =
        let modules = "modules are resolved by the compiler, before there is bytecode"

        let definitions =
            "definitions are a matter of the source language; contracts compile to functions and maps"

        let screens = "a contract has no screen"

        let capabilities =
            "upstream records capabilities and enforces none; contracts check the caller with REQUIRE"

        let files =
            "a contract has no files: the same program must give the same result on every machine"

        let errorMode =
            "continuing after an error skips instructions that ran out of gas; use SETUP_TRY"

        let locks = "workers share nothing, so there is nothing to lock"

        [|
            90, "IMPORT", modules
            91, "EXPORT", modules
            100, "DEFINE_ENUM", definitions
            101, "DEFINE_PROTOCOL", definitions
            102, "ASSERT_PROTOCOL", definitions
            120, "DEFINE_SCREEN", screens
            121, "DEFINE_COMPONENT", screens
            122, "DEFINE_THEME", screens
            131, "DEFINE_CONTRACT", definitions
            132, "DEFINE_ENTITY", definitions
            133, "DEFINE_CAPABILITY", capabilities
            134, "GRANT_CAPABILITY", capabilities
            135, "REVOKE_CAPABILITY", capabilities
            137, "RESTRICT_ACCESS", capabilities
            160, "ENABLE_ERROR_MODE", errorMode
            251, "READ", files
            252, "WRITE", files
            306, "LOCK_ACQUIRE", locks
            307, "LOCK_RELEASE", locks
            308, "ATOMIC_ADD", locks
            309, "ATOMIC_CAS", locks
        |]
        |> Array.map (fun (number, mnemonic, reason) -> {
            Number = number
            Mnemonic = mnemonic
            Reason = reason
        })

    static let byNumber =
        let table = Dictionary<int, OpcodeInfo>()

        for info in rows do
            table.Add(info.Number, info)

        table

    static let byMnemonic =
        let table = Dictionary<string, OpcodeInfo>(StringComparer.OrdinalIgnoreCase)

        for info in rows do
            table.Add(info.Mnemonic, info)

        table

    static let byOpcode =
        let table = Dictionary<Opcode, OpcodeInfo>()

        for info in rows do
            table.Add(info.Opcode, info)

        table

    /// Every row, by number.
    static member Rows: IReadOnlyList<OpcodeInfo> = rows

    /// Numbers that no program may use.
    static member Reserved: IReadOnlyList<ReservedNumber> = reserved

    static member TryFind(number: int, [<Out>] info: byref<OpcodeInfo>) = byNumber.TryGetValue(number, &info)

    static member TryFind(mnemonic: string, [<Out>] info: byref<OpcodeInfo>) = byMnemonic.TryGetValue(mnemonic, &info)

    static member Of(opcode: Opcode) = byOpcode[opcode]
