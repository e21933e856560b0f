/// Translation validation of the optimizer's passes over whole functions, after Pnueli, Siegel and Singerman (TACAS 1998) and Necula (PLDI 2000):
/// each application of a pass comes with cut points and claims. From every cut point both codes are run on symbols, each path to the next
/// cut point or out of the function; charges, events and whatever else can be observed must be the same, and the claims must hold again.
/// Nothing is unrolled: a loop is a path from a cut point to itself.
module Zexus.Proofs.TranslationValidation

open System
open System.Collections.Immutable
open Zexus.Isa
open Zexus.Vm
open Zexus.Spec
open Zexus.Spec.Rules
open Zexus.Proofs.SmtLib
open Zexus.Proofs.SymbolicRun
open Zexus.Proofs.Agreement

type private VmPlace = Zexus.Vm.Place

/// What became of one application of a pass.
[<RequireQualifiedAccess>]
type Verdict =
    /// From so many cut points, along so many paths of the code before and after.
    | Proved of cuts: int * paths: int
    /// What does not hold, and where.
    | Refused of why: string

/// The claims cannot be read, or are not what a claim may be.
exception private Unfit of string

let private unfit why = raise (Unfit why)

// Translated code of the engine as the specification has it.

let translatedOf (code: TranslatedFunction) : Translation.TranslatedInstruction[] = [|
    for i in code.Code ->
        {
            Instruction = Instruction.Of((InstructionSet.Of i.Opcode).Number, i.A, i.B, i.C)
            Source = i.Source
            Charges = [ for c in i.Charges -> c.Source, Instances.spec c.Amount ]
            JumpCharges = [ for c in i.JumpCharges -> c.Source, Instances.spec c.Amount ]
        }
|]

/// A program as the specification loads it. Throws InvalidOperationException when it is refused.
let loadSource (limits: Limits) (program: Program) : Loaded =
    match Validation.validate limits program with
    | Error refusal -> invalidOp (refusal.Describe program)
    | Ok source -> source

/// A program of the engine's, loaded by the specification with other code for its functions. Throws InvalidOperationException when it is refused.
let load (limits: Limits) (program: Program) (constants: seq<Data>) (functions: seq<TranslatedFunction>) : Loaded =
    match
        Translation.load (loadSource limits program) (Array.ofSeq constants) [| for f in functions -> translatedOf f |]
    with
    | Error refusal -> invalidOp (refusal.Describe program)
    | Ok loaded -> loaded

// One of the two sides.

type private Side = {
    Loaded: Loaded
    Function: int
    /// The place of each cut point, by its number; and the other way round.
    Places: int[]
    Cuts: Map<int, int>
    /// The operand stack's height at each instruction that is reached.
    Heights: Map<int, int>
}

let private codeOf side =
    side.Loaded.Functions[side.Function].Code

let private targetOf (i: LoadedInstruction) =
    i.Info.Operands
    |> Array.tryFindIndex (fun o -> o.Kind = OperandKind.Target)
    |> Option.map (fun position -> [ i.A; i.B; i.C ][position])

/// Heights along every path; validation has made sure that they agree.
let private heightsOf (code: LoadedInstruction[]) : Map<int, int> =
    let rec go (known: Map<int, int>) pending =
        match pending with
        | [] -> known
        | (at, height) :: rest ->
            if at >= code.Length || Map.containsKey at known then
                go known rest
            else
                let i = code[at]

                let n =
                    Array.zip i.Info.Operands (Array.truncate i.Info.Operands.Length [| i.A; i.B; i.C |])
                    |> Array.sumBy (fun (o, value) ->
                        if o.Kind = OperandKind.Count || o.Kind = OperandKind.Results then
                            value
                        else
                            0)

                let effect = i.Info.Effect

                let after =
                    height - (effect.Pops + effect.PopsPerCount * n) + effect.Pushes + effect.PushesPerCount * n

                let next =
                    match i.Info.Flow, targetOf i with
                    | Flow.Next, _ -> [ at + 1, after ]
                    | Flow.Jump, Some target -> [ target, after ]
                    | Flow.Branch, Some target -> [ at + 1, after; target, after ]
                    | Flow.Try, Some target -> [ at + 1, after; target, after + 1 ]
                    | Flow.Leave, _ -> []
                    | (Flow.Jump | Flow.Branch | Flow.Try), None -> invalidOp "A jump has a target."

                go (Map.add at height known) (next @ rest)

    go Map.empty [ 0, 0 ]

let private sideOf (loaded: Loaded) (func: int) (places: int[]) = {
    Loaded = loaded
    Function = func
    Places = places
    Cuts = places |> Array.mapi (fun cut place -> place, cut) |> Map.ofArray
    Heights = heightsOf loaded.Functions[func].Code
}

// Where a path begins.

let private gasUsed = Int.Symbolic(IntTerm.Symbol "gas_used")

let private placeText (loaded: LoadedFunction) (place: VmPlace) =
    match place with
    | :? VmPlace.Variable as v ->
        let names = Array.append loaded.Definition.Parameters loaded.Definition.Locals

        "variable "
        + (if v.Slot < names.Length then
               names[v.Slot]
           else
               string v.Slot)
    | :? VmPlace.Register as r -> "register " + string r.Number
    | :? VmPlace.Stack as s -> $"operand stack cell {s.Cell}"
    | other -> unfit ("a place of the kind " + other.GetType().Name)

/// What the symbols of a place are called.
let private symbolOf (place: VmPlace) =
    match place with
    | :? VmPlace.Variable as v -> "v" + string v.Slot
    | :? VmPlace.Register as r -> "r" + string r.Number
    | :? VmPlace.Stack as s -> "s" + string s.Cell
    | other -> unfit ("a place of the kind " + other.GetType().Name)

let private scalarOf (plain: Plain) : Value =
    match plain with
    | Plain.Null -> Value.nothing
    | Plain.Bool b -> Value.ofBool b
    | Plain.Int n -> Value.ofInt n
    | Plain.Float x -> Value.ofFloat x
    | Plain.String s -> Value.ofStr s
    | Plain.List _
    | Plain.Map _
    | Plain.Set _ -> unfit "a constant that is a collection"

let private ofKind (kind: KindSet) symbol : Value =
    match kind with
    | KindSet.Null -> Value.nothing
    | KindSet.Bool -> Value.ofBool (Bool.Symbolic(BoolTerm.Symbol symbol))
    | KindSet.Int -> Value.ofInt (Int.Symbolic(IntTerm.Symbol symbol))
    | KindSet.Float -> Value.ofFloat (Float.Symbolic(FloatTerm.Symbol symbol))
    | KindSet.String -> Value.ofStr (Str.Symbolic(StrTerm.Symbol symbol))
    | other -> unfit $"a kind that is not one scalar kind: {other}"

let private isOfKind (kind: KindSet) (value: Value) =
    match value with
    | Value.Unknown _ -> false
    | Value.Of found ->
        match found with
        | Kind.Null -> kind = KindSet.Null
        | Kind.Bool _ -> kind = KindSet.Bool
        | Kind.Int _ -> kind = KindSet.Int
        | Kind.Float _ -> kind = KindSet.Float
        | Kind.String _ -> kind = KindSet.String
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> false

/// The two sides, as the symbols of what differs say it.
let private before = "before"

let private after = "after"

let private claimsOn (claims: Claim list) (place: VmPlace) =
    claims |> List.filter (fun claim -> claim.Place = place)

let private isDead (claims: Claim list) place =
    claimsOn claims place
    |> List.exists (fun claim ->
        match claim with
        | :? Claim.Dead -> true
        | _ -> false)

/// The place whose value the code after the pass has in this one.
let private tenantOf (claims: Claim list) (place: VmPlace) : VmPlace option =
    claims
    |> List.tryPick (fun claim ->
        match claim with
        | :? Claim.Home as h when h.Register = place -> Some h.Place
        | _ -> None)

let private homeOf (claims: Claim list) (place: VmPlace) : VmPlace option =
    claims
    |> List.tryPick (fun claim ->
        match claim with
        | :? Claim.Home as h when h.Place = place -> Some h.Register
        | _ -> None)

/// The constant that the code after the pass holds in a place.
let private heldIn (claims: Claim list) (place: VmPlace) : int option =
    claims
    |> List.tryPick (fun claim ->
        match claim with
        | :? Claim.Held as h when h.Place = place -> Some h.Index
        | _ -> None)

/// What a place holds where a path begins. A dead one holds different things on the two sides.
let rec private valueAt (constants: Plain[]) (claims: Claim list) (which: string) (place: VmPlace) : Value =
    let isAfter = (which = after)

    match tenantOf claims place, homeOf claims place, heldIn claims place with
    | Some tenant, None, None when isAfter -> Value.Unknown(symbolOf tenant)
    | None, Some _, None when not isAfter -> Value.Unknown(symbolOf place)
    | None, None, Some constant when isAfter -> scalarOf constants[constant]
    | None, None, None -> claimedAt constants claims which place
    | Some _, None, None
    | None, Some _, None
    | None, None, Some _ -> Value.Unknown(symbolOf place + "." + which)
    | _ -> unfit "a place that is a home and something else"

and private claimedAt (constants: Plain[]) (claims: Claim list) (which: string) (place: VmPlace) : Value =
    match claimsOn claims place with
    | [] -> Value.Unknown(symbolOf place)
    | known ->
        known
        |> List.map (fun claim ->
            match claim with
            // Whatever else is claimed of it, the two sides need not hold the same.
            | :? Claim.Dead -> 0, Value.Unknown(symbolOf place + "." + which)
            | :? Claim.Constant as c -> 1, scalarOf constants[c.Index]
            | :? Claim.Copy as c ->
                if claimsOn claims c.Original |> List.exists (fun o -> o :? Claim.Copy || o :? Claim.Dead) then
                    unfit "a copy of a copy, or of what is dead"

                2, valueAt constants claims which c.Original
            | :? Claim.OfKind as k -> 3, ofKind k.Kind (symbolOf place)
            | other -> unfit ("a claim of the kind " + other.GetType().Name))
        |> List.minBy fst
        |> snd

let private variableCount (f: LoadedFunction) =
    f.Definition.Parameters.Length + f.Definition.Locals.Length

/// No function but the frame's own reads or writes it.
let private isOwn (f: LoadedFunction) slot =
    slot < variableCount f && not f.IsShared[slot]

let private context: Context = {
    GasLimit = Int.Symbolic(IntTerm.Symbol "gas_limit")
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

let private openBounds (s: State) = {
    s with
        Rest.Setup.IntegerBound = Int.Symbolic(IntTerm.Symbol "int_bound")
        Rest.Setup.StringBound = Int.Symbolic(IntTerm.Symbol "text_bound")
        Rest.Setup.CollectionBound = Int.Symbolic(IntTerm.Symbol "count_bound")
}

let private globalsNamed (loaded: Loaded) (prefix: string) =
    loaded.Program.Names
    |> Seq.map (fun name -> name, Value.Unknown(prefix + "global." + Text.symbol name))
    |> Map.ofSeq

/// The state at a cut point: everything unknown but what the claims say. What other frames can reach is unknown, too, and the handlers that
/// were set up before are: a fault may go to any handler of the function, or leave it.
let private stateAt (side: Side) (claims: Claim list) (which: string) (cut: int) : State =
    let f = side.Loaded.Functions[side.Function]
    let place = side.Places[cut]
    let height = Map.tryFind place side.Heights |> Option.defaultValue 0

    let value (place: VmPlace) =
        valueAt side.Loaded.Constants claims which place

    let captured = f.Definition.Captures.Length

    let slots, heap =
        [ 0 .. variableCount f + captured - 1 ]
        |> List.mapFold
            (fun heap slot ->
                if isOwn f slot then
                    Slot.Own(value (VmPlace.Variable slot)), heap
                else
                    let address, heap = Heap.add (Cell.Variable(Value.Unknown("c" + string slot))) heap

                    Slot.Shared address, heap)
            Heap.empty

    let s = Machine.start side.Loaded context |> openBounds

    {
        s with
            GasUsed = gasUsed
            Rest.Heap = heap
            Rest.Globals = globalsNamed side.Loaded ""
            Frame = {
                Function = side.Function
                Instruction = place
                Source = 0
                Stack = [ for cell in height - 1 .. -1 .. 0 -> value (VmPlace.Stack cell) ]
                Height = height
                Variables = ImmutableArray.CreateRange slots
                Registers =
                    ImmutableArray.CreateRange(
                        [
                            for register in 0 .. Limits.Registers - 1 -> value (VmPlace.Register register)
                        ]
                    )
                Handlers = []
            }
    }

/// An event may read and write every captured variable, every global, the heap, the chain.
let private everything: Reach =
    fun number s -> {
        s with
            Rest.Globals = globalsNamed s.Loaded $"e{number}."
            Rest.Heap.Cells =
                s.Heap.Cells
                |> Map.map (fun address cell ->
                    match cell with
                    | Cell.Variable _ -> Cell.Variable(Value.Unknown $"e{number}.cell{address}")
                    | Cell.List _
                    | Cell.Map _
                    | Cell.Set _
                    | Cell.Unknown _ -> Cell.Unknown $"e{number}.cell{address}"
                    | Cell.Function _ -> cell)
    }

// Where paths end.

[<RequireQualifiedAccess>]
type private Exit =
    | AtCut of cut: int * Run
    | Returned of Value * Run
    /// Past every handler that the path has set up.
    | Thrown of Fault * Value * Run
    /// Inside an event.
    | EventThrown of Value * Run
    | Ended of Fault * Value * Run

let private runOf exit =
    match exit with
    | Exit.AtCut(_, r)
    | Exit.Returned(_, r)
    | Exit.Thrown(_, _, r)
    | Exit.EventThrown(_, r)
    | Exit.Ended(_, _, r) -> r

/// Enough for any code between cut points: more are a cycle without one.
let private longest (side: Side) = 4 * (codeOf side).Length + 16

let rec private follow (side: Side) (steps: int) (r: Run) : Exit list =
    let s = r.State

    match s.Returned with
    | Some value -> [ Exit.Returned(value, r) ]
    | None ->
        match Map.tryFind s.Frame.Instruction side.Cuts with
        | Some cut when steps > 0 -> [ Exit.AtCut(cut, r) ]
        | Some _
        | None ->
            if steps > longest side then
                unfit $"a cycle through instruction {s.Frame.Instruction} without a cut point"

            step side r |> List.collect (settle side (steps + 1))

and private step (side: Side) (r: Run) : Next list =
    let code = codeOf side
    let at = r.State.Frame.Instruction

    if at < code.Length then
        guarded everything code[at] r
    else
        let atEnd =
            rule {
                do! actFor side.Loaded.Functions[side.Function].Definition.Code.Length Machine.EndRule
                do! Calls.END
            }

        byRule atEnd r

and private settle side steps next =
    let caught fault value (r: Run) otherwise =
        if r.State.Frame.Handlers.IsEmpty then
            [ otherwise ]
        else
            match Control.catch fault value r.State with
            | Some s -> follow side steps { r with State = s }
            | None -> [ otherwise ]

    match next with
    | Next.On r -> follow side steps r
    | Next.Fault(fault, value, r) when fault.IsCatchable -> caught fault value r (Exit.Thrown(fault, value, r))
    | Next.Fault(fault, value, r) -> [ Exit.Ended(fault, value, r) ]
    | Next.EventFault(value, r) -> caught Fault.Thrown value r (Exit.EventThrown(value, r))
    | Next.Blind(operation, _) -> unfit $"an operation that looks inside something unknown: {operation}"

// Agreement.

let private compareShared (s: State) (t: State) (c: Comparison) =
    c.That("what other functions reach", pairedAgain s t)

    for KeyValue(name, value) in s.Globals do
        c.That($"global {name}", Equivalence.pairValue s.Heap t.Heap value t.Globals[name])

    for slot in 0 .. s.Frame.Variables.Length - 1 do
        match s.Frame.Variables[slot], t.Frame.Variables[slot] with
        | Slot.Shared a, Slot.Shared b -> c.That($"captured variable {slot}", Equivalence.pairAddress s.Heap t.Heap a b)
        | Slot.Own _, Slot.Own _ -> ()
        | Slot.Own _, Slot.Shared _
        | Slot.Shared _, Slot.Own _ -> c.Holds($"variable {slot} is captured", false)

let private compareEvents (a: Run) (b: Run) (c: Comparison) =
    c.Holds($"the number of events ({a.Events.Length} and {b.Events.Length})", a.Events.Length = b.Events.Length)

    if a.Events.Length = b.Events.Length then
        for x, y in List.rev (List.zip a.Events b.Events) do
            let what =
                x.Instruction.Info.Mnemonic + " for source instruction " + string x.Instruction.Source

            c.Holds(
                what + ": the same instruction, for the same source",
                meaningOf x.Instruction = meaningOf y.Instruction
                && fixedOperandsOf x.Instruction = fixedOperandsOf y.Instruction
                && x.Instruction.Source = y.Instruction.Source
                && x.Instruction.Rule = y.Instruction.Rule
            )

            c.That("what other functions reach", pairedAgain x.At y.At)

            c.That(
                what + ": its operands",
                Equivalence.pairEach (Equivalence.pairValue x.At.Heap y.At.Heap) x.Operands y.Operands
            )

            c.That(what + ": gas used", Equivalence.fact (Equivalence.sameInt x.At.GasUsed y.At.GasUsed))
            compareShared x.At y.At c

/// The frame as code at a place sees it, with the claims that hold there.
let private compareFrames
    (f: LoadedFunction)
    (constants: Plain[])
    (claims: Claim list)
    stacks
    (s: State)
    (t: State)
    (c: Comparison)
    =
    let pair what place a b =
        if not (isDead claims place) then
            c.That(what, Equivalence.pairValue s.Heap t.Heap a b)

    for slot in 0 .. variableCount f - 1 do
        match s.Frame.Variables[slot], t.Frame.Variables[slot] with
        | Slot.Own a, Slot.Own b ->
            let place = VmPlace.Variable slot

            match homeOf claims place with
            | Some(:? VmPlace.Register as home) -> pair (placeText f place) place a t.Frame.Registers[home.Number]
            | Some _ -> unfit "a home that is no register"
            | None -> pair (placeText f place) place a b
        | (Slot.Own _ | Slot.Shared _), _ -> ()

    for register in 0 .. Limits.Registers - 1 do
        let place = VmPlace.Register register

        match tenantOf claims place, heldIn claims place with
        | Some _, _ -> ()
        | None, Some constant ->
            c.That(
                placeText f place + ": holds the constant",
                Equivalence.pairValue t.Heap t.Heap t.Frame.Registers[register] (scalarOf constants[constant])
            )
        | None, None -> pair (placeText f place) place s.Frame.Registers[register] t.Frame.Registers[register]

    let left, right = stacks
    c.Holds("the operand stack's height", List.length left = List.length right)

    if List.length left = List.length right then
        for cell, (a, b) in List.indexed (List.zip (List.rev left) (List.rev right)) do
            let place = VmPlace.Stack cell
            pair (placeText f place) place a b

/// The claims of a cut point, of the side before the pass: what is not dead is the same on the other.
let private compareClaims (f: LoadedFunction) (constants: Plain[]) (claims: Claim list) (s: State) (c: Comparison) =
    let valueOf (place: VmPlace) =
        match place with
        | :? VmPlace.Variable as v ->
            match s.Frame.Variables[v.Slot] with
            | Slot.Own value -> value
            | Slot.Shared _ -> unfit ("a claim on a captured variable: " + placeText f place)
        | :? VmPlace.Register as r -> s.Frame.Registers[r.Number]
        | :? VmPlace.Stack as cell ->
            let fromTop = s.Frame.Height - 1 - cell.Cell

            if fromTop < 0 then
                unfit $"a claim on a cell that is not there: {cell.Cell}"

            s.Frame.Stack[fromTop]
        | other -> unfit ("a place of the kind " + other.GetType().Name)

    for claim in claims do
        let what = placeText f claim.Place + ": "
        let value = valueOf claim.Place

        match claim with
        | :? Claim.Dead -> ()
        // Of the two sides together: shown where the frames are compared.
        | :? Claim.Home
        | :? Claim.Held -> ()
        | :? Claim.Constant as k ->
            c.That(what + "holds the constant", Equivalence.pairValue s.Heap s.Heap value (scalarOf constants[k.Index]))
        | :? Claim.Copy as copy ->
            c.That(
                what + "is a copy of " + placeText f copy.Original,
                Equivalence.pairValue s.Heap s.Heap value (valueOf copy.Original)
            )
        | :? Claim.OfKind as k -> c.Holds(what + $"is of kind {k.Kind}", isOfKind k.Kind value)
        | other -> unfit ("a claim of the kind " + other.GetType().Name)

let private compareHandlers (left: Side) (right: Side) (s: State) (t: State) (c: Comparison) =
    let known side (frame: Frame) =
        frame.Handlers |> List.map (fun h -> Map.tryFind h.Target side.Cuts, h.Height, h.Begun)

    let mine = known left s.Frame
    c.Holds("the handlers", mine = known right t.Frame && mine |> List.forall (fun (cut, _, _) -> cut.IsSome))

/// Handlers that may have been set up before the path began: any of the function that a path sets up.
let private anyHandler (side: Side) = [
    for at in side.Heights.Keys do
        let i = (codeOf side)[at]

        match i.Info.Flow, targetOf i with
        | Flow.Try, Some target ->
            match Map.tryFind target side.Cuts with
            | Some cut -> cut
            | None -> unfit $"the handler at {target} is no cut point"
        | (Flow.Try | Flow.Next | Flow.Jump | Flow.Branch | Flow.Leave), _ -> ()
]

let private compare (left: Side) (right: Side) (claims: Claim list[]) (a: Exit) (b: Exit) : Part list =
    let c = Comparison()
    let f = left.Loaded.Functions[left.Function]
    let constants = right.Loaded.Constants
    let r, q = runOf a, runOf b
    compareEvents r q c
    compareTolls true r q c
    let s, t = r.State, q.State
    c.That("gas used", Equivalence.fact (Equivalence.sameInt s.GasUsed t.GasUsed))

    let spokenFor () =
        c.Holds("whose fault it is", s.Rule = t.Rule && s.Frame.Source = t.Frame.Source)

    // A fault that leaves the path finds a handler of the function that was set up before, or none of it.
    let thrown () =
        compareShared s t c

        for cut in List.distinct (anyHandler left) do
            let height =
                (Map.tryFind left.Places[cut] left.Heights |> Option.defaultValue 1) - 1

            let upTo (s: State) =
                List.replicate (max 0 (height - s.Frame.Height)) Value.nothing
                @ List.skip (max 0 (s.Frame.Height - height)) s.Frame.Stack

            compareFrames f constants claims[cut] (upTo s, upTo t) s t c

            if claims[cut] |> List.exists (fun claim -> not (claim :? Claim.Dead)) then
                let asCaught = {
                    s with
                        Frame = {
                            s.Frame with
                                Stack = Value.Unknown "caught" :: upTo s
                                Height = height + 1
                        }
                }

                compareClaims f constants claims[cut] asCaught c

    match a, b with
    | Exit.AtCut(here, _), Exit.AtCut(there, _) ->
        c.Holds($"where it goes on (cut points {left.Places[here]} and {left.Places[there]})", (here = there))

        if here = there then
            compareShared s t c
            compareHandlers left right s t c
            compareFrames f constants claims[here] (s.Frame.Stack, t.Frame.Stack) s t c
            compareClaims f constants claims[here] s c
    | Exit.Returned(v, _), Exit.Returned(w, _) ->
        compareShared s t c
        c.That("the value returned", Equivalence.pairValue s.Heap t.Heap v w)
    | Exit.Thrown(fault, v, _), Exit.Thrown(other, w, _) ->
        c.Holds("the fault", (fault = other))
        spokenFor ()
        c.That("the fault's value", Equivalence.pairValue s.Heap t.Heap v w)
        thrown ()
    | Exit.EventThrown _, Exit.EventThrown _ -> thrown ()
    | Exit.Ended(fault, v, _), Exit.Ended(other, w, _) ->
        c.Holds("the fault", (fault = other))
        spokenFor ()
        c.That("the fault's value", Equivalence.pairValue s.Heap t.Heap v w)
    | (Exit.AtCut _ | Exit.Returned _ | Exit.Thrown _ | Exit.EventThrown _ | Exit.Ended _), _ ->
        c.Holds("how the path ends", false)

    c.Parts

// One side may pass a cut point that the other has jumped over: it goes on as far as jumps lead.

let private isPassage (i: LoadedInstruction) =
    match i.Opcode with
    | Opcode.JUMP
    | Opcode.NOP
    | Opcode.RETURN -> true
    | _ -> false

let rec private catchUp (side: Side) (goal: Exit) (patience: int) (exit: Exit) : Exit =
    match exit, goal with
    | Exit.AtCut(here, _), Exit.AtCut(there, _) when here = there -> exit
    | Exit.AtCut(_, r), (Exit.AtCut _ | Exit.Returned _) when patience > 0 ->
        let code = codeOf side
        let at = r.State.Frame.Instruction

        if at >= code.Length || isPassage code[at] then
            match step side r |> List.collect (settle side 1) with
            | [ next ] -> catchUp side goal (patience - 1) next
            | _ -> exit
        else
            exit
    | (Exit.AtCut _ | Exit.Returned _ | Exit.Thrown _ | Exit.EventThrown _ | Exit.Ended _), _ -> exit

// The check.

let private facts: Formula list =
    let less a b =
        Formula.term (BoolTerm.IntLess(IntTerm.Symbol a, IntTerm.Symbol b))

    let notNegative a =
        Formula.negate (Formula.term (BoolTerm.IntLess(IntTerm.Symbol a, IntTerm.Constant 0I)))

    [
        notNegative "gas_used"
        Formula.negate (less "gas_limit" "gas_used")
        Formula.negate (Formula.term (BoolTerm.IntLess(IntTerm.Symbol "int_bound", IntTerm.Constant 2I)))
        notNegative "text_bound"
        notNegative "count_bound"
    ]

/// The query of one cut point: a model is a way for the sides to differ. With it the pairs of paths that meet, for the words of a refusal.
let private obligation (left: Side) (right: Side) (claims: Claim list[]) (cut: int) =
    let start side which =
        follow side 0 (startOf (stateAt side claims[cut] which cut))

    let lefts = start left before
    let rights = start right after

    let pairs = [
        for a in lefts do
            let decided = decisionsOf (runOf a)

            for b in rights do
                if not (isContradiction decided (runOf b)) then
                    let a = catchUp left b 16 a
                    let b = catchUp right a 16 b
                    a, b, compare left right claims a b
    ]

    let uncovered exits =
        exits |> List.map (runOf >> conditions) |> Formula.any |> Formula.negate

    let difference =
        Formula.any [
            uncovered lefts
            uncovered rights
            for a, b, parts in pairs do
                Formula.all [
                    conditions (runOf a)
                    conditions (runOf b)
                    Formula.negate (Formula.all (List.map snd parts))
                ]
        ]

    fst (query facts difference), lefts.Length + rights.Length, pairs

/// What seems to be the matter: the first part of a pair of paths that is not plainly so.
let private explain pairs =
    pairs
    |> List.tryPick (fun (_, _, parts: Part list) ->
        parts
        |> List.tryFind (fun (_, formula) -> Formula.isPlainlyFalse formula)
        |> Option.map (fun (what, _) -> what + " differs"))
    |> Option.defaultWith (fun () ->
        pairs
        |> List.tryPick (fun (_, _, parts: Part list) ->
            parts |> List.tryFind (fun (_, formula) -> formula <> Formula.always) |> Option.map fst)
        |> Option.map (fun what -> what + " may differ")
        |> Option.defaultValue "the paths do not cover")

/// At the entry variables hold arguments or Null, registers Null, and no handler is set up: the claims there hold of that.
let private entryHolds (side: Side) (claims: Claim list) =
    let f = side.Loaded.Functions[side.Function]

    for claim in claims do
        let isNull =
            match claim.Place with
            | :? VmPlace.Variable as v -> v.Slot >= f.Definition.Parameters.Length
            | :? VmPlace.Register -> true
            | _ -> false

        match claim with
        | :? Claim.Dead -> ()
        | :? Claim.Constant as k ->
            if not (isNull && side.Loaded.Constants[k.Index] = Plain.Null) then
                unfit ("at the entry " + placeText f claim.Place + " does not hold that constant")
        | :? Claim.OfKind as k ->
            if not (isNull && k.Kind = KindSet.Null) then
                unfit ("at the entry " + placeText f claim.Place + $" need not be of kind {k.Kind}")
        | :? Claim.Copy as c ->
            let originalIsNull =
                match c.Original with
                | :? VmPlace.Variable as v -> v.Slot >= f.Definition.Parameters.Length
                | :? VmPlace.Register -> true
                | _ -> false

            if not (isNull && originalIsNull) then
                unfit ("at the entry " + placeText f claim.Place + " is no copy")
        | :? Claim.Home ->
            if not isNull then
                unfit ("at the entry " + placeText f claim.Place + " is not yet at home")
        | :? Claim.Held as k ->
            if not (isNull && side.Loaded.Constants[k.Index] = Plain.Null) then
                unfit ("at the entry " + placeText f claim.Place + " does not hold that constant")
        | other -> unfit ("a claim of the kind " + other.GetType().Name)

let private isReached side place =
    place = (codeOf side).Length || Map.containsKey place side.Heights

/// Claims speak of what only the frame's own code reads and writes; and at the end of the code of no cell, which it may return.
let private onOwnPlaces (side: Side) (place: int) (claims: Claim list) =
    for claim in claims do
        match claim.Place with
        | :? VmPlace.Variable as v when not (isOwn side.Loaded.Functions[side.Function] v.Slot) ->
            unfit $"a claim on variable {v.Slot}, which other functions reach"
        | :? VmPlace.Stack when place = (codeOf side).Length ->
            unfit "a claim on the operand stack at the end of the code, whose height is open"
        | _ -> ()

/// Validate one application of a pass. `ask` is given each query and says whether it has no model (None) or why that is not certain.
let validate
    (limits: Limits)
    (program: Program)
    (constants: seq<Data>)
    (ask: string -> string option)
    (transformation: Transformation)
    : Verdict =
    try
        let asItIs = TranslatedProgram.Of program

        let loadWith (code: TranslatedFunction) =
            load limits program constants [
                for index in 0 .. asItIs.Functions.Length - 1 ->
                    if index = transformation.Function then
                        code
                    else
                        asItIs.Functions[index]
            ]

        let cuts = Array.ofSeq transformation.Cuts

        if cuts.Length = 0 || cuts[0].Before <> 0 || cuts[0].After <> 0 then
            unfit "the entry is no cut point"

        let left =
            sideOf (loadWith transformation.Before) transformation.Function [| for cut in cuts -> cut.Before |]

        let right =
            sideOf (loadWith transformation.After) transformation.Function [| for cut in cuts -> cut.After |]

        let claims = [| for cut in cuts -> List.ofSeq cut.Claims |]
        Array.iter2 (onOwnPlaces left) left.Places claims
        entryHolds left claims[0]
        let mutable paths = 0

        let problem =
            Seq.init cuts.Length id
            // No path leads to a cut point without a height: nothing is to be shown from there.
            |> Seq.filter (fun cut -> isReached left left.Places[cut])
            |> Seq.tryPick (fun cut ->
                let query, count, pairs = obligation left right claims cut
                paths <- paths + count

                ask query
                |> Option.map (fun why ->
                    $"from instruction {cuts[cut].Before} ({cuts[cut].After} after the pass): {explain pairs} ({why})"))

        match problem with
        | Some why -> Verdict.Refused why
        | None -> Verdict.Proved(cuts.Length, paths)
    with
    | Unfit why -> Verdict.Refused why
    | :? InvalidOperationException as problem -> Verdict.Refused problem.Message
