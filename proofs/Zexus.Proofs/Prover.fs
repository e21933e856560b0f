/// Proving the optimizer's rewrites: each case of each rewrite by two solvers; and with it that the preconditions can hold, that each of them
/// is needed, and that the broken twin is refuted.
module Zexus.Proofs.Prover

open System
open System.Diagnostics
open System.Runtime.ExceptionServices
open System.Threading
open Zexus.Vm
open Zexus.Spec
open Zexus.Proofs.Cases
open Zexus.Proofs.AnswerCache
open Zexus.Proofs.Replay

/// A solver by name, and how it is asked. The name has everything that its answers depend on: version, limits.
type Opinion = {
    Name: string
    Ask: string -> Solver.Answer
}

[<RequireQualifiedAccess>]
type Verdict =
    | Proved
    /// Differs, with the programs that show it; confirmed or not.
    | Refuted of Replayed
    /// Red: no answer, solvers that disagree, or a counterexample that does not replay.
    | Unknown of reason: string

type CaseReport = {
    Case: Case
    Verdict: Verdict
    /// The texts whose answers the verdict rests on.
    Queries: string list
}

/// What became of a rewrite with one precondition left out.
type NeedReport = {
    Precondition: Precondition
    Verdict: Verdict
}

type RewriteReport = {
    Rewrite: Rewrite
    Cases: CaseReport list
    /// Cases whose facts can hold; there is at least one in a rewrite that can be applied.
    Possible: int
    Needs: NeedReport list
    Twin: Verdict
    /// Queries whose solvers gave the same answer, and all.
    Agreed: int
    Asked: int
    Time: TimeSpan
} with

    member r.Proved =
        r.Cases
        |> List.sumBy (fun c ->
            match c.Verdict with
            | Verdict.Proved -> 1
            | Verdict.Refuted _
            | Verdict.Unknown _ -> 0)

    member r.Refuted =
        r.Cases
        |> List.sumBy (fun c ->
            match c.Verdict with
            | Verdict.Refuted _ -> 1
            | Verdict.Proved
            | Verdict.Unknown _ -> 0)

    member r.Unknown = r.Cases.Length - r.Proved - r.Refuted

let private isConfirmed verdict =
    match verdict with
    | Verdict.Refuted replayed -> replayed.IsConfirmed
    | Verdict.Proved
    | Verdict.Unknown _ -> false

/// What is wrong with a rewrite, in words; nothing if it is sound and says no more than it must.
let complaints (r: RewriteReport) : string list = [
    if r.Cases.IsEmpty then
        "it has no case: nothing was proved"
    for c in r.Cases do
        match c.Verdict with
        | Verdict.Proved -> ()
        | Verdict.Refuted replayed ->
            let how =
                if replayed.IsConfirmed then
                    "confirmed on oracle and engine"
                else
                    "not confirmed by the engine"

            $"refuted, {how}: {titleOf c.Case}"
        | Verdict.Unknown reason -> $"undecided: {titleOf c.Case}: {reason}"
    if r.Possible = 0 then
        "its preconditions never hold"
    for need in r.Needs do
        if not (isConfirmed need.Verdict) then
            let why =
                match need.Verdict with
                | Verdict.Proved -> "it is proved without it"
                | Verdict.Refuted _ -> "the counterexample without it does not replay on the engine"
                | Verdict.Unknown reason -> reason

            $"the precondition \"{need.Precondition.Describe}\" is not shown to be needed: {why}"
    if not (isConfirmed r.Twin) then
        let why =
            match r.Twin with
            | Verdict.Proved -> "it is proved"
            | Verdict.Refuted _ -> "its counterexample does not replay on the engine"
            | Verdict.Unknown reason -> reason

        $"the broken twin is not refuted: {why}"
]

/// What a run of the prover needs and counts.
type Session(cache: AnswerCache, opinions: Opinion list, onQuery: string -> unit) =
    let mutable agreed = 0
    let mutable asked = 0

    do
        if opinions.Length < 2 then
            invalidArg (nameof opinions) "A proof wants two solvers."

    member _.Agreed = agreed
    member _.Asked = asked

    /// Where an earlier run found a counterexample: which case, and which trial of it.
    member _.FoundAt(name: string) : (int * Trial) option =
        cache.FoundAt name
        |> Option.map (fun (number, index, guarded, limit) ->
            number,
            {
                Index = index
                Guarded = guarded
                GasLimit = limit
            })

    member _.Keep(name: string, number: int, trial: Trial) =
        cache.KeepFound(name, number, trial.Index, trial.Guarded, trial.GasLimit)

    /// Both answers in one: unsat and sat only if both say so.
    member _.Ask(text: string) : Solver.Answer =
        onQuery text

        let answers = [
            for opinion in opinions -> opinion.Name, cache.Answer(opinion.Name, text, opinion.Ask)
        ]

        Interlocked.Increment &asked |> ignore

        let isSat answer =
            match answer with
            | Solver.Answer.Sat _ -> true
            | Solver.Answer.Unsat
            | Solver.Answer.Failed _ -> false

        let failures =
            answers
            |> List.choose (fun (name, answer) ->
                match answer with
                | Solver.Answer.Failed reason -> Some(name + ": " + reason)
                | Solver.Answer.Unsat
                | Solver.Answer.Sat _ -> None)

        if not failures.IsEmpty then
            Solver.Answer.Failed(String.Join("; ", failures))
        elif answers |> List.forall (snd >> isSat) then
            Interlocked.Increment &agreed |> ignore
            snd answers.Head
        elif answers |> List.exists (snd >> isSat) then
            Solver.Answer.Failed "the solvers disagree"
        else
            Interlocked.Increment &agreed |> ignore
            Solver.Answer.Unsat

    /// None when a text has no model, by both solvers; else why that is not certain.
    member this.Refute(text: string) : string option =
        match this.Ask text with
        | Solver.Answer.Unsat -> None
        | Solver.Answer.Sat _ -> Some "the solvers have a model"
        | Solver.Answer.Failed reason -> Some reason

let private isUnsat answer =
    match answer with
    | Solver.Answer.Unsat -> true
    | Solver.Answer.Sat _
    | Solver.Answer.Failed _ -> false

/// What a query's answer says of its case.
let private verdictOf (session: Session) (case: Case) (query: string) : Verdict =
    match session.Ask query with
    | Solver.Answer.Unsat when case.IsSampled -> Verdict.Unknown "a collection constant stands for all of its kind"
    | Solver.Answer.Unsat -> Verdict.Proved
    | Solver.Answer.Failed reason -> Verdict.Unknown reason
    | Solver.Answer.Sat model ->
        match Replay.find case model with
        | Some replayed -> Verdict.Refuted replayed
        | None -> Verdict.Unknown "a model that does not replay on the oracle"

/// The verdict on one case, and the queries that it rests on.
let private judge (session: Session) (case: Case) : Verdict * string list =
    let texts = case.Texts.Value

    let whole () =
        verdictOf session case texts.Query, [ texts.Query ]

    if texts.Lemmas.IsEmpty then
        whole ()
    elif texts.Lemmas |> List.forall (session.Ask >> isUnsat) then
        verdictOf session case texts.Reduced, texts.Lemmas @ [ texts.Reduced ]
    else
        // Solvers are slow to find Floats, and what replays is a counterexample, whoever found it.
        match Replay.findAtEdges case with
        | Some replayed -> Verdict.Refuted replayed, texts.Lemmas
        // The lemmas may hold for the values that the case allows.
        | None -> whole ()

/// So many models that do not replay are enough to say that none will.
let private patience = 100

/// The first confirmed counterexample among the cases of code that is to be refuted; else the best of what there is. Where an earlier run found
/// one, that one is replayed first.
let private refute (session: Session) (name: string) (cases: Case seq) : Verdict =
    let found =
        session.FoundAt name
        |> Option.bind (fun (number, trial) -> Seq.tryItem number cases |> Option.bind (Replay.again trial))

    match found with
    | Some replayed -> Verdict.Refuted replayed
    | None ->
        let mutable best = Verdict.Proved

        let mutable failures = 0

        let confirmed =
            cases
            |> Seq.indexed
            |> Seq.takeWhile (fun _ -> failures < patience)
            |> Seq.tryPick (fun (number, case) ->
                // What replays is a counterexample, whoever found it.
                let verdict =
                    match Replay.findAtEdges case with
                    | Some replayed ->
                        session.Keep(name, number, replayed.Trial)
                        Verdict.Refuted replayed
                    | None -> fst (judge session case)

                match verdict with
                | Verdict.Refuted replayed when replayed.IsConfirmed -> Some(Verdict.Refuted replayed)
                | Verdict.Refuted replayed ->
                    best <- Verdict.Refuted replayed
                    failures <- failures + 1
                    None
                | Verdict.Unknown reason ->
                    match best with
                    | Verdict.Proved -> best <- Verdict.Unknown reason
                    | Verdict.Refuted _
                    | Verdict.Unknown _ -> ()

                    failures <- failures + 1
                    None
                | Verdict.Proved -> None)

        confirmed |> Option.defaultValue best

/// What cannot be read is undecided, with the reason.
let private readable (f: unit -> 'a) (otherwise: string -> 'a) =
    try
        f ()
    with Instances.NotReadable what ->
        otherwise ("not readable: " + what)

let prove (session: Session) (rewrite: Rewrite) : RewriteReport =
    let clock = Stopwatch.StartNew()
    let asked, agreed = session.Asked, session.Agreed
    let preconditions = List.ofSeq rewrite.Preconditions
    let replacement = List.ofSeq rewrite.Replacement

    let cases, problem =
        readable (fun () -> List.ofSeq (ofRewrite rewrite preconditions replacement), None) (fun reason ->
            [], Some reason)

    let reports = [
        for case in cases ->
            let verdict, queries = judge session case

            {
                Case = case
                Verdict = verdict
                Queries = queries
            }
    ]

    let possible =
        cases
        |> List.filter (fun case ->
            match session.Ask case.Texts.Value.Possible with
            | Solver.Answer.Sat _ -> true
            | Solver.Answer.Unsat
            | Solver.Answer.Failed _ -> false)
        |> List.length

    // That values keep their limits is about the machine's limits, not about what the code finds: no constant of a program can break it.
    let isAboutValues (p: Precondition) =
        match p with
        | :? Precondition.KeepsLimit -> false
        | _ -> true

    let needs = [
        for precondition in preconditions |> List.filter isAboutValues ->
            let others =
                preconditions |> List.filter (fun p -> not (Object.ReferenceEquals(p, precondition)))

            {
                Precondition = precondition
                Verdict =
                    readable
                        (fun () ->
                            refute
                                session
                                (rewrite.Name + " without " + precondition.Describe)
                                (ofRewrite rewrite others replacement))
                        Verdict.Unknown
            }
    ]

    let twin =
        readable
            (fun () ->
                refute
                    session
                    (rewrite.Name + ", its twin")
                    (ofRewrite rewrite preconditions (List.ofSeq rewrite.BrokenTwin)))
            Verdict.Unknown

    {
        Rewrite = rewrite
        Cases = reports
        Possible = possible
        Needs =
            match problem with
            | Some reason -> [
                for need in needs ->
                    {
                        need with
                            Verdict = Verdict.Unknown reason
                    }
              ]
            | None -> needs
        Twin =
            match problem with
            | Some reason -> Verdict.Unknown reason
            | None -> twin
        Agreed = session.Agreed - agreed
        Asked = session.Asked - asked
        Time = clock.Elapsed
    }

/// z3 in process and cvc5 as a program, both under resource limits of their own.
let bothSolvers: Opinion list = [
    {
        Name = $"z3 {Solver.z3Version ()} rlimit {Solver.ResourceLimit}, {Solver.Procedures}"
        Ask = Solver.check
    }
    {
        Name = Solver.cvc5Version () + " rlimit " + string Solver.Cvc5ResourceLimit
        Ask = Solver.checkWithCvc5
    }
]

/// Why a solver gives no answer at all; nothing if all do.
let missingSolvers () : string list =
    bothSolvers
    |> List.choose (fun opinion ->
        match opinion.Ask "(set-logic ALL)\n(assert false)\n(check-sat)\n" with
        | Solver.Answer.Failed reason -> Some reason
        | Solver.Answer.Unsat
        | Solver.Answer.Sat _ -> None)

/// Work through the items on so many threads. Results come in the order of the items; `onResult` is called as each is done.
let onThreads (threads: int) (work: 'a -> 'b) (onResult: 'b -> unit) (items: 'a list) : 'b list =
    let items = List.toArray items
    let results = Array.zeroCreate<'b> items.Length
    let mutable next = -1
    let mutable problem: exn = null

    let run () =
        try
            let mutable index = Interlocked.Increment &next

            while index < items.Length && isNull problem do
                let result = work items[index]
                results[index] <- result
                lock results (fun () -> onResult result)
                index <- Interlocked.Increment &next
        with e ->
            problem <- e

    // Threads of their own: a solver's memory belongs to the thread that asks it.
    let workers = Array.init (max 1 (min threads items.Length)) (fun _ -> Thread run)

    workers |> Array.iter _.Start()
    workers |> Array.iter _.Join()

    if not (isNull problem) then
        ExceptionDispatchInfo.Throw problem

    List.ofArray results

/// Prove rewrites on so many threads. Reports come in the order of the rewrites; `onReport` is called as each is done.
let proveAll
    (cache: AnswerCache)
    (threads: int)
    (onQuery: string -> unit)
    (onReport: RewriteReport -> unit)
    (rewrites: Rewrite list)
    : RewriteReport list =
    // A session counts one rewrite's queries.
    rewrites
    |> onThreads threads (fun rewrite -> prove (Session(cache, bothSolvers, onQuery)) rewrite) onReport
