/// Calls between contracts: docs/semantics.md, section 9. The caller waits; the called one executes on its own state, in its own
/// transaction, with its own caller and allowance of gas; what it comes to is plain data, copied with its gas.
module Zexus.Spec.Rules.Contracts

open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals
open Zexus.Spec.Rules.Frames

[<Literal>]
let private Name = "builtin/call-contract"

/// A List or Null. FAULTS TypeMismatch.
let private wantArguments (value: Value) : Rule<unit> =
    rule {
        match! kindOf value with
        | Kind.Null
        | Kind.List _ -> ()
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// An Int, or Null for whatever is left. FAULTS TypeMismatch.
let private wantGas (value: Value) : Rule<Int option> =
    rule {
        match! kindOf value with
        | Kind.Null -> return None
        | Kind.Int n -> return Some n
        | Kind.Bool _
        | Kind.Float _
        | Kind.String _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// The contracts that execute: the innermost, and all that wait.
let private executing (s: State) =
    s.Context.Contract :: [ for waiting in s.Waiting -> waiting.Setup.Context.Contract ]

/// The function of that name, if there is exactly one that captures nothing.
let private entryOf (loaded: Loaded) (name: string) : int option =
    let named = [
        for i in 0 .. loaded.Functions.Length - 1 do
            let definition = loaded.Functions[i].Definition

            if definition.Name = name && definition.Captures.Length = 0 then
                i
    ]

    match named with
    | [ only ] -> Some only
    | []
    | _ :: _ :: _ -> None

/// What the called contract may use. FAULTS Domain, OutOfGas.
let private allowance (gas: Int option) : Rule<Int> =
    rule {
        let! left = read (fun s -> Int.sub s.Context.GasLimit s.GasUsed)

        match gas with
        | None ->
            do! branch "all-gas"
            return left
        | Some gas ->
            do! require (Bool.negate (Int.less gas Int.zero)) Fault.Domain
            do! require (Bool.negate (Int.less left gas)) Fault.OutOfGas
            do! branch "some-gas"
            return gas
    }

/// The caller waits and the contract's function begins.
let private enter (id: string) (contract: Contract) (name: string) (entry: int) (arguments: Plain list) (gas: Int) =
    rule {
        do!
            update (fun s ->
                let setup = s.Rest.Setup
                let caller = s.Context.Contract

                {
                    s with
                        Rest.Setup = {
                            setup with
                                Loaded = contract.Loaded
                                Context = {
                                    s.Context with
                                        Contract = id
                                        Entry = {
                                            Function = entry
                                            Arguments = arguments
                                        }
                                        GasLimit = Int.add s.GasUsed gas
                                        Caller = caller
                                        State = contract.State
                                }
                                Block = {
                                    s.Block with
                                        Caller = Str.Known caller
                                }
                        }
                        Rest.Waiting =
                            {
                                Setup = setup
                                Frame = s.Frame
                                Callers = s.Callers
                                Depth = s.Depth
                                Globals = s.Globals
                                Transactions = s.Transactions
                                World = s.World
                                Called = name
                            }
                            :: s.Waiting
                        Rest.Callers = []
                        Rest.Depth = s.Depth + 1
                        Rest.Globals = Map.empty
                        Rest.Effects.Transactions = []
                        Rest.Effects.World = {
                            s.World with
                                State = s.World.Called |> Map.tryFind id |> Option.defaultValue contract.State
                                Registrations = Map.empty
                        }
                })

        let! arguments = arguments |> collect build
        let! frame = newFrame entry arguments []
        do! withFrame (fun _ -> frame)
    }

/// contract, function, arguments, gas. GAS 100, then text of the two names, then the copy of the arguments.
/// FAULTS TypeMismatch, Reentrancy (the contract executes already), UndefinedFunction (no such contract, or no such function to enter),
/// TooDeep, CallTooDeep, Domain (gas below 0), OutOfGas (less is left).
let call (contract: Value) (func: Value) (arguments: Value) (gas: Value) : Rule<unit> =
    rule {
        let! id = wantText contract
        let! name = wantText func
        do! wantArguments arguments
        let! wanted = wantGas gas
        do! charge (Int.add (Int.ofInt Gas.ContractCall) (Int.add (textGas id) (textGas name)))
        let! s = get

        if s.Rest.Setup.StateIsOpen then
            do! opaque "call-contract" [ contract; func; arguments; gas ]

        let! id = knownText "call-contract" id
        let! name = knownText "call-contract" name
        do! require (Bool.Known(not (List.contains id (executing s)))) Fault.Reentrancy

        let found =
            Map.tryFind id s.Context.Contracts
            |> Option.bind (fun contract -> entryOf contract.Loaded name |> Option.map (fun entry -> contract, entry))

        match found with
        | None -> return! fault Fault.UndefinedFunction
        | Some(contract, entry) ->
            let! copied = plain arguments

            let copied =
                match copied with
                | Plain.List items -> items
                | Plain.Null
                | Plain.Bool _
                | Plain.Int _
                | Plain.Float _
                | Plain.String _
                | Plain.Map _
                | Plain.Set _ -> []

            do! require (Bool.Known(s.Depth < s.Loaded.Limits.CallDepth)) Fault.CallTooDeep
            let! gas = allowance wanted
            do! enter id contract name entry copied gas
    }

/// The caller goes on, in this world.
let private resume (caller: Waiting) (outer: Waiting list) (world: World) : Rule<unit> =
    rule {
        do!
            update (fun s -> {
                s with
                    Frame = caller.Frame
                    Rest.Setup = caller.Setup
                    Rest.Callers = caller.Callers
                    Rest.Depth = caller.Depth
                    Rest.Waiting = outer
                    Rest.Globals = caller.Globals
                    Rest.Effects.World = world
                    Rest.Effects.Transactions = caller.Transactions
                    Rest.Returned = None
            })
    }

/// What the called contract gives, copied with its gas: Error is the fault that the copy came to.
let private given (value: Value) : Rule<Result<Plain, Fault>> =
    fun s ->
        plain value s
        |> List.map (fun outcome ->
            match outcome with
            | Outcome.Ok(data, s) -> Outcome.Ok(Ok data, s)
            | Outcome.Fault(fault, _, s) -> Outcome.Ok(Error fault, s)
            | Outcome.Opaque(operation, operands, s) -> Outcome.Opaque(operation, operands, s))

/// The caller is thrown what befell the contract that it called, in the world as it was at the call. OutOfGas takes the whole allowance: to
/// find out that a charge does not fit takes work, too, and who catches this fault could have it done again and again for nothing.
let private throw (caller: Waiting) (outer: Waiting list) (fault: Fault) (data: Plain) : Rule<unit> =
    rule {
        let! id = read _.Context.Contract

        if fault = Fault.OutOfGas then
            do! update (fun s -> { s with GasUsed = s.Context.GasLimit })

        do! resume caller outer caller.World

        let! value =
            build (
                Plain.Map [
                    Plain.String(Str.Known "contract"), Plain.String(Str.Known id)
                    Plain.String(Str.Known "function"), Plain.String(Str.Known caller.Called)
                    Plain.String(Str.Known "fault"), Plain.String(Str.Known fault.Name)
                    Plain.String(Str.Known "value"), data
                ]
            )

        return! faultWith Fault.Thrown value
    }

/// A called contract has faulted and no handler of its own has caught it. FAULTS Thrown.
let failed (caller: Waiting) (outer: Waiting list) (fault: Fault) (value: Value) : Rule<unit> =
    rule {
        do! resumeRule Name

        match! given value with
        | Ok data -> do! throw caller outer fault data
        | Error fault -> do! throw caller outer fault (Plain.String(Str.Known fault.Name))
    }

/// A called contract's function has returned: [] -> [value], for the caller. Its open transactions are reverted, the rest is kept. FAULTS Thrown.
let returned (caller: Waiting) (outer: Waiting list) (world: World) (value: Value) : Rule<unit> =
    rule {
        do! resumeRule Name

        match! given value with
        | Error fault -> do! throw caller outer fault (Plain.String(Str.Known fault.Name))
        | Ok data ->
            do! branch "returned"
            let! id = read _.Context.Contract

            do!
                resume caller outer {
                    world with
                        State = caller.World.State
                        Called = Map.add id world.State world.Called
                        Registrations = caller.World.Registrations
                }

            let! value = build data
            do! push value
            do! next
    }
