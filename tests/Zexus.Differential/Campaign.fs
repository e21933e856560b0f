namespace Zexus.Differential

open System
open System.Collections.Concurrent
open System.Collections.Generic
open System.Diagnostics
open System.IO
open System.Text
open System.Text.Json
open System.Threading
open Zexus.Isa
open Zexus.Vm

/// A child process that serves the commands of `Worker`, and what it says.
[<Sealed>]
type private Child(start: Func<ProcessStartInfo>) =
    let info = start.Invoke()

    do
        info.RedirectStandardInput <- true
        info.RedirectStandardOutput <- true
        info.RedirectStandardError <- true
        info.UseShellExecute <- false
        info.StandardInputEncoding <- UTF8Encoding false
        info.StandardOutputEncoding <- UTF8Encoding false

    let child = Process.Start info
    let lines = new BlockingCollection<string>()
    let errors = StringBuilder()

    do
        Thread(
            (fun () ->
                try
                    let mutable line = child.StandardOutput.ReadLine()

                    while not (isNull line) do
                        lines.Add line
                        line <- child.StandardOutput.ReadLine()
                with
                | :? IOException
                | :? ObjectDisposedException -> ()

                lines.CompleteAdding()),
            IsBackground = true
        )
            .Start()

        child.ErrorDataReceived.Add(fun e ->
            if not (isNull e.Data) then
                lock errors (fun () ->
                    if errors.Length < 4000 then
                        errors.AppendLine e.Data |> ignore))

        child.BeginErrorReadLine()

    member _.Send(line: string) =
        try
            child.StandardInput.Write line
            child.StandardInput.Write '\n'
            child.StandardInput.Flush()
        with :? IOException ->
            // It is dead; reading says so.
            ()

    /// The next line; None when it has died; an exception when it is silent for too long. The time is the child's own, so that a busy machine
    /// does not look like a hang; one that waits for something gets five times as much of everybody's.
    member _.Read(patience: TimeSpan, cancel: CancellationToken) : string voption =
        let mutable line = null
        let clock = Stopwatch.StartNew()

        let own () =
            try
                child.TotalProcessorTime
            with :? InvalidOperationException ->
                TimeSpan.Zero

        let before = own ()

        let rec wait () =
            if lines.TryTake(&line, int patience.TotalMilliseconds, cancel) then
                ValueSome line
            elif lines.IsCompleted then
                ValueNone
            else
                child.Refresh()

                if own () - before >= 0.9 * patience || clock.Elapsed >= 5.0 * patience then
                    raise (TimeoutException())

                wait ()

        wait ()

    /// Why it died, in one line or a few.
    member _.Remains() =
        child.WaitForExit 5000 |> ignore
        let code = if child.HasExited then string child.ExitCode else "unknown"
        let said = lock errors (fun () -> errors.ToString().Trim())
        // The trace of a stack overflow is a thousand times the same line.
        let said = String.Join('\n', said.Split('\n') |> Array.truncate 6)
        $"exit code {code}" + (if said = "" then "" else ": " + said)

    member _.Kill() =
        try
            child.Kill true
        with
        | :? InvalidOperationException
        | :? ComponentModel.Win32Exception -> ()

    interface IDisposable with
        member this.Dispose() =
            this.Kill()
            child.Dispose()

/// Where a case came from.
[<RequireQualifiedAccess>]
type Origin =
    | Generated of seed: uint64 * index: int64
    | Saved of path: string
    /// A call of a scenario: who calls what.
    | Call of path: string * call: string

    /// The command that checks this case again.
    member this.Replay =
        match this with
        | Generated(seed, index) -> $"./zexus check --seed {seed} --program {index}"
        | Saved path
        | Call(path, _) -> $"./zexus check --vector {path}"

/// A divergence, the smallest case that shows it, and where it was found.
type Report = {
    Origin: Origin
    /// As it was found, its gas limit settled.
    Found: Case
    /// The smallest case that still goes wrong in the same way.
    Case: Case
    Divergence: Divergence
    /// Cases tried while shrinking.
    Probes: int
    /// How often the campaign came upon it.
    Times: int64
} with

    member this.Replay =
        this.Origin.Replay
        + (if this.Divergence.Level > 0 then
               $" --levels {Levels.name this.Divergence.Level}"
           else
               "")

/// The counts of a campaign so far.
type Progress = {
    Programs: int64
    Of: int64
    Steps: int64
    /// Branches reached at every level.
    Branches: int
    Divergences: int64
    /// Where the different ones were found first, in order.
    Found: Origin[]
    Elapsed: TimeSpan
}

/// What a campaign did at one level.
type LevelResult = {
    Level: int
    /// Executions at full speed, compared with the oracle's of the source.
    Executions: int64
    /// Executions in lock step with the oracle on the same code.
    Stepwise: int64
    Steps: int64
    /// Facts of the kind analysis, each compared with a value.
    Facts: int64
    /// Executions at full speed with collections forced, compared likewise.
    Collected: int64
    Collections: int64
    /// Cells that these collections freed.
    Freed: int64
    /// Compiled executions, entries into compiled code, operations run there and side exits taken: see `LevelCounts`.
    Compiled: Map<string, int64>
    /// Instructions of the programs, and of the code that ran in their place.
    Before: int64
    After: int64
    BranchesReached: int
    /// Names of the branches that no program reached.
    Missing: string[]
    /// Of a register form: see `LevelCounts`.
    Converted: int64
    WithoutRegisters: int64
    RegisterSteps: int64
    Spilled: int64
} with

    member this.Name = Levels.name this.Level

    /// Collections were forced, and they freed something.
    member this.IsCollected = this.Collections > 0L && this.Freed > 0L

    /// Something was executed and something was compared step by step.
    member this.IsChecked = this.Executions > 0L && this.Steps > 0L

    /// A register form in which nothing was converted is the other form once more.
    member this.IsRegisterFormOnlyByName =
        Levels.isRegisterForm this.Level && (this.Converted = 0L || this.RegisterSteps = 0L)

type CampaignResult = {
    Seed: uint64
    Programs: int64
    /// Saved cases among the programs.
    Saved: int
    /// Calls of scenarios among them.
    Calls: int
    /// Gas limits, each too small for its call, with which these ran once more, and at how many of them the oracle ran out of gas.
    Limits: int64
    RanOut: int64
    /// Loop-heavy programs among them.
    Loops: int64
    Accepted: int64
    Refused: int64
    /// Steps compared, at all levels.
    Steps: int64
    /// Each level that was asked for.
    Levels: LevelResult[]
    Elapsed: TimeSpan
    /// Child processes that ran at the same time.
    Workers: int
    /// Branches reached at every level.
    BranchesReached: int
    Branches: int
    /// Names of the branches that no program reached at some level.
    Missing: string[]
    /// Branches that the rules reported and the list does not have.
    Undeclared: string[]
    /// Times that each fault ended an execution.
    Faults: KeyValuePair<string, int64>[]
    /// Times that each reason refused a program.
    Refusals: KeyValuePair<string, int64>[]
    /// Every divergence that was found, each once.
    Reports: Report[]
    /// All divergences, those that are found again and again included.
    Divergences: int64
    /// There were so many divergences that the rest was not run.
    StoppedEarly: bool
} with

    /// Steps compared a second on each worker.
    member this.StepsPerSecond =
        if this.Elapsed.TotalSeconds > 0.0 then
            float this.Steps / this.Elapsed.TotalSeconds / float this.Workers
        else
            0.0

    /// A count of compiled executions, over all levels.
    member this.CompiledCount(key: string) =
        this.Levels
        |> Array.sumBy (fun level -> level.Compiled |> Map.tryFind key |> Option.defaultValue 0L)

    /// Operations that compiled code never ran, and side exits that it never took, or never out of a callee that is compiled into its caller.
    member this.NeverCompiled = [|
        for op in JitStatistics.Operations do
            if this.CompiledCount("op " + op) = 0L then
                $"op {op}"

        for exit in JitStatistics.ExitKinds do
            if this.CompiledCount("exit " + exit) = 0L then
                $"exit {exit}"

        for exit in JitStatistics.InlinedExitKinds do
            if this.CompiledCount("inlined exit " + exit) = 0L then
                $"inlined exit {exit}"

        for count in [ "nested exits"; "collections" ] do
            if this.CompiledCount count = 0L then
                count
    |]

    /// Side exits that compiled code has so often that no chance explains it, and that were never taken: by operation and reason. Out of gas
    /// is where a segment begins, at whatever operation that is.
    member this.ExitsNeverTaken = [|
        let prefix = "exits compiled "

        for key in this.Levels |> Seq.collect _.Compiled.Keys |> Seq.distinct |> Seq.sort do
            if key.StartsWith prefix then
                let exit = key.Substring prefix.Length

                if
                    not (exit.EndsWith " Gas")
                    && this.CompiledCount key >= 100L
                    && this.CompiledCount("exits taken " + exit) = 0L
                then
                    exit
    |]

    /// Why functions and loops were not compiled that should have been: reasons that are neither in what a program means nor in its size.
    member this.UnexpectedRefusals = [|
        for key in this.Levels |> Seq.collect _.Compiled.Keys |> Seq.distinct |> Seq.sort do
            for prefix in [ "refused "; "threaded refused " ] do
                if key.StartsWith prefix then
                    let reason = key.Substring prefix.Length

                    if
                        not (JitStatistics.RefusalsByMeaning.Contains reason)
                        && not (JitStatistics.RefusalsBySize.Contains reason)
                    then
                        $"{reason} ({this.CompiledCount key})"
    |]

    /// Functions and loops that were too large to be compiled.
    member this.TooLarge =
        JitStatistics.RefusalsBySize |> Seq.sumBy (fun reason -> this.CompiledCount("refused " + reason))

    /// They are more than one for a thousand that were compiled.
    member this.IsTooOftenTooLarge = this.TooLarge * 1000L > this.CompiledCount "pieces"

    /// What loop-heavy programs are there for, and none of them has come to.
    member this.LoopsNeverCompiled =
        if this.Loops = 0L then
            [||]
        else
            [|
                if this.CompiledCount "loop executions entered" = 0L then
                    "an entry into a running loop"

                for exit in JitStatistics.ExitKinds do
                    if this.CompiledCount("loop exit " + exit) = 0L then
                        $"exit {exit} from a loop"
            |]

    /// Operations that threaded code never ran, those that it never left to the source, and exits that it never took.
    member this.NeverThreaded = [|
        for kind, names in
            [
                "op", ThreadedStatistics.Operations
                "source", ThreadedStatistics.Partial
                "exit", ThreadedStatistics.ExitKinds
            ] do
            for name in names do
                if this.CompiledCount $"threaded {kind} {name}" = 0L then
                    $"{kind} {name}"
    |]

    /// No divergence, every program run, and something was checked.
    member this.IsGreen =
        this.Divergences = 0L
        && not this.StoppedEarly
        && this.Programs > 0L
        && this.Levels.Length > 0
        && this.Levels |> Array.forall _.IsChecked
        && this.Undeclared.Length = 0

/// What a campaign is to do.
[<Sealed; AllowNullLiteral>]
type CampaignOptions() =
    /// How to start a child process that runs `Worker.ServeConsole`.
    member val StartWorker: Func<ProcessStartInfo> = null with get, set
    member val Seed = 1UL with get, set
    /// Index of the first generated program.
    member val First = 0L with get, set
    /// Generated programs.
    member val Programs = 100_000L with get, set
    /// Loop-heavy programs besides, the first of them `Generate.firstLoop`.
    member val Loops = 0L with get, set
    /// The optimization levels that are checked, in ascending order.
    member val Levels = Levels.all with get, set
    /// Generated programs are compared step by step at level 0 and, in turns, one of the others; or at each.
    member val IsStepwiseEverywhere = false with get, set
    member val Workers = Environment.ProcessorCount with get, set
    /// Saved cases, which run first: path and text.
    member val Saved: KeyValuePair<string, string>[] = [||] with get, set
    /// Scenarios and their paths: each call as it stands, and with every limit of gas at which it ends at another instruction.
    member val Scenarios: KeyValuePair<string, Scenario>[] = [||] with get, set
    /// A program that takes longer than this hangs.
    member val Patience = TimeSpan.FromSeconds 20.0 with get, set
    /// Different divergences that are shrunk; when there are more, the campaign stops.
    member val MaxReports = 10 with get, set
    /// Cases tried for each divergence that is shrunk.
    member val ShrinkBudget = 4000 with get, set
    member val ShrinkTime = TimeSpan.FromSeconds 60.0 with get, set
    member val Progress: Action<Progress> = null with get, set
    member val Cancel = CancellationToken.None with get, set

/// The child processes cannot do their work at all.
exception CampaignFailed of message: string with
    override this.Message = this.message

[<RequireQualifiedAccess>]
type private Job =
    | Range of first: int64 * past: int64
    | Saved of path: string * json: string
    | Call of path: string * call: string * json: string

/// A campaign: programs by seed, checked by child processes.
[<RequireQualifiedAccess>]
module Campaign =
    let private ready = TimeSpan.FromSeconds 60.0

    let private startChild (options: CampaignOptions) =
        let child = new Child(options.StartWorker)

        let fail text =
            (child :> IDisposable).Dispose()
            raise (CampaignFailed("The child process that is to check programs does not start: " + text))

        match
            (try
                child.Read(ready, options.Cancel)
             with :? TimeoutException ->
                 fail "it says nothing.")
        with
        | ValueSome line when line.Contains "\"ready\"" -> child
        | ValueSome line -> fail ("it says " + line)
        | ValueNone -> fail (child.Remains())

    let private typeOf (e: JsonElement) = e.GetProperty("type").GetString()

    /// Programs of one command.
    let private chunk = 200L

    type private Found = {
        Origin: Origin
        Case: Case
        Divergence: Divergence
        mutable Times: int64
    }

    /// Counts and divergences of all workers.
    type private Ledger(options: CampaignOptions, total: int64) =
        let levels = LevelCounts.ForAll()
        let undeclared = HashSet<string>()
        let found = Dictionary<string, Found>()
        let order = ResizeArray<string>()
        let faults = Dictionary<string, int64>()
        let refusals = Dictionary<string, int64>()
        let mutable programs = 0L
        let mutable accepted = 0L
        let mutable limits = 0L
        let mutable ranOut = 0L
        let mutable divergences = 0L
        let clock = Stopwatch.StartNew()

        let addTo (table: Dictionary<string, int64>) key n =
            table[key] <-
                n
                + (match table.TryGetValue key with
                   | true, m -> m
                   | false, _ -> 0L)

        // Of equally many by name: which worker said it first must not show.
        let mostFirst (table: Dictionary<string, int64>) =
            table
            |> Seq.sortWith (fun a b ->
                if a.Value <> b.Value then
                    compare b.Value a.Value
                else
                    String.CompareOrdinal(a.Key, b.Key))
            |> Seq.toArray

        member _.Programs = programs
        member _.Accepted = accepted
        member _.Limits = limits
        member _.RanOut = ranOut
        member _.Levels = options.Levels |> Array.map (fun level -> level, levels[level])
        member this.Steps = this.Levels |> Array.sumBy (fun (_, counts) -> counts.Steps)
        member _.Divergences = divergences
        member _.Undeclared = Seq.sort undeclared |> Seq.toArray

        /// Branches reached at every level.
        member this.Reached =
            this.Levels
            |> Array.map (fun (_, counts) -> counts.Coverage.Counts |> Array.map (fun n -> n > 0L))
            |> Array.reduce (Array.map2 (&&))
            |> Array.filter id
            |> Array.length

        member _.Elapsed = clock.Elapsed
        member _.Found = [| for key in order -> found[key] |]
        member _.Kinds = order.Count
        member _.Faults = mostFirst faults
        member _.Refusals = mostFirst refusals

        member this.Counts(e: JsonElement) =
            lock this (fun () ->
                programs <- programs + e.GetProperty("programs").GetInt64()
                accepted <- accepted + e.GetProperty("accepted").GetInt64()
                limits <- limits + e.GetProperty("limits").GetInt64()
                ranOut <- ranOut + e.GetProperty("ranOut").GetInt64()

                for m in e.GetProperty("faults").EnumerateObject() do
                    addTo faults m.Name (m.Value.GetInt64())

                for m in e.GetProperty("refusals").EnumerateObject() do
                    addTo refusals m.Name (m.Value.GetInt64())

                for counts, said in Seq.zip levels (e.GetProperty("levels").EnumerateArray()) do
                    let number (name: string) = said.GetProperty(name).GetInt64()
                    counts.Executions <- counts.Executions + number "executions"
                    counts.Stepwise <- counts.Stepwise + number "stepwise"
                    counts.Steps <- counts.Steps + number "steps"
                    counts.Facts <- counts.Facts + number "facts"
                    counts.Collected <- counts.Collected + number "collected"
                    counts.Collections <- counts.Collections + number "collections"
                    counts.Freed <- counts.Freed + number "freed"
                    counts.Before <- counts.Before + number "before"
                    counts.After <- counts.After + number "after"
                    counts.Converted <- counts.Converted + number "converted"
                    counts.WithoutRegisters <- counts.WithoutRegisters + number "withoutRegisters"
                    counts.RegisterSteps <- counts.RegisterSteps + number "registerSteps"
                    counts.Spilled <- counts.Spilled + number "spilled"

                    for entry in said.GetProperty("compiled").EnumerateObject() do
                        counts.AddCompiled entry.Name (entry.Value.GetInt64())

                    let branches = [| for b in said.GetProperty("branches").EnumerateArray() -> b.GetInt64() |]

                    for i in 0..2 .. branches.Length - 2 do
                        counts.Coverage.Add(int branches[i], branches[i + 1])

                    for name in said.GetProperty("undeclared").EnumerateArray() do
                        undeclared.Add(name.GetString()) |> ignore)

        member this.Diverged(origin: Origin, key: string, case: unit -> Case, divergence: unit -> Divergence) =
            lock this (fun () ->
                divergences <- divergences + 1L

                match found.TryGetValue key with
                | true, known -> known.Times <- known.Times + 1L
                | false, _ ->
                    order.Add key

                    found[key] <- {
                        Origin = origin
                        Case = case ()
                        Divergence = divergence ()
                        Times = 1L
                    })

        /// A program whose child died in it.
        member this.Lost() =
            lock this (fun () -> programs <- programs + 1L)

        member this.Snapshot() : Progress =
            lock this (fun () -> {
                Programs = programs
                Of = total
                Steps = this.Steps
                Branches = this.Reached
                Divergences = divergences
                Found = [| for key in order -> found[key].Origin |]
                Elapsed = clock.Elapsed
            })

        /// So many divergences that more of them tell nothing new.
        member this.IsFull =
            lock this (fun () -> order.Count > options.MaxReports || divergences > 2000L)

    let private caseOf (origin: Origin) (json: string) =
        match origin with
        | Origin.Generated(seed, index) -> Generate.case seed index
        | Origin.Saved _
        | Origin.Call _ -> Vector.parse json

    /// Works off jobs until there are none, in one child after another.
    let private work
        (options: CampaignOptions)
        (jobs: ConcurrentQueue<Job>)
        (ledger: Ledger)
        (cancel: CancellationToken)
        =
        let mutable child: Child = Unchecked.defaultof<Child>
        let mutable job = Unchecked.defaultof<Job>

        /// The origin of what `@name` announced, and the job without what is done.
        let origin (name: string) =
            match job with
            | Job.Saved(path, _) -> Origin.Saved path
            | Job.Call(path, call, _) -> Origin.Call(path, call)
            | Job.Range _ -> Origin.Generated(options.Seed, Int64.Parse name)

        let json () =
            match job with
            | Job.Saved(_, json)
            | Job.Call(_, _, json) -> json
            | Job.Range _ -> ""

        /// The case of which a child said no more than that it begins it.
        let announced (name: string) =
            let case = caseOf (origin name) (json ())

            match job with
            | Job.Call _ -> {
                case with
                    GasLimit = Int64.Parse name
              }
            | Job.Saved _
            | Job.Range _ -> case

        try
            while not cancel.IsCancellationRequested && not ledger.IsFull && jobs.TryDequeue(&job) do
                if isNull (box child) then
                    child <- startChild options

                match job with
                | Job.Range(first, past) ->
                    let how = if options.IsStepwiseEverywhere then "each" else "run"
                    child.Send $"{how} {Levels.text options.Levels} {options.Seed} {first} {past}"
                | Job.Saved(_, json) -> child.Send $"saved {Levels.text options.Levels} {json}"
                | Job.Call(_, _, json) -> child.Send $"call {Levels.text options.Levels} {json}"

                let mutable current = ""
                /// The first program that is announced and not yet counted.
                let mutable uncounted = ""
                let mutable busy = true

                let lost trouble text =
                    busy <- false
                    child.Kill()
                    (child :> IDisposable).Dispose()
                    child <- Unchecked.defaultof<Child>

                    if current = "" then
                        raise (CampaignFailed("A child process ended without having begun its work: " + text))

                    let at = origin current
                    let d = Divergence.bare trouble text
                    ledger.Lost()
                    ledger.Diverged(at, Divergence.key d, (fun () -> announced current), (fun () -> d))

                    match job, at with
                    | Job.Range(_, past), Origin.Generated(_, index) ->
                        // The counts of those before it died with the child: they run again.
                        let again = if uncounted = "" then index else Int64.Parse uncounted

                        if again < index then
                            jobs.Enqueue(Job.Range(again, index))

                        if index + 1L < past then
                            jobs.Enqueue(Job.Range(index + 1L, past))
                    | _ -> ()

                while busy do
                    match
                        (try
                            Choice1Of2(child.Read(options.Patience, cancel))
                         with :? TimeoutException ->
                             Choice2Of2())
                    with
                    | Choice2Of2() ->
                        lost Trouble.Hang $"no answer in {options.Patience.TotalSeconds} seconds of its own time"
                    | Choice1Of2 ValueNone -> lost Trouble.Crash (child.Remains())
                    | Choice1Of2(ValueSome line) when line.StartsWith '@' ->
                        current <- line.Substring 1

                        if uncounted = "" then
                            uncounted <- current
                    | Choice1Of2(ValueSome line) ->
                        use document = JsonDocument.Parse(line, JsonDocumentOptions(MaxDepth = 5000))
                        let e = document.RootElement

                        match typeOf e with
                        | "counts" ->
                            ledger.Counts e
                            uncounted <- ""
                        | "divergence" ->
                            let at = origin current

                            let case () =
                                match e.TryGetProperty "case" with
                                | true, c -> Vector.parse (c.GetRawText())
                                | false, _ -> announced current

                            let divergence () =
                                match e.TryGetProperty "divergence" with
                                | true, d -> Divergence.read d
                                | false, _ -> Divergence.bare Trouble.Step (e.GetProperty("key").GetString())

                            ledger.Diverged(at, e.GetProperty("key").GetString(), case, divergence)
                        | "done" -> busy <- false
                        | other -> raise (CampaignFailed("A child process says " + other))
        finally
            if not (isNull (box child)) then
                (child :> IDisposable).Dispose()

    /// Shrinks in fresh children: a candidate may kill the child as the case itself did.
    let private shrink (options: CampaignOptions) (case: Case) (divergence: Divergence) : Case * Divergence * int =
        let mutable child: Child = Unchecked.defaultof<Child>
        let clock = Stopwatch.StartNew()

        let patience =
            if divergence.Trouble = Trouble.Hang then
                TimeSpan.FromSeconds(min 3.0 options.Patience.TotalSeconds)
            else
                options.Patience

        let probe (levels: int[]) (candidate: Case) : Divergence option =
            if isNull (box child) then
                child <- startChild options

            let dead trouble text =
                (child :> IDisposable).Dispose()
                child <- Unchecked.defaultof<Child>
                Some(Divergence.bare trouble text)

            child.Send $"probe {Levels.text levels} {Vector.toLine candidate}"

            let rec listen () =
                match
                    (try
                        Choice1Of2(child.Read(patience, options.Cancel))
                     with :? TimeoutException ->
                         Choice2Of2())
                with
                | Choice2Of2() -> dead Trouble.Hang $"no answer in {patience.TotalSeconds} seconds of its own time"
                | Choice1Of2 ValueNone -> dead Trouble.Crash (child.Remains())
                | Choice1Of2(ValueSome line) when line.StartsWith '@' -> listen ()
                | Choice1Of2(ValueSome line) ->
                    use document = JsonDocument.Parse(line, JsonDocumentOptions(MaxDepth = 5000))

                    match document.RootElement.TryGetProperty "divergence" with
                    | true, d -> Some(Divergence.read d)
                    | false, _ -> None

            listen ()

        try
            let wanted = Divergence.key divergence
            let mutable last = divergence

            let shows levels candidate =
                match probe levels candidate with
                | Some d -> Divergence.key d = wanted
                | None -> false

            /// A child that is dead does not say at which level it died.
            let levels =
                if divergence.Level >= 0 then
                    [| divergence.Level |]
                else
                    match options.Levels |> Array.tryFind (fun level -> shows [| level |] case) with
                    | Some level -> [| level |]
                    | None -> options.Levels

            let fails candidate =
                clock.Elapsed < options.ShrinkTime
                && match probe levels candidate with
                   | Some d when Divergence.key d = wanted ->
                       last <- d
                       true
                   | Some _
                   | None -> false

            let smallest, probes = Shrink.minimize options.ShrinkBudget fails case

            smallest,
            {
                last with
                    Level = if levels.Length = 1 then levels[0] else last.Level
            },
            probes
        finally
            if not (isNull (box child)) then
                (child :> IDisposable).Dispose()

    /// Runs the campaign; CampaignFailed when its children cannot work, OperationCanceledException when it is cancelled.
    let run (options: CampaignOptions) : CampaignResult =
        let calls = [|
            for scenario in options.Scenarios do
                for call in Scenario.calls scenario.Value -> Job.Call(scenario.Key, call.Text, Vector.toLine call.Case)
        |]

        let total =
            options.Programs + options.Loops + int64 options.Saved.Length + int64 calls.Length

        if total <= 0L then
            raise (CampaignFailed "A check of zero programs checks nothing.")

        if options.Levels.Length = 0 then
            raise (CampaignFailed "A check at no level checks nothing.")

        let ledger = Ledger(options, total)
        let jobs = ConcurrentQueue<Job>()

        for saved in options.Saved do
            // Read here once, so that what cannot be read is the caller's error and not a crash.
            let case = Vector.parse saved.Value
            jobs.Enqueue(Job.Saved(saved.Key, Vector.toLine case))

        let enqueue (first: int64) (past: int64) (chunk: int64) =
            for first in first..chunk .. past - 1L do
                jobs.Enqueue(Job.Range(first, min past (first + chunk)))

        // Those that take longest begin first, so that no worker waits for another at the end.
        Array.iter jobs.Enqueue calls
        enqueue Generate.firstLoop (Generate.firstLoop + options.Loops) (chunk / 10L)
        enqueue options.First (options.First + options.Programs) chunk

        let failures = ConcurrentQueue<exn>()
        use stop = CancellationTokenSource.CreateLinkedTokenSource options.Cancel
        let workers = max 1 (int (min (int64 options.Workers) (int64 jobs.Count)))

        let threads =
            Array.init workers (fun _ ->
                let thread =
                    Thread(
                        (fun () ->
                            try
                                work options jobs ledger stop.Token
                            with error ->
                                failures.Enqueue error
                                stop.Cancel()),
                        IsBackground = true
                    )

                thread.Start()
                thread)

        let report () =
            if not (isNull options.Progress) then
                options.Progress.Invoke(ledger.Snapshot())

        for thread in threads do
            while not (thread.Join 100) do
                report ()

        report ()
        options.Cancel.ThrowIfCancellationRequested()

        match failures.TryDequeue() with
        | true, error -> raise (CampaignFailed error.Message)
        | false, _ -> ()

        let elapsed = ledger.Elapsed

        let levels = [|
            for level, counts in ledger.Levels ->
                {
                    Level = level
                    Executions = counts.Executions
                    Stepwise = counts.Stepwise
                    Steps = counts.Steps
                    Facts = counts.Facts
                    Collected = counts.Collected
                    Collections = counts.Collections
                    Freed = counts.Freed
                    Compiled = Map.ofSeq (counts.Compiled |> Seq.map (fun entry -> entry.Key, entry.Value))
                    Before = counts.Before
                    After = counts.After
                    BranchesReached = counts.Coverage.Reached
                    Missing = counts.Coverage.Missing
                    Converted = counts.Converted
                    WithoutRegisters = counts.WithoutRegisters
                    RegisterSteps = counts.RegisterSteps
                    Spilled = counts.Spilled
                }
        |]

        let reports =
            ledger.Found
            |> Array.truncate options.MaxReports
            |> Array.map (fun found ->
                let case, divergence, probes = shrink options found.Case found.Divergence

                {
                    Origin = found.Origin
                    Found = found.Case
                    Case = case
                    Divergence = divergence
                    Probes = probes
                    Times = found.Times
                })

        {
            Seed = options.Seed
            Programs = ledger.Programs
            Saved = options.Saved.Length
            Calls = calls.Length
            Limits = ledger.Limits
            RanOut = ledger.RanOut
            Loops = options.Loops
            Accepted = ledger.Accepted
            Refused = ledger.Programs - ledger.Accepted
            Steps = ledger.Steps
            Elapsed = elapsed
            Workers = workers
            Levels = levels
            BranchesReached = ledger.Reached
            Branches = Coverage.Names.Length
            Missing = levels |> Array.collect _.Missing |> Array.distinct
            Undeclared = ledger.Undeclared
            Faults = ledger.Faults
            Refusals = ledger.Refusals
            Reports = reports
            Divergences = ledger.Divergences
            StoppedEarly = ledger.Programs < total
        }
