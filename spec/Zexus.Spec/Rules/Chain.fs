/// 80-81, 110-119, 136: events, hashing, state, transactions, ledger and audit log.
module Zexus.Spec.Rules.Chain

open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals

let private withWorld (f: World -> World) : Rule<unit> =
    update (fun s -> {
        s with
            Rest.Effects.World = f s.World
    })

/// STACK [] -> [] · GAS 5. A name is registered once.
let REGISTER_EVENT (event: int) (handler: int) : Rule<unit> =
    rule {
        let! program = read _.Loaded.Program
        let event = program.Names[event]
        let handler = program.Names[handler]

        let! registered =
            read (fun s -> Map.tryFind event s.World.Registrations |> Option.defaultValue [])

        if List.contains handler registered then
            do! branch "present"
        else
            do! branch "new"

            do!
                withWorld (fun world -> {
                    world with
                        Registrations = Map.add event (registered @ [ handler ]) world.Registrations
                })
    }

/// STACK [payload] -> [] · GAS 10, then the copy, then 12 a handler.
/// FAULTS TypeMismatch (no plain data; a handler that is no Function), TooDeep, UndefinedFunction, CallTooDeep; a handler's fault is its fault.
let EMIT_EVENT (event: int) : Rule<unit> =
    rule {
        let! payload = pop
        let! data = plain payload
        let! program = read _.Loaded.Program
        let event = program.Names[event]

        let! contract = read _.Context.Contract

        let emitted: EmittedEvent = {
            Contract = contract
            Name = event
            Payload = data
        }

        do!
            withWorld (fun world -> {
                world with
                    Events = emitted :: world.Events
            })

        let! handlers =
            read (fun s -> Map.tryFind event s.World.Registrations |> Option.defaultValue [])

        match handlers with
        | [] ->
            do! branch "unheard"
            do! next
        | _ :: _ ->
            do! branch "heard"
            do! Frames.pushCallback
            do! Calls.callHandlers payload handlers
    }

/// STACK [data] -> [hex] · GAS 50, then canonical's own · FAULTS TypeMismatch, TooDeep.
/// SOURCE FIPS 180-4 (SHA-256); RFC 8259 as Python's `json.dumps(x, sort_keys=True)` writes it.
let HASH_BLOCK: Rule<unit> =
    rule {
        let! data = pop
        let! hash = canonicalHash data
        do! push (Value.ofStr hash)
    }

let private textOf (value: Value) : Rule<Str option> =
    rule {
        match! kindOf value with
        | Kind.String s -> return Some s
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return None
    }

/// STACK [signature message key] -> [Bool] · GAS 100, then scalars/8 of each String. Whether the signature holds is given by the host (docs/signatures.md).
let VERIFY_SIGNATURE: Rule<unit> =
    rule {
        let! key = pop
        let! message = pop
        let! signature = pop
        let! signature = textOf signature
        let! message = textOf message
        let! key = textOf key
        do! charge ([ signature; message; key ] |> List.choose id |> List.map textGas |> List.fold Int.add Int.zero)

        match signature, message, key with
        | Some signature, Some message, Some key ->
            let! signature = knownText "verify" signature
            let! message = knownText "verify" message
            let! key = knownText "verify" key
            let! verify = read _.Context.VerifySignature
            let holds = verify signature message key
            do! branch (if holds then "valid" else "invalid")
            do! push (Value.known holds)
        | None, _, _
        | _, None, _
        | _, _, None ->
            do! branch "malformed"
            do! push (Value.known false)
    }

/// STACK [l1 … ln] -> [hex] · GAS 30+5n, then canonical's own for each leaf · FAULTS TypeMismatch, TooDeep.
/// SOURCE upstream MERKLE_ROOT: an odd level doubles its last hash, so root(a, b, c) = root(a, b, c, c) (CVE-2012-2459).
let MERKLE_ROOT (n: int) : Rule<unit> =
    rule {
        let! leaves = popMany n

        let! hashes =
            leaves
            |> fold
                (fun hashes leaf ->
                    rule {
                        let! hash = canonicalHash leaf
                        return hash :: hashes
                    })
                []

        do!
            branch (
                if n = 0 then "none"
                elif n = 1 then "one"
                else "many"
            )

        do! push (Value.ofStr (merkleRoot (List.rev hashes)))
    }

/// A key of the state. GAS scalars/8. FAULTS TypeMismatch.
let private stateKey (value: Value) : Rule<string> =
    rule {
        let! key = wantText value
        do! charge (textGas key)
        return! knownText "state" key
    }

/// What an open state holds under a key, in a proof: a symbol's value, of any kind that data has; its weight is charged, of a collection a symbol's.
let private unknownUnder (key: string) : Rule<Value> =
    rule {
        let symbol = "state." + Text.symbol key

        match! kindOfData (Value.Unknown symbol) with
        | Kind.List _
        | Kind.Map _
        | Kind.Set _ -> do! charge (Int.Symbolic(IntTerm.Symbol("weight." + symbol)))
        | Kind.Int n -> do! charge (Int.size n)
        | Kind.String s -> do! charge (textGas s)
        | Kind.Null
        | Kind.Bool _
        | Kind.Float _
        | Kind.Function _ -> ()

        return Value.Unknown symbol
    }

/// STACK [key] -> [v] · GAS 20, then the key's own and weight · FAULTS TypeMismatch.
/// Sees the writes of open transactions; Null when there is nothing.
let STATE_READ: Rule<unit> =
    rule {
        let! key = pop
        let! key = stateKey key
        let! found = read (fun s -> Map.tryFind key s.World.State)
        let! isOpen = read _.Rest.Setup.StateIsOpen

        match found with
        | Some data ->
            do! branch "present"
            let! value = copyOut data
            do! push value
        | None when isOpen ->
            let! value = unknownUnder key
            do! push value
        | None ->
            do! branch "missing"
            do! push Value.nothing
    }

let private branchInTransaction: Rule<unit> =
    rule {
        let! transactions = read _.Transactions
        do! branch (if List.isEmpty transactions then "outside-tx" else "in-tx")
    }

/// STACK [key v] -> [] · GAS 30, then the key's own and the copy · FAULTS TypeMismatch, TooDeep.
let STATE_WRITE: Rule<unit> =
    rule {
        let! value = pop
        let! key = pop
        let! key = stateKey key
        let! data = plain value
        do! branchInTransaction

        do!
            withWorld (fun world -> {
                world with
                    State = Map.add key data world.State
            })
    }

/// STACK [] -> [] · GAS 20.
let TX_BEGIN: Rule<unit> =
    rule {
        do! branchInTransaction

        do!
            update (fun s -> {
                s with
                    Rest.Effects.Transactions = (s.Begun, s.World) :: s.Transactions
                    Rest.Effects.Begun = s.Begun + 1
            })
    }

/// STACK [] -> [] · GAS 30. What was done since TX_BEGIN is now the parent's, or the execution's.
let TX_COMMIT: Rule<unit> =
    rule {
        let! transactions = read _.Transactions

        match transactions with
        | [] -> do! branch "outside-tx"
        | _ :: outer ->
            do! branch (if List.isEmpty outer then "outermost" else "nested")

            do!
                update (fun s -> {
                    s with
                        Rest.Effects.Transactions = outer
                })
    }

/// STACK [] -> [] · GAS 20. State, ledger, events and registrations are as at TX_BEGIN.
let TX_REVERT: Rule<unit> =
    rule {
        let! transactions = read _.Transactions

        match transactions with
        | [] -> do! branch "outside-tx"
        | (_, before) :: outer ->
            do! branch (if List.isEmpty outer then "outermost" else "nested")

            do!
                update (fun s -> {
                    s with
                        Rest.Effects.World = before
                        Rest.Effects.Transactions = outer
                })
    }

/// STACK [] -> [] · GAS 2 + amount, in one charge, which validation keeps from being negative.
let GAS_CHARGE: Rule<unit> = skip

let private hasTimestamp (entries: (Plain * Plain) list) =
    entries |> List.exists (fun (key, _) -> key = Plain.String(Str.Known "timestamp"))

/// STACK [entry] -> [] · GAS 40, then the copy · FAULTS TypeMismatch, TooDeep, CollectionTooLarge (no room for the timestamp).
/// The copy gets the block's timestamp, not the operand; time never comes from a clock.
let LEDGER_APPEND: Rule<unit> =
    rule {
        let! entry = pop
        let! data = plain entry

        let! stamped =
            match data with
            | Plain.Map entries when hasTimestamp entries ->
                rule {
                    do! branch "has-timestamp"
                    return data
                }
            | Plain.Map entries ->
                rule {
                    do! limitCount (Int.ofInt (List.length entries + 1))
                    do! branch "stamped"
                    let! timestamp = read _.Block.Timestamp
                    return Plain.Map(entries @ [ Plain.String(Str.Known "timestamp"), Plain.Int timestamp ])
                }
            | Plain.Null
            | Plain.Bool _
            | Plain.Int _
            | Plain.Float _
            | Plain.String _
            | Plain.List _
            | Plain.Set _ ->
                rule {
                    do! branch "no-map"
                    return data
                }

        let! contract = read _.Context.Contract

        do!
            withWorld (fun world -> {
                world with
                    Ledger = { Contract = contract; Entry = stamped } :: world.Ledger
            })
    }

/// STACK [data action] -> [] · GAS 15, then the copies · FAULTS TypeMismatch, TooDeep. No revert undoes it.
let AUDIT_LOG: Rule<unit> =
    rule {
        let! action = pop
        let! data = pop
        let! data = plain data
        let! action = plain action

        do!
            update (fun s -> {
                s with
                    Rest.Effects.Audit =
                        {
                            Contract = s.Context.Contract
                            Data = data
                            Action = action
                            Timestamp = s.Context.Timestamp
                        }
                        :: s.Audit
            })
    }
