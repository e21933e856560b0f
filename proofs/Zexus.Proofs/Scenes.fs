/// Programs that lead to one instruction with values left open, and the states that they lead to: on symbols, and on values.
module Zexus.Proofs.Scenes

open System
open System.Collections.Generic
open System.Collections.Immutable
open Zexus.Isa
open Zexus.Spec

[<RequireQualifiedAccess>]
type Operand =
    | Name of string
    | Constant of Data
    | Function of string
    | Number of int
    /// The instruction after this one.
    | Next
    /// The last instruction of the function, a RETURN that only a handler leads to.
    | Last

type Line =
    /// A value that is left open, by its symbol.
    | Open of string
    | Do of Opcode * Operand list
    /// The instruction that the scene is about.
    | Subject of Opcode * Operand list

type FunctionText = {
    Name: string
    Parameters: string list
    Locals: string list
    Captures: string list
    Lines: Line list
}

type Scene = {
    Title: string
    /// The first is where the program starts. If none has a subject, the scene is about the end of the last one's code.
    Functions: FunctionText list
    Limits: Limits
    /// Does it ask for host functions? Then it runs in proofs only.
    HasHost: bool
}

/// What takes the place of a value that was left open.
[<RequireQualifiedAccess>]
type Given =
    | Data of Data
    /// The Function that every scene has.
    | Function

/// The global that holds it.
[<Literal>]
let KnownFunction = "$it"

/// The function of the table that it is.
let private known: FunctionText = {
    Name = KnownFunction
    Parameters = [ "p" ]
    Locals = []
    Captures = []
    Lines = []
}

/// What stands for an open value until the program has led to the instruction.
[<Literal>]
let private Mark = "?"

/// A program, and where the instruction is.
type private Compiled = {
    Program: Program
    Function: int
    Instruction: int
}

let private isSubject line =
    match line with
    | Subject _ -> true
    | Open _
    | Do _ -> false

/// `given`: what an open value is.
let private compile (scene: Scene) (given: string -> Given) : Compiled =
    let names = List<string>()
    let constants = List<Data>()

    let indexOf (table: List<'a>) (item: 'a) =
        match table.IndexOf item with
        | -1 ->
            table.Add item
            table.Count - 1
        | index -> index

    let functions = scene.Functions @ [ known ]

    let code (f: FunctionText) =
        let lines = List.toArray f.Lines

        let operand at (o: Operand) =
            match o with
            | Operand.Name name -> indexOf names name
            | Operand.Constant data -> indexOf constants data
            | Operand.Function name -> functions |> List.findIndex (fun f -> f.Name = name)
            | Operand.Number n -> n
            | Operand.Next -> at + 1
            | Operand.Last -> lines.Length - 1
            |> int64

        let instruction at opcode operands =
            let operand position =
                operands |> List.tryItem position |> Option.map (operand at) |> Option.defaultValue 0L

            Instruction.Of((InstructionSet.Of opcode).Number, operand 0, operand 1, operand 2)

        lines
        |> Array.mapi (fun at line ->
            match line with
            | Do(opcode, operands)
            | Subject(opcode, operands) -> instruction at opcode operands
            | Open symbol ->
                match given symbol with
                | Given.Data data -> instruction at Opcode.LOAD_CONST [ Operand.Constant data ]
                | Given.Function -> instruction at Opcode.LOAD_NAME [ Operand.Name KnownFunction ])

    let table = [|
        for f in functions ->
            {
                Name = f.Name
                Parameters = List.toArray f.Parameters
                Locals = List.toArray f.Locals
                Captures = List.toArray f.Captures
                Code = code f
            }
    |]

    let place =
        scene.Functions
        |> List.indexed
        |> List.tryPick (fun (index, f) -> List.tryFindIndex isSubject f.Lines |> Option.map (fun at -> index, at))

    let func, instruction =
        match place with
        | Some place -> place
        | None ->
            let last = scene.Functions.Length - 1
            last, table[last].Code.Length

    {
        Program = {
            Constants = constants.ToArray()
            Names = names.ToArray()
            Functions = table
        }
        Function = func
        Instruction = instruction
    }

let symbols (scene: Scene) : string list =
    [
        for f in scene.Functions do
            for line in f.Lines do
                match line with
                | Open symbol -> symbol
                | Do _
                | Subject _ -> ()
    ]
    |> List.distinct

/// Host functions of the proofs: one that answers, one that throws.
let private hosts: Map<string, HostFunction> =
    let host answer = {
        Arity = 1
        Gas = 7I
        Answer = fun _ _ -> answer
    }

    Map.ofList [
        "answer", host (HostOutcome.Returned(Plain.List [ Plain.Null ]))
        "refuse", host (HostOutcome.Thrown Plain.Null)
    ]

let private contextOf (scene: Scene) limit : Context = {
    Cases.context limit with
        Host = (if scene.HasHost then hosts else Map.empty)
        Entry = Entry.main
        VerifySignature = (fun signature _ _ -> signature = "valid")
}

let private generous = 100_000_000I

let private load (scene: Scene) (program: Program) : Result<Loaded, string> =
    match Validation.validate scene.Limits program with
    | Ok loaded -> Ok loaded
    | Error refusal -> Error(refusal.Describe program)

/// The state in which the instruction is first reached.
let private lead (compiled: Compiled) (start: State) : Result<State, string> =
    let rec go (s: State) =
        if s.Frame.Function = compiled.Function && s.Frame.Instruction = compiled.Instruction then
            Ok s
        else
            match Machine.step s with
            | Machine.Step.Running next -> go next
            | Machine.Step.Finished _
            | Machine.Step.Opaque _ -> Error "the program does not lead to its instruction"

    go start

// Values of a state.

let private mapEach (f: 'a -> 'a) (items: ImmutableArray<'a>) =
    let mapped = Array.init items.Length (fun i -> f items[i])
    ImmutableArray.Create<'a> mapped

let private mapFrame f (frame: Frame) = {
    frame with
        Stack = List.map f frame.Stack
        Variables =
            frame.Variables
            |> mapEach (fun slot ->
                match slot with
                | Slot.Own value -> Slot.Own(f value)
                | Slot.Shared address -> Slot.Shared address)
        Registers = mapEach f frame.Registers
}

let private mapCallback f callback =
    let list (items: ImmutableList<Value>) =
        ImmutableList.CreateRange(items |> Seq.map f)

    match callback with
    | Callback.Map(g, rest, results) -> Callback.Map(g, List.map f rest, list results)
    | Callback.Filter(g, candidate, rest, results) -> Callback.Filter(g, f candidate, List.map f rest, list results)
    | Callback.Reduce(g, rest) -> Callback.Reduce(g, List.map f rest)
    | Callback.Sort(g, merge) ->
        Callback.Sort(
            g,
            {
                merge with
                    Elements = ImmutableArray.CreateRange(merge.Elements |> Seq.map f)
                    Placed = list merge.Placed
            }
        )
    | Callback.Event(payload, rest) -> Callback.Event(f payload, rest)

let private mapCell f cell =
    let entries (e: Entries) = {
        e with
            ByOrder = e.ByOrder |> Map.map (fun _ (key, value) -> key, f value)
    }

    match cell with
    | Cell.List items -> Cell.List(ImmutableList.CreateRange(items |> Seq.map f))
    | Cell.Map e -> Cell.Map(entries e)
    | Cell.Variable value -> Cell.Variable(f value)
    | Cell.Set _
    | Cell.Function _
    | Cell.Unknown _ -> cell

/// The cells and globals in which `f` changes something; thousands of states are made from one, and most of it stays as it is.
let private changed (f: Value -> Value) (s: State) =
    let cells = s.Heap.Cells |> Map.filter (fun _ cell -> mapCell f cell <> cell)
    let globals = s.Globals |> Map.filter (fun _ value -> f value <> value)
    cells, globals

let private mapState (f: Value -> Value) (cells: Map<int, Cell>, globals: Map<string, Value>) (s: State) : State = {
    s with
        Frame = mapFrame f s.Frame
        Rest.Callers =
            s.Callers
            |> List.map (fun caller -> {
                Frame = mapFrame f caller.Frame
                Callback = Option.map (mapCallback f) caller.Callback
            })
        Rest.Heap = {
            s.Heap with
                Cells = cells |> Map.fold (fun all at cell -> Map.add at (mapCell f cell) all) s.Heap.Cells
        }
        Rest.Globals = globals |> Map.fold (fun all name value -> Map.add name (f value) all) s.Globals
}

let private openMark (value: Value) =
    match value with
    | Value.Of(Kind.String(Str.Known text)) when text.StartsWith(Mark, StringComparison.Ordinal) ->
        Value.Unknown(text.Substring Mark.Length)
    | Value.Of _
    | Value.Unknown _ -> value

/// Before the instruction, its values open, gas and limits as they are.
let private opened (scene: Scene) : State =
    let compiled = compile scene (fun symbol -> Given.Data(Data.String(Mark + symbol)))

    let reached =
        load scene compiled.Program
        |> Result.bind (fun loaded -> lead compiled (Machine.start loaded (contextOf scene (Int.Known generous))))

    match reached with
    | Ok s -> mapState openMark (changed openMark s) s
    | Error reason -> invalidOp (scene.Title + ": " + reason)

/// The elements of the largest collection that the program makes before the instruction.
let largest (scene: Scene) : int =
    (opened scene).Heap.Cells
    |> Map.toSeq
    |> Seq.map (fun (_, cell) ->
        match cell with
        | Cell.List items -> items.Count
        | Cell.Map entries
        | Cell.Set entries -> Entries.count entries
        | Cell.Function _
        | Cell.Variable _
        | Cell.Unknown _ -> 0)
    |> Seq.fold max 0

let private symbol name = Int.Symbolic(IntTerm.Symbol name)

[<Literal>]
let GasUsed = "gas_used"

[<Literal>]
let GasLimit = "gas_limit"

[<Literal>]
let IntBound = "int_bound"

[<Literal>]
let TextBound = "text_bound"

[<Literal>]
let CountBound = "count_bound"

let private withGas used limit (s: State) = {
    s with
        GasUsed = used
        Rest.Setup.Context = { s.Context with GasLimit = limit }
}

/// Before the instruction: open values, the gas used so far, the gas limit and the limits of Ints, Strings and collections are symbols.
let start (scene: Scene) : State =
    let s = opened scene |> withGas (symbol GasUsed) (symbol GasLimit)

    {
        s with
            Rest.Setup.IntegerBound = symbol IntBound
            Rest.Setup.StringBound = symbol TextBound
            Rest.Setup.CollectionBound = symbol CountBound
    }

/// Limits of runs on values: low, so that they are met.
let lowered (limits: Limits) : Limits = {
    limits with
        IntegerBits = 128
        StringLength = 64
        CollectionLength = 8
}

/// Before the instruction, on values, with so much gas left.
let startOn (scene: Scene) : Map<string, Given> -> bigint -> State =
    let limits = lowered scene.Limits
    let s = opened scene

    let s = {
        s with
            Rest.Setup.IntegerBound = Int.Known(1I <<< limits.IntegerBits)
            Rest.Setup.StringBound = Int.ofInt limits.StringLength
            Rest.Setup.CollectionBound = Int.ofInt limits.CollectionLength
    }

    let close value =
        match value with
        | Value.Unknown _ -> Value.nothing
        | Value.Of _ -> value

    let touched = changed close s

    fun values gas ->
        let value (chosen, s: State) symbol given =
            match given with
            | Given.Function -> Map.add symbol (Map.find KnownFunction s.Globals) chosen, s
            | Given.Data data ->
                match Traversals.copyOut (Plain.ofData data) (withGas Int.zero (Int.Known generous) s) with
                | [ Outcome.Ok(value, s) ] -> Map.add symbol value chosen, s
                | _ -> invalidOp "Plain data is copied in one way."

        let chosen, s = values |> Map.fold value (Map.empty, s)

        let choose value =
            match value with
            | Value.Unknown symbol -> Map.find symbol chosen
            | Value.Of _ -> value

        mapState choose touched s |> withGas Int.zero (Int.Known gas)

// Replays.

let private vm = new Threading.ThreadLocal<Zexus.Vm.Vm>(fun () -> new Zexus.Vm.Vm())

/// What the steps of the oracle have entered when it has executed the instruction, or None if it does not come to it.
let private entered (compiled: Compiled) (start: State) : Branch list option =
    match lead compiled start with
    | Error _ -> None
    | Ok s ->
        match Machine.step s with
        | Machine.Step.Running next
        | Machine.Step.Finished(next, _) -> Some next.Reached
        | Machine.Step.Opaque _ -> None

/// Run the scene with these values as a program, on oracle and engine, the gas limit so much above the gas used before the instruction.
/// What the instruction enters, if the two agree.
let replay (scene: Scene) (values: Map<string, Given>) (limits: Limits) (gas: bigint) : Result<Branch list, string> =
    let given symbol =
        Map.tryFind symbol values |> Option.defaultValue (Given.Data Data.Null)

    let compiled = compile scene given
    let scene = { scene with Limits = limits }

    if scene.HasHost then
        Error "host functions are not replayed"
    else
        load scene compiled.Program
        |> Result.bind (fun loaded ->
            let context limit = Cases.context (Int.Known limit)

            lead compiled (Machine.start loaded (context generous))
            |> Result.bind (fun before ->
                let limit =
                    match before.GasUsed with
                    | Int.Known used -> bigint.Min(used + gas, generous)
                    | Int.Symbolic _ -> invalidOp "A run on known values has a known gas."

                match entered compiled (Machine.start loaded (context limit)) with
                | None -> Error "the program does not lead to its instruction"
                | Some branches ->
                    let oracle = Observation.ofOracle loaded (context limit)
                    let image = Zexus.Vm.ZexusProgram.Load(compiled.Program, limits)

                    if oracle = Observation.ofEngine vm.Value image (int64 limit) then
                        Ok branches
                    else
                        Error "oracle and engine differ"))
