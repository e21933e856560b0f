namespace Zexus.Differential

open System.Numerics
open Zexus.Isa

/// Programs that spend their time in loops: nested ones, of every shape of head and end, around variables whose kinds change, Ints that
/// outgrow 64 bits after many rounds, growing collections and text, calls, faults, transactions and captured variables. What compiled code
/// has assumed of a loop stops being so here, in the middle of it.
[<RequireQualifiedAccess>]
module Loops =
    let private call (w: Writer) (name: string) (arguments: int) =
        w.Emit(Opcode.CALL_METHOD, w.Pool.Name name, arguments, 0, Guess.Any)

    let private builtin (w: Writer) (name: string) (arguments: int) =
        w.Emit(Opcode.CALL_BUILTIN, w.Pool.Name name, arguments, 0, Guess.Any)

    let private constant (w: Writer) (data: Data) = w.Constant(data, Guess.Any)

    let private leaf, looping, counting, item, twice, grow, around, deep =
        1, 2, 3, 4, 5, 6, 7, 8

    /// A loop whose counter goes up from 0 to the number of rounds, tested at its head or at its end.
    let private upTo (r: Rng) (w: Writer) (counter: string) (rounds: int) (body: unit -> unit) =
        w.Int 0
        w.Store counter

        let step () =
            w.Load counter

            if r.Chance 300 then
                w.Emit Opcode.INC
            else
                w.Int 1
                w.Emit Opcode.ADD

            w.Store counter

        let compare () =
            w.Load counter
            w.Int rounds
            w.Emit Opcode.LT

        let start = w.Length

        if r.Chance 500 then
            compare ()
            let out = w.Jump Opcode.JUMP_IF_FALSE
            body ()
            step ()
            w.Aim(w.Jump Opcode.JUMP, start)
            w.Place out
        else
            body ()
            step ()
            compare ()
            w.Aim(w.Jump Opcode.JUMP_IF_TRUE, start)

    let private loop (r: Rng) (w: Writer) (counter: string) (rounds: int) (body: unit -> unit) =
        if r.Chance 250 then
            w.Rounds(rounds, counter, body)
        else
            upTo r w counter rounds body

    /// The body in some of the rounds.
    let private sometimes (r: Rng) (w: Writer) (counter: string) (body: unit -> unit) =
        w.Load counter
        w.Int(r.Pick [| 2; 3; 5; 7; 11; 13; 50 |])
        w.Emit Opcode.MOD
        w.Int(r.Below 3)
        w.Emit Opcode.EQ
        let over = w.Jump Opcode.JUMP_IF_FALSE
        body ()
        w.Place over

    /// Numbers of another kind than a small Int, and what counts as one.
    let private otherNumber (r: Rng) : Data =
        match r.Below 6 with
        | 0 -> Data.Float 0.5
        | 1 -> Data.Float(Values.float r)
        | 2 -> Data.Bool(r.Chance 500)
        | 3 -> Data.Null
        | 4 -> Data.Int(r.Pick Values.edgeInts)
        | _ -> Data.Int(BigInteger.Pow(BigInteger 10, 20))

    let private number (r: Rng) : Data =
        match r.Below 12 with
        | 0 -> otherNumber r
        | 1 -> Data.Int(r.Pick Values.edgeInts)
        | _ -> Tree.ofInt (r.Between(-9, 20))

    let private helpers (r: Rng) (pool: Pool) =
        // Its result is of one kind for most arguments.
        let first = Writer(pool, "leaf", [| "x"; "y" |], [||], [||])
        first.Load "x"
        first.Int(r.Pick [| 7; 13; 40; 200 |])
        first.Emit(r.Pick [| Opcode.LT; Opcode.GT; Opcode.EQ |])
        let other = first.Jump Opcode.JUMP_IF_FALSE
        first.Load "x"
        first.Load "y"
        first.Emit(r.Pick [| Opcode.ADD; Opcode.SUB; Opcode.MUL |])
        first.Emit Opcode.RETURN
        first.Restore [||]
        first.Place other

        if r.Chance 300 then
            first.Load "x"
            first.Emit Opcode.THROW
        else
            constant first (number r)
            first.Load "y"
            first.Emit Opcode.ADD

        let second = Writer(pool, "looping", [| "n" |], [| "i"; "sum" |], [||])
        constant second (number r)
        second.Store "sum"

        loop r second "i" (r.Between(2, 6)) (fun () ->
            second.Load "sum"
            second.Load "n"
            second.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])
            second.Store "sum"

            if r.Chance 200 then
                sometimes r second "i" (fun () ->
                    second.Load "sum"
                    second.Emit Opcode.RETURN
                    second.Restore [||]))

        second.Load "sum"
        let third = Writer(pool, "counting", [||], [||], [| "c" |])
        third.Load "c"
        constant third (number r)
        third.Emit Opcode.ADD
        third.Store "c"
        third.Load "c"

        // Short ones, which compiled code can do in their callers. What one assumes of its operands does not hold of all of them.
        let fourth = Writer(pool, "item", [| "l"; "i"; "x" |], [||], [||])

        if r.Chance 500 then
            fourth.Load "l"
            fourth.Load "i"
            fourth.Load "x"
            call fourth "set" 2
            fourth.Emit Opcode.POP

        fourth.Load "l"
        fourth.Load "i"
        fourth.Emit Opcode.INDEX

        if r.Chance 300 then
            constant fourth (number r)
            fourth.Emit Opcode.ADD

        let fifth = Writer(pool, "twice", [| "x"; "y" |], [| "z" |], [||])
        fifth.Load "x"
        fifth.Load "y"
        fifth.Emit(Opcode.CALL_FUNC_CONST, leaf, r.Between(1, 3) |> min 2, 0, Guess.Any)
        fifth.Store "z"
        fifth.Load "y"
        fifth.Load "z"
        fifth.Load "z"
        fifth.Emit(Opcode.CALL_FUNC_CONST, (if r.Chance 300 then grow else leaf), r.Between(1, 2), 0, Guess.Any)

        if r.Chance 800 then
            fifth.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])

        let sixth = Writer(pool, "grow", [| "x" |], [| "step" |], [||])
        constant sixth (Data.Int(BigInteger.Pow(BigInteger 2, r.Between(54, 62))))
        sixth.Store "step"
        sixth.Load "x"
        sixth.Load "step"
        sixth.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])

        // A loop without handlers that calls them.
        let seventh = Writer(pool, "around", [| "l"; "n" |], [| "i"; "sum" |], [||])
        constant seventh (number r)
        seventh.Store "sum"

        loop r seventh "i" (r.Pick [| 3; 7; 20 |]) (fun () ->
            for _ in 1 .. r.Between(1, 3) do
                seventh.Load "sum"

                match r.Below 7 with
                | 0
                | 1 ->
                    seventh.Load "l"
                    seventh.Load(if r.Chance 800 then "i" else "n")
                    seventh.Load(r.Pick [| "i"; "i"; "n"; "sum" |])
                    seventh.Emit(Opcode.CALL_FUNC_CONST, item, 3, 0, Guess.Any)
                | 2 ->
                    seventh.Load "sum"
                    seventh.Load "i"
                    seventh.Emit(Opcode.CALL_FUNC_CONST, twice, 2, 0, Guess.Any)
                | 3
                | 4 ->
                    seventh.Load(r.Pick [| "n"; "sum"; "sum" |])
                    seventh.Emit(Opcode.CALL_FUNC_CONST, grow, 1, 0, Guess.Any)
                | _ ->
                    seventh.Load "i"
                    seventh.Load "n"
                    seventh.Emit(Opcode.CALL_FUNC_CONST, r.Pick [| leaf; twice |], 2, 0, Guess.Any)

                seventh.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])
                seventh.Store "sum")

        seventh.Load "sum"

        // Down to where no call fits, in a loop that is running there, too.
        let eighth = Writer(pool, "deep", [| "n" |], [| "i" |], [||])

        upTo r eighth "i" (r.Between(3, 5)) (fun () ->
            sometimes r eighth "i" (fun () ->
                eighth.Load "i"
                eighth.Load "n"
                eighth.Emit(Opcode.CALL_FUNC_CONST, r.Pick [| leaf; twice; grow |], 2, 0, Guess.Any)
                eighth.Emit Opcode.POP))

        eighth.Load "n"
        eighth.Emit Opcode.INC
        eighth.Emit(Opcode.CALL_FUNC_CONST, deep, 1, 0, Guess.Any)

        [| first; second; third; fourth; fifth; sixth; seventh; eighth |] |> Array.map _.Definition

    let generate (r: Rng) : Program =
        let pool = Pool()
        // With many of them, the register form has too few registers.
        let numbers = Array.init (r.Pick [| 3; 4; 6; 14; 20 |]) (fun i -> $"n{i}")
        let counters = [| "i"; "j"; "k" |]

        let w =
            Writer(pool, "", [||], Array.concat [ counters; numbers; [| "l"; "m"; "s"; "c"; "f"; "caught" |] ], [||])

        let variable () = r.Pick numbers

        let operand (depth: int) =
            match r.Below 4 with
            | 0 -> constant w (number r)
            | 1 -> w.Load counters[r.Below(depth + 1)]
            | _ -> w.Load(variable ())

        let arithmetic = [|
            Opcode.ADD
            Opcode.ADD
            Opcode.ADD
            Opcode.SUB
            Opcode.MUL
            Opcode.MOD
            Opcode.DIV
        |]

        /// `depth`: the loop that it stands in, the outermost being 0. Starts and ends at height 0.
        let rec act (depth: int) : unit =
            let counter = counters[depth]

            match r.Below 30 with
            | 0
            | 1
            | 2
            | 3 ->
                w.Load(variable ())
                operand depth
                w.Emit(r.Pick arithmetic)
                w.Store(variable ())
            | 4
            | 5 ->
                // So far from the end of 64 bits that some of the rounds stay within it.
                let v = variable ()
                w.Load v
                constant w (Data.Int(BigInteger.Pow(BigInteger 2, r.Between(54, 62))))
                w.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])
                w.Store v
            | 6
            | 7 ->
                sometimes r w counter (fun () ->
                    constant w (otherNumber r)
                    w.Store(variable ()))
            | 8 ->
                w.Load "l"
                operand depth
                call w "push" 1
                w.Emit Opcode.POP
            | 9 ->
                w.Load "l"
                w.Load counter
                w.Emit Opcode.INDEX
                w.Store(variable ())
            | 10 ->
                w.Load "l"
                w.Load counter
                operand depth
                call w "set" 2
                w.Emit Opcode.POP
            | 11 ->
                w.Load "m"
                w.Text(r.Pick [| "a"; "b"; "key" |])
                w.Emit Opcode.INDEX
                operand depth
                w.Emit Opcode.ADD
                w.Store(variable ())
            | 12 ->
                w.Load "m"

                if r.Chance 500 then
                    w.Text(r.Pick [| "a"; "b"; "key" |])
                else
                    w.Load counter
                    builtin w "str" 1

                operand depth
                call w "set" 2
                w.Emit Opcode.POP
            | 13 ->
                w.Load "s"

                if r.Chance 500 then
                    w.Text(r.Pick [| "x"; "é"; "long enough" |])
                else
                    operand depth

                w.Emit Opcode.ADD
                w.Store "s"
            | 14 ->
                w.Load "s"
                call w "length" 0
                w.Store(variable ())
            | 15
            | 16 ->
                operand depth
                operand depth
                w.Emit(Opcode.CALL_FUNC_CONST, leaf, 2, 0, Guess.Any)
                w.Store(variable ())
            | 17 ->
                operand depth
                w.Emit(Opcode.CALL_FUNC_CONST, looping, 1, 0, Guess.Any)
                w.Store(variable ())
            | 18 ->
                if r.Chance 400 then
                    w.Emit(Opcode.STORE_FUNC, pool.Name "f", counting, 0, Guess.Any)

                w.Emit(Opcode.CALL_NAME, pool.Name "f", 0, 0, Guess.Any)
                w.Store(variable ())
            | 19 ->
                // The captured variable, from this side.
                w.Load "c"
                operand depth
                w.Emit Opcode.ADD
                w.Store "c"
            | 20 ->
                let setup = w.Jump Opcode.SETUP_TRY

                sometimes r w counter (fun () ->
                    operand depth
                    w.Emit Opcode.THROW
                    w.Restore [||])

                act depth
                w.Emit Opcode.POP_TRY
                let over = w.Jump Opcode.JUMP
                w.Place setup
                w.Restore [| Guess.Any |]
                w.Store "caught"
                w.Place over
            | 21 ->
                w.Emit Opcode.TX_BEGIN
                w.Text(r.Pick [| "a"; "b" |])
                operand depth
                w.Emit Opcode.STATE_WRITE
                act depth

                if r.Chance 500 then
                    sometimes r w counter (fun () -> w.Emit Opcode.TX_REVERT)

                w.Emit Opcode.TX_COMMIT
            | 22 ->
                w.Text(r.Pick [| "a"; "b" |])
                w.Emit Opcode.STATE_READ
                w.Store(variable ())
            | 23 ->
                // More at once than there are registers.
                let count = r.Between(3, 20)

                for _ in 1..count do
                    w.Load(variable ())
                    operand depth
                    w.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])

                for _ in 2..count do
                    w.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])

                w.Store(variable ())
            | 24 ->
                w.Load(variable ())
                w.Emit(Opcode.POP_REG, 1, 0, 0, Guess.Any)
                operand depth
                w.Emit(Opcode.POP_REG, 2, 0, 0, Guess.Any)
                w.Emit(r.Pick [| Opcode.ADD_REG; Opcode.SUB_REG; Opcode.MUL_REG |], 3, 1, 2, Guess.Any)
                w.Emit(Opcode.PUSH_REG, 3, 0, 0, Guess.Any)
                w.Store(variable ())
            | 25
            | 26
            | 27
            | 28 ->
                if r.Chance 500 then
                    w.Load "l"
                else
                    // As long as the loop is, and of Ints as far as anyone has seen.
                    constant w (Data.List(Array.init 24 Tree.ofInt))

                operand depth
                w.Emit(Opcode.CALL_FUNC_CONST, around, 2, 0, Guess.Any)
                w.Store(variable ())
            | _ ->
                w.Load(variable ())
                operand depth
                w.Emit(r.Pick [| Opcode.LT; Opcode.GTE; Opcode.EQ; Opcode.NEQ |])
                let over = w.Jump Opcode.JUMP_IF_FALSE
                act depth
                w.Place over

        /// Most faults would end the loop too early.
        let guardedAct (depth: int) =
            if r.Chance 600 then
                w.Guarded(fun () -> act depth)
            else
                act depth

        let rec nest (depth: int) (rounds: int) =
            loop r w counters[depth] rounds (fun () ->
                for _ in 1 .. r.Between(1, 4) do
                    guardedAct depth

                if depth + 1 < counters.Length && r.Chance 400 then
                    nest (depth + 1) (r.Between(2, 8))

                    if r.Chance 300 then
                        guardedAct depth)

        for name in numbers do
            constant w (number r)
            w.Store name

        constant w (Data.List(Array.init (r.Below 6) (fun _ -> number r)))
        w.Store "l"
        constant w (Data.Map [| Tree.pair (Data.String "a") (number r) |])
        w.Store "m"
        w.Text ""
        w.Store "s"
        constant w (number r)
        w.Store "c"
        w.Emit(Opcode.STORE_FUNC, pool.Name "f", counting, 0, Guess.Any)

        for _ in 1 .. r.Between(1, 2) do
            nest 0 (r.Pick [| 5; 12; 30; 60; 120 |])

        if r.Chance 60 then
            w.Int 0
            w.Emit(Opcode.CALL_FUNC_CONST, deep, 1, 0, Guess.Any)
            w.Emit Opcode.POP

        for name in numbers[..2] do
            w.Load name

        for name in [| "l"; "m"; "s"; "c"; "caught" |] do
            w.Load name

        w.Emit(Opcode.BUILD_LIST, 8, 0, 0, Guess.List)

        let functions = Array.append [| w.Definition |] (helpers r pool)

        {
            Constants = pool.Constants
            Names = pool.Names
            Functions = functions
        }
