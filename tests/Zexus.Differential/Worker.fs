namespace Zexus.Differential

open System
open System.Collections.Generic
open System.Diagnostics
open System.IO
open System.Text.Json

/// How a case is checked: branches that the oracle reaches go into the coverage.
type Check = delegate of Coverage * Case -> Verdict

/// The child process of a campaign. It takes one command a line and answers in lines; before each program it says which one,
/// so that whoever reads knows what it died of.
///
///     run SEED FIRST PAST    the programs from FIRST up to PAST, each announced as `@INDEX`; then {"type": "done"}
///     saved JSON             one case, announced as `@0`; then {"type": "done"}
///     probe JSON             one case for the shrinker, answered as {"type": "probe", "divergence": …}
[<Sealed>]
type Worker(check: Check, output: TextWriter) =
    let mutable coverage = Coverage()
    let mutable programs = 0L
    let mutable accepted = 0L
    let mutable steps = 0L
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
                w.WriteNumber("steps", steps)
                sendTable w "faults" faults
                sendTable w "refusals" refusals
                w.WriteStartArray "branches"

                for i in 0 .. coverage.Counts.Length - 1 do
                    if coverage.Counts[i] > 0L then
                        w.WriteNumberValue i
                        w.WriteNumberValue coverage.Counts[i]

                w.WriteEndArray()
                w.WriteStartArray "undeclared"

                for name in coverage.Undeclared do
                    w.WriteStringValue name

                w.WriteEndArray())
        )

        coverage <- Coverage()
        programs <- 0L
        accepted <- 0L
        steps <- 0L

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
        steps <- steps + verdict.Steps

        match verdict.Refusal with
        | Some reason -> count refusals reason
        | None ->
            if verdict.Fault <> "" then
                count faults verdict.Fault

        match verdict.Divergence with
        | Some d -> sendDivergence verdict d
        | None -> ()

    /// A case, and once more with a share of its gas if it asks for that.
    static member Run(check: Check, coverage: Coverage, case: Case) : Verdict list =
        let first = check.Invoke(coverage, { case with GasShare = None })

        match case.GasShare with
        | Some share when first.Refusal.IsNone && first.Divergence.IsNone ->
            let limit = int64 ((bigint (first.Used + 1L) * bigint share) >>> 32)

            [
                first
                check.Invoke(
                    coverage,
                    {
                        case with
                            GasShare = None
                            GasLimit = limit
                    }
                )
            ]
        | _ -> [ first ]

    member private _.Case(name: string, case: Case) =
        send ("@" + name)
        programs <- programs + 1L
        let verdicts = Worker.Run(check, coverage, case)

        if verdicts.Head.Refusal.IsNone then
            accepted <- accepted + 1L

        for verdict in verdicts do
            tally verdict

        // What was counted before a child dies is counted; after a divergence at once, so that none is reported twice.
        if clock.ElapsedMilliseconds > 200L || verdicts |> List.exists _.Divergence.IsSome then
            sendCounts ()
            clock.Restart()

    member private _.Done() =
        sendCounts ()
        send (Line.write (fun w -> w.WriteString("type", "done")))

    /// Serves commands until there are no more.
    member this.Serve(input: TextReader) =
        send (Line.write (fun w -> w.WriteString("type", "ready")))
        let mutable line = input.ReadLine()

        while not (isNull line) do
            match line.Split(' ', 2) with
            | [| "run"; range |] ->
                let words = range.Split ' '
                let seed = UInt64.Parse words[0]

                for index in Int64.Parse words[1] .. Int64.Parse words[2] - 1L do
                    this.Case(string index, Generate.case seed index)

                this.Done()
            | [| "saved"; json |] ->
                this.Case("0", Vector.parse json)
                this.Done()
            | [| "probe"; json |] ->
                send "@0"
                let verdicts = Worker.Run(check, Coverage(), Vector.parse json)

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
