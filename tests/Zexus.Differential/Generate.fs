namespace Zexus.Differential

open System.Collections.Generic
open Zexus.Isa

[<RequireQualifiedAccess>]
type Family =
    | WellFormed
    | IllFormed
    | RuleDirected
    | Workout
    | Loop

/// Case k of seed S: always the same one.
[<RequireQualifiedAccess>]
module Generate =
    let private hosts (r: Rng) : HostFunction[] =
        let behaviour () =
            match r.Below 8 with
            | 0
            | 1 -> HostBehaviour.Returns(Values.data r 2)
            | 2 -> HostBehaviour.Throws(Values.data r 1)
            | 3
            | 4 -> HostBehaviour.Echoes
            | 5 -> HostBehaviour.ThrowsFirst
            | _ -> HostBehaviour.Checks

        [|
            for name in [| "pay"; "oracle"; "x" |] do
                // A variable goes before a host function of its name.
                if r.Chance(if name = "x" then 60 else 500) then
                    {
                        Name = name
                        Arity = r.Below 4
                        Gas = r.Pick [| 0L; 1L; 5L; 100L |]
                        Behaviour = behaviour ()
                    }
        |]

    let private block (r: Rng) = {
        Timestamp = r.Pick [| 0L; 1L; 1700000000L; -1L; System.Int64.MaxValue |]
        Height = r.Pick [| 0L; 1L; 100L |]
        Caller = r.Pick [| ""; "alice"; "0x𝒳é" |]
    }

    /// Limits near what the case needs at least, one or two of them; the others as they are by default.
    let private limits
        (r: Rng)
        (program: Program)
        (arguments: Data[])
        (state: KeyValuePair<string, Data>[])
        (hosts: HostFunction[])
        (block: Block)
        (contracts: CaseContract[])
        =
        let none = {
            CallDepth = 1
            IntegerBits = 1
            StringLength = 0
            CollectionLength = 0
            Nesting = 0
        }

        let both a b = {
            CallDepth = max a.CallDepth b.CallDepth
            IntegerBits = max a.IntegerBits b.IntegerBits
            StringLength = max a.StringLength b.StringLength
            CollectionLength = max a.CollectionLength b.CollectionLength
            Nesting = max a.Nesting b.Nesting
        }

        let over items =
            items |> Seq.fold (fun l d -> Tree.needs l 0 d) none

        let needs =
            both
                (over program.Constants)
                (over (
                    seq {
                        yield! arguments

                        for entry in state do
                            Data.String entry.Key
                            entry.Value

                        for host in hosts do
                            match host.Behaviour with
                            | HostBehaviour.Returns data
                            | HostBehaviour.Throws data -> data
                            | _ -> ()

                        for contract in contracts do
                            Data.String contract.Id
                            yield! contract.Program.Constants

                            for entry in contract.State do
                                Data.String entry.Key
                                entry.Value

                        Data.String block.Caller
                        Data.Int(System.Numerics.BigInteger block.Timestamp)
                        Data.Int(System.Numerics.BigInteger block.Height)
                    }
                ))

        // What a case needs may be more than the default allows: then that is so.
        let fit wanted needed byDefault =
            if needed > byDefault then byDefault else max wanted needed

        let d = Limits.Default
        let mutable l = d

        for _ in 1 .. r.Pick [| 1; 1; 2; 5 |] do
            match r.Below 5 with
            | 0 ->
                l <- {
                    l with
                        CallDepth = r.Pick [| 1; 2; 3; 5; 8 |]
                }
            | 1 ->
                let wanted = needs.IntegerBits + r.Pick [| 0; 1; 2; 8; 60 |]

                l <- {
                    l with
                        IntegerBits = fit wanted needs.IntegerBits d.IntegerBits
                }
            | 2 ->
                let wanted = needs.StringLength + r.Pick [| 0; 1; 2; 3; 8; 16 |]

                l <- {
                    l with
                        StringLength = fit wanted needs.StringLength d.StringLength
                }
            | 3 ->
                let wanted = needs.CollectionLength + r.Pick [| 0; 0; 1; 2; 4 |]

                l <- {
                    l with
                        CollectionLength = fit wanted needs.CollectionLength d.CollectionLength
                }
            | _ ->
                let wanted = needs.Nesting + r.Pick [| 0; 0; 1; 2 |]

                l <- {
                    l with
                        Nesting = fit wanted needs.Nesting d.Nesting
                }

        l

    /// The entry begins with a charge: an engine that counts gas in slices comes to the end of one within the program.
    let private charged (amount: int64) (program: Program) =
        let entry = program.Functions[0]

        let later (i: Instruction) =
            match InstructionSet.TryFind i.Number with
            | true, info when (Heights.targetOf info i).IsSome -> { i with A = i.A + 1L }
            | _ -> i

        let charge =
            Instruction.Of((InstructionSet.Of Opcode.GAS_CHARGE).Number, amount, 0L, 0L)

        let code = Array.append [| charge |] (Array.map later entry.Code)

        {
            program with
                Functions = Array.append [| { entry with Code = code } |] program.Functions[1..]
        }

    let private withCharge (r: Rng) (case: Case) =
        let amount =
            r.Pick [| 1_048_576L; 1_048_576L; 1_048_576L; 2_097_152L; 1L <<< 38 |] - int64 (r.Below 500)

        {
            case with
                Program = charged amount case.Program
                // Exactly enough for a charge that is more than a slice, or one too few.
                GasLimit =
                    if r.Chance 100 then
                        amount + 2L - int64 (r.Below 2)
                    else
                        amount + case.GasLimit
        }

    /// Where an execution begins: most often in the first function; else in one that could be called from outside, with an argument for each
    /// parameter, one too few or one too many.
    let private entry (r: Rng) (program: Program) =
        let others = [|
            for f in 1 .. program.Functions.Length - 1 do
                if program.Functions[f].Captures.Length = 0 then
                    f
        |]

        if others.Length > 0 && r.Chance 200 then
            let f = r.Pick others
            let count = program.Functions[f].Parameters.Length + r.Pick [| 0; 0; 0; 0; -1; 1 |]
            f, Array.init (max 0 count) (fun _ -> Values.data r 2)
        else
            0, [||]

    /// Everything around a program.
    let around (r: Rng) (hosts: HostFunction[]) (self: string) (contracts: CaseContract[]) (program: Program) : Case =
        let state = if r.Chance 600 then Values.state r else [||]
        let block = block r
        let entry, arguments = entry r program

        {
            Program = program
            Entry = entry
            Arguments = arguments
            Limits =
                if r.Chance 300 then
                    limits r program arguments state hosts block contracts
                else
                    Limits.Default
            GasLimit =
                match r.Below 20 with
                | 0 -> int64 (r.Below 400)
                | 1 -> 40_000L
                | _ -> 12_000L
            GasShare = if r.Chance 350 then Some(uint32 (r.Next())) else None
            Block = block
            State = state
            Hosts = hosts
            Contract = self
            Contracts = contracts
        }

    /// The name of a function that counts its own calls, in the state.
    let private counter = "count"

    /// With such a function: what one call leaves, the next one finds, unless it was taken back in between.
    let private withCounter (program: Program) : Program =
        let constant = program.Constants.Length
        let name = program.Names.Length

        let op opcode a b =
            Instruction.Of((InstructionSet.Of opcode).Number, int64 a, int64 b, 0L)

        {
            Constants = Array.append program.Constants [| Data.String "calls" |]
            Names = Array.append program.Names [| "n" |]
            Functions =
                Array.append program.Functions [|
                    {
                        Name = counter
                        Parameters = [||]
                        Locals = [| "n" |]
                        Captures = [||]
                        Code = [|
                            op Opcode.LOAD_CONST constant 0
                            op Opcode.STATE_READ 0 0
                            op Opcode.INC 0 0
                            op Opcode.STORE_NAME name 0
                            op Opcode.LOAD_CONST constant 0
                            op Opcode.LOAD_NAME name 0
                            op Opcode.STATE_WRITE 0 0
                            op Opcode.LOAD_NAME name 0
                            op Opcode.RETURN 0 0
                        |]
                    }
                |]
        }

    /// Contracts that a program can call, and its own id. The first can call the second, and tries to call the program.
    let private contracts (r: Rng) (hosts: HostFunction[]) : string * CaseContract[] =
        let self = r.Pick [| "self"; ""; "A𝒳" |]

        let contract id callees = {
            Id = id
            Program = withCounter (WellFormed.program r hosts callees)
            State = if r.Chance 500 then Values.state r else [||]
        }

        let inner = contract "B" [| Callee.named self; Callee.named "A" |]
        let outer = contract "A" [| Callee.ofContract inner; Callee.named self |]
        self, [| outer; inner |]

    /// From this index on a seed has loop-heavy programs, and before it all others.
    let firstLoop = 1_000_000_000_000L

    let family (index: int64) =
        match index % 8L with
        | _ when index >= firstLoop -> Family.Loop
        | 0L
        | 4L -> Family.RuleDirected
        | 7L -> Family.IllFormed
        | 2L -> Family.Workout
        | _ -> Family.WellFormed

    /// Rule-directed cases take turns; this is the turn of case `index`.
    let private turn (seed: uint64) (index: int64) =
        // Each seed starts somewhere else.
        int64 (seed % 1_000_003UL) * 7919L + index / 4L

    let ofFamily (family: Family) (seed: uint64) (index: int64) : Case =
        let r = Rng.Of(seed, index)
        let hosts = if r.Chance 400 then hosts r else [||]

        let self, contracts =
            if
                family = Family.WellFormed && r.Chance 200
                || family = Family.RuleDirected && RuleDirected.callsContract (turn seed index)
            then
                contracts r hosts
            else
                "", [||]

        let callees = [|
            for contract in contracts do
                Callee.ofContract contract

            if contracts.Length > 0 then
                Callee.named self

                if r.Chance 300 then
                    Callee.named "C"
        |]

        let program =
            match family with
            | Family.WellFormed -> WellFormed.program r hosts callees
            | Family.IllFormed -> IllFormed.program r hosts
            | Family.RuleDirected -> RuleDirected.program r (turn seed index) hosts callees
            | Family.Workout -> Workout.generate r
            | Family.Loop -> Loops.generate r

        let case = around r hosts self contracts program

        let case =
            if family = Family.Loop then
                // The last rounds are those that matter.
                {
                    case with
                        GasLimit = 2L * case.GasLimit
                        GasShare = if r.Chance 400 then case.GasShare else None
                }
            else
                case

        if family <> Family.IllFormed && r.Chance 50 then
            withCharge r case
        else
            case

    let case (seed: uint64) (index: int64) : Case = ofFamily (family index) seed index
