namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Collections.Immutable
open System.Text
open Zexus.Isa
open Zexus.Vm

/// The levels: those of the optimizer, and for each the register form of its code, `0r` for that of level 0.
[<RequireQualifiedAccess>]
module Levels =
    /// So many numbers, 0 to 3 for the optimizer's levels and 4 to 7 for their register forms.
    let count = 2 * (Optimizer.HighestLevel + 1)
    let isRegisterForm (level: int) = level > Optimizer.HighestLevel

    /// The optimizer's level of the code, or of that which was converted.
    let optimization (level: int) =
        if isRegisterForm level then
            level - Optimizer.HighestLevel - 1
        else
            level

    let registerForm (level: int) = level + Optimizer.HighestLevel + 1

    /// What is checked when nobody says: all of the optimizer's, and the register form of the lowest and of the highest.
    let all = [|
        yield! [| 0 .. Optimizer.HighestLevel |]
        registerForm 0
        registerForm Optimizer.HighestLevel
    |]

    let private nameOf (level: int) =
        string (optimization level) + (if isRegisterForm level then "r" else "")

    let name (level: int) = nameOf level

    /// The level of a name; None when it is none.
    let tryParse (name: string) : int option =
        Seq.tryFind (fun level -> nameOf level = name) (seq { 0 .. count - 1 })

    let text (levels: int[]) =
        String.Join(',', levels |> Array.map name)

    let parse (text: string) =
        text.Split ','
        |> Array.map (fun word ->
            match tryParse word with
            | Some level -> level
            | None -> raise (FormatException $"no level: {word}"))

/// When code is compiled. One side exit, and it is compiled anew.
[<ReferenceEquality>]
type Compiler = {
    /// Of these options the compiled code of a program belongs together.
    Options: JitOptions
    /// Does it enter loops that are running already, and nothing that calls?
    IsOnStack: bool
}

[<RequireQualifiedAccess>]
module Compilers =
    let private compiler isOnStack calls rounds = {
        Options =
            JitOptions(
                Background = false,
                CallThreshold = calls,
                LoopThreshold = rounds,
                ExitsBeforeRecompilation = 1,
                CountExecutions = true
            )
        IsOnStack = isOnStack
    }

    /// Before the first run of a function or loop, the second or the third.
    let byCall = [| for threshold in 0..2 -> compiler false threshold threshold |]

    /// Loops while they run, and of the functions none, or those that are called again.
    let onStack = [| compiler true Int32.MaxValue 1; compiler true 1 4 |]
    let all = Array.append byCall onStack

    /// As generated programs take turns: half of them before the first run, since most functions have no other.
    let inTurn = [| byCall[0]; byCall[1]; byCall[0]; byCall[2]; byCall[0]; onStack[1] |]

/// The optimization levels that a case is checked at.
type LevelPlan = {
    /// The engine runs the code of each of these, and what it comes to is compared with the oracle's run of the source.
    Levels: int[]
    /// At these of them the oracle runs the same code along with the engine, and the two are compared after every step.
    Stepwise: int[]
    /// At these of them the engine runs its code once more, with a collection at every allocation.
    Collected: int[]
    /// At these of them the engine runs its code once more for each of the compilers.
    Compiled: int[]
    Compilers: Compiler[]
    /// Is the case of the family that is there for running loops? What compiled code does there is counted apart.
    IsLoopHeavy: bool
}

[<RequireQualifiedAccess>]
module LevelPlan =
    /// Step by step, with collections forced and compiled in every way, at each level.
    let every (levels: int[]) = {
        Levels = levels
        Stepwise = levels
        Collected = levels
        Compiled = levels
        Compilers = Compilers.all
        IsLoopHeavy = false
    }

    /// The same, compiled in two ways.
    let saved (levels: int[]) = {
        every levels with
            Compilers = [| Compilers.byCall[0]; Compilers.onStack[0] |]
    }

    let private others (levels: int[]) = levels |> Array.filter (fun l -> l > 0)

    /// Of generated programs, one in so many runs with collections forced.
    let collectedShare = 4UL

    /// Step by step at level 0, and at one of the others; compiled at one level; every fourth with collections forced, at one. Which
    /// ones, has nothing to do with what the generators make of the index.
    let inTurn (levels: int[]) (index: int64) =
        let others = others levels
        let mixed = (uint64 index * 0x9E3779B97F4A7C15UL) >>> 32
        let turn = (uint64 index * 0xD1B54A32D192ED03UL) >>> 32
        let pick (items: 'a[]) (turn: uint64) = items[int (turn % uint64 items.Length)]

        {
            Levels = levels
            Stepwise = [|
                if Array.contains 0 levels then
                    0

                if others.Length > 0 then
                    pick others mixed
            |]
            Collected = [|
                if turn % collectedShare = 0UL then
                    pick levels (turn / collectedShare)
            |]
            // Apart from those that are collected: the two meet in every way.
            Compiled = [| pick levels (turn / 64UL) |]
            Compilers = [| pick Compilers.inTurn (turn / 4096UL) |]
            IsLoopHeavy = false
        }

    /// Of a loop-heavy program: compiled at every level, while its loops run.
    let loops (levels: int[]) (index: int64) = {
        inTurn levels index with
            Compiled = levels
            Compilers = [| Compilers.onStack[int (index % int64 Compilers.onStack.Length)] |]
            IsLoopHeavy = true
    }

/// What was checked at one level.
[<Sealed>]
type LevelCounts() =
    member val Coverage = Coverage()
    /// Executions that were compared with the source's.
    member val Executions = 0L with get, set
    /// Executions that were compared after every step.
    member val Stepwise = 0L with get, set
    member val Steps = 0L with get, set
    /// Executions with collections forced, their collections, and the cells that these freed.
    member val Collected = 0L with get, set
    member val Collections = 0L with get, set
    member val Freed = 0L with get, set
    /// Of compiled executions: how many, how often compiled code was entered, executions by operation (`op Add`), side exits by
    /// kind (`exit Gas`), those of them out of callees that are compiled into their callers (`inlined exit Gas`), or into such callees
    /// (`nested exits`), and what the compiler's limits refused (`refused ...`). Of loop-heavy programs, whose loops were to be entered while
    /// they ran, also how many did so (`loop executions`, `loop executions entered`), how often (`loop entered`), and the exits from there
    /// (`loop exit Gas`).
    /// Of executions with threaded code the same, as `threaded op Add`; and how often an operation was left to its source instruction
    /// (`threaded source Add`).
    member val Compiled = Dictionary<string, int64>()

    member this.AddCompiled (key: string) (n: int64) =
        this.Compiled[key] <-
            n
            + (match this.Compiled.TryGetValue key with
               | true, m -> m
               | false, _ -> 0L)

    /// Facts of the kind analysis that were compared with a value.
    member val Facts = 0L with get, set
    /// Instructions of the sources, and of the code that ran in their place.
    member val Before = 0L with get, set
    member val After = 0L with get, set
    /// Of a register form: functions that were converted, those that were not because they use too many registers themselves, steps of
    /// instructions on registers, and values for which no register was free.
    member val Converted = 0L with get, set
    member val WithoutRegisters = 0L with get, set
    member val RegisterSteps = 0L with get, set
    member val Spilled = 0L with get, set

    static member ForAll() =
        Array.init Levels.count (fun _ -> LevelCounts())

/// The parts of the engine that a check looks at; a test of the check puts something wrong in their place.
type Engine = {
    /// Changes the program that the engine gets and the oracle does not.
    Twist: Program -> Program
    Optimize: ZexusProgram -> int -> OptimizationResult
    /// To register form.
    Convert: TranslatedProgram -> ConversionResult
    /// By function and instruction.
    Facts: ZexusProgram -> int -> ImmutableArray<InstructionFacts>
}

[<RequireQualifiedAccess>]
module Engine =
    let real = {
        Twist = id
        Optimize = fun program level -> Optimizer.Optimize(program, level)
        Convert = fun program -> RegisterConverter.Convert program
        Facts = fun program -> KindFacts(program).Of
    }

/// Optimized code as the specification reads it, and as a person does.
[<RequireQualifiedAccess>]
module Translated =
    let rec private amount (given: Amount) : Zexus.Spec.Amount =
        match given with
        | :? Amount.Fixed as f -> Zexus.Spec.Amount.Fixed(Zexus.Spec.Int.Known f.Gas)
        | :? Amount.Size as s -> Zexus.Spec.Amount.Size s.Depth
        | :? Amount.Text as t -> Zexus.Spec.Amount.Text t.Depth
        | :? Amount.VariableSize as v -> Zexus.Spec.Amount.VariableSize v.Slot
        | :? Amount.RegisterSize as r -> Zexus.Spec.Amount.RegisterSize r.Number
        | :? Amount.Sum as s -> Zexus.Spec.Amount.Sum [ for part in s.Parts -> amount part ]
        | other -> invalidOp $"no reading of an amount {other.GetType().Name}"

    let private charges (charges: ImmutableArray<Charge>) = [ for c in charges -> c.Source, amount c.Amount ]

    let private instruction (i: TranslatedInstruction) : Zexus.Spec.Translation.TranslatedInstruction = {
        Instruction = Instruction.Of((InstructionSet.Of i.Opcode).Number, i.A, i.B, i.C)
        Source = i.Source
        Charges = charges i.Charges
        JumpCharges = charges i.JumpCharges
    }

    let load (source: Zexus.Spec.Loaded) (program: TranslatedProgram) : Result<Zexus.Spec.Loaded, Refusal> =
        Zexus.Spec.Translation.load source (Seq.toArray program.Constants) [|
            for f in program.Functions -> [| for i in f.Code -> instruction i |]
        |]

    let private areSameCharges (a: ImmutableArray<Charge>) (b: ImmutableArray<Charge>) =
        a.AsSpan().SequenceEqual(b.AsSpan())

    let private areSameInstructions (a: TranslatedInstruction) (b: TranslatedInstruction) =
        a.Opcode = b.Opcode
        && a.A = b.A
        && a.B = b.B
        && a.C = b.C
        && a.Source = b.Source
        && areSameCharges a.Charges b.Charges
        && areSameCharges a.JumpCharges b.JumpCharges

    /// The same code of the same source, charges included, whatever level it comes from.
    let areSame (a: TranslatedProgram) (b: TranslatedProgram) : bool =
        let all (same: 'T -> 'T -> bool) (a: ImmutableArray<'T>) (b: ImmutableArray<'T>) =
            a.Length = b.Length
            && (let mutable i = 0

                while i < a.Length && same a[i] b[i] do
                    i <- i + 1

                i = a.Length)

        Object.ReferenceEquals(a.Source, b.Source)
        && all (fun (x: Data) y -> x.Equals y) a.Constants b.Constants
        && all (fun (f: TranslatedFunction) g -> all areSameInstructions f.Code g.Code) a.Functions b.Functions

    let rec private showAmount (amount: Amount) : string =
        match amount with
        | :? Amount.Fixed as f -> string f.Gas
        | :? Amount.Size as s -> $"size[{s.Depth}]"
        | :? Amount.Text as t -> $"text[{t.Depth}]"
        | :? Amount.VariableSize as v -> $"size variable {v.Slot}"
        | :? Amount.RegisterSize as r -> $"size r{r.Number}"
        | :? Amount.Sum as s -> String.Join(" + ", [ for part in s.Parts -> showAmount part ])
        | other -> other.GetType().Name

    let private showCharges (charges: ImmutableArray<Charge>) =
        String.Join(", ", [ for c in charges -> $"{showAmount c.Amount} for {c.Source}" ])

    let private operand (program: TranslatedProgram) (kind: OperandKind) (value: int64) =
        match kind with
        | OperandKind.Constant -> Tree.show program.Constants[int value]
        | OperandKind.Name -> Tree.quote program.Source.Names[int value]
        | OperandKind.Target -> $"@{value}"
        | OperandKind.Register -> $"r{value}"
        | OperandKind.Function
        | OperandKind.Count
        | OperandKind.Results
        | OperandKind.Amount -> string value

    /// Each instruction with the source instruction that it acts for and its charges; then the rewrites that led there.
    let show (result: OptimizationResult) (program: TranslatedProgram) : string =
        let text = StringBuilder()

        for f in 0 .. program.Functions.Length - 1 do
            text.Append($"function {f}\n") |> ignore

            for i in 0 .. program.Functions[f].Code.Length - 1 do
                let instruction = program.Functions[f].Code[i]
                let info = InstructionSet.Of instruction.Opcode

                let operands =
                    [ instruction.A; instruction.B; instruction.C ]
                    |> List.truncate info.Operands.Length
                    |> List.mapi (fun k value -> operand program info.Operands[k].Kind value)

                text.Append(
                    $"{i, 5}  {String.Join(' ', info.Mnemonic :: operands), -24} for {instruction.Source}; charges {showCharges instruction.Charges}"
                )
                |> ignore

                if instruction.JumpCharges.Length > 0 then
                    text.Append($"; when it jumps {showCharges instruction.JumpCharges}") |> ignore

                text.Append '\n' |> ignore

        let rewrites = [ for entry in result.Rewrites -> $"{entry.Key} {entry.Value}" ]
        text.Append("rewrites: ").Append(String.Join(", ", rewrites)).ToString()
