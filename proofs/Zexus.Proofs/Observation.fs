/// What can be observed of one execution, of the oracle or of the engine, as text that can be compared and shown.
module Zexus.Proofs.Observation

open System
open System.Globalization
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec

type Observation = {
    /// What was returned, or the fault with its value.
    End: string
    /// Function and instruction of a fault; "" if there was none.
    Source: string
    Gas: bigint
    Output: string
    /// State, ledger, events and audit log.
    World: string
}

let private listed opening (items: seq<string>) closing =
    opening + String.Join(", ", items) + closing

let private floatText (x: float) =
    // Kind and bits: 1.0 is not 1, and -0.0 is not 0.0.
    let text = x.ToString("R", CultureInfo.InvariantCulture)

    if Seq.forall (fun c -> Char.IsDigit c || c = '-') text then
        text + ".0"
    else
        text

/// Data as a reader writes it; different data never has the same text.
let rec dataText (data: Data) : string =
    match data with
    | Data.Null -> "null"
    | Data.Bool b -> if b then "true" else "false"
    | Data.Int n -> n.ToString CultureInfo.InvariantCulture
    | Data.Float x -> floatText x
    | Data.String s -> Text.quoted s
    | Data.List items -> listed "[" (items |> Seq.map dataText) "]"
    | Data.Map entries -> listed "{" (entries |> Seq.map (fun e -> dataText e.Key + ": " + dataText e.Value)) "}"
    | Data.Set items -> listed "#{" (items |> Seq.map dataText) "}"

// Results that hold themselves are cut: no replay makes one.
let private deepest = 32

let private functionText (definition: FunctionDefinition) =
    $"<function {Text.quoted definition.Name}>"

let rec private valueText depth (s: State) (value: Value) : string =
    let item = valueText (depth + 1) s

    match value with
    | _ when depth > deepest -> "…"
    | Value.Unknown symbol -> "?" + symbol
    | Value.Of kind ->
        match kind with
        | Kind.Null -> dataText Data.Null
        | Kind.Bool(Bool.Known b) -> dataText (Data.Bool b)
        | Kind.Int(Int.Known n) -> dataText (Data.Int n)
        | Kind.Float(Float.Known x) -> dataText (Data.Float x)
        | Kind.String(Str.Known t) -> dataText (Data.String t)
        | Kind.Bool(Bool.Symbolic t) -> string t
        | Kind.Int(Int.Symbolic t) -> string t
        | Kind.Float(Float.Symbolic t) -> string t
        | Kind.String(Str.Symbolic t) -> string t
        | Kind.List address
        | Kind.Map address
        | Kind.Set address
        | Kind.Function address ->
            match Heap.find address s.Heap with
            | Cell.List items -> listed "[" (items |> Seq.map item) "]"
            | Cell.Map entries ->
                listed "{" (Entries.toList entries |> Seq.map (fun (k, v) -> item k + ": " + item v)) "}"
            | Cell.Set entries -> listed "#{" (Entries.toList entries |> Seq.map (fst >> item)) "}"
            | Cell.Function(index, _) -> functionText s.Loaded.Functions[index].Definition
            | Cell.Variable inner -> item inner
            | Cell.Unknown symbol -> "?" + symbol

/// The operand stack of the frame that executes, top last.
let stackText (s: State) =
    listed "[" (s.Frame.Stack |> List.rev |> Seq.map (valueText 0 s)) "]"

let private plainText plain =
    plain |> Instances.plainToData |> dataText

let private worldText state ledger events audit =
    String.Join(
        "; ",
        [
            listed "state {" (state |> Seq.map (fun (k, v) -> Text.quoted k + ": " + v)) "}"
            listed "ledger [" ledger "]"
            listed "events [" (events |> Seq.map (fun (name, payload) -> name + " " + payload)) "]"
            listed "audit [" audit "]"
        ]
    )

/// Run on the oracle.
let ofOracle (loaded: Loaded) (context: Context) : Observation =
    let s, ending = Machine.run (Machine.start loaded context)

    let outcome, source =
        match ending with
        | Machine.Ending.Completed value -> "returns " + valueText 0 s value, ""
        | Machine.Ending.Faulted(fault, value, _, func, source) ->
            "fault " + fault.Name + " " + valueText 0 s value, $"function {func}, instruction {source}"

    {
        End = outcome
        Source = source
        Gas =
            match s.GasUsed with
            | Int.Known n -> n
            | Int.Symbolic _ -> invalidOp "A run on known values has a known gas."
        Output = Machine.output s
        World =
            worldText
                (s.World.State |> Map.toSeq |> Seq.map (fun (k, v) -> k, plainText v))
                (s.World.Ledger |> List.rev |> List.map (fun e -> plainText e.Entry))
                (s.World.Events |> List.rev |> List.map (fun e -> e.Name, plainText e.Payload))
                (s.Audit |> List.rev |> List.map (fun e -> plainText e.Data + " " + plainText e.Action))
    }

let rec private zexusText (program: ZexusProgram) (value: ZexusValue) : string =
    let item = zexusText program

    match value.Kind with
    | ValueKind.Null -> dataText Data.Null
    | ValueKind.Bool -> dataText (Data.Bool value.AsBool)
    | ValueKind.Int -> dataText (Data.Int value.AsInteger)
    | ValueKind.Float -> dataText (Data.Float value.AsFloat)
    | ValueKind.String -> dataText (Data.String value.AsString)
    | ValueKind.List -> listed "[" (value.Items |> Seq.map item) "]"
    | ValueKind.Map -> listed "{" (value.Entries |> Seq.map (fun e -> item e.Key + ": " + item e.Value)) "}"
    | ValueKind.Set -> listed "#{" (value.Items |> Seq.map item) "}"
    | ValueKind.Function -> functionText program.Image.Functions[value.FunctionIndex]
    | other -> invalidOp $"no text of a value of kind {other}"

/// Run on the engine.
let ofEngineUnder (vm: Vm) (program: ZexusProgram) (options: VmOptions) : Observation =
    vm.Options <- options
    let result = vm.Execute program

    {
        End =
            if result.IsCompleted then
                "returns " + zexusText program result.Value
            else
                "fault " + result.Fault.Name + " " + zexusText program result.FaultValue
        Source =
            if result.IsCompleted then
                ""
            else
                $"function {result.FaultFunction}, instruction {result.FaultInstruction}"
        Gas = bigint result.GasUsed
        Output = result.Output
        World =
            worldText
                (result.State
                 |> Seq.sortWith (fun a b -> String.CompareOrdinal(a.Key, b.Key))
                 |> Seq.map (fun e -> e.Key, dataText e.Value))
                (result.Ledger |> Seq.map (fun e -> dataText e.Entry))
                (result.Events |> Seq.map (fun e -> e.Name, dataText e.Payload))
                (result.Audit |> Seq.map (fun e -> dataText e.Data + " " + dataText e.Action))
    }

/// Run on the engine, with the oracle's default context but for the gas limit.
let ofEngine (vm: Vm) (program: ZexusProgram) (gasLimit: int64) : Observation =
    ofEngineUnder vm program (VmOptions(GasLimit = gasLimit))
