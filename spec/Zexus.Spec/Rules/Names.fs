/// 1-7: constants, names, the operand stack.
module Zexus.Spec.Rules.Names

open System.Collections.Immutable
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals

/// A new value for each execution of the instruction: a program cannot change its own constants. Its scalars are the program's, and cost nothing. GAS elements.
let constant (index: int) : Rule<Value> =
    rule {
        let! loaded = read _.Loaded
        let constant = loaded.Constants[index]
        do! chargeInt (Plain.elements constant)
        return! build constant
    }

let private reach (name: int) : Rule<Variable> =
    read (fun s -> s.Loaded.Functions[s.Frame.Function].Reach[name])

/// Null when the name was never stored.
let globalNamed (name: string) : Rule<Value> =
    read (fun s -> Map.tryFind name s.Globals |> Option.defaultValue Value.nothing)

let private sharedVariable (cell: Cell) =
    match cell with
    | Cell.Variable value -> value
    | Cell.List _
    | Cell.Map _
    | Cell.Set _
    | Cell.Function _
    | Cell.Unknown _ -> invalidOp "A captured variable's address leads to another kind of cell."

/// The value of a name, as this frame reaches it.
let variable (name: int) : Rule<Value> =
    rule {
        match! reach name with
        | Variable.Global name -> return! globalNamed name
        | Variable.Slot slot ->
            let! frame = read _.Frame

            match frame.Variables[slot] with
            | Slot.Own value -> return value
            | Slot.Shared address ->
                let! cell = load address
                return sharedVariable cell
    }

/// Which of the ways to reach a variable was taken; reading and writing name them alike.
let private branchOfName (name: int) : Rule<unit> =
    rule {
        match! reach name with
        | Variable.Global _ -> do! branch "global"
        | Variable.Slot slot ->
            let! frame = read _.Frame

            match frame.Variables[slot] with
            | Slot.Own _ -> do! branch "own"
            | Slot.Shared _ -> do! branch "captured"
    }

let assign (name: int) (value: Value) : Rule<unit> =
    rule {
        do! branchOfName name

        match! reach name with
        | Variable.Global name ->
            do!
                update (fun s -> {
                    s with
                        Rest.Globals = Map.add name value s.Globals
                })
        | Variable.Slot slot ->
            let! frame = read _.Frame

            match frame.Variables[slot] with
            | Slot.Own _ ->
                do!
                    withFrame (fun frame -> {
                        frame with
                            Variables = frame.Variables.SetItem(slot, Slot.Own value)
                    })
            | Slot.Shared address -> do! store address (Cell.Variable value)
    }

/// Which frame cells a new Function captures. Validation has made sure that they are variables of this frame.
let captured (slots: int list) : Rule<Address list> =
    rule {
        do! chargeInt (List.length slots)
        let! frame = read _.Frame

        return
            slots
            |> List.map (fun slot ->
                match frame.Variables[slot] with
                | Slot.Shared address -> address
                | Slot.Own _ -> invalidOp "A captured variable does not live in the heap.")
    }

let private branchOfConstant (value: Value) : Rule<unit> =
    rule {
        match! kindOf value with
        | Kind.List _
        | Kind.Map _
        | Kind.Set _ -> do! branch "collection"
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.Function _ -> do! branch "scalar"
    }

/// STACK [] -> [v] · GAS 1, then elements.
let LOAD_CONST (index: int) : Rule<unit> =
    rule {
        let! value = constant index
        do! branchOfConstant value
        do! push value
    }

/// STACK [] -> [v] · GAS 2.
let LOAD_NAME (name: int) : Rule<unit> =
    rule {
        do! branchOfName name
        let! value = variable name
        do! push value
    }

/// STACK [v] -> [] · GAS 3.
let STORE_NAME (name: int) : Rule<unit> =
    rule {
        let! value = pop
        do! assign name value
    }

/// STACK [] -> [] · GAS 3, then 1 a captured variable. Captures are by reference: the new Function and this frame share the variable.
/// SOURCE upstream's closure-capturing variant, which its own dispatch table hides.
let STORE_FUNC (name: int) (func: int) (captures: int list) : Rule<unit> =
    rule {
        let! addresses = captured captures
        let! address = allocate (Cell.Function(func, addresses))
        do! assign name (Value.Of(Kind.Function address))
    }

/// STACK [v] -> [] · GAS 1.
let POP: Rule<unit> =
    rule {
        let! _ = pop
        return ()
    }

/// STACK [v] -> [v v] · GAS 1. A collection is shared, not copied.
let DUP: Rule<unit> =
    rule {
        let! value = pop
        do! push value
        do! push value
    }

/// STACK [] -> [] · GAS 5, then elements.
let STORE_CONST (name: int) (index: int) : Rule<unit> =
    rule {
        let! value = constant index
        do! branchOfConstant value
        do! assign name value
    }

// Frames hold what names reach, so making one stands here.

/// The variables of a new frame: arguments (missing ones Null, extra ones dropped), locals Null, captures.
let newVariables (func: LoadedFunction) (arguments: Value list) (captures: Address list) : Rule<ImmutableArray<Slot>> =
    rule {
        let parameters = func.Definition.Parameters.Length
        let own = parameters + func.Definition.Locals.Length
        let given = arguments |> List.truncate parameters |> List.toArray

        let initial slot =
            if slot < given.Length then given[slot] else Value.nothing

        let! shared =
            List.filter (fun slot -> func.IsShared[slot]) [ 0 .. own - 1 ]
            |> fold
                (fun shared slot ->
                    rule {
                        let! address = allocate (Cell.Variable(initial slot))
                        return Map.add slot address shared
                    })
                Map.empty

        let ownSlot slot =
            match Map.tryFind slot shared with
            | Some address -> Slot.Shared address
            | None -> Slot.Own(initial slot)

        return
            ImmutableArray.Create<Slot>(Array.append (Array.init own ownSlot) [| for c in captures -> Slot.Shared c |])
    }
