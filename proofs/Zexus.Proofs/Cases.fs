/// The cases of a rewrite: every shape of its operands, every combination of the kinds that its code asks for. Each is one query.
module Zexus.Proofs.Cases

open System
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec
open Zexus.Proofs.SmtLib
open Zexus.Proofs.Equivalence
open Zexus.Proofs.Instances

/// What is asked of the solvers.
type Texts = {
    /// Has a model exactly if the sides differ.
    Query: string
    /// Equations of Float arithmetic that are asked first. If all of them hold, `Reduced` is asked instead of `Query`: the same without them.
    Lemmas: string list
    Reduced: string
    /// Has a model exactly if the facts can hold.
    Possible: string
}

type Case = {
    Instance: Instance
    /// Written when they are asked for: most cases of what is to be refuted need none.
    Texts: Lazy<Texts>
    /// Rule branches that the two sides entered.
    Branches: Set<Branch>
    /// A collection among the constants stands for all of them, or a computed constant has no term: enough to refute, too little to prove.
    IsSampled: bool
}

let private symbolInt name = Int.Symbolic(IntTerm.Symbol name)
let private gasUsed = symbolInt "gas_used"
let private gasLimit = symbolInt "gas_limit"
let private intBound = symbolInt "int_bound"
let private textBound = symbolInt "text_bound"
let private countBound = symbolInt "count_bound"

let context limit : Context = {
    GasLimit = limit
    Timestamp = 0I
    Height = 0I
    Caller = ""
    State = Map.empty
    Host = Map.empty
    Entry = Entry.main
    VerifySignature = fun _ _ _ -> false
    Contract = ""
    Contracts = Map.empty
}

/// A program under which constants are computed; nothing of it is run.
let private scratch =
    let program = {
        Constants = [||]
        Names = [||]
        Functions = [|
            {
                Name = "main"
                Parameters = [||]
                Locals = [||]
                Captures = [||]
                Code = [||]
            }
        |]
    }

    match Validation.validate Limits.Default program with
    | Error refusal -> invalidOp (refusal.Describe program)
    | Ok loaded -> loaded

let private openBounds (s: State) = {
    s with
        Rest.Setup.IntegerBound = intBound
        Rest.Setup.StringBound = textBound
        Rest.Setup.CollectionBound = countBound
}

/// Where constants are computed in a proof: under open bounds.
let private scratchState = Machine.start scratch (context gasLimit) |> openBounds

/// Where constants are computed in a replay: under its limits.
let scratchUnder (limits: Limits) =
    Machine.start { scratch with Limits = limits } (context gasLimit)

let private below a b =
    Formula.term (BoolTerm.IntLess(Int.term a, Int.term b))

let private atMost a b = Formula.negate (below b a)

/// What holds of every execution, whatever its limits are.
let private facts = [
    atMost Int.zero gasUsed
    atMost gasUsed gasLimit
    atMost (Int.ofInt 2) intBound
    atMost Int.zero textBound
    atMost Int.zero countBound
]

/// An Int within the bound, a String within its own. Validation makes sure of it for constants; for other values it is a precondition.
let private within (kind: KindSet) (symbol: string) =
    match kind with
    | KindSet.Int -> [
        atMost (Int.neg intBound) (symbolInt symbol)
        below (symbolInt symbol) intBound
      ]
    | KindSet.String -> [ atMost (Str.length (Str.Symbolic(StrTerm.Symbol symbol))) textBound ]
    | KindSet.Null
    | KindSet.Bool
    | KindSet.Float
    | KindSet.List
    | KindSet.Map
    | KindSet.Set
    | KindSet.Function -> []
    | other -> invalidOp $"no single kind: {other}"

let private keepsLimit (preconditions: Precondition list) (kind: KindSet) =
    preconditions
    |> List.exists (fun p ->
        match p with
        | :? Precondition.KeepsLimit as k -> k.Kinds &&& kind <> KindSet.None
        | _ -> false)

// Inputs on symbols.

/// The value that stands for an input of some kind; a reference gets a cell of which only the kind is known.
let private openValue (kind: KindSet) (symbol: string) (heap: Heap) =
    let reference make =
        let address, heap = Heap.add (Cell.Unknown symbol) heap
        Value.Of(make address), heap

    match kind with
    | KindSet.Null -> Value.nothing, heap
    | KindSet.Bool -> Value.ofBool (Bool.Symbolic(BoolTerm.Symbol symbol)), heap
    | KindSet.Int -> Value.ofInt (symbolInt symbol), heap
    | KindSet.Float -> Value.ofFloat (Float.Symbolic(FloatTerm.Symbol symbol)), heap
    | KindSet.String -> Value.ofStr (Str.Symbolic(StrTerm.Symbol symbol)), heap
    | KindSet.List -> reference Kind.List
    | KindSet.Map -> reference Kind.Map
    | KindSet.Set -> reference Kind.Set
    | KindSet.Function -> reference Kind.Function
    | other -> invalidOp $"no single kind: {other}"

let private inputsOf (host: Host) (shape: Shape) = [
    for depth in 0 .. host.Depth - 1 -> Input.Stack depth
    for name in 0 .. shape.Places.Length - 1 -> Input.Variable name
    for register in shape.Registers |> Map.values |> Seq.distinct -> Input.Register register
]

/// The state before the code of an instance: everything open that its kinds leave open.
let private startOf (instance: Instance) (host: Host) (loaded: Loaded) : State =
    let value (values: Map<Input, Value>, heap) input =
        let value, heap =
            match Map.tryFind input instance.Kinds with
            | Some kind -> openValue kind (symbolOf input) heap
            | None -> Value.Unknown(symbolOf input), heap

        Map.add input value values, heap

    let aliased, others =
        inputsOf host instance.Shape |> List.partition (fun input -> Map.containsKey input instance.Aliases)

    let values, heap = others |> List.fold value (Map.empty, Heap.empty)

    let values =
        aliased
        |> List.fold (fun values input -> Map.add input values[instance.Aliases[input]] values) values

    let s = Machine.start loaded (context gasLimit) |> openBounds

    // Variables in the order of the host's locals: own ones, then captured ones.
    let ofPlace place = [
        for name in 0 .. instance.Shape.Places.Length - 1 do
            if instance.Shape.Places[name] = place then
                values[Input.Variable name], name
    ]

    let slots, heap =
        ofPlace Place.Captured
        |> List.fold
            (fun (slots, heap) (value, _) ->
                let address, heap = Heap.add (Cell.Variable value) heap
                Slot.Shared address :: slots, heap)
            ([], heap)

    let stack = [ for depth in 0 .. host.Depth - 1 -> values[Input.Stack depth] ]

    let registers =
        Collections.Immutable.ImmutableArray.CreateRange(
            [
                for register in 0 .. Limits.Registers - 1 ->
                    Map.tryFind (Input.Register(int64 register)) values |> Option.defaultValue Value.nothing
            ]
        )

    // A handler of the frame and an open transaction, so that code that takes one off or ends one is seen to.
    let outer = { Target = 0; Height = 0; Begun = 0 }

    let beforeIt = {
        s.World with
            State = Map.ofList [ "before", Plain.Null ]
    }

    {
        s with
            GasUsed = gasUsed
            Rest.Effects.Transactions = [ 0, beforeIt ]
            Rest.Effects.Begun = 1
            Rest.Heap = heap
            Rest.Globals = Map.ofList [ for value, name in ofPlace Place.Global -> host.Program.Names[name], value ]
            Frame = {
                s.Frame with
                    Instruction = host.First
                    Stack = stack
                    Height = host.Depth
                    Variables =
                        Collections.Immutable.ImmutableArray.CreateRange(
                            Seq.append (ofPlace Place.Own |> Seq.map (fst >> Slot.Own)) (List.rev slots)
                        )
                    Registers = registers
                    Handlers = [ outer ]
            }
    }

/// A loaded program whose constants are the terms that they stand for.
let private withTerms (constants: Map<string, Plain>) (behind: Plain list) (from: int) (loaded: Loaded) =
    let named = constants |> Map.toList |> List.map snd

    {
        loaded with
            Constants =
                loaded.Constants
                |> Array.mapi (fun index known ->
                    if index < named.Length then named[index]
                    elif index >= from then behind[index - from]
                    else known)
    }

// Preconditions.

let private sizeIsZero plain =
    Formula.term (BoolTerm.IntEqual(Int.term (sizeOfPlain plain), IntTerm.Constant 0I))

/// Is a known value's size 0?
let hasNoSize plain = sizeIsZero plain = Formula.always

/// What must hold for the value to count as true; known for a known one.
let truthOf (plain: Plain) : Formula =
    let value, heap =
        match plain with
        | Plain.List items ->
            let address, heap =
                Heap.add
                    (Cell.List(
                        Collections.Immutable.ImmutableList.CreateRange(
                            items |> List.toArray |> Array.map (fun _ -> Value.nothing)
                        )
                    ))
                    Heap.empty

            Value.Of(Kind.List address), heap
        | Plain.Map []
        | Plain.Set [] ->
            let address, heap = Heap.add (Cell.Map Entries.empty) Heap.empty
            Value.Of(Kind.Map address), heap
        | Plain.Map _
        | Plain.Set _ -> Value.known true, Heap.empty
        | Plain.Null -> Value.nothing, Heap.empty
        | Plain.Bool b -> Value.ofBool b, Heap.empty
        | Plain.Int n -> Value.ofInt n, Heap.empty
        | Plain.Float x -> Value.ofFloat x, Heap.empty
        | Plain.String t -> Value.ofStr t, Heap.empty

    match Traversals.truth value { scratchState with Rest.Heap = heap } with
    | [ Outcome.Ok(truth, _) ] -> Formula.all [ Formula.term (Bool.term truth) ]
    | outcomes -> invalidOp $"The truth of a known kind has {outcomes.Length} outcomes."

let private allowedKinds (preconditions: Precondition list) (shape: Shape) (input: Input) =
    let restricts (p: Precondition) =
        match p, input with
        | :? Precondition.StackKind as k, Input.Stack depth when k.Depth = depth -> Some k.Kinds
        | :? Precondition.NameKind as k, Input.Variable name when Map.tryFind k.Name shape.Names = Some name ->
            Some k.Kinds
        | _ -> None

    let allowed = preconditions |> List.choose restricts |> List.fold (&&&) KindSet.All

    everyKind |> List.filter (fun kind -> kind &&& allowed <> KindSet.None)

/// The only collection of a kind that does not count as true.
let private emptyOf (kind: KindSet) =
    match kind with
    | KindSet.List -> Data.List [||]
    | KindSet.Map -> Data.Map [||]
    | KindSet.Set -> Data.Set [||]
    | other -> invalidOp $"no collection: {other}"

/// Collections that stand for all of their kind where a constant is not known to be a scalar.
let private sampleOf (kind: KindSet) =
    match kind with
    | KindSet.List -> Data.List [| Data.Int 1I; Data.String "a" |]
    | KindSet.Map -> Data.Map [| Collections.Generic.KeyValuePair(Data.String "a", Data.Int 1I) |]
    | KindSet.Set -> Data.Set [| Data.Int 1I |]
    | other -> invalidOp $"no collection: {other}"

let private constantChoices (preconditions: Precondition list) (metavariable: string) : Constant list =
    let is =
        preconditions
        |> List.tryPick (fun p ->
            match p with
            | :? Precondition.ConstantIs as k when k.Constant = metavariable -> Some k.Value
            | _ -> None)

    let allowed =
        preconditions
        |> List.choose (fun p ->
            match p with
            | :? Precondition.ConstantKind as k when k.Constant = metavariable -> Some k.Kinds
            | _ -> None)
        |> List.fold (&&&) (KindSet.All &&& ~~~KindSet.Function)

    let isFalse =
        preconditions
        |> List.exists (fun p ->
            match p with
            | :? Precondition.ConstantTruth as k -> k.Constant = metavariable && not k.Truth
            | _ -> false)

    match is with
    | Some data -> [ Constant.Data data ]
    | None -> [
        for kind in everyKind do
            if kind &&& allowed <> KindSet.None then
                if isScalar kind then
                    Constant.Open kind
                else
                    Constant.Data(if isFalse then emptyOf kind else sampleOf kind)
      ]

let private constantFacts (constants: Map<string, Constant>) (values: Map<string, Plain>) preconditions = [
    for KeyValue(name, constant) in constants do
        match constant with
        | Constant.Open kind -> yield! within kind (constantSymbol name)
        | Constant.Data _ -> ()
    for p: Precondition in preconditions do
        match p with
        | :? Precondition.ConstantSmall as k -> sizeIsZero values[k.Constant]
        | :? Precondition.ConstantTruth as k ->
            let truth = truthOf values[k.Constant]
            if k.Truth then truth else Formula.negate truth
        | _ -> ()
]

let private inputFacts (instance: Instance) = [
    for KeyValue(input, kind) in instance.Kinds do
        if keepsLimit instance.Preconditions kind then
            yield! within kind (symbolOf input)
    for p in instance.Preconditions do
        match p with
        | :? Precondition.StackSmall as k ->
            match Map.tryFind (Input.Stack k.Depth) instance.Kinds with
            | Some KindSet.Int -> sizeIsZero (Plain.Int(symbolInt (symbolOf (Input.Stack k.Depth))))
            | Some _
            | None -> ()
        | _ -> ()
]

/// What the expressions of Evaluates preconditions need to end without a fault.
let private evaluates constants (preconditions: Precondition list) = [
    for p in preconditions do
        match p with
        | :? Precondition.Evaluates as e ->
            compute scratchState constants e.Expression
            |> List.filter (fun c -> Option.isSome c.Result)
            |> List.map (fun c -> Formula.all (c.When |> List.map Formula.term))
            |> Formula.any
        | _ -> ()
]

/// Every way for the expressions to have values: their values, what holds then, and whether some value has no term. An expression that
/// faults has the value Null: an optimizer that looked no further would have nothing better.
let rec private computations constants (expressions: ConstantExpression list) =
    match expressions with
    | [] -> [ [], [], false ]
    | expression :: rest -> [
        for c in compute scratchState constants expression do
            for values, conditions, isOpaque in computations constants rest ->
                (expression, c.Result |> Option.defaultValue Plain.Null) :: values,
                (c.When |> List.map Formula.term) @ conditions,
                c.IsOpaque || isOpaque
      ]

let private branchesOf (exits: Exit list) =
    exits |> Seq.collect (fun exit -> (stateOf exit).Reached) |> Set.ofSeq

let private noInput _ = Given.Data Data.Null

let private lookUp (values: (ConstantExpression * Plain) list) expression =
    values |> List.find (fun (e, _) -> Rewrite.Spell e = Rewrite.Spell expression) |> snd

/// The cases of one shape and one choice of constants: kinds are split as the code asks for them.
let rec private split (instance: Instance) (constants: Map<string, Plain>) computed conditions : Case seq =
    seq {
        let host =
            host Limits.Default PatternCharges.Open instance constants (lookUp computed) noInput false

        let firstNew = host.Program.Constants.Length
        let left = withTerms constants [] firstNew host.Left
        let right = withTerms constants host.NewConstants firstNew host.Right
        let start = startOf instance host left

        let place length shift at =
            if at >= host.First + length then at - shift else at

        let lefts =
            Equivalence.run
                {
                    First = host.First
                    Behind = host.First + host.PatternLength
                    Place = id
                }
                start

        let rights =
            Equivalence.run
                {
                    First = host.First
                    Behind = host.First + host.ReplacementLength
                    Place = place host.ReplacementLength (host.ReplacementLength - host.PatternLength)
                }
                { start with Rest.Setup.Loaded = right }

        let asked = kindsAsked (lefts @ rights)

        match inputsOf host instance.Shape |> List.tryFind (fun input -> Set.contains (symbolOf input) asked) with
        | None when not asked.IsEmpty -> raise (NotReadable("the kind of " + String.Join(", ", asked)))
        | Some input ->
            for kind in allowedKinds instance.Preconditions instance.Shape input do
                let withKind = {
                    instance with
                        Kinds = Map.add input kind instance.Kinds
                }

                yield! split withKind constants computed conditions

                // Of two collections of a kind, or two Functions, one may be the other.
                if not (isScalar kind) then
                    for KeyValue(other, otherKind) in instance.Kinds do
                        if otherKind = kind && not (Map.containsKey other instance.Aliases) then
                            yield!
                                split
                                    {
                                        withKind with
                                            Aliases = Map.add input other instance.Aliases
                                    }
                                    constants
                                    computed
                                    conditions
        | None ->
            let facts =
                facts
                @ [
                    for index in 0 .. host.PatternLength - 1 do
                        for symbol in openCharges index -> atMost Int.zero (symbolInt symbol)
                ]
                @ inputFacts instance
                @ constantFacts instance.Constants constants instance.Preconditions
                @ evaluates constants instance.Preconditions
                @ conditions

            let joined = Formula.all facts

            let facts =
                match joined with
                | Formula.All facts -> facts
                | Formula.Term _
                | Formula.Any _
                | Formula.Not _
                | Formula.SameFloat _ -> [ joined ]

            // What is plainly impossible is no case.
            if not (Formula.isPlainlyFalse joined) then
                let texts () =
                    let claim = difference host.Depth lefts rights
                    let lemmas = FloatLemmas.ofFormula claim
                    let text claim = fst (query facts claim)
                    let whole = text claim

                    {
                        Query = whole
                        Lemmas = lemmas |> List.map _.Query |> List.distinct
                        Reduced =
                            if lemmas.IsEmpty then
                                whole
                            else
                                text (FloatLemmas.taken lemmas claim)
                        Possible = text Formula.always
                    }

                {
                    Instance = instance
                    Texts = lazy texts ()
                    Branches = Set.union (branchesOf lefts) (branchesOf rights)
                    IsSampled =
                        constants
                        |> Map.exists (fun _ plain ->
                            match plain with
                            | Plain.List items
                            | Plain.Set items -> not items.IsEmpty
                            | Plain.Map entries -> not entries.IsEmpty
                            | Plain.Null
                            | Plain.Bool _
                            | Plain.Int _
                            | Plain.Float _
                            | Plain.String _ -> false)
                }
    }

let rec private choices (items: (string * Constant list) list) : Map<string, Constant> list =
    match items with
    | [] -> [ Map.empty ]
    | (name, constants) :: rest -> [
        for others in choices rest do
            for constant in constants -> Map.add name constant others
      ]

let private constantMetavariables (rewrite: Rewrite) =
    [
        for i in rewrite.Pattern do
            for position in 0 .. i.Operands.Length - 1 do
                match i.Operands[position] with
                | :? RewriteOperand.Metavariable as m when
                    (InstructionSet.Of i.Opcode).Operands[position].Kind = OperandKind.Constant
                    ->
                    m.Name
                | _ -> ()
    ]
    |> List.distinct

/// Every case of a rewrite under these preconditions, with this replacement.
let ofRewrite
    (rewrite: Rewrite)
    (preconditions: Precondition list)
    (replacement: ReplacementInstruction list)
    : Case seq =
    seq {
        let constants =
            constantMetavariables rewrite
            |> List.map (fun name -> name, constantChoices preconditions name)
            |> choices

        for shape in shapes rewrite preconditions do
            for chosen in constants do
                let instance = {
                    Rewrite = rewrite
                    Replacement = replacement
                    Preconditions = preconditions
                    Shape = shape
                    Kinds = Map.empty
                    Aliases = Map.empty
                    Constants = chosen
                }

                let values = openConstants instance

                for computed, conditions, isOpaque in computations values (computedExpressions replacement) do
                    yield!
                        split instance values computed conditions
                        |> Seq.map (fun case -> {
                            case with
                                IsSampled = case.IsSampled || isOpaque
                        })
    }

/// What a reader calls a case.
let titleOf (case: Case) =
    let instance = case.Instance

    let place place =
        match place with
        | Place.Own -> "own"
        | Place.Captured -> "captured"
        | Place.Global -> "global"

    let parts = [
        for KeyValue(name, number) in instance.Shape.Names -> $"{name}: x{number} {place instance.Shape.Places[number]}"
        for KeyValue(name, register) in instance.Shape.Registers -> $"{name}: register {register}"
        for KeyValue(name, constant) in instance.Constants ->
            match constant with
            | Constant.Open kind -> $"{name}: {kind}"
            | Constant.Data data -> $"{name}: {data}"
        for KeyValue(input, kind) in instance.Kinds ->
            match Map.tryFind input instance.Aliases with
            | Some other -> $"{symbolOf input}: {kind}, the same as {symbolOf other}"
            | None -> $"{symbolOf input}: {kind}"
    ]

    if List.isEmpty parts then
        "any"
    else
        String.Join(", ", parts)
