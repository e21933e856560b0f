namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Numerics
open System.Text
open Zexus.Isa

/// What a host function of a case does with its arguments. Deterministic, so that a saved case is the whole story.
[<RequireQualifiedAccess>]
type HostBehaviour =
    /// Returns this.
    | Returns of Data
    /// Faults with this.
    | Throws of Data
    /// Returns the list of its arguments.
    | Echoes
    /// Faults with its first argument (Null when it takes none).
    | ThrowsFirst
    /// Returns its first argument when that is true, and faults with the second otherwise.
    | Checks

/// A host function: what the program may call by this name.
type HostFunction = {
    Name: string
    Arity: int
    Gas: int64
    Behaviour: HostBehaviour
}

/// What the host says about the block that the program runs in.
type Block = {
    Timestamp: int64
    Height: int64
    Caller: string
}

/// A contract that the program, or another contract, can call. If its program does not load, there is no such contract.
type CaseContract = {
    Id: string
    Program: Program
    State: KeyValuePair<string, Data>[]
}

/// One thing to check: a program and everything that its execution depends on.
type Case = {
    Program: Program
    Limits: Limits
    /// The function that it begins in, and what that is given.
    Entry: int
    Arguments: Data[]
    GasLimit: int64
    /// When set, the case runs twice: then once more with this share (of 2^32) of the gas it used as its limit.
    GasShare: uint32 option
    Block: Block
    State: KeyValuePair<string, Data>[]
    Hosts: HostFunction[]
    /// The id under which the program executes, and what it can call.
    Contract: string
    Contracts: CaseContract[]
}

/// Plain data as the cases need it: key equality, sizes, text.
[<RequireQualifiedAccess>]
module Tree =
    let nan = BitConverter.Int64BitsToDouble 0x7FF8000000000000L

    let ofInt (n: int) = Data.Int(BigInteger n)
    let pair key value = KeyValuePair<Data, Data>(key, value)

    let isTrue (data: Data) =
        match data with
        | Data.Null -> false
        | Data.Bool b -> b
        | Data.Int n -> not n.IsZero
        | Data.Float x -> x <> 0.0
        | Data.String s -> s <> ""
        | Data.List items
        | Data.Set items -> items.Length > 0
        | Data.Map entries -> entries.Length > 0

    let isKey (data: Data) =
        match data with
        | Data.Null
        | Data.Bool _
        | Data.Int _
        | Data.String _ -> true
        | Data.Float x -> not (Double.IsNaN x)
        | Data.List _
        | Data.Map _
        | Data.Set _ -> false

    /// The one form among all keys that are EQ to this one; structural equality on these forms is EQ on keys.
    let canonicalKey (data: Data) =
        match data with
        | Data.Bool b -> Data.Int(if b then BigInteger.One else BigInteger.Zero)
        | Data.Float x when Double.IsFinite x && Math.Floor x = x -> Data.Int(BigInteger x)
        | key -> key

    /// Of entries with equal keys, the first.
    let distinctEntries (entries: KeyValuePair<Data, Data> seq) =
        let seen = HashSet<Data>()
        entries |> Seq.filter (fun e -> seen.Add(canonicalKey e.Key)) |> Seq.toArray

    let distinctItems (items: Data seq) =
        let seen = HashSet<Data>()
        items |> Seq.filter (fun item -> seen.Add(canonicalKey item)) |> Seq.toArray

    let scalars (s: string) =
        let mutable n = 0
        let mutable i = 0

        while i < s.Length do
            i <-
                i
                + (if Char.IsHighSurrogate s[i] && i + 1 < s.Length && Char.IsLowSurrogate s[i + 1] then
                       2
                   else
                       1)

            n <- n + 1

        n

    let children (data: Data) =
        match data with
        | Data.List items
        | Data.Set items -> items
        | Data.Map entries -> entries |> Array.collect (fun e -> [| e.Key; e.Value |])
        | Data.Null
        | Data.Bool _
        | Data.Int _
        | Data.Float _
        | Data.String _ -> [||]

    /// The smallest limits that this data is within (CallDepth aside), given those for what was seen so far.
    let rec needs (limits: Limits) (depth: int) (data: Data) : Limits =
        match data with
        | Data.Null
        | Data.Bool _
        | Data.Float _ -> limits
        | Data.Int n -> {
            limits with
                IntegerBits = max limits.IntegerBits (int (n.GetBitLength()))
          }
        | Data.String s -> {
            limits with
                StringLength = max limits.StringLength (scalars s)
          }
        | Data.List _
        | Data.Map _
        | Data.Set _ ->
            let count =
                match data with
                | Data.List items
                | Data.Set items -> items.Length
                | Data.Map entries -> entries.Length
                | _ -> 0

            children data
            |> Array.fold (fun l child -> needs l (depth + 1) child) {
                limits with
                    CollectionLength = max limits.CollectionLength count
                    Nesting = max limits.Nesting (depth + 1)
            }

    /// As a reader of a report sees it.
    let rec show (data: Data) : string =
        match data with
        | Data.Null -> "null"
        | Data.Bool b -> if b then "true" else "false"
        | Data.Int n ->
            if n.GetBitLength() > 256L then
                $"{n.Sign}:int of {n.GetBitLength()} bits"
            else
                n.ToString()
        | Data.Float x ->
            if Double.IsNaN x then
                let bits = BitConverter.DoubleToInt64Bits x

                if bits = 0x7FF8000000000000L then
                    "nan"
                else
                    $"nan:0x{bits:X16}"
            else
                let text = x.ToString("R", Globalization.CultureInfo.InvariantCulture)

                if text |> Seq.forall (fun c -> Char.IsDigit c || c = '-') then
                    text + ".0"
                else
                    text
        | Data.String s -> quote s
        | Data.List items -> "[" + String.Join(", ", Array.map show items) + "]"
        | Data.Set items -> "#{" + String.Join(", ", Array.map show items) + "}"
        | Data.Map entries ->
            "{" + String.Join(", ", entries |> Array.map (fun e -> show e.Key + ": " + show e.Value)) + "}"

    and quote (s: string) : string =
        let text = StringBuilder("\"")
        let cut = s.Length > 200

        for c in (if cut then s.Substring(0, 200) else s) do
            match c with
            | '"' -> text.Append "\\\"" |> ignore
            | '\\' -> text.Append "\\\\" |> ignore
            | '\n' -> text.Append "\\n" |> ignore
            | c when c < ' ' || c = '\u007f' || Char.IsSurrogate c -> text.Append($"\\u{int c:x4}") |> ignore
            | c -> text.Append c |> ignore

        text.Append(if cut then $"\"… ({s.Length} units)" else "\"").ToString()

/// What the host of a case answers.
[<RequireQualifiedAccess>]
module Host =
    /// Ok: the value returned. Error: the value thrown. What a host hands in keeps the limits, even where an argument does not
    /// (a hash is longer than a small StringLength): then it returns Null.
    let call (limits: Limits) (f: HostFunction) (arguments: Data[]) : Result<Data, Data> =
        let argument i =
            if i < arguments.Length then arguments[i] else Data.Null

        let outcome =
            match f.Behaviour with
            | HostBehaviour.Returns data -> Ok data
            | HostBehaviour.Throws data -> Error data
            | HostBehaviour.Echoes -> Ok(Data.List arguments)
            | HostBehaviour.ThrowsFirst -> Error(argument 0)
            | HostBehaviour.Checks ->
                if Tree.isTrue (argument 0) then
                    Ok(argument 0)
                else
                    Error(argument 1)

        match outcome with
        | Ok data
        | Error data ->
            if Tree.needs limits 0 data = limits then
                outcome
            else
                Ok Data.Null

    let emptyBlock = {
        Timestamp = 0L
        Height = 0L
        Caller = ""
    }

/// Heights of the operand stack by the rule of the validation, for those who change programs. -1: nothing reaches the instruction.
[<RequireQualifiedAccess>]
module Heights =
    let private countOf (info: OpcodeInfo) (i: Instruction) =
        let mutable n = 0

        for k in 0 .. info.Operands.Length - 1 do
            match info.Operands[k].Kind with
            | OperandKind.Count
            | OperandKind.Results ->
                n <-
                    int (
                        match k with
                        | 0 -> i.A
                        | 1 -> i.B
                        | _ -> i.C
                    )
            | _ -> ()

        n

    let targetOf (info: OpcodeInfo) (i: Instruction) =
        if info.Operands.Length > 0 && info.Operands[0].Kind = OperandKind.Target then
            ValueSome(int i.A)
        else
            ValueNone

    /// Cells taken and left.
    let effect (info: OpcodeInfo) (i: Instruction) =
        let n = countOf info i
        let e = info.Effect
        struct (e.Pops + e.PopsPerCount * n, e.Pushes + e.PushesPerCount * n)

    let effectOf (i: Instruction) =
        match InstructionSet.TryFind i.Number with
        | true, info -> effect info i
        | false, _ -> struct (0, 0)

    /// None when the code has no consistent heights (or an operand is out of range).
    let compute (code: Instruction[]) : int[] option =
        let heights = Array.create code.Length -1
        let pending = Stack<int>()
        let mutable ok = true

        let reach at height =
            if at < 0 || at > code.Length || height > Limits.OperandStackHeight then
                ok <- false
            elif at < code.Length then
                if heights[at] = -1 then
                    heights[at] <- height
                    pending.Push at
                elif heights[at] <> height then
                    ok <- false

        reach 0 0

        while ok && pending.Count > 0 do
            let at = pending.Pop()

            match InstructionSet.TryFind code[at].Number with
            | false, _ -> ok <- false
            | true, info ->
                let struct (pops, pushes) = effect info code[at]

                if heights[at] < pops || pops < 0 || pushes < 0 then
                    ok <- false
                else
                    let next = heights[at] - pops + pushes

                    match info.Flow with
                    | Flow.Next -> reach (at + 1) next
                    | Flow.Jump -> reach (int code[at].A) next
                    | Flow.Branch ->
                        reach (at + 1) next
                        reach (int code[at].A) next
                    | Flow.Try ->
                        reach (at + 1) next
                        reach (int code[at].A) (next + 1)
                    | Flow.Leave -> ()

        if ok then Some heights else None
