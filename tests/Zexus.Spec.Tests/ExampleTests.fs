/// The shipped examples on the oracle: every observable is what stands beside the program.
module Zexus.Spec.Tests.ExampleTests

open System
open System.IO
open System.Globalization
open System.Text.Json
open Expecto
open Zexus.Isa
open Zexus.Spec

let private folder = Path.Combine(AppContext.BaseDirectory, "examples")

let private read name =
    JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, name))).RootElement

let rec private plain (json: JsonElement) =
    match json.ValueKind with
    | JsonValueKind.Null -> Plain.Null
    | JsonValueKind.True -> Plain.Bool(Bool.Known true)
    | JsonValueKind.False -> Plain.Bool(Bool.Known false)
    | JsonValueKind.String -> Plain.String(Str.Known(json.GetString()))
    | JsonValueKind.Number ->
        let text = json.GetRawText()

        if text.AsSpan().IndexOfAny('.', 'e', 'E') < 0 then
            Plain.Int(Int.Known(bigint.Parse(text, CultureInfo.InvariantCulture)))
        else
            Plain.Float(Float.Known(json.GetDouble()))
    | JsonValueKind.Array -> Plain.List [ for item in json.EnumerateArray() -> plain item ]
    | JsonValueKind.Object ->
        Plain.Map [
            for entry in json.EnumerateObject() -> Plain.String(Str.Known entry.Name), plain entry.Value
        ]
    | kind -> failtestf "%O in an example's JSON" kind

let private property (name: string) (json: JsonElement) =
    match json.TryGetProperty name with
    | true, value -> Some value
    | false, _ -> None

let private state (json: JsonElement) =
    Map [ for entry in json.EnumerateObject() -> entry.Name, plain entry.Value ]

let private context name (given: JsonElement) : Context =
    let start = name + ".state.json"

    {
        GasLimit =
            property "gas" given
            |> Option.map (fun gas -> gas.GetInt64())
            |> Option.defaultValue Gas.DefaultLimit
            |> bigint
            |> Int.Known
        Timestamp = bigint (given.GetProperty("timestamp").GetInt64())
        Height = bigint (given.GetProperty("height").GetInt64())
        Caller = given.GetProperty("caller").GetString()
        State =
            if File.Exists(Path.Combine(folder, start)) then
                state (read start)
            else
                Map.empty
        Host = Map.empty
        Entry = Entry.main
        VerifySignature = fun _ _ _ -> false
        Contract = ""
        Contracts = Map.empty
    }

let private assemble name =
    let file = name + ".zxa"
    let result = Assembler.Assemble(File.ReadAllText(Path.Combine(folder, file)), file)

    if not result.Succeeded then
        failtestf "%s" (String.Join("\n", result.Diagnostics))

    result.Program

let private run name given =
    match Validation.validate Limits.Default (assemble name) with
    | Ok loaded -> Machine.run (Machine.start loaded (context name given))
    | Error refusal -> failtestf "%s" (refusal.Describe(assemble name))

/// The value as plain data, whatever gas that would take.
let private leaving (s: State) value =
    match Traversals.plain value { s with GasUsed = Int.zero } with
    | [ Outcome.Ok(plain, _) ] -> plain
    | _ -> failtest "the value is no plain data"

let private compareEnding (expected: JsonElement) s (ending: Machine.Ending) =
    match ending, property "fault" expected with
    | Machine.Ending.Completed value, None ->
        Expect.equal (leaving s value) (plain (expected.GetProperty "result")) "result"
    | Machine.Ending.Faulted(fault, value, _, _, _), Some expected ->
        Expect.equal fault.Name (expected.GetProperty("name").GetString()) "fault"

        match property "value" expected with
        | Some expected -> Expect.equal (leaving s value) (plain expected) "the fault's value"
        | None -> ()
    | Machine.Ending.Completed _, Some _
    | Machine.Ending.Faulted _, None -> failtestf "%O" ending

let private texts pairs =
    Plain.Map [ for name, value in pairs -> Plain.String(Str.Known name), value ]

let private compareWorld (expected: JsonElement) (s: State) =
    let list name =
        plain (expected.GetProperty(name: string))

    let oldestFirst item items =
        Plain.List [ for x in List.rev items -> item x ]

    let event (e: EmittedEvent) =
        texts [ "event", Plain.String(Str.Known e.Name); "payload", e.Payload ]

    let audit (entry: AuditEntry) =
        texts [
            "data", entry.Data
            "action", entry.Action
            "timestamp", Plain.Int(Int.Known entry.Timestamp)
        ]

    Expect.equal (Machine.output s) (expected.GetProperty("output").GetString()) "output"
    Expect.equal s.World.State (state (expected.GetProperty "state")) "state"
    Expect.equal (oldestFirst (fun (e: LedgerEntry) -> e.Entry) s.World.Ledger) (list "ledger") "ledger"
    Expect.equal (oldestFirst event s.World.Events) (list "events") "events"
    Expect.equal (oldestFirst audit s.Audit) (list "audit") "audit"
    Expect.equal s.GasUsed (Int.Known(bigint (expected.GetProperty("gas").GetInt64()))) "gas"

let private names =
    Directory.GetFiles(folder, "*.zxa")
    |> Array.map (fun file -> nonNull (Path.GetFileNameWithoutExtension file))
    |> Array.sort

[<Tests>]
let tests =
    testList "examples" [
        test "there are some" { Expect.isGreaterThan names.Length 15 "examples" }

        for name in names do
            test name {
                let expected = read (name + ".expected.json")
                let s, ending = run name (expected.GetProperty "given")
                compareEnding expected s ending
                compareWorld expected s
            }

            test (name + " comes back from its bytes and from its disassembly") {
                let program = assemble name
                let bytes = Container.Encode program
                Expect.isTrue (Container.Decode bytes = program) "the container"
                let text = Disassembler.Disassemble program
                let again = Assembler.Assemble(text, name).Program
                Expect.isTrue (Container.Encode again = bytes) "the disassembly"
                Expect.isFalse (text.Contains ".name #" || text.Contains ".func #") "no more than a person would write"
            }
    ]
