namespace Zexus.Differential

open System
open System.Collections.Generic
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

    let private mnemonic (program: Program) func instruction =
        let code = program.Functions[func].Code

        if instruction < code.Length then
            match InstructionSet.TryFind code[instruction].Number with
            | true, info -> info.Mnemonic
            | false, _ -> "?"
        else
            "the end of the code"

    let private page
        (program: Program)
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
            $"depth {depth}, function {func}, instruction {instruction} ({mnemonic program func instruction}), gas used {gas}"
        )
        |> ignore

        text.Append($", handlers {handlers}, open transactions {transactions}\n") |> ignore
        text.Append($"stack      {stack}\n") |> ignore

        if variables <> "" then
            text.Append($"variables  {variables}\n") |> ignore

        if registers <> "" then
            text.Append($"registers  {registers}\n") |> ignore

        text.ToString()

    let private variableName (program: Program) func i =
        let f = program.Functions[func]
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
        let program = s.Loaded.Program

        let stack =
            "[" + String.Join(", ", s.Frame.Stack |> List.rev |> List.map show) + "]"

        let variables =
            String.Join(
                ", ",
                [
                    for i in 0 .. s.Frame.Variables.Length - 1 ->
                        variableName program s.Frame.Function i + " = " + show (slot s.Heap s.Frame.Variables[i])
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
            program
            s.Depth
            s.Frame.Function
            s.Frame.Instruction
            (Oracle.knownInt s.GasUsed)
            s.Frame.Handlers.Length
            s.Transactions.Length
            stack
            variables
            registers

    let engineState (program: Program) (view: MachineView) =
        let stack = ResizeArray<string>()

        for i in 0 .. view.StackHeight - 1 do
            stack.Add(engine 0 (view.Stack i))

        let variables = ResizeArray<string>()

        for i in 0 .. view.VariableCount - 1 do
            variables.Add(variableName program view.Function i + " = " + engine 0 (view.Variable i))

        let registers = ResizeArray<string>()

        for i in 0 .. Limits.Registers - 1 do
            let text = engine 0 (view.Register i)

            if text <> "null" then
                registers.Add $"r{i} = {text}"

        page
            program
            view.FrameDepth
            view.Function
            view.Instruction
            (bigint view.GasUsed)
            view.HandlerCount
            view.OpenTransactions
            ("[" + String.Join(", ", stack) + "]")
            (String.Join(", ", variables))
            (String.Join(", ", registers))

/// Plays the oracle along with one execution of the engine. Before each step of the engine the oracle has done the step
/// before, and the two states must be the same; references are the same through a bijection that lasts for the run.
[<Sealed; AllowNullLiteral>]
type internal Comparer(case: Case, loaded: Loaded, coverage: Coverage) =
    let program = case.Program
    /// Longer text is compared only when it is new on the stack, and now and then.
    let longText = 256
    /// Elements of collections looked at in one step.
    let budgetOfStep = 400
    let budgetOfCheckpoint = 5000
    let toEngine = Dictionary<int, int64>()
    let toOracle = Dictionary<int64, int>()
    let visited = HashSet<int>()
    let differences = ResizeArray<Difference>()
    let calls = Queue<struct (string * Data[] * Result<Data, Data>)>()

    let answer (f: Zexus.Differential.HostFunction) (_: int) (arguments: Data[]) =
        let shown () =
            f.Name + Tree.show (Data.List arguments)

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

    let mutable state = Machine.start loaded (Oracle.context case answer)
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
                Step = steps
                Rule = state.Rule
                Function = where.Function
                Instruction = where.Instruction
                Differences = differences.ToArray()
                Before = if steps = 0L then "" else Show.oracleState before
                Oracle =
                    (match ending with
                     | ValueNone -> Show.oracleState state
                     | ValueSome(Machine.Ending.Completed value) -> "completed with " + Show.oracle state.Heap 0 value
                     | ValueSome(Machine.Ending.Faulted(fault, value, rule, func, at)) ->
                         $"{fault.Name} with {Show.oracle state.Heap 0 value} in rule {rule}, function {func}, instruction {at}")
                Engine = engine
            }

    member _.Steps = steps
    member _.Divergence = divergence
    member _.Ending = ending
    member _.State = state

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

    /// The two states; `contents`: how deep to look into collections, -1 for not at all.
    member private this.CompareStates(view: MachineView, contents: int, globals: bool) =
        let frame = state.Frame

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

        match Machine.step state with
        | Machine.Step.Running next -> state <- next
        | Machine.Step.Finished(next, how) ->
            state <- next
            ending <- ValueSome how
        | Machine.Step.Opaque(operation, _, _) -> invalidOp $"The operation {operation} on known values is opaque."

        steps <- steps + 1L

        for branch in state.Reached do
            coverage.Reach branch

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
                diverge Trouble.Host (Show.engineState program view)
                raise Stopped

            if ending.IsSome then
                differ "end" "has ended" "goes on"
                diverge Trouble.End (Show.engineState program view)
                raise Stopped

        started <- true

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
            diverge Trouble.Step (Show.engineState program view)
            raise Stopped

    /// The engine threw.
    member _.Threw(error: exn) =
        if divergence.IsNone then
            before <- state
            let func = state.Frame.Function
            let code = program.Functions[func].Code

            let rule =
                if state.Frame.Instruction < code.Length then
                    match InstructionSet.TryFind code[state.Frame.Instruction].Number with
                    | true, info -> info.Rule
                    | false, _ -> ""
                else
                    Machine.EndRule

            differ (error.GetType().Name) "no exception" error.Message
            diverge Trouble.Engine (error.ToString())

            divergence <- divergence |> ValueOption.map (fun d -> { d with Rule = rule })

    /// A value that leaves the machine, up to renaming of references.
    member private _.SameGraph(what: string, value: Value, other: ZexusValue) =
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

    member private _.SameData(what: string, oracle: Data[], engine: Data[]) =
        if oracle.Length <> engine.Length then
            differ
                what
                $"{oracle.Length}: {Tree.show (Data.List oracle)}"
                $"{engine.Length}: {Tree.show (Data.List engine)}"
        else
            match Seq.tryFindIndex id (Seq.map2 (fun (a: Data) (b: Data) -> not (a.Equals b)) oracle engine) with
            | Some i -> differ $"{what}[{i}]" (Tree.show oracle[i]) (Tree.show engine[i])
            | None -> ()

    /// The engine has ended.
    member this.Ended(result: ExecutionResult) : unit =
        let shown =
            if result.IsCompleted then
                "completed with " + Show.result 0 result.Value
            else
                $"{result.Fault.Name} with {Show.result 0 result.FaultValue}, function {result.FaultFunction}, instruction {result.FaultInstruction}"

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
                    match how with
                    | Machine.Ending.Completed value ->
                        if not result.IsCompleted then
                            differ "outcome" "completed" result.Fault.Name
                        else
                            this.SameGraph("result", value, result.Value)
                    | Machine.Ending.Faulted(fault, value, _, func, instruction) ->
                        if result.IsCompleted then
                            differ "outcome" fault.Name "completed"
                        elif result.Fault <> fault then
                            differ "fault" fault.Name result.Fault.Name
                        else
                            this.SameGraph("fault value", value, result.FaultValue)

                            if func <> result.FaultFunction || instruction <> result.FaultInstruction then
                                differ
                                    "fault source"
                                    $"function {func}, instruction {instruction}"
                                    $"function {result.FaultFunction}, instruction {result.FaultInstruction}"

                    let gas = Oracle.knownInt state.GasUsed

                    if gas <> bigint result.GasUsed then
                        differ "gas" (string gas) (string result.GasUsed)

                    if result.Steps <> steps then
                        differ "steps" (string steps) (string result.Steps)

                    let entry (key: string) (value: Data) = Data.List [| Data.String key; value |]

                    this.SameData(
                        "state",
                        [| for e in state.World.State -> entry e.Key (Oracle.data e.Value) |],
                        [|
                            for e in result.State |> Seq.sortWith (fun a b -> String.CompareOrdinal(a.Key, b.Key)) ->
                                entry e.Key e.Value
                        |]
                    )

                    this.SameData(
                        "ledger",
                        [| for plain in List.rev state.World.Ledger -> Oracle.data plain |],
                        Seq.toArray result.Ledger
                    )

                    this.SameData(
                        "events",
                        [|
                            for name, payload in List.rev state.World.Events -> entry name (Oracle.data payload)
                        |],
                        [| for e in result.Events -> entry e.Name e.Payload |]
                    )

                    this.SameData(
                        "audit",
                        [|
                            for a in List.rev state.Audit ->
                                Data.List [| Oracle.data a.Data; Oracle.data a.Action; Data.Int a.Timestamp |]
                        |],
                        [|
                            for a in result.Audit -> Data.List [| a.Data; a.Action; Data.Int a.Timestamp |]
                        |]
                    )

                    let output = Machine.output state

                    if not (String.Equals(output, result.Output, StringComparison.Ordinal)) then
                        differ "output" (Tree.quote output) (Tree.quote result.Output)

                    if differences.Count > 0 then
                        diverge Trouble.End shown

/// What the engine calls before each step.
[<Struct>]
type internal Hook(comparer: Comparer) =
    interface IStepHook with
        member _.BeforeStep(view: inref<MachineView>) = comparer.Before view

/// Checks cases: loads each on both sides, runs it in lock step, compares everything that can be observed.
/// Keeps one engine for all of them, so that what an execution leaves behind is checked as well.
/// `twist` changes the program that the engine gets and the oracle does not: how the check itself is tested.
[<Sealed>]
type LockStep(twist: Program -> Program) =
    let mutable vm = new Vm()

    let refused (refusal: Refusal) =
        $"{refusal.Reason} (function {refusal.Function}, index {refusal.Index})"

    let verdict case refusal steps fault used divergence = {
        Case = case
        Refusal = refusal
        Steps = steps
        Fault = fault
        Used = used
        Divergence = divergence
    }

    let disagree what oracle engine = {
        Divergence.bare Trouble.Refusal "" with
            Rule = "validation"
            Differences = [|
                {
                    What = what
                    Oracle = oracle
                    Engine = engine
                }
            |]
    }

    new() = new LockStep(id)

    member private _.Execute(case: Case, loaded: Loaded, image: ZexusProgram, coverage: Coverage) : Verdict =
        let comparer = Comparer(case, loaded, coverage)
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
                    comparer.Called(f.Name, arguments, outcome)

                    match outcome with
                    | Ok data -> Zexus.Vm.HostOutcome.Returned data
                    | Error data -> Zexus.Vm.HostOutcome.Thrown data)
            )
            |> ignore

        let mutable hook = Hook comparer

        try
            vm.Options <-
                VmOptions(
                    GasLimit = case.GasLimit,
                    Block =
                        BlockContext(
                            Timestamp = bigint case.Block.Timestamp,
                            Height = bigint case.Block.Height,
                            Caller = case.Block.Caller
                        ),
                    State = Dictionary<string, Data>(case.State),
                    Host = host,
                    VerifySignature = SignatureVerifier(fun signature message key -> Host.verify signature message key)
                )

            comparer.Ended(vm.Execute(image, &hook))
        with
        | Stopped -> vm <- new Vm()
        | error ->
            comparer.Threw error
            vm <- new Vm()

        let fault =
            match comparer.Ending with
            | ValueSome(Machine.Ending.Faulted(fault, _, _, _, _)) -> fault.Name
            | ValueSome(Machine.Ending.Completed _)
            | ValueNone -> ""

        let used =
            int64 (bigint.Min(Oracle.knownInt comparer.State.GasUsed, bigint Int64.MaxValue))

        let divergence =
            match comparer.Divergence with
            | ValueSome d -> Some d
            | ValueNone -> None

        verdict case None comparer.Steps fault used divergence

    /// The case as it stands; its gas share is the caller's matter.
    member this.Check(coverage: Coverage, case: Case) : Verdict =
        let oracle =
            try
                Choice1Of2(Validation.validate case.Limits case.Program)
            with error ->
                Choice2Of2 error

        let mutable image = null
        let mutable refusal = Unchecked.defaultof<Refusal>

        let engine =
            try
                Choice1Of2(ZexusProgram.TryLoad(twist case.Program, case.Limits, &image, &refusal))
            with error ->
                Choice2Of2 error

        match oracle, engine with
        | Choice2Of2 error, _ ->
            verdict
                case
                (Some "?")
                0L
                ""
                0L
                (Some(Divergence.bare Trouble.Oracle (error.GetType().Name + ": " + error.Message)))
        | _, Choice2Of2 error ->
            verdict case (Some "?") 0L "" 0L (Some(Divergence.bare Trouble.Engine (error.ToString())))
        | Choice1Of2(Ok loaded), Choice1Of2 true -> this.Execute(case, loaded, image, coverage)
        | Choice1Of2(Ok _), Choice1Of2 false ->
            verdict case None 0L "" 0L (Some(disagree "accepted" "accepted" (refused refusal)))
        | Choice1Of2(Error expected), Choice1Of2 true ->
            verdict
                case
                (Some(Names.reason expected.Reason))
                0L
                ""
                0L
                (Some(disagree "refused" (refused expected) "accepted"))
        | Choice1Of2(Error expected), Choice1Of2 false ->
            if expected = refusal then
                verdict case (Some(Names.reason expected.Reason)) 0L "" 0L None
            else
                verdict
                    case
                    (Some(Names.reason expected.Reason))
                    0L
                    ""
                    0L
                    (Some(disagree "refusal" (refused expected) (refused refusal)))

    interface IDisposable with
        member _.Dispose() = vm.Dispose()
