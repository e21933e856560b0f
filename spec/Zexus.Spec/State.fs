namespace Zexus.Spec

open System.Collections.Immutable
open Zexus.Isa

/// Where a collection, a Function or a shared variable lives in the heap.
[<Struct>]
type Address = Address of int

/// What a value is. Payloads may be symbolic; the kind and the identity of a reference are always concrete.
/// (Task comes with the async opcodes; until then nothing makes one.)
[<RequireQualifiedAccess>]
type Kind =
    | Null
    | Bool of Bool
    | Int of Int
    | Float of Float
    | String of Str
    | List of Address
    | Map of Address
    | Set of Address
    | Function of Address

/// A cell of a stack, a variable or a collection. Rules never match on it: an unknown value has every kind until `kindOf` forks.
[<RequireQualifiedAccess>]
type Value =
    | Of of Kind
    | Unknown of symbol: string

[<RequireQualifiedAccess>]
module Value =
    let nothing = Value.Of Kind.Null
    let ofBool b = Value.Of(Kind.Bool b)
    let ofInt n = Value.Of(Kind.Int n)
    let ofFloat x = Value.Of(Kind.Float x)
    let ofStr s = Value.Of(Kind.String s)
    let known b = ofBool (Bool.Known b)
    let text s = ofStr (Str.Known s)

/// The normal form of a Map key or Set element: two keys are EQ exactly when their normal forms are equal.
[<RequireQualifiedAccess>]
type Key =
    | Null
    /// Every Int, Bool and integral Float.
    | Whole of bigint
    /// A Float that is not integral, or an infinity.
    | Fraction of float
    | Text of string

/// A Map, or a Set whose values are unused: entries by order of insertion, found by normal form.
type Entries = {
    Index: Map<Key, int>
    ByOrder: Map<int, Value * Value>
    NextOrder: int
}

[<RequireQualifiedAccess>]
module Entries =
    let empty = {
        Index = Map.empty
        ByOrder = Map.empty
        NextOrder = 0
    }

    let count entries = entries.Index.Count

    let tryFind key entries =
        entries.Index |> Map.tryFind key |> Option.map (fun order -> snd entries.ByOrder[order])

    /// A stored key keeps its first form and its place.
    let add key form value entries =
        match Map.tryFind key entries.Index with
        | Some order ->
            let first, _ = entries.ByOrder[order]

            {
                entries with
                    ByOrder = Map.add order (first, value) entries.ByOrder
            }
        | None -> {
            Index = Map.add key entries.NextOrder entries.Index
            ByOrder = Map.add entries.NextOrder (form, value) entries.ByOrder
            NextOrder = entries.NextOrder + 1
          }

    let remove key entries =
        match Map.tryFind key entries.Index with
        | Some order -> {
            entries with
                Index = Map.remove key entries.Index
                ByOrder = Map.remove order entries.ByOrder
          }
        | None -> entries

    /// Key and value in order of insertion.
    let toList entries =
        entries.ByOrder |> Map.toList |> List.map snd

[<RequireQualifiedAccess>]
type Cell =
    | List of ImmutableList<Value>
    | Map of Entries
    | Set of Entries
    /// A Function: a row of the function table, and where its captured variables live.
    | Function of index: int * captures: Address list
    /// A variable that a Function captures.
    | Variable of Value
    /// A collection or Function of which only the kind is known.
    | Unknown of symbol: string

type Heap = { Cells: Map<int, Cell>; Next: int }

[<RequireQualifiedAccess>]
module Heap =
    let empty = { Cells = Map.empty; Next = 0 }

    let find (Address a) heap = heap.Cells[a]

    let put (Address a) cell heap = {
        heap with
            Cells = Map.add a cell heap.Cells
    }

    let add cell heap =
        Address heap.Next,
        {
            Cells = Map.add heap.Next cell heap.Cells
            Next = heap.Next + 1
        }

/// How a frame holds one of its variables.
[<RequireQualifiedAccess>]
type Slot =
    | Own of Value
    /// Captured by a Function made in this frame, or by the frame's own Function.
    | Shared of Address

type Handler = {
    Target: int
    Height: int
    /// How many TX_BEGINs the execution had seen at SETUP_TRY: what began later is reverted.
    Begun: int
}

/// A function being executed.
type Frame = {
    Function: int
    /// The current instruction; while a call is in progress, the call.
    Instruction: int
    /// The instruction of the source program that is acting or being charged for: what faults are reported as. Other than `Instruction` only in translated code.
    Source: int
    /// The operand stack, top first.
    Stack: Value list
    Height: int
    /// Parameters, locals, captures.
    Variables: ImmutableArray<Slot>
    Registers: ImmutableArray<Value>
    Handlers: Handler list
}

/// The state of a bottom-up merge sort that waits for a comparison: docs/semantics.md, section 7.
type Merge = {
    /// The elements as they stand before this width's pass.
    Elements: ImmutableArray<Value>
    /// What this pass has placed.
    Placed: ImmutableList<Value>
    Width: int
    Start: int
    Left: int
    Right: int
}

/// A routine that calls a Function again and again, and what is left of it. It stands above the frame that called the routine.
[<RequireQualifiedAccess>]
type Callback =
    | Map of f: Address * rest: Value list * results: ImmutableList<Value>
    | Filter of f: Address * candidate: Value * rest: Value list * results: ImmutableList<Value>
    | Reduce of f: Address * rest: Value list
    | Sort of f: Address * merge: Merge
    | Event of payload: Value * rest: string list

/// A frame that waits for a call, and the callback frame above it, if the call is a routine's.
type Suspended = {
    Frame: Frame
    Callback: Callback option
}

/// Plain data whose scalars may be symbolic: what leaves the heap for state, ledger, events and audit, copied as a tree.
[<RequireQualifiedAccess>]
type Plain =
    | Null
    | Bool of Bool
    | Int of Int
    | Float of Float
    | String of Str
    | List of Plain list
    | Map of (Plain * Plain) list
    | Set of Plain list

[<RequireQualifiedAccess>]
module Plain =
    let rec ofData (data: Data) =
        match data with
        | Data.Null -> Plain.Null
        | Data.Bool b -> Plain.Bool(Bool.Known b)
        | Data.Int n -> Plain.Int(Int.Known n)
        | Data.Float x -> Plain.Float(Float.Known x)
        | Data.String s -> Plain.String(Str.Known s)
        | Data.List items -> Plain.List [ for item in items -> ofData item ]
        | Data.Map entries -> Plain.Map [ for entry in entries -> ofData entry.Key, ofData entry.Value ]
        | Data.Set items -> Plain.Set [ for item in items -> ofData item ]

    /// Cells of its collections, at every level: what copying it costs.
    let rec elements plain =
        match plain with
        | Plain.Null
        | Plain.Bool _
        | Plain.Int _
        | Plain.Float _
        | Plain.String _ -> 0
        | Plain.List items -> List.length items + List.sumBy elements items
        | Plain.Map entries -> 2 * List.length entries + List.sumBy (fun (_, value) -> elements value) entries
        | Plain.Set items -> List.length items

/// What an audit entry holds, and which contract logged it.
type AuditEntry = {
    Contract: string
    Data: Plain
    Action: Plain
    Timestamp: bigint
}

/// What an execution adds to the ledger, and by which contract.
type LedgerEntry = { Contract: string; Entry: Plain }

/// An event, and which contract emitted it.
type EmittedEvent = {
    Contract: string
    Name: string
    Payload: Plain
}

/// What transactions undo. Lists are newest first.
type World = {
    /// Of the contract that executes.
    State: Map<string, Plain>
    /// Of the contracts that were called and have returned.
    Called: Map<string, Map<string, Plain>>
    Ledger: LedgerEntry list
    Events: EmittedEvent list
    /// Handler names of an event, in order of registration; those of the contract that executes.
    Registrations: Map<string, string list>
}

/// What a host function answers.
[<RequireQualifiedAccess>]
type HostOutcome =
    | Returned of Plain
    | Thrown of Plain

/// A function of the host, as the specification sees it: given, for each call of an execution, the answer.
type HostFunction = {
    Arity: int
    Gas: bigint
    /// The number of host calls made before this one, and the arguments.
    Answer: int -> Plain list -> HostOutcome
}

/// What a program can read of the block; the context's, or open in a proof.
type Block = {
    Timestamp: Int
    Height: Int
    Caller: Str
}

/// Where an execution begins: a function that captures nothing, and what its parameters get. As in every call, a parameter without an
/// argument is Null, and an argument without a parameter is dropped. Like constants and state, arguments are the host's and cost no gas.
type Entry = { Function: int; Arguments: Plain list }

[<RequireQualifiedAccess>]
module Entry =
    /// The first function, which has no parameters.
    let main = { Function = 0; Arguments = [] }

/// How a name is reached from the code of a function.
[<RequireQualifiedAccess>]
type Variable =
    | Slot of int
    | Global of string

/// What a charge takes. All but Fixed look at the frame as it stands before the instruction acts.
[<RequireQualifiedAccess>]
type Amount =
    | Fixed of Int
    /// The size of the Int so many cells below the top; of any other kind 0.
    | Size of depth: int
    /// Scalars / 8 of the String so many cells below the top; of any other kind 0.
    | Text of depth: int
    /// The size of the Int in a variable that no function captures, by its place among parameters and locals; of any other kind 0.
    | VariableSize of slot: int
    /// The size of the Int in a register; of any other kind 0.
    | RegisterSize of register: int
    /// One charge.
    | Sum of Amount list

/// A charge, and for which instruction of the source program it is taken.
type Charge = {
    Source: int
    /// The rule of that instruction.
    Rule: string
    Amount: Amount
}

/// One instruction of a loaded program, or of a translation of one: then it acts and charges for instructions of its source.
type LoadedInstruction = {
    Opcode: Opcode
    Info: OpcodeInfo
    A: int
    B: int
    C: int
    /// The instruction of the source program that this one acts for, and its rule.
    Source: int
    Rule: string
    /// Taken in order before it acts: its static charge; a translator's output may have others.
    Charges: Charge list
    /// A conditional jump of translated code: taken when it jumps, before the target's own.
    JumpCharges: Charge list
    /// STORE_FUNC and CALL_FUNC_CONST: where this function keeps what the named one captures.
    Captures: int list
}

type LoadedFunction = {
    Definition: FunctionDefinition
    Code: LoadedInstruction[]
    /// For each name of the program, how this function reaches it.
    Reach: Variable[]
    /// Which of parameters, locals, captures live in the heap.
    IsShared: bool[]
}

/// A program that validation accepted, under its limits.
type Loaded = {
    Program: Program
    Limits: Limits
    Constants: Plain[]
    Functions: LoadedFunction[]
}

/// A contract that can be called: its program, under the limits of all others, and its state before the execution.
type Contract = {
    Loaded: Loaded
    State: Map<string, Plain>
}

/// What the host gives to an execution.
type Context = {
    /// The id under which the program executes.
    Contract: string
    Entry: Entry
    GasLimit: Int
    Timestamp: bigint
    Height: bigint
    Caller: string
    State: Map<string, Plain>
    Host: Map<string, HostFunction>
    /// Signature, message, public key, all of them text: does it hold? The contract is docs/signatures.md; of the same three the
    /// answer is always the same, and nothing is thrown.
    VerifySignature: string -> string -> string -> bool
    /// What can be called, by id.
    Contracts: Map<string, Contract>
}

/// A rule branch: the rule's name and what a reader would tell apart in it.
type Branch = string * string

/// What an execution is given, and does not change.
type ExecutionSetup = {
    Loaded: Loaded
    Context: Context
    Block: Block
    /// Ints lie in [-IntegerBound, IntegerBound).
    IntegerBound: Int
    /// The most scalars that a String has.
    StringBound: Int
    /// The most elements or entries that a collection has.
    CollectionBound: Int
    /// In a proof: keys that the state at the start does not list hold anything, and are not missing.
    StateIsOpen: bool
}

/// What an execution does to the world outside of its frames and heap.
type SideEffects = {
    World: World
    /// Open transactions, innermost first: how many began before, and what to go back to.
    Transactions: (int * World) list
    /// TX_BEGINs so far.
    Begun: int
    Audit: AuditEntry list
    /// Newest first.
    Output: Str list
    HostCalls: int
}

/// What a path through the rules has found out about unknown things.
type PathKnowledge = {
    /// What was decided, newest first.
    Path: BoolTerm list
    /// What unknown values turned out to be.
    Kinds: Map<string, Kind>
}

/// A contract that waits for another that it has called.
type Waiting = {
    Setup: ExecutionSetup
    Frame: Frame
    Callers: Suspended list
    /// Code and callback frames alive, with those of the contracts that wait for this one.
    Depth: int
    Globals: Map<string, Value>
    Transactions: (int * World) list
    /// As it was at the call.
    World: World
    /// The function that it called.
    Called: string
}

/// What most instructions leave as it is. It is a record of its own because every instruction makes several states.
type Surroundings = {
    Setup: ExecutionSetup
    Callers: Suspended list
    /// Code and callback frames alive, those of waiting contracts included.
    Depth: int
    /// The contracts that wait for the one that executes, innermost first.
    Waiting: Waiting list
    Heap: Heap
    Globals: Map<string, Value>
    Effects: SideEffects
    Knowledge: PathKnowledge
    /// The entry function's value, once it has returned.
    Returned: Value option
}

type State = {
    /// The frame that executes.
    Frame: Frame
    GasUsed: Int
    /// The rule of the current step, or of the routine it has entered.
    Rule: string
    /// The branches of the current step, newest first.
    Reached: Branch list
    Rest: Surroundings
} with

    member s.Callers = s.Rest.Callers
    member s.Depth = s.Rest.Depth
    member s.Waiting = s.Rest.Waiting
    member s.Heap = s.Rest.Heap
    member s.Globals = s.Rest.Globals
    member s.Returned = s.Rest.Returned
    member s.Loaded = s.Rest.Setup.Loaded
    member s.Context = s.Rest.Setup.Context
    member s.Block = s.Rest.Setup.Block
    member s.IntegerBound = s.Rest.Setup.IntegerBound
    member s.StringBound = s.Rest.Setup.StringBound
    member s.CollectionBound = s.Rest.Setup.CollectionBound
    member s.World = s.Rest.Effects.World
    member s.Transactions = s.Rest.Effects.Transactions
    member s.Begun = s.Rest.Effects.Begun
    member s.Audit = s.Rest.Effects.Audit
    member s.Output = s.Rest.Effects.Output
    member s.HostCalls = s.Rest.Effects.HostCalls
    member s.Path = s.Rest.Knowledge.Path
    member s.Kinds = s.Rest.Knowledge.Kinds
