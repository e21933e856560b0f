/// 43, 50-54: calls and returns; the host's functions.
module Zexus.Spec.Rules.Calls

open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals
open Zexus.Spec.Rules.Frames

/// A function of the host: its gas, the arguments as plain data, the answer copied out. FAULTS TypeMismatch, TooDeep, Thrown.
let private callHost (host: HostFunction) (given: Value list) : Rule<Value> =
    rule {
        do! enterRule "call/host"
        do! charge (Int.Known host.Gas)

        let! arguments =
            [
                for i in 0 .. host.Arity - 1 -> given |> List.tryItem i |> Option.defaultValue Value.nothing
            ]
            |> fold
                (fun arguments value ->
                    rule {
                        let! argument = plain value
                        return argument :: arguments
                    })
                []

        let! number = read _.HostCalls

        do!
            update (fun s -> {
                s with
                    Rest.Effects.HostCalls = s.HostCalls + 1
            })

        match host.Answer number (List.rev arguments) with
        | HostOutcome.Returned data ->
            do! branch "returned"
            return! copyOut data
        | HostOutcome.Thrown data ->
            let! value = copyOut data
            return! faultWith Fault.Thrown value
    }

/// The builtin, else the host function, of a name. FAULTS UndefinedFunction.
let callNamed (name: string) (arguments: Value list) : Rule<Progress> =
    rule {
        match Library.TryFind(Receiver.Nothing, name) with
        | true, info ->
            do! branch "builtin"
            return! Routines.invoke info Kind.Null arguments
        | false, _ ->
            let! host = read (fun s -> Map.tryFind name s.Context.Host)

            match host with
            | Some host ->
                do! branch "host"
                let! value = callHost host arguments
                return Progress.Value value
            | None -> return! fault Fault.UndefinedFunction
    }

/// The value of a call becomes the top of the operand stack of the frame that made it, which goes on behind the call.
let private answer (value: Value) : Rule<unit> =
    rule {
        do! push value
        do! next
    }

let private answerWhenReady (progress: Progress) : Rule<unit> =
    match progress with
    | Progress.Value value -> answer value
    | Progress.Calling -> skip

/// Call the handlers that are left of an event, in order; a builtin or host function returns at once. FAULTS UndefinedFunction, TypeMismatch, CallTooDeep.
let rec callHandlers (payload: Value) (rest: string list) : Rule<unit> =
    rule {
        match rest with
        | [] ->
            do! popCallback
            do! next
        | name :: rest ->
            do! chargeInt (Gas.CallbackBase + Gas.CallbackPerArgument)
            let! handler = Names.globalNamed name

            match! kindOf handler with
            | Kind.Function f -> do! callFunction f [ payload ] (Some(Callback.Event(payload, rest)))
            | Kind.Null ->
                let! _ = callNamed name [ payload ]
                do! resumeRule "event/emit"
                do! callHandlers payload rest
            | Kind.Bool _
            | Kind.Int _
            | Kind.Float _
            | Kind.String _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _ -> return! fault Fault.TypeMismatch
    }

/// Feed the value of a call to the callback frame that made it.
let private resume (callback: Callback) (value: Value) : Rule<unit> =
    rule {
        match callback with
        | Callback.Map _
        | Callback.Filter _
        | Callback.Reduce _
        | Callback.Sort _ ->
            let! progress = resumeList callback value
            do! answerWhenReady progress
        | Callback.Event(payload, rest) ->
            do! resumeRule "event/emit"
            do! branch "resumed"
            do! callHandlers payload rest
    }

/// Leave the frame with a value: to its caller, to the callback frame above the caller, or out of the execution.
let leave (value: Value) : Rule<unit> =
    rule {
        let! callers = read _.Callers

        match callers with
        | [] ->
            do! branch "finished"
            do! update (fun s -> { s with Rest.Returned = Some value })
        | caller :: rest ->
            do!
                update (fun s -> {
                    s with
                        Frame = caller.Frame
                        Rest.Callers = rest
                        Rest.Depth = s.Depth - 1
                })

            match caller.Callback with
            | None ->
                do! branch "to-caller"
                do! answer value
            | Some callback ->
                do! branch "to-callback"
                do! resume callback value
    }

/// STACK [… v] -> the frame's value; [] -> Null · GAS 2.
let RETURN: Rule<unit> =
    rule {
        let! stack = read _.Frame.Stack

        match stack with
        | [] ->
            do! branch "nothing"
            do! leave Value.nothing
        | top :: _ ->
            do! branch "value"
            do! leave top
    }

/// The end of the code, as RETURN, without a charge.
let END: Rule<unit> = RETURN

/// STACK [a1 … an] -> [result] · GAS 10+2n · FAULTS UndefinedFunction, TypeMismatch (the variable holds something else), CallTooDeep.
/// Variables come before builtins, so that a program's own function of that name is the one that is called.
let CALL_NAME (name: int) (n: int) : Rule<unit> =
    rule {
        let! arguments = popMany n
        let! callee = Names.variable name

        match! kindOf callee with
        | Kind.Function f ->
            do! branch "function"
            do! callFunction f arguments None
        | Kind.Null ->
            let! program = read _.Loaded.Program
            let! progress = callNamed program.Names[name] arguments
            do! answerWhenReady progress
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _ -> return! fault Fault.TypeMismatch
    }

/// STACK [a1 … an] -> [result] · GAS 5+2n, then 1 a captured variable · FAULTS CallTooDeep.
let CALL_FUNC_CONST (func: int) (n: int) (captures: int list) : Rule<unit> =
    rule {
        let! arguments = popMany n
        let! addresses = Names.captured captures
        do! enterFunction func arguments addresses None
    }

/// STACK [f a1 … an] -> [result] · GAS 10+2n · FAULTS UndefinedFunction (Null), TypeMismatch, CallTooDeep.
let CALL_TOP (n: int) : Rule<unit> =
    rule {
        let! arguments = popMany n
        let! callee = pop

        match! kindOf callee with
        | Kind.Function f -> do! callFunction f arguments None
        | Kind.Null -> return! fault Fault.UndefinedFunction
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _ -> return! fault Fault.TypeMismatch
    }

/// STACK [a1 … an] -> [result] · GAS 8+2n · FAULTS UndefinedFunction.
let CALL_BUILTIN (name: int) (n: int) : Rule<unit> =
    rule {
        let! arguments = popMany n
        let! program = read _.Loaded.Program
        let! progress = callNamed program.Names[name] arguments
        do! answerWhenReady progress
    }

let private receiverOf (kind: Kind) =
    match kind with
    | Kind.String _ -> Some Receiver.String
    | Kind.List _ -> Some Receiver.List
    | Kind.Map _ -> Some Receiver.Map
    | Kind.Set _ -> Some Receiver.Set
    | Kind.Null
    | Kind.Bool _
    | Kind.Int _
    | Kind.Float _
    | Kind.Function _ -> None

/// STACK [target a1 … an] -> [result] · GAS 10+2n · FAULTS UndefinedFunction (no such method for the target's kind).
let CALL_METHOD (name: int) (n: int) : Rule<unit> =
    rule {
        let! arguments = popMany n
        let! target = pop
        let! kind = kindOf target
        let! program = read _.Loaded.Program

        let row =
            receiverOf kind
            |> Option.bind (fun receiver ->
                match Library.TryFind(receiver, program.Names[name]) with
                | true, info -> Some info
                | false, _ -> None)

        match row with
        | Some info ->
            do! branch "method"
            let! progress = Routines.invoke info kind arguments
            do! answerWhenReady progress
        | None -> return! fault Fault.UndefinedFunction
    }
