/// A counterexample as programs that run: the values of a model, or values near it, given to the code and to its replacement, on the oracle
/// and on the engine. What does not replay is no counterexample.
module Zexus.Proofs.Replay

open System
open System.Collections.Generic
open System.Globalization
open System.Text
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec
open Zexus.Proofs.SmtLib
open Zexus.Proofs.Instances
open Zexus.Proofs.Cases
open Zexus.Proofs.Observation

/// Values for everything that a case leaves open.
type Valuation = {
    Constants: Map<string, Data>
    Inputs: Map<Input, Given>
}

/// One line of a side: an instruction and the operand stack behind it, top last.
type Line = { Instruction: string; Stack: string }

/// One try to replay a case: which of its valuations at edges, under a handler or not, and the gas limit.
type Trial = {
    Index: int
    Guarded: bool
    GasLimit: int64
}

type Replayed = {
    Valuation: Valuation
    Trial: Trial
    Program: Program
    GasLimit: int64
    Left: Line list
    Right: Line list
    OracleLeft: Observation
    OracleRight: Observation
    EngineLeft: Observation
    EngineRight: Observation
} with

    /// The engine sees on each side what the oracle sees, and the sides differ.
    member r.IsConfirmed =
        r.OracleLeft <> r.OracleRight && r.EngineLeft = r.OracleLeft && r.EngineRight = r.OracleRight

// From a model.

/// The text of an SMT-LIB string: `\u{…}`, `\x..` of z3 4.8, and all else as it is.
let unescape (text: string) =
    let inner = text.Substring(1, text.Length - 2).Replace("\"\"", "\"")
    let result = StringBuilder()

    let rec go at =
        if at < inner.Length then
            let isEscape = String.CompareOrdinal(inner, at, "\\u{", 0, 3) = 0
            let closing = if isEscape then inner.IndexOf('}', at) else -1

            if closing > 0 then
                let digits = inner.AsSpan(at + 3, closing - at - 3)
                let code = Int32.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                // Solvers know code points that are no scalars; a String has none.
                result.Append(if Rune.IsValid code then Rune(code).ToString() else "?") |> ignore
                go (closing + 1)
            else
                result.Append inner[at] |> ignore
                go (at + 1)

    go 0
    result.ToString()

let ofModel (model: Map<string, string>) (kind: KindSet) (symbol: string) : Given =
    let found = Map.tryFind symbol model

    match kind with
    | KindSet.Null -> Given.Data Data.Null
    | KindSet.Bool -> Given.Data(Data.Bool(found = Some "true"))
    | KindSet.Int ->
        let text = found |> Option.defaultValue "0"
        Given.Data(Data.Int(bigint.Parse(text, CultureInfo.InvariantCulture)))
    | KindSet.Float ->
        let bits = found |> Option.defaultValue "0x3ff0000000000000"
        Given.Data(Data.Float(BitConverter.UInt64BitsToDouble(Convert.ToUInt64(bits.Substring 2, 16))))
    | KindSet.String -> Given.Data(Data.String(found |> Option.map unescape |> Option.defaultValue "a"))
    | KindSet.List -> Given.Data(Data.List [| Data.Int 1I |])
    | KindSet.Map -> Given.Data(Data.Map [| KeyValuePair(Data.String "a", Data.Int 1I) |])
    | KindSet.Set -> Given.Data(Data.Set [| Data.Int 1I |])
    | KindSet.Function -> Given.Function
    | other -> invalidOp $"no single kind: {other}"

/// Proofs hold under every limit; a counterexample may have low ones, so that what is too long stays short.
let private replayLimits = {
    Limits.Default with
        StringLength = 1024
        CollectionLength = 1024
}

/// Values that are the edge of something: what is tried when a model's own do not replay, because it chose for a function that only has a
/// name in SMT what that function never gives.
let edges (kind: KindSet) : Given list =
    let data = List.map Given.Data

    match kind with
    | KindSet.Null -> data [ Data.Null ]
    | KindSet.Bool -> data [ Data.Bool true; Data.Bool false ]
    | KindSet.Int ->
        data [
            for n in
                [
                    1I
                    0I
                    -1I
                    2I
                    7I
                    (1I <<< 63) - 1I
                    -(1I <<< 63)
                    1I <<< 63
                    (1I <<< 53) + 1I
                    1I <<< 200
                    -(1I <<< 200)
                    (1I <<< 8192) - 1I
                    -(1I <<< 8192)
                ] -> Data.Int n
        ]
    | KindSet.Float ->
        data [
            for x in [ 1.0; -0.0; 0.0; nan; 0.1; -1.5; infinity; -infinity; 1e308; 5e-324 ] ->
                Data.Float(Numbers.canonical x)
        ]
    | KindSet.String ->
        data [
            for s in [ "a"; ""; String('x', 40); "ü"; String('x', replayLimits.StringLength) ] -> Data.String s
        ]
    | KindSet.List -> data [ Data.List [| Data.Int 1I |]; Data.List [||]; Data.List [| Data.Int 2I |] ]
    | KindSet.Map -> data [ Data.Map [| KeyValuePair(Data.String "a", Data.Int 1I) |]; Data.Map [||] ]
    | KindSet.Set -> data [ Data.Set [| Data.Int 1I |]; Data.Set [||] ]
    | KindSet.Function -> [ Given.Function ]
    | other -> invalidOp $"no single kind: {other}"

let dataOf given =
    match given with
    | Given.Data data -> data
    | Given.Function
    | Given.Same _ -> invalidOp "A constant is data."

/// What the model says, then edges in every combination, a bounded number of them.
let private valuations (case: Case) (model: Map<string, string>) : Valuation seq =
    let instance = case.Instance

    let openConstants = [
        for KeyValue(name, constant) in instance.Constants do
            match constant with
            | Constant.Open kind -> name, kind
            | Constant.Data _ -> ()
    ]

    let fixedConstants =
        instance.Constants
        |> Map.toList
        |> List.choose (fun (name, constant) ->
            match constant with
            | Constant.Open _ -> None
            | Constant.Data data -> Some(name, data))

    let inputs =
        instance.Kinds
        |> Map.toList
        |> List.filter (fun (input, _) -> not (Map.containsKey input instance.Aliases))

    let aliases = [ for KeyValue(input, other) in instance.Aliases -> input, Given.Same other ]

    let valuation constants inputs = {
        Constants = Map.ofList (fixedConstants @ constants)
        Inputs = Map.ofList (inputs @ aliases)
    }

    let rec combinations (items: ('a * Given list) list) : ('a * Given) list seq =
        match items with
        | [] -> Seq.singleton []
        | (item, values) :: rest ->
            seq {
                for value in values do
                    for others in combinations rest -> (item, value) :: others
            }

    seq {
        valuation [
            for name, kind in openConstants -> name, dataOf (ofModel model kind (constantSymbol name))
        ] [ for input, kind in inputs -> input, ofModel model kind (symbolOf input) ]

        for constants in combinations [ for name, kind in openConstants -> name, edges kind ] do
            for values in combinations [ for input, kind in inputs -> input, edges kind ] do
                valuation [ for name, value in constants -> name, dataOf value ] values
    }
    |> Seq.truncate 100

// Running.

let private instructionText (program: Program) (i: LoadedInstruction) =
    let operand (o: Operand) value =
        match o.Kind with
        | OperandKind.Constant -> dataText program.Constants[value]
        | OperandKind.Name -> program.Names[value]
        | OperandKind.Register -> "r" + string value
        | OperandKind.Function
        | OperandKind.Target
        | OperandKind.Count
        | OperandKind.Results
        | OperandKind.Amount -> string value

    String.Join(
        " ",
        i.Info.Mnemonic
        :: (List.zip (List.ofArray i.Info.Operands) (List.truncate i.Info.Operands.Length [ i.A; i.B; i.C ])
            |> List.map (fun (o, value) -> operand o value))
    )

/// Each instruction of the code with the operand stack that it leaves.
let private lines (loaded: Loaded) (context: Context) first length : Line list =
    let rec go s acc =
        let at = s.Frame.Instruction
        let isInside = at >= first && at < first + length

        let line stack = {
            Instruction = instructionText loaded.Program loaded.Functions[s.Frame.Function].Code[at]
            Stack = stack
        }

        match Machine.step s with
        | Machine.Step.Running next ->
            let acc = if isInside then line (stackText next) :: acc else acc

            go next acc
        | Machine.Step.Finished(_, Machine.Ending.Faulted(fault, _, _, _, _)) when isInside ->
            List.rev (line ("fault " + fault.Name) :: acc)
        | Machine.Step.Finished _ -> List.rev acc
        | Machine.Step.Opaque(operation, _, _) ->
            invalidOp ("The operation " + operation + " on known values is opaque.")

    go (Machine.start loaded context) []

let private knownComputed constants expression =
    match compute (scratchUnder replayLimits) constants expression with
    | [ { Result = Some plain } ] -> plain
    | _ -> Plain.Null

let private vm = new Threading.ThreadLocal<Vm>(fun () -> new Vm())

let private generous = 100_000_000L

/// The gas used when the code's first instruction is reached.
let private gasBefore (loaded: Loaded) (context: Context) first =
    let rec go (s: State) =
        if s.Frame.Instruction = first then
            match s.GasUsed with
            | Int.Known n -> int64 n
            | Int.Symbolic _ -> invalidOp "A run on known values has a known gas."
        else
            match Machine.step s with
            | Machine.Step.Running next -> go next
            | Machine.Step.Finished _
            | Machine.Step.Opaque _ -> invalidOp "The code around an instance leads to it."

    go (Machine.start loaded context)

/// Which limits to try: none that lacks, or every shortage that the code can meet.
[<RequireQualifiedAccess>]
type private Gas =
    | Enough
    | Short
    | At of int64

/// The most shortages that are tried with one valuation.
let private mostShortages = 200L

let private tryOne (case: Case) (index: int, valuation: Valuation) (guarded: bool) (gas: Gas) : Replayed option =
    let constants = valuation.Constants |> Map.map (fun _ data -> Plain.ofData data)

    let given input =
        match Map.tryFind input valuation.Inputs with
        | Some given -> given
        // Nothing asks for its kind: a mark that shows where it went.
        | None -> Given.Data(Data.String("<" + symbolOf input + ">"))

    let host =
        host replayLimits PatternCharges.Static case.Instance constants (knownComputed constants) given guarded

    let left, right = host.Left, host.Right

    let at limit =
        context (Int.Known(bigint (limit: int64)))

    let limits =
        match gas with
        | Gas.Enough -> Seq.singleton generous
        | Gas.At limit -> Seq.singleton limit
        | Gas.Short ->
            let before = gasBefore left (at generous) host.First
            let used = int64 (bigint.Min((ofOracle left (at generous)).Gas, bigint generous))
            seq { before .. min used (before + mostShortages) }

    limits
    |> Seq.tryPick (fun limit ->
        let oracleLeft = ofOracle left (at limit)
        let oracleRight = ofOracle right (at limit)

        if oracleLeft = oracleRight then
            None
        else
            let engineLeft = sourceForEngine replayLimits host
            let engineRight = ZexusProgram.Load(forEngine host, replayLimits)

            Some {
                Valuation = valuation
                Trial = {
                    Index = index
                    Guarded = guarded
                    GasLimit = limit
                }
                Program = host.Program
                GasLimit = limit
                Left = lines left (at limit) host.First host.PatternLength
                Right = lines right (at limit) host.First host.ReplacementLength
                OracleLeft = oracleLeft
                OracleRight = oracleRight
                EngineLeft = ofEngine vm.Value engineLeft limit
                EngineRight = ofEngine vm.Value engineRight limit
            })

/// Do the values keep the preconditions that are left? Kinds and exact constants they keep by how they were chosen.
let private keeps (preconditions: Precondition list) (valuation: Valuation) =
    preconditions
    |> List.forall (fun p ->
        match p with
        | :? Precondition.StackSmall as k ->
            match Map.tryFind (Input.Stack k.Depth) valuation.Inputs with
            | Some(Given.Data data) -> hasNoSize (Plain.ofData data)
            | Some(Given.Function | Given.Same _)
            | None -> true
        | :? Precondition.ConstantSmall as k -> hasNoSize (Plain.ofData valuation.Constants[k.Constant])
        | :? Precondition.ConstantTruth as k ->
            let truth = truthOf (Plain.ofData valuation.Constants[k.Constant])
            (truth = Formula.always) = k.Truth
        | :? Precondition.Evaluates as k ->
            let constants = valuation.Constants |> Map.map (fun _ data -> Plain.ofData data)

            match compute (scratchUnder replayLimits) constants k.Expression with
            | [ { Result = Some _ } ] -> true
            | _ -> false
        | _ -> true)

/// A model's constant may be longer than the limits of a replay: then it is no program here.
let private tryReadable case valuation guarded gas =
    try
        tryOne case valuation guarded gas
    with NotReadable _ ->
        None

let private allowed (case: Case) model =
    valuations case model |> Seq.filter (keeps case.Instance.Preconditions) |> Seq.indexed

let private search (case: Case) (model: Map<string, string>) (plan: (Gas * int) list) : Replayed option =
    let kept = allowed case model |> Seq.cache

    let tried =
        seq {
            for gas, most in plan do
                for valuation in Seq.truncate most kept do
                    for guarded in [ false; true ] do
                        match tryReadable case valuation guarded gas with
                        | Some replayed -> replayed
                        | None -> ()
        }
        |> Seq.cache

    match tried |> Seq.tryFind _.IsConfirmed with
    | Some confirmed -> Some confirmed
    | None -> Seq.tryHead tried

/// A confirmed counterexample of a case, if its model or an edge near it is one; else one that the oracle shows and the engine does not.
let find (case: Case) (model: Map<string, string>) : Replayed option =
    search case model [ Gas.Enough, Int32.MaxValue; Gas.Short, 16 ]

/// A confirmed counterexample among a few edges, before a solver is asked.
let findAtEdges (case: Case) : Replayed option =
    search case Map.empty [ Gas.Enough, 12; Gas.Short, 3 ] |> Option.filter _.IsConfirmed

/// The same trial of a case again, if it is confirmed again.
let again (trial: Trial) (case: Case) : Replayed option =
    allowed case Map.empty
    |> Seq.tryItem trial.Index
    |> Option.bind (fun valuation -> tryReadable case valuation trial.Guarded (Gas.At trial.GasLimit))
    |> Option.filter _.IsConfirmed
