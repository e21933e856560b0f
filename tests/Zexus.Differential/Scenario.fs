namespace Zexus.Differential

open System
open System.Collections.Generic
open System.IO
open System.Text
open System.Text.Json
open Zexus.Chain
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec

/// Calls of a contract, one after the other: a file of examples/contracts, as the README there describes it.
type Scenario = {
    Name: string
    /// The contract's file.
    File: string
    Program: Program
    Loaded: Loaded
    /// The functions that calls may begin in.
    Entries: string[]
    /// Before the first call.
    State: IReadOnlyDictionary<string, Data>
    /// The id under which it executes.
    Contract: string
    /// What it can call, before the first call.
    Contracts: CaseContract[]
    Calls: JsonElement[]
}

/// One call of a scenario, and what it is made on.
type ScenarioCall = {
    Scenario: Scenario
    Index: int
    Case: Case
} with

    member this.Json = this.Scenario.Calls[this.Index]

    /// Who calls what.
    member this.Text =
        let call = this.Json

        $"""{this.Scenario.Name}, call {this.Index}: {call.GetProperty("caller").GetString()} {call.GetProperty("entry").GetString()}{call.GetProperty("arguments").GetRawText()}"""

[<RequireQualifiedAccess>]
module Scenario =
    let private extension = ".scenario.json"

    /// The scenarios of a folder, by name.
    let files (folder: string) : string[] =
        if Directory.Exists folder then
            Directory.GetFiles(folder, "*" + extension) |> Array.sort
        else
            [||]

    let nameOf (path: string) : string =
        Path.GetFileName(path).Replace(extension, "")

    let private bytes (json: JsonElement) =
        ReadOnlyMemory(Encoding.UTF8.GetBytes(json.GetRawText()))

    let data (json: JsonElement) : Data = DataJson.Read(bytes json)

    let items (json: JsonElement) (name: string) : Data[] = [|
        for item in json.GetProperty(name).EnumerateArray() -> data item
    |]

    /// What stands under a name that need not be there.
    let optional (json: JsonElement) (name: string) : JsonElement option =
        match json.TryGetProperty name with
        | true, found -> Some found
        | false, _ -> None

    let private properties (json: JsonElement) : JsonProperty[] = Seq.toArray (json.EnumerateObject())

    /// Reads a scenario, and its contracts beside it. FormatException when one of them is none, and what reading files and JSON throws.
    let read (path: string) : Scenario =
        let json = JsonDocument.Parse(File.ReadAllText path).RootElement
        let file = json.GetProperty("program").GetString()

        let programOf (file: string) =
            let assembly =
                Assembler.Assemble(File.ReadAllText(Path.Combine(Path.GetDirectoryName path, file)), file)

            if not assembly.Succeeded then
                raise (FormatException(String.Join("\n", assembly.Diagnostics)))

            match Validation.validate Limits.Default assembly.Program with
            | Ok loaded -> loaded
            | Error refusal -> raise (FormatException(refusal.Describe assembly.Program))

        let loaded = programOf file

        {
            Name = nameOf path
            File = file
            Program = loaded.Program
            Loaded = loaded
            Entries = [|
                for entry in json.GetProperty("entries").EnumerateArray() -> entry.GetString()
            |]
            State = DataJson.ReadState(bytes (json.GetProperty "state"))
            Contract = optional json "contract" |> Option.map _.GetString() |> Option.defaultValue ""
            Contracts = [|
                for contract in optional json "contracts" |> Option.map properties |> Option.defaultValue [||] ->
                    {
                        Id = contract.Name
                        Program = (programOf (contract.Value.GetProperty("program").GetString())).Program
                        State = Seq.toArray (DataJson.ReadState(bytes (contract.Value.GetProperty "state")))
                    }
            |]
            Calls = [| for call in json.GetProperty("calls").EnumerateArray() -> call |]
        }

    let private caseOf
        (scenario: Scenario)
        (state: IReadOnlyDictionary<string, Data>)
        (contracts: CaseContract[])
        (call: JsonElement)
        : Case =
        let entry = call.GetProperty("entry").GetString()

        if not (Array.contains entry scenario.Entries) then
            raise (FormatException $"{scenario.Name}: {entry} is no entry of {scenario.File}")

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
            Contract = scenario.Contract
            Contracts = contracts
        }

    /// The oracle's execution, `visit` called with every state that an instruction is about to act on.
    let trace (loaded: Loaded) (case: Case) (visit: State -> unit) : State * Machine.Ending =
        Machine.start
            loaded
            (Oracle.context case (Oracle.contracts case) (fun f _ _ -> invalidOp $"a contract calls {f.Name}"))
        |> Oracle.follow visit

    let private pairs (state: Map<string, Plain>) =
        state |> Seq.map (fun e -> KeyValuePair(e.Key, Oracle.data e.Value))

    let stateOf (s: State) : IReadOnlyDictionary<string, Data> = Dictionary(pairs s.World.State)

    /// The contracts that can be called, with the state that the execution leaves them.
    let contractsOf (s: State) (contracts: CaseContract[]) : CaseContract[] = [|
        for contract in contracts ->
            match Map.tryFind contract.Id s.World.Called with
            | Some state -> {
                contract with
                    State = Seq.toArray (pairs state)
              }
            | None -> contract
    |]

    /// Each call on what the oracle makes of those before it. `visit` as in `trace`; `act` gets what the call came to.
    let play (visit: State -> unit) (act: ScenarioCall -> State -> Machine.Ending -> unit) (scenario: Scenario) : unit =
        let mutable state = scenario.State
        let mutable contracts = scenario.Contracts

        scenario.Calls
        |> Array.iteri (fun index call ->
            let case = caseOf scenario state contracts call
            let s, ending = trace scenario.Loaded case visit

            act
                {
                    Scenario = scenario
                    Index = index
                    Case = case
                }
                s
                ending

            state <- stateOf s
            contracts <- contractsOf s contracts)

    let calls (scenario: Scenario) : ScenarioCall[] =
        let calls = ResizeArray()
        play ignore (fun call _ _ -> calls.Add call) scenario
        calls.ToArray()

/// Executions that run out of gas: a case with every limit that is too small for it.
[<RequireQualifiedAccess>]
module Exhaustion =
    /// The name of what such an execution ends with.
    let fault: string = Fault.OutOfGas.Name

    /// Above it, not every limit.
    let private longest = 1500L

    /// The gas that a case needs, and limits below it. It is what the case uses, or more where a call of a contract sets gas aside that is
    /// then not used. Of a long execution the limits are those at which it ends at another instruction: what was used before each, so that
    /// it cannot pay its first charge, and one gas less, so that the one before could not pay its last.
    let limits (loaded: Loaded) (case: Case) : int64[] * int64 =
        let reached = SortedSet<int64>()
        let used (s: State) = int64 (Oracle.knownInt s.GasUsed)
        let mutable setAside = 0L

        let last, _ =
            Scenario.trace loaded case (fun s ->
                reached.Add(used s) |> ignore
                reached.Add(max 0L (used s - 1L)) |> ignore

                match int64 (Oracle.knownInt s.Context.GasLimit) with
                | limit when limit < case.GasLimit -> setAside <- max setAside limit
                | _ -> ())

        let needed = max (used last) setAside
        reached.Add(needed - 1L) |> ignore
        reached.RemoveWhere(fun limit -> limit < 0L || limit >= needed) |> ignore

        if needed <= longest then
            [| 0L .. needed - 1L |], needed
        else
            Seq.toArray reached, needed

    /// Compiled before the first run, and kept: a limit that is reached is no reason to compile anew.
    let private compiler = {
        Options =
            JitOptions(
                Background = false,
                CallThreshold = 0,
                LoopThreshold = 0,
                ExitsBeforeRecompilation = Int32.MaxValue
            )
        IsOnStack = false
    }

    /// Interpreted and compiled at each level, neither step by step nor with collections forced.
    let plan (levels: int[]) = {
        LevelPlan.every levels with
            Stepwise = [||]
            Collected = [||]
            Compilers = [| compiler |]
    }

    /// The same at the first of the levels and, limits taking turns, at one of them.
    let inTurn (levels: int[]) (limit: int64) =
        let turn = (uint64 limit * 0x9E3779B97F4A7C15UL) >>> 32
        plan (Array.distinct [| levels[0]; levels[int (turn % uint64 levels.Length)] |])

    /// Runs the case with each of its limits, and with what it needs; `run` gets the case and whether it must run out of gas.
    let each (loaded: Loaded) (case: Case) (run: Case -> bool -> unit) : unit =
        let limits, needed = limits loaded case

        for limit in limits do
            run { case with GasLimit = limit } true

        run { case with GasLimit = needed } false
