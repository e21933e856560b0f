namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Collections.Immutable
open System.Text
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec

/// Ends an execution of the engine from within its hook.
exception private Stopped

[<RequireQualifiedAccess>]
module private Names =
    let private reasons = Dictionary<RefusalReason, string>()

    /// F#'s `string` of a union case goes through reflection, a thousand times slower than this.
    let reason (reason: RefusalReason) =
        match reasons.TryGetValue reason with
        | true, name -> name
        | false, _ ->
            let name = string reason
            reasons[reason] <- name
            name

/// Values of the two sides, as reports show them.
[<RequireQualifiedAccess>]
module internal Show =
    let private items (depth: int) (opening: string) (closing: string) (pieces: string seq) =
        if depth > 3 then
            opening + "…" + closing
        else
            opening + String.Join(", ", Seq.truncate 20 pieces) + closing

    let rec oracle (heap: Heap) (depth: int) (value: Value) : string =
        match Oracle.kind value with
        | Kind.Null -> "null"
        | Kind.Bool b -> Tree.show (Data.Bool(Oracle.knownBool b))
        | Kind.Int n -> Tree.show (Data.Int(Oracle.knownInt n))
        | Kind.Float x -> Tree.show (Data.Float(Oracle.knownFloat x))
        | Kind.String s -> Tree.quote (Oracle.knownText s)
        | Kind.List a
        | Kind.Map a
        | Kind.Set a
        | Kind.Function a ->
            let (Address number) = a
            let show = oracle heap (depth + 1)

            match Heap.find a heap with
            | Cell.List list -> $"@{number}" + items depth "[" "]" (list |> Seq.map show)
            | Cell.Map entries ->
                $"@{number}"
                + items depth "{" "}" (Entries.toList entries |> Seq.map (fun (k, v) -> show k + ": " + show v))
            | Cell.Set entries -> $"@{number}" + items depth "#{" "}" (Entries.toList entries |> Seq.map (fst >> show))
            | Cell.Function(index, captures) ->
                let captured =
                    captures
                    |> Seq.map (fun c ->
                        match Heap.find c heap with
                        | Cell.Variable v -> show v
                        | _ -> "?")

                $"@{number} function {index}" + items depth "(" ")" captured
            | Cell.Variable v -> show v
            | Cell.Unknown symbol -> symbol

    let rec engine (depth: int) (value: HeapValue) : string =
        match value.Kind with
        | ValueKind.Null -> "null"
        | ValueKind.Bool -> Tree.show (Data.Bool value.AsBool)
        | ValueKind.Int -> Tree.show (Data.Int value.AsInteger)
        | ValueKind.Float -> Tree.show (Data.Float value.AsFloat)
        | ValueKind.String -> Tree.quote value.AsString
        | kind ->
            let text = StringBuilder($"@{value.Identity:x}")

            if kind = ValueKind.Function then
                text.Append($" function {value.FunctionIndex}") |> ignore

            let count =
                if kind = ValueKind.Function then
                    value.CaptureCount
                else
                    value.Count

            text.Append(
                match kind with
                | ValueKind.List -> "["
                | ValueKind.Map -> "{"
                | ValueKind.Set -> "#{"
                | _ -> "("
            )
            |> ignore

            if depth > 3 then
                text.Append '…' |> ignore
            else
                for i in 0 .. min 20 count - 1 do
                    if i > 0 then
                        text.Append ", " |> ignore

                    if kind = ValueKind.Map then
                        text
                            .Append(engine (depth + 1) (value.Key i))
                            .Append(": ")
                            .Append(engine (depth + 1) (value.Value i))
                        |> ignore
                    elif kind = ValueKind.Function then
                        text.Append(engine (depth + 1) (value.Capture i)) |> ignore
                    else
                        text.Append(engine (depth + 1) (value.Item i)) |> ignore

            text
                .Append(
                    match kind with
                    | ValueKind.List -> "]"
                    | ValueKind.Map
                    | ValueKind.Set -> "}"
                    | _ -> ")"
                )
                .ToString()

    let rec result (depth: int) (value: ZexusValue) : string =
        let show = result (depth + 1)

        match value.Kind with
        | ValueKind.Null -> "null"
        | ValueKind.Bool -> Tree.show (Data.Bool value.AsBool)
        | ValueKind.Int -> Tree.show (Data.Int value.AsInteger)
        | ValueKind.Float -> Tree.show (Data.Float value.AsFloat)
        | ValueKind.String -> Tree.quote value.AsString
        | ValueKind.List -> items depth "[" "]" (value.Items |> Seq.map show)
        | ValueKind.Map -> items depth "{" "}" (value.Entries |> Seq.map (fun e -> show e.Key + ": " + show e.Value))
        | ValueKind.Set -> items depth "#{" "}" (value.Items |> Seq.map show)
        | _ -> $"function {value.FunctionIndex}" + items depth "(" ")" (value.Captures |> Seq.map show)

    let private mnemonic (loaded: Loaded) func instruction =
        let code = loaded.Functions[func].Code

        if instruction < code.Length then
            code[instruction].Info.Mnemonic
        else
            "the end of the code"

    let private page
        (loaded: Loaded)
        depth
        func
        instruction
        (gas: bigint)
        handlers
        transactions
        (stack: string)
        (variables: string)
        (registers: string)
        =
        let text = StringBuilder()

        text.Append(
            $"depth {depth}, function {func}, instruction {instruction} ({mnemonic loaded func instruction}), gas used {gas}"
        )
        |> ignore

        text.Append($", handlers {handlers}, open transactions {transactions}\n") |> ignore
        text.Append($"stack      {stack}\n") |> ignore

        if variables <> "" then
            text.Append($"variables  {variables}\n") |> ignore

        if registers <> "" then
            text.Append($"registers  {registers}\n") |> ignore

        text.ToString()

    let private variableName (loaded: Loaded) func i =
        let f = loaded.Functions[func].Definition
        (Array.concat [ f.Parameters; f.Locals; f.Captures ])[i]

    let slot (heap: Heap) (slot: Slot) =
        match slot with
        | Slot.Own value -> value
        | Slot.Shared address ->
            match Heap.find address heap with
            | Cell.Variable value -> value
            | _ -> invalidOp "A captured variable is no variable."

    let oracleState (s: State) =
        let show = oracle s.Heap 0
        let loaded = s.Loaded

        let stack =
            "[" + String.Join(", ", s.Frame.Stack |> List.rev |> List.map show) + "]"

        let variables =
            String.Join(
                ", ",
                [
                    for i in 0 .. s.Frame.Variables.Length - 1 ->
                        variableName loaded s.Frame.Function i + " = " + show (slot s.Heap s.Frame.Variables[i])
                ]
            )

        let registers =
            String.Join(
                ", ",
                [
                    for i in 0 .. s.Frame.Registers.Length - 1 do
                        let text = show s.Frame.Registers[i]

                        if text <> "null" then
                            $"r{i} = {text}"
                ]
            )

        page
            loaded
            s.Depth
            s.Frame.Function
            s.Frame.Instruction
            (Oracle.knownInt s.GasUsed)
            s.Frame.Handlers.Length
            s.Transactions.Length
            stack
            variables
            registers

    let engineState (loaded: Loaded) (view: MachineView) =
        let stack = ResizeArray<string>()

        for i in 0 .. view.StackHeight - 1 do
            stack.Add(engine 0 (view.Stack i))

        let variables = ResizeArray<string>()

        for i in 0 .. view.VariableCount - 1 do
            variables.Add(variableName loaded view.Function i + " = " + engine 0 (view.Variable i))

        let registers = ResizeArray<string>()

        for i in 0 .. Limits.Registers - 1 do
            let text = engine 0 (view.Register i)

            if text <> "null" then
                registers.Add $"r{i} = {text}"

        page
            loaded
            view.FrameDepth
            view.Function
            view.Instruction
            (bigint view.GasUsed)
            view.HandlerCount
            view.OpenTransactions
            ("[" + String.Join(", ", stack) + "]")
            (String.Join(", ", variables))
            (String.Join(", ", registers))

    let ending (state: State) (how: Machine.Ending) =
        match how with
        | Machine.Ending.Completed value -> "completed with " + oracle state.Heap 0 value
        | Machine.Ending.Faulted(fault, value, rule, func, at) ->
            $"{fault.Name} with {oracle state.Heap 0 value} in rule {rule}, function {func}, instruction {at}"

    let outcome (done': ExecutionResult) =
        if done'.IsCompleted then
            "completed with " + result 0 done'.Value
        else
            $"{done'.Fault.Name} with {result 0 done'.FaultValue}, function {done'.FaultFunction}, instruction {done'.FaultInstruction}"

/// Which part of the state the engine is given by a source that it asks, and not as a whole.
[<RequireQualifiedAccess>]
module internal Sourced =
    let isSourced (key: string) = key.StartsWith 'b'

    /// The whole state after an execution: what only the source has is in no result unless it was written.
    let after (case: Case) (result: ExecutionResult) : Map<string, Data> =
        let before =
            Map.ofArray [|
                for entry in case.State do
                    if isSourced entry.Key then
                        entry.Key, entry.Value
            |]

        result.State |> Seq.fold (fun state entry -> Map.add entry.Key entry.Value state) before

    /// Null when the state has no such part.
    let source (state: KeyValuePair<string, Data>[]) : IStateSource =
        match state |> Array.filter (fun entry -> isSourced entry.Key) with
        | [||] -> null
        | entries ->
            let entries = Dictionary<string, Data> entries

            {
                new IStateSource with
                    member _.TryRead(key, value) = entries.TryGetValue(key, &value)
            }

/// The contracts whose executions have begun within one of this contract, in that order.
[<Sealed>]
type internal Begun(own: string) =
    let ids = ResizeArray<string>()

    member _.Ids = ids

    member _.See(state: State) =
        let id = state.Context.Contract

        if id <> own && not (ids.Contains id) then
            ids.Add id

/// Everything that can be observed of two whole executions, but for the calls of the host.
[<RequireQualifiedAccess>]
module internal Outcomes =
    /// A value that leaves the machine, up to renaming of references.
    let private sameGraph
        (differ: string -> string -> string -> unit)
        (state: State)
        (what: string, value: Value, other: ZexusValue)
        =
        let forward = Dictionary<int, ZexusValue>()
        let backward = Dictionary<ZexusValue, int>(HashIdentity.Reference)
        let pending = Queue<struct (Value * ZexusValue)>()
        let mutable same = true

        let reference (Address a) (kind: ValueKind) (other: ZexusValue) =
            if other.Kind <> kind then
                false
            else
                match forward.TryGetValue a with
                | true, known -> Object.ReferenceEquals(known, other)
                | false, _ ->
                    if backward.ContainsKey other then
                        false
                    else
                        forward[a] <- other
                        backward[other] <- a

                        match Heap.find (Address a) state.Heap with
                        | Cell.List list ->
                            list.Count = other.Items.Count
                            && (let mutable i = 0

                                for item in list do
                                    pending.Enqueue(struct (item, other.Items[i]))
                                    i <- i + 1

                                true)
                        | Cell.Map entries ->
                            Entries.count entries = other.Entries.Count
                            && (Entries.toList entries
                                |> List.iteri (fun i (key, item) ->
                                    pending.Enqueue(struct (key, other.Entries[i].Key))
                                    pending.Enqueue(struct (item, other.Entries[i].Value)))

                                true)
                        | Cell.Set entries ->
                            Entries.count entries = other.Items.Count
                            && (Entries.toList entries
                                |> List.iteri (fun i (key, _) -> pending.Enqueue(struct (key, other.Items[i])))

                                true)
                        | Cell.Function(index, captures) ->
                            index = other.FunctionIndex
                            && captures.Length = other.Captures.Count
                            && (captures
                                |> List.iteri (fun i capture ->
                                    match Heap.find capture state.Heap with
                                    | Cell.Variable value -> pending.Enqueue(struct (value, other.Captures[i]))
                                    | _ -> invalidOp "A captured variable is no variable.")

                                true)
                        | Cell.Variable _
                        | Cell.Unknown _ -> false

        pending.Enqueue(struct (value, other))

        while same && pending.Count > 0 do
            let struct (value, other) = pending.Dequeue()

            same <-
                match Oracle.kind value with
                | Kind.Null -> other.Kind = ValueKind.Null
                | Kind.Bool b -> other.Kind = ValueKind.Bool && other.AsBool = Oracle.knownBool b
                | Kind.Int n -> other.Kind = ValueKind.Int && other.AsInteger = Oracle.knownInt n
                | Kind.Float x ->
                    other.Kind = ValueKind.Float
                    && BitConverter.DoubleToInt64Bits(Oracle.knownFloat x) =
                        BitConverter.DoubleToInt64Bits other.AsFloat
                | Kind.String s ->
                    other.Kind = ValueKind.String
                    && String.Equals(Oracle.knownText s, other.AsString, StringComparison.Ordinal)
                | Kind.List a -> reference a ValueKind.List other
                | Kind.Map a -> reference a ValueKind.Map other
                | Kind.Set a -> reference a ValueKind.Set other
                | Kind.Function a -> reference a ValueKind.Function other

        if not same then
            differ what (Show.oracle state.Heap 0 value) (Show.result 0 other)

    let private sameData (differ: string -> string -> string -> unit) (what: string, oracle: Data[], engine: Data[]) =
        if oracle.Length <> engine.Length then
            differ
                what
                $"{oracle.Length}: {Tree.show (Data.List oracle)}"
                $"{engine.Length}: {Tree.show (Data.List engine)}"
        else
            match Seq.tryFindIndex id (Seq.map2 (fun (a: Data) (b: Data) -> not (a.Equals b)) oracle engine) with
            | Some i -> differ $"{what}[{i}]" (Tree.show oracle[i]) (Tree.show engine[i])
            | None -> ()

    let compare
        (case: Case)
        (differ: string -> string -> string -> unit)
        (state: State)
        (how: Machine.Ending)
        (called: string seq)
        (result: ExecutionResult)
        : unit =
        match how with
        | Machine.Ending.Completed value ->
            if not result.IsCompleted then
                differ "outcome" "completed" result.Fault.Name
            else
                sameGraph differ state ("result", value, result.Value)
        | Machine.Ending.Faulted(fault, value, _, func, instruction) ->
            if result.IsCompleted then
                differ "outcome" fault.Name "completed"
            elif result.Fault <> fault then
                differ "fault" fault.Name result.Fault.Name
            else
                sameGraph differ state ("fault value", value, result.FaultValue)

                if func <> result.FaultFunction || instruction <> result.FaultInstruction then
                    differ
                        "fault source"
                        $"function {func}, instruction {instruction}"
                        $"function {result.FaultFunction}, instruction {result.FaultInstruction}"

        let gas = Oracle.knownInt state.GasUsed

        if gas <> bigint result.GasUsed then
            differ "gas" (string gas) (string result.GasUsed)

        let entry (key: string) (value: Data) = Data.List [| Data.String key; value |]

        sameData
            differ
            ("state",
             [| for e in state.World.State -> entry e.Key (Oracle.data e.Value) |],
             [| for e in Sourced.after case result -> entry e.Key e.Value |])

        for contract in case.Contracts do
            let before = Map.ofArray [| for e in contract.State -> e.Key, e.Value |]

            let oracle =
                match Map.tryFind contract.Id state.World.Called with
                | Some after -> after |> Map.map (fun _ value -> Oracle.data value)
                | None -> before

            let engine =
                match result.CalledWrites.TryGetValue contract.Id with
                | true, writes -> writes |> Seq.fold (fun after w -> Map.add w.Key w.Value after) before
                | false, _ -> before

            sameData
                differ
                ("state of " + contract.Id,
                 [| for e in oracle -> entry e.Key e.Value |],
                 [| for e in engine -> entry e.Key e.Value |])

        let list (ids: string seq) = String.Join(", ", ids)

        if list called <> list result.Called then
            differ "contracts called" (list called) (list result.Called)

        for id in result.CalledWrites.Keys do
            if not (Map.containsKey id state.World.Called) then
                differ ("state of " + id) "not called" "written"

        sameData
            differ
            ("ledger",
             [|
                 for e in List.rev state.World.Ledger -> entry e.Contract (Oracle.data e.Entry)
             |],
             [| for e in result.Ledger -> entry e.Contract e.Entry |])

        sameData
            differ
            ("events",
             [|
                 for e in List.rev state.World.Events -> entry (e.Contract + ": " + e.Name) (Oracle.data e.Payload)
             |],
             [| for e in result.Events -> entry (e.Contract + ": " + e.Name) e.Payload |])

        sameData
            differ
            ("audit",
             [|
                 for a in List.rev state.Audit ->
                     entry a.Contract (Data.List [| Oracle.data a.Data; Oracle.data a.Action; Data.Int a.Timestamp |])
             |],
             [|
                 for a in result.Audit -> entry a.Contract (Data.List [| a.Data; a.Action; Data.Int a.Timestamp |])
             |])

        let output = Machine.output state

        if not (String.Equals(output, result.Output, StringComparison.Ordinal)) then
            differ "output" (Tree.quote output) (Tree.quote result.Output)

/// A call of the host.
type internal HostCall = { Name: string; Arguments: Data[] }

/// What facts of the kind analysis are about.
[<RequireQualifiedAccess>]
module internal Found =
    let private smallest = bigint Int64.MinValue
    let private largest = bigint Int64.MaxValue

    let kindOf (value: Value) : KindSet =
        match Oracle.kind value with
        | Kind.Null -> KindSet.Null
        | Kind.Bool _ -> KindSet.Bool
        | Kind.Int _ -> KindSet.Int
        | Kind.Float _ -> KindSet.Float
        | Kind.String _ -> KindSet.String
        | Kind.List _ -> KindSet.List
        | Kind.Map _ -> KindSet.Map
        | Kind.Set _ -> KindSet.Set
        | Kind.Function _ -> KindSet.Function

    let isSmall (value: Value) =
        match Oracle.kind value with
        | Kind.Int n ->
            let n = Oracle.knownInt n
            smallest <= n && n <= largest
        | _ -> true

/// Which branches a step counts for.
[<RequireQualifiedAccess>]
module internal Reached =
    let private faults =
        Reflection.FSharpType.GetUnionCases typeof<Fault>
        |> Seq.map (fun c -> Machine.branchOfFault (Reflection.FSharpValue.MakeUnion(c, [||]) :?> Fault))
        |> HashSet

    /// The rules of translated code speak in the name of the source instruction that they act for. A LOAD_CONST in the place of an
    /// ADD has entered no branch of ADD but those of its charges: what it has entered counts for LOAD_CONST. Faults are the source's.
    let private acting (coverage: Coverage) (instruction: LoadedInstruction) (branches: Branch list) =
        let own = instruction.Info.Rule
        let mutable isOutOfGas = false

        for rule, name in branches do
            isOutOfGas <- isOutOfGas || name = "out-of-gas"

            if rule = instruction.Rule && name <> "entered" && not (faults.Contains name) then
                coverage.Reach((own, name))
            else
                coverage.Reach((rule, name))

        if not isOutOfGas then
            coverage.Reach((own, "entered"))

    let count (coverage: Coverage) (instruction: LoadedInstruction option) (branches: Branch list) =
        match instruction with
        | Some instruction when not (String.Equals(instruction.Rule, instruction.Info.Rule)) ->
            acting coverage instruction branches
        | Some _
        | None ->
            for branch in branches do
                coverage.Reach branch

/// Plays the oracle along with one execution of the engine. Before each step of the engine the oracle has done the step
/// before, and the two states must be the same; references are the same through a bijection that lasts for the run.
/// The code is that of a level: the source's own, or its translation.
[<Sealed; AllowNullLiteral>]
type internal Comparer
    (
        case: Case,
        contracts: Map<string, Zexus.Spec.Contract>,
        loaded: Loaded,
        level: int,
        facts: int -> ImmutableArray<InstructionFacts>,
        counts: LevelCounts
    ) =
    /// Longer text is compared only when it is new on the stack, and now and then.
    let longText = 256
    let isRegisterForm = Levels.isRegisterForm level
    /// Elements of collections looked at in one step.
    let budgetOfStep = 400
    let budgetOfCheckpoint = 5000
    /// Of each contract that executes, the innermost on top: a reference of one is none of another's, and where the engine had an object of one
    /// that has ended, another can have its own.
    let references = Stack<struct (Dictionary<int, int64> * Dictionary<int64, int>)>()
    let visited = HashSet<int>()
    let differences = ResizeArray<Difference>()
    let calls = Queue<struct (string * Data[] * Result<Data, Data>)>()
    /// All calls of the host that the oracle has made.
    let made = ResizeArray<HostCall>()
    let begun = Begun case.Contract

    let answer (f: Zexus.Differential.HostFunction) (_: int) (arguments: Data[]) =
        let shown () =
            f.Name + Tree.show (Data.List arguments)

        made.Add { Name = f.Name; Arguments = arguments }

        match calls.TryDequeue() with
        | true, struct (name, given, outcome) ->
            if
                name <> f.Name
                || given.Length <> arguments.Length
                || not (Array.forall2 (fun (a: Data) b -> a.Equals b) given arguments)
            then
                differences.Add {
                    What = "host call"
                    Oracle = shown ()
                    Engine = name + Tree.show (Data.List given)
                }

            outcome
        | false, _ ->
            differences.Add {
                What = "host call"
                Oracle = shown ()
                Engine = "no call"
            }

            Ok Data.Null

    let mutable state = Machine.start loaded (Oracle.context case contracts answer)
    let mutable before = state
    let mutable ending: Machine.Ending voption = ValueNone
    let mutable steps = 0L
    let mutable divergence: Divergence voption = ValueNone
    let mutable left = 0
    let mutable started = false

    let differ what oracle engine =
        differences.Add {
            What = what
            Oracle = oracle
            Engine = engine
        }

    /// `stack[2].item`; -2 for a global.
    let inside (where: string) (index: int) (part: string) =
        (if index >= 0 then $"{where}[{index}]"
         elif index = -2 then "global " + where
         else where)
        + part

    /// References of the two sides belong together.
    let paired (a: int) (identity: int64) =
        let struct (toEngine, toOracle) = references.Peek()

        match toEngine.TryGetValue a with
        | true, known -> known = identity
        | false, _ ->
            if toOracle.ContainsKey identity then
                false
            else
                toEngine[a] <- identity
                toOracle[identity] <- a
                true

    let diverge trouble engine =
        let where = before.Frame

        divergence <-
            ValueSome {
                Trouble = trouble
                Level = level
                Step = steps
                Rule = state.Rule
                Function = where.Function
                Instruction = where.Instruction
                Differences = differences.ToArray()
                Before = if steps = 0L then "" else Show.oracleState before
                Oracle =
                    (match ending with
                     | ValueNone -> Show.oracleState state
                     | ValueSome how -> Show.ending state how)
                Engine = engine
                Code = ""
            }

    /// The rule of the instruction that comes next.
    let nextRule () =
        match Machine.current state with
        | Some i -> i.Rule
        | None -> Machine.EndRule

    member _.Steps = steps
    member _.Divergence = divergence
    member _.Ending = ending
    member _.State = state
    member _.Calls = made
    member _.Begun: string seq = begun.Ids

    /// The engine called the host.
    member _.Called(name: string, arguments: Data[], outcome: Result<Data, Data>) =
        calls.Enqueue(struct (name, arguments, outcome))

    /// Is it the same value? Contents of collections are another matter.
    member private _.Same(value: Value, other: HeapValue, whole: bool) : bool =
        match Oracle.kind value with
        | Kind.Null -> other.Kind = ValueKind.Null
        | Kind.Bool b -> other.Kind = ValueKind.Bool && other.AsBool = Oracle.knownBool b
        | Kind.Int n ->
            other.Kind = ValueKind.Int
            && (let n = Oracle.knownInt n
                let mutable small = 0L

                if other.TryGetInt64(&small) then
                    n = bigint small
                else
                    n = other.AsInteger)
        | Kind.Float x ->
            other.Kind = ValueKind.Float
            && BitConverter.DoubleToInt64Bits(Oracle.knownFloat x) = BitConverter.DoubleToInt64Bits other.AsFloat
        | Kind.String s ->
            other.Kind = ValueKind.String
            && (let s = Oracle.knownText s
                (s.Length > longText && not whole) || other.StringEquals s)
        | Kind.List(Address a) -> other.Kind = ValueKind.List && paired a other.Identity
        | Kind.Map(Address a) -> other.Kind = ValueKind.Map && paired a other.Identity
        | Kind.Set(Address a) -> other.Kind = ValueKind.Set && paired a other.Identity
        | Kind.Function(Address a) -> other.Kind = ValueKind.Function && paired a other.Identity

    member private this.Compare(what: string, index: int, value: Value, other: HeapValue, whole: bool) =
        // By far the most: registers and locals that nothing has been put into.
        let areEmpty =
            Object.ReferenceEquals(value, Value.nothing) && other.Kind = ValueKind.Null

        if not areEmpty && not (this.Same(value, other, whole)) then
            differ (inside what index "") (Show.oracle state.Heap 0 value) (Show.engine 0 other)

    /// The same for something that a collection holds; the names are put together only when there is something to say.
    member private this.CompareInside
        (where: string, index: int, part: string, position: int, value: Value, other: HeapValue, whole: bool)
        =
        if not (this.Same(value, other, whole)) then
            differ (inside where index part + $"[{position}]") (Show.oracle state.Heap 0 value) (Show.engine 0 other)

    /// The contents of what the two sides refer to, as deep as asked and as far as the budget goes.
    member private this.Inside(where: string, index: int, value: Value, other: HeapValue, depth: int) : unit =
        match Oracle.kind value with
        | Kind.List a
        | Kind.Map a
        | Kind.Set a
        | Kind.Function a ->
            let (Address number) = a

            if left > 0 && differences.Count = 0 && visited.Add number then
                match Heap.find a state.Heap with
                | Cell.List list ->
                    left <- left - 1 - list.Count

                    if list.Count <> other.Count then
                        differ (inside where index ".count") (string list.Count) (string other.Count)
                    else
                        let mutable i = 0

                        for item in list do
                            if i < 200 then
                                this.CompareInside(where, index, ".item", i, item, other.Item i, true)

                                if depth > 0 && differences.Count = 0 then
                                    this.Inside(where, index, item, other.Item i, depth - 1)

                                i <- i + 1
                | Cell.Map entries
                | Cell.Set entries ->
                    let isMap = other.Kind = ValueKind.Map
                    let count = Entries.count entries
                    left <- left - 1 - count

                    if count <> other.Count then
                        differ (inside where index ".count") (string count) (string other.Count)
                    else
                        let mutable i = 0

                        for key, item in Entries.toList entries do
                            if i < 200 then
                                this.CompareInside(
                                    where,
                                    index,
                                    ".key",
                                    i,
                                    key,
                                    (if isMap then other.Key i else other.Item i),
                                    true
                                )

                                if isMap then
                                    this.CompareInside(where, index, ".value", i, item, other.Value i, true)

                                    if depth > 0 && differences.Count = 0 then
                                        this.Inside(where, index, item, other.Value i, depth - 1)

                                i <- i + 1
                | Cell.Function(index, captures) ->
                    left <- left - 1 - captures.Length

                    if index <> other.FunctionIndex then
                        differ (inside where index ".function") (string index) (string other.FunctionIndex)
                    elif captures.Length <> other.CaptureCount then
                        differ (inside where index ".captures") (string captures.Length) (string other.CaptureCount)
                    else
                        let mutable i = 0

                        for capture in captures do
                            match Heap.find capture state.Heap with
                            | Cell.Variable value ->
                                this.CompareInside(where, index, ".capture", i, value, other.Capture i, true)

                                if depth > 0 && differences.Count = 0 then
                                    this.Inside(where, index, value, other.Capture i, depth - 1)
                            | _ -> differ (inside where index ".capture") "no variable" ""

                            i <- i + 1
                | Cell.Variable _
                | Cell.Unknown _ -> differ (inside where index "") "no collection" (Show.engine 0 other)
        | _ -> ()

    /// The engine's state as a report shows it.
    member private _.Shown(view: MachineView) =
        if view.ContractDepth = 0 then
            Show.engineState loaded view
        else
            match Map.tryFind view.Contract contracts with
            | Some contract -> $"contract {Tree.quote view.Contract}, " + Show.engineState contract.Loaded view
            | None -> $"contract {Tree.quote view.Contract}"

    /// The two states; `contents`: how deep to look into collections, -1 for not at all.
    member private this.CompareStates(view: MachineView, contents: int, globals: bool) =
        let frame = state.Frame

        if state.Context.Contract <> view.Contract then
            differ "contract" (Tree.quote state.Context.Contract) (Tree.quote view.Contract)

        if state.Waiting.Length <> view.ContractDepth then
            differ "waiting contracts" (string state.Waiting.Length) (string view.ContractDepth)

        if state.Depth <> view.FrameDepth then
            differ "depth" (string state.Depth) (string view.FrameDepth)

        if frame.Function <> view.Function then
            differ "function" (string frame.Function) (string view.Function)

        if frame.Instruction <> view.Instruction then
            differ "instruction" (string frame.Instruction) (string view.Instruction)

        if differences.Count = 0 then
            let gas = Oracle.knownInt state.GasUsed

            if gas <> bigint view.GasUsed then
                differ "gas" (string gas) (string view.GasUsed)

            if frame.Height <> view.StackHeight then
                differ "stack height" (string frame.Height) (string view.StackHeight)
            else
                let mutable rest = frame.Stack
                let mutable i = frame.Height - 1

                while i >= 0 && not rest.IsEmpty do
                    this.Compare("stack", i, rest.Head, view.Stack i, (i = frame.Height - 1) || contents > 0)
                    rest <- rest.Tail
                    i <- i - 1

                if i >= 0 || not rest.IsEmpty then
                    differ
                        "stack height"
                        $"{frame.Stack.Length} cells at height {frame.Height}"
                        (string view.StackHeight)

            if frame.Variables.Length <> view.VariableCount then
                differ "variables" (string frame.Variables.Length) (string view.VariableCount)
            else
                for i in 0 .. frame.Variables.Length - 1 do
                    this.Compare("variable", i, Show.slot state.Heap frame.Variables[i], view.Variable i, contents > 0)

            for i in 0 .. frame.Registers.Length - 1 do
                this.Compare("register", i, frame.Registers[i], view.Register i, contents > 0)

            if frame.Handlers.Length <> view.HandlerCount then
                differ "handlers" (string frame.Handlers.Length) (string view.HandlerCount)

            if state.Transactions.Length <> view.OpenTransactions then
                differ "open transactions" (string state.Transactions.Length) (string view.OpenTransactions)

            if globals && differences.Count = 0 then
                for entry in state.Globals do
                    this.Compare(entry.Key, -2, entry.Value, view.Global entry.Key, true)

            if contents >= 0 && differences.Count = 0 then
                visited.Clear()
                left <- if contents > 0 then budgetOfCheckpoint else budgetOfStep
                let mutable rest = frame.Stack
                let mutable i = frame.Height - 1

                while i >= 0 && left > 0 do
                    this.Inside("stack", i, rest.Head, view.Stack i, contents)
                    rest <- rest.Tail
                    i <- i - 1

                for i in 0 .. frame.Variables.Length - 1 do
                    this.Inside("variable", i, Show.slot state.Heap frame.Variables[i], view.Variable i, contents)

                for i in 0 .. frame.Registers.Length - 1 do
                    this.Inside("register", i, frame.Registers[i], view.Register i, contents)

                if globals then
                    for entry in state.Globals do
                        this.Inside(entry.Key, -2, entry.Value, view.Global entry.Key, contents)

    /// The oracle's next step. False when that was its last, or there is something wrong already.
    member private _.Advance() =
        before <- state
        let instruction = Machine.current state

        match Machine.step state with
        | Machine.Step.Running next -> state <- next
        | Machine.Step.Finished(next, how) ->
            state <- next
            ending <- ValueSome how
        | Machine.Step.Opaque(operation, _, _) -> invalidOp $"The operation {operation} on known values is opaque."

        steps <- steps + 1L
        begun.See state

        match instruction with
        | Some i when isRegisterForm && i.Info.Operands |> Array.exists (fun o -> o.Kind = OperandKind.Register) ->
            counts.RegisterSteps <- counts.RegisterSteps + 1L
        | Some _
        | None -> ()

        Reached.count counts.Coverage instruction state.Reached

        if calls.Count > 0 then
            let struct (name, arguments, _) = calls.Dequeue()
            calls.Clear()
            differ "host call" "no call" (name + Tree.show (Data.List arguments))

    /// The engine is about to take a step.
    member this.Before(view: MachineView) : unit =
        if started then
            try
                this.Advance()
            with
            | Stopped -> reraise ()
            | error ->
                diverge Trouble.Oracle (error.GetType().Name + ": " + error.Message)
                raise Stopped

            if differences.Count > 0 then
                diverge Trouble.Host (this.Shown view)
                raise Stopped

            if ending.IsSome then
                differ "end" "has ended" "goes on"
                diverge Trouble.End (this.Shown view)
                raise Stopped

        started <- true

        while references.Count > view.ContractDepth + 1 do
            references.Pop() |> ignore

        while references.Count <= view.ContractDepth do
            references.Push(struct (Dictionary(), Dictionary()))

        let heapChanged = not (Object.ReferenceEquals(before.Heap, state.Heap))
        let globalsChanged = not (Object.ReferenceEquals(before.Globals, state.Globals))
        let checkpoint = steps &&& 63L = 40L

        this.CompareStates(
            view,
            (if checkpoint then 40
             elif heapChanged then 0
             else -1),
            checkpoint || globalsChanged
        )

        if differences.Count > 0 then
            diverge Trouble.Step (this.Shown view)
            raise Stopped

        this.CheckFacts()

        if differences.Count > 0 then
            diverge Trouble.Fact ""
            raise Stopped

    member private _.CheckFact(where: string, index: int, value: Value, fact: KindFact) =
        let kind = Found.kindOf value

        if fact.Kinds &&& kind = KindSet.None then
            differ (inside where index "") (Show.oracle state.Heap 0 value) (string fact.Kinds)
        elif fact.IsSmall && kind = KindSet.Int && not (Found.isSmall value) then
            differ (inside where index "") (Show.oracle state.Heap 0 value) "an Int of at most 64 bits"

    /// Are the values what the kind analysis says before the next instruction?
    member private this.CheckFacts() =
        let frame = state.Frame

        let known =
            if state.Waiting.IsEmpty then
                facts frame.Function
            else
                ImmutableArray.Empty

        if frame.Instruction < known.Length then
            let known = known[frame.Instruction]
            counts.Facts <- counts.Facts + int64 (known.Stack.Length + known.Frame.Length)

            if not known.IsReached then
                differ "reached" "control comes here" "no path leads here"

            // From the top down, as the oracle's stack is.
            let mutable rest = frame.Stack
            let mutable cell = frame.Height - 1

            for fact in known.Stack do
                match fact.Place with
                | :? Place.Stack as place ->
                    while cell > place.Cell do
                        rest <- rest.Tail
                        cell <- cell - 1

                    this.CheckFact("stack", cell, rest.Head, fact)
                | other -> invalidOp $"A fact about {other} is among those about the stack."

            for fact in known.Frame do
                match fact.Place with
                | :? Place.Variable as place ->
                    this.CheckFact("variable", place.Slot, Show.slot state.Heap frame.Variables[place.Slot], fact)
                | :? Place.Register as place ->
                    this.CheckFact("register", place.Number, frame.Registers[place.Number], fact)
                | other -> invalidOp $"A fact about {other} is among those about the frame."

    /// The engine threw.
    member _.Threw(error: exn) =
        if divergence.IsNone then
            before <- state
            differ (error.GetType().Name) "no exception" error.Message
            diverge Trouble.Engine (error.ToString())

            divergence <- divergence |> ValueOption.map (fun d -> { d with Rule = nextRule () })

    /// The engine has ended.
    member this.Ended(result: ExecutionResult) : unit =
        let shown = Show.outcome result

        try
            this.Advance()
        with error ->
            diverge Trouble.Oracle (error.GetType().Name + ": " + error.Message)

        if divergence.IsNone then
            if differences.Count > 0 then
                diverge Trouble.Host shown
            else
                match ending with
                | ValueNone ->
                    differ "end" "goes on" "has ended"
                    diverge Trouble.End shown
                | ValueSome how ->
                    Outcomes.compare case differ state how begun.Ids result

                    if result.Steps <> steps then
                        differ "steps" (string steps) (string result.Steps)

                    if differences.Count > 0 then
                        diverge Trouble.End shown

/// What the engine calls before each step.
[<Struct>]
type internal Hook(comparer: Comparer) =
    interface IStepHook with
        member _.BeforeStep(view: inref<MachineView>) = comparer.Before view

/// The oracle's execution of a program as it is: what every level is held to.
type internal SourceRun = {
    State: State
    Ending: Machine.Ending
    Begun: string seq
    Calls: ResizeArray<HostCall>
}

/// The code of one level, loaded on both sides.
type internal Code = {
    Level: int
    Image: ZexusProgram
    Loaded: Loaded
    /// Of a register form: what became of each function.
    Conversions: ImmutableArray<FunctionConversion>
    /// Asked for only where the oracle runs this code.
    Facts: Lazy<int -> ImmutableArray<InstructionFacts>>
    /// The code as a report shows it.
    Listing: Lazy<string>
}

/// What the program of a case can call, on the engine, and their programs.
type internal CalledCode = {
    Contracts: Contracts
    Images: ResizeArray<ZexusProgram>
}

/// What the program of a case can call, on both sides.
type internal LoadedContracts = {
    Given: CaseContract[]
    Limits: Limits
    Oracle: Map<string, Zexus.Spec.Contract>
    /// By level: their code is that of the program's level.
    Engine: CalledCode option[]
}

/// Checks cases: loads each on both sides, runs it at each level of a plan, compares everything that can be observed.
/// Keeps one engine for all of them, so that what an execution leaves behind is checked as well.
[<Sealed>]
type LockStep(engine: Engine) =
    let mutable vm = new Vm()

    /// A program that allocates much is not collected at each allocation to its end.
    let forced =
        CollectionOptions(Stress = true, StressCollections = 200, Verify = true)

    /// The same with cells left between two collections, for compiled code to take by itself.
    let forcedInRuns =
        CollectionOptions(Stress = true, StressCollections = 200, StressRun = 4, Verify = true)

    /// In lock step a cell is known by its address, which no other may have after it.
    let uncollected = CollectionOptions(FirstTriggerBytes = (1L <<< 40))

    /// So few programs that what is compiled goes while others run, and is made anew.
    let cache = JitCache(maximumPrograms = 12)

    /// Everything becomes threaded code before its first run, its second or its third.
    let threads = [|
        for threshold in 0..2 ->
            ThreadedOptions(CallThreshold = threshold, LoopThreshold = threshold, CountExecutions = true)
    |]

    /// One case in four runs without threaded code; compiled code goes with any of these.
    let threadsFor (case: Case) (level: int) =
        let turn = (uint64 case.GasLimit * 0x9E3779B97F4A7C15UL >>> 40) + uint64 level

        match int (turn % 4UL) with
        | 3 -> null
        | threshold -> threads[threshold]

    /// What the compiler, and what makes threaded code, has said of a program so far: only what is new is counted.
    let told =
        System.Runtime.CompilerServices.ConditionalWeakTable<ZexusProgram, Dictionary<obj, Dictionary<string, int64>>>()

    let mutable contracts = {
        Given = [||]
        Limits = Limits.Default
        Oracle = Map.empty
        Engine = Array.create Levels.count None
    }

    // A case runs again with less gas: then its code is there already.
    let mutable program: Program voption = ValueNone
    let mutable limits = Limits.Default
    let mutable codes: Code option[] = [||]
    /// By the optimizer's level: a register form is made of the same.
    let mutable optimized: OptimizationResult option[] = [||]

    let optimize (source: Code) (level: int) =
        match optimized[level] with
        | Some result -> result
        | None ->
            let result = engine.Optimize source.Image level
            optimized[level] <- Some result
            result

    /// Code of another level that is the same: it is loaded already.
    let twinOf (program: TranslatedProgram) =
        codes
        |> Array.tryPick (fun code ->
            match code with
            | Some code when not (isNull code.Image.Translation) && Translated.areSame code.Image.Translation program ->
                Some code
            | Some _
            | None -> None)

    let refused (refusal: Refusal) =
        $"{refusal.Reason} (function {refusal.Function}, index {refusal.Index})"

    let stillborn case reason divergence = {
        Case = case
        Refusal = Some reason
        Fault = ""
        Used = 0L
        Divergence = divergence
    }

    let disagree what oracle engine =
        Some {
            Divergence.bare Trouble.Refusal "" with
                Level = 0
                Rule = "validation"
                Differences = [|
                    {
                        What = what
                        Oracle = oracle
                        Engine = engine
                    }
                |]
        }

    let threw trouble level (error: exn) = {
        Divergence.bare trouble (error.ToString()) with
            Level = level
    }

    let entry (case: Case) = EntryCall(case.Entry, case.Arguments)

    /// Made once for the runs of a case.
    let contractsOf (case: Case) : LoadedContracts =
        if not (Object.ReferenceEquals(contracts.Given, case.Contracts) && contracts.Limits = case.Limits) then
            contracts <- {
                Given = case.Contracts
                Limits = case.Limits
                Oracle = Oracle.contracts case
                Engine = Array.create Levels.count None
            }

        contracts

    /// Their programs in the code of a level, as the engine calls them.
    let callable (case: Case) (level: int) : CalledCode =
        let loaded = contractsOf case

        match loaded.Engine[level] with
        | Some made -> made
        | None ->
            let made = {
                Contracts = Contracts()
                Images = ResizeArray()
            }

            for contract in case.Contracts do
                let mutable image = null
                let mutable refusal = Unchecked.defaultof<Refusal>
                let loads = ZexusProgram.TryLoad(contract.Program, case.Limits, &image, &refusal)

                if loads <> Map.containsKey contract.Id loaded.Oracle then
                    invalidOp $"only one side loads the program of contract {contract.Id}"

                if loads then
                    let code =
                        if level = 0 then
                            image
                        else
                            let optimized = (engine.Optimize image (Levels.optimization level)).Program

                            let program =
                                if Levels.isRegisterForm level then
                                    (engine.Convert optimized).Program
                                else
                                    optimized

                            ZexusProgram.Load(program, case.Limits)

                    made.Images.Add code

                    made.Contracts.Add(
                        contract.Id,
                        Contract(code, StateInMemory(Dictionary<string, Data> contract.State))
                    )
                    |> ignore

            loaded.Engine[level] <- Some made
            made

    let options
        (case: Case)
        (callable: Contracts)
        (collection: CollectionOptions)
        (jit: JitOptions)
        (threaded: ThreadedOptions)
        (called: string -> Data[] -> Result<Data, Data> -> unit)
        =
        let host = HostFunctions()

        for f in case.Hosts do
            host.Register(
                f.Name,
                f.Arity,
                f.Gas,
                HostEffects.None,
                HostInvoke(fun arguments ->
                    let arguments = arguments.ToArray()
                    let outcome = Host.call case.Limits f arguments
                    called f.Name arguments outcome

                    match outcome with
                    | Ok data -> Zexus.Vm.HostOutcome.Returned data
                    | Error data -> Zexus.Vm.HostOutcome.Thrown data)
            )
            |> ignore

        VmOptions(
            GasLimit = case.GasLimit,
            Block =
                BlockContext(
                    Timestamp = bigint case.Block.Timestamp,
                    Height = bigint case.Block.Height,
                    Caller = case.Block.Caller
                ),
            State = Dictionary<string, Data>(case.State |> Array.filter (fun e -> not (Sourced.isSourced e.Key))),
            Source = Sourced.source case.State,
            Host = host,
            Collection = collection,
            Jit = jit,
            JitCache = cache,
            Threaded = threaded,
            Contract = case.Contract,
            Contracts = callable
        )

    /// More registers than the converter needs are not used by the function itself, and yet it says that there are too few.
    let isUnexpected (program: TranslatedProgram) (conversions: ImmutableArray<FunctionConversion>) =
        let own (f: TranslatedFunction) =
            seq {
                for i in f.Code do
                    for operand, value in Seq.zip (InstructionSet.Of i.Opcode).Operands [ i.A; i.B; i.C ] do
                        if operand.Kind = OperandKind.Register then
                            value
            }
            |> Seq.distinct
            |> Seq.length

        Seq.zip program.Functions conversions
        |> Seq.exists (fun (f, conversion) ->
            conversion.Outcome = ConversionOutcome.NoRegisters && own f <= Limits.Registers - 4)

    /// The code of a level above 0.
    let translate (source: Code) (level: int) : Result<Code, Divergence> =
        try
            let result = optimize source (Levels.optimization level)

            let program, conversions =
                if Levels.isRegisterForm level then
                    let converted = engine.Convert result.Program
                    converted.Program, converted.Functions
                else
                    result.Program, ImmutableArray.Empty

            let loaded =
                match twinOf program with
                | Some twin -> Ok(twin.Image, twin.Loaded, twin.Facts)
                | None ->
                    Translated.load source.Loaded program
                    |> Result.map (fun loaded ->
                        let image = ZexusProgram.Load(program, source.Loaded.Limits)
                        image, loaded, lazy engine.Facts image)

            match loaded with
            | Ok _ when isUnexpected result.Program conversions ->
                Error {
                    Divergence.bare Trouble.Optimizer "a function with registers to spare was not converted" with
                        Level = level
                        Code = Translated.show result program
                }
            | Ok(image, loaded, facts) ->
                Ok {
                    Level = level
                    Image = image
                    Loaded = loaded
                    Conversions = conversions
                    Facts = facts
                    Listing = lazy Translated.show result program
                }
            | Error refusal ->
                Error {
                    Divergence.bare Trouble.Optimizer ("the optimized code is refused: " + refused refusal) with
                        Level = level
                        Code = Translated.show result program
                }
        with error ->
            Error(threw Trouble.Optimizer level error)

    let instructions (loaded: Loaded) =
        loaded.Functions |> Array.sumBy (fun f -> int64 f.Code.Length)

    let codeOf (counts: LevelCounts[]) (level: int) : Result<Code, Divergence> =
        match codes[level], codes[0] with
        | Some code, _ -> Ok code
        | None, Some source ->
            translate source level
            |> Result.map (fun code ->
                codes[level] <- Some code
                counts[level].Before <- counts[level].Before + instructions source.Loaded
                counts[level].After <- counts[level].After + instructions code.Loaded

                for conversion in code.Conversions do
                    let counts = counts[level]
                    counts.Spilled <- counts.Spilled + int64 conversion.Spilled

                    match conversion.Outcome with
                    | ConversionOutcome.Converted -> counts.Converted <- counts.Converted + 1L
                    | ConversionOutcome.NoRegisters -> counts.WithoutRegisters <- counts.WithoutRegisters + 1L
                    | _ -> ()

                code)
        | None, None -> invalidOp "Code is made from a source."

    /// In lock step with the oracle, which runs what is called as it is.
    let stepwise (case: Case) (code: Code) (counts: LevelCounts) : Comparer =
        let comparer =
            Comparer(case, (contractsOf case).Oracle, code.Loaded, code.Level, code.Facts.Value, counts)

        let mutable hook = Hook comparer

        try
            vm.Options <-
                options case (callable case 0).Contracts uncollected null null (fun name arguments outcome ->
                    comparer.Called(name, arguments, outcome))

            comparer.Ended(vm.Execute(code.Image, entry case, &hook))
        with
        | Stopped -> vm <- new Vm()
        | error ->
            comparer.Threw error
            vm <- new Vm()

        counts.Stepwise <- counts.Stepwise + 1L
        counts.Steps <- counts.Steps + comparer.Steps
        comparer

    /// What is new of a count that only grows. `owner`: the options that it belongs to.
    let news (image: ZexusProgram) (owner: obj) (key: string) (n: int64) : int64 =
        let ofImage = told.GetValue(image, fun _ -> Dictionary(HashIdentity.Reference))

        let before =
            match ofImage.TryGetValue owner with
            | true, known -> known
            | false, _ ->
                let known = Dictionary<string, int64>()
                ofImage[owner] <- known
                known

        let known = before.GetValueOrDefault key
        before[key] <- n
        // Fewer than before: evicted, and compiled once more.
        if n >= known then n - known else n

    /// Adds that.
    let tell (image: ZexusProgram) (owner: obj) (counts: LevelCounts) (key: string) (n: int64) =
        match news image owner key n with
        | 0L -> ()
        | more -> counts.AddCompiled key more

    /// What threaded code did with a program since it was last asked.
    let countThreadedOf (image: ZexusProgram) (threaded: ThreadedOptions) (counts: LevelCounts) =
        let statistics = image.ThreadedStatistics threaded
        let tell = tell image threaded counts
        tell "threaded functions" (int64 statistics.Functions)

        for entry in statistics.Executed do
            tell ("threaded op " + entry.Key) entry.Value

        for entry in statistics.DoneBySource do
            tell ("threaded source " + entry.Key) entry.Value

        for entry in statistics.Exits do
            tell ("threaded exit " + entry.Key) entry.Value

        for entry in statistics.Refusals do
            tell ("threaded refused " + entry.Key) (int64 entry.Value)

    /// The same of the program that an execution begins in and of those that it can call.
    let countThreaded (image: ZexusProgram) (called: CalledCode) (threaded: ThreadedOptions) (counts: LevelCounts) =
        counts.AddCompiled "threaded executions" 1L
        countThreadedOf image threaded counts

        for other in called.Images do
            if not (isNull (other.ThreadedStatistics threaded)) then
                countThreadedOf other threaded counts

    /// What the compiler did with a program since it was last asked. A failure is an error, and not a program to interpret.
    let countCompiledOf (image: ZexusProgram) (compiler: Compiler) (counts: LevelCounts) =
        let statistics = image.JitStatistics compiler.Options

        for failure in statistics.Failures do
            invalidOp $"not compiled: {failure.Key}"

        let tell = tell image compiler.Options counts
        tell "pieces" (int64 statistics.Pieces)
        tell "entered" statistics.Entered

        for entry in statistics.Compiled do
            tell ("op compiled " + entry.Key) entry.Value

        for entry in statistics.Executed do
            tell ("op " + entry.Key) entry.Value

        for entry in statistics.Exits do
            tell ("exit " + entry.Key) entry.Value

        for entry in statistics.InlinedExits do
            tell ("inlined exit " + entry.Key) entry.Value

        tell "nested exits" statistics.NestedExits

        for exits in statistics.ExitsByOperation do
            tell $"exits compiled {exits.Operation} {exits.Exit}" exits.Compiled
            tell $"exits taken {exits.Operation} {exits.Exit}" exits.Taken

        for entry in statistics.Refusals do
            tell ("refused " + entry.Key) (int64 entry.Value)

    /// The same of the program that an execution begins in and of those that it can call, which are compiled where it calls them.
    let countCompiled
        (image: ZexusProgram)
        (called: CalledCode)
        (compiler: Compiler)
        (isLoopHeavy: bool)
        (counts: LevelCounts)
        =
        counts.AddCompiled "executions" 1L
        countCompiledOf image compiler counts

        for other in called.Images do
            if not (isNull (other.JitStatistics compiler.Options)) then
                countCompiledOf other compiler counts

        if isLoopHeavy && compiler.IsOnStack then
            let statistics = image.JitStatistics compiler.Options
            counts.AddCompiled "loop executions" 1L
            let entered = news image compiler.Options "loop entered" statistics.LoopsEntered

            if entered > 0L then
                counts.AddCompiled "loop executions entered" 1L
                counts.AddCompiled "loop entered" entered

            for entry in statistics.LoopExits do
                tell image compiler.Options counts ("loop exit " + entry.Key) entry.Value

    /// At full speed, compared with the source's execution.
    let whole
        (case: Case)
        (collection: CollectionOptions)
        (compiler: Compiler voption)
        (isLoopHeavy: bool)
        (code: Code)
        (source: SourceRun)
        (counts: LevelCounts)
        : Divergence option =
        let threaded = threadsFor case code.Level
        let calls = ResizeArray<HostCall>()
        let differences = ResizeArray<Difference>()

        let differ what oracle engine =
            differences.Add {
                What = what
                Oracle = oracle
                Engine = engine
            }

        let show (calls: ResizeArray<HostCall>) i =
            if i < calls.Count then
                calls[i].Name + Tree.show (Data.List calls[i].Arguments)
            else
                "no call"

        let same i =
            i < calls.Count
            && i < source.Calls.Count
            && calls[i].Name = source.Calls[i].Name
            && Array.forall2 (fun (a: Data) b -> a.Equals b) calls[i].Arguments source.Calls[i].Arguments

        try
            let jit =
                match compiler with
                | ValueSome compiler -> compiler.Options
                | ValueNone -> null

            let called = callable case code.Level

            vm.Options <-
                options case called.Contracts collection jit threaded (fun name arguments _ ->
                    calls.Add { Name = name; Arguments = arguments })

            let result = vm.Execute(code.Image, entry case)

            if not (isNull threaded) then
                countThreaded code.Image called threaded counts

            match compiler with
            | ValueSome compiler ->
                countCompiled code.Image called compiler isLoopHeavy counts

                if collection.Stress then
                    counts.AddCompiled "collections" result.Heap.Collections
            | ValueNone when collection.Stress ->
                counts.Collected <- counts.Collected + 1L
                counts.Collections <- counts.Collections + result.Heap.Collections
                counts.Freed <- counts.Freed + result.Heap.FreedCells
            | ValueNone -> counts.Executions <- counts.Executions + 1L

            Outcomes.compare case differ source.State source.Ending source.Begun result

            match Seq.tryFind (fun i -> not (same i)) (seq { 0 .. max calls.Count source.Calls.Count - 1 }) with
            | Some i -> differ $"host call[{i}]" (show source.Calls i) (show calls i)
            | None -> ()

            if differences.Count = 0 then
                None
            else
                Some {
                    Divergence.bare
                        (if compiler.IsSome then Trouble.Compiled
                         elif collection.Stress then Trouble.Collected
                         else Trouble.Whole)
                        (Show.outcome result) with
                        Level = code.Level
                        Differences = differences.ToArray()
                        Oracle = Show.ending source.State source.Ending
                }
        with error ->
            vm <- new Vm()

            let trouble =
                if compiler.IsSome then Trouble.Compiled
                elif collection.Stress then Trouble.Collected
                else Trouble.Engine

            Some(threw trouble code.Level error)

    /// The oracle alone, where level 0 is not among those checked.
    let alone (case: Case) (loaded: Loaded) : SourceRun =
        let calls = ResizeArray<HostCall>()

        let answer (f: Zexus.Differential.HostFunction) (_: int) (arguments: Data[]) =
            calls.Add { Name = f.Name; Arguments = arguments }
            Host.call case.Limits f arguments

        let begun = Begun case.Contract

        let state, ending =
            Machine.start loaded (Oracle.context case (contractsOf case).Oracle answer)
            |> Oracle.follow begun.See

        {
            State = state
            Ending = ending
            Begun = begun.Ids
            Calls = calls
        }

    let execute (case: Case) (source: Code) (plan: LevelPlan) (counts: LevelCounts[]) : Verdict =
        let isStepwise level = Array.contains level plan.Stepwise
        let mutable divergence: Divergence option = None
        let mutable run: SourceRun voption = ValueNone

        let inCode (code: Code) (d: Divergence) = { d with Code = code.Listing.Value }

        let fault, used =
            if isStepwise 0 then
                let comparer = stepwise case source counts[0]

                match comparer.Divergence, comparer.Ending with
                | ValueSome d, _ -> divergence <- Some d
                | ValueNone, ValueSome ending ->
                    run <-
                        ValueSome {
                            State = comparer.State
                            Ending = ending
                            Begun = comparer.Begun
                            Calls = comparer.Calls
                        }
                | ValueNone, ValueNone -> invalidOp "An execution without a divergence has an end."

                comparer.Ending, comparer.State.GasUsed
            else
                try
                    let finished = alone case source.Loaded
                    run <- ValueSome finished
                    ValueSome finished.Ending, finished.State.GasUsed
                with error ->
                    divergence <- Some(threw Trouble.Oracle 0 error)
                    ValueNone, Zexus.Spec.Int.zero

        match run with
        | ValueNone -> ()
        | ValueSome run ->
            for level in plan.Levels do
                if divergence.IsNone then
                    match codeOf counts level with
                    | Error d -> divergence <- Some d
                    | Ok code ->
                        if level > 0 && isStepwise level then
                            divergence <-
                                (stepwise case code counts[level]).Divergence
                                |> ValueOption.map (inCode code)
                                |> ValueOption.toOption

                        let wholly collection compiler =
                            if divergence.IsNone then
                                divergence <-
                                    whole case collection compiler plan.IsLoopHeavy code run counts[level]
                                    |> Option.map (inCode code)

                        wholly CollectionOptions.Default ValueNone

                        if Array.contains level plan.Collected then
                            wholly forced ValueNone

                        // Compiled code is left in peace by the collector on one case, and never on the next two.
                        if Array.contains level plan.Compiled then
                            for compiler in plan.Compilers do
                                wholly
                                    (match (case.GasLimit + int64 level) / 2L % 3L with
                                     | 0L -> CollectionOptions.Default
                                     | 1L -> forced
                                     | _ -> forcedInRuns)
                                    (ValueSome compiler)

        {
            Case = case
            Refusal = None
            Fault =
                (match fault with
                 | ValueSome(Machine.Ending.Faulted(fault, _, _, _, _)) -> fault.Name
                 | ValueSome(Machine.Ending.Completed _)
                 | ValueNone -> "")
            Used = int64 (bigint.Min(Oracle.knownInt used, bigint Int64.MaxValue))
            Divergence = divergence
        }

    /// An engine with this much wrong: it gets another program than the oracle.
    new(twist: Program -> Program) = new LockStep({ Engine.real with Twist = twist })

    new() = new LockStep(Engine.real)

    /// The case as it stands; its gas share is the caller's matter.
    member _.Check(counts: LevelCounts[], plan: LevelPlan, case: Case) : Verdict =
        let isSame =
            match program with
            | ValueSome known -> Object.ReferenceEquals(known, case.Program) && limits = case.Limits
            | ValueNone -> false

        if isSame then
            execute case (Option.get codes[0]) plan counts
        else
            let oracle =
                try
                    Choice1Of2(Validation.validate case.Limits case.Program)
                with error ->
                    Choice2Of2 error

            let mutable image = null
            let mutable refusal = Unchecked.defaultof<Refusal>

            let loads =
                try
                    Choice1Of2(ZexusProgram.TryLoad(engine.Twist case.Program, case.Limits, &image, &refusal))
                with error ->
                    Choice2Of2 error

            match oracle, loads with
            | Choice2Of2 error, _ -> stillborn case "?" (Some(threw Trouble.Oracle 0 error))
            | _, Choice2Of2 error -> stillborn case "?" (Some(threw Trouble.Engine 0 error))
            | Choice1Of2(Ok loaded), Choice1Of2 true ->
                let image = image

                let source = {
                    Level = 0
                    Image = image
                    Loaded = loaded
                    Conversions = ImmutableArray.Empty
                    Facts = lazy engine.Facts image
                    Listing = lazy ""
                }

                program <- ValueSome case.Program
                limits <- case.Limits
                codes <- Array.init Levels.count (fun level -> if level = 0 then Some source else None)
                optimized <- Array.create Levels.count None
                let size = instructions loaded
                counts[0].Before <- counts[0].Before + size
                counts[0].After <- counts[0].After + size
                execute case source plan counts
            | Choice1Of2(Ok _), Choice1Of2 false -> {
                stillborn case "" (disagree "accepted" "accepted" (refused refusal)) with
                    Refusal = None
              }
            | Choice1Of2(Error expected), Choice1Of2 true ->
                stillborn case (Names.reason expected.Reason) (disagree "refused" (refused expected) "accepted")
            | Choice1Of2(Error expected), Choice1Of2 false ->
                stillborn
                    case
                    (Names.reason expected.Reason)
                    (if expected = refusal then
                         None
                     else
                         disagree "refusal" (refused expected) (refused refusal))

    interface IDisposable with
        member _.Dispose() = vm.Dispose()
