namespace Zexus.Differential

open System.Numerics
open Zexus.Isa

/// Programs about one opcode, builtin or method each: set up its operands, run it, look at what it did.
/// Each pair of kinds of the first two operands gets its turn: turn t is about the t-th of them all.
[<RequireQualifiedAccess>]
module RuleDirected =
    /// Kinds of operands, split where meanings split.
    [<RequireQualifiedAccess>]
    type Flavour =
        | Null
        | Bool
        | Small
        | Word
        | Huge
        | Float
        | OddFloat
        | String
        | Text
        | List
        | Map
        | Set
        | Function
        | Cyclic

    let flavours = [|
        Flavour.Null
        Flavour.Bool
        Flavour.Small
        Flavour.Word
        Flavour.Huge
        Flavour.Float
        Flavour.OddFloat
        Flavour.String
        Flavour.Text
        Flavour.List
        Flavour.Map
        Flavour.Set
        Flavour.Function
        Flavour.Cyclic
    |]

    [<RequireQualifiedAccess>]
    type Subject =
        | Opcode of OpcodeInfo
        | Routine of RoutineInfo * name: string

    let subjects: Subject[] = [|
        for info in InstructionSet.Rows do
            if info.Status = Status.Specified then
                Subject.Opcode info
        for row in Library.Rows do
            for name in row.Names do
                Subject.Routine(row, name)
    |]

    let private operandCount (subject: Subject) =
        match subject with
        | Subject.Opcode info ->
            if info.Operands |> Array.exists (fun o -> o.Kind = OperandKind.Register) then
                match info.Operands.Length with
                | 3 -> 2
                | _ -> 1
            else
                info.Effect.Pops + 2 * info.Effect.PopsPerCount
        | Subject.Routine(row, _) -> (if row.Receiver = Receiver.Nothing then 0 else 1) + row.Parameters.Length

    let private turnsOf (subject: Subject) =
        match subject with
        | Subject.Routine(row, _) when row.Receiver <> Receiver.Nothing ->
            if row.Parameters.Length > 0 then 2 * flavours.Length else 4
        | _ ->
            match operandCount subject with
            | 0 -> 4
            | 1 -> flavours.Length
            | _ -> flavours.Length * flavours.Length

    /// (subject, number of the combination), turn by turn.
    let private agenda: struct (Subject * int)[] = [|
        for subject in subjects do
            for turn in 0 .. turnsOf subject - 1 do
                struct (subject, turn)
    |]

    /// How many turns there are until every combination had one.
    let turns = agenda.Length

    let private value (r: Rng) (w: Writer) (helper: int) (flavour: Flavour) =
        match flavour with
        | Flavour.Null -> w.Constant(Data.Null, Guess.Null)
        | Flavour.Bool -> w.Constant(Data.Bool(r.Chance 500), Guess.Bool)
        | Flavour.Small -> w.Int(r.Between(-4, 9))
        | Flavour.Word -> w.Constant(Data.Int(r.Pick Values.edgeInts), Guess.Int)
        | Flavour.Huge -> w.Constant(Data.Int(r.Pick Values.hugeInts), Guess.Int)
        | Flavour.Float -> w.Constant(Data.Float(r.Pick [| 0.5; -0.5; 1.0; 2.0; -3.0; 0.1; 2.5; 1e10 |]), Guess.Float)
        | Flavour.OddFloat -> w.Constant(Data.Float(Values.float r), Guess.Float)
        | Flavour.String -> w.Text(r.Pick [| ""; "a"; "ab"; "1"; "key"; "é𝒳" |])
        | Flavour.Text -> w.Text(Values.string r)
        | Flavour.List ->
            if r.Chance 700 then
                w.Constant(Values.list r 2, Guess.List)
            else
                // One list twice within another.
                w.Constant(Values.list r 1, Guess.List)
                w.Emit(Opcode.DUP, Guess.List)
                w.Emit(Opcode.BUILD_LIST, 2, 0, 0, Guess.List)
        | Flavour.Map -> w.Constant(Values.map r 2, Guess.Map)
        | Flavour.Set -> w.Constant(Values.set r, Guess.Set)
        | Flavour.Function ->
            let name = w.Pool.Name "callee"
            w.Emit(Opcode.STORE_FUNC, name, helper, 0, Guess.Any)
            w.Emit(Opcode.LOAD_NAME, name, 0, 0, Guess.Function)
        | Flavour.Cyclic ->
            match r.Below 3 with
            | 0 ->
                // A list that holds itself.
                w.Constant(Values.list r 1, Guess.List)
                w.Emit(Opcode.DUP, Guess.List)
                w.Emit(Opcode.DUP, Guess.List)
                w.Emit(Opcode.CALL_METHOD, w.Pool.Name "push", 1, 0, Guess.List)
                w.Emit Opcode.POP
            | 1 ->
                w.Constant(Values.map r 1, Guess.Map)
                w.Emit(Opcode.DUP, Guess.Map)
                w.Text "self"
                w.Emit(Opcode.DUP, Guess.Any)
                w.Emit Opcode.POP
                // [m m "self"] -> store, so that the map can be its own value
                w.Store "key"
                w.Store "itself"
                w.Load "itself"
                w.Load "key"
                w.Load "itself"
                w.Emit(Opcode.CALL_METHOD, w.Pool.Name "set", 2, 0, Guess.Map)
            | _ -> w.Constant(Values.nested (r.Pick [| 2; 5; 250; 255; 256 |]) (Tree.ofInt 7), Guess.List)

    /// Turn t: about subject and combination t modulo `turns`; everything else is up to the random stream.
    /// Is it the turn of a call of a contract?
    let callsContract (turn: int64) : bool =
        let struct (subject, _) = agenda[int (turn % int64 turns)]

        match subject with
        | Subject.Routine(row, _) -> row.Routine = Routine.CallContract
        | Subject.Opcode _ -> false

    let program (r: Rng) (turn: int64) (hosts: HostFunction[]) (callees: Callee[]) : Program =
        let struct (subject, combination) = agenda[int (turn % int64 turns)]
        let pool = Pool()

        // Three functions to hand over or to call: function 1 to 3, by their number of parameters.
        let helper index =
            let parameters = [| "p"; "q" |][.. index - 2]
            let w = Writer(pool, $"f{index}", parameters, [||], [||])

            match index with
            | 1 -> w.Int 42
            | 2 ->
                match r.Below 4 with
                | 0 -> w.Load "p"
                | 1 ->
                    w.Load "p"
                    w.Int 1
                    w.Emit(Opcode.ADD, Guess.Any)
                | 2 ->
                    w.Load "p"
                    w.Int 2
                    w.Emit(Opcode.GT, Guess.Bool)
                | _ ->
                    w.Load "p"
                    w.Emit Opcode.PRINT
                    w.Load "p"
            | _ ->
                w.Load "p"
                w.Load "q"
                w.Emit(r.Pick [| Opcode.SUB; Opcode.ADD; Opcode.GT; Opcode.LT; Opcode.EQ |], Guess.Any)

            if r.Chance 100 then
                w.Emit Opcode.THROW
            elif r.Chance 500 then
                w.Emit Opcode.RETURN

            w.Definition

        let helpers = [| helper 1; helper 2; helper 3 |]

        let w =
            Writer(pool, "", [||], (if r.Chance 500 then [| "x"; "y"; "result" |] else [||]), [||])

        let guarded = r.Chance 350
        let inTransaction = r.Chance 150

        if inTransaction then
            w.Emit Opcode.TX_BEGIN

        let setup = if guarded then w.Jump Opcode.SETUP_TRY else -1
        let first = flavours[combination % flavours.Length]
        let second = flavours[combination / flavours.Length % flavours.Length]
        let pushed = ResizeArray<string>()

        let any () =
            if r.Chance 500 then
                r.Pick [| Flavour.Small; Flavour.String; Flavour.Null; Flavour.List |]
            else
                r.Pick flavours

        // Each operand also stays in a variable, so that what the operation did to it can be seen afterwards.
        let give (flavour: Flavour) (callback: int) =
            if callback > 0 && flavour = Flavour.Function then
                value r w (callback + 1) flavour
            else
                value r w (r.Between(1, 3)) flavour

            if r.Chance 400 then
                let v = [| "x"; "y"; "z" |][pushed.Count % 3]
                w.Store v
                w.Load v

                if not (pushed.Contains v) then
                    pushed.Add v

        let flavourOf (receiver: Receiver) =
            match receiver with
            | Receiver.String -> r.Pick [| Flavour.String; Flavour.Text |]
            | Receiver.List -> if r.Chance 100 then Flavour.Cyclic else Flavour.List
            | Receiver.Map -> Flavour.Map
            | Receiver.Set -> Flavour.Set
            | Receiver.Nothing -> first

        let before = w.Height

        match subject with
        | Subject.Routine(row, _) when row.Routine = Routine.CallContract && callees.Length > 0 && r.Chance 800 ->
            w.CallContract(r, callees, (fun () -> give (any ()) 0))
        | Subject.Routine(row, name) ->
            let callback = Shapes.callbackArity row.Routine
            let struct (wanted, _) = Shapes.ofRoutine row.Routine

            if row.Receiver <> Receiver.Nothing then
                give
                    (if r.Chance 30 then
                         r.Pick flavours
                     else
                         flavourOf row.Receiver)
                    0

            let n =
                match r.Below 10 with
                | 0 -> max 0 (row.Parameters.Length - 1)
                | 1 -> row.Parameters.Length + 1
                | _ -> row.Parameters.Length

            for i in 0 .. n - 1 do
                let flavour =
                    match i with
                    | 0 ->
                        // A method's first argument has its turn twice; the second time it tends to be what it should.
                        if combination >= flavours.Length && row.Receiver <> Receiver.Nothing && wanted.Length > 0 then
                            match wanted[0] with
                            | Guess.String -> r.Pick [| Flavour.String; Flavour.Text |]
                            | Guess.Int -> Flavour.Small
                            | Guess.Function -> Flavour.Function
                            | _ -> first
                        else
                            first
                    | 1 when row.Receiver = Receiver.Nothing -> second
                    | _ ->
                        match (if i < wanted.Length then wanted[i] else Guess.Any) with
                        | Guess.String -> r.Pick [| Flavour.String; Flavour.Text; Flavour.String; any () |]
                        | Guess.Int -> r.Pick [| Flavour.Small; Flavour.Small; Flavour.Null; any () |]
                        | _ -> any ()

                give flavour callback

            if row.Receiver = Receiver.Nothing then
                w.Emit(
                    (if r.Chance 500 then
                         Opcode.CALL_BUILTIN
                     else
                         Opcode.CALL_NAME),
                    pool.Name name,
                    n,
                    0,
                    Guess.Any
                )
            else
                w.Emit(Opcode.CALL_METHOD, pool.Name name, n, 0, Guess.Any)
        | Subject.Opcode info ->
            let opcode = info.Opcode

            let register () =
                if r.Chance 700 then r.Below 4 else r.Below 16

            match info.Flow, opcode with
            | Flow.Jump, _ ->
                let at = w.Jump opcode
                w.Int 1
                w.Emit Opcode.PRINT
                w.Place at
            | Flow.Branch, _ ->
                give first 0
                let at = w.Jump opcode
                w.Int 1
                w.Emit Opcode.PRINT
                w.Place at
            | Flow.Try, _ ->
                let at = w.Jump opcode
                give (r.Pick flavours) 0
                give (r.Pick flavours) 0
                w.Emit(r.Pick [| Opcode.ADD; Opcode.DIV; Opcode.LT |], Guess.Any)
                w.Emit Opcode.POP_TRY
                w.Place at
            | Flow.Leave, Opcode.RETURN ->
                let skip =
                    if r.Chance 700 then
                        value r w 1 (r.Pick flavours)
                        w.Jump Opcode.JUMP_IF_TRUE
                    else
                        -1

                let snapshot = w.Snapshot()

                for _ in 1 .. r.Below 3 do
                    give (any ()) 0

                w.Emit opcode
                w.Restore snapshot

                if skip >= 0 then
                    w.Place skip
            | Flow.Leave, _ ->
                give first 0
                w.Emit opcode
            | Flow.Next, _ when info.Operands |> Array.exists (fun o -> o.Kind = OperandKind.Register) ->
                let d, a, b = register (), register (), register ()

                match opcode with
                | Opcode.LOAD_REG ->
                    w.Emit(opcode, d, pool.Constant(Values.data r 2), 0, Guess.Any)
                    w.Emit(Opcode.PUSH_REG, d, 0, 0, Guess.Any)
                | Opcode.LOAD_VAR_REG ->
                    value r w 1 (r.Pick flavours)
                    w.Store "x"
                    w.Emit(opcode, d, pool.Name "x", 0, Guess.Any)
                    w.Emit(Opcode.PUSH_REG, d, 0, 0, Guess.Any)
                | Opcode.STORE_REG ->
                    value r w 1 (r.Pick flavours)
                    w.Emit(Opcode.POP_REG, a, 0, 0, Guess.Any)
                    w.Emit(opcode, a, pool.Name "x", 0, Guess.Any)
                    w.Load "x"
                | Opcode.PUSH_REG
                | Opcode.POP_REG ->
                    if r.Chance 800 then
                        value r w 1 (r.Pick flavours)
                        w.Emit(Opcode.POP_REG, a, 0, 0, Guess.Any)

                    w.Emit(Opcode.PUSH_REG, a, 0, 0, Guess.Any)
                | _ ->
                    give first 0
                    w.Emit(Opcode.POP_REG, a, 0, 0, Guess.Any)

                    if info.Operands.Length = 3 then
                        give second 0
                        w.Emit(Opcode.POP_REG, b, 0, 0, Guess.Any)

                    w.Emit(opcode, d, a, b, Guess.Any)
                    w.Emit(Opcode.PUSH_REG, d, 0, 0, Guess.Any)

                    if r.Chance 300 then
                        w.Emit(Opcode.PUSH_REG, a, 0, 0, Guess.Any)
            | _ ->
                let count =
                    if info.Effect.PopsPerCount = 0 then 0
                    elif r.Chance 500 then 2
                    else r.Below 5

                // The callee of CALL_TOP lies below its arguments.
                if opcode = Opcode.CALL_TOP then
                    if r.Chance 700 then
                        value r w (r.Between(1, 3)) Flavour.Function
                    else
                        give first 0
                elif opcode = Opcode.VERIFY_SIGNATURE && r.Chance 700 then
                    let drawn = SignatureCases.draw r
                    w.Text drawn.Signature
                    w.Text drawn.Message
                    w.Text drawn.Key
                elif opcode = Opcode.STATE_READ && r.Chance 500 then
                    w.Text(r.Pick [| "a"; "b"; "key" |])
                elif opcode = Opcode.STATE_WRITE && r.Chance 600 then
                    w.Text(r.Pick [| "a"; "b"; "key" |])
                    give first 0
                elif opcode = Opcode.CALL_NAME && r.Chance 400 then
                    // The name holds this.
                    value r w (r.Between(1, 3)) (if r.Chance 600 then Flavour.Function else first)
                    w.Store "x"

                let pops =
                    match opcode with
                    | Opcode.CALL_TOP -> count
                    | Opcode.CALL_METHOD -> 1 + count
                    | _ -> info.Effect.Pops + info.Effect.PopsPerCount * count

                let perCount = info.Effect.PopsPerCount

                while w.Height - before < (if opcode = Opcode.CALL_TOP then 1 + count else pops) do
                    let i = w.Height - before

                    let flavour =
                        if opcode = Opcode.BUILD_MAP && i % 2 = 0 && i >= 2 || opcode = Opcode.BUILD_SET && i >= 2 then
                            r.Pick [| first; second; Flavour.Small; Flavour.String |]
                        else
                            match i with
                            | 0 -> first
                            | 1 -> second
                            | 2 when opcode = Opcode.SLICE ->
                                r.Pick [| Flavour.Small; Flavour.Null; Flavour.Small; any () |]
                            | _ -> any ()

                    give flavour 0

                ignore perCount

                let operand (o: Operand) =
                    match o.Kind with
                    | OperandKind.Constant -> pool.Constant(Values.data r 2)
                    | OperandKind.Name ->
                        match opcode with
                        | Opcode.CALL_NAME
                        | Opcode.CALL_BUILTIN ->
                            pool.Name(
                                match r.Below 6 with
                                | 0
                                | 1 -> "x"
                                | 2 when hosts.Length > 0 -> (r.Pick hosts).Name
                                | 3 -> "nobody"
                                | _ -> (r.Pick Shapes.rows).Names[0]
                            )
                        | Opcode.CALL_METHOD -> pool.Name((r.Pick Shapes.rows).Names[0])
                        | Opcode.REGISTER_EVENT ->
                            if o.Name = "event" then
                                pool.Name "e"
                            else
                                pool.Name(r.Pick [| "callee"; "str"; "nobody" |])
                        | Opcode.EMIT_EVENT -> pool.Name "e"
                        | Opcode.LOAD_NAME -> pool.Name(r.Pick [| "x"; "z"; "callee"; "nobody" |])
                        | _ -> pool.Name "x"
                    | OperandKind.Function -> r.Between(1, 3)
                    | OperandKind.Count -> count
                    | OperandKind.Results -> r.Between(1, 2)
                    | OperandKind.Amount -> r.Pick [| 0; 1; 10; 1000 |]
                    | OperandKind.Register
                    | OperandKind.Target -> 0

                if opcode = Opcode.EMIT_EVENT then
                    for _ in 1 .. r.Below 3 do
                        let handler = r.Pick [| "onE"; "str"; "callee"; "nobody" |]

                        if handler = "onE" || handler = "callee" then
                            w.Emit(Opcode.STORE_FUNC, pool.Name handler, r.Between(1, 3), 0, Guess.Any)

                        if handler <> "nobody" || r.Chance 200 then
                            w.Emit(Opcode.REGISTER_EVENT, pool.Name "e", pool.Name handler, 0, Guess.Any)

                let operands = info.Operands |> Array.map operand

                let at i =
                    if i < operands.Length then operands[i] else 0

                w.Emit(opcode, at 0, at 1, at 2, Guess.Any)

                match opcode with
                | Opcode.STORE_NAME
                | Opcode.STORE_CONST
                | Opcode.STORE_FUNC -> w.Load "x"
                | Opcode.REGISTER_EVENT when r.Chance 600 ->
                    w.Emit(Opcode.STORE_FUNC, pool.Name "callee", r.Between(1, 3), 0, Guess.Any)
                    w.Int 5
                    w.Emit(Opcode.EMIT_EVENT, pool.Name "e", 0, 0, Guess.Any)
                | Opcode.STATE_WRITE when r.Chance 600 ->
                    w.Text(r.Pick [| "a"; "b"; "key" |])
                    w.Emit(Opcode.STATE_READ, Guess.Any)
                | Opcode.LOAD_CONST when r.Chance 500 ->
                    // A copy, so that a change to it does not show in the next one.
                    w.Emit(Opcode.DUP, Guess.Any)
                    w.Int 3
                    w.Emit(Opcode.CALL_METHOD, pool.Name(r.Pick [| "push"; "add"; "delete" |]), 1, 0, Guess.Any)
                    w.Emit(Opcode.LOAD_CONST, at 0, 0, 0, Guess.Any)
                | _ -> ()

        // What it left, what became of its operands, and the gas.
        let results = w.Height

        for v in pushed do
            w.Load v

        if r.Chance 300 then
            w.Emit(Opcode.CALL_BUILTIN, pool.Name "gas_left", 0, 0, Guess.Int)

        if r.Chance 200 && results > 0 then
            w.Emit(r.Pick [| Opcode.PRINT; Opcode.LEDGER_APPEND; Opcode.POP |], Guess.Any)

        if inTransaction && r.Chance 700 then
            w.Emit(if r.Chance 500 then Opcode.TX_COMMIT else Opcode.TX_REVERT)

        w.Emit(Opcode.BUILD_LIST, w.Height, 0, 0, Guess.List)

        if guarded then
            let snapshot = w.Snapshot()

            if r.Chance 500 then
                w.Emit Opcode.POP_TRY

            let over = w.Jump Opcode.JUMP
            w.Place setup
            w.Restore [| Guess.Any |]
            w.Emit(Opcode.DUP, Guess.Any)
            w.Emit Opcode.PRINT
            w.Restore snapshot
            w.Place over

        if r.Chance 300 then
            w.Emit Opcode.RETURN

        {
            Constants = pool.Constants
            Names = pool.Names
            Functions = Array.append [| w.Definition |] helpers
        }
