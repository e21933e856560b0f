/// Every rule, on every combination of kinds that it asks for: each path ends in exactly one declared branch and in no exception, the paths
/// cover, no two overlap, and every declared branch is entered by a program that oracle and engine agree on.
module Zexus.Proofs.Totality

open System
open System.Collections.Concurrent
open System.Collections.Generic
open System.Diagnostics
open System.Globalization
open Zexus.Isa
open Zexus.Spec
open Zexus.Proofs.SmtLib
open Zexus.Proofs.AnswerCache
open Zexus.Proofs.Prover
open Zexus.Proofs.Scenes
open Zexus.Proofs.Subjects

[<RequireQualifiedAccess>]
type End =
    | Branch of Branch
    /// The operation looks into something unknown.
    | Opaque of operation: string
    /// In no branch of the rule it was in.
    | Nowhere of rule: string

/// One way through a rule.
type Path = {
    End: End
    /// What was decided, oldest first.
    Conditions: BoolTerm list
    /// By symbol, what its value turned out to be.
    Kinds: Map<string, string>
    /// Newest first, the fault's own branch included.
    Reached: Branch list
    GasUsed: Int
}

/// Values of these kinds, and the paths that are open to them.
type Combination = {
    Kinds: Map<string, string>
    Paths: Path list
}

type Query = { Title: string; Text: string }

/// What a run of a rule from one state shows.
type Examination = {
    Paths: Path list
    Combinations: Combination list
    /// To be refuted, each by both solvers.
    Queries: Query list
    Complaints: string list
}

// Paths.

let private kindName (kind: Kind) =
    match kind with
    | Kind.Null -> "Null"
    | Kind.Bool _ -> "Bool"
    | Kind.Int _ -> "Int"
    | Kind.Float _ -> "Float"
    | Kind.String _ -> "String"
    | Kind.List _ -> "List"
    | Kind.Map _ -> "Map"
    | Kind.Set _ -> "Set"
    | Kind.Function _ -> "Function"

let private kindNames = [ "Null"; "Bool"; "Int"; "Float"; "String"; "List"; "Map"; "Set"; "Function" ]

let private pathOf ending (s: State) = {
    End = ending
    Conditions = List.rev s.Path
    Kinds = s.Kinds |> Map.map (fun _ kind -> kindName kind)
    Reached = s.Reached
    GasUsed = s.GasUsed
}

/// The last branch of the rule that the run was in at its end.
let private lastBranch (s: State) =
    match s.Reached |> List.tryFind (fun (rule, _) -> rule = s.Rule) with
    | Some branch -> End.Branch branch
    | None -> End.Nowhere s.Rule

/// The ways through a rule from a state; a fault's end is its branch.
let pathsOf (run: Rule<unit>) (s: State) : Path list =
    run s
    |> List.map (fun outcome ->
        match outcome with
        | Outcome.Ok((), s) -> pathOf (lastBranch s) s
        | Outcome.Opaque(operation, _, s) -> pathOf (End.Opaque operation) s
        | Outcome.Fault(fault, _, s) ->
            let branch = s.Rule, Machine.branchOfFault fault
            pathOf (End.Branch branch) { s with Reached = branch :: s.Reached })

/// The ways of a whole step, faults caught or finished.
let private pathsOfStep (s: State) : Path list =
    Machine.steps s
    |> List.map (fun step ->
        match step with
        | Machine.Step.Opaque(operation, _, s) -> pathOf (End.Opaque operation) s
        | Machine.Step.Finished(s, Machine.Ending.Faulted(fault, _, rule, _, _)) ->
            pathOf (End.Branch(rule, Machine.branchOfFault fault)) s
        | Machine.Step.Finished(s, Machine.Ending.Completed _) -> pathOf (lastBranch s) s
        | Machine.Step.Running s ->
            match s.Reached with
            // What was caught is what the rule ended in.
            | ("control/catch", _) :: fault :: _ -> pathOf (End.Branch fault) s
            | _ -> pathOf (lastBranch s) s)

/// Of every fault that the tables have some rule raise.
let private faultNames =
    Seq.append (InstructionSet.Rows |> Seq.collect _.Faults) (Library.Rows |> Seq.collect _.Faults)
    |> Seq.map Machine.branchOfFault
    |> Set.ofSeq

/// What is wrong with the end of a path.
let private complaintsOf (declared: Set<Branch>) (path: Path) : string list = [
    for branch in List.distinct path.Reached do
        if not (Set.contains branch declared) then
            $"the branch {Branches.name branch} is not declared"
    match path.End with
    | End.Branch((rule, _) as branch) ->
        // Every fault ends a path: what has the name of one and does not end it is a second end.
        for other in List.distinct path.Reached do
            if other <> branch && Set.contains (snd other) faultNames then
                $"a path of {rule} ends in {Branches.name branch} and in {Branches.name other}"

        if not (List.contains branch path.Reached) then
            $"the end {Branches.name branch} was not reached"
    | End.Opaque _ -> ()
    | End.Nowhere rule -> $"a path ends in no branch of {rule}"
]

// Combinations of kinds.

/// Kinds are split as the paths ask for them; a path that does not ask for a kind is open to all.
let rec private split (kinds: Map<string, string>) (paths: Path list) : Combination list =
    let asked =
        paths
        |> List.collect (fun path -> path.Kinds |> Map.keys |> List.ofSeq)
        |> List.filter (fun symbol -> not (Map.containsKey symbol kinds))
        |> List.countBy id

    match asked with
    | [] -> [ { Kinds = kinds; Paths = paths } ]
    | asked ->
        let most = asked |> List.map snd |> List.max

        let symbol =
            asked |> List.filter (fun (_, n) -> n = most) |> List.map fst |> List.min

        kindNames
        |> List.collect (fun kind ->
            paths
            |> List.filter (fun path ->
                match Map.tryFind symbol path.Kinds with
                | Some own -> own = kind
                | None -> true)
            |> split (Map.add symbol kind kinds))

let private titleOf (kinds: Map<string, string>) =
    if kinds.IsEmpty then
        "any kinds"
    else
        String.Join(", ", kinds |> Map.toSeq |> Seq.map (fun (symbol, kind) -> symbol + " " + kind))

// Covering, and not overlapping.

let private allOf (conditions: BoolTerm list) =
    conditions |> List.map Formula.term |> Formula.all

let private isNegationOf a b =
    let negates a b =
        match a with
        | BoolTerm.Not inner -> inner = b
        | _ -> false

    negates a b || negates b a

/// Do the two say one thing and its opposite where they part, or anywhere?
let private arePlainlyDisjoint (a: Path) (b: Path) =
    let rec parting xs ys =
        match xs, ys with
        | x :: xs, y :: ys -> if x = y then parting xs ys else isNegationOf x y
        | [], _
        | _, [] -> false

    parting a.Conditions b.Conditions
    || a.Conditions |> List.exists (fun x -> b.Conditions |> List.exists (isNegationOf x))

let private atMost a b =
    Formula.negate (Formula.term (BoolTerm.IntLess(b, a)))

let private constant (n: int) = IntTerm.Constant(bigint n)

/// What holds of every execution, whatever its limits are.
let private facts =
    let symbol = IntTerm.Symbol

    [
        atMost (constant 0) (symbol GasUsed)
        atMost (symbol GasUsed) (symbol GasLimit)
        atMost (constant 2) (symbol IntBound)
        atMost (constant 0) (symbol TextBound)
        atMost (constant 0) (symbol CountBound)
    ]

/// Most combinations of kinds come to a text that another one has come to: one copy of it is kept.
let private texts = ConcurrentDictionary<string, string>()

let private textOf claim =
    let text = fst (query facts claim)
    texts.GetOrAdd(text, text)

let private queriesOf (combination: Combination) : Query list * string list =
    let title = titleOf combination.Kinds

    let covered =
        combination.Paths |> List.map (fun path -> allOf path.Conditions) |> Formula.any

    let overlaps =
        combination.Paths
        |> List.indexed
        |> List.collect (fun (i, a) -> [
            for b in List.skip (i + 1) combination.Paths do
                if not (arePlainlyDisjoint a b) then
                    {
                        Title = $"{title}: no two of the paths hold together"
                        Text = textOf (Formula.all [ allOf a.Conditions; allOf b.Conditions ])
                    }
        ])

    if combination.Paths.IsEmpty then
        [], [ $"no path: {title}" ]
    else
        {
            Title = $"{title}: the paths cover"
            Text = textOf (Formula.negate covered)
        }
        :: overlaps,
        []

/// Runs from one state, judged: `declared` are the branches that there are.
let examine (declared: Set<Branch>) (run: State -> Path list) (start: unit -> State) : Examination =
    try
        let paths = run (start ())
        let combinations = split Map.empty paths
        let judged = combinations |> List.map queriesOf

        {
            Paths = paths
            Combinations = combinations
            Queries = judged |> List.collect fst
            Complaints =
                (if paths.IsEmpty then [ "it has no path" ] else [])
                @ (paths |> List.collect (complaintsOf declared) |> List.distinct)
                @ (judged |> List.collect snd)
        }
    with e -> {
        Paths = []
        Combinations = []
        Queries = []
        Complaints = [ $"throws {e.GetType().Name}: {e.Message}" ]
    }

/// What both solvers say to queries; a text is asked once, however many combinations of kinds come to it.
let ask (session: Session) (queries: Query list) : (Query * Solver.Answer) list =
    let answers =
        queries |> List.map _.Text |> List.distinct |> List.map (fun text -> text, session.Ask text) |> dict

    [ for query in queries -> query, answers[query.Text] ]

/// Why a query is not proved, if it is not.
let complaintOf (query: Query, answer: Solver.Answer) : string option =
    match answer with
    | Solver.Answer.Unsat -> None
    | Solver.Answer.Sat _ -> Some $"not so: {query.Title}"
    | Solver.Answer.Failed reason -> Some $"undecided: {query.Title}: {reason}"

// Runs on values: what lies behind an operation that looks into something unknown, and that no known value throws.

let private edges: (string * Given list) list =
    let pair key value =
        KeyValuePair<Data, Data>(Data.String key, value)

    let data = List.map Given.Data

    [
        "Null", data [ Data.Null ]
        "Bool", data [ Data.Bool true; Data.Bool false ]
        "Int",
        data [
            for n in
                [
                    1I
                    0I
                    -1I
                    2I
                    5I
                    1I <<< 40
                    1I <<< 63
                    (1I <<< 128) - 1I
                    -(1I <<< 128)
                    -3I
                ] -> Data.Int n
        ]
        "Float",
        data [
            for x in
                [
                    1.0
                    0.5
                    0.0
                    Numbers.nan
                    -0.5
                    -0.0
                    2.5
                    infinity
                    -infinity
                    1e300
                    -2.0
                ] -> Data.Float x
        ]
        "String",
        data [
            for s in
                [
                    "k"
                    ""
                    "12"
                    "a b"
                    "-7.5e1"
                    String('9', 60)
                    "a longer text, with commas"
                ] -> Data.String s
        ]
        "List",
        data [
            Data.List [| Data.Int 1I; Data.String "a" |]
            Data.List [||]
            Data.List [| Data.Int 3I; Data.Int 2I; Data.Int 1I |]
            Data.List [| Data.List [| Data.Null |]; Data.Float Numbers.nan |]
            Data.List [| Data.String "a"; Data.Map [||] |]
        ]
        "Map",
        data [
            Data.Map [| pair "k" (Data.Int 1I) |]
            Data.Map [||]
            Data.Map [| pair "timestamp" Data.Null; pair "k" (Data.List [||]) |]
            Data.Map [| KeyValuePair(Data.Int 1I, Data.Bool true); pair "k" Data.Null |]
        ]
        "Set",
        data [
            Data.Set [| Data.String "k" |]
            Data.Set [||]
            Data.Set [| Data.Int 1I; Data.Float 2.5 |]
        ]
        "Function", [ Given.Function ]
    ]

/// Values of a scene's symbols, their kinds, and what the run entered.
type private KnownRun = {
    Values: Map<string, Given>
    Kinds: Map<string, string>
    Gas: bigint
    Path: Path
}

/// So many runs of one scene, shared by its combinations of kinds; each has one at least.
let private mostRuns = 100

/// And of a rule's first scene, in which all is unknown.
let private mostFirstRuns = 900

/// Values for the symbols: every combination of kinds, and as many edges of each as there is room for.
let private valuations (most: int) (symbols: string list) : (int * Map<string, Given> * Map<string, string>) seq =
    let rec kinds symbols =
        match symbols with
        | [] -> [ [] ]
        | symbol :: rest -> [
            for others in kinds rest do
                for kind, values in edges -> (symbol, kind, values) :: others
          ]

    let combinations = kinds symbols

    let rounds =
        if symbols.IsEmpty then
            1
        else
            max 1 (most / combinations.Length)

    seq {
        for round in 0 .. min rounds 12 - 1 do
            for combination in combinations do
                // Each symbol at a pace of its own, so that edges meet.
                let values =
                    combination
                    |> List.mapi (fun place (symbol, _, values) -> symbol, values[round * (1 + place) % values.Length])

                round, Map.ofList values, combination |> List.map (fun (symbol, kind, _) -> symbol, kind) |> Map.ofList
    }

let private valueText given =
    match given with
    | Given.Data data -> Observation.dataText data
    | Given.Function -> "a Function"

let private valuesText (values: Map<string, Given>) =
    String.Join(", ", values |> Map.toSeq |> Seq.map (fun (symbol, given) -> symbol + " = " + valueText given))

let private enoughGas = 1_000_000I

let private runsOf (declared: Set<Branch>) (most: int) (scene: Scene) : KnownRun list * string list =
    let startOn = lazy (startOn scene)
    let complaints = List<string>()

    let complain values text =
        complaints.Add $"on {valuesText values}: {text}"

    let run values kinds gas =
        try
            match pathsOfStep (startOn.Value values gas) with
            | [ { End = End.Opaque operation } ] ->
                complain values $"{operation} is opaque"
                None
            | [ path ] ->
                for complaint in complaintsOf declared path do
                    complain values complaint

                Some {
                    Values = values
                    Kinds = kinds
                    Gas = gas
                    Path = path
                }
            | paths ->
                complain values $"{paths.Length} outcomes"
                None
        with e ->
            complain values $"throws {e.GetType().Name}: {e.Message}"
            None

    let runs = [
        for round, values, kinds in valuations most (symbols scene) do
            match run values kinds enoughGas with
            | None -> ()
            | Some whole ->
                whole

                match whole.Path.GasUsed with
                | Int.Known used when round = 0 && used.Sign > 0 && used < enoughGas ->
                    // One less than it took.
                    match run values kinds (used - 1I) with
                    | Some short -> short
                    | None -> ()
                | Int.Known _
                | Int.Symbolic _ -> ()
    ]

    runs, List.ofSeq complaints |> List.distinct

/// What looks into something unknown is an end that runs on values must go behind.
let private unseen (runs: KnownRun list) (combinations: Combination list) : string list =
    let isOpaque (path: Path) =
        match path.End with
        | End.Opaque operation -> Some operation
        | End.Branch _
        | End.Nowhere _ -> None

    [
        for combination in combinations do
            match combination.Paths |> List.tryPick isOpaque with
            | None -> ()
            | Some operation ->
                let agrees (run: KnownRun) =
                    combination.Kinds
                    |> Map.forall (fun symbol kind ->
                        match Map.tryFind symbol run.Kinds with
                        | Some own -> own = kind
                        // Not of the scene: something in something unknown.
                        | None -> true)

                if not (List.exists agrees runs) then
                    $"no run on values goes behind {operation}: {titleOf combination.Kinds}"
    ]

// Models.

/// How a branch was shown to be entered.
[<RequireQualifiedAccess>]
type Shown =
    /// By the solver's model of a path.
    | Model
    /// By values of the runs behind what looks into something unknown.
    | Values
    /// By the witness among the saved vectors.
    | Witness

type BranchReport = {
    Branch: Branch
    Shown: Result<Shown, string>
}

/// Limits under which models are looked for.
let private modelBits = 64

let private modelFacts (scene: Scene) (least: int) (path: Path) : Formula list =
    let symbol = IntTerm.Symbol

    let within symbolName kind = [
        match kind with
        | "Int" ->
            let n = symbol symbolName
            let bound = IntTerm.Constant(1I <<< modelBits)
            atMost (IntTerm.Neg bound) n
            Formula.term (BoolTerm.IntLess(n, bound))
        | "String" ->
            let length = IntTerm.Length(StrTerm.Symbol symbolName)
            atMost length (symbol TextBound)
            atMost length (constant 200)
        | _ -> ()
    ]

    let own = symbols scene

    [
        yield! facts
        Formula.term (BoolTerm.IntEqual(symbol IntBound, IntTerm.Constant(1I <<< modelBits)))
        // What leads to the instruction keeps the limits.
        atMost (constant 16) (symbol TextBound)
        atMost (symbol TextBound) (constant 1_000_000)
        atMost (constant least) (symbol CountBound)
        atMost (symbol CountBound) (constant 1_000_000)
        atMost (IntTerm.Sub(symbol GasLimit, symbol GasUsed)) (constant 10_000_000)
        for KeyValue(name, kind) in path.Kinds do
            if List.contains name own then
                yield! within name kind
    ]

let private intOf (model: Map<string, string>) name (otherwise: bigint) =
    match Map.tryFind name model with
    | Some text -> bigint.Parse(text, CultureInfo.InvariantCulture)
    | None -> otherwise

let private givenOf (model: Map<string, string>) symbol kind : Given =
    let found = Map.tryFind symbol model
    let isFilled = Map.tryFind ("filled_" + symbol) model <> Some "false"

    match kind with
    | "Bool" -> Given.Data(Data.Bool(found = Some "true"))
    | "Int" -> Given.Data(Data.Int(intOf model symbol 0I))
    | "Float" ->
        let bits = found |> Option.defaultValue "0x3ff0000000000000"
        Given.Data(Data.Float(BitConverter.UInt64BitsToDouble(Convert.ToUInt64(bits.Substring 2, 16))))
    | "String" -> Given.Data(Data.String(found |> Option.map Replay.unescape |> Option.defaultValue ""))
    | "List" -> Given.Data(Data.List(if isFilled then [| Data.Int 1I |] else [||]))
    | "Map" ->
        Given.Data(
            Data.Map(
                if isFilled then
                    [| KeyValuePair(Data.String "k", Data.Int 1I) |]
                else
                    [||]
            )
        )
    | "Set" -> Given.Data(Data.Set(if isFilled then [| Data.Int 1I |] else [||]))
    | "Function" -> Given.Function
    | _ -> Given.Data Data.Null

/// So many paths that come to a branch are tried.
let private mostTries = 8

/// The model of a path as a program: does it enter the branch, on oracle and engine?
let private tryModel (session: Session) (branch: Branch) (scene: Scene, path: Path) : Result<unit, string> =
    match session.Ask(fst (query (modelFacts scene (largest scene) path) (allOf path.Conditions))) with
    | Solver.Answer.Failed reason -> Error reason
    | Solver.Answer.Unsat -> Error "no model"
    | Solver.Answer.Sat model ->
        let values = path.Kinds |> Map.map (fun symbol kind -> givenOf model symbol kind)

        let limits = {
            scene.Limits with
                IntegerBits = modelBits
                StringLength = int (intOf model TextBound 1_000_000I)
                CollectionLength = int (intOf model CountBound 1_000_000I)
        }

        let gas = intOf model GasLimit enoughGas - intOf model GasUsed 0I

        replay scene values limits gas
        |> Result.bind (fun entered ->
            if List.contains branch entered then
                Ok()
            else
                Error "its model enters another branch")

let private tryValues (branch: Branch) (scene: Scene, run: KnownRun) : Result<unit, string> =
    replay scene run.Values (lowered scene.Limits) run.Gas
    |> Result.bind (fun entered ->
        if List.contains branch entered then
            Ok()
        else
            Error "its values enter another branch")

/// The first that works, else why the last did not.
let private firstOk (attempts: (unit -> Result<'a, string>) seq) (otherwise: string) : Result<'a, string> =
    let mutable reason = otherwise

    attempts
    |> Seq.tryPick (fun attempt ->
        match attempt () with
        | Ok result -> Some result
        | Error why ->
            reason <- why
            None)
    |> function
        | Some result -> Ok result
        | None -> Error reason

// A rule.

type RuleReport = {
    Rule: string
    Scenes: int
    Combinations: int
    Paths: int
    /// Paths that look into something unknown.
    OpaquePaths: int
    /// Runs on values.
    Runs: int
    Branches: BranchReport list
    Queries: Query list
    Proved: int
    Refuted: int
    Unknown: int
    /// What is wrong with it; nothing if it is total.
    Complaints: string list
    /// Queries whose solvers gave the same answer, and all.
    Agreed: int
    Asked: int
    Time: TimeSpan
} with

    /// Declared branches that were shown to be entered in this way.
    member r.Count(shown: Shown) =
        r.Branches |> List.filter (fun b -> b.Shown = Ok shown) |> List.length

/// What the saved vectors have for a branch: `Ok` if its witness enters it and oracle and engine agree on it.
type Witnesses = Branch -> Result<unit, string>

let private declaredBranches = Set.ofList Branches.all

let prove (session: Session) (witness: Witnesses) (subject: Subject) : RuleReport =
    let clock = Stopwatch.StartNew()
    let asked, agreed = session.Asked, session.Agreed

    let scenes = [
        for index, scene in List.indexed subject.Scenes ->
            let examination = examine declaredBranches pathsOfStep (fun () -> start scene)

            let runs, problems =
                runsOf declaredBranches (if index = 0 then mostFirstRuns else mostRuns) scene


            {|
                Scene = scene
                Examination = examination
                Runs = runs
                Complaints = [
                    yield! examination.Complaints
                    yield! problems
                    yield! unseen runs examination.Combinations
                ]
            |}
    ]

    let answers =
        let queries = [
            for s in scenes do
                for query in s.Examination.Queries do
                    {
                        query with
                            Title = s.Scene.Title + ": " + query.Title
                    }
        ]

        ask session queries

    let show (branch: Branch) : Result<Shown, string> =
        // Those that end in it first, then those of which least is asked.
        let paths =
            seq {
                for s in scenes do
                    if not s.Scene.HasHost then
                        for path in s.Examination.Paths do
                            match path.End with
                            | End.Branch ending ->
                                if List.contains branch path.Reached then
                                    (if ending = branch then 0 else 1), path.Conditions.Length, (s.Scene, path)
                            | End.Opaque _
                            | End.Nowhere _ -> ()
            }
            |> Seq.sortBy (fun (ends, conditions, _) -> ends, conditions)
            |> Seq.map (fun (_, _, candidate) -> candidate)
            |> Seq.truncate mostTries

        let runs =
            seq {
                for s in scenes do
                    if not s.Scene.HasHost then
                        for run in s.Runs do
                            if List.contains branch run.Path.Reached then
                                s.Scene, run
            }
            |> Seq.truncate mostTries

        firstOk
            (seq {
                for candidate in paths do
                    fun () -> tryModel session branch candidate |> Result.map (fun () -> Shown.Model)

                for candidate in runs do
                    fun () -> tryValues branch candidate |> Result.map (fun () -> Shown.Values)

                fun () -> witness branch |> Result.map (fun () -> Shown.Witness)
            })
            "no path comes to it"

    let declared =
        Branches.byRule
        |> List.tryPick (fun (rule, branches) -> if rule = subject.Rule then Some branches else None)
        |> Option.defaultValue []

    let branches = [
        for name in declared ->
            let branch = subject.Rule, name

            { Branch = branch; Shown = show branch }
    ]

    let total f = scenes |> List.sumBy f

    let answered (is: Solver.Answer -> bool) =
        answers |> List.filter (snd >> is) |> List.length

    let isUnsat answer =
        match answer with
        | Solver.Answer.Unsat -> true
        | Solver.Answer.Sat _
        | Solver.Answer.Failed _ -> false

    let isSat answer =
        match answer with
        | Solver.Answer.Sat _ -> true
        | Solver.Answer.Unsat
        | Solver.Answer.Failed _ -> false

    {
        Rule = subject.Rule
        Scenes = scenes.Length
        Combinations = total _.Examination.Combinations.Length
        Paths = total _.Examination.Paths.Length
        OpaquePaths =
            total (fun s ->
                s.Examination.Paths
                |> List.sumBy (fun path ->
                    match path.End with
                    | End.Opaque _ -> 1
                    | End.Branch _
                    | End.Nowhere _ -> 0))
        Runs = total _.Runs.Length
        Branches = branches
        Queries = List.map fst answers
        Proved = answered isUnsat
        Refuted = answered isSat
        Unknown = answered (fun answer -> not (isUnsat answer || isSat answer))
        Complaints = [
            if scenes.IsEmpty then
                "it has no scene: nothing was proved"
            if declared.IsEmpty then
                "it has no declared branch"
            for s in scenes do
                for complaint in s.Complaints do
                    $"{s.Scene.Title}: {complaint}"
            yield! answers |> List.choose complaintOf
            for b in branches do
                match b.Shown with
                | Ok _ -> ()
                | Error reason -> $"the branch {Branches.name b.Branch} has no model: {reason}"
        ]
        Agreed = session.Agreed - agreed
        Asked = session.Asked - asked
        Time = clock.Elapsed
    }

/// Prove rules on so many threads. Reports come in the order of the subjects; `onReport` is called as each is done.
let proveAll
    (cache: AnswerCache)
    (threads: int)
    (witness: Witnesses)
    (onQuery: string -> unit)
    (onReport: RuleReport -> unit)
    (subjects: Subject list)
    : RuleReport list =
    // A session counts one rule's queries.
    subjects
    |> onThreads threads (fun subject -> prove (Session(cache, bothSolvers, onQuery)) witness subject) onReport
