/// Are two whole programs equivalent in everything that can be observed? Both are run on symbols from the same start: any state of the chain, any
/// block, any gas limit. Every path of the one must agree with a path of the other. Loops whose end depends on what is unknown are turned
/// a bounded number of times; the bound is part of the answer.
module Zexus.Proofs.ProgramEquivalence

open System
open System.Collections.Generic
open System.Collections.Immutable
open System.Threading
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec
open Zexus.Proofs.SmtLib
open Zexus.Proofs.SymbolicRun
open Zexus.Proofs.Agreement

type Options = {
    /// How often a loop whose end depends on what is unknown may turn, and how deep such a recursion may go.
    Unroll: int
    /// Gas is no observable: under a limit that always suffices.
    IgnoresGas: bool
    /// The second program is a translation of the first: faults are compared with their rules and source instructions, too.
    IsTranslation: bool
    /// The most steps, and the most paths, of one side.
    MostSteps: int
    MostPaths: int
}

let usual = {
    Unroll = 8
    IgnoresGas = false
    IsTranslation = false
    MostSteps = 1_000_000
    MostPaths = 2_000
}

/// A start that shows a difference, and what each side then does.
type Counterexample = {
    State: Map<string, Data>
    Timestamp: int64
    Height: int64
    Caller: string
    GasLimit: int64
    OracleLeft: Observation.Observation
    OracleRight: Observation.Observation
    EngineLeft: Observation.Observation
    EngineRight: Observation.Observation
} with

    /// The engine sees on each side what the oracle sees, and the sides differ.
    member c.IsConfirmed =
        c.OracleLeft <> c.OracleRight && c.EngineLeft = c.OracleLeft && c.EngineRight = c.OracleRight

/// A path that was not settled: what had been decided on it, and why it was given up.
type Unsettled = {
    Side: string
    Decisions: string list
    Reason: string
}

type Verdict =
    | Equivalent
    | Different of Counterexample
    | Undecided of Unsettled list

type Report = {
    Verdict: Verdict
    /// Paths of each side.
    Paths: int * int
    /// Paths that ended because a loop had turned as often as the bound allows.
    AtBound: int
    Queries: int
    Time: TimeSpan
}

/// A program in the two forms that a counterexample is run in.
type Side = {
    Name: string
    Oracle: Loaded
    Engine: ZexusProgram
}

// Paths.

[<RequireQualifiedAccess>]
type private Exit =
    /// Of an open fault it is not known which one it is: one of an event's that no handler caught.
    | Ended of Machine.Ending * isOpenFault: bool * Run
    | AtBound of Run
    | Stuck of reason: string * Run

let private runOf exit =
    match exit with
    | Exit.Ended(_, _, r)
    | Exit.AtBound r
    | Exit.Stuck(_, r) -> r

/// A path on its way. Turns: for each loop head of each frame alive, how much had been decided at the last turn, and how many turns began with
/// something new decided.
type private Walk = {
    Run: Run
    Turns: Map<struct (int * int * int), struct (int * int)>
}

let private symbolic name = Int.Symbolic(IntTerm.Symbol name)

/// Everything that the host gives is open; the limits are the program's.
let private start (loaded: Loaded) : State =
    let s =
        Machine.start loaded {
            GasLimit = symbolic "gas_limit"
            Timestamp = 0I
            Height = 0I
            Caller = ""
            State = Map.empty
            Host = Map.empty
            Entry = Entry.main
            VerifySignature = fun _ _ _ -> false
            Contract = ""
            Contracts = Map.empty
        }

    {
        s with
            Rest.Setup.StateIsOpen = true
            Rest.Setup.Block = {
                Timestamp = symbolic "timestamp"
                Height = symbolic "height"
                Caller = Str.Symbolic(StrTerm.Symbol "caller")
            }
    }

/// Routines that only read, and call nothing.
let private onlyReads (routine: Routine) =
    match routine with
    | Routine.Len
    | Routine.Str
    | Routine.IntOf
    | Routine.FloatOf
    | Routine.TypeOf
    | Routine.Range
    | Routine.Timestamp
    | Routine.Height
    | Routine.Caller
    | Routine.GasLeft
    | Routine.StringLength
    | Routine.StringContains
    | Routine.StringStartsWith
    | Routine.StringEndsWith
    | Routine.StringUpper
    | Routine.StringLower
    | Routine.StringTrim
    | Routine.StringSplit
    | Routine.StringIndexOf
    | Routine.StringReplace
    | Routine.StringSlice
    | Routine.StringCharAt
    | Routine.StringRepeat
    | Routine.StringIsEmpty
    | Routine.ListLength
    | Routine.ListContains
    | Routine.ListIndexOf
    | Routine.ListIsEmpty
    | Routine.ListFirst
    | Routine.ListLast
    | Routine.ListJoin
    | Routine.ListSlice
    | Routine.ListFlatten
    | Routine.MapLength
    | Routine.MapGet
    | Routine.MapHas
    | Routine.MapKeys
    | Routine.MapValues
    | Routine.MapEntries
    | Routine.MapIsEmpty
    | Routine.SetLength
    | Routine.SetHas
    | Routine.SetValues
    | Routine.SetIsEmpty -> true
    | Routine.CallContract
    | Routine.Push
    | Routine.Append
    | Routine.ListPush
    | Routine.ListPop
    | Routine.ListSet
    | Routine.ListReverse
    | Routine.ListSort
    | Routine.ListMap
    | Routine.ListFilter
    | Routine.ListReduce
    | Routine.MapSet
    | Routine.MapDelete
    | Routine.SetAdd
    | Routine.SetDelete -> false

/// May an instruction that looks inside something unknown be taken for an event that changes nothing but the operand stack and the gas?
let private isPure (s: State) (i: LoadedInstruction) =
    let allOnlyRead (isMethod: bool) name =
        let rows =
            Library.Rows
            |> Seq.filter (fun row -> (row.Receiver <> Receiver.Nothing) = isMethod && Array.contains name row.Names)
            |> List.ofSeq

        not rows.IsEmpty && rows |> List.forall (fun row -> onlyReads row.Routine)

    match i.Opcode with
    | Opcode.CALL_BUILTIN -> allOnlyRead false s.Loaded.Program.Names[i.A]
    | Opcode.CALL_METHOD -> allOnlyRead true s.Loaded.Program.Names[i.A]
    | Opcode.INDEX
    | Opcode.SLICE
    | Opcode.GET_ATTR
    | Opcode.GET_LENGTH
    | Opcode.FOR_ITER
    | Opcode.BUILD_MAP
    | Opcode.BUILD_SET
    | Opcode.HASH_BLOCK
    | Opcode.MERKLE_ROOT
    | Opcode.VERIFY_SIGNATURE
    | Opcode.ADD
    | Opcode.MUL
    | Opcode.POW
    | Opcode.INC
    | Opcode.EQ
    | Opcode.NEQ
    | Opcode.LT
    | Opcode.GT
    | Opcode.LTE
    | Opcode.GTE
    | Opcode.ADD_REG
    | Opcode.MUL_REG
    | Opcode.POW_REG
    | Opcode.EQ_REG
    | Opcode.NEQ_REG
    | Opcode.LT_REG
    | Opcode.GT_REG
    | Opcode.LTE_REG
    | Opcode.GTE_REG -> true
    | _ -> false

/// Does a value lead to a collection or Function that the program can change, at this depth or deeper?
let private leadsToKnown (least: int) (heap: Heap) (value: Value) =
    let rec look depth (seen: Set<int>) value =
        match value with
        | Value.Unknown _
        | Value.Of(Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.String _) -> false
        | Value.Of(Kind.List(Address a) | Kind.Map(Address a) | Kind.Set(Address a) | Kind.Function(Address a)) ->
            let inside = look (depth + 1) (Set.add a seen)

            not (Set.contains a seen)
            && match Heap.find (Address a) heap with
               | Cell.Unknown _ -> false
               | Cell.List items -> depth >= least || Seq.exists inside items
               | Cell.Map entries
               | Cell.Set entries -> depth >= least || Entries.toList entries |> List.exists (snd >> inside)
               | Cell.Function _
               | Cell.Variable _ -> true

    look 0 Set.empty value

/// May what an event pushes be, or hold, something that the program can still change under another name? Then its symbol would not say
/// what is in it.
let private pushesWhatCanChange (s: State) (i: LoadedInstruction) =
    let operands count = List.truncate count s.Frame.Stack

    let parts =
        match i.Opcode with
        // An element of the first operand, which is the lowest.
        | Opcode.INDEX -> operands 2 |> List.map (leadsToKnown 1 s.Heap)
        | Opcode.SLICE -> operands 3 |> List.map (leadsToKnown 1 s.Heap)
        | Opcode.GET_ATTR
        | Opcode.FOR_ITER
        | Opcode.ADD
        | Opcode.MUL -> operands 2 |> List.map (leadsToKnown 1 s.Heap)
        | Opcode.ADD_REG
        | Opcode.MUL_REG -> [ i.B; i.C ] |> List.map (fun r -> leadsToKnown 1 s.Heap s.Frame.Registers[r])
        | Opcode.BUILD_MAP -> operands (2 * i.A) |> List.map (leadsToKnown 0 s.Heap)
        | Opcode.CALL_METHOD ->
            // An argument may come back as it is: a default.
            (operands i.B |> List.map (leadsToKnown 0 s.Heap))
            @ [ leadsToKnown 1 s.Heap (List.item i.B s.Frame.Stack) ]
        | _ -> []

    List.contains true parts

/// A pure event reaches nothing but the stack.
let private nothingElse: Reach = fun _ s -> s

/// An event begins no transaction.
let private asPureEvent (i: LoadedInstruction) (r: Run) : Next list =
    let asBefore (after: Run) = {
        after with
            State = {
                after.State with
                    Rest.Effects.Begun = r.State.Begun
            }
    }

    asEvent nothingElse i r
    |> List.map (fun next ->
        match next with
        | Next.On after -> Next.On(asBefore after)
        | Next.EventFault(value, after) -> Next.EventFault(value, asBefore after)
        | Next.Fault _
        | Next.Blind _ -> next)

/// Each read of a collection in the state makes a new one: told apart by where it lives, as the symbol is the same.
let private copied (next: Next) : Next =
    match next with
    | Next.On r ->
        let s = r.State

        match s.Frame.Stack with
        | Value.Unknown symbol :: rest ->
            let made kind =
                let address, heap = Heap.add (Cell.Unknown symbol) s.Heap

                Next.On {
                    r with
                        State = {
                            s with
                                Rest.Heap = heap
                                Frame = {
                                    s.Frame with
                                        Stack = Value.Of(kind address) :: rest
                                }
                        }
                }

            match Map.tryFind symbol s.Kinds with
            | Some(Kind.List _) -> made Kind.List
            | Some(Kind.Map _) -> made Kind.Map
            | Some(Kind.Set _) -> made Kind.Set
            | Some(Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.String _ | Kind.Function _)
            | None -> next
        | _ -> next
    | Next.Fault _
    | Next.EventFault _
    | Next.Blind _ -> next

let private step (r: Run) : Next list =
    let r = {
        r with
            State = { r.State with Reached = [] }
    }

    let asItIs () = byRule Machine.stepRule r

    match Machine.current r.State with
    // Whether a signature holds is the host's to say: the same of the same.
    | Some i when i.Opcode = Opcode.VERIFY_SIGNATURE -> asPureEvent i r
    | None -> asItIs ()
    | Some i when i.Opcode = Opcode.STATE_READ -> asItIs () |> List.map copied
    | Some i ->
        asItIs ()
        |> List.collect (fun next ->
            match next with
            | Next.Blind(_, blind) when isPure r.State i && not (pushesWhatCanChange r.State i) ->
                // From the beginning, knowing what this path has found out of kinds.
                asPureEvent i {
                    r with
                        State = {
                            r.State with
                                Rest.Knowledge = blind.State.Rest.Knowledge
                                Rest.Heap = blind.State.Heap
                        }
                }
            | Next.Blind _
            | Next.On _
            | Next.Fault _
            | Next.EventFault _ -> [ next ])

/// Decisions since a state that contradict one another or earlier ones: no execution goes there. Those made twice are made once.
let private feasible (before: State) (r: Run) : Run option =
    let count = r.State.Path.Length - before.Path.Length

    if count <= 0 then
        Some r
    else
        let fresh, earlier = List.splitAt count r.State.Path
        let known = HashSet<BoolTerm> earlier

        let rec add path conditions =
            match conditions with
            | [] -> Some path
            | condition :: rest ->
                if known.Contains(Equivalence.opposite condition) then None
                elif known.Add condition then add (condition :: path) rest
                else add path rest

        add earlier (List.rev fresh)
        |> Option.map (fun path -> {
            r with
                State = {
                    r.State with
                        Rest.Knowledge.Path = path
                }
        })

let private decided (r: Run) =
    r.State.Path.Length + r.State.Kinds.Count

/// None when the bound does not allow this turn.
let private turned
    (options: Options)
    (walk: Walk)
    (next: State)
    : Map<struct (int * int * int), struct (int * int)> option =
    let s = walk.Run.State
    let depth = next.Callers.Length

    let key =
        if depth = s.Callers.Length && next.Frame.Function = s.Frame.Function then
            if next.Frame.Instruction <= s.Frame.Instruction then
                Some(struct (depth, next.Frame.Function, next.Frame.Instruction))
            else
                None
        elif depth > s.Callers.Length then
            // A recursion, whatever its depth.
            Some(struct (-1, next.Frame.Function, 0))
        else
            None

    match key with
    | None -> Some walk.Turns
    | Some key ->
        let now = decided walk.Run

        let struct (last, turns) =
            Map.tryFind key walk.Turns |> Option.defaultValue (struct (now, 0))

        let turns = if now > last then turns + 1 else turns

        if turns > options.Unroll then
            None
        else
            Some(Map.add key (struct (now, turns)) walk.Turns)

let private tooLong options =
    $"more than {options.MostSteps} steps of the rules"

let private tooMany options = $"more than {options.MostPaths} paths"

/// Every path of a program, or as many as the options allow.
let private explore (options: Options) (cancel: CancellationToken) (onStep: unit -> unit) (loaded: Loaded) : Exit list =
    let exits = List<Exit>()
    let pending = Stack<Walk>()
    let mutable steps = 0

    pending.Push {
        Run = startOf (start loaded)
        Turns = Map.empty
    }

    while pending.Count > 0 do
        let walk = pending.Pop()
        cancel.ThrowIfCancellationRequested()
        steps <- steps + 1

        if steps &&& 0xff = 0 then
            onStep ()

        if steps > options.MostSteps then
            exits.Add(Exit.Stuck(tooLong options, walk.Run))
            pending.Clear()
        elif exits.Count + pending.Count > options.MostPaths then
            exits.Add(Exit.Stuck(tooMany options, walk.Run))
            pending.Clear()
        else
            let goOn isOpenFault (outcome: Outcome<unit>) (r: Run) =
                match feasible walk.Run.State r with
                | None -> ()
                | Some r ->
                    let outcome =
                        match outcome with
                        | Outcome.Ok((), _) -> Outcome.Ok((), r.State)
                        | Outcome.Fault(fault, value, _) -> Outcome.Fault(fault, value, r.State)
                        | Outcome.Opaque(operation, operands, _) -> Outcome.Opaque(operation, operands, r.State)

                    for step in Machine.finish outcome do
                        match step with
                        | Machine.Step.Running s ->
                            match turned options walk s with
                            | Some turns ->
                                pending.Push {
                                    Run = { r with State = s }
                                    Turns = turns
                                }
                            | None -> exits.Add(Exit.AtBound { r with State = s })
                        | Machine.Step.Finished(s, ending) ->
                            exits.Add(Exit.Ended(ending, isOpenFault, { r with State = s }))
                        | Machine.Step.Opaque(operation, _, s) ->
                            let instruction =
                                match Machine.current walk.Run.State with
                                | Some i ->
                                    i.Info.Mnemonic
                                    + $" (function {walk.Run.State.Frame.Function}, instruction {walk.Run.State.Frame.Instruction})"
                                | None -> "the end of the code"

                            exits.Add(
                                Exit.Stuck(
                                    $"{instruction} looks inside something unknown, or changes it (operation {operation})",
                                    { r with State = s }
                                )
                            )

            for next in step walk.Run do
                match next with
                | Next.On r -> goOn false (Outcome.Ok((), r.State)) r
                | Next.Fault(fault, value, r) -> goOn false (Outcome.Fault(fault, value, r.State)) r
                // Which fault it is stays open; that it can be caught is all that matters.
                | Next.EventFault(value, r) -> goOn true (Outcome.Fault(Fault.Thrown, value, r.State)) r
                | Next.Blind(operation, r) -> goOn false (Outcome.Opaque(operation, [], r.State)) r

    List.ofSeq exits

// Kinds: enumerated outside the solver.

let private kindNames = [ "Null"; "Bool"; "Int"; "Float"; "String"; "List"; "Map"; "Set"; "Function" ]
let private intTag = 2
let private stringTag = 4

let private tagsOf (r: Run) =
    r.State.Kinds |> Map.map (fun _ kind -> tagOf kind)

/// A scalar of a kind, by its symbol.
let private scalarKind tag symbol =
    match tag with
    | 0 -> Some Kind.Null
    | 1 -> Some(Kind.Bool(Bool.Symbolic(BoolTerm.Symbol symbol)))
    | 2 -> Some(Kind.Int(symbolic symbol))
    | 3 -> Some(Kind.Float(Float.Symbolic(FloatTerm.Symbol symbol)))
    | 4 -> Some(Kind.String(Str.Symbolic(StrTerm.Symbol symbol)))
    | _ -> None

let private isOfState (symbol: string) =
    symbol.StartsWith("state.", StringComparison.Ordinal)

/// One spelling of a value whose kind one side has asked for, and the other has not.
let private settle (tags: Map<string, int>) (heap: Heap) (value: Value) : Value =
    match value with
    | Value.Unknown symbol ->
        Map.tryFind symbol tags
        |> Option.bind (fun tag -> scalarKind tag symbol)
        |> Option.map Value.Of
        |> Option.defaultValue value
    | Value.Of kind ->
        match kind with
        | Kind.List address
        | Kind.Map address
        | Kind.Set address
        | Kind.Function address ->
            match Heap.find address heap with
            // What an event pushed is one thing, wherever it lives; of what the state held there are copies.
            | Cell.Unknown symbol when Map.containsKey symbol tags && not (isOfState symbol) -> Value.Unknown symbol
            | Cell.Unknown _
            | Cell.List _
            | Cell.Map _
            | Cell.Set _
            | Cell.Function _
            | Cell.Variable _ -> value
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _ -> value

// Agreement of two ends.

let rec private samePlain (a: Plain) (b: Plain) : Formula =
    let each items others =
        if List.length items = List.length others then
            List.map2 samePlain items others |> Formula.all
        else
            Formula.never

    match a, b with
    | Plain.Null, Plain.Null -> Formula.always
    | Plain.Bool p, Plain.Bool q -> Equivalence.sameBool p q
    | Plain.Int m, Plain.Int n -> Equivalence.sameInt m n
    | Plain.Float x, Plain.Float y -> Formula.sameFloat (Float.term x) (Float.term y)
    | Plain.String s, Plain.String t -> Equivalence.sameStr s t
    | Plain.List xs, Plain.List ys
    | Plain.Set xs, Plain.Set ys -> each xs ys
    | Plain.Map xs, Plain.Map ys ->
        Formula.all [
            each (List.map fst xs) (List.map fst ys)
            each (List.map snd xs) (List.map snd ys)
        ]
    | (Plain.Null | Plain.Bool _ | Plain.Int _ | Plain.Float _ | Plain.String _ | Plain.List _ | Plain.Map _ | Plain.Set _),
      _ -> Formula.never

/// What the state held under a key at the start, if that is a scalar of known kind. A Null may be no entry at all.
let private atStart (tags: Map<string, int>) key : Plain option =
    let symbol = "state." + Text.symbol key

    match Map.tryFind symbol tags |> Option.bind (fun tag -> scalarKind tag symbol) with
    | Some(Kind.Bool b) -> Some(Plain.Bool b)
    | Some(Kind.Int n) -> Some(Plain.Int n)
    | Some(Kind.Float x) -> Some(Plain.Float x)
    | Some(Kind.String s) -> Some(Plain.String s)
    | Some(Kind.Null | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _)
    | None -> None

let private formula f : Equivalence.Pairing -> Equivalence.Pairing = Equivalence.fact f

/// What Functions show of themselves.
let private sameFace (s: State) (t: State) (Address a) (Address b) =
    match Heap.find (Address a) s.Heap, Heap.find (Address b) t.Heap with
    | Cell.Function(f, _), Cell.Function(g, _) ->
        let one = s.Loaded.Functions[f].Definition
        let other = t.Loaded.Functions[g].Definition
        one.Name = other.Name && Seq.toList one.Captures = Seq.toList other.Captures
    | (Cell.List _ | Cell.Map _ | Cell.Set _ | Cell.Function _ | Cell.Variable _ | Cell.Unknown _), _ -> true

/// A comparison at a later time.
let private later
    (s: State)
    (t: State)
    (compare: Equivalence.Pairing -> Equivalence.Pairing)
    (before: Equivalence.Pairing)
    =
    let now = before |> pairedAgain s t |> compare
    Equivalence.expect (now.Forth |> Map.forall (fun a b -> sameFace s t (Address a) (Address b))) now

/// The events of two paths; `isWhole`: the paths are not only the beginnings of others.
let private compareEvents (options: Options) tags isWhole (a: Run) (b: Run) (c: Comparison) =
    if isWhole then
        c.Holds("the number of looks inside something unknown", a.Events.Length = b.Events.Length)

    if not isWhole || a.Events.Length = b.Events.Length then
        let both = min a.Events.Length b.Events.Length
        let first events = List.rev events |> List.truncate both

        for x, y in List.zip (first a.Events) (first b.Events) do
            let what = x.Instruction.Info.Mnemonic

            let named (e: Event) =
                match e.Instruction.Opcode with
                | Opcode.CALL_BUILTIN
                | Opcode.CALL_METHOD -> e.At.Loaded.Program.Names[e.Instruction.A], e.Instruction.B, 0
                | Opcode.GET_ATTR -> "", e.Instruction.A, e.Instruction.B
                | _ ->
                    "",
                    e.Instruction.A,
                    (if e.Instruction.Info.Operands.Length > 1 then
                         e.Instruction.B
                     else
                         0)

            let hasRegisters (e: Event) =
                e.Instruction.Info.Operands |> Array.exists (fun o -> o.Kind = OperandKind.Register)

            // A translation has the constants of its source.
            let namesTheSame =
                if hasRegisters x || hasRegisters y then
                    not options.IsTranslation || fixedOperandsOf x.Instruction = fixedOperandsOf y.Instruction
                else
                    named x = named y

            c.Holds(what + ": the same operation", meaningOf x.Instruction = meaningOf y.Instruction && namesTheSame)

            if options.IsTranslation then
                c.Holds(
                    what + ": for the same source",
                    x.Instruction.Source = y.Instruction.Source && x.Instruction.Rule = y.Instruction.Rule
                )

            let settled (e: Event) =
                e.Operands |> List.map (settle tags e.At.Heap)

            c.That(
                what + ": its operands",
                later
                    x.At
                    y.At
                    (Equivalence.pairEach (Equivalence.pairValue x.At.Heap y.At.Heap) (settled x) (settled y))
            )

            if not options.IgnoresGas then
                c.That(what + ": gas used", formula (Equivalence.sameInt x.At.GasUsed y.At.GasUsed))

let private compareEnds (options: Options) (tags: Map<string, int>) (a: Exit) (b: Exit) : Part list =
    let c = Comparison()
    let r, q = runOf a, runOf b
    let s, t = r.State, q.State

    let pair v w =
        later s t (Equivalence.pairValue s.Heap t.Heap (settle tags s.Heap v) (settle tags t.Heap w))

    compareEvents options tags true r q c

    if not options.IgnoresGas then
        compareTolls options.IsTranslation r q c
        c.That("gas used", formula (Equivalence.sameInt s.GasUsed t.GasUsed))

    match a, b with
    | Exit.Ended(Machine.Ending.Completed v, _, _), Exit.Ended(Machine.Ending.Completed w, _, _) ->
        c.That("the result", pair v w)
    | Exit.Ended(Machine.Ending.Faulted(f, v, rule, func, at), isOpen, _),
      Exit.Ended(Machine.Ending.Faulted(g, w, other, func', at'), isOpen', _) ->
        c.Holds($"the fault ({f.Name} and {g.Name})", (f = g && isOpen = isOpen'))
        c.That("the fault's value", pair v w)

        if options.IsTranslation then
            c.Holds("whose fault it is", ((rule, func, at) = (other, func', at')))
    | (Exit.Ended _ | Exit.AtBound _ | Exit.Stuck _), _ -> c.Holds("how it ends", false)

    c.Holds("the number of lines of output", s.Output.Length = t.Output.Length)

    if s.Output.Length = t.Output.Length then
        c.That("output", formula (List.map2 Equivalence.sameStr s.Output t.Output |> Formula.all))

    let plains what (xs: Plain list) (ys: Plain list) =
        c.Holds($"the number of {what} entries", xs.Length = ys.Length)

        if xs.Length = ys.Length then
            c.That(what, formula (List.map2 samePlain xs ys |> Formula.all))

    let entries (s: State) = [ for e in s.World.Ledger -> e.Entry ]
    let payloads (s: State) = [ for e in s.World.Events -> e.Payload ]
    let names (s: State) = [ for e in s.World.Events -> e.Name ]
    plains "ledger" (entries s) (entries t)
    plains "event" (payloads s) (payloads t)
    c.Holds("the names of events", (names s = names t))

    plains
        "audit"
        (s.Audit |> List.collect (fun e -> [ e.Data; e.Action ]))
        (t.Audit |> List.collect (fun e -> [ e.Data; e.Action ]))

    for key in Set.union (s.World.State |> Map.keys |> Set.ofSeq) (t.World.State |> Map.keys |> Set.ofSeq) do
        let held (state: State) =
            Map.tryFind key state.World.State |> Option.orElseWith (fun () -> atStart tags key)

        let same =
            match held s, held t with
            | Some p, Some q -> samePlain p q
            | None, None -> Formula.always
            | Some _, None
            | None, Some _ -> Formula.never

        c.That("state " + Text.quoted key, formula same)

    c.Parts

// The question to the solvers.

let private bounds (limits: Limits) (tags: Map<string, int>) (runs: Run list) : Formula list =
    let less a b = Formula.term (BoolTerm.IntLess(a, b))

    let atLeast n name =
        Formula.negate (less (IntTerm.Symbol name) (IntTerm.Constant n))

    let below n name =
        less (IntTerm.Symbol name) (IntTerm.Constant n)

    let word = 1I <<< 63
    let bound = 1I <<< limits.IntegerBits

    [
        atLeast 0I "gas_limit"
        below word "gas_limit"

        for name in [ "timestamp"; "height" ] do
            atLeast -word name
            below word name

        for KeyValue(symbol, tag) in tags do
            if tag = intTag then
                atLeast -bound symbol
                below bound symbol
            elif tag = stringTag then
                Formula.negate (
                    less (IntTerm.Constant(bigint limits.StringLength)) (IntTerm.Length(StrTerm.Symbol symbol))
                )
            elif tag > stringTag && isOfState symbol then
                atLeast 0I ("weight." + symbol)
    ]

let private compatible (tags: Map<string, int>) (r: Run) =
    tagsOf r
    |> Map.forall (fun symbol tag ->
        match Map.tryFind symbol tags with
        | Some known -> known = tag
        | None -> true)

/// Functions are no plain data; an event's result may be one.
let private tagsFor (symbol: string) =
    if isOfState symbol then [ 0..7 ] else [ 0..8 ]

/// A path of the first side with the kinds of everything that it or a path beside it has asked for, and the paths beside it.
let rec private classes (tags: Map<string, int>) (candidates: Exit list) : (Map<string, int> * Exit list) seq =
    seq {
        let candidates = candidates |> List.filter (runOf >> compatible tags)

        let asked =
            candidates
            |> Seq.collect (fun b -> (runOf b).State.Kinds |> Map.keys)
            |> Seq.tryFind (fun symbol -> not (Map.containsKey symbol tags))

        match asked with
        | None -> tags, candidates
        | Some symbol ->
            for tag in tagsFor symbol do
                yield! classes (Map.add symbol tag tags) candidates
    }

// Counterexamples.

let private vm = new ThreadLocal<Vm>(fun () -> new Vm())

/// What one start shows on both sides.
let private tryStart
    (options: Options)
    (left: Side)
    (right: Side)
    state
    (timestamp: int64)
    (height: int64)
    caller
    (limit: int64)
    =
    let context = {
        GasLimit = Int.Known(bigint limit)
        Timestamp = bigint timestamp
        Height = bigint height
        Caller = caller
        State = state |> Map.map (fun _ data -> Plain.ofData data)
        Host = Map.empty
        Entry = Entry.main
        VerifySignature = fun _ _ _ -> false
        Contract = ""
        Contracts = Map.empty
    }

    let given =
        VmOptions(
            GasLimit = limit,
            State = ImmutableDictionary.CreateRange(StringComparer.Ordinal, state |> Map.toSeq |> Seq.map KeyValuePair),
            Block = BlockContext(Timestamp = timestamp, Height = height, Caller = caller)
        )

    let observed (o: Observation.Observation) = {
        o with
            Source = if options.IsTranslation then o.Source else ""
            Gas = if options.IgnoresGas then 0I else o.Gas
    }

    {
        State = state
        Timestamp = timestamp
        Height = height
        Caller = caller
        GasLimit = limit
        OracleLeft = observed (Observation.ofOracle left.Oracle context)
        OracleRight = observed (Observation.ofOracle right.Oracle context)
        EngineLeft = observed (Observation.ofEngineUnder vm.Value left.Engine given)
        EngineRight = observed (Observation.ofEngineUnder vm.Value right.Engine given)
    }

/// For every start that is tried: the oracle takes a second for it.
let private generous = 1_000_000L

/// So much gas is tried from the start and to the end of what an execution takes.
let private closely = 150L

/// Gas limits worth trying, given what the whole takes: enough, and every shortage near both ends.
let private limitsToTry (used: bigint) : int64 seq =
    let used = int64 (bigint.Min(used, bigint generous))

    seq {
        yield! seq { 0L .. min used closely }
        yield! seq { max (closely + 1L) (used - closely) .. used }
    }

/// The first start that shows a difference; closely, if wanted, with gas that runs out here and there, too.
let private search options left right isClose (starts: seq<Map<string, Data> * int64 * int64 * string * int64 list>) =
    starts
    |> Seq.tryPick (fun (state, timestamp, height, caller, limits) ->
        let attempt limit =
            let c = tryStart options left right state timestamp height caller limit

            // Who leaves gas out has not said what happens without enough.
            let isShort =
                options.IgnoresGas
                && [ c.OracleLeft; c.OracleRight ]
                   |> List.exists (fun o -> o.End.StartsWith("fault " + Fault.OutOfGas.Name, StringComparison.Ordinal))

            if c.IsConfirmed && not isShort then Some c else None

        match attempt generous with
        | Some found -> Some found
        | None when options.IgnoresGas || not isClose -> None
        | None ->
            match limits |> List.tryPick attempt with
            | Some found -> Some found
            | None ->
                let whole = tryStart options left right state timestamp height caller generous
                limitsToTry whole.OracleLeft.Gas |> Seq.tryPick attempt)

let private wordOf (model: Map<string, string>) name =
    match Map.tryFind name model with
    | Some text -> int64 (bigint.Parse text)
    | None -> 0L

/// The start that a model speaks of: what its paths have read of the state, the block and the gas limit.
let private startsOf (keys: Map<string, string>) (tags: Map<string, int>) (model: Map<string, string>) =
    let kindSets = [|
        KindSet.Null
        KindSet.Bool
        KindSet.Int
        KindSet.Float
        KindSet.String
        KindSet.List
        KindSet.Map
        KindSet.Set
    |]

    let read = [
        for KeyValue(symbol, key) in keys do
            match Map.tryFind symbol tags with
            | Some tag when tag < kindSets.Length -> key, symbol, kindSets[tag]
            | Some _
            | None -> ()
    ]

    let caller =
        Map.tryFind "caller" model |> Option.map Replay.unescape |> Option.defaultValue ""

    let state values =
        // A Null is no entry: the two read alike.
        values |> List.filter (fun (_, data) -> data <> Data.Null) |> Map.ofList

    let ofModel =
        state [
            for key, symbol, kind in read -> key, Replay.dataOf (Replay.ofModel model kind symbol)
        ]

    let atEdges = [
        for edge in 0..3 ->
            state [
                for key, _, kind in read ->
                    let edges = Replay.edges kind
                    key, Replay.dataOf edges[edge % List.length edges]
            ]
    ]

    let limits = [
        match Map.tryFind "gas_limit" model with
        | Some text -> int64 (bigint.Min(bigint.Parse text, bigint generous))
        | None -> ()
    ]

    seq {
        yield ofModel, wordOf model "timestamp", wordOf model "height", caller, limits

        for state in atEdges do
            yield state, wordOf model "timestamp", wordOf model "height", caller, limits
    }

// Words.

let private decisionsInWords (keys: Map<string, string>) (r: Run) : string list = [
    for KeyValue(symbol, kind) in r.State.Kinds do
        let name =
            match Map.tryFind symbol keys with
            | Some key -> "state " + Text.quoted key
            | None -> symbol

        $"{name} is {kindNames[tagOf kind]}"
    for condition in List.rev r.State.Path do
        SmtLib.text (Formula.term condition)
]

/// Keys of the state that some path reads, by symbol.
let private keysRead (exits: Exit list) : Map<string, string> =
    let symbols =
        exits |> Seq.collect (fun exit -> (runOf exit).State.Kinds |> Map.keys) |> Set.ofSeq

    let decode (symbol: string) =
        let text = Text.StringBuilder()
        let mutable at = 0

        while at < symbol.Length do
            if symbol[at] = '$' && at + 4 < symbol.Length then
                text.Append(char (Convert.ToInt32(symbol.Substring(at + 1, 4), 16))) |> ignore
                at <- at + 5
            else
                text.Append symbol[at] |> ignore
                at <- at + 1

        text.ToString()

    symbols
    |> Seq.filter isOfState
    |> Seq.map (fun symbol -> symbol, decode (symbol.Substring "state.".Length))
    |> Map.ofSeq

/// Characters that SMT-LIB's strings do not have: nothing is proved of what they are equal to.
let private hasRareCharacters (loaded: Loaded) =
    let rec isRare (plain: Plain) =
        match plain with
        | Plain.String(Str.Known text) -> text.EnumerateRunes() |> Seq.exists (fun rune -> rune.Value > 0x2ffff)
        | Plain.List items
        | Plain.Set items -> List.exists isRare items
        | Plain.Map entries -> entries |> List.exists (fun (key, value) -> isRare key || isRare value)
        | Plain.String(Str.Symbolic _)
        | Plain.Null
        | Plain.Bool _
        | Plain.Int _
        | Plain.Float _ -> false

    Array.exists isRare loaded.Constants

/// What a run of the comparison tells while it is under way.
type Progress = {
    /// So many steps were made.
    OnSteps: int -> unit
    /// So many paths of so many were compared.
    OnPaths: int -> int -> unit
}

let silent = {
    OnSteps = ignore
    OnPaths = fun _ _ -> ()
}

let compare
    (options: Options)
    (ask: string -> Solver.Answer)
    (progress: Progress)
    (cancel: CancellationToken)
    (left: Side)
    (right: Side)
    : Report =
    let clock = Diagnostics.Stopwatch.StartNew()
    let mutable steps = 0
    let mutable queries = 0

    let onStep () =
        steps <- steps + 256
        progress.OnSteps steps

    let lefts = explore options cancel onStep left.Oracle
    let rights = explore options cancel onStep right.Oracle
    let keys = keysRead (lefts @ rights)
    let unsettled = List<Unsettled>()

    let giveUp side exit reason =
        unsettled.Add {
            Side = side
            Decisions = decisionsInWords keys (runOf exit)
            Reason = reason
        }

    let limits = left.Oracle.Limits

    /// One path against all that it can meet.
    let judge (a: Exit) : Counterexample option =
        let taken = decisionsOf (runOf a)

        rights
        |> List.filter (fun b -> not (isContradiction taken (runOf b)))
        |> classes (tagsOf (runOf a))
        |> Seq.tryPick (fun (tags, met) ->
            cancel.ThrowIfCancellationRequested()

            let agreed = [
                for b in met do
                    match b with
                    | Exit.Ended _ ->
                        let parts = compareEnds options tags a b
                        Formula.all [ conditions (runOf b); Formula.all (List.map snd parts) ]
                    // Whatever it goes on to; but its conditions speak of the same things only if it came to them alike.
                    | Exit.AtBound r ->
                        let c = Comparison()
                        compareEvents options tags false (runOf a) r c
                        Formula.all [ conditions r; Formula.all (List.map snd c.Parts) ]
                    // What was given up on is told apart below.
                    | Exit.Stuck(_, r) -> conditions r
            ]

            let claim =
                Formula.all [ conditions (runOf a); Formula.negate (Formula.any agreed) ]

            if Formula.isPlainlyFalse claim then
                None
            else
                let text, _ = query (bounds limits tags (runOf a :: List.map runOf met)) claim
                queries <- queries + 1

                match ask text with
                | Solver.Answer.Unsat -> None
                | Solver.Answer.Failed reason ->
                    giveUp left.Name a reason
                    None
                | Solver.Answer.Sat model ->
                    match search options left right true (startsOf keys tags model) with
                    | Some found -> Some found
                    | None ->
                        let what =
                            met
                            |> List.tryPick (fun b ->
                                match b with
                                | Exit.Ended _ ->
                                    compareEnds options tags a b
                                    |> List.tryFind (fun (_, f) -> f <> Formula.always)
                                    |> Option.map fst
                                | Exit.AtBound _
                                | Exit.Stuck _ -> None)
                            |> Option.defaultValue "no path of the other side meets it"

                        giveUp left.Name a ("a model that does not replay; what may differ: " + what)
                        None)

    if hasRareCharacters left.Oracle || hasRareCharacters right.Oracle then
        for exit in lefts do
            giveUp left.Name exit "a constant has a character above U+2FFFF, which the solvers' strings do not have"

    let isCut =
        unsettled.Count > 0
        || lefts @ rights
           |> List.exists (fun exit ->
               match exit with
               | Exit.Stuck(reason, _) -> reason = tooLong options || reason = tooMany options
               | Exit.Ended _
               | Exit.AtBound _ -> false)

    // Before the solvers: what two starts show.
    let first =
        search options left right false [ Map.empty, 0L, 0L, "", []; Map.empty, 1L, 1L, "a", [] ]

    let found =
        match first with
        | Some found -> Some found
        | None when isCut ->
            // Not all that the paths would have to meet is there.
            for exit in lefts do
                match exit with
                | Exit.Stuck(reason, _) -> giveUp left.Name exit reason
                | Exit.Ended _
                | Exit.AtBound _ -> ()

            None
        | None ->
            lefts
            |> Seq.indexed
            |> Seq.tryPick (fun (index, a) ->
                progress.OnPaths index lefts.Length

                match a with
                | Exit.Ended _ -> judge a
                | Exit.AtBound _ -> None
                | Exit.Stuck(reason, _) ->
                    giveUp left.Name a reason
                    None)

    if found.IsNone then
        for b in rights do
            match b with
            | Exit.Stuck(reason, _) -> giveUp right.Name b reason
            | Exit.Ended _
            | Exit.AtBound _ -> ()

    let atBound =
        lefts @ rights
        |> List.sumBy (fun exit ->
            match exit with
            | Exit.AtBound _ -> 1
            | Exit.Ended _
            | Exit.Stuck _ -> 0)

    {
        Verdict =
            match found with
            | Some counterexample -> Different counterexample
            | None when unsettled.Count > 0 -> Undecided(List.ofSeq unsettled)
            | None -> Equivalent
        Paths = lefts.Length, rights.Length
        AtBound = atBound
        Queries = queries
        Time = clock.Elapsed
    }
