/// Walks over what is unknown. In a proof, what an operation finds in a collection of which only the kind is known is an uninterpreted
/// function of the operation, its operands and what the heap holds for them: the same on both sides, and nothing else is assumed of it.
/// That the contents of an unknown cell stay as they are, so that its symbol says them, holds because every operation that writes to a
/// collection looks into it first, and ends its path when it is unknown.
module Zexus.Spec.Unknown

open Zexus.Isa

/// What an operation depends on: a text for all that is concrete, and the scalars in it, which may be terms.
type private Seen = {
    /// Newest first. Simple symbols of SMT-LIB, and every bracket closed, so that no two shapes have one text.
    Shape: string list
    /// Newest first.
    Scalars: Argument list
    Visited: Set<int>
}

let private text piece seen = {
    seen with
        Shape = piece :: seen.Shape
}

let private scalar piece argument seen = {
    text piece seen with
        Scalars = argument :: seen.Scalars
}

let rec private see (s: State) (seen: Seen) (value: Value) : Seen =
    match value with
    | Value.Unknown symbol ->
        match Map.tryFind symbol s.Kinds with
        | Some kind -> see s seen (Value.Of kind)
        | None -> text ("?<" + symbol + ">") seen
    | Value.Of kind ->
        match kind with
        | Kind.Null -> text "null" seen
        | Kind.Bool b -> scalar "bool" (Argument.Bool(Bool.term b)) seen
        | Kind.Int n -> scalar "int" (Argument.Int(Int.term n)) seen
        | Kind.Float x -> scalar "float" (Argument.Float(Float.term x)) seen
        | Kind.String t -> scalar "string" (Argument.Str(Str.term t)) seen
        | Kind.List address -> text "list" seen |> seeCell s address
        | Kind.Map address -> text "map" seen |> seeCell s address
        | Kind.Set address -> text "set" seen |> seeCell s address
        | Kind.Function address -> text "function" seen |> seeCell s address

and private seeCell s (Address address) seen =
    // The address is said for a cell in which the walk already is, and for a Function, which is equal to none but itself.
    let place = string address

    if Set.contains address seen.Visited then
        text ("@" + place) seen
    else
        let seen = {
            seen with
                Visited = Set.add address seen.Visited
        }

        let all items =
            items |> Seq.fold (fun seen item -> text "." (see s seen item)) (text "<" seen) |> text ">"

        match Heap.find (Address address) s.Heap with
        | Cell.Unknown symbol -> text ("?<" + symbol + ">") seen
        | Cell.List items -> all items
        | Cell.Map entries
        | Cell.Set entries -> all (Entries.toList entries |> Seq.collect (fun (key, value) -> [ key; value ]))
        // Its name is all that is displayed of it.
        | Cell.Function(index, _) ->
            let name = Text.symbol s.Loaded.Functions[index].Definition.Name
            text ("<" + name + "@" + place + ">") seen
        | Cell.Variable _ -> invalidOp "A value leads to no variable."

/// What an operation on these operands comes to, by what is asked of it: the name of a function, and its arguments.
let private functionOf (operation: string) (operands: Value list) (s: State) : string -> string * Argument list =
    let seen =
        operands
        |> List.fold (fun seen operand -> text "." (see s seen operand)) {
            Shape = []
            Scalars = []
            Visited = Set.empty
        }

    let shape = operation + "<" + System.String.Concat(List.rev seen.Shape) + ">"
    let scalars = List.rev seen.Scalars
    fun asked -> asked + "." + shape, scalars

/// A walk that finds more than is known: OutOfGas on its way, or one of these faults, or what `result` makes of it. What it takes until it ends, and
/// how it ends, is a function of the operands; how far it comes when the gas runs out, of the gas left too.
let private walk
    (operation: string)
    (operands: Value list)
    (faults: Fault list)
    (result: (string -> string * Argument list) -> Rule<'a>)
    : Rule<'a> =
    fun s ->
        let answer = functionOf operation operands s
        let taken = Int.Symbolic(IntTerm.Apply(answer "gas"))
        let used = Int.add s.GasUsed taken

        let meets (fault: Fault) : Rule<unit> =
            require (Bool.negate (Bool.Symbolic(BoolTerm.Apply(answer fault.Name)))) fault

        let go =
            rule {
                let! enough = decide (Bool.negate (Int.less s.Context.GasLimit used))

                if enough then
                    do! update (fun s -> { s with GasUsed = used })
                    do! faults |> forEach meets
                    return! result answer
                else
                    let name, scalars = answer "gas-until-none-is-left"
                    let left = Argument.Int(Int.term (Int.sub s.Context.GasLimit s.GasUsed))
                    let spent = Int.Symbolic(IntTerm.Apply(name, left :: scalars))

                    do!
                        update (fun s -> {
                            s with
                                GasUsed = Int.add s.GasUsed spent
                        })

                    return! fault Fault.OutOfGas
            }

        go s

/// The outcomes of a walk from this state; of one that finds something unknown, all that it can come to. `operands` is what it depends on, but
/// for the limits, which are those of the execution.
let settle
    (operation: string)
    (operands: Value list)
    (faults: Fault list)
    (result: (string -> string * Argument list) -> Rule<'a>)
    (s: State)
    (outcomes: Outcome<'a> list)
    : Outcome<'a> list =
    outcomes
    |> List.collect (fun outcome ->
        match outcome with
        | Outcome.Ok _
        | Outcome.Fault _ -> [ outcome ]
        | Outcome.Opaque(_, _, stuck) -> walk operation operands faults result { stuck with GasUsed = s.GasUsed })

/// How many elements an unknown collection has.
let count (symbol: string) : Int =
    Int.Symbolic(IntTerm.Apply("count.<" + symbol + ">", []))
