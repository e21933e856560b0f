namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Numerics
open Zexus.Isa

/// Smaller cases that may still show the same divergence. Jump targets stay on their instructions and stack heights stay consistent:
/// what is cut out is replaced by the pushes or pops that it amounted to.
[<RequireQualifiedAccess>]
module Shrink =
    let private number opcode = (InstructionSet.Of opcode).Number
    let private loadConst = number Opcode.LOAD_CONST
    let private popNumber = number Opcode.POP
    let private nopNumber = number Opcode.NOP

    /// The gas of a case in which gas plays no part.
    let plentyOfGas = 100_000L

    // Weight: every accepted step makes it smaller, so shrinking ends.

    let rec private weightOf (data: Data) : int64 =
        match data with
        | Data.Null -> 0L
        | Data.Bool b -> if b then 2L else 1L
        | Data.Int n -> 2L + n.GetBitLength() + (if n.Sign < 0 then 1L else 0L)
        | Data.Float x ->
            if Double.IsInteger x && abs x < 1000.0 then
                6L + int64 (abs x) + (if Double.IsNegative x then 1L else 0L)
            else
                20L + int64 (BitOperations.PopCount(uint64 (BitConverter.DoubleToInt64Bits x)))
        | Data.String s ->
            3L
            + (s
               |> Seq.sumBy (fun c ->
                   if c = 'a' then 1L
                   elif c < '\u0080' then 2L
                   else 3L))
        | Data.List items
        | Data.Set items -> 5L + Array.sumBy weightOf items + int64 items.Length
        | Data.Map entries -> 6L + (entries |> Array.sumBy (fun e -> 1L + weightOf e.Key + weightOf e.Value))

    let private instructionWeight (i: Instruction) =
        if i.Number = nopNumber then
            20L
        elif i.Number = popNumber then
            30L
        elif i.Number = loadConst then
            31L
        else
            40L + (if i.B <> 0L then 1L else 0L) + (if i.C <> 0L then 1L else 0L)

    let private limitsWeight (l: Limits) =
        let d = Limits.Default

        Seq.sum [
            for a, b in
                [
                    l.CallDepth, d.CallDepth
                    l.IntegerBits, d.IntegerBits
                    l.StringLength, d.StringLength
                    l.CollectionLength, d.CollectionLength
                    l.Nesting, d.Nesting
                ] do
                if a <> b then
                    30L + int64 (32 - BitOperations.LeadingZeroCount(uint32 a))
        ]

    let private hostWeight (h: HostFunction) =
        30L
        + int64 h.Arity
        + (if h.Gas = 0L then 0L else 3L)
        + (match h.Behaviour with
           | HostBehaviour.Returns d
           | HostBehaviour.Throws d -> weightOf d
           | HostBehaviour.Echoes
           | HostBehaviour.ThrowsFirst
           | HostBehaviour.Checks -> 5L)

    let private programWeight (program: Program) : int64 =
        (program.Functions
         |> Array.sumBy (fun f ->
             60L
             + (f.Code |> Array.sumBy instructionWeight)
             + int64 f.Name.Length
             + 4L * int64 (f.Parameters.Length + f.Locals.Length + f.Captures.Length)))
        + (program.Constants |> Array.sumBy (fun c -> 1L + weightOf c))
        + (program.Names |> Array.sumBy (fun n -> 2L + int64 n.Length))

    let weight (case: Case) : int64 =
        programWeight case.Program
        + limitsWeight case.Limits
        + (case.State |> Array.sumBy (fun e -> 10L + weightOf e.Value))
        + (if case.Entry = 0 then 0L else 10L)
        + (case.Arguments |> Array.sumBy (fun a -> 10L + weightOf a))
        + (case.Hosts |> Array.sumBy hostWeight)
        + (if case.Contract = "" then 0L else 4L)
        + (case.Contracts
           |> Array.sumBy (fun c ->
               60L + programWeight c.Program + (c.State |> Array.sumBy (fun e -> 10L + weightOf e.Value))))
        + (if case.GasLimit = plentyOfGas then
               0L
           else
               40L + (64L - int64 (BitOperations.LeadingZeroCount(uint64 case.GasLimit))) * 2L)
        + (if case.GasShare.IsSome then 20L else 0L)
        + (if case.Block.Timestamp = 0L then 0L else 4L)
        + (if case.Block.Height = 0L then 0L else 4L)
        + (if case.Block.Caller = "" then 0L else 4L)

    // Edits of code.

    let private put (at: int) (item: 'a) (items: 'a[]) =
        let copy = Array.copy items
        copy[at] <- item
        copy

    let private without (at: int) (items: 'a[]) =
        Array.append items[.. at - 1] items[at + 1 ..]

    let private withFunction (case: Case) (at: int) (f: FunctionDefinition) = {
        case with
            Program = {
                case.Program with
                    Functions = put at f case.Program.Functions
            }
    }

    /// The index of Null among the constants, which are given one if need be.
    let private withNull (case: Case) =
        match case.Program.Constants |> Array.tryFindIndex (fun c -> c.Equals Data.Null) with
        | Some i -> case, i
        | None ->
            {
                case with
                    Program = {
                        case.Program with
                            Constants = Array.append case.Program.Constants [| Data.Null |]
                    }
            },
            case.Program.Constants.Length

    let private isJump (i: Instruction) =
        match InstructionSet.TryFind i.Number with
        | true, info -> (Heights.targetOf info i).IsSome
        | false, _ -> false

    /// Code with [first, past) replaced; `land` says where a jump into the middle of it goes: true, behind the replacement.
    let private splice (code: Instruction[]) first past (replacement: Instruction[]) (landsBehind: int -> bool) =
        let shift = replacement.Length - (past - first)

        let move (i: Instruction) =
            if isJump i then
                let t = i.A

                let target =
                    if t <= int64 first then
                        t
                    elif t >= int64 past then
                        t + int64 shift
                    elif landsBehind (int t) then
                        int64 (first + replacement.Length)
                    else
                        int64 first

                { i with A = target }
            else
                i

        Array.concat [ Array.map move code[.. first - 1]; replacement; Array.map move code[past..] ]

    let private staticGas (code: Instruction[]) first past =
        let mutable sum = 0L

        for i in first .. past - 1 do
            match InstructionSet.TryFind code[i].Number with
            | true, info ->
                sum <- sum + int64 info.Gas

                // A charge that does not fit any limit is none to take off one.
                if info.Opcode = Opcode.GAS_CHARGE && code[i].A < (1L <<< 40) then
                    sum <- sum + code[i].A
            | false, _ -> ()

        sum

    /// [first, past) cut out, with the pushes or pops that keep the heights.
    let private cut (case: Case) (at: int) (heights: int[] option) first past : Case =
        let f = case.Program.Functions[at]
        let code = f.Code

        match heights with
        | None ->
            withFunction case at {
                f with
                    Code = splice code first past [||] (fun _ -> false)
            }
        | Some heights ->
            let before = heights[first]
            let after = if past < code.Length then heights[past] else -1

            if before < 0 || after < 0 || before = after then
                withFunction case at {
                    f with
                        Code = splice code first past [||] (fun t -> heights[t] = after)
                }
            elif after > before then
                let case, nothing = withNull case
                let push = Instruction.Of(loadConst, int64 nothing, 0L, 0L)
                let replacement = Array.create (after - before) push

                withFunction case at {
                    f with
                        Code = splice code first past replacement (fun t -> heights[t] = after)
                }
            else
                let replacement =
                    Array.create (before - after) (Instruction.Of(popNumber, 0L, 0L, 0L))

                withFunction case at {
                    f with
                        Code = splice code first past replacement (fun t -> heights[t] = after)
                }

    /// The same with the static gas of what went taken off the limit, for cases that are about gas.
    let private poorer (case: Case) gas =
        if case.GasLimit <> plentyOfGas && gas > 0L then
            [
                {
                    case with
                        GasLimit = max 0L (case.GasLimit - gas)
                }
            ]
        else
            []

    // Edits of tables.

    let private functionOperand (info: OpcodeInfo) =
        info.Operands |> Array.tryFindIndex (fun o -> o.Kind = OperandKind.Function)

    let private mapOperands (change: OperandKind -> int64 -> int64) (i: Instruction) =
        match InstructionSet.TryFind i.Number with
        | false, _ -> i
        | true, info ->
            let at k value =
                if k < info.Operands.Length then
                    change info.Operands[k].Kind value
                else
                    value

            Instruction.Of(i.Number, at 0 i.A, at 1 i.B, at 2 i.C)

    let private mapCode change (program: Program) = {
        program with
            Functions =
                program.Functions
                |> Array.map (fun f -> {
                    f with
                        Code = Array.map (mapOperands change) f.Code
                })
    }

    /// Indices of a table that some instruction has as an operand.
    let private used (kind: OperandKind) (program: Program) =
        let seen = HashSet<int64>()

        for f in program.Functions do
            for i in f.Code do
                i
                |> mapOperands (fun k value ->
                    if k = kind then
                        seen.Add value |> ignore

                    value)
                |> ignore

        seen

    let private dropFunction (case: Case) at =
        let program =
            mapCode
                (fun kind value ->
                    if kind = OperandKind.Function && value > int64 at then
                        value - 1L
                    else
                        value)
                case.Program

        let entry, arguments =
            if case.Entry > at then case.Entry - 1, case.Arguments
            elif case.Entry < at then case.Entry, case.Arguments
            else 0, [||]

        {
            case with
                Entry = entry
                Arguments = arguments
                Program = {
                    program with
                        Functions = without at program.Functions
                }
        }

    /// Each constant once.
    let private unify (case: Case) =
        let constants = Array.distinct case.Program.Constants

        let place =
            case.Program.Constants |> Array.map (fun c -> int64 (Array.IndexOf(constants, c)))

        let program =
            mapCode
                (fun kind value ->
                    if kind = OperandKind.Constant && value >= 0L && value < int64 place.Length then
                        place[int value]
                    else
                        value)
                case.Program

        {
            case with
                Program = { program with Constants = constants }
        }

    let private dropConstant (case: Case) at =
        let program =
            mapCode
                (fun kind value ->
                    if kind = OperandKind.Constant && value > int64 at then
                        value - 1L
                    else
                        value)
                case.Program

        {
            case with
                Program = {
                    program with
                        Constants = without at program.Constants
                }
        }

    let private dropName (case: Case) at =
        let program =
            mapCode
                (fun kind value ->
                    if kind = OperandKind.Name && value > int64 at then
                        value - 1L
                    else
                        value)
                case.Program

        {
            case with
                Program = {
                    program with
                        Names = without at program.Names
                }
        }

    // Simpler data.

    let rec private simpler (data: Data) : Data seq =
        seq {
            match data with
            | Data.Null -> ()
            | Data.Bool b ->
                Data.Null

                if b then
                    Data.Bool false
            | Data.Int n ->
                Data.Null

                for small in [ 0; 1; 2 ] do
                    if n <> BigInteger small then
                        Tree.ofInt small

                if n.Sign < 0 then
                    Data.Int -n

                Data.Int(n / BigInteger 2)

                // Powers of two and their neighbours are what boundaries are made of.
                if n.GetBitLength() > 4L then
                    let bits = int (n.GetBitLength())
                    Data.Int(BigInteger.One <<< (bits - 1))
                    Data.Int((n >>> (bits / 2)))

                Data.Int(n - BigInteger(n.Sign))
            | Data.Float x ->
                Data.Null
                Data.Float 0.0
                Data.Float 1.0

                if Double.IsFinite x then
                    Data.Float(Math.Truncate x)
                    Data.Float(x / 2.0)
                    Data.Float(abs x)

                    if Math.Floor x = x && abs x < 1e15 then
                        Data.Int(BigInteger x)
            | Data.String s ->
                Data.Null
                Data.String ""

                if s.Length > 1 then
                    let runes = [| for rune in s.EnumerateRunes() -> rune.ToString() |]
                    let n = runes.Length
                    Data.String(String.Concat runes[.. n / 2 - 1])
                    Data.String(String.Concat runes[n / 2 ..])
                    Data.String(String.Concat runes[1..])

                    if n > 0 then
                        Data.String(String.Concat runes[.. n - 2])

                if s |> Seq.exists (fun c -> c <> 'a') then
                    Data.String(String('a', Tree.scalars s))

                if s |> Seq.exists (fun c -> c > '\u007f') then
                    Data.String(String.Concat(s |> Seq.map (fun c -> if c > '\u007f' then 'a' else c)))
            | Data.List items ->
                Data.Null
                Data.List [||]
                yield! items

                for i in 0 .. items.Length - 1 do
                    Data.List(without i items)

                for i in 0 .. items.Length - 1 do
                    for item in simpler items[i] do
                        Data.List(put i item items)
            | Data.Set items ->
                Data.Null
                Data.Set [||]

                for i in 0 .. items.Length - 1 do
                    Data.Set(without i items)

                for i in 0 .. items.Length - 1 do
                    for item in simpler items[i] do
                        let all = put i item items

                        if (Tree.distinctItems all).Length = all.Length then
                            Data.Set all
            | Data.Map entries ->
                Data.Null
                Data.Map [||]

                for entry in entries do
                    entry.Value

                for i in 0 .. entries.Length - 1 do
                    Data.Map(without i entries)

                for i in 0 .. entries.Length - 1 do
                    for value in simpler entries[i].Value do
                        Data.Map(put i (KeyValuePair(entries[i].Key, value)) entries)

                    for key in simpler entries[i].Key do
                        let all = put i (KeyValuePair(key, entries[i].Value)) entries

                        if (Tree.distinctEntries all).Length = all.Length then
                            Data.Map all
        }

    // The edits, boldest first. Each is worked out only when its turn comes.

    let private surroundings (case: Case) : (unit -> Case) seq =
        seq {
            if case.GasShare.IsSome then
                fun () -> { case with GasShare = None }

            if case.GasLimit <> plentyOfGas then
                fun () -> { case with GasLimit = plentyOfGas }

            if case.Limits <> Limits.Default then
                fun () -> { case with Limits = Limits.Default }

            if case.Hosts.Length > 0 then
                fun () -> { case with Hosts = [||] }

            if case.State.Length > 0 then
                fun () -> { case with State = [||] }

            if case.Contracts.Length > 0 then
                fun () -> { case with Contracts = [||] }

            if case.Contract <> "" then
                fun () -> { case with Contract = "" }

            if case.Block <> Host.emptyBlock then
                fun () -> { case with Block = Host.emptyBlock }

            if case.Arguments.Length > 0 then
                fun () -> { case with Arguments = [||] }

            if case.Entry <> 0 then
                fun () -> {
                    case with
                        Entry = 0
                        Arguments = [||]
                }
        }

    let private details (case: Case) : (unit -> Case) seq =
        seq {
            for i in 0 .. case.Hosts.Length - 1 do
                fun () -> {
                    case with
                        Hosts = without i case.Hosts
                }

                fun () -> {
                    case with
                        Hosts = put i { case.Hosts[i] with Gas = 0L } case.Hosts
                }

                fun () -> {
                    case with
                        Hosts =
                            put
                                i
                                {
                                    case.Hosts[i] with
                                        Arity = max 0 (case.Hosts[i].Arity - 1)
                                }
                                case.Hosts
                }

                match case.Hosts[i].Behaviour with
                | HostBehaviour.Returns data ->
                    for d in simpler data do
                        fun () -> {
                            case with
                                Hosts =
                                    put
                                        i
                                        {
                                            case.Hosts[i] with
                                                Behaviour = HostBehaviour.Returns d
                                        }
                                        case.Hosts
                        }
                | HostBehaviour.Throws data ->
                    for d in simpler data do
                        fun () -> {
                            case with
                                Hosts =
                                    put
                                        i
                                        {
                                            case.Hosts[i] with
                                                Behaviour = HostBehaviour.Throws d
                                        }
                                        case.Hosts
                        }
                | HostBehaviour.Echoes
                | HostBehaviour.ThrowsFirst
                | HostBehaviour.Checks ->
                    fun () -> {
                        case with
                            Hosts =
                                put
                                    i
                                    {
                                        case.Hosts[i] with
                                            Behaviour = HostBehaviour.Returns Data.Null
                                    }
                                    case.Hosts
                    }

            for i in 0 .. case.State.Length - 1 do
                fun () -> {
                    case with
                        State = without i case.State
                }

                for d in simpler case.State[i].Value do
                    fun () -> {
                        case with
                            State = put i (KeyValuePair(case.State[i].Key, d)) case.State
                    }

            for i in 0 .. case.Contracts.Length - 1 do
                fun () -> {
                    case with
                        Contracts = without i case.Contracts
                }

                fun () -> {
                    case with
                        Contracts = put i { case.Contracts[i] with State = [||] } case.Contracts
                }

            for i in 0 .. case.Arguments.Length - 1 do
                fun () -> {
                    case with
                        Arguments = without i case.Arguments
                }

                for d in simpler case.Arguments[i] do
                    fun () -> {
                        case with
                            Arguments = put i d case.Arguments
                    }

            let d, l = Limits.Default, case.Limits

            fun () -> {
                case with
                    Limits = { l with CallDepth = d.CallDepth }
            }

            fun () -> {
                case with
                    Limits = { l with IntegerBits = d.IntegerBits }
            }

            fun () -> {
                case with
                    Limits = { l with StringLength = d.StringLength }
            }

            fun () -> {
                case with
                    Limits = {
                        l with
                            CollectionLength = d.CollectionLength
                    }
            }

            fun () -> {
                case with
                    Limits = { l with Nesting = d.Nesting }
            }

            if l.CallDepth <> d.CallDepth then
                fun () -> {
                    case with
                        Limits = {
                            l with
                                CallDepth = max 1 (l.CallDepth / 2)
                        }
                }

                fun () -> {
                    case with
                        Limits = {
                            l with
                                CallDepth = max 1 (l.CallDepth - 1)
                        }
                }

            if l.IntegerBits <> d.IntegerBits then
                fun () -> {
                    case with
                        Limits = {
                            l with
                                IntegerBits = max 1 (l.IntegerBits / 2)
                        }
                }

                fun () -> {
                    case with
                        Limits = {
                            l with
                                IntegerBits = max 1 (l.IntegerBits - 1)
                        }
                }

            if l.StringLength <> d.StringLength then
                fun () -> {
                    case with
                        Limits = {
                            l with
                                StringLength = l.StringLength / 2
                        }
                }

                fun () -> {
                    case with
                        Limits = {
                            l with
                                StringLength = max 0 (l.StringLength - 1)
                        }
                }

            if l.CollectionLength <> d.CollectionLength then
                fun () -> {
                    case with
                        Limits = {
                            l with
                                CollectionLength = l.CollectionLength / 2
                        }
                }

                fun () -> {
                    case with
                        Limits = {
                            l with
                                CollectionLength = max 0 (l.CollectionLength - 1)
                        }
                }

            if l.Nesting <> d.Nesting then
                fun () -> {
                    case with
                        Limits = { l with Nesting = l.Nesting / 2 }
                }

                fun () -> {
                    case with
                        Limits = {
                            l with
                                Nesting = max 0 (l.Nesting - 1)
                        }
                }

            if case.GasLimit <> plentyOfGas then
                fun () -> {
                    case with
                        GasLimit = case.GasLimit / 2L
                }

                fun () -> {
                    case with
                        GasLimit = case.GasLimit - case.GasLimit / 4L
                }

                fun () -> {
                    case with
                        GasLimit = max 0L (case.GasLimit - 1L)
                }

            let b = case.Block

            fun () -> {
                case with
                    Block = { b with Timestamp = 0L }
            }

            fun () -> {
                case with
                    Block = { b with Height = 0L }
            }

            fun () -> {
                case with
                    Block = { b with Caller = "" }
            }
        }

    let private functions (case: Case) : (unit -> Case) seq =
        seq {
            let all = case.Program.Functions

            // Another function as the entry: the calls that led to it were not needed.
            for at in 1 .. all.Length - 1 do
                let f = all[at]

                let entry = {
                    f with
                        Parameters = [||]
                        Captures = [||]
                        Locals = Array.concat [ f.Parameters; f.Locals; f.Captures ]
                }

                fun () -> dropFunction (withFunction case 0 entry) at
                fun () -> withFunction (withFunction case at { f with Code = [||] }) 0 entry
                fun () -> withFunction case 0 entry

            let named = used OperandKind.Function case.Program

            for at in all.Length - 1 .. -1 .. 1 do
                if not (named.Contains(int64 at)) then
                    fun () -> dropFunction case at
                elif all[at].Code.Length > 0 then
                    fun () -> withFunction case at { all[at] with Code = [||] }
        }

    let private code (case: Case) : (unit -> Case) seq =
        seq {
            let all = case.Program.Functions

            for at in 0 .. all.Length - 1 do
                let f = all[at]
                let code = f.Code
                let n = code.Length
                let heights = Heights.compute code

                // The tail.
                for keep in [ 0; n / 4; n / 2; n * 3 / 4; n - 2; n - 1 ] |> List.distinct do
                    if keep >= 0 && keep < n then
                        fun () ->
                            withFunction case at {
                                f with
                                    Code = splice code keep n [||] (fun _ -> false)
                            }

                // Pieces, large ones first.
                let mutable size = n / 2

                while size >= 1 do
                    for first in 0 .. (max 1 (size / 2)) .. n - 1 do
                        let past = min n (first + size)
                        let gas = staticGas code first past
                        fun () -> cut case at heights first past

                        // Without what it left: the code behind it may not need that.
                        if size <= 2 && heights.IsSome then
                            fun () -> cut case at None first past

                        for poor in poorer case gas do
                            fun () -> cut poor at heights first past

                    size <- if size > 4 then size / 2 else size - 1
        }

    let private instructions (case: Case) : (unit -> Case) seq =
        seq {
            let all = case.Program.Functions

            for at in 0 .. all.Length - 1 do
                let f = all[at]
                let code = f.Code

                for k in 0 .. code.Length - 1 do
                    let i = code[k]

                    match InstructionSet.TryFind i.Number with
                    | false, _ -> ()
                    | true, info ->
                        let struct (pops, pushes) = Heights.effect info i

                        // What it amounts to: pops and pushes.
                        if
                            info.Flow <> Flow.Leave
                            && i.Number <> loadConst
                            && i.Number <> popNumber
                            && pops >= 0
                            && pushes >= 0
                            && pops <= 3 - pushes
                        then
                            fun () ->
                                let case, nothing = withNull case

                                let replacement =
                                    Array.append
                                        (Array.create (min pops 3) (Instruction.Of(popNumber, 0L, 0L, 0L)))
                                        (Array.create (min pushes 3) (Instruction.Of(loadConst, int64 nothing, 0L, 0L)))

                                withFunction case at {
                                    f with
                                        Code = splice code k (k + 1) replacement (fun _ -> false)
                                }

                        if info.Opcode = Opcode.GAS_CHARGE && i.A > 0L then
                            for poor in poorer case i.A do
                                fun () ->
                                    withFunction poor at {
                                        f with
                                            Code = put k { i with A = 0L } code
                                    }

                        // One operand fewer.
                        for o in 0 .. info.Operands.Length - 1 do
                            if info.Operands[o].Kind = OperandKind.Count && k > 0 then
                                let n = if o = 0 then i.A else i.B
                                let per = info.Effect.PopsPerCount

                                if n > 0L && k >= per then
                                    let pureFrom = k - per

                                    let pure' =
                                        seq { pureFrom .. k - 1 }
                                        |> Seq.forall (fun j ->
                                            match InstructionSet.TryFind code[j].Number with
                                            | true, p ->
                                                p.Flow = Flow.Next
                                                && p.Effect.Pops = 0
                                                && p.Effect.PopsPerCount = 0
                                                && p.Effect.Pushes = 1
                                            | false, _ -> false)

                                    if pure' then
                                        fun () ->
                                            let fewer =
                                                if o = 0 then
                                                    { i with A = n - 1L }
                                                else
                                                    { i with B = n - 1L }

                                            let changed = put k fewer code

                                            withFunction case at {
                                                f with
                                                    Code = splice changed pureFrom k [||] (fun _ -> false)
                                            }

                        // Simpler operands.
                        if not (isJump i) then
                            let operand o =
                                match o with
                                | 0 -> i.A
                                | 1 -> i.B
                                | _ -> i.C

                            for o in 0 .. info.Operands.Length - 1 do
                                match info.Operands[o].Kind with
                                | OperandKind.Register
                                | OperandKind.Amount when operand o > 0L ->
                                    fun () ->
                                        let simple =
                                            match o with
                                            | 0 -> { i with A = 0L }
                                            | 1 -> { i with B = 0L }
                                            | _ -> { i with C = 0L }

                                        withFunction case at { f with Code = put k simple code }
                                | _ -> ()

                // Variables that need be none.
                for v in 0 .. f.Locals.Length - 1 do
                    fun () -> withFunction case at { f with Locals = without v f.Locals }

                for v in 0 .. f.Parameters.Length - 1 do
                    fun () ->
                        withFunction case at {
                            f with
                                Parameters = without v f.Parameters
                        }

                for v in 0 .. f.Captures.Length - 1 do
                    fun () ->
                        withFunction case at {
                            f with
                                Captures = without v f.Captures
                        }

                if f.Name <> "" then
                    fun () -> withFunction case at { f with Name = "" }
        }

    let private tables (case: Case) : (unit -> Case) seq =
        seq {
            let program = case.Program
            let constants = used OperandKind.Constant program
            let names = used OperandKind.Name program

            if (Array.distinct program.Constants).Length < program.Constants.Length then
                fun () -> unify case

            for at in program.Constants.Length - 1 .. -1 .. 0 do
                if not (constants.Contains(int64 at)) then
                    fun () -> dropConstant case at
                else
                    for d in simpler program.Constants[at] do
                        fun () -> {
                            case with
                                Program = {
                                    program with
                                        Constants = put at d program.Constants
                                }
                        }

            for at in program.Names.Length - 1 .. -1 .. 0 do
                if not (names.Contains(int64 at)) then
                    fun () -> dropName case at
        }

    let private edits (case: Case) : (unit -> Case) seq =
        Seq.concat [
            surroundings case
            functions case
            code case
            instructions case
            tables case
            details case
        ]

    let private consistent (case: Case) =
        case.Program.Functions |> Array.forall (fun f -> (Heights.compute f.Code).IsSome)

    let private admit (case: Case) =
        let isConsistent = consistent case
        let bound = weight case

        // An ill-formed program may become anything, a well-formed one only another well-formed one.
        fun (candidate: Case) -> weight candidate < bound && (not isConsistent || consistent candidate)

    /// All smaller cases one edit away, boldest first.
    let candidates (case: Case) : Case seq =
        let admitted = admit case
        edits case |> Seq.map (fun edit -> edit ()) |> Seq.filter admitted

    /// The smallest case found for which `fails` still holds, and how often `fails` was asked (at most `budget` times).
    let minimize (budget: int) (fails: Case -> bool) (case: Case) : Case * int =
        let mutable current = case
        let mutable probes = 0
        let mutable start = 0
        let mutable improved = true

        while improved && probes < budget do
            improved <- false
            let admitted = admit current
            let all = Seq.toArray (edits current)
            let mutable k = 0

            while k < all.Length && not improved && probes < budget do
                let at = (start + k) % all.Length
                let candidate = all[at]()

                if admitted candidate then
                    probes <- probes + 1

                    if fails candidate then
                        current <- candidate
                        improved <- true
                        start <- at

                k <- k + 1

        current, probes
