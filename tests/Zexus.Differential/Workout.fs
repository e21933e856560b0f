namespace Zexus.Differential

open System
open System.Numerics
open Zexus.Isa

/// Programs that stay with one thing: many operations on one table, one list, the chain's world, closures, frames that
/// need much room. What only shows after a history, such as an index that a deletion left wrong, shows here.
[<RequireQualifiedAccess>]
module Workout =
    let private definition (w: Writer) = w.Definition

    let private program (pool: Pool) (functions: FunctionDefinition[]) : Program = {
        Constants = pool.Constants
        Names = pool.Names
        Functions = functions
    }

    let private call (w: Writer) (name: string) (arguments: int) =
        w.Emit(Opcode.CALL_METHOD, w.Pool.Name name, arguments, 0, Guess.Any)

    let private builtin (w: Writer) (name: string) (arguments: int) =
        w.Emit(Opcode.CALL_BUILTIN, w.Pool.Name name, arguments, 0, Guess.Any)

    let private constant (w: Writer) (data: Data) = w.Constant(data, Guess.Any)

    let private guarded (w: Writer) (body: unit -> unit) = w.Guarded body

    /// The local variable that counts rounds.
    let private rounds = "rounds"

    /// Half of the workouts go round: where few operations make a long history.
    let private repeated (r: Rng) (w: Writer) (body: unit -> unit) =
        if r.Chance 500 then
            w.Rounds(r.Pick [| 2; 3; 5; 8 |], rounds, body)
        else
            body ()

    // One Map or Set.

    let private table (r: Rng) : Program =
        let pool = Pool()
        let w = Writer(pool, "", [||], [| "t"; "u"; "i"; rounds |], [||])
        let isMap = r.Chance 600

        let universe =
            Array.init (r.Pick [| 4; 10; 30; 60 |]) (fun i ->
                match r.Below 5 with
                | 0 -> Values.key r
                | 1 -> Data.String $"k{i}"
                | 2 -> Data.Float(float i)
                | _ -> Tree.ofInt i)

        let value () =
            if r.Chance 150 then
                Values.data r 1
            else
                Tree.ofInt (r.Below 100)

        let start =
            Array.init (r.Below(universe.Length + 1)) (fun _ -> r.Pick universe) |> Tree.distinctItems

        constant
            w
            (if isMap then
                 Data.Map(start |> Array.map (fun k -> Tree.pair k (value ())))
             else
                 Data.Set start)

        w.Store "t"
        w.Load "t"
        w.Store "u"

        repeated r w (fun () ->
            for _ in 1 .. r.Between(5, 40) do
                let key () = constant w (r.Pick universe)
                w.Load(if r.Chance 900 then "t" else "u")

                match r.Below 20 with
                | 0
                | 1
                | 2
                | 3
                | 4 ->
                    key ()

                    if isMap then
                        constant w (value ())
                        call w "set" 2
                    else
                        call w "add" 1
                | 5
                | 6
                | 7
                | 8 ->
                    key ()
                    call w "delete" 1
                | 9
                | 10
                | 11 ->
                    key ()
                    call w "has" 1
                | 12
                | 13 when isMap ->
                    key ()
                    w.Emit Opcode.INDEX
                | 14 when isMap ->
                    key ()
                    w.Text "none"
                    call w "get" 2
                | 15 ->
                    call
                        w
                        (if isMap then
                             r.Pick [| "keys"; "values"; "entries" |]
                         else
                             "values")
                        0
                | 16 ->
                    w.Int(r.Between(-1, 12))
                    w.Emit(Opcode.FOR_ITER, 1, 0, 0, Guess.Any)
                | 17 ->
                    // The same elements in another order.
                    w.Load "t"
                    call w (if isMap then "entries" else "values") 0
                    w.Emit Opcode.POP
                    w.Load "u"
                    w.Emit Opcode.EQ
                | 18 ->
                    constant
                        w
                        (if isMap then
                             Data.Map(start |> Array.rev |> Array.map (fun k -> Tree.pair k (value ())))
                         else
                             Data.Set(Array.rev start))

                    w.Emit Opcode.EQ
                | _ -> builtin w (r.Pick [| "len"; "str"; "type" |]) 1

                w.Emit Opcode.POP

                if r.Chance 30 then
                    w.Load "t"
                    w.Store "u")

        w.Load "t"

        if r.Chance 300 then
            w.Emit Opcode.HASH_BLOCK

        program pool [| definition w |]

    // One List.

    let private list (r: Rng) : Program =
        let pool = Pool()
        let compare = Writer(pool, "compare", [| "a"; "b" |], [||], [||])
        compare.Load "a"
        compare.Load "b"
        compare.Emit(r.Pick [| Opcode.SUB; Opcode.GT; Opcode.LT |])
        let change = Writer(pool, "change", [| "x" |], [||], [| "l" |])

        match r.Below 4 with
        | 0 ->
            // While the routine runs, its list changes.
            change.Load "l"
            change.Load "x"
            call change (r.Pick [| "push"; "index_of" |]) 1
            change.Emit Opcode.POP
            change.Load "x"
        | 1 ->
            change.Load "l"
            call change "pop" 0
        | _ ->
            change.Load "x"
            change.Int 2
            change.Emit(r.Pick [| Opcode.MUL; Opcode.GT; Opcode.ADD |])

        let w = Writer(pool, "", [||], [| "l"; "m"; "f"; "g"; rounds |], [||])

        // Most items are of one kind, so that the List stores them as that; a stray one makes it store anything.
        let family = r.Below 10
        let stray = r.Pick [| 0; 0; 30; 200 |]

        let item () =
            match if r.Chance stray then r.Below 10 else family with
            | 0
            | 1 -> Data.Bool(r.Chance 500)
            | 2
            | 3 -> Data.Float(float (r.Between(-20, 20)) / 4.0)
            | 4 -> Data.Int(Values.int r)
            | 5 -> Values.data r 1
            | _ -> Tree.ofInt (r.Between(-20, 20))

        constant w (Data.List(Array.init (r.Pick [| 0; 3; 8; 20; 33 |]) (fun _ -> item ())))
        w.Store "l"
        w.Load "l"
        w.Store "m"
        w.Emit(Opcode.STORE_FUNC, pool.Name "f", 1, 0, Guess.Any)
        w.Emit(Opcode.STORE_FUNC, pool.Name "g", 2, 0, Guess.Any)

        repeated r w (fun () ->
            for _ in 1 .. r.Between(4, 20) do
                guarded w (fun () ->
                    let index () = w.Int(r.Between(-12, 12))
                    w.Load(if r.Chance 800 then "l" else "m")

                    match r.Below 22 with
                    | 0
                    | 1 ->
                        constant w (item ())
                        call w "push" 1
                    | 2 ->
                        for _ in 1 .. r.Pick [| 0; 0; 0; 30 |] do
                            w.Emit Opcode.DUP
                            call w "pop" 0
                            w.Emit Opcode.POP

                        call w "pop" 0
                    | 3 ->
                        index ()
                        constant w (item ())
                        call w "set" 2
                    | 4 ->
                        index ()
                        w.Emit Opcode.INDEX
                    | 5 ->
                        index ()
                        index ()
                        w.Emit Opcode.SLICE
                    | 6
                    | 7 -> call w "sort" 0
                    | 8
                    | 9 ->
                        w.Load "f"
                        call w "sort" 1
                    | 10 ->
                        w.Load "g"
                        call w (r.Pick [| "map"; "filter" |]) 1
                    | 11 ->
                        w.Load "f"

                        if r.Chance 500 then
                            call w "reduce" 1
                        else
                            constant w (item ())
                            call w "reduce" 2
                    | 12 ->
                        constant w (item ())
                        call w (r.Pick [| "contains"; "index_of" |]) 1
                    | 13 -> call w (r.Pick [| "first"; "last"; "is_empty"; "length" |]) 0
                    | 14 -> call w (r.Pick [| "reverse"; "flatten" |]) 0
                    | 15 ->
                        w.Text(r.Pick [| ""; ", " |])
                        call w "join" 1
                    | 16 ->
                        w.Load "m"
                        w.Emit(r.Pick [| Opcode.ADD; Opcode.EQ; Opcode.LT; Opcode.GTE |])
                    | 17 ->
                        w.Int(r.Between(0, 3))
                        w.Emit Opcode.MUL
                    | 18 ->
                        constant w (item ())
                        builtin w (r.Pick [| "push"; "append" |]) 2
                    | 19 ->
                        w.Int(r.Between(-1, 12))
                        w.Emit(Opcode.FOR_ITER, 2, 0, 0, Guess.Any)
                        w.Emit Opcode.POP
                    | 20 ->
                        w.Emit Opcode.DUP
                        call w "push" 1
                    | _ -> builtin w (r.Pick [| "len"; "str" |]) 1

                    if r.Chance 150 then w.Store "m" else w.Emit Opcode.POP))

        w.Load "l"
        w.Load "m"
        w.Emit(Opcode.BUILD_LIST, 2, 0, 0, Guess.List)
        program pool [| definition w; definition compare; definition change |]

    // State, ledger, events and the transactions around them.

    let private world (r: Rng) : Program =
        let pool = Pool()
        let keys = [| "a"; "b" |]
        let events = [| "e"; "f" |]
        let handlers = [| "one"; "two"; "str" |]
        let mutable next = 0

        let fresh () =
            next <- next + 1
            Tree.ofInt next

        let act (w: Writer) (deep: bool) =
            match r.Below 24 with
            | 0
            | 1
            | 2
            | 3 -> w.Emit Opcode.TX_BEGIN
            | 4
            | 5 -> w.Emit Opcode.TX_COMMIT
            | 6
            | 7
            | 8 -> w.Emit Opcode.TX_REVERT
            | 9
            | 10
            | 11 ->
                w.Text(r.Pick keys)
                constant w (if r.Chance 100 then Data.Null else fresh ())
                w.Emit Opcode.STATE_WRITE
            | 12
            | 13 ->
                w.Text(r.Pick keys)
                w.Emit Opcode.STATE_READ
                w.Emit Opcode.POP
            | 14 ->
                constant
                    w
                    (if r.Chance 500 then
                         Data.Map [| Tree.pair (Data.String "n") (fresh ()) |]
                     else
                         fresh ())

                w.Emit Opcode.LEDGER_APPEND
            | 15
            | 16
            | 17 -> w.Emit(Opcode.REGISTER_EVENT, pool.Name(r.Pick events), pool.Name(r.Pick handlers), 0, Guess.Any)
            | 18
            | 19
            | 20 when deep ->
                if r.Chance 300 then
                    w.Text "n"
                    constant w (fresh ())
                    w.Emit(Opcode.BUILD_MAP, 1, 0, 0, Guess.Map)
                else
                    constant w (fresh ())

                w.Emit(Opcode.EMIT_EVENT, pool.Name(r.Pick events), 0, 0, Guess.Any)
            | 21 ->
                constant w (fresh ())
                w.Text "done"
                w.Emit Opcode.AUDIT_LOG
            | 22 when deep ->
                w.Emit(Opcode.CALL_FUNC_CONST, r.Between(1, 3), 0, 0, Guess.Any)
                w.Emit Opcode.POP
            | _ -> w.Emit Opcode.NOP

        let body (w: Writer) (n: int) (deep: bool) (throws: int) =
            for _ in 1..n do
                if r.Chance 180 then
                    guarded w (fun () ->
                        for _ in 1 .. r.Between(1, 5) do
                            act w deep

                        if r.Chance 500 then
                            let snapshot = w.Snapshot()
                            constant w (fresh ())
                            w.Emit Opcode.THROW
                            w.Restore snapshot)
                else
                    act w deep

            if r.Chance throws then
                constant w (fresh ())
                w.Emit Opcode.THROW
                w.Restore [||]

        let handler name throws =
            let w = Writer(pool, name, [| "payload" |], [||], [||])
            w.Load "payload"
            w.Emit Opcode.PRINT
            body w (r.Below 3) false throws
            definition w

        let helper =
            let w = Writer(pool, "helper", [||], [||], [||])
            body w (r.Between(1, 5)) false 400
            definition w

        let w = Writer(pool, "", [||], [| rounds |], [||])
        w.Emit(Opcode.STORE_FUNC, pool.Name "one", 1, 0, Guess.Any)
        w.Emit(Opcode.STORE_FUNC, pool.Name "two", 2, 0, Guess.Any)
        repeated r w (fun () -> body w (r.Between(6, 40)) true 100)

        for key in keys do
            w.Text key
            w.Emit Opcode.STATE_READ

        w.Emit(Opcode.BUILD_LIST, keys.Length, 0, 0, Guess.List)
        let one = handler "one" 100
        let two = handler "two" 100
        program pool [| definition w; one; two; helper |]

    // Numbers around the edges of 64 bits, of 53, and of the limit.

    let private numbers (r: Rng) : Program =
        let pool = Pool()
        let w = Writer(pool, "", [||], [| "x"; "y" |], [||])

        let number () =
            match r.Below 8 with
            | 0 -> Data.Float(Values.float r)
            | 1
            | 2
            | 3 -> Data.Int(r.Pick Values.edgeInts)
            | 4 when r.Chance 300 -> Data.Int(r.Pick Values.hugeInts)
            | 5 -> Data.Int(BigInteger(int64 (r.Next())))
            | _ -> Tree.ofInt (r.Between(-9, 9))

        let operations = [|
            Opcode.ADD, Opcode.ADD_REG
            Opcode.SUB, Opcode.SUB_REG
            Opcode.MUL, Opcode.MUL_REG
            Opcode.DIV, Opcode.DIV_REG
            Opcode.MOD, Opcode.MOD_REG
            Opcode.POW, Opcode.POW_REG
            Opcode.EQ, Opcode.EQ_REG
            Opcode.LT, Opcode.LT_REG
            Opcode.GTE, Opcode.GTE_REG
        |]

        constant w (number ())
        w.Store "x"
        constant w (number ())
        w.Store "y"

        for _ in 1 .. r.Between(4, 16) do
            guarded w (fun () ->
                let operand () =
                    match r.Below 4 with
                    | 0 -> w.Load "y"
                    | 1 -> constant w (number ())
                    | _ -> w.Load "x"

                match r.Below 10 with
                | 0 ->
                    operand ()
                    w.Emit(r.Pick [| Opcode.NEG; Opcode.INC; Opcode.DEC |])
                | 1 ->
                    operand ()
                    builtin w (r.Pick [| "str"; "float"; "int" |]) 1

                    if r.Chance 500 then
                        builtin w (r.Pick [| "int"; "float" |]) 1
                | 2 ->
                    operand ()
                    w.Emit Opcode.HASH_BLOCK
                    w.Emit Opcode.POP
                    operand ()
                | 3 ->
                    let _, twin = r.Pick operations
                    operand ()
                    w.Emit(Opcode.POP_REG, 1, 0, 0, Guess.Any)
                    operand ()
                    w.Emit(Opcode.POP_REG, 2, 0, 0, Guess.Any)
                    w.Emit(twin, r.Between(1, 3), 1, 2, Guess.Any)
                    w.Emit(Opcode.PUSH_REG, r.Between(1, 3), 0, 0, Guess.Any)
                | 4 ->
                    operand ()
                    w.Int(r.Between(-2, 40))
                    w.Emit Opcode.POW
                | _ ->
                    let opcode, _ = r.Pick operations
                    operand ()
                    operand ()
                    w.Emit opcode

                w.Store(r.Pick [| "x"; "y" |]))

        w.Load "x"
        w.Load "y"
        w.Emit(Opcode.BUILD_LIST, 2, 0, 0, Guess.List)
        program pool [| definition w |]

    // Closures: variables that several functions share, and that outlive their frames.

    let private closures (r: Rng) : Program =
        let pool = Pool()

        /// Functions 1 to 4 capture some of the variables that all of them have as locals otherwise.
        let names = [| "a"; "b"; "c" |]

        let captures = Array.init 4 (fun _ -> names |> Array.filter (fun _ -> r.Chance 500))

        let act (w: Writer) (index: int) =
            let v () = r.Pick names

            match r.Below 14 with
            | 0
            | 1
            | 2 ->
                let n = v ()
                w.Load n
                w.Emit Opcode.INC
                w.Store n
            | 3
            | 4 ->
                w.Int(r.Below 50)
                w.Store(v ())
            | 5
            | 6
            | 7 ->
                // A Function made here; kept in a global, so that it can be called when this frame is gone.
                let callee = r.Between(1, 4)
                w.Emit(Opcode.STORE_FUNC, pool.Name(r.Pick [| "f"; "g" |]), callee, 0, Guess.Any)
            | 8
            | 9 when index < 4 ->
                // Only later functions are called by number, so that it ends.
                w.Emit(Opcode.CALL_FUNC_CONST, r.Between(index + 1, 4), 0, 0, Guess.Any)
                w.Emit Opcode.POP
            | 10
            | 11 when index = 0 ->
                w.Emit(Opcode.CALL_NAME, pool.Name(r.Pick [| "f"; "g" |]), 0, 0, Guess.Any)
                w.Emit Opcode.POP
            | 12 when index = 0 ->
                w.Int(r.Between(1, 4))
                builtin w "range" 1
                w.Load(r.Pick [| "f"; "g" |])
                call w (r.Pick [| "map"; "filter"; "reduce"; "sort" |]) 1
                w.Store(v ())
            | _ ->
                w.Load(v ())
                w.Emit Opcode.PRINT

        let func index =
            let captured = captures[index - 1]
            let rest = names |> Array.except captured

            let parameters, locals =
                if r.Chance 300 && rest.Length > 0 then
                    rest[..0], rest[1..]
                else
                    [||], rest

            let w = Writer(pool, $"f{index}", parameters, locals, captured)

            for _ in 1 .. r.Between(1, 5) do
                act w index

            w.Load(r.Pick names)
            definition w

        let w = Writer(pool, "", [||], Array.append names [| rounds |], [||])
        w.Int 1
        w.Store "a"
        w.Emit(Opcode.STORE_FUNC, pool.Name "f", r.Between(1, 4), 0, Guess.Any)
        w.Emit(Opcode.STORE_FUNC, pool.Name "g", r.Between(1, 4), 0, Guess.Any)

        repeated r w (fun () ->
            for _ in 1 .. r.Between(5, 25) do
                guarded w (fun () -> act w 0))

        for name in names do
            w.Load name

        w.Load "f"
        w.Load "g"
        w.Emit(Opcode.BUILD_LIST, 5, 0, 0, Guess.List)
        let functions = Array.init 4 (fun i -> func (i + 1))
        program pool (Array.append [| definition w |] functions)

    // Frames that need much room, called again and again, and left by faults as well.

    let private tall (r: Rng) : Program =
        let pool = Pool()
        let room = r.Between(250, 1000)
        let locals = Array.init room (fun i -> $"v{i}")
        let f = Writer(pool, "f", [| "n" |], locals, [||])
        let first, last = locals[0], locals[room - 1]
        f.Load "n"
        f.Store first
        f.Load "n"
        f.Store last
        f.Load "n"
        let bottom = f.Jump Opcode.JUMP_IF_FALSE
        f.Load "n"
        f.Emit Opcode.DEC

        match r.Below 3 with
        | 0 ->
            f.Emit(Opcode.BUILD_LIST, 1, 0, 0, Guess.List)
            f.Emit(Opcode.STORE_FUNC, pool.Name "self", 1, 0, Guess.Any)
            f.Load "self"
            call f "map" 1
            f.Int 0
            f.Emit Opcode.INDEX
        | _ -> f.Emit(Opcode.CALL_FUNC_CONST, 1, 1, 0, Guess.Any)

        f.Load first
        f.Emit Opcode.ADD
        f.Load last
        f.Emit Opcode.ADD
        f.Emit Opcode.RETURN
        f.Restore [||]
        f.Place bottom

        if r.Chance 400 then
            f.Text "bottom"
            f.Emit Opcode.THROW
        else
            f.Int 0

        let w = Writer(pool, "", [||], [| "x" |], [||])

        for _ in 1 .. r.Between(2, 4) do
            guarded w (fun () ->
                // About as deep as 65,536 cells go.
                w.Int(max 1 (65_536 / room + r.Pick [| -40; -2; -1; 0; 1; 2; 30; 70 |]))
                w.Emit(Opcode.CALL_FUNC_CONST, 1, 1, 0, Guess.Any)
                w.Store "x")

        w.Load "x"
        program pool [| definition w; definition f |]

    let generate (r: Rng) : Program =
        match r.Below 100 with
        | 0 -> tall r
        | n when n < 25 -> table r
        | n when n < 40 -> list r
        | n when n < 65 -> world r
        | n when n < 82 -> numbers r
        | _ -> closures r
