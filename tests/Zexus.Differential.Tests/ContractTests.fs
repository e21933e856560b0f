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

let private paths = Scenario.files folder

let scenarios: obj[] seq =
    paths |> Seq.map (fun path -> [| box (Scenario.nameOf path) |])

let private read (name: string) =
    Scenario.read (paths |> Array.find (fun path -> Scenario.nameOf path = name))

let private stateOf = Scenario.stateOf
let private data = Scenario.data
let private items = Scenario.items

/// The value as plain data, whatever gas that would take.
let private leaving (s: State) (value: Value) : Data =
    match Traversals.plain value { s with GasUsed = Zexus.Spec.Int.zero } with
    | [ Outcome.Ok(plain, _) ] -> Oracle.data plain
    | _ -> failwith "the value is no plain data"

let private text (name: string) = Data.String name

let private map (entries: (string * Data) list) =
    Data.Map [| for name, value in entries -> Tree.pair (text name) value |]

/// What the scenario's own contract did not do has the id of the one that did.
let private by (s: State) (contract: string) =
    if contract = s.Context.Contract then
        []
    else
        [ "contract", text contract ]

let private eventsOf (s: State) = [|
    for e in List.rev s.World.Events ->
        map (by s e.Contract @ [ "event", text e.Name; "payload", Oracle.data e.Payload ])
|]

let private ledgerOf (s: State) = [|
    for e in List.rev s.World.Ledger do
        Assert.Equal(s.Context.Contract, e.Contract)
        Oracle.data e.Entry
|]

let private auditOf (s: State) = [|
    for a in List.rev s.Audit ->
        map (
            by s a.Contract
            @ [
                "data", Oracle.data a.Data
                "action", Oracle.data a.Action
                "timestamp", Data.Int a.Timestamp
            ]
        )
|]

/// As text, so that a failure shows what differs; no two different values are written alike.
let private same (where: string) (what: string) (expected: Data seq) (actual: Data seq) =
    let lines (items: Data seq) =
        String.Join("\n", items |> Seq.map DataJson.Write)

    Assert.True(
        (lines expected = lines actual),
        $"{where}: {what} should be\n{lines expected}\nand the oracle's is\n{lines actual}"
    )

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

    let after (state: KeyValuePair<string, Data> seq) (changes: JsonElement) =
        let changed = Dictionary<string, Data>(state)

        for change in changes.EnumerateObject() do
            changed[change.Name] <- data change.Value

        entriesOf changed

    same where "state" (after case.State (call.GetProperty "changes")) (entriesOf (stateOf s))

    for before, now in Array.zip case.Contracts (Scenario.contractsOf s case.Contracts) do
        let changes = call.GetProperty("called").GetProperty before.Id
        same where $"state of {before.Id}" (after before.State changes) (entriesOf now.State)

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

[<Theory; MemberData(nameof scenarios)>]
let ``each call of a scenario gives what stands there, on the oracle and at every level of the engine`` (name: string) =
    use lockStep = new LockStep()

    read name
    |> Scenario.play ignore (fun call s ending ->
        compare call.Text call.Json call.Case s ending
        agree lockStep (LevelPlan.every Levels.all) call.Text call.Case)

[<Theory; MemberData(nameof scenarios)>]
let ``a call that runs out of gas, wherever that is, leaves nothing`` (name: string) =
    use lockStep = new LockStep()
    let plan = Exhaustion.plan Levels.all

    for call in Scenario.calls (read name) do
        let loaded = call.Scenario.Loaded

        Exhaustion.each loaded call.Case (fun case isTooLittle ->
            let where = $"{call.Text}, with {case.GasLimit} gas"

            let s, ending = Scenario.trace loaded case ignore

            let ranOut =
                match ending with
                | Machine.Ending.Faulted(Fault.OutOfGas, _, _, _, _) -> true
                | Machine.Ending.Faulted _
                | Machine.Ending.Completed _ -> false

            Assert.True((ranOut = isTooLittle), $"{where}: {ending}")

            if isTooLittle then
                same where "state" (entriesOf case.State) (entriesOf (stateOf s))

                for before, now in Array.zip case.Contracts (Scenario.contractsOf s case.Contracts) do
                    same where $"state of {before.Id}" (entriesOf before.State) (entriesOf now.State)

                same where "events" [] (eventsOf s)
                same where "ledger" [] (ledgerOf s)

            agree lockStep plan where case)

/// The scenarios of each contract.
let contracts: obj[] seq =
    paths
    |> Seq.map Scenario.read
    |> Seq.groupBy _.File
    |> Seq.map (fun (file, scenarios) -> [| box file; box [| for scenario in scenarios -> scenario.Name |] |])

[<Theory; MemberData(nameof contracts)>]
let ``the scenarios of a contract execute all of it, and fail each REQUIRE once`` (file: string) (names: string[]) =
    let reached = HashSet<struct (int * int)>()
    let required = HashSet<struct (int * int * bool)>()

    for name in names do
        let scenario = read name

        scenario
        |> Scenario.play
            (fun s ->
                let at = struct (s.Frame.Function, s.Frame.Instruction)

                match Machine.current s, s.Frame.Stack with
                | _ when s.Context.Contract <> scenario.Contract -> () // a contract that it has called
                | Some i, _ :: condition :: _ when i.Info.Opcode = Opcode.REQUIRE ->
                    let struct (f, n) = at
                    reached.Add at |> ignore
                    required.Add(struct (f, n, Tree.isTrue (leaving s condition))) |> ignore
                | Some _, _ -> reached.Add at |> ignore
                | None, _ -> ())
            (fun _ _ _ -> ())

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
