/// Answers kept between runs, by the hash of everything that decides them: text, solver, version, options. Only sat and unsat are kept.
/// With them, where a counterexample was found: that is no answer, it is where a run replays first.
module Zexus.Proofs.AnswerCache

open System
open System.Collections.Concurrent
open System.Collections.Generic
open System.IO
open System.Security.Cryptography
open System.Text
open System.Text.Json

/// A model's constants by name; null for unsat.
type private Kept = Dictionary<string, string>

[<Sealed>]
type AnswerCache(file: string option) =
    let kept =
        let answers = ConcurrentDictionary<string, Kept>()

        match file with
        | Some file when File.Exists file ->
            // A file that cannot be read is no answer to anything; what was in it is asked again.
            try
                let read =
                    JsonSerializer.Deserialize<Dictionary<string, Kept>>(File.ReadAllText file)

                if not (isNull read) then
                    for KeyValue(key, model) in read do
                        answers[key] <- model
            with
            | :? JsonException
            | :? IOException
            | :? UnauthorizedAccessException -> ()
        | Some _
        | None -> ()

        answers

    let mutable asked = 0
    let mutable found = 0

    static member Key(solver: string, text: string) =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(solver + "\n" + text)))

    /// Queries, and how many of them were answered from the file or from an earlier one with the same text.
    member _.Asked = asked
    member _.Found = found

    /// The answer to a text: a kept one, or a new one.
    member _.Answer(solver: string, text: string, ask: string -> Solver.Answer) : Solver.Answer =
        Threading.Interlocked.Increment &asked |> ignore
        let key = AnswerCache.Key(solver, text)

        match kept.TryGetValue key with
        | true, model ->
            Threading.Interlocked.Increment &found |> ignore

            if isNull model then
                Solver.Answer.Unsat
            else
                Solver.Answer.Sat(Map.ofSeq (model |> Seq.map (fun e -> e.Key, e.Value)))
        | false, _ ->
            let answer = ask text

            match answer with
            | Solver.Answer.Unsat -> kept[key] <- null
            | Solver.Answer.Sat model -> kept[key] <- Kept(model |> Map.toSeq |> dict)
            | Solver.Answer.Failed _ -> ()

            answer

    /// Which case of what is so called, which valuation of it, under a handler or not, and at what gas limit.
    member _.FoundAt(name: string) : (int * int * bool * int64) option =
        match kept.TryGetValue("found " + name) with
        | true, place when not (isNull place) ->
            match place.TryGetValue "at" with
            | true, text ->
                match text.Split ' ' |> Array.map Int64.TryParse with
                | [| true, number; true, index; true, guarded; true, limit |] ->
                    Some(int number, int index, (guarded = 1L), limit)
                | _ -> None
            | false, _ -> None
        | _ -> None

    member _.KeepFound(name: string, number: int, index: int, guarded: bool, limit: int64) =
        let text = String.Join(' ', number, index, (if guarded then 1 else 0), limit)
        kept["found " + name] <- Kept(dict [ "at", text ])

    /// Write what is known; a reader never sees half a file. Throws IOException and UnauthorizedAccessException.
    member _.Save() =
        match file with
        | None -> ()
        | Some file ->
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath file)) |> ignore
            let half = file + "." + Guid.NewGuid().ToString "N"
            File.WriteAllText(half, JsonSerializer.Serialize(Dictionary<string, Kept> kept))
            File.Move(half, file, true)
