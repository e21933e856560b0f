namespace Zexus.Spec

open Zexus.Isa

/// How a rule, or a part of one, can end. A rule on known values has exactly one outcome.
[<RequireQualifiedAccess>]
type Outcome<'a> =
    | Ok of 'a * State
    /// A fault with its value, before any handler is looked for.
    | Fault of Fault * Value * State
    /// The operation looked inside something unknown: its result, fault, gas, heap and world are functions of these operands.
    | Opaque of operation: string * operands: Value list * State

type Rule<'a> = State -> Outcome<'a> list

[<RequireQualifiedAccess>]
module Outcome =
    let andThen (f: 'a -> Rule<'b>) (outcome: Outcome<'a>) : Outcome<'b> list =
        match outcome with
        | Outcome.Ok(x, s) -> f x s
        | Outcome.Fault(fault, value, s) -> [ Outcome.Fault(fault, value, s) ]
        | Outcome.Opaque(operation, operands, s) -> [ Outcome.Opaque(operation, operands, s) ]

/// Inlined, so that a rule of many lines is one function and not a chain of them.
type RuleBuilder() =
    member inline _.Bind([<InlineIfLambda>] m: Rule<'a>, [<InlineIfLambda>] f: 'a -> Rule<'b>) : Rule<'b> =
        fun s ->
            let next x s = f x s

            match m s with
            | [ Outcome.Ok(x, s) ] -> next x s
            | outcomes -> outcomes |> List.collect (Outcome.andThen (fun x s -> next x s))

    member inline _.Return(x: 'a) : Rule<'a> = fun s -> [ Outcome.Ok(x, s) ]
    member inline _.ReturnFrom([<InlineIfLambda>] m: Rule<'a>) : Rule<'a> = m
    member inline _.Zero() : Rule<unit> = fun s -> [ Outcome.Ok((), s) ]

    member inline this.Combine([<InlineIfLambda>] m: Rule<unit>, [<InlineIfLambda>] rest: Rule<'b>) : Rule<'b> =
        this.Bind(m, (fun () -> rest))

    member inline _.Delay([<InlineIfLambda>] f: unit -> Rule<'a>) : Rule<'a> = fun s -> f () s

/// The vocabulary in which the rules are written.
[<AutoOpen>]
module Vocabulary =

    let rule = RuleBuilder()

    let get: Rule<State> = fun s -> [ Outcome.Ok(s, s) ]

    let inline read ([<InlineIfLambda>] f: State -> 'a) : Rule<'a> = fun s -> [ Outcome.Ok(f s, s) ]

    let inline update ([<InlineIfLambda>] f: State -> State) : Rule<unit> = fun s -> [ Outcome.Ok((), f s) ]

    let inline result (x: 'a) : Rule<'a> = fun s -> [ Outcome.Ok(x, s) ]

    let skip: Rule<unit> = result ()

    // Names.

    /// The branch of the current rule that is taken here.
    let branch (name: string) : Rule<unit> =
        update (fun s -> {
            s with
                Reached = (s.Rule, name) :: s.Reached
        })

    /// The branch of a part that several rules share.
    let branchOf (part: string) (name: string) : Rule<unit> =
        update (fun s -> {
            s with
                Reached = (part, name) :: s.Reached
        })

    /// Back in the rule of a routine that a call of its own has interrupted.
    let resumeRule (name: string) : Rule<unit> =
        update (fun s -> { s with Rule = name })

    /// From here on this rule; its first branch says that it was entered.
    let enterRule (name: string) : Rule<unit> =
        update (fun s -> {
            s with
                Rule = name
                Reached = (name, "entered") :: s.Reached
        })

    /// What comes is done for this instruction of the source program, by its rule.
    let actFor (source: int) (name: string) : Rule<unit> =
        fun s ->
            if s.Rule = name && s.Frame.Source = source && not (List.isEmpty s.Reached) then
                [ Outcome.Ok((), s) ]
            else
                enterRule name {
                    s with
                        Frame = { s.Frame with Source = source }
                }

    // Faults. The value of all but Thrown and RequireFailed is the fault's name.

    let faultWith (fault: Fault) (value: Value) : Rule<'a> =
        fun s -> [ Outcome.Fault(fault, value, s) ]

    let fault (fault: Fault) : Rule<'a> = faultWith fault (Value.text fault.Name)

    let opaque (operation: string) (operands: Value list) : Rule<'a> =
        fun s -> [ Outcome.Opaque(operation, operands, s) ]

    // Choice.

    /// One path when the condition is known, two with their path conditions when it is not.
    let decide (condition: Bool) : Rule<bool> =
        fun s ->
            match condition with
            | Bool.Known b -> [ Outcome.Ok(b, s) ]
            | Bool.Symbolic term ->
                let path condition = {
                    s with
                        Rest.Knowledge.Path = condition :: s.Path
                }

                [ Outcome.Ok(true, path term); Outcome.Ok(false, path (BoolTerm.Not term)) ]

    let require (condition: Bool) (otherwise: Fault) : Rule<unit> =
        rule {
            let! holds = decide condition

            if not holds then
                return! fault otherwise
        }

    /// The kinds that an unknown value can have, with symbolic payloads named after it; its collections have unknown contents.
    let private everyKind (symbol: string) (heap: Heap) =
        let reference make =
            let address, heap = Heap.add (Cell.Unknown symbol) heap
            make address, heap

        [
            Kind.Null, heap
            Kind.Bool(Bool.Symbolic(BoolTerm.Symbol symbol)), heap
            Kind.Int(Int.Symbolic(IntTerm.Symbol symbol)), heap
            Kind.Float(Float.Symbolic(FloatTerm.Symbol symbol)), heap
            Kind.String(Str.Symbolic(StrTerm.Symbol symbol)), heap
            reference Kind.List
            reference Kind.Map
            reference Kind.Set
            reference Kind.Function
        ]

    /// What kind of value this is: one path when that is known, one for each kind when it is not.
    let kindOf (value: Value) : Rule<Kind> =
        fun s ->
            match value with
            | Value.Of kind -> [ Outcome.Ok(kind, s) ]
            | Value.Unknown symbol ->
                match Map.tryFind symbol s.Kinds with
                | Some kind -> [ Outcome.Ok(kind, s) ]
                | None ->
                    everyKind symbol s.Heap
                    |> List.map (fun (kind, heap) ->
                        Outcome.Ok(
                            kind,
                            {
                                s with
                                    Rest.Heap = heap
                                    Rest.Knowledge.Kinds = Map.add symbol kind s.Kinds
                            }
                        ))

    /// The same for plain data, which no Function is.
    let kindOfData (value: Value) : Rule<Kind> =
        fun s ->
            kindOf value s
            |> List.filter (fun outcome ->
                match outcome with
                | Outcome.Ok(Kind.Function _, _) -> false
                | Outcome.Ok((Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.String _), _)
                | Outcome.Ok((Kind.List _ | Kind.Map _ | Kind.Set _), _)
                | Outcome.Fault _
                | Outcome.Opaque _ -> true)

    /// FAULTS TypeMismatch.
    let wantText (value: Value) : Rule<Str> =
        rule {
            match! kindOf value with
            | Kind.String s -> return s
            | Kind.Null
            | Kind.Bool _
            | Kind.Int _
            | Kind.Float _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _
            | Kind.Function _ -> return! fault Fault.TypeMismatch
        }

    // What an operation must see to go on.

    let knownInt (operation: string) (n: Int) : Rule<bigint> =
        match n with
        | Int.Known n -> result n
        | Int.Symbolic _ -> opaque operation [ Value.ofInt n ]

    let knownBool (operation: string) (b: Bool) : Rule<bool> =
        match b with
        | Bool.Known b -> result b
        | Bool.Symbolic _ -> opaque operation [ Value.ofBool b ]

    let knownFloat (operation: string) (x: Float) : Rule<float> =
        match x with
        | Float.Known x -> result x
        | Float.Symbolic _ -> opaque operation [ Value.ofFloat x ]

    let knownText (operation: string) (s: Str) : Rule<string> =
        match s with
        | Str.Known s -> result s
        | Str.Symbolic _ -> opaque operation [ Value.ofStr s ]

    // Loops over data. They run in constant native stack when each pass has one outcome.

    let rec fold (f: 'acc -> 'x -> Rule<'acc>) (acc: 'acc) (items: 'x list) : Rule<'acc> =
        fun s ->
            let rec go acc items s =
                match items with
                | [] -> [ Outcome.Ok(acc, s) ]
                | item :: rest ->
                    match f acc item s with
                    | [ Outcome.Ok(acc, s) ] -> go acc rest s
                    | outcomes -> (rule.Bind((fun _ -> outcomes), (fun acc -> fold f acc rest))) s

            go acc items s

    let forEach (f: 'x -> Rule<unit>) (items: 'x list) : Rule<unit> = fold (fun () item -> f item) () items

    /// The first result that the items give, if any gives one.
    let rec firstOf (f: 'x -> Rule<'a option>) (items: 'x list) : Rule<'a option> =
        fun s ->
            let rec go items s =
                match items with
                | [] -> [ Outcome.Ok(None, s) ]
                | item :: rest ->
                    match f item s with
                    | [ Outcome.Ok(None, s) ] -> go rest s
                    | [ Outcome.Ok(Some found, s) ] -> [ Outcome.Ok(Some found, s) ]
                    | outcomes ->
                        let next found =
                            match found with
                            | Some found -> result (Some found)
                            | None -> firstOf f rest

                        (rule.Bind((fun _ -> outcomes), next)) s

            go items s

    // Gas.

    /// Exactly enough is enough; what does not fit is not taken.
    let charge (amount: Int) : Rule<unit> =
        fun s ->
            let used = Int.add s.GasUsed amount

            match used, s.Context.GasLimit with
            | Int.Known total, Int.Known limit ->
                if total <= limit then
                    [ Outcome.Ok((), { s with GasUsed = used }) ]
                else
                    fault Fault.OutOfGas s
            | (Int.Known _ | Int.Symbolic _), _ ->
                let fits = Bool.negate (Int.less s.Context.GasLimit used)

                rule.Bind
                    (decide fits,
                     (fun enough ->
                         if enough then
                             update (fun s -> { s with GasUsed = used })
                         else
                             fault Fault.OutOfGas))
                    s

    let chargeInt (amount: int) : Rule<unit> =
        if amount = 0 then skip else charge (Int.ofInt amount)

    /// Scalars of text, in gas.
    let textGas (s: Str) =
        Int.divBy Gas.ScalarsPerUnit (Str.length s)

    /// What a charge comes to, before its instruction acts.
    let rec amountOf (amount: Amount) : Rule<Int> =
        let at depth (gas: Kind -> Int) =
            rule {
                let! frame = read _.Frame
                let! kind = kindOf (List.item depth frame.Stack)
                return gas kind
            }

        let sizeOf kind =
            match kind with
            | Kind.Int n -> Int.size n
            | Kind.Null
            | Kind.Bool _
            | Kind.Float _
            | Kind.String _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _
            | Kind.Function _ -> Int.zero

        match amount with
        | Amount.Fixed n -> result n
        | Amount.Size depth -> at depth sizeOf
        | Amount.VariableSize slot ->
            rule {
                let! frame = read _.Frame

                match frame.Variables[slot] with
                | Slot.Own value ->
                    let! kind = kindOf value
                    return sizeOf kind
                | Slot.Shared _ -> return invalidOp "A charge looks only at variables that no function captures."
            }
        | Amount.RegisterSize register ->
            rule {
                let! frame = read _.Frame
                let! kind = kindOf frame.Registers[register]
                return sizeOf kind
            }
        | Amount.Text depth ->
            at depth (fun kind ->
                match kind with
                | Kind.String s -> textGas s
                | Kind.Null
                | Kind.Bool _
                | Kind.Int _
                | Kind.Float _
                | Kind.List _
                | Kind.Map _
                | Kind.Set _
                | Kind.Function _ -> Int.zero)
        | Amount.Sum parts ->
            parts
            |> fold
                (fun sum part ->
                    rule {
                        let! amount = amountOf part
                        return Int.add sum amount
                    })
                Int.zero

    // The operand stack and the frame.

    let inline withFrame ([<InlineIfLambda>] f: Frame -> Frame) : Rule<unit> =
        update (fun s -> { s with Frame = f s.Frame })

    /// Validation has made sure that there is one.
    let pop: Rule<Value> =
        fun s ->
            let top = List.head s.Frame.Stack

            [
                Outcome.Ok(
                    top,
                    {
                        s with
                            Frame = {
                                s.Frame with
                                    Stack = List.tail s.Frame.Stack
                                    Height = s.Frame.Height - 1
                            }
                    }
                )
            ]

    let push (value: Value) : Rule<unit> =
        withFrame (fun frame -> {
            frame with
                Stack = value :: frame.Stack
                Height = frame.Height + 1
        })

    /// [v1 … vn] -> [], in the order in which they were pushed.
    let popMany (n: int) : Rule<Value list> =
        fun s ->
            let taken, rest = List.splitAt n s.Frame.Stack

            [
                Outcome.Ok(
                    List.rev taken,
                    {
                        s with
                            Frame = {
                                s.Frame with
                                    Stack = rest
                                    Height = s.Frame.Height - n
                            }
                    }
                )
            ]

    /// To the next instruction.
    let next: Rule<unit> =
        withFrame (fun frame -> {
            frame with
                Instruction = frame.Instruction + 1
        })

    let jump (target: int) : Rule<unit> =
        withFrame (fun frame -> { frame with Instruction = target })

    // The heap.

    let allocate (cell: Cell) : Rule<Address> =
        fun s ->
            let address, heap = Heap.add cell s.Heap
            [ Outcome.Ok(address, { s with Rest.Heap = heap }) ]

    let store (address: Address) (cell: Cell) : Rule<unit> =
        update (fun s -> {
            s with
                Rest.Heap = Heap.put address cell s.Heap
        })

    let load (address: Address) : Rule<Cell> =
        read (fun s -> Heap.find address s.Heap)

    // Limits.

    let limitInt (n: Int) : Rule<unit> =
        rule {
            let! bound = read _.IntegerBound

            do!
                require
                    (Bool.negate (Bool.either (Int.less n (Int.neg bound)) (Bool.negate (Int.less n bound))))
                    Fault.IntegerTooLarge
        }

    let limitText (length: Int) : Rule<unit> =
        rule {
            let! bound = read _.StringBound
            do! require (Bool.negate (Int.less bound length)) Fault.StringTooLong
        }

    let limitCount (count: Int) : Rule<unit> =
        rule {
            let! bound = read _.CollectionBound
            do! require (Bool.negate (Int.less bound count)) Fault.CollectionTooLarge
        }

    /// A traversal goes into a collection that stands inside `depth` others.
    let enter (depth: int) : Rule<unit> =
        rule {
            let! limit = read _.Loaded.Limits.Nesting
            do! require (Bool.Known(depth < limit)) Fault.TooDeep
        }
