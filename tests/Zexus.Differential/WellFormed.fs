namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Numerics
open Zexus.Isa

/// What a function of a generated program is for, and so how it is called.
[<RequireQualifiedAccess>]
type Role =
    | Plain
    /// One parameter; for map, filter and events.
    | Unary
    /// Two parameters; for reduce and sort.
    | Binary
    /// Calls itself with a smaller first argument.
    | Recursive
    /// Ends in a fault more often than not.
    | Thrower

type Plan = {
    /// So many locals that a recursion needs more room than an engine has at first.
    IsTall: bool
    Index: int
    Name: string
    Role: Role
    Parameters: string[]
    Locals: string[]
    Captures: string[]
}

/// How a program is to be: chances in a thousand, and sizes.
type Profile = {
    /// An operand of a kind that does not fit.
    Wrong: int
    /// Operations on whatever lies on the stack.
    Chaos: int
    /// Statements that are wrapped in a handler of their own.
    Guarded: int
    /// Instructions of the entry, about.
    Length: int
    Functions: int
    Depth: int
}

/// Type-directed programs that pass validation.
[<Sealed>]
type ProgramGenerator(r: Rng, profile: Profile, hosts: HostFunction[], callees: Callee[]) =
    let pool = Pool()
    let variables = [| "a"; "b"; "c"; "n"; "x"; "é" |]
    /// The entry's local variable that counts rounds of its whole body.
    let rounds = "rounds"
    /// Only loops write to these, so that most loops end; where they are no locals, a callee can still get at them.
    let counters = [| "i"; "j"; "k" |]

    let globals = [| "g"; "h"; "total"; "list"; "len" |]
    let events = [| "moved"; "paid" |]
    let functionNames = [| "f"; "len"; "g"; ""; "handler"; "ü𝒳" |]
    let stateKeys = [| "a"; "b"; "key"; "balance"; "é" |]

    let subset (names: string[]) perMille =
        names |> Array.filter (fun _ -> r.Chance perMille)

    let plan index : Plan =
        if index = 0 then
            {
                IsTall = false
                Index = 0
                Name = if r.Chance 500 then "" else "main"
                Role = Role.Plain
                Parameters = [||]
                Locals = Array.concat [ subset variables 550; subset counters 850; [| rounds |] ]
                Captures = [||]
            }
        else
            let role =
                match r.Below 12 with
                | 0
                | 1
                | 2 -> Role.Unary
                | 3
                | 4
                | 5 -> Role.Binary
                | 6
                | 7 -> Role.Recursive
                | 8 -> Role.Thrower
                | _ -> Role.Plain

            let arity =
                match role with
                | Role.Unary -> 1
                | Role.Binary -> 2
                | Role.Recursive -> r.Between(1, 2)
                | Role.Plain
                | Role.Thrower -> r.Below 4

            let shuffled = Array.copy variables

            for i in shuffled.Length - 1 .. -1 .. 1 do
                let j = r.Below(i + 1)
                let t = shuffled[i]
                shuffled[i] <- shuffled[j]
                shuffled[j] <- t

            let rest = shuffled[arity..]
            let captured = rest |> Array.filter (fun _ -> r.Chance 250)

            let isTall = role = Role.Recursive && r.Chance 60

            {
                IsTall = isTall
                Index = index
                Name = r.Pick functionNames
                Role = role
                Parameters = shuffled[.. arity - 1]
                Captures = captured
                Locals =
                    Array.append
                        (rest |> Array.filter (fun v -> not (Array.contains v captured) && r.Chance 350))
                        (subset counters 900)
                    |> Array.append (
                        if isTall then
                            Array.init (r.Between(100, 900)) (fun i -> $"v{i}")
                        else
                            [||]
                    )
            }

    let plans = Array.init (profile.Functions + 1) plan

    let variablesOf (p: Plan) =
        Array.concat [ p.Parameters; p.Locals; p.Captures ]

    /// Functions that this one may name: it has all that they capture.
    let nameable =
        plans
        |> Array.map (fun p ->
            let own = HashSet<string>(variablesOf p)
            plans |> Array.filter (fun q -> q.Index > 0 && q.Captures |> Array.forall own.Contains))

    let scalarGuess () =
        match r.Below 8 with
        | 0 -> Guess.Null
        | 1 -> Guess.Bool
        | 2
        | 3
        | 4 -> Guess.Int
        | 5 -> Guess.Float
        | _ -> Guess.String

    let anyGuess () =
        match r.Below 16 with
        | 0
        | 1 -> Guess.List
        | 2 -> Guess.Map
        | 3 -> Guess.Set
        | 4 -> Guess.Function
        | _ -> scalarGuess ()

    let plainGuess () =
        match r.Below 12 with
        | 0
        | 1 -> Guess.List
        | 2 -> Guess.Map
        | _ -> scalarGuess ()

    let binaryTwin (opcode: Opcode) =
        match opcode with
        | Opcode.ADD -> Opcode.ADD_REG
        | Opcode.SUB -> Opcode.SUB_REG
        | Opcode.MUL -> Opcode.MUL_REG
        | Opcode.DIV -> Opcode.DIV_REG
        | Opcode.MOD -> Opcode.MOD_REG
        | Opcode.POW -> Opcode.POW_REG
        | Opcode.EQ -> Opcode.EQ_REG
        | Opcode.NEQ -> Opcode.NEQ_REG
        | Opcode.LT -> Opcode.LT_REG
        | Opcode.GT -> Opcode.GT_REG
        | Opcode.LTE -> Opcode.LTE_REG
        | Opcode.GTE -> Opcode.GTE_REG
        | Opcode.AND -> Opcode.AND_REG
        | _ -> Opcode.OR_REG

    /// Applies a binary operation to the two values on top, on the stack or through registers.
    let binary (w: Writer) (opcode: Opcode) (result: Guess) =
        if r.Chance 180 then
            let a = r.Below 4
            let b = if r.Chance 100 then a else (a + 1) % 4
            let d = r.Below 5
            w.Registers[b] <- w.Top
            w.Emit(Opcode.POP_REG, b, 0, 0, Guess.Any)
            w.Registers[a] <- w.Top
            w.Emit(Opcode.POP_REG, a, 0, 0, Guess.Any)
            w.Emit(binaryTwin opcode, d, a, b, Guess.Any)
            w.Registers[d] <- result
            w.Emit(Opcode.PUSH_REG, d, 0, 0, result)
        else
            w.Emit(opcode, result)

    let unary (w: Writer) (opcode: Opcode) (twin: Opcode) (result: Guess) =
        if r.Chance 150 then
            let a = r.Below 4
            let d = r.Below 5
            w.Registers[a] <- w.Top
            w.Emit(Opcode.POP_REG, a, 0, 0, Guess.Any)
            w.Emit(twin, d, a, 0, Guess.Any)
            w.Registers[d] <- result
            w.Emit(Opcode.PUSH_REG, d, 0, 0, result)
        else
            w.Emit(opcode, result)

    let comparisons = [| Opcode.LT; Opcode.GT; Opcode.LTE; Opcode.GTE |]

    member private g.Variable(w: Writer) =
        let own = r.Pick(if w.Own.Length > 0 then w.Own else variables)

        if r.Chance 750 && own <> rounds && not (Array.contains own counters) then
            own
        elif r.Chance 800 then
            r.Pick globals
        else
            r.Pick variables

    /// Pushes one value, mostly of the kind asked for.
    member private g.Push(w: Writer, p: Plan, wanted: Guess, depth: int) : unit =
        let wanted =
            if wanted = Guess.Any || r.Chance profile.Wrong then
                anyGuess ()
            else
                wanted

        if wanted = Guess.Function then
            g.PushFunction(w, p, r.Below 3)
        else
            match r.Below 12 with
            | 0
            | 1
            | 2 ->
                let fitting =
                    w.Variables |> Seq.filter (fun v -> v.Value = wanted) |> Seq.map (fun v -> v.Key) |> Seq.toArray

                if fitting.Length > 0 then
                    w.Load(r.Pick fitting)
                else
                    g.Constant(w, wanted)
            | 3 when w.Height > 0 && w.Top = wanted -> w.Emit(Opcode.DUP, wanted)
            | 4 ->
                let register = w.Registers |> Array.tryFindIndex ((=) wanted)

                match register with
                | Some i when i > 0 -> w.Emit(Opcode.PUSH_REG, i, 0, 0, wanted)
                | _ -> g.Constant(w, wanted)
            | 5
            | 6
            | 7
            | 8
            | 9 when depth > 0 -> g.Compute(w, p, wanted, depth - 1)
            | _ -> g.Constant(w, wanted)

    member private g.Constant(w: Writer, wanted: Guess) =
        w.Constant(Values.ofGuess r wanted, wanted)

    member private g.PushFunction(w: Writer, p: Plan, arity: int) =
        let all = nameable[p.Index]
        // Callees come later in the table, so that calls end; now and then not.
        let later = all |> Array.filter (fun q -> q.Index > p.Index || r.Chance 30)
        let fitting = later |> Array.filter (fun q -> q.Parameters.Length = arity)

        let choice =
            if fitting.Length > 0 && r.Chance 900 then
                fitting
            else
                later

        if choice.Length > 0 then
            let q = r.Pick choice
            let v = g.Variable w
            w.Variables[v] <- Guess.Function
            w.Emit(Opcode.STORE_FUNC, pool.Name v, q.Index, 0, Guess.Any)
            w.Load v
        else
            g.Constant(w, Guess.Null)

    member private g.Arguments(w: Writer, p: Plan, n: int, depth: int) =
        for _ in 1..n do
            g.Push(w, p, (if r.Chance 700 then Guess.Int else Guess.Any), depth)

    /// Arguments for as many parameters, now and then one fewer or more.
    member private g.Count(n: int) =
        match r.Below 30 with
        | 0 -> max 0 (n - 1)
        | 1 -> n + 1
        | 2 -> r.Below 4
        | _ -> n

    member private g.Routine(w: Writer, p: Plan, row: RoutineInfo, depth: int) =
        let struct (parameters, result) = Shapes.ofRoutine row.Routine
        let callback = Shapes.callbackArity row.Routine
        let name = if r.Chance 700 then row.Names[0] else r.Pick row.Names

        if row.Receiver <> Receiver.Nothing then
            g.Push(w, p, Shapes.receiver row.Receiver, depth)

        let full = parameters.Length

        let count =
            match row.Routine with
            | Routine.Range
            | Routine.ListSort
            | Routine.ListReduce
            | Routine.MapGet -> r.Between(1, full)
            | _ -> g.Count full

        let count =
            if row.Routine = Routine.ListSort && r.Chance 300 then
                0
            else
                count

        for i in 0 .. count - 1 do
            let wanted =
                if parameters.Length = 0 then
                    Guess.Any
                else
                    parameters[min i (parameters.Length - 1)]

            if wanted = Guess.Function && callback > 0 && not (r.Chance profile.Wrong) then
                g.PushFunction(w, p, callback)
            else
                g.Push(w, p, wanted, depth)

        if row.Receiver = Receiver.Nothing then
            let opcode =
                if r.Chance 500 then
                    Opcode.CALL_BUILTIN
                else
                    Opcode.CALL_NAME

            w.Emit(opcode, pool.Name name, count, 0, result)
        else
            w.Emit(Opcode.CALL_METHOD, pool.Name name, count, 0, result)

    /// Leaves the result of a call of a function of the table, a variable or the host.
    member private g.Call(w: Writer, p: Plan, depth: int) =
        match r.Below 6 with
        | 0 when hosts.Length > 0 ->
            let host = r.Pick hosts
            let n = g.Count host.Arity

            for _ in 1..n do
                g.Push(w, p, plainGuess (), depth)

            w.Emit(
                (if r.Chance 500 then
                     Opcode.CALL_NAME
                 else
                     Opcode.CALL_BUILTIN),
                pool.Name host.Name,
                n,
                0,
                Guess.Any
            )
        | 1
        | 2 ->
            let held =
                w.Variables
                |> Seq.filter (fun v -> v.Value = Guess.Function)
                |> Seq.map (fun v -> v.Key)
                |> Seq.toArray

            let n = r.Below 3

            if held.Length > 0 && r.Chance 950 then
                g.Arguments(w, p, n, depth)
                w.Emit(Opcode.CALL_NAME, pool.Name(r.Pick held), n, 0, Guess.Any)
            elif r.Chance 60 then
                g.Arguments(w, p, n, depth)
                w.Emit(Opcode.CALL_NAME, pool.Name(g.Variable w), n, 0, Guess.Any)
            else
                g.Constant(w, Guess.Int)
        | 3 ->
            let arity = r.Below 3
            g.PushFunction(w, p, arity)

            if w.Top = Guess.Function || r.Chance 20 then
                let n = g.Count arity
                g.Arguments(w, p, n, depth)
                w.Emit(Opcode.CALL_TOP, n, 0, 0, Guess.Any)
        | _ ->
            let callees =
                nameable[p.Index] |> Array.filter (fun q -> q.Index > p.Index || r.Chance 10)

            if callees.Length > 0 then
                let q = r.Pick callees
                let n = g.Count q.Parameters.Length

                for i in 0 .. n - 1 do
                    if i = 0 && q.Role = Role.Recursive then
                        w.Int(
                            if q.IsTall then r.Between(50, 400)
                            elif r.Chance 60 then r.Between(5, 30)
                            else r.Between(0, 4)
                        )
                    else
                        g.Push(w, p, (if r.Chance 700 then Guess.Int else Guess.Any), depth)

                w.Emit(Opcode.CALL_FUNC_CONST, q.Index, n, 0, Guess.Any)
            else
                g.Constant(w, Guess.String)

    /// Pushes a value of the kind asked for that an instruction works out.
    member private g.Compute(w: Writer, p: Plan, wanted: Guess, depth: int) : unit =
        let push guess = g.Push(w, p, guess, depth)

        let routine () =
            let rows = Shapes.making[int wanted]

            if rows.Length > 0 then
                g.Routine(w, p, r.Pick rows, depth)
            else
                g.Constant(w, wanted)

        let arithmetic a b result =
            push a
            push b
            binary w (r.Pick [| Opcode.ADD; Opcode.SUB; Opcode.MUL; Opcode.ADD; Opcode.SUB |]) result

        let divisor guess =
            if r.Chance 850 then
                w.Constant(
                    (if guess = Guess.Int then
                         Tree.ofInt (r.Pick [| 1; 2; 3; -2; 7; -1; 10; -7 |])
                     else
                         Data.Float(r.Pick [| 2.0; -0.5; 3.0; 0.1; -7.0 |])),
                    guess
                )
            else
                push guess

        match wanted with
        | Guess.Int ->
            match r.Below 12 with
            | 0
            | 1
            | 2
            | 3 -> arithmetic Guess.Int Guess.Int Guess.Int
            | 4 ->
                push Guess.Int
                divisor Guess.Int
                binary w (if r.Chance 600 then Opcode.MOD else Opcode.DIV) Guess.Int
            | 5 ->
                push Guess.Int

                if r.Chance 850 then
                    w.Int(r.Between(0, 9))
                else
                    w.Int(r.Pick [| -1; -2; 17; 40; 64; 130 |])

                binary w Opcode.POW Guess.Int
            | 6 ->
                push Guess.Int
                unary w Opcode.NEG Opcode.NEG_REG Guess.Int
            | 7 ->
                push Guess.Int
                w.Emit((if r.Chance 500 then Opcode.INC else Opcode.DEC), Guess.Int)
            | 8 ->
                push (r.Pick [| Guess.String; Guess.List; Guess.Map; Guess.Set; Guess.Null |])
                w.Emit(Opcode.GET_LENGTH, Guess.Int)
            | 9 ->
                let pair =
                    if r.Chance 500 then
                        struct (Guess.Bool, Guess.Int)
                    else
                        struct (Guess.Int, Guess.Null)

                let struct (a, b) = pair
                arithmetic a b Guess.Int
            | _ -> routine ()
        | Guess.Float ->
            match r.Below 9 with
            | 0
            | 1 -> arithmetic Guess.Float Guess.Float Guess.Float
            | 2 -> arithmetic Guess.Int Guess.Float Guess.Float
            | 3 -> arithmetic Guess.Float Guess.Int Guess.Float
            | 4 ->
                push (if r.Chance 500 then Guess.Int else Guess.Float)
                divisor (if r.Chance 400 then Guess.Int else Guess.Float)
                binary w (if r.Chance 700 then Opcode.DIV else Opcode.MOD) Guess.Float
            | 5 ->
                push (if r.Chance 500 then Guess.Int else Guess.Float)

                w.Constant(
                    (if r.Chance 900 then
                         Data.Float(r.Pick [| 0.5; -0.5; 2.0; 3.0; -1.0; 0.0; 10.0; 63.0; 0.5 |])
                     else
                         Data.Float(Values.float r)),
                    Guess.Float
                )

                binary w Opcode.POW Guess.Float
            | 6 ->
                push Guess.Int
                w.Int(r.Between(-5, -1))
                binary w Opcode.POW Guess.Float
            | 7 ->
                push Guess.Float
                unary w Opcode.NEG Opcode.NEG_REG Guess.Float
            | _ -> routine ()
        | Guess.Bool ->
            match r.Below 10 with
            | 0
            | 1 ->
                let kind = r.Pick [| Guess.Int; Guess.Int; Guess.Float; Guess.String; Guess.List |]
                push kind

                push (
                    if kind = Guess.Int && r.Chance 300 then
                        Guess.Float
                    else
                        kind
                )

                binary w (r.Pick comparisons) Guess.Bool
            | 2
            | 3 ->
                push Guess.Any

                if r.Chance 250 then
                    w.Emit(Opcode.DUP, w.Top)
                else
                    push (if r.Chance 600 then w.Top else Guess.Any)

                binary w (if r.Chance 700 then Opcode.EQ else Opcode.NEQ) Guess.Bool
            | 4
            | 5 ->
                push Guess.Any
                push Guess.Any
                binary w (if r.Chance 500 then Opcode.AND else Opcode.OR) Guess.Bool
            | 6 ->
                push Guess.Any
                unary w Opcode.NOT Opcode.NOT_REG Guess.Bool
            | 7 when r.Chance 400 ->
                if r.Chance 500 then
                    let drawn = SignatureCases.draw r
                    w.Text drawn.Signature
                    w.Text drawn.Message
                    w.Text drawn.Key
                else
                    push Guess.String
                    push Guess.String
                    push Guess.String

                w.Emit(Opcode.VERIFY_SIGNATURE, Guess.Bool)
            | _ -> routine ()
        | Guess.String ->
            match r.Below 12 with
            | 0
            | 1
            | 2 ->
                push Guess.String
                push (if r.Chance 500 then Guess.String else Guess.Any)
                binary w Opcode.ADD Guess.String
            | 3 ->
                push Guess.Any
                push Guess.String
                binary w Opcode.ADD Guess.String
            | 4 ->
                push (plainGuess ())
                w.Emit(Opcode.HASH_BLOCK, Guess.String)
            | 5 when r.Chance 500 ->
                let n = r.Below 5

                for _ in 1..n do
                    push (plainGuess ())

                w.Emit(Opcode.MERKLE_ROOT, n, 0, 0, Guess.String)
            | 6 ->
                push Guess.String
                g.Bound(w)
                g.Bound(w)
                w.Emit(Opcode.SLICE, Guess.String)
            | 7 ->
                push Guess.String
                w.Int(r.Between(-3, 4))
                w.Emit(Opcode.INDEX, Guess.String)
            | 8 when r.Chance 600 ->
                let swapped = r.Chance 500

                if swapped then
                    w.Int(r.Between(-1, 5))

                push Guess.String

                if not swapped then
                    w.Int(r.Between(-1, 5))

                binary w Opcode.MUL Guess.String
            | _ -> routine ()
        | Guess.List ->
            match r.Below 10 with
            | 0
            | 1
            | 2 ->
                let n = r.Below 5
                let same = r.Chance 600

                for _ in 1..n do
                    push (if same then Guess.Int else Guess.Any)

                w.Emit(Opcode.BUILD_LIST, n, 0, 0, Guess.List)
            | 3 ->
                push Guess.List
                push Guess.List
                binary w Opcode.ADD Guess.List
            | 4 ->
                push Guess.List
                w.Int(r.Between(-1, 4))
                binary w Opcode.MUL Guess.List
            | 5 ->
                push Guess.List
                g.Bound(w)
                g.Bound(w)
                w.Emit(Opcode.SLICE, Guess.List)
            | 6 ->
                w.Int(r.Between(0, 7))
                w.Emit(Opcode.CALL_BUILTIN, pool.Name "range", 1, 0, Guess.List)
            | _ -> routine ()
        | Guess.Map ->
            if r.Chance 650 then
                let n = r.Below 4

                for _ in 1..n do
                    g.Key(w, p, depth)
                    push Guess.Any

                w.Emit(Opcode.BUILD_MAP, n, 0, 0, Guess.Map)
            else
                routine ()
        | Guess.Set ->
            if r.Chance 700 then
                let n = r.Below 5

                for _ in 1..n do
                    g.Key(w, p, depth)

                w.Emit(Opcode.BUILD_SET, n, 0, 0, Guess.Set)
            else
                routine ()
        | _ -> g.Constant(w, wanted)

    member private g.Bound(w: Writer) =
        if r.Chance 200 then
            w.Constant(Data.Null, Guess.Null)
        elif r.Chance 60 then
            w.Constant(Values.data r 1, Guess.Any)
        elif r.Chance 60 then
            w.Constant(Data.Int(Values.int r), Guess.Int)
        else
            w.Int(r.Between(-4, 6))

    member private g.Key(w: Writer, p: Plan, depth: int) =
        if r.Chance profile.Wrong then
            g.Push(w, p, Guess.Any, depth)
        elif r.Chance 300 then
            g.Push(w, p, scalarGuess (), depth)
        else
            w.Constant(Values.key r, Guess.Any)

    /// A value whose kind cannot be told: out of a collection, the state, a call.
    member private g.PushUnknown(w: Writer, p: Plan, depth: int) =
        match r.Below 8 with
        | 0
        | 1 ->
            g.Push(w, p, Guess.List, depth)
            w.Int(r.Between(-3, 4))
            w.Emit(Opcode.INDEX, Guess.Any)
        | 2 ->
            g.Push(w, p, Guess.Map, depth)
            g.Key(w, p, depth)
            w.Emit(Opcode.INDEX, Guess.Any)
        | 3 ->
            g.Push(w, p, Guess.Map, depth)
            w.Text(r.Pick stateKeys)
            w.Emit(Opcode.GET_ATTR, Guess.Any)
        | 4 ->
            w.Text(r.Pick stateKeys)
            w.Emit(Opcode.STATE_READ, Guess.Any)
        | 5 -> g.Routine(w, p, r.Pick Shapes.making[int Guess.Any], depth)
        | _ -> g.Call(w, p, depth)

    /// An operation on what lies on the stack, whatever it is.
    member private g.Chaos(w: Writer, p: Plan) =
        let row = r.Pick(Seq.toArray InstructionSet.Rows)

        let usable =
            row.Status = Status.Specified
            && row.Flow = Flow.Next
            && row.Opcode <> Opcode.STORE_FUNC
            && row.Opcode <> Opcode.CALL_FUNC_CONST

        if usable then
            let operand (o: Operand) =
                match o.Kind with
                | OperandKind.Constant -> pool.Constant(Values.data r 2)
                | OperandKind.Name ->
                    pool.Name(r.Pick [| r.Pick variables; r.Pick globals; r.Pick (r.Pick Shapes.rows).Names |])
                | OperandKind.Count -> r.Below 4
                | OperandKind.Results -> r.Between(1, 2)
                | OperandKind.Register -> r.Below 5
                | OperandKind.Amount -> r.Below 40
                | OperandKind.Function
                | OperandKind.Target -> 0

            let operands = row.Operands |> Array.map operand

            let at i =
                if i < operands.Length then operands[i] else 0

            let i = Instruction.Of(row.Number, int64 (at 0), int64 (at 1), int64 (at 2))
            let struct (pops, _) = Heights.effect row i

            while w.Height < pops do
                g.Push(w, p, Guess.Any, 0)

            w.Emit(row.Opcode, at 0, at 1, at 2, Guess.Any)

    /// Brings the stack to this height.
    member private g.Level(w: Writer, p: Plan, height: int) =
        while w.Height > height do
            match r.Below 5 with
            | 0 -> w.Store(g.Variable w)
            | 1 when r.Chance 300 -> w.Emit Opcode.PRINT
            | 2 ->
                let register = r.Below 4
                w.Registers[register] <- w.Top
                w.Emit(Opcode.POP_REG, register, 0, 0, Guess.Any)
            | _ -> w.Emit Opcode.POP

        while w.Height < height do
            g.Push(w, p, Guess.Int, 0)

    /// Statements until the budget is used; `leave` are the jumps out of the loop around, with the height they go to.
    member private g.Block(w: Writer, p: Plan, budget: int, depth: int, leave: (ResizeArray<int> * int) voption) =
        let stop = w.Length + budget

        while w.Length < stop do
            let left = stop - w.Length

            if r.Chance profile.Guarded && depth > 0 then
                g.Try(w, p, min left 8, 0, ValueNone)
            else
                g.Statement(w, p, left, depth, leave)

            if w.Height > 8 then
                g.Level(w, p, r.Below 4)

    member private g.Try(w: Writer, p: Plan, budget: int, depth: int, leave: (ResizeArray<int> * int) voption) =
        let height = w.Height
        let setup = w.Jump Opcode.SETUP_TRY
        let before = w.Snapshot()

        if depth > 0 then
            g.Block(w, p, budget, depth - 1, leave)
        else
            g.Statement(w, p, budget, 0, leave)

        g.Level(w, p, height)

        // A handler that is left behind stays in force until the frame ends.
        if r.Chance 850 then
            w.Emit Opcode.POP_TRY

        let over = w.Jump Opcode.JUMP
        let after = w.Snapshot()
        w.Place setup
        w.Restore before
        w.Stack.Add Guess.Any

        match r.Below 7 with
        | 0 -> w.Store(g.Variable w)
        | 1 -> w.Emit Opcode.PRINT
        | 2 when r.Chance 300 ->
            // Thrown on, under a condition or not.
            if r.Chance 500 then
                w.Emit(Opcode.DUP, Guess.Any)
                let skip = w.Jump Opcode.JUMP_IF_FALSE
                let snapshot = w.Snapshot()
                w.Emit Opcode.THROW
                w.Restore snapshot
                w.Place skip
                w.Emit Opcode.POP
            else
                w.Emit Opcode.THROW
        | 3 when budget > 4 ->
            w.Store(g.Variable w)
            g.Block(w, p, budget / 3, 0, leave)
        | 4 ->
            w.Text "handled"
            w.Emit Opcode.AUDIT_LOG
        | _ -> w.Emit Opcode.POP

        g.Level(w, p, height)
        w.Place over
        w.Merge after

    member private g.Condition(w: Writer, p: Plan) =
        if r.Chance 850 then
            g.Push(w, p, Guess.Bool, 1)
        else
            g.Push(w, p, Guess.Any, 1)

    /// body: what runs each time round, back at the height it began with; breaks and continues go through `leave`.
    member private g.Loop(w: Writer, p: Plan, budget: int, depth: int) =
        let height = w.Height
        let counter = counters[min depth 2]
        let times = if r.Chance 80 then r.Between(6, 45) else r.Between(0, 5)
        let breaks = ResizeArray<int>()

        match r.Below 4 with
        | 0 ->
            // The counter lies on the stack.
            w.Int times
            let start = w.Length
            w.Emit(Opcode.DUP, Guess.Int)
            let out = w.Jump Opcode.JUMP_IF_FALSE
            w.Emit(Opcode.DEC, Guess.Int)
            let inner = w.Height
            g.Block(w, p, budget, depth, ValueSome(breaks, inner))
            g.Level(w, p, inner)
            let back = w.Jump Opcode.JUMP
            w.Aim(back, start)
            w.Place out

            for b in breaks do
                w.Place b

            w.Emit Opcode.POP
            g.Level(w, p, height)
        | 1 ->
            // Over a collection, by FOR_ITER, until the element is null.
            g.Push(w, p, r.Pick [| Guess.List; Guess.List; Guess.Map; Guess.Set; Guess.String |], 1)
            let over = g.Variable w
            w.Store over
            w.Int 0
            w.Store counter
            let start = w.Length
            w.Load over
            w.Load counter
            let results = r.Between(1, 2)
            w.Emit(Opcode.FOR_ITER, results, 0, 0, Guess.Any)

            if results = 2 then
                if r.Chance 500 then
                    w.Store(g.Variable w)
                else
                    w.Emit Opcode.POP

            w.Emit(Opcode.DUP, Guess.Any)
            let out = w.Jump Opcode.JUMP_IF_FALSE
            let ended = w.Snapshot()
            w.Store(g.Variable w)
            g.Block(w, p, budget, depth, ValueSome(breaks, height))
            g.Level(w, p, height)
            w.Load counter
            w.Emit(Opcode.INC, Guess.Int)
            w.Store counter
            let back = w.Jump Opcode.JUMP
            w.Aim(back, start)
            w.Restore ended
            w.Place out
            w.Emit Opcode.POP

            for b in breaks do
                w.Place b
        | _ ->
            let registers = r.Chance 250
            let register = 8 + r.Below 4

            if registers then
                w.Emit(Opcode.LOAD_REG, register, pool.Constant(Tree.ofInt times), 0, Guess.Any)
            else
                w.Int times
                w.Store counter

            let start = w.Length

            if registers then
                w.Emit(Opcode.PUSH_REG, register, 0, 0, Guess.Int)
            else
                w.Load counter

            w.Int 0
            w.Emit(Opcode.GT, Guess.Bool)
            let out = w.Jump Opcode.JUMP_IF_FALSE

            if registers then
                w.Emit(Opcode.PUSH_REG, register, 0, 0, Guess.Int)
                w.Emit(Opcode.DEC, Guess.Int)
                w.Emit(Opcode.POP_REG, register, 0, 0, Guess.Any)
            else
                w.Load counter
                w.Emit(Opcode.DEC, Guess.Int)
                w.Store counter

            g.Block(w, p, budget, depth, ValueSome(breaks, height))
            g.Level(w, p, height)
            let back = w.Jump Opcode.JUMP
            w.Aim(back, start)
            w.Place out

            for b in breaks do
                w.Place b

    member private g.Statement
        (w: Writer, p: Plan, budget: int, depth: int, leave: (ResizeArray<int> * int) voption)
        : unit =
        let push guess = g.Push(w, p, guess, 2)

        if r.Chance profile.Chaos then
            g.Chaos(w, p)
        elif callees.Length > 0 && r.Chance 90 then
            let call () =
                w.CallContract(r, callees, (fun () -> push Guess.Any))

                match r.Below 4 with
                | 0 -> w.Emit Opcode.PRINT
                | 1 -> w.Emit Opcode.LEDGER_APPEND
                | 2 -> w.Store(g.Variable w)
                | _ -> w.Emit Opcode.POP

            if w.Height = 0 && r.Chance 600 then
                w.Guarded call
            else
                call ()
        else
            match r.Below 46 with
            | 0
            | 1
            | 2
            | 3 ->
                push (anyGuess ())
                w.Store(g.Variable w)
            | 4
            | 5
            | 6
            | 7 -> push (anyGuess ())
            | 8
            | 9
            | 10 -> g.PushUnknown(w, p, 1)
            | 11
            | 12 ->
                if w.Height > 0 then
                    g.Level(w, p, w.Height - 1)
            | 13
            | 14 when depth > 0 && budget > 6 ->
                // if … else …
                let height = w.Height
                g.Condition(w, p)

                let no =
                    w.Jump(
                        if r.Chance 700 then
                            Opcode.JUMP_IF_FALSE
                        else
                            Opcode.JUMP_IF_TRUE
                    )

                let before = w.Snapshot()
                g.Block(w, p, budget / 3, depth - 1, leave)
                let result = r.Below 2
                g.Level(w, p, height + result)

                if r.Chance 600 || result > 0 then
                    let over = w.Jump Opcode.JUMP
                    let after = w.Snapshot()
                    w.Place no
                    w.Restore before
                    g.Block(w, p, budget / 3, depth - 1, leave)
                    g.Level(w, p, height + result)
                    w.Place over
                    w.Merge after
                else
                    w.Place no
                    w.Merge before
            | 15
            | 16
            | 17 when depth > 0 && budget > 8 -> g.Loop(w, p, budget / 2, depth - 1)
            | 18
            | 19
            | 20
            | 21 when depth > 0 && budget > 6 -> g.Try(w, p, budget / 2, depth, leave)
            | 22
            | 23 when depth > 0 && budget > 5 ->
                let height = w.Height
                w.Emit Opcode.TX_BEGIN
                g.Block(w, p, budget / 2, depth - 1, leave)

                if r.Chance 500 then
                    g.Level(w, p, height)

                match r.Below 8 with
                | 0 -> ()
                | 1
                | 2
                | 3 -> w.Emit Opcode.TX_REVERT
                | _ -> w.Emit Opcode.TX_COMMIT
            | 24
            | 25
            | 26 ->
                if r.Chance(1000 - profile.Wrong) then
                    w.Text(r.Pick stateKeys)
                else
                    push Guess.Any

                push (plainGuess ())
                w.Emit Opcode.STATE_WRITE
            | 27 ->
                push (if r.Chance 600 then Guess.Map else plainGuess ())
                w.Emit Opcode.LEDGER_APPEND
            | 28 ->
                push Guess.Any
                w.Emit Opcode.PRINT
            | 29 when r.Chance 500 ->
                push (plainGuess ())
                push (if r.Chance 700 then Guess.String else plainGuess ())
                w.Emit Opcode.AUDIT_LOG
            | 30
            | 31 ->
                // Events: the handler is a global's Function, a builtin's or host function's name, or nothing at all.
                let event = pool.Name(r.Pick events)

                if r.Chance 600 then
                    let handler =
                        match r.Below 14 with
                        | 0 -> "str"
                        | 1 -> "timestamp"
                        | 2 when hosts.Length > 0 -> (r.Pick hosts).Name
                        | 3 when r.Chance 200 -> "nobody"
                        | 4 -> r.Pick variables
                        | _ -> r.Pick [| "onMove"; "onPay"; "g" |]

                    let handlers =
                        nameable[p.Index] |> Array.filter (fun q -> q.Index > p.Index && q.Parameters.Length <= 1)

                    if handlers.Length > 0 && not (handler = "str" || handler = "timestamp") then
                        w.Emit(Opcode.STORE_FUNC, pool.Name handler, (r.Pick handlers).Index, 0, Guess.Any)
                        w.Emit(Opcode.REGISTER_EVENT, event, pool.Name handler, 0, Guess.Any)
                    elif handler = "str" || handler = "timestamp" || r.Chance 50 then
                        w.Emit(Opcode.REGISTER_EVENT, event, pool.Name handler, 0, Guess.Any)

                if r.Chance 700 then
                    if r.Chance 400 then
                        // A Map that nothing but the event has; under few words, so that some stand there twice.
                        let n = r.Below 4

                        for _ in 1..n do
                            w.Text(r.Pick [| "from"; "to"; "a key that is long enough for its copy to cost gas" |])

                            push (
                                if r.Chance 700 then
                                    r.Pick [| Guess.Int; Guess.String |]
                                else
                                    plainGuess ()
                            )

                        w.Emit(Opcode.BUILD_MAP, n, 0, 0, Guess.Map)
                    else
                        push (plainGuess ())

                    w.Emit(Opcode.EMIT_EVENT, event, 0, 0, Guess.Any)
            | 32
            | 33
            | 34 ->
                // Change a collection that a variable (and perhaps another) holds.
                let held =
                    w.Variables
                    |> Seq.filter (fun v -> v.Value = Guess.List || v.Value = Guess.Map || v.Value = Guess.Set)
                    |> Seq.map (fun v -> v.Key, v.Value)
                    |> Seq.toArray

                if held.Length = 0 then
                    push (r.Pick [| Guess.List; Guess.Map; Guess.Set |])

                    if r.Chance 500 then
                        w.Emit(Opcode.DUP, w.Top)

                    w.Store(g.Variable w)
                else
                    let name, kind = r.Pick held
                    w.Load name

                    let routine, arguments =
                        match kind with
                        | Guess.List ->
                            match r.Below 6 with
                            | 0 -> "pop", 0
                            | 1 -> "set", 2
                            | _ -> "push", 1
                        | Guess.Map -> if r.Chance 650 then "set", 2 else "delete", 1
                        | _ -> if r.Chance 650 then "add", 1 else "delete", 1

                    if arguments > 0 then
                        if kind = Guess.List then
                            if routine = "set" then
                                w.Int(r.Between(-2, 3))
                                push Guess.Any
                            elif r.Chance 60 then
                                w.Load name
                            else
                                push Guess.Any
                        else
                            g.Key(w, p, 1)

                            if arguments = 2 then
                                if r.Chance 50 then w.Load name else push Guess.Any

                    w.Emit(
                        Opcode.CALL_METHOD,
                        pool.Name routine,
                        arguments,
                        0,
                        (if routine = "pop" then Guess.Any else kind)
                    )

                    if r.Chance 700 then
                        w.Emit Opcode.POP
            | 35 ->
                g.Condition(w, p)
                push (if r.Chance 700 then Guess.String else Guess.Any)
                w.Emit Opcode.REQUIRE
            | 36 ->
                // throw, mostly under a condition
                let skip =
                    if r.Chance 800 then
                        g.Condition(w, p)
                        ValueSome(w.Jump Opcode.JUMP_IF_FALSE)
                    else
                        ValueNone

                let snapshot = w.Snapshot()
                push Guess.Any

                if w.Height > 0 then
                    w.Emit Opcode.THROW

                w.Restore snapshot

                match skip with
                | ValueSome at -> w.Place at
                | ValueNone ->
                    // What follows is never reached; a NOP keeps the code's shape plain.
                    w.Emit Opcode.NOP
            | 37 ->
                g.Condition(w, p)
                let skip = w.Jump Opcode.JUMP_IF_FALSE
                let snapshot = w.Snapshot()

                if r.Chance 700 then
                    push Guess.Any

                w.Emit Opcode.RETURN
                w.Restore snapshot
                w.Place skip
            | 38 ->
                match leave with
                | ValueSome(jumps, height) ->
                    g.Condition(w, p)
                    let skip = w.Jump Opcode.JUMP_IF_FALSE
                    let snapshot = w.Snapshot()
                    g.Level(w, p, height)
                    jumps.Add(w.Jump Opcode.JUMP)
                    w.Restore snapshot
                    w.Place skip
                | ValueNone -> w.Emit Opcode.NOP
            | 39 ->
                let a = r.Below 5
                let v = g.Variable w

                match r.Below 4 with
                | 0 ->
                    let guess = plainGuess ()
                    w.Registers[a] <- guess
                    w.Emit(Opcode.LOAD_REG, a, pool.Constant(Values.ofGuess r guess), 0, Guess.Any)
                | 1 ->
                    w.Registers[a] <-
                        (match w.Variables.TryGetValue v with
                         | true, guess -> guess
                         | _ -> Guess.Any)

                    w.Emit(Opcode.LOAD_VAR_REG, a, pool.Name v, 0, Guess.Any)
                | 2 ->
                    w.Variables[v] <- w.Registers[a]
                    w.Emit(Opcode.STORE_REG, a, pool.Name v, 0, Guess.Any)
                | _ ->
                    let b = r.Below 16
                    w.Registers[b] <- w.Registers[a]
                    w.Emit(Opcode.MOV_REG, b, a, 0, Guess.Any)
            | 40 ->
                let v = g.Variable w
                let guess = plainGuess ()
                w.Variables[v] <- guess
                w.Emit(Opcode.STORE_CONST, pool.Name v, pool.Constant(Values.ofGuess r guess), 0, Guess.Any)
            | 41 ->
                match r.Below 8 with
                | 0 -> w.Emit Opcode.POP_TRY
                | 1 -> w.Emit Opcode.TX_COMMIT
                | 2 -> w.Emit Opcode.TX_REVERT
                | 3 -> w.Emit Opcode.TX_BEGIN
                | 4 ->
                    w.GasCharge(
                        if r.Chance 950 then
                            int64 (r.Below 200)
                        else
                            r.Pick [|
                                1_048_576L
                                1L <<< 38
                                (1L <<< 38) - 1L
                                Int64.MaxValue
                                Int64.MaxValue - 2L
                            |]
                    )
                | 5 -> w.Emit(Opcode.CALL_BUILTIN, pool.Name "gas_left", 0, 0, Guess.Int)
                | _ -> w.Emit Opcode.NOP
            | 42
            | 43 -> g.Call(w, p, 1)
            | 44 ->
                // A function for later calls.
                g.PushFunction(w, p, r.Below 3)

                if r.Chance 700 then
                    w.Emit Opcode.POP
            | _ ->
                let rows = Shapes.rows
                g.Routine(w, p, r.Pick rows, 1)

    member private g.Function(p: Plan) : FunctionDefinition =
        let w = Writer(pool, p.Name, p.Parameters, p.Locals, p.Captures)

        for v in p.Parameters do
            w.Variables[v] <- if r.Chance 700 then Guess.Int else Guess.Any

        if p.Role = Role.Recursive then
            let n = p.Parameters[0]
            w.Variables[n] <- Guess.Int
            w.Load n
            w.Int 0
            w.Emit(Opcode.GT, Guess.Bool)
            let down = w.Jump Opcode.JUMP_IF_TRUE
            g.Push(w, p, Guess.Any, 1)
            w.Emit Opcode.RETURN
            w.Restore [||]
            w.Place down

        let budget =
            if p.Index = 0 then
                profile.Length
            else
                match p.Role with
                | Role.Unary
                | Role.Binary -> r.Between(1, 8)
                | _ -> r.Between(2, 16)

        let body () =
            g.Block(w, p, budget, profile.Depth, ValueNone)

        if p.Index = 0 && r.Chance 300 then
            w.Rounds(
                r.Pick [| 2; 4; 8; 16 |],
                rounds,
                fun () ->
                    let round () =
                        body ()
                        g.Level(w, p, 0)

                    if r.Chance 700 then w.Guarded round else round ()
            )
        else
            body ()

        match p.Role with
        | Role.Thrower ->
            g.Push(w, p, Guess.Any, 1)
            w.Emit Opcode.THROW
        | Role.Recursive ->
            g.Level(w, p, 0)
            w.Load p.Parameters[0]
            w.Emit(Opcode.DEC, Guess.Int)

            if r.Chance 200 then
                // Through a routine that calls back.
                w.Emit(Opcode.BUILD_LIST, 1, 0, 0, Guess.List)
                let v = g.Variable w
                w.Emit(Opcode.STORE_FUNC, pool.Name v, p.Index, 0, Guess.Any)
                w.Load v
                w.Emit(Opcode.CALL_METHOD, pool.Name(r.Pick [| "map"; "map"; "filter" |]), 1, 0, Guess.Any)
            else
                if p.Parameters.Length > 1 then
                    w.Load p.Parameters[1]

                w.Emit(Opcode.CALL_FUNC_CONST, p.Index, p.Parameters.Length, 0, Guess.Any)

            w.Load p.Parameters[0]
            w.Emit(Opcode.BUILD_LIST, 2, 0, 0, Guess.List)
        | Role.Binary when r.Chance 600 ->
            g.Level(w, p, 0)
            w.Load p.Parameters[0]
            w.Load p.Parameters[1]
            binary w (r.Pick [| Opcode.SUB; Opcode.GT; Opcode.ADD; Opcode.LT |]) Guess.Int
        | Role.Unary when r.Chance 500 ->
            w.Load p.Parameters[0]
            g.Push(w, p, Guess.Int, 1)
            binary w (r.Pick [| Opcode.ADD; Opcode.MUL; Opcode.GT; Opcode.EQ; Opcode.AND |]) Guess.Any
        | _ ->
            if r.Chance 500 then
                g.Push(w, p, Guess.Any, 1)

        if r.Chance 600 && w.Length > 0 then
            w.Emit Opcode.RETURN

        w.Definition

    member g.Program() : Program =
        let functions = plans |> Array.map g.Function

        {
            Constants = pool.Constants
            Names = pool.Names
            Functions = functions
        }

[<RequireQualifiedAccess>]
module WellFormed =
    let profile (r: Rng) = {
        Wrong = r.Pick [| 0; 8; 15; 40 |]
        Chaos = r.Pick [| 0; 0; 20; 80; 500 |]
        Guarded = r.Pick [| 0; 0; 150; 500; 900 |]
        Length = r.Pick [| r.Between(3, 12); r.Between(8, 30); r.Between(15, 50) |]
        Functions = r.Pick [| 0; 1; 2; 2; 3; 4 |]
        Depth = r.Between(1, 3)
    }

    let program (r: Rng) (hosts: HostFunction[]) (callees: Callee[]) : Program =
        ProgramGenerator(r, profile r, hosts, callees).Program()
