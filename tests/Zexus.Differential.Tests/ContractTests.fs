/// The contracts of examples/contracts: what each call of their scenarios comes to, and what remains when the gas runs out on the way.
module Zexus.Differential.Tests.ContractTests

open System
open System.Collections.Generic
open System.IO
open System.Text
open System.Text.Json
open Xunit
open Zexus.Chain
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec
open Zexus.Differential

let private folder = Path.Combine(AppContext.BaseDirectory, "contracts")

let private names =
    Directory.GetFiles(folder, "*.scenario.json")
    |> Array.map (fun file -> Path.GetFileName(file).Replace(".scenario.json", ""))
    |> Array.sort

let scenarios: obj[] seq = names |> Seq.map (fun name -> [| box name |])

let private data (json: JsonElement) =
    DataJson.Read(ReadOnlyMemory(Encoding.UTF8.GetBytes(json.GetRawText())))

let private items (json: JsonElement) (name: string) = [|
    for item in json.GetProperty(name).EnumerateArray() -> data item
|]

/// As examples/contracts/README.md describes its file.
type private Scenario = {
    Program: Program
    Loaded: Loaded
    Entries: string[]
    State: IReadOnlyDictionary<string, Data>
    Calls: JsonElement[]
}

let private read name =
    let json =
        JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, name + ".scenario.json"))).RootElement

    let file = json.GetProperty("program").GetString()

    let assembly =
        Assembler.Assemble(File.ReadAllText(Path.Combine(folder, file)), file)

    Assert.True(assembly.Succeeded, String.Join("\n", assembly.Diagnostics))

    {
        Program = assembly.Program
        Loaded =
            match Validation.validate Limits.Default assembly.Program with
            | Ok loaded -> loaded
            | Error refusal -> failwith (refusal.Describe assembly.Program)
        Entries = [|
            for entry in json.GetProperty("entries").EnumerateArray() -> entry.GetString()
        |]
        State = DataJson.ReadState(ReadOnlyMemory(Encoding.UTF8.GetBytes(json.GetProperty("state").GetRawText())))
        Calls = [| for call in json.GetProperty("calls").EnumerateArray() -> call |]
    }

let private caseOf (scenario: Scenario) (state: IReadOnlyDictionary<string, Data>) (call: JsonElement) : Case =
    let entry = call.GetProperty("entry").GetString()
    Assert.Contains(entry, scenario.Entries)

    {
        Program = scenario.Program
        Limits = Limits.Default
        Entry = scenario.Program.Functions |> Array.findIndex (fun f -> f.Name = entry)
        Arguments = items call "arguments"
        GasLimit = Gas.DefaultLimit
        GasShare = None
        Block = {
            Timestamp = call.GetProperty("timestamp").GetInt64()
            Height = call.GetProperty("height").GetInt64()
            Caller = call.GetProperty("caller").GetString()
        }
        State = Seq.toArray state
        Hosts = [||]
        Contract = ""
        Contracts = [||]
    }

/// The oracle's execution, `visit` called with every state that an instruction is about to act on.
let private trace (loaded: Loaded) (case: Case) (visit: State -> unit) : State * Machine.Ending =
    let rec go s =
        visit s

        match Machine.step s with
        | Machine.Step.Running next -> go next
        | Machine.Step.Finished(last, ending) -> last, ending
        | Machine.Step.Opaque(operation, _, _) -> invalidOp $"The operation {operation} on known values is opaque."

    go (Machine.start loaded (Oracle.context case Map.empty (fun f _ _ -> failwith $"a contract calls {f.Name}")))

let private run (loaded: Loaded) (case: Case) = trace loaded case ignore

/// The value as plain data, whatever gas that would take.
let private leaving (s: State) (value: Value) : Data =
    match Traversals.plain value { s with GasUsed = Zexus.Spec.Int.zero } with
    | [ Outcome.Ok(plain, _) ] -> Oracle.data plain
    | _ -> failwith "the value is no plain data"

let private stateOf (s: State) : IReadOnlyDictionary<string, Data> =
    Dictionary(s.World.State |> Seq.map (fun e -> KeyValuePair(e.Key, Oracle.data e.Value)))

let private text (name: string) = Data.String name

let private map (entries: (string * Data) list) =
    Data.Map [| for name, value in entries -> Tree.pair (text name) value |]

let private eventsOf (s: State) = [|
    for e in List.rev s.World.Events -> map [ "event", text e.Name; "payload", Oracle.data e.Payload ]
|]

let private ledgerOf (s: State) = [| for e in List.rev s.World.Ledger -> Oracle.data e.Entry |]

let private auditOf (s: State) = [|
    for a in List.rev s.Audit ->
        map [
            "data", Oracle.data a.Data
            "action", Oracle.data a.Action
            "timestamp", Data.Int a.Timestamp
        ]
|]

/// As text, so that a failure shows what differs; no two different values are written alike.
let private same (where: string) (what: string) (expected: Data seq) (actual: Data seq) =
    let lines (items: Data seq) =
        String.Join("\n", items |> Seq.map DataJson.Write)

    Assert.True(
        (lines expected = lines actual),
        $"{where}: {what} should be\n{lines expected}\nand the oracle's is\n{lines actual}"
    )

let private show (name: string) (index: int) (call: JsonElement) =
    $"""{name}, call {index}: {call.GetProperty("caller").GetString()} {call.GetProperty("entry").GetString()}{call.GetProperty("arguments").GetRawText()}"""

let private entriesOf (state: seq<KeyValuePair<string, Data>>) = [|
    for entry in state |> Seq.sortWith (fun a b -> String.CompareOrdinal(a.Key, b.Key)) ->
        Data.List [| text entry.Key; entry.Value |]
|]

/// What the file says of a call, against the oracle's execution.
let private compare where (call: JsonElement) (case: Case) (s: State) (ending: Machine.Ending) =
    match ending with
    | Machine.Ending.Completed value ->
        let mutable expected = JsonElement()
        let completes = call.TryGetProperty("result", &expected)
        Assert.True(completes, $"{where}: completed with {DataJson.Write(leaving s value)}")
        same where "result" [ data expected ] [ leaving s value ]
    | Machine.Ending.Faulted(fault, value, _, _, _) ->
        let mutable expected = JsonElement()
        let faults = call.TryGetProperty("fault", &expected)
        Assert.True(faults, $"{where}: {fault.Name} with {DataJson.Write(leaving s value)}")

        same where "fault" [ data (expected.GetProperty "name"); data (expected.GetProperty "value") ] [
            text fault.Name
            leaving s value
        ]

    let changed = Dictionary<string, Data>(case.State)

    for change in call.GetProperty("changes").EnumerateObject() do
        changed[change.Name] <- data change.Value

    same where "state" (entriesOf changed) (entriesOf (stateOf s))
    same where "events" (items call "events") (eventsOf s)
    same where "ledger" (items call "ledger") (ledgerOf s)
    same where "audit log" (items call "audit") (auditOf s)
    same where "gas" [ data (call.GetProperty "gas") ] [ Data.Int(Oracle.knownInt s.GasUsed) ]

let private agree (lockStep: LockStep) (plan: LevelPlan) (where: string) (case: Case) =
    match (lockStep.Check(LevelCounts.ForAll(), plan, case)).Divergence with
    | None -> ()
    | Some d ->
        let report = {
            Origin = Origin.Saved where
            Found = case
            Case = case
            Divergence = d
            Probes = 0
            Times = 1L
        }

        Assert.Fail(Reporting.text report)

/// Each call with its case; the state goes from one to the next.
let private fold name (act: Scenario -> string -> JsonElement -> Case -> State) =
    let scenario = read name
    let mutable state = scenario.State

    scenario.Calls
    |> Array.iteri (fun index call ->
        let case = caseOf scenario state call
        state <- stateOf (act scenario (show name index call) call case))

[<Theory; MemberData(nameof scenarios)>]
let ``each call of a scenario gives what stands there, on the oracle and at every level of the engine`` (name: string) =
    use lockStep = new LockStep()

    fold name (fun scenario where call case ->
        let s, ending = run scenario.Loaded case
        compare where call case s ending
        agree lockStep (LevelPlan.every Levels.all) where case
        s)

/// Compiled before the first run, and kept: a limit that is reached is no reason to compile anew.
let private compiler = {
    Options =
        JitOptions(Background = false, CallThreshold = 0, LoopThreshold = 0, ExitsBeforeRecompilation = Int32.MaxValue)
    IsOnStack = false
}

let private atFullSpeed = {
    LevelPlan.every Levels.all with
        Stepwise = [||]
        Collected = [||]
        Compilers = [| compiler |]
}

/// Every limit below what the call uses. Of a long call those at which the execution ends at another instruction: what was used before
/// each, so that it cannot pay its first charge, and one gas less, so that the one before could not pay its last.
let private longest = 1500L

let private limits (loaded: Loaded) (case: Case) : int64[] * int64 =
    let reached = SortedSet<int64>()
    let used (s: State) = int64 (Oracle.knownInt s.GasUsed)

    let last, _ =
        trace loaded case (fun s ->
            reached.Add(used s) |> ignore
            reached.Add(max 0L (used s - 1L)) |> ignore)

    reached.Add(used last - 1L) |> ignore

    if used last <= longest then
        [| 0L .. used last - 1L |], used last
    else
        Seq.toArray reached, used last

[<Theory; MemberData(nameof scenarios)>]
let ``a call that runs out of gas, wherever that is, leaves nothing`` (name: string) =
    use lockStep = new LockStep()

    fold name (fun scenario where _ case ->
        let limits, used = limits scenario.Loaded case

        for limit in limits do
            let case = { case with GasLimit = limit }
            let where = $"{where}, with {limit} gas"

            if limit < used then
                let s, ending = run scenario.Loaded case

                match ending with
                | Machine.Ending.Faulted(Fault.OutOfGas, _, _, _, _) -> ()
                | Machine.Ending.Faulted _
                | Machine.Ending.Completed _ -> Assert.Fail $"{where}: {ending}"

                same where "state" (entriesOf case.State) (entriesOf (stateOf s))
                same where "events" [] (eventsOf s)
                same where "ledger" [] (ledgerOf s)

            agree lockStep atFullSpeed where case

        agree lockStep atFullSpeed where { case with GasLimit = used }
        fst (run scenario.Loaded case))

/// The scenarios of each contract.
let contracts: obj[] seq =
    names
    |> Seq.groupBy (fun name ->
        JsonDocument
            .Parse(File.ReadAllText(Path.Combine(folder, name + ".scenario.json")))
            .RootElement.GetProperty("program")
            .GetString())
    |> Seq.map (fun (program, names) -> [| box program; box (Seq.toArray names) |])

[<Theory; MemberData(nameof contracts)>]
let ``the scenarios of a contract execute all of it, and fail each REQUIRE once`` (file: string) (names: string[]) =
    let reached = HashSet<struct (int * int)>()
    let required = HashSet<struct (int * int * bool)>()

    for name in names do
        fold name (fun scenario _ _ case ->
            fst (
                trace scenario.Loaded case (fun s ->
                    let at = struct (s.Frame.Function, s.Frame.Instruction)

                    match Machine.current s, s.Frame.Stack with
                    | Some i, _ :: condition :: _ when i.Info.Opcode = Opcode.REQUIRE ->
                        let struct (f, n) = at
                        reached.Add at |> ignore
                        required.Add(struct (f, n, Tree.isTrue (leaving s condition))) |> ignore
                    | Some _, _ -> reached.Add at |> ignore
                    | None, _ -> ())
            ))

    let program = (read names[0]).Program

    let missing = [
        for f in 0 .. program.Functions.Length - 1 do
            for i in 0 .. program.Functions[f].Code.Length - 1 do
                let where = $"{program.Functions[f].Name}:{i}"

                if not (reached.Contains(struct (f, i))) then
                    $"{where} is not executed"
                elif program.Functions[f].Code[i].Number = (InstructionSet.Of Opcode.REQUIRE).Number then
                    for holds in [ true; false ] do
                        if not (required.Contains(struct (f, i, holds))) then
                            $"the REQUIRE at {where} is never given what is {holds}"
    ]

    Assert.True(missing.IsEmpty, file + "\n" + String.Join("\n", missing))

[<Theory; MemberData(nameof contracts)>]
let ``what writes and is no entry of a contract captures, so that no execution can begin there``
    (file: string)
    (names: string[])
    =
    let scenario = read names[0]

    let writes (f: FunctionDefinition) =
        f.Code
        |> Array.exists (fun i ->
            match InstructionSet.TryFind i.Number with
            | true, info ->
                List.contains info.Opcode [
                    Opcode.STATE_WRITE
                    Opcode.LEDGER_APPEND
                    Opcode.EMIT_EVENT
                    Opcode.AUDIT_LOG
                ]
            | false, _ -> false)

    for f in scenario.Program.Functions do
        if Array.contains f.Name scenario.Entries then
            Assert.True(f.Captures.Length = 0, $"{file}: nothing can begin in {f.Name}")
        elif writes f then
            Assert.True(f.Captures.Length > 0, $"{file}: {f.Name} writes, and anybody could begin there")
