/// Instances of the optimizer's rewrites: operands fixed, kinds fixed, and a whole program around the code, so that the same instance is
/// run on symbols by a proof and on values by a replay.
module Zexus.Proofs.Instances

open System
open System.Collections.Immutable
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec
open Zexus.Proofs.SmtLib

type private SpecAmount = Zexus.Spec.Amount
type private VmAmount = Zexus.Vm.Amount

/// Something about a rewrite that this prover has no reading for. It is red, never skipped.
exception NotReadable of string

let private notReadable what = raise (NotReadable what)

/// Where a name leads.
[<RequireQualifiedAccess>]
type Place =
    | Own
    | Captured
    | Global

/// A rewrite's code with its operands fixed: which names and registers are the same, and where names lead.
type Shape = {
    /// By metavariable: the number of the name.
    Names: Map<string, int>
    /// By the number of the name.
    Places: Place list
    /// By metavariable: the register.
    Registers: Map<string, int64>
}

/// What a rewrite's code finds: a value that a proof leaves open.
[<RequireQualifiedAccess>]
type Input =
    /// Of the operand stack, from the top.
    | Stack of depth: int
    | Variable of name: int
    | Register of int64

/// The symbol that stands for the value of an input; also what the model of a counterexample calls it.
let symbolOf input =
    match input with
    | Input.Stack depth -> "s" + string depth
    | Input.Variable name -> "v" + string name
    | Input.Register register -> "r" + string register

let constantSymbol (metavariable: string) = "k_" + metavariable

/// Kinds that a value can have, one by one.
let everyKind = [
    KindSet.Null
    KindSet.Bool
    KindSet.Int
    KindSet.Float
    KindSet.String
    KindSet.List
    KindSet.Map
    KindSet.Set
    KindSet.Function
]

let isScalar (kind: KindSet) =
    kind &&& ~~~(KindSet.Number ||| KindSet.String) = KindSet.None

/// What a constant is in an instance: a scalar that a proof leaves open, or data.
[<RequireQualifiedAccess>]
type Constant =
    | Open of KindSet
    | Data of Data

type Instance = {
    Rewrite: Rewrite
    /// The rewrite's own, or its broken twin's.
    Replacement: ReplacementInstruction list
    Preconditions: Precondition list
    Shape: Shape
    /// Of those inputs that some path asks for.
    Kinds: Map<Input, KindSet>
    /// An input that is the same collection or Function as another one.
    Aliases: Map<Input, Input>
    Constants: Map<string, Constant>
}

// Operands.

let private kindOfOperand (opcode: Opcode) position =
    (InstructionSet.Of opcode).Operands[position].Kind

/// Metavariables of the pattern, with what their places take.
let private metavariables (rewrite: Rewrite) =
    [
        for i in rewrite.Pattern do
            for position in 0 .. i.Operands.Length - 1 do
                match i.Operands[position] with
                | :? RewriteOperand.Metavariable as m -> m.Name, kindOfOperand i.Opcode position
                | _ -> ()
    ]
    |> List.distinct

let private metavariablesOf kind rewrite =
    metavariables rewrite |> List.filter (fun (_, k) -> k = kind) |> List.map fst

/// Every way to say which of the items are the same: set partitions, as the number of each item's class.
let rec private partitions (items: string list) : (Map<string, int> * int) list =
    match items with
    | [] -> [ Map.empty, 0 ]
    | item :: rest -> [
        for classes, count in partitions rest do
            for c in 0..count -> Map.add item c classes, max count (c + 1)
      ]

let rec private places count =
    if count = 0 then
        [ [] ]
    else
        [
            for rest in places (count - 1) do
                for place in [ Place.Own; Place.Captured; Place.Global ] -> place :: rest
        ]

/// Registers in the pattern that are numbers.
let private literalRegisters (rewrite: Rewrite) =
    [
        for i in rewrite.Pattern do
            for position in 0 .. i.Operands.Length - 1 do
                match i.Operands[position] with
                | :? RewriteOperand.Literal as l when kindOfOperand i.Opcode position = OperandKind.Register -> l.Value
                | _ -> ()
    ]
    |> List.distinct

let private allows (preconditions: Precondition list) (shape: Shape) =
    preconditions
    |> List.forall (fun p ->
        match p with
        | :? Precondition.Different as d ->
            match Map.tryFind d.Left shape.Names, Map.tryFind d.Right shape.Names with
            | Some a, Some b -> a <> b
            | None, _
            | _, None ->
                match Map.tryFind d.Left shape.Registers, Map.tryFind d.Right shape.Registers with
                | Some a, Some b -> a <> b
                | None, _
                | _, None -> notReadable ("difference of " + d.Left + " and " + d.Right)
        | :? Precondition.NameIsOwn as own -> shape.Places[shape.Names[own.Name]] = Place.Own
        | _ -> true)

/// Every shape that the preconditions allow.
let shapes (rewrite: Rewrite) (preconditions: Precondition list) : Shape list =
    for name, kind in metavariables rewrite do
        match kind with
        | OperandKind.Constant
        | OperandKind.Name
        | OperandKind.Target
        | OperandKind.Register
        | OperandKind.Amount -> ()
        | OperandKind.Function
        | OperandKind.Count
        | OperandKind.Results -> notReadable ("the operand " + name + " of any number")

    if List.length (literalRegisters rewrite) > 0 then
        notReadable "a register by number"

    [
        for names, count in partitions (metavariablesOf OperandKind.Name rewrite) do
            for places in places count do
                for registers, _ in partitions (metavariablesOf OperandKind.Register rewrite) ->
                    {
                        Names = names
                        Places = places
                        Registers = registers |> Map.map (fun _ c -> int64 c)
                    }
    ]
    |> List.filter (allows preconditions)

// Heights.

let private count (opcode: Opcode) (operands: int64 list) =
    let info = InstructionSet.Of opcode

    List.zip (List.ofArray info.Operands) (List.truncate info.Operands.Length operands)
    |> List.sumBy (fun (o, value) ->
        match o.Kind with
        | OperandKind.Count
        | OperandKind.Results -> int value
        | OperandKind.Constant
        | OperandKind.Name
        | OperandKind.Function
        | OperandKind.Target
        | OperandKind.Register
        | OperandKind.Amount -> 0)

/// How many cells below its start a piece of code takes, and how high it leaves each place, relative to its start. Code jumps forward only.
let private heights (code: (Opcode * int64 list) list) =
    let rec go at (known: Map<int64, int>) lowest code =
        match code with
        | [] -> lowest, known
        | (opcode, operands) :: rest ->
            match Map.tryFind (int64 at) known with
            | None -> go (at + 1) known lowest rest
            | Some height ->
                let info = InstructionSet.Of opcode
                let n = count opcode operands
                let taken = height - (info.Effect.Pops + info.Effect.PopsPerCount * n)
                let left = taken + info.Effect.Pushes + info.Effect.PushesPerCount * n

                let target =
                    info.Operands
                    |> Array.tryFindIndex (fun o -> o.Kind = OperandKind.Target)
                    |> Option.map (fun position -> operands[position])

                let next = Map.add (int64 (at + 1)) left

                let known =
                    match info.Flow, target with
                    | Flow.Next, _ -> next known
                    | Flow.Jump, Some target -> Map.add target left known
                    | Flow.Branch, Some target -> known |> next |> Map.add target left
                    | Flow.Leave, _ -> known
                    | Flow.Try, Some target -> known |> next |> Map.add target (left + 1)
                    | (Flow.Jump | Flow.Branch | Flow.Try), None -> notReadable "a jump without a target"

                go (at + 1) known (min lowest taken) rest

    go 0 (Map.ofList [ 0L, 0 ]) 0 code

// Constants.

let rec plainToData (plain: Plain) : Data =
    match plain with
    | Plain.Null -> Data.Null
    | Plain.Bool(Bool.Known b) -> Data.Bool b
    | Plain.Int(Int.Known n) -> Data.Int n
    | Plain.Float(Float.Known x) -> Data.Float x
    | Plain.String(Str.Known s) -> Data.String s
    // What stands in the place of something open is never looked at: the loaded program has the term.
    | Plain.Bool(Bool.Symbolic _)
    | Plain.Int(Int.Symbolic _)
    | Plain.Float(Float.Symbolic _)
    | Plain.String(Str.Symbolic _) -> Data.Null
    | Plain.List items -> Data.List [| for item in items -> plainToData item |]
    | Plain.Map entries ->
        Data.Map [|
            for key, value in entries -> Collections.Generic.KeyValuePair(plainToData key, plainToData value)
        |]
    | Plain.Set items -> Data.Set [| for item in items -> plainToData item |]

let private openPlain kind symbol =
    match kind with
    | KindSet.Null -> Plain.Null
    | KindSet.Bool -> Plain.Bool(Bool.Symbolic(BoolTerm.Symbol symbol))
    | KindSet.Int -> Plain.Int(Int.Symbolic(IntTerm.Symbol symbol))
    | KindSet.Float -> Plain.Float(Float.Symbolic(FloatTerm.Symbol symbol))
    | KindSet.String -> Plain.String(Str.Symbolic(StrTerm.Symbol symbol))
    | other -> notReadable $"an open constant of kind {other}"

/// The values of an instance's constants: terms where they are open.
let openConstants (instance: Instance) : Map<string, Plain> =
    instance.Constants
    |> Map.map (fun name constant ->
        match constant with
        | Constant.Open kind -> openPlain kind (constantSymbol name)
        | Constant.Data data -> Plain.ofData data)

let spec (amount: Zexus.Vm.Amount) : Zexus.Spec.Amount =
    let rec convert (amount: VmAmount) =
        match amount with
        | :? VmAmount.Fixed as f -> SpecAmount.Fixed(Int.Known f.Gas)
        | :? VmAmount.Size as s -> SpecAmount.Size s.Depth
        | :? VmAmount.Text as t -> SpecAmount.Text t.Depth
        | :? VmAmount.VariableSize as v -> SpecAmount.VariableSize v.Slot
        | :? VmAmount.RegisterSize as r -> SpecAmount.RegisterSize r.Number
        | :? VmAmount.Sum as s -> SpecAmount.Sum [ for part in s.Parts -> convert part ]
        | other -> notReadable ("an amount " + other.GetType().Name)

    convert amount

let private vmAmount (amount: SpecAmount) : VmAmount =
    let rec convert amount : VmAmount =
        match amount with
        | SpecAmount.Fixed(Int.Known n) -> VmAmount.Fixed n
        | SpecAmount.Fixed(Int.Symbolic _) -> notReadable "an open amount in a program that runs"
        | SpecAmount.Size depth -> VmAmount.Size depth
        | SpecAmount.Text depth -> VmAmount.Text depth
        | SpecAmount.VariableSize slot -> VmAmount.VariableSize slot
        | SpecAmount.RegisterSize register -> VmAmount.RegisterSize register
        | SpecAmount.Sum parts -> VmAmount.Sum(ImmutableArray.CreateRange(parts |> List.map convert))

    convert amount

// Computing constants with the rules themselves.

/// How a computation on constants can end, each with what it takes to end so.
type Computation = {
    When: BoolTerm list
    /// None: with a fault, or with what has no term.
    Result: Plain option
    /// Has the result no term? Then it is known in a replay only.
    IsOpaque: bool
}

/// The expression by the rules of its opcodes. Gas is no matter here: the program that is rewritten pays it elsewhere.
let rec compute (start: State) (constants: Map<string, Plain>) (e: ConstantExpression) : Computation list =
    let known plain = [
        {
            When = []
            Result = Some plain
            IsOpaque = false
        }
    ]

    match e with
    | :? ConstantExpression.Matched as m -> known constants[m.Name]
    | :? ConstantExpression.Value as v -> known (Plain.ofData v.Data)
    | :? ConstantExpression.Apply as apply ->
        let arguments =
            List.foldBack
                (fun argument rest -> [
                    for c in compute start constants argument do
                        for conditions, values, isOpaque in rest ->
                            c.When @ conditions,
                            Option.map2 (fun v vs -> v :: vs) c.Result values,
                            c.IsOpaque || isOpaque
                ])
                (List.ofSeq apply.Arguments)
                [ [], Some [], false ]

        [
            for conditions, values, isOpaque in arguments do
                match values with
                | None -> {
                    When = conditions
                    Result = None
                    IsOpaque = isOpaque
                  }
                | Some values -> yield! applyOne start apply.Opcode conditions values
        ]
    | other -> notReadable ("an expression " + other.GetType().Name)

/// One instruction on constants: they are loaded, it acts, what it leaves is read as plain data.
and private applyOne start opcode conditions values =
    let info = InstructionSet.Of opcode

    let instruction = {
        Opcode = opcode
        Info = info
        A = 0
        B = 0
        C = 0
        Source = 0
        Rule = info.Rule
        Charges = []
        JumpCharges = []
        Captures = []
    }

    let computation =
        rule {
            do!
                values
                |> forEach (fun plain ->
                    rule {
                        let! value = Traversals.copyOut plain
                        do! push value
                    })

            do! Machine.body instruction
            let! value = pop
            return! Traversals.plain value
        }

    let s = {
        start with
            GasUsed = Int.zero
            Rest.Setup.Context = {
                start.Context with
                    GasLimit = Int.Symbolic(IntTerm.Symbol "scratch")
            }
    }

    computation s
    |> List.choose (fun outcome ->
        match outcome with
        | Outcome.Ok(plain, s) ->
            Some {
                When = conditions @ s.Path
                Result = Some plain
                IsOpaque = false
            }
        | Outcome.Fault(Fault.OutOfGas, _, _) -> None
        | Outcome.Fault(_, _, s) ->
            Some {
                When = conditions @ s.Path
                Result = None
                IsOpaque = false
            }
        | Outcome.Opaque(_, _, s) ->
            Some {
                When = conditions @ s.Path
                Result = None
                IsOpaque = true
            })

let sizeOfPlain (plain: Plain) =
    match plain with
    | Plain.Int n -> Int.size n
    | Plain.Null
    | Plain.Bool _
    | Plain.Float _
    | Plain.String _
    | Plain.List _
    | Plain.Map _
    | Plain.Set _ -> Int.zero

let private textPlain (plain: Plain) =
    match plain with
    | Plain.String s -> textGas s
    | Plain.Null
    | Plain.Bool _
    | Plain.Int _
    | Plain.Float _
    | Plain.List _
    | Plain.Map _
    | Plain.Set _ -> Int.zero

/// An amount by constants; `constant` gives the value of an expression.
let rec private amountOfConstants (constant: ConstantExpression -> Plain) (amount: ConstantAmount) : Int =
    let operands left right =
        amountOfConstants constant left, amountOfConstants constant right

    match amount with
    | :? ConstantAmount.Fixed as f -> Int.Known(bigint f.Gas)
    | :? ConstantAmount.Size as s -> sizeOfPlain (constant s.Constant)
    | :? ConstantAmount.Text as t -> textPlain (constant t.Constant)
    | :? ConstantAmount.Sum as s -> operands s.Left s.Right ||> Int.add
    | :? ConstantAmount.Product as p -> operands p.Left p.Right ||> Int.mul
    | :? ConstantAmount.Least as l -> operands l.Left l.Right ||> Int.min
    | other -> notReadable ("an amount " + other.GetType().Name)

let rec private expressionsOf (amount: ConstantAmount) =
    match amount with
    | :? ConstantAmount.Fixed -> []
    | :? ConstantAmount.Size as s -> [ s.Constant ]
    | :? ConstantAmount.Text as t -> [ t.Constant ]
    | :? ConstantAmount.Sum as s -> expressionsOf s.Left @ expressionsOf s.Right
    | :? ConstantAmount.Product as p -> expressionsOf p.Left @ expressionsOf p.Right
    | :? ConstantAmount.Least as l -> expressionsOf l.Left @ expressionsOf l.Right
    | other -> notReadable ("an amount " + other.GetType().Name)

/// Every expression that a replacement needs the value of.
let computedExpressions (replacement: ReplacementInstruction list) : ConstantExpression list =
    [
        for i in replacement do
            for operand in i.Operands do
                match operand with
                | :? RewriteOperand.Computed as c -> c.Expression
                | _ -> ()

            for charge in Seq.append i.Charges i.JumpCharges do
                match charge with
                | :? ChargeTerm.OfConstants as c -> yield! expressionsOf c.Amount
                | _ -> ()
    ]
    |> List.distinctBy Rewrite.Spell

// The program around an instance.

/// What a program starts an input with.
[<RequireQualifiedAccess>]
type Given =
    | Data of Data
    /// A Function of the program.
    | Function
    /// The same collection or Function that another input has.
    | Same of Input

/// An instance as a program, and its translation.
type Host = {
    Program: Program
    /// Of the translation's constants, those behind the program's.
    NewConstants: Plain list
    Translated: Translation.TranslatedInstruction list
    /// Both sides, loaded: the program as it is, and its translation.
    Left: Loaded
    Right: Loaded
    First: int
    /// Instructions of the pattern, and of the replacement.
    PatternLength: int
    ReplacementLength: int
    /// Cells of the operand stack below the code, one more than it takes.
    Depth: int
}

let private entryFunction = 0
let private keeperFunction = 1
let private calleeFunction = 2

let private numberOf (opcode: Opcode) = (InstructionSet.Of opcode).Number

let private plainInstruction opcode a b c : Instruction =
    Instruction.Of(numberOf opcode, a, b, c)

/// The inputs that an instance's code may look at, those of the stack from the bottom.
let private depthOf (instance: Instance) (pattern: (Opcode * int64 list) list) =
    let lowest, _ = heights pattern

    let asked =
        instance.Preconditions
        |> List.collect (fun p ->
            match p with
            | :? Precondition.StackKind as k -> [ k.Depth + 1 ]
            | :? Precondition.StackSmall as k -> [ k.Depth + 1 ]
            | _ -> [])

    // One more than it takes, so that a proof says that the rest of the stack is as it was.
    1 + List.max (-lowest :: asked)

/// What an instruction of the pattern charges before it acts.
[<RequireQualifiedAccess>]
type PatternCharges =
    /// Its static charge; 1 for a NOP, which has none: the optimizer's have what other instructions left.
    | Static
    /// Two charges of any amount: the optimizer also matches what it has made, and that has lists. What holds for two in a row holds for any
    /// number of them.
    | Open

/// The symbols of a pattern instruction's open charges.
let openCharges (patternIndex: int) =
    [ "a"; "b" ] |> List.map (fun part -> $"c{patternIndex}{part}")

/// A list of charges as a translation has it.
let private chargesOf (i: LoadedInstruction) =
    i.Charges |> List.map (fun c -> c.Source, c.Amount)

/// A function of a host as it is.
let private unchanged (loaded: Loaded) index : Translation.TranslatedInstruction[] =
    loaded.Functions[index].Code
    |> Array.map (fun i -> {
        Instruction = loaded.Functions[index].Definition.Code[i.Source]
        Source = i.Source
        Charges = chargesOf i
        JumpCharges = []
    })

/// Build the program of an instance. `constants` and `computed` give the values of metavariables and expressions, `given` those of the inputs;
/// with `guarded` the code stands under a handler that shows what a handler sees.
let host
    (limits: Limits)
    (patternCharges: PatternCharges)
    (instance: Instance)
    (constants: Map<string, Plain>)
    (computed: ConstantExpression -> Plain)
    (given: Input -> Given)
    (guarded: bool)
    : Host =
    let shape = instance.Shape
    let rewrite = instance.Rewrite
    let constantNames = constants |> Map.keys |> List.ofSeq

    // Names: those of the shape, then the host's own: two, and one for each input that another is the same as.
    let nameCount = shape.Places.Length
    let keepName = nameCount
    let calleeName = nameCount + 1
    let originals = instance.Aliases |> Map.values |> Seq.distinct |> List.ofSeq

    let aliasName original =
        int64 (calleeName + 1 + List.findIndex ((=) original) originals)

    // A name is its own unless a precondition says how it is written.
    let nameText =
        Array.init nameCount (fun number ->
            instance.Preconditions
            |> List.tryPick (fun p ->
                match p with
                | :? Precondition.NameIs as name when Map.tryFind name.Name shape.Names = Some number ->
                    Some name.Text
                | _ -> None)
            |> Option.defaultValue ("x" + string number))

    let registers =
        shape.Registers |> Map.values |> Seq.distinct |> Seq.sort |> List.ofSeq

    // Places that the code may go to: 0 behind it, then one for each metavariable that is a target.
    let targets = metavariablesOf OperandKind.Target rewrite

    // A target stands for -1 - its index until its place in the program is known.
    let operand (rest: RewriteOperand -> int64) (kind: OperandKind) (o: RewriteOperand) =
        match o with
        | :? RewriteOperand.Metavariable as m ->
            match kind with
            | OperandKind.Constant -> int64 (List.findIndex ((=) m.Name) constantNames)
            | OperandKind.Name -> int64 shape.Names[m.Name]
            | OperandKind.Register -> shape.Registers[m.Name]
            | OperandKind.Target -> int64 (-1 - List.findIndex ((=) m.Name) targets)
            // No rule sees an amount: it is a charge, and in a proof that is open.
            | OperandKind.Amount -> 3L
            | OperandKind.Function
            | OperandKind.Count
            | OperandKind.Results -> notReadable ("the operand " + m.Name + " of any number")
        | :? RewriteOperand.Literal as l -> l.Value
        | :? RewriteOperand.Position as p -> int64 p.Index
        | other -> rest other

    let operandsOf rest (opcode: Opcode) (operands: seq<RewriteOperand>) =
        operands
        |> Seq.mapi (fun position o -> operand rest (kindOfOperand opcode position) o)
        |> List.ofSeq

    let noComputed _ =
        notReadable "a computed constant in a pattern"

    let pattern = [
        for i in rewrite.Pattern -> i.Opcode, operandsOf noComputed i.Opcode i.Operands
    ]

    let depth = depthOf instance pattern

    // Constants: the metavariables', then those that the host's own code uses.
    let own = Collections.Generic.List<Data>()

    let constant (data: Data) =
        match own.IndexOf data with
        | -1 ->
            own.Add data
            int64 (constantNames.Length + own.Count - 1)
        | at -> int64 (constantNames.Length + at)

    let load input =
        match given input with
        | Given.Data data -> [ plainInstruction Opcode.LOAD_CONST (constant data) 0L 0L ]
        | Given.Function -> [
            plainInstruction Opcode.STORE_FUNC (int64 calleeName) (int64 calleeFunction) 0L
            plainInstruction Opcode.LOAD_NAME (int64 calleeName) 0L 0L
          ]
        | Given.Same original -> [ plainInstruction Opcode.LOAD_NAME (aliasName original) 0L 0L ]

    // An input that others are the same as is loaded before them.
    let loadOriginals = [
        for original in originals do
            yield! load original
            plainInstruction Opcode.STORE_NAME (aliasName original) 0L 0L
    ]

    let load input =
        if List.contains input originals then
            [ plainInstruction Opcode.LOAD_NAME (aliasName input) 0L 0L ]
        else
            load input

    let isCaptured place =
        match place with
        | Place.Captured -> true
        | Place.Own
        | Place.Global -> false

    let prologue = [
        // Two open transactions, each with a write: what commits or reverts one of them is seen, for one more is committed at the end.
        if guarded then
            for key in [ "outer"; "inner" ] do
                plainInstruction Opcode.TX_BEGIN 0L 0L 0L
                plainInstruction Opcode.LOAD_CONST (constant (Data.String key)) 0L 0L
                plainInstruction Opcode.LOAD_CONST (constant (Data.Int 1I)) 0L 0L
                plainInstruction Opcode.STATE_WRITE 0L 0L 0L

        if List.exists isCaptured shape.Places then
            plainInstruction Opcode.STORE_FUNC (int64 keepName) (int64 keeperFunction) 0L

        yield! loadOriginals

        for name in 0 .. nameCount - 1 do
            yield! load (Input.Variable name)
            plainInstruction Opcode.STORE_NAME (int64 name) 0L 0L

        for register in registers do
            yield! load (Input.Register register)
            plainInstruction Opcode.POP_REG register 0L 0L

        for cell in depth - 1 .. -1 .. 0 do
            yield! load (Input.Stack cell)
    ]

    let caughtTitle = "caught"

    // What a place shows: which one it is, the operand stack, names and registers.
    let shown (title: string) height = [
        plainInstruction Opcode.LOAD_CONST (constant (Data.String title)) 0L 0L
        plainInstruction Opcode.BUILD_LIST (int64 (height + 1)) 0L 0L
        for name in 0 .. nameCount - 1 do
            plainInstruction Opcode.LOAD_NAME (int64 name) 0L 0L
        for register in registers do
            plainInstruction Opcode.PUSH_REG register 0L 0L
        plainInstruction Opcode.BUILD_LIST (int64 (1 + nameCount + registers.Length)) 0L 0L
        if title = caughtTitle then
            plainInstruction Opcode.TX_COMMIT 0L 0L 0L

        // Under a handler it is thrown: what has taken the handler off is seen.
        plainInstruction
            (if guarded && title <> caughtTitle then
                 Opcode.THROW
             else
                 Opcode.RETURN)
            0L
            0L
            0L
    ]

    let _, reached = heights pattern

    let heightAt place =
        Map.tryFind place reached |> Option.map (fun h -> h + depth)

    let places = [
        yield "behind", heightAt (int64 pattern.Length)
        for index in 0 .. targets.Length - 1 -> "at " + targets[index], heightAt (int64 (-1 - index))
    ]

    let epilogues = [
        for title, height in places do
            match height with
            | Some height -> shown title height
            | None -> []
        if guarded then
            shown caughtTitle (depth + 1)
    ]

    // With a handler the code stands one instruction further on.
    let first = prologue.Length + (if guarded then 1 else 0)

    let epilogueAt patternLength index =
        first + patternLength + (epilogues |> List.truncate index |> List.sumBy List.length)

    let setUp patternLength = [
        if guarded then
            plainInstruction Opcode.SETUP_TRY (int64 (epilogueAt patternLength places.Length)) 0L 0L
    ]

    let placed length (opcode: Opcode) (operands: int64 list) =
        let at position =
            match List.tryItem position operands with
            | None -> 0L
            | Some value when kindOfOperand opcode position = OperandKind.Target ->
                if value < 0L then int64 (epilogueAt length (int -value))
                elif value = int64 length then int64 (epilogueAt length 0)
                else int64 first + value
            | Some value -> value

        plainInstruction opcode (at 0) (at 1) (at 2)

    let sourceCode =
        prologue
        @ setUp pattern.Length
        @ [ for opcode, operands in pattern -> placed pattern.Length opcode operands ]
        @ List.concat epilogues

    let ofPlace place = [
        for name in 0 .. nameCount - 1 do
            if shape.Places[name] = place then
                nameText[name]
    ]

    let simple name captures code : FunctionDefinition = {
        Name = name
        Parameters = [||]
        Locals = [||]
        Captures = List.toArray captures
        Code = List.toArray code
    }

    let program = {
        Constants = [|
            for name in constantNames -> plainToData constants[name]
            yield! own
        |]
        Names = [|
            yield! nameText
            yield "keep"
            yield "callee"
            for index in 0 .. originals.Length - 1 -> "same" + string index
        |]
        Functions = [|
            {
                simple "main" [] sourceCode with
                    Locals = List.toArray (ofPlace Place.Own @ ofPlace Place.Captured)
            }
            simple "keeper" (ofPlace Place.Captured) []
            simple "callee" [] []
        |]
    }

    let asWritten =
        match Validation.validate limits program with
        | Ok loaded -> loaded
        | Error refusal -> notReadable ("a program that is refused: " + refusal.Describe program)

    let isPattern at =
        at >= first && at < first + pattern.Length

    let left =
        let chargesAt at (i: LoadedInstruction) =
            match patternCharges with
            | PatternCharges.Open -> [
                for symbol in openCharges (at - first) -> SpecAmount.Fixed(Int.Symbolic(IntTerm.Symbol symbol))
              ]
            | PatternCharges.Static when i.Opcode = Opcode.NOP -> [ SpecAmount.Fixed Int.one ]
            | PatternCharges.Static -> i.Charges |> List.map _.Amount

        let charged at (i: LoadedInstruction) =
            if isPattern at then
                {
                    i with
                        Charges = [
                            for amount in chargesAt at i ->
                                {
                                    Source = at
                                    Rule = i.Rule
                                    Amount = amount
                                }
                        ]
                }
            else
                i

        {
            asWritten with
                Functions =
                    asWritten.Functions
                    |> Array.mapi (fun index f ->
                        if index = entryFunction then
                            {
                                f with
                                    Code = Array.mapi charged f.Code
                            }
                        else
                            f)
        }

    let written at =
        chargesOf left.Functions[entryFunction].Code[at]

    // The replacement, with the new constants behind all others.
    let newConstants = Collections.Generic.List<Plain>()
    let base' = constantNames.Length + own.Count

    let computedOperand (o: RewriteOperand) =
        match o with
        | :? RewriteOperand.Computed as c ->
            newConstants.Add(computed c.Expression)
            int64 (base' + newConstants.Count - 1)
        | other -> notReadable ("an operand " + other.GetType().Name)

    let charge (term: ChargeTerm) =
        match term with
        | :? ChargeTerm.StaticOf as s -> written (first + s.Pattern)
        | :? ChargeTerm.Dynamic as d -> [ first + d.Pattern, spec d.Amount ]
        | :? ChargeTerm.OfConstants as c -> [ first + c.Pattern, SpecAmount.Fixed(amountOfConstants computed c.Amount) ]
        | other -> notReadable ("a charge " + other.GetType().Name)

    let charges (terms: seq<ChargeTerm>) =
        terms |> Seq.collect charge |> List.ofSeq

    let length = instance.Replacement.Length

    let replacement = [
        for i in instance.Replacement ->
            ({
                Instruction = placed length i.Opcode (operandsOf computedOperand i.Opcode i.Operands)
                Source = first + i.Source
                Charges = charges i.Charges
                JumpCharges = charges i.JumpCharges
            }
            : Translation.TranslatedInstruction)
    ]

    let asItIs (source: int) (i: Instruction) : Translation.TranslatedInstruction = {
        Instruction = i
        Source = source
        Charges = written source
        JumpCharges = []
    }

    let translated = [
        yield! prologue @ setUp length |> List.mapi asItIs
        yield! replacement
        yield! List.concat epilogues |> List.mapi (fun at i -> asItIs (first + pattern.Length + at) i)
    ]

    let right =
        let constants =
            Array.append program.Constants [| for c in newConstants -> plainToData c |]

        let functions = [|
            yield List.toArray translated
            for index in 1 .. asWritten.Functions.Length - 1 -> unchanged asWritten index
        |]

        match Translation.load asWritten constants functions with
        | Ok loaded -> loaded
        | Error refusal -> notReadable ("a translation that is refused: " + refusal.Describe program)

    {
        Program = program
        NewConstants = List.ofSeq newConstants
        Translated = translated
        Left = left
        Right = right
        First = first
        PatternLength = pattern.Length
        ReplacementLength = length
        Depth = depth
    }

/// A host's code for the engine; `entry` is the entry function's.
let private codeForEngine (host: Host) (entry: Translation.TranslatedInstruction[]) : TranslatedProgram =
    let chargeOf (source, amount) =
        Zexus.Vm.Charge(source, vmAmount amount)

    let instruction (i: Translation.TranslatedInstruction) =
        let _, info = InstructionSet.TryFind i.Instruction.Number

        Zexus.Vm.TranslatedInstruction(
            info.Opcode,
            i.Instruction.A,
            i.Instruction.B,
            i.Instruction.C,
            i.Source,
            ImmutableArray.CreateRange(i.Charges |> List.map chargeOf),
            ImmutableArray.CreateRange(i.JumpCharges |> List.map chargeOf)
        )

    let functions = [|
        for index in 0 .. host.Program.Functions.Length - 1 ->
            let code =
                if index = entryFunction then
                    entry
                else
                    unchanged host.Left index

            TranslatedFunction(ImmutableArray.CreateRange(code |> Array.map instruction))
    |]

    TranslatedProgram(
        host.Program,
        ImmutableArray.CreateRange(Seq.append host.Program.Constants (host.NewConstants |> Seq.map plainToData)),
        ImmutableArray.CreateRange functions,
        0
    )

/// The same translation for the engine.
let forEngine (host: Host) : TranslatedProgram =
    codeForEngine host (List.toArray host.Translated)

/// The source for the engine: the program itself, but that a NOP of the pattern has its charge.
let sourceForEngine (limits: Limits) (host: Host) : ZexusProgram =
    if
        host.Left.Functions[entryFunction].Code
        |> Array.exists (fun i -> i.Opcode = Opcode.NOP && not i.Charges.IsEmpty)
    then
        ZexusProgram.Load(codeForEngine host (unchanged host.Left entryFunction), limits)
    else
        ZexusProgram.Load(host.Program, limits)
