/// 40-42, 130, 140-142, 250, 255: jumps, faults and handlers, output.
module Zexus.Spec.Rules.Control

open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals

/// STACK [] -> [] · GAS 2.
let JUMP (target: int) : Rule<unit> = jump target

/// `toll` is what translated code charges for one of the two ways.
let private jumpIf (wanted: bool) (target: int) (toll: Rule<unit>) : Rule<unit> =
    rule {
        let! condition = pop
        let! holds = truth condition
        let! holds = decide holds

        if holds = wanted then
            do! branch "taken"
            do! toll
            do! jump target
        else
            do! branch "not-taken"
            do! next
    }

/// STACK [c] -> [] · GAS 3.
let JUMP_IF_FALSE (target: int) (toll: Rule<unit>) : Rule<unit> = jumpIf false target toll

/// STACK [c] -> [] · GAS 3.
let JUMP_IF_TRUE (target: int) (toll: Rule<unit>) : Rule<unit> = jumpIf true target toll

/// STACK [c message] -> [] · GAS 5 · FAULTS RequireFailed, with the message.
let REQUIRE: Rule<unit> =
    rule {
        let! message = pop
        let! condition = pop
        let! holds = truth condition
        let! holds = decide holds

        if holds then
            do! branch "holds"
        else
            return! faultWith Fault.RequireFailed message
    }

/// STACK [] -> []; at the handler: [] -> [fault] · GAS 3.
let SETUP_TRY (target: int) : Rule<unit> =
    update (fun s -> {
        s with
            Frame = {
                s.Frame with
                    Handlers =
                        {
                            Target = target
                            Height = s.Frame.Height
                            Begun = s.Begun
                        }
                        :: s.Frame.Handlers
            }
    })

/// STACK [] -> [] · GAS 2.
let POP_TRY: Rule<unit> =
    rule {
        let! frame = read _.Frame

        match frame.Handlers with
        | [] -> do! branch "none"
        | _ :: outer ->
            do! branch "innermost"
            do! withFrame (fun frame -> { frame with Handlers = outer })
    }

/// STACK [v] -> · GAS 5 · FAULTS Thrown, with the value.
let THROW: Rule<unit> =
    rule {
        let! value = pop
        return! faultWith Fault.Thrown value
    }

/// STACK [v] -> [] · GAS 10, then the display · FAULTS StringTooLong, TooDeep.
let PRINT: Rule<unit> =
    rule {
        let! value = pop
        let! text = display value

        do!
            update (fun s -> {
                s with
                    Rest.Effects.Output = Str.concat text (Str.Known "\n") :: s.Output
            })
    }

/// STACK [] -> [] · GAS 0.
let NOP: Rule<unit> = skip

// Catching: docs/semantics.md, section 8.

/// Revert the open transactions that began after a SETUP_TRY which had seen so many of them begin.
let private revertSince (begun: int) (s: State) =
    let later, earlier =
        s.Transactions |> List.partition (fun (serial, _) -> serial >= begun)

    match List.tryLast later with
    | Some(_, before) -> {
        s with
            Rest.Effects.World = before
            Rest.Effects.Transactions = earlier
      }
    | None -> s

let private depthOf (waiting: Waiting list) (callers: Suspended list) =
    let outside =
        match waiting with
        | [] -> 0
        | caller :: _ -> caller.Depth

    outside + 1 + List.sumBy (fun caller -> if Option.isSome caller.Callback then 2 else 1) callers

/// The state at the innermost handler that catches the fault, if there is one and it may.
let rec catch (fault: Fault) (value: Value) (s: State) : State option =
    if not fault.IsCatchable then
        None
    else
        match s.Frame.Handlers, s.Callers with
        | handler :: outer, _ ->
            let reverted = revertSince handler.Begun s
            let reverts = List.length reverted.Transactions < List.length s.Transactions
            // What code since SETUP_TRY has popped from below its height is not to be had back.
            let missing = max 0 (handler.Height - s.Frame.Height)
            let left = List.skip (max 0 (s.Frame.Height - handler.Height)) s.Frame.Stack
            let kept = List.replicate missing Value.nothing @ left

            Some {
                reverted with
                    Rest.Depth = depthOf s.Waiting s.Callers
                    Reached = ("control/catch", (if reverts then "caught-and-reverted" else "caught")) :: s.Reached
                    Frame = {
                        s.Frame with
                            Instruction = handler.Target
                            Stack = value :: kept
                            Height = handler.Height + 1
                            Handlers = outer
                    }
            }
        | [], [] -> None
        | [], caller :: callers ->
            catch fault value {
                s with
                    Frame = caller.Frame
                    Rest.Callers = callers
            }
