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

    let private maker, adder, keeper, increase, bump, apply, closing, switching =
        9, 10, 11, 12, 13, 14, 15, 16

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

    /// Closures that are made, called and mostly forgotten: compiled code may do without them and their variables for as long as nothing
    /// else can see them. Functions 9 to 16.
    let private closures (r: Rng) (pool: Pool) =
        let callName (w: Writer) name arguments =
            w.Emit(Opcode.CALL_NAME, pool.Name name, arguments, 0, Guess.Any)

        let makes (w: Writer) name callee =
            w.Emit(Opcode.STORE_FUNC, pool.Name name, callee, 0, Guess.Any)

        let sum (w: Writer) a b =
            w.Load a
            w.Load b
            w.Emit(r.Pick [| Opcode.ADD; Opcode.ADD; Opcode.SUB; Opcode.MUL; Opcode.INDEX |])

        /// A closure over its parameter, which may change before and after, and by another closure.
        let first = Writer(pool, "maker", [| "x" |], [| "add"; "other" |], [||])

        let change () =
            first.Load "x"
            constant first (number r)
            first.Emit Opcode.ADD
            first.Store "x"

        if r.Chance 200 then
            change ()

        makes first "add" adder

        if r.Chance 200 then
            change ()

        if r.Chance 300 then
            makes first "other" bump
            callName first "other" 0
            first.Store "other"

        if r.Chance 100 then
            // The machine does this, with the closure there.
            first.Load "x"
            first.Emit Opcode.PRINT

        if r.Chance 100 then
            first.Load "x"
            first.Emit(Opcode.CALL_FUNC_CONST, grow, 1, 0, Guess.Any)
            first.Store "x"

        first.Load "add"

        let second = Writer(pool, "adder", [| "y" |], [||], [| "x" |])

        if r.Chance 300 then
            // What has been read before is of no use after.
            second.Load "x"
            sum second "x" "y"
            second.Store "x"
            second.Load "y"
            second.Emit Opcode.ADD
        elif r.Chance 200 then
            second.Load "x"
            second.Load "y"
            second.Emit(Opcode.CALL_FUNC_CONST, r.Pick [| leaf; twice; grow |], 2, 0, Guess.Any)
        else
            sum second "x" "y"

        let third = Writer(pool, "keeper", [||], [| "count"; "up" |], [||])
        constant third (number r)
        third.Store "count"
        makes third "up" increase
        third.Load "up"

        let fourth = Writer(pool, "increase", [| "y" |], [||], [| "count" |])
        fourth.Load "count"
        fourth.Load "y"
        fourth.Emit(r.Pick [| Opcode.ADD; Opcode.ADD; Opcode.SUB |])
        fourth.Store "count"
        fourth.Load "count"

        let fifth = Writer(pool, "bump", [||], [||], [| "x" |])
        fifth.Load "x"
        constant fifth (number r)
        fifth.Emit Opcode.ADD
        fifth.Store "x"

        if r.Chance 500 then
            constant fifth (number r)

        let sixth = Writer(pool, "apply", [| "f"; "y" |], [||], [||])
        sixth.Load "y"
        callName sixth "f" 1

        /// Takes one of the Functions, and changes it in some of the rounds.
        let w =
            Writer(pool, "closing", [| "l"; "n" |], [| "i"; "sum"; "f"; "g"; "h"; "c" |], [||])

        let make () =
            w.Load(r.Pick [| "i"; "i"; "n"; "sum"; "l" |])
            w.Emit(Opcode.CALL_FUNC_CONST, maker, 1, 0, Guess.Any)

        let keep () =
            w.Emit(Opcode.CALL_FUNC_CONST, keeper, 0, 0, Guess.Any)

        constant w (number r)
        w.Store "sum"
        constant w (number r)
        w.Store "c"
        keep ()
        w.Store "g"
        makes w "h" counting

        if r.Chance 300 then
            make ()
            w.Store "f"
        else
            w.Load "g"
            w.Store "f"

        loop r w "i" (r.Pick [| 3; 7; 20; 40 |]) (fun () ->
            for _ in 1 .. r.Between(1, 4) do
                match r.Below 16 with
                | 0
                | 1
                | 2
                | 3 ->
                    w.Load "sum"
                    make ()
                    w.Load(r.Pick [| "i"; "i"; "n"; "sum" |])
                    w.Emit(Opcode.CALL_TOP, 1, 0, 0, Guess.Any)
                    w.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])
                    w.Store "sum"
                | 4
                | 5 ->
                    make ()
                    w.Store "f"

                    for _ in 1 .. r.Between(1, 2) do
                        w.Load(r.Pick [| "i"; "n"; "sum" |])
                        callName w "f" 1
                        w.Store(r.Pick [| "sum"; "n" |])
                | 6
                | 7 ->
                    w.Load "i"
                    callName w (r.Pick [| "f"; "g"; "g" |]) 1
                    w.Store "sum"
                | 8 ->
                    sometimes r w "i" (fun () ->
                        if r.Chance 500 then make () else keep ()
                        w.Store(r.Pick [| "f"; "g" |]))
                | 9 ->
                    if r.Chance 700 then
                        makes w "h" counting

                    callName w "h" 0
                    w.Store "sum"
                | 10 ->
                    w.Load "c"
                    w.Load "i"
                    w.Emit Opcode.ADD
                    w.Store "c"
                | 11
                | 12 ->
                    // Through another function, to which it is an argument.
                    if r.Chance 500 then
                        make ()
                    else
                        w.Load(r.Pick [| "f"; "g" |])

                    w.Load "i"
                    w.Emit(Opcode.CALL_FUNC_CONST, apply, 2, 0, Guess.Any)
                    w.Store "sum"
                | 13 ->
                    // Somebody else gets it.
                    sometimes r w "i" (fun () ->
                        w.Load "l"
                        make ()
                        call w "push" 1
                        w.Emit Opcode.POP)
                | 14 ->
                    make ()
                    w.Emit Opcode.DUP
                    w.Store "f"
                    w.Load "f"
                    w.Emit(r.Pick [| Opcode.EQ; Opcode.AND; Opcode.NEQ |])
                    w.Store "n"
                | _ ->
                    w.Load "sum"
                    w.Load "i"
                    w.Emit(Opcode.CALL_FUNC_CONST, r.Pick [| grow; leaf |], 1, 0, Guess.Any)
                    w.Emit Opcode.ADD
                    w.Store "sum")

        w.Load "sum"
        w.Load "c"
        w.Load "i"
        callName w (r.Pick [| "f"; "g" |]) 1
        w.Emit(Opcode.BUILD_LIST, 3, 0, 0, Guess.List)

        /// One closure is called for a while, then another.
        let last =
            Writer(pool, "switching", [| "l"; "n" |], [| "i"; "sum"; "g"; "c" |], [||])

        let take changed =
            if changed = r.Chance 800 then
                last.Load "i"
                last.Emit(Opcode.CALL_FUNC_CONST, maker, 1, 0, Guess.Any)
            elif r.Chance 800 then
                last.Emit(Opcode.CALL_FUNC_CONST, keeper, 0, 0, Guess.Any)
            else
                last.Load "n"

            last.Store "g"

        let rounds = r.Between(10, 24)

        // In the callee the sum of two like it may not fit 64 bits.
        constant
            last
            (if r.Chance 500 then
                 Tree.ofInt 0
             else
                 Data.Int(BigInteger.Pow(BigInteger 2, r.Between(52, 60))))

        last.Store "sum"
        last.Int 0
        last.Store "i"
        take false

        loop r last "i" rounds (fun () ->
            last.Load "i"
            last.Int(r.Between(5, rounds - 2))
            last.Emit(r.Pick [| Opcode.EQ; Opcode.EQ; Opcode.GT; Opcode.LT |])
            let same = last.Jump Opcode.JUMP_IF_FALSE
            take true
            last.Place same

            if r.Chance 300 then
                // An item of another kind, in one of the rounds, than the callee below has found so far.
                last.Load "i"
                last.Int(r.Between(5, rounds - 2))
                last.Emit Opcode.EQ
                let same = last.Jump Opcode.JUMP_IF_FALSE
                last.Load "l"
                last.Load "i"
                constant last (r.Pick [| Data.Float 0.5; Data.Bool true; Data.Null |])
                call last "set" 2
                last.Emit Opcode.POP
                last.Place same
                last.Load "sum"
                last.Load "l"
                last.Int 0
                last.Load "i"
                last.Emit(Opcode.CALL_FUNC_CONST, item, 3, 0, Guess.Any)
                last.Emit Opcode.ADD
                last.Store "sum"

            for _ in 1 .. r.Between(1, 2) do
                last.Load "sum"

                match r.Below 6 with
                | 0
                | 1 ->
                    callName last "g" 1
                    last.Int(r.Below 2)
                | 2 ->
                    last.Load "i"
                    callName last "g" 1
                | 3 ->
                    last.Load "g"
                    last.Load "i"
                    last.Emit(Opcode.CALL_TOP, 1, 0, 0, Guess.Any)
                | _ ->
                    last.Load "g"
                    last.Load "i"
                    last.Emit(Opcode.CALL_FUNC_CONST, apply, 2, 0, Guess.Any)

                last.Emit(r.Pick [| Opcode.ADD; Opcode.SUB |])
                last.Store "sum")

        last.Load "sum"

        [| first; second; third; fourth; fifth; sixth; w; last |] |> Array.map _.Definition

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
            if r.Chance 300 then
                // The List's items are of one kind no more.
                sometimes r seventh "i" (fun () ->
                    seventh.Load "l"
                    seventh.Load "i"
                    constant seventh (otherNumber r)
                    call seventh "set" 2
                    seventh.Emit Opcode.POP)

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

        Array.append
            ([| first; second; third; fourth; fifth; sixth; seventh; eighth |] |> Array.map _.Definition)
            (closures r pool)

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

        /// A call with a list and an operand. The list is `l`, or as long as the loop and of Ints as far as anyone has seen.
        let callOverList (depth: int) (callee: unit -> int) =
            if r.Chance 500 then
                w.Load "l"
            else
                constant w (Data.List(Array.init 24 Tree.ofInt))

            operand depth
            w.Emit(Opcode.CALL_FUNC_CONST, callee (), 2, 0, Guess.Any)
            w.Store(variable ())

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

            match r.Below 33 with
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
            | 28 -> callOverList depth (fun () -> around)
            | 29
            | 30
            | 31 -> callOverList depth (fun () -> r.Pick [| closing; switching |])
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
