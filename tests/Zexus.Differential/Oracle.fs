namespace Zexus.Differential

open System
open System.Collections.Generic
open Zexus.Isa

/// The rule branches that a suite must reach, and which of them it has reached.
[<Sealed>]
type Coverage() =
    /// Two strings are these two objects: rules and branches come from literals, so nearly all are found by that.
    static let byReference = {
        new IEqualityComparer<struct (string * string)> with
            member _.Equals(struct (a, b), struct (c, d)) =
                Object.ReferenceEquals(a, c) && Object.ReferenceEquals(b, d)

            member _.GetHashCode(struct (a, b)) =
                Runtime.CompilerServices.RuntimeHelpers.GetHashCode a * 31
                + Runtime.CompilerServices.RuntimeHelpers.GetHashCode b
    }

    static let all = List.toArray Zexus.Spec.Branches.all

    static let index =
        let table = Dictionary<Zexus.Spec.Branch, int>()

        for i in 0 .. all.Length - 1 do
            table[all[i]] <- i

        table

    let counts: int64[] = Array.zeroCreate all.Length
    let found = Dictionary<struct (string * string), int>(byReference)
    let undeclared = HashSet<string>()

    /// Names of all declared branches.
    static member Names = all |> Array.map Zexus.Spec.Branches.name

    static member IndexOf(branch: Zexus.Spec.Branch) =
        match index.TryGetValue branch with
        | true, i -> i
        | false, _ -> -1

    member _.Reach(branch: Zexus.Spec.Branch) =
        let rule, name = branch

        match found.TryGetValue(struct (rule, name)) with
        | true, i -> counts[i] <- counts[i] + 1L
        | false, _ ->
            match index.TryGetValue branch with
            | true, i ->
                counts[i] <- counts[i] + 1L

                if found.Count < 4 * all.Length then
                    found[struct (rule, name)] <- i
            | false, _ -> undeclared.Add(Zexus.Spec.Branches.name branch) |> ignore

    member _.Add(branch: int, times: int64) =
        counts[branch] <- counts[branch] + times

    member _.AddUndeclared(name: string) = undeclared.Add name |> ignore
    member _.Counts = counts

    /// Branches that the oracle reported and the list does not have.
    member _.Undeclared = Seq.sort undeclared |> Seq.toArray

    member _.Reached = counts |> Seq.filter (fun n -> n > 0L) |> Seq.length

    member _.Missing = [|
        for i in 0 .. counts.Length - 1 do
            if counts[i] = 0L then
                Coverage.Names[i]
    |]

/// The specification, run on a case.
[<RequireQualifiedAccess>]
module Oracle =
    open Zexus.Spec

    let private known kind =
        invalidOp $"The oracle made a symbolic {kind} of known values."

    let knownInt (n: Int) =
        match n with
        | Int.Known n -> n
        | Int.Symbolic _ -> known "Int"

    let knownBool (b: Bool) =
        match b with
        | Bool.Known b -> b
        | Bool.Symbolic _ -> known "Bool"

    let knownFloat (x: Float) =
        match x with
        | Float.Known x -> x
        | Float.Symbolic _ -> known "Float"

    let knownText (s: Str) =
        match s with
        | Str.Known s -> s
        | Str.Symbolic _ -> known "String"

    let kind (value: Value) =
        match value with
        | Value.Of kind -> kind
        | Value.Unknown _ -> known "value"

    let rec data (plain: Plain) : Data =
        match plain with
        | Plain.Null -> Data.Null
        | Plain.Bool b -> Data.Bool(knownBool b)
        | Plain.Int n -> Data.Int(knownInt n)
        | Plain.Float x -> Data.Float(knownFloat x)
        | Plain.String s -> Data.String(knownText s)
        | Plain.List items -> Data.List [| for item in items -> data item |]
        | Plain.Map entries -> Data.Map [| for key, value in entries -> Tree.pair (data key) (data value) |]
        | Plain.Set items -> Data.Set [| for item in items -> data item |]

    let private state (pairs: KeyValuePair<string, Data>[]) =
        Map.ofArray [| for entry in pairs -> entry.Key, Plain.ofData entry.Value |]

    /// The contracts of a case that load.
    let contracts (case: Case) : Map<string, Contract> =
        Map.ofArray [|
            for contract in case.Contracts do
                match Validation.validate case.Limits contract.Program with
                | Ok loaded ->
                    contract.Id,
                    {
                        Loaded = loaded
                        State = state contract.State
                    }
                | Error _ -> ()
        |]

    /// `answer`: name, number of the call, arguments.
    let context
        (case: Case)
        (contracts: Map<string, Contract>)
        (answer: Zexus.Differential.HostFunction -> int -> Data[] -> Result<Data, Data>)
        : Context = {
        Entry = {
            Function = case.Entry
            Arguments = [ for argument in case.Arguments -> Plain.ofData argument ]
        }
        GasLimit = Int.Known(bigint case.GasLimit)
        Timestamp = bigint case.Block.Timestamp
        Height = bigint case.Block.Height
        Caller = case.Block.Caller
        State = state case.State
        Host =
            Map.ofArray [|
                for f in case.Hosts ->
                    f.Name,
                    {
                        Arity = f.Arity
                        Gas = bigint f.Gas
                        Answer =
                            fun call arguments ->
                                match answer f call [| for a in arguments -> data a |] with
                                | Ok value -> HostOutcome.Returned(Plain.ofData value)
                                | Error value -> HostOutcome.Thrown(Plain.ofData value)
                    }
            |]
        VerifySignature = ReferenceSignatures.verify
        Contract = case.Contract
        Contracts = contracts
    }

    /// The rest of an execution, `visit` called with every state that a step is about to be made from.
    let follow (visit: State -> unit) (start: State) : State * Machine.Ending =
        let rec go s =
            visit s

            match Machine.step s with
            | Machine.Step.Running next -> go next
            | Machine.Step.Finished(last, ending) -> last, ending
            | Machine.Step.Opaque(operation, _, _) -> invalidOp $"The operation {operation} on known values is opaque."

        go start

    /// The whole execution, `visit` called with every state that a step leads to.
    let run (case: Case) (loaded: Loaded) (visit: State -> unit) : State * Machine.Ending * int64 =
        let mutable steps = 0L

        let last, ending =
            Machine.start
                loaded
                (context case (contracts case) (fun f _ arguments -> Host.call case.Limits f arguments))
            |> follow (fun s ->
                if steps > 0L then
                    visit s

                steps <- steps + 1L)

        visit last
        last, ending, steps
