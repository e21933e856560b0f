namespace Zexus.Differential

open System.Collections.Generic
open Zexus.Isa

/// What builtins and methods like to be given, and what comes out. The last parameter stands for all further ones.
[<RequireQualifiedAccess>]
module Shapes =
    let ofRoutine (routine: Routine) : struct (Guess[] * Guess) =
        let shape (parameters: Guess list) result =
            struct (List.toArray parameters, result)

        match routine with
        | Routine.Len -> shape [ Guess.List ] Guess.Int
        | Routine.Str -> shape [ Guess.Any ] Guess.String
        | Routine.IntOf -> shape [ Guess.Float ] Guess.Int
        | Routine.FloatOf -> shape [ Guess.Int ] Guess.Float
        | Routine.TypeOf -> shape [ Guess.Any ] Guess.String
        | Routine.Range -> shape [ Guess.Int; Guess.Int ] Guess.List
        | Routine.Push
        | Routine.Append -> shape [ Guess.List; Guess.Any ] Guess.List
        | Routine.Timestamp
        | Routine.Height
        | Routine.GasLeft -> shape [] Guess.Int
        | Routine.Caller -> shape [] Guess.String
        | Routine.CallContract -> shape [ Guess.String; Guess.String; Guess.List; Guess.Int ] Guess.Any
        | Routine.StringLength -> shape [] Guess.Int
        | Routine.StringContains
        | Routine.StringStartsWith
        | Routine.StringEndsWith -> shape [ Guess.String ] Guess.Bool
        | Routine.StringUpper
        | Routine.StringLower
        | Routine.StringTrim -> shape [] Guess.String
        | Routine.StringSplit -> shape [ Guess.String ] Guess.List
        | Routine.StringIndexOf -> shape [ Guess.String ] Guess.Int
        | Routine.StringReplace -> shape [ Guess.String; Guess.String ] Guess.String
        | Routine.StringSlice -> shape [ Guess.Int; Guess.Int ] Guess.String
        | Routine.StringCharAt
        | Routine.StringRepeat -> shape [ Guess.Int ] Guess.String
        | Routine.StringIsEmpty -> shape [] Guess.Bool
        | Routine.ListLength -> shape [] Guess.Int
        | Routine.ListPush -> shape [ Guess.Any ] Guess.List
        | Routine.ListPop
        | Routine.ListFirst
        | Routine.ListLast -> shape [] Guess.Any
        | Routine.ListSet -> shape [ Guess.Int; Guess.Any ] Guess.List
        | Routine.ListContains -> shape [ Guess.Any ] Guess.Bool
        | Routine.ListIndexOf -> shape [ Guess.Any ] Guess.Int
        | Routine.ListIsEmpty -> shape [] Guess.Bool
        | Routine.ListReverse
        | Routine.ListFlatten -> shape [] Guess.List
        | Routine.ListSort
        | Routine.ListMap
        | Routine.ListFilter -> shape [ Guess.Function ] Guess.List
        | Routine.ListReduce -> shape [ Guess.Function; Guess.Any ] Guess.Any
        | Routine.ListJoin -> shape [ Guess.String ] Guess.String
        | Routine.ListSlice -> shape [ Guess.Int; Guess.Int ] Guess.List
        | Routine.MapLength -> shape [] Guess.Int
        | Routine.MapGet -> shape [ Guess.String; Guess.Any ] Guess.Any
        | Routine.MapSet -> shape [ Guess.String; Guess.Any ] Guess.Map
        | Routine.MapHas
        | Routine.MapDelete -> shape [ Guess.String ] Guess.Bool
        | Routine.MapKeys
        | Routine.MapValues
        | Routine.MapEntries -> shape [] Guess.List
        | Routine.MapIsEmpty -> shape [] Guess.Bool
        | Routine.SetLength -> shape [] Guess.Int
        | Routine.SetAdd -> shape [ Guess.Int ] Guess.Set
        | Routine.SetHas
        | Routine.SetDelete -> shape [ Guess.Int ] Guess.Bool
        | Routine.SetValues -> shape [] Guess.List
        | Routine.SetIsEmpty -> shape [] Guess.Bool

    /// Arguments that the functions given to a routine are called with; 0: it takes none.
    let callbackArity (routine: Routine) =
        match routine with
        | Routine.ListMap
        | Routine.ListFilter -> 1
        | Routine.ListReduce
        | Routine.ListSort -> 2
        | _ -> 0

    let receiver (receiver: Receiver) =
        match receiver with
        | Receiver.Nothing -> Guess.Null
        | Receiver.String -> Guess.String
        | Receiver.List -> Guess.List
        | Receiver.Map -> Guess.Map
        | Receiver.Set -> Guess.Set

    let rows = Seq.toArray Library.Rows

    /// Rows by what they make; index by Guess.
    let making: RoutineInfo[][] =
        Array.init 10 (fun guess ->
            rows
            |> Array.filter (fun row ->
                let struct (_, result) = ofRoutine row.Routine
                int result = guess))

/// The constants and names that the functions of one program share.
[<Sealed>]
type Pool() =
    let constants = ResizeArray<Data>()
    let names = ResizeArray<string>()
    let known = Dictionary<string, int>()

    member _.Constant(data: Data) =
        let rec find i =
            if i < 0 then -1
            elif constants[i].Equals data then i
            else find (i - 1)

        match find (constants.Count - 1) with
        | -1 ->
            constants.Add data
            constants.Count - 1
        | i -> i

    member _.Name(name: string) =
        match known.TryGetValue name with
        | true, i -> i
        | _ ->
            names.Add name
            known[name] <- names.Count - 1
            names.Count - 1

    member _.Constants = constants.ToArray()
    member _.Names = names.ToArray()

/// A contract, and the names of its functions that can be called.
type Callee = { Id: string; Functions: string[] }

[<RequireQualifiedAccess>]
module Callee =
    /// One that is not there, or executes already.
    let named id = { Id = id; Functions = [||] }

    let ofContract (contract: CaseContract) = {
        Id = contract.Id
        Functions = [|
            for f in contract.Program.Functions do
                if f.Captures.Length = 0 then
                    f.Name
        |]
    }

/// One function while it is written: its code, and a guess for each value on the stack, in a variable or register.
[<Sealed>]
type Writer(pool: Pool, name: string, parameters: string[], locals: string[], captures: string[]) =
    let code = ResizeArray<Instruction>()
    let stack = ResizeArray<Guess>()
    let variables = Dictionary<string, Guess>()
    let registers = Array.create Limits.Registers Guess.Null

    member _.Pool = pool
    member _.Name = name
    member _.Parameters = parameters
    member _.Captures = captures
    member _.Own = Array.concat [ parameters; locals; captures ]
    member _.Stack = stack
    member _.Height = stack.Count
    member _.Variables = variables
    member _.Registers = registers
    member _.Length = code.Count

    member _.Top =
        if stack.Count > 0 then
            stack[stack.Count - 1]
        else
            Guess.Null

    /// Appends an instruction; what it leaves is guessed to be as given.
    member _.Emit(opcode: Opcode, a: int, b: int, c: int, result: Guess) =
        let info = InstructionSet.Of opcode
        let i = Instruction.Of(info.Number, int64 a, int64 b, int64 c)
        let struct (pops, pushes) = Heights.effect info i
        code.Add i
        stack.RemoveRange(stack.Count - pops, pops)

        for _ in 1..pushes do
            stack.Add result

    member _.GasCharge(amount: int64) =
        code.Add(Instruction.Of((InstructionSet.Of Opcode.GAS_CHARGE).Number, amount, 0L, 0L))

    member this.Emit(opcode: Opcode, result: Guess) = this.Emit(opcode, 0, 0, 0, result)
    member this.Emit(opcode: Opcode) = this.Emit(opcode, 0, 0, 0, Guess.Any)

    member this.Constant(data: Data, guess: Guess) =
        this.Emit(Opcode.LOAD_CONST, pool.Constant data, 0, 0, guess)

    member this.Int(n: int) = this.Constant(Tree.ofInt n, Guess.Int)

    member this.Text(s: string) =
        this.Constant(Data.String s, Guess.String)

    member this.Load(name: string) =
        let guess =
            match variables.TryGetValue name with
            | true, guess -> guess
            | _ -> Guess.Any

        this.Emit(Opcode.LOAD_NAME, pool.Name name, 0, 0, guess)

    member this.Store(name: string) =
        variables[name] <- this.Top
        this.Emit(Opcode.STORE_NAME, pool.Name name, 0, 0, Guess.Any)

    /// A jump to be placed later.
    member this.Jump(opcode: Opcode) =
        this.Emit opcode
        code.Count - 1

    /// Lets the jump go to here.
    member _.Place(at: int) =
        code[at] <- { code[at] with A = int64 code.Count }

    /// Lets the jump go to there.
    member _.Aim(at: int, target: int) =
        code[at] <- { code[at] with A = int64 target }

    /// Guesses for the stack as they were when this was called, for the other branch.
    member _.Snapshot() = stack.ToArray()

    member _.Restore(snapshot: Guess[]) =
        stack.Clear()
        stack.AddRange snapshot

    /// The end of another branch arrives with these guesses: where they differ, anything.
    member _.Merge(snapshot: Guess[]) =
        for i in 0 .. min stack.Count snapshot.Length - 1 do
            if stack[i] <> snapshot[i] then
                stack[i] <- Guess.Any

    /// A body that starts and ends at height 0, with its faults caught.
    member w.Guarded(body: unit -> unit) =
        let setup = w.Jump Opcode.SETUP_TRY
        body ()
        w.Emit Opcode.POP_TRY
        let over = w.Jump Opcode.JUMP
        w.Place setup
        w.Restore [| Guess.Any |]
        w.Emit Opcode.POP
        w.Place over

    /// A body that starts and ends at height 0, so many times, counted down in a variable that it leaves alone: each round
    /// finds what those before it have left.
    member w.Rounds(times: int, counter: string, body: unit -> unit) =
        w.Int times
        w.Store counter
        let start = w.Length
        // After the first round anything can be in them.
        variables.Clear()
        body ()
        w.Load counter
        w.Emit(Opcode.DEC, Guess.Int)
        w.Emit(Opcode.DUP, Guess.Int)
        w.Store counter
        let back = w.Jump Opcode.JUMP_IF_TRUE
        w.Aim(back, start)

    /// A call of one of these contracts: [] -> [its value]. Most are in order.
    member w.CallContract(r: Rng, callees: Callee[], argument: unit -> unit) =
        let callee = r.Pick callees

        w.Text(callee.Id)

        w.Text(
            if callee.Functions.Length = 0 || r.Chance 40 then
                "nobody"
            elif r.Chance 400 then
                callee.Functions[callee.Functions.Length - 1]
            else
                r.Pick callee.Functions
        )

        let count = r.Pick [| 2; 3; 3; 3; 4; 4 |]

        if count > 2 then
            if r.Chance 60 then
                argument ()
            else
                let n = r.Below 4

                for _ in 1..n do
                    argument ()

                w.Emit(Opcode.BUILD_LIST, n, 0, 0, Guess.List)

        if count > 3 then
            match r.Below 20 with
            | 0 -> argument ()
            | 1 -> w.Constant(Data.Int(System.Numerics.BigInteger.Pow(10I, 30)), Guess.Int)
            | _ -> w.Int(r.Pick [| -1; 0; 1; 5; 20; 60; 200; 1000; 5000; 1_000_000 |])

        w.Emit(Opcode.CALL_BUILTIN, pool.Name "call_contract", count, 0, Guess.Any)

    member _.Definition: FunctionDefinition = {
        Name = name
        Parameters = parameters
        Locals = locals
        Captures = captures
        Code = code.ToArray()
    }
