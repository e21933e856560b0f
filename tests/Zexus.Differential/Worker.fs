namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Diagnostics
open System.IO
open System.Text.Json

/// How a case is checked: what is done at each level goes into its counts.
type Check = delegate of LevelCounts[] * LevelPlan * Case -> Verdict

/// The child process of a campaign. It takes one command a line and answers in lines; before each program it says which one,
/// so that whoever reads knows what it died of.
///
///     run LEVELS SEED FIRST PAST    the programs from FIRST up to PAST, each announced as `@INDEX`, step by step at level 0 and one other, compiled at one, some with collections forced; then {"type": "done"}
///     each LEVELS SEED FIRST PAST   the same, step by step, with collections forced and compiled in every way at every level
///     saved LEVELS JSON             one case, announced as `@0`, step by step at every level; then {"type": "done"}
///     call LEVELS JSON              the same, announced as `@LIMIT`, and then with each limit of `Exhaustion`, announced likewise; then {"type": "done"}
///     probe LEVELS JSON             one case for the shrinker, answered as {"type": "probe", "divergence": …}
[<Sealed>]
type Worker(check: Check, output: TextWriter) =
    let mutable levels = LevelCounts.ForAll()
    let mutable programs = 0L
    let mutable accepted = 0L
    let mutable limits = 0L
    let mutable ranOut = 0L
    let faults = Dictionary<string, int64>()
    let refusals = Dictionary<string, int64>()
    let clock = Stopwatch.StartNew()
    /// How often each divergence was written out; after the third time it is only counted.
    let seen = Dictionary<string, int>()

    let count (table: Dictionary<string, int64>) key =
        table[key] <-
            1L
            + (match table.TryGetValue key with
               | true, n -> n
               | false, _ -> 0L)

    let send (line: string) =
        output.Write line
        output.Write '\n'
        output.Flush()

    let sendTable (w: Utf8JsonWriter) (name: string) (table: Dictionary<string, int64>) =
        w.WriteStartObject name

        for entry in table do
            w.WriteNumber(entry.Key, entry.Value)

        w.WriteEndObject()
        table.Clear()

    let sendCounts () =
        send (
            Line.write (fun w ->
                w.WriteString("type", "counts")
                w.WriteNumber("programs", programs)
                w.WriteNumber("accepted", accepted)
                w.WriteNumber("limits", limits)
                w.WriteNumber("ranOut", ranOut)
                sendTable w "faults" faults
                sendTable w "refusals" refusals
                w.WriteStartArray "levels"

                for counts in levels do
                    w.WriteStartObject()
                    w.WriteNumber("executions", counts.Executions)
                    w.WriteNumber("stepwise", counts.Stepwise)
                    w.WriteNumber("steps", counts.Steps)
                    w.WriteNumber("facts", counts.Facts)
                    w.WriteNumber("collected", counts.Collected)
                    w.WriteNumber("collections", counts.Collections)
                    w.WriteNumber("freed", counts.Freed)
                    w.WriteNumber("before", counts.Before)
                    w.WriteNumber("after", counts.After)
                    w.WriteNumber("converted", counts.Converted)
                    w.WriteNumber("withoutRegisters", counts.WithoutRegisters)
                    w.WriteNumber("registerSteps", counts.RegisterSteps)
                    w.WriteNumber("spilled", counts.Spilled)
                    sendTable w "compiled" counts.Compiled
                    w.WriteStartArray "branches"

                    for i in 0 .. counts.Coverage.Counts.Length - 1 do
                        if counts.Coverage.Counts[i] > 0L then
                            w.WriteNumberValue i
                            w.WriteNumberValue counts.Coverage.Counts[i]

                    w.WriteEndArray()
                    w.WriteStartArray "undeclared"

                    for name in counts.Coverage.Undeclared do
                        w.WriteStringValue name

                    w.WriteEndArray()
                    w.WriteEndObject()

                w.WriteEndArray())
        )

        levels <- LevelCounts.ForAll()
        programs <- 0L
        accepted <- 0L
        limits <- 0L
        ranOut <- 0L

    let sendDivergence (verdict: Verdict) (d: Divergence) =
        let key = Divergence.key d

        let times =
            (match seen.TryGetValue key with
             | true, n -> n
             | false, _ -> 0)
            + 1

        seen[key] <- times

        send (
            Line.write (fun w ->
                w.WriteString("type", "divergence")
                w.WriteString("key", key)

                if times <= 3 then
                    w.WritePropertyName "case"
                    w.WriteRawValue(Vector.toLine verdict.Case, true)
                    w.WritePropertyName "divergence"
                    Divergence.write w d)
        )

    let tally (verdict: Verdict) =
        match verdict.Refusal with
        | Some reason -> count refusals reason
        | None ->
            if verdict.Fault <> "" then
                count faults verdict.Fault

        match verdict.Divergence with
        | Some d -> sendDivergence verdict d
        | None -> ()

    /// A case, and once more with a share of its gas if it asks for that.
    static member Run(check: Check, counts: LevelCounts[], plan: LevelPlan, case: Case) : Verdict list =
        let first = check.Invoke(counts, plan, { case with GasShare = None })

        match case.GasShare with
        | Some share when first.Refusal.IsNone && first.Divergence.IsNone ->
            let limit = int64 ((bigint (first.Used + 1L) * bigint share) >>> 32)

            [
                first
                check.Invoke(
                    counts,
                    plan,
                    {
                        case with
                            GasShare = None
                            GasLimit = limit
                    }
                )
            ]
        | _ -> [ first ]

    member private this.Case(name: string, plan: LevelPlan, case: Case) =
        send ("@" + name)
        programs <- programs + 1L
        let verdicts = Worker.Run(check, levels, plan, case)

        if verdicts.Head.Refusal.IsNone then
            accepted <- accepted + 1L

        for verdict in verdicts do
            tally verdict

        this.Counted(verdicts |> List.exists _.Divergence.IsSome)

    /// What was counted before a child dies is counted; after a divergence at once, so that none is reported twice.
    member private _.Counted(hasDiverged: bool) =
        if clock.ElapsedMilliseconds > 200L || hasDiverged then
            sendCounts ()
            clock.Restart()

    /// A call that loads, with less gas than it uses: what it then comes to is no program of its own, and no fault that was looked for.
    member private this.Exhausted(plan: LevelPlan, case: Case, isTooLittle: bool) =
        send $"@{case.GasLimit}"
        let verdict = check.Invoke(levels, plan, case)

        if isTooLittle then
            limits <- limits + 1L

            if verdict.Fault = Exhaustion.fault then
                ranOut <- ranOut + 1L

        match verdict.Divergence with
        | Some d -> sendDivergence verdict d
        | None -> ()

        this.Counted verdict.Divergence.IsSome

    member private _.Done() =
        sendCounts ()
        send (Line.write (fun w -> w.WriteString("type", "done")))

    /// Serves commands until there are no more.
    member this.Serve(input: TextReader) =
        send (Line.write (fun w -> w.WriteString("type", "ready")))
        let mutable line = input.ReadLine()

        while not (isNull line) do
            match line.Split(' ', 3) with
            | [| "run" | "each" as how; levels; range |] ->
                let levels = Levels.parse levels
                let words = range.Split ' '
                let seed = UInt64.Parse words[0]

                for index in Int64.Parse words[1] .. Int64.Parse words[2] - 1L do
                    let isLoopHeavy = Generate.family index = Family.Loop

                    let plan =
                        if how = "each" then
                            {
                                LevelPlan.every levels with
                                    IsLoopHeavy = isLoopHeavy
                            }
                        elif isLoopHeavy then
                            LevelPlan.loops levels index
                        else
                            LevelPlan.inTurn levels index

                    this.Case(string index, plan, Generate.case seed index)

                this.Done()
            | [| "saved"; levels; json |] ->
                this.Case("0", LevelPlan.saved (Levels.parse levels), Vector.parse json)
                this.Done()
            | [| "call"; levels; json |] ->
                let levels = Levels.parse levels
                let case = Vector.parse json
                this.Case(string case.GasLimit, LevelPlan.saved levels, case)

                match Zexus.Spec.Validation.validate case.Limits case.Program with
                | Ok loaded ->
                    Exhaustion.each loaded case (fun case isTooLittle ->
                        this.Exhausted(Exhaustion.inTurn levels case.GasLimit, case, isTooLittle))
                | Error _ -> ()

                this.Done()
            | [| "probe"; levels; json |] ->
                send "@0"

                let verdicts =
                    Worker.Run(check, LevelCounts.ForAll(), LevelPlan.every (Levels.parse levels), Vector.parse json)

                send (
                    Line.write (fun w ->
                        w.WriteString("type", "probe")

                        match verdicts |> List.tryPick _.Divergence with
                        | Some d ->
                            w.WritePropertyName "divergence"
                            Divergence.write w d
                        | None -> ())
                )
            | _ -> raise (FormatException $"no command for a worker: {line}")

            line <- input.ReadLine()

    /// Serves on this process's standard input and output. Nothing else may write to the output.
    static member ServeConsole(check: Check) =
        use output = new StreamWriter(Console.OpenStandardOutput(), Text.UTF8Encoding false)
        use input = new StreamReader(Console.OpenStandardInput(), Text.UTF8Encoding false)
        Console.SetOut TextWriter.Null
        Worker(check, output).Serve input
