namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Numerics
open Zexus.Isa

/// Programs that validation is there for. Many are refused, and the reason, the function and the index are compared;
/// those that load are run like any other.
[<RequireQualifiedAccess>]
module IllFormed =
    let private edges = [|
        -1L
        0L
        1L
        2L
        3L
        15L
        16L
        1024L
        1025L
        255L
        256L
        65536L
        2147483647L
        2147483648L
        4294967295L
        4294967296L
        4294967297L
        -2147483648L
        -4294967296L
        Int64.MaxValue
        Int64.MinValue
    |]

    let private numbers = [|
        for info in InstructionSet.Rows do
            info.Number
    |]

    let private reserved = [|
        for n in InstructionSet.Reserved do
            n.Number
    |]

    /// Text with half of a surrogate pair. (In a literal the compiler would put U+FFFD for it.)
    let private halves = [|
        String('\ud800', 1)
        String([| 'a'; '\udc00'; 'b' |])
        String([| '\udc00'; '\ud800' |])
        String([| 'x'; '\ud83d' |])
    |]

    let private number (r: Rng) =
        match r.Below 12 with
        | 0 -> r.Pick reserved
        | 1 ->
            r.Pick [|
                0
                -1
                17
                33
                73
                113 + 65536
                256
                310
                400
                1000
                Int32.MaxValue
                Int32.MinValue
            |]
        | _ -> r.Pick numbers

    let private operand (r: Rng) =
        if r.Chance 800 then int64 (r.Below 6) else r.Pick edges

    let private instruction (r: Rng) =
        let n = number r

        match InstructionSet.TryFind n with
        | true, info ->
            let at i =
                if i < info.Operands.Length then operand r else 0L

            Instruction.Of(n, at 0, at 1, at 2)
        | false, _ -> Instruction.Of(n, 0L, 0L, 0L)

    let private badData (r: Rng) : Data =
        match r.Below 14 with
        | 0 ->
            Data.Float(
                BitConverter.Int64BitsToDouble(
                    r.Pick [| 0xFFF8000000000000L; 0x7FF8000000000001L; 0x7FF0000000000001L |]
                )
            )
        | 1 -> Data.String(r.Pick halves)
        | 2 -> Data.Map [| Tree.pair (Tree.ofInt 1) Data.Null; Tree.pair (Data.Float 1.0) Data.Null |]
        | 3 -> Data.Set [| Data.Bool true; Tree.ofInt 1 |]
        | 4 -> Data.Set [| Data.Float 0.0; Data.Float -0.0 |]
        | 5 -> Data.Map [| Tree.pair (Data.List [||]) Data.Null |]
        | 6 -> Data.Set [| Data.Float Tree.nan |]
        | 7 -> Data.Set [| Data.Int(BigInteger.Pow(BigInteger 2, 53)); Data.Float 9007199254740992.0 |]
        | 8 ->
            Data.Set [|
                Data.Int(BigInteger.Pow(BigInteger 2, 53) + BigInteger.One)
                Data.Float 9007199254740992.0
            |]
        | 9 ->
            Data.Int(
                r.Pick [|
                    BigInteger.Pow(BigInteger 2, 8192)
                    -BigInteger.Pow(BigInteger 2, 8192) - BigInteger.One
                |]
            )
        | 10 -> Values.nested (r.Pick [| 256; 257; 255 |]) (Values.data r 0)
        | 11 -> Data.Map [| Tree.pair (Data.String halves[0]) (Data.Float -nan) |]
        | 12 -> Data.Set [| Data.String "é"; Data.String "e\u0301"; Data.String "é" |]
        | _ ->
            Data.List [|
                Data.Null
                Values.data r 2
                Data.Set [| Data.Null; Data.Bool false; Tree.ofInt 0 |]
            |]

    let private insert (at: int) (item: 'a) (items: 'a[]) =
        Array.concat [ items[.. at - 1]; [| item |]; items[at..] ]

    let private change (r: Rng) (f: FunctionDefinition) : FunctionDefinition =
        let code = f.Code
        let n = code.Length

        let put at i =
            Array.mapi (fun j old -> if j = at then i else old) code

        if n = 0 then
            { f with Code = [| instruction r |] }
        else
            let at = r.Below n
            let i = code[at]

            let code =
                match r.Below 12 with
                | 0
                | 1 ->
                    // A jump to anywhere.
                    let jumps =
                        [| 0 .. n - 1 |]
                        |> Array.filter (fun j ->
                            match InstructionSet.TryFind code[j].Number with
                            | true, info -> (Heights.targetOf info code[j]).IsSome
                            | false, _ -> false)

                    if jumps.Length > 0 then
                        let j = r.Pick jumps

                        let target =
                            if r.Chance 850 then
                                int64 (r.Below(n + 1))
                            else
                                r.Pick [| -1L; int64 n + 1L; int64 n; 4294967296L |]

                        Array.mapi (fun k old -> if k = j then { old with A = target } else old) code
                    else
                        insert
                            at
                            (Instruction.Of((InstructionSet.Of Opcode.JUMP).Number, int64 (r.Below(n + 2)), 0L, 0L))
                            code
                | 2
                | 3 -> Array.concat [ code[.. at - 1]; code[at + 1 ..] ]
                | 4 -> insert at (instruction r) code
                | 5 -> put at (instruction r)
                | 6 -> put at { i with Number = number r }
                | 7 -> put at { i with A = r.Pick edges }
                | 8 ->
                    match InstructionSet.TryFind i.Number with
                    | true, info when info.Operands.Length > 1 -> put at { i with B = r.Pick edges }
                    | _ -> put at { i with A = i.A + 1L }
                | 9 ->
                    match InstructionSet.TryFind i.Number with
                    | true, info when info.Operands.Length > 2 -> put at { i with C = r.Pick edges }
                    | _ -> put at { i with A = i.A - 1L }
                | 10 -> Array.append code [| instruction r |]
                | _ ->
                    let other = r.Below n
                    let swapped = Array.copy code
                    swapped[at] <- code[other]
                    swapped[other] <- i
                    swapped

            { f with Code = code }

    let private names (r: Rng) (f: FunctionDefinition) : FunctionDefinition =
        let bad = r.Pick [| halves[0]; halves[3]; "a"; "b"; "c" |]

        match r.Below 5 with
        | 0 -> { f with Name = bad }
        | 1 -> {
            f with
                Parameters = Array.append f.Parameters [| bad |]
          }
        | 2 -> {
            f with
                Locals = Array.append f.Locals [| bad |]
          }
        | 3 -> {
            f with
                Captures = Array.append f.Captures [| bad |]
          }
        | _ ->
            let many = r.Pick [| 1023; 1024; 1025 |]

            {
                f with
                    Locals = Array.init (max 0 (many - f.Parameters.Length - f.Captures.Length)) (fun i -> $"v{i}")
            }

    let private tall (r: Rng) : FunctionDefinition =
        let load = Instruction.Of((InstructionSet.Of Opcode.LOAD_CONST).Number, 0L, 0L, 0L)
        let n = r.Pick [| 1022; 1023; 1024; 1025 |]

        let last =
            match r.Below 5 with
            | 0 -> [|
                Instruction.Of((InstructionSet.Of Opcode.BUILD_LIST).Number, int64 (min n 1024), 0L, 0L)
              |]
            | 1 -> [| Instruction.Of((InstructionSet.Of Opcode.DUP).Number, 0L, 0L, 0L) |]
            | 2 -> [|
                Instruction.Of((InstructionSet.Of Opcode.SETUP_TRY).Number, int64 n + 1L, 0L, 0L)
              |]
            | 3 -> [|
                Instruction.Of((InstructionSet.Of Opcode.MERKLE_ROOT).Number, int64 (min n 1024), 0L, 0L)
              |]
            | _ -> [||]

        {
            Name = "tall"
            Parameters = [||]
            Locals = [||]
            Captures = [||]
            Code = Array.append (Array.create n load) last
        }

    let private raw (r: Rng) : Program =
        let f index = {
            Name = "f"
            Parameters = if index > 0 && r.Chance 500 then [| "a" |] else [||]
            Locals = if r.Chance 500 then [| "b"; "c" |] else [||]
            Captures = if index > 0 && r.Chance 300 then [| "c" |] else [||]
            Code = Array.init (r.Below 10) (fun _ -> instruction r)
        }

        {
            Constants = Array.init (r.Between(1, 5)) (fun _ -> Values.data r 2)
            Names = [| "a"; "b"; "len"; "push"; "x"; "key" |]
            Functions = Array.init (r.Between(1, 3)) f
        }

    /// A program that was well-formed, changed in one to three places.
    let private mutated (r: Rng) (program: Program) : Program =
        let mutable p = program

        for _ in 1 .. r.Pick [| 1; 1; 1; 2; 3 |] do
            let function' change =
                if p.Functions.Length > 0 then
                    let at = r.Below p.Functions.Length

                    p <- {
                        p with
                            Functions = p.Functions |> Array.mapi (fun i f -> if i = at then change f else f)
                    }

            match r.Below 21 with
            | 20 ->
                // A function with a capture that most others do not have, named by one of them.
                let index = p.Functions.Length

                let captured = {
                    Name = "captor"
                    Parameters = [||]
                    Locals = [||]
                    Captures = [| r.Pick [| "a"; "b"; "none" |] |]
                    Code = [||]
                }

                let call =
                    Instruction.Of((InstructionSet.Of Opcode.CALL_FUNC_CONST).Number, int64 index, 0L, 0L)

                p <- {
                    p with
                        Functions = Array.append p.Functions [| captured |]
                }

                if index > 0 then
                    let at = r.Below index

                    p <- {
                        p with
                            Functions =
                                p.Functions
                                |> Array.mapi (fun i f ->
                                    if i = at then
                                        {
                                            f with
                                                Code = insert (r.Below(f.Code.Length + 1)) call f.Code
                                        }
                                    else
                                        f)
                    }
            | 0
            | 1
            | 2 ->
                let at = r.Below(p.Constants.Length + 1)

                p <- {
                    p with
                        Constants = insert at (badData r) p.Constants
                }
            | 3 ->
                let at = r.Below(p.Names.Length + 1)

                p <- {
                    p with
                        Names = insert at (r.Pick [| halves[1]; halves[2]; ""; "a" |]) p.Names
                }
            | 4
            | 5 -> function' (names r)
            | 6 ->
                p <- {
                    p with
                        Functions =
                            if r.Chance 300 then
                                [||]
                            else
                                Array.append p.Functions [| tall r |]
                }
            | _ -> function' (change r)

        p

    /// Operands that an opcode does not have are 0.
    let private canonical (program: Program) =
        let instruction (i: Instruction) =
            let operands =
                match InstructionSet.TryFind i.Number with
                | true, info -> info.Operands.Length
                | false, _ -> 0

            let at k value = if k < operands then value else 0L
            Instruction.Of(i.Number, at 0 i.A, at 1 i.B, at 2 i.C)

        {
            program with
                Functions =
                    program.Functions
                    |> Array.map (fun f -> {
                        f with
                            Code = Array.map instruction f.Code
                    })
        }

    let program (r: Rng) (hosts: HostFunction[]) : Program =
        match r.Below 10 with
        | 0
        | 1
        | 2 -> raw r
        | _ -> mutated r (WellFormed.program r hosts [||])
        |> canonical
