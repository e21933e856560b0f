/// Frames: how one is pushed, and how a routine that calls a Function again and again keeps its place.
module Zexus.Spec.Rules.Frames

open System.Collections.Immutable
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals

/// FAULTS CallTooDeep.
let private oneMoreFrame: Rule<unit> =
    rule {
        let! depth = read _.Depth
        let! limit = read _.Loaded.Limits.CallDepth
        do! require (Bool.Known(depth < limit)) Fault.CallTooDeep
        do! update (fun s -> { s with Rest.Depth = s.Depth + 1 })
    }

let private noRegisters =
    ImmutableArray.CreateRange(Seq.replicate Limits.Registers Value.nothing)

/// A frame of a function with nothing on its operand stack.
let newFrame (index: int) (arguments: Value list) (captures: Address list) : Rule<Frame> =
    rule {
        let! loaded = read _.Loaded
        let! variables = Names.newVariables loaded.Functions[index] arguments captures

        return {
            Function = index
            Instruction = 0
            Source = 0
            Stack = []
            Height = 0
            Variables = variables
            Registers = noRegisters
            Handlers = []
        }
    }

/// Let the current frame wait, with the callback above it if there is one, and go on in a new one. FAULTS CallTooDeep.
let enterFunction
    (index: int)
    (arguments: Value list)
    (captures: Address list)
    (callback: Callback option)
    : Rule<unit> =
    rule {
        do! oneMoreFrame
        let! frame = newFrame index arguments captures

        do!
            update (fun s -> {
                s with
                    Frame = frame
                    Rest.Callers = { Frame = s.Frame; Callback = callback } :: s.Callers
            })
    }

/// FAULTS CallTooDeep.
let callFunction (f: Address) (arguments: Value list) (callback: Callback option) : Rule<unit> =
    rule {
        let! index, captures = functionOf "call" f
        do! enterFunction index arguments captures callback
    }

/// A callback frame goes on top of the current frame. FAULTS CallTooDeep.
let pushCallback: Rule<unit> = oneMoreFrame

let popCallback: Rule<unit> = update (fun s -> { s with Rest.Depth = s.Depth - 1 })

/// The callback's next call: its charge, then its frame. FAULTS CallTooDeep.
let callBack (f: Address) (arguments: Value list) (callback: Callback) : Rule<unit> =
    rule {
        do! chargeInt (Gas.CallbackBase + Gas.CallbackPerArgument * List.length arguments)
        do! callFunction f arguments (Some callback)
    }

/// What a step of a routine comes to.
[<RequireQualifiedAccess>]
type Progress =
    /// Its value is ready.
    | Value of Value
    /// A frame has been pushed whose value will be fed to `resume`, or another contract executes.
    | Calling

// Merge sort, bottom-up and stable: docs/semantics.md, section 7.

[<RequireQualifiedAccess>]
module Merge =

    let start (items: ImmutableArray<Value>) = {
        Elements = items
        Placed = ImmutableList.Empty
        Width = 1
        Start = 0
        Left = 0
        Right = min 1 items.Length
    }

    let private middle m =
        min (m.Start + m.Width) m.Elements.Length

    let private finish m =
        min (m.Start + 2 * m.Width) m.Elements.Length

    let takeLeft m = {
        m with
            Placed = m.Placed.Add m.Elements[m.Left]
            Left = m.Left + 1
    }

    let takeRight m = {
        m with
            Placed = m.Placed.Add m.Elements[m.Right]
            Right = m.Right + 1
    }

    /// Place all that needs no comparison. What is left is a comparison of Left with Right, or the sorted elements.
    let rec settle m : Result<Merge, ImmutableArray<Value>> =
        let n = m.Elements.Length

        if m.Width >= n then
            Error m.Elements
        elif m.Start >= n then
            let width = 2 * m.Width

            settle {
                Elements = m.Placed.ToImmutableArray()
                Placed = ImmutableList.Empty
                Width = width
                Start = 0
                Left = 0
                Right = min width n
            }
        elif m.Left < middle m && m.Right < finish m then
            Ok m
        elif m.Left < middle m then
            settle (takeLeft m)
        elif m.Right < finish m then
            settle (takeRight m)
        else
            let start = m.Start + 2 * m.Width

            settle {
                m with
                    Start = start
                    Left = start
                    Right = min (start + m.Width) n
            }

/// Sort by LT. GAS 1 a comparison, and compare's own. FAULTS TypeMismatch, TooDeep.
let rec sortNaturally (merge: Merge) : Rule<ImmutableArray<Value>> =
    fun s ->
        let rec go merge s =
            match Merge.settle merge with
            | Error sorted -> [ Outcome.Ok(sorted, s) ]
            | Ok merge ->
                let comparison =
                    rule {
                        do! chargeInt Gas.Element
                        return! order merge.Elements[merge.Right] merge.Elements[merge.Left]
                    }

                let take order =
                    match order with
                    | Order.Less -> Merge.takeRight merge
                    | Order.Equal
                    | Order.Greater
                    | Order.Unordered -> Merge.takeLeft merge

                match comparison s with
                | [ Outcome.Ok(order, s) ] -> go (take order) s
                | outcomes -> (rule.Bind((fun _ -> outcomes), (fun order -> sortNaturally (take order)))) s

        go merge s

// Each routine: its next call, or its value.

let private list (items: ImmutableList<Value>) : Rule<Progress> =
    rule {
        let! address = allocate (Cell.List items)
        do! popCallback
        return Progress.Value(Value.Of(Kind.List address))
    }

let mapNext (f: Address) (rest: Value list) (results: ImmutableList<Value>) : Rule<Progress> =
    rule {
        match rest with
        | [] -> return! list results
        | item :: rest ->
            do! callBack f [ item ] (Callback.Map(f, rest, results))
            return Progress.Calling
    }

let filterNext (f: Address) (rest: Value list) (results: ImmutableList<Value>) : Rule<Progress> =
    rule {
        match rest with
        | [] -> return! list results
        | item :: rest ->
            do! callBack f [ item ] (Callback.Filter(f, item, rest, results))
            return Progress.Calling
    }

let reduceNext (f: Address) (accumulated: Value) (rest: Value list) : Rule<Progress> =
    rule {
        match rest with
        | [] ->
            do! popCallback
            return Progress.Value accumulated
        | item :: rest ->
            do! callBack f [ accumulated; item ] (Callback.Reduce(f, rest))
            return Progress.Calling
    }

let sortNext (f: Address) (merge: Merge) : Rule<Progress> =
    rule {
        match Merge.settle merge with
        | Error sorted -> return! list (ImmutableList.CreateRange sorted)
        | Ok merge ->
            do! callBack f [ merge.Elements[merge.Left]; merge.Elements[merge.Right] ] (Callback.Sort(f, merge))
            return Progress.Calling
    }

/// Does the answer of a comparing Function put the right element first? FAULTS TypeMismatch.
let private isAboveZero (answer: Value) : Rule<bool> =
    rule {
        let! kind = kindOf answer

        match numberOf kind with
        | Some(Number.Int n) -> return! decide (Int.less Int.zero n)
        | Some(Number.Float x) -> return! decide (Float.less (Float.Known 0.0) x)
        | None -> return! fault Fault.TypeMismatch
    }

/// Feed the value of a call to `list.map`, `filter`, `reduce` or `sort`.
let resumeList (callback: Callback) (value: Value) : Rule<Progress> =
    rule {
        match callback with
        | Callback.Map(f, rest, results) ->
            do! resumeRule "list/map"
            do! branch "resumed"
            return! mapNext f rest (results.Add value)
        | Callback.Filter(f, candidate, rest, results) ->
            do! resumeRule "list/filter"
            let! keep = truth value
            let! keep = decide keep
            do! branch (if keep then "kept" else "left-out")
            return! filterNext f rest (if keep then results.Add candidate else results)
        | Callback.Reduce(f, rest) ->
            do! resumeRule "list/reduce"
            do! branch "resumed"
            return! reduceNext f value rest
        | Callback.Sort(f, merge) ->
            do! resumeRule "list/sort"
            let! right = isAboveZero value
            do! branch (if right then "right-first" else "left-first")

            return!
                sortNext
                    f
                    (if right then
                         Merge.takeRight merge
                     else
                         Merge.takeLeft merge)
        | Callback.Event _ -> return invalidOp "An event's handlers are no list routine."
    }
